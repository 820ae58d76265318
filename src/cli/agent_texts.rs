//! The texts of an agent: what each comes to, and what should exist by it.
//!
//! Goes in: a text and what it shares with others. Comes out: what is wrong with it, or desired state with its prices.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::figures::CatalogFigures;
use super::identities::Identities;
use super::load::located;
use super::validate;
use crate::agent::files::{Examine, Examined, InForce, Place};
use rgctl_blueprint::account::AccountBook;
use rgctl_blueprint::desired::{self, overlays::Resolved};
use rgctl_blueprint::document::{ParsedBlueprint, ParsedDocuments};
use rgctl_blueprint::region::RegionBook;
use rgctl_blueprint::spec::Cell;
use rgctl_catalog::Catalog;
use rgctl_machine::SystemClock;
use rgctl_model::node::Desired;
use rgctl_model::overlay::Decisions;
use rgctl_model::ports::Clock;
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::{Diagnostics, Severity, Source};
use rgctl_schema::names::RegionId;
use rgctl_schema::time::Moment;

/// Problems of one text that are told; the first ones tell most.
const PROBLEMS_TOLD_MAX: usize = 5;

/// What texts share.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    regions: RegionBook,
    accounts: AccountBook,
    identities: Identities,
}

impl Shared {
    fn of(reading: ParsedDocuments) -> Self {
        let identities = Identities::of(&reading);
        Self { regions: reading.regions, accounts: reading.accounts, identities }
    }

    /// Documents that are read on top of it.
    fn reading(&self) -> ParsedDocuments {
        let mut reading = ParsedDocuments::of(self.regions.clone(), &[]);
        reading.accounts = self.accounts.clone();
        reading
    }

    /// Whether anybody has described a region.
    pub fn describes(&self, region: &RegionId) -> bool {
        self.regions.get(region).is_some()
    }

    /// The same, with these identities.
    #[cfg(test)]
    #[must_use]
    pub fn worked_in_as(self, identities: Identities) -> Self {
        Self { identities, ..self }
    }

    /// As whom each region is worked in.
    pub const fn identities(&self) -> &Identities {
        &self.identities
    }
}

/// What judges texts.
#[derive(Clone)]
pub struct Language {
    catalog: Arc<Catalog>,
    /// What texts share where no file of the folder tells of it.
    shared: Shared,
    /// The provider's time when the agent began: what has passed since is no error of a text.
    now: Moment,
    /// How problems of a text are told.
    told: Tell,
}

/// Problems in words.
pub type Tell = fn(&Diagnostics) -> String;

/// What should exist by a text, with its prices.
pub struct Wanted {
    /// What should exist.
    pub desired: Desired,
    /// Prices and capacities.
    pub figures: CatalogFigures,
    /// What was decided about it, and what holds.
    pub decided: Vec<Resolved>,
}

impl Language {
    /// With the shipped regions and those of a folder.
    pub fn new(catalog: Arc<Catalog>, regions: Option<&Path>, now: Moment) -> Result<Self, String> {
        let paths: Vec<_> = regions.map(Path::to_owned).into_iter().collect();
        let (reading, _) = validate::read(&paths, None, &catalog, now);
        let shared = Shared::of(usable(reading, problems)?);
        Ok(Self { catalog, shared, now, told: problems })
    }

    /// The same that tells problems otherwise.
    #[must_use]
    pub fn telling(self, told: Tell) -> Self {
        Self { told, ..self }
    }

    fn read(&self, shared: &Shared, path: &Path, text: &str) -> Result<ParsedDocuments, String> {
        let mut reading = shared.reading();
        reading.add(&Source::new(path.display().to_string(), text));
        // What was right when the agent began stays so: a date that has passed since takes nothing out of force.
        reading.check(&self.catalog, self.now);
        usable(reading, self.told)
    }

    /// What should exist by a text that is in force, with the decisions that hold and what its stores were made as before.
    pub fn load(
        &self,
        text: &InForce<Shared>,
        blueprint: &str,
        given: (&Decisions, &Sizes),
        now: Moment,
    ) -> Result<Wanted, String> {
        let reading = self.read(&text.shared, &text.path, &text.text)?;
        let document = named(&reading, blueprint)
            .ok_or_else(|| format!("{} has no blueprint {blueprint}", text.path.display()))?;
        let desired::Built { desired, decided, .. } = self.build(document, &reading.regions, given, now)?;
        let figures = CatalogFigures::new(Arc::clone(&self.catalog), &desired, SystemClock.now());
        Ok(Wanted { desired, figures, decided })
    }

    fn build(
        &self,
        document: &ParsedBlueprint,
        regions: &RegionBook,
        given: (&Decisions, &Sizes),
        now: Moment,
    ) -> Result<desired::Built, String> {
        desired::build(&document.blueprint, regions, &self.catalog, given, now)
            .map_err(|findings| (self.told)(&located(document, findings)))
    }
}

impl Examine for Language {
    type Shared = Shared;

    fn is_shared(&self, text: &str) -> bool {
        let is_named = |kind: &str| ["Region", "Account"].iter().any(|shared| kind.contains(shared));
        text.lines().filter_map(|line| line.trim_start().strip_prefix("kind:")).any(is_named)
    }

    fn share(&self, texts: &[(&Path, &str)]) -> Result<Shared, String> {
        let mut reading = self.shared.reading();
        for (path, text) in texts {
            reading.add(&Source::new(path.display().to_string(), *text));
        }
        Ok(Shared::of(usable(reading, self.told)?))
    }

    fn examine(&self, shared: &Shared, path: &Path, text: &str) -> Examined {
        let examined = || {
            let reading = self.read(shared, path, text)?;
            for document in &reading.blueprints {
                self.build(document, &reading.regions, (&Decisions::default(), &Sizes::default()), self.now)?;
            }
            let placed = reading.blueprints.iter().map(|document| {
                let cells = document.blueprint.cells();
                let place = Place {
                    primary: cells.first().map(|cell| cell.primary.clone()),
                    regions: cells.iter().flat_map(Cell::regions).cloned().collect(),
                };
                (document.blueprint.name().as_str().into(), place)
            });
            Ok(placed.collect())
        };
        match examined() {
            Ok(blueprints) => Examined { blueprints, wrong: None },
            Err(why) => Examined { wrong: Some(why), ..Examined::default() },
        }
    }
}

fn named<'a>(reading: &'a ParsedDocuments, blueprint: &str) -> Option<&'a ParsedBlueprint> {
    reading.blueprints.iter().find(|document| document.blueprint.name().as_str() == blueprint)
}

/// A reading without errors.
fn usable(reading: ParsedDocuments, told: Tell) -> Result<ParsedDocuments, String> {
    if reading.diagnostics.has_errors() { Err(told(&reading.diagnostics)) } else { Ok(reading) }
}

/// The errors, each in a sentence with its line: for a log, where no text can be drawn under.
fn problems(found: &Diagnostics) -> String {
    let errors = found.iter().filter(|one| one.severity == Severity::Error);
    let errors: Vec<String> = errors
        .map(|one| {
            let help = one.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
            format!("line {}: {}{help}", one.line, one.message)
        })
        .collect();
    let more = errors.len().saturating_sub(PROBLEMS_TOLD_MAX);
    let mut told = errors[..errors.len() - more].join("; ");
    if more > 0 {
        let _ = write!(told, "; and {more} more: `rgctl validate` shows all");
    }
    told
}
