//! What `plan`, `apply` and `destroy` share: look, plan, and carry out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal};

use serde::Serialize;

use super::adapters::Adapters;
use super::args::OutputForm;
use super::error::Failure;
use super::exit::Exit;
use super::following::Following;
use super::load::LoadedBlueprint;
use super::names;
use super::output::Output;
use super::progress::Progress;
use super::signals::{self, StopRequest};
use crate::report::document::{document, format};
use crate::report::{self, history, words};
use rgctl_engine::execution::drive::{
    self, Begins, DriveError, Ended, Environment, IfHeld, Job, Prices, Reading, Sight,
};
use rgctl_engine::execution::reconcile::read;
use rgctl_engine::execution::turn::{self, Later, Pace};
use rgctl_engine::gate::Verdicts;
use rgctl_engine::ledger::Ledger;
use rgctl_engine::planning::{self, Figures, PlanInput};
use rgctl_model::claims::Claims;
use rgctl_model::health::Health;
use rgctl_model::journal::{Outcome, Purpose};
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::overlay::HoldOut;
use rgctl_model::plan::{Answer, Blocker, Plan, Step};
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::ports::{Clock, Store, StoreError};
use rgctl_model::quota::KnownQuota;
use rgctl_model::scope::{RecordId, Scope};
use rgctl_schema::names::{BlueprintName, Fingerprint, RegionId, RunId};
use rgctl_schema::time::{Moment, Span};

/// What the record of a desired state adds up to, with the identity of the record.
pub async fn record_of(adapters: &Adapters, desired: &Desired) -> Result<Ledger, Failure> {
    Ok(record_in(&adapters.environment(), desired).await?)
}

/// The same. Who only looks need not be allowed to write: a store in which nothing was written yet has no identity, and
/// nothing is ours there.
async fn record_in(environment: &Environment<'_>, desired: &Desired) -> Result<Ledger, DriveError> {
    let (store, scope) = (environment.store, drive::scope_of(environment.cloud, desired).await?);
    let mut ledger = read(store, &scope).await?;
    ledger.claims.record = Some(match store.known_identity(&scope).await? {
        Some(id) => id,
        None if ledger.last_seq == 0 => RecordId::unwritten(),
        // Something was written under an identity that is gone.
        None => store.identity(&scope).await?,
    });
    Ok(ledger)
}

/// The same for a plan that is carried out as it is, with the identity in its tags: it is given first.
pub async fn record_to_write(adapters: &Adapters, desired: &Desired) -> Result<Ledger, Failure> {
    let scope = drive::scope_of(&*adapters.cloud, desired).await?;
    adapters.store.identity(&scope).await?;
    record_of(adapters, desired).await
}

/// What the record of a desired state knows of its objects.
pub async fn claims(adapters: &Adapters, desired: &Desired) -> Result<Claims, Failure> {
    Ok(record_of(adapters, desired).await?.claims)
}

/// The regions that are held out of a desired state.
pub async fn held_out(
    adapters: &Adapters,
    desired: &Desired,
) -> Result<BTreeMap<RegionId, HoldOut>, Failure> {
    Ok(held_out_in(&adapters.environment(), desired).await?)
}

async fn held_out_in(
    environment: &Environment<'_>,
    desired: &Desired,
) -> Result<BTreeMap<RegionId, HoldOut>, DriveError> {
    let scope = drive::scope_of(environment.cloud, desired).await?;
    Ok(environment.store.standing(&scope).await?.held_out())
}

/// The regions that the blueprint has left, and in which the record still holds something. Where the store knows without its
/// lines in which something was ever begun, no more is read unless there is more than the blueprint names; elsewhere the
/// checkpoint tells it, and the lines after that: a record grows with every run, and this is asked in every turn.
pub async fn regions_left(
    adapters: &Adapters,
    scope: &Scope,
    desired: &Desired,
) -> Result<BTreeSet<RegionId>, Failure> {
    Ok(regions_left_in(&*adapters.store, scope, desired, adapters.clock.now()).await?)
}

