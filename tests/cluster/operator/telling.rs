//! What is told of blueprints beside their conditions: events, connection details, cost.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Operator, apply, blueprint, condition, define, get, wait_ready};
use crate::plane::{Call, ControlPlane, Setup, User};
use crate::processes::wait_until;

/// Events that were written since a mark.
fn events(plane: &ControlPlane, mark: u64) -> Vec<Call> {
    let is_event = |call: &Call| call.resource.starts_with("events") && !call.agent.starts_with("kubectl");
    plane.calls(mark).into_iter().filter(|call| is_event(call) && call.is_write()).collect()
}

/// Reasons of the events of a resource.
fn reasons(plane: &ControlPlane, namespace: &str, of: &str) -> Vec<String> {
    let told =
        plane.kubectl(&User::Admin, &["get", "events.v1.events.k8s.io", "-n", namespace, "-o", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let items = told["items"].as_array().unwrap().iter();
    let ours = items.filter(|one| one["regarding"]["name"] == of);
    ours.map(|one| one["reason"].as_str().unwrap().to_owned()).collect()
}

/// What somebody does to the embedded cloud of a folder.
fn by_hand(folder: &Path, line: &[&str]) {
    let done = Command::new(assert_cmd::cargo::cargo_bin!("rgctl"))
        .arg("sim")
        .args(line)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn events_are_told_at_edges_and_none_in_a_quiet_hour_or_after_a_restart() {
    let Some(plane) = ControlPlane::alone("events of an operator", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let mark = plane.mark();
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_ready(&plane, &namespace, "arena");
    wait_until("that it is settled is told", || reasons(&plane, &namespace, "arena") == ["Settled"]);
    let mut wrong = blueprint(&namespace, "lobby", &json!({}));
    wrong["spec"]["policies"]["deletoin"] = json!("snapshot");
    apply(&plane, &wrong.to_string());
    wait_until("that it is blocked is told", || reasons(&plane, &namespace, "lobby") == ["Blocked"]);
    let told = events(&plane, mark);
    assert_eq!(told.len(), 2, "one for each: {told:#?}");
    assert!(told.iter().all(|call| call.code == 201), "{told:#?}");
    let mark = plane.mark();
    // Hours of virtual time.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let folder = operator.stop();
    let operator = Operator::start(&plane, "operator", &[]);
    wait_until("the second one has judged it", || operator.log().matches("condition=\"ready\"").count() >= 2);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(events(&plane, mark), []);
    // And an object that somebody else has changed.
    let group =
        operator.world().into_iter().find(|at| at.contains("elasticache.group/arena-ranking")).unwrap();
    by_hand(&folder, &["edit", &group, "snapshot_retention_days=9"]);
    wait_until("that it drifted is told", || {
        reasons(&plane, &namespace, "arena").contains(&"DriftFound".to_owned())
    });
    wait_ready(&plane, &namespace, "arena");
    let told = events(&plane, mark);
    assert_eq!(told.len(), 1, "and no other one within a minute: {told:#?}");
}

/// A blueprint with a database that has two members, whose connection details are asked for.
fn connected(namespace: &str, name: &str) -> Value {
    let mut object = blueprint(namespace, name, &json!({}));
    object["metadata"]["annotations"] = json!({ "rgctl.dev/outputs": "true" });
    object["spec"]["stores"] = json!([{
        "name": "players", "engine": "aurora-postgresql", "purpose": "accounts",
        "demand": { "requestShare": "100%", "dataSize": "40GiB" },
        "serverless": { "minAcu": "0.5", "maxAcu": 8 }, "readers": "1..3",
        "backup": { "retention": "7d" }, "deletionProtection": false,
    }]);
    object
}

/// What the ConfigMap of a blueprint says.
fn published(plane: &ControlPlane, namespace: &str, name: &str) -> Option<Value> {
    get(plane, namespace, "configmap", &format!("rgctl-outputs-{name}"))
}

fn writes(plane: &ControlPlane, mark: u64) -> usize {
    let is_ours = |call: &Call| call.name.starts_with("rgctl-outputs-") && !call.agent.starts_with("kubectl");
    plane.calls(mark).iter().filter(|call| is_ours(call) && call.is_write()).count()
}

#[test]
fn connection_details_are_published_where_they_are_asked_for_and_follow_who_writes() {
    let Some(plane) = ControlPlane::alone("connection details", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let mark = plane.mark();
    apply(&plane, &connected(&namespace, "arena").to_string());
    wait_ready(&plane, &namespace, "arena");
    let map = published(&plane, &namespace, "arena").unwrap();
    let of = |map: &Value, field: &str| {
        map["data"][format!("players.us-east-1.{field}")].as_str().unwrap_or_default().to_owned()
    };
    assert!(of(&map, "writer").ends_with(".us-east-1.rds.amazonaws.com:5432"), "{map:#}");
    assert!(of(&map, "secret").starts_with("arn:aws:secretsmanager:us-east-1:"), "{map:#}");
    assert_eq!(of(&map, "writing-member"), "arena-players-use1-1");
    assert_eq!(map["metadata"]["ownerReferences"][0]["kind"], "Blueprint");
    assert_eq!(writes(&plane, mark), 1, "once, when all of it was there");
    let status = get(&plane, &namespace, "blueprint", "arena").unwrap()["status"].clone();
    assert_eq!(status["outputs"], "rgctl-outputs-arena");
    assert_eq!(status["stores"][0]["endpoint"], of(&map, "writer"));
    assert!(status["cost"]["perHour"].as_str().unwrap().ends_with(" USD"), "{status:#}");
    let columns = plane.kubectl(&User::Admin, &["get", "bp", "-n", &namespace]);
    assert!(
        columns.contains("COST/H") && columns.contains(status["cost"]["perHour"].as_str().unwrap()),
        "{columns}"
    );
    // A restart reads it, and writes nothing.
    let mark = plane.mark();
    let folder = operator.stop();
    let operator = Operator::start(&plane, "operator", &[]);
    wait_until("the second one has judged it", || operator.log().matches("condition=\"ready\"").count() >= 2);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(writes(&plane, mark), 0);
    by_hand(&folder, &["delete", "us-east-1/aurora.instance/arena-players-use1-1"]);
    wait_until("it follows", || {
        published(&plane, &namespace, "arena")
            .is_some_and(|map| of(&map, "writing-member") == "arena-players-use1-2")
    });
    // What somebody has written into it is put right by the next turn.
    wait_ready(&plane, &namespace, "arena");
    let patch = json!({ "data": { "players.us-east-1.writer": "elsewhere" } }).to_string();
    let line = ["patch", "configmap", "rgctl-outputs-arena", "-n", &namespace, "--type=merge", "-p", &patch];
    plane.kubectl(&User::Admin, &line);
    let annotate = |mark: &str| {
        plane.kubectl(
            &User::Admin,
            &["annotate", "--overwrite", "blueprint", "arena", "-n", &namespace, mark],
        );
    };
    annotate("rgctl.dev/reconcile-at=now");
    wait_until("it is put right", || {
        published(&plane, &namespace, "arena")
            .is_some_and(|map| of(&map, "writer").contains("rds.amazonaws.com"))
    });
    annotate("rgctl.dev/outputs=false");
    wait_until("it is taken back", || published(&plane, &namespace, "arena").is_none());
    wait_until("that is told", || {
        let status = get(&plane, &namespace, "blueprint", "arena").unwrap()["status"].clone();
        status["outputs"].is_null() && condition(&plane, &namespace, "arena", "OutputsPublished").0.is_empty()
    });
}

#[test]
fn a_config_map_of_somebody_else_is_not_written_over_and_that_is_told() {
    let Some(plane) = ControlPlane::alone("a foreign ConfigMap", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let _operator = Operator::start(&plane, "operator", &[]);
    let make = ["create", "configmap", "rgctl-outputs-arena", "-n", &namespace, "--from-literal=a=mine"];
    plane.kubectl(&User::Admin, &make);
    apply(&plane, &connected(&namespace, "arena").to_string());
    wait_ready(&plane, &namespace, "arena");
    let (status, reason, why) = condition(&plane, &namespace, "arena", "OutputsPublished");
    assert_eq!((&*status, &*reason), ("False", "NotPublished"));
    assert!(why.contains("is not the operator's"), "{why}");
    assert_eq!(published(&plane, &namespace, "arena").unwrap()["data"], json!({ "a": "mine" }));
    // Nobody asks any more: that it is not published is no longer wrong.
    let mark = ["annotate", "--overwrite", "blueprint", "arena", "-n", &namespace, "rgctl.dev/outputs=false"];
    plane.kubectl(&User::Admin, &mark);
    wait_until("it is told no more", || {
        condition(&plane, &namespace, "arena", "OutputsPublished").0.is_empty()
    });
    assert_eq!(published(&plane, &namespace, "arena").unwrap()["data"], json!({ "a": "mine" }));
}

#[test]
fn connection_details_that_the_api_server_did_not_take_are_written_again_soon() {
    let Some(plane) = ControlPlane::alone("a write that is not taken", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    // Who is asked about each ConfigMap does not answer.
    let hook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "away" },
        "webhooks": [{
            "name": "away.example.org", "clientConfig": { "url": "https://127.0.0.1:1/" },
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"] }],
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": 1,
        }],
    });
    apply(&plane, &hook.to_string());
    let probe = ["create", "configmap", "rgctl-outputs-probe", "-n", &namespace, "--dry-run=server"];
    wait_until("nothing is taken", || !plane.try_kubectl(&User::Admin, &probe, "").status.success());
    // Slow enough that the daily turn does not come meanwhile.
    let _operator = Operator::start(&plane, "operator", &["--pace", "120"]);
    apply(&plane, &connected(&namespace, "arena").to_string());
    wait_until("that it is not published is told", || {
        let (is, _, why) = condition(&plane, &namespace, "arena", "OutputsPublished");
        is == "False" && why.contains("away.example.org")
    });
    wait_ready(&plane, &namespace, "arena");
    plane.kubectl(&User::Admin, &["delete", "validatingwebhookconfiguration", "away"]);
    wait_until("it is written", || published(&plane, &namespace, "arena").is_some());
    wait_until("that is told", || condition(&plane, &namespace, "arena", "OutputsPublished").0 == "True");
}
