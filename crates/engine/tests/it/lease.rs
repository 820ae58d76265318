//! One run at a time: the lease is renewed beside everything, what is sent stops with it, and calls that a dead process
//! left on their way undo nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rayon::prelude::*;
use rgctl_engine::execution::drive::{DriveError, Ended, Environment, IfHeld, Job, Watch, drive, scope_of};
use rgctl_engine::execution::motion::Motion;
use rgctl_engine::execution::turn::{Pace, Turn, TurnInput, turn};
use rgctl_engine::ledger::Ledger;
use rgctl_engine::planning::NoFigures;
use rgctl_model::journal::{Entry, Event, Outcome, Purpose};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::ports::{Clock, Cloud, CloudError, Lease, Permit, Receipt, Store, StoreError};
use rgctl_model::scope::{Home, Scope};
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_schema::names::{RegionId, RunId, StepId, Token};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Called, Fault, GENESIS, Rule, SimCloud};
use rgctl_store::journal::SqliteStore;

use crate::waits::raise_quotas;
use rgctl_testkit::fixtures::{NOW, at, cluster_store, consents, desired, no_verdicts, seen_as_wanted};
use rgctl_testkit::shipped::desired_of;
use rgctl_testkit::site::{Order, Quiet, Site, applying};
use rgctl_testkit::taps::{Cut, ManualWall};

/// This machine's time as the paused clock of the runtime tells it.
#[derive(Clone)]
struct Paused(tokio::time::Instant);

impl Paused {
    fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for Paused {
    fn now(&self) -> Moment {
        Moment::from_millis(i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        tokio::time::sleep(Duration::from_millis(at.since(self.now()).as_millis())).boxed()
    }
}

/// A provider that takes its time, on this machine's clock, over looks and calls.
struct Slow<'a> {
    cloud: &'a SimCloud,
    look: Span,
    call: Span,
    looks: AtomicU64,
}

impl Cloud for Slow<'_> {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        self.cloud.home(near)
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        async move {
            self.looks.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(self.look.as_millis())).await;
            self.cloud.observe(wanted).await
        }
        .boxed()
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        async move {
            tokio::time::sleep(Duration::from_millis(self.call.as_millis())).await;
            self.cloud.call(op, token, permit).await
        }
        .boxed()
    }
    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Result<Vec<Series>, CloudError>> {
        self.cloud.series(asks)
    }
}

fn wanted() -> Desired {
    desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"))
}

async fn run_on(slow: &Slow<'_>, wall: &Paused, store: &SqliteStore) -> Result<Ended, DriveError> {
    run_as("r1", IfHeld::GiveUp, slow, wall, store).await.0
}

/// What a person who waits is told.
#[derive(Default)]
struct Told(Vec<String>);

impl Watch for Told {
    fn turned(&mut self, _: &Turn, _: &Inventory) {}
    fn stopping(&mut self) -> bool {
        false
    }
    fn told(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }
}

async fn run_as(
    name: &str,
    if_held: IfHeld,
    slow: &Slow<'_>,
    wall: &Paused,
    store: &SqliteStore,
) -> (Result<Ended, DriveError>, Vec<String>) {
    let clock = slow.cloud.clock();
    let world = Environment { cloud: slow, clock: &clock, wall, store };
    let (wanted, run, policy, pace) = (wanted(), RunId(name.into()), Policy::default(), Pace::default());
    let job = Job { if_held, owner: name, ..applying(&wanted, &run, &policy, &pace) };
    let mut told = Told::default();
    (drive(&world, &job, &mut told).await, told.0)
}

