//! Watches: what there is of a kind, and what changes.
//!
//! Goes in: a client, a kind, a namespace or all. Comes out: [`Seen`], as it comes.
//!
//! **Invariant:** whatever breaks a watch (the server, the network, a history that was compacted), it is begun anew after a
//! while that grows, and everything that there is is told again.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, PartialObjectMeta};
use kube::core::Resource;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::item::{Item, Place, Seen, Told, Watched};
use crate::kinds::{API_VERSION, GROUP, VERSION};

/// Resources that are listed at once: of a page, every one is a tree in memory for a moment, ten times as large as what is kept.
const PAGE: u32 = 100;

/// What a kind of ours is called on the wire.
pub fn resource(what: Watched) -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: API_VERSION.to_owned(),
        kind: what.kind().to_owned(),
        plural: what.plural().to_owned(),
    }
}

/// Follows one kind in a namespace, or in all; never ends but when nobody listens any more. Of namespaces and definitions, which
/// are in none, it is the one of that name.
pub async fn follow(
    client: kube::Client,
    what: Watched,
    namespace: Option<String>,
    send: mpsc::Sender<Told>,
) {
    let config = watcher::Config::default().page_size(PAGE);
    match what {
        Watched::Namespace => {
            // What is in it is of no interest, and its metadata says whether it comes to its end.
            let api: Api<PartialObjectMeta<Namespace>> = Api::all(client);
            let config = match &namespace {
                Some(name) => config.fields(&format!("metadata.name={name}")),
                None => config,
            };
            tell(watcher(api, config), what, namespace, &send).await;
        }
        Watched::Definition => {
            let api: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(client);
            // By name alone: so may it be read.
            let name = namespace.clone().unwrap_or_else(|| format!("blueprints.{GROUP}"));
            let config = config.fields(&format!("metadata.name={name}"));
            tell(watcher(api, config), what, namespace, &send).await;
        }
        _ => {
            let resource = resource(what);
            let api: Api<DynamicObject> = match &namespace {
                Some(name) => Api::namespaced_with(client, name, &resource),
                None => Api::all_with(client, &resource),
            };
            tell(watcher(api, config), what, namespace, &send).await;
        }
    }
}

/// Passes on what a watch says, until nobody listens.
async fn tell<K: Resource + Serialize + Clone + std::fmt::Debug + Send + 'static>(
    events: impl futures::Stream<Item = watcher::Result<Event<K>>> + Send,
    what: Watched,
    namespace: Option<String>,
    send: &mpsc::Sender<Told>,
) {
    let mut events = std::pin::pin!(events.default_backoff());
    let mut whole: Vec<Place> = Vec::new();
    while let Some(event) = events.next().await {
        let seen = match event {
            Ok(Event::Init) => {
                whole.clear();
                continue;
            }
            Ok(Event::InitApply(object)) => {
                let Some(item) = item(what, &object) else { continue };
                whole.push(item.place.clone());
                Seen::Is(Box::new(item))
            }
            Ok(Event::InitDone) => Seen::Whole(std::mem::take(&mut whole)),
            Ok(Event::Apply(object)) => match item(what, &object) {
                Some(item) => Seen::Is(Box::new(item)),
                None => continue,
            },
            Ok(Event::Delete(object)) => match item(what, &object) {
                Some(item) => Seen::Gone(item.place),
                None => continue,
            },
            Err(error) => Seen::Broken(crate::in_words(&error)),
        };
        if send.send((what, namespace.clone(), seen)).await.is_err() {
            return;
        }
    }
}

fn item<K: Serialize>(what: Watched, object: &K) -> Option<Item> {
    Item::of(what, serde_json::to_value(object).ok()?)
}