/// The same by a store.
pub async fn regions_left_in(
    store: &dyn Store,
    scope: &Scope,
    desired: &Desired,
    now: Moment,
) -> Result<BTreeSet<RegionId>, StoreError> {
    if store.keeps_regions() && store.regions(scope).await?.is_subset(&desired.regions) {
        return Ok(BTreeSet::new());
    }
    let mut ledger = read(store, scope).await?;
    ledger.inherit(now);
    Ok(ledger.regions_held(now, Pace::default().late).difference(&desired.regions).cloned().collect())
}

/// What looking and planning come to.
pub struct PlanResult {
    /// The plan.
    pub plan: Plan,
    /// What was seen.
    pub inventory: Inventory,
    /// What the record adds up to.
    pub ledger: Ledger,
    /// Digests of what the plan rests on, by region.
    pub bases: BTreeMap<RegionId, Fingerprint>,
}

/// Looks at the world and plans.
pub async fn look_and_plan(
    adapters: &Adapters,
    desired: &Desired,
    figures: &dyn Figures,
    policy: &Policy,
    destroy: bool,
) -> Result<PlanResult, Failure> {
    let environment = adapters.environment();
    let looked = look_and_plan_in(&environment, desired, figures, policy, destroy, Reading::Whole).await?;
    names::check_policy(policy, desired, &looked.inventory, &looked.ledger.claims)?;
    Ok(looked)
}

/// The same through other eyes than those of the command, with so much of it read. Names in the policy are not checked.
pub async fn look_and_plan_in(
    environment: &Environment<'_>,
    desired: &Desired,
    figures: &dyn Figures,
    policy: &Policy,
    destroy: bool,
    reading: Reading,
) -> Result<PlanResult, DriveError> {
    let ledger = record_in(environment, desired).await?;
    let claims = &ledger.claims;
    let held_out = held_out_in(environment, desired).await?;
    let selection = Cow::Owned(drive::selection_of(desired, claims));
    let selection = drive::selection_read(selection, reading, desired, &ledger);
    let sight = Sight { selection: &selection, held_out: &held_out };
    let mut inventory = drive::observe(environment, sight).await?;
    let unread = drive::presume(&mut inventory, &selection, desired);
    let now = environment.clock.now();
    let suffix = turn::snapshot_suffix(now);
    let verdicts = planning::verdicts(desired, figures);
    let ask = PlanInput {
        desired,
        inventory: &inventory,
        held_out: &held_out,
        policy,
        figures,
        choices: &ledger.choices_for(&desired.fingerprint),
        now,
        snapshot_suffix: &suffix,
        destroy,
        claims,
        verdicts: &verdicts,
        authority: Authority::Person,
    };
    // Digests of ten thousand objects take as long as comparing them.
    let (mut plan, bases) =
        rayon::join(|| planning::plan(&ask), || planning::base_by_region(desired, &inventory, claims));
    plan.base = planning::base_of(desired, &bases);
    let grow = planning::regions_that_grow(&plan.steps);
    let (quotas, unread_quotas) = drive::quotas(environment.cloud, &grow, &inventory).await;
    let verdicts = Verdicts { quotas, ..verdicts.clone() };
    if !verdicts.quotas.is_empty() {
        planning::answer_anew(&PlanInput { verdicts: &verdicts, ..ask }, &mut plan);
    }
    plan.notes.extend(unread_quotas.into_iter().chain(drive::presumed(unread)));
    if !destroy {
        let kept = planning::kept_from_birth(&ask, &plan);
        plan.notes.extend(kept);
    }
    Ok(PlanResult { plan, inventory, ledger, bases })
}

