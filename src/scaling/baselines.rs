//! The policies that `rgctl` is measured against, each with one knob.
//!
//! They are simple forms of what is published or offered today; each says which. A knob is taken either with hindsight
//! (the cheapest that keeps the budget on the scored part: generous) or from the past only (what a real user gets).

use super::caasper::Caasper;
use super::evaluate::{Policy, View};
use super::optimum::units_needed;
use super::tracking::{TargetTracking, TrackingRules};
use crate::forecast::bases::DAY;
use crate::forecast::spar::Spar;
use crate::forecast::window::SlidingMax;

/// The names of all baselines with the knobs that are tried.
pub const BASELINES: [(&str, &[f64]); 13] = [
    ("static-peak", &[1.0]),
    ("static-train", &[1.0, 1.25, 1.5, 2.0]),
    ("static-mean", &[1.5, 2.0, 3.0]),
    ("target-tracking", &[0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
    ("target-tracking-5", &[0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
    ("target-tracking-cache", &[0.35, 0.4, 0.5, 0.6, 0.7]),
    ("predictive", &[0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
    ("reactive", &[1.0, 1.1, 1.2, 1.35, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0]),
    ("yesterday", &[1.0, 1.1, 1.2, 1.35, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0]),
    ("p-store", &[1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0]),
    ("autopilot", &[1.0, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 4.0]),
    ("caasper", &[1.0, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 4.0]),
    ("lcp", &[1.0, 1.1, 1.25, 1.5, 2.0, 3.0]),
];

/// Builds a baseline; `None` for an unknown name. `peak` is the highest scored demand, which only `static-peak` may know.
pub fn baseline(name: &str, knob: f64, rho: f64, units: u32, peak: f64) -> Option<Box<dyn Policy>> {
    let window = |minutes, margin| Box::new(WindowMax { rho, margin, highest: SlidingMax::new(minutes) });
    let tracking = |rules: TrackingRules| Box::new(TargetTracking::new(knob, rules));
    Some(match name {
        "static-peak" => Box::new(Static {
            rho,
            units: Some(units_needed(peak * knob, rho)),
            of: Of::Highest,
            factor: knob,
        }),
        "static-train" => Box::new(Static { rho, units: None, of: Of::Highest, factor: knob }),
        "static-mean" => Box::new(Static { rho, units: None, of: Of::Mean, factor: knob }),
        "target-tracking" => tracking(TrackingRules::READERS),
        "target-tracking-5" => tracking(TrackingRules { points: 5, ..TrackingRules::READERS }),
        "target-tracking-cache" => tracking(TrackingRules::SHARDS),
        "predictive" => tracking(TrackingRules { predictive: true, ..TrackingRules::READERS }),
        "reactive" => window(60, knob),
        "yesterday" => Box::new(Yesterday { rho, margin: knob }),
        "p-store" => Box::new(PStore { rho, margin: knob, spar: Spar::new(7), seen: 0, wish_in: 0 }),
        "autopilot" => Box::new(Autopilot { rho, margin: knob, bins: Vec::new(), limit: 1.0 }),
        "caasper" => Box::new(Caasper::new(rho, knob)),
        "lcp" => Box::new(Lcp { rho, margin: knob, held: Vec::new(), units, warm: 3 }),
        _ => return None,
    })
}

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
