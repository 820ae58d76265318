//! A real control plane: etcd and kube-apiserver, and on request kube-controller-manager, which deletes namespaces.
//!
//! ```ignore
//! let Some(plane) = ControlPlane::shared("who may approve") else { return };     // one for all tests, each in a namespace
//! let namespace = plane.namespace("approvals");
//! let client = plane.client(&User::Admin).await;
//! let mark = plane.mark();
//! …
//! assert!(plane.calls(mark).iter().all(|call| call.code != 403));
//!
//! let Some(mut plane) = ControlPlane::alone("an API server that is away", &Setup::default()) else { return };
//! plane.stop_api();
//! plane.start_api();
//! ```

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;
use rgctl_schema::time::Moment;

use crate::processes::{PATIENCE, block_on, bound_command, end, spawn};

/// Says that the tests must not be left out.
const REQUIRED: &str = "RGCTL_CLUSTER";
/// From when to when its API server was starting, a line for each time.
const STARTS: &str = "starts";
/// What is needed for any test at all; helm and kube-controller-manager are asked for where they are used.
const NEEDED: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// May do everything.
    Admin,
    /// The user `approver`, of the group `dba`: what RBAC gives.
    Approver,
    /// The user `tenant`, of the group `team-a`: what RBAC gives.
    Tenant,
    /// The user `stranger`, of no group.
    Stranger,
    /// A service account, by a token that is asked for each time.
    ServiceAccount { namespace: String, name: String },
}

/// How a control plane of one's own is started.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// With the controllers that delete namespaces and what is owned by something that is gone.
    pub controllers: bool,
    /// With the controller of horizontal autoscalers, which looks every second and forgets at once; it comes with the others.
    pub autoscaler: bool,
    /// What was forgotten by [`ControlPlane::compact`] is forgotten for watches, too: they go to etcd itself.
    pub compaction: bool,
    /// Further flags of the API server.
    pub flags: Vec<String>,
}

/// A call, as the audit log has it. A watch is there twice: when it began, and when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub user: String,
    pub agent: String,
    pub verb: String,
    /// With its group and subresource: `configmaps`, `leases.coordination.k8s.io`, `blueprints.rgctl.dev/status`; empty for
    /// what is none, such as `/readyz`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub code: u16,
    /// `ResponseStarted` for a watch that begins, else `ResponseComplete`.
    pub stage: String,
    pub uri: String,
    /// What the API server found of its rights: `allow` or `forbid`; what else refuses, refuses what is allowed.
    pub decision: String,
    /// When it came.
    pub came: Moment,
}

