//! Ctrl-C: once asks the run to stop, twice leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared between the listener and the run.
#[derive(Clone, Debug, Default)]
pub struct StopRequest(Arc<AtomicBool>);

impl StopRequest {
    /// Whether somebody asked to stop.
    pub fn is_made(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks to stop.
    pub fn make(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns when the run should be left at once: at the second signal. The first makes the request and says so.
///
/// It is raced against the run, whose future is then dropped: every intent is in the record before its call, so that
/// the next run looks for what this one may have done.
pub async fn second_signal(request: StopRequest, say: impl Fn(&str)) {
    let mut terminate = Terminate::new();
    terminate.next().await;
    request.make();
    say(
        "stopping: no new step is begun, calls in flight are waited for and recorded (once more to leave at once)",
    );
    terminate.next().await;
    say("leaving at once: the next run looks for what was in flight");
}

/// Ctrl-C, and where there is such a thing the signal of `kill`.
struct Terminate {
    #[cfg(unix)]
    stream: Option<tokio::signal::unix::Signal>,
}

impl Terminate {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            stream: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok(),
        }
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let Some(stream) = &mut self.stream else { return interrupt().await };
        tokio::select! {
            biased;
            () = interrupt() => {}
            _ = stream.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        interrupt().await;
    }
}

/// Where signals cannot be listened to, none ever comes.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
