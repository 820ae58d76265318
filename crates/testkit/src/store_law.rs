//! Laws that every store of the record obeys.

use std::collections::BTreeSet;

use rgctl_model::address::Address;
use rgctl_model::checkpoint::{BlobKey, Checkpoint};
use rgctl_model::inbox::Request;
use rgctl_model::journal::{Event, Outcome, regions_of};
use rgctl_model::overlay::Decisions;
use rgctl_model::ports::archive::Archive;
use rgctl_model::ports::{Lease, Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::{RunId, StepId, Token};
use rgctl_schema::time::{Moment, Span};

use crate::decision_law::{key, set};
use crate::fixtures::region;

pub const LEASE: Span = Span::from_secs(60);

pub fn game() -> Scope {
    Scope::parse("aws/123456789012/game").unwrap()
}

pub fn run(name: &str) -> RunId {
    RunId(name.to_owned())
}

pub fn event(text: &str) -> Event {
    Event::Closed { outcome: Outcome::Settled, summary: text.to_owned(), left: None }
}

/// An intent to make something in a region.
pub fn begun_in(place: &str) -> Event {
    let address = Address::parse(&format!("{place}/aurora.cluster/game-db")).unwrap();
    Event::Intended {
        step: StepId(format!("create {address}").into()),
        address,
        word: "create".into(),
        token: Token("t1".into()),
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

/// The laws, for a fresh store.
pub async fn obeys_the_laws(store: &dyn Store) {
    let start = Moment::from_secs(1_000);
    let (game, first, second) = (game(), run("r1"), run("r2"));
    let lease = store.take_lease(&game, &first, "ann", start, LEASE, None).await.unwrap();

    // One holder at a time; the refusal names the holder.
    let held = store.take_lease(&game, &second, "bob", start, LEASE, None).await;
    assert!(matches!(held, Err(StoreError::Held { lease }) if lease.owner == "ann"));

    // Lines are added behind the last one, all or none.
    let end = store.append(&lease, 0, start, &[event("one"), event("two")]).await.unwrap();
    assert_eq!(end, 2);
    let wrong = store.append(&lease, 1, start, &[event("elsewhere")]).await;
    assert!(matches!(wrong, Err(StoreError::Fenced { .. })));
    let entries = store.entries(&game, 0).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.entries(&game, 1).await.unwrap(), entries[1..]);
    assert_eq!(store.head(&game).await.unwrap(), (2, entries[1].hash.clone()));
    assert!(entries.iter().all(|entry| entry.actor == "ann" && entry.run == first));

    // What was renewed is another lease than the one that was watched; what stands as it was watched is taken, and its
    // former holder is fenced off.
    let renewed = store.renew_lease(&lease, start, LEASE).await.unwrap();
    assert_ne!(renewed, lease, "also where the holder's clock stands still");
    assert_eq!(store.lease(&game).await.unwrap().as_ref(), Some(&renewed));
    let early = store.take_lease(&game, &second, "bob", start, LEASE, Some(&lease)).await;
    assert!(early.is_err());
    let taken = store.take_lease(&game, &second, "bob", start, LEASE, Some(&renewed)).await.unwrap();
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
        assert_eq!(store.standing(&other).await.unwrap(), Decisions::default());
        assert_eq!(store.head(&other).await.unwrap(), (0, String::new()));
        let theirs = store.take_lease(&other, &first, "eve", start, LEASE, None).await.unwrap();
        assert_eq!(store.append(&theirs, 0, start, &[event("theirs")]).await.unwrap(), 1);
        store.release_lease(&theirs).await.unwrap();
    }
    assert_eq!(store.entries(&game, 0).await.unwrap().len(), 6);

    // A lease that was given back is free at once.
    store.release_lease(&taken).await.unwrap();
    store.take_lease(&game, &run("r3"), "cid", start, LEASE, None).await.unwrap();
}

/// A process that works with a store: to drop it is to kill it.
pub type Process = Box<dyn Store>;

/// The laws of leases among processes that may die. `is_seen` tells whether a store sees a process of this machine die;
/// where it does not, a lease stands until it was watched for its term.
pub async fn obeys_the_laws_of_leases(open: &dyn Fn() -> Process, is_seen: bool) {
    the_dead_are_judged_by_their_own_epoch(open, is_seen).await;
    clocks_are_not_compared(open).await;
    whoever_is_first_only_the_last_holder_writes(open, is_seen).await;
    messages_touch_nothing_of_a_run(open).await;
}

/// A scope for each law, since stores are shared.
pub fn of_law(name: &str) -> Scope {
    Scope::parse(&format!("aws/123456789012/{name}")).unwrap()
}

pub const START: Moment = Moment::from_secs(1_000);

pub async fn take(
    process: &Process,
    scope: &Scope,
    name: &str,
    watched: Option<&Lease>,
) -> Result<Lease, StoreError> {
    process.take_lease(scope, &run(name), name, START, LEASE, watched).await
}

async fn the_dead_are_judged_by_their_own_epoch(open: &dyn Fn() -> Process, is_seen: bool) {
    let scope = of_law("deaths");
    // A hangs, B takes what it watched; then A is killed. Its death says nothing about B.
    let (a, b, c) = (open(), open(), open());
    let hung = take(&a, &scope, "a", None).await.unwrap();
    let held = take(&b, &scope, "b", Some(&hung)).await.unwrap();
    drop(a);
    assert!(take(&c, &scope, "c", None).await.is_err(), "B lives, whatever became of A");
    assert!(take(&c, &scope, "c", Some(&hung)).await.is_err(), "and what was watched is not what stands");
    assert_eq!(b.append(&held, 0, START, &[event("b")]).await.unwrap(), 1);
    // Then B is killed.
    drop(b);
    let next = take(&c, &scope, "c", None).await;
    assert_eq!(next.is_ok(), is_seen, "{next:?}");
    let next = match next {
        Ok(lease) => lease,
        Err(_) => take(&c, &scope, "c", Some(&held)).await.unwrap(),
    };
    assert!(next.epoch > held.epoch);
    // A run that takes its own lease anew, and one that gives it back: nobody is taken for dead.
    let again = take(&c, &scope, "c", None).await.unwrap();
    let d = open();
    assert!(take(&d, &scope, "d", None).await.is_err());
    c.release_lease(&again).await.unwrap();
    let last = take(&d, &scope, "d", None).await.unwrap();
    assert!(take(&c, &scope, "c", None).await.is_err());
    d.release_lease(&last).await.unwrap();
}

async fn clocks_are_not_compared(open: &dyn Fn() -> Process) {
    let scope = of_law("clocks");
    let (a, b) = (open(), open());
    let minutes = Span::from_mins(10);
    let mut free = None;
    for (theirs, ours) in [(START + minutes, START), (START, START + minutes)] {
        let lease = a.take_lease(&scope, &run("a"), "a", theirs, LEASE, free.as_ref()).await.unwrap();
        let early = b.take_lease(&scope, &run("b"), "b", ours, LEASE, None).await;
        assert!(matches!(early, Err(StoreError::Held { .. })), "its own clock tells nobody that it is over");
        let taken = b.take_lease(&scope, &run("b"), "b", ours, LEASE, Some(&lease)).await.unwrap();
        assert!(a.append(&lease, 0, theirs, &[event("a")]).await.is_err());
        free = Some(taken);
    }
    b.release_lease(free.as_ref().unwrap()).await.unwrap();
}

/// Three processes try, die and wake in every order; whatever happens, one of them can write: the last that got the lease.
async fn whoever_is_first_only_the_last_holder_writes(open: &dyn Fn() -> Process, is_seen: bool) {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (number, order) in orders.into_iter().enumerate() {
        for killed in 0..3 {
            let scope = of_law(&format!("orders-{number}-{killed}"));
            let mut processes: Vec<Option<Process>> = (0..3).map(|_| Some(open())).collect();
            let mut leases: Vec<Option<Lease>> = vec![None, None, None];
            let mut last: Option<usize> = None;
            let mut end = 0;
            for (turn, &who) in order.iter().chain(&order).enumerate() {
                if turn == 3 {
                    processes[killed] = None;
                }
                let Some(process) = &processes[who] else { continue };
                let stands = process.lease(&scope).await.unwrap();
                let name = ["a", "b", "c"][who];
                let got = match take(process, &scope, name, None).await {
                    Ok(lease) => Some(lease),
                    // Every other one has watched; the rest give up.
                    Err(_) if turn % 2 == 1 => {
                        Some(take(process, &scope, name, stands.as_ref()).await.unwrap())
                    }
                    Err(_) => None,
                };
                let was_held = last.is_some_and(|holder| holder != who);
                let is_dead = last.is_some_and(|holder| processes[holder].is_none());
                if got.is_none() {
                    assert!(was_held && !(is_dead && is_seen), "{order:?} {killed} {turn}");
                }
                if let Some(lease) = got {
                    leases[who] = Some(lease);
                    last = Some(who);
                }
                for other in 0..3 {
                    let (Some(process), Some(lease)) = (&processes[other], &leases[other]) else { continue };
                    let written = process.append(lease, end, START, &[event(name)]).await;
                    assert_eq!(
                        written.is_ok(),
                        last == Some(other),
                        "{order:?} {killed} {turn} {other}: {written:?}"
                    );
                    end += u64::from(written.is_ok());
                }
            }
            let alive = processes.into_iter().flatten().next().unwrap();
            assert_eq!(alive.entries(&scope, 0).await.unwrap().len() as u64, end, "and the chain is whole");
        }
    }
}

async fn messages_touch_nothing_of_a_run(open: &dyn Fn() -> Process) {
    let scope = of_law("messages");
    let (holder, other) = (open(), open());
    let mut lease = take(&holder, &scope, "a", None).await.unwrap();
    let ask = Request::Yield { epoch: lease.epoch };
    for number in 0..8 {
        let asked = other.post(&scope, "bob", START, &ask);
        let said = [event("one more")];
        let (asked, added) = futures::join!(asked, holder.append(&lease, number, START, &said));
        assert_eq!((asked.unwrap(), added.unwrap()), (number + 1, number + 1), "no race, no fence");
        lease = holder.renew_lease(&lease, START, LEASE).await.unwrap();
    }
    let messages = holder.inbox(&scope, 0).await.unwrap();
    assert_eq!(messages.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    assert!(messages.iter().all(|message| message.from == "bob" && message.what == ask));
    assert_eq!(holder.inbox(&scope, 6).await.unwrap(), messages[6..]);
    assert_eq!(holder.inbox(&of_law("others"), 0).await.unwrap(), []);
    assert_eq!(holder.lease(&scope).await.unwrap(), Some(lease));
}

/// The laws of records that move, for two fresh stores.
pub async fn obeys_the_laws_of_moves(from: &dyn Archive, to: &dyn Archive) {
    let (game, start) = (game(), Moment::from_secs(1_000));
    let lease = from.take_lease(&game, &run("r1"), "ann", start, LEASE, None).await.unwrap();
    from.append(&lease, 0, start, &[event("one"), event("two"), begun_in("us-east-1")]).await.unwrap();
    let beside = put_beside(from, &lease).await;
    from.release_lease(&lease).await.unwrap();
    let identity = from.identity(&game).await.unwrap();
    assert_eq!(from.identity(&game).await.unwrap(), identity, "it never changes");
    assert_ne!(to.identity(&game).await.unwrap(), identity, "each store has one of its own");
    assert_eq!(from.old_entries(&game).await.unwrap(), []);

    let whole = from.whole(&game).await.unwrap();
    assert_eq!(whole.entries, from.entries(&game, 0).await.unwrap());
    assert_eq!(whole.identity, identity);
    assert_eq!((whole.decisions.len(), whole.messages.len(), whole.blobs.len()), (2, 1, 1));
    assert_eq!(whole.checkpoint.as_ref(), Some(&beside));
    to.take_in(&game, &whole).await.unwrap();
    to.take_in(&game, &whole).await.unwrap();
    assert_eq!(to.entries(&game, 0).await.unwrap(), whole.entries);
    assert_eq!(to.whole(&game).await.unwrap(), whole, "with all that belongs to it");
    assert_eq!(to.resume(&game, beside.version).await.unwrap(), (Some(beside), Vec::new()));
    assert_eq!(to.regions(&game).await.unwrap(), from.regions(&game).await.unwrap());
    assert_eq!(to.identity(&game).await.unwrap(), identity);
    assert_eq!(to.homes(&game.blueprint).await.unwrap(), BTreeSet::from([game.home.clone()]));
    let other = Scope::parse("aws/123456789012/other").unwrap();
    assert_ne!(to.identity(&other).await.unwrap(), identity, "it is that of this record only");

    let lease = from.take_lease(&game, &run("r2"), "bob", start, LEASE, None).await.unwrap();
    from.close(&lease, "s3://team").await.unwrap();
    from.release_lease(&lease).await.unwrap();
    let late = from.take_lease(&game, &run("r3"), "cid", start, LEASE, None).await;
    assert!(matches!(late, Err(StoreError::Moved { to, .. }) if to == "s3://team"));
    assert_eq!(from.entries(&game, 0).await.unwrap(), whole.entries, "it can still be read");
    let late = from.decide(&game, 0, start, &set(key(3), 1)).await;
    assert!(matches!(late, Err(StoreError::Moved { .. })), "and nothing is decided there any more: {late:?}");
    let late = from.put_blob(&game, &BlobKey::new("scaler").unwrap(), b"late").await;
    assert!(matches!(late, Err(StoreError::Moved { .. })), "{late:?}");

    let lease = to.take_lease(&game, &run("r4"), "dan", start, LEASE, None).await.unwrap();
    assert_eq!(to.append(&lease, 3, start, &[event("four")]).await.unwrap(), 4);
    assert!(matches!(to.take_in(&game, &whole).await, Err(StoreError::Taken { .. })), "it went on since");
    assert_eq!(to.decide(&game, 2, start, &set(key(1), 9)).await.unwrap(), 3, "decisions go on, too");

    // Decisions without a record are one, and are not joined with others.
    let planned = of_law("planned");
    from.decide(&planned, 0, start, &set(key(1), 4)).await.unwrap();
    assert_eq!(from.homes(&planned.blueprint).await.unwrap(), BTreeSet::from([planned.home.clone()]));
    let whole = from.whole(&planned).await.unwrap();
    to.take_in(&planned, &whole).await.unwrap();
    assert_eq!(to.whole(&planned).await.unwrap(), whole);
    let lease = from.take_lease(&planned, &run("r5"), "eve", start, LEASE, None).await.unwrap();
    from.close(&lease, "s3://team").await.unwrap();
    let late = from.decide(&planned, 1, start, &set(key(1), 5)).await;
    assert!(matches!(late, Err(StoreError::Moved { .. })), "{late:?}");
    let apart = of_law("apart");
    from.decide(&apart, 0, start, &set(key(1), 4)).await.unwrap();
    to.decide(&apart, 0, start, &set(key(1), 5)).await.unwrap();
    let taken = to.take_in(&apart, &from.whole(&apart).await.unwrap()).await;
    assert!(matches!(taken, Err(StoreError::Taken { .. })), "{taken:?}");
}

/// Puts something of every sort beside a record of three lines; yields the checkpoint.
async fn put_beside(store: &dyn Archive, lease: &Lease) -> Checkpoint {
    let (scope, start) = (&lease.scope, START);
    store.decide(scope, 0, start, &set(key(1), 4)).await.unwrap();
    store.decide(scope, 1, start, &set(key(1), 5)).await.unwrap();
    store.post(scope, "bob", start, &Request::Yield { epoch: 1 }).await.unwrap();
    store.put_blob(scope, &BlobKey::new("scaler/accounts").unwrap(), b"learnt").await.unwrap();
    let (seq, hash) = store.head(scope).await.unwrap();
    let checkpoint = Checkpoint::new(seq, hash, 7, "state\nin two lines".into());
    store.put_checkpoint(lease, &checkpoint).await.unwrap();
    checkpoint
}
