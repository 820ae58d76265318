//! What people decide while others work: beside a run, during it, and what a blueprint comes to with it.

use std::sync::Mutex;

use rgctl_model::node::Desired;
use rgctl_model::overlay::{Decision, Decisions, HoldOut, Overlay};
use rgctl_model::ports::{Clock, Store};
use rgctl_model::scope::Scope;
use rgctl_schema::names::RegionId;
use rgctl_schema::time::Moment;
use rgctl_sim::SimClock;

/// What should exist with what is decided, asked before each turn, as the agent does.
pub trait Wishes: Send + Sync {
    /// What should exist now, where that is not what was said last.
    fn news(&self, standing: &Decisions, now: Moment) -> Option<Desired>;
}

/// When time alone changes next what decisions come to.
pub fn next_lapse(standing: &Decisions, now: Moment) -> Option<Moment> {
    standing.overlays.values().filter_map(|(_, overlay)| overlay.until).filter(|until| *until > now).min()
}

/// A decision of a person to hold a region out.
pub fn hold_out(region: &RegionId, since: Moment) -> HoldOut {
    HoldOut { region: region.clone(), why: "it is under water".to_owned(), by: "ana@desk".to_owned(), since }
}

/// The decision that it is no longer.
pub fn release(region: &RegionId) -> Decision {
    let (by, why) = ("ana@desk".to_owned(), "it is dry again".to_owned());
    Decision::Release { region: region.clone(), by, why }
}

/// A decision as it is made at that time.
fn made(what: &Decision, now: Moment) -> Decision {
    match what {
        Decision::HoldOut { hold } => Decision::HoldOut { hold: HoldOut { since: now, ..hold.clone() } },
        Decision::Set { overlay } => Decision::Set { overlay: Overlay { set: now, ..overlay.clone() } },
        other @ (Decision::Unset { .. } | Decision::Release { .. }) => other.clone(),
    }
}

/// Makes a decision. Neither the lease nor the record is moved by it; what is wrong with that, if anything.
pub async fn decide(store: &dyn Store, scope: &Scope, now: Moment, what: &Decision) -> Result<(), String> {
    let around = || async { (store.lease(scope).await.unwrap(), store.head(scope).await.unwrap()) };
    let before = around().await;
    let epoch = store.standing(scope).await.unwrap().epoch(&what.key());
    let decided = store.decide(scope, epoch, now, &made(what, now)).await;
    decided.map_err(|error| format!("nothing could be decided: {error}"))?;
    if around().await == before {
        Ok(())
    } else {
        Err(format!("a decision moved a lease or a record: {what:?}"))
    }
}

/// Decisions of others after a call of a run.
pub struct Decides {
    pub after: u64,
    pub scope: Scope,
    pub what: Vec<Decision>,
    pub clock: SimClock,
    /// Whether they were made.
    pub made: Mutex<bool>,
}

impl Decides {
    /// Makes them, when so many calls were made.
    pub async fn hear(&self, store: &dyn Store, calls: u64) -> Result<(), String> {
        if calls != self.after || std::mem::replace(&mut *self.made.lock().unwrap(), true) {
            return Ok(());
        }
        for what in &self.what {
            decide(store, &self.scope, self.clock.now(), what).await?;
        }
        Ok(())
    }
}
