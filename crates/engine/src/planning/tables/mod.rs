//! What the planner believes of each kind: what changing a field does and how it is asked for, what it disturbs, and how
//! long that lasts.
//!
//! Goes in: facts about the services, one file a family. Comes out: [`of`] for a kind, [`diff`] for two objects of one.
//!
//! **Invariant:** the kinds' own tables say what there is; these say what happens to it. The embedded cloud has tables of
//! its own and reads none of these, so that a wrong row here is met by a right one there.
//! **Invariant:** every field of every kind has a row; one that is forgotten, or stands elsewhere, does not compile.

mod aurora;
mod documentdb;
mod elasticache;
mod parameters;
pub(super) mod quotas;
mod rds_like;
mod redshift;
mod row;
mod secret;
mod shared;

use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_schema::table::{Change, FieldChange};
use serde_json::Value;

pub use row::{ChangePath, InGlobal, KindRow, Promotion, Reduction, Remedy, Shrink, SlowResize, Timing};

use row::{compared, differing, named};

/// The registry: one line a kind.
macro_rules! tables {
    ($($kind:ident: $rows:expr, $row:expr;)+) => {
        /// What is believed of a kind as a whole.
        pub const fn of(kind: KindId) -> &'static KindRow {
            match kind { $(KindId::$kind => const { &$row }),+ }
        }

        /// The fields in which `seen` does not satisfy `wanted`; all of none when the kinds differ. Fields that are unset in
        /// `wanted`, or that the service does not tell, are not compared.
        pub fn diff(wanted: &AnyAttrs, seen: &AnyAttrs) -> Vec<FieldChange> {
            match (wanted, seen) {
                $((AnyAttrs::$kind(wanted), AnyAttrs::$kind(seen)) => differing($rows, wanted, seen),)+
                _ => Vec::new(),
            }
        }

        /// Whether `seen` satisfies `wanted` in every field; cheaper than an empty `diff`.
        pub fn is_satisfied(wanted: &AnyAttrs, seen: &AnyAttrs) -> bool {
            match (wanted, seen) {
                $((AnyAttrs::$kind(wanted), AnyAttrs::$kind(seen)) => {
                    compared($rows, wanted, seen).next().is_none()
                })+
                _ => false,
            }
        }

        /// What the second was made as, and the first wishes otherwise: field, what it is, what is wished.
        pub fn born_otherwise(wanted: &AnyAttrs, seen: &AnyAttrs) -> Vec<(&'static str, Value, Value)> {
            match (wanted, seen) {
                $((AnyAttrs::$kind(wanted), AnyAttrs::$kind(seen)) => row::born_otherwise($rows, wanted, seen),)+
                _ => Vec::new(),
            }
        }

        /// Whether the service brings an object back in place from the second to the first. No engine returns to an older
        /// version.
        pub fn leads_back(before: &AnyAttrs, after: &AnyAttrs) -> bool {
            match (before, after) {
                $((AnyAttrs::$kind(before), AnyAttrs::$kind(after)) => row::leads_back($rows, before, after),)+
                _ => false,
            }
        }

        /// What becomes of a field of an object while that is a member of a global object.
        pub fn in_global(kind: KindId, field: &str) -> InGlobal {
            match kind { $(KindId::$kind => row::in_global($rows, field),)+ }
        }

        /// What changing each field of a kind does, in the order of the kind's table.
        pub fn changes(kind: KindId) -> Vec<(&'static str, Change)> {
            match kind { $(KindId::$kind => named($rows),)+ }
        }
    };
}

tables! {
    RdsSubnetGroup: shared::SUBNET_GROUP, shared::PLAIN;
    AuroraClusterParameters: shared::PARAMETERS, parameters::RDS_LIKE;
    AuroraInstanceParameters: shared::PARAMETERS, parameters::RDS_LIKE;
    AuroraGlobal: aurora::GLOBAL_ROWS, aurora::GLOBAL;
    AuroraCluster: aurora::CLUSTER_ROWS, aurora::CLUSTER;
    AuroraInstance: aurora::INSTANCE_ROWS, aurora::INSTANCE;
    AuroraSnapshot: shared::SNAPSHOT, shared::PLAIN;
    DocumentClusterParameters: shared::PARAMETERS, parameters::RDS_LIKE;
    DocumentGlobal: documentdb::GLOBAL_ROWS, documentdb::GLOBAL;
    DocumentCluster: documentdb::CLUSTER_ROWS, documentdb::CLUSTER;
    DocumentInstance: documentdb::INSTANCE_ROWS, documentdb::INSTANCE;
    DocumentSnapshot: shared::SNAPSHOT, shared::PLAIN;
    CacheSubnetGroup: shared::SUBNET_GROUP, shared::PLAIN;
    CacheParameters: shared::PARAMETERS, shared::PLAIN;
    CacheUser: elasticache::USER_ROWS, elasticache::USER;
    CacheUserGroup: elasticache::USER_GROUP_ROWS, elasticache::USER;
    CacheGlobal: elasticache::GLOBAL_ROWS, elasticache::GLOBAL;
    CacheGroup: elasticache::GROUP_ROWS, elasticache::GROUP;
    CacheServerless: elasticache::SERVERLESS_ROWS, elasticache::SERVERLESS;
    CacheSnapshot: shared::SNAPSHOT, shared::PLAIN;
    RedshiftSubnetGroup: shared::SUBNET_GROUP, shared::PLAIN;
    RedshiftParameters: shared::PARAMETERS, parameters::REDSHIFT;
    RedshiftCluster: redshift::CLUSTER_ROWS, redshift::CLUSTER;
    RedshiftNamespace: redshift::NAMESPACE_ROWS, redshift::SERVERLESS;
    RedshiftWorkgroup: redshift::WORKGROUP_ROWS, redshift::SERVERLESS;
    RedshiftSnapshot: shared::SNAPSHOT, shared::PLAIN;
    Secret: secret::SECRET_ROWS, secret::SECRET;
}
