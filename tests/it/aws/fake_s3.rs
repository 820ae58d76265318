//! A bucket in memory behind the SDK's own layers, that has trouble when it is told to: laws of leases, lost answers, and
//! "slow down".

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_types::body::SdkBody;
use rgctl::cli::adapters::Adapters;
use rgctl::cli::run;
use rgctl_aws::budget::Budget;
use rgctl_aws::clients::{AwsOptions, Pool, Transport};
use rgctl_aws::s3_store::{S3Place, S3Store, s3_store};
use rgctl_engine::planning::NoFigures;
use rgctl_machine::SystemClock;
use rgctl_model::chain::{digest, seal_decision};
use rgctl_model::checkpoint::Checkpoint;
use rgctl_model::inbox::Request;
use rgctl_model::journal::{Entry, Event, Outcome};
use rgctl_model::kinds::KindId;
use rgctl_model::node::{TAG_BLUEPRINT, TAG_RECORD};
use rgctl_model::overlay::Decisions;
use rgctl_model::plan::{Blocker, Op, Plan};
use rgctl_model::policy::Policy;
use rgctl_model::ports::archive::Archive;
use rgctl_model::ports::{Chain, Clock, Cloud, KEPT_DECISIONS, Permit, Store, StoreError};
use rgctl_model::scope::{RecordId, Scope};
use rgctl_schema::names::{RunId, Token};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{GENESIS, SimCloud};

use super::replay::Still;
use rgctl_testkit::decision_law::{count, key, obeys_the_laws_of_decisions, obeys_the_laws_of_memories, set};
use rgctl_testkit::fixtures::{address, cluster_store, desired, region};
use rgctl_testkit::store_law::{obeys_the_laws, obeys_the_laws_of_leases, obeys_the_laws_of_moves};

