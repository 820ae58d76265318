//! In every family: what never has an answer, and a name that is taken and not shown, end with their reasons.

use std::collections::BTreeSet;

use rayon::prelude::*;
use rgctl_model::journal::{Outcome, Purpose};
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::Desired;
use rgctl_model::policy::{Consent, DestructiveAction, Policy};
use rgctl_model::ports::CloudError;
use rgctl_schema::names::StoreName;
use rgctl_schema::time::Span;
use rgctl_sim::{Fault, Rule};
use serde_json::json;

use crate::waits::{CALLS_A_DAY_MAX, add, raise_quotas, reasons, run, run_for};
use rgctl_testkit::shipped::desired_of;
use rgctl_testkit::site::Site;

/// Every operation that this version plans, in every family: a lost answer of a call that did nothing.
#[test]
fn a_call_of_any_sort_in_any_family_that_never_has_an_answer_ends_with_its_reason() {
    let words = ["create", "modify", "tag", "delete", "failover", "detach"];
    let met: BTreeSet<(Endpoint, String)> =
        words.into_par_iter().flat_map_iter(|word| lost_answers("rocket-arena", word)).collect();
    let planes = [Endpoint::Rds, Endpoint::ElastiCache, Endpoint::Redshift];
    for (plane, word) in
        planes.into_iter().flat_map(|plane| ["create", "modify", "tag", "delete"].map(|w| (plane, w)))
    {
        assert!(met.contains(&(plane, word.to_owned())), "{plane:?} {word} was not met: {met:?}");
    }
    for act in ["failover", "detach"] {
        assert!(met.iter().any(|(_, word)| word == act), "{act} was not met: {met:?}");
    }
}

/// Lets every such call of a shipped blueprint be lost; yields which control planes met one.
fn lost_answers(file: &str, word: &str) -> BTreeSet<(Endpoint, String)> {
    let before = desired_of(file);
    let mut site = Site::new(5);
    raise_quotas(&site);
    if word != "create" {
        assert_eq!(site.apply(&before).outcome, Outcome::Settled, "{file}");
    }
    let (wanted, purpose) = changed(&before, word);
    add(&site, Fault::LostAnswer { applied: false }, |rule| Rule {
        operation: Some(word.to_owned()),
        ..rule
    });
    let made = site.cloud.calls().len();
    let (ended, took, _) = run_for(&site, &site.cloud, &wanted, &all_consents(&wanted), "lost", purpose);
    let case = format!("{file} {word}: {}", reasons(&ended));
    assert!(took <= Span::from_days(4), "it took {took}: {case}");
    let calls = site.cloud.calls();
    let lost = calls[made..].iter().filter(|call| matches!(call.told, Err(CloudError::Unclear { .. })));
    let lost: Vec<_> =
        lost.map(|call| (call.op.step_id(), call.op.address().kind.facts().endpoint)).collect();
    for (step, _) in &lost {
        let count = lost.iter().filter(|(other, _)| other == step).count();
        assert!(count <= CALLS_A_DAY_MAX, "{step} {count} times: {case}");
        let held = ended.last.held.iter().find(|held| held.step == *step);
        assert!(held.is_some_and(|held| held.why.contains("connection was reset")), "{step}: {case}");
    }
    if !lost.is_empty() {
        assert_eq!(ended.outcome, Outcome::Blocked, "{case}");
    }
    lost.into_iter().map(|(_, plane)| (plane, word.to_owned())).collect()
}

/// The same wish, so changed that the operation is needed.
fn changed(before: &Desired, word: &str) -> (Desired, Purpose) {
    let mut wanted = before.clone();
    match word {
        "create" => {}
        "tag" => {
            for node in wanted.nodes.values_mut() {
                node.tags.insert("team".to_owned(), "live".to_owned());
            }
        }
        "modify" | "failover" => {
            for node in wanted.nodes.values_mut() {
                let fields = [
                    ("class", json!("db.r7g.8xlarge")),
                    ("backup_retention_days", json!(9)),
                    ("snapshot_retention_days", json!(9)),
                    ("snapshot_retention", json!(9)),
                ];
                for (field, value) in fields {
                    if node.attrs.get(field).is_some() {
                        node.attrs.set(field, Some(value)).unwrap();
                    }
                }
            }
        }
        _ => return (wanted, Purpose::Destroy),
    }
    (wanted, Purpose::Apply)
}

fn all_consents(wanted: &Desired) -> Policy {
    let mut policy = Policy::default();
    for node in wanted.nodes.values() {
        for action in DestructiveAction::ALL {
            let (store, region): (StoreName, _) = (node.store.clone(), node.address.region.clone());
            policy.consents.insert(Consent { action, store: Some(store), region: Some(region) });
        }
    }
    policy
}

#[test]
fn a_name_that_is_taken_and_never_seen_ends_with_that_reason() {
    let cases = [
        ("rocket-arena", KindId::AuroraCluster),
        ("rocket-arena", KindId::AuroraInstance),
        ("rocket-arena", KindId::DocumentCluster),
        ("rocket-arena", KindId::CacheGroup),
        ("rocket-arena", KindId::RedshiftCluster),
        ("rocket-arena", KindId::RdsSubnetGroup),
    ];
    cases.into_par_iter().for_each(|(file, kind)| {
        let wanted = desired_of(file);
        let node = wanted.nodes.keys().find(|address| address.kind == kind);
        let hidden = node.unwrap_or_else(|| panic!("{file} has no {kind}")).clone();
        let site = Site::new(5);
        raise_quotas(&site);
        add(&site, Fault::NameTaken { name: Some(hidden.name.clone()) }, |rule| Rule {
            kind: Some(kind),
            region: Some(hidden.region.clone()),
            ..rule
        });
        let (ended, took, _) = run(&site, &site.cloud, &wanted, &Policy::default(), "taken");
        assert_eq!(ended.outcome, Outcome::Blocked, "{kind}");
        let step = format!("create {hidden}");
        let tried = site.cloud.calls().iter().filter(|call| *call.op.step_id().0 == *step).count();
        assert_eq!(tried, 8, "{kind}: {}", reasons(&ended));
        let why = ended.last.held.iter().find(|held| *held.step.0 == *step).map(|held| held.why.clone());
        let why = why.unwrap_or_default();
        assert!(
            why.contains("taken by something that this account's listing does not show"),
            "{kind}: {why}"
        );
        assert!(took < Span::from_hours(8), "{kind}: it took {took}");
        // Once the name is free, the same command goes on.
        site.cloud.with_world(|world| world.clear_faults(None)).unwrap();
        raise_quotas(&site);
        let (ended, ..) = run(&site, &site.cloud, &wanted, &Policy::default(), "free");
        assert_eq!(ended.outcome, Outcome::Settled, "{kind}: {}", reasons(&ended));
    });
}
