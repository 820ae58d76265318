//! `rgctl import`: what exists and is not ours; a blueprint for it, and taking it over by its tags.
//!
//! With `-f`, the objects that a blueprint names and does not own. With `--region`, everything that nobody owns, and a
//! blueprint that reproduces it. Nothing is written to the cloud without `--take-over`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;

use super::adapters::{self, Adapters};
use super::args::OutputForm;
use super::error::Failure;
use super::exit::Exit;
use super::figures;
use super::identities::Identities;
use super::made_as::{self, Making};
use super::names;
use super::output::Output;
use super::run::{self, PlanResult, Run, look_and_plan};
use super::settings::Settings;
use super::{load, validate};
use crate::import::{self, Adoption};
use crate::report::diagnostics;
use crate::report::document::{document, format};
use crate::report::import::{
    self as view, ForeignObject, ForeignObjectsReport, ImportReport, foreign_objects_markdown,
    foreign_objects_text,
};
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_blueprint::region::RegionBook;
use rgctl_catalog::Catalog;
use rgctl_engine::execution::drive::{IfHeld, Sight, observe};
use rgctl_engine::gate::Verdicts;
use rgctl_engine::planning::{self, NoFigures, tables};
use rgctl_machine::SystemClock;
use rgctl_machine::outputs::{self, Replaces};
use rgctl_model::address::Address;
use rgctl_model::choices::Choices;
use rgctl_model::claims::Claims;
use rgctl_model::journal::{Outcome, Purpose};
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Observed, Selection};
use rgctl_model::plan::{Plan, Step};
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::ports::Clock;
use rgctl_model::scope::{RecordId, Scope};
use rgctl_schema::diagnostic::{Severity, Source};
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::Moment;

/// What to import, and whether it is taken over.
#[derive(Args, Clone, Debug, Default)]
pub struct ImportArgs {
    /// Blueprint to read: what it names and does not own is listed
    #[arg(
        short,
        long = "file",
        value_name = "FILE",
        required_unless_present = "region",
        conflicts_with = "region"
    )]
    pub files: Vec<PathBuf>,
    /// Folder of further region files, which go before the built-in ones
    #[arg(long, value_name = "DIR", env = "RGCTL_REGIONS")]
    pub regions: Option<PathBuf>,
    /// Region to look at: a blueprint is written for what nobody owns there; repeat for several
    #[arg(long, value_name = "CODE", value_parser = super::args::region_id)]
    pub region: Vec<RegionId>,
    /// Name of the blueprint that is written [default: imported]
    #[arg(long, value_name = "NAME", value_parser = super::args::blueprint_name, conflicts_with = "files")]
    pub name: Option<BlueprintName>,
    /// Only the store with this cluster, group or warehouse; repeat for several
    #[arg(long, value_name = "IDENTIFIER", conflicts_with = "files")]
    pub only: Vec<String>,
    /// File to write the blueprint to; it must not exist
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    pub out: Option<PathBuf>,
    /// Take over: set the tags of ownership on objects that the blueprint names and that belong to nobody
    #[arg(long)]
    pub take_over: bool,
    /// With `--take-over`: also from this record of the same blueprint, whose store is lost for good; `plan` names it
    #[arg(long, value_name = "RECORD", requires = "take_over")]
    pub from_record: Option<String>,
}

/// Objects without an owner, and those of others, in the order of their addresses.
pub fn foreign_objects<'a>(
    seen: &'a Inventory,
    desired: &Desired,
    claims: &Claims,
) -> Vec<(&'a Address, &'a Observed)> {
    let is_ours = |address: &Address, one: &Observed| claims.owns(&desired.blueprint, address, one);
    seen.seen
        .iter()
        .filter(|(address, one)| !address.kind.facts().observe_only && !is_ours(address, one))
        .collect()
}

/// Runs the command.
pub async fn run(args: &ImportArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    if args.region.is_empty() {
        Box::pin(of_blueprint(args, settings, output)).await
    } else {
        Box::pin(of_regions(args, settings, output)).await
    }
}

