//! What is kept of one blueprint between two turns, in one process.
//!
//! **Invariant:** nothing of it is needed: a session that is thrown away is made again from the record, and the run that is
//! open there goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::guard::{Guard, Watched};
use super::job::Job;
use super::look::selection_for;
use super::motion::Motion;
use super::unseen::Unseen;
use crate::gate::Verdicts;
use crate::ledger::{Ledger, OpenRun};
use crate::planning::{self, Memory};
use rgctl_model::bill::StoreBill;
use rgctl_model::journal::Purpose;
use rgctl_model::observed::Selection;
use rgctl_model::overlay::{Decisions, HoldOut};
use rgctl_model::rules::Rules;
use rgctl_model::scope::Scope;
use rgctl_schema::names::{Fingerprint, RegionId, RunId};
use rgctl_schema::time::Moment;

/// What is kept between turns; empty before the first one, and after a turn that was cut off or failed.
#[derive(Default)]
pub struct Session(pub(super) Option<Box<Kept>>, pub(super) Watched);

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
    /// The line up to which a checkpoint stands for the record, or was last tried to; the beginning where there is none.
    pub checkpointed: u64,
    /// What is decided, as far as it was read.
    pub decisions: Decisions,
    /// The regions that are held out by it.
    pub held_out: BTreeMap<RegionId, HoldOut>,
    /// Holds the lease, while there is one.
    pub guard: Option<Arc<Guard>>,
    pub run: CurrentRun,
    /// Somebody else's lease, while it is watched.
    pub watched: Watched,
    /// Whether the run is over: the next turn is one of another.
    pub is_over: bool,
}

impl Kept {
    /// Gets ready for the next turn: where no run is open, another one may begin now.
    pub fn prepare(&mut self, job: &Job<'_>, now: Moment) {
        if !self.is_open() {
            if self.is_over {
                // What was found to be as wanted is so until something about it changes, whatever run asks.
                let memory = std::mem::take(&mut self.run.memory);
                let unseen = std::mem::take(&mut self.run.unseen);
                let selection = self.run.selection_for(job, &self.ledger);
                let next = CurrentRun::of(job, &self.ledger, job.run.clone(), (now, now), selection);
                self.run = CurrentRun { unseen, memory, ..next };
            }
            self.run.began = now;
        }
        self.is_over = false;
        self.run.follow(job, &self.ledger);
    }

    /// Takes over what is decided.
    pub fn decide(&mut self, decisions: Decisions) {
        self.held_out = decisions.held_out();
        self.decisions = decisions;
    }

    /// Whether the run is open in the record.
    pub fn is_open(&self) -> bool {
        self.ledger.open.as_ref().is_some_and(|open| open.id == self.run.id)
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
    /// When it begins, where it is not time yet.
    pub not_before: Option<Moment>,
    /// Who asked for the lease.
    pub yields_to: Option<String>,
    /// Whether the last turn knew that nothing more may be begun.
    pub stopping: bool,
    /// What is looked at.
    pub selection: Selection,
    /// For what it was selected, unless it has grown since.
    selected: Option<Selected>,
    /// For which desired state.
    desired: Fingerprint,
    /// What was found about desired state as a whole follows from these, too: its digest is of the objects alone.
    rules: Vec<Rules>,
    bills: Vec<StoreBill>,
}

/// What a selection follows from, where nothing is under way. Going through all objects for it is most of a quiet turn.
#[derive(PartialEq, Eq)]
struct Selected {
    purpose: Purpose,
    desired: Fingerprint,
    regions: BTreeSet<RegionId>,
    /// The end of the record.
    seq: u64,
}

impl Selected {
    fn of(job: &Job<'_>, ledger: &Ledger) -> Option<Self> {
        let desired = &job.desired.fingerprint;
        let is_at_rest = ledger.begun.is_empty() && ledger.late_calls().next().is_none();
        // Without a digest nobody knows whether the same is wanted.
        (is_at_rest && !desired.0.is_empty()).then(|| Self {
            purpose: job.purpose,
            desired: desired.clone(),
            regions: job.desired.regions.clone(),
            seq: ledger.last_seq,
        })
    }
}

impl CurrentRun {
    /// A run that nothing is on record of yet.
    pub fn new(job: &Job<'_>, ledger: &Ledger, now: Moment) -> Self {
        Self::of(job, ledger, job.run.clone(), (now, now), None)
    }

    /// The run that is open in the record. What was seen to move is not there, but what was done in it is.
    pub fn resumed(job: &Job<'_>, ledger: &Ledger, open: &OpenRun) -> Self {
        Self::of(job, ledger, open.id.clone(), (open.began, open.moved), None)
    }

    fn of(
        job: &Job<'_>,
        ledger: &Ledger,
        id: RunId,
        (began, moved): (Moment, Moment),
        known: Option<Selection>,
    ) -> Self {
        Self {
            id,
            began,
            calls: 0,
            motion: Motion::new(moved),
            unseen: Unseen::default(),
            memory: Memory::default(),
            verdicts: planning::verdicts(job.desired, job.figures),
            read: BTreeSet::new(),
            not_before: None,
            yields_to: None,
            stopping: false,
            selection: known.unwrap_or_else(|| selection(job, ledger, began)),
            selected: Selected::of(job, ledger),
            desired: job.desired.fingerprint.clone(),
            rules: job.desired.rules.clone(),
            bills: job.desired.bills.clone(),
        }
    }

    /// Takes over what is wanted now, where it is not what was wanted at the turn before.
    pub fn follow(&mut self, job: &Job<'_>, ledger: &Ledger) {
        if self.rules != job.desired.rules || self.bills != job.desired.bills {
            self.rules.clone_from(&job.desired.rules);
            self.bills.clone_from(&job.desired.bills);
            self.judge_anew(job);
        }
        if self.desired == job.desired.fingerprint {
            return;
        }
        self.desired = job.desired.fingerprint.clone();
        self.judge_anew(job);
        let mut selection = selection(job, ledger, self.began);
        // What was looked at goes on being looked at while the run lasts.
        selection.regions.append(&mut self.selection.regions);
        self.selection = selection;
        self.selected = None;
    }

    fn judge_anew(&mut self, job: &Job<'_>) {
        let quotas = std::mem::take(&mut self.verdicts.quotas);
        self.verdicts = Verdicts { quotas, ..planning::verdicts(job.desired, job.figures) };
    }

    /// What the next run looks at, where that is what this one looks at.
    fn selection_for(&self, job: &Job<'_>, ledger: &Ledger) -> Option<Selection> {
        let is_same = self.selected.is_some() && self.selected == Selected::of(job, ledger);
        is_same.then(|| self.selection.clone())
    }
}

fn selection(job: &Job<'_>, ledger: &Ledger, now: Moment) -> Selection {
    let mut selection = selection_for(job.purpose, job.desired, &ledger.claims);
    selection.regions.extend(ledger.regions_held(now, job.pace.late));
    selection
}
