//! Known quotas are planned: what would exceed one is said before anything is begun.

use std::collections::BTreeSet;
use std::sync::Arc;

use rgctl::adapters::sim::{Fault, GENESIS, Rule, SimCloud};
use rgctl::artefacts::node::Desired;
use rgctl::artefacts::quota::{AccountQuota, OverQuota};
use rgctl::artefacts::seen::Inventory;
use rgctl::cli::figures::CatalogFigures;
use rgctl::kinds::KindId;
use rgctl::planning::{self, Ask};
use rgctl::seams::Cloud;
use rgctl::vocabulary::names::RegionId;
use rgctl::vocabulary::time::Span;
use serde_json::json;

use crate::cli::Place;
use crate::fixtures::{NOW, ask, cluster_store, consents, desired, region, world_of};
use crate::shipped::catalog;
use crate::site::{block_on, cache_store};
use crate::swarm_blueprint::CATALOG;

/// What of a plan would be too much, with the usual quotas of the catalog.
fn over(wanted: &Desired, seen: &Inventory, own: &[AccountQuota]) -> Vec<OverQuota> {
    let policy = consents(&["delete:s0@us-east-1", "delete:s1@us-east-1"]);
    let figures = CatalogFigures::new(catalog(), wanted, NOW);
    let ask = Ask { figures: &figures, ..ask(wanted, seen, &policy) };
    let plan = planning::plan(&ask);
    planning::over_quota(&ask, &plan.steps, own)
}

fn stores(count: usize) -> Desired {
    desired(
        (0..count).flat_map(|n| cluster_store(&format!("s{n}"), "us-east-1", 1, "db.r7g.large")).collect(),
    )
}

fn clusters(limit: u64, used: Option<u64>) -> AccountQuota {
    AccountQuota { region: region("us-east-1"), kind: KindId::AuroraCluster, limit, used, alone: false }
}

fn steps(over: &[OverQuota]) -> Vec<String> {
    over.iter().flat_map(|one| one.steps.iter().map(ToString::to_string)).collect()
}

#[test]
fn more_stores_than_an_account_may_have_at_first_are_told_by_the_plan() {
    let empty = Inventory::empty(NOW);
    let most = catalog().limit_number("aurora", "db-clusters", "us-east-1").unwrap();
    let few = usize::try_from(most).unwrap();
    let of_clusters = |over: Vec<OverQuota>| -> Vec<OverQuota> {
        over.into_iter().filter(|one| one.what == "db-clusters").collect()
    };
    assert_eq!(of_clusters(over(&stores(few), &empty, &[])), []);
    let told = of_clusters(over(&stores(few + 1), &empty, &[]));
    assert_eq!((told[0].would_be, told[0].limit, told[0].own), (most + 1, most, false));
    assert_eq!(told[0].steps.len(), 1, "only what does not fit");
}

#[test]
fn the_quota_of_the_account_itself_goes_before_the_usual_one() {
    let empty = Inventory::empty(NOW);
    assert_eq!(over(&stores(2), &empty, &[clusters(40, Some(38))]), []);
    let told = over(&stores(2), &empty, &[clusters(40, Some(39))]);
    assert_eq!(steps(&told), ["create us-east-1/aurora.cluster/game-s1-use1"]);
    assert!(
        told[0].own && told[0].to_string().contains("40 are allowed by the account's quota"),
        "{}",
        told[0]
    );
    // Where the account does not tell what is in use, what is seen counts.
    let world = world_of(&stores(1));
    assert_eq!(over(&stores(2), &world, &[clusters(2, None)]), []);
    assert_eq!(steps(&over(&stores(2), &world, &[clusters(1, None)])).len(), 1);
}

#[test]
fn what_is_removed_or_does_not_grow_is_never_over_a_quota() {
    let world = world_of(&stores(2));
    let full = [clusters(1, Some(2))];
    assert_eq!(over(&stores(1), &world, &full), [], "one goes");
    let mut bigger = stores(2);
    for node in bigger.nodes.values_mut().filter(|node| node.at.kind == KindId::AuroraInstance) {
        node.attrs.set("class", Some(json!("db.r7g.xlarge"))).unwrap();
    }
    assert_eq!(over(&bigger, &world, &full), [], "no more of them");
}

#[test]
fn one_cache_with_more_nodes_than_one_may_have_is_told() {
    let most =
        catalog().limit_number("elasticache", "nodes-per-cluster-cluster-mode-default", "us-east-1").unwrap();
    let shards = u32::try_from(most).unwrap();
    let told = over(&desired(cache_store("rank", "us-east-1", shards)), &Inventory::empty(NOW), &[]);
    assert!(told.iter().any(|one| one.what == "nodes in game-rank" && one.would_be == most * 2), "{told:#?}");
    let raised = AccountQuota {
        region: region("us-east-1"),
        kind: KindId::CacheGroup,
        limit: 100,
        used: Some(0),
        alone: true,
    };
    assert_eq!(
        over(&desired(cache_store("rank", "us-east-1", shards)), &Inventory::empty(NOW), &[raised]),
        []
    );
}

#[test]
fn the_embedded_cloud_tells_its_quotas_with_what_is_in_use_and_with_what_was_raised() {
    let cloud = SimCloud::in_memory(1, GENESIS).with_catalog(Arc::clone(&CATALOG));
    let regions: BTreeSet<RegionId> = [region("us-east-1")].into();
    let of = |cloud: &SimCloud, kind: KindId| -> Option<AccountQuota> {
        block_on(cloud.quotas(&regions)).unwrap().into_iter().find(|quota| quota.kind == kind)
    };
    let usual = of(&cloud, KindId::AuroraCluster).unwrap();
    assert_eq!((usual.used, usual.alone), (Some(0), false));
    let rule = Rule {
        kind: Some(KindId::AuroraCluster),
        ..Rule::always(Fault::Quota { limit: 77 }, GENESIS, GENESIS + Span::from_days(1))
    };
    cloud.with_world(|world| world.add_fault(rule)).unwrap();
    let raised = of(&cloud, KindId::AuroraCluster).unwrap();
    assert_eq!((raised.limit, raised.alone), (77, true));
}

#[test]
fn a_plan_over_a_quota_is_refused_before_anything_is_begun() {
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/blueprints/light-game.yaml");
    let add = ["sim", "fault", "add", "quota", "--kind", "elasticache.group", "--limit", "0"];
    let added = place.run(&add);
    assert_eq!(added.code, 0, "{}", added.talk);
    let plan = place.run(&["plan", "-f", file]);
    assert!(plan.data.contains("Over quota"), "{}", plan.data);
    let refused = place.run(&["apply", "-f", file, "--yes"]);
    assert_eq!(refused.code, 4, "{}\n{}", refused.data, refused.talk);
    assert!(refused.talk.contains("0 are allowed by the account's quota"), "{}", refused.talk);
    let history = place.run(&["history", "light-game"]);
    assert!(!history.data.contains("calls"), "{}", history.data);
}
