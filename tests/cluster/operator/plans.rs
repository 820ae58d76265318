//! What a plan as an object tells: what it costs, why there is something to do, and what became of it.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::agreeing::pending;
use super::{Operator, apply, blueprint, condition, define, get, is_judged, store, wait_for, wait_ready};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::wait_until;

/// What a command says, and how it ends: in a folder, before a control plane.
fn rgctl(plane: &ControlPlane, folder: &std::path::Path, line: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("rgctl"));
    command.args(line).current_dir(folder).env("KUBECONFIG", plane.kubeconfig(&User::Admin));
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

/// The plans of a namespace.
fn plans(plane: &ControlPlane, namespace: &str) -> Vec<Value> {
    let told = plane.kubectl(&User::Admin, &["get", "plans", "-n", namespace, "-o", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    told["items"].as_array().unwrap().clone()
}

/// Dollars a month of a cost as it is told, to the cent.
fn dollars(cost: &Value) -> Decimal {
    let told = cost["perMonth"].as_str().unwrap();
    told.strip_suffix(" USD").unwrap_or_else(|| panic!("{told}")).replace(',', "").parse().unwrap()
}

#[test]
fn a_plan_costs_to_the_cent_what_the_command_line_tells() {
    let Some(plane) = ControlPlane::alone("what a plan costs", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let arena = blueprint(&namespace, "arena", &json!({}));
    apply(&plane, &arena.to_string());
    wait_ready(&plane, &namespace, "arena");
    // What was carried out unasked has a cost, too: all of it is new.
    let made = plans(&plane, &namespace);
    assert_eq!((made.len(), &made[0]["spec"]["costNow"]["perMonth"]), (1, &json!("0.00")), "{made:?}");
    assert!(dollars(&made[0]["spec"]["costAfter"]) > Decimal::ONE, "{made:?}");
    let up = json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Override",
        "metadata": { "name": "up", "namespace": namespace },
        "spec": { "blueprint": "arena", "store": "ranking", "region": "us-east-1", "axis": "replicas",
            "target": 3, "why": "launch" },
    });
    apply(&plane, &up.to_string());
    wait_until("three replicas are told", || {
        get(&plane, &namespace, "override", "up").unwrap_or_default()["status"]["current"] == 3
    });
    wait_ready(&plane, &namespace, "arena");
    plane.kubectl(&User::Admin, &["delete", "override", "up", "-n", &namespace]);
    wait_for(&plane, &namespace, "arena", "PlanPending", "True", "NeedsApproval");
    let plan = pending(&plane, &namespace, "arena");
    // The same as a file, which has no namespace.
    let mut file = arena;
    file["metadata"] = json!({ "name": "arena" });
    std::fs::write(operator.folder().join("arena.yaml"), file.to_string()).unwrap();
    let line = ["plan", "-f", "arena.yaml", "--output", "json"];
    let (code, told, said) = rgctl(&plane, operator.folder(), &line);
    assert_eq!(code, Some(0), "{said}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let steps = told["steps"].as_array().unwrap_or_else(|| panic!("{told}"));
    assert_eq!(plan["spec"]["steps"], steps.len(), "{told}");
    for (ours, theirs) in [("costNow", "before"), ("costAfter", "after")] {
        let amount = |step: &Value| -> Decimal {
            let amount = &step["cost"][theirs]["known"]["USD"];
            amount.as_str().unwrap_or_else(|| panic!("{step}")).parse().unwrap()
        };
        let sum: Decimal = steps.iter().map(amount).sum();
        assert_eq!(dollars(&plan["spec"][ours]), sum.round_dp(2), "{ours}: {told}");
    }
    let (now, after) = (dollars(&plan["spec"]["costNow"]), dollars(&plan["spec"]["costAfter"]));
    assert!(now > after && after > Decimal::ONE, "{now} {after}");
}

#[test]
fn a_plan_that_its_blueprint_forbids_is_refused_and_never_said_to_be_carried_out() {
    let Some(plane) = ControlPlane::alone("a plan that is refused", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let dear = json!({ "cost": { "monthlyMax": ["10 USD"] } });
    apply(&plane, &blueprint(&namespace, "arena", &dear).to_string());
    wait_for(&plane, &namespace, "arena", "Stalled", "True", "Blocked");
    let refused = || plans(&plane, &namespace).into_iter().find(|plan| plan["status"]["phase"] == "Refused");
    wait_until("the plan is refused", || refused().is_some());
    let plan = refused().unwrap();
    let told = &plan["status"]["conditions"][0];
    assert_eq!(
        (&told["type"], &told["status"], &told["reason"]),
        (&json!("Ready"), &json!("False"), &json!("Refused"))
    );
    assert!(told["message"].as_str().unwrap().contains("monthlyMax"), "{told}");
    assert!(dollars(&plan["spec"]["costAfter"]) > Decimal::TEN, "{plan}");
    assert!(operator.world().is_empty());
    let log = operator.log();
    assert!(log.contains("is refused") && !log.contains("is carried out"), "{log}");
    // It is told once, however often it is judged.
    let token = ["annotate", "blueprint", "arena", "-n", &namespace, "rgctl.dev/reconcile-at=again"];
    plane.kubectl(&User::Admin, &token);
    wait_until("it was judged again", || {
        get(&plane, &namespace, "blueprint", "arena").unwrap()["status"]["lastHandledReconcileAt"] == "again"
    });
    assert_eq!(refused().unwrap()["metadata"]["resourceVersion"], plan["metadata"]["resourceVersion"]);
    // Once it may, it is done, and that is told.
    let mut arena = blueprint(&namespace, "arena", &json!({ "cost": { "monthlyMax": ["10000 USD"] } }));
    apply(&plane, &arena.to_string());
    wait_ready(&plane, &namespace, "arena");
    wait_until("it is told as done", || {
        plans(&plane, &namespace).iter().any(|plan| plan["status"]["phase"] == "Done")
    });
    assert!(refused().is_none(), "the last one is kept");
    // Where a run is opened, since other policies are to be obeyed, it is the same.
    let there = operator.world();
    arena["spec"]["policies"] = dear;
    arena["spec"]["stores"].as_array_mut().unwrap().push(store("queue"));
    apply(&plane, &arena.to_string());
    wait_for(&plane, &namespace, "arena", "Stalled", "True", "Blocked");
    wait_until("the plan of the third store is refused", || refused().is_some());
    let plan = refused().unwrap();
    assert_eq!(operator.world(), there, "{plan}");
    assert!(plan["spec"]["first"].to_string().contains("arena-queue"), "{plan}");
}

/// Pauses `arena`, or takes that back.
fn pause(plane: &ControlPlane, namespace: &str, said: &str) {
    let mark = format!("rgctl.dev/paused={said}");
    plane.kubectl(&User::Admin, &["annotate", "--overwrite", "blueprint", "arena", "-n", namespace, &mark]);
}

#[test]
fn what_is_wrong_with_a_text_is_said_under_a_pause_too() {
    let Some(plane) = ControlPlane::alone("a bad text under a pause", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let mut arena = blueprint(&namespace, "arena", &json!({}));
    arena["metadata"]["annotations"] = json!({ "rgctl.dev/paused": "holiday" });
    apply(&plane, &arena.to_string());
    wait_for(&plane, &namespace, "arena", "Ready", "Unknown", "Paused");
    arena["spec"]["demand"]["readShare"] = json!("185%");
    apply(&plane, &arena.to_string());
    wait_for(&plane, &namespace, "arena", "Stalled", "True", "BadSpec");
    let (.., message) = condition(&plane, &namespace, "arena", "Stalled");
    assert!(message.contains("readShare") && message.ends_with("it is paused, too: holiday"), "{message}");
    arena["spec"]["demand"]["readShare"] = json!("85%");
    apply(&plane, &arena.to_string());
    wait_for(&plane, &namespace, "arena", "Ready", "Unknown", "Paused");
    assert!(operator.world().is_empty());
}

#[test]
fn an_approval_is_told_its_bound_at_once_and_given_twice_is_one() {
    let Some(plane) = ControlPlane::alone("one agreement, twice", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let both = blueprint(&namespace, "arena", &json!({}));
    apply(&plane, &both.to_string());
    wait_ready(&plane, &namespace, "arena");
    let pause = |said: &str| pause(&plane, &namespace, said);
    // What is written under a pause is judged afterwards, and somebody wrote it.
    pause("holiday");
    wait_for(&plane, &namespace, "arena", "Ready", "Unknown", "Paused");
    let mut one = both.clone();
    one["spec"]["stores"] = json!([store("ranking")]);
    apply(&plane, &one.to_string());
    is_judged(&plane, &namespace);
    pause("false");
    wait_for(&plane, &namespace, "arena", "PlanPending", "True", "NeedsApproval");
    let plan = pending(&plane, &namespace, "arena");
    assert_eq!(plan["spec"]["cause"], "Changed");
    // Nothing is carried out while it is agreed to.
    pause("meeting");
    wait_for(&plane, &namespace, "arena", "Ready", "Unknown", "Paused");
    let name = plan["metadata"]["name"].as_str().unwrap();
    let agree = |more: &[&str]| {
        let line = ["approve", name, "-n", &namespace, "--allow", "delete:sessions@us-east-1"];
        let (code, _, said) = rgctl(&plane, operator.folder(), &[&line, more].concat());
        (code, said)
    };
    let count = || {
        let told = plane.kubectl(&User::Admin, &["get", "approvals", "-n", &namespace, "-o", "name"]);
        told.lines().count()
    };
    let (code, said) = agree(&["--for", "30d"]);
    assert!(code == Some(6) && said.contains("7d at most"), "{said}");
    assert_eq!(count(), 0);
    let (code, said) = agree(&[]);
    assert!(code == Some(0) && said.contains("approved by admin until"), "{said}");
    let (code, said) = agree(&[]);
    assert!(code == Some(0) && said.contains("approved by admin already"), "{said}");
    assert_eq!(count(), 1);
    // Who wants it for longer makes another one: an approval never changes.
    let (code, said) = agree(&["--for", "2d"]);
    assert!(code == Some(0) && said.contains("approved by admin until"), "{said}");
    assert_eq!(count(), 2);
    pause("false");
    wait_ready(&plane, &namespace, "arena");
    wait_until("the plan is over", || {
        get(&plane, &namespace, "plan", name).unwrap()["status"]["phase"] == "Done"
    });
    let told = get(&plane, &namespace, "blueprint", "arena").unwrap();
    assert_eq!(
        (&told["status"]["plan"], condition(&plane, &namespace, "arena", "Ready").0),
        (&Value::Null, "True".to_owned())
    );
    wait_until("an approval is told as used, in its columns", || {
        let table = plane.kubectl(&User::Admin, &["get", "approvals", "-n", &namespace]);
        let line = table.lines().next().unwrap_or_default();
        line.contains("READY") && line.contains("REASON") && table.contains("Used")
    });
}
