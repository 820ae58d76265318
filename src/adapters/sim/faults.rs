//! Faults: rules as data, that say what goes wrong, where, when, how often.
//!
//! **Invariant:** whether a rule strikes is drawn from a named stream; the same world meets the same faults again.

use serde::{Deserialize, Serialize};

use crate::artefacts::address::Address;
use crate::kinds::KindId;
use crate::kinds::facts::Endpoint;
use crate::vocabulary::names::{Name, RegionId};
use crate::vocabulary::time::{Moment, Span};

use super::timing;
use super::world::World;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// Calls are refused as too many.
    Throttle,
    /// The answer of a call is lost.
    LostAnswer {
        /// Whether the call took effect.
        applied: bool,
    },
    /// A call gets no answer, and takes effect later: it was held up on its way.
    LateCall {
        /// By how much at most.
        by: Span,
    },
    /// A change that begins stays in transition until the rule ends.
    Stuck,
    /// Changes that begin take this many times as long.
    Slow {
        /// How many times.
        factor: f64,
    },
    /// There is no capacity for what would run on a class of machines.
    Capacity {
        /// Which class; every one when unset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<String>,
    },
    /// The account may not have more objects of the kind than this, in place of its default quotas.
    Quota {
        /// How many.
        limit: u32,
    },
    /// Reads lag writes by this much.
    StaleRead {
        /// By how much.
        lag: Span,
    },
    /// A page of an observation fails.
    Gap,
    /// A zone is lost: the members in it do not serve.
    ZoneLoss {
        /// Which zone, such as `us-east-1a`.
        zone: String,
    },
    /// A whole region is lost: every call to it fails.
    RegionLoss,
    /// Names are taken by something that no listing shows: creating under them is refused.
    NameTaken {
        /// Which name; every one when unset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Name>,
    },
    /// What is being made ends up broken.
    CreateFails,
    /// Objects show a status word that nobody has heard of.
    UnknownStatus,
    /// Somebody else edits an object shortly after a call of ours.
    OtherHand,
    /// Metrics are late by this much more.
    LateMetrics {
        /// By how much.
        lag: Span,
    },
    /// The account may not list what an endpoint holds.
    Denied,
}

/// A fault with its conditions. Unset conditions match everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// In which region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionId>,
    /// To which kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindId>,
    /// With which operation, in the word of `Op::word`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// How often, from 0 to 1.
    pub probability: f64,
    /// From when.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
    /// How many times at most; without a limit when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Rule {
    /// A rule that always strikes, everywhere, during a window.
    pub const fn always(fault: Fault, from: Moment, until: Moment) -> Self {
        Self { fault, region: None, kind: None, operation: None, probability: 1.0, from, until, count: None }
    }

    /// The same in one region only.
    #[must_use]
    pub fn in_region(self, region: RegionId) -> Self {
        Self { region: Some(region), ..self }
    }

    /// Whether the rule is in force.
    pub fn is_active(&self, now: Moment) -> bool {
        self.from <= now && now < self.until && self.count != Some(0)
    }

    fn covers(&self, at: &Address, operation: &str) -> bool {
        self.region.as_ref().is_none_or(|region| *region == at.region)
            && self.kind.is_none_or(|kind| kind == at.kind)
            && self.operation.as_deref().is_none_or(|word| word == operation)
    }
}

/// A mix of faults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// The rules.
    pub rules: Vec<Rule>,
}

impl FaultPlan {
    /// A random mix for a swarm test: each fault is in or out by a coin, so that runs differ in kind and not only in
    /// luck. All of it has healed after `lasts`.
    pub fn swarm(seed: u64, start: Moment, lasts: Span) -> Self {
        let coin = |n: u64| timing::fraction(timing::draw_text(seed, "swarm", "coin", n));
        let mut rules = Vec::new();
        let faults = [
            Fault::Throttle,
            Fault::LostAnswer { applied: true },
            Fault::LostAnswer { applied: false },
            Fault::Stuck,
            Fault::Slow { factor: 1.0 + 4.0 * coin(100) },
            Fault::Capacity { class: None },
            Fault::StaleRead { lag: Span::from_secs(30) },
            Fault::Gap,
            Fault::CreateFails,
            Fault::UnknownStatus,
            Fault::OtherHand,
        ];
        for (n, fault) in (0_u64..).zip(faults) {
            // What needs a person to repair stays rare, or no run would ever settle by itself.
            let grave = matches!(fault, Fault::CreateFails | Fault::UnknownStatus | Fault::OtherHand);
            if coin(n) < if grave { 0.15 } else { 0.5 } {
                let begin = start + timing::part_of(lasts, 0.5 * coin(20 + n));
                let end = begin + timing::part_of(lasts, 0.1 + 0.4 * coin(40 + n));
                let probability = 0.02 + 0.3 * coin(60 + n) * coin(80 + n);
                let count = if grave { Some(1) } else { None };
                rules.push(Rule { probability, count, ..Rule::always(fault, begin, end) });
            }
        }
        Self { rules }
    }
}

