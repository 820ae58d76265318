//! Regions that are held out: nothing there is made, changed, removed or looked at; what is elsewhere is brought about; and
//! after the release everything comes to rest as without.

use std::collections::{BTreeMap, BTreeSet};

use rgctl_engine::execution::drive::Ended;
use rgctl_engine::ledger::{InFlightStep, Ledger};
use rgctl_engine::planning::{self, PlanInput};
use rgctl_model::address::Address;
use rgctl_model::claims::{Claimed, Claims};
use rgctl_model::health::Trouble;
use rgctl_model::journal::{Event, Outcome};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Observed};
use rgctl_model::overlay::{Decision, HoldOut};
use rgctl_model::plan::{Answer, Blocker, Op, Plan, Step, Verb};
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Cloud, Permit, Store};
use rgctl_schema::names::{RegionId, StepId};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Called, Fault, GENESIS, Rule};
use rgctl_testkit::decides::hold_out;
use rgctl_testkit::fixtures::{address, ask, consents, desired, lines, node, region, seen_as_wanted};
use rgctl_testkit::shipped::desired_of;
use rgctl_testkit::site::{Order, Site, block_on};
use rgctl_testkit::swarm_rules::acts_in;
use rgctl_testkit::taps::Cut;

const FILES: [&str; 4] = ["accounts", "rocket-arena", "rocket-arena-china", "rocket-arena-global"];
const FAMILIES: [&str; 4] = ["aurora.cluster", "documentdb.cluster", "elasticache.group", "redshift.cluster"];

/// A shipped blueprint without its own rules about when, and whether, something may be removed.
fn free(file: &str) -> Desired {
    Desired { rules: Vec::new(), ..desired_of(file) }
}

fn cases() -> impl Iterator<Item = (&'static str, Desired, RegionId)> {
    FILES.into_iter().flat_map(|file| {
        let wanted = free(file);
        let regions = wanted.regions.clone().into_iter();
        regions.map(move |region| (file, wanted.clone(), region))
    })
}

/// What lies in a region, with everything that a call could change.
fn what_lies_in(world: &Inventory, region: &RegionId) -> BTreeMap<Address, Observed> {
    let here = world.seen.iter().filter(|(address, _)| address.region == *region);
    here.map(|(address, seen)| (address.clone(), seen.clone())).collect()
}

fn no_call_acts_in(calls: &[Called], region: &RegionId, what: &str) {
    let there: Vec<_> = calls.iter().filter(|call| acts_in(&call.op).contains(region)).collect();
    assert!(there.is_empty(), "{what}: {there:#?}");
}

/// Everything that is left stands in a step that says why, or behind one.
fn left_with_a_reason(plan: &Plan) -> BTreeSet<&Address> {
    let mut held: BTreeSet<&StepId> = BTreeSet::new();
    for step in &plan.steps {
        if matches!(step.answer, Answer::HeldOut { .. }) || step.needs.iter().any(|need| held.contains(need))
        {
            held.insert(&step.id);
        }
    }
    let left = plan.steps.iter().filter(|step| held.contains(&step.id));
    left.map(|step| step.op.address()).collect()
}

fn held_objects(plan: &Plan) -> BTreeSet<&Address> {
    let held = plan.waiting.iter().filter(|one| matches!(one, Blocker::HeldOut { .. }));
    held.map(Blocker::address).collect()
}

fn blocked_by_hold_outs_alone(ended: &Ended, region: &RegionId, what: &str) {
    assert_eq!(ended.outcome, Outcome::Blocked, "{what}: {:#?}", ended.last);
    assert!(ended.last.stalled.is_none() && ended.last.under_way.is_empty(), "{what}: {:#?}", ended.last);
    let troubles = &ended.last.plan.health.troubles;
    assert!(troubles.iter().all(|one| one.trouble == Trouble::HeldOut), "{what}: {troubles:#?}");
    for why in ended.last.held.iter().map(|held| &held.why).chain(troubles.iter().map(|one| &one.why)) {
        let told = [region.as_str(), "ana@desk", "it is under water", "rgctl region release"];
        assert!(told.iter().all(|word| why.contains(word)), "{what}: {why}");
    }
}

