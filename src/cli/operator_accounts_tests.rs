//! Who may name an account, as whom a region is worked in, and how much of an account is used.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use rgctl_catalog::Catalog;
use rgctl_kube::item::{Place, Seen};
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Permit, Receipt};
use rgctl_model::scope::Home;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_schema::diagnostic::{Diagnostics, Source};
use rgctl_schema::names::{BlueprintName, Token};
use rgctl_schema::node::Tree;
use rgctl_sim::{GENESIS, SimCloud};
use serde_json::{Value, json};

use super::*;
use crate::agent::observer::Observer;
use crate::cli::agent_texts::{Language, Shared};
use crate::cli::identities::Identities;
use crate::cli::observers::Observers;
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
    let mut spec = spec_of(include_str!("../../regions/us-east-1.yaml"));
    if let Some(account) = account {
        spec["account"] = json!(account);
    }
    put(resources, Watched::Region, &json!({ "name": "us-east-1", "namespace": "rgctl-system" }), &spec);
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
        let item = self.resources.item(Watched::Blueprint, &Place::new("games", "light-game")).unwrap();
        self.sources.forget("light-game");
        let (_, text) = self.sources.read(&[item], &self.resources).pop().unwrap();
        match text {
            Text::Good(text) => Ok(Shared::identities(&text.shared).clone()),
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
    // A label that goes takes the right with it.
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
    let eyes = names.each_ref().map(|name| observers.view(name, &identities, &regions).eyes(name, None));
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
    observers.view(&names[0], &Identities::default(), &regions);
    observers.forget(&names[1]);
    observers.view(&names[1], &identities, &codes(&["us-east-1"]));
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
        let eyes = observers.view(&name, &identities, &regions).eyes(&name, None);
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
