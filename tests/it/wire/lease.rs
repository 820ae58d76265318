//! Real processes that contend for one lease of two seconds, over the emulator: stopped, killed, with clocks ten minutes
//! apart, and with calls that a relay holds up on their way.
//!
//! The processes are this test binary again. Real time passes here, since what is shown is what the operating system and
//! the sockets do; `.ci/wire.sh` runs it as a stage of its own, named by `RGCTL_LEASE_STAGE`.

#![expect(clippy::disallowed_methods, reason = "real processes live in real time")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_engine::execution::drive::{DriveError, IfHeld};
use rgctl_machine::SystemClock;
use rgctl_model::journal::{Entry, Event};
use rgctl_model::scope::Scope;
use serde::{Deserialize, Serialize};

use super::*;

const LEASE: Span = Span::from_secs(2);
/// Names the orders of a process.
const ORDERS: &str = "RGCTL_LEASE_CHILD";
const CHILD: &str = "wire::lease::a_process_that_the_other_tests_start";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a process is told.
#[derive(Serialize, Deserialize)]
struct Orders {
    name: String,
    /// Where its calls go.
    relay: String,
    /// Where its record is.
    url: String,
    bucket: String,
    code: String,
    subnets: BTreeSet<String>,
    destroy: bool,
    gives_up: bool,
    /// By how much its time of day is off.
    shift_ms: i64,
    trace: PathBuf,
}

/// This machine's time with another time of day.
struct Shifted(i64);

impl Clock for Shifted {
    fn now(&self) -> Moment {
        Moment::from_millis(SystemClock.now().as_millis() + self.0)
    }
    fn since_boot(&self) -> Span {
        SystemClock.since_boot()
    }
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        let wait = at.since(self.now());
        async move { tokio::time::sleep(Duration::from_millis(wait.as_millis())).await }.boxed()
    }
}

fn aws(url: &str, shift: i64) -> AwsCloud {
    let options = AwsOptions { endpoint_url: Some(url.to_owned()), ..AwsOptions::default() };
    let credentials = Credentials::new("AKIDEXAMPLE", "example", None, None, "test");
    let credentials = Some(SharedCredentialsProvider::new(credentials));
    let transport = Transport { credentials, ..Transport::default() };
    AwsCloud::over(options, transport, Budget::default(), Arc::new(Shifted(shift)))
}

fn record(url: &str, bucket: &str, shift: i64) -> S3Store {
    let place = S3Place { bucket: bucket.to_owned(), prefix: String::new() };
    s3_store(Arc::clone(aws(url, shift).pool()), region("us-east-1"), place)
}

#[test]
fn a_process_that_the_other_tests_start() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let trace = std::fs::File::create(&orders.trace).unwrap();
    tracing_subscriber::fmt()
        .json()
        .with_env_filter("rgctl_aws::fence=debug")
        .with_writer(Mutex::new(trace))
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("\nENDED {}", runtime.block_on(run(&orders)));
}

