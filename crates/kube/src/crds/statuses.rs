//! What is said about objects, for each kind. Only the operator writes it.

use serde_json::{Value, json};

use super::nodes::{closed, conditions, cost, generation, list, number, text, word};
use crate::kinds::plan::Phase;

fn observed() -> Value {
    generation("The generation that was judged.")
}

/// Conditions alone.
pub fn simple() -> Value {
    closed("What is said about it.", &[("observedGeneration", observed()), ("conditions", conditions())], &[])
}

/// Of a blueprint.
pub fn blueprint() -> Value {
    let store = closed(
        "A store in a region.",
        &[
            ("name", text("Its name.", 64)),
            ("region", text("The region in which this part of it is.", 64)),
            ("endpoint", text("Where clients connect first.", 512)),
        ],
        &["name", "region"],
    );
    closed(
        "What is said about it.",
        &[
            ("observedGeneration", observed()),
            ("lastHandledReconcileAt", text("The token of the last wish for a turn that was heard.", 256)),
            ("conditions", conditions()),
            ("plan", text("Name of the plan that waits, or is carried out.", 253)),
            ("run", text("The run that is open.", 128)),
            ("account", text("The account in which it is at home.", 128)),
            ("drift", number("Objects that differ from what is wanted.", 0, 10_000_000)),
            ("cost", cost("What it costs as it is wanted.")),
            (
                "regions",
                list(
                    "Its regions, the primary ones first.",
                    32,
                    &json!({ "type": "string", "maxLength": 64 }),
                ),
            ),
            ("stores", list("Its stores.", 128, &store)),
            ("outputs", text("Name of the ConfigMap that says where clients connect.", 253)),
        ],
        &[],
    )
}

/// Of a plan.
pub fn plan() -> Value {
    closed(
        "What became of it.",
        &[
            ("phase", word("In which state it is.", &Phase::ALL.map(Phase::as_str))),
            ("approval", text("Name of the approval that lets it be carried out.", 253)),
            ("run", text("The run that carries it out, or did.", 128)),
            ("conditions", conditions()),
        ],
        &[],
    )
}

/// Of an approval.
pub fn approval() -> Value {
    closed(
        "What became of it.",
        &[
            ("usedBy", text("The run that it was used for: it is good for one.", 128)),
            ("conditions", conditions()),
        ],
        &[],
    )
}

/// Of an override.
pub fn overrides() -> Value {
    closed(
        "What became of it.",
        &[
            ("observedGeneration", observed()),
            ("current", number("How many there are.", 0, 100_000)),
            ("selector", text("A selector that means no pod, for scalers.", 256)),
            ("conditions", conditions()),
        ],
        &[],
    )
}
