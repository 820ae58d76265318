//! Which rules to follow: the cheapest of those that would have kept the objective.

use super::budget::MissBudget;
use super::constants::Constants;
use super::record::Record;
use super::rules::Library;
use crate::forecast::{Base, Predictions};

/// A rule that is followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Followed {
    /// Its index in the library.
    pub rule: usize,
    /// Units it would have cost on average.
    pub cost: f64,
    /// Soft misses per minute that it is held for.
    pub soft: f64,
    /// Hard misses per minute that it is held for.
    pub hard: f64,
}

/// The rules in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActiveRules {
    /// The rules that are followed, cheapest first; empty while nothing was learned.
    pub followed: Vec<Followed>,
    /// Whether all of them fit the allowance; otherwise the safest one was taken.
    pub fits: bool,
}

/// Chooses by the short and by the long memory and follows both: what one of them took by luck, the other tempers.
pub fn choose_by_both(
    record: &Record,
    library: &Library,
    allowance: &MissBudget,
    c: &Constants,
) -> ActiveRules {
    let short = choose(record, library, 0, allowance, c);
    let long = choose(record, library, 1, allowance, c);
    match (short.fits, long.fits) {
        // A memory without a fitting rule has no voice unless the other has none either.
        (true, false) => short,
        (false, true) => long,
        (fits, _) => ActiveRules { followed: [short.followed, long.followed].concat(), fits },
    }
}

/// Chooses among all rules by one of the two memories.
fn choose(
    record: &Record,
    library: &Library,
    which: usize,
    allowance: &MissBudget,
    c: &Constants,
) -> ActiveRules {
    let n = f64::from(record.remembered(which));
    if n <= 0.0 {
        return ActiveRules::default();
    }
    let sums = record.sums(which);
    let candidate = |rule: usize| {
        let weaker = library.weaker[rule] as usize;
        let blend =
            |s: &[f32]| f64::from(s[rule]).mul_add(1.0 - c.neighbour, f64::from(s[weaker]) * c.neighbour);
        let soft = (blend(&sums.soft) + c.prior_minutes) / n;
        let hard = (blend(&sums.hard) + c.hard_share * c.prior_minutes) / n;
        Followed { rule, cost: f64::from(sums.cost[rule]) / n, soft, hard }
    };
    let mut best: [Option<Followed>; Base::ALL.len()] = [None; Base::ALL.len()];
    for segment in &library.segments {
        let slot = &mut best[segment.base as usize];
        for rule in segment.start..segment.end {
            // Cost first: most rules are dearer than one that already fits, and need no further look.
            if slot.is_some_and(|s| f64::from(sums.cost[rule]) / n >= s.cost) {
                continue;
            }
            let found = candidate(rule);
            if found.soft <= allowance.soft && found.hard <= allowance.hard {
                *slot = Some(found);
            }
        }
    }
    let mut followed: Vec<Followed> = best.into_iter().flatten().collect();
    followed.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.rule.cmp(&b.rule)));
    followed.truncate(c.groups);
    if !followed.is_empty() {
        return ActiveRules { followed, fits: true };
    }
    let misses = |rule: &usize| sums.soft[*rule] + 2.0 * sums.hard[*rule];
    let safest = (0..library.len())
        .min_by(|a, b| misses(a).total_cmp(&misses(b)).then(sums.cost[*a].total_cmp(&sums.cost[*b])));
    ActiveRules { followed: safest.into_iter().map(candidate).collect(), fits: false }
}

/// The demand to be covered: the geometric mean of what the followed rules want.
pub fn blended(library: &Library, choice: &ActiveRules, said: &Predictions) -> Option<f64> {
    if choice.followed.is_empty() {
        return None;
    }
    let logs: f64 =
        choice.followed.iter().map(|f| f64::from(library.value(f.rule, said)).max(1e-9).ln()).sum();
    Some((logs / choice.followed.len() as f64).exp())
}

/// The most demand that any of the followed rules wants covered.
pub fn largest(library: &Library, choice: &ActiveRules, said: &Predictions) -> Option<f64> {
    choice.followed.iter().map(|f| f64::from(library.value(f.rule, said))).reduce(f64::max)
}
