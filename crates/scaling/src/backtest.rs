//! A whole backtest of one load: the optimum, `rgctl` itself and the baselines, on the same terms.

use std::sync::Arc;

use super::baselines::BaselineFamily;
use super::constants::Constants;
use super::evaluate::{EvaluationResult, PreparedTrace, ScalingPolicy, Terms, live, live_all};
use super::optimum::{OptimumRules, optimum};
use super::policy::ShadowPolicy;
use super::rules::Library;
use crate::forecast::Band;

/// The name of the policy of this product.
pub const OWN: &str = "rgctl";

/// How a knob was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KnobOrigin {
    /// There is none.
    None,
    /// It was named.
    Given,
    /// The cheapest on the scored part that keeps the budget: hindsight.
    Hindsight,
    /// The cheapest on the past that keeps the budget there, frozen before scoring.
    Past,
}

impl KnobOrigin {
    /// The word of the reports.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Given => "given",
            Self::Hindsight => "hindsight",
            Self::Past => "past",
        }
    }
}

/// A policy as asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestedPolicy {
    /// Its name.
    pub name: String,
    /// Its knob, when one was named.
    pub knob: Option<f64>,
}

/// What one policy did on one load.
#[derive(Clone, Debug)]
pub struct BacktestRow {
    /// The policy.
    pub policy: String,
    /// How its knob was found.
    pub knob: KnobOrigin,
    /// The knob.
    pub value: Option<f64>,
    /// What it paid and missed.
    pub outcome: EvaluationResult,
    /// The forecast band of each minute, of the own policy only and when asked for.
    pub bands: Vec<Band>,
}

/// The cheapest paths of a clairvoyant, in unit-minutes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optima {
    /// May change each minute.
    pub free: f64,
    /// May change each quarter of an hour.
    pub quarter: f64,
    /// May change each hour.
    pub hour: f64,
    /// Soft-violating minutes of the first.
    pub violations: u64,
    /// The static peak, hindsight: what a missed trace counts as.
    pub fixed: f64,
}

/// The optima of the scored part of a load.
pub fn optima(load: &PreparedTrace, terms: &Terms) -> Optima {
    let scored = &load.demand[load.scored_from..];
    // A budget is a share of minutes; a started minute is not granted.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let allowed = (terms.budget * scored.len() as f64 + 1e-9).floor() as u64;
    let of = |block_minutes| {
        let rules = OptimumRules { units: terms.units, warm_minutes: terms.axis.warm_minutes, block_minutes };
        optimum(scored, terms.rho, allowed, rules)
    };
    let peak = scored.iter().copied().fold(0.0, f64::max);
    let fixed =
        f64::from(super::optimum::units_needed(peak, terms.rho).min(terms.units)) * scored.len() as f64;
    let free = of(1);
    Optima { free: free.cost, quarter: of(15).cost, hour: of(60).cost, violations: free.violations, fixed }
}

/// Runs a policy on the scored part; without a knob it is run in both modes. An unknown name gives no row.
pub fn run(
    asked: &RequestedPolicy,
    load: &PreparedTrace,
    terms: &Terms,
    library: &Arc<Library>,
    bands: bool,
) -> Vec<BacktestRow> {
    let end = load.demand.len();
    if asked.name == OWN {
        let mut policy = ShadowPolicy::new(terms, Arc::clone(library), Constants::FROZEN);
        if bands {
            policy = policy.keeping_bands();
        }
        let outcome = live(&mut policy, &load.demand, load.scored_from, end, terms);
        let bands = policy.bands().to_vec();
        return vec![BacktestRow {
            policy: asked.name.clone(),
            knob: KnobOrigin::None,
            value: None,
            outcome,
            bands,
        }];
    }
    let Some(family) = BaselineFamily::named(&asked.name, terms) else {
        return Vec::new();
    };
    let row = |knob, (value, outcome): (f64, EvaluationResult)| BacktestRow {
        policy: asked.name.clone(),
        knob,
        value: Some(value),
        outcome,
        bands: Vec::new(),
    };
    if let Some(value) = asked.knob {
        let lived = live_family(&family, &[value], load, load.scored_from, end, terms);
        return lived.into_iter().map(|found| row(KnobOrigin::Given, found)).collect();
    }
    if asked.name == "static-peak" {
        // It knows the scored peak: hindsight, whatever its knob.
        let lived = live_family(&family, &[1.0], load, load.scored_from, end, terms);
        return lived.into_iter().map(|found| row(KnobOrigin::Hindsight, found)).collect();
    }
    // On the past the same division holds: a first part to warm up, the rest to judge.
    let past = live_family(&family, family.knobs, load, load.scored_from * 2 / 5, load.scored_from, terms);
    let chosen = cheapest_kept(&past, terms.budget);
    drop(past);
    let scored = live_family(&family, family.knobs, load, load.scored_from, end, terms);
    let best = cheapest_kept(&scored, terms.budget);
    let mut rows = Vec::new();
    for (knob, place) in [(KnobOrigin::Hindsight, best), (KnobOrigin::Past, chosen)] {
        rows.extend(place.and_then(|i| scored.get(i)).map(|found| row(knob, found.clone())));
    }
    rows
}

