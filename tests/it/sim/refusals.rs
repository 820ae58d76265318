//! Every refusal, with the code that the real service gives.

use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Usage;
use rgctl_model::plan::{Op, Verb};
use rgctl_model::ports::{Cloud, CloudError, Permit};
use rgctl_schema::names::Token;
use rgctl_schema::time::Span;
use rgctl_sim::{Fault, Rule};
use serde_json::json;

use super::{OTHER, TestCloud, address, block_on, cluster_fields, in_region, member_fields};

pub fn code(result: Result<(), CloudError>) -> String {
    match result.unwrap_err() {
        CloudError::Busy { code, .. } => format!("busy {code}"),
        CloudError::Refused { code, .. } => format!("refused {code}"),
        CloudError::Exhausted { code, .. } => format!("exhausted {code}"),
        CloudError::NotFound { what } => format!("not found {what}"),
        CloudError::Conflict { what } => format!("conflict {what}"),
        other => format!("{other:?}"),
    }
}

fn always(desk: &TestCloud, fault: Fault) {
    desk.cloud
        .with_world(|world| {
            let now = world.now();
            world.add_fault(Rule::always(fault, now, now + Span::from_days(9)));
        })
        .unwrap();
}

pub fn cache(fields: &serde_json::Value) -> (TestCloud, Address) {
    let desk = TestCloud::new(3);
    let group = address(KindId::CacheGroup, "cache");
    desk.make(&group, fields);
    (desk, group)
}

#[test]
fn clusters_are_refused_deletion_while_protected_in_use_or_global() {
    let desk = TestCloud::new(3);
    let (cluster, members) = desk.cluster(1);
    assert_eq!(code(desk.delete(&cluster, None)), "busy InvalidDBClusterStateFault");
    desk.modify(&cluster, &json!({ "deletion_protection": true })).unwrap();
    assert_eq!(code(desk.delete(&cluster, None)), "refused InvalidParameterCombination");
    desk.modify(&cluster, &json!({ "deletion_protection": false })).unwrap();
    let global = address(KindId::AuroraGlobal, "world");
    desk.make(&global, &json!({ "source": "main" }));
    assert_eq!(code(desk.delete(&global, None)), "busy InvalidGlobalClusterStateFault");
    assert_eq!(code(desk.act(&cluster, Verb::Stop)), "busy InvalidDBClusterStateFault");
    desk.delete(&members[0], None).unwrap();
    assert_eq!(code(desk.delete(&members[0], None)), "busy InvalidDBInstanceState");
    desk.pass(Span::from_hours(1));
    assert_eq!(code(desk.delete(&members[0], None)), format!("not found {}", members[0]));
    assert_eq!(code(desk.delete(&cluster, None)), "busy InvalidGlobalClusterStateFault");
    let (region, member) = (cluster.region.clone(), cluster.name.clone());
    desk.act(&global, Verb::Detach { region, member }).unwrap();
    desk.delete(&cluster, Some("last")).unwrap();
    desk.pass(Span::from_hours(1));
    desk.make(&cluster, &cluster_fields());
    assert_eq!(code(desk.delete(&cluster, Some("last"))), "refused DBClusterSnapshotAlreadyExistsFault");
}

#[test]
fn a_name_is_taken_until_the_object_is_gone() {
    let desk = TestCloud::new(3);
    let cluster = address(KindId::AuroraCluster, "main");
    desk.create(&cluster, &cluster_fields()).unwrap();
    assert_eq!(code(desk.create(&cluster, &cluster_fields())), format!("conflict {cluster}"));
    desk.pass(Span::from_hours(1));
    assert_eq!(desk.see(&cluster).unwrap().token(), Some("token-1"));
    desk.delete(&cluster, None).unwrap();
    assert_eq!(code(desk.create(&cluster, &cluster_fields())), format!("conflict {cluster}"));
    desk.pass(Span::from_hours(1));
    desk.create(&cluster, &cluster_fields()).unwrap();
}

