//! No wait is endless: whatever a service answers for ever, a run ends within a bound of time and of calls, and says
//! why.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use rayon::prelude::*;
use rgctl_engine::execution::drive::{Ended, Environment, Job, Watch, drive};
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_model::journal::{Event, Outcome, Purpose};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::Op;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Cloud, CloudError, Permit, Receipt};
use rgctl_schema::names::{Name, RunId, StepId, Token};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, Rule};
use serde_json::json;

use rgctl_testkit::fixtures::{address, cluster_store, consents, desired};
use rgctl_testkit::shipped::desired_of;
use rgctl_testkit::site::{Order, Site, applying, block_on, cache_store};
use rgctl_testkit::tampered::{Tampered, Tampers};
use rgctl_testkit::taps::Cut;

/// No fault of these tests heals by itself.
const FOREVER: Span = Span::from_days(3_650);
/// A run without movement ends after a day; what it was waiting for when the day began may have been moving before.
const RUN_MAX: Span = Span::from_hours(36);
/// Calls of one step, over all runs.
const CALLS_MAX: usize = 100;
/// Calls of one step in a day of half-hour waits, with the quicker ones at the beginning.
pub const CALLS_A_DAY_MAX: usize = 70;

/// Stops nobody, and bounds the turns far above what any bound of the engine allows.
#[derive(Default)]
pub struct Turns {
    count: u32,
    told: Vec<(Moment, Turn)>,
}

impl Watch for Turns {
    fn turned(&mut self, turn: &Turn, _: &Inventory) {
        self.count += 1;
        assert!(self.count < 20_000, "it goes on for ever: {:#?}", turn.waits);
        if self.told.last().is_none_or(|(_, before)| before.waits != turn.waits) {
            self.told.push((turn.plan.made, turn.clone()));
        }
    }
    fn stopping(&mut self) -> bool {
        false
    }
}

/// A provider that answers some calls with the same error for ever, and does not do them.
struct Failing<'a> {
    cloud: &'a dyn Cloud,
    error: CloudError,
    strikes: &'a (dyn Fn(&Op) -> bool + Sync),
}

impl Tampers for Failing<'_> {
    fn cloud(&self) -> &dyn Cloud {
        self.cloud
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        if (self.strikes)(op) {
            return Box::pin(std::future::ready(Err(self.error.clone())));
        }
        self.cloud.call(op, token, permit)
    }
}

/// Runs at the product's own pace against a cloud that may fail; yields the end, how long it took, and the turns.
pub fn run(
    site: &Site,
    cloud: &dyn Cloud,
    wanted: &Desired,
    policy: &Policy,
    name: &str,
) -> (Ended, Span, Turns) {
    run_for(site, cloud, wanted, policy, name, Purpose::Apply)
}

pub fn run_for(
    site: &Site,
    cloud: &dyn Cloud,
    wanted: &Desired,
    policy: &Policy,
    name: &str,
    purpose: Purpose,
) -> (Ended, Span, Turns) {
    let clock = site.cloud.clock();
    let began = clock.now();
    let world = Environment { cloud, clock: &clock, wall: &site.wall, store: &site.store };
    let (id, pace) = (RunId(name.to_owned()), Pace::default());
    let job = Job { purpose, ..applying(wanted, &id, policy, &pace) };
    let mut turns = Turns::default();
    let ended = block_on(drive(&world, &job, &mut turns)).unwrap();
    (ended, clock.now().since(began), turns)
}

pub fn add(site: &Site, fault: Fault, narrow: impl Fn(Rule) -> Rule) {
    let now = site.cloud.clock().now();
    site.cloud.with_world(|world| world.add_fault(narrow(Rule::always(fault, now, now + FOREVER)))).unwrap();
}

/// Why steps are left, in one text.
pub fn reasons(ended: &Ended) -> String {
    let held: Vec<String> =
        ended.last.held.iter().map(|held| format!("{}: {}", held.step, held.why)).collect();
    format!("{:?}\n{}", ended.last.stalled, held.join("\n"))
}

