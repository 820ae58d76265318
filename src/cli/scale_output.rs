//! What `rgctl scale backtest` says: tables, one JSON document, or the offline report.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::scale_args::{BacktestArgs, ScaleFormat};
use super::scale_inputs::TraceSource;
use crate::report::chart;
use crate::report::html::{Page, TraceView, render};
use rgctl_machine::outputs::{self, OutputError, Replaces};
use rgctl_scaling::Constants;
use rgctl_scaling::backtest::{BacktestRow, FigureOfMerit, KnobOrigin, OWN, Optima, merit};
use rgctl_scaling::bootstrap::{self, Comparison, Interval, Pair};
use rgctl_scaling::commitments::{Bill, Buyer, Pinball};
use rgctl_scaling::evaluate::PreparedTrace;
use rgctl_scaling::rules::Library;
use rgctl_schema::digest::sha256_hex;

/// Share of the cost that minimum billing alone may cause before a policy is flagged.
const IDLE_SHARE_FLAGGED: f64 = 0.2;

/// Everything measured on one trace at one size.
pub struct Measured {
    /// The load.
    pub load: PreparedTrace,
    /// Digest of its file.
    pub sha256: String,
    /// Largest capacity.
    pub units: u32,
    /// The optima.
    pub optima: Optima,
    /// One row for each policy and mode.
    pub rows: Vec<BacktestRow>,
}

/// What was bought on one series.
pub struct Bought {
    /// The series.
    pub source: TraceSource,
    /// Scored days.
    pub days: usize,
    /// What each buyer paid.
    pub bills: Vec<Bill>,
    /// How good the forecasts were.
    pub pinball: Vec<Pinball>,
}

/// A row's name in tables and paths.
pub fn row_name(row: &BacktestRow) -> String {
    match (row.knob, row.value) {
        (KnobOrigin::Hindsight | KnobOrigin::Past, _) => format!("{}-{}", row.policy, row.knob.words()),
        (KnobOrigin::Given, Some(value)) => format!("{}-{value}", row.policy),
        _ => row.policy.clone(),
    }
}

/// The row that pictures show: the own policy, or the first.
pub fn drawn(rows: &[BacktestRow]) -> Option<usize> {
    rows.iter().position(|r| r.policy == OWN).or(rows.first().map(|_| 0))
}

/// An empty table whose columns from `left` on hold figures.
pub fn table(headers: &[&str], left: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headers.to_vec());
    for index in left..headers.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// One policy at one size over all traces.
struct Total {
    units: u32,
    name: String,
    knob: KnobOrigin,
    merit: FigureOfMerit,
    /// Trace and row of each outcome.
    places: Vec<(usize, usize)>,
}

/// The merits of all rows: by size, then in the order of the policies.
fn totals(measured: &[Measured], budget: f64) -> Vec<Total> {
    let mut groups: BTreeMap<(u32, usize), Vec<(usize, usize)>> = BTreeMap::new();
    for (index, m) in measured.iter().enumerate() {
        for place in 0..m.rows.len() {
            groups.entry((m.units, place)).or_default().push((index, place));
        }
    }
    let total = |((units, _), places): ((u32, usize), Vec<(usize, usize)>)| {
        let (first, place) = *places.first()?;
        let row = &measured[first].rows[place];
        let outcomes = places.iter().map(|(i, p)| (&measured[*i].rows[*p].outcome, &measured[*i].optima));
        let merit = merit(outcomes, budget);
        Some(Total { units, name: row_name(row), knob: row.knob, merit, places })
    };
    groups.into_iter().filter_map(total).collect()
}

/// The own policy against the best baseline whose knob comes from the past, at each size.
fn compared(measured: &[Measured], totals: &[Total], budget: f64) -> Vec<(u32, String, Comparison)> {
    let own = totals.iter().filter(|t| t.name == OWN);
    let against = |own: &Total| {
        let rivals = totals.iter().filter(|t| t.units == own.units && t.knob == KnobOrigin::Past);
        let best = rivals.min_by(|a, b| a.merit.judged.total_cmp(&b.merit.judged))?;
        let outcome = |(i, p): &(usize, usize)| &measured[*i].rows[*p].outcome;
        let pairs: Vec<Pair<'_>> = own
            .places
            .iter()
            .zip(&best.places)
            .map(|(a, b)| (outcome(a), outcome(b), &measured[a.0].optima))
            .collect();
        Some((own.units, best.name.clone(), bootstrap::paired(&pairs, budget)?))
    };
    own.filter_map(against).collect()
}

