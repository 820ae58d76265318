//! Reading a trace: CSV text with the columns `timestamp` and `value`.
//!
//! What is accepted, and how it is understood:
//!
//! * The text is UTF-8, with or without a byte order mark, with line ends of Unix or Windows. The header names the two
//!   columns in any case and order; further columns are left alone; empty lines are skipped.
//! * Time stamps are RFC 3339 with an offset or zone, civil time without one (read as UTC), plain dates, or Unix
//!   seconds. A file uses either stamps with an offset or stamps without, never both: mixed files are refused, because
//!   their order cannot be known. In local time without an offset the doubled hour of autumn counts as duplicates and the
//!   missing one of spring as a gap.
//! * Rows may come in any order; they are sorted. Two rows of the same instant keep the larger value, because whoever
//!   plans capacity must serve either.
//! * An empty, negative, infinite or NaN value is a missing reading. Text that is no number is refused.
//! * More than a fifth of missing readings is refused: that is not a measured series any more.
//!
//! All rows are read before a file is refused; the first few that cannot be understood are named.

use std::fmt;

use thiserror::Error;

use rgctl_schema::time::Moment;

/// The largest share of missing readings with which a trace is still taken as one.
const MISSING_SHARE_MAX: f64 = 0.2;

/// Larger numbers are milliseconds, or no time stamps at all: this is the year 5138.
const UNIX_SECONDS_MAX: i64 = 100_000_000_000;
/// Rows that are named when a file is refused; a file with more is broken as a whole.
const NAMED_ROWS: usize = 5;

/// What is wrong with a row. The line is counted from 1.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RowProblem {
    /// The row is not CSV, or has more or fewer fields than the header.
    #[error("line {line}: not readable as CSV: {reason}")]
    Csv {
        /// Line in the file.
        line: u64,
        /// What the CSV reader said.
        reason: String,
    },
    /// A time stamp of no known form.
    #[error("line {line}: `{text}` is not a time stamp (RFC 3339, civil time, a date, or Unix seconds)")]
    Stamp {
        /// Line in the file.
        line: u64,
        /// The field as it stands, shortened.
        text: String,
    },
    /// A value that is no number.
    #[error("line {line}: `{text}` is not a number")]
    Value {
        /// Line in the file.
        line: u64,
        /// The field as it stands, shortened.
        text: String,
    },
    /// A stamp with an offset among stamps without, or the other way round.
    #[error(
        "line {line}: this time stamp {has} an offset while line {first_line} does the opposite; use one form"
    )]
    MixedZones {
        /// Line in the file.
        line: u64,
        /// "has" or "lacks".
        has: &'static str,
        /// The line that set the form.
        first_line: u64,
    },
}

/// The rows that cannot be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowProblems {
    /// The first of them.
    pub named: Vec<RowProblem>,
    /// How many there are beyond those.
    pub more: usize,
}

impl RowProblems {
    fn add(&mut self, problem: RowProblem) {
        if self.named.len() < NAMED_ROWS {
            self.named.push(problem);
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for RowProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.named.iter().enumerate() {
            write!(f, "{}{problem}", if place == 0 { "" } else { "\n" })?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more rows", self.more)?;
        }
        Ok(())
    }
}

/// Why a trace was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TraceError {
    /// There is nothing to read.
    #[error(
        "the file is empty; it needs a header with the columns `timestamp` and `value`, and readings below it"
    )]
    Empty,
    /// The bytes are not text.
    #[error("line {line}: not UTF-8 text; a trace is a CSV file")]
    NotText {
        /// Line with the first bad byte.
        line: usize,
    },
    /// The header lacks one of the two columns.
    #[error(
        "line 1: the header must name the columns `timestamp` and `value`, separated by commas; found `{found}`"
    )]
    Header {
        /// The header as it was found, shortened.
        found: String,
    },
    /// Rows that cannot be understood.
    #[error("{0}")]
    Rows(RowProblems),
    /// Too many readings are missing.
    #[error(
        "{missing} of {rows} readings are missing (empty, negative or not finite); at most a fifth may be"
    )]
    Holes {
        /// Missing readings.
        missing: usize,
        /// All rows.
        rows: usize,
    },
    /// Fewer than two readings.
    #[error("a trace needs at least two readings, found {rows}")]
    Short {
        /// Readings found.
        rows: usize,
    },
    /// The time span is absurd, which points at one broken time stamp.
    #[error("the readings span {days} days, more than {max} days: one of the time stamps must be wrong")]
    Span {
        /// Days spanned.
        days: i64,
        /// The bound.
        max: i64,
    },
}

