//! Definitions that are older or newer than the operator, and what a new version of it would do unasked.

use std::path::Path;
use std::process::Command;

use rgctl_model::checkpoint::BlobKey;
use rgctl_model::ports::Store;
use rgctl_store::journal::SqliteStore;
use serde_json::{Value, json};

use super::agreeing::{approve, pending};
use super::{
    Operator, apply, blueprint, condition, define, get, page, printed, wait_for, wait_for_rights, wait_ready,
};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::{block_on, wait_until};

fn mark(plane: &ControlPlane, kind: &str, revision: &str) {
    let name = format!("{kind}.rgctl.dev");
    let revision = format!("rgctl.dev/revision={revision}");
    plane.kubectl(&User::Admin, &["annotate", "crd", &name, &revision, "--overwrite"]);
}

#[test]
fn nothing_is_begun_with_older_definitions_and_newer_ones_are_worked_by() {
    let Some(plane) = ControlPlane::alone("definitions of other versions", &Setup::default()) else { return };
    let namespace = plane.namespace("games");
    // It has its rights before there are kinds.
    apply(&plane, &printed("manifests"));
    wait_for_rights(&plane);
    let operator = Operator::start(&plane, "operator", &[]);
    wait_until("it says that the kinds are not there", || {
        operator.log().contains("is not there: nothing is begun")
    });
    define(&plane);
    mark(&plane, "overrides", "1");
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_for(&plane, &namespace, "arena", "Stalled", "True", "OldDefinitions");
    let (_, _, why) = condition(&plane, &namespace, "arena", "Stalled");
    assert!(why.contains("overrides.rgctl.dev is older (revision 1)"), "{why}");
    assert!(why.contains("rgctl operator crds | kubectl apply --server-side -f -"), "{why}");
    assert!(operator.world().is_empty());
    // What a later version prints.
    mark(&plane, "overrides", "99");
    wait_ready(&plane, &namespace, "arena");
    assert!(operator.log().contains("of a later version"), "{}", operator.log());
    // What was begun is at rest; from now on nothing is, and a deletion is let go all the same.
    mark(&plane, "plans", "1");
    wait_for(&plane, &namespace, "arena", "Stalled", "True", "OldDefinitions");
    plane.kubectl(&User::Admin, &["delete", "blueprint", "arena", "-n", &namespace, "--timeout=30s"]);
    assert!(!operator.world().is_empty());
}

#[test]
fn a_definition_that_is_removed_is_told_of_each_blueprint_and_waited_for_also_after_a_restart() {
    let Some(plane) = ControlPlane::alone("a definition that is removed", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_ready(&plane, &namespace, "arena");
    let made = operator.world();
    plane.kubectl(&User::Admin, &["delete", "crd", "plans.rgctl.dev", "--timeout=60s"]);
    wait_for(&plane, &namespace, "arena", "Stalled", "True", "OldDefinitions");
    let (_, _, why) = condition(&plane, &namespace, "arena", "Stalled");
    assert!(why.contains("the definition plans.rgctl.dev is not there"), "{why}");
    operator.stop();
    // Also who begins without it hears of the others, and lives.
    let operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "lobby", &json!({})).to_string());
    wait_for(&plane, &namespace, "lobby", "Stalled", "True", "OldDefinitions");
    let told = page(operator.port, "/readyz").unwrap();
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("plans.rgctl.dev is not there"), "{told}");
    let told = page(operator.port, "/healthz").unwrap();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert_eq!(operator.world(), made);
    // It comes back, and the work goes on by itself.
    apply(&plane, &printed("crds"));
    for name in ["arena", "lobby"] {
        wait_ready(&plane, &namespace, name);
    }
    assert_ne!(operator.world(), made);
}

/// Makes the record say that another version took the blueprint up last, and that it wanted something else of the same text.
fn taken_up_by_another_version(folder: &Path, name: &str) {
    let store = SqliteStore::open(&folder.join(".rgctl")).unwrap();
    let key = BlobKey::new("operator").unwrap();
    block_on(async move {
        let scopes = store.scopes().await.unwrap();
        let scope = scopes.into_iter().find(|scope| scope.blueprint.as_str() == name).unwrap();
        let kept = store.blob(&scope, &key).await.unwrap().unwrap();
        let mut kept: Value = serde_json::from_slice(&kept).unwrap();
        kept["version"] = json!("0.0.1 another");
        kept["desired"] = json!("something else");
        store.put_blob(&scope, &key, kept.to_string().as_bytes()).await.unwrap();
    });
}