impl World {
    /// Adds a rule and yields its number.
    pub fn add_fault(&mut self, rule: Rule) -> u64 {
        let id = self.next_fault();
        if let Fault::ZoneLoss { zone } = &rule.fault {
            self.schedule_zone_loss(zone.clone(), rule.from, rule.until);
        }
        self.faults.insert(id, rule);
        self.touch(format!("fault/{id}"));
        id
    }

    /// Ends all faults, or one.
    pub fn clear_faults(&mut self, id: Option<u64>) -> usize {
        let gone: Vec<u64> =
            self.faults.keys().copied().filter(|key| id.is_none_or(|id| id == *key)).collect();
        for key in &gone {
            self.faults.remove(key);
            self.touch(format!("fault/{key}"));
        }
        gone.len()
    }

    /// The rules, by number.
    pub fn faults(&self) -> impl Iterator<Item = (u64, &Rule)> {
        self.faults.iter().map(|(id, rule)| (*id, rule))
    }

    /// The first rule of those asked for that strikes now; it is used up by one.
    pub(super) fn strike(
        &mut self,
        at: &Address,
        operation: &str,
        wanted: impl Fn(&Fault) -> bool,
    ) -> Option<Fault> {
        if self.faults.is_empty() {
            return None;
        }
        let now = self.now();
        let seed = self.seed();
        let candidates: Vec<u64> = self
            .faults
            .iter()
            .filter(|(_, rule)| rule.is_active(now) && wanted(&rule.fault) && rule.covers(at, operation))
            .map(|(id, _)| *id)
            .collect();
        for id in candidates {
            let n = self.next_attempt(at);
            let Some(rule) = self.faults.get_mut(&id) else { continue };
            if timing::fraction(timing::draw(seed ^ id, "fault", at, n)) < rule.probability {
                rule.count = rule.count.map(|left| left.saturating_sub(1));
                let fault = rule.fault.clone();
                self.touch(format!("fault/{id}"));
                return Some(fault);
            }
        }
        None
    }

    /// Whether every call to a region fails.
    pub fn is_region_lost(&self, region: &RegionId) -> bool {
        let now = self.now();
        self.faults.values().any(|rule| {
            rule.fault == Fault::RegionLoss
                && rule.is_active(now)
                && rule.region.as_ref().is_none_or(|lost| lost == region)
        })
    }

    /// Whether a rule of that sort strikes a page of an observation; drawn once per moment, region and endpoint.
    pub(super) fn has_gap(&self, region: &RegionId, endpoint: Endpoint) -> bool {
        let (now, seed) = (self.now(), self.seed());
        self.faults.iter().any(|(id, rule)| {
            rule.fault == Fault::Gap
                && rule.is_active(now)
                && rule.region.as_ref().is_none_or(|lost| lost == region)
                && rule.kind.is_none_or(|kind| kind.facts().endpoint == endpoint)
                && timing::fraction(timing::draw_text(
                    seed ^ id,
                    region.as_str(),
                    &format!("{endpoint:?}"),
                    now.as_millis().unsigned_abs(),
                )) < rule.probability
        })
    }

    /// Whether the account may not list what an endpoint of a region holds. A permission is there or not, so that
    /// nothing is drawn.
    pub(super) fn is_denied(&self, region: &RegionId, endpoint: Endpoint) -> bool {
        let now = self.now();
        self.faults.values().any(|rule| {
            rule.fault == Fault::Denied
                && rule.is_active(now)
                && rule.region.as_ref().is_none_or(|denied| denied == region)
                && rule.kind.is_none_or(|kind| kind.facts().endpoint == endpoint)
        })
    }

    /// Whether an object shows an unknown status word now; drawn once per object and rule.
    pub(super) fn shows_unknown(&self, at: &Address) -> bool {
        let (now, seed) = (self.now(), self.seed());
        self.faults.iter().any(|(id, rule)| {
            rule.fault == Fault::UnknownStatus
                && rule.is_active(now)
                && rule.covers(at, "observe")
                && timing::fraction(timing::draw(seed ^ id, "unknown", at, 0)) < rule.probability
        })
    }

    /// The quota that a rule sets for objects of a kind in a region, whatever their names.
    pub(super) fn quota_rule(&self, region: &RegionId, kind: KindId) -> Option<u32> {
        let (now, any) = (self.now(), Name::new("any").ok()?);
        let at = Address::new(region.clone(), kind, any);
        let here = self.faults.values().filter(|rule| rule.is_active(now) && rule.covers(&at, "create"));
        here.filter_map(|rule| if let Fault::Quota { limit } = rule.fault { Some(limit) } else { None }).min()
    }

    /// Whether a rule stands in place of the default quotas of such objects.
    pub(super) fn has_quota_rule(&self, at: &Address) -> bool {
        let now = self.now();
        let is_quota = |rule: &&Rule| matches!(rule.fault, Fault::Quota { .. });
        self.faults.values().filter(is_quota).any(|rule| rule.is_active(now) && rule.covers(at, "create"))
    }

    /// By how much metrics are later than usual.
    pub(super) fn metric_lag(&self) -> Span {
        let now = self.now();
        self.faults
            .values()
            .filter(|rule| rule.is_active(now))
            .filter_map(|rule| if let Fault::LateMetrics { lag } = rule.fault { Some(lag) } else { None })
            .fold(Span::ZERO, Span::max)
    }
}