/// The account's own quotas where a plan makes or grows something.
pub async fn quotas(
    adapters: &Adapters,
    plan: &Plan,
    inventory: &Inventory,
) -> (Vec<KnownQuota>, Vec<String>) {
    drive::quotas(&*adapters.cloud, &planning::regions_that_grow(&plan.steps), inventory).await
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
    /// The blueprint, where decisions that are made meanwhile count.
    pub follows: Option<&'a LoadedBlueprint>,
    /// What for.
    pub purpose: Purpose,
    /// Position of the last decision that it rests on.
    pub decided: u64,
    /// When to pause.
    pub deadline: Option<Span>,
    /// What is done when another run holds the lease.
    pub if_held: IfHeld,
    /// Whether windows and the ends of freezes are waited for.
    pub wait: bool,
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
    /// What waits for its time.
    pub waits: Vec<Later>,
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

/// Carries a run out, with its progress as talk.
pub async fn finish(adapters: &Adapters, run: &Run<'_>, output: &mut Output) -> Result<Finished, Failure> {
    let owner = rgctl_machine::owner();
    let began = adapters.clock.now();
    let deadline = run.deadline.map(|span| began + span);
    let stop = StopRequest::default();
    let (usual, environment) = (Pace::default(), adapters.environment());
    // Who says how long a run may take waits that long, whether anything moves or not.
    let still_max = run.deadline.map_or(usual.still_max, |span| span.max(usual.still_max));
    let pace = Pace { still_max, ..usual };
    let mut following = run.follows.map(Following::new);
    let work = async {
        loop {
            let id = rgctl_machine::new_run(&owner, adapters.wall.now());
            let job = Job {
                desired: run.desired,
                policy: run.policy,
                figures: run.figures,
                agreed: run.agreed,
                joins: run.follows.map(|_| run.desired),
                decided: run.decided,
                begins: Begins::Asked,
                purpose: run.purpose,
                authority: Authority::Person,
                run: &id,
                owner: &owner,
                deadline,
                if_held: run.if_held,
                pace: &pace,
                prices: Prices::Never,
            };
            let mut progress = Progress::new(stop.clone(), output.talk_is_terminal);
            let ended = match &mut following {
                Some(source) => drive::drive_following(&environment, &job, source, &mut progress).await?,
                None => drive::drive(&environment, &job, &mut progress).await?,
            };
            drop(progress);
            let next = ended.last.later.iter().map(|later| later.until).min();
            let next = next.filter(|_| run.wait && ended.outcome == Outcome::Waiting);
            match next.filter(|until| deadline.is_none_or(|deadline| *until < deadline)) {
                Some(until) => {
                    output.say(&format!("waiting for {until}; others may work on the blueprint meanwhile"));
                    if !sleep(&*adapters.clock, until, &stop).await {
                        return Ok((ended, id));
                    }
                }
                None => return Ok((ended, id)),
            }
        }
    };
    let ended: Result<(Ended, RunId), DriveError> = tokio::select! {
        biased;
        () = signals::second_signal(stop.clone(), say_at_once) => return Err(Failure::said(Exit::Interrupted)),
        ended = work => ended,
    };
    let (ended, id) = ended?;
    Ok(Finished { ended, id, began })
}

/// Sleeps until then; tells whether it was not asked to stop meanwhile.
async fn sleep(clock: &dyn Clock, until: Moment, stop: &StopRequest) -> bool {
    while clock.now() < until && !stop.is_made() {
        let bit = clock.now() + Span::from_secs(1);
        clock.sleep_until(if clock.is_virtual() { until } else { Ord::min(until, bit) }).await;
    }
    !stop.is_made()
}

fn say_at_once(line: &str) {
    use std::io::Write;
    // Talk that nobody hears is no error.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says how a run ended.
pub fn tell(
    finished: &Finished,
    run: &Run<'_>,
    output: &mut Output,
    form: OutputForm,
) -> Result<(), Failure> {
    let ended = &finished.ended;
    let plan = &ended.last.plan;
    let held = ended.last.held.iter().map(|held| format!("{}: {}", held.step, held.why));
    let waiting = report::plan::not_done(plan).into_iter().map(|(what, why)| format!("{what} {why}"));
    let waiting: Vec<String> = waiting.collect();
    let report = OutcomeReport {
        blueprint: &run.desired.blueprint,
        run: &finished.id.0,
        outcome: ended.outcome,
        calls: ended.calls,
        took: ended.at.since(finished.began),
        left: plan.steps.len(),
        stalled: ended.last.stalled.clone(),
        held: held.chain(waiting.iter().cloned()).collect(),
        health: &plan.health,
        waits: ended.last.later.clone(),
    };
    match form {
        OutputForm::Json | OutputForm::Yaml => output.document(&document(format::OUTCOME, &report), form)?,
        OutputForm::Text | OutputForm::Markdown | OutputForm::Html => {
            let lines: Vec<String> = words::held(&ended.last.held).into_iter().chain(waiting).collect();
            output.data(&outcome_text(&report, &lines))?;
        }
    }
    match exit_of(ended.outcome) {
        Some(Exit::Blocked) if is_refused(ended) => Err(Failure::said(Exit::Refused)),
        exit => exit.map_or(Ok(()), |exit| Err(Failure::said(exit))),
    }
}

/// The exit code of a run that did not do all that was asked. What waits for its time is done as far as it may be.
pub const fn exit_of(outcome: Outcome) -> Option<Exit> {
    match outcome {
        Outcome::Settled | Outcome::Waiting => None,
        Outcome::Blocked => Some(Exit::Blocked),
        Outcome::Stopped | Outcome::Paused => Some(Exit::Resumable),
    }
}

/// Whether it is the gate alone that holds up the rest.
fn is_refused(ended: &Ended) -> bool {
    let waits_for_person =
        |waiting: &Blocker| !waiting.ends_by_itself() && !matches!(waiting, Blocker::Retained { .. });
    !ended.last.held.is_empty()
        && ended.last.held.iter().all(|held| held.is_refused)
        && !ended.last.plan.waiting.iter().any(waits_for_person)
}

/// `held` says each reason once, with the steps that it holds up.
fn outcome_text(report: &OutcomeReport<'_>, held: &[String]) -> String {
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
    for line in held {
        let _ = writeln!(text, "  {line}");
    }
    for later in &report.waits {
        let _ = writeln!(text, "  {}: waits for {}: {}", later.step, later.until, later.why);
    }
    if report.outcome == Outcome::Waiting {
        text.push_str("Give the same command again at that time, or with `--wait` now.\n");
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

/// Refuses a plan with a destructive step to which the gate says no, so that nothing is begun that would stop half-way; and one
/// of which nothing may be begun.
pub fn require_yes_of_the_gate(plan: &Plan) -> Result<(), Failure> {
    let is_no = |step: &&Step| matches!(step.answer, Answer::No { .. });
    let is_destructive = plan.steps.iter().filter(is_no).any(|step| !step.requires.is_empty());
    if !is_destructive && (plan.steps.is_empty() || !plan.steps.iter().all(|step| is_no(&step))) {
        return Ok(());
    }
    let refusals = plan.refusals();
    let mut failure = match plan.lacking().into_iter().map(ToString::to_string).collect::<Vec<_>>() {
        names if refusals.is_empty() => Failure::new(
            Exit::Refused,
            format!("the plan needs consent by name to {}; nothing was done", names.join(", ")),
        ),
        _ => {
            let whys: Vec<&str> = refusals.iter().map(|refusal| refusal.why).collect();
            Failure::new(Exit::Refused, format!("{}; nothing was done", whys.join("; ")))
        }
    };
    let remedies: BTreeSet<&str> = refusals.iter().map(|refusal| refusal.remedy).collect();
    for remedy in remedies {
        failure = failure.hint(remedy);
    }
    if refusals.is_empty()
        && let Some(options) = plan.options()
    {
        failure = failure.hint(format!("if this is meant: {options}"));
    }
    Err(failure.hint("`--target STORE` leaves the other stores out of this run"))
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
