//! What the making of objects asks of quotas, kept from plan to plan: whether all of it together is within every bound is
//! told by sums, without a look at each step.
//!
//! **Invariant:** it errs on one side only: what is within every bound by these sums is so by `quotas` too.

use std::collections::BTreeMap;

use super::input::PlanInput;
use super::quotas::{Key, QuotaCheck};
use super::tables::quotas::{Quota, bounds_of};
use rgctl_model::kinds::KindId;
use rgctl_model::plan::{Op, Step, Steps};
use rgctl_schema::names::RegionId;

/// The quotas and the bounds that steps ask of, by number, with how much all of them ask for. What the limits are is asked
/// in each plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    counted: Vec<Counted>,
    bounds: Vec<Bounded>,
}

/// Objects or machines of a region that are counted together.
#[derive(Clone, Debug)]
struct Counted {
    region: RegionId,
    kind: KindId,
    quota: Quota,
    sum: u64,
}

impl Counted {
    fn key(&self) -> Key {
        (self.region.clone(), self.quota.service, self.quota.item)
    }
}

/// What one object may have, by the catalog.
#[derive(Clone, Debug)]
struct Bounded {
    region: RegionId,
    service: &'static str,
    items: Vec<String>,
    /// How many objects ask for how much.
    asked: BTreeMap<u64, usize>,
}

/// How much is asked of what is counted together, and for which kinds.
type Together = (u64, Vec<(KindId, Quota)>);

/// What one step asks for, by number of the quota and of the bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Demand {
    counted: Vec<(usize, u64)>,
    bounds: Vec<(usize, u64)>,
}

impl Demands {
    /// Adds what a step asks for that makes an object.
    pub fn add(&mut self, input: &PlanInput<'_>, step: &Step) -> Demand {
        let Op::Create { address, attrs, .. } = &step.op else { return Demand::default() };
        let mut demand = Demand::default();
        for (kind, quota, by) in QuotaCheck::new(input).changes(step) {
            let more = u64::try_from(by).unwrap_or_default();
            let one = Counted { region: address.region.clone(), kind, quota, sum: 0 };
            let number = number_of(&mut self.counted, one, |one, other| {
                one.kind == other.kind && one.key() == other.key()
            });
            self.counted[number].sum = self.counted[number].sum.saturating_add(more);
            demand.counted.push((number, more));
        }
        for bound in bounds_of(attrs, false) {
            let (region, service, items) = (address.region.clone(), bound.service, bound.items);
            let one = Bounded { region, service, items, asked: BTreeMap::new() };
            let number = number_of(&mut self.bounds, one, |one, other| {
                (&one.region, one.service, &one.items) == (&other.region, other.service, &other.items)
            });
            *self.bounds[number].asked.entry(bound.asked).or_default() += 1;
            demand.bounds.push((number, bound.asked));
        }
        demand
    }

    /// Takes off what was added.
    pub fn take_off(&mut self, demand: &Demand) {
        for (number, more) in &demand.counted {
            self.counted[*number].sum = self.counted[*number].sum.saturating_sub(*more);
        }
        for (number, asked) in &demand.bounds {
            let all = &mut self.bounds[*number].asked;
            if let Some(count) = all.get_mut(asked) {
                *count -= 1;
                if *count == 0 {
                    all.remove(asked);
                }
            }
        }
    }

    /// Whether all of it is within every bound that is known, together with what other steps ask for.
    pub fn surely_fit(&self, input: &PlanInput<'_>, others: &Steps) -> bool {
        let check = QuotaCheck::new(input);
        let mut groups: BTreeMap<Key, Together> = BTreeMap::new();
        for counted in self.counted.iter().filter(|counted| counted.sum > 0) {
            let (sum, kinds) = groups.entry(counted.key()).or_default();
            *sum = sum.saturating_add(counted.sum);
            kinds.push((counted.kind, counted.quota));
        }
        for step in others {
            let region = &step.op.address().region;
            for (kind, quota, by) in check.changes(step) {
                let (sum, kinds) = groups.entry((region.clone(), quota.service, quota.item)).or_default();
                *sum = sum.saturating_add(u64::try_from(by).unwrap_or_default());
                kinds.push((kind, quota));
            }
        }
        let is_within = |((region, ..), (more, kinds)): (&Key, &Together)| {
            // Which of the kinds that count together is counted for is not known here: it fits for each.
            kinds.iter().all(|(kind, quota)| {
                let count = check.count(region, *kind, *quota);
                count.is_none_or(|count| count.base.saturating_add(*more) <= count.limit)
            })
        };
        let is_bounded = |of: &Bounded| {
            let mut limits =
                of.items.iter().filter_map(|item| check.default_of(&of.region, of.service, item));
            let most = of.asked.last_key_value().map_or(0, |(asked, _)| *asked);
            limits.next().is_none_or(|limit| most <= limit)
        };
        groups.iter().all(is_within)
            && self.bounds.iter().all(is_bounded)
            && others.iter().all(|step| check.too_big(step).is_empty())
    }
}

/// The number of a thing among others; where it is not among them, it is from now on.
fn number_of<T>(all: &mut Vec<T>, one: T, is_same: impl Fn(&T, &T) -> bool) -> usize {
    all.iter().position(|other| is_same(other, &one)).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    })
}
