//! Parameters of groups: which take effect at once, and which wait until what uses the group restarts.

use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::ParameterStatus;
use rgctl_model::plan::{Op, Verb};
use rgctl_schema::table::FieldChange;
use rgctl_schema::time::Span;
use serde_json::json;

use super::{TestCloud, address, cluster_fields, member_fields};

/// A cluster of two members with a group of its own.
fn with_group(desk: &TestCloud) -> (Address, Address, Vec<Address>) {
    let group = address(KindId::AuroraClusterParameters, "main");
    let parameters = json!({ "binlog_format": "OFF", "general_log": "0" });
    desk.make(&group, &json!({ "family": "aurora-mysql8.0", "description": "d", "parameters": parameters }));
    let cluster = address(KindId::AuroraCluster, "main");
    let mut fields = cluster_fields();
    fields["parameter_group"] = json!("main");
    desk.make(&cluster, &fields);
    let members = ["main-1", "main-2"].map(|name| address(KindId::AuroraInstance, name));
    for (tier, member) in members.iter().enumerate() {
        desk.make(member, &member_fields("main", tier));
    }
    (group, cluster, members.to_vec())
}

fn status(desk: &TestCloud, member: &Address) -> ParameterStatus {
    desk.see(member).unwrap().facts.parameters
}

#[test]
fn a_static_parameter_waits_for_the_restart_of_each_member_and_a_dynamic_one_for_nobody() {
    let desk = TestCloud::new(1);
    let (group, _, members) = with_group(&desk);
    let set = |name: &str, value: &str| {
        let mut parameters = json!({});
        parameters[name] = json!(value);
        desk.modify(&group, &json!({ "parameters": parameters })).unwrap();
        desk.pass(Span::from_mins(1));
    };
    set("general_log", "1");
    assert!(members.iter().all(|member| status(&desk, member) == ParameterStatus::InSync));
    set("binlog_format", "OFF");
    assert!(
        members.iter().all(|member| status(&desk, member) == ParameterStatus::InSync),
        "it had it before"
    );
    set("binlog_format", "ROW");
    assert!(members.iter().all(|member| status(&desk, member) == ParameterStatus::PendingReboot));
    desk.act(&members[1], Verb::Reboot).unwrap();
    desk.pass(Span::from_mins(10));
    let told = [0, 1].map(|number: usize| status(&desk, &members[number]));
    assert_eq!(told, [ParameterStatus::PendingReboot, ParameterStatus::InSync], "one restart, one member");
    // What a call does not name stays as it was.
    let all = desk.see(&group).unwrap().attrs.get("parameters").unwrap();
    assert_eq!(all, json!({ "binlog_format": "ROW", "general_log": "1" }));
}

#[test]
fn another_group_waits_for_a_restart_and_a_restart_for_another_reason_is_one() {
    let desk = TestCloud::new(1);
    let (_, cluster, members) = with_group(&desk);
    let other = address(KindId::AuroraClusterParameters, "other");
    desk.make(&other, &json!({ "family": "aurora-mysql8.0", "description": "d" }));
    desk.modify(&cluster, &json!({ "parameter_group": "other" })).unwrap();
    desk.pass(Span::from_hours(1));
    assert!(members.iter().all(|member| status(&desk, member) == ParameterStatus::PendingReboot));
    // A failover brings nothing about of it.
    desk.act(&cluster, Verb::Failover { to: Some(members[1].name.clone()) }).unwrap();
    desk.pass(Span::from_hours(1));
    assert!(members.iter().all(|member| status(&desk, member) == ParameterStatus::PendingReboot));
    desk.modify(&members[0], &json!({ "class": "db.r7g.2xlarge" })).unwrap();
    desk.pass(Span::from_hours(12));
    let told = [0, 1].map(|number: usize| status(&desk, &members[number]));
    assert_eq!(told, [ParameterStatus::InSync, ParameterStatus::PendingReboot]);
}

#[test]
fn of_a_warehouse_all_parameters_wait_but_those_of_its_queues() {
    let desk = TestCloud::new(1);
    let group = address(KindId::RedshiftParameters, "main");
    let parameters = json!({ "require_ssl": "false", "wlm_json_configuration": "[]" });
    desk.make(&group, &json!({ "family": "redshift-1.0", "description": "d", "parameters": parameters }));
    let warehouse = address(KindId::RedshiftCluster, "main");
    desk.make(
        &warehouse,
        &json!({ "node_type": "ra3.xlplus", "nodes": 2, "parameter_group": "main", "database": "dev" }),
    );
    desk.modify(&group, &json!({ "parameters": { "wlm_json_configuration": "[{}]" } })).unwrap();
    desk.pass(Span::from_mins(1));
    assert_eq!(status(&desk, &warehouse), ParameterStatus::InSync);
    desk.modify(&group, &json!({ "parameters": { "require_ssl": "true" } })).unwrap();
    desk.pass(Span::from_mins(1));
    assert_eq!(status(&desk, &warehouse), ParameterStatus::PendingReboot);
    desk.act(&warehouse, Verb::Reboot).unwrap();
    desk.pass(Span::from_hours(1));
    assert_eq!(status(&desk, &warehouse), ParameterStatus::InSync);
}

#[test]
fn a_parameter_that_is_taken_out_goes_back_to_its_default_and_waits_for_a_restart_where_it_is_static() {
    let desk = TestCloud::new(1);
    let (group, _, members) = with_group(&desk);
    let take_out = |map: &str, name: &str| {
        desk.call(&Op::Modify {
            address: group.clone(),
            changes: vec![FieldChange::taking_out(map, name, json!("1"), false)],
            attrs: AnyAttrs::empty(group.kind),
        })
    };
    take_out("parameters", "general_log").unwrap();
    take_out("parameters", "long_query_time").unwrap();
    desk.pass(Span::from_mins(1));
    let left = || desk.see(&group).unwrap().attrs.get("parameters").unwrap();
    assert_eq!(left(), json!({ "binlog_format": "OFF" }), "what has its default keeps it");
    assert!(members.iter().all(|member| status(&desk, member) == ParameterStatus::InSync));
    take_out("parameters", "binlog_format").unwrap();
    desk.pass(Span::from_mins(1));
    assert_eq!(left(), json!({}));
    assert!(members.iter().all(|member| status(&desk, member) == ParameterStatus::PendingReboot));
    let tags = [("team", "core"), ("tier", "one")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    desk.call(&Op::Tag { address: group.clone(), tags: tags.into() }).unwrap();
    take_out("tags", "team").unwrap();
    desk.pass(Span::from_mins(1));
    let tags = desk.see(&group).unwrap().facts.tags;
    assert_eq!((tags.get("team"), tags.get("tier").map(String::as_str)), (None, Some("one")));
    let nobody = address(KindId::AuroraClusterParameters, "nobody");
    let changes = vec![FieldChange::taking_out("tags", "team", json!("1"), false)];
    let attrs = AnyAttrs::empty(nobody.kind);
    assert!(desk.call(&Op::Modify { address: nobody, changes, attrs }).is_err());
}
