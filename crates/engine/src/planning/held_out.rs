//! Regions that are held out: what lies there is neither missing nor done, and nothing elsewhere acts there.
//!
//! Goes in: a plan in the making, or one that was made before. Comes out: what is told of such regions, and on each step
//! that would act in one, or needs something there, the reason why it waits. The gate says the rest.
//!
//! **Invariant:** it is judged by region and not by what is seen: whatever a look shows of a held-out region, nothing
//! follows from it.

use std::collections::{BTreeMap, BTreeSet};

use super::disturb::is_upgrade;
use super::draft::{Draft, DraftStep, StepNo, is_removal};
use super::input::PlanInput;
use super::rolling::parent_of;
use rgctl_model::address::Address;
use rgctl_model::health::{HealthIssue, Trouble};
use rgctl_model::node::Node;
use rgctl_model::observed::Member;
use rgctl_model::overlay::HoldOut;
use rgctl_model::plan::{Blocker, Op, Plan, Verb};
use rgctl_schema::names::{Name, RegionId, StoreName};
use rgctl_schema::phase::Role;

/// What is wanted or on record in a held-out region, and not seen from elsewhere.
pub(super) fn blockers(input: &PlanInput<'_>) -> Vec<Blocker> {
    if input.inventory.held_out.is_empty() {
        return Vec::new();
    }
    let known: BTreeSet<&Address> = input.desired.nodes.keys().chain(input.claims.objects.keys()).collect();
    let held = known.into_iter().filter_map(|address| Some((address, input.inventory.hold_on(address)?)));
    held.filter(|(address, _)| !input.inventory.seen.contains_key(address))
        .map(|(address, hold)| Blocker::HeldOut { address: address.clone(), hold: hold.clone() })
        .collect()
}

/// One line for each store in a region, however many objects it has there.
pub(super) fn issues<'b>(
    input: &PlanInput<'_>,
    waiting: impl Iterator<Item = &'b Blocker>,
) -> Vec<HealthIssue> {
    let mut places: BTreeMap<(&RegionId, Option<StoreName>), (usize, &HoldOut)> = BTreeMap::new();
    for one in waiting {
        if let Blocker::HeldOut { address, hold } = one {
            places.entry((&address.region, input.store_of(address))).or_insert((0, hold)).0 += 1;
        }
    }
    let issue = |((region, store), (count, hold)): ((&RegionId, Option<StoreName>), (usize, &HoldOut))| {
        let name = match &store {
            Some(store) => format!("{store} in {region}"),
            None => format!("what is shared in {region}"),
        };
        let objects = if count == 1 { "1 object that is" } else { &format!("{count} objects that are") };
        HealthIssue {
            trouble: Trouble::HeldOut,
            address: None,
            region: region.clone(),
            store,
            name,
            why: format!("has {objects} neither missing nor done: {hold}"),
        }
    };
    places.into_iter().map(issue).collect()
}

