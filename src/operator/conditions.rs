//! What is told of a blueprint in the cluster: its conditions and the rest of its status.
//!
//! Goes in: what a turn came to. Comes out: a status; equal to the one before wherever nothing else is to be told.
//!
//! **Invariant:** nothing in it moves by itself: no time but that of a condition's last change, no count of steps that are left.

use rgctl_kube::kinds::condition::{Condition, Holds, find, reasons, set, types};
use rgctl_kube::kinds::document::{BlueprintStatus, Cost, StoreStatus};
use rgctl_kube::kinds::plan::Cause;
use rgctl_schema::time::Moment;
use serde_json::{Map, Value};

use crate::agent::work::Condition as State;
use crate::operator::outputs;
use crate::report::outputs::OutputsReport;

/// The reason of `Synced` where the world is as it was, and something else is wanted of an unchanged text.
pub const WANTED_OTHERWISE: &str = "WantedOtherwise";

/// A reason in a word, and in words.
pub type Why = (&'static str, String);

/// What is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The generation that was judged.
    pub generation: i64,
    /// In which state it is.
    pub state: State,
    /// The word for it, where it is not the state's own.
    pub reason: Option<&'static str>,
    /// Why, for people.
    pub message: String,
    /// Objects that differ; nothing where the world was not seen.
    pub drift: Option<usize>,
    /// Why they do, where that is known.
    pub cause: Option<Cause>,
    /// The plan that waits, and why.
    pub pending: Option<Why>,
    /// The deletion that waits, and why.
    pub deletion: Option<Why>,
    /// What could not be seen.
    pub unseen: Option<String>,
    /// Name of the plan that waits or is carried out.
    pub plan: Option<String>,
    /// The run that is open.
    pub run: Option<String>,
    /// In which account it is at home.
    pub account: Option<String>,
    /// Its regions.
    pub regions: Vec<String>,
    /// What it costs.
    pub cost: Option<Cost>,
    /// Where clients connect, where the world was seen.
    pub outputs: Option<OutputsReport>,
    /// What became of the ConfigMap that says so; nothing where nothing became of it.
    pub published: Option<Published>,
    /// The last wish for a turn that was heard.
    pub handled: Option<String>,
}

/// What became of the ConfigMap with connection details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// Nobody asks for it any more, and it is gone.
    Withdrawn,
    /// It says what is so, under that name.
    There(String),
    /// It could not be written.
    Refused(String),
}

/// The status that tells it, after the one before. Where nothing was seen, what was told before of the world stays.
pub fn status(report: &Report, before: &BlueprintStatus, now: Moment) -> BlueprintStatus {
    let mut conditions = before.conditions.clone();
    for (about, status, (reason, message)) in told(report) {
        set(
            &mut conditions,
            Condition {
                about: about.to_owned(),
                status,
                observed_generation: Some(report.generation),
                last_transition_time: now,
                reason: reason.to_owned(),
                message,
            },
        );
    }
    tell_published(report, &mut conditions, now);
    BlueprintStatus {
        observed_generation: Some(report.generation),
        last_handled_reconcile_at: report.handled.clone(),
        conditions,
        plan: report.plan.clone(),
        run: report.run.clone(),
        account: report.account.clone().or_else(|| before.account.clone()),
        drift: drift(report, before),
        cost: report.cost.clone().or_else(|| before.cost.clone()),
        regions: if report.regions.is_empty() { before.regions.clone() } else { report.regions.clone() },
        stores: stores(report, before),
        outputs: match &report.published {
            None | Some(Published::Refused(_)) => before.outputs.clone(),
            Some(Published::Withdrawn) => None,
            Some(Published::There(name)) => Some(name.clone()),
        },
    }
}