#[test]
fn in_every_family_a_first_apply_makes_nothing_in_a_held_out_region_and_all_else() {
    let mut families = BTreeSet::new();
    for (file, wanted, region) in cases() {
        let what = format!("{file} without {region}");
        let mut site = Site::new(7);
        site.hold_out(&wanted.blueprint, &region);
        let ended = site.apply(&wanted);
        blocked_by_hold_outs_alone(&ended, &region, &what);
        no_call_acts_in(&site.cloud.calls(), &region, &what);
        let there: BTreeSet<&Address> =
            wanted.nodes.keys().filter(|address| address.region == region).collect();
        assert_eq!(held_objects(&ended.last.plan), there, "{what}");
        families.extend(there.iter().map(|address| address.kind.as_str()));
        let (world, left) = (site.look(&wanted), left_with_a_reason(&ended.last.plan));
        for address in wanted.nodes.keys().filter(|address| address.region != region) {
            assert_ne!(world.seen.contains_key(address), left.contains(address), "{what}: {address}");
        }
        assert!(
            left.len() < wanted.nodes.len() - there.len() || wanted.regions.len() == 1,
            "{what}: {left:?}"
        );
        site.release(&wanted.blueprint, &region);
        assert_eq!(site.apply(&wanted).outcome, Outcome::Settled, "{what}, then released");
        site.assert_settled(&wanted);
        assert_eq!(site.creates().len(), wanted.nodes.len(), "{what}: nothing twice");
    }
    assert!(FAMILIES.iter().all(|family| families.contains(family)), "{families:?}");
}

fn lose(site: &Site, region: &RegionId) {
    let rule = Rule {
        region: Some(region.clone()),
        ..Rule::always(Fault::RegionLoss, GENESIS, GENESIS + Span::from_days(3_650))
    };
    let _ = site.cloud.with_world(|world| world.add_fault(rule));
}

fn find_again(site: &Site) {
    let _ = site.cloud.with_world(|world| world.clear_faults(None));
}

fn removal() -> Order {
    let policy = consents(&["delete:*@*", "empty:*@*"]);
    Order { policy, destroy: true, ..Order::default() }
}

#[test]
fn a_lost_region_that_is_held_out_costs_no_call_no_line_and_no_wait() {
    for (file, wanted, region) in cases() {
        let what = format!("{file} without {region}");
        let mut site = Site::new(11);
        assert_eq!(site.apply(&wanted).outcome, Outcome::Settled, "{what}");
        let (world, record, began) = (site.look(&wanted), site.events().len(), site.cloud.clock().now());
        lose(&site, &region);
        site.hold_out(&wanted.blueprint, &region);
        let ended = site.apply(&wanted);
        blocked_by_hold_outs_alone(&ended, &region, &what);
        assert_eq!((ended.calls, lines(&ended.last.plan)), (0, Vec::new()), "{what}");
        assert_eq!(
            (site.events().len(), ended.at),
            (record, began),
            "{what}: nothing is written or waited for"
        );
        find_again(&site);
        assert_eq!(what_lies_in(&site.look(&wanted), &region), what_lies_in(&world, &region), "{what}");
        site.release(&wanted.blueprint, &region);
        let ended = site.apply(&wanted);
        assert_eq!((ended.outcome, ended.calls), (Outcome::Settled, 0), "{what}, then released");
    }
}

#[test]
fn a_removal_leaves_what_is_held_out_and_nothing_half_removed_and_is_not_over_before_the_release() {
    for (file, wanted, region) in cases() {
        let what = format!("{file} without {region}");
        let mut site = Site::new(13);
        assert_eq!(site.apply(&wanted).outcome, Outcome::Settled, "{what}");
        let (world, before) = (site.look(&wanted), site.cloud.calls().len());
        lose(&site, &region);
        site.hold_out(&wanted.blueprint, &region);
        let ended = site.run(&wanted, &removal()).unwrap();
        blocked_by_hold_outs_alone(&ended, &region, &what);
        no_call_acts_in(&site.cloud.calls()[before..], &region, &what);
        find_again(&site);
        let after = site.look(&wanted);
        assert_eq!(what_lies_in(&after, &region), what_lies_in(&world, &region), "{what}");
        let elsewhere = || wanted.nodes.values().filter(|node| node.address.region != region);
        let is_left = |address: &Address| after.seen.contains_key(address);
        let left = left_with_a_reason(&ended.last.plan);
        for node in elsewhere() {
            assert_eq!(is_left(&node.address), left.contains(&node.address), "{what}: {}", node.address);
            for needed in node.needs.iter().filter(|needed| needed.region != region && is_left(needed)) {
                let is_shared = elsewhere().filter(|other| other.needs.contains(needed)).count() > 1;
                assert!(
                    is_left(&node.address)
                        || is_shared && needed.kind.child_kind() != Some(node.address.kind),
                    "{what}: {needed} stands without {}",
                    node.address
                );
            }
        }
        let claims = site.claims(wanted.blueprint.as_str());
        for address in wanted.nodes.keys().filter(|address| address.region == region) {
            assert!(claims.objects.contains_key(address), "{what}: {address} is still claimed");
        }
        assert!(!site.events().iter().any(|event| matches!(event, Event::Gone { .. })), "{what}");
        site.release(&wanted.blueprint, &region);
        let ended = site.run(&wanted, &removal()).unwrap();
        assert_eq!(ended.outcome, Outcome::Settled, "{what}, then released: {:#?}", ended.last);
        let after = site.look(&wanted);
        let left: Vec<_> = after.seen.keys().filter(|address| !address.kind.facts().observe_only).collect();
        assert!(left.is_empty(), "{what}: {left:?}");
    }
}

