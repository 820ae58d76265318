//! What a step does to those who use a store, as windows and freezes ask; and whether it makes up for a loss.

use std::collections::BTreeMap;

use serde_json::Value;

use super::input::PlanInput;
use super::pauses;
use super::rolling::parent_of;
use crate::gate;
use rgctl_model::address::Address;
use rgctl_model::kinds::shared::EngineVersion;
use rgctl_model::plan::{Disturbance, Op, Reason, Step, Verb};
use rgctl_schema::money::Total;
use rgctl_schema::phase::Role;
use rgctl_schema::table::{Change, FieldChange};

/// Fields that say which version of an engine runs.
const VERSIONS: [&str; 3] = ["engine", "engine_version", "major_engine_version"];
/// The field that stops and starts an object by a timetable of the blueprint, which is a window of its own.
const PAUSED: &str = "paused";

/// Whether a change is one of which version of an engine runs.
pub(crate) fn is_upgrade(change: &FieldChange) -> bool {
    VERSIONS.contains(&change.field.as_str())
}

/// Whether a change is one to another major line of an engine.
pub(super) fn is_major_upgrade(change: &FieldChange) -> bool {
    let line = |value: &Value| value.as_str().map(|text| EngineVersion(text.to_owned()).major());
    let is_other = || change.before.as_ref().and_then(line) != line(&change.after);
    is_upgrade(change) && (change.field == "engine" || is_other())
}

/// Describes every step of a plan that is complete.
pub(super) fn describe_all(input: &PlanInput<'_>, steps: &mut [Step]) {
    let removals = steps.iter().filter(|step| matches!(step.op, Op::Delete { .. }));
    let remade: BTreeMap<Address, Total> = removals
        .filter(|step| step.is_remade())
        .map(|step| (step.op.address().clone(), step.cost.before.clone()))
        .collect();
    let restarts = |step: &Step| matches!(step.op, Op::Modify { .. } | Op::Act { .. });
    let members = if steps.iter().any(restarts) { members(input) } else { BTreeMap::new() };
    Around { input, remade, members }.describe(&mut *steps);
    wake_with_what_follows(steps);
}

/// What is woken for changes or its end waits as they do: it would lie awake until their window opens.
fn wake_with_what_follows(steps: &mut [Step]) {
    let ends = |address: &Address| {
        steps.iter().any(|step| matches!(&step.op, Op::Delete { address: gone, .. } if gone == address))
    };
    let is_waking = |step: &Step| match &step.op {
        Op::Modify { address, changes, .. } => pauses::wakes(address.kind, changes),
        Op::Act { address, verb: Verb::Start } => ends(address),
        _ => false,
    };
    let waking: Vec<usize> = (0..steps.len()).filter(|place| is_waking(&steps[*place])).collect();
    for place in waking {
        let address = steps[place].op.address();
        let own = steps.iter().filter(|step| step.op.address() == address);
        let gravest = own.map(|step| step.disturbs).max().unwrap_or(Disturbance::Quiet);
        steps[place].disturbs = gravest;
    }
}

/// Describes steps that make what was never there, whatever else is in the plan.
pub(super) fn describe_new<'s>(input: &PlanInput<'_>, steps: impl Iterator<Item = &'s mut Step>) {
    Around { input, remade: BTreeMap::new(), members: BTreeMap::new() }.describe(steps);
}

/// How many members each parent has that serve.
fn members(input: &PlanInput<'_>) -> BTreeMap<Address, usize> {
    let mut members: BTreeMap<Address, usize> = BTreeMap::new();
    for (address, seen) in &input.inventory.seen {
        if seen.facts.phase.serves()
            && let Some(parent) = parent_of(address, None, Some(seen))
        {
            *members.entry(parent).or_default() += 1;
        }
    }
    members
}

struct Around<'a, 'b> {
    input: &'b PlanInput<'a>,
    /// What is deleted to be made anew, with its cost.
    remade: BTreeMap<Address, Total>,
    members: BTreeMap<Address, usize>,
}

