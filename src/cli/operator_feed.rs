//! From what the watches of a cluster tell to the news that the loop hears.
//!
//! Flow: told → resources → texts that are read anew, beside the loop → news. Guarantees: nothing is told to the loop before all that
//! there is was told once; a blueprint whose status alone has changed is not woken; a new text is put into force when its regions are
//! known to be as new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::agent_texts::{Language, Shared};
use crate::agent::folder::Texts;
use crate::agent::health::Health;
use crate::agent::work::News;
use crate::operator::accounts::{self, Terms};
use crate::operator::definitions::{self, Verdict};
use crate::operator::deletion::{Brake, Deletions};
use crate::operator::freshness::{Freshness, JUDGED_BY};
use crate::operator::resources::{Change, Resources};
use crate::operator::source::{Sources, Text, Wrong};
use rgctl_kube::client::Client;
use rgctl_kube::crds::Printed;
use rgctl_kube::item::{Item, Listed, Place, Told, Watched};
use rgctl_kube::listed::list;
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;

/// Things that are told together.
const BATCH_MAX: usize = 2_000;
/// After so long without anything being told the loop hears all the same that the cluster is seen.
const QUIET: Duration = Duration::from_secs(5);
/// While a text waits it is seen so often whether something has to be listed anew.
const WAITING: Duration = Duration::from_secs(1);

/// The watches of a cluster: of what, in which namespace or in all.
pub type Watches = Vec<(Watched, Option<String>)>;

/// What is known of the cluster, shared with whoever carries out turns.
#[derive(Default)]
pub struct Cluster {
    resources: Mutex<Resources>,
    deletions: Mutex<Deletions>,
    freshness: Mutex<Freshness>,
    /// Texts that cannot be used, and why.
    wrong: Mutex<BTreeMap<Arc<str>, Wrong>>,
    /// Accounts that cannot be used by anybody, and why.
    wrong_accounts: Mutex<BTreeMap<Arc<str>, String>>,
    /// Accounts were read anew.
    pub accounts_changed: Notify,
    /// What the definitions are, once all of them were told.
    definitions: Mutex<Option<Verdict>>,
    /// Overrides whose blueprint is not there, until they were told so.
    lost: Mutex<BTreeSet<Place>>,
    /// Some were lost.
    pub lost_some: Notify,
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    /// What there is.
    pub fn resources(&self) -> MutexGuard<'_, Resources> {
        locked(&self.resources)
    }

    /// Generation and text of a blueprint that are in force; none where no text of it may be acted on yet.
    pub fn in_force(&self, item: &Item) -> Option<(i64, Arc<str>)> {
        locked(&self.freshness).in_force(item)
    }

    /// What is wrong with the text of a blueprint.
    pub fn wrong(&self, name: &str) -> Option<Wrong> {
        locked(&self.wrong).get(name).cloned()
    }

    /// What is wrong with the document of an account.
    pub fn wrong_account(&self, name: &str) -> Option<String> {
        locked(&self.wrong_accounts).get(name).cloned()
    }

    /// How much of an account is used; of one that is not there any more as little as can be.
    pub fn terms(&self, account: &str) -> Terms {
        let item = self.resources().item(Watched::Account, &Place::new("", account));
        item.map_or(Terms { sweep: None, percent: 1, is_paused: true }, |item| accounts::terms(&item))
    }

    /// Why nothing may be begun with the definitions as they are.
    pub fn refusal(&self) -> Option<String> {
        match &*locked(&self.definitions) {
            Some(Verdict::Refused(why)) => Some(why.clone()),
            Some(Verdict::Own | Verdict::Newer) | None => None,
        }
    }

    /// The overrides that have lost their blueprint since this was asked last.
    pub fn take_lost(&self) -> BTreeSet<Place> {
        std::mem::take(&mut locked(&self.lost))
    }

    /// One of them is told again later.
    pub fn lose(&self, place: Place) {
        locked(&self.lost).insert(place);
    }

    /// What keeps everything in the cloud when that one is deleted.
    pub fn brake(&self, item: &Item) -> Option<Brake> {
        let at = item.meta.deletion_timestamp?;
        let resources = self.resources();
        if resources.is_ending(&item.place.namespace) {
            return Some(Brake::Namespace);
        }
        if resources.is_definition_ending() {
            return Some(Brake::Definition);
        }
        let of = resources.count(Watched::Blueprint);
        drop(resources);
        locked(&self.deletions).are_many(at, of).then_some(Brake::Many)
    }
}

