//! An operator that has nothing to do does nothing, and one whose API server was away goes on.

use serde_json::json;

use super::{OPERATOR, Operator, apply, blueprint, condition, define, get, wait_ready};
use crate::plane::{Call, ControlPlane, Setup, User};
use crate::processes::wait_until;

/// Calls of the operator since a mark that change something, whatever it is: resources, events, ConfigMaps.
pub fn writes(plane: &ControlPlane, mark: u64) -> Vec<Call> {
    let is_ours = |call: &Call| call.user == OPERATOR;
    plane.calls(mark).into_iter().filter(|call| is_ours(call) && call.is_write()).collect()
}

#[test]
fn nothing_is_written_when_nothing_changes_nor_after_a_restart() {
    let Some(plane) = ControlPlane::alone("a quiet operator", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let mark = plane.mark();
    for name in ["arena", "lobby"] {
        apply(&plane, &blueprint(&namespace, name, &json!({})).to_string());
    }
    for name in ["arena", "lobby"] {
        wait_ready(&plane, &namespace, name);
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    let (events, made): (Vec<Call>, Vec<Call>) =
        writes(&plane, mark).into_iter().partition(|call| call.resource.starts_with("events"));
    assert!(made.len() <= 8, "at most four writes for each: {made:#?}");
    assert!(events.len() <= 2, "that each has settled: {events:#?}");
    let mark = plane.mark();
    // Hours of virtual time: looks, and nothing to tell.
    std::thread::sleep(std::time::Duration::from_secs(8));
    operator.stop();
    let operator = Operator::start(&plane, "operator", &[]);
    wait_until("the second one has judged both", || {
        operator.log().matches("condition=\"ready\"").count() >= 4
    });
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(writes(&plane, mark), []);
}

#[test]
fn an_api_server_that_was_away_finds_the_work_done_and_is_told_of_it() {
    let Some(mut plane) = ControlPlane::alone("an operator whose API server is away", &Setup::default())
    else {
        return;
    };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_until("work has begun", || operator.log().contains("calls"));
    plane.stop_api();
    wait_until("it is done all the same", || operator.log().contains("condition=\"ready\""));
    std::thread::sleep(std::time::Duration::from_secs(3));
    plane.start_api();
    wait_ready(&plane, &namespace, "arena");
    // And it hears of what changes from then on.
    let pause = ["annotate", "blueprint", "arena", "-n", &namespace, "rgctl.dev/paused=holiday"];
    plane.kubectl(&User::Admin, &pause);
    wait_until("it hears", || condition(&plane, &namespace, "arena", "Ready").1 == "Paused");
}

#[test]
fn a_status_that_another_hand_wrote_wakes_nobody_and_is_put_right_by_the_next_turn() {
    let Some(plane) = ControlPlane::alone("a status that another hand wrote", &Setup::default()) else {
        return;
    };
    define(&plane);
    let namespace = plane.namespace("games");
    let _operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_ready(&plane, &namespace, "arena");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let mark = plane.mark();
    for number in 0..100 {
        let patch = json!({ "status": { "drift": number } }).to_string();
        let line = [
            "patch",
            "blueprint",
            "arena",
            "-n",
            &namespace,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ];
        plane.kubectl(&User::Admin, &line);
    }
    assert!(writes(&plane, mark).len() <= 2, "{:#?}", writes(&plane, mark));
    let ask = ["annotate", "blueprint", "arena", "-n", &namespace, "rgctl.dev/reconcile-at=now"];
    plane.kubectl(&User::Admin, &ask);
    wait_until("it is put right", || {
        let told = get(&plane, &namespace, "blueprint", "arena").unwrap();
        told["status"]["drift"] == 0 && told["status"]["lastHandledReconcileAt"] == "now"
    });
}

#[test]
fn a_history_that_was_compacted_is_listed_anew() {
    let setup = Setup { compaction: true, ..Setup::default() };
    let Some(mut plane) = ControlPlane::alone("a watch that comes too late for the operator", &setup) else {
        return;
    };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_ready(&plane, &namespace, "arena");
    plane.stop_api();
    plane.start_api();
    apply(&plane, &blueprint(&namespace, "lobby", &json!({})).to_string());
    plane.compact();
    wait_ready(&plane, &namespace, "lobby");
    plane.kubectl(&User::Admin, &["delete", "blueprint", "lobby", "-n", &namespace, "--timeout=20s"]);
    wait_until("it hears that it is gone", || operator.log().contains("lobby"));
    apply(&plane, &blueprint(&namespace, "third", &json!({})).to_string());
    wait_ready(&plane, &namespace, "third");
}
