//! `rgctl outputs`, of values made by hand: what is not known is said, and nothing is guessed.

use std::collections::BTreeMap;

use rgctl::report::document::{document, format};
use rgctl::report::outputs::{self, Known, OutputsReport, Tls};
use rgctl::report::style::Style;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Access, Authentication, Facts, Gap, Inventory, Member};
use rgctl_model::overlay::HoldOut;
use rgctl_model::plan::{Blocker, Plan};
use rgctl_model::policy::Policy;
use rgctl_schema::names::Name;
use rgctl_schema::phase::{Phase, Role};
use rgctl_testkit::fixtures::*;
use serde_json::json;

const HOST: &str = "game-accounts-use1.cluster-abc.us-east-1.rds.amazonaws.com";

fn two_regions() -> Desired {
    desired(
        ["us-east-1", "us-west-2"].map(|code| cluster_store("accounts", code, 2, "db.r7g.large")).concat(),
    )
}

fn member(of: &Address, number: usize, role: Role) -> Member {
    Member { region: of.region.clone(), name: Name::new(format!("{}-{number}", of.name)).unwrap(), role }
}

/// The cluster of the first region.
fn first(desired: &Desired) -> Address {
    desired.nodes.keys().find(|at| at.kind == KindId::AuroraCluster).unwrap().clone()
}

/// A world in which the cluster of the first region tells where it is.
fn world(desired: &Desired) -> Inventory {
    let mut world = world_of(desired);
    for (at, seen) in world.seen.iter_mut().filter(|(at, _)| at.kind == KindId::AuroraCluster) {
        seen.facts.members = vec![member(at, 1, Role::Writer), member(at, 2, Role::Reader)];
    }
    let at = first(desired);
    let seen = world.seen.get_mut(&at).unwrap();
    seen.attrs.set("port", Some(json!(3_306))).unwrap();
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
    let at = first(&desired);
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
    let at = first(&desired);
    world.seen.get_mut(&at).unwrap().facts.members =
        vec![member(&at, 1, Role::Reader), member(&at, 2, Role::Writer)];
    let (report, _) = shown(&desired, &world);
    assert_eq!(report.stores[0].writing_member.as_ref().unwrap().as_str(), "game-accounts-use1-2");
    assert_eq!(report.stores[0].writer.as_ref().unwrap().to_string(), format!("{HOST}:3306"));
    let global = address("us-west-2", KindId::AuroraGlobal, "game-accounts-global");
    let node = node(global.clone(), "accounts", &[], &[]);
    let mut seen = seen_as_wanted(&node);
    seen.facts.members = vec![Member { name: at.name.clone(), ..member(&at, 1, Role::Reader) }];
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
        attrs.set("parameters", Some(json!({ "rds.force_ssl": set }))).unwrap();
        assert_eq!(shown(&desired, &world).0.stores[0].tls, Some(tls));
    }
    world.seen.remove(&at);
    assert_eq!(shown(&desired, &world).0.stores[0].tls, Some(Tls::Unknown), "its group was not seen");
    let document = document(format::OUTPUTS, &report);
    assert_eq!(document["format"], "rgctl.dev/outputs/v1");
    assert_eq!(document["stores"][0]["writer"], format!("{HOST}:3306"));
    assert!(document["stores"][0]["secret"].as_str().unwrap().starts_with("arn:aws:secretsmanager:"));
}

