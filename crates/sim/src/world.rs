//! The state of the embedded cloud: objects, what is going to happen to them, and the time.
//!
//! Goes in: calls and the passing of time. Comes out: rows, each a key and a text, of which only the changed ones need
//! to be kept.
//!
//! **Invariant:** the same seed and the same calls at the same moments give the same rows, byte for byte.
//! **Invariant:** at most one piece of work is in flight per object.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::{DurationEstimate, Endpoint};
use rgctl_model::observed::Member;
use rgctl_schema::names::{Name, Partition, RegionId};
use rgctl_schema::time::{Moment, Span};

use super::pacing::Pacing;
use super::state::{
    DueEvent, LastLook, Load, Meta, Object, Rule, TokenBucket, Trailed, Violation, parent_of,
};
use super::timing;

/// The embedded cloud's state.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) meta: Meta,
    pub(super) objects: BTreeMap<Address, Object>,
    pub(super) events: BTreeMap<(Moment, u64), DueEvent>,
    pub(super) buckets: BTreeMap<(RegionId, Endpoint), TokenBucket>,
    pub(super) faults: BTreeMap<u64, Rule>,
    pub(super) violations: Vec<Violation>,
    pub(super) ledger: BTreeMap<String, f64>,
    pub(super) loads: BTreeMap<Address, Load>,
    pub(super) tokens: BTreeMap<String, Address>,
    pub(super) attempts: BTreeMap<Address, u64>,
    pub(super) trail: BTreeMap<u64, Trailed>,
    /// Members by parent; follows from the objects.
    children: BTreeMap<Address, BTreeSet<Address>>,
    /// Global object by member; follows from the objects.
    global_of: BTreeMap<Address, Address>,
    /// Global objects by kind and name; follows from the objects.
    globals: BTreeMap<(KindId, Name), BTreeSet<Address>>,
    pub(super) dirty: BTreeSet<String>,
    /// How many objects there are by region and kind; follows from the objects.
    population: BTreeMap<(RegionId, KindId), usize>,
    /// The last look of this process.
    pub(super) looked: Option<LastLook>,
}

impl World {
    /// An empty world.
    pub fn new(seed: u64, start: Moment) -> Self {
        let meta = Meta {
            seed,
            now: start,
            start,
            events: 0,
            serials: 0,
            faults: 0,
            snapshots_expected: false,
            id: format!("{seed:x}at{:x}", start.as_millis()),
            pacing: None,
            trail_max: 0,
            trailed: 0,
        };
        Self {
            meta,
            objects: BTreeMap::new(),
            events: BTreeMap::new(),
            buckets: BTreeMap::new(),
            faults: BTreeMap::new(),
            violations: Vec::new(),
            ledger: BTreeMap::new(),
            loads: BTreeMap::new(),
            tokens: BTreeMap::new(),
            attempts: BTreeMap::new(),
            trail: BTreeMap::new(),
            children: BTreeMap::new(),
            global_of: BTreeMap::new(),
            globals: BTreeMap::new(),
            dirty: BTreeSet::from(["meta".to_owned()]),
            population: BTreeMap::new(),
            looked: None,
        }
    }

    /// The world's time.
    pub const fn now(&self) -> Moment {
        self.meta.now
    }
    /// What tells this world from every other one.
    pub fn id(&self) -> &str {
        &self.meta.id
    }
    /// Gives the world an id, which it keeps for good.
    pub(super) fn set_id(&mut self, id: String) {
        self.meta.id = id;
        self.touch("meta");
        // The ids of objects follow from it.
        self.objects.values_mut().for_each(|object| drop(object.portrait.take()));
        self.looked = None;
    }
    /// The seed of all chance.
    pub const fn seed(&self) -> u64 {
        self.meta.seed
    }
    /// When the world began.
    pub const fn start(&self) -> Moment {
        self.meta.start
    }
    /// How many objects exist.
    pub fn len(&self) -> usize {
        self.objects.len()
    }
    /// Whether nothing exists.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
    /// What went wrong that must never go wrong.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
    /// From now on, deleting data without a final snapshot is a violation.
    pub fn expect_snapshots(&mut self, expected: bool) {
        self.meta.snapshots_expected = expected;
        self.touch("meta");
    }
    pub(super) const fn snapshots_expected(&self) -> bool {
        self.meta.snapshots_expected
    }

