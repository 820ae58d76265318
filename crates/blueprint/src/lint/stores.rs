//! What holds for every store, whatever its engine: safety, names, objectives, backups.

use super::{LintContext, duplicates};
use crate::families::Store;
use crate::families::checks::{CellRegions, StoreContext, identifier, retention};
use crate::families::common::Keep;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Finding, did_you_mean};
use rgctl_schema::node::Tree;
use rgctl_schema::time::Span;

/// One request to a store on disk takes about this long at best, over the network of a region.
const DISK_P99_MIN: Span = Span::from_millis(2);
/// Damage by a faulty release is usually found within days.
const RETENTION_ADVISED: Span = Span::from_days(3);
const DAY_MS: u64 = 86_400_000;

pub(super) fn check(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    if view.states("spec.stores")
        && view.elements("spec.stores").is_empty()
        && view.blueprint.spec.stores.is_empty()
        || !view.states("spec.stores")
    {
        found.push(
            Finding::error(codes::NO_STORES, "spec.stores", "the blueprint has no store")
                .help("add for example `- { name: ranking, engine: valkey }`"),
        );
    }
    let named: Vec<(String, &Store)> = view.stores().collect();
    let places = view.blueprint.spec.stores.iter().enumerate();
    duplicates("store", places.map(|(i, s)| (format!("spec.stores[{i}]"), s.name().as_str())), found);
    for (at, store) in &named {
        safety(store, at, found);
        protection(view, store, at, found);
        names(view, store, at, found);
        let places = places_of(view, store);
        if !places.is_empty() {
            // With a region misspelt, the store only seems to have no second one.
            if !view.is_broken("spec.regions") {
                objectives(view, store, at, &places, found);
            }
            let around = StoreContext {
                blueprint: view.blueprint.name(),
                places: &places,
                availability: availability(view, store),
            };
            store.check(at, &around, found);
        }
        backups(view, store, at, found);
        origin(view, store, at, found);
    }
    cell_stores(view, found);
    latency(view, found);
}

fn places_of(view: &LintContext<'_>, store: &Store) -> Vec<CellRegions> {
    view.cells_of(store)
        .map(|cell| CellRegions {
            primary: cell.primary.clone(),
            secondaries: cell.replicas(store).to_vec(),
            is_followed: !cell.secondaries.is_empty(),
        })
        .collect()
}

fn availability(view: &LintContext<'_>, store: &Store) -> rgctl_schema::quantity::Share {
    let own = store.common().objectives.as_ref().and_then(|own| own.availability);
    own.unwrap_or(view.blueprint.spec.objectives.availability)
}

fn safety(store: &Store, at: &str, found: &mut Vec<Finding>) {
    let common = store.common();
    if !common.encrypted {
        found.push(
            Finding::error(
                codes::NOT_ENCRYPTED,
                format!("{at}.encrypted"),
                format!("`{}` would not be encrypted", common.name),
            )
            .label(if store.takes_encryption_later() {
                "switched on later, all data is copied and writes stop"
            } else {
                "cannot be switched on later"
            })
            .help("remove the line; encryption costs nothing"),
        );
    }
    if common.public {
        found.push(
            Finding::error(
                codes::PUBLIC,
                format!("{at}.public"),
                format!("`{}` would be reachable from the internet", common.name),
            )
            .help("remove the line; reach the store through the services that use it, or through a tunnel"),
        );
    }
    if store.is_cache() {
        return;
    }
    if !common.deletion_protection && store.has_deletion_protection() {
        found.push(
            Finding::warning(
                codes::NOT_PROTECTED,
                format!("{at}.deletionProtection"),
                format!(
                    "`{}` holds data that cannot be made anew, and could be deleted in one step",
                    common.name
                ),
            )
            .help("remove the line; protection costs nothing and is taken off when you mean it"),
        );
    }
    if common.keep == Keep::Nothing {
        found.push(
            Finding::warning(
                codes::NO_FINAL_SNAPSHOT,
                format!("{at}.keep"),
                format!(
                    "`{}` holds data that cannot be made anew, and nothing would be left of it",
                    common.name
                ),
            )
            .help("write `keep: final-snapshot`"),
        );
    }
}

/// A protection that the service does not have protects nothing.
fn protection(view: &LintContext<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    let mut written = view.elements("spec.stores").iter();
    let is_it = |tree: &&Tree| tree.get("name").and_then(Tree::text) == Some(store.name().as_str());
    let stated = written.find(is_it).is_some_and(|tree| tree.get("deletionProtection").is_some());
    if stated && !store.has_deletion_protection() {
        let message = format!("the service of `{}` has no deletion protection", store.name());
        found.push(
            Finding::warning(codes::NO_EFFECT, format!("{at}.deletionProtection"), message)
                .label("no effect")
                .help("remove the line; `policies.consent.delete: never` keeps rgctl from deleting it"),
        );
    }
}

