//! What a row of the embedded cloud's tables says: of a field, and of a kind as a whole.

use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::{DurationEstimate, Meaning};
use rgctl_schema::time::Span;

/// What changing a field of an object that is there does to it. Ordered from harmless to severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeEffect {
    /// Effect while the object serves, soon.
    InPlace,
    /// Effect while the object serves; data moves first.
    Online,
    /// A restart of the object.
    Restart,
    /// A move of the write role, or a restart of all members.
    Failover,
    /// A time without writes until all data has been redistributed.
    Resize,
    /// No effect: the service has no call for it, or refuses it.
    Fixed,
}

/// A field of objects with the attributes `A`.
pub struct Row<A> {
    pub name: &'static str,
    pub takes: ChangeEffect,
    /// Whether the service tells the value back.
    pub told: bool,
    /// Whether the service has a call for this field that takes no other.
    pub alone: bool,
    /// The one field that goes in the same call all the same.
    pub with: Option<&'static str>,
    /// Whether the service takes it of a member of a global object, too.
    pub of_member: bool,
    /// Whether the service refuses to get from the second to the first.
    pub refused: fn(&A, &A) -> bool,
    /// Whether the first names a value which is not the one that the second has.
    pub differs: fn(&A, &A) -> bool,
    pub copy: fn(&mut A, &A),
}

/// A field that a call asks to change.
#[derive(Clone, Copy, Debug)]
pub struct RequestedChange {
    pub field: &'static str,
    pub takes: ChangeEffect,
    pub alone: bool,
    pub with: Option<&'static str>,
    pub of_member: bool,
}

/// The value in a column, or what stands in its place.
macro_rules! given {
    (, $default:expr) => {
        $default
    };
    ($given:expr, $default:expr) => {
        $given
    };
}

