//! The planner on small hand-made worlds: order, rolling, removal, refusal.

use rgctl_engine::planning;
use rgctl_model::claims::NO_CLAIMS;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::{Desired, Keep};
use rgctl_model::observed::{Gap, Member};
use rgctl_model::plan::{Blocker, Plan};
use rgctl_model::policy::Policy;
use rgctl_schema::names::Name;
use rgctl_schema::phase::{Phase, Role};
use serde_json::{Value, json};

use rgctl_testkit::fixtures::*;

const INSTANCE: KindId = KindId::AuroraInstance;

pub fn position(plan: &Plan, start: &str) -> usize {
    let found = lines(plan).iter().position(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("{start:?} is not in {:#?}", lines(plan)))
}

#[test]
fn a_first_plan_creates_everything_in_the_order_of_needs() {
    let desired = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let plan = plan_for(&desired, &rgctl_model::observed::Inventory::empty(NOW), &Policy::default());
    assert_eq!(
        lines(&plan),
        [
            "create rds.subnet_group/game-accounts-use1",
            "create aurora.cluster_parameters/game-accounts-use1",
            "create aurora.cluster/game-accounts-use1",
            "create aurora.instance/game-accounts-use1-1",
            "create aurora.instance/game-accounts-use1-2",
        ]
    );
}

#[test]
fn a_world_as_wanted_gives_an_empty_plan() {
    let desired = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    let plan = plan_for(&desired, &world_of(&desired), &Policy::default());
    assert!(plan.is_empty(), "{:#?}", lines(&plan));
}

#[test]
fn a_class_change_rolls_through_readers_and_moves_the_writer_once() {
    let before = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    let after = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.xlarge"));
    let plan = plan_for(&after, &world_of(&before), &Policy::default());
    assert_eq!(
        lines(&plan),
        [
            "modify aurora.instance/game-accounts-use1-2 class",
            "modify aurora.instance/game-accounts-use1-3 class",
            "failover aurora.cluster/game-accounts-use1 to game-accounts-use1-2",
            "modify aurora.instance/game-accounts-use1-1 class",
        ]
    );
    let failovers: u32 = plan.steps.iter().map(|step| step.effect.failovers).sum();
    assert_eq!(failovers, 1);
    let outages = plan.steps.iter().filter(|step| step.effect.write_outage.as_millis() > 0).count();
    assert_eq!(outages, 1, "writes fail during the failover only");
    for (before, step) in plan.steps.iter().zip(plan.steps.iter().skip(1)) {
        assert!(step.needs.contains(&before.id), "each waits for the one before");
    }
}

#[test]
fn a_lone_writer_changes_without_a_failover_and_says_how_long_writes_fail() {
    let before = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let after = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.xlarge"));
    let plan = plan_for(&after, &world_of(&before), &Policy::default());
    assert_eq!(lines(&plan), ["modify aurora.instance/game-accounts-use1-1 class"]);
    assert!(plan.steps[0].effect.write_outage.as_secs() >= 60);
}

#[test]
fn a_removed_reader_goes_without_consent_and_a_removed_writer_gives_its_role_away_first() {
    let before = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    let after = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut world = world_of(&before);
    let plan = plan_for(&after, &world, &Policy::default());
    assert_eq!(lines(&plan), ["delete aurora.instance/game-accounts-use1-3"]);

    for (number, role) in [("1", Role::Reader), ("3", Role::Writer)] {
        let name = format!("game-accounts-use1-{number}");
        world.seen.get_mut(&address("us-east-1", INSTANCE, &name)).unwrap().facts.role = Some(role);
    }
    let plan = plan_for(&after, &world, &Policy::default());
    assert_eq!(
        lines(&plan),
        [
            "failover aurora.cluster/game-accounts-use1 to game-accounts-use1-1",
            "delete aurora.instance/game-accounts-use1-3",
        ]
    );
}

