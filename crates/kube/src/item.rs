//! A resource as it is kept: what the operator needs of it, and no more.
//!
//! Pure: no client is in here.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::kinds::meta::Meta;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// Blueprints.
    Blueprint,
    /// Regions that shipped ones do not tell of.
    Region,
    /// Whose regions are.
    Account,
    /// What is to be done.
    Plan,
    /// Who has agreed to it.
    Approval,
    /// Other sizes for a while.
    Override,
    /// Namespaces: whether they come to their end.
    Namespace,
    /// The definitions of the kinds: whether they are those of this version, and whether somebody removes them.
    Definition,
}

impl Watched {
    /// Whether it is in no namespace: a watch of one of them is by name.
    pub const fn is_of_cluster(self) -> bool {
        matches!(self, Self::Account | Self::Namespace | Self::Definition)
    }
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Blueprint,
        Self::Region,
        Self::Account,
        Self::Plan,
        Self::Approval,
        Self::Override,
        Self::Namespace,
        Self::Definition,
    ];

    /// The kind, as the API server names it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Blueprint => "Blueprint",
            Self::Region => "Region",
            Self::Account => "Account",
            Self::Plan => "Plan",
            Self::Approval => "Approval",
            Self::Override => "Override",
            Self::Namespace => "Namespace",
            Self::Definition => "CustomResourceDefinition",
        }
    }

    /// Many of it, as the API server names them.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Blueprint => "blueprints",
            Self::Region => "regions",
            Self::Account => "accounts",
            Self::Plan => "plans",
            Self::Approval => "approvals",
            Self::Override => "overrides",
            Self::Namespace => "namespaces",
            Self::Definition => "customresourcedefinitions",
        }
    }
}

/// Where a resource is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its namespace; empty where it lies in none.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl Place {
    /// By words.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where.
    pub place: Place,
    /// Identity and marks.
    pub meta: Meta,
    /// What is wanted, as JSON.
    pub spec: Arc<str>,
    /// What was told of it, as JSON; empty where nothing was.
    pub status: Arc<str>,
    /// Which version of it this is, among those of its kind: it grows with each change of any. None where it cannot be compared.
    pub version: Option<u64>,
}

/// A version as the API server writes it: within a kind they are numbers that grow.
pub fn version_of(text: Option<&str>) -> Option<u64> {
    text?.parse().ok()
}

/// What there was of a kind in a namespace, or in all, at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Of what.
    pub what: Watched,
    /// Where.
    pub scope: Option<String>,
    /// Version of the whole: what was made later has a later one.
    pub version: u64,
    /// Each with its version.
    pub items: BTreeMap<Place, u64>,
}

impl Item {
    /// What is wanted, as a tree.
    pub fn spec(&self) -> Value {
        serde_json::from_str(&self.spec).unwrap_or_default()
    }

    /// What was told of it, as a tree.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.status).unwrap_or_default()
    }

    /// What tells it from every other, also from one of its name that was there before.
    pub fn uid(&self) -> &str {
        self.meta.uid.as_deref().unwrap_or_default()
    }

    /// Raised by the API server whenever something else is wanted.
    pub fn generation(&self) -> i64 {
        self.meta.generation.unwrap_or_default()
    }

    /// From what the API server sends; nothing where it has no name. Managed fields, foreign annotations and the like are left
    /// behind.
    pub fn of(what: Watched, mut object: Value) -> Option<Self> {
        let meta = object.get_mut("metadata").map(Value::take)?;
        let mut meta: Meta = serde_json::from_value(meta).ok()?;
        if what != Watched::Namespace {
            meta.labels.clear();
        }
        meta.owner_references.clear();
        // It changes with every status: it is no part of what is wanted.
        let version = version_of(meta.resource_version.take().as_deref());
        let place = Place::new(meta.namespace.as_deref().unwrap_or_default(), &meta.name);
        if what == Watched::Plan
            && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
        {
            // Its steps in words are for people alone.
            spec.remove("first");
        }
        let part = |name: &str| {
            let part = object.get(name).filter(|part| !part.is_null());
            part.map(Value::to_string).unwrap_or_default()
        };
        Some(Self { place, meta, spec: part("spec").into(), status: part("status").into(), version })
    }
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// So it is now.
    Is(Box<Item>),
    /// It is gone.
    Gone(Place),
    /// All that there are, after all of them were told: who is not among them is gone.
    Whole(Vec<Place>),
    /// The watch is broken, and begun anew.
    Broken(String),
}

/// Something that a watch tells, with which one it is: of what, in which namespace or in all.
pub type Told = (Watched, Option<String>, Seen);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_what_is_needed() {
        let object = json!({
            "metadata": {
                "name": "arena", "namespace": "games", "uid": "u-1", "generation": 3, "resourceVersion": "77",
                "creationTimestamp": "2026-11-28T06:00:00Z",
                "finalizers": ["rgctl.dev/snapshot"],
                "labels": { "team": "a" },
                "annotations": { "rgctl.dev/paused": "holiday", "kubectl.kubernetes.io/last-applied-configuration": "long" },
                "managedFields": [{ "manager": "kubectl" }],
            },
            "spec": { "regions": { "primary": "us-east-1" } },
        });
        let item = Item::of(Watched::Blueprint, object.clone()).unwrap();
        assert_eq!(
            (item.place.to_string().as_str(), item.generation(), item.uid()),
            ("games/arena", 3, "u-1")
        );
        assert_eq!((item.meta.paused(), item.meta.annotations.len()), (Some("holiday"), 1));
        assert!(item.meta.is_kept() && item.meta.labels.is_empty());
        assert_eq!((item.version, item.meta.resource_version.as_deref()), (Some(77), None));
        assert_eq!(item.spec(), object["spec"]);
        assert_eq!(&*item.status, "");
        assert_eq!(Item::of(Watched::Namespace, object).unwrap().meta.labels.len(), 1);
        assert_eq!(Item::of(Watched::Blueprint, json!({ "metadata": {} })), None);
    }
}
