//! Laws that every store of the record obeys, and what the embedded one adds.

use std::collections::BTreeSet;

use rgctl::adapters::files::journal::SqliteStore;
use rgctl::artefacts::address::Address;
use rgctl::artefacts::journal::{Event, Outcome, regions_of};
use rgctl::artefacts::overlay::{Axis, Overlay};
use rgctl::artefacts::scope::Scope;
use rgctl::seams::{Store, StoreError};
use rgctl::vocabulary::names::{RunId, StepId, StoreName, Token};
use rgctl::vocabulary::time::{Moment, Span};

use crate::fixtures::region;

const LEASE: Span = Span::from_secs(60);

fn game() -> Scope {
    Scope::parse("aws/123456789012/game").unwrap()
}

fn run(name: &str) -> RunId {
    RunId(name.to_owned())
}

fn event(text: &str) -> Event {
    Event::Closed { outcome: Outcome::Settled, summary: text.to_owned() }
}

/// An intent to make something in a region.
fn begun_in(place: &str) -> Event {
    let at = Address::parse(&format!("{place}/aurora.cluster/game-db")).unwrap();
    Event::Intended {
        step: StepId(format!("create {at}").into()),
        at,
        word: "create".into(),
        token: Token("t1".into()),
        leaves: None,
        why: "missing".into(),
        changes: Vec::new(),
    }
}

/// The laws, for a fresh store.
pub async fn obeys_the_laws(store: &dyn Store) {
    let start = Moment::from_secs(1_000);
    let (game, first, second) = (game(), run("r1"), run("r2"));
    let lease = store.take_lease(&game, &first, "ann", start, LEASE).await.unwrap();

    // One holder at a time; the refusal names the holder.
    let held = store.take_lease(&game, &second, "bob", start, LEASE).await;
    assert!(matches!(held, Err(StoreError::Held { owner, .. }) if owner == "ann"));

    // Lines are added behind the last one, all or none.
    let end = store.append(&lease, 0, start, &[event("one"), event("two")]).await.unwrap();
    assert_eq!(end, 2);
    let wrong = store.append(&lease, 1, start, &[event("elsewhere")]).await;
    assert!(matches!(wrong, Err(StoreError::Fenced { .. })));
    let entries = store.entries(&game, 0).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.entries(&game, 1).await.unwrap(), entries[1..]);
    assert!(entries.iter().all(|entry| entry.actor == "ann" && entry.run == first));

    // A renewed lease lasts longer; when its time is up another run takes over, and the first is fenced off.
    let renewed = store.renew_lease(&lease, start + Span::from_secs(30), LEASE).await.unwrap();
    assert_eq!(renewed.until, start + Span::from_secs(90));
    let early = store.take_lease(&game, &second, "bob", start + Span::from_secs(80), LEASE).await;
    assert!(early.is_err());
    let taken = store.take_lease(&game, &second, "bob", start + Span::from_secs(91), LEASE).await.unwrap();
    assert!(taken.epoch > renewed.epoch);
    let late = store.append(&renewed, 2, start, &[event("too late")]).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })));
    assert!(matches!(store.renew_lease(&renewed, start, LEASE).await, Err(StoreError::Fenced { .. })));

    // A former holder that gives its lease back disturbs nobody.
    store.release_lease(&renewed).await.unwrap();
    assert_eq!(store.append(&taken, 2, start, &[event("three")]).await.unwrap(), 3);

    // The regions of everything that was ever begun are known, and nothing else's.
    assert_eq!(store.regions(&game).await.unwrap(), BTreeSet::new());
    let begun = [begun_in("us-east-1"), begun_in("cn-north-1"), begun_in("us-east-1")];
    assert_eq!(store.append(&taken, 3, start, &begun).await.unwrap(), 6);
    let both = BTreeSet::from([region("cn-north-1"), region("us-east-1")]);
    assert_eq!(store.regions(&game).await.unwrap(), both);
    assert_eq!(regions_of(&store.entries(&game, 0).await.unwrap()), both);

    // A blueprint of that name in another account, or in a world of the embedded cloud, has a record, a lease and
    // decisions of its own; so has another blueprint in this account.
    for other in ["aws/123456789012/other", "aws/210987654321/game", "sim/123456789012/game"] {
        let other = Scope::parse(other).unwrap();
        assert_eq!(store.regions(&other).await.unwrap(), BTreeSet::new());
        assert_eq!(store.entries(&other, 0).await.unwrap(), []);
        assert_eq!(store.overlays(&other, start).await.unwrap(), []);
        let theirs = store.take_lease(&other, &first, "eve", start, LEASE).await.unwrap();
        assert_eq!(store.append(&theirs, 0, start, &[event("theirs")]).await.unwrap(), 1);
        store.release_lease(&theirs).await.unwrap();
    }
    assert_eq!(store.entries(&game, 0).await.unwrap().len(), 6);

    // Decisions replace each other by store, region and axis, and expire.
    let mut overlay = Overlay {
        store: StoreName::new("accounts").unwrap(),
        region: region("us-east-1"),
        axis: Axis::Readers,
        target: 3,
        owner: "scaler".into(),
        why: "load rises".into(),
        firm_after: start,
        expires: start + Span::from_hours(1),
    };
    store.put_overlay(&taken, &overlay).await.unwrap();
    overlay.target = 5;
    store.put_overlay(&taken, &overlay).await.unwrap();
    assert_eq!(store.overlays(&game, start).await.unwrap(), [overlay.clone()]);
    assert_eq!(store.overlays(&game, overlay.expires).await.unwrap(), []);
    assert!(store.put_overlay(&renewed, &overlay).await.is_err());

    // A lease that was given back is free at once.
    store.release_lease(&taken).await.unwrap();
    store.take_lease(&game, &run("r3"), "cid", start, LEASE).await.unwrap();
}

