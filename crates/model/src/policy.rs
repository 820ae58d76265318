//! What the engine may do in this run.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use rgctl_schema::names::{RegionId, StoreName};

/// What a person must allow by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DestructiveAction {
    /// A store that holds data is deleted.
    Delete,
    /// A store that holds data is replaced by another one.
    Replace,
    /// A store is made smaller than what it is measured to hold or serve.
    Shrink,
    /// A store stands without any member, or without the data that it bore.
    Empty,
    /// Work is done outside of the maintenance window that it would wait for.
    Window,
}

impl DestructiveAction {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Delete, Self::Replace, Self::Shrink, Self::Empty, Self::Window];

    /// The word by which it is allowed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Replace => "replace",
            Self::Shrink => "shrink",
            Self::Empty => "empty",
            Self::Window => "window",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

impl fmt::Display for DestructiveAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A destructive action on one store in one region. Written `delete:accounts@us-east-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsentRequest {
    /// What.
    pub action: DestructiveAction,
    /// To which store; nothing when nobody knows, and then nobody can allow it.
    pub store: Option<StoreName>,
    /// In which region.
    pub region: RegionId,
}

/// Stands for a store that nobody knows.
const UNKNOWN: &str = "?";

impl Policy {
    /// Whether that was allowed by name.
    pub fn allows(&self, act: &ConsentRequest) -> bool {
        self.consents.iter().any(|consent| consent.covers(act))
    }
}

impl fmt::Display for ConsentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = self.store.as_ref().map_or(UNKNOWN, StoreName::as_str);
        f.pad(&format!("{}:{store}@{}", self.action, self.region))
    }
}

impl Serialize for ConsentRequest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ConsentRequest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let parse = || {
            let (action, rest) = text.split_once(':')?;
            let (store, region) = rest.split_once('@')?;
            let store = if store == UNKNOWN { None } else { Some(StoreName::new(store).ok()?) };
            Some(Self {
                action: DestructiveAction::parse(action)?,
                store,
                region: RegionId::new(region).ok()?,
            })
        };
        parse().ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no act on a store@region")))
    }
}

/// Permission for one destructive action, on a store in a region: `delete:accounts@us-east-1`, `delete:*@us-east-1`,
/// `delete:accounts@*`. The star stands for a whole store or a whole region, never for a part of a name, and never for
/// what is done. Windows are of stores, so that `window:accounts` names no region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consent {
    /// To what.
    pub action: DestructiveAction,
    /// Of which store; of every one when nothing.
    pub store: Option<StoreName>,
    /// In which region; in every one when nothing.
    pub region: Option<RegionId>,
}

const ANY: &str = "*";

impl Consent {
    /// Reads `delete:accounts@us-east-1`.
    pub fn parse(text: &str) -> Option<Self> {
        let (action, rest) = text.split_once(':')?;
        let action = DestructiveAction::parse(action)?;
        let (store, region) = match rest.split_once('@') {
            Some((store, region)) => (store, region),
            None if action == DestructiveAction::Window => (rest, ANY),
            None => return None,
        };
        let store = if store == ANY { None } else { Some(StoreName::new(store).ok()?) };
        let region = if region == ANY { None } else { Some(RegionId::new(region).ok()?) };
        Some(Self { action, store, region })
    }

    /// Whether it allows that. What is done to a store that nobody knows is allowed by nothing.
    pub fn covers(&self, act: &ConsentRequest) -> bool {
        let is_store = act
            .store
            .as_ref()
            .is_some_and(|store| self.store.as_ref().is_none_or(|allowed| allowed == store));
        self.action == act.action
            && is_store
            && self.region.as_ref().is_none_or(|allowed| *allowed == act.region)
    }
}

impl fmt::Display for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = self.store.as_ref().map_or(ANY, StoreName::as_str);
        match &self.region {
            None if self.action == DestructiveAction::Window => f.pad(&format!("{}:{store}", self.action)),
            region => {
                let region = region.as_ref().map_or(ANY, RegionId::as_str);
                f.pad(&format!("{}:{store}@{region}", self.action))
            }
        }
    }
}

impl Serialize for Consent {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Consent {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("{text:?} is no consent such as delete:store@region"))
        })
    }
}

/// On whose word steps are begun. Everybody meets the same gate; they differ in what they may answer for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    /// A person, who names what is destructive.
    #[default]
    Person,
    /// A scaler: a consent is nothing that it can give, nor one that it can use.
    Scaler,
    /// A run of a runbook that was approved: its failovers wait for nothing.
    ApprovedRun,
}

/// What the engine may do in this run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Destructive actions that were allowed by name.
    #[serde(default)]
    pub consents: BTreeSet<Consent>,
    /// Only these stores; all when empty.
    #[serde(default)]
    pub targets: BTreeSet<StoreName>,
    /// Deletions leave no final snapshot behind. Off by default.
    #[serde(default)]
    pub skip_final_snapshot: bool,
    /// Nothing is ever called.
    #[serde(default)]
    pub observe_only: bool,
}
