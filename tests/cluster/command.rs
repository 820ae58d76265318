//! The command line with its record in a cluster, as processes.

use std::process::{Command, Output};
use std::sync::Arc;

use rgctl_kube::place::{Cluster, KubePlace};
use rgctl_kube::record::kube_store_with;
use rgctl_machine::SystemClock;
use rgctl_model::ports::{Clock, Store};
use rgctl_schema::names::RunId;
use rgctl_schema::time::Span;

use crate::plane::{ControlPlane, User};

/// Runs the command in a folder, with the record in a namespace.
fn rgctl(plane: &ControlPlane, user: &User, namespace: &str, line: &[&str]) -> Output {
    let folder = plane.folder().join(namespace);
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rgctl"));
    command.current_dir(&folder).env_clear().env("KUBECONFIG", plane.kubeconfig(user));
    command.args(line).args(["--store", &format!("kube://testbed/{namespace}")]).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_keeps_its_record_in_the_cluster_and_contends_for_its_lease_with_whoever_works_there() {
    let Some(plane) = ControlPlane::shared("the command line with its record in a cluster") else { return };
    let namespace = plane.namespace("command");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/blueprints/light-game.yaml");
    let run = |line: &[&str]| rgctl(plane, &User::Admin, &namespace, line);
    let done = run(&["apply", "-f", file, "--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let history = run(&["history", "light-game"]);
    assert!(text(&history.stdout).contains("the chain of digests is whole"), "{}", text(&history.stdout));
    let maps = plane.kubectl(&User::Admin, &["get", "configmaps", "-n", &namespace, "-o", "name"]);
    assert!(maps.lines().filter(|name| name.contains("/rgctl-")).count() <= 6, "few: {maps}");
    assert!(!plane.folder().join(&namespace).join(".rgctl/journal.sqlite").exists(), "and nowhere else");

    // Somebody in the cluster works on it.
    let here = KubePlace { cluster: Cluster::Here, namespace: namespace.clone() };
    let store = kube_store_with(plane.client(&User::Admin).await, here, Arc::new(SystemClock));
    let scope = store.scopes().await.unwrap().pop_first().unwrap();
    let (id, now) = (RunId("r1".to_owned()), SystemClock.now());
    let lasts = Span::from_hours(1);
    let lease = store.take_lease(&scope, &id, "the operator in kind-games", now, lasts, None).await.unwrap();
    let destroy = ["destroy", "-f", file, "--yes", "--allow", "delete:*@*", "--no-wait"];
    let held = run(&destroy);
    assert_eq!(held.status.code(), Some(7), "{}", text(&held.stderr));
    assert!(text(&held.stderr).contains("the operator in kind-games"), "{}", text(&held.stderr));
    store.release_lease(&lease).await.unwrap();
    let done = run(&destroy);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));

    // Who has no rights there is told which.
    let refused = rgctl(plane, &User::Stranger, &namespace, &["history", "light-game"]);
    let said = text(&refused.stderr);
    assert!(said.contains("forbidden") && said.contains("get, list, create"), "{said}");
}
