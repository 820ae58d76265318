//! What a person sees: every view, of values made by hand.

use std::collections::{BTreeMap, BTreeSet};

use rgctl::report::cost::{CostReport, NotOurs, StoreCost};
use rgctl::report::document::{document, format};
use rgctl::report::drift::Past;
use rgctl::report::plan::Detail;
use rgctl::report::status::Prices;
use rgctl::report::style::Style;
use rgctl::report::{cost, drift, history, plan, plan_markdown, status, status_markdown};
use rgctl_model::bill::CostRange;
use rgctl_model::chain::{seal_decision, seal_message};
use rgctl_model::claims::NO_CLAIMS;
use rgctl_model::inbox::Request;
use rgctl_model::journal::{Cause, Entry, Event, Outcome, Purpose, RecordedObject};
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::Node;
use rgctl_model::observed::{Gap, Inventory};
use rgctl_model::overlay::{Decision, Decisions, HoldOut, Overlay, Target};
use rgctl_model::plan::{Blocker, CostChange, CostKey, Plan, Step};
use rgctl_model::policy::Policy;
use rgctl_model::scope::Scope;
use rgctl_schema::money::{Currency, Money, Total};
use rgctl_schema::names::{Fingerprint, RunId, StepId, StoreName, Token};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::{Moment, Span};
use rust_decimal::Decimal;
use serde_json::json;

use rgctl_testkit::decision_law::{key as law_key, overlay};
use rgctl_testkit::fixtures::*;

fn dollars(cents: i64) -> Total {
    let mut total = Total::default();
    total.add(Money::new(Decimal::new(cents, 2), Currency::Usd));
    total
}

fn yuan_and_unpriced(cents: i64) -> Total {
    let mut total = Total::default();
    total.add(Money::new(Decimal::new(cents, 2), Currency::Cny));
    total.add_unpriced("db.r8g.large (aurora-mysql) in cn-north-1");
    total
}

fn range(floor: Total, expected: Total, ceiling: Total) -> CostRange {
    CostRange { floor, expected, ceiling }
}

/// A class change of three members, one removal that lacks consent, costs in two currencies, things waited for.
fn rich_plan() -> Plan {
    let before = desired(
        [
            cluster_store("accounts", "us-east-1", 3, "db.r7g.large"),
            cluster_store("payments", "us-east-1", 1, "db.r7g.large"),
        ]
        .concat(),
    );
    let mut after_nodes = cluster_store("accounts", "us-east-1", 3, "db.r7g.xlarge");
    after_nodes.extend(cluster_store("accounts", "us-west-2", 1, "db.r7g.xlarge"));
    let after = desired(after_nodes);
    let mut plan = plan_for(&after, &world_of(&before), &Policy::default());
    for step in plan.steps.iter_mut() {
        price(step);
    }
    plan.waiting.push(Blocker::Transition {
        address: address("us-east-1", KindId::AuroraInstance, "game-ranking-use1-1"),
        phase: Phase::Creating,
        native: "configuring-enhanced-monitoring".to_owned(),
    });
    plan.waiting.push(Blocker::Foreign {
        address: address("us-west-2", KindId::AuroraCluster, "game-history-usw2"),
        owner: Some("older-game".to_owned()),
        remedy: None,
    });
    plan.waiting.push(Blocker::Bound {
        address: address("us-east-1", KindId::CacheGroup, "game-ranking-use1"),
        by: address("us-east-1", KindId::CacheGlobal, "game-ranking-global"),
    });
    let costs = [
        ("us-east-1", false, range(dollars(61_320), dollars(122_640), dollars(490_560))),
        ("us-west-2", true, range(dollars(30_660), dollars(30_660), dollars(61_320))),
        (
            "cn-north-1",
            false,
            range(yuan_and_unpriced(100), yuan_and_unpriced(200_000), yuan_and_unpriced(300_000)),
        ),
    ];
    for (code, standby, range) in costs {
        plan.cost.insert(CostKey { region: region(code), standby }, range);
    }
    plan.prices = vec!["embedded: 6,000 prices seen from 2026-11-01 to 2026-11-21".to_owned()];
    plan.notes = vec!["The readers are changed before the writer.".to_owned()];
    plan.base = Fingerprint("0123456789abcdef0123".to_owned());
    plan
}

