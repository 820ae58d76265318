//! Reading a trace: CSV text with the columns `timestamp` and `value`.
//!
//! What is accepted, and how it is understood:
//!
//! * Time stamps are RFC 3339 with an offset or zone, civil time without one (read as UTC), plain dates, or Unix
//!   seconds. A file uses either stamps with an offset or stamps without, never both: mixed files are refused, because
//!   their order cannot be known.
//! * Rows may come in any order; they are sorted. Two rows of the same instant keep the larger value, because whoever
//!   plans capacity must serve either.
//! * An empty, negative, infinite or NaN value is a missing reading. Text that is no number is refused.
//! * More than a fifth of missing readings is refused: that is not a measured series any more.

use thiserror::Error;

use crate::vocabulary::time::Moment;

/// The largest share of missing readings with which a trace is still taken as one.
const MISSING_SHARE_MAX: f64 = 0.2;

/// Why a trace was refused. Every variant that concerns a row carries its line in the file, counted from 1.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TraceError {
    /// The header lacks one of the two columns.
    #[error("line 1: the header must name the columns `timestamp` and `value`, found `{found}`")]
    Header {
        /// The header as it was found.
        found: String,
    },
    /// The text is not CSV.
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
        /// The field as it stands.
        text: String,
    },
    /// A value that is no number.
    #[error("line {line}: `{text}` is not a number")]
    Value {
        /// Line in the file.
        line: u64,
        /// The field as it stands.
        text: String,
    },
    /// Stamps with and without an offset in one file.
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
    /// Reads the text of a trace.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(false).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|e| csv_error(&e))?.clone();
        let place = |name: &str| {
            header.iter().position(|h| h.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name))
        };
        let (Some(stamp_at), Some(value_at)) = (place("timestamp"), place("value")) else {
            return Err(TraceError::Header { found: header.iter().collect::<Vec<_>>().join(",") });
        };
        let mut readings: Vec<(Moment, f64)> = Vec::new();
        let mut repairs = Repairs::default();
        let mut form: Option<(bool, u64)> = None;
        for row in reader.records() {
            let row = row.map_err(|e| csv_error(&e))?;
            let line = row.position().map_or(0, csv::Position::line);
            let text = row.get(stamp_at).unwrap_or_default();
            let (moment, zoned) =
                read_stamp(text).ok_or_else(|| TraceError::Stamp { line, text: text.to_owned() })?;
            match form {
                None => form = Some((zoned, line)),
                Some((first, first_line)) if first != zoned => {
                    let has = if zoned { "has" } else { "lacks" };
                    return Err(TraceError::MixedZones { line, has, first_line });
                }
                Some(_) => {}
            }
            match read_value(row.get(value_at).unwrap_or_default(), line)? {
                Some(value) => {
                    if readings.last().is_some_and(|(last, _)| *last > moment) {
                        repairs.out_of_order += 1;
                    }
                    readings.push((moment, value));
                }
                None => repairs.missing += 1,
            }
        }
        Self::settle(readings, repairs, form.is_some_and(|(zoned, _)| zoned))
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

fn csv_error(error: &csv::Error) -> TraceError {
    TraceError::Csv { line: error.position().map_or(1, csv::Position::line), reason: error.to_string() }
}

/// Reads a moment in one of the accepted forms; the flag says whether it carried an offset or needs none.
pub fn read_stamp(text: &str) -> Option<(Moment, bool)> {
    if let Some(moment) = Moment::parse_rfc3339(text) {
        return Some((moment, true));
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Some((Moment::from_secs(seconds), true));
    }
    // Civil time has no offset: it is read as UTC, and a plain date as its midnight.
    let civil = Moment::parse_rfc3339(&format!("{text}Z"));
    let moment = civil.or_else(|| Moment::parse_rfc3339(&format!("{text}T00:00:00Z")))?;
    Some((moment, false))
}

fn read_value(text: &str, line: u64) -> Result<Option<f64>, TraceError> {
    if text.is_empty() {
        return Ok(None);
    }
    let value: f64 = text.parse().map_err(|_| TraceError::Value { line, text: text.to_owned() })?;
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
        ];
        for (text, expected) in cases {
            let refused = Trace::parse(text).expect_err(text).to_string();
            assert!(refused.contains(expected), "{refused} lacks {expected}");
        }
    }
}
