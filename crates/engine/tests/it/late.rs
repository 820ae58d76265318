//! Calls that may still arrive: nothing opposite is begun until they are seen, or cannot come any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use rgctl_engine::execution::motion::Motion;
use rgctl_engine::execution::turn::{Pace, TurnInput, turn};
use rgctl_engine::ledger::Ledger;
use rgctl_engine::planning::NoFigures;
use rgctl_model::journal::{Entry, Event, Outcome, Purpose};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::Op;
use rgctl_model::policy::Authority;
use rgctl_model::ports::{Clock, Lease};
use rgctl_model::scope::Scope;
use rgctl_schema::names::{RegionId, RunId, StepId, Token};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Called, Fault, Rule};

use crate::lease::wanted;
use crate::waits::raise_quotas;
use rgctl_testkit::fixtures::{NOW, address, cluster_store, consents, desired, no_verdicts, seen_as_wanted};
use rgctl_testkit::shipped::desired_of;
use rgctl_testkit::site::{Order, Site};
use rgctl_testkit::taps::Cut;

/// From now on, calls of that sort get no answer and arrive up to 14 minutes later, so many times.
pub fn hold_up(site: &Site, operation: &str, kind: KindId, count: u32) {
    hold_up_in(site, operation, kind, None, count);
}

fn hold_up_in(site: &Site, operation: &str, kind: KindId, region: Option<RegionId>, count: u32) {
    let fault = Fault::LateCall { by: Span::from_mins(14) };
    site.cloud
        .with_world(|world| {
            let now = world.now();
            let rule = Rule::always(fault, now, now + Span::from_days(2));
            world.add_fault(Rule {
                region,
                kind: Some(kind),
                operation: Some(operation.to_owned()),
                count: Some(count),
                ..rule
            })
        })
        .unwrap();
}

/// The number of the first call of that sort in a run that is not cut off.
fn number_of(mut site: Site, wanted: &Desired, order: &Order, is_it: impl Fn(&Op) -> bool) -> u64 {
    let before = site.cloud.calls().len();
    site.run(wanted, order).unwrap();
    1 + site.cloud.calls().iter().skip(before).position(|call| is_it(&call.op)).expect("such a call") as u64
}

fn destroying() -> Order {
    Order { policy: consents(&["delete:accounts@us-east-1"]), destroy: true, ..Order::default() }
}

#[test]
fn what_a_dead_process_was_making_is_waited_for_and_removed() {
    let wanted = wanted();
    let mut site = Site::new(4);
    hold_up(&site, "create", KindId::RdsSubnetGroup, 1);
    let is_group = |op: &Op| op.address().kind == KindId::RdsSubnetGroup;
    let number = number_of(Site::new(4), &wanted, &Order::default(), is_group);
    assert!(site.run_cut(&wanted, &Order::default(), Cut::AfterCall(number)).0.is_none(), "it died");
    let ended = site.run(&wanted, &destroying()).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last);
    site.cloud.advance(Span::from_hours(1)).unwrap();
    let left: Vec<_> =
        site.look(&wanted).seen.into_keys().filter(|address| !address.kind.facts().observe_only).collect();
    assert_eq!(left, [], "nothing comes into being behind a run that said that it was done");
}

/// A record of old that does not tell what a creation refers to is taken for one that may refer to it.
#[test]
fn a_creation_on_its_way_holds_up_the_deletion_of_what_it_refers_to_or_may_refer_to() {
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let other = address("us-east-1", KindId::AuroraCluster, "game-other-use1");
    let mut gone = wanted().nodes.remove(&cluster).unwrap();
    gone.attrs.set("deletion_protection", Some(serde_json::json!(false))).unwrap();
    let cases = [
        ("a member of it", KindId::AuroraInstance, Some([cluster.clone()].into()), true),
        ("a member of another one", KindId::AuroraInstance, Some([other].into()), false),
        ("a member that a record of old does not tell of which", KindId::AuroraInstance, None, true),
        ("a global object of old, made from any member", KindId::AuroraGlobal, None, true),
        ("what never refers to a cluster", KindId::RdsSubnetGroup, None, false),
    ];
    for (what, kind, names, waits) in cases {
        let late = address("us-east-1", kind, "game-late");
        let intent = Event::Intended {
            step: StepId(format!("create {late}").into()),
            address: late,
            word: "create".into(),
            token: Token("t".into()),
            final_snapshot: None,
            why: "missing".into(),
            changes: Vec::new(),
            asks: String::new(),
            names,
            sets: None,
            unsets: rgctl_model::journal::Entries::default(),
            store: None,
        };
        let now = NOW + Span::from_mins(5);
        let mut ledger = Ledger::default();
        ledger.fold(&lines("r1", NOW, &[intent]));
        ledger.inherit(now);
        let mut inventory = Inventory::empty(now);
        inventory.seen.insert(cluster.clone(), seen_as_wanted(&gone));
        let (run, pace, none) = (RunId("r2".into()), Pace::default(), desired(Vec::new()));
        let policy = consents(&["delete:*@us-east-1", "empty:*@us-east-1"]);
        let turn = turn(&TurnInput {
            desired: &none,
            inventory: &inventory,
            held_out: rgctl_testkit::fixtures::NONE_HELD_OUT,
            ledger: &ledger,
            policy: &policy,
            figures: &NoFigures,
            agreed: None,
            joins: None,
            run: &run,
            began: now,
            now,
            purpose: Purpose::Destroy,
            stopping: false,
            verdicts: no_verdicts(),
            authority: Authority::Person,
            pace: &pace,
            motion: &Motion::new(now),
        });
        let begun = turn.calls.iter().any(|call| *call.step.op.address() == cluster);
        assert_eq!(!begun, waits, "{what}: {:#?}", turn.plan.steps);
    }
}

