//! `rgctl region hold-out`, `release`, `list`: regions that a blueprint is to do without for now.
//!
//! **Invariant:** no lease is needed and no run disturbed: a decision is written beside them, provided that nobody else decided
//! about the region meanwhile. A run that is under way obeys it from its next turn on.
//! **Invariant:** nothing is asked of the region itself, which may not answer.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};

use super::adapters::{self, Adapters};
use super::agent_orders;
use super::args::{InputArgs, OutputForm, region_id};
use super::error::Failure;
use super::exit::Exit;
use super::load;
use super::names;
use super::output::Output;
use super::run;
use super::settings::Settings;
use crate::report::document::{document, format};
use crate::report::regions::{self, RegionRow, RegionsReport, Role};
use rgctl_model::node::Desired;
use rgctl_model::overlay::{Decision, DecisionKey, Decisions, HoldOut};
use rgctl_model::ports::StoreError;
use rgctl_model::scope::Scope;
use rgctl_schema::names::RegionId;
use rgctl_schema::time::Moment;

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
            let desk = Desk::open(input, settings, output).await?;
            desk.show(&desk.known().await?, settings, output)
        }
    }
}

/// Where a decision is made: the blueprint, the decisions beside its record, and the present.
struct Desk {
    desired: Desired,
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
        let desired = checked.build(&standing, now, output)?.desired;
        Ok(Self { desired, adapters, scope, standing, now })
    }

    /// The regions that can be meant: those of the blueprint, those in which the record holds something, and those that are
    /// held out.
    async fn known(&self) -> Result<BTreeSet<RegionId>, Failure> {
        let mut known = self.desired.regions.clone();
        known.extend(run::regions_left(&self.adapters, &self.scope, &self.desired).await?);
        known.extend(self.standing.holds.keys().cloned());
        Ok(known)
    }

    async fn decide(&mut self, decision: &Decision) -> Result<(), Failure> {
        let expected = self.standing.epoch(&decision.key());
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
        let hold = match key {
            DecisionKey::Region(region) => standing.holds.get(region).map(|(_, hold)| hold.to_string()),
            DecisionKey::Overlay(_) => None,
        };
        let told = hold.unwrap_or_else(|| format!("somebody decided about {key} meanwhile"));
        Ok(Failure::new(Exit::StalePlan, format!("{told}; nothing was done")).hint(
            "look at `rgctl region list -f BLUEPRINT`, and give the command again if it is still meant",
        ))
    }

    fn show(
        &self,
        known: &BTreeSet<RegionId>,
        settings: &Settings,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let report = report(&self.desired, known, &self.standing);
        match settings.output {
            OutputForm::Text => output.data(&regions::text(&report, output.style))?,
            OutputForm::Markdown | OutputForm::Html => output.data(&regions::markdown(&report))?,
            form => output.document(&document(format::REGIONS, &report), form)?,
        }
        Ok(())
    }
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
    let mut desk = Desk::open(&args.input, settings, output).await?;
    let (region, known) = (&args.of_region, desk.known().await?);
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
            desk.desired.blueprint
        ));
        if desk.desired.regions.iter().all(|region| desk.standing.holds.contains_key(region)) {
            output.say("note: no region of the blueprint is left in which anything would be done");
        }
    }
    desk.show(&known, settings, output)
}

async fn release(args: &ReleaseArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let mut desk = Desk::open(&args.input, settings, output).await?;
    let (region, known) = (&args.of_region, desk.known().await?);
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
    desk.show(&known, settings, output)
}
