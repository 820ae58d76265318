//! The operator as a process, before a real API server, on the embedded cloud.
//!
//! Virtual time passes 3,600 times as fast as real time, so that databases are there within a second.

mod agreeing;
mod deleting;
mod identities;
mod quiet;
mod telling;
mod versions;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rgctl_model::observed::Selection;
use rgctl_model::ports::Cloud;
use rgctl_schema::names::RegionId;
use rgctl_sim::SimCloud;
use rgctl_store::objects::WorldFile;
use serde_json::{Value, json};

use crate::plane::{ControlPlane, User};
use crate::processes::{block_on, bound_command, end, spawn, wait_until};

/// The kinds, as the program prints them.
pub fn define(plane: &ControlPlane) {
    let printed = std::process::Command::new(assert_cmd::cargo::cargo_bin!("rgctl"))
        .args(["operator", "crds"])
        .output()
        .unwrap();
    assert!(printed.status.success());
    apply(plane, &String::from_utf8(printed.stdout).unwrap());
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    plane.kubectl(&User::Admin, &wait);
    // Where its Lease lies.
    let made = plane.try_kubectl(&User::Admin, &["create", "namespace", "rgctl-system"], "");
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success() || said.contains("AlreadyExists"), "{said}");
}

/// What kubectl applies.
pub fn apply(plane: &ControlPlane, text: &str) {
    let done = plane.try_kubectl(&User::Admin, &["apply", "--server-side", "-f", "-"], text);
    assert!(done.status.success(), "{}\n{text}", String::from_utf8_lossy(&done.stderr));
}

/// A blueprint of one small store, with these policies.
pub fn blueprint(namespace: &str, name: &str, policies: &Value) -> Value {
    json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Blueprint",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "demand": {
                "players": { "peakConcurrent": "2k", "growthPerMonth": "1%" },
                "requestsPerPlayerPerMinute": 12, "readShare": "85%",
                "hotData": { "size": "40GiB", "retention": "90d" },
            },
            "objectives": { "availability": "99%", "p99": "100ms", "rto": "8h", "rpo": "24h" },
            "regions": { "primary": "us-east-1" },
            "residency": { "allow": ["us-*"] },
            "stores": [store("ranking"), store("sessions")],
            "policies": policies,
        },
    })
}

/// A store of it.
pub fn store(name: &str) -> Value {
    json!({
        "name": name, "engine": "valkey", "purpose": "rankings",
        "demand": { "requestShare": "40%", "readShare": "95%", "dataSize": "1GiB", "workingSet": "1GiB" },
        "class": "cache.t4g.medium", "shards": 1, "replicasPerShard": "1..3",
        "cache": { "pattern": "cache-aside", "ttl": "30m", "hitRatio": "85%", "eviction": "volatile-lru" },
        "backup": { "retention": "1d" },
        "deletionProtection": false,
    })
}

/// An operator that runs in a folder of its own.
pub struct Operator {
    child: Child,
    folder: PathBuf,
}

impl Operator {
    /// One that begins, or goes on, in a folder of the control plane.
    pub fn start(plane: &ControlPlane, folder: &str, more: &[&str]) -> Self {
        let folder = plane.folder().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = bound_command(assert_cmd::cargo::cargo_bin!("rgctl"));
        command.args(["operator", "run", "--pace", "3600", "--no-listen", "--floor", "1s"]).args(more);
        command.current_dir(&folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("KUBECONFIG", plane.kubeconfig(&User::Admin));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { child: spawn(command).unwrap(), folder }
    }

    /// Everything that it, and those before it in that folder, have said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// What there is in the cloud: each object by its address.
    pub fn world(&self) -> BTreeSet<String> {
        world(&self.folder)
    }

    /// Where it runs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Asks it to end, and waits for that.
    pub fn stop(mut self) -> PathBuf {
        end(&mut self.child, Duration::from_secs(30));
        self.folder.clone()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("operator:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
        end(&mut self.child, Duration::from_secs(10));
    }
}

/// What there is in the cloud of a folder.
pub fn world(folder: &Path) -> BTreeSet<String> {
    let cloud = SimCloud::open(&WorldFile::under(&folder.join(".rgctl"))).unwrap();
    let wanted =
        Selection { regions: BTreeSet::from([RegionId::new("us-east-1").unwrap()]), ..Selection::default() };
    let seen = block_on(async move { cloud.observe(&wanted).await.unwrap() });
    seen.seen.keys().map(ToString::to_string).collect()
}

/// A condition of a blueprint: its status, its reason, its message.
pub fn condition(plane: &ControlPlane, namespace: &str, name: &str, about: &str) -> (String, String, String) {
    let Some(object) = get(plane, namespace, "blueprint", name) else { return Default::default() };
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = conditions.iter().find(|one| one["type"] == about).cloned().unwrap_or_default();
    (text(&one["status"]), text(&one["reason"]), text(&one["message"]))
}

/// An object, if it is there.
pub fn get(plane: &ControlPlane, namespace: &str, kind: &str, name: &str) -> Option<Value> {
    let asked = ["get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found"];
    let done = plane.try_kubectl(&User::Admin, &asked, "");
    serde_json::from_slice(&done.stdout).ok()
}

/// Waits until a blueprint is so.
pub fn wait_for(plane: &ControlPlane, namespace: &str, name: &str, about: &str, status: &str, reason: &str) {
    wait_until(&format!("{name}: {about}={status} {reason}"), || {
        let (is, why, _) = condition(plane, namespace, name, about);
        is == status && (reason.is_empty() || why == reason)
    });
}

/// Waits until a blueprint is as wanted, in the generation that it has now.
pub fn wait_ready(plane: &ControlPlane, namespace: &str, name: &str) {
    wait_until(&format!("{name} is ready"), || {
        let Some(object) = get(plane, namespace, "blueprint", name) else { return false };
        let is_judged = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        is_judged && condition(plane, namespace, name, "Ready").0 == "True"
    });
}

/// Waits until an object is gone.
pub fn wait_gone(plane: &ControlPlane, namespace: &str, kind: &str, name: &str) {
    wait_until(&format!("{kind} {name} is gone"), || get(plane, namespace, kind, name).is_none());
}
