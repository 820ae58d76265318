//! A horizontal autoscaler, the one of Kubernetes itself, drives an axis by the scale subresource: with metrics that no pod has,
//! upwards by itself and downwards only as far as a person agrees.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::agreeing::pending;
use super::{Operator, apply, blueprint, define, get, keep_trail, trail, wait_for, wait_ready};
use crate::plane::{ControlPlane, Setup, User};
use crate::processes::{bound_command, end, spawn, wait_until};

/// Answers as an adapter of external metrics does, with the value that stands in a file.
const ADAPTER: &str = r#"
import http.server, json, ssl, sys
class Adapter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        path = self.path.split("?")[0].strip("/").split("/")
        group = "external.metrics.k8s.io/v1beta1"
        if path == ["apis", "external.metrics.k8s.io", "v1beta1"]:
            body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": [
                {"name": "players", "singularName": "", "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]}]}
        elif path[:4] == ["apis", "external.metrics.k8s.io", "v1beta1", "namespaces"]:
            body = {"kind": "ExternalMetricValueList", "apiVersion": group, "metadata": {}, "items": [
                {"metricName": "players", "metricLabels": {}, "timestamp": "2026-11-28T00:00:00Z", "value": open("players").read()}]}
        else:
            body = {}
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Adapter)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.crt", "server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

struct Adapter(Child);

impl Adapter {
    fn start(plane: &ControlPlane) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(plane.folder().join("adapter.log")).unwrap();
        let mut command = bound_command("python3");
        command.args(["-c", ADAPTER, &port.to_string()]).current_dir(plane.folder()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(log);
        let adapter = Self(spawn(command).unwrap());
        let there = [
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "metrics", "namespace": "kube-system" },
                "spec": { "type": "ExternalName", "externalName": "localhost" } }),
            json!({ "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": { "name": "v1beta1.external.metrics.k8s.io" },
                "spec": { "group": "external.metrics.k8s.io", "version": "v1beta1", "insecureSkipTLSVerify": true,
                    "groupPriorityMinimum": 100, "versionPriority": 100,
                    "service": { "name": "metrics", "namespace": "kube-system", "port": port } } }),
        ];
        for one in there {
            apply(plane, &one.to_string());
        }
        let wait = [
            "wait",
            "--for=condition=Available",
            "--timeout=60s",
            "apiservice/v1beta1.external.metrics.k8s.io",
        ];
        plane.kubectl(&User::Admin, &wait);
        adapter
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        end(&mut self.0, Duration::from_secs(5));
    }
}

/// So many players there are from now on; a file is read whole or not at all.
fn players(plane: &ControlPlane, count: u32) {
    let fresh = plane.folder().join("players.new");
    std::fs::write(&fresh, count.to_string()).unwrap();
    std::fs::rename(&fresh, plane.folder().join("players")).unwrap();
}

#[test]
fn an_autoscaler_of_the_cluster_adds_members_and_takes_none_away() {
    let setup = Setup { autoscaler: true, ..Setup::default() };
    let Some(plane) = ControlPlane::alone("a horizontal autoscaler", &setup) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    players(&plane, 10);
    let _adapter = Adapter::start(&plane);
    let operator = Operator::start(&plane, "operator", &[]);
    apply(&plane, &blueprint(&namespace, "arena", &json!({})).to_string());
    wait_ready(&plane, &namespace, "arena");
    let account = operator.cloud();
    keep_trail(&account);
    let crowd = json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "Override",
        "metadata": { "name": "crowd", "namespace": namespace },
        "spec": { "blueprint": "arena", "store": "ranking", "region": "us-east-1", "axis": "replicas",
            "target": 1, "why": "follows the crowd" },
    });
    apply(&plane, &crowd.to_string());
    let told = || get(&plane, &namespace, "override", "crowd").unwrap_or_default();
    wait_until("what there is", || told()["status"]["current"] == 1);
    // Ten players a replica.
    let scaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "crowd", "namespace": namespace },
        "spec": {
            "scaleTargetRef": { "apiVersion": "rgctl.dev/v1alpha1", "kind": "Override", "name": "crowd" },
            "minReplicas": 1, "maxReplicas": 3,
            "metrics": [{ "type": "External", "external": { "metric": { "name": "players" },
                "target": { "type": "AverageValue", "averageValue": "10" } } }],
        },
    });
    apply(&plane, &scaler.to_string());
    let condition = |about: &str| -> Value {
        let scaler = get(&plane, &namespace, "hpa", "crowd").unwrap_or_default();
        let all = scaler["status"]["conditions"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["type"] == about).unwrap_or_default()
    };
    wait_until("it can ask, and is answered", || {
        condition("AbleToScale")["status"] == "True" && condition("ScalingActive")["status"] == "True"
    });
    assert_eq!(trail(&account), Vec::<String>::new());

    players(&plane, 30);
    wait_until("three are told", || told()["status"]["current"] == 3);
    wait_ready(&plane, &namespace, "arena");
    let grown = trail(&account);
    assert!(!grown.is_empty() && grown.iter().all(|step| step.contains("arena-ranking")), "{grown:#?}");
    let autoscaler = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
    let by_it = |verb: &str| {
        let calls = plane.calls(0);
        let of_it = |call: &&crate::plane::Call| {
            call.user == autoscaler && call.resource == "overrides.rgctl.dev/scale"
        };
        calls.iter().filter(of_it).filter(|call| call.verb == verb && call.code == 200).count()
    };
    assert!(by_it("get") > 0 && by_it("update") > 0, "with the rights that Kubernetes gives to it");

    // The crowd goes: what would be taken away waits for a person.
    players(&plane, 5);
    wait_until("one is asked for", || told()["spec"]["target"] == 1);
    wait_for(&plane, &namespace, "arena", "PlanPending", "True", "NeedsApproval");
    let plan = pending(&plane, &namespace, "arena");
    assert_eq!(plan["spec"]["consents"], json!(["shrink:ranking@us-east-1"]));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(trail(&account), grown, "nothing was taken away");
    // It comes back before anybody agreed: nothing has to be made.
    players(&plane, 30);
    wait_until("three are asked for", || told()["spec"]["target"] == 3);
    wait_ready(&plane, &namespace, "arena");
    assert_eq!(trail(&account), grown);
}
