//! One run at a time: the lease is renewed beside everything, what is sent stops with it, and calls that a dead process
//! left on their way undo nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_engine::execution::drive::{DriveError, Ended, Environment, IfHeld, Job, Watch, drive, scope_of};
use rgctl_engine::execution::reconcile::{Session, reconcile_once};
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_model::journal::{Event, Outcome};
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Cloud, CloudError, Lease, Permit, Receipt, Store, StoreError};
use rgctl_schema::names::{RunId, StepId, Token};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{GENESIS, SimCloud};
use rgctl_store::journal::SqliteStore;

use rgctl_testkit::fixtures::{cluster_store, desired};
use rgctl_testkit::site::{Quiet, Site, applying};
use rgctl_testkit::tampered::{Tampered, Tampers};
use rgctl_testkit::taps::ManualWall;

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
    /// The look that takes so long; all of them where none is named.
    hangs_at: Option<u64>,
}

impl Tampers for Slow<'_> {
    fn cloud(&self) -> &dyn Cloud {
        self.cloud
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        async move {
            let number = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
            // What it shows is as it was when the look began.
            let seen = self.cloud.observe(wanted).await;
            if self.hangs_at.is_none_or(|hangs| hangs == number) {
                tokio::time::sleep(Duration::from_millis(self.look.as_millis())).await;
            }
            seen
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
}

pub(crate) fn wanted() -> Desired {
    desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"))
}

async fn run_on(slow: &Tampered<Slow<'_>>, wall: &Paused, store: &SqliteStore) -> Result<Ended, DriveError> {
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
    slow: &Tampered<Slow<'_>>,
    wall: &Paused,
    store: &SqliteStore,
) -> (Result<Ended, DriveError>, Vec<String>) {
    let clock = slow.0.cloud.clock();
    let world = Environment { cloud: slow, clock: &clock, wall, store };
    let (wanted, run, policy, pace) = (wanted(), RunId(name.into()), Policy::default(), Pace::default());
    let job = Job { if_held, owner: name, ..applying(&wanted, &run, &policy, &pace) };
    let mut told = Told::default();
    (drive(&world, &job, &mut told).await, told.0)
}

fn slow(cloud: &SimCloud, look: u64, call: u64) -> Tampered<Slow<'_>> {
    let (look, call) = (Span::from_secs(look), Span::from_secs(call));
    Tampered(Slow { cloud, look, call, looks: AtomicU64::new(0), hangs_at: None })
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
    // The first look finds work, which is begun; the second one hangs.
    let hanging = Tampered(Slow { hangs_at: Some(2), ..slow(&cloud, 600, 0).0 });
    let other = RunId("r2".into());
    let scope = scope_of(&cloud, &wanted()).await.unwrap();
    let (ended, taken) = futures::join!(run_on(&hanging, &wall, &store), async {
        // A term without a sign; what stands then is watched for another one.
        wall.sleep_until(Moment::EPOCH + Span::from_secs(62)).await;
        let stood = store.lease(&scope).await.unwrap();
        let left = (cloud.calls().len(), store.entries(&scope, 0).await.unwrap().len());
        wall.sleep_until(wall.now() + Span::from_mins(1)).await;
        let taken =
            store.take_lease(&scope, &other, "bob", wall.now(), Span::from_mins(10), stood.as_ref()).await;
        (taken, left)
    });
    let (taken, left) = taken;
    taken.expect("the one that hangs is not renewed for");
    assert!(matches!(ended, Err(DriveError::Store(StoreError::Fenced { .. }))), "{ended:?}");
    assert!(left.0 > 0, "it had begun");
    let after = (cloud.calls().len(), store.entries(&scope, 0).await.unwrap().len());
    assert_eq!((after, hanging.0.looks.into_inner()), (left, 2));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_decided_before_somebody_else_wrote_is_dropped_and_made_anew() {
    let wall = Paused::new();
    let cloud = SimCloud::in_memory(1, GENESIS).with_wall(Arc::new(wall.clone()));
    let store = SqliteStore::in_memory().unwrap();
    // While the first one looks, another one does all that there is to do.
    let (slowly, quick) = (slow(&cloud, 45, 0), slow(&cloud, 0, 0));
    let (first, second) = futures::join!(
        run_as("r1", IfHeld::GiveUp, &slowly, &wall, &store),
        run_as("r2", IfHeld::GiveUp, &quick, &wall, &store)
    );
    assert_eq!(second.0.unwrap().outcome, Outcome::Settled);
    let first = first.0.unwrap();
    assert_eq!((first.outcome, first.calls), (Outcome::Settled, 0), "nothing is made twice");
    assert_eq!(slowly.0.looks.into_inner(), 2, "what it saw was out of date");
    let scope = scope_of(&cloud, &wanted()).await.unwrap();
    let entries = store.entries(&scope, 0).await.unwrap();
    assert!(entries.iter().all(|entry| entry.run.0 == "r2"), "and it left no trace");
    assert!(store.lease(&scope).await.unwrap().unwrap().is_given_back());
}

#[tokio::test(start_paused = true)]
async fn a_run_with_nothing_to_do_takes_no_lease() {
    let wall = Paused::new();
    let cloud = SimCloud::in_memory(1, GENESIS).with_wall(Arc::new(wall.clone()));
    let store = SqliteStore::in_memory().unwrap();
    let quick = slow(&cloud, 0, 0);
    run_on(&quick, &wall, &store).await.unwrap();
    let scope = scope_of(&cloud, &wanted()).await.unwrap();
    let before = store.lease(&scope).await.unwrap();
    let (again, _) = run_as("r2", IfHeld::GiveUp, &quick, &wall, &store).await;
    assert_eq!(again.unwrap().outcome, Outcome::Settled);
    assert_eq!(store.lease(&scope).await.unwrap(), before, "it is still what the first one gave back");
    let holder = RunId("other".into());
    store.take_lease(&scope, &holder, "ann", wall.now(), Span::from_mins(1), None).await.unwrap();
    let (beside, _) = run_as("r3", IfHeld::GiveUp, &quick, &wall, &store).await;
    assert_eq!(beside.unwrap().outcome, Outcome::Settled, "and it is in nobody's way");
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

impl Tampers for Napping<'_> {
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
}

#[test]
fn a_machine_that_slept_sends_nothing_on_waking_and_goes_on_only_if_nobody_took_its_lease() {
    for is_taken in [false, true] {
        let site = Site::new(3);
        let clock = site.cloud.clock();
        let store = is_taken.then_some(&site.store);
        let napping = Napping { cloud: &site.cloud, wall: &site.wall, store, calls: AtomicU64::new(0) };
        let napping = Tampered(napping);
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
                napping.0.calls.into_inner() > site.cloud.calls().len() as u64,
                "and the call is made again"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_each_time_and_comes_again_takes_over_from_a_holder_that_gave_no_sign_for_a_term() {
    let wall = Paused::new();
    let cloud = SimCloud::in_memory(1, GENESIS).with_wall(Arc::new(wall.clone()));
    let store = SqliteStore::in_memory().unwrap();
    let clock = cloud.clock();
    let world = Environment { cloud: &cloud, clock: &clock, wall: &wall, store: &store };
    let (wanted, run, policy, pace) = (wanted(), RunId("r1".into()), Policy::default(), Pace::default());
    let job = Job { if_held: IfHeld::GiveUp, ..applying(&wanted, &run, &policy, &pace) };
    let (scope, dead) = (scope_of(&cloud, &wanted).await.unwrap(), RunId("r0".into()));
    let lease = store.take_lease(&scope, &dead, "dead", wall.now(), pace.lease, None).await.unwrap();

    let mut session = Session::default();
    let most_of_a_term = Duration::from_millis(pace.lease.as_millis() * 2 / 3);
    // It is renewed once: whoever watches begins anew.
    for is_renewed in [false, true, false] {
        if is_renewed {
            store.renew_lease(&lease, wall.now(), pace.lease).await.unwrap();
        }
        let held = reconcile_once(&world, &job, &mut session, &mut Told::default()).await;
        assert!(matches!(held, Err(DriveError::Store(StoreError::Held { .. }))), "{held:?}");
        tokio::time::sleep(most_of_a_term).await;
    }
    let turn = reconcile_once(&world, &job, &mut session, &mut Told::default()).await;
    assert!(turn.is_ok(), "{turn:?}");
    assert!(store.lease(&scope).await.unwrap().unwrap().epoch > lease.epoch);
}