#[test]
fn one_change_at_a_time() {
    let desk = TestCloud::new(3);
    let cluster = address(KindId::AuroraCluster, "main");
    desk.create(&cluster, &cluster_fields()).unwrap();
    let member = address(KindId::AuroraInstance, "main-1");
    assert_eq!(code(desk.create(&member, &member_fields("main", 0))), "busy InvalidDBClusterStateFault");
    let change = json!({ "backup_retention_days": 9 });
    assert_eq!(code(desk.modify(&cluster, &change)), "busy InvalidDBClusterStateFault");
    desk.pass(Span::from_hours(1));
    desk.create(&member, &member_fields("main", 0)).unwrap();
    assert_eq!(code(desk.modify(&cluster, &change)), "busy InvalidDBInstanceState");
    desk.pass(Span::from_hours(1));
    desk.modify(&cluster, &change).unwrap();
    let bigger = json!({ "class": "db.r7g.2xlarge" });
    assert_eq!(code(desk.modify(&member, &bigger)), "busy InvalidDBClusterStateFault");
    desk.pass(Span::from_hours(1));
    desk.modify(&member, &bigger).unwrap();
    assert_eq!(code(desk.modify(&member, &json!({ "promotion_tier": 9 }))), "busy InvalidDBInstanceState");
    assert_eq!(code(desk.act(&cluster, Verb::Failover { to: None })), "busy InvalidDBClusterStateFault");
}

#[test]
fn fields_that_need_their_own_call_or_a_new_object_are_refused() {
    let desk = TestCloud::new(3);
    let (cluster, members) = desk.cluster(1);
    let both = json!({ "engine_version": "8.0.mysql_aurora.3.10.0", "backup_retention_days": 9 });
    assert_eq!(code(desk.modify(&cluster, &both)), "refused InvalidParameterCombination");
    assert_eq!(
        code(desk.modify(&cluster, &json!({ "port": 1, "storage_encrypted": true }))),
        "refused InvalidParameterCombination"
    );
    assert_eq!(
        code(desk.modify(&members[0], &json!({ "class": "huge" }))),
        "refused InvalidParameterCombination"
    );
    desk.modify(&cluster, &json!({ "backup_retention_days": 7 })).unwrap();
    assert!(desk.see(&cluster).unwrap().facts.phase.is_ready(), "an empty change began something");
}

#[test]
fn a_cluster_takes_sixteen_members() {
    let desk = TestCloud::new(3);
    let (_, _) = desk.cluster(16);
    let one_more = address(KindId::AuroraInstance, "main-17");
    assert_eq!(
        code(desk.create(&one_more, &member_fields("main", 1))),
        "refused InvalidParameterCombination"
    );
}

#[test]
fn what_is_named_must_exist_and_what_is_named_stays() {
    let desk = TestCloud::new(3);
    let cluster = address(KindId::AuroraCluster, "main");
    let mut fields = cluster_fields();
    fields["subnet_group"] = json!("nets");
    fields["parameter_group"] = json!("params");
    assert_eq!(code(desk.create(&cluster, &fields)), "not found rds.subnet_group/nets");
    let nets = address(KindId::RdsSubnetGroup, "nets");
    desk.make(&nets, &json!({}));
    assert_eq!(code(desk.create(&cluster, &fields)), "not found aurora.cluster_parameters/params");
    let params = address(KindId::AuroraClusterParameters, "params");
    desk.make(&params, &json!({}));
    desk.make(&cluster, &fields);
    assert_eq!(code(desk.delete(&nets, None)), "busy InvalidDBSubnetGroupStateFault");
    assert_eq!(code(desk.delete(&params, None)), "busy InvalidDBParameterGroupState");
    let orphan = address(KindId::AuroraInstance, "orphan-1");
    let missing = code(desk.create(&orphan, &member_fields("orphan", 0)));
    assert_eq!(missing, "not found aurora.cluster/orphan");
    let users = address(KindId::CacheUserGroup, "people");
    assert_eq!(code(desk.create(&users, &json!({ "users": ["ann"] }))), "not found elasticache.user/ann");
}

