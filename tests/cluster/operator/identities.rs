//! Accounts: who may name one, and what happens to those who may not, or may no longer.

use rgctl_schema::diagnostic::{Diagnostics, Source};
use rgctl_schema::node::Tree;
use serde_json::{Value, json};

use super::{
    OPERATOR, Operator, apply, blueprint, condition, define, get, keep_trail, service_account, trail,
    wait_for, wait_ready,
};
use crate::plane::{ControlPlane, Setup, User, asset};
use crate::processes::{bound_command, end, spawn, wait_until};
use crate::relay::Relay;

/// The shipped region, in an account of its own.
fn region(account: &str) -> Value {
    region_of(include_str!("../../../regions/us-east-1.yaml"), account)
}

fn region_of(text: &str, account: &str) -> Value {
    let mut found = Diagnostics::default();
    let read = rgctl_blueprint::yaml::parse(&Source::new("shipped", text), &mut found);
    let mut region = read.first().map(Tree::to_json).unwrap();
    region["metadata"]["namespace"] = json!("rgctl-system");
    region["spec"]["account"] = json!(account);
    region
}

fn account(name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "rgctl.dev/v1alpha1", "kind": "Account", "metadata": { "name": name }, "spec": spec })
}

/// What is told of an account: holds, reason, message.
fn ready(plane: &ControlPlane, name: &str) -> (String, String, String) {
    let done = plane.try_kubectl(&User::Admin, &["get", "account", name, "-o", "json"], "");
    let told: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    let condition = &told["status"]["conditions"][0];
    let word = |name: &str| condition[name].as_str().unwrap_or_default().to_owned();
    (word("status"), word("reason"), word("message"))
}

#[test]
fn a_blueprint_is_worked_on_in_accounts_that_its_namespace_may_name_and_nothing_is_called_in_others() {
    let Some(plane) = ControlPlane::alone("accounts", &Setup::default()) else { return };
    define(&plane);
    let (games, others) = (plane.namespace("games"), plane.namespace("others"));
    let operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &region("live").to_string());
    apply(&plane, &blueprint(&games, "arena", &json!({})).to_string());
    let says = |namespace: &str, name: &str, why: &str| {
        wait_until(&format!("{name} hears: {why}"), || {
            let (is, reason, message) = condition(&plane, namespace, name, "Stalled");
            is == "True" && reason == "NoAccount" && message.contains(why)
        });
    };
    says(&games, "arena", "its account live is not there");
    apply(&plane, &account("live", &json!({ "id": "123456789012" })).to_string());
    says(&games, "arena", "it has no namespaceSelector");
    assert!(operator.world().is_empty(), "nothing was called");
    let select = json!({ "id": "123456789012", "namespaceSelector": { "matchLabels": { "studio": "a" } } });
    apply(&plane, &account("live", &select).to_string());
    says(&games, "arena", "does not mean the labels");
    let label =
        |label: &str| plane.kubectl(&User::Admin, &["label", "namespace", &games, label, "--overwrite"]);
    label("studio=a");
    wait_ready(&plane, &games, "arena");
    assert_eq!(ready(&plane, "live").1, "IsItself");
    // Another namespace may not, although it sees the same region.
    apply(&plane, &blueprint(&others, "lobby", &json!({})).to_string());
    says(&others, "lobby", "does not mean the labels");
    // What is paused begins nothing.
    let before = operator.world();
    let mut paused = select.clone();
    paused["paused"] = json!(true);
    apply(&plane, &account("live", &paused).to_string());
    wait_for(&plane, &games, "arena", "Ready", "Unknown", "Paused");
    let mut more = blueprint(&games, "arena", &json!({}));
    more["spec"]["stores"].as_array_mut().unwrap().push(super::store("queue"));
    apply(&plane, &more.to_string());
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(operator.world(), before);
    paused["paused"] = json!(false);
    apply(&plane, &account("live", &paused).to_string());
    wait_ready(&plane, &games, "arena");
    let after = operator.world();
    assert_ne!(after, before);
    // A right that is taken away stops what it allowed, and keeps nobody from deleting.
    label("studio=b");
    says(&games, "arena", "does not mean the labels");
    let mut wrong = select.clone();
    wrong["id"] = json!("12");
    apply(&plane, &account("live", &wrong).to_string());
    wait_until("it is told that it cannot be used", || ready(&plane, "live").1 == "BadSpec");
    plane.kubectl(&User::Admin, &["delete", "account", "live"]);
    says(&games, "arena", "its account live is not there");
    plane.kubectl(&User::Admin, &["delete", "blueprint", "arena", "-n", &games, "--timeout=30s"]);
    assert!(get(&plane, &games, "blueprint", "arena").is_none());
    assert_eq!(operator.world(), after);
}

