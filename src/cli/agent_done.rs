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
use rgctl_model::health::Trouble;
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
/// What could not be told is told again after this time at the latest.
#[cfg(feature = "kube")]
const TELLS_AGAIN: Span = Span::from_mins(1);
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
        unseen: None,
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

/// Its text is not judged yet: the loop hears of it when it is.
#[cfg(feature = "kube")]
pub fn not_judged() -> Done {
    let why = "whether its regions are as new as its text is being asked".to_owned();
    done(Next::Rest, Condition::Progressing, why)
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
        unseen: unseen(plan),
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
            let whys: Vec<String> =
                held.into_iter().chain(plan.health.line()).chain(first_why(plan)).collect();
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
    Done {
        differing: plan.steps.len(),
        deletions_held: plan.lacking().len(),
        store: Some(Ok(())),
        unseen: unseen(plan),
        ..told
    }
}

/// Of the troubles that only a person ends the first, with its reason: whose it is, or what is wrong with it.
fn first_why(plan: &Plan) -> Option<String> {
    let first = plan.health.troubles.iter().find(|issue| issue.trouble.needs_person())?;
    Some(format!("{} {}", first.name, first.why))
}

/// What of a blueprint's world could not be seen, in a line; each part of the world once, with the reason that the first gave.
pub fn unseen(plan: &Plan) -> Option<String> {
    let unseen = plan.health.troubles.iter().filter(|issue| issue.trouble == Trouble::Unseen);
    let mut by_region: BTreeMap<&RegionId, (&str, usize)> = BTreeMap::new();
    for issue in unseen {
        by_region.entry(&issue.region).or_insert((&issue.why, 0)).1 += 1;
    }
    let told = |(region, (why, count)): (&RegionId, &(&str, usize))| {
        format!("{} in {region} {why}", words::count(*count, "object or list", "objects and lists"))
    };
    let told: Vec<String> = by_region.iter().map(|(region, of_it)| told((region, of_it))).collect();
    (!told.is_empty()).then(|| told.join("; "))
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
            let unseen = Some(why.clone());
            Done { throttled: Some(*after), unseen, ..done(Next::Failed, Condition::Failed, why) }
        }
        DriveError::Cloud(_) => {
            Done { unseen: Some(why.clone()), ..done(Next::Failed, Condition::Failed, why) }
        }
        DriveError::Store(_) | DriveError::Illegal(_) => done(Next::Failed, Condition::Failed, why),
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

/// The same, for which something could not be told that nobody but its next turn tells.
#[cfg(feature = "kube")]
pub fn soon(done: Done, now: Moment) -> Done {
    let soon = now + TELLS_AGAIN;
    let next = match done.next {
        Next::Rest => Next::At(soon),
        Next::At(at) => Next::At(at.min(soon)),
        Next::Failed => Next::Failed,
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