impl Call {
    /// Whether it changes something.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// A control plane that runs.
pub struct ControlPlane {
    folder: PathBuf,
    ports: [u16; 3],
    flags: Vec<String>,
    etcd: Child,
    api: Option<Child>,
    controllers: Option<Child>,
}

/// Where a binary is: by its own variable, in the folder of `KUBEBUILDER_ASSETS`, or where envtest has it.
pub fn asset(name: &str) -> Option<PathBuf> {
    let own = format!("TEST_ASSET_{}", name.replace('-', "_").to_uppercase());
    let assets = || {
        let folder = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        folder.unwrap_or_else(|| "/usr/local/kubebuilder/bin".into()).join(name)
    };
    let path = std::env::var_os(own).map_or_else(assets, PathBuf::from);
    path.is_file().then_some(path)
}

/// Whether the binaries are there; else says on standard error, past the capture of the tests, what was left out.
pub fn is_there(needed: &[&str], what: &str) -> bool {
    let missing: Vec<&str> = needed.iter().copied().filter(|name| asset(name).is_none()).collect();
    if missing.is_empty() {
        return true;
    }
    let missing = missing.join(", ");
    assert!(
        std::env::var_os(REQUIRED).is_none_or(|word| word != "required"),
        "{REQUIRED}=required, and there is no {missing}: eval \"$(testbed/build.sh --kcm)\""
    );
    let line = format!("cluster: LEFT OUT, no {missing} (see testbed/README.md): {what}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    false
}

impl ControlPlane {
    /// The one that tests share, each in a namespace of its own; nothing where the binaries are not there. It has no
    /// controllers.
    pub fn shared(what: &str) -> Option<&'static Self> {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        is_there(&NEEDED, what).then(|| SHARED.get_or_init(|| Self::start(&Setup::default())))
    }

    /// One of the test's own, for what others would notice.
    pub fn alone(what: &str, setup: &Setup) -> Option<Self> {
        let is_wanted = setup.controllers || setup.autoscaler;
        let more: &[&str] = if is_wanted { &["kube-controller-manager"] } else { &[] };
        is_there(&[&NEEDED, more].concat(), what).then(|| Self::start(setup))
    }

    fn start(setup: &Setup) -> Self {
        let folder = fresh_folder();
        let prepare = Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed/prepare.sh");
        let prepared = Command::new(prepare).arg(&folder).output().unwrap();
        assert!(prepared.status.success(), "prepare.sh: {}", String::from_utf8_lossy(&prepared.stderr));
        // Held at once, so that they are different ones.
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = held.each_ref().map(|one| one.local_addr().unwrap().port());
        drop(held);
        let etcd = start(&folder, "etcd", &etcd_flags(ports));
        let mut flags = api_flags(ports);
        if setup.compaction {
            flags.extend(["--watch-cache=false", "--etcd-compaction-interval=0"].map(str::to_owned));
        }
        flags.extend(setup.flags.iter().cloned());
        let mut plane = Self { folder, ports, flags, etcd, api: None, controllers: None };
        plane.start_api();
        if setup.controllers || setup.autoscaler {
            plane.controllers = Some(plane.start_controllers(setup.autoscaler));
        }
        plane
    }

    fn start_controllers(&self, autoscaler: bool) -> Child {
        let file = self.kubeconfig(&User::Admin);
        let mut controllers = "--controllers=namespace-controller,garbage-collector-controller".to_owned();
        if autoscaler {
            controllers += ",horizontal-pod-autoscaler-controller";
        }
        let mut flags = vec![
            format!("--kubeconfig={}", file.display()),
            controllers,
            "--leader-elect=false".to_owned(),
            // It serves nothing that is asked for here, and its usual port may be taken.
            "--secure-port=0".to_owned(),
        ];
        if autoscaler {
            // Each controller is then who it is in a cluster, with the rights that Kubernetes gives to it.
            let more = "--use-service-account-credentials=true --service-account-private-key-file=sa.key \
                --horizontal-pod-autoscaler-sync-period=1s --horizontal-pod-autoscaler-downscale-stabilization=1s";
            flags.extend(more.split_whitespace().map(str::to_owned));
        }
        start(&self.folder, "kube-controller-manager", &flags)
    }

    /// Starts the API server, at the same address as before and with the same data, and waits until it is ready.
    pub fn start_api(&mut self) {
        assert!(self.api.is_none(), "it runs");
        let began = SystemClock.now();
        let mut api = start(&self.folder, "kube-apiserver", &self.flags);
        let by = Instant::now() + PATIENCE;
        while !block_on(self.is_ready()) {
            let ended = api.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < by, "{ended:?}: {}", self.log("kube-apiserver"));
            std::thread::sleep(Duration::from_millis(100));
        }
        self.api = Some(api);
        let start = format!("{} {}\n", began.as_millis(), SystemClock.now().as_millis());
        let starts = std::fs::File::options().create(true).append(true).open(self.folder.join(STARTS));
        starts.unwrap().write_all(start.as_bytes()).unwrap();
    }

    async fn is_ready(&self) -> bool {
        let asked = http::Request::get("/readyz").body(Vec::new()).unwrap();
        self.client(&User::Admin).await.request_text(asked).await.is_ok()
    }

    /// Stops the API server: whoever watches loses the connection, whoever calls is refused one.
    pub fn stop_api(&mut self) {
        let mut api = self.api.take().expect("it runs");
        end(&mut api, Duration::from_secs(20));
    }