/// What the figures rest on: program, configuration, terms.
fn record(args: &BacktestArgs) -> Value {
    // The debug form names every field: a changed constant or rule changes the digest.
    let configuration = format!("{:?}{:?}{:?}", Constants::FROZEN, Library::full(), args.profile);
    json!({
        "version": env!("CARGO_PKG_VERSION"), "commit": option_env!("RGCTL_COMMIT").unwrap_or("unknown"),
        "configuration_sha256": sha256_hex(configuration.as_bytes()),
    })
}

/// One policy on one trace, in the order of the columns of [`text`].
fn cells(m: &Measured, row: &BacktestRow, budget: f64) -> Vec<String> {
    let o = &row.outcome;
    let flag = if o.idle_share > IDLE_SHARE_FLAGGED { " (!)" } else { "" };
    vec![
        m.load.name.clone(),
        row_name(row),
        row.value.map_or_else(|| "-".to_owned(), |v| v.to_string()),
        m.units.to_string(),
        format!("{:.3}", o.cost / m.optima.free),
        format!("{:.3}", o.cost / m.optima.quarter),
        format!("{:.4}", 100.0 * o.soft_share()),
        format!("{:.4}", 100.0 * o.hard_share()),
        format!("{:.4}", 100.0 * o.unserved),
        format!("{:.2}", o.utilisation_p999),
        o.longest_run.to_string(),
        format!("{:.1}", o.starts_per_day),
        format!("{:.1}", o.turns_per_day),
        format!("{:.1}{flag}", 100.0 * o.idle_share),
        if o.keeps(budget) { "yes" } else { "NO" }.to_owned(),
    ]
}

/// Tables for people.
pub fn text(measured: &[Measured], args: &BacktestArgs, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let headers = [
        "trace",
        "policy",
        "knob",
        "N",
        "cost/opt",
        "cost/opt-15",
        "soft %",
        "hard %",
        "unserved %",
        "p99.9 d/c",
        "longest min",
        "starts/day",
        "turns/day",
        "min. billing %",
        "kept",
    ];
    let mut rows = table(&headers, 2);
    for m in measured {
        for row in &m.rows {
            rows.add_row(cells(m, row, args.budget));
        }
    }
    writeln!(out, "{rows}\n")?;
    let headers =
        ["policy", "N", "kept both", "kept soft", "of", "geo-mean", "raw", "worst soft %", "worst hard %"];
    let mut totals = table(&headers, 1);
    let all = self::totals(measured, args.budget);
    for Total { units, name, merit: m, .. } in &all {
        totals.add_row(vec![
            name.clone(),
            units.to_string(),
            m.kept.to_string(),
            m.soft_kept.to_string(),
            m.loads.to_string(),
            format!("{:.3}", m.judged),
            format!("{:.3}", m.raw),
            format!("{:.4}", 100.0 * m.soft_worst),
            format!("{:.4}", 100.0 * m.hard_worst),
        ]);
    }
    writeln!(out, "{totals}")?;
    writeln!(
        out,
        "\ngeo-mean: cost over the offline optimum; a trace that misses a gate counts as the static peak. raw: cost alone.\n\
         (!): more than a fifth of the cost is minimum billing."
    )?;
    for (units, rival, c) in compared(measured, &all, args.budget) {
        writeln!(
            out,
            "N = {units}: {OWN} costs {:.3} of {rival}, the best baseline with a knob from the past (90 % of the draws: \
             {:.3} to {:.3}); by cost alone {:.3} ({:.3} to {:.3})",
            c.judged.middle, c.judged.low, c.judged.high, c.raw.middle, c.raw.low, c.raw.high
        )?;
    }
    Ok(())
}

