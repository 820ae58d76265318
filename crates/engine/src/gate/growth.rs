//! What forbids growth, judged once for a desired state: bounds on cost, which are on the sum, so that no step alone is over
//! them; and, of single stores, demand that nothing carries.

use serde_json::Value;

use super::refusal::no;
use rgctl_model::bill::CostRange;
use rgctl_model::node::UncarriedDemand;
use rgctl_model::plan::{Answer, Op, Step};
use rgctl_model::quota::KnownQuota;
use rgctl_model::rules::{Enforcement, Rules};
use rgctl_schema::money::{Currency, Money, Total};
use rgctl_schema::table::FieldChange;

/// Numbers of which more costs nothing.
const FREE: [&str; 2] = ["port", "promotion_tier"];

/// Names in a note; more are counted.
const NAMED_MAX: usize = 3;

/// What was found about desired state as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Why nothing may grow, by bounds on cost.
    pub refusals: Vec<String>,
    /// Stores that may not grow, since nothing carries the demand on them.
    pub uncarried: Vec<UncarriedDemand>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// The account's own quotas, as far as they were read; for the others the usual ones count.
    pub quotas: Vec<KnownQuota>,
}

impl Verdicts {
    /// Judges what all stores cost in sum.
    pub fn judge(rules: &[Rules], sum: &CostRange) -> Self {
        let mut verdicts = Self::default();
        let policies = || rules.iter().filter_map(|rules| rules.policies.cost.as_ref());
        // Field by field: the smallest bound meets the strictest answer, whichever text each of them is from.
        let on_exceed = policies().map(|policy| policy.on_exceed).min().unwrap_or(Enforcement::Ignore);
        let on_unknown = policies().map(|policy| policy.on_unknown).min().unwrap_or(Enforcement::Ignore);
        for policy in policies() {
            for max in &policy.monthly_max {
                let Some(amount) = sum.ceiling.known.get(&max.currency).filter(|now| **now > max.amount)
                else {
                    continue;
                };
                let now = Money::new(*amount, max.currency);
                let text = format!(
                    "a month costs up to {now} at the upper bounds of scaling, and `policies.cost.monthlyMax` is {max}"
                );
                verdicts.take(on_exceed, "onExceed", &text);
            }
            // There is no conversion: what a month costs in a currency without a bound is bounded by nothing.
            let is_bounded =
                |currency: &Currency| policy.monthly_max.iter().any(|max| max.currency == *currency);
            for (currency, amount) in &sum.ceiling.known {
                if !policy.monthly_max.is_empty() && !amount.is_zero() && !is_bounded(currency) {
                    let now = Money::new(*amount, *currency);
                    let text = format!(
                        "a month costs up to {now} at the upper bounds of scaling, and `policies.cost.monthlyMax` has no \
                         bound in {currency}"
                    );
                    verdicts.take(on_unknown, "onUnknown", &text);
                }
            }
            if !sum.ceiling.is_complete() {
                let unpriced = &sum.ceiling.unpriced;
                let text = match (on_unknown, unpriced.len()) {
                    (Enforcement::Deny, _) => format!("no price is known for {}", named(unpriced)),
                    // A plan lists them all beside its costs.
                    (_, 1) => "1 price is not known".to_owned(),
                    (_, count) => format!("{count} prices are not known"),
                };
                verdicts.take(on_unknown, "onUnknown", &text);
            }
        }
        verdicts
    }

    fn take(&mut self, verdict: Enforcement, field: &str, text: &str) {
        let to = match verdict {
            Enforcement::Deny => &mut self.refusals,
            Enforcement::Warn => &mut self.notes,
            Enforcement::Ignore => return,
        };
        let text = format!("{text} (`policies.cost.{field}: {verdict}`)");
        if !to.contains(&text) {
            to.push(text);
        }
    }

    /// Whether something may not grow.
    pub fn refuses_growth(&self) -> bool {
        !self.refusals.is_empty() || !self.uncarried.is_empty()
    }

    /// What may not grow, and why, in sentences.
    pub fn said(&self) -> impl Iterator<Item = String> {
        let of_all = self.refusals.iter().map(|why| format!("nothing may grow: {why}"));
        of_all.chain(self.uncarried.iter().map(|one| format!("`{}` may not grow: {}", one.store, one.why)))
    }
}

fn named(all: &[String]) -> String {
    let shown: Vec<&str> = all.iter().take(NAMED_MAX).map(String::as_str).collect();
    match all.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A no to what creates beyond a repair, or costs more afterwards; nothing about the rest.
pub(super) fn judge(step: &Step, verdicts: &Verdicts) -> Option<Answer> {
    if !verdicts.refuses_growth() || !grows(step) {
        return None;
    }
    if !verdicts.refusals.is_empty() {
        return Some(no(
            verdicts.refusals.join("; "),
            "lower the upper bounds or the sizes of the stores, or raise `policies.cost` in the blueprint; shrinking, \
             repairing and removing go on",
        ));
    }
    let uncarried = verdicts.uncarried.iter().find(|one| step.store.as_ref() == Some(&one.store))?;
    Some(no(uncarried.why.clone(), &uncarried.remedy))
}

fn grows(step: &Step) -> bool {
    match &step.op {
        Op::Create { .. } => !step.repairs,
        Op::Modify { changes, .. } => {
            is_more(&step.cost.before, &step.cost.after) || changes.iter().any(raises)
        }
        Op::Tag { .. } | Op::Delete { .. } | Op::Act { .. } => false,
    }
}

/// Whether a number grows that costs something. The price of the object does not always tell it: the upper bound of serverless
/// capacity is billed with the members, and of what has no price more has none either.
fn raises(change: &FieldChange) -> bool {
    let number = |value: &Value| value.as_f64();
    let before = change.before.as_ref().and_then(number);
    let grows = before.zip(number(&change.after)).is_some_and(|(before, after)| after > before);
    grows && !FREE.contains(&change.field.as_str())
}

/// Whether the second is more than the first, in any currency, or may be for all that is known.
pub fn is_more(before: &Total, after: &Total) -> bool {
    let known = after
        .known
        .iter()
        .any(|(currency, amount)| *amount > before.known.get(currency).copied().unwrap_or_default());
    known || after.unpriced.iter().any(|what| !before.unpriced.contains(what))
}
