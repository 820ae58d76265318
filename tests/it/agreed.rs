//! A plan that was agreed to is carried out whole, and nothing beside it; and what is written down follows from the record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use rgctl_engine::execution::drive::DriveError;
use rgctl_engine::ledger::{IllegalTransition, Ledger};
use rgctl_engine::planning::{self, PlanInput};
use rgctl_model::chain;
use rgctl_model::choices::Choices;
use rgctl_model::claims::{Claimed, Claims};
use rgctl_model::journal::{Cause, Event, Outcome};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::Member;
use rgctl_model::plan::{Blocker, Op, Plan, Verb};
use rgctl_model::policy::{Consent, DestructiveAction, Policy};
use rgctl_model::ports::{Clock, Cloud, Lease, Permit, Store};
use rgctl_model::scope::RecordId;
use rgctl_schema::names::{Fingerprint, RegionId, RunId, StepId, StoreName, Token};
use rgctl_schema::time::Span;
use rgctl_sim::{Fault, GENESIS, Rule};
use serde_json::json;

use rgctl_testkit::fixtures::{address, ask, cluster_store, consents, desired, lines, node};
use rgctl_testkit::shipped::{SHIPPED, build};
use rgctl_testkit::site::{Order, Site, block_on, cache_store};
use rgctl_testkit::swarm_blueprint::{CATALOG, Game};

/// A world without faults, in which the account has what it needs.
pub fn quiet_site(seed: u64) -> Site {
    let mut site = Site::new(seed);
    site.cloud = site.cloud.clone().with_catalog(Arc::clone(&CATALOG));
    let rule = Rule::always(Fault::Quota { limit: u32::MAX }, GENESIS, GENESIS + Span::from_days(3_650));
    let _ = site.cloud.with_world(|world| world.add_fault(rule));
    site
}

/// Every consent there is for these stores and regions.
fn everything(stores: &BTreeSet<StoreName>, regions: &BTreeSet<RegionId>) -> Policy {
    let mut policy = Policy::default();
    for (store, region) in stores.iter().flat_map(|store| regions.iter().map(move |region| (store, region))) {
        for action in DestructiveAction::ALL {
            policy.consents.insert(Consent {
                action,
                store: Some(store.clone()),
                region: Some(region.clone()),
            });
        }
    }
    policy
}

fn stores_of(desired: &Desired) -> BTreeSet<StoreName> {
    desired.nodes.values().map(|node| node.store.clone()).collect()
}

/// What a person is shown.
fn shown(site: &Site, desired: &Desired, policy: &Policy, destroy: bool) -> Plan {
    let claims = site.claims(desired.blueprint.as_str());
    planning::plan(&PlanInput { destroy, claims: &claims, ..ask(desired, &site.look(desired), policy) })
}

/// Carries out what was shown, and tells which calls were made, in short; the world must be at rest afterwards.
fn carry_out(site: &mut Site, wanted: &Desired, policy: &Policy, destroy: bool) -> Result<usize, String> {
    let plan = shown(site, wanted, policy, destroy);
    let is_bound = plan.waiting.iter().any(|waiting| matches!(waiting, Blocker::Bound { .. }));
    let before = site.cloud.calls().len();
    let order = Order { policy: policy.clone(), agreed: Some(plan.clone()), destroy, ..Order::default() };
    let ended = site.run(wanted, &order).map_err(|error| format!("{error:?}"))?;
    let calls = site.cloud.calls();
    let made: Vec<(String, bool)> =
        calls[before..].iter().map(|called| (called.op.step_id().to_string(), called.told.is_ok())).collect();
    let refused: Vec<String> = calls[before..]
        .iter()
        .filter(|called| called.told.is_err())
        .map(|called| format!("{}: {:?}", called.op.step_id(), called.told))
        .collect();
    let mut asked: Vec<&str> = plan.steps.iter().map(|step| &*step.id.0).collect();
    let mut done: Vec<&str> = made.iter().map(|(id, _)| id.as_str()).collect();
    asked.sort_unstable();
    done.sort_unstable();
    // More nodes than any account may have in one cache: that the plan cannot be carried out is told elsewhere.
    if refused.iter().any(|told| told.contains("NodeQuotaForClusterExceeded")) {
        return Ok(done.len());
    }
    let expected = if is_bound { Outcome::Blocked } else { Outcome::Settled };
    if ended.outcome != expected || asked != done {
        let only = |left: &[&str], right: &[&str]| -> Vec<String> {
            left.iter().filter(|id| !right.contains(id)).map(ToString::to_string).collect()
        };
        let texts: Vec<String> = made.iter().map(|(id, ok)| format!("{id} {ok}")).collect();
        return Err(format!(
            "PLAN {:#?} MADE {texts:#?} {:?}; agreed and not done: {:#?}; done more often than agreed: {} to {}, {:#?}; refused: {refused:#?}; held: {:#?}; left: {:#?}",
            lines(&plan),
            ended.outcome,
            only(&asked, &done),
            done.len(),
            asked.len(),
            only(&done, &asked),
            ended.last.held,
            lines(&ended.last.plan),
        ));
    }
    Ok(done.len())
}

