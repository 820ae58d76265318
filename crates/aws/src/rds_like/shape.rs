//! One shape for the clusters and instances of both families.
//!
//! The fields of DocumentDB are a subset of Aurora's, so its attributes travel in Aurora's struct, with the engine
//! left out, and one codec serves both.

use rgctl_model::kinds::aurora::{self, StorageKind};
use rgctl_model::kinds::documentdb;

macro_rules! carry {
    ($from:expr => $to:ty { $($field:ident),+ $(,)? }) => {{
        let from = $from;
        #[allow(clippy::needless_update, reason = "one of the two structs has more fields than are carried")]
        { <$to>::from_fields(|to| { $( to.$field.clone_from(&from.$field); )+ }) }
    }};
}

/// Makes a default and lets the caller fill it in.
trait FromFields: Default {
    fn from_fields(fill: impl FnOnce(&mut Self)) -> Self {
        let mut made = Self::default();
        fill(&mut made);
        made
    }
}
impl<T: Default> FromFields for T {}

macro_rules! cluster_fields {
    ($from:expr => $to:ty) => {
        carry!($from => $to {
            engine_version, parameter_group, subnet_group, security_groups, port, storage_encrypted, kms_key,
            storage_kind, backup_retention_days, backup_window, maintenance_window, deletion_protection,
            master_username, managed_password, master_secret, master_secret_arn, log_exports, global,
        })
    };
}
macro_rules! instance_fields {
    ($from:expr => $to:ty) => {
        carry!($from => $to {
            cluster, class, promotion_tier, zone, auto_minor_version_upgrade, performance_insights,
            ca_certificate,
        })
    };
}

/// A DocumentDB cluster in Aurora's struct.
pub fn cluster_in(from: &documentdb::ClusterAttrs) -> aurora::ClusterAttrs {
    let mut to = cluster_fields!(from => aurora::ClusterAttrs);
    // One structure at the service; the two families call its unit by names of their own.
    to.serverless_min_half_acu = from.serverless_min_half_dcu;
    to.serverless_max_half_acu = from.serverless_max_half_dcu;
    to
}

/// The way back.
pub fn cluster_out(from: &aurora::ClusterAttrs) -> documentdb::ClusterAttrs {
    let mut to = cluster_fields!(from => documentdb::ClusterAttrs);
    to.serverless_min_half_dcu = from.serverless_min_half_acu;
    to.serverless_max_half_dcu = from.serverless_max_half_acu;
    to
}

/// A DocumentDB instance in Aurora's struct.
pub fn instance_in(from: &documentdb::InstanceAttrs) -> aurora::InstanceAttrs {
    instance_fields!(from => aurora::InstanceAttrs)
}

/// The way back.
pub fn instance_out(from: &aurora::InstanceAttrs) -> documentdb::InstanceAttrs {
    instance_fields!(from => documentdb::InstanceAttrs)
}

/// How the service calls a way of billing storage: the two families have words of their own.
pub const fn storage_word(kind: StorageKind, document: bool) -> &'static str {
    match (kind, document) {
        (StorageKind::Standard, false) => "aurora",
        (StorageKind::IoOptimized, false) => "aurora-iopt1",
        (StorageKind::Standard, true) => "standard",
        (StorageKind::IoOptimized, true) => "iopt1",
    }
}

/// The way of billing storage that a word of the service stands for; clusters that never chose one say nothing.
pub fn storage_kind(word: Option<&str>) -> StorageKind {
    match word {
        Some("aurora-iopt1" | "iopt1") => StorageKind::IoOptimized,
        _ => StorageKind::Standard,
    }
}

/// How the service calls it whether a cluster may go on with a version that is past the end of standard support.
pub const fn lifecycle_word(extended: bool) -> &'static str {
    if extended { "open-source-rds-extended-support" } else { "open-source-rds-extended-support-disabled" }
}

/// The way back; of another word nobody knows.
pub fn lifecycle(word: Option<&str>) -> Option<bool> {
    [true, false].into_iter().find(|extended| word == Some(lifecycle_word(*extended)))
}

/// Capacity units from halves.
pub fn units(halves: u32) -> f64 {
    f64::from(halves) / 2.0
}

/// Halves from capacity units.
pub fn halves(units: f64) -> u32 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the service's range is 0 to 256"
    )]
    let halves = (units * 2.0).round().max(0.0) as u32;
    halves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_document_cluster_travels_both_ways() {
        use rgctl_schema::table::Attrs;
        for field in documentdb::ClusterAttrs::FIELDS {
            let mut one = documentdb::ClusterAttrs::default();
            let value = match field.type_name {
                "bool" => serde_json::json!(true),
                "u16" | "u32" => serde_json::json!(3),
                "BTreeSet<String>" => serde_json::json!(["x"]),
                "StorageKind" => serde_json::json!("io-optimized"),
                _ => serde_json::json!("x"),
            };
            (field.set)(&mut one, Some(value)).unwrap();
            assert_eq!(cluster_out(&cluster_in(&one)), one, "{}", field.name);
        }
    }

    #[test]
    fn halves_of_capacity_units_are_exact() {
        for half in [0, 1, 3, 256] {
            assert_eq!(halves(units(half)), half);
        }
    }
}