    /// How long writes to an object have failed because of changes to it.
    pub fn outage(&self, address: &Address) -> Span {
        self.objects.get(address).map_or(Span::ZERO, |object| object.outage)
    }

    /// Lets time pass until then; time never goes back.
    pub fn advance(&mut self, until: Moment) {
        while let Some((&(due, seq), _)) = self.events.first_key_value() {
            if due > until {
                break;
            }
            let Some(event) = self.events.remove(&(due, seq)) else { break };
            self.touch(format!("event/{:020}/{seq:010}", due.as_millis()));
            self.set_now(due);
            self.happen(event);
        }
        self.set_now(until);
    }

    fn set_now(&mut self, to: Moment) {
        if to > self.meta.now {
            self.meta.now = to;
            self.touch("meta");
        }
    }

    /// How the world's time keeps pace with real time.
    pub(super) const fn pacing(&self) -> Option<Pacing> {
        self.meta.pacing
    }

    pub(super) fn set_pacing(&mut self, pacing: Option<Pacing>) {
        self.meta.pacing = pacing;
        self.touch("meta");
    }

    /// When something happens next.
    pub fn next_event(&self) -> Option<Moment> {
        self.events.first_key_value().map(|((due, _), _)| *due)
    }

    pub(super) fn schedule(&mut self, due: Moment, event: DueEvent) {
        self.meta.events += 1;
        let seq = self.meta.events;
        self.events.insert((due, seq), event);
        self.touch(format!("event/{:020}/{seq:010}", due.as_millis()));
        self.touch("meta");
    }

    pub(super) fn schedule_zone_loss(&mut self, zone: String, from: Moment, until: Moment) {
        self.schedule(from.max(self.now()), DueEvent::Zone { zone, back_at: until });
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.meta.serials += 1;
        self.touch("meta");
        self.meta.serials
    }

    pub(super) fn next_fault(&mut self) -> u64 {
        self.meta.faults += 1;
        self.touch("meta");
        self.meta.faults
    }

    pub(super) fn next_attempt(&mut self, address: &Address) -> u64 {
        let n = self.attempts.entry(address.clone()).or_default();
        *n += 1;
        let n = *n;
        self.touch(format!("attempt/{address}"));
        n
    }

    /// How long something takes this time.
    pub(super) fn lasts(&mut self, address: &Address, purpose: &str, lasts: DurationEstimate) -> Span {
        let seed = self.seed();
        let n = self.objects.get_mut(address).map_or(0, |object| {
            object.draws += 1;
            object.draws
        });
        timing::duration(timing::draw(seed, purpose, address, n), lasts)
    }

    pub(super) fn insert(&mut self, address: Address, object: Object) {
        self.touch_object(&address);
        self.place(address, object);
    }