#[test]
fn who_writes_is_not_told_where_it_was_not_seen_whether_the_region_follows() {
    let desired = two_regions();
    let (at, whole) = (first(&desired), world(&desired));
    let cut = |code: &str, endpoint| Gap {
        region: region(code),
        endpoint,
        why: "denied".to_owned(),
        lasting: true,
    };
    let told = |world: &Inventory| shown(&desired, world).0.stores.remove(0);
    let unseen = |world: &Inventory, why: &str| {
        let told = told(world);
        assert_eq!((told.known, told.writer), (Known::Unseen, None), "{why}");
        assert!(told.why.as_ref().unwrap().contains(why), "{:?} is not {why}", told.why);
    };
    let mut blind = whole.clone();
    blind.gaps = vec![cut("us-east-1", Endpoint::Rds)];
    unseen(&blind, "whether it follows another region was not seen: denied");
    for gap in [cut("us-east-1", Endpoint::ElastiCache), cut("us-west-2", Endpoint::Rds)] {
        blind.gaps = vec![gap];
        assert_eq!(told(&blind).known, Known::Seen, "{:?} hides nothing of it", blind.gaps);
    }
    // The cluster itself says that it is in one, of which another region of its partition may tell.
    let mut joined = whole.clone();
    joined.seen.get_mut(&at).unwrap().attrs.set("global", Some("all".into())).unwrap();
    unseen(&joined, "it is in the global object all, which does not tell of it");
    joined.gaps = vec![cut("cn-north-1", Endpoint::Rds)];
    unseen(&joined, "which does not tell of it");
    joined.gaps = vec![cut("us-west-2", Endpoint::Rds)];
    unseen(&joined, "whether it follows another region was not seen: denied");
    joined.gaps = Vec::new();
    let why = "flood".to_owned();
    let hold = HoldOut { region: region("us-west-2"), why, by: "ann".to_owned(), since: NOW };
    unseen(&joined.holding_out(&BTreeMap::from([(hold.region.clone(), hold)])), "flood");
    let global = address("us-west-2", KindId::AuroraGlobal, "all");
    let mut seen = seen_as_wanted(&node(global.clone(), "accounts", &[], &[]));
    joined.seen.insert(global.clone(), seen.clone());
    unseen(&joined, "it is in the global object all, which does not tell of it");
    seen.facts.members = vec![Member { name: at.name.clone(), ..member(&at, 1, Role::Writer) }];
    joined.seen.insert(global, seen);
    joined.gaps = vec![cut("us-east-1", Endpoint::Rds)];
    let told = told(&joined);
    assert_eq!((told.known, told.role), (Known::Seen, Some("primary")), "what was seen of it is known");
}

#[test]
fn what_is_being_made_stopped_deleted_or_broken_serves_nobody_and_says_its_state() {
    let desired = two_regions();
    let (at, whole) = (first(&desired), world(&desired));
    let told = |change: &dyn Fn(&mut Facts), members: Option<Phase>| {
        let mut world = whole.clone();
        change(&mut world.seen.get_mut(&at).unwrap().facts);
        for (_, seen) in world.seen.iter_mut().filter(|(one, _)| one.kind == KindId::AuroraInstance) {
            seen.facts.phase = members.clone().unwrap_or(Phase::Ready);
        }
        let (report, _) = shown(&desired, &world);
        (report.stores[0].clone(), outputs::text(&report, Style::PLAIN))
    };
    let out = [Phase::Creating, Phase::Stopped, Phase::Deleting, Phase::Failed("broken".to_owned())];
    for phase in &out {
        let (one, text) = told(&|facts| facts.phase = phase.clone(), None);
        assert_eq!((one.known, one.state), (Known::NotYet, Some(phase.to_string())));
        assert!(text.contains(&format!("it is {phase}")), "{text}");
        let (one, _) = told(&|_| (), Some(phase.clone()));
        assert_eq!((one.known, one.state), (Known::NotYet, None), "its members are {phase}");
        let why = one.why.unwrap();
        assert!(why.contains(&format!("no member of it serves: game-accounts-use1-1 is {phase}")), "{why}");
    }
    for phase in
        [Phase::Busy { serves: true }, Phase::Busy { serves: false }, Phase::Unknown("odd".to_owned())]
    {
        let (one, _) = told(&|facts| facts.phase = phase.clone(), Some(phase.clone()));
        assert_eq!((one.known, one.state), (Known::Seen, Some(phase.to_string())));
    }
    let (one, _) = told(&|_| (), None);
    assert_eq!((one.known, one.state), (Known::Seen, None));
    let (one, _) = told(&|facts| facts.members.clear(), None);
    assert_eq!((one.known, one.why.as_deref()), (Known::NotYet, Some("it has no member")));
    // One that serves is enough, and one that was not seen may.
    let mut half = whole.clone();
    let members: Vec<Address> =
        half.seen.keys().filter(|one| one.kind == KindId::AuroraInstance).cloned().collect();
    half.seen.get_mut(&members[0]).unwrap().facts.phase = Phase::Stopped;
    assert_eq!(shown(&desired, &half).0.stores[0].known, Known::Seen);
    half.seen.remove(&members[1]);
    assert_eq!(shown(&desired, &half).0.stores[0].known, Known::Seen);
}

