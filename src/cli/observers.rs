//! The looks of all accounts: one shared look for each.
//!
//! Goes in: as whom a blueprint is worked on in which region. Comes out: its [view](super::eyes) over as many accounts as that takes,
//! and what has changed for whom in any of them.
//!
//! **Invariant:** two texts that say the same of a region share its looks; an account that nobody works in any more is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::agent_done::sights;
use super::agent_texts::Shared;
use super::eyes::{View, Whose};
use super::identities::Identity;
use crate::agent::files::InForce;
use crate::agent::observer::{Intervals, Observer, Turning};
use crate::agent::work::Sight;
use rgctl_model::ports::{Clock, Cloud};
use rgctl_schema::names::{BlueprintName, RegionId};

/// An account of its own, opened.
pub struct Opened {
    /// The provider as that identity.
    pub cloud: Arc<dyn Cloud>,
    /// How often it is looked at.
    pub intervals: Intervals,
}

/// Opens the provider as somebody.
pub trait Opens: Send + Sync {
    /// What an account is opened by, in a text: where it is another one, the account is opened anew.
    fn terms(&self, identity: &Identity) -> String;
    /// Opens it. Nothing is asked yet.
    fn open(&self, identity: &Identity) -> Opened;
}

/// What has changed in any of the accounts that are named.
#[derive(Default)]
struct News {
    names: Mutex<BTreeSet<BlueprintName>>,
    some: Notify,
}

/// An account that blueprints are worked on in.
struct Named {
    observer: Arc<Observer>,
    /// Its number.
    id: String,
    users: BTreeSet<BlueprintName>,
    looking: tokio::task::JoinHandle<()>,
}

