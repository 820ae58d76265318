//! Who writes: in a cluster, and among regions.

use rgctl_model::kinds::KindId;
use rgctl_model::plan::Verb;
use rgctl_model::ports::CloudError;
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::Span;
use serde_json::json;

use super::{OTHER, TestCloud, address, cluster_fields, in_region, member_fields};

fn role(desk: &TestCloud, member: &rgctl_model::address::Address) -> Option<Role> {
    desk.see(member).unwrap().facts.role
}

#[test]
fn the_first_member_writes_and_the_cluster_tells_of_all() {
    let desk = TestCloud::new(1);
    let (cluster, members) = desk.cluster(3);
    let told: Vec<(String, Role)> = desk
        .see(&cluster)
        .unwrap()
        .facts
        .members
        .iter()
        .map(|member| (member.name.to_string(), member.role))
        .collect();
    let expected = [("main-1", Role::Writer), ("main-2", Role::Reader), ("main-3", Role::Reader)]
        .map(|(n, r)| (n.to_owned(), r));
    assert_eq!(told, expected);
    let zones: std::collections::BTreeSet<_> =
        members.iter().map(|address| desk.see(address).unwrap().attrs.text("zone").unwrap()).collect();
    assert_eq!(zones.len(), 3, "members share a zone");
}

#[test]
fn a_failover_has_no_writer_on_the_way_and_the_named_one_at_the_end() {
    let desk = TestCloud::new(1);
    let (cluster, members) = desk.cluster(3);
    desk.act(&cluster, Verb::Failover { to: Some(members[2].name.clone()) }).unwrap();
    assert_eq!(desk.see(&cluster).unwrap().facts.phase, Phase::Ready, "the write is seen at once");
    desk.pass(Span::from_secs(6));
    assert_eq!(desk.native(&cluster), "failing-over");
    assert!(members.iter().all(|address| role(&desk, address) == Some(Role::Reader)));
    desk.pass(Span::from_mins(5));
    assert_eq!(desk.native(&cluster), "available");
    let roles: Vec<_> = members.iter().map(|address| role(&desk, address).unwrap()).collect();
    assert_eq!(roles, [Role::Reader, Role::Reader, Role::Writer]);
    assert_eq!(desk.cloud.violations(), []);
}

#[test]
fn when_the_writer_is_deleted_the_reader_of_the_lowest_tier_takes_over() {
    let desk = TestCloud::new(1);
    let (cluster, members) = desk.cluster(3);
    desk.delete(&members[0], None).unwrap();
    desk.pass(Span::from_secs(6));
    assert_eq!(desk.native(&cluster), "failing-over");
    desk.pass(Span::from_hours(1));
    assert_eq!(role(&desk, &members[1]), Some(Role::Writer));
    assert_eq!(role(&desk, &members[2]), Some(Role::Reader));
    assert!(desk.see(&members[0]).is_none());
}

#[test]
fn a_reader_that_changes_its_class_is_out_for_a_while_and_a_writer_hands_over() {
    let desk = TestCloud::new(1);
    let (_, members) = desk.cluster(2);
    for (n, member) in members.iter().rev().enumerate() {
        desk.modify(member, &json!({ "class": "db.r7g.2xlarge" })).unwrap();
        let mut words = std::collections::BTreeSet::new();
        for _ in 0..400 {
            desk.pass(Span::from_secs(10));
            words.insert(desk.native(member));
        }
        assert_eq!(words.into_iter().collect::<Vec<_>>(), ["available", "modifying", "rebooting"], "{n}");
    }
    assert_eq!(role(&desk, &members[1]), Some(Role::Writer), "the writer went down and nobody took over");
    assert_eq!(desk.cloud.violations(), []);
}

#[test]
fn a_lost_zone_costs_its_members_and_moves_the_writer() {
    let desk = TestCloud::new(1);
    let (cluster, members) = desk.cluster(2);
    let zone = desk.see(&members[0]).unwrap().attrs.text("zone").unwrap();
    desk.cloud
        .with_world(|world| {
            let now = world.now();
            let fault = rgctl_sim::Fault::ZoneLoss { zone };
            world.add_fault(rgctl_sim::Rule::always(fault, now, now + Span::from_hours(1)));
        })
        .unwrap();
    desk.pass(Span::from_mins(10));
    assert!(!desk.see(&members[0]).unwrap().facts.phase.is_ready());
    assert_eq!(role(&desk, &members[1]), Some(Role::Writer));
    desk.pass(Span::from_hours(2));
    assert_eq!(desk.native(&members[0]), "available");
    assert_eq!(desk.native(&cluster), "available");
}

#[test]
fn stopping_stops_the_members_and_starting_starts_them() {
    let desk = TestCloud::new(1);
    let (cluster, members) = desk.cluster(2);
    desk.act(&cluster, Verb::Stop).unwrap();
    desk.pass(Span::from_hours(1));
    assert!([&cluster, &members[0], &members[1]].iter().all(|address| desk.native(address) == "stopped"));
    assert!(matches!(
        desk.modify(&cluster, &json!({ "backup_retention_days": 9 })),
        Err(CloudError::Busy { .. })
    ));
    desk.act(&cluster, Verb::Start).unwrap();
    desk.pass(Span::from_hours(3));
    assert!([&cluster, &members[0], &members[1]].iter().all(|address| desk.native(address) == "available"));
    assert_eq!(role(&desk, &members[0]), Some(Role::Writer));
}

