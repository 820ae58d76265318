//! `rgctl scale backtest --task robustness`: how much the result hangs on the constants, and on the series.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::scale_args::{BacktestArgs, ScaleFormat};
use super::scale_inputs::load_of;
use super::scale_output::{progress, table};
use rgctl_scaling::augment::{Augmented, Made, NamedSeries, augment};
use rgctl_scaling::constants::Constants;
use rgctl_scaling::evaluate::Terms;
use rgctl_scaling::replay::{Recording, can_be_replayed};
use rgctl_scaling::robustness::{
    Cell, Cells, configurations, fragility, keep_all_sizes, leave_one_out, mean,
};
use rgctl_scaling::rules::Library;

/// Everything found at one size.
struct Size {
    units: u32,
    /// For each configuration one cell for each trace; the first configuration is the frozen one.
    cells: Cells,
    /// One cell for each made series, in their order.
    made: Vec<Cell>,
}

/// Runs the task. The exit code is 0 when everything was measured.
pub fn run(args: &BacktestArgs, sources: &[NamedSeries], out: &mut dyn Write) -> Result<u8, Box<dyn Error>> {
    if args.output == ScaleFormat::Html {
        return Err("--task robustness is shown as `text` or `json`".into());
    }
    let terms = |units| Terms { axis: args.profile, units, rho: args.rho, budget: args.budget };
    if !can_be_replayed(&terms(1)) {
        return Err(format!(
            "--task robustness replays axes whose target follows from the demand alone: reader and acu, not {}",
            args.profile.name
        )
        .into());
    }
    let made = augment(sources, args.variants as usize, args.seed);
    let library = Arc::new(Library::full());
    let configurations = configurations(args.draws as usize, args.spread, args.seed);
    let bar = progress((args.units.len() * (sources.len() * 2 + made.len())) as u64);
    let mut sizes = Vec::new();
    for units in &args.units {
        let record = |name: &str, minutes: &_| -> Result<Recording, String> {
            let load = load_of(name, minutes, *units, args).map_err(|e| e.to_string())?;
            let recording = Recording::of(load, terms(*units), &library);
            bar.inc(1);
            Ok(recording)
        };
        // Trace by trace, so that of the recordings only those at work are in memory.
        let columns: Vec<Vec<Cell>> = sources
            .par_iter()
            .with_max_len(1)
            .map(|source| {
                let recording = record(&source.name, &source.minutes)?;
                let column = configurations.par_iter().map(|c| Cell::of(&recording, *c)).collect();
                bar.inc(1);
                Ok(column)
            })
            .collect::<Result<_, String>>()?;
        let cells = (0..configurations.len()).map(|k| columns.iter().map(|c| c[k]).collect()).collect();
        let judge = |m: &Augmented| {
            record(&m.name, &m.minutes).map(|recording| Cell::of(&recording, Constants::FROZEN))
        };
        let made = made.par_iter().with_max_len(1).map(judge).collect::<Result<_, String>>()?;
        sizes.push(Size { units: *units, cells, made });
    }
    bar.finish_and_clear();
    match args.output {
        ScaleFormat::Json => as_json(args, sources, &made, &sizes, out)?,
        _ => as_text(args, sources, &made, &sizes, out)?,
    }
    Ok(0)
}

/// Kept, of how many, mean with misses counted, mean of the cost alone.
fn summary(cells: &[Cell]) -> (usize, usize, f64, f64) {
    let kept = cells.iter().filter(|c| c.kept).count();
    let alone: Vec<Cell> = cells.iter().map(|c| Cell { kept: true, ..*c }).collect();
    (kept, cells.len(), mean(cells), mean(&alone))
}

/// The frozen configuration on the series of each way, the configuration chosen without the series, all in rows.
fn groups(made: &[Augmented], size: &Size) -> Vec<(&'static str, Vec<Cell>)> {
    let frozen = size.cells.first().cloned().unwrap_or_default();
    let mut groups = vec![("measured", frozen), ("chosen without it", leave_one_out(&size.cells))];
    for way in Made::WAYS {
        let of_way = made.iter().zip(&size.made).filter(|(m, _)| m.made == way);
        groups.push((way.words(), of_way.map(|(_, cell)| *cell).collect()));
    }
    groups.push(("all that were made", size.made.clone()));
    groups.retain(|(_, cells)| !cells.is_empty());
    groups
}

