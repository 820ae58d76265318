//! The gate as a pure function, and the plans that it answers for.

use proptest::prelude::*;
use rgctl::cli::saved::SavedPlan;
use rgctl::report;
use rgctl::report::plan::Detail;
use rgctl::report::style::Style;
use rgctl_engine::gate::{GateInput, Verdicts, authorise, stricter};
use rgctl_engine::ledger::{Ledger, Ruled};
use rgctl_engine::planning::{self, PlanInput};
use rgctl_model::bill::CostRange;
use rgctl_model::chain;
use rgctl_model::claims::{Claimed, Claims};
use rgctl_model::journal::{Event, Outcome, Purpose};
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::{Desired, KEEP_DISCARD, Node, TAG_KEEP, TAG_STORE, UncarriedDemand};
use rgctl_model::observed::{CoolDown, Gap, Inventory};
use rgctl_model::plan::{Answer, Blocker, Disturbance, Op, Plan, Step};
use rgctl_model::policy::{Authority, ConsentRequest, DestructiveAction, Policy};
use rgctl_model::ports::Lease;
use rgctl_model::rules::{
    Allowance, CalendarEntry, CellPlace, CostPolicy, Enforcement, Freeze, Policies, RecordedRules, Repeats,
    Rules,
};
use rgctl_schema::calendar::{Weekday, Window, Zone};
use rgctl_schema::money::{Currency, Money};
use rgctl_schema::names::{Fingerprint, RunId, StoreName, Token};
use rgctl_schema::phase::Phase;
use rgctl_schema::quantity::{Factor, TimeOfDay};
use rgctl_schema::time::{Moment, Span};
use rust_decimal::Decimal;
use serde_json::json;

use crate::cli::Place;
use rgctl_testkit::fixtures::*;
use rgctl_testkit::site::{Order, Site};

fn store(name: &str) -> StoreName {
    StoreName::new(name).unwrap()
}

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
    let mut step = plan_for(&desired, &Inventory::empty(NOW), &Policy::default()).steps[0].clone();
    step.disturbs = disturbs;
    step.effect.duration_p95 = p95;
    step
}

fn ask_gate(step: &Step, rules: &Rules, policy: &Policy, authority: Authority, now: Moment) -> Answer {
    let rules = std::slice::from_ref(rules);
    authorise(step, &GateInput { rules, policy, verdicts: no_verdicts(), over_quota: &[], authority, now })
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
        one.requires.insert(ConsentRequest { action: DestructiveAction::Delete, store, region: region("us-east-1") });
        let allowed = consents(&["delete:*@*", "window:*"]);
        let answer = ask_gate(&one, &rules, &allowed, Authority::Person, now);
        prop_assert_eq!(never, matches!(answer, Answer::No { .. }));
    }
}

#[test]
fn what_the_service_does_not_take_yet_waits_for_that_and_then_for_its_window() {
    let cooling = |until: &str| CoolDown {
        field: "storage_kind".to_owned(),
        value: "io-optimized".to_owned(),
        until: at_time(until),
    };
    let mut rules = rules();
    let ask = |rules: &Rules, disturbs, from: &str, now: &str| {
        let one = Step { cool_down: Some(cooling(from)), ..step(disturbs, Span::from_mins(5)) };
        ask_gate(&one, rules, &Policy::default(), Authority::Person, at_time(now))
    };
    let (before, after) = ("2026-03-04T00:00:00Z", "2026-03-06T00:00:00Z");
    assert_eq!(until(&ask(&rules, Disturbance::Quiet, after, before)).as_deref(), Some(after));
    assert_eq!(ask(&rules, Disturbance::Quiet, after, after), Answer::Go);
    rules.calendar.push(entry(Freeze::Hard, "2026-03-05T00:00Z", 48, None, "UTC"));
    let frozen = ask(&rules, Disturbance::Quiet, after, before);
    assert_eq!(until(&frozen).as_deref(), Some("2026-03-07T00:00:00Z"), "the freeze that it would run into");
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
    planning::plan(&PlanInput { claims, ..ask(desired, world, policy) })
}