impl Drop for Named {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// The looks of all accounts.
pub struct Observers {
    /// Whoever the environment says; of an agent also those whom its files say.
    usual: Arc<Observer>,
    clock: Arc<dyn Clock>,
    opens: Option<Arc<dyn Opens>>,
    named: Mutex<BTreeMap<String, Named>>,
    news: Arc<News>,
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observers {
    /// One provider for everything.
    pub fn one(usual: Arc<Observer>, clock: Arc<dyn Clock>) -> Self {
        Self { usual, clock, opens: None, named: Mutex::default(), news: Arc::default() }
    }

    /// The same, but for regions whose texts name an account: those are opened when they are needed.
    #[must_use]
    pub fn opening(self, opens: Arc<dyn Opens>) -> Self {
        Self { opens: Some(opens), ..self }
    }

    /// As whom a blueprint is worked on in these regions by its text. Accounts that it was worked on in before are not looked at for it
    /// any more.
    pub fn view(&self, name: &BlueprintName, text: &InForce<Shared>, regions: &BTreeSet<RegionId>) -> View {
        let mut view = View { usual: Arc::clone(&self.usual), whose: BTreeMap::new(), others: Whose::Usual };
        let Some(opens) = &self.opens else { return view };
        view.others = Whose::Nobody("neither its text nor its record names this region".to_owned());
        let mut all = locked(&self.named);
        let mut in_use = BTreeSet::new();
        for region in regions {
            let identity = text.shared.identities().0.iter().find(|one| one.regions.contains(region));
            let whose = match (text.barred.why(region), identity) {
                (Some(why), _) => Whose::Nobody(why.to_owned()),
                (None, None) if text.shared.describes(region) => Whose::Usual,
                (None, None) => Whose::Nobody("no Region describes it any more".to_owned()),
                (None, Some(identity)) => {
                    let terms = opens.terms(identity);
                    let one = all.entry(terms.clone()).or_insert_with(|| self.open(&**opens, identity));
                    one.users.insert(name.clone());
                    in_use.insert(terms);
                    Whose::Named(Arc::clone(&one.observer), identity.id.clone())
                }
            };
            view.whose.insert(region.clone(), whose);
        }
        if !view.whose.is_empty() && !view.whose.values().any(|whose| matches!(whose, Whose::Usual)) {
            self.usual.forget(name);
        }
        Self::leave(&mut all, name, &in_use);
        view
    }

    /// Whether texts say as whom a region is worked in.
    pub const fn knows_accounts(&self) -> bool {
        self.opens.is_some()
    }

    fn open(&self, opens: &dyn Opens, identity: &Identity) -> Named {
        let Opened { cloud, intervals } = opens.open(identity);
        let observer = Observer::new(cloud, Arc::clone(&self.clock), intervals);
        let (looks, news) = (Arc::clone(&observer), Arc::clone(&self.news));
        let looking = tokio::spawn(async move {
            let telling = async {
                loop {
                    let names = looks.news().await;
                    locked(&news.names).extend(names);
                    news.some.notify_one();
                }
            };
            futures::future::join(looks.keep_looking(), telling).await;
        });
        Named { observer, id: identity.id.clone(), users: BTreeSet::new(), looking }
    }

    fn leave(all: &mut BTreeMap<String, Named>, name: &BlueprintName, but: &BTreeSet<String>) {
        all.retain(|terms, one| {
            if !but.contains(terms) && one.users.remove(name) {
                one.observer.forget(name);
            }
            !one.users.is_empty()
        });
    }

    fn of(&self, name: &BlueprintName) -> Vec<Arc<Observer>> {
        let all = locked(&self.named);
        let named = all.values().filter(|one| one.users.contains(name)).map(|one| Arc::clone(&one.observer));
        std::iter::once(Arc::clone(&self.usual)).chain(named).collect()
    }

    /// Looks at these regions for a blueprint for which nobody looks yet.
    pub fn expect(&self, name: &BlueprintName, text: &InForce<Shared>, regions: &BTreeSet<RegionId>) {
        for (observer, own) in self.view(name, text, regions).split(regions.iter()).seen {
            observer.expect(name, &own);
        }
    }

    /// Looks no more for a blueprint.
    pub fn forget(&self, name: &BlueprintName) {
        self.usual.forget(name);
        Self::leave(&mut locked(&self.named), name, &BTreeSet::new());
    }

    /// Whether something of a blueprint is under way.
    pub fn set_in_motion(&self, name: &BlueprintName, in_motion: bool) {
        for observer in self.of(name) {
            observer.set_in_motion(name, in_motion);
        }
    }

    /// Lets the next looks be news for a blueprint, whatever they show. Whether anybody looks for it.
    pub fn call_for(&self, name: &BlueprintName, haste: bool) -> bool {
        let heard: Vec<bool> = self.of(name).iter().map(|observer| observer.call_for(name, haste)).collect();
        heard.contains(&true)
    }

    /// A turn of a blueprint is under way until these are dropped.
    pub fn turn_of(&self, name: &BlueprintName) -> Vec<Turning> {
        self.of(name).iter().map(|observer| observer.turn_of(name.clone())).collect()
    }

    /// The clock was set.
    pub fn clock_was_set(&self) {
        self.usual.clock_was_set();
        for one in locked(&self.named).values() {
            one.observer.clock_was_set();
        }
    }

    /// Looks at the regions of the environment's account when they are due; those of the others are looked at anyway.
    pub async fn keep_looking(&self) {
        self.usual.keep_looking().await;
    }

    /// The blueprints for whom something has changed; waits until there are some.
    pub async fn news(&self) -> BTreeSet<BlueprintName> {
        let others = async {
            loop {
                let some = self.news.some.notified();
                let changed = std::mem::take(&mut *locked(&self.news.names));
                if !changed.is_empty() {
                    return changed;
                }
                some.await;
            }
        };
        tokio::select! {
            changed = self.usual.news() => changed,
            changed = others => changed,
        }
    }

    /// The last looks; the environment's account is told by region.
    pub fn sights(&self, usual: &dyn Fn(&RegionId) -> String) -> Vec<Sight> {
        let mut all = sights(&self.usual.figures(), usual);
        for one in locked(&self.named).values() {
            all.extend(sights(&one.observer.figures(), &|_| one.id.clone()));
        }
        all
    }
}
