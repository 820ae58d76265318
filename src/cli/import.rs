//! `rgctl import`: what exists and is not ours; a blueprint for it, and taking it over by its tags.
//!
//! With `-f`, the objects that a blueprint names and does not own. With `--region`, everything that nobody owns, and a
//! blueprint that reproduces it. Nothing is written to the cloud without `--take-over`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;

use super::args::OutputForm;
use super::error::Failure;
use super::exit::Exit;
use super::figures;
use super::names;
use super::output::Output;
use super::outside::{self, Outside};
use super::run::{claims, look_and_plan};
use super::settings::Settings;
use super::{load, validate};
use crate::adapters::files::outputs::{self, Replaces};
use crate::adapters::machine::{self, SystemClock};
use crate::adoption::{self, Adoption};
use crate::artefacts::address::Address;
use crate::artefacts::claims::Claims;
use crate::artefacts::journal::{Event, Mark, Outcome, Purpose};
use crate::artefacts::node::{Desired, TAG_RECORD};
use crate::artefacts::plan::Op;
use crate::artefacts::policy::Policy;
use crate::artefacts::scope::{RecordId, Scope};
use crate::artefacts::seen::{Inventory, Seen, Selection};
use crate::blueprint::document::Reading;
use crate::blueprint::region::RegionBook;
use crate::catalog::Catalog;
use crate::execution::drive::{observe, scope_of};
use crate::execution::turn::Pace;
use crate::planning::NoFigures;
use crate::report::diagnostics;
use crate::report::document::{document, format};
use crate::report::import::{
    self, ImportReport, Stranger, StrangersReport, strangers_markdown, strangers_text,
};
use crate::seams::{Clock, ClockReading, Cloud, CloudError, Permit};
use crate::vocabulary::diagnostic::{Severity, Source};
use crate::vocabulary::names::{BlueprintName, RegionId, Token};
use crate::vocabulary::time::Moment;

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
    #[arg(long, value_name = "CODE", value_parser = region_id)]
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

/// The code of a region, as it is given on the command line.
pub(super) fn region_id(text: &str) -> Result<RegionId, String> {
    RegionId::new(text).map_err(|error| error.to_string())
}

/// Objects without an owner, and those of others, in the order of their addresses.
pub fn strangers<'a>(
    seen: &'a Inventory,
    desired: &Desired,
    claims: &Claims,
) -> Vec<(&'a Address, &'a Seen)> {
    let is_ours = |at: &Address, one: &Seen| claims.owns(&desired.blueprint, at, one);
    seen.seen.iter().filter(|(at, one)| !at.kind.facts().observe_only && !is_ours(at, one)).collect()
}

/// The calls that take over: tags on objects that the blueprint wants and that nobody owns. An object of another
/// blueprint is never taken, nor one of another record, unless that is given up by name.
pub fn adoptions(desired: &Desired, seen: &Inventory, claims: &Claims, from: Option<&RecordId>) -> Vec<Op> {
    let is_free = |at: &Address| {
        seen.seen.get(at).is_some_and(|one| claims.may_take(&desired.blueprint, at, one, from))
    };
    let record = claims.record.iter().map(|record| (TAG_RECORD.to_owned(), record.0.clone()));
    let wanted = desired.nodes.iter().filter(|(at, _)| is_free(at));
    wanted
        .map(|(at, node)| {
            let tags = node.all_tags(&desired.blueprint).into_iter().chain(record.clone());
            Op::Tag { at: at.clone(), tags: tags.collect() }
        })
        .collect()
}

/// Runs the command.
pub async fn run(args: &ImportArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    if args.region.is_empty() {
        of_blueprint(args, settings, output).await
    } else {
        of_regions(args, settings, output).await
    }
}

