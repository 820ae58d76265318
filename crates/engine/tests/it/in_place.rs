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

/// What each change of one object asks for, in its order.
fn asked(plan: &Plan) -> Vec<Vec<(String, Value)>> {
    let of_step = |op: &Op| match op {
        Op::Modify { changes, .. } => {
            changes.iter().map(|change| (change.field.clone(), change.after.clone())).collect()
        }
        other => vec![(other.word().to_owned(), Value::Null)],
    };
    plan.steps.iter().map(|step| of_step(&step.op)).filter(|asked| asked[0].0 != "tag").collect()
}

fn one(field: &str, value: Value) -> Vec<(String, Value)> {
    vec![(field.to_owned(), value)]
}

#[test]
fn encryption_of_connections_is_switched_in_two_steps_and_users_come_after() {
    let of = |engine: &str, version: &str, tls: bool, more: &[(&str, Value)]| {
        let own = [
            ("engine", json!(engine)),
            ("engine_version", json!(version)),
            ("transit_encryption", json!(tls)),
        ];
        single(KindId::CacheGroup, &[&own, more].concat())
    };
    let preferred = one("transit_encryption", json!("preferred"));
    let users = [("user_group", json!("game-users"))];
    let on = planned(&of("valkey", "8.2", false, &[]), &of("valkey", "8.2", true, &users));
    assert_eq!(
        asked(&on),
        [preferred.clone(), one("transit_encryption", json!(true)), one("user_group", json!("game-users"))]
    );
    assert!(on.steps.iter().all(|step| step.requires.is_empty()), "nothing goes: {:#?}", lines(&on));
    assert!(on.steps.iter().all(|step| step.effect.write_outage == rgctl_schema::time::Span::ZERO));
    let off = planned(&of("redis", "7.1", true, &[]), &of("redis", "7.1", false, &[]));
    assert_eq!(asked(&off), [preferred.clone(), one("transit_encryption", json!(false))]);
    // Users go before, and what nobody wants of them after.
    let none = [("user_group", json!(""))];
    let with_users = planned(&of("valkey", "8.2", true, &users), &of("valkey", "8.2", false, &none));
    assert_eq!(
        asked(&with_users),
        [one("user_group", json!("")), preferred.clone(), one("transit_encryption", json!(false))]
    );
    assert!(planned(&of("valkey", "8.2", false, &[]), &of("valkey", "8.2", false, &none)).is_empty());
    // A version that can comes first; below it, and where users stay bound, there is no way.
    let newer = planned(&of("redis", "6.2", false, &[]), &of("redis", "7.1", true, &[]));
    assert_eq!(
        asked(&newer),
        [one("engine_version", json!("7.1")), preferred, one("transit_encryption", json!(true))]
    );
    for (before, after) in [
        (of("redis", "6.2", false, &[]), of("redis", "6.2", true, &[])),
        (of("valkey", "8.2", true, &users), of("valkey", "8.2", false, &[])),
    ] {
        let words: Vec<String> =
            asked(&planned(&before, &after)).into_iter().map(|one| one[0].0.clone()).collect();
        assert_eq!(words, ["delete", "create"]);
    }
}

#[test]
fn what_is_on_the_way_to_encryption_goes_on_from_there() {
    let of =
        |tls: Value| single(KindId::CacheGroup, &[("engine", json!("valkey")), ("transit_encryption", tls)]);
    for end in [true, false] {
        let plan = planned(&of(json!("preferred")), &of(json!(end)));
        assert_eq!(asked(&plan), [one("transit_encryption", json!(end))]);
    }
}

#[test]
fn encryption_of_members_of_a_global_datastore_has_no_way_in_place() {
    let at = |region: &str| address(region, KindId::CacheGroup, "game-a");
    let whole = address("us-east-1", KindId::CacheGlobal, "game-a-global");
    let of = |tls: bool| {
        let own = [("engine", json!("valkey")), ("transit_encryption", json!(tls))];
        let second = [&own[..], &[("global", json!("game-a-global"))]].concat();
        desired(vec![
            node(at("us-east-1"), "a", &own, &[]),
            node(at("us-west-2"), "a", &second, &[&whole]),
            node(whole.clone(), "a", &[("source", json!("game-a"))], &[&at("us-east-1")]),
        ])
    };
    let mut world = world_of(&of(false));
    let members = [("us-east-1", Role::Writer), ("us-west-2", Role::Reader)].map(|(region, role)| Member {
        region: at(region).region,
        name: at(region).name,
        role,
    });
    world.seen.get_mut(&whole).unwrap().facts.members = members.to_vec();
    let plan = plan_for(&of(true), &world, &Policy::default());
    for region in ["us-east-1", "us-west-2"] {
        let is_deletion = |op: &Op| matches!(op, Op::Delete { address, .. } if *address == at(region));
        let deletion = plan.steps.iter().find(|step| is_deletion(&step.op));
        let is_asked = deletion.is_some_and(|step| !step.requires.is_empty());
        assert!(is_asked, "a new one, with consent: {:#?}\n{:#?}", lines(&plan), plan.waiting);
    }
    assert!(!plan.steps.iter().any(|step| matches!(step.op, Op::Modify { .. })), "{:#?}", lines(&plan));
}

