//! The parameters and tags that an operation sets, and those that it takes out: others may have theirs beside them.

use std::collections::BTreeMap;

use crate::ledger::Late;
use rgctl_model::journal::{Entries, entry_digest};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::TAG_PREFIX;
use rgctl_model::plan::Op;
use rgctl_schema::table::FieldChange;
use serde_json::Value;

/// The field with the parameters of a group.
const PARAMETERS: &str = "parameters";

/// What an operation sets, where it sets any; of a creation also that it sets none. What is there already is set by whoever
/// has set it.
pub(super) fn sets(op: &Op) -> Option<Entries> {
    match op {
        Op::Create { attrs, tags, .. } => {
            Some(Entries { parameters: parameters(attrs, &[]), tags: users(tags) })
        }
        Op::Modify { attrs, changes, .. } => {
            let sets = Entries { parameters: parameters(attrs, changes), ..Entries::default() };
            (!sets.is_empty()).then_some(sets)
        }
        Op::Tag { tags, .. } => Some(Entries { tags: users(tags), ..Entries::default() }),
        Op::Delete { .. } | Op::Act { .. } => None,
    }
}

/// What it takes out.
pub(super) fn unsets(op: &Op) -> Entries {
    let Op::Modify { changes, .. } = op else { return Entries::default() };
    let of = |map: &str| {
        let out = changes.iter().filter_map(|change| Some((change.taken_out()?, change.before.as_ref())));
        let of_map = out.filter(|((of, _), _)| *of == map);
        of_map
            .map(|((_, name), before)| {
                let value = before.and_then(Value::as_str).unwrap_or_default();
                (name.to_owned(), entry_digest(value))
            })
            .collect()
    };
    Entries { parameters: of(PARAMETERS), tags: of("tags") }
}

fn parameters(attrs: &AnyAttrs, changes: &[FieldChange]) -> BTreeMap<String, String> {
    let wanted = attrs.get(PARAMETERS);
    let before =
        changes.iter().find(|change| change.field == PARAMETERS).and_then(|change| change.before.as_ref());
    let is_new = |name: &str, value: &Value| before.and_then(|before| before.get(name)) != Some(value);
    let wanted = wanted.iter().filter_map(Value::as_object).flatten();
    wanted
        .filter(|(name, value)| is_new(name, value))
        .filter_map(|(name, value)| Some((name.clone(), entry_digest(value.as_str()?))))
        .collect()
}

fn users(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let users = tags.iter().filter(|(name, _)| !name.starts_with(TAG_PREFIX));
    users.map(|(name, value)| (name.clone(), entry_digest(value))).collect()
}

/// Whether one of two calls on an object takes out what the other sets. A record of old does not say which entries a call sets: then
/// it may be any.
pub(super) fn oppose(late: &Late, op: &Op) -> bool {
    let (sets, unsets) = (sets(op), unsets(op));
    let is_undone = if let Some(set) = &late.sets {
        set.meets(&unsets)
    } else {
        let sets_any = late.changes.iter().any(|change| change.starts_with("parameters: "));
        !unsets.parameters.is_empty() && sets_any || !unsets.tags.is_empty() && late.word == "tag"
    };
    is_undone || sets.is_some_and(|sets| sets.meets(&late.unsets))
}
