//! Several replicas of the operator, as processes: one works, the others wait for their turn.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rgctl_kube::place::{Cluster, KubePlace};
use rgctl_kube::record::kube_store_with;
use rgctl_machine::SystemClock;
use rgctl_model::journal::{Entry, Event};
use rgctl_model::ports::Store;

use crate::plane::{ControlPlane, Setup, User};
use crate::processes::{block_on, bound_command, end, signal, spawn, wait_until, wait_within};

/// A replica, which shares a folder with the others, and with it record and world.
struct Replica {
    child: Child,
    port: u16,
}

impl Replica {
    fn start(plane: &ControlPlane, namespace: &str, more: &[&str]) -> Self {
        let folder = plane.folder().join(namespace);
        std::fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = bound_command(assert_cmd::cargo::cargo_bin!("rgctl"));
        command.args(["operator", "run", "--elect", "--own-namespace", namespace, "--namespaces", namespace]);
        command.args(["--listen", &format!("127.0.0.1:{port}")]).args(more).current_dir(&folder).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("KUBECONFIG", plane.kubeconfig(&User::Admin));
        let log = std::fs::File::create(folder.join(format!("log-{port}"))).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { child: spawn(command).unwrap(), port }
    }

    /// What it answers on a page, by its number.
    fn page(&self, path: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split(' ').nth(1)?.parse().ok()
    }

    /// Whether a Lease names it.
    fn is_named_by(&self, holder: &str) -> bool {
        holder.contains(&format!("(process {})", self.child.id()))
    }

    fn code(&mut self) -> Option<i32> {
        wait_until("its end", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            // One that was stopped hears nothing else.
            self.child.kill().unwrap();
        }
        end(&mut self.child, Duration::from_secs(5));
    }
}

fn holder(plane: &ControlPlane, namespace: &str) -> String {
    let asked = ["get", "lease", "rgctl-operator", "-n", namespace, "-o", "jsonpath={.spec.holderIdentity}"];
    String::from_utf8(plane.try_kubectl(&User::Admin, &asked, "").stdout).unwrap()
}

#[test]
fn one_replica_leads_and_the_next_takes_over_at_once_or_after_the_term_while_all_are_healthy() {
    let Some(plane) = ControlPlane::shared("several replicas of the operator") else { return };
    let namespace = plane.namespace("replicas");
    let mut first = Replica::start(plane, &namespace, &[]);
    wait_until("a leader", || first.is_named_by(&holder(plane, &namespace)));
    let mut second = Replica::start(plane, &namespace, &[]);
    wait_until("its health", || second.page("/healthz") == Some(200));
    assert_eq!(second.page("/readyz"), Some(200), "who waits its turn is ready for it");
    assert!(first.is_named_by(&holder(plane, &namespace)));

    signal(&first.child, "TERM");
    assert_eq!(first.code(), Some(0));
    let within = Duration::from_secs(2);
    wait_within(within, "the next leader", || second.is_named_by(&holder(plane, &namespace)));

    // Stopped, as a machine that sleeps; whoever comes next waits for the term.
    let third = Replica::start(plane, &namespace, &[]);
    wait_until("its health", || third.page("/healthz") == Some(200));
    signal(&second.child, "STOP");
    let began = Instant::now();
    let within = Duration::from_secs(45);
    wait_within(within, "the next leader", || third.is_named_by(&holder(plane, &namespace)));
    assert!(began.elapsed() > Duration::from_secs(15), "the term has to pass: {:?}", began.elapsed());
    signal(&second.child, "CONT");
    assert_eq!(second.code(), Some(7), "it leads no more, ends, and is started anew by whoever started it");
    assert!(third.is_named_by(&holder(plane, &namespace)), "and took nothing from its heir");
}