    /// Puts an object in place without marking its row.
    pub(super) fn place(&mut self, address: Address, mut object: Object) {
        object.portrait = OnceLock::new();
        if let Some(parent) = parent_of(&address, &object.attrs) {
            self.look_anew(&parent);
            self.children.entry(parent).or_default().insert(address.clone());
        }
        if address.kind.facts().is_global {
            self.globals.entry((address.kind, address.name.clone())).or_default().insert(address.clone());
        }
        for member in &object.members {
            if let Some(kind) = address.kind.member_kind() {
                let member = Address::new(member.region.clone(), kind, member.name.clone());
                self.global_of.insert(member, address.clone());
            }
        }
        if let Some(last) = &mut self.looked {
            last.restless.insert(address.clone());
        }
        let place = (address.region.clone(), address.kind);
        if self.objects.insert(address, object).is_none() {
            *self.population.entry(place).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, address: &Address) -> Option<Object> {
        self.touch_object(address);
        self.displace(address)
    }

    /// Takes an object away without marking its row.
    pub(super) fn displace(&mut self, address: &Address) -> Option<Object> {
        let object = self.objects.remove(address)?;
        if let Some(count) = self.population.get_mut(&(address.region.clone(), address.kind)) {
            *count -= 1;
        }
        if let Some(last) = &mut self.looked {
            last.restless.insert(address.clone());
        }
        if let Some(parent) = parent_of(address, &object.attrs) {
            self.look_anew(&parent);
            if let Some(siblings) = self.children.get_mut(&parent) {
                siblings.remove(address);
            }
        }
        if address.kind.facts().is_global {
            self.global_of.retain(|_, global| global != address);
            if let Some(same) = self.globals.get_mut(&(address.kind, address.name.clone())) {
                same.remove(address);
            }
        }
        Some(object)
    }

    /// Members of a cluster, in order of their names.
    pub(super) fn children(&self, address: &Address) -> impl Iterator<Item = (&Address, &Object)> {
        self.children.get(address).into_iter().flatten().filter_map(|child| self.objects.get_key_value(child))
    }

    /// The global object that an object is a member of.
    pub(super) fn global_of(&self, address: &Address) -> Option<&Address> {
        self.global_of.get(address)
    }

    /// Puts a list of members on a global object; roles of the members follow.
    pub(super) fn set_members(&mut self, global: &Address, members: Vec<Member>) {
        let Some(kind) = global.kind.member_kind() else { return };
        let address_of = |member: &Member| Address::new(member.region.clone(), kind, member.name.clone());
        let old: Vec<Address> =
            self.objects.get(global).map(|o| o.members.iter().map(address_of).collect()).unwrap_or_default();
        for gone in old {
            self.global_of.remove(&gone);
            self.edit(&gone, |object| object.role = None);
        }
        for member in &members {
            let address = address_of(member);
            self.global_of.insert(address.clone(), global.clone());
            self.edit(&address, |object| object.role = Some(member.role));
        }
        self.edit(global, |object| object.members = members);
    }

    /// The global object of that kind and name; its name is its own in the whole partition.
    pub(super) fn find_global(&self, kind: KindId, name: &str, partition: Partition) -> Option<&Address> {
        let name = Name::new(name).ok()?;
        self.globals.get(&(kind, name))?.iter().find(|address| Partition::of(&address.region) == partition)
    }

    /// Global objects of a kind, wherever they live.
    pub(super) fn all_globals(&self, kind: KindId) -> impl Iterator<Item = (&Address, &Object)> {
        self.globals
            .iter()
            .filter(move |((of, _), _)| *of == kind)
            .flat_map(|(_, all)| all)
            .filter_map(|address| self.objects.get_key_value(address))
    }

    /// Changes an object and marks its row.
    pub(super) fn edit(&mut self, address: &Address, change: impl FnOnce(&mut Object)) {
        let Some(object) = self.objects.get_mut(address) else { return };
        change(object);
        // A cluster tells of its members.
        let parent = parent_of(address, &object.attrs);
        self.look_anew(address);
        self.touch_object(address);
        if let Some(parent) = parent {
            self.look_anew(&parent);
        }
    }

    /// What is shown of an object has changed.
    fn look_anew(&mut self, address: &Address) {
        if let Some(object) = self.objects.get_mut(address) {
            object.portrait.take();
            if let Some(last) = &mut self.looked {
                last.restless.insert(address.clone());
            }
        }
    }

    /// How many objects of a kind there are in a region.
    pub(super) fn population(&self, region: &RegionId, kind: KindId) -> usize {
        self.population.get(&(region.clone(), kind)).copied().unwrap_or_default()
    }

    /// Whether nothing spans regions.
    pub(super) fn has_no_globals(&self) -> bool {
        self.globals.values().all(BTreeSet::is_empty)
    }

    fn touch_object(&mut self, address: &Address) {
        self.dirty.insert(format!("object/{address}"));
    }

    pub(super) fn touch(&mut self, key: impl Into<String>) {
        self.dirty.insert(key.into());
    }
}
