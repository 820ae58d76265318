//! Accounts: exactly the command line's document, with who may name it, and how much of it is used.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use super::document::{Body, SimpleStatus};
use super::{Names, Spec};
use rgctl_schema::time::Span;

/// Whose regions are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSpec {
    /// The body of the command line's document.
    pub body: Body,
    /// Namespaces whose blueprints may use it; where nothing is said none may.
    pub namespace_selector: Option<Selector>,
    /// Nothing is begun in it.
    pub paused: bool,
    /// How often it is looked at while nothing is under way there.
    pub sweep_interval: Option<Span>,
    /// Percent of the calls that rgctl allows itself in the account that are for this operator.
    pub budget_share: Option<u8>,
}

/// How often an account may be looked at: more often costs calls for nothing, less often is blind.
pub const SWEEPS: (Span, Span) = (Span::from_secs(30), Span::from_hours(1));

impl Spec for AccountSpec {
    const NAMES: Names =
        Names { kind: "Account", plural: "accounts", singular: "account", short: &[], is_namespaced: false };
    type Status = SimpleStatus;
}

/// The fields that are the cluster's and not the document's.
const NAMESPACE_SELECTOR: &str = "namespaceSelector";
const PAUSED: &str = "paused";
const SWEEP_INTERVAL: &str = "sweepInterval";
const BUDGET_SHARE: &str = "budgetShare";

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
            if let Some(interval) = &self.sweep_interval {
                fields.insert(SWEEP_INTERVAL.to_owned(), Value::from(interval.to_string()));
            }
            if let Some(percent) = &self.budget_share {
                fields.insert(BUDGET_SHARE.to_owned(), Value::from(format!("{percent}%")));
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
        let mut word = |name: &str| match fields.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(D::Error::custom(format!("{name}: expected a text"))),
        };
        let sweep_interval =
            word(SWEEP_INTERVAL)?.map(|text| sweep(&text).map_err(D::Error::custom)).transpose()?;
        let budget_share =
            word(BUDGET_SHARE)?.map(|text| share(&text).map_err(D::Error::custom)).transpose()?;
        let body = Body::of(&Value::Object(fields));
        Ok(Self { body, namespace_selector: selector, paused, sweep_interval, budget_share })
    }
}

fn sweep(text: &str) -> Result<Span, String> {
    let (least, most) = SWEEPS;
    let span = Span::parse(text).filter(|span| (least..=most).contains(span));
    span.ok_or_else(|| format!("{SWEEP_INTERVAL}: expected a time from {least} to {most}, such as `10m`"))
}

fn share(text: &str) -> Result<u8, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
    percent
        .filter(|percent| (1..=100).contains(percent))
        .ok_or_else(|| format!("{BUDGET_SHARE}: expected a share from 1% to 100%"))
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
            "sweepInterval": "10m",
            "budgetShare": "50%",
            "role": "arn:aws:iam::123456789012:role/rgctl",
        });
        let read: AccountSpec = serde_json::from_value(spec.clone()).unwrap();
        let body = json!({ "id": "123456789012", "role": "arn:aws:iam::123456789012:role/rgctl" });
        assert_eq!(read.body.value(), body);
        assert!(read.paused);
        assert_eq!((read.sweep_interval, read.budget_share), (Some(Span::from_mins(10)), Some(50)));
        assert_eq!(serde_json::to_value(&read).unwrap(), spec);
        for wrong in [
            json!({ "paused": "yes" }),
            json!({ "namespaceSelector": { "matchlabels": {} } }),
            json!({ "sweepInterval": "1s" }),
            json!({ "sweepInterval": 600 }),
            json!({ "budgetShare": "0%" }),
            json!({ "budgetShare": "0.5" }),
            json!([]),
        ] {
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
