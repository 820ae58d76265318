//! How the gate says no.

use std::collections::BTreeSet;

use rgctl_model::plan::Answer;

/// A no with its reason and a remedy, to which no consent helps.
pub(super) fn no(why: impl Into<String>, remedy: impl Into<String>) -> Answer {
    Answer::No { why: why.into(), remedy: remedy.into(), allow: BTreeSet::new() }
}
