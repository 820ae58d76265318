//! The offline optimum: what a clairvoyant would have paid.
//!
//! OPT(B) is the least cost of a capacity path with at most B soft-violating minutes, where every unit that is added costs
//! `w` further unit-minutes (it is billed while it warms up). Minimum billing is ignored, so that it is a lower bound.
//! Solved exactly by dynamic programming over (block, capacity) with prefix and suffix minima, O(T·N); the budget is met by
//! bisection on a price per violating minute (Lagrange), and the count that was reached is reported.

/// The optimum under a budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimum {
    /// Unit-minutes, including warm-up.
    pub cost: f64,
    /// Soft-violating minutes of the path.
    pub violations: u64,
}

/// How the optimum may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptimumRules {
    /// Largest capacity.
    pub units: u32,
    /// Minutes that an added unit is billed before it serves.
    pub warm_minutes: u32,
    /// Capacity may change only every so many minutes: 1 for OPT, 15 and 60 for OPT-15 and OPT-60.
    pub block_minutes: usize,
}

/// The least cost with at most `allowed` minutes in which `demand > rho × capacity`.
///
/// Where even the largest capacity misses more minutes than are allowed, the path with the fewest is found.
pub fn optimum(demand: &[f64], rho: f64, allowed: u64, rules: OptimumRules) -> Optimum {
    let blocks = needed_histogram(demand, rho, rules);
    // Dearer than every path: at this price no minute is missed that any capacity serves.
    let never = f64::from(rules.units * (1 + rules.warm_minutes)) * (demand.len() + 1) as f64;
    let mut kept = solve(&blocks, never, rules);
    let mut missed = solve(&blocks, 0.0, rules);
    if missed.violations <= allowed {
        return missed;
    }
    // Between a path that keeps the budget and one that does not lies at most one more corner at the price at which both
    // cost the same; where there is none, no price leads to anything better.
    while kept.violations < missed.violations && kept.violations < allowed {
        let price = (kept.cost - missed.cost) / (missed.violations - kept.violations) as f64;
        let tried = solve(&blocks, price, rules);
        let worth = |o: &Optimum| o.cost + price * o.violations as f64;
        if worth(&tried) >= worth(&kept) - 1e-6 {
            break;
        }
        if tried.violations <= allowed {
            kept = tried;
        } else {
            missed = tried;
        }
    }
    kept
}

/// Units needed for `demand` at utilisation `rho`; at least one.
pub fn units_needed(demand: f64, rho: f64) -> u32 {
    // Truncation is meant: demand is finite and far below u32::MAX.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let units = (demand / rho - 1e-9).ceil().max(1.0) as u32;
    units
}

/// For each block the sorted (needed units, minutes) of its minutes.
type Blocks = Vec<(usize, Vec<(u32, u32)>)>;

fn needed_histogram(demand: &[f64], rho: f64, rules: OptimumRules) -> Blocks {
    // More than all is not to be had: such needs are alike.
    let need = |d: &f64| units_needed(*d, rho).min(rules.units + 1);
    if rules.block_minutes <= 1 {
        // Within a run of equal needs no path gains by changing: it does so at the beginning or at the end.
        let mut runs: Blocks = Vec::new();
        for needed in demand.iter().map(need) {
            match runs.last_mut() {
                Some((minutes, steps)) if steps[0].0 == needed => {
                    *minutes += 1;
                    steps[0].1 += 1;
                }
                _ => runs.push((1, vec![(needed, 1)])),
            }
        }
        return runs;
    }
    demand
        .chunks(rules.block_minutes)
        .map(|chunk| {
            let mut needed: Vec<u32> = chunk.iter().map(need).collect();
            needed.sort_unstable();
            let mut steps: Vec<(u32, u32)> = Vec::new();
            for n in needed {
                match steps.last_mut() {
                    Some((units, minutes)) if *units == n => *minutes += 1,
                    _ => steps.push((n, 1)),
                }
            }
            (chunk.len(), steps)
        })
        .collect()
}

/// The path that is cheapest when each violating minute costs `price`; ties go to fewer violations.
fn solve(blocks: &Blocks, price: f64, rules: OptimumRules) -> Optimum {
    let width = rules.units as usize;
    let warm = f64::from(rules.warm_minutes);
    // For capacity c + 1: (cost with prices, violations). Violations ride along so that no traceback is needed.
    let mut state: Vec<(f64, u64)> = vec![(0.0, 0); width];
    for (block, (minutes, steps)) in blocks.iter().enumerate() {
        if block > 0 {
            relax(&mut state, warm);
        }
        // From the largest capacity down, each need that is passed adds its minutes to those that violate.
        let (mut violating, mut steps) = (0_u64, steps.iter().rev().peekable());
        for (index, entry) in state.iter_mut().enumerate().rev() {
            while let Some((_, count)) = steps.next_if(|(needed, _)| *needed as usize > index + 1) {
                violating += u64::from(*count);
            }
            entry.0 += (index + 1) as f64 * *minutes as f64;
            if violating > 0 {
                entry.0 += price * violating as f64;
                entry.1 += violating;
            }
        }
    }
    let (cost, violations) = state.into_iter().reduce(lesser).unwrap_or((0.0, 0));
    Optimum { cost: cost - price * violations as f64, violations }
}

