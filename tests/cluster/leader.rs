//! Which of several replicas leads, on a real API server, with terms of seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use rgctl_kube::leader::{Candidate, Election, Leadership, Standing, Terms};
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;
use rgctl_schema::time::{Moment, Span};

use crate::plane::{ControlPlane, User};
use crate::processes::PATIENCE;
use crate::relay::Relay;

/// This machine's time, with another time of day, and with time that passed while the process was stopped.
#[derive(Default)]
struct Odd {
    day_ms: AtomicI64,
    stopped_ms: AtomicU64,
}

impl Clock for Odd {
    fn now(&self) -> Moment {
        Moment::from_millis(SystemClock.now().as_millis() + self.day_ms.load(Ordering::SeqCst))
    }
    fn since_boot(&self) -> Span {
        Span::from_millis(SystemClock.since_boot().as_millis() + self.stopped_ms.load(Ordering::SeqCst))
    }
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        let shift = self.day_ms.load(Ordering::SeqCst);
        Box::pin(async move { SystemClock.sleep_until(Moment::from_millis(at.as_millis() - shift)).await })
    }
}

fn terms() -> Terms {
    let millis = Span::from_millis;
    Terms { lasts: millis(3_000), renews: millis(500), believes: millis(1_500), retries: millis(200) }
}

/// A namespace in which replicas stand for one Lease.
struct Place {
    plane: &'static ControlPlane,
    namespace: String,
}

impl Place {
    fn new(begins: &str) -> Option<Self> {
        let plane = ControlPlane::shared("who leads")?;
        Some(Self { plane, namespace: plane.namespace(begins) })
    }

    async fn stand(&self, me: &str) -> Election {
        self.stand_with(me, Arc::new(Odd::default()), self.plane.port()).await
    }

    async fn stand_with(&self, me: &str, clock: Arc<Odd>, port: u16) -> Election {
        let client = self.plane.client_at(&User::Admin, port, &format!("{}-{me}", self.namespace)).await;
        let (namespace, lease) = (self.namespace.clone(), "rgctl-operator".to_owned());
        Election::stand(Candidate { client, namespace, lease, me: me.to_owned(), terms: terms(), clock })
    }

    async fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.plane.client(&User::Admin).await, &self.namespace)
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what} did not come");
}

