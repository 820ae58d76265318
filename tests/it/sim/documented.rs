//! Rules that the services document, each by what is refused and what is not. Their sources stand in `docs/embedded-cloud-rules.md`.

use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::observed::ParameterStatus;
use rgctl_model::plan::Verb;
use rgctl_schema::names::Name;
use rgctl_schema::time::Span;
use serde_json::{Value, json};

use super::refusals::{cache, code};
use super::{OTHER, TestCloud, address, cluster_fields, in_region, member_fields};

const COMBINATION: &str = "refused InvalidParameterCombination";

/// A cluster or warehouse that members and workgroups of the tests are in.
fn with_parent(kind: KindId) -> TestCloud {
    let desk = TestCloud::new(3);
    if let Some(parent) = kind.facts().parent {
        desk.make(&address(parent.kind, "main"), &json!({}));
    }
    if let Some(member) = kind.member_kind() {
        desk.make(&address(member, "main"), &json!({}));
    }
    desk
}

/// Fields of a kind, each with what it is made with and what is asked for later.
type OfKind<'a> = (KindId, &'a [(&'a str, Value, Value)]);

#[test]
fn what_the_call_that_changes_an_object_has_no_field_for_stays_as_it_was_made() {
    use KindId as K;
    let text = |field: &'static str| (field, json!("default"), json!("default-2"));
    let fields: &[OfKind<'_>] = &[
        (
            K::AuroraCluster,
            &[
                ("engine", json!("aurora-mysql"), json!("aurora-postgresql")),
                ("storage_encrypted", json!(false), json!(true)),
                text("kms_key"),
                text("database"),
                text("master_username"),
            ],
        ),
        (K::AuroraInstance, &[("engine", json!("aurora-mysql"), json!("aurora-postgresql")), text("zone")]),
        (K::AuroraGlobal, &[("engine", json!("aurora-mysql"), json!("aurora-postgresql"))]),
        (
            K::DocumentCluster,
            &[("storage_encrypted", json!(false), json!(true)), text("kms_key"), text("master_username")],
        ),
        (K::DocumentInstance, &[text("zone")]),
        (
            K::CacheGroup,
            &[
                ("at_rest_encryption", json!(false), json!(true)),
                text("kms_key"),
                text("subnet_group"),
                ("port", json!(6379), json!(6380)),
                ("data_tiering", json!(false), json!(true)),
            ],
        ),
        (K::CacheServerless, &[text("kms_key"), ("subnets", json!(["a"]), json!(["b"]))]),
        (K::CacheUser, &[("engine", json!("redis"), json!("valkey")), text("user_name")]),
        (K::CacheUserGroup, &[("engine", json!("redis"), json!("valkey"))]),
        (K::RedshiftCluster, &[text("database"), text("master_username"), text("subnet_group")]),
        (K::RedshiftNamespace, &[text("database")]),
        (K::RedshiftWorkgroup, &[text("namespace")]),
        (K::AuroraClusterParameters, &[text("family"), text("description")]),
        (K::AuroraInstanceParameters, &[text("family")]),
        (K::DocumentClusterParameters, &[text("family")]),
        (K::CacheParameters, &[text("family")]),
        (K::RedshiftParameters, &[text("family")]),
    ];
    for (kind, fields) in fields {
        for (field, before, after) in *fields {
            let desk = with_parent(*kind);
            let object = address(*kind, "thing");
            let mut made = json!({ *field: before });
            if kind.facts().parent.is_some_and(|parent| parent.field == "cluster") {
                made["cluster"] = json!("main");
            }
            if kind.member_kind().is_some() {
                made["source"] = json!("main");
            }
            desk.make(&object, &made);
            let refusal = desk.modify(&object, &json!({ *field: after })).unwrap_err().to_string();
            assert!(refusal.contains(&format!("{field} cannot be changed")), "{kind} {field}: {refusal}");
            // The same value is no change, and refused by nobody.
            desk.modify(&object, &json!({ *field: before }))
                .unwrap_or_else(|error| panic!("{kind} {field}: {error}"));
        }
    }
}

#[test]
fn no_engine_goes_back_to_an_older_version() {
    for (kind, engine, newer, older) in [
        (KindId::AuroraCluster, "aurora-mysql", "8.0.mysql_aurora.3.10.0", "5.7.mysql_aurora.2.12.0"),
        (KindId::AuroraCluster, "aurora-postgresql", "16.6", "15.4"),
        (KindId::CacheGroup, "valkey", "8.1", "7.2"),
        (KindId::CacheGroup, "redis", "7.1", "6.2"),
    ] {
        let desk = TestCloud::new(3);
        let object = address(kind, "main");
        desk.make(&object, &json!({ "engine": engine, "engine_version": newer }));
        let back = desk.modify(&object, &json!({ "engine_version": older }));
        assert_eq!(code(back), COMBINATION, "{engine}");
    }
    let desk = TestCloud::new(3);
    let documents = address(KindId::DocumentCluster, "main");
    desk.make(&documents, &json!({ "engine_version": "5.0.0" }));
    assert_eq!(code(desk.modify(&documents, &json!({ "engine_version": "4.0.0" }))), COMBINATION);
}

#[test]
fn valkey_goes_back_to_redis_from_its_first_line_only() {
    for (has, to, goes) in [("7.2", "7.1", true), ("7.2", "6.2", false), ("8.0", "7.1", false)] {
        let (desk, group) = cache(&json!({ "engine": "valkey", "engine_version": has }));
        let back = desk.modify(&group, &json!({ "engine": "redis", "engine_version": to }));
        assert_eq!(back.is_ok(), goes, "{has} to {to}: {back:?}");
    }
    let (desk, group) = cache(&json!({ "engine": "redis", "engine_version": "7.1" }));
    desk.modify(&group, &json!({ "engine": "valkey", "engine_version": "8.0" })).unwrap();
}

#[test]
fn cluster_mode_goes_one_way_by_way_of_compatible() {
    let fields = |mode: &str| json!({ "shards": 1, "replicas_per_shard": 1, "cluster_mode": mode });
    for (has, to, goes) in [
        ("disabled", "enabled", false),
        ("disabled", "compatible", true),
        ("compatible", "enabled", true),
        ("compatible", "disabled", true),
        ("enabled", "compatible", false),
        ("enabled", "disabled", false),
    ] {
        let (desk, group) = cache(&fields(has));
        let asked = desk.modify(&group, &json!({ "cluster_mode": to }));
        assert_eq!(asked.is_ok(), goes, "{has} to {to}: {asked:?}");
    }
    let (desk, group) = cache(&fields("disabled"));
    assert_eq!(code(desk.modify(&group, &json!({ "shards": 2 }))), COMBINATION, "shards need the mode");
}

#[test]
fn a_key_has_several_names_and_a_window_is_kept_in_lower_case() {
    let desk = TestCloud::new(3);
    let cluster = address(KindId::AuroraCluster, "main");
    let arn = "arn:aws:kms:us-east-1:111122223333:key/1234";
    desk.make(&cluster, &json!({ "kms_key": arn, "maintenance_window": "sun:05:00-sun:06:00" }));
    for same in [
        json!({ "kms_key": "1234" }),
        json!({ "kms_key": "alias/game" }),
        json!({ "maintenance_window": "Sun:05:00-Sun:06:00" }),
    ] {
        desk.modify(&cluster, &same).unwrap();
        desk.pass(Span::from_secs(6));
        assert_eq!(desk.native(&cluster), "available", "{same} changes nothing");
    }
    assert_eq!(code(desk.modify(&cluster, &json!({ "kms_key": "5678" }))), COMBINATION);
}

#[test]
fn each_kind_has_a_default_quota_and_the_code_of_its_service() {
    let catalog = std::sync::Arc::new(rgctl_catalog::Catalog::embedded().unwrap());
    let whole = |kind: KindId| match kind {
        KindId::CacheUser => json!({ "engine": "valkey", "user_name": "someone" }),
        KindId::RedshiftWorkgroup => json!({ "namespace": "default", "base_rpu": 8 }),
        _ => json!({}),
    };
    for (kind, most, refusal) in [
        (KindId::RdsSubnetGroup, 50, "DBSubnetGroupQuotaExceeded"),
        (KindId::AuroraClusterParameters, 50, "DBParameterGroupQuotaExceeded"),
        (KindId::AuroraInstanceParameters, 50, "DBParameterGroupQuotaExceeded"),
        (KindId::DocumentClusterParameters, 50, "DBParameterGroupQuotaExceeded"),
        (KindId::DocumentCluster, 40, "DBClusterQuotaExceededFault"),
        (KindId::CacheSubnetGroup, 300, "CacheSubnetGroupQuotaExceeded"),
        (KindId::CacheParameters, 300, "CacheParameterGroupQuotaExceeded"),
        (KindId::CacheUser, 2_000, "UserQuotaExceeded"),
        (KindId::CacheUserGroup, 200, "UserGroupQuotaExceeded"),
        (KindId::CacheServerless, 40, "ServerlessCacheQuotaForCustomerExceededFault"),
        (KindId::RedshiftSubnetGroup, 50, "ClusterSubnetGroupQuotaExceeded"),
        (KindId::RedshiftParameters, 20, "ClusterParameterGroupQuotaExceeded"),
        (KindId::RedshiftNamespace, 25, "ServiceQuotaExceededException"),
        (KindId::RedshiftWorkgroup, 25, "ServiceQuotaExceededException"),
    ] {
        let desk = TestCloud::of(TestCloud::new(3).cloud.with_catalog(catalog.clone()));
        let make = |number: usize| desk.create(&address(kind, &format!("x{number}")), &whole(kind));
        for number in 0..most {
            make(number).unwrap_or_else(|error| panic!("{kind} {number}: {error}"));
        }
        assert_eq!(code(make(most)), format!("refused {refusal}"), "{kind}");
    }
}

#[test]
fn what_something_uses_is_not_deleted() {
    let desk = TestCloud::new(3);
    let make = |kind, name: &str, fields: &Value| {
        let object = address(kind, name);
        desk.make(&object, fields);
        object
    };
    let subnets = make(KindId::CacheSubnetGroup, "net", &json!({}));
    let parameters = make(KindId::CacheParameters, "set", &json!({ "family": "valkey8" }));
    let user = make(KindId::CacheUser, "ann", &json!({ "engine": "valkey" }));
    let users = make(KindId::CacheUserGroup, "people", &json!({ "engine": "valkey", "users": ["ann"] }));
    let group = make(
        KindId::CacheGroup,
        "cache",
        &json!({ "engine": "valkey", "engine_version": "8.0", "subnet_group": "net", "parameter_group": "set",
                 "user_group": "people", "transit_encryption": true }),
    );
    let warehouse_net = make(KindId::RedshiftSubnetGroup, "net", &json!({}));
    let settings = make(KindId::RedshiftParameters, "set", &json!({ "family": "redshift-2.0" }));
    let warehouse = make(
        KindId::RedshiftCluster,
        "history",
        &json!({ "node_type": "ra3.xlplus", "nodes": 2, "subnet_group": "net", "parameter_group": "set" }),
    );
    let namespace = make(KindId::RedshiftNamespace, "data", &json!({}));
    let workgroup = make(KindId::RedshiftWorkgroup, "work", &json!({ "namespace": "data" }));
    let kept = [
        (&subnets, "busy CacheSubnetGroupInUse"),
        (&parameters, "busy InvalidCacheParameterGroupState"),
        (&user, "busy InvalidUserState"),
        (&users, "busy InvalidUserGroupState"),
        (&warehouse_net, "busy InvalidClusterSubnetGroupStateFault"),
        (&settings, "busy InvalidClusterParameterGroupState"),
        (&namespace, "busy ConflictException"),
    ];
    for (object, refusal) in kept {
        assert_eq!(code(desk.delete(object, None)), refusal, "{object}");
    }
    for user in [&group, &warehouse, &workgroup] {
        desk.delete(user, None).unwrap();
    }
    desk.pass(Span::from_hours(2));
    for object in [&subnets, &parameters, &users, &warehouse_net, &settings, &namespace] {
        desk.delete(object, None).unwrap_or_else(|error| panic!("{object}: {error}"));
    }
}

#[test]
fn a_newer_major_version_wants_groups_of_its_family() {
    let desk = TestCloud::new(3);
    let group =
        |kind, name: &str, family: &str| desk.make(&address(kind, name), &json!({ "family": family }));
    for (name, family) in [("old", "aurora-postgresql16"), ("new", "aurora-postgresql17")] {
        group(KindId::AuroraClusterParameters, name, family);
        group(KindId::AuroraInstanceParameters, name, family);
    }
    let cluster = address(KindId::AuroraCluster, "main");
    let fields = json!({ "engine": "aurora-postgresql", "engine_version": "16.4", "parameter_group": "old" });
    desk.make(&cluster, &fields);
    let member = address(KindId::AuroraInstance, "main-1");
    desk.make(
        &member,
        &json!({ "cluster": "main", "engine": "aurora-postgresql", "class": "db.r7g.large", "parameter_group": "old" }),
    );
    let alone = json!({ "engine_version": "17.4" });
    assert_eq!(code(desk.modify(&cluster, &alone)), COMBINATION, "the cluster's group is of another family");
    let half = json!({ "engine_version": "17.4", "parameter_group": "new" });
    assert_eq!(code(desk.modify(&cluster, &half)), COMBINATION, "the members' group is of another family");
    desk.modify(&cluster, &json!({ "engine_version": "16.6" })).unwrap();
    desk.pass(Span::from_hours(2));
    let whole =
        json!({ "engine_version": "17.4", "parameter_group": "new", "instance_parameter_group": "new" });
    desk.modify(&cluster, &whole).unwrap();
    desk.pass(Span::from_hours(4));
    assert_eq!(desk.see(&member).unwrap().attrs.text("parameter_group").as_deref(), Some("new"));
    for (kind, set, old, newer) in [
        (KindId::CacheGroup, KindId::CacheParameters, ("valkey7", "7.2"), ("valkey8", "8.0")),
        (
            KindId::DocumentCluster,
            KindId::DocumentClusterParameters,
            ("docdb4.0", "4.0.0"),
            ("docdb5.0", "5.0.0"),
        ),
    ] {
        let desk = TestCloud::new(3);
        for (name, family) in [("old", old.0), ("new", newer.0)] {
            desk.make(&address(set, name), &json!({ "family": family }));
        }
        let object = address(kind, "it");
        let mut fields = json!({ "engine_version": old.1, "parameter_group": "old" });
        if kind == KindId::CacheGroup {
            fields["engine"] = json!("valkey");
        }
        desk.make(&object, &fields);
        assert_eq!(code(desk.modify(&object, &json!({ "engine_version": newer.1 }))), COMBINATION, "{kind}");
        desk.modify(&object, &json!({ "engine_version": newer.1, "parameter_group": "new" })).unwrap();
    }
}

#[test]
fn a_role_moves_only_to_who_can_take_it() {
    let desk = TestCloud::new(3);
    let (cluster, members) = desk.cluster(2);
    let to = |name: &str| Verb::Failover { to: Some(Name::new(name).unwrap()) };
    assert_eq!(code(desk.act(&cluster, to("main-1"))), "refused InvalidParameterValue", "it is the writer");
    assert!(code(desk.act(&cluster, to("nobody"))).starts_with("not found"));
    desk.modify(&members[1], &json!({ "class": "db.r7g.2xlarge" })).unwrap();
    desk.pass(Span::from_secs(6));
    assert_eq!(code(desk.act(&cluster, to("main-2"))), "busy InvalidDBInstanceState");
    let lone = TestCloud::new(3);
    let (cluster, _) = lone.cluster(1);
    assert_eq!(code(lone.act(&cluster, Verb::Failover { to: None })), "busy InvalidDBClusterStateFault");
    assert_eq!(
        code(lone.act(&cluster, Verb::Reboot)),
        "refused UnsupportedOperation",
        "members are restarted"
    );
    let (off, group) = cache(&json!({ "shards": 1, "replicas_per_shard": 1, "automatic_failover": false }));
    assert_eq!(code(off.act(&group, Verb::Failover { to: None })), "refused TestFailoverNotAvailableFault");
    let warehouse = address(KindId::RedshiftCluster, "history");
    off.make(&warehouse, &json!({ "node_type": "ra3.xlplus", "nodes": 2 }));
    assert_eq!(code(off.act(&warehouse, Verb::Failover { to: None })), COMBINATION);
    assert_eq!(code(off.act(&group, Verb::Stop)), "refused UnsupportedOperation", "no cache is stopped");
}

/// A global database of two regions, the second of which has as many members.
fn global(members: usize) -> (TestCloud, [Address; 3]) {
    let desk = TestCloud::new(3);
    let (cluster, _) = desk.cluster(1);
    let global = address(KindId::AuroraGlobal, "world");
    desk.make(&global, &json!({ "source": "main" }));
    let far = in_region(OTHER, KindId::AuroraCluster, "far");
    let mut fields = cluster_fields();
    fields["global"] = json!("world");
    desk.make(&far, &fields);
    for number in 1..=members {
        desk.make(
            &in_region(OTHER, KindId::AuroraInstance, &format!("far-{number}")),
            &member_fields("far", number),
        );
    }
    (desk, [global, cluster, far])
}

#[test]
fn a_global_database_has_one_member_a_region_and_moves_to_one_that_can_write() {
    let (desk, [global, cluster, far]) = global(0);
    let mut fields = cluster_fields();
    fields["global"] = json!("world");
    let second = in_region(OTHER, KindId::AuroraCluster, "far-too");
    assert_eq!(code(desk.create(&second, &fields)), COMBINATION, "one cluster a region");
    let other = address(KindId::AuroraGlobal, "planet");
    assert_eq!(code(desk.create(&other, &json!({ "source": "main" }))), COMBINATION, "one global database");
    let over = |verb: fn(rgctl_schema::names::RegionId, Name) -> Verb, at: &Address| {
        desk.act(&global, verb(at.region.clone(), at.name.clone()))
    };
    let switch = |to, member| Verb::Switchover { to, member };
    let force = |to, member| Verb::FailoverGlobal { to, member };
    assert_eq!(code(over(switch, &far)), COMBINATION, "it has no instance");
    assert_eq!(code(over(force, &far)), COMBINATION, "it has no instance");
    assert_eq!(code(over(switch, &cluster)), "refused InvalidParameterValue", "it is the primary");
    desk.make(&in_region(OTHER, KindId::AuroraInstance, "far-1"), &member_fields("far", 1));
    desk.modify(&far, &json!({ "engine_version": "8.0.mysql_aurora.3.10.0" })).unwrap();
    desk.pass(Span::from_hours(2));
    assert_eq!(code(over(switch, &far)), "refused InvalidGlobalClusterStateFault", "versions differ");
    assert_eq!(code(desk.delete(&global, None)), "busy InvalidGlobalClusterStateFault", "it has members");
    assert_eq!(code(desk.act(&far, Verb::Failover { to: None })), "refused InvalidGlobalClusterStateFault");
    let leave =
        |at: &Address| desk.act(&global, Verb::Detach { region: at.region.clone(), member: at.name.clone() });
    assert_eq!(code(leave(&cluster)), "refused InvalidGlobalClusterStateFault", "the primary goes last");
    leave(&far).unwrap();
    desk.pass(Span::from_secs(6));
    assert_eq!(desk.native(&far), "promoting");
    desk.pass(Span::from_hours(1));
    leave(&cluster).unwrap();
    desk.pass(Span::from_hours(1));
    desk.delete(&global, None).unwrap();
}

#[test]
fn a_global_datastore_without_secondaries_says_so_and_keeps_its_primary() {
    let (desk, group) =
        cache(&json!({ "engine": "valkey", "engine_version": "8.0", "node_type": "cache.r7g.large" }));
    let global = address(KindId::CacheGlobal, "world");
    desk.make(&global, &json!({ "source": "cache" }));
    assert_eq!(desk.native(&global), "primary-only");
    let leave = Verb::Detach { region: group.region.clone(), member: group.name.clone() };
    assert_eq!(code(desk.act(&global, leave)), "refused InvalidGlobalReplicationGroupState");
    assert_eq!(code(desk.delete(&group, None)), "busy InvalidGlobalReplicationGroupState");
    desk.delete(&global, None).unwrap();
    desk.pass(Span::from_hours(2));
    desk.delete(&group, None).unwrap();
}

#[test]
fn one_update_of_a_workgroup_changes_one_setting_and_a_warehouse_resizes_alone() {
    let desk = TestCloud::new(3);
    let (namespace, work) =
        (address(KindId::RedshiftNamespace, "data"), address(KindId::RedshiftWorkgroup, "work"));
    desk.make(&namespace, &json!({}));
    desk.make(
        &work,
        &json!({ "namespace": "data", "base_rpu": 8, "port": 5439, "max_rpu": 64,
        "publicly_accessible": false, "enhanced_vpc_routing": false }),
    );
    for (field, value) in [
        ("max_rpu", json!(128)),
        ("port", json!(5440)),
        ("publicly_accessible", json!(true)),
        ("enhanced_vpc_routing", json!(true)),
    ] {
        let both = desk.modify(&work, &json!({ "base_rpu": 16, field: value }));
        assert_eq!(code(both), "refused ValidationException", "{field}");
    }
    desk.modify(&work, &json!({ "base_rpu": 16 })).unwrap();
    let warehouse = address(KindId::RedshiftCluster, "history");
    desk.make(&warehouse, &json!({ "node_type": "ra3.xlplus", "nodes": 2, "snapshot_retention_days": 1, "multi_az": false,
        "publicly_accessible": false, "enhanced_vpc_routing": false, "port": 5439, "encrypted": true, "kms_key": "one" }));
    for (field, value) in [
        ("nodes", json!(4)),
        ("multi_az", json!(true)),
        ("publicly_accessible", json!(true)),
        ("enhanced_vpc_routing", json!(true)),
        ("port", json!(5440)),
        ("kms_key", json!("two")),
    ] {
        let both = desk.modify(&warehouse, &json!({ "snapshot_retention_days": 9, field: value }));
        assert_eq!(code(both), COMBINATION, "{field}");
    }
    desk.modify(&warehouse, &json!({ "encrypted": false, "kms_key": "two" })).unwrap();
    desk.pass(Span::from_secs(6));
    assert_eq!(desk.native(&warehouse), "resizing", "all data is copied, and nothing is written");
}

#[test]
fn how_far_an_elastic_resize_leads_depends_on_the_class() {
    for (class, from, to, is_elastic) in [
        ("ra3.4xlarge", 2, 8, true),
        ("ra3.4xlarge", 2, 9, false),
        ("ra3.4xlarge", 8, 2, true),
        ("ra3.16xlarge", 4, 16, true),
        ("ra3.xlplus", 2, 4, true),
        ("ra3.xlplus", 2, 5, false),
        ("ra3.large", 4, 8, true),
        ("ra3.large", 8, 3, false),
    ] {
        let desk = TestCloud::new(3);
        let warehouse = address(KindId::RedshiftCluster, "history");
        desk.make(&warehouse, &json!({ "node_type": class, "nodes": from }));
        desk.modify(&warehouse, &json!({ "nodes": to })).unwrap();
        desk.pass(Span::from_mins(30));
        assert_eq!(desk.native(&warehouse) == "available", is_elastic, "{class} from {from} to {to}");
    }
}

#[test]
fn protection_ends_at_once_also_while_members_are_busy_and_a_last_snapshot_is_one_of_its_name() {
    for (kind, member) in
        [(KindId::AuroraCluster, KindId::AuroraInstance), (KindId::DocumentCluster, KindId::DocumentInstance)]
    {
        let desk = TestCloud::new(3);
        let (cluster, member) = (address(kind, "main"), address(member, "main-1"));
        desk.make(&cluster, &json!({ "deletion_protection": true }));
        assert_eq!(code(desk.delete(&cluster, None)), COMBINATION);
        desk.create(&member, &json!({ "cluster": "main", "class": "db.r6g.large" })).unwrap();
        desk.modify(&cluster, &json!({ "deletion_protection": false })).unwrap();
        assert_eq!(
            code(desk.modify(&cluster, &json!({ "backup_retention_days": 9 }))),
            "busy InvalidDBInstanceState"
        );
        desk.pass(Span::from_hours(1));
        assert_eq!(
            code(desk.delete(&cluster, Some("last"))),
            "busy InvalidDBClusterStateFault",
            "it has a member"
        );
        desk.delete(&member, None).unwrap();
        desk.pass(Span::from_hours(1));
        desk.delete(&cluster, Some("last")).unwrap();
        desk.pass(Span::from_hours(1));
        desk.make(&cluster, &json!({}));
        assert_eq!(code(desk.delete(&cluster, Some("last"))), "refused DBClusterSnapshotAlreadyExistsFault");
    }
    let desk = TestCloud::new(3);
    let cache = address(KindId::CacheGroup, "cache");
    let warehouse = address(KindId::RedshiftCluster, "history");
    for (object, fields, refusal) in [
        (&cache, json!({ "engine": "valkey" }), "refused SnapshotAlreadyExistsFault"),
        (
            &warehouse,
            json!({ "node_type": "ra3.xlplus", "nodes": 2 }),
            "refused ClusterSnapshotAlreadyExists",
        ),
    ] {
        for round in 0..2 {
            desk.make(object, &fields);
            let asked = desk.delete(object, Some("last"));
            if round == 1 {
                assert_eq!(code(asked), refusal);
                continue;
            }
            asked.unwrap();
            desk.pass(Span::from_hours(3));
        }
    }
}

#[test]
fn static_parameters_of_every_engine_wait_for_a_restart() {
    for (engine, family, name) in [
        ("aurora-postgresql", "aurora-postgresql16", "shared_preload_libraries"),
        ("aurora-postgresql", "aurora-postgresql16", "rds.logical_replication"),
        ("aurora-postgresql", "aurora-postgresql16", "max_connections"),
        ("aurora-mysql", "aurora-mysql8.0", "gtid-mode"),
        ("aurora-mysql", "aurora-mysql8.0", "performance_schema"),
        ("docdb", "docdb5.0", "tls"),
    ] {
        let (kind, member, set) = match engine {
            "docdb" => (KindId::DocumentCluster, KindId::DocumentInstance, KindId::DocumentClusterParameters),
            _ => (KindId::AuroraCluster, KindId::AuroraInstance, KindId::AuroraClusterParameters),
        };
        let desk = TestCloud::new(3);
        let group = address(set, "set");
        desk.make(&group, &json!({ "family": family, "parameters": { name: "0", "dynamic_one": "0" } }));
        let mut fields = json!({ "parameter_group": "set" });
        if engine != "docdb" {
            fields["engine"] = json!(engine);
        }
        desk.make(&address(kind, "main"), &fields);
        let member = address(member, "main-1");
        desk.make(&member, &json!({ "cluster": "main", "class": "db.r6g.large" }));
        let status = || desk.see(&member).unwrap().facts.parameters;
        let set = |name: &str| {
            desk.modify(&group, &json!({ "parameters": { name: "1" } })).unwrap();
            desk.pass(Span::from_mins(1));
        };
        set("dynamic_one");
        assert_eq!(status(), ParameterStatus::InSync, "{family}");
        set(name);
        assert_eq!(status(), ParameterStatus::PendingReboot, "{family} {name}");
        desk.act(&member, Verb::Reboot).unwrap();
        desk.pass(Span::from_hours(1));
        assert_eq!(status(), ParameterStatus::InSync, "{family} {name}");
    }
}

#[test]
fn members_restart_for_another_class_and_another_certificate_and_all_of_them_for_another_port() {
    for (kind, member) in
        [(KindId::AuroraCluster, KindId::AuroraInstance), (KindId::DocumentCluster, KindId::DocumentInstance)]
    {
        let desk = TestCloud::new(3);
        let (cluster, first) = (address(kind, "main"), address(member, "main-1"));
        desk.make(&cluster, &json!({ "port": 3306 }));
        desk.make(
            &first,
            &json!({ "cluster": "main", "class": "db.r6g.large", "ca_certificate": "rds-ca-rsa2048-g1" }),
        );
        let down = |at: &Address| desk.cloud.with_world(|world| world.outage(at)).unwrap();
        for change in [
            json!({ "class": "db.r6g.xlarge" }),
            json!({ "ca_certificate": "rds-ca-ecc384-g1" }),
            json!({ "class": "db.r6g.large", "ca_certificate": "rds-ca-rsa2048-g1" }),
        ] {
            let before = down(&first);
            desk.modify(&first, &change).unwrap();
            desk.pass(Span::from_hours(2));
            assert!(down(&first) > before, "{change} restarts it");
        }
        let before = down(&first);
        desk.modify(&first, &json!({ "promotion_tier": 3 })).unwrap();
        desk.pass(Span::from_hours(2));
        assert_eq!(down(&first), before, "a tier restarts nobody");
        let before = down(&cluster);
        desk.modify(&cluster, &json!({ "port": 3307 })).unwrap();
        desk.pass(Span::from_hours(2));
        assert!(down(&cluster) > before, "another port interrupts");
    }
}

#[test]
fn whether_a_version_is_supported_past_its_time_is_said_at_birth_and_for_good() {
    for kind in [KindId::AuroraCluster, KindId::AuroraGlobal] {
        let desk = with_parent(kind);
        let object = address(kind, "thing");
        desk.make(
            &object,
            &json!({ "source": "main", "extended_support": false }).as_object().map_or(json!({}), |all| {
                let fits = |field: &str| field != "source" || kind == KindId::AuroraGlobal;
                all.iter()
                    .filter(|(field, _)| fits(field))
                    .map(|(field, value)| (field.clone(), value.clone()))
                    .collect()
            }),
        );
        let refusal = desk.modify(&object, &json!({ "extended_support": true })).unwrap_err().to_string();
        assert!(refusal.contains("cannot be changed"), "{kind}: {refusal}");
    }
}

#[test]
fn a_secret_is_made_once_and_copied_to_regions_and_its_key_may_change() {
    let desk = TestCloud::new(3);
    let secret = address(KindId::Secret, "game-a");
    desk.make(&secret, &json!({ "username": "rgctladmin", "kms_key": "one", "replica_regions": [OTHER] }));
    assert!(code(desk.create(&secret, &json!({}))).starts_with("conflict"));
    desk.modify(&secret, &json!({ "kms_key": "two" })).unwrap();
    desk.modify(&secret, &json!({ "replica_regions": ["eu-west-1"] })).unwrap();
    assert!(desk.see(&secret).unwrap().attrs.get("username").is_none(), "no list tells what it holds");
}

#[test]
fn a_cluster_is_made_without_roles_and_given_them_alone() {
    let desk = TestCloud::new(3);
    let cluster = address(KindId::AuroraCluster, "main");
    let roles = json!(["s3Import=arn:aws:iam::111122223333:role/load"]);
    desk.make(&cluster, &json!({ "iam_roles": roles }));
    assert_eq!(desk.see(&cluster).unwrap().attrs.get("iam_roles"), Some(json!([])));
    let both = desk.modify(&cluster, &json!({ "iam_roles": roles, "backup_retention_days": 9 }));
    assert_eq!(code(both), COMBINATION);
    desk.modify(&cluster, &json!({ "iam_roles": roles })).unwrap();
    desk.pass(Span::from_hours(1));
    assert_eq!(desk.see(&cluster).unwrap().attrs.get("iam_roles"), Some(roles));
    let warehouse = address(KindId::RedshiftCluster, "history");
    let arn = "arn:aws:iam::111122223333:role/load";
    desk.make(&warehouse, &json!({ "node_type": "ra3.xlplus", "nodes": 2, "iam_roles": [arn] }));
    assert_eq!(
        desk.see(&warehouse).unwrap().attrs.get("iam_roles"),
        Some(json!([arn])),
        "it is made with them"
    );
    desk.modify(&warehouse, &json!({ "iam_roles": [arn], "default_iam_role": arn })).unwrap();
}