fn every_error() -> Vec<(CloudError, &'static str)> {
    let text = || "they say so".to_owned();
    vec![
        (CloudError::NotFound { what: text() }, ""),
        (CloudError::Throttled { after: Span::from_secs(7) }, "throttled"),
        (CloudError::Busy { phase: Phase::Busy { serves: true }, code: "State".to_owned() }, "State"),
        (CloudError::Busy { phase: Phase::Failed("broken".to_owned()), code: "State".to_owned() }, "broken"),
        (CloudError::Conflict { what: text() }, ""),
        (CloudError::Refused { code: "No".to_owned(), message: text() }, "they say so"),
        (CloudError::Denied { code: "No".to_owned(), message: text() }, "they say so"),
        (CloudError::Exhausted { what: text(), code: "Capacity".to_owned() }, "they say so"),
        (CloudError::Unreachable { why: text() }, "they say so"),
        (CloudError::Unclear { why: text() }, "they say so"),
    ]
}

/// A settled world, and a wish and a permission that need the operation.
fn needing(word: &str) -> (Site, Desired, Policy, Purpose) {
    let store = |class: &str| {
        [cluster_store("accounts", "us-east-1", 2, class), cache_store("rank", "us-east-1", 1)].concat()
    };
    let before = desired(store("db.r7g.large"));
    let mut site = Site::new(3);
    let mut purpose = Purpose::Apply;
    if word != "create" {
        assert_eq!(site.apply(&before).outcome, Outcome::Settled);
    }
    let wanted = match word {
        "create" => before,
        "modify" | "failover" => desired(store("db.r7g.xlarge")),
        "tag" => {
            let mut tagged = before;
            for node in tagged.nodes.values_mut() {
                node.tags.insert("team".to_owned(), "live".to_owned());
            }
            tagged
        }
        _ => {
            purpose = Purpose::Destroy;
            before
        }
    };
    (site, wanted, consents(&["delete:accounts@us-east-1", "delete:rank@us-east-1"]), purpose)
}

#[test]
fn whatever_is_answered_for_ever_a_run_ends_within_a_bound_and_says_why() {
    let words = ["create", "modify", "tag", "delete", "failover"];
    let cases: Vec<(&str, (CloudError, &str))> = words
        .into_iter()
        .flat_map(|word| every_error().into_iter().map(move |error| (word, error)))
        .collect();
    cases.into_par_iter().for_each(|(word, (error, says))| {
        let (site, wanted, policy, purpose) = needing(word);
        let struck = std::sync::Mutex::new(BTreeSet::<StepId>::new());
        let strikes = |op: &Op| {
            let is_struck = op.word() == word;
            if is_struck {
                struck.lock().unwrap().insert(op.step_id());
            }
            is_struck
        };
        let failing = Tampered(Failing { cloud: &site.cloud, error: error.clone(), strikes: &strikes });
        let (ended, took, _) = run_for(&site, &failing, &wanted, &policy, "failing", purpose);
        let case = format!("{word} {error:?}: {}", reasons(&ended));
        assert_eq!(ended.outcome, Outcome::Blocked, "{case}");
        assert!(took <= RUN_MAX, "it took {took}: {case}");
        let struck = struck.into_inner().unwrap();
        assert!(!struck.is_empty(), "nothing was struck: {case}");
        let others = wanted.nodes.len() * 3;
        let most = struck.len() * CALLS_MAX + others;
        assert!(ended.calls <= most as u64, "{} calls of {} steps: {case}", ended.calls, struck.len());
        for step in &struck {
            let why = ended.last.held.iter().find(|held| held.step == *step);
            let why = why.unwrap_or_else(|| panic!("{step} is not held: {case}"));
            assert!(why.why.contains(says), "{step}: {case}");
        }
    });
}

pub fn raise_quotas(site: &Site) {
    add(site, Fault::Quota { limit: u32::MAX }, |rule| rule);
}

pub fn small() -> Desired {
    desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"))
}

