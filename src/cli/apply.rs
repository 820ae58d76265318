//! `rgctl apply`: bring the world into the blueprint's shape, or do exactly what a saved plan says.

use std::collections::BTreeSet;

use super::adapters::Adapters;
use super::args::{OutputForm, RunArgs};
use super::error::Failure;
use super::exit::Exit;
use super::load::LoadedBlueprint;
use super::made_as::{self, Making};
use super::output::Output;
use super::run::{self, PlanResult, Run};
use super::saved::SavedPlan;
use super::settings::Settings;
use crate::report::overlays;
use crate::report::plan::{self, Detail};
use crate::report::plan_markdown;
use rgctl_engine::execution::drive::{self, Begins, IfHeld, Job, Prices, Sight, Watch};
use rgctl_engine::execution::gone;
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_engine::gate::Verdicts;
use rgctl_engine::ledger::Ledger;
use rgctl_engine::planning::{self, Figures, PlanInput};
use rgctl_model::choices::Choices;
use rgctl_model::journal::{Outcome, Purpose};
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::overlay::Decision;
use rgctl_model::plan::Plan;
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::ports::Clock;
use rgctl_model::rules::RecordedRules;
use rgctl_model::scope::Scope;
use rgctl_model::sizes::Sizes;

/// What is to be carried out, whether it comes from blueprints or from a saved plan.
pub struct ApplyRequest<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// Prices.
    pub figures: &'a dyn Figures,
    /// What may be done.
    pub policy: &'a Policy,
    /// What for.
    pub purpose: Purpose,
    /// Position of the last decision that it rests on.
    pub decided: u64,
    /// The blueprint, where it is carried out as it is and not as a saved plan.
    pub loaded: Option<&'a LoadedBlueprint>,
}

/// Carries a saved plan out: exactly its steps, or none when the world or the wish has moved on.
pub async fn saved(
    saved: &mut SavedPlan,
    present: &BTreeSet<String>,
    figures: &dyn Figures,
    run: &RunArgs,
    adapters: &Adapters,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let purpose = if saved.plan.destroy { Purpose::Destroy } else { Purpose::Apply };
    let Ledger { claims, ruled, .. } = run::record_of(adapters, &saved.desired).await?;
    let held_out = run::held_out(adapters, &saved.desired).await?;
    let selection = drive::selection_of(&saved.desired, &claims);
    let sight = Sight { selection: &selection, held_out: &held_out };
    let inventory = drive::observe(&adapters.environment(), sight).await?;
    let present_bases = planning::base_by_region(&saved.desired, &inventory, &claims);
    // Of a region that is held out nobody can tell, and nothing is done there.
    let regions = present_bases.keys().chain(saved.bases.keys());
    let mut judged = regions.filter(|region| !held_out.contains_key(*region));
    if judged.any(|region| present_bases.get(region) != saved.bases.get(region)) {
        return Err(Failure::new(
            Exit::StalePlan,
            format!(
                "the plan of {} was made at {} for another state of the world; nothing was done",
                saved.plan.blueprint, saved.plan.made
            ),
        )
        .hint("make a new plan and look at it"));
    }
    decided_later(saved, adapters, output).await?;
    let recorded = saved.hold_to_record(ruled.as_ref())?;
    let sources = [(present, "the blueprint as it is now"), (&recorded, "the last run on record")];
    if let Some(line) = stricter_line(&sources) {
        output.say(&line);
    }
    let work = ApplyRequest {
        desired: &saved.desired,
        figures,
        policy: &saved.policy,
        purpose,
        decided: saved.decisions,
        loaded: None,
    };
    // The gate is asked anew: time has passed, further policies may hold, and a quota may have been raised or used up.
    let mut plan = saved.plan.clone();
    let (quotas, unread) = run::quotas(adapters, &plan, &inventory).await;
    let verdicts = Verdicts { quotas, ..planning::verdicts(&saved.desired, figures) };
    let ask = PlanInput {
        desired: &saved.desired,
        inventory: &inventory,
        held_out: &held_out,
        policy: &saved.policy,
        figures,
        choices: Choices::NONE,
        now: adapters.clock.now(),
        snapshot_suffix: "",
        destroy: saved.plan.destroy,
        claims: &claims,
        verdicts: &verdicts,
        authority: Authority::Person,
    };
    planning::answer_anew(&ask, &mut plan);
    for why in unread {
        if !plan.notes.contains(&why) {
            plan.notes.push(why);
        }
    }
    agree_and_carry_out(&work, &plan, true, run, adapters, settings, output).await
}

