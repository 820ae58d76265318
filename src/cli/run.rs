//! What `plan`, `apply` and `destroy` share: look, plan, and carry out.

use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal};

use serde::Serialize;

use super::args::OutputForm;
use super::error::Failure;
use super::exit::Exit;
use super::names;
use super::output::Output;
use super::outside::Outside;
use super::progress::Progress;
use super::signals::{self, StopRequest};
use crate::adapters::machine;
use crate::artefacts::claims::Claims;
use crate::artefacts::health::Health;
use crate::artefacts::journal::{Outcome, Purpose};
use crate::artefacts::node::Desired;
use crate::artefacts::plan::Plan;
use crate::artefacts::policy::Policy;
use crate::artefacts::seen::Inventory;
use crate::execution::drive::{self, Ended, IfHeld, Job};
use crate::execution::turn::{self, Pace};
use crate::planning::{self, Ask, Figures};
use crate::record::ledger::Ledger;
use crate::report::document::{document, format};
use crate::report::{self, history, words};
use crate::seams::Clock;
use crate::vocabulary::names::{BlueprintName, RunId};
use crate::vocabulary::time::{Moment, Span};

/// What the record of a desired state adds up to, with the identity of the record.
pub async fn record_of(outside: &Outside, desired: &Desired) -> Result<Ledger, Failure> {
    let scope = drive::scope_of(&*outside.cloud, desired).await?;
    let mut ledger = Ledger::default();
    ledger.fold(&outside.store.entries(&scope, 0).await?);
    ledger.claims.record = Some(outside.store.identity(&scope).await?);
    Ok(ledger)
}

/// What the record of a desired state knows of its objects.
pub async fn claims(outside: &Outside, desired: &Desired) -> Result<Claims, Failure> {
    Ok(record_of(outside, desired).await?.claims)
}

/// Looks at the world and plans.
pub async fn look_and_plan(
    outside: &Outside,
    desired: &Desired,
    figures: &dyn Figures,
    policy: &Policy,
    destroy: bool,
) -> Result<(Plan, Inventory), Failure> {
    let ledger = record_of(outside, desired).await?;
    let claims = &ledger.claims;
    let inventory = drive::observe(&outside.world(), &drive::selection_of(desired, claims)).await?;
    names::check_policy(policy, desired, &inventory, claims)?;
    let now = outside.clock.now();
    let suffix = turn::snapshot_suffix(now);
    let ask = Ask {
        desired,
        inventory: &inventory,
        policy,
        figures,
        choices: &ledger.choices_for(&desired.fingerprint),
        now,
        snapshot_suffix: &suffix,
        destroy,
        claims,
    };
    // Digests of ten thousand objects take as long as comparing them.
    let (mut plan, base) =
        rayon::join(|| planning::plan(&ask), || planning::base(desired, &inventory, claims));
    plan.base = base;
    Ok((plan, inventory))
}

/// One run over the world.
pub struct Run<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// Prices.
    pub figures: &'a dyn Figures,
    /// What may be done.
    pub policy: &'a Policy,
    /// Only these steps.
    pub agreed: Option<&'a Plan>,
    /// What for.
    pub purpose: Purpose,
    /// When to pause.
    pub deadline: Option<Span>,
    /// What is done when another run holds the lease.
    pub if_held: IfHeld,
}

/// How a run ended, as a document.
#[derive(Debug, Serialize)]
pub struct OutcomeReport<'a> {
    /// Whose.
    pub blueprint: &'a BlueprintName,
    /// Name of the run, for `rgctl history`.
    pub run: &'a str,
    /// How.
    pub outcome: Outcome,
    /// Calls made.
    pub calls: u64,
    /// Time it took, in the cloud's time.
    pub took: Span,
    /// Steps that are left.
    pub left: usize,
    /// Why it ended although time might have brought more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stalled: Option<String>,
    /// What holds up the rest.
    pub held: Vec<String>,
    /// What is not there, ours, whole and serving.
    pub health: &'a Health,
}

/// A run that has come to an end.
pub struct Finished {
    /// How.
    pub ended: Ended,
    /// Its name in the record.
    pub id: RunId,
    /// When it began, in the cloud's time.
    pub began: Moment,
}

/// Carries a run out, and says how it ended.
pub async fn carry_out(
    outside: &Outside,
    run: &Run<'_>,
    output: &mut Output,
    form: OutputForm,
) -> Result<(), Failure> {
    let finished = finish(outside, run, output).await?;
    tell(&finished, run, output, form)
}

