//! Events: what is told when something turns, and at most one a minute of each resource.
//!
//! Goes in: what was told of a resource before and after. Comes out: what happened to it.
//!
//! **Invariant:** an event is an edge: where nothing is told otherwise nothing has happened, and who begins anew tells nothing.
//! **Invariant:** of one resource one event is told a minute, and few wait: the newest of each reason. That with which it ends is told
//! at once, and what is over by another one is not told after that.

use std::collections::BTreeMap;

use super::conditions::WANTED_OTHERWISE;
use rgctl_kube::happening::Happening;
use rgctl_kube::item::Watched;
use rgctl_kube::kinds::condition::{Condition, Holds, find, reasons, types};
use rgctl_kube::kinds::{ApprovalStatus, BlueprintStatus};
use rgctl_schema::time::Span;
use serde_json::Value;

/// Of one resource at most one in so long.
pub const APART: Span = Span::from_mins(1);
/// Events of one resource that wait.
const WAITING_MAX: usize = 4;
/// Resources that are remembered.
const RESOURCES_MAX: usize = 20_000;

/// Whether the resource ends with it: nothing else happens to it any more.
fn is_last(reason: &str) -> bool {
    matches!(reason, "Destroyed" | "LetGo" | "Braked")
}

/// Whether what one event tells is no longer so once another one has happened.
fn is_over_by(one: &str, other: &str) -> bool {
    one == other
        || is_last(other)
        || other == "DeletionStarted" && matches!(one, "DeletionHeld" | "PlanWaits")
}

/// What happened to a resource, by what was told of it before and what is told now.
pub fn edges(what: Watched, before: &Value, after: &Value, is_going: bool) -> Vec<Happening> {
    match what {
        Watched::Blueprint => of_blueprint(&read(before), &read(after), is_going),
        Watched::Approval => of_approval(&read(before), &read(after)),
        _ => Vec::new(),
    }
}

fn read<T: serde::de::DeserializeOwned + Default>(status: &Value) -> T {
    serde_json::from_value(status.clone()).unwrap_or_default()
}

fn happening(reason: &'static str, action: &'static str, note: &str, is_warning: bool) -> Happening {
    Happening { reason, action, note: note.to_owned(), is_warning }
}

/// A condition that holds now and did not before, or holds for another reason.
fn turned<'a>(before: &[Condition], after: &'a [Condition], about: &str) -> Option<&'a Condition> {
    let now = find(after, about).filter(|one| one.status == Holds::True)?;
    let is_old = find(before, about).is_some_and(|was| was.status == Holds::True && was.reason == now.reason);
    (!is_old).then_some(now)
}

fn of_blueprint(before: &BlueprintStatus, after: &BlueprintStatus, is_going: bool) -> Vec<Happening> {
    let (was, is) = (&before.conditions, &after.conditions);
    let reason_of =
        |all: &[Condition]| find(all, types::READY).map(|ready| ready.reason.clone()).unwrap_or_default();
    let (reason_was, reason_is) = (reason_of(was), reason_of(is));
    let message = find(is, types::READY).map(|ready| ready.message.as_str()).unwrap_or_default();
    let mut all = Vec::new();
    if turned(was, is, types::READY).is_some() {
        all.push(happening("Settled", "Judge", "all is as it is wanted", false));
    }
    if let Some(stalled) = turned(was, is, types::STALLED) {
        all.push(happening("Blocked", "Judge", &format!("{}: {}", stalled.reason, stalled.message), true));
    }
    let held = find(was, types::DELETION_HELD).is_some_and(|one| one.status == Holds::True);
    let holds = find(is, types::DELETION_HELD).is_some_and(|one| one.status == Holds::True);
    let waits = find(is, types::PLAN_PENDING).filter(|one| one.status == Holds::True);
    let is_new_plan = turned(was, is, types::PLAN_PENDING).is_some() || before.plan != after.plan;
    if let Some(waits) = waits.filter(|_| is_new_plan) {
        let reason = if holds { "DeletionHeld" } else { "PlanWaits" };
        all.push(happening(reason, "Publish", &waits.message, holds));
    }
    if is_going && held && !holds {
        all.push(happening(
            "DeletionStarted",
            "Destroy",
            "somebody has agreed: its stores go, each with a last snapshot",
            true,
        ));
    }
    let drifted = find(was, types::READY).is_some_and(|ready| ready.status == Holds::True)
        && before.observed_generation == after.observed_generation
        && after.drift.is_some_and(|count| count > 0)
        && find(is, types::SYNCED).is_none_or(|synced| synced.reason != WANTED_OTHERWISE);
    if drifted && turned(was, is, types::READY).is_none() && !is_ready(is) {
        let count = after.drift.unwrap_or_default();
        let noun = if count == 1 { "object differs" } else { "objects differ" };
        all.push(happening(
            "DriftFound",
            "Judge",
            &format!("{count} {noun} from what is wanted, whose text is as it was"),
            true,
        ));
    }
    for (reason, event, note) in [(reasons::PAUSED, "Paused", message), ("AnotherRun", "Held", message)] {
        if reason_is == reason && reason_was != reason {
            all.push(happening(event, "Judge", note, false));
        }
    }
    let refused =
        |all: &[Condition]| find(all, types::OUTPUTS_PUBLISHED).is_some_and(|one| one.status == Holds::False);
    if refused(is) && !refused(was) {
        let why = find(is, types::OUTPUTS_PUBLISHED).map(|one| one.message.as_str()).unwrap_or_default();
        all.push(happening("OutputsRefused", "Publish", why, true));
    }
    let unseen = |all: &[Condition]| find(all, types::OBSERVED).is_some_and(|one| one.status == Holds::False);
    if unseen(is) && !unseen(was) {
        let why = find(is, types::OBSERVED).map(|one| one.message.as_str()).unwrap_or_default();
        all.push(happening("NotSeen", "Look", why, true));
    }
    all
}

