//! The planner where objects are replaced: what that takes with it, what goes before it, and what is in its way.

use std::collections::BTreeSet;

use rgctl_model::journal::Outcome;
use rgctl_model::kinds::KindId;
use rgctl_model::node::{Desired, Keep};
use rgctl_model::observed::Member;
use rgctl_model::plan::{Blocker, Op};
use rgctl_model::policy::Policy;
use rgctl_schema::phase::Role;
use serde_json::json;

use crate::planning::position;
use rgctl_sim::GENESIS;
use rgctl_testkit::fixtures::*;
use rgctl_testkit::site::{Order, Site};
use rgctl_testkit::swarm_blueprint::desired_of;

#[test]
fn a_replacement_of_data_is_held_and_takes_its_members_with_it() {
    let before = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut after = before.clone();
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    after.nodes.get_mut(&cluster).unwrap().attrs.set("master_username", Some(json!("root"))).unwrap();
    let held = plan_for(&after, &world_of(&before), &Policy::default());
    assert!(
        lines(&held)
            .iter()
            .any(|line| line.contains("lacks replace:accounts@us-east-1 empty:accounts@us-east-1")),
        "{:#?}",
        lines(&held)
    );
    let removals = lines(&held).into_iter().filter(|line| line.starts_with("delete "));
    let (held_back, free): (Vec<_>, Vec<_>) = removals.partition(|line| line.contains(" lacks "));
    assert_eq!((held_back.len(), free), (3, Vec::new()), "members stay as long as their cluster does");
    let free = plan_for(
        &after,
        &world_of(&before),
        &consents(&["replace:accounts@us-east-1", "empty:accounts@us-east-1"]),
    );
    assert!(free.lacking().is_empty(), "{:#?}", lines(&free));
    let delete = position(&free, "delete aurora.cluster/");
    assert!(position(&free, "delete aurora.instance/game-accounts-use1-1") < delete);
    assert!(delete < position(&free, "create aurora.cluster/"));
    assert!(
        position(&free, "create aurora.cluster/")
            < position(&free, "create aurora.instance/game-accounts-use1-1")
    );
}

/// A cache of one version, engine and mode.
fn cache(engine: &str, version: &str, mode: &str) -> Desired {
    let group = address("us-east-1", KindId::CacheGroup, "game-cache-use1");
    let fields = [
        ("engine", json!(engine)),
        ("engine_version", json!(version)),
        ("node_type", json!("cache.r7g.large")),
        ("cluster_mode", json!(mode)),
    ];
    desired(vec![node(group, "cache", &fields, &[])])
}

#[test]
fn what_a_service_does_not_take_back_is_replaced_and_only_then() {
    let lines_of = |before: &Desired, after: &Desired| {
        let everything = consents(&["replace:cache@us-east-1", "empty:cache@us-east-1"]);
        lines(&plan_for(after, &world_of(before), &everything))
    };
    let anew = ["delete elasticache.group/game-cache-use1", "create elasticache.group/game-cache-use1"];
    let cases: [(_, _, &[&str]); 8] = [
        // Enabled for good, by way of a mode in which clients of both kinds are served.
        (
            ("valkey", "8.0", "disabled"),
            ("valkey", "8.0", "enabled"),
            &[
                "modify elasticache.group/game-cache-use1 cluster_mode=compatible",
                "modify elasticache.group/game-cache-use1 cluster_mode",
            ],
        ),
        (
            ("valkey", "8.0", "compatible"),
            ("valkey", "8.0", "enabled"),
            &["modify elasticache.group/game-cache-use1 cluster_mode"],
        ),
        (
            ("valkey", "8.0", "compatible"),
            ("valkey", "8.0", "disabled"),
            &["modify elasticache.group/game-cache-use1 cluster_mode"],
        ),
        (("valkey", "8.0", "enabled"), ("valkey", "8.0", "disabled"), &anew),
        // The engine in one call with its version; back between two versions only.
        (
            ("redis", "7.1", "disabled"),
            ("valkey", "8.0", "disabled"),
            &["modify elasticache.group/game-cache-use1 engine+engine_version"],
        ),
        (
            ("valkey", "7.2", "disabled"),
            ("redis", "7.1", "disabled"),
            &["modify elasticache.group/game-cache-use1 engine"],
        ),
        (("valkey", "8.0", "disabled"), ("redis", "7.1", "disabled"), &anew),
        (("valkey", "8.0", "disabled"), ("valkey", "7.2", "disabled"), &anew),
    ];
    for (from, to, expected) in cases {
        let (before, after) = (cache(from.0, from.1, from.2), cache(to.0, to.1, to.2));
        assert_eq!(lines_of(&before, &after), expected, "{from:?} -> {to:?}");
        let held = plan_for(&after, &world_of(&before), &Policy::default());
        if let Op::Modify { attrs, changes, .. } = &held.steps[0].op
            && changes[0].field == "engine"
        {
            assert_eq!(
                attrs.text("engine_version").as_deref(),
                Some(to.1),
                "the version goes with the engine"
            );
        }
        assert_eq!(held.lacking().is_empty(), expected != anew, "a replacement is held: {from:?} -> {to:?}");
    }
}