#[test]
fn a_removed_store_is_held_as_a_whole_until_its_deletion_is_allowed_by_name() {
    let both = [
        cluster_store("accounts", "us-east-1", 2, "db.r7g.large"),
        cluster_store("matches", "us-east-1", 1, "db.r7g.large"),
    ];
    let world = world_of(&desired(both.concat()));
    let after = desired(both[0].clone());
    let held = plan_for(&after, &world, &Policy::default());
    assert!(held.steps.len() >= 5);
    for step in &held.steps {
        let lacking: Vec<String> = step.missing_consent().map(ToString::to_string).collect();
        assert_eq!(lacking, ["delete:matches@us-east-1"]);
    }
    let allowed = plan_for(&after, &world, &consents(&["delete:matches@us-east-1"]));
    assert!(allowed.lacking().is_empty(), "{:#?}", lines(&allowed));
    let cluster = position(&allowed, "delete aurora.cluster/");
    assert!(position(&allowed, "modify aurora.cluster/game-matches-use1 deletion_protection") < cluster);
    assert!(position(&allowed, "delete aurora.instance/game-matches-use1-1") < cluster);
    assert!(cluster < position(&allowed, "delete rds.subnet_group/"));
    assert!(cluster < position(&allowed, "delete aurora.cluster_parameters/"));
    let snapshot = match &allowed.steps[cluster].op {
        rgctl_model::plan::Op::Delete { final_snapshot, .. } => final_snapshot.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(snapshot, Some(Name::new("game-matches-use1-final-20270115080000").unwrap()));
}

/// A warehouse that leaves one form for the other has a parameter group, a cluster, a namespace and a workgroup of one
/// name. Only what a field of that kind can mean is waited for, or they would wait for each other.
#[test]
fn objects_of_one_name_do_not_wait_for_each_other_in_a_circle() {
    let named =
        |kind, fields: &[(&str, Value)]| node(address("us-east-1", kind, "game-dw-use1"), "dw", fields, &[]);
    let group = named(KindId::RedshiftParameters, &[("family", json!("redshift-2.0"))]);
    let cluster = named(KindId::RedshiftCluster, &[("parameter_group", json!("game-dw-use1"))]);
    let namespace = named(KindId::RedshiftNamespace, &[("database", json!("game-dw-use1"))]);
    let workgroup = named(KindId::RedshiftWorkgroup, &[("namespace", json!("game-dw-use1"))]);
    let world = world_of(&desired(vec![group, cluster, namespace, workgroup]));
    let plan = plan_for(&desired(Vec::new()), &world, &consents(&["delete:dw@us-east-1"]));
    assert!(position(&plan, "delete redshift.workgroup/") < position(&plan, "delete redshift.namespace/"));
    assert!(position(&plan, "delete redshift.cluster/") < position(&plan, "delete redshift.parameters/"));
    let waits: usize = plan.steps.iter().map(|step| step.needs.len()).sum();
    assert_eq!(waits, 2, "{:#?}", plan.steps);
}

/// Shards and replicas share a limit of nodes, so replicas that all go make room before shards come; replicas that stay
/// do not change that shards come first.
#[test]
fn replicas_that_go_make_room_for_shards_that_come() {
    let group = |shards: u32, replicas: u32, failover: bool| {
        let fields = [
            ("shards", json!(shards)),
            ("replicas_per_shard", json!(replicas)),
            ("automatic_failover", json!(failover)),
        ];
        desired(vec![node(address("us-east-1", KindId::CacheGroup, "game-hot-use1"), "hot", &fields, &[])])
    };
    let change =
        |before: &Desired, after: &Desired| lines(&plan_for(after, &world_of(before), &Policy::default()));
    assert_eq!(
        change(&group(150, 2, true), &group(300, 0, false)),
        [
            "modify elasticache.group/game-hot-use1 automatic_failover",
            "modify elasticache.group/game-hot-use1 replicas_per_shard",
            "modify elasticache.group/game-hot-use1 shards",
        ]
    );
    assert_eq!(
        change(&group(150, 0, false), &group(200, 1, true)),
        [
            "modify elasticache.group/game-hot-use1 shards",
            "modify elasticache.group/game-hot-use1 replicas_per_shard",
            "modify elasticache.group/game-hot-use1 automatic_failover",
        ]
    );
}

#[test]
fn what_a_kept_store_uses_is_kept_with_it() {
    let mut kept = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
    for node in &mut kept {
        if matches!(node.address.kind, KindId::AuroraCluster | KindId::AuroraInstance) {
            node.keep = Keep::Retain;
        }
    }
    let other = cluster_store("matches", "us-east-1", 1, "db.r7g.large");
    let all: Vec<_> = kept.iter().chain(&other).cloned().collect();
    let plan =
        plan_for(&desired(Vec::new()), &world_of(&desired(all)), &consents(&["delete:matches@us-east-1"]));
    let is_kept = |waiting: &Blocker| matches!(waiting, Blocker::Retained { .. });
    assert!(plan.waiting.iter().all(is_kept), "{:#?}", plan.waiting);
    assert_eq!(plan.waiting.len(), kept.len(), "its groups with it");
    assert!(lines(&plan).iter().all(|line| line.contains("game-matches")), "{:#?}", lines(&plan));
    let deleted = plan.steps.iter().filter(|step| step.op.word() == "delete").count();
    assert_eq!(deleted, other.len(), "what nobody keeps goes, groups and all");
}

#[test]
fn only_a_store_that_says_so_goes_without_a_final_snapshot() {
    use rgctl_model::node::Keep;
    let policy = consents(&["delete:matches@us-east-1"]);
    let snapshots = |keep: Keep| {
        let mut nodes = cluster_store("matches", "us-east-1", 1, "db.r7g.large");
        for node in &mut nodes {
            node.keep = keep;
        }
        let plan = plan_for(&desired(Vec::new()), &world_of(&desired(nodes)), &policy);
        let ops = plan.steps.into_iter().map(|step| step.op);
        ops.filter(|op| matches!(op, rgctl_model::plan::Op::Delete { final_snapshot: Some(_), .. })).count()
    };
    assert_eq!((snapshots(Keep::Delete), snapshots(Keep::Discard), snapshots(Keep::Retain)), (1, 0, 0));
}

#[test]
fn what_cannot_be_seen_is_neither_created_nor_deleted() {
    let both = [
        cluster_store("accounts", "us-east-1", 1, "db.r7g.large"),
        cluster_store("matches", "us-east-1", 1, "db.r7g.large"),
    ];
    let mut world = world_of(&desired(both[1].clone()));
    world.gaps.push(Gap {
        region: region("us-east-1"),
        endpoint: Endpoint::Rds,
        why: "page 2 failed".into(),
        lasting: false,
    });
    let plan = plan_for(&desired(both[0].clone()), &world, &consents(&["delete:matches@us-east-1"]));
    assert_eq!(lines(&plan), [] as [&str; 0]);
    assert!(plan.waiting.iter().all(|waiting| matches!(waiting, Blocker::Unseen { .. })));
    assert!(!plan.is_empty(), "it waits; it is not done");
}

#[test]
fn what_belongs_to_somebody_else_is_never_touched() {
    let desired = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let mut world = world_of(&desired);
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let seen = world.seen.get_mut(&cluster).unwrap();
    seen.facts.tags.clear();
    seen.attrs.set("backup_retention_days", Some(json!(1))).unwrap();
    let plan = plan_for(&desired, &world, &Policy::default());
    assert_eq!(lines(&plan), [] as [&str; 0]);
    assert!(plan.waiting.len() == 1 && matches!(plan.waiting[0], Blocker::Foreign { owner: None, .. }));
}

#[test]
fn a_value_that_was_accepted_is_waited_for_and_not_asked_for_again() {
    let before = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let after = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.xlarge"));
    let mut world = world_of(&before);
    let member = address("us-east-1", INSTANCE, "game-accounts-use1-1");
    world.seen.get_mut(&member).unwrap().pending =
        Some(attrs(INSTANCE, &[("class", json!("db.r7g.xlarge"))]));
    let plan = plan_for(&after, &world, &Policy::default());
    assert_eq!(lines(&plan), [] as [&str; 0]);
    assert!(plan.waiting.len() == 1 && matches!(plan.waiting[0], Blocker::Pending { .. }));
}

#[test]
fn a_broken_object_is_reported_with_a_remedy_and_left_alone() {
    let desired = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let mut world = world_of(&desired);
    for phase in [Phase::Failed("incompatible-network".into()), Phase::Unknown("novel".into())] {
        let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
        world.seen.get_mut(&cluster).unwrap().facts.phase = phase;
        let plan = plan_for(&desired, &world, &Policy::default());
        assert_eq!(lines(&plan), [] as [&str; 0]);
        assert_eq!(plan.waiting.len(), 1);
        assert!(matches!(&plan.waiting[0], Blocker::Broken { remedy, .. } if !remedy.is_empty()));
    }
}

#[test]
fn a_secondary_region_leaves_the_global_object_before_it_is_deleted() {
    let global = address("us-east-1", KindId::AuroraGlobal, "game-accounts");
    let mut nodes = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
    let primary = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    nodes.push(node(global.clone(), "accounts", &[("deletion_protection", json!(false))], &[&primary]));
    let only_primary = desired(nodes.clone());
    nodes.extend(cluster_store("accounts", "us-west-2", 1, "db.r7g.large"));
    let both = desired(nodes);
    let mut world = world_of(&both);
    world.seen.get_mut(&global).unwrap().facts.members = vec![
        Member { region: region("us-east-1"), name: primary.name.clone(), role: Role::Writer },
        Member {
            region: region("us-west-2"),
            name: Name::new("game-accounts-usw2").unwrap(),
            role: Role::Reader,
        },
    ];
    let plan = plan_for(&only_primary, &world, &consents(&["delete:accounts@us-west-2"]));
    let detach = position(&plan, "detach us-west-2/game-accounts-usw2 from");
    assert!(detach < position(&plan, "delete us-west-2/aurora.cluster/"), "{:#?}", lines(&plan));
    assert!(!lines(&plan).iter().any(|line| line.starts_with("detach us-east-1")), "the primary stays");
}

#[test]
fn targets_leave_other_stores_alone() {
    let both = [
        cluster_store("accounts", "us-east-1", 1, "db.r7g.large"),
        cluster_store("matches", "us-east-1", 1, "db.r7g.large"),
    ];
    let policy = Policy {
        targets: [rgctl_schema::names::StoreName::new("matches").unwrap()].into(),
        ..Policy::default()
    };
    let empty = rgctl_model::observed::Inventory::empty(NOW);
    let plan = plan_for(&desired(both.concat()), &empty, &policy);
    assert_eq!(plan.steps.len(), 4);
    assert!(lines(&plan).iter().all(|line| line.contains("game-matches")));
}

#[test]
fn a_plan_rests_on_what_it_looked_at_and_on_nothing_that_moves_by_itself() {
    let desired = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut world = world_of(&desired);
    let before = planning::base(&desired, &world, &NO_CLAIMS);
    let member = address("us-east-1", INSTANCE, "game-accounts-use1-1");
    world.seen.get_mut(&member).unwrap().facts.used_gib = Some(12.0);
    assert_eq!(planning::base(&desired, &world, &NO_CLAIMS), before);
    world.seen.get_mut(&member).unwrap().facts.role = Some(Role::Reader);
    assert_ne!(planning::base(&desired, &world, &NO_CLAIMS), before);
}