/// What feeds the loop.
pub struct Feed {
    /// What is known, for all.
    pub cluster: Arc<Cluster>,
    /// Reads texts.
    pub sources: Sources<Language>,
    /// The texts that are in force.
    pub texts: Texts<Shared>,
    /// All watches.
    pub watches: Watches,
    /// Whose calls blueprints need.
    pub account: String,
    /// The definitions of this version.
    pub printed: Vec<Printed>,
    /// Told when nothing may be begun.
    pub health: Arc<Health>,
    /// The loop.
    pub news: mpsc::Sender<News>,
    /// Lists what new texts are judged by.
    pub client: Client,
}

/// A list that is under way.
type Listing = Option<JoinHandle<Result<Vec<Listed>, String>>>;

/// What it came to; never, where none is under way.
async fn came(listing: &mut Listing) -> Result<Vec<Listed>, String> {
    match listing {
        Some(under_way) => under_way.await.unwrap_or_else(|error| Err(error.to_string())),
        None => std::future::pending().await,
    }
}

impl Feed {
    /// Passes on what is told, until nobody tells or listens any more.
    pub async fn run(mut self, mut told: mpsc::Receiver<Told>) {
        let (mut touched, mut listing) = (Touched::default(), Listing::None);
        loop {
            let mut batch = Vec::new();
            let quiet = if locked(&self.cluster.freshness).is_waited_for() { WAITING } else { QUIET };
            tokio::select! {
                waited = tokio::time::timeout(quiet, told.recv_many(&mut batch, BATCH_MAX)) => {
                    if waited == Ok(0) {
                        return;
                    }
                }
                came = came(&mut listing) => {
                    listing = None;
                    if let Err(why) = &came {
                        tracing::warn!(target: "rgctl::operator", why, "regions and accounts could not be listed: new blueprints wait");
                    }
                    locked(&self.cluster.freshness).listed(came, SystemClock.since_boot());
                }
            }
            self.fold(batch, &mut touched);
            self.judge_definitions(&mut touched);
            if !self.cluster.resources().is_whole(&self.watches) {
                continue;
            }
            if self.tell(std::mem::take(&mut touched)).await.is_none() {
                return;
            }
            if locked(&self.cluster.freshness).begin(SystemClock.since_boot()) {
                listing = Some(tokio::spawn(self.list()));
            }
        }
    }

    /// Lists what new texts are judged by: one time for all that wait.
    fn list(&self) -> impl Future<Output = Result<Vec<Listed>, String>> + Send + use<> {
        let client = self.client.clone();
        let undefined = self.cluster.resources().undefined().clone();
        // Of a kind that is not defined there is nothing; nothing is begun before it is.
        let is_listed = |what: &Watched| JUDGED_BY.contains(what) && !undefined.contains(what);
        let watches: Watches = self.watches.iter().filter(|(what, _)| is_listed(what)).cloned().collect();
        async move {
            let lists = watches.iter().map(|(what, scope)| list(client.clone(), *what, scope.as_deref()));
            futures::future::try_join_all(lists).await
        }
    }

    /// Takes a batch.
    fn fold(&mut self, batch: Vec<Told>, touched: &mut Touched) {
        let boot = SystemClock.since_boot();
        let mut resources = self.cluster.resources();
        for (what, scope, seen) in batch {
            for change in resources.fold(what, scope.as_deref(), seen, boot) {
                note(&resources, &self.cluster.deletions, &mut self.sources, what, &change, touched);
            }
        }
    }

