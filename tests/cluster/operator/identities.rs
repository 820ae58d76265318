//! Accounts: who may name one, and what happens to those who may not, or may no longer.

use rgctl_schema::diagnostic::{Diagnostics, Source};
use rgctl_schema::node::Tree;
use serde_json::{Value, json};

use super::{Operator, apply, blueprint, condition, define, get, wait_for, wait_ready};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::wait_until;

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
    // Watches of two kinds are not in one order: an operator that runs already may see the blueprint first (docs/operator.md).
    apply(&plane, &region("live").to_string());
    let operator = Operator::start(&plane, "operator", &[]);
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
