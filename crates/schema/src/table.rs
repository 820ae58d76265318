//! A resource is a table: one line per field writes the struct and the row that everything generic reads. And what a
//! plan says of a field that differs.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// What changing a field of an existing object does to it. Ordered from harmless to severe.
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

/// The columns of a field beside its name, type and documentation.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// Never shown: plans, journals and logs carry only that it differs.
    pub secret: bool,
    /// The service does not tell the value back, so it cannot drift and is not compared.
    pub unseen: bool,
    /// Compared only where the service tells it, which it does not always.
    pub if_told: bool,
}

impl Columns {
    /// A field with no special column.
    pub const PLAIN: Self = Self { secret: false, unseen: false, if_told: false };
}

/// One row of a table: a field of `A` as the generic code sees it. What changing it does is said in tables of those who
/// plan a change and of those who make it, each in their own.
pub struct Field<A: 'static> {
    /// The field's name in blueprints, plans and this library.
    pub name: &'static str,
    /// What it means, with its unit.
    pub doc: &'static str,
    /// Type as shown in documentation.
    pub type_name: &'static str,
    /// Whether it is hidden from every output.
    pub secret: bool,
    /// Whether the service hides it from us.
    pub unseen: bool,
    /// Whether the service tells it only sometimes.
    pub if_told: bool,
    /// Whether it is set.
    pub is_set: fn(&A) -> bool,
    /// The value, when set.
    pub get: fn(&A) -> Option<Value>,
    /// Sets or unsets the value; the error is text about the wrong type.
    pub set: fn(&mut A, Option<Value>) -> Result<(), String>,
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
    /// Whether it is made at the primary of a global object, for all members.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub common: bool,
    /// Whether a change that interrupts nobody takes redundancy, protection or capacity away: a freeze stops it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lowers: bool,
}

impl FieldChange {
    /// An entry of a map that is taken out: where the service has a default for it, it goes back to that.
    pub fn taking_out(map: &str, name: &str, before: Value, lowers: bool) -> Self {
        Self {
            field: format!("{map}.{name}"),
            before: Some(before),
            after: Value::Null,
            change: Change::InPlace,
            alone: false,
            with: None,
            through: false,
            shrinks: false,
            common: false,
            lowers,
        }
    }

    /// The map and the name of the entry that it takes out, if it does.
    pub fn taken_out(&self) -> Option<(&str, &str)> {
        self.field.split_once('.').filter(|_| self.after.is_null())
    }
}

/// Stands in outputs for a value that must not be shown.
pub const HIDDEN: &str = "(hidden)";

/// Whether these are the names of the fields of `A`, in their order. Tables that stand beside a kind's own are checked by
/// it when they are compiled.
pub const fn names_fields<A: Attrs>(names: &[&str]) -> bool {
    if names.len() != A::FIELDS.len() {
        return false;
    }
    let mut place = 0;
    while place < names.len() {
        let (ours, theirs) = (A::FIELDS[place].name.as_bytes(), names[place].as_bytes());
        if ours.len() != theirs.len() {
            return false;
        }
        let mut byte = 0;
        while byte < ours.len() {
            if ours[byte] != theirs[byte] {
                return false;
            }
            byte += 1;
        }
        place += 1;
    }
    true
}

/// Writes a struct of optional fields together with its table.
///
/// A line is `name: Type;` or `name: Type { column: true, ... };`, under a doc comment that becomes the field's
/// documentation everywhere.
#[macro_export]
macro_rules! attrs {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])+
                $field:ident : $type:ty $({ $($column:ident : $value:expr),+ $(,)? })? ;
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

        impl $crate::table::Attrs for $name {
            const DOC: &'static str = concat!($($doc),+);
            const FIELDS: &'static [$crate::table::Field<Self>] = &[
                $({
                    const COLUMNS: $crate::table::Columns =
                        $crate::table::Columns {
                            $($($column: $value,)+)?
                            ..$crate::table::Columns::PLAIN
                        };
                    $crate::table::Field {
                        name: stringify!($field),
                        doc: concat!($($field_doc),+),
                        type_name: stringify!($type),
                        secret: COLUMNS.secret,
                        unseen: COLUMNS.unseen,
                        if_told: COLUMNS.if_told,
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
                        copy: |to, from| to.$field.clone_from(&from.$field),
                    }
                },)+
            ];
        }
    };
}
