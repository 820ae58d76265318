//! The engine on the embedded cloud: it converges, survives being cut off anywhere, and keeps its promises under
//! faults.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use rgctl_engine::execution::drive::{DriveError, Ended, Environment, drive};
use rgctl_engine::execution::motion::Motion;
use rgctl_engine::execution::turn::{HeldStep, Pace, TurnInput, turn};
use rgctl_engine::ledger::{InFlightStep, StepStatus, Tries};
use rgctl_engine::planning::NoFigures;
use rgctl_model::journal::{Cause, Event, LineTime, Outcome, Purpose};
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Gap, Inventory};
use rgctl_model::plan::Op;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Cloud, CloudError, Permit, Receipt, StoreError};
use rgctl_schema::names::{RunId, Token};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, GENESIS, Rule, Side, SimCloud};
use serde_json::json;

use rgctl_testkit::fixtures::{address, cluster_store, consents, desired, lines};
use rgctl_testkit::site::{Order, Quiet, Site, applying, block_on, cache_store};
use rgctl_testkit::tampered::{Tampered, Tampers};

#[test]
fn a_first_apply_makes_everything_once_and_a_second_makes_no_call() {
    let wanted = desired(
        [cluster_store("accounts", "us-east-1", 3, "db.r7g.large"), cache_store("rank", "us-east-1", 2)]
            .concat(),
    );
    let mut site = Site::new(1);
    let first = site.apply(&wanted);
    assert_eq!(first.outcome, Outcome::Settled, "{:#?}", first.last);
    assert_eq!(site.creates().len(), wanted.nodes.len());
    site.assert_settled(&wanted);
    let lines_before = site.events().len();
    let second = site.apply(&wanted);
    assert_eq!((second.outcome, second.calls), (Outcome::Settled, 0));
    assert_eq!(site.events().len(), lines_before, "a run with nothing to do leaves no trace");
}

#[test]
fn a_class_change_rolls_with_one_failover_and_writes_fail_for_its_length_only() {
    let before = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    let after = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.xlarge"));
    let mut site = Site::new(2);
    site.apply(&before);
    let ended = site.apply(&after);
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last);
    site.assert_settled(&after);
    let failovers = site.cloud.calls().iter().filter(|call| call.op.word() == "failover").count();
    assert_eq!(failovers, 1);
    let order: Vec<String> = site
        .cloud
        .calls()
        .iter()
        .filter(|call| call.applied)
        .map(|call| call.op.step_id().to_string())
        .skip(6)
        .collect();
    assert_eq!(
        order,
        [
            "modify us-east-1/aurora.instance/game-accounts-use1-2 class",
            "modify us-east-1/aurora.instance/game-accounts-use1-3 class",
            "failover us-east-1/aurora.cluster/game-accounts-use1 to game-accounts-use1-2",
            "modify us-east-1/aurora.instance/game-accounts-use1-1 class",
        ]
    );
}

/// A member whose state nobody knows is not counted on: the last one that serves is not taken out beside it.
#[test]
fn beside_a_broken_member_the_last_one_that_serves_is_left_alone() {
    let mut tried = 0;
    for (members, seed) in (0..8).flat_map(|seed| [(2, seed), (3, seed)]) {
        let before = desired(cluster_store("accounts", "us-east-1", members, "db.r7g.large"));
        let after = desired(cluster_store("accounts", "us-east-1", members, "db.r7g.xlarge"));
        let mut site = Site::new(seed);
        site.apply(&before);
        let now = site.cloud.clock().now();
        let rule = Rule {
            kind: Some(KindId::AuroraInstance),
            probability: 0.4,
            ..Rule::always(Fault::UnknownStatus, now, now + Span::from_days(2))
        };
        site.cloud.with_world(|world| world.add_fault(rule)).unwrap();
        let seen = site.look(&after).seen;
        if seen.values().filter(|seen| matches!(seen.facts.phase, Phase::Unknown(_))).count() != 1 {
            continue;
        }
        tried += 1;
        let calls_before = site.cloud.calls().len();
        let ended = site.apply(&after);
        assert_eq!(ended.outcome, Outcome::Blocked);
        assert_eq!(site.cloud.violations(), []);
        let changed =
            site.cloud.calls()[calls_before..].iter().filter(|call| call.op.word() == "modify").count();
        let leaves_nobody = |held: &HeldStep| held.why.contains("without a member that serves");
        let is_held = ended.last.held.iter().any(leaves_nobody);
        // A third member serves meanwhile: the others get their bigger machines.
        assert_eq!((changed, is_held), if members == 2 { (0, true) } else { (2, false) }, "seed {seed}");
        site.cloud.with_world(|world| world.clear_faults(None)).unwrap();
        assert_eq!(site.apply(&after).outcome, Outcome::Settled);
        site.assert_settled(&after);
    }
    assert!(tried > 3, "{tried}");
}

