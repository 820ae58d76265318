//! Times of the blueprint as the services understand them.
//!
//! Goes in: windows in named zones, the present moment. Comes out: UTC texts, and whether a window holds now.

use jiff::Timestamp;
use jiff::civil::Weekday as Day;

use crate::families::Pause;
use rgctl_schema::calendar::{Weekday, Window};
use rgctl_schema::time::Moment;

/// Minutes of a week.
const WEEK: i64 = 7 * 24 * 60;
/// The days as the services write them.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The services allow windows of half an hour to a day.
const LASTS: std::ops::RangeInclusive<i64> = 30..=24 * 60;

/// The weekly window in UTC, `ddd:hh:mm-ddd:hh:mm`, with the zone's standard offset: with the one of daylight saving
/// time the window would be a difference to correct twice a year. The services allow one window a week: it is the one of
/// the first day.
pub(super) fn weekly_utc(window: &Window, now: Moment) -> Option<String> {
    let stamp = Timestamp::from_millisecond(now.as_millis()).ok()?;
    let rules = window.zone.rules();
    let year = stamp.to_zoned(rules.clone()).year();
    let offset = |month| {
        let noon = jiff::civil::date(year, month, 1).at(12, 0, 0, 0).to_zoned(rules.clone()).ok()?;
        Some(i64::from(noon.offset().seconds()) / 60)
    };
    // Where clocks change, standard time is the smaller offset.
    let offset = offset(1)?.min(offset(7)?);
    let day = i64::from(window.days.first().copied().unwrap_or(Weekday::Mon).index());
    let starts = day * 24 * 60 + i64::from(window.starts.minutes()) - offset;
    let lasts = i64::try_from(window.lasts.as_mins()).ok()?.clamp(*LASTS.start(), *LASTS.end());
    let text = |minute: i64| {
        let minute = minute.rem_euclid(WEEK);
        let day = usize::try_from(minute / (24 * 60)).ok().and_then(|day| DAYS.get(day))?;
        Some(format!("{day}:{:02}:{:02}", minute / 60 % 24, minute % 60))
    };
    Some(format!("{}-{}", text(starts)?, text(starts + lasts)?))
}

/// Whether a pause holds now; nothing when there is none, so that a store paused by hand stays so.
pub(super) fn paused(pauses: &[Pause], now: Moment) -> Option<bool> {
    if pauses.is_empty() {
        return None;
    }
    Some(pauses.iter().any(|pause| holds(pause, now)))
}

fn holds(pause: &Pause, now: Moment) -> bool {
    let Ok(stamp) = Timestamp::from_millisecond(now.as_millis()) else { return false };
    let local = stamp.to_zoned(pause.zone.rules());
    let minute = days_since_monday(local.weekday()) * 24 * 60
        + i64::from(local.hour()) * 60
        + i64::from(local.minute());
    let lasts = i64::try_from(pause.lasts.as_mins()).unwrap_or(WEEK);
    let every =
        [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    let days = if pause.days.is_empty() { &every[..] } else { &pause.days };
    days.iter().any(|day| {
        let starts = i64::from(day.index()) * 24 * 60 + i64::from(pause.from.minutes());
        (minute - starts).rem_euclid(WEEK) < lasts
    })
}

fn days_since_monday(day: Day) -> i64 {
    i64::from(day.to_monday_zero_offset())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_schema::calendar::Zone;
    use rgctl_schema::quantity::TimeOfDay;
    use rgctl_schema::time::Span;

    #[test]
    fn a_window_after_midnight_in_china_is_the_evening_before_in_utc() {
        let window = Window {
            days: vec![Weekday::Tue, Weekday::Wed],
            starts: TimeOfDay::parse("04:00").unwrap(),
            lasts: Span::from_hours(3),
            zone: Zone::new("Asia/Shanghai").unwrap(),
        };
        let now = Moment::parse_rfc3339("2026-07-01T00:00:00Z").unwrap();
        assert_eq!(weekly_utc(&window, now).as_deref(), Some("mon:20:00-mon:23:00"));
        let window = Window { zone: Zone::new("Europe/Berlin").unwrap(), ..window };
        assert_eq!(
            weekly_utc(&window, now).as_deref(),
            Some("tue:03:00-tue:06:00"),
            "standard time all year"
        );
    }

    #[test]
    fn a_pause_lasts_over_midnight_and_over_the_end_of_the_week() {
        let pause = Pause {
            days: vec![Weekday::Sun],
            from: TimeOfDay::parse("22:00").unwrap(),
            lasts: Span::from_hours(9),
            zone: Zone::new("Asia/Shanghai").unwrap(),
        };
        let at = |text| paused(std::slice::from_ref(&pause), Moment::parse_rfc3339(text).unwrap());
        assert_eq!(at("2026-11-23T06:59:00+08:00"), Some(true), "Monday before seven");
        assert_eq!(at("2026-11-23T07:00:00+08:00"), Some(false));
        assert_eq!(at("2026-11-22T21:59:00+08:00"), Some(false));
        assert_eq!(paused(&[], Moment::EPOCH), None);
    }
}
