//! `rgctl sim`: the embedded cloud by hand.
//!
//! Goes in: arguments and the state folder. Comes out: text or JSON, and an exit code.
//!
//! **Invariant:** a command that is refused leaves the world as it was.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::sim_args::{FaultArgs, FaultCommand, FaultWord, LoadArgs, SimArgs, SimCommand, SimCommandError};
use super::{sim_hands, sim_names};
use rgctl_model::address::Address;
use rgctl_model::node::Usage;
use rgctl_model::plan::Verb;
use rgctl_sim::{Fault, GENESIS, Rule, SimCloud, Surge, Trailed, World};
use rgctl_store::objects::WorldFile;

/// Number of the format of `show -o json`.
const SHOW_FORMAT: &str = "rgctl.dev/sim/v1";

/// How the world is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowAs {
    /// For people
    Text,
    /// For programs
    Json,
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
        SimCommand::Trail { keep: Some(lines) } => {
            cloud.with_world(|world| world.keep_trail(*lines))?;
            writeln!(err, "the last {lines} calls are kept from now on")?;
        }
        SimCommand::Trail { keep: None } => {
            let lines = cloud.with_world(|world| trail_lines(world))?;
            for line in lines {
                writeln!(out, "{line}")?;
            }
        }
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
        SimCommand::Stop(args) => sim_hands::act(&cloud, &args.address, Verb::Stop)?,
        SimCommand::Start(args) => sim_hands::act(&cloud, &args.address, Verb::Start)?,
        SimCommand::Status(args) => sim_hands::status(&cloud, args)?,
        SimCommand::Load(args) => load(&cloud, args)?,
    }
    Ok(0)
}

fn edit(cloud: &SimCloud, address: &Address, changes: &[String]) -> Result<(), SimCommandError> {
    let parsed = sim_hands::fields(changes)?;
    cloud.with_world(|world| world.edit_fields(address, parsed))?.map_err(SimCommandError::Argument)
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
        FaultWord::NoEffect => Fault::NoEffect,
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

fn trail_lines(world: &World) -> Vec<String> {
    let line = |(number, line): (u64, &Trailed)| {
        let told = line.refused.as_deref().unwrap_or("accepted");
        let late = if line.is_late { "arrived late: " } else { "" };
        format!("{number:>6}  {}  {}  {late}{told}", line.at, line.step)
    };
    world.trail().map(line).collect()
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
        .map(|(address, seen)| (address.to_string(), serde_json::to_value(seen).unwrap_or_default()))
        .collect();
    let slots: serde_json::Map<String, Value> = world
        .everything()
        .filter_map(|(address, _)| {
            Some((address.to_string(), serde_json::to_value(world.slots(address)?).unwrap_or_default()))
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
        .map(|(address, seen)| {
            let role = seen.facts.role.map(|role| role.to_string()).unwrap_or_default();
            let pending = seen.pending.as_ref().map_or_else(String::new, |pending| {
                let moved = world.slots(address).and_then(|slots| slots.moved);
                let moved = moved.map_or_else(String::new, |part| {
                    format!(" ({:.0} % of the slots have moved)", part * 100.0)
                });
                format!("pending: {}{moved}", pending.set_names().join(", "))
            });
            [address.to_string(), seen.facts.native, role, pending]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [first, second, third] = [0, 1, 2].map(width);
    for [address, status, part, pending] in &rows {
        let line = format!("{address:first$}  {status:second$}  {part:third$}  {pending}");
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
