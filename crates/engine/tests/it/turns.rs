//! One turn at a time: a run lives in the record and goes on in whatever process, and what failed is not tried again for
//! nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_engine::execution::drive::{Begins, DriveError, Environment, Job, Watch, drive};
use rgctl_engine::execution::reconcile::{Reconciled, Session, give_back, reconcile_once, sleep_until};
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_model::journal::{Entry, Event, Outcome};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Plan;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Cloud, CloudError, Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::RunId;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, Rule, SimCloud};
use serde_json::json;

use rgctl_testkit::fixtures::{address, cluster_store, desired};
use rgctl_testkit::site::{Order, Quiet, Site, applying, block_on, cache_store};
use rgctl_testkit::tampered::{Tampered, Tampers};
use rgctl_testkit::taps::{Cut, Taps};

#[test]
fn of_ten_thousand_blueprints_at_rest_each_keeps_an_empty_session() {
    let bytes = size_of::<Session>();
    assert!(bytes <= 256, "{bytes} bytes");
}

pub fn small(class: &str, members: usize) -> Desired {
    let mut wanted = desired(cluster_store("accounts", "us-east-1", members, class));
    wanted.fingerprint.0 = format!("{members} of {class}");
    wanted
}

/// What an agent does with one blueprint: a new name for a run at each turn, and whatever the record says is due.
pub struct Agent<'a> {
    pub site: &'a Site,
    /// What it looks through.
    pub cloud: &'a dyn Cloud,
    pub wanted: Desired,
    pub begins: Begins,
    pub agreed: Option<&'a Plan>,
    pub decided: u64,
    pub owner: &'a str,
    pub session: Session,
    pub turns: u32,
}

impl<'a> Agent<'a> {
    pub fn of(site: &'a Site, wanted: Desired) -> Self {
        let (cloud, begins, session) = (&site.cloud, Begins::Due, Session::default());
        Self { site, cloud, wanted, begins, agreed: None, decided: 0, owner: "agent", session, turns: 0 }
    }

    fn turn(&mut self) -> Result<Reconciled, DriveError> {
        self.turns += 1;
        let run = RunId(format!("{}-{}", self.owner, self.turns));
        let clock = self.site.cloud.clock();
        let world =
            Environment { cloud: self.cloud, clock: &clock, wall: &self.site.wall, store: &self.site.store };
        let (policy, pace) = (Policy::default(), Pace::default());
        let (begins, agreed, decided, owner) = (self.begins, self.agreed, self.decided, self.owner);
        let job = Job { begins, agreed, decided, owner, ..applying(&self.wanted, &run, &policy, &pace) };
        let mut watch = Quiet { turns: 0, stop_after: None };
        block_on(reconcile_once(&world, &job, &mut self.session, &mut watch))
    }

    /// Turns until the run ends, or nothing is to be done.
    pub fn settle(&mut self) -> Reconciled {
        for _ in 0..2_000 {
            let done = self.turn().unwrap();
            if done.outcome.is_some() {
                return done;
            }
            self.wait(done.wake);
        }
        panic!("it does not come to an end");
    }

    fn wait(&self, until: Moment) {
        let now = self.site.cloud.clock().now();
        self.site.cloud.advance(until.since(now)).unwrap();
    }
}

pub fn runs(events: &[Event]) -> (usize, usize) {
    let opened = events.iter().filter(|event| matches!(event, Event::Opened { .. })).count();
    let closed = events.iter().filter(|event| matches!(event, Event::Closed { .. })).count();
    (opened, closed)
}

#[test]
fn a_run_goes_on_in_a_process_that_knows_nothing_of_it_and_is_opened_and_closed_once() {
    let site = Site::new(21);
    let mut agent = Agent::of(&site, small("db.r7g.large", 2));
    loop {
        let done = agent.turn().unwrap();
        if done.outcome.is_some() {
            assert_eq!(done.outcome, Some(Outcome::Settled), "{:#?}", done.turn);
            break;
        }
        agent.session = Session::default();
        agent.wait(done.wake);
    }
    assert!(agent.turns > 5, "{}", agent.turns);
    assert_eq!(runs(&site.events()), (1, 1));
    site.assert_settled(&agent.wanted);
}

