//! The policies that `rgctl` is measured against, each with one knob.
//!
//! They are simple forms of what is published or offered today; each says which. A knob is taken either with hindsight
//! (the cheapest that keeps the budget on the scored part: generous) or from the past only (what a real user gets).

use std::collections::VecDeque;

use super::caasper::Caasper;
use super::evaluate::{PolicyInput, ScalingPolicy, Terms};
use super::feed::{Said, Shared};
use super::optimum::units_needed;
use super::tracking::{TargetTracking, TrackingRules, predicted};
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

/// A baseline at all settings of its knob.
///
/// The settings share what they read, so that a regression runs once for all of them. They must live through the same
/// minutes side by side ([`super::evaluate::live_all`]).
pub struct BaselineFamily {
    name: &'static str,
    /// The settings that are tried.
    pub knobs: &'static [f64],
    terms: Terms,
    feed: Option<Shared>,
}

impl BaselineFamily {
    /// The baseline of this name; `None` for an unknown one.
    pub fn named(name: &str, terms: &Terms) -> Option<Self> {
        let (name, knobs) = BASELINES.iter().find(|(known, _)| *known == name)?;
        Some(Self { name, knobs, terms: *terms, feed: feed_of(name, terms) })
    }

    /// One member. `peak` is the highest scored demand, which only `static-peak` may know.
    pub fn member(&self, knob: f64, peak: f64) -> Box<dyn ScalingPolicy> {
        let rho = self.terms.rho;
        let fixed = |units, of| Box::new(Static { rho, units, of, factor: knob });
        let tracking = |rules| TargetTracking::new(knob, rules);
        match (self.name, self.feed.clone()) {
            ("static-peak", _) => fixed(Some(units_needed(peak * knob, rho)), Of::Highest),
            ("static-train", _) => fixed(None, Of::Highest),
            ("static-mean", _) => fixed(None, Of::Mean),
            ("target-tracking-5", _) => {
                Box::new(tracking(TrackingRules { points: 5, ..TrackingRules::READERS }))
            }
            ("target-tracking-cache", _) => Box::new(tracking(TrackingRules::SHARDS)),
            ("caasper", _) => Box::new(Caasper::new(rho, knob)),
            ("lcp", _) => Box::new(Lcp {
                rho,
                margin: knob,
                needed: SlidingMax::new(self.terms.axis.warm_minutes as usize + 1),
            }),
            ("predictive", Some(feed)) => Box::new(tracking(TrackingRules::READERS).at_least(feed)),
            (name, Some(feed)) => {
                // Three monitoring periods of five minutes.
                let confirm = if name == "p-store" { 15 } else { 0 };
                Box::new(Scaled { rho, margin: knob, feed, confirm, wish_in: 0 })
            }
            _ => Box::new(tracking(TrackingRules::READERS)),
        }
    }
}

/// What the settings of a baseline share, if anything.
fn feed_of(name: &str, terms: &Terms) -> Option<Shared> {
    // The lag and the twenty minutes after it.
    let ahead = terms.axis.lag_minutes() as usize + 20;
    Some(match name {
        "predictive" => Shared::new(|known| (predicted(known), 0.0)),
        "reactive" => {
            let mut highest = SlidingMax::new(60);
            Shared::new(move |known| (known.last().map_or(0.0, |d| f64::from(highest.push(narrow(*d)))), 0.0))
        }
        "yesterday" => Shared::new(move |known| (yesterday(known, ahead), 0.0)),
        "p-store" => {
            let mut spar = Spar::new(7);
            Shared::new(move |known| {
                spar.push(known.last().copied().unwrap_or(0.0));
                let recent = highest_of_last(known, 15);
                (spar.highest().unwrap_or(recent), recent)
            })
        }
        "autopilot" => {
            let mut autopilot = Autopilot::default();
            Shared::new(move |known| autopilot.say(known))
        }
        _ => return None,
    })
}