#[test]
fn everything_is_removed_with_its_data_kept_in_a_snapshot() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut site = Site::new(3);
    site.apply(&wanted);
    let refused = site.run(&wanted, &Order { destroy: true, ..Order::default() }).unwrap();
    assert_eq!(refused.outcome, Outcome::Blocked);
    site.assert_settled(&wanted);
    let order = Order { destroy: true, policy: consents(&["delete:accounts@us-east-1"]), ..Order::default() };
    let ended = site.run(&wanted, &order).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last);
    let left: Vec<_> =
        site.look(&wanted).seen.into_iter().map(|(address, seen)| (address.kind, seen.facts.phase)).collect();
    assert_eq!(left, [(KindId::AuroraSnapshot, rgctl_schema::phase::Phase::Ready)]);
    assert_eq!(site.cloud.violations(), []);
}

#[test]
fn a_stopped_run_says_so_and_the_next_one_goes_on() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut site = Site::new(4);
    let stopped = site.run(&wanted, &Order { stop_after: Some(3), ..Order::default() }).unwrap();
    assert_eq!(stopped.outcome, Outcome::Stopped);
    let ended = site.apply(&wanted);
    assert_eq!(ended.outcome, Outcome::Settled);
    assert_eq!(site.creates().len(), wanted.nodes.len());
}

#[test]
fn a_stopped_run_finds_out_what_became_of_a_call_without_an_answer() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut site = Site::new(4);
    site.cloud.fail_at(1, Side::After);
    let began = site.cloud.clock().now();
    let stopped = site.run(&wanted, &Order { stop_after: Some(1), ..Order::default() }).unwrap();
    assert_eq!(stopped.outcome, Outcome::Stopped);
    assert!(stopped.at.since(began) >= Pace::default().unclear, "time passes until it is certain");
    let events = site.events();
    let lost = events.iter().find_map(|event| match event {
        Event::Unclear { step, .. } => Some(step.clone()),
        _ => None,
    });
    let lost = lost.expect("the answer was lost");
    let is_done = |event: &Event| matches!(event, Event::Settled { step, .. } if *step == lost);
    assert!(events.iter().any(is_done), "{events:#?}");
}

#[test]
fn a_deadline_pauses_and_taints_nothing() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut site = Site::new(5);
    let deadline = Some(site.cloud.clock().now() + Span::from_mins(3));
    let paused = site.run(&wanted, &Order { deadline, ..Order::default() }).unwrap();
    assert_eq!(paused.outcome, Outcome::Paused);
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    assert_eq!(site.creates().len(), wanted.nodes.len());
}

#[test]
fn only_what_was_agreed_to_is_done() {
    let before = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let after = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.xlarge"));
    let mut site = Site::new(6);
    site.apply(&before);
    let mut agreed = site.plan(&after);
    agreed.steps.retain(|step| step.op.word() == "create");
    let calls_before = site.cloud.calls().len();
    let ended = site.run(&after, &Order { agreed: Some(agreed), ..Order::default() }).unwrap();
    assert_eq!(ended.outcome, Outcome::Blocked);
    assert_eq!(site.cloud.calls().len() - calls_before, 1);
    assert!(ended.last.held.iter().all(|held| held.why.contains("not in the plan")));
}

#[test]
fn two_runs_at_once_are_one_run_and_one_refusal() {
    use rgctl_model::ports::Store;
    let wanted = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let mut site = Site::new(7);
    let now = site.wall.now();
    let other = RunId("other".into());
    let lease = block_on(site.store.take_lease(
        &site.scope(wanted.blueprint.as_str()),
        &other,
        "ann@laptop",
        now,
        Span::from_secs(60),
        None,
    ));
    let refused = site.run(&wanted, &Order::default());
    assert!(
        matches!(refused, Err(DriveError::Store(StoreError::Held { lease })) if lease.owner == "ann@laptop")
    );
    assert_eq!(site.cloud.calls().len(), 0);
    block_on(site.store.release_lease(&lease.unwrap())).unwrap();
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
}

