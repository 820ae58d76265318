//! The looks of all accounts: one shared look for each, and each blueprint's view over those that its regions are in.
//!
//! Goes in: as whom a blueprint is worked on in which region. Comes out: one port for it, over as many accounts as that takes, and what
//! has changed for whom in any of them.
//!
//! **Invariant:** what is asked or done in a region is asked or done as whoever the text in force says, and as nobody else: where it
//! says nobody, all looks are gaps and all calls are refused.
//! **Invariant:** two texts that say the same of a region share its looks; an account that nobody works in any more is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use tokio::sync::Notify;

use super::agent_done::sights;
use super::agent_texts::Shared;
use super::identities::Identity;
use super::worked_in::{ENVIRONMENT, WorkedIn};
use crate::agent::files::InForce;
use crate::agent::observer::{Intervals, Observer, SharedCloud, Turning};
use crate::agent::work::Sight;
use rgctl_model::address::Address;
use rgctl_model::observed::{Gap, Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Clock, Cloud, CloudError, Permit, Receipt};
use rgctl_model::quota::AccountQuota;
use rgctl_model::scope::Home;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_model::sweep::SightDigest;
use rgctl_schema::names::{BlueprintName, RegionId, Token};
use rgctl_schema::time::Moment;

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

/// As whom a region is worked in.
#[derive(Clone)]
enum Whose {
    /// As whoever the environment says.
    Usual,
    /// As an account that is named, with its number.
    Named(Arc<Observer>, String),
    /// As nobody, and why.
    Nobody(String),
}

/// As whom a blueprint is worked on, by region.
#[derive(Clone)]
pub struct View {
    usual: Arc<Observer>,
    whose: BTreeMap<RegionId, Whose>,
    /// As whom all others are.
    others: Whose,
}

/// Regions by who looks at them, and those at which nobody does, with why.
struct Split<'v> {
    seen: Vec<(&'v Arc<Observer>, BTreeSet<RegionId>)>,
    barred: BTreeMap<RegionId, &'v str>,
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

impl View {
    fn whose(&self, region: Option<&RegionId>) -> &Whose {
        region.and_then(|region| self.whose.get(region)).unwrap_or(&self.others)
    }

    fn of(&self, region: Option<&RegionId>) -> Result<&Arc<Observer>, &str> {
        match self.whose(region) {
            Whose::Usual => Ok(&self.usual),
            Whose::Named(observer, _) => Ok(observer),
            Whose::Nobody(why) => Err(why),
        }
    }

    /// Whether a region is worked in as whoever the environment says.
    pub fn is_usual(&self, region: Option<&RegionId>) -> bool {
        matches!(self.whose(region), Whose::Usual)
    }

    /// In which account a region is worked in, if anybody works there.
    pub fn account_in(&self, region: &RegionId) -> Option<&str> {
        match self.whose(Some(region)) {
            Whose::Usual => Some(ENVIRONMENT),
            Whose::Named(_, id) => Some(id),
            Whose::Nobody(_) => None,
        }
    }

    /// The same, but that nobody works in those of these regions that are of another account now than they were.
    #[must_use]
    pub fn only_as<'r>(mut self, regions: impl Iterator<Item = &'r RegionId>, was: &WorkedIn) -> Self {
        for region in regions {
            let (Some(was), Some(now)) = (was.get(region), self.account_in(region)) else { continue };
            if was != now {
                let why = format!(
                    "it was worked on here in the account of {was}, and the Region says {now} now; what is left here is removed once that says so again"
                );
                self.whose.insert(region.clone(), Whose::Nobody(why));
            }
        }
        self
    }

    fn split<'r>(&self, regions: impl Iterator<Item = &'r RegionId>) -> Split<'_> {
        let mut split = Split { seen: Vec::new(), barred: BTreeMap::new() };
        for region in regions {
            let observer = match self.of(Some(region)) {
                Ok(observer) => observer,
                Err(why) => {
                    split.barred.insert(region.clone(), why);
                    continue;
                }
            };
            match split.seen.iter_mut().find(|(other, _)| Arc::ptr_eq(other, observer)) {
                Some((_, own)) => drop(own.insert(region.clone())),
                None => split.seen.push((observer, BTreeSet::from([region.clone()]))),
            }
        }
        split
    }

    /// The port, for one blueprint; shown looks that began at that moment or later, where one is said.
    pub fn eyes(&self, name: &BlueprintName, since: Option<Moment>) -> Eyes {
        Eyes { view: self.clone(), name: name.clone(), since }
    }
}

/// The provider as one blueprint sees it, over all accounts that its regions are in.
#[derive(Clone)]
pub struct Eyes {
    view: View,
    name: BlueprintName,
    since: Option<Moment>,
}

impl Eyes {
    fn through(&self, observer: &Arc<Observer>) -> SharedCloud {
        let cloud = observer.cloud_for(&self.name);
        match self.since {
            Some(since) => cloud.since(since),
            None => cloud,
        }
    }

    fn at(&self, region: &RegionId) -> Result<SharedCloud, CloudError> {
        let observer = self.view.of(Some(region)).map_err(|why| denied(region, why))?;
        Ok(self.through(observer))
    }

