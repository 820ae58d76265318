//! Whose calls these are, as far as it is known.
//!
//! Goes in: what the options say, and what the provider answers. Comes out: the account, and whose calls count together.
//!
//! **Invariant:** what the provider refuses for who asks is not believed any longer: who it is is asked again.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::budget::Budget;
use rgctl_schema::names::RegionId;

/// The caller of a pool.
#[derive(Debug)]
pub struct Caller {
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// The account, or the role or profile until it was told.
    counts_as: String,
    account: Option<String>,
    /// Where there are credentials: each region has a provider of its own.
    checked: BTreeSet<RegionId>,
}

impl Caller {
    /// A caller of whom only the role or profile is known.
    pub const fn named(name: String) -> Self {
        Self { known: Mutex::new(Known { counts_as: name, account: None, checked: BTreeSet::new() }) }
    }

    /// What the calls of an account count as.
    pub fn counted_as(account: &str) -> String {
        format!("account {account}")
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose calls count together: two roles of one account share its limits.
    pub fn rate_limit_key(&self) -> String {
        self.known().counts_as.clone()
    }

    /// The account, once it was told and as long as nobody doubts it.
    pub fn account(&self) -> Option<String> {
        self.known().account.clone()
    }

    /// The provider told the account: what was called so far counts for it.
    pub fn is_of(&self, account: &str, budget: &Budget) {
        let mut known = self.known();
        let counts_as = Self::counted_as(account);
        budget.count_as(&known.counts_as, &counts_as);
        known.counts_as = counts_as;
        known.account = Some(account.to_owned());
    }

    /// Whether there were credentials for a region when they were asked for last.
    pub fn is_checked(&self, region: &RegionId) -> bool {
        self.known().checked.contains(region)
    }

    /// There are credentials for a region.
    pub fn check(&self, region: &RegionId) {
        self.known().checked.insert(region.clone());
    }

    /// The provider refused something for who asks.
    pub fn doubt(&self) {
        let mut known = self.known();
        known.account = None;
        known.checked.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Priority;
    use rgctl_schema::time::{Moment, Span};

    #[test]
    fn two_roles_of_one_account_share_its_budget_from_when_it_is_known() {
        let (budget, now) = (Budget::default(), Moment::from_secs(1));
        let (one, other) = (Caller::named("role-a".to_owned()), Caller::named("role-b".to_owned()));
        let key = |caller: &Caller| (caller.rate_limit_key(), "us-east-1".to_owned(), "rds".to_owned());
        for _ in 0..210 {
            budget.with(&key(&one), now, |bucket| bucket.spend(now));
        }
        let wait = |caller| budget.with(&key(caller), now, |bucket| bucket.wait(now, Priority::Urgent));
        assert_eq!(wait(&other), Span::ZERO);
        one.is_of("111122223333", &budget);
        other.is_of("111122223333", &budget);
        assert!(wait(&one) > Span::ZERO, "what was spent stays spent");
        assert_eq!(wait(&one), wait(&other));
        other.doubt();
        assert_eq!((other.account(), wait(&one)), (None, wait(&other)), "they still count together");
    }
}
