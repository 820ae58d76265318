//! What is wrong with a blueprint though every field reads well.
//!
//! Goes in: what was read, the regions, the catalogue, the present moment. Comes out: findings, at paths.
//!
//! **Invariant:** a finding contradicts no other: what one asks for, none forbids.
//! **Invariant:** what was salvaged from a broken section is judged only by what it says, not by what it lacks.

mod accounts;
mod catalog;
mod published;
mod regions;
mod stores;
mod times;
mod topology;

use std::collections::BTreeMap;

use super::document::{ParsedBlueprint, ParsedDocuments};
use super::region::RegionBook;
use super::spec::{Blueprint, Cell};
use crate::families::Store;
use rgctl_catalog::Catalog;
use rgctl_schema::codes::{self, Code};
use rgctl_schema::diagnostic::{Diagnostic, Finding, Severity};
use rgctl_schema::node::{Data, Tree};
use rgctl_schema::time::Moment;

/// What the checks of one blueprint may look at.
struct LintContext<'a> {
    blueprint: &'a Blueprint,
    tree: &'a Tree,
    cells: &'a [Cell],
    regions: &'a RegionBook,
    catalog: &'a Catalog,
    now: Moment,
    /// Paths of values that could not be read.
    broken: &'a [String],
}

impl LintContext<'_> {
    /// Whether a value, or a part of it, could not be read, so that what it seems to lack may only be misspelt.
    fn is_broken(&self, path: &str) -> bool {
        self.broken.iter().any(|broken| covers(path, broken) || covers(broken, path))
    }

    /// Whether a field was written, rather than taken from its default.
    fn states(&self, path: &str) -> bool {
        let mut here = self.tree;
        for step in path.split('.') {
            let Some(next) = here.get(step) else { return false };
            here = next;
        }
        here.data != Data::Null
    }

    /// The path of a cell; the short form has none of its own.
    fn cell_path(&self, place: usize) -> String {
        if self.blueprint.spec.regions.primary.is_some() {
            "spec.regions".to_owned()
        } else {
            format!("spec.regions.cells{}", self.index("spec.regions.cells", place))
        }
    }

    /// The stores with their paths.
    fn stores(&self) -> impl Iterator<Item = (String, &Store)> {
        let stores = self.blueprint.spec.stores.iter().enumerate();
        stores
            .map(|(place, store)| (format!("spec.stores{}", self.named("spec.stores", place, store)), store))
    }

    /// The cells that have a store.
    fn cells_of<'s>(&'s self, store: &'s Store) -> impl Iterator<Item = &'s Cell> {
        self.cells.iter().filter(|cell| cell.has(store.name()))
    }

    /// Where in the list a store stands: elements that could not be read are left out of the typed list, so that its
    /// places are not those of the text.
    fn named(&self, list: &str, place: usize, store: &Store) -> String {
        let written = self.elements(list);
        let same = |tree: &&Tree| tree.get("name").and_then(Tree::text) == Some(store.name().as_str());
        if written.get(place).is_some_and(|tree| same(&tree)) {
            return format!("[{place}]");
        }
        written.iter().position(|tree| same(&tree)).map_or_else(String::new, |place| format!("[{place}]"))
    }

    fn index(&self, list: &str, place: usize) -> String {
        let whole = self.elements(list).len() > place;
        if whole { format!("[{place}]") } else { String::new() }
    }

    fn elements(&self, list: &str) -> &[Tree] {
        let mut here = self.tree;
        for step in list.split('.') {
            let Some(next) = here.get(step) else { return &[] };
            here = next;
        }
        match &here.data {
            Data::Seq(items) => items,
            Data::Null | Data::Flag(_) | Data::Number(_) | Data::Text(_) | Data::Map(_) => &[],
        }
    }
}