fn price(step: &mut Step) {
    if step.op.address().kind == KindId::AuroraInstance {
        step.cost = match step.op.word() {
            "create" => CostChange { before: Total::default(), after: dollars(30_660) },
            "delete" => CostChange { before: dollars(15_330), after: Total::default() },
            _ => CostChange { before: dollars(15_330), after: dollars(30_660) },
        };
    }
}

#[test]
fn a_plan_as_text() {
    insta::assert_snapshot!(plan::text(&rich_plan(), Style::PLAIN, Detail::Changes));
}

#[test]
fn a_plan_as_text_in_full() {
    let desired = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let plan = plan_for(&desired, &Inventory::empty(NOW), &Policy::default());
    insta::assert_snapshot!(plan::text(&plan, Style::PLAIN, Detail::Everything));
}

#[test]
fn a_plan_as_markdown() {
    insta::assert_snapshot!(plan_markdown::markdown(&rich_plan()));
}

#[test]
fn an_empty_plan_says_so_in_every_form() {
    let desired = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let plan = plan_for(&desired, &world_of(&desired), &Policy::default());
    insta::assert_snapshot!(plan::text(&plan, Style::PLAIN, Detail::Changes), @"game: nothing to do, the world is as wanted");
    insta::assert_snapshot!(plan_markdown::markdown(&plan), @r"
    ## Plan for `game`: nothing to do

    The world is as wanted.
    ");
}

#[test]
fn a_plan_for_programs_reads_back_as_the_same_plan() {
    let plan = rich_plan();
    let text = serde_json::to_string(&plan).unwrap();
    assert!(text.starts_with("{\"format\":\"rgctl.dev/plan/v2\""), "{text}");
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn colour_adds_nothing_but_colour() {
    let plan = rich_plan();
    let coloured = plan::text(&plan, Style { color: true, width: 120 }, Detail::Changes);
    let mut bare = String::new();
    let mut rest = coloured.as_str();
    while let Some((text, after)) = rest.split_once('\u{1b}') {
        bare.push_str(text);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    bare.push_str(rest);
    assert_ne!(coloured, bare);
    assert_eq!(bare, plan::text(&plan, Style::PLAIN, Detail::Changes));
}

#[test]
fn a_status_tells_phase_role_pending_and_difference() {
    let mut wanted = cluster_store("accounts", "us-east-1", 3, "db.r7g.large");
    wanted.extend(cluster_store("accounts", "us-west-2", 1, "db.r7g.large"));
    for node in wanted.iter_mut().filter(|node| node.address.region == region("us-west-2")) {
        node.standby = true;
    }
    let desired = desired(wanted);
    let mut world = world_of(&desired);
    world.seen.retain(|address, _| address.region == region("us-east-1"));
    for (address, seen) in world.seen.iter_mut() {
        match address.name.as_str() {
            "game-accounts-use1-2" => {
                seen.facts.phase = Phase::Busy { serves: true };
                seen.facts.native = "modifying".to_owned();
                seen.pending = Some(attrs(KindId::AuroraInstance, &[("class", json!("db.r7g.xlarge"))]));
            }
            "game-accounts-use1-3" => seen.attrs.set("class", Some(json!("db.t4g.medium"))).unwrap(),
            "game-accounts-use1" => seen.facts.endpoint = Some("accounts.cluster.example".to_owned()),
            _ => {}
        }
    }
    let wanted_price = |_: &StoreName, _: &_| range(dollars(100), dollars(61_320), dollars(200));
    let existing_price = |node: &Node| {
        if node.address.kind == KindId::AuroraInstance { dollars(15_330) } else { Total::default() }
    };
    let prices = Prices { existing: &existing_price, wanted: &wanted_price };
    world.gaps.push(Gap {
        region: region("us-west-2"),
        endpoint: Endpoint::Rds,
        why: "throttled on page 3".to_owned(),
        lasting: false,
    });
    let plan = plan_for(&desired, &world, &Policy::default());
    let report = status::report(&desired, &world, &NO_CLAIMS, &plan, &prices);
    insta::assert_snapshot!("status_text", status::text(&report, Style::PLAIN));
    insta::assert_snapshot!("status_markdown", status_markdown::markdown(&report));
    let json = document(format::STATUS, &report);
    assert_eq!(json["format"], "rgctl.dev/status/v2");
    assert_eq!(json["stores"][1]["summary"], "unseen");
    assert_eq!(json["stores"][1]["objects"][0]["unseen"], json!(true));
    assert_eq!((&json["clean"], &json["exist"]), (&json!(false), &json!(6)));
    assert_eq!(json["health"]["counts"]["unseen"], json!(4));
}

#[test]
fn a_status_of_nothing_says_that_nothing_exists_whatever_is_wanted() {
    let desired = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let world = Inventory::empty(NOW);
    let plan = plan_for(&desired, &world, &Policy::default());
    let prices =
        Prices { existing: &|_| dollars(1), wanted: &|_, _| range(dollars(1), dollars(2), dollars(3)) };
    let report = status::report(&desired, &world, &NO_CLAIMS, &plan, &prices);
    let text = status::text(&report, Style::PLAIN);
    assert!(text.contains("\nnothing exists, and costs nothing (wanted: 0.02 USD a month)\n"), "{text}");
    assert!(text.contains("accounts in us-east-1: absent, nothing (wanted: 0.02 USD a month)"), "{text}");
    let json = document(format::STATUS, &report);
    assert_eq!(
        (&json["exist"], &json["cost"]),
        (&json!(0), &serde_json::to_value(Total::default()).unwrap())
    );
}

#[test]
fn a_status_counts_what_is_not_ours_apart() {
    let desired = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut world = world_of(&desired);
    let fields = [("cluster", json!("game-accounts-use1")), ("class", json!("db.r7g.4xlarge"))];
    let outsider = address("us-east-1", KindId::AuroraInstance, "by-hand");
    let mut seen = seen_as_wanted(&node(outsider.clone(), "x", &fields, &[]));
    seen.facts.tags.clear();
    world.seen.insert(outsider, seen);
    let second = address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-2");
    world.seen.get_mut(&second).unwrap().facts.tags.clear();
    let plan = plan_for(&desired, &world, &Policy::default());
    let existing = |node: &Node| {
        if node.address.kind == KindId::AuroraInstance { dollars(100) } else { Total::default() }
    };
    let prices = Prices { existing: &existing, wanted: &|_, _| range(dollars(1), dollars(200), dollars(3)) };
    let report = status::report(&desired, &world, &NO_CLAIMS, &plan, &prices);
    assert_eq!((report.exist, &report.cost, &report.not_ours), (4, &dollars(100), &dollars(200)));
    insta::assert_snapshot!("status_not_ours", status::text(&report, Style::PLAIN));
}

fn entry(seq: u64, run: &str, what: Event) -> Entry {
    Entry {
        home: None,
        seq,
        at: NOW + Span::from_mins(seq),
        blueprint: "game".parse_name(),
        run: RunId(run.to_owned()),
        actor: "ann@build (process 7)".to_owned(),
        what,
        previous: String::new(),
        hash: String::new(),
    }
}

trait ParseName {
    fn parse_name(&self) -> rgctl_schema::names::BlueprintName;
}
impl ParseName for str {
    fn parse_name(&self) -> rgctl_schema::names::BlueprintName {
        rgctl_schema::names::BlueprintName::new(self).unwrap()
    }
}

fn opened(fingerprint: &str) -> Event {
    Event::Opened {
        purpose: Purpose::Apply,
        policy: Policy::default(),
        desired: Fingerprint(fingerprint.to_owned()),
        steps: 2,
        rules: None,
    }
}

fn intended(step: StepId) -> Event {
    Event::Intended {
        step,
        address: address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-2"),
        word: "modify".to_owned(),
        token: Token("t".to_owned()),
        final_snapshot: None,
        why: "differs from the blueprint".to_owned(),
        changes: vec!["class: \"db.r7g.large\" -> \"db.r7g.xlarge\"".to_owned()],
        asks: String::new(),
        names: None,
        sets: None,
        unsets: rgctl_model::journal::Entries::default(),
        store: None,
    }
}

/// A step is over: what was to be made is there, and what was to be removed is not.
fn settled(step: &str) -> Event {
    let object = step.starts_with("create ").then(RecordedObject::default);
    Event::Settled { step: StepId(step.into()), object }
}

fn settled_run(fingerprint: &str, steps: &[&str]) -> Vec<Entry> {
    let mut events = vec![opened(fingerprint)];
    events.extend(steps.iter().map(|step| settled(step)));
    events.push(Event::Closed {
        outcome: Outcome::Settled,
        summary: "2 calls; 0 steps left".to_owned(),
        left: None,
    });
    events.into_iter().zip(1..).map(|(event, seq)| entry(seq, "run-1", event)).collect()
}

#[test]
fn a_history_tells_who_when_what_why_and_how_it_ended() {
    let step = || StepId("modify us-east-1/aurora.instance/game-accounts-use1-2 class".into());
    let events = [
        opened("a"),
        intended(step()),
        Event::Deferred {
            step: step(),
            why: "throttled, again in 5s".to_owned(),
            cause: Cause::Rate,
            at_rest: false,
        },
        Event::Unclear { step: step(), why: "the connection was reset".to_owned() },
        Event::Taken { step: step() },
        Event::Accepted { step: step() },
        Event::Settled { step: step(), object: None },
        Event::Refused {
            step: step(),
            code: "InvalidDBInstanceState".to_owned(),
            message: "not now".to_owned(),
        },
        Event::Failed { step: step(), why: "it is failed (incompatible-network)".to_owned() },
        Event::Closed { outcome: Outcome::Stopped, summary: "3 calls; 1 steps left".to_owned(), left: None },
    ];
    let entries: Vec<Entry> =
        events.into_iter().zip(1..).map(|(event, seq)| entry(seq, "run-1", event)).collect();
    let lines = history::merged(history::noted(entries), Vec::new(), Vec::new());
    insta::assert_snapshot!("history_text", history::text(&lines, lines.len(), Style::PLAIN));
    insta::assert_snapshot!("history_markdown", history::markdown(&lines));
}

#[test]
fn a_history_tells_what_was_decided_and_asked_for_between_the_lines_of_its_runs() {
    let at = |secs: i64| Moment::from_secs(1_767_225_600 + secs);
    let mut entries = settled_run("a", &["create it"]);
    for (entry, secs) in entries.iter_mut().zip([10, 20, 60]) {
        entry.at = at(secs);
    }
    let scope = Scope::parse("aws/123456789012/game").unwrap();
    let until = |overlay: Overlay| Overlay { until: Some(at(7_200)), ..overlay };
    let of = |number: usize, count| overlay(law_key(number), count);
    let class = Overlay { target: Target::Class("db.r7g.2xlarge".into()), ..of(8, 0) };
    let region = region("us-west-2");
    let (by, why) = (String::from("bob@host"), String::from("it is over"));
    let hold = HoldOut { region: region.clone(), why: "it is lost".into(), by: by.clone(), since: at(0) };
    let made = [
        (5, Decision::Set { overlay: until(of(1, 6)) }),
        (20, Decision::Set { overlay: Overlay { then_return: true, ..until(of(0, 3)) } }),
        (30, Decision::Set { overlay: Overlay { exactly: true, ..of(1, 4) } }),
        // The clock of who decided went back; the order of the log stays.
        (25, Decision::Set { overlay: class }),
        (31, Decision::Unset { key: law_key(1), by: by.clone(), why: why.clone() }),
        (32, Decision::HoldOut { hold }),
        (33, Decision::Release { region, by, why }),
    ];
    let (mut known, mut decided) = (Decisions::default(), Vec::new());
    for (secs, what) in made {
        let expected = known.epoch(&what.key());
        let (line, after) = seal_decision(&scope, &known, expected, at(secs), &what).unwrap();
        known = after;
        decided.push(line);
    }
    let message = seal_message(&scope, None, at(40), "cid@host", &Request::Yield { epoch: 3 });
    let alone = serde_json::to_value(history::noted(entries.clone())).unwrap();
    let lines = history::merged(history::noted(entries), decided, vec![message]);
    insta::assert_snapshot!("history_merged_text", history::text(&lines, lines.len(), Style::PLAIN));
    insta::assert_snapshot!("history_merged_markdown", history::markdown(&lines));
    // For programs: lines of the record are as they were, the others say which chain they are of.
    let items = document(format::HISTORY, &lines)["items"].clone();
    let (of_record, others): (Vec<_>, Vec<_>) =
        items.as_array().unwrap().iter().cloned().partition(|item| item.get("chain").is_none());
    assert_eq!(serde_json::Value::from(of_record), alone);
    let chains: Vec<&str> = others.iter().map(|item| item["chain"].as_str().unwrap()).collect();
    assert_eq!(chains, ["decisions"; 7].into_iter().chain(["inbox"]).collect::<Vec<_>>());
    assert_eq!(others[0]["what"]["decision"], "set");
    assert_eq!(others[0]["what"]["overlay"]["target"]["count"], 6);
}

#[test]
fn a_history_tells_of_a_state_that_this_version_does_not_know_and_of_its_end() {
    let step = || StepId("create us-east-1/aurora.cluster/game-accounts-use1".into());
    let (line, below) =
        history::words(&Event::UnknownState { step: step(), state: Some("recalibrating".to_owned()) });
    assert!(line.starts_with("in a state that this version does not know: create us-east-1"), "{line}");
    assert_eq!(below, ["the service says \"recalibrating\"; the step fails when that lasts"]);
    let (line, below) = history::words(&Event::UnknownState { step: step(), state: None });
    assert!(line.starts_with("in a state that this version knows again: create us-east-1"), "{line}");
    assert!(below.is_empty());
}

#[test]
fn drift_is_told_from_change_by_the_record() {
    let before = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut world = world_of(&before);
    let edited = address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-2");
    world.seen.get_mut(&edited).unwrap().attrs.set("class", Some(json!("db.t4g.medium"))).unwrap();
    let plan = plan_for(&before, &world, &Policy::default());
    let wish = Fingerprint("wish".to_owned());

    let by_another = drift::report(&plan, &wish, &Past::of(&settled_run("wish", &[])));
    assert!(by_another.has_drift());
    insta::assert_snapshot!("drift_text", drift::text(&by_another, Style::PLAIN));
    insta::assert_snapshot!("drift_markdown", drift::markdown(&by_another));

    let wish_changed = drift::report(&plan, &wish, &Past::of(&settled_run("older wish", &[])));
    assert!(!wish_changed.has_drift(), "the blueprint asks for it: that is a change, not drift");
    let unfinished = [settled_run("wish", &[]), vec![entry(9, "run-2", opened("wish"))]].concat();
    assert!(!drift::report(&plan, &wish, &Past::of(&unfinished)).has_drift(), "a run is under way");
    assert!(!drift::report(&plan, &wish, &Past::of(&[])).has_drift(), "it was never applied");
}

#[test]
fn drift_tells_when_the_world_last_settled_and_what_came_of_the_run_after_that() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let plan = plan_for(&wanted, &world_of(&wanted), &Policy::default());
    let told = |record: &[Entry]| {
        let report = drift::report(&plan, &Fingerprint("wish".to_owned()), &Past::of(record));
        let text = drift::text(&report, Style::PLAIN);
        text.lines().next().unwrap().to_owned()
    };
    let closed = |outcome| Event::Closed {
        outcome,
        summary: "1 calls; 0 steps left, 0 under way, 1 held".to_owned(),
        left: None,
    };
    let begun = vec![entry(9, "run-2", opened("wish"))];
    let blocked = [begun.clone(), vec![entry(10, "run-2", closed(Outcome::Blocked))]].concat();
    let settled = settled_run("wish", &[]);
    assert_eq!(told(&[]), "game: nothing was ever applied on this record");
    assert_eq!(
        told(&begun),
        "game: it has never settled on this record: a run began at 2027-01-15T08:09:00Z and has not ended"
    );
    assert_eq!(
        told(&blocked),
        "game: it has never settled on this record: a run ended at 2027-01-15T08:10:00Z, blocked: 1 calls; 0 steps left, 0 \
         under way, 1 held"
    );
    assert_eq!(told(&settled), "game: settled at 2027-01-15T08:02:00Z");
    assert_eq!(
        told(&[settled.clone(), begun.clone()].concat()),
        "game: last settled at 2027-01-15T08:02:00Z; since then a run began at 2027-01-15T08:09:00Z and has not ended"
    );
    let step = StepId("create us-east-1/aurora.instance/game-accounts-use1-3".into());
    let worked =
        [begun, vec![entry(10, "run-2", intended(step)), entry(11, "run-2", closed(Outcome::Blocked))]];
    assert_eq!(
        told(&[settled.clone(), worked.concat()].concat()),
        "game: last settled at 2027-01-15T08:02:00Z; since then a run ended at 2027-01-15T08:11:00Z, blocked: 1 calls; 0 \
         steps left, 0 under way, 1 held"
    );
    // A run that began nothing changed nothing: the world is as it was.
    assert_eq!(told(&[settled, blocked].concat()), "game: settled at 2027-01-15T08:02:00Z");
}

#[test]
fn what_we_made_and_is_gone_was_removed_by_another_hand_whatever_the_wish_is_now() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let mut world = world_of(&wanted);
    let gone = address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-2");
    world.seen.remove(&gone);
    let plan = plan_for(&wanted, &world, &Policy::default());
    let create = format!("create {gone}");
    let delete = format!("delete {gone}");
    let wish = Fingerprint("new wish".to_owned());
    assert!(drift::report(&plan, &wish, &Past::of(&settled_run("old", &[&create]))).has_drift());
    assert!(!drift::report(&plan, &wish, &Past::of(&settled_run("old", &[&create, &delete]))).has_drift());
    // What was put off, and is no longer wanted, was never made; what was put off and is made after all was.
    let step = || StepId(create.as_str().into());
    let (why, cause) = ("throttled".to_owned(), Cause::Rate);
    let put_off =
        [opened("old"), intended(step()), Event::Deferred { step: step(), why, cause, at_rest: false }];
    let given_up = Event::Settled { step: step(), object: None };
    assert_eq!(history::words(&given_up).0, format!("over: {create}"));
    assert_eq!(history::words(&settled(&create)).0, format!("done: {create}"));
    for (over, is_made) in [(given_up, false), (settled(&create), true)] {
        let closed = Event::Closed { outcome: Outcome::Settled, summary: String::new(), left: None };
        let events = put_off.iter().cloned().chain([over, closed]);
        let record: Vec<Entry> = events.zip(1..).map(|(event, seq)| entry(seq, "run-1", event)).collect();
        assert_eq!(drift::report(&plan, &wish, &Past::of(&record)).has_drift(), is_made);
    }
}

#[test]
fn a_cost_report_adds_up_and_says_what_it_does_not_know() {
    let store = |name: &str, code: &str, standby, cost| StoreCost {
        store: StoreName::new(name).unwrap(),
        region: region(code),
        standby,
        cost,
    };
    let report = CostReport {
        blueprint: "game".parse_name(),
        stores: vec![
            store(
                "accounts",
                "us-east-1",
                false,
                range(dollars(100_000), dollars(200_000), dollars(800_000)),
            ),
            store("accounts", "us-west-2", true, range(dollars(50_000), dollars(50_000), dollars(100_000))),
            store(
                "ranking",
                "cn-north-1",
                false,
                range(yuan_and_unpriced(0), yuan_and_unpriced(0), yuan_and_unpriced(0)),
            ),
        ],
        not_ours: NotOurs::Not { why: "nobody looked".to_owned() },
        prices: vec!["embedded: 6,000 prices seen from 2026-11-01 to 2026-11-21".to_owned()],
    };
    insta::assert_snapshot!("cost_text", cost::text(&report, Style::PLAIN));
    insta::assert_snapshot!("cost_markdown", cost::markdown(&report));
}

#[test]
fn a_document_always_names_its_format_first() {
    let empty: BTreeMap<String, BTreeSet<Moment>> = BTreeMap::new();
    assert_eq!(document("x/v1", &empty).to_string(), r#"{"format":"x/v1"}"#);
    assert_eq!(document("x/v1", &[1]).to_string(), r#"{"format":"x/v1","items":[1]}"#);
}