fn slow(cloud: &SimCloud, look: u64, call: u64) -> Slow<'_> {
    let (look, call) = (Span::from_secs(look), Span::from_secs(call));
    Slow { cloud, look, call, looks: AtomicU64::new(0) }
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_beside_looks_and_calls_that_take_most_of_a_term() {
    let wall = Paused::new();
    let cloud = SimCloud::in_memory(1, GENESIS).with_wall(Arc::new(wall.clone()));
    let store = SqliteStore::in_memory().unwrap();
    let ended = run_on(&slow(&cloud, 45, 45), &wall, &store).await.unwrap();
    assert_eq!(ended.outcome, Outcome::Settled);
    let refused = cloud.calls().iter().filter(|call| call.told.is_err()).count();
    assert_eq!(refused, 0, "each call found its permit whole, 90 seconds after the turn began");
    assert!(wall.now() > Moment::EPOCH + Span::from_mins(5), "{}", wall.now());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_hangs_loses_its_lease_and_when_it_wakes_it_writes_and_calls_nothing() {
    let wall = Paused::new();
    let cloud = SimCloud::in_memory(1, GENESIS).with_wall(Arc::new(wall.clone()));
    let store = SqliteStore::in_memory().unwrap();
    let hanging = slow(&cloud, 600, 0);
    let other = RunId("r2".into());
    let scope = scope_of(&cloud, &wanted()).await.unwrap();
    let (ended, taken) = futures::join!(run_on(&hanging, &wall, &store), async {
        // A term without a sign; what stands then is watched for another one.
        wall.sleep_until(Moment::EPOCH + Span::from_secs(62)).await;
        let stood = store.lease(&scope).await.unwrap();
        wall.sleep_until(wall.now() + Span::from_mins(1)).await;
        store.take_lease(&scope, &other, "bob", wall.now(), Span::from_mins(10), stood.as_ref()).await
    });
    taken.expect("the one that hangs is not renewed for");
    assert!(matches!(ended, Err(DriveError::Store(StoreError::Fenced { .. }))), "{ended:?}");
    assert_eq!((cloud.calls().len(), hanging.looks.into_inner()), (0, 1));
    assert!(store.entries(&scope, 0).await.unwrap().is_empty());
}

/// Another run's lease on a fresh world; the world, its store and this machine's time.
async fn held_by_another(now: impl Fn(Moment) -> Moment) -> (Paused, SimCloud, SqliteStore, Lease) {
    let wall = Paused::new();
    let cloud = SimCloud::in_memory(1, GENESIS).with_wall(Arc::new(wall.clone()));
    let store = SqliteStore::in_memory().unwrap();
    let scope = scope_of(&cloud, &wanted()).await.unwrap();
    let (run, at) = (RunId("other".into()), now(wall.now()));
    let lease = store.take_lease(&scope, &run, "ann", at, Span::from_mins(1), None).await.unwrap();
    (wall, cloud, store, lease)
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_stands_still_is_taken_after_its_term_whatever_its_holders_clock_says() {
    for ahead in [0, 600, -600] {
        let shifted = |now: Moment| Moment::from_millis(now.as_millis() + ahead * 1_000);
        let (wall, cloud, store, _) = held_by_another(shifted).await;
        let (ended, told) = run_as("r1", IfHeld::Watch, &slow(&cloud, 0, 0), &wall, &store).await;
        assert_eq!(ended.unwrap().outcome, Outcome::Settled, "{ahead}");
        let took = wall.now().since(Moment::EPOCH);
        assert!(took >= Span::from_mins(1) && took <= Span::from_secs(66), "{ahead}: {took}");
        assert_eq!(told, ["ann works on this, or has died: its lease is watched for 1m"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_lives_is_left_alone_and_who_does_not_wait_is_told_at_once() {
    let (wall, cloud, store, mut lease) = held_by_another(|now| now).await;
    let quick = slow(&cloud, 0, 0);
    let (refused, told) = run_as("r1", IfHeld::GiveUp, &quick, &wall, &store).await;
    assert!(matches!(refused, Err(DriveError::Store(StoreError::Held { .. }))), "{refused:?}");
    assert_eq!((wall.now(), told.len()), (Moment::EPOCH, 0));
    let (refused, ()) = futures::join!(run_as("r1", IfHeld::Watch, &quick, &wall, &store), async {
        for _ in 0..2 {
            wall.sleep_until(wall.now() + Span::from_secs(20)).await;
            lease = store.renew_lease(&lease, wall.now(), lease.lasts).await.unwrap();
        }
    });
    assert!(matches!(refused.0, Err(DriveError::Store(StoreError::Held { .. }))), "{refused:?}");
    assert!(cloud.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_back_while_it_is_watched_is_taken_at_once() {
    let (wall, cloud, store, lease) = held_by_another(|now| now).await;
    let quick = slow(&cloud, 0, 0);
    let (ended, ()) = futures::join!(run_as("r1", IfHeld::Watch, &quick, &wall, &store), async {
        wall.sleep_until(wall.now() + Span::from_secs(12)).await;
        store.release_lease(&lease).await.unwrap();
    });
    assert_eq!(ended.0.unwrap().outcome, Outcome::Settled);
    assert!(wall.now() <= Moment::EPOCH + Span::from_secs(20), "{}", wall.now());
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_asked_begins_nothing_more_finishes_what_it_sent_and_yields() {
    let wall = Paused::new();
    let cloud = SimCloud::in_memory(1, GENESIS).with_wall(Arc::new(wall.clone()));
    let store = SqliteStore::in_memory().unwrap();
    let (working, asking) = (slow(&cloud, 5, 10), slow(&cloud, 0, 0));
    let (first, second) = futures::join!(run_as("r1", IfHeld::GiveUp, &working, &wall, &store), async {
        wall.sleep_until(wall.now() + Span::from_secs(12)).await;
        run_as("r2", IfHeld::AskToYield, &asking, &wall, &store).await
    });
    let (first, heard) = first;
    assert_eq!(first.unwrap().outcome, Outcome::Stopped);
    assert_eq!(heard, ["r2 asks for the lease: nothing more is begun"]);
    assert_eq!(second.0.unwrap().outcome, Outcome::Settled);
    assert_eq!(second.1, ["r1 works on this, and is asked to yield"]);
    let scope = scope_of(&cloud, &wanted()).await.unwrap();
    let entries = store.entries(&scope, 0).await.unwrap();
    let handed = entries.iter().position(|entry| entry.run.0 == "r2").unwrap();
    assert!(
        entries[handed..].iter().all(|entry| entry.run.0 == "r2"),
        "no line of the first behind the second's"
    );
    let last = &entries[handed - 1].what;
    assert!(
        matches!(last, Event::Closed { summary, .. } if summary.starts_with("yielded to r2; ")),
        "{last:?}"
    );
    let answered = |step: &StepId| {
        entries[..handed]
            .iter()
            .any(|entry| matches!(&entry.what, Event::Accepted { step: of } if of == step))
    };
    let mut sent = entries[..handed].iter().filter_map(|entry| match &entry.what {
        Event::Intended { step, .. } => Some(step),
        _ => None,
    });
    assert!(sent.all(answered), "what was sent was finished");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_does_not_yield_keeps_its_lease_after_three_terms() {
    let (wall, cloud, store, mut lease) = held_by_another(|now| now).await;
    let quick = slow(&cloud, 0, 0);
    let (refused, ()) = futures::join!(run_as("r1", IfHeld::AskToYield, &quick, &wall, &store), async {
        for _ in 0..11 {
            wall.sleep_until(wall.now() + Span::from_secs(20)).await;
            lease = store.renew_lease(&lease, wall.now(), lease.lasts).await.unwrap();
        }
    });
    assert!(matches!(refused.0, Err(DriveError::Store(StoreError::Held { .. }))), "{refused:?}");
    let asked = store.inbox(&lease.scope, 0).await.unwrap();
    assert_eq!(asked.len(), 1, "it is asked once: {asked:?}");
    assert!(cloud.calls().is_empty());
}

/// A machine that sleeps in the middle of the first call, longer than its lease.
struct Napping<'a> {
    cloud: &'a SimCloud,
    wall: &'a ManualWall,
    store: Option<&'a SqliteStore>,
    calls: AtomicU64,
}

impl Cloud for Napping<'_> {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        self.cloud.home(near)
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        self.cloud.observe(wanted)
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        async move {
            if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
                self.wall.advance(Span::from_secs(61));
                if let Some(store) = self.store {
                    let other = RunId("other".into());
                    let game = scope_of(self.cloud, &wanted()).await.unwrap();
                    let stood = store.lease(&game).await.unwrap();
                    store
                        .take_lease(&game, &other, "bob", self.wall.now(), Span::from_mins(1), stood.as_ref())
                        .await
                        .unwrap();
                }
            }
            self.cloud.call(op, token, permit).await
        }
        .boxed()
    }
    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Result<Vec<Series>, CloudError>> {
        self.cloud.series(asks)
    }
}

#[test]
fn a_machine_that_slept_sends_nothing_on_waking_and_goes_on_only_if_nobody_took_its_lease() {
    for is_taken in [false, true] {
        let site = Site::new(3);
        let clock = site.cloud.clock();
        let store = is_taken.then_some(&site.store);
        let napping = Napping { cloud: &site.cloud, wall: &site.wall, store, calls: AtomicU64::new(0) };
        let world = Environment { cloud: &napping, clock: &clock, wall: &site.wall, store: &site.store };
        let (wanted, run, policy, pace) = (wanted(), RunId("r1".into()), Policy::default(), Pace::default());
        let job = applying(&wanted, &run, &policy, &pace);
        let mut watch = Quiet { turns: 0, stop_after: Some(500) };
        let ended = rgctl_testkit::site::block_on(drive(&world, &job, &mut watch));
        if is_taken {
            assert!(matches!(ended, Err(DriveError::Store(StoreError::Fenced { .. }))), "{ended:?}");
            assert!(site.cloud.calls().is_empty(), "what was about to be sent was not");
        } else {
            assert_eq!(ended.unwrap().outcome, Outcome::Settled);
            assert!(
                napping.calls.into_inner() > site.cloud.calls().len() as u64,
                "and the call is made again"
            );
        }
    }
}

/// From now on, calls of that sort get no answer and arrive up to 14 minutes later, so many times.
fn hold_up(site: &Site, operation: &str, kind: KindId, count: u32) {
    hold_up_in(site, operation, kind, None, count);
}

fn hold_up_in(site: &Site, operation: &str, kind: KindId, region: Option<RegionId>, count: u32) {
    let fault = Fault::LateCall { by: Span::from_mins(14) };
    site.cloud
        .with_world(|world| {
            let now = world.now();
            let rule = Rule::always(fault, now, now + Span::from_days(2));
            world.add_fault(Rule {
                region,
                kind: Some(kind),
                operation: Some(operation.to_owned()),
                count: Some(count),
                ..rule
            })
        })
        .unwrap();
}

/// The number of the first call of that sort in a run that is not cut off.
fn number_of(mut site: Site, wanted: &Desired, order: &Order, is_it: impl Fn(&Op) -> bool) -> u64 {
    let before = site.cloud.calls().len();
    site.run(wanted, order).unwrap();
    1 + site.cloud.calls().iter().skip(before).position(|call| is_it(&call.op)).expect("such a call") as u64
}

fn destroying() -> Order {
    Order { policy: consents(&["delete:accounts@us-east-1"]), destroy: true, ..Order::default() }
}

#[test]
fn what_a_dead_process_was_making_is_waited_for_and_removed() {
    let wanted = wanted();
    let mut site = Site::new(4);
    hold_up(&site, "create", KindId::RdsSubnetGroup, 1);
    let is_group = |op: &Op| op.at().kind == KindId::RdsSubnetGroup;
    let number = number_of(Site::new(4), &wanted, &Order::default(), is_group);
    assert!(site.run_cut(&wanted, &Order::default(), Cut::AfterCall(number)).0.is_none(), "it died");
    let ended = site.run(&wanted, &destroying()).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last);
    site.cloud.advance(Span::from_hours(1)).unwrap();
    let left: Vec<_> =
        site.look(&wanted).seen.into_keys().filter(|at| !at.kind.facts().observe_only).collect();
    assert_eq!(left, [], "nothing comes into being behind a run that said that it was done");
}

/// A record of old that does not tell what a creation refers to is taken for one that may refer to it.
#[test]
fn a_creation_on_its_way_holds_up_the_deletion_of_what_it_refers_to_or_may_refer_to() {
    let cluster = at("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let other = at("us-east-1", KindId::AuroraCluster, "game-other-use1");
    let mut gone = wanted().nodes.remove(&cluster).unwrap();
    gone.attrs.set("deletion_protection", Some(serde_json::json!(false))).unwrap();
    let cases = [
        ("a member of it", KindId::AuroraInstance, Some([cluster.clone()].into()), true),
        ("a member of another one", KindId::AuroraInstance, Some([other].into()), false),
        ("a member that a record of old does not tell of which", KindId::AuroraInstance, None, true),
        ("a global object of old, made from any member", KindId::AuroraGlobal, None, true),
        ("what never refers to a cluster", KindId::RdsSubnetGroup, None, false),
    ];
    for (what, kind, names, waits) in cases {
        let late = at("us-east-1", kind, "game-late");
        let intent = Event::Intended {
            step: StepId(format!("create {late}").into()),
            at: late,
            word: "create".into(),
            token: Token("t".into()),
            final_snapshot: None,
            why: "missing".into(),
            changes: Vec::new(),
            asks: String::new(),
            names,
        };
        let now = NOW + Span::from_mins(5);
        let mut ledger = Ledger::default();
        ledger.fold(&lines("r1", NOW, &[intent]));
        ledger.inherit(now);
        let mut inventory = Inventory::empty(now);
        inventory.seen.insert(cluster.clone(), seen_as_wanted(&gone));
        let (run, pace, none) = (RunId("r2".into()), Pace::default(), desired(Vec::new()));
        let policy = consents(&["delete:*@us-east-1", "empty:*@us-east-1"]);
        let turn = turn(&TurnInput {
            desired: &none,
            inventory: &inventory,
            ledger: &ledger,
            policy: &policy,
            figures: &NoFigures,
            agreed: None,
            run: &run,
            began: now,
            now,
            purpose: Purpose::Destroy,
            stopping: false,
            verdicts: no_verdicts(),
            authority: Authority::Person,
            pace: &pace,
            motion: &Motion::new(now),
        });
        let begun = turn.calls.iter().any(|call| *call.step.op.at() == cluster);
        assert_eq!(!begun, waits, "{what}: {:#?}", turn.plan.steps);
    }
}

/// In every family, and for every field that names something: a process dies while something is being made, and what it
/// refers to is to be removed.
#[test]
fn nothing_is_removed_to_which_something_refers_that_a_dead_process_was_making() {
    let mut cases = BTreeMap::new();
    for file in ["accounts", "rocket-arena", "rocket-arena-global"] {
        for (at, node) in &desired_of(file).nodes {
            let named: BTreeSet<_> = node.attrs.named().into_iter().map(|(field, ..)| field).collect();
            let is_from_a_member = node.attrs.text("source").is_some();
            if !named.is_empty() || is_from_a_member {
                cases.entry((at.kind, named, is_from_a_member)).or_insert((file, at.region.clone()));
            }
        }
    }
    assert!(cases.len() >= 8, "{cases:#?}");
    let arrived = AtomicU64::new(0);
    cases.par_iter().for_each(|((kind, ..), (file, region))| {
        // What a blueprint allows is another matter.
        let wanted = Desired { rules: Vec::new(), ..desired_of(file) };
        let site = || {
            let site = Site::new(4);
            raise_quotas(&site);
            site
        };
        let is_it =
            |op: &Op| matches!(op, Op::Create { .. }) && op.at().kind == *kind && op.at().region == *region;
        let number = number_of(site(), &wanted, &Order::default(), is_it);
        let mut site = site();
        hold_up_in(&site, "create", *kind, Some(region.clone()), 1);
        let (ended, ..) = site.run_cut(&wanted, &Order::default(), Cut::AfterCall(number));
        assert!(ended.is_none(), "{kind}: it died");
        let late = site.cloud.calls().into_iter().find(|call| is_it(&call.op)).expect("it was held up");
        let policy = consents(&["delete:*@*", "empty:*@*"]);
        let ended = site.run(&wanted, &Order { policy, destroy: true, ..Order::default() }).unwrap();
        assert_eq!(ended.outcome, Outcome::Settled, "{kind}: {:#?}", ended.last.held);
        let at = late.op.at();
        let attrs = &wanted.nodes[at].attrs;
        let mut named: BTreeSet<(KindId, String)> =
            attrs.named().into_iter().map(|(_, kind, name)| (kind, name)).collect();
        named.extend(kind.member_kind().zip(attrs.text("source")));
        let calls = site.cloud.calls();
        // Whatever is done to it shows that it was seen.
        let is_seen = |call: &Called| call.op.at() == at && !matches!(call.op, Op::Create { .. });
        let own = calls.iter().position(is_seen);
        arrived.fetch_add(u64::from(own.is_some()), Ordering::SeqCst);
        for (place, call) in calls.iter().enumerate().filter(|(_, call)| call.op.word() == "delete") {
            let gone = call.op.at();
            let is_named = named.contains(&(gone.kind, gone.name.to_string()));
            let has_waited =
                own.is_some_and(|own| place > own) || call.at.since(late.at) >= Span::from_mins(15);
            assert!(!is_named || has_waited, "{gone} went before {at}, which refers to it, had come");
        }
        site.cloud.advance(Span::from_hours(1)).unwrap();
        let seen = site.look(&wanted).seen;
        let left: Vec<_> = seen.into_keys().filter(|at| !at.kind.facts().observe_only).collect();
        assert_eq!(left, [], "{at}");
    });
    assert!(arrived.into_inner() >= 5);
}

#[test]
fn a_deletion_that_a_dead_process_left_on_its_way_does_not_delete_what_its_successor_wants() {
    let (two, one) = (
        desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large")),
        desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large")),
    );
    let mut site = Site::new(5);
    site.apply(&two);
    hold_up(&site, "delete", KindId::AuroraInstance, 1);
    let order = Order {
        policy: consents(&["shrink:accounts@us-east-1", "delete:accounts@us-east-1"]),
        ..Order::default()
    };
    assert!(site.run_cut(&one, &order, Cut::AfterCall(1)).0.is_none(), "it died");
    assert_eq!(site.apply(&two).outcome, Outcome::Settled);
    site.cloud.advance(Span::from_hours(1)).unwrap();
    site.assert_settled(&two);
}

#[test]
fn a_value_that_a_dead_process_was_setting_is_waited_for_before_another_one_is_set() {
    let with = |days: u32| {
        let mut nodes = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
        let cluster = nodes.iter_mut().find(|node| node.at.kind == KindId::AuroraCluster).unwrap();
        cluster.attrs.set("backup_retention_days", Some(serde_json::json!(days))).unwrap();
        desired(nodes)
    };
    for next in [7, 21] {
        let mut site = Site::new(6);
        site.apply(&with(7));
        hold_up(&site, "modify", KindId::AuroraCluster, 1);
        assert!(site.run_cut(&with(14), &Order::default(), Cut::AfterCall(1)).0.is_none(), "it died");
        let before = site.cloud.calls().len();
        let ended = site.apply(&with(next));
        assert_eq!(ended.outcome, Outcome::Settled);
        let days = |op: &Op| match op {
            Op::Modify { attrs, .. } => attrs.get("backup_retention_days"),
            _ => None,
        };
        let set: Vec<_> = site.cloud.calls()[before..].iter().filter_map(|call| days(&call.op)).collect();
        assert_eq!(set, [serde_json::json!(next)], "once, behind the one that was on its way");
        site.cloud.advance(Span::from_hours(1)).unwrap();
        site.assert_settled(&with(next));
    }
}

#[test]
fn a_deletion_that_was_repeated_may_come_twice_and_nothing_is_made_until_it_cannot() {
    let wanted = wanted();
    let mut site = Site::new(7);
    site.apply(&wanted);
    let member = at("us-east-1", KindId::AuroraInstance, "game-accounts-use1-1");
    hold_up(&site, "delete", KindId::AuroraInstance, 1);
    let none = desired(cluster_store("accounts", "us-east-1", 0, "db.r7g.large"));
    let order = Order {
        policy: consents(&[
            "shrink:accounts@us-east-1",
            "delete:accounts@us-east-1",
            "empty:accounts@us-east-1",
        ]),
        ..Order::default()
    };
    let begun = site.cloud.clock().now();
    // It lives, gets no answer, looks, and deletes again.
    let ended = site.run(&none, &order).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last);
    let deletions = site.cloud.calls().iter().filter(|call| call.op.word() == "delete").count();
    assert_eq!(deletions, 2);
    let ended = site.run(&wanted, &order).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last);
    let made = site.cloud.calls().iter().rfind(|call| *call.op.at() == member).unwrap().at;
    assert!(made.since(begun) >= Span::from_mins(15), "{}", made.since(begun));
    site.cloud.advance(Span::from_hours(1)).unwrap();
    site.assert_settled(&wanted);
}

/// A line about a call of a run, and the lines that follow it.
fn lines(run: &str, at: Moment, events: &[Event]) -> Vec<Entry> {
    let lease = Lease {
        scope: Scope::parse("sim/world/game").unwrap(),
        run: RunId(run.into()),
        owner: run.into(),
        epoch: 1,
        until: at,
        lasts: Span::from_mins(1),
        renewals: 0,
    };
    rgctl_model::chain::seal(&lease, None, at, events)
}

fn making() -> (StepId, Event) {
    let at = at("us-east-1", KindId::AuroraCluster, "game-db");
    let step = StepId(format!("create {at}").into());
    let intent = Event::Intended {
        step: step.clone(),
        at,
        word: "create".into(),
        token: Token("t".into()),
        final_snapshot: None,
        why: "missing".into(),
        changes: Vec::new(),
        asks: String::new(),
        names: None,
    };
    (step, intent)
}

#[test]
fn what_another_machine_left_is_as_young_as_its_clock_allows_and_never_of_the_future() {
    let now = Moment::from_secs(100_000);
    for (minutes, youngest) in [(-10_i64, now), (10, now), (-60, now - Span::from_mins(45))] {
        let mut ledger = Ledger::default();
        ledger.fold(&lines("r1", Moment::from_secs(100_000 + minutes * 60), &[making().1]));
        ledger.inherit(now);
        let since: Vec<_> = ledger.late_calls().map(|(_, late)| late.since).collect();
        assert_eq!(since, [youngest], "{minutes}");
    }
}

#[test]
fn a_call_that_was_repeated_is_kept_in_mind_after_its_step_has_come_true() {
    let (sent, later) = (Moment::from_secs(1_000), Moment::from_secs(1_060));
    let (step, intent) = making();
    let settled = Event::Settled { step: step.clone(), object: None };
    let mut once = Ledger::default();
    once.fold(&lines("r1", sent, std::slice::from_ref(&intent)));
    let mut twice = once.clone();
    once.fold(&lines("r2", later, std::slice::from_ref(&settled)));
    assert_eq!(once.late_calls().count(), 0, "what was asked for once, and is so, has arrived");
    twice.fold(&lines("r2", later, &[intent, Event::Accepted { step }, settled]));
    let late: Vec<_> = twice.late_calls().map(|(_, late)| (late.repeated, late.since)).collect();
    assert_eq!(late, [(true, sent)]);
}
