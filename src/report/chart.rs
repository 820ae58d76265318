//! Charts of a backtest as inline SVG: demand, capacity, forecast band, missed minutes.

use std::fmt::Write as _;

use super::html::TraceView;

const WIDTH: f64 = 1100.0;
const HEIGHT: f64 = 300.0;
/// Room for the scale on the left, the days below and the key above.
const LEFT: f64 = 44.0;
const BELOW: f64 = 22.0;
const ABOVE: f64 = 24.0;
/// A trace has up to two hundred thousand minutes; more columns than pixels say nothing.
const COLUMNS: usize = 528;
const DAY: usize = 1440;
/// Days below which single hours are marked.
const SHORT_DAYS: usize = 3;

const DEMAND: &str = "#1f5fa8";
const CAPACITY: &str = "#d9822b";
const BAND: &str = "#bcd7f2";
const MISSED: &str = "#c62f2f";
const GRID: &str = "#e3e5ea";
const INK: &str = "#667";

/// What tells a picture of ours from others, near its beginning.
pub const MARK: &str = "aria-label=\"demand and capacity of";

/// The least and largest of a bucket of minutes, and whether one of them was missed.
struct Column {
    demand: (f64, f64),
    serving: (f64, f64),
    band: Option<(f64, f64)>,
    missed: bool,
}

/// The minutes that a chart shows.
#[derive(Clone, Copy)]
struct Frame {
    from: usize,
    until: usize,
    top: f64,
}

impl Frame {
    fn x(self, minute: f64) -> f64 {
        LEFT + (minute - self.from as f64) / (self.until - self.from).max(1) as f64 * (WIDTH - LEFT)
    }
    fn y(self, value: f64) -> f64 {
        let high = HEIGHT - ABOVE - BELOW;
        ABOVE + high - (value / self.top).clamp(0.0, 1.0) * high
    }
}

/// The whole scored part.
pub fn svg(view: &TraceView<'_>) -> String {
    draw(view, 0, minutes(view))
}

/// Twelve hours around the worst that happened: the minute at which demand exceeded what was covered most.
pub fn worst(view: &TraceView<'_>) -> Option<String> {
    let minutes = minutes(view);
    let lack = |t: usize| view.demand[t] - view.rho * view.row.outcome.path[t].serving;
    let middle = (0..minutes).max_by(|a, b| lack(*a).total_cmp(&lack(*b)))?;
    let from = middle.saturating_sub(DAY / 4);
    Some(draw(view, from, (from + DAY / 2).min(minutes)))
}

fn minutes(view: &TraceView<'_>) -> usize {
    view.demand.len().min(view.row.outcome.path.len())
}

fn columns(view: &TraceView<'_>, frame: Frame) -> (Vec<Column>, usize) {
    let size = (frame.until - frame.from).div_ceil(COLUMNS).max(1);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)))
    };
    let bucket = |start: usize| {
        let end = (start + size).min(frame.until);
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
    ((frame.from..frame.until).step_by(size).map(bucket).collect(), size)
}

