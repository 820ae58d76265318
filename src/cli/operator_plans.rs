//! Plans and approvals in the cluster: what is published, what was agreed to, and that an agreement is used once.
//!
//! Flow: what waits → the approvals of its plan → the plan is marked as begun → the turn → it is marked as done. Guarantees: nothing
//! is begun by an approval before its plan says so; a plan that is over is carried out by none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::operator_feed::Cluster;
use super::operator_told::Voice;
use crate::agent::work::Key;
use crate::operator::plans::{
    Held, Worth, asks, changed_first, outdated, published, recorded, says_refused, worth,
};
use rgctl_kube::desk::{Desk, DeskError};
use rgctl_kube::item::{Item, Place, Seen, Watched};
use rgctl_kube::kinds::condition::{Condition, Holds, set, types};
use rgctl_kube::kinds::plan::{Cause, Of, Phase, PlanSpec, PlanStatus, name};
use rgctl_kube::kinds::{ApprovalStatus, marks};
use rgctl_machine::SystemClock;
use rgctl_model::plan::Plan;
use rgctl_model::policy::Consent;
use rgctl_model::ports::Clock;

/// What somebody has agreed to.
pub struct Agreement {
    /// The plan.
    pub plan: Arc<Item>,
    approval: Arc<Item>,
    /// The consents.
    pub consents: std::collections::BTreeSet<Consent>,
}

/// Plans and approvals of a cluster.
pub struct Agreements {
    cluster: Arc<Cluster>,
    desk: Desk,
    voice: Arc<Voice>,
    /// Which version makes plans.
    pub version: String,
    one_by_one: tokio::sync::Mutex<()>,
    /// What is carried out unasked, by blueprint.
    runs: Mutex<BTreeMap<Key, Recorded>>,
}

