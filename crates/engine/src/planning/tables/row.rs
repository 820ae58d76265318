//! What a row of the planner's tables says: of a field, and of a kind as a whole.

use serde_json::Value;

use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::DurationEstimate;
use rgctl_schema::table::{Attrs, Change, Field, FieldChange, HIDDEN};

/// Which way a numeric field may go without its owner's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrink {
    /// The value is no capacity, or making it smaller loses nothing.
    Harmless,
    /// A smaller value takes memory or storage away: refused below measured use.
    BoundByUse,
}

/// Which way a field may not go in a freeze: what a change takes from redundancy, protection, capacity, or from those who may
/// connect.
#[derive(Clone, Copy, Debug)]
pub enum Reduction {
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

impl Reduction {
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
pub enum ChangePath {
    /// In one change, of the sort that the table says.
    Direct,
    /// By this value first; from there the next plan goes on.
    Through(Value),
    /// Not at all: a new object must take the place of the old one.
    Anew,
}

/// What becomes of a field of an object while that is a member of a global object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InGlobal {
    /// It is changed as that of any other object.
    Usual,
    /// No call changes it there.
    Fixed,
    /// The service has it, whatever is wished, and gives it to all members.
    Service,
}

/// What is believed of a field of type `T` beside what changing it does.
pub struct Columns<T, A> {
    /// When a wanted value is satisfied by a seen one; plain equality when absent.
    pub same: Option<fn(&T, &T) -> bool>,
    /// Whether a wanted value says that there is to be none, which an object without one satisfies.
    pub none: Option<fn(&T) -> bool>,
    /// What becomes of it in a global object.
    pub in_global: InGlobal,
    /// Whether a smaller value may lose data.
    pub shrink: Shrink,
    /// Provider calls other than the kind's general one are used for this field (resharding, replica count, ...).
    /// Such a field is never changed in one call with another.
    pub alone: bool,
    /// The one field that is changed in the same call, when both change: the service takes no other.
    pub with: Option<&'static str>,
    /// From the seen object (second) to the wanted one (first); [`ChangePath::Direct`] when absent.
    pub way: Option<fn(&A, &A) -> ChangePath>,
    /// When a wanted value is not asked for, as the whole of the wanted object (first) and the seen one (second) tell.
    pub instead: Option<fn(&A, &A) -> bool>,
    /// Members of one global object have it in common: it is changed at the primary, for all of them.
    pub common: bool,
    /// The service takes it when an object is made and never after: a difference is told, and nothing is done about it.
    pub at_birth: bool,
    /// What takes redundancy, protection or capacity away. A field that is changed while its object serves says it, or does
    /// not compile.
    pub lowers: Option<Reduction>,
}

impl<T: PartialEq, A> Columns<T, A> {
    /// A field with no special column.
    pub const PLAIN: Self = Self {
        same: None,
        none: None,
        in_global: InGlobal::Usual,
        shrink: Shrink::Harmless,
        alone: false,
        with: None,
        way: None,
        instead: None,
        common: false,
        at_birth: false,
        lowers: None,
    };

    /// Gives the columns the type of the field.
    pub const fn of(self, _: fn(&A) -> &Option<T>) -> Self {
        self
    }

