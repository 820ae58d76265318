//! Taking over: the tags of ownership on what the blueprint names and nobody owns, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ask, Plan, effect, health};
use rgctl_model::node::{Node, TAG_RECORD};
use rgctl_model::plan::{Answer, CostChange, Disturbance, Op, PLAN_FORMAT, Reason, Step, Waiting};
use rgctl_model::scope::RecordId;
use rgctl_model::seen::Seen;
use rgctl_schema::names::Fingerprint;
use rgctl_schema::phase::Phase;

/// The plan of a take-over. An object of another blueprint is never in it, nor one of another record unless that is given
/// up by name; and what does not exist is not made.
pub fn take_over(ask: &Ask<'_>, from: Option<&RecordId>) -> Plan {
    let found = || {
        let nodes = ask.desired.nodes.values().filter(|node| ask.is_target(&node.at));
        nodes.filter_map(|node| Some((node, ask.inventory.seen.get(&node.at)?)))
    };
    let is_free =
        |(node, seen): &(&Node, &Seen)| ask.claims.may_take(&ask.desired.blueprint, &node.at, seen, from);
    let stays = |(_, seen): &(&Node, &Seen)| !matches!(seen.facts.phase, Phase::Absent | Phase::Deleting);
    let waiting = hidden(ask);
    Plan {
        format: PLAN_FORMAT.to_owned(),
        blueprint: ask.desired.blueprint.clone(),
        base: Fingerprint(String::new()),
        made: ask.now,
        destroy: false,
        steps: found().filter(is_free).filter(stays).map(|(node, seen)| tag(ask, node, seen, from)).collect(),
        health: health::unseen(ask, &waiting),
        waiting,
        cost: BTreeMap::new(),
        prices: Vec::new(),
        over_quota: Vec::new(),
        notes: Vec::new(),
    }
}

/// What may be there, and be free, where nobody could look.
fn hidden(ask: &Ask<'_>) -> Vec<Waiting> {
    let nodes = ask.desired.nodes.keys().filter(|at| ask.is_target(at));
    let hidden =
        nodes.filter(|at| !ask.inventory.seen.contains_key(at) && !ask.inventory.is_complete_for(at));
    hidden
        .map(|at| Waiting::Unseen {
            at: at.clone(),
            why: "its region could not be seen in full, so it may exist and belong to nobody".to_owned(),
            lasting: ask.inventory.gaps_around(at).any(|gap| gap.lasting),
        })
        .collect()
}

fn tag(ask: &Ask<'_>, node: &Node, seen: &Seen, from: Option<&RecordId>) -> Step {
    let mut tags = node.all_tags(&ask.desired.blueprint);
    if let Some(record) = &ask.claims.record {
        tags.insert(TAG_RECORD.to_owned(), record.0.clone());
    }
    let op = Op::Tag { at: node.at.clone(), tags };
    Step {
        id: op.step_id(),
        store: Some(node.store.clone()),
        needs: BTreeSet::new(),
        gone: BTreeSet::new(),
        why: Reason::TakenOver { from: from.cloned() },
        requires: BTreeSet::new(),
        disturbs: Disturbance::Quiet,
        repairs: false,
        // The gate is asked when it is begun.
        answer: Answer::Go,
        effect: effect::of(&op, Some(seen)),
        cost: CostChange::default(),
        op,
    }
}
