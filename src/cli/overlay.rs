//! `rgctl scale set`, `scale unset`, `scale list`: decisions to run a store in another shape than the blueprint's.
//!
//! **Invariant:** no lease is needed and no run disturbed: a decision is written beside them, provided that nobody else decided
//! about the same meanwhile.
//! **Invariant:** what the blueprint does not allow is refused here with what it does allow; nothing is silently cut.

use std::collections::BTreeSet;

use super::adapters::{self, Adapters};
use super::agent_orders;
use super::args::{InputArgs, OutputForm};
use super::error::Failure;
use super::exit::Exit;
use super::load::{self, Checked};
use super::names;
use super::output::Output;
use super::overlay_args::{AxesArgs, ScaleSetArgs, ScaleUnsetArgs, Then};
use super::settings::Settings;
use crate::report::document::{document, format};
use crate::report::overlays::{self, Change, ChangeReport, DecisionRow, DecisionsReport};
use rgctl_blueprint::desired::Built;
use rgctl_blueprint::desired::overlays::{Resolved, class_refusal};
use rgctl_blueprint::families::Store as StoreSection;
use rgctl_blueprint::families::size::{self, AxisFacts, Steps};
use rgctl_blueprint::spec::Cell;
use rgctl_model::overlay::{Axis, Decision, DecisionKey, Decisions, Overlay, OverlayKey, Owner, Target};
use rgctl_model::ports::StoreError;
use rgctl_model::scope::Scope;
use rgctl_schema::diagnostic::did_you_mean;
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::time::Moment;

/// Where a decision is made: the blueprint, its record's decisions, and the present.
struct Desk {
    checked: Checked,
    adapters: Adapters,
    scope: Scope,
    standing: Decisions,
    now: Moment,
}

impl Desk {
    async fn open(input: &InputArgs, settings: &Settings, output: &mut Output) -> Result<Self, Failure> {
        let checked = load::check(input, settings, output)?;
        let adapters = adapters::open(&settings.working_as(checked.identities()))?;
        let now = adapters.clock.now();
        let home = adapters.cloud.home(checked.primary()?.as_ref()).await?;
        let scope = Scope::new(home, checked.name()?);
        let standing = adapters.store.standing(&scope).await?;
        Ok(Self { checked, adapters, scope, standing, now })
    }

