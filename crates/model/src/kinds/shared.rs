//! Attribute types and objects that more than one family uses.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use rgctl_schema::attrs;

/// Version of an engine as the service writes it, such as `8.0.mysql_aurora.3.10.0`, `16.6`, `5.0.0` or `8.0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EngineVersion(pub String);

impl EngineVersion {
    /// The parts that must be equal for two versions to be of one major line: the first number, or for a version
    /// with a word in it everything up to the number after the word.
    fn major_len(&self) -> usize {
        let word = self.0.split('.').position(|part| part.parse::<u64>().is_err());
        word.map_or(1, |place| place + 2)
    }

    /// The major line, such as `16` or `8.0.mysql_aurora.3`.
    pub fn major(&self) -> String {
        self.0.split('.').take(self.major_len()).collect::<Vec<_>>().join(".")
    }

    /// Compares number by number; a missing part counts as zero.
    pub fn compare(&self, other: &Self) -> Ordering {
        let number = |part: Option<&str>| part.map_or(0, |text| text.parse::<u64>().unwrap_or(0));
        let (mut left, mut right) = (self.0.split('.'), other.0.split('.'));
        loop {
            let (a, b) = (left.next(), right.next());
            if a.is_none() && b.is_none() {
                return Ordering::Equal;
            }
            match number(a).cmp(&number(b)) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
    }
}

impl fmt::Display for EngineVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

attrs! {
    /// A set of subnets in which a store's members may be placed.
    pub struct SubnetGroupAttrs {
        /// Why the group exists.
        description: String;
        /// Subnet ids; at least two availability zones.
        subnets: BTreeSet<String>;
    }
}

attrs! {
    /// A named set of engine parameters.
    pub struct ParameterGroupAttrs {
        /// Family of engine versions that the parameters belong to, such as `aurora-mysql8.0`.
        family: String;
        /// Why the group exists.
        description: String;
        /// Parameters that differ from the family's default; entries not named here are left alone.
        parameters: BTreeMap<String, String>;
    }
}

attrs! {
    /// A snapshot of a store; made by the service or by a deletion, and only ever observed and kept.
    pub struct SnapshotAttrs {
        /// Name of the object that the snapshot was taken from.
        source: String;
        /// Size in GiB, where the service tells it.
        size_gib: u64 { unseen: true };
    }
}

/// Whether a role is one that a service keeps for itself and nobody else attaches or detaches (IAM guide, "Create a service-linked role").
pub fn is_service_linked(arn: &str) -> bool {
    arn.contains(":role/aws-service-role/")
}
