//! Which regions are looked at, and which a policy names: those of the blueprint, and those in which the record still
//! holds something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_engine::execution::drive::{Ended, Environment, drive};
use rgctl_engine::execution::gone::GoneInput;
use rgctl_engine::execution::turn::Pace;
use rgctl_engine::ledger::Ledger;
use rgctl_model::address::Address;
use rgctl_model::journal::{Cause, Entry, Event, Outcome, Purpose};
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Cloud, CloudError, Permit, Receipt};
use rgctl_schema::names::{BlueprintName, Fingerprint, RegionId, RunId, StepId, Token};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, Rule};
use serde_json::json;
use tokio::sync::Notify;

use crate::cli::Place;
use rgctl_testkit::fixtures::{address, consents, desired, node, region};
use rgctl_testkit::site::{Quiet, Site, applying, block_on, cache_store};
use rgctl_testkit::tampered::{Tampered, Tampers};

/// Counts the looks at each region.
struct Looks<'a> {
    cloud: &'a dyn Cloud,
    counts: Mutex<BTreeMap<RegionId, usize>>,
}

impl Tampers for Looks<'_> {
    fn cloud(&self) -> &dyn Cloud {
        self.cloud
    }
    fn observe<'a>(&'a self, scope: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        for region in &scope.regions {
            *self.counts.lock().unwrap().entry(region.clone()).or_default() += 1;
        }
        self.cloud.observe(scope)
    }
}

const LEFT: &str = "eu-west-1";

fn run(site: &Site, cloud: &dyn Cloud, wanted: &Desired, policy: &Policy, name: &str) -> Ended {
    let clock = site.cloud.clock();
    let world = Environment { cloud, clock: &clock, wall: &site.wall, store: &site.store };
    let (id, pace) = (RunId(name.to_owned()), Pace::default());
    let job = applying(wanted, &id, policy, &pace);
    block_on(drive(&world, &job, &mut Quiet { turns: 0, stop_after: Some(2_000) })).unwrap()
}

/// How a run ended, and how often it looked at a region.
fn looks_at(site: &Site, wanted: &Desired, code: &str, name: &str) -> (Outcome, usize) {
    let looks = Tampered(Looks { cloud: &site.cloud, counts: Mutex::default() });
    let ended = run(site, &looks, wanted, &consents(&["delete:rank@eu-west-1"]), name);
    let counts = looks.0.counts.into_inner().unwrap();
    assert!(counts[&region("us-east-1")] > 0);
    (ended.outcome, counts.get(&region(code)).copied().unwrap_or(0))
}

fn both() -> Desired {
    desired([cache_store("rank", "us-east-1", 1), cache_store("rank", LEFT, 1)].concat())
}

fn after() -> Desired {
    desired(cache_store("rank", "us-east-1", 1))
}

#[test]
fn a_region_that_was_left_is_looked_at_until_the_last_object_there_is_gone() {
    let mut site = Site::new(31);
    assert_eq!(site.apply(&both()).outcome, Outcome::Settled);
    let (outcome, looks) = looks_at(&site, &after(), LEFT, "leaves");
    assert_eq!(outcome, Outcome::Settled);
    assert!(looks > 1, "the removal is looked for");
    assert_eq!(looks_at(&site, &after(), LEFT, "later"), (Outcome::Settled, 0));
}

#[test]
fn a_region_is_looked_at_for_as_long_as_something_of_ours_may_not_go() {
    let mut site = Site::new(32);
    site.apply(&both());
    for name in ["first", "second"] {
        let looks = Tampered(Looks { cloud: &site.cloud, counts: Mutex::default() });
        let ended = run(&site, &looks, &after(), &Policy::default(), name);
        assert_eq!(ended.outcome, Outcome::Blocked, "nobody consents to the deletion");
        assert!(looks.0.counts.into_inner().unwrap()[&region(LEFT)] > 0, "{name}");
    }
}

#[test]
fn what_another_hand_deleted_in_a_region_that_was_left_is_let_go_by_the_first_look() {
    let mut site = Site::new(33);
    site.apply(&both());
    for kind in [KindId::CacheGroup, KindId::CacheSubnetGroup] {
        let gone = Op::Delete { address: address(LEFT, kind, "game-rank"), final_snapshot: None };
        block_on(site.cloud.call(&gone, &Token("by hand".into()), &Permit::always())).unwrap();
        site.cloud.advance(Span::from_mins(60)).unwrap();
    }
    let (outcome, looks) = looks_at(&site, &after(), LEFT, "finds out");
    assert_eq!(outcome, Outcome::Settled);
    assert!(looks > 0);
    let told = site.events().into_iter().find_map(|event| match event {
        Event::Gone { objects } => Some(objects.len()),
        _ => None,
    });
    assert_eq!(told, Some(2));
    let lines = site.events().len();
    assert_eq!(looks_at(&site, &after(), LEFT, "later"), (Outcome::Settled, 0));
    assert_eq!(site.events().len(), lines, "and it is told once");
}

