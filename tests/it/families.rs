//! Expansion and desired state of the shipped blueprints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rgctl_blueprint::desired::{self, Built};
use rgctl_blueprint::families::bill;
use rgctl_catalog::{Unit, price_bill};
use rgctl_model::address::Address;
use rgctl_model::bill::BillLine;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::{Desired, Node, Usage};
use rgctl_model::overlay::{Axis, Decisions, Overlay, OverlayKey, Owner, Target};
use rgctl_model::sizes::Sizes;
use rgctl_schema::names::StoreName;
use rgctl_schema::time::{Moment, Span};
use serde_json::json;

use rgctl_testkit::fixtures::{NOW, region};
use rgctl_testkit::shipped::{SHIPPED, build, catalog, read};

/// The depth of each node in the order of creation; fails on a need that dangles or leads back to itself.
fn depths(desired: &Desired) -> BTreeMap<&Address, usize> {
    let mut depths: BTreeMap<&Address, usize> = BTreeMap::new();
    while depths.len() < desired.nodes.len() {
        let before = depths.len();
        for node in desired.nodes.values() {
            for need in &node.needs {
                assert!(
                    desired.nodes.contains_key(need),
                    "{} needs {need}, which nobody makes",
                    node.address
                );
            }
            let known: Option<Vec<usize>> = node.needs.iter().map(|need| depths.get(need).copied()).collect();
            if let Some(known) = known {
                depths.insert(&node.address, known.into_iter().max().map_or(0, |depth| depth + 1));
            }
        }
        assert!(depths.len() > before, "a circle of needs among {:?}", desired.nodes.keys());
    }
    depths
}

#[test]
fn every_need_is_made_and_none_leads_back_to_itself() {
    for name in SHIPPED {
        let built = build(name, &[]);
        assert!(!built.desired.nodes.is_empty(), "{name}");
        depths(&built.desired);
    }
}

#[test]
fn names_begin_with_the_blueprint_and_keep_the_limits_of_their_service() {
    for name in SHIPPED {
        let built = build(name, &[]);
        for address in built.desired.nodes.keys() {
            let text = address.name.as_str();
            assert!(text.starts_with(built.desired.blueprint.as_str()), "{address}");
            let short =
                matches!(address.kind, KindId::CacheGroup | KindId::CacheUser | KindId::CacheUserGroup);
            assert!(text.len() <= if short { 40 } else { 63 }, "{address}");
            assert!(built.desired.regions.contains(&address.region), "{address}");
        }
    }
}

#[test]
fn a_reference_by_name_is_always_a_need_too() {
    for name in SHIPPED {
        let built = build(name, &[]);
        for node in built.desired.nodes.values() {
            for field in [
                "subnet_group",
                "parameter_group",
                "cluster",
                "user_group",
                "namespace",
                "global",
                "master_secret",
            ] {
                let Some(wanted) = node.attrs.text(field) else { continue };
                let is_it = |need: &&Address| need.name.as_str() == wanted;
                assert!(node.needs.iter().any(|need| is_it(&need)), "{}: {field} {wanted}", node.address);
            }
        }
    }
}

#[test]
fn data_is_encrypted_private_protected_and_without_passwords_by_default() {
    let text = |node: &Node, field: &str| node.attrs.get(field).map(|value| value.to_string());
    for name in SHIPPED {
        let desired = build(name, &[]).desired;
        let is_global = |node: &Node| {
            let global = node.address.kind.global_kind();
            let mut others = desired.nodes.values();
            others.any(|other| {
                Some(other.address.kind) == global
                    && other.address.region == node.address.region
                    && other.attrs.text("source").as_deref() == Some(node.address.name.as_str())
            })
        };
        for node in desired.nodes.values() {
            for field in ["storage_encrypted", "at_rest_encryption", "encrypted", "transit_encryption"] {
                assert_ne!(text(node, field).as_deref(), Some("false"), "{} {field}", node.address);
            }
            assert_ne!(text(node, "publicly_accessible").as_deref(), Some("true"), "{}", node.address);
            if node.address.kind.facts().protection.is_some() {
                assert_eq!(text(node, "deletion_protection").as_deref(), Some("true"), "{}", node.address);
            }
            if text(node, "master_username").is_some() {
                // The services keep none of a member of a global database: a secret of the store's own does.
                let kept = ["managed_password", "master_secret"].map(|field| node.attrs.get(field));
                let is_kept = kept[0] == Some(true.into()) && kept[1].is_none();
                let has_own = kept[0] == Some(false.into()) && kept[1].is_some();
                assert_eq!((is_kept, has_own), (!is_global(node), is_global(node)), "{}", node.address);
            }
            let days = ["backup_retention_days", "snapshot_retention_days"];
            for days in days.iter().filter_map(|field| text(node, field)) {
                assert_ne!(days, "0", "{}", node.address);
            }
        }
    }
}

