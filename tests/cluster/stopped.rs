//! A replica that is stopped exactly between what it has written down and the call that was to follow, in the middle of a rolling
//! change: when the next thing to be done is to hand the writer's part to the member that was changed first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rgctl_kube::place::{Cluster, KubePlace};
use rgctl_kube::record::kube_store_with;
use rgctl_machine::SystemClock;
use rgctl_model::journal::{Entry, Event};
use rgctl_model::ports::Store;
use rgctl_sim::SimCloud;
use serde_json::{Value, json};

use crate::operator::{apply, blueprint, cloud, define, keep_trail, trail, wait_ready};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::{block_on, signal, wait_until, wait_within};
use crate::relay::Relay;
use crate::replicas::{Replica, holder};

const FIRST: &str = "modify us-east-1/aurora.instance/arena-players-use1-2 class";
const FAILOVER: &str = "failover us-east-1/aurora.cluster/arena-players-use1 to arena-players-use1-2";
const LAST: &str = "modify us-east-1/aurora.instance/arena-players-use1-1 class";

/// A database of two members: to change the class of both, the reader is changed, takes over, and the other one follows.
pub fn rolling(namespace: &str, name: &str, class: &str) -> Value {
    let mut wanted = blueprint(namespace, name, &json!({}));
    wanted["spec"]["stores"] = json!([{
        "name": "players", "engine": "aurora-postgresql", "purpose": "accounts",
        "demand": { "requestShare": "40%", "dataSize": "40GiB" },
        "class": class, "readers": 1, "backup": { "retention": "7d" },
    }]);
    wanted
}

/// The record of the one blueprint in a namespace, verified; nothing before it begins.
fn record(plane: &ControlPlane, namespace: &str) -> Vec<Entry> {
    let (cluster, namespace) = (Cluster::Here, namespace.to_owned());
    block_on(async {
        let client = plane.client(&User::Admin).await;
        let store = kube_store_with(client, KubePlace { cluster, namespace }, Arc::new(SystemClock));
        let scopes = store.scopes().await.unwrap();
        let Some(scope) = scopes.first() else { return Vec::new() };
        store.entries(scope, 0).await.unwrap()
    })
}

fn is_accepted(lines: &[Entry], wanted: &str) -> bool {
    lines.iter().any(|line| matches!(&line.what, Event::Accepted { step } if step.to_string() == wanted))
}

fn is_intended(lines: &[Entry], wanted: &str) -> bool {
    lines.iter().any(|line| matches!(&line.what, Event::Intended { step, .. } if step.to_string() == wanted))
}

/// Stops a process while it does not hold the file of the world that others share: no other cloud is stopped by its callers.
fn stop(replica: &Replica, folder: &std::path::Path) {
    loop {
        signal(&replica.child, "STOP");
        let (told, heard) = std::sync::mpsc::channel();
        let folder = folder.to_owned();
        std::thread::spawn(move || {
            // Whoever reads or changes the world waits for who holds its file.
            let read = cloud(&folder).with_world(|world| world.now());
            let _ = told.send(read.is_ok());
        });
        if heard.recv_timeout(Duration::from_secs(2)) == Ok(true) {
            return;
        }
        signal(&replica.child, "CONT");
        std::thread::sleep(Duration::from_millis(50));
    }
}

struct Scene {
    plane: ControlPlane,
    first: Replica,
    second: Replica,
    world: SimCloud,
    /// What was on record when the first one was stopped.
    before: Vec<Entry>,
    relay: Relay,
}

/// Stops the one that works after the record has that it is about to fail over, and before it does.
fn stopped_before_the_failover(what: &str, more: &[&str]) -> Option<Scene> {
    let plane = ControlPlane::alone(what, &Setup::default())?;
    define(&plane);
    plane.kubectl(&User::Admin, &["create", "namespace", "games"]);
    let relay = Relay::to(plane.port());
    let by_relay = plane.kubeconfig_at(&User::Admin, relay.port());
    // Two minutes of the world in a second: what is begun takes minutes of it.
    let more = [&["--pace", "120", "--floor", "1s", "--store", "kube://testbed/games"], more].concat();
    let first = Replica::by(&plane, &by_relay, "games", &more);
    apply(&plane, &rolling("games", "arena", "db.r6g.large").to_string());
    wait_ready(&plane, "games", "arena");
    let folder = plane.folder().join("games");
    let world = cloud(&folder);
    keep_trail(&world);
    apply(&plane, &rolling("games", "arena", "db.r6g.xlarge").to_string());
    wait_until("the change of the reader", || is_accepted(&record(&plane, "games"), FIRST));
    let second = Replica::by(&plane, &plane.kubeconfig(&User::Admin), "games", &more);
    // What it writes down is there a while before it hears so.
    relay.delay_answers(Duration::from_millis(1_500));
    wait_until("what it is about to do", || is_intended(&record(&plane, "games"), FAILOVER));
    relay.hold_answers();
    stop(&first, &folder);
    let before = record(&plane, "games");
    assert!(is_intended(&before, FAILOVER) && !is_accepted(&before, FAILOVER));
    assert_eq!(trail(&world), [FIRST], "it was stopped before its call");
    // What it waits for has come by the time that it wakes.
    relay.release_answers();
    Some(Scene { plane, first, second, world, before, relay })
}

/// The next one ends what the first one began; whatever the first does when it wakes, it changes nothing.
fn finishes(scene: &mut Scene) {
    let Scene { plane, first, world, before, .. } = scene;
    let is_over = |lines: &[Entry]| lines.iter().any(|line| matches!(line.what, Event::Closed { .. }));
    let begun = before.iter().rposition(|line| matches!(line.what, Event::Opened { .. })).unwrap();
    let within = Duration::from_mins(4);
    wait_within(within, "the end of the run", || is_over(&record(plane, "games")[begun..]));
    let acts = [FIRST, FAILOVER, LAST];
    assert_eq!(trail(world), acts, "each once, none refused");
    let lines = record(plane, "games");
    assert!(lines.starts_with(before), "nothing of what was begun is forgotten");
    let runs: std::collections::BTreeSet<_> = lines[begun..].iter().map(|line| line.run.clone()).collect();
    assert_eq!(runs.len(), 1, "it is the same run: {runs:?}");
    signal(&first.child, "CONT");
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(5) {
        assert_eq!(trail(world), acts, "who wakes up calls nothing");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(world.violations(), []);
    wait_ready(plane, "games", "arena");
}

#[test]
fn a_leader_that_is_stopped_between_record_and_failover_is_continued_by_the_next_and_wakes_up_to_do_nothing()
{
    let what = "a leader that is stopped before its call";
    let Some(mut scene) = stopped_before_the_failover(what, &["--elect"]) else { return };
    finishes(&mut scene);
    assert_eq!(scene.first.code(), Some(7), "it leads no more, and says so");
    assert!(scene.second.is_named_by(&holder(&scene.plane, "games")));
}

#[test]
fn where_nobody_is_elected_the_record_alone_keeps_two_from_acting() {
    let what = "two that both believe that they lead";
    let Some(mut scene) = stopped_before_the_failover(what, &[]) else { return };
    finishes(&mut scene);
    // Both are there and in order; the next change is made once, by one of them.
    assert!(
        scene.first.child.try_wait().unwrap().is_none() && scene.second.child.try_wait().unwrap().is_none()
    );
    drop(scene.relay);
}