#[test]
fn a_run_that_another_process_left_open_is_gone_on_with_once_that_is_dead() {
    let site = Site::new(22);
    let mut first = Agent::of(&site, small("db.r7g.large", 2));
    first.turn().unwrap();
    assert!(first.session.is_leased(), "it is kept while the run is open");
    let wanted = first.wanted.clone();
    let mut second = Agent { owner: "another", ..Agent::of(&site, wanted) };
    let refused = second.turn();
    assert!(
        matches!(refused, Err(DriveError::Store(StoreError::Held { .. }))),
        "the same run in other hands: {refused:?}"
    );
    let clock = site.cloud.clock();
    let world = Environment { cloud: &site.cloud, clock: &clock, wall: &site.wall, store: &site.store };
    block_on(give_back(&world, &mut first.session));
    assert_eq!(second.settle().outcome, Some(Outcome::Settled));
    assert_eq!(runs(&site.events()), (1, 1));
    assert!(!second.session.is_leased(), "it is given back at the close");
}

#[test]
fn a_person_who_gives_the_command_again_begins_a_run_of_its_own() {
    let mut site = Site::new(23);
    let wanted = small("db.r7g.large", 2);
    assert!(site.run_cut(&wanted, &Order::default(), Cut::AfterCall(2)).0.is_none(), "it died");
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    assert_eq!(runs(&site.events()), (2, 1));
}

/// A cloud at the first look of which somebody else writes into the record.
struct Meddling<'a> {
    site: &'a Site,
    scope: Scope,
    looks: AtomicU32,
    /// Whether its run is left open, as by a process that met an error.
    leaves_open: bool,
}

impl Tampers for Meddling<'_> {
    fn cloud(&self) -> &dyn Cloud {
        &self.site.cloud
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        async move {
            if self.looks.fetch_add(1, Ordering::SeqCst) == 0 {
                let (store, run, now) = (&self.site.store, RunId("other".into()), Moment::EPOCH);
                let minute = Span::from_mins(1);
                let lease = store.take_lease(&self.scope, &run, "other", now, minute, None).await.unwrap();
                let opened = Event::Opened {
                    purpose: rgctl_model::journal::Purpose::Apply,
                    policy: Policy::default(),
                    desired: rgctl_schema::names::Fingerprint("another".to_owned()),
                    steps: 0,
                    rules: None,
                };
                let closed =
                    Event::Closed { outcome: Outcome::Settled, summary: "nothing".to_owned(), left: None };
                let lines = if self.leaves_open { vec![opened] } else { vec![opened, closed] };
                store.append(&lease, 0, now, &lines).await.unwrap();
                store.release_lease(&lease).await.unwrap();
            }
            self.site.cloud.observe(wanted).await
        }
        .boxed()
    }
}

#[test]
fn a_turn_whose_record_went_on_writes_nothing_and_the_next_one_goes_on_under_the_lease_that_was_taken() {
    let site = Site::new(30);
    let meddling =
        Meddling { site: &site, scope: site.scope("game"), looks: AtomicU32::new(0), leaves_open: false };
    let meddling = Tampered(meddling);
    let clock = site.cloud.clock();
    let world = Environment { cloud: &meddling, clock: &clock, wall: &site.wall, store: &site.store };
    let (wanted, policy, pace) = (small("db.r7g.large", 1), Policy::default(), Pace::default());
    let mut session = Session::default();
    let mut turn = |name: &str| {
        let run = RunId(name.to_owned());
        let job = Job { begins: Begins::Due, ..applying(&wanted, &run, &policy, &pace) };
        let mut watch = Quiet { turns: 0, stop_after: None };
        let done = block_on(reconcile_once(&world, &job, &mut session, &mut watch)).unwrap();
        (done, session.is_leased())
    };
    let (dropped, is_leased) = turn("first");
    assert!(!dropped.turn.calls.is_empty() && dropped.events.is_empty() && is_leased, "{:?}", dropped.events);
    assert_eq!((dropped.wake, site.cloud.calls().len()), (clock.now(), 0));
    let (mut done, _) = turn("second");
    for number in 3..200 {
        if done.outcome.is_some() {
            break;
        }
        site.cloud.advance(done.wake.since(clock.now())).unwrap();
        (done, _) = turn(&format!("run {number}"));
    }
    assert_eq!(done.outcome, Some(Outcome::Settled));
    let entries = block_on(site.store.entries(&meddling.0.scope, 2)).unwrap();
    assert!(entries.iter().all(|entry| entry.run.0 == "first"), "one run, under one name");
    assert_eq!(runs(&site.events()), (2, 2));
}