#[tokio::test]
async fn the_embedded_store_obeys_the_laws_in_memory_and_on_disk() {
    obeys_the_laws(&SqliteStore::in_memory().unwrap()).await;
    let folder = tempfile::tempdir().unwrap();
    obeys_the_laws(&SqliteStore::open(folder.path()).unwrap()).await;
}

#[tokio::test]
async fn the_lease_of_a_process_that_is_gone_is_taken_over_at_once_on_the_same_machine() {
    let folder = tempfile::tempdir().unwrap();
    let now = Moment::from_secs(1_000);
    let dead = SqliteStore::open(folder.path()).unwrap();
    let lease = dead.take_lease(&game(), &run("r1"), "ann", now, LEASE).await.unwrap();
    let next = SqliteStore::open(folder.path()).unwrap();
    assert!(next.take_lease(&game(), &run("r2"), "bob", now, LEASE).await.is_err(), "it still lives");
    drop(dead);
    let taken = next.take_lease(&game(), &run("r2"), "bob", now, LEASE).await.unwrap();
    assert!(taken.epoch > lease.epoch);
}

#[tokio::test]
async fn a_record_of_a_version_that_kept_no_regions_tells_them_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let lease = store.take_lease(&game(), &run("r1"), "ann", Moment::EPOCH, LEASE).await.unwrap();
    let events = [event("one"), begun_in("eu-west-1"), begun_in("cn-north-1")];
    store.append(&lease, 0, Moment::EPOCH, &events).await.unwrap();
    drop(store);
    rusqlite_connection(folder.path()).execute("drop table places", []).unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let both = BTreeSet::from([region("cn-north-1"), region("eu-west-1")]);
    assert_eq!(store.regions(&game()).await.unwrap(), both);
}

#[tokio::test]
async fn a_line_changed_in_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let lease = store.take_lease(&game(), &run("r1"), "ann", Moment::EPOCH, LEASE).await.unwrap();
    store.append(&lease, 0, Moment::EPOCH, &[event("one"), event("two"), event("three")]).await.unwrap();
    let file = rusqlite_connection(folder.path());
    file.execute("update lines set entry = replace(entry, 'two', 'TWO') where seq = 2", []).unwrap();
    let damaged = store.entries(&game(), 0).await;
    assert!(matches!(damaged, Err(StoreError::Damaged { seq: 2, .. })), "{damaged:?}");
}

fn rusqlite_connection(folder: &std::path::Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("journal.sqlite")).unwrap()
}