#[test]
fn the_last_replica_stays_where_one_shard_fails_over_and_may_go_where_there_are_shards() {
    let without = |mode: &str| {
        let (desk, group) =
            cache(&json!({ "node_type": "cache.r7g.large", "shards": 1, "replicas_per_shard": 1,
            "cluster_mode": mode, "automatic_failover": true }));
        desk.modify(&group, &json!({ "replicas_per_shard": 0 }))
    };
    assert_eq!(code(without("disabled")), "refused InvalidParameterCombination");
    assert_eq!(without("enabled"), Ok(()));
}

#[test]
fn caches_are_refused_impossible_sizes() {
    let (desk, group) = cache(&json!({ "node_type": "cache.r7g.large", "shards": 3, "replicas_per_shard": 1,
        "cluster_mode": "enabled", "automatic_failover": true }));
    for (change, expected) in [
        (json!({ "shards": 0 }), "refused InvalidParameterCombination"),
        (json!({ "shards": 400 }), "refused NodeQuotaForClusterExceeded"),
        (json!({ "replicas_per_shard": 6 }), "refused InvalidParameterCombination"),
    ] {
        assert_eq!(code(desk.modify(&group, &change)), expected, "{change}");
    }
    desk.cloud.set_load(&group, Usage { data_gib: 25.0, ..Usage::default() }).unwrap();
    assert_eq!(code(desk.modify(&group, &json!({ "shards": 2 }))), "refused InvalidParameterCombination");
    desk.modify(&group, &json!({ "shards": 4 })).unwrap();
    assert_eq!(code(desk.modify(&group, &json!({ "shards": 5 }))), "busy InvalidReplicationGroupState");
}

#[test]
fn a_cache_without_replicas_has_nobody_to_fail_over_to() {
    let (desk, group) =
        cache(&json!({ "node_type": "cache.r7g.large", "shards": 1, "replicas_per_shard": 0 }));
    assert_eq!(code(desk.act(&group, Verb::Failover { to: None })), "refused TestFailoverNotAvailableFault");
    assert_eq!(
        code(desk.modify(&group, &json!({ "shards": 2, "node_type": "cache.r7g.xlarge" }))),
        "refused InvalidParameterCombination"
    );
}

#[test]
fn warehouses_resize_within_their_bounds_and_around_their_data() {
    let desk = TestCloud::new(3);
    let cluster = address(KindId::RedshiftCluster, "history");
    desk.make(&cluster, &json!({ "node_type": "ra3.xlplus", "nodes": 4 }));
    let far_too_many = code(desk.modify(&cluster, &json!({ "nodes": 129 })));
    assert_eq!(far_too_many, "refused NumberOfNodesPerClusterLimitExceeded");
    desk.cloud.set_load(&cluster, Usage { data_gib: 100_000.0, ..Usage::default() }).unwrap();
    assert_eq!(code(desk.modify(&cluster, &json!({ "nodes": 2 }))), "refused InvalidParameterCombination");
    desk.modify(&cluster, &json!({ "nodes": 8 })).unwrap();
    desk.pass(Span::from_secs(6));
    assert_eq!(desk.native(&cluster), "resizing");
}

/// How long a resize takes.
fn resized_in(from: u64, to: u64) -> Span {
    let desk = TestCloud::new(3);
    let cluster = address(KindId::RedshiftCluster, "history");
    desk.make(&cluster, &json!({ "node_type": "ra3.xlplus", "nodes": from }));
    desk.modify(&cluster, &json!({ "nodes": to })).unwrap();
    desk.pass(Span::from_mins(1));
    assert_eq!(desk.native(&cluster), "resizing");
    let mut took = Span::from_mins(1);
    while desk.native(&cluster) != "available" {
        desk.pass(Span::from_mins(10));
        took += Span::from_mins(10);
    }
    assert_eq!(desk.see(&cluster).unwrap().attrs.get("nodes"), Some(json!(to)));
    took
}