fn is_ready(conditions: &[Condition]) -> bool {
    find(conditions, types::READY).is_some_and(|ready| ready.status == Holds::True)
}

fn of_approval(before: &ApprovalStatus, after: &ApprovalStatus) -> Vec<Happening> {
    let now = find(&after.conditions, types::READY);
    let was = find(&before.conditions, types::READY);
    match now {
        Some(now) if was.is_some_and(|was| (was.status, &was.message) == (now.status, &now.message)) => {
            Vec::new()
        }
        Some(now) if now.status == Holds::False => vec![happening("Refused", "Judge", &now.message, true)],
        Some(now) if now.status == Holds::True => {
            vec![happening("Used", "Judge", "its plan was carried out by it", false)]
        }
        Some(_) | None => Vec::new(),
    }
}

#[derive(Debug, Default)]
struct Slot {
    told_at: Option<Span>,
    waiting: Vec<Happening>,
}

/// Who paces events: one a minute of each resource.
#[derive(Debug, Default)]
pub struct Pacing<K: Ord> {
    slots: BTreeMap<K, Slot>,
    /// Events that were not kept, since too many wait.
    pub left_out: u64,
}

impl<K: Ord + Clone> Pacing<K> {
    /// Nothing was told yet.
    pub const fn new() -> Self {
        Self { slots: BTreeMap::new(), left_out: 0 }
    }

    /// Takes what happened to a resource.
    pub fn offer(&mut self, of: &K, happenings: Vec<Happening>) {
        if happenings.is_empty() {
            return;
        }
        if !self.slots.contains_key(of) && self.slots.len() >= RESOURCES_MAX {
            self.left_out += happenings.len() as u64;
            return;
        }
        let slot = self.slots.entry(of.clone()).or_default();
        for happening in happenings {
            // Of one reason the newest: an older one is no longer so.
            slot.waiting.retain(|one| !is_over_by(one.reason, happening.reason));
            slot.waiting.push(happening);
        }
        let surplus = slot.waiting.len().saturating_sub(WAITING_MAX);
        slot.waiting.drain(..surplus);
        self.left_out += surplus as u64;
    }

