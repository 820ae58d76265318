//! Decisions for people and programs: who wants what, why, until when, what it comes to, and what is left out.

use std::fmt::Write;

use comfy_table::{Cell, Table, presets};
use serde::Serialize;
use serde_json::{Value, json};

use crate::report::style::{Style, Tone};
use rgctl_blueprint::desired::overlays::{Effect, Resolved, Standing};
use rgctl_blueprint::families::size;
use rgctl_model::overlay::{Axis, Decision, OverlayKey, Owner, Target};
use rgctl_schema::names::{BlueprintName, RegionId, StoreName};
use rgctl_schema::time::Moment;

/// One decision, and what it comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionRow {
    /// The store.
    pub store: StoreName,
    /// The region.
    pub region: RegionId,
    /// The dimension.
    pub axis: Axis,
    /// Which owner; the later ones of scaler, person, recovery and freeze go before the others.
    pub owner: Owner,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub set: Moment,
    /// Until when, if it has an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// Whether it holds nothing after its time.
    pub then_return: bool,
    /// Whether it is neither a least nor a most.
    pub exactly: bool,
    /// What is wanted, in units as people name them, or a class.
    pub wants: Value,
    /// What the blueprint gives.
    pub blueprint: Value,
    /// What holds, all decisions taken together.
    pub holds: Value,
    /// `in force`, `lapsed, holding`, `over`, `superseded` or `left out`.
    pub standing: &'static str,
    /// What it does, or why it does nothing, in a sentence.
    pub told: String,
    /// What is wanted, in words.
    #[serde(skip)]
    wish: String,
    /// What holds, in words.
    #[serde(skip)]
    holds_in_words: String,
}

impl DecisionRow {
    /// How one decision stands.
    pub fn of(resolved: &Resolved, effect: &Effect) -> Self {
        let overlay = &effect.overlay;
        let value = |target: &Target| value(resolved, target);
        Self {
            store: resolved.store.clone(),
            region: resolved.region.clone(),
            axis: resolved.axis,
            owner: overlay.key.owner,
            by: overlay.by.clone(),
            why: overlay.why.clone(),
            set: overlay.set,
            until: overlay.until,
            then_return: overlay.then_return,
            exactly: overlay.exactly,
            wants: value(&overlay.target),
            blueprint: value(&resolved.own),
            holds: value(&resolved.now),
            standing: standing(&effect.standing),
            told: resolved.told(effect),
            wish: resolved.wish(overlay),
            holds_in_words: resolved.shown(&resolved.now),
        }
    }

    /// All of it in a sentence.
    pub fn sentence(&self) -> String {
        let Self { store, region, axis, by, wish, why, told, .. } = self;
        format!("{axis} of {store} in {region}: {by} wants {wish} ({why}): {told}")
    }

    fn cells(&self) -> [String; 6] {
        let until = match self.until {
            None => "withdrawn".to_owned(),
            Some(until) if self.then_return => format!("{until}, then over"),
            Some(until) => format!("{until}, then held"),
        };
        [
            format!("{} {}", self.store, self.axis),
            self.region.to_string(),
            self.wish.clone(),
            self.holds_in_words.clone(),
            self.standing.to_owned(),
            until,
        ]
    }
}

/// A decision in words, as it was made: `decided at least 6 readers of accounts in us-east-1`. Without its store nobody knows
/// how many steps make a capacity unit.
pub fn decision_words(decision: &Decision, steps_per_unit: Option<u32>) -> String {
    match decision {
        Decision::Set { overlay } => {
            let key = &overlay.key;
            let least = match (&overlay.target, key.owner) {
                (Target::Class(_), _) => "the class ",
                _ if overlay.exactly => "exactly ",
                (_, Owner::Person) => "at least ",
                _ => "",
            };
            let shown = match steps_per_unit {
                None if key.axis == Axis::CapacityUnits => {
                    format!("{} steps of {}", overlay.target, key.axis)
                }
                steps => size::shown(steps.unwrap_or(1), key.axis, &overlay.target),
            };
            format!("decided {least}{shown} of {} in {}{}", key.store, key.region, whose(key))
        }
        Decision::Unset { key, .. } => {
            let axis = key.axis;
            format!("withdrew what was decided about {axis} of {} in {}{}", key.store, key.region, whose(key))
        }
        Decision::HoldOut { hold } => format!("held {} out", hold.region),
        Decision::Release { region, .. } => format!("released {region}"),
    }
}

/// A person is named beside the decision.
fn whose(key: &OverlayKey) -> String {
    match key.owner {
        Owner::Person => String::new(),
        owner => format!(" ({owner})"),
    }
}

/// A number in units as people name them, or a class.
fn value(resolved: &Resolved, target: &Target) -> Value {
    let steps = resolved.steps_per_unit.max(1);
    match target {
        Target::Class(class) => json!(class),
        Target::Count(number) if number % steps == 0 => json!(number / steps),
        Target::Count(number) => json!(f64::from(*number) / f64::from(steps)),
    }
}

const fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::InForce => "in force",
        Standing::Holding => "lapsed, holding",
        Standing::Returned => "over",
        Standing::Superseded => "superseded",
        Standing::LeftOut(_) => "left out",
    }
}

/// A row for each decision about what the blueprint has.
pub fn rows(decided: &[Resolved]) -> Vec<DecisionRow> {
    let of = |one: &Resolved| -> Vec<DecisionRow> {
        one.effects.iter().map(|effect| DecisionRow::of(one, effect)).collect()
    };
    decided.iter().flat_map(of).collect()
}

