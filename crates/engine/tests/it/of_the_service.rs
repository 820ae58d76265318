//! What a service has of an object, whatever is wished for: it is not fought over, and what is changed in vain is said.

use rgctl_engine::planning;
use rgctl_model::address::Address;
use rgctl_model::journal::Outcome;
use rgctl_model::kinds::KindId;
use rgctl_model::node::{Desired, Node};
use rgctl_model::plan::{Op, Verb};
use rgctl_model::policy::Policy;
use rgctl_testkit::fixtures::{address, ask, consents, desired, lines, node, plan_for};
use rgctl_testkit::site::{Order, Site, cache_store};
use serde_json::{Value, json};

const PRIMARY: &str = "us-east-1";
const SECONDARY: &str = "us-west-2";

fn group(region: &str) -> Address {
    address(region, KindId::CacheGroup, "game-rank")
}

fn parameters(region: &str) -> Address {
    address(region, KindId::CacheParameters, "game-rank")
}

/// A cache in one region or in two, with these fields, and with parameters of its own.
fn ranks(is_global: bool, fields: &[(&str, Value)], policy: &str) -> Desired {
    let whole = address(PRIMARY, KindId::CacheGlobal, "game-rank-global");
    let of_region = |region: &str| -> Vec<Node> {
        let own = [("family", json!("valkey8")), ("parameters", json!({ "maxmemory-policy": policy }))];
        let mut nodes = cache_store("rank", region, 1);
        nodes.push(node(parameters(region), "rank", &own, &[]));
        let group = nodes.iter_mut().find(|node| node.address == group(region)).unwrap();
        group.needs.insert(parameters(region));
        for (field, value) in [&[("parameter_group", json!("game-rank"))], fields].concat() {
            group.attrs.set(field, Some(value)).unwrap();
        }
        nodes
    };
    let mut nodes = of_region(PRIMARY);
    if is_global {
        nodes.push(node(
            whole.clone(),
            "rank",
            &[("source", json!("game-rank")), ("source_region", json!(PRIMARY))],
            &[&group(PRIMARY)],
        ));
        let mut secondary = of_region(SECONDARY);
        let group = secondary.iter_mut().find(|node| node.address == group(SECONDARY)).unwrap();
        group.attrs.set("global", Some(json!("game-rank-global"))).unwrap();
        group.needs.insert(whole);
        nodes.extend(secondary);
    }
    desired(nodes)
}

fn field(site: &Site, wanted: &Desired, region: &str, field: &str) -> Value {
    site.look(wanted).seen[&group(region)].attrs.get(field).unwrap()
}

#[test]
fn parameters_of_a_global_datastore_are_the_services_and_are_not_fought_over() {
    let wanted = ranks(true, &[], "allkeys-lru");
    let mut site = Site::new(7);
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    site.assert_settled(&wanted);
    let theirs = json!("global-datastore-game-rank-global");
    for region in [PRIMARY, SECONDARY] {
        assert_eq!(field(&site, &wanted, region, "parameter_group"), theirs, "{region}");
    }
    // A change of the wished parameters reaches nobody, and that is said.
    let other = ranks(true, &[], "noeviction");
    let (world, policy) = (site.look(&other), Policy::default());
    let plan = plan_for(&other, &world, &policy);
    let said = planning::kept_from_birth(&ask(&other, &world, &policy), &plan);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said.iter().all(|note| note.contains("reaches no member")), "{said:#?}");
    assert!(
        planning::kept_from_birth(&ask(&wanted, &world, &policy), &plan_for(&wanted, &world, &policy))
            .is_empty()
    );
    // Alone again, it has its own.
    let alone = ranks(false, &[], "allkeys-lru");
    let policy = consents(&["delete:rank@us-west-2", "delete:rank@us-east-1"]);
    for _ in 0..2 {
        let ended = site.run(&alone, &Order { policy: policy.clone(), ..Order::default() }).unwrap();
        assert_eq!(ended.outcome, Outcome::Settled, "{:#?} {:#?}", ended.last.held, ended.last.plan.waiting);
    }
    site.assert_settled(&alone);
    assert_eq!(field(&site, &alone, PRIMARY, "parameter_group"), json!("game-rank"));
}

#[test]
fn what_a_global_datastore_has_in_common_is_changed_once_and_at_its_primary() {
    let of = |class: &str, version: &str| {
        let fields =
            [("engine", json!("valkey")), ("node_type", json!(class)), ("engine_version", json!(version))];
        ranks(true, &fields, "allkeys-lru")
    };
    let before = of("cache.r7g.large", "8.0");
    for after in [of("cache.r7g.xlarge", "8.0"), of("cache.r7g.large", "8.1")] {
        let mut site = Site::new(7);
        assert_eq!(site.apply(&before).outcome, Outcome::Settled);
        let made = site.cloud.calls().len();
        let plan = site.plan(&after);
        assert_eq!(site.apply(&after).outcome, Outcome::Settled, "{:#?}", lines(&plan));
        let calls = site.cloud.calls().split_off(made);
        let changed = calls.iter().filter(|call| call.told.is_ok()).map(|call| &call.op);
        let changed: Vec<&Address> =
            changed.filter(|op| !matches!(op, Op::Act { verb: Verb::Start, .. })).map(Op::address).collect();
        assert_eq!(changed, [&group(PRIMARY)], "{:#?}", lines(&plan));
        site.assert_settled(&after);
        for name in ["node_type", "engine_version"] {
            assert_eq!(field(&site, &after, SECONDARY, name), field(&site, &after, PRIMARY, name));
        }
    }
}

#[test]
fn a_cache_that_leaves_its_global_datastore_is_changed_after_that_and_not_replaced() {
    let of =
        |is_global: bool, tls: bool| ranks(is_global, &[("transit_encryption", json!(tls))], "allkeys-lru");
    let (before, after) = (of(true, true), of(false, false));
    let policy = consents(&["delete:rank@us-west-2", "delete:rank@us-east-1"]);
    let mut site = Site::new(7);
    assert_eq!(site.apply(&before).outcome, Outcome::Settled);
    let made = site.cloud.calls().len();
    for _ in 0..2 {
        let ended = site.run(&after, &Order { policy: policy.clone(), ..Order::default() }).unwrap();
        assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last.held);
    }
    site.assert_settled(&after);
    let calls = site.cloud.calls().split_off(made);
    let is_gone = |op: &Op| matches!(op, Op::Delete { address, .. } if *address == group(PRIMARY));
    assert!(!calls.iter().any(|call| is_gone(&call.op)), "{calls:#?}");
    let refused: Vec<_> = calls.iter().filter(|call| call.told.is_err()).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}
