//! Patience is by the record: processes of which each remembers nothing of the one before wait for as long as one that
//! remembers all, and do the same at the same time.

use rgctl_model::journal::{Event, Outcome};
use rgctl_model::kinds::KindId;
use rgctl_model::ports::Clock;
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
