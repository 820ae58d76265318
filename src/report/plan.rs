//! A plan for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::report::style::{Style, Tone};
use crate::report::tally::Tally;
use crate::report::{cost, words};
use rgctl_model::address::Address;
use rgctl_model::plan::{Blocker, Op, Plan, Refusal, Step};
use rgctl_schema::names::StepId;
use rgctl_schema::time::Span;

/// How much is told of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What changes.
    #[default]
    Changes,
    /// Also every attribute of what is made.
    Everything,
}

/// The plan as text.
pub fn text(plan: &Plan, style: Style, detail: Detail) -> String {
    let mut out = String::new();
    let tally = Tally::of(plan);
    let _ = writeln!(out, "{}", style.paint(Tone::Strong, &headline(plan, &tally)));
    let numbers: BTreeMap<&StepId, usize> =
        plan.steps.iter().enumerate().map(|(place, step)| (&step.id, place + 1)).collect();
    let context = Context { numbers, refusals: plan.refusals(), style, detail };
    for (heading, steps) in groups(plan) {
        let _ = writeln!(out, "\n{}", style.paint(Tone::Strong, &heading));
        for step in steps {
            write_step(&mut out, step, &context);
        }
    }
    write_waiting(&mut out, plan, style);
    if !plan.cost.is_empty() {
        let _ = write!(out, "\n{}", cost::table(plan, style));
    }
    write_lines(&mut out, "Prices", &plan.prices, style);
    let over: Vec<String> = plan.over_quota.iter().map(ToString::to_string).collect();
    write_lines(&mut out, "Over quota", &over, style);
    write_lines(&mut out, "Notes", &plan.notes, style);
    if !plan.steps.is_empty() {
        let _ = writeln!(out, "\n{}", closing(&tally));
    }
    if let Some(line) = plan.health.line() {
        let line = format!("Not as wanted: {line}.");
        let _ = writeln!(
            out,
            "{}{}",
            if plan.steps.is_empty() { "\n" } else { "" },
            style.paint(Tone::Bad, &line)
        );
    }
    write_gate(&mut out, plan, style);
    out
}

fn headline(plan: &Plan, tally: &Tally) -> String {
    let what = if plan.destroy { "removal of " } else { "" };
    let blueprint = &plan.blueprint;
    match plan.health.line() {
        None if plan.steps.is_empty() => format!("{what}{blueprint}: nothing to do, the world is as wanted"),
        None => format!("{what}{blueprint}: {}", tally.line()),
        Some(trouble) => format!("{what}{blueprint}: {}; not as wanted: {trouble}", tally.line()),
    }
}

/// Totals in a line.
pub fn closing(tally: &Tally) -> String {
    let outage = if tally.write_outage == Span::ZERO {
        "no write outage".to_owned()
    } else {
        format!("writes stop ~{} in sum", tally.write_outage)
    };
    let failovers = match tally.failovers {
        0 => "no failover".to_owned(),
        more => words::count(more as usize, "failover", "failovers"),
    };
    let undo = match tally.irreversible {
        0 => "all can be undone".to_owned(),
        more => format!("{more} cannot be undone"),
    };
    let (line, duration, p95) = (tally.line(), tally.duration, tally.duration_p95);
    format!("In all: {line}; ~{duration} (p95 {p95}), {outage}, {failovers}, {undo}.")
}

/// Steps by store and region, in the order in which the groups begin.
pub fn groups(plan: &Plan) -> Vec<(String, Vec<&Step>)> {
    let mut groups: Vec<(String, Vec<&Step>)> = Vec::new();
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    for step in &plan.steps {
        let region = &step.op.address().region;
        let place = *places.entry((&step.store, region)).or_insert(groups.len());
        if place == groups.len() {
            let heading = match &step.store {
                Some(store) => format!("{store} in {region}"),
                None => format!("shared in {region}"),
            };
            groups.push((heading, Vec::new()));
        }
        groups[place].1.push(step);
    }
    groups
}

/// What a step is written with, beside itself.
struct Context<'a> {
    numbers: BTreeMap<&'a StepId, usize>,
    refusals: Vec<Refusal<'a>>,
    style: Style,
    detail: Detail,
}

fn write_step(out: &mut String, step: &Step, context: &Context<'_>) {
    let Context { numbers, refusals, style, detail } = context;
    let address = step.op.address();
    let number = numbers.get(&step.id).copied().unwrap_or_default();
    let sign = style.paint(words::tone(step), &format!("{:>3}", words::sign(step)));
    let what = format!("{} {} {}", words::verb(&step.op), address.kind, address.name);
    let _ = writeln!(out, "{sign} #{number} {}", style.paint(Tone::Strong, &what));
    let mut line = |label: &str, text: &str| {
        let _ = writeln!(out, "      {} {text}", style.paint(Tone::Faint, &format!("{label:<7}")));
    };
    line("why", &format!("{}{}", step.why, after(step, numbers)));
    for (label, text) in fields(step, *detail) {
        line(label, &text);
    }
    if let Some(cost) = words::cost(&step.cost.before, &step.cost.after) {
        line("cost", &cost);
    }
    line("effect", &words::effect(&step.effect));
    if let Some((label, text)) = words::gate(step, refusals) {
        line(label, &text);
    }
}

