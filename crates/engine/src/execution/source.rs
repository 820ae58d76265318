//! Where desired state comes from while a run goes on.

use rgctl_model::node::Desired;
use rgctl_model::overlay::Decided;
use rgctl_schema::time::Moment;

/// What should exist, where decisions that are made while a run goes on count in it.
pub trait Source: Send + Sync {
    /// What should exist now.
    fn current(&self) -> &Desired;
    /// Position of the last decision that was looked at.
    fn seq(&self) -> u64;
    /// Looks at the decisions after that position. Yields what a person who waits wants to know of it.
    fn follow(&mut self, decided: &[Decided], now: Moment) -> Vec<String>;
}