/// What reading a trace had to put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Rows that stood before an earlier one.
    pub out_of_order: usize,
    /// Rows of an instant that another row already had.
    pub duplicates: usize,
    /// Readings that were empty, negative, infinite or NaN.
    pub missing: usize,
}

/// A measured series: readings in ascending time, each finite and not negative.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The readings; no two share an instant.
    pub readings: Vec<(Moment, f64)>,
    /// What was put right on the way in.
    pub repairs: Repairs,
    /// Whether the time stamps carried an offset; without one they are read as UTC.
    pub zoned: bool,
}

impl Trace {
    /// Reads a trace from the bytes of a file.
    pub fn read(bytes: &[u8]) -> Result<Self, TraceError> {
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let sound = bytes.get(..e.valid_up_to()).unwrap_or_default();
            TraceError::NotText { line: sound.split(|b| *b == b'\n').count() }
        })?;
        Self::parse(text)
    }

    /// Reads the text of a trace.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(TraceError::Empty);
        }
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(false).from_reader(text.as_bytes());
        let header = reader.headers().cloned().unwrap_or_default();
        let place = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name));
        let (Some(stamp_at), Some(value_at)) = (place("timestamp"), place("value")) else {
            return Err(TraceError::Header {
                found: shortened(&header.iter().collect::<Vec<_>>().join(",")),
            });
        };
        let mut rows = Rows::default();
        for row in reader.records() {
            match row {
                Ok(row) => {
                    let line = row.position().map_or(0, csv::Position::line);
                    let field = |at: usize| row.get(at).unwrap_or_default();
                    if let Err(problem) = rows.take(line, field(stamp_at), field(value_at)) {
                        rows.problems.add(problem);
                    }
                }
                Err(error) => rows.problems.add(RowProblem::Csv {
                    line: error.position().map_or(1, csv::Position::line),
                    reason: error.to_string(),
                }),
            }
        }
        if !rows.problems.named.is_empty() {
            return Err(TraceError::Rows(rows.problems));
        }
        Self::settle(rows.readings, rows.repairs, rows.form.is_some_and(|(zoned, _)| zoned))
    }

    /// Sorts, removes duplicates and judges the whole.
    fn settle(
        mut readings: Vec<(Moment, f64)>,
        mut repairs: Repairs,
        zoned: bool,
    ) -> Result<Self, TraceError> {
        /// Forty years: longer than any service has been measured.
        const DAYS_MAX: i64 = 40 * 366;
        let rows = readings.len() + repairs.missing;
        if repairs.missing as f64 > MISSING_SHARE_MAX * rows as f64 {
            return Err(TraceError::Holes { missing: repairs.missing, rows });
        }
        readings.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let before = readings.len();
        readings.dedup_by_key(|(moment, _)| *moment);
        repairs.duplicates = before - readings.len();
        let (Some(first), Some(last)) = (readings.first(), readings.last()) else {
            return Err(TraceError::Short { rows });
        };
        if readings.len() < 2 {
            return Err(TraceError::Short { rows });
        }
        let days = (last.0.as_secs() - first.0.as_secs()) / 86_400;
        if days > DAYS_MAX {
            return Err(TraceError::Span { days, max: DAYS_MAX });
        }
        Ok(Self { readings, repairs, zoned })
    }

    /// The part from `from` (inclusive) to `until` (exclusive).
    #[must_use]
    pub fn within(&self, from: Option<Moment>, until: Option<Moment>) -> Self {
        let inside = |m: Moment| from.is_none_or(|f| m >= f) && until.is_none_or(|u| m < u);
        Self { readings: self.readings.iter().copied().filter(|(m, _)| inside(*m)).collect(), ..self.clone() }
    }

    /// The usual distance of two readings in seconds: the median, at least 1.
    pub fn interval_seconds(&self) -> i64 {
        let mut gaps: Vec<i64> =
            self.readings.windows(2).map(|w| w[1].0.as_secs() - w[0].0.as_secs()).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().unwrap_or(60).max(1)
    }
}

