//! The JSON Schema and the shapes of the kinds of documents.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::account::Account;
use super::region::Region;
use super::spec::Blueprint;
use rgctl_schema::section::Setting;
use rgctl_schema::shape::Shape;

/// The shape of a kind of document, by its name in any case.
pub fn shape(kind: &str) -> Option<Shape> {
    match kind.to_ascii_lowercase().as_str() {
        "blueprint" | "blueprints" => Some(Blueprint::shape()),
        "region" | "regions" => Some(Region::shape()),
        "account" | "accounts" => Some(Account::shape()),
        _ => None,
    }
}

/// The JSON Schema of a blueprint (draft 2020-12).
pub fn blueprint() -> Value {
    schema("blueprint", "Blueprint", &Blueprint::shape())
}

/// The JSON Schema of a region (draft 2020-12).
pub fn region() -> Value {
    schema("region", "Region", &Region::shape())
}

/// The JSON Schema of an account (draft 2020-12).
pub fn account() -> Value {
    schema("account", "Account", &Account::shape())
}

fn schema(file: &str, title: &str, shape: &Shape) -> Value {
    let mut defs = BTreeMap::new();
    let root = shape.schema(&mut defs);
    let mut out = Map::new();
    out.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    out.insert("$id".into(), json!(format!("https://rgctl.dev/v1alpha1/{file}.schema.json")));
    out.insert("title".into(), json!(title));
    if let Value::Object(parts) = root {
        out.extend(parts);
    }
    out.insert("$defs".into(), json!(defs));
    Value::Object(out)
}