/// All decisions about a blueprint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionsReport {
    /// Whose.
    pub blueprint: BlueprintName,
    /// When they were judged.
    pub judged: Moment,
    /// Position of the last decision.
    pub seq: u64,
    /// The decisions.
    pub decisions: Vec<DecisionRow>,
    /// Decisions about what the blueprint does not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub about_nothing: Vec<String>,
}

const HEADS: [&str; 6] = ["store", "region", "wanted", "holds", "standing", "until"];

/// The decisions for people.
pub fn text(report: &DecisionsReport, style: Style) -> String {
    let mut out = String::new();
    let title = format!("Decisions about {} at {}", report.blueprint, report.judged);
    let _ = writeln!(out, "{}", style.paint(Tone::Strong, &title));
    if report.decisions.is_empty() && report.about_nothing.is_empty() {
        out.push_str("none: the blueprint alone decides\n");
        return out;
    }
    if !report.decisions.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(HEADS.map(Cell::new));
        for row in &report.decisions {
            table.add_row(row.cells().map(Cell::new));
        }
        for line in table.to_string().lines() {
            let _ = writeln!(out, " {}", line.trim_end());
        }
        out.push('\n');
        for row in &report.decisions {
            let owner = if row.owner == Owner::Person { String::new() } else { format!(", {}", row.owner) };
            let _ = writeln!(
                out,
                "  {} {} in {}: {} at {}{owner}: {}",
                row.store, row.axis, row.region, row.by, row.set, row.why
            );
            let _ = writeln!(out, "    {}", row.told);
        }
    }
    for note in &report.about_nothing {
        let _ = writeln!(out, "  {note}");
    }
    out
}

/// The decisions for a pull request.
pub fn markdown(report: &DecisionsReport) -> String {
    let mut out = format!("## Decisions about {} at {}\n\n", report.blueprint, report.judged);
    if report.decisions.is_empty() && report.about_nothing.is_empty() {
        out.push_str("None: the blueprint alone decides.\n");
        return out;
    }
    if !report.decisions.is_empty() {
        let heads = HEADS.iter().chain(&["who", "why"]).copied();
        let _ = writeln!(out, "| {} |", heads.collect::<Vec<_>>().join(" | "));
        let _ = writeln!(out, "|{}", " --- |".repeat(HEADS.len() + 2));
        for row in &report.decisions {
            let cells = row.cells().into_iter().chain([row.by.clone(), row.why.clone()]);
            let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        out.push('\n');
    }
    for note in &report.about_nothing {
        let _ = writeln!(out, "- {note}");
    }
    out
}

/// What a decision, or withdrawing some, changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeReport {
    /// Whose.
    pub blueprint: BlueprintName,
    /// What changed, dimension by dimension.
    pub changes: Vec<Change>,
}

/// What changed in one dimension.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The store.
    pub store: StoreName,
    /// The region.
    pub region: RegionId,
    /// The dimension.
    pub axis: Axis,
    /// What the blueprint gives.
    pub blueprint: Value,
    /// What held before.
    pub before: Value,
    /// What holds now.
    pub after: Value,
    /// The decision that was made; nothing where it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionRow>,
    /// The consent without which nothing gets smaller, where something would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// What comes next.
    pub next: Vec<String>,
    /// `2 readers → 6 readers`.
    #[serde(skip)]
    pub in_words: String,
}

impl Change {
    /// What changed from one to the other.
    pub fn between(before: &Resolved, after: &Resolved) -> Self {
        let allowed = after.bounds.map(|(min, max)| {
            let number = |number| after.shown(&Target::Count(number));
            if min == max {
                " exactly".to_owned()
            } else {
                format!(", allows {} to {}", number(min), number(max))
            }
        });
        let (was, is) = (after.shown(&before.now), after.shown(&after.now));
        let moves = if was == is { format!("{is}, as before") } else { format!("{was} → {is}") };
        let own = after.shown(&after.own);
        Self {
            store: after.store.clone(),
            region: after.region.clone(),
            axis: after.axis,
            blueprint: value(after, &after.own),
            before: value(after, &before.now),
            after: value(after, &after.now),
            decision: None,
            consent: after.lowered_from.as_ref().map(|_| format!("shrink:{}@{}", after.store, after.region)),
            next: Vec::new(),
            in_words: format!("{moves} (the blueprint gives {own}{})", allowed.unwrap_or_default()),
        }
    }
}

/// What changed, for people.
pub fn change_text(report: &ChangeReport, style: Style) -> String {
    let mut out = String::new();
    for change in &report.changes {
        let title = format!("{} of {} in {}: {}", change.axis, change.store, change.region, change.in_words);
        let _ = writeln!(out, "{}", style.paint(Tone::Strong, &title));
        if let Some(row) = &change.decision {
            let _ = writeln!(out, "  {} wants {} ({}): {}", row.by, row.wish, row.why, row.told);
        }
        for line in &change.next {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

/// What changed, for a pull request.
pub fn change_markdown(report: &ChangeReport) -> String {
    let mut out = String::new();
    for change in &report.changes {
        let (axis, store, region) = (change.axis, &change.store, &change.region);
        let _ = writeln!(out, "- **{axis} of {store} in {region}**: {}", change.in_words);
        if let Some(row) = &change.decision {
            let _ = writeln!(out, "  - {} wants {} ({}): {}", row.by, row.wish, row.why, row.told);
        }
        for line in &change.next {
            let _ = writeln!(out, "  - {line}");
        }
    }
    out
}
