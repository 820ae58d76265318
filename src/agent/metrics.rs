//! The numbers of an agent, in the text format that Prometheus reads.
//!
//! Goes in: counts, levels and times with their labels. Comes out: one text.
//!
//! **Invariant:** bounded: labels are few by construction, and a metric has no more than [`SERIES_MAX`] series. What is beyond is
//! counted, not kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Series of one metric at most. A blueprint's name is a label only below it.
pub const SERIES_MAX: usize = 1_000;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often a value was at most so large.
    Histogram,
}

macro_rules! metrics {
    ($($name:ident = $sort:ident, $text:literal, $help:literal;)+) => {
        /// Every number that is told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric {
            $(#[doc = $help] $name,)+
        }
        impl Metric {
            /// All of them, in the order in which they are told.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => concat!("rgctl_", $text)),+ }
            }
            /// What it tells.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help),+ }
            }
            /// What it is.
            pub const fn sort(self) -> Sort {
                match self { $(Self::$name => Sort::$sort),+ }
            }
        }
    };
}

metrics! {
    BuildInfo = Gauge, "build_info", "Always 1; the version is a label.";
    Blueprints = Gauge, "blueprints", "Blueprints by condition.";
    BlueprintHolds = Gauge, "blueprint_holds", "1 for a blueprint that is not as wanted, with its condition; only for agents of at most 1,000 blueprints.";
    CloudCalls = Counter, "cloud_calls_total", "Calls that change something, by account and region.";
    CloudLooks = Counter, "cloud_looks_total", "Looks that all blueprints share, by account and region.";
    CloudLooksFailed = Counter, "cloud_looks_failed_total", "Those of them that failed.";
    Throttled = Counter, "throttled_total", "Answers that asked for fewer calls, by account.";
    DeletionsHeld = Gauge, "deletions_held", "Destructive steps that wait for consent by name.";
    DriftObjects = Gauge, "drift_objects", "Objects that differ from their blueprint and on which no work goes on.";
    PlansPending = Gauge, "plans_pending", "Blueprints with steps that nobody carries out: the agent does not act, or may not.";
    FilesRefused = Gauge, "files_refused", "Files that cannot be used as they are now.";
    QueueDepth = Gauge, "queue_depth", "Blueprints whose turn is due.";
    TurnsInFlight = Gauge, "turns_in_flight", "Turns that run now.";
    QueueWait = Histogram, "queue_wait_seconds", "How long a turn was due before it began, in the cloud's time.";
    Reconcile = Histogram, "reconcile_seconds", "How long a turn took, in real time.";
    Effort = Histogram, "reconcile_work_seconds", "How long a turn was worked on, in real time: what it waited for is left out, such as a look, or an answer over the network.";
    Turns = Counter, "turns_total", "Turns, by what they came to.";
    Sweep = Gauge, "sweep_seconds", "How long the last look took that all blueprints share, in real time, by account and region.";
    SweepAge = Gauge, "sweep_age_seconds", "How long ago it was, in the cloud's time.";
    SweepObjects = Gauge, "sweep_objects", "How many objects it saw.";
    StoreErrors = Counter, "store_errors_total", "Failures of the store of the record.";
    ClockJumps = Counter, "clock_jumps_total", "How often the machine's time of day was set by more than a few seconds.";
    QueueOldest = Gauge, "queue_oldest_seconds", "For how long the turn that is due for longest is due, in the cloud's time.";
    CostPerHour = Gauge, "cost_per_hour", "What the blueprints cost as they are wanted, by region and currency, without what has no known price; of the operator only.";
    BlueprintCostPerHour = Gauge, "blueprint_cost_per_hour", "The same of each blueprint; only for operators of at most 1,000 of them.";
    Leader = Gauge, "leader", "1 where this replica works, 0 where it waits for its turn; of the operator only.";
    WatchAge = Gauge, "watch_age_seconds", "How long ago each watch of the API server was heard of; of the operator only.";
    KubeCalls = Counter, "kube_calls_total", "Calls to the API server by verb and code of the answer, 0 where there was none; of the operator only, without its Lease and its record.";
    SeriesLeftOut = Counter, "series_left_out_total", "Values that were not kept, since their metric has too many series.";
}

/// Upper ends of the steps of a histogram, in seconds.
const STEPS: [f64; 15] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0, 300.0, 1_800.0, 7_200.0];

#[derive(Clone, Debug, Default)]
struct Series {
    value: f64,
    steps: [u64; STEPS.len()],
    count: u64,
}

/// The numbers, shared by the loop and the listener.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<BTreeMap<Metric, BTreeMap<String, Series>>>);

/// Labels with their values.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

impl Metrics {
    /// With the version of the program.
    pub fn new(version: &str) -> Self {
        let metrics = Self::default();
        metrics.set(Metric::BuildInfo, &[("version", version)], 1.0);
        metrics
    }

    /// Counts.
    pub fn add(&self, metric: Metric, labels: Labels<'_>, by: u64) {
        self.change(metric, labels, |series| series.value += by as f64);
    }

    /// Sets a level.
    pub fn set(&self, metric: Metric, labels: Labels<'_>, to: f64) {
        self.change(metric, labels, |series| series.value = to);
    }