fn ledger(site: &Site, wanted: &Desired) -> Ledger {
    let mut ledger = Ledger::default();
    let scope = site.scope(wanted.blueprint.as_str());
    ledger.fold(&block_on(site.store.entries(&scope, 0)).unwrap());
    ledger
}

/// A process dies after its calls, in every place; the region of some of them is held out then.
#[test]
fn calls_that_are_out_in_a_held_out_region_stay_on_record_as_they_are() {
    let mut kept = 0;
    for file in ["accounts", "rocket-arena"] {
        let wanted = free(file);
        for (number, region) in (1..40).step_by(3).zip(wanted.regions.iter().cycle()) {
            let what = format!("{file} cut after call {number}, then without {region}");
            let mut site = Site::new(17);
            let (ended, ..) = site.run_cut(&wanted, &Order::default(), Cut::AfterCall(number));
            if ended.is_some() {
                // It makes fewer calls.
                continue;
            }
            let there = |ledger: &Ledger| -> BTreeMap<StepId, InFlightStep> {
                let begun = ledger.begun.iter().filter(|(_, begun)| begun.address.region == *region);
                begun.map(|(step, begun)| (step.clone(), begun.clone())).collect()
            };
            let (before, calls) = (there(&ledger(&site, &wanted)), site.cloud.calls().len());
            lose(&site, region);
            site.hold_out(&wanted.blueprint, region);
            let ended = site.apply(&wanted);
            blocked_by_hold_outs_alone(&ended, region, &what);
            no_call_acts_in(&site.cloud.calls()[calls..], region, &what);
            assert_eq!(there(&ledger(&site, &wanted)), before, "{what}");
            let held: BTreeSet<&StepId> = ended.last.held.iter().map(|held| &held.step).collect();
            assert!(before.keys().all(|step| held.contains(step)), "{what}: {held:?}");
            kept += before.len();
            find_again(&site);
            site.release(&wanted.blueprint, region);
            assert_eq!(site.apply(&wanted).outcome, Outcome::Settled, "{what}, then released");
            site.assert_settled(&wanted);
            assert_eq!(site.creates().len(), wanted.nodes.len(), "{what}: nothing twice");
        }
    }
    assert!(kept > 10, "{kept}");
}

fn held(code: &str) -> BTreeMap<RegionId, HoldOut> {
    let hold = HoldOut {
        region: region(code),
        why: "it is under water".to_owned(),
        by: "ana@desk".to_owned(),
        since: Moment::EPOCH,
    };
    BTreeMap::from([(hold.region.clone(), hold)])
}

