//! Parameters that are accepted and not in effect: the restarts that bring them about, and where they stand in a plan.

use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::ParameterStatus;
use rgctl_model::plan::{Disturbance, Op, Plan, Reason, Verb};
use rgctl_model::policy::Policy;
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::Span;
use serde_json::json;

use crate::planning::position;
use rgctl_testkit::fixtures::*;
use rgctl_testkit::site::{Order, Site};

const GROUP: &str = "game-accounts-use1";

fn group() -> Address {
    address("us-east-1", KindId::AuroraClusterParameters, GROUP)
}

fn member(number: u32) -> Address {
    address("us-east-1", KindId::AuroraInstance, &format!("{GROUP}-{number}"))
}

/// A cluster with as many members and these parameters.
fn store(members: usize, parameters: &serde_json::Value) -> Desired {
    let mut wanted = desired(cluster_store("accounts", "us-east-1", members, "db.r7g.large"));
    let node = wanted.nodes.get_mut(&group()).unwrap();
    node.attrs.set("parameters", Some(parameters.clone())).unwrap();
    wanted
}

fn reboots(plan: &Plan) -> Vec<&Address> {
    let is_reboot = |op: &&Op| matches!(op, Op::Act { verb: Verb::Reboot, .. });
    plan.steps.iter().map(|step| &step.op).filter(is_reboot).map(Op::address).collect()
}

#[test]
fn the_plan_that_changes_a_static_parameter_restarts_readers_then_moves_the_role_then_the_writer() {
    let before = store(3, &json!({ "binlog_format": "OFF", "general_log": "0" }));
    let after = store(3, &json!({ "binlog_format": "ROW", "general_log": "0" }));
    let plan = plan_for(&after, &world_of(&before), &Policy::default());
    assert_eq!(reboots(&plan), [&member(2), &member(3), &member(1)], "{:#?}", lines(&plan));
    let order = [
        "modify aurora.cluster_parameters/",
        "reboot aurora.instance/game-accounts-use1-2",
        "reboot aurora.instance/game-accounts-use1-3",
        "failover aurora.cluster/game-accounts-use1 to game-accounts-use1-2",
        "reboot aurora.instance/game-accounts-use1-1",
    ];
    let places: Vec<usize> = order.iter().map(|step| position(&plan, step)).collect();
    assert!(places.is_sorted(), "{:#?}", lines(&plan));
    let restarts = plan.steps.iter().filter(|step| step.why == Reason::ParametersWait);
    let told: Vec<(Disturbance, bool)> =
        restarts.map(|step| (step.disturbs, step.effect.write_outage == Span::ZERO)).collect();
    let reader = (Disturbance::ReaderRestart, true);
    assert_eq!(told, [reader, reader, (Disturbance::Restart, true)], "the role has moved by then");
}

#[test]
fn a_lone_member_is_restarted_with_its_outage_and_a_dynamic_parameter_restarts_nobody() {
    let before = store(1, &json!({ "binlog_format": "OFF", "general_log": "0" }));
    let lone =
        plan_for(&store(1, &json!({ "binlog_format": "ROW" })), &world_of(&before), &Policy::default());
    let restart = lone.steps.iter().find(|step| step.why == Reason::ParametersWait).unwrap();
    assert_eq!(restart.disturbs, Disturbance::Restart);
    assert!(restart.effect.write_outage > Span::ZERO, "{:?}", restart.effect);
    let dynamic = plan_for(&store(1, &json!({ "general_log": "1" })), &world_of(&before), &Policy::default());
    assert_eq!(reboots(&dynamic), [] as [&Address; 0], "{:#?}", lines(&dynamic));
    assert_eq!(dynamic.steps.len(), 1, "{:#?}", lines(&dynamic));
}

