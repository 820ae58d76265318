//! Plans as objects, and what an approval of one is worth.
//!
//! Goes in: plans of the engine, objects of the cluster. Comes out: what is published, and which consents somebody has given.
//!
//! **Invariant:** an approval is good for the steps that its plan names, each to the byte of what it asks for, and for no other;
//! for one that was made after its plan, that its approver's consents cover whole, and once.
//! **Invariant:** a plan object that does not add up to its own digest is worth nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rgctl_kube::item::Item;
use rgctl_kube::kinds::approval::{ApprovalSpec, LASTS_MAX};
use rgctl_kube::kinds::plan::{
    Cause, Of, Phase, PlanSpec, PlanStatus, PlannedStep, STEPS_KEPT_MAX, STEPS_TOLD_MAX, name,
};
use rgctl_model::plan::{Answer, Plan, Step};
use rgctl_model::policy::{Consent, ConsentRequest};
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::money::Total;
use rgctl_schema::time::Moment;

use crate::operator::costs;
use crate::report::words;

/// The part of a plan that waits for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Each of its steps, with the digest of its work.
    pub work: BTreeMap<String, String>,
    /// What must be agreed to by name.
    pub consents: BTreeSet<String>,
    requests: BTreeSet<ConsentRequest>,
}

impl Held {
    /// What lacks a consent; all of it where all waits.
    pub fn of(plan: &Plan, all: bool) -> Self {
        let mut held = Self::default();
        for step in plan.steps.iter().filter(|step| all || step.missing_consent().next().is_some()) {
            held.work.insert(step.id.0.to_string(), work(step));
            held.requests.extend(step.requires.iter().cloned());
        }
        held.consents = held.requests.iter().map(ToString::to_string).collect();
        held
    }

