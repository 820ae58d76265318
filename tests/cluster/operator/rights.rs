//! The operator under the rights that are printed for it: all that it does in a life, and nothing that it may not do.
//!
//! Every other test of this folder runs it under these rights, too, and fails where the API server refuses it anything.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    OPERATOR, Operator, apply, beyond_its_rights, blueprint, define, get, service_account, store, wait_for,
    wait_gone, wait_ready,
};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::wait_until;

/// Rights that the life below has no use for: to read one thing by its name, of which all are listed and watched; to write the
/// status of an account, which the tests of accounts do; and to tell an event once more, as one of a series.
const UNUSED: [&str; 14] = [
    "get accounts.rgctl.dev",
    "get accounts.rgctl.dev/status",
    "get approvals.rgctl.dev",
    "get approvals.rgctl.dev/status",
    "get blueprints.rgctl.dev/status",
    "get customresourcedefinitions.apiextensions.k8s.io",
    "get namespaces",
    "get overrides.rgctl.dev",
    "get overrides.rgctl.dev/status",
    "get plans.rgctl.dev",
    "get plans.rgctl.dev/status",
    "get regions.rgctl.dev",
    "patch accounts.rgctl.dev/status",
    "patch events.events.k8s.io",
];

#[test]
fn a_whole_life_under_the_printed_rights_is_refused_nothing() {
    let what = "the operator under its own rights";
    let Some(plane) = ControlPlane::alone(what, &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    // As the printed deployment runs it.
    let more = ["--elect", "--store", "kube://testbed/rgctl-system"];
    let mut operator = Operator::start(&plane, "operator", &more);
    let both = blueprint(&namespace, "arena", &json!({ "deletion": "snapshot" }));
    apply(&plane, &both.to_string());
    wait_ready(&plane, &namespace, "arena");

    // A decision, an approval.
    let up = json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Override",
        "metadata": { "name": "up", "namespace": namespace },
        "spec": { "blueprint": "arena", "store": "ranking", "region": "us-east-1", "axis": "replicas",
            "target": 2, "why": "launch" },
    });
    apply(&plane, &up.to_string());
    wait_until("two replicas are told", || {
        get(&plane, &namespace, "override", "up").unwrap_or_default()["status"]["current"] == 2
    });
    let mut one = both.clone();
    one["spec"]["stores"] = json!([store("ranking")]);
    apply(&plane, &one.to_string());
    wait_for(&plane, &namespace, "arena", "PlanPending", "True", "NeedsApproval");
    let plan = super::agreeing::pending(&plane, &namespace, "arena");
    super::agreeing::approve(&plane, &namespace, &plan, &json!({}));
    wait_ready(&plane, &namespace, "arena");

    // A text that nobody can read, a pause, a restart, and the end of all of it.
    let mut wrong = one.clone();
    wrong["spec"]["nonsense"] = json!({ "a": 7 });
    apply(&plane, &wrong.to_string());
    wait_for(&plane, &namespace, "arena", "Stalled", "True", "BadSpec");
    apply(&plane, &one.to_string());
    wait_ready(&plane, &namespace, "arena");
    operator.stop();
    operator = Operator::start(&plane, "operator", &more);
    let pause = |value: &str| {
        let mark = format!("rgctl.dev/paused{value}");
        plane.kubectl(&User::Admin, &["annotate", "blueprint", "arena", "-n", &namespace, &mark]);
    };
    pause("=holiday");
    wait_for(&plane, &namespace, "arena", "Ready", "Unknown", "Paused");
    pause("-");
    wait_ready(&plane, &namespace, "arena");
    plane.kubectl(&User::Admin, &["delete", "blueprint", "arena", "-n", &namespace, "--wait=false"]);
    wait_for(&plane, &namespace, "arena", "DeletionHeld", "True", "NeedsApproval");
    let plan = super::agreeing::pending(&plane, &namespace, "arena");
    super::agreeing::approve(&plane, &namespace, &plan, &json!({}));
    wait_gone(&plane, &namespace, "blueprint", "arena");
    operator.stop();

    // It used all that it has rights for, but for what is named here.
    let calls = plane.calls(0).into_iter().filter(|call| call.user == OPERATOR);
    let made: BTreeSet<String> = calls.map(|call| format!("{} {}", call.verb, call.resource)).collect();
    let granted = granted(&plane);
    let unused: Vec<&str> = granted.difference(&made).map(String::as_str).collect();
    assert_eq!(unused, UNUSED);
    let beyond: Vec<&String> = made.difference(&granted).collect();
    assert!(beyond.is_empty(), "all that it may do is printed, but it did: {beyond:?}");
}

