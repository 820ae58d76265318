//! `rgctl scale backtest`: the scaler measured on recorded load, beside the baselines and the offline optimum.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::scale_args::{BacktestArgs, ScaleFormat, Task};
use super::scale_inputs::load_of;
use super::scale_output::{Bought, Measured, progress, told};
use super::{robustness, scale_inputs, scale_output};
use rgctl_machine::outputs::{self, Replaces};
use rgctl_scaling::augment::NamedSeries;
use rgctl_scaling::backtest::KnobOrigin;
use rgctl_scaling::backtest::{self, BacktestRow, OWN, RequestedPolicy};
use rgctl_scaling::baselines::BASELINES;
use rgctl_scaling::commitments;
use rgctl_scaling::evaluate::{PreparedTrace, Terms};
use rgctl_scaling::rules::Library;

/// First line of a path.
const PATH_HEADER: &str = "minute,demand_units,serving,billed";
/// An older path is replaced; a trace that stands where its path would is not.
const PATHS: Replaces = Replaces::Ours { mark: PATH_HEADER, otherwise: "no path of a backtest" };

/// Runs the command. The exit code is 0 when everything was measured.
pub fn run(args: &BacktestArgs, out: &mut dyn Write) -> Result<u8, Box<dyn Error>> {
    if args.task == Task::Commitments {
        return run_commitments(args, out);
    }
    let sources = scale_inputs::read_all(&args.traces)?;
    let donor = args.noise_from.clone().map(|file| scale_inputs::read_all(&[file])).transpose()?;
    let donor = donor.as_ref().and_then(|sources| sources.first());
    let series = scale_inputs::on_minutes(&sources, donor)?;
    if args.task == Task::Robustness {
        let series: Vec<NamedSeries> = series.into_iter().map(|s| s.source).collect();
        return robustness::run(args, &series, out);
    }
    let mut jobs: Vec<(PreparedTrace, String, u32)> = Vec::new();
    for units in &args.units {
        for scale_inputs::OnMinutes { sha256, source } in &series {
            jobs.push((load_of(&source.name, &source.minutes, *units, args)?, sha256.clone(), *units));
        }
    }
    // The longest first, so that no core waits for a long last one; the order of the result is restored below.
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(jobs[*i].0.demand.len() * jobs[*i].2 as usize));
    let library = Arc::new(Library::full());
    let progress = progress(jobs.len() as u64);
    let measured: Result<Vec<(usize, Measured)>, String> = order
        .par_iter()
        .with_max_len(1)
        .map(|index| {
            let result = measure(args, &jobs[*index], &library);
            progress.inc(1);
            Ok((*index, result?))
        })
        .collect();
    progress.finish_and_clear();
    let mut measured = measured?;
    measured.sort_by_key(|(index, _)| *index);
    let measured: Vec<Measured> = measured.into_iter().map(|(_, m)| m).collect();
    if let Some(folder) = &args.charts_out {
        scale_output::charts(folder, &measured, args)?;
    }
    match args.output {
        ScaleFormat::Text => scale_output::text(&measured, args, out)?,
        ScaleFormat::Json => scale_output::json(&measured, donor, args, out)?,
        ScaleFormat::Html => scale_output::html(&measured, args, out)?,
    }
    Ok(0)
}

fn measure(
    args: &BacktestArgs,
    (load, sha256, units): &(PreparedTrace, String, u32),
    library: &Arc<Library>,
) -> Result<Measured, String> {
    let terms = Terms { axis: args.profile, units: *units, rho: args.rho, budget: args.budget };
    let bands = args.output == ScaleFormat::Html || args.charts_out.is_some();
    let mut asked: Vec<RequestedPolicy> = Vec::new();
    for policy in &args.policies {
        if policy.name == "all" {
            asked.push(RequestedPolicy { name: OWN.to_owned(), knob: None });
            asked.extend(
                BASELINES.iter().map(|(name, _)| RequestedPolicy { name: (*name).to_owned(), knob: None }),
            );
        } else {
            asked.push(policy.clone());
        }
    }
    let (optima, rows) = rayon::join(
        || backtest::optima(load, &terms),
        || {
            let of = |a: &RequestedPolicy| backtest::run(a, load, &terms, library, bands);
            asked.par_iter().with_max_len(1).flat_map_iter(of).collect::<Vec<BacktestRow>>()
        },
    );
    let mut measured = Measured { load: load.clone(), sha256: sha256.clone(), units: *units, optima, rows };
    if let Some(folder) = &args.path_out {
        write_paths(folder, &measured, args.units.len() > 1, asked.len() > 1)?;
    }
    // A path has a row for each minute: of all policies on all traces they would fill the memory.
    let drawn = scale_output::drawn(&measured.rows).filter(|_| bands);
    for (place, row) in measured.rows.iter_mut().enumerate() {
        if drawn != Some(place) {
            row.outcome.path = Vec::new();
        }
    }
    Ok(measured)
}

/// Writes the path of each row: `DIR/TRACE.csv` for one policy, `DIR/POLICY/TRACE.csv` for several.
///
/// A baseline without a named knob has two rows. The one with the knob from the past stands for the policy; the one with
/// hindsight has `-hindsight` in its folder's name.
fn write_paths(folder: &Path, measured: &Measured, by_units: bool, by_policy: bool) -> Result<(), String> {
    let past_of =
        |policy: &str| measured.rows.iter().any(|r| r.policy == policy && r.knob == KnobOrigin::Past);
    for row in &measured.rows {
        let mut to = folder.to_path_buf();
        if by_units {
            to.push(format!("n{}", measured.units));
        }
        let second = row.knob == KnobOrigin::Hindsight && past_of(&row.policy);
        match (row.knob, row.value) {
            _ if second => to.push(format!("{}-hindsight", row.policy)),
            (KnobOrigin::Given, Some(value)) if by_policy => to.push(format!("{}-{value}", row.policy)),
            _ if by_policy => to.push(&row.policy),
            _ => {}
        }
        fs::create_dir_all(&to).map_err(|e| format!("{}: {e}", to.display()))?;
        to.push(format!("{}.csv", measured.load.name));
        let mut text = format!("{PATH_HEADER}\n");
        let scored = &measured.load.demand[measured.load.scored_from..];
        for (minute, (demand, standing)) in scored.iter().zip(&row.outcome.path).enumerate() {
            use std::fmt::Write as _;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{minute},{demand},{},{}", standing.serving, standing.billed);
        }
        outputs::write_text(&to, &text, PATHS).map_err(|error| told(&error))?;
    }
    Ok(())
}

fn run_commitments(args: &BacktestArgs, out: &mut dyn Write) -> Result<u8, Box<dyn Error>> {
    if args.output == ScaleFormat::Html {
        return Err("`--task commitments` is told as text or JSON; leave `-o html` out".into());
    }
    let mut bought = Vec::new();
    let mut problems = Vec::new();
    for source in scale_inputs::read_all(&args.traces)? {
        let daily = commitments::daily_peaks(&source.trace);
        if daily.len() < 120 {
            problems.push(format!("{}: {} days are too few to buy for a year", source.name, daily.len()));
            continue;
        }
        let from = daily.len() * 2 / 5;
        bought.push(Bought {
            days: daily.len() - from,
            bills: commitments::bills(&daily, from, args.discount),
            pinball: commitments::pinball(&daily, from),
            source,
        });
    }
    if !problems.is_empty() {
        return Err(problems.join("\n").into());
    }
    scale_output::commitments(&bought, args, out)?;
    Ok(0)
}
