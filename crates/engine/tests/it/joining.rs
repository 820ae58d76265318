//! What is decided while a run is under way: what only adds joins it, and all else waits for another run.

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_engine::execution::drive::{Ended, Environment, Job, Watch, drive, drive_following};
use rgctl_engine::execution::source::Source;
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_model::journal::{Event, Outcome};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::overlay::{Decided, Decision};
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::RunId;
use rgctl_schema::time::Moment;

use crate::turns::{calls, runs, small};
use rgctl_testkit::site::{Quiet, Site, applying, block_on};

/// What is wanted changes with the first decision.
struct Changing {
    wanted: [Desired; 2],
    decided: u64,
}

impl Source for Changing {
    fn current(&self) -> &Desired {
        &self.wanted[usize::from(self.decided > 0)]
    }
    fn seq(&self) -> u64 {
        self.decided
    }
    fn follow(&mut self, decided: &[Decided], _: Moment) -> Vec<String> {
        self.decided = decided.last().unwrap().seq;
        Vec::new()
    }
}

/// Somebody decides once a run has made two calls.
struct Deciding<'a>(&'a Site, Scope);

impl Watch for Deciding<'_> {
    fn turned(&mut self, _: &Turn, _: &Inventory) {
        let (site, scope) = (self.0, &self.1);
        if calls(site) < 2 || !block_on_ready(site.store.decisions(scope, 0)).is_empty() {
            return;
        }
        let region = rgctl_testkit::fixtures::region("us-west-2");
        let what = Decision::Release { region, by: "ann".to_owned(), why: "any decision will do".to_owned() };
        block_on_ready(site.store.decide(scope, 0, Moment::EPOCH, &what));
    }
    fn stopping(&mut self) -> bool {
        false
    }
}

/// What the store in memory answers, which never waits.
fn block_on_ready<T>(answer: BoxFuture<'_, Result<T, StoreError>>) -> T {
    answer.now_or_never().unwrap().unwrap()
}

/// Applies what was agreed to, while a decision asks for more.
fn decide_meanwhile(first: &Desired, then: &Desired, joins: bool) -> (Site, Ended) {
    let site = Site::new(26);
    let agreed = site.plan(first);
    let mut source = Changing { wanted: [first.clone(), then.clone()], decided: 0 };
    let clock = site.cloud.clock();
    let world = Environment { cloud: &site.cloud, clock: &clock, wall: &site.wall, store: &site.store };
    let (run, policy, pace) = (RunId("r1".into()), Policy::default(), Pace::default());
    let joins = joins.then_some(first);
    let job = Job { agreed: Some(&agreed), joins, ..applying(first, &run, &policy, &pace) };
    let ended =
        block_on(drive_following(&world, &job, &mut source, &mut Deciding(&site, site.scope("game"))))
            .unwrap();
    assert_eq!(source.decided, 1, "it was decided");
    (site, ended)
}

fn members(site: &Site, wanted: &Desired) -> usize {
    site.look(wanted).seen.keys().filter(|at| at.kind == KindId::AuroraInstance).count()
}

#[test]
fn a_decision_that_adds_joins_the_run_that_is_under_way_and_the_record_tells_it() {
    let (first, then) = (small("db.r7g.large", 2), small("db.r7g.large", 4));
    let (site, ended) = decide_meanwhile(&first, &then, true);
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last.held);
    assert_eq!(members(&site, &then), 4);
    site.assert_settled(&then);
    let events = site.events();
    assert_eq!(runs(&events), (1, 1), "it is one run");
    let revised: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Revised { desired, .. } => Some(desired),
            _ => None,
        })
        .collect();
    assert_eq!(revised, [&then.fingerprint]);
}

#[test]
fn a_plan_that_is_held_to_the_letter_does_what_it_says_and_tells_what_waits() {
    let (first, then) = (small("db.r7g.large", 2), small("db.r7g.large", 4));
    let (site, ended) = decide_meanwhile(&first, &then, false);
    assert_eq!(ended.outcome, Outcome::Blocked);
    assert_eq!(members(&site, &then), 2);
    let held: Vec<_> = ended.last.held.iter().map(|held| (held.step.to_string(), &held.why)).collect();
    assert_eq!(held.len(), 2, "{held:?}");
    assert!(held.iter().all(|(step, why)| step.starts_with("create ") && why.contains("make a new plan")));
}

#[test]
fn a_decision_that_shrinks_joins_no_run() {
    let (first, then) = (small("db.r7g.large", 3), small("db.r7g.large", 1));
    let mut site = Site::new(26);
    assert_eq!(site.apply(&first).outcome, Outcome::Settled);
    let agreed = site.plan(&first);
    let (run, pace) = (RunId("r9".into()), Pace::default());
    let policy =
        rgctl_testkit::fixtures::consents(&["shrink:accounts@us-east-1", "delete:accounts@us-east-1"]);
    let clock = site.cloud.clock();
    let world = Environment { cloud: &site.cloud, clock: &clock, wall: &site.wall, store: &site.store };
    let job = Job { agreed: Some(&agreed), joins: Some(&first), ..applying(&then, &run, &policy, &pace) };
    let before = calls(&site);
    let ended = block_on(drive(&world, &job, &mut Quiet { turns: 0, stop_after: Some(500) })).unwrap();
    assert_eq!((ended.outcome, calls(&site)), (Outcome::Blocked, before));
}
