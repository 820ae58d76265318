//! A resource is a table: one line per field writes the struct and the row that everything generic reads.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// What changing a field of an existing object does to it. Ordered from harmless to grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Applied while the object serves, in seconds to minutes.
    InPlace,
    /// Applied while the object serves, but data moves: minutes to hours.
    Online,
    /// The object itself restarts: a short outage of it. Its siblings go on serving.
    Restart,
    /// The service moves the write role or restarts all members: writes stop for seconds to minutes.
    Failover,
    /// Reads go on, writes stop until all data has been redistributed: minutes to hours.
    Resize,
    /// Not possible: a new object must take the place of the old one, and its data must be carried over.
    Replace,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InPlace => "in place",
            Self::Online => "online",
            Self::Restart => "restart",
            Self::Failover => "failover",
            Self::Resize => "resize",
            Self::Replace => "replace",
        })
    }
}

/// Which way a numeric field may go without its owner's consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shrink {
    /// The value is no capacity, or making it smaller loses nothing.
    #[default]
    Harmless,
    /// A smaller value takes memory or storage away: refused below measured use.
    BoundByUse,
}

/// Which way a field may not go in a freeze: what a change takes from redundancy, protection, capacity, or from those who may
/// connect.
#[derive(Clone, Copy, Debug)]
pub enum Lowers {
    /// Neither value is less than the other: names, windows, an order.
    Nothing,
    /// A smaller number, `false`, or a list without an entry that it had.
    Less,
    /// `true`, or a greater number.
    More,
    /// Any other value: of two nobody can tell which one is less.
    Any,
    /// One value, which stands for nothing at all.
    To(&'static str),
    /// As told by a rule of the field's own, of the seen value (first) and the wanted one (second).
    By(fn(&Value, &Value) -> bool),
}

impl Lowers {
    /// Whether the second value takes something away from the first. Where a switch was not told, nobody knows that it was
    /// off.
    pub fn judge(self, before: Option<&Value>, after: &Value) -> bool {
        match (self, before, after) {
            (Self::Any, Some(_), _) => true,
            (Self::To(word), ..) => after.as_str() == Some(word),
            (Self::By(rule), ..) => rule(before.unwrap_or(&Value::Null), after),
            (Self::Less, before, Value::Bool(false)) | (Self::More, before, Value::Bool(true)) => {
                before != Some(after)
            }
            (Self::Less, Some(Value::Array(before)), Value::Array(after)) => {
                before.iter().any(|entry| !after.contains(entry))
            }
            (Self::Less, Some(before), Value::Number(_)) => is_smaller(after, Some(before)),
            (Self::More, Some(before), Value::Number(_)) => is_smaller(before, Some(after)),
            // What was not set had nothing that could be taken away.
            (Self::Nothing | Self::Less | Self::More | Self::Any, ..) => false,
        }
    }
}

/// How the service gets a field from a seen value to a wanted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// In one change, of the sort that the table says.
    Direct,
    /// By this value first; from there the next plan goes on.
    Through(Value),
    /// Not at all: a new object must take the place of the old one.
    Anew,
}

/// The columns of a field beside its name, type, documentation and change policy.
#[allow(clippy::struct_excessive_bools, reason = "most columns of a table are switches")]
pub struct Columns<T, A> {
    /// Never shown: plans, journals and logs carry only that it differs.
    pub secret: bool,
    /// The service does not tell the value back, so it cannot drift and is not compared.
    pub unseen: bool,
    /// Compared only where the service tells it, which it does not always.
    pub if_told: bool,
    /// When a wanted value is satisfied by a seen one; plain equality when absent.
    pub same: Option<fn(&T, &T) -> bool>,
    /// Whether a smaller value may lose data.
    pub shrink: Shrink,
    /// What takes redundancy, protection or capacity away. A field that is changed while its object serves must say it;
    /// until it does, it counts as one of which any change may.
    pub lowers: Option<Lowers>,
    /// Provider calls other than the kind's general one are used for this field (resharding, replica count, ...).
    /// Such a field is never changed in one call with another.
    pub alone: bool,
    /// The one field that is changed in the same call, when both change: the service takes no other.
    pub with: Option<&'static str>,
    /// From the seen object (second) to the wanted one (first); [`Way::Direct`] when absent.
    pub way: Option<fn(&A, &A) -> Way>,
    /// Members of one global object have it in common: it is changed at the primary, for all of them.
    pub common: bool,
}

