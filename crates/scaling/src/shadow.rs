//! The shadow: every rule of the library drives a small fleet of its own, all the time; what each cost and missed is handed
//! on in blocks of a quarter of an hour.
//!
//! It depends on the axis, the largest capacity and the target utilisation, and on no other constant: so what it says of
//! a series can be kept and judged again by other constants (see `replay`).
//!
//! **Invariant:** a step uses what was said before the sample that it is judged by.

use std::sync::Arc;

use super::axis::AxisProfile;
use super::rules::Library;
use crate::forecast::Predictions;

/// Minutes of a block.
pub const BLOCK_MINUTES: u32 = 15;
/// Adding and taking away 1.5 · 2^23 rounds an f32 to a whole number without a call, so that the loop stays vectorised.
const ROUND: f32 = 12_582_912.0;

/// What all rules did in one block, as arrays over rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Unit-minutes billed.
    pub cost: Vec<f32>,
    /// Soft-violating minutes.
    pub soft: Vec<f32>,
    /// Hard-violating minutes.
    pub hard: Vec<f32>,
}

impl Block {
    /// An empty block of `rules` rules.
    pub fn new(rules: usize) -> Self {
        Self { cost: vec![0.0; rules], soft: vec![0.0; rules], hard: vec![0.0; rules] }
    }

    fn clear(&mut self) {
        for sums in [&mut self.cost, &mut self.soft, &mut self.hard] {
            sums.fill(0.0);
        }
    }
}

/// The fleets of all rules, as arrays over rules.
#[derive(Clone, Debug)]
pub struct Shadow {
    library: Arc<Library>,
    lag: usize,
    create: usize,
    units_max: f32,
    rho: f32,
    minute: usize,
    in_block: u32,
    serving: Vec<f32>,
    pending: Vec<f32>,
    unborn: Vec<f32>,
    orders: Vec<Vec<f32>>,
    block: Block,
    complete: bool,
}

impl Shadow {
    /// Fleets that all begin with `units`.
    pub fn new(library: Arc<Library>, axis: &AxisProfile, units_max: u32, units: u32, rho: f64) -> Self {
        let n = library.len();
        let zeros = || vec![0.0_f32; n];
        // A rule orders at any minute; where one change runs at a time the fleet could not, and waits.
        let lag = (axis.lag_minutes() + axis.queue_minutes()).max(1) as usize;
        // A share of one is exact enough in f32.
        #[allow(clippy::cast_possible_truncation)]
        let rho = rho as f32;
        Self {
            lag,
            create: axis.create_minutes as usize,
            units_max: units_max as f32,
            rho,
            minute: 0,
            in_block: 0,
            serving: vec![units as f32; n],
            pending: zeros(),
            unborn: zeros(),
            orders: (0..lag).map(|_| zeros()).collect(),
            block: Block::new(n),
            complete: false,
            library,
        }
    }

    /// Lets all fleets act on what was `said`, then judges them by the demand that came. Gives the block that this minute
    /// completed, if it did.
    pub fn minute(&mut self, said: &Predictions, demand: f64) -> Option<&Block> {
        if std::mem::take(&mut self.complete) {
            self.block.clear();
        }
        // Demand in units has few digits.
        #[allow(clippy::cast_possible_truncation)]
        let demand = demand as f32;
        let slot = self.minute % self.lag;
        let born = (self.minute + self.lag - self.create) % self.lag;
        let library = Arc::clone(&self.library);
        for segment in &library.segments {
            let (p, q) = segment.terms(said);
            let range = segment.start..segment.end;
            // What was ordered `create` minutes ago exists from now on. With creation at once the slot is this minute's.
            if self.create > 0 {
                take_away(&mut self.unborn[range.clone()], &self.orders[born][range.clone()]);
            }
            let Block { cost, soft, hard } = &mut self.block;
            let minute = Minute {
                p: p / self.rho,
                q: q / self.rho,
                units_max: self.units_max,
                births: if self.create == 0 { 0.0 } else { 1.0 },
                demand,
                demand_at_rho: demand / self.rho,
            };
            step(
                &minute,
                &library.first[range.clone()],
                &library.second[range.clone()],
                &mut self.serving[range.clone()],
                &mut self.pending[range.clone()],
                &mut self.unborn[range.clone()],
                &mut self.orders[slot][range.clone()],
                &mut cost[range.clone()],
                &mut soft[range.clone()],
                &mut hard[range],
            );
        }
        self.minute += 1;
        self.in_block += 1;
        if self.in_block == BLOCK_MINUTES {
            self.in_block = 0;
            self.complete = true;
        }
        self.complete.then_some(&self.block)
    }
}

/// What is the same for all rules of a segment in one minute.
struct Minute {
    p: f32,
    q: f32,
    units_max: f32,
    /// 1 where elements take time to exist, otherwise 0.
    births: f32,
    demand: f32,
    demand_at_rho: f32,
}

fn take_away(from: &mut [f32], what: &[f32]) {
    for (a, b) in from.iter_mut().zip(what) {
        *a -= b;
    }
}

/// One minute of one segment: it runs some fifty times for each sample, over some thousand rules in all.
///
/// Not inlined, with every array an argument of its own: only then does the compiler know that none overlaps another,
/// and vectorises the loop (five times faster). Zipping nine slices would hide the arithmetic.
#[inline(never)]
#[allow(clippy::too_many_arguments, clippy::needless_range_loop)]
fn step(
    minute: &Minute,
    first: &[f32],
    second: &[f32],
    serving: &mut [f32],
    pending: &mut [f32],
    unborn: &mut [f32],
    orders: &mut [f32],
    cost: &mut [f32],
    soft: &mut [f32],
    hard: &mut [f32],
) {
    let n = first.len();
    let (second, serving, pending, unborn) =
        (&second[..n], &mut serving[..n], &mut pending[..n], &mut unborn[..n]);
    let (orders, cost, soft, hard) = (&mut orders[..n], &mut cost[..n], &mut soft[..n], &mut hard[..n]);
    let Minute { p, q, units_max, births, demand, demand_at_rho } = *minute;
    let least = |a: f32, b: f32| if a < b { a } else { b };
    let most = |a: f32, b: f32| if a > b { a } else { b };
    for i in 0..n {
        let need = most(first[i] * p, second[i] * q);
        let rounded = (need + (0.5 - 1e-4) + ROUND) - ROUND;
        let units = least(most(rounded, 1.0), units_max);
        let arrived = orders[i];
        let waiting = pending[i] - arrived;
        // See `Fleet`: what serves is not given away for what does not yet.
        let ready = serving[i] + arrived;
        let order = most(units - ready - waiting, 0.0);
        let serves = least(ready, units);
        orders[i] = order;
        pending[i] = waiting + order;
        unborn[i] = (unborn[i] + order) * births;
        serving[i] = serves;
        cost[i] += serves + pending[i] - unborn[i];
        soft[i] += if demand_at_rho > serves + 1e-4 { 1.0 } else { 0.0 };
        hard[i] += if demand > serves + 1e-4 { 1.0 } else { 0.0 };
    }
}
