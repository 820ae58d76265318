//! Who may name an account, as whom a region is worked in, and how much of an account is used.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use rgctl_catalog::Catalog;
use rgctl_engine::execution::drive;
use rgctl_kube::item::{Place, Seen};
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::observed::{Gap, Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Permit, Receipt};
use rgctl_model::scope::Home;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_model::sweep::SightDigest;
use rgctl_schema::diagnostic::{Diagnostics, Source};
use rgctl_schema::names::{BlueprintName, Name, Token};
use rgctl_schema::node::Tree;
use rgctl_sim::{GENESIS, SimCloud};
use serde_json::{Value, json};

use super::*;
use crate::agent::files::{Barred, Examine, InForce};
use crate::agent::observer::Observer;
use crate::cli::agent_texts::{Language, Shared};
use crate::cli::identities::Identities;
use crate::cli::observers::Observers;
use crate::cli::worked_in::{ENVIRONMENT, WorkedIn};
use crate::operator::resources::Resources;
use crate::operator::source::{Sources, Text};

fn spec_of(text: &str) -> Value {
    let mut found = Diagnostics::default();
    let read = rgctl_blueprint::yaml::parse(&Source::new("shipped", text), &mut found);
    assert!(!found.has_errors());
    read.first().map(Tree::to_json).unwrap()["spec"].clone()
}

fn put(resources: &mut Resources, what: Watched, meta: &Value, spec: &Value) {
    let item = Item::of(what, json!({ "metadata": meta, "spec": spec })).unwrap();
    resources.fold(what, None, Seen::Is(Box::new(item)), Span::ZERO);
}

fn region(resources: &mut Resources, account: Option<&str>) {
    let spec = spec_of(include_str!("../../regions/us-east-1.yaml"));
    region_of(resources, "us-east-1", spec, account);
}

fn region_of(resources: &mut Resources, code: &str, mut spec: Value, account: Option<&str>) {
    if let Some(account) = account {
        spec["account"] = json!(account);
    }
    put(resources, Watched::Region, &json!({ "name": code, "namespace": "rgctl-system" }), &spec);
}

/// A blueprint in `games`, whose region is described in the operator's namespace.
struct Scene {
    resources: Resources,
    sources: Sources<Language>,
}

impl Scene {
    fn new(accounts_only: bool) -> Self {
        let language = Language::new(Arc::new(Catalog::embedded().unwrap()), None, GENESIS).unwrap();
        let mut resources = Resources::default();
        let spec = spec_of(include_str!("../../blueprints/light-game.yaml"));
        put(
            &mut resources,
            Watched::Blueprint,
            &json!({ "name": "light-game", "namespace": "games", "uid": "b" }),
            &spec,
        );
        put(
            &mut resources,
            Watched::Namespace,
            &json!({ "name": "games", "labels": { "studio": "a" } }),
            &json!({}),
        );
        let sources = Sources::new(language, "rgctl-system".to_owned()).unwrap().accounts_only(accounts_only);
        Self { resources, sources }
    }

    fn account(&mut self, spec: &Value) {
        put(&mut self.resources, Watched::Account, &json!({ "name": "live", "uid": "a" }), spec);
        self.sources.accounts_changed();
    }

    /// What the text comes to: as whom it is worked in, or the reason and why not.
    fn read(&mut self) -> Result<Identities, (String, String)> {
        self.text().map(|text| Shared::identities(&text.shared).clone())
    }

    fn text(&mut self) -> Result<InForce<Shared>, (String, String)> {
        let item = self.resources.item(Watched::Blueprint, &Place::new("games", "light-game")).unwrap();
        self.sources.forget("light-game");
        let (_, text) = self.sources.read(&[item], &self.resources).pop().unwrap();
        match text {
            Text::Good(text) => Ok(text),
            Text::Bad(wrong) => Err((wrong.reason.to_owned(), wrong.why)),
        }
    }
}

