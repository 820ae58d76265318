//! Documents: which kind a tree is of, and reading it as that.

use std::collections::BTreeMap;

use super::account::{Account, AccountBook};
use super::region::{self, Region, RegionBook};
use super::spec::Blueprint;
use super::yaml;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Diagnostic, Diagnostics, Severity, Source, did_you_mean};
use rgctl_schema::names::{AccountName, RegionId};
use rgctl_schema::node::{Data, Tree};
use rgctl_schema::section::{Reader, Setting};

/// The format that this version reads.
pub const API_VERSION: &str = "rgctl.dev/v1alpha1";
/// The kinds of documents.
pub const KINDS: [&str; 3] = ["Account", "Blueprint", "Region"];

/// A blueprint with the text that it was read from.
#[derive(Clone, Debug)]
pub struct ParsedBlueprint {
    /// What it says. When the diagnostics hold an error, it is only what could be salvaged.
    pub blueprint: Blueprint,
    /// The text.
    pub source: Source,
    /// Its values with their places.
    pub tree: Tree,
}

/// What was read from some files.
#[derive(Clone, Debug, Default)]
pub struct ParsedDocuments {
    /// The blueprints, in the order of the files.
    pub blueprints: Vec<ParsedBlueprint>,
    /// The regions, those of the files in place of those that were known before.
    pub regions: RegionBook,
    /// What is wrong.
    pub diagnostics: Diagnostics,
    /// The accounts of the files.
    pub accounts: AccountBook,
    /// The regions of the files, with the text that each is in.
    pub(super) given: BTreeMap<RegionId, (Source, Tree)>,
    /// The accounts of the files, with the text that each is in.
    pub(super) given_accounts: BTreeMap<AccountName, (Source, Tree)>,
}

impl ParsedDocuments {
    /// With the shipped regions.
    pub fn with_built_in_regions(sources: &[Source]) -> Self {
        Self::of(Self::of(RegionBook::default(), &region::built_in()).regions, sources)
    }

    /// Reads texts on top of the regions that are known already.
    pub fn of(regions: RegionBook, sources: &[Source]) -> Self {
        let mut reading = Self { regions, ..Self::default() };
        for source in sources {
            reading.add(source);
        }
        reading
    }

    /// Reads one text.
    pub fn add(&mut self, source: &Source) {
        let before = self.diagnostics.len();
        let trees = yaml::parse(source, &mut self.diagnostics);
        if trees.is_empty() && self.diagnostics.len() == before {
            let problem = Diagnostic::new(
                codes::NOT_A_DOCUMENT,
                Severity::Error,
                source,
                rgctl_schema::diagnostic::Mark::default(),
                "the file has no document",
            );
            self.diagnostics
                .push(problem.help(format!("begin with `apiVersion: {API_VERSION}` and a `kind`")));
        }
        for tree in trees {
            self.add_tree(source, tree);
        }
    }

    fn add_tree(&mut self, source: &Source, tree: Tree) {
        let mut reader = Reader::new(source);
        match kind(&tree, &mut reader) {
            Some("Blueprint") => {
                if let Some(blueprint) = Blueprint::decode(&tree, &mut reader) {
                    self.blueprints.push(ParsedBlueprint { blueprint, source: source.clone(), tree });
                }
            }
            Some("Account") => {
                if let Some(account) = Account::decode(&tree, &mut reader) {
                    self.add_account(source, &tree, account, &mut reader);
                }
            }
            Some("Region") => {
                if let Some(region) = Region::decode(&tree, &mut reader) {
                    self.add_region(source, &tree, region, &mut reader);
                }
            }
            _ => {}
        }
        self.diagnostics.merge(reader.finish());
    }
}

impl ParsedDocuments {
    fn add_region(&mut self, source: &Source, tree: &Tree, region: Region, reader: &mut Reader<'_>) {
        let code = region.metadata.name.clone();
        if let Some((earlier, _)) = self.given.insert(code.clone(), (source.clone(), tree.clone())) {
            described_twice(reader, tree, &format!("the region `{code}`"), &earlier, "code");
        }
        self.regions.insert(region);
    }

    fn add_account(&mut self, source: &Source, tree: &Tree, account: Account, reader: &mut Reader<'_>) {
        let name = account.metadata.name.clone();
        if let Some((earlier, _)) = self.given_accounts.insert(name.clone(), (source.clone(), tree.clone())) {
            described_twice(reader, tree, &format!("the account `{name}`"), &earlier, "name");
        }
        self.accounts.insert(account);
    }
}

fn described_twice(reader: &mut Reader<'_>, tree: &Tree, what: &str, earlier: &Source, by: &str) {
    let problem = reader
        .error(codes::DUPLICATE_NAME, tree.locate("metadata.name"), format!("{what} is described twice"))
        .label(format!("also in {}", earlier.name))
        .help(format!("remove one of the two, or give it another {by}"));
    reader.report(problem);
}

fn kind(tree: &Tree, reader: &mut Reader<'_>) -> Option<&'static str> {
    let start = tree.locate("");
    let Data::Map(_) = tree.data else {
        let problem = reader
            .error(codes::NOT_A_DOCUMENT, start, format!("expected a document, found {}", tree.type_name()))
            .help(format!("begin with `apiVersion: {API_VERSION}` and `kind: Blueprint`"));
        reader.report(problem);
        return None;
    };
    let Some(value) = tree.get("kind") else {
        let problem = reader
            .error(codes::NOT_A_DOCUMENT, start, "the document does not say its `kind`")
            .help(format!("add `kind:` with one of: {}", KINDS.join(", ")));
        reader.report(problem);
        return None;
    };
    let word = value.text().unwrap_or_default();
    let known = KINDS.iter().find(|known| **known == word);
    if known.is_none() {
        let help = did_you_mean(word, KINDS).map_or_else(
            || format!("the kinds are: {}", KINDS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let problem = reader
            .error(codes::NOT_A_DOCUMENT, value.mark, format!("there is no kind `{word}`"))
            .label("unknown kind")
            .help(help);
        reader.report(problem);
    }
    known.copied()
}