    /// Writes a decision that rests on what stands, and lets it stand.
    async fn decide(&mut self, decision: &Decision) -> Result<(), Failure> {
        let key = decision.key();
        let expected = self.standing.epoch(&key);
        match self.adapters.store.decide(&self.scope, expected, self.now, decision).await {
            Ok(epoch) => {
                self.standing.apply(epoch, decision);
                agent_orders::ring(&*self.adapters.store, &self.scope).await;
                Ok(())
            }
            Err(StoreError::Decided { key, .. }) => Err(self.overtaken(&key).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Somebody else was first: who, and with what.
    async fn overtaken(&self, key: &DecisionKey) -> Result<Failure, Failure> {
        let standing = self.adapters.store.standing(&self.scope).await?;
        let told = match key {
            DecisionKey::Overlay(key) => standing.overlays.get(key).map_or_else(
                || format!("somebody withdrew the decision about {key} meanwhile"),
                |(_, overlay)| {
                    format!(
                        "{} decided about {key} meanwhile: {} ({})",
                        overlay.by, overlay.target, overlay.why
                    )
                },
            ),
            DecisionKey::Region(region) => format!("somebody decided about {region} meanwhile"),
        };
        Ok(Failure::new(Exit::StalePlan, format!("{told}; this was not decided"))
            .hint("look at `rgctl scale list -f BLUEPRINT`, and give the command again if it is still meant"))
    }
}

/// A dimension of a store, of which the blueprint says what it may be.
struct Subject {
    section: StoreSection,
    cell: Cell,
    region: RegionId,
}

impl Subject {
    /// The store in the region that was named, or in the only one that can be meant.
    fn find(
        checked: &Checked,
        store: &StoreName,
        region: Option<&RegionId>,
        axis: Axis,
    ) -> Result<Self, Failure> {
        let blueprint = checked.blueprint()?;
        let known = blueprint.spec.stores.iter().map(|store| store.name().to_string()).collect();
        let Some(section) = blueprint.store(store) else {
            names::all_known(names::unknown("", "store", store.as_str(), &known))?;
            return Err(Failure::new(Exit::BadInput, format!("there is no store `{store}`")));
        };
        let cells: Vec<Cell> = blueprint.cells().into_iter().filter(|cell| cell.has(store)).collect();
        let found = match region {
            Some(region) => {
                let all = cells.iter().flat_map(|cell| cell.regions_of(section));
                let known: BTreeSet<String> = all.map(ToString::to_string).collect();
                let unknown = names::unknown("--region", "region", region.as_str(), &known);
                names::all_known(unknown.map(|why| format!("{why} (of `{store}`)")))?;
                cells.iter().find(|cell| cell.regions_of(section).any(|one| one == region))
            }
            None if cells.len() > 1 => {
                let primaries: Vec<String> =
                    cells.iter().map(|cell| format!("--region {}", cell.primary)).collect();
                let why = format!("`{store}` is in several cells, each with a primary region of its own");
                return Err(Failure::new(Exit::BadInput, why)
                    .hint(format!("say which is meant: {}", primaries.join(", "))));
            }
            None => cells.first(),
        };
        let Some(cell) = found else {
            return Err(Failure::new(Exit::BadInput, format!("no cell has the store `{store}`")));
        };
        let region = region.unwrap_or(&cell.primary).clone();
        if size::is_common(section, axis) && region != cell.primary {
            let why = format!(
                "{axis} of `{store}` is the same in all its regions, and decided in {}",
                cell.primary
            );
            return Err(Failure::new(Exit::BadInput, why)
                .hint(format!("leave `--region` out, or name {}", cell.primary)));
        }
        Ok(Self { section: section.clone(), cell: cell.clone(), region })
    }

    /// What was given, if the blueprint allows it; else what it allows.
    fn target(&self, checked: &Checked, built: &Built, axis: Axis, given: &str) -> Result<Target, Failure> {
        if axis == Axis::Class { self.class(checked, built, given) } else { self.number(built, axis, given) }
    }

    fn class(&self, checked: &Checked, built: &Built, given: &str) -> Result<Target, Failure> {
        let (store, catalog) = (&self.section, checked.catalog());
        let name = store.name();
        let sizes = built.estimates.iter().filter(|one| one.store == *name && one.cell == self.cell.name);
        if sizes.clone().all(|one| one.size.class.is_none()) {
            return Err(Failure::new(Exit::BadInput, format!("`{name}` is serverless, and has no class"))
                .hint(self.possible(built)));
        }
        let Some(why) = class_refusal(store, &self.cell, catalog, given) else {
            return Ok(Target::Class(given.to_owned()));
        };
        let (service, engine) = (store.catalog_service(), store.catalog_engine());
        let near = did_you_mean(given, catalog.class_names(service, engine).filter(|near| *near != given));
        let failure = Failure::new(Exit::BadInput, why);
        Err(match near {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!(
                "`rgctl catalog classes --engine {}` lists those that are sold",
                store.engine()
            )),
        })
    }

    fn number(&self, built: &Built, axis: Axis, given: &str) -> Result<Target, Failure> {
        let (store, region) = (self.section.name(), &self.region);
        let Some(facts) = self.facts(built).iter().find(|facts| facts.axis == axis) else {
            let why = format!("`{store}` ({}) in {region} has no {axis}", self.section.engine());
            return Err(Failure::new(Exit::BadInput, why).hint(self.possible(built)));
        };
        let steps = size::steps_per_unit(&self.section, axis);
        let shown = |number: u32| size::shown(steps, axis, &Target::Count(number));
        let (min, max) = (facts.count.min, facts.count.max);
        let allowed = if min == max {
            format!("the blueprint gives `{store}` in {region} exactly {}", shown(min))
        } else {
            format!("the blueprint allows `{store}` in {region} {} to {}", shown(min), shown(max))
        };
        let refused = |why: &str| {
            Failure::new(Exit::BadInput, format!("{axis} {given}: {why}; {allowed}"))
                .hint("to allow others, change the bounds in the blueprint")
        };
        let Some(number) = size::parse_units(steps, given) else {
            let what = if steps == 2 {
                "expected a number in halves, such as 8 or 8.5"
            } else {
                "expected a number"
            };
            return Err(refused(what));
        };
        if !(min..=max).contains(&number) {
            return Err(refused("out of bounds"));
        }
        match facts.steps {
            Steps::Of(step) if number % step.max(1) != 0 => {
                Err(refused(&format!("the service takes multiples of {step} only")))
            }
            _ => Ok(Target::Count(number)),
        }
    }

    fn facts<'b>(&self, built: &'b Built) -> &'b [AxisFacts] {
        let key = (self.section.name().clone(), self.region.clone());
        built.axes.get(&key).map_or(&[], Vec::as_slice)
    }