    /// What is carried out without anybody being asked, of which nothing is compared with an approval; and what nobody may begin,
    /// whoever agrees to it, with what needs that, and why.
    fn unasked(plan: &Plan) -> (Self, Self, Option<&str>) {
        let (mut unasked, mut barred, mut why) = (Self::default(), Self::default(), None);
        for step in plan.steps.iter().filter(|step| step.missing_consent().next().is_none()) {
            let is_after = step.needs.iter().any(|need| barred.work.contains_key(&*need.0.to_string()));
            let of = match &step.answer {
                Answer::No { why: no, .. } | Answer::HeldOut { why: no } => {
                    why.get_or_insert(no.as_str());
                    &mut barred
                }
                Answer::Go | Answer::Wait { .. } if is_after => &mut barred,
                Answer::Go | Answer::Wait { .. } => &mut unasked,
            };
            of.work.insert(step.id.0.to_string(), work(step));
        }
        (unasked, barred, why)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    /// Digest of all of it.
    pub fn digest(&self) -> String {
        digest(&self.work)
    }

    /// Whether all of it is part of what a plan says: some of that may be done by now.
    fn is_within(&self, spec: &PlanSpec) -> bool {
        self.work.iter().all(|(id, work)| spec.work.get(id) == Some(work))
    }
}

/// What a step asks for, without what differs from one making of the plan to the next. What it takes is judged by its consents: of
/// a step that goes with another one it is less, once that one is gone.
fn work(step: &Step) -> String {
    step.op.asks()
}

fn digest(work: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (id, work) in work {
        text.push_str(id);
        text.push('\n');
        text.push_str(work);
        text.push('\n');
    }
    sha256_hex(text.as_bytes())
}

/// What is published of what a run carries out unasked: what people read, and nothing that an approval could name. Where nothing of it
/// may be begun, that is published, with why, whether a run was opened for it or not.
pub fn recorded(
    plan: &Plan,
    of: Of,
    cause: Cause,
    version: &str,
    run: Option<&str>,
    now: Moment,
) -> Option<(PlanSpec, Option<String>)> {
    let (unasked, barred, why) = Held::unasked(plan);
    let (steps, why) = if unasked.is_empty() { (barred, why) } else { (unasked, None) };
    if steps.is_empty() || run.is_none() && why.is_none() {
        return None;
    }
    let spec = spec(plan, &steps, of, cause, version, now);
    let run = run.map(str::to_owned);
    let spec = PlanSpec { needs_approval: false, run, work: BTreeMap::new(), ..spec };
    Some((spec, why.map(str::to_owned)))
}

/// Whether a plan says already that this may not be begun, for the same text.
pub fn says_refused(plan: &Item, spec: &PlanSpec) -> bool {
    let before: Option<PlanSpec> = serde_json::from_str(&plan.spec).ok();
    let status: PlanStatus = serde_json::from_str(&plan.status).unwrap_or_default();
    let is_same =
        |before: PlanSpec| (before.blueprint, before.digest) == (spec.blueprint.clone(), spec.digest.clone());
    status.phase == Phase::Refused && !plan.meta.is_going() && before.is_some_and(is_same)
}

/// What is published of a plan that waits; nothing where it has more steps than can be kept, and so compared.
pub fn published(
    plan: &Plan,
    held: &Held,
    of: Of,
    cause: Cause,
    version: &str,
    now: Moment,
) -> Option<PlanSpec> {
    (held.work.len() <= STEPS_KEPT_MAX).then(|| spec(plan, held, of, cause, version, now))
}

fn spec(plan: &Plan, held: &Held, of: Of, cause: Cause, version: &str, now: Moment) -> PlanSpec {
    let steps = plan.steps.iter().filter(|step| held.work.contains_key(&*step.id.0.to_string()));
    let (mut before, mut after) = (Total::default(), Total::default());
    for step in steps.clone() {
        before.merge(&step.cost.before);
        after.merge(&step.cost.after);
    }
    let worst = steps.clone().map(|step| step.effect.write_outage).max();
    let mut worst = steps.clone().filter(|step| Some(step.effect.write_outage) == worst);
    let disturbance = worst.next().map(|step| {
        let alike = match worst.count() {
            0 => String::new(),
            more => format!(" (and {more} more like it)"),
        };
        format!("{}{alike}: {}", step.id.0, words::effect(&step.effect))
    });
    PlanSpec {
        blueprint: of,
        digest: held.digest(),
        cause,
        made: now,
        version: version.to_owned(),
        needs_approval: true,
        run: None,
        steps: u32::try_from(held.work.len()).unwrap_or(u32::MAX),
        first: steps.take(STEPS_TOLD_MAX).map(planned).collect(),
        consents: held.consents.iter().cloned().collect(),
        disturbance,
        cost_now: Some(costs::cost(&before)),
        cost_after: Some(costs::cost(&after)),
        work: held.work.clone(),
    }
}

fn planned(step: &Step) -> PlannedStep {
    PlannedStep {
        id: step.id.0.to_string(),
        does: words::verb(&step.op),
        why: step.why.to_string(),
        disturbs: step.disturbs.waits_for_window().then(|| words::effect(&step.effect)),
        consents: step.requires.iter().map(ToString::to_string).collect(),
    }
}

/// What an approval is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worth {
    /// These consents were given.
    Good(BTreeSet<Consent>),
    /// Nothing, and why.
    Nothing(String),
}

/// Judges an approval of a plan, for what waits now.
pub fn worth(approval: &Item, plan: &Item, held: &Held, of: &Item, now: Moment) -> Worth {
    match judged(approval, plan, held, of, now) {
        Ok(consents) => Worth::Good(consents),
        Err(why) => Worth::Nothing(why),
    }
}

