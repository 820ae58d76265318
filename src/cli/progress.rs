//! Progress of a run: bars with what each step waits for on a terminal, a line per event elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::signals::StopRequest;
use crate::report::{history, words};
use rgctl_engine::execution::drive::Watch;
use rgctl_engine::execution::motion::Wait;
use rgctl_engine::execution::turn::Turn;
use rgctl_model::journal::Event;
use rgctl_model::observed::Inventory;
use rgctl_schema::names::StepId;
use rgctl_schema::time::{Moment, Span};

/// Bars shown at a time; more would not fit a terminal.
const BARS_MAX: usize = 12;

/// Lines about waits that one turn writes at most.
const WAITS_TOLD_MAX: usize = 10;
/// A wait that ends sooner than this is not told.
const TOLD_AFTER: Span = Span::from_mins(1);
/// After this long a wait is told again, after that twice as long, and so on.
const REMIND: Span = Span::from_hours(1);

/// A wait that was told.
struct ShownWait {
    why: String,
    at: Moment,
    again_after: Span,
}

/// Shows turns, and passes a request to stop on to the engine.
pub struct Progress {
    stop: StopRequest,
    began: Option<Moment>,
    steps: usize,
    settled: usize,
    told: BTreeMap<String, ShownWait>,
    shown: Shown,
}

enum Shown {
    Lines(Box<dyn Write + Send>),
    Bars { all: MultiProgress, total: ProgressBar, bars: BTreeMap<StepId, ProgressBar> },
    Nothing,
}

impl Progress {
    /// On standard error: bars when it is a terminal, lines otherwise.
    pub fn new(stop: StopRequest, on_terminal: bool) -> Self {
        let shown = if on_terminal { bars() } else { Shown::Lines(Box::new(std::io::stderr())) };
        Self::over(stop, shown)
    }

    /// Lines to a writer.
    pub fn lines(stop: StopRequest, to: Box<dyn Write + Send>) -> Self {
        Self::over(stop, Shown::Lines(to))
    }

    /// Nothing is shown.
    pub fn quiet(stop: StopRequest) -> Self {
        Self::over(stop, Shown::Nothing)
    }

    const fn over(stop: StopRequest, shown: Shown) -> Self {
        Self { stop, began: None, steps: 0, settled: 0, told: BTreeMap::new(), shown }
    }

    fn line(&mut self, elapsed: &str, line: &str) {
        let place = format!("[{:>3}/{} {elapsed:>6}]", self.settled, self.steps);
        match &mut self.shown {
            // Talk that nobody hears is no error.
            Shown::Lines(to) => drop(writeln!(to, "{place} {line}")),
            Shown::Bars { all, .. } => drop(all.println(format!("{place} {line}"))),
            Shown::Nothing => {}
        }
    }

    /// What is waited for beyond the usual: a line when a wait begins or its reason changes, and a reminder now and then.
    fn waits(&mut self, turn: &Turn, now: Moment) -> Vec<String> {
        let steps = turn.plan.steps.iter().map(|step| &step.id).chain(turn.under_way.keys());
        // A step that is just being tried again waits on if it fails again.
        let open: BTreeSet<&str> = steps.map(|id| &*id.0).collect();
        self.told.retain(|what, _| turn.waits.contains_key(what) || open.contains(what.as_str()));
        let mut lines = Vec::new();
        let is_short = |wait: &Wait| wait.again.is_some_and(|again| again.since(wait.since) < TOLD_AFTER);
        for (what, wait) in turn.waits.iter().filter(|(_, wait)| !is_short(wait)) {
            let before = self.told.get(what).filter(|told| told.why == wait.why);
            let again_after = match before {
                Some(told) if now < told.at + told.again_after => continue,
                Some(told) => told.again_after.times(2),
                None => REMIND,
            };
            lines.push(words::wait(what, wait));
            self.told.insert(what.clone(), ShownWait { why: wait.why.clone(), at: now, again_after });
        }
        let more = lines.len().saturating_sub(WAITS_TOLD_MAX);
        if more > 0 {
            lines.truncate(WAITS_TOLD_MAX);
            lines.push(format!("and {more} more wait: `rgctl status` shows them all"));
        }
        lines
    }

