//! What stands in the way of steps: objects that are taken, parents of which a member is disturbed, and how much is under
//! way.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::assess::Assessment;
use super::by_address::ByAddress;
use super::input::TurnInput;
use super::late::LateCalls;
use crate::planning::{KnownSteps, is_upgrade, tables, waits_for_leaving};
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Blocker, Op, Plan, Step};
use rgctl_model::quota::OverQuota;
use rgctl_schema::names::{Name, RegionId, StepId};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::table::Change;

/// What stands in the way of the steps of a turn; it grows with each that begins.
pub(super) struct Room<'a> {
    plan: &'a Plan,
    /// The steps of the plan, by name; made when it is asked for, which is seldom.
    planned: OnceCell<BTreeSet<&'a StepId>>,
    pub verdicts: &'a Assessment<'a>,
    /// Members that are seen, by parent; made when it is asked for, once for however many that go.
    members: OnceCell<BTreeMap<Address, Vec<(&'a Address, &'a Observed)>>>,
    /// Objects on which a step begins, or takes part.
    taken: BTreeSet<Address>,
    /// Objects in transition, and those with a step under way; sorted when it is asked for.
    moving: OnceCell<ByAddress<'a, ()>>,
    /// Parents of which a member is being disturbed; made when it is asked for.
    disturbed: OnceCell<BTreeSet<Address>>,
    /// Those of which a member is about to be.
    to_be_disturbed: BTreeSet<Address>,
    /// By parent, a member that may not serve, and that time does not make well.
    pub broken: BTreeMap<Address, &'a Address>,
    /// By member of a global object, that object and its other members.
    fellows: OnceCell<BTreeMap<Address, Vec<Address>>>,
    /// Global objects with their primaries.
    globals: OnceCell<Vec<(Address, Address)>>,
    /// By an object that goes, those that name it as they are seen.
    users: OnceCell<BTreeMap<&'a Address, Vec<&'a Address>>>,
    pub under_way: BTreeMap<(RegionId, Endpoint), usize>,
    /// Calls of this turn.
    pub calls: BTreeMap<(RegionId, Endpoint), usize>,
    /// What of the plan would exceed a quota.
    pub over_quota: &'a [OverQuota],
    /// Calls that may still arrive.
    pub late: LateCalls<'a>,
    pub input: &'a TurnInput<'a>,
}

impl<'a> Room<'a> {
    pub fn new(
        input: &'a TurnInput<'a>,
        (plan, known): (&'a Plan, KnownSteps<'_>),
        verdicts: &'a Assessment<'a>,
        broken: &'a [Address],
    ) -> Self {
        let mut room = Self {
            plan,
            planned: OnceCell::new(),
            members: OnceCell::new(),
            verdicts,
            taken: BTreeSet::new(),
            moving: OnceCell::new(),
            disturbed: OnceCell::new(),
            to_be_disturbed: BTreeSet::new(),
            broken: BTreeMap::new(),
            fellows: OnceCell::new(),
            globals: OnceCell::new(),
            users: OnceCell::new(),
            under_way: by_plane(verdicts.begun(input).map(|(_, begun)| &begun.address)),
            calls: BTreeMap::new(),
            over_quota: &plan.over_quota,
            late: LateCalls::of(input),
            input,
        };
        // Of a global object another one takes part.
        let may_have = |place: &usize| known.made_at(*place).is_none_or(|at| at.kind.member_kind().is_some());
        let steps = plan.steps.iter().enumerate().filter(|(place, _)| may_have(place));
        let beside = steps.filter_map(|(_, step)| Some((step, step.op.beside()?)));
        let is_out = |(step, _): &(&Step, Address)| verdicts.is_under_way(&step.id);
        room.taken.extend(beside.filter(is_out).map(|(_, beside)| beside));
        for address in broken {
            if let Some(parent) = room.parent(address).filter(|parent| !parent.kind.facts().is_global) {
                room.broken.insert(parent, address);
            }
        }
        room
    }

    /// Whether a member of a parent is disturbed.
    pub fn is_disturbed(&self, parent: &Address) -> bool {
        self.to_be_disturbed.contains(parent)
            || self.disturbed.get_or_init(|| self.disturbed()).contains(parent)
    }

    fn disturbed(&self) -> BTreeSet<Address> {
        let begun = self.verdicts.begun(self.input).filter(|(_, begun)| {
            matches!(begun.word.as_str(), "modify" | "delete" | "reboot")
                || tables::of(begun.address.kind).takes_failover
        });
        let moves = self.plan.waiting.iter().filter(|waiting| {
            matches!(waiting, Blocker::Transition { phase: Phase::Busy { .. } | Phase::Deleting, .. })
        });
        let members = begun.map(|(_, begun)| &begun.address).chain(moves.map(Blocker::address));
        members.filter_map(|member| self.parent(member)).collect()
    }