fn names(view: &LintContext<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    let all = view.cells_of(store).flat_map(|cell| cell.regions_of(store));
    let longest = all
        .map(|region| identifier(view.blueprint.name(), store.common(), region))
        .max_by_key(String::len)
        .filter(|longest| longest.len() > store.identifier_max());
    if let Some(longest) = longest {
        let over = longest.len() - store.identifier_max();
        found.push(
            Finding::error(
                codes::NAME_TOO_LONG,
                format!("{at}.name"),
                format!(
                    "`{longest}` has {} characters, the service allows {}",
                    longest.len(),
                    store.identifier_max()
                ),
            )
            .label(format!("{over} too many"))
            .help("shorten the name of the store or of the blueprint"),
        );
    }
}

fn objectives(
    view: &LintContext<'_>,
    store: &Store,
    at: &str,
    places: &[CellRegions],
    found: &mut Vec<Finding>,
) {
    let replicated = places.iter().any(|place| !place.secondaries.is_empty());
    let own = store.common().objectives.as_ref().and_then(|own| own.rto);
    // Objectives that nobody wrote are for planning, not for refusing.
    if own.is_some() || view.states("spec.objectives.rto") {
        let rto = own.unwrap_or(view.blueprint.spec.objectives.rto);
        let path = own.map_or_else(|| "spec.objectives.rto".to_owned(), |_| format!("{at}.objectives.rto"));
        found.extend(recovery_time(store, rto, &path, at, replicated));
    }
    let own = store.common().objectives.as_ref().and_then(|own| own.rpo);
    if own.is_some() || view.states("spec.objectives.rpo") {
        let rpo = own.unwrap_or(view.blueprint.spec.objectives.rpo);
        let path = own.map_or_else(|| "spec.objectives.rpo".to_owned(), |_| format!("{at}.objectives.rpo"));
        // Who states an objective for a store that stays in one region has thought of the region's loss.
        let left_behind = own.is_none() && places.iter().any(|place| place.is_followed);
        found.extend(if replicated {
            replicated_point(store, rpo, &path, at)
        } else if left_behind {
            left_behind_point(store, rpo, at)
        } else {
            lone_point(store, rpo, &path)
        });
    }
}

fn left_behind_point(store: &Store, rpo: Span, at: &str) -> Option<Finding> {
    store.resilience().restore_loss?;
    Some(
        Finding::warning(
            codes::RPO_TOPOLOGY,
            format!("{at}.global"),
            format!(
                "`{}` is not replicated: a lost region takes its data and backups along, and breaks the RPO of {rpo}",
                store.name()
            ),
        )
        .label("stays in one region")
        .help(
            "take `global: false` off, or state what is enough for this store: \
             `objectives: { rto: 12h, rpo: 24h }`",
        ),
    )
}

fn lone_point(store: &Store, rpo: Span, path: &str) -> Option<Finding> {
    let loss = store.resilience().restore_loss.filter(|loss| rpo < *loss)?;
    Some(
        Finding::error(
            codes::RPO_TOPOLOGY,
            path,
            format!(
                "`{}` has no second region, and a restore from its backups loses up to {loss}",
                store.name()
            ),
        )
        .label(format!("less than {loss}"))
        .help(format!("add a secondary region, or state an RPO of at least {loss} for this store")),
    )
}

fn recovery_time(store: &Store, rto: Span, rto_at: &str, at: &str, replicated: bool) -> Option<Finding> {
    let resilience = store.resilience();
    let (needed, what) = if replicated && resilience.takeover > resilience.failover {
        (resilience.takeover, "the takeover by another region")
    } else {
        (resilience.failover, "its own failover")
    };
    (rto < needed).then(|| {
        Finding::error(
            codes::RTO_TOPOLOGY,
            rto_at.to_owned(),
            format!("`{}` cannot recover within {rto}: {what} takes up to {needed}", store.name()),
        )
        .label(format!("less than {needed}"))
        .help(format!("state at least {needed}, for all stores here or for this one in `{at}.objectives`"))
    })
}

fn replicated_point(store: &Store, rpo: Span, rpo_at: &str, at: &str) -> Option<Finding> {
    let resilience = store.resilience();
    if rpo < resilience.takeover_loss {
        let loss = resilience.takeover_loss;
        return Some(
            Finding::error(
                codes::RPO_TOPOLOGY,
                rpo_at.to_owned(),
                format!(
                    "`{}` reaches its second region only by copies of snapshots, up to {loss} old",
                    store.name()
                ),
            )
            .label(format!("less than {loss}"))
            .help(format!("state `rpo: {loss}` or more for this store in `{at}.objectives`")),
        );
    }
    // A cache that is filled from its origin loses nothing that is not there.
    (rpo == Span::ZERO && resilience.restore_loss.is_some()).then(|| {
        Finding::error(
            codes::RPO_TOPOLOGY,
            rpo_at.to_owned(),
            format!(
                "an RPO of zero cannot be met for `{}`: replication between regions is asynchronous",
                store.name()
            ),
        )
        .label("something is always on its way")
        .help("state at least `rpo: 1s`; a planned switchover loses nothing, whatever is stated")
    })
}

