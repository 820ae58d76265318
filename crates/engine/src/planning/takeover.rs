//! Taking over: the tags of ownership on what the blueprint names and nobody owns, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::input::PlanInput;
use super::waiting::Waiting;
use super::{effect, health, held_out};
use rgctl_model::node::{Node, TAG_RECORD};
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Answer, Blocker, CostChange, Disturbance, Op, PLAN_FORMAT, Plan, Reason, Step};
use rgctl_model::scope::RecordId;
use rgctl_schema::names::Fingerprint;
use rgctl_schema::phase::Phase;

/// The plan of a take-over. An object of another blueprint is never in it, nor one of another record unless that is given
/// up by name; and what does not exist is not made.
pub fn take_over(input: &PlanInput<'_>, from: Option<&RecordId>) -> Plan {
    let masked = input.inventory.holding_out(input.held_out);
    let input = &PlanInput { inventory: &masked, ..*input };
    take_over_of(input, from)
}

fn take_over_of(input: &PlanInput<'_>, from: Option<&RecordId>) -> Plan {
    let mut waiting = Waiting::default();
    waiting.extend(hidden(input));
    waiting.extend(held_out::blockers(input).into_iter().filter(|one| input.is_target(one.address())));
    let found = || {
        let nodes = input.desired.nodes.values().filter(|node| input.is_target(&node.address));
        nodes.filter_map(|node| Some((node, input.inventory.seen.get(&node.address)?)))
    };
    let is_free = |(node, seen): &(&Node, &Observed)| {
        input.claims.may_take(&input.desired.blueprint, &node.address, seen, from)
    };
    let stays = |(_, seen): &(&Node, &Observed)| !matches!(seen.facts.phase, Phase::Absent | Phase::Deleting);
    Plan {
        format: PLAN_FORMAT.to_owned(),
        blueprint: input.desired.blueprint.clone(),
        base: Fingerprint(String::new()),
        made: input.now,
        destroy: false,
        steps: found()
            .filter(is_free)
            .filter(stays)
            .map(|(node, seen)| tag(input, node, seen, from))
            .collect(),
        health: health::unseen(input, &waiting),
        waiting: waiting.into_list(),
        cost: BTreeMap::new(),
        prices: Vec::new(),
        over_quota: Vec::new(),
        notes: Vec::new(),
    }
}

/// What may be there, and be free, where nobody could look.
fn hidden(input: &PlanInput<'_>) -> Vec<Blocker> {
    let nodes = input.desired.nodes.keys().filter(|address| input.is_target(address));
    let hidden = nodes.filter(|address| {
        !input.inventory.seen.contains_key(address) && !input.inventory.is_complete_for(address)
    });
    let hidden = hidden.filter(|address| input.inventory.hold_on(address).is_none());
    hidden
        .map(|address| Blocker::Unseen {
            address: address.clone(),
            why: "its region could not be seen in full, so it may exist and belong to nobody".to_owned(),
            lasting: input.inventory.gaps_around(address).any(|gap| gap.lasting),
        })
        .collect()
}

fn tag(input: &PlanInput<'_>, node: &Node, seen: &Observed, from: Option<&RecordId>) -> Step {
    let mut tags = node.all_tags(&input.desired.blueprint);
    if let Some(record) = &input.claims.record {
        tags.insert(TAG_RECORD.to_owned(), record.0.clone());
    }
    let op = Op::Tag { address: node.address.clone(), tags };
    Step {
        id: op.step_id(),
        store: Some(node.store.clone()),
        needs: BTreeSet::new(),
        after_deletion_of: BTreeSet::new(),
        why: Reason::TakenOver { from: from.cloned() },
        requires: BTreeSet::new(),
        disturbs: Disturbance::Quiet,
        cool_down: None,
        held_out: held_out::reason(input, &op, Some(node)),
        repairs: false,
        // The gate is asked when it is begun.
        answer: Answer::Go,
        effect: effect::of(&op, Some(seen)),
        cost: CostChange::default(),
        op,
    }
}
