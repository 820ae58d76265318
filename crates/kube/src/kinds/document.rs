//! The kinds that hold the command line's documents, and how they are handed on to its reader.

use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::{Value, json};

use super::condition::Condition;
use super::{API_VERSION, AccountSpec, Names, Object, Spec};
use rgctl_schema::diagnostic::{Diagnostics, Severity, Source};

/// The body of a document as JSON text: of ten thousand blueprints the texts are kept, and not a tree of each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Body(Arc<str>);

impl Body {
    /// A value as a body.
    pub fn of(value: &Value) -> Self {
        Self(value.to_string().into())
    }
    /// Its text.
    pub fn text(&self) -> &str {
        &self.0
    }
    /// Its value.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            value @ Value::Object(_) => Ok(Self::of(&value)),
            _ => Err(D::Error::custom("a section with fields is missing")),
        }
    }
}

/// A kind that is a document of the command line's, too.
pub trait Documented: Spec {
    /// The document's body.
    fn body(&self) -> &Body;
}

impl<S: Documented> Object<S> {
    /// The object as the command line's document. Labels and annotations stay out: a change of them changes nothing that is wanted.
    pub fn source(&self) -> Source {
        let head = json!({ "apiVersion": API_VERSION, "kind": S::NAMES.kind, "metadata": { "name": self.metadata.name } });
        let head = head.to_string();
        let open = head.strip_suffix('}').unwrap_or(&head);
        let text = format!("{open},\"spec\":{}}}", self.spec.body().text());
        Source::new(format!("{} {}", S::NAMES.singular, self.key()), text)
    }
}

/// How many problems a message tells: the first ones tell most.
const PROBLEMS_TOLD_MAX: usize = 5;

/// The problems of a document in a few lines, by path: an object of the API server has no lines. Errors come first.
pub fn told(found: &Diagnostics) -> String {
    let of = |severity| found.iter().filter(move |problem| problem.severity == severity);
    let all = || of(Severity::Error).chain(of(Severity::Warning));
    let mut lines: Vec<String> = Vec::new();
    for problem in all().take(PROBLEMS_TOLD_MAX) {
        let path = if problem.path.is_empty() { "(document)" } else { &problem.path };
        let help = problem.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        lines.push(format!("{path}: {}[{}]: {}{help}", problem.severity, problem.code, problem.message));
    }
    let more = all().count().saturating_sub(PROBLEMS_TOLD_MAX);
    if more > 0 {
        lines.push(format!("and {more} more; `rgctl validate` tells all"));
    }
    lines.join("\n")
}

macro_rules! body_alone {
    ($($Spec:ident)+) => {$(
        impl Serialize for $Spec {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(to)
            }
        }
        impl<'de> Deserialize<'de> for $Spec {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Body::deserialize(from).map(Self)
            }
        }
        impl Documented for $Spec {
            fn body(&self) -> &Body {
                &self.0
            }
        }
    )+};
}
body_alone!(BlueprintSpec RegionSpec);

impl Documented for AccountSpec {
    fn body(&self) -> &Body {
        &self.body
    }
}

/// What a game needs: exactly the body of the command line's document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlueprintSpec(pub Body);

impl Spec for BlueprintSpec {
    const NAMES: Names = Names {
        kind: "Blueprint",
        plural: "blueprints",
        singular: "blueprint",
        short: &["bp"],
        is_namespaced: true,
    };
    type Status = BlueprintStatus;
}

/// Where stores may be built: exactly the body of the command line's document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionSpec(pub Body);

impl Spec for RegionSpec {
    const NAMES: Names =
        Names { kind: "Region", plural: "regions", singular: "region", short: &[], is_namespaced: true };
    type Status = SimpleStatus;
}

/// What is said about an object of which nothing but its conditions is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SimpleStatus {
    /// The generation that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// What is said about a blueprint. Nothing in it moves by itself: what does is a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlueprintStatus {
    /// The generation that was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The token of the last wish for a turn that was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// What holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Name of the plan that waits, or is carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The run that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Account in which it is at home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Objects that differ from what is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<u32>,
    /// What it costs as it is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Its regions, the primary ones first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Its stores, as they were when nothing was under way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<StoreStatus>,
    /// Name of the ConfigMap that says where clients connect, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<String>,
}

/// What something costs, each as `12.40 USD`, currencies side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cost {
    /// An hour.
    pub per_hour: String,
    /// A month.
    pub per_month: String,
}

/// What is said about a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoreStatus {
    /// Its name.
    pub name: String,
    /// The region in which this part of it is.
    pub region: String,
    /// Where clients connect first: to the configuration where there are shards, else to who writes, else to who reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}
