//! What an agent has heard of orders, from the stores' mailboxes and from its own file of consents.
//!
//! **Invariant:** nobody waits here for a store that somebody else asks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::agent::work::{Command, Key, Order};
use rgctl_model::inbox::{self, Message, Request};
use rgctl_model::ports::{Store, StoreError};
use rgctl_model::scope::Home;

#[derive(Default)]
struct Heard {
    /// The last message of each account.
    last: BTreeMap<Home, u64>,
    /// What the loop was not told yet.
    news: Vec<Order>,
}

/// What was heard.
#[derive(Default)]
pub struct HeardOrders(Mutex<Heard>);

impl HeardOrders {
    // No store is asked while this is held: one that does not answer would hold up the turns of all accounts.
    fn heard(&self) -> MutexGuard<'_, Heard> {
        // A poisoned lock holds a whole value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a blueprint is paused by an order that the loop has not been told yet. The orders of an account are read before
    /// the first turn there.
    pub async fn is_paused(&self, store: &dyn Store, home: &Home, key: &Key) -> Result<bool, StoreError> {
        let is_known = self.heard().last.contains_key(home);
        if !is_known {
            self.hear(store, home).await?;
        }
        let (mut all, mut own) = (false, false);
        for order in &self.heard().news {
            match (&order.key, order.what) {
                (_, Command::Reconcile) => {}
                (None, Command::Pause) => all = true,
                (None, Command::Resume) => (all, own) = (false, false),
                (Some(named), what) if named == key => own = what == Command::Pause,
                (Some(_), _) => {}
            }
        }
        Ok(all || own)
    }

    /// What the loop is told: all that is new in the accounts that are worked in.
    pub async fn orders(&self, store: &dyn Store) -> Result<Vec<Order>, StoreError> {
        let homes: Vec<Home> = self.heard().last.keys().cloned().collect();
        for home in homes {
            self.hear(store, &home).await?;
        }
        Ok(std::mem::take(&mut self.heard().news))
    }

    /// What was not ordered through a store.
    pub fn add(&self, orders: impl IntoIterator<Item = Order>) {
        self.heard().news.extend(orders);
    }

    /// Reads what is new among the orders of an account. Of old ones only those are of use that hold on.
    async fn hear(&self, store: &dyn Store, home: &Home) -> Result<(), StoreError> {
        let Some(scope) = inbox::agents(home) else { return Ok(()) };
        let last = self.heard().last.get(home).copied();
        let messages = store.inbox(&scope, last.unwrap_or(0)).await?;
        let end = messages.last().map_or(last.unwrap_or(0), |message| message.seq);
        let mut heard = self.heard();
        if heard.last.get(home).copied() != last {
            // Somebody else has read the same meanwhile.
            return Ok(());
        }
        heard.last.insert(home.clone(), end);
        heard.news.extend(messages.into_iter().filter_map(|message| order(message, last.is_none())));
        Ok(())
    }
}

fn order(message: Message, is_old: bool) -> Option<Order> {
    let (what, blueprint) = match message.what {
        Request::Yield { .. } => return None,
        Request::Pause { blueprint } => (Command::Pause, blueprint),
        Request::Resume { blueprint } => (Command::Resume, blueprint),
        Request::Reconcile { .. } if is_old => return None,
        Request::Reconcile { blueprint } => (Command::Reconcile, blueprint),
    };
    let key = blueprint.map(|name| Key::from(name.as_str()));
    Some(Order { key, what, from: message.from })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use rgctl_schema::names::BlueprintName;
    use rgctl_schema::time::Moment;
    use rgctl_sim::{GENESIS, SimCloud};
    use rgctl_store::journal::SqliteStore;
    use rgctl_testkit::taps::{Cut, Taps};

    use super::*;

    #[tokio::test]
    async fn a_mailbox_that_does_not_answer_holds_up_its_own_account_only() {
        let (cloud, store) = (SimCloud::in_memory(1, GENESIS), SqliteStore::in_memory().unwrap());
        let (lost, here) = (Home::parse("sim/lost").unwrap(), Home::parse("sim/here").unwrap());
        let blueprint = Some(BlueprintName::new("a").unwrap());
        let order = Request::Pause { blueprint };
        let scope = inbox::agents(&here).unwrap();
        store.post(&scope, "ann", Moment::EPOCH, &order).await.unwrap();
        let mut taps = Taps::new(&cloud, &store, Cut::Never);
        taps.silent = inbox::agents(&lost);
        let heard = HeardOrders::default();
        let (key, other) = (Key::from("a"), Key::from("b"));
        let mut first = std::pin::pin!(heard.is_paused(&taps, &lost, &other));
        assert!(futures::poll!(&mut first).is_pending());
        let paused = |key| heard.is_paused(&taps, &here, key).now_or_never().unwrap().unwrap();
        assert!(paused(&key));
        assert!(!paused(&other));
        assert_eq!(heard.orders(&taps).now_or_never().unwrap().unwrap().len(), 1);
        assert!(!paused(&key), "the loop was told, and is told nothing twice");
    }
}