#[test]
fn ten_days_without_capacity_are_few_calls_and_the_reason_stands_with_every_turn() {
    let site = Site::new(7);
    add(&site, Fault::Capacity { class: None }, |rule| Rule {
        until: rule.from + Span::from_days(10),
        ..rule
    });
    let (ended, took, turns) = run(&site, &site.cloud, &small(), &Policy::default(), "none");
    assert_eq!(ended.outcome, Outcome::Blocked);
    assert!(took < Span::from_hours(25), "it took {took}");
    assert!(ended.calls < 70, "{} calls", ended.calls);
    let why = reasons(&ended);
    assert!(why.contains("nothing has moved for 1d") && why.contains("no capacity"), "{why}");
    let waits = turns.told.iter().filter_map(|(_, turn)| {
        turn.waits.iter().find(|(what, _)| what.contains("-1")).map(|(_, wait)| wait.clone())
    });
    let waits: Vec<_> = waits.collect();
    assert!(waits.iter().all(|wait| wait.why.contains("no capacity") && wait.again.is_some()), "{waits:#?}");
    assert!(waits.len() > 10 && waits.windows(2).all(|two| two[0].since == two[1].since), "{waits:#?}");
    let longest = waits.windows(2).map(|two| two[1].again.unwrap().since(two[0].again.unwrap())).max();
    assert!(longest.unwrap() <= Span::from_mins(31), "{longest:?}");
    assert!(longest.unwrap() >= Span::from_mins(29), "{longest:?}");
    // When there is capacity again, the next run goes on at once.
    site.cloud.advance(Span::from_days(10)).unwrap();
    let (ended, took, _) = run(&site, &site.cloud, &small(), &Policy::default(), "again");
    assert_eq!(ended.outcome, Outcome::Settled);
    assert!(took < Span::from_hours(2), "it took {took}");
}

#[test]
fn a_month_of_throttling_is_few_calls_a_step() {
    let wanted = desired_of("rocket-arena");
    let site = Site::new(7);
    raise_quotas(&site);
    add(&site, Fault::Throttle, |rule| Rule { until: rule.from + Span::from_days(30), ..rule });
    let (ended, took, _) = run(&site, &site.cloud, &wanted, &Policy::default(), "throttled");
    assert_eq!(ended.outcome, Outcome::Blocked);
    assert!(took < Span::from_hours(25), "it took {took}");
    let steps: BTreeSet<StepId> = site.cloud.calls().iter().map(|call| call.op.step_id()).collect();
    assert!(ended.calls <= (steps.len() * 60) as u64, "{} calls of {} steps", ended.calls, steps.len());
    assert!(reasons(&ended).contains("throttled"), "{}", reasons(&ended));
}

#[test]
fn a_step_is_called_a_hundred_times_over_all_runs_and_once_more_in_each_run_after_that() {
    let mut site = Site::new(9);
    let wanted = small();
    let step = StepId("create us-east-1/aurora.cluster/game-accounts-use1".into());
    let calls = |site: &Site| {
        let calls = site.cloud.calls();
        calls.iter().filter(|call| call.op.step_id() == step).count()
    };
    add(&site, Fault::LostAnswer { applied: false }, |rule| Rule {
        kind: Some(KindId::AuroraCluster),
        ..rule
    });
    // The first is cut off in the middle of its tries: the record counts on.
    let (cut, ..) = site.run_cut(&wanted, &Order::default(), Cut::AfterCall(20));
    assert!(cut.is_none());
    let before = calls(&site);
    assert!(before > 10, "{before}");
    let mut runs = 0;
    let why = loop {
        runs += 1;
        let (ended, ..) = run(&site, &site.cloud, &wanted, &Policy::default(), &format!("lost {runs}"));
        assert_eq!(ended.outcome, Outcome::Blocked);
        let why = ended.last.held.iter().find(|held| held.step == step).unwrap().why.clone();
        if why.contains("called 100 times in vain") {
            break why;
        }
        assert!(runs < 4, "{why}");
    };
    assert!(why.contains("connection was reset"), "{why}");
    assert_eq!(calls(&site), 100);
    let (ended, took, _) = run(&site, &site.cloud, &wanted, &Policy::default(), "once more");
    assert_eq!((ended.outcome, calls(&site)), (Outcome::Blocked, 101));
    assert!(took < Span::from_mins(5), "{took}");
    // Another value that is asked for is another matter.
    let mut other = wanted.clone();
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    other.nodes.get_mut(&cluster).unwrap().attrs.set("backup_retention_days", Some(json!(8))).unwrap();
    let _ = run(&site, &site.cloud, &other, &Policy::default(), "another wish");
    assert!(calls(&site) > 130, "{}", calls(&site));
    // And so is what was mended: the next run makes it, and counts anew.
    site.cloud.with_world(|world| world.clear_faults(None)).unwrap();
    let (ended, ..) = run(&site, &site.cloud, &other, &Policy::default(), "mended");
    assert_eq!(ended.outcome, Outcome::Settled, "{}", reasons(&ended));
}