#[test]
fn a_resize_beyond_the_elastic_reach_is_a_classic_one_and_takes_hours() {
    for (from, to) in [(4, 8), (4, 2), (8, 2)] {
        assert!(resized_in(from, to) < Span::from_mins(90), "{from} to {to} is elastic");
    }
    for (from, to) in [(4, 9), (9, 2), (1, 2), (2, 1)] {
        assert!(resized_in(from, to) > Span::from_mins(30), "{from} to {to} is classic");
    }
}

#[test]
fn shards_of_a_global_datastore_are_changed_at_its_primary_for_all_members() {
    let desk = TestCloud::new(3);
    let fields = json!({ "engine": "valkey", "engine_version": "8.0", "node_type": "cache.r7g.large", "shards": 2,
        "replicas_per_shard": 1, "cluster_mode": "enabled", "automatic_failover": true });
    let near = address(KindId::CacheGroup, "near");
    desk.make(&near, &fields);
    desk.make(&address(KindId::CacheGlobal, "world"), &json!({ "source": "near" }));
    let far = in_region(OTHER, KindId::CacheGroup, "far");
    let mut wanted = fields.clone();
    wanted["global"] = json!("world");
    wanted["shards"] = json!(7);
    wanted["node_type"] = json!("cache.r7g.xlarge");
    desk.make(&far, &wanted);
    let field = |address: &Address, field: &str| desk.see(address).unwrap().attrs.get(field);
    let shards = |address: &Address| field(address, "shards");
    assert_eq!(shards(&far), Some(json!(2)), "a secondary has the shards of its primary");
    assert_eq!(field(&far, "node_type"), Some(json!("cache.r7g.large")), "and its node type");

    assert_eq!(code(desk.modify(&far, &json!({ "shards": 3 }))), "busy InvalidReplicationGroupState");
    desk.modify(&near, &json!({ "shards": 3 })).unwrap();
    desk.pass(Span::from_secs(6));
    assert_eq!(code(desk.modify(&near, &json!({ "shards": 4 }))), "busy InvalidReplicationGroupState");
    desk.pass(Span::from_days(1));
    assert_eq!((shards(&near), shards(&far)), (Some(json!(3)), Some(json!(3))));
}

#[test]
fn slots_are_all_there_while_they_move_and_more_data_moves_longer() {
    let (desk, group) = cache(&json!({ "shards": 2, "replicas_per_shard": 1, "cluster_mode": "enabled" }));
    desk.cloud.set_load(&group, Usage { data_gib: 8.0, ..Usage::default() }).unwrap();
    let slots = || desk.cloud.with_world(|world| world.slots(&group).unwrap()).unwrap();
    assert_eq!((slots().by_shard, slots().moved), (vec![8_192, 8_192], None));
    desk.modify(&group, &json!({ "shards": 4 })).unwrap();
    let mut moved = 0.0;
    while let Some(part) = slots().moved {
        assert_eq!(slots().by_shard.iter().sum::<u64>(), 16_384);
        assert!(part >= moved, "slots move one way");
        moved = part;
        desk.pass(Span::from_mins(2));
    }
    assert!(moved > 0.5, "the move was seen on its way");
    assert_eq!(slots().by_shard, [4_096; 4]);
}

#[test]
fn secondaries_must_match_their_primary() {
    let desk = TestCloud::new(3);
    desk.cluster(1);
    let global = address(KindId::AuroraGlobal, "world");
    let mut fields = cluster_fields();
    fields["global"] = json!("world");
    let far = in_region(OTHER, KindId::AuroraCluster, "far");
    assert_eq!(code(desk.create(&far, &fields)), "not found aurora.global/world");
    let missing = code(desk.create(&global, &json!({ "source": "nobody" })));
    assert_eq!(missing, "not found us-east-1/aurora.cluster/nobody");
    desk.make(&global, &json!({ "source": "main" }));
    let twice = code(desk.create(&in_region(OTHER, KindId::AuroraGlobal, "world"), &json!({})));
    assert!(twice.starts_with("conflict"), "{twice}");
    fields["engine_version"] = json!("8.0.mysql_aurora.3.10.0");
    assert_eq!(code(desk.create(&far, &fields)), "refused InvalidParameterCombination");
}

