//! `rgctl scale backtest`: the scaler measured on recorded load, beside the baselines and the offline optimum.

use std::error::Error;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use super::robustness;
use super::scale_output;
use crate::scaling::augment::Source;
use crate::scaling::backtest::{self, Asked, OWN, Optima, Row};
use crate::scaling::baselines::BASELINES;
use crate::scaling::commitments;
use crate::scaling::evaluate::{Load, Terms};
use crate::scaling::{AxisProfile, rules::Library};
use crate::telemetry::{MinuteSeries, Trace, trace::read_stamp};

/// Peak of the scored part as a share of the largest capacity.
const PEAK_SHARE: f64 = 0.8;
/// Series with fewer days than this cannot be divided into a warm-up and a scored part.
const DAYS_MIN: f64 = 1.0;

/// The form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Tables for people.
    Text,
    /// One JSON document.
    Json,
    /// A report in one file that works offline.
    Html,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// Capacity minute by minute.
    Capacity,
    /// Commitments for a year, on daily series.
    Commitments,
    /// Capacity again with every constant moved at random, and on shifted, cut, mixed and noisy series.
    Robustness,
}

/// Measures the scaler on recorded load.
#[derive(Clone, Debug, clap::Args)]
pub struct BacktestArgs {
    /// Traces: CSV files with the columns timestamp and value; `FILE@FROM..UNTIL` reads a part of one.
    #[arg(long = "trace", value_name = "FILE", required = true, num_args = 1..)]
    pub traces: Vec<String>,
    /// Largest capacity; the peak of the scored part is 0.8 of it. Several are measured one after the other.
    #[arg(long, value_name = "N", default_value = "15", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub units: Vec<u32>,
    /// What is scaled: reader, shard, acu or node.
    ///
    /// Set from the global `--profile`, which names an AWS profile elsewhere: one name can have one owner only.
    #[arg(skip = AxisProfile::READER)]
    pub profile: AxisProfile,
    /// Policies, each with a knob if one is to be fixed (`reactive:1.5`); `all` measures every baseline too.
    #[arg(long = "policy", value_name = "NAME[:KNOB]", default_value = "rgctl", num_args = 1.., value_parser = policy)]
    pub policies: Vec<Asked>,
    /// Share of minutes that may be missed; hard misses may be half of it.
    #[arg(long, default_value = "0.1%", value_parser = share)]
    pub budget: f64,
    /// Utilisation above which a minute is missed.
    #[arg(long, default_value = "80%", value_parser = share)]
    pub rho: f64,
    /// What is measured.
    #[arg(long, value_enum, default_value = "capacity")]
    pub task: Task,
    /// Discount of a commitment (with `--task commitments`).
    #[arg(long, default_value = "20%", value_parser = share)]
    pub discount: f64,
    /// Random configurations (with `--task robustness`).
    #[arg(long, value_name = "K", default_value = "60", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub draws: u32,
    /// By how much every constant may move (with `--task robustness`).
    #[arg(long, default_value = "35%", value_parser = share)]
    pub spread: f64,
    /// Series made from each trace in each way (with `--task robustness`).
    #[arg(long, value_name = "K", default_value = "2", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub variants: u32,
    /// Decides what is drawn (with `--task robustness`): the same seed gives the same figures.
    #[arg(long, default_value = "1")]
    pub seed: u64,
    /// Writes the path of each trace and policy as CSV into this folder.
    #[arg(long, value_name = "DIR")]
    pub path_out: Option<PathBuf>,
    /// Form of the result: set from the global `--output`.
    #[arg(skip = Output::Text)]
    pub output: Output,
}

/// Everything measured on one trace at one size.
pub struct Measured {
    /// The load.
    pub load: Load,
    /// Largest capacity.
    pub units: u32,
    /// The optima.
    pub optima: Optima,
    /// One row for each policy and mode.
    pub rows: Vec<Row>,
}

