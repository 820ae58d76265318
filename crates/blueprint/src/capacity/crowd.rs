//! Known crowds of the calendar: when the next one begins, and what it asks for.
//!
//! Goes in: a calendar, the present moment. Comes out: the crowds ahead, nearest first.

use crate::spec::{Blueprint, CalendarEntry, Cell, Repeats};
use rgctl_schema::quantity::Factor;
use rgctl_schema::time::{Moment, Span};

/// Crowds that are followed; a calendar may have hundreds, and the far ones are guesses.
const FOLLOWED_MAX: usize = 12;
/// Seconds of an average month.
const MONTH_SECONDS: f64 = 730.5 * 3_600.0;

/// A crowd that is there or will come.
#[derive(Clone, Debug, PartialEq)]
pub struct Crowd {
    /// Name of its entry.
    pub name: String,
    /// When it begins; in the past when it is there.
    pub starts: Moment,
    /// Demand as a multiple of the usual peak of that day.
    pub times: Factor,
    /// Months from now until it begins.
    pub months: f64,
}

/// The crowds of a cell that are not over.
pub(super) fn ahead(blueprint: &Blueprint, cell: &Cell, now: Moment) -> Vec<Crowd> {
    let entries = blueprint.spec.calendar.iter();
    let concerns = |entry: &&CalendarEntry| entry.cells.is_empty() || entry.cells.contains(&cell.name);
    let raises = |entry: &&CalendarEntry| entry.demand > Factor::ONE;
    let crowd = |entry: &CalendarEntry| {
        let starts = next(entry, now)?;
        let months = starts.since(now).as_secs_f64() / MONTH_SECONDS;
        Some(Crowd { name: entry.name.clone(), starts, times: entry.demand, months })
    };
    let mut crowds: Vec<Crowd> = entries.filter(concerns).filter(raises).filter_map(crowd).collect();
    crowds.sort_by_key(|crowd| crowd.starts);
    crowds.truncate(FOLLOWED_MAX);
    crowds
}

/// When an entry begins that is not over: the present occurrence, or the next one. It repeats at the same time of day of
/// its own zone, whatever its clocks do.
fn next(entry: &CalendarEntry, now: Moment) -> Option<Moment> {
    let is_over = |starts: Moment| starts + entry.lasts <= now;
    let Some(repeats) = entry.repeats else {
        return (!is_over(entry.starts)).then_some(entry.starts);
    };
    let first = jiff::Timestamp::from_millisecond(entry.starts.as_millis()).ok()?;
    let first = first.to_zoned(entry.zone.rules());
    let (days, period): (u64, fn(i64) -> jiff::Span) = match repeats {
        Repeats::Daily => (1, |number| jiff::Span::new().days(number)),
        Repeats::Weekly => (7, |number| jiff::Span::new().weeks(number)),
        Repeats::Yearly => (366, |number| jiff::Span::new().years(number)),
    };
    // The number of an occurrence that is over, or of the first; from there it is a few steps.
    let passed = now.since(entry.starts + entry.lasts).as_millis() / Span::from_days(days).as_millis();
    let from = i64::try_from(passed).ok()?.saturating_sub(1).max(0);
    (from..from.saturating_add(STEPS_MAX)).find_map(|number| {
        let at = first.checked_add(period(number)).ok()?;
        let starts = Moment::from_millis(at.timestamp().as_millisecond());
        (!is_over(starts)).then_some(starts)
    })
}

/// Occurrences that are gone through from the guess on: leap days make years of repetitions longer than guessed.
const STEPS_MAX: i64 = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_schema::calendar::Zone;

    fn entry(starts: &str, repeats: Option<Repeats>) -> CalendarEntry {
        let text = serde_json::json!({ "name": "season", "starts": starts, "lasts": "6h", "demand": "3x" });
        let read: CalendarEntry = serde_json::from_value(text).unwrap();
        CalendarEntry { repeats, zone: Zone::new("America/New_York").unwrap(), ..read }
    }

    #[test]
    fn an_entry_counts_until_it_is_over_and_comes_again_at_its_own_time_of_day() {
        let at = |text: &str| Moment::parse_rfc3339(text).unwrap();
        let now = at("2027-07-01T12:00:00Z");
        let once = |starts| next(&entry(starts, None), now);
        assert_eq!(once("2027-07-01T06:00:00Z"), None, "it has just ended");
        assert_eq!(once("2027-07-01T07:00:00Z"), Some(at("2027-07-01T07:00:00Z")), "it is there");
        let again = |repeats| next(&entry("2026-01-03T10:00:00-05:00", Some(repeats)), now).unwrap();
        // Noon in summer is ten o'clock of a New York whose clocks were put forward.
        assert_eq!(again(Repeats::Daily), at("2027-07-01T10:00:00-04:00"));
        assert_eq!(again(Repeats::Weekly), at("2027-07-03T10:00:00-04:00"));
        assert_eq!(again(Repeats::Yearly), at("2028-01-03T10:00:00-05:00"));
    }

    #[test]
    fn an_entry_of_long_ago_is_found_in_a_few_steps() {
        let now = Moment::parse_rfc3339("2400-01-01T00:00:00Z").unwrap();
        for repeats in [Repeats::Daily, Repeats::Weekly, Repeats::Yearly] {
            let starts = next(&entry("1980-02-29T10:00:00Z", Some(repeats)), now).unwrap();
            assert!(starts + Span::from_hours(6) > now && starts < now + Span::from_days(367), "{starts}");
        }
    }
}
