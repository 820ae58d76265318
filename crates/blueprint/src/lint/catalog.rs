//! What the catalogue knows: versions, classes and features by region.

use super::LintContext;
use crate::families::Store;
use crate::region::Lack;
use crate::spec::Cell;
use rgctl_catalog::{Capability, Offered, OfferedVersion};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Finding, did_you_mean};
use rgctl_schema::names::RegionId;

/// Classes named in a help; more would not be read.
const CLASSES_SHOWN: usize = 6;

pub(super) fn check(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    for (at, store) in view.stores() {
        version(view, store, &at, found);
        class(view, store, &at, found);
        features(view, store, &at, found);
    }
}

/// The regions that a store is in, each once, with whether it is replicated there.
fn regions<'v>(view: &'v LintContext<'_>, store: &'v Store) -> Vec<(&'v RegionId, bool)> {
    let one = |cell: &'v Cell| {
        let replicated = !cell.replicas(store).is_empty();
        cell.regions_of(store).map(move |region| (region, replicated))
    };
    view.cells_of(store).flat_map(one).collect()
}

fn version(view: &LintContext<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    let Some(asked) = store.version() else { return };
    let known = view.catalog.versions(store.catalog_service(), store.catalog_engine());
    if known.is_empty() {
        return;
    }
    let path = format!("{at}.version");
    let meant = |version: &&OfferedVersion| {
        version.version == asked
            || version.version.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'))
    };
    let matching: Vec<&OfferedVersion> = known.iter().filter(meant).collect();
    let current: Vec<&str> = known
        .iter()
        .filter(|version| !version.is_deprecated)
        .map(|version| version.version.as_str())
        .collect();
    let newest: Vec<&str> = current.iter().rev().take(CLASSES_SHOWN).copied().collect();
    if matching.is_empty() {
        let other = view.catalog.engines().find(|(service, engine)| {
            *service == store.catalog_service()
                && view.catalog.versions(service, engine).iter().any(|v| meant(&v))
        });
        if let Some((_, other)) = other {
            found.push(
                Finding::error(
                    codes::FEATURE_VERSION,
                    path,
                    format!("`{asked}` is a version of {other}, not of {}", store.engine()),
                )
                .help(format!("write `engine: {other}`, or leave `version` out to take the newest")),
            );
            return;
        }
        let near = did_you_mean(asked, current.iter().copied());
        let help = near.map_or_else(
            || format!("the newest are: {}; or leave `version` out", newest.join(", ")),
            |near| format!("did you mean `{near}`? The newest are: {}", newest.join(", ")),
        );
        found.push(
            Finding::error(
                codes::VERSION_UNKNOWN,
                path,
                format!("the catalogue knows no version `{asked}` of {}", store.engine()),
            )
            .label("unknown version")
            .help(help),
        );
    } else if matching.iter().all(|version| version.is_deprecated) {
        found.push(
            Finding::error(
                codes::VERSION_DEPRECATED,
                path,
                format!("version `{asked}` of {} is no longer offered", store.engine()),
            )
            .label("deprecated")
            .help(format!("the newest are: {}; or leave `version` out", newest.join(", "))),
        );
    }
}

fn class(view: &LintContext<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    let Some(asked) = store.class() else { return };
    let (service, engine) = (store.catalog_service(), store.catalog_engine());
    let path = format!("{at}.class");
    if !view.catalog.class_names(service, engine).any(|name| name == asked) {
        let near = did_you_mean(asked, view.catalog.class_names(service, engine));
        let help = near.map_or_else(
            || "leave `class` out to have one chosen".to_owned(),
            |near| format!("did you mean `{near}`? Leave `class` out to have one chosen"),
        );
        found.push(
            Finding::error(
                codes::CLASS_UNKNOWN,
                path,
                format!("there is no class `{asked}` for {}", store.engine()),
            )
            .label("unknown class")
            .help(help),
        );
        return;
    }
    for (region, _) in regions(view, store) {
        if view.catalog.offered(service, engine, asked, region) != Offered::No {
            continue;
        }
        let size = asked.rsplit('.').next().unwrap_or(asked);
        let offered: Vec<&str> = view
            .catalog
            .classes_offered(service, engine, region)
            .into_iter()
            .filter(|class| class.size() == size)
            .map(|class| class.class.as_str())
            .take(CLASSES_SHOWN)
            .collect();
        let help = if offered.is_empty() {
            "leave `class` out to have one chosen".to_owned()
        } else {
            format!("of the same size there: {}; or leave `class` out to have one chosen", offered.join(", "))
        };
        found.push(
            Finding::error(
                codes::CLASS_NOT_OFFERED,
                path.clone(),
                format!("`{asked}` is not sold for {} in `{region}`", store.engine()),
            )
            .label(format!("not in the price list of {region}"))
            .help(help),
        );
    }
}

/// The features that a store needs, each with the regions that lack it or where it is not proven.
fn features(view: &LintContext<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    let regions = regions(view, store);
    let replicated = regions.iter().any(|(_, replicated)| *replicated);
    for need in store.needs(replicated) {
        let path = format!("{at}.{}", need.field);
        // A feature of replication concerns only the regions between which there is any.
        let everywhere = store.needs(false).contains(&need);
        let concerned: Vec<&RegionId> = regions
            .iter()
            .filter(|(_, replicated)| everywhere || *replicated)
            .map(|(region, _)| *region)
            .collect();
        let (missing, unproven) = presence(view, store, need.feature, &concerned);
        if !missing.is_empty() {
            let all = listed(&missing);
            let problem = Finding::error(
                codes::CAPABILITY_MISSING,
                path.clone(),
                format!("{} for {} is missing in {all}", need.what, store.engine()),
            );
            let problem = problem.label(format!("missing in {all}")).help(need.instead);
            let reasons = missing.iter().filter_map(|region| {
                let why = lack(view, store, need.feature, region)?.why.as_ref()?;
                Some(format!("the document of `{region}` says: {why}"))
            });
            found.push(reasons.fold(problem, Finding::note));
        }
        if !unproven.is_empty() {
            let all = listed(&unproven);
            found.push(
                Finding::warning(
                    codes::CAPABILITY_UNPROVEN,
                    path,
                    format!("no public source proves {} for {} in {all}", need.what, store.engine()),
                )
                .label(format!("not proven in {all}"))
                .help(format!("try it in that account first; or {}", need.instead)),
            );
        }
    }
}

/// The regions that lack a feature, and those where nobody says for certain that it is there.
fn presence<'r>(
    view: &LintContext<'_>,
    store: &Store,
    feature: &str,
    regions: &[&'r RegionId],
) -> (Vec<&'r RegionId>, Vec<&'r RegionId>) {
    let (mut missing, mut unproven) = (Vec::new(), Vec::new());
    for region in regions {
        let lacks = lack(view, store, feature, region).is_some();
        let stated = view.catalog.capability(store.catalog_service(), feature, region);
        if lacks || stated == Capability::No {
            missing.push(*region);
        } else if stated != Capability::Yes && view.catalog.region(region).is_some() {
            unproven.push(*region);
        }
    }
    (missing, unproven)
}

/// What the document of a region says about a feature that is missing there.
fn lack<'v>(view: &'v LintContext<'_>, store: &Store, feature: &str, region: &RegionId) -> Option<&'v Lack> {
    let full = format!("{}/{feature}", store.catalog_service());
    view.regions.get(region)?.spec.lacks.iter().find(|lack| lack.feature == full)
}

fn listed(regions: &[&RegionId]) -> String {
    regions.iter().map(|region| format!("`{region}`")).collect::<Vec<_>>().join(", ")
}
