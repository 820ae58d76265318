//! Accounts of a cluster: opened as they are needed, and asked now and then whether they are who they say.
//!
//! Flow: an account object → the provider as that identity → what it says → the object's condition. Guarantees: an account that does not
//! answer holds up no other one, nor any turn; nothing is written that says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::MissedTickBehavior;

use super::adapters::Adapters;
use super::identities::Identity;
use super::observers::{Opened, Opens};
use super::operator_feed::Cluster;
use super::operator_told::Voice;
use crate::agent::observer::Intervals;
use crate::operator::accounts::{self, Checked};
use rgctl_kube::item::{Item, Watched};
use rgctl_kube::kinds::AccountSpec;
use rgctl_machine::SystemClock;
use rgctl_model::ports::{Clock, Cloud, CloudError};
use rgctl_schema::names::{AccountName, Partition, RegionId};
use rgctl_schema::time::Span;

/// One that is who it says is asked again after so long: rights are taken away seldom, and each call shows it, too.
const ASKS: Span = Span::from_hours(1);
/// One that is not is asked again after so long.
const ASKS_AGAIN: Span = Span::from_mins(1);
/// How often it is looked which are due, in real time.
const LOOKS: Duration = Duration::from_secs(10);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many are asked at once.
const ASKED_AT_ONCE: usize = 16;

type Open = dyn Fn(&Identity, u8) -> Arc<dyn Cloud> + Send + Sync;

/// Opens accounts as their objects say.
pub struct AccountOpener {
    cluster: Arc<Cluster>,
    open: Box<Open>,
    is_embedded: bool,
}

impl AccountOpener {
    /// Over the provider that was opened.
    pub fn new(cluster: Arc<Cluster>, adapters: &Adapters) -> Self {
        Self { cluster, open: Box::new(adapters.opener()), is_embedded: adapters.sim.is_some() }
    }
}

impl Opens for AccountOpener {
    fn terms(&self, identity: &Identity) -> String {
        let Identity { name, id, role, external_id, profile, regions: _ } = identity;
        let terms = self.cluster.terms(name.as_str());
        format!("{name} {id} {role:?} {external_id:?} {profile:?} {:?} {}", terms.sweep, terms.percent)
    }

    fn open(&self, identity: &Identity) -> Opened {
        let terms = self.cluster.terms(identity.name.as_str());
        let usual = Intervals::default();
        let quiet = terms.sweep.unwrap_or(usual.quiet);
        let intervals = Intervals { quiet, motion_max: usual.motion_max.min(quiet), ..usual };
        Opened { cloud: (self.open)(identity, terms.percent), intervals }
    }
}

/// When an account was asked last, and what for.
struct Asked {
    /// Identity and generation of the object, and what is wrong with it.
    of: String,
    at: Span,
    is_itself: bool,
}

/// Asks accounts who they are.
pub struct AccountDesk {
    cluster: Arc<Cluster>,
    voice: Arc<Voice>,
    opener: Arc<AccountOpener>,
    asked: Mutex<BTreeMap<Arc<str>, Asked>>,
}

impl AccountDesk {
    /// For the accounts of a cluster.
    pub fn new(cluster: Arc<Cluster>, voice: Arc<Voice>, opener: Arc<AccountOpener>) -> Self {
        Self { cluster, voice, opener, asked: Mutex::default() }
    }

