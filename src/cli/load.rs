//! From files to what should exist: read, check, size, expand.

use super::adapters;
use super::args::InputArgs;
use super::error::Failure;
use super::exit::Exit;
use super::figures::{self, CatalogFigures};
use super::identities::Identities;
use super::output::Output;
use super::settings::Settings;
use super::validate;
use crate::report::diagnostics;
use crate::report::overlays::{self, DecisionRow};
use rgctl_blueprint::capacity::{self, Estimate};
use rgctl_blueprint::desired::{self, Built};
use rgctl_blueprint::document::{ParsedBlueprint as Document, ParsedDocuments};
use rgctl_blueprint::families::size;
use rgctl_blueprint::region::RegionBook;
use rgctl_blueprint::spec::Blueprint;
use rgctl_catalog::Catalog;
use rgctl_machine::SystemClock;
use rgctl_model::node::Desired;
use rgctl_model::overlay::{Decision, Decisions, Overlay};
use rgctl_model::ports::Clock;
use rgctl_model::rules::Rules;
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::{Diagnostics, Finding, Severity, Source};
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::Moment;

/// What a blueprint comes to.
pub struct LoadedBlueprint {
    /// What should exist.
    pub desired: Desired,
    /// How the sizes were found.
    pub estimates: Vec<Estimate>,
    /// What was decided, and what it comes to.
    pub decided: Vec<DecisionRow>,
    /// The same in sentences.
    pub notes: Vec<String>,
    /// The decisions that count in it.
    pub standing: Decisions,
    /// What the stores were made as before.
    before: Sizes,
    /// Demand that nothing carries.
    uncarried: Vec<Finding>,
    /// What was read.
    reading: ParsedDocuments,
    /// The texts of it.
    sources: Vec<Source>,
    /// When it was judged.
    at: Moment,
    /// Prices and capacities.
    pub figures: CatalogFigures,
}

/// Files that were read and are free of errors.
pub struct Checked {
    reading: ParsedDocuments,
    sources: Vec<Source>,
    catalog: Catalog,
}

impl LoadedBlueprint {
    /// How many steps of its axis make one unit, where the blueprint has the store that a decision is about.
    pub fn steps_per_unit(&self, decision: &Decision) -> Option<u32> {
        let (Decision::Set { overlay: Overlay { key, .. }, .. } | Decision::Unset { key, .. }) = decision
        else {
            return None;
        };
        let store = self.reading.blueprints.first()?.blueprint.store(&key.store)?;
        Some(size::steps_per_unit(store, key.axis))
    }

    /// Says what demand nothing carries, where it is written: an error of who plans for it, and a warning to who lets the rest be
    /// done.
    pub fn say_uncarried(&self, severity: Severity, output: &mut Output) {
        let Some(document) = self.reading.blueprints.first() else { return };
        let found = self.uncarried.iter().cloned().map(|finding| Finding { severity, ..finding });
        tell(&located(document, found.collect()), &self.sources, output);
    }

    /// Whether there is demand that nothing carries.
    pub fn is_overtaxed(&self) -> bool {
        !self.uncarried.is_empty()
    }

    /// What the same blueprint comes to with other decisions, if it holds together with them. It is judged at the moment at
    /// which it was loaded: what time alone has changed since is no work of the decisions.
    pub fn rebuilt(&self, decisions: &Decisions) -> Option<Desired> {
        let document = self.reading.blueprints.first()?;
        let catalog = self.figures.catalog();
        let built = desired::build(
            &document.blueprint,
            &self.reading.regions,
            catalog,
            (decisions, &self.before),
            self.at,
        );
        built.ok().map(|built| built.desired)
    }
}

/// Reads and checks files; every problem is said, and an error ends it here.
pub fn check(input: &InputArgs, settings: &Settings, output: &mut Output) -> Result<Checked, Failure> {
    let catalog = figures::catalog(settings)?;
    let now = adapters::now(settings);
    let (reading, sources) = validate::read(&input.files, input.regions.as_deref(), &catalog, now);
    let checked = Checked { reading, sources, catalog };
    checked.say(&checked.reading.diagnostics, output)?;
    checked.only()?;
    Ok(checked)
}

impl Checked {
    fn say(&self, found: &Diagnostics, output: &mut Output) -> Result<(), Failure> {
        say(found, &self.sources, output)
    }

