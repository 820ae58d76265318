//! A chart of one backtest as inline SVG: demand, capacity, forecast band, missed minutes.

use std::fmt::Write as _;

use super::html::TraceView;

const WIDTH: usize = 1100;
const HEIGHT: f64 = 260.0;
/// A trace has up to two hundred thousand minutes; more columns than pixels say nothing.
const COLUMNS: usize = 550;

/// The least and largest of a bucket of minutes, and whether one of them was missed.
struct Column {
    demand: (f64, f64),
    serving: (f64, f64),
    band: Option<(f64, f64)>,
    missed: bool,
}

fn columns(view: &TraceView<'_>) -> Vec<Column> {
    let minutes = view.demand.len().min(view.row.outcome.path.len());
    let size = minutes.div_ceil(COLUMNS).max(1);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)))
    };
    let bucket = |start: usize| {
        let end = (start + size).min(minutes);
        let path = &view.row.outcome.path[start..end];
        let demand = &view.demand[start..end];
        let bands = view.row.bands.get(start..end).unwrap_or_default();
        let low = bands.iter().map(|b| b.low).fold(f64::INFINITY, f64::min);
        let high = bands.iter().map(|b| b.high).fold(0.0, f64::max);
        Column {
            demand: range(&mut demand.iter().copied()),
            serving: range(&mut path.iter().map(|s| s.serving)),
            band: (!bands.is_empty()).then_some((low, high)),
            missed: demand.iter().zip(path).any(|(d, s)| *d > view.rho * s.serving + 1e-9),
        }
    };
    (0..minutes).step_by(size).map(bucket).collect()
}

/// The chart.
pub fn svg(view: &TraceView<'_>) -> String {
    let columns = columns(view);
    let top = f64::from(view.units) * 1.05;
    let step = WIDTH as f64 / columns.len().max(1) as f64;
    let y = |value: f64| HEIGHT - (value / top).min(1.0) * HEIGHT;
    // The area between two edges: along the upper one and back along the lower.
    let area = |edges: &dyn Fn(&Column) -> Option<(f64, f64)>| {
        let points: Vec<(f64, f64, f64)> = columns
            .iter()
            .enumerate()
            .filter_map(|(i, c)| edges(c).map(|(low, high)| ((i as f64 + 0.5) * step, low, high)))
            .collect();
        let mut path = String::new();
        for (x, _, high) in &points {
            let _ = write!(path, "{}{x:.1},{:.1}", if path.is_empty() { "M" } else { "L" }, y(*high));
        }
        for (x, low, _) in points.iter().rev() {
            let _ = write!(path, "L{x:.1},{:.1}", y(*low));
        }
        path
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"demand and capacity of {}\">",
        view.escaped_name()
    );
    let _ = write!(out, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fbfbfc\"/>");
    for share in [0.25, 0.5, 0.75, 1.0] {
        let at = y(share * f64::from(view.units));
        let _ =
            write!(out, "<line x1=\"0\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e3e5ea\"/>");
        let label = share * f64::from(view.units);
        let _ = write!(
            out,
            "<text x=\"3\" y=\"{:.1}\" font-size=\"10\" fill=\"#889\">{label:.0}</text>",
            at - 2.0
        );
    }
    let _ = write!(out, "<path d=\"{}\" fill=\"#cfe3f7\"/>", area(&|c| c.band));
    let _ = write!(
        out,
        "<path d=\"{}\" fill=\"#2f6fb3\" stroke=\"#2f6fb3\" stroke-width=\"0.8\"/>",
        area(&|c| Some(c.demand))
    );
    let _ = write!(
        out,
        "<path d=\"{}\" fill=\"#e08a2b\" fill-opacity=\"0.35\" stroke=\"#e08a2b\" stroke-width=\"0.9\"/>",
        area(&|c| Some(c.serving))
    );
    for (i, _) in columns.iter().enumerate().filter(|(_, c)| c.missed) {
        let x = i as f64 * step;
        let _ = write!(
            out,
            "<rect x=\"{x:.1}\" y=\"0\" width=\"{:.1}\" height=\"8\" fill=\"#c62f2f\"/>",
            step.max(2.0)
        );
    }
    out.push_str("</svg>");
    out
}