#[test]
fn a_namespace_that_is_missing_is_said_and_waited_for() {
    let Some(plane) = ControlPlane::shared("an operator whose namespace is missing") else { return };
    let replica = Replica::start(plane, "not-there-yet", &[]);
    let log = || {
        let path = plane.folder().join("not-there-yet").join(format!("log-{}", replica.port));
        std::fs::read_to_string(path).unwrap()
    };
    wait_until("its words", || log().contains("not-there-yet") && log().contains("not found (404)"));
    plane.kubectl(&User::Admin, &["create", "namespace", "not-there-yet"]);
    wait_until("a leader", || replica.is_named_by(&holder(plane, "not-there-yet")));
}

/// The record of the one blueprint in a namespace, verified; nothing before it begins.
fn record(plane: &ControlPlane, namespace: &str) -> Vec<Entry> {
    let (cluster, namespace) = (Cluster::Here, namespace.to_owned());
    block_on(async {
        let client = plane.client(&User::Admin).await;
        let store = kube_store_with(client, KubePlace { cluster, namespace }, Arc::new(SystemClock));
        let scopes = store.scopes().await.unwrap();
        let Some(scope) = scopes.iter().find(|scope| scope.blueprint.as_str() == "light-game") else {
            return Vec::new();
        };
        store.entries(scope, 0).await.unwrap()
    })
}

#[test]
fn a_leader_that_is_stopped_in_the_middle_of_a_run_is_continued_by_the_next_and_wakes_up_to_do_nothing() {
    let what = "a leader that is stopped in the middle of a run";
    let Some(plane) = ControlPlane::alone(what, &Setup::default()) else { return };
    let definitions =
        Command::new(assert_cmd::cargo::cargo_bin!("rgctl")).args(["operator", "crds"]).output();
    let definitions = String::from_utf8(definitions.unwrap().stdout).unwrap();
    let apply = |text: &str| {
        let done = plane.try_kubectl(&User::Admin, &["apply", "--server-side", "-f", "-"], text);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    apply(&definitions);
    plane.kubectl(&User::Admin, &["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    plane.kubectl(&User::Admin, &["create", "namespace", "games"]);
    let game = include_str!("../../blueprints/light-game.yaml");
    apply(&game.replace("  name: light-game\n", "  name: light-game\n  namespace: games\n"));

    // A minute of the world in a second: what is begun takes a quarter of an hour of it.
    let more = ["--pace", "60", "--store", "kube://testbed/games"];
    let mut first = Replica::start(&plane, "games", &more);
    wait_until("the leader", || first.is_named_by(&holder(&plane, "games")));
    let second = Replica::start(&plane, "games", &more);
    let accepted = |lines: &[Entry]| {
        let mut by_step = BTreeMap::new();
        for line in lines {
            if let Event::Accepted { step, .. } = &line.what {
                *by_step.entry(step.clone()).or_insert(0) += 1;
            }
        }
        by_step
    };
    wait_until("calls", || accepted(&record(&plane, "games")).len() > 2);
    signal(&first.child, "STOP");
    let before = record(&plane, "games");
    let is_over = |lines: &[Entry]| lines.iter().any(|line| matches!(line.what, Event::Closed { .. }));
    assert!(!is_over(&before), "it was stopped in the middle");

    let within = Duration::from_mins(4);
    wait_within(within, "the end of the run", || is_over(&record(&plane, "games")));
    assert!(second.is_named_by(&holder(&plane, "games")));
    signal(&first.child, "CONT");
    assert_eq!(first.code(), Some(7), "it leads no more, and says so");
    let after = record(&plane, "games");
    assert!(after.starts_with(&before), "nothing of what was begun is forgotten");
    let runs: std::collections::BTreeSet<_> = after.iter().map(|line| line.run.clone()).collect();
    assert_eq!(runs.len(), 1, "it is the same run: {runs:?}");
    let twice: Vec<_> = accepted(&after).into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "called twice: {twice:?}");
    let wait = ["wait", "--for=condition=Ready", "blueprint/light-game", "-n", "games", "--timeout=60s"];
    plane.kubectl(&User::Admin, &wait);
}
