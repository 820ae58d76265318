//! The control plane of the tests does what the other tests rest on.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::plane::{ControlPlane, Setup, User, was_starting};
use crate::processes::wait_until;

fn note(name: &str, text: &str) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": name }, "data": { "text": text } })).unwrap()
}

#[tokio::test]
async fn every_call_is_in_the_audit_log_with_who_made_it() {
    let Some(plane) = ControlPlane::shared("calls in the audit log") else { return };
    let namespace = plane.namespace("audit");
    let mark = plane.mark();
    let mine: Api<ConfigMap> = Api::namespaced(plane.client(&User::Admin).await, &namespace);
    mine.create(&PostParams::default(), &note("one", "x")).await.unwrap();
    let theirs: Api<ConfigMap> = Api::namespaced(plane.client(&User::Tenant).await, &namespace);
    theirs.get("one").await.unwrap_err();
    let calls = plane.calls(mark);
    let here = calls.iter().filter(|call| call.namespace == namespace && call.resource == "configmaps");
    let here: Vec<_> =
        here.map(|call| (&*call.user, &*call.agent, &*call.verb, &*call.name, call.code)).collect();
    assert_eq!(
        here,
        [("admin", "tests", "create", "one", 201), ("tenant", "tests", "get", "one", 403)],
        "{calls:#?}"
    );
}

#[tokio::test]
async fn what_rights_forbid_is_told_from_what_is_refused_though_it_is_allowed_and_when_it_came() {
    let Some(plane) = ControlPlane::alone("why a call was refused", &Setup::default()) else { return };
    // It has no kinds, nor policies: what stands for them is the namespace that Kubernetes itself keeps.
    let admin: Api<Namespace> = Api::all(plane.client(&User::Admin).await);
    admin.delete("default", &DeleteParams::default()).await.unwrap_err();
    let tenant: Api<Namespace> = Api::all(plane.client(&User::Tenant).await);
    tenant.delete("default", &DeleteParams::default()).await.unwrap_err();
    let calls = plane.calls(0);
    let refused = calls.iter().filter(|call| call.code == 403 && call.verb == "delete");
    let why: Vec<_> = refused.clone().map(|call| (&*call.user, &*call.decision)).collect();
    assert_eq!(why, [("admin", "allow"), ("tenant", "forbid")], "{calls:#?}");
    // It was ready when it was asked that, and was asked whether it is before it was.
    assert!(refused.clone().all(|call| !was_starting(plane.folder(), call.came)));
    let asked = calls.iter().find(|call| call.uri == "/readyz").unwrap();
    assert!(was_starting(plane.folder(), asked.came), "{asked:?}");
}

#[tokio::test]
async fn a_service_account_has_what_is_bound_to_it() {
    let Some(plane) = ControlPlane::shared("tokens of service accounts") else { return };
    let namespace = plane.namespace("accounts");
    plane.kubectl(&User::Admin, &["create", "serviceaccount", "robot", "-n", &namespace]);
    let robot = User::ServiceAccount { namespace: namespace.clone(), name: "robot".to_owned() };
    let maps: Api<ConfigMap> = Api::namespaced(plane.client(&robot).await, &namespace);
    let refused = maps.list(&kube::api::ListParams::default()).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
    let admin = |line: &[&str]| plane.kubectl(&User::Admin, &[line, &["-n", &namespace]].concat());
    admin(&["create", "role", "reader", "--verb=list", "--resource=configmaps"]);
    let subject = format!("--serviceaccount={namespace}:robot");
    admin(&["create", "rolebinding", "robot", "--role=reader", &subject]);
    // The API server learns of its own roles by a watch.
    let asked = ["auth", "can-i", "list", "configmaps", "-n", &namespace];
    wait_until("what was bound", || plane.try_kubectl(&robot, &asked, "").status.success());
    maps.list(&kube::api::ListParams::default()).await.unwrap();
}

#[tokio::test]
async fn an_api_server_that_was_away_has_the_same_data_and_address() {
    let Some(mut plane) = ControlPlane::alone("an API server that is away", &Setup::default()) else {
        return;
    };
    let maps: Api<ConfigMap> = Api::namespaced(plane.client(&User::Admin).await, "default");
    maps.create(&PostParams::default(), &note("kept", "x")).await.unwrap();
    plane.stop_api();
    maps.get("kept").await.unwrap_err();
    plane.start_api();
    assert_eq!(maps.get("kept").await.unwrap().data.unwrap()["text"], "x");
}

#[tokio::test]
async fn what_was_compacted_cannot_be_watched_from() {
    let setup = Setup { compaction: true, ..Setup::default() };
    let Some(plane) = ControlPlane::alone("a watch that comes too late", &setup) else { return };
    let maps: Api<ConfigMap> = Api::namespaced(plane.client(&User::Admin).await, "default");
    let old = maps.create(&PostParams::default(), &note("old", "x")).await.unwrap();
    let mut new = maps.create(&PostParams::default(), &note("new", "x")).await.unwrap();
    new.data = note("new", "y").data;
    maps.replace("new", &PostParams::default(), &new).await.unwrap();
    plane.compact();
    let watched = maps.watch(&WatchParams::default(), &old.metadata.resource_version.unwrap()).await;
    let gone = match watched {
        Err(kube::Error::Api(status)) => status.code == 410,
        Ok(stream) => match stream.boxed().try_next().await.unwrap() {
            Some(WatchEvent::Error(status)) => status.code == 410,
            _ => false,
        },
        Err(_) => false,
    };
    assert!(gone, "no 410");
}

#[test]
fn a_namespace_goes_with_what_is_in_it_where_controllers_run() {
    let setup = Setup { controllers: true, ..Setup::default() };
    let Some(plane) = ControlPlane::alone("a namespace that is deleted", &setup) else { return };
    let namespace = plane.namespace("gone");
    plane.kubectl(&User::Admin, &["create", "configmap", "one", "-n", &namespace]);
    plane.kubectl(&User::Admin, &["delete", "namespace", &namespace, "--timeout=90s"]);
    let left = plane.kubectl(&User::Admin, &["get", "namespaces", "-o", "name"]);
    assert!(!left.contains(&namespace), "{left}");
}
