//! Approvals: somebody's consent to a plan, by its digest, until a time, once.

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::meta::at;
use super::{Names, Spec};
use rgctl_model::policy::Consent;
use rgctl_schema::time::{Moment, Span};

/// The longest time from an approval to its end: who agreed a month ago agreed to another world.
pub const LASTS_MAX: Span = Span::from_days(7);

/// Somebody's consent to a plan. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalSpec {
    /// Name of the plan, in the same namespace.
    pub plan: String,
    /// Its digest, as the approver saw it.
    pub digest: String,
    /// Who approves: the user name that the API server knows. It refuses another one.
    pub approver: String,
    /// Losses that are agreed to, each by name, such as `delete:accounts@eu-west-1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<String>,
    /// Until when it may be begun.
    #[serde(with = "at")]
    pub expires: Moment,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Spec for ApprovalSpec {
    const NAMES: Names = Names {
        kind: "Approval",
        plural: "approvals",
        singular: "approval",
        short: &[],
        is_namespaced: true,
    };
    type Status = ApprovalStatus;
}

impl ApprovalSpec {
    /// The consents, or the first text that is none. One wrong consent takes all of them away.
    pub fn agreed(&self) -> Result<Vec<Consent>, String> {
        let parse = |text: &String| {
            Consent::parse(text).ok_or_else(|| {
                format!("`{text}` is no consent; write for example `delete:accounts@eu-west-1`")
            })
        };
        self.consents.iter().map(parse).collect()
    }
}

/// What became of an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApprovalStatus {
    /// The run that it was used for: it is good for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_by: Option<String>,
    /// What holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
