//! The charts are taken off and put back: the cloud stays as it is, and nothing is planned anew.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{Operator, apply, blueprint, get, keep_trail, trail, wait_for_rights, wait_ready};
use crate::plane::{ControlPlane, Setup, User, asset, is_there};
use crate::processes::wait_until;

#[test]
fn charts_that_are_taken_off_leave_the_cloud_and_put_back_plan_nothing() {
    let what = "charts that are taken off";
    if !is_there(&["helm"], what) {
        return;
    }
    let Some(plane) = ControlPlane::alone(what, &Setup::default()) else { return };
    let charts = plane.folder().join("charts");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rgctl"));
    assert!(command.args(["operator", "chart"]).arg(&charts).status().unwrap().success());
    let install = || {
        for chart in ["rgctl-crds", "rgctl-operator"] {
            helm(&plane, &charts, &["install", chart, chart, "--create-namespace"]);
        }
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        plane.kubectl(&User::Admin, &wait);
        wait_for_rights(&plane);
    };
    install();
    let namespace = plane.namespace("games");
    // As its pod would run; it has its memory in the operator's namespace.
    let more = ["--elect", "--store", "kube://testbed/rgctl-system"];
    let operator = Operator::start(&plane, "operator", &more);
    apply(&plane, &blueprint(&namespace, "arena", &json!({ "deletion": "snapshot" })).to_string());
    wait_ready(&plane, &namespace, "arena");
    // One that was made anew, or written to, has its name again: it is called by its digest.
    let columns = "custom-columns=NAME:.metadata.name,UID:.metadata.uid,VERSION:.metadata.resourceVersion,\
        ASKS:.spec.needsApproval,PHASE:.status.phase";
    let planned =
        || plane.kubectl(&User::Admin, &["get", "plans.rgctl.dev", "-A", "--no-headers", "-o", columns]);
    wait_until("what was done is told", || planned().contains("Done"));
    let before = planned();
    let words: Vec<&str> = before.split_whitespace().collect();
    assert!(words.len() == 5 && words[3..] == ["false", "Done"], "one that asked nobody: {before}");
    let (there, account) = (operator.world(), operator.cloud());
    keep_trail(&account);
    // The pod goes with its chart.
    operator.stop();
    for chart in ["rgctl-operator", "rgctl-crds"] {
        helm(&plane, &charts, &["uninstall", chart]);
    }
    let kept = get(&plane, &namespace, "blueprint", "arena").unwrap();
    assert_eq!(kept["status"]["conditions"][0]["status"], "True", "definitions and what they define stay");

    install();
    let operator = Operator::start(&plane, "operator", &more);
    wait_until("it has judged anew", || operator.log().matches("condition=\"ready\"").count() >= 2);
    std::thread::sleep(std::time::Duration::from_secs(2));
    wait_ready(&plane, &namespace, "arena");
    assert_eq!((trail(&account), operator.world()), (Vec::new(), there));
    assert_eq!(planned(), before, "nothing is planned anew, nor written to");
}

fn helm(plane: &ControlPlane, charts: &Path, line: &[&str]) {
    let mut command = Command::new(asset("helm").unwrap());
    command
        .args(line)
        .args(["-n", "rgctl-system"])
        .current_dir(charts)
        .env("KUBECONFIG", plane.kubeconfig(&User::Admin));
    command.env("HELM_CACHE_HOME", charts.join("cache")).env("HELM_CONFIG_HOME", charts.join("config"));
    let done = command.output().unwrap();
    assert!(done.status.success(), "helm {line:?}: {}", String::from_utf8_lossy(&done.stderr));
}
