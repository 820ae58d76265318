//! In which account an agent works where: for shares of its turns, and for numbers.
//!
//! **Invariant:** no provider is asked: an account that does not answer holds up nothing of another one.

use std::sync::{Mutex, PoisonError};

use super::identities::Identities;
use rgctl_model::scope::Home;
use rgctl_schema::names::RegionId;

/// The accounts of the regions.
pub struct Accounts {
    identities: Identities,
    /// Which cloud it is, in a word: for the account that the environment says, until it is known.
    cloud: &'static str,
    /// The account that the environment says.
    usual: Mutex<Option<String>>,
}

impl Accounts {
    /// With the identities that the adapters work as.
    pub const fn new(identities: Identities, cloud: &'static str) -> Self {
        Self { identities, cloud, usual: Mutex::new(None) }
    }

    fn own(&self, region: &RegionId) -> Option<&str> {
        let identity = self.identities.0.iter().find(|identity| identity.regions.contains(region))?;
        Some(&identity.id)
    }

    /// Whose calls a blueprint at home in this region needs first. It stays the same for as long as the agent runs.
    pub fn share_of(&self, primary: Option<&RegionId>) -> String {
        primary.and_then(|region| self.own(region)).unwrap_or(self.cloud).to_owned()
    }

    /// The account in which a region is worked in.
    pub fn of(&self, region: &RegionId) -> String {
        // A poisoned lock holds a whole value.
        let usual = || self.usual.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let own = self.own(region).map(str::to_owned);
        own.or_else(usual).unwrap_or_else(|| self.cloud.to_owned())
    }

    /// The provider has said whose account it is there.
    pub fn learn(&self, region: Option<&RegionId>, home: &Home) {
        if region.and_then(|region| self.own(region)).is_none() {
            let mut usual = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
            *usual = Some(home.account().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rgctl_schema::names::AccountName;

    use super::super::identities::Identity;
    use super::*;

    #[test]
    fn each_region_is_of_the_account_that_it_names_and_all_others_of_that_of_the_environment() {
        let region = |code: &str| RegionId::new(code).unwrap();
        let china = Identity {
            name: AccountName::new("china").unwrap(),
            id: "222222222222".to_owned(),
            role: None,
            external_id: None,
            profile: None,
            regions: BTreeSet::from([region("cn-north-1")]),
        };
        let accounts = Accounts::new(Identities(vec![china]), "aws");
        let (there, here) = (region("cn-north-1"), region("eu-west-1"));
        assert_eq!((accounts.of(&there), accounts.of(&here)), ("222222222222".to_owned(), "aws".to_owned()));
        accounts.learn(Some(&there), &Home::parse("aws/222222222222").unwrap());
        assert_eq!(accounts.of(&here), "aws", "that was said of another account");
        accounts.learn(Some(&here), &Home::parse("aws/111111111111").unwrap());
        let known = (accounts.of(&there), accounts.of(&here));
        assert_eq!(known, ("222222222222".to_owned(), "111111111111".to_owned()));
        let shares = [Some(&there), Some(&here), None].map(|primary| accounts.share_of(primary));
        assert_eq!(shares, ["222222222222", "aws", "aws"]);
    }
}
