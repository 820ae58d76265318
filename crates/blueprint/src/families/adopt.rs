//! Objects that existed before the blueprint: the names that they have, and what a section has no words for.
//!
//! Goes in: the objects that a section expands to, and its `adopt` list. Comes out: the same objects under the names
//! and with the attributes that were found.
//!
//! **Invariant:** an entry changes one object and what refers to it; without entries nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Family;
use super::expand::ExpandError;
use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::Node;
use rgctl_schema::names::{Name, RegionId, StoreName};
use rgctl_schema::node::{Data, Tree};
use rgctl_schema::section::{Reader, Setting};
use rgctl_schema::shape::{Scalar, Shape};
use rgctl_schema::{choices, section};

choices! {
    /// Whose an adopted object is.
    pub enum Ownership {
        /// The store's own: it is managed, and removed with the store.
        Own = "own",
        /// Used under its name, and never made, changed or removed: shared with others, or the service's own.
        Shared = "shared",
        /// There is no such object, and none is made.
        Absent = "absent",
    }
}

section! {
    /// An object that existed before the blueprint. `rgctl import` writes these.
    pub struct Adopted {
        /// Region that it is in; of what spans regions, the primary one.
        region: RegionId => "us-east-1";
        /// Kind of object.
        kind: KindId => "aurora.cluster";
        /// Which of several objects of its kind in the region; members and users are counted from 1.
        number: u32 = 1;
        /// Region that addresses it, when it spans regions and was made in another one than the primary.
        home: Option<RegionId> => "us-west-2";
        /// Identifier that it has; by default the one that follows from the names of blueprint, store and region.
        name: Option<String> => "players-production";
        /// Whose it is.
        ownership: Ownership = Ownership::Own;
        /// Attributes as they were found, in place of those that follow from the store; `null` leaves one alone.
        settings: BTreeMap<String, Found>;
    }
}

/// An attribute as it was found: any value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found(pub Value);

impl Setting for Found {
    fn decode(tree: &Tree, _: &mut Reader<'_>) -> Option<Self> {
        Some(Self(plain(tree)))
    }
    fn encode(&self) -> Option<Value> {
        Some(self.0.clone())
    }
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            name: "value",
            doc: "A value of the attribute's own type.",
            json: &["string", "number", "boolean", "array", "object", "null"],
            pattern: None,
            bounds: None,
            example: "",
        })
    }
}

/// A tree without its places. A number that is no whole one stays the text that was written: attributes are whole
/// numbers or texts, and `8.10` is a version.
fn plain(tree: &Tree) -> Value {
    match &tree.data {
        Data::Null => Value::Null,
        Data::Flag(flag) => Value::Bool(*flag),
        Data::Number(text) => text.parse::<u64>().map_or_else(|_| Value::String(text.clone()), Value::from),
        Data::Text(text) => Value::String(text.clone()),
        Data::Seq(items) => Value::Array(items.iter().map(plain).collect()),
        Data::Map(entries) => Value::Object(
            entries.iter().map(|entry| (entry.key.clone(), plain(&entry.value))).collect::<Map<_, _>>(),
        ),
    }
}

impl Family {
    /// Whether stores of the family have objects of a kind.
    pub fn has(self, kind: KindId) -> bool {
        let family = match self {
            Self::Aurora => "aurora",
            Self::DocumentDb => "documentdb",
            Self::ElastiCache => "elasticache",
            Self::Redshift => "redshift",
        };
        let is_database = matches!(self, Self::Aurora | Self::DocumentDb);
        let is_shared = matches!(kind, KindId::RdsSubnetGroup | KindId::Secret);
        !kind.facts().observe_only && (kind.family() == family || is_database && is_shared)
    }
}

/// What is wrong with a found value; nothing when the attribute takes it.
pub fn refuses(kind: KindId, field: &str, value: &Value) -> Option<String> {
    set(&mut AnyAttrs::empty(kind), field, value).err()
}

fn set(attrs: &mut AnyAttrs, field: &str, value: &Value) -> Result<(), String> {
    let given = (!value.is_null()).then(|| value.clone());
    attrs.set(field, given).or_else(|why| attrs.set(field, Some(as_text(value))).map_err(|_| why))
}

/// Numbers and flags as texts: `max_connections: 100` is a text at the service, and nobody writes it in quotes.
fn as_text(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Array(items) => Value::Array(items.iter().map(as_text).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), as_text(value))).collect())
        }
        Value::String(_) | Value::Null => value.clone(),
    }
}