    /// What can be decided about the store there.
    fn possible(&self, built: &Built) -> String {
        let name = self.section.name();
        let has_class = built.estimates.iter().any(|one| one.store == *name && one.size.class.is_some());
        let facts = self.facts(built);
        let axes = facts.iter().map(|facts| format!("--{}", facts.axis));
        let class = (has_class && !facts.is_empty()).then(|| "--class".to_owned());
        let axes: Vec<String> = axes.chain(class).collect();
        if axes.is_empty() {
            return format!("nothing can be decided about `{name}` in {}", self.region);
        }
        format!("what can be decided about `{name}` in {}: {}", self.region, axes.join(", "))
    }
}

/// Makes a decision.
pub async fn set(args: &ScaleSetArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let Some((axis, given)) = args.target.given() else {
        return Err(Failure::new(Exit::BadInput, "nothing is given that the store is to have"));
    };
    let mut desk = Desk::open(&args.input, settings, output).await?;
    let subject = Subject::find(&desk.checked, &args.of_store, args.region.as_ref(), axis)?;
    let before = desk.checked.built(&desk.standing, desk.now, output)?;
    let target = subject.target(&desk.checked, &before, axis, &given)?;
    let until = args.until.or_else(|| args.lasts.map(|lasts| desk.now + lasts));
    if let Some(until) = until.filter(|until| *until <= desk.now) {
        let now = desk.now;
        return Err(Failure::new(Exit::BadInput, format!("{until} is over: it is {now} there"))
            .hint("give a later time with `--until`, or a while with `--for`"));
    }
    let overlay = Overlay {
        key: OverlayKey {
            store: args.of_store.clone(),
            region: subject.region.clone(),
            axis,
            owner: Owner::Person,
        },
        target,
        exactly: args.exactly,
        by: rgctl_machine::user_and_host(),
        why: args.reason.clone(),
        set: desk.now,
        until,
        then_return: args.then == Then::Return,
    };
    let key = overlay.key.clone();
    // What it comes to is known before it is made: a decision that cannot be built is not made.
    let decision = Decision::Set { overlay };
    let mut standing = desk.standing.clone();
    standing.apply(standing.last_seq + 1, &decision);
    let after = desk.checked.built(&standing, desk.now, output)?;
    desk.decide(&decision).await?;
    let mut change = changed(&before, &after, &key);
    if let Some(change) = &mut change {
        change.decision = row(&after, &key);
        change.next = next(change, &args.input);
    }
    tell(&desk, change.into_iter().collect(), settings, output)
}

