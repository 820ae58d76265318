//! The custom resources: what people, the operator and scalers write into the API server, and what is read of it.
//!
//! Goes in: an object as the API server gives it. Comes out: the object in types, with no more of it than is used; or why it
//! cannot be read, for that one object.
//!
//! **Invariant:** `Blueprint`, `Region` and `Account` hold exactly the command line's documents: they are handed on as a text that
//! the same reader reads, so that both hear the same diagnostics.
//! **Invariant:** a status that cannot be read counts as none, since it is written anew; a spec that cannot be read is an error.

pub mod account;
pub mod approval;
pub mod condition;
pub mod document;
pub mod meta;
pub mod overrides;
pub mod plan;

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;

use meta::Meta;

pub use account::AccountSpec;
pub use approval::{ApprovalSpec, ApprovalStatus};
pub use condition::Condition;
pub use document::{BlueprintSpec, BlueprintStatus, RegionSpec, SimpleStatus};
pub use overrides::{OverrideSpec, OverrideStatus};
pub use plan::{PlanSpec, PlanStatus};

/// Group of the custom resources, and of annotations, labels and finalizers.
pub const GROUP: &str = "rgctl.dev";
/// Their only version.
pub const VERSION: &str = "v1alpha1";
/// Group and version, as documents write it, too.
pub const API_VERSION: &str = "rgctl.dev/v1alpha1";
/// Under this word `kubectl get` lists them all.
pub const CATEGORY: &str = "rgctl";

/// Who the operator is to the API server: it owns status and finalizers, and writes no spec of others.
pub const OPERATOR: &str = "rgctl-operator";
/// Who the command line is to it.
pub const COMMAND_LINE: &str = "rgctl-cli";

/// What is written into annotations, labels and finalizers.
pub mod marks {
    /// Annotation: nothing is begun; its value is the reason.
    pub const PAUSED: &str = "rgctl.dev/paused";
    /// Annotation: plans and drift are published, nothing is carried out, and nothing can be approved; its value is the reason.
    pub const OBSERVE_ONLY: &str = "rgctl.dev/observe-only";
    /// Annotation: where clients connect is published as a ConfigMap beside the blueprint; `false` takes it back, and the map.
    pub const OUTPUTS: &str = "rgctl.dev/outputs";
    /// Annotation: a token; a new one asks for a turn now, and is repeated in `status.lastHandledReconcileAt`.
    pub const RECONCILE_AT: &str = "rgctl.dev/reconcile-at";
    /// Annotation: a person lets a held deletion go on; its value is the uid of the object, so that a copy of it means nothing.
    pub const RELEASE_DELETION: &str = "rgctl.dev/release-deletion";
    /// Annotation of a definition: digest of its schema, by which two of one revision are told apart.
    pub const SCHEMA: &str = "rgctl.dev/schema";
    /// Annotation of a definition: its revision, by which older and newer are told apart.
    pub const REVISION: &str = "rgctl.dev/revision";
    /// Label of what was made for a blueprint: its name.
    pub const BLUEPRINT: &str = "rgctl.dev/blueprint";
    /// Finalizer of blueprints whose deletion takes a last snapshot.
    pub const FINALIZER: &str = "rgctl.dev/snapshot";
}

/// What a kind is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// In documents: `Blueprint`.
    pub kind: &'static str,
    /// In addresses: `blueprints`.
    pub plural: &'static str,
    /// For one: `blueprint`.
    pub singular: &'static str,
    /// What people type.
    pub short: &'static [&'static str],
    /// Whether it is in a namespace; else it is of the whole cluster.
    pub is_namespaced: bool,
}

impl Names {
    /// Name of its definition.
    pub fn definition(&self) -> String {
        format!("{}.{GROUP}", self.plural)
    }
}

/// What an object is wanted to be, with what kind of object it is of.
pub trait Spec: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What the kind is called.
    const NAMES: Names;
    /// What the operator says about it.
    type Status: Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// An object of a kind, with no more of it than is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<S: Spec> {
    /// Name, place and marks.
    pub metadata: Meta,
    /// What is wanted.
    pub spec: S,
    /// What is said about it.
    pub status: Option<S::Status>,
}

