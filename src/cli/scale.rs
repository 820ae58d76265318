//! `rgctl scale backtest`: the scaler measured on recorded load, beside the baselines and the offline optimum.

use std::error::Error;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use super::{names, robustness, scale_inputs, scale_output};
use rgctl_machine::outputs::{self, OutputError, Replaces};
use rgctl_scaling::augment::Source;
use rgctl_scaling::backtest::Knob;
use rgctl_scaling::backtest::{self, Asked, OWN, Optima, Row};
use rgctl_scaling::baselines::BASELINES;
use rgctl_scaling::commitments;
use rgctl_scaling::evaluate::{Load, Terms};
use rgctl_scaling::telemetry::MinuteSeries;
use rgctl_scaling::{AxisProfile, rules::Library};

/// Peak of the scored part as a share of the largest capacity.
const PEAK_SHARE: f64 = 0.8;

/// First line of a path.
const PATH_HEADER: &str = "minute,demand_units,serving,billed";
/// An older path is replaced; a trace that stands where its path would is not.
const PATHS: Replaces = Replaces::Ours { mark: PATH_HEADER, otherwise: "no path of a backtest" };

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
    /// Largest capacity; the peak of the scored part is 0.8 of it, or `--rho` of it where that is less.
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
    /// What sets the scale: the `peak` of the scored part, or a percentile of it such as `p99.9`.
    #[arg(long, value_name = "LEVEL", default_value = "peak", value_parser = level)]
    pub scale_at: f64,
    /// Lays the departures of a finer trace from straight lines over the hourly and half-hourly ones.
    #[arg(long, value_name = "FILE")]
    pub noise_from: Option<String>,
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
    /// Writes a picture of each trace as SVG into this folder.
    #[arg(long, value_name = "DIR")]
    pub charts_out: Option<PathBuf>,
    /// Form of the result: set from the global `--output`.
    #[arg(skip = Output::Text)]
    pub output: Output,
}

/// Everything measured on one trace at one size.
pub struct Measured {
    /// The load.
    pub load: Load,
    /// Digest of its file.
    pub sha256: String,
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
    let sources = scale_inputs::read_all(&args.traces)?;
    let donor = args.noise_from.clone().map(|file| scale_inputs::read_all(&[file])).transpose()?;
    let donor = donor.as_ref().and_then(|sources| sources.first());
    let series = scale_inputs::on_minutes(&sources, donor)?;
    if args.task == Task::Robustness {
        let series: Vec<Source> = series.into_iter().map(|s| s.source).collect();
        return robustness::run(args, &series, out);
    }
    let mut jobs: Vec<(Load, String, u32)> = Vec::new();
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
        Output::Text => scale_output::text(&measured, args, out)?,
        Output::Json => scale_output::json(&measured, donor, args, out)?,
        Output::Html => scale_output::html(&measured, args, out)?,
    }
    Ok(0)
}

fn measure(
    args: &BacktestArgs,
    (load, sha256, units): &(Load, String, u32),
    library: &Arc<Library>,
) -> Result<Measured, String> {
    let terms = Terms { axis: args.profile, units: *units, rho: args.rho, budget: args.budget };
    let bands = args.output == Output::Html || args.charts_out.is_some();
    let mut asked: Vec<Asked> = Vec::new();
    for policy in &args.policies {
        if policy.name == "all" {
            asked.push(Asked { name: OWN.to_owned(), knob: None });
            asked.extend(BASELINES.iter().map(|(name, _)| Asked { name: (*name).to_owned(), knob: None }));
        } else {
            asked.push(policy.clone());
        }
    }
    let (optima, rows) = rayon::join(
        || backtest::optima(load, &terms),
        || {
            let of = |a: &Asked| backtest::run(a, load, &terms, library, bands);
            asked.par_iter().with_max_len(1).flat_map_iter(of).collect::<Vec<Row>>()
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

/// The load of a series at a size.
pub(super) fn load_of(
    name: &str,
    minutes: &MinuteSeries,
    units: u32,
    args: &BacktestArgs,
) -> Result<Load, Box<dyn Error>> {
    // Below a utilisation of 0.8 the largest capacity could not serve the peak of the protocol.
    let (share, level) = (PEAK_SHARE.min(args.rho), args.scale_at);
    let demand = minutes.in_units_at(units, share, level).ok_or(format!(
        "{name}: the scored part has no demand at all, so that nothing can be scaled to it"
    ))?;
    Ok(Load { name: name.to_owned(), demand, scored_from: minutes.scored_from() })
}

/// Writes the path of each row: `DIR/TRACE.csv` for one policy, `DIR/POLICY/TRACE.csv` for several.
///
/// A baseline without a named knob has two rows. The one with the knob from the past stands for the policy; the one with
/// hindsight has `-hindsight` in its folder's name.
fn write_paths(folder: &Path, measured: &Measured, by_units: bool, by_policy: bool) -> Result<(), String> {
    let past_of = |policy: &str| measured.rows.iter().any(|r| r.policy == policy && r.knob == Knob::Past);
    for row in &measured.rows {
        let mut to = folder.to_path_buf();
        if by_units {
            to.push(format!("n{}", measured.units));
        }
        let second = row.knob == Knob::Hindsight && past_of(&row.policy);
        match (row.knob, row.value) {
            _ if second => to.push(format!("{}-hindsight", row.policy)),
            (Knob::Given, Some(value)) if by_policy => to.push(format!("{}-{value}", row.policy)),
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
    if args.output == Output::Html {
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

/// What was bought on one series.
pub struct Bought {
    /// The series.
    pub source: scale_inputs::Source,
    /// Scored days.
    pub days: usize,
    /// What each buyer paid.
    pub bills: Vec<commitments::Bill>,
    /// How good the forecasts were.
    pub pinball: Vec<commitments::Pinball>,
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

/// Reads `peak` or a percentile such as `p99.9`.
fn level(text: &str) -> Result<f64, String> {
    if text == "peak" {
        return Ok(1.0);
    }
    let percent = text.strip_prefix('p').and_then(|n| n.parse::<f64>().ok());
    percent
        .filter(|p| *p > 0.0 && *p <= 100.0)
        .map(|p| p / 100.0)
        .ok_or_else(|| format!("`{text}` is neither `peak` nor a percentile such as p99.9"))
}

/// An error of writing with its cause.
pub(super) fn told(error: &OutputError) -> String {
    let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{error}{cause}")
}

fn not_among(what: &str, given: &str, known: &[&str]) -> String {
    let known = known.iter().map(|name| (*name).to_owned()).collect();
    names::unknown("", what, given, &known).unwrap_or_default()
}

/// The axis profile of that name.
pub fn profile(text: &str) -> Result<AxisProfile, String> {
    AxisProfile::named(text).ok_or_else(|| not_among("profile", text, &["reader", "shard", "acu", "node"]))
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
        let mut names = vec![OWN, "all"];
        names.extend(BASELINES.iter().map(|(n, _)| *n));
        return Err(not_among("policy", name, &names));
    }
    Ok(Asked { name: name.to_owned(), knob })
}