#[test]
fn a_refused_step_stops_its_dependants_and_nothing_else() {
    let mut nodes = cluster_store("accounts", "us-east-1", 2, "db.r7g.large");
    nodes.extend(cache_store("rank", "us-east-1", 1));
    let bad = nodes.iter_mut().find(|node| node.address.kind == KindId::AuroraInstance).unwrap();
    bad.attrs.set("class", Some(json!("db.r7g.imaginary"))).unwrap();
    let wanted = desired(nodes);
    let mut site = Site::new(8);
    let ended = site.apply(&wanted);
    assert_eq!(ended.outcome, Outcome::Blocked);
    let held: Vec<String> = ended.last.held.iter().map(|held| held.why.clone()).collect();
    assert!(held.iter().any(|why| why.contains("InvalidParameterCombination")), "{held:?}");
    let seen = site.look(&wanted);
    assert!(seen.seen.keys().any(|address| address.kind == KindId::CacheGroup), "the other store is there");
    assert_eq!(seen.seen.keys().filter(|address| address.kind == KindId::AuroraInstance).count(), 0);
}

#[test]
fn what_another_hand_changed_is_seen_and_put_right() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let mut site = Site::new(9);
    site.apply(&wanted);
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    site.cloud
        .with_world(|world| world.edit_fields(&cluster, vec![("backup_retention_days", json!(1))]))
        .unwrap()
        .unwrap();
    assert_eq!(
        lines(&site.plan(&wanted)),
        ["modify aurora.cluster/game-accounts-use1 backup_retention_days"]
    );
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    site.assert_settled(&wanted);
}

/// A service that accepts changes of one kind and never does them.
struct Idle<'a>(&'a SimCloud, KindId);

impl Tampers for Idle<'_> {
    fn cloud(&self) -> &dyn Cloud {
        self.0
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        if matches!(op, Op::Modify { .. }) && op.address().kind == self.1 {
            return Box::pin(std::future::ready(Ok(Receipt::default())));
        }
        self.0.call(op, token, permit)
    }
}

#[test]
fn a_call_that_is_accepted_again_and_again_without_an_effect_is_given_up_and_told() {
    let mut site = Site::new(9);
    site.apply(&desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large")));
    let wanted = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.xlarge"));
    for number in 1..=2 {
        let before = site.events().len();
        let (clock, idle) = (site.cloud.clock(), Tampered(Idle(&site.cloud, KindId::AuroraInstance)));
        let world = Environment { cloud: &idle, clock: &clock, wall: &site.wall, store: &site.store };
        let (run, policy, pace) = (RunId(format!("idle-{number}")), Policy::default(), Pace::default());
        let job = applying(&wanted, &run, &policy, &pace);
        let ended = block_on(drive(&world, &job, &mut Quiet { turns: 0, stop_after: Some(500) })).unwrap();
        assert_eq!(ended.outcome, Outcome::Blocked);
        let why: Vec<&str> = ended.last.held.iter().map(|held| held.why.as_str()).collect();
        assert!(why.iter().any(|why| why.contains("accepted 3 times")), "{why:?}");
        let events = &site.events()[before..];
        let accepted = events.iter().filter(|event| matches!(event, Event::Accepted { .. })).count();
        assert_eq!(accepted, 3, "another run begins to count anew: {events:#?}");
    }
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled, "and goes on where the service does again");
}

#[test]
fn a_call_that_is_put_off_while_nothing_moves_is_given_up_and_told() {
    let mut site = Site::new(11);
    let store = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
    site.apply(&desired(store.clone()));
    // Somebody else's cluster stands in our subnet group, and no look shows it: one that is seen stops the removal before
    // it begins.
    let stale =
        Rule::always(Fault::StaleRead { lag: Span::from_days(30) }, GENESIS, GENESIS + Span::from_days(400));
    let _ = site.cloud.with_world(|world| world.add_fault(stale));
    let ours = store.iter().find(|node| node.address.kind == KindId::AuroraCluster).unwrap();
    let mut attrs = ours.attrs.clone();
    attrs.set("deletion_protection", Some(json!(false))).unwrap();
    let theirs = Op::Create {
        address: address("us-east-1", KindId::AuroraCluster, "by-hand"),
        attrs,
        tags: BTreeMap::new(),
    };
    block_on(site.cloud.call(&theirs, &Token("by hand".into()), &Permit::always())).unwrap();
    let _ = site.cloud.with_world(|world| world.clear_faults(None));
    site.cloud.advance(Span::from_hours(1)).unwrap();
    let order = Order { policy: consents(&["delete:accounts@us-east-1"]), ..Order::default() };
    let ended = site.run(&desired(Vec::new()), &order).unwrap();
    assert_eq!(ended.outcome, Outcome::Blocked);
    let held = ended.last.held.iter();
    let group = held.filter(|held| held.step.0.starts_with("delete us-east-1/rds.subnet_group/"));
    let why: Vec<&str> = group.map(|held| held.why.as_str()).collect();
    assert!(why.len() == 1 && why[0].contains("put off 12 times while nothing was in motion"), "{why:?}");
    // Once it is out of the way, the next run takes up what this one gave up.
    let gone = Op::Delete { address: theirs.address().clone(), final_snapshot: None };
    let _ = site.cloud.with_world(|world| world.expect_snapshots(false));
    block_on(site.cloud.call(&gone, &Token("by hand".into()), &Permit::always())).unwrap();
    assert_eq!(site.run(&desired(Vec::new()), &order).unwrap().outcome, Outcome::Settled);
}