fn judged(
    approval: &Item,
    plan: &Item,
    held: &Held,
    of: &Item,
    now: Moment,
) -> Result<BTreeSet<Consent>, String> {
    let read = |error: serde_json::Error| format!("it cannot be read: {error}");
    let agreed: ApprovalSpec = serde_json::from_str(&approval.spec).map_err(read)?;
    let spec: PlanSpec =
        serde_json::from_str(&plan.spec).map_err(|error| format!("its plan cannot be read: {error}"))?;
    let status: PlanStatus = serde_json::from_str(&plan.status).unwrap_or_default();
    if agreed.plan != *plan.place.name || approval.place.namespace != plan.place.namespace {
        return Err("it is of another plan".to_owned());
    }
    if !spec.needs_approval {
        return Err("its plan is carried out without one".to_owned());
    }
    if agreed.digest != spec.digest {
        return Err(format!(
            "its digest is not that of the plan: what was agreed to is something else than {}",
            spec.digest
        ));
    }
    if digest(&spec.work) != spec.digest || name(&of.place.name, &spec.digest) != *plan.place.name {
        return Err("the plan does not add up to its digest: it was not made by the operator".to_owned());
    }
    if spec.blueprint.uid != of.uid() || plan.place.namespace != of.place.namespace {
        return Err("the plan is of another blueprint, or of one that was there before".to_owned());
    }
    if approval.meta.creation_timestamp < plan.meta.creation_timestamp {
        return Err("it was made before its plan".to_owned());
    }
    let is_begun =
        status.phase == Phase::Running && status.approval.as_deref() == Some(&*approval.place.name);
    match status.phase {
        Phase::Pending => {}
        Phase::Running if is_begun => {}
        Phase::Running => return Err("another approval lets the plan be carried out".to_owned()),
        Phase::Refused => return Err("nobody may begin its plan".to_owned()),
        Phase::Done | Phase::Superseded => return Err("it was good once, and the plan is over".to_owned()),
    }
    // What was begun in time is finished.
    if agreed.expires <= now && !is_begun {
        return Err(format!("it was good until {}", agreed.expires));
    }
    let made = approval.meta.creation_timestamp.unwrap_or(Moment::EPOCH);
    if agreed.expires > made + LASTS_MAX {
        return Err(format!("it would be good for longer than {LASTS_MAX}"));
    }
    if !held.is_within(&spec) {
        return Err("what waits now is more, or something else, than what was agreed to".to_owned());
    }
    let consents: BTreeSet<Consent> = agreed.agreed()?.into_iter().collect();
    let lacking: Vec<String> = held
        .requests
        .iter()
        .filter(|request| !consents.iter().any(|consent| consent.covers(request)))
        .map(ToString::to_string)
        .collect();
    if lacking.is_empty() { Ok(consents) } else { Err(format!("it lacks consent to {}", lacking.join(", "))) }
}

/// The plan of another blueprint that a new version changes at the moment: one is changed after the other.
pub fn changed_first<'a>(mut plans: impl Iterator<Item = &'a Arc<Item>>, of: &Item) -> Option<&'a Arc<Item>> {
    let is_other = |plan: &&Arc<Item>| {
        let status: PlanStatus = serde_json::from_str(&plan.status).unwrap_or_default();
        let spec = || serde_json::from_str::<PlanSpec>(&plan.spec).ok();
        status.phase == Phase::Running
            && spec().is_some_and(|spec| spec.cause == Cause::NewVersion && spec.blueprint.uid != of.uid())
    };
    plans.find(is_other)
}

/// The plans of a blueprint that are out of date, and those that are to be removed: of old ones the last few are kept.
pub fn outdated<'a>(plans: &[&'a Item], of: &Item, now: Option<&str>) -> (Vec<&'a Item>, Vec<&'a Item>) {
    let is_ours = |plan: &&&'a Item| {
        let spec: Option<PlanSpec> = serde_json::from_str(&plan.spec).ok();
        spec.is_some_and(|spec| spec.blueprint.name == *of.place.name)
    };
    let phase = |plan: &Item| serde_json::from_str::<PlanStatus>(&plan.status).unwrap_or_default().phase;
    let is_now = |plan: &Item| Some(&*plan.place.name) == now;
    let mut ours: Vec<&Item> = plans.iter().filter(is_ours).copied().collect();
    // The present one is the newest, also where two were made within a second.
    ours.sort_by_key(|plan| std::cmp::Reverse((is_now(plan), plan.meta.creation_timestamp)));
    let (asked, unasked): (Vec<&Item>, Vec<&Item>) = ours.into_iter().partition(|plan| asks(plan));
    let kept = asked.iter().take(PLANS_KEPT).chain(unasked.iter().take(RUNS_KEPT)).copied();
    let many = asked.iter().skip(PLANS_KEPT).chain(unasked.iter().skip(RUNS_KEPT)).copied();
    let is_under_way = |plan: &&Item| !is_now(plan) && matches!(phase(plan), Phase::Pending | Phase::Running);
    (kept.filter(is_under_way).collect(), many.filter(|plan| !is_now(plan)).collect())
}

/// Whether a plan is carried out only on an approval.
pub fn asks(plan: &Item) -> bool {
    serde_json::from_str::<PlanSpec>(&plan.spec).map_or(true, |spec| spec.needs_approval)
}

/// Plans of a blueprint about which somebody was asked, and that are kept.
const PLANS_KEPT: usize = 10;
/// Plans of a blueprint that were carried out unasked, and that are kept: of the others the record tells.
const RUNS_KEPT: usize = 1;

#[cfg(test)]
mod tests {
    use rgctl_kube::item::Watched;
    use rgctl_model::policy::DestructiveAction;
    use rgctl_schema::names::{RegionId, StoreName};
    use serde_json::{Value, json};

