//! Between two turns of a session: its lease is kept beside the sleep, or given back.

use super::job::{DriveError, Environment, Watch};
use super::look::wait_until;
use super::session::Session;
use rgctl_model::ports::StoreError;
use rgctl_schema::time::Moment;

/// Sleeps until then with the lease renewed beside it. A request to stop cuts the sleep short, and so does somebody who
/// asks for the lease; but for a turn that knew of it: that one waits for the outcome of its calls.
pub async fn sleep_until(
    environment: &Environment<'_>,
    session: &Session,
    wake: Moment,
    watch: &mut dyn Watch,
) -> Result<(), DriveError> {
    let stopping = session.0.as_ref().is_some_and(|kept| kept.run.stopping);
    let guard = session.0.as_ref().and_then(|kept| kept.guard.as_deref());
    let mut ends =
        || !stopping && (watch.stopping() || guard.is_some_and(|guard| guard.asked_by().is_some()));
    let sleep = wait_until(environment, wake, guard, &mut ends);
    let sleep = async {
        sleep.await;
        Ok(())
    };
    match guard {
        Some(guard) => guard.beside(environment, sleep).await,
        None => sleep.await,
    }
}

/// Gives the lease back, if one is held, and forgets the rest: a run that is open goes on in whatever process comes next.
pub async fn give_back(environment: &Environment<'_>, session: &mut Session) {
    if let Some(guard) = session.0.take().and_then(|kept| kept.guard) {
        guard.release(environment).await;
    }
}

/// Renews the lease, if one is held. Whoever keeps many sessions does so when [`Session::renewal_due`] says it, beside all
/// that it waits for.
pub async fn keep_lease(environment: &Environment<'_>, session: &mut Session) -> Result<(), DriveError> {
    let Some(guard) = session.0.as_ref().and_then(|kept| kept.guard.clone()) else { return Ok(()) };
    guard.sign(environment);
    let renewed = guard.renew(environment).await;
    if matches!(renewed, Err(StoreError::Fenced { .. })) {
        session.0 = None;
    }
    guard.read_inbox(environment).await;
    Ok(renewed?)
}
