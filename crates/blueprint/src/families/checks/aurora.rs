//! What is wrong with a relational section.

use std::collections::BTreeSet;

use super::{
    RequiredFeature, Resilience, StoreContext, at_most, capacity, known_logs, numbers, one_shape, second_copy,
};
use crate::families::aurora::AuroraStore;
use rgctl_model::kinds::aurora::{AuroraEngine, StorageKind};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::Finding;
use rgctl_schema::time::Span;

/// Secondary regions of a global database (Aurora user guide, 2026-04).
const SECONDARIES_MAX: u32 = 10;
/// Readers of a cluster; a primary has one fewer for each secondary region (same source).
const READERS_MAX: u32 = 15;
/// Readers of a secondary, which has no writer (same source).
const SECONDARY_READERS_MAX: u32 = 16;
/// Most serverless capacity (same source).
const ACU_MAX: u32 = 256;
/// Least capacity advised for the primary of a global database, in halves (same source).
const GLOBAL_HALF_ACU_ADVISED: u32 = 16;

pub(super) fn needs(store: &AuroraStore, replicated: bool) -> Vec<RequiredFeature> {
    let mut out = Vec::new();
    if replicated {
        out.push(RequiredFeature {
            feature: "global-database",
            what: "replication between regions",
            field: "global",
            instead: "write `global: false`, or choose another region",
        });
    }
    if store.serverless.is_some() {
        out.push(RequiredFeature {
            feature: "serverless-v2",
            what: "serverless capacity",
            field: "serverless",
            instead: "give a `class`, or leave both out to have one derived",
        });
    }
    if store.storage == Some(StorageKind::IoOptimized) {
        out.push(RequiredFeature {
            feature: "io-optimized",
            what: "I/O-optimized storage",
            field: "storage",
            instead: "write `storage: standard`",
        });
    }
    out
}

/// Failover under a minute with a reader; without one a new writer is built, typically under ten minutes. A takeover by
/// a secondary region is a matter of minutes; replication lags by less than a second (Aurora user guide).
pub(super) fn resilience(store: &AuroraStore) -> Resilience {
    let alone = store.readers.is_some_and(|readers| readers.max == 0);
    Resilience {
        failover: if alone { Span::from_mins(10) } else { Span::from_secs(60) },
        takeover: Span::from_mins(5),
        takeover_loss: Span::ZERO,
        restore_loss: Some(Span::from_mins(5)),
    }
}

pub(super) fn check(store: &AuroraStore, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let secondaries = around.secondaries();
    let readers = READERS_MAX.saturating_sub(secondaries);
    let why = if secondaries == 0 {
        "a cluster has at most 15 readers".to_owned()
    } else {
        format!("a primary has 15 readers, less one for each secondary region (here {secondaries})")
    };
    found.extend(at_most(store.readers, readers, "readers", &why, at));
    let why = "a secondary region has at most 16 readers";
    found.extend(at_most(store.secondary_readers, SECONDARY_READERS_MAX, "secondaryReaders", why, at));
    found.extend(second_copy(store.readers, "readers", "a reader", at, around));
    found.extend(one_shape(store.class.is_some() && store.serverless.is_some(), "class", at));
    if secondaries > SECONDARIES_MAX {
        found.push(super::too_many(secondaries, SECONDARIES_MAX, at));
    }
    if let Some(serverless) = &store.serverless {
        let range = (serverless.min_acu, serverless.max_acu);
        found.extend(capacity(range, ("minAcu", "maxAcu"), ACU_MAX, at));
        if secondaries > 0 && serverless.min_acu.0 < GLOBAL_HALF_ACU_ADVISED {
            found.push(
                Finding::warning(
                    codes::GLOBAL_SHAPE,
                    format!("{at}.serverless.minAcu"),
                    "a primary with less than 8 capacity units may not keep up with its replication",
                )
                .help("write `minAcu: 8`"),
            );
        }
    }
    if let Some(class) = store.class.as_deref().filter(|class| secondaries > 0 && class.starts_with("db.t")) {
        found.push(
            Finding::error(
                codes::GLOBAL_SHAPE,
                format!("{at}.class"),
                format!("`{class}` cannot be a member of a global database"),
            )
            .label("a burstable class")
            .help("take a memory-optimized class such as `db.r6g.large`, or write `global: false`"),
        );
    }
    version(store, at, secondaries, found);
    support(store, at, found);
    roles(store, at, around, found);
    super::authority(store.certificate_authority.as_deref(), at, around, found);
    let known: &[&str] = match store.engine {
        AuroraEngine::Mysql => &["audit", "error", "general", "slowquery"],
        AuroraEngine::Postgresql => &["postgresql"],
    };
    known_logs(&store.logs, known, store.engine.as_str(), at, found);
}

