//! Newer versions of engines, in every family: in place, and of a database over two regions the secondary first.

use rgctl_model::journal::Outcome;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::plan::Op;
use rgctl_model::policy::Policy;
use rgctl_model::sizes::Sizes;
use rgctl_sim::{Called, GENESIS};
use rgctl_testkit::fixtures::{lines, plan_for, region, world_of};
use rgctl_testkit::site::Site;
use rgctl_testkit::swarm_blueprint::desired_after;
use serde_json::json;

const ONE_REGION: &str = "{ primary: us-east-1 }";
const TWO_REGIONS: &str = "{ primary: us-east-1, secondaries: [us-west-2] }";

/// A blueprint of one store.
fn game(regions: &str, engine: &str, version: &str) -> Desired {
    after(&Sizes::default(), regions, engine, version)
}

/// The same where the store was made before.
fn after(before: &Sizes, regions: &str, engine: &str, version: &str) -> Desired {
    let objectives = if regions == ONE_REGION { "rto: 2d, rpo: 2d" } else { "rto: 15m, rpo: 1m" };
    let text = format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: game }}\nspec:\n  demand:\n    players: {{ \
         peakConcurrent: 10k }}\n    requestsPerPlayerPerMinute: 10\n    hotData: {{ size: 50GiB, retention: 90d }}\n  \
         objectives: {{ {objectives} }}\n  regions: {regions}\n  stores:\n    - {{ name: a, \
         engine: {engine}, version: \"{version}\" }}\n"
    );
    desired_after(&text, before, GENESIS).unwrap_or_else(|problem| panic!("{engine} {version}: {problem}"))
}

/// The same with another version, which the catalogue need not know.
fn with_version(wanted: &Desired, version: &str) -> Desired {
    let mut wanted = wanted.clone();
    for node in wanted.nodes.values_mut().filter(|node| node.attrs.text("engine_version").is_some()) {
        node.attrs.set("engine_version", Some(json!(version))).unwrap();
    }
    wanted
}

fn upgrades(op: &Op, kind: KindId) -> bool {
    let is_version = |changes: &[rgctl_schema::table::FieldChange]| {
        changes.iter().any(|change| change.field == "engine_version")
    };
    op.address().kind == kind && matches!(op, Op::Modify { changes, .. } if is_version(changes))
}

const MINORS: [(KindId, &str, &str, &str); 4] = [
    (KindId::AuroraCluster, "aurora-mysql", "8.0.mysql_aurora.3.08.0", "8.0.mysql_aurora.3.10.0"),
    (KindId::AuroraCluster, "aurora-postgresql", "16.8", "16.11"),
    (KindId::DocumentCluster, "documentdb", "5.0.0", "5.0.1"),
    (KindId::CacheGroup, "valkey", "8.0", "8.2"),
];

/// Brings a newer version about, by one apply and without a refusal: at the secondary first, and of a global datastore by one call
/// at its primary, which the service carries out in that order ("the engine version is upgraded for secondary Regions and then for
/// the primary Region", ElastiCache guide, "Version management").
fn upgrade(site: &mut Site, kind: KindId, after: &Desired, what: &str) {
    let made = site.cloud.calls().len();
    let ended = site.apply(after);
    let (held, moving) = (&ended.last.held, &ended.last.under_way);
    assert_eq!(ended.outcome, Outcome::Settled, "{what}: {held:#?} {moving:#?}");
    let calls = site.cloud.calls().split_off(made);
    let calls: Vec<&Called> = calls.iter().filter(|call| upgrades(&call.op, kind)).collect();
    let told: Vec<_> = calls.iter().map(|call| (&call.op.address().region, call.told.is_ok())).collect();
    let order = [(&region("us-west-2"), true), (&region("us-east-1"), true)];
    let order = if kind == KindId::CacheGroup { &order[1..] } else { &order[..] };
    assert_eq!(told, order, "{what}: {calls:#?}");
    site.assert_settled(after);
}

#[test]
fn a_newer_minor_version_over_two_regions_arrives_secondary_first_and_by_one_apply() {
    for (kind, engine, from, to) in MINORS {
        let before = game(TWO_REGIONS, engine, from);
        assert!(before.nodes.keys().any(|address| address.kind.facts().is_global), "{engine} has no global");
        for (seed, is_forgetful) in [(3, false), (4, true), (5, false)] {
            let what = format!("{engine} {from} -> {to}, {seed}");
            let mut site = Site::new(seed);
            site.is_forgetful = is_forgetful;
            assert_eq!(site.apply(&before).outcome, Outcome::Settled, "{what}");
            upgrade(&mut site, kind, &with_version(&before, to), &what);
        }
    }
}

#[test]
fn a_primary_keeps_its_version_while_the_region_of_its_secondary_is_held_out() {
    for (kind, engine, from, to) in MINORS {
        let (before, what) = (game(TWO_REGIONS, engine, from), format!("{engine} {from} -> {to}"));
        let (mut site, after) = (Site::new(3), with_version(&before, to));
        assert_eq!(site.apply(&before).outcome, Outcome::Settled, "{what}");
        site.hold_out(&before.blueprint, &region("us-west-2"));
        let made = site.cloud.calls().len();
        assert_eq!(site.apply(&after).outcome, Outcome::Blocked, "{what}");
        let calls = site.cloud.calls().split_off(made);
        assert!(!calls.iter().any(|call| upgrades(&call.op, kind)), "{what}: {calls:#?}");
        site.release(&before.blueprint, &region("us-west-2"));
        upgrade(&mut site, kind, &after, &what);
    }
}