    /// The one blueprint. A run has one record and one lease, so that it is about one blueprint.
    fn only(&self) -> Result<&Document, Failure> {
        match self.reading.blueprints.as_slice() {
            [document] => Ok(document),
            [] => Err(Failure::new(Exit::BadInput, "the files have no blueprint")
                .hint("name a file with `kind: Blueprint`")),
            several => {
                let names: Vec<String> =
                    several.iter().map(|document| document.blueprint.name().to_string()).collect();
                Err(Failure::new(Exit::BadInput, format!("several blueprints: {}", names.join(", ")))
                    .hint("one run is about one blueprint: give one of them"))
            }
        }
    }

    /// Name of the blueprint.
    pub fn name(&self) -> Result<BlueprintName, Failure> {
        Ok(self.only()?.blueprint.name().clone())
    }

    /// The first of its primary regions, whose account is the blueprint's home.
    pub fn primary(&self) -> Result<Option<RegionId>, Failure> {
        Ok(self.only()?.blueprint.cells().first().map(|cell| cell.primary.clone()))
    }

    /// As whom regions are worked in, where the documents say it.
    pub fn identities(&self) -> Identities {
        Identities::of(&self.reading)
    }

    /// What it allows, and when.
    pub fn rules(&self) -> Result<Rules, Failure> {
        Ok(desired::rules(&self.only()?.blueprint))
    }

    /// The blueprint.
    pub fn blueprint(&self) -> Result<&Blueprint, Failure> {
        Ok(&self.only()?.blueprint)
    }

    /// The regions that are described.
    pub const fn regions(&self) -> &RegionBook {
        &self.reading.regions
    }

    /// How big each store has to be, also where nothing is big enough.
    pub fn estimates(&self, now: Moment) -> Result<Vec<Estimate>, Failure> {
        let blueprint = &self.only()?.blueprint;
        Ok(capacity::estimate(blueprint, &self.reading.regions, &self.catalog, &Sizes::default(), now))
    }

    /// What the catalogue knows.
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Sizes and expands, with what was decided and what the stores were made as before.
    pub fn built(
        &self,
        given: (&Decisions, &Sizes),
        now: Moment,
        output: &mut Output,
    ) -> Result<Built, Failure> {
        let document = self.only()?;
        let built = desired::build(&document.blueprint, &self.reading.regions, &self.catalog, given, now);
        built.or_else(|findings| {
            self.say(&located(document, findings), output)?;
            Err(Failure::said(Exit::BadInput))
        })
    }

    /// The same, with prices.
    pub fn build(
        self,
        (decisions, before): (&Decisions, &Sizes),
        now: Moment,
        output: &mut Output,
    ) -> Result<LoadedBlueprint, Failure> {
        let built = self.built((decisions, before), now, output)?;
        let mut notes = built.notes();
        if !before.is_empty() {
            notes.extend(capacity::stays(&built.estimates, &self.estimates(now)?));
        }
        let figures = CatalogFigures::new(self.catalog, &built.desired, SystemClock.now());
        Ok(LoadedBlueprint {
            decided: overlays::rows(&built.decided),
            notes,
            standing: decisions.clone(),
            before: before.clone(),
            at: now,
            desired: built.desired,
            estimates: built.estimates,
            uncarried: built.uncarried,
            reading: self.reading,
            sources: self.sources,
            figures,
        })
    }
}

/// Says what is wrong; an error is a failure.
fn say(found: &Diagnostics, sources: &[Source], output: &mut Output) -> Result<(), Failure> {
    tell(found, sources, output);
    if found.has_errors() { Err(Failure::said(Exit::BadInput)) } else { Ok(()) }
}

fn tell(found: &Diagnostics, sources: &[Source], output: &mut Output) {
    if found.count(Severity::Error) + found.count(Severity::Warning) == 0 {
        return;
    }
    let text = diagnostics::text(found, &diagnostics::sources(sources), output.talk_colour());
    output.say(text.trim_end());
    output.say(&diagnostics::summary(found, sources.len()));
}

/// Findings at their places in the text.
pub fn located(document: &Document, findings: Vec<Finding>) -> Diagnostics {
    let mut found = Diagnostics::default();
    for finding in findings {
        let mark = document.tree.locate(&finding.path);
        found.push(finding.locate(&document.source, mark));
    }
    found
}
