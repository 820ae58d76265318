//! Freezes and maintenance windows: the first moment at which a step may begin.

use jiff::civil::Weekday as Day;
use jiff::{Timestamp, ToSpan, Zoned};

use rgctl_model::plan::Disturbance;
use rgctl_model::rules::{CalendarEntry, Freeze, Repeats, Rules};
use rgctl_schema::calendar::{Weekday, Window};
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::time::{Moment, Span};

/// How long after its start a window counts as just begun: work that fits no window begins then. A run that was woken by
/// the clock has to look and to plan before it begins anything.
const JUST_BEGUN: Span = Span::from_mins(15);
/// Freezes and windows that are gone through to find a moment. A calendar that leaves none in so many steps leaves none.
const STEPS_MAX: usize = 200;

/// Times between freezes that are looked at for one that is long enough: a week of daily freezes, and some more.
const GAPS_MAX: usize = 16;

/// What a step is bound by.
#[derive(Clone, Copy)]
pub struct TimeBounds<'a> {
    /// What the blueprint says; each of them holds.
    pub rules: &'a [Rules],
    /// Its store; of one that nobody knows every freeze of its region counts.
    pub store: Option<&'a StoreName>,
    /// Its region.
    pub region: &'a RegionId,
    /// What it does to those who use the store.
    pub disturbs: Disturbance,
    /// How long it takes, all but one time in twenty.
    pub lasts: Span,
    /// Whether it was allowed to leave its window.
    pub ignores_window: bool,
}

/// The first moment from `now` on at which it may begin, and what it waits for first; nothing when that is now. The error
/// says why there is none.
pub fn first(bounds: &TimeBounds<'_>, now: Moment) -> Result<Option<(Moment, String)>, String> {
    let mut at = now;
    let mut first_reason = None;
    for _ in 0..STEPS_MAX {
        let Some((until, why)) = bounds.holds(at) else {
            return Ok(first_reason.map(|why| (at, why)));
        };
        first_reason.get_or_insert(why);
        if until <= at {
            break;
        }
        at = until;
    }
    Err(format!("freezes and windows leave no time for it: {}", first_reason.unwrap_or_default()))
}

/// The freezes that are in force, for the notes of a plan.
pub fn in_force(rules: &[Rules], now: Moment) -> Vec<String> {
    let entries = rules.iter().flat_map(|rules| &rules.calendar);
    let frozen = entries.filter_map(|entry| {
        let what = match entry.freeze {
            Freeze::Off => return None,
            Freeze::On => "what disturbs or takes away waits",
            Freeze::Hard => "everything waits",
        };
        let (_, ends) = occurrence(entry, now, now)?;
        Some(format!("the freeze `{}` lasts to {ends}: {what}", entry.name))
    });
    frozen.collect()
}

/// Whether there is a freeze, at whatever time, that stops also what only adds. No window does.
pub fn may_stop_growth(rules: &[Rules]) -> bool {
    rules.iter().flat_map(|rules| &rules.calendar).any(|entry| entry.freeze == Freeze::Hard)
}

impl TimeBounds<'_> {
    /// Until when it is held at a moment, and by what.
    fn holds(&self, at: Moment) -> Option<(Moment, String)> {
        self.rules.iter().find_map(|rules| self.frozen(rules, at).or_else(|| self.outside(rules, at)))
    }

    fn frozen(&self, rules: &Rules, at: Moment) -> Option<(Moment, String)> {
        let frozen = |entry: &&CalendarEntry| match entry.freeze {
            Freeze::Off => false,
            Freeze::On => self.disturbs.disturbs_or_reduces(),
            Freeze::Hard => true,
        };
        let entries = || rules.calendar.iter().filter(frozen).filter(|entry| self.concerns(rules, entry));
        let covering = entries().filter_map(|entry| Some((entry, occurrence(entry, at, at)?)));
        let longest = covering.max_by_key(|(_, (_, ends))| *ends);
        if let Some((entry, (_, ends))) = longest {
            return Some((ends, format!("it is within the freeze `{}`", entry.name)));
        }
        // Work that would run into a freeze waits until it is over; what fits between no two begins after one.
        if !self.disturbs.disturbs_or_reduces() {
            return None;
        }
        let ends = at + self.lasts;
        let (entry, (starts, until)) = entries()
            .filter_map(|entry| Some((entry, occurrence(entry, at, ends)?)))
            .min_by_key(|(_, (starts, _))| *starts)?;
        let is_after_one = entries().any(|entry| occurrence(entry, at - JUST_BEGUN, at).is_some());
        (!is_after_one || self.fits_later(entries, until)).then(|| {
            let text = format!(
                "it may take {}, and the freeze `{}` lasts from {starts} to {until}",
                self.lasts, entry.name
            );
            (until, text)
        })
    }

    /// Whether, from the end of a freeze on, there is a time between two that is long enough.
    fn fits_later<'b, I: Iterator<Item = &'b CalendarEntry>>(
        &self,
        entries: impl Fn() -> I,
        from: Moment,
    ) -> bool {
        let mut at = from;
        for _ in 0..GAPS_MAX {
            let covering = entries().filter_map(|entry| occurrence(entry, at, at));
            let met = covering.map(|(_, ends)| ends).max().or_else(|| {
                let ahead = entries().filter_map(|entry| occurrence(entry, at, at + self.lasts));
                ahead.min_by_key(|(starts, _)| *starts).map(|(_, ends)| ends)
            });
            match met {
                None => return true,
                Some(ends) if ends <= at => return false,
                Some(ends) => at = ends,
            }
        }
        false
    }

    /// Whether an entry concerns the step: its own cell, or all of them.
    fn concerns(&self, rules: &Rules, entry: &CalendarEntry) -> bool {
        let mut own = rules.cells.iter().filter(|cell| cell.may_have(self.store, self.region)).peekable();
        // What is of no cell that is known, may be of any.
        entry.cells.is_empty() || own.peek().is_none() || own.any(|cell| entry.cells.contains(&cell.name))
    }

    fn outside(&self, rules: &Rules, at: Moment) -> Option<(Moment, String)> {
        let window = rules.policies.maintenance.as_ref()?;
        if self.ignores_window || !self.disturbs.waits_for_window() {
            return None;
        }
        let (starts, ends) = open_at(window, at).unwrap_or((at, at));
        let fits = at + self.lasts <= ends;
        let fits_none = self.lasts > window.lasts;
        if starts < ends && (fits || (fits_none && at < starts + JUST_BEGUN)) {
            return None;
        }
        let next = next_opening(window, at);
        let why = match (starts < ends, next) {
            (_, None) => "the maintenance window never opens".to_owned(),
            (true, Some(_)) => {
                format!("it may take {}, which no longer fits the maintenance window", self.lasts)
            }
            (false, Some(_)) => "it is outside of the maintenance window".to_owned(),
        };
        Some((next.unwrap_or(at), why))
    }
}