#[test]
fn a_global_cluster_is_made_from_a_primary_with_a_writer_and_followed_by_the_secondary() {
    let built = build("rocket-arena", &[]);
    let nodes = &built.desired.nodes;
    let of = |kind: KindId, code: &str, store: &str| -> Vec<&Node> {
        let is_it = |node: &&Node| {
            node.address.kind == kind && node.address.region == region(code) && node.store.as_str() == store
        };
        nodes.values().filter(is_it).collect()
    };
    for (global, cluster, member, store) in [
        (KindId::AuroraGlobal, KindId::AuroraCluster, KindId::AuroraInstance, "accounts"),
        (KindId::DocumentGlobal, KindId::DocumentCluster, KindId::DocumentInstance, "matches"),
    ] {
        let global = of(global, "us-east-1", store)[0];
        let first = of(member, "us-east-1", store)[0];
        assert!(first.address.name.as_str().ends_with("-1"));
        assert!(global.needs.contains(&first.address));
        let follower = of(cluster, "us-west-2", store)[0];
        assert!(follower.needs.contains(&global.address) && follower.standby);
        assert_eq!(follower.attrs.text("master_username"), None, "a secondary has the users of its primary");
        let zones: BTreeSet<_> =
            of(member, "us-east-1", store).iter().filter_map(|node| node.attrs.text("zone")).collect();
        assert!(zones.len() >= 2, "members in several zones: {zones:?}");
    }
    let group = of(KindId::CacheGroup, "us-west-2", "ranking")[0];
    assert_eq!(group.attrs.text("global").as_deref(), Some("rocket-arena-ranking-global"));
    let warehouse = of(KindId::RedshiftCluster, "us-east-1", "history")[0];
    assert_eq!(warehouse.attrs.text("snapshot_copy_region").as_deref(), Some("us-west-2"));
    assert!(of(KindId::RedshiftCluster, "us-west-2", "history").is_empty());
}

/// All keys of the prices that could be known: those of the tables, and those that a refresh would read.
#[test]
fn every_line_of_a_bill_has_a_key_that_the_catalog_prices_or_is_known_to_lack() {
    // No public source names a price for these; they stay in the list of what is unpriced.
    let lacking =
        ["docdb/global-replicated-write-io", "docdb/serverless-dcu", "aurora/global-replicated-write-io"];
    let catalog = catalog();
    let keys: BTreeSet<(String, String, String)> = catalog
        .book()
        .prices()
        .keys()
        .map(|key| (key.service.to_string(), key.sku.to_string(), key.unit.text().to_owned()))
        .collect();
    for name in SHIPPED {
        for bill in build(name, &[]).desired.bills {
            for line in bill.floor.iter().chain(&bill.expected).chain(&bill.ceiling) {
                assert!(Unit::parse(&line.unit).is_some(), "{line:?}");
                assert!(line.quantity.is_finite() && line.quantity >= 0.0, "{line:?}");
                let key = (line.service.clone(), line.sku.clone(), line.unit.clone());
                let is_class = catalog.class(&line.service, &line.sku).is_some();
                let is_lacking = lacking.contains(&format!("{}/{}", line.service, line.sku).as_str());
                assert!(keys.contains(&key) || is_class || is_lacking, "{name}: {line:?}");
            }
        }
    }
}

