//! The status for a pull request or a page: tables.

use std::fmt::Write;

use crate::report::open;
use crate::report::status::{StatusReport, cells, headline};

/// The status as Markdown.
pub fn markdown(report: &StatusReport) -> String {
    let mut out = format!("## `{}` at {}\n\n{}.\n", report.blueprint, report.taken, headline(report));
    if let Some(line) = report.health.line() {
        let _ = writeln!(out, "\n**Not as wanted:** {line}");
    }
    if let Some(at_work) = &report.at_work {
        let _ = writeln!(out, "\n{}", at_work.text());
    }
    for row in &report.decisions {
        let _ = writeln!(out, "\n**Decided:** {}", row.sentence());
    }
    for store in &report.stores {
        let standby = if store.standby { " (standby)" } else { "" };
        let _ = writeln!(out, "\n### {} in {}{standby}: {}\n", store.store, store.region, store.summary);
        let _ =
            writeln!(out, "| Kind | Name | Phase | Role | Class | |\n| --- | --- | --- | --- | --- | --- |");
        for object in &store.objects {
            let _ = writeln!(out, "| {} |", cells(object).join(" | "));
        }
    }
    for gap in &report.gaps {
        let _ = writeln!(out, "\n**{} could not be seen in full:** {}", gap.region, gap.why);
    }
    for hold in &report.held_out {
        let _ = writeln!(out, "\n**Held out:** {hold}");
    }
    if !report.open.is_empty() {
        let _ =
            writeln!(out, "\n### Begun and not done, by the record\n\n```\n{}```", open::text(&report.open));
    }
    out
}