/// Marks the steps of a plan in the making.
pub(super) fn mark(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    if input.inventory.held_out.is_empty() {
        return;
    }
    let reason =
        |(no, entry): (StepNo, &DraftStep<'_>)| Some((no, reason(input, &entry.step.op, entry.node)?));
    let reasons: Vec<(StepNo, String)> = draft.entries().filter_map(reason).collect();
    for (no, why) in reasons {
        if let Some(step) = draft.step_mut(no) {
            step.held_out = Some(why);
        }
    }
}

/// Nothing is half removed: with a step that is held up waits whatever is removed after it, of a deletion the members that
/// go with it, and what only makes it possible.
pub(super) fn spread(draft: &mut Draft<'_>) {
    let mut news: Vec<StepNo> =
        draft.entries().filter(|(_, entry)| entry.step.held_out.is_some()).map(|(no, _)| no).collect();
    if news.is_empty() {
        return;
    }
    let ties = ties(draft);
    while let Some(no) = news.pop() {
        let why = draft.get(no).and_then(|entry| entry.step.held_out.clone());
        for tied in ties.get(&no).into_iter().flatten() {
            if let Some(step) = draft.step_mut(*tied)
                && step.held_out.is_none()
            {
                step.held_out.clone_from(&why);
                news.push(*tied);
            }
        }
    }
}

/// By step, those that wait with it.
fn ties(draft: &Draft<'_>) -> BTreeMap<StepNo, Vec<StepNo>> {
    let mut ties: BTreeMap<StepNo, Vec<StepNo>> = BTreeMap::new();
    for (no, entry) in draft.entries().filter(|(_, entry)| is_removal(&entry.step)) {
        for (needed, _) in draft.needs_of(entry) {
            ties.entry(needed).or_default().push(no);
        }
        let address = entry.step.op.address();
        let (goes_with, of_it) = if let Op::Delete { .. } = &entry.step.op {
            (parent_of(address, entry.node, entry.seen), draft.of(address))
        } else {
            // Where its member stays, a detachment goes with its global object.
            let goes = entry.step.op.beside().and_then(|member| draft.deletion_of(&member));
            (goes.is_none().then(|| address.clone()), [].as_slice())
        };
        if let Some(deletion) = goes_with.and_then(|whole| draft.deletion_of(&whole)) {
            ties.entry(deletion).or_default().push(no);
        }
        ties.entry(no).or_default().extend(of_it.iter().filter(|other| **other != no));
    }
    ties
}

/// Marks the steps of a plan that was made before a region was held out, or released.
pub(super) fn mark_plan(input: &PlanInput<'_>, plan: &mut Plan) {
    for step in plan.steps.iter_mut() {
        if input.inventory.held_out.is_empty() {
            step.held_out = None;
        } else if step.held_out.is_none() {
            step.held_out = reason(input, &step.op, input.desired.nodes.get(step.op.address()));
        }
    }
}

/// Why an operation waits for the release of a region, if it does.
pub(super) fn reason(input: &PlanInput<'_>, op: &Op, node: Option<&Node>) -> Option<String> {
    if input.inventory.held_out.is_empty() {
        return None;
    }
    let address = op.address();
    if let Some(hold) = input.inventory.hold_on(address) {
        return Some(hold.to_string());
    }
    let (what, hold) = reach(input, op, node).find_map(|one| {
        let hold = input.inventory.held_out.get(&one.region)?;
        Some((one, hold))
    })?;
    Some(format!("{}: {hold}", what.text))
}

/// What an operation reaches beyond its own object.
struct Reach {
    region: RegionId,
    text: String,
}

fn acts_on(address: &Address) -> Reach {
    Reach { region: address.region.clone(), text: format!("it would act on {address} too") }
}

fn needs(address: &Address) -> Reach {
    Reach { region: address.region.clone(), text: format!("it needs {address}") }
}

/// Everything beyond its own object on which an operation acts, or that it needs.
fn reach<'a>(
    input: &'a PlanInput<'a>,
    op: &'a Op,
    node: Option<&'a Node>,
) -> Box<dyn Iterator<Item = Reach> + 'a> {
    let address = op.address();
    let beside = op.beside().into_iter().map(|beside| match op {
        Op::Create { .. } => needs(&beside),
        _ => acts_on(&beside),
    });
    match op {
        Op::Create { attrs, .. } => {
            let wanted = node.into_iter().flat_map(|node| &node.needs).map(needs);
            // Who joins a global object is filled from its primary, wherever that is now.
            let source = address.kind.global_kind().zip(attrs.joins());
            let source = source.into_iter().flat_map(move |global| primaries(input, global));
            Box::new(beside.chain(wanted).chain(source.map(|primary| needs(&primary))))
        }
        Op::Delete { .. } if address.kind.facts().is_global => {
            Box::new(family(input, address).into_iter().map(|one| acts_on(&one)))
        }
        Op::Delete { .. } => Box::new(global_around(input, address).into_iter().map(|one| acts_on(&one))),
        Op::Modify { .. } if address.kind.facts().is_global => {
            Box::new(family(input, address).into_iter().map(|one| acts_on(&one)))
        }
        Op::Modify { changes, .. } => {
            let is_common = changes.iter().any(|change| change.common);
            let is_last = changes.iter().any(is_upgrade) && is_primary(input, address);
            let fellows = (is_common || is_last).then(|| fellows(input, address)).into_iter().flatten();
            let reach = if is_common { acts_on } else { needs };
            Box::new(fellows.map(move |one| reach(&one)).chain(far_regions(input, op)))
        }
        // Writes move without loss only while the one that has them answers.
        Op::Act { verb: Verb::Switchover { .. }, .. } => {
            let name = address.name.to_string();
            Box::new(beside.chain(primaries(input, (address.kind, name)).map(|one| needs(&one))))
        }
        Op::Act { .. } | Op::Tag { .. } => Box::new(beside),
    }
}