#[test]
fn known_prices_make_the_floor_no_dearer_than_expected_and_expected_no_dearer_than_the_ceiling() {
    let catalog = catalog();
    let mut priced = 0;
    for name in SHIPPED {
        for bill in build(name, &[]).desired.bills {
            let total = |lines: &[BillLine]| price_bill(&catalog, &bill.region, lines).total;
            let (floor, expected, ceiling) =
                (total(&bill.floor), total(&bill.expected), total(&bill.ceiling));
            for (currency, amount) in &expected.known {
                priced += 1;
                assert!(floor.known.get(currency).is_none_or(|floor| floor <= amount), "{name} {bill:?}");
                assert!(ceiling.known[currency] >= *amount, "{name} {bill:?}");
            }
        }
    }
    assert!(priced >= 10, "only {priced} amounts were compared");
}

#[test]
fn the_lines_of_single_objects_add_up_to_the_bill_of_their_store() {
    for name in ["light-game", "rocket-arena"] {
        let built = build(name, &[]);
        let clusters = desired::Clusters::of(&built.desired);
        for bill in &built.desired.bills {
            let mine = built
                .desired
                .nodes
                .values()
                .filter(|node| node.store == bill.store && node.address.region == bill.region);
            let lines: f64 = mine
                .flat_map(|node| clusters.bill_of(&node.attrs, &node.usage, &node.address.region))
                .map(|line| line.quantity)
                .sum();
            let whole: f64 = bill.expected.iter().map(|line| line.quantity).sum();
            // A region that only keeps copies of snapshots has a bill without objects.
            let has_objects = lines > 0.0;
            assert!(!has_objects || (lines - whole).abs() < 1e-6 * whole, "{}: {lines} {whole}", bill.store);
        }
    }
}

#[test]
fn support_past_its_end_is_billed_where_the_version_is_past_it_and_nobody_declined() {
    let bills = |engine: &str, version: &str, support: Option<bool>| {
        let of = |kind, fields: &[(&str, serde_json::Value)]| {
            let mut attrs = AnyAttrs::empty(kind);
            for (field, value) in fields {
                attrs.set(field, Some(value.clone())).unwrap();
            }
            attrs
        };
        let mut cluster =
            of(KindId::AuroraCluster, &[("engine", json!(engine)), ("engine_version", json!(version))]);
        cluster.set("extended_support", support.map(|on| json!(on))).unwrap();
        let member =
            of(KindId::AuroraInstance, &[("engine", json!(engine)), ("class", json!("db.r6g.large"))]);
        let lines = bill::bill_of_member(&member, &Usage::default(), Some(&cluster));
        lines.iter().any(|line| line.sku.starts_with("extended-support"))
    };
    for (engine, past, supported) in [
        ("aurora-postgresql", "13.9", "16.4"),
        ("aurora-mysql", "5.7.mysql_aurora.2.11.4", "8.0.mysql_aurora.3.10.0"),
    ] {
        let told = [None, Some(true), Some(false)];
        assert_eq!(told.map(|support| bills(engine, past, support)), [true, true, false], "{past}");
        assert_eq!(told.map(|support| bills(engine, supported, support)), [false; 3], "{supported}");
    }
}

fn overlay(target: u32) -> Overlay {
    Overlay {
        key: OverlayKey {
            store: StoreName::new("accounts").unwrap(),
            region: region("us-east-1"),
            axis: Axis::Readers,
            owner: Owner::Scaler,
        },
        target: Target::Count(target),
        exactly: false,
        by: "scaler".to_owned(),
        why: "test".to_owned(),
        set: NOW,
        until: Some(NOW + Span::from_hours(1)),
        then_return: false,
    }
}

fn members(built: &Built) -> usize {
    let is_member = |address: &&Address| {
        address.kind == KindId::AuroraInstance
            && address.region == region("us-east-1")
            && address.name.as_str().contains("accounts")
    };
    built.desired.nodes.keys().filter(is_member).count()
}

