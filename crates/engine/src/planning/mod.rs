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
mod disturb;
mod draft;
mod effect;
mod empty;
mod health;
mod hold;
mod order;
mod outsiders;
mod primary;
mod quotas;
mod removal;
mod rolling;
pub mod tables;
mod takeover;

use std::cmp::Ordering;

use crate::gate::{self, Asked, Verdicts};
use rgctl_model::address::Address;
use rgctl_model::bill::CostRange;
use rgctl_model::choices::Choices;
use rgctl_model::claims::Claims;
use rgctl_model::node::{Desired, Node};
use rgctl_model::observed::{Inventory, Observed};
use rgctl_model::plan::{Answer, PLAN_FORMAT, Plan, Step};
use rgctl_model::policy::{Authority, ConsentRequest, DestructiveAction, Policy};
use rgctl_model::quota::OverQuota;
use rgctl_model::rules::Rules;
use rgctl_schema::digest::Digester;
use rgctl_schema::names::{Fingerprint, StoreName};
use rgctl_schema::time::Moment;

pub use compare::{effective_attrs, remaining_changes};
pub use cost::{Figures, NoFigures, Unpriced};
pub use effect::transition_p95;
pub use quotas::{known as known_quotas, regions_that_grow};
pub use takeover::take_over;

use draft::Draft;

/// Everything that a plan is made from.
#[derive(Clone, Copy)]
pub struct PlanInput<'a> {
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
    /// What was found about desired state as a whole.
    pub verdicts: &'a Verdicts,
    /// On whose word.
    pub authority: Authority,
}

impl PlanInput<'_> {
    /// Whether the object is ours, by its tags or by the record.
    fn owns(&self, at: &Address, seen: &Observed) -> bool {
        self.claims.owns(&self.desired.blueprint, at, seen)
    }

    fn node(&self, at: &Address) -> Option<&Node> {
        if self.destroy { None } else { self.desired.nodes.get(at) }
    }

    /// The store that an object belongs to: by desired state, else by the record and by its tag. When these two tell
    /// different stores, nobody knows: a tag is written by any hand.
    fn store_of(&self, at: &Address) -> Option<StoreName> {
        if let Some(node) = self.desired.nodes.get(at) {
            return Some(node.store.clone());
        }
        let recorded = self.claims.objects.get(at).filter(|claimed| claimed.is_done);
        let recorded = recorded.and_then(|claimed| claimed.store.clone());
        let Some(seen) = self.inventory.seen.get(at) else { return recorded };
        match (recorded, self.claims.store_of(at, seen)) {
            (Some(recorded), Some(told)) if recorded != told => None,
            (_, told) => told,
        }
    }

    /// A grave thing done to an object.
    fn act(&self, action: DestructiveAction, at: &Address) -> ConsentRequest {
        ConsentRequest { action, store: self.store_of(at), region: at.region.clone() }
    }

    /// What the gate judges by.
    fn asked<'b>(&'b self, over_quota: &'b [OverQuota]) -> Asked<'b> {
        Asked {
            rules: &self.desired.rules,
            policy: self.policy,
            verdicts: self.verdicts,
            over_quota,
            authority: self.authority,
            now: self.now,
        }
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
/// 6. Order, cost and effect are added, and what the gate says.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let mut draft = Draft::default();
    let mut unwanted = Vec::new();
    for pair in side_by_side(input) {
        match pair {
            (Some(node), seen) => compare::compare(input, node, seen, &mut draft),
            (None, Some((at, seen))) => unwanted.push((at, seen)),
            (None, None) => {}
        }
    }
    if !input.destroy {
        compare::link_needs(input, &mut draft);
        rolling::roll(input, &mut draft);
    }
    removal::remove_unwanted(input, &unwanted, &mut draft);
    let outsiders = outsiders::outsiders(input, &draft);
    draft.waiting.extend(outsiders);
    if input.destroy {
        let lookalikes = outsiders::lookalikes(input, &draft);
        draft.waiting.extend(lookalikes);
    }
    empty::require_consent(input, &mut draft);
    hold::hold_back(input, &mut draft);
    if !input.policy.targets.is_empty() {
        draft.keep_only(|at| input.is_target(at));
    }
    let waiting = std::mem::take(&mut draft.waiting);
    let mut notes = std::mem::take(&mut draft.notes);
    let health = health::judge(input, &waiting);
    notes.extend(outsiders::cost(input, &waiting));
    let mut steps = order::sort(draft);
    disturb::describe(input, &mut steps);
    let over_quota = answer(input, &mut steps);
    for gap in &input.inventory.gaps {
        let missing =
            "; `rgctl doctor` says whether a permission is missing, and `rgctl iam-policy` prints the policy";
        let remedy = if gap.lasting { missing } else { "" };
        notes.push(format!("{} could not be seen in full: {}{remedy}", gap.region, gap.why));
    }
    if !steps.is_empty() {
        notes.extend(never(&input.desired.rules));
        notes.extend(gate::times::in_force(&input.desired.rules, input.now));
    }
    if !input.destroy {
        if !steps.is_empty() {
            notes.extend(input.verdicts.notes.iter().cloned());
        }
        // A plan with steps that are refused ends with the reason.
        let is_said = steps.iter().any(|step| matches!(step.answer, Answer::No { .. }));
        notes.extend(
            input.verdicts.refusals.iter().filter(|_| !is_said).map(|why| format!("nothing may grow: {why}")),
        );
    }
    Plan {
        format: PLAN_FORMAT.to_owned(),
        blueprint: input.desired.blueprint.clone(),
        base: Fingerprint(String::new()),
        made: input.now,
        destroy: input.destroy,
        steps,
        waiting,
        health,
        cost: cost::ranges(input),
        prices: if input.destroy { Vec::new() } else { input.figures.sources() },
        over_quota,
        notes,
    }
}

