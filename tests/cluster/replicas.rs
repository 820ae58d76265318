//! Several replicas of the operator, as processes: one works, the others wait for their turn.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rgctl_kube::leader::Terms;

use crate::operator::{apply, printed};
use crate::plane::{ControlPlane, User};
use crate::processes::{bound_command, end, signal, spawn, wait_until, wait_within};
use crate::relay::Relay;

/// A replica, which shares a folder with the others, and with it world and record, unless that is kept elsewhere.
pub struct Replica {
    pub child: Child,
    port: u16,
    log: PathBuf,
}

impl Replica {
    fn start(plane: &ControlPlane, namespace: &str, more: &[&str]) -> Self {
        Self::by(plane, &plane.kubeconfig(&User::Admin), namespace, &[&["--elect"], more].concat())
    }

    /// One that reaches the API server by a kubeconfig.
    pub fn by(plane: &ControlPlane, kubeconfig: &Path, namespace: &str, more: &[&str]) -> Self {
        let folder = plane.folder().join(namespace);
        std::fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = bound_command(assert_cmd::cargo::cargo_bin!("rgctl"));
        command.args(["operator", "run", "--own-namespace", namespace, "--namespaces", namespace]);
        command.args(["--listen", &format!("127.0.0.1:{port}")]).args(more).current_dir(&folder).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("KUBECONFIG", kubeconfig);
        let log = folder.join(format!("log-{port}"));
        let file = std::fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        Self { child: spawn(command).unwrap(), port, log }
    }

    /// What it answers on a page, by its number.
    fn page(&self, path: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split(' ').nth(1)?.parse().ok()
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Whether a Lease names it.
    pub fn is_named_by(&self, holder: &str) -> bool {
        holder.contains(&format!("(process {})", self.child.id()))
    }

    /// How it ended, once it has.
    pub fn code(&mut self) -> Option<i32> {
        wait_until("its end", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("replica {}:\n{}", self.child.id(), lines[lines.len().saturating_sub(25)..].join("\n"));
        }
        if self.child.try_wait().unwrap().is_none() {
            // One that was stopped hears nothing else.
            self.child.kill().unwrap();
        }
        end(&mut self.child, Duration::from_secs(5));
    }
}

/// Whom the Lease names.
pub fn holder(plane: &ControlPlane, namespace: &str) -> String {
    let asked = ["get", "lease", "rgctl-operator", "-n", namespace, "-o", "jsonpath={.spec.holderIdentity}"];
    String::from_utf8(plane.try_kubectl(&User::Admin, &asked, "").stdout).unwrap()
}

#[test]
fn one_replica_leads_and_the_next_takes_over_at_once_or_after_the_term_while_all_are_healthy() {
    let Some(plane) = ControlPlane::shared("several replicas of the operator") else { return };
    apply(plane, &printed("crds"));
    let namespace = plane.namespace("replicas");
    let mut first = Replica::start(plane, &namespace, &[]);
    wait_until("a leader", || first.is_named_by(&holder(plane, &namespace)));
    wait_until("its readiness, with nothing to look at", || first.page("/readyz") == Some(200));
    let mut second = Replica::start(plane, &namespace, &[]);
    wait_until("its health", || second.page("/healthz") == Some(200));
    // Who waits its turn is ready for it, once it has seen who works.
    wait_until("its readiness", || second.page("/readyz") == Some(200));
    assert!(first.is_named_by(&holder(plane, &namespace)));

    signal(&first.child, "TERM");
    assert_eq!(first.code(), Some(0));
    let within = Duration::from_secs(2);
    wait_within(within, "the next leader", || second.is_named_by(&holder(plane, &namespace)));

    // Stopped, as a machine that sleeps; whoever comes next waits for the term.
    let third = Replica::start(plane, &namespace, &[]);
    wait_until("its health", || third.page("/healthz") == Some(200));
    let renewed = || {
        let asked = ["get", "lease", "rgctl-operator", "-n", &namespace, "-o", "jsonpath={.spec.renewTime}"];
        plane.kubectl(&User::Admin, &asked)
    };
    let before = renewed();
    wait_until("a renewal", || renewed() != before);
    signal(&second.child, "STOP");
    let (began, lasts) = (Instant::now(), Duration::from_secs(Terms::default().lasts.as_secs()));
    let within = lasts + Duration::from_secs(5);
    wait_within(within, "the next leader", || third.is_named_by(&holder(plane, &namespace)));
    let passed = began.elapsed();
    assert!(passed > lasts.saturating_sub(Duration::from_secs(2)), "the term has to pass: {passed:?}");
    signal(&second.child, "CONT");
    assert_eq!(second.code(), Some(7), "it leads no more, ends, and is started anew by whoever started it");
    assert!(third.is_named_by(&holder(plane, &namespace)), "and took nothing from its heir");
}

#[test]
fn a_namespace_that_is_missing_is_said_and_waited_for() {
    let Some(plane) = ControlPlane::shared("an operator whose namespace is missing") else { return };
    let replica = Replica::start(plane, "not-there-yet", &[]);
    let is_said = || replica.log().contains("not-there-yet") && replica.log().contains("not found (404)");
    wait_until("its words", is_said);
    assert_eq!(replica.page("/healthz"), Some(200), "to begin it anew helps nobody");
    assert_eq!(replica.page("/readyz"), Some(503), "it cannot lead, and sees nobody who does");
    plane.kubectl(&User::Admin, &["create", "namespace", "not-there-yet"]);
    wait_until("a leader", || replica.is_named_by(&holder(plane, "not-there-yet")));
}

#[test]
fn a_leader_to_which_the_api_server_answers_no_more_ends_in_good_order_within_seconds() {
    let Some(plane) = ControlPlane::shared("an operator that ends without an answer") else { return };
    apply(plane, &printed("crds"));
    let namespace = plane.namespace("silent");
    let relay = Relay::to(plane.port());
    let by_relay = plane.kubeconfig_at(&User::Admin, relay.port());
    let mut only = Replica::by(plane, &by_relay, &namespace, &["--elect"]);
    wait_until("a leader", || only.is_named_by(&holder(plane, &namespace)));
    wait_until("its readiness", || only.page("/readyz") == Some(200));
    relay.hold_answers();
    signal(&only.child, "TERM");
    let within = Duration::from_secs(10);
    wait_within(within, "its end", || only.child.try_wait().unwrap().is_some());
    assert_eq!(only.code(), Some(0), "it was told to end, and nothing was open");
}