/// One row of a table: a field of `A` as the generic code sees it.
#[allow(clippy::struct_excessive_bools, reason = "most columns of a table are switches")]
pub struct Field<A: 'static> {
    /// The field's name in blueprints, plans and this library.
    pub name: &'static str,
    /// What it means, with its unit.
    pub doc: &'static str,
    /// Type as shown in documentation.
    pub type_name: &'static str,
    /// What changing it does.
    pub change: Change,
    /// Whether it is hidden from every output.
    pub secret: bool,
    /// Whether the service hides it from us.
    pub unseen: bool,
    /// Whether it is changed by a call of its own.
    pub alone: bool,
    /// The one field that goes in the same call.
    pub with: Option<&'static str>,
    /// How the seen object (second) gets to the wanted one (first).
    pub way: fn(&A, &A) -> Way,
    /// Whether it is changed at the primary of a global object, for all members.
    pub common: bool,
    /// Whether a smaller value may lose data.
    pub shrink: Shrink,
    /// What takes redundancy, protection or capacity away; nothing where the table does not say it.
    pub lowers: Option<Lowers>,
    /// Whether it is set.
    pub is_set: fn(&A) -> bool,
    /// The value, when set.
    pub get: fn(&A) -> Option<Value>,
    /// Sets or unsets the value; the error is text about the wrong type.
    pub set: fn(&mut A, Option<Value>) -> Result<(), String>,
    /// Whether the wanted value (first) is set and not satisfied by the seen one (second).
    pub differs: fn(&A, &A) -> bool,
    /// Copies the value of the second into the first.
    pub copy: fn(&mut A, &A),
}

/// A struct of optional fields with a table that describes them. Unset means unmanaged.
pub trait Attrs:
    Clone + fmt::Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What such an object is.
    const DOC: &'static str;
    /// The rows, in the order of declaration.
    const FIELDS: &'static [Field<Self>];
}

/// A field whose wanted and seen values differ.
#[allow(clippy::struct_excessive_bools, reason = "most columns of a table are switches")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which field.
    pub field: String,
    /// The seen value; nothing when it was not set, or is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The wanted value; a mark when it is secret.
    pub after: Value,
    /// What this change does.
    pub change: Change,
    /// Whether the call must carry this field alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// The one field that goes in the same call although this one goes alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// Whether `after` is a value on the way to the wanted one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub through: bool,
    /// Whether the change takes capacity for data away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shrinks: bool,
    /// Whether a change that interrupts nobody takes redundancy, protection or capacity away: a freeze stops it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lowers: bool,
    /// Whether it is made at the primary of a global object, for all members.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub common: bool,
}

/// Stands in outputs for a value that must not be shown.
pub const HIDDEN: &str = "(hidden)";

/// Every field in which `seen` does not satisfy `wanted`. Fields that are unset in `wanted`, or that the service
/// does not tell, are not compared.
pub fn diff<A: Attrs>(wanted: &A, seen: &A) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    for field in A::FIELDS {
        if field.unseen || !(field.differs)(wanted, seen) {
            continue;
        }
        let (change, through) = match (field.way)(wanted, seen) {
            Way::Direct => (field.change, None),
            Way::Through(value) => (field.change, Some(value)),
            Way::Anew => (Change::Replace, None),
        };
        let is_through = through.is_some();
        let before = (field.get)(seen);
        let after = through.or_else(|| (field.get)(wanted)).unwrap_or(Value::Null);
        let shrinks = field.shrink == Shrink::BoundByUse && is_smaller(&after, before.as_ref());
        // What interrupts is judged by that.
        let lowers = matches!(change, Change::InPlace | Change::Online)
            && field.lowers.unwrap_or(Lowers::Any).judge(before.as_ref(), &after);
        changes.push(FieldChange {
            field: field.name.to_owned(),
            before: before.map(|value| if field.secret { Value::from(HIDDEN) } else { value }),
            after: if field.secret { Value::from(HIDDEN) } else { after },
            change,
            alone: field.alone,
            with: field.with.map(str::to_owned),
            through: is_through,
            shrinks,
            lowers,
            common: field.common,
        });
    }
    changes
}

