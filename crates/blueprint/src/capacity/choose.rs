//! The cheapest candidate among those that fit, and the order that found it.
//!
//! **Invariant:** what fits a larger load fits a smaller one, so that more demand never gives a cheaper choice.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::CapacityInput;
use rgctl_catalog::{InstanceClass, Offered, Ranking, by_size};
use rgctl_model::kinds::aurora::StorageKind;

/// A class and a number of machines of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'c> {
    pub class: &'c InstanceClass,
    /// Machines in all.
    pub machines: u32,
    /// What the family counts: members, shards, nodes.
    pub count: u32,
}

/// Cost of all machines for an hour, where it is known.
fn cost(ask: &CapacityInput<'_>, candidate: &Candidate<'_>) -> Option<Decimal> {
    let (service, engine) = (ask.store.catalog_service(), ask.store.catalog_engine());
    let config = if service == "aurora" || service == "docdb" { "standard" } else { "-" };
    let price = ask.catalog.class_price(service, &candidate.class.class, engine, config, ask.region);
    Some(price.money()?.amount * Decimal::from(candidate.machines))
}

/// The cheapest first; those without a price last, the smallest first.
fn compare(ask: &CapacityInput<'_>, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    let total = |candidate: &Candidate<'_>| {
        candidate.class.vcpu.unwrap_or(u32::MAX).saturating_mul(candidate.machines)
    };
    let by_price = match (cost(ask, a), cost(ask, b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    by_price
        .then_with(|| total(a).cmp(&total(b)))
        .then_with(|| a.machines.cmp(&b.machines))
        .then_with(|| by_size(a.class, b.class))
}

/// The best of the candidates, with the ranking that was used.
pub(super) fn best<'c>(
    ask: &CapacityInput<'c>,
    candidates: &[Candidate<'c>],
) -> (Option<Candidate<'c>>, String) {
    let best = candidates.iter().min_by(|a, b| compare(ask, a, b)).copied();
    let mut names: Vec<&str> = candidates.iter().map(|candidate| candidate.class.class.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let service = ask.store.catalog_service();
    let classes = names.iter().filter_map(|name| ask.catalog.class(service, name));
    let config = StorageKind::Standard.as_str();
    let (ranking, _) = ask.catalog.rank(classes, ask.store.catalog_engine(), config, ask.region);
    (best, ranking_text(&ranking))
}

/// The ranking in words; of classes that were not compared only the number is said, the plan's notes name prices.
fn ranking_text(ranking: &Ranking) -> String {
    match ranking {
        Ranking::ByPrice { unpriced, .. } if !unpriced.is_empty() => {
            format!("by price; {} classes without a known price were not compared", unpriced.len())
        }
        Ranking::ByPrice { .. } | Ranking::BySize => ranking.to_string(),
    }
}

/// The classes that may be chosen: sold in all regions of the store, of known size, not burstable, not out of date.
pub(super) fn classes<'c>(ask: &CapacityInput<'c>, named: Option<&str>) -> Vec<&'c InstanceClass> {
    let (service, engine) = (ask.store.catalog_service(), ask.store.catalog_engine());
    if let Some(named) = named {
        return ask.catalog.class(service, named).into_iter().collect();
    }
    let offered = ask.catalog.classes_offered(service, engine, ask.region);
    offered
        .into_iter()
        .filter(|class| class.vcpu.is_some() && class.memory_gib.is_some())
        .filter(|class| !class.is_burstable() && is_current(class))
        .filter(|class| {
            ask.secondaries
                .iter()
                .all(|region| ask.catalog.offered(service, engine, &class.class, region) == Offered::Yes)
        })
        .collect()
}

/// Generations before the fifth lack encryption of connections, features and stock; warehouses count theirs anew.
fn is_current(class: &InstanceClass) -> bool {
    class.service == "redshift" && !class.family().starts_with('d') || class.generation() >= 5
}

/// The newest version that is not deprecated and names more than a major line.
pub(super) fn version(ask: &CapacityInput<'_>) -> Option<String> {
    if let Some(version) = ask.store.version() {
        return Some(version.to_owned());
    }
    let versions = ask.catalog.versions(ask.store.catalog_service(), ask.store.catalog_engine());
    let names =
        versions.iter().rev().filter(|version| !version.is_deprecated).map(|version| &version.version);
    names
        .filter(|name| name.contains('.') && !name.contains('-'))
        .find(|name| !name.starts_with("8.") || name.contains("mysql_aurora") || !is_mysql(ask))
        .cloned()
}

fn is_mysql(ask: &CapacityInput<'_>) -> bool {
    ask.store.catalog_engine() == "aurora-mysql"
}

/// Whole units of a small positive number; what is no number, or beyond all counts, saturates.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates, which is wanted"
)]
pub(super) fn units(number: f64) -> u32 {
    number.ceil() as u32
}

/// A limit of the service, where the catalogue states it.
pub(super) fn limit(ask: &CapacityInput<'_>, item: &str) -> Option<f64> {
    ask.catalog.limit(ask.store.catalog_service(), item, "all")?.value.max()
}