/// What a blueprint names and does not own.
async fn of_blueprint(args: &ImportArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let input = super::args::InputArgs { files: args.files.clone(), regions: args.regions.clone() };
    let checked = load::check(&input, settings, output)?;
    let settings = &settings.working_as(checked.identities());
    let adapters = adapters::open(settings)?;
    let now = adapters.clock.now();
    let home = adapters.cloud.home(checked.primary()?.as_ref()).await?;
    let scope = Scope::new(home, checked.name()?);
    let decisions = adapters.store.standing(&scope).await?;
    let mut before = made_as::recall(&*adapters.store, &scope).await?;
    let held_out = decisions.held_out();
    let desired = checked.build((&decisions, &before), now, output)?.desired;
    let selection = everything_around(&desired);
    let sight = Sight { selection: &selection, held_out: &held_out };
    let seen = observe(&adapters.environment(), sight).await?;
    say_gaps(&seen, output);
    let ledger = if args.take_over {
        run::record_to_write(&adapters, &desired).await?
    } else {
        run::record_of(&adapters, &desired).await?
    };
    let claims = ledger.claims;
    let from = args.from_record.clone().map(RecordId);
    let plan = take_over_plan(&adapters, &desired, &seen, &claims, from.as_ref());
    let mut report = listed(&desired, &seen, &claims, &plan);
    let mut outcome = None;
    if args.take_over {
        let taken = take_over(&adapters, &desired, decisions.last_seq, &plan, output).await?;
        for one in report.objects.iter_mut().filter(|one| one.free) {
            one.refusal = taken.refused.get(&one.address).cloned();
            one.taken = Some(one.refusal.is_none());
        }
        outcome = taken.outcome;
        if taken.refused.is_empty() {
            // What is ours from now on was made as the text says: versions and groups of a later text go by it.
            let making =
                Making { purpose: Purpose::Apply, targets: &BTreeSet::new(), wanted: &desired.sizes };
            making.begins(&*adapters.store, &scope, &mut before).await?;
        }
    }
    match settings.output {
        OutputForm::Text => output.data(&foreign_objects_text(&report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&foreign_objects_markdown(&report))?,
        form => output.document(&document(format::NOT_OWNED, &report), form)?,
    }
    let left = report.objects.iter().filter(|one| one.named && one.taken != Some(true)).count();
    if args.take_over && left > 0 {
        output.say(&format!(
            "{left} of what the blueprint names is not taken over: `rgctl plan` says whose it is and what helps"
        ));
        outcome = outcome.map(not_settled).or(Some(Outcome::Blocked));
    }
    // Each refusal and each gap has been told already.
    match outcome.and_then(run::exit_of) {
        Some(exit) => Err(Failure::said(exit)),
        None if !seen.gaps.is_empty() => Err(Failure::said(Exit::Error)),
        None if !seen.held_out.is_empty() => Err(Failure::said(Exit::Blocked)),
        None => Ok(()),
    }
}

/// Everything in the regions of a blueprint, with certainty about whose those are that it names.
fn everything_around(desired: &Desired) -> Selection {
    Selection {
        regions: desired.regions.clone(),
        named: desired.nodes.keys().cloned().collect(),
        ..Selection::default()
    }
}

fn listed(desired: &Desired, seen: &Inventory, claims: &Claims, free: &Plan) -> ForeignObjectsReport {
    let free: BTreeSet<&Address> = free.steps.iter().map(|step| step.op.address()).collect();
    let objects = foreign_objects(seen, desired, claims).into_iter().map(|(address, one)| {
        let node = desired.nodes.get(address);
        ForeignObject {
            address: address.clone(),
            state: one.facts.native.clone(),
            owner: one.owner().map(str::to_owned),
            named: node.is_some(),
            free: free.contains(address),
            changes: node.map(|node| tables::diff(&node.attrs, &one.attrs)).unwrap_or_default(),
            taken: None,
            refusal: None,
        }
    });
    ForeignObjectsReport { blueprint: desired.blueprint.clone(), objects: objects.collect() }
}

fn say_gaps(seen: &Inventory, output: &mut Output) {
    for gap in &seen.gaps {
        output.say(&format!("{} could not be seen in full: {}", gap.region, gap.why));
    }
    for hold in seen.held_out.values() {
        output.say(&hold.to_string());
    }
}

/// A blueprint for what nobody owns.
async fn of_regions(args: &ImportArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    if let Some(path) = args.out.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
        return Err(Failure::new(Exit::BadInput, format!("{} exists already", path.display()))
            .hint("nothing was done; name another file, or remove this one"));
    }
    if args.take_over && args.out.is_none() {
        return Err(Failure::new(
            Exit::BadInput,
            "`--take-over` needs the file that the blueprint is written to",
        )
        .hint("add `--out FILE`: who owns objects needs the blueprint that says what they should be"));
    }
    let catalog = figures::catalog(settings)?;
    let described = described(args, &catalog, output)?;
    let settings = &settings.working_as(Identities::of(&described));
    let book = described.regions;
    names::check_regions(&args.region, &names::regions(&catalog, &book))?;
    let adapters = adapters::open(settings)?;
    let scope = Selection { regions: args.region.iter().cloned().collect(), ..Selection::default() };
    let seen = observe(&adapters.environment(), Sight::without_blueprint(&scope)).await?;
    if !seen.gaps.is_empty() {
        say_gaps(&seen, output);
        return Err(Failure::new(Exit::Error, "what cannot be seen in full cannot be written down")
            .hint("nothing was written; `rgctl doctor` says what is missing"));
    }
    let only: BTreeSet<String> = args.only.iter().cloned().collect();
    all_there(&only, &found_names(&seen))?;
    let name = name(args)?;
    let mut found = import::adopt(&import::ImportInput {
        inventory: &seen,
        blueprint: &name,
        regions: &book,
        catalog: &catalog,
        figures: &NoFigures,
        only: &only,
        now: adapters.clock.now(),
    });
    check_text(&mut found, &book, &catalog, adapters.clock.now(), output);
    let mut report = ImportReport::of(name, args.region.clone(), &found);
    if let Some(path) = args.out.as_ref().filter(|_| !found.stores.is_empty()) {
        outputs::write_text(path, &found.file(), Replaces::Nothing)?;
        report.file = Some(path.display().to_string());
    }
    show(&report, settings, output)?;
    if let (true, Some(desired), true) = (args.take_over, &found.desired, found.problems.is_empty()) {
        // The first look trusted the index of tags, which lags: what somebody took since then stays his.
        let (selection, held_out) = (everything_around(desired), run::held_out(&adapters, desired).await?);
        let sight = Sight { selection: &selection, held_out: &held_out };
        let seen = observe(&adapters.environment(), sight).await?;
        take_and_tell(&adapters, desired, &seen, output).await?;
    }
    tell_next(&report, args, output);
    match (report.problems.is_empty(), report.exact) {
        (true, true) => Ok(()),
        (true, false) => Err(Failure::said(Exit::Differences)),
        (false, _) => Err(Failure::said(Exit::Error)),
    }
}