/// Asks the gate about all steps: first without quotas, since only what may be done takes room of one or makes some.
fn answer(input: &PlanInput<'_>, steps: &mut [Step]) -> Vec<OverQuota> {
    gate::answer_all(steps, &input.asked(&[]));
    let over = quotas::over_quota(input, steps);
    if !over.is_empty() {
        gate::answer_all(steps, &input.asked(&over));
    }
    over
}

/// Asks the gate anew about a plan that was made before: when quotas were read meanwhile, or time has passed.
pub fn answer_anew(input: &PlanInput<'_>, plan: &mut Plan) {
    plan.over_quota = answer(input, &mut plan.steps);
}

/// A wanted object, and a seen one at the same address; at most one of the two is missing.
type Pair<'a> = (Option<&'a Node>, Option<(&'a Address, &'a Observed)>);

/// Wanted and seen objects side by side, in the order of their addresses. Both lists are sorted, so that nothing needs to
/// be searched for.
fn side_by_side<'a>(input: &PlanInput<'a>) -> impl Iterator<Item = Pair<'a>> {
    let mut wanted = input.desired.nodes.values().filter(|_| !input.destroy).peekable();
    let mut seen = input.inventory.seen.iter().peekable();
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

/// What nobody can allow.
fn never(rules: &[Rules]) -> Option<String> {
    let is_never = |action: &DestructiveAction| rules.iter().any(|rules| rules.policies.forbids(*action));
    let never: Vec<&str> = DestructiveAction::ALL
        .iter()
        .filter(|action| is_never(action))
        .map(|action| action.as_str())
        .collect();
    (!never.is_empty())
        .then(|| format!("never done, whoever asks: {} (`policies.consent`)", never.join(", ")))
}

/// What is found about desired state as a whole: once for a run, since it rests on prices.
pub fn verdicts(desired: &Desired, figures: &dyn Figures) -> Verdicts {
    let mut sum = CostRange::default();
    if desired.rules.iter().any(|rules| rules.policies.cost.is_some()) {
        for bill in &desired.bills {
            sum.merge(&figures.range(bill));
        }
    }
    Verdicts::judge(&desired.rules, &sum)
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
