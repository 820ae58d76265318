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
pub(super) mod hosts;
mod parameters;
pub(super) mod quotas;
mod rds_like;
mod redshift;
mod row;
mod secret;
mod shared;

use rgctl_model::kinds::facts::{Endpoint, Meaning};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_schema::phase::Phase;

use row::{Behaviour, Row};
pub(super) use row::{ChangeEffect, RequestedChange, WhileNamed, WhileStopped, Word};

/// The registry: one line a kind.
macro_rules! tables {
    ($($kind:ident: $rows:expr, $behaviour:expr;)+) => {
        /// How objects of a kind behave.
        pub(super) const fn of(kind: KindId) -> &'static Behaviour {
            match kind { $(KindId::$kind => const { &$behaviour }),+ }
        }

        /// The fields in which the first asks for something that the second is not.
        pub(super) fn asked(wanted: &AnyAttrs, has: &AnyAttrs) -> Vec<RequestedChange> {
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
    Secret: secret::SECRET_ROWS, secret::SECRET;
}

fn differing<A>(rows: &[Row<A>], wanted: &A, has: &A) -> Vec<RequestedChange> {
    let differing = rows.iter().filter(|row| row.told && (row.differs)(wanted, has));
    differing
        .map(|row| {
            let takes = if (row.refused)(wanted, has) { ChangeEffect::Fixed } else { row.takes };
            let Row { alone, with, of_member, .. } = *row;
            RequestedChange { field: row.name, takes, alone, with, of_member }
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

/// What a status word means for an object of a kind. Something outside rgctl may have made it show a word that no service has.
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
        // Published: 50 a second for calls that make and change secrets.
        Endpoint::SecretsManager => ApiBudget { burst: 50, per_second: 50 },
    }
}