/// Says what was decided after a plan was made: the plan stays what was agreed to, and the rest waits.
async fn decided_later(saved: &SavedPlan, adapters: &Adapters, output: &mut Output) -> Result<(), Failure> {
    let scope = drive::scope_of(&*adapters.cloud, &saved.desired).await?;
    let standing = adapters.store.standing(&scope).await?;
    if saved.plan.destroy || standing.last_seq <= saved.decisions {
        return Ok(());
    }
    for line in adapters.store.decisions(&scope, saved.decisions).await? {
        let (what, by, why) = (overlays::decision_words(&line.what, None), line.what.by(), line.what.why());
        // A region that is held out is so at once: no plan was agreed to for a region that is lost.
        let word = match line.what {
            Decision::Set { .. } | Decision::Unset { .. } => "waits",
            Decision::HoldOut { .. } | Decision::Release { .. } => "obeyed",
        };
        output.say(&format!("{word}: {by} {what} at {} ({why}), after the plan was made", line.at));
    }
    output.say(
        "the plan is carried out as it was agreed to; `rgctl plan -f BLUEPRINT` shows what comes after it",
    );
    Ok(())
}

/// In what the policies and calendars that hold beside those of a plan are stricter, in one line.
fn stricter_line(sources: &[(&BTreeSet<String>, &str)]) -> Option<String> {
    let told = sources.iter().filter(|(fields, _)| !fields.is_empty()).map(|(fields, source)| {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        format!("{} ({source})", fields.join(", "))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty())
        .then(|| format!("stricter than what the plan was made with, and obeyed: {}", told.join("; ")))
}

/// Plans, shows the plan, asks, and carries it out.
pub async fn run(
    loaded: &LoadedBlueprint,
    policy: Policy,
    purpose: Purpose,
    run: &RunArgs,
    adapters: &Adapters,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let (desired, figures) = (&loaded.desired, &loaded.figures);
    let decided = loaded.standing.last_seq;
    let work = ApplyRequest { desired, figures, policy: &policy, purpose, decided, loaded: Some(loaded) };
    let destroy = purpose == Purpose::Destroy;
    let mut looked = run::look_and_plan(adapters, work.desired, work.figures, work.policy, destroy).await?;
    if !destroy {
        looked.plan.notes.extend(loaded.notes.iter().cloned());
    }
    let plan = &looked.plan;
    // What a person said yes to is what is done; `--yes` agrees to whatever leads to the blueprint.
    let ended = agree_and_carry_out(&work, plan, !run.yes, run, adapters, settings, output).await;
    let is_idle = plan.is_empty() || run::require_yes_of_the_gate(plan).is_err();
    if is_idle && !run.dry_run {
        put_on_record(&work, &looked, adapters, output).await;
    }
    ended
}

/// A run that begins nothing. Where something is left to do it is stopped, and else it ends by itself.
struct BeginsNothing {
    is_stopped: bool,
}

impl Watch for BeginsNothing {
    fn turned(&mut self, _: &Turn, _: &Inventory) {}
    fn stopping(&mut self) -> bool {
        self.is_stopped
    }
}

/// Where nothing is to be done, or nothing may be, the record learns all the same what is new: policies and a calendar, so that
/// older plans are held to them, and objects that were looked for in vain. Only the record changes, so that nobody is asked.
async fn put_on_record(
    work: &ApplyRequest<'_>,
    looked: &PlanResult,
    adapters: &Adapters,
    output: &mut Output,
) {
    let PlanResult { plan, inventory, ledger, .. } = looked;
    let mut ledger = ledger.clone();
    let (now, pace) = (adapters.clock.now(), Pace::default());
    let recorded = ledger.ruled.as_ref().map(|ruled| &ruled.rules);
    let has_other_rules = ledger.last_seq > 0 && recorded != Some(&RecordedRules::of(&work.desired.rules));
    ledger.inherit(now);
    let looked = gone::GoneInput {
        desired: work.desired,
        inventory,
        ledger: &ledger,
        purpose: work.purpose,
        pace: &pace,
    };
    if !has_other_rules && (!plan.is_empty() || looked.gone().is_empty()) {
        return;
    }
    let owner = rgctl_machine::owner();
    let job = Job {
        desired: work.desired,
        policy: work.policy,
        figures: work.figures,
        agreed: Some(plan),
        joins: None,
        decided: work.decided,
        begins: Begins::Asked,
        purpose: work.purpose,
        authority: Authority::Person,
        run: &rgctl_machine::new_run(&owner, adapters.wall.now()),
        owner: &owner,
        deadline: None,
        if_held: IfHeld::GiveUp,
        pace: &pace,
        prices: Prices::Never,
    };
    let mut watch = BeginsNothing { is_stopped: !plan.is_empty() };
    if let Err(error) = drive::drive(&adapters.environment(), &job, &mut watch).await {
        output.say(&format!(
            "note: what is new (policies and calendar, to which older plans are held, or objects that are gone) could not be \
             put on record: {error}; the next run does it"
        ));
    }
}

async fn agree_and_carry_out(
    work: &ApplyRequest<'_>,
    plan: &Plan,
    only_this: bool,
    args: &RunArgs,
    adapters: &Adapters,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let Policy { targets, .. } = work.policy;
    let making = Making { purpose: work.purpose, targets, wanted: &work.desired.sizes };
    show(plan, args.dry_run, settings, output)?;
    if args.dry_run || plan.is_empty() {
        if !args.dry_run && plan.is_clean() {
            // Only what is remembered changes: the next run does it, if this one cannot.
            if let Err(failure) = remember(making, work, adapters).await {
                output.say(&format!(
                    "note: what the stores were made as could not be remembered: {}",
                    failure.message
                ));
            }
        }
        return match exit_of(plan) {
            Exit::Blocked => Err(Failure::said(Exit::Blocked)),
            _ => Ok(()),
        };
    }
    run::require_yes_of_the_gate(plan)?;
    if !plan.steps.is_empty() {
        let (question, expected) = if work.purpose == Purpose::Destroy {
            (format!("Remove everything of {}?", plan.blueprint), plan.blueprint.to_string())
        } else {
            ("Carry this plan out?".to_owned(), "yes".to_owned())
        };
        run::confirm(&question, &expected, args.yes, output)?;
    }
    let (scope, mut known) = made_before(work, adapters).await?;
    making.begins(&*adapters.store, &scope, &mut known).await?;
    let run = Run {
        desired: work.desired,
        figures: work.figures,
        policy: work.policy,
        agreed: only_this.then_some(plan),
        // A saved plan stays exactly that: nothing is loaded beside it.
        follows: work.loaded.filter(|_| work.purpose == Purpose::Apply),
        purpose: work.purpose,
        decided: work.decided,
        deadline: args.deadline,
        if_held: args.lease.if_held(),
        wait: args.wait,
    };
    let finished = run::finish(adapters, &run, output).await?;
    if finished.ended.outcome == Outcome::Settled {
        making.is_done(&*adapters.store, &scope, &mut known).await?;
    }
    run::tell(&finished, &run, output, settings.output)
}

/// Where everything is as it is wanted, that is remembered.
async fn remember(making: Making<'_>, work: &ApplyRequest<'_>, adapters: &Adapters) -> Result<(), Failure> {
    let (scope, mut known) = made_before(work, adapters).await?;
    Ok(making.is_done(&*adapters.store, &scope, &mut known).await?)
}

/// Under which record, and what the stores were made as by it.
async fn made_before(work: &ApplyRequest<'_>, adapters: &Adapters) -> Result<(Scope, Sizes), Failure> {
    let scope = drive::scope_of(&*adapters.cloud, work.desired).await?;
    let known = made_as::recall(&*adapters.store, &scope).await?;
    Ok((scope, known))
}

/// What a plan says of the world: a person is needed, something differs, or all is as wanted.
pub fn exit_of(plan: &Plan) -> Exit {
    if plan.health.needs_person() {
        Exit::Blocked
    } else if plan.is_clean() {
        Exit::Done
    } else {
        Exit::Differences
    }
}

/// The plan goes to standard output, unless a document about the outcome follows there: then it is talk.
pub fn show(plan: &Plan, is_all: bool, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let detail = if settings.verbose > 0 { Detail::Everything } else { Detail::Changes };
    let is_all = is_all || plan.is_empty();
    match settings.output {
        OutputForm::Text => output.data(&plan::text(plan, output.style, detail))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&plan_markdown::markdown(plan))?,
        form @ (OutputForm::Json | OutputForm::Yaml) if is_all => output.plan(plan, form)?,
        OutputForm::Json | OutputForm::Yaml => {
            let text = plan::text(plan, output.talk_style, detail);
            output.say(text.trim_end());
        }
    }
    Ok(())
}
