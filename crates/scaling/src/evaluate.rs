//! The evaluator: lets a policy live through the scored part of a series and counts what it paid and missed.
//!
//! The protocol: minute grid; first 40 % for warming up, last 60 % scored; peak of the scored part at 0.8 N; a decision at
//! minute t knows demand up to t − age; soft violation `d > rho · c`, hard violation `d > c`; cost is what is billed.
//!
//! **Invariant:** a policy is handed a slice that ends before the present, so that it cannot see the future.

use super::axis::AxisProfile;
use super::fleet::{Fleet, FleetState};
use crate::forecast::bases::DAY;

/// What a policy may look at.
#[derive(Clone, Copy, Debug)]
pub struct PolicyInput<'a> {
    /// Demand in units, minute by minute from the beginning, up to the newest that is known.
    pub known: &'a [f64],
    /// Capacity that served in the last minute of `known`, once the policy is live.
    pub served: Option<f64>,
    /// Capacity ordered in all.
    pub ordered: u32,
    /// Whether an ordered change is not finished.
    pub changing: bool,
    /// Whether something ordered does not exist yet; afterwards it may still be cold.
    pub creating: bool,
}

/// Something that decides on capacity.
pub trait ScalingPolicy {
    /// The capacity that shall be ordered in all, decided at the minute after `view.known`.
    fn target(&mut self, view: &PolicyInput<'_>) -> u32;
    /// Is shown the past before going live, once, and names the capacity with which to begin, if it has an opinion.
    fn begin(&mut self, past: &[f64]) -> Option<u32>;
}

/// A trace made ready: demand in units and where scoring begins.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedTrace {
    /// Name, as in the reports.
    pub name: String,
    /// Demand in units for each minute.
    pub demand: Vec<f64>,
    /// First scored minute.
    pub scored_from: usize,
}

/// The terms on which all policies are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The axis.
    pub axis: AxisProfile,
    /// Largest capacity.
    pub units: u32,
    /// Utilisation above which a minute is missed.
    pub rho: f64,
    /// Share of soft-missed minutes that is granted.
    pub budget: f64,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvaluationResult {
    /// Unit-minutes billed.
    pub cost: f64,
    /// Soft-violating minutes.
    pub soft: u64,
    /// Hard-violating minutes.
    pub hard: u64,
    /// Scored minutes.
    pub minutes: u64,
    /// Demand above capacity, as a share of all demand.
    pub unserved: f64,
    /// Longest run of soft violations, minutes.
    pub longest_run: u64,
    /// 99.9th percentile of demand over capacity.
    pub utilisation_p999: f64,
    /// Element starts per day.
    pub starts_per_day: f64,
    /// Changes of direction per day.
    pub turns_per_day: f64,
    /// Share of the cost that only minimum billing caused; above a fifth the policy is flagged.
    pub idle_share: f64,
    /// The same, day by day: the blocks of the bootstrap.
    pub days: Vec<Day>,
    /// The path over the scored part.
    pub path: Vec<FleetState>,
}

/// One day of an outcome; the last may be shorter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Day {
    /// Minutes of it.
    pub minutes: u32,
    /// Unit-minutes billed.
    pub cost: f64,
    /// Soft-violating minutes.
    pub soft: u32,
    /// Hard-violating minutes.
    pub hard: u32,
}

impl EvaluationResult {
    /// Share of soft-missed minutes.
    pub fn soft_share(&self) -> f64 {
        self.soft as f64 / self.minutes.max(1) as f64
    }

    /// Share of hard-missed minutes.
    pub fn hard_share(&self) -> f64 {
        self.hard as f64 / self.minutes.max(1) as f64
    }

    /// Whether both gates are kept; the hard gate is half the soft budget.
    pub fn keeps(&self, budget: f64) -> bool {
        self.soft_share() <= budget && self.hard_share() <= budget / 2.0
    }
}

/// Lets `policy` live through the minutes `from..until` of a load, having seen those before.
pub fn live(
    policy: &mut dyn ScalingPolicy,
    demand: &[f64],
    from: usize,
    until: usize,
    terms: &Terms,
) -> EvaluationResult {
    live_all(&mut [policy], demand, from, until, terms).pop().unwrap_or_default()
}