    /// Asks whoever is due, for as long as it is polled; one that does not answer keeps nobody else from being asked.
    pub async fn keep(&self) {
        let mut looks = tokio::time::interval(LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asking = FuturesUnordered::new();
        let mut asked = BTreeSet::new();
        loop {
            tokio::select! {
                Some(name) = asking.next() => {
                    // It is due again when that is looked at again, should it not have been told.
                    asked.remove(&name);
                    continue;
                }
                _ = looks.tick() => {}
                () = self.cluster.accounts_changed.notified() => {}
            }
            let items: Vec<Arc<Item>> = self.cluster.resources().all(Watched::Account).cloned().collect();
            self.forget_others(&items);
            let now = SystemClock.since_boot();
            let due: Vec<Arc<Item>> = items.into_iter().filter(|item| self.is_due(item, now)).collect();
            for item in due {
                if asked.len() < ASKED_AT_ONCE && asked.insert(Arc::clone(&item.place.name)) {
                    asking.push(async move {
                        self.ask(&item).await;
                        Arc::clone(&item.place.name)
                    });
                }
            }
        }
    }

    /// Nothing is kept of accounts that are gone.
    fn forget_others(&self, items: &[Arc<Item>]) {
        let names: BTreeSet<&Arc<str>> = items.iter().map(|item| &item.place.name).collect();
        self.locked().retain(|name, _| names.contains(name));
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Asked>> {
        // A poisoned lock holds a whole value.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self, item: &Item, now: Span) -> bool {
        let version = self.version(item);
        self.locked().get(&item.place.name).is_none_or(|asked| {
            let patience = if asked.is_itself { ASKS } else { ASKS_AGAIN };
            asked.of != version || now >= asked.at + patience
        })
    }

    async fn ask(&self, item: &Item) {
        let of = self.version(item);
        let checked = self.check(item).await;
        let is_itself = matches!(checked, Checked::Itself(_));
        let status = accounts::status(item, &checked, SystemClock.now());
        match self.voice.status(Watched::Account, item, &status).await {
            Ok(()) => {
                let asked = Asked { of, at: SystemClock.since_boot(), is_itself };
                self.locked().insert(Arc::clone(&item.place.name), asked);
            }
            Err(error) => {
                tracing::warn!(target: "rgctl::operator", account = %item.place, %error, "its status could not be told: again soon");
            }
        }
    }

    /// What is asked about: another object, another generation, or one that others have made wrong, is another question.
    fn version(&self, item: &Item) -> String {
        let wrong = self.cluster.wrong_account(&item.place.name).unwrap_or_default();
        format!("{} {} {wrong}", item.uid(), item.generation())
    }

    async fn check(&self, item: &Item) -> Checked {
        let read = self.cluster.wrong_account(&item.place.name).map_or_else(|| identity(item), Err);
        let identity = match read {
            Ok(identity) => identity,
            Err(why) => return Checked::BadSpec(why),
        };
        if self.opener.is_embedded {
            return Checked::Itself("the embedded cloud is one account, whatever is named".to_owned());
        }
        let Some(near) = self.near(item, &identity) else {
            return Checked::Unknown("no region names it, in which it could be asked".to_owned());
        };
        // Opened for this question: what was answered before is not believed again.
        let cloud = self.opener.open(&identity).cloud;
        match tokio::time::timeout(PATIENCE, cloud.home(Some(&near))).await {
            Ok(Ok(home)) => Checked::Itself(format!("the credentials are of account {}", home.account())),
            Ok(Err(error @ (CloudError::Unreachable { .. } | CloudError::Throttled { .. }))) => {
                Checked::Unknown(error.to_string())
            }
            Ok(Err(error)) => Checked::Refused(error.to_string()),
            Err(_) => Checked::Unknown(format!("{near} did not answer within {} s", PATIENCE.as_secs())),
        }
    }

    /// Where it is asked: in a region that it may be used in, or in one of its partition that names it, else where any account may ask.
    fn near(&self, item: &Item, identity: &Identity) -> Option<RegionId> {
        let own = &*item.place.name;
        let spec = item.spec();
        let partition = spec.get("partition").and_then(|word| serde_json::from_value(word.clone()).ok());
        let partition = partition.unwrap_or(Partition::Aws);
        let is_ours =
            |one: &&Arc<Item>| one.spec().get("account").and_then(|name| name.as_str()) == Some(own);
        let named = || {
            let resources = self.cluster.resources();
            let mut codes = resources
                .all(Watched::Region)
                .filter(is_ours)
                .filter_map(|one| RegionId::new(&*one.place.name).ok());
            codes.find(|code| Partition::of(code) == partition)
        };
        let usual = || RegionId::new(*partition.everywhere_enabled().first()?).ok();
        identity.regions.first().cloned().or_else(named).or_else(usual)
    }
}

/// As whom an account is asked; its regions are those that it may be used in.
fn identity(item: &Item) -> Result<Identity, String> {
    let spec: AccountSpec = serde_json::from_str(&item.spec).map_err(|error| error.to_string())?;
    let body = spec.body.value();
    let text = |name: &str| body.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let regions = body.get("regions").and_then(|all| all.as_array()).into_iter().flatten();
    Ok(Identity {
        name: AccountName::new(&*item.place.name).map_err(|error| error.to_string())?,
        id: text("id").ok_or("`id` is missing")?,
        role: text("role"),
        external_id: text("externalId"),
        profile: text("profile"),
        regions: regions.filter_map(|code| RegionId::new(code.as_str()?).ok()).collect(),
    })
}

#[cfg(test)]
#[path = "operator_accounts_tests.rs"]
mod tests;
