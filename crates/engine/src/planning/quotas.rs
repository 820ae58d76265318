//! What of a plan would exceed the quotas that are known, judged for all of its steps together: a quota is on the sum.
//!
//! What shrinks or changes without growing is never over a quota, however much there is. What is over one is told here, and
//! refused by the gate.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::difference::effective_attrs;
use super::input::PlanInput;
use super::tables::quotas::{Quota, bounds_of, quota_of, unit_quota_of, units_of};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::Inventory;
use rgctl_model::plan::{Answer, Op, Step, Steps};
use rgctl_model::quota::{AccountQuota, KnownQuota, OverQuota};
use rgctl_schema::names::RegionId;
use rgctl_schema::phase::Phase;

/// What is counted together: objects or machines of a region, by the catalog's name.
pub(super) type Key = (RegionId, &'static str, &'static str);

/// What a plan makes of one quota.
pub(super) struct Count<'a> {
    pub limit: u64,
    own: bool,
    /// How much there is, less what the plan takes away.
    pub base: u64,
    /// Steps that need more, with how much.
    grows: Vec<(&'a Step, u64)>,
}

/// Quotas as the account told them, beside what was seen then. Where not all was seen, nobody knows what others have.
pub fn known(told: Vec<AccountQuota>, inventory: &Inventory) -> Vec<KnownQuota> {
    let here = Here::of(inventory);
    let known = told.into_iter().map(|quota| {
        let AccountQuota { region, kind, limit, used, alone } = quota;
        let is_seen = !inventory.gaps.iter().any(|gap| gap.region == region);
        let beside = quota_of(kind).and_then(|usual| usual.beside).filter(|_| !alone);
        let others = used.filter(|_| is_seen).map_or(0, |used| {
            used.saturating_sub(here.objects(&region, std::iter::once(kind).chain(beside)))
        });
        KnownQuota { region, kind, limit, others, alone }
    });
    known.collect()
}

/// The regions in which steps make or grow something: those whose quotas matter.
pub fn regions_that_grow<'s>(steps: impl IntoIterator<Item = &'s Step>) -> BTreeSet<RegionId> {
    let mut regions: BTreeSet<RegionId> = BTreeSet::new();
    for step in steps.into_iter().filter(|step| may_grow(step)) {
        if !regions.contains(&step.op.address().region) {
            regions.insert(step.op.address().region.clone());
        }
    }
    regions
}

fn may_grow(step: &Step) -> bool {
    match &step.op {
        Op::Create { .. } => true,
        Op::Modify { address, .. } => unit_quota_of(address.kind).is_some(),
        Op::Delete { .. } | Op::Tag { .. } | Op::Act { .. } => false,
    }
}

/// What goes may leave a snapshot.
fn asks_for_more(step: &Step) -> bool {
    may_grow(step) || matches!(step.op, Op::Delete { final_snapshot: Some(_), .. })
}

/// The quotas that the steps of a plan would exceed: those that the account told, and else the catalog's defaults. What
/// nobody knows refuses nothing; what the gate refuses already neither takes room nor makes any.
pub(super) fn over_quota(input: &PlanInput<'_>, steps: &Steps) -> Vec<OverQuota> {
    if !steps.iter().any(asks_for_more) {
        return Vec::new();
    }
    let check = QuotaCheck::new(input);
    let mut counts: BTreeMap<Key, Option<Count<'_>>> = BTreeMap::new();
    let mut over = Vec::new();
    let judged = || steps.iter().filter(|step| !matches!(step.answer, Answer::No { .. }));
    // What makes up for a loss takes its old place before anything new does.
    for step in judged().filter(|step| step.repairs).chain(judged().filter(|step| !step.repairs)) {
        over.extend(check.too_big(step));
        for (kind, quota, change) in check.changes(step) {
            let key = (step.op.address().region.clone(), quota.service, quota.item);
            let count = counts.entry(key).or_insert_with_key(|(region, ..)| check.count(region, kind, quota));
            let Some(count) = count else { continue };
            match u64::try_from(change) {
                Ok(more) if more > 0 => count.grows.push((step, more)),
                _ => count.base = count.base.saturating_sub(change.unsigned_abs()),
            }
        }
    }
    let counted = counts.into_iter().filter_map(|(key, count)| exceeded(key, count.as_ref()?));
    over.extend(counted);
    over
}

fn exceeded((region, _, item): Key, count: &Count<'_>) -> Option<OverQuota> {
    let mut would_be = count.base;
    let mut steps = BTreeSet::new();
    for (step, more) in &count.grows {
        would_be = would_be.saturating_add(*more);
        if would_be > count.limit {
            steps.insert(step.id.clone());
        }
    }
    let (limit, own) = (count.limit, count.own);
    (!steps.is_empty()).then(|| OverQuota { region, what: item.to_owned(), would_be, limit, own, steps })
}

const fn told_quota(kind: KindId) -> Quota {
    Quota { service: "account", item: kind.as_str(), beside: None }
}

/// How many objects there are, and how much they have of what is counted in them.
struct Here<'a>(BTreeMap<(&'a RegionId, KindId), (u64, u64)>);

