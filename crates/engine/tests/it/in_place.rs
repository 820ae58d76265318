//! What a service changes in place, in how many calls and in which order; and what of it leads back.

use rgctl_engine::planning;
use rgctl_model::kinds::KindId;
use rgctl_model::node::{Desired, Node};
use rgctl_model::observed::Member;
use rgctl_model::plan::{Op, Plan};
use rgctl_model::policy::Policy;
use rgctl_schema::phase::Role;
use serde_json::{Value, json};

use rgctl_testkit::fixtures::*;

fn planned(before: &Desired, after: &Desired) -> Plan {
    plan_for(after, &world_of(before), &Policy::default())
}

/// One object with these fields.
fn single(kind: KindId, fields: &[(&str, Value)]) -> Desired {
    desired(vec![node(address("us-east-1", kind, "game-a"), "a", fields, &[])])
}

#[test]
fn a_zone_that_a_member_would_be_made_in_today_takes_none_away() {
    for kind in [KindId::AuroraInstance, KindId::DocumentInstance] {
        let of = |zone: &str| single(kind, &[("class", json!("db.r6g.large")), ("zone", json!(zone))]);
        let plan = planned(&of("us-east-1a"), &of("us-east-1d"));
        assert!(plan.is_empty(), "{kind}: {:#?}", lines(&plan));
        let told = |zone: &str| {
            let (wanted, policy) = (of(zone), Policy::default());
            let world = world_of(&of("us-east-1a"));
            planning::kept_from_birth(&ask(&wanted, &world, &policy), &plan_for(&wanted, &world, &policy))
        };
        assert!(matches!(&told("us-east-1d")[..], [note] if note.contains("1 member stays in the zone")));
        assert_eq!(told("us-east-1a"), [""; 0]);
    }
}

#[test]
fn no_newer_version_of_any_engine_leads_back() {
    let cases = [
        (KindId::AuroraCluster, "engine_version", "15.4", "16.4", false),
        (KindId::DocumentCluster, "engine_version", "4.0.0", "5.0.0", false),
        (KindId::CacheGroup, "engine_version", "7.0", "7.1", false),
        // What is not a version does, where nothing else forbids it.
        (KindId::AuroraInstance, "class", "db.r7g.large", "db.r7g.xlarge", true),
        (KindId::CacheGroup, "node_type", "cache.r7g.large", "cache.r7g.xlarge", true),
    ];
    for (kind, field, from, to, leads_back) in cases {
        let fields = |value: &str| match (kind, field) {
            (KindId::AuroraCluster, _) => vec![("engine", json!("aurora-postgresql")), (field, json!(value))],
            (KindId::CacheGroup, "engine_version") => vec![("engine", json!("redis")), (field, json!(value))],
            _ => vec![(field, json!(value))],
        };
        let plan = planned(&single(kind, &fields(from)), &single(kind, &fields(to)));
        let changes = plan.steps.iter().filter(|step| matches!(step.op, Op::Modify { .. }));
        let told: Vec<bool> = changes.map(|step| step.effect.reversible).collect();
        assert_eq!(told, [leads_back], "{kind} {field} {from} -> {to}: {:#?}", lines(&plan));
    }
}

/// A database over two regions, of one version.
fn over_two_regions(kind: KindId, global: KindId, version: &str) -> Desired {
    let name = |code: &str| format!("game-a-{}", region(code).short());
    let cluster = |code: &str, more: &[(&str, Value)], needs: &[&rgctl_model::address::Address]| -> Node {
        let fields = [&[("engine_version", json!(version))], more].concat();
        node(address(code, kind, &name(code)), "a", &fields, needs)
    };
    let primary = cluster("us-east-1", &[], &[]);
    let whole = address("us-east-1", global, "game-a-global");
    let secondary = cluster("us-west-2", &[("global", json!("game-a-global"))], &[&whole]);
    let source = [("source", json!(name("us-east-1")))];
    desired(vec![primary.clone(), node(whole, "a", &source, &[&primary.address]), secondary])
}