#[test]
fn capacity_and_quota_are_told_apart() {
    let desk = TestCloud::new(3);
    let (_, members) = desk.cluster(1);
    always(&desk, Fault::Capacity { class: Some("db.r7g.2xlarge".to_owned()) });
    let bigger = json!({ "class": "db.r7g.2xlarge" });
    assert_eq!(code(desk.modify(&members[0], &bigger)), "exhausted InsufficientDBInstanceCapacity");
    desk.create(&address(KindId::AuroraInstance, "main-2"), &member_fields("main", 1)).unwrap();
    always(&desk, Fault::Quota { limit: 2 });
    let third = address(KindId::AuroraInstance, "main-3");
    assert_eq!(code(desk.create(&third, &member_fields("main", 1))), "refused InstanceQuotaExceeded");
}

/// A call as the service takes it, from a client that keeps no budget.
fn delete_in_haste(desk: &TestCloud, address: &Address) -> CloudError {
    let op = Op::Delete { address: address.clone(), final_snapshot: None };
    desk.cloud.with_world(|world| world.call(&op, &Token("t".to_owned()))).unwrap().unwrap_err()
}

/// A cloud whose accounts have the default quotas of the catalog.
fn with_quotas() -> TestCloud {
    let catalog = std::sync::Arc::new(rgctl_catalog::Catalog::embedded().unwrap());
    TestCloud::of(TestCloud::new(3).cloud.with_catalog(catalog))
}

#[test]
fn an_account_has_forty_members_in_a_region_whatever_their_cluster() {
    let desk = with_quotas();
    for cluster in ["a", "b", "c"] {
        desk.make(&address(KindId::AuroraCluster, cluster), &cluster_fields());
    }
    let member = |cluster: &str, n: usize| {
        desk.create(&address(KindId::AuroraInstance, &format!("{cluster}-{n}")), &member_fields(cluster, 1))
    };
    for n in 0..40 {
        member(["a", "b", "c"][n / 15], n).unwrap();
    }
    assert_eq!(code(member("c", 40)), "refused InstanceQuotaExceeded");
    let document = address(KindId::DocumentCluster, "d");
    desk.make(&document, &json!({ "engine_version": "5.0.0" }));
    let beside = desk.create(
        &address(KindId::DocumentInstance, "d-1"),
        &json!({ "cluster": "d", "class": "db.r6g.large" }),
    );
    assert_eq!(code(beside), "refused InstanceQuotaExceeded", "both families share the quota");
    let elsewhere = in_region(OTHER, KindId::AuroraCluster, "a");
    desk.make(&elsewhere, &cluster_fields());
    desk.create(&in_region(OTHER, KindId::AuroraInstance, "a-0"), &member_fields("a", 1)).unwrap();
    always(&desk, Fault::Quota { limit: 50 });
    member("c", 40).unwrap();
}

