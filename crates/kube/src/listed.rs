//! What there is of a kind at a moment: read from the API server itself, and not from what a watch has told by now.
//!
//! Goes in: a client, a kind, a namespace or all. Comes out: each resource with its version, and that of the whole.
//!
//! **Invariant:** it is as new as anything that was told before it was asked for, or it is an error.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::Resource;
use serde::de::DeserializeOwned;

use crate::item::{Listed, Place, Watched, version_of};
use crate::watch::resource;

/// Resources of a page: of each nothing but its metadata is sent.
const PAGE: u32 = 500;
/// As many as are kept of a kind, 20,000: what nobody keeps is waited for in vain, and that is said at once.
const PAGES_MAX: usize = 40;

/// Lists a kind in a namespace, or in all; of namespaces, which are in none, the one of that name.
pub async fn list(client: kube::Client, what: Watched, scope: Option<&str>) -> Result<Listed, String> {
    if what == Watched::Namespace {
        let api: Api<Namespace> = Api::all(client);
        return pages(&api, what, scope, scope.map(|name| format!("metadata.name={name}"))).await;
    }
    let resource = resource(what);
    let api: Api<DynamicObject> = match scope {
        Some(name) => Api::namespaced_with(client, name, &resource),
        None => Api::all_with(client, &resource),
    };
    pages(&api, what, scope, None).await
}

async fn pages<K>(
    api: &Api<K>,
    what: Watched,
    scope: Option<&str>,
    fields: Option<String>,
) -> Result<Listed, String>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    // Neither a version nor a way to match one: what is asked for is what is so now.
    let mut params = ListParams { field_selector: fields, ..ListParams::default() }.limit(PAGE);
    let mut items = BTreeMap::new();
    for _ in 0..PAGES_MAX {
        let page = api.list_metadata(&params).await.map_err(|error| crate::client::words(&error))?;
        for found in page.items {
            let meta = &found.metadata;
            let (Some(name), Some(version)) = (&meta.name, version_of(meta.resource_version.as_deref()))
            else {
                return Err(format!("the versions of {} cannot be compared", what.plural()));
            };
            items.insert(Place::new(meta.namespace.as_deref().unwrap_or_default(), name), version);
        }
        let Some(next) = page.metadata.continue_.filter(|next| !next.is_empty()) else {
            let version = version_of(page.metadata.resource_version.as_deref());
            let version = version.ok_or_else(|| format!("the list of {} has no version", what.plural()))?;
            return Ok(Listed { what, scope: scope.map(str::to_owned), version, items });
        };
        params.continue_token = Some(next);
    }
    Err(format!("there are too many {}", what.plural()))
}
