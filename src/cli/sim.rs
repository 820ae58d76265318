//! `rgctl sim`: the embedded cloud by hand.
//!
//! Goes in: arguments and the state folder. Comes out: text or JSON, and an exit code.
//!
//! **Invariant:** a command that is refused leaves the world as it was.

use std::io::{self, Write};
use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::names;
use super::sim_hands::{self, CreateArgs, DeleteArgs, StatusArgs, TagArgs};
use super::sim_names;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Usage;
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, GENESIS, Rule, SimCloud, SimError, Surge, World};
use rgctl_store::objects::WorldFile;

/// Number of the format of `show -o json`.
const SHOW_FORMAT: &str = "rgctl.dev/sim/v1";

/// Arguments of `rgctl sim`.
#[derive(Clone, Debug, Args)]
pub struct SimArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SimCommand,
}

/// What can be done with the embedded cloud.
#[derive(Clone, Debug, Subcommand)]
pub enum SimCommand {
    /// Throw the world away and begin a new one
    Reset {
        /// Seed of all chance
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// When the new world begins, RFC 3339
        #[arg(long, value_parser = moment)]
        start: Option<Moment>,
    },
    /// Let virtual time pass
    Advance {
        /// How much, such as 20m or 1h30m
        #[arg(value_parser = span)]
        by: Span,
    },
    /// Show the world as it is, without the lag that readers have
    Show,
    /// Make things go wrong
    Fault {
        /// What to do
        #[command(subcommand)]
        command: FaultCommand,
    },
    /// Lose a whole region
    KillRegion {
        /// Which region
        #[arg(value_parser = region)]
        region: RegionId,
        /// For how long
        #[arg(long = "for", value_parser = span, default_value = "1h")]
        lasts: Span,
    },
    /// Change an object outside rgctl, so that it drifts
    Edit {
        /// Which object: region/kind/name
        #[arg(value_parser = address)]
        address: Address,
        /// Fields and values, FIELD=VALUE, the value as JSON or plain text
        #[arg(required = true)]
        changes: Vec<String>,
    },
    /// Make an object outside rgctl: nobody's, unless tags say otherwise
    Create(CreateArgs),
    /// Delete an object outside rgctl
    Delete(DeleteArgs),
    /// Set tags and take tags away outside rgctl
    Tag(TagArgs),
    /// Let an object at rest show a status word of its service, or one that nobody knows
    Status(StatusArgs),
    /// Set what clients do to a store
    Load(LoadArgs),
}

/// How the world is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowAs {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What can be done with faults.
#[derive(Clone, Debug, Subcommand)]
pub enum FaultCommand {
    /// Add a fault
    Add(Box<FaultArgs>),
    /// List the faults
    List,
    /// End a fault, or all
    Clear {
        /// Number of the fault, as listed
        id: Option<u64>,
    },
}

/// A fault as arguments.
#[derive(Clone, Debug, Args)]
pub struct FaultArgs {
    /// What goes wrong
    #[arg(value_enum)]
    pub what: FaultWord,
    /// In which region only
    #[arg(long, value_parser = region)]
    pub region: Option<RegionId>,
    /// To which kind of object only
    #[arg(long, value_parser = kind)]
    pub kind: Option<KindId>,
    /// With which operation only, such as create
    #[arg(long)]
    pub operation: Option<String>,
    /// How often, from 0 to 1
    #[arg(long, default_value_t = 1.0)]
    pub probability: f64,
    /// Beginning after this time
    #[arg(long, value_parser = span, default_value = "0s")]
    pub after: Span,
    /// For how long
    #[arg(long = "for", value_parser = span, default_value = "1h")]
    pub lasts: Span,
    /// How many times at most
    #[arg(long)]
    pub count: Option<u32>,
    /// Of capacity: which class
    #[arg(long)]
    pub class: Option<String>,
    /// Of zone-loss: which zone
    #[arg(long)]
    pub zone: Option<String>,
    /// Of name-taken: which name only
    #[arg(long, value_parser = name)]
    pub name: Option<Name>,
    /// Of slow: how many times as long
    #[arg(long, default_value_t = 3.0)]
    pub factor: f64,
    /// Of quota: how many objects, in place of the account's default quotas
    #[arg(long, default_value_t = 0)]
    pub limit: u32,
    /// Of stale-read and late-metrics: by how much; of late-call: by how much at most
    #[arg(long, value_parser = span, default_value = "30s")]
    pub lag: Span,
    /// Of lost-answer: the call does not take effect either
    #[arg(long)]
    pub unapplied: bool,
}

