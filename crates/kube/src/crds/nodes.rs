//! Nodes of schemas that are written by hand: specs and statuses that are no documents of the command line's.

use serde_json::{Map, Value, json};

use super::structural::{choice_of, set};

/// A text with a bound.
pub fn text(doc: &str, most: u64) -> Value {
    json!({ "description": doc, "type": "string", "maxLength": most })
}

/// A text of a form.
pub fn form(doc: &str, pattern: &str, most: u64) -> Value {
    json!({ "description": doc, "type": "string", "pattern": pattern, "minLength": 1, "maxLength": most })
}

/// A point in time.
pub fn moment(doc: &str) -> Value {
    form(doc, "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}", 64)
}

/// A whole number.
pub fn number(doc: &str, least: u64, most: u64) -> Value {
    json!({ "description": doc, "type": "integer", "format": "int32", "minimum": least, "maximum": most })
}

/// A number that the API server counts.
pub fn generation(doc: &str) -> Value {
    json!({ "description": doc, "type": "integer", "format": "int64" })
}

/// Yes or no.
pub fn flag(doc: &str) -> Value {
    json!({ "description": doc, "type": "boolean" })
}

/// One of some words.
pub fn word(doc: &str, words: &[&str]) -> Value {
    let mut node = choice_of(words);
    set(&mut node, "description", json!(doc));
    node
}

/// A list.
pub fn list(doc: &str, most: u64, item: &Value) -> Value {
    json!({ "description": doc, "type": "array", "maxItems": most, "items": item })
}

/// Names to texts.
pub fn texts(doc: &str, most: u64, length: u64) -> Value {
    let text = json!({ "type": "string", "maxLength": length });
    json!({ "description": doc, "type": "object", "maxProperties": most, "additionalProperties": text })
}

/// A section with these fields and no others: others are dropped by the API server. Only the operator writes such.
pub fn closed(doc: &str, fields: &[(&str, Value)], required: &[&str]) -> Value {
    let fields: Map<String, Value> =
        fields.iter().map(|(name, node)| ((*name).to_owned(), node.clone())).collect();
    let mut node = json!({ "description": doc, "type": "object" });
    if !required.is_empty() {
        set(&mut node, "required", json!(required));
    }
    set(&mut node, "properties", Value::Object(fields));
    node
}

/// The same, that people write: an unknown field is kept, so that the operator can refuse it.
pub fn open(doc: &str, fields: &[(&str, Value)], required: &[&str]) -> Value {
    let mut node = closed(doc, fields, required);
    set(&mut node, "x-kubernetes-preserve-unknown-fields", json!(true));
    node
}

/// With rules, each with what is said when it is broken.
pub fn ruled(mut node: Value, rules: &[(&str, &str)]) -> Value {
    let rules: Vec<Value> =
        rules.iter().map(|(rule, message)| json!({ "rule": rule, "message": message })).collect();
    set(&mut node, "x-kubernetes-validations", json!(rules));
    node
}

/// Conditions, each type once.
pub fn conditions() -> Value {
    let condition = closed(
        "One condition.",
        &[
            ("type", text("What it is about.", 64)),
            ("status", word("Whether that holds.", &["True", "False", "Unknown"])),
            ("observedGeneration", generation("The generation that was judged.")),
            ("lastTransitionTime", moment("When the status changed last.")),
            ("reason", text("Why, in one word.", 128)),
            ("message", text("Why, for people.", 8192)),
        ],
        &["type", "status", "lastTransitionTime", "reason"],
    );
    let mut all = list("What holds, in words that tools know.", 16, &condition);
    set(&mut all, "x-kubernetes-list-type", json!("map"));
    set(&mut all, "x-kubernetes-list-map-keys", json!(["type"]));
    all
}

/// What something costs.
pub fn cost(doc: &str) -> Value {
    let sum = |doc| text(doc, 256);
    closed(doc, &[("perHour", sum("An hour.")), ("perMonth", sum("A month."))], &[])
}
