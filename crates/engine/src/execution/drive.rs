//! The one loop: turn after turn, with a sleep between them, until there is nothing more to do.

use super::reconcile::{give_back, reconcile_once, sleep_until};
use super::session::Session;
use super::source::Source;
use super::turn::Turn;
use rgctl_model::journal::Outcome;
use rgctl_model::ports::StoreError;
use rgctl_schema::time::Moment;

pub use super::job::{Begins, DriveError, Environment, IfHeld, Job, Prices, Watch};
pub use super::look::{
    Reading, Sight, observe, presume, presumed, quotas, scope_of, selection_for, selection_of, selection_read,
};

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
        if let Some(ended) = turn(environment, job, &mut session, watch).await? {
            return Ok(ended);
        }
    }
}

/// The same, and what is decided meanwhile counts at the next turn: what should exist is asked of `source`, not of the job.
pub async fn drive_following(
    environment: &Environment<'_>,
    job: &Job<'_>,
    source: &mut dyn Source,
    watch: &mut dyn Watch,
) -> Result<Ended, DriveError> {
    let mut session = Session::default();
    let scope = scope_of(environment.cloud, source.current()).await?;
    loop {
        let decided = match environment.store.decisions(&scope, source.seq()).await {
            // A run goes on without a store that is away for a moment: what was decided counts a turn later.
            Err(StoreError::Unavailable { .. }) => Vec::new(),
            Err(error) => {
                give_back(environment, &mut session).await;
                return Err(error.into());
            }
            Ok(decided) => decided,
        };
        if !decided.is_empty() {
            source.follow(&decided, environment.clock.now()).iter().for_each(|line| watch.told(line));
        }
        let job = Job { desired: source.current(), decided: source.seq(), ..*job };
        if let Some(ended) = turn(environment, &job, &mut session, watch).await? {
            return Ok(ended);
        }
    }
}

/// One turn, and the sleep after it; or how the run ended.
async fn turn(
    environment: &Environment<'_>,
    job: &Job<'_>,
    session: &mut Session,
    watch: &mut dyn Watch,
) -> Result<Option<Ended>, DriveError> {
    let done = reconcile_once(environment, job, session, watch).await?;
    let Some(outcome) = done.outcome else {
        sleep_until(environment, session, done.wake, watch).await?;
        return Ok(None);
    };
    let at = environment.clock.now();
    Ok(Some(Ended { outcome, last: done.turn, calls: done.calls, at }))
}