/// In every family, and for every field that names something: a process dies while something is being made, and what it
/// refers to is to be removed.
#[test]
fn nothing_is_removed_to_which_something_refers_that_a_dead_process_was_making() {
    let mut cases = BTreeMap::new();
    for file in ["accounts", "rocket-arena", "rocket-arena-global"] {
        for (address, node) in &desired_of(file).nodes {
            let named: BTreeSet<_> = node.attrs.named().into_iter().map(|(field, ..)| field).collect();
            let is_from_a_member = node.attrs.text("source").is_some();
            if !named.is_empty() || is_from_a_member {
                cases
                    .entry((address.kind, named, is_from_a_member))
                    .or_insert((file, address.region.clone()));
            }
        }
    }
    assert!(cases.len() >= 8, "{cases:#?}");
    let arrived = AtomicU64::new(0);
    cases.par_iter().for_each(|((kind, ..), (file, region))| {
        // What a blueprint allows is another matter.
        let wanted = Desired { rules: Vec::new(), ..desired_of(file) };
        let site = || {
            let site = Site::new(4);
            raise_quotas(&site);
            site
        };
        let is_it = |op: &Op| {
            matches!(op, Op::Create { .. }) && op.address().kind == *kind && op.address().region == *region
        };
        let number = number_of(site(), &wanted, &Order::default(), is_it);
        let mut site = site();
        hold_up_in(&site, "create", *kind, Some(region.clone()), 1);
        let (ended, ..) = site.run_cut(&wanted, &Order::default(), Cut::AfterCall(number));
        assert!(ended.is_none(), "{kind}: it died");
        let late = site.cloud.calls().into_iter().find(|call| is_it(&call.op)).expect("it was held up");
        let policy = consents(&["delete:*@*", "empty:*@*"]);
        let ended = site.run(&wanted, &Order { policy, destroy: true, ..Order::default() }).unwrap();
        assert_eq!(ended.outcome, Outcome::Settled, "{kind}: {:#?}", ended.last.held);
        let address = late.op.address();
        let attrs = &wanted.nodes[address].attrs;
        let mut named: BTreeSet<(KindId, String)> =
            attrs.named().into_iter().map(|(_, kind, name)| (kind, name)).collect();
        named.extend(kind.member_kind().zip(attrs.text("source")));
        // Who joins a global datastore has the service's group and not the one that was meant for it.
        if attrs.joins().is_some() {
            named.retain(|(kind, _)| *kind != KindId::CacheParameters);
        }
        let calls = site.cloud.calls();
        // Whatever is done to it shows that it was seen.
        let is_seen = |call: &Called| call.op.address() == address && !matches!(call.op, Op::Create { .. });
        let own = calls.iter().position(is_seen);
        arrived.fetch_add(u64::from(own.is_some()), Ordering::SeqCst);
        for (place, call) in calls.iter().enumerate().filter(|(_, call)| call.op.word() == "delete") {
            let gone = call.op.address();
            let is_named = named.contains(&(gone.kind, gone.name.to_string()));
            let has_waited =
                own.is_some_and(|own| place > own) || call.at.since(late.at) >= Span::from_mins(15);
            assert!(!is_named || has_waited, "{gone} went before {address}, which refers to it, had come");
        }
        site.cloud.advance(Span::from_hours(1)).unwrap();
        let seen = site.look(&wanted).seen;
        let left: Vec<_> = seen.into_keys().filter(|address| !address.kind.facts().observe_only).collect();
        assert_eq!(left, [], "{address}");
    });
    assert!(arrived.into_inner() >= 5);
}

#[test]
fn a_deletion_that_a_dead_process_left_on_its_way_does_not_delete_what_its_successor_wants() {
    let (two, one) = (
        desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large")),
        desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large")),
    );
    let mut site = Site::new(5);
    site.apply(&two);
    hold_up(&site, "delete", KindId::AuroraInstance, 1);
    let order = Order {
        policy: consents(&["shrink:accounts@us-east-1", "delete:accounts@us-east-1"]),
        ..Order::default()
    };
    assert!(site.run_cut(&one, &order, Cut::AfterCall(1)).0.is_none(), "it died");
    assert_eq!(site.apply(&two).outcome, Outcome::Settled);
    site.cloud.advance(Span::from_hours(1)).unwrap();
    site.assert_settled(&two);
}

