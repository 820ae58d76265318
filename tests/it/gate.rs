//! The gate as a pure function, and the plans that it answers for.

use proptest::prelude::*;
use rgctl::artefacts::claims::{Claimed, Claims};
use rgctl::artefacts::node::{Desired, TAG_STORE};
use rgctl::artefacts::plan::{Answer, Disturbance, Op, Plan, Step};
use rgctl::artefacts::policy::{Authority, Grave, Policy};
use rgctl::artefacts::rules::{Allowance, CalendarEntry, Freeze, Policies, Repeats, Rules};
use rgctl::artefacts::seen::Inventory;
use rgctl::gate::{Asked, Verdicts, authorise};
use rgctl::kinds::KindId;
use rgctl::planning::{self, Ask};
use rgctl::vocabulary::calendar::{Weekday, Window, Zone};
use rgctl::vocabulary::quantity::{Factor, TimeOfDay};
use rgctl::vocabulary::time::{Moment, Span};

use crate::fixtures::*;

fn rules() -> Rules {
    Rules { policies: Policies::usual(), calendar: Vec::new(), cells: Vec::new() }
}

fn entry(freeze: Freeze, starts: &str, hours: u64, repeats: Option<Repeats>, zone: &str) -> CalendarEntry {
    CalendarEntry {
        name: "season".to_owned(),
        starts: Moment::parse_rfc3339(starts).unwrap(),
        lasts: Span::from_hours(hours),
        demand: Factor::ONE,
        repeats,
        zone: Zone::new(zone).unwrap(),
        freeze,
        cells: Vec::new(),
    }
}

/// A step of a real plan, made into one of another sort.
fn step(disturbs: Disturbance, p95: Span) -> Step {
    let desired = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let mut step = plan_for(&desired, &Inventory::empty(NOW), &Policy::default()).steps.remove(0);
    step.disturbs = disturbs;
    step.effect.duration_p95 = p95;
    step
}

fn ask_gate(step: &Step, rules: &Rules, policy: &Policy, authority: Authority, now: Moment) -> Answer {
    let rules = std::slice::from_ref(rules);
    authorise(step, &Asked { rules, policy, verdicts: no_verdicts(), authority, now })
}

fn at_time(text: &str) -> Moment {
    Moment::parse_rfc3339(text).unwrap()
}

fn until(answer: &Answer) -> Option<String> {
    if let Answer::Wait { until, .. } = answer { Some(until.rfc3339()) } else { None }
}

proptest! {
    #[test]
    fn never_is_no_and_a_freeze_stops_no_growth_unless_it_is_hard(
        place in 0..Disturbance::ALL.len(), hard: bool, never: bool, minutes in 0u64..3000, hours in 1u64..40,
    ) {
        let mut rules = rules();
        let freeze = if hard { Freeze::Hard } else { Freeze::On };
        rules.calendar.push(entry(freeze, "2026-06-01T00:00Z", hours, None, "UTC"));
        if never {
            rules.policies.consent.delete = Allowance::Never;
        }
        let mut one = step(Disturbance::ALL[place], Span::from_mins(5));
        let now = at_time("2026-06-01T00:00:00Z") + Span::from_mins(minutes);
        let answer = ask_gate(&one, &rules, &Policy::default(), Authority::Person, now);
        let is_frozen = minutes < hours * 60;
        let stops = hard || one.disturbs.disturbs_or_reduces();
        prop_assert_eq!(answer == Answer::Go, !(is_frozen && stops), "{:?}", answer);
        let store = one.store.clone();
        one.requires.insert(rgctl::artefacts::policy::GraveAct { grave: Grave::Delete, store, region: region("us-east-1") });
        let allowed = consents(&["delete:*@*", "window:*"]);
        let answer = ask_gate(&one, &rules, &allowed, Authority::Person, now);
        prop_assert_eq!(never, matches!(answer, Answer::No { .. }));
    }
}

