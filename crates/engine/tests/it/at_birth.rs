//! What the services take when an object is made and never after; and certificates, which restart who has them.

use rgctl_model::health::Trouble;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::plan::{Blocker, Disturbance, Op, Plan};
use rgctl_model::policy::Policy;
use serde_json::{Value, json};

use crate::planning::position;
use rgctl_testkit::fixtures::*;
use rgctl_testkit::site::Site;

const NAME: &str = "game-accounts-use1";

/// A cluster of three members with that in one of its kinds.
fn store(kind: KindId, field: &str, value: &Value) -> Desired {
    let mut wanted = desired(cluster_store("accounts", "us-east-1", 3, "db.r7g.large"));
    for (address, node) in &mut wanted.nodes {
        if address.kind == kind {
            node.attrs.set(field, Some(value.clone())).unwrap();
        }
    }
    wanted
}

fn planned(wanted: &Desired, before: &Desired) -> Plan {
    plan_for(wanted, &world_of(before), &Policy::default())
}

#[test]
fn support_past_its_end_is_asked_for_at_birth_and_a_later_wish_is_told_and_changes_nothing() {
    let with = |on: bool| store(KindId::AuroraCluster, "extended_support", &json!(on));
    let plan = planned(&with(false), &with(true));
    assert_eq!(lines(&plan), Vec::<String>::new(), "no database is made anew for it");
    let told: Vec<&Blocker> = plan.waiting.iter().collect();
    let [Blocker::BornOtherwise { address, field, .. }] = told[..] else { panic!("{told:#?}") };
    assert_eq!((address.name.as_str(), field.as_str()), (NAME, "extended_support"));
    assert!(told[0].to_string().contains("has extended_support true, not false"), "{}", told[0]);
    assert!(plan.health.counts.contains_key(&Trouble::Held), "it is said until somebody decides");
    assert!(planned(&with(true), &with(true)).is_clean());
    // Where the service does not tell, nobody knows otherwise.
    let mut world = world_of(&with(true));
    let seen = world.seen.get_mut(&address_of_cluster()).unwrap();
    seen.attrs.set("extended_support", None).unwrap();
    assert!(plan_for(&with(false), &world, &Policy::default()).waiting.is_empty());
    // It stands in nobody's way, and a new store has it from the beginning.
    let mut site = Site::new(5);
    site.apply(&with(false));
    site.assert_settled(&with(false));
    let mut other = with(true);
    let node = other.nodes.get_mut(&address_of_cluster()).unwrap();
    node.attrs.set("backup_retention_days", Some(json!(9))).unwrap();
    site.apply(&other);
    let seen = site.look(&other).seen[&address_of_cluster()].attrs.clone();
    assert_eq!(
        (seen.get("backup_retention_days"), seen.get("extended_support")),
        (Some(json!(9)), Some(json!(false)))
    );
}

fn address_of_cluster() -> rgctl_model::address::Address {
    address("us-east-1", KindId::AuroraCluster, NAME)
}

#[test]
fn another_certificate_authority_restarts_readers_then_moves_the_role_then_restarts_the_writer() {
    let with = |authority: &str| store(KindId::AuroraInstance, "ca_certificate", &json!(authority));
    let plan = planned(&with("rds-ca-ecc384-g1"), &with("rds-ca-rsa2048-g1"));
    let order = [
        format!("modify aurora.instance/{NAME}-2"),
        format!("modify aurora.instance/{NAME}-3"),
        format!("failover aurora.cluster/{NAME} to {NAME}-2"),
        format!("modify aurora.instance/{NAME}-1"),
    ];
    let places: Vec<usize> = order.iter().map(|step| position(&plan, step)).collect();
    assert!(places.is_sorted(), "{:#?}", lines(&plan));
    assert_eq!(plan.steps.len(), 4, "{:#?}", lines(&plan));
    let disturbs = |number: u32| {
        let is_it = |op: &Op| op.address().name.as_str() == format!("{NAME}-{number}");
        plan.steps.iter().find(|step| is_it(&step.op)).unwrap().disturbs
    };
    assert_eq!((disturbs(2), disturbs(1)), (Disturbance::ReaderRestart, Disturbance::Restart));
}

#[test]
fn another_class_and_another_certificate_authority_restart_a_member_once() {
    let with = |class: &str, authority: &str| {
        let mut wanted = store(KindId::AuroraInstance, "ca_certificate", &json!(authority));
        for node in wanted.nodes.values_mut().filter(|node| node.address.kind == KindId::AuroraInstance) {
            node.attrs.set("class", Some(json!(class))).unwrap();
        }
        wanted
    };
    let mut site = Site::new(5);
    site.apply(&with("db.r7g.large", "rds-ca-rsa2048-g1"));
    let before = site.cloud.calls().len();
    let after = with("db.r7g.xlarge", "rds-ca-ecc384-g1");
    site.apply(&after);
    site.assert_settled(&after);
    let calls = site.cloud.calls();
    let words: Vec<&str> = calls[before..].iter().map(|call| call.op.word()).collect();
    assert_eq!(words, ["modify", "modify", "failover", "modify"]);
}
