//! What a backtest reads: traces as files, each with its digest, put on the minute grid, as loads of a size.

use std::error::Error;
use std::path::Path;

use super::scale_args::BacktestArgs;
use rgctl_machine::inputs::{InputBudget, TRACE_BYTES_MAX, TRACES_BYTES_MAX, shown};
use rgctl_scaling::augment;
use rgctl_scaling::evaluate::PreparedTrace;
use rgctl_scaling::telemetry::noise::Departures;
use rgctl_scaling::telemetry::{MinuteSeries, Trace, trace::read_stamp};
use rgctl_schema::digest::sha256_hex;

/// Peak of the scored part as a share of the largest capacity.
const PEAK_SHARE: f64 = 0.8;
/// Series with fewer days than this cannot be divided into a warm-up and a scored part.
const DAYS_MIN: f64 = 1.0;
/// Seed of the drawn departures, fixed so that a run can be repeated.
const NOISE_SEED: u64 = 20_261_125;

/// A trace that was read.
pub struct TraceSource {
    /// Name, as in the reports: that of the file without its ending.
    pub name: String,
    /// Digest of the whole file.
    pub sha256: String,
    /// The readings.
    pub trace: Trace,
}

/// Reads all traces. Everything that is wrong with any of them is told at once.
pub fn read_all(specs: &[String]) -> Result<Vec<TraceSource>, Box<dyn Error>> {
    let mut sources: Vec<TraceSource> = Vec::new();
    let mut problems: Vec<String> = Vec::new();
    let mut allowance = InputBudget::new(TRACES_BYTES_MAX);
    for spec in specs {
        match read(spec, &mut allowance) {
            Ok(source) if sources.iter().any(|s| s.name == source.name) => problems.push(format!(
                "{spec}: another trace is named `{}` too, and results are told apart by name; rename one",
                source.name
            )),
            Ok(source) => sources.push(source),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems.join("\n").into()) }
}

/// Reads `FILE` or `FILE@FROM..UNTIL`.
fn read(spec: &str, allowance: &mut InputBudget) -> Result<TraceSource, String> {
    let (file, part) = match spec.rsplit_once('@') {
        Some((file, part)) if part.contains("..") => (file, Some(part)),
        _ => (spec, None),
    };
    let path = Path::new(file);
    let bytes = allowance.bytes(path, TRACE_BYTES_MAX).map_err(|error| {
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        format!("{error}{cause}; {}", error.remedy())
    })?;
    let file = shown(path);
    let mut trace = Trace::read(&bytes).map_err(|e| {
        e.to_string().lines().map(|line| format!("{file}: {line}")).collect::<Vec<_>>().join("\n")
    })?;
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
        Path::new(&file).file_stem().map_or_else(|| file.clone(), |s| s.to_string_lossy().into_owned());
    Ok(TraceSource { name, sha256: sha256_hex(&bytes), trace })
}

/// A trace on the minute grid.
pub struct OnMinutes {
    /// Digest of the whole file.
    pub sha256: String,
    /// The series with its name.
    pub source: augment::NamedSeries,
}

/// Puts the traces on the minute grid, the coarse ones with noise when a donor of it is named.
pub fn on_minutes(
    sources: &[TraceSource],
    donor: Option<&TraceSource>,
) -> Result<Vec<OnMinutes>, Box<dyn Error>> {
    let mut series = Vec::new();
    let mut problems: Vec<String> = Vec::new();
    for source in sources {
        match minutes_of(source, donor) {
            Ok(minutes) => series.push(OnMinutes {
                sha256: source.sha256.clone(),
                source: augment::NamedSeries {
                    name: source.name.clone(),
                    minutes,
                    interval_minutes: source.trace.interval_seconds() / 60,
                },
            }),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(series) } else { Err(problems.join("\n").into()) }
}

fn minutes_of(source: &TraceSource, donor: Option<&TraceSource>) -> Result<MinuteSeries, String> {
    let TraceSource { name, trace, .. } = source;
    let interval = trace.interval_seconds();
    let days = trace.readings.len() as f64 * interval as f64 / 86_400.0;
    if days < DAYS_MIN {
        return Err(format!("{name}: {days:.2} days of readings are too few; a backtest needs one day"));
    }
    if interval > 6 * 3600 {
        return Err(format!(
            "{name}: readings {interval} s apart say nothing about minutes; daily series belong to `--task commitments`"
        ));
    }
    let plain = MinuteSeries::from_trace(trace);
    let Some(donor) = donor.filter(|d| interval >= 2 * d.trace.interval_seconds()) else { return Ok(plain) };
    let minutes = usize::try_from(interval / 60).unwrap_or(0);
    let departures = Departures::of(&MinuteSeries::from_trace(&donor.trace), minutes).ok_or_else(|| {
        format!(
            "{}: it does not depart from straight lines over {minutes} minutes; name a finer trace",
            donor.name
        )
    })?;
    Ok(departures.over(&plain, NOISE_SEED))
}

/// The load of a series at a size.
pub fn load_of(
    name: &str,
    minutes: &MinuteSeries,
    units: u32,
    args: &BacktestArgs,
) -> Result<PreparedTrace, Box<dyn Error>> {
    // Below a utilisation of 0.8 the largest capacity could not serve the peak of the protocol.
    let (share, level) = (PEAK_SHARE.min(args.rho), args.scale_at);
    let demand = minutes.in_units_at(units, share, level).ok_or(format!(
        "{name}: the scored part has no demand at all, so that nothing can be scaled to it"
    ))?;
    Ok(PreparedTrace { name: name.to_owned(), demand, scored_from: minutes.scored_from() })
}