    /// Whether the first is set and not satisfied by the second.
    pub fn differs(&self, wanted: Option<&T>, seen: Option<&T>, if_told: bool) -> bool {
        match (wanted, seen) {
            (None, _) => false,
            (Some(wanted), None) => !if_told && !self.none.is_some_and(|none| none(wanted)),
            (Some(wanted), Some(seen)) => self.same.map_or(wanted != seen, |same| !same(wanted, seen)),
        }
    }
}

/// One row: a field of `A` as the planner sees it.
pub struct FieldRow<A> {
    pub change: Change,
    pub in_global: InGlobal,
    pub shrink: Shrink,
    pub alone: bool,
    pub with: Option<&'static str>,
    pub way: Option<fn(&A, &A) -> ChangePath>,
    pub common: bool,
    pub at_birth: bool,
    pub lowers: Option<Reduction>,
    /// Whether the first is set and not satisfied by the second; the third says whether what is not told satisfies.
    pub differs: fn(&A, &A, bool) -> bool,
}

/// Writes the rows of a struct: `field => Change;` or `field => Change { column: value, ... };`, in the order of the fields.
macro_rules! rows {
    ($(
        $(#[doc = $doc:literal])+
        $rows:ident of $attrs:ident {
            $( $field:ident => $change:ident $({ $($column:ident : $value:expr),+ $(,)? })? ; )+
        }
    )+) => {$(
        $(#[doc = $doc])+
        pub(super) const $rows: &[super::row::FieldRow<$attrs>] = {
            use super::row::{Columns, FieldRow};
            // Names every field, so that one without a row does not compile.
            const fn names_all($attrs { $($field: _),+ }: &$attrs) {}
            let _ = names_all;
            assert!(
                rgctl_schema::table::names_fields::<$attrs>(&[$(stringify!($field)),+]),
                "the rows stand in another order than the fields"
            );
            &[$({
                let columns = Columns { $($($column: super::row::column!($column, $value),)+)? ..Columns::PLAIN };
                let columns = columns.of(|attrs: &$attrs| &attrs.$field);
                let change = rgctl_schema::table::Change::$change;
                // What interrupts waits for the end of a freeze whatever its value.
                assert!(
                    columns.lowers.is_some() || !super::row::serves(change),
                    "a field that changes while its object serves says in the column `lowers` what would be less"
                );
                FieldRow {
                    change,
                    in_global: columns.in_global,
                    shrink: columns.shrink,
                    alone: columns.alone,
                    with: columns.with,
                    way: columns.way,
                    common: columns.common,
                    at_birth: columns.at_birth,
                    lowers: columns.lowers,
                    differs: |wanted: &$attrs, seen: &$attrs, if_told| {
                        let columns =
                            Columns { $($($column: super::row::column!($column, $value),)+)? ..Columns::PLAIN };
                        let columns = columns.of(|attrs: &$attrs| &attrs.$field);
                        columns.differs(wanted.$field.as_ref(), seen.$field.as_ref(), if_told)
                            && !columns.at_birth
                            && !columns.instead.is_some_and(|instead| instead(wanted, seen))
                    },
                }
            },)+]
        };
    )+};
}

/// The value of a column as the macro writes it.
macro_rules! column {
    (same, $value:expr) => {
        Some($value)
    };
    (none, $value:expr) => {
        Some($value)
    };
    (with, $value:expr) => {
        Some($value)
    };
    (way, $value:expr) => {
        Some($value)
    };
    (instead, $value:expr) => {
        Some($value)
    };
    (lowers, $value:expr) => {
        Some($value)
    };
    ($other:ident, $value:expr) => {
        $value
    };
}
pub(super) use {column, rows};

/// How long everything is expected to last that can happen to an object of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From the call until ready.
    pub create: DurationEstimate,
    /// From the call until gone.
    pub delete: DurationEstimate,
    /// A change in place.
    pub in_place: DurationEstimate,
    /// A change with data moving while serving.
    pub online: DurationEstimate,
    /// A change with a restart, as a whole.
    pub restart: DurationEstimate,
    /// The part of it in which the object does not answer.
    pub restart_outage: DurationEstimate,
    /// A change with a failover, as a whole.
    pub failover: DurationEstimate,
    /// The part of a failover in which writes fail.
    pub failover_outage: DurationEstimate,
    /// A change that stops writes for its whole length.
    pub resize: DurationEstimate,
}

impl Timing {
    /// How long a change takes as a whole.
    pub const fn of(&self, change: Change) -> DurationEstimate {
        match change {
            Change::InPlace => self.in_place,
            Change::Online => self.online,
            Change::Restart => self.restart,
            Change::Failover => self.failover,
            Change::Resize => self.resize,
            Change::Replace => self.create,
        }
    }

    /// How long writes fail because of a change to an object that takes writes.
    pub const fn write_outage(&self, change: Change) -> DurationEstimate {
        match change {
            Change::InPlace | Change::Online => DurationEstimate::new(0, 0),
            Change::Restart => self.restart_outage,
            Change::Failover => self.failover_outage,
            Change::Resize => self.resize,
            Change::Replace => self.create,
        }
    }
}

/// Changes of size that a service cannot always make in the kind's usual time.
#[derive(Clone, Copy, Debug)]
pub struct SlowResize {
    /// How long the slowest of them takes.
    pub slowest: DurationEstimate,
    /// How long it takes from the first to the second; nothing where the usual time is enough, or nothing is resized.
    pub lasts: fn(&AnyAttrs, &AnyAttrs) -> Option<DurationEstimate>,
}

/// In which order members take the write role: the least first, then by name.
#[derive(Clone, Copy, Debug)]
pub struct Promotion {
    /// The field that says a member's place.
    pub field: &'static str,
    /// The place of a member that has none.
    pub unset: u64,
}

/// What to do about an object that shows a certain word of failure.
#[derive(Clone, Copy, Debug)]
pub struct Remedy(pub &'static str, pub &'static str);

/// What is believed of a kind as a whole.
#[allow(clippy::struct_excessive_bools, reason = "most columns of a table are switches")]
#[derive(Clone, Copy, Debug)]
pub struct KindRow {
    /// Durations.
    pub timing: Timing,
    /// Changes of size that take longer.
    pub slow_resize: Option<SlowResize>,
    /// Whether a parent's write role can be moved among such members by a failover call.
    pub takes_failover: bool,
    /// Changes to the object need its members to be ready, and the other way round: one mutation at a time.
    pub exclusive_with_members: bool,
    /// Fields that no call which makes such an object carries: they are changed once it is there.
    pub after_birth: &'static [&'static str],
    /// Of a global kind: whether its primary must leave it, too, before it can be deleted.
    pub primary_leaves: bool,
    /// The field that pauses the object, which is then stopped as wanted; `false` wakes it.
    pub pause: Option<&'static str>,
    /// The order in which members take the write role.
    pub promotion: Option<Promotion>,
    /// Whether such an object keeps the tags that it was made with: no call is known that takes one away.
    pub keeps_tags: bool,
    /// Whether a call restarts such an object, and nothing else.
    pub takes_reboot: bool,
    /// Of a parameter group: whether a parameter of a family takes effect only when what uses the group restarts.
    pub at_restart: fn(&str, &str) -> bool,
    /// The switch that is off before a global object is made from such an object: no member of one has it on.
    pub outside_global: Option<&'static str>,
    /// What to do about a failure, by the service's word for it.
    pub remedies: &'static [Remedy],
}

/// What changing each field does.
pub fn named<A: Attrs>(rows: &[FieldRow<A>]) -> Vec<(&'static str, Change)> {
    A::FIELDS.iter().zip(rows).map(|(field, row)| (field.name, row.change)).collect()
}

/// What becomes of a field in a global object.
pub fn in_global<A: Attrs>(rows: &[FieldRow<A>], name: &str) -> InGlobal {
    let found = A::FIELDS.iter().zip(rows).find(|(field, _)| field.name == name);
    found.map_or(InGlobal::Usual, |(_, row)| row.in_global)
}

/// The fields that are taken at birth only and are otherwise than wished: each with what it is, and what is wished.
pub fn born_otherwise<A: Attrs>(
    rows: &[FieldRow<A>],
    wanted: &A,
    seen: &A,
) -> Vec<(&'static str, Value, Value)> {
    let at_birth = A::FIELDS.iter().zip(rows).filter(|(_, row)| row.at_birth);
    let both = at_birth.filter_map(|(field, _)| Some((field.name, (field.get)(seen)?, (field.get)(wanted)?)));
    both.filter(|(_, before, after)| before != after).collect()
}

/// The fields that differ, each with its row.
pub fn compared<'a, A: Attrs>(
    rows: &'a [FieldRow<A>],
    wanted: &'a A,
    seen: &'a A,
) -> impl Iterator<Item = (&'static Field<A>, &'a FieldRow<A>)> {
    let pairs = A::FIELDS.iter().zip(rows);
    pairs.filter(move |(field, row)| !field.unseen && (row.differs)(wanted, seen, field.if_told))
}

