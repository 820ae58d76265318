//! Why a step is in a plan, in a form to compare and in words.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::scope::RecordId;
use rgctl_schema::names::Name;

/// Why a step is in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Reason {
    /// The blueprint wants it and it does not exist.
    Missing,
    /// It exists in another shape than the blueprint wants.
    Differs,
    /// It is ours, and the blueprint no longer wants it.
    Unwanted,
    /// A field can only be changed by making the object anew.
    MustReplace {
        /// The fields.
        fields: Vec<String>,
    },
    /// The write role moves so that the old writer can be changed without stopping writes for longer.
    WriterMovesFirst {
        /// The writer that is changed afterwards.
        writer: Name,
    },
    /// Everything of the blueprint is being removed.
    Destroy,
    /// The service would refuse the deletion otherwise.
    Unprotect,
    /// Tags of ownership were lost or changed outside rgctl; the record knows the object all the same.
    LostTags {
        /// Which tags.
        tags: Vec<String>,
    },
    /// It was made by a version that did not write the tag of its record.
    Unmarked,
    /// It is not ours, and a person said that it is from now on.
    TakenOver {
        /// The record that it belonged to, and that is given up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<RecordId>,
    },
    /// A decision wants less than what was held, or holds it no longer.
    Released,
    /// Parameters that it was given take effect when it restarts.
    ParametersWait,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("wanted and missing"),
            Self::Differs => f.write_str("differs from the blueprint"),
            Self::Unwanted => f.write_str("no longer in the blueprint"),
            Self::MustReplace { fields } => write!(f, "{} cannot be changed in place", fields.join(", ")),
            Self::WriterMovesFirst { writer } => {
                write!(f, "so that {writer} can change without holding up writes")
            }
            Self::Destroy => f.write_str("everything of the blueprint is removed"),
            Self::Unprotect => f.write_str("it could not be deleted otherwise"),
            Self::LostTags { tags } => {
                write!(f, "changed outside rgctl: {} lost or changed", tags.join(", "))
            }
            Self::Unmarked => f.write_str("made by a version that did not tag its record"),
            Self::TakenOver { .. } => f.write_str("taken over on consent"),
            Self::ParametersWait => f.write_str("parameters take effect when it restarts"),
            Self::Released => f.write_str("a decision wants less, or holds it no longer"),
        }
    }
}
