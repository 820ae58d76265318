//! What an observer sees: pages of objects, late by a little, with gaps where something does not answer.
//!
//! **Invariant:** the work is proportional to what is in the regions that are asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::kinds::identity::Identity;
use rgctl_model::observed::{Facts, Gap, Inventory, Member, Observed, Selection};
use rgctl_model::ports::CloudError;
use rgctl_model::seen::Seen;
use rgctl_model::selection::Face;
use rgctl_model::sweep::{Sieve, SightDigest, Swept};
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::phase::Role;
use rgctl_schema::time::Moment;

use super::calls::arn;
use super::state::Object;
use super::tables::hosts;
use super::world::World;

/// Objects on one page of a list.
const PAGE: usize = 100;
/// Status word of the fault that shows a word nobody has heard of.
const UNHEARD_OF: &str = "recalibrating";

pub(super) const ENDPOINTS: fn() -> BTreeSet<Endpoint> =
    || KindId::ALL.iter().map(|kind| kind.facts().endpoint).collect();

/// How much of a list comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// A page is missing.
    Half,
    /// The region does not answer; objects that span regions answer elsewhere.
    OnlyGlobals,
}

/// A list that was asked for.
struct List {
    region: RegionId,
    endpoint: Endpoint,
    part: Part,
}

/// An object on a list, as its readers see it.
struct Glimpse<'a> {
    address: &'a Address,
    seen: Arc<Observed>,
    /// Whether it is listed because it spans regions.
    spans: bool,
}

