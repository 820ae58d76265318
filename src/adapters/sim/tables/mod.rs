//! What the embedded cloud knows of each kind: words, codes, durations, and a row for each field.
//!
//! Goes in: facts about the services, one file a family. Comes out: [`of`] for a kind, [`asked`] and [`told`] for the
//! fields of its objects.
//!
//! **Invariant:** nothing here comes from what a planner believes: the kinds' names, types and shape are shared, no value
//! and no rule is. A wrong value of the planner's is met by a right one here, and the other way round.
//! **Invariant:** every field of every kind has a row; one that is forgotten does not compile.

mod aurora;
mod documentdb;
mod elasticache;
pub(super) mod quotas;
mod rds_like;
mod redshift;
mod shared;

use crate::kinds::facts::{Endpoint, Lasts, Meaning};
use crate::kinds::{AnyAttrs, KindId};
use crate::vocabulary::phase::Phase;

/// What changing a field of an object that is there does to it. Ordered from harmless to grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Takes {
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
pub(super) struct Row<A> {
    name: &'static str,
    takes: Takes,
    /// Whether the service tells the value back.
    told: bool,
    /// Whether the service has a call for this field that takes no other.
    alone: bool,
    /// The one field that goes in the same call all the same.
    with: Option<&'static str>,
    /// Whether the service refuses to get from the second to the first.
    refused: fn(&A, &A) -> bool,
    /// Whether the first names a value which is not the one that the second has.
    differs: fn(&A, &A) -> bool,
    copy: fn(&mut A, &A),
}