/// Runs the command. The exit code is 0 when everything was measured.
pub fn run(args: &BacktestArgs, out: &mut dyn Write) -> Result<u8, Box<dyn Error>> {
    if args.task == Task::Commitments {
        return run_commitments(args, out);
    }
    let series: Vec<Source> =
        args.traces.iter().map(|t| read_series(t)).collect::<Result<_, Box<dyn Error>>>()?;
    if args.task == Task::Robustness {
        return robustness::run(args, &series, out);
    }
    let mut jobs: Vec<(Load, u32)> = Vec::new();
    for units in &args.units {
        for source in &series {
            jobs.push((load_of(&source.name, &source.minutes, *units)?, *units));
        }
    }
    // The longest first, so that no core waits for a long last one; the order of the result is restored below.
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(jobs[*i].0.demand.len() * jobs[*i].1 as usize));
    let library = Arc::new(Library::full());
    let progress = progress(jobs.len() as u64);
    let mut measured: Vec<(usize, Measured)> = order
        .par_iter()
        .with_max_len(1)
        .map(|index| {
            let (load, units) = &jobs[*index];
            let result = measure(args, load, *units, &library);
            progress.inc(1);
            (*index, result)
        })
        .collect();
    progress.finish_and_clear();
    measured.sort_by_key(|(index, _)| *index);
    let measured: Vec<Measured> = measured.into_iter().map(|(_, m)| m).collect();
    if let Some(folder) = &args.path_out {
        write_paths(folder, &measured, args.units.len() > 1)?;
    }
    match args.output {
        Output::Text => scale_output::text(&measured, args.budget, out)?,
        Output::Json => scale_output::json(&measured, args, out)?,
        Output::Html => scale_output::html(&measured, args, out)?,
    }
    Ok(0)
}

fn measure(args: &BacktestArgs, load: &Load, units: u32, library: &Arc<Library>) -> Measured {
    let terms = Terms { axis: args.profile, units, rho: args.rho, budget: args.budget };
    let optima = backtest::optima(load, &terms);
    let bands = args.output == Output::Html;
    let mut asked: Vec<Asked> = Vec::new();
    for policy in &args.policies {
        if policy.name == "all" {
            asked.push(Asked { name: OWN.to_owned(), knob: None });
            asked.extend(BASELINES.iter().map(|(name, _)| Asked { name: (*name).to_owned(), knob: None }));
        } else {
            asked.push(policy.clone());
        }
    }
    let rows = asked.iter().flat_map(|a| backtest::run(a, load, &terms, library, bands)).collect();
    Measured { load: load.clone(), units, optima, rows }
}

/// Reads `FILE` or `FILE@FROM..UNTIL` and puts it on the minute grid.
fn read_trace(spec: &str) -> Result<(String, Trace), Box<dyn Error>> {
    let (file, part) = match spec.rsplit_once('@') {
        Some((file, part)) if part.contains("..") => (file, Some(part)),
        _ => (spec, None),
    };
    let text = fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
    let mut trace = Trace::parse(&text).map_err(|e| format!("{file}: {e}"))?;
    if let Some((from, until)) = part.and_then(|p| p.split_once("..")) {
        let stamp = |text: &str| match text {
            "" => Ok(None),
            _ => {
                read_stamp(text).map(|(m, _)| Some(m)).ok_or(format!("{file}: `{text}` is not a time stamp"))
            }
        };
        trace = trace.within(stamp(from)?, stamp(until)?);
    }
    let name =
        Path::new(file).file_stem().map_or_else(|| file.to_owned(), |s| s.to_string_lossy().into_owned());
    Ok((name, trace))
}

fn read_series(spec: &str) -> Result<Source, Box<dyn Error>> {
    let (name, trace) = read_trace(spec)?;
    let days = trace.readings.len() as f64 * trace.interval_seconds() as f64 / 86_400.0;
    if days < DAYS_MIN {
        return Err(
            format!("{name}: {days:.2} days of readings are too few; a backtest needs one day").into()
        );
    }
    if trace.interval_seconds() > 6 * 3600 {
        return Err(format!("{name}: readings {} s apart say nothing about minutes; daily series belong to `--task commitments`",
            trace.interval_seconds()).into());
    }
    let interval_minutes = trace.interval_seconds() / 60;
    Ok(Source { name, minutes: MinuteSeries::from_trace(&trace), interval_minutes })
}