/// The changes by which the second becomes as the first wants.
pub fn differing<A: Attrs>(rows: &[FieldRow<A>], wanted: &A, seen: &A) -> Vec<FieldChange> {
    compared(rows, wanted, seen).map(|(field, row)| change_of(field, row, wanted, seen)).collect()
}

fn change_of<A: Attrs>(field: &Field<A>, row: &FieldRow<A>, wanted: &A, seen: &A) -> FieldChange {
    let (change, through) = match row.way.map_or(ChangePath::Direct, |way| way(wanted, seen)) {
        ChangePath::Direct => (row.change, None),
        ChangePath::Through(value) => (row.change, Some(value)),
        ChangePath::Anew => (Change::Replace, None),
    };
    let is_through = through.is_some();
    let before = (field.get)(seen);
    let after = through.or_else(|| (field.get)(wanted)).unwrap_or(Value::Null);
    let shrinks = row.shrink == Shrink::BoundByUse && is_smaller(&after, before.as_ref());
    // What interrupts is judged by that.
    let lowers = serves(change) && row.lowers.unwrap_or(Reduction::Any).judge(before.as_ref(), &after);
    FieldChange {
        field: field.name.to_owned(),
        before: before.map(|value| if field.secret { Value::from(HIDDEN) } else { value }),
        after: if field.secret { Value::from(HIDDEN) } else { after },
        change,
        alone: row.alone,
        with: row.with.map(str::to_owned),
        through: is_through,
        shrinks,
        common: row.common,
        lowers,
    }
}

/// Whether the fields of the second can be brought back from there to what they are in the first, in place.
pub fn leads_back<A: Attrs>(rows: &[FieldRow<A>], before: &A, after: &A) -> bool {
    let changed = A::FIELDS.iter().zip(rows).filter(|(field, _)| (field.get)(before) != (field.get)(after));
    let mut ways = changed.map(|(_, row)| {
        let way = row.way.map_or(ChangePath::Direct, |way| way(before, after));
        row.change != Change::Replace && way != ChangePath::Anew
    });
    ways.all(|leads| leads)
}

/// Whether the object serves while such a change takes effect.
pub const fn serves(change: Change) -> bool {
    matches!(change, Change::InPlace | Change::Online)
}

fn is_smaller(after: &Value, before: Option<&Value>) -> bool {
    match (after.as_f64(), before.and_then(Value::as_f64)) {
        (Some(after), Some(before)) => after < before,
        _ => false,
    }
}