/// One JSON document, `format` first.
pub fn json(
    measured: &[Measured],
    donor: Option<&TraceSource>,
    args: &BacktestArgs,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let traces: Vec<Value> = measured.iter().map(trace_json).collect();
    let all = totals(measured, args.budget);
    let totals: Vec<Value> = all
        .iter()
        .map(|Total { units, name, merit: m, .. }| {
            json!({ "policy": name, "units": units, "traces": m.loads, "kept": m.kept, "kept_soft": m.soft_kept,
                    "geometric_mean": m.judged, "geometric_mean_raw": m.raw,
                    "soft_worst": m.soft_worst, "hard_worst": m.hard_worst })
        })
        .collect();
    let interval = |i: &Interval| json!({ "p5": i.low, "p50": i.middle, "p95": i.high });
    let comparisons: Vec<Value> = compared(measured, &all, args.budget)
        .iter()
        .map(|(units, rival, c)| {
            json!({ "units": units, "policy": OWN, "against": rival, "cost_ratio": interval(&c.judged),
                    "cost_ratio_raw": interval(&c.raw) })
        })
        .collect();
    let document = json!({
        "format": "rgctl.backtest/v1", "program": record(args),
        "profile": args.profile.name, "budget": args.budget, "rho": args.rho, "scale_at": args.scale_at,
        "noise_from": donor.map(|d| json!({ "trace": d.name, "sha256": d.sha256 })),
        "traces": traces, "totals": totals, "comparisons": comparisons,
    });
    writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    Ok(())
}

fn trace_json(m: &Measured) -> Value {
    let policies: Vec<Value> = m
        .rows
        .iter()
        .map(|row| {
            let o = &row.outcome;
            json!({ "policy": row.policy, "knob": row.knob.words(), "value": row.value, "cost": o.cost,
                    "ratio": o.cost / m.optima.free, "ratio_15": o.cost / m.optima.quarter,
                    "ratio_60": o.cost / m.optima.hour, "soft": o.soft, "hard": o.hard, "minutes": o.minutes,
                    "soft_share": o.soft_share(), "hard_share": o.hard_share(), "unserved_share": o.unserved,
                    "longest_run_minutes": o.longest_run, "utilisation_p999": o.utilisation_p999,
                    "starts_per_day": o.starts_per_day, "turns_per_day": o.turns_per_day,
                    "minimum_billing_share": o.idle_share,
                    "minimum_billing_flagged": o.idle_share > IDLE_SHARE_FLAGGED })
        })
        .collect();
    json!({ "trace": m.load.name, "sha256": m.sha256, "units": m.units, "minutes": m.load.demand.len(), "scored_from": m.load.scored_from,
            "optimum": m.optima.free, "optimum_15": m.optima.quarter, "optimum_60": m.optima.hour,
            "optimum_violations": m.optima.violations, "static_peak": m.optima.fixed, "policies": policies })
}

/// What the report and the pictures show of each trace.
fn views<'a>(measured: &'a [Measured], args: &BacktestArgs) -> Vec<TraceView<'a>> {
    let view = |m: &'a Measured| {
        let row = m.rows.get(drawn(&m.rows)?)?;
        let demand = &m.load.demand[m.load.scored_from..];
        let rows = m.rows.iter().map(|r| (row_name(r), r)).collect();
        Some(TraceView {
            name: &m.load.name,
            units: m.units,
            demand,
            row,
            rows,
            optima: &m.optima,
            rho: args.rho,
        })
    };
    measured.iter().filter_map(view).collect()
}

/// The offline report.
pub fn html(measured: &[Measured], args: &BacktestArgs, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let all = totals(measured, args.budget);
    let lines: Vec<(u32, String, FigureOfMerit)> =
        all.iter().map(|t| (t.units, t.name.clone(), t.merit)).collect();
    let compared: Vec<String> = compared(measured, &all, args.budget)
        .iter()
        .map(|(units, rival, c)| {
            format!(
                "At N = {units} {OWN} costs {:.3} of {rival}, the best baseline with a knob from the past; 90 % of the \
                 draws of days lie between {:.3} and {:.3}.",
                c.judged.middle, c.judged.low, c.judged.high
            )
        })
        .collect();
    let page = Page {
        profile: args.profile.name,
        budget: args.budget,
        rho: args.rho,
        totals: &lines,
        compared: &compared,
        record: &record(args),
        traces: &views(measured, args),
    };
    out.write_all(render(&page)?.as_bytes())?;
    Ok(())
}

