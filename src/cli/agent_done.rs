//! What a turn came to, as the loop of an agent hears it: from outcomes and errors to when to come again.
//!
//! Pure: time is an argument.

use std::collections::BTreeMap;

use crate::agent::observer::RegionFigures;
use crate::agent::queue::{Next, hash_of, part_of};
use crate::agent::work::{Condition, Done, Key, Sight};
use crate::report::drift::{DriftCause, DriftReport};
use crate::report::words;
use rgctl_engine::execution::drive::DriveError;
use rgctl_engine::execution::reconcile::Reconciled;
use rgctl_model::journal::Outcome;
use rgctl_model::overlay::Decisions;
use rgctl_model::plan::Plan;
use rgctl_model::ports::{CloudError, StoreError};
use rgctl_schema::names::RegionId;
use rgctl_schema::time::{Moment, Span};

/// What only a person can mend is looked at again after this time.
const AGAIN: Span = Span::from_hours(1);
/// After a run that yielded to another one, or that another one keeps from working.
const AFTER_ANOTHER: Span = Span::from_mins(1);
/// Everything is judged anew once in so long, whether anything seems to have changed or not: what is wanted may depend on the
/// date.
const RESYNC: Span = Span::from_hours(24);

fn done(next: Next, condition: Condition, why: String) -> Done {
    Done {
        next,
        condition,
        why,
        is_open: false,
        differing: 0,
        deletions_held: 0,
        store: None,
        throttled: None,
    }
}

/// Nobody wants anything of it any more.
pub fn nothing() -> Done {
    done(Next::Rest, Condition::Ready, String::new())
}

/// An order holds that the loop will hear of.
pub fn paused() -> Done {
    done(Next::Rest, Condition::Paused, String::new())
}

/// Nothing can be wanted by its text now, though it was in order: a decision does not fit it.
pub fn wrong(why: &str, now: Moment) -> Done {
    done(Next::At(now + AGAIN), Condition::Blocked, why.to_owned())
}

/// A turn that acts. `due` is when the record says that what failed is tried again.
pub fn acted(
    reconciled: &Reconciled,
    is_open: bool,
    due: Option<Moment>,
    stopping: bool,
    now: Moment,
) -> Done {
    let plan = &reconciled.turn.plan;
    let counted = |done: Done| Done {
        is_open,
        differing: plan.steps.len(),
        deletions_held: plan.lacking().len(),
        store: Some(Ok(())),
        ..done
    };
    let Some(outcome) = reconciled.outcome else {
        return counted(done(Next::At(reconciled.wake), Condition::Progressing, left(plan)));
    };
    counted(match outcome {
        Outcome::Settled => done(Next::Rest, Condition::Ready, String::new()),
        Outcome::Waiting => {
            let until = reconciled.turn.later.iter().map(|later| later.until).min();
            let why = until.map_or_else(String::new, |until| format!("{} until {until}", left(plan)));
            done(Next::At(until.unwrap_or(now + AGAIN)), Condition::Waiting, why)
        }
        Outcome::Blocked => {
            let due = due.filter(|due| *due > now).unwrap_or(now + AGAIN);
            let held = words::held(&reconciled.turn.held);
            let whys: Vec<String> = held.into_iter().chain(plan.health.line()).collect();
            done(Next::At(due), Condition::Blocked, whys.join("; "))
        }
        Outcome::Stopped | Outcome::Paused if stopping => done(Next::Rest, Condition::Paused, left(plan)),
        Outcome::Stopped | Outcome::Paused => {
            done(Next::At(now + AFTER_ANOTHER), Condition::Held, "another run asked for it".to_owned())
        }
    })
}

/// A turn that only looks and plans.
pub fn observed(plan: &Plan, report: &DriftReport) -> Done {
    let outside = report.differences.iter().filter(|one| one.cause == DriftCause::ChangedOutside).count();
    let drift = if outside == 0 { String::new() } else { format!(", {outside} changed outside rgctl") };
    let told = if plan.health.needs_person() {
        let line = plan.health.line().unwrap_or_default();
        done(Next::Rest, Condition::Blocked, format!("{}{drift}; {line}", left(plan)))
    } else if plan.is_clean() {
        done(Next::Rest, Condition::Ready, String::new())
    } else if plan.steps.is_empty() {
        done(Next::Rest, Condition::Progressing, "something is in transition".to_owned())
    } else {
        done(Next::Rest, Condition::Pending, format!("{}{drift}", left(plan)))
    };
    Done { differing: plan.steps.len(), deletions_held: plan.lacking().len(), store: Some(Ok(())), ..told }
}

/// A turn that could not be made.
pub fn failed(error: &DriveError, now: Moment) -> Done {
    let why = match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    match error {
        DriveError::Store(StoreError::Held { lease }) => {
            done(Next::At(now + AFTER_ANOTHER), Condition::Held, format!("{} works on it", lease.owner))
        }
        DriveError::Store(StoreError::Unavailable { .. }) => {
            Done { store: Some(Err(why.clone())), ..done(Next::Failed, Condition::Failed, why) }
        }
        // Only a person helps; that it was mended is found out by asking now and then.
        DriveError::Store(
            StoreError::Damaged { .. } | StoreError::Moved { .. } | StoreError::Taken { .. },
        ) => done(Next::At(now + AGAIN), Condition::Blocked, why),
        DriveError::Cloud(CloudError::Throttled { after }) => {
            Done { throttled: Some(*after), ..done(Next::Failed, Condition::Failed, why) }
        }
        DriveError::Store(_) | DriveError::Cloud(_) | DriveError::Illegal(_) => {
            done(Next::Failed, Condition::Failed, why)
        }
    }
}

/// The same, judged anew when a decision ends, and in any case once a day.
pub fn with_resync(done: Done, key: &Key, now: Moment, decisions: &Decisions) -> Done {
    let half = RESYNC.as_millis() / 2;
    let resync = now + Span::from_millis(half + part_of(half, hash_of(key, 0)));
    let untils = decisions.overlays.values().filter_map(|(_, overlay)| overlay.until);
    let ends = untils.filter(|until| *until > now);
    let due = ends.chain([resync]).min().unwrap_or(resync);
    let next = match done.next {
        Next::Rest if done.condition != Condition::Paused => Next::At(due),
        Next::At(at) => Next::At(at.min(due)),
        other => other,
    };
    Done { next, ..done }
}

/// What is known of the looks, as numbers are told.
pub fn sights(
    figures: &BTreeMap<RegionId, RegionFigures>,
    account: &dyn Fn(&RegionId) -> String,
) -> Vec<Sight> {
    let sight = |(region, figures): (&RegionId, &RegionFigures)| Sight {
        account: account(region),
        region: region.to_string(),
        seen_at: figures.seen_at,
        looks: figures.looks,
        failed: figures.failed,
        failed_in_a_row: figures.failed_in_a_row,
        took: Span::from_millis(u64::try_from(figures.took.as_millis()).unwrap_or(u64::MAX)),
        objects: figures.objects,
        calls: figures.calls,
    };
    figures.iter().map(sight).collect()
}

fn left(plan: &Plan) -> String {
    format!("{} left", words::count(plan.steps.len(), "step is", "steps are"))
}
