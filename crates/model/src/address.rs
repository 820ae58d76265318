//! Where an object is: the key that everything is found by.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kinds::KindId;
use rgctl_schema::names::{Name, RegionId};

/// Region, kind and name of an object. Kinds that span regions live at their home region: the one they were made in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Region.
    pub region: RegionId,
    /// Kind.
    pub kind: KindId,
    /// Identifier at the service.
    pub name: Name,
}

impl Address {
    /// The address of an object.
    pub const fn new(region: RegionId, kind: KindId, name: Name) -> Self {
        Self { region, kind, name }
    }

    /// Reads `region/kind/name`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let region = RegionId::new(parts.next()?).ok()?;
        let kind = KindId::parse(parts.next()?)?;
        let name = Name::new(parts.next()?).ok()?;
        Some(Self { region, kind, name })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_none() && f.precision().is_none() {
            return write!(f, "{}/{}/{}", self.region, self.kind, self.name);
        }
        f.pad(&format!("{}/{}/{}", self.region, self.kind, self.name))
    }
}

// As text, so that an address can be a key of a JSON object.
impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no region/kind/name")))
    }
}