#[test]
fn an_overlay_moves_a_store_within_the_bounds_of_the_blueprint() {
    assert_eq!(members(&build("rocket-arena", &[overlay(5)])), 6);
    let beyond = build("rocket-arena", &[overlay(40)]);
    assert_eq!(members(&beyond), 9, "the blueprint allows 8 readers");
    assert!(
        beyond.notes()[0].contains("(the blueprint allows 1 reader to 8 readers)"),
        "{:?}",
        beyond.notes()
    );
    assert_eq!(members(&build("rocket-arena", &[overlay(0)])), 2, "and wants at least one");
    let void = Overlay { until: Some(NOW), then_return: true, ..overlay(5) };
    assert_eq!(members(&build("rocket-arena", &[void])), members(&build("rocket-arena", &[])));
}

#[test]
fn the_fingerprint_stays_with_the_same_nodes_and_moves_with_an_overlay() {
    let plain = build("rocket-arena", &[]).desired;
    assert_eq!(plain.fingerprint, build("rocket-arena", &[]).desired.fingerprint);
    assert_ne!(plain.fingerprint, build("rocket-arena", &[overlay(5)]).desired.fingerprint);
    let mut other_use = plain.nodes.clone();
    for node in other_use.values_mut() {
        node.usage.data_gib += 1.0;
    }
    assert_eq!(desired::fingerprint(&other_use), plain.fingerprint, "expected use is no part of it");
}

#[test]
fn a_warehouse_is_paused_in_its_pauses_only() {
    let text =
        std::fs::read_to_string(format!("{}/blueprints/rocket-arena.yaml", env!("CARGO_MANIFEST_DIR")));
    let pause = "      snapshotCopy: { retention: 7d }\n      pause:\n        - { days: [sat], from: \"22:00\", lasts: 9h, zone: UTC }\n";
    let text = text.unwrap().replace("      snapshotCopy: { retention: 7d }\n", pause);
    let (blueprint, reading) = read(&text);
    let paused_at = |text: &str| {
        let now = Moment::parse_rfc3339(text).unwrap();
        let built = desired::build(
            &blueprint,
            &reading.regions,
            &catalog(),
            (&Decisions::default(), &Sizes::default()),
            now,
        )
        .unwrap();
        let cluster =
            built.desired.nodes.into_values().find(|node| node.address.kind == KindId::RedshiftCluster);
        match cluster.unwrap().attrs {
            AnyAttrs::RedshiftCluster(cluster) => cluster.paused,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(paused_at("2026-11-22T06:59:00Z"), Some(true));
    assert_eq!(paused_at("2026-11-22T07:00:00Z"), Some(false));
}

#[test]
fn names_that_a_service_would_refuse_are_found_before_anything_is_made() {
    let text = std::fs::read_to_string(format!("{}/blueprints/light-game.yaml", env!("CARGO_MANIFEST_DIR")));
    let text = text.unwrap().replace("name: light-game\n", "name: light-game-of-many-words\n");
    let text =
        text.replace("name: ranking", "name: ranking-of-all-times").replace("origin: ranking", "origin: x");
    let (blueprint, reading) = read(&text);
    let findings = desired::build(
        &blueprint,
        &reading.regions,
        &catalog(),
        (&Decisions::default(), &Sizes::default()),
        NOW,
    )
    .unwrap_err();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].path, "spec.stores[1].name");
    assert!(findings[0].message.contains("at most 40"), "{}", findings[0].message);
}

/// What should exist by a blueprint of these stores, and what they are made as, where they were made as that before.
fn after(stores: &str, before: &Sizes) -> (BTreeSet<Address>, Sizes) {
    let text = format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: game-of-many-long-words }}\nspec:\n  demand: \
         {{ players: {{ peakConcurrent: 1k }}, requestsPerPlayerPerMinute: 6 }}\n  objectives: {{ rto: 8h, rpo: 24h }}\n  \
         regions: {{ primary: us-east-1 }}\n  stores:\n{stores}"
    );
    let (blueprint, reading) = read(&text);
    let given = (&Decisions::default(), before);
    let desired = desired::build(&blueprint, &reading.regions, &catalog(), given, NOW).unwrap().desired;
    let is_group = |address: &&Address| {
        matches!(address.kind, KindId::AuroraClusterParameters | KindId::AuroraInstanceParameters)
    };
    (desired.nodes.keys().filter(is_group).cloned().collect(), desired.sizes)
}