    /// Whoever is asked where no region is named.
    fn anywhere(&self) -> Result<&Arc<Observer>, CloudError> {
        self.view.of(None).map_err(|_| CloudError::Denied {
            code: "NoAccount".to_owned(),
            message: "no region is named, so that nobody knows as whom to ask".to_owned(),
        })
    }

    /// An account that is not reached, or asks for fewer calls, is a gap, as long as another one is seen; one that refuses is an error,
    /// since what is there must not be taken for gone. Where nobody looks there is a gap that time does not close, as long as anything
    /// is seen elsewhere.
    async fn look(&self, wanted: &Selection) -> Result<Inventory, CloudError> {
        let Split { seen: parts, barred } = self.view.split(wanted.regions.iter());
        if parts.is_empty()
            && let Some((region, why)) = barred.first_key_value()
        {
            return Err(denied(region, why));
        }
        if parts.len() < 2 && barred.is_empty() {
            let observer = match parts.first() {
                Some((observer, _)) => observer,
                None => self.anywhere()?,
            };
            return self.through(observer).observe(wanted).await;
        }
        let looks = parts.into_iter().map(|(observer, regions)| async move {
            let named = wanted.named.iter().filter(|address| regions.contains(&address.region)).cloned();
            let part = Selection { named: named.collect(), regions: regions.clone(), ..wanted.clone() };
            (regions, self.through(observer).observe(&part).await)
        });
        let (mut whole, mut unreached): (Option<Inventory>, Vec<(BTreeSet<RegionId>, CloudError)>) =
            (None, Vec::new());
        for (regions, part) in join_all(looks).await {
            match (part, &mut whole) {
                (Err(error @ (CloudError::Unreachable { .. } | CloudError::Throttled { .. })), _) => {
                    unreached.push((regions, error));
                }
                (Err(error), _) => return Err(error),
                (Ok(part), None) => whole = Some(part),
                (Ok(part), Some(all)) => {
                    all.taken = Ord::min(all.taken, part.taken);
                    all.seen.extend(part.seen);
                    all.gaps.extend(part.gaps);
                }
            }
        }
        let Some(mut whole) = whole else {
            let (_, error) = unreached.swap_remove(0);
            return Err(error);
        };
        for (regions, error) in unreached {
            whole
                .gaps
                .extend(regions.iter().flat_map(|region| Gap::of_region(region, &error.to_string(), false)));
        }
        for (region, why) in barred {
            whole.gaps.extend(Gap::of_region(&region, &denied(&region, why).to_string(), true));
        }
        Ok(whole)
    }

    async fn measure(&self, asks: &[SeriesAsk]) -> Vec<Result<Series, CloudError>> {
        let Split { seen, barred } = self.view.split(asks.iter().map(|ask| &ask.address.region));
        let answers = seen.into_iter().map(|(observer, regions)| async move {
            let own = asks.iter().enumerate().filter(|(_, ask)| regions.contains(&ask.address.region));
            let (places, own): (Vec<usize>, Vec<SeriesAsk>) =
                own.map(|(place, ask)| (place, ask.clone())).unzip();
            places.into_iter().zip(self.through(observer).series(&own).await).collect::<Vec<_>>()
        });
        let mut found: BTreeMap<usize, _> = join_all(answers).await.into_iter().flatten().collect();
        for (place, ask) in asks.iter().enumerate() {
            let region = &ask.address.region;
            if let Some(why) = barred.get(region) {
                found.insert(place, Err(denied(region, why)));
            }
        }
        found.into_values().collect()
    }
}

/// The answer of a region in which nobody works.
fn denied(region: &RegionId, why: &str) -> CloudError {
    let message = format!("nobody works in {region} for this blueprint: {why}");
    CloudError::Denied { code: "NoAccount".to_owned(), message }
}

impl Cloud for Eyes {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        async move {
            match near {
                Some(near) => self.at(near)?.home(Some(near)).await,
                None => self.through(self.anywhere()?).home(None).await,
            }
        }
        .boxed()
    }

    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        self.look(wanted).boxed()
    }

    fn glance<'a>(
        &'a self,
        objects: &'a BTreeSet<Address>,
    ) -> BoxFuture<'a, Result<SightDigest, CloudError>> {
        async move {
            let mut digest = SightDigest::default();
            for address in objects {
                digest.merge(self.at(&address.region)?.glance(&BTreeSet::from([address.clone()])).await?);
            }
            Ok(digest)
        }
        .boxed()
    }

    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        async move { self.at(&op.address().region)?.call(op, token, permit).await }.boxed()
    }

    fn next_event_at(&self) -> Option<Moment> {
        self.through(&self.view.usual).next_event_at()
    }

    fn quotas<'a>(
        &'a self,
        regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        async move {
            let mut told = Vec::new();
            let Split { seen, barred } = self.view.split(regions.iter());
            if let Some((region, why)) = barred.first_key_value() {
                return Err(denied(region, why));
            }
            for (observer, own) in seen {
                told.extend(self.through(observer).quotas(&own).await?);
            }
            Ok(told)
        }
        .boxed()
    }

    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        self.measure(asks).boxed()
    }
}
