//! Another writer changes what the operator writes, all the time.

use std::time::Instant;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::json;

use super::{OPERATOR, Operator, apply, blueprint, define, get, wait_ready};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::{tell, wait_until};

const CHANGES: usize = 1_000;

/// Changes status, labels and annotations of both in turn.
async fn rages(client: kube::Client, namespace: String) {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("rgctl.dev", "v1alpha1", "Blueprint"));
    let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &kind);
    for number in 0..CHANGES {
        let name = ["arena", "lobby"][number % 2];
        let params = PatchParams::default();
        if number % 4 < 2 {
            let patch = json!({ "status": { "drift": 7 + number % 90 } });
            api.patch_status(name, &params, &Patch::Merge(&patch)).await.unwrap();
        } else {
            let text = number.to_string();
            let patch =
                json!({ "metadata": { "labels": { "n": text }, "annotations": { "other.dev/n": text } } });
            api.patch(name, &params, &Patch::Merge(&patch)).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_writers_storm_on_a_pair_is_weathered_without_a_loop() {
    let Some(plane) = ControlPlane::alone("a storm of another writer", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let names = ["arena", "lobby"];
    for name in names {
        apply(&plane, &blueprint(&namespace, name, &json!({})).to_string());
    }
    let mark = plane.mark();
    let began = Instant::now();
    let storm = tokio::spawn(rages(plane.client(&User::Admin).await, namespace.clone()));
    // In the midst of it the operator makes both, and is told to keep them until their snapshots are taken.
    for name in names {
        apply(&plane, &blueprint(&namespace, name, &json!({ "deletion": "snapshot" })).to_string());
    }
    storm.await.unwrap();
    let lasted = began.elapsed();
    for name in names {
        wait_ready(&plane, &namespace, name);
        let mark = ["annotate", "blueprint", name, "-n", &namespace, "rgctl.dev/reconcile-at=now"];
        plane.kubectl(&User::Admin, &mark);
        wait_until("what is told is right again", || {
            let told = get(&plane, &namespace, "blueprint", name).unwrap();
            told["status"]["drift"] == 0
                && told["status"]["lastHandledReconcileAt"] == "now"
                && told["metadata"]["finalizers"] == json!(["rgctl.dev/snapshot"])
        });
    }
    let all = plane.calls(mark);
    let others = all.iter().filter(|call| call.agent == "tests" && call.verb == "patch").count();
    let ours: Vec<_> = all.iter().filter(|call| call.user == OPERATOR && call.is_write()).collect();
    let conflicts = ours.iter().filter(|call| call.code == 409).count();
    let turns = operator.metric("rgctl_turns_total", "");
    let took = operator.metric("rgctl_reconcile_seconds_sum", "")
        / operator.metric("rgctl_reconcile_seconds_count", "");
    let slow = operator.metric("rgctl_reconcile_seconds_count", "")
        - operator.metric("rgctl_reconcile_seconds_bucket", "le=\"0.5\"");
    tell(&format!(
        "storm: {others} changes in {:.1} s; the operator wrote {} times ({conflicts} conflicts) in {turns} turns of {took:.3} s, \
         {slow} of them over half a second",
        lasted.as_secs_f64(),
        ours.len()
    ));
    assert_eq!(others, CHANGES);
    // A turn of each a second at most, and what it has to tell; not one for each change.
    let bound = names.len() as f64 * (began.elapsed().as_secs_f64() + 1.0);
    assert!(turns <= bound, "{turns} turns, at most {bound}");
    assert!(ours.len() <= 60, "{}", ours.len());
    // A turn writes a status, and at most one thing that goes with it.
    assert!(ours.len() as f64 <= 2.0 * turns, "{} writes in {turns} turns", ours.len());
    let quiet = plane.mark();
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(super::quiet::writes(&plane, quiet), [], "it is over");
}
