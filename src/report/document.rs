//! Documents for programs: JSON with the name and version of its format.

use serde::Serialize;
use serde_json::{Value, json};

/// Formats that programs may rely on. A field is never taken away under the same version.
pub mod format {
    /// Status.
    pub const STATUS: &str = "rgctl.dev/status/v2";
    /// Drift.
    pub const DRIFT: &str = "rgctl.dev/drift/v2";
    /// What was ordered of agents.
    pub const ORDERS: &str = "rgctl.dev/orders/v1";
    /// Cost.
    pub const COST: &str = "rgctl.dev/cost/v1";
    /// Where clients connect.
    pub const OUTPUTS: &str = "rgctl.dev/outputs/v1";
    /// History.
    pub const HISTORY: &str = "rgctl.dev/history/v1";
    /// Diagnostics.
    pub const DIAGNOSTICS: &str = "rgctl.dev/diagnostics/v1";
    /// What an import found, and the blueprint that it wrote.
    pub const IMPORT: &str = "rgctl.dev/import/v1";
    /// What a blueprint names and does not own.
    pub const NOT_OWNED: &str = "rgctl.dev/strangers/v1";
    /// What stands between a blueprint and its account.
    pub const DOCTOR: &str = "rgctl.dev/doctor/v1";
    /// Permissions that a blueprint needs.
    pub const IAM_POLICY: &str = "rgctl.dev/iam-policy/v2";
    /// Decisions, and what they come to.
    pub const DECISIONS: &str = "rgctl.dev/decisions/v1";
    /// A decision that was made, or withdrawn, and what it changed.
    pub const DECISION: &str = "rgctl.dev/decision/v1";
    /// The regions of a blueprint, and which are held out.
    pub const REGIONS: &str = "rgctl.dev/regions/v1";
    /// How a run ended.
    pub const OUTCOME: &str = "rgctl.dev/outcome/v1";
}

/// A report under the name of its format. Reports are plain data, which always serialises; what does not is told in
/// the document itself rather than left out.
pub fn document<T: Serialize>(format: &str, report: &T) -> Value {
    let mut document = json!({ "format": format });
    match serde_json::to_value(report) {
        Ok(Value::Object(fields)) => {
            if let Some(object) = document.as_object_mut() {
                object.extend(fields.into_iter().filter(|(name, _)| name != "format"));
            }
        }
        Ok(other) => document["items"] = other,
        Err(error) => document["error"] = Value::from(error.to_string()),
    }
    document
}