#[test]
fn a_region_that_a_blueprint_has_left_is_worked_in_as_the_account_that_made_what_is_left_there_or_not_at_all()
{
    let Some(plane) = ControlPlane::alone("a region that was left", &Setup::default()) else { return };
    define(&plane);
    let games = plane.namespace("games");
    let _operator = Operator::start(&plane, "operator", &[]);
    let west = region_of(include_str!("../../../regions/us-west-2.yaml"), "live").to_string();
    apply(&plane, &account("live", &json!({ "id": "123456789012", "namespaceSelector": {} })).to_string());
    apply(&plane, &region("live").to_string());
    apply(&plane, &west);
    let mut arena = blueprint(&games, "arena", &json!({}));
    arena["spec"]["regions"]["secondaries"] = json!(["us-west-2"]);
    arena["spec"]["stores"] = json!([{
        "name": "players", "engine": "aurora-postgresql", "purpose": "accounts",
        "demand": { "requestShare": "100%", "dataSize": "40GiB" }, "class": "db.r6g.large",
        "backup": { "retention": "7d" }, "deletionProtection": false,
    }]);
    apply(&plane, &arena.to_string());
    wait_ready(&plane, &games, "arena");
    arena["spec"]["regions"].as_object_mut().unwrap().remove("secondaries");
    apply(&plane, &arena.to_string());
    wait_for(&plane, &games, "arena", "PlanPending", "True", "NeedsApproval");
    assert_eq!(condition(&plane, &games, "arena", "Observed").0, "True");
    // Nobody says any more whose it is: the shipped description names no account, and is no reason to work there as somebody else.
    let code = "us-west-2";
    plane.kubectl(&User::Admin, &["delete", "region.rgctl.dev", code, "-n", "rgctl-system"]);
    wait_until("that nobody works there is told", || {
        let (is, _, why) = condition(&plane, &games, "arena", "Observed");
        is == "False" && why.contains("nobody works in us-west-2") && why.contains("123456789012")
    });
    assert_ne!(condition(&plane, &games, "arena", "Ready").0, "True", "it is not taken for gone");
    // Nor is it paused in one account and removed by another one.
    apply(&plane, &west);
    wait_for(&plane, &games, "arena", "PlanPending", "True", "NeedsApproval");
    let paused = json!({ "id": "123456789012", "namespaceSelector": {}, "paused": true });
    apply(&plane, &account("live", &paused).to_string());
    wait_for(&plane, &games, "arena", "Ready", "Unknown", "Paused");
}

/// The API server by way of a proxy that speaks to the operator without TLS, so that a relay can tell one question from another. It
/// ends with this.
struct Proxy {
    child: std::process::Child,
    relay: Relay,
    kubeconfig: std::path::PathBuf,
}

impl Proxy {
    fn of(plane: &ControlPlane) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = bound_command(asset("kubectl").unwrap());
        command.arg("proxy").arg(format!("--port={port}"));
        command.env("KUBECONFIG", plane.kubeconfig(&service_account())).stdout(std::process::Stdio::null());
        let child = spawn(command).unwrap();
        wait_until("the proxy listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let relay = Relay::to(port);
        let kubeconfig = plane.folder().join("kubeconfig-plain");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: plain\n\
             contexts: [{{name: plain, context: {{cluster: plain, user: plain}}}}]\n\
             clusters: [{{name: plain, cluster: {{server: \"http://127.0.0.1:{}\"}}}}]\n\
             users: [{{name: plain, user: {{}}}}]\n",
            relay.port()
        );
        std::fs::write(&kubeconfig, text).unwrap();
        Self { child, relay, kubeconfig }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        end(&mut self.child, std::time::Duration::from_secs(5));
    }
}

#[test]
fn a_blueprint_that_is_heard_of_before_its_region_waits_for_it_and_is_never_begun_as_somebody_else() {
    let Some(plane) = ControlPlane::alone("a region that is heard of late", &Setup::default()) else {
        return;
    };
    define(&plane);
    let games = plane.namespace("games");
    apply(&plane, &account("live", &json!({ "id": "123456789012", "namespaceSelector": {} })).to_string());
    let proxy = Proxy::of(&plane);
    let operator = Operator::by(&plane, &proxy.kubeconfig, "operator", &[]);
    apply(&plane, &blueprint(&games, "lobby", &json!({})).to_string());
    wait_ready(&plane, &games, "lobby");
    let cloud = operator.cloud();
    // The region and then the blueprint, of which the blueprint alone is heard: nothing is called before the region is heard, too.
    let late = |account: &str, arena: &Value| {
        let before = operator.world();
        keep_trail(&cloud);
        proxy.relay.hold_answers_to(&["/regions?", "watch=true"]);
        let mark = plane.mark();
        apply(&plane, &region(account).to_string());
        apply(&plane, &arena.to_string());
        let lists = || {
            let calls = plane.calls(mark).into_iter().filter(|call| call.user == OPERATOR);
            calls.filter(|call| call.resource == "regions.rgctl.dev" && call.verb == "list").count()
        };
        std::thread::sleep(std::time::Duration::from_secs(4));
        assert_eq!((operator.world(), trail(&cloud)), (before, Vec::new()), "nothing is called");
        assert!((1..=3).contains(&lists()), "it asks what there is, and not without end: {}", lists());
        let told = get(&plane, &games, "blueprint", "arena").unwrap();
        assert_ne!(told["status"]["observedGeneration"], told["metadata"]["generation"], "{told}");
        proxy.relay.release_answers();
        let why = format!("its account {account} is not there");
        wait_until(&why, || {
            let (is, reason, message) = condition(&plane, &games, "arena", "Stalled");
            is == "True" && reason == "NoAccount" && message.contains(&why)
        });
        assert_eq!(trail(&cloud), Vec::<String>::new());
    };
    let mut arena = blueprint(&games, "arena", &json!({}));
    late("other", &arena);
    apply(&plane, &region("live").to_string());
    wait_ready(&plane, &games, "arena");
    // The same where the region is changed right before the blueprint.
    arena["spec"]["stores"].as_array_mut().unwrap().push(super::store("queue"));
    late("another", &arena);
}