    /// Judges the definitions, as soon as all of them were told: also where the kinds are not there that they define. Those are told
    /// of, and waited for.
    fn judge_definitions(&self, touched: &mut Touched) {
        let mut resources = self.cluster.resources();
        let mut watches = self.watches.iter().filter(|(what, _)| *what == Watched::Definition);
        if !watches.all(|watch| resources.is_whole(std::slice::from_ref(watch))) {
            return;
        }
        let there = |place: &Place| resources.items_of(Watched::Definition)?.get(place).map(|item| &**item);
        let (missing, verdict) =
            (definitions::missing(&self.printed, there), definitions::judge(&self.printed, there));
        resources.are_undefined(missing);
        let mut known = locked(&self.cluster.definitions);
        let verdict = match (verdict, &*known) {
            (Verdict::Own | Verdict::Newer, Some(Verdict::Refused(_)))
                if !resources.is_whole(&self.watches) =>
            {
                Verdict::Refused(definitions::NOT_READ.to_owned())
            }
            (verdict, _) => verdict,
        };
        if known.as_ref() == Some(&verdict) {
            return;
        }
        match &verdict {
            Verdict::Own => {}
            Verdict::Newer => tracing::warn!(target: "rgctl::operator",
                "the definitions are of a later version: what they define beyond this one is refused where somebody sets it"),
            Verdict::Refused(why) => tracing::error!(target: "rgctl::operator", why, "nothing is begun"),
        }
        let why = if let Verdict::Refused(why) = &verdict { Some(why.clone()) } else { None };
        self.health.refuses(why);
        *known = Some(verdict);
        touched.all(resources.all(Watched::Blueprint));
    }

    /// Tells the loop; nothing where it does not listen any more.
    async fn tell(&mut self, mut touched: Touched) -> Option<()> {
        let fresh = {
            let resources = self.cluster.resources();
            let mut freshness = locked(&self.cluster.freshness);
            for item in touched.0.iter().filter_map(|name| resources.first_of(name)) {
                freshness.note(&item);
            }
            freshness.ready(&resources)
        };
        touched.0.extend(fresh.iter().cloned());
        let names: Vec<Arc<str>> = touched.0.into_iter().collect();
        let (items, gone) = {
            let resources = self.cluster.resources();
            let items: Vec<Arc<Item>> = names.iter().filter_map(|name| resources.first_of(name)).collect();
            let gone: Vec<&Arc<str>> =
                names.iter().filter(|name| resources.first_of(name).is_none()).collect();
            (items, gone)
        };
        self.note_lost(&names);
        for name in gone {
            self.sources.forget(name);
            locked(&self.cluster.freshness).forget(name);
            locked(&self.cluster.wrong).remove(name);
            // A run that is open keeps the text that it was made for.
            locked(&self.texts).remove(name);
            self.news.send(News::Rests { key: Arc::clone(name) }).await.ok()?;
        }
        let is_judged = |item: &Arc<Item>| {
            let in_force = || self.cluster.in_force(item).map(|(generation, _)| generation);
            fresh.contains(&item.place.name) || in_force() == Some(item.generation())
        };
        let (judged, waiting): (Vec<Arc<Item>>, Vec<Arc<Item>>) = items.into_iter().partition(is_judged);
        self.read(&judged);
        for item in &judged {
            locked(&self.cluster.freshness).release(item);
        }
        // Who is to go is heard of at once: what its deletion keeps asks nobody.
        for item in judged.iter().chain(waiting.iter().filter(|item| item.meta.is_going())) {
            let account = self.account_of(&item.place.name);
            let news = News::Changed { key: Arc::clone(&item.place.name), account };
            self.news.send(news).await.ok()?;
        }
        let refused = locked(&self.cluster.wrong).len() + self.cluster.resources().left_out();
        let blind = self.cluster.resources().blindness(SystemClock.since_boot());
        let (trouble, is_first) = {
            let freshness = locked(&self.cluster.freshness);
            (freshness.trouble(), freshness.is_first())
        };
        let blind = blind.or(trouble);
        if blind.is_none() && is_first {
            // Nothing of what there is was judged yet.
            return Some(());
        }
        self.news.send(News::Read(blind.map_or(Ok(refused), Err))).await.ok()
    }

    /// What is wrong with accounts, for whoever tells it.
    fn tell_accounts(&self) {
        let resources = self.cluster.resources();
        let names = resources.all(Watched::Account).map(|item| Arc::clone(&item.place.name));
        let wrong =
            names.filter_map(|name| self.sources.wrong_account(&name).map(|why| (name, why))).collect();
        drop(resources);
        *locked(&self.cluster.wrong_accounts) = wrong;
        self.cluster.accounts_changed.notify_one();
    }

    /// Notes the overrides of these names whose blueprint is not there, or in another namespace.
    fn note_lost(&self, names: &[Arc<str>]) {
        let resources = self.cluster.resources();
        let is_lost = |item: &&Arc<Item>| {
            let spec = item.spec();
            let Some(of) = spec.get("blueprint").and_then(|name| name.as_str()) else { return false };
            names.binary_search_by(|name| (**name).cmp(of)).is_ok()
                && resources.item(Watched::Blueprint, &Place::new(&item.place.namespace, of)).is_none()
        };
        let lost: Vec<Place> = match names {
            [] => Vec::new(),
            _ => resources.all(Watched::Override).filter(is_lost).map(|item| item.place.clone()).collect(),
        };
        drop(resources);
        if !lost.is_empty() {
            locked(&self.cluster.lost).extend(lost);
            self.cluster.lost_some.notify_one();
        }
    }

