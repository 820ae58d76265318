//! Rows of objects that every family has, and when a wanted value is satisfied.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use super::row::{ChangePath, KindRow, Reduction, Timing, rows};
use rgctl_model::kinds::facts::DurationEstimate;
use rgctl_model::kinds::shared::{EngineVersion, ParameterGroupAttrs, SnapshotAttrs, SubnetGroupAttrs};

rows! {
    /// A set of subnets in which a store's members may be placed.
    SUBNET_GROUP of SubnetGroupAttrs {
        description => InPlace { lowers: Reduction::Nothing };
        subnets => InPlace { lowers: Reduction::Less };
    }

    /// A named set of engine parameters.
    PARAMETERS of ParameterGroupAttrs {
        family => Replace;
        description => Replace;
        parameters => InPlace { same: holds_all, lowers: Reduction::By(is_switched_off) };
    }

    /// A snapshot of a store; made by the service or by a deletion, and only ever observed and kept.
    SNAPSHOT of SnapshotAttrs {
        source => Replace;
        size_gib => InPlace { lowers: Reduction::Nothing };
    }
}

/// Objects without members, roles or pauses that are made and removed at once.
pub(super) const PLAIN: KindRow = KindRow {
    timing: Timing {
        create: DurationEstimate::new(2, 5),
        delete: DurationEstimate::new(2, 5),
        in_place: DurationEstimate::new(2, 5),
        online: DurationEstimate::new(60, 180),
        restart: DurationEstimate::new(60, 180),
        restart_outage: DurationEstimate::new(0, 0),
        failover: DurationEstimate::new(60, 180),
        failover_outage: DurationEstimate::new(0, 0),
        resize: DurationEstimate::new(60, 180),
    },
    slow_resize: None,
    takes_failover: false,
    exclusive_with_members: false,
    after_birth: &[],
    primary_leaves: false,
    pause: None,
    promotion: None,
    keeps_tags: false,
    takes_reboot: false,
    at_restart: |_, _| false,
    outside_global: None,
    remedies: &[],
};

/// The key is disabled, or access to it was taken away.
pub(super) const GIVE_THE_KEY_BACK: &str =
    "enable its encryption key again and start it; if the key is lost for good, restore it from a snapshot";
/// No address is free, or the network has no way.
pub(super) const FREE_ADDRESSES: &str =
    "give its subnets free addresses and its network the routes it needs, then modify or reboot it";
/// No storage is left.
pub(super) const FREE_STORAGE: &str = "free or add storage";
/// It was never made.
pub(super) const CREATE_AGAIN: &str = "delete it by hand; the next apply makes it anew";

/// A seen version satisfies a wanted one of the same major line when it is the same or newer: the provider may have
/// applied a minor version by itself, which is not drift.
pub(super) fn minor_may_lead(wanted: &EngineVersion, seen: &EngineVersion) -> bool {
    wanted.major() == seen.major() && seen.compare(wanted) != Ordering::Less
}

/// No engine goes back to an older version in place.
pub(super) fn never_back(wanted: Option<&EngineVersion>, seen: Option<&EngineVersion>) -> ChangePath {
    match (wanted, seen) {
        (Some(wanted), Some(seen)) if wanted.compare(seen) == Ordering::Less => ChangePath::Anew,
        _ => ChangePath::Direct,
    }
}

/// A seen map satisfies a wanted one when it has all of its entries: entries of others are left alone.
pub(super) fn holds_all(wanted: &BTreeMap<String, String>, seen: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| seen.get(key) == Some(value))
}

/// A key named by alias, id or ARN is the same key when one text ends with the other's last part. The service answers
/// with the ARN of the key, from which an alias cannot be told, so an alias is satisfied by any key.
#[allow(clippy::ptr_arg, reason = "the table's `same` column compares values of the field's own type")]
pub(super) fn same_key(wanted: &String, seen: &String) -> bool {
    wanted.starts_with("alias/")
        || wanted.contains(":alias/")
        || wanted == seen
        || seen.rsplit('/').next() == wanted.rsplit('/').next()
}

/// A zone is where a member is made. One that is there stays there, whatever zones the region has since: a zone that is added,
/// or listed elsewhere, is no reason to take a member away.
#[allow(clippy::ptr_arg, reason = "the table's `same` column compares values of the field's own type")]
pub(super) fn wish_at_birth(_wanted: &String, _seen: &String) -> bool {
    true
}

/// Maintenance and backup windows are answered in lower case whatever was given.
#[allow(clippy::ptr_arg, reason = "the table's `same` column compares values of the field's own type")]
pub(super) fn same_window(wanted: &String, seen: &String) -> bool {
    wanted.eq_ignore_ascii_case(seen)
}

/// Words by which engines say that a parameter is off.
const OFF: [&str; 7] = ["off", "0", "false", "disabled", "disable", "no", "none"];

/// Whether a parameter is switched off that was on, or of which nobody knows that it was off: it may be what encrypts
/// connections, or what audits them.
pub(super) fn is_switched_off(before: &Value, after: &Value) -> bool {
    let is_off = |value: &Value| {
        value.as_str().is_some_and(|text| OFF.iter().any(|off| text.trim().eq_ignore_ascii_case(off)))
    };
    let parameters = after.as_object().into_iter().flatten();
    parameters.into_iter().any(|(name, value)| is_off(value) && !before.get(name).is_some_and(is_off))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_minor_is_no_drift_and_a_newer_major_is() {
        let v = |text: &str| EngineVersion(text.to_owned());
        assert!(minor_may_lead(&v("16.4"), &v("16.6")));
        assert!(!minor_may_lead(&v("16.6"), &v("16.4")));
        assert_eq!(never_back(Some(&v("15.9")), Some(&v("16.4"))), ChangePath::Anew);
        assert_eq!(never_back(Some(&v("17.1")), Some(&v("16.4"))), ChangePath::Direct);
        assert!(!minor_may_lead(&v("16.6"), &v("17.1")));
        assert!(minor_may_lead(&v("8.0.mysql_aurora.3.08.0"), &v("8.0.mysql_aurora.3.10.1")));
        assert!(!minor_may_lead(&v("5.7.mysql_aurora.2.12.0"), &v("8.0.mysql_aurora.3.10.1")));
        assert!(minor_may_lead(&v("8.0"), &v("8.0.1")));
    }
}
