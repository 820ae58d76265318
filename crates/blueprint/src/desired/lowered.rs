//! What a store has by a size that was held, and has no longer.
//!
//! **Invariant:** no kind is named: both sizes are expanded, and what differs is what would go.

use std::collections::{BTreeMap, BTreeSet};

use crate::families::expand::Expansion;
use rgctl_model::address::Address;
use rgctl_model::node::{Lowered, Node};

/// What is in the first and not in the second.
pub(super) fn between(higher: Option<&Expansion>, now: &Expansion) -> Lowered {
    // What cannot be expanded was never there.
    let Some(higher) = higher else { return Lowered::default() };
    let now: BTreeMap<&Address, &Node> = now.nodes.iter().map(|node| (&node.address, node)).collect();
    let mut lowered = Lowered::default();
    for node in &higher.nodes {
        let Some(stays) = now.get(&node.address) else {
            lowered.objects.insert(node.address.clone());
            continue;
        };
        let fields = fields_apart(node, stays);
        if !fields.is_empty() {
            lowered.fields.insert(node.address.clone(), fields);
        }
    }
    lowered
}

fn fields_apart(higher: &Node, now: &Node) -> BTreeSet<String> {
    let now: BTreeMap<_, _> = now.attrs.set_fields().into_iter().collect();
    let higher = higher.attrs.set_fields().into_iter();
    higher.filter(|(name, value)| now.get(name) != Some(value)).map(|(name, _)| (*name).to_owned()).collect()
}
