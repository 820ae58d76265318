//! Planning: what has to be done so that the world becomes as desired.
//!
//! Goes in: desired state, an inventory, a policy, figures. Comes out: a [`Plan`] — steps with reasons, order, cost and
//! effect, and for everything that is not done the thing that it waits for.
//!
//! **Invariant:** a pure function; the same input gives the same plan, step by step.
//! **Invariant:** nothing is destroyed on partial sight, without ownership, or without the consent it needs: such steps
//! are in the plan and say what they lack.
//! **Invariant:** no kind is named here; kinds differ only by their tables and facts.

mod births;
mod compare;
mod cool_down;
mod cost;
mod creations;
mod demands;
mod difference;
mod disturb;
mod draft;
mod effect;
mod empty;
mod figures;
mod health;
mod held_out;
mod hold;
mod input;
mod layout;
mod links;
mod memory;
mod order;
mod outsiders;
mod pauses;
mod primary;
mod quotas;
mod removal;
mod restarts;
mod rolling;
mod secrets;
mod sharing;
pub mod tables;
mod takeover;
mod unset;
mod waiting;
mod wanted_step;

use std::collections::BTreeMap;

use crate::gate::{self, Verdicts};
use rgctl_model::address::Address;
use rgctl_model::bill::CostRange;
use rgctl_model::claims::{Claimed, Claims};
use rgctl_model::node::{Desired, Node};
use rgctl_model::observed::{Inventory, Observed};
use rgctl_model::plan::{Answer, PLAN_FORMAT, Plan, Step, Steps};
use rgctl_model::policy::DestructiveAction;
use rgctl_model::quota::OverQuota;
use rgctl_model::rules::Rules;
use rgctl_schema::digest::Digester;
use rgctl_schema::names::{Fingerprint, RegionId};
use rgctl_schema::phase::Phase;

pub use births::kept_from_birth;
pub use difference::{effective_attrs, remaining_changes};
pub(crate) use disturb::is_upgrade;
pub use effect::transition_p95;
pub use figures::{Figures, NoFigures, Unpriced};
pub use input::PlanInput;
pub use memory::Memory;
pub(crate) use memory::{KnownSteps, Quiet, QuietBasis};
pub use primary::is_of_the_service;
pub(crate) use primary::waits_for_leaving;
pub use quotas::{known as known_quotas, regions_that_grow};
pub use takeover::take_over;

use creations::Creations;
use draft::Draft;
use input::side_by_side;
use memory::{Found, Walk};
use sharing::{Sharing, Standing};

/// Makes the plan.
///
/// 1. Each wanted object is compared with what is seen of it: created, changed, replaced, waited for.
/// 2. Members of one parent that would be disturbed are put one behind the other, the writer last.
/// 3. What is ours and no longer wanted is removed, dependants first.
/// 4. What may not go holds back whatever goes with it; so does what would act in a region that is held out.
/// 5. Steps outside the targets are dropped, with what depends on them.
/// 6. Order, cost and effect are added, and what the gate says.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    plan_after(input, &mut Memory::default())
}

/// Makes the plan that [`plan`] makes, and compares only what has changed since the one that a memory is of.
pub fn plan_after(input: &PlanInput<'_>, memory: &mut Memory) -> Plan {
    let masked = input.inventory.holding_out(input.held_out);
    plan_of(&PlanInput { inventory: &masked, ..*input }, memory)
}

