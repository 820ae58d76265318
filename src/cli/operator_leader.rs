//! Which of several replicas of the operator works: the others wait, warm and healthy, until it is their turn.

use std::sync::Arc;

use super::error::Failure;
use super::exit::Exit;
use super::operator_args::OperatorRunArgs;
use super::signals::StopRequest;
use crate::agent::health::Health;
use rgctl_kube::client::{Use, connect};
use rgctl_kube::leader::{Candidate, Election, Standing, Terms};
use rgctl_kube::place::Cluster;
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;
use rgctl_schema::time::Span;

/// What the Lease is called.
const LEASE: &str = "rgctl-operator";
/// How often who waits gives a sign of life, and sees that it is to end.
const SIGN: Span = Span::from_secs(1);
/// How often who works sees that it still leads.
const CHECK: Span = Span::from_millis(200);

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
            health.waits(&SystemClock, matches!(leadership.standing(), Standing::Other(_)));
            let next = SystemClock.now() + SIGN;
            tokio::select! {
                () = leadership.changed() => {}
                () = SystemClock.sleep_until(next) => {}
            }
        }
        health.begins();
        Ok(Self(Some(election)))
    }

    /// Returns when the turn is lost: another one leads, or this process cannot know any more that none does. What it works on
    /// is then left at once: its heir is told nothing by it, and looks for what may be in flight.
    pub async fn lost(&self) -> Failure {
        let Some(mut leadership) = self.0.as_ref().map(Election::leadership) else {
            return std::future::pending().await;
        };
        while leadership.epoch().is_some() {
            let next = SystemClock.now() + CHECK;
            tokio::select! {
                () = leadership.changed() => {}
                () = SystemClock.sleep_until(next) => {}
            }
        }
        Failure::new(Exit::Held, "another replica leads now, or the API server could not be asked").hint(
            "nothing is to be done: whoever started this process starts it again, and it waits for its turn",
        )
    }

    /// Gives the turn to the next, once all that was begun has ended. It takes seconds at most, also where nobody answers.
    pub async fn over(self) {
        if let Some(election) = self.0 {
            election.resign().await;
        }
    }
}
