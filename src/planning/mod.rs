//! Planning: what has to be done so that the world becomes as desired.
//!
//! Goes in: desired state, an inventory, a policy, figures. Comes out: a [`Plan`] — steps with reasons, order, cost and
//! effect, and for everything that is not done the thing that it waits for.
//!
//! **Invariant:** a pure function; the same input gives the same plan, step by step.
//! **Invariant:** nothing is destroyed on partial sight, without ownership, or without the consent it needs: such steps
//! are in the plan and say what they lack.
//! **Invariant:** no kind is named here; kinds differ only by their tables and facts.

mod compare;
mod cost;
mod draft;
mod effect;
mod health;
mod hold;
mod order;
mod outsiders;
mod primary;
mod removal;
mod rolling;
mod takeover;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::artefacts::address::Address;
use crate::artefacts::choices::Choices;
use crate::artefacts::claims::Claims;
use crate::artefacts::node::{Desired, Node};
use crate::artefacts::plan::{PLAN_FORMAT, Plan};
use crate::artefacts::policy::{Consent, Grave, Policy};
use crate::artefacts::seen::{Inventory, Seen};
use crate::vocabulary::digest::Digester;
use crate::vocabulary::names::{Fingerprint, StoreName};
use crate::vocabulary::time::Moment;

pub use compare::{effective_attrs, remaining_changes};
pub use cost::{Figures, NoFigures, Unpriced};
pub use effect::transition_p95;
pub use takeover::take_over;

use draft::Draft;

/// Everything that a plan is made from.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// What exists.
    pub inventory: &'a Inventory,
    /// What may be done.
    pub policy: &'a Policy,
    /// Prices and capacities.
    pub figures: &'a dyn Figures,
    /// What was chosen before where several ways are equally right.
    pub choices: &'a Choices,
    /// When; only recorded.
    pub now: Moment,
    /// Ends the names of final snapshots, so that they are unique: the run's start, for example.
    pub snapshot_suffix: &'a str,
    /// Whether everything of the blueprint is to be removed.
    pub destroy: bool,
    /// What the record knows of its objects.
    pub claims: &'a Claims,
}

impl Ask<'_> {
    /// Whether the object is ours, by its tags or by the record.
    fn owns(&self, at: &Address, seen: &Seen) -> bool {
        self.claims.owns(&self.desired.blueprint, at, seen)
    }

    fn node(&self, at: &Address) -> Option<&Node> {
        if self.destroy { None } else { self.desired.nodes.get(at) }
    }

    /// The store that an object belongs to, by desired state, by its tag, or by the record.
    fn store_of(&self, at: &Address) -> Option<StoreName> {
        if let Some(node) = self.desired.nodes.get(at) {
            return Some(node.store.clone());
        }
        self.claims.store_of(at, self.inventory.seen.get(at)?)
    }

    /// The consent that a grave thing needs, unless it has been given.
    fn lacking(&self, grave: Grave, at: &Address) -> Option<Consent> {
        let store = self.store_of(at)?;
        let consent = Consent { grave, store, region: at.region.clone() };
        (!self.policy.consents.contains(&consent)).then_some(consent)
    }

    fn is_target(&self, at: &Address) -> bool {
        self.policy.targets.is_empty()
            || self.store_of(at).is_some_and(|store| self.policy.targets.contains(&store))
    }
}

/// Makes the plan.
///
/// 1. Each wanted object is compared with what is seen of it: created, changed, replaced, waited for.
/// 2. Members of one parent that would be disturbed are put one behind the other, the writer last.
/// 3. What is ours and no longer wanted is removed, dependants first.
/// 4. What may not go holds back whatever goes with it.
/// 5. Steps outside the targets are dropped, with what depends on them.
/// 6. Order, cost and effect are added.
pub fn plan(ask: &Ask<'_>) -> Plan {
    let mut draft = Draft::default();
    let mut unwanted = Vec::new();
    for pair in side_by_side(ask) {
        match pair {
            (Some(node), seen) => compare::compare(ask, node, seen, &mut draft),
            (None, Some((at, seen))) => unwanted.push((at, seen)),
            (None, None) => {}
        }
    }
    if !ask.destroy {
        compare::link_needs(ask, &mut draft);
        rolling::roll(ask, &mut draft);
    }
    removal::remove_unwanted(ask, &unwanted, &mut draft);
    let outsiders = outsiders::outsiders(ask, &draft);
    draft.waiting.extend(outsiders);
    hold::hold_back(ask, &mut draft);
    if !ask.policy.targets.is_empty() {
        draft.keep_only(|at| ask.is_target(at));
    }
    let waiting = std::mem::take(&mut draft.waiting);
    let mut notes = std::mem::take(&mut draft.notes);
    let health = health::judge(ask, &waiting);
    let steps = order::sort(draft);
    for gap in &ask.inventory.gaps {
        let remedy =
            if gap.lasting { "; `rgctl iam-policy` prints the permissions that it takes" } else { "" };
        notes.push(format!("{} could not be seen in full: {}{remedy}", gap.region, gap.why));
    }
    Plan {
        format: PLAN_FORMAT.to_owned(),
        blueprint: ask.desired.blueprint.clone(),
        base: Fingerprint(String::new()),
        made: ask.now,
        destroy: ask.destroy,
        steps,
        waiting,
        health,
        cost: cost::ranges(ask),
        prices: if ask.destroy { Vec::new() } else { ask.figures.sources() },
        notes,
    }
}

/// A wanted object, and a seen one at the same address; at most one of the two is missing.
type Pair<'a> = (Option<&'a Node>, Option<(&'a Address, &'a Seen)>);

/// Wanted and seen objects side by side, in the order of their addresses. Both lists are sorted, so that nothing needs to
/// be searched for.
fn side_by_side<'a>(ask: &Ask<'a>) -> impl Iterator<Item = Pair<'a>> {
    let mut wanted = ask.desired.nodes.values().filter(|_| !ask.destroy).peekable();
    let mut seen = ask.inventory.seen.iter().peekable();
    std::iter::from_fn(move || {
        let order = match (wanted.peek(), seen.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(node), Some((at, _))) => node.at.cmp(at),
        };
        let node = if order.is_le() { wanted.next() } else { None };
        let seen = if order.is_ge() { seen.next() } else { None };
        Some((node, seen))
    })
}

/// Digest of what a plan rests on: desired state, and of each object of ours what a plan looks at.
///
/// Facts that move by themselves (measured use, host names) are left out; a moved role or phase is not.
pub fn base(desired: &Desired, inventory: &Inventory, claims: &Claims) -> Fingerprint {
    let mut digest = Digester::default();
    digest.add_text(&desired.fingerprint.0);
    for (at, seen) in &inventory.seen {
        if !claims.owns(&desired.blueprint, at, seen) && !desired.nodes.contains_key(at) {
            continue;
        }
        let facts = (&seen.facts.phase, seen.facts.role, &seen.facts.tags, &seen.facts.members);
        digest.add(&(at, &seen.attrs, &seen.pending, facts));
    }
    for gap in &inventory.gaps {
        digest.add_text(gap.region.as_str());
    }
    Fingerprint(digest.hex())
}

/// Objects that are ours and differ from desired state although no step of ours is out for them: another hand did it.
/// The same comparison as the plan's, without what is merely missing because it was never made.
pub fn drifted(plan: &Plan, made_by_us: &BTreeSet<Address>) -> BTreeSet<Address> {
    plan.steps.iter().map(|step| step.op.at()).filter(|at| made_by_us.contains(*at)).cloned().collect()
}