    /// Whose calls a blueprint needs: turns are shared out by that.
    fn account_of(&self, name: &str) -> String {
        let texts = locked(&self.texts);
        let text = texts.get(name);
        let own = text.and_then(|text| {
            let primary = text.place.primary.as_ref()?;
            let identities = text.shared.identities();
            identities
                .0
                .iter()
                .find(|identity| identity.regions.contains(primary))
                .map(|identity| identity.id.clone())
        });
        own.unwrap_or_else(|| self.account.clone())
    }

    /// Reads texts, and puts into force what has no error.
    fn read(&mut self, items: &[Arc<Item>]) {
        // Others wait for the resources meanwhile for no longer than it takes to copy the regions.
        let read = tokio::task::block_in_place(|| {
            let resources = self.cluster.resources();
            self.sources.read_accounts(&resources);
            self.sources.read(items, &resources)
        });
        self.tell_accounts();
        let (mut texts, mut wrong) = (locked(&self.texts), locked(&self.cluster.wrong));
        for (name, text) in read {
            match text {
                Text::Good(text) => {
                    wrong.remove(&name);
                    texts.insert(name, text);
                }
                Text::Bad(why) => {
                    if why.is_barred() {
                        // What is open is closed as whoever began it; nobody looks there any more.
                        texts.remove(&name);
                    }
                    wrong.insert(name, why);
                }
            }
        }
    }
}

/// The blueprints that are concerned, by name.
#[derive(Default)]
struct Touched(BTreeSet<Arc<str>>);

impl Touched {
    fn all<'a>(&mut self, items: impl Iterator<Item = &'a Arc<Item>>) {
        self.0.extend(items.map(|item| Arc::clone(&item.place.name)));
    }

    fn named(&mut self, item: &Item, path: &str) {
        self.0.extend(item.spec().pointer(path).and_then(|name| name.as_str()).map(Arc::from));
    }
}

/// Whom a change concerns.
fn note(
    resources: &Resources,
    deletions: &Mutex<Deletions>,
    sources: &mut Sources<Language>,
    what: Watched,
    change: &Change,
    touched: &mut Touched,
) {
    let item = match change {
        Change::Status(_) => return,
        Change::Wanted(place) => resources.item(what, place),
        Change::Gone(item) => Some(Arc::new((**item).clone())),
    };
    let Some(item) = item else { return };
    let namespace = &item.place.namespace;
    match what {
        Watched::Blueprint => {
            let at = item.meta.deletion_timestamp;
            let gone = matches!(change, Change::Gone(_)).then(|| SystemClock.now());
            if let Some(at) = at.or(gone) {
                locked(deletions).note(&item.place, at);
                // The others of these are judged anew, should they be many by now.
                touched.all(resources.all(Watched::Blueprint).filter(|one| one.meta.is_going()));
            }
            touched.0.insert(Arc::clone(&item.place.name));
        }
        Watched::Region if sources.regions_changed(namespace) => {
            touched.all(resources.all(Watched::Blueprint));
        }
        Watched::Region => touched.all(resources.within(Watched::Blueprint, namespace)),
        Watched::Account => {
            sources.accounts_changed();
            touched.all(resources.all(Watched::Blueprint));
        }
        Watched::Plan => touched.named(&item, "/blueprint/name"),
        Watched::Override => touched.named(&item, "/blueprint"),
        Watched::Approval => {
            let plan = item.spec().pointer("/plan").and_then(|plan| plan.as_str()).map(str::to_owned);
            let plan = plan.and_then(|plan| resources.item(Watched::Plan, &Place::new(namespace, &plan)));
            if let Some(plan) = plan {
                touched.named(&plan, "/blueprint/name");
            }
        }
        Watched::Namespace => {
            sources.labels_changed(&item.place.name);
            touched.all(resources.within(Watched::Blueprint, &item.place.name));
        }
        Watched::Definition if item.meta.is_going() => touched.all(resources.all(Watched::Blueprint)),
        Watched::Definition => {}
    }
}