#[test]
fn a_region_is_used_as_the_account_that_it_names_by_the_namespaces_that_this_selects() {
    let mut scene = Scene::new(false);
    region(&mut scene.resources, None);
    assert_eq!(scene.read().unwrap(), Identities::default());
    region(&mut scene.resources, Some("live"));
    scene.sources.regions_changed("rgctl-system");
    let refused = |scene: &mut Scene, reason: &str, says: &str| {
        let (is, why) = scene.read().unwrap_err();
        assert!(is == reason && why.contains(says) && why.contains("region us-east-1"), "{is}: {why}");
    };
    refused(&mut scene, "NoAccount", "its account live is not there");
    scene.account(&json!({ "id": "12" }));
    refused(&mut scene, "NoAccount", "is no number of an account");
    scene.account(&json!({ "id": "123456789012", "budgetShare": "200%", "namespaceSelector": {} }));
    refused(&mut scene, "NoAccount", "budgetShare: expected a share");
    scene.account(&json!({ "id": "123456789012" }));
    refused(&mut scene, "NoAccount", "may not be named from games: it has no namespaceSelector");
    let select = |studio: &str| json!({ "matchLabels": { "studio": studio } });
    scene.account(&json!({ "id": "123456789012", "namespaceSelector": select("b") }));
    refused(&mut scene, "NoAccount", "does not mean the labels");
    // An account that may not be used there is the region's mistake, and no reason to work there as somebody else.
    scene.account(
        &json!({ "id": "123456789012", "namespaceSelector": select("a"), "regions": ["eu-west-1"] }),
    );
    refused(&mut scene, "BadSpec", "may not be used in `us-east-1`");
    let role = "arn:aws:iam::123456789012:role/rgctl";
    scene.account(
        &json!({ "id": "123456789012", "namespaceSelector": select("a"), "role": role, "externalId": "x" }),
    );
    let identities = scene.read().unwrap();
    let [identity] = identities.0.as_slice() else { panic!("{identities:?}") };
    assert_eq!((identity.id.as_str(), identity.role.as_deref()), ("123456789012", Some(role)));
    assert_eq!(identity.regions, BTreeSet::from([RegionId::new("us-east-1").unwrap()]));
    // A namespace that is not seen has no labels that could be judged: not even a selector of what it must not have means it.
    let none = json!({ "matchExpressions": [{ "key": "studio", "operator": "DoesNotExist" }] });
    scene.account(&json!({ "id": "123456789012", "namespaceSelector": none }));
    let games = Place::new("", "games");
    scene.resources.fold(Watched::Namespace, None, Seen::Gone(games), Span::ZERO);
    refused(&mut scene, "NoAccount", "this namespace was not seen yet");
    // A label that goes takes the right with it.
    scene.account(&json!({ "id": "123456789012", "namespaceSelector": select("a") }));
    put(&mut scene.resources, Watched::Namespace, &json!({ "name": "games" }), &json!({}));
    scene.sources.labels_changed("games");
    refused(&mut scene, "NoAccount", "does not mean the labels");
}

#[test]
fn an_operator_that_works_with_accounts_alone_works_in_no_region_that_names_none() {
    let mut scene = Scene::new(true);
    let (reason, why) = scene.read().unwrap_err();
    assert!(reason == "NoAccount" && why.contains("it names no account"), "{why}");
    region(&mut scene.resources, Some("live"));
    scene.sources.regions_changed("rgctl-system");
    scene.account(&json!({ "id": "123456789012", "namespaceSelector": {} }));
    assert_eq!(scene.read().unwrap().0.len(), 1);
}

#[test]
fn a_region_that_a_text_has_left_is_nobodys_where_its_account_may_not_be_used() {
    let code = RegionId::new("eu-west-1").unwrap();
    let left = |scene: &mut Scene, account: Option<&str>| {
        let spec = spec_of(include_str!("../../regions/eu-west-1.yaml"));
        region_of(&mut scene.resources, "eu-west-1", spec, account);
        scene.sources.regions_changed("rgctl-system");
        scene.text().unwrap().barred.why(&code).map(str::to_owned)
    };
    let mut scene = Scene::new(false);
    assert_eq!(left(&mut scene, None), None);
    let why = left(&mut scene, Some("live")).unwrap();
    assert!(why.contains("its account live is not there"), "{why}");
    scene.account(&json!({ "id": "123456789012" }));
    let why = left(&mut scene, Some("live")).unwrap();
    assert!(why.contains("it has no namespaceSelector"), "{why}");
    scene.account(&json!({ "id": "123456789012", "namespaceSelector": {} }));
    assert_eq!(left(&mut scene, Some("live")), None);
    // Where accounts alone are worked in, those that name none are nobody's, whether they are named or were left.
    let mut scene = Scene::new(true);
    region(&mut scene.resources, Some("live"));
    scene.account(&json!({ "id": "123456789012", "namespaceSelector": {} }));
    let why = left(&mut scene, None).unwrap();
    assert!(why.contains("it names no account"), "{why}");
}

