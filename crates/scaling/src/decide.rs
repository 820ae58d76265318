//! The decision: how much capacity to order now, and why.
//!
//! Goes in: what was learned of the series ([`Memory`], a fold over its past), the moment, what is ordered and in flight,
//! the bounds, the calendar, the health of the metric. Comes out: a [`Decision`] that explains itself.
//!
//! **Invariant:** the same situation gives the same decision; nothing here reads a clock or the future.
//! **Invariant:** with a bad metric, during a planned outage and until its refill nothing is scaled in.
//! **Invariant:** the target lies within the bounds.

use super::axis::ScalingMode;
use super::calendar::{self, CalendarEvent};
use super::memory::{Memory, Raise, Required};
use super::optimise::{self, ChangeCost};
use super::optimum::units_needed;
use super::resize::SizingInput;
use crate::forecast::{Band, Base, DemandShift};
use crate::telemetry::MetricFault;
use crate::telemetry::demand::LATE_MINUTES;
use rgctl_schema::time::{Moment, Span};

/// Hours over which a dear change must pay.
const PLAN_HOURS: usize = 24;

/// What is true at the moment of deciding.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// What was learned of the series.
    pub memory: &'a Memory,
    /// The moment.
    pub now: Moment,
    /// Capacity ordered in all: serving plus in flight.
    pub ordered: u32,
    /// Whether an ordered change is not finished.
    pub changing: bool,
    /// Least and largest capacity.
    pub bounds: (u32, u32),
    /// Known events.
    pub calendar: &'a [CalendarEvent],
    /// What is wrong with the newest reading, if anything.
    pub fault: Option<MetricFault>,
    /// Age of the newest good reading in minutes.
    pub metric_age_minutes: u32,
    /// Price of a unit for an hour, when it is known.
    pub unit_price_per_hour: Option<f64>,
}

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Order more.
    Grow,
    /// Give back.
    Shrink,
    /// Leave it.
    Stay,
}

/// Why capacity is not given back although less would do.
#[derive(Clone, Debug, PartialEq)]
pub enum HoldReason {
    /// The metric cannot be trusted.
    Fault(MetricFault),
    /// The metric is late by this many minutes.
    Late(u32),
    /// A planned outage, with its name.
    Outage(String),
    /// A change is under way on an axis that allows only one.
    Changing,
    /// Giving back would cost more than it saves within a day.
    NotWorthIt,
    /// A change would interrupt service for longer than may still be missed.
    Interruption,
}

/// What to do, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Capacity to be ordered in all.
    pub target: u32,
    /// Which way that is.
    pub direction: Direction,
    /// One sentence for people.
    pub why: String,
    /// From when the decision may be acted on.
    pub firm_after: Moment,
    /// When it is void, because newer samples should have spoken.
    pub expires: Moment,
    /// The highest demand of the next half hour, in quantiles.
    pub band: Band,
    /// What the policy asked for before calendar, bounds and holds.
    pub required: Required,
    /// The rules that were followed, in words.
    pub rules: Vec<String>,
    /// Share of minutes that the followed rules served in the remembered past: the quantile that is covered.
    pub quantile: f64,
    /// Cost per hour against doing nothing, in units and, when a price is known, in money.
    pub cost_per_hour: (f64, Option<f64>),
    /// What would change the decision.
    pub would_change: String,
    /// Why capacity is held.
    pub held: Option<HoldReason>,
    /// Signs that the series changed its nature.
    pub changes: Vec<DemandShift>,
    /// Days until the upper bound is too small at the present growth.
    pub bound_reached_in_days: Option<f64>,
}