impl List {
    /// What of it comes back.
    fn delivered<'a>(&self, mut all: Vec<Glimpse<'a>>) -> Vec<Glimpse<'a>> {
        if self.part == Part::Half {
            let half = all.iter().filter(|glimpse| !glimpse.spans).count() / 2;
            let mut count = 0;
            all.retain(|glimpse| {
                count += usize::from(!glimpse.spans);
                glimpse.spans || count <= half
            });
        }
        all
    }
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
        let (lists, gaps) = self.ask(scope)?;
        let found: Vec<Vec<Glimpse<'_>>> =
            lists.iter().map(|list| self.listed(scope, list).collect()).collect();
        let faces: Vec<Face<'_>> =
            found.iter().flatten().map(|glimpse| Face::of(glimpse.address, &glimpse.seen)).collect();
        let mut shown = scope.shown(&faces).into_iter();
        let mut seen = Vec::with_capacity(faces.len());
        for (list, found) in lists.iter().zip(found) {
            let ours = found.into_iter().zip(shown.by_ref()).filter_map(|(it, shown)| shown.then_some(it));
            let delivered = list.delivered(ours.collect()).into_iter();
            seen.extend(delivered.map(|glimpse| (glimpse.address.clone(), glimpse.seen)));
        }
        let inventory = Inventory { seen: Seen::of_shared(seen), gaps, ..Inventory::empty(self.now()) };
        self.remember(scope, &inventory);
        Ok(inventory)
    }

    /// Shows everything in scope, one object at a time.
    pub fn sweep(&mut self, scope: &Selection, sieve: &mut dyn Sieve) -> Result<Swept, CloudError> {
        let (lists, gaps) = self.ask(scope)?;
        let shown = |sieve: &mut dyn Sieve, is_first: bool| {
            // A global object is in the lists of every region of a member; here it passes once.
            let mut globals = BTreeSet::new();
            for list in &lists {
                for glimpse in list.delivered(self.listed(scope, list).collect()) {
                    let address = glimpse.address;
                    if address.kind.facts().is_global && !globals.insert(address) {
                        continue;
                    }
                    if is_first {
                        sieve.pass(address, &glimpse.seen);
                    } else if sieve.wants(address) {
                        sieve.take(address.clone(), glimpse.seen);
                    }
                }
            }
        };
        shown(sieve, true);
        sieve.close();
        shown(sieve, false);
        Ok(Swept { gaps, taken: self.now() })
    }

    /// The states of a few objects, and who plays which part among their members.
    pub fn glance(&self, objects: &BTreeSet<Address>) -> Result<SightDigest, CloudError> {
        if let Some(lost) = objects.iter().find(|address| self.is_region_lost(&address.region)) {
            return Err(CloudError::Unreachable { why: format!("{} does not answer", lost.region) });
        }
        let state = |address: &Address| {
            let facts = &self.see(address, self.objects.get(address)?)?.facts;
            Some((address.clone(), facts.native.clone(), facts.role, facts.members.clone()))
        };
        Ok(SightDigest::of_value(&objects.iter().map(state).collect::<Vec<_>>()))
    }

    /// Asks for all lists of the regions: those that answer, in whole or in part, and the gaps. It fails where nothing does.
    fn ask(&mut self, scope: &Selection) -> Result<(Vec<List>, Vec<Gap>), CloudError> {
        if !scope.regions.is_empty() && scope.regions.iter().all(|region| self.is_region_lost(region)) {
            let regions: Vec<&str> = scope.regions.iter().map(RegionId::as_str).collect();
            let why = format!("no region answers of {}", regions.join(", "));
            return Err(CloudError::Unreachable { why });
        }
        let (mut lists, mut gaps) = (Vec::new(), Vec::new());
        for region in &scope.regions {
            for endpoint in ENDPOINTS() {
                let mut list = List { region: region.clone(), endpoint, part: Part::Whole };
                let gap = |why: &str, lasting| Gap {
                    region: region.clone(),
                    endpoint,
                    why: why.to_owned(),
                    lasting,
                };
                if self.is_region_lost(region) {
                    gaps.push(gap("the region does not answer", false));
                    list.part = Part::OnlyGlobals;
                } else if self.is_denied(region, endpoint) {
                    gaps.push(gap("not allowed (AccessDenied): the account may not list it", true));
                    continue;
                } else {
                    self.pay_for_lists(region, endpoint);
                    if self.has_gap(region, endpoint) {
                        gaps.push(gap("a page was not delivered", false));
                        list.part = Part::Half;
                    }
                }
                lists.push(list);
            }
        }
        Ok((lists, gaps))
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

    /// What a list holds, as its readers see it: the objects of the region, then those that span regions, which answer in
    /// every region of a member.
    fn listed<'a>(&'a self, scope: &'a Selection, list: &'a List) -> impl Iterator<Item = Glimpse<'a>> {
        let region = &list.region;
        let kinds = || KindId::ALL.iter().filter(|kind| kind.facts().endpoint == list.endpoint);
        let here = kinds()
            .filter(|_| list.part != Part::OnlyGlobals)
            .flat_map(move |kind| self.in_region(region, *kind))
            .map(|(address, object)| (address, object, false));
        let asked = |member: &RegionId| scope.regions.contains(member) && !self.is_region_lost(member);
        let spans = kinds()
            .filter(|kind| kind.facts().is_global)
            .flat_map(|kind| self.all_globals(*kind))
            .filter(move |(address, object)| {
                object.members.iter().any(|member| asked(&member.region))
                    && (address.region == *region || object.members.iter().any(|m| m.region == *region))
            })
            .map(|(address, object)| (address, object, true));
        here.chain(spans).filter_map(|(address, object, spans)| {
            let seen = self.see(address, object)?;
            Some(Glimpse { address, seen, spans })
        })
    }

    /// Whether an object is asked for, by the tags that its readers see.
    pub(super) fn is_asked(&self, scope: &Selection, address: &Address, object: &Object) -> bool {
        let shadow = object.shadow.as_ref().filter(|shadow| shadow.until > self.now());
        let view = shadow.and_then(|shadow| shadow.view.as_ref());
        scope.asks_for(address, view.map_or(&object.tags, |view| &view.tags))
    }

    /// Until when every look shows the same, by what is known now; nothing while faults are about, which may strike any
    /// look, or when nothing is going to happen.
    pub(super) fn next_event_at(&self) -> Option<Moment> {
        let now = self.now();
        if self.faults().any(|(_, rule)| rule.until > now) {
            return None;
        }
        // What was written and does not show yet is among what the last look would look at again.
        let written = self.looked.as_ref().map(|last| &last.restless);
        let written = written.map(|written| written.iter().filter_map(|address| self.objects.get(address)));
        let all = if written.is_some() { None } else { Some(self.objects.values()) };
        let objects = written.into_iter().flatten().chain(all.into_iter().flatten());
        let shadows = objects.filter_map(|object| object.shadow.as_ref());
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
            parameters: view.parameters,
            cool_down: view.cool_down.clone(),
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
        let (endpoint, access) = hosts::reached(address, &object.attrs, &object.phase(), object.created);
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
                endpoint,
                access,
                used_gib: self.used_gib(address),
                parameters: object.parameters,
                is_unread: false,
                cool_down: object.cool_down.clone(),
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
