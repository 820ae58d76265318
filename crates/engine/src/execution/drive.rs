//! The one loop: turn after turn, with a sleep between them, until there is nothing more to do.

use super::reconcile::{reconcile_once, sleep_until};
use super::session::Session;
use super::turn::Turn;
use rgctl_model::journal::Outcome;
use rgctl_schema::time::Moment;

pub use super::job::{DriveError, Environment, IfHeld, Job, Watch};
pub use super::look::{observe, quotas, scope_of, selection_for, selection_of};

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// The last turn: what is left and why.
    pub last: Turn,
    /// Calls that were made.
    pub calls: u64,
    /// When, in the provider's time.
    pub at: Moment,
}

/// Runs a job until there is nothing more to do, or it is stopped. A run that ends in whatever way leaves a record from
/// which the next one goes on.
pub async fn drive(
    environment: &Environment<'_>,
    job: &Job<'_>,
    watch: &mut dyn Watch,
) -> Result<Ended, DriveError> {
    let mut session = Session::default();
    loop {
        let done = reconcile_once(environment, job, &mut session, watch).await?;
        if let Some(outcome) = done.outcome {
            let at = environment.clock.now();
            return Ok(Ended { outcome, last: done.turn, calls: done.calls, at });
        }
        sleep_until(environment, &session, done.wake, watch).await?;
    }
}