/// Withdraws decisions of persons.
pub async fn unset(args: &ScaleUnsetArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let mut desk = Desk::open(&args.input, settings, output).await?;
    let before = desk.checked.built(&desk.standing, desk.now, output)?;
    let keys = withdrawn(&desk, &args.of_store, args.region.as_ref(), &args.axes)?;
    let mut changes = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        let (of, by, why) = (key.clone(), rgctl_machine::user_and_host(), args.reason.clone());
        if let Err(failure) = desk.decide(&Decision::Unset { key: of, by, why }).await {
            // Each is decided by itself: those before it are withdrawn.
            keys.iter().take(place).for_each(|done| output.say(&format!("withdrawn: {done}")));
            return Err(failure);
        }
    }
    let after = desk.checked.built(&desk.standing, desk.now, output)?;
    for key in &keys {
        // A store that left the blueprint has no size that could change.
        if let Some(mut change) = changed(&before, &after, key) {
            change.next = next(&change, &args.input);
            changes.push(change);
        } else {
            output.say(&format!("withdrawn: {key}"));
        }
    }
    tell(&desk, changes, settings, output)
}

/// What is to be withdrawn: what a person decided about the store, in one region.
fn withdrawn(
    desk: &Desk,
    store: &StoreName,
    region: Option<&RegionId>,
    axes: &AxesArgs,
) -> Result<Vec<OverlayKey>, Failure> {
    let axes = axes.named();
    let of_store = |key: &&OverlayKey| key.owner == Owner::Person && key.store == *store;
    let all: Vec<&OverlayKey> = desk.standing.overlays.keys().filter(of_store).collect();
    if all.is_empty() {
        let blueprint = desk.checked.blueprint()?;
        let decided = desk.standing.overlays.keys().map(|key| key.store.to_string());
        let known = blueprint.spec.stores.iter().map(|store| store.name().to_string()).chain(decided);
        names::all_known(names::unknown("", "store", store.as_str(), &known.collect()))?;
    }
    let meant = all.iter().filter(|key| axes.contains(&key.axis));
    let meant: Vec<OverlayKey> = meant
        .filter(|key| region.is_none_or(|region| key.region == *region))
        .map(|key| (*key).clone())
        .collect();
    let regions: BTreeSet<&RegionId> = meant.iter().map(|key| &key.region).collect();
    if regions.len() > 1 {
        let regions: Vec<String> = regions.iter().map(|region| format!("--region {region}")).collect();
        return Err(Failure::new(
            Exit::BadInput,
            format!("something is decided about `{store}` in several regions"),
        )
        .hint(format!("say which is meant: {}", regions.join(", "))));
    }
    if meant.is_empty() {
        let failure = Failure::new(Exit::BadInput, format!("no person decided that about `{store}`"));
        let others: Vec<String> = all.iter().map(|key| format!("{} in {}", key.axis, key.region)).collect();
        return Err(if others.is_empty() {
            failure.hint("`rgctl scale list -f BLUEPRINT` shows all decisions")
        } else {
            failure.hint(format!("what persons decided about it: {}", others.join(", ")))
        });
    }
    Ok(meant)
}

/// Shows all decisions.
pub async fn list(input: &InputArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let desk = Desk::open(input, settings, output).await?;
    let built = desk.checked.built(&desk.standing, desk.now, output)?;
    let report = DecisionsReport {
        blueprint: desk.scope.blueprint.clone(),
        judged: desk.now,
        seq: desk.standing.last_seq,
        decisions: overlays::rows(&built.decided),
        about_nothing: built.about_nothing,
    };
    match settings.output {
        OutputForm::Text => output.data(&overlays::text(&report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&overlays::markdown(&report))?,
        form => output.document(&document(format::DECISIONS, &report), form)?,
    }
    Ok(())
}

fn find<'b>(built: &'b Built, key: &OverlayKey) -> Option<&'b Resolved> {
    let is = |one: &&Resolved| one.store == key.store && one.region == key.region && one.axis == key.axis;
    built.decided.iter().find(is)
}

fn row(built: &Built, key: &OverlayKey) -> Option<DecisionRow> {
    let resolved = find(built, key)?;
    let effect = resolved.effects.iter().find(|effect| effect.overlay.key == *key)?;
    Some(DecisionRow::of(resolved, effect))
}

