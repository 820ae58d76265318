//! Which rules to follow: the cheapest of those that would have kept the objective.

use super::budget::Allowance;
use super::constants::Constants;
use super::shadow::Shadow;
use crate::forecast::{Base, Statements};

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
pub struct Choice {
    /// The rules that are followed, cheapest first; empty while nothing was learned.
    pub followed: Vec<Followed>,
    /// Whether all of them fit the allowance; otherwise the safest one was taken.
    pub fits: bool,
}

/// Chooses by the short and by the long memory and follows both: what one of them took by luck, the other tempers.
pub fn choose_by_both(shadow: &Shadow, allowance: &Allowance, c: &Constants) -> Choice {
    let short = choose(shadow, 0, allowance, c);
    let long = choose(shadow, 1, allowance, c);
    match (short.fits, long.fits) {
        // A memory without a fitting rule has no voice unless the other has none either.
        (true, false) => short,
        (false, true) => long,
        (fits, _) => Choice { followed: [short.followed, long.followed].concat(), fits },
    }
}

/// Chooses among all rules by one of the two memories.
fn choose(shadow: &Shadow, which: usize, allowance: &Allowance, c: &Constants) -> Choice {
    let n = f64::from(shadow.remembered(which));
    if n <= 0.0 {
        return Choice::default();
    }
    let library = shadow.library();
    let mut best: [Option<Followed>; Base::ALL.len()] = [None; Base::ALL.len()];
    let mut safest: Option<(f64, Followed)> = None;
    for segment in &library.segments {
        for rule in segment.start..segment.end {
            let own = shadow.sums(which, rule);
            let weaker = shadow.sums(which, library.weaker[rule] as usize);
            let blend =
                |i: usize| f64::from(own[i]).mul_add(1.0 - c.neighbour, f64::from(weaker[i]) * c.neighbour);
            let soft = (blend(1) + c.prior_minutes) / n;
            let hard = (blend(2) + c.hard_share * c.prior_minutes) / n;
            let candidate = Followed { rule, cost: f64::from(own[0]) / n, soft, hard };
            if soft <= allowance.soft && hard <= allowance.hard {
                let slot = &mut best[segment.base as usize];
                if slot.is_none_or(|s| candidate.cost < s.cost) {
                    *slot = Some(candidate);
                }
            }
            let misses = f64::from(own[1]) + 2.0 * f64::from(own[2]);
            if safest.is_none_or(|(h, s)| misses < h || (misses <= h && candidate.cost < s.cost)) {
                safest = Some((misses, candidate));
            }
        }
    }
    let mut followed: Vec<Followed> = best.into_iter().flatten().collect();
    followed.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.rule.cmp(&b.rule)));
    followed.truncate(c.groups);
    if followed.is_empty() {
        return Choice { followed: safest.into_iter().map(|(_, f)| f).collect(), fits: false };
    }
    Choice { followed, fits: true }
}

/// The demand to be covered: the geometric mean of what the followed rules want.
pub fn blended(shadow: &Shadow, choice: &Choice, said: &Statements) -> Option<f64> {
    if choice.followed.is_empty() {
        return None;
    }
    let logs: f64 =
        choice.followed.iter().map(|f| f64::from(shadow.library().value(f.rule, said)).max(1e-9).ln()).sum();
    Some((logs / choice.followed.len() as f64).exp())
}
