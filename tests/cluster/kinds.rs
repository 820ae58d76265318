//! The kinds, rights and policies that are printed, in a real API server: what it takes, what it refuses, and to whom.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::plane::{ControlPlane, User, asset, is_there};
use crate::processes::wait_until;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What the program prints; fails where it fails.
fn rgctl(arguments: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_rgctl")).args(arguments).output().unwrap();
    assert!(done.status.success(), "rgctl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Applies texts as administrator, and waits until the kinds are served.
fn installed(plane: &ControlPlane, with_policies: bool) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| apply(plane, &rgctl(&["operator", "crds"])));
    let served = || plane.try_kubectl(&User::Admin, &["get", "rgctl", "-A"], "").status.success();
    wait_until("the kinds", served);
    if with_policies {
        static POLICIES: std::sync::Once = std::sync::Once::new();
        POLICIES.call_once(|| {
            apply(plane, &rgctl(&["operator", "manifests"]));
            // Policies take effect a moment after they are made.
            let namespace = plane.namespace("policies");
            wait_until("the policies", || {
                let object = plan(&namespace, &digest('0'));
                !create(plane, &User::Admin, &object, &["--dry-run=server"]).status.success()
            });
        });
    }
}

fn apply(plane: &ControlPlane, text: &str) {
    let done = plane.try_kubectl(&User::Admin, &["apply", "--server-side", "-f", "-"], text);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn create(plane: &ControlPlane, user: &User, object: &Value, more: &[&str]) -> Output {
    plane.try_kubectl(user, &[&["create", "-f", "-"], more].concat(), &object.to_string())
}

/// Why something was refused; fails where it was not.
fn refused(done: &Output) -> String {
    assert!(!done.status.success(), "it was not refused: {}", String::from_utf8_lossy(&done.stdout));
    String::from_utf8_lossy(&done.stderr).into_owned()
}

fn digest(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn plan(namespace: &str, digest: &str) -> Value {
    json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Plan",
        "metadata": { "name": format!("arena-{}", &digest[..12]), "namespace": namespace },
        "spec": {
            "blueprint": { "name": "arena", "uid": "u", "generation": 1 }, "digest": digest, "cause": "Changed",
            "made": "2026-11-28T07:00:00Z", "version": "1", "steps": 1,
        },
    })
}

fn approval(namespace: &str, name: &str, approver: &str) -> Value {
    json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Approval",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "plan": format!("arena-{}", &digest('a')[..12]), "digest": digest('a'), "approver": approver,
            "consents": ["delete:accounts@eu-west-1"], "expires": "2026-12-01T00:00:00Z",
        },
    })
}

fn scaled(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Override",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "blueprint": "arena", "store": "players", "region": "us-east-1", "axis": "readers", "target": 3,
            "why": "a crowd",
        },
    })
}

fn shipped(folder: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join(folder)).unwrap().flatten().map(|file| file.path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// The documents of a file as JSON, as kubectl reads them.
fn read(plane: &ControlPlane, namespace: &str, path: &Path) -> Vec<Value> {
    let file = path.display().to_string();
    let text = plane
        .kubectl(&User::Admin, &["create", "-n", namespace, "--dry-run=client", "-o", "json", "-f", &file]);
    let read: Value = serde_json::from_str(&text).unwrap();
    if read["kind"] == "List" { read["items"].as_array().unwrap().clone() } else { vec![read] }
}

#[test]
fn every_shipped_blueprint_and_region_is_taken_and_given_back_equal() {
    let Some(plane) = ControlPlane::shared("shipped documents in a cluster") else { return };
    installed(plane, false);
    let namespace = plane.namespace("shipped");
    let mut seen = 0;
    for path in shipped("blueprints").iter().chain(&shipped("regions")) {
        for document in read(plane, &namespace, path) {
            let text = document.to_string();
            let arguments =
                ["apply", "--server-side", "--validate=strict", "-n", &namespace, "-f", "-", "-o", "json"];
            let dry =
                plane.try_kubectl(&User::Admin, &[&arguments[..], &["--dry-run=server"]].concat(), &text);
            assert!(dry.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&dry.stderr));
            let done = plane.try_kubectl(&User::Admin, &arguments, &text);
            assert!(done.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&done.stderr));
            let (kind, name) =
                (document["kind"].as_str().unwrap(), document["metadata"]["name"].as_str().unwrap());
            let back = plane.kubectl(&User::Admin, &["get", kind, name, "-n", &namespace, "-o", "json"]);
            let back: Value = serde_json::from_str(&back).unwrap();
            assert_eq!(back["spec"], document["spec"], "{}", path.display());
            assert_eq!(back["status"], Value::Null);
            seen += 1;
        }
    }
    assert!(seen >= 14, "{seen}");
    let shown = plane.kubectl(&User::Admin, &["get", "bp", "-n", &namespace]);
    for column in ["READY", "REASON", "PLAN", "DRIFT", "COST/H", "REGIONS", "AGE"] {
        assert!(shown.contains(column), "{shown}");
    }
}