/// Lets capacity change between two blocks: down is free, up costs `warm` for each unit.
fn relax(state: &mut [(f64, u64)], warm: f64) {
    for i in (0..state.len().saturating_sub(1)).rev() {
        state[i] = lesser(state[i], state[i + 1]);
    }
    for i in 1..state.len() {
        let (cost, violations) = state[i - 1];
        state[i] = lesser(state[i], (cost + warm, violations));
    }
}

fn lesser(a: (f64, u64), b: (f64, u64)) -> (f64, u64) {
    if b.0 < a.0 || (b.0 <= a.0 && b.1 < a.1) { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every capacity path, tried out.
    fn brute_force(demand: &[f64], rho: f64, allowed: u64, rules: OptimumRules) -> f64 {
        let minutes = demand.len();
        let n = rules.units as usize;
        let mut best = f64::INFINITY;
        for code in 0..n.pow(u32::try_from(minutes).expect("small")) {
            let mut rest = code;
            let path: Vec<usize> = (0..minutes)
                .map(|_| {
                    let c = rest % n + 1;
                    rest /= n;
                    c
                })
                .collect();
            let violations =
                demand.iter().zip(&path).filter(|(d, c)| units_needed(**d, rho) as usize > **c).count();
            if violations as u64 > allowed {
                continue;
            }
            let ups: usize = path.windows(2).map(|w| w[1].saturating_sub(w[0])).sum();
            let cost = path.iter().sum::<usize>() as f64 + f64::from(rules.warm_minutes) * ups as f64;
            best = best.min(cost);
        }
        best
    }

    #[test]
    fn the_dynamic_programme_agrees_with_brute_force() {
        let rules = OptimumRules { units: 3, warm_minutes: 3, block_minutes: 1 };
        for seed in 0..40_u64 {
            let demand: Vec<f64> =
                (0..8).map(|t| ((seed * 7919 + t * t * 104_729 + t * 31) % 240) as f64 / 100.0).collect();
            let exact = brute_force(&demand, 0.8, 0, rules);
            assert!((optimum(&demand, 0.8, 0, rules).cost - exact).abs() < 1e-9, "seed {seed}");
            for allowed in 1..3 {
                let found = optimum(&demand, 0.8, allowed, rules);
                let truth = brute_force(&demand, 0.8, found.violations, rules);
                // A Lagrangian price reaches the corners of the trade-off only: exact for the count that it reached.
                assert!((found.cost - truth).abs() < 1e-4, "seed {seed}: {found:?} against {truth}");
                assert!(found.violations <= allowed);
            }
        }
    }

    #[test]
    fn without_a_budget_every_layer_is_a_ski_rental_of_its_own() {
        let rules = OptimumRules { units: 4, warm_minutes: 3, block_minutes: 1 };
        let demand = [0.5, 2.9, 0.5, 0.5, 0.5, 0.5, 2.9, 0.5, 0.5, 2.9, 1.7];
        let layers: f64 = (1..=4_u32).map(|k| layer_cost(&demand, k, 3)).sum();
        assert!((optimum(&demand, 0.8, 0, rules).cost - layers).abs() < 1e-9);
    }

    /// The k-th unit is kept through a gap of at most `warm` minutes, otherwise dropped and started again.
    fn layer_cost(demand: &[f64], k: u32, warm: usize) -> f64 {
        let used: Vec<usize> =
            demand.iter().enumerate().filter(|(_, d)| units_needed(**d, 0.8) >= k).map(|(t, _)| t).collect();
        let gaps: usize = used.windows(2).map(|w| (w[1] - w[0] - 1).min(warm)).sum();
        // The path may begin at any size for nothing, so that a first start is a gap like the others.
        let first = used.first().map_or(0, |t| (*t).min(warm));
        (used.len() + gaps + first) as f64
    }

    #[test]
    fn slower_optima_cost_more() {
        let demand: Vec<f64> = (0..240).map(|t| 2.0 + 1.5 * (f64::from(t) / 17.0).sin()).collect();
        let cost = |block_minutes| {
            optimum(&demand, 0.8, 1, OptimumRules { units: 6, warm_minutes: 3, block_minutes }).cost
        };
        assert!(cost(1) < cost(15) && cost(15) < cost(60));
    }
}