#[test]
fn what_was_made_just_now_and_is_not_shown_yet_is_not_let_go() {
    let group = address(LEFT, KindId::CacheSubnetGroup, "game-rank");
    let step = StepId(format!("create {group}").into());
    let asked = Moment::EPOCH + Span::from_days(1);
    let mut ledger = Ledger::default();
    let made = vec![opened(), intended(&step, &group, "create"), Event::Accepted { step: step.clone() }];
    ledger.fold(&lines(asked, [made, vec![Event::Settled { step, object: None }]].concat()));
    let (wanted, pace) = (after(), Pace::default());
    let gone = |now: Moment| {
        let inventory = Inventory::empty(now);
        let looked = GoneInput {
            desired: &wanted,
            inventory: &inventory,
            ledger: &ledger,
            purpose: Purpose::Apply,
            pace: &pace,
        };
        looked.gone()
    };
    // A list lags behind the call, and the step is over since nobody wants its object any more.
    assert_eq!(gone(asked), Vec::new());
    assert_eq!(gone(asked + pace.late), std::slice::from_ref(&group));
    assert!(ledger.regions_held(asked, pace.late).contains(&group.region));
}

#[test]
fn what_is_wanted_or_hidden_is_never_let_go() {
    let mut site = Site::new(34);
    site.apply(&both());
    let gone =
        Op::Delete { address: address("us-east-1", KindId::CacheGroup, "game-rank"), final_snapshot: None };
    block_on(site.cloud.call(&gone, &Token("by hand".into()), &Permit::always())).unwrap();
    let now = site.cloud.clock().now();
    let lost = Rule::always(Fault::RegionLoss, now, now + Span::from_days(30)).in_region(region(LEFT));
    site.cloud.with_world(|world| world.add_fault(lost)).unwrap();
    run(&site, &site.cloud, &after(), &Policy::default(), "blind");
    let told = site.events().iter().any(|event| matches!(event, Event::Gone { .. }));
    assert!(!told, "{:#?}", site.events());
}

#[test]
fn what_was_refused_in_a_region_that_was_left_keeps_nobody_there() {
    let site = Site::new(35);
    let mut wanted = both();
    let group = address(LEFT, KindId::CacheGroup, "game-rank");
    wanted.nodes.get_mut(&group).unwrap().attrs.set("node_type", Some(json!("cache.r7g.imaginary"))).unwrap();
    assert_eq!(looks_at(&site, &wanted, LEFT, "refused").0, Outcome::Blocked);
    assert!(looks_at(&site, &after(), LEFT, "leaves").1 > 0);
    // What was made beside it went, and what was refused was found not to be there.
    assert_eq!(looks_at(&site, &after(), LEFT, "later"), (Outcome::Settled, 0));
}

fn lines(at: Moment, events: Vec<Event>) -> Vec<Entry> {
    let entry = |(place, what): (usize, Event)| Entry {
        seq: place as u64 + 1,
        at,
        blueprint: BlueprintName::new("game").unwrap(),
        home: None,
        run: RunId("run".into()),
        actor: "test".into(),
        what,
        previous: String::new(),
        hash: String::new(),
    };
    events.into_iter().enumerate().map(entry).collect()
}

fn opened() -> Event {
    let (purpose, policy) = (Purpose::Apply, Policy::default());
    Event::Opened { purpose, policy, desired: Fingerprint(String::new()), steps: 1, rules: None }
}

fn intended(step: &StepId, address: &Address, word: &str) -> Event {
    Event::Intended {
        step: step.clone(),
        address: address.clone(),
        word: word.to_owned(),
        token: Token("token".into()),
        final_snapshot: None,
        why: String::new(),
        changes: Vec::new(),
        names: None,
        asks: String::new(),
        sets: None,
        unsets: rgctl_model::journal::Entries::default(),
        store: None,
    }
}

#[test]
fn a_call_that_may_still_arrive_holds_its_region_for_a_quarter_of_an_hour() {
    let (began, late) = (Moment::EPOCH + Span::from_days(1), Pace::default().late);
    assert_eq!(late, Span::from_mins(15));
    let (address, step) = (address(LEFT, KindId::CacheGroup, "game-rank"), StepId("delete it".into()));
    // A deletion without an answer was asked for again, and was done: the first call may still be on its way.
    let mut ledger = Ledger::default();
    let unclear = Event::Unclear { step: step.clone(), why: String::new() };
    ledger.fold(&lines(began, vec![opened(), intended(&step, &address, "delete"), unclear]));
    assert_eq!(ledger.regions_held(began, late), BTreeSet::from([region(LEFT)]));
    let again = intended(&step, &address, "delete");
    let answered = [Event::Accepted { step: step.clone() }, Event::Settled { step, object: None }];
    ledger.fold(&lines(began, [vec![again], answered.to_vec()].concat()));
    let after = |mins| ledger.regions_held(began + Span::from_mins(mins), late);
    assert_eq!(after(14), BTreeSet::from([region(LEFT)]));
    assert_eq!(after(15), BTreeSet::new());
}