/// Puts the adopted objects of one store at one place under their names, with what was found.
pub(super) fn adopt(
    nodes: Vec<Node>,
    store: &StoreName,
    adopted: &[Adopted],
    (primary, plain_family): (&RegionId, Option<&str>),
) -> Result<Vec<Node>, ExpandError> {
    if adopted.is_empty() {
        return Ok(nodes);
    }
    let entries = entries_of(&nodes, adopted, primary, plain_family);
    let mut out = Vec::with_capacity(nodes.len());
    for mut node in nodes {
        let entry = entries.own.get(&node.address).copied();
        if entry.is_some_and(|entry| entry.ownership != Ownership::Own) {
            continue;
        }
        let mut needs = BTreeSet::new();
        for need in std::mem::take(&mut node.needs) {
            needs.extend(entries.need(need, store)?);
        }
        node.needs = needs;
        entries.refer(&mut node);
        if let Some(entry) = entry {
            node.address = entries.renamed(&node.address, store)?;
            for (field, Found(value)) in &entry.settings {
                set(&mut node.attrs, field, value).map_err(|why| ExpandError::Adopted {
                    store: store.clone(),
                    what: format!("{} of {}", field, node.address),
                    why,
                })?;
            }
        }
        out.push(node);
    }
    Ok(out)
}

/// Which entry is about which object.
struct Entries<'a> {
    own: BTreeMap<Address, &'a Adopted>,
    all: &'a [Adopted],
    primary: &'a RegionId,
}

fn entries_of<'a>(
    nodes: &[Node],
    adopted: &'a [Adopted],
    primary: &'a RegionId,
    plain_family: Option<&str>,
) -> Entries<'a> {
    let mut counted: BTreeMap<KindId, u32> = BTreeMap::new();
    let mut own = BTreeMap::new();
    for node in nodes {
        let number = counted.entry(node.address.kind).or_insert(0);
        *number += 1;
        // What was found is a group of parameters of another family than this one.
        if node.attrs.text("family").zip(plain_family).is_some_and(|(family, plain)| family != plain) {
            continue;
        }
        let is_it = |entry: &&Adopted| {
            entry.region == node.address.region && entry.kind == node.address.kind && entry.number == *number
        };
        if let Some(entry) = adopted.iter().find(is_it) {
            own.insert(node.address.clone(), entry);
        }
    }
    Entries { own, all: adopted, primary }
}

impl Entries<'_> {
    /// The entry of an object, which a follower in another region does not have among its own.
    fn entry(&self, address: &Address) -> Option<&Adopted> {
        self.own
            .get(address)
            .copied()
            .or_else(|| self.global(address.kind).filter(|entry| entry.region == address.region))
    }

    fn global(&self, kind: KindId) -> Option<&Adopted> {
        let is_it = |entry: &&Adopted| entry.kind == kind && entry.region == *self.primary;
        self.all.iter().find(is_it).filter(|_| kind.facts().is_global)
    }

    fn renamed(&self, address: &Address, store: &StoreName) -> Result<Address, ExpandError> {
        let Some(entry) = self.entry(address) else { return Ok(address.clone()) };
        let home = entry.home.as_ref().filter(|_| address.kind.facts().is_global);
        let address = Address { region: home.unwrap_or(&address.region).clone(), ..address.clone() };
        let Some(text) = entry.name.as_deref() else { return Ok(address) };
        let name = Name::new(text).map_err(|why| ExpandError::Name {
            store: store.clone(),
            name: text.to_owned(),
            why,
        })?;
        Ok(Address { name, ..address })
    }

    /// A need under its new name; nothing when what was needed is not ours to make.
    fn need(&self, need: Address, store: &StoreName) -> Result<Option<Address>, ExpandError> {
        match self.entry(&need).map(|entry| entry.ownership) {
            None => Ok(Some(need)),
            Some(Ownership::Own) => self.renamed(&need, store).map(Some),
            Some(Ownership::Shared | Ownership::Absent) => Ok(None),
        }
    }

    /// Fields that name an adopted object name it as it is called.
    fn refer(&self, node: &mut Node) {
        let kind = node.address.kind;
        let source = kind.member_kind().map(|member| ("source", member));
        for (field, target) in kind.naming_fields().chain(source) {
            let new = match node.attrs.get(field) {
                Some(Value::String(text)) => self.called(node, target, &text).map(Value::String),
                Some(Value::Array(items)) => Some(Value::Array(
                    items
                        .iter()
                        .filter_map(|item| self.called(node, target, item.as_str()?).map(Value::String))
                        .collect(),
                )),
                _ => continue,
            };
            // The field exists, and takes names.
            let _ = node.attrs.set(field, new);
        }
    }

    /// What the object that was to have a name is called; nothing when there is none.
    fn called(&self, node: &Node, kind: KindId, name: &str) -> Option<String> {
        let entry = if kind.facts().is_global {
            self.global(kind)
        } else {
            let name = Name::new(name).ok()?;
            self.own.get(&Address::new(node.address.region.clone(), kind, name)).copied()
        };
        match entry {
            Some(Adopted { ownership: Ownership::Absent, .. }) => None,
            Some(Adopted { name: Some(called), .. }) => Some(called.clone()),
            _ => Some(name.to_owned()),
        }
    }
}
