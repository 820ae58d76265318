//! What was agreed to, and whether a step is a part of it.
//!
//! Every turn plans anew, from a world that has moved on: parts of what was agreed to are there already, by our own hand or
//! by another. What is left need not be told in the same words, so it is not compared word by word.
//!
//! **Invariant:** a step that asks for a value, an object or a verb that was not agreed to, or that is graver than what was
//! agreed to, is no part of it.

use std::collections::BTreeMap;

use serde_json::Value;

use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::plan::{Op, Plan, Step, Verb};
use rgctl_schema::table::FieldChange;

/// The steps of an agreed plan, by object.
pub(super) struct Agreed<'a>(BTreeMap<&'a Address, Vec<&'a Step>>);

impl<'a> Agreed<'a> {
    pub fn of(plan: &'a Plan) -> Self {
        let mut steps: BTreeMap<&Address, Vec<&Step>> = BTreeMap::new();
        for step in &plan.steps {
            steps.entry(step.op.address()).or_default().push(step);
        }
        Self(steps)
    }

    /// Whether the step does what was agreed to, or a part of it, and nothing else. A member that goes with its parent
    /// takes nothing away that the parent does not take, whatever its role is by then.
    pub fn covers(&self, step: &Step, parent: Option<&Address>) -> bool {
        let about = self.0.get(step.op.address()).into_iter().flatten().copied();
        let goes_with_parent =
            matches!(step.op, Op::Delete { .. }) && parent.is_some_and(|parent| self.deletes(parent));
        let mut harmless_enough = about.filter(|agreed| goes_with_parent || !is_graver(step, agreed));
        match &step.op {
            // What was to be changed in one call may be changed already in part, or go in two.
            Op::Modify { changes, attrs, .. } => {
                let agreed: Vec<&Op> = harmless_enough.map(|agreed| &agreed.op).collect();
                let asks_for_it = |field: &&str| agreed.iter().any(|agreed| asks_for(agreed, field, attrs));
                let changes_it = |change| agreed.iter().any(|agreed| makes(agreed, change));
                attrs.set_names().iter().all(asks_for_it) && changes.iter().all(changes_it)
            }
            op => harmless_enough.any(|agreed| is_part_of(op, &agreed.op)),
        }
    }

    fn deletes(&self, address: &Address) -> bool {
        self.0.get(address).is_some_and(|steps| steps.iter().any(|step| matches!(step.op, Op::Delete { .. })))
    }
}

/// Whether a step takes nothing away: then a decision may add it to what was agreed to.
pub(super) fn only_adds(step: &Step) -> bool {
    let adds = match &step.op {
        Op::Create { .. } | Op::Act { verb: Verb::Failover { .. }, .. } => true,
        Op::Modify { changes, .. } => !changes.iter().any(|change| change.shrinks || change.lowers),
        Op::Act { .. } | Op::Tag { .. } | Op::Delete { .. } => false,
    };
    adds && step.requires.is_empty()
}

/// Whether a step takes more from those who use the store than what was agreed to.
fn is_graver(step: &Step, agreed: &Step) -> bool {
    step.effect.failovers > agreed.effect.failovers || step.effect.write_outage > agreed.effect.write_outage
}

/// Whether an operation that changes no field is the agreed one, or a part of it.
fn is_part_of(op: &Op, agreed: &Op) -> bool {
    match (op, agreed) {
        // The name of a snapshot is a choice, which is kept where it can be; that there is one is the agreement.
        (Op::Delete { final_snapshot, .. }, Op::Delete { final_snapshot: theirs, .. }) => {
            final_snapshot.is_some() == theirs.is_some()
        }
        (Op::Tag { tags, .. }, Op::Tag { tags: theirs, .. }) => {
            tags.iter().all(|(key, value)| theirs.get(key) == Some(value))
        }
        (op, agreed) => op == agreed,
    }
}

/// Whether an agreed operation sets a field to the value that is asked for.
fn asks_for(agreed: &Op, field: &str, asked: &AnyAttrs) -> bool {
    matches!(agreed, Op::Modify { attrs, .. } if attrs.get(field).is_some() && attrs.get(field) == asked.get(field))
}

/// Whether an agreed operation makes this change, from wherever it set out, at no lower price.
fn makes(agreed: &Op, change: &FieldChange) -> bool {
    let Op::Modify { changes, .. } = agreed else { return false };
    changes.iter().any(|agreed| {
        agreed.field == change.field
            && agreed.after == change.after
            && agreed.change >= change.change
            && (agreed.shrinks || !change.shrinks)
            && (agreed.lowers || !change.lowers)
            // To take something away is another thing than to add something, also where both end alike.
            && (goes_down(agreed) || !goes_down(change))
            && taken_out(change).all(|entry| taken_out(agreed).any(|theirs| theirs == entry))
    })
}

/// What a change of a list takes out of it.
fn taken_out(change: &FieldChange) -> impl Iterator<Item = &Value> {
    let after = change.after.as_array();
    let before = change.before.as_ref().and_then(Value::as_array).into_iter().flatten();
    before.filter(move |entry| after.is_some_and(|after| !after.contains(entry)))
}

fn goes_down(change: &FieldChange) -> bool {
    let before = change.before.as_ref().and_then(Value::as_f64);
    before.zip(change.after.as_f64()).is_some_and(|(before, after)| after < before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_model::kinds::KindId;
    use rgctl_schema::names::{Name, RegionId};
    use serde_json::json;

    #[test]
    fn a_change_of_a_list_takes_nothing_out_that_was_not_agreed_to() {
        let change = |before: Value, after: Value| -> FieldChange {
            let text =
                json!({ "field": "log_exports", "before": before, "after": after, "change": "in_place" });
            serde_json::from_value(text).unwrap()
        };
        let address = Address::new(
            RegionId::new("us-east-1").unwrap(),
            KindId::AuroraCluster,
            Name::new("game").unwrap(),
        );
        let attrs = AnyAttrs::empty(address.kind);
        let changes = vec![change(json!(["audit", "error"]), json!(["audit"]))];
        let agreed = Op::Modify { address, changes, attrs };
        assert!(makes(&agreed, &change(json!(["audit", "error"]), json!(["audit"]))));
        assert!(makes(&agreed, &change(json!([]), json!(["audit"]))), "it adds what was agreed to be there");
        let others_too = change(json!(["audit", "error", "slowquery"]), json!(["audit"]));
        assert!(!makes(&agreed, &others_too), "somebody else's was added since");
    }
}