#[test]
fn an_object_whose_store_nobody_knows_is_deleted_by_nobody_in_every_family() {
    let kinds = [KindId::AuroraCluster, KindId::DocumentCluster, KindId::CacheGroup, KindId::RedshiftCluster];
    for kind in kinds {
        let before = desired(vec![node(address("us-east-1", kind, "game-old-use1"), "old", &[], &[])]);
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
        let wanted = desired(vec![node(address("us-east-1", kind, "game-a-use1"), "a", &[], &[])]);
        let mut claims = Claims::default();
        let claimed = Claimed { is_done: true, bears_data: true, ..Claimed::default() };
        claims.objects.insert(address("us-east-1", kind, "game-a-use1"), claimed);
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
    let verdicts = Verdicts { refusals: vec!["too much".to_owned()], ..Verdicts::default() };
    let large = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    let small = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let policy = Policy::default();
    let go = |wanted: &Desired, world: &Desired| {
        let world = world_of(world);
        let plan = planning::plan(&PlanInput { verdicts: &verdicts, ..ask(wanted, &world, &policy) });
        plan.steps.iter().all(|step| step.answer == Answer::Go)
    };
    assert!(!go(&large, &small) && go(&small, &large));
}

#[test]
fn a_reason_that_holds_up_many_steps_is_said_once_with_their_number_and_counted_at_each() {
    let verdicts = Verdicts { refusals: vec!["it is too much".to_owned()], ..Verdicts::default() };
    let large = desired(cluster_store("accounts", "us-east-1", 4, "db.r7g.4xlarge"));
    let small = world_of(&desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large")));
    let policy = Policy::default();
    let plan = planning::plan(&PlanInput { verdicts: &verdicts, ..ask(&large, &small, &policy) });
    let refused = plan.steps.iter().filter(|step| step.refused().is_some()).count();
    assert!(refused > 2, "{:#?}", lines(&plan));
    let told =
        [report::plan::text(&plan, Style::PLAIN, Detail::Changes), report::plan_markdown::markdown(&plan)];
    for text in told {
        assert_eq!(text.matches("it is too much").count(), 1, "{text}");
        assert!(text.contains(&format!("{refused} steps: it is too much")), "{text}");
        assert_eq!(text.matches("refused, as told at the end").count(), refused, "{text}");
    }
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(json.matches("it is too much").count(), refused, "one entry a step");
}

#[test]
fn a_freeze_of_cells_touches_those_cells_and_what_is_of_no_known_cell() {
    let cell = |name: &str, regions: &[&str], stores: &[&str]| CellPlace {
        name: store(name),
        regions: regions.iter().map(|code| region(code)).collect(),
        stores: stores.iter().map(|name| store(name)).collect(),
    };
    let mut rules = rules();
    rules.calendar.push(CalendarEntry {
        cells: vec![store("one")],
        ..entry(Freeze::On, "2026-06-01T00:00Z", 24, None, "UTC")
    });
    let now = at_time("2026-06-01T12:00:00Z");
    let failover = step(Disturbance::Failover, Span::from_mins(5));
    let is_held = |cells: Vec<CellPlace>, step: &Step| {
        let rules = Rules { cells, ..rules.clone() };
        ask_gate(step, &rules, &Policy::default(), Authority::Person, now) != Answer::Go
    };
    let other = || cell("two", &["us-west-2"], &[]);
    assert!(is_held(vec![cell("one", &["us-east-1"], &[]), other()], &failover));
    assert!(is_held(vec![cell("one", &["us-east-1"], &["accounts"]), other()], &failover));
    assert!(!is_held(vec![cell("one", &["us-west-2"], &[]), cell("two", &["us-east-1"], &[])], &failover));
    assert!(!is_held(
        vec![cell("one", &["us-east-1"], &["matches"]), cell("two", &["us-east-1"], &[])],
        &failover
    ));
    assert!(is_held(vec![cell("one", &["us-west-2"], &[])], &failover), "of no cell that is known");
    let nobodys = Step { store: None, ..failover };
    assert!(is_held(
        vec![cell("one", &["us-east-1"], &["matches"]), cell("two", &["us-east-1"], &["b"])],
        &nobodys
    ));
}

#[test]
fn a_freeze_comes_again_every_day_week_and_year_at_the_time_of_its_zone() {
    let ends = |repeats, now: &str| {
        let mut rules = rules();
        // A Friday, 22:00 in Berlin, before clocks change.
        rules.calendar.push(entry(Freeze::On, "2026-03-06T21:00Z", 4, Some(repeats), "Europe/Berlin"));
        let one = step(Disturbance::Failover, Span::from_secs(30));
        until(&ask_gate(&one, &rules, &Policy::default(), Authority::Person, at_time(now)))
    };
    let cases = [
        (Repeats::Daily, "2026-07-15T20:30:00Z", Some("2026-07-16T00:00:00Z")),
        (Repeats::Daily, "2026-07-15T19:30:00Z", None),
        (Repeats::Daily, "2026-12-15T20:30:00Z", None),
        (Repeats::Weekly, "2026-07-17T20:30:00Z", Some("2026-07-18T00:00:00Z")),
        (Repeats::Weekly, "2026-07-16T20:30:00Z", None),
        (Repeats::Yearly, "2031-03-06T21:30:00Z", Some("2031-03-07T01:00:00Z")),
        (Repeats::Yearly, "2031-03-08T21:30:00Z", None),
        (Repeats::Weekly, "2026-02-27T22:00:00Z", None),
    ];
    for (repeats, now, expected) in cases {
        assert_eq!(ends(repeats, now).as_deref(), expected, "{repeats:?} {now}");
    }
}

#[test]
fn work_waits_for_the_time_between_freezes_that_is_long_enough() {
    let mut rules = rules();
    rules.calendar.push(entry(Freeze::On, "2026-06-01T00:00Z", 1, None, "UTC"));
    rules.calendar.push(entry(Freeze::On, "2026-06-01T01:10Z", 5, None, "UTC"));
    let ask = |rules: &Rules, lasts, now: &str| {
        let one = step(Disturbance::Failover, lasts);
        ask_gate(&one, rules, &Policy::default(), Authority::Person, at_time(now))
    };
    let answer = ask(&rules, Span::from_mins(30), "2026-06-01T01:05:00Z");
    assert_eq!(
        until(&answer).as_deref(),
        Some("2026-06-01T06:10:00Z"),
        "the gap is too short, the next is not"
    );
    assert_eq!(ask(&rules, Span::from_mins(4), "2026-06-01T01:05:00Z"), Answer::Go);
    // Where none ever is, it begins right after one.
    let mut rules = self::rules();
    rules.calendar.push(entry(Freeze::On, "2026-06-01T00:00Z", 23, Some(Repeats::Daily), "UTC"));
    assert_eq!(ask(&rules, Span::from_hours(2), "2026-06-01T23:05:00Z"), Answer::Go);
    assert!(until(&ask(&rules, Span::from_hours(2), "2026-06-01T23:20:00Z")).is_some());
}

#[test]
fn an_unknown_price_is_a_refusal_where_the_blueprint_says_so() {
    let mut sum = CostRange::default();
    sum.ceiling.add_unpriced("db.x99.large in us-east-1");
    let judge = |on_unknown| {
        let mut rules = rules();
        let cost = CostPolicy { monthly_max: Vec::new(), on_exceed: Enforcement::Deny, on_unknown };
        rules.policies.cost = Some(cost);
        Verdicts::judge(&[rules], &sum)
    };
    let denied = judge(Enforcement::Deny);
    assert!(denied.refuses_growth() && denied.refusals[0].contains("db.x99.large"), "{denied:?}");
    assert!(!judge(Enforcement::Warn).refuses_growth() && !judge(Enforcement::Warn).notes.is_empty());
    assert_eq!(judge(Enforcement::Ignore), Verdicts::default());
}

#[test]
fn a_sum_in_a_currency_without_a_bound_is_not_taken_for_one_within_it() {
    let mut sum = CostRange::default();
    sum.ceiling.add(Money::new(Decimal::from(5_000), Currency::Cny));
    let judge = |currency, on_unknown| {
        let mut rules = rules();
        let monthly_max = vec![Money::new(Decimal::from(9_000), currency)];
        rules.policies.cost = Some(CostPolicy { monthly_max, on_exceed: Enforcement::Deny, on_unknown });
        Verdicts::judge(&[rules], &sum)
    };
    assert!(judge(Currency::Usd, Enforcement::Deny).refuses_growth());
    assert!(judge(Currency::Usd, Enforcement::Warn).notes[0].contains("no bound in CNY"));
    assert_eq!(judge(Currency::Cny, Enforcement::Deny), Verdicts::default());
}

#[test]
fn a_store_that_moves_to_another_region_without_its_data_needs_consent_to_stand_empty() {
    let before = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let after = desired(cluster_store("accounts", "us-west-2", 1, "db.r7g.large"));
    let options =
        |policy: &Policy, world: &Inventory, after: &Desired| plan_for(after, world, policy).options();
    let allowed = consents(&["delete:accounts@us-east-1"]);
    let world = world_of(&before);
    assert_eq!(options(&allowed, &world, &after).as_deref(), Some("--allow empty:accounts@us-west-2"));
    let both = consents(&["delete:accounts@us-east-1", "empty:accounts@us-west-2"]);
    assert_eq!(options(&both, &world, &after), None);
    // Where the data stays in a third place, the store is not empty.
    let mut nodes = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
    nodes.extend(cluster_store("accounts", "eu-west-1", 1, "db.r7g.large"));
    let world = world_of(&desired(nodes));
    let mut nodes = cluster_store("accounts", "us-west-2", 1, "db.r7g.large");
    nodes.extend(cluster_store("accounts", "eu-west-1", 1, "db.r7g.large"));
    assert_eq!(options(&allowed, &world, &desired(nodes)), None);
    // A store of another name is another store.
    let other = desired(cluster_store("others", "us-west-2", 1, "db.r7g.large"));
    assert_eq!(options(&allowed, &world_of(&before), &other), None);
}

#[test]
fn a_cost_bound_refuses_what_raises_a_bound_of_scaling_or_has_no_price_and_lets_it_go_down() {
    let verdicts = Verdicts { refusals: vec!["too much".to_owned()], ..Verdicts::default() };
    let cases = [
        (KindId::AuroraCluster, "serverless_max_half_acu"),
        (KindId::DocumentCluster, "serverless_max_half_dcu"),
        (KindId::CacheServerless, "ecpu_max_per_second"),
        (KindId::CacheGroup, "replicas_per_shard"),
        (KindId::RedshiftCluster, "nodes"),
        (KindId::RedshiftWorkgroup, "max_rpu"),
    ];
    for (kind, field) in cases {
        let of = |value: u32| {
            desired(vec![node(address("us-east-1", kind, "game-a"), "a", &[(field, json!(value))], &[])])
        };
        let policy = consents(&["shrink:a@us-east-1"]);
        let answer = |before, after| {
            let wanted = of(after);
            let world = world_of(&of(before));
            let plan = planning::plan(&PlanInput { verdicts: &verdicts, ..ask(&wanted, &world, &policy) });
            plan.steps.into_iter().next().expect("a step").answer
        };
        assert!(matches!(answer(8, 64), Answer::No { .. }), "{kind} {field}");
        assert_eq!(answer(64, 8), Answer::Go, "{kind} {field}");
    }
}

#[test]
fn record_and_tag_that_tell_different_stores_allow_nothing_in_every_family() {
    let kinds = [KindId::AuroraCluster, KindId::DocumentCluster, KindId::CacheGroup, KindId::RedshiftCluster];
    for kind in kinds {
        let place = address("us-east-1", kind, "game-old-use1");
        let world = world_of(&desired(vec![node(place.clone(), "old", &[], &[])]));
        let answer = |recorded: &str| {
            let mut claims = Claims::default();
            let claimed = Claimed { is_done: true, store: Some(store(recorded)), ..Claimed::default() };
            claims.objects.insert(place.clone(), claimed);
            let plan = plan_with(&desired(Vec::new()), &world, &consents(&["delete:*@*"]), &claims);
            plan.steps
                .into_iter()
                .find(|step| matches!(step.op, Op::Delete { .. }))
                .expect("a deletion")
                .answer
        };
        assert!(matches!(answer("other"), Answer::No { allow, .. } if allow.is_empty()), "{kind}");
        assert_eq!(answer("old"), Answer::Go, "{kind}");
    }
}

#[test]
fn a_scaler_does_nothing_that_needs_consent_whatever_was_allowed() {
    let mut one = step(Disturbance::Reduction, Span::from_mins(5));
    for action in DestructiveAction::ALL {
        let act = ConsentRequest { action, store: one.store.clone(), region: region("us-east-1") };
        one.requires = [act].into();
        let allowed = consents(&["delete:*@*", "replace:*@*", "shrink:*@*", "empty:*@*", "window:*"]);
        let ask = |authority| ask_gate(&one, &rules(), &allowed, authority, NOW);
        assert!(matches!(ask(Authority::Scaler), Answer::No { allow, .. } if allow.is_empty()), "{action:?}");
        assert_eq!(ask(Authority::Person), Answer::Go, "{action:?}");
    }
}

/// A store of one cluster of which only these members are wanted.
fn with_members(numbers: &[usize]) -> Desired {
    let is_other = |node: &Node| {
        node.address.kind == KindId::AuroraInstance
            && !numbers.iter().any(|number| node.address.name.as_str().ends_with(&format!("-{number}")))
    };
    let mut nodes = cluster_store("accounts", "us-east-1", 4, "db.r7g.large");
    nodes.retain(|node| !is_other(node));
    let left: Vec<_> = nodes.iter().map(|node| node.address.clone()).collect();
    for node in &mut nodes {
        node.needs.retain(|need| left.contains(need));
    }
    desired(nodes)
}

#[test]
fn members_go_when_the_new_ones_serve_and_a_run_that_begins_meanwhile_asks_for_nothing() {
    let mut site = Site::new(7);
    assert_eq!(site.apply(&with_members(&[1, 2])).outcome, Outcome::Settled);
    let wanted = with_members(&[3, 4]);
    let mut outcome = Outcome::Stopped;
    for _ in 0..200 {
        let order = Order { stop_after: Some(1), ..Order::default() };
        outcome = site.run(&wanted, &order).unwrap().outcome;
        assert!(!site.told.iter().any(|why| why.contains("consent")), "{:?}", site.told);
        let seen = site.look(&wanted).seen;
        let serve = seen
            .iter()
            .filter(|(address, seen)| address.kind == KindId::AuroraInstance && seen.facts.phase.serves());
        assert!(serve.count() > 0, "somebody serves all the time");
        if outcome != Outcome::Stopped {
            break;
        }
        site.cloud.advance(Span::from_mins(1)).unwrap();
    }
    assert_eq!(outcome, Outcome::Settled);
    let plan = plan_for(&with_members(&[]), &world_of(&with_members(&[1])), &Policy::default());
    assert_eq!(plan.options().as_deref(), Some("--allow empty:accounts@us-east-1"), "where none comes");
}

#[test]
fn a_member_that_is_being_made_needs_no_consent_to_take_over_and_one_that_failed_does() {
    let wanted = with_members(&[3]);
    let mut world = world_of(&with_members(&[1, 3]));
    let mut options = |phase: Phase| {
        let place = address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-3");
        world.seen.get_mut(&place).unwrap().facts.phase = phase;
        plan_for(&wanted, &world, &Policy::default()).options()
    };
    assert_eq!(options(Phase::Creating), None);
    assert_eq!(options(Phase::Ready), None);
    let failed = options(Phase::Failed("incompatible-network".to_owned()));
    assert_eq!(failed.as_deref(), Some("--allow empty:accounts@us-east-1"));
}

#[test]
fn what_could_not_be_seen_keeps_a_take_over_from_being_settled() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let take_over = |lasting| {
        let mut world = Inventory::empty(NOW);
        let (region, endpoint) = (region("us-east-1"), Endpoint::Rds);
        world.gaps.push(Gap { region, endpoint, why: "page 2 failed".into(), lasting });
        planning::take_over(&ask(&wanted, &world, &Policy::default()), None)
    };
    for lasting in [false, true] {
        let plan = take_over(lasting);
        assert!(!plan.is_clean() && plan.health.needs_person(), "{:?}", plan.health);
        assert_eq!(plan.waiting.iter().any(Blocker::ends_by_itself), !lasting, "it is waited for to a bound");
    }
    let whole = planning::take_over(&ask(&wanted, &Inventory::empty(NOW), &Policy::default()), None);
    assert!(whole.is_clean());
}

/// A small game in a folder of its own, and its text with another bound on cost.
fn small_game() -> (Place, String) {
    let place = Place::new();
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/blueprints/light-game.yaml")).unwrap();
    place.write("game.yaml", &text);
    (place, text.replace("3500 USD", "1 USD"))
}

#[test]
fn a_saved_plan_is_held_to_the_policies_of_the_blueprint_as_it_is_now_too() {
    let (place, stricter) = small_game();
    place.write("now.yaml", &stricter);
    let planned = place.run(&["plan", "-f", "game.yaml", "--out", "plan.json"]);
    assert_eq!(planned.code, 0, "{}", planned.talk);
    let left = place.run(&["apply", "plan.json", "-f", "now.yaml", "--yes"]);
    assert_eq!(left.code, 4, "{}{}", left.data, left.talk);
    assert!(left.talk.contains("`policies.cost.monthlyMax` is 1.00 USD"), "{}", left.talk);
    let left = place.run(&["apply", "plan.json", "-f", "game.yaml", "--yes"]);
    assert_eq!(left.code, 0, "{}{}", left.data, left.talk);
}

#[test]
fn a_saved_plan_is_held_to_the_policies_of_the_last_run_on_record_if_that_came_later() {
    let (place, _) = small_game();
    assert_eq!(place.run(&["apply", "-f", "game.yaml", "--yes"]).code, 0);
    let allow = ["--allow", "delete:*@*", "--allow", "empty:*@*"];
    let plan = |place: &Place| {
        let planned = place
            .run(&[&["plan", "-f", "game.yaml", "--destroy", "--out", "plan.json"], &allow[..]].concat());
        assert_eq!(planned.code, 0, "{}", planned.talk);
    };
    plan(&place);
    let never = std::fs::read_to_string(place.path().join("game.yaml")).unwrap().replacen(
        "  policies:\n",
        "  policies:\n    consent: { delete: never }\n",
        1,
    );
    assert!(never.contains("delete: never"), "{never}");
    place.write("never.yaml", &never);
    // What is refused is on record all the same.
    let refused = place.run(&[&["destroy", "-f", "never.yaml", "--yes"], &allow[..]].concat());
    assert_eq!(refused.code, 4, "{}", refused.talk);
    let left = place.run(&["apply", "plan.json", "--yes"]);
    assert_eq!(left.code, 4, "{}{}", left.data, left.talk);
    let line = "and obeyed: `policies.consent.delete: never` (the last run on record)";
    assert!(left.talk.contains(line), "{}", left.talk);
    // A plan that is made after it follows from the blueprint that it is made from.
    plan(&place);
    let left = place.run(&["apply", "plan.json", "--yes"]);
    assert_eq!(left.code, 0, "{}{}", left.data, left.talk);
    assert!(!left.talk.contains("stricter"), "{}", left.talk);
}

#[test]
fn policies_on_record_that_cannot_be_read_are_a_no_and_the_record_is_read_all_the_same() {
    let rules = vec![rules()];
    let known = serde_json::to_value(RecordedRules::of(&rules)).unwrap();
    let read = |value: serde_json::Value| serde_json::from_value::<RecordedRules>(value).unwrap().read();
    assert_eq!(read(known.clone()).unwrap(), rules);
    let mut newer = known.clone();
    newer[0]["approvals"] = json!(2);
    let mut other = known;
    other[0]["policies"]["consent"]["delete"] = json!("twice");
    for value in [newer, other, json!(null), json!("no rules")] {
        let desired = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
        let plan = plan_for(&desired, &Inventory::empty(NOW), &Policy::default());
        let obeyed = |seq, at| Ruled {
            run: RunId("r7".to_owned()),
            seq,
            at,
            rules: serde_json::from_value(value.clone()).unwrap(),
        };
        let mut saved = SavedPlan::new(plan, desired, Policy::default(), 9, 0);
        for later in [obeyed(10, NOW), obeyed(9, NOW + Span::from_secs(1))] {
            let refusal = saved.hold_to_record(Some(&later)).expect_err("it may forbid anything");
            assert_eq!(refusal.exit, rgctl::cli::exit::Exit::Refused);
            assert!(refusal.message.contains("cannot be read that r7 obeyed"), "{}", refusal.message);
            assert!(!refusal.hints.is_empty());
        }
        assert!(saved.hold_to_record(Some(&obeyed(9, NOW))).is_ok(), "the plan came after it");
    }
}

#[test]
fn of_two_policies_about_cost_the_smaller_bound_meets_the_stricter_answer() {
    let with = |dollars: i64, on_exceed| {
        let mut rules = rules();
        let bound = Money::new(Decimal::from(dollars), Currency::Usd);
        rules.policies.cost =
            Some(CostPolicy { monthly_max: vec![bound], on_exceed, on_unknown: Enforcement::Ignore });
        rules
    };
    let mut sum = CostRange::default();
    sum.ceiling.known.insert(Currency::Usd, Decimal::from(150));
    let (small, large) = (with(100, Enforcement::Warn), with(200, Enforcement::Deny));
    for one in [&small, &large] {
        assert!(!Verdicts::judge(std::slice::from_ref(one), &sum).refuses_growth());
    }
    let both = [small, large];
    assert!(Verdicts::judge(&both, &sum).refuses_growth());
    let told = |own: usize, more: usize| {
        stricter(std::slice::from_ref(&both[own]), std::slice::from_ref(&both[more]))
    };
    assert_eq!(told(0, 1).into_iter().collect::<Vec<_>>(), ["`policies.cost.onExceed: deny`"]);
    assert_eq!(told(1, 0).into_iter().collect::<Vec<_>>(), ["`policies.cost.monthlyMax: 100.00 USD`"]);
    assert!(stricter(&both, &both).is_empty());
}

#[test]
fn a_store_with_demand_that_nothing_carries_does_not_grow_and_all_else_goes_on() {
    let outgrown = || UncarriedDemand {
        store: store("accounts"),
        why: "nothing carries the demand on `accounts`".to_owned(),
        remedy: "state the class".to_owned(),
    };
    let with = |members: usize, of_others: usize, uncarried: bool| {
        let mut nodes = cluster_store("accounts", "us-east-1", members, "db.r7g.large");
        nodes.extend(cluster_store("others", "us-east-1", of_others, "db.r7g.large"));
        let mut wanted = desired(nodes);
        wanted.uncarried.extend(uncarried.then(outgrown));
        wanted
    };
    let policy = consents(&["shrink:accounts@us-east-1", "delete:accounts@us-east-1"]);
    let answers = |before: &Desired, after: &Desired| {
        let verdicts = planning::verdicts(after, &planning::NoFigures);
        let plan =
            planning::plan(&PlanInput { verdicts: &verdicts, ..ask(after, &world_of(before), &policy) });
        plan.steps.into_iter().map(|step| step.answer).collect::<Vec<_>>()
    };
    let grown = answers(&with(1, 1, false), &with(2, 1, true));
    assert!(
        matches!(&grown[..], [Answer::No { why, remedy, .. }]
            if why.contains("nothing carries the demand") && remedy == "state the class"),
        "{grown:?}"
    );
    assert_eq!(answers(&with(1, 1, false), &with(2, 1, false)), [Answer::Go]);
    assert_eq!(answers(&with(2, 1, false), &with(1, 1, true)), [Answer::Go], "it may shrink");
    assert_eq!(answers(&with(1, 1, false), &with(1, 2, true)), [Answer::Go], "another store may grow");
}

#[test]
fn a_saved_plan_of_an_older_format_is_stale() {
    let (place, _) = small_game();
    assert_eq!(place.run(&["plan", "-f", "game.yaml", "--out", "plan.json"]).code, 0);
    let text = std::fs::read_to_string(place.path().join("plan.json")).unwrap();
    place.write("old.json", &text.replacen("saved-plan/v4", "saved-plan/v3", 1));
    let left = place.run(&["apply", "old.json", "--yes"]);
    assert_eq!(left.code, 3, "{}{}", left.data, left.talk);
    assert!(left.talk.contains("make a new plan"), "{}", left.talk);
    assert!(
        place.run(&["sim", "show"]).data.lines().all(|line| !line.contains("light-game-")),
        "nothing was made"
    );
}

#[test]
fn cost_tells_what_is_bound_to_ours_and_not_ours_or_that_nobody_looked() {
    let (place, _) = small_game();
    let cost = |place: &Place| place.run(&["cost", "-f", "game.yaml"]).data;
    assert!(cost(&place).contains("there is no embedded cloud here yet"), "{}", cost(&place));
    assert!(!place.path().join(".rgctl").exists(), "nothing is made by asking");
    assert_eq!(place.run(&["apply", "-f", "game.yaml", "--yes"]).code, 0);
    assert!(cost(&place).contains("Nothing that is not ours was seen"), "{}", cost(&place));
    let like = "us-east-1/aurora.instance/light-game-players-use1-1";
    let made = ["sim", "create", "us-east-1/aurora.instance/by-hand", "--like", like, "promotion_tier=9"];
    assert_eq!(place.run(&made).code, 0);
    assert_eq!(place.run(&["sim", "advance", "1h"]).code, 0);
    assert!(cost(&place).contains("USD a month (by-hand)"), "{}", cost(&place));
    let json = place.run(&["cost", "-f", "game.yaml", "-o", "json"]).data;
    let status = place.run(&["status", "-f", "game.yaml", "-o", "json"]).data;
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parse(&json)["not_ours"]["cost"], parse(&status)["not_ours"], "one figure");
}