/// All settings of a family side by side.
fn live_family(
    family: &BaselineFamily,
    knobs: &[f64],
    load: &PreparedTrace,
    from: usize,
    until: usize,
    terms: &Terms,
) -> Vec<(f64, EvaluationResult)> {
    let peak = load.demand[from..until].iter().copied().fold(0.0, f64::max);
    let mut members: Vec<Box<dyn ScalingPolicy>> = knobs.iter().map(|k| family.member(*k, peak)).collect();
    let mut policies: Vec<&mut dyn ScalingPolicy> =
        members.iter_mut().map(|m| m.as_mut() as &mut dyn ScalingPolicy).collect();
    knobs.iter().copied().zip(live_all(&mut policies, &load.demand, from, until, terms)).collect()
}

/// Of the settings that keep the soft budget the cheapest; if none does, the one that misses least.
fn cheapest_kept(lived: &[(f64, EvaluationResult)], budget: f64) -> Option<usize> {
    let order = |a: &EvaluationResult, b: &EvaluationResult| {
        let missed = |o: &EvaluationResult| o.soft_share() > budget;
        let by_cost = a.cost.total_cmp(&b.cost);
        missed(a).cmp(&missed(b)).then(if missed(a) { a.soft.cmp(&b.soft).then(by_cost) } else { by_cost })
    };
    (0..lived.len()).min_by(|a, b| order(&lived[*a].1, &lived[*b].1))
}

/// The figure of merit over loads: the geometric mean of cost over the optimum, where a load that misses a gate counts as
/// the static peak.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FigureOfMerit {
    /// Loads.
    pub loads: usize,
    /// Loads on which both gates are kept.
    pub kept: usize,
    /// Loads on which the soft budget is kept.
    pub soft_kept: usize,
    /// Geometric mean with misses counted as the static peak.
    pub judged: f64,
    /// Geometric mean of cost alone.
    pub raw: f64,
    /// Largest soft share.
    pub soft_worst: f64,
    /// Largest hard share.
    pub hard_worst: f64,
}

/// Sums up the outcomes of one policy in one mode.
pub fn merit<'a>(
    outcomes: impl Iterator<Item = (&'a EvaluationResult, &'a Optima)>,
    budget: f64,
) -> FigureOfMerit {
    let mut m = FigureOfMerit::default();
    for (outcome, optima) in outcomes {
        let kept = outcome.keeps(budget);
        m.loads += 1;
        m.kept += usize::from(kept);
        m.soft_kept += usize::from(outcome.soft_share() <= budget);
        m.raw += (outcome.cost / optima.free).ln();
        m.judged += (if kept { outcome.cost } else { optima.fixed } / optima.free).ln();
        m.soft_worst = m.soft_worst.max(outcome.soft_share());
        m.hard_worst = m.hard_worst.max(outcome.hard_share());
    }
    let n = m.loads.max(1) as f64;
    (m.raw, m.judged) = ((m.raw / n).exp(), (m.judged / n).exp());
    m
}
