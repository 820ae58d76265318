//! The backtest report: one HTML file without any reference to the outside.

use serde_json::{Value, json};
use tera::{Context, Tera};
use thiserror::Error;

use super::chart;
use rgctl_scaling::backtest::{BacktestRow, FigureOfMerit, Optima};

/// Why a report could not be rendered.
#[derive(Debug, Error)]
#[error("the report template cannot be rendered")]
pub struct ReportError(#[from] tera::Error);

/// One trace in the report.
pub struct TraceView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Largest capacity.
    pub units: u32,
    /// Demand over the scored part.
    pub demand: &'a [f64],
    /// The policy that is drawn.
    pub row: &'a BacktestRow,
    /// All policies with their names.
    pub rows: Vec<(String, &'a BacktestRow)>,
    /// The optima.
    pub optima: &'a Optima,
    /// Utilisation above which a minute is missed.
    pub rho: f64,
}

impl TraceView<'_> {
    /// The name, fit for an attribute.
    pub fn escaped_name(&self) -> String {
        tera::escape_html(self.name)
    }

    fn value(&self, budget: f64) -> Value {
        let o = &self.row.outcome;
        let widest = self.rows.iter().map(|(_, r)| self.ratio(r)).fold(1.0, f64::max);
        let line = |(name, row): &(String, &BacktestRow)| {
            let o = &row.outcome;
            json!({
                "name": name, "ratio": format!("{:.3}", self.ratio(row)),
                "bar": format!("{:.1}", 100.0 * self.ratio(row) / widest),
                "optimum": format!("{:.1}", 100.0 / widest),
                "soft": format!("{:.3}", 100.0 * o.soft_share()), "hard": format!("{:.3}", 100.0 * o.hard_share()),
                "unserved": format!("{:.4}", 100.0 * o.unserved), "longest": o.longest_run,
                "starts": format!("{:.1}", o.starts_per_day), "kept": o.keeps(budget),
            })
        };
        json!({
            "name": self.name, "units": self.units, "policy": self.row.policy,
            "days": format!("{:.1}", o.minutes as f64 / 1440.0),
            "ratio": format!("{:.3}", o.cost / self.optima.free),
            "ratio_15": format!("{:.3}", o.cost / self.optima.quarter),
            "ratio_60": format!("{:.3}", o.cost / self.optima.hour),
            "static": format!("{:.3}", self.optima.fixed / self.optima.free),
            "soft": format!("{:.4}", 100.0 * o.soft_share()), "hard": format!("{:.4}", 100.0 * o.hard_share()),
            "soft_minutes": o.soft, "hard_minutes": o.hard, "longest": o.longest_run, "kept": o.keeps(budget),
            "chart": chart::svg(self), "worst": chart::worst(self),
            "lines": self.rows.iter().map(line).collect::<Vec<_>>(),
        })
    }

    fn ratio(&self, row: &BacktestRow) -> f64 {
        row.outcome.cost / self.optima.free
    }
}

/// The whole report.
pub struct Page<'a> {
    /// The axis profile.
    pub profile: &'a str,
    /// Share of minutes that may be missed.
    pub budget: f64,
    /// Utilisation above which a minute is missed.
    pub rho: f64,
    /// The own policy against its best rival, in sentences.
    pub compared: &'a [String],
    /// What the figures rest on.
    pub record: &'a Value,
    /// The figure of merit of each policy at each size.
    pub totals: &'a [(u32, String, FigureOfMerit)],
    /// The traces.
    pub traces: &'a [TraceView<'a>],
}

/// Renders the report.
pub fn render(page: &Page<'_>) -> Result<String, ReportError> {
    let mut tera = Tera::default();
    tera.add_raw_template("backtest.html", include_str!("../../templates/backtest.html"))?;
    let totals: Vec<Value> = page
        .totals
        .iter()
        .map(|(units, name, m)| {
            json!({ "policy": name, "units": units, "kept": m.kept, "loads": m.loads, "all": m.kept == m.loads,
                    "judged": format!("{:.3}", m.judged), "raw": format!("{:.3}", m.raw),
                    "soft": format!("{:.4}", 100.0 * m.soft_worst), "hard": format!("{:.4}", 100.0 * m.hard_worst) })
        })
        .collect();
    let mut context = Context::new();
    context.insert("profile", page.profile);
    context.insert("budget", &format!("{:.2}", 100.0 * page.budget));
    context.insert("rho", &format!("{:.0}", 100.0 * page.rho));
    context.insert("totals", &totals);
    context.insert("compared", page.compared);
    context.insert("record", page.record);
    context.insert("traces", &page.traces.iter().map(|t| t.value(page.budget)).collect::<Vec<_>>());
    Ok(tera.render("backtest.html", &context)?)
}