/// Whatever a look shows of it, wanted or not, ours or not.
#[test]
fn of_no_kind_and_in_no_phase_anything_follows_from_what_lies_in_a_held_out_region() {
    let held_out = held("us-east-1");
    let phases = [
        None,
        Some(Phase::Ready),
        Some(Phase::Absent),
        Some(Phase::Deleting),
        Some(Phase::Creating),
        Some(Phase::Busy { serves: false }),
        Some(Phase::Stopped),
        Some(Phase::Failed("failed".into())),
    ];
    for kind in KindId::ALL.iter().filter(|kind| !kind.facts().observe_only) {
        for (phase, wants, is_ours, destroy) in phases.iter().flat_map(|phase| {
            let cases = [(true, true), (true, false), (false, true), (false, false)];
            cases
                .into_iter()
                .flat_map(move |(wants, ours)| [false, true].map(|destroy| (phase, wants, ours, destroy)))
        }) {
            let what = format!("{kind} {phase:?}, wanted: {wants}, ours: {is_ours}, destroy: {destroy}");
            let one = node(address("us-east-1", *kind, "game-a"), "a", &[], &[]);
            let wanted = desired(if wants { vec![one.clone()] } else { Vec::new() });
            let mut world = Inventory::empty(rgctl_testkit::fixtures::NOW);
            if let Some(phase) = phase {
                let mut seen = seen_as_wanted(&one);
                seen.facts.phase = phase.clone();
                if !is_ours {
                    seen.facts.tags.clear();
                }
                world.seen.insert(one.address.clone(), seen);
            }
            let mut claims = Claims::default();
            claims.objects.insert(one.address.clone(), Claimed { is_done: true, ..Claimed::default() });
            let policy = consents(&["delete:*@*", "replace:*@*", "empty:*@*"]);
            let ask =
                PlanInput { held_out: &held_out, claims: &claims, destroy, ..ask(&wanted, &world, &policy) };
            for plan in [planning::plan(&ask), planning::take_over(&ask, None)] {
                // What spans regions may be told of by another one: then it is seen, and nothing is done to it.
                let is_told = kind.facts().is_global && phase.is_some();
                assert!(plan.steps.iter().all(is_held_out), "{what}: {:#?}", plan.steps);
                assert!(is_told || plan.steps.is_empty(), "{what}: {:#?}", plan.steps);
                assert!(
                    is_told || held_objects(&plan) == BTreeSet::from([&one.address]),
                    "{what}: {:#?}",
                    plan.waiting
                );
                assert!(
                    is_told || !plan.is_clean() && plan.waiting.len() == 1,
                    "{what}: {:#?}",
                    plan.waiting
                );
            }
        }
    }
}

fn is_held_out(step: &Step) -> bool {
    step.held_out.is_some() || matches!(step.answer, Answer::HeldOut { .. })
}