#[test]
fn kubectl_explains_the_fields_in_the_words_of_the_language() {
    let Some(plane) = ControlPlane::shared("kubectl explain") else { return };
    installed(plane, false);
    let explained = |field: &str| {
        let mut told = String::new();
        wait_until("what is published", || {
            let done = plane.try_kubectl(&User::Admin, &["explain", field], "");
            told = String::from_utf8_lossy(&done.stdout).into_owned();
            done.status.success()
        });
        told
    };
    let stores = explained("blueprint.spec.stores");
    for word in ["engine", "readers", "-required-", "aurora-mysql", "enum:"] {
        assert!(stores.contains(word), "{word}: {stores}");
    }
    let readers = explained("blueprint.spec.stores.readers");
    assert!(readers.contains("2..8"), "{readers}");
    assert!(explained("override.spec.target").contains("floor"));
}

#[test]
fn what_is_unknown_is_kept_and_what_is_of_the_wrong_type_is_refused_by_name() {
    let Some(plane) = ControlPlane::shared("unknown fields and wrong types") else { return };
    installed(plane, false);
    let namespace = plane.namespace("fields");
    let blueprint = |name: &str, store: Value| {
        json!({
            "apiVersion": "rgctl.dev/v1alpha1", "kind": "Blueprint", "metadata": { "name": name, "namespace": namespace },
            "spec": {
                "demand": { "players": { "peakConcurrent": "2k" }, "requestsPerPlayerPerMinute": 12 },
                "regions": { "primary": "us-east-1" }, "stores": [store],
            },
        })
    };
    // Misspelt fields on every level are there for the operator to refuse, with or without strict checking.
    let mut misspelt =
        blueprint("kept", json!({ "name": "players", "engine": "aurora-mysql", "readres": 2 }));
    misspelt["spec"]["policies"] = json!({ "deletoin": "snapshot", "consent": { "delte": "never" } });
    let done = create(plane, &User::Admin, &misspelt, &[]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let back = plane.kubectl(&User::Admin, &["get", "bp", "kept", "-n", &namespace, "-o", "json"]);
    let back: Value = serde_json::from_str(&back).unwrap();
    assert_eq!(back["spec"], misspelt["spec"]);
    let wrong = [
        (
            blueprint("wrong", json!({ "name": "players", "engine": "aurora-mysql", "version": 8.0 })),
            "must be of type string",
        ),
        (blueprint("wrong", json!({ "name": "players", "engine": "oracle" })), "Unsupported value"),
        (
            blueprint("wrong", json!({ "name": "players", "engine": "valkey", "readers": 2 })),
            "has none of these",
        ),
        (
            blueprint(
                "wrong",
                json!({ "name": "players", "engine": "aurora-mysql", "readers": { "min": 1, "max": 2 } }),
            ),
            "readers.max",
        ),
        (
            blueprint("wrong", json!({ "name": "players", "engine": "aurora-mysql", "readers": "2-8" })),
            "should match",
        ),
        (
            blueprint("a-name-that-is-longer-than-any", json!({ "name": "a", "engine": "valkey" })),
            "at most 24",
        ),
        (blueprint("with.dots", json!({ "name": "a", "engine": "valkey" })), "single hyphens"),
    ];
    for (object, why) in wrong {
        let told = refused(&create(plane, &User::Admin, &object, &["--dry-run=server"]));
        assert!(told.contains(why), "{why}: {told}");
    }
    // What holds documents does not become a cache under the same name.
    let change = r#"[{"op":"replace","path":"/spec/stores/0/engine","value":"documentdb"},{"op":"remove","path":"/spec/stores/0/readres"}]"#;
    let arguments = ["patch", "bp", "kept", "-n", &namespace, "--type=json", "-p", change];
    let told = refused(&plane.try_kubectl(&User::Admin, &arguments, ""));
    assert!(told.contains("another family"), "{told}");
}

#[test]
fn an_override_is_scaled_by_kubectl_and_is_about_the_same_for_ever() {
    let Some(plane) = ControlPlane::shared("kubectl scale") else { return };
    installed(plane, false);
    let namespace = plane.namespace("scale");
    let done = create(plane, &User::Admin, &scaled(&namespace, "up"), &[]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let admin = |line: &[&str]| plane.kubectl(&User::Admin, &[line, &["-n", &namespace]].concat());
    admin(&["scale", "override/up", "--replicas=5"]);
    assert_eq!(admin(&["get", "ov", "up", "-o", "jsonpath={.spec.target}"]), "5");
    // What an HPA reads: how many there are, and a selector that is not empty.
    let status = r#"{"status":{"current":3,"selector":"rgctl.dev/override=u"}}"#;
    admin(&["patch", "override", "up", "--subresource=status", "--type=merge", "-p", status]);
    let address = format!("/apis/rgctl.dev/v1alpha1/namespaces/{namespace}/overrides/up/scale");
    let scale: Value =
        serde_json::from_str(&plane.kubectl(&User::Admin, &["get", "--raw", &address])).unwrap();
    assert_eq!(scale["spec"]["replicas"], 5);
    assert_eq!(
        (&scale["status"]["replicas"], &scale["status"]["selector"]),
        (&json!(3), &json!("rgctl.dev/override=u"))
    );
    let changed = |what: &str| {
        let arguments = ["patch", "override", "up", "-n", &namespace, "--type=merge", "-p", what];
        plane.try_kubectl(&User::Admin, &arguments, "")
    };
    let told = refused(&changed(r#"{"spec":{"region":"eu-west-1"}}"#));
    assert!(told.contains("never changes"), "{told}");
    let told = refused(&changed(r#"{"spec":{"then":"return"}}"#));
    assert!(told.contains("`until`"), "{told}");
    let told = refused(&changed(r#"{"spec":{"axis":"class"}}"#));
    assert!(told.contains("Unsupported value"), "{told}");
    assert!(changed(r#"{"spec":{"then":"return","until":"2026-12-04T10:00:00Z"}}"#).status.success());
}

/// Binds a role to a user in a namespace, and waits until the API server knows.
fn bound(plane: &ControlPlane, namespace: &str, role: &str, user: &str, may: &[&str]) {
    let (role_, user_) = (format!("--clusterrole={role}"), format!("--user={user}"));
    let name = format!("{role}-{user}");
    plane.kubectl(&User::Admin, &["create", "rolebinding", &name, &role_, &user_, "-n", namespace]);
    let asked = [&["auth", "can-i"], may, &["-n", namespace, "--as", user]].concat();
    wait_until("the right", || plane.try_kubectl(&User::Admin, &asked, "").status.success());
}

#[test]
fn who_approves_is_who_the_api_server_says_and_what_is_approved_never_changes() {
    let Some(plane) = ControlPlane::shared("who may approve") else { return };
    installed(plane, true);
    let namespace = plane.namespace("approvals");
    bound(plane, &namespace, "rgctl-approver", "approver", &["create", "approvals.rgctl.dev"]);
    bound(plane, &namespace, "rgctl-edit", "tenant", &["create", "blueprints.rgctl.dev"]);

    // Under another's name, by nobody, and with a digest of another plan.
    let told = refused(&create(plane, &User::Approver, &approval(&namespace, "one", "admin"), &[]));
    assert!(told.contains("spec.approver must be approver"), "{told}");
    let told = refused(&create(plane, &User::Admin, &approval(&namespace, "one", "approver"), &[]));
    assert!(told.contains("spec.approver must be admin"), "{told}");
    // Who may change blueprints may not approve what comes of it.
    let told = refused(&create(plane, &User::Tenant, &approval(&namespace, "one", "tenant"), &[]));
    assert!(told.contains("forbidden") && told.contains("approvals"), "{told}");
    let mut stolen = approval(&namespace, "one", "approver");
    stolen["spec"]["digest"] = json!(digest('b'));
    let told = refused(&create(plane, &User::Approver, &stolen, &[]));
    assert!(told.contains("not that of the plan"), "{told}");

    let done = create(plane, &User::Approver, &approval(&namespace, "one", "approver"), &[]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // Not even an administrator changes it afterwards, nor says what became of it.
    for change in [
        r#"{"spec":{"expires":"2027-12-01T00:00:00Z"}}"#,
        r#"{"spec":{"consents":["delete:*@*"]}}"#,
        r#"{"spec":{"extra":true}}"#,
    ] {
        let arguments = ["patch", "approval", "one", "-n", &namespace, "--type=merge", "-p", change];
        let told = refused(&plane.try_kubectl(&User::Admin, &arguments, ""));
        assert!(told.contains("never changes"), "{change}: {told}");
    }
    let used = r#"{"status":{"usedBy":null}}"#;
    let arguments =
        ["patch", "approval", "one", "-n", &namespace, "--subresource=status", "--type=merge", "-p", used];
    let told = refused(&plane.try_kubectl(&User::Admin, &arguments, ""));
    assert!(told.contains("operator alone"), "{told}");
    plane.kubectl(&User::Approver, &["delete", "approval", "one", "-n", &namespace]);
}

#[test]
fn plans_are_the_operators_and_it_writes_no_spec_of_people() {
    let Some(plane) = ControlPlane::shared("whose plans are") else { return };
    installed(plane, true);
    let namespace = plane.namespace("plans");
    let operator =
        User::ServiceAccount { namespace: "rgctl-system".to_owned(), name: "rgctl-operator".to_owned() };
    let object = plan(&namespace, &digest('a'));
    let told = refused(&create(plane, &User::Admin, &object, &[]));
    assert!(told.contains("operator alone"), "{told}");
    let done = create(plane, &operator, &object, &["--validate=false"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let name = object["metadata"]["name"].as_str().unwrap();
    let patched = |user: &User, kind: &str, name: &str, part: &[&str], what: &str| {
        let line = ["patch", kind, name, "-n", &namespace, "--type=merge", "-p", what];
        plane.try_kubectl(user, &[&line[..], part].concat(), "")
    };
    let status = ["--subresource=status"];
    let phase = r#"{"status":{"phase":"Running","run":"r"}}"#;
    assert!(patched(&operator, "plan", name, &status, phase).status.success());
    let told = refused(&patched(&User::Admin, "plan", name, &status, r#"{"status":{"phase":"Done"}}"#));
    assert!(told.contains("operator alone"), "{told}");
    // People may label a plan; its content is nobody's to change.
    let done = patched(&User::Admin, "plan", name, &[], r#"{"metadata":{"labels":{"seen":"yes"}}}"#);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = refused(&patched(&User::Admin, "plan", name, &[], r#"{"spec":{"steps":9}}"#));
    assert!(told.contains("plan"), "{told}");

    let blueprint = json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Blueprint", "metadata": { "name": "arena", "namespace": namespace },
        "spec": {
            "demand": { "players": { "peakConcurrent": "2k" }, "requestsPerPlayerPerMinute": 12 },
            "regions": { "primary": "us-east-1" }, "stores": [{ "name": "players", "engine": "valkey" }],
        },
    });
    assert!(create(plane, &User::Admin, &blueprint, &[]).status.success());
    let kept = r#"{"metadata":{"finalizers":["rgctl.dev/snapshot"]}}"#;
    let done = patched(&operator, "blueprint", "arena", &[], kept);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = refused(&patched(&operator, "blueprint", "arena", &[], r#"{"spec":{"tags":{"a":"b"}}}"#));
    assert!(told.contains("writes no spec"), "{told}");
    assert!(
        patched(&operator, "blueprint", "arena", &[], r#"{"metadata":{"finalizers":[]}}"#).status.success()
    );
    // It has no right to approve, and none outside of what it needs.
    let told = refused(&create(
        plane,
        &operator,
        &approval(&namespace, "own", "system:serviceaccount:rgctl-system:rgctl-operator"),
        &["--validate=false"],
    ));
    assert!(told.contains("forbidden"), "{told}");
    for (verb, what) in [
        ("get", "secrets"),
        ("update", "blueprints.rgctl.dev"),
        ("delete", "blueprints.rgctl.dev"),
        ("create", "pods"),
    ] {
        let asked = plane.try_kubectl(&operator, &["auth", "can-i", verb, what, "-n", &namespace], "");
        assert!(!asked.status.success(), "it may {verb} {what}");
    }
}

#[test]
fn everything_that_is_printed_is_taken_by_the_api_server() {
    let Some(plane) = ControlPlane::shared("manifests and charts") else { return };
    installed(plane, true);
    let dry =
        ["apply", "--server-side", "--validate=strict", "--dry-run=server", "--force-conflicts", "-f", "-"];
    let takes = |text: &str, what: &str| {
        let done = plane.try_kubectl(&User::Admin, &dry, text);
        assert!(done.status.success(), "{what}: {}", String::from_utf8_lossy(&done.stderr));
    };
    takes(&rgctl(&["operator", "crds"]), "crds");
    takes(&rgctl(&["operator", "manifests", "--", "--cloud", "sim"]), "manifests");
    let (one, two) = (plane.namespace("there"), plane.namespace("there"));
    let some = format!("--namespaces={one},{two}");
    takes(&rgctl(&["operator", "manifests", &some]), "manifests for some namespaces");
    if !is_there(&["helm"], "charts by helm") {
        return;
    }
    let folder = plane.folder().join("charts");
    rgctl(&["operator", "chart", folder.to_str().unwrap()]);
    let helm = |arguments: &[&str]| {
        let mut command = Command::new(asset("helm").unwrap());
        let command =
            command.args(arguments).env("HELM_CACHE_HOME", folder.join("cache")).current_dir(&folder);
        let done = command.output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "helm {arguments:?}: {told}{}", String::from_utf8_lossy(&done.stderr));
        told
    };
    for chart in ["rgctl-crds", "rgctl-operator"] {
        helm(&["lint", "--strict", chart]);
    }
    let version = ["--kube-version", "1.37.2", "-n", "rgctl-system"];
    let template = |more: &[&str]| helm(&[&["template", "rgctl"], more, &version[..]].concat());
    let definitions = template(&["rgctl-crds"]);
    assert_eq!(definitions.matches("helm.sh/resource-policy: keep").count(), 6);
    takes(&definitions, "the chart of definitions");
    takes(&template(&["rgctl-operator"]), "the operator's chart");
    let some = format!("namespaces={{{one},{two}}}");
    let there = template(&["rgctl-operator", "--set", &some]);
    assert!(there.contains(&format!("--namespaces={one},{two}")), "{there}");
    assert_eq!(there.matches("name: rgctl-operator-blueprints").count(), 2);
    takes(&there, "the operator's chart for some namespaces");
}

#[test]
fn no_webhook_is_asked_and_what_the_policies_refuse_is_of_rgctls_own_kinds() {
    let Some(plane) = ControlPlane::shared("what stands in the way of a write") else { return };
    installed(plane, true);
    let folder = plane.folder().join("charts-without-webhooks");
    rgctl(&["operator", "chart", folder.to_str().unwrap()]);
    let charts = Command::new("grep").args(["-rl", "WebhookConfiguration"]).arg(&folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&charts.stdout), "");
    let there = plane.kubectl(
        &User::Admin,
        &["get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "name"],
    );
    assert_eq!(there, "", "nobody has to answer before something is written");
    let policies = plane.kubectl(&User::Admin, &["get", "validatingadmissionpolicies", "-o", "json"]);
    let policies: Value = serde_json::from_str(&policies).unwrap();
    let policies = policies["items"].as_array().unwrap();
    assert_eq!(policies.len(), 4);
    for policy in policies {
        let name = &policy["metadata"]["name"];
        // One that cannot be judged is refused: so it must be about nothing else.
        assert_eq!(policy["spec"]["failurePolicy"], "Fail", "{name}");
        let rules = policy["spec"]["matchConstraints"]["resourceRules"].as_array().unwrap();
        if name == "rgctl-outputs" {
            // It is about ConfigMaps, and of those about what the operator writes outside of its namespace.
            let rule = json!([{ "apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE", "DELETE"],
                "resources": ["configmaps"], "scope": "*" }]);
            assert_eq!(json!(rules), rule);
            let conditions = json!([
                { "name": "is-operator",
                    "expression": format!("request.userInfo.username == '{}'", crate::operator::OPERATOR) },
                { "name": "is-elsewhere", "expression": "request.namespace != 'rgctl-system'" },
            ]);
            assert_eq!(policy["spec"]["matchConditions"], conditions);
            continue;
        }
        for rule in rules {
            assert_eq!(rule["apiGroups"], json!(["rgctl.dev"]), "{name}");
            let operations = rule["operations"].as_array().unwrap();
            let stops = |operation: &str| operations.contains(&json!(operation));
            assert!(!stops("DELETE") && !stops("*"), "{name}: deletions pass");
        }
    }
    // No operator runs here. Whatever else people write is written, of this group, too.
    let namespace = plane.namespace("writes");
    let admin = |line: &[&str]| plane.kubectl(&User::Admin, &[line, &["-n", &namespace]].concat());
    admin(&["create", "configmap", "one", "--from-literal=a=b"]);
    admin(&["create", "deployment", "one", "--image=nowhere.example/one"]);
    admin(&["create", "secret", "generic", "one", "--from-literal=a=b"]);
    let path = root().join("blueprints/light-game.yaml");
    admin(&["apply", "--server-side", "-f", path.to_str().unwrap()]);
    assert!(create(plane, &User::Admin, &scaled(&namespace, "up"), &[]).status.success());
    admin(&["annotate", "blueprint", "light-game", "rgctl.dev/paused=holiday"]);
    admin(&["delete", "blueprint,override,configmap,deployment,secret", "--all", "--timeout=30s"]);
}
