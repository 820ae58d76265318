//! Whose an object is: by its tags and, where those are lost, by the record, never by its name.

use std::collections::{BTreeMap, BTreeSet};

use rgctl_engine::ledger::Ledger;
use rgctl_engine::planning::{self, PlanInput};
use rgctl_model::address::Address;
use rgctl_model::chain::seal;
use rgctl_model::claims::{Claimed, Claims, NO_CLAIMS, OwnershipStatus};
use rgctl_model::journal::{Event, Outcome, RecordedObject};
use rgctl_model::kinds::KindId;
use rgctl_model::node::{Desired, TAG_BLUEPRINT, TAG_RECORD, TAG_STORE, TAG_TOKEN};
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Blocker, Op, Plan, Reason};
use rgctl_model::policy::Policy;
use rgctl_model::ports::Lease;
use rgctl_model::scope::RecordId;
use rgctl_schema::names::{BlueprintName, RunId, StepId, StoreName, Token};
use rgctl_schema::time::{Moment, Span};

use rgctl_testkit::fixtures::{address, ask, cluster_store, consents, desired, node, seen_as_wanted};
use rgctl_testkit::shipped::desired_of;
use rgctl_testkit::site::{Order, Site};
use rgctl_testkit::taps::Cut;

/// Kinds of which the services tell neither an id nor when they were made.
const NAMELESS: [KindId; 10] = [
    KindId::RdsSubnetGroup,
    KindId::AuroraClusterParameters,
    KindId::AuroraInstanceParameters,
    KindId::DocumentClusterParameters,
    KindId::CacheSubnetGroup,
    KindId::CacheParameters,
    KindId::CacheUser,
    KindId::CacheUserGroup,
    KindId::CacheGlobal,
    KindId::RedshiftParameters,
];

fn plan(site: &Site, wanted: &Desired, policy: &Policy) -> Plan {
    let (claims, seen) = (site.claims(wanted.blueprint.as_str()), site.look(wanted));
    planning::plan(&PlanInput { claims: &claims, ..ask(wanted, &seen, policy) })
}

/// Takes every tag of ours from an object.
fn strip(site: &Site, address: &Address) {
    let strip = |world: &mut rgctl_sim::World| {
        let tags: Vec<String> = world
            .everything()
            .find(|(other, _)| *other == address)
            .map(|(_, seen)| seen.facts.tags.into_keys().filter(|key| key.starts_with("rgctl:")).collect())
            .unwrap();
        assert!(tags.contains(&TAG_RECORD.to_owned()), "{address}: {tags:?}");
        world.edit_tags(address, tags.into_iter().map(|key| (key, None)).collect())
    };
    site.cloud.with_world(strip).unwrap().unwrap();
}

fn set_tag(site: &Site, address: &Address, key: &str, value: Option<&str>) {
    let tags = BTreeMap::from([(key.to_owned(), value.map(str::to_owned))]);
    site.cloud.with_world(|world| world.edit_tags(address, tags)).unwrap().unwrap();
}

#[test]
fn in_every_family_a_lost_tag_is_shown_and_restored_where_the_service_tells_an_id_and_nowhere_else() {
    let mut kinds = BTreeSet::new();
    for file in ["rocket-arena-china", "rocket-arena-global", "accounts"] {
        let wanted = desired_of(file);
        let mut site = Site::new(7);
        assert_eq!(site.apply(&wanted).outcome, Outcome::Settled, "{file}");
        let before = site.look(&wanted);
        for address in wanted.nodes.keys() {
            strip(&site, address);
        }
        let shown = plan(&site, &wanted, &Policy::default());
        for address in wanted.nodes.keys() {
            let is_foreign =
                |one: &&Blocker| matches!(one, Blocker::Foreign { address: other, .. } if other == address);
            let is_lost = |why: &Reason| matches!(why, Reason::LostTags { tags } if tags.len() == 4);
            let steps: Vec<_> = shown.steps.iter().filter(|step| step.op.address() == address).collect();
            if NAMELESS.contains(&address.kind) || address.kind == KindId::RedshiftSubnetGroup {
                let Some(Blocker::Foreign { remedy: Some(remedy), .. }) =
                    shown.waiting.iter().find(is_foreign)
                else {
                    panic!("{address}: {steps:#?}")
                };
                assert!(remedy.contains("--take-over"), "{remedy}");
                assert!(steps.is_empty(), "{address}: {steps:#?}");
            } else {
                assert!(matches!(steps.as_slice(), [step] if is_lost(&step.why)), "{address}: {steps:#?}");
                kinds.insert(address.kind);
            }
        }
        assert!(shown.steps.iter().all(|step| matches!(step.op, Op::Tag { .. })), "{file}");

        let ended = site.apply(&wanted);
        assert_eq!(ended.outcome, Outcome::Blocked, "what is not ours blocks");
        let after = site.look(&wanted);
        for (address, seen) in &before.seen {
            let is_known = kinds.contains(&address.kind) && wanted.nodes.contains_key(address);
            let now = &after.seen[address].facts.tags;
            assert_eq!(
                *now == seen.facts.tags,
                is_known || !wanted.nodes.contains_key(address),
                "{address}: {now:?}"
            );
        }
    }
    let families = ["aurora.cluster", "documentdb.cluster", "elasticache.group", "redshift.cluster"];
    for kind in families {
        assert!(kinds.iter().any(|known| known.as_str() == kind), "{kind}: {kinds:?}");
    }
}