/// A run that is carried out unasked.
#[derive(Clone)]
struct Recorded {
    /// The blueprint's uid.
    uid: String,
    run: String,
    /// Name of its plan.
    plan: String,
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Agreements {
    /// Of a cluster.
    pub fn new(cluster: Arc<Cluster>, desk: Desk, voice: Arc<Voice>, version: String) -> Self {
        Self {
            cluster,
            desk,
            voice,
            version,
            one_by_one: tokio::sync::Mutex::default(),
            runs: Mutex::default(),
        }
    }

    /// Approvals of plans of a blueprint, with those.
    fn of(&self, of: &Item) -> Vec<(Arc<Item>, Arc<Item>)> {
        let resources = self.cluster.resources();
        let plans = resources.about(Watched::Plan, &of.place);
        let with_approvals = |plan: &Arc<Item>| -> Vec<(Arc<Item>, Arc<Item>)> {
            let approvals = resources.about(Watched::Approval, &plan.place);
            approvals.map(|approval| (Arc::clone(approval), Arc::clone(plan))).collect()
        };
        let mut all: Vec<_> = plans.flat_map(with_approvals).collect();
        // Whichever plan it is of: the first in order is asked first.
        all.sort_by(|(a, _), (b, _)| a.place.cmp(&b.place));
        all
    }

    /// Whether there is an approval of a plan of it that is not over.
    pub fn may_be(&self, of: &Item) -> bool {
        self.of(of).iter().any(|(_, plan)| matches!(status(plan).phase, Phase::Pending | Phase::Running))
    }

    /// What somebody has agreed to that covers what waits; who agreed to something else hears why that does not count.
    pub async fn agreed(&self, of: &Item, held: &Held) -> Option<Agreement> {
        let now = SystemClock.now();
        let mut found = None;
        for (approval, plan) in self.of(of) {
            match worth(&approval, &plan, held, of, now) {
                // Where nothing waits any more, what was begun is finished, and nothing else is begun.
                Worth::Good(consents)
                    if found.is_none() && (!held.is_empty() || status(&plan).phase == Phase::Running) =>
                {
                    found = Some(Agreement { plan, approval, consents });
                }
                Worth::Nothing(why) if status(&plan).approval.as_deref() != Some(&*approval.place.name) => {
                    tracing::warn!(target: "rgctl::operator", approval = %approval.place, why, "it does not count");
                    self.judged(&approval, Holds::False, "DoesNotCount", &why, None).await;
                }
                Worth::Good(_) | Worth::Nothing(_) => {}
            }
        }
        found
    }

    async fn judged(&self, approval: &Item, holds: Holds, reason: &str, why: &str, used_by: Option<String>) {
        let mut status: ApprovalStatus = serde_json::from_str(&approval.status).unwrap_or_default();
        status.used_by = used_by.or(status.used_by);
        set(&mut status.conditions, ready(approval, holds, reason, why.to_owned()));
        self.voice.status_or_later(Watched::Approval, approval, &status).await;
    }

    /// The plan is begun by that approval, unless it is a new version's and another blueprint is changed by that at the moment:
    /// then that one's plan is told. Without this nothing of it is begun.
    pub async fn begin(&self, of: &Item, agreement: &Agreement) -> Result<Option<Place>, DeskError> {
        let cause = serde_json::from_str::<PlanSpec>(&agreement.plan.spec).map(|spec| spec.cause);
        let is_begun = status(&agreement.plan).phase == Phase::Running;
        if is_begun || !matches!(cause, Ok(Cause::NewVersion)) {
            return self.run(agreement).await.map(|()| None);
        }
        // One asks after the other: two that ask at once would both find nobody.
        let _turn = self.one_by_one.lock().await;
        let first = {
            let resources = self.cluster.resources();
            // Of a blueprint that is gone nothing goes on.
            let is_there = |plan: &&Arc<Item>| {
                let spec: Option<PlanSpec> = serde_json::from_str(&plan.spec).ok();
                spec.is_some_and(|spec| {
                    let of = Place::new(&plan.place.namespace, &spec.blueprint.name);
                    let of = resources.item(Watched::Blueprint, &of);
                    of.is_some_and(|of| of.uid() == spec.blueprint.uid)
                })
            };
            changed_first(resources.all(Watched::Plan).filter(is_there), of).map(|plan| plan.place.clone())
        };
        match first {
            Some(first) => Ok(Some(first)),
            None => self.run(agreement).await.map(|()| None),
        }
    }

    async fn run(&self, agreement: &Agreement) -> Result<(), DeskError> {
        let now = status(&agreement.plan);
        let approval = Some(agreement.approval.place.name.to_string());
        self.voice
            .status(Watched::Plan, &agreement.plan, &PlanStatus { phase: Phase::Running, approval, ..now })
            .await
    }

    /// The plan is over, however the run ended: another agreement is wanted for what is left.
    pub async fn end(&self, agreement: &Agreement, run: &str) {
        let plan = self.cluster.resources().item(Watched::Plan, &agreement.plan.place);
        let plan = plan.unwrap_or_else(|| Arc::clone(&agreement.plan));
        let over = PlanStatus { phase: Phase::Done, run: Some(run.to_owned()), ..status(&plan) };
        self.voice.status_or_later(Watched::Plan, &plan, &over).await;
        self.judged(&agreement.approval, Holds::True, "Used", "", Some(run.to_owned())).await;
    }

    /// Publishes what waits; yields the name of the plan.
    pub async fn publish(
        &self,
        of: &Item,
        plan: &Plan,
        held: &Held,
        cause: Cause,
    ) -> Result<Option<String>, DeskError> {
        let identity =
            Of { name: of.place.name.to_string(), uid: of.uid().to_owned(), generation: of.generation() };
        match published(plan, held, identity, cause, &self.version, SystemClock.now()) {
            Some(spec) => self.put(of, &spec, None).await.map(Some),
            None => Ok(None),
        }
    }

    /// Publishes what a run carries out unasked, once; yields the name of the plan. It is a record and no condition of anything: what
    /// cannot be written now is written by the next turn, with what is left then.
    pub async fn record(&self, of: &Item, plan: &Plan, run: Option<&str>, cause: Cause) -> Option<String> {
        if let Some(known) = run.and_then(|run| self.recorded(of, run)) {
            return Some(known);
        }
        let identity =
            Of { name: of.place.name.to_string(), uid: of.uid().to_owned(), generation: of.generation() };
        let (spec, refused) = recorded(plan, identity, cause, &self.version, run, SystemClock.now())?;
        match self.put(of, &spec, refused.as_deref()).await {
            Ok(name) => {
                match (refused, run) {
                    (Some(why), _) => self.refuse(of, &name, run, why).await,
                    (None, Some(run)) => self.note(of, run, &name),
                    (None, None) => {}
                }
                Some(name)
            }
            Err(error) => {
                tracing::warn!(target: "rgctl::operator", blueprint = %of.place, %error, "its plan could not be published");
                None
            }
        }
    }

    /// Nothing of a plan may be begun.
    async fn refuse(&self, of: &Item, plan: &str, run: Option<&str>, why: String) {
        let place = Place::new(&of.place.namespace, plan);
        let Some(plan) = self.cluster.resources().item(Watched::Plan, &place) else { return };
        let before = status(&plan);
        let run = run.map(str::to_owned).or(before.run.clone());
        let mut refused = PlanStatus { phase: Phase::Refused, run, ..before };
        set(&mut refused.conditions, ready(&plan, Holds::False, "Refused", why));
        self.voice.status_or_later(Watched::Plan, &plan, &refused).await;
    }

    /// Whether no plan of what is under way was published yet.
    pub fn is_untold(&self, of: &Item) -> bool {
        locked(&self.runs).get(&of.place.name).is_none_or(|known| known.uid != of.uid())
    }

    /// The plan of a run that was published, also by whoever led before.
    fn recorded(&self, of: &Item, run: &str) -> Option<String> {
        let known = locked(&self.runs).get(&of.place.name).filter(|known| known.uid == of.uid()).cloned();
        if let Some(known) = known {
            return (known.run == run).then_some(known.plan);
        }
        let is_of_run = |plan: &&Arc<Item>| {
            let spec: Option<PlanSpec> = serde_json::from_str(&plan.spec).ok();
            spec.is_some_and(|spec| spec.blueprint.uid == of.uid() && spec.run.as_deref() == Some(run))
        };
        let name = self.plans_of(of).iter().find(is_of_run)?.place.name.to_string();
        self.note(of, run, &name);
        Some(name)
    }

    fn note(&self, of: &Item, run: &str, plan: &str) {
        let (uid, run, plan) = (of.uid().to_owned(), run.to_owned(), plan.to_owned());
        locked(&self.runs).insert(Arc::clone(&of.place.name), Recorded { uid, run, plan });
    }

    /// It is gone: nothing of it is carried out any more.
    pub fn forget(&self, key: &Key) {
        locked(&self.runs).remove(key);
    }

    /// What was carried out unasked is over, however it ended: the record says how.
    pub async fn over(&self, of: &Item) {
        let known = locked(&self.runs).remove(&of.place.name).filter(|known| known.uid == of.uid());
        let Some(Recorded { run, plan, .. }) = known else { return };
        let place = Place::new(&of.place.namespace, &plan);
        let Some(plan) = self.cluster.resources().item(Watched::Plan, &place) else { return };
        let over = PlanStatus { phase: Phase::Done, run: Some(run), ..status(&plan) };
        self.voice.status_or_later(Watched::Plan, &plan, &over).await;
    }

    fn plans_of(&self, of: &Item) -> Vec<Arc<Item>> {
        self.cluster.resources().about(Watched::Plan, &of.place).cloned().collect()
    }

    /// Makes the object, unless it is there.
    async fn put(&self, of: &Item, spec: &PlanSpec, refused: Option<&str>) -> Result<String, DeskError> {
        let place = Place::new(&of.place.namespace, &name(&of.place.name, &spec.digest));
        let there = self.cluster.resources().item(Watched::Plan, &place);
        // The same that was done unasked before is not what somebody is asked about now, nor the other way round.
        let is_over = |plan: &Item| {
            matches!(status(plan).phase, Phase::Done | Phase::Superseded | Phase::Refused)
                || plan.meta.is_going()
                || !asks(plan)
                || !spec.needs_approval
        };
        if refused.is_some() && there.as_ref().is_some_and(|plan| says_refused(plan, spec)) {
            self.tidy(of, Some(&place.name)).await;
            return Ok(place.name.to_string());
        }
        let is_over = there.as_ref().is_some_and(|plan| is_over(plan));
        if is_over {
            // The same again is another plan: who agreed to the first one did not agree to this.
            self.desk.remove(Watched::Plan, &place).await?;
        }
        if there.is_none() || is_over {
            let metadata = json!({
                "labels": { marks::BLUEPRINT: &*of.place.name },
                "ownerReferences": [of.meta.owner(Watched::Blueprint.kind())],
            });
            let value =
                serde_json::to_value(spec).map_err(|error| DeskError::Refused { why: error.to_string() })?;
            if let Some(made) = self.desk.make(Watched::Plan, &place, metadata, &value).await? {
                let seen = Seen::Is(Box::new(made));
                self.cluster.resources().fold(Watched::Plan, None, seen, SystemClock.since_boot());
                let consents = spec.consents.join(", ");
                let what = if spec.needs_approval { "waits for an approval" } else { "is carried out" };
                match refused {
                    None => tracing::info!(target: "rgctl::operator", plan = %place, consents, "{what}"),
                    Some(why) => tracing::warn!(target: "rgctl::operator", plan = %place, why, "is refused"),
                }
            }
        }
        self.tidy(of, Some(&place.name)).await;
        Ok(place.name.to_string())
    }

    /// Marks the plans of a blueprint that are out of date, all but the one of that name, and removes old ones.
    pub async fn tidy(&self, of: &Item, now: Option<&str>) {
        let all = self.plans_of(of);
        let all: Vec<&Item> = all.iter().map(|plan| &**plan).collect();
        let (old, many) = outdated(&all, of, now);
        for plan in old {
            let over = PlanStatus { phase: Phase::Superseded, ..status(plan) };
            self.voice.status_or_later(Watched::Plan, plan, &over).await;
        }
        for plan in many {
            if let Err(error) = self.desk.remove(Watched::Plan, &plan.place).await {
                tracing::warn!(target: "rgctl::operator", plan = %plan.place, %error, "it could not be removed");
            }
        }
    }
}

/// What is told of a plan or an approval.
fn ready(of: &Item, status: Holds, reason: &str, message: String) -> Condition {
    Condition {
        about: types::READY.to_owned(),
        status,
        observed_generation: Some(of.generation()),
        last_transition_time: SystemClock.now(),
        reason: reason.to_owned(),
        message,
    }
}

fn status(plan: &Item) -> PlanStatus {
    serde_json::from_str(&plan.status).unwrap_or_default()
}
