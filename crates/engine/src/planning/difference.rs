//! What is still to be asked of an object, after everything that was accepted is in effect.

use super::tables;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::observed::Observed;
use rgctl_schema::table::FieldChange;

/// What the object will be once its pending values are in effect.
pub fn effective_attrs(seen: &Observed) -> AnyAttrs {
    let mut attrs = seen.attrs.clone();
    if let Some(pending) = &seen.pending {
        attrs.overlay(pending);
    }
    attrs
}

/// What is still to be asked for, after everything that was accepted is in effect.
pub fn remaining_changes(wanted: &AnyAttrs, seen: &Observed) -> Vec<FieldChange> {
    if seen.pending.is_none() {
        tables::diff(wanted, &seen.attrs)
    } else {
        tables::diff(wanted, &effective_attrs(seen))
    }
}
