//! How long a turn is worked on: the time that passes within it, less the time for which it waits.
//!
//! Goes in: a turn. Comes out: what it came to, and how long it was worked on.
//!
//! **Invariant:** what a turn waits for (a look, a call, a record or an API server over the network, another turn) is not in it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::organ::Done;

/// A turn whose effort is measured.
pub struct Measured<'a> {
    turn: BoxFuture<'a, Done>,
    effort: Duration,
}

impl<'a> Measured<'a> {
    /// Measures a turn from now on.
    pub const fn new(turn: BoxFuture<'a, Done>) -> Self {
        Self { turn, effort: Duration::ZERO }
    }
}

impl Future for Measured<'_> {
    type Output = (Done, Duration);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let began = Instant::now();
        let polled = self.turn.as_mut().poll(context);
        self.effort += began.elapsed();
        polled.map(|done| (done, self.effort))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::agent::organ::Condition;
    use crate::agent::queue::Next;

    const WORK: Duration = Duration::from_secs(2);
    const WAIT: Duration = Duration::from_mins(5);

    fn done() -> Done {
        Done {
            next: Next::Rest,
            condition: Condition::Ready,
            why: String::new(),
            is_open: false,
            differing: 0,
            deletions_held: 0,
            store: None,
            throttled: None,
            unseen: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_turn_waits_for_is_no_effort_and_what_it_works_is() {
        // The paused clock is advanced while the turn is polled, and goes to the end of the sleep while it is not.
        let turn = async {
            tokio::time::advance(WORK).await;
            tokio::time::sleep(WAIT).await;
            tokio::time::advance(WORK).await;
            done()
        };
        let began = Instant::now();
        let (_, effort) = Measured::new(turn.boxed()).await;
        assert!(began.elapsed() >= WAIT);
        assert!((WORK * 2..WAIT / 2).contains(&effort), "{effort:?}");
    }
}
