//! The operator under the rights that are printed for it: all that it does in a life, and nothing that it may not do.
//!
//! Every other test here runs it under these rights, too, and fails where the API server refuses it anything.

use std::collections::BTreeSet;

use serde_json::json;

use super::{OPERATOR, Operator, apply, blueprint, define, get, store, wait_for, wait_gone, wait_ready};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::wait_until;

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

    // It went through all that it has rights for.
    let calls = plane.calls(0).into_iter().filter(|call| call.user == OPERATOR);
    let made: BTreeSet<String> = calls.map(|call| format!("{} {}", call.verb, call.resource)).collect();
    for wanted in [
        "create configmaps",
        "update configmaps",
        "create leases.coordination.k8s.io",
        "update leases.coordination.k8s.io",
        "watch blueprints.rgctl.dev",
        "patch blueprints.rgctl.dev",
        "patch blueprints.rgctl.dev/status",
        "create plans.rgctl.dev",
        "patch plans.rgctl.dev/status",
        "patch approvals.rgctl.dev/status",
        "patch overrides.rgctl.dev/status",
        "watch namespaces",
        "watch customresourcedefinitions.apiextensions.k8s.io",
    ] {
        assert!(made.contains(wanted), "it never did: {wanted}; it did: {made:#?}");
    }
}