#[test]
fn a_transition_that_never_ends_ends_the_run_and_says_since_when() {
    let site = Site::new(9);
    add(&site, Fault::Stuck, |rule| Rule { kind: Some(KindId::AuroraInstance), ..rule });
    let (ended, took, turns) = run(&site, &site.cloud, &small(), &Policy::default(), "stuck");
    assert_eq!(ended.outcome, Outcome::Blocked);
    let why = reasons(&ended);
    assert!(why.contains("nothing has moved for") && why.contains("creating, since"), "{why}");
    // The first day does not count in which the transition might have been one of the slow ones.
    assert!(took > Span::from_hours(24) && took < Span::from_hours(40), "it took {took}");
    let long = turns.told.iter().flat_map(|(_, turn)| turn.waits.values());
    assert!(long.into_iter().any(|wait| wait.why.contains("longer than the usual")), "it is told");
    // The run that comes after it has mended goes on.
    site.cloud.with_world(|world| world.clear_faults(None)).unwrap();
    site.cloud.advance(Span::from_days(3_650)).unwrap();
    let (ended, ..) = run(&site, &site.cloud, &small(), &Policy::default(), "mended");
    assert_eq!(ended.outcome, Outcome::Settled, "{}", reasons(&ended));
}

#[test]
fn what_cannot_be_seen_for_a_quarter_of_an_hour_ends_the_run_and_is_neither_missing_nor_done() {
    let site = Site::new(9);
    add(&site, Fault::Gap, |rule| rule);
    let (ended, took, turns) = run(&site, &site.cloud, &small(), &Policy::default(), "blind");
    assert_eq!((ended.outcome, ended.calls), (Outcome::Blocked, 0));
    assert!(took >= Span::from_mins(15) && took < Span::from_mins(30), "it took {took}");
    assert!(
        ended.last.plan.steps.is_empty() && !ended.last.plan.is_clean(),
        "nothing is known to be missing"
    );
    let line = ended.last.plan.health.line().unwrap_or_default();
    assert!(line.contains("unseen"), "{line}");
    let waits = turns.told.iter().flat_map(|(_, turn)| turn.waits.values());
    assert!(
        waits.into_iter().any(|wait| wait.why.contains("could not be seen in full")),
        "it is told meanwhile"
    );
    assert!(turns.count < 200, "{} looks", turns.count);
}

#[test]
fn a_step_that_was_begun_where_nothing_answers_any_more_stays_begun_and_goes_on_afterwards() {
    let site = Site::new(9);
    // The instances take their time, and the region goes silent meanwhile.
    let now = site.cloud.clock().now();
    let silent = Rule::always(Fault::Gap, now + Span::from_mins(4), now + Span::from_days(2));
    site.cloud.with_world(|world| world.add_fault(silent)).unwrap();
    let (ended, ..) = run(&site, &site.cloud, &small(), &Policy::default(), "cut off");
    assert_eq!(ended.outcome, Outcome::Blocked, "{}", reasons(&ended));
    let settled_or_failed = |event: &Event| match event {
        Event::Settled { step, .. } | Event::Failed { step, .. } => Some(step.0.to_string()),
        _ => None,
    };
    let ends: Vec<String> = site.events().iter().filter_map(settled_or_failed).collect();
    let instance = "create us-east-1/aurora.instance/";
    assert!(!ends.iter().any(|step| step.starts_with(instance)), "neither done nor failed: {ends:?}");
    site.cloud.with_world(|world| world.clear_faults(None)).unwrap();
    let (ended, ..) = run(&site, &site.cloud, &small(), &Policy::default(), "again");
    assert_eq!(ended.outcome, Outcome::Settled, "{}", reasons(&ended));
}

#[test]
fn slow_work_is_no_lack_of_movement() {
    let site = Site::new(9);
    // An instance that takes days, one after the other, and each within three times what the slowest take.
    add(&site, Fault::Slow { factor: 4.0 }, |rule| rule);
    let (ended, took, _) = run(&site, &site.cloud, &small(), &Policy::default(), "slow");
    assert_eq!(ended.outcome, Outcome::Settled, "{}", reasons(&ended));
    assert!(took > Span::from_mins(30), "it took {took}");
}

#[test]
fn a_deadline_is_waited_for_whether_anything_moves_or_not() {
    let mut site = Site::new(9);
    add(&site, Fault::Capacity { class: None }, |rule| rule);
    let began = site.cloud.clock().now();
    let deadline = Some(began + Span::from_hours(3));
    let ended = site.run(&small(), &Order { deadline, ..Order::default() }).unwrap();
    assert_eq!(ended.outcome, Outcome::Paused);
    let took = ended.at.since(began);
    assert!(took >= Span::from_hours(3) && took < Span::from_mins(190), "it took {took}");
}

