//! Where an object is in its life, in our words. Foreign status words are classified once, in `kinds`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of an object, whatever service it lives in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It does not exist.
    Absent,
    /// It is being made and cannot be used.
    Creating,
    /// It serves and accepts changes.
    Ready,
    /// It is in transition and refuses changes; whether it serves is in `serves`.
    Busy {
        /// Whether clients are served meanwhile.
        serves: bool,
    },
    /// It was stopped or paused on purpose, and can be started.
    Stopped,
    /// It is going away.
    Deleting,
    /// It will not get well by waiting; the text is the provider's status.
    Failed(String),
    /// A status word that this version does not know. Nothing is done to such an object.
    Unknown(String),
}

impl Phase {
    /// Whether time alone is expected to change the phase.
    pub const fn is_transitional(&self) -> bool {
        matches!(self, Self::Creating | Self::Busy { .. } | Self::Deleting)
    }
    /// Whether the object is gone, or on its way out.
    pub const fn is_going(&self) -> bool {
        matches!(self, Self::Absent | Self::Deleting)
    }
    /// Whether clients are certainly served.
    pub const fn serves(&self) -> bool {
        matches!(self, Self::Ready | Self::Busy { serves: true })
    }
    /// Whether changes are accepted.
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.pad("absent"),
            Self::Creating => f.pad("creating"),
            Self::Ready => f.pad("ready"),
            Self::Busy { serves: true } => f.pad("busy"),
            Self::Busy { serves: false } => f.pad("interrupted"),
            Self::Stopped => f.pad("stopped"),
            Self::Deleting => f.pad("deleting"),
            Self::Failed(why) => f.pad(&format!("failed ({why})")),
            Self::Unknown(word) => f.pad(&format!("unknown ({word})")),
        }
    }
}

/// What part an object plays among its siblings: an observed fact, never declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Accepts writes: the writer of a cluster, the primary of a global group.
    Writer,
    /// Serves reads, and can be promoted.
    Reader,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
        })
    }
}
