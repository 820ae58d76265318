//! It fails closed: whatever is wanted and is not there, ours, whole and serving is said by every view, and no exit code is 0.

use rgctl::cli::apply::exit_of;
use rgctl::cli::exit::Exit;
use rgctl::report::drift::Past;
use rgctl::report::plan::Detail;
use rgctl::report::style::Style;
use rgctl::report::{drift, plan, plan_markdown};
use rgctl_engine::planning::{self, PlanInput};
use rgctl_model::address::Address;
use rgctl_model::health::Trouble;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Gap, Inventory, Member};
use rgctl_model::plan::{Blocker, Plan};
use rgctl_model::policy::Policy;
use rgctl_schema::names::Fingerprint;
use rgctl_schema::phase::{Phase, Role};
use serde_json::json;

use rgctl_testkit::fixtures::*;

const PHASES: fn() -> Vec<Phase> = || {
    vec![
        Phase::Absent,
        Phase::Creating,
        Phase::Ready,
        Phase::Busy { serves: true },
        Phase::Busy { serves: false },
        Phase::Stopped,
        Phase::Deleting,
        Phase::Failed("storage-full".to_owned()),
        Phase::Unknown("recalibrating".to_owned()),
    ]
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Ours,
    Nobody,
    Another,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RegionListing {
    Whole,
    /// The object is seen, and its list is not complete.
    Partly,
    /// The object is not seen.
    Lost,
    Denied,
}

/// Two objects of a kind and of one store; the first is as the case says, the other one as wanted.
fn case(kind: KindId, phase: &Phase, owner: Owner, sight: RegionListing) -> (Plan, Address) {
    let (one, other) = (address("us-east-1", kind, "game-a"), address("us-east-1", kind, "game-b"));
    let wanted = desired(vec![node(one.clone(), "a", &[], &[]), node(other, "a", &[], &[])]);
    let mut world = world_of(&wanted);
    let seen = world.seen.get_mut(&one).unwrap();
    seen.facts.phase = phase.clone();
    match owner {
        Owner::Ours => {}
        Owner::Nobody => seen.facts.tags.clear(),
        Owner::Another => drop(seen.facts.tags.insert("rgctl:blueprint".to_owned(), "older-game".to_owned())),
    }
    if sight != RegionListing::Whole {
        world.gaps.push(Gap {
            region: region("us-east-1"),
            endpoint: kind.facts().endpoint,
            why: "page 2 failed".to_owned(),
            lasting: sight == RegionListing::Denied,
        });
    }
    if matches!(sight, RegionListing::Lost | RegionListing::Denied) {
        world.seen.remove(&one);
    }
    (plan_for(&wanted, &world, &Policy::default()), one)
}

/// What every view must say of a plan that is not clean.
fn assert_said(plan: &Plan, name: &str, what: &str) {
    assert!(!plan.is_clean(), "{what}");
    assert_ne!(exit_of(plan), Exit::Done, "{what}");
    let text = plan::text(plan, Style::PLAIN, Detail::Changes);
    let headline = text.lines().next().unwrap_or_default();
    assert!(!headline.contains("the world is as wanted"), "{what}: {headline}");
    if plan.steps.is_empty() {
        assert!(headline.contains("not as wanted: 1 ") && headline.contains(name), "{what}: {headline}");
    }
    assert!(text.contains(name), "{what}: {text}");
    assert!(plan_markdown::markdown(plan).contains(name), "{what}");
    assert!(!plan_markdown::markdown(plan).contains("as wanted."), "{what}");
    let drift = drift::report(plan, &Fingerprint(String::new()), &Past::default());
    assert!(!drift.clean, "{what}");
    for text in [drift::text(&drift, Style::PLAIN), drift::markdown(&drift)] {
        assert!(text.contains(name) && !text.contains("No differences"), "{what}: {text}");
    }
    let json = serde_json::to_value(plan).unwrap();
    assert!(json["steps"] != json!([]) || json["health"]["troubles"] != json!([]), "{what}");
}

#[test]
fn every_phase_owner_and_gap_of_every_kind_is_said_by_every_view() {
    let mut clean = 0;
    for kind in KindId::ALL.iter().filter(|kind| !kind.facts().observe_only) {
        for phase in PHASES() {
            for owner in [Owner::Ours, Owner::Nobody, Owner::Another] {
                for sight in
                    [RegionListing::Whole, RegionListing::Partly, RegionListing::Lost, RegionListing::Denied]
                {
                    let what = format!("{kind} {phase} {owner:?} {sight:?}");
                    let (plan, address) = case(*kind, &phase, owner, sight);
                    if (&phase, owner, sight) == (&Phase::Ready, Owner::Ours, RegionListing::Whole) {
                        assert!(plan.is_clean() && exit_of(&plan) == Exit::Done, "{what}");
                        clean += 1;
                        continue;
                    }
                    // Where the object is well and the list is not whole, the part of the world is named.
                    let is_well =
                        (&phase, owner, sight) == (&Phase::Ready, Owner::Ours, RegionListing::Partly);
                    assert_said(&plan, if is_well { "us-east-1" } else { address.name.as_str() }, &what);
                    let troubles = &plan.health.counts;
                    let lost = matches!(sight, RegionListing::Lost | RegionListing::Denied);
                    let expected = match (&phase, owner) {
                        _ if lost => Some(Trouble::Unseen),
                        (_, Owner::Nobody | Owner::Another) => Some(Trouble::Foreign),
                        (Phase::Failed(_), _) => Some(Trouble::Failed),
                        (Phase::Unknown(_), _) => Some(Trouble::UnknownStatus),
                        (Phase::Stopped, _) => Some(Trouble::Stopped),
                        (Phase::Busy { serves: false }, _) => Some(Trouble::Interrupted),
                        (Phase::Creating | Phase::Busy { .. } | Phase::Deleting, _) => Some(Trouble::Moving),
                        (Phase::Absent | Phase::Ready, _) => None,
                    };
                    if let Some(trouble) = expected {
                        assert!(troubles.contains_key(&trouble), "{what}: {troubles:?}");
                    }
                    assert_eq!(
                        troubles.contains_key(&Trouble::HalfTakenOver),
                        !lost && owner != Owner::Ours,
                        "{what}"
                    );
                }
            }
        }
    }
    assert!(clean > 20, "{clean} kinds");
}

/// An object of ours and one that is nobody's, bound to it by a field.
fn bound(ours: KindId, theirs: KindId, field: &str) -> (Desired, Inventory, Address, Address) {
    let (of, outsider) = (address("us-east-1", ours, "game-a"), address("us-east-1", theirs, "by-hand"));
    let wanted = desired(vec![node(of.clone(), "a", &[], &[])]);
    let mut world = world_of(&wanted);
    let value = if field == "users" { json!(["game-a"]) } else { json!("game-a") };
    let mut seen = seen_as_wanted(&node(outsider.clone(), "a", &[(field, value)], &[]));
    seen.facts.tags.clear();
    world.seen.insert(outsider.clone(), seen);
    (wanted, world, of, outsider)
}

fn assert_seen_and_not_begun(wanted: &Desired, world: &Inventory, of: &Address, outsider: &Address) {
    let what = format!("{outsider} and {of}");
    let plan = plan_for(wanted, world, &Policy::default());
    assert!(plan.steps.is_empty(), "{what}: it is left alone");
    assert_said(&plan, outsider.name.as_str(), &what);
    assert_eq!(plan.health.counts.get(&Trouble::ForeignMember), Some(&1), "{what}");

    let allowed = consents(&["delete:a@us-east-1", "delete:a@us-west-2"]);
    let removal = planning::plan(&PlanInput { destroy: true, ..ask(wanted, world, &allowed) });
    assert!(!removal.steps.iter().any(|step| step.op.address() == of), "{what}: {:?}", lines(&removal));
    let told = removal.waiting.iter().find(|waiting| waiting.address() == outsider).expect("it is told");
    assert!(told.to_string().contains("rgctl import"), "{told}");
    assert_eq!(exit_of(&removal), Exit::Blocked, "{what}");
    // Without it the removal goes ahead.
    let mut without = world.clone();
    without.seen.remove(outsider);
    if let Some(seen) = without.seen.get_mut(of) {
        seen.facts.members.clear();
    }
    let removal = planning::plan(&PlanInput { destroy: true, ..ask(wanted, &without, &allowed) });
    assert!(removal.steps.iter().any(|step| step.op.address() == of), "{what}: {:?}", lines(&removal));
}

#[test]
fn what_is_bound_to_ours_and_not_ours_is_said_in_every_family_and_stops_a_removal_before_it_begins() {
    for (ours, theirs, field) in [
        (KindId::AuroraCluster, KindId::AuroraInstance, "cluster"),
        (KindId::DocumentCluster, KindId::DocumentInstance, "cluster"),
        (KindId::RedshiftNamespace, KindId::RedshiftWorkgroup, "namespace"),
        (KindId::RdsSubnetGroup, KindId::AuroraCluster, "subnet_group"),
        (KindId::DocumentClusterParameters, KindId::DocumentCluster, "parameter_group"),
        (KindId::CacheUserGroup, KindId::CacheGroup, "user_group"),
        (KindId::CacheUser, KindId::CacheUserGroup, "users"),
        (KindId::RedshiftSubnetGroup, KindId::RedshiftCluster, "subnet_group"),
    ] {
        let (wanted, world, of, outsider) = bound(ours, theirs, field);
        assert_seen_and_not_begun(&wanted, &world, &of, &outsider);
    }
}

#[test]
fn a_member_of_our_global_object_that_is_not_ours_is_said_seen_or_not() {
    for global in [KindId::AuroraGlobal, KindId::DocumentGlobal, KindId::CacheGlobal] {
        for is_looked_at in [true, false] {
            let kind = global.member_kind().unwrap();
            let (of, outsider) =
                (address("us-east-1", global, "game-a"), address("us-west-2", kind, "by-hand"));
            let wanted = desired(vec![node(of.clone(), "a", &[], &[])]);
            let mut world = world_of(&wanted);
            let member =
                Member { region: region("us-west-2"), name: outsider.name.clone(), role: Role::Reader };
            world.seen.get_mut(&of).unwrap().facts.members.push(member);
            if is_looked_at {
                let mut seen = seen_as_wanted(&node(outsider.clone(), "a", &[], &[]));
                seen.facts.tags.clear();
                world.seen.insert(outsider.clone(), seen);
            }
            assert_seen_and_not_begun(&wanted, &world, &of, &outsider);
        }
    }
}

#[test]
fn a_global_object_that_is_not_ours_and_holds_a_cluster_of_ours_is_said() {
    let (of, outsider) = (
        address("us-east-1", KindId::AuroraCluster, "game-a"),
        address("us-west-2", KindId::AuroraGlobal, "theirs"),
    );
    let wanted = desired(vec![node(of.clone(), "a", &[], &[])]);
    let mut world = world_of(&wanted);
    let mut seen = seen_as_wanted(&node(outsider.clone(), "a", &[], &[]));
    seen.facts.tags.clear();
    seen.facts.members =
        vec![Member { region: of.region.clone(), name: of.name.clone(), role: Role::Writer }];
    world.seen.insert(outsider.clone(), seen);
    assert_seen_and_not_begun(&wanted, &world, &of, &outsider);
}

#[test]
fn a_removal_with_a_foreign_member_goes_on_for_the_other_stores() {
    let mut wanted = cluster_store("accounts", "us-east-1", 2, "db.r7g.large");
    wanted.extend(cluster_store("payments", "us-east-1", 1, "db.r7g.large"));
    let wanted = desired(wanted);
    let mut world = world_of(&wanted);
    let outsider = address("us-east-1", KindId::AuroraInstance, "by-hand");
    let fields = [("cluster", json!("game-accounts-use1"))];
    let mut seen = seen_as_wanted(&node(outsider.clone(), "accounts", &fields, &[]));
    seen.facts.tags.clear();
    world.seen.insert(outsider.clone(), seen);
    let allowed = consents(&["delete:accounts@us-east-1", "delete:payments@us-east-1"]);
    let removal = planning::plan(&PlanInput { destroy: true, ..ask(&wanted, &world, &allowed) });
    assert!(
        removal.steps.iter().all(|step| step.op.address().name.as_str().starts_with("game-payments")),
        "{:?}",
        lines(&removal)
    );
    assert!(removal.steps.len() >= 4);
    // A run that leaves the store out hears nothing of it.
    let targets = [rgctl_schema::names::StoreName::new("payments").unwrap()].into();
    let policy = Policy { targets, ..allowed };
    let removal = planning::plan(&PlanInput { destroy: true, ..ask(&wanted, &world, &policy) });
    assert!(removal.waiting.is_empty() && removal.health.is_clean(), "{:?}", removal.waiting);
    let removal_of_it =
        Policy { targets: [rgctl_schema::names::StoreName::new("accounts").unwrap()].into(), ..policy };
    let removal = planning::plan(&PlanInput { destroy: true, ..ask(&wanted, &world, &removal_of_it) });
    assert!(
        removal.waiting.len() == 1 && matches!(removal.waiting[0], Blocker::ForeignMember { .. }),
        "{:?}",
        removal.waiting
    );
}