#[test]
fn a_call_that_was_put_off_holds_its_region_until_it_is_judged() {
    let (address, step) = (address(LEFT, KindId::CacheGroup, "game-rank"), StepId("modify it".into()));
    let mut ledger = Ledger::default();
    let put_off =
        Event::Deferred { step: step.clone(), why: String::new(), cause: Cause::Rate, at_rest: false };
    ledger.fold(&lines(Moment::EPOCH, vec![opened(), intended(&step, &address, "modify"), put_off]));
    let far = Moment::EPOCH + Span::from_days(30);
    assert_eq!(ledger.regions_held(far, Span::from_mins(15)), BTreeSet::from([region(LEFT)]));
}

/// The calls of one control plane get no answer before the other plane was called.
struct SlowPlane<'a> {
    cloud: &'a dyn Cloud,
    slow: Endpoint,
    others: AtomicU32,
    called: Notify,
}

impl Tampers for SlowPlane<'_> {
    fn cloud(&self) -> &dyn Cloud {
        self.cloud
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        async move {
            if op.address().kind.facts().endpoint == self.slow {
                while self.others.load(Ordering::SeqCst) == 0 {
                    self.called.notified().await;
                    self.called.notify_one();
                }
            } else {
                self.others.fetch_add(1, Ordering::SeqCst);
                self.called.notify_one();
            }
            self.cloud.call(op, token, permit).await
        }
        .boxed()
    }
}

#[test]
fn a_control_plane_that_answers_nothing_holds_up_no_call_of_another_one() {
    let groups = |kind, count: usize| {
        (0..count).map(move |number| {
            let address = address("us-east-1", kind, &format!("game-{number:02}"));
            let fields = [("description", json!("game")), ("subnets", json!(["subnet-a", "subnet-b"]))];
            node(address, "rank", &fields, &[])
        })
    };
    // More than are called at once at all, of either.
    let wanted =
        desired(groups(KindId::CacheSubnetGroup, 40).chain(groups(KindId::RdsSubnetGroup, 40)).collect());
    for slow in [Endpoint::ElastiCache, Endpoint::Rds] {
        let site = Site::new(36);
        let cloud = SlowPlane { cloud: &site.cloud, slow, others: AtomicU32::new(0), called: Notify::new() };
        let cloud = Tampered(cloud);
        let clock = site.cloud.clock();
        let world = Environment { cloud: &cloud, clock: &clock, wall: &site.wall, store: &site.store };
        let (id, policy, pace) = (RunId("slow".into()), Policy::default(), Pace::default());
        let job = applying(&wanted, &id, &policy, &pace);
        let mut watch = Quiet { turns: 0, stop_after: Some(500) };
        let ended = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            // Paused time stands still for as long as anything can go on, so that this ends only what waits for ever.
            .block_on(async {
                let most = std::time::Duration::from_mins(1);
                tokio::time::timeout(most, drive(&world, &job, &mut watch)).await
            });
        assert_eq!(
            ended.expect("one plane waits for the other").unwrap().outcome,
            Outcome::Settled,
            "{slow:?}"
        );
    }
}

const GAME: &str = include_str!("../../blueprints/light-game.yaml");

#[test]
fn a_policy_names_what_the_record_still_holds_until_it_is_gone() {
    let place = Place::new();
    place.write("game.yaml", GAME);
    let here = &["--store", "local", "--cloud", "sim"];
    let policy = |place: &Place| place.run(&[&["iam-policy", "-f", "game.yaml"][..], here].concat());
    let before = policy(&place);
    assert!(before.talk.contains("there is no record here"), "{}", before.talk);
    let applied = place.run(&["apply", "-f", "game.yaml", "--yes"]);
    assert_eq!(applied.code, 0, "{}", applied.talk);
    let same = policy(&place);
    assert_eq!((same.data, same.talk.as_str()), (before.data.clone(), ""));
    // The blueprint moves to another region, and nobody consents to the deletion yet.
    let moved = GAME.replace("primary: us-east-1", "primary: us-west-2");
    assert_ne!(moved, GAME);
    place.write("game.yaml", &moved);
    let held = policy(&place);
    assert!(held.data.contains("us-east-1") && held.data.contains("us-west-2"), "{}", held.data);
    assert!(held.talk.contains("holds objects in us-east-1"), "{}", held.talk);
}