fn highest_of_last(known: &[f64], minutes: usize) -> f64 {
    known[known.len().saturating_sub(minutes)..].iter().copied().fold(0.0, f64::max)
}

/// Persistence of the day: the coming minutes as yesterday, and the last 15 minutes (as Seagull, VLDB 2021).
fn yesterday(known: &[f64], ahead: usize) -> f64 {
    let now = known.len();
    let before = now.checked_sub(DAY).and_then(|i| known.get(i..(i + ahead).min(now))).unwrap_or_default();
    before.iter().copied().fold(highest_of_last(known, 15), f64::max)
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

impl ScalingPolicy for Static {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        let base = match self.of {
            Of::Highest => past.iter().copied().fold(0.0, f64::max),
            Of::Mean => past.iter().sum::<f64>() / past.len().max(1) as f64,
        };
        self.units = self.units.or(Some(units_needed(base * self.factor, self.rho)));
        self.units
    }
    fn target(&mut self, _: &PolicyInput<'_>) -> u32 {
        self.units.unwrap_or(1)
    }
}

#[allow(clippy::cast_possible_truncation)] // demand in units has few digits
fn narrow(demand: f64) -> f32 {
    demand as f32
}

/// A statement times a margin; with `confirm` above 0 it must stand for that many minutes before anything is given back.
///
/// With the highest of a window this is reactive scaling, with yesterday persistence, with a regression and three
/// confirmations P-Store (SIGMOD 2018), with a high percentile Autopilot (EuroSys 2020).
struct Scaled {
    rho: f64,
    margin: f64,
    feed: Shared,
    confirm: u32,
    wish_in: u32,
}

impl ScalingPolicy for Scaled {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        self.feed.at(past);
        None
    }
    fn target(&mut self, view: &PolicyInput<'_>) -> u32 {
        let (scaled, least) = self.feed.at(view.known);
        let wanted = units_needed((self.margin * scaled).max(least), self.rho);
        self.wish_in = if wanted < view.ordered { self.wish_in + 1 } else { 0 };
        if wanted < view.ordered && self.wish_in < self.confirm { view.ordered } else { wanted }
    }
}

/// A high percentile of five-minute peaks (as Autopilot, EuroSys 2020).
#[derive(Default)]
struct Autopilot {
    bins: VecDeque<f64>,
    limit: f64,
}

impl Autopilot {
    fn say(&mut self, known: &[f64]) -> Said {
        let recent = highest_of_last(known, 5);
        if known.len().is_multiple_of(5) {
            self.bins.push_back(recent);
            if self.bins.len() > DAY / 5 {
                self.bins.pop_front();
            }
            self.limit = self.percentile();
        }
        (self.limit, recent)
    }

    /// The 98th percentile of the last day; older peaks weigh too little to matter at a half-life of 12 hours.
    fn percentile(&self) -> f64 {
        let mut bins: Vec<f64> = self.bins.iter().copied().collect();
        let place = (bins.len() * 98 / 100).min(bins.len().saturating_sub(1));
        if bins.is_empty() { 0.0 } else { *bins.select_nth_unstable_by(place, f64::total_cmp).1 }
    }
}

/// Lazy capacity provisioning (Lin et al., INFOCOM 2011): a unit is given back when it has idled for as long as starting
/// it again costs. Lower units idle only while higher ones do, so that what is held is the highest need of that time.
struct Lcp {
    rho: f64,
    margin: f64,
    needed: SlidingMax,
}

impl ScalingPolicy for Lcp {
    fn begin(&mut self, _: &[f64]) -> Option<u32> {
        None
    }
    fn target(&mut self, view: &PolicyInput<'_>) -> u32 {
        let needed = view.known.last().map_or(1, |d| units_needed(self.margin * d, self.rho));
        // Counts below 2^24 are exact in f32 and not negative.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let held = self.needed.push(needed.min(1 << 20) as f32) as u32;
        held
    }
}
