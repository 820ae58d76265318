//! What a turn of the operator may do: all of it, a part that somebody agreed to, or nothing before somebody does.
//!
//! Flow: what was taken up last → what is held → agreement → turn → plan. Guarantees: what is held is done by an agreement to exactly
//! that, or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::agent_done as done;
use super::agent_hearing::{Acted, Mandate};
use super::agent_ready::Ready;
use super::operator_organ::{OperatorTurns, Turned, locked, not_told, told};
use super::operator_plans::Agreement;
use super::run;
use crate::agent::queue::Next;
use crate::agent::work::{Asked, Condition, Done, Key};
use crate::operator::conditions::WANTED_OTHERWISE;
use crate::operator::plans::Held;
use crate::operator::version::{self, MEMORY, TakenUp};
use crate::report::outputs::{self, OutputsReport};
use rgctl_engine::execution::drive::{DriveError, Environment, Prices, Reading};
use rgctl_kube::item::{Item, Place};
use rgctl_kube::kinds::BlueprintStatus;
use rgctl_kube::kinds::condition::{find, reasons, types};
use rgctl_kube::kinds::plan::Cause;
use rgctl_model::checkpoint::BlobKey;
use rgctl_model::journal::{Event, Outcome, Purpose};
use rgctl_model::plan::Plan;
use rgctl_model::policy::Policy;
use rgctl_model::scope::Scope;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::time::{Moment, Span};

/// What waits for a person, and why all of it does, where all does.
struct Waiting {
    plan: Plan,
    held: Held,
    outputs: Option<OutputsReport>,
}

impl OperatorTurns {
    /// What a turn comes to.
    pub(super) async fn act(
        &self,
        key: &Key,
        item: &Item,
        mut ready: Ready,
        asked: Asked,
        purpose: Purpose,
    ) -> Result<Turned, DriveError> {
        let cloud = self.turns.eyes(&ready);
        let environment = Environment { cloud: &cloud, ..self.turns.adapters().environment() };
        let account = ready.scope.home.to_string();
        let regions = ready.loaded.desired.regions.iter().map(ToString::to_string).collect();
        let observes = item.meta.observe_only().map(str::to_owned);
        let observes =
            observes.or_else(|| self.observes_only.then(|| "the operator only observes".to_owned()));
        let mut turned = match observes {
            Some(why) => self.observe(item, &environment, &mut ready, &why).await?,
            None => self.act_or_wait(key, item, &environment, &mut ready, asked, purpose).await?,
        };
        let done = done::with_resync(turned.done, key, environment.clock.now(), &ready.decisions);
        turned.report.drift = Some(done.differing);
        if done.condition == Condition::Ready {
            locked(&self.overridden).remove(key);
            locked(&self.rewritten).remove(key);
        }
        if turned.report.cause.is_none() {
            turned.report.cause = Some(self.cause(item, purpose == Purpose::Destroy, false));
        }
        turned.report.cost = Some(self.costs.note(key, &ready.loaded.desired, &ready.loaded.figures));
        (turned.report.account, turned.report.regions, turned.done) = (Some(account), regions, done);
        Ok(turned)
    }

    /// A turn that looks and plans.
    async fn observe(
        &self,
        item: &Item,
        environment: &Environment<'_>,
        ready: &mut Ready,
        why: &str,
    ) -> Result<Turned, DriveError> {
        let (done, outputs) = self.turns.observe(environment, ready).await?;
        let reason = (done.condition == Condition::Pending).then_some(reasons::OBSERVE_ONLY);
        let why = format!("{why}; {}", done.why);
        let mut turned = told(item, done, reason, &why);
        turned.report.outputs = outputs;
        Ok(turned)
    }

    /// A turn that acts as far as it may, and publishes what waits.
    async fn act_or_wait(
        &self,
        key: &Key,
        item: &Item,
        environment: &Environment<'_>,
        ready: &mut Ready,
        asked: Asked,
        purpose: Purpose,
    ) -> Result<Turned, DriveError> {
        let taken = TakenUp {
            version: self.agreements.version.clone(),
            text: sha256_hex(item.spec.as_bytes()),
            desired: ready.loaded.desired.fingerprint.clone(),
        };
        let is_destroy = purpose == Purpose::Destroy;
        let verdict =
            if is_destroy { version::Verdict::Known } else { self.taken_up(key, ready, &taken).await? };
        let waits_whole = is_destroy || verdict == version::Verdict::Hold;
        let waiting = if waits_whole || self.agreements.may_be(item) {
            Some(waiting(environment, ready, is_destroy, waits_whole).await?)
        } else {
            None
        };
        let agreement = match &waiting {
            Some(waiting) => self.agreements.agreed(item, &waiting.held).await,
            None => None,
        };
        let is_held = |one: &&Waiting| waits_whole && !one.held.is_empty() && agreement.is_none();
        if let Some(waiting) = waiting.as_ref().filter(is_held) {
            return self.pending(key, item, (environment, ready), waiting, asked, is_destroy).await;
        }
        if let Some(agreement) = &agreement {
            match self.agreements.begin(item, agreement).await {
                Ok(None) => {}
                Ok(Some(first)) => return Ok(after(item, agreement, &first, environment.clock.now())),
                Err(error) => {
                    let why = error.to_string();
                    return Ok(told(item, not_told(&error), None, &why));
                }
            }
        }
        if verdict != version::Verdict::Known {
            self.take_up(key, &ready.scope, &taken).await?;
        }
        self.turns.remember(ready).await?;
        let consents = agreement.as_ref().map(|one| one.consents.clone()).unwrap_or_default();
        let is_exact = agreement.is_some() || is_destroy;
        let mandate = Mandate {
            purpose,
            policy: Policy { consents, ..Policy::default() },
            agreed: waiting.as_ref().filter(|_| is_exact).map(|one| &one.plan),
            prices: if self.agreements.is_untold(item) { Prices::Always } else { Prices::AtEnd },
        };
        let acted = self.turns.act(environment, ready, &mandate, asked).await?;
        Ok(self.acted(item, acted, agreement, is_destroy).await)
    }