/// What a game needs.
pub type Blueprint = Object<BlueprintSpec>;
/// Where stores may be built.
pub type Region = Object<RegionSpec>;
/// Whose regions are.
pub type Account = Object<AccountSpec>;
/// What would be done.
pub type Plan = Object<PlanSpec>;
/// Somebody's consent to a plan.
pub type Approval = Object<ApprovalSpec>;
/// Somebody's number for an axis of a store.
pub type Override = Object<OverrideSpec>;

/// All kinds, in the order in which they are made.
pub const ALL: [Names; 6] = [
    AccountSpec::NAMES,
    RegionSpec::NAMES,
    BlueprintSpec::NAMES,
    PlanSpec::NAMES,
    ApprovalSpec::NAMES,
    OverrideSpec::NAMES,
];

/// An object that cannot be read: it is stalled, and all others are not concerned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{kind} {}: {why}", metadata.key())]
pub struct Unreadable {
    /// Which kind.
    pub kind: &'static str,
    /// Which object.
    pub metadata: Meta,
    /// What is wrong with it.
    pub why: String,
}

impl<S: Spec> Object<S> {
    /// A new object.
    pub fn new(name: impl Into<String>, namespace: Option<&str>, spec: S) -> Self {
        let metadata = Meta { name: name.into(), namespace: namespace.map(str::to_owned), ..Meta::default() };
        Self { metadata, spec, status: None }
    }

    /// Reads an object as the API server gives it.
    pub fn read(mut object: Value) -> Result<Self, Box<Unreadable>> {
        let mut take = |field: &str| object.get_mut(field).map(Value::take).unwrap_or_default();
        let (metadata, spec, status) = (take("metadata"), take("spec"), take("status"));
        let unreadable =
            |metadata: Meta, why: String| Box::new(Unreadable { kind: S::NAMES.kind, metadata, why });
        let metadata: Meta = serde_json::from_value(metadata)
            .map_err(|error| unreadable(Meta::default(), format!("metadata: {error}")))?;
        // Nothing here shows a value: a spec that is not understood may hold what should not be in a log.
        let spec = serde_json::from_value(spec)
            .map_err(|error| unreadable(metadata.clone(), format!("spec: {error}")))?;
        let status = serde_json::from_value(status).ok();
        Ok(Self { metadata, spec, status })
    }

    /// Namespace and name, or the name alone where it is of the whole cluster.
    pub fn key(&self) -> String {
        self.metadata.key()
    }
}

impl<S: Spec> Serialize for Object<S> {
    fn serialize<T: Serializer>(&self, to: T) -> Result<T::Ok, T::Error> {
        let mut object = to.serialize_struct("Object", 5)?;
        object.serialize_field("apiVersion", API_VERSION)?;
        object.serialize_field("kind", S::NAMES.kind)?;
        object.serialize_field("metadata", &self.metadata)?;
        object.serialize_field("spec", &self.spec)?;
        match &self.status {
            Some(status) => object.serialize_field("status", status)?,
            None => object.skip_field("status")?,
        }
        object.end()
    }
}

#[cfg(feature = "kube")]
mod client {
    use super::{GROUP, Names, Object, Spec, Unreadable, VERSION};
    use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
    use serde_json::{Value, json};

