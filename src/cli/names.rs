//! Names that were given on the command line: of things that there are, or an error that says which was meant.
//!
//! Goes in: names, and what there is. Comes out: nothing, or all that are unknown, each with the nearest that is known.
//!
//! **Invariant:** a name that nothing has never reads as "nothing to do"; `tests/it/names.rs` walks all options.

use std::collections::BTreeSet;

use super::error::Failure;
use super::exit::Exit;
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_blueprint::region::RegionBook;
use rgctl_catalog::Catalog;
use rgctl_model::claims::Claims;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::policy::Policy;
use rgctl_schema::diagnostic::did_you_mean;
use rgctl_schema::names::RegionId;

/// Of more than these the list is no help.
const LISTED_MAX: usize = 24;

/// What is wrong with a name that was given, if nothing is called so.
pub fn unknown(option: &str, what: &str, given: &str, known: &BTreeSet<String>) -> Option<String> {
    if known.contains(given) {
        return None;
    }
    let nearest = did_you_mean(given, known.iter().map(String::as_str));
    let hint = match nearest {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none at all".to_owned(),
        None if known.len() <= LISTED_MAX => {
            format!("there are: {}", known.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        None => format!("there are {} others", known.len()),
    };
    let option = if option.is_empty() { String::new() } else { format!("`{option} {given}`: ") };
    Some(format!("{option}there is no {what} `{given}`; {hint}"))
}

/// Fails with everything that is unknown.
pub fn all_known(problems: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    let problems: Vec<String> = problems.into_iter().collect();
    if problems.is_empty() { Ok(()) } else { Err(Failure::new(Exit::BadInput, problems.join("\n       "))) }
}

/// Checks what a run is limited to and what it is allowed. Stores are those of the blueprint, and those whose objects are
/// there still: what left the blueprint can be aimed at until it is gone.
pub fn check_policy(
    policy: &Policy,
    desired: &Desired,
    inventory: &Inventory,
    claims: &Claims,
) -> Result<(), Failure> {
    let mut stores: BTreeSet<String> = desired.nodes.values().map(|node| node.store.to_string()).collect();
    stores.extend(desired.bills.iter().map(|bill| bill.store.to_string()));
    let ours = inventory.seen.iter().filter(|(address, one)| claims.owns(&desired.blueprint, address, one));
    stores.extend(
        ours.filter_map(|(address, one)| claims.store_of(address, one)).map(|store| store.to_string()),
    );
    let mut regions: BTreeSet<String> = desired.regions.iter().map(ToString::to_string).collect();
    regions.extend(inventory.seen.keys().map(|address| address.region.to_string()));
    let targets = policy.targets.iter().filter_map(|target| {
        let problem = unknown("--target", "store", target.as_str(), &stores)?;
        Some(problem + &unseen(inventory))
    });
    let consents = policy.consents.iter().flat_map(|consent| {
        let text = consent.to_string();
        let (_, about) = text.split_once(':').unwrap_or(("", &text));
        let (store, region) = match about.split_once('@') {
            Some((store, region)) => (store, Some(region)),
            None => (about, None),
        };
        let named = |what, name: &str, known| {
            // A pattern stands for whatever there is.
            let problem = if name.contains('*') { None } else { unknown("", what, name, known) };
            problem.map(|problem| format!("`--allow {text}`: {problem}{}", unseen(inventory)))
        };
        [named("store", store, &stores), region.and_then(|region| named("region", region, &regions))]
    });
    all_known(targets.chain(consents.flatten()))
}

/// A store may be where nothing could be seen.
fn unseen(inventory: &Inventory) -> String {
    let regions: BTreeSet<&str> = inventory.unseen_regions().map(RegionId::as_str).collect();
    if regions.is_empty() {
        return String::new();
    }
    let regions: Vec<&str> = regions.into_iter().collect();
    format!(" ({} could not be seen)", regions.join(", "))
}

/// The regions that are described or priced.
pub fn regions(catalog: &Catalog, described: &RegionBook) -> BTreeSet<String> {
    let priced = catalog.regions().map(|region| region.code.to_string());
    priced.chain(described.codes().map(ToString::to_string)).collect()
}

/// The regions that are known without any file.
pub fn built_in_regions(catalog: &Catalog) -> BTreeSet<String> {
    regions(catalog, &ParsedDocuments::with_built_in_regions(&[]).regions)
}

/// Checks regions that are named on the command line.
pub fn check_regions(given: &[RegionId], known: &BTreeSet<String>) -> Result<(), Failure> {
    all_known(given.iter().filter_map(|region| unknown("--region", "region", region.as_str(), known)))
}