fn backups(view: &LintContext<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    let Some(kept) = retention(store.common()) else { return };
    let path = format!("{at}.backup.retention");
    let (least, most) = store.backup_days();
    if kept.as_millis() % DAY_MS != 0 {
        let days = kept.as_millis().div_ceil(DAY_MS).clamp(least, most);
        found.push(
            Finding::error(codes::STEP, path, format!("backups are kept for whole days, {kept} is not"))
                .help(format!("write `{days}d`")),
        );
        return;
    }
    let days = kept.as_millis() / DAY_MS;
    if days < least || days > most {
        found.push(
            Finding::error(
                codes::OUT_OF_BOUNDS,
                path,
                format!("backups can be kept from {least} to {most} days, not {days}"),
            )
            .help(format!("write `{}d`; for longer, copy snapshots", days.clamp(least, most))),
        );
        return;
    }
    if store.is_cache() {
        return;
    }
    let rpo = store.common().objectives.as_ref().and_then(|own| own.rpo);
    let rpo = rpo.unwrap_or(view.blueprint.spec.objectives.rpo);
    // Nothing reaches back further than the service keeps backups, and nothing further is asked for here.
    let rpo = rpo.min(Span::from_days(most));
    if kept < rpo {
        found.push(
            Finding::error(
                codes::BACKUP_TOO_SHORT,
                path,
                format!("backups of {days} days cannot bring back a point {rpo} ago"),
            )
            .label("shorter than the RPO")
            .help(format!("keep them for at least {}", rpo.max(RETENTION_ADVISED))),
        );
    } else if kept < RETENTION_ADVISED {
        found.push(
            Finding::warning(
                codes::BACKUP_TOO_SHORT,
                path,
                format!("`{}` could not be brought back to before a weekend", store.name()),
            )
            .help(format!("keep backups for at least {RETENTION_ADVISED}")),
        );
    }
}

fn origin(view: &LintContext<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    let Some(origin) = store.origin() else { return };
    if origin == store.name() || view.blueprint.store(origin).is_none() {
        let path = format!("{at}.cache.origin");
        found.push(no_store(view, origin.as_str(), &path, Some(store.name().as_str())));
        return;
    }
    if let Some(cell) = view.cells_of(store).find(|cell| !cell.has(origin)) {
        found.push(
            Finding::error(
                codes::UNKNOWN_STORE,
                format!("{at}.cache.origin"),
                format!("the cell `{}` has `{}`, but not `{origin}` behind it", cell.name, store.name()),
            )
            .label(format!("not in the cell `{}`", cell.name))
            .help(format!(
                "add `{origin}` to the `stores` of the cell; nothing is fetched from another cell"
            )),
        );
    }
}

fn cell_stores(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    for (at, store) in view.stores() {
        if !view.cells.is_empty() && view.cells_of(store).next().is_none() {
            found.push(
                Finding::error(
                    codes::NO_STORES,
                    format!("{at}.name"),
                    format!("no cell has `{}`, so that it would not be built", store.name()),
                )
                .label("in no cell")
                .help("add it to the `stores` of a cell, or remove it"),
            );
        }
    }
    for (place, cell) in view.blueprint.spec.regions.cells.iter().enumerate() {
        for (field, names) in [("stores", &cell.stores), ("notReplicated", &cell.not_replicated)] {
            for (index, name) in names.iter().enumerate() {
                if view.blueprint.store(name).is_none() {
                    let path = format!("{}.{field}[{index}]", view.cell_path(place));
                    found.push(no_store(view, name.as_str(), &path, None));
                }
            }
        }
    }
}

fn no_store(view: &LintContext<'_>, name: &str, path: &str, not: Option<&str>) -> Finding {
    let stores = view.blueprint.spec.stores.iter().map(|store| store.name().as_str());
    let names: Vec<&str> = stores.filter(|other| Some(*other) != not).collect();
    let help = did_you_mean(name, names.iter().copied()).map_or_else(
        || format!("the stores are: {}", names.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    Finding::error(codes::UNKNOWN_STORE, path, format!("there is no other store `{name}`"))
        .label("unknown store")
        .help(help)
}

fn latency(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    let p99 = view.blueprint.spec.objectives.p99;
    let on_disk = view.blueprint.spec.stores.iter().find(|store| store.is_on_disk());
    if let Some(store) = on_disk.filter(|_| p99 < DISK_P99_MIN) {
        found.push(
            Finding::error(
                codes::LATENCY_TOPOLOGY,
                "spec.objectives.p99",
                format!("`{}` keeps its data on disks across zones and cannot promise {p99}", store.name()),
            )
            .label(format!("less than {DISK_P99_MIN}"))
            .help("state at least `2ms`, and put a cache before it for what must be faster"),
        );
    }
}