/// Tells what became of the ConfigMap, where somebody asks for one.
fn tell_published(report: &Report, conditions: &mut Vec<Condition>, now: Moment) {
    let (status, reason, message) = match &report.published {
        None => return,
        Some(Published::Withdrawn) => {
            return conditions.retain(|one| one.about != types::OUTPUTS_PUBLISHED);
        }
        Some(Published::There(_)) => (Holds::True, "Published", ""),
        Some(Published::Refused(why)) => (Holds::False, "NotPublished", why.as_str()),
    };
    set(
        conditions,
        Condition {
            about: types::OUTPUTS_PUBLISHED.to_owned(),
            status,
            observed_generation: Some(report.generation),
            last_transition_time: now,
            reason: reason.to_owned(),
            message: message.to_owned(),
        },
    );
}

/// Its stores. While work is under way they are told as they were when that began: each step would be told otherwise.
fn stores(report: &Report, before: &BlueprintStatus) -> Vec<StoreStatus> {
    let now = report.outputs.as_ref().filter(|_| report.state != State::Progressing);
    now.map_or_else(|| before.stores.clone(), |now| outputs::stores(now, &before.stores))
}

/// Objects that differ. While work is under way it is told as it was when that began: each step would be told otherwise.
fn drift(report: &Report, before: &BlueprintStatus) -> Option<u32> {
    let was_working =
        find(&before.conditions, types::RECONCILING).is_some_and(|was| was.status == Holds::True);
    let is_working = report.state == State::Progressing && was_working && before.drift.is_some();
    let now = report.drift.filter(|_| !is_working).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    now.or(before.drift)
}

/// What is to be written so that a status becomes another one, as a merge patch; nothing where they are equal.
pub fn changes(before: &Value, after: &Value) -> Option<Value> {
    let empty = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut changed = Map::new();
    for (field, value) in after.iter().filter(|(field, value)| before.get(*field) != Some(*value)) {
        changed.insert(field.clone(), value.clone());
    }
    for field in before.keys().filter(|field| !after.contains_key(*field)) {
        changed.insert(field.clone(), Value::Null);
    }
    (!changed.is_empty()).then_some(Value::Object(changed))
}

