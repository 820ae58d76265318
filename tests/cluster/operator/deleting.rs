//! What is deleted in the cluster, by whatever hand, deletes nothing in the cloud that nobody agreed to.

use serde_json::json;

use super::{Operator, apply, blueprint, define, get, wait_for, wait_gone, wait_ready, world};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::wait_until;

#[test]
fn the_definition_of_the_kind_is_deleted_and_the_cloud_stays_with_the_operator_up_down_and_paused() {
    let what = "a definition that is deleted";
    let Some(plane) = ControlPlane::alone(what, &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let snapshot = json!({ "deletion": "snapshot" });
    let arena = blueprint(&namespace, "arena", &snapshot);
    let delete = ["delete", "crd", "blueprints.rgctl.dev", "--wait=false"];
    let is_gone = || get(&plane, "", "crd", "blueprints.rgctl.dev").is_none();
    let mut before = None;
    for how in ["up", "down", "paused"] {
        let mut operator = Operator::start(&plane, "operator", &[]);
        apply(&plane, &arena.to_string());
        wait_ready(&plane, &namespace, "arena");
        let kept = get(&plane, &namespace, "blueprint", "arena").unwrap();
        assert_eq!(kept["metadata"]["finalizers"], json!(["rgctl.dev/snapshot"]), "{how}");
        let there = operator.world();
        assert!(there.len() >= 4, "{there:?}");
        // What was there before the definition went is there, and nothing beside it: it was found again.
        assert_eq!(before.get_or_insert_with(|| there.clone()), &there, "{how}");
        match how {
            "down" => {
                let folder = operator.stop();
                plane.kubectl(&User::Admin, &delete);
                std::thread::sleep(std::time::Duration::from_secs(1));
                assert!(!is_gone(), "the finalizer keeps it while nobody is there");
                assert_eq!(world(&folder), there);
                operator = Operator::start(&plane, "operator", &[]);
            }
            "paused" => {
                let pause = ["annotate", "blueprint", "arena", "-n", &namespace, "rgctl.dev/paused=holiday"];
                plane.kubectl(&User::Admin, &pause);
                wait_for(&plane, &namespace, "arena", "Ready", "Unknown", "Paused");
                plane.kubectl(&User::Admin, &delete);
            }
            _ => drop(plane.kubectl(&User::Admin, &delete)),
        }
        wait_until("the definition goes", is_gone);
        assert_eq!(operator.world(), there, "{how}");
        operator.stop();
        define(&plane);
    }
}

#[test]
fn a_namespace_that_is_deleted_goes_at_once_and_the_cloud_stays() {
    let setup = Setup { controllers: true, ..Setup::default() };
    let Some(plane) = ControlPlane::alone("a namespace of blueprints that is deleted", &setup) else {
        return;
    };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({ "deletion": "snapshot" })).to_string());
    wait_ready(&plane, &namespace, "arena");
    let before = operator.world();
    plane.kubectl(&User::Admin, &["delete", "namespace", &namespace, "--timeout=100s"]);
    assert_eq!(operator.world(), before);
    assert!(operator.log().contains("its namespace is deleted"), "{}", operator.log());
}

#[test]
fn a_blueprint_without_a_word_about_deletion_goes_at_once_also_where_nothing_of_it_is_right() {
    let Some(plane) = ControlPlane::alone("a blueprint that is deleted", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_ready(&plane, &namespace, "arena");
    let before = operator.world();
    let arena = get(&plane, &namespace, "blueprint", "arena").unwrap();
    assert_eq!(arena["metadata"]["finalizers"], json!(null), "nothing keeps it");
    plane.kubectl(&User::Admin, &["delete", "blueprint", "arena", "-n", &namespace, "--timeout=20s"]);
    // The way out of `snapshot`, with a text that cannot be read, while it is paused.
    apply(&plane, &blueprint(&namespace, "other", &json!({ "deletion": "snapshot" })).to_string());
    wait_ready(&plane, &namespace, "other");
    let with_other = operator.world();
    let patch = json!({ "metadata": { "annotations": { "rgctl.dev/paused": "x" } },
        "spec": { "policies": { "deletion": "retain" }, "nonsense": { "a": 7 } } });
    let line = ["patch", "blueprint", "other", "-n", &namespace, "--type=merge", "-p", &patch.to_string()];
    plane.kubectl(&User::Admin, &line);
    plane.kubectl(&User::Admin, &["delete", "blueprint", "other", "-n", &namespace, "--timeout=60s"]);
    assert_eq!(operator.world(), with_other);
    assert!(before.is_subset(&with_other));
}

#[test]
fn many_that_are_deleted_at_once_are_let_go_and_the_cloud_stays() {
    let Some(plane) = ControlPlane::alone("a mass deletion", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let names = ["a-one", "b-two", "c-three", "d-four"];
    for name in names {
        apply(&plane, &blueprint(&namespace, name, &json!({ "deletion": "snapshot" })).to_string());
    }
    for name in names {
        wait_ready(&plane, &namespace, name);
    }
    let before = operator.world();
    plane.kubectl(&User::Admin, &["delete", "blueprints", "--all", "-n", &namespace, "--timeout=100s"]);
    assert_eq!(operator.world(), before);
    assert!(operator.log().contains("many blueprints are deleted at once"), "{}", operator.log());
}

#[test]
fn stores_go_with_their_blueprint_only_when_it_said_so_and_a_person_agreed_and_leave_final_snapshots() {
    let Some(plane) = ControlPlane::alone("a blueprint that takes its stores along", &Setup::default())
    else {
        return;
    };
    define(&plane);
    let namespace = plane.namespace("games");
    let mut operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({ "deletion": "snapshot" })).to_string());
    wait_ready(&plane, &namespace, "arena");
    let before = operator.world();
    plane.kubectl(&User::Admin, &["delete", "blueprint", "arena", "-n", &namespace, "--wait=false"]);
    wait_for(&plane, &namespace, "arena", "DeletionHeld", "True", "NeedsApproval");
    // Not by a restart either.
    operator.stop();
    operator = Operator::start(&plane, "operator", &[]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(operator.world(), before);
    let plan = super::agreeing::pending(&plane, &namespace, "arena");
    assert_eq!(plan["spec"]["cause"], "Deletion");
    super::agreeing::approve(&plane, &namespace, &plan, &json!({}));
    wait_gone(&plane, &namespace, "blueprint", "arena");
    let left = operator.world();
    let is_final = |one: &&String| one.contains("snapshot/");
    assert_eq!(left.iter().filter(is_final).count(), 2, "{left:?}");
    assert!(left.iter().all(|one| !before.contains(one)), "{left:?}");
}