    pub fn parent(&self, address: &Address) -> Option<Address> {
        let parent = address.kind.facts().parent?;
        let attrs = match (self.input.inventory.seen.get(address), self.input.desired.nodes.get(address)) {
            (Some(seen), _) => &seen.attrs,
            (None, Some(node)) => &node.attrs,
            (None, None) => return None,
        };
        Some(Address::new(address.region.clone(), parent.kind, Name::new(attrs.text(parent.field)?).ok()?))
    }

    pub fn fellows_of(&self, address: &Address) -> impl Iterator<Item = &Address> {
        self.fellows.get_or_init(|| fellows(self.input)).get(address).into_iter().flatten()
    }

    /// The members of a parent that are seen, but for one.
    pub fn others_of<'b>(
        &'b self,
        parent: &Address,
        but: &'b Address,
    ) -> impl Iterator<Item = (&'a Address, &'a Observed)> + use<'a, 'b> {
        let members = self.members.get_or_init(|| {
            let mut members: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for (address, seen) in &self.input.inventory.seen {
                if let Some(parent) = self.parent(address) {
                    members.entry(parent).or_default().push((address, seen));
                }
            }
            members
        });
        members.get(parent).into_iter().flatten().copied().filter(move |(other, _)| *other != but)
    }

    /// A parent that is itself being removed has no service to protect.
    pub fn is_leaving(&self, parent: &Address) -> bool {
        self.input.destroys() || !self.input.desired.nodes.contains_key(parent)
    }

    /// Whether the step that makes an object is not done.
    pub fn is_open(&self, missing: &Address) -> bool {
        let creation = StepId(format!("create {missing}").into());
        let planned = self.planned.get_or_init(|| self.plan.steps.iter().map(|step| &step.id).collect());
        planned.contains(&creation) || self.verdicts.is_under_way(&creation)
    }

    fn moving(&self) -> ByAddress<'a, ()> {
        let says_something = |waiting: &&Blocker| {
            !waiting.is_only_told() && !matches!(waiting, Blocker::Retained { .. } | Blocker::HeldOut { .. })
        };
        let waiting = self.plan.waiting.iter().filter(says_something).map(Blocker::address);
        ByAddress::new(waiting.chain(self.verdicts.taken.iter().copied()).map(|address| (address, ())))
    }

    pub fn is_taken(&self, address: &Address) -> bool {
        self.taken.contains(address) || self.moving.get_or_init(|| self.moving()).contains(address)
    }

    pub fn take(&mut self, step: &Step) {
        let address = step.op.address().clone();
        let plane = plane(&address);
        *self.calls.entry(plane.clone()).or_default() += 1;
        *self.under_way.entry(plane).or_default() += 1;
        if disturbs(&step.op) {
            self.to_be_disturbed.extend(self.parent(&address));
        }
        if changes_all(&step.op) {
            let fellows: Vec<Address> = self.fellows_of(&address).cloned().collect();
            self.taken.extend(fellows);
        }
        self.taken.extend(step.op.beside());
        self.taken.insert(address);
    }

    /// Who joins a global object is fed by its primary, which must be at rest.
    pub fn joins_what_is_taken(&self, op: &Op) -> bool {
        let Op::Create { address, attrs, .. } = op else { return false };
        let (Some(kind), Some(name)) = (address.kind.global_kind(), attrs.joins()) else { return false };
        self.globals()
            .filter(|(global, _)| global.kind == kind && global.name.as_str() == name)
            .any(|(global, primary)| self.is_taken(global) || self.is_taken(primary))
    }

    /// A primary takes a newer version when its secondaries have it. The step of a secondary leaves the plan as soon as something
    /// of it shows, and the need of it with it; what is left is that its object is not at rest.
    pub fn is_ahead_of_secondaries(&self, op: &Op) -> bool {
        let Op::Modify { address, changes, .. } = op else { return false };
        changes.iter().any(is_upgrade)
            && self.globals().any(|(_, primary)| primary == address)
            && self.fellows_of(address).any(|fellow| self.is_taken(fellow))
    }

    /// What cannot be changed of a member of a global object is changed when it has left that; until then every call is refused.
    pub fn has_not_left(&self, op: &Op) -> bool {
        let Op::Modify { address, changes, .. } = op else { return false };
        changes.iter().any(|change| waits_for_leaving(address.kind, change))
            && self.input.inventory.globals_of(address).next().is_some()
    }

    /// What leaves a group for another one does so while it changes: its step has left the plan by then, and it names the old group
    /// until the end. Sooner the service refuses to remove that.
    pub fn is_left_by_what_moves(&self, op: &Op) -> bool {
        let Op::Delete { address, .. } = op else { return false };
        let users = self.users.get_or_init(|| users(self.input, self.plan)).get(address);
        users.into_iter().flatten().any(|user| self.is_taken(user))
    }

    fn globals(&self) -> impl Iterator<Item = &(Address, Address)> {
        self.globals.get_or_init(|| globals(self.input)).iter()
    }
}

