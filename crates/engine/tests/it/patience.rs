//! Patience is by the record: processes of which each remembers nothing of the one before wait for as long as one that
//! remembers all, and do the same at the same time.

use rgctl_engine::execution::drive::Ended;
use rgctl_model::journal::{Event, Outcome};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::ports::Clock;
use rgctl_schema::names::StepId;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Called, Fault, Rule};
use rgctl_testkit::fixtures::{address, cluster_store, consents, desired, region};
use rgctl_testkit::site::{Order, Site, cache_store};

use crate::waits::small;

const FOREVER: u64 = 1_000_000;

/// A run while faults befall clusters, each from a minute to another one.
struct Lived {
    outcome: Outcome,
    /// Why it ended, in one text.
    why: String,
    took: Span,
    calls: Vec<Called>,
    unknown: Vec<Option<String>>,
}

fn live(faults: &[(Fault, u64, u64)], is_forgetful: bool) -> Lived {
    let mut site = Site::new(9);
    site.is_forgetful = is_forgetful;
    let began = site.cloud.clock().now();
    let after = |minutes: u64| -> Moment { began + Span::from_mins(minutes) };
    for (fault, from, until) in faults {
        let rule = Rule::always(fault.clone(), after(*from), after(*until));
        let rule = Rule { kind: Some(KindId::AuroraCluster), ..rule };
        site.cloud.with_world(|world| world.add_fault(rule)).unwrap();
    }
    let ended = site.run(&small(), &Order::default()).unwrap();
    let (mut why, mut unknown): (Vec<String>, Vec<_>) = (Vec::from_iter(ended.last.stalled), Vec::new());
    for event in site.events() {
        match event {
            Event::UnknownState { state, .. } => unknown.push(state),
            Event::Failed { why: failed, .. } => why.push(failed),
            _ => {}
        }
    }
    Lived {
        outcome: ended.outcome,
        why: why.join("; "),
        took: ended.at.since(began),
        calls: site.cloud.calls(),
        unknown,
    }
}

/// The same life with and without memory.
fn both(faults: &[(Fault, u64, u64)]) -> [Lived; 2] {
    let lives = [false, true].map(|is_forgetful| live(faults, is_forgetful));
    let [remembering, forgetful] = &lives;
    assert_eq!(forgetful.outcome, remembering.outcome, "{}", forgetful.why);
    assert_eq!(forgetful.took, remembering.took);
    assert!(forgetful.calls == remembering.calls, "other calls, or at other times");
    assert_eq!(forgetful.unknown, remembering.unknown);
    lives
}

#[test]
fn a_state_that_nobody_knows_is_waited_for_half_an_hour_however_many_processes_see_it() {
    for lived in both(&[(Fault::UnknownStatus, 0, FOREVER)]) {
        assert_eq!(lived.outcome, Outcome::Blocked);
        assert!(lived.why.contains("recalibrating"), "{}", lived.why);
        assert!(lived.took > Span::from_mins(30) && lived.took < Span::from_mins(45), "{}", lived.took);
        assert_eq!(lived.unknown, [Some("recalibrating".to_owned())], "it is told once, not at each look");
    }
}

#[test]
fn a_state_that_is_known_again_in_between_is_waited_for_anew() {
    // Two times of twenty minutes are longer than what is waited for, and neither is.
    let slow = (Fault::Slow { factor: 10.0 }, 0, FOREVER);
    for lived in both(&[slow, (Fault::UnknownStatus, 0, 20), (Fault::UnknownStatus, 24, 44)]) {
        assert_eq!(lived.outcome, Outcome::Settled, "{}", lived.why);
        let state = || Some("recalibrating".to_owned());
        assert_eq!(lived.unknown, [state(), None, state()], "that it is done tells that it is known");
    }
}

#[test]
fn a_transition_that_never_ends_ends_the_run_however_many_processes_wait_for_it() {
    for lived in both(&[(Fault::Stuck, 0, FOREVER)]) {
        assert_eq!(lived.outcome, Outcome::Blocked);
        assert!(lived.why.contains("nothing has moved for"), "{}", lived.why);
        assert!(lived.took > Span::from_hours(24) && lived.took < Span::from_hours(40), "{}", lived.took);
    }
}

/// A life with and without memory: how it ended, and how long its last run took. Calls and lines are at the same times.
fn by_both(live: impl Fn(&mut Site) -> (Ended, Span)) -> (Site, Ended, Span) {
    let [remembering, forgetful] = [false, true].map(|is_forgetful| {
        let mut site = Site::new(9);
        site.is_forgetful = is_forgetful;
        let (ended, took) = live(&mut site);
        (site, ended, took)
    });
    assert_eq!(forgetful.1.last.stalled, remembering.1.last.stalled);
    assert_eq!(forgetful.2, remembering.2);
    assert!(forgetful.0.cloud.calls() == remembering.0.cloud.calls(), "other calls, or at other times");
    forgetful
}

