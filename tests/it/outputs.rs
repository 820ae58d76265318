//! `rgctl outputs`, of values made by hand: what is not known is said, and nothing is guessed.

use std::collections::BTreeMap;

use rgctl::report::document::{document, format};
use rgctl::report::outputs::{self, Known, OutputsReport, Tls};
use rgctl::report::style::Style;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Access, Gap, Inventory, Member};
use rgctl_model::overlay::HoldOut;
use rgctl_model::plan::{Blocker, Plan};
use rgctl_model::policy::Policy;
use rgctl_schema::names::Name;
use rgctl_schema::phase::Role;
use rgctl_testkit::fixtures::*;

const HOST: &str = "game-accounts-use1.cluster-abc.us-east-1.rds.amazonaws.com";

fn two_regions() -> Desired {
    desired(
        ["us-east-1", "us-west-2"].map(|code| cluster_store("accounts", code, 2, "db.r7g.large")).concat(),
    )
}

/// A world in which the cluster of the first region tells where it is.
fn world(desired: &Desired) -> Inventory {
    let mut world = world_of(desired);
    let at = desired.nodes.keys().find(|at| at.kind == KindId::AuroraCluster).unwrap().clone();
    let seen = world.seen.get_mut(&at).unwrap();
    seen.attrs.set("port", Some(serde_json::json!(3_306))).unwrap();
    let facts = &mut seen.facts;
    facts.endpoint = Some(HOST.to_owned());
    let reader = HOST.replace("cluster-", "cluster-ro-");
    facts.access = Some(Box::new(Access {
        reader: Some(reader),
        secret: Some("arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!cluster-1".to_owned()),
        ..Access::default()
    }));
    world
}

fn shown(desired: &Desired, world: &Inventory) -> (OutputsReport, Plan) {
    let plan = plan_for(desired, world, &Policy::default());
    (outputs::report(desired, world, &plan), plan)
}

#[test]
fn what_a_service_does_not_tell_is_not_put_together_from_names() {
    let desired = two_regions();
    let (report, _) = shown(&desired, &world(&desired));
    let [first, second] = report.stores.as_slice() else { panic!("{report:?}") };
    assert_eq!((first.known, second.known), (Known::Seen, Known::NotYet));
    assert_eq!(second.fields().iter().find(|(name, _)| name.contains("writer")), None);
    assert!(!report.is_complete() && !report.needs_person());
    assert!(outputs::text(&report, Style::PLAIN).contains("the service tells no endpoint yet"));
}

#[test]
fn what_is_not_there_not_seen_held_out_or_not_ours_is_told_apart_with_its_reason() {
    let desired = two_regions();
    let at = desired.nodes.keys().find(|at| at.kind == KindId::AuroraCluster).unwrap().clone();
    let mut gone = world(&desired);
    gone.seen.remove(&at);
    assert_eq!(shown(&desired, &gone).0.stores[0].known, Known::Absent);
    let mut blind = gone.clone();
    let why = "the region does not answer".to_owned();
    blind.gaps.push(Gap { region: at.region.clone(), endpoint: Endpoint::Rds, why, lasting: false });
    let (report, _) = shown(&desired, &blind);
    assert_eq!((report.stores[0].known, report.needs_person()), (Known::Unseen, true));
    assert_eq!(report.stores[0].why.as_deref(), Some("the region does not answer"));
    let hold =
        HoldOut { region: at.region.clone(), why: "flood".to_owned(), by: "ann".to_owned(), since: NOW };
    let without = world(&desired).holding_out(&BTreeMap::from([(at.region.clone(), hold)])).into_owned();
    assert_eq!(shown(&desired, &without).0.stores[0].known, Known::HeldOut);
    let world = world(&desired);
    let mut plan = plan_for(&desired, &world, &Policy::default());
    plan.waiting.push(Blocker::Foreign { address: at, owner: Some("other".to_owned()), remedy: None });
    let report = outputs::report(&desired, &world, &plan);
    assert_eq!(report.stores[0].known, Known::NotOurs);
    assert_eq!(report.stores[0].writer, None, "clients are not sent to what is not ours");
}

#[test]
fn who_writes_is_told_by_the_service_and_a_region_that_follows_has_no_writer() {
    let desired = two_regions();
    let mut world = world(&desired);
    let at = desired.nodes.keys().find(|at| at.kind == KindId::AuroraCluster).unwrap().clone();
    let member =
        |name: &str, role| Member { region: at.region.clone(), name: Name::new(name).unwrap(), role };
    world.seen.get_mut(&at).unwrap().facts.members =
        vec![member("game-accounts-use1-1", Role::Reader), member("game-accounts-use1-2", Role::Writer)];
    let (report, _) = shown(&desired, &world);
    assert_eq!(report.stores[0].writing_member.as_ref().unwrap().as_str(), "game-accounts-use1-2");
    assert_eq!(report.stores[0].writer.as_ref().unwrap().to_string(), format!("{HOST}:3306"));
    let global = address("us-west-2", KindId::AuroraGlobal, "game-accounts-global");
    let node = node(global.clone(), "accounts", &[], &[]);
    let mut seen = seen_as_wanted(&node);
    seen.facts.members = vec![Member { role: Role::Reader, ..member(at.name.as_str(), Role::Reader) }];
    seen.facts.endpoint = Some("game.global-abc.global.rds.amazonaws.com".to_owned());
    world.seen.insert(global, seen);
    let (report, _) = shown(&desired, &world);
    let first = &report.stores[0];
    assert_eq!(
        (first.role, first.writer.as_ref(), first.writing_member.as_ref()),
        (Some("secondary"), None, None)
    );
    assert!(first.reader.is_some() && first.global.is_some());
    assert!(outputs::markdown(&report).contains("none here: the primary region writes"));
}

#[test]
fn the_document_has_the_arn_of_a_secret_and_whether_encryption_is_insisted_on_is_read_from_parameters() {
    let desired = two_regions();
    let mut world = world(&desired);
    let (report, _) = shown(&desired, &world);
    assert_eq!(report.stores[0].tls, Some(Tls::Unknown), "nobody has read its parameters");
    let at = world.seen.keys().find(|at| at.kind == KindId::AuroraClusterParameters).unwrap().clone();
    for (set, tls) in [("0", Tls::Available), ("1", Tls::Required)] {
        let attrs = &mut world.seen.get_mut(&at).unwrap().attrs;
        attrs.set("parameters", Some(serde_json::json!({ "rds.force_ssl": set }))).unwrap();
        assert_eq!(shown(&desired, &world).0.stores[0].tls, Some(tls));
    }
    world.seen.remove(&at);
    assert_eq!(shown(&desired, &world).0.stores[0].tls, Some(Tls::Unknown), "its group was not seen");
    let document = document(format::OUTPUTS, &report);
    assert_eq!(document["format"], "rgctl.dev/outputs/v1");
    assert_eq!(document["stores"][0]["writer"], format!("{HOST}:3306"));
    assert!(document["stores"][0]["secret"].as_str().unwrap().starts_with("arn:aws:secretsmanager:"));
}
