//! Narrow looks beside the shared ones: while a role moves, its objects are looked at by name every few seconds, and a
//! change there makes the look at the whole region due at once. Pure: time is an argument.
//!
//! **Invariant:** a blueprint costs four calls each time at most, and none when no role of its moves.

use std::collections::{BTreeMap, BTreeSet};

use rgctl_model::address::Address;
use rgctl_model::sweep::SightDigest;
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::{Moment, Span};

/// Most objects of a blueprint that are looked at by name, a call each: a role has a giver, a taker, and what spans both.
const OBJECTS_MAX: usize = 4;
/// How often. A failover takes half a minute; a look at everything every so often would cost more than all else.
const AGAIN: Span = Span::from_secs(3);
/// How long a role moves at most before only the shared looks follow it: what takes longer is in no hurry.
const LASTS: Span = Span::from_mins(15);

#[derive(Debug)]
struct Glance {
    objects: BTreeSet<Address>,
    last: Option<SightDigest>,
    is_under_way: bool,
    due: Moment,
    until: Moment,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Glances {
    all: BTreeMap<BlueprintName, Glance>,
}

impl Glances {
    /// A role of these objects moves.
    pub fn begin(&mut self, name: &BlueprintName, objects: impl IntoIterator<Item = Address>, now: Moment) {
        let known = self.all.remove(name).map(|glance| glance.objects).unwrap_or_default();
        let objects = objects.into_iter().chain(known).take(OBJECTS_MAX).collect();
        let glance =
            Glance { objects, last: None, is_under_way: false, due: now + AGAIN, until: now + LASTS };
        self.all.insert(name.clone(), glance);
    }

    /// Nothing of a blueprint moves any more.
    pub fn end(&mut self, name: &BlueprintName) {
        self.all.remove(name);
    }

    /// Those that are due, which are under way from now on.
    pub fn due(&mut self, now: Moment) -> Vec<(BlueprintName, BTreeSet<Address>)> {
        self.all.retain(|_, glance| now < glance.until);
        let due = self.all.iter_mut().filter(|(_, glance)| !glance.is_under_way && glance.due <= now);
        due.map(|(name, glance)| {
            glance.is_under_way = true;
            (name.clone(), glance.objects.clone())
        })
        .collect()
    }

    /// When the next one is due that is not under way.
    pub fn due_at(&self) -> Option<Moment> {
        let idle = self.all.values().filter(|glance| !glance.is_under_way);
        idle.map(|glance| glance.due.min(glance.until)).min()
    }

    /// The clock was set: each is due, and lasts as long again as one that begins.
    pub fn clock_was_set(&mut self, now: Moment) {
        for glance in self.all.values_mut() {
            (glance.due, glance.until) = (now, now + LASTS);
        }
    }

    /// One has ended: the regions in which something is not as it was.
    pub fn seen(
        &mut self,
        name: &BlueprintName,
        digest: Option<SightDigest>,
        now: Moment,
    ) -> BTreeSet<RegionId> {
        let Some(glance) = self.all.get_mut(name) else { return BTreeSet::new() };
        glance.is_under_way = false;
        glance.due = now + AGAIN;
        let Some(digest) = digest else { return BTreeSet::new() };
        let before = glance.last.replace(digest);
        if before.is_none_or(|before| before == digest) {
            return BTreeSet::new();
        }
        glance.objects.iter().map(|address| address.region.clone()).collect()
    }
}