#[test]
fn that_there_is_no_secret_is_told_only_where_that_was_seen() {
    let desired = two_regions();
    let at = first(&desired);
    let told = |kept: Option<bool>, user: Option<&str>| {
        let mut world = world(&desired);
        let seen = world.seen.get_mut(&at).unwrap();
        seen.facts.access = None;
        seen.attrs.set("managed_password", kept.map(Into::into)).unwrap();
        seen.attrs.set("master_username", user.map(Into::into)).unwrap();
        let (report, _) = shown(&desired, &world);
        (report.stores[0].not_seen.clone(), outputs::text(&report, Style::PLAIN))
    };
    let none = "none that the service keeps";
    let (not_seen, text) = told(Some(false), Some("admin"));
    assert!(text.contains(none) && !not_seen.contains(&"secret"), "{text}");
    for kept in [None, Some(true)] {
        let (not_seen, text) = told(kept, None);
        assert!(!text.contains(none), "{text}");
        assert_eq!(not_seen, ["tls", "users", "secret"]);
        assert!(
            text.contains("users           not seen") && text.contains("secret          not seen"),
            "{text}"
        );
    }
}

#[test]
fn users_of_a_cache_and_the_first_one_of_a_warehouse_are_told_by_objects_that_were_seen() {
    let at = |kind, name: &str| address("us-east-1", kind, name);
    let user = |name: &str| node(at(KindId::CacheUser, name), "ranking", &[("user_name", json!(name))], &[]);
    let desired = desired(vec![
        user("ann"),
        user("default"),
        node(at(KindId::CacheUserGroup, "all"), "ranking", &[("users", json!(["ann", "default"]))], &[]),
        node(at(KindId::CacheServerless, "cache"), "ranking", &[("user_group", json!("all"))], &[]),
        node(
            at(KindId::RedshiftNamespace, "house"),
            "trends",
            &[
                ("database", json!("dev")),
                ("master_username", json!("admin")),
                ("managed_password", json!(false)),
            ],
            &[],
        ),
        node(at(KindId::RedshiftWorkgroup, "house"), "trends", &[("namespace", json!("house"))], &[]),
    ]);
    let mut whole = world_of(&desired);
    for (at, seen) in whole.seen.iter_mut() {
        seen.facts.endpoint = Some(format!("{}.example", at.name));
        let way = |way| Some(Box::new(Access { authentication: Some(way), ..Access::default() }));
        match (at.kind, at.name.as_str()) {
            (KindId::CacheUser, "ann") => seen.facts.access = way(Authentication::Iam),
            (KindId::CacheUser, _) => seen.facts.access = way(Authentication::NoPassword),
            _ => {}
        }
    }
    let told = |gone: &[Address]| {
        let mut world = whole.clone();
        world.seen.retain(|at, _| !gone.contains(at));
        shown(&desired, &world).0.stores
    };
    let stores = told(&[]);
    let [cache, house] = stores.as_slice() else { panic!("{stores:?}") };
    assert_eq!(
        (&*cache.users, &*cache.authentication),
        (&["ann".to_owned(), "default".to_owned()][..], &["iam", "no-password"][..])
    );
    assert_eq!((house.database.as_deref(), &*house.users), (Some("dev"), &["admin".to_owned()][..]));
    assert!(cache.not_seen.is_empty() && house.not_seen.is_empty(), "{stores:?}");
    for gone in [at(KindId::CacheUser, "default"), at(KindId::CacheUserGroup, "all")] {
        let cache = told(&[gone]).remove(0);
        assert!(cache.users.is_empty() && cache.authentication.is_empty(), "all of them, or none: {cache:?}");
        assert_eq!(cache.not_seen, ["users", "authentication"]);
    }
    let house = told(&[at(KindId::RedshiftNamespace, "house")]).remove(1);
    assert_eq!(house.not_seen, ["database", "users", "authentication", "secret"]);
    assert!(house.users.is_empty() && house.authentication.is_empty(), "{house:?}");
}
