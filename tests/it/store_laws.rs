//! The embedded store obeys the laws of stores; and what it adds.

use std::collections::BTreeSet;

use futures::FutureExt;
use proptest::prelude::*;
use rgctl_model::checkpoint::Checkpoint;
use rgctl_model::inbox::Request;
use rgctl_model::ports::archive::Archive;
use rgctl_model::ports::{Chain, Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::time::Moment;
use rgctl_store::journal::SqliteStore;

use rgctl_testkit::decision_law::{
    Act, count, count_up, key, nothing_beside_a_run_moves_it, obeys_the_laws_of_decisions,
    obeys_the_laws_of_memories, set,
};
use rgctl_testkit::fixtures::region;
use rgctl_testkit::store_law::{
    LEASE, Process, START, begun_in, event, game, obeys_the_laws, obeys_the_laws_of_leases,
    obeys_the_laws_of_moves, of_law, run, take,
};

#[tokio::test]
async fn the_embedded_store_obeys_the_laws_of_leases() {
    let folder = crate::cli::folder();
    let open = || -> Process { Box::new(SqliteStore::open(folder.path()).unwrap()) };
    obeys_the_laws_of_leases(&open, true).await;
    let locks = std::fs::read_dir(folder.path()).unwrap().filter_map(Result::ok);
    let locks: Vec<_> = locks.filter(|file| file.file_name().to_string_lossy().ends_with(".lock")).collect();
    assert!(locks.len() <= 20, "what former holders leave is cleared away: {locks:?}");
}

#[tokio::test]
async fn the_embedded_store_obeys_the_laws_of_decisions() {
    let folder = crate::cli::folder();
    let open = || -> Process { Box::new(SqliteStore::open(folder.path()).unwrap()) };
    obeys_the_laws_of_decisions(&open, 1_010).await;
}

#[tokio::test]
async fn the_embedded_store_obeys_the_laws_of_memories() {
    obeys_the_laws_of_memories(&SqliteStore::in_memory().unwrap()).await;
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (1u64..4).prop_map(Act::Append),
        Just(Act::Renew),
        (0usize..5).prop_map(Act::Set),
        (0usize..5).prop_map(Act::Unset),
        (0usize..5).prop_map(Act::Late),
        Just(Act::Post),
        Just(Act::Keep),
        Just(Act::Checkpoint),
    ];
    proptest::collection::vec(act, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_decided_told_and_kept_beside_a_run_it_goes_on_as_if_alone(acts in acts()) {
        let store = SqliteStore::in_memory().unwrap();
        nothing_beside_a_run_moves_it(&store, &store, &game(), &acts).now_or_never().unwrap();
    }
}

#[test]
fn no_decision_is_lost_among_threads_that_write_at_once() {
    let folder = crate::cli::folder();
    let scope = of_law("threads");
    let work = || {
        let store = SqliteStore::open(folder.path()).unwrap();
        for _ in 0..10 {
            count_up(&store, &scope, &key(0)).now_or_never().unwrap();
        }
    };
    std::thread::scope(|threads| (0..4).for_each(|_| drop(threads.spawn(work))));
    let store = SqliteStore::open(folder.path()).unwrap();
    let standing = store.standing(&scope).now_or_never().unwrap().unwrap();
    assert_eq!((count(&standing, &key(0)), standing.last_seq), (Some(40), 40));
}

#[tokio::test]
async fn a_decision_that_was_changed_removed_or_slipped_in_is_named_and_nothing_is_decided_on_it() {
    let harms = [
        ("update decided set line = replace(line, 'launch', 'LAUNCH') where seq = 2", false),
        ("update decided set line = replace(line, 'launch', 'LAUNCH') where seq = 4", true),
        ("update decided set seq = 9 where seq = 2", true),
        ("delete from decided where seq = 2", false),
        ("delete from decided where seq <= 2", false),
        ("delete from decided where seq = 4", true),
        ("delete from decided where seq >= 2", true),
        ("delete from decided", true),
        ("delete from standing", true),
        ("insert into decided select scope, 5, line from decided where seq = 4", true),
        ("update standing set standing = replace(standing, 'launch', 'LAUNCH')", true),
        ("update standing set standing = replace(standing, '\"count\":3', '\"count\":9')", true),
    ];
    for (harm, is_at_the_end) in harms {
        let folder = crate::cli::folder();
        let store = SqliteStore::open(folder.path()).unwrap();
        for number in 0..4 {
            let what = set(key(number), u32::try_from(number).unwrap());
            store.decide(&game(), 0, START, &what).await.unwrap();
        }
        rusqlite_connection(folder.path()).execute(harm, []).unwrap();
        let is_damaged = |result: Option<StoreError>| {
            matches!(result, Some(StoreError::Damaged { chain: Chain::Decisions, .. }))
        };
        assert!(is_damaged(store.decisions(&game(), 0).await.err()), "{harm}");
        // What is in force rests on the end and what stands there, which lines long past do not change.
        assert_eq!(is_damaged(store.standing(&game()).await.err()), is_at_the_end, "{harm}");
        let next = store.decide(&game(), 0, START, &set(key(7), 1)).await;
        assert_eq!(is_damaged(next.err()), is_at_the_end, "{harm}");
    }
}

#[tokio::test]
async fn a_checkpoint_of_a_record_that_was_changed_is_not_used() {
    let folder = crate::cli::folder();
    let store = three_lines(folder.path()).await;
    let lease = store.take_lease(&game(), &run("r2"), "bob", START, LEASE, None).await.unwrap();
    let (seq, hash) = store.head(&game()).await.unwrap();
    let kept = Checkpoint::new(seq, hash, 1, "state".into());
    store.put_checkpoint(&lease, &kept).await.unwrap();
    assert_eq!(store.resume(&game(), 1).await.unwrap(), (Some(kept), Vec::new()));
    // Somebody makes another record of it, digests and all.
    let file = rusqlite_connection(folder.path());
    file.execute_batch(
        "update lines set hash = 'f' || substr(hash, 2), entry = replace(entry, hash, 'f' || substr(hash, 2))
         where seq = 3; update records set hash = (select hash from lines where seq = 3);",
    )
    .unwrap();
    let resumed = store.resume(&game(), 1).await;
    assert!(matches!(resumed, Err(StoreError::Damaged { chain: Chain::Record, seq: 3, .. })), "{resumed:?}");
}

#[tokio::test]
async fn a_process_on_another_machine_leaves_no_lock_and_is_watched() {
    let folder = crate::cli::folder();
    let scope = of_law("elsewhere");
    let dead: Process = Box::new(SqliteStore::open(folder.path()).unwrap());
    let lease = take(&dead, &scope, "a", None).await.unwrap();
    drop(dead);
    for file in std::fs::read_dir(folder.path()).unwrap().filter_map(Result::ok) {
        if file.file_name().to_string_lossy().ends_with(".lock") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    let next: Process = Box::new(SqliteStore::open(folder.path()).unwrap());
    assert!(take(&next, &scope, "b", None).await.is_err(), "nothing proves its death");
    take(&next, &scope, "b", Some(&lease)).await.unwrap();
}

#[tokio::test]
async fn a_message_changed_in_the_file_is_named() {
    let folder = crate::cli::folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    for _ in 0..2 {
        store.post(&game(), "bob", START, &Request::Yield { epoch: 1 }).await.unwrap();
    }
    let file = rusqlite_connection(folder.path());
    file.execute("update messages set message = replace(message, 'bob', 'eve') where seq = 2", []).unwrap();
    let damaged = store.inbox(&game(), 0).await;
    assert!(matches!(damaged, Err(StoreError::Damaged { seq: 2, .. })), "{damaged:?}");
}

#[tokio::test]
async fn the_embedded_store_obeys_the_laws_in_memory_and_on_disk() {
    obeys_the_laws(&SqliteStore::in_memory().unwrap()).await;
    let folder = crate::cli::folder();
    obeys_the_laws(&SqliteStore::open(folder.path()).unwrap()).await;
}

#[tokio::test]
async fn the_lease_of_a_process_that_is_gone_is_taken_over_at_once_on_the_same_machine() {
    let folder = crate::cli::folder();
    let now = Moment::from_secs(1_000);
    let dead = SqliteStore::open(folder.path()).unwrap();
    let lease = dead.take_lease(&game(), &run("r1"), "ann", now, LEASE, None).await.unwrap();
    let next = SqliteStore::open(folder.path()).unwrap();
    assert!(next.take_lease(&game(), &run("r2"), "bob", now, LEASE, None).await.is_err(), "it still lives");
    drop(dead);
    let taken = next.take_lease(&game(), &run("r2"), "bob", now, LEASE, None).await.unwrap();
    assert!(taken.epoch > lease.epoch);
}

#[tokio::test]
async fn a_record_of_a_version_that_kept_no_regions_tells_them_all_the_same() {
    let folder = crate::cli::folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    let lease = store.take_lease(&game(), &run("r1"), "ann", Moment::EPOCH, LEASE, None).await.unwrap();
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
    let folder = crate::cli::folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    let lease = store.take_lease(&game(), &run("r1"), "ann", Moment::EPOCH, LEASE, None).await.unwrap();
    store.append(&lease, 0, Moment::EPOCH, &[event("one"), event("two"), event("three")]).await.unwrap();
    let file = rusqlite_connection(folder.path());
    file.execute("update lines set entry = replace(entry, 'two', 'TWO') where seq = 2", []).unwrap();
    let damaged = store.entries(&game(), 0).await;
    assert!(matches!(damaged, Err(StoreError::Damaged { seq: 2, .. })), "{damaged:?}");
}

fn rusqlite_connection(folder: &std::path::Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("journal.sqlite")).unwrap()
}

/// A store on disk with three lines.
async fn three_lines(folder: &std::path::Path) -> SqliteStore {
    let store = SqliteStore::open(folder).unwrap();
    let lease = store.take_lease(&game(), &run("r1"), "ann", Moment::EPOCH, LEASE, None).await.unwrap();
    store.append(&lease, 0, Moment::EPOCH, &[event("one"), event("two"), event("three")]).await.unwrap();
    store.release_lease(&lease).await.unwrap();
    store
}

#[tokio::test]
async fn a_record_that_was_cut_off_at_its_end_is_noticed_and_nothing_is_added_to_it() {
    for cut in ["delete from lines where seq > 1", "delete from lines where seq = 3", "delete from lines"] {
        let folder = crate::cli::folder();
        let store = three_lines(folder.path()).await;
        rusqlite_connection(folder.path()).execute(cut, []).unwrap();
        let damaged = store.entries(&game(), 0).await;
        let Err(StoreError::Damaged { why, .. }) = damaged else { panic!("{cut}: {damaged:?}") };
        assert!(why.contains("removed"), "{why}");
        let lease = store.take_lease(&game(), &run("r2"), "bob", Moment::EPOCH, LEASE, None).await.unwrap();
        for after in 0..=3 {
            assert!(
                store.append(&lease, after, Moment::EPOCH, &[event("four")]).await.is_err(),
                "{cut} {after}"
            );
        }
    }
    let folder = crate::cli::folder();
    let store = three_lines(folder.path()).await;
    rusqlite_connection(folder.path()).execute("delete from records", []).unwrap();
    assert!(store.entries(&game(), 0).await.is_err(), "nor is an end that is gone taken for an end");
}

#[tokio::test]
async fn a_record_moves_to_another_folder_with_its_identity_and_ends_where_it_was() {
    let (here, there) = (crate::cli::folder(), crate::cli::folder());
    let (from, to) = (SqliteStore::open(here.path()).unwrap(), SqliteStore::open(there.path()).unwrap());
    obeys_the_laws_of_moves(&from, &to).await;
}

/// A record as the version before accounts kept it, made by that version.
fn old_folder() -> tempfile::TempDir {
    let folder = crate::cli::folder();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/old-record");
    for file in ["journal.sqlite", "sim.sqlite"] {
        std::fs::copy(from.join(file), folder.path().join(file)).unwrap();
    }
    folder
}

#[tokio::test]
async fn a_record_without_an_account_is_claimed_once_and_goes_on_under_its_account() {
    let folder = old_folder();
    let store = SqliteStore::open(folder.path()).unwrap();
    let (first, second) = (game(), Scope::parse("sim/abc/game").unwrap());
    let old = store.old_entries(&first).await.unwrap();
    assert_eq!(old.len(), 17);
    assert_eq!(store.entries(&first, 0).await.unwrap(), [], "it is nobody's yet");
    rusqlite_connection(folder.path()).execute("update leases set until_ms = 5000", []).unwrap();
    let early = store.claim(&first, Moment::from_secs(4)).await;
    assert!(matches!(early, Err(StoreError::Unavailable { what }) if what.contains("older version")));
    store.claim(&first, Moment::from_secs(6)).await.unwrap();
    assert_eq!(store.entries(&first, 0).await.unwrap(), old);
    assert_eq!(store.regions(&first).await.unwrap(), BTreeSet::from([region("us-east-1")]));
    assert_eq!(store.old_entries(&second).await.unwrap(), []);
    store.claim(&second, Moment::from_secs(6)).await.unwrap();
    assert_eq!(store.entries(&second, 0).await.unwrap(), [], "what was claimed is not there any more");
    let lease = store.take_lease(&first, &run("r2"), "bob", Moment::EPOCH, LEASE, None).await.unwrap();
    store.append(&lease, 17, Moment::EPOCH, &[event("goes on")]).await.unwrap();
    assert_eq!(store.entries(&first, 0).await.unwrap().len(), 18);
}

fn rgctl(folder: &std::path::Path, line: &[&str]) -> (u8, String, String) {
    let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/old-record/game.yaml");
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("rgctl"));
    command.env_clear().arg("--state-dir").arg(folder);
    for word in line {
        command.arg(if *word == "FILE" { place.as_os_str() } else { word.as_ref() });
    }
    let left = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (u8::try_from(left.status.code().unwrap()).unwrap(), text(left.stdout), text(left.stderr))
}