#[test]
fn a_removal_is_not_over_while_objects_of_the_blueprint_belong_to_another_record() {
    let (place, _) = small_game();
    assert_eq!(place.run(&["apply", "-f", "game.yaml", "--yes"]).code, 0);
    for file in std::fs::read_dir(place.path().join(".rgctl")).unwrap().map(|file| file.unwrap().path()) {
        if file.file_name().unwrap().to_string_lossy().starts_with("journal") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let left = place.run(&["destroy", "-f", "game.yaml", "--yes", "--allow", "delete:*@*"]);
    assert_eq!(left.code, 8, "{}{}", left.data, left.talk);
    assert!(left.data.contains("not ours") && !left.data.contains("as wanted\n"), "{}", left.data);
    let left = place.run(&["import", "-f", "game.yaml", "--take-over"]);
    assert_eq!(left.code, 8, "nothing was taken over: {}{}", left.data, left.talk);
    assert!(left.talk.contains("is not taken over"), "{}", left.talk);
}

#[test]
fn a_tag_of_another_hand_takes_no_final_snapshot_away() {
    let place = address("us-east-1", KindId::AuroraCluster, "game-a");
    let wanted = desired(vec![node(place.clone(), "a", &[], &[])]);
    let mut world = world_of(&wanted);
    let tags = &mut world.seen.get_mut(&place).unwrap().facts.tags;
    tags.insert(TAG_KEEP.to_owned(), KEEP_DISCARD.to_owned());
    let has_snapshot = |recorded: Option<&str>| {
        let mut claims = Claims::default();
        let keep = recorded.map(str::to_owned);
        claims.objects.insert(place.clone(), Claimed { is_done: true, keep, ..Claimed::default() });
        let plan = planning::plan(&PlanInput {
            destroy: true,
            claims: &claims,
            ..ask(&wanted, &world, &Policy::default())
        });
        plan.steps.iter().any(|step| matches!(&step.op, Op::Delete { final_snapshot: Some(_), .. }))
    };
    assert!(has_snapshot(Some("final-snapshot")));
    assert!(!has_snapshot(Some(KEEP_DISCARD)) && !has_snapshot(None));
}

#[test]
fn what_a_second_run_makes_in_place_of_what_the_first_deleted_is_no_growth_until_a_run_settles() {
    let place = address("us-east-1", KindId::AuroraCluster, "game-a");
    let op = Op::Delete { address: place.clone(), final_snapshot: None };
    let step = op.step_id();
    let opened = || Event::Opened {
        purpose: Purpose::Apply,
        policy: Policy::default(),
        desired: Fingerprint("wish".to_owned()),
        steps: 1,
        rules: None,
    };
    let closed = |outcome| Event::Closed { outcome, summary: String::new(), left: None };
    let intended = Event::Intended {
        step: step.clone(),
        address: place.clone(),
        word: "delete".to_owned(),
        token: Token("token".to_owned()),
        final_snapshot: None,
        why: String::new(),
        changes: Vec::new(),
        asks: String::new(),
        names: None,
        sets: None,
        unsets: rgctl_model::journal::Entries::default(),
        store: None,
    };
    let lease = Lease {
        scope: Site::new(1).scope("game"),
        run: RunId("run".to_owned()),
        owner: "test".into(),
        epoch: 1,
        until: NOW,
        lasts: Span::ZERO,
        renewals: 0,
    };
    let was_there = |events: Vec<Event>| {
        let mut ledger = Ledger::default();
        ledger.fold(&chain::seal(&lease, None, NOW, &events));
        ledger.claims.was_there(&place)
    };
    let deleted = || vec![opened(), intended.clone(), Event::Settled { step: step.clone(), object: None }];
    let with = |more: Vec<Event>| [deleted(), more].concat();
    assert!(was_there(with(vec![opened()])), "cut off");
    assert!(was_there(with(vec![closed(Outcome::Paused), opened()])));
    assert!(!was_there(with(vec![closed(Outcome::Settled), opened()])));
}