/// What a blueprint names and does not own.
async fn of_blueprint(args: &ImportArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let input = super::args::InputArgs { files: args.files.clone(), regions: args.regions.clone() };
    let checked = load::check(&input, settings, output)?;
    let outside = outside::open(settings)?;
    let now = outside.clock.now();
    let home = outside.cloud.home(checked.primary()?.as_ref()).await?;
    let overlays = outside.store.overlays(&Scope::new(home, checked.name()?), now).await?;
    let desired = checked.build(&overlays, now, output)?.desired;
    let seen = observe(&outside.world(), &everything_around(&desired)).await?;
    say_gaps(&seen, output);
    let claims = claims(&outside, &desired).await?;
    let from = args.from_record.clone().map(RecordId);
    let ops = adoptions(&desired, &seen, &claims, from.as_ref());
    let mut report = listed(&desired, &seen, &claims, &ops);
    if args.take_over {
        let refused = take_over(&outside, &desired, &seen, &ops).await?;
        for one in report.objects.iter_mut().filter(|one| one.free) {
            one.refusal = refused.get(&one.at).map(ToString::to_string);
            one.taken = Some(one.refusal.is_none());
        }
    }
    match settings.output {
        OutputForm::Text => output.data(&strangers_text(&report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&strangers_markdown(&report))?,
        form => output.document(&document(format::STRANGERS, &report), form)?,
    }
    let is_refused = report.objects.iter().any(|one| one.refusal.is_some());
    // Each refusal and each gap has been told already.
    if is_refused || !seen.gaps.is_empty() { Err(Failure::said(Exit::Error)) } else { Ok(()) }
}

/// Everything in the regions of a blueprint, with certainty about whose those are that it names.
fn everything_around(desired: &Desired) -> Selection {
    Selection {
        regions: desired.regions.clone(),
        owner: None,
        named: desired.nodes.keys().cloned().collect(),
    }
}

fn listed(desired: &Desired, seen: &Inventory, claims: &Claims, free: &[Op]) -> StrangersReport {
    let free: BTreeSet<&Address> = free.iter().map(Op::at).collect();
    let objects = strangers(seen, desired, claims).into_iter().map(|(at, one)| {
        let node = desired.nodes.get(at);
        Stranger {
            at: at.clone(),
            state: one.facts.native.clone(),
            owner: one.owner().map(str::to_owned),
            named: node.is_some(),
            free: free.contains(at),
            changes: node.map(|node| node.attrs.diff(&one.attrs)).unwrap_or_default(),
            taken: None,
            refusal: None,
        }
    });
    StrangersReport { blueprint: desired.blueprint.clone(), objects: objects.collect() }
}

fn say_gaps(seen: &Inventory, output: &mut Output) {
    for gap in &seen.gaps {
        output.say(&format!("{} could not be seen in full: {}", gap.region, gap.why));
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
    let book = regions(args, &catalog, output)?;
    names::check_regions(&args.region, &names::regions(&catalog, &book))?;
    let outside = outside::open(settings)?;
    let scope = Selection { regions: args.region.iter().cloned().collect(), ..Selection::default() };
    let seen = observe(&outside.world(), &scope).await?;
    if !seen.gaps.is_empty() {
        say_gaps(&seen, output);
        return Err(Failure::new(Exit::Error, "what cannot be seen in full cannot be written down")
            .hint("nothing was written; `rgctl doctor` says what is missing"));
    }
    let only: BTreeSet<String> = args.only.iter().cloned().collect();
    all_there(&only, &found_names(&seen))?;
    let name = name(args)?;
    let mut found = adoption::adopt(&adoption::Ask {
        inventory: &seen,
        blueprint: &name,
        regions: &book,
        catalog: &catalog,
        figures: &NoFigures,
        only: &only,
        now: outside.clock.now(),
    });
    check_text(&mut found, &book, &catalog, outside.clock.now(), output);
    let mut report = ImportReport::of(name, args.region.clone(), &found);
    if let Some(path) = args.out.as_ref().filter(|_| !found.stores.is_empty()) {
        outputs::write_text(path, &found.file(), Replaces::Nothing)?;
        report.file = Some(path.display().to_string());
    }
    show(&report, settings, output)?;
    if let (true, Some(desired), true) = (args.take_over, &found.desired, found.problems.is_empty()) {
        // The first look trusted the index of tags, which lags: what somebody took since then stays his.
        let seen = observe(&outside.world(), &everything_around(desired)).await?;
        take_and_tell(&outside, desired, &seen, output).await?;
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

/// The regions that are described.
fn regions(args: &ImportArgs, catalog: &Catalog, output: &mut Output) -> Result<RegionBook, Failure> {
    let (reading, sources) = validate::read(&[], args.regions.as_deref(), catalog, SystemClock.now());
    if reading.diagnostics.has_errors() {
        let all = diagnostics::sources(&sources);
        output.say(diagnostics::text(&reading.diagnostics, &all, output.talk_colour()).trim_end());
        return Err(Failure::said(Exit::BadInput));
    }
    Ok(reading.regions)
}

fn found_names(seen: &Inventory) -> BTreeSet<String> {
    let roots = seen.seen.keys().filter(|at| crate::families::recognise::is_root(at.kind));
    roots.map(|at| at.name.to_string()).collect()
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
    let mut reading = Reading::of(book.clone(), std::slice::from_ref(&source));
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
        OutputForm::Text => output.data(&import::text(report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&import::markdown(report))?,
        form => output.document(&document(format::IMPORT, report), form)?,
    }
    Ok(())
}

/// Takes over, looks again, and plans: the proof is in the world.
async fn take_and_tell(
    outside: &Outside,
    desired: &Desired,
    seen: &Inventory,
    output: &mut Output,
) -> Result<(), Failure> {
    let ops = adoptions(desired, seen, &claims(outside, desired).await?, None);
    let asked = ops.len();
    let refused = take_over(outside, desired, seen, &ops).await?;
    for (at, why) in &refused {
        output.say(&format!("{at} was not taken over: {why}"));
    }
    output.say(&format!("{} taken over, {} refused", asked - refused.len(), refused.len()));
    let (plan, _) = look_and_plan(outside, desired, &NoFigures, &Policy::default(), false).await?;
    output.say(&format!("planned again: {} steps left", plan.steps.len()));
    if refused.is_empty() { Ok(()) } else { Err(Failure::said(Exit::Error)) }
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

/// Takes over under the lease and on the record, like every other change: intents before, outcomes after.
pub async fn take_over(
    outside: &Outside,
    desired: &Desired,
    seen: &Inventory,
    ops: &[Op],
) -> Result<BTreeMap<Address, CloudError>, Failure> {
    let (owner, store) = (machine::owner(), &outside.store);
    let scope = scope_of(&*outside.cloud, desired).await?;
    let run_id = machine::new_run(&owner, outside.wall.now());
    let (lasts, sent) = (Pace::default().lease, ClockReading::of(&outside.wall));
    let lease = store.take_lease(&scope, &run_id, &owner, sent.wall, lasts, None).await?;
    let permit = Permit::under_lease(sent, lasts);
    let end = store.entries(&scope, 0).await?.last().map_or(0, |entry| entry.seq);
    let mut begun = vec![Event::Opened {
        purpose: Purpose::Apply,
        policy: Policy::default(),
        desired: desired.fingerprint.clone(),
        steps: ops.len(),
    }];
    begun.extend(ops.iter().map(|op| Event::Intended {
        step: op.step_id(),
        at: op.at().clone(),
        word: op.word().to_owned(),
        token: token(op),
        leaves: None,
        why: "taken over on consent".to_owned(),
        changes: Vec::new(),
        asks: op.asks(),
    }));
    let end = store.append(&lease, end, outside.clock.now(), &begun).await?;
    let refused = tag(&*outside.cloud, ops, &permit).await;
    let mark = |at: &Address| seen.seen.get(at).map(|one| Mark::of(desired.nodes.get(at), one));
    let mut ended: Vec<Event> = ops
        .iter()
        .map(|op| match refused.get(op.at()) {
            Some(error) => Event::Failed { step: op.step_id(), why: error.to_string() },
            None => Event::Settled { step: op.step_id(), object: mark(op.at()) },
        })
        .collect();
    let summary = format!("{} taken over, {} refused", ops.len() - refused.len(), refused.len());
    let outcome = if refused.is_empty() { Outcome::Settled } else { Outcome::Blocked };
    ended.push(Event::Closed { outcome, summary });
    store.append(&lease, end, outside.clock.now(), &ended).await?;
    store.release_lease(&lease).await?;
    wait_to_see(outside, desired, ops, &refused).await?;
    Ok(refused)
}

/// Looks until what was taken over shows its tags: reads lag behind writes, and a plan at once would show them as lost.
async fn wait_to_see(
    outside: &Outside,
    desired: &Desired,
    ops: &[Op],
    refused: &BTreeMap<Address, CloudError>,
) -> Result<(), Failure> {
    let pace = Pace::default();
    let until = outside.clock.now() + pace.visibility;
    while outside.clock.now() < until {
        let seen = observe(&outside.world(), &everything_around(desired)).await?;
        let is_tagged = |at: &Address, tags: &BTreeMap<String, String>| {
            let now = seen.seen.get(at).map(|one| &one.facts.tags);
            now.is_none_or(|now| tags.iter().all(|(key, value)| now.get(key) == Some(value)))
        };
        let is_seen = |op: &Op| matches!(op, Op::Tag { at, tags } if is_tagged(at, tags));
        if ops.iter().all(|op| refused.contains_key(op.at()) || is_seen(op)) {
            break;
        }
        outside.clock.sleep_until(outside.clock.now() + pace.look_after_calls).await;
    }
    Ok(())
}

/// A token that names the step: the same tags set twice are the same tags.
fn token(op: &Op) -> Token {
    Token(format!("import {}", op.step_id()))
}

async fn tag(cloud: &dyn Cloud, ops: &[Op], permit: &Permit) -> BTreeMap<Address, CloudError> {
    let mut refused = BTreeMap::new();
    for op in ops {
        if let Err(error) = cloud.call(op, &token(op), permit).await {
            refused.insert(op.at().clone(), error);
        }
    }
    refused
}