/// What was read so far.
#[derive(Default)]
struct Rows {
    readings: Vec<(Moment, f64)>,
    repairs: Repairs,
    /// Whether stamps carry an offset, and the line that set it.
    form: Option<(bool, u64)>,
    problems: RowProblems,
}

impl Rows {
    fn take(&mut self, line: u64, stamp: &str, value: &str) -> Result<(), RowProblem> {
        let (moment, zoned) =
            read_stamp(stamp).ok_or_else(|| RowProblem::Stamp { line, text: shortened(stamp) })?;
        let (first, first_line) = *self.form.get_or_insert((zoned, line));
        if first != zoned {
            let has = if zoned { "has" } else { "lacks" };
            return Err(RowProblem::MixedZones { line, has, first_line });
        }
        match read_value(value, line)? {
            Some(value) => {
                if self.readings.last().is_some_and(|(last, _)| *last > moment) {
                    self.repairs.out_of_order += 1;
                }
                self.readings.push((moment, value));
            }
            None => self.repairs.missing += 1,
        }
        Ok(())
    }
}

/// Text that may be anything, fit for a message: without control characters and not longer than a line.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let plain = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut short: String = plain.take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// Reads a moment in one of the accepted forms; the flag says whether it carried an offset or needs none.
pub fn read_stamp(text: &str) -> Option<(Moment, bool)> {
    if let Some(moment) = Moment::parse_rfc3339(text) {
        return Some((moment, true));
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return (seconds.abs() <= UNIX_SECONDS_MAX).then(|| (Moment::from_secs(seconds), true));
    }
    // Civil time has no offset: it is read as UTC, and a plain date as its midnight.
    let civil = Moment::parse_rfc3339(&format!("{text}Z"));
    let moment = civil.or_else(|| Moment::parse_rfc3339(&format!("{text}T00:00:00Z")))?;
    Some((moment, false))
}