impl<'a> Here<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let mut here = Self(BTreeMap::new());
        // What is seen comes in order, so that each place is looked for once.
        let (mut place, mut count) = (None, (0, 0));
        for (address, seen) in &inventory.seen {
            if place != Some((&address.region, address.kind)) {
                here.add(place.replace((&address.region, address.kind)), std::mem::take(&mut count));
            }
            if matches!(seen.facts.phase, Phase::Absent) {
                continue;
            }
            count.0 += 1;
            if unit_quota_of(address.kind).is_some() {
                count.1 = u64::saturating_add(count.1, units_of(&effective_attrs(seen)));
            }
        }
        here.add(place, count);
        here
    }

    fn add(&mut self, place: Option<(&'a RegionId, KindId)>, count: (u64, u64)) {
        self.0.extend(place.map(|place| (place, count)));
    }

    fn objects(&self, region: &'a RegionId, kinds: impl Iterator<Item = KindId>) -> u64 {
        kinds.filter_map(|kind| self.0.get(&(region, kind))).map(|(objects, _)| objects).sum()
    }

    fn units(&self, region: &'a RegionId, kind: KindId) -> u64 {
        self.0.get(&(region, kind)).map_or(0, |(_, units)| *units)
    }
}

pub(super) struct QuotaCheck<'a> {
    input: &'a PlanInput<'a>,
    /// Counted when it is asked for: where no limit is known, nobody asks.
    here: OnceCell<Here<'a>>,
}

impl<'a> QuotaCheck<'a> {
    pub(super) const fn new(input: &'a PlanInput<'a>) -> Self {
        Self { input, here: OnceCell::new() }
    }

    fn here(&self) -> &Here<'a> {
        self.here.get_or_init(|| Here::of(self.input.inventory))
    }

    fn own(&self, region: &RegionId, kind: KindId) -> Option<&KnownQuota> {
        self.input.verdicts.quotas.iter().find(|quota| quota.region == *region && quota.kind == kind)
    }

    pub(super) fn default_of(&self, region: &RegionId, service: &str, item: &str) -> Option<u64> {
        self.input.figures.limit(service, item, region)
    }

    /// What a step adds to or takes from which quota.
    pub(super) fn changes(&self, step: &Step) -> Vec<(KindId, Quota, i64)> {
        let address = step.op.address();
        let seen = self.input.inventory.seen.get(address).map(effective_attrs);
        let units = |attrs: Option<&AnyAttrs>| i64::try_from(attrs.map_or(0, units_of)).unwrap_or(i64::MAX);
        // A kind without a usual quota may have one of the account's own.
        let told =
            |kind: KindId| self.own(&address.region, kind).filter(|own| own.alone).map(|_| told_quota(kind));
        let objects =
            |kind: KindId, by: i64| quota_of(kind).or_else(|| told(kind)).map(|quota| (kind, quota, by));
        let machines = |by: i64| unit_quota_of(address.kind).map(|quota| (address.kind, quota, by));
        let changes = match &step.op {
            Op::Create { attrs, .. } => [objects(address.kind, 1), machines(units(Some(attrs)))],
            Op::Delete { final_snapshot, .. } => {
                let snapshot = final_snapshot.as_ref().and(address.kind.facts().final_snapshot);
                let kept = snapshot.and_then(|kind| objects(kind, 1));
                return [objects(address.kind, -1), machines(-units(seen.as_ref())), kept]
                    .into_iter()
                    .flatten()
                    .collect();
            }
            Op::Modify { attrs, .. } => {
                let after = seen.clone().map(|mut after| {
                    after.overlay(attrs);
                    after
                });
                [None, machines(units(after.as_ref()) - units(seen.as_ref()))]
            }
            Op::Tag { .. } | Op::Act { .. } => [None, None],
        };
        changes.into_iter().flatten().filter(|(.., by)| *by != 0).collect()
    }

    /// How much there is of a quota's objects or machines, and may be.
    pub(super) fn count<'b>(&self, region: &RegionId, kind: KindId, quota: Quota) -> Option<Count<'b>> {
        let own = self.own(region, kind);
        let is_of_machines = unit_quota_of(kind).is_some_and(|machines| machines.item == quota.item);
        if own.is_some_and(|own| own.alone && is_of_machines) {
            return None;
        }
        let told = own.filter(|_| !is_of_machines);
        let limit =
            told.map_or_else(|| self.default_of(region, quota.service, quota.item), |own| Some(own.limit))?;
        let beside = quota.beside.filter(|_| !told.is_some_and(|own| own.alone));
        let base = if is_of_machines {
            self.here().units(region, kind)
        } else {
            let seen = self.here().objects(region, std::iter::once(kind).chain(beside));
            seen.saturating_add(told.map_or(0, |own| own.others))
        };
        Some(Count { limit, own: told.is_some(), base, grows: Vec::new() })
    }

    /// The bounds that one object would exceed.
    pub(super) fn too_big(&self, step: &Step) -> Vec<OverQuota> {
        let address = step.op.address();
        if self.own(&address.region, address.kind).is_some_and(|own| own.alone) {
            return Vec::new();
        }
        let seen = self.input.inventory.seen.get(address).map(effective_attrs);
        let after = match (&step.op, &seen) {
            (Op::Create { attrs, .. }, _) => attrs.clone(),
            (Op::Modify { attrs, .. }, Some(seen)) => {
                let mut after = seen.clone();
                after.overlay(attrs);
                if units_of(&after) <= units_of(seen) {
                    return Vec::new();
                }
                after
            }
            _ => return Vec::new(),
        };
        let is_there = matches!(step.op, Op::Modify { .. });
        let over = bounds_of(&after, is_there).into_iter().filter_map(|bound| {
            let limit =
                bound.items.iter().find_map(|item| self.default_of(&address.region, bound.service, item))?;
            (bound.asked > limit).then(|| OverQuota {
                region: address.region.clone(),
                what: format!("{} in {}", bound.what, address.name),
                would_be: bound.asked,
                limit,
                own: false,
                steps: BTreeSet::from([step.id.clone()]),
            })
        });
        over.collect()
    }
}
