//! What is wrong with a warehouse section.

use super::{RequiredFeature, Resilience, StoreContext, one_shape};
use crate::families::redshift::{WarehouseServerless, WarehouseStore};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::Finding;
use rgctl_schema::quantity::Share;
use rgctl_schema::time::Span;

/// Fewest and most nodes of a class at creation (Redshift management guide, 2026).
const NODES: [(&str, u32, u32); 6] = [
    ("ra3.large", 1, 16),
    ("ra3.xlplus", 1, 32),
    ("ra3.4xlarge", 2, 32),
    ("ra3.16xlarge", 2, 128),
    ("dc2.large", 1, 32),
    ("dc2.8xlarge", 2, 128),
];
/// Nodes of a cluster of any class (same source).
const NODES_MAX: u32 = 128;
/// Base capacity goes in steps of 8 up to here, and of 32 above (same source).
const FINE_STEPS_RPU_MAX: u32 = 512;
/// Most capacity, where a region offers it (same source).
const RPU_MAX: u32 = 1024;
/// Availability from which a single node will not do.
const NEEDS_SECOND_NODE: Share = Share::from_millionths(999_000);

pub(super) fn needs(store: &WarehouseStore, replicated: bool) -> Vec<RequiredFeature> {
    let mut out = Vec::new();
    if let Some(serverless) = &store.serverless {
        out.push(RequiredFeature {
            feature: "serverless",
            what: "serverless capacity",
            field: "serverless",
            instead: "leave `serverless` out to have nodes derived",
        });
        if serverless.base_rpu > FINE_STEPS_RPU_MAX {
            out.push(RequiredFeature {
                feature: "serverless-1024-rpu",
                what: "a base capacity above 512",
                field: "serverless.baseRpu",
                instead: "write `baseRpu: 512` or less",
            });
        }
        if serverless.base_rpu == 4 {
            out.push(RequiredFeature {
                feature: "serverless-4-rpu-base",
                what: "a base capacity of 4",
                field: "serverless.baseRpu",
                instead: "write `baseRpu: 8`",
            });
        }
    } else {
        out.push(RequiredFeature {
            feature: "provisioned",
            what: "nodes",
            field: "engine",
            instead: "write `serverless:`, or choose another region",
        });
    }
    if replicated {
        out.push(RequiredFeature {
            feature: "cross-region-snapshot-copy",
            what: "the copying of snapshots to another region",
            field: "snapshotCopy",
            instead: "write `global: false` with `objectives` of its own",
        });
    }
    out
}

/// Nodes are replaced in place; a second zone takes over in about a minute. Another region restores from a copied
/// snapshot; snapshots are taken every eight hours (Redshift management guide).
pub(super) fn resilience(store: &WarehouseStore) -> Resilience {
    Resilience {
        failover: if store.multi_zone { Span::from_mins(2) } else { Span::from_mins(15) },
        takeover: Span::from_mins(60),
        takeover_loss: Span::from_hours(8),
        restore_loss: Some(Span::from_hours(8)),
    }
}

pub(super) fn check(store: &WarehouseStore, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    roles(store, at, around, found);
    for (field, given) in
        [("class", store.class.is_some()), ("nodes", store.nodes.is_some()), ("multiZone", store.multi_zone)]
    {
        found.extend(one_shape(given && store.serverless.is_some(), field, at));
    }
    nodes(store, at, around, found);
    if let Some(serverless) = &store.serverless {
        steps(serverless, at, found);
    }
    if store.snapshot_copy.is_some() && around.secondaries() == 0 {
        let path = format!("{at}.snapshotCopy");
        let message = "there is no secondary region to which snapshots could be copied";
        found.push(
            Finding::error(codes::GLOBAL_SHAPE, path, message)
                .help("add a secondary region, take `global: false` off, or remove `snapshotCopy`"),
        );
    }
    if store.multi_zone && store.class.as_deref().is_some_and(|class| class.starts_with("dc2.")) {
        found.push(
            Finding::error(
                codes::FEATURE_VERSION,
                format!("{at}.multiZone"),
                "a second zone needs managed storage",
            )
            .help("take a class of the family `ra3`"),
        );
    }
    let is_serverless = store.serverless.is_some();
    let by_nodes = !is_serverless && store.logs.iter().any(|log| log != "useractivitylog");
    super::without_effect(by_nodes, "logs", "switch audit logging on by hand", at, found);
    let parameters = is_serverless && !store.parameters.is_empty();
    super::without_effect(parameters, "parameters", "set them of the workgroup by hand", at, found);
    let copies = is_serverless && store.snapshot_copy.is_some();
    super::without_effect(copies, "snapshotCopy", "set the copying of snapshots up by hand", at, found);
    let window = store.common.backup.as_ref().is_some_and(|backup| backup.window.is_some());
    found.extend(window.then(|| {
        let path = format!("{at}.backup.window");
        let message =
            "the service takes snapshots of a warehouse by itself about every eight hours, at no set time";
        Finding::error(codes::BAD_SETTING, path, message).label("no such setting").help("remove `window`")
    }));
    super::known_logs(
        &store.logs,
        &["connectionlog", "userlog", "useractivitylog"],
        store.engine.as_str(),
        at,
        found,
    );
}