/// What the printed roles of the operator allow, in the words of the audit log.
fn granted(plane: &ControlPlane) -> BTreeSet<String> {
    let roles = ["clusterrole/rgctl-operator", "clusterrole/rgctl-operator-cluster", "role/rgctl-operator"];
    let of = |role: &str| -> Value {
        let text = plane.kubectl(&User::Admin, &["get", role, "-n", "rgctl-system", "-o", "json"]);
        serde_json::from_str(&text).unwrap()
    };
    let words = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in roles.iter().flat_map(|role| of(role)["rules"].as_array().unwrap().clone()) {
        for (group, resource) in words(&rule["apiGroups"])
            .iter()
            .flat_map(|group| words(&rule["resources"]).into_iter().map(move |resource| (group, resource)))
        {
            let (name, part) = resource.split_once('/').unwrap_or((&resource, ""));
            let dot = if group.is_empty() { "" } else { "." };
            let slash = if part.is_empty() { "" } else { "/" };
            all.extend(
                words(&rule["verbs"]).iter().map(|verb| format!("{verb} {name}{dot}{group}{slash}{part}")),
            );
        }
    }
    all
}

#[test]
fn of_the_config_maps_of_others_it_writes_its_own_alone_and_what_is_refused_to_it_is_never_forgiven() {
    let what = "the policy of connection details";
    let Some(plane) = ControlPlane::alone(what, &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let map = |name: &str, labels: &Value| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": namespace, "labels": labels } })
        .to_string()
    };
    let tries = |user: &User, line: &[&str], input: &str| {
        let done = plane.try_kubectl(user, &[line, &["-n", &namespace]].concat(), input);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() { Ok(()) } else { Err(said) }
    };
    let us = service_account();
    let create = ["create", "-f", "-"];
    let other = map("other", &json!({ "rgctl.dev/blueprint": "x" }));
    // Policies take effect a moment after they are made.
    wait_until("the policy", || tries(&us, &[&create[..], &["--dry-run=server"]].concat(), &other).is_err());
    let refused = |line: &[&str], input: &str, why: &str| {
        let said = tries(&us, line, input).unwrap_err();
        assert!(said.contains(why), "{line:?}: {said}");
    };
    let patch =
        |name: &'static str, what: &'static str| ["patch", "configmap", name, "--type=merge", "-p", what];
    let (its_own_alone, not_ours) = ("rgctl-outputs-BLUEPRINT alone", "is not the operator's");
    refused(&create, &other, its_own_alone);
    // Those of another user pass, whatever they are called and labelled.
    for text in [map("other", &Value::Null), map("rgctl-outputs-x", &Value::Null)] {
        assert_eq!(tries(&User::Admin, &create, &text), Ok(()));
    }
    refused(&patch("other", r#"{"data":{"a":"b"}}"#), "", its_own_alone);
    refused(&["delete", "configmap", "other", "--wait=false"], "", its_own_alone);
    refused(&patch("rgctl-outputs-x", r#"{"data":{"a":"b"}}"#), "", not_ours);
    refused(&["delete", "configmap", "rgctl-outputs-x", "--wait=false"], "", not_ours);
    // With the label it is the operator's.
    let label = r#"{"metadata":{"labels":{"rgctl.dev/blueprint":"x"}}}"#;
    refused(&patch("rgctl-outputs-x", label), "", not_ours);
    assert_eq!(tries(&User::Admin, &patch("rgctl-outputs-x", label), ""), Ok(()));
    assert_eq!(tries(&us, &patch("rgctl-outputs-x", r#"{"data":{"a":"c"}}"#), ""), Ok(()));
    assert_eq!(tries(&us, &["delete", "configmap", "rgctl-outputs-x", "--wait=false"], ""), Ok(()));
    assert_eq!(tries(&User::Admin, &["delete", "configmap", "other", "--wait=false"], ""), Ok(()));
    // What the tests look for afterwards has all of them, also of a call that passed at another time.
    let wrong = beyond_its_rights(plane.folder());
    let told: BTreeSet<_> = wrong.iter().map(|call| (&*call.verb, &*call.name, &*call.decision)).collect();
    let patched = [("patch", "other", "allow"), ("patch", "rgctl-outputs-x", "allow")];
    let deleted = [("delete", "other", "allow"), ("delete", "rgctl-outputs-x", "allow")];
    assert!(patched.iter().chain(&deleted).all(|call| told.contains(call)), "{wrong:#?}");
    assert!(wrong.iter().any(|call| call.verb == "create"), "{wrong:#?}");
}
