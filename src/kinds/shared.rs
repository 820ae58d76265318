//! Attribute types and objects that more than one family uses.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attrs;
use crate::vocabulary::table::{Lowers, Way};

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

/// A seen version satisfies a wanted one of the same major line when it is the same or newer: the provider may have
/// applied a minor version by itself, which is not drift.
pub fn minor_may_lead(wanted: &EngineVersion, seen: &EngineVersion) -> bool {
    wanted.major() == seen.major() && seen.compare(wanted) != Ordering::Less
}

/// No engine goes back to an older version in place.
pub fn never_back(wanted: Option<&EngineVersion>, seen: Option<&EngineVersion>) -> Way {
    match (wanted, seen) {
        (Some(wanted), Some(seen)) if wanted.compare(seen) == Ordering::Less => Way::Anew,
        _ => Way::Direct,
    }
}

/// A seen map satisfies a wanted one when it has all of its entries: entries of others are left alone.
pub fn holds_all(wanted: &BTreeMap<String, String>, seen: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| seen.get(key) == Some(value))
}

/// A key named by alias, id or ARN is the same key when one text ends with the other's last part. The service answers
/// with the ARN of the key, from which an alias cannot be told, so an alias is satisfied by any key.
#[allow(clippy::ptr_arg, reason = "the table's `same` column compares values of the field's own type")]
pub fn same_key(wanted: &String, seen: &String) -> bool {
    wanted.starts_with("alias/")
        || wanted.contains(":alias/")
        || wanted == seen
        || seen.rsplit('/').next() == wanted.rsplit('/').next()
}

/// Words by which engines say that a parameter is off.
const OFF: [&str; 7] = ["off", "0", "false", "disabled", "disable", "no", "none"];

/// Whether a parameter is switched off that was on, or of which nobody knows that it was off: it may be what encrypts
/// connections, or what audits them.
pub fn is_switched_off(before: &Value, after: &Value) -> bool {
    let is_off = |value: &Value| {
        value.as_str().is_some_and(|text| OFF.iter().any(|off| text.trim().eq_ignore_ascii_case(off)))
    };
    let parameters = after.as_object().into_iter().flatten();
    parameters.into_iter().any(|(name, value)| is_off(value) && !before.get(name).is_some_and(is_off))
}

/// Maintenance and backup windows are answered in lower case whatever was given.
#[allow(clippy::ptr_arg, reason = "the table's `same` column compares values of the field's own type")]
pub fn same_window(wanted: &String, seen: &String) -> bool {
    wanted.eq_ignore_ascii_case(seen)
}

attrs! {
    /// A set of subnets in which a store's members may be placed.
    pub struct SubnetGroupAttrs {
        /// Why the group exists.
        description: String => InPlace { lowers: Lowers::Nothing };
        /// Subnet ids; at least two availability zones.
        subnets: BTreeSet<String> => InPlace { lowers: Lowers::Less };
    }
}

attrs! {
    /// A named set of engine parameters.
    pub struct ParameterGroupAttrs {
        /// Family of engine versions that the parameters belong to, such as `aurora-mysql8.0`.
        family: String => Replace;
        /// Why the group exists.
        description: String => Replace;
        /// Parameters that differ from the family's default; entries not named here are left alone.
        parameters: BTreeMap<String, String> => InPlace { same: holds_all, lowers: Lowers::By(is_switched_off) };
    }
}

attrs! {
    /// A snapshot of a store; made by the service or by a deletion, and only ever observed and kept.
    pub struct SnapshotAttrs {
        /// Name of the object that the snapshot was taken from.
        source: String => Replace;
        /// Size in GiB, where the service tells it.
        size_gib: u64 => InPlace { unseen: true, lowers: Lowers::Nothing };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_minor_is_no_drift_and_a_newer_major_is() {
        let v = |text: &str| EngineVersion(text.to_owned());
        assert!(minor_may_lead(&v("16.4"), &v("16.6")));
        assert!(!minor_may_lead(&v("16.6"), &v("16.4")));
        assert_eq!(never_back(Some(&v("15.9")), Some(&v("16.4"))), Way::Anew);
        assert_eq!(never_back(Some(&v("17.1")), Some(&v("16.4"))), Way::Direct);
        assert!(!minor_may_lead(&v("16.6"), &v("17.1")));
        assert!(minor_may_lead(&v("8.0.mysql_aurora.3.08.0"), &v("8.0.mysql_aurora.3.10.1")));
        assert!(!minor_may_lead(&v("5.7.mysql_aurora.2.12.0"), &v("8.0.mysql_aurora.3.10.1")));
        assert!(minor_may_lead(&v("8.0"), &v("8.0.1")));
    }
}
