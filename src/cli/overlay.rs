//! `rgctl scale set`, `scale unset`, `scale list`: decisions to run a store in another shape than the blueprint's.
//!
//! **Invariant:** no lease is needed and no run disturbed: a decision is written beside them, provided that nobody else decided
//! about the same meanwhile.
//! **Invariant:** what the blueprint does not allow is refused here with what it does allow; nothing is silently cut.

use std::collections::BTreeSet;

use super::args::{InputArgs, OutputForm};
use super::desk::Desk;
use super::error::Failure;
use super::exit::Exit;
use super::load::Checked;
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
use rgctl_model::overlay::{Axis, Decision, Overlay, OverlayKey, Owner, Target};
use rgctl_schema::diagnostic::did_you_mean;
use rgctl_schema::names::{RegionId, StoreName};

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
    let before = desk.checked.built((&desk.standing, &desk.before), desk.now, output)?;
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
    let after = desk.checked.built((&standing, &desk.before), desk.now, output)?;
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
    let before = desk.checked.built((&desk.standing, &desk.before), desk.now, output)?;
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
    let after = desk.checked.built((&desk.standing, &desk.before), desk.now, output)?;
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
    let built = desk.checked.built((&desk.standing, &desk.before), desk.now, output)?;
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