#[test]
fn an_old_folder_is_migrated_by_the_first_look_that_shows_what_it_made_and_else_refused() {
    let folder = old_folder();
    let (code, plan, talk) = rgctl(folder.path(), &["plan", "-f", "FILE"]);
    assert_eq!(code, 0, "{plan}{talk}");
    assert!(plan.contains("5 to change") && plan.contains("did not tag its record"), "{plan}");
    let (code, _, talk) = rgctl(folder.path(), &["apply", "-f", "FILE", "--yes"]);
    assert_eq!(code, 0, "{talk}");
    let (code, plan, _) = rgctl(folder.path(), &["plan", "-f", "FILE", "--detailed-exitcode"]);
    assert_eq!(code, 0, "{plan}");
    let (_, history, _) = rgctl(folder.path(), &["history", "game"]);
    assert!(history.contains("ann@laptop") && history.matches(", run ").count() == 2, "{history}");

    // The same record, and a world that began since: what it made is not there.
    let folder = old_folder();
    assert_eq!(rgctl(folder.path(), &["sim", "reset"]).0, 0);
    for line in [&["plan", "-f", "FILE"][..], &["apply", "-f", "FILE", "--yes"], &["drift", "-f", "FILE"]] {
        let (code, _, talk) = rgctl(folder.path(), line);
        assert_eq!(code, 8, "{line:?}: {talk}");
        assert!(
            talk.contains("knew no accounts") && talk.contains("history migrate game --to local"),
            "{talk}"
        );
    }
    let aside = ["history", "migrate", "game", "--to", "local", "--account", "sim/old"];
    let (code, _, talk) = rgctl(folder.path(), &aside);
    assert_eq!(code, 0, "{talk}");
    let (code, plan, talk) = rgctl(folder.path(), &["plan", "-f", "FILE"]);
    assert!(code == 0 && plan.contains("5 to create"), "{plan}{talk}");
    let (code, history, talk) = rgctl(folder.path(), &["history", "game", "--account", "sim/old"]);
    assert!(code == 0 && history.contains("ann@laptop"), "{history}{talk}");
    let (_, _, talk) = rgctl(folder.path(), &["history", "game"]);
    assert!(talk.contains("--account sim/old"), "{talk}");
}

