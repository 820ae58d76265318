//! Quotas: what was found to be over one is not begun, unless it makes up for a loss, shrinks or removes.

use super::refusal::no;
use rgctl_model::plan::{Answer, Op, Step};
use rgctl_model::quota::OverQuota;

/// A no to what makes or grows something for which there is no room; nothing about the rest.
pub(super) fn judge(step: &Step, over: &[OverQuota]) -> Option<Answer> {
    if over.is_empty() || !grows(step) {
        return None;
    }
    let why: Vec<String> =
        over.iter().filter(|one| one.steps.contains(&step.id)).map(OverQuota::reason).collect();
    (!why.is_empty()).then(|| {
        no(
            why.join("; "),
            "have the quota raised (Service Quotas in the console), or ask for less; shrinking, repairing and removing \
             go on",
        )
    })
}

/// A change is over a quota only where it grows; what goes may leave a snapshot over one, and goes all the same.
const fn grows(step: &Step) -> bool {
    !step.repairs && matches!(step.op, Op::Create { .. } | Op::Modify { .. })
}