/// A life of a blueprint on a quiet cloud: made, edited a few times, removed; each time by a plan that was agreed to.
fn live(seed: u64) -> Result<usize, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut site = quiet_site(seed);
    let (mut game, mut wanted, _) = Game::first(&mut rng, GENESIS);
    let (mut stores, mut regions) = (stores_of(&wanted), wanted.regions.clone());
    let mut calls = carry_out(&mut site, &wanted, &everything(&stores, &regions), false)
        .map_err(|why| format!("first: {why}\n{}", game.text()))?;
    for number in 1..=rng.random_range(1..=3) {
        let (edited, desired, _) = game.edited(&mut rng, site.cloud.clock().now());
        let before = game.text();
        (game, wanted) = (edited, desired);
        stores.extend(stores_of(&wanted));
        regions.extend(wanted.regions.iter().cloned());
        wanted.regions.clone_from(&regions);
        calls += carry_out(&mut site, &wanted, &everything(&stores, &regions), false)
            .map_err(|why| format!("edit {number}: {why}\n{before}\n{}", game.text()))?;
    }
    calls += carry_out(&mut site, &wanted, &everything(&stores, &regions), true)
        .map_err(|why| format!("destroy: {why}\n{}", game.text()))?;
    let violations = site.cloud.violations();
    if violations.is_empty() { Ok(calls) } else { Err(format!("{violations:#?}")) }
}