/// By member of a global object, that object and its other members: those that are listed, and those that are meant to be.
fn fellows(input: &TurnInput<'_>) -> BTreeMap<Address, Vec<Address>> {
    let mut groups: BTreeMap<(KindId, String), BTreeSet<Address>> = BTreeMap::new();
    for (global, seen) in input.inventory.seen.iter().filter(|(address, _)| address.kind.facts().is_global) {
        let Some(kind) = global.kind.member_kind() else { continue };
        let group = groups.entry((global.kind, global.name.to_string())).or_default();
        group.insert(global.clone());
        let members = seen.facts.members.iter();
        group.extend(members.map(|one| Address::new(one.region.clone(), kind, one.name.clone())));
    }
    for (address, node) in &input.desired.nodes {
        if let Some(kind) = address.kind.global_kind()
            && let Some(name) = node.attrs.joins()
        {
            groups.entry((kind, name)).or_default().insert(address.clone());
        }
    }
    let mut fellows: BTreeMap<Address, Vec<Address>> = BTreeMap::new();
    for group in groups.values() {
        for address in group {
            let others = group.iter().filter(|other| *other != address).cloned();
            fellows.entry(address.clone()).or_default().extend(others);
        }
    }
    fellows
}

/// Global objects with their primaries, as far as these are seen.
fn globals(input: &TurnInput<'_>) -> Vec<(Address, Address)> {
    let mut globals = Vec::new();
    for (global, seen) in input.inventory.seen.iter().filter(|(address, _)| address.kind.facts().is_global) {
        let writer = seen.facts.members.iter().find(|member| member.role == Role::Writer);
        if let (Some(kind), Some(writer)) = (global.kind.member_kind(), writer) {
            let primary = Address::new(writer.region.clone(), kind, writer.name.clone());
            globals.push((global.clone(), primary));
        }
    }
    globals
}

/// By each object of a plan that goes, those that name it.
fn users<'a>(input: &'a TurnInput<'_>, plan: &'a Plan) -> BTreeMap<&'a Address, Vec<&'a Address>> {
    let going = plan.steps.iter().filter(|step| matches!(step.op, Op::Delete { .. }));
    let going: BTreeMap<(KindId, &RegionId, &str), &Address> = going
        .map(|step| step.op.address())
        .filter(|address| address.kind.facts().parent.is_none() && !address.kind.facts().holds_data)
        .map(|address| ((address.kind, &address.region, address.name.as_str()), address))
        .collect();
    let mut users: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    if going.is_empty() {
        return users;
    }
    for (user, seen) in &input.inventory.seen {
        for (_, kind, name) in seen.attrs.named() {
            if let Some(gone) = going.get(&(kind, &user.region, name.as_str())) {
                users.entry(*gone).or_default().push(user);
            }
        }
    }
    users
}

/// How many of these objects belong to each control plane. Those of one stand together for the greater part.
fn by_plane<'a>(objects: impl Iterator<Item = &'a Address>) -> BTreeMap<(RegionId, Endpoint), usize> {
    let mut planes: BTreeMap<_, usize> = BTreeMap::new();
    let mut run: Option<(&Address, usize)> = None;
    let mut add = |run: Option<(&Address, usize)>| {
        if let Some((address, count)) = run {
            *planes.entry(plane(address)).or_default() += count;
        }
    };
    for address in objects {
        match &mut run {
            Some((last, count)) if last.kind == address.kind && last.region == address.region => *count += 1,
            _ => add(run.replace((address, 1))),
        }
    }
    add(run);
    planes
}

/// Whether a change is one of all members of a global object: they have it in common, and must all be at rest.
pub(super) fn changes_all(op: &Op) -> bool {
    matches!(op, Op::Modify { changes, .. } if changes.iter().any(|change| change.common))
}

/// The control plane that takes a call, with a rate of its own.
pub(super) fn plane(address: &Address) -> (RegionId, Endpoint) {
    (address.region.clone(), address.kind.facts().endpoint)
}

pub(super) fn disturbs(op: &Op) -> bool {
    match op {
        Op::Delete { .. } | Op::Act { .. } => true,
        Op::Modify { .. } => op.change() >= Change::Restart,
        Op::Create { .. } | Op::Tag { .. } => false,
    }
}
