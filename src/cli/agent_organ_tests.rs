//! Turns of an agent whose run is open, and of which something fails meanwhile.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::adapters::Adapters;
use super::agent_accounts::Accounts;
use super::agent_organ::{Means, Turns};
use super::agent_texts::{Language, Shared};
use super::identities::Identities;
use super::signals::StopRequest;
use crate::agent::files::{Examine, InForce};
use crate::agent::folder::Texts;
use crate::agent::observer::{Intervals, Observer};
use crate::agent::work::{Asked, Condition, Key, Organ};
use crate::cli::observers::Observers;
use rgctl_catalog::Catalog;
use rgctl_machine::SystemClock;
use rgctl_model::journal::{Event, Outcome};
use rgctl_model::ports::{Cloud, CloudError, Store};
use rgctl_model::scope::{Home, Scope};
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_sim::{GENESIS, SimCloud};
use rgctl_store::journal::SqliteStore;
use rgctl_testkit::tampered::{Tampered, Tampers};

const TEXT: &str = include_str!("../../blueprints/light-game.yaml");

/// The embedded cloud, which may not say whose account it is.
struct Mute {
    cloud: SimCloud,
    is_mute: Arc<AtomicBool>,
}

impl Tampers for Mute {
    fn cloud(&self) -> &dyn Cloud {
        &self.cloud
    }
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        if self.is_mute.load(Ordering::Relaxed) {
            let why = "it does not say whose account it is".to_owned();
            return async { Err(CloudError::Unreachable { why }) }.boxed();
        }
        self.cloud.home(near)
    }
}

/// An agent with one blueprint, whose store is looked at from outside.
struct Scene {
    turns: Turns,
    texts: Texts<Shared>,
    is_mute: Arc<AtomicBool>,
    store: SqliteStore,
    scope: Scope,
    _folder: tempfile::TempDir,
}

const KEY: &str = "light-game";

async fn scene() -> Scene {
    let cloud = SimCloud::in_memory(3, GENESIS);
    let (clock, is_mute) = (Arc::new(cloud.clock()), Arc::<AtomicBool>::default());
    let scope = Scope::new(cloud.home(None).await.unwrap(), BlueprintName::new(KEY).unwrap());
    let cloud: Arc<dyn Cloud> = Arc::new(Tampered(Mute { cloud, is_mute: Arc::clone(&is_mute) }));
    let folder = tempfile::tempdir().unwrap();
    let (store, own) = (SqliteStore::open(folder.path()).unwrap(), SqliteStore::open(folder.path()).unwrap());
    let observer = Observer::new(Arc::clone(&cloud), Arc::clone(&clock) as _, Intervals::default());
    let observers = Observers::one(observer, Arc::clone(&clock) as _);
    let adapters = Adapters {
        cloud,
        clock,
        sim: None,
        #[cfg(feature = "aws")]
        aws: None,
        wall: SystemClock,
        store: Box::new(own),
    };
    let language = Language::new(Arc::new(Catalog::embedded().unwrap()), None, GENESIS).unwrap();
    let path = Path::new("light-game.yaml");
    let shared = language.share(&[]).unwrap();
    let examined = language.examine(&shared, path, TEXT);
    assert_eq!(examined.wrong, None);
    let place = Arc::new(examined.blueprints[KEY].clone());
    let text = InForce {
        path: path.into(),
        text: TEXT.into(),
        digest: "1".into(),
        shared: Arc::new(shared),
        place,
        barred: Arc::default(),
    };
    let texts: Texts<Shared> = Arc::new(Mutex::new([(Key::from(KEY), text)].into()));
    let accounts = Arc::new(Accounts::new(Identities::default(), "sim"));
    let stop = StopRequest::default();
    let means = Means { adapters, observers, texts: Arc::clone(&texts), language, accounts, stop };
    Scene { turns: Turns::acting(means, None), texts, is_mute, store, scope, _folder: folder }
}

impl Scene {
    async fn turn(&self, stopping: bool) -> (Condition, bool) {
        self.turns.prepare(&Key::from(KEY));
        let asked = Asked { stopping, by_news: true, ..Asked::default() };
        let done = self.turns.turn(Key::from(KEY), asked).await;
        (done.condition, done.is_open)
    }

    async fn is_leased(&self) -> bool {
        self.store.lease(&self.scope).await.unwrap().is_some_and(|lease| !lease.is_given_back())
    }

    async fn last(&self) -> Event {
        self.store.entries(&self.scope, 0).await.unwrap().pop().unwrap().what
    }
}

#[tokio::test]
async fn a_turn_that_fails_while_a_run_is_open_is_told_as_open_and_its_lease_is_given_back_at_a_stop() {
    let scene = scene().await;
    assert_eq!(scene.turn(false).await, (Condition::Progressing, true));
    scene.is_mute.store(true, Ordering::Relaxed);
    assert_eq!(scene.turn(false).await, (Condition::Failed, true), "the next turn goes on with it");
    assert!(scene.is_leased().await);
    assert_eq!(scene.turn(true).await, (Condition::Failed, false));
    assert!(!scene.is_leased().await);
}

#[tokio::test]
async fn a_run_is_closed_by_the_text_that_it_was_made_for_when_its_file_is_gone() {
    let scene = scene().await;
    assert_eq!(scene.turn(false).await, (Condition::Progressing, true));
    scene.texts.lock().unwrap().clear();
    for _ in 0..100 {
        if !scene.turn(true).await.1 {
            break;
        }
    }
    assert!(!scene.is_leased().await);
    let last = scene.last().await;
    assert!(matches!(last, Event::Closed { outcome: Outcome::Stopped, .. }), "{last:?}");
    assert_eq!(scene.turn(false).await, (Condition::Ready, false), "nothing is left of it");
}

#[tokio::test]
async fn of_a_run_that_is_over_nothing_is_kept_that_the_record_has() {
    let scene = scene().await;
    assert_eq!(scene.turn(false).await, (Condition::Progressing, true));
    let slot = scene.turns.slot(&Key::from(KEY));
    assert!(!slot.lock().await.sizes.is_empty(), "what its stores are made as is used from turn to turn");
    while scene.turn(true).await.1 {}
    let slot = slot.lock().await;
    assert!(slot.sizes.is_empty() && slot.session.ledger().is_none());
}