fn plan_of(input: &PlanInput<'_>, memory: &mut Memory) -> Plan {
    memory.prepare(input);
    let mut draft = Draft::default();
    let sharing = memory.sharing(input);
    let sorted = sort_out(input, memory, sharing, &mut draft);
    memory.keep(sorted.news, broken(&sorted.others));
    let sharing = sorted.sharing;
    let (unwanted, others) = (sorted.unwanted, sorted.others);
    if !input.destroy {
        links::link_needs(input, &mut draft);
        restarts::follow(input, &mut draft);
        rolling::roll(input, &mut draft);
    }
    removal::remove_unwanted(input, &unwanted, &mut draft);
    links::wake_parents_first(&mut draft);
    let outsiders = outsiders::outsiders(input, &others, &draft);
    draft.waiting.extend(outsiders);
    if input.destroy {
        let lookalikes = outsiders::lookalikes(input, &draft);
        draft.waiting.extend(lookalikes);
    }
    draft.waiting.extend(held_out::blockers(input));
    empty::require_consent(input, &mut draft);
    held_out::mark(input, &mut draft);
    cool_down::mark(input, &mut draft);
    hold::hold_back(input, &mut draft);
    if !input.policy.targets.is_empty() {
        draft.keep_only(|address| input.is_target(address));
    }
    let waiting = std::mem::take(&mut draft.waiting);
    let mut notes = std::mem::take(&mut draft.notes);
    notes.extend(unset::said(&draft));
    let health = health::judge(input, &others, &waiting);
    notes.extend(outsiders::cost(input, &waiting));
    let mut own = order::sort(draft);
    disturb::describe_all(input, &mut own);
    let (steps, over_quota) = together(input, own, sharing.zip(memory.creations()));
    for gap in &input.inventory.gaps {
        let missing =
            "; `rgctl doctor` says whether a permission is missing, and `rgctl iam-policy` prints the policy";
        let remedy = if gap.lasting { missing } else { "" };
        notes.push(format!("{} could not be seen in full: {}{remedy}", gap.region, gap.why));
    }
    notes.extend(secrets::notes(steps.iter()));
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
        notes.extend(input.verdicts.said().filter(|_| !is_said));
    }
    Plan {
        format: PLAN_FORMAT.to_owned(),
        blueprint: input.desired.blueprint.clone(),
        base: Fingerprint(String::new()),
        made: input.now,
        destroy: input.destroy,
        steps,
        waiting: waiting.into_list(),
        health,
        cost: cost::ranges(input),
        prices: if input.destroy { Vec::new() } else { input.figures.sources() },
        over_quota,
        notes,
    }
}

/// Those of the objects that are in a state of failure, or in one that this version does not know.
pub fn broken(objects: &[(&Address, &Observed)]) -> Vec<Address> {
    let broken =
        objects.iter().filter(|(_, seen)| matches!(seen.facts.phase, Phase::Failed(_) | Phase::Unknown(_)));
    broken.map(|(address, _)| (*address).clone()).collect()
}

/// What is seen, sorted out.
#[derive(Default)]
struct Sorted<'a> {
    /// What nobody wants.
    unwanted: Vec<(&'a Address, &'a Observed)>,
    /// What is not known to be ours and as wanted, with all that nobody wants.
    others: Vec<(&'a Address, &'a Observed)>,
    /// What is, since now.
    news: Vec<(Address, Found)>,
    /// What is missing and has its steps from the plan before.
    sharing: Option<Sharing>,
}

/// Compares each wanted object with what is seen of it, but for what is known.
fn sort_out<'a>(
    input: &PlanInput<'a>,
    memory: &Memory,
    sharing: Option<Sharing>,
    draft: &mut Draft<'a>,
) -> Sorted<'a> {
    let mut sorted = Sorted { sharing, ..Sorted::default() };
    let (mut known, mut numbers) = (memory.walk(input), 0..);
    for pair in side_by_side(input) {
        // Of each that is wanted.
        let number = pair.0.and_then(|_| numbers.next()).unwrap_or_default();
        match pair {
            (Some((_, node)), Some((address, seen))) => {
                let claimed = known.claimed(address);
                if let Some(found) = known.recall(address, seen, claimed) {
                    if let Some(waits) = &found.waits {
                        draft.waiting.push_known(waits);
                    }
                    sorted.stands(number, found.standing);
                } else if compare::compare(input, node, Some(seen), draft) {
                    let waits = compare::waits_for(address, seen).map(|one| health::known(input, one));
                    sorted.stands(number, Standing::of(&seen.facts.phase));
                    sorted.news.extend(known.note(node, seen, claimed, waits));
                } else {
                    sorted.others.push((address, seen));
                    sorted.differs(number, node, claimed);
                }
            }
            (Some((address, node)), None) => {
                let claimed = known.claimed(address);
                if pauses::wants_stopped(node) || !compare::follows_birth(node).is_empty() {
                    // More than making it is to be done.
                    sorted.differs(number, node, claimed);
                    compare::compare(input, node, None, draft);
                } else if !sorted.shares(number, node, claimed) {
                    compare::compare(input, node, None, draft);
                }
            }
            (None, Some((address, seen))) => {
                sorted.unwanted.push((address, seen));
                sorted.others.push((address, seen));
            }
            (None, None) => {}
        }
    }
    sorted.make_the_rest(input, &known, draft);
    sorted
}

impl<'a> Sorted<'a> {
    /// Notes how a wanted object stands that is ours and as wanted.
    fn stands(&mut self, number: usize, standing: Standing) {
        if let Some(sharing) = &mut self.sharing {
            sharing.stands(number, standing);
        }
    }

    /// Notes one about which there is something else to do.
    fn differs(&mut self, number: usize, node: &Node, claimed: Option<&Claimed>) {
        if let Some(sharing) = &mut self.sharing {
            sharing.mixes(number, node, claimed);
        }
    }

