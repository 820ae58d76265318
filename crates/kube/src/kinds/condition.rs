//! Conditions: what is said about an object in words that tools know (kstatus), and in rgctl's own.
//!
//! **Invariant:** a condition changes only when what it says changes: the time of its last transition moves with its status alone.

use serde::{Deserialize, Serialize};

use super::meta::at;
use rgctl_schema::time::Moment;

/// The types of conditions. The first three are those that `kubectl wait`, Flux and Argo CD know.
pub mod types {
    /// All is as wanted.
    pub const READY: &str = "Ready";
    /// Work is under way.
    pub const RECONCILING: &str = "Reconciling";
    /// Nothing goes on until a person does something.
    pub const STALLED: &str = "Stalled";
    /// What exists equals what is wanted.
    pub const SYNCED: &str = "Synced";
    /// A plan waits for an approval.
    pub const PLAN_PENDING: &str = "PlanPending";
    /// A deletion waits for a person.
    pub const DELETION_HELD: &str = "DeletionHeld";
    /// The world was seen lately, all of it.
    pub const OBSERVED: &str = "Observed";
    /// Where clients connect is published, where somebody asked for that.
    pub const OUTPUTS_PUBLISHED: &str = "OutputsPublished";
}

/// Reasons: one word each, for tools.
pub mod reasons {
    /// What is written cannot be read, or does not hold together.
    pub const BAD_SPEC: &str = "BadSpec";
    /// Another object has the name in that account.
    pub const NAME_TAKEN: &str = "NameTaken";
    /// No account, or more than one, may be used from the namespace.
    pub const NO_ACCOUNT: &str = "NoAccount";
    /// The definitions in the cluster are older than the operator.
    pub const OLD_DEFINITIONS: &str = "OldDefinitions";
    /// The plan was made by a new version of the operator for an unchanged object.
    pub const NEW_VERSION: &str = "NewVersion";
    /// The plan needs an approval.
    pub const NEEDS_APPROVAL: &str = "NeedsApproval";
    /// Somebody paused it.
    pub const PAUSED: &str = "Paused";
    /// It is only observed.
    pub const OBSERVE_ONLY: &str = "ObserveOnly";
}

/// Whether what a condition says holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Holds {
    /// It does.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    #[default]
    Unknown,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about; see [`types`].
    #[serde(rename = "type")]
    pub about: String,
    /// Whether that holds.
    pub status: Holds,
    /// The generation that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the status changed last.
    #[serde(with = "at")]
    pub last_transition_time: Moment,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    #[serde(default)]
    pub message: String,
}

/// The longest message that is written: five problems of a long blueprint.
pub const MESSAGE_CHARS_MAX: usize = 2_000;

/// Sets a condition among others, each of which is there once. Its time moves only when its status does.
pub fn set(conditions: &mut Vec<Condition>, mut new: Condition) {
    if let Some((end, _)) = new.message.char_indices().nth(MESSAGE_CHARS_MAX) {
        new.message.truncate(end);
        new.message.push('…');
    }
    match conditions.iter_mut().find(|condition| condition.about == new.about) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time;
            }
            *old = new;
        }
        None => conditions.push(new),
    }
}

/// The condition of a type.
pub fn find<'a>(conditions: &'a [Condition], about: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.about == about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_condition_moves_with_its_status_alone() {
        let at = |status, message: &str, seconds| Condition {
            about: types::READY.to_owned(),
            status,
            observed_generation: Some(1),
            last_transition_time: Moment::from_secs(seconds),
            reason: "Why".to_owned(),
            message: message.to_owned(),
        };
        let mut all = Vec::new();
        set(&mut all, at(Holds::False, "a", 1));
        set(&mut all, at(Holds::False, "b", 2));
        assert_eq!(all, [at(Holds::False, "b", 1)]);
        set(&mut all, at(Holds::True, &"x".repeat(3_000), 3));
        let found = find(&all, types::READY).unwrap();
        assert_eq!(
            (found.last_transition_time, found.message.chars().count()),
            (Moment::from_secs(3), 2_001)
        );
        assert_eq!(all.len(), 1);
    }
}
