//! What is not as it should be: one judgement, from which every view speaks.
//!
//! **Invariant:** whatever is wanted and is not there, ours, whole and serving is in a step of the plan, or in its health.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::held_out;
use super::input::PlanInput;
use super::pauses::wants_stopped;
use super::waiting::{KnownBlocker, Said, Waiting};
use rgctl_model::address::Address;
use rgctl_model::health::{Health, HealthIssue, Trouble};
use rgctl_model::observed::{Gap, Observed};
use rgctl_model::plan::Blocker;
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::phase::Phase;

/// Judges a desired state, an inventory, and what the plan made of them waits for. `others` are the objects that are not known
/// to be as wanted.
pub(super) fn judge(input: &PlanInput<'_>, others: &[(&Address, &Observed)], waiting: &Waiting) -> Health {
    let mut troubles = told(input, waiting);

    let foreign: BTreeSet<&Address> =
        waiting.iter().filter(|one| matches!(one, Blocker::Foreign { .. })).map(Blocker::address).collect();
    if !input.destroy {
        troubles.extend(stopped(input, others, &foreign).map(Arc::new));
        troubles.extend(half_taken_over(input, &foreign).into_iter().map(Arc::new));
    }
    with_gaps(input, troubles)
}

/// What could not be seen, and nothing else: of work that changes nothing of the objects themselves.
pub(super) fn unseen(input: &PlanInput<'_>, waiting: &Waiting) -> Health {
    with_gaps(input, told(input, waiting))
}

fn told(input: &PlanInput<'_>, waiting: &Waiting) -> Vec<Arc<HealthIssue>> {
    let told = waiting.iter_said().filter_map(|(one, said)| match said {
        Said::AsBefore(issue) => issue.clone(),
        Said::NotAsked => told_of(input, one).map(Arc::new),
    });
    told.chain(held_out::issues(input, waiting.iter()).into_iter().map(Arc::new)).collect()
}

fn told_of(input: &PlanInput<'_>, one: &Blocker) -> Option<HealthIssue> {
    let told = issue(input, one.address(), of_waiting(input, one)?, one.to_string());
    Some(match one {
        // It has no store of its own.
        Blocker::ForeignMember { of, .. } => HealthIssue { store: input.store_of(of), ..told },
        _ => told,
    })
}

/// What is told of a wanted object in transition is told alike until it changes.
pub(super) fn known(input: &PlanInput<'_>, blocker: Blocker) -> KnownBlocker {
    let issue = told_of(input, &blocker).map(Arc::new);
    KnownBlocker { blocker: Arc::new(blocker), issue }
}

fn with_gaps(input: &PlanInput<'_>, mut troubles: Vec<Arc<HealthIssue>>) -> Health {
    let unseen: Vec<Address> = troubles
        .iter()
        .filter(|ailment| ailment.trouble == Trouble::Unseen)
        .filter_map(|ailment| ailment.address.clone())
        .collect();
    let gaps = input.inventory.gaps.iter().filter(|gap| !hides_one(gap, &unseen));
    troubles.extend(gaps.map(of_gap).map(Arc::new));
    Health::of(troubles)
}

fn issue(input: &PlanInput<'_>, address: &Address, trouble: Trouble, why: String) -> HealthIssue {
    HealthIssue {
        trouble,
        region: address.region.clone(),
        store: input.store_of(address),
        name: address.name.to_string(),
        address: Some(address.clone()),
        why,
    }
}

fn of_waiting(input: &PlanInput<'_>, waiting: &Blocker) -> Option<Trouble> {
    Some(match waiting {
        Blocker::Transition { phase: Phase::Busy { serves: false }, .. } => Trouble::Interrupted,
        Blocker::Transition { .. } => Trouble::Moving,
        Blocker::Pending { .. } => Trouble::Pending,
        Blocker::Broken { phase: Phase::Unknown(_), .. } => Trouble::UnknownStatus,
        Blocker::Broken { .. } => Trouble::Failed,
        Blocker::Foreign { .. } => Trouble::Foreign,
        Blocker::ForeignMember { .. } => Trouble::ForeignMember,
        // What is seen is held because something else is not.
        Blocker::Unseen { address, .. } if input.inventory.seen.contains_key(address) => Trouble::Held,
        Blocker::Unseen { .. } => Trouble::Unseen,
        Blocker::Bound { .. } | Blocker::OtherKey { .. } | Blocker::BornOtherwise { .. } => Trouble::Held,
        // As the blueprint said; and what is told of each store in a region as one.
        Blocker::Retained { .. } | Blocker::HeldOut { .. } => return None,
    })
}

/// Objects of ours that are stopped, and wanted running.
fn stopped<'a>(
    input: &'a PlanInput<'_>,
    others: &'a [(&Address, &Observed)],
    foreign: &'a BTreeSet<&Address>,
) -> impl Iterator<Item = HealthIssue> + 'a {
    let stopped = others.iter().filter(|(_, seen)| seen.facts.phase == Phase::Stopped);
    stopped.filter_map(|(address, seen)| {
        let node = input
            .desired
            .nodes
            .get(address)
            .filter(|node| input.is_target(address) && !wants_stopped(node))?;
        let why = || format!("is stopped (the service says {:?}), and wanted running", seen.facts.native);
        (!foreign.contains(&node.address)).then(|| issue(input, &node.address, Trouble::Stopped, why()))
    })
}

/// Stores of which some objects are ours and others are nobody's yet, with how many of how many.
fn half_taken_over(input: &PlanInput<'_>, foreign: &BTreeSet<&Address>) -> Vec<HealthIssue> {
    if foreign.is_empty() {
        return Vec::new();
    }
    let mut stores: BTreeMap<(&StoreName, &RegionId), (usize, usize)> = BTreeMap::new();
    for node in input.desired.nodes.values().filter(|node| input.inventory.seen.contains_key(&node.address)) {
        let (ours, all) = stores.entry((&node.store, &node.address.region)).or_default();
        *ours += usize::from(!foreign.contains(&node.address));
        *all += 1;
    }
    let halves = stores.into_iter().filter(|(_, (ours, all))| *ours > 0 && ours < all);
    halves
        .map(|((store, region), (ours, all))| HealthIssue {
            trouble: Trouble::HalfTakenOver,
            address: None,
            region: region.clone(),
            store: Some(store.clone()),
            name: format!("{store} in {region}"),
            why: format!(
                "{ours} of its {all} objects are ours: `rgctl import --take-over` goes on, or `rgctl import` shows what \
                 is left"
            ),
        })
        .collect()
}

/// Whether an object that is named already is what a gap may hide.
fn hides_one(gap: &Gap, unseen: &[Address]) -> bool {
    unseen.iter().any(|address| address.region == gap.region && address.kind.facts().endpoint == gap.endpoint)
}

fn of_gap(gap: &Gap) -> HealthIssue {
    let service = gap.endpoint.as_str();
    HealthIssue {
        trouble: Trouble::Unseen,
        address: None,
        region: gap.region.clone(),
        store: None,
        name: format!("{service} in {}", gap.region),
        why: format!("could not be seen: {}", gap.why),
    }
}