    /// Sets all levels of a metric at once; those that are not named are gone.
    pub fn set_all<'a, T: AsRef<str>>(
        &self,
        metric: Metric,
        levels: impl IntoIterator<Item = (Vec<(&'a str, T)>, f64)>,
    ) {
        self.locked().remove(&metric);
        for (labels, to) in levels {
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (*name, value.as_ref())).collect();
            self.set(metric, &labels, to);
        }
    }

    /// Notes how long something took.
    pub fn took(&self, metric: Metric, labels: Labels<'_>, time: Duration) {
        let seconds = time.as_secs_f64();
        self.change(metric, labels, |series| {
            series.value += seconds;
            series.count += 1;
            for (count, _) in series.steps.iter_mut().zip(STEPS).filter(|(_, end)| seconds <= *end) {
                *count += 1;
            }
        });
    }

    /// The text.
    pub fn text(&self) -> String {
        let all = self.locked();
        let mut text = String::new();
        for metric in Metric::ALL {
            let Some(series) = all.get(metric) else { continue };
            let (name, sort) = (metric.name(), metric.sort());
            let word = match sort {
                Sort::Counter => "counter",
                Sort::Gauge => "gauge",
                Sort::Histogram => "histogram",
            };
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {word}", metric.help());
            for (labels, series) in series {
                match sort {
                    Sort::Counter | Sort::Gauge => {
                        let _ = writeln!(text, "{name}{} {}", braced(labels), series.value);
                    }
                    Sort::Histogram => histogram(&mut text, name, labels, series),
                }
            }
        }
        text
    }

    fn change(&self, metric: Metric, labels: Labels<'_>, change: impl FnOnce(&mut Series)) {
        let mut all = self.locked();
        let series = all.entry(metric).or_default();
        let key = shown(labels);
        if series.len() >= SERIES_MAX && !series.contains_key(&key) {
            let left_out = all.entry(Metric::SeriesLeftOut).or_default();
            left_out.entry(format!("metric=\"{}\"", metric.name())).or_default().value += 1.0;
            return;
        }
        change(series.entry(key).or_default());
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Metric, BTreeMap<String, Series>>> {
        // A poisoned lock holds whole values.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn histogram(text: &mut String, name: &str, labels: &str, series: &Series) {
    let with = |more: &str| if labels.is_empty() { more.to_owned() } else { format!("{labels},{more}") };
    for (end, count) in STEPS.iter().zip(series.steps) {
        let _ = writeln!(text, "{name}_bucket{{{}}} {count}", with(&format!("le=\"{end}\"")));
    }
    let _ = writeln!(text, "{name}_bucket{{{}}} {}", with("le=\"+Inf\""), series.count);
    let _ = writeln!(text, "{name}_sum{} {}", braced(labels), series.value);
    let _ = writeln!(text, "{name}_count{} {}", braced(labels), series.count);
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

/// Labels as they stand in the text.
fn shown(labels: Labels<'_>) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{name}=\"{value}\"");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_the_format_that_prometheus_reads() {
        let metrics = Metrics::new("1.2.3");
        metrics.add(Metric::CloudCalls, &[("kind", "rds/cluster"), ("code", "ok")], 2);
        metrics.add(Metric::CloudCalls, &[("kind", "rds/cluster"), ("code", "ok")], 1);
        metrics.set(Metric::QueueDepth, &[], 7.0);
        metrics.took(Metric::Reconcile, &[("account", "a\"b")], Duration::from_millis(300));
        metrics.took(Metric::Reconcile, &[("account", "a\"b")], Duration::from_hours(3));
        let text = metrics.text();
        for line in [
            "# TYPE rgctl_cloud_calls_total counter",
            "rgctl_cloud_calls_total{kind=\"rds/cluster\",code=\"ok\"} 3",
            "# TYPE rgctl_queue_depth gauge\nrgctl_queue_depth 7\n",
            "rgctl_build_info{version=\"1.2.3\"} 1",
            "rgctl_reconcile_seconds_bucket{account=\"a\\\"b\",le=\"0.1\"} 0",
            "rgctl_reconcile_seconds_bucket{account=\"a\\\"b\",le=\"0.5\"} 1",
            "rgctl_reconcile_seconds_bucket{account=\"a\\\"b\",le=\"+Inf\"} 2",
            "rgctl_reconcile_seconds_sum{account=\"a\\\"b\"} 10800.3",
            "rgctl_reconcile_seconds_count{account=\"a\\\"b\"} 2",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_level_that_is_not_named_any_more_is_gone() {
        let metrics = Metrics::default();
        metrics.set_all(Metric::Blueprints, [(vec![("condition", "ready")], 2.0)]);
        metrics.set_all(Metric::Blueprints, [(vec![("condition", "paused")], 1.0)]);
        assert!(!metrics.text().contains("ready"), "{}", metrics.text());
    }

    #[test]
    fn there_is_an_end_to_series_and_what_is_left_out_is_counted() {
        let metrics = Metrics::default();
        for number in 0..SERIES_MAX + 5 {
            metrics.add(Metric::Turns, &[("n", &number.to_string())], 1);
        }
        metrics.add(Metric::Turns, &[("n", "0")], 1);
        let text = metrics.text();
        assert_eq!(text.lines().filter(|line| line.starts_with("rgctl_turns_total")).count(), SERIES_MAX);
        assert!(text.contains("rgctl_turns_total{n=\"0\"} 2"));
        assert!(text.contains("rgctl_series_left_out_total{metric=\"rgctl_turns_total\"} 5"), "{text}");
    }
}
