//! What `rgctl scale backtest` says: tables, one JSON document, or the offline report.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::scale::{BacktestArgs, Measured, Output};
use crate::report::html::{Page, TraceView, render};
use crate::scaling::backtest::{Knob, Merit, OWN, Row, merit};
use crate::scaling::commitments::{Bill, Buyer};

/// What was bought on one series: name, scored days, the bills, pinball losses.
pub type Bought = (String, usize, Vec<Bill>, Vec<(usize, f64, f64)>);

/// A row's name in tables and paths.
pub fn row_name(row: &Row) -> String {
    match (row.knob, row.value) {
        (Knob::Hindsight | Knob::Past, _) => format!("{}-{}", row.policy, row.knob.words()),
        (Knob::Given, Some(value)) => format!("{}-{value}", row.policy),
        _ => row.policy.clone(),
    }
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

/// The merits of all rows: by size, then in the order of the policies.
fn merits(measured: &[Measured], budget: f64) -> Vec<(u32, String, Merit)> {
    // By size and place of the policy: its name, and where its outcomes lie.
    type Places = (String, Vec<(usize, usize)>);
    let mut groups: BTreeMap<(u32, usize), Places> = BTreeMap::new();
    for (index, m) in measured.iter().enumerate() {
        for (place, row) in m.rows.iter().enumerate() {
            groups
                .entry((m.units, place))
                .or_insert_with(|| (row_name(row), Vec::new()))
                .1
                .push((index, place));
        }
    }
    let of = |places: &[(usize, usize)]| {
        merit(places.iter().map(|(i, p)| (&measured[*i].rows[*p].outcome, &measured[*i].optima)), budget)
    };
    groups.into_iter().map(|((units, _), (name, places))| (units, name, of(&places))).collect()
}

/// Tables for people.
pub fn text(measured: &[Measured], budget: f64, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let headers = [
        "trace",
        "policy",
        "knob",
        "N",
        "cost/opt",
        "cost/opt-15",
        "soft %",
        "hard %",
        "longest min",
        "starts/day",
        "kept",
    ];
    let mut rows = table(&headers, 2);
    for m in measured {
        for row in &m.rows {
            let o = &row.outcome;
            let flag = if o.idle_share > 0.2 { " (minimum billing)" } else { "" };
            rows.add_row(vec![
                m.load.name.clone(),
                row_name(row),
                row.value.map_or_else(|| "-".to_owned(), |v| v.to_string()),
                m.units.to_string(),
                format!("{:.3}", o.cost / m.optima.free),
                format!("{:.3}", o.cost / m.optima.quarter),
                format!("{:.4}", 100.0 * o.soft_share()),
                format!("{:.4}", 100.0 * o.hard_share()),
                o.longest_run.to_string(),
                format!("{:.1}{flag}", o.starts_per_day),
                if o.keeps(budget) { "yes" } else { "NO" }.to_owned(),
            ]);
        }
    }
    writeln!(out, "{rows}\n")?;
    let headers =
        ["policy", "N", "kept both", "kept soft", "of", "geo-mean", "raw", "worst soft %", "worst hard %"];
    let mut totals = table(&headers, 1);
    for (units, name, m) in merits(measured, budget) {
        totals.add_row(vec![
            name,
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
        "\ngeo-mean: cost over the offline optimum; a trace that misses a gate counts as the static peak. raw: cost alone."
    )?;
    Ok(())
}

/// One JSON document, `format` first.
pub fn json(measured: &[Measured], args: &BacktestArgs, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let traces: Vec<Value> = measured.iter().map(trace_json).collect();
    let totals: Vec<Value> = merits(measured, args.budget)
        .into_iter()
        .map(|(units, name, m)| {
            json!({ "policy": name, "units": units, "traces": m.loads, "kept": m.kept, "kept_soft": m.soft_kept,
                    "geometric_mean": m.judged, "geometric_mean_raw": m.raw,
                    "soft_worst": m.soft_worst, "hard_worst": m.hard_worst })
        })
        .collect();
    let document = json!({
        "format": "rgctl.backtest/v1", "profile": args.profile.name, "budget": args.budget, "rho": args.rho,
        "traces": traces, "totals": totals,
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
                    "minimum_billing_share": o.idle_share })
        })
        .collect();
    json!({ "trace": m.load.name, "units": m.units, "minutes": m.load.demand.len(), "scored_from": m.load.scored_from,
            "optimum": m.optima.free, "optimum_15": m.optima.quarter, "optimum_60": m.optima.hour,
            "optimum_violations": m.optima.violations, "static_peak": m.optima.fixed, "policies": policies })
}

/// The offline report.
pub fn html(measured: &[Measured], args: &BacktestArgs, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let views = measured.iter().filter_map(|m| {
        let row = m.rows.iter().find(|r| r.policy == OWN).or(m.rows.first())?;
        let scored = &m.load.demand[m.load.scored_from..];
        Some(TraceView {
            name: &m.load.name,
            units: m.units,
            demand: scored,
            row,
            optima: &m.optima,
            rho: args.rho,
        })
    });
    let page = Page {
        profile: args.profile.name,
        budget: args.budget,
        totals: &merits(measured, args.budget),
        traces: &views.collect::<Vec<_>>(),
    };
    out.write_all(render(&page)?.as_bytes())?;
    Ok(())
}

/// The result of the buying task.
pub fn commitments(
    bought: &[Bought],
    args: &BacktestArgs,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let cost = |bills: &[Bill], buyer| bills.iter().find(|b| b.buyer == buyer).map_or(f64::NAN, |b| b.cost);
    if args.output == Output::Json {
        let series: Vec<Value> = bought
            .iter()
            .map(|(name, days, bills, pinball)| {
                let bills: Vec<Value> = bills
                    .iter()
                    .map(|b| json!({ "buyer": b.buyer.words(), "cost": b.cost, "committed": b.committed }))
                    .collect();
                let losses: Vec<Value> = pinball
                    .iter()
                    .map(|(days, share, loss)| json!({ "horizon_days": days, "quantile": share, "loss": loss }))
                    .collect();
                json!({ "series": name, "days": days, "bills": bills, "pinball": losses })
            })
            .collect();
        let document =
            json!({ "format": "rgctl.commitments/v1", "discount": args.discount, "series": series });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    let mut headers = vec!["series", "days"];
    headers.extend(Buyer::ALL.iter().map(|b| b.words()));
    headers.extend(["against clairvoyant", "against nothing"]);
    let mut rows = table(&headers, 1);
    for (name, days, bills, _) in bought {
        let (own, best) = (cost(bills, Buyer::Own), cost(bills, Buyer::Clairvoyant));
        let nothing = cost(bills, Buyer::Nobody);
        let mut row = vec![name.clone(), days.to_string()];
        // What nothing would cost is 1.
        row.extend(Buyer::ALL.iter().map(|b| format!("{:.3}", cost(bills, *b) / nothing)));
        row.push(format!("{:+.1} %", 100.0 * (own / best - 1.0)));
        row.push(format!("{:+.1} %", 100.0 * (own / nothing - 1.0)));
        rows.add_row(row);
    }
    writeln!(
        out,
        "{rows}\n\ncost as a share of what no commitment costs, at a discount of {:.0} %",
        100.0 * args.discount
    )?;
    Ok(())
}