#[test]
fn a_value_that_a_dead_process_was_setting_is_waited_for_before_another_one_is_set() {
    let with = |days: u32| {
        let mut nodes = cluster_store("accounts", "us-east-1", 1, "db.r7g.large");
        let cluster = nodes.iter_mut().find(|node| node.address.kind == KindId::AuroraCluster).unwrap();
        cluster.attrs.set("backup_retention_days", Some(serde_json::json!(days))).unwrap();
        desired(nodes)
    };
    for next in [7, 21] {
        let mut site = Site::new(6);
        site.apply(&with(7));
        hold_up(&site, "modify", KindId::AuroraCluster, 1);
        assert!(site.run_cut(&with(14), &Order::default(), Cut::AfterCall(1)).0.is_none(), "it died");
        let before = site.cloud.calls().len();
        let ended = site.apply(&with(next));
        assert_eq!(ended.outcome, Outcome::Settled);
        let days = |op: &Op| match op {
            Op::Modify { attrs, .. } => attrs.get("backup_retention_days"),
            _ => None,
        };
        let set: Vec<_> = site.cloud.calls()[before..].iter().filter_map(|call| days(&call.op)).collect();
        assert_eq!(set, [serde_json::json!(next)], "once, behind the one that was on its way");
        site.cloud.advance(Span::from_hours(1)).unwrap();
        site.assert_settled(&with(next));
    }
}

#[test]
fn a_deletion_that_was_repeated_may_come_twice_and_nothing_is_made_until_it_cannot() {
    let wanted = wanted();
    let mut site = Site::new(7);
    site.apply(&wanted);
    let member = address("us-east-1", KindId::AuroraInstance, "game-accounts-use1-1");
    hold_up(&site, "delete", KindId::AuroraInstance, 1);
    let none = desired(cluster_store("accounts", "us-east-1", 0, "db.r7g.large"));
    let order = Order {
        policy: consents(&[
            "shrink:accounts@us-east-1",
            "delete:accounts@us-east-1",
            "empty:accounts@us-east-1",
        ]),
        ..Order::default()
    };
    let begun = site.cloud.clock().now();
    // It lives, gets no answer, looks, and deletes again.
    let ended = site.run(&none, &order).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last);
    let deletions = site.cloud.calls().iter().filter(|call| call.op.word() == "delete").count();
    assert_eq!(deletions, 2);
    let ended = site.run(&wanted, &order).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last);
    let made = site.cloud.calls().iter().rfind(|call| *call.op.address() == member).unwrap().at;
    assert!(made.since(begun) >= Span::from_mins(15), "{}", made.since(begun));
    site.cloud.advance(Span::from_hours(1)).unwrap();
    site.assert_settled(&wanted);
}

/// A line about a call of a run, and the lines that follow it.
fn lines(run: &str, at: Moment, events: &[Event]) -> Vec<Entry> {
    let lease = Lease {
        scope: Scope::parse("sim/world/game").unwrap(),
        run: RunId(run.into()),
        owner: run.into(),
        epoch: 1,
        until: at,
        lasts: Span::from_mins(1),
        renewals: 0,
    };
    rgctl_model::chain::seal(&lease, None, at, events)
}

fn making() -> (StepId, Event) {
    let address = address("us-east-1", KindId::AuroraCluster, "game-db");
    let step = StepId(format!("create {address}").into());
    let intent = Event::Intended {
        step: step.clone(),
        address,
        word: "create".into(),
        token: Token("t".into()),
        final_snapshot: None,
        why: "missing".into(),
        changes: Vec::new(),
        asks: String::new(),
        names: None,
        sets: None,
        unsets: rgctl_model::journal::Entries::default(),
        store: None,
    };
    (step, intent)
}

#[test]
fn what_another_machine_left_is_as_young_as_its_clock_allows_and_never_of_the_future() {
    let now = Moment::from_secs(100_000);
    for (minutes, youngest) in [(-10_i64, now), (10, now), (-60, now - Span::from_mins(45))] {
        let mut ledger = Ledger::default();
        ledger.fold(&lines("r1", Moment::from_secs(100_000 + minutes * 60), &[making().1]));
        ledger.inherit(now);
        let since: Vec<_> = ledger.late_calls().map(|(_, late)| late.since.at).collect();
        assert_eq!(since, [youngest], "{minutes}");
    }
}

#[test]
fn a_call_that_was_repeated_is_kept_in_mind_after_its_step_has_come_true() {
    let (sent, later) = (Moment::from_secs(1_000), Moment::from_secs(1_060));
    let (step, intent) = making();
    let settled = Event::Settled { step: step.clone(), object: None };
    let mut once = Ledger::default();
    once.fold(&lines("r1", sent, std::slice::from_ref(&intent)));
    let mut twice = once.clone();
    once.fold(&lines("r2", later, std::slice::from_ref(&settled)));
    assert_eq!(once.late_calls().count(), 0, "what was asked for once, and is so, has arrived");
    twice.fold(&lines("r2", later, &[intent, Event::Accepted { step }, settled]));
    let late: Vec<_> = twice.late_calls().map(|(_, late)| (late.repeated, late.since.at)).collect();
    assert_eq!(late, [(true, sent)]);
}