#[test]
fn a_secondary_takes_a_newer_version_before_its_primary() {
    for (kind, global, from, to) in [
        (KindId::AuroraCluster, KindId::AuroraGlobal, "8.0.mysql_aurora.3.08.0", "8.0.mysql_aurora.3.10.0"),
        (KindId::DocumentCluster, KindId::DocumentGlobal, "5.0.0", "5.0.1"),
    ] {
        let before = over_two_regions(kind, global, from);
        let after = over_two_regions(kind, global, to);
        let mut world = world_of(&before);
        let members = before.nodes.keys().filter(|address| address.kind == kind).map(|address| {
            let role = if address.region == region("us-east-1") { Role::Writer } else { Role::Reader };
            Member { region: address.region.clone(), name: address.name.clone(), role }
        });
        let members = members.collect();
        let whole = address("us-east-1", global, "game-a-global");
        world.seen.get_mut(&whole).unwrap().facts.members = members;
        let plan = plan_for(&after, &world, &Policy::default());
        let step = |code: &str| {
            let is_it = |op: &Op| {
                op.address().kind == kind
                    && op.address().region == region(code)
                    && matches!(op, Op::Modify { .. })
            };
            plan.steps
                .iter()
                .find(|step| is_it(&step.op))
                .unwrap_or_else(|| panic!("{code}: {:#?}", lines(&plan)))
        };
        let (primary, secondary) = (step("us-east-1"), step("us-west-2"));
        assert!(primary.needs.contains(&secondary.id), "{kind}: {:#?}", lines(&plan));
        assert!(!secondary.needs.contains(&primary.id), "{kind}");
    }
}

#[test]
fn a_warehouse_changes_its_encryption_by_a_copy_of_all_data() {
    let of = |fields: &[(&str, Value)]| {
        single(
            KindId::RedshiftCluster,
            &[&[("node_type", json!("ra3.xlplus")), ("nodes", json!(2))], fields].concat(),
        )
    };
    let key = |name: &str| json!(format!("arn:aws:kms:us-east-1:111122223333:key/{name}"));
    let elastic = planned(
        &of(&[]),
        &single(KindId::RedshiftCluster, &[("node_type", json!("ra3.xlplus")), ("nodes", json!(4))]),
    );
    for (before, after) in [
        (of(&[("encrypted", json!(false))]), of(&[("encrypted", json!(true))])),
        (
            of(&[("encrypted", json!(true)), ("kms_key", key("one"))]),
            of(&[("encrypted", json!(true)), ("kms_key", key("two"))]),
        ),
        // Both in one call, and so by one copy.
        (of(&[("encrypted", json!(false))]), of(&[("encrypted", json!(true)), ("kms_key", key("one"))])),
    ] {
        let plan = planned(&before, &after);
        let step = &plan.steps[0];
        assert!(matches!(step.op, Op::Modify { .. }), "in place: {:#?}", lines(&plan));
        let others: Vec<_> = plan.steps.iter().skip(1).map(|step| &step.op).collect();
        assert!(others.iter().all(|op| matches!(op, Op::Tag { .. })), "{others:?}");
        assert!(
            step.effect.duration > elastic.steps[0].effect.duration
                && step.effect.write_outage > elastic.steps[0].effect.write_outage,
            "{:?} {:?}",
            step.effect,
            elastic.steps[0].effect
        );
    }
}

#[test]
fn a_cache_goes_to_data_on_disk_or_back_by_a_new_one_only() {
    let of = |class: &str| single(KindId::CacheGroup, &[("node_type", json!(class))]);
    let ops = |from: &str, to: &str| {
        let plan = planned(&of(from), &of(to));
        plan.steps.iter().map(|step| matches!(step.op, Op::Modify { .. })).collect::<Vec<_>>()
    };
    assert_eq!(ops("cache.r6g.large", "cache.r7g.large"), [true]);
    assert_eq!(ops("cache.r6gd.xlarge", "cache.r6gd.2xlarge"), [true]);
    assert_eq!(ops("cache.r6g.xlarge", "cache.r6gd.xlarge"), [false, false]);
    assert_eq!(ops("cache.r6gd.xlarge", "cache.r6g.xlarge"), [false, false]);
}

#[test]
fn a_serverless_cache_takes_one_change_a_call_and_both_bounds_of_one_measure_in_one() {
    let before = single(
        KindId::CacheServerless,
        &[
            ("data_min_gib", json!(1)),
            ("data_max_gib", json!(10)),
            ("snapshot_retention_days", json!(1)),
            ("security_groups", json!(["sg-1"])),
        ],
    );
    let after = single(
        KindId::CacheServerless,
        &[
            ("data_min_gib", json!(12)),
            ("data_max_gib", json!(20)),
            ("snapshot_retention_days", json!(7)),
            ("security_groups", json!(["sg-1", "sg-2"])),
        ],
    );
    let mut asked: Vec<Vec<String>> = Vec::new();
    for step in &planned(&before, &after).steps {
        let Op::Modify { changes, .. } = &step.op else { panic!("{:?}", step.op) };
        asked.push(changes.iter().map(|change| change.field.clone()).collect());
    }
    asked.sort();
    assert_eq!(
        asked,
        [vec!["data_max_gib", "data_min_gib"], vec!["security_groups"], vec!["snapshot_retention_days"]]
    );
}
