//! What takes something away waits for an approval, of exactly that, by somebody who may, in time, once.

use rgctl_model::ports::Clock;
use rgctl_schema::time::Span;
use serde_json::{Value, json};

use super::{Operator, apply, blueprint, condition, define, get, store, wait_for, wait_ready};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::wait_until;

/// The plan of a blueprint that waits, once there is one.
pub fn pending(plane: &ControlPlane, namespace: &str, name: &str) -> Value {
    let mut found = Value::Null;
    wait_until(&format!("a plan of {name} that waits"), || {
        let plan = get(plane, namespace, "blueprint", name).unwrap_or_default();
        let Some(plan) = plan["status"]["plan"].as_str() else { return false };
        found = get(plane, namespace, "plan", plan).unwrap_or_default();
        found["spec"].is_object() && matches!(found["status"]["phase"].as_str(), None | Some("Pending"))
    });
    found
}

/// Approves a plan with the consents that it needs, but for these fields.
pub fn approve(plane: &ControlPlane, namespace: &str, plan: &Value, but: &Value) -> String {
    let expires = rgctl_machine::SystemClock.now() + Span::from_mins(10);
    let mut approval = json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Approval",
        "metadata": { "generateName": "yes-", "namespace": namespace },
        "spec": { "plan": plan["metadata"]["name"], "digest": plan["spec"]["digest"], "approver": "admin",
            "consents": plan["spec"]["consents"], "expires": expires.rfc3339() },
    });
    approval["spec"].as_object_mut().unwrap().extend(but.as_object().unwrap().clone());
    let line = ["create", "-f", "-", "-o", "jsonpath={.metadata.name}"];
    let done = plane.try_kubectl(&User::Admin, &line, &approval.to_string());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Waits until an approval is told that it does not count, for this reason.
fn does_not_count(plane: &ControlPlane, namespace: &str, approval: &str, why: &str) {
    wait_until(&format!("{approval} does not count: {why}"), || {
        let told = get(plane, namespace, "approval", approval).unwrap_or_default();
        let condition = &told["status"]["conditions"][0];
        condition["reason"] == "DoesNotCount"
            && condition["message"].as_str().is_some_and(|message| message.contains(why))
    });
}

#[test]
fn a_store_that_is_taken_out_goes_by_an_approval_of_exactly_that_plan_and_once() {
    let Some(plane) = ControlPlane::alone("approvals", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let both = blueprint(&namespace, "arena", &json!({}));
    let mut one = both.clone();
    one["spec"]["stores"] = json!([store("ranking")]);
    apply(&plane, &both.to_string());
    wait_ready(&plane, &namespace, "arena");
    let before = operator.world();
    apply(&plane, &one.to_string());
    wait_for(&plane, &namespace, "arena", "PlanPending", "True", "NeedsApproval");
    let plan = pending(&plane, &namespace, "arena");
    assert_eq!(plan["spec"]["consents"], json!(["delete:sessions@us-east-1"]));
    let (_, _, message) = condition(&plane, &namespace, "arena", "Ready");
    assert!(message.contains("delete:sessions@us-east-1"), "{message}");

    // A digest that is not the plan's, a time that is over, consents that are not enough: each is told why.
    let digest = plan["spec"]["digest"].as_str().unwrap();
    let other = format!("{}{}", &digest[..12], "0".repeat(52));
    let stolen = approve(&plane, &namespace, &plan, &json!({ "digest": other }));
    does_not_count(&plane, &namespace, &stolen, "digest");
    let expired = approve(&plane, &namespace, &plan, &json!({ "expires": "2026-01-01T00:00:00Z" }));
    does_not_count(&plane, &namespace, &expired, "good until");
    let lacking = approve(&plane, &namespace, &plan, &json!({ "consents": ["shrink:sessions@us-east-1"] }));
    does_not_count(&plane, &namespace, &lacking, "lacks consent");
    assert_eq!(operator.world(), before);

    let name = plan["metadata"]["name"].as_str().unwrap();
    let rgctl = |more: &[&str]| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("rgctl"));
        command.args(["approve", name, "-n", &namespace]).args(more);
        let done = command.env("KUBECONFIG", plane.kubeconfig(&User::Admin)).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, said) = rgctl(&[]);
    assert!(code == Some(4) && said.contains("--allow delete:sessions@us-east-1"), "{said}");
    let (code, said) = rgctl(&["--allow", "delete:sessions@us-east-1", "--why", "nobody plays it"]);
    assert!(code == Some(0) && said.contains("approved by admin"), "{said}");
    let good = said.trim().rsplit('/').next().unwrap().to_owned();
    wait_ready(&plane, &namespace, "arena");
    let world = operator.world();
    assert!(!world.iter().any(|one| one.contains("group/arena-sessions")), "{world:?}");
    wait_until("the approval is used", || {
        get(&plane, &namespace, "approval", &good).unwrap()["status"]["usedBy"].is_string()
    });
    assert_eq!(get(&plane, &namespace, "plan", name).unwrap()["status"]["phase"], "Done");

    // The same once more is another plan: the approval was good once.
    apply(&plane, &both.to_string());
    wait_ready(&plane, &namespace, "arena");
    let again = operator.world();
    apply(&plane, &one.to_string());
    wait_for(&plane, &namespace, "arena", "PlanPending", "True", "NeedsApproval");
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(operator.world(), again);
}

