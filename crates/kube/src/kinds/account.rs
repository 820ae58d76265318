//! Accounts: exactly the command line's document, and from which namespaces it may be used.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use super::document::{Body, SimpleStatus};
use super::{Names, Spec};

/// Whose regions are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSpec {
    /// The body of the command line's document.
    pub body: Body,
    /// Namespaces whose blueprints may use it; where nothing is said none may.
    pub namespace_selector: Option<Selector>,
    /// Nothing is begun in it.
    pub paused: bool,
}

impl Spec for AccountSpec {
    const NAMES: Names =
        Names { kind: "Account", plural: "accounts", singular: "account", short: &[], is_namespaced: false };
    type Status = SimpleStatus;
}

/// The fields that are the cluster's and not the document's.
const NAMESPACE_SELECTOR: &str = "namespaceSelector";
const PAUSED: &str = "paused";

impl Serialize for AccountSpec {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut value = self.body.value();
        if let Some(fields) = value.as_object_mut() {
            if let Some(selector) = &self.namespace_selector {
                let selector = serde_json::to_value(selector).unwrap_or_default();
                fields.insert(NAMESPACE_SELECTOR.to_owned(), selector);
            }
            if self.paused {
                fields.insert(PAUSED.to_owned(), Value::Bool(true));
            }
        }
        value.serialize(to)
    }
}

impl<'de> Deserialize<'de> for AccountSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Value::Object(mut fields) = Value::deserialize(from)? else {
            return Err(D::Error::custom("a section with fields is missing"));
        };
        let selector = fields.shift_remove(NAMESPACE_SELECTOR).unwrap_or_default();
        let selector = serde_json::from_value(selector)
            .map_err(|error| D::Error::custom(format!("{NAMESPACE_SELECTOR}: {error}")))?;
        let paused = match fields.shift_remove(PAUSED) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(paused)) => paused,
            Some(_) => return Err(D::Error::custom(format!("{PAUSED}: expected true or false"))),
        };
        Ok(Self { body: Body::of(&Value::Object(fields)), namespace_selector: selector, paused })
    }
}

/// Which objects are meant, by their labels: all requirements hold. Without any, all are.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    /// Labels with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

/// A requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// What about it.
    pub operator: Relation,
    /// The values that are meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Relation {
    /// Its value is one of these.
    In,
    /// It has no value, or another one.
    NotIn,
    /// It has a value.
    Exists,
    /// It has none.
    DoesNotExist,
}

impl Selector {
    /// Whether these labels are meant.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let has =
            |key: &String, values: &[String]| labels.get(key).is_some_and(|value| values.contains(value));
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|Requirement { key, operator, values }| match operator {
                Relation::In => has(key, values),
                Relation::NotIn => !has(key, values),
                Relation::Exists => labels.contains_key(key),
                Relation::DoesNotExist => !labels.contains_key(key),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_fields_of_the_cluster_are_apart_from_the_document() {
        let spec = json!({
            "id": "123456789012",
            "namespaceSelector": { "matchLabels": { "studio": "a" } },
            "paused": true,
            "role": "arn:aws:iam::123456789012:role/rgctl",
        });
        let read: AccountSpec = serde_json::from_value(spec.clone()).unwrap();
        let body = json!({ "id": "123456789012", "role": "arn:aws:iam::123456789012:role/rgctl" });
        assert_eq!(read.body.value(), body);
        assert!(read.paused);
        assert_eq!(serde_json::to_value(&read).unwrap(), spec);
        for wrong in
            [json!({ "paused": "yes" }), json!({ "namespaceSelector": { "matchlabels": {} } }), json!([])]
        {
            serde_json::from_value::<AccountSpec>(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_selector_means_the_labels_that_keep_all_its_requirements() {
        let selector: Selector = serde_json::from_value(json!({
            "matchLabels": { "studio": "a" },
            "matchExpressions": [
                { "key": "stage", "operator": "In", "values": ["live", "test"] },
                { "key": "legacy", "operator": "DoesNotExist" },
                { "key": "team", "operator": "NotIn", "values": ["b"] },
                { "key": "game", "operator": "Exists" },
            ],
        }))
        .unwrap();
        let labels =
            |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let good = [("studio", "a"), ("stage", "live"), ("game", "x")];
        assert!(selector.selects(&labels(&good)));
        for wrong in [("studio", "b"), ("stage", "dev"), ("legacy", ""), ("team", "b")] {
            let mut all = good.to_vec();
            all.retain(|(key, _)| *key != wrong.0);
            all.push(wrong);
            assert!(!selector.selects(&labels(&all)), "{wrong:?}");
        }
        assert!(!selector.selects(&labels(&good[..2])));
        assert!(Selector::default().selects(&labels(&[])));
    }
}