    /// What is told after a turn that acted.
    async fn acted(
        &self,
        item: &Item,
        acted: Acted,
        agreement: Option<Agreement>,
        is_destroy: bool,
    ) -> Turned {
        let Acted { done, reconciled, run, outputs } = acted;
        let run = run.map(|run| run.0);
        let held = Held::of(&reconciled.turn.plan, is_destroy);
        let outcome = reconciled.outcome;
        if agreement.is_none() && !held.is_empty() && !done.is_open {
            self.agreements.over(item).await;
            let waiting = Waiting { plan: reconciled.turn.plan, held, outputs };
            return self.published(item, &waiting, self.cause(item, is_destroy, false), done).await;
        }
        let under_way = run.as_deref().filter(|_| is_under_way(&done, &reconciled.events));
        let recorded = if agreement.is_none() && (under_way.is_some() || outcome == Some(Outcome::Blocked)) {
            let cause = self.cause(item, false, false);
            self.agreements.record(item, &reconciled.turn.plan, under_way, cause).await
        } else {
            None
        };
        if agreement.is_none() && outcome.is_some() {
            self.agreements.over(item).await;
        }
        let mut why = done.why.clone();
        if is_destroy && done.condition == Condition::Blocked {
            why += "; to let this object go and leave in the cloud what there is, write `policies.deletion: retain`";
        }
        let mut turned = told(item, done, None, &why);
        if let Some(agreement) = &agreement {
            // What waits for its window, and what was stopped, goes on by the same agreement.
            if matches!(outcome, Some(Outcome::Settled | Outcome::Blocked)) {
                self.agreements.end(agreement, run.as_deref().unwrap_or("none")).await;
            } else {
                turned.report.plan = Some(agreement.plan.place.name.to_string());
            }
        } else {
            if held.is_empty() {
                self.agreements.tidy(item, recorded.as_deref()).await;
            }
            turned.report.plan = recorded.filter(|_| turned.done.is_open);
        }
        turned.report.run = run.filter(|_| turned.done.is_open);
        turned.report.outputs = outputs;
        turned.is_destroyed = is_destroy && outcome == Some(Outcome::Settled);
        turned
    }

    /// Why there is something to do.
    fn cause(&self, item: &Item, is_destroy: bool, is_whole: bool) -> Cause {
        let before: BlueprintStatus = serde_json::from_str(&item.status).unwrap_or_default();
        let is_known = before.observed_generation == Some(item.generation());
        let was_otherwise =
            find(&before.conditions, types::SYNCED).is_some_and(|synced| synced.reason == WANTED_OTHERWISE);
        match (is_destroy, is_whole) {
            (true, _) => Cause::Deletion,
            (false, true) => Cause::NewVersion,
            // Also where it was written while nothing might be begun.
            (false, false) if !is_known || locked(&self.rewritten).contains(&item.place.name) => {
                Cause::Changed
            }
            // It was so when it was judged last, and is not there yet; or it is so from now on.
            (false, false) if was_otherwise || locked(&self.overridden).contains(&item.place.name) => {
                Cause::Override
            }
            (false, false) => Cause::Drift,
        }
    }

    /// Whether what is wanted was wanted by somebody.
    async fn taken_up(
        &self,
        key: &Key,
        ready: &Ready,
        now: &TakenUp,
    ) -> Result<version::Verdict, DriveError> {
        if locked(&self.taken).get(key) == Some(now) {
            return Ok(version::Verdict::Known);
        }
        let store = &self.turns.adapters().store;
        let Some(name) = BlobKey::new(MEMORY) else { return Ok(version::Verdict::Hold) };
        let kept = store.blob(&ready.scope, &name).await?;
        let before: Option<TakenUp> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // By a decision, or a date: nobody has changed the text, and the world is as it was.
        let is_otherwise = |before: &TakenUp| before.text == now.text && before.desired != now.desired;
        if before.as_ref().is_some_and(|before| before.text != now.text) {
            locked(&self.rewritten).insert(Arc::clone(key));
        }
        if before.as_ref().is_some_and(is_otherwise) {
            locked(&self.overridden).insert(Arc::clone(key));
        }
        let recorded = match before {
            Some(_) => None,
            None => rgctl_engine::execution::reconcile::read(&**store, &ready.scope).await?.desired,
        };
        let verdict = version::judge(now, before.as_ref(), recorded.as_ref());
        if verdict == version::Verdict::Known {
            locked(&self.taken).insert(Arc::clone(key), now.clone());
        }
        Ok(verdict)
    }