#[test]
fn the_record_tells_why_no_answer_came_and_that_a_name_is_taken() {
    let site = Site::new(9);
    let name = Name::new("game-accounts-use1").unwrap();
    add(&site, Fault::NameTaken { name: Some(name) }, |rule| Rule {
        kind: Some(KindId::AuroraCluster),
        count: Some(1),
        ..rule
    });
    add(&site, Fault::LostAnswer { applied: false }, |rule| Rule {
        kind: Some(KindId::RdsSubnetGroup),
        count: Some(1),
        ..rule
    });
    let (ended, ..) = run(&site, &site.cloud, &small(), &Policy::default(), "told");
    assert_eq!(ended.outcome, Outcome::Settled);
    let events = site.events();
    let is_told = |event: &Event| matches!(event, Event::Unclear { why, .. } if why.contains("reset"));
    assert!(events.iter().any(is_told), "{events:#?}");
    assert!(events.iter().any(|event| matches!(event, Event::Taken { .. })), "{events:#?}");
}

#[test]
fn a_passing_state_that_nobody_knows_ends_no_step_and_one_that_stays_does() {
    for (lasts, outcome) in [(Span::from_mins(10), Outcome::Settled), (Span::from_days(9), Outcome::Blocked)]
    {
        let site = Site::new(9);
        add(&site, Fault::UnknownStatus, |rule| Rule {
            kind: Some(KindId::AuroraCluster),
            until: rule.from + lasts,
            ..rule
        });
        let (ended, took, turns) = run(&site, &site.cloud, &small(), &Policy::default(), "unknown");
        assert_eq!(ended.outcome, outcome, "{}", reasons(&ended));
        let is_told = |turn: &Turn| turn.waits.values().any(|wait| wait.why.contains("does not know"));
        assert!(turns.told.iter().any(|(_, turn)| is_told(turn)), "{lasts}");
        assert!(took < Span::from_hours(2), "{took}");
    }
}

/// What can never be deleted is not waited for by what would take its place.
#[test]
fn what_stands_behind_a_deletion_that_is_refused_waits_for_nobody() {
    let mut site = Site::new(9);
    assert_eq!(site.apply(&small()).outcome, Outcome::Settled);
    let mut other = small();
    for node in other.nodes.values_mut().filter(|node| node.address.kind == KindId::AuroraCluster) {
        node.attrs.set("storage_encrypted", Some(json!(false))).unwrap();
    }
    let error = CloudError::Refused { code: "No".to_owned(), message: "it may not go".to_owned() };
    let strikes = |op: &Op| op.word() == "delete";
    let failing = Tampered(Failing { cloud: &site.cloud, error, strikes: &strikes });
    let policy = consents(&["replace:accounts@us-east-1", "empty:accounts@us-east-1"]);
    let (ended, took, _) = run(&site, &failing, &other, &policy, "behind");
    assert_eq!(ended.outcome, Outcome::Blocked);
    assert!(reasons(&ended).contains("it may not go"), "{}", reasons(&ended));
    assert!(took < Span::from_hours(1), "it took {took}");
}

#[test]
fn the_documented_constants_are_those_of_the_engine() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/waiting.md");
    let text = std::fs::read_to_string(path).unwrap();
    let pace = Pace::default();
    let spans = [
        ("look_again", pace.look_again),
        ("look_again_max", pace.look_again_max),
        ("look_after_calls", pace.look_after_calls),
        ("look_page", pace.look_page),
        ("visibility", pace.visibility),
        ("unclear", pace.unclear),
        ("late", pace.late),
        ("retry", pace.retry),
        ("retry_max", pace.retry_max),
        ("retry_soon_max", pace.retry_soon_max),
        ("unknown_max", pace.unknown_max),
        ("still_max", pace.still_max),
    ];
    for (name, value) in spans {
        assert!(text.contains(&format!("| `{name}` | {value} |")), "{name} is {value}");
    }
    let counts = [
        format!("after {} calls, or with the run", pace.calls_max),
        format!("after {} in a row |", pace.unanswered_acts_max),
        format!("after {} in a row while nothing", pace.at_rest_max),
        format!("after {} |", pace.accepted_max),
        format!("after {} in a row, about", pace.taken_max),
    ];
    for count in counts {
        assert!(text.contains(&count), "{count}");
    }
}
