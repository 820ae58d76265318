//! A step about a wanted object, with its effect and its cost; what it needs and what the gate says is added later.

use std::collections::BTreeSet;

use super::input::PlanInput;
use super::{cost, effect};
use rgctl_model::node::Node;
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Answer, Disturbance, Op, Reason, Step};
use rgctl_model::policy::ConsentRequest;

pub(super) fn step(
    input: &PlanInput<'_>,
    node: &Node,
    seen: Option<&Observed>,
    op: Op,
    why: Reason,
    requires: BTreeSet<ConsentRequest>,
) -> Step {
    Step {
        id: op.step_id(),
        store: Some(node.store.clone()),
        needs: BTreeSet::new(),
        after_deletion_of: BTreeSet::new(),
        why,
        requires,
        disturbs: Disturbance::Quiet,
        held_out: None,
        cool_down: None,
        repairs: false,
        answer: Answer::Go,
        effect: effect::of(&op, seen),
        cost: cost::change(input, &op, seen, &node.usage),
        op,
    }
}
