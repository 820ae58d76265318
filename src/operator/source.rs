//! The texts of blueprints as resources have them: which are in force, and what is wrong with the others.
//!
//! **Invariant:** a blueprint is judged by the regions of its own namespace, then by those of the operator's, then by the shipped
//! ones. One that names a region that cannot be read is refused, and never judged by another region of that name.
//! **Invariant:** a region is that of the account that it names, or of none: one whose account is not there, cannot be read or may not
//! be named from the namespace is as one that cannot be read. In such a one nobody works, also where a blueprint has left it.
//! **Invariant:** a text with an error puts nothing into force; what was in force before it goes on being known, so that what is open
//! can be closed, and nothing more is begun with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::accounts::{self, Account};
use super::resources::Resources;
use crate::agent::files::{Barred, Examine, InForce};
use rgctl_kube::item::{Item, Place, Watched};
use rgctl_kube::kinds::condition::reasons;
use rgctl_kube::kinds::{BlueprintSpec, Object, RegionSpec, document::Body};
use rgctl_schema::diagnostic::Source;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::{AccountName, RegionId};

/// What is wrong with a text: a word for it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// In a word.
    pub reason: &'static str,
    /// For people.
    pub why: String,
}

impl Wrong {
    const fn spec(why: String) -> Self {
        Self { reason: reasons::BAD_SPEC, why }
    }

    const fn account(why: String) -> Self {
        Self { reason: reasons::NO_ACCOUNT, why }
    }

    /// Whether nobody may be looked at or called as any more.
    pub fn is_barred(&self) -> bool {
        self.reason == reasons::NO_ACCOUNT
    }
}

/// What the blueprints of a namespace share.
struct Common<S> {
    shared: Arc<S>,
    digest: String,
    /// Regions that cannot be used, and why.
    bad: BTreeMap<RegionId, Wrong>,
    /// The same for whoever looks and calls, with those that name no account where that is not enough.
    barred: Arc<Barred>,
}

impl<S> Clone for Common<S> {
    fn clone(&self) -> Self {
        let Self { shared, digest, bad, barred } = self;
        Self {
            shared: Arc::clone(shared),
            digest: digest.clone(),
            bad: bad.clone(),
            barred: Arc::clone(barred),
        }
    }
}

/// What a text came to.
#[derive(Clone, Debug)]
pub enum Text<S> {
    /// It is in force.
    Good(InForce<S>),
    /// It cannot be used.
    Bad(Wrong),
}

/// What reads texts.
pub struct Sources<E: Examine> {
    examiner: E,
    /// The operator's own namespace.
    own: String,
    /// What is shared where no resource tells of it.
    shipped: Arc<E::Shared>,
    common: BTreeMap<Arc<str>, Common<E::Shared>>,
    /// The accounts, once they are asked for: as they can be used, or why they cannot.
    accounts: Option<BTreeMap<Arc<str>, Result<Account, String>>>,
    /// Whether a region that names no account is worked in, as whoever the environment says.
    accounts_only: bool,
    /// Digest of what each text was read from last, with whose it is.
    read: BTreeMap<Arc<str>, String>,
}

