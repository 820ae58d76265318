//! Small phrases that several views share.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::report::style::Tone;
use rgctl_engine::execution::motion::Wait;
use rgctl_engine::execution::turn::HeldStep;
use rgctl_model::plan::{Answer, Effect, Op, Plan, Reason, Refusal, Step};
use rgctl_model::policy::DestructiveAction;
use rgctl_schema::money::Total;
use rgctl_schema::names::StepId;
use rgctl_schema::table::FieldChange;
use rgctl_schema::time::Span;

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

/// A value as it stands in a view: text without quotes, none where it is empty, lists in brackets.
pub fn value(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "none".to_owned(),
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
    let after = match change.taken_out() {
        Some(("tags", _)) => "none".to_owned(),
        Some(_) => "default".to_owned(),
        None => value(&change.after),
    };
    format!("{before} → {after}")
}

/// How an operation that changes no field is told in full.
pub fn verb(op: &Op) -> String {
    use rgctl_model::plan::Verb;
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
pub fn gate(step: &Step, refusals: &[Refusal<'_>]) -> Option<(&'static str, String)> {
    if let Some((why, remedy)) = step.refused() {
        let place = refusals.iter().position(|known| (known.why, known.remedy) == (why, remedy));
        // One reason holds up many steps, so that it is not said with each.
        let which = place.filter(|_| refusals.len() > 1);
        let which = which.map(|place| format!(": reason {}", place + 1)).unwrap_or_default();
        return Some(("held", format!("refused, as told at the end{which}")));
    }
    match &step.answer {
        Answer::Go => None,
        Answer::HeldOut { why } => Some(("held", why.clone())),
        Answer::Wait { until, why } => {
            let leaves = match (&step.store, step.disturbs.waits_for_window()) {
                (Some(store), true) => {
                    format!(
                        "; `--allow {}:{store}` overrides a window, never a freeze",
                        DestructiveAction::Window
                    )
                }
                _ => String::new(),
            };
            Some(("waits", format!("for {until}: {why}{leaves}")))
        }
        Answer::No { allow, .. } => {
            let options: Vec<String> = allow.iter().map(|act| format!("--allow {act}")).collect();
            Some(("held", format!("needs {}", options.join(" "))))
        }
    }
}

/// What no consent helps against, in a line: its number where there are several, and how many steps it holds up.
pub fn refusal(number: usize, refusals: &[Refusal<'_>]) -> String {
    let Some(Refusal { why, steps, .. }) = refusals.get(number) else { return String::new() };
    let label = if refusals.len() > 1 { format!("{}. ", number + 1) } else { String::new() };
    format!("{label}{}: {why}", count(*steps, "step", "steps"))
}

/// What holds up steps, each reason once, with the first of its steps.
pub fn held(held: &[HeldStep]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&StepId>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for one in held {
        let place = *places.entry(&one.why).or_insert(reasons.len());
        if place == reasons.len() {
            reasons.push((&one.why, Vec::new()));
        }
        reasons[place].1.push(&one.step);
    }
    let line = |(why, steps): (&str, Vec<&StepId>)| match &steps[..] {
        [first, _, ..] => format!("{first} and {} more: {why}", steps.len() - 1),
        steps => format!("{}: {why}", steps.iter().map(ToString::to_string).collect::<String>()),
    };
    reasons.into_iter().map(line).collect()
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