/// An older picture is replaced; one that somebody else drew is not.
const CHARTS: Replaces = Replaces::Ours { mark: chart::MARK, otherwise: "no picture of a backtest" };

/// A picture of each trace.
pub fn charts(folder: &Path, measured: &[Measured], args: &BacktestArgs) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for view in views(measured, args) {
        let size = if args.units.len() > 1 { format!("_n{}", view.units) } else { String::new() };
        let to = folder.join(format!("{}{size}.svg", view.name));
        outputs::write_text(&to, &chart::svg(&view), CHARTS).map_err(|error| told(&error))?;
    }
    Ok(())
}

/// The result of the buying task.
pub fn commitments(
    bought: &[Bought],
    args: &BacktestArgs,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let cost = |b: &Bought, buyer| b.bills.iter().find(|b| b.buyer == buyer).map_or(f64::NAN, |b| b.cost);
    if args.output == ScaleFormat::Json {
        let series: Vec<Value> = bought
            .iter()
            .map(|b| {
                let best = cost(b, Buyer::Clairvoyant);
                let bills: Vec<Value> = b
                    .bills
                    .iter()
                    .map(|b| {
                        json!({ "buyer": b.buyer.words(), "cost": b.cost, "committed": b.committed,
                                "ratio": b.cost / best })
                    })
                    .collect();
                let losses: Vec<Value> = b
                    .pinball
                    .iter()
                    .map(|p| {
                        json!({ "horizon_days": p.horizon, "quantile": p.quantile, "loss": p.loss,
                                "loss_of_last_value": p.naive })
                    })
                    .collect();
                json!({ "series": b.source.name, "sha256": b.source.sha256, "days": b.days, "bills": bills,
                        "pinball": losses })
            })
            .collect();
        let document = json!({ "format": "rgctl.commitments/v2", "program": record(args),
                               "discount": args.discount, "series": series });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    let mut headers = vec!["series", "days"];
    headers.extend(Buyer::ALL.iter().filter(|b| **b != Buyer::Clairvoyant).map(|b| b.words()));
    headers.push("rgctl against nothing");
    let mut rows = table(&headers, 1);
    let percent = |ratio: f64| format!("{:+.1} %", 100.0 * (ratio - 1.0));
    for b in bought {
        let best = cost(b, Buyer::Clairvoyant);
        let mut row = vec![b.source.name.clone(), b.days.to_string()];
        let buyers = Buyer::ALL.iter().filter(|b| **b != Buyer::Clairvoyant);
        row.extend(buyers.map(|buyer| percent(cost(b, *buyer) / best)));
        row.push(percent(cost(b, Buyer::Own) / cost(b, Buyer::Nobody)));
        rows.add_row(row);
    }
    writeln!(
        out,
        "{rows}\n\ncost above that of a clairvoyant, who knows all days, at a discount of {:.0} %\n",
        100.0 * args.discount
    )?;
    let mut headers = vec!["pinball loss, % of the mean".to_owned()];
    if let Some(first) = bought.first() {
        headers.extend(first.pinball.iter().map(|p| format!("{} d p{:.0}", p.horizon, 100.0 * p.quantile)));
    }
    let mut losses = table(&headers.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    for b in bought {
        let mut row = vec![b.source.name.clone()];
        row.extend(b.pinball.iter().map(|p| format!("{:.1} ({:.1})", 100.0 * p.loss, 100.0 * p.naive)));
        losses.add_row(row);
    }
    writeln!(out, "{losses}\n\nin brackets the loss of the last value as the forecast")?;
    Ok(())
}

/// A bar over so many pieces of work, where somebody watches.
pub fn progress(jobs: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}, {elapsed} gone, {eta} left");
    let bar = ProgressBar::new(jobs);
    style.map_or(bar.clone(), |s| bar.with_style(s))
}

/// An error of writing with its cause.
pub fn told(error: &OutputError) -> String {
    let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{error}{cause}")
}
