//! From the shapes of documents to structural schemas, which the API server checks objects by.
//!
//! Goes in: a shape, and the name of the field that has it. Comes out: a node of a schema.
//!
//! **Invariant:** every node has a type, or says that any may stand there; every text, list and map has a bound, since the cost of
//! rules is estimated by bounds.
//! **Invariant:** no defaults: they would be written into every object, belong to nobody, and stay as they were.
//! **Invariant:** unknown fields are kept, not dropped: a misspelt field is refused by the operator, as by the command line; dropped,
//! it would silently mean nothing.

use serde_json::{Map, Value, json};

use rgctl_schema::shape::{Choice, Row, Scalar, Shape, Table};

/// Bounds of lists, by the field that has one.
const ITEMS_MAX: [(&str, u64); 4] = [("stores", 32), ("cells", 16), ("calendar", 128), ("secondaries", 16)];
/// Items of any other list.
const OTHER_ITEMS_MAX: u64 = 128;
/// Names of a map, by the field that has one: of the fifty tags that the provider allows, rgctl takes some.
const NAMES_MAX: [(&str, u64); 1] = [("tags", 40)];
/// Names of any other map.
const OTHER_NAMES_MAX: u64 = 256;
/// Characters of a text: names of roles and keys are the longest.
pub const TEXT_MAX: u64 = 2048;
/// Characters of a quantity, a name, a time.
const WORD_MAX: u64 = 64;

/// The node of a field.
pub fn node(field: &str, shape: &Shape) -> Value {
    match shape {
        Shape::Scalar(scalar) => of_scalar(scalar),
        Shape::Choice(choice) => of_choice(choice),
        Shape::List(item) => {
            let mut list = json!({ "type": "array", "items": node(field, item), "maxItems": bound(&ITEMS_MAX, field, OTHER_ITEMS_MAX) });
            if is_named(item) {
                // Whoever owns one of them by server-side apply owns that one, and rules see the same one before and after.
                set(&mut list, "x-kubernetes-list-type", json!("map"));
                set(&mut list, "x-kubernetes-list-map-keys", json!(["name"]));
            }
            list
        }
        Shape::Map(value) => {
            let most = bound(&NAMES_MAX, field, OTHER_NAMES_MAX);
            json!({ "type": "object", "additionalProperties": node(field, value), "maxProperties": most })
        }
        Shape::Section(table) => of_table(table),
        Shape::OneOf { tag, variants, .. } => of_variants(tag, variants),
        // The long form is the files' alone: two types for one field cannot be said here.
        Shape::Either(short, _) => node(field, short),
    }
}

fn bound(table: &[(&str, u64)], field: &str, other: u64) -> u64 {
    table.iter().find(|(name, _)| *name == field).map_or(other, |(_, most)| *most)
}

/// Whether every one of a list has a name by which it is known.
fn is_named(item: &Shape) -> bool {
    let named = |table: &Table| table.row("name").is_some_and(|row| row.required);
    match item {
        Shape::Section(table) => named(table),
        Shape::OneOf { variants, .. } => variants.iter().all(|(_, table)| named(table)),
        Shape::Scalar(_) | Shape::Choice(_) | Shape::List(_) | Shape::Map(_) | Shape::Either(..) => false,
    }
}