/// Carries a run out, with its progress as talk.
pub async fn finish(outside: &Outside, run: &Run<'_>, output: &Output) -> Result<Finished, Failure> {
    let owner = machine::owner();
    let id = machine::new_run(&owner, outside.wall.now());
    let began = outside.clock.now();
    let stop = StopRequest::default();
    let mut progress = Progress::new(stop.clone(), output.talk_is_terminal);
    let usual = Pace::default();
    // Who says how long a run may take waits that long, whether anything moves or not.
    let still_max = run.deadline.map_or(usual.still_max, |span| span.max(usual.still_max));
    let pace = Pace { still_max, ..usual };
    let job = Job {
        desired: run.desired,
        policy: run.policy,
        figures: run.figures,
        agreed: run.agreed,
        purpose: run.purpose,
        run: &id,
        owner: &owner,
        deadline: run.deadline.map(|span| began + span),
        if_held: run.if_held,
        pace: &pace,
    };
    let world = outside.world();
    let ended = tokio::select! {
        biased;
        () = signals::second_signal(stop, say_at_once) => return Err(Failure::said(Exit::Interrupted)),
        ended = drive::drive(&world, &job, &mut progress) => ended,
    };
    drop(progress);
    Ok(Finished { ended: ended?, id, began })
}

fn say_at_once(line: &str) {
    use std::io::Write;
    // Talk that nobody hears is no error.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn tell(finished: &Finished, run: &Run<'_>, output: &mut Output, form: OutputForm) -> Result<(), Failure> {
    let ended = &finished.ended;
    let plan = &ended.last.plan;
    let held = ended.last.held.iter().map(|held| format!("{}: {}", held.step, held.why));
    let waiting = report::plan::not_done(plan).into_iter().map(|(what, why)| format!("{what} {why}"));
    let report = OutcomeReport {
        blueprint: &run.desired.blueprint,
        run: &finished.id.0,
        outcome: ended.outcome,
        calls: ended.calls,
        took: ended.at.since(finished.began),
        left: plan.steps.len(),
        stalled: ended.last.stalled.clone(),
        held: held.chain(waiting).collect(),
        health: &plan.health,
    };
    match form {
        OutputForm::Json | OutputForm::Yaml => output.document(&document(format::OUTCOME, &report), form)?,
        OutputForm::Text | OutputForm::Markdown | OutputForm::Html => output.data(&outcome_text(&report))?,
    }
    exit_of(ended.outcome).map_or(Ok(()), |exit| Err(Failure::said(exit)))
}

/// The exit code of a run that did not do all that was asked.
pub const fn exit_of(outcome: Outcome) -> Option<Exit> {
    match outcome {
        Outcome::Settled => None,
        Outcome::Blocked => Some(Exit::Blocked),
        Outcome::Stopped | Outcome::Paused => Some(Exit::Resumable),
        Outcome::Fenced => Some(Exit::Held),
    }
}

fn outcome_text(report: &OutcomeReport<'_>) -> String {
    let calls = words::count(usize::try_from(report.calls).unwrap_or(usize::MAX), "call", "calls");
    let mut text = format!(
        "{}: {} after {}, {calls}, run {}\n",
        report.blueprint,
        history::outcome_word(report.outcome),
        report.took,
        report.run
    );
    if let Some(why) = &report.stalled {
        let _ = writeln!(text, "{why}; `--deadline` sets how long a run waits all the same");
    }
    if report.left > 0 {
        let _ = writeln!(text, "{} left", words::count(report.left, "step is", "steps are"));
    }
    for held in &report.held {
        let _ = writeln!(text, "  {held}");
    }
    if let Some(line) = report.health.line() {
        let _ = writeln!(text, "Not as wanted: {line}.");
    }
    if matches!(report.outcome, Outcome::Stopped | Outcome::Paused) {
        text.push_str(
            "Everything begun is on record: give the same command again, and it goes on from there.\n",
        );
    }
    text
}

/// Refuses a plan that needs consents it does not have: nothing is begun that would stop half-way.
pub fn require_consents(plan: &Plan) -> Result<(), Failure> {
    let lacking = plan.lacking();
    if lacking.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = lacking.iter().map(ToString::to_string).collect();
    let options: Vec<String> = names.iter().map(|name| format!("--allow {name}")).collect();
    Err(Failure::new(
        Exit::Refused,
        format!("the plan needs consent by name to {}; nothing was done", names.join(", ")),
    )
    .hint(format!("if this is meant: {}", options.join(" ")))
    .hint("`--target STORE` leaves the other stores out of this run"))
}

/// Asks a person, unless `--yes` was given. Where nobody can be asked, the answer is no.
pub fn confirm(question: &str, expected: &str, yes: bool, output: &mut Output) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let refused = |why: &str| Failure::new(Exit::Refused, format!("{why}; nothing was done"));
    if !std::io::stdin().is_terminal() {
        return Err(refused("nobody can be asked here").hint("give `--yes` when no question is wanted"));
    }
    output.say(&format!("{question} Type `{expected}` to go on:"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == expected { Ok(()) } else { Err(refused("not confirmed")) }
}
