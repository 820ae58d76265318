//! The shape of a value as data: what the JSON Schema and `rgctl explain` are written from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// What a value may look like.
#[derive(Clone, Debug)]
pub enum Shape {
    /// One word, number or quantity.
    Scalar(Scalar),
    /// One of a closed list of words.
    Choice(Choice),
    /// A list.
    List(Box<Shape>),
    /// Free names to values.
    Map(Box<Shape>),
    /// A section with fields.
    Section(Table),
    /// One of several sections, told apart by the word in the field `tag`.
    OneOf {
        /// Name of the whole.
        name: &'static str,
        /// What it is.
        doc: &'static str,
        /// Field that tells them apart.
        tag: &'static str,
        /// The words of the tag with the section that each announces.
        variants: Vec<(Vec<&'static str>, Table)>,
    },
    /// A short form or the long form.
    Either(Box<Shape>, Box<Shape>),
}

/// A scalar type.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// Name as shown, such as `size`.
    pub name: &'static str,
    /// What may be written and in which unit.
    pub doc: &'static str,
    /// JSON types that are accepted.
    pub json: &'static [&'static str],
    /// Regular expression of its text form.
    pub pattern: Option<&'static str>,
    /// Least and most, for numbers.
    pub bounds: Option<(i64, i64)>,
    /// Something valid.
    pub example: &'static str,
}

/// A closed list of words.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Name of the type.
    pub name: &'static str,
    /// What is chosen.
    pub doc: &'static str,
    /// The words with their meaning.
    pub words: Vec<(&'static str, &'static str)>,
}

/// A section.
#[derive(Clone, Debug)]
pub struct Table {
    /// Name of the type.
    pub name: &'static str,
    /// What it describes.
    pub doc: &'static str,
    /// Its fields, in order.
    pub rows: Vec<Row>,
}

/// A field of a section.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name in documents.
    pub name: String,
    /// What it means.
    pub doc: &'static str,
    /// Whether a document without it is refused.
    pub required: bool,
    /// What holds when it is absent; nothing when it is then derived or unset.
    pub default: Option<Value>,
    /// Something valid.
    pub example: Option<&'static str>,
    /// What it may look like.
    pub shape: Shape,
}

impl Shape {
    /// The type in a few words, such as `list of size`.
    pub fn type_name(&self) -> String {
        match self {
            Self::Scalar(scalar) => scalar.name.to_owned(),
            Self::Choice(choice) => {
                choice.words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" | ")
            }
            Self::List(item) => format!("list of {}", item.type_name()),
            Self::Map(value) => format!("names to {}", value.type_name()),
            Self::Section(table) => table.name.to_owned(),
            Self::OneOf { name, .. } => (*name).to_owned(),
            Self::Either(short, long) => format!("{} or {}", short.type_name(), long.type_name()),
        }
    }

    /// Something valid, as it would be written in a flow style.
    pub fn example(&self) -> Option<String> {
        match self {
            Self::Scalar(scalar) => Some(scalar.example.to_owned()),
            Self::Choice(choice) => choice.words.first().map(|(word, _)| (*word).to_owned()),
            Self::List(item) => item.example().map(|one| format!("[{one}]")),
            Self::Section(table) => {
                let fields: Vec<String> = table
                    .rows
                    .iter()
                    .filter(|row| row.required)
                    .filter_map(|row| row.shown_example().map(|one| format!("{}: {one}", row.name)))
                    .collect();
                (!fields.is_empty()).then(|| format!("{{ {} }}", fields.join(", ")))
            }
            Self::Map(_) | Self::OneOf { .. } => None,
            Self::Either(short, long) => long.example().or_else(|| short.example()),
        }
    }

    /// The JSON Schema of the value; sections go into `defs` and are referred to.
    pub fn schema(&self, defs: &mut BTreeMap<String, Value>) -> Value {
        match self {
            Self::Scalar(scalar) => scalar.schema(),
            Self::Choice(choice) => json!({
                "description": choice.doc,
                "enum": choice.words.iter().map(|(word, _)| *word).collect::<Vec<_>>(),
            }),
            Self::List(item) => json!({ "type": "array", "items": item.schema(defs) }),
            Self::Map(value) => json!({ "type": "object", "additionalProperties": value.schema(defs) }),
            Self::Section(table) => table.schema(None, defs),
            Self::OneOf { doc, tag, variants, .. } => {
                let forms: Vec<Value> =
                    variants.iter().map(|(words, table)| table.schema(Some((tag, words)), defs)).collect();
                json!({ "description": doc, "oneOf": forms })
            }
            Self::Either(short, long) => json!({ "anyOf": [short.schema(defs), long.schema(defs)] }),
        }
    }

    /// The tables one step below, where fields can be looked up.
    pub fn tables(&self) -> Vec<(Option<&[&'static str]>, &Table)> {
        match self {
            Self::Scalar(_) | Self::Choice(_) => Vec::new(),
            Self::List(inner) | Self::Map(inner) => inner.tables(),
            Self::Section(table) => vec![(None, table)],
            Self::OneOf { variants, .. } => {
                variants.iter().map(|(words, table)| (Some(words.as_slice()), table)).collect()
            }
            Self::Either(short, long) => {
                let mut all = short.tables();
                all.extend(long.tables());
                all
            }
        }
    }
}