#[test]
fn what_restarts_anyway_restarts_once_and_after_the_change() {
    let before = store(2, &json!({ "binlog_format": "OFF" }));
    let mut after = store(2, &json!({ "binlog_format": "ROW" }));
    for number in [1, 2] {
        let node = after.nodes.get_mut(&member(number)).unwrap();
        node.attrs.set("class", Some(json!("db.r7g.xlarge"))).unwrap();
    }
    let plan = plan_for(&after, &world_of(&before), &Policy::default());
    assert_eq!(reboots(&plan), [] as [&Address; 0], "{:#?}", lines(&plan));
    let change = position(&plan, "modify aurora.cluster_parameters/");
    for number in [1, 2] {
        assert!(change < position(&plan, &format!("modify aurora.instance/{GROUP}-{number} class")));
    }
}

#[test]
fn another_certificate_is_no_restart_that_a_parameter_can_count_on() {
    let with = |binlog: &str, authority: &str, class: &str| {
        let mut wanted = store(2, &json!({ "binlog_format": binlog }));
        for number in [1, 2] {
            let node = wanted.nodes.get_mut(&member(number)).unwrap();
            node.attrs.set("ca_certificate", Some(json!(authority))).unwrap();
            node.attrs.set("class", Some(json!(class))).unwrap();
        }
        wanted
    };
    let world = world_of(&with("OFF", "rds-ca-rsa2048-g1", "db.r7g.large"));
    let after = with("ROW", "rds-ca-ecc384-g1", "db.r7g.large");
    let plan = plan_for(&after, &world, &Policy::default());
    assert_eq!(reboots(&plan), [&member(2), &member(1)], "{:#?}", lines(&plan));
    // With another class in the same call there is one.
    let after = with("ROW", "rds-ca-ecc384-g1", "db.r7g.xlarge");
    let plan = plan_for(&after, &world, &Policy::default());
    assert_eq!(reboots(&plan), [] as [&Address; 0], "{:#?}", lines(&plan));
    // What a member tells waits for a sure one, too.
    let mut world = world_of(&with("ROW", "rds-ca-rsa2048-g1", "db.r7g.large"));
    world.seen.get_mut(&member(2)).unwrap().facts.parameters = ParameterStatus::PendingReboot;
    let plan = plan_for(&with("ROW", "rds-ca-ecc384-g1", "db.r7g.large"), &world, &Policy::default());
    assert_eq!(reboots(&plan), [&member(2)], "{:#?}", lines(&plan));
}

#[test]
fn what_a_member_tells_is_believed_whoever_changed_the_group() {
    let wanted = store(2, &json!({}));
    let mut world = world_of(&wanted);
    world.seen.get_mut(&member(2)).unwrap().facts.parameters = ParameterStatus::PendingReboot;
    let plan = plan_for(&wanted, &world, &Policy::default());
    assert_eq!(lines(&plan), ["reboot aurora.instance/game-accounts-use1-2"]);
    // While it is applied there is something to wait for and nothing to do.
    world.seen.get_mut(&member(2)).unwrap().facts.parameters = ParameterStatus::Applying;
    let plan = plan_for(&wanted, &world, &Policy::default());
    assert!(plan.steps.is_empty() && !plan.is_empty(), "{:#?}", lines(&plan));
    // What the service could not apply is said, and restarted in vain by nobody.
    world.seen.get_mut(&member(2)).unwrap().facts.parameters = ParameterStatus::NotApplied;
    let plan = plan_for(&wanted, &world, &Policy::default());
    assert!(plan.steps.is_empty() && plan.notes.iter().any(|note| note.contains("not in effect")));
    // What is stopped takes them up when it is started.
    let stopped = world.seen.get_mut(&member(2)).unwrap();
    (stopped.facts.phase, stopped.facts.parameters) = (Phase::Stopped, ParameterStatus::PendingReboot);
    assert_eq!(reboots(&plan_for(&wanted, &world, &Policy::default())), [] as [&Address; 0]);
}