/// The primaries of a global object, as it is listed.
fn primaries<'a>(
    input: &'a PlanInput<'a>,
    (kind, name): (rgctl_model::kinds::KindId, String),
) -> impl Iterator<Item = Address> + 'a {
    let its = input
        .inventory
        .seen
        .iter()
        .filter(move |(address, _)| address.kind == kind && address.name.as_str() == name);
    its.flat_map(|(global, seen)| {
        let writers = seen.facts.members.iter().filter(|member| member.role == Role::Writer);
        writers.filter_map(|member| {
            let kind = global.kind.member_kind()?;
            Some(Address::new(member.region.clone(), kind, member.name.clone()))
        })
    })
}

/// Whether an object is the primary of a global object: its secondaries have a newer version first.
fn is_primary(input: &PlanInput<'_>, address: &Address) -> bool {
    let is_it = |member: &Member| member.role == Role::Writer && member.is(address);
    input.inventory.globals_of(address).any(|(_, global)| global.facts.members.iter().any(is_it))
}

/// The members of a global object, as it lists them and as they are meant to be; and the object itself where it is known
/// in another region: whose tags are lost may be seen at one that is not its own.
fn family(input: &PlanInput<'_>, global: &Address) -> BTreeSet<Address> {
    let kind = global.kind.member_kind();
    let listed = input.inventory.seen.get(global).into_iter().flat_map(|seen| &seen.facts.members);
    let listed =
        listed.filter_map(|member| Some(Address::new(member.region.clone(), kind?, member.name.clone())));
    let is_meant = |(address, node): &(&Address, &Node)| {
        Some(address.kind) == kind && node.attrs.joins().as_deref() == Some(global.name.as_str())
    };
    let meant = input.desired.nodes.iter().filter(is_meant).map(|(address, _)| address.clone());
    listed.chain(meant).chain(elsewhere(input, global.kind, &global.name)).collect()
}

/// Where a global object is known by desired state or the record.
fn elsewhere<'a>(
    input: &'a PlanInput<'a>,
    kind: rgctl_model::kinds::KindId,
    name: &'a Name,
) -> impl Iterator<Item = Address> + 'a {
    let known = input.desired.nodes.keys().chain(input.claims.objects.keys());
    known.filter(move |address| address.kind == kind && address.name == *name).cloned()
}

/// The global object around a member that names it, where nobody sees it: a member goes only out of one that lets it go.
fn global_around(input: &PlanInput<'_>, address: &Address) -> Vec<Address> {
    let joins = input.inventory.seen.get(address).and_then(|seen| seen.attrs.joins());
    let global = address.kind.global_kind().zip(joins.and_then(|name| Name::new(name).ok()));
    let Some((kind, name)) = global else { return Vec::new() };
    elsewhere(input, kind, &name).filter(|global| !input.inventory.seen.contains_key(global)).collect()
}

/// The global object of a member, and the other members: what all have in common is changed for all.
fn fellows(input: &PlanInput<'_>, address: &Address) -> BTreeSet<Address> {
    let globals = input.inventory.globals_of(address);
    let mut fellows: BTreeSet<Address> = globals.flat_map(|(global, _)| family(input, global)).collect();
    fellows.extend(global_around(input, address));
    fellows
}

/// The regions in which a change of some fields acts, too: they are named by the fields before and after.
fn far_regions<'a>(input: &'a PlanInput<'a>, op: &'a Op) -> impl Iterator<Item = Reach> + 'a {
    let far = op.address().kind.far_fields();
    let Op::Modify { changes, .. } = op else { return Vec::new().into_iter() };
    if !changes.iter().any(|change| far.contains(&change.field.as_str())) {
        return Vec::new().into_iter();
    }
    let wanted = input.desired.nodes.get(op.address()).map(|node| &node.attrs);
    let seen = input.inventory.seen.get(op.address()).map(|seen| &seen.attrs);
    let values =
        wanted.into_iter().chain(seen).flat_map(|attrs| far.iter().flat_map(|field| attrs.names(field)));
    let regions = values.filter_map(|code| RegionId::new(code).ok());
    let reach = |region: RegionId| Reach { text: format!("it would act in {region} too"), region };
    regions.map(reach).collect::<Vec<_>>().into_iter()
}
