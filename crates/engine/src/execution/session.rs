//! What is kept of one blueprint between two turns, in one process.
//!
//! **Invariant:** nothing of it is needed: a session that is thrown away is made again from the record, and the run that is
//! open there goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::guard::Guard;
use super::job::Job;
use super::look::selection_for;
use super::motion::Motion;
use super::unseen::Unseen;
use crate::gate::Verdicts;
use crate::ledger::Ledger;
use crate::planning::{self, Memory};
use rgctl_model::observed::Selection;
use rgctl_model::scope::Scope;
use rgctl_schema::names::{Fingerprint, RegionId, RunId};
use rgctl_schema::time::Moment;

/// What is kept between turns; empty before the first one, and after a turn that was cut off or failed.
#[derive(Default)]
pub struct Session(pub(super) Option<Kept>);

impl Session {
    /// What the record adds up to, as far as it was read.
    pub fn ledger(&self) -> Option<&Ledger> {
        self.0.as_ref().map(|kept| &kept.ledger)
    }

    /// Whether a lease is held: it is while a run is open.
    pub const fn is_leased(&self) -> bool {
        matches!(&self.0, Some(kept) if kept.guard.is_some())
    }

    /// When the lease is to be renewed next, by this machine's time of day; nothing where none is held.
    pub fn renewal_due(&self) -> Option<Moment> {
        self.0.as_ref()?.guard.as_ref().map(|guard| guard.due())
    }
}

/// What a session keeps.
pub(super) struct Kept {
    pub scope: Scope,
    pub ledger: Ledger,
    /// Holds the lease, while there is one.
    pub guard: Option<Arc<Guard>>,
    pub run: CurrentRun,
}

impl Kept {
    /// Whether the run is open in the record.
    pub fn is_open(&self) -> bool {
        self.ledger.open.as_ref() == Some(&self.run.id)
    }
}

/// The run that is being made, whether it was put on record yet or not.
pub(super) struct CurrentRun {
    pub id: RunId,
    pub began: Moment,
    pub calls: u64,
    pub motion: Motion,
    pub unseen: Unseen,
    /// What was found to be as wanted.
    pub memory: Memory,
    /// What was found about desired state as a whole.
    pub verdicts: Verdicts,
    /// Regions whose quotas were asked for.
    pub read: BTreeSet<RegionId>,
    /// Who asked for the lease.
    pub yields_to: Option<String>,
    /// Whether the last turn knew that nothing more may be begun.
    pub stopping: bool,
    /// What is looked at.
    pub selection: Selection,
    /// For which desired state.
    desired: Fingerprint,
}

impl CurrentRun {
    pub fn new(job: &Job<'_>, ledger: &Ledger, began: Moment) -> Self {
        Self {
            id: job.run.clone(),
            began,
            calls: 0,
            motion: Motion::new(began),
            unseen: Unseen::default(),
            memory: Memory::default(),
            verdicts: planning::verdicts(job.desired, job.figures),
            read: BTreeSet::new(),
            yields_to: None,
            stopping: false,
            selection: selection(job, ledger, began),
            desired: job.desired.fingerprint.clone(),
        }
    }

    /// Takes over what is wanted now, where it is not what was wanted at the turn before.
    pub fn follow(&mut self, job: &Job<'_>, ledger: &Ledger) {
        if self.desired == job.desired.fingerprint {
            return;
        }
        self.desired = job.desired.fingerprint.clone();
        let quotas = std::mem::take(&mut self.verdicts.quotas);
        self.verdicts = Verdicts { quotas, ..planning::verdicts(job.desired, job.figures) };
        let mut selection = selection(job, ledger, self.began);
        // What was looked at goes on being looked at while the run lasts.
        selection.regions.append(&mut self.selection.regions);
        self.selection = selection;
    }
}

fn selection(job: &Job<'_>, ledger: &Ledger, now: Moment) -> Selection {
    let mut selection = selection_for(job.purpose, job.desired, &ledger.claims);
    selection.regions.extend(ledger.regions_held(now, job.pace.late));
    selection
}