async fn leads(who: &Leadership) -> u64 {
    until("leadership", || who.epoch().is_some()).await;
    who.epoch().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_one_leads_and_when_it_resigns_the_other_leads_within_two_seconds() {
    let Some(place) = Place::new("resign") else { return };
    let first = place.stand("a").await;
    let a = first.leadership();
    let epoch = leads(&a).await;
    let second = place.stand("b").await;
    let b = second.leadership();
    until("its sight", || b.standing() == Standing::Other("a".to_owned())).await;
    assert_eq!(b.epoch(), None);
    let began = std::time::Instant::now();
    first.resign().await;
    assert_eq!(a.epoch(), None, "who resigned leads no more");
    assert!(leads(&b).await > epoch);
    assert!(began.elapsed() < Duration::from_secs(2), "it was given back: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_leader_dies_the_next_waits_for_its_term_whatever_either_thinks_what_time_it_is() {
    let Some(place) = Place::new("dies") else { return };
    for (number, minutes) in [-10, 10].into_iter().enumerate() {
        let clock = Odd { day_ms: AtomicI64::new(minutes * 60_000), ..Odd::default() };
        let first = place.stand_with(&format!("a{number}"), Arc::new(clock), place.plane.port()).await;
        let a = first.leadership();
        let epoch = leads(&a).await;
        let second = place.stand(&format!("b{number}")).await;
        let b = second.leadership();
        until("its sight", || matches!(b.standing(), Standing::Other(_))).await;
        // Longer than the term: it is renewed, and stays.
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        assert_eq!((a.epoch(), b.epoch()), (Some(epoch), None), "clocks are not compared");
        drop(first);
        let began = std::time::Instant::now();
        assert!(leads(&b).await > epoch);
        let took = began.elapsed();
        assert!(took > Duration::from_secs(2), "the term has to pass: {took:?}");
        second.resign().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_stopped_knows_at_once_that_it_leads_no_more() {
    let Some(place) = Place::new("stopped") else { return };
    let clock = Arc::new(Odd::default());
    let only = place.stand_with("a", Arc::clone(&clock), place.plane.port()).await;
    let a = only.leadership();
    let epoch = leads(&a).await;
    clock.stopped_ms.store(90_000, Ordering::SeqCst);
    assert_eq!(a.epoch(), None, "before anything was asked");
    assert!(leads(&a).await > epoch, "and leads again under another epoch only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_reach_the_api_server_stops_before_another_begins() {
    let Some(place) = Place::new("cut") else { return };
    let relay = Relay::to(place.plane.port());
    let first = place.stand_with("a", Arc::new(Odd::default()), relay.port()).await;
    let a = first.leadership();
    let epoch = leads(&a).await;
    let second = place.stand("b").await;
    let b = second.leadership();
    until("its sight", || matches!(b.standing(), Standing::Other(_))).await;
    relay.cut();
    let both = async {
        while b.epoch().is_none() {
            assert!(a.epoch().is_none() || b.epoch().is_none(), "two lead");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!(a.epoch(), None);
    let next = b.epoch().unwrap();
    assert!(next > epoch);
    // What it sent meanwhile arrives, and names a version that is gone.
    relay.heal();
    until("its sight", || a.standing() == Standing::Other("b".to_owned())).await;
    assert_eq!((a.epoch(), b.epoch()), (None, Some(next)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_after_it_was_given_up_makes_nobody_lead() {
    let Some(place) = Place::new("late") else { return };
    let relay = Relay::to(place.plane.port());
    let only = place.stand_with("a", Arc::new(Odd::default()), relay.port()).await;
    let a = only.leadership();
    let epoch = leads(&a).await;
    // A server that is slow is waited for.
    relay.delay_answers(Duration::from_millis(100));
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(a.epoch(), Some(epoch));
    // Each write arrives, and is heard of later than it is waited for: the Lease names it, and it does not lead.
    relay.delay_answers(Duration::from_millis(terms().answer().as_millis() + 200));
    until("its end", || a.epoch().is_none()).await;
    let by = std::time::Instant::now() + Duration::from_secs(4);
    while std::time::Instant::now() < by {
        assert_eq!(a.epoch(), None);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let lease = place.leases().await.get("rgctl-operator").await.unwrap();
    assert_eq!(lease.spec.unwrap().holder_identity.as_deref(), Some("a"));
    relay.release_answers();
    assert!(leads(&a).await > epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_writes_as_often_as_it_renews_and_who_waits_writes_and_polls_nothing() {
    let Some(place) = Place::new("quiet") else { return };
    let first = place.stand("a").await;
    leads(&first.leadership()).await;
    let second = place.stand("b").await;
    let b = second.leadership();
    until("its sight", || matches!(b.standing(), Standing::Other(_))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mark = place.plane.mark();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let calls = place.plane.calls(mark);
    let of = |me: &str| calls.iter().filter(|call| call.agent == format!("{}-{me}", place.namespace)).count();
    assert!((6..=10).contains(&of("a")), "ten renewals: {}", of("a"));
    assert_eq!(of("b"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_a_person_takes_away_is_lost_and_one_that_is_deleted_is_stood_for_again() {
    let Some(place) = Place::new("hands") else { return };
    let only = place.stand("a").await;
    let a = only.leadership();
    leads(&a).await;
    let leases = place.leases().await;
    let taken = serde_json::json!({ "spec": { "holderIdentity": "somebody" } });
    leases.patch("rgctl-operator", &PatchParams::default(), &Patch::Merge(&taken)).await.unwrap();
    until("its end", || a.standing() == Standing::Other("somebody".to_owned())).await;
    assert_eq!(a.epoch(), None);
    leases.delete("rgctl-operator", &DeleteParams::default()).await.unwrap();
    leads(&a).await;
    // What others write into it costs no leadership.
    let noted = serde_json::json!({ "metadata": { "annotations": { "note": "x" } } });
    leases.patch("rgctl-operator", &PatchParams::default(), &Patch::Merge(&noted)).await.unwrap();
    let stays = a.epoch().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(a.epoch(), Some(stays));
}
