//! Ways on which the services change an object, and states in which they take no change; sources stand with the rules.

use rgctl_model::kinds::KindId;
use rgctl_model::plan::Verb;
use rgctl_schema::time::Span;
use serde_json::json;

use super::refusals::{cache, code};
use super::{TestCloud, address};

#[test]
fn encryption_of_connections_goes_by_way_of_preferred_and_carries_the_users() {
    let fields = |engine: &str, version: &str| {
        json!({
            "engine": engine, "engine_version": version, "node_type": "cache.r7g.large", "cluster_mode": "disabled",
            "transit_encryption": false,
        })
    };
    let (desk, group) = cache(&fields("valkey", "8.0"));
    let set = |encryption: serde_json::Value| {
        let answer = desk.modify(&group, &json!({ "transit_encryption": encryption }));
        desk.pass(Span::from_hours(2));
        answer
    };
    assert_eq!(code(set(json!(true))), "refused InvalidParameterCombination");
    desk.make(&address(KindId::CacheUser, "someone"), &json!({ "engine": "valkey" }));
    let users = address(KindId::CacheUserGroup, "users");
    desk.make(&users, &json!({ "engine": "valkey", "users": ["someone"] }));
    let bind = json!({ "user_group": "users" });
    assert_eq!(code(desk.modify(&group, &bind)), "refused InvalidParameterCombination", "not in the open");
    set(json!("preferred")).unwrap();
    set(json!(true)).unwrap();
    assert_eq!(code(set(json!(false))), "refused InvalidParameterCombination");
    set(json!("preferred")).unwrap();
    set(json!(false)).unwrap();
    set(json!("preferred")).unwrap();
    desk.modify(&group, &bind).unwrap();
    desk.pass(Span::from_hours(2));
    for other in [json!(true), json!(false)] {
        assert_eq!(code(set(other)), "refused InvalidParameterCombination", "not under its users");
    }
    desk.modify(&group, &json!({ "user_group": "" })).unwrap();
    desk.pass(Span::from_hours(2));
    desk.delete(&users, None).unwrap();
    set(json!(false)).unwrap();
    let (old, group) = cache(&fields("redis", "6.2"));
    // Nor is it changed of a member of a global datastore.
    let global = address(KindId::CacheGlobal, "whole");
    desk.make(&global, &json!({ "source": "cache", "source_region": super::REGION }));
    assert_eq!(code(set(json!("preferred"))), "refused InvalidParameterCombination");
    let preferred = json!({ "transit_encryption": "preferred" });
    assert_eq!(code(old.modify(&group, &preferred)), "refused InvalidParameterCombination", "since 7");
}

#[test]
fn a_warehouse_runs_when_it_is_made_whatever_was_asked_for() {
    let desk = TestCloud::new(3);
    let at = address(KindId::RedshiftCluster, "wh");
    desk.make(&at, &json!({ "node_type": "ra3.xlplus", "nodes": 2, "paused": true }));
    assert_eq!(desk.native(&at), "available");
    assert_eq!(desk.see(&at).unwrap().attrs.get("paused"), Some(json!(false)));
    desk.modify(&at, &json!({ "paused": true })).unwrap();
    desk.pass(Span::from_hours(1));
    assert_eq!(desk.native(&at), "paused");
    assert_eq!(code(desk.modify(&at, &json!({ "snapshot_retention_days": 9 }))), "busy InvalidClusterState");
}

#[test]
fn a_warehouse_without_automated_snapshots_cannot_be_paused_and_one_that_is_paused_not_deleted() {
    let desk = TestCloud::new(3);
    let at = address(KindId::RedshiftCluster, "wh");
    desk.make(&at, &json!({ "node_type": "ra3.xlplus", "nodes": 2, "snapshot_retention_days": 0 }));
    assert_eq!(code(desk.modify(&at, &json!({ "paused": true }))), "refused UnsupportedOperation");
    assert_eq!(code(desk.act(&at, Verb::Stop)), "refused UnsupportedOperation");
    desk.modify(&at, &json!({ "snapshot_retention_days": 1 })).unwrap();
    desk.pass(Span::from_hours(1));
    desk.act(&at, Verb::Stop).unwrap();
    desk.pass(Span::from_hours(1));
    assert_eq!(code(desk.delete(&at, None)), "busy InvalidClusterState");
    desk.pass(Span::from_days(30));
    assert_eq!(desk.native(&at), "paused", "nobody starts it");
    desk.act(&at, Verb::Start).unwrap();
    desk.pass(Span::from_hours(1));
    desk.delete(&at, None).unwrap();
}

