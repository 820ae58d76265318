//! Laws of what is kept beside the lease: decisions, checkpoints, memories.

use std::collections::BTreeMap;

use rgctl_model::checkpoint::{BLOB_BYTES_MAX, BlobKey, Checkpoint};
use rgctl_model::inbox::Request;
use rgctl_model::overlay::{
    Axis, Decision, DecisionKey, Decisions, HoldOut, Overlay, OverlayKey, Owner, Target,
};
use rgctl_model::ports::{DECISION_BYTES_MAX, KEPT_DECISIONS, Lease, Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::StoreName;
use rgctl_schema::time::Moment;

use crate::fixtures::region;
use crate::store_law::{LEASE, Process, START, event, of_law, run, take};

/// A key for each number, of every owner and axis.
pub fn key(number: usize) -> OverlayKey {
    let owners = [Owner::Scaler, Owner::Person, Owner::Recovery, Owner::Freeze];
    let axes = [Axis::Readers, Axis::Shards, Axis::Class];
    OverlayKey {
        store: StoreName::new(format!("store-{}", number / 12)).unwrap(),
        region: region("us-east-1"),
        axis: axes[number / 4 % 3],
        owner: owners[number % 4],
    }
}

/// An overlay of a key, with a number.
pub fn overlay(key: OverlayKey, count: u32) -> Overlay {
    Overlay {
        key,
        target: Target::Count(count),
        exactly: false,
        by: "ann@laptop".into(),
        why: "launch".into(),
        set: START,
        until: None,
        then_return: false,
    }
}

/// Sets the axis of a key to a number.
pub fn set(key: OverlayKey, count: u32) -> Decision {
    Decision::Set { overlay: overlay(key, count) }
}

fn unset(key: OverlayKey) -> Decision {
    Decision::Unset { key, by: "bob@host".into(), why: "over".into() }
}

/// The number that stands for a key.
pub fn count(standing: &Decisions, key: &OverlayKey) -> Option<u32> {
    match standing.overlays.get(key)?.1.target {
        Target::Count(count) => Some(count),
        Target::Class(_) => None,
    }
}

/// The laws of decisions among processes that share a store. `many` decisions are made beside one run.
pub async fn obeys_the_laws_of_decisions(open: &dyn Fn() -> Process, many: usize) {
    decisions_replace_each_other_by_key_and_are_withdrawn(open).await;
    of_two_that_rest_on_the_same_decision_one_is_refused(open).await;
    no_write_is_lost_among_processes_that_write_at_once(open).await;
    a_run_goes_on_beside_many_decisions(open, many).await;
    what_is_too_large_is_refused(open).await;
    everything_with_anything_is_listed(open).await;
}

async fn decisions_replace_each_other_by_key_and_are_withdrawn(open: &dyn Fn() -> Process) {
    let (scope, store) = (of_law("decisions"), open());
    assert_eq!(store.standing(&scope).await.unwrap(), Decisions::default());
    assert_eq!(store.decisions(&scope, 0).await.unwrap(), []);
    let (ann, bob) = (key(1), key(2));
    assert_eq!(store.decide(&scope, 0, START, &set(ann.clone(), 3)).await.unwrap(), 1);
    assert_eq!(store.decide(&scope, 0, START, &set(bob.clone(), 4)).await.unwrap(), 2);
    assert_eq!(store.decide(&scope, 1, START, &set(ann.clone(), 5)).await.unwrap(), 3);
    let hold = HoldOut { region: region("us-west-2"), why: "lost".into(), by: "ann".into(), since: START };
    let lost = Decision::HoldOut { hold: hold.clone() };
    assert_eq!(store.decide(&scope, 0, START, &lost).await.unwrap(), 4);
    let known = store.standing(&scope).await.unwrap();
    assert_eq!((count(&known, &ann), count(&known, &bob)), (Some(5), Some(4)));
    assert_eq!(known.held_out(), BTreeMap::from([(hold.region.clone(), hold.clone())]));

    // Whoever knows what stood goes on with the lines since, and whoever reads them all knows the same.
    assert_eq!(store.decide(&scope, 3, START, &unset(ann.clone())).await.unwrap(), 5);
    let release = Decision::Release { region: hold.region, by: "ann".into(), why: "back".into() };
    assert_eq!(store.decide(&scope, 4, START, &release).await.unwrap(), 6);
    let other = open();
    let lines = other.decisions(&scope, 0).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!((lines[4].what.clone(), lines[5].what.clone()), (unset(ann.clone()), release));
    let since = other.decisions(&scope, known.last_seq).await.unwrap();
    assert_eq!(since, lines[4..]);
    assert_eq!(other.decisions(&scope, 6).await.unwrap(), []);
    let mut followed = known;
    followed.follow(&since).unwrap();
    let standing = other.standing(&scope).await.unwrap();
    assert_eq!(followed, standing);
    assert_eq!(Decisions::fold(&lines).unwrap(), standing);
    assert_eq!((count(&standing, &ann), count(&standing, &bob)), (None, Some(4)));
    assert_eq!(standing.epoch(&DecisionKey::Overlay(ann)), 5, "withdrawn, and still known as such");
    assert!(standing.holds.is_empty());
    assert_eq!(other.decisions(&of_law("nobody"), 0).await.unwrap(), [], "each scope has its own");
}

async fn of_two_that_rest_on_the_same_decision_one_is_refused(open: &dyn Fn() -> Process) {
    let (scope, ann, bob) = (of_law("races"), open(), open());
    let (one, other) = (set(key(0), 3), set(key(0), 7));
    for expected in 0..6 {
        let both = futures::join!(
            ann.decide(&scope, expected, START, &one),
            bob.decide(&scope, expected, START, &other)
        );
        let refused = match both {
            (Ok(epoch), Err(refused)) | (Err(refused), Ok(epoch)) => {
                assert_eq!(epoch, expected + 1);
                refused
            }
            both => panic!("one and only one: {both:?}"),
        };
        assert!(
            matches!(&refused, StoreError::Decided { epoch, .. } if *epoch == expected + 1),
            "{refused:?}"
        );
    }
    // Withdrawn is a decision, too: who did not see it is refused.
    ann.decide(&scope, 6, START, &unset(key(0))).await.unwrap();
    for expected in [0, 6] {
        let late = bob.decide(&scope, expected, START, &one).await;
        assert!(matches!(late, Err(StoreError::Decided { epoch: 7, .. })), "{late:?}");
    }
    bob.decide(&scope, 7, START, &one).await.unwrap();
}

/// Counts up by one: looks, decides, and looks again when somebody else was faster.
pub async fn count_up(store: &dyn Store, scope: &Scope, key: &OverlayKey) {
    loop {
        let known = store.standing(scope).await.unwrap();
        let next = set(key.clone(), count(&known, key).unwrap_or(0) + 1);
        match store.decide(scope, known.epoch(&next.key()), START, &next).await {
            Ok(_) => return,
            Err(StoreError::Decided { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn no_write_is_lost_among_processes_that_write_at_once(open: &dyn Fn() -> Process) {
    let scope = of_law("counters");
    let processes: Vec<Process> = (0..4).map(|_| open()).collect();
    let work = processes.iter().map(|process| {
        let scope = &scope;
        async move {
            for turn in 0..5 {
                count_up(&**process, scope, &key(turn % 2)).await;
            }
        }
    });
    futures::future::join_all(work).await;
    let standing = processes[0].standing(&scope).await.unwrap();
    assert_eq!((count(&standing, &key(0)), count(&standing, &key(1))), (Some(12), Some(8)));
    let lines = processes[0].decisions(&scope, 0).await.unwrap();
    assert_eq!(lines.len(), 20, "each was made once");
    assert_eq!(Decisions::fold(&lines).unwrap(), standing);
}

async fn a_run_goes_on_beside_many_decisions(open: &dyn Fn() -> Process, many: usize) {
    let (scope, holder, other) = (of_law("beside"), open(), open());
    let lease = take(&holder, &scope, "a", None).await.unwrap();
    let said = [event("one more")];
    let mut lines = 0;
    let mut known = Decisions::default();
    for number in 0..many {
        let next = set(key(number % 60), u32::try_from(number).unwrap());
        let expected = known.epoch(&next.key());
        let decided = other.decide(&scope, expected, START, &next);
        if number % 10 == 0 {
            let (decided, added) = futures::join!(decided, holder.append(&lease, lines, START, &said));
            lines += 1;
            assert_eq!((decided.unwrap(), added.unwrap()), (number as u64 + 1, lines), "no race, no fence");
        } else {
            decided.await.unwrap();
        }
        known.apply(number as u64 + 1, &next);
    }
    assert_eq!(holder.lease(&scope).await.unwrap(), Some(lease.clone()), "nor was the lease touched");
    assert_eq!(holder.head(&scope).await.unwrap().0, lines);
    assert_eq!(holder.append(&lease, lines, START, &said).await.unwrap(), lines + 1);
    assert_eq!(holder.entries(&scope, 0).await.unwrap().len() as u64, lines + 1);
    let standing = holder.standing(&scope).await.unwrap();
    assert_eq!((&standing.overlays, standing.last_seq), (&known.overlays, many as u64));
    let kept = holder.decisions(&scope, 0).await.unwrap();
    assert_eq!(kept.len() as u64, Ord::min(many as u64, KEPT_DECISIONS), "the newest of them");
    assert_eq!(holder.decisions(&scope, many as u64 - 3).await.unwrap(), kept[kept.len() - 3..]);
}

/// What somebody does beside a run, or the run itself.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// The run adds so many lines.
    Append(u64),
    /// The run renews its lease.
    Renew,
    /// Somebody sets a key by number, resting on what stands.
    Set(usize),
    /// Somebody withdraws it.
    Unset(usize),
    /// Somebody rests on what does not stand.
    Late(usize),
    /// Somebody leaves a message.
    Post,
    /// Somebody keeps a memory.
    Keep,
    /// Whoever has the lease puts a checkpoint.
    Checkpoint,
}

/// In whatever order things are done beside a run, its sequence, its epoch and its lease are what the run itself made of
/// them, and what stands is what was decided. One process runs, another does the rest.
pub async fn nothing_beside_a_run_moves_it(
    holder: &dyn Store,
    other: &dyn Store,
    scope: &Scope,
    acts: &[Act],
) {
    let mut lease = hold(holder, scope, "a", None).await;
    let (mut lines, mut decided, mut told) = (0, 0, 0);
    let mut known: BTreeMap<usize, u64> = BTreeMap::new();
    let mut standing: BTreeMap<usize, u32> = BTreeMap::new();
    for act in acts {
        match *act {
            Act::Append(number) => {
                let said: Vec<_> = (0..number).map(|_| event("one more")).collect();
                lines += number;
                assert_eq!(holder.append(&lease, lines - number, START, &said).await, Ok(lines), "{acts:?}");
            }
            Act::Renew => lease = holder.renew_lease(&lease, START, LEASE).await.unwrap(),
            Act::Set(number) => {
                let count = u32::try_from(decided).unwrap();
                let expected = known.get(&number).copied().unwrap_or(0);
                decided += 1;
                let what = set(key(number), count);
                assert_eq!(other.decide(scope, expected, START, &what).await, Ok(decided), "{acts:?}");
                known.insert(number, decided);
                standing.insert(number, count);
            }
            Act::Unset(number) => {
                let expected = known.get(&number).copied().unwrap_or(0);
                decided += 1;
                let what = unset(key(number));
                assert_eq!(other.decide(scope, expected, START, &what).await, Ok(decided), "{acts:?}");
                known.insert(number, decided);
                standing.remove(&number);
            }
            Act::Late(number) => {
                let wrong = known.get(&number).map_or(1, |epoch| epoch - 1);
                let late = other.decide(scope, wrong, START, &set(key(number), 99)).await;
                assert!(matches!(late, Err(StoreError::Decided { .. })), "{acts:?}");
            }
            Act::Post => {
                told += 1;
                let ask = Request::Yield { epoch: lease.epoch };
                assert_eq!(other.post(scope, "bob", START, &ask).await, Ok(told), "{acts:?}");
            }
            Act::Keep => other.put_blob(scope, &BlobKey::new("a").unwrap(), b"learnt").await.unwrap(),
            Act::Checkpoint => {
                let (seq, hash) = holder.head(scope).await.unwrap();
                let state = seq.to_string();
                holder.put_checkpoint(&lease, &Checkpoint::new(seq, hash, 1, state)).await.unwrap();
            }
        }
    }
    assert_eq!(holder.lease(scope).await, Ok(Some(lease.clone())), "{acts:?}");
    assert_eq!(holder.head(scope).await.unwrap().0, lines, "{acts:?}");
    assert_eq!(holder.append(&lease, lines, START, &[event("last")]).await, Ok(lines + 1), "{acts:?}");
    let (checkpoint, since) = holder.resume(scope, 1).await.unwrap();
    let from = checkpoint.map_or(0, |kept| kept.state.parse().unwrap());
    assert_eq!(from + since.len() as u64, lines + 1, "{acts:?}");
    let now = other.standing(scope).await.unwrap();
    let counts = standing.iter().map(|(number, count)| (key(*number), Some(*count)));
    let there = now.overlays.keys().map(|key| (key.clone(), count(&now, key)));
    assert_eq!(there.collect::<BTreeMap<_, _>>(), counts.collect::<BTreeMap<_, _>>(), "{acts:?}");
    assert_eq!(Decisions::fold(&other.decisions(scope, 0).await.unwrap()), Ok(now), "{acts:?}");
}

async fn what_is_too_large_is_refused(open: &dyn Fn() -> Process) {
    let (scope, store) = (of_law("large"), open());
    let long = Overlay { why: "x".repeat(DECISION_BYTES_MAX), ..overlay(key(0), 3) };
    let refused = store.decide(&scope, 0, START, &Decision::Set { overlay: long }).await;
    assert!(matches!(&refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    assert_eq!(store.standing(&scope).await.unwrap(), Decisions::default());
}

async fn everything_with_anything_is_listed(open: &dyn Fn() -> Process) {
    let store = open();
    let before = store.scopes().await.unwrap();
    let [decided, told, kept, worked] = ["listed-a", "listed-b", "listed-c", "listed-d"].map(of_law);
    store.decide(&decided, 0, START, &set(key(0), 1)).await.unwrap();
    store.post(&told, "bob", START, &Request::Yield { epoch: 1 }).await.unwrap();
    store.put_blob(&kept, &BlobKey::new("a").unwrap(), b"a").await.unwrap();
    take(&store, &worked, "a", None).await.unwrap();
    let mut all = before.clone();
    all.extend([decided, told, kept, worked]);
    assert_eq!(all.len(), before.len() + 4);
    assert_eq!(store.scopes().await.unwrap(), all);
}

/// The laws of checkpoints and blobs, for a store without them.
pub async fn obeys_the_laws_of_memories(store: &dyn Store) {
    a_checkpoint_stands_for_its_lines(store).await;
    a_blob_is_bounded_and_needs_no_lease(store).await;
}

async fn hold(store: &dyn Store, scope: &Scope, name: &str, watched: Option<&Lease>) -> Lease {
    store.take_lease(scope, &run(name), name, START, LEASE, watched).await.unwrap()
}

async fn a_checkpoint_stands_for_its_lines(store: &dyn Store) {
    let scope = of_law("checkpoints");
    let lease = hold(store, &scope, "a", None).await;
    assert_eq!(store.resume(&scope, 1).await.unwrap(), (None, Vec::new()));
    store.append(&lease, 0, START, &[event("one"), event("two")]).await.unwrap();
    store.append(&lease, 2, START, &[event("three")]).await.unwrap();
    let lines = store.entries(&scope, 0).await.unwrap();
    assert_eq!(store.resume(&scope, 1).await.unwrap(), (None, lines.clone()));
    let at = |place: usize, state: &str| {
        Checkpoint::new(lines[place].seq, lines[place].hash.clone(), 1, state.to_owned())
    };
    let last = at(2, "all three");
    store.put_checkpoint(&lease, &last).await.unwrap();
    assert_eq!(store.resume(&scope, 1).await.unwrap(), (Some(last.clone()), Vec::new()));
    assert_eq!(store.resume(&scope, 2).await.unwrap(), (None, lines.clone()), "of another version");
    let second = at(1, "the first two");
    store.put_checkpoint(&lease, &second).await.unwrap();
    assert_eq!(store.resume(&scope, 1).await.unwrap(), (Some(second.clone()), lines[2..].to_vec()));
    store.append(&lease, 3, START, &[event("four")]).await.unwrap();
    let lines = store.entries(&scope, 0).await.unwrap();
    assert_eq!(store.resume(&scope, 1).await.unwrap(), (Some(second.clone()), lines[2..].to_vec()));
    store.put_checkpoint(&lease, &at(0, "in the middle of what was added at once")).await.unwrap();
    assert_eq!(store.resume(&scope, 1).await.unwrap().1, lines[1..].to_vec());

    // One of other lines, one that was changed, one of lines that are not there.
    let other = Checkpoint::new(2, lines[2].hash.clone(), 1, "elsewhere".into());
    let end = Checkpoint::new(4, lines[2].hash.clone(), 1, "elsewhere".into());
    let changed = Checkpoint { state: "changed".into(), ..second.clone() };
    let beyond = Checkpoint::new(9, lines[2].hash.clone(), 1, "beyond".into());
    for wrong in [other, end, changed, beyond] {
        store.put_checkpoint(&lease, &wrong).await.unwrap();
        assert_eq!(store.resume(&scope, 1).await.unwrap(), (None, lines.clone()), "{wrong:?}");
    }
    // Whoever lost the lease puts none.
    let next = hold(store, &scope, "b", Some(&lease)).await;
    let late = store.put_checkpoint(&lease, &last).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    store.put_checkpoint(&next, &second).await.unwrap();
    assert_eq!(store.resume(&scope, 1).await.unwrap().0, Some(second));
    assert_eq!(store.resume(&of_law("others"), 1).await.unwrap(), (None, Vec::new()));
}

async fn a_blob_is_bounded_and_needs_no_lease(store: &dyn Store) {
    let scope = of_law("blobs");
    let lease = hold(store, &scope, "a", None).await;
    let name = |text: &str| BlobKey::new(text).unwrap();
    let (one, other) = (name("scaler/accounts/us-east-1/readers"), name("scaler/accounts"));
    assert_eq!(store.blob(&scope, &one).await.unwrap(), None);
    let most: Vec<u8> = (0..BLOB_BYTES_MAX).map(|place| u8::try_from(place % 256).unwrap()).collect();
    store.put_blob(&scope, &one, &most).await.unwrap();
    store.put_blob(&scope, &other, b"").await.unwrap();
    let refused = store.put_blob(&scope, &one, &vec![0; BLOB_BYTES_MAX + 1]).await;
    assert!(matches!(&refused, Err(StoreError::TooLarge { size, .. }) if *size == BLOB_BYTES_MAX + 1));
    assert_eq!(store.blob(&scope, &one).await.unwrap(), Some(most), "what was there stays");
    store.put_blob(&scope, &one, b"new").await.unwrap();
    assert_eq!(store.blob(&scope, &one).await.unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(store.blob(&scope, &other).await.unwrap(), Some(Vec::new()));
    assert_eq!(store.blob(&of_law("others"), &one).await.unwrap(), None);
    assert_eq!(store.lease(&scope).await.unwrap(), Some(lease.clone()));
    assert_eq!(store.append(&lease, 0, Moment::EPOCH, &[event("one")]).await.unwrap(), 1);
}