impl Scalar {
    fn schema(&self) -> Value {
        let mut out = Map::new();
        out.insert("description".into(), json!(self.doc));
        let json = if self.json.len() == 1 { json!(self.json.first()) } else { json!(self.json) };
        out.insert("type".into(), json);
        if let Some(pattern) = self.pattern {
            out.insert("pattern".into(), json!(pattern));
        }
        if let Some((least, most)) = self.bounds {
            out.insert("minimum".into(), json!(least));
            out.insert("maximum".into(), json!(most));
        }
        if !self.example.is_empty() && self.json.contains(&"string") {
            out.insert("examples".into(), json!([self.example]));
        }
        Value::Object(out)
    }
}

impl Table {
    /// The field of a name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    fn schema(&self, tag: Option<(&str, &[&'static str])>, defs: &mut BTreeMap<String, Value>) -> Value {
        let name = self.name.to_owned();
        let reference = json!({ "$ref": format!("#/$defs/{name}") });
        if defs.contains_key(&name) {
            return reference;
        }
        // Holds the place, so that a section that contains itself ends.
        defs.insert(name.clone(), Value::Null);
        let mut properties = Map::new();
        let mut required = Vec::new();
        for row in &self.rows {
            let mut field = row.shape.schema(defs);
            if let (Some((tag, words)), true) = (tag, tag.is_some_and(|(tag, _)| tag == row.name)) {
                let _ = tag;
                field = json!({ "enum": words });
            }
            if let Value::Object(parts) = &mut field {
                parts.insert("description".into(), json!(row.schema_doc()));
                if let Some(default) = &row.default {
                    parts.insert("default".into(), default.clone());
                }
                if let Some(example) = row.example {
                    parts.insert("examples".into(), json!([example]));
                }
            }
            if row.required {
                required.push(row.name.clone());
            }
            properties.insert(row.name.clone(), field);
        }
        let mut out = Map::new();
        out.insert("description".into(), json!(self.doc));
        out.insert("type".into(), json!("object"));
        out.insert("properties".into(), Value::Object(properties));
        if !required.is_empty() {
            out.insert("required".into(), json!(required));
        }
        out.insert("additionalProperties".into(), json!(false));
        defs.insert(name, Value::Object(out));
        reference
    }
}

impl Row {
    /// Something valid for this field.
    pub fn shown_example(&self) -> Option<String> {
        self.example.map(str::to_owned).or_else(|| self.shape.example())
    }

    /// What holds when it is absent, in words.
    pub fn shown_default(&self) -> String {
        match (&self.default, self.required) {
            (Some(Value::String(text)), _) => text.clone(),
            (Some(value), _) => value.to_string(),
            (None, true) => "required".to_owned(),
            (None, false) => "unset".to_owned(),
        }
    }

    /// What it means, with the words that may stand there, or what may be written.
    pub fn schema_doc(&self) -> String {
        let mut doc = self.doc.to_owned();
        match &self.shape {
            Shape::Choice(choice) => {
                for (word, meaning) in &choice.words {
                    // Writing to a String cannot fail.
                    let _ = write!(doc, "\n- `{word}`: {meaning}");
                }
            }
            Shape::Scalar(scalar) => {
                let _ = write!(doc, "\n{}", scalar.doc);
            }
            Shape::List(_) | Shape::Map(_) | Shape::Section(_) | Shape::OneOf { .. } | Shape::Either(..) => {}
        }
        doc
    }
}