fn draw(view: &TraceView<'_>, from: usize, until: usize) -> String {
    let frame = Frame { from, until, top: f64::from(view.units) * 1.02 };
    let (columns, size) = columns(view, frame);
    // The area between two edges as steps: along the upper one and back along the lower.
    let area = |edges: &dyn Fn(&Column) -> Option<(f64, f64)>| {
        let mut path = String::new();
        let mut back = String::new();
        for (i, column) in columns.iter().enumerate() {
            let Some((low, high)) = edges(column) else { continue };
            let left = frame.x((from + i * size) as f64);
            let right = frame.x((from + (i + 1) * size).min(until) as f64);
            let letter = if path.is_empty() { "M" } else { "L" };
            let _ = write!(path, "{letter}{left:.1},{:.1}H{right:.1}", frame.y(high));
            back.insert_str(0, &format!("L{right:.1},{0:.1}H{left:.1}", frame.y(low)));
        }
        path + &back + "Z"
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"11\" {MARK} {}\">\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>",
        view.escaped_name()
    );
    grid(&mut out, view, frame);
    let under = area(&|c| Some((0.0, c.serving.1)));
    let _ = write!(out, "<path d=\"{under}\" fill=\"{CAPACITY}\" fill-opacity=\"0.13\"/>");
    if columns.iter().any(|c| c.band.is_some()) {
        let _ = write!(out, "<path d=\"{}\" fill=\"{BAND}\" fill-opacity=\"0.8\"/>", area(&|c| c.band));
    }
    for (edges, colour, width) in
        [(area(&|c| Some(c.demand)), DEMAND, 0.8), (area(&|c| Some(c.serving)), CAPACITY, 1.1)]
    {
        let _ = write!(
            out,
            "<path d=\"{edges}\" fill=\"{colour}\" stroke=\"{colour}\" stroke-width=\"{width}\" \
             fill-opacity=\"0.75\"/>"
        );
    }
    for (i, _) in columns.iter().enumerate().filter(|(_, c)| c.missed) {
        let left = frame.x((from + i * size) as f64);
        let wide = (frame.x((from + (i + 1) * size) as f64) - left).max(2.0);
        let high = HEIGHT - BELOW - ABOVE;
        let _ = write!(
            out,
            "<rect x=\"{left:.1}\" y=\"{ABOVE}\" width=\"{wide:.1}\" height=\"{high}\" fill=\"{MISSED}\" \
             fill-opacity=\"0.16\"/><rect x=\"{left:.1}\" y=\"{ABOVE}\" width=\"{wide:.1}\" height=\"7\" \
             fill=\"{MISSED}\"/>"
        );
    }
    key(&mut out, view);
    out.push_str("</svg>");
    out
}

/// Lines and numbers: capacity to the left, days or hours of the scored part below.
fn grid(out: &mut String, view: &TraceView<'_>, frame: Frame) {
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let value = share * f64::from(view.units);
        let y = frame.y(value);
        let _ = write!(
            out,
            "<path d=\"M{LEFT},{y:.1}H{WIDTH}\" stroke=\"{GRID}\"/><text x=\"{:.1}\" y=\"{:.1}\" fill=\"{INK}\" \
             text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            (value * 100.0).round() / 100.0
        );
    }
    let days = (frame.until - frame.from).div_ceil(DAY);
    let (step, unit) = if days <= SHORT_DAYS { (120, "h") } else { (DAY * days.div_ceil(14), "d") };
    let first = frame.from.div_ceil(step) * step;
    for minute in (first..frame.until).step_by(step) {
        let x = frame.x(minute as f64);
        let number =
            if unit == "h" { format!("{}:00", minute / 60 % 24) } else { format!("day {}", minute / DAY) };
        let base = HEIGHT - BELOW;
        let _ = write!(
            out,
            "<path d=\"M{x:.1},{ABOVE}V{base}\" stroke=\"{GRID}\"/><text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{INK}\" \
             text-anchor=\"start\">{number}</text>",
            HEIGHT - 7.0
        );
    }
}

/// What the colours mean.
fn key(out: &mut String, view: &TraceView<'_>) {
    let mut entries = vec![(DEMAND, "demand"), (CAPACITY, "serving capacity"), (MISSED, "missed minutes")];
    if !view.row.bands.is_empty() {
        entries.insert(2, (BAND, "forecast of the next half hour, 5 to 95 %"));
    }
    let mut x = LEFT;
    for (colour, words) in entries {
        let _ = write!(
            out,
            "<rect x=\"{x:.1}\" y=\"6\" width=\"12\" height=\"9\" fill=\"{colour}\"/><text x=\"{:.1}\" y=\"14.5\" \
             fill=\"{INK}\">{words}</text>",
            x + 17.0
        );
        x += 40.0 + 6.2 * words.len() as f64;
    }
}
