//! The cheapest candidate among those that fit, and the order that found it.
//!
//! **Invariant:** what fits a larger load fits a smaller one, so that more demand never gives a cheaper choice.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{CapacityInput, Load, assume};
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

/// What was chosen, and from what.
pub(super) struct Choice<'c> {
    pub best: Option<Candidate<'c>>,
    /// How many classes carry the load.
    pub classes: usize,
    /// The ranking that was used.
    pub ranking: String,
}

/// The best of the candidates for a load, or the one that the store is made of.
pub(super) fn best<'c>(
    ask: &CapacityInput<'c>,
    load: &Load,
    candidates: &dyn Fn(&Load) -> Vec<Candidate<'c>>,
) -> Choice<'c> {
    let all = candidates(load);
    let best = all.iter().min_by(|a, b| compare(ask, a, b)).copied();
    let mut names: Vec<&str> = all.iter().map(|candidate| candidate.class.class.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let service = ask.store.catalog_service();
    let classes = names.iter().filter_map(|name| ask.catalog.class(service, name));
    let config = StorageKind::Standard.as_str();
    let (ranking, _) = ask.catalog.rank(classes, ask.store.catalog_engine(), config, ask.region);
    let made_of = ask.before.and_then(|before| before.class.as_deref());
    let kept = all.iter().find(|candidate| Some(candidate.class.class.as_str()) == made_of).copied();
    let kept = kept.zip(best).filter(|(kept, best)| {
        let roomy = candidates(&load.times(assume::KEPT_CLASS_ROOM));
        let roomy = roomy.iter().min_by(|a, b| compare(ask, a, b)).copied();
        is_near(ask, kept, best) || roomy.is_some_and(|roomy| is_near(ask, kept, &roomy))
    });
    Choice { best: kept.map(|(kept, _)| kept).or(best), classes: all.len(), ranking: ranking_text(&ranking) }
}

/// Whether what is there does not cost far more than what would be chosen.
fn is_near(ask: &CapacityInput<'_>, kept: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    if let (Some(kept), Some(other)) = (cost(ask, kept), cost(ask, other)) {
        return kept <= other * assume::KEPT_CLASS_COST_MAX;
    }
    let size = |one: &Candidate<'_>| Decimal::from(one.class.vcpu.unwrap_or(0)) * Decimal::from(one.machines);
    size(kept) <= size(other) * assume::KEPT_CLASS_COST_MAX
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
    let stated = ask.store.version().map(str::to_owned);
    // An upgrade is somebody's decision: neither a pin that is taken away nor a newer catalogue is one.
    if let Some(version) = stated.or_else(|| ask.before?.version.clone()) {
        return Some(version);
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