#[test]
fn a_turn_that_finds_a_run_left_open_meanwhile_goes_on_with_it_under_a_lease_of_its_name() {
    let site = Site::new(31);
    let scope = site.scope("game");
    let meddling = Tampered(Meddling { site: &site, scope, looks: AtomicU32::new(0), leaves_open: true });
    let clock = site.cloud.clock();
    let world = Environment { cloud: &meddling, clock: &clock, wall: &site.wall, store: &site.store };
    let (wanted, policy, pace) = (small("db.r7g.large", 1), Policy::default(), Pace::default());
    let mut session = Session::default();
    let mut outcome = None;
    for number in 0..200 {
        let run = RunId(format!("run {number}"));
        let job = Job { begins: Begins::Due, ..applying(&wanted, &run, &policy, &pace) };
        let mut watch = Quiet { turns: 0, stop_after: None };
        let done = block_on(reconcile_once(&world, &job, &mut session, &mut watch)).unwrap();
        outcome = done.outcome;
        if outcome.is_some() {
            break;
        }
        site.cloud.advance(done.wake.since(clock.now())).unwrap();
    }
    assert_eq!(outcome, Some(Outcome::Settled));
    let entries = block_on(site.store.entries(&meddling.0.scope, 0)).unwrap();
    assert!(entries.iter().all(|entry| entry.run.0 == "other"), "it goes on under its own name");
    assert!(rgctl_engine::ledger::notes(&entries).is_empty(), "each line follows from those before it");
    let names = |entry: &Entry| matches!(&entry.what, Event::Intended { .. });
    assert_eq!(entries.iter().filter(|entry| names(entry)).count(), calls(&site), "nothing is called twice");
}

/// A world in which one step is refused for good, and the agent's first run at it.
fn refused() -> (Site, Desired) {
    let mut nodes = cluster_store("accounts", "us-east-1", 2, "db.r7g.large");
    nodes.extend(cache_store("rank", "us-east-1", 1));
    let bad = nodes.iter_mut().find(|node| node.address.kind == KindId::AuroraInstance).unwrap();
    bad.attrs.set("class", Some(json!("db.r7g.imaginary"))).unwrap();
    (Site::new(24), desired(nodes))
}

pub fn calls(site: &Site) -> usize {
    site.cloud.calls().len()
}

#[test]
fn what_was_refused_is_tried_again_after_an_hour_then_after_twice_as_long_up_to_a_day() {
    let (site, wanted) = refused();
    let mut agent = Agent::of(&site, wanted);
    let mut ended = agent.settle();
    assert_eq!(ended.outcome, Some(Outcome::Blocked));
    let mut waits = Vec::new();
    for _ in 0..7 {
        let (before, closed) = (calls(&site), site.cloud.clock().now());
        // However often it is asked meanwhile, and whoever asks: it makes no call, and leaves no line.
        let lines = site.events().len();
        for minutes in [1, 20] {
            site.cloud.advance(Span::from_mins(minutes)).unwrap();
            agent.session = Session::default();
            ended = agent.turn().unwrap();
            assert_eq!((ended.outcome, calls(&site)), (Some(Outcome::Blocked), before));
        }
        assert_eq!(site.events().len(), lines);
        let why = ended.turn.held.iter().find(|held| held.why.contains("InvalidParameterCombination"));
        assert!(why.is_some(), "the reason stands all the while: {:#?}", ended.turn.held);
        agent.wait(ended.wake);
        assert_eq!(agent.settle().outcome, Some(Outcome::Blocked));
        assert!(calls(&site) > before, "it is tried");
        waits.push(ended.wake.since(closed).as_mins() / 60);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 24, 24]);
}

#[test]
fn while_what_failed_waits_for_its_time_no_quotas_are_read_for_it() {
    let (site, wanted) = refused();
    let mut agent = Agent::of(&site, wanted);
    assert_eq!(agent.settle().outcome, Some(Outcome::Blocked));
    let clock = site.cloud.clock();
    let turn = |agent: &mut Agent<'_>| {
        agent.turns += 1;
        let taps = Taps::new(&site.cloud, &site.store, Cut::Never);
        let world = Environment { cloud: &taps, clock: &clock, wall: &site.wall, store: &site.store };
        let (run, policy, pace) =
            (RunId(format!("agent-{}", agent.turns)), Policy::default(), Pace::default());
        let job = Job { begins: Begins::Due, ..applying(&agent.wanted, &run, &policy, &pace) };
        let mut watch = Quiet { turns: 0, stop_after: None };
        block_on(reconcile_once(&world, &job, &mut Session::default(), &mut watch)).unwrap();
        taps.quota_asks.into_inner()
    };
    site.cloud.advance(Span::from_mins(1)).unwrap();
    assert_eq!(turn(&mut agent), 0);
    site.cloud.advance(Span::from_hours(2)).unwrap();
    assert_eq!(turn(&mut agent), 1, "when it is tried again");
}