/// `RGCTL_AGREED=5000` lives through more of them, `RGCTL_AGREED=17-18` through a part.
#[test]
fn an_agreed_plan_on_a_quiet_cloud_settles_with_exactly_its_steps() {
    let seeds = match std::env::var("RGCTL_AGREED") {
        Err(_) => 0..60,
        Ok(text) => match text.split_once('-') {
            Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
            None => 0..text.parse().unwrap(),
        },
    };
    let lives: Vec<(u64, Result<usize, String>)> =
        seeds.into_par_iter().map(|seed| (seed, live(seed))).collect();
    let failed: Vec<u64> = lives.iter().filter(|(_, life)| life.is_err()).map(|(seed, _)| *seed).collect();
    for (seed, life) in &lives {
        if let Err(why) = life {
            let text = why.split("apiVersion").next().unwrap_or_default();
            eprintln!("RGCTL_AGREED={seed}: {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    if let Some((seed, Err(why))) = lives.iter().find(|(_, life)| life.is_err()) {
        panic!(
            "{} of {} fail ({failed:?}); RGCTL_AGREED={seed}-{}: {why}",
            failed.len(),
            lives.len(),
            seed + 1
        );
    }
    let calls: usize = lives.iter().filter_map(|(_, life)| life.as_ref().ok()).sum();
    assert!(calls > 20 * lives.len(), "{calls} calls: it saw little");
}

#[test]
fn every_shipped_blueprint_is_made_and_removed_without_a_failed_attempt() {
    let failed: Vec<String> = SHIPPED
        .into_par_iter()
        .filter_map(|name| {
            let mut wanted = build(name, &[]).desired;
            // One of them says that nothing of it is ever deleted, which is kept.
            for rules in &mut wanted.rules {
                rules.policies.consent = rgctl_model::rules::Allowances::usual();
            }
            let mut site = quiet_site(7);
            let policy = everything(&stores_of(&wanted), &wanted.regions);
            let made = carry_out(&mut site, &wanted, &policy, false);
            let removed = made.and_then(|_| carry_out(&mut site, &wanted, &policy, true));
            removed.err().map(|why| format!("{name}: {why}"))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A store that writes in one region and is read in another, of each family that has such a thing.
fn with_global(family: &str) -> Desired {
    let (global, root) = match family {
        "aurora" => (KindId::AuroraGlobal, KindId::AuroraCluster),
        "documentdb" => (KindId::DocumentGlobal, KindId::DocumentCluster),
        _ => (KindId::CacheGlobal, KindId::CacheGroup),
    };
    let spec = |engine: &str, more: &str| {
        format!(
            "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: game }}\nspec:\n  demand: {{ players: \
             {{ peakConcurrent: 20k }}, requestsPerPlayerPerMinute: 10, hotData: {{ size: 50GiB, retention: 90d }} }}\n  \
             objectives: {{ availability: 99%, p99: 100ms, rto: 2d, rpo: 2d }}\n  regions: {{ primary: us-east-1, \
             secondaries: [us-west-2, eu-west-1], secondaryRole: reads }}\n  stores:\n    - name: s\n      engine: \
             {engine}\n{more}"
        )
    };
    let text = match family {
        "aurora" => spec("aurora-mysql", "      class: db.r6g.large\n      readers: 1\n"),
        "documentdb" => spec("documentdb", "      class: db.r6g.large\n      readers: 1\n"),
        _ => spec("valkey", "      class: cache.r7g.large\n      shards: 2\n      replicasPerShard: 1\n"),
    };
    let wanted = rgctl_testkit::swarm_blueprint::desired_of(&text, GENESIS).unwrap();
    assert!(wanted.nodes.keys().any(|address| address.kind == global), "{family} has a global object");
    assert_eq!(wanted.nodes.keys().filter(|address| address.kind == root).count(), 3);
    wanted
}

#[test]
fn a_global_object_of_each_family_is_removed_with_as_many_calls_as_steps() {
    for family in ["aurora", "documentdb", "elasticache"] {
        let wanted = with_global(family);
        let mut site = quiet_site(3);
        let policy = everything(&stores_of(&wanted), &wanted.regions);
        carry_out(&mut site, &wanted, &policy, false).unwrap_or_else(|why| panic!("{family}: {why}"));
        carry_out(&mut site, &wanted, &policy, true).unwrap_or_else(|why| panic!("{family}: {why}"));
    }
}

#[test]
fn a_way_by_steps_is_in_the_plan_from_its_first_step_to_its_last() {
    let with = |mode: &str, shards: u32| {
        let mut nodes = cache_store("rank", "us-east-1", shards);
        let group = nodes.iter_mut().find(|node| node.address.kind == KindId::CacheGroup).unwrap();
        group.attrs.set("cluster_mode", Some(json!(mode))).unwrap();
        desired(nodes)
    };
    let mut site = Site::new(13);
    site.apply(&with("disabled", 1));
    let plan = site.plan(&with("enabled", 2));
    assert_eq!(
        lines(&plan),
        [
            "modify elasticache.group/game-rank cluster_mode=compatible",
            "modify elasticache.group/game-rank cluster_mode",
            "modify elasticache.group/game-rank shards",
        ]
    );
    let made = carry_out(&mut site, &with("enabled", 2), &Policy::default(), false).unwrap();
    assert_eq!(made, 3);
    site.assert_settled(&with("enabled", 2));
}

#[test]
fn what_is_stopped_is_woken_before_it_is_changed_and_both_are_agreed() {
    let before = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let after = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.xlarge"));
    let mut site = Site::new(14);
    site.apply(&before);
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let stop = Op::Act { address: cluster, verb: Verb::Stop };
    block_on(site.cloud.call(&stop, &Token("by hand".into()), &Permit::always())).unwrap();
    site.cloud.advance(Span::from_hours(1)).unwrap();
    let woken = |plan: &Plan| plan.steps.iter().filter(|step| step.op.word() == "start").count();
    let plan = site.plan(&after);
    assert_eq!(woken(&plan), 1, "members wake with their cluster: {:#?}", lines(&plan));
    let order = Order { agreed: Some(plan), ..Order::default() };
    let ended = site.run(&after, &order).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last.held);
    site.assert_settled(&after);
    let refused: Vec<_> = site.cloud.calls().into_iter().filter(|called| called.told.is_err()).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

/// Members of three, of which the third is bigger already; the plan was agreed to before that.
fn with_one_done_by_hand(site: &mut Site) -> (Desired, Plan) {
    let before = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    let after = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.xlarge"));
    site.apply(&before);
    let plan = site.plan(&after);
    let member = address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-2");
    site.cloud
        .with_world(|world| world.edit_fields(&member, vec![("class", json!("db.r7g.xlarge"))]))
        .unwrap()
        .unwrap();
    (after, plan)
}

#[test]
fn a_member_that_another_hand_has_finished_is_no_disagreement() {
    let mut site = Site::new(15);
    let (after, plan) = with_one_done_by_hand(&mut site);
    assert_eq!(plan.steps.len(), 4, "two readers, a failover, the writer: {:#?}", lines(&plan));
    let calls_before = site.cloud.calls().len();
    let ended = site.run(&after, &Order { agreed: Some(plan), ..Order::default() }).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last.held);
    assert_eq!(site.cloud.calls().len() - calls_before, 3, "one was done already");
    site.assert_settled(&after);
}

#[test]
fn the_successor_that_was_agreed_takes_over_whoever_would_be_first_by_then() {
    let mut site = Site::new(16);
    let (after, mut plan) = with_one_done_by_hand(&mut site);
    // A person agreed to the third, as an earlier look had it.
    let third = rgctl_schema::names::Name::new("game-accounts-use1-3").unwrap();
    let failover = plan.steps.iter().position(|step| step.op.word() == "failover").unwrap();
    if let Op::Act { verb: Verb::Failover { to }, .. } = &mut plan.steps[failover].op {
        *to = Some(third.clone());
    }
    let ended = site.run(&after, &Order { agreed: Some(plan), ..Order::default() }).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last.held);
    let calls = site.cloud.calls();
    let moved: Vec<String> = calls
        .iter()
        .filter(|called| called.op.word() == "failover")
        .map(|called| called.op.step_id().to_string())
        .collect();
    assert_eq!(moved, [format!("failover us-east-1/aurora.cluster/game-accounts-use1 to {third}")]);
}

#[test]
fn a_choice_is_on_record_before_the_first_call_and_kept_by_the_next_run() {
    let before = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    let mut after = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.xlarge"));
    after.fingerprint = Fingerprint("bigger".into());
    let mut site = Site::new(17);
    site.apply(&before);
    let stopped = site.run(&after, &Order { stop_after: Some(2), ..Order::default() }).unwrap();
    assert_eq!(stopped.outcome, Outcome::Stopped);
    let events = site.events();
    let opened = events.iter().rposition(|event| matches!(event, Event::Opened { .. })).unwrap();
    assert!(matches!(events[opened + 1], Event::Chosen { .. }), "{:#?}", &events[opened..]);
    assert!(matches!(events[opened + 2], Event::Intended { .. }));
    // Meanwhile another member has become the first in order.
    let third = address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-3");
    site.cloud
        .with_world(|world| world.edit_fields(&third, vec![("promotion_tier", json!(0))]))
        .unwrap()
        .unwrap();
    assert_eq!(site.apply(&after).outcome, Outcome::Settled);
    let calls = site.cloud.calls();
    let moved = calls.iter().find(|called| called.op.word() == "failover").unwrap();
    assert!(moved.op.step_id().0.ends_with("to game-accounts-use1-2"), "{}", moved.op.step_id());
    // What is done is no choice any more.
    let mut ledger = Ledger::default();
    ledger.fold(&block_on(site.store.entries(&site.scope("game"), 0)).unwrap());
    assert_eq!(ledger.choices, Choices::default());
}

#[test]
fn the_name_of_a_final_snapshot_is_as_it_was_agreed() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let mut site = Site::new(18);
    site.apply(&wanted);
    let policy = consents(&["delete:accounts@us-east-1"]);
    let plan = shown(&site, &wanted, &policy, true);
    let agreed = Choices::of(&plan);
    assert_eq!(agreed.snapshots.len(), 1);
    let order = Order { policy, agreed: Some(plan), destroy: true, ..Order::default() };
    assert_eq!(site.run(&wanted, &order).unwrap().outcome, Outcome::Settled);
    let seen = site.look(&wanted).seen;
    let names: Vec<_> = seen
        .keys()
        .filter(|address| address.kind == KindId::AuroraSnapshot)
        .map(|address| &address.name)
        .collect();
    assert_eq!(names, agreed.snapshots.values().collect::<Vec<_>>());
}

/// What was agreed to on one look, against what would be done on another.
fn held_on(change: impl Fn(&mut Desired)) -> Vec<String> {
    let before = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut agreed_to = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.xlarge"));
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let cluster = agreed_to.nodes.get_mut(&cluster).unwrap();
    cluster.attrs.set("backup_retention_days", Some(json!(8))).unwrap();
    let mut site = Site::new(19);
    site.apply(&before);
    let plan = site.plan(&agreed_to);
    let mut other = agreed_to.clone();
    change(&mut other);
    let ended = site.run(&other, &Order { agreed: Some(plan), ..Order::default() }).unwrap();
    ended
        .last
        .held
        .into_iter()
        .filter(|held| held.why.contains("not in the plan that was agreed to"))
        .map(|held| held.step.to_string())
        .collect()
}

#[test]
fn a_step_that_does_more_than_was_agreed_is_never_run() {
    assert_eq!(held_on(|_| {}), [""; 0]);
    let member = address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-2");
    // Another value, another step, a field more in the same call, and an object more.
    let bigger = held_on(|other| {
        let node = other.nodes.get_mut(&member).unwrap();
        node.attrs.set("class", Some(json!("db.r7g.2xlarge"))).unwrap();
    });
    assert_eq!(bigger, [format!("modify {member} class")]);
    let more = held_on(|other| {
        let node = other.nodes.get_mut(&member).unwrap();
        node.attrs.set("performance_insights", Some(json!(true))).unwrap();
    });
    assert_eq!(more, [format!("modify {member} performance_insights")]);
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let wider = held_on(|other| {
        let node = other.nodes.get_mut(&cluster).unwrap();
        node.attrs.set("backup_window", Some(json!("02:00-03:00"))).unwrap();
    });
    assert_eq!(wider, [format!("modify {cluster} backup_retention_days+backup_window")]);
    let another = held_on(|other| {
        let third = address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-3");
        let fields = [
            ("cluster", json!("game-accounts-use1")),
            ("engine", json!("aurora-mysql")),
            ("class", json!("db.r7g.large")),
        ];
        other.nodes.insert(third.clone(), node(third, "accounts", &fields, &[]));
    });
    assert_eq!(another, ["create us-east-1/aurora.instance/game-accounts-use1-3"]);
}

#[test]
fn what_would_grow_when_it_was_agreed_to_and_would_shrink_now_is_held() {
    let with = |replicas: u32| {
        let mut nodes = cache_store("rank", "us-east-1", 1);
        let group = nodes.iter_mut().find(|node| node.address.kind == KindId::CacheGroup).unwrap();
        group.attrs.set("replicas_per_shard", Some(json!(replicas))).unwrap();
        desired(nodes)
    };
    let mut site = Site::new(20);
    site.apply(&with(1));
    let plan = site.plan(&with(2));
    let group = address("us-east-1", KindId::CacheGroup, "game-rank");
    let by_hand = vec![("replicas_per_shard", json!(4))];
    site.cloud.with_world(|world| world.edit_fields(&group, by_hand)).unwrap().unwrap();
    let calls_before = site.cloud.calls().len();
    let ended = site.run(&with(2), &Order { agreed: Some(plan), ..Order::default() }).unwrap();
    assert_eq!((ended.outcome, site.cloud.calls().len() - calls_before), (Outcome::Blocked, 0));
    assert!(ended.last.held[0].why.contains("not in the plan"), "{:#?}", ended.last.held);
}

fn step(text: &str) -> StepId {
    StepId(text.into())
}

fn intended(text: &str) -> Event {
    Event::Intended {
        step: step(text),
        address: address("us-east-1", KindId::AuroraCluster, "game-db"),
        word: "create".into(),
        token: Token("t".into()),
        final_snapshot: None,
        why: "missing".into(),
        changes: Vec::new(),
        asks: String::new(),
        names: None,
        sets: None,
        unsets: rgctl_model::journal::Entries::default(),
        store: None,
    }
}

fn opened() -> Event {
    Event::Opened {
        purpose: rgctl_model::journal::Purpose::Apply,
        policy: Policy::default(),
        desired: Fingerprint("d".into()),
        steps: 1,
        rules: None,
    }
}

fn closed() -> Event {
    Event::Closed { outcome: Outcome::Settled, summary: String::new(), left: None }
}

#[test]
fn what_does_not_follow_from_the_record_is_an_error_before_it_is_written() {
    let run = RunId("r".into());
    let check = |events: &[Event]| Ledger::default().check(&run, events);
    let accepted = || Event::Accepted { step: step("a") };
    let settled = || Event::Settled { step: step("a"), object: None };
    let failed = || Event::Failed { step: step("a"), why: String::new() };
    let deferred =
        || Event::Deferred { step: step("a"), why: String::new(), cause: Cause::State, at_rest: false };
    let legal: [&[Event]; 4] = [
        &[opened(), closed()],
        &[opened(), intended("a"), accepted(), settled(), closed()],
        &[
            opened(),
            intended("a"),
            deferred(),
            intended("a"),
            accepted(),
            intended("a"),
            accepted(),
            settled(),
        ],
        &[
            opened(),
            intended("a"),
            Event::Unclear { step: step("a"), why: String::new() },
            settled(),
            intended("a"),
            failed(),
        ],
    ];
    for events in legal {
        assert_eq!(check(events), Ok(()), "{events:#?}");
    }
    // What one run gave up is tried again by the next, and by no line of its own.
    let mut ledger = Ledger::default();
    let lease = Lease {
        scope: Site::new(1).scope("game"),
        run: run.clone(),
        owner: "test".into(),
        epoch: 1,
        until: GENESIS,
        lasts: Span::ZERO,
        renewals: 0,
    };
    ledger.fold(&chain::seal(&lease, None, GENESIS, &[opened(), intended("a"), failed(), closed()]));
    let again = [opened(), intended("a"), accepted()];
    assert_eq!(ledger.check(&RunId("next".into()), &again), Ok(()));
    let illegal: [(&[Event], &str); 8] = [
        (&[accepted()], "not the run that is open"),
        (&[opened(), accepted()], "not begun"),
        (&[opened(), settled()], "not begun"),
        (&[opened(), intended("a"), accepted(), accepted()], "that is accepted"),
        (&[opened(), intended("a"), failed(), settled()], "that is failed"),
        (&[opened(), intended("a"), failed(), intended("a")], "that is failed"),
        (&[opened(), intended("a"), accepted(), settled(), failed()], "not begun"),
        (&[opened(), opened()], "opened twice"),
    ];
    for (events, why) in illegal {
        let error = check(events).unwrap_err().to_string();
        assert!(error.contains(why), "{error}: {events:#?}");
    }
}

/// A store whose reader forgets the last lines, so that the engine goes on from a wrong ledger.
#[test]
fn a_run_that_would_write_what_does_not_follow_ends_loudly_and_writes_nothing() {
    let error = DriveError::from(IllegalTransition::NotBegun { event: "settled", step: step("a") });
    assert!(error.to_string().contains("a mistake of rgctl"), "{error}");
    let failure = rgctl::cli::error::Failure::from(error);
    assert_eq!(failure.exit, rgctl::cli::exit::Exit::Error);
    assert!(failure.causes[0].contains("`settled` is told of a step that is not begun: a"), "{failure:?}");
}

#[test]
fn an_old_record_that_does_not_follow_still_counts_and_history_says_where() {
    let site = Site::new(21);
    let game = site.scope("game");
    let (run, now) = (RunId("old".into()), site.cloud.clock().now());
    let events = [opened(), intended("a"), Event::Accepted { step: step("b") }, intended("a"), closed()];
    block_on(async {
        let lease = site.store.take_lease(&game, &run, "old", now, Span::from_secs(60), None).await.unwrap();
        site.store.append(&lease, 0, now, &events).await.unwrap();
    });
    let entries = block_on(site.store.entries(&game, 0)).unwrap();
    let mut ledger = Ledger::default();
    ledger.fold(&entries);
    assert_eq!(ledger.begun.keys().collect::<Vec<_>>(), [&step("a")]);
    let noted = rgctl::report::history::noted(entries);
    let remarks: BTreeMap<u64, &str> =
        noted.iter().filter_map(|one| Some((one.entry.seq, one.note.as_deref()?))).collect();
    assert_eq!(
        remarks.into_iter().collect::<Vec<_>>(),
        [(3, "`accepted` is told of a step that is not begun: b")]
    );
    let lines = rgctl::report::history::merged(noted, Vec::new(), Vec::new());
    let text = rgctl::report::history::text(&lines, lines.len(), rgctl::report::style::Style::PLAIN);
    assert!(text.contains("note: it does not follow from the lines before it"), "{text}");
}

/// DocumentDB makes a global cluster in one call and tags it in another.
#[test]
fn a_global_object_that_was_made_and_not_tagged_is_known_by_its_members_and_tagged() {
    let wanted = with_global("documentdb");
    let global = wanted.nodes.keys().find(|address| address.kind == KindId::DocumentGlobal).unwrap().clone();
    let primary = address("us-east-1", KindId::DocumentCluster, "game-s-use1");
    let mut world = rgctl_testkit::fixtures::world_of(&wanted);
    let role = rgctl_schema::phase::Role::Writer;
    let seen = world.seen.get_mut(&global).unwrap();
    seen.facts.tags.clear();
    seen.facts.members = vec![Member { region: primary.region.clone(), name: primary.name.clone(), role }];
    let mut claims = Claims { record: Some(RecordId("rec".into())), ..Claims::default() };
    let ours = Claimed { is_done: true, ..Claimed::default() };
    claims.objects.insert(primary.clone(), ours);
    let owns = |claims: &Claims| claims.owns(&wanted.blueprint, &global, &world.seen[&global]);
    assert!(!owns(&claims), "no call of ours asked for it");
    let begun = Claimed { tokens: [Token("t".into())].into(), ..Claimed::default() };
    claims.objects.insert(global.clone(), begun);
    assert!(owns(&claims));
    let policy = Policy::default();
    let plan = planning::plan(&PlanInput { claims: &claims, ..ask(&wanted, &world, &policy) });
    let tagged = plan.steps.iter().any(|step| step.op.address() == &global && step.op.word() == "tag");
    assert!(tagged, "{:#?}", lines(&plan));
    // With a member of somebody else it is somebody else's.
    claims.objects.remove(&primary);
    assert!(!owns(&claims));
}
