//! The fields of a kind of document, walked from the tables that its reader is written from, and how one is set.

use rgctl_schema::shape::{Shape, Table};
use serde_json::{Map, Value, json};

/// A step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The field of a section.
    Field(String),
    /// An element of a list: the first one.
    Element,
    /// An element of a list of sections that are told apart by a word: the first one with such a word.
    Variant { name: &'static str, tag: &'static str, words: Vec<&'static str> },
    /// A value under a free name.
    Named,
}

/// A field that holds no section: where it is, and what may stand there.
#[derive(Clone, Debug)]
pub struct Field {
    pub steps: Vec<Step>,
    pub shape: Shape,
    pub default: Option<Value>,
}

impl Field {
    /// Its path, such as `spec.stores[AuroraStore].readers.max`.
    pub fn path(&self) -> String {
        path_of(&self.steps)
    }
}

pub fn path_of(steps: &[Step]) -> String {
    let steps = steps.iter().enumerate().map(|(place, step)| match step {
        Step::Field(name) if place == 0 => name.clone(),
        Step::Field(name) => format!(".{name}"),
        Step::Element => "[]".to_owned(),
        Step::Variant { name, .. } => format!("[{name}]"),
        Step::Named => ".*".to_owned(),
    });
    steps.collect()
}

/// Every field of a document that a person can write a value into.
pub fn leaves(document: &Shape) -> Vec<Field> {
    let mut found = Vec::new();
    walk(document, &mut Vec::new(), None, &mut found);
    found
}

fn walk(shape: &Shape, steps: &mut Vec<Step>, default: Option<Value>, found: &mut Vec<Field>) {
    match shape {
        Shape::Scalar(_) | Shape::Choice(_) => {
            found.push(Field { steps: steps.clone(), shape: shape.clone(), default });
        }
        Shape::List(item) => match &**item {
            Shape::OneOf { tag, variants, .. } => {
                for (words, table) in variants {
                    let variant = Step::Variant { name: table.name, tag, words: words.clone() };
                    below(variant, steps, |steps| fields(table, steps, found));
                }
            }
            // An example of a list is one of the whole list.
            item => below(Step::Element, steps, |steps| walk(item, steps, None, found)),
        },
        Shape::Map(value) => below(Step::Named, steps, |steps| walk(value, steps, None, found)),
        Shape::Section(table) => fields(table, steps, found),
        Shape::OneOf { name, .. } => panic!("{name}: a choice of sections stands in a list so far"),
        Shape::Either(short, long) => {
            walk(short, steps, None, found);
            walk(long, steps, None, found);
        }
    }
}

fn fields(table: &Table, steps: &mut Vec<Step>, found: &mut Vec<Field>) {
    for row in &table.rows {
        let told = row.default.clone();
        below(Step::Field(row.name.clone()), steps, |steps| walk(&row.shape, steps, told, found));
    }
}

fn below(step: Step, steps: &mut Vec<Step>, then: impl FnOnce(&mut Vec<Step>)) {
    steps.push(step);
    then(steps);
    steps.pop();
}

/// Puts a value where the steps lead, making what is not there yet. `name` is the free name on the way.
pub fn put(document: &mut Value, steps: &[Step], name: &str, value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *document = value;
        return;
    };
    match step {
        Step::Field(field) => put(field_of(document, field), rest, name, value),
        Step::Named => put(field_of(document, name), rest, name, value),
        Step::Element => {
            let items = items_of(document);
            if items.is_empty() {
                items.push(Value::Null);
            }
            put(&mut items[0], rest, name, value);
        }
        Step::Variant { tag, words, .. } => {
            let items = items_of(document);
            let is_it = |item: &Value| item[*tag].as_str().is_some_and(|word| words.contains(&word));
            let place = items.iter().position(is_it).expect("the document has one of each variant");
            put(&mut items[place], rest, name, value);
        }
    }
}

/// The section that a field of one of several variants is in: the same steps up to the variant.
pub fn variant_of(steps: &[Step]) -> Option<&[Step]> {
    let place = steps.iter().position(|step| matches!(step, Step::Variant { .. }))?;
    Some(&steps[..=place])
}

/// Fields of plain names, such as `spec.regions.primary`.
pub fn plain(path: &str) -> Vec<Step> {
    let parts = path.split('.').flat_map(|part| {
        let (field, list) = part.strip_suffix("[]").map_or((part, false), |field| (field, true));
        let field = Step::Field(field.to_owned());
        std::iter::once(field).chain(list.then_some(Step::Element))
    });
    parts.collect()
}

fn field_of<'a>(document: &'a mut Value, field: &str) -> &'a mut Value {
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    &mut document[field]
}

fn items_of(document: &mut Value) -> &mut Vec<Value> {
    if !document.is_array() {
        *document = json!([]);
    }
    document.as_array_mut().expect("it is a list")
}