/// A field that a call asks to change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub field: &'static str,
    pub takes: Takes,
    pub alone: bool,
    pub with: Option<&'static str>,
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
/// service takes for one value), `refused` (ways it does not go), `alone`, `with`, `told`.
macro_rules! rows {
    ($(
        $(#[doc = $doc:literal])+
        $rows:ident of $attrs:ident {
            $(
                $field:ident => $takes:ident
                $(, same: $same:ident)? $(, refused: $refused:ident)? $(, alone: $alone:literal)?
                $(, with: $with:literal)? $(, told: $told:literal)? ;
            )+
        }
    )+) => {$(
        $(#[doc = $doc])+
        pub(super) const $rows: &[super::Row<$attrs>] = {
            use super::{Row, Takes, equal, given};
            // Names every field, so that one without a row does not compile.
            const fn names_all($attrs { $($field: _),+ }: &$attrs) {}
            let _ = names_all;
            assert!(
                crate::vocabulary::table::names_fields::<$attrs>(&[$(stringify!($field)),+]),
                "the rows stand in another order than the fields"
            );
            &[$(
                Row {
                    name: stringify!($field),
                    takes: Takes::$takes,
                    told: given!($($told)?, true),
                    alone: given!($($alone)?, false),
                    with: given!($(Some($with))?, None),
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
use {given, rows};

fn equal<T: PartialEq>(asked: &T, has: &T) -> bool {
    asked == has
}

/// A status word and what it means.
pub(super) struct Word(pub &'static str, pub Meaning);

/// How long it takes; median and 95th percentile.
pub(super) struct Durations {
    /// From the call until ready.
    pub create: Lasts,
    /// From the call until gone.
    pub delete: Lasts,
    /// A change in place.
    pub in_place: Lasts,
    /// A change with data moving.
    pub online: Lasts,
    /// A change with a restart, as a whole.
    pub restart: Lasts,
    /// The part of it without an answer.
    pub restart_outage: Lasts,
    /// A change with a failover, as a whole.
    pub failover: Lasts,
    /// The part of it without writes.
    pub failover_outage: Lasts,
    /// A change without writes, as a whole.
    pub resize: Lasts,
}

impl Durations {
    /// How long a change lasts as a whole.
    pub const fn of(&self, takes: Takes) -> Lasts {
        match takes {
            Takes::InPlace => self.in_place,
            Takes::Online => self.online,
            Takes::Restart => self.restart,
            Takes::Failover => self.failover,
            Takes::Resize => self.resize,
            Takes::Fixed => Lasts::new(0, 0),
        }
    }

    /// For how long of it writes fail.
    pub const fn outage(&self, takes: Takes) -> Lasts {
        match takes {
            Takes::InPlace | Takes::Online | Takes::Fixed => Lasts::new(0, 0),
            Takes::Restart => self.restart_outage,
            Takes::Failover => self.failover_outage,
            Takes::Resize => self.resize,
        }
    }
}

/// Codes of refusals, as they travel on the wire. Source: the services' API models, declared errors.
pub(super) struct Codes {
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

/// How objects of a kind behave as a whole.
pub(super) struct Behaviour {
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
    /// Of an object that spans regions: whether its primary leaves it before it can be deleted.
    pub primary_leaves: bool,
    /// How long a change of size lasts which the service cannot make in the usual time; nothing where it can.
    pub slow_resize: fn(&AnyAttrs, &AnyAttrs) -> Option<Lasts>,
}

/// The registry: one line a kind.
macro_rules! tables {
    ($($kind:ident: $rows:expr, $behaviour:expr;)+) => {
        /// How objects of a kind behave.
        pub(super) const fn of(kind: KindId) -> &'static Behaviour {
            match kind { $(KindId::$kind => const { &$behaviour }),+ }
        }

        /// The fields in which the first asks for something that the second is not.
        pub(super) fn asked(wanted: &AnyAttrs, has: &AnyAttrs) -> Vec<Asked> {
            match (wanted, has) {
                $((AnyAttrs::$kind(wanted), AnyAttrs::$kind(has)) => differing($rows, wanted, has),)+
                _ => Vec::new(),
            }
        }

        /// What the service tells back of such attributes.
        pub(super) fn told(attrs: &AnyAttrs) -> AnyAttrs {
            match attrs { $(AnyAttrs::$kind(attrs) => AnyAttrs::$kind(only_told($rows, attrs)),)+ }
        }
    };
}

tables! {
    RdsSubnetGroup: shared::SUBNET_GROUP, rds_like::SUBNET_GROUP;
    AuroraClusterParameters: shared::PARAMETERS, rds_like::PARAMETERS;
    AuroraInstanceParameters: shared::PARAMETERS, rds_like::PARAMETERS;
    AuroraGlobal: aurora::GLOBAL_ROWS, aurora::GLOBAL;
    AuroraCluster: aurora::CLUSTER_ROWS, aurora::CLUSTER;
    AuroraInstance: aurora::INSTANCE_ROWS, aurora::INSTANCE;
    AuroraSnapshot: shared::SNAPSHOT, rds_like::SNAPSHOT;
    DocumentClusterParameters: shared::PARAMETERS, rds_like::PARAMETERS;
    DocumentGlobal: documentdb::GLOBAL_ROWS, documentdb::GLOBAL;
    DocumentCluster: documentdb::CLUSTER_ROWS, documentdb::CLUSTER;
    DocumentInstance: documentdb::INSTANCE_ROWS, documentdb::INSTANCE;
    DocumentSnapshot: shared::SNAPSHOT, rds_like::SNAPSHOT;
    CacheSubnetGroup: shared::SUBNET_GROUP, elasticache::SUBNET_GROUP;
    CacheParameters: shared::PARAMETERS, elasticache::PARAMETERS;
    CacheUser: elasticache::USER_ROWS, elasticache::USER;
    CacheUserGroup: elasticache::USER_GROUP_ROWS, elasticache::USER_GROUP;
    CacheGlobal: elasticache::GLOBAL_ROWS, elasticache::GLOBAL;
    CacheGroup: elasticache::GROUP_ROWS, elasticache::GROUP;
    CacheServerless: elasticache::SERVERLESS_ROWS, elasticache::SERVERLESS;
    CacheSnapshot: shared::SNAPSHOT, elasticache::SNAPSHOT;
    RedshiftSubnetGroup: shared::SUBNET_GROUP, redshift::SUBNET_GROUP;
    RedshiftParameters: shared::PARAMETERS, redshift::PARAMETERS;
    RedshiftCluster: redshift::CLUSTER_ROWS, redshift::CLUSTER;
    RedshiftNamespace: redshift::NAMESPACE_ROWS, redshift::NAMESPACE;
    RedshiftWorkgroup: redshift::WORKGROUP_ROWS, redshift::WORKGROUP;
    RedshiftSnapshot: shared::SNAPSHOT, redshift::SNAPSHOT;
}

fn differing<A>(rows: &[Row<A>], wanted: &A, has: &A) -> Vec<Asked> {
    let differing = rows.iter().filter(|row| row.told && (row.differs)(wanted, has));
    differing
        .map(|row| {
            let takes = if (row.refused)(wanted, has) { Takes::Fixed } else { row.takes };
            Asked { field: row.name, takes, alone: row.alone, with: row.with }
        })
        .collect()
}

fn only_told<A: Default>(rows: &[Row<A>], attrs: &A) -> A {
    let mut told = A::default();
    for row in rows.iter().filter(|row| row.told) {
        (row.copy)(&mut told, attrs);
    }
    told
}

/// What a status word means for an object of a kind. Another hand may have made it show a word that no service has.
pub(super) fn phase(kind: KindId, native: &str) -> Phase {
    let known = of(kind).words.iter().find(|Word(word, _)| *word == native);
    known.map_or_else(|| Phase::Unknown(native.to_owned()), |Word(word, meaning)| meaning.phase(word))
}

/// The first of these words that the kind's service uses.
pub(super) fn word(kind: KindId, preferred: &[&str]) -> Option<&'static str> {
    let words = of(kind).words;
    preferred.iter().find_map(|want| {
        words.iter().find(|Word(word, _)| word.eq_ignore_ascii_case(want)).map(|Word(word, _)| *word)
    })
}

/// The first word of that meaning.
pub(super) fn word_of(kind: KindId, meaning: Meaning) -> Option<&'static str> {
    of(kind).words.iter().find(|Word(_, means)| *means == meaning).map(|Word(word, _)| *word)
}

/// The word of an object that serves.
pub(super) fn ready_word(kind: KindId) -> &'static str {
    word_of(kind, Meaning::Ready).unwrap_or("available")
}

/// Calls that one account may make to one endpoint in one region.
pub struct ApiBudget {
    /// Calls at once.
    pub burst: u32,
    /// Calls a second in the long run.
    pub per_second: u32,
}

/// The budget of calls. That of RDS is published; the others are not, and these are careful assumptions.
pub const fn budget(endpoint: Endpoint) -> ApiBudget {
    match endpoint {
        Endpoint::Rds => ApiBudget { burst: 300, per_second: 12 },
        Endpoint::ElastiCache | Endpoint::Redshift => ApiBudget { burst: 200, per_second: 10 },
        Endpoint::RedshiftServerless => ApiBudget { burst: 100, per_second: 5 },
    }
}