fn read_value(text: &str, line: u64) -> Result<Option<f64>, RowProblem> {
    if text.is_empty() {
        return Ok(None);
    }
    let value: f64 = text.parse().map_err(|_| RowProblem::Value { line, text: shortened(text) })?;
    Ok((value.is_finite() && value >= 0.0).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disorder_duplicates_and_holes_are_put_right_and_counted() {
        let text = "timestamp,value\n2026-01-01T00:05:00,5\n2026-01-01T00:00:00,1\n2026-01-01T00:05:00,7\n\
                    2026-01-01T00:10:00,\n2026-01-01T00:15:00,2\n2026-01-01T00:20:00,3\n";
        let trace = Trace::parse(text).expect("readable");
        assert_eq!(trace.repairs, Repairs { out_of_order: 1, duplicates: 1, missing: 1 });
        assert_eq!(trace.readings.iter().map(|r| r.1).collect::<Vec<_>>(), [1.0, 7.0, 2.0, 3.0]);
        assert_eq!(trace.interval_seconds(), 300);
    }

    #[test]
    fn offsets_are_turned_into_one_clock() {
        let text = "timestamp,value\n2026-01-01T08:00:00+08:00,1\n2026-01-01T00:01:00Z,2\n";
        let trace = Trace::parse(text).expect("readable");
        assert_eq!(trace.interval_seconds(), 60);
        assert!(trace.zoned);
    }

    #[test]
    fn every_accepted_form_of_a_stamp_is_the_same_moment() {
        for text in [
            "2014-02-14T00:00:00",
            "2014-02-14 00:00:00",
            "2014-02-14",
            "1392336000",
            "2014-02-14T01:00:00+01:00",
        ] {
            assert_eq!(read_stamp(text).map(|(m, _)| m.as_secs()), Some(1_392_336_000), "{text}");
        }
    }

    #[test]
    fn other_forms_of_the_same_file_give_the_same_readings() {
        let plain = Trace::parse("timestamp,value\n0,1\n60,2\n").expect("readable");
        for text in [
            "\u{feff}timestamp,value\n0,1\n60,2\n",
            "timestamp,value\r\n0,1\r\n60,2\r\n",
            "Timestamp,VALUE\n0,1\n60,2",
            "value,note,timestamp\n1,a,0\n2,b,60\n",
            "\u{feff}\"timestamp\",\"value\"\n\"0\",\"1\"\n\n 60 , 2 \n",
        ] {
            assert_eq!(Trace::read(text.as_bytes()).expect(text), plain, "{text:?}");
        }
    }

    #[test]
    fn the_doubled_hour_of_autumn_keeps_the_larger_value_and_the_lost_one_of_spring_is_a_gap() {
        let autumn = "timestamp,value\n2026-10-25T01:30:00,1\n2026-10-25T02:30:00,5\n2026-10-25T02:30:00,4\n2026-10-25T03:30:00,1\n";
        let trace = Trace::parse(autumn).expect("readable");
        assert_eq!((trace.repairs.duplicates, trace.readings[1].1), (1, 5.0));
        let spring = "timestamp,value\n2026-03-29T00:30:00,1\n2026-03-29T01:30:00,1\n2026-03-29T03:30:00,3\n";
        assert_eq!(Trace::parse(spring).expect("readable").readings.len(), 3);
        let told = "timestamp,value\n2026-10-25T02:30:00+02:00,5\n2026-10-25T02:30:00+01:00,4\n";
        assert_eq!(
            Trace::parse(told).expect("readable").interval_seconds(),
            3600,
            "an offset keeps them apart"
        );
    }

    #[test]
    fn all_rows_are_judged_before_a_file_is_refused() {
        let refused = Trace::parse("timestamp,value\nsoon,1\n60,many\n120,3,4\n180,1\n").expect_err("broken");
        let said = refused.to_string();
        for expected in ["line 2: `soon`", "line 3: `many`", "line 4: not readable as CSV"] {
            assert!(said.contains(expected), "{said}");
        }
        let many: String = (0..50).map(|_| "x,1\n").collect();
        let said = Trace::parse(&format!("timestamp,value\n{many}")).expect_err("broken").to_string();
        assert!(said.ends_with("and 45 more rows"), "{said}");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_line() {
        assert_eq!(Trace::read(b"timestamp,value\n0,1\n\xff\xfe,2\n"), Err(TraceError::NotText { line: 3 }));
        assert_eq!(Trace::read(b""), Err(TraceError::Empty));
        assert_eq!(Trace::read(b"\xef\xbb\xbf\r\n"), Err(TraceError::Empty));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_line_and_reason() {
        let cases = [
            ("when,value\n1,2\n", "line 1"),
            ("timestamp,value\nyesterday,2\n", "line 2: `yesterday`"),
            ("timestamp,value\n1,2\n2,many\n", "line 3: `many`"),
            (
                "timestamp,value\n2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00,2\n",
                "line 3: this time stamp lacks",
            ),
            ("timestamp,value\n1,2,3\n", "line 2"),
            ("timestamp,value\n1,2\n", "at least two"),
            ("timestamp,value\n1,-2\n2,NaN\n3,1\n4,1\n", "2 of 4 readings are missing"),
            ("timestamp,value\n0,1\n99999999999,1\n", "must be wrong"),
            ("timestamp,value\n1700000000000,1\n", "line 2: `1700000000000` is not a time stamp"),
            ("timestamp;value\n0;1\n", "separated by commas; found `timestamp;value`"),
            ("timestamp,value\n", "at least two readings, found 0"),
        ];
        for (text, expected) in cases {
            let refused = Trace::parse(text).expect_err(text).to_string();
            assert!(refused.contains(expected), "{refused} lacks {expected}");
        }
    }
}
