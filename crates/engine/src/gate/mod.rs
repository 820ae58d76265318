//! The one gate: whether a step may be begun now.
//!
//! Goes in: a step as the planner describes it, the rules of the blueprint, what was allowed by name, the verdicts about
//! desired state, what is over a quota, on whose word, the present moment. Comes out: an [`Answer`].
//!
//! **Invariant:** pure. The plan shows its answers, and a run asks again right before each call; nothing else says yes.
//! **Invariant:** what cannot be judged is a no, with its reason and a remedy.
//! **Invariant:** of several rules the strictest holds: a saved plan brings its own, and those of the present count too.

mod growth;
mod quota;
mod refusal;
mod stricter;
pub mod times;

use std::collections::BTreeSet;

use rgctl_model::observed::CoolDown;
use rgctl_model::plan::{Answer, Disturbance, Op, Reason, Step, Steps};
use rgctl_model::policy::{Authority, ConsentRequest, DestructiveAction, Policy};
use rgctl_model::quota::OverQuota;
use rgctl_model::rules::Rules;
use rgctl_schema::names::StoreName;
use rgctl_schema::time::Moment;

pub use growth::{Verdicts, is_more};
pub use stricter::stricter;

use refusal::no;

/// What a step is judged by.
#[derive(Clone, Copy)]
pub struct GateInput<'a> {
    /// What the blueprint says; each of them holds.
    pub rules: &'a [Rules],
    /// What was allowed by name.
    pub policy: &'a Policy,
    /// What was found about desired state as a whole.
    pub verdicts: &'a Verdicts,
    /// What of all the steps together would exceed a quota.
    pub over_quota: &'a [OverQuota],
    /// On whose word.
    pub authority: Authority,
    /// When.
    pub now: Moment,
}

/// Whether the step may be begun now.
///
/// 1. Regions that are held out: nothing is asked about what cannot be done before the release.
/// 2. Consents: what is never done, what nobody can judge, what was not allowed by name.
/// 3. Growth: beyond a bound on cost, and of a store with demand that nothing carries.
/// 4. Quotas: what would be more than the account may have.
/// 5. Times: what the service takes once in a while only, freezes and maintenance windows.
pub fn authorise(step: &Step, asked: &GateInput<'_>) -> Answer {
    if asked.policy.observe_only {
        return no("nothing is changed in observe-only mode", "begin the run without it");
    }
    if let Some(why) = &step.held_out {
        return Answer::HeldOut { why: why.clone() };
    }
    consents(step, asked)
        .or_else(|| growth::judge(step, asked.verdicts))
        .or_else(|| quota::judge(step, asked.over_quota))
        .unwrap_or_else(|| cooled(step, asked))
}

/// What the service does not take yet waits for that, and from then on for freezes and windows.
fn cooled(step: &Step, asked: &GateInput<'_>) -> Answer {
    let Some(cooling) = step.cool_down.as_ref().filter(|cooling| cooling.until > asked.now) else {
        return times(step, asked);
    };
    let until = cooling.until;
    match times(step, &GateInput { now: until, ..*asked }) {
        Answer::Go => {
            let CoolDown { field, value, .. } = cooling;
            Answer::Wait {
                until,
                why: format!("the service takes `{value}` for {field} once in a while only"),
            }
        }
        later => later,
    }
}

/// The stricter of two answers.
pub fn strictest(one: &Answer, other: Answer) -> Answer {
    match (one, &other) {
        (Answer::No { .. }, _)
        | (Answer::HeldOut { .. }, Answer::Wait { .. } | Answer::Go)
        | (Answer::Wait { .. }, Answer::Go) => one.clone(),
        (Answer::Wait { until, .. }, Answer::Wait { until: later, .. }) if until > later => one.clone(),
        _ => other,
    }
}