/// What changed from one to the other. Where nothing was or is decided, the blueprint's own holds.
fn changed(before: &Built, after: &Built, key: &OverlayKey) -> Option<Change> {
    let alone = |one: &Resolved| Resolved {
        now: one.own.clone(),
        effects: Vec::new(),
        lowered_from: None,
        ..one.clone()
    };
    match (find(before, key), find(after, key)) {
        (Some(before), Some(after)) => Some(Change::between(before, after)),
        (None, Some(after)) => Some(Change::between(&alone(after), after)),
        (Some(before), None) => Some(Change::between(before, &alone(before))),
        (None, None) => None,
    }
}

/// What a person does next, and what comes by itself.
fn next(change: &Change, input: &InputArgs) -> Vec<String> {
    let files: Vec<String> = input.files.iter().map(|file| format!("-f {}", file.display())).collect();
    let files = files.join(" ");
    let mut next = Vec::new();
    let numbers = change.after.as_f64().zip(change.before.as_f64());
    // Of two classes the smaller one is told by the consent that it needs.
    let is_less = numbers.map_or(change.consent.is_some(), |(after, before)| after < before);
    if change.before != change.after && !is_less {
        next.push(format!(
            "`rgctl apply {files}` makes it so; an `apply -f` that is under way takes it up at its next turn"
        ));
    }
    if let Some(consent) = &change.consent {
        next.push(format!(
            "what is there beyond goes only by consent: `rgctl apply {files} --allow {consent}`"
        ));
    }
    next
}

fn tell(desk: &Desk, changes: Vec<Change>, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let report = ChangeReport { blueprint: desk.scope.blueprint.clone(), changes };
    match settings.output {
        OutputForm::Text => output.data(&overlays::change_text(&report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&overlays::change_markdown(&report))?,
        form => output.document(&document(format::DECISION, &report), form)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::command::Cli;

    const GAME: &str = "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: { name: game }\nspec:\n  demand: { players: { \
                        peakConcurrent: 1k }, requestsPerPlayerPerMinute: 10 }\n  regions: { primary: us-east-1 }\n  stores: [ \
                        { name: db, engine: aurora-mysql, class: db.r7g.large, readers: { min: 1, max: 4 } } ]\n";

    fn wants(desk: &Desk, readers: u32, by: &str) -> Decision {
        let (store, region) = (StoreName::new("db").unwrap(), RegionId::new("us-east-1").unwrap());
        Decision::Set {
            overlay: Overlay {
                key: OverlayKey { store, region, axis: Axis::Readers, owner: Owner::Person },
                target: Target::Count(readers),
                exactly: false,
                by: by.to_owned(),
                why: "streamer event".to_owned(),
                set: desk.now,
                until: None,
                then_return: false,
            },
        }
    }

    #[tokio::test]
    async fn whoever_decides_second_is_told_who_was_first_and_with_what() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("game.yaml");
        std::fs::write(&file, GAME).unwrap();
        let (file, state) = (file.to_str().unwrap(), folder.path().join("state"));
        let line = ["rgctl", "scale", "list", "-f", file, "--state-dir", state.to_str().unwrap()];
        let cli = Cli::parse_from(line);
        let settings = Settings::resolve(&cli.global).unwrap();
        let input = InputArgs { files: vec![file.into()], regions: None };
        let mut output = Output::process(true);
        let mut first = Desk::open(&input, &settings, &mut output).await.unwrap();
        let mut second = Desk::open(&input, &settings, &mut output).await.unwrap();
        let (more, less) = (wants(&first, 4, "kim@one"), wants(&second, 2, "ann@two"));
        first.decide(&more).await.unwrap();
        let refused = second.decide(&less).await.unwrap_err();
        assert_eq!(refused.exit, Exit::StalePlan);
        assert!(
            refused.message.contains("kim@one decided about readers of `db` in us-east-1"),
            "{}",
            refused.message
        );
        assert!(refused.message.contains("4 (streamer event); this was not decided"), "{}", refused.message);
        assert!(refused.hints[0].contains("rgctl scale list"), "{:?}", refused.hints);
        let mut again = Desk::open(&input, &settings, &mut output).await.unwrap();
        again.decide(&less).await.unwrap();
        assert_eq!(again.standing.last_seq, 2);
    }
}