#[test]
fn disturbing_work_waits_for_its_window_and_begins_when_it_fits() {
    let mut rules = rules();
    rules.policies.maintenance = Some(Window {
        days: vec![Weekday::Tue],
        starts: TimeOfDay::parse("04:00").unwrap(),
        lasts: Span::from_hours(2),
        zone: Zone::new("America/New_York").unwrap(),
    });
    let ask = |disturbs, p95, now: &str| {
        ask_gate(&step(disturbs, p95), &rules, &Policy::default(), Authority::Person, at_time(now))
    };
    let short = Span::from_mins(30);
    // Clocks change on Sunday, the 8th of March: the window moves by an hour in UTC.
    let before = ask(Disturbance::Failover, short, "2026-03-04T00:00:00Z");
    assert_eq!(until(&before).as_deref(), Some("2026-03-10T08:00:00Z"));
    assert_eq!(
        until(&ask(Disturbance::Failover, short, "2026-03-01T00:00:00Z")).as_deref(),
        Some("2026-03-03T09:00:00Z")
    );
    assert_eq!(ask(Disturbance::Failover, short, "2026-03-10T09:29:00Z"), Answer::Go);
    let late = ask(Disturbance::Failover, short, "2026-03-10T09:31:00Z");
    assert_eq!(until(&late).as_deref(), Some("2026-03-17T08:00:00Z"), "it no longer fits");
    let long = Span::from_hours(9);
    assert_eq!(
        ask(Disturbance::Resize, long, "2026-03-10T08:10:00Z"),
        Answer::Go,
        "it fits none: at the start"
    );
    assert!(until(&ask(Disturbance::Resize, long, "2026-03-10T09:00:00Z")).is_some());
    for never in [Disturbance::Growth, Disturbance::Quiet, Disturbance::Reduction, Disturbance::ReaderRestart]
    {
        assert_eq!(ask(never, short, "2026-03-04T00:00:00Z"), Answer::Go, "{never:?}");
    }
    let now = at_time("2026-03-04T00:00:00Z");
    let failover = step(Disturbance::Failover, short);
    let leave = consents(&["window:accounts"]);
    assert_eq!(ask_gate(&failover, &rules, &leave, Authority::Person, now), Answer::Go);
    let other = consents(&["window:matches"]);
    assert!(until(&ask_gate(&failover, &rules, &other, Authority::Person, now)).is_some());
    rules.calendar.push(entry(Freeze::Hard, "2026-03-04T00:00Z", 24, Some(Repeats::Weekly), "UTC"));
    assert!(until(&ask_gate(&failover, &rules, &leave, Authority::Person, now)).is_some(), "never a freeze");
    assert_eq!(ask_gate(&failover, &rules, &leave, Authority::ApprovedRun, now), Answer::Go);
}

/// A plan with a record of its own.
fn plan_with(desired: &Desired, world: &Inventory, policy: &Policy, claims: &Claims) -> Plan {
    planning::plan(&Ask { claims, ..ask(desired, world, policy) })
}

#[test]
fn an_object_whose_store_nobody_knows_is_deleted_by_nobody_in_every_family() {
    let kinds = [KindId::AuroraCluster, KindId::DocumentCluster, KindId::CacheGroup, KindId::RedshiftCluster];
    for kind in kinds {
        let before = desired(vec![node(at("us-east-1", kind, "game-old-use1"), "old", &[], &[])]);
        let mut world = world_of(&before);
        for seen in world.seen.values_mut() {
            seen.facts.tags.remove(TAG_STORE);
        }
        let policy = consents(&["delete:*@*"]);
        let plan = plan_for(&desired(Vec::new()), &world, &policy);
        let deletion =
            plan.steps.iter().find(|step| matches!(step.op, Op::Delete { .. })).expect("a deletion");
        assert!(
            matches!(&deletion.answer, Answer::No { allow, .. } if allow.is_empty()),
            "{:?}",
            deletion.answer
        );
        assert_eq!(plan.options(), None);
    }
}

#[test]
fn a_store_that_bore_data_and_is_gone_is_made_anew_by_consent_only_in_every_family() {
    let kinds = [KindId::AuroraCluster, KindId::DocumentCluster, KindId::CacheGroup, KindId::RedshiftCluster];
    for kind in kinds {
        let wanted = desired(vec![node(at("us-east-1", kind, "game-a-use1"), "a", &[], &[])]);
        let mut claims = Claims::default();
        let claimed = Claimed { is_done: true, bears_data: true, ..Claimed::default() };
        claims.objects.insert(at("us-east-1", kind, "game-a-use1"), claimed);
        let nothing = Inventory::empty(NOW);
        let options =
            |text: &[&str], claims: &Claims| plan_with(&wanted, &nothing, &consents(text), claims).options();
        assert_eq!(options(&[], &claims).as_deref(), Some("--allow empty:a@us-east-1"), "{kind}");
        assert!(options(&["replace:a@us-east-1", "empty:a@us-west-2"], &claims).is_some(), "{kind}");
        assert_eq!(options(&["empty:a@us-east-1"], &claims), None, "{kind}");
        assert_eq!(options(&[], &Claims::default()), None, "a first creation");
    }
}

#[test]
fn a_cost_bound_refuses_growth_and_nothing_else() {
    let verdicts = Verdicts { refusals: vec!["too much".to_owned()], notes: Vec::new() };
    let large = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    let small = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let policy = Policy::default();
    let go = |wanted: &Desired, world: &Desired| {
        let world = world_of(world);
        let plan = planning::plan(&Ask { verdicts: &verdicts, ..ask(wanted, &world, &policy) });
        plan.steps.iter().all(|step| step.answer == Answer::Go)
    };
    assert!(!go(&large, &small) && go(&small, &large));
}