    use super::*;

    const EXPIRES: &str = "2026-11-29T06:00:00Z";

    fn held(steps: &[&str]) -> Held {
        let request = ConsentRequest {
            action: DestructiveAction::Delete,
            store: StoreName::new("players").ok(),
            region: RegionId::new("us-east-1").unwrap(),
        };
        let work = steps.iter().map(|step| ((*step).to_owned(), format!("work of {step}"))).collect();
        let consents = BTreeSet::from([request.to_string()]);
        Held { work, consents, requests: BTreeSet::from([request]) }
    }

    fn item(what: Watched, name: &str, created: &str, spec: &Value, status: &Value) -> Item {
        let object = json!({
            "metadata": { "name": name, "namespace": "games", "uid": format!("uid of {name}"),
                "generation": 1, "creationTimestamp": created },
            "spec": spec, "status": status,
        });
        Item::of(what, object).unwrap()
    }

    /// A blueprint, its plan, and an approval of it that counts.
    fn scene(of: &Held) -> (Item, Item, Item) {
        let blueprint = item(Watched::Blueprint, "arena", "2026-11-28T05:00:00Z", &json!({}), &json!({}));
        let spec = PlanSpec {
            blueprint: Of { name: "arena".to_owned(), uid: blueprint.uid().to_owned(), generation: 1 },
            digest: of.digest(),
            cause: Cause::Changed,
            made: Moment::EPOCH,
            version: "1".to_owned(),
            needs_approval: true,
            run: None,
            steps: 1,
            first: Vec::new(),
            consents: Vec::new(),
            disturbance: None,
            cost_now: None,
            cost_after: None,
            work: of.work.clone(),
        };
        let name = name("arena", &of.digest());
        let spec = serde_json::to_value(spec).unwrap();
        let plan = item(Watched::Plan, &name, "2026-11-28T06:00:00Z", &spec, &json!({}));
        let agreed = json!({ "plan": name, "digest": of.digest(), "approver": "ann", "expires": EXPIRES,
            "consents": ["delete:players@us-east-1"] });
        let approval = item(Watched::Approval, "yes", "2026-11-28T06:00:01Z", &agreed, &json!({}));
        (blueprint, plan, approval)
    }

    fn now() -> Moment {
        Moment::parse_rfc3339("2026-11-28T06:10:00Z").unwrap()
    }

    fn with(item: &Item, field: &str, value: Value) -> Item {
        let mut spec = item.spec();
        spec[field] = value;
        Item { spec: spec.to_string().into(), ..item.clone() }
    }

    fn why(worth: Worth) -> String {
        match worth {
            Worth::Good(_) => "good".to_owned(),
            Worth::Nothing(why) => why,
        }
    }

    #[test]
    fn an_approval_is_good_for_its_plan_and_for_what_is_left_of_it() {
        let all = held(&["delete a", "delete b"]);
        let (blueprint, plan, approval) = scene(&all);
        assert!(
            matches!(worth(&approval, &plan, &all, &blueprint, now()), Worth::Good(consents) if consents.len() == 1)
        );
        assert_eq!(why(worth(&approval, &plan, &held(&["delete b"]), &blueprint, now())), "good");
    }

    #[test]
    fn what_was_not_agreed_to_is_not_covered_step_by_step() {
        let all = held(&["delete a"]);
        let (blueprint, plan, approval) = scene(&all);
        let more = why(worth(&approval, &plan, &held(&["delete a", "delete b"]), &blueprint, now()));
        assert!(more.contains("something else"), "{more}");
        let mut other = all.clone();
        other.work.insert("delete a".to_owned(), "other work".to_owned());
        assert!(why(worth(&approval, &plan, &other, &blueprint, now())).contains("something else"));
    }

    #[test]
    fn a_stolen_digest_a_forged_plan_and_another_blueprint_are_worth_nothing() {
        let all = held(&["delete a"]);
        let (blueprint, plan, approval) = scene(&all);
        let stolen = with(&approval, "digest", json!("0".repeat(64)));
        assert!(why(worth(&stolen, &plan, &all, &blueprint, now())).contains("digest"));
        // A plan whose work was changed under its digest, and one that was made for what waits, by another hand.
        let forged = with(&plan, "work", json!({ "delete a": "work of delete a", "delete b": "x" }));
        assert!(why(worth(&approval, &forged, &all, &blueprint, now())).contains("does not add up"));
        let mut named = plan.clone();
        named.place.name = "arena-mine".into();
        let approves_it = with(&approval, "plan", json!("arena-mine"));
        assert!(why(worth(&approves_it, &named, &all, &blueprint, now())).contains("does not add up"));
        let mut again = blueprint.clone();
        again.meta.uid = Some("another uid".to_owned());
        assert!(why(worth(&approval, &plan, &all, &again, now())).contains("another blueprint"));
    }