/// Decides.
pub fn decide(s: &Situation<'_>) -> Decision {
    let memory = s.memory;
    let rho = memory.constants().rho;
    let required = memory.required();
    let bounds = bounds(s);
    let said = memory.bases().statements();
    let (demand, event, outage) = demanded(s, &required);
    let need = units_needed(demand, rho).clamp(bounds.0, bounds.1);
    let (target, held) = settle(s, need, event.is_some(), bounds, outage);
    let direction = match target.cmp(&s.ordered) {
        std::cmp::Ordering::Greater => Direction::Grow,
        std::cmp::Ordering::Less => Direction::Shrink,
        std::cmp::Ordering::Equal => Direction::Stay,
    };
    let band = memory.band();
    let rules = required.choice.followed.iter().map(|f| memory.library().words(f.rule)).collect::<Vec<_>>();
    let missed = required.choice.followed.iter().map(|f| f.soft).fold(0.0, f64::max);
    let more = f64::from(target) - f64::from(s.ordered);
    let patience = Span::from_mins(u64::from(LATE_MINUTES));
    let mut decision = Decision {
        target,
        direction,
        why: String::new(),
        firm_after: s.now,
        expires: s.now + patience,
        band,
        rules,
        quantile: 1.0 - missed,
        cost_per_hour: (more, s.unit_price_per_hour.map(|p| p * more)),
        would_change: would_change(target, bounds, rho, demand),
        held,
        changes: memory.watch().changes(said),
        bound_reached_in_days: memory.watch().days_until(rho * f64::from(bounds.1), said),
        required,
    };
    decision.why = sentence(s, &decision, demand, event);
    decision
}

/// The target of [`decide`] alone, without the words: what a backtest of a million minutes needs.
pub fn target(s: &Situation<'_>) -> u32 {
    let bounds = bounds(s);
    let (demand, event, outage) = demanded(s, &s.memory.required());
    let need = units_needed(demand, s.memory.constants().rho).clamp(bounds.0, bounds.1);
    settle(s, need, event.is_some(), bounds, outage).0
}

/// The capacity with which to go live, where the axis has an opinion: one that cannot be corrected without an interruption.
pub fn first(s: &Situation<'_>) -> Option<u32> {
    resize(s, bounds(s)).map(|known| known.first())
}

/// What the size rests on where a change interrupts service.
fn resize(s: &Situation<'_>, bounds: (u32, u32)) -> Option<SizingInput> {
    let ScalingMode::Resize { outage_minutes } = s.memory.axis().motion else { return None };
    let controller = s.memory.controller();
    Some(SizingInput {
        highest: controller.highest(),
        newest: f64::from(s.memory.bases().statements().newest),
        young: controller.young(),
        bank: controller.hard_bank(),
        outage: f64::from(outage_minutes),
        rho: s.memory.constants().rho,
        bounds,
    })
}

fn bounds(s: &Situation<'_>) -> (u32, u32) {
    (s.bounds.0.max(1), s.bounds.1.max(s.bounds.0).max(1))
}

/// The demand to be covered with the calendar, the event that raised it, and the outage that holds.
fn demanded(s: &Situation<'_>, required: &Required) -> (f64, Option<String>, Option<String>) {
    let asked = calendar::asked(s.calendar, s.now, s.memory.axis());
    if let Some((times, name)) = asked.times {
        let said = s.memory.bases().statements();
        // The usual peak of this time; the day's own highest bounds it, since a week may hold an earlier event.
        let usual = f64::from(said.of(Base::SevenDays)).min(f64::from(said.of(Base::Last1d)));
        if times * usual > required.demand {
            return (times * usual, Some(name), asked.hold);
        }
    }
    (required.demand, None, asked.hold)
}

/// The target between the need and what may be done about it.
fn settle(
    s: &Situation<'_>,
    need: u32,
    event: bool,
    bounds: (u32, u32),
    outage: Option<String>,
) -> (u32, Option<HoldReason>) {
    let ordered = s.ordered.clamp(bounds.0, bounds.1);
    let axis = s.memory.axis();
    if s.changing && axis.one_at_a_time() {
        return (s.ordered, (need != s.ordered).then_some(HoldReason::Changing));
    }
    let interrupts = matches!(axis.motion, ScalingMode::Resize { .. });
    let planned = plan(s, need, event, ordered, bounds);
    if interrupts && planned == ordered {
        return (planned, (planned != need).then_some(HoldReason::Interruption));
    }
    if planned >= ordered {
        let held = (planned > need).then_some(HoldReason::NotWorthIt);
        return (planned, held);
    }
    if let Some(fault) = s.fault {
        return (ordered, Some(HoldReason::Fault(fault)));
    }
    if s.metric_age_minutes > LATE_MINUTES {
        return (ordered, Some(HoldReason::Late(s.metric_age_minutes)));
    }
    if let Some(name) = outage {
        return (ordered, Some(HoldReason::Outage(name)));
    }
    (planned, None)
}

