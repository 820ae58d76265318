//! Faults: rules as data, that say what goes wrong, where, when, how often.
//!
//! **Invariant:** whether a rule strikes is drawn from a named stream; the same world meets the same faults again.

use serde::{Deserialize, Serialize};

use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::time::{Moment, Span};

use super::state::{Fault, Rule};
use super::timing;
use super::world::World;

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
            // What only a person repairs stays rare, or no run would ever settle by itself.
            let is_severe = matches!(fault, Fault::CreateFails | Fault::UnknownStatus | Fault::OtherHand);
            if coin(n) < if is_severe { 0.15 } else { 0.5 } {
                let begin = start + timing::part_of(lasts, 0.5 * coin(20 + n));
                let end = begin + timing::part_of(lasts, 0.1 + 0.4 * coin(40 + n));
                let probability = 0.02 + 0.3 * coin(60 + n) * coin(80 + n);
                let count = if is_severe { Some(1) } else { None };
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
        address: &Address,
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
            .filter(|(_, rule)| rule.is_active(now) && wanted(&rule.fault) && rule.covers(address, operation))
            .map(|(id, _)| *id)
            .collect();
        for id in candidates {
            let n = self.next_attempt(address);
            let Some(rule) = self.faults.get_mut(&id) else { continue };
            if timing::fraction(timing::draw(seed ^ id, "fault", address, n)) < rule.probability {
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
    pub(super) fn shows_unknown(&self, address: &Address) -> bool {
        let (now, seed) = (self.now(), self.seed());
        self.faults.iter().any(|(id, rule)| {
            rule.fault == Fault::UnknownStatus
                && rule.is_active(now)
                && rule.covers(address, "observe")
                && timing::fraction(timing::draw(seed ^ id, "unknown", address, 0)) < rule.probability
        })
    }

    /// The quota that a rule sets for objects of a kind in a region, whatever their names.
    pub(super) fn quota_rule(&self, region: &RegionId, kind: KindId) -> Option<u32> {
        let (now, any) = (self.now(), Name::new("any").ok()?);
        let address = Address::new(region.clone(), kind, any);
        let here = self.faults.values().filter(|rule| rule.is_active(now) && rule.covers(&address, "create"));
        here.filter_map(|rule| if let Fault::Quota { limit } = rule.fault { Some(limit) } else { None }).min()
    }

    /// Whether a rule stands in place of the default quotas of such objects.
    pub(super) fn has_quota_rule(&self, address: &Address) -> bool {
        let now = self.now();
        let is_quota = |rule: &&Rule| matches!(rule.fault, Fault::Quota { .. });
        self.faults
            .values()
            .filter(is_quota)
            .any(|rule| rule.is_active(now) && rule.covers(address, "create"))
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