/// What goes wrong with a write that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It is refused with that status and code.
    Refused(u16, &'static str),
    /// It is made, and answered with that status and code.
    Made(u16, &'static str),
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    writes: u64,
    /// For writes of keys that end so.
    trouble: VecDeque<(&'static str, Trouble)>,
    /// Keys of the writes that arrived, made or not.
    asked: Vec<String>,
    /// Keys that were read; of a listing its prefix and a `*`.
    read: Vec<String>,
}

type Answer = http::Response<SdkBody>;

fn answer(status: u16, mark: Option<u64>, body: impl Into<SdkBody>) -> Answer {
    let answer = http::Response::builder().status(status).header("content-type", "application/xml");
    let answer = match mark {
        Some(mark) => answer.header("etag", format!("\"{mark}\"")),
        None => answer,
    };
    answer.body(body.into()).unwrap()
}

fn refused(status: u16, code: &str) -> Answer {
    answer(status, None, format!("<Error><Code>{code}</Code><Message>by script</Message></Error>"))
}

impl Bucket {
    fn serve(&mut self, request: &http::Request<SdkBody>) -> Answer {
        let path = request.uri().path().trim_start_matches('/');
        let (_, key) = path.split_once('/').unwrap_or((path, ""));
        let key = key.replace("%2F", "/");
        match request.method().as_str() {
            "PUT" => self.put(&key, request),
            "GET" if key.is_empty() => self.list(request.uri().query().unwrap_or_default()),
            "GET" => {
                self.read.push(key.clone());
                match self.objects.get(&key) {
                    Some((body, mark)) => answer(200, Some(*mark), body.clone()),
                    None => refused(404, "NoSuchKey"),
                }
            }
            other => panic!("{other} {path}"),
        }
    }

    fn put(&mut self, key: &str, request: &http::Request<SdkBody>) -> Answer {
        self.asked.push(key.to_owned());
        let trouble = self.trouble.front().filter(|(end, _)| key.ends_with(end)).map(|(_, trouble)| *trouble);
        if trouble.is_some() {
            self.trouble.pop_front();
        }
        if let Some(Trouble::Refused(status, code)) = trouble {
            return refused(status, code);
        }
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let mark = self.objects.get(key).map(|(_, mark)| format!("\"{mark}\""));
        let is_met = match (header("if-match"), header("if-none-match")) {
            (Some(wanted), _) => mark.as_deref() == Some(wanted.trim_matches('\'')),
            (None, Some(_)) => mark.is_none(),
            (None, None) => true,
        };
        if !is_met {
            return refused(412, "PreconditionFailed");
        }
        self.writes += 1;
        let body = request.body().bytes().unwrap_or_default();
        self.objects.insert(key.to_owned(), (unchunked(body), self.writes));
        match trouble {
            Some(Trouble::Made(status, code)) => refused(status, code),
            _ => answer(200, Some(self.writes), ""),
        }
    }

    fn list(&mut self, query: &str) -> Answer {
        let asked = |name: &str| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            pair.map(|value| value.replace("%2F", "/")).unwrap_or_default()
        };
        let (prefix, after, delimiter) = (asked("prefix"), asked("start-after"), asked("delimiter"));
        self.read.push(format!("{prefix}*"));
        let keys = self.objects.keys().filter(|key| key.starts_with(&prefix) && **key > after);
        let mut text = String::new();
        let mut folders = std::collections::BTreeSet::new();
        for key in keys {
            match key[prefix.len()..].split_once('/').filter(|_| !delimiter.is_empty()) {
                Some((folder, _)) => drop(folders.insert(format!("{prefix}{folder}/"))),
                None => write!(text, "<Contents><Key>{key}</Key></Contents>").expect("a text"),
            }
        }
        for folder in folders {
            write!(text, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>").expect("a text");
        }
        answer(
            200,
            None,
            format!("<ListBucketResult><IsTruncated>false</IsTruncated>{text}</ListBucketResult>"),
        )
    }
}

/// A body without the frames of a signed stream, where it has them.
fn unchunked(body: &[u8]) -> Vec<u8> {
    let size = |title: &str| usize::from_str_radix(title.split(';').next()?, 16).ok();
    let framed = body.windows(2).position(|pair| pair == b"\r\n").and_then(|end| {
        let size = size(std::str::from_utf8(&body[..end]).ok()?)?;
        body[end + 2..].get(..size)
    });
    framed.unwrap_or(body).to_vec()
}

/// A store of a process of its own on a bucket; each has connections and clocks of its own.
fn process(bucket: &Arc<Mutex<Bucket>>) -> (S3Store, Arc<Still>) {
    let served = Arc::clone(bucket);
    let http =
        infallible_client_fn(move |request: http::Request<SdkBody>| served.lock().unwrap().serve(&request));
    let keys = Credentials::new("AKIDEXAMPLE", "example", None, None, "test");
    let transport =
        Transport { http, credentials: Some(SharedCredentialsProvider::new(keys)), ..Transport::default() };
    let options = AwsOptions { endpoint_url: Some("http://bucket.test".into()), ..AwsOptions::default() };
    let clock = Arc::new(Still(Mutex::new(Moment::from_secs(1_800_000_000))));
    let pool = Pool::new(options, transport, Budget::default(), Arc::clone(&clock) as Arc<dyn Clock>);
    let place = S3Place { bucket: "records".into(), prefix: "team".into() };
    (s3_store(Arc::new(pool), region("us-east-1"), place), clock)
}

const LEASE: Span = Span::from_mins(1);

fn game() -> Scope {
    Scope::parse("aws/123456789012/game").unwrap()
}

fn event(text: &str) -> Event {
    Event::Closed { outcome: Outcome::Settled, summary: text.to_owned(), left: None }
}

#[tokio::test]
async fn a_bucket_obeys_the_laws_of_records_and_of_leases() {
    let bucket = Arc::default();
    obeys_the_laws(&process(&bucket).0).await;
    let bucket = Arc::default();
    let open = || -> Box<dyn Store> { Box::new(process(&bucket).0) };
    // Nobody sees a process on another machine die.
    obeys_the_laws_of_leases(&open, false).await;
}

#[tokio::test]
async fn a_bucket_obeys_the_laws_of_decisions_and_of_memories() {
    let bucket = Arc::default();
    let open = || -> Box<dyn Store> { Box::new(process(&bucket).0) };
    obeys_the_laws_of_decisions(&open, 130).await;
    obeys_the_laws_of_memories(&process(&bucket).0).await;
}

/// Four decisions in a bucket, and their folder.
async fn four_decisions(bucket: &Arc<Mutex<Bucket>>) -> S3Store {
    let store = process(bucket).0;
    for number in 0..4 {
        let what = set(key(number), u32::try_from(number).unwrap());
        store.decide(&game(), 0, Moment::EPOCH, &what).await.unwrap();
    }
    store
}

const FOLDER: &str = "team/records/aws/123456789012/game/";

fn line_key(number: u64) -> String {
    format!("{FOLDER}decisions/{number:016}.json")
}

fn change(objects: &mut BTreeMap<String, (Vec<u8>, u64)>, key: &str) {
    let (body, _) = objects.get_mut(key).unwrap();
    *body = String::from_utf8(body.clone()).unwrap().replace("launch", "LAUNCH").into_bytes();
}

#[tokio::test]
async fn a_decision_in_a_bucket_that_was_changed_removed_or_slipped_in_is_named() {
    type Harm = fn(&mut BTreeMap<String, (Vec<u8>, u64)>);
    let long_past: [Harm; 2] =
        [|objects| change(objects, &line_key(2)), |objects| drop(objects.remove(&line_key(2)))];
    let at_end: [Harm; 4] = [
        |objects| drop(objects.remove(&line_key(4))),
        |objects| drop(objects.insert(line_key(4), objects[&line_key(3)].clone())),
        |objects| drop(objects.insert(line_key(5), objects[&line_key(4)].clone())),
        |objects| objects.retain(|key, _| !key.contains("/decisions/")),
    ];
    let is_damaged = |result: Option<StoreError>| {
        matches!(result, Some(StoreError::Damaged { chain: Chain::Decisions, .. }))
    };
    let cases = long_past.into_iter().map(|harm| (harm, false)).chain(at_end.map(|harm| (harm, true)));
    for (number, (harm, is_at_the_end)) in cases.enumerate() {
        let bucket: Arc<Mutex<Bucket>> = Arc::default();
        let store = four_decisions(&bucket).await;
        harm(&mut bucket.lock().unwrap().objects);
        assert!(is_damaged(store.decisions(&game(), 0).await.err()), "{number}");
        assert_eq!(is_damaged(store.standing(&game()).await.err()), is_at_the_end, "{number}");
    }
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    let store = four_decisions(&bucket).await;
    change(&mut bucket.lock().unwrap().objects, &format!("{FOLDER}standing.json"));
    assert!(is_damaged(store.standing(&game()).await.err()), "what stands is not what its line says");
    assert!(is_damaged(store.decide(&game(), 0, Moment::EPOCH, &set(key(9), 1)).await.err()));
    assert!(is_damaged(store.decisions(&game(), 0).await.err()));
}

#[tokio::test]
async fn what_stands_in_a_bucket_is_known_also_where_its_writer_was_cut_off_before_it_said_so() {
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    let store = four_decisions(&bucket).await;
    let known = store.standing(&game()).await.unwrap();
    let lines = store.decisions(&game(), 0).await.unwrap();
    // Nothing was said at all, or an older writer's word is all there is.
    let older = {
        let bucket: Arc<Mutex<Bucket>> = Arc::default();
        let store = process(&bucket).0;
        store.decide(&game(), 0, Moment::EPOCH, &set(key(0), 0)).await.unwrap();
        let objects = &bucket.lock().unwrap().objects;
        objects[&format!("{FOLDER}standing.json")].clone()
    };
    for said in [None, Some(older)] {
        let standing = format!("{FOLDER}standing.json");
        match said {
            None => drop(bucket.lock().unwrap().objects.remove(&standing)),
            Some(older) => drop(bucket.lock().unwrap().objects.insert(standing, older)),
        }
        assert_eq!(store.standing(&game()).await.unwrap(), known);
        assert_eq!(store.decisions(&game(), 0).await.unwrap(), lines);
    }
    assert_eq!(store.decide(&game(), 4, Moment::EPOCH, &set(key(3), 8)).await.unwrap(), 5);
    assert_eq!(count(&store.standing(&game()).await.unwrap(), &key(3)), Some(8));
}

#[tokio::test]
async fn of_a_long_log_in_a_bucket_the_newest_lines_are_read_and_what_stands_is_whole() {
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    let store = process(&bucket).0;
    let mut known = Decisions::default();
    for number in 0..KEPT_DECISIONS + 5 {
        let what = set(key(usize::try_from(number % 7).unwrap()), u32::try_from(number).unwrap());
        let sealed = seal_decision(&game(), &known, known.epoch(&what.key()), Moment::EPOCH, &what);
        let (line, after) = sealed.unwrap();
        let body = serde_json::to_vec(&line).unwrap();
        bucket.lock().unwrap().objects.insert(line_key(line.seq), (body, line.seq));
        known = after;
    }
    let body = serde_json::to_vec(&known).unwrap();
    bucket.lock().unwrap().objects.insert(format!("{FOLDER}standing.json"), (body, 9_999));
    bucket.lock().unwrap().writes = 10_000;
    assert_eq!(store.standing(&game()).await.unwrap(), known);
    let lines = store.decisions(&game(), 0).await.unwrap();
    assert_eq!((lines.len() as u64, lines[0].seq), (KEPT_DECISIONS, 6));
    let next = set(key(1), 7);
    let expected = known.epoch(&next.key());
    assert_eq!(store.decide(&game(), expected, Moment::EPOCH, &next).await.unwrap(), KEPT_DECISIONS + 6);
    assert_eq!(store.decisions(&game(), 0).await.unwrap()[0].seq, 7);
    // It moves as far as it is read.
    let there: Arc<Mutex<Bucket>> = Arc::default();
    let whole = store.whole(&game()).await.unwrap();
    process(&there).0.take_in(&game(), &whole).await.unwrap();
    assert_eq!(process(&there).0.whole(&game()).await.unwrap(), whole);
}

#[tokio::test]
async fn a_quiet_turn_asks_a_bucket_for_three_small_objects_and_lists_nothing() {
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    let store = four_decisions(&bucket).await;
    let now = Moment::from_secs(1_000);
    let lease = store.take_lease(&game(), &RunId("r1".into()), "ann", now, LEASE, None).await.unwrap();
    store.append(&lease, 0, now, &[event("one")]).await.unwrap();
    let (seq, hash) = Store::head(&store, &game()).await.unwrap();
    store.put_checkpoint(&lease, &Checkpoint::new(seq, hash, 1, "state".into())).await.unwrap();
    let reads = |bucket: &Arc<Mutex<Bucket>>| -> Vec<String> {
        let read = std::mem::take(&mut bucket.lock().unwrap().read);
        read.into_iter().map(|key| key.replace(FOLDER, "")).collect()
    };
    reads(&bucket);
    Store::head(&store, &game()).await.unwrap();
    store.decisions(&game(), 4).await.unwrap();
    assert_eq!(reads(&bucket), ["head.json", "decisions/0000000000000005.json"]);
    assert!(store.resume(&game(), 1).await.unwrap().0.is_some());
    assert_eq!(
        reads(&bucket),
        ["checkpoint.json", "head.json"],
        "and a new process reads no line of history"
    );
}

/// Whatever a bucket says to one write of each sort, made or not, the record is what it would have been.
#[tokio::test(start_paused = true)]
async fn trouble_that_passes_ends_no_run_and_doubles_no_line() {
    let kinds = [
        Trouble::Refused(503, "SlowDown"),
        Trouble::Refused(500, "InternalError"),
        Trouble::Made(500, "InternalError"),
        Trouble::Made(503, "ServiceUnavailable"),
    ];
    for kind in kinds {
        for often in [1, 4] {
            let bucket: Arc<Mutex<Bucket>> = Arc::default();
            let (store, _) = process(&bucket);
            let run = RunId("r1".into());
            let trouble = |end: &'static str| {
                let mut bucket = bucket.lock().unwrap();
                bucket.trouble = (0..often).map(|_| (end, kind)).collect();
            };
            let now = Moment::from_secs(1_000);
            trouble("head.json");
            let lease = store.take_lease(&game(), &run, "ann", now, LEASE, None).await.unwrap();
            trouble("head.json");
            let lease = store.renew_lease(&lease, now, LEASE).await.unwrap();
            trouble("head.json");
            assert_eq!(store.append(&lease, 0, now, &[event("one"), event("two")]).await.unwrap(), 2);
            trouble(".json");
            assert_eq!(store.append(&lease, 2, now, &[event("three")]).await.unwrap(), 3);
            let ask = Request::Yield { epoch: lease.epoch };
            trouble(".json");
            assert_eq!(store.post(&game(), "bob", now, &ask).await.unwrap(), 1, "{kind:?} {often}");
            trouble(".json");
            assert_eq!(store.decide(&game(), 0, now, &set(key(1), 3)).await.unwrap(), 1, "{kind:?} {often}");
            bucket.lock().unwrap().trouble.clear();
            trouble("2.json");
            assert_eq!(store.decide(&game(), 1, now, &set(key(1), 4)).await.unwrap(), 2, "{kind:?} {often}");
            trouble("head.json");
            store.release_lease(&lease).await.unwrap();
            bucket.lock().unwrap().trouble.clear();
            let entries = store.entries(&game(), 0).await.unwrap();
            assert_eq!(entries.len(), 3, "{kind:?} {often}");
            assert_eq!(store.inbox(&game(), 0).await.unwrap().len(), 1, "{kind:?} {often}");
            assert_eq!(store.decisions(&game(), 0).await.unwrap().len(), 2, "{kind:?} {often}");
            let standing = store.standing(&game()).await.unwrap();
            assert_eq!((count(&standing, &key(1)), standing.last_seq), (Some(4), 2), "{kind:?} {often}");
            assert!(store.lease(&game()).await.unwrap().unwrap().is_given_back(), "{kind:?} {often}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_gets_its_identity_through_trouble_that_passes_and_one_only() {
    let kinds = [
        Trouble::Refused(503, "SlowDown"),
        Trouble::Refused(503, "ServiceUnavailable"),
        Trouble::Refused(503, "ACodeOfAnotherMaker"),
        Trouble::Made(503, "SlowDown"),
        Trouble::Made(500, "InternalError"),
    ];
    for kind in kinds {
        for often in [1, 4] {
            let bucket: Arc<Mutex<Bucket>> = Arc::default();
            bucket.lock().unwrap().trouble = (0..often).map(|_| ("store.json", kind)).collect();
            let (one, other) = (process(&bucket).0, process(&bucket).0);
            let whose = game();
            let ids = futures::join!(one.identity(&whose), other.identity(&whose));
            let id = ids.0.unwrap();
            assert_eq!(id, ids.1.unwrap(), "{kind:?} {often}");
            assert_eq!(process(&bucket).0.known_identity(&game()).await.unwrap(), Some(id));
        }
    }
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    bucket.lock().unwrap().trouble = [("store.json", Trouble::Refused(403, "AccessDenied"))].into();
    let denied = process(&bucket).0.identity(&game()).await;
    assert!(
        matches!(&denied, Err(StoreError::Unavailable { what }) if what.contains("AccessDenied")),
        "{denied:?}"
    );
    assert_eq!(bucket.lock().unwrap().asked.len(), 1, "what does not pass is not tried again");
}

/// Looks through what `plan`, `drift` and the like look through, on an empty world.
async fn looked(bucket: &Arc<Mutex<Bucket>>, world: &SimCloud) -> (Plan, Option<RecordId>) {
    let outside = Adapters {
        cloud: Arc::new(world.clone()),
        clock: Arc::new(world.clock()),
        sim: Some(world.clone()),
        aws: None,
        wall: SystemClock,
        store: Box::new(process(bucket).0),
    };
    let wanted = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let record = run::record_of(&outside, &wanted).await.unwrap().claims.record;
    let planned = run::look_and_plan(&outside, &wanted, &NoFigures, &Policy::default(), false).await;
    (planned.unwrap().plan, record)
}

#[tokio::test]
async fn who_only_looks_writes_nothing_to_a_bucket_that_was_never_used_and_owns_nothing_there() {
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    let world = SimCloud::in_memory(1, GENESIS);
    // A cluster of the same name and blueprint, made under a record that is kept elsewhere.
    let address = address("us-east-1", KindId::RdsSubnetGroup, "game-accounts-use1");
    let node = cluster_store("accounts", "us-east-1", 1, "db.r7g.large")
        .into_iter()
        .find(|one| one.address == address);
    let tags = [(TAG_BLUEPRINT, "game"), (TAG_RECORD, "00000000deadbeef")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let op = Op::Create { address: address.clone(), attrs: node.unwrap().attrs, tags };
    world.call(&op, &Token("elsewhere".into()), &Permit::always()).await.unwrap();
    world.advance(Span::from_hours(1)).unwrap();

    let (plan, record) = looked(&bucket, &world).await;
    assert_eq!(bucket.lock().unwrap().asked, [] as [&str; 0], "a role that may only read is enough");
    assert_eq!(record, Some(RecordId::unwritten()));
    let stands_in_the_way =
        |waiting: &Blocker| matches!(waiting, Blocker::Foreign { address: one, .. } if *one == address);
    assert!(plan.waiting.iter().any(stands_in_the_way), "{:#?}", plan.waiting);

    // Whoever writes gives the identity, and who looks knows it from then on.
    let id = process(&bucket).0.identity(&game()).await.unwrap();
    assert_eq!(looked(&bucket, &world).await.1, Some(id));
}

#[tokio::test(start_paused = true)]
async fn trouble_that_does_not_pass_ends_within_the_lease_and_says_what_the_bucket_said() {
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    let (store, clock) = process(&bucket);
    let (run, now) = (RunId("r1".into()), Moment::from_secs(1_000));
    let lease = store.take_lease(&game(), &run, "ann", now, LEASE, None).await.unwrap();
    let scripts = [(503, "SlowDown", true), (403, "AccessDenied", false)];
    for (status, code, is_tried) in scripts {
        let began = clock.now();
        let before = bucket.lock().unwrap().asked.len();
        bucket.lock().unwrap().trouble =
            (0..1_000).map(|_| ("head.json", Trouble::Refused(status, code))).collect();
        let refused = store.append(&lease, 0, now, &[event("one")]).await;
        assert!(
            matches!(&refused, Err(StoreError::Unavailable { what }) if what.contains(code)),
            "{refused:?}"
        );
        let took = clock.now().since(began);
        assert!(took <= Span::from_secs(50), "never longer than the lease is good: {took}");
        assert_eq!(took >= Span::from_secs(30), is_tried, "{took}");
        let tried = bucket.lock().unwrap().asked.len() - before;
        assert!(tried <= 20, "with longer and longer waits: {tried}");
    }
    bucket.lock().unwrap().trouble.clear();
    assert_eq!(store.append(&lease, 0, now, &[event("one")]).await.unwrap(), 1, "and the run could go on");
}

#[tokio::test]
async fn a_record_moves_to_another_bucket_with_its_identity_and_ends_where_it_was() {
    let (here, there) = (Arc::default(), Arc::default());
    obeys_the_laws_of_moves(&process(&here).0, &process(&there).0).await;
}

#[tokio::test]
async fn a_bucket_whose_record_was_cut_off_says_so_and_one_whose_last_exchange_was_lost_does_not() {
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    let (store, _) = process(&bucket);
    let now = Moment::from_secs(1_000);
    let lease = store.take_lease(&game(), &RunId("r1".into()), "ann", now, LEASE, None).await.unwrap();
    let head = "team/records/aws/123456789012/game/head.json";
    let mut heads = Vec::new();
    for (seq, text) in (0..).zip(["one", "two", "three"]) {
        heads.push(bucket.lock().unwrap().objects[head].0.clone());
        store.append(&lease, seq, now, &[event(text)]).await.unwrap();
    }
    let put = |body: Option<&Vec<u8>>| {
        let mut bucket = bucket.lock().unwrap();
        bucket.writes += 1;
        let mark = bucket.writes;
        match body {
            Some(body) => drop(bucket.objects.insert(head.to_owned(), (body.clone(), mark))),
            None => drop(bucket.objects.remove(head)),
        }
    };
    put(Some(&heads[2]));
    assert_eq!(store.entries(&game(), 0).await.unwrap().len(), 2, "the third was put, and its exchange lost");
    for cut in [Some(&heads[1]), Some(&heads[0]), None] {
        put(cut);
        let damaged = store.entries(&game(), 0).await;
        assert!(matches!(damaged, Err(StoreError::Damaged { .. })), "{damaged:?}");
    }
}

/// A record as the version before accounts kept it.
fn put_old_record(bucket: &Arc<Mutex<Bucket>>, until: Moment) -> Vec<Entry> {
    let mut lines: Vec<Entry> = Vec::new();
    for text in ["one", "two"] {
        let previous = lines.last().map(|line| line.hash.clone()).unwrap_or_default();
        let seq = lines.len() as u64 + 1;
        let mut line = Entry {
            seq,
            at: Moment::EPOCH,
            blueprint: game().blueprint,
            home: None,
            run: RunId("old".into()),
            actor: "ann".into(),
            what: event(text),
            previous,
            hash: String::new(),
        };
        line.hash = digest(&line);
        lines.push(line);
    }
    let hash = &lines[1].hash;
    let lease =
        serde_json::json!({ "blueprint": "game", "run": "old", "owner": "ann", "epoch": 3, "until": until });
    let head = serde_json::json!({
        "format": "rgctl.dev/s3-record/v1", "lease": lease, "seq": 2, "hash": hash, "overlays": []
    });
    let mut bucket = bucket.lock().unwrap();
    bucket.objects.insert("team/game/head.json".into(), (head.to_string().into_bytes(), 1));
    let key = format!("team/game/lines/{:016}-{:016}-{hash}.json", 1, 2);
    bucket.objects.insert(key, (serde_json::to_vec(&lines).unwrap(), 2));
    bucket.writes = 2;
    lines
}

#[tokio::test]
async fn an_old_record_in_a_bucket_is_claimed_once_also_by_a_claimer_that_was_cut_off() {
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    let (store, _) = process(&bucket);
    let lines = put_old_record(&bucket, Moment::from_secs(500));
    let (early, now) = (Moment::from_secs(400), Moment::from_secs(600));
    assert_eq!(store.old_entries(&game()).await.unwrap(), lines);
    assert_eq!(store.entries(&game(), 0).await.unwrap(), []);
    let busy = store.claim(&game(), early).await;
    assert!(matches!(busy, Err(StoreError::Unavailable { what }) if what.contains("older version")));

    // Cut off after the claim, before anything was copied.
    bucket.lock().unwrap().trouble = [(".json", Trouble::Made(500, "InternalError"))].into();
    assert!(store.claim(&game(), now).await.is_err());
    let other = Scope::parse("aws/210987654321/game").unwrap();
    assert_eq!(store.old_entries(&other).await.unwrap(), [], "it is not there for another account any more");
    assert_eq!(store.old_entries(&game()).await.unwrap(), lines, "and still is for the one that claimed it");
    store.claim(&game(), now).await.unwrap();
    assert_eq!(store.entries(&game(), 0).await.unwrap(), lines);
    assert_eq!(store.old_entries(&game()).await.unwrap(), []);
    let lease = store.take_lease(&game(), &RunId("r2".into()), "bob", now, LEASE, None).await.unwrap();
    assert_eq!(store.append(&lease, 2, now, &[event("three")]).await.unwrap(), 3);
    assert_eq!(store.entries(&game(), 0).await.unwrap().len(), 3);
}