impl Around<'_, '_> {
    fn describe<'s>(&self, steps: impl IntoIterator<Item = &'s mut Step>) {
        for step in steps {
            step.disturbs = self.disturbs(step);
            step.repairs = self.repairs(step);
        }
    }

    fn disturbs(&self, step: &Step) -> Disturbance {
        let address = step.op.address();
        match &step.op {
            Op::Create { .. } => Disturbance::Growth,
            Op::Tag { .. } => Disturbance::Quiet,
            Op::Delete { .. } if step.is_remade() => Disturbance::Replacement,
            Op::Delete { .. } if self.is_writer(address) && self.parent_stays(address) => {
                Disturbance::Failover
            }
            Op::Delete { .. } => Disturbance::Reduction,
            // It is a part of the deletion that it makes possible.
            Op::Modify { .. } if step.why == Reason::Unprotect => {
                if self.remade.contains_key(address) {
                    Disturbance::Replacement
                } else {
                    Disturbance::Reduction
                }
            }
            Op::Modify { changes, .. } => {
                let all = changes.iter().map(|change| self.by_change(address, change));
                all.max().unwrap_or(Disturbance::Quiet)
            }
            Op::Act { verb, .. } => match verb {
                Verb::Failover { .. }
                | Verb::TestFailover { .. }
                | Verb::Switchover { .. }
                | Verb::FailoverGlobal { .. } => Disturbance::Failover,
                Verb::Detach { .. } if step.is_remade() => Disturbance::Replacement,
                Verb::Detach { .. } | Verb::Stop => Disturbance::Reduction,
                Verb::Reboot => self.restart(address),
                Verb::Start => Disturbance::Growth,
            },
        }
    }

    fn by_change(&self, address: &Address, change: &FieldChange) -> Disturbance {
        if change.field == PAUSED {
            let stops = change.after == Value::Bool(true);
            return if stops { Disturbance::Reduction } else { Disturbance::Growth };
        }
        if is_upgrade(change) {
            return Disturbance::Upgrade;
        }
        match change.change {
            Change::InPlace | Change::Online => by_size(change),
            Change::Restart => self.restart(address),
            Change::Failover => Disturbance::Failover,
            Change::Resize => Disturbance::Resize,
            Change::Replace => Disturbance::Replacement,
        }
    }

    /// A restart of a member disturbs only readers when another one serves meanwhile, and it is not the writer.
    fn restart(&self, address: &Address) -> Disturbance {
        let seen = self.input.inventory.seen.get(address);
        let Some(parent) = parent_of(address, self.input.node(address), seen) else {
            return Disturbance::Restart;
        };
        let has_others = self.members.get(&parent).is_some_and(|members| *members > 1);
        if has_others && !self.is_writer(address) { Disturbance::ReaderRestart } else { Disturbance::Restart }
    }

    fn is_writer(&self, address: &Address) -> bool {
        self.input.inventory.seen.get(address).is_some_and(|seen| seen.facts.role == Some(Role::Writer))
    }

    fn parent_stays(&self, address: &Address) -> bool {
        let parent = parent_of(address, None, self.input.inventory.seen.get(address));
        parent.is_some_and(|parent| self.input.node(&parent).is_some())
    }

    /// What was there and is not, or is made anew at no higher cost, is no growth.
    fn repairs(&self, step: &Step) -> bool {
        let Op::Create { address, .. } = &step.op else { return false };
        match self.remade.get(address) {
            Some(before) => !gate::is_more(before, &step.cost.after),
            None => self.input.claims.was_there(address),
        }
    }
}

/// A number that grows adds. What the field's table calls less takes away; where data has to leave shards, it moves.
fn by_size(change: &FieldChange) -> Disturbance {
    if change.change == Change::Online && change.shrinks {
        return Disturbance::Reshard;
    }
    if change.lowers {
        return Disturbance::Reduction;
    }
    let before = change.before.as_ref().and_then(Value::as_f64);
    let grows = before.zip(change.after.as_f64()).is_some_and(|(before, after)| after > before);
    if grows { Disturbance::Growth } else { Disturbance::Quiet }
}
