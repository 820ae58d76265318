//! What is not as it should be, by kind of trouble: what every view says, so that no two of them disagree.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::shared::SharedList;
use rgctl_schema::names::{RegionId, StoreName};

/// A way in which an object is not there, ours, whole and serving. What a step of the plan would change (missing,
/// different, no longer wanted) is no trouble: the plan is about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It could not be seen: it may exist or not.
    Unseen,
    /// It lies in a region that is held out: nobody looks at it, and nothing is done to it.
    HeldOut,
    /// It will not get well by waiting.
    Failed,
    /// It shows a status word that this version does not know.
    UnknownStatus,
    /// It is wanted, exists, and is not ours.
    Foreign,
    /// Some objects of a store are ours, and others are not yet.
    HalfTakenOver,
    /// It is not ours, and is bound to an object of ours: a member of it, or it uses it.
    ForeignMember,
    /// It would be removed or replaced, and something else keeps it.
    Held,
    /// It is stopped, and wanted running.
    Stopped,
    /// It does not serve for now.
    Interrupted,
    /// It is in transition, and serves if it did before.
    Moving,
    /// It has accepted values that are not in effect.
    Pending,
}

impl Trouble {
    /// Every kind of trouble, the most severe first.
    pub const ALL: [Self; 12] = [
        Self::Unseen,
        Self::HeldOut,
        Self::Failed,
        Self::UnknownStatus,
        Self::Foreign,
        Self::HalfTakenOver,
        Self::ForeignMember,
        Self::Held,
        Self::Stopped,
        Self::Interrupted,
        Self::Moving,
        Self::Pending,
    ];

    /// In a few words, behind a number: `1 failed`, `2 foreign members`.
    pub const fn words(self, number: usize) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::HeldOut => "held out",
            Self::Failed => "failed",
            Self::UnknownStatus => "of unknown status",
            Self::Foreign => "not ours",
            Self::HalfTakenOver => "half taken over",
            Self::ForeignMember if number == 1 => "foreign member",
            Self::ForeignMember => "foreign members",
            Self::Held => "held back",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Moving => "in transition",
            Self::Pending => "not yet in effect",
        }
    }

    /// Whether neither time nor the engine ends it.
    pub const fn needs_person(self) -> bool {
        match self {
            Self::Unseen
            | Self::HeldOut
            | Self::Failed
            | Self::UnknownStatus
            | Self::Foreign
            | Self::HalfTakenOver
            | Self::ForeignMember
            | Self::Held => true,
            Self::Stopped | Self::Interrupted | Self::Moving | Self::Pending => false,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words(1))
    }
}

/// One trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthIssue {
    /// Which.
    pub trouble: Trouble,
    /// Of which object; of none where a whole part of the world is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "at")]
    pub address: Option<Address>,
    /// In which region.
    pub region: RegionId,
    /// Of which store, where it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreName>,
    /// Its name for a person: of the object, or of the part of the world.
    pub name: String,
    /// Why, and what to do.
    pub why: String,
}

/// All troubles. None, and no step in the plan, means that everything wanted is there, ours, whole and serving.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How many of each kind.
    pub counts: BTreeMap<Trouble, usize>,
    /// Each, the most severe first.
    pub troubles: SharedList<HealthIssue>,
}

/// Names that a line shows of one kind of trouble; the views list all of them below.
const NAMES_MAX: usize = 3;

impl Health {
    /// Of troubles in any order.
    pub fn of(mut troubles: Vec<Arc<HealthIssue>>) -> Self {
        troubles.sort_by(|a, b| (a.trouble, &a.address, &a.name).cmp(&(b.trouble, &b.address, &b.name)));
        let mut counts = BTreeMap::new();
        for ailment in &troubles {
            *counts.entry(ailment.trouble).or_default() += 1;
        }
        Self { counts, troubles: troubles.into() }
    }

    /// Whether there is no trouble.
    pub const fn is_clean(&self) -> bool {
        self.troubles.is_empty()
    }

    /// Whether something is blocked.
    pub fn needs_person(&self) -> bool {
        self.counts.keys().any(|trouble| trouble.needs_person())
    }

    /// In a line: `1 failed (game-a-use1-2), 4 unseen (game-b-usw2, game-b-usw2-1, game-b-usw2-2 and 1 more)`; nothing
    /// where there is no trouble.
    pub fn line(&self) -> Option<String> {
        let parts: Vec<String> = self
            .counts
            .iter()
            .map(|(trouble, number)| {
                let all = self.troubles.iter().filter(|ailment| ailment.trouble == *trouble);
                let names: Vec<&str> = all.take(NAMES_MAX).map(|ailment| ailment.name.as_str()).collect();
                let more = match number - names.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!("{number} {} ({}{more})", trouble.words(*number), names.join(", "))
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
