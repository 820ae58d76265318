//! `rgctl region hold-out`, `release`, `list`: regions that a blueprint is to do without for now.
//!
//! **Invariant:** no lease is needed and no run disturbed: a decision is written beside them, provided that nobody else decided
//! about the region meanwhile. A run that is under way obeys it from its next turn on.
//! **Invariant:** nothing is asked of the region itself, which may not answer.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};

use super::args::{InputArgs, OutputForm, region_id};
use super::desk::Desk;
use super::error::Failure;
use super::exit::Exit;
use super::names;
use super::output::Output;
use super::run;
use super::settings::Settings;
use crate::report::document::{document, format};
use crate::report::regions::{self, RegionRow, RegionsReport, Role};
use rgctl_model::node::Desired;
use rgctl_model::overlay::{Decision, Decisions, HoldOut};
use rgctl_schema::names::RegionId;

/// What to do about the regions of a blueprint.
#[derive(Subcommand, Clone, Debug)]
pub enum RegionCommand {
    /// Do without a region until it is released: nothing there is made, changed, deleted, waited for or looked at, and runs do
    /// all the rest
    HoldOut(HoldOutArgs),
    /// End that: the region is looked at again, and what changed there meanwhile is planned
    Release(ReleaseArgs),
    /// Show the regions of a blueprint, what is there, and which are held out
    List(InputArgs),
}

/// Which region is held out of which blueprint, and why.
#[derive(Args, Clone, Debug)]
pub struct HoldOutArgs {
    /// Code of the region
    #[arg(value_name = "REGION", value_parser = region_id)]
    pub of_region: RegionId,
    /// Why, for everybody who meets it: plans, runs and the history tell it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
}

/// Which region is released, and why.
#[derive(Args, Clone, Debug)]
pub struct ReleaseArgs {
    /// Code of the region
    #[arg(value_name = "REGION", value_parser = region_id)]
    pub of_region: RegionId,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
}

/// Runs the command.
pub async fn run(command: &RegionCommand, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    match command {
        RegionCommand::HoldOut(args) => hold_out(args, settings, output).await,
        RegionCommand::Release(args) => release(args, settings, output).await,
        RegionCommand::List(input) => {
            let (desk, desired) = open(input, settings, output).await?;
            let known = known(&desk, &desired).await?;
            show((&desired, &desk.standing), &known, settings, output)
        }
    }
}

/// A desk, and what should exist with what stands decided there.
async fn open(
    input: &InputArgs,
    settings: &Settings,
    output: &mut Output,
) -> Result<(Desk, Desired), Failure> {
    let desk = Desk::open(input, settings, output).await?;
    let desired = desk.checked.built((&desk.standing, &desk.before), desk.now, output)?.desired;
    Ok((desk, desired))
}

/// The regions that can be meant: those of the blueprint, those in which the record holds something, and those that are held
/// out.
async fn known(desk: &Desk, desired: &Desired) -> Result<BTreeSet<RegionId>, Failure> {
    let mut known = desired.regions.clone();
    known.extend(run::regions_left(&desk.adapters, &desk.scope, desired).await?);
    known.extend(desk.standing.holds.keys().cloned());
    Ok(known)
}

fn show(
    (desired, standing): (&Desired, &Decisions),
    known: &BTreeSet<RegionId>,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let report = report(desired, known, standing);
    match settings.output {
        OutputForm::Text => output.data(&regions::text(&report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&regions::markdown(&report))?,
        form => output.document(&document(format::REGIONS, &report), form)?,
    }
    Ok(())
}

/// What each region is to a blueprint.
fn report(desired: &Desired, known: &BTreeSet<RegionId>, standing: &Decisions) -> RegionsReport {
    let mut rows: BTreeMap<&RegionId, RegionRow> =
        known.iter().map(|region| (region, RegionRow::new(region.clone()))).collect();
    for bill in &desired.bills {
        let Some(row) = rows.get_mut(&bill.region) else { continue };
        row.roles.insert(if bill.standby { Role::Secondary } else { Role::Primary });
        row.stores.insert(bill.store.clone());
    }
    for address in desired.nodes.keys() {
        if let Some(row) = rows.get_mut(&address.region) {
            row.objects += 1;
        }
    }
    for row in rows.values_mut() {
        row.held_out = standing.holds.get(&row.region).map(|(_, hold)| hold.clone());
        if !desired.regions.contains(&row.region) {
            row.roles.insert(Role::Left);
        }
    }
    RegionsReport { blueprint: desired.blueprint.clone(), regions: rows.into_values().collect() }
}

/// What is wrong with a region that was named, if nothing of the blueprint is there.
fn check(region: &RegionId, known: &BTreeSet<RegionId>) -> Result<(), Failure> {
    let known = known.iter().map(ToString::to_string).collect();
    let unknown = names::unknown("", "region", region.as_str(), &known);
    names::all_known(unknown.map(|why| {
        why.replacen(
            &format!("there is no region `{region}`"),
            &format!("the blueprint has nothing in `{region}`, and neither has its record"),
            1,
        )
    }))
}

async fn hold_out(args: &HoldOutArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    if args.reason.trim().is_empty() {
        return Err(Failure::new(
            Exit::BadInput,
            "a region is held out for a reason, which everybody is told",
        )
        .hint("give it with `--reason TEXT`"));
    }
    let (mut desk, desired) = open(&args.input, settings, output).await?;
    let (region, known) = (&args.of_region, known(&desk, &desired).await?);
    check(region, &known)?;
    if let Some((_, hold)) = desk.standing.holds.get(region) {
        output.say(&format!("{hold}; nothing was changed"));
    } else {
        let hold = HoldOut {
            region: region.clone(),
            why: args.reason.trim().to_owned(),
            by: rgctl_machine::user_and_host(),
            since: desk.now,
        };
        desk.decide(&Decision::HoldOut { hold }).await?;
        output.say(&format!(
            "{region} is held out of {} from now on: nothing there is made, changed, deleted, waited for or looked at; runs do \
             all the rest and end with code 8 as long as it lasts",
            desired.blueprint
        ));
        if desired.regions.iter().all(|region| desk.standing.holds.contains_key(region)) {
            output.say("note: no region of the blueprint is left in which anything would be done");
        }
    }
    show((&desired, &desk.standing), &known, settings, output)
}

async fn release(args: &ReleaseArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let (mut desk, desired) = open(&args.input, settings, output).await?;
    let (region, known) = (&args.of_region, known(&desk, &desired).await?);
    if !desk.standing.holds.contains_key(region) {
        check(region, &known)?;
        let held: Vec<String> = desk.standing.holds.keys().map(ToString::to_string).collect();
        let held = if held.is_empty() { "no region is".to_owned() } else { held.join(", ") };
        return Err(Failure::new(Exit::BadInput, format!("`{region}` is not held out (held out: {held})"))
            .hint("`rgctl region list -f BLUEPRINT` shows which regions are"));
    }
    let (by, why) = (rgctl_machine::user_and_host(), args.reason.trim().to_owned());
    desk.decide(&Decision::Release { region: region.clone(), by, why }).await?;
    output.say(&format!(
        "{region} is released: `rgctl plan` shows what changed there meanwhile, and the next run goes on with what was left"
    ));
    show((&desired, &desk.standing), &known, settings, output)
}
