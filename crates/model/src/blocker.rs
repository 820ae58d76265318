//! What is not done, and why.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::address::Address;
use super::overlay::HoldOut;
use rgctl_schema::phase::Phase;

/// Why nothing is done about an object although something is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "waiting_for", rename_all = "snake_case")]
pub enum Blocker {
    /// It is in transition.
    Transition {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
        /// In which phase it is.
        phase: Phase,
        /// The service's word.
        native: String,
    },
    /// It has accepted values that are not in effect yet.
    Pending {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
        /// Which fields.
        fields: Vec<String>,
    },
    /// It will not get well by waiting; a person must act.
    Broken {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
        /// In which phase it is.
        phase: Phase,
        /// What to do.
        remedy: String,
    },
    /// It exists and belongs to somebody else; taking it over needs `import`.
    Foreign {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
        /// Whose it is, when it says so.
        owner: Option<String>,
        /// Why it is not ours although it may look so, and what a person does about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<String>,
    },
    /// It is not ours, and is bound to an object of ours: a member of it, a user of it, or the global object around it.
    ForeignMember {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
        /// The object of ours.
        of: Address,
        /// Whose it is, when it says so.
        owner: Option<String>,
    },
    /// Part of the world could not be seen.
    Unseen {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
        /// Why.
        why: String,
        /// Whether time will not show it: a permission is missing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lasting: bool,
    },
    /// It was made with another key than the blueprint names, by an alias: nobody tells which keys the two stand for.
    OtherKey {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
        /// The key that it was made with, as it was named then.
        before: String,
        /// The alias that is named now.
        after: String,
    },
    /// It was made otherwise than is wished now, in something that the service takes when an object is made and never after.
    BornOtherwise {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
        /// In which field.
        field: String,
        /// What it is.
        before: Value,
        /// What is wished.
        after: Value,
    },
    /// It is no longer wanted, and the blueprint said to keep it.
    Retained {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
    },
    /// It would be removed or replaced, and cannot go while a global object stays of which it is the primary.
    Bound {
        /// Which object.
        #[serde(rename = "at")]
        address: Address,
        /// The global object.
        by: Address,
    },
    /// It lies in a region that is held out: it is neither missing nor done.
    HeldOut {
        /// Which object.
        address: Address,
        /// The decision.
        hold: HoldOut,
    },
}

impl Blocker {
    /// The object.
    pub const fn address(&self) -> &Address {
        match self {
            Self::Transition { address, .. }
            | Self::Pending { address, .. }
            | Self::Broken { address, .. }
            | Self::Foreign { address, .. }
            | Self::ForeignMember { address, .. }
            | Self::Unseen { address, .. }
            | Self::OtherKey { address, .. }
            | Self::BornOtherwise { address, .. }
            | Self::Retained { address }
            | Self::Bound { address, .. }
            | Self::HeldOut { address, .. } => address,
        }
    }
    /// Whether it tells of a difference that nothing is done about: it stands in no step's way.
    pub const fn is_only_told(&self) -> bool {
        matches!(self, Self::OtherKey { .. } | Self::BornOtherwise { .. })
    }
    /// Whether time alone is expected to end the wait.
    pub const fn ends_by_itself(&self) -> bool {
        matches!(self, Self::Transition { .. } | Self::Pending { .. } | Self::Unseen { lasting: false, .. })
    }
}

impl fmt::Display for Blocker {
    /// What is waited for, behind the name of the object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transition { phase, native, .. } => write!(f, "is {phase} (the service says {native:?})"),
            Self::Pending { fields, .. } => {
                write!(f, "has accepted, not yet in effect: {}", fields.join(", "))
            }
            Self::Broken { phase, remedy, .. } => write!(f, "is {phase}: {remedy}"),
            Self::Foreign { owner, remedy, .. } => match (owner, remedy) {
                (Some(owner), None) => write!(f, "belongs to {owner}; left alone"),
                (Some(owner), Some(remedy)) => write!(f, "belongs to {owner}; left alone: {remedy}"),
                (None, Some(remedy)) => write!(f, "exists and is not ours: {remedy}"),
                (None, None) => f.write_str("exists and is not ours; `rgctl import` takes it over"),
            },
            Self::ForeignMember { address, of, owner } => {
                let whose = owner.as_ref().map_or_else(String::new, |owner| format!(" but {owner}'s"));
                let bound = bond(address, of);
                write!(
                    f,
                    "is not ours{whose}, and {bound} {of}: take it over (`rgctl import`) or remove it by hand; until \
                     then {} is not removed",
                    of.name
                )
            }
            Self::Unseen { why, .. } => write!(f, "could not be seen: {why}"),
            Self::OtherKey { before, after, .. } => write!(
                f,
                "was made with the key `{before}`, not with `{after}`: which key an alias stands for cannot be seen, so \
                 nothing is changed; name the key by its id or ARN, then the same key is taken as such and another one \
                 is planned"
            ),
            Self::BornOtherwise { field, before, after, .. } => write!(
                f,
                "has {field} {before}, not {after}: the service takes it when the object is made or restored, and never \
                 after, so that nothing is changed; take it out of the blueprint, or restore into a new store that has it"
            ),
            Self::Retained { .. } => f.write_str("is no longer wanted, and kept as the blueprint said"),
            Self::Bound { by, .. } => write!(
                f,
                "would be removed or replaced, but is the primary of {by}, which stays: move the primary to another \
                 member, or delete {by} by hand"
            ),
            Self::HeldOut { hold, .. } => write!(f, "is neither missing nor done: {hold}"),
        }
    }
}

/// How an object is bound to one of ours.
fn bond(address: &Address, of: &Address) -> &'static str {
    let is_member = of.kind.member_kind() == Some(address.kind)
        || address.kind.facts().parent.is_some_and(|parent| parent.kind == of.kind);
    if is_member {
        "is a member of"
    } else if address.kind.member_kind() == Some(of.kind) {
        "has as its member"
    } else {
        "uses"
    }
}