#[test]
fn after_a_new_world_an_apply_begins_with_a_record_of_its_own() {
    let folder = old_folder();
    assert_eq!(rgctl(folder.path(), &["plan", "-f", "FILE"]).0, 0);
    assert_eq!(rgctl(folder.path(), &["sim", "reset"]).0, 0);
    let (code, _, talk) = rgctl(folder.path(), &["apply", "-f", "FILE", "--yes"]);
    assert_eq!(code, 0, "{talk}");
    let (_, history, _) = rgctl(folder.path(), &["history", "game"]);
    assert!(!history.contains("ann@laptop"), "{history}");
}

#[test]
fn a_record_is_migrated_to_another_folder_and_what_it_made_stays_ours() {
    let (folder, other) = (old_folder(), crate::cli::folder());
    assert_eq!(rgctl(folder.path(), &["apply", "-f", "FILE", "--yes"]).0, 0);
    let to = other.path().to_str().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let scope = store.scopes().now_or_never().unwrap().unwrap().into_iter().next().unwrap();
    store.decide(&scope, 0, START, &set(key(1), 3)).now_or_never().unwrap().unwrap();
    drop(store);
    // The world goes along by hand; a store of its own does not know what another one made.
    std::fs::copy(folder.path().join("sim.sqlite"), other.path().join("sim.sqlite")).unwrap();
    let (code, plan, _) = rgctl(other.path(), &["plan", "-f", "FILE"]);
    assert!(plan.contains("history migrate") && plan.contains("of the record"), "{code} {plan}");
    let (code, _, talk) = rgctl(folder.path(), &["history", "migrate", "game", "--to", to]);
    assert!(code == 0 && talk.contains("lines moved to") && talk.contains("decisions 1"), "{talk}");
    let (_, history, _) = rgctl(other.path(), &["history", "game"]);
    assert!(history.contains("   d1  ") && history.contains("why: launch"), "{history}");
    let (code, plan, talk) = rgctl(other.path(), &["plan", "-f", "FILE", "--detailed-exitcode"]);
    assert_eq!(code, 0, "{plan}{talk}");
    let (code, _, talk) =
        rgctl(folder.path(), &["destroy", "-f", "FILE", "--yes", "--allow", "delete:cache@us-east-1"]);
    assert!(code == 8 && talk.contains("was moved to"), "{code}: {talk}");
}
