//! What an observer sees: pages of objects, late by a little, with gaps where something does not answer.
//!
//! **Invariant:** the work is proportional to what is in the regions that are asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::kinds::identity::Identity;
use rgctl_model::node::TAG_BLUEPRINT;
use rgctl_model::observed::{Facts, Gap, Inventory, Member, Observed, Selection};
use rgctl_model::ports::CloudError;
use rgctl_model::seen::Seen;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::phase::Role;
use rgctl_schema::time::Moment;

use super::calls::arn;
use super::state::Object;
use super::world::World;

/// Objects on one page of a list.
const PAGE: usize = 100;
/// How far objects of others are followed to ours: a reader to its cluster, and from there to our global object.
const REFERENCES: u8 = 2;
/// Status word of the fault that shows a word nobody has heard of.
const UNHEARD_OF: &str = "recalibrating";

pub(super) const ENDPOINTS: fn() -> BTreeSet<Endpoint> =
    || KindId::ALL.iter().map(|kind| kind.facts().endpoint).collect();

/// What a look has found so far.
struct Found {
    seen: Vec<(Address, Arc<Observed>)>,
    gaps: Vec<Gap>,
}

impl World {
    /// Objects of one kind in one region.
    pub(super) fn in_region<'a>(
        &'a self,
        region: &RegionId,
        kind: KindId,
    ) -> impl Iterator<Item = (&'a Address, &'a Object)> + use<'a> {
        // "a" is the smallest legal name.
        let first = Name::new("a").ok().map(|name| Address::new(region.clone(), kind, name));
        let region = region.clone();
        first
            .into_iter()
            .flat_map(|first| self.objects.range(first..))
            .take_while(move |(address, _)| address.region == region && address.kind == kind)
    }

    /// Looks at everything in scope.
    pub fn observe(&mut self, scope: &Selection) -> Result<Inventory, CloudError> {
        if let Some(inventory) = self.look_again(scope) {
            return Ok(inventory);
        }
        let mut found = Found { seen: Vec::with_capacity(self.objects.len()), gaps: Vec::new() };
        let mut lost = 0;
        for region in &scope.regions {
            if self.is_region_lost(region) {
                lost += 1;
            }
            for endpoint in ENDPOINTS() {
                self.observe_endpoint(scope, region, endpoint, &mut found);
            }
        }
        if lost == scope.regions.len() && lost > 0 {
            return Err(CloudError::Unreachable { why: "no region answers".to_owned() });
        }
        let inventory = Inventory { seen: Seen::of_shared(found.seen), gaps: found.gaps, taken: self.now() };
        self.remember(scope, &inventory);
        Ok(inventory)
    }

    fn observe_endpoint(
        &mut self,
        scope: &Selection,
        region: &RegionId,
        endpoint: Endpoint,
        into: &mut Found,
    ) {
        let gap = |why: &str, lasting| Gap { region: region.clone(), endpoint, why: why.to_owned(), lasting };
        if self.is_region_lost(region) {
            into.gaps.push(gap("the region does not answer", false));
            self.observe_globals_of(scope, region, endpoint, into);
            return;
        }
        if self.is_denied(region, endpoint) {
            into.gaps.push(gap("not allowed (AccessDenied): the account may not list it", true));
            return;
        }
        let before = into.seen.len();
        for kind in KindId::ALL.iter().filter(|kind| kind.facts().endpoint == endpoint) {
            for (address, object) in self.in_region(region, *kind) {
                if self.concerns(scope, address, object, REFERENCES)
                    && let Some(seen) = self.see(address, object)
                {
                    into.seen.push((address.clone(), seen));
                }
            }
        }
        self.pay_for_lists(region, endpoint);
        if self.has_gap(region, endpoint) {
            into.gaps.push(gap("a page was not delivered", false));
            into.seen.truncate(before + (into.seen.len() - before) / 2);
        }
        self.observe_globals_of(scope, region, endpoint, into);
    }

    /// A list that needs more pages than the bucket holds is paced by its caller and takes longer; here, where it takes no
    /// time, the calls that follow pay for it: for one such list at most, so that looking often stops nobody.
    pub(super) fn pay_for_lists(&mut self, region: &RegionId, endpoint: Endpoint) {
        let kinds = KindId::ALL.iter().filter(|kind| kind.facts().endpoint == endpoint);
        let pages: usize = kinds.map(|kind| self.population(region, *kind) / PAGE + 1).sum();
        let price = pages as f64;
        let bucket = self.api_tokens(region, endpoint);
        bucket.tokens = (bucket.tokens - price).max(-price);
    }

    /// Objects that span regions answer in every region of a member.
    fn observe_globals_of(&self, scope: &Selection, region: &RegionId, endpoint: Endpoint, into: &mut Found) {
        for kind in KindId::ALL.iter().filter(|k| k.facts().is_global && k.facts().endpoint == endpoint) {
            for (address, object) in self.all_globals(*kind) {
                let asked =
                    |member: &RegionId| scope.regions.contains(member) && !self.is_region_lost(member);
                let answers = object.members.iter().any(|member| asked(&member.region));
                let concerns =
                    address.region == *region || object.members.iter().any(|m| m.region == *region);
                if answers
                    && concerns
                    && self.concerns(scope, address, object, REFERENCES)
                    && let Some(seen) = self.see(address, object)
                {
                    into.seen.push((address.clone(), seen));
                }
            }
        }
    }

    /// Whether an object is of the blueprint that is asked about, or bound to one that is: it names it in a field, as
    /// a member names its cluster; or one of the two is a member of the other.
    fn concerns(&self, scope: &Selection, address: &Address, object: &Object, references: u8) -> bool {
        if is_in_scope(scope, address, object) {
            return true;
        }
        let Some(further) = references.checked_sub(1) else { return false };
        let is_asked = |address: &Address| {
            self.objects.get(address).is_some_and(|object| self.concerns(scope, address, object, further))
        };
        let names = |(_, kind, name): (&str, KindId, String)| {
            Name::new(name).ok().map(|name| Address::new(address.region.clone(), kind, name))
        };
        object.attrs.named().into_iter().filter_map(names).any(|named| is_asked(&named))
            || self.global_of(address).is_some_and(is_asked)
            || object.members.iter().any(|member| {
                let kind = address.kind.member_kind();
                kind.is_some_and(|kind| {
                    let member = Address::new(member.region.clone(), kind, member.name.clone());
                    self.objects.get(&member).is_some_and(|object| is_in_scope(scope, &member, object))
                })
            })
    }

    /// Until when every look shows the same, by what is known now; nothing while faults are about, which may strike any
    /// look, or when nothing is going to happen.
    pub(super) fn next_event_at(&self) -> Option<Moment> {
        let now = self.now();
        if self.faults().any(|(_, rule)| rule.until > now) {
            return None;
        }
        let shadows = self.objects.values().filter_map(|object| object.shadow.as_ref());
        let shown = shadows.map(|shadow| shadow.until).filter(|until| *until > now).min();
        shown.into_iter().chain(self.next_event()).min()
    }

    /// One object as its readers see it, if they see it at all.
    pub(super) fn see(&self, address: &Address, object: &Object) -> Option<Arc<Observed>> {
        let shadow = object.shadow.as_ref().filter(|shadow| shadow.until > self.now());
        let Some(shadow) = shadow else { return Some(self.portrait(address, object)) };
        let view = shadow.view.as_ref()?;
        let then = Object {
            attrs: view.attrs.clone(),
            pending: view.pending.clone(),
            native: view.native.clone(),
            tags: view.tags.clone(),
            ..object.clone()
        };
        Some(Arc::new(self.portray(address, &then)))
    }

    /// An object as its readers see it once no write is recent: made once, and shared by all looks until something is
    /// written that shows in it.
    fn portrait(&self, address: &Address, object: &Object) -> Arc<Observed> {
        if let Some(portrait) = object.portrait.get().filter(|_| !self.moves_by_itself(address)) {
            debug_assert_eq!(
                **portrait,
                self.portray(address, object),
                "something was written that it does not show"
            );
            return Arc::clone(portrait);
        }
        let portrait = Arc::new(self.portray(address, object));
        let is_lasting = !self.moves_by_itself(address)
            && self.children(address).all(|(_, member)| {
                member
                    .shadow
                    .as_ref()
                    .is_none_or(|shadow| shadow.until <= self.now() || shadow.view.is_some())
            });
        if is_lasting {
            // A first one that is there by now is equal.
            let _ = object.portrait.set(Arc::clone(&portrait));
        }
        portrait
    }

    /// Whether it has members that readers do not see yet.
    fn hides_members(&self, address: &Address) -> bool {
        let is_hidden = |object: &Object| {
            object.shadow.as_ref().is_some_and(|shadow| shadow.until > self.now() && shadow.view.is_none())
        };
        self.children(address).any(|(_, member)| is_hidden(member))
    }

    /// Whether what is shown of an object may change without anything being written.
    pub(super) fn is_restless(&self, address: &Address, object: &Object) -> bool {
        object.shadow.as_ref().is_some_and(|shadow| shadow.until > self.now())
            || self.moves_by_itself(address)
            || self.hides_members(address)
    }

    /// Whether what is shown of an object depends on the time alone: what is measured in it, or a fault that strikes looks.
    fn moves_by_itself(&self, address: &Address) -> bool {
        !self.faults.is_empty() && self.shows_unknown(address)
            || address.kind.facts().holds_data && !self.loads.is_empty()
    }

    /// Every object as it is, without any lag: what the services know and readers do not yet see.
    pub fn everything(&self) -> impl Iterator<Item = (&Address, Observed)> {
        self.objects.iter().map(|(address, object)| (address, self.portray(address, object)))
    }

    fn portray(&self, address: &Address, object: &Object) -> Observed {
        let native = if self.shows_unknown(address) { UNHEARD_OF.to_owned() } else { object.native.clone() };
        Observed {
            attrs: object.attrs.clone(),
            pending: object.pending.clone(),
            facts: Facts {
                phase: address.kind.phase(&native),
                native,
                arn: Some(arn(address)),
                role: object.role,
                members: self.members_seen(address, object),
                tags: object.tags.clone(),
                id: self.id_of(address, object),
                created: (address.kind.identity() != Identity::Nothing && !address.kind.facts().is_global)
                    .then_some(object.created),
                endpoint: address
                    .kind
                    .facts()
                    .holds_data
                    .then(|| format!("{}.{}.sim.internal", address.name, address.region)),
                used_gib: self.used_gib(address),
            },
        }
    }

    /// The service's own id of an object, where it gives one: it goes with the object.
    fn id_of(&self, address: &Address, object: &Object) -> Option<String> {
        let Identity::Id(prefix) = address.kind.identity() else { return None };
        let text = format!("{} {address} {}", self.id(), object.created.as_millis());
        let letters: String = sha256_hex(text.as_bytes()).chars().take(26).collect();
        Some(format!("{prefix}-{}", letters.to_ascii_uppercase()))
    }

    fn members_seen(&self, address: &Address, object: &Object) -> Vec<Member> {
        if address.kind.facts().is_global {
            return object.members.clone();
        }
        self.children(address)
            .filter(|(_, member)| {
                member
                    .shadow
                    .as_ref()
                    .is_none_or(|shadow| shadow.until <= self.now() || shadow.view.is_some())
            })
            .map(|(child, member)| Self::member(child, member.role.unwrap_or(Role::Reader)))
            .collect()
    }
}

/// Objects of a blueprint: its own by the tag, and whatever bears a name of its.
pub(super) fn is_in_scope(scope: &Selection, address: &Address, object: &Object) -> bool {
    scope.owner.as_ref().is_none_or(|owner| {
        // Most are known by their names.
        address.name.as_str().strip_prefix(owner.as_str()).is_some_and(|rest| rest.starts_with('-'))
            || object.tags.get(TAG_BLUEPRINT).is_some_and(|tag| tag == owner.as_str())
    })
}
