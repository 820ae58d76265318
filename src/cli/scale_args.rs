//! The arguments of `rgctl scale backtest`.

use std::path::PathBuf;

use super::names;
use rgctl_scaling::AxisProfile;
use rgctl_scaling::backtest::{OWN, RequestedPolicy};
use rgctl_scaling::baselines::BASELINES;

/// The form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ScaleFormat {
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
    pub policies: Vec<RequestedPolicy>,
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
    #[arg(skip = ScaleFormat::Text)]
    pub output: ScaleFormat,
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

fn not_among(what: &str, given: &str, known: &[&str]) -> String {
    let known = known.iter().map(|name| (*name).to_owned()).collect();
    names::unknown("", what, given, &known).unwrap_or_default()
}

/// The axis profile of that name.
pub fn profile(text: &str) -> Result<AxisProfile, String> {
    AxisProfile::named(text).ok_or_else(|| not_among("profile", text, &["reader", "shard", "acu", "node"]))
}

fn policy(text: &str) -> Result<RequestedPolicy, String> {
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
    Ok(RequestedPolicy { name: name.to_owned(), knob })
}