fn told(report: &Report) -> [(&'static str, Holds, Why); 7] {
    let reason = report.reason.unwrap_or_else(|| word(report.state));
    // How much is left changes with each step: that is a number for metrics.
    let message = if report.state == State::Progressing { "work is under way" } else { &report.message };
    let why = || (reason, message.to_owned());
    let (ready, reconciling, stalled) = triple(report.state);
    let yes_or = |why: &Option<Why>, else_word| match why {
        Some(why) => (Holds::True, why.clone()),
        None => (Holds::False, (else_word, String::new())),
    };
    let (pending, pending_why) = yes_or(&report.pending, "NothingWaits");
    let (held, held_why) = yes_or(&report.deletion, "NotDeleted");
    let differs = match report.cause {
        // Somebody wants something else, or will be asked whether they do: the world is as it was.
        Some(Cause::Override | Cause::NewVersion | Cause::Deletion) => WANTED_OTHERWISE,
        Some(Cause::Changed | Cause::Drift) | None => "Differs",
    };
    let synced = match (report.state, report.drift) {
        // What is under way is told as it began: it is as wanted when it is over.
        (State::Progressing, Some(_)) => (Holds::False, (differs, String::new())),
        (State::Ready, _) | (_, Some(0)) => (Holds::True, ("AsWanted", String::new())),
        (_, Some(_)) => (Holds::False, (differs, String::new())),
        (_, None) => (Holds::Unknown, ("NotJudged", String::new())),
    };
    let observed = match &report.unseen {
        Some(why) => (Holds::False, ("NotSeen", why.clone())),
        None => (Holds::True, ("Seen", String::new())),
    };
    let clear = |holds: Holds| match holds {
        Holds::True => why(),
        Holds::False | Holds::Unknown => (reason, String::new()),
    };
    [
        (types::READY, ready, why()),
        (types::RECONCILING, reconciling, clear(reconciling)),
        (types::STALLED, stalled, clear(stalled)),
        (types::SYNCED, synced.0, synced.1),
        (types::PLAN_PENDING, pending, pending_why),
        (types::DELETION_HELD, held, held_why),
        (types::OBSERVED, observed.0, observed.1),
    ]
}

/// The three conditions that tools know, as kstatus means them.
const fn triple(state: State) -> (Holds, Holds, Holds) {
    match state {
        State::New => (Holds::Unknown, Holds::True, Holds::False),
        State::Ready => (Holds::True, Holds::False, Holds::False),
        State::Progressing | State::Failed | State::Held => (Holds::False, Holds::True, Holds::False),
        // It serves as it did; what is left has its time.
        State::Waiting | State::Pending => (Holds::False, Holds::False, Holds::False),
        State::Blocked => (Holds::False, Holds::False, Holds::True),
        State::Paused => (Holds::Unknown, Holds::False, Holds::False),
    }
}

/// The word for a state.
const fn word(state: State) -> &'static str {
    match state {
        State::New => "New",
        State::Ready => "AsWanted",
        State::Progressing => "Working",
        State::Waiting => "WaitsForItsTime",
        State::Pending => reasons::NEEDS_APPROVAL,
        State::Blocked => "Blocked",
        State::Held => "AnotherRun",
        State::Paused => reasons::PAUSED,
        State::Failed => "TriedAgain",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(state: State) -> Report {
        Report { generation: 3, state, message: "why".to_owned(), drift: Some(0), ..Report::default() }
    }

    #[test]
    fn what_says_the_same_later_is_the_same_to_the_byte() {
        for state in State::ALL {
            let first = status(&report(state), &BlueprintStatus::default(), Moment::from_secs(1));
            let again = status(&report(state), &first, Moment::from_secs(99));
            assert_eq!(
                serde_json::to_string(&first).unwrap(),
                serde_json::to_string(&again).unwrap(),
                "{state:?}"
            );
        }
    }

    #[test]
    fn work_that_goes_on_is_told_once_and_not_step_by_step() {
        let working = |left| Report { drift: Some(left), ..report(State::Progressing) };
        let first = status(&working(11), &BlueprintStatus::default(), Moment::EPOCH);
        assert_eq!(first.drift, Some(11));
        assert_eq!(status(&working(5), &first, Moment::from_secs(9)), first);
        assert_eq!(status(&report(State::Ready), &first, Moment::from_secs(9)).drift, Some(0));
    }

    #[test]
    fn what_is_written_is_what_differs_and_nothing_where_nothing_does() {
        use serde_json::json;
        let before = json!({ "plan": "arena-1", "drift": 2, "conditions": [1] });
        assert_eq!(changes(&before, &before), None);
        assert_eq!(
            changes(&before, &json!({ "drift": 3, "conditions": [1] })),
            Some(json!({ "plan": null, "drift": 3 }))
        );
        assert_eq!(changes(&Value::Null, &json!({ "drift": 0 })), Some(json!({ "drift": 0 })));
    }

    #[test]
    fn each_state_is_ready_or_under_way_or_stalled_and_never_two_of_them() {
        for state in State::ALL {
            let told = status(&report(state), &BlueprintStatus::default(), Moment::EPOCH);
            let holds = |about| find(&told.conditions, about).unwrap().status == Holds::True;
            let count =
                [types::READY, types::RECONCILING, types::STALLED].into_iter().filter(|one| holds(one));
            assert!(count.count() <= 1, "{state:?}");
            assert_eq!(holds(types::READY), state == State::Ready);
        }
    }

    #[test]
    fn where_nothing_was_seen_what_was_told_of_the_world_stays() {
        let seen = Report { drift: Some(4), account: Some("sim/a".to_owned()), ..report(State::Pending) };
        let before = status(&seen, &BlueprintStatus::default(), Moment::EPOCH);
        let blind = Report { drift: None, unseen: Some("eu-west-1".to_owned()), ..report(State::Failed) };
        let told = status(&blind, &before, Moment::EPOCH);
        assert_eq!((told.drift, told.account.as_deref()), (Some(4), Some("sim/a")));
        let about = |about| find(&told.conditions, about).unwrap();
        assert_eq!(about(types::OBSERVED).message, "eu-west-1");
        assert_eq!(about(types::SYNCED).status, Holds::Unknown);
    }
}