fn nodes(store: &WarehouseStore, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let Some(nodes) = store.nodes else { return };
    let class = store.class.as_deref();
    let known = NODES.iter().find(|(name, _, _)| Some(*name) == class);
    let (least, most) = known.map_or((1, NODES_MAX), |(_, least, most)| (*least, *most));
    let of = class.map_or_else(|| "a cluster".to_owned(), |class| format!("a cluster of `{class}`"));
    if nodes.min < least {
        found.push(
            Finding::error(
                codes::OUT_OF_BOUNDS,
                format!("{at}.nodes.min"),
                format!("{of} has at least {least} nodes"),
            )
            .help(format!("write `min: {least}`")),
        );
    } else if nodes.min == 1 && around.availability >= NEEDS_SECOND_NODE {
        found.push(
            Finding::error(
                codes::AVAILABILITY_TOPOLOGY,
                format!("{at}.nodes.min"),
                format!("an availability of {} cannot be met by a single node", around.availability),
            )
            .label("may go down to one")
            .help("write `min: 2`, or state a lower availability in the store's `objectives`"),
        );
    }
    if nodes.max > most {
        found.push(
            Finding::error(
                codes::SIZE_LIMIT,
                format!("{at}.nodes.max"),
                format!("{of} is created with at most {most} nodes"),
            )
            .label(format!("at most {most}"))
            .help("take a larger class"),
        );
    }
}

fn steps(serverless: &WarehouseServerless, at: &str, found: &mut Vec<Finding>) {
    let mut off_step = |field: &str, rpu: u32| {
        let step = if rpu > FINE_STEPS_RPU_MAX { 32 } else { 8 };
        let legal = (rpu == 4 || rpu >= 8 && rpu.is_multiple_of(step)) && rpu <= RPU_MAX;
        if !legal {
            let down = (rpu / step * step).clamp(8, RPU_MAX);
            let up = (rpu.div_ceil(step) * step).clamp(8, RPU_MAX);
            let help = if down == up { format!("write {up}") } else { format!("write {down} or {up}") };
            found.push(
                Finding::error(
                    codes::STEP,
                    format!("{at}.serverless.{field}"),
                    format!("{rpu} is not a capacity that the service has"),
                )
                .label(format!("8 to {RPU_MAX} in steps of {step}"))
                .help(help),
            );
        }
    };
    off_step("baseRpu", serverless.base_rpu);
    if let Some(max) = serverless.max_rpu {
        off_step("maxRpu", max);
        if max < serverless.base_rpu {
            found.push(
                Finding::error(
                    codes::MIN_OVER_MAX,
                    format!("{at}.serverless.baseRpu"),
                    format!("`baseRpu` is {}, but `maxRpu` is {max}", serverless.base_rpu),
                )
                .help("exchange them, or raise the upper bound"),
            );
        }
    }
}

/// The default is one of the roles; a serverless warehouse is given none yet.
fn roles(store: &WarehouseStore, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    for (place, arn) in store.roles.iter().enumerate() {
        super::role(arn, &format!("roles[{place}]"), at, around, found);
    }
    let is_none = !store.roles.is_empty() && store.serverless.is_some();
    super::without_effect(is_none, "roles", "attach them to the namespace by hand", at, found);
    if let Some(default) = store.default_role.as_ref().filter(|default| !store.roles.contains(*default)) {
        let message = format!("the default `{default}` is not among `roles`");
        let finding = Finding::error(codes::BAD_SETTING, format!("{at}.defaultRole"), message);
        found.push(finding.label("not attached").help("name it in `roles`, too"));
    }
}
