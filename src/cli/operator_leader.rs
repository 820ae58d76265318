//! Which of several replicas of the operator works: the others wait, warm and healthy, until it is their turn.

use std::sync::Arc;

use super::error::Failure;
use super::exit::Exit;
use super::operator_args::OperatorRunArgs;
use super::signals::StopRequest;
use crate::agent::health::Health;
use rgctl_kube::client::{Use, connect};
use rgctl_kube::leader::{Candidate, Election, Terms};
use rgctl_kube::place::Cluster;
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;
use rgctl_schema::time::Span;

/// What the Lease is called.
const LEASE: &str = "rgctl-operator";
/// How often who waits gives a sign of life, and sees that it is to end.
const SIGN: Span = Span::from_secs(1);

/// A part in an election; none where no other replica is reckoned with.
#[derive(Default)]
pub struct Turn(Option<Election>);

impl Turn {
    /// Waits until this process leads, or is asked to end; without `--elect` it leads from the start.
    pub async fn won(args: &OperatorRunArgs, health: &Health, stop: &StopRequest) -> Result<Self, Failure> {
        if !args.elect {
            return Ok(Self(None));
        }
        let cluster = args.cluster.context.clone().map_or(Cluster::Here, Cluster::Context);
        // A client of its own: a renewal waits behind nothing else.
        let client = connect(&cluster, "rgctl-operator-leader", Use::Watches).await;
        let client = client.map_err(|error| Failure::of(Exit::BadInput, &error))?;
        let owner = rgctl_machine::owner();
        let begun = rgctl_machine::new_run(&owner, SystemClock.now());
        let election = Election::stand(Candidate {
            client,
            namespace: args.own_namespace.clone(),
            lease: LEASE.to_owned(),
            me: format!("{owner} {begun}"),
            terms: Terms::default(),
            clock: Arc::new(SystemClock),
        });
        let mut leadership = election.leadership();
        while leadership.epoch().is_none() && !stop.is_made() {
            health.waits(&SystemClock);
            let next = SystemClock.now() + SIGN;
            tokio::select! {
                () = leadership.changed() => {}
                () = SystemClock.sleep_until(next) => {}
            }
        }
        health.begins();
        Ok(Self(Some(election)))
    }

    /// What tells whether it is still this process's turn.
    pub fn check(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let leadership = self.0.as_ref().map(Election::leadership);
        move || leadership.as_ref().is_none_or(|leadership| leadership.epoch().is_some())
    }

    /// Gives the turn to the next, once all that was begun has ended; an error where it was lost before.
    pub async fn over(self, stop: &StopRequest) -> Result<(), Failure> {
        let is_lost = !self.check()() && !stop.is_made();
        if let Some(election) = self.0 {
            election.resign().await;
        }
        if is_lost {
            return Err(Failure::new(Exit::Held, "another replica leads now, or the API server could not be asked")
                .hint("nothing is to be done: whoever started this process starts it again, and it waits for its turn"));
        }
        Ok(())
    }
}
