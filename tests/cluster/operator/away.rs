//! The API server is away in the middle of a rolling change, for longer than a leader leads without it.

use std::process::Command;
use std::time::{Duration, Instant};

use rgctl_schema::time::Span;

use super::{apply, cloud, condition, define, keep_trail, trail, wait_ready};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::{tell, wait_until, wait_within};
use crate::replicas::{Replica, holder};
use crate::stopped::rolling;

/// The steps of a rolling change of a blueprint.
fn steps(name: &str) -> [String; 3] {
    let of = |step: &str| step.replace("NAME", name);
    [
        of("modify us-east-1/aurora.instance/NAME-players-use1-2 class"),
        of("failover us-east-1/aurora.cluster/NAME-players-use1 to NAME-players-use1-2"),
        of("modify us-east-1/aurora.instance/NAME-players-use1-1 class"),
    ]
}

fn are_ready(plane: &ControlPlane, names: &[&str]) -> bool {
    names.iter().all(|name| condition(plane, "games", name, "Ready").0 == "True")
}

/// What decides: 10 s until a call is given up, 20 s after which a leader that cannot renew leads no more, 30 s until the next one
/// may. After 5 minutes nothing else is decided: a watch that was broken for so long is told by `/healthz`. So it is away until
/// the leader has given up and the command line has ended what it left, and some seconds more.
#[test]
fn an_api_server_that_is_away_in_the_middle_of_a_rolling_change_costs_no_call_twice() {
    let what = "an API server that is away for long";
    let Some(mut plane) = ControlPlane::alone(what, &Setup::default()) else { return };
    define(&plane);
    plane.kubectl(&User::Admin, &["create", "namespace", "games"]);
    // The record is elsewhere, as on S3: who has only that, and the account, can work.
    let more = ["--elect", "--pace", "20", "--floor", "1s"];
    let kubeconfig = plane.kubeconfig(&User::Admin);
    let mut first = Replica::by(&plane, &kubeconfig, "games", &more);
    let names = ["arena", "lobby"];
    for name in names {
        apply(&plane, &rolling("games", name, "db.r6g.large").to_string());
    }
    let folder = plane.folder().join("games");
    wait_until("the leader", || first.is_named_by(&holder(&plane, "games")));
    let account = cloud(&folder);
    // What takes minutes of the account's time is not waited for where nothing depends on it.
    let passes = || account.advance(Span::from_mins(2)).unwrap();
    wait_until("both are there", || {
        passes();
        are_ready(&plane, &names)
    });
    keep_trail(&account);
    for name in names {
        apply(&plane, &rolling("games", name, "db.r6g.xlarge").to_string());
    }
    wait_until("both are under way", || trail(&account).len() >= 2);
    plane.stop_api();
    let gone = Instant::now();
    assert_eq!(first.code(), Some(7), "it cannot know any more that it leads");
    let begun = trail(&account);
    // As whoever runs it does; it waits for its turn.
    let second = Replica::by(&plane, &kubeconfig, "games", &more);
    let lobby = folder.join("lobby.yaml");
    let mut document = rolling("games", "lobby", "db.r6g.xlarge");
    document["metadata"].as_object_mut().unwrap().remove("namespace");
    std::fs::write(&lobby, document.to_string()).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rgctl"));
    command.args(["apply", "--yes", "-f"]).arg(&lobby).current_dir(&folder).env_clear();
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{said}");
    let of = |name: &str| -> Vec<String> {
        trail(&account).into_iter().filter(|step| step.contains(&format!("/{name}-"))).collect()
    };
    assert_eq!(of("lobby"), steps("lobby"), "the command line went on where the operator was: {said}");
    let arena = of("arena");
    assert!(arena.len() < 3, "something is left of it: {arena:#?}");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(of("arena"), arena, "nobody else works meanwhile");

    plane.start_api();
    let back = Instant::now();
    wait_until("the next leader", || second.is_named_by(&holder(&plane, "games")));
    let minute = Duration::from_mins(1).saturating_sub(back.elapsed());
    // What the command line has ended is as wanted, and what it left is under way.
    wait_within(minute, "all conditions within a minute", || {
        let is_told = |name: &str, about: &str| condition(&plane, "games", name, about).0 == "True";
        is_told("lobby", "Ready") && (is_told("arena", "Reconciling") || is_told("arena", "Ready"))
    });
    let of_the_time = back.elapsed();
    wait_until("the rest", || {
        passes();
        are_ready(&plane, &names)
    });
    tell(&format!(
        "the API server was away for {:.0} s; {:.0} s after its return all conditions were right",
        (back - gone).as_secs_f64(),
        of_the_time.as_secs_f64()
    ));
    for name in names {
        wait_ready(&plane, "games", name);
        assert_eq!(of(name), steps(name), "each once, none refused; begun before: {begun:#?}");
    }
    assert_eq!(account.violations(), []);
}
