//! Known events: what statistics learn late, a person knows beforehand.

use super::axis::AxisProfile;
use rgctl_schema::time::{Moment, Span};

/// Extra time before an event, so that one failed creation can be repeated.
const EARLY_MINUTES: u64 = 10;
/// How long capacity is held after a planned outage: players return within the hour.
const REFILL_MINUTES: u64 = 60;

/// What an event does to demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventEffect {
    /// Demand is this many times the usual one (season start, patch day, tournament).
    Times(f64),
    /// Nothing is served; afterwards everybody returns at once (maintenance).
    Outage,
}

/// An entry of the calendar.
#[derive(Clone, Debug, PartialEq)]
pub struct CalendarEvent {
    /// Its name, for the explanation.
    pub name: String,
    /// When it begins.
    pub starts: Moment,
    /// How long it lasts.
    pub lasts: Span,
    /// What it does.
    pub effect: EventEffect,
}

/// What the calendar asks for at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CalendarDemand {
    /// Multiple of the usual demand to be covered, with the event that asks for it.
    pub times: Option<(f64, String)>,
    /// The outage before whose refill nothing is scaled in.
    pub hold: Option<String>,
}

/// What the events ask for at `now`, on an axis with its lag.
pub fn asked(events: &[CalendarEvent], now: Moment, axis: &AxisProfile) -> CalendarDemand {
    let lead = Span::from_mins(u64::from(axis.lag_minutes()) + EARLY_MINUTES);
    let mut asked = CalendarDemand::default();
    for event in events {
        let ends = event.starts + event.lasts;
        match event.effect {
            EventEffect::Times(times) if times.is_finite() && now + lead >= event.starts && now < ends => {
                let most = asked.times.take().filter(|(most, _)| *most >= times);
                asked.times = most.or_else(|| Some((times, event.name.clone())));
            }
            EventEffect::Outage if now >= event.starts && now < ends + Span::from_mins(REFILL_MINUTES) => {
                asked.hold = Some(event.name.clone());
            }
            _ => {}
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_prepared_one_lag_ahead_and_held_to_its_end() {
        let starts = Moment::from_secs(100_000 * 60);
        let season =
            |effect| [CalendarEvent { name: "season".into(), starts, lasts: Span::from_hours(6), effect }];
        let at = |minutes: u64, back: bool| {
            if back { starts - Span::from_mins(minutes) } else { starts + Span::from_mins(minutes) }
        };
        let axis = AxisProfile::READER;
        let grow = season(EventEffect::Times(3.0));
        assert_eq!(asked(&grow, at(30, true), &axis).times, None);
        assert!(asked(&grow, at(18, true), &axis).times.is_some());
        assert!(asked(&grow, at(359, false), &axis).times.is_some());
        assert_eq!(asked(&grow, at(361, false), &axis).times, None);
        let outage = season(EventEffect::Outage);
        assert_eq!(asked(&outage, at(1, true), &axis).hold, None);
        assert!(asked(&outage, at(6 * 60 + 59, false), &axis).hold.is_some());
    }
}