#[test]
fn groups_of_a_newer_family_have_names_of_their_own_however_long_and_whosever_the_old_ones_were() {
    let of = |version: &str, adopt: &str| {
        let store = |name: &str| {
            format!("    - {{ name: {name}, engine: aurora-postgresql, version: \"{version}\"{adopt} }}\n")
        };
        store("accounts-of-players1") + &store("accounts-of-players2")
    };
    let (plain, sizes) = after(&of("15.18", ""), &Sizes::default());
    let (newer, still) = after(&of("16.11", ""), &sizes);
    assert_eq!((plain.len(), newer.len()), (4, 4), "{newer:?}");
    assert!(plain.is_disjoint(&newer), "{newer:?}");
    assert!(newer.iter().all(|address| address.name.as_str().ends_with("-aurora-postgresql16")), "{newer:?}");
    assert_eq!(
        after(&of("15.18", ""), &still).0,
        plain,
        "the family that it was made with keeps the plain names"
    );
    // A store that uses the service's own groups gets groups of its own with the newer version: none of the old family fits.
    let shared = ["aurora.cluster_parameters", "aurora.instance_parameters"].map(|kind| {
        format!("{{ region: us-east-1, kind: {kind}, name: default.aurora-postgresql15, ownership: shared }}")
    });
    let adopt = format!(", adopt: [{}]", shared.join(", "));
    let (none, sizes) = after(&of("15.18", &adopt), &Sizes::default());
    assert_eq!(none, BTreeSet::new());
    assert_eq!(after(&of("16.11", &adopt), &sizes).0, newer);
}

#[test]
fn a_log_that_is_exported_is_switched_on_and_goes_off_with_the_wish() {
    let parameters = |logs: &str| {
        let text = format!(
            "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: g }}\nspec:\n  demand: {{ players: {{ \
             peakConcurrent: 1k }}, requestsPerPlayerPerMinute: 6 }}\n  objectives: {{ rto: 8h, rpo: 24h }}\n  regions: {{ \
             primary: us-east-1 }}\n  stores: [{{ name: db, engine: aurora-mysql, class: db.r7g.large, logs: [{logs}] }}]\n"
        );
        let (blueprint, reading) = read(&text);
        let built = desired::build(
            &blueprint,
            &reading.regions,
            &catalog(),
            (&Decisions::default(), &Sizes::default()),
            NOW,
        )
        .unwrap();
        let groups =
            built.desired.nodes.values().filter(|node| node.address.kind == KindId::AuroraClusterParameters);
        let groups: Vec<_> = groups.map(|node| node.attrs.get("parameters").unwrap()).collect();
        groups[0].clone()
    };
    let all = parameters("slowquery, general, audit, error");
    for name in ["slow_query_log", "general_log", "server_audit_logging"] {
        assert_eq!(all[name], "1", "{name}: {all}");
        assert_eq!(parameters("error")[name], "0", "{name}");
    }
    assert!(all["server_audit_events"].as_str().is_some_and(|events| events.contains("CONNECT")), "{all}");
}

/// Every object with what is set of it, and what it needs.
fn shape(built: &Built) -> String {
    let mut out = String::new();
    for (address, node) in &built.desired.nodes {
        let _ = writeln!(out, "{address}{}", if node.standby { " (standby)" } else { "" });
        for (field, value) in node.attrs.set_fields() {
            let _ = writeln!(out, "    {field}: {value}");
        }
        for need in &node.needs {
            let _ = writeln!(out, "    needs {need}");
        }
    }
    out
}

#[test]
fn the_objects_of_light_game() {
    insta::assert_snapshot!(shape(&build("light-game", &[])));
}

#[test]
fn the_objects_of_rocket_arena() {
    insta::assert_snapshot!(shape(&build("rocket-arena", &[])));
}