#[test]
fn a_replaced_member_leaves_its_global_object_first_and_joins_the_new_one() {
    let global = address("us-east-1", KindId::CacheGlobal, "game-cache-global");
    let primary = address("us-east-1", KindId::CacheGroup, "game-cache-use1");
    let secondary = address("us-west-2", KindId::CacheGroup, "game-cache-usw2");
    let with_mode = |mode: &str| {
        let fields = [("cluster_mode", json!(mode)), ("node_type", json!("cache.r7g.large"))];
        let joined = [fields[0].clone(), fields[1].clone(), ("global", json!("game-cache-global"))];
        desired(vec![
            node(primary.clone(), "cache", &fields, &[]),
            node(global.clone(), "cache", &[("source", json!("game-cache-use1"))], &[&primary]),
            node(secondary.clone(), "cache", &joined, &[&global]),
        ])
    };
    let mut world = world_of(&with_mode("enabled"));
    world.seen.get_mut(&global).unwrap().facts.members =
        [(&primary, Role::Writer), (&secondary, Role::Reader)]
            .map(|(address, role)| Member {
                region: address.region.clone(),
                name: address.name.clone(),
                role,
            })
            .to_vec();
    let allowed = consents(&["replace:cache@us-east-1", "replace:cache@us-west-2"]);
    let plan = plan_for(&with_mode("disabled"), &world, &allowed);
    let order = [
        "detach us-west-2/game-cache-usw2 from elasticache.global/",
        "delete us-west-2/elasticache.group/game-cache-usw2",
        "delete elasticache.global/",
        "delete elasticache.group/game-cache-use1",
        "create elasticache.group/game-cache-use1",
        "create elasticache.global/",
        "create us-west-2/elasticache.group/game-cache-usw2",
    ];
    let places: Vec<usize> = order.iter().map(|start| position(&plan, start)).collect();
    assert!(places.is_sorted(), "{:#?}", lines(&plan));
    let held = plan_for(
        &with_mode("disabled"),
        &world,
        &consents(&["replace:cache@us-east-1", "empty:cache@us-east-1"]),
    );
    let detach = &lines(&held)[position(&held, order[0])];
    assert!(
        detach.ends_with("lacks replace:cache@us-west-2"),
        "a member that may not go does not leave: {detach}"
    );
}

#[test]
fn a_protected_secondary_is_made_anew_when_its_global_object_is_gone() {
    let global = address("us-east-1", KindId::AuroraGlobal, "game-accounts-global");
    let mut before = desired(cluster_store("accounts", "us-west-2", 1, "db.r7g.large"));
    let secondary = address("us-west-2", KindId::AuroraCluster, "game-accounts-usw2");
    let cluster = before.nodes.get_mut(&secondary).unwrap();
    cluster.attrs.set("deletion_protection", Some(json!(true))).unwrap();
    let mut after = before.clone();
    let cluster = after.nodes.get_mut(&secondary).unwrap();
    cluster.attrs.set("global", Some(json!("game-accounts-global"))).unwrap();
    cluster.needs.insert(global.clone());
    after.nodes.insert(global.clone(), node(global, "accounts", &[], &[]));
    let plan = plan_for(&after, &world_of(&before), &consents(&["replace:accounts@us-west-2"]));
    let mut done = BTreeSet::new();
    for step in &plan.steps {
        assert!(step.needs.is_subset(&done), "{} waits for what waits for it: {:#?}", step.id, lines(&plan));
        done.insert(step.id.clone());
    }
    let protection =
        position(&plan, "modify us-west-2/aurora.cluster/game-accounts-usw2 deletion_protection");
    assert!(protection < position(&plan, "delete us-west-2/aurora.cluster/"));
    assert!(position(&plan, "create aurora.global/") < position(&plan, "create us-west-2/aurora.cluster/"));
}