#[test]
fn of_two_accounts_with_one_number_the_first_is_used_and_the_other_hears_of_it() {
    let mut scene = Scene::new(false);
    let put = |scene: &mut Scene, name: &str, created: &str| {
        let meta = json!({ "name": name, "uid": name, "creationTimestamp": created });
        let spec = json!({ "id": "123456789012", "namespaceSelector": {} });
        put(&mut scene.resources, Watched::Account, &meta, &spec);
        scene.sources.accounts_changed();
    };
    put(&mut scene, "another", "2026-11-28T07:00:00Z");
    put(&mut scene, "live", "2026-11-28T06:00:00Z");
    region(&mut scene.resources, Some("live"));
    assert_eq!(scene.read().unwrap().0.len(), 1);
    region(&mut scene.resources, Some("another"));
    scene.sources.regions_changed("rgctl-system");
    let (reason, why) = scene.read().unwrap_err();
    assert!(reason == "NoAccount" && why.contains("live has the same id, and was there first"), "{why}");
    assert!(
        scene.sources.wrong_account("another").is_some() && scene.sources.wrong_account("live").is_none()
    );
}

fn identity_of(name: &str, region: &str) -> Identity {
    Identity {
        name: AccountName::new(name).unwrap(),
        id: "123456789012".to_owned(),
        role: None,
        external_id: None,
        profile: None,
        regions: BTreeSet::from([RegionId::new(region).unwrap()]),
    }
}

/// Each account is a world of its own.
struct Worlds {
    opened: AtomicUsize,
    all: BTreeMap<&'static str, SimCloud>,
    /// Those that ask for fewer calls, whatever is asked.
    throttled: BTreeSet<&'static str>,
}

/// An account that asks for fewer calls.
struct Throttled;

impl Cloud for Throttled {
    fn home<'a>(&'a self, _: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        ready(Err(CloudError::Throttled { after: Span::from_secs(1) })).boxed()
    }
    fn observe<'a>(&'a self, _: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        ready(Err(CloudError::Throttled { after: Span::from_secs(1) })).boxed()
    }
    fn call<'a>(
        &'a self,
        _: &'a Op,
        _: &'a Token,
        _: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        ready(Err(CloudError::Throttled { after: Span::from_secs(1) })).boxed()
    }
    fn series<'a>(&'a self, _: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        ready(Vec::new()).boxed()
    }
}

impl Opens for Worlds {
    fn terms(&self, identity: &Identity) -> String {
        identity.name.to_string()
    }

    fn open(&self, identity: &Identity) -> Opened {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let name = identity.name.as_str();
        let cloud: Arc<dyn Cloud> = if self.throttled.contains(name) {
            Arc::new(Throttled)
        } else {
            Arc::new(self.all[name].clone())
        };
        Opened { cloud, intervals: Intervals::default() }
    }
}

/// A text over the shipped regions, some of which are worked in as somebody.
fn text_as(identities: &Identities, barred: Barred) -> InForce<Shared> {
    let language = Language::new(Arc::new(Catalog::embedded().unwrap()), None, GENESIS).unwrap();
    let shared = language.share(&[]).unwrap().worked_in_as(identities.clone());
    InForce {
        path: std::path::Path::new("text").into(),
        text: "".into(),
        digest: "".into(),
        shared: Arc::new(shared),
        place: Arc::default(),
        barred: Arc::new(barred),
    }
}

