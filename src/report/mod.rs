//! Reports: what people and programs read.
//!
//! Goes in: plans, inventories, records, costs, as values. Comes out: text, Markdown, or a document for JSON and YAML.
//!
//! **Invariant:** pure functions of their arguments; nothing here looks at a terminal, a clock or a file.
//! **Invariant:** every text can be read without colour.
//! **Invariant:** an amount with an unpriced part is shown as "at least", with the list of what is unpriced.

pub mod at_work;
pub mod chart;
pub mod cost;
pub mod diagnostics;
pub mod document;
pub mod drift;
pub mod history;
pub mod html;
pub mod import;
pub mod open;
pub mod outputs;
mod outputs_families;
pub mod overlays;
pub mod plan;
pub mod plan_markdown;
pub mod regions;
pub mod status;
pub mod status_markdown;
pub mod style;
pub mod tally;
pub mod words;
