//! Rows of objects that every family has, and what services take for one value.

use std::collections::BTreeMap;

use super::row::{Behaviour, Codes, Durations, WhileNamed, WhileStopped, Word, rows};
use rgctl_model::kinds::facts::{DurationEstimate, Meaning};
use rgctl_model::kinds::shared::{EngineVersion, ParameterGroupAttrs, SnapshotAttrs, SubnetGroupAttrs};

rows! {
    /// A subnet group of any service.
    SUBNET_GROUP of SubnetGroupAttrs {
        description => InPlace;
        subnets => InPlace;
    }

    /// A parameter group of any service. Parameters that a call does not name stay as they are.
    PARAMETERS of ParameterGroupAttrs {
        family => Fixed;
        description => Fixed;
        parameters => InPlace, same: has_all;
    }

    /// A snapshot of any service; no call changes one.
    SNAPSHOT of SnapshotAttrs {
        source => Fixed;
        size_gib => InPlace, told: false;
    }
}

/// Groups and whatever else is made and removed in no time.
const QUICK: Durations = Durations {
    create: DurationEstimate::new(2, 5),
    delete: DurationEstimate::new(2, 5),
    in_place: DurationEstimate::new(2, 5),
    online: DurationEstimate::new(60, 180),
    restart: DurationEstimate::new(60, 180),
    restart_outage: DurationEstimate::new(0, 0),
    failover: DurationEstimate::new(60, 180),
    failover_outage: DurationEstimate::new(0, 0),
    resize: DurationEstimate::new(60, 180),
};

/// An object without protection, roles or members.
pub(super) const fn plain(codes: Codes) -> Behaviour {
    Behaviour {
        durations: QUICK,
        words: GROUP_WORDS,
        codes,
        protection: None,
        takes_failover: false,
        one_at_a_time: false,
        after_birth: &[],
        while_stopped: WhileStopped::Stays,
        parameter_groups: None,
        common: &[],
        starts_after: None,
        cool_down: None,
        primary_leaves: false,
        secondaries_first: None,
        at_restart: |_, _| false,
        outside_global: None,
        while_named: WhileNamed::Stays,
        parameter_family: |_| None,
        slow_resize: |_, _| None,
    }
}

/// Objects without a status of their own exist or do not: subnet groups and parameter groups.
const GROUP_WORDS: &[Word] =
    &[Word("available", Meaning::Ready), Word("Complete", Meaning::Ready), Word("in-sync", Meaning::Ready)];

/// A call that names the version which a minor one has since replaced by itself changes nothing.
pub(super) fn same_line(asked: &EngineVersion, has: &EngineVersion) -> bool {
    asked.major() == has.major() && has.compare(asked).is_ge()
}

/// No service takes an engine back to an older version.
pub(super) fn is_older(asked: Option<&EngineVersion>, has: Option<&EngineVersion>) -> bool {
    asked.zip(has).is_some_and(|(asked, has)| asked.compare(has).is_lt())
}

/// A key has an id, an ARN that ends with it, and aliases: a call that names it by another of its names changes nothing.
/// Aliases are not resolved here: one counts as a name of the key that the object has.
#[allow(clippy::ptr_arg, reason = "a row compares values of the field's own type")]
pub(super) fn one_key(asked: &String, has: &String) -> bool {
    let is_alias = asked.starts_with("alias/") || asked.contains(":alias/");
    let id = |name: &str| name.rsplit('/').next().map(str::to_owned);
    is_alias || asked == has || id(asked) == id(has)
}

/// Windows are kept in lower case, whatever was given.
#[allow(clippy::ptr_arg, reason = "a row compares values of the field's own type")]
pub(super) fn one_window(asked: &String, has: &String) -> bool {
    asked.eq_ignore_ascii_case(has)
}

fn has_all(asked: &BTreeMap<String, String>, has: &BTreeMap<String, String>) -> bool {
    asked.iter().all(|(key, value)| has.get(key) == Some(value))
}