const MAJORS: [(KindId, &str, &str, &str); 5] = [
    (KindId::AuroraCluster, "aurora-mysql", "5.7.mysql_aurora.2.12.6", "8.0.mysql_aurora.3.10.0"),
    (KindId::AuroraCluster, "aurora-postgresql", "15.18", "16.11"),
    (KindId::DocumentCluster, "documentdb", "5.0.0", "8.0.0"),
    (KindId::CacheGroup, "valkey", "8.0", "9.0"),
    (KindId::CacheGroup, "redis", "6.2", "7.1"),
];

#[test]
fn a_newer_major_version_arrives_in_place_in_one_call_with_new_groups_and_the_old_ones_go_after() {
    for (kind, engine, from, to) in MAJORS {
        for regions in [ONE_REGION, TWO_REGIONS] {
            // No global database has the old version; of a global datastore the service chooses the groups.
            if regions == TWO_REGIONS && (engine == "aurora-mysql" || kind == KindId::CacheGroup) {
                continue;
            }
            let before = game(regions, engine, from);
            let wanted = after(&before.sizes, regions, engine, to);
            let what = format!("{engine} {from} -> {to} in {regions}");
            let mut site = Site::new(3);
            assert_eq!(site.apply(&before).outcome, Outcome::Settled, "{what}");
            let made = site.cloud.calls().len();
            // The members start anew with the version, and are in no need of another restart for their group.
            let plan = site.plan(&wanted);
            let restarts = |op: &Op| matches!(op, Op::Act { .. });
            assert!(!plan.steps.iter().any(|step| restarts(&step.op)), "{what}: {:#?}", lines(&plan));
            let ended = site.apply(&wanted);
            let (held, moving) = (&ended.last.held, &ended.last.under_way);
            assert_eq!(ended.outcome, Outcome::Settled, "{what}: {held:#?} {moving:#?}");
            site.assert_settled(&wanted);
            let calls = site.cloud.calls().split_off(made);
            let refused: Vec<_> = calls.iter().filter(|call| call.told.is_err()).collect();
            assert!(refused.is_empty(), "{what}: {refused:#?}");
            assert_eq!(calls.len(), plan.steps.len(), "{what}: what is planned is done, and nothing else");
            let at = |is: &dyn Fn(&Op) -> bool| {
                let places = calls.iter().enumerate().filter(|(_, call)| is(&call.op));
                places.map(|(place, _)| place).collect::<Vec<_>>()
            };
            let news = at(&|op| matches!(op, Op::Create { .. }));
            let ways = at(&|op| upgrades(op, kind));
            let gone = at(&|op| matches!(op, Op::Delete { .. }));
            assert_eq!(ways.len(), if regions == ONE_REGION { 1 } else { 2 }, "{what}: {calls:#?}");
            assert!(!news.is_empty() && !gone.is_empty(), "{what}");
            let region_of = |place: usize| &calls[place].op.address().region;
            for way in &ways {
                let here = |places: &[usize]| {
                    places
                        .iter()
                        .copied()
                        .filter(|place| region_of(*place) == region_of(*way))
                        .collect::<Vec<_>>()
                };
                assert!(here(&news).iter().all(|new| new < way), "{what}: made first");
                assert!(here(&gone).iter().all(|old| way < old), "{what}: removed last");
            }
            // Only groups come and go.
            for place in news.iter().chain(&gone) {
                let kind = calls[*place].op.address().kind;
                assert!(!kind.facts().holds_data && kind.facts().parent.is_none(), "{what}: {kind}");
            }
            // No member is restarted for its group alone: it has it with the version.
            let again =
                at(&|op| matches!(op, Op::Modify { address, .. } if address.kind.facts().parent.is_some()));
            assert!(again.is_empty(), "{what}: {calls:#?}");
        }
    }
}

#[test]
fn a_newer_major_version_with_a_group_of_the_old_family_is_refused_by_the_embedded_cloud() {
    for (kind, engine, from, to) in MAJORS {
        let before = game(ONE_REGION, engine, from);
        let mut site = Site::new(3);
        assert_eq!(site.apply(&before).outcome, Outcome::Settled);
        let made = site.cloud.calls().len();
        // Nothing but the version is asked for.
        let wanted = with_version(&before, to);
        assert_eq!(site.apply(&wanted).outcome, Outcome::Blocked, "{engine}");
        let calls = site.cloud.calls().split_off(made);
        let told =
            calls.iter().filter(|call| upgrades(&call.op, kind)).map(|call| format!("{:?}", call.told));
        let told: Vec<String> = told.collect();
        assert!(!told.is_empty() && told.iter().all(|told| told.contains("name a new one")), "{told:#?}");
    }
}

#[test]
fn a_newer_major_version_replaces_nothing_that_holds_data_in_any_family() {
    for (kind, engine, from, to) in MAJORS {
        let (before, after) = (game(ONE_REGION, engine, from), game(ONE_REGION, engine, to));
        let plan = plan_for(&after, &world_of(&before), &Policy::default());
        let what = format!("{engine} {from} -> {to}: {:#?} {:#?}", lines(&plan), plan.waiting);
        assert!(plan.steps.iter().any(|step| upgrades(&step.op, kind)), "{what}");
        let is_data = |op: &Op| {
            let kind = op.address().kind;
            kind.facts().holds_data || kind.facts().parent.is_some()
        };
        let anew = plan.steps.iter().filter(|step| matches!(step.op, Op::Delete { .. } | Op::Create { .. }));
        assert_eq!(anew.filter(|step| is_data(&step.op)).count(), 0, "{what}");
    }
}