/// A fault in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "each is documented at `Fault`")]
pub enum FaultWord {
    Throttle,
    LostAnswer,
    LateCall,
    Stuck,
    Slow,
    Capacity,
    Quota,
    StaleRead,
    Gap,
    ZoneLoss,
    RegionLoss,
    NameTaken,
    CreateFails,
    UnknownStatus,
    OtherHand,
    LateMetrics,
    Denied,
}

/// A load as arguments.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Which store: region/kind/name of the object that holds its data
    #[arg(value_parser = address)]
    pub address: Address,
    /// Stored data in GiB
    #[arg(long, default_value_t = 0.0)]
    pub data_gib: f64,
    /// Growth in GiB a month
    #[arg(long, default_value_t = 0.0)]
    pub growth_gib: f64,
    /// Reads a second at peak
    #[arg(long, default_value_t = 0.0)]
    pub reads: f64,
    /// Writes a second at peak
    #[arg(long, default_value_t = 0.0)]
    pub writes: f64,
    /// A surge from now on: how many times the usual load
    #[arg(long)]
    pub surge: Option<f64>,
    /// How long the surge lasts
    #[arg(long, value_parser = span, default_value = "2h")]
    pub surge_for: Span,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum SimCommandError {
    /// The embedded cloud.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// The terminal or the pipe.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// The arguments do not fit the world, or each other.
    #[error("{0}")]
    Argument(String),
}

fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse_rfc3339(text).ok_or_else(|| "expected a time such as 2026-12-04T10:00:00+08:00".to_owned())
}
fn span(text: &str) -> Result<Span, String> {
    Span::parse(text).ok_or_else(|| "expected a duration such as 90s, 20m or 1h30m".to_owned())
}
fn region(text: &str) -> Result<RegionId, String> {
    RegionId::new(text).map_err(|error| error.to_string())
}
fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}
fn kind(text: &str) -> Result<KindId, String> {
    KindId::parse(text).ok_or_else(|| {
        let all = KindId::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
        names::unknown("", "kind", text, &all).unwrap_or_default()
    })
}
pub(super) fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).ok_or_else(|| "expected region/kind/name, as `rgctl sim show` lists them".to_owned())
}