#[test]
fn a_removal_does_not_begin_while_somebody_elses_member_is_in_the_cluster() {
    let mut site = Site::new(12);
    let wanted = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    let member = wanted.nodes.keys().find(|address| address.kind == KindId::AuroraInstance).unwrap();
    let theirs = Op::Create {
        address: address("us-east-1", KindId::AuroraInstance, "by-hand"),
        attrs: wanted.nodes[member].attrs.clone(),
        tags: BTreeMap::new(),
    };
    block_on(site.cloud.call(&theirs, &Token("by hand".into()), &Permit::always())).unwrap();
    site.cloud.advance(Span::from_hours(1)).unwrap();
    assert_eq!(site.apply(&wanted).outcome, Outcome::Blocked, "not all that is in the cluster is ours");
    let before = site.events().len();
    let order = Order { policy: consents(&["delete:accounts@us-east-1"]), ..Order::default() };
    let ended = site.run(&desired(Vec::new()), &order).unwrap();
    assert_eq!((ended.outcome, ended.calls), (Outcome::Blocked, 0));
    assert_eq!(site.events().len(), before, "nothing was begun");
    let gone = Op::Delete { address: theirs.address().clone(), final_snapshot: None };
    block_on(site.cloud.call(&gone, &Token("by hand".into()), &Permit::always())).unwrap();
    site.cloud.advance(Span::from_mins(1)).unwrap();
    assert_eq!(site.run(&desired(Vec::new()), &order).unwrap().outcome, Outcome::Settled);
}

#[test]
fn the_snapshot_that_a_namespace_leaves_is_looked_for_where_namespaces_are() {
    let namespace = address("us-east-1", KindId::RedshiftNamespace, "game-lake");
    let snapshot = address("us-east-1", KindId::RedshiftSnapshot, "game-lake-final-20260101000000");
    let (run, start) = (RunId("run".into()), Moment::from_secs(1_000));
    let id = rgctl_schema::names::StepId(format!("delete {namespace}").into());
    let mut ledger = rgctl_engine::ledger::Ledger::default();
    let begun = InFlightStep {
        address: namespace,
        word: "delete".into(),
        token: Token("t".into()),
        final_snapshot: Some(snapshot),
        status: StepStatus::Accepted,
        since: LineTime::new(start, 1),
        first: LineTime::new(start, 1),
        tries: Tries { calls: 1, accepted: 1, ..Tries::default() },
        asks: String::new(),
        cause: Cause::State,
        run: run.clone(),
        why: String::new(),
        changes: Vec::new(),
        names: None,
        sets: None,
        unsets: rgctl_model::journal::Entries::default(),
        unknown: None,
    };
    ledger.begun.insert(id.clone(), begun);
    let now = start + Span::from_days(1);
    for (endpoint, hides) in [(Endpoint::RedshiftServerless, true), (Endpoint::Redshift, false)] {
        let mut inventory = Inventory::empty(now);
        let region = rgctl_testkit::fixtures::region("us-east-1");
        inventory.gaps.push(Gap { region, endpoint, why: "silence".into(), lasting: false });
        let (policy, pace, wanted) = (Policy::default(), Pace::default(), desired(Vec::new()));
        let turn = turn(&TurnInput {
            desired: &wanted,
            inventory: &inventory,
            held_out: rgctl_testkit::fixtures::NONE_HELD_OUT,
            ledger: &ledger,
            policy: &policy,
            figures: &NoFigures,
            agreed: None,
            joins: None,
            run: &run,
            began: start,
            now,
            purpose: Purpose::Destroy,
            stopping: false,
            verdicts: rgctl_testkit::fixtures::no_verdicts(),
            authority: rgctl_model::policy::Authority::Person,
            pace: &pace,
            motion: &Motion::new(start),
        });
        assert_eq!(turn.under_way.contains_key(&id), hides, "{endpoint:?}");
        let failed = turn.record.iter().any(|event| matches!(event, Event::Failed { .. }));
        assert_eq!(failed, !hides, "{endpoint:?}: {:?}", turn.record);
    }
}