fn warehouse(paused: bool, more: &[(&str, Value)]) -> Desired {
    let own = [("node_type", json!("ra3.xlplus")), ("nodes", json!(2)), ("paused", json!(paused))];
    single(KindId::RedshiftCluster, &[&own, more].concat())
}

#[test]
fn a_paused_warehouse_is_woken_for_a_change_and_paused_again() {
    let days = |days: u64| [("snapshot_retention_days", json!(days))];
    let (before, after) = (warehouse(true, &days(7)), warehouse(true, &days(9)));
    let mut world = world_of(&before);
    let at = address("us-east-1", KindId::RedshiftCluster, "game-a");
    world.seen.get_mut(&at).unwrap().facts.phase = rgctl_schema::phase::Phase::Stopped;
    assert!(plan_for(&before, &world, &Policy::default()).is_empty(), "paused as wanted");
    let plan = plan_for(&after, &world, &Policy::default());
    assert_eq!(
        asked(&plan),
        [one("paused", json!(false)), one("snapshot_retention_days", json!(9)), one("paused", json!(true))]
    );
    // It waits as the gravest of what it is woken for, and asks for the same consent.
    let resized = plan_for(&warehouse(true, &[("nodes", json!(1))]), &world, &Policy::default());
    let wake = &resized.steps[0];
    let gravest = resized.steps.iter().map(|step| step.disturbs).max().unwrap();
    assert_eq!(wake.disturbs, gravest, "{:#?}", lines(&resized));
    assert!(resized.steps.iter().all(|step| step.requires.is_subset(&wake.requires)));
    assert!(!wake.requires.is_empty(), "{:#?}", lines(&resized));
    // Wanted awake, it is woken once.
    let awake = plan_for(&warehouse(false, &days(9)), &world, &Policy::default());
    assert_eq!(asked(&awake), [one("paused", json!(false)), one("snapshot_retention_days", json!(9))]);
}

#[test]
fn a_warehouse_that_is_made_within_its_pause_is_paused_by_the_plan_that_makes_it() {
    let nothing = rgctl_model::observed::Inventory::empty(NOW);
    let plan = plan_for(&warehouse(true, &[]), &nothing, &Policy::default());
    assert_eq!(asked(&plan), [one("create", Value::Null), one("paused", json!(true))]);
    assert!(plan.steps[1].needs.contains(&plan.steps[0].id));
    let plan = plan_for(&warehouse(false, &[]), &nothing, &Policy::default());
    assert_eq!(asked(&plan), [one("create", Value::Null)]);
}

/// What is stopped, and of it what the plan does, in its order.
fn stopped(before: &Desired, after: &Desired) -> (Plan, Vec<String>) {
    let mut world = world_of(before);
    for seen in world.seen.values_mut() {
        seen.facts.phase = rgctl_schema::phase::Phase::Stopped;
    }
    let plan = plan_for(after, &world, &Policy::default());
    let words = plan.steps.iter().filter(|step| !matches!(step.op, Op::Tag { .. }));
    let words = words.map(|step| format!("{} {}", step.op.word(), step.op.address().kind)).collect();
    (plan, words)
}

#[test]
fn what_is_stopped_is_started_before_it_is_removed_or_made_anew() {
    // A warehouse, paused as was wanted.
    let (plan, words) = stopped(&warehouse(true, &[]), &desired(Vec::new()));
    assert_eq!(words, ["start redshift.cluster", "delete redshift.cluster"]);
    assert_eq!(
        plan.steps[0].requires, plan.steps[1].requires,
        "nothing is woken for what nobody has allowed"
    );
    assert!(!plan.steps[0].requires.is_empty());
    assert_eq!(plan.steps[0].disturbs, plan.steps[1].disturbs, "and not before its time");
    let other = [("database", json!("other"))];
    let (_, words) = stopped(&warehouse(true, &[("database", json!("one"))]), &warehouse(true, &other));
    let anew = ["start", "delete", "create", "modify"].map(|word| format!("{word} redshift.cluster"));
    assert_eq!(words, anew, "and paused again");
    // A cluster wakes with its members, one of which goes, or all.
    for (cluster, member) in
        [(KindId::AuroraCluster, KindId::AuroraInstance), (KindId::DocumentCluster, KindId::DocumentInstance)]
    {
        let of = |members: &[&str]| {
            let parent = address("us-east-1", cluster, "game-a");
            let mut nodes = vec![node(parent.clone(), "a", &[], &[])];
            for name in members {
                let own = [("cluster", json!("game-a")), ("class", json!("db.r6g.large"))];
                nodes.push(node(address("us-east-1", member, name), "a", &own, &[&parent]));
            }
            desired(nodes)
        };
        for (after, deletions) in [(of(&["game-a-1"]), 1), (desired(Vec::new()), 3)] {
            let (plan, words) = stopped(&of(&["game-a-1", "game-a-2"]), &after);
            assert_eq!(words[0], format!("start {cluster}"), "{words:?}");
            assert_eq!(words.iter().filter(|word| word.starts_with("start")).count(), 1, "{words:?}");
            let gone = || plan.steps.iter().filter(|step| matches!(step.op, Op::Delete { .. }));
            assert_eq!(gone().count(), deletions, "{words:?}");
            let first = &plan.steps[0].id;
            let of_members = gone().filter(|step| step.op.address().kind == member);
            assert!(of_members.clone().all(|step| step.needs.contains(first)), "{:#?}", lines(&plan));
        }
    }
}
