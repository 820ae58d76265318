//! Accounts in the cluster: which can be used, who may name them, and what is told of them.
//!
//! Goes in: account objects, labels of namespaces. Comes out: documents for the one reader of texts, or why a region's account cannot be
//! used from a namespace.
//!
//! **Invariant:** an account whose selector does not mean a namespace is not there for it: none of its regions is looked at or worked
//! in. One that says nothing of namespaces is for none.

use std::collections::BTreeMap;

use rgctl_kube::item::Item;
use rgctl_kube::kinds::condition::{Condition, Holds, find, set, types};
use rgctl_kube::kinds::{AccountSpec, Object, SimpleStatus};
use rgctl_schema::diagnostic::Source;
use rgctl_schema::names::AccountName;
use rgctl_schema::time::{Moment, Span};

/// An account as it can be used.
#[derive(Clone, Debug)]
pub struct Account {
    /// The command line's document of it.
    pub source: Source,
    spec: AccountSpec,
}

/// How much of an account is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How often it is looked at, where that is said.
    pub sweep: Option<Span>,
    /// Percent of the calls that rgctl allows itself there.
    pub percent: u8,
    /// Whether anything may be begun.
    pub is_paused: bool,
}

/// Reads one, as far as the cluster's own fields go; the document is for the reader of texts.
pub fn read(item: &Item) -> Result<Account, String> {
    let spec: AccountSpec = serde_json::from_str(&item.spec).map_err(|error| error.to_string())?;
    let source = Object::new(&*item.place.name, None, spec.clone()).source();
    Ok(Account { source, spec })
}

/// How much of it is used. Of one that cannot be read, as little as can be.
pub fn terms(item: &Item) -> Terms {
    match serde_json::from_str::<AccountSpec>(&item.spec) {
        Ok(spec) => Terms {
            sweep: spec.sweep_interval,
            percent: spec.budget_share.unwrap_or(100),
            is_paused: spec.paused,
        },
        Err(_) => Terms { sweep: None, percent: 1, is_paused: true },
    }
}

impl Account {
    /// Whether blueprints of a namespace with these labels may be in its regions; else why not.
    pub fn admits(
        &self,
        name: &str,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        match &self.spec.namespace_selector {
            Some(selector) if selector.selects(labels) => Ok(()),
            Some(_) => Err(format!(
                "the account {name} may not be named from {namespace}: its namespaceSelector does not mean the labels of this namespace"
            )),
            None => Err(format!(
                "the account {name} may not be named from {namespace}: it has no namespaceSelector, so that no namespace may; `{{}}` means all"
            )),
        }
    }
}

/// What a question to the provider came to: is the identity who it says?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is.
    Itself(String),
    /// Its document cannot be used.
    BadSpec(String),
    /// The provider refuses it, or says that it is somebody else.
    Refused(String),
    /// Nobody knows: there was no answer.
    Unknown(String),
}

/// The status that tells it, after the one before. It moves only when what it says does: when it was asked is no part of it.
pub fn status(item: &Item, checked: &Checked, now: Moment) -> SimpleStatus {
    let before: SimpleStatus = serde_json::from_str(&item.status).unwrap_or_default();
    let (holds, reason, message) = match checked {
        Checked::Itself(what) => (Holds::True, "IsItself", what),
        Checked::BadSpec(why) => (Holds::False, "BadSpec", why),
        Checked::Refused(why) => (Holds::False, "Refused", why),
        Checked::Unknown(why) => (Holds::Unknown, "NoAnswer", why),
    };
    let mut conditions = before.conditions;
    let was = find(&conditions, types::READY).filter(|was| {
        was.observed_generation == Some(item.generation()) && was.reason == reason && holds == Holds::Unknown
    });
    // Each time that nobody answers it may be in other words: the first ones stand.
    let message = was.map_or_else(|| message.clone(), |was| was.message.clone());
    set(
        &mut conditions,
        Condition {
            about: types::READY.to_owned(),
            status: holds,
            observed_generation: Some(item.generation()),
            last_transition_time: now,
            reason: reason.to_owned(),
            message,
        },
    );
    SimpleStatus { observed_generation: Some(item.generation()), conditions }
}

/// Why a region cannot be worked in from a namespace, where its account is not there.
pub fn missing(account: &str, near: impl Iterator<Item = AccountName>) -> String {
    let names: Vec<AccountName> = near.collect();
    let names = names.iter().map(AccountName::as_str);
    let near = rgctl_schema::diagnostic::did_you_mean(account, names);
    let help = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    format!("its account {account} is not there{help}")
}

#[cfg(test)]
mod tests {
    use rgctl_kube::item::Watched;
    use serde_json::{Value, json};

    use super::*;

    fn item(spec: &Value) -> Item {
        let object = json!({ "metadata": { "name": "live", "uid": "u", "generation": 2 }, "spec": spec });
        Item::of(Watched::Account, object).unwrap()
    }

    #[test]
    fn an_account_is_there_for_the_namespaces_that_it_selects_and_for_none_where_it_says_nothing() {
        let admits = |selector: Value, labels: &[(&str, &str)]| {
            let mut spec = json!({ "id": "123456789012" });
            if !selector.is_null() {
                spec["namespaceSelector"] = selector;
            }
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            read(&item(&spec)).unwrap().admits("live", "games", &labels)
        };
        assert_eq!(admits(json!({}), &[]), Ok(()));
        assert_eq!(admits(json!({ "matchLabels": { "stage": "live" } }), &[("stage", "live")]), Ok(()));
        admits(json!({ "matchLabels": { "stage": "live" } }), &[("stage", "test")]).unwrap_err();
        assert!(admits(Value::Null, &[("stage", "live")]).unwrap_err().contains("no namespace may"));
    }

    #[test]
    fn of_an_account_that_cannot_be_read_nothing_is_begun() {
        let good = json!({ "id": "123456789012", "sweepInterval": "10m", "budgetShare": "25%" });
        assert_eq!(
            terms(&item(&good)),
            Terms { sweep: Some(Span::from_mins(10)), percent: 25, is_paused: false }
        );
        assert!(terms(&item(&json!({ "id": "123456789012", "budgetShare": "900%" }))).is_paused);
        assert!(terms(&item(&json!({ "id": "123456789012", "paused": true }))).is_paused);
    }

    #[test]
    fn what_is_told_of_an_account_moves_only_with_what_it_says() {
        let mut item = item(&json!({ "id": "123456789012" }));
        let itself = Checked::Itself("the credentials are of account 123456789012".to_owned());
        let first = status(&item, &itself, Moment::from_secs(1));
        item.status = serde_json::to_string(&first).unwrap().into();
        assert_eq!(status(&item, &itself, Moment::from_secs(99)), first);
        let dark = status(&item, &Checked::Unknown("again in 3s".to_owned()), Moment::from_secs(2));
        item.status = serde_json::to_string(&dark).unwrap().into();
        let darker = status(&item, &Checked::Unknown("again in 7s".to_owned()), Moment::from_secs(9));
        assert_eq!(darker, dark, "there is still no answer");
        let gone = status(&item, &Checked::Refused("no".to_owned()), Moment::from_secs(99));
        assert_eq!(
            (gone.conditions[0].status, gone.conditions[0].reason.as_str()),
            (Holds::False, "Refused")
        );
    }
}
