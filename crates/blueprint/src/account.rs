//! Accounts: whose regions are, and as whom rgctl works in them.
//!
//! A region names its account (`spec.account`); a blueprint names none, so that the same text works for whoever runs it.

use std::collections::BTreeMap;

use super::spec::ApiVersion;
use rgctl_schema::names::{AccountName, Partition, RegionId};
use rgctl_schema::{choices, section};

choices! {
    /// What a document with an account is called.
    pub enum AccountKind {
        /// An account.
        Account = "Account",
    }
}

section! {
    /// An account of the provider, and as whom rgctl works in it.
    pub struct Account {
        /// Format of the document.
        api_version: ApiVersion;
        /// Kind of the document.
        kind: AccountKind;
        /// Name and labels.
        metadata: AccountMetadata;
        /// Which account it is.
        spec: AccountSpec;
    }
    /// Name and labels of an account.
    pub struct AccountMetadata {
        /// Name that regions call it by.
        name: AccountName;
        /// Labels, for tools that select documents by them.
        labels: BTreeMap<String, String>;
        /// Remarks for people and tools.
        annotations: BTreeMap<String, String>;
    }
    /// Which account it is.
    pub struct AccountSpec {
        /// Its number. Credentials of another account are refused before anything is looked at or done.
        id: String => "'123456789012'";
        /// Part of the world that it belongs to.
        partition: Partition = Partition::Aws;
        /// Role that is assumed in it.
        role: Option<String> => "arn:aws:iam::123456789012:role/rgctl";
        /// What the role's owner asks for when a role is assumed from another company's account.
        external_id: Option<String> => "rgctl-4711";
        /// Profile of the shared configuration from which the credentials come; by default what the environment gives.
        profile: Option<String> => "china";
        /// The only regions that it may be used in; all of its partition where none is named.
        regions: Vec<RegionId> => "[cn-north-1, cn-northwest-1]";
    }
}

/// The accounts that are known, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountBook(BTreeMap<AccountName, Account>);

impl AccountBook {
    /// Adds an account; one of the same name is replaced.
    pub fn insert(&mut self, account: Account) {
        self.0.insert(account.metadata.name.clone(), account);
    }
    /// The account of a name.
    pub fn get(&self, name: &AccountName) -> Option<&Account> {
        self.0.get(name)
    }
    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.values()
    }
}