/// A global cluster `world` over `main` here and `far` in the other region, each with two members.
fn global(desk: &TestCloud) -> [rgctl_model::address::Address; 3] {
    let (cluster, _) = desk.cluster(2);
    let global = address(KindId::AuroraGlobal, "world");
    desk.make(&global, &json!({ "source": "main", "engine": "aurora-mysql" }));
    let far = in_region(OTHER, KindId::AuroraCluster, "far");
    let mut fields = cluster_fields();
    fields["global"] = json!("world");
    desk.make(&far, &fields);
    for n in 1..=2 {
        let member = in_region(OTHER, KindId::AuroraInstance, &format!("far-{n}"));
        desk.make(&member, &member_fields("far", n));
    }
    [global, cluster, far]
}

fn to_far() -> (RegionId, Name) {
    (RegionId::new(OTHER).unwrap(), Name::new("far").unwrap())
}

#[test]
fn a_switchover_swaps_the_regions_and_back() {
    let desk = TestCloud::new(1);
    let [global, cluster, far] = global(&desk);
    assert_eq!((role(&desk, &cluster), role(&desk, &far)), (Some(Role::Writer), Some(Role::Reader)));
    let far_1 = in_region(OTHER, KindId::AuroraInstance, "far-1");
    assert_eq!(role(&desk, &far_1), Some(Role::Reader), "a secondary region has no writer");
    let (to, member) = to_far();
    desk.act(&global, Verb::Switchover { to, member }).unwrap();
    desk.pass(Span::from_secs(6));
    assert_eq!(desk.native(&global), "switching-over");
    assert!(matches!(desk.act(&global, Verb::Stop), Err(CloudError::Busy { .. })), "a second verb was taken");
    desk.pass(Span::from_hours(1));
    assert_eq!((role(&desk, &cluster), role(&desk, &far)), (Some(Role::Reader), Some(Role::Writer)));
    assert_eq!(role(&desk, &far_1), Some(Role::Writer));
    assert_eq!(role(&desk, &address(KindId::AuroraInstance, "main-1")), Some(Role::Reader));
    let (to, member) = (cluster.region.clone(), cluster.name.clone());
    desk.act(&global, Verb::Switchover { to, member }).unwrap();
    desk.pass(Span::from_hours(1));
    assert_eq!((role(&desk, &cluster), role(&desk, &far)), (Some(Role::Writer), Some(Role::Reader)));
    assert_eq!(desk.cloud.violations(), []);
}

#[test]
fn a_lost_region_is_silent_and_the_other_can_take_over() {
    let desk = TestCloud::new(1);
    let [global, cluster, far] = global(&desk);
    desk.cloud
        .with_world(|world| {
            let now = world.now();
            let rule = rgctl_sim::Rule::always(rgctl_sim::Fault::RegionLoss, now, now + Span::from_hours(2));
            world.add_fault(rule.in_region(cluster.region.clone()))
        })
        .unwrap();
    let error = desk.modify(&cluster, &json!({ "backup_retention_days": 9 })).unwrap_err();
    assert!(matches!(error, CloudError::Unreachable { .. }));
    let inventory = desk.look();
    assert!(!inventory.is_complete_for(&cluster) && inventory.is_complete_for(&far));
    assert!(!inventory.seen.contains_key(&cluster) && inventory.seen.contains_key(&global));
    let (to, member) = to_far();
    let planned = desk.act(&global, Verb::Switchover { to: to.clone(), member: member.clone() });
    assert!(matches!(planned, Err(CloudError::Busy { .. })), "{planned:?}");
    desk.act(&global, Verb::FailoverGlobal { to, member }).unwrap();
    desk.pass(Span::from_hours(1));
    assert_eq!(role(&desk, &far), Some(Role::Writer));
    desk.pass(Span::from_hours(2));
    assert_eq!(role(&desk, &cluster), Some(Role::Reader), "the old primary came back as a second one");
    assert_eq!(desk.cloud.violations(), []);
}

#[test]
fn a_detached_member_writes_for_itself() {
    let desk = TestCloud::new(1);
    let [global, cluster, far] = global(&desk);
    let (region, member) = (cluster.region.clone(), cluster.name.clone());
    assert!(desk.act(&global, Verb::Detach { region, member }).is_err(), "the primary was detached first");
    let (region, member) = to_far();
    desk.act(&global, Verb::Detach { region, member }).unwrap();
    desk.pass(Span::from_hours(1));
    assert_eq!(role(&desk, &far), None);
    assert_eq!(role(&desk, &in_region(OTHER, KindId::AuroraInstance, "far-1")), Some(Role::Writer));
    assert_eq!(desk.see(&global).unwrap().facts.members.len(), 1);
}