async fn run(orders: &Orders) -> String {
    let (cloud, clock) = (aws(&orders.relay, orders.shift_ms), Shifted(orders.shift_ms));
    let store = record(&orders.url, &orders.bucket, orders.shift_ms);
    let world = Environment { cloud: &cloud, clock: &clock, wall: &clock, store: &store };
    let mut nodes = cluster_store("accounts", &orders.code, 1, "db.r7g.large");
    for node in nodes.iter_mut().filter(|node| node.address.kind == KindId::RdsSubnetGroup) {
        node.attrs.set("subnets", Some(json!(orders.subnets))).unwrap();
    }
    let mut wanted = desired(nodes);
    wanted.regions = BTreeSet::from([region(&orders.code)]);
    let pace = Pace {
        lease: LEASE,
        late: Span::from_secs(25),
        look_again: Span::from_millis(100),
        look_again_max: Span::from_millis(500),
        look_after_calls: Span::ZERO,
        visibility: Span::from_millis(500),
        unclear: Span::from_millis(500),
        retry: Span::from_millis(200),
        ..Pace::default()
    };
    let policy = consents(&[&format!("delete:accounts@{}", orders.code)]);
    let name = RunId(orders.name.clone());
    let job = Job {
        owner: &orders.name,
        purpose: if orders.destroy { Purpose::Destroy } else { Purpose::Apply },
        if_held: if orders.gives_up { IfHeld::GiveUp } else { IfHeld::Watch },
        ..applying(&wanted, &name, &policy, &pace)
    };
    match drive(&world, &job, &mut Quiet { turns: 0, stop_after: Some(2_000) }).await {
        Ok(ended) => format!("{:?}", ended.outcome),
        Err(DriveError::Store(StoreError::Held { .. })) => "Held".to_owned(),
        Err(DriveError::Store(StoreError::Fenced { .. })) => "Fenced".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

/// A request as the relay saw it.
#[derive(Clone, Debug)]
struct Passed {
    action: String,
    came: Instant,
    /// When it was passed on.
    went: Option<Instant>,
}

#[derive(Default)]
struct Way {
    passed: Vec<Passed>,
    /// Requests of this action are held up.
    held: Option<String>,
    /// From the first request of the one action on, those of the other are held up.
    holds_after: Option<(String, String)>,
    /// Every request is held up by so much.
    delay: Duration,
}

/// The way of one process to the emulator.
#[derive(Clone)]
struct Relay {
    url: String,
    way: Arc<Mutex<Way>>,
}

impl Relay {
    fn to(url: &str, held: Option<&str>) -> Self {
        let way = Arc::new(Mutex::new(Way { held: held.map(str::to_owned), ..Way::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { url: format!("http://{}", listener.local_addr().unwrap()), way: Arc::clone(&way) };
        let to = url.trim_start_matches("http://").to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (to, way) = (to.clone(), Arc::clone(&way));
                // A process that was killed leaves a broken connection.
                std::thread::spawn(move || drop(pass_on(client, &to, &way)));
            }
        });
        relay
    }

    /// Holds up every request a little.
    fn slowly(self) -> Self {
        self.way.lock().unwrap().delay = Duration::from_millis(250);
        self
    }

    /// From the first request of an action on, holds up those of another.
    fn holds_after(&self, first: &str, held: &str) {
        self.way.lock().unwrap().holds_after = Some((first.to_owned(), held.to_owned()));
    }

    /// Waits until a request is held up that came after this one.
    fn wait_for_held_after(&self, first: &str) {
        let is_held = |way: &Way| {
            let later = way.passed.iter().skip_while(|one| one.action != first);
            later.into_iter().any(|one| one.went.is_none() && way.held.as_ref() == Some(&one.action))
        };
        wait_until("a request that is held up", || is_held(&self.way.lock().unwrap()));
    }

    /// Lets everything through that was held up.
    fn release(&self) {
        self.way.lock().unwrap().held = None;
    }

    fn passed(&self) -> Vec<Passed> {
        self.way.lock().unwrap().passed.clone()
    }

    /// Requests that change something, and that came after some moment.
    fn changes_after(&self, moment: Instant) -> Vec<Passed> {
        let reads = ["Describe", "List", "Get"];
        let is_change = |one: &Passed| !reads.iter().any(|read| one.action.starts_with(read));
        self.passed().into_iter().filter(|one| one.came >= moment && is_change(one)).collect()
    }

    fn wait_for(&self, action: &str) {
        wait_until(action, || self.passed().iter().any(|one| one.action == action));
    }
}

fn pass_on(mut client: TcpStream, to: &str, way: &Mutex<Way>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let head = loop {
        let mut part = [0; 8_192];
        let read = client.read(&mut part)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&part[..read]);
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).into_owned();
    let header = |name: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while request.len() < head + length {
        let mut part = [0; 8_192];
        let read = client.read(&mut part)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&part[..read]);
    }
    let body = String::from_utf8_lossy(&request[head..]).into_owned();
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let target = header("x-amz-target").and_then(|target| target.rsplit('.').next().map(str::to_owned));
    let action = action.map(str::to_owned).or(target).unwrap_or_else(|| "Get?".to_owned());
    let number = {
        let mut way = way.lock().unwrap();
        way.passed.push(Passed { action: action.clone(), came: Instant::now(), went: None });
        if let Some((_, held)) = way.holds_after.take_if(|(first, _)| *first == action) {
            way.held = Some(held);
        }
        way.passed.len() - 1
    };
    let delay = way.lock().unwrap().delay;
    std::thread::sleep(delay);
    while way.lock().unwrap().held.as_ref() == Some(&action) {
        std::thread::sleep(Duration::from_millis(10));
    }
    way.lock().unwrap().passed[number].went = Some(Instant::now());
    let mut server = TcpStream::connect(to)?;
    let lines: Vec<&str> = text
        .trim_end()
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    server.write_all(format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n")).as_bytes())?;
    server.write_all(&request[head..])?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    client.write_all(&answer)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn pass(span: Span) {
    std::thread::sleep(Duration::from_millis(span.as_millis()));
}

/// A process, which does not outlive its test.
struct Process(Child);

impl Process {
    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(done.success(), "{name}");
    }

    fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// How it ended, in a word; nothing where it was killed.
    fn ended(mut self) -> Option<String> {
        wait_until("the end of a process", || self.is_over());
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        text.lines().find_map(|line| line.strip_prefix("ENDED ")).map(str::to_owned)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A world of its own for a test: a region of the emulator, and a bucket for the record.
struct Stage {
    url: String,
    code: &'static str,
    bucket: String,
    subnets: BTreeSet<String>,
    traces: tempfile::TempDir,
}

impl Stage {
    fn set(code: &'static str) -> Option<Self> {
        if std::env::var_os("RGCTL_LEASE_STAGE").is_none() {
            println!(
                "left out, since RGCTL_LEASE_STAGE does not name it: processes that contend for a lease"
            );
            return None;
        }
        let url = emulator("processes that contend for a lease")?;
        let bucket = bucket(&url, &format!("lease-{code}")).bucket;
        let subnets = subnets_of(&url, code);
        Some(Self { url, code, bucket, subnets, traces: tempfile::tempdir().unwrap() })
    }

    fn start(&self, name: &str, relay: &Relay, change: impl FnOnce(Orders) -> Orders) -> Process {
        let orders = change(Orders {
            name: name.to_owned(),
            relay: relay.url.clone(),
            url: self.url.clone(),
            bucket: self.bucket.clone(),
            code: self.code.to_owned(),
            subnets: self.subnets.clone(),
            destroy: false,
            gives_up: false,
            shift_ms: 0,
            trace: self.traces.path().join(name),
        });
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", CHILD, "--nocapture", "--test-threads", "1"])
            .env(ORDERS, serde_json::to_string(&orders).unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Process(child)
    }

    fn entries(&self) -> Vec<Entry> {
        let store = record(&self.url, &self.bucket, 0);
        let scope = Scope::parse("aws/123456789012/game").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(store.entries(&scope, 0)).unwrap()
    }

    /// The record holds the runs one behind the other, in this order, and no request left after its permit had ended.
    fn assert_one_at_a_time(&self, order: &[&str]) {
        let entries = self.entries();
        let mut runs: Vec<&str> = entries.iter().map(|entry| entry.run.0.as_str()).collect();
        runs.dedup();
        assert_eq!(runs, order, "no line of one holder behind the first line of the next");
        let mut checked = 0;
        for name in order {
            let text = std::fs::read_to_string(self.traces.path().join(name)).unwrap();
            // The last line of a process that was killed may be half a one.
            for line in text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
                let fields = &line["fields"];
                if fields["message"] != "checked the lease" || fields["sent"] != true {
                    continue;
                }
                let (now, end) =
                    (fields["boot_ms"].as_u64().unwrap(), fields["not_after_boot_ms"].as_u64().unwrap());
                assert!(now < end, "{name} sent {fields}");
                checked += 1;
            }
        }
        assert!(checked > 0, "requests were checked");
    }

    fn clusters(&self) -> String {
        let lines =
            "print(' '.join(c['DBClusterIdentifier'] for c in c.describe_db_clusters()['DBClusters']))";
        boto3(&self.url, self.code, "rds", lines)
    }
}

fn as_it_is(orders: Orders) -> Orders {
    orders
}

#[test]
fn a_holder_that_was_stopped_in_the_middle_of_a_call_does_nothing_on_waking() {
    let Some(stage) = Stage::set("ca-central-1") else { return };
    // In a call: the request is on its way when the process stops, and its successor makes the same one.
    let (there, next) = (Relay::to(&stage.url, Some("CreateDBCluster")), Relay::to(&stage.url, None));
    let stopped = stage.start("a", &there, as_it_is);
    there.wait_for("CreateDBCluster");
    stopped.signal("-STOP");
    let heir = stage.start("b", &next, as_it_is);
    assert_eq!(heir.ended().as_deref(), Some("Settled"));
    let woken = Instant::now();
    there.release();
    stopped.signal("-CONT");
    assert_eq!(stopped.ended().as_deref(), Some("Fenced"));
    assert!(there.changes_after(woken).is_empty(), "{:?}", there.changes_after(woken));
    stage.assert_one_at_a_time(&["a", "b"]);
    assert_eq!(stage.clusters(), "game-accounts-cac1");
}

#[test]
fn a_holder_that_was_stopped_in_the_middle_of_a_look_sends_nothing_on_waking() {
    let Some(stage) = Stage::set("eu-north-1") else { return };
    // The look after its first calls, which it makes under the lease.
    let (there, next) = (Relay::to(&stage.url, None), Relay::to(&stage.url, Some("CreateDBCluster")));
    there.holds_after("CreateDBSubnetGroup", "DescribeDBClusters");
    let stopped = stage.start("a", &there, as_it_is);
    there.wait_for_held_after("CreateDBSubnetGroup");
    stopped.signal("-STOP");
    let heir = stage.start("b", &next, as_it_is);
    next.wait_for("CreateDBCluster");
    let woken = Instant::now();
    there.release();
    stopped.signal("-CONT");
    assert_eq!(stopped.ended().as_deref(), Some("Fenced"), "while its heir is at work");
    next.release();
    assert_eq!(heir.ended().as_deref(), Some("Settled"));
    assert!(there.changes_after(woken).is_empty(), "{:?}", there.changes_after(woken));
    stage.assert_one_at_a_time(&["a", "b"]);
}

#[test]
fn who_was_stopped_in_its_first_look_has_no_lease_and_leaves_the_work_to_who_took_it() {
    let Some(stage) = Stage::set("eu-south-1") else { return };
    let there = Relay::to(&stage.url, Some("DescribeDBClusters"));
    let next = Relay::to(&stage.url, Some("CreateDBCluster"));
    let stopped = stage.start("a", &there, |orders| Orders { gives_up: true, ..orders });
    there.wait_for("DescribeDBClusters");
    stopped.signal("-STOP");
    // Nobody is watched for a term: there is no lease to take over.
    let heir = stage.start("b", &next, |orders| Orders { gives_up: true, ..orders });
    next.wait_for("CreateDBCluster");
    there.release();
    stopped.signal("-CONT");
    assert_eq!(stopped.ended().as_deref(), Some("Held"), "while the other is at work");
    next.release();
    assert_eq!(heir.ended().as_deref(), Some("Settled"));
    let began = there.passed()[0].came;
    assert!(there.changes_after(began).is_empty(), "{:?}", there.changes_after(began));
    stage.assert_one_at_a_time(&["b"]);
}

#[test]
fn holders_and_contenders_that_are_killed_in_every_order_leave_one_that_finishes() {
    let Some(stage) = Stage::set("sa-east-1") else { return };
    // The contender is killed while it watches: the holder goes on. Then the holder, while another one watches. Then that
    // one, after it got the lease.
    let held = "CreateDBInstance";
    let (first, watching) = (Relay::to(&stage.url, Some("CreateDBCluster")), Relay::to(&stage.url, None));
    let holder = stage.start("a", &first, as_it_is);
    first.wait_for("CreateDBCluster");
    let contender = stage.start("x", &watching, as_it_is);
    pass(Span::from_secs(1));
    contender.signal("-KILL");
    assert_ne!(contender.ended().as_deref(), Some("Settled"));
    let second = Relay::to(&stage.url, Some(held));
    let next = stage.start("b", &second, as_it_is);
    holder.signal("-KILL");
    assert_eq!(holder.ended(), None);
    first.release();
    second.wait_for(held);
    let third = Relay::to(&stage.url, None);
    let last = stage.start("c", &third, as_it_is);
    next.signal("-KILL");
    assert_eq!(next.ended(), None);
    second.release();
    assert_eq!(last.ended().as_deref(), Some("Settled"));
    assert!(watching.passed().is_empty() || watching.changes_after(watching.passed()[0].came).is_empty());
    stage.assert_one_at_a_time(&["a", "b", "c"]);
    assert_eq!(stage.clusters(), "game-accounts-sae1");
    let closed = |entry: &Entry| matches!(entry.what, Event::Closed { .. });
    assert_eq!(stage.entries().iter().filter(|entry| closed(entry)).count(), 1, "the dead closed nothing");
}

#[test]
fn clocks_ten_minutes_apart_take_no_lease_early_and_leave_none_standing() {
    let Some(stage) = Stage::set("ap-south-1") else { return };
    let minutes = 600_000;
    let shifted = |shift_ms: i64| move |orders: Orders| Orders { shift_ms, ..orders };
    // A holder that lives, and is slow; one that is ten minutes ahead, and one that is behind.
    let there = Relay::to(&stage.url, Some("CreateDBInstance")).slowly();
    let holder = stage.start("a", &there, as_it_is);
    there.wait_for("CreateDBSubnetGroup");
    let others = Relay::to(&stage.url, None);
    let rivals = [stage.start("x", &others, shifted(minutes)), stage.start("y", &others, shifted(-minutes))];
    for rival in rivals {
        assert_eq!(rival.ended().as_deref(), Some("Held"));
    }
    there.wait_for("CreateDBCluster");
    holder.signal("-KILL");
    assert_eq!(holder.ended(), None);
    there.release();
    // A holder whose clock is ten minutes ahead dies: its lease does not stand for ten minutes.
    let ahead = Relay::to(&stage.url, Some("CreateDBInstance"));
    let holder = stage.start("b", &ahead, shifted(minutes));
    ahead.wait_for("CreateDBInstance");
    holder.signal("-KILL");
    assert_eq!(holder.ended(), None);
    ahead.release();
    // `ended` waits a tenth of those ten minutes at most.
    let heir = stage.start("c", &others, shifted(-minutes));
    assert_eq!(heir.ended().as_deref(), Some("Settled"));
    stage.assert_one_at_a_time(&["a", "b", "c"]);
}

#[test]
fn a_call_that_comes_five_leases_late_is_waited_for_before_its_opposite_is_begun() {
    let Some(stage) = Stage::set("eu-west-3") else { return };
    let (there, next) = (Relay::to(&stage.url, Some("CreateDBSubnetGroup")), Relay::to(&stage.url, None));
    let dead = stage.start("a", &there, as_it_is);
    there.wait_for("CreateDBSubnetGroup");
    dead.signal("-KILL");
    assert_eq!(dead.ended(), None);
    let sent = Instant::now();
    // Its heir removes everything: of the group nothing is to be seen yet.
    let heir = stage.start("b", &next, |orders| Orders { destroy: true, ..orders });
    pass(LEASE.times(5));
    there.release();
    wait_until("the late call", || there.passed().iter().all(|one| one.went.is_some()));
    assert_eq!(heir.ended().as_deref(), Some("Settled"));
    assert!(sent.elapsed() >= Duration::from_millis(LEASE.times(5).as_millis()), "{:?}", sent.elapsed());
    let arrived =
        there.passed().iter().filter(|one| one.action == "CreateDBSubnetGroup").find_map(|one| one.went);
    let removed =
        next.passed().into_iter().find(|one| one.action == "DeleteDBSubnetGroup").expect("it was removed");
    assert!(removed.came > arrived.unwrap(), "what it would undo was seen first");
    stage.assert_one_at_a_time(&["a", "b"]);
    let lines = "print(len([g for g in c.describe_db_subnet_groups()['DBSubnetGroups'] if g['DBSubnetGroupName'].startswith('game-')]))";
    assert_eq!(boto3(&stage.url, stage.code, "rds", lines), "0");
}
