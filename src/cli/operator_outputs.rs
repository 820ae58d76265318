//! Connection details as a ConfigMap beside the blueprint, where an annotation asks for one.
//!
//! Flow: where clients connect → what stands there → what differs → API server. Guarantees: nothing is read or written for who does not
//! ask; nothing that is not ours is written over; what says the same is not written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::agent::work::{Condition, Key};
use crate::operator::conditions::{Published, Report};
use crate::operator::outputs::{self, Told};
use crate::report::outputs::OutputsReport;
use rgctl_kube::desk::{Desk, DeskError};
use rgctl_kube::item::{Item, Place};
use rgctl_kube::kinds::BlueprintStatus;
use rgctl_kube::kinds::condition::{find, types};
use rgctl_kube::maps::Standing;
use rgctl_schema::digest::sha256_hex;

/// Why something is not written.
enum Unwritten {
    /// The API server did not take it this time.
    Now(String),
    /// It is not to be written as things are: only a person changes that.
    Refused(String),
}

/// Publishes.
pub struct Publisher {
    desk: Desk,
    /// Digest of what was told last of each, with which resource that was: a run that goes on reads nothing again.
    told: Mutex<BTreeMap<Key, String>>,
}

impl Publisher {
    /// Through a desk.
    pub const fn new(desk: Desk) -> Self {
        Self { desk, told: Mutex::new(BTreeMap::new()) }
    }

    /// Publishes what a turn has seen, where it is asked for and differs; notes in the report what became of it. Whether the API server
    /// took it: else the next turn has to come soon.
    pub async fn publish(&self, key: &Key, item: &Item, report: &mut Report) -> bool {
        if item.meta.is_going() {
            return true;
        }
        let before: BlueprintStatus = serde_json::from_str(&item.status).unwrap_or_default();
        let place = Place::new(&item.place.namespace, &outputs::name(&item.place.name));
        if !item.meta.publishes_outputs() {
            // Also where it could not be written: that is no longer wrong.
            if before.outputs.is_some() || find(&before.conditions, types::OUTPUTS_PUBLISHED).is_some() {
                report.published = self.withdraw(key, item, &place).await;
                return report.published.is_some();
            }
            return true;
        }
        let Some(seen) = &report.outputs else { return true };
        let is_working = report.state == Condition::Progressing;
        let digest = digest(item, seen);
        if before.outputs.is_none() && (is_working || !seen.is_complete()) {
            // It is told when it is whole, whatever it waits for; while one is there it follows at once.
            return true;
        }
        if is_working && self.locked().get(key) == Some(&digest) {
            return true;
        }
        let written = self.write(&place, item, seen).await;
        let is_taken = !matches!(written, Err(Unwritten::Now(_)));
        report.published = Some(match written {
            Ok(()) => {
                self.locked().insert(Arc::clone(key), digest);
                Published::There(place.name.to_string())
            }
            Err(Unwritten::Now(why) | Unwritten::Refused(why)) => {
                tracing::warn!(target: "rgctl::operator", blueprint = %item.place, why, "its connection details are not published");
                Published::Refused(why)
            }
        });
        is_taken
    }

    /// It is gone: nothing of it is kept.
    pub fn forget(&self, key: &Key) {
        self.locked().remove(key);
    }

    async fn withdraw(&self, key: &Key, item: &Item, place: &Place) -> Option<Published> {
        self.forget(key);
        match self.desk.remove_map(place, item).await {
            Ok(()) | Err(DeskError::Gone) => Some(Published::Withdrawn),
            Err(error) => {
                tracing::warn!(target: "rgctl::operator", item = %place, %error, "it could not be removed: again at the next turn");
                None
            }
        }
    }

    async fn write(&self, place: &Place, item: &Item, seen: &OutputsReport) -> Result<(), Unwritten> {
        let words = |error: DeskError| Unwritten::Now(error.to_string());
        let before = match self.desk.map(place, item).await.map_err(words)? {
            Standing::Nothing => None,
            Standing::Ours(told) => Some(told),
            Standing::Foreign => {
                return Err(Unwritten::Refused(format!(
                    "the ConfigMap {place} is not the operator's: delete it, or rename it, and it is made anew"
                )));
            }
        };
        let after =
            outputs::data(seen, before.as_ref().unwrap_or(&Told::new())).map_err(Unwritten::Refused)?;
        if before.as_ref() == Some(&after) {
            return Ok(());
        }
        self.desk.put_map(place, item, &after).await.map_err(words)
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Key, String>> {
        // A poisoned lock holds a whole value.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of what is told, so that what moves by itself makes no difference.
fn digest(item: &Item, seen: &OutputsReport) -> String {
    let told = seen.stores.iter().map(|one| {
        (&one.store, &one.region, one.known, &one.not_seen, outputs::fields(one).collect::<Vec<_>>())
    });
    sha256_hex(format!("{} {:?}", item.uid(), told.collect::<Vec<_>>()).as_bytes())
}