#[test]
fn a_tag_lost_in_every_way_leaves_the_consent_for_a_deletion_where_it_was() {
    let whole = desired(
        [
            cluster_store("accounts", "us-east-1", 1, "db.r7g.large"),
            cluster_store("old", "us-east-1", 1, "db.r7g.large"),
        ]
        .concat(),
    );
    let rest = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-old-use1");
    let mut site = Site::new(3);
    assert_eq!(site.apply(&whole).outcome, Outcome::Settled);
    let is_deleted = |plan: &Plan| {
        plan.steps
            .iter()
            .find(|step| *step.op.address() == cluster && matches!(step.op, Op::Delete { .. }))
            .cloned()
    };
    for lost in
        [&[TAG_STORE][..], &[TAG_STORE, TAG_BLUEPRINT], &[TAG_STORE, TAG_BLUEPRINT, TAG_RECORD, TAG_TOKEN]]
    {
        for key in lost {
            // Lost in the round before, or now.
            let tags = BTreeMap::from([((*key).to_owned(), None)]);
            let _ = site.cloud.with_world(|world| world.edit_tags(&cluster, tags)).unwrap();
        }
        let deletion = is_deleted(&plan(&site, &rest, &Policy::default())).expect("it is ours");
        assert_eq!(
            deletion.missing_consent().next().map(ToString::to_string).as_deref(),
            Some("delete:old@us-east-1")
        );
    }
    let order = Order { policy: consents(&["delete:old@us-east-1"]), ..Order::default() };
    site.run(&rest, &order).unwrap();
    assert!(!site.look(&rest).seen.contains_key(&cluster), "with consent it goes");
}

#[test]
fn an_object_made_anew_under_its_name_by_another_hand_is_not_ours_and_gets_no_tags() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let mut site = Site::new(4);
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    strip(&site, &cluster);
    let (claims, mut seen) = (site.claims("game"), site.look(&wanted));
    seen.seen.get_mut(&cluster).unwrap().facts.id = Some("cluster-SOMEBODYELSES".to_owned());
    let policy = Policy::default();
    let plan = planning::plan(&PlanInput { claims: &claims, ..ask(&wanted, &seen, &policy) });
    assert!(!plan.steps.iter().any(|step| *step.op.address() == cluster), "{:#?}", plan.steps);
    let of_another = |one: &Blocker| match one {
        Blocker::Foreign { address, remedy: Some(remedy), .. } => {
            *address == cluster && remedy.contains("its id differs")
        }
        _ => false,
    };
    assert!(plan.waiting.iter().any(of_another), "{:#?}", plan.waiting);
}

#[test]
fn an_object_of_another_store_is_foreign_and_the_plan_says_whose_it_is() {
    let wanted = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let mut site = Site::new(5);
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    set_tag(&site, &cluster, TAG_RECORD, Some("0123456789abcdef"));
    let plan = plan(&site, &wanted, &Policy::default());
    assert!(!plan.steps.iter().any(|step| *step.op.address() == cluster), "{:#?}", plan.steps);
    let theirs = |one: &Blocker| match one {
        Blocker::Foreign { address, owner: Some(owner), remedy: Some(remedy) } => {
            *address == cluster
                && owner == "game of the record 0123456789abcdef"
                && remedy.contains("--store")
        }
        _ => false,
    };
    assert!(plan.waiting.iter().any(theirs), "{:#?}", plan.waiting);
    let order = Order { destroy: true, policy: consents(&["delete:accounts@us-east-1"]), ..Order::default() };
    site.run(&wanted, &order).unwrap();
    assert!(site.look(&wanted).seen.contains_key(&cluster), "nor is it destroyed");
}

/// An object as a version made it that wrote no tag of its record.
fn of_old(token: Option<&str>) -> (Address, Observed) {
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let mut seen = seen_as_wanted(&node(cluster.clone(), "accounts", &[], &[]));
    seen.facts.tags.extend(token.map(|token| (TAG_TOKEN.to_owned(), token.to_owned())));
    (cluster, seen)
}