#[test]
fn another_wish_another_decision_and_a_changed_world_begin_a_run_at_once() {
    type Change = fn(&Site, &mut Agent<'_>);
    let changes: [(&str, Change); 3] = [
        ("wish", |_, agent| {
            agent.wanted.fingerprint.0.push('1');
        }),
        ("decision", |_, agent| agent.decided += 1),
        ("world", |site, _| {
            let group = address("us-east-1", KindId::CacheGroup, "game-rank");
            let edit = vec![("replicas_per_shard", json!(2))];
            site.cloud.with_world(|world| world.edit_fields(&group, edit)).unwrap().unwrap();
        }),
    ];
    for (what, change) in changes {
        let (site, wanted) = refused();
        let mut agent = Agent::of(&site, wanted);
        assert_eq!(agent.settle().outcome, Some(Outcome::Blocked), "{what}");
        let before = calls(&site);
        assert_eq!(agent.turn().unwrap().outcome, Some(Outcome::Blocked));
        assert_eq!(calls(&site), before, "{what}: nothing has changed yet");
        change(&site, &mut agent);
        agent.settle();
        let tried = site.cloud.calls()[before..].iter().any(|called| called.told.is_err());
        assert!(tried, "{what}");
    }
}

/// A cloud that shows what it showed at first, for so many looks.
struct Late<'a> {
    cloud: &'a SimCloud,
    kept: Mutex<(Option<Inventory>, u32)>,
}

impl Tampers for Late<'_> {
    fn cloud(&self) -> &dyn Cloud {
        self.cloud
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        async move {
            let kept = self.kept.lock().unwrap().0.clone();
            let seen = match kept {
                Some(seen) => seen,
                None => self.cloud.observe(wanted).await?,
            };
            let mut kept = self.kept.lock().unwrap();
            kept.1 = kept.1.saturating_sub(1);
            kept.0 = (kept.1 > 0).then(|| seen.clone());
            Ok(seen)
        }
        .boxed()
    }
}

#[test]
fn a_view_that_is_older_than_a_call_does_not_say_that_its_effect_fails_to_show() {
    let site = Site::new(25);
    let late = Tampered(Late { cloud: &site.cloud, kept: Mutex::new((None, 60)) });
    let clock = site.cloud.clock();
    let world = Environment { cloud: &late, clock: &clock, wall: &site.wall, store: &site.store };
    let (wanted, run, policy, pace) =
        (small("db.r7g.large", 1), RunId("r1".into()), Policy::default(), Pace::default());
    let job = applying(&wanted, &run, &policy, &pace);
    let mut watch = Quiet { turns: 0, stop_after: Some(500) };
    let ended = block_on(drive(&world, &job, &mut watch)).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last);
    assert!(watch.turns > 60, "it was shown for much longer than patience lasts: {}", watch.turns);
    let mut made: Vec<_> = site.cloud.calls().iter().map(|called| called.op.step_id()).collect();
    let all = made.len();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), all, "no call is made twice");
}

#[test]
fn a_quiet_turn_reads_no_history_and_one_that_begins_anew_reads_what_follows_the_checkpoint() {
    let site = Site::new(27);
    let mut agent = Agent::of(&site, small("db.r7g.large", 2));
    assert_eq!(agent.settle().outcome, Some(Outcome::Settled));
    let scope = site.scope("game");
    let taps = Taps::new(&site.cloud, &site.store, Cut::Never);
    let clock = site.cloud.clock();
    let world = Environment { cloud: &taps, clock: &clock, wall: &site.wall, store: &taps };
    let (run, policy, pace) = (RunId("quiet".into()), Policy::default(), Pace::default());
    let job = Job { begins: Begins::Due, ..applying(&agent.wanted, &run, &policy, &pace) };
    let mut watch = Quiet { turns: 0, stop_after: None };
    let read = || *taps.lines_read.lock().unwrap();
    for _ in 0..3 {
        let done = block_on(reconcile_once(&world, &job, &mut agent.session, &mut watch)).unwrap();
        assert_eq!(done.outcome, Some(Outcome::Settled));
    }
    assert_eq!(read(), None, "the end of the record is all that is asked for");
    let mut fresh = Session::default();
    block_on(reconcile_once(&world, &job, &mut fresh, &mut watch)).unwrap();
    assert_eq!(read(), Some(0), "the checkpoint of the last run is the end of the record");
    let all = block_on(site.store.entries(&scope, 0)).unwrap();
    let mut folded = rgctl_engine::ledger::Ledger::default();
    folded.fold(&all);
    let (checkpoint, _) = block_on(site.store.resume(&scope, rgctl_engine::ledger::VERSION)).unwrap();
    let kept = rgctl_engine::ledger::Ledger::from_checkpoint(&checkpoint.unwrap());
    assert_eq!(kept, Some(folded));
}

