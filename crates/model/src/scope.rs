//! Whose a record is: of which blueprint, in which account of which cloud.

use std::fmt;

use serde::{Deserialize, Serialize};

use rgctl_schema::names::BlueprintName;

/// A cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloudKind {
    /// Amazon Web Services.
    Aws,
    /// The embedded one.
    Sim,
}

impl CloudKind {
    /// Its word, in keys and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Sim => "sim",
        }
    }
}

/// An account of a cloud: two clouds, and two accounts of one cloud, have nothing in common. A world of the embedded
/// cloud is an account of its own, and a new one is another account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Home {
    cloud: CloudKind,
    account: String,
}

impl Home {
    /// The longest name of an account.
    pub const ACCOUNT_MAX: usize = 64;

    /// An account by its number or, on the embedded cloud, by the id of the world; nothing when it is none.
    pub fn new(cloud: CloudKind, account: impl Into<String>) -> Option<Self> {
        let account = account.into();
        let is_legal = match cloud {
            CloudKind::Aws => account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()),
            CloudKind::Sim => {
                (1..=Self::ACCOUNT_MAX).contains(&account.len())
                    && account.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            }
        };
        is_legal.then_some(Self { cloud, account })
    }

    /// Reads `aws/123456789012` or `sim/WORLD`.
    pub fn parse(text: &str) -> Option<Self> {
        let (cloud, account) = text.split_once('/')?;
        let cloud = [CloudKind::Aws, CloudKind::Sim].into_iter().find(|kind| kind.as_str() == cloud)?;
        Self::new(cloud, account)
    }

    /// The cloud.
    pub const fn cloud(&self) -> CloudKind {
        self.cloud
    }

    /// Number of the account, or id of the world.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// For a person: `account 123456789012 of aws`, `world 3f2a of sim`.
    pub fn in_words(&self) -> String {
        let what = match self.cloud {
            CloudKind::Aws => "account",
            CloudKind::Sim => "world",
        };
        format!("{what} {} of {}", self.account, self.cloud.as_str())
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cloud.as_str(), self.account)
    }
}

/// What a record, a lease and its decisions are kept for: a blueprint in an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The account: of a blueprint that spans several, the one of its primary region.
    pub home: Home,
    /// The blueprint.
    pub blueprint: BlueprintName,
}

impl Scope {
    /// A blueprint in an account.
    pub const fn new(home: Home, blueprint: BlueprintName) -> Self {
        Self { home, blueprint }
    }

    /// Reads `cloud/account/blueprint`.
    pub fn parse(text: &str) -> Option<Self> {
        let (home, blueprint) = text.rsplit_once('/')?;
        Some(Self { home: Home::parse(home)?, blueprint: BlueprintName::new(blueprint).ok()? })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.home, self.blueprint)
    }
}

/// What tells a record from every other one: written when the store that keeps it was first used, and carried on when it
/// moves to another store. Objects carry it in their tags.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub String);

impl RecordId {
    /// What stands for the identity of a store in which nothing was written yet. No object carries it, so that nothing is
    /// ours there.
    pub fn unwritten() -> Self {
        Self("not written yet".to_owned())
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Written and read as its text.
macro_rules! as_text {
    ($name:ident, $what:literal) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::parse(&text)
                    .ok_or_else(|| serde::de::Error::custom(format!(concat!("{:?} is no ", $what), text)))
            }
        }
    };
}
as_text!(Home, "cloud/account");
as_text!(Scope, "cloud/account/blueprint");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written_and_a_wrong_one_is_none() {
        for text in ["aws/123456789012/game", "sim/3f2a9c/game"] {
            assert_eq!(Scope::parse(text).map(|scope| scope.to_string()).as_deref(), Some(text));
        }
        for text in
            ["aws/12/game", "azure/1/game", "sim//game", "sim/A/game", "sim/a", "sim/a/b/game", "game"]
        {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }
}