#[test]
fn a_run_ends_with_static_parameters_in_effect_and_one_member_out_at_a_time() {
    let before = store(3, &json!({ "binlog_format": "OFF" }));
    let after = store(3, &json!({ "binlog_format": "ROW" }));
    let mut site = Site::new(5);
    site.apply(&before);
    let calls = site.cloud.calls().len();
    // What was agreed to is all that is done.
    let agreed = Some(site.plan(&after));
    let ended = site.run(&after, &Order { agreed, ..Order::default() }).unwrap();
    assert!(ended.last.held.is_empty(), "{:?}", ended.last.held);
    site.assert_settled(&after);
    let seen = site.look(&after);
    let waits = |address: &Address| seen.seen.get(address).unwrap().facts.parameters;
    assert!((1..=3).all(|number| waits(&member(number)) == ParameterStatus::InSync));
    let made = site.cloud.calls();
    let words: Vec<&str> = made[calls..].iter().map(|call| call.op.word()).collect();
    assert_eq!(words, ["modify", "reboot", "reboot", "failover", "reboot"]);
    assert_ne!(seen.seen.get(&member(1)).unwrap().facts.role, Some(Role::Writer), "the role has moved");
}

#[test]
fn another_group_takes_effect_at_a_restart() {
    let before = store(2, &json!({}));
    let mut after = store(2, &json!({}));
    let other = address("us-east-1", KindId::AuroraClusterParameters, "game-accounts-new");
    let fields = [("family", json!("aurora-mysql8.0")), ("description", json!("game"))];
    after.nodes.insert(other.clone(), node(other.clone(), "accounts", &fields, &[]));
    let cluster = address("us-east-1", KindId::AuroraCluster, GROUP);
    let node = after.nodes.get_mut(&cluster).unwrap();
    node.attrs.set("parameter_group", Some(json!("game-accounts-new"))).unwrap();
    node.needs.insert(other);
    let mut site = Site::new(5);
    site.apply(&before);
    let plan = site.plan(&after);
    assert_eq!(reboots(&plan), [&member(2), &member(1)], "{:#?}", lines(&plan));
    assert!(position(&plan, "modify aurora.cluster/") < position(&plan, "reboot "));
    site.apply(&after);
    site.assert_settled(&after);
    let restarts = site.cloud.calls().iter().filter(|call| call.op.word() == "reboot").count();
    assert_eq!(restarts, 2);
}

#[test]
fn another_group_of_a_member_is_in_effect_after_a_restart_behind_it_though_its_class_changes_before() {
    let of = |group: &str, class: &str| {
        let mut wanted = store(2, &json!({}));
        for name in ["one", "two"] {
            let address = address("us-east-1", KindId::AuroraInstanceParameters, name);
            let fields = [("family", json!("aurora-mysql8.0"))];
            wanted.nodes.insert(address.clone(), node(address, "accounts", &fields, &[]));
        }
        for number in [1, 2] {
            let node = wanted.nodes.get_mut(&member(number)).unwrap();
            node.attrs.set("parameter_group", Some(json!(group))).unwrap();
            node.attrs.set("class", Some(json!(class))).unwrap();
        }
        wanted
    };
    let (before, after) = (of("one", "db.r7g.large"), of("two", "db.r7g.xlarge"));
    let mut site = Site::new(3);
    site.apply(&before);
    let plan = site.plan(&after);
    for number in [1, 2] {
        let of = |word: &str, field: &str| {
            let is_it = |op: &Op| match op {
                Op::Modify { changes, .. } => changes.iter().any(|change| change.field == field),
                op => op.word() == word,
            };
            let mut steps = plan.steps.iter();
            steps.position(|step| *step.op.address() == member(number) && is_it(&step.op)).unwrap()
        };
        let (class, group, reboot) =
            (of("modify", "class"), of("modify", "parameter_group"), of("reboot", ""));
        assert!(class < group && group < reboot, "{:#?}", lines(&plan));
    }
    let ended = site.apply(&after);
    assert_eq!(ended.outcome, rgctl_model::journal::Outcome::Settled, "{:#?}", ended.last.held);
    site.assert_settled(&after);
}