/// The embedded cloud without what only a simulated one knows.
struct Unforeseen<'a>(&'a SimCloud);

impl Tampers for Unforeseen<'_> {
    fn cloud(&self) -> &dyn Cloud {
        self.0
    }
}

/// Applies to a new world at the product's own pace; yields the end, the turns and the record.
fn apply_at_pace(desired: &Desired, foresees: bool) -> (Ended, u32, Vec<Event>) {
    let site = Site::new(5);
    let clock = site.cloud.clock();
    let unforeseen = Tampered(Unforeseen(&site.cloud));
    let cloud: &dyn Cloud = if foresees { &site.cloud } else { &unforeseen };
    let world = Environment { cloud, clock: &clock, wall: &site.wall, store: &site.store };
    let (run, policy, pace) = (RunId("run-1".to_owned()), Policy::default(), Pace::default());
    let job = applying(desired, &run, &policy, &pace);
    let mut watch = Quiet { turns: 0, stop_after: None };
    let ended = block_on(drive(&world, &job, &mut watch)).unwrap();
    (ended, watch.turns, site.events())
}

#[test]
fn looks_that_would_show_nothing_new_are_left_out_and_change_nothing() {
    let desired = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    let (patient, every_look, told) = apply_at_pace(&desired, false);
    let (foreseeing, few_looks, told_too) = apply_at_pace(&desired, true);
    assert_eq!(patient.outcome, Outcome::Settled);
    assert_eq!(foreseeing.at, patient.at, "the same steps at the same moments");
    assert_eq!(told_too, told);
    assert!(few_looks * 3 < every_look, "{few_looks} of {every_look} looks");
}

#[test]
fn what_was_made_in_a_region_that_has_left_the_blueprint_is_removed() {
    let near = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
    let both = desired([near.clone(), cluster_store("accounts", "us-west-2", 1, "db.r7g.large")].concat());
    let mut site = Site::new(10);
    assert_eq!(site.apply(&both).outcome, Outcome::Settled);
    let one = desired(near);
    assert!(!one.regions.iter().any(|region| region.as_str() == "us-west-2"));
    let refused = site.apply(&one);
    assert_eq!(refused.outcome, Outcome::Blocked, "it is seen, and needs consent");
    let order = Order { policy: consents(&["delete:accounts@us-west-2"]), ..Order::default() };
    assert_eq!(site.run(&one, &order).unwrap().outcome, Outcome::Settled);
    let left = site.look(&both).seen.into_keys().filter(|address| address.region.as_str() == "us-west-2");
    let kinds: Vec<KindId> = left.map(|address| address.kind).collect();
    assert_eq!(kinds, [KindId::AuroraSnapshot], "nothing but the final snapshot is left");
    site.assert_settled(&one);
}

#[test]
fn a_cache_gets_its_first_replica_before_it_fails_over_by_itself_and_loses_it_afterwards() {
    let with = |replicas: u32| {
        let mut nodes = cache_store("rank", "us-east-1", 2);
        for node in nodes.iter_mut().filter(|node| node.address.kind == KindId::CacheGroup) {
            node.attrs.set("replicas_per_shard", Some(json!(replicas))).unwrap();
            node.attrs.set("automatic_failover", Some(json!(replicas > 0))).unwrap();
            node.attrs.set("multi_az", Some(json!(replicas > 0))).unwrap();
        }
        desired(nodes)
    };
    let mut site = Site::new(12);
    for replicas in [0, 2, 0] {
        let ended = site.run(
            &with(replicas),
            &Order { policy: consents(&["shrink:rank@us-east-1"]), ..Order::default() },
        );
        assert_eq!(ended.unwrap().outcome, Outcome::Settled, "with {replicas} replicas");
        site.assert_settled(&with(replicas));
    }
}
