//! Cells, regions, residency, networks.

use std::collections::BTreeMap;

use super::{LintContext, duplicates};
use crate::places;
use crate::spec::{Cell, NetworkRefs};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Finding, did_you_mean};
use rgctl_schema::names::RegionId;
use rgctl_schema::quantity::Share;

/// A store needs subnets in at least so many zones.
const ZONES_MIN: usize = 2;

pub(super) fn check(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    shape(view, found);
    let mut used: BTreeMap<&RegionId, String> = BTreeMap::new();
    for (place, cell) in view.cells.iter().enumerate() {
        let at = view.cell_path(place);
        for (field, region) in regions_of(cell) {
            let path = format!("{at}.{field}");
            region_twice(region, &path, &used, found);
            used.entry(region).or_insert_with(|| format!("{at}.{field}"));
            known(view, region, &path, found);
            residency(view, cell, region, &path, found);
        }
        partition(view, cell, &at, found);
        account(view, cell, &at, found);
    }
    demand_shares(view, found);
    let names = view.blueprint.spec.regions.cells.iter().enumerate();
    duplicates("cell", names.map(|(place, cell)| (view.cell_path(place), cell.name.as_str())), found);
    networks(view, found);
}

/// The regions of a cell with the fields that name them.
fn regions_of(cell: &Cell) -> impl Iterator<Item = (String, &RegionId)> {
    let secondaries = cell.secondaries.iter().enumerate();
    std::iter::once(("primary".to_owned(), &cell.primary))
        .chain(secondaries.map(|(place, region)| (format!("secondaries[{place}]"), region)))
}

fn shape(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    let short = view.states("spec.regions.primary") || view.states("spec.regions.secondaries");
    let long = view.states("spec.regions.cells");
    let written = view.states("spec.regions");
    if short && long {
        found.push(
            Finding::error(
                codes::REGIONS_SHAPE,
                "spec.regions",
                "`primary` and `cells` are two ways of saying where to run",
            )
            .help("move `primary` and `secondaries` into a cell of their own, or remove `cells`"),
        );
    } else if written
        && !view.states("spec.regions.primary")
        && (!long || view.cells.is_empty() && is_empty(view))
    {
        found.push(
            Finding::error(codes::REGIONS_SHAPE, "spec.regions", "no region is given")
                .help("write `regions: { primary: us-east-1, secondaries: [us-west-2] }`"),
        );
    }
}

/// Whether the list of cells is empty in the text, rather than unreadable.
fn is_empty(view: &LintContext<'_>) -> bool {
    view.elements("spec.regions.cells").is_empty()
}

fn region_twice(region: &RegionId, path: &str, used: &BTreeMap<&RegionId, String>, found: &mut Vec<Finding>) {
    if let Some(first) = used.get(region) {
        found.push(
            Finding::error(codes::REGION_TWICE, path, format!("`{region}` is used already"))
                .label(format!("also at `{first}`"))
                .help("each region belongs to one cell, once; remove one of the two"),
        );
    }
}

fn known(view: &LintContext<'_>, region: &RegionId, path: &str, found: &mut Vec<Finding>) {
    let Some(document) = view.regions.get(region) else {
        let finding = unknown(view, region.as_str(), path, found);
        found.push(finding);
        return;
    };
    // A network in the blueprint takes the place of the region's; it is judged where it is written.
    if !view.blueprint.spec.network.as_ref().is_some_and(|n| n.regions.contains_key(region.as_str())) {
        let network = &document.spec.network;
        if let Some(problem) = incomplete(network, path) {
            found.push(problem.help(format!("complete `spec.network` of the region `{region}`")));
        }
    }
}