#[test]
fn clusters_snapshots_nodes_and_shards_have_quotas_of_their_own() {
    let desk = with_quotas();
    for n in 0..40 {
        desk.create(&address(KindId::AuroraCluster, &format!("c{n}")), &cluster_fields()).unwrap();
    }
    let one_more = desk.create(&address(KindId::AuroraCluster, "c40"), &cluster_fields());
    assert_eq!(code(one_more), "refused DBClusterQuotaExceededFault");

    let group = |name: &str, shards: u64, replicas: u64| {
        let fields = json!({ "engine": "valkey", "node_type": "cache.r7g.large", "shards": shards,
            "replicas_per_shard": replicas, "cluster_mode": "enabled" });
        desk.create(&address(KindId::CacheGroup, name), &fields)
    };
    assert_eq!(code(group("x", 91, 0)), "refused NodeGroupsPerReplicationGroupQuotaExceeded");
    assert_eq!(code(group("x", 40, 2)), "refused NodeQuotaForClusterExceeded");
    for name in ["a", "b", "c"] {
        group(name, 30, 2).unwrap();
    }
    assert_eq!(code(group("d", 11, 2)), "refused NodeQuotaForCustomerExceeded");
    group("d", 10, 2).unwrap();
    desk.pass(Span::from_hours(3));
    let grown = desk.modify(&address(KindId::CacheGroup, "d"), &json!({ "replicas_per_shard": 3 }));
    assert_eq!(code(grown), "refused NodeQuotaForCustomerExceeded");
    desk.modify(&address(KindId::CacheGroup, "d"), &json!({ "replicas_per_shard": 1 })).unwrap();

    let warehouse = |name: &str, nodes: u64| {
        desk.create(
            &address(KindId::RedshiftCluster, name),
            &json!({ "node_type": "ra3.4xlarge", "nodes": nodes }),
        )
    };
    assert_eq!(code(warehouse("w", 33)), "refused NumberOfNodesPerClusterLimitExceeded");
    for name in ["p", "q", "r", "s", "t", "u"] {
        warehouse(name, 32).unwrap();
    }
    assert_eq!(code(warehouse("v", 9)), "refused NumberOfNodesQuotaExceeded");
}

#[test]
fn the_service_throttles_who_calls_faster_than_its_budget_fills() {
    let desk = TestCloud::new(3);
    let cluster = address(KindId::AuroraCluster, "main");
    let mut made = 0;
    let after = loop {
        match delete_in_haste(&desk, &cluster) {
            CloudError::Throttled { after } => break after,
            _ => made += 1,
        }
    };
    assert_eq!(made, 300);
    assert!(after < Span::from_secs(1));
    desk.pass(Span::from_secs(1));
    for _ in 0..12 {
        assert!(matches!(delete_in_haste(&desk, &cluster), CloudError::NotFound { .. }));
    }
    assert!(matches!(delete_in_haste(&desk, &cluster), CloudError::Throttled { .. }));
    let elsewhere = in_region(OTHER, KindId::AuroraCluster, "main");
    assert!(
        matches!(delete_in_haste(&desk, &elsewhere), CloudError::NotFound { .. }),
        "budgets are by region"
    );
}

#[test]
fn calls_through_the_seam_keep_the_budget_and_take_the_time_that_it_takes() {
    let desk = TestCloud::new(3);
    let cluster = address(KindId::AuroraCluster, "main");
    let now = || desk.cloud.with_world(|world| world.now()).unwrap();
    let start = now();
    for _ in 0..300 {
        assert!(matches!(desk.delete(&cluster, None), Err(CloudError::NotFound { .. })));
    }
    assert_eq!(now(), start, "a full budget is there to be used");
    let op = Op::Delete { address: cluster, final_snapshot: None };
    let token = Token("t".to_owned());
    let permit = Permit::always();
    let answers =
        block_on(futures::future::join_all((0..120).map(|_| desk.cloud.call(&op, &token, &permit))));
    assert!(
        answers.iter().all(|answer| matches!(answer, Err(CloudError::NotFound { .. }))),
        "none is throttled"
    );
    let took = now().since(start).as_secs_f64();
    assert!((9.9..=10.3).contains(&took), "120 calls at 12 a second take 10 s and not {took}");
}

#[test]
fn a_class_that_the_catalog_does_not_list_for_a_region_is_refused_there() {
    let desk = TestCloud::new(3);
    let catalog = std::sync::Arc::new(rgctl_catalog::Catalog::embedded().unwrap());
    let desk = TestCloud::of(desk.cloud.with_catalog(catalog));
    let china = in_region("cn-north-1", KindId::AuroraCluster, "main");
    desk.make(&china, &cluster_fields());
    let mut fields = member_fields("main", 0);
    fields["class"] = json!("db.r3.2xlarge");
    let member = in_region("cn-north-1", KindId::AuroraInstance, "main-1");
    assert_eq!(code(desk.create(&member, &fields)), "refused InvalidParameterCombination");
    fields["class"] = json!("db.r6g.xlarge");
    desk.create(&member, &fields).unwrap();
}