impl ParsedDocuments {
    /// Checks everything that was read. `now` decides what lies in the past.
    pub fn check(&mut self, catalog: &Catalog, now: Moment) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let mut located = Vec::new();
        for loaded in &self.blueprints {
            let read = |d: &&Diagnostic| d.file == loaded.source.name && d.severity == Severity::Error;
            let problems: Vec<&Diagnostic> = self.diagnostics.iter().filter(read).collect();
            let broken: Vec<String> = problems.iter().map(|d| d.path.clone()).collect();
            let mut found = check_one(loaded, &self.regions, catalog, now, &broken);
            let is_unread = |path: &str| {
                let mut values = problems.iter().filter(|d| !SECTION_CODES.contains(&d.code));
                values.any(|d| covers(&d.path, path))
            };
            found.retain(|finding| !is_unread(&finding.path));
            // Stand-ins of names that could not be read are all the same.
            if !is_unread("metadata.name") {
                let name = loaded.blueprint.name().to_string();
                if let Some(earlier) = seen.get(&name) {
                    found.push(
                        Finding::error(
                            codes::DUPLICATE_NAME,
                            "metadata.name",
                            format!("there is another blueprint `{name}`"),
                        )
                        .label(format!("also in {earlier}"))
                        .help("two blueprints of one name would fight over the same objects; rename one"),
                    );
                }
                seen.entry(name).or_insert_with(|| loaded.source.name.clone());
            }
            for finding in found {
                let mark = loaded.tree.locate(&finding.path);
                located.push(finding.locate(&loaded.source, mark));
            }
        }
        for (code, (source, tree)) in &self.given {
            let Some(region) = self.regions.get(code) else { continue };
            let mut found = regions::check(region, catalog);
            found.extend(accounts::check_region(region, &self.accounts));
            located.extend(found.into_iter().map(|finding| {
                let mark = tree.locate(&finding.path);
                finding.locate(source, mark)
            }));
        }
        for (name, (source, tree)) in &self.given_accounts {
            let Some(account) = self.accounts.get(name) else { continue };
            located.extend(accounts::check(account, &self.regions).into_iter().map(|finding| {
                let mark = tree.locate(&finding.path);
                finding.locate(source, mark)
            }));
        }
        for problem in located {
            self.diagnostics.push(problem);
        }
    }
}

/// Codes of problems whose path is that of a whole section, which could be read but for one field.
const SECTION_CODES: [Code; 2] = [codes::UNKNOWN_FIELD, codes::DUPLICATE_FIELD];

/// Whether a path is the same as another, or leads to it. The root covers nothing: it has no value of its own.
fn covers(path: &str, other: &str) -> bool {
    !path.is_empty()
        && other.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn check_one(
    loaded: &ParsedBlueprint,
    regions: &RegionBook,
    catalog: &Catalog,
    now: Moment,
    broken: &[String],
) -> Vec<Finding> {
    let cells = loaded.blueprint.cells();
    let view = LintContext {
        blueprint: &loaded.blueprint,
        tree: &loaded.tree,
        cells: &cells,
        regions,
        catalog,
        now,
        broken,
    };
    let mut found = Vec::new();
    topology::check(&view, &mut found);
    stores::check(&view, &mut found);
    times::check(&view, &mut found);
    published::check(&view, &mut found);
    catalog::check(&view, &mut found);
    soften(&view, &mut found);
    found
}

/// Rules about what is to be made. What exists already breaks them and serves all the same: it is said, not refused.
const OF_NEW_OBJECTS: [Code; 7] = [
    codes::CLASS_UNKNOWN,
    codes::CLASS_NOT_OFFERED,
    codes::VERSION_UNKNOWN,
    codes::VERSION_DEPRECATED,
    codes::FEATURE_VERSION,
    codes::NOT_ENCRYPTED,
    codes::PUBLIC,
];

fn soften(view: &LintContext<'_>, found: &mut [Finding]) {
    for (at, _) in view.stores().filter(|(_, store)| !store.common().adopt.is_empty()) {
        for finding in found.iter_mut().filter(|finding| covers(&at, &finding.path)) {
            if OF_NEW_OBJECTS.contains(&finding.code) {
                finding.severity = Severity::Warning;
            }
        }
    }
}

/// Names that occur more than once in a list, with the path of each later one.
fn duplicates<'a>(what: &str, names: impl Iterator<Item = (String, &'a str)>, found: &mut Vec<Finding>) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (path, name) in names {
        if let Some(first) = seen.get(name) {
            found.push(
                Finding::error(
                    codes::DUPLICATE_NAME,
                    format!("{path}.name"),
                    format!("there is another {what} `{name}`"),
                )
                .label("used twice")
                .help(format!("rename this one, or `{first}`")),
            );
        } else {
            seen.insert(name, path);
        }
    }
}