    #[test]
    fn a_plan_that_is_carried_out_unasked_takes_no_approval_and_the_last_of_them_is_kept() {
        let all = held(&["delete a"]);
        let (blueprint, plan, approval) = scene(&all);
        let unasked = with(&with(&plan, "needsApproval", json!(false)), "run", json!("r1"));
        assert!(why(worth(&approval, &unasked, &all, &blueprint, now())).contains("carried out without one"));
        let at = |plan: &Item, second: i64, status: &Value| {
            let mut plan = plan.clone();
            plan.place.name = format!("arena-{second}").into();
            plan.meta.creation_timestamp = Some(Moment::from_secs(second));
            plan.status = status.to_string().into();
            plan
        };
        let done = json!({ "phase": "Done" });
        let runs: Vec<Item> = (1..=3).map(|second| at(&unasked, second, &done)).collect();
        let asked: Vec<Item> = (11..=22).map(|second| at(&plan, second, &done)).collect();
        let running = at(&unasked, 4, &json!({}));
        let all: Vec<&Item> = runs.iter().chain(&asked).chain([&running]).collect();
        let names =
            |plans: &[&Item]| plans.iter().map(|plan| plan.place.name.to_string()).collect::<Vec<_>>();
        let (old, many) = outdated(&all, &blueprint, Some("arena-4"));
        assert_eq!(names(&old), [] as [&str; 0]);
        assert_eq!(names(&many), ["arena-12", "arena-11", "arena-3", "arena-2", "arena-1"]);
        // A run that nobody goes on with is over.
        let (old, many) = outdated(&all, &blueprint, None);
        assert_eq!((names(&old), many.len()), (vec!["arena-4".to_owned()], 5));
    }

    #[test]
    fn an_approval_ends_at_its_time_unless_it_was_begun_and_is_good_once() {
        let all = held(&["delete a"]);
        let (blueprint, plan, approval) = scene(&all);
        let late = Moment::parse_rfc3339("2026-11-30T06:00:00Z").unwrap();
        assert!(why(worth(&approval, &plan, &all, &blueprint, late)).contains("good until"));
        let status = |status: Value| Item { status: status.to_string().into(), ..plan.clone() };
        let begun = status(json!({ "phase": "Running", "approval": "yes" }));
        assert_eq!(why(worth(&approval, &begun, &all, &blueprint, late)), "good");
        let by_another = status(json!({ "phase": "Running", "approval": "other" }));
        assert!(why(worth(&approval, &by_another, &all, &blueprint, now())).contains("another approval"));
        for phase in ["Done", "Superseded"] {
            let over = status(json!({ "phase": phase, "approval": "yes" }));
            assert!(why(worth(&approval, &over, &all, &blueprint, now())).contains("once"));
        }
        let long = with(&approval, "expires", json!("2027-11-29T06:00:00Z"));
        assert!(why(worth(&long, &plan, &all, &blueprint, now())).contains("longer"));
        // The same plan made anew is another one: who agreed to the first has not agreed to it.
        let mut anew = plan.clone();
        anew.meta.creation_timestamp = Some(now());
        assert!(why(worth(&approval, &anew, &all, &blueprint, now())).contains("before its plan"));
    }

    #[test]
    fn consents_must_cover_all_that_is_lost() {
        let all = held(&["delete a"]);
        let (blueprint, plan, approval) = scene(&all);
        for consents in [json!([]), json!(["shrink:players@us-east-1"]), json!(["delete:players@us-west-2"])]
        {
            let lacks = why(worth(&with(&approval, "consents", consents), &plan, &all, &blueprint, now()));
            assert_eq!(lacks, "it lacks consent to delete:players@us-east-1");
        }
        let wrong = with(&approval, "consents", json!(["delete:players@us-east-1", "all"]));
        assert!(why(worth(&wrong, &plan, &all, &blueprint, now())).contains("`all` is no consent"));
    }
}
