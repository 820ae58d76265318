//! How much one account may have in one region: the default quotas of the catalog, with the services' own codes.
//!
//! Goes in: the catalog, the world, a call. Comes out: nothing, or the refusal.
//!
//! **Invariant:** a quota that the catalog does not know refuses nothing.
//! **Invariant:** a `quota` rule on a kind stands in place of its default quotas, as an account has them raised.

use std::collections::BTreeSet;

use rgctl_catalog::Catalog;
use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::plan::Op;
use rgctl_model::ports::CloudError;
use rgctl_model::quota::AccountQuota;
use rgctl_schema::names::RegionId;

use super::refusals::refused;
use super::tables::quotas::{bounds_of, quota_of, unit_quota_of, units_of};
use super::world::World;

/// The refusal of a call that asks for more than the account may have.
pub(super) fn over_quota(catalog: &Catalog, world: &World, op: &Op) -> Option<CloudError> {
    let address = op.address();
    if world.has_quota_rule(address) {
        return None;
    }
    let check = QuotaCheck { catalog, world, region: &address.region };
    match op {
        Op::Create { attrs, .. } if !world.objects.contains_key(address) => check
            .too_many(address.kind)
            .or_else(|| check.too_big(address, attrs))
            .or_else(|| check.too_many_units(address, attrs)),
        Op::Modify { attrs, .. } => {
            let before = &world.objects.get(address)?.attrs;
            let mut after = before.clone();
            after.overlay(attrs);
            // What does not grow needs no quota.
            let grows = units_of(&after) > units_of(before);
            grows
                .then(|| check.too_big(address, &after).or_else(|| check.too_many_units(address, &after)))
                .flatten()
        }
        Op::Delete { final_snapshot: Some(_), .. } => check.too_many(address.kind.facts().final_snapshot?),
        Op::Create { .. } | Op::Delete { .. } | Op::Tag { .. } | Op::Act { .. } => None,
    }
}

/// What the account tells of its quotas: those that a rule has raised or lowered, and the usual ones, with what is in use.
pub(super) fn told(
    catalog: Option<&Catalog>,
    world: &World,
    regions: &BTreeSet<RegionId>,
) -> Vec<AccountQuota> {
    let mut told = Vec::new();
    for (region, kind) in
        regions.iter().flat_map(|region| KindId::ALL.iter().map(move |kind| (region, *kind)))
    {
        let count = |kind: KindId| world.in_region(region, kind).count() as u64;
        let quota = |limit: u64, used: u64, alone: bool| AccountQuota {
            region: region.clone(),
            kind,
            limit,
            used: Some(used),
            alone,
        };
        if let Some(limit) = world.quota_rule(region, kind) {
            told.push(quota(limit.into(), count(kind), true));
        } else if let (Some(catalog), Some(usual)) = (catalog, quota_of(kind)) {
            let used = count(kind) + usual.beside.map_or(0, count);
            let limit = catalog.limit_number(usual.service, usual.item, region.as_str());
            told.extend(limit.map(|limit| quota(limit, used, false)));
        }
    }
    told
}

struct QuotaCheck<'a> {
    catalog: &'a Catalog,
    world: &'a World,
    region: &'a RegionId,
}

impl QuotaCheck<'_> {
    fn limit(&self, service: &str, item: &str) -> Option<u64> {
        self.catalog.limit_number(service, item, self.region.as_str())
    }

    fn too_many(&self, kind: KindId) -> Option<CloudError> {
        let quota = quota_of(kind)?;
        let limit = self.limit(quota.service, quota.item)?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let kinds = std::iter::once(kind).chain(quota.beside);
        // Counted no further than the answer needs.
        let has = kinds.flat_map(|kind| self.world.in_region(self.region, kind)).take(most).count();
        let message = || format!("{} allows {limit} in {}, and all are in use", quota.item, self.region);
        (has >= most).then(|| refused(quota.code, message()))
    }

    fn too_big(&self, address: &Address, attrs: &AnyAttrs) -> Option<CloudError> {
        bounds_of(attrs, self.world.objects.contains_key(address)).into_iter().find_map(|bound| {
            let limit = bound.items.iter().find_map(|item| self.limit(bound.service, item))?;
            let message =
                || format!("{address}: {} {} are asked for, {limit} are allowed", bound.asked, bound.what);
            (bound.asked > limit).then(|| refused(bound.code, message()))
        })
    }

    fn too_many_units(&self, address: &Address, attrs: &AnyAttrs) -> Option<CloudError> {
        let quota = unit_quota_of(address.kind)?;
        let limit = self.limit(quota.service, quota.item)?;
        let others = self.world.in_region(self.region, address.kind).filter(|(other, _)| *other != address);
        let used: u64 = others.map(|(_, object)| units_of(&object.attrs)).sum();
        let asked = units_of(attrs);
        let message = || {
            format!(
                "{} allows {limit} in {}: {used} are in use, {asked} are asked for",
                quota.item, self.region
            )
        };
        (used.saturating_add(asked) > limit).then(|| refused(quota.code, message()))
    }
}