pub(super) fn set(node: &mut Value, key: &str, value: Value) {
    if let Some(fields) = node.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

fn of_scalar(scalar: &Scalar) -> Value {
    let has = |kind: &str| scalar.json.contains(&kind);
    let mut out = match (has("string"), has("number") || has("integer"), has("boolean")) {
        // What is a word or a flag, or any value: the operator says what may stand there.
        _ if has("object") => {
            return json!({ "x-kubernetes-preserve-unknown-fields": true, "nullable": true });
        }
        (true, false, true) => return json!({ "x-kubernetes-preserve-unknown-fields": true }),
        // A number that is meant as a text is given back as another text (`8.10`): it is quoted.
        (true, false, false) | (true, true, true) => json!({ "type": "string" }),
        (true, true, false) => json!({ "x-kubernetes-int-or-string": true }),
        (false, true, _) => json!({ "type": "integer", "format": "int64" }),
        (false, false, _) => json!({ "type": "boolean" }),
    };
    if let Some(pattern) = scalar.pattern.filter(|_| has("string")) {
        set(&mut out, "pattern", json!(pattern));
    }
    if has("string") {
        let most = if scalar.pattern.is_some() { WORD_MAX } else { TEXT_MAX };
        set(&mut out, "maxLength", json!(most));
    }
    if let Some((least, most)) = scalar.bounds {
        set(&mut out, "minimum", json!(least));
        set(&mut out, "maximum", json!(most));
    }
    out
}

fn of_choice(choice: &Choice) -> Value {
    let words: Vec<&str> = choice.words.iter().map(|(word, _)| *word).collect();
    choice_of(&words)
}

pub(super) fn choice_of(words: &[&str]) -> Value {
    let longest = words.iter().map(|word| word.len()).max().unwrap_or(0);
    json!({ "type": "string", "enum": words, "maxLength": longest })
}

fn of_table(table: &Table) -> Value {
    let properties: Map<String, Value> =
        table.rows.iter().map(|row| (row.name.clone(), of_row(row))).collect();
    section(table.doc, properties, table.rows.iter().filter(|row| row.required).map(|row| &*row.name))
}

fn of_row(row: &Row) -> Value {
    let mut field = node(&row.name, &row.shape);
    let mut doc = row.schema_doc();
    if let Shape::Either(short, _) = &row.shape
        && let Shape::Scalar(scalar) = &**short
    {
        doc.push('\n');
        doc.push_str(scalar.doc);
    }
    if let (Some(_), false) = (&row.default, row.required) {
        doc.push_str("\nWithout it: ");
        doc.push_str(&row.shown_default());
    }
    set(&mut field, "description", json!(doc));
    field
}

/// A section that keeps what it does not know.
pub(super) fn section<'a>(
    doc: &str,
    properties: Map<String, Value>,
    required: impl Iterator<Item = &'a str>,
) -> Value {
    let mut out =
        json!({ "description": doc, "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let required: Vec<&str> = required.collect();
    if !required.is_empty() {
        set(&mut out, "required", json!(required));
    }
    set(&mut out, "properties", Value::Object(properties));
    out
}

type Variants = [(Vec<&'static str>, Table)];

/// One section with the fields of all variants; rules say which belong together.
fn of_variants(tag: &str, variants: &Variants) -> Value {
    let mut properties = Map::new();
    for (_, table) in variants {
        for row in &table.rows {
            let field = of_row(row);
            let both = properties.remove(&row.name).map_or_else(|| field.clone(), |one| union(one, &field));
            properties.insert(row.name.clone(), both);
        }
    }
    let words: Vec<&str> = variants.iter().flat_map(|(words, _)| words.iter().copied()).collect();
    let mut choice = choice_of(&words);
    set(
        &mut choice,
        "description",
        json!(format!("What it is; it decides which fields there are: {}", words.join(", "))),
    );
    properties.insert(tag.to_owned(), choice);
    let is_required =
        |name: &&str| variants.iter().all(|(_, table)| table.row(name).is_some_and(|row| row.required));
    let names: Vec<String> = properties.keys().cloned().collect();
    let required: Vec<&str> = names.iter().map(String::as_str).filter(is_required).collect();
    // A field that is a list of texts here and of sections there has no type, and no rule can name it.
    let has_type =
        |field: &Value| ["type", "x-kubernetes-int-or-string"].iter().any(|key| field.get(key).is_some());
    let typed: Vec<String> =
        properties.iter().filter(|(_, field)| has_type(field)).map(|(name, _)| name.clone()).collect();
    let mut out =
        section("A data store. Its `engine` decides which fields it has.", properties, required.into_iter());
    let mut rules: Vec<Value> = Vec::new();
    for (words, table) in variants {
        let foreign: Vec<&str> =
            typed.iter().map(String::as_str).filter(|name| table.row(name).is_none()).collect();
        rules.extend(foreign_fields(tag, words, &foreign));
    }
    rules.push(same_family(tag, variants));
    set(&mut out, "x-kubernetes-validations", json!(rules));
    out
}

/// Fields that stores of these engines do not have.
fn foreign_fields(tag: &str, words: &[&str], foreign: &[&str]) -> Option<Value> {
    if foreign.is_empty() {
        return None;
    }
    let none: Vec<String> = foreign.iter().map(|name| format!("!has(self.{name})")).collect();
    let rule = format!("!(self.{tag} in {}) || ({})", list(words), none.join(" && "));
    let message =
        format!("a store with `{tag}: {}` has none of these: {}", words.join(" | "), foreign.join(", "));
    Some(json!({ "rule": rule, "message": message }))
}

/// What holds the data of one family cannot become a store of another one.
fn same_family(tag: &str, variants: &Variants) -> Value {
    let same: Vec<String> = variants
        .iter()
        .map(|(words, _)| list(words))
        .map(|words| format!("(self.{tag} in {words}) == (oldSelf.{tag} in {words})"))
        .collect();
    json!({
        "rule": same.join(" && "),
        "message": format!("a store cannot get an `{tag}` of another family; give the new store another name"),
    })
}

fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// What both admit. Two sections become one with the fields of both; words are those of both; what differs otherwise may be
/// anything, and is left to the operator.
fn union(one: Value, other: &Value) -> Value {
    let unsaid = |node: &Value| {
        let mut node = node.clone();
        if let Some(fields) = node.as_object_mut() {
            fields.remove("description");
        }
        node
    };
    if unsaid(&one) == unsaid(other) {
        return one;
    }
    let doc = one.get("description").cloned().unwrap_or_default();
    let words = |node: &Value| node.get("enum").and_then(Value::as_array).cloned();
    if let (Some(mut all), Some(more)) = (words(&one), words(other)) {
        let new: Vec<Value> = more.into_iter().filter(|word| !all.contains(word)).collect();
        all.extend(new);
        let all: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
        let mut choice = choice_of(&all);
        set(&mut choice, "description", doc);
        return choice;
    }
    let fields = |node: &Value| node.get("properties").and_then(Value::as_object).cloned();
    let (Some(mut all), Some(more)) = (fields(&one), fields(other)) else {
        return json!({ "description": doc, "x-kubernetes-preserve-unknown-fields": true });
    };
    for (name, node) in more {
        let both = all.remove(&name).map_or_else(|| node.clone(), |one| union(one, &node));
        all.insert(name, both);
    }
    let required = |node: &Value| node.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let kept: Vec<Value> = required(&one).into_iter().filter(|name| required(other).contains(name)).collect();
    let kept: Vec<&str> = kept.iter().filter_map(Value::as_str).collect();
    section(doc.as_str().unwrap_or_default(), all, kept.into_iter())
}