fn name(args: &ImportArgs) -> Result<BlueprintName, Failure> {
    match &args.name {
        Some(name) => Ok(name.clone()),
        None => BlueprintName::new("imported").map_err(|error| Failure::of(Exit::Error, &error)),
    }
}

/// The regions that are described, and the accounts that they name.
fn described(args: &ImportArgs, catalog: &Catalog, output: &mut Output) -> Result<ParsedDocuments, Failure> {
    let (reading, sources) = validate::read(&[], args.regions.as_deref(), catalog, SystemClock.now());
    if reading.diagnostics.has_errors() {
        let all = diagnostics::sources(&sources);
        output.say(diagnostics::text(&reading.diagnostics, &all, output.talk_colour()).trim_end());
        return Err(Failure::said(Exit::BadInput));
    }
    Ok(reading)
}

fn found_names(seen: &Inventory) -> BTreeSet<String> {
    let roots = seen.seen.keys().filter(|address| crate::import::stores::is_root(address.kind));
    roots.map(|address| address.name.to_string()).collect()
}

/// A name that was asked for and is not there is a mistake, and not an empty import.
fn all_there(only: &BTreeSet<String>, there: &BTreeSet<String>) -> Result<(), Failure> {
    names::all_known(
        only.iter().filter_map(|name| names::unknown("--only", "store in these regions", name, there)),
    )
}

/// Reads what would be written as `plan` would read it, and says what is wrong with it.
fn check_text(found: &mut Adoption, book: &RegionBook, catalog: &Catalog, now: Moment, output: &mut Output) {
    if found.stores.is_empty() {
        return;
    }
    let source = Source::new("the blueprint that is written", found.file());
    let mut reading = ParsedDocuments::of(book.clone(), std::slice::from_ref(&source));
    reading.check(catalog, now);
    if reading.diagnostics.is_empty() {
        return;
    }
    let sources = [source];
    let text = diagnostics::text(&reading.diagnostics, &diagnostics::sources(&sources), output.talk_colour());
    output.say(text.trim_end());
    let errors = reading.diagnostics.iter().filter(|one| one.severity == Severity::Error);
    found.problems.extend(errors.map(|one| format!("{}: {} [{}]", one.path, one.message, one.code)));
}

