//! What a run is given: the world that it works in, what it is to do, and who is told.

use super::pace::Pace;
use super::turn::Turn;
use crate::ledger::IllegalTransition;
use crate::planning::Figures;
use rgctl_model::journal::Purpose;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::Plan;
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::ports::{Clock, Cloud, CloudError, Store, StoreError};
use rgctl_schema::names::RunId;
use rgctl_schema::time::Moment;

/// The outside, as the engine sees it.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// The provider.
    pub cloud: &'a dyn Cloud,
    /// Time in which things happen; virtual with a simulated provider.
    pub clock: &'a dyn Clock,
    /// Time in which leases run: always that of this machine.
    pub wall: &'a dyn Clock,
    /// Record, lease, decisions.
    pub store: &'a dyn Store,
}

/// What one run is to do.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// What may be done.
    pub policy: &'a Policy,
    /// Prices and capacities.
    pub figures: &'a dyn Figures,
    /// A plan that was agreed to: nothing else is done.
    pub agreed: Option<&'a Plan>,
    /// What was wanted when that was agreed to, where what a decision adds since may join it. A plan that is held to the
    /// letter has none.
    pub joins: Option<&'a Desired>,
    /// Position of the last decision that desired state rests on.
    pub decided: u64,
    /// What for.
    pub purpose: Purpose,
    /// On whose word.
    pub authority: Authority,
    /// The name of a run that begins now.
    pub run: &'a RunId,
    /// When one begins.
    pub begins: Begins,
    /// Who.
    pub owner: &'a str,
    /// The run is paused when this time comes.
    pub deadline: Option<Moment>,
    /// What is done when somebody else holds the lease.
    pub if_held: IfHeld,
    /// Bounds.
    pub pace: &'a Pace,
    /// Of which turns the plan has costs.
    pub prices: Prices,
}

/// Of which turns the plan has costs: what a run does does not depend on them, and it plans very often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prices {
    /// Of none.
    #[default]
    Never,
    /// Of the last one of a run: what it leaves is told to somebody.
    AtEnd,
    /// Of each.
    Always,
}

/// When a run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begins {
    /// Now: somebody asks for it, and means it, whatever failed before.
    #[default]
    Asked,
    /// When the record says that it is due, see [`next_run`](super::retry::next_run); one that is open goes on.
    Due,
}

/// What a run does when somebody else holds the lease, or may still hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfHeld {
    /// It ends at once.
    GiveUp,
    /// It watches the lease for its term, and takes it if its holder gives no sign of life.
    #[default]
    Watch,
    /// It asks the holder to yield, waits some terms for that, and then does as above.
    AskToYield,
}

/// Why a run ended without an outcome.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The lease could not be had, or the record could not be read or written.
    #[error("the record cannot be used")]
    Store(#[from] StoreError),
    /// The provider could not be asked at all.
    #[error("the cloud cannot be observed")]
    Cloud(#[from] CloudError),
    /// What happened does not follow from what is on record. Nothing of it was written, and nothing was called after it.
    #[error("a mistake of rgctl: what was to be recorded does not follow from the record")]
    Illegal(#[from] IllegalTransition),
}

/// Told of every turn; asked whether to stop.
pub trait Watch: Send {
    /// A turn was made.
    fn turned(&mut self, turn: &Turn, inventory: &Inventory);
    /// Whether no new step may be begun.
    fn stopping(&mut self) -> bool;
    /// Something that a person who waits wants to know.
    fn told(&mut self, _line: &str) {}
}