#[test]
fn a_primary_is_not_replaced_while_its_global_object_stays() {
    let global = address("us-east-1", KindId::AuroraGlobal, "game-accounts-global");
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let mut before = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut kept = node(global.clone(), "accounts", &[], &[]);
    kept.keep = Keep::Retain;
    before.nodes.insert(global.clone(), kept);
    let mut world = world_of(&before);
    world.seen.get_mut(&global).unwrap().facts.members =
        vec![Member { region: cluster.region.clone(), name: cluster.name.clone(), role: Role::Writer }];
    let mut after = before.clone();
    after.nodes.remove(&global);
    let nodes = &mut after.nodes;
    nodes.get_mut(&cluster).unwrap().attrs.set("master_username", Some(json!("root"))).unwrap();
    let allowed = consents(&["replace:accounts@us-east-1", "empty:accounts@us-east-1"]);
    let plan = plan_for(&after, &world, &allowed);
    assert_eq!(lines(&plan), [""; 0], "neither it nor its members go");
    let bound = Blocker::Bound { address: cluster.clone(), by: global.clone() };
    assert_eq!(plan.waiting, [Blocker::Retained { address: global.clone() }, bound]);
    assert!(plan.is_empty() && !plan.waiting[1].ends_by_itself());
    // Once it is gone, nothing is in the way.
    world.seen.remove(&global);
    assert!(lines(&plan_for(&after, &world, &allowed)).len() > 3);
}

#[test]
fn a_store_whose_writer_is_no_longer_its_first_member_is_replaced_all_the_same() {
    for (kind, engine, field) in [
        (KindId::AuroraCluster, "aurora-postgresql", "master_username"),
        (KindId::DocumentCluster, "documentdb", "master_username"),
    ] {
        let text = format!(
            "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: game }}\nspec:\n  demand:\n    players: {{ \
             peakConcurrent: 10k }}\n    requestsPerPlayerPerMinute: 10\n    hotData: {{ size: 50GiB, retention: 90d }}\n  \
             objectives: {{ rto: 2d, rpo: 2d }}\n  regions: {{ primary: us-east-1 }}\n  stores:\n    - {{ name: a, \
             engine: {engine}, readers: 2..2 }}\n"
        );
        let before = desired_of(&text, GENESIS).unwrap();
        let mut site = Site::new(5);
        assert_eq!(site.apply(&before).outcome, Outcome::Settled, "{engine}");
        // Another class moves the role.
        let mut moved = before.clone();
        for node in moved.nodes.values_mut().filter(|node| node.address.kind.facts().parent.is_some()) {
            node.attrs.set("class", Some(json!("db.r6g.xlarge"))).unwrap();
        }
        assert_eq!(site.apply(&moved).outcome, Outcome::Settled, "{engine}");
        let world = site.look(&moved);
        let writer = world.seen.iter().find(|(_, seen)| seen.facts.role == Some(Role::Writer)).unwrap().0;
        assert!(!writer.name.as_str().ends_with("-1"), "{writer}");
        let mut after = moved.clone();
        for node in after.nodes.values_mut().filter(|node| node.address.kind == kind) {
            node.attrs.set(field, Some(json!("root"))).unwrap();
        }
        let policy = consents(&["replace:a@us-east-1", "empty:a@us-east-1"]);
        let ended = site.run(&after, &Order { policy, ..Order::default() }).unwrap();
        assert_eq!(ended.outcome, Outcome::Settled, "{engine}: {:#?}", ended.last.held);
        site.assert_settled(&after);
    }
}