impl<E: Examine> Sources<E> {
    /// With the operator's own namespace.
    pub fn new(examiner: E, own: String) -> Result<Self, String> {
        let shipped = Arc::new(examiner.share(&[])?);
        let (common, read) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { examiner, own, shipped, common, accounts: None, accounts_only: false, read })
    }

    /// The same that works in no region that names no account.
    #[must_use]
    pub fn accounts_only(self, accounts_only: bool) -> Self {
        Self { accounts_only, ..self }
    }

    /// Accounts have changed: all may be judged otherwise now.
    pub fn accounts_changed(&mut self) {
        self.accounts = None;
        self.common.clear();
    }

    /// Why an account cannot be used by anybody, where it cannot.
    pub fn wrong_account(&self, name: &str) -> Option<String> {
        self.accounts.as_ref()?.get(name)?.as_ref().err().cloned()
    }

    /// Labels of a namespace have changed: its blueprints may name other accounts now.
    pub fn labels_changed(&mut self, namespace: &str) {
        self.common.remove(namespace);
    }

    /// Reads the accounts, if any have changed.
    pub fn read_accounts(&mut self, resources: &Resources) {
        if self.accounts.is_some() {
            return;
        }
        let mut all: Vec<&Arc<Item>> = resources.all(Watched::Account).collect();
        all.sort_by_key(|item| (item.meta.creation_timestamp, item.uid().to_owned()));
        let mut firsts: BTreeMap<String, Arc<str>> = BTreeMap::new();
        let mut accounts = BTreeMap::new();
        for item in all {
            let name = &item.place.name;
            let id = item.spec().get("id").and_then(|id| id.as_str()).map(str::to_owned);
            let first = id.map(|id| firsts.entry(id).or_insert_with(|| Arc::clone(name)).clone());
            let account = match first.filter(|first| first != name) {
                // Its share of calls and who it is are those of an account: of two that say it otherwise neither would hold.
                Some(first) => Err(format!("the account {first} has the same id, and was there first")),
                None => self.account(item),
            };
            accounts.insert(Arc::clone(name), account);
        }
        self.accounts = Some(accounts);
    }

    fn account(&self, item: &Item) -> Result<Account, String> {
        let account = accounts::read(item)?;
        let examined =
            self.examiner.examine(&self.shipped, Path::new(&account.source.name), &account.source.text);
        examined.wrong.map_or(Ok(account), Err)
    }

    /// Regions of a namespace have changed; tells whether blueprints of all namespaces may be judged otherwise now.
    pub fn regions_changed(&mut self, namespace: &str) -> bool {
        let is_for_all = namespace == self.own;
        if is_for_all {
            self.common.clear();
        } else {
            self.common.remove(namespace);
        }
        is_for_all
    }

    /// It is gone.
    pub fn forget(&mut self, name: &str) {
        self.read.remove(name);
    }

    /// Reads these blueprints anew, as far as anything of theirs has changed.
    pub fn read(&mut self, items: &[Arc<Item>], resources: &Resources) -> Vec<(Arc<str>, Text<E::Shared>)> {
        let namespaces: BTreeSet<Arc<str>> =
            items.iter().map(|item| Arc::clone(&item.place.namespace)).collect();
        self.read_accounts(resources);
        for namespace in namespaces {
            if !self.common.contains_key(&namespace) {
                let common = self.common_of(&namespace, resources);
                self.common.insert(namespace, common);
            }
        }
        let digest = |item: &Item| {
            let common = self.common.get(&item.place.namespace).map_or("", |common| &common.digest);
            sha256_hex(format!("{} {common} {}", item.uid(), item.spec).as_bytes())
        };
        let new: Vec<(&Arc<Item>, String)> = items
            .iter()
            .map(|item| (item, digest(item)))
            .filter(|(item, digest)| self.read.get(&item.place.name) != Some(digest))
            .collect();
        let texts: Vec<_> = new.par_iter().map(|(item, digest)| self.text(item, digest)).collect();
        let read = new.into_iter().map(|(item, digest)| (Arc::clone(&item.place.name), digest));
        self.read.extend(read.collect::<Vec<_>>());
        texts
    }

    fn text(&self, item: &Item, digest: &str) -> (Arc<str>, Text<E::Shared>) {
        let name = Arc::clone(&item.place.name);
        let Some(common) = self.common.get(&item.place.namespace) else {
            return (name, Text::Bad(Wrong::spec("its namespace was not read".to_owned())));
        };
        let source = document(item);
        let path = Path::new(&source.name);
        let mut examined = self.examiner.examine(&common.shared, path, &source.text);
        let text = match (examined.wrong, examined.blueprints.remove(&name)) {
            (Some(why), _) => Text::Bad(Wrong::spec(why)),
            (None, None) => Text::Bad(Wrong::spec("it is no blueprint of its name".to_owned())),
            (None, Some(place)) => {
                let wrong = place.regions.iter().find_map(|region| Some((region, bad(common, region)?)));
                match wrong {
                    Some((region, Wrong { reason, why })) => {
                        Text::Bad(Wrong { reason, why: format!("its region {region} cannot be used: {why}") })
                    }
                    None => Text::Good(InForce {
                        path: Arc::from(path),
                        text: source.text.as_str().into(),
                        digest: digest.into(),
                        shared: Arc::clone(&common.shared),
                        place: Arc::new(place),
                        barred: Arc::clone(&common.barred),
                    }),
                }
            }
        };
        (name, text)
    }

    /// The account that a region names, for a namespace; nothing where it names none.
    fn account_of(
        &self,
        item: &Item,
        namespace: &str,
        resources: &Resources,
    ) -> Result<Option<&Account>, Wrong> {
        let spec = item.spec();
        let Some(name) = spec.get("account").and_then(|name| name.as_str()) else { return Ok(None) };
        let accounts = self.accounts.as_ref();
        let found = accounts.and_then(|all| all.get(name)).ok_or_else(|| {
            let names = accounts
                .into_iter()
                .flat_map(BTreeMap::keys)
                .filter_map(|name| AccountName::new(&**name).ok());
            Wrong::account(accounts::missing(name, names))
        })?;
        let account = found
            .as_ref()
            .map_err(|why| Wrong::account(format!("its account {name} cannot be used: {why}")))?;
        let Some(seen) = resources.item(Watched::Namespace, &Place::new("", namespace)) else {
            // Without its labels a selector of what a namespace must not have would mean it.
            return Err(Wrong::account(format!(
                "the account {name} may not be named from {namespace}: this namespace was not seen yet"
            )));
        };
        account.admits(name, namespace, &seen.meta.labels).map_err(Wrong::account)?;
        Ok(Some(account))
    }

    /// What blueprints of a namespace share: each of its regions is read by itself first, so that one that is wrong concerns
    /// only those who name it.
    fn common_of(&self, namespace: &str, resources: &Resources) -> Common<E::Shared> {
        let mut regions: BTreeMap<Arc<str>, &Arc<Item>> = BTreeMap::new();
        for within in [self.own.as_str(), namespace] {
            let items = resources.within(Watched::Region, within);
            regions.extend(items.map(|item| (Arc::clone(&item.place.name), item)));
        }
        let (mut good, mut bad, mut named) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        let mut used: BTreeMap<String, &Account> = BTreeMap::new();
        for (name, item) in regions {
            let id = RegionId::new(&*name).ok();
            let source = region(item);
            let read = self.account_of(item, namespace, resources).and_then(|account| {
                let texts = account.map(|account| &account.source).into_iter().chain([&source]);
                let texts: Vec<(&Path, &str)> = texts.map(text_of).collect();
                let (last, before) =
                    texts.split_last().ok_or_else(|| Wrong::spec("it says nothing".to_owned()))?;
                let shared = self.examiner.share(before).map_err(Wrong::spec)?;
                let examined = self.examiner.examine(&shared, last.0, last.1);
                examined.wrong.map_or(Ok(account), |why| Err(Wrong::spec(why)))
            });
            match read {
                Ok(account) => {
                    if let Some(account) = account {
                        used.insert(account.source.name.clone(), account);
                        named.extend(id);
                    }
                    good.push(source);
                }
                Err(wrong) => bad.extend(id.map(|id| (id, wrong))),
            }
        }
        let texts: Vec<(&Path, &str)> =
            used.values().map(|account| &account.source).chain(&good).map(text_of).collect();
        let all = format!("{texts:?} {bad:?} {named:?}");
        let refuse = |why: String| {
            // Each is right by itself and they are not together: then none is used, and whoever names one is refused.
            for (_, name) in good.iter().filter_map(|source| source.name.rsplit_once('/')) {
                if let Ok(id) = RegionId::new(name) {
                    bad.insert(id, Wrong::spec(why.clone()));
                }
            }
            Arc::clone(&self.shipped)
        };
        let shared = self.examiner.share(&texts).map_or_else(refuse, Arc::new);
        let but = self.accounts_only.then(|| (named, UNNAMED.to_owned()));
        let regions = bad.iter().map(|(region, wrong)| (region.clone(), wrong.why.clone())).collect();
        let barred = Arc::new(Barred { regions, but });
        Common { shared, digest: sha256_hex(all.as_bytes()), bad, barred }
    }
}

/// Why a region cannot be used, where it cannot.
fn bad<S>(common: &Common<S>, region: &RegionId) -> Option<Wrong> {
    let barred = || common.barred.why(region).map(|why| Wrong::account(why.to_owned()));
    common.bad.get(region).cloned().or_else(barred)
}

/// Why a region that names no account is not worked in, where accounts alone are.
const UNNAMED: &str = "it names no account, and this operator works with accounts alone: write `account` in a Region of that name";

fn text_of(source: &Source) -> (&Path, &str) {
    (Path::new(&source.name), source.text.as_str())
}

fn document(item: &Item) -> Source {
    Object::new(&*item.place.name, Some(&item.place.namespace), BlueprintSpec(Body::of(&item.spec())))
        .source()
}

fn region(item: &Item) -> Source {
    Object::new(&*item.place.name, Some(&item.place.namespace), RegionSpec(Body::of(&item.spec()))).source()
}
