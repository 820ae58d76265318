//! What goes before a turn of a blueprint.
//!
//! Flow: text → as whom, in which region → record → decisions, what was made → desired state → its slot. It reads text, record,
//! decisions and memories, and may give back a lease; it looks at nothing in the cloud but whose home it is, and calls nothing.

use std::sync::Arc;

use super::agent_done as done;
use super::agent_organ::Turns;
use super::agent_ready::{Ready, Slot};
use super::made_as;
use super::run;
use super::worked_in;
use crate::agent::folder::text_of;
use crate::agent::work::{Asked, Condition, Done, Key};
use rgctl_engine::execution::drive::DriveError;
use rgctl_engine::execution::reconcile::give_back;
use rgctl_model::ports::Cloud;
use rgctl_model::scope::Scope;
use rgctl_schema::names::BlueprintName;

impl Turns {
    /// Everything that goes before a turn; or what it comes to without one. Whatever that is, it tells whether a lease is held:
    /// else nobody would give it back.
    pub async fn ready(&self, key: &Key, asked: Asked) -> Result<Ready, Done> {
        let slot = self.slot(key);
        let done = match self.read(key, &slot, asked).await {
            Ok(Ok(ready)) => return Ok(ready),
            Ok(Err(done)) => done,
            Err(error) => done::failed(&error, self.adapters.clock.now()),
        };
        let mut slot = slot.lock().await;
        // A lease is kept for the next turn, unless there is to be none, or none before a person has done something, for which
        // they may need it.
        if asked.stopping || done.condition == Condition::Blocked {
            self.let_go(key, &mut slot).await;
        }
        Err(Done { is_open: slot.session.is_leased(), ..done })
    }

    async fn read(
        &self,
        key: &Key,
        slot: &Arc<tokio::sync::Mutex<Slot>>,
        asked: Asked,
    ) -> Result<Result<Ready, Done>, DriveError> {
        let (now, store) = (self.adapters.clock.now(), &*self.adapters.store);
        let Ok(name) = BlueprintName::new(&**key) else { return Ok(Err(done::nothing())) };
        let in_force = text_of(&self.texts, key);
        // A run whose text is gone is closed by the text that it was made for.
        let stopping = asked.stopping || in_force.is_none();
        let text = match in_force {
            Some(text) => Some(text),
            None => slot.lock().await.text.clone(),
        };
        let Some(text) = text else { return Ok(Err(done::nothing())) };
        let primary = text.place.primary.as_ref();
        // With those that it has left: who is looked at there goes on being.
        let before = slot.lock().await.left.union(&text.place.regions).cloned().collect();
        let view = self.observers.view(&name, &text, &before);
        let scope = Scope::new(view.eyes(&name, None).home(primary).await?, name);
        if view.is_usual(primary) {
            self.accounts.learn(primary, &scope.home);
        }
        if self.heard.is_paused(store, &scope.home, key).await? && !stopping {
            return Ok(Err(done::paused()));
        }
        let decisions = store.standing(&scope).await?;
        // While the lease is held nobody else makes anything.
        let held = {
            let slot = slot.lock().await;
            (slot.session.is_leased() && slot.scope.as_ref() == Some(&scope)).then(|| slot.sizes.clone())
        };
        let sizes = match held {
            Some(sizes) => sizes,
            None => made_as::recall(store, &scope).await?,
        };
        let mut loaded = match self.language.load(&text, key, (&decisions, &sizes), now) {
            Ok(loaded) => loaded,
            Err(why) => return Ok(Err(done::wrong(&why, now))),
        };
        let left = run::regions_left_in(store, &scope, &loaded.desired, now).await?;
        let view = if left.is_subset(&text.place.regions) && before == text.place.regions {
            view
        } else {
            // What is left elsewhere is removed as whoever made it, or by nobody.
            let all = text.place.regions.union(&left).cloned().collect();
            let view = self.observers.view(&scope.blueprint, &text, &all);
            if self.observers.knows_accounts() {
                let was = worked_in::recall(store, &scope).await?;
                view.only_as(left.difference(&text.place.regions), &was)
            } else {
                view
            }
        };
        loaded.desired.regions.extend(left.iter().cloned());
        let mut slot = Arc::clone(slot).lock_owned().await;
        if slot.scope.as_ref() != Some(&scope) {
            // Another world, or another account: what is known of the one before is of no use.
            self.let_go(key, &mut slot).await;
            *slot = Slot { scope: Some(scope.clone()), ..Slot::default() };
        }
        slot.left = left;
        slot.sizes = sizes;
        let asked = Asked { stopping, ..asked };
        Ok(Ok(Ready { scope, loaded, decisions, asked, text, view, slot }))
    }

    /// Gives a lease back, if one is held; whoever comes next goes on from the record.
    pub(super) async fn let_go(&self, key: &str, slot: &mut Slot) {
        if !slot.session.is_leased() {
            return;
        }
        give_back(&self.adapters.environment(), &mut slot.session).await;
        slot.text = None;
        if let Ok(name) = BlueprintName::new(key) {
            self.observers.set_in_motion(&name, false);
        }
    }
}