    /// Whether one that is missing may have its step from the plan before.
    fn shares(&mut self, number: usize, node: &Node, claimed: Option<&Claimed>) -> bool {
        self.sharing.as_mut().is_some_and(|sharing| sharing.misses(number, node, claimed))
    }

    /// Compares what is missing after all where something else is to be done in its group.
    fn make_the_rest(&mut self, input: &PlanInput<'a>, known: &Walk<'_>, draft: &mut Draft<'a>) {
        let Some(sharing) = &mut self.sharing else { return };
        let is_removed = |(address, seen): &(&Address, &Observed)| {
            !address.kind.facts().observe_only && input.owns(address, seen)
        };
        if known.knows_others(input) || self.unwanted.iter().any(is_removed) {
            sharing.mixes_all();
        }
        for address in sharing.take_mixed() {
            if let Some(node) = input.desired.nodes.get(&address) {
                compare::compare(input, node, None, draft);
            }
        }
    }
}

/// All steps together, those that are shared and the others, with what is over a quota.
fn together(
    input: &PlanInput<'_>,
    own: Vec<Step>,
    shared: Option<(Sharing, &mut Creations)>,
) -> (Steps, Vec<OverQuota>) {
    let mut own: Steps = own.into_iter().collect();
    let Some((sharing, creations)) = shared else {
        let over = answer(input, &mut own);
        return (own, over);
    };
    gate::answer_all(&mut own, &input.asked(&[]));
    let (mut steps, fit) = creations.make(input, sharing, &own);
    let over = if fit { Vec::new() } else { answer(input, &mut steps) };
    (steps, over)
}

/// Asks the gate about all steps: first without quotas, since only what may be done takes room of one or makes some.
fn answer(input: &PlanInput<'_>, steps: &mut Steps) -> Vec<OverQuota> {
    gate::answer_all(steps, &input.asked(&[]));
    let over = quotas::over_quota(input, steps);
    if !over.is_empty() {
        gate::answer_all(steps, &input.asked(&over));
    }
    over
}

/// Asks the gate anew about a plan that was made before: when quotas were read meanwhile, or time has passed, or a region is
/// held out.
pub fn answer_anew(input: &PlanInput<'_>, plan: &mut Plan) {
    let masked = input.inventory.holding_out(input.held_out);
    let input = &PlanInput { inventory: &masked, ..*input };
    held_out::mark_plan(input, plan);
    cool_down::mark_plan(input, plan);
    plan.over_quota = answer(input, &mut plan.steps);
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
    let mut verdicts = Verdicts::judge(&desired.rules, &sum);
    verdicts.uncarried.clone_from(&desired.uncarried);
    verdicts
}

/// Digest of what a plan rests on: desired state, and of each object of ours what a plan looks at.
///
/// Facts that move by themselves (measured use, host names) are left out; a moved role or phase is not.
pub fn base(desired: &Desired, inventory: &Inventory, claims: &Claims) -> Fingerprint {
    base_of(desired, &base_by_region(desired, inventory, claims))
}

/// The same from its parts.
pub fn base_of(desired: &Desired, regions: &BTreeMap<RegionId, Fingerprint>) -> Fingerprint {
    let mut digest = Digester::default();
    digest.add_text(&desired.fingerprint.0);
    for (region, of_region) in regions {
        digest.add_text(region.as_str());
        digest.add_text(&of_region.0);
    }
    Fingerprint(digest.hex())
}

/// The same for each region on its own: of one that is held out later, nobody can tell whether it is as it was.
pub fn base_by_region(
    desired: &Desired,
    inventory: &Inventory,
    claims: &Claims,
) -> BTreeMap<RegionId, Fingerprint> {
    let mut digests: BTreeMap<&RegionId, Digester> = BTreeMap::new();
    for (address, seen) in &inventory.seen {
        if !claims.owns(&desired.blueprint, address, seen) && !desired.nodes.contains_key(address) {
            continue;
        }
        let facts = (&seen.facts.phase, seen.facts.role, &seen.facts.tags, &seen.facts.members);
        let digest = digests.entry(&address.region).or_default();
        digest.add(&(address, &seen.attrs, &seen.pending, facts));
        if !seen.facts.parameters.is_in_sync() {
            digest.add(&seen.facts.parameters);
        }
        if let Some(cooling) = &seen.facts.cool_down {
            digest.add(cooling);
        }
    }
    for gap in &inventory.gaps {
        digests.entry(&gap.region).or_default().add_text(gap.region.as_str());
    }
    digests.into_iter().map(|(region, digest)| (region.clone(), Fingerprint(digest.hex()))).collect()
}
