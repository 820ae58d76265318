//! What an import found: the blueprint that it wrote, what is left to do, what stays outside; and what a blueprint
//! names without owning it.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use crate::import::{Adoption, Left, StoreFound};
use crate::report::plan::{self, Detail};
use crate::report::style::{Style, Tone};
use crate::report::{plan_markdown, words};
use rgctl_model::address::Address;
use rgctl_model::plan::Plan;
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::table::FieldChange;

/// What was found, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImportReport {
    /// Name of the blueprint.
    pub blueprint: BlueprintName,
    /// Regions that were looked at.
    pub regions: Vec<RegionId>,
    /// Whether the plan is empty once the objects are taken over.
    pub exact: bool,
    /// The stores.
    pub stores: Vec<StoreFound>,
    /// What stays outside.
    pub left: Vec<Left>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Why the blueprint cannot be used as it is.
    pub problems: Vec<String>,
    /// What would be done after taking over; nothing when no plan could be made.
    pub plan: Option<Plan>,
    /// The documents.
    pub documents: Vec<Value>,
    /// The file that they were written to.
    pub file: Option<String>,
}

impl ImportReport {
    /// Of an adoption.
    pub fn of(blueprint: BlueprintName, regions: Vec<RegionId>, adoption: &Adoption) -> Self {
        let mut documents = vec![adoption.document.clone()];
        documents.extend(adoption.regions.iter().cloned());
        Self {
            blueprint,
            regions,
            exact: adoption.is_exact(),
            stores: adoption.stores.clone(),
            left: adoption.left.clone(),
            notes: adoption.notes.clone(),
            problems: adoption.problems.clone(),
            plan: adoption.plan.clone(),
            documents,
            file: None,
        }
    }

    fn headline(&self) -> String {
        let regions: Vec<String> = self.regions.iter().map(ToString::to_string).collect();
        format!(
            "{}: {} found in {}",
            self.blueprint,
            words::count(self.stores.len(), "store", "stores"),
            regions.join(", ")
        )
    }

    fn verdict(&self) -> String {
        match &self.plan {
            _ if !self.problems.is_empty() => {
                "The blueprint cannot be used as it is: see the problems.".to_owned()
            }
            Some(_) if self.exact => {
                "The blueprint reproduces what was found: once it is taken over, the plan is empty."
                    .to_owned()
            }
            Some(plan) => format!(
                "The blueprint differs from what was found: after taking over, {} and {} would be left.",
                words::count(plan.steps.len(), "step", "steps"),
                words::count(plan.waiting.len(), "thing to wait for", "things to wait for")
            ),
            None => "No plan could be made of what was found.".to_owned(),
        }
    }
}

/// For people.
pub fn text(report: &ImportReport, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", style.paint(Tone::Strong, &report.headline()));
    for store in &report.stores {
        let _ = writeln!(
            out,
            "\n  {}  {}  {}",
            style.paint(Tone::Good, store.store.as_str()),
            store.engine,
            store.root
        );
        for follower in &store.followers {
            let _ = writeln!(out, "      followed by  {follower}");
        }
        let _ = writeln!(out, "      its own      {}", words::count(store.objects, "object", "objects"));
        for shared in &store.shared {
            let _ = writeln!(out, "      only used    {shared}");
        }
        for kept in &store.kept {
            let value =
                if kept.value.is_null() { "left alone".to_owned() } else { words::value(&kept.value) };
            let _ = writeln!(
                out,
                "      as found     {}/{} {}: {value}",
                kept.address.kind, kept.address.name, kept.field
            );
        }
    }
    lines(
        &mut out,
        "Left outside",
        report.left.iter().map(|left| format!("{}: {}", left.address, left.why)),
        style,
    );
    lines(&mut out, "Notes", report.notes.iter().cloned(), style);
    lines(&mut out, "Problems", report.problems.iter().cloned(), style);
    if let Some(plan) = report.plan.as_ref().filter(|_| !report.exact) {
        let bare = Plan { cost: std::collections::BTreeMap::new(), prices: Vec::new(), ..plan.clone() };
        let _ = write!(out, "\n{}", plan::text(&bare, style, Detail::Changes));
    }
    let _ = writeln!(out, "\n{}", report.verdict());
    out
}