    async fn take_up(&self, key: &Key, scope: &Scope, now: &TakenUp) -> Result<(), DriveError> {
        if let (Some(name), Ok(bytes)) = (BlobKey::new(MEMORY), serde_json::to_vec(now)) {
            self.turns.adapters().store.put_blob(scope, &name, &bytes).await?;
            locked(&self.taken).insert(Arc::clone(key), now.clone());
        }
        Ok(())
    }

    /// All waits: nothing is begun, and what is open is closed.
    async fn pending(
        &self,
        key: &Key,
        item: &Item,
        (environment, ready): (&Environment<'_>, &mut Ready),
        waiting: &Waiting,
        asked: Asked,
        is_destroy: bool,
    ) -> Result<Turned, DriveError> {
        let is_open = locked(&self.open).contains(key);
        let done = if is_open {
            let mandate = Mandate::consenting(BTreeSet::new());
            self.turns.act(environment, ready, &mandate, Asked { stopping: true, ..asked }).await?.done
        } else {
            Done {
                condition: Condition::Pending,
                differing: waiting.plan.steps.len(),
                deletions_held: waiting.plan.lacking().len(),
                store: Some(Ok(())),
                unseen: done::unseen(&waiting.plan),
                ..done::nothing()
            }
        };
        Ok(self.published(item, waiting, self.cause(item, is_destroy, true), done).await)
    }

    /// Publishes what waits, and says so.
    async fn published(&self, item: &Item, waiting: &Waiting, cause: Cause, done: Done) -> Turned {
        let reason = if cause == Cause::NewVersion { reasons::NEW_VERSION } else { reasons::NEEDS_APPROVAL };
        let consents: Vec<&str> = waiting.held.consents.iter().map(String::as_str).collect();
        let plan = match self.agreements.publish(item, &waiting.plan, &waiting.held, cause).await {
            Ok(Some(plan)) => plan,
            Ok(None) => {
                let why = "it has more steps than can be agreed to by name: apply it with `rgctl apply`";
                return told(item, Done { condition: Condition::Blocked, ..done }, Some("TooManySteps"), why);
            }
            Err(error) => {
                let why = format!("its plan could not be published: {error}");
                return told(
                    item,
                    Done { next: Next::Failed, condition: Condition::Failed, ..done },
                    None,
                    &why,
                );
            }
        };
        let needs = if consents.is_empty() { String::new() } else { format!(" to {}", consents.join(", ")) };
        let allow = consents.iter().fold(String::new(), |all, consent| all + " --allow " + consent);
        let why = format!(
            "plan {plan} waits for an approval{needs}: `rgctl approve {plan} -n {}{allow}`",
            item.place.namespace
        );
        let done = Done { condition: Condition::Pending, why: why.clone(), ..done };
        let mut turned = told(item, done, Some(reason), &why);
        turned.report.plan = Some(plan);
        turned.report.cause = Some(cause);
        turned.report.outputs.clone_from(&waiting.outputs);
        turned.report.pending = Some((reason, why.clone()));
        turned.report.deletion = (cause == Cause::Deletion).then_some((reason, why));
        turned
    }
}

/// What waits for a person, as the world is now; all of it where all waits. What somebody is to agree to is read.
async fn waiting(
    environment: &Environment<'_>,
    ready: &Ready,
    destroy: bool,
    all: bool,
) -> Result<Waiting, DriveError> {
    let (desired, figures) = (&ready.loaded.desired, &ready.loaded.figures);
    let policy = Policy::default();
    let looked =
        run::look_and_plan_in(environment, desired, figures, &policy, destroy, Reading::Whole).await?;
    let held = Held::of(&looked.plan, all);
    let outputs = outputs::report(desired, &looked.inventory, &looked.plan);
    Ok(Waiting { plan: looked.plan, held, outputs: Some(outputs) })
}

/// Whether a run is open, or was opened and ended in this very turn.
fn is_under_way(done: &Done, events: &[Event]) -> bool {
    done.is_open || events.iter().any(|event| matches!(event, Event::Opened { .. }))
}

/// A new version changes another blueprint first.
fn after(item: &Item, agreement: &Agreement, first: &Place, now: Moment) -> Turned {
    let plan = agreement.plan.place.name.to_string();
    let why = format!(
        "plan {plan} is approved and has its turn after {first}: a new version changes one blueprint at a time"
    );
    let done = Done { next: Next::At(now + ASKS_AGAIN), condition: Condition::Pending, ..done::nothing() };
    let mut turned = told(item, done, Some(reasons::NEW_VERSION), &why);
    turned.report.plan = Some(plan);
    turned.report.pending = Some((reasons::NEW_VERSION, why));
    turned
}

/// Who has its turn after another one asks again after so long.
const ASKS_AGAIN: Span = Span::from_secs(30);