/// Where changes are dear, the first move of the cheapest plan for a day; elsewhere the need itself.
fn plan(s: &Situation<'_>, need: u32, event: bool, ordered: u32, bounds: (u32, u32)) -> u32 {
    let memory = s.memory;
    let axis = memory.axis();
    if matches!(axis.motion, ScalingMode::Elements | ScalingMode::Continuous { .. }) {
        return need;
    }
    if let Some(known) = resize(s, bounds) {
        // An event is known beforehand: its interruption falls before it, and waiting for it would cost more.
        return if event { known.size(ordered).max(need) } else { known.size(ordered) };
    }
    let rho = memory.constants().rho;
    let margin =
        memory.required().demand / f64::from(memory.bases().statements().of(Base::SevenDays)).max(1e-9);
    let mut needs = vec![need];
    for hour in 1..PLAN_HOURS {
        let usual = memory.bases().usual_highest(hour);
        // An hour of which nothing is known is taken for one like the present.
        let demand = usual.map_or(f64::from(need) * rho, |u| u * margin.clamp(1.0, 3.0));
        needs.push(units_needed(demand, rho).clamp(bounds.0, bounds.1));
    }
    // A missed minute is worth what the budget says: one unit for 1/budget minutes.
    let cost = ChangeCost::of(axis, 1.0 / memory.budget().max(1e-6));
    optimise::first_move(&needs, ordered, bounds.1, 60.0, &cost).max(bounds.0)
}

fn would_change(target: u32, bounds: (u32, u32), rho: f64, demand: f64) -> String {
    let served = f64::from(target) * rho;
    if target >= bounds.1 && demand > served {
        return format!("a higher upper bound: {demand:.1} units of demand need more than {target}");
    }
    let less = f64::from(target.saturating_sub(1)) * rho;
    if target <= bounds.0 {
        format!("demand to be covered above {served:.1} units would add one")
    } else {
        format!(
            "demand to be covered above {served:.1} units would add one, below {less:.1} would give one back"
        )
    }
}

fn sentence(s: &Situation<'_>, d: &Decision, demand: f64, event: Option<String>) -> String {
    let what = match d.direction {
        Direction::Grow => format!("grow from {} to {}", s.ordered, d.target),
        Direction::Shrink => format!("shrink from {} to {}", s.ordered, d.target),
        Direction::Stay => format!("stay at {}", d.target),
    };
    let because = if let Some(name) = event {
        format!("the event `{name}` asks for {demand:.1} units of demand to be covered")
    } else {
        match (d.required.raised_by, d.rules.first()) {
            (Some(Raise::Young), _) => {
                format!("the series is young and {demand:.1} units leave room for its first jump")
            }
            (Some(Raise::Record), _) => {
                format!("demand broke its record and {demand:.1} units hold that peak for a day")
            }
            (Some(Raise::Rising), _) => {
                format!("demand breaks its record and, rising on, reaches {demand:.1} units")
            }
            (None, Some(rule)) => {
                let share = 100.0 * d.quantile;
                format!(
                    "{demand:.1} units are to be covered ({rule}, which served {share:.2} % of the minutes)"
                )
            }
            (None, None) => {
                format!("too little is known and {demand:.1} units are the highest of the last day")
            }
        }
    };
    let held = match &d.held {
        None => String::new(),
        Some(HoldReason::Fault(fault)) => format!("; nothing is given back while {}", fault.words()),
        Some(HoldReason::Late(age)) => format!("; nothing is given back on a metric {age} minutes old"),
        Some(HoldReason::Outage(name)) => format!("; nothing is given back before the refill after `{name}`"),
        Some(HoldReason::Changing) => "; one change is under way and a second must wait".to_owned(),
        Some(HoldReason::Interruption) => {
            "; a resize would interrupt service for longer than may still be missed".to_owned()
        }
        Some(HoldReason::NotWorthIt) => "; giving back would cost more than it saves within a day".to_owned(),
    };
    format!("{what}: {because}{held}")
}
