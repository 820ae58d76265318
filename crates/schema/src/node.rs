//! A document as a tree of values that know where they stand in the text.

use serde_json::{Map, Value};

use super::diagnostic::Mark;

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Where it stands in the text.
    pub mark: Mark,
    /// What it is.
    pub data: Data,
}

/// What a value can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Nothing: `null`, `~`, or a key without a value.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number as it was written, so that version `8.10` does not become `8.1`.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    Seq(Vec<Tree>),
    /// Fields in the order of the text; a key that was given twice is there twice.
    Map(Vec<MapEntry>),
}

/// A field of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// Its name.
    pub key: String,
    /// Where the name stands.
    pub key_mark: Mark,
    /// Its value.
    pub value: Tree,
}

impl Tree {
    /// What kind of value it is, as shown to a person.
    pub const fn type_name(&self) -> &'static str {
        match self.data {
            Data::Null => "nothing",
            Data::Flag(_) => "true or false",
            Data::Number(_) => "a number",
            Data::Text(_) => "text",
            Data::Seq(_) => "a list",
            Data::Map(_) => "a section with fields",
        }
    }

    /// The first value of a field.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The first field of a name.
    pub fn entry(&self, key: &str) -> Option<&MapEntry> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|entry| entry.key == key),
            Data::Null | Data::Flag(_) | Data::Number(_) | Data::Text(_) | Data::Seq(_) => None,
        }
    }

    /// The same, with another text in a field.
    #[must_use]
    pub fn with(&self, key: &str, text: &str) -> Self {
        let mut changed = self.clone();
        if let Data::Map(entries) = &mut changed.data
            && let Some(entry) = entries.iter_mut().find(|entry| entry.key == key)
        {
            entry.value.data = Data::Text(text.to_owned());
        }
        changed
    }

    /// The text, when it is text.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            Data::Null | Data::Flag(_) | Data::Number(_) | Data::Seq(_) | Data::Map(_) => None,
        }
    }

    /// The place of a path such as `spec.stores[1].readers.min`; where it does not exist, of its nearest ancestor.
    /// A map, or a list of maps, is pointed at by its name, since its whole extent would underline half a file.
    pub fn locate(&self, path: &str) -> Mark {
        let mut here = self;
        let mut mark = self.first_key();
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let next = if let Some(index) = step.strip_suffix(']') {
                let Data::Seq(items) = &here.data else { break };
                let Some(item) = index.parse::<usize>().ok().and_then(|index| items.get(index)) else {
                    break;
                };
                mark = item.first_key();
                item
            } else {
                let Some(entry) = here.entry(step) else { break };
                mark = match &entry.value.data {
                    Data::Map(_) | Data::Null => entry.key_mark,
                    Data::Seq(items) if items.iter().any(|item| matches!(item.data, Data::Map(_))) => {
                        entry.key_mark
                    }
                    Data::Flag(_) | Data::Number(_) | Data::Text(_) | Data::Seq(_) => entry.value.mark,
                };
                &entry.value
            };
            here = next;
        }
        mark
    }

    fn first_key(&self) -> Mark {
        match &self.data {
            Data::Map(entries) => entries.first().map_or(self.mark, |entry| {
                entry.key_mark.to(match entry.value.data {
                    Data::Text(_) | Data::Number(_) => entry.value.mark,
                    Data::Null | Data::Flag(_) | Data::Seq(_) | Data::Map(_) => entry.key_mark,
                })
            }),
            Data::Null | Data::Flag(_) | Data::Number(_) | Data::Text(_) | Data::Seq(_) => self.mark,
        }
    }

    /// The value without its places.
    pub fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Flag(flag) => Value::Bool(*flag),
            Data::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
            Data::Text(text) => Value::String(text.clone()),
            Data::Seq(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Data::Map(entries) => Value::Object(
                entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// A tree without places, from a value that was not written by hand.
    pub fn from_json(value: &Value) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(flag) => Data::Flag(*flag),
            Value::Number(number) => Data::Number(number.to_string()),
            Value::String(text) => Data::Text(text.clone()),
            Value::Array(items) => Data::Seq(items.iter().map(Self::from_json).collect()),
            Value::Object(fields) => Data::Map(
                fields
                    .iter()
                    .map(|(key, value)| MapEntry {
                        key: key.clone(),
                        key_mark: Mark::default(),
                        value: Self::from_json(value),
                    })
                    .collect(),
            ),
        };
        Self { mark: Mark::default(), data }
    }
}