fn consents(step: &Step, asked: &GateInput<'_>) -> Option<Answer> {
    if step.why == Reason::Destroy && asked.rules.iter().any(|rules| rules.policies.retains()) {
        return Some(no(
            "the blueprint says `policies.deletion: retain`: its stores stay, whoever deletes it",
            "take it out of the blueprint, or write `snapshot`, if they are meant to go",
        ));
    }
    let forbidden =
        |act: &&ConsentRequest| asked.rules.iter().any(|rules| rules.policies.forbids(act.action));
    if let Some(act) = step.requires.iter().find(forbidden) {
        let (verb, effect) = (act.action, told(step, act));
        return Some(no(
            format!("the blueprint says `policies.consent.{verb}: never`, and {effect}"),
            format!(
                "nothing allows it; if it is meant, change `policies.consent.{verb}` of the blueprint first"
            ),
        ));
    }
    if step.requires.iter().any(|act| act.store.is_none()) {
        return Some(no(
            format!(
                "neither the blueprint, the record nor a tag tells which store {} belongs to, so that no consent can be \
                 judged",
                step.op.address()
            ),
            "give it back its tag `rgctl:store`, or delete it by hand",
        ));
    }
    let lacking: BTreeSet<ConsentRequest> =
        step.requires.iter().filter(|act| !asked.policy.allows(act)).cloned().collect();
    if asked.authority == Authority::Scaler && !step.requires.is_empty() {
        return Some(no("a scaler does nothing that needs consent", "a person may, with `rgctl apply`"));
    }
    let why: Vec<String> = lacking.iter().map(|act| told(step, act)).collect();
    let allow: Vec<String> = lacking.iter().map(|act| format!("--allow {act}")).collect();
    (!lacking.is_empty()).then(|| Answer::No {
        why: format!("it needs consent by name: {}", why.join("; ")),
        remedy: format!("if it is meant: {}", allow.join(" ")),
        allow: lacking,
    })
}

/// What an act does, in a sentence's second half.
fn told(step: &Step, act: &ConsentRequest) -> String {
    let store = act.store.as_ref().map_or("a store that nobody knows", StoreName::as_str);
    let region = &act.region;
    match act.action {
        DestructiveAction::Delete => format!("{store} in {region} would be deleted"),
        DestructiveAction::Replace => format!("{store} in {region} would be replaced"),
        DestructiveAction::Shrink if step.why == Reason::Released => {
            format!("{store} in {region} would be made smaller than it was held")
        }
        DestructiveAction::Shrink => format!("{store} in {region} would be made smaller than what it holds"),
        DestructiveAction::Empty => format!("{store} in {region} would stand empty"),
        DestructiveAction::Window => format!("{store} in {region} would be disturbed outside of its window"),
    }
}

fn times(step: &Step, asked: &GateInput<'_>) -> Answer {
    let is_failover = step.disturbs == Disturbance::Failover;
    if is_failover && asked.authority == Authority::ApprovedRun {
        return Answer::Go;
    }
    let window = ConsentRequest {
        action: DestructiveAction::Window,
        store: step.store.clone(),
        region: step.op.address().region.clone(),
    };
    let bounds = times::TimeBounds {
        rules: asked.rules,
        store: step.store.as_ref(),
        region: &step.op.address().region,
        disturbs: step.disturbs,
        lasts: step.effect.duration_p95,
        ignores_window: asked.policy.allows(&window),
    };
    match times::first(&bounds, asked.now) {
        Ok(None) => Answer::Go,
        Ok(Some((until, why))) => Answer::Wait { until, why },
        Err(why) => no(why, "shorten the freezes of the calendar, or move the window out of them"),
    }
}

/// Asks about every step of a plan.
pub fn answer_all(steps: &mut Steps, asked: &GateInput<'_>) {
    for step in steps.iter_mut() {
        step.answer = authorise(step, asked);
    }
    hold_replacements(steps);
}

/// Replacing something is one piece of work: nothing of it is deleted when what would take its place may not be made.
fn hold_replacements(steps: &mut Steps) {
    let is_part = |step: &Step| step.disturbs == Disturbance::Replacement || step.is_remade();
    let is_not_to_be = |answer: &Answer| matches!(answer, Answer::No { .. } | Answer::HeldOut { .. });
    let key = |step: &Step| (step.store.clone(), step.op.address().region.clone());
    let refused: Vec<_> = steps
        .iter()
        .filter(|step| matches!(step.op, Op::Create { .. }) && step.is_remade())
        .filter(|step| is_not_to_be(&step.answer))
        .map(|step| (key(step), step.answer.clone()))
        .collect();
    for (place, answer) in refused {
        for step in steps.iter_mut().filter(|step| is_part(step) && key(step) == place) {
            if !is_not_to_be(&step.answer) {
                step.answer = answer.clone();
            }
        }
    }
}