/// Writes the rows of a struct: `field => Takes` and, where they differ from the usual, in this order `same` (what the
/// service takes for one value), `refused` (ways it does not go), `alone`, `with`, `of_member`, `told`.
macro_rules! rows {
    ($(
        $(#[doc = $doc:literal])+
        $rows:ident of $attrs:ident {
            $(
                $field:ident => $takes:ident
                $(, same: $same:ident)? $(, refused: $refused:ident)? $(, alone: $alone:literal)?
                $(, with: $with:literal)? $(, of_member: $of_member:literal)? $(, told: $told:literal)? ;
            )+
        }
    )+) => {$(
        $(#[doc = $doc])+
        pub const $rows: &[super::row::Row<$attrs>] = {
            use super::row::{Row, ChangeEffect, equal, given};
            // Names every field, so that one without a row does not compile.
            const fn names_all($attrs { $($field: _),+ }: &$attrs) {}
            let _ = names_all;
            assert!(
                rgctl_schema::table::names_fields::<$attrs>(&[$(stringify!($field)),+]),
                "the rows stand in another order than the fields"
            );
            &[$(
                Row {
                    name: stringify!($field),
                    takes: ChangeEffect::$takes,
                    told: given!($($told)?, true),
                    alone: given!($($alone)?, false),
                    with: given!($(Some($with))?, None),
                    of_member: given!($($of_member)?, true),
                    refused: given!($($refused)?, |_, _| false),
                    differs: |asked, has| match (&asked.$field, &has.$field) {
                        (None, _) => false,
                        (Some(_), None) => true,
                        (Some(asked), Some(has)) => !given!($($same)?, equal)(asked, has),
                    },
                    copy: |to, from| to.$field.clone_from(&from.$field),
                },
            )+]
        };
    )+};
}
pub(super) use {given, rows};

/// Whether two values are one.
pub fn equal<T: PartialEq>(asked: &T, has: &T) -> bool {
    asked == has
}

/// A status word and what it means.
pub struct Word(pub &'static str, pub Meaning);

/// How long it takes; median and 95th percentile.
pub struct Durations {
    /// From the call until ready.
    pub create: DurationEstimate,
    /// From the call until gone.
    pub delete: DurationEstimate,
    /// A change in place.
    pub in_place: DurationEstimate,
    /// A change with data moving.
    pub online: DurationEstimate,
    /// A change with a restart, as a whole.
    pub restart: DurationEstimate,
    /// The part of it without an answer.
    pub restart_outage: DurationEstimate,
    /// A change with a failover, as a whole.
    pub failover: DurationEstimate,
    /// The part of it without writes.
    pub failover_outage: DurationEstimate,
    /// A change without writes, as a whole.
    pub resize: DurationEstimate,
}

impl Durations {
    /// How long a change lasts as a whole.
    pub const fn of(&self, takes: ChangeEffect) -> DurationEstimate {
        match takes {
            ChangeEffect::InPlace => self.in_place,
            ChangeEffect::Online => self.online,
            ChangeEffect::Restart => self.restart,
            ChangeEffect::Failover => self.failover,
            ChangeEffect::Resize => self.resize,
            ChangeEffect::Fixed => DurationEstimate::new(0, 0),
        }
    }

    /// For how long of it writes fail.
    pub const fn outage(&self, takes: ChangeEffect) -> DurationEstimate {
        match takes {
            ChangeEffect::InPlace | ChangeEffect::Online | ChangeEffect::Fixed => DurationEstimate::new(0, 0),
            ChangeEffect::Restart => self.restart_outage,
            ChangeEffect::Failover => self.failover_outage,
            ChangeEffect::Resize => self.resize,
        }
    }
}

/// Codes of refusals, as they travel on the wire. Source: the services' API models, declared errors.
pub struct Codes {
    /// The object is in a state that refuses the call.
    pub state: &'static str,
    /// More objects than the account may have.
    pub quota: &'static str,
    /// No capacity of that class now.
    pub capacity: &'static str,
    /// Values that do not go together, or with the object.
    pub combination: &'static str,
    /// More nodes than one object may have.
    pub nodes: &'static str,
    /// Another object uses it.
    pub in_use: &'static str,
    /// Name of the snapshot is taken.
    pub snapshot_exists: &'static str,
    /// The role cannot be moved.
    pub failover: &'static str,
    /// The global object, or the object's membership in it, refuses the call.
    pub global_state: &'static str,
}

/// What the service does when an object is to be deleted that others name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhileNamed {
    /// It refuses.
    Stays,
    /// It knows nothing of them.
    Goes,
}

/// What the service does with an object that is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhileStopped {
    /// It is started, and nothing else.
    Stays,
    /// It is deleted, too, once it has no members.
    Goes,
}

/// A value that the service takes once in a while only.
#[derive(Clone, Copy)]
pub struct OnceInAWhile {
    /// Of which field.
    pub field: &'static str,
    /// Which value; every other one is taken at any time.
    pub value: &'static str,
    /// How long after it was given it is not taken again.
    pub lasts: Span,
    /// What the service refuses it with.
    pub code: &'static str,
}

/// How objects of a kind behave as a whole.
pub struct Behaviour {
    /// How long it takes.
    pub durations: Durations,
    /// Every status word that the service documents; the first that means ready is that of an object at rest.
    pub words: &'static [Word],
    /// What the service refuses with.
    pub codes: Codes,
    /// The field that makes the service refuse a deletion. It is in effect at once.
    pub protection: Option<&'static str>,
    /// Whether the write role moves by a call.
    pub takes_failover: bool,
    /// Whether a change needs the members to be at rest, and theirs needs the object to be.
    pub one_at_a_time: bool,
    /// Lists that the call which makes it does not carry: it begins without.
    pub after_birth: &'static [&'static str],
    /// Whether it is deleted while it is stopped.
    pub while_stopped: WhileStopped,
    /// How long it stays stopped, where the service starts it by itself.
    pub starts_after: Option<Span>,
    /// The value that the service takes once in a while only.
    pub cool_down: Option<OnceInAWhile>,
    /// Of an object that spans regions: whether its primary leaves it before it can be deleted.
    pub primary_leaves: bool,
    /// Of an object that spans regions: how the names of the parameter groups begin that the service makes for its members.
    pub parameter_groups: Option<&'static str>,
    /// Fields that members of a global object have in common: they are changed at its primary, for all of them.
    pub common: &'static [&'static str],
    /// The field with a version that the service gives to a primary only when all secondaries of its global object have it.
    pub secondaries_first: Option<&'static str>,
    /// Of a parameter group: whether a parameter of a family takes effect only when what uses the group restarts.
    pub at_restart: fn(&str, &str) -> bool,
    /// The switch that no member of a global object may have on.
    pub outside_global: Option<&'static str>,
    /// Whether it is deleted while other objects name it.
    pub while_named: WhileNamed,
    /// The family that its parameter groups have to be of, by its engine and version.
    pub parameter_family: fn(&AnyAttrs) -> Option<String>,
    /// How long a change of size lasts which the service cannot make in the usual time; nothing where it can.
    pub slow_resize: fn(&AnyAttrs, &AnyAttrs) -> Option<DurationEstimate>,
}