/// `, after #1 and #2`: what must be done before.
fn after(step: &Step, numbers: &BTreeMap<&StepId, usize>) -> String {
    let mut needs: Vec<usize> = step.needs.iter().filter_map(|need| numbers.get(need).copied()).collect();
    needs.sort_unstable();
    let needs: Vec<String> = needs.into_iter().map(|number| format!("#{number}")).collect();
    if needs.is_empty() { String::new() } else { format!("; after {}", needs.join(", ")) }
}

/// Field-level lines of a step.
pub fn fields(step: &Step, detail: Detail) -> Vec<(&'static str, String)> {
    match &step.op {
        Op::Modify { changes, .. } => changes
            .iter()
            .map(|change| {
                ("field", format!("{}: {} ({})", change.field, words::change(change), change.change))
            })
            .collect(),
        Op::Tag { tags, .. } => tags.iter().map(|(key, value)| ("tag", format!("{key} = {value}"))).collect(),
        Op::Delete { final_snapshot: Some(name), .. } => vec![("keeps", format!("final snapshot {name}"))],
        Op::Delete { address, final_snapshot: None } if address.kind.facts().holds_data => {
            vec![("keeps", "no final snapshot".to_owned())]
        }
        Op::Create { attrs, .. } => {
            let set = attrs.set_fields();
            if detail == Detail::Everything {
                set.iter()
                    .map(|(name, value)| ("field", format!("{name}: {}", words::value(value))))
                    .collect()
            } else {
                let key = ["class", "node_type", "nodes", "shards", "replicas_per_shard", "engine_version"];
                let shown: Vec<String> = set
                    .iter()
                    .filter(|(name, _)| key.contains(name))
                    .map(|(name, value)| format!("{name} {}", words::value(value)))
                    .collect();
                if shown.is_empty() { Vec::new() } else { vec![("with", shown.join(", "))] }
            }
        }
        Op::Delete { .. } | Op::Act { .. } => Vec::new(),
    }
}

fn write_waiting(out: &mut String, plan: &Plan, style: Style) {
    let lines = not_done(plan);
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", style.paint(Tone::Strong, "Not done now"));
    for (what, why) in lines {
        let _ = writeln!(out, "  . {what} {why}");
    }
}

/// What is not done, and whatever else is not as wanted, each with the reason.
pub fn not_done(plan: &Plan) -> Vec<(String, String)> {
    let object = |address: &Address| format!("{} {} in {}", address.kind, address.name, address.region);
    // What is held out is told by store and region below: it may be everything there.
    let waiting = plan.waiting.iter().filter(|one| !matches!(one, Blocker::HeldOut { .. }));
    let waiting = waiting.map(|waiting| (object(waiting.address()), waiting.to_string()));
    let told: BTreeSet<&Address> = plan.waiting.iter().map(Blocker::address).collect();
    let others = plan.health.troubles.iter().filter(|ailment| match &ailment.address {
        Some(address) => !told.contains(address),
        None => true,
    });
    let others = others.map(|ailment| {
        (ailment.address.as_ref().map_or_else(|| ailment.name.clone(), object), ailment.why.clone())
    });
    waiting.chain(others).collect()
}

fn write_lines(out: &mut String, heading: &str, lines: &[String], style: Style) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", style.paint(Tone::Strong, heading));
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
}

/// What the plan ends with: what nothing allows, what would be gone, and the options that it takes, in one line.
fn write_gate(out: &mut String, plan: &Plan, style: Style) {
    let refusals = plan.refusals();
    if !refusals.is_empty() {
        let _ = writeln!(out, "\n{}", style.paint(Tone::Bad, "Refused"));
        for (number, refusal) in refusals.iter().enumerate() {
            let _ = writeln!(out, "  {}\n    {}", words::refusal(number, &refusals), refusal.remedy);
        }
    }
    let (loss, options) = (words::loss(plan), plan.options());
    if loss.is_none() && options.is_none() {
        return;
    }
    out.push('\n');
    if let Some(loss) = loss {
        let _ = writeln!(out, "{}", style.paint(Tone::Bad, &loss));
    }
    if let Some(options) = options {
        let _ = writeln!(out, "{} {options}", style.paint(Tone::Bad, "Held until allowed by name:"));
    }
}
