//! The operator as a process, before a real API server, on the embedded cloud.
//!
//! Virtual time passes 3,600 times as fast as real time, so that databases are there within a second.

mod accounts;
mod agreeing;
mod away;
mod blind;
mod charts;
mod deleting;
mod identities;
mod plans;
mod quiet;
mod rights;
mod scaler;
mod storm;
mod telling;
mod upgrade;
mod versions;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rgctl_model::observed::Selection;
use rgctl_model::ports::Cloud;
use rgctl_schema::names::RegionId;
use rgctl_sim::{SimCloud, Trailed};
use rgctl_store::objects::WorldFile;
use serde_json::{Value, json};

use crate::plane::{Call, ControlPlane, User, calls_in, was_starting};
use crate::processes::{block_on, bound_command, end, spawn, wait_until};

/// As whom the operator works: with the rights that the program prints for it, and no others.
pub const OPERATOR: &str = "system:serviceaccount:rgctl-system:rgctl-operator";

/// The same as a user of the control plane.
pub fn service_account() -> User {
    User::ServiceAccount { namespace: "rgctl-system".to_owned(), name: "rgctl-operator".to_owned() }
}

/// What the program prints for a cluster.
pub fn printed(what: &str) -> String {
    let printed =
        std::process::Command::new(assert_cmd::cargo::cargo_bin!("rgctl")).args(["operator", what]).output();
    let printed = printed.unwrap();
    assert!(printed.status.success());
    String::from_utf8(printed.stdout).unwrap()
}

/// The kinds, the rights and the policies, as the program prints them.
pub fn define(plane: &ControlPlane) {
    apply(plane, &printed("crds"));
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    plane.kubectl(&User::Admin, &wait);
    apply(plane, &printed("manifests"));
    wait_for_rights(plane);
}

/// Waits until the API server knows what the operator may do: it learns of that by watches of its own. What is asked about is there
/// also where rgctl's own kinds are not.
pub fn wait_for_rights(plane: &ControlPlane) {
    let of_each_role = [
        ["list", "customresourcedefinitions.apiextensions.k8s.io/blueprints.rgctl.dev", "default"],
        ["create", "configmaps", "default"],
        ["create", "leases.coordination.k8s.io", "rgctl-system"],
    ];
    for [verb, what, namespace] in of_each_role {
        let asked = ["auth", "can-i", verb, what, "-n", namespace, "--as", OPERATOR];
        wait_until("the operator's rights", || plane.try_kubectl(&User::Admin, &asked, "").status.success());
    }
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

/// An operator that runs in a folder of its own, under the rights that are printed for it.
pub struct Operator {
    child: Child,
    folder: PathBuf,
    /// Of the control plane, with its audit log.
    plane: PathBuf,
    /// Where it tells its numbers.
    port: u16,
}

impl Operator {
    /// One that begins, or goes on, in a folder: of the control plane, or of another one by its whole path.
    pub fn start(plane: &ControlPlane, folder: &str, more: &[&str]) -> Self {
        Self::by(plane, &plane.kubeconfig(&service_account()), folder, more)
    }

    /// The same by another way to the API server.
    pub fn by(plane: &ControlPlane, kubeconfig: &Path, folder: &str, more: &[&str]) -> Self {
        let folder = plane.folder().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = bound_command(assert_cmd::cargo::cargo_bin!("rgctl"));
        command.args(["operator", "run", "--floor", "1s", "--listen", &format!("127.0.0.1:{port}")]);
        if !more.contains(&"--pace") {
            command.args(["--pace", "3600"]);
        }
        command.args(more).current_dir(&folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("KUBECONFIG", kubeconfig);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { child: spawn(command).unwrap(), folder, plane: plane.folder().to_owned(), port }
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

    /// The cloud of its folder, to look at and to meddle with.
    pub fn cloud(&self) -> SimCloud {
        cloud(&self.folder)
    }

    /// The sum of the series of one of its numbers, of those whose labels hold this text.
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let page = page(self.port, "/metrics").unwrap_or_default();
        let series = page.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        let of_it = series.filter(|(with, _)| with.is_empty() || with.starts_with('{'));
        of_it
            .filter(|(with, _)| with.contains(labels))
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }

    /// Asks it to end, and waits for that.
    pub fn stop(mut self) -> PathBuf {
        end(&mut self.child, Duration::from_secs(30));
        self.folder.clone()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        end(&mut self.child, Duration::from_secs(10));
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("operator:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
            return;
        }
        let wrong = beyond_its_rights(&self.plane);
        assert!(wrong.is_empty(), "it asked for what it may not do, or for what there is not: {wrong:#?}");
    }
}

/// Calls of the operator that the API server refused for what they were. An API server that is starting knows no right yet, and
/// what it forbids then says nothing; what a policy refuses was within its rights, and counts whenever it was.
pub fn beyond_its_rights(plane: &Path) -> Vec<Call> {
    let is_refused = |call: &Call| matches!(call.code, 400..=403 | 405..=408 | 411..=428);
    let is_too_early =
        |call: &Call| call.code == 403 && call.decision == "forbid" && was_starting(plane, call.came);
    let calls = calls_in(plane, 0).into_iter().filter(|call| call.user == OPERATOR);
    calls.filter(|call| is_refused(call) && !is_too_early(call)).collect()
}

/// What is told on a page of a port of this machine.
pub fn page(port: u16, path: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The cloud of a folder.
pub fn cloud(folder: &Path) -> SimCloud {
    SimCloud::open(&WorldFile::under(&folder.join(".rgctl"))).unwrap()
}

/// From now on the calls that change something in a cloud are kept, whoever makes them.
pub fn keep_trail(cloud: &SimCloud) {
    cloud.with_world(|world| world.keep_trail(0)).unwrap();
    cloud.with_world(|world| world.keep_trail(10_000)).unwrap();
}

/// Those that were made since, each by what it asked for; of one that was refused with why.
pub fn trail(cloud: &SimCloud) -> Vec<String> {
    let line = |line: &Trailed| match &line.refused {
        Some(why) => format!("{} refused: {why}", line.step),
        None => line.step.to_string(),
    };
    cloud.with_world(|world| world.trail().map(|(_, one)| line(one)).collect()).unwrap()
}

/// What there is in the cloud of a folder.
pub fn world(folder: &Path) -> BTreeSet<String> {
    let cloud = cloud(folder);
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

/// Waits until what is wanted now was judged.
pub fn is_judged(plane: &ControlPlane, namespace: &str) {
    wait_until("it is judged", || {
        let arena = get(plane, namespace, "blueprint", "arena").unwrap();
        arena["status"]["observedGeneration"] == arena["metadata"]["generation"]
    });
}

/// Asks for a turn of `arena`.
pub fn asks(plane: &ControlPlane, namespace: &str, token: &str) {
    let mark = format!("rgctl.dev/reconcile-at={token}");
    plane.kubectl(&User::Admin, &["annotate", "--overwrite", "blueprint", "arena", "-n", namespace, &mark]);
}