    /// Forgets every former version of everything: a watch that goes on from one gets 410. Wants [`Setup::compaction`].
    pub fn compact(&self) {
        let read = self.etcd("/v3/kv/range", r#"{"key":"AA=="}"#);
        let revision = read["header"]["revision"].as_str().unwrap().to_owned();
        self.etcd("/v3/kv/compaction", &format!(r#"{{"revision":"{revision}","physical":true}}"#));
    }

    fn etcd(&self, path: &str, body: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[0])).unwrap();
        let length = body.len();
        let head = "Host: etcd\r\nConnection: close\r\nContent-Type: application/json";
        write!(stream, "POST {path} HTTP/1.0\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.ports[2]
    }

    /// A folder of this control plane, for files of a test; it goes with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A kubeconfig for a user, with one context, `testbed`.
    pub fn kubeconfig(&self, user: &User) -> PathBuf {
        self.kubeconfig_at(user, self.port())
    }

    /// The same, by way of another port, such as that of a relay.
    pub fn kubeconfig_at(&self, user: &User, port: u16) -> PathBuf {
        let (name, token) = match user {
            User::Admin => ("admin".to_owned(), "admin-token".to_owned()),
            User::Approver => ("approver".to_owned(), "approver-token".to_owned()),
            User::Tenant => ("tenant".to_owned(), "tenant-token".to_owned()),
            User::Stranger => ("stranger".to_owned(), "stranger-token".to_owned()),
            User::ServiceAccount { namespace, name } => {
                let token = self.kubectl(&User::Admin, &["create", "token", name, "-n", namespace]);
                (format!("{namespace}-{name}"), token.trim().to_owned())
            }
        };
        let path = self.folder.join(format!("kubeconfig-{name}-{port}"));
        let authority = self.folder.join("ca.crt");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: testbed\n\
             contexts: [{{name: testbed, context: {{cluster: testbed, user: {name}}}}}]\n\
             clusters: [{{name: testbed, cluster: {{server: \"https://127.0.0.1:{port}\", certificate-authority: {}}}}}]\n\
             users: [{{name: {name}, user: {{token: {token}}}}}]\n",
            authority.display()
        );
        // Put in place as a whole: tests ask for it at the same time.
        let fresh = path.with_extension(format!("{:?}", std::thread::current().id()));
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(&fresh, &path).unwrap();
        path
    }

    /// A client for a user, which calls itself `tests`, and lives as long as the runtime that it was made in.
    pub async fn client(&self, user: &User) -> kube::Client {
        self.client_at(user, self.port(), "tests").await
    }

    /// The same by way of another port, with a name by which its calls are told apart.
    pub async fn client_at(&self, user: &User, port: u16, name: &str) -> kube::Client {
        let file = Kubeconfig::read_from(self.kubeconfig_at(user, port)).unwrap();
        let options = KubeConfigOptions::default();
        let mut config = kube::Config::from_custom_kubeconfig(file, &options).await.unwrap();
        config.headers.push((http::header::USER_AGENT, name.parse().unwrap()));
        config.default_retry = false;
        kube::Client::try_from(config).unwrap()
    }

    /// Makes a namespace that no other test has, which begins with this.
    pub fn namespace(&self, begins: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{begins}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.kubectl(&User::Admin, &["create", "namespace", &name]);
        name
    }

    /// What kubectl writes for a user; fails where it fails.
    pub fn kubectl(&self, user: &User, arguments: &[&str]) -> String {
        let done = self.try_kubectl(user, arguments, "");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "kubectl {}: {said}", arguments.join(" "));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Runs kubectl for a user, with this on standard input.
    pub fn try_kubectl(&self, user: &User, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(asset("kubectl").unwrap());
        command.arg("--kubeconfig").arg(self.kubeconfig(user)).args(arguments);
        // What kubectl learns of the API server's kinds is kept, or each call would ask for them anew.
        command.arg(format!("--cache-dir={}", self.folder.join("cache").display()));
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Where the audit log stands.
    pub fn mark(&self) -> u64 {
        std::fs::metadata(self.folder.join("audit.log")).map_or(0, |file| file.len())
    }

    /// Calls since then, in the order in which they ended.
    pub fn calls(&self, mark: u64) -> Vec<Call> {
        calls_in(&self.folder, mark)
    }

    /// The end of what one of its processes said.
    pub fn log(&self, name: &str) -> String {
        let log = std::fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for child in self.controllers.iter_mut().chain(&mut self.api).chain([&mut self.etcd]) {
            end(child, Duration::from_secs(5));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Calls in the audit log of a control plane's folder, from a place on.
pub fn calls_in(folder: &Path, mark: u64) -> Vec<Call> {
    let log = std::fs::read(folder.join("audit.log")).unwrap();
    let log = &log[usize::try_from(mark).unwrap()..];
    // The last line may be half written.
    let whole = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = std::str::from_utf8(&log[..whole]).unwrap().lines();
    lines.map(|line| call_of(&serde_json::from_str(line).unwrap())).collect()
}

fn call_of(line: &serde_json::Value) -> Call {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let object = &line["objectRef"];
    let mut resource = text(&object["resource"]);
    if let Some(group) = object["apiGroup"].as_str() {
        resource = format!("{resource}.{group}");
    }
    if let Some(part) = object["subresource"].as_str() {
        resource = format!("{resource}/{part}");
    }
    Call {
        user: text(&line["user"]["username"]),
        agent: text(&line["userAgent"]),
        verb: text(&line["verb"]),
        resource,
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        code: line["responseStatus"]["code"].as_u64().map_or(0, |code| u16::try_from(code).unwrap()),
        stage: text(&line["stage"]),
        uri: text(&line["requestURI"]),
        decision: text(&line["annotations"]["authorization.k8s.io/decision"]),
        came: Moment::parse_rfc3339(line["requestReceivedTimestamp"].as_str().unwrap()).unwrap(),
    }
}

/// Whether the API server of a control plane's folder was starting at that time, and may not have known anybody's rights yet.
pub fn was_starting(folder: &Path, at: Moment) -> bool {
    let starts = std::fs::read_to_string(folder.join(STARTS)).unwrap();
    starts.lines().any(|line| {
        let mut ends = line.split(' ').map(|end| Moment::from_millis(end.parse().unwrap()));
        let (began, ready) = (ends.next().unwrap(), ends.next().unwrap());
        began <= at && at <= ready
    })
}

/// A new folder below the build. The shared control plane's cannot be removed by who used it, which has ended by then: those
/// of processes that are gone are removed here.
fn fresh_folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planes");
    std::fs::create_dir_all(&all).unwrap();
    for old in std::fs::read_dir(&all).unwrap().flatten() {
        let name = old.file_name().to_string_lossy().into_owned();
        let process = name.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            let _ = std::fs::remove_dir_all(old.path());
        }
    }
    let folder = all.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Starts a binary of the control plane in its folder, with what it says in a file there.
fn start(folder: &Path, name: &str, flags: &[String]) -> Child {
    let log =
        std::fs::File::options().create(true).append(true).open(folder.join(format!("{name}.log"))).unwrap();
    let mut command = bound_command(asset(name).unwrap());
    command.args(flags).current_dir(folder).stdin(Stdio::null());
    command.stdout(log.try_clone().unwrap()).stderr(log);
    spawn(command).unwrap()
}

fn etcd_flags([client, peer, _]: [u16; 3]) -> Vec<String> {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    vec![
        "--data-dir=etcd".to_owned(),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
    ]
}

/// As `testbed/start.sh` has them.
fn api_flags([etcd, _, port]: [u16; 3]) -> Vec<String> {
    let mut flags = vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        format!("--secure-port={port}"),
        format!("--service-account-issuer=https://127.0.0.1:{port}"),
    ];
    let fixed = "--bind-address=127.0.0.1 --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --cert-dir=. \
        --tls-cert-file=server.crt --tls-private-key-file=server.key --client-ca-file=ca.crt --token-auth-file=tokens.csv \
        --authorization-mode=RBAC --allow-privileged=true --service-cluster-ip-range=10.0.0.0/24 \
        --disable-admission-plugins=ServiceAccount --service-account-key-file=sa.pub \
        --service-account-signing-key-file=sa.key --audit-policy-file=audit.yaml --audit-log-path=audit.log";
    flags.extend(fixed.split_whitespace().map(str::to_owned));
    flags
}
