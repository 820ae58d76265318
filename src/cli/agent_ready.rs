//! What is known of a blueprint before a turn of it is made, and what is kept of it from one turn to the next.

use std::collections::BTreeSet;

use tokio::sync::OwnedMutexGuard;

use super::agent_texts::{Shared, Wanted};
use super::eyes::View;
use super::worked_in::WorkedIn;
use crate::agent::files::InForce;
use crate::agent::work::Asked;
use crate::report::drift::Past;
use rgctl_engine::execution::reconcile::Session;
use rgctl_model::overlay::Decisions;
use rgctl_model::scope::Scope;
use rgctl_model::sizes::Sizes;
use rgctl_schema::names::{AccountName, RegionId};
use rgctl_schema::time::Moment;

/// What is kept of a blueprint between its turns.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) session: Session,
    /// Under which record.
    pub(super) scope: Option<Scope>,
    /// Regions that its text has left, as that had it at the last turn.
    pub(super) left: BTreeSet<RegionId>,
    /// In which accounts it was worked on, as that has it.
    pub(super) worked_in: Option<WorkedIn>,
    /// What its stores were made as, as that has it.
    pub(super) sizes: Sizes,
    /// The text that the run which is open was made for: its file may go before it is closed.
    pub(super) text: Option<InForce<Shared>>,
    /// What drift is told by, where nothing is done.
    pub(super) past: Past,
}

impl Slot {
    /// Nothing is under way. Thousands are at rest: what one of them needs is read again.
    pub(super) fn rest(&mut self) {
        (self.sizes, self.worked_in) = (Sizes::default(), None);
    }

    /// Whether a lease is held that is to be renewed by now.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.session.renewal_due().is_some_and(|due| due <= now)
    }
}

/// What is known before a turn is made.
pub struct Ready {
    /// Whose.
    pub scope: Scope,
    /// What should exist.
    pub loaded: Wanted,
    /// What stands of decisions.
    pub decisions: Decisions,
    /// How its turn is made.
    pub asked: Asked,
    /// By which text.
    pub(super) text: InForce<Shared>,
    /// As whom, in which region.
    pub(super) view: View,
    /// Nobody else makes a turn of it meanwhile.
    pub(super) slot: OwnedMutexGuard<Slot>,
}

impl Ready {
    /// The accounts that it is worked on in, by the names of their documents, also where it has left a region.
    pub fn accounts(&self) -> Vec<AccountName> {
        accounts_in(&self.text, &self.loaded.desired.regions)
    }
}

pub(super) fn accounts_in(text: &InForce<Shared>, regions: &BTreeSet<RegionId>) -> Vec<AccountName> {
    text.shared.identities().in_use(regions).map(|identity| identity.name.clone()).collect()
}