#[tokio::test]
async fn in_a_region_that_is_nobodys_nothing_is_asked_and_what_is_there_is_not_taken_for_gone() {
    let world = |seed| SimCloud::in_memory(seed, GENESIS);
    let usual = world(1);
    let clock: Arc<dyn Clock> = Arc::new(usual.clock());
    let worlds = Arc::new(Worlds {
        opened: AtomicUsize::new(0),
        throttled: BTreeSet::new(),
        all: [("one", world(2)), ("two", world(3))].into(),
    });
    let observer = Observer::new(Arc::new(usual.clone()), Arc::clone(&clock), Intervals::default());
    let observers = Observers::one(observer, clock).opening(Arc::clone(&worlds) as _);
    let [code, here, undescribed] =
        ["eu-west-1", "us-east-1", "eu-north-1"].map(|code| RegionId::new(code).unwrap());
    let identities = Identities(vec![identity_of("one", "us-east-1"), identity_of("two", "eu-west-1")]);
    let name = BlueprintName::new("arena").unwrap();
    let regions = BTreeSet::from([code.clone(), here.clone(), undescribed.clone()]);
    let refused = |why: &str| Barred { regions: [(code.clone(), why.to_owned())].into(), but: None };
    let text = text_as(&identities, refused("its account two may not be named"));
    let view = observers.view(&name, &text, &regions);
    assert_eq!(worlds.opened.load(Ordering::SeqCst), 1, "who may not be named is not opened");
    let eyes = view.eyes(&name, None);
    for region in [&code, &undescribed, &RegionId::new("us-west-2").unwrap()] {
        let denied = eyes.home(Some(region)).await.unwrap_err();
        assert!(matches!(denied, CloudError::Denied { .. }), "{region}: {denied}");
    }
    eyes.home(None).await.unwrap_err();
    // What is said there is said of no account of the environment.
    assert!([Some(&code), Some(&here), None].iter().all(|region| !view.is_usual(*region)));
    let wanted = Selection { regions: regions.clone(), owner: Some(name.clone()), ..Selection::default() };
    let seen = eyes.observe(&wanted).await.unwrap();
    let dark: BTreeSet<&RegionId> = seen.gaps.iter().map(|gap| &gap.region).collect();
    assert_eq!(dark, BTreeSet::from([&code, &undescribed]), "{seen:?}");
    // One in which nobody works hides no other one: it is told of it alone that it is not seen.
    eyes.quotas(&regions).await.unwrap();
    assert!(eyes.quotas(&BTreeSet::from([code.clone()])).await.is_err());
    let (_, notes) = drive::quotas(&eyes, &regions, &Inventory::empty(GENESIS)).await;
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.iter().all(|note| !note.contains(here.as_str())), "{notes:?}");
    let address = |region: &RegionId| {
        Address::new(region.clone(), KindId::CacheGroup, Name::new("arena-ranking").unwrap())
    };
    let glanced = |all: &[&RegionId]| {
        let objects = all.iter().map(|region| address(region)).collect();
        let eyes = eyes.clone();
        async move { eyes.glance(&objects).await.unwrap() }
    };
    let (seen, both) = (glanced(&[&here]).await, glanced(&[&here, &code]).await);
    let (mut as_told, mut gaps) = (seen, SightDigest::default());
    for gap in Gap::of_region(&code, "", true) {
        gaps.add_gap(&gap);
    }
    as_told.merge(gaps);
    assert_eq!(both, as_told);
    assert_eq!(glanced(&[&code]).await, gaps, "and never the same as of objects that are gone");
    let alone = Selection { regions: BTreeSet::from([code.clone()]), ..wanted };
    assert!(matches!(eyes.observe(&alone).await, Err(CloudError::Denied { .. })));
    assert_eq!(observers.sights(&|_| "usual".to_owned()).len(), 1, "and nobody else looks there");
    // One that is left is looked at as the same account as before, or not at all.
    let view = observers.view(&name, &text_as(&identities, Barred::default()), &regions);
    let was = |account: &str| WorkedIn::from([(code.clone(), account.to_owned())]);
    let account = |was: &WorkedIn| {
        let view = view.clone().only_as([&code].into_iter(), was);
        view.account_in(&code).map(str::to_owned)
    };
    assert_eq!(account(&WorkedIn::default()).as_deref(), Some("123456789012"), "nothing is remembered");
    assert_eq!(account(&was("123456789012")).as_deref(), Some("123456789012"));
    assert_eq!((account(&was("210987654321")), account(&was(ENVIRONMENT))), (None, None));
}

