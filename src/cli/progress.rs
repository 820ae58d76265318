//! Progress of a run: bars with what each step waits for on a terminal, a line per event elsewhere.

use std::collections::BTreeMap;
use std::io::Write;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::signals::StopRequest;
use crate::artefacts::journal::Event;
use crate::artefacts::seen::Inventory;
use crate::execution::drive::Watch;
use crate::execution::turn::Turn;
use crate::report::{history, words};
use crate::vocabulary::names::StepId;
use crate::vocabulary::time::Moment;

/// Bars shown at a time; more would not fit a terminal.
const BARS_MAX: usize = 12;

/// Shows turns, and passes a request to stop on to the engine.
pub struct Progress {
    stop: StopRequest,
    began: Option<Moment>,
    steps: usize,
    settled: usize,
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
        Self { stop, began: None, steps: 0, settled: 0, shown }
    }

    /// Lines to a writer.
    pub fn lines(stop: StopRequest, to: Box<dyn Write + Send>) -> Self {
        Self { stop, began: None, steps: 0, settled: 0, shown: Shown::Lines(to) }
    }

    /// Nothing is shown.
    pub fn quiet(stop: StopRequest) -> Self {
        Self { stop, began: None, steps: 0, settled: 0, shown: Shown::Nothing }
    }

    fn events(&mut self, turn: &Turn, elapsed: &str) {
        let begun = turn.calls.iter().map(|call| {
            let verb = words::verb(&call.step.op);
            format!("begin {verb} {}", call.step.op.at())
        });
        let told = turn.record.iter().map(|event| {
            let (line, below) = history::words(event);
            below.into_iter().fold(line, |line, more| format!("{line}: {more}"))
        });
        // What ended first, then what begins.
        for line in told.chain(begun) {
            let place = format!("[{:>3}/{} {elapsed:>6}]", self.settled, self.steps);
            match &mut self.shown {
                // Talk that nobody hears is no error.
                Shown::Lines(to) => drop(writeln!(to, "{place} {line}")),
                Shown::Bars { all, .. } => drop(all.println(format!("{place} {line}"))),
                Shown::Nothing => {}
            }
        }
    }

    fn draw(&mut self, turn: &Turn, elapsed: &str) {
        let (steps, settled) = (self.steps, self.settled);
        let Shown::Bars { all, total, bars } = &mut self.shown else { return };
        total.set_length(steps as u64);
        total.set_position(settled as u64);
        total.set_message(format!("{elapsed}, {} under way, {} held", turn.under_way.len(), turn.held.len()));
        bars.retain(|step, bar| {
            let stays = turn.under_way.contains_key(step);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for (step, waits_for) in &turn.under_way {
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
        self.events(turn, &elapsed);
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