#[test]
fn what_a_new_version_would_do_unasked_waits_and_is_done_for_one_blueprint_after_the_other() {
    let Some(plane) = ControlPlane::alone("a new version", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let names = ["arena", "lobby"];
    for name in names {
        apply(&plane, &blueprint(&namespace, name, &json!({})).to_string());
    }
    for name in names {
        wait_ready(&plane, &namespace, name);
    }
    let before = operator.world();
    let folder = operator.stop();
    for name in names {
        taken_up_by_another_version(&folder, name);
        // Something that a repair would change.
        let object =
            before.iter().find(|one| one.contains("elasticache.group") && one.contains(name)).unwrap();
        let done = Command::new(assert_cmd::cargo::cargo_bin!("rgctl"))
            .args(["sim", "edit", object, "snapshot_retention_days=3"])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let operator = Operator::start(&plane, "operator", &[]);
    let made: Vec<Value> = names
        .iter()
        .map(|name| {
            wait_for(&plane, &namespace, name, "PlanPending", "True", "NewVersion");
            pending(&plane, &namespace, name)
        })
        .collect();
    assert!(made.iter().all(|plan| plan["spec"]["cause"] == "NewVersion"), "{made:?}");
    let mark = plane.mark();
    for plan in &made {
        approve(&plane, &namespace, plan, &json!({}));
    }
    let phase = |plan: &Value| {
        let name = plan["metadata"]["name"].as_str().unwrap().to_owned();
        get(&plane, &namespace, "plan", &name).unwrap_or_default()["status"]["phase"].clone()
    };
    wait_until("both were carried out", || made.iter().all(|plan| phase(plan) == "Done"));
    for name in names {
        wait_ready(&plane, &namespace, name);
    }
    // Each is told to run, and to be done, before the other one is told to run.
    let told =
        plane.calls(mark).into_iter().filter(|call| call.is_write() && call.resource.contains("plans"));
    let told: Vec<String> = told.map(|call| call.name).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0] == told[1] && told[2] == told[3] && told[1] != told[2], "{told:?}");
    assert!(!operator.log().contains("panicked"));
}

#[test]
fn an_override_whose_blueprint_is_gone_says_so_and_holds_nothing_any_more() {
    let Some(plane) = ControlPlane::alone("overrides without a blueprint", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let up = json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Override",
        "metadata": { "name": "up", "namespace": namespace },
        "spec": { "blueprint": "arena", "store": "ranking", "region": "us-east-1", "axis": "replicas",
            "target": 2, "why": "launch" },
    });
    let reason = || {
        let told = get(&plane, &namespace, "override", "up").unwrap_or_default();
        told["status"]["conditions"][0]["reason"].as_str().unwrap_or_default().to_owned()
    };
    apply(&plane, &up.to_string());
    wait_until("it has no blueprint yet", || reason() == "NoBlueprint");
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_until("it holds", || reason() == "InForce");
    wait_ready(&plane, &namespace, "arena");
    // What nobody may decide now is told so, and decided later.
    let observes = |why: &str| {
        let mark = format!("rgctl.dev/observe-only={why}");
        let line = ["annotate", "--overwrite", "blueprint", "arena", "-n", &namespace, &mark];
        plane.kubectl(&User::Admin, &line);
    };
    observes("looking");
    plane.kubectl(&User::Admin, &["scale", "override/up", "--replicas=3", "-n", &namespace]);
    wait_until("nothing is decided", || reason() == "Undecided");
    observes("false");
    wait_until("it holds again", || reason() == "InForce");
    wait_ready(&plane, &namespace, "arena");
    wait_until("it is there", || {
        get(&plane, &namespace, "override", "up").unwrap()["status"]["current"] == 3
    });
    let done = plane.kubectl(&User::Admin, &["get", "plans", "-n", &namespace, "-o", "json"]);
    let carried_out: Value = serde_json::from_str(&done).unwrap();
    assert_eq!(carried_out["items"][0]["spec"]["cause"], "Override", "{carried_out:#}");
    plane.kubectl(&User::Admin, &["delete", "blueprint", "arena", "-n", &namespace]);
    wait_until("it has none any more", || reason() == "NoBlueprint");
    let store = SqliteStore::open(&operator.folder().join(".rgctl")).unwrap();
    wait_until("nothing of it stands", || {
        block_on(async {
            let scopes = store.scopes().await.unwrap();
            let scope = scopes.into_iter().find(|scope| scope.blueprint.as_str() == "arena").unwrap();
            store.standing(&scope).await.unwrap().overlays.is_empty()
        })
    });
    assert!(!operator.world().is_empty());
}

#[test]
fn what_is_carried_out_unasked_is_a_plan_too_that_takes_no_approval_and_the_last_one_is_kept() {
    let Some(plane) = ControlPlane::alone("plans of what is carried out", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let listed = || {
        let done = plane.try_kubectl(&User::Admin, &["get", "plans", "-n", &namespace, "-o", "json"], "");
        let read: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
        read["items"].as_array().cloned().unwrap_or_default()
    };
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_ready(&plane, &namespace, "arena");
    let one = listed();
    assert_eq!(one.len(), 1, "{one:#?}");
    let (spec, told) = (&one[0]["spec"], &one[0]["status"]);
    assert_eq!((&spec["needsApproval"], &told["phase"]), (&json!(false), &json!("Done")), "{one:#?}");
    assert!(spec["run"].is_string() && spec["run"] == told["run"] && spec["steps"] == 10, "{one:#?}");
    assert!(spec["costAfter"]["perMonth"].is_string() && spec["first"][0]["does"].is_string(), "{one:#?}");
    assert_eq!(one[0]["metadata"]["ownerReferences"][0]["name"], "arena");
    let mut more = blueprint(&namespace, "arena", &json!({}));
    more["spec"]["stores"].as_array_mut().unwrap().push(super::store("queue"));
    apply(&plane, &more.to_string());
    wait_until("the plan of the second run has taken the place of the first", || {
        let all = listed();
        all.len() == 1 && all[0]["spec"]["digest"] != spec["digest"] && all[0]["status"]["phase"] == "Done"
    });
    wait_ready(&plane, &namespace, "arena");
    let status = get(&plane, &namespace, "blueprint", "arena").unwrap()["status"].clone();
    assert!(status["plan"].is_null() && status["run"].is_null(), "nothing is under way: {status:#}");
    assert!(operator.log().contains("is carried out"));
}