fn zoned(at: Moment, rules: &jiff::tz::TimeZone) -> Option<Zoned> {
    Some(Timestamp::from_millisecond(at.as_millis()).ok()?.to_zoned(rules.clone()))
}

fn moment(at: &Zoned) -> Moment {
    Moment::from_millis(at.timestamp().as_millisecond())
}

/// The occurrence of an entry that has begun by `to` and is not over at `from`: the last one to begin, if several.
fn occurrence(entry: &CalendarEntry, from: Moment, to: Moment) -> Option<(Moment, Moment)> {
    let meets = |starts: Moment| {
        let ends = starts + entry.lasts;
        (starts <= to && from < ends).then_some((starts, ends))
    };
    let Some(repeats) = entry.repeats else { return meets(entry.starts) };
    let first = zoned(entry.starts, &entry.zone.rules())?;
    let (period, days): (fn(i64) -> jiff::Span, u64) = match repeats {
        Repeats::Daily => (|number| number.days(), 1),
        Repeats::Weekly => (|number| number.weeks(), 7),
        Repeats::Yearly => (|number| number.years(), 365),
    };
    // In its own zone, where days are of 23 to 25 hours, an occurrence is at most some days from where it is guessed.
    let guess = to.since(entry.starts).as_millis() / Span::from_days(days).as_millis();
    let guess = i64::try_from(guess).ok()?;
    let numbers = (guess.saturating_sub(2)..=guess.saturating_add(2)).rev().filter(|number| *number >= 0);
    numbers
        .filter_map(|number| Some(moment(&first.checked_add(period(number.min(10_000_000))).ok()?)))
        .find_map(meets)
}

/// Start and end of the window that is open at a moment.
fn open_at(window: &Window, at: Moment) -> Option<(Moment, Moment)> {
    openings(window, at, -2..=1).filter(|(starts, ends)| *starts <= at && at < *ends).last()
}

/// When the window opens next, after a moment.
fn next_opening(window: &Window, at: Moment) -> Option<Moment> {
    openings(window, at, -1..=9).map(|(starts, _)| starts).find(|starts| *starts > at)
}

/// The windows that begin on days around a moment, in order.
fn openings(
    window: &Window,
    at: Moment,
    days: std::ops::RangeInclusive<i64>,
) -> impl Iterator<Item = (Moment, Moment)> {
    let rules = window.zone.rules();
    let today = zoned(at, &rules).map(|now| now.date());
    let opens = move |day: i64| {
        let date = today?.checked_add(day.days()).ok()?;
        if !window.days.is_empty() && !window.days.iter().any(|one| is_day(*one, date.weekday())) {
            return None;
        }
        let minutes = i64::from(window.starts.minutes());
        let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
        let starts = moment(&date.at(hour, minute, 0, 0).to_zoned(rules.clone()).ok()?);
        Some((starts, starts + window.lasts))
    };
    days.filter_map(opens)
}

fn is_day(day: Weekday, of: Day) -> bool {
    i8::try_from(day.index()).is_ok_and(|index| index == of.to_monday_zero_offset())
}
