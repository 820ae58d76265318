//! Whether a run begins: what failed is not tried again for nothing.
//!
//! **Invariant:** it follows from the record, so that a process that begins anew is as patient as one that remembers.

use super::job::Job;
use crate::ledger::Ledger;
use crate::planning;
use rgctl_model::journal::Left;
use rgctl_model::observed::Inventory;
use rgctl_model::rules::RecordedRules;
use rgctl_schema::time::Moment;

/// When a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// One is open, and goes on.
    GoOn,
    /// Now, should there be anything to do.
    Now,
    /// Then, unless something changes before.
    At(Moment),
}

/// How things stand, for a run that cannot do all, and for the next one.
pub fn left(job: &Job<'_>, ledger: &Ledger, inventory: &Inventory) -> Left {
    let world = planning::base(job.desired, inventory, &ledger.claims);
    Left { world, decided: job.decided }
}

/// When a run begins. One that is open goes on. A new one begins with another wish, permission, rule or decision, and where the
/// world has changed and come to rest; else what failed is tried again after an hour, then after twice as long, up to a day.
pub fn next_run(job: &Job<'_>, ledger: &Ledger, inventory: &Inventory, now: Moment) -> Begin {
    if ledger.open_for() == Some(job.purpose) {
        return Begin::GoOn;
    }
    let Some(failing) = &ledger.failing else { return Begin::Now };
    let rules = RecordedRules::of(&job.desired.rules);
    let is_same = ledger.is_wanted(job.purpose, job.policy, &job.desired.fingerprint, &rules);
    if !is_same || failing.left.decided != job.decided || failing.due() <= now {
        return Begin::Now;
    }
    // Before it is at rest, and seen whole, it changes with every look.
    let is_at_rest =
        inventory.gaps.is_empty() && !inventory.seen.values().any(|seen| seen.facts.phase.is_transitional());
    if is_at_rest && left(job, ledger, inventory) != failing.left {
        return Begin::Now;
    }
    Begin::At(failing.due())
}
