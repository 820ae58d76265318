//! Small phrases that several views share.

use serde_json::Value;

use crate::artefacts::plan::{Answer, Effect, Op, Plan, Reason, Step};
use crate::artefacts::policy::Grave;
use crate::execution::motion::Wait;
use crate::report::style::Tone;
use crate::vocabulary::money::Total;
use crate::vocabulary::table::FieldChange;
use crate::vocabulary::time::Span;

/// Sign of a step: `+` make, `~` change, `-` delete, `-/+` make anew, `>` act.
pub fn sign(step: &Step) -> &'static str {
    match (&step.op, &step.why) {
        (Op::Create { .. } | Op::Delete { .. }, Reason::MustReplace { .. }) => "-/+",
        (Op::Create { .. }, _) => "+",
        (Op::Delete { .. }, _) => "-",
        (Op::Modify { .. } | Op::Tag { .. }, _) => "~",
        (Op::Act { .. }, _) => ">",
    }
}

/// Tone of a step.
pub fn tone(step: &Step) -> Tone {
    match sign(step) {
        "+" => Tone::Good,
        "-" | "-/+" => Tone::Bad,
        _ => Tone::Change,
    }
}

/// A value as it stands in a view: text without quotes, lists in brackets.
pub fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(self::value).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// `before → after` of a field.
pub fn change(change: &FieldChange) -> String {
    let before = change.before.as_ref().map_or_else(|| "unset".to_owned(), value);
    format!("{before} → {}", value(&change.after))
}

/// How an operation that changes no field is told in full.
pub fn verb(op: &Op) -> String {
    use crate::artefacts::plan::Verb;
    match op {
        Op::Act { verb: Verb::Failover { to: Some(to) }, .. } => format!("failover to {to}"),
        Op::Act { verb: Verb::Switchover { to, .. }, .. } => format!("switchover to {to}"),
        Op::Act { verb: Verb::FailoverGlobal { to, .. }, .. } => format!("failover-global to {to}"),
        Op::Act { verb: Verb::Detach { region, member }, .. } => format!("detach {member} in {region}"),
        other => other.word().to_owned(),
    }
}

/// Effect on those who use the store, in a line.
pub fn effect(effect: &Effect) -> String {
    let outage = if effect.write_outage == Span::ZERO {
        "no write outage".to_owned()
    } else {
        format!("writes stop ~{}", effect.write_outage)
    };
    let failovers = match effect.failovers {
        0 => "no failover".to_owned(),
        1 => "1 failover".to_owned(),
        more => format!("{more} failovers"),
    };
    let back = if effect.reversible { "can be undone" } else { "cannot be undone" };
    format!("takes ~{} (p95 {}), {outage}, {failovers}, {back}", effect.duration, effect.duration_p95)
}

/// Cost a month before and after, or nothing when neither costs anything.
pub fn cost(before: &Total, after: &Total) -> Option<String> {
    let free = Total::default();
    if is_free(before) && is_free(after) {
        return None;
    }
    if before == after {
        return Some(format!("{after} a month, unchanged"));
    }
    let before = if *before == free { "0.00".to_owned() } else { before.to_string() };
    Some(format!("{before} → {after} a month"))
}

/// Whether nothing is to be paid, for certain.
fn is_free(total: &Total) -> bool {
    total.is_complete() && total.known.values().all(rust_decimal::Decimal::is_zero)
}

/// What waits beyond the usual, in a line.
pub fn wait(what: &str, wait: &Wait) -> String {
    let calls = match usize::try_from(wait.calls).unwrap_or(usize::MAX) {
        0 => String::new(),
        calls => format!(", {}", count(calls, "call", "calls")),
    };
    let again = wait.again.map(|again| format!(", again at {again}")).unwrap_or_default();
    format!("waiting: {what}: {}; since {}{calls}{again}", wait.why, wait.since)
}

/// What the gate says about a step that may not be begun at once, with its label.
pub fn gate(step: &Step) -> Option<(&'static str, String)> {
    match &step.answer {
        Answer::Go => None,
        Answer::Wait { until, why } => {
            let leaves = match (&step.store, step.disturbs.waits_for_window()) {
                (Some(store), true) => {
                    format!("; `--allow {}:{store}` overrides a window, never a freeze", Grave::Window)
                }
                _ => String::new(),
            };
            Some(("waits", format!("for {until}: {why}{leaves}")))
        }
        Answer::No { why, allow, .. } if allow.is_empty() => {
            // A bound on the sum holds up many steps; what stands at the end is not said with each.
            let is_told = !step.requires.is_empty();
            Some(("held", if is_told { why.clone() } else { "refused, as told at the end".to_owned() }))
        }
        Answer::No { allow, .. } => {
            let options: Vec<String> = allow.iter().map(|act| format!("--allow {act}")).collect();
            Some(("held", format!("needs {}", options.join(" "))))
        }
    }
}

/// Which stores a plan leaves without a member or without their data.
pub fn loss(plan: &Plan) -> Option<String> {
    let emptied: Vec<String> =
        plan.emptied().into_iter().map(|(store, region)| format!("{store} in {region}")).collect();
    (!emptied.is_empty()).then(|| {
        format!(
            "This plan leaves {} empty: without a member that serves, or without the data that is live now.",
            emptied.join(", ")
        )
    })
}

/// `1 step`, `2 steps`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}