/// Runs `rgctl sim`; yields the exit code.
pub fn run(
    args: &SimArgs,
    state_dir: &Path,
    show_as: ShowAs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, SimCommandError> {
    let place = WorldFile::under(state_dir);
    if let SimCommand::Reset { seed, start } = &args.command {
        let start = start.unwrap_or(GENESIS);
        SimCloud::anew(&place, *seed, start)?;
        writeln!(err, "a new world with seed {seed} begins at {start}")?;
        return Ok(0);
    }
    let cloud = SimCloud::open(&place)?;
    match &args.command {
        SimCommand::Reset { .. } => {}
        SimCommand::Advance { by } => {
            let now = cloud.advance(*by)?;
            writeln!(err, "it is {now}")?;
        }
        SimCommand::Show => show(&cloud, show_as, out)?,
        SimCommand::Fault { command } => fault(&cloud, command, out, err)?,
        SimCommand::KillRegion { region, lasts } => {
            cloud.with_world(|world| sim_names::check_region(region, world))??;
            let id = cloud.with_world(|world| {
                let now = world.now();
                world.add_fault(Rule::always(Fault::RegionLoss, now, now + *lasts).in_region(region.clone()))
            })?;
            writeln!(err, "{region} is lost for {lasts} (fault {id})")?;
        }
        SimCommand::Edit { address, changes } => edit(&cloud, address, changes)?,
        SimCommand::Create(args) => sim_hands::create(&cloud, args)?,
        SimCommand::Delete(args) => sim_hands::delete(&cloud, args)?,
        SimCommand::Tag(args) => sim_hands::tag(&cloud, args)?,
        SimCommand::Status(args) => sim_hands::status(&cloud, args)?,
        SimCommand::Load(args) => load(&cloud, args)?,
    }
    Ok(0)
}

fn edit(cloud: &SimCloud, at: &Address, changes: &[String]) -> Result<(), SimCommandError> {
    let parsed = sim_hands::fields(changes)?;
    cloud.with_world(|world| world.edit_fields(at, parsed))?.map_err(SimCommandError::Argument)
}

fn load(cloud: &SimCloud, args: &LoadArgs) -> Result<(), SimCommandError> {
    let amounts = [args.data_gib, args.growth_gib, args.reads, args.writes, args.surge.unwrap_or(1.0)];
    if amounts.iter().any(|amount| !amount.is_finite() || *amount < 0.0) {
        return Err(SimCommandError::Argument("amounts must be finite and not negative".to_owned()));
    }
    let usage = Usage {
        data_gib: args.data_gib,
        growth_gib_per_month: args.growth_gib,
        io_per_month: 0.0,
        reads_per_second: args.reads,
        writes_per_second: args.writes,
    };
    let exists = cloud.with_world(|world| {
        let now = world.now();
        let surges = args
            .surge
            .map(|factor| Surge { from: now, until: now + args.surge_for, factor })
            .into_iter()
            .collect();
        let exists = world.exists(&args.address);
        if exists {
            world.set_load(&args.address, usage, surges);
        }
        exists
    })?;
    if exists { Ok(()) } else { Err(SimCommandError::Argument(format!("{} does not exist", args.address))) }
}

fn fault_of(args: &FaultArgs) -> Result<Fault, SimCommandError> {
    Ok(match args.what {
        FaultWord::Throttle => Fault::Throttle,
        FaultWord::LostAnswer => Fault::LostAnswer { applied: !args.unapplied },
        FaultWord::LateCall => Fault::LateCall { by: args.lag },
        FaultWord::Stuck => Fault::Stuck,
        FaultWord::Slow => Fault::Slow { factor: args.factor },
        FaultWord::Capacity => Fault::Capacity { class: args.class.clone() },
        FaultWord::Quota => Fault::Quota { limit: args.limit },
        FaultWord::StaleRead => Fault::StaleRead { lag: args.lag },
        FaultWord::Gap => Fault::Gap,
        FaultWord::ZoneLoss => match &args.zone {
            Some(zone) => Fault::ZoneLoss { zone: zone.clone() },
            None => return Err(SimCommandError::Argument("zone-loss needs --zone".to_owned())),
        },
        FaultWord::RegionLoss => Fault::RegionLoss,
        FaultWord::NameTaken => Fault::NameTaken { name: args.name.clone() },
        FaultWord::CreateFails => Fault::CreateFails,
        FaultWord::UnknownStatus => Fault::UnknownStatus,
        FaultWord::OtherHand => Fault::OtherHand,
        FaultWord::LateMetrics => Fault::LateMetrics { lag: args.lag },
        FaultWord::Denied => Fault::Denied,
    })
}

fn fault(
    cloud: &SimCloud,
    command: &FaultCommand,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), SimCommandError> {
    match command {
        FaultCommand::Add(args) => {
            if !((0.0..=1.0).contains(&args.probability) && args.factor.is_finite() && args.factor >= 0.0) {
                let why = "--probability lies between 0 and 1, --factor is not negative";
                return Err(SimCommandError::Argument(why.to_owned()));
            }
            cloud.with_world(|world| sim_names::check_fault(args, world))??;
            let fault = fault_of(args)?;
            let id = cloud.with_world(|world| {
                let from = world.now() + args.after;
                let rule = Rule::always(fault, from, from + args.lasts);
                world.add_fault(Rule {
                    region: args.region.clone(),
                    kind: args.kind,
                    operation: args.operation.clone(),
                    probability: args.probability,
                    count: args.count,
                    ..rule
                })
            })?;
            writeln!(err, "fault {id} added")?;
        }
        FaultCommand::List => {
            let lines = cloud.with_world(|world| fault_lines(world))?;
            for line in lines {
                writeln!(out, "{line}")?;
            }
        }
        FaultCommand::Clear { id } => {
            let gone = cloud.with_world(|world| world.clear_faults(*id))?;
            if let (0, Some(id)) = (gone, id) {
                return Err(SimCommandError::Argument(format!("there is no fault {id}")));
            }
            writeln!(err, "{gone} ended")?;
        }
    }
    Ok(())
}

fn fault_lines(world: &World) -> Vec<String> {
    world
        .faults()
        .map(|(id, rule)| {
            let what = serde_json::to_value(rule).unwrap_or_default();
            let state = if rule.is_active(world.now()) { "active" } else { "inactive" };
            format!("{id}  {state}  {} to {}  {what}", rule.from, rule.until)
        })
        .collect()
}

fn show(cloud: &SimCloud, output: ShowAs, out: &mut dyn Write) -> Result<(), SimCommandError> {
    let text = cloud.with_world(|world| match output {
        ShowAs::Json => show_json(world),
        ShowAs::Text => show_text(world),
    })?;
    out.write_all(text.as_bytes())?;
    Ok(())
}

fn show_json(world: &World) -> String {
    let objects: serde_json::Map<String, Value> = world
        .everything()
        .map(|(at, seen)| (at.to_string(), serde_json::to_value(seen).unwrap_or_default()))
        .collect();
    let slots: serde_json::Map<String, Value> = world
        .everything()
        .filter_map(|(at, _)| {
            Some((at.to_string(), serde_json::to_value(world.slots(at)?).unwrap_or_default()))
        })
        .collect();
    let value = json!({
        "format": SHOW_FORMAT,
        "seed": world.seed(),
        "start": world.start().rfc3339(),
        "now": world.now().rfc3339(),
        "objects": objects,
        "slots": slots,
        "faults": world.faults().map(|(id, rule)| json!({ "id": id, "rule": rule })).collect::<Vec<_>>(),
        "used": world.used(),
        "violations": world.violations(),
    });
    format!("{value:#}\n")
}

fn show_text(world: &World) -> String {
    let mut lines = vec![format!(
        "seed {}, began {}, now {} ({} later)",
        world.seed(),
        world.start(),
        world.now(),
        world.now().since(world.start())
    )];
    let rows: Vec<[String; 4]> = world
        .everything()
        .map(|(at, seen)| {
            let role = seen.facts.role.map(|role| role.to_string()).unwrap_or_default();
            let pending = seen.pending.as_ref().map_or_else(String::new, |pending| {
                let moved = world.slots(at).and_then(|slots| slots.moved);
                let moved = moved.map_or_else(String::new, |part| {
                    format!(" ({:.0} % of the slots have moved)", part * 100.0)
                });
                format!("pending: {}{moved}", pending.set_names().join(", "))
            });
            [at.to_string(), seen.facts.native, role, pending]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (address, native, role) = (width(0), width(1), width(2));
    for [at, status, part, pending] in &rows {
        let line = format!("{at:address$}  {status:native$}  {part:role$}  {pending}");
        lines.push(line.trim_end().to_owned());
    }
    if rows.is_empty() {
        lines.push("nothing exists".to_owned());
    }
    let used = world.used();
    if !used.is_empty() {
        lines.push("used so far:".to_owned());
    }
    for used in used {
        let line = used.line;
        lines.push(format!(
            "  {}  {} {}  {:.2} {}s",
            used.region, line.service, line.sku, line.quantity, line.unit
        ));
    }
    let faults = fault_lines(world);
    if !faults.is_empty() {
        lines.push("faults:".to_owned());
        lines.extend(faults.iter().map(|line| format!("  {line}")));
    }
    for violation in world.violations() {
        lines.push(format!("VIOLATION at {}: {}", violation.at, violation.what));
    }
    lines.push(String::new());
    lines.join("\n")
}