#[test]
fn who_only_observes_plans_and_carries_nothing_out() {
    let Some(plane) = ControlPlane::alone("observing", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &["--observe-only"]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_for(&plane, &namespace, "arena", "Ready", "False", "ObserveOnly");
    assert_eq!(operator.world(), std::collections::BTreeSet::new());
}

#[test]
fn of_one_name_in_two_namespaces_the_first_has_it_and_the_other_hears_so() {
    let Some(plane) = ControlPlane::alone("one name in two namespaces", &Setup::default()) else { return };
    define(&plane);
    let (first, second) = (plane.namespace("games"), plane.namespace("games"));
    let _operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&first, "arena", &json!({})).to_string());
    wait_ready(&plane, &first, "arena");
    apply(&plane, &blueprint(&second, "arena", &json!({})).to_string());
    wait_for(&plane, &second, "arena", "Stalled", "True", "NameTaken");
    assert_eq!(condition(&plane, &first, "arena", "Ready").0, "True");
}

#[test]
fn what_kubectl_scales_becomes_members_and_taking_it_back_waits_for_a_person() {
    let Some(plane) = ControlPlane::alone("overrides", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_ready(&plane, &namespace, "arena");
    let up = json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Override",
        "metadata": { "name": "up", "namespace": namespace },
        "spec": { "blueprint": "arena", "store": "ranking", "region": "us-east-1", "axis": "replicas",
            "target": 1, "why": "launch" },
    });
    apply(&plane, &up.to_string());
    let current =
        || get(&plane, &namespace, "override", "up").unwrap_or_default()["status"]["current"].clone();
    wait_until("one replica is told", || current() == 1);
    plane.kubectl(&User::Admin, &["scale", "override/up", "-n", &namespace, "--replicas=3"]);
    wait_until("three replicas are told", || current() == 3);
    wait_ready(&plane, &namespace, "arena");
    assert!(operator.log().contains("modify"), "{}", operator.log());
    // Beyond the bounds of the blueprint nothing is done.
    plane.kubectl(&User::Admin, &["scale", "override/up", "-n", &namespace, "--replicas=5"]);
    wait_until("the bound is told", || {
        let told = get(&plane, &namespace, "override", "up").unwrap();
        let condition = &told["status"]["conditions"][0];
        condition["observedGeneration"] == told["metadata"]["generation"]
            && condition["message"]
                .as_str()
                .is_some_and(|message| message.starts_with("3 holds, within 1..3"))
    });
    plane.kubectl(&User::Admin, &["delete", "override", "up", "-n", &namespace]);
    wait_for(&plane, &namespace, "arena", "PlanPending", "True", "NeedsApproval");
    let plan = pending(&plane, &namespace, "arena");
    assert_eq!(plan["spec"]["consents"], json!(["shrink:ranking@us-east-1"]));
}