    /// What is to be told at that time since the machine was started: one of each resource at most, and its last one at once.
    pub fn due(&mut self, since_boot: Span) -> Vec<(K, Happening)> {
        let is_apart =
            |then: Span| since_boot.as_millis().saturating_sub(then.as_millis()) >= APART.as_millis();
        self.slots
            .retain(|_, slot| !slot.waiting.is_empty() || slot.told_at.is_some_and(|then| !is_apart(then)));
        let mut due = Vec::new();
        for (of, slot) in &mut self.slots {
            let Some(first) = slot.waiting.first() else { continue };
            if !is_last(first.reason) && slot.told_at.is_some_and(|then| !is_apart(then)) {
                continue;
            }
            slot.told_at = Some(since_boot);
            due.push((of.clone(), slot.waiting.remove(0)));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use rgctl_kube::kinds::plan::Cause;
    use rgctl_schema::time::Moment;

    use super::*;
    use crate::agent::work::Condition as State;
    use crate::operator::conditions::{Report, status};

    fn told(report: &Report, before: &BlueprintStatus) -> (BlueprintStatus, Vec<&'static str>) {
        let after = status(report, before, Moment::EPOCH);
        let value = |status: &BlueprintStatus| serde_json::to_value(status).unwrap();
        let all = edges(Watched::Blueprint, &value(before), &value(&after), report.deletion.is_some());
        (after, all.iter().map(|one| one.reason).collect())
    }

    fn report(state: State) -> Report {
        Report { generation: 1, state, drift: Some(0), ..Report::default() }
    }

    #[test]
    fn a_life_of_a_blueprint_is_told_by_its_edges_and_what_stays_so_is_not_told_again() {
        let none = BlueprintStatus::default();
        let working = Report { drift: Some(9), ..report(State::Progressing) };
        let (after, events) = told(&working, &none);
        assert!(events.is_empty(), "that work begins is in its status: {events:?}");
        let (settled, events) = told(&report(State::Ready), &after);
        assert_eq!(events, ["Settled"]);
        assert!(told(&report(State::Ready), &settled).1.is_empty(), "also after a restart");
        // Of an unchanged text.
        let (drifted, events) = told(&Report { drift: Some(2), ..report(State::Progressing) }, &settled);
        assert_eq!(events, ["DriftFound"]);
        // Nobody changed the text, and a number that somebody decided, or a new version, wants something else.
        for cause in [Cause::Override, Cause::NewVersion] {
            let wanted = Report { drift: Some(2), cause: Some(cause), ..report(State::Progressing) };
            assert!(told(&wanted, &settled).1.is_empty(), "{cause:?}");
        }
        let (again, events) = told(&report(State::Ready), &drifted);
        assert_eq!(events, ["Settled"]);
        let wanted = Report { generation: 2, drift: Some(2), ..report(State::Progressing) };
        assert!(told(&wanted, &again).1.is_empty(), "somebody wants something else");
        let blocked = Report { message: "no room".to_owned(), ..report(State::Blocked) };
        let (blocked_status, events) = told(&blocked, &again);
        assert_eq!(events, ["Blocked"]);
        let other = Report { message: "still no room".to_owned(), ..report(State::Blocked) };
        assert!(told(&other, &blocked_status).1.is_empty(), "it is the same edge in other words");
    }

    #[test]
    fn a_plan_that_waits_is_told_once_and_a_deletion_as_such() {
        let settled = told(&report(State::Ready), &BlueprintStatus::default()).0;
        let why = || Some((reasons::NEEDS_APPROVAL, "plan a waits".to_owned()));
        let waits = Report { pending: why(), plan: Some("a".to_owned()), ..report(State::Pending) };
        let (after, events) = told(&waits, &settled);
        assert_eq!(events, ["PlanWaits"]);
        assert!(told(&waits, &after).1.is_empty());
        let another = Report { plan: Some("b".to_owned()), ..waits.clone() };
        assert_eq!(told(&another, &after).1, ["PlanWaits"], "another plan");
        let held = Report { deletion: why(), ..waits };
        let (after, events) = told(&held, &settled);
        assert_eq!(events, ["DeletionHeld"]);
        let goes = status(&report(State::Progressing), &after, Moment::EPOCH);
        let value = |status: &BlueprintStatus| serde_json::to_value(status).unwrap();
        let events = edges(Watched::Blueprint, &value(&after), &value(&goes), true);
        assert_eq!(events.iter().map(|one| one.reason).collect::<Vec<_>>(), ["DeletionStarted"]);
    }

    #[test]
    fn of_one_resource_one_is_told_a_minute_and_the_newest_of_each_reason_waits() {
        let one = |reason, note: &str| happening(reason, "Judge", note, false);
        let mut pacing = Pacing::new();
        let at = Span::from_secs;
        pacing.offer(&"a", vec![one("Settled", "1")]);
        pacing.offer(&"b", vec![one("Blocked", "1")]);
        assert_eq!(pacing.due(at(100)).len(), 2);
        for number in 0..50 {
            pacing.offer(&"a", vec![one("Blocked", &number.to_string()), one("Settled", "2")]);
        }
        assert!(pacing.due(at(159)).is_empty(), "not a minute has passed");
        let told = pacing.due(at(160));
        assert_eq!(told, [("a", one("Blocked", "49"))]);
        assert_eq!(pacing.due(at(161)), []);
        assert_eq!(pacing.due(at(220)), [("a", one("Settled", "2"))]);
        assert_eq!(pacing.due(at(400)), []);
        assert!(pacing.slots.is_empty(), "nothing is kept of who is quiet");
        // A deletion: who is asked no more is not told to agree, and the end is told at once and alone.
        let deletion = ["Settled", "DeletionHeld", "DeletionStarted"].map(|reason| one(reason, ""));
        pacing.offer(&"c", deletion.to_vec());
        assert_eq!(pacing.due(at(500)), [("c", one("Settled", ""))]);
        assert_eq!(pacing.due(at(560)), [("c", one("DeletionStarted", ""))]);
        pacing.offer(&"c", vec![one("NotSeen", "")]);
        for last in ["Destroyed", "LetGo", "Braked"] {
            pacing.offer(&"c", vec![one(last, "")]);
            assert_eq!(pacing.due(at(561)), [("c", one(last, ""))]);
        }
        assert_eq!(pacing.due(at(700)), []);
        for reason in ["A", "B", "C", "D", "E"] {
            pacing.offer(&"a", vec![one(reason, "")]);
        }
        assert_eq!((pacing.slots["a"].waiting.len(), pacing.left_out), (WAITING_MAX, 1));
    }
}