fn as_text(
    args: &BacktestArgs,
    sources: &[NamedSeries],
    made: &[Augmented],
    sizes: &[Size],
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let headers = ["N", "series", "kept", "of", "share %", "geo-mean", "raw"];
    let mut rows = table(&headers, 2);
    for size in sizes {
        for (name, cells) in groups(made, size) {
            let (kept, of, judged, raw) = summary(&cells);
            let share = format!("{:.1}", 100.0 * kept as f64 / of as f64);
            let [judged, raw] = [judged, raw].map(|m| format!("{m:.3}"));
            rows.add_row([
                size.units.to_string(),
                name.into(),
                kept.to_string(),
                of.to_string(),
                share,
                judged,
                raw,
            ]);
        }
    }
    writeln!(out, "{rows}\n")?;
    let percent = 100.0 * args.spread;
    writeln!(
        out,
        "Every constant moved at random by up to {percent:.0} %, {} times (seed {}):",
        args.draws, args.seed
    )?;
    let headers =
        ["N", "keep all", "all but one", "least", "10 %", "50 %", "90 %", "most", "missed most often"];
    let mut rows = table(&headers, 1);
    for size in sizes {
        let f = fragility(&size.cells);
        let share = |count: usize| format!("{:.0} %", 100.0 * count as f64 / f.draws.max(1) as f64);
        let mut row = vec![size.units.to_string(), share(f.keep_all), share(f.keep_all_but_one)];
        row.extend(f.means.map(|m| format!("{m:.3}")));
        let often = f.missed.iter().take(4).map(|(i, n)| format!("{} {n}", sources[*i].name));
        row.push(often.collect::<Vec<_>>().join(", "));
        rows.add_row(row);
    }
    writeln!(out, "{rows}")?;
    let cells: Vec<Cells> = sizes.iter().map(|s| s.cells.clone()).collect();
    if sizes.len() > 1 {
        writeln!(
            out,
            "All sizes at once: {:.0} %",
            100.0 * keep_all_sizes(&cells) as f64 / f64::from(args.draws)
        )?;
    }
    writeln!(out, "\nMissed by the frozen configuration:")?;
    for size in sizes {
        for (name, cell) in named(sources, made, size).filter(|(_, cell)| !cell.kept) {
            let (soft, hard) = (100.0 * cell.soft, 100.0 * cell.hard);
            writeln!(out, "  N = {}: {name}: soft {soft:.3} %, hard {hard:.3} %", size.units)?;
        }
    }
    Ok(())
}

/// The frozen configuration's cells with the names of their series.
fn named<'a>(
    sources: &'a [NamedSeries],
    made: &'a [Augmented],
    size: &'a Size,
) -> impl Iterator<Item = (&'a str, &'a Cell)> {
    let measured = size.cells.first().into_iter().flatten();
    let names = sources.iter().map(|s| s.name.as_str());
    names.zip(measured).chain(made.iter().map(|m| m.name.as_str()).zip(&size.made))
}

fn as_json(
    args: &BacktestArgs,
    sources: &[NamedSeries],
    made: &[Augmented],
    sizes: &[Size],
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let of_size = |size: &Size| {
        let groups: Vec<Value> = groups(made, size)
            .iter()
            .map(|(name, cells)| {
                let (kept, of, judged, raw) = summary(cells);
                json!({ "series": name, "kept": kept, "of": of, "geometric_mean": judged, "geometric_mean_raw": raw })
            })
            .collect();
        let f = fragility(&size.cells);
        let missed: Vec<Value> =
            f.missed.iter().map(|(i, n)| json!({ "trace": sources[*i].name, "draws": n })).collect();
        let series: Vec<Value> = named(sources, made, size)
            .map(|(name, c)| {
                json!({ "series": name, "ratio": c.ratio, "static_peak": c.fixed, "soft_share": c.soft,
                        "hard_share": c.hard, "kept": c.kept })
            })
            .collect();
        json!({ "units": size.units, "groups": groups,
                "fragility": { "draws": f.draws, "keep_all": f.keep_all, "keep_all_but_one": f.keep_all_but_one,
                               "geometric_mean_percentiles_0_10_50_90_100": f.means, "missed": missed },
                "series": series })
    };
    let cells: Vec<Cells> = sizes.iter().map(|s| s.cells.clone()).collect();
    let document = json!({
        "format": "rgctl.robustness/v1", "profile": args.profile.name, "budget": args.budget, "rho": args.rho,
        "spread": args.spread, "seed": args.seed, "variants": args.variants,
        "sizes": sizes.iter().map(of_size).collect::<Vec<_>>(), "keep_all_sizes": keep_all_sizes(&cells),
    });
    writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    Ok(())
}
