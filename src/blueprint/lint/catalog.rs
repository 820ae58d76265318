//! What the catalogue knows: versions, classes and features by region.

use super::View;
use crate::blueprint::spec::Cell;
use crate::catalog::{Capability, EngineVersion, Offered};
use crate::families::Store;
use crate::vocabulary::codes;
use crate::vocabulary::diagnostic::{Finding, did_you_mean};
use crate::vocabulary::names::RegionId;

/// Classes named in a help; more would not be read.
const CLASSES_SHOWN: usize = 6;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    for (at, store) in view.stores() {
        version(view, store, &at, found);
        class(view, store, &at, found);
        features(view, store, &at, found);
    }
}

/// The regions that a store is in, each once, with whether it is replicated there.
fn regions<'v>(view: &'v View<'_>, store: &'v Store) -> Vec<(&'v RegionId, bool)> {
    let one = |cell: &'v Cell| {
        let replicated = !cell.replicas(store).is_empty();
        cell.regions_of(store).map(move |region| (region, replicated))
    };
    view.cells_of(store).flat_map(one).collect()
}

fn version(view: &View<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    let Some(asked) = store.version() else { return };
    let known = view.catalog.versions(store.catalog_service(), store.catalog_engine());
    if known.is_empty() {
        return;
    }
    let path = format!("{at}.version");
    let meant = |version: &&EngineVersion| {
        version.version == asked
            || version.version.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'))
    };
    let matching: Vec<&EngineVersion> = known.iter().filter(meant).collect();
    let current: Vec<&str> = known
        .iter()
        .filter(|version| !version.is_deprecated)
        .map(|version| version.version.as_str())
        .collect();
    let newest: Vec<&str> = current.iter().rev().take(CLASSES_SHOWN).copied().collect();
    if matching.is_empty() {
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

fn class(view: &View<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
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

fn features(view: &View<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    for (region, replicated) in regions(view, store) {
        let document = view.regions.get(region);
        for need in store.needs(replicated) {
            let path = if need.field.is_empty() { at.to_owned() } else { format!("{at}.{}", need.field) };
            let full = format!("{}/{}", store.catalog_service(), need.feature);
            let lack = document.and_then(|region| region.spec.lacks.iter().find(|lack| lack.feature == full));
            let stated = view.catalog.capability(store.catalog_service(), need.feature, region);
            if lack.is_some() || stated == Capability::No {
                let why = lack.and_then(|lack| lack.why.clone());
                let mut finding = Finding::error(
                    codes::CAPABILITY_MISSING,
                    path,
                    format!("`{region}` does not have {} for {}", need.what, store.engine()),
                )
                .label(format!("missing in {region}"))
                .help(need.instead);
                if let Some(why) = why {
                    finding = finding.note(format!("source: {why}"));
                }
                found.push(finding);
            } else if matches!(stated, Capability::Unknown | Capability::Probable)
                && view.catalog.region(region).is_some()
            {
                found.push(
                    Finding::warning(
                        codes::CAPABILITY_UNPROVEN,
                        path,
                        format!("no public source proves {} for {} in `{region}`", need.what, store.engine()),
                    )
                    .label(format!("not proven in {region}"))
                    .help(format!("{}; or try it in that account first", need.instead)),
                );
            }
        }
    }
}
