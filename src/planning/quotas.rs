//! What of a plan would exceed the quotas that are known, judged once for all of it, before anything is begun.
//!
//! What shrinks, changes without growing or removes is never over a quota, however much there is.

use std::collections::BTreeMap;

use super::Ask;
use super::compare::effective_attrs;
use crate::artefacts::plan::{Op, Step};
use crate::artefacts::quota::{AccountQuota, OverQuota};
use crate::kinds::quotas::{Quota, bounds_of, units_of};
use crate::kinds::{AnyAttrs, KindId};
use crate::vocabulary::names::RegionId;
use crate::vocabulary::phase::Phase;

/// What is counted together: objects or machines of a region, by the catalog's name.
type Key = (RegionId, &'static str, &'static str);

/// What a plan makes of one quota.
struct Count<'a> {
    limit: u64,
    own: bool,
    /// How much there is, less what the plan takes away.
    base: u64,
    /// Steps that need more, with how much.
    grows: Vec<(&'a Step, u64)>,
}

/// The quotas that the steps of a plan would exceed. `own` are those that the account told; the others are the catalog's
/// defaults. What nobody knows refuses nothing.
pub fn over_quota(ask: &Ask<'_>, steps: &[Step], own: &[AccountQuota]) -> Vec<OverQuota> {
    let desk = Desk { ask, own };
    let mut counts: BTreeMap<Key, Option<Count<'_>>> = BTreeMap::new();
    let mut over = Vec::new();
    for step in steps {
        over.extend(desk.too_big(step));
        for (kind, quota, change) in desk.changes(step) {
            let key = (step.op.at().region.clone(), quota.service, quota.item);
            let count = counts.entry(key).or_insert_with_key(|(region, ..)| desk.count(region, kind, quota));
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
    let mut steps = Vec::new();
    for (step, more) in &count.grows {
        would_be = would_be.saturating_add(*more);
        if would_be > count.limit {
            steps.push(step.id.clone());
        }
    }
    let (limit, own) = (count.limit, count.own);
    (!steps.is_empty()).then(|| OverQuota { region, what: item.to_owned(), would_be, limit, own, steps })
}

const fn told_quota(kind: KindId) -> Quota {
    Quota { service: "account", item: kind.as_str(), beside: None }
}

struct Desk<'a> {
    ask: &'a Ask<'a>,
    own: &'a [AccountQuota],
}

impl Desk<'_> {
    fn own(&self, region: &RegionId, kind: KindId) -> Option<&AccountQuota> {
        self.own.iter().find(|quota| quota.region == *region && quota.kind == kind)
    }

    fn default_of(&self, region: &RegionId, service: &str, item: &str) -> Option<u64> {
        self.ask.figures.limit(service, item, region)
    }

    /// What a step adds to or takes from which quota.
    fn changes(&self, step: &Step) -> Vec<(KindId, Quota, i64)> {
        let at = step.op.at();
        let seen = self.ask.inventory.seen.get(at).map(effective_attrs);
        let units = |attrs: Option<&AnyAttrs>| i64::try_from(attrs.map_or(0, units_of)).unwrap_or(i64::MAX);
        // A kind without a usual quota may have one of the account's own.
        let told =
            |kind: KindId| self.own(&at.region, kind).filter(|own| own.alone).map(|_| told_quota(kind));
        let objects =
            |kind: KindId, by: i64| kind.quota().or_else(|| told(kind)).map(|quota| (kind, quota, by));
        let machines = |by: i64| at.kind.unit_quota().map(|quota| (at.kind, quota, by));
        let changes = match &step.op {
            Op::Create { attrs, .. } => [objects(at.kind, 1), machines(units(Some(attrs)))],
            Op::Delete { final_snapshot, .. } => {
                let snapshot = final_snapshot.as_ref().and(at.kind.facts().final_snapshot);
                let kept = snapshot.and_then(|kind| objects(kind, 1));
                return [objects(at.kind, -1), machines(-units(seen.as_ref())), kept]
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
    fn count<'b>(&self, region: &RegionId, kind: KindId, quota: Quota) -> Option<Count<'b>> {
        let own = self.own(region, kind);
        let is_of_machines = kind.unit_quota().is_some_and(|machines| machines.item == quota.item);
        if own.is_some_and(|own| own.alone && is_of_machines) {
            return None;
        }
        let told = own.filter(|_| !is_of_machines);
        let limit =
            told.map_or_else(|| self.default_of(region, quota.service, quota.item), |own| Some(own.limit))?;
        let beside = quota.beside.filter(|_| !told.is_some_and(|own| own.alone));
        let here = self.ask.inventory.seen.iter().filter(|(at, seen)| {
            at.region == *region
                && (at.kind == kind || Some(at.kind) == beside)
                && !matches!(seen.facts.phase, Phase::Absent)
        });
        let seen: u64 =
            here.map(|(_, seen)| if is_of_machines { units_of(&effective_attrs(seen)) } else { 1 }).sum();
        let base = told.and_then(|own| own.used).unwrap_or(seen);
        Some(Count { limit, own: told.is_some(), base, grows: Vec::new() })
    }

    /// The bounds that one object would exceed.
    fn too_big(&self, step: &Step) -> Vec<OverQuota> {
        let at = step.op.at();
        if self.own(&at.region, at.kind).is_some_and(|own| own.alone) {
            return Vec::new();
        }
        let seen = self.ask.inventory.seen.get(at).map(effective_attrs);
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
                bound.items.iter().find_map(|item| self.default_of(&at.region, bound.service, item))?;
            (bound.asked > limit).then(|| OverQuota {
                region: at.region.clone(),
                what: format!("{} in {}", bound.what, at.name),
                would_be: bound.asked,
                limit,
                own: false,
                steps: vec![step.id.clone()],
            })
        });
        over.collect()
    }
}