#[tokio::test]
async fn what_is_asked_in_a_region_is_asked_as_its_account_and_accounts_are_shared_and_let_go() {
    let world = |seed| SimCloud::in_memory(seed, GENESIS);
    let usual = world(1);
    let clock: Arc<dyn Clock> = Arc::new(usual.clock());
    let worlds = Arc::new(Worlds {
        opened: AtomicUsize::new(0),
        all: [("one", world(2)), ("two", world(3))].into(),
        throttled: BTreeSet::new(),
    });
    let observer = Observer::new(Arc::new(usual.clone()), Arc::clone(&clock), Intervals::default());
    let observers = Observers::one(observer, clock).opening(Arc::clone(&worlds) as _);
    let identities = Identities(vec![identity_of("one", "us-east-1"), identity_of("two", "eu-west-1")]);
    let codes = |all: &[&str]| all.iter().map(|code| RegionId::new(code).unwrap()).collect::<BTreeSet<_>>();
    let regions = codes(&["us-east-1", "eu-west-1", "us-west-2"]);
    let names = ["arena", "lobby"].map(|name| BlueprintName::new(name).unwrap());
    let text = text_as(&identities, Barred::default());
    let eyes = names.each_ref().map(|name| observers.view(name, &text, &regions).eyes(name, None));
    assert_eq!(worlds.opened.load(Ordering::SeqCst), 2, "both blueprints look through the same");
    for (code, cloud) in
        [("us-east-1", &worlds.all["one"]), ("eu-west-1", &worlds.all["two"]), ("us-west-2", &usual)]
    {
        let near = RegionId::new(code).unwrap();
        assert_eq!(eyes[0].home(Some(&near)).await.unwrap(), cloud.home(None).await.unwrap(), "{code}");
    }
    let wanted =
        Selection { regions: regions.clone(), owner: Some(names[0].clone()), ..Selection::default() };
    let seen = eyes[0].observe(&wanted).await.unwrap();
    assert!(seen.gaps.is_empty() && seen.seen.is_empty(), "{seen:?}");
    assert_eq!(
        observers.sights(&|_| "usual".to_owned()).len(),
        3,
        "each region is looked at once, in its account"
    );
    // One that names it no more lets it go; the last one ends it.
    observers.view(&names[0], &text_as(&Identities::default(), Barred::default()), &regions);
    observers.forget(&names[1]);
    observers.view(&names[1], &text, &codes(&["us-east-1"]));
    assert_eq!(worlds.opened.load(Ordering::SeqCst), 3, "it was closed, and is opened anew");
}

#[tokio::test]
async fn an_account_that_asks_for_fewer_calls_hides_no_other_one_from_a_blueprint() {
    let usual = SimCloud::in_memory(1, GENESIS);
    let clock: Arc<dyn Clock> = Arc::new(usual.clock());
    let throttled = BTreeSet::from(["one", "two"]);
    let worlds = Arc::new(Worlds { opened: AtomicUsize::new(0), all: BTreeMap::new(), throttled });
    let observer = Observer::new(Arc::new(usual), Arc::clone(&clock), Intervals::default());
    let observers = Observers::one(observer, clock).opening(worlds as _);
    let identities = Identities(vec![identity_of("one", "us-east-1"), identity_of("two", "eu-west-1")]);
    let name = BlueprintName::new("arena").unwrap();
    let look = async |codes: &[&str]| {
        let regions: BTreeSet<RegionId> = codes.iter().map(|code| RegionId::new(code).unwrap()).collect();
        let eyes =
            observers.view(&name, &text_as(&identities, Barred::default()), &regions).eyes(&name, None);
        eyes.observe(&Selection { regions, owner: Some(name.clone()), ..Selection::default() }).await
    };
    let seen = look(&["us-east-1", "us-west-2"]).await.unwrap();
    let lost = RegionId::new("us-east-1").unwrap();
    assert!(
        !seen.gaps.is_empty() && seen.gaps.iter().all(|gap| gap.region == lost && !gap.lasting),
        "{seen:?}"
    );
    let unseen = look(&["us-east-1", "eu-west-1"]).await;
    assert!(matches!(unseen, Err(CloudError::Throttled { .. })), "{unseen:?}");
}

#[test]
fn an_account_is_looked_at_as_often_and_called_as_much_as_its_object_says() {
    let cluster = Arc::<Cluster>::default();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let percents = Arc::clone(&asked);
    let open = move |_: &Identity, percent: u8| -> Arc<dyn Cloud> {
        percents.lock().unwrap().push(percent);
        Arc::new(SimCloud::in_memory(1, GENESIS))
    };
    let opener = AccountOpener { cluster: Arc::clone(&cluster), open: Box::new(open), is_embedded: true };
    let identity = identity_of("live", "us-east-1");
    let put =
        |spec: &Value| put(&mut cluster.resources(), Watched::Account, &json!({ "name": "live" }), spec);
    put(&json!({ "id": "123456789012" }));
    assert_eq!(opener.open(&identity).intervals, Intervals::default());
    let before = opener.terms(&identity);
    put(&json!({ "id": "123456789012", "sweepInterval": "30s", "budgetShare": "25%" }));
    assert_ne!(opener.terms(&identity), before, "it is opened anew");
    let intervals = opener.open(&identity).intervals;
    assert_eq!((intervals.quiet, intervals.motion_max), (Span::from_secs(30), Span::from_secs(30)));
    assert_eq!(*asked.lock().unwrap(), [100, 25]);
}