#[test]
fn an_object_of_old_is_ours_by_the_token_of_our_call_or_by_what_came_true_and_else_it_is_not() {
    let game = BlueprintName::new("game").unwrap();
    let claims = |tokens: &[&str], is_done| {
        let claimed = Claimed {
            tokens: tokens.iter().map(|token| Token((*token).to_owned())).collect(),
            is_done,
            store: StoreName::new("accounts").ok(),
            ..Claimed::default()
        };
        let objects = BTreeMap::from([(of_old(None).0, claimed)]);
        Claims { record: Some(RecordId("here".to_owned())), objects, ..Claims::default() }
    };
    let nothing = Claims { record: Some(RecordId("here".to_owned())), ..Claims::default() };
    for (token, claims, is_ours) in [
        (Some("t1"), claims(&["t1"], false), true),
        (Some("t2"), claims(&["t1"], true), false),
        (None, claims(&["t1"], true), true),
        (None, claims(&["t1"], false), false),
        (Some("t1"), claims(&[], true), true),
        (Some("t1"), nothing, false),
        (Some("t1"), NO_CLAIMS.clone(), true),
    ] {
        let (address, seen) = of_old(token);
        let standing = claims.ownership(&game, &address, &seen);
        assert_eq!(standing == OwnershipStatus::Ours, is_ours, "{token:?} {claims:?}: {standing:?}");
        if let OwnershipStatus::Foreign { remedy, .. } = standing {
            assert!(remedy.unwrap().contains("history migrate"));
        }
    }
}

/// The store left the blueprint while its data was being made, and another hand wrote another store on it: the record knows for
/// which one it was made, from the intent on.
#[test]
fn what_was_made_for_a_store_that_nobody_wants_any_more_is_not_removed_with_the_consent_for_another_one() {
    let (wanted, nothing) =
        (desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large")), desired(Vec::new()));
    let cluster = wanted.nodes.keys().find(|address| address.kind == KindId::AuroraCluster).unwrap().clone();
    let mut site = Site::new(37);
    let made = |site: &Site| site.look(&wanted).seen.contains_key(&cluster);
    let mut calls = 0;
    while !made(&site) {
        calls += 1;
        assert!(calls < 20, "the cluster is asked for");
        site.run_cut(&wanted, &Order::default(), Cut::AfterCall(1)).0.ok_or(()).unwrap_err();
    }
    set_tag(&site, &cluster, TAG_STORE, Some("other"));
    let looked = Desired { regions: wanted.regions.clone(), ..nothing };
    for allowed in ["delete:other@us-east-1", "delete:accounts@us-east-1"] {
        let order = Order { policy: consents(&[allowed]), ..Order::default() };
        let ended = site.run(&looked, &order).unwrap();
        assert!(made(&site), "{allowed}: {:#?}", ended.last.plan.steps);
        assert_eq!(ended.outcome, Outcome::Blocked, "{allowed}");
        assert!(site.told.iter().any(|why| why.contains("which store")), "{allowed}: {:?}", site.told);
    }
    // Somebody gives it its tag back.
    set_tag(&site, &cluster, TAG_STORE, Some("accounts"));
    let order = Order { policy: consents(&["delete:accounts@us-east-1"]), ..Order::default() };
    site.run(&looked, &order).unwrap();
    assert!(!made(&site));
}

/// What stands at an address was made for one store. Another store is given that address, the record's object is not shown for
/// a while, and what is asked for is refused, since its name is taken.
#[test]
fn a_call_that_made_nothing_does_not_give_the_data_of_one_store_to_another() {
    let cluster = address("us-east-1", KindId::AuroraCluster, "game-accounts-use1");
    let (run, actor) = (RunId("r".into()), "test");
    let mut ledger = Ledger::default();
    let mut tell = |events: &[Event]| {
        let lease = Lease {
            scope: Site::new(1).scope("game"),
            run: run.clone(),
            owner: actor.to_owned(),
            epoch: 1,
            until: Moment::EPOCH,
            lasts: Span::from_mins(1),
            renewals: 0,
        };
        let last = Some((ledger.last_seq, ledger.last_hash.clone()));
        ledger.fold(&seal(&lease, last, Moment::EPOCH, events));
        ledger.claims.objects[&cluster].clone()
    };
    let intent = |store: &str| Event::Intended {
        step: StepId(format!("create {cluster}").into()),
        address: cluster.clone(),
        word: "create".to_owned(),
        token: Token(format!("for {store}")),
        final_snapshot: None,
        why: "missing".to_owned(),
        changes: Vec::new(),
        asks: store.to_owned(),
        names: None,
        sets: None,
        unsets: rgctl_model::journal::Entries::default(),
        store: StoreName::new(store).ok(),
    };
    let step = || StepId(format!("create {cluster}").into());
    let object = |store: &str| {
        Some(RecordedObject { id: Some("one".to_owned()), store: StoreName::new(store).ok(), keep: None })
    };
    let store = |claimed: &Claimed| claimed.store.as_ref().map(ToString::to_string);
    let made = tell(&[intent("other"), intent("accounts")]);
    assert_eq!(
        store(&made).as_deref(),
        Some("accounts"),
        "before anything was made, the last intent tells it"
    );
    let made = tell(&[
        Event::Accepted { step: step() },
        Event::Settled { step: step(), object: object("accounts") },
    ]);
    assert!(made.is_done && made.bears_data);
    let refused =
        Event::Refused { step: step(), code: "AlreadyExists".to_owned(), message: "it is taken".to_owned() };
    let kept = tell(&[intent("other"), refused]);
    assert_eq!(store(&kept).as_deref(), Some("accounts"));
    let anew = tell(&[intent("other"), Event::Settled { step: step(), object: object("other") }]);
    assert_eq!(store(&anew).as_deref(), Some("other"), "what was done tells it");
}
