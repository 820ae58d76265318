//! Events of the cluster's resources: told when something turns, one a minute of each.
//!
//! Flow: what was told of a resource before and now → what happened → it waits → API server. Guarantees: no turn waits for it; an
//! event that the API server does not take is told of in the log and forgotten.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use crate::operator::events::{Pacing, edges};
use rgctl_kube::happening::Happening;
use rgctl_kube::herald::Herald;
use rgctl_kube::item::{Item, Place, Watched};
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;

/// What waits is looked through so often, in real time.
const LOOKS: Duration = Duration::from_secs(10);

/// Of which resource: also one of that name that was made anew is another one.
type Of = (Watched, Place, String);

/// Tells events.
pub struct Events {
    herald: Herald,
    pacing: Mutex<Pacing<Of>>,
    offered: Notify,
}

impl Events {
    /// By a herald.
    pub fn new(herald: Herald) -> Arc<Self> {
        Arc::new(Self { herald, pacing: Mutex::new(Pacing::new()), offered: Notify::new() })
    }

    /// What is told of a resource has changed.
    pub fn changed(&self, what: Watched, item: &Item, before: &Value, after: &Value) {
        self.offer(what, item, edges(what, before, after, item.meta.is_going()));
    }

    /// Something happened to a resource.
    pub fn offer(&self, what: Watched, item: &Item, happenings: Vec<Happening>) {
        if happenings.is_empty() {
            return;
        }
        self.locked().offer(&(what, item.place.clone(), item.uid().to_owned()), happenings);
        self.offered.notify_one();
    }

    /// Tells what is due, whenever it is; never ends.
    pub async fn keep_telling(&self) {
        loop {
            // What is due is due whether something new came or not.
            let _ = tokio::time::timeout(LOOKS, self.offered.notified()).await;
            let due = self.locked().due(SystemClock.since_boot());
            for ((what, place, uid), happening) in due {
                if let Err(error) = self.herald.tell(what, &place, &uid, &happening).await {
                    tracing::warn!(target: "rgctl::operator", item = %place, reason = happening.reason, %error, "an event could not be told");
                }
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, Pacing<Of>> {
        // A poisoned lock holds a whole value.
        self.pacing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
