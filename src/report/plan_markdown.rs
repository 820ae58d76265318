//! A plan for a pull request: tables, with the details folded.

use std::fmt::Write;

use crate::report::plan::{Detail, closing, fields, groups, not_done};
use crate::report::tally::{self, Tally};
use crate::report::{cost, words};
use rgctl_model::plan::{Plan, Refusal, Step};

/// The plan as Markdown.
pub fn markdown(plan: &Plan) -> String {
    let tally = Tally::of(plan);
    let mut out = String::new();
    let what = if plan.destroy { "Removal of" } else { "Plan for" };
    let _ = writeln!(out, "## {what} `{}`: {}\n", plan.blueprint, tally.line());
    if plan.is_clean() {
        let _ = writeln!(out, "The world is as wanted.");
        return out;
    }
    if let Some(line) = plan.health.line() {
        let _ = writeln!(out, "**Not as wanted:** {}.\n", cell(&line));
    }
    if !plan.steps.is_empty() {
        let _ = writeln!(out, "{}\n", closing(&tally));
    }
    write_cost(&mut out, plan);
    let refusals = plan.refusals();
    for (heading, steps) in groups(plan) {
        write_group(&mut out, &heading, &steps, &refusals);
    }
    let not_done = not_done(plan);
    if !not_done.is_empty() {
        let _ = writeln!(out, "### Not done now\n");
        for (what, why) in not_done {
            let _ = writeln!(out, "- {} {}", cell(&what), cell(&why));
        }
        out.push('\n');
    }
    for over in &plan.over_quota {
        let _ = writeln!(out, "- **over quota**: {over}");
    }
    for note in plan.notes.iter().chain(&plan.prices) {
        let _ = writeln!(out, "> {note}\n");
    }
    write_gate(&mut out, plan);
    let _ = writeln!(out, "<sub>Made {} from state `{}`.</sub>", plan.made, short(&plan.base.0));
    out
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// A text that may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
}

fn write_gate(out: &mut String, plan: &Plan) {
    let refusals = plan.refusals();
    for (number, refusal) in refusals.iter().enumerate() {
        let why = words::refusal(number, &refusals);
        let _ = writeln!(out, "> **Refused:** {why}. {}\n", refusal.remedy);
    }
    if let Some(loss) = words::loss(plan) {
        let _ = writeln!(out, "> **{loss}**\n");
    }
    if let Some(options) = plan.options() {
        let _ = writeln!(out, "> **Held until allowed by name:** `{options}`\n");
    }
}

fn write_cost(out: &mut String, plan: &Plan) {
    if plan.cost.is_empty() {
        return;
    }
    let _ = writeln!(out, "| Cost a month | Floor | Expected | Ceiling |\n| --- | ---: | ---: | ---: |");
    for (key, range) in &plan.cost {
        let region = cost::region(key);
        let _ = writeln!(out, "| {region} | {} | {} | {} |", range.floor, range.expected, range.ceiling);
    }
    let sum = tally::sum(plan);
    let _ = writeln!(out, "| **in all** | {} | **{}** | {} |\n", sum.floor, sum.expected, sum.ceiling);
    let mut all = sum.floor;
    all.merge(&sum.expected);
    all.merge(&sum.ceiling);
    if !all.is_complete() {
        let _ = writeln!(out, "Without a known price, so that the sums are lower bounds:\n");
        for what in &all.unpriced {
            let _ = writeln!(out, "- {}", cell(what));
        }
        out.push('\n');
    }
}

fn write_group(out: &mut String, heading: &str, steps: &[&Step], refusals: &[Refusal<'_>]) {
    let summary = words::count(steps.len(), "step", "steps");
    let _ = writeln!(out, "<details><summary><b>{heading}</b>: {summary}</summary>\n");
    let _ = writeln!(
        out,
        "| | What | Why | Fields | Cost a month | Effect |\n| --- | --- | --- | --- | --- | --- |"
    );
    for step in steps {
        let address = step.op.address();
        let fields: Vec<String> =
            fields(step, Detail::Changes).into_iter().map(|(_, text)| cell(&text)).collect();
        let cost = words::cost(&step.cost.before, &step.cost.after).unwrap_or_default();
        let held = words::gate(step, refusals)
            .map(|(label, text)| format!(" **{label}: {}**", cell(&text)))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "| `{}` | {} `{}` `{}`{held} | {} | {} | {} | {} |",
            words::sign(step),
            words::verb(&step.op),
            address.kind,
            address.name,
            cell(&step.why.to_string()),
            fields.join("<br>"),
            cost.trim_end_matches(" a month"),
            words::effect(&step.effect),
        );
    }
    let _ = writeln!(out, "\n</details>\n");
}