#[test]
fn a_stopped_cluster_refuses_everything_and_is_started_after_seven_days() {
    for (kind, member_kind) in
        [(KindId::AuroraCluster, KindId::AuroraInstance), (KindId::DocumentCluster, KindId::DocumentInstance)]
    {
        let desk = TestCloud::new(3);
        let (cluster, member) = (address(kind, "main"), address(member_kind, "main-1"));
        desk.make(&cluster, &json!({ "backup_retention_days": 7 }));
        let fields = json!({ "cluster": "main", "class": "db.r6g.large" });
        desk.make(&member, &fields);
        let stop = || {
            desk.act(&cluster, Verb::Stop).unwrap();
            desk.pass(Span::from_hours(1));
            assert_eq!(desk.native(&cluster), "stopped");
        };
        stop();
        let state = "busy InvalidDBClusterStateFault";
        assert_eq!(code(desk.modify(&cluster, &json!({ "backup_retention_days": 9 }))), state);
        assert_eq!(code(desk.create(&address(member_kind, "main-2"), &fields)), state);
        assert_eq!(code(desk.delete(&cluster, None)), state);
        assert!(code(desk.delete(&member, None)).starts_with("busy InvalidDB"));
        assert!(code(desk.modify(&member, &json!({ "promotion_tier": 3 }))).starts_with("busy InvalidDB"));
        desk.pass(Span::from_days(6));
        // A new stop begins a new week.
        desk.act(&cluster, Verb::Start).unwrap();
        desk.pass(Span::from_hours(2));
        stop();
        desk.pass(Span::from_days(6));
        assert_eq!(desk.native(&cluster), "stopped");
        desk.pass(Span::from_days(2));
        assert_eq!(desk.native(&cluster), "available");
        assert_eq!(desk.native(&member), "available");
        // Stopped without members, one of Aurora goes.
        desk.delete(&member, None).unwrap();
        desk.pass(Span::from_hours(2));
        stop();
        assert_eq!(desk.delete(&cluster, None).is_ok(), kind == KindId::AuroraCluster);
    }
}

#[test]
fn a_global_datastore_gives_its_members_parameters_and_changes_them_together() {
    let fields = json!({
        "engine": "valkey", "engine_version": "8.0", "node_type": "cache.r7g.large", "cluster_mode": "disabled",
        "shards": 1, "replicas_per_shard": 1, "parameter_group": "default.valkey8",
    });
    let (desk, group) = cache(&fields);
    let global = address(KindId::CacheGlobal, "whole");
    desk.make(&global, &json!({ "source": "cache", "source_region": super::REGION }));
    let other = super::in_region(super::OTHER, KindId::CacheGroup, "cache-2");
    let mut joins = fields.clone();
    joins["global"] = json!("whole");
    desk.make(&other, &joins);
    let own = json!({ "parameter_group": "default.valkey8" });
    for member in [&group, &other] {
        let seen = desk.see(member).unwrap().attrs.get("parameter_group");
        assert_eq!(seen, Some(json!("global-datastore-whole")), "{member}");
        assert_eq!(code(desk.modify(member, &own)), "refused InvalidParameterCombination");
    }
    for (field, value) in [("node_type", json!("cache.r7g.xlarge")), ("engine_version", json!("8.1"))] {
        let wish = json!({ field: value.clone() });
        assert!(code(desk.modify(&other, &wish)).starts_with("busy"), "its {field} is not its own");
        desk.modify(&group, &wish).unwrap();
        desk.pass(Span::from_hours(3));
        for member in [&group, &other] {
            assert_eq!(desk.see(member).unwrap().attrs.get(field), Some(value.clone()), "{member}");
        }
    }
    // What has left takes a group of its own again.
    let verb = Verb::Detach { region: other.region.clone(), member: other.name.clone() };
    desk.act(&global, verb).unwrap();
    desk.pass(Span::from_hours(3));
    desk.modify(&other, &own).unwrap();
}