    fn events(&mut self, turn: &Turn, now: Moment, elapsed: &str) {
        // What was chosen stands in the plan that was shown.
        let news = turn.record.iter().filter(|event| !matches!(event, Event::Chosen { .. }));
        let told = news.map(|event| {
            let (line, below) = history::words(event);
            below.into_iter().fold(line, |line, more| format!("{line}: {more}"))
        });
        // Another try of what is told to wait is no news.
        let begun = turn.calls.iter().filter(|call| !self.told.contains_key(&*call.step.id.0)).map(|call| {
            let verb = words::verb(&call.step.op);
            format!("begin {verb} {}", call.step.op.address())
        });
        // What ended first, then what begins, then what waits.
        let mut lines: Vec<String> = told.chain(begun).collect();
        lines.extend(self.waits(turn, now));
        for line in lines {
            self.line(elapsed, &line);
        }
    }

    fn draw(&mut self, turn: &Turn, elapsed: &str) {
        let (steps, settled) = (self.steps, self.settled);
        let Shown::Bars { all, total, bars } = &mut self.shown else { return };
        total.set_length(steps as u64);
        total.set_position(settled as u64);
        let waits = turn.waits.values().filter(|wait| wait.again.is_some()).count();
        let (under_way, held) = (turn.under_way.len(), turn.held.len());
        total.set_message(format!("{elapsed}, {under_way} under way, {waits} waiting, {held} held"));
        bars.retain(|step, bar| {
            let stays = turn.under_way.contains_key(step) || turn.waits.contains_key(&*step.0);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        let put_off = turn.waits.iter().filter_map(|(what, wait)| {
            let again = wait.again.map(|again| format!(", again at {again}"))?;
            Some((StepId(what.as_str().into()), format!("{}{again}", wait.why)))
        });
        let under_way = turn.under_way.iter().map(|(step, what)| (step.clone(), what.clone()));
        for (step, waits_for) in &under_way.chain(put_off).collect::<BTreeMap<_, _>>() {
            if !bars.contains_key(step) && bars.len() < BARS_MAX {
                bars.insert(step.clone(), all.add(spinner()));
            }
            if let Some(bar) = bars.get(step) {
                bar.set_message(format!("{step}: {waits_for}"));
                bar.tick();
            }
        }
    }
}

impl Watch for Progress {
    fn turned(&mut self, turn: &Turn, _: &Inventory) {
        let now = turn.plan.made;
        let began = *self.began.get_or_insert(now);
        self.settled += turn.record.iter().filter(|event| matches!(event, Event::Settled { .. })).count();
        self.steps = self.steps.max(self.settled + turn.plan.steps.len());
        let elapsed = now.since(began).to_string();
        self.events(turn, now, &elapsed);
        self.draw(turn, &elapsed);
    }

    fn stopping(&mut self) -> bool {
        self.stop.is_made()
    }

    fn told(&mut self, line: &str) {
        match &mut self.shown {
            // Talk that nobody hears is no error.
            Shown::Lines(to) => drop(writeln!(to, "{line}")),
            Shown::Bars { all, .. } => drop(all.println(line)),
            Shown::Nothing => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bars { total, bars, .. } = &self.shown {
            for bar in bars.values() {
                bar.finish_and_clear();
            }
            total.finish_and_clear();
        }
    }
}

fn bars() -> Shown {
    let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    let total = all.add(ProgressBar::new(0));
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} steps, {msg}") {
        total.set_style(style.progress_chars("=> "));
    }
    Shown::Bars { all, total, bars: BTreeMap::new() }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}