/// Runs until nothing has moved for too long.
fn until_still(site: &mut Site, wanted: &Desired) -> (Ended, Span) {
    let began = site.cloud.clock().now();
    let ended = site.run(wanted, &Order::default()).unwrap();
    assert_eq!(ended.outcome, Outcome::Blocked);
    assert!(ended.last.stalled.is_some(), "{:#?}", ended.last.held);
    let took = ended.at.since(began);
    (ended, took)
}

fn befall(site: &Site, fault: Fault, kind: KindId) {
    let now = site.cloud.clock().now();
    let rule = Rule { kind: Some(kind), ..Rule::always(fault, now, now + Span::from_days(300)) };
    site.cloud.with_world(|world| world.add_fault(rule)).unwrap();
}

/// The change ends while the run waits for something else, and the next one of the same field lacks a consent: no other line
/// tells that anything has moved.
#[test]
fn a_change_that_is_done_when_something_else_is_wanted_of_its_field_is_movement_by_the_record() {
    let group = address("us-east-1", KindId::CacheGroup, "game-rank");
    let step = StepId(format!("modify {group} shards").into());
    let accounts = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
    let (site, _, took) = by_both(|site| {
        assert_eq!(site.apply(&desired(cache_store("rank", "us-east-1", 1))).outcome, Outcome::Settled);
        befall(site, Fault::Slow { factor: 10.0 }, group.kind);
        befall(site, Fault::LostAnswer { applied: false }, KindId::RdsSubnetGroup);
        let soon = Some(site.cloud.clock().now() + Span::from_mins(2));
        let wanted = desired(cache_store("rank", "us-east-1", 3));
        let paused = site.run(&wanted, &Order { deadline: soon, ..Order::default() }).unwrap();
        assert!(paused.last.under_way.contains_key(&step), "{:#?}", paused.last);
        until_still(site, &desired([cache_store("rank", "us-east-1", 2), accounts.clone()].concat()))
    });
    assert!(took > Span::from_hours(25) && took < Span::from_days(3), "a day after it was done: {took}");
    let done = |event: &&Event| matches!(event, Event::Settled { step: done, .. } if *done == step);
    assert_eq!(site.events().iter().filter(done).count(), 1);
}

#[test]
fn what_has_failed_is_movement_by_the_record() {
    let (site, _, took) = by_both(|site| {
        befall(site, Fault::Slow { factor: 10.0 }, KindId::AuroraCluster);
        befall(site, Fault::CreateFails, KindId::AuroraCluster);
        befall(site, Fault::LostAnswer { applied: false }, KindId::CacheSubnetGroup);
        let accounts = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
        until_still(site, &desired([cache_store("rank", "us-east-1", 1), accounts].concat()))
    });
    assert!(took > Span::from_mins(24 * 60 + 20), "a day after it failed: {took}");
    assert!(site.events().iter().any(|event| matches!(event, Event::Failed { .. })));
}

/// No call of it is out, so that nothing is on record of what its object is in meanwhile. On partial sight of anything no
/// removal is planned, so that the step waits.
#[test]
fn a_deletion_that_was_put_off_waits_while_its_object_is_in_a_state_that_nobody_knows_and_something_is_unseen()
 {
    let kept = cluster_store("accounts", "eu-west-1", 1, "db.r7g.large");
    let group = address("us-east-1", KindId::CacheGroup, "game-rank");
    let (before, after) =
        (desired([kept.clone(), cache_store("rank", "us-east-1", 1)].concat()), desired(kept));
    let order = Order { policy: consents(&["delete:rank@us-east-1"]), ..Order::default() };
    for is_forgetful in [false, true] {
        let mut site = Site::new(9);
        site.is_forgetful = is_forgetful;
        assert_eq!(site.apply(&before).outcome, Outcome::Settled);
        let (began, calls) = (site.cloud.clock().now(), site.cloud.calls().len());
        let (soon, then) = (began + Span::from_secs(1), began + Span::from_mins(9));
        let of_group = |rule| Rule { kind: Some(group.kind), region: Some(group.region.clone()), ..rule };
        let rules = [
            of_group(Rule::always(Fault::Throttle, began, soon)),
            of_group(Rule::always(Fault::UnknownStatus, soon, then)),
            Rule { region: Some(region("eu-west-1")), ..Rule::always(Fault::Gap, soon, then) },
        ];
        for rule in rules {
            site.cloud.with_world(|world| world.add_fault(rule)).unwrap();
        }
        let ended = site.run(&after, &order).unwrap();
        assert_eq!(ended.outcome, Outcome::Settled);
        let asked = site.cloud.calls().split_off(calls);
        let deletions: Vec<_> = asked.iter().filter(|called| *called.op.address() == group).collect();
        assert!(deletions.len() == 2 && deletions[0].at == began && deletions[1].at > then, "{deletions:?}");
        let told = |event: &Event| matches!(event, Event::UnknownState { .. });
        assert!(!site.events().iter().any(told), "{:#?}", site.events());
        site.assert_settled(&after);
    }
}