fn unknown(view: &LintContext<'_>, region: &str, path: &str, before: &[Finding]) -> Finding {
    let codes: Vec<&str> = view.regions.codes().map(RegionId::as_str).collect();
    let served = places::serving(view.regions, region)
        .map(|one| format!("`{}` ({}) serves the players there", one.metadata.name, places::called(one)));
    // Said once, however many places of the country are named.
    let china = places::is_in_china(view.regions, region)
        .then(|| places::about_china(view.regions))
        .filter(|text| !before.iter().any(|one| one.help.as_ref().is_some_and(|help| help.contains(text))));
    let served = match (served, china) {
        (Some(served), Some(china)) => Some(format!("{served}. {china}")),
        (served, china) => served.or(china),
    };
    let near = || did_you_mean(region, codes.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let help = served.or_else(near).unwrap_or_else(|| {
        format!("describe it in a `Region` document, or take one of: {}", codes.join(", "))
    });
    Finding::error(codes::UNKNOWN_REGION, path, format!("no region `{region}` is described"))
        .label("unknown region")
        .help(help)
}

fn incomplete(network: &NetworkRefs, path: &str) -> Option<Finding> {
    let message = if network.subnets.len() < ZONES_MIN {
        format!(
            "subnets in at least {ZONES_MIN} zones are needed, the number given is {}",
            network.subnets.len()
        )
    } else if network.security_groups.is_empty() {
        "there is no security group".to_owned()
    } else {
        return None;
    };
    Some(Finding::error(codes::NETWORK_INCOMPLETE, path, message))
}

fn residency(view: &LintContext<'_>, cell: &Cell, region: &RegionId, path: &str, found: &mut Vec<Finding>) {
    for rule in view.blueprint.residency(cell) {
        if !rule.allows(region) {
            found.push(
                Finding::error(
                    codes::RESIDENCY_BROKEN,
                    path,
                    format!("data must stay in {}, `{region}` is outside", rule.allow.join(", ")),
                )
                .label("not allowed by `residency`")
                .help("choose another region, or allow this one in `residency.allow`"),
            );
            return;
        }
    }
}

fn partition(view: &LintContext<'_>, cell: &Cell, at: &str, found: &mut Vec<Finding>) {
    let Some(home) = view.regions.get(&cell.primary).map(|region| region.spec.partition) else { return };
    for (place, secondary) in cell.secondaries.iter().enumerate() {
        let other = view.regions.get(secondary).map(|region| region.spec.partition);
        if let Some(other) = other.filter(|other| *other != home) {
            found.push(
                Finding::error(
                    codes::CROSS_PARTITION,
                    format!("{at}.secondaries[{place}]"),
                    format!("`{secondary}` is in partition `{other}`, the primary in `{home}`"),
                )
                .label("nothing can be replicated there")
                .help("make it a cell of its own under `regions.cells`"),
            );
        }
    }
}

/// Nothing replicates from one account to another: neither a global database nor the copy of a snapshot.
fn account(view: &LintContext<'_>, cell: &Cell, at: &str, found: &mut Vec<Finding>) {
    let account =
        |region: &RegionId| view.regions.get(region).and_then(|region| region.spec.account.as_ref());
    let named = |region: &RegionId| account(region).map_or("no account", |name| name.as_str());
    for (place, secondary) in cell.secondaries.iter().enumerate() {
        if account(secondary) != account(&cell.primary) {
            let message = format!(
                "`{secondary}` names {}, the primary `{}` names {}",
                named(secondary),
                cell.primary,
                named(&cell.primary)
            );
            found.push(
                Finding::error(codes::BAD_ACCOUNT, format!("{at}.secondaries[{place}]"), message)
                    .label("nothing can be replicated there")
                    .help("name one account in all regions of a cell, or make it a cell of its own under `regions.cells`"),
            );
        }
    }
}

fn demand_shares(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    let cells = &view.blueprint.spec.regions.cells;
    if cells.len() < 2 || cells.len() != view.elements("spec.regions.cells").len() {
        return;
    }
    for (place, cell) in cells.iter().enumerate() {
        if cell.demand_share.is_none() {
            found.push(
                Finding::error(
                    codes::DEMAND_SHARES,
                    format!("spec.regions.cells[{place}]"),
                    format!("the cell `{}` does not say which share of the demand it serves", cell.name),
                )
                .help("add for example `demandShare: 25%`"),
            );
        }
    }
    let shares: Option<Vec<Share>> = cells.iter().map(|cell| cell.demand_share).collect();
    let Some(shares) = shares else { return };
    let sum: u64 = shares.iter().map(|share| u64::from(share.millionths())).sum();
    // Three thirds of 33.33 % are meant as a whole.
    let slack = 1_000 * u64::try_from(shares.len()).unwrap_or(u64::MAX);
    if sum.abs_diff(1_000_000) > slack {
        let percent = sum as f64 / 10_000.0;
        found.push(
            Finding::error(
                codes::DEMAND_SHARES,
                "spec.regions.cells",
                format!("the demand shares of the cells add up to {percent} %"),
            )
            .label("must be 100 %")
            .help("change the shares until they add up to 100 %"),
        );
    }
}

fn networks(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    let Some(network) = &view.blueprint.spec.network else { return };
    for (code, refs) in &network.regions {
        let path = format!("spec.network.regions.{code}");
        if !view.regions.codes().any(|known| known.as_str() == code) {
            let finding = unknown(view, code, &path, found);
            found.push(finding);
        }
        found.extend(
            incomplete(refs, &path)
                .map(|problem| problem.help("complete it, or remove it to use the region's")),
        );
    }
}
