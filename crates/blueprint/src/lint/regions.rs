//! Region documents: what contradicts itself, or the catalogue.

use std::collections::BTreeSet;

use crate::region::Region;
use rgctl_catalog::Catalog;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Finding, did_you_mean};

pub(super) fn check(region: &Region, catalog: &Catalog) -> Vec<Finding> {
    let mut found = Vec::new();
    against_catalog(region, catalog, &mut found);
    zones(region, &mut found);
    subnets(region, &mut found);
    lacks(region, catalog, &mut found);
    found
}

/// A currency or partition that is believed would price the region at nothing, or look for it where it is not.
fn against_catalog(region: &Region, catalog: &Catalog, found: &mut Vec<Finding>) {
    let (code, spec) = (&region.metadata.name, &region.spec);
    let Some(facts) = catalog.region(code) else { return };
    let mut differs = |field: &str, message: String, known: &str| {
        found.push(
            Finding::error(codes::BAD_REGION, format!("spec.{field}"), message)
                .label("the catalogue knows otherwise")
                .help(format!("write `{field}: {known}`")),
        );
    };
    if spec.currency != facts.currency {
        let message = format!("`{code}` is billed in {}, not in {}", facts.currency, spec.currency);
        differs("currency", message, facts.currency.code());
    }
    if spec.partition != facts.partition {
        let message = format!("`{code}` is in partition `{}`, not in `{}`", facts.partition, spec.partition);
        differs("partition", message, facts.partition.as_str());
    }
}

/// Elements of a list that are there already, by their place.
fn repeated(list: &[String]) -> impl Iterator<Item = (usize, &String)> {
    let mut seen = BTreeSet::new();
    list.iter().enumerate().filter(move |(_, item)| !seen.insert(*item))
}

fn zones(region: &Region, found: &mut Vec<Finding>) {
    let code = region.metadata.name.as_str();
    let zones = &region.spec.zones;
    let at = |place: usize| format!("spec.zones[{place}]");
    for (place, zone) in repeated(zones) {
        let message = format!("the zone `{zone}` is listed twice: members would share it");
        found.push(Finding::error(codes::BAD_REGION, at(place), message).help("remove one of the two"));
    }
    for (place, zone) in zones.iter().enumerate().filter(|(_, zone)| !zone.starts_with(code)) {
        found.push(
            Finding::error(codes::BAD_REGION, at(place), format!("`{zone}` is no zone of `{code}`"))
                .help(format!("zones are named after their region, such as `{code}a`")),
        );
    }
}

fn subnets(region: &Region, found: &mut Vec<Finding>) {
    let (zones, subnets) = (region.spec.zones.len(), &region.spec.network.subnets);
    for (place, subnet) in repeated(subnets) {
        let path = format!("spec.network.subnets[{place}]");
        let message = format!("the subnet `{subnet}` is listed twice");
        found.push(Finding::error(codes::BAD_REGION, path, message).help("remove one of the two"));
    }
    if !subnets.is_empty() && subnets.len() < zones {
        let message = format!(
            "{} subnets for {zones} zones: a member that is placed in a zone without a subnet is refused",
            subnets.len()
        );
        found.push(
            Finding::warning(codes::BAD_REGION, "spec.network.subnets", message)
                .help("give a subnet in each zone, in the order of the zones, or remove the other zones"),
        );
    }
}

/// A feature that nobody knows forbids nothing, which is not what its author meant.
fn lacks(region: &Region, catalog: &Catalog, found: &mut Vec<Finding>) {
    for (place, lack) in region.spec.lacks.iter().enumerate() {
        let known = || catalog.limits().map(|limit| format!("{}/{}", limit.service, limit.item));
        if known().any(|feature| feature == lack.feature) {
            continue;
        }
        let names: Vec<String> = known().collect();
        let help = did_you_mean(&lack.feature, names.iter().map(String::as_str)).map_or_else(
            || "features are listed by `rgctl catalog limits`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let message =
            format!("the catalogue knows no feature `{}`, so that nothing is forbidden", lack.feature);
        let path = format!("spec.lacks[{place}].feature");
        found.push(Finding::warning(codes::BAD_REGION, path, message).label("unknown feature").help(help));
    }
}
