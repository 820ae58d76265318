//! From the lines of `bodies.rs` to answers: lists, pages, and what each field in them means to us.

use std::collections::BTreeMap;

use rgctl_model::kinds::KindId;
use serde_json::{Value, json};

use super::bodies::{ALONE, LISTS, MODELS, PARAMETERS};
use super::replay::{Answer, xml};

/// The two examples of a field: how they stand on the wire, and what they are to us where that is something else.
pub struct Reads {
    pub field: &'static str,
    pub wire: [&'static str; 2],
    /// As JSON.
    pub means: Option<[&'static str; 2]>,
}

/// What a list tells of an object.
pub struct Part {
    pub operation: &'static str,
    /// Element of an item; empty where the lines are JSON.
    pub element: &'static str,
    /// A path of elements and what it holds, with places for the name, the status and the fields. An element that
    /// would hold nothing is left out.
    pub lines: &'static str,
}

/// An object as one or more lists tell it.
pub struct Model {
    pub kind: KindId,
    pub name: &'static str,
    pub parts: &'static [Part],
    pub fields: &'static [&'static [Reads]],
}

impl Model {
    fn reads(&self) -> impl Iterator<Item = &'static Reads> {
        self.fields.iter().flat_map(|group| group.iter())
    }

    /// What a list tells of it; nothing when the list is about something else.
    pub fn item(&self, list: &str, name: &str, example: usize, status: &str) -> Option<String> {
        let part = self.parts.iter().find(|part| part.operation == list)?;
        let filled = part.lines.replace("{name}", name).replace("{status}", status);
        let filled = self
            .reads()
            .fold(filled, |text, reads| text.replace(&format!("{{{}}}", reads.field), reads.wire[example]));
        if part.element.is_empty() {
            return Some(filled);
        }
        let inner: String = filled.lines().filter_map(|line| nested(line.trim())).collect();
        Some(format!("<{0}>{inner}</{0}>", part.element))
    }

    /// A field's value in an example, when the answers tell it.
    pub fn meant(&self, field: &str, type_name: &str, example: usize) -> Option<Value> {
        let reads = self.reads().find(|reads| reads.field == field)?;
        let (text, is_json) = match reads.means {
            Some(means) => (means[example], true),
            None => (reads.wire[example], matches!(type_name, "bool" | "u16" | "u32" | "u64")),
        };
        Some(if is_json { serde_json::from_str(text).unwrap() } else { Value::from(text) })
    }
}

/// `A/B text` as `<A><B>text</B></A>`.
fn nested(line: &str) -> Option<String> {
    let (path, text) = line.split_once(' ')?;
    Some(path.rsplit('/').fold(text.to_owned(), |inner, element| format!("<{element}>{inner}</{element}>")))
}

/// A list: service, operation, what holds the items.
pub struct List {
    pub service: &'static str,
    pub operation: &'static str,
    pub holder: &'static str,
}

/// A list by its operation.
pub fn list_named(operation: &str) -> Option<&'static List> {
    LISTS.iter().chain(PARAMETERS).chain(ALONE).find(|list| list.operation == operation)
}

impl List {
    /// The items of all models that the list tells of.
    pub fn items(&self, example: usize, status_of: &dyn Fn(&Model) -> String) -> Vec<String> {
        let told = |model: &Model| model.item(self.operation, model.name, example, &status_of(model));
        MODELS.iter().filter_map(told).collect()
    }

    /// Whether the service speaks JSON.
    pub fn is_json(&self) -> bool {
        ["redshift-serverless", "secretsmanager"].contains(&self.service)
    }

    /// A page of the list, with the mark of the next one.
    pub fn page(&self, items: &[String], next: Option<&str>) -> Answer {
        if self.is_json() {
            let items: Vec<Value> = items.iter().map(|item| serde_json::from_str(item).unwrap()).collect();
            let mut body = BTreeMap::from([(self.holder, Value::from(items))]);
            let mark = match self.operation {
                "ListSecrets" => Some("NextToken"),
                "DescribeSecret" => None,
                _ => Some("nextToken"),
            };
            body.extend(mark.zip(next).map(|(mark, next)| (mark, Value::from(next))));
            return (200, "application/x-amz-json-1.1", json!(body).to_string());
        }
        let mark = if self.operation == "DescribeServerlessCaches"
            || self.operation == "DescribeServerlessCacheSnapshots"
        {
            "NextToken"
        } else {
            "Marker"
        };
        let next = next.map(|next| format!("<{mark}>{next}</{mark}>")).unwrap_or_default();
        xml(self.operation, &format!("<{0}>{1}</{0}>{next}", self.holder, items.concat()))
    }
}
