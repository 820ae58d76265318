//! The policies that `rgctl` is measured against, each with one knob.
//!
//! They are simple forms of what is published or offered today; each says which. A knob is taken either with hindsight
//! (the cheapest that keeps the budget on the scored part: generous) or from the past only (what a real user gets).

use super::evaluate::{Policy, View};
use super::optimum::units_needed;
use crate::forecast::bases::DAY;
use crate::forecast::spar::Spar;
use crate::forecast::window::SlidingMax;

/// The names of all baselines with the knobs that are tried.
pub const BASELINES: [(&str, &[f64]); 11] = [
    ("static-peak", &[1.0]),
    ("static-train", &[1.0, 1.25, 1.5, 2.0]),
    ("static-mean", &[1.5, 2.0, 3.0]),
    ("target-tracking", &[0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
    ("target-tracking-5", &[0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
    ("predictive", &[0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
    ("reactive", &[1.0, 1.1, 1.2, 1.35, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0]),
    ("yesterday", &[1.0, 1.1, 1.2, 1.35, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0]),
    ("p-store", &[1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0]),
    ("autopilot", &[1.0, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 4.0]),
    ("lcp", &[1.0, 1.1, 1.25, 1.5, 2.0, 3.0]),
];

/// Builds a baseline; `None` for an unknown name. `peak` is the highest scored demand, which only `static-peak` may know.
pub fn baseline(name: &str, knob: f64, rho: f64, units: u32, peak: f64) -> Option<Box<dyn Policy>> {
    let window = |minutes, margin| Box::new(WindowMax { rho, margin, highest: SlidingMax::new(minutes) });
    let tracking = |points: usize, predictive: bool| Box::new(TargetTracking::new(knob, points, predictive));
    Some(match name {
        "static-peak" => Box::new(Static {
            rho,
            units: Some(units_needed(peak * knob, rho)),
            of: Of::Highest,
            factor: knob,
        }),
        "static-train" => Box::new(Static { rho, units: None, of: Of::Highest, factor: knob }),
        "static-mean" => Box::new(Static { rho, units: None, of: Of::Mean, factor: knob }),
        "target-tracking" => tracking(3, false),
        "target-tracking-5" => tracking(5, false),
        "predictive" => tracking(3, true),
        "reactive" => window(60, knob),
        "yesterday" => Box::new(Yesterday { rho, margin: knob }),
        "p-store" => Box::new(PStore { rho, margin: knob, spar: Spar::new(7), seen: 0, wish_in: 0 }),
        "autopilot" => Box::new(Autopilot { rho, margin: knob, bins: Vec::new(), limit: 1.0 }),
        "lcp" => Box::new(Lcp { rho, margin: knob, held: Vec::new(), units, warm: 3 }),
        _ => return None,
    })
}

/// Minutes of cooldown after a completed change.
const COOLDOWN: u32 = 5;
/// Minutes that a removal takes.
const REMOVAL: u32 = 1;

enum Of {
    Highest,
    Mean,
}

/// A size that never changes.
struct Static {
    rho: f64,
    units: Option<u32>,
    of: Of,
    factor: f64,
}

impl Policy for Static {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        let base = match self.of {
            Of::Highest => past.iter().copied().fold(0.0, f64::max),
            Of::Mean => past.iter().sum::<f64>() / past.len().max(1) as f64,
        };
        self.units = self.units.or(Some(units_needed(base * self.factor, self.rho)));
        self.units
    }
    fn target(&mut self, _: &View<'_>) -> u32 {
        self.units.unwrap_or(1)
    }
}

/// AWS target tracking: out after `points` one-minute points above the target, in by one after 15 points below 90 % of
/// it, five minutes of cooldown after a completed change, nothing new while a change is pending, processor time capped
/// at 100 %. With `predictive`, yesterday's and last week's hourly maxima are a floor, launched five minutes early.
struct TargetTracking {
    target: f64,
    points: usize,
    predictive: bool,
    recent: Vec<f64>,
    cooldown: u32,
    was_changing: bool,
}

impl TargetTracking {
    fn new(target: f64, points: usize, predictive: bool) -> Self {
        Self { target, points, predictive, recent: Vec::new(), cooldown: 0, was_changing: false }
    }

    fn forecast_floor(&self, known: &[f64]) -> u32 {
        let hour_ahead = |day: usize| {
            let start = (known.len() + 5).checked_sub(DAY * day)?;
            known.get(start..(start + 60).min(known.len()))?.iter().copied().reduce(f64::max)
        };
        let highest = [1, 7, 14].into_iter().filter_map(hour_ahead).fold(0.0, f64::max);
        units_needed(highest, self.target)
    }
}

impl Policy for TargetTracking {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        past.last().map(|d| units_needed(*d, self.target))
    }
    fn target(&mut self, view: &View<'_>) -> u32 {
        let (Some(demand), Some(served)) = (view.known.last(), view.served) else { return view.ordered };
        self.recent.push((demand / served.max(1e-9)).min(1.0));
        if self.recent.len() > 15 {
            self.recent.remove(0);
        }
        if self.was_changing && !view.changing {
            self.cooldown = COOLDOWN;
        }
        self.was_changing = view.changing;
        let floor = if self.predictive { self.forecast_floor(view.known) } else { 0 };
        self.cooldown = self.cooldown.saturating_sub(1);
        if view.changing {
            return view.ordered.max(floor);
        }
        let last = |count: usize| self.recent.len().checked_sub(count).map(|from| &self.recent[from..]);
        let high = last(self.points).is_some_and(|r| r.iter().all(|u| *u > self.target));
        let low = last(15).is_some_and(|r| r.iter().all(|u| *u < 0.9 * self.target));
        let utilisation = self.recent.last().copied().unwrap_or(0.0);
        // Never in by so much that the target would be passed: the wish is rounded up.
        let wished = units_needed(f64::from(view.ordered) * utilisation, self.target);
        let wish = if high && self.cooldown == 0 {
            wished.max(view.ordered + 1)
        } else if low && wished < view.ordered && self.cooldown == 0 {
            self.cooldown = COOLDOWN + REMOVAL;
            view.ordered.saturating_sub(1)
        } else {
            view.ordered
        };
        wish.max(floor)
    }
}

/// The highest of a window times a margin.
struct WindowMax {
    rho: f64,
    margin: f64,
    highest: SlidingMax,
}

impl Policy for WindowMax {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        for d in past.iter().rev().take(2 * DAY).rev() {
            self.highest.push(narrow(*d));
        }
        None
    }
    fn target(&mut self, view: &View<'_>) -> u32 {
        let highest = view.known.last().map_or(0.0, |d| self.highest.push(narrow(*d)));
        units_needed(self.margin * f64::from(highest), self.rho)
    }
}

#[allow(clippy::cast_possible_truncation)] // demand in units has few digits
fn narrow(demand: f64) -> f32 {
    demand as f32
}

/// Persistence of the day: the next lag and 20 minutes as yesterday, and the last 15 minutes (as Seagull, VLDB 2021).
struct Yesterday {
    rho: f64,
    margin: f64,
}

impl Policy for Yesterday {
    fn begin(&mut self, _: &[f64]) -> Option<u32> {
        None
    }
    fn target(&mut self, view: &View<'_>) -> u32 {
        let now = view.known.len();
        let recent = &view.known[now.saturating_sub(15)..];
        let before =
            now.checked_sub(DAY).and_then(|i| view.known.get(i..(i + 28).min(now))).unwrap_or_default();
        let highest = recent.iter().chain(before).copied().fold(0.0, f64::max);
        units_needed(self.margin * highest, self.rho)
    }
}

/// P-Store's regression with inflation, three confirmations before scaling in, reactive fallback (SIGMOD 2018).
struct PStore {
    rho: f64,
    margin: f64,
    spar: Spar,
    seen: usize,
    wish_in: u32,
}

impl Policy for PStore {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        for d in past {
            self.spar.push(*d);
        }
        self.seen = past.len();
        None
    }
    fn target(&mut self, view: &View<'_>) -> u32 {
        for d in view.known.iter().skip(self.seen) {
            self.spar.push(*d);
        }
        self.seen = view.known.len();
        let recent = view.known[self.seen.saturating_sub(15)..].iter().copied().fold(0.0, f64::max);
        let ahead = self.margin * self.spar.highest().unwrap_or(recent);
        let wish = units_needed(ahead.max(recent), self.rho);
        self.wish_in = if wish < view.ordered { self.wish_in + 1 } else { 0 };
        // Three monitoring periods of five minutes.
        if wish < view.ordered && self.wish_in < 15 { view.ordered } else { wish }
    }
}

/// A high percentile of five-minute peaks with decaying weights, times a margin (as Autopilot, EuroSys 2020).
struct Autopilot {
    rho: f64,
    margin: f64,
    bins: Vec<f64>,
    limit: f64,
}

impl Autopilot {
    /// The 98th percentile of the last day; older peaks weigh too little to matter at a half-life of 12 hours.
    fn percentile(&self) -> f64 {
        let mut sorted = self.bins.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() * 98 / 100).copied().unwrap_or(0.0)
    }
}

impl Policy for Autopilot {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        self.bins = past[past.len().saturating_sub(DAY)..]
            .chunks(5)
            .map(|c| c.iter().copied().fold(0.0, f64::max))
            .collect();
        self.limit = self.percentile();
        None
    }
    fn target(&mut self, view: &View<'_>) -> u32 {
        let now = view.known.len();
        let recent = view.known[now.saturating_sub(5)..].iter().copied().fold(0.0, f64::max);
        if now.is_multiple_of(5) {
            self.bins.push(recent);
            if self.bins.len() > 288 {
                self.bins.remove(0);
            }
            self.limit = self.percentile();
        }
        units_needed((self.margin * self.limit).max(recent), self.rho)
    }
}

/// Lazy capacity provisioning (Lin et al., INFOCOM 2011), layer by layer: the k-th unit is given back when it has idled
/// for as long as starting it again costs.
struct Lcp {
    rho: f64,
    margin: f64,
    held: Vec<u32>,
    units: u32,
    warm: u32,
}

impl Policy for Lcp {
    fn begin(&mut self, _: &[f64]) -> Option<u32> {
        self.held = vec![0; self.units as usize];
        None
    }
    fn target(&mut self, view: &View<'_>) -> u32 {
        let needed = view.known.last().map_or(1, |d| units_needed(self.margin * d, self.rho)) as usize;
        for (layer, left) in self.held.iter_mut().enumerate() {
            *left = if layer < needed { self.warm + 1 } else { left.saturating_sub(1) };
        }
        u32::try_from(self.held.iter().filter(|left| **left > 0).count()).unwrap_or(u32::MAX)
    }
}
