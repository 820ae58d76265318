//! Steps that were put off, and what their objects come to meanwhile: what was not done is not recorded as done.

use std::collections::BTreeMap;

use rgctl_engine::ledger::{Ledger, StepStatus};
use rgctl_model::address::Address;
use rgctl_model::journal::{Event, Outcome};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::plan::{Blocker, Op, Verb};
use rgctl_model::ports::{Clock, Cloud, Permit, Store};
use rgctl_schema::names::{StepId, Token};
use rgctl_schema::time::Span;
use rgctl_sim::{Fault, Rule};
use rgctl_testkit::fixtures::{address, cluster_store, consents, desired, node};
use rgctl_testkit::site::{Order, Site, block_on, cache_store};
use serde_json::json;

fn group() -> Address {
    address("us-east-1", KindId::CacheGroup, "game-rank")
}

fn ranks(shards: u32) -> Desired {
    desired(cache_store("rank", "us-east-1", shards))
}

/// A call at an object of that kind is put off, and the run is paused.
fn put_off(site: &mut Site, kind: KindId, wanted: &Desired) {
    let now = site.cloud.clock().now();
    let rule = Rule { kind: Some(kind), ..Rule::always(Fault::Throttle, now, now + Span::from_hours(1)) };
    site.cloud.with_world(|world| world.add_fault(rule)).unwrap();
    let order = Order { deadline: Some(now + Span::from_mins(2)), ..Order::default() };
    assert_eq!(site.run(wanted, &order).unwrap().outcome, Outcome::Paused);
    site.cloud.with_world(|world| world.clear_faults(None)).unwrap();
}

fn ledger(site: &Site) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.fold(&block_on(site.store.entries(&site.scope("game"), 0)).unwrap());
    ledger
}

/// What lines tell of whether something has moved by which a step is over, each at its place in the record.
fn movements(site: &Site, step: &StepId) -> Vec<bool> {
    let (mut ledger, mut movements) = (Ledger::default(), Vec::new());
    for entry in block_on(site.store.entries(&site.scope("game"), 0)).unwrap() {
        if matches!(&entry.what, Event::Settled { step: over, .. } if over == step) {
            movements.push(ledger.is_movement(&entry.what));
        }
        ledger.fold(&[entry]);
    }
    movements
}

fn times_done(site: &Site, step: &StepId) -> usize {
    let is_it = |event: &&Event| matches!(event, Event::Settled { step: done, .. } if done == step);
    site.events().iter().filter(is_it).count()
}

#[test]
fn a_change_whose_object_is_in_a_state_that_nobody_knows_stays_put_off_with_its_count_of_tries() {
    let step = StepId(format!("modify {} shards", group()).into());
    for is_forgetful in [false, true] {
        let mut site = Site::new(9);
        site.is_forgetful = is_forgetful;
        assert_eq!(site.apply(&ranks(1)).outcome, Outcome::Settled);
        put_off(&mut site, KindId::CacheGroup, &ranks(2));
        let tries = ledger(&site).begun[&step].tries;
        let now = site.cloud.clock().now();
        let rule = Rule::always(Fault::UnknownStatus, now, now + Span::from_hours(1));
        site.cloud.with_world(|world| world.add_fault(Rule { kind: Some(group().kind), ..rule })).unwrap();
        let ended = site.apply(&ranks(2));
        assert_eq!(ended.outcome, Outcome::Blocked);
        let is_broken = |one: &Blocker| matches!(one, Blocker::Broken { address, .. } if *address == group());
        assert!(ended.last.plan.waiting.iter().any(is_broken), "{:#?}", ended.last.plan.waiting);
        assert_eq!(times_done(&site, &step), 0, "it was never done");
        let known = ledger(&site);
        assert_eq!((known.begun[&step].status, known.begun[&step].tries), (StepStatus::Deferred, tries));
        site.cloud.advance(Span::from_hours(1)).unwrap();
        assert_eq!(site.apply(&ranks(2)).outcome, Outcome::Settled);
        assert_eq!(times_done(&site, &step), 1);
        site.assert_settled(&ranks(2));
    }
}

#[test]
fn what_somebody_else_makes_under_the_name_of_what_was_put_off_becomes_nobody_elses() {
    let other = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    for (then, what) in [(ranks(1), "still wanted"), (other, "no longer wanted")] {
        let mut site = Site::new(9);
        put_off(&mut site, KindId::CacheGroup, &ranks(1));
        let (attrs, token) = (ranks(1).nodes[&group()].attrs.clone(), Token("a person".to_owned()));
        let theirs = Op::Create { address: group(), attrs, tags: BTreeMap::new() };
        block_on(site.cloud.call(&theirs, &token, &Permit::always())).unwrap();
        site.cloud.advance(Span::from_hours(2)).unwrap();
        let calls = site.cloud.calls().len();
        let policy = consents(&["delete:rank@us-east-1"]);
        for _ in 0..2 {
            site.run(&then, &Order { policy: policy.clone(), ..Order::default() }).unwrap();
        }
        let made = site.cloud.calls().split_off(calls);
        let at_theirs: Vec<_> = made.iter().filter(|call| *call.op.address() == group()).collect();
        assert!(at_theirs.is_empty(), "{what}: {at_theirs:#?}");
        let seen = &site.look(&ranks(1)).seen[&group()];
        let claims = site.claims("game");
        assert!(!claims.owns(&then.blueprint, &group(), seen), "{what}: {:#?}", site.events());
        // What is no longer wanted was never made: nothing of it is known, so that nobody misses it when a person removes it.
        assert!(!claims.should_exist(&group()), "{what}: {claims:#?}");
        let (is_wanted, step) = (what == "still wanted", StepId(format!("create {}", group()).into()));
        assert_eq!(claims.objects.contains_key(&group()), is_wanted, "{what}: {claims:#?}");
        let over: &[bool] = if is_wanted { &[] } else { &[false] };
        assert_eq!(movements(&site, &step), over, "{what}: nothing has moved by it");
    }
}

fn warehouse(nodes: u32, is_paused: bool) -> Desired {
    let fields = [("node_type", json!("ra3.xlplus")), ("nodes", json!(nodes)), ("paused", json!(is_paused))];
    desired(vec![node(address("us-east-1", KindId::RedshiftCluster, "game-a"), "a", &fields, &[])])
}

#[test]
fn a_change_of_what_is_paused_as_wanted_is_made_once_and_it_is_paused_again() {
    let at = address("us-east-1", KindId::RedshiftCluster, "game-a");
    let step = StepId(format!("modify {at} nodes").into());
    let mut site = Site::new(9);
    assert_eq!(site.apply(&warehouse(2, false)).outcome, Outcome::Settled);
    put_off(&mut site, at.kind, &warehouse(4, false));
    assert_eq!(ledger(&site).begun[&step].status, StepStatus::Deferred);
    let (pause, token) = (Op::Act { address: at, verb: Verb::Stop }, Token("a person".to_owned()));
    block_on(site.cloud.call(&pause, &token, &Permit::always())).unwrap();
    site.cloud.advance(Span::from_hours(2)).unwrap();
    let wanted = warehouse(4, true);
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    assert_eq!(movements(&site, &step), [true], "once, and then it was done");
    site.assert_settled(&wanted);
}