#[test]
fn a_checkpoint_that_nobody_can_read_costs_a_look_at_the_whole_record_and_nothing_else() {
    let site = Site::new(28);
    let mut agent = Agent::of(&site, small("db.r7g.large", 2));
    assert_eq!(agent.settle().outcome, Some(Outcome::Settled));
    let scope = site.scope("game");
    let (whole, _) = block_on(site.store.resume(&scope, rgctl_engine::ledger::VERSION)).unwrap();
    let whole = whole.unwrap();
    let odd = rgctl_model::checkpoint::Checkpoint::new(
        whole.seq,
        whole.hash,
        rgctl_engine::ledger::VERSION,
        "{\"begun\": 7}".to_owned(),
    );
    let lease = block_on(site.store.take_lease(
        &scope,
        &RunId("odd".into()),
        "odd",
        site.wall.now(),
        Span::from_mins(1),
        None,
    ))
    .unwrap();
    block_on(site.store.put_checkpoint(&lease, &odd)).unwrap();
    block_on(site.store.release_lease(&lease)).unwrap();
    agent.session = Session::default();
    let done = agent.turn().unwrap();
    assert_eq!((done.outcome, done.calls), (Some(Outcome::Settled), 0));
    assert!(agent.session.ledger().unwrap().last_seq > 0);
}

#[test]
fn a_checkpoint_that_is_not_taken_is_tried_again_when_the_record_has_grown_and_not_at_every_turn() {
    let (site, wanted) = (Site::new(28), rgctl_testkit::shipped::desired_of("rocket-arena"));
    let refused = Some(std::sync::atomic::AtomicU64::new(0));
    let taps = Taps { checkpoints_refused: refused, ..Taps::new(&site.cloud, &site.store, Cut::Never) };
    let clock = site.cloud.clock();
    let world = Environment { cloud: &site.cloud, clock: &clock, wall: &site.wall, store: &taps };
    let (run, policy, pace) = (RunId("one".into()), Policy::default(), Pace::default());
    let job = applying(&wanted, &run, &policy, &pace);
    let ended = block_on(drive(&world, &job, &mut Quiet { turns: 0, stop_after: None })).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled);
    let scope = site.scope(wanted.blueprint.as_str());
    let lines = block_on(site.store.entries(&scope, 0)).unwrap().len() as u64;
    let tries = taps.checkpoints_refused.unwrap().into_inner();
    assert!(lines >= 105, "{lines} lines are too few for this test");
    // One for every hundred lines, and one at the end.
    assert!((2..=lines / 100 + 1).contains(&tries), "{tries} tries for {lines} lines");
}

/// Stops when it is told to, and no sooner.
struct Stopped;

impl Watch for Stopped {
    fn turned(&mut self, _: &Turn, _: &Inventory) {}
    fn stopping(&mut self) -> bool {
        true
    }
}

#[test]
fn a_run_that_was_stopped_and_one_that_met_a_fault_that_has_healed_go_on_at_once() {
    let site = Site::new(29);
    let now = site.cloud.clock().now();
    let rule = Rule::always(Fault::Capacity { class: None }, now, now + Span::from_hours(2));
    site.cloud.with_world(|world| world.add_fault(rule)).unwrap();
    let wanted = small("db.r7g.large", 1);
    let mut agent = Agent::of(&site, wanted.clone());
    agent.turn().unwrap();
    let clock = site.cloud.clock();
    let world = Environment { cloud: &site.cloud, clock: &clock, wall: &site.wall, store: &site.store };
    let (run, policy, pace) = (RunId("other".into()), Policy::default(), Pace::default());
    let job = Job { begins: Begins::Due, owner: "agent", ..applying(&wanted, &run, &policy, &pace) };
    let done = loop {
        let done = block_on(reconcile_once(&world, &job, &mut agent.session, &mut Stopped)).unwrap();
        if done.outcome.is_some() {
            break done;
        }
        block_on(sleep_until(&world, &agent.session, done.wake, &mut Stopped)).unwrap();
    };
    assert_eq!(done.outcome, Some(Outcome::Stopped));
    assert_eq!(agent.settle().outcome, Some(Outcome::Settled));
    assert_eq!(runs(&site.events()), (2, 2));
}