    impl Names {
        /// How a client addresses it.
        pub fn resource(&self) -> ApiResource {
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, self.kind), self.plural)
        }
    }

    impl<S: Spec> Object<S> {
        /// Reads an object that a client was given.
        pub fn of(object: DynamicObject) -> Result<Self, Box<Unreadable>> {
            let DynamicObject { mut metadata, mut data, .. } = object;
            // A fifth of every object, and nothing that is used here.
            metadata.managed_fields = None;
            let mut take = |field: &str| data.get_mut(field).map(Value::take).unwrap_or_default();
            let (spec, status) = (take("spec"), take("status"));
            let metadata = serde_json::to_value(metadata).unwrap_or_default();
            Self::read(json!({ "metadata": metadata, "spec": spec, "status": status }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::document::told;
    use super::*;
    use rgctl_blueprint::document::ParsedDocuments;
    use serde_json::json;

    fn arena() -> Value {
        json!({
            "apiVersion": API_VERSION,
            "kind": "Blueprint",
            "metadata": {
                "name": "arena",
                "namespace": "games",
                "uid": "u-1",
                "generation": 3,
                "creationTimestamp": "2026-11-28T06:00:00Z",
                "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}", marks::PAUSED: "moving" },
                "managedFields": [{ "manager": "kubectl" }],
            },
            "spec": {
                "demand": { "players": { "peakConcurrent": "2k" }, "requestsPerPlayerPerMinute": 12 },
                "regions": { "primary": "us-east-1" },
                "stores": [{ "name": "players", "engine": "aurora-postgresql", "readres": 2 }],
            },
            "status": { "observedGeneration": 2 },
        })
    }

    #[test]
    fn an_object_is_read_without_what_is_not_used_and_written_as_it_is_read() {
        let read = Blueprint::read(arena()).unwrap();
        assert_eq!(read.key(), "games/arena");
        assert_eq!(read.metadata.paused(), Some("moving"));
        assert_eq!(read.metadata.annotations.len(), 1);
        assert_eq!(read.status.as_ref().unwrap().observed_generation, Some(2));
        let again = serde_json::to_value(&read).unwrap();
        assert_eq!(again["spec"], arena()["spec"]);
        assert_eq!(again["metadata"]["creationTimestamp"], "2026-11-28T06:00:00Z");
        assert_eq!(Blueprint::read(again).unwrap(), read);
    }

    #[test]
    fn a_blueprint_in_a_cluster_hears_the_diagnostics_of_the_command_line_by_path() {
        let source = Blueprint::read(arena()).unwrap().source();
        assert_eq!(source.name, "blueprint games/arena");
        let reading = ParsedDocuments::with_built_in_regions(&[source]);
        assert_eq!(reading.blueprints[0].blueprint.name().as_str(), "arena");
        let told = told(&reading.diagnostics);
        assert!(told.contains("did you mean `readers`?"), "{told}");
        assert!(
            told.starts_with("spec.stores[0]: error[RG0102]: there is no field `readres` here"),
            "{told}"
        );
    }

    #[test]
    fn a_change_of_labels_and_marks_changes_nothing_that_is_wanted() {
        let mut marked = arena();
        marked["metadata"]["labels"] = json!({ "team": "a" });
        marked["metadata"]["annotations"] = json!({});
        let text = |object| Blueprint::read(object).unwrap().source().text;
        assert_eq!(text(marked), text(arena()));
    }

    #[test]
    fn one_object_that_cannot_be_read_says_why_and_which_it_is() {
        let wrong = json!({ "metadata": { "name": "up", "namespace": "games" },
            "spec": { "blueprint": "arena", "store": "players", "region": "us-east-1", "axis": "readers", "target": 3, "why": "x", "untill": "2026" } });
        let told = Override::read(wrong).unwrap_err().to_string();
        assert!(told.starts_with("Override games/up: spec: unknown field `untill`"), "{told}");
        let told = Region::read(json!({ "metadata": { "name": "r" } })).unwrap_err().to_string();
        assert_eq!(told, "Region r: spec: a section with fields is missing");
        let status = json!({ "metadata": { "name": "r" }, "spec": {}, "status": { "conditions": 7 } });
        assert_eq!(Region::read(status).unwrap().status, None);
    }

    #[test]
    fn an_override_is_a_decision_of_a_number() {
        let spec = |axis: &str, more: Value| {
            let mut spec = json!({ "blueprint": "arena", "store": "players", "region": "us-east-1", "axis": axis, "target": 3, "why": "x" });
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<OverrideSpec>(spec).unwrap()
        };
        let set = rgctl_schema::time::Moment::from_secs(9);
        let until = json!({ "until": "2026-12-04T10:00:00Z", "then": "return" });
        let overlay = spec("capacity-units", until).overlay("games/up".to_owned(), set).unwrap();
        assert_eq!(overlay.key.to_string(), "capacity-units of `players` in us-east-1 (person)");
        assert!(overlay.then_return && !overlay.exactly && overlay.until.is_some());
        for (wrong, why) in
            [(spec("class", json!({})), "no number"), (spec("nodes", json!({ "then": "hold" })), "`until`")]
        {
            let told = wrong.overlay(String::new(), set).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn a_mark_that_is_taken_back_is_none() {
        let meta = |value: &str| Meta {
            annotations: [(marks::PAUSED.to_owned(), value.to_owned())].into(),
            ..Meta::default()
        };
        assert_eq!(meta("false").paused(), None);
        assert_eq!(meta("").paused(), Some("no reason given"));
    }
}