/// Whether nothing differs; cheaper than an empty `diff`.
pub fn satisfied<A: Attrs>(wanted: &A, seen: &A) -> bool {
    A::FIELDS.iter().all(|field| field.unseen || !(field.differs)(wanted, seen))
}

fn is_smaller(after: &Value, before: Option<&Value>) -> bool {
    match (after.as_f64(), before.and_then(Value::as_f64)) {
        (Some(after), Some(before)) => after < before,
        _ => false,
    }
}

/// Writes a struct of optional fields together with its table.
///
/// A line is `name: Type => Change;` or `name: Type => Change { column: value, ... };`, under a doc comment that
/// becomes the field's documentation everywhere.
#[macro_export]
macro_rules! attrs {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])+
                $field:ident : $type:ty => $change:ident $({ $($column:ident : $value:expr),+ $(,)? })? ;
            )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[doc = $field_doc])+
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )+
        }

        impl $crate::vocabulary::table::Attrs for $name {
            const DOC: &'static str = concat!($($doc),+);
            const FIELDS: &'static [$crate::vocabulary::table::Field<Self>] = &[
                $({
                    const COLUMNS: $crate::vocabulary::table::Columns<$type, $name> =
                        $crate::vocabulary::table::Columns {
                            $($($column: $crate::column!($column, $value),)+)?
                            ..$crate::vocabulary::table::Columns::PLAIN
                        };
                    $crate::vocabulary::table::Field {
                        name: stringify!($field),
                        doc: concat!($($field_doc),+),
                        type_name: stringify!($type),
                        change: $crate::vocabulary::table::Change::$change,
                        secret: COLUMNS.secret,
                        unseen: COLUMNS.unseen,
                        alone: COLUMNS.alone,
                        with: COLUMNS.with,
                        way: match COLUMNS.way {
                            Some(way) => way,
                            None => |_, _| $crate::vocabulary::table::Way::Direct,
                        },
                        common: COLUMNS.common,
                        shrink: COLUMNS.shrink,
                        lowers: COLUMNS.lowers,
                        is_set: |attrs| attrs.$field.is_some(),
                        get: |attrs| {
                            attrs.$field.as_ref().and_then(|value| serde_json::to_value(value).ok())
                        },
                        set: |attrs, value| {
                            attrs.$field = match value {
                                None => None,
                                Some(value) => {
                                    Some(serde_json::from_value(value).map_err(|error| error.to_string())?)
                                }
                            };
                            Ok(())
                        },
                        differs: |wanted, seen| match (&wanted.$field, &seen.$field) {
                            (None, _) => false,
                            (Some(_), None) => !COLUMNS.if_told,
                            (Some(wanted), Some(seen)) => match COLUMNS.same {
                                None => wanted != seen,
                                Some(same) => !same(wanted, seen),
                            },
                        },
                        copy: |to, from| to.$field.clone_from(&from.$field),
                    }
                },)+
            ];
        }
    };
}

/// The value of a column as the macro writes it.
#[doc(hidden)]
#[macro_export]
macro_rules! column {
    (same, $value:expr) => {
        Some($value)
    };
    (with, $value:expr) => {
        Some($value)
    };
    (way, $value:expr) => {
        Some($value)
    };
    (lowers, $value:expr) => {
        Some($value)
    };
    ($other:ident, $value:expr) => {
        $value
    };
}

impl<T, A> Columns<T, A> {
    /// A field with no special column.
    pub const PLAIN: Self = Self {
        secret: false,
        unseen: false,
        if_told: false,
        same: None,
        shrink: Shrink::Harmless,
        lowers: None,
        alone: false,
        with: None,
        way: None,
        common: false,
    };
}