/// One policy with its fleet and what happened to it.
struct Life {
    fleet: Fleet,
    path: Vec<FleetState>,
}

/// Lets several policies live through the same minutes, each with a fleet of its own; minute by minute, in order.
pub fn live_all(
    policies: &mut [&mut dyn ScalingPolicy],
    demand: &[f64],
    from: usize,
    until: usize,
    terms: &Terms,
) -> Vec<EvaluationResult> {
    let age = terms.axis.metric_age_minutes as usize;
    let until = until.min(demand.len());
    let seen = (from + 1).saturating_sub(age).min(from);
    let present = demand[..seen].last().copied().unwrap_or(1.0);
    let mut lives: Vec<Life> = policies
        .iter_mut()
        .map(|policy| {
            let first = policy.begin(&demand[..seen]);
            let start =
                first.unwrap_or_else(|| super::optimum::units_needed(present, 0.5)).clamp(1, terms.units);
            Life {
                fleet: Fleet::new(terms.axis, start),
                path: Vec::with_capacity(until.saturating_sub(from)),
            }
        })
        .collect();
    for t in from..until {
        let end = (t + 1).saturating_sub(age);
        for (policy, life) in policies.iter_mut().zip(&mut lives) {
            let Life { fleet, path } = life;
            // The serving capacity of a minute before going live is unknown.
            let served = end.checked_sub(from + 1).and_then(|i| path.get(i)).map(|s| s.serving);
            let view = PolicyInput {
                known: &demand[..end],
                served,
                ordered: fleet.ordered(),
                changing: fleet.changing(),
                creating: fleet.creating(),
            };
            let target = policy.target(&view).clamp(1, terms.units);
            path.push(fleet.minute(target));
        }
    }
    lives.into_iter().map(|l| score(&demand[from..until], l.path, l.fleet.starts(), terms)).collect()
}

/// Counts what a path paid and missed.
fn score(demand: &[f64], path: Vec<FleetState>, starts: u64, terms: &Terms) -> EvaluationResult {
    let mut out = EvaluationResult { minutes: demand.len() as u64, ..EvaluationResult::default() };
    let (mut run, mut lost, mut wanted, mut idle) = (0_u64, 0.0, 0.0, 0.0);
    let mut ratios = Vec::with_capacity(demand.len());
    let (mut direction, mut turns, mut before) = (0_i8, 0_u64, None::<f64>);
    for (minute, (d, s)) in demand.iter().zip(&path).enumerate() {
        let (soft, hard) = (*d > terms.rho * s.serving + 1e-9, *d > s.serving + 1e-9);
        if minute.is_multiple_of(DAY) {
            out.days.push(Day::default());
        }
        if let Some(day) = out.days.last_mut() {
            day.minutes += 1;
            day.cost += s.billed;
            day.soft += u32::from(soft);
            day.hard += u32::from(hard);
        }
        out.cost += s.billed;
        idle += s.billed_idle;
        wanted += d;
        lost += (d - s.serving).max(0.0);
        run = if soft { run + 1 } else { 0 };
        out.longest_run = out.longest_run.max(run);
        out.soft += u64::from(soft);
        out.hard += u64::from(hard);
        ratios.push(d / s.serving.max(1e-9));
        if let Some(b) = before.filter(|b| (b - s.serving).abs() > 1e-9) {
            let now = if s.serving > b { 1 } else { -1 };
            turns += u64::from(direction != 0 && now != direction);
            direction = now;
        }
        before = Some(s.serving);
    }
    if !ratios.is_empty() {
        let place = (ratios.len() * 999 / 1000).min(ratios.len() - 1);
        out.utilisation_p999 = *ratios.select_nth_unstable_by(place, f64::total_cmp).1;
    }
    let days = (demand.len() as f64 / 1440.0).max(1e-9);
    out.unserved = lost / f64::max(wanted, 1e-9);
    out.starts_per_day = starts as f64 / days;
    out.turns_per_day = turns as f64 / days;
    out.idle_share = idle / out.cost.max(1e-9);
    out.path = path;
    out
}