fn show(report: &ImportReport, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    match settings.output {
        OutputForm::Text => output.data(&view::text(report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&view::markdown(report))?,
        form => output.document(&document(format::IMPORT, report), form)?,
    }
    Ok(())
}

/// Takes over, looks again, and plans: the proof is in the world.
async fn take_and_tell(
    adapters: &Adapters,
    desired: &Desired,
    seen: &Inventory,
    output: &mut Output,
) -> Result<(), Failure> {
    let claims = run::record_to_write(adapters, desired).await?.claims;
    let plan = take_over_plan(adapters, desired, seen, &claims, None);
    // What was just found rests on no decision.
    let taken = take_over(adapters, desired, 0, &plan, output).await?;
    for (address, why) in &taken.refused {
        output.say(&format!("{address} was not taken over: {why}"));
    }
    let refused = taken.refused.len();
    output.say(&format!("{} taken over, {refused} refused", taken.asked.saturating_sub(refused)));
    let PlanResult { plan, .. } =
        look_and_plan(adapters, desired, &NoFigures, &Policy::default(), false).await?;
    output.say(&format!("planned again: {} steps left", plan.steps.len()));
    taken.outcome.and_then(run::exit_of).map_or(Ok(()), |exit| Err(Failure::said(exit)))
}

fn tell_next(report: &ImportReport, args: &ImportArgs, output: &mut Output) {
    let Some(file) = &report.file else {
        if !report.stores.is_empty() {
            output.say("nothing was written; `--out FILE` writes the blueprint");
        }
        return;
    };
    output.say(&format!("written to {file}"));
    if !args.take_over {
        output.say(&format!(
            "next: read it, then `rgctl import -f {file} --take-over`, then `rgctl plan -f {file}`"
        ));
    }
}

/// What became of a take-over.
struct Taken {
    /// How the run ended; nothing when there was nothing to take.
    outcome: Option<Outcome>,
    /// How many objects were asked for.
    asked: usize,
    /// Those that were not taken, each with the reason.
    refused: BTreeMap<Address, String>,
}

/// The tags that take over what may be taken.
fn take_over_plan(
    adapters: &Adapters,
    desired: &Desired,
    seen: &Inventory,
    claims: &Claims,
    from: Option<&RecordId>,
) -> Plan {
    let ask = planning::PlanInput {
        desired,
        inventory: seen,
        held_out: &seen.held_out,
        policy: &Policy::default(),
        figures: &NoFigures,
        choices: Choices::NONE,
        now: adapters.clock.now(),
        snapshot_suffix: "",
        destroy: false,
        claims,
        verdicts: &Verdicts::default(),
        authority: Authority::Person,
    };
    planning::take_over(&ask, from)
}

/// Takes over: a run of the engine like every other, of exactly the tags that were listed as free.
async fn take_over(
    adapters: &Adapters,
    desired: &Desired,
    decided: u64,
    plan: &Plan,
    output: &mut Output,
) -> Result<Taken, Failure> {
    if plan.steps.is_empty() {
        return Ok(Taken { outcome: None, asked: 0, refused: BTreeMap::new() });
    }
    let policy = Policy::default();
    let run = Run {
        desired,
        figures: &NoFigures,
        policy: &policy,
        agreed: Some(plan),
        follows: None,
        purpose: Purpose::TakeOver,
        decided,
        deadline: None,
        if_held: IfHeld::Watch,
        wait: false,
    };
    let ended = run::finish(adapters, &run, output).await?.ended;
    // Whose it is now is asked of the world: something outside rgctl may have been faster.
    let (selection, held_out) = (everything_around(desired), run::held_out(adapters, desired).await?);
    let sight = Sight { selection: &selection, held_out: &held_out };
    let after = observe(&adapters.environment(), sight).await?;
    let claims = run::record_of(adapters, desired).await?.claims;
    let is_ours = |address: &Address| {
        after.seen.get(address).is_some_and(|one| claims.owns(&desired.blueprint, address, one))
    };
    let why = |step: &Step| {
        let held = ended.last.held.iter().find(|held| held.step == step.id).map(|held| held.why.clone());
        let owner = after.seen.get(step.op.address()).and_then(Observed::owner);
        let taken = || owner.map(|owner| format!("it belongs to {owner} by now"));
        held.or_else(taken).unwrap_or_else(|| "the run ended before it".to_owned())
    };
    let left = plan.steps.iter().filter(|step| !is_ours(step.op.address()));
    let refused: BTreeMap<Address, String> =
        left.map(|step| (step.op.address().clone(), why(step))).collect();
    let outcome = if refused.is_empty() { ended.outcome } else { not_settled(ended.outcome) };
    Ok(Taken { outcome: Some(outcome), asked: plan.steps.len(), refused })
}

/// A run that had nothing left to do has not settled what was taken outside rgctl meanwhile.
const fn not_settled(outcome: Outcome) -> Outcome {
    if matches!(outcome, Outcome::Settled) { Outcome::Blocked } else { outcome }
}