fn lines(out: &mut String, heading: &str, lines: impl Iterator<Item = String>, style: Style) {
    let mut is_first = true;
    for line in lines {
        if std::mem::take(&mut is_first) {
            let _ = writeln!(out, "\n{}", style.paint(Tone::Strong, heading));
        }
        let _ = writeln!(out, "  {line}");
    }
}

/// For a pull request.
pub fn markdown(report: &ImportReport) -> String {
    let mut out = format!("## {}\n\n{}\n", report.headline(), report.verdict());
    if !report.stores.is_empty() {
        out.push_str("\n| Store | Engine | Main object | Own objects | As found |\n| --- | --- | --- | ---: | ---: |\n");
    }
    for store in &report.stores {
        let _ = writeln!(
            out,
            "| {} | {} | `{}` | {} | {} |",
            store.store,
            store.engine,
            store.root,
            store.objects,
            store.kept.len()
        );
    }
    for (heading, lines) in [
        (
            "Left outside",
            report.left.iter().map(|left| format!("`{}`: {}", left.address, left.why)).collect::<Vec<_>>(),
        ),
        ("Notes", report.notes.clone()),
        ("Problems", report.problems.clone()),
    ] {
        if !lines.is_empty() {
            let _ = writeln!(out, "\n### {heading}\n");
        }
        for line in lines {
            let _ = writeln!(out, "- {line}");
        }
    }
    if let Some(plan) = report.plan.as_ref().filter(|_| !report.exact) {
        let _ = write!(out, "\n{}", plan_markdown::markdown(plan));
    }
    out
}

/// An object that a blueprint names, or that lies in its regions, and that is not the blueprint's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForeignObject {
    /// Which.
    #[serde(rename = "at")]
    pub address: Address,
    /// The service's word for its state.
    pub state: String,
    /// The blueprint that owns it.
    pub owner: Option<String>,
    /// Whether the blueprint names it.
    pub named: bool,
    /// Whether it would be taken over.
    pub free: bool,
    /// In what it differs from what the blueprint wants.
    pub changes: Vec<FieldChange>,
    /// Whether it was taken over; nothing when that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<bool>,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// What a blueprint names and does not own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForeignObjectsReport {
    /// Whose.
    pub blueprint: BlueprintName,
    /// The objects.
    pub objects: Vec<ForeignObject>,
}

impl ForeignObjectsReport {
    /// Objects that are or would be taken over.
    pub fn free(&self) -> usize {
        self.objects.iter().filter(|one| one.free).count()
    }
    fn outcome(&self) -> String {
        let done = |wanted: bool| self.objects.iter().filter(|one| one.taken == Some(wanted)).count();
        if self.objects.iter().all(|one| one.taken.is_none()) {
            return format!("{} of them would be taken over with --take-over", self.free());
        }
        format!("{} taken over, {} refused", done(true), done(false))
    }
}

/// For people.
pub fn foreign_objects_text(report: &ForeignObjectsReport, style: Style) -> String {
    let mut out = String::new();
    for one in &report.objects {
        let named = if one.named { "named by the blueprint" } else { "not in the blueprint" };
        let owner = one.owner.as_deref().unwrap_or("nobody");
        let address = style.paint(Tone::Strong, &one.address.to_string());
        let _ = writeln!(out, "{address}  {}  owner: {owner}  {named}", one.state);
        for change in &one.changes {
            let before = change.before.as_ref().map_or_else(|| "unset".to_owned(), words::value);
            let _ = writeln!(
                out,
                "    {}: {before} -> {} ({})",
                change.field,
                words::value(&change.after),
                change.change
            );
        }
        if let Some(why) = &one.refusal {
            let _ = writeln!(out, "    was not taken over: {why}");
        }
    }
    let _ = writeln!(out, "{}", report.outcome());
    out
}

/// For a pull request.
pub fn foreign_objects_markdown(report: &ForeignObjectsReport) -> String {
    let mut out = format!("## {}: {}\n", report.blueprint, report.outcome());
    if !report.objects.is_empty() {
        out.push_str(
            "\n| Object | State | Owner | In the blueprint | Differs in |\n| --- | --- | --- | --- | --- |\n",
        );
    }
    for one in &report.objects {
        let fields: Vec<&str> = one.changes.iter().map(|change| change.field.as_str()).collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            one.address,
            one.state,
            one.owner.as_deref().unwrap_or("nobody"),
            if one.named { "yes" } else { "no" },
            fields.join(", ")
        );
    }
    out
}