/// In every family that has global objects, with either member held out.
#[test]
fn a_global_object_with_a_member_in_a_held_out_region_is_not_missing_anything_and_is_not_removed() {
    let mut kinds = BTreeSet::new();
    for (file, wanted, region) in cases() {
        let world = world_of_globals(&wanted);
        let globals = || world.seen.iter().filter(|(address, _)| address.kind.facts().is_global);
        let held_out = held(region.as_str());
        let policy = consents(&["delete:*@*", "replace:*@*", "empty:*@*"]);
        let claims = Claims::default();
        for destroy in [false, true] {
            let ask =
                PlanInput { held_out: &held_out, claims: &claims, destroy, ..ask(&wanted, &world, &policy) };
            let plan = planning::plan(&ask);
            assert!(destroy || plan.steps.is_empty(), "{file} without {region}: {:#?}", lines(&plan));
            for (global, seen) in globals() {
                let has_member = seen.facts.members.iter().any(|member| member.region == region);
                if global.region != region && !has_member {
                    continue;
                }
                kinds.insert(global.kind);
                let of_it = plan.steps.iter().filter(|step| step.op.address() == global);
                assert!(of_it.clone().all(is_held_out), "{file} {global}: {:#?}", of_it.collect::<Vec<_>>());
                // What goes with it stays with it: its members elsewhere, with theirs.
                let members = seen.facts.members.iter().filter(|member| member.region != region);
                for member in members {
                    let is_of = |step: &&Step| {
                        let address = step.op.address();
                        let is_it =
                            address.name == member.name && Some(address.kind) == global.kind.member_kind();
                        let is_child = global.kind.member_kind().and_then(KindId::child_kind)
                            == Some(address.kind)
                            && address.name.as_str().starts_with(member.name.as_str());
                        address.region == member.region && (is_it || is_child)
                    };
                    let held_up = plan.steps.iter().filter(is_of);
                    assert!(
                        held_up.clone().all(is_held_out),
                        "{file} {global}: {:#?}",
                        held_up.collect::<Vec<_>>()
                    );
                }
            }
        }
    }
    let globals = [KindId::AuroraGlobal, KindId::DocumentGlobal, KindId::CacheGlobal];
    assert!(globals.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
}

/// A world as wanted on the embedded cloud, in which global objects list their members.
fn world_of_globals(wanted: &Desired) -> Inventory {
    let mut site = Site::new(19);
    assert_eq!(site.apply(wanted).outcome, Outcome::Settled);
    let mut world = site.look(wanted);
    // Without a record the tags alone say whose it is.
    for seen in world.seen.values_mut() {
        seen.facts.tags.remove(rgctl_model::node::TAG_RECORD);
    }
    world
}

#[test]
fn what_all_members_have_in_common_is_not_changed_while_one_is_held_out() {
    let mut met = 0;
    for (file, mut wanted, region) in cases() {
        let world = world_of_globals(&wanted);
        for node in wanted.nodes.values_mut().filter(|node| node.address.kind == KindId::CacheGroup) {
            let shards = node.attrs.get("shards").unwrap().as_u64().unwrap();
            node.attrs.set("shards", Some((shards + 1).into())).unwrap();
        }
        let (policy, claims) = (Policy::default(), Claims::default());
        let steps = |held_out: &BTreeMap<RegionId, HoldOut>| {
            let ask = PlanInput { held_out, claims: &claims, ..ask(&wanted, &world, &policy) };
            planning::plan(&ask).steps
        };
        assert!(!steps(&BTreeMap::new()).iter().any(is_held_out), "{file}");
        let globals = world.seen.iter().filter(|(address, _)| address.kind == KindId::CacheGlobal);
        let members = globals.map(|(_, seen)| &seen.facts.members);
        let fellows: Vec<_> =
            members.filter(|all| all.iter().any(|one| one.region == region)).flatten().collect();
        for step in steps(&held(region.as_str())) {
            let address = step.op.address();
            assert_ne!(address.region, region, "{file}");
            let has_fellow = address.kind == KindId::CacheGroup && fellows.iter().any(|one| one.is(address));
            assert_eq!(is_held_out(&step), has_fellow, "{file} without {region}: {}", step.id);
            met += usize::from(has_fellow);
        }
    }
    assert!(met > 0);
}

#[test]
fn an_agreed_plan_is_carried_out_but_for_its_steps_in_a_held_out_region() {
    let wanted = free("accounts");
    let secondary = region("eu-west-1");
    let mut site = Site::new(23);
    let order = Order { agreed: Some(site.plan_under(&wanted, &Order::default())), ..Order::default() };
    site.hold_out(&wanted.blueprint, &secondary);
    let ended = site.run(&wanted, &order).unwrap();
    blocked_by_hold_outs_alone(&ended, &secondary, "an agreed plan");
    no_call_acts_in(&site.cloud.calls(), &secondary, "an agreed plan");
    assert!(ended.calls > 5);
    site.release(&wanted.blueprint, &secondary);
    assert_eq!(site.run(&wanted, &order).unwrap().outcome, Outcome::Settled);
    site.assert_settled(&wanted);
}

#[test]
fn after_the_release_a_plan_finds_what_changed_meanwhile() {
    let wanted = free("accounts");
    let (secondary, mut site) = (region("eu-west-1"), Site::new(29));
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    site.hold_out(&wanted.blueprint, &secondary);
    let member = wanted
        .nodes
        .keys()
        .find(|address| address.region == secondary && address.kind == KindId::AuroraInstance);
    let member = member.unwrap().clone();
    let gone = Op::Delete { address: member.clone(), final_snapshot: None };
    let token = rgctl_schema::names::Token("another hand".to_owned());
    block_on(site.cloud.call(&gone, &token, &Permit::always())).unwrap();
    site.cloud.advance(Span::from_hours(2)).unwrap();
    let blocked = site.apply(&wanted);
    assert_eq!((blocked.outcome, blocked.calls), (Outcome::Blocked, 0));
    site.release(&wanted.blueprint, &secondary);
    let plan = site.plan_under(&wanted, &Order::default());
    assert_eq!(lines(&plan), [format!("create {member}")]);
    assert!(!plan.steps.iter().any(|step| matches!(step.op, Op::Act { verb: Verb::Detach { .. }, .. })));
}

/// Somebody holds a region out while a run is under way, and releases it later: each counts from the next turn on.
#[test]
fn a_region_that_is_held_out_during_a_run_is_left_alone_from_the_next_turn_on() {
    let wanted = free("accounts");
    for region in &wanted.regions {
        let mut site = Site::new(31);
        let hold = hold_out(region, Moment::EPOCH);
        let order = Order { decides_after: Some((4, vec![Decision::HoldOut { hold }])), ..Order::default() };
        let ended = site.run(&wanted, &order).unwrap();
        blocked_by_hold_outs_alone(&ended, region, "held out during a run");
        let decided = site.held_out(&wanted.blueprint)[region].since;
        let calls = site.cloud.calls();
        let later: Vec<_> = calls.iter().filter(|call| call.at > decided).cloned().collect();
        assert!(calls.len() > later.len() && !later.is_empty());
        no_call_acts_in(&later, region, "held out during a run");
        site.release(&wanted.blueprint, region);
        assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
        site.assert_settled(&wanted);
        assert_eq!(site.creates().len(), wanted.nodes.len(), "nothing twice");
    }
}
