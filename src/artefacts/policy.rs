//! What the engine may do in this run.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::vocabulary::names::{RegionId, StoreName};

/// A grave thing that a person must allow by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grave {
    /// A store that holds data is deleted.
    Delete,
    /// A store that holds data is replaced by an empty one.
    Replace,
    /// A store is made smaller than what it is measured to hold or serve.
    Shrink,
}

impl fmt::Display for Grave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Delete => "delete",
            Self::Replace => "replace",
            Self::Shrink => "shrink",
        })
    }
}

/// Permission for one grave thing to one store in one region. Written `delete:accounts@us-east-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consent {
    /// To what.
    pub grave: Grave,
    /// Of which store.
    pub store: StoreName,
    /// In which region.
    pub region: RegionId,
}

impl Consent {
    /// Reads `delete:accounts@us-east-1`.
    pub fn parse(text: &str) -> Option<Self> {
        let (grave, rest) = text.split_once(':')?;
        let (store, region) = rest.split_once('@')?;
        let grave = match grave {
            "delete" => Grave::Delete,
            "replace" => Grave::Replace,
            "shrink" => Grave::Shrink,
            _ => return None,
        };
        Some(Self { grave, store: StoreName::new(store).ok()?, region: RegionId::new(region).ok()? })
    }
}

impl fmt::Display for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}@{}", self.grave, self.store, self.region))
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

/// What the engine may do in this run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Grave things that were allowed by name.
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
