//! As whom rgctl works in each region: what the accounts' documents say, for the adapters.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use rgctl_blueprint::document::ParsedDocuments;
use rgctl_schema::names::{AccountName, RegionId};

/// As whom some regions are worked in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The account's name.
    pub name: AccountName,
    /// Its number.
    pub id: String,
    /// Role that is assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What the role's owner asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Profile that the credentials come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The regions.
    pub regions: BTreeSet<RegionId>,
}

/// The identities of a blueprint's regions. A region of none of them is worked in as whoever the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identities(pub Vec<Identity>);

impl Identities {
    /// Those of all regions that are described, in the order of the accounts' names: also of regions that a blueprint has
    /// left, where what is still there is looked at and removed as whoever made it.
    pub fn of(reading: &ParsedDocuments) -> Self {
        let accounts = reading.accounts.iter().filter_map(|account| {
            let (name, spec) = (&account.metadata.name, &account.spec);
            let own = reading.regions.iter().filter(|region| region.spec.account.as_ref() == Some(name));
            let own: BTreeSet<RegionId> = own.map(|region| region.metadata.name.clone()).collect();
            (!own.is_empty()).then(|| Identity {
                name: name.clone(),
                id: spec.id.clone(),
                role: spec.role.clone(),
                external_id: spec.external_id.clone(),
                profile: spec.profile.clone(),
                regions: own,
            })
        });
        Self(accounts.collect())
    }

    /// Those in which something is in one of these regions.
    pub fn in_use<'a>(&'a self, regions: &'a BTreeSet<RegionId>) -> impl Iterator<Item = &'a Identity> {
        self.0.iter().filter(move |identity| !identity.regions.is_disjoint(regions))
    }

    /// Whether every region is worked in as whoever the environment says.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