/// Aurora PostgreSQL takes a role for a feature, and one for each; Aurora MySQL takes roles alone, and names them in parameters (Aurora
/// guide, "Adding an IAM role to a DB cluster" and "Associating an IAM role with an Amazon Aurora MySQL DB cluster"). A role is attached
/// once, whatever for (RDS API reference, `AddRoleToDBCluster`, `DBClusterRoleAlreadyExists`).
fn roles(store: &AuroraStore, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let (mut features, mut arns) = (BTreeSet::new(), BTreeSet::new());
    for (place, role) in store.roles.iter().enumerate() {
        super::role(&role.arn, &format!("roles[{place}].arn"), at, around, found);
        if !arns.insert(&role.arn) {
            let (place, message) =
                (format!("{at}.roles[{place}].arn"), "a role is attached once, for one feature");
            let finding = Finding::error(codes::BAD_SETTING, place, message).label("named above");
            found.push(finding.help("name another role for this feature"));
        }
        let problem = match (store.engine, &role.feature) {
            (AuroraEngine::Mysql, Some(_)) => {
                Some(("Aurora MySQL names no feature of a role", "leave `feature` out"))
            }
            (AuroraEngine::Postgresql, None) => {
                Some(("Aurora PostgreSQL takes a role for a feature", "write such as `feature: s3Import`"))
            }
            (AuroraEngine::Postgresql, Some(feature)) if !features.insert(feature) => {
                Some(("a feature has one role", "name one of the two"))
            }
            _ => None,
        };
        if let Some((message, help)) = problem {
            let place = format!("{at}.roles[{place}].feature");
            found.push(Finding::error(codes::BAD_SETTING, place, message).label("not taken").help(help));
        }
    }
}

/// Major versions whose standard support has ended: Aurora MySQL 2 on 2024-10-31; Aurora PostgreSQL 11 on 2024-02-29, 12 on 2025-02-28,
/// 13 on 2026-02-28 (Aurora guide, "Amazon Aurora major versions").
const PAST_SUPPORT_POSTGRESQL: u32 = 13;

pub(in crate::families) fn is_past_support(engine: AuroraEngine, version: &str) -> bool {
    match engine {
        AuroraEngine::Mysql => version.starts_with("5.7"),
        AuroraEngine::Postgresql => {
            !version.contains("mysql")
                && numbers(version).first().is_some_and(|major| *major <= PAST_SUPPORT_POSTGRESQL)
        }
    }
}

/// A major version that is past the end of standard support is paid for, or is not made at all.
fn support(store: &AuroraStore, at: &str, found: &mut Vec<Finding>) {
    let Some(version) = store.version.as_deref() else { return };
    if !is_past_support(store.engine, version) {
        return;
    }
    let place = format!("{at}.version");
    found.push(match store.extended_support {
        Some(false) => Finding::warning(
            codes::FEATURE_VERSION,
            place,
            // One that exists goes on, and can be changed and removed.
            format!("`{version}` is past the end of standard support: without `extendedSupport` the service makes no new cluster of it"),
        )
        .help("take a newer version, or pay for its support with `extendedSupport: true`"),
        Some(true) | None => Finding::warning(
            codes::FEATURE_VERSION,
            place,
            format!(
                "`{version}` is past the end of standard support, and is billed for extended support by processor and hour: that \
                 price is not in the catalogue"
            ),
        )
        .help("take a newer version; `rgctl plan` says what the upgrade does"),
    });
}

fn version(store: &AuroraStore, at: &str, secondaries: u32, found: &mut Vec<Finding>) {
    let Some(version) = store.version.as_deref() else { return };
    let old = match store.engine {
        AuroraEngine::Mysql => version.starts_with("5.7"),
        AuroraEngine::Postgresql => {
            !version.contains("mysql") && numbers(version).first().is_some_and(|major| *major < 13)
        }
    };
    if old && (store.serverless.is_some() || secondaries > 0) {
        let what = if store.serverless.is_some() { "serverless capacity" } else { "a global database" };
        found.push(
            Finding::error(
                codes::FEATURE_VERSION,
                format!("{at}.version"),
                format!("{what} needs a newer version than `{version}`"),
            )
            .help("leave `version` out to take the newest"),
        );
    }
}