/// The load of a series at a size.
pub(super) fn load_of(name: &str, minutes: &MinuteSeries, units: u32) -> Result<Load, Box<dyn Error>> {
    let demand =
        minutes.in_units(units, PEAK_SHARE).ok_or(format!("{name}: the scored part has no demand at all"))?;
    Ok(Load { name: name.to_owned(), demand, scored_from: minutes.scored_from() })
}

fn write_paths(folder: &Path, measured: &[Measured], by_units: bool) -> Result<(), Box<dyn Error>> {
    for m in measured {
        for row in &m.rows {
            let mut to = folder.to_path_buf();
            if by_units {
                to.push(format!("n{}", m.units));
            }
            if m.rows.len() > 1 {
                to.push(scale_output::row_name(row));
            }
            fs::create_dir_all(&to).map_err(|e| format!("{}: {e}", to.display()))?;
            to.push(format!("{}.csv", m.load.name));
            let mut text = String::from("minute,demand_units,serving,billed\n");
            let scored = &m.load.demand[m.load.scored_from..];
            for (minute, (demand, standing)) in scored.iter().zip(&row.outcome.path).enumerate() {
                use std::fmt::Write as _;
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{minute},{demand:.6},{},{}", standing.serving, standing.billed);
            }
            fs::write(&to, text).map_err(|e| format!("{}: {e}", to.display()))?;
        }
    }
    Ok(())
}

fn run_commitments(args: &BacktestArgs, out: &mut dyn Write) -> Result<u8, Box<dyn Error>> {
    let mut bought = Vec::new();
    for spec in &args.traces {
        let (name, trace) = read_trace(spec)?;
        let daily = commitments::daily_peaks(&trace);
        if daily.len() < 120 {
            return Err(format!("{name}: {} days are too few to buy for a year", daily.len()).into());
        }
        let from = daily.len() * 2 / 5;
        let bills = commitments::bills(&daily, from, args.discount);
        let pinball = commitments::pinball(&daily, from);
        bought.push((name, daily.len() - from, bills, pinball));
    }
    scale_output::commitments(&bought, args, out)?;
    Ok(0)
}

/// A bar over so many pieces of work, where somebody watches.
pub(super) fn progress(jobs: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}, {elapsed} gone, {eta} left");
    let bar = ProgressBar::new(jobs);
    style.map_or(bar.clone(), |s| bar.with_style(s))
}

/// Reads `0.1%` or `0.001`.
fn share(text: &str) -> Result<f64, String> {
    let (number, divisor) = text.strip_suffix('%').map_or((text, 1.0), |n| (n, 100.0));
    let value: f64 =
        number.trim().parse().map_err(|_| format!("`{text}` is not a share such as 0.1% or 0.001"))?;
    let share = value / divisor;
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(format!("`{text}` does not lie between 0 and 100 %"))
    }
}

/// The axis profile of that name.
pub fn profile(text: &str) -> Result<AxisProfile, String> {
    AxisProfile::named(text)
        .ok_or_else(|| format!("`{text}` is no profile; there are reader, shard, acu and node"))
}

fn policy(text: &str) -> Result<Asked, String> {
    let (name, knob) = match text.split_once(':') {
        Some((name, knob)) => {
            let value: f64 = knob.parse().map_err(|_| format!("`{knob}` is not a number"))?;
            (name, Some(value))
        }
        None => (text, None),
    };
    let known = name == OWN || name == "all" || BASELINES.iter().any(|(n, _)| *n == name);
    if !known {
        let names: Vec<&str> = BASELINES.iter().map(|(n, _)| *n).collect();
        return Err(format!("`{name}` is no policy; there are {OWN}, all, {}", names.join(", ")));
    }
    Ok(Asked { name: name.to_owned(), knob })
}