#[test]
fn a_primary_is_not_upgraded_before_its_secondaries() {
    let desk = TestCloud::new(3);
    let (cluster, _) = desk.cluster(1);
    let global = address(KindId::AuroraGlobal, "world");
    desk.make(&global, &json!({ "source": "main", "source_region": super::REGION }));
    let secondary = in_region(OTHER, KindId::AuroraCluster, "far");
    let mut fields = cluster_fields();
    fields["global"] = json!("world");
    desk.make(&secondary, &fields);
    let newer = json!({ "engine_version": "8.0.mysql_aurora.3.10.0" });
    let refusal = desk.modify(&cluster, &newer);
    assert!(format!("{refusal:?}").contains("far is a secondary cluster"), "{refusal:?}");
    assert_eq!(code(refusal), "refused InvalidGlobalClusterStateFault");
    desk.modify(&secondary, &newer).unwrap();
    desk.pass(Span::from_hours(12));
    desk.modify(&cluster, &newer).unwrap();
}

#[test]
fn caches_take_neither_data_on_disk_later_nor_two_changes_of_serverless_at_once() {
    let (desk, group) = cache(&json!({
        "engine": "valkey", "engine_version": "8.0", "node_type": "cache.r6g.xlarge", "cluster_mode": "disabled"
    }));
    assert!(code(desk.modify(&group, &json!({ "node_type": "cache.r6gd.xlarge" }))).starts_with("refused"));
    desk.modify(&group, &json!({ "node_type": "cache.r7g.xlarge" })).unwrap();
    let serverless = address(KindId::CacheServerless, "small");
    desk.make(
        &serverless,
        &json!({ "engine": "valkey", "data_max_gib": 10, "data_min_gib": 1, "snapshot_retention_days": 1 }),
    );
    let two = json!({ "data_max_gib": 20, "snapshot_retention_days": 3 });
    assert!(code(desk.modify(&serverless, &two)).starts_with("refused"), "one change a call");
    desk.modify(&serverless, &json!({ "data_max_gib": 20, "data_min_gib": 2 })).unwrap();
}

#[test]
fn a_cluster_is_switched_to_io_optimized_once_in_thirty_days_and_back_at_any_time() {
    for (kind, refusal) in [
        (KindId::AuroraCluster, "refused StorageTypeNotAvailableFault"),
        (KindId::DocumentCluster, "refused InvalidParameterCombination"),
    ] {
        let desk = TestCloud::new(3);
        let cluster = address(kind, "main");
        // Whoever is made so was not switched.
        desk.make(&cluster, &json!({ "storage_kind": "io-optimized" }));
        assert_eq!(desk.see(&cluster).unwrap().facts.cool_down, None);
        let switch = |to: &str| desk.modify(&cluster, &json!({ "storage_kind": to }));
        let begun = desk.look().taken;
        for to in ["standard", "io-optimized", "standard"] {
            switch(to).unwrap();
            desk.pass(Span::from_hours(1));
        }
        let cooling = desk.see(&cluster).unwrap().facts.cool_down.unwrap();
        assert_eq!(cooling.until, begun + Span::from_hours(1) + Span::from_days(30));
        assert_eq!(code(switch("io-optimized")), refusal);
        desk.modify(&cluster, &json!({ "backup_retention_days": 9 })).unwrap();
        desk.pass(cooling.until.since(desk.look().taken + Span::from_secs(1)));
        assert_eq!(code(switch("io-optimized")), refusal);
        desk.pass(Span::from_secs(1));
        switch("io-optimized").unwrap();
    }
}
