//! Names in the arguments of `rgctl sim`: regions, zones, classes and operations that there are.
//!
//! Goes in: arguments, the catalog, the world. Comes out: nothing, or everything that is unknown.
//!
//! **Invariant:** a fault that can never strike is refused: a rehearsal that tests nothing looks like one that went well.

use std::collections::BTreeSet;

use super::names::{built_in_regions, unknown};
use super::sim_args::{FaultArgs, FaultWord, SimCommandError};
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_catalog::Catalog;
use rgctl_schema::names::RegionId;
use rgctl_sim::World;

/// The operations in a word each: those of [`Op`] and of its verbs, and looking.
const OPERATIONS: [&str; 13] = [
    "create",
    "modify",
    "tag",
    "delete",
    "observe",
    "failover",
    "test-failover",
    "switchover",
    "failover-global",
    "detach",
    "reboot",
    "start",
    "stop",
];

/// Regions that are known without any file, and those in which the world has something.
fn regions(catalog: &Catalog, world: &World) -> BTreeSet<String> {
    let mut known = built_in_regions(catalog);
    known.extend(world.everything().map(|(address, _)| address.region.to_string()));
    known
}

fn refused(problems: impl IntoIterator<Item = String>) -> Result<(), SimCommandError> {
    let problems: Vec<String> = problems.into_iter().collect();
    if problems.is_empty() { Ok(()) } else { Err(SimCommandError::Argument(problems.join("\n       "))) }
}

fn catalog() -> Result<Catalog, SimCommandError> {
    Catalog::embedded().map_err(|error| SimCommandError::Argument(error.to_string()))
}

/// Whether there is such a region.
pub fn check_region(region: &RegionId, world: &World) -> Result<(), SimCommandError> {
    refused(unknown("", "region", region.as_str(), &regions(&catalog()?, world)))
}

/// Whether everything that a fault names is there, and belongs to this sort of fault.
pub fn check_fault(args: &FaultArgs, world: &World) -> Result<(), SimCommandError> {
    let catalog = catalog()?;
    let known = regions(&catalog, world);
    let mut problems = Vec::new();
    if let Some(region) = &args.region {
        problems.extend(unknown("--region", "region", region.as_str(), &known));
    }
    if let Some(operation) = &args.operation {
        let words = OPERATIONS.map(str::to_owned).into();
        problems.extend(unknown("--operation", "operation", operation, &words));
    }
    if let Some(class) = &args.class {
        let engines = catalog.engines();
        let classes: BTreeSet<String> = engines
            .flat_map(|(service, engine)| catalog.class_names(service, engine))
            .map(str::to_owned)
            .collect();
        problems.extend(unknown("--class", "class", class, &classes));
        if args.what != FaultWord::Capacity {
            problems.push("`--class` is of the fault `capacity` only".to_owned());
        }
    }
    if let Some(zone) = &args.zone {
        let all = zones(&known, world);
        problems.extend(unknown("--zone", "zone", zone, &all));
        if args.what != FaultWord::ZoneLoss {
            problems.push("`--zone` is of the fault `zone-loss` only".to_owned());
        }
        if let Some(region) = args.region.as_ref().filter(|region| !zone.starts_with(region.as_str())) {
            problems.push(format!("the zone `{zone}` is not in {region}"));
        }
    }
    if args.unapplied && args.what != FaultWord::LostAnswer {
        problems.push("`--unapplied` is of the fault `lost-answer` only".to_owned());
    }
    refused(problems)
}

/// The zones that regions are described with, those that the world places members in, and those that they are in.
fn zones(regions: &BTreeSet<String>, world: &World) -> BTreeSet<String> {
    let placed = regions.iter().flat_map(|region| ["a", "b", "c"].map(|letter| format!("{region}{letter}")));
    let described = ParsedDocuments::with_built_in_regions(&[]).regions;
    let described = described.iter().flat_map(|region| region.spec.zones.iter().cloned());
    let taken = world.everything().filter_map(|(_, seen)| seen.attrs.text("zone"));
    placed.chain(described).chain(taken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_model::plan::Verb;
    use rgctl_schema::names::Name;

    #[test]
    fn every_verb_is_among_the_operations() {
        let name = |text: &str| Name::new(text).unwrap();
        let region = || RegionId::new("us-east-1").unwrap();
        let all = [
            Verb::Failover { to: None },
            Verb::TestFailover { shard: "1".to_owned() },
            Verb::Switchover { to: region(), member: name("a") },
            Verb::FailoverGlobal { to: region(), member: name("a") },
            Verb::Detach { region: region(), member: name("a") },
            Verb::Reboot,
            Verb::Start,
            Verb::Stop,
        ];
        for verb in &all {
            // A new verb does not compile here until it is in both lists.
            match verb {
                Verb::Failover { .. }
                | Verb::TestFailover { .. }
                | Verb::Switchover { .. }
                | Verb::FailoverGlobal { .. }
                | Verb::Detach { .. }
                | Verb::Reboot
                | Verb::Start
                | Verb::Stop => assert!(OPERATIONS.contains(&verb.as_str()), "{}", verb.as_str()),
            }
        }
    }
}
