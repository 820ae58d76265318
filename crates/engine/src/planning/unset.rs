//! Absent after present: parameters and tags that we set and that are no longer wanted are taken out again.
//!
//! **Invariant:** what others set stays, also where we had set it before them. Who set what is told by the record; where it does
//! not tell that we have set it as it is, nothing is taken out; and that is said, unless others are known to have set it first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::draft::Draft;
use super::input::PlanInput;
use super::tables;
use super::wanted_step::step;
use rgctl_model::journal::entry_digest;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::{Node, TAG_PREFIX};
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Op, Reason};
use rgctl_schema::table::FieldChange;

/// The field with the parameters of a group.
const PARAMETERS: &str = "parameters";
/// The tags of an object, beside its fields.
const TAGS: &str = "tags";
/// Tags that no caller sets or takes away.
const TAGS_OF_THE_SERVICE: &str = "aws:";

/// Why something stays that is not wanted.
const UNTOLD: &str = "the record does not tell that rgctl set them as they are, so that they stay: take them away by hand where \
                      nobody needs them, or state them";
const KEPT: &str = "no call is known that takes them away, so that they stay";

type Texts = BTreeMap<String, String>;

/// Adds the steps that take out what is no longer wanted; tells whether there is anything to do or to say.
pub(super) fn take_out<'a>(
    input: &PlanInput<'a>,
    node: &'a Node,
    seen: &'a Observed,
    draft: &mut Draft<'a>,
) -> bool {
    let (parameters, tags) = (parameters(node, seen), tags(node, seen));
    if parameters.is_empty() && tags.is_empty() {
        return false;
    }
    // Without a record there is nothing that could tell.
    if input.claims.record.is_none() {
        return false;
    }
    let claimed = input.claims.objects.get(&node.address);
    let knows_all = claimed.is_some_and(|claimed| claimed.knows_all_set);
    let set = claimed.map(|claimed| &claimed.set);
    let mut is_any = false;
    for (map, entries, ours) in
        [(PARAMETERS, parameters, set.map(|set| &set.parameters)), (TAGS, tags, set.map(|set| &set.tags))]
    {
        let digest = |name: &str| ours.and_then(|ours| ours.get(name));
        let is_ours = |name: &str, value: &str| digest(name).is_some_and(|of| *of == entry_digest(value));
        let (ours, others): (Texts, Texts) =
            entries.into_iter().partition(|(name, value)| is_ours(name, value));
        let unsure = others.into_keys().filter(|name| !knows_all || digest(name).is_some());
        let unsure: Vec<String> = unsure.collect();
        if !unsure.is_empty() {
            is_any = true;
            draft.stays.entry([map, UNTOLD]).or_default().push((&node.address, unsure));
        }
        if ours.is_empty() {
            continue;
        }
        is_any = true;
        if map == TAGS && tables::of(node.address.kind).keeps_tags {
            draft.stays.entry([map, KEPT]).or_default().push((&node.address, ours.into_keys().collect()));
            continue;
        }
        // A parameter may be what encrypts connections, or what audits them.
        let out = |(name, before): (String, String)| {
            FieldChange::taking_out(map, &name, Value::String(before), map == PARAMETERS)
        };
        let changes = ours.into_iter().map(out).collect();
        let op =
            Op::Modify { address: node.address.clone(), changes, attrs: AnyAttrs::empty(node.address.kind) };
        let step = step(input, node, Some(seen), op, Reason::Unwanted, BTreeSet::new());
        draft.push(step, Some(node), Some(seen));
    }
    is_any
}

/// Whether anything is there that is not wanted, so that what the record tells decides.
pub(super) fn is_anything_left(node: &Node, seen: &Observed) -> bool {
    !parameters(node, seen).is_empty() || !tags(node, seen).is_empty()
}

/// Parameters that are there and not wanted, with their values.
fn parameters(node: &Node, seen: &Observed) -> Texts {
    let Some(Value::Object(there)) = seen.attrs.get(PARAMETERS) else { return Texts::new() };
    let wanted = node.attrs.get(PARAMETERS).unwrap_or_default();
    let left = there.into_iter().filter(|(name, _)| wanted.get(name).is_none());
    left.filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

/// The same of tags.
fn tags(node: &Node, seen: &Observed) -> Texts {
    let is_users =
        |name: &str| ![TAG_PREFIX, TAGS_OF_THE_SERVICE].iter().any(|start| name.starts_with(start));
    let there = seen.facts.tags.iter();
    let left = there.filter(|(name, _)| is_users(name) && !node.tags.contains_key(*name));
    left.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What is not taken out: a line for what it is, and why it stays.
pub(super) fn said(draft: &Draft<'_>) -> Vec<String> {
    let said = draft.stays.iter().filter_map(|([map, why], objects)| {
        let (address, names) = objects.first()?;
        let others = match objects.len() - 1 {
            0 => String::new(),
            more => format!(" (so it is with {more} more of the blueprint's objects)"),
        };
        Some(format!("{map} of {address} that are not in the blueprint: {}{others}; {why}", names.join(", ")))
    });
    said.collect()
}
