//! One look at everything, for many blueprints: which objects are whose, and a digest of what each blueprint has.
//!
//! Goes in: the objects of a look, one after the other, twice. Comes out: digests of all blueprints, and the objects of
//! those few that ask for them.
//!
//! **Invariant:** the work is proportional to the objects and not to the blueprints times the objects. Of an object that
//! nobody asks for some eighty bytes are kept, and only for the time of the look.
//! **Invariant:** what is handed to a blueprint is what an observation of its own would have shown.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::node::TAG_BLUEPRINT;
use super::observed::{Gap, Inventory, Observed};
use super::seen::Seen;
use super::selection::{Face, REFERENCES, givers};
use rgctl_schema::digest::sha256_half;
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::Moment;

/// Stands for what was seen: it is another one as soon as any field of any object is. It does not depend on the order of
/// the objects, so that it can be made while they come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SightDigest(u128);

impl SightDigest {
    /// Adds an object. The buffer is the caller's, so that it is not made anew for each.
    pub fn add(&mut self, address: &Address, seen: &Observed, buffer: &mut Vec<u8>) {
        self.merge(Self(sha256_half(&(address, seen), buffer)));
    }

    /// Stands for any value.
    pub fn of_value(value: &impl Serialize) -> Self {
        Self(sha256_half(value, &mut Vec::new()))
    }

    /// Adds a gap. Why it is there is left out: some reasons carry a number that is another one each time.
    pub fn add_gap(&mut self, gap: &Gap) {
        self.merge(Self::of_value(&(&gap.region, gap.endpoint, gap.lasting)));
    }

    /// Adds another part of the same look.
    pub const fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// The digest of a whole inventory.
    pub fn of(inventory: &Inventory) -> Self {
        let (mut digest, mut buffer) = (Self::default(), Vec::new());
        for (address, seen) in &inventory.seen {
            digest.add(address, seen, &mut buffer);
        }
        for gap in &inventory.gaps {
            digest.add_gap(gap);
        }
        digest
    }
}

/// Who is shown one look without keeping it: every object once, then those again that it wants.
pub trait Sieve: Send {
    /// Every object, in any order.
    fn pass(&mut self, address: &Address, seen: &Observed);
    /// Every object was shown.
    fn close(&mut self);
    /// Whether it keeps an object.
    fn wants(&self, address: &Address) -> bool;
    /// An object that it keeps.
    fn take(&mut self, address: Address, seen: Arc<Observed>);
}

/// What there is to say of a look beside its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// When the look began.
    pub taken: Moment,
}

/// Shows an inventory that is there as a whole.
pub fn sift(inventory: Inventory, sieve: &mut dyn Sieve) -> Swept {
    for (address, seen) in &inventory.seen {
        sieve.pass(address, seen);
    }
    sieve.close();
    for (address, seen) in inventory.seen.iter_shared() {
        if sieve.wants(address) {
            sieve.take(address.clone(), Arc::clone(seen));
        }
    }
    Swept { gaps: inventory.gaps, taken: inventory.taken }
}

/// For whom a look is: blueprints, and the objects that each names beside those under its own names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Viewers {
    names: Vec<BlueprintName>,
    places: BTreeMap<BlueprintName, u32>,
    by_text: BTreeMap<String, u32>,
    named: BTreeMap<Address, Vec<u32>>,
}

impl Viewers {
    /// Those who look.
    pub fn new<'a>(all: impl IntoIterator<Item = (&'a BlueprintName, &'a BTreeSet<Address>)>) -> Self {
        let mut viewers = Self::default();
        for (name, named) in all {
            let Ok(place) = u32::try_from(viewers.names.len()) else { break };
            viewers.names.push(name.clone());
            viewers.places.insert(name.clone(), place);
            viewers.by_text.insert(name.to_string(), place);
            for address in named {
                viewers.named.entry(address.clone()).or_default().push(place);
            }
        }
        viewers
    }

    /// Their names, in the order in which they were given.
    pub fn names(&self) -> &[BlueprintName] {
        &self.names
    }

    /// What any of them names.
    pub fn named(&self) -> impl Iterator<Item = &Address> {
        self.named.keys()
    }

    /// Who asks for an object by where it is alone.
    fn by_name(&self, address: &Address) -> BTreeSet<u32> {
        let under = givers(&address.name).filter_map(|giver| self.by_text.get(giver));
        self.named.get(address).into_iter().flatten().chain(under).copied().collect()
    }

    /// Who asks for an object.
    fn of(&self, face: &Face<'_>) -> BTreeSet<u32> {
        let mut all = self.by_name(face.address);
        all.extend(face.tags.get(TAG_BLUEPRINT).and_then(|tag| self.by_text.get(tag)));
        all
    }
}

/// An address in eight bytes. That two of an account share a number is as good as impossible, and would show one blueprint
/// an object more.
fn number_of(address: &Address) -> u64 {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    hasher.finish()
}

/// What is kept of an object while a look lasts.
#[derive(Debug)]
struct Passed {
    number: u64,
    digest: SightDigest,
}

/// Which blueprints want their objects, once the digests of all are known: those to whom it says yes.
pub type Choice<'a> = Box<dyn FnMut(&BlueprintName, SightDigest, usize) -> bool + Send + 'a>;

/// The look at one region for many blueprints.
pub struct Partition<'a> {
    viewers: Arc<Viewers>,
    choose: Choice<'a>,
    buffer: Vec<u8>,
    passed: Vec<Passed>,
    /// Objects, in order, with those who ask for them.
    asked: Vec<(u32, u32)>,
    /// Objects, in order, with the numbers of what they are bound to.
    links: Vec<(u32, u64)>,
    /// Members of global objects by number, with those who ask for them by name; and the global object.
    members: Vec<(u64, BTreeSet<u32>, u32)>,
    /// By number, once all have passed.
    places: Vec<(u64, u32)>,
    /// Whose each object is beyond those who ask for it.
    bound: BTreeMap<u32, BTreeSet<u32>>,
    digests: Vec<(SightDigest, usize)>,
    chosen: Vec<bool>,
    slices: BTreeMap<u32, Seen>,
}

impl std::fmt::Debug for Partition<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partition").field("passed", &self.passed.len()).finish_non_exhaustive()
    }
}

/// What a look has shown to each blueprint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// The digest of every one that sees anything.
    pub digests: BTreeMap<BlueprintName, SightDigest>,
    /// The objects of those who wanted them.
    pub slices: BTreeMap<BlueprintName, Seen>,
    /// Objects that were shown.
    pub objects: usize,
}

impl<'a> Partition<'a> {
    /// A look that has not begun.
    pub const fn new(viewers: Arc<Viewers>, choose: Choice<'a>) -> Self {
        Self {
            viewers,
            choose,
            buffer: Vec::new(),
            passed: Vec::new(),
            asked: Vec::new(),
            links: Vec::new(),
            members: Vec::new(),
            places: Vec::new(),
            bound: BTreeMap::new(),
            digests: Vec::new(),
            chosen: Vec::new(),
            slices: BTreeMap::new(),
        }
    }

    fn asking(&self, object: u32) -> impl Iterator<Item = u32> + '_ {
        let from = self.asked.partition_point(|(of, _)| *of < object);
        self.asked[from..].iter().take_while(move |(of, _)| *of == object).map(|(_, who)| *who)
    }

    /// Whose an object is.
    fn owners(&self, object: u32) -> impl Iterator<Item = u32> + '_ {
        self.asking(object).chain(self.bound.get(&object).into_iter().flatten().copied())
    }

    fn place_of(&self, number: u64) -> Option<u32> {
        let place = self.places.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.places.get(place).map(|(_, object)| *object)
    }

    /// Follows references by one step, as they were before it.
    fn follow(&self) -> Vec<(u32, u32)> {
        let mut further = Vec::new();
        let mut add = |object: u32, whose: u32| {
            if !self.owners(object).any(|owner| owner == whose) {
                further.push((object, whose));
            }
        };
        for (object, target) in &self.links {
            for whose in self.place_of(*target).into_iter().flat_map(|target| self.owners(target)) {
                add(*object, whose);
            }
        }
        for (member, by_name, global) in &self.members {
            let Some(member) = self.place_of(*member) else {
                // In a region that is looked at by itself.
                for whose in by_name {
                    add(*global, *whose);
                }
                continue;
            };
            self.owners(member).for_each(|whose| add(*global, whose));
            self.owners(*global).for_each(|whose| add(member, whose));
        }
        further
    }

    /// What was found.
    pub fn into_parts(self) -> Parts {
        let name = |place: u32| self.viewers.names.get(place as usize).cloned();
        let digests = self.digests.iter().enumerate().filter(|(_, (_, objects))| *objects > 0);
        let digests = digests
            .filter_map(|(place, (digest, _))| Some((self.viewers.names.get(place)?.clone(), *digest)));
        Parts {
            digests: digests.collect(),
            slices: self.slices.into_iter().filter_map(|(place, seen)| Some((name(place)?, seen))).collect(),
            objects: self.passed.len(),
        }
    }
}

impl Sieve for Partition<'_> {
    fn pass(&mut self, address: &Address, seen: &Observed) {
        let Ok(object) = u32::try_from(self.passed.len()) else { return };
        let mut digest = SightDigest::default();
        digest.add(address, seen, &mut self.buffer);
        self.passed.push(Passed { number: number_of(address), digest });
        let face = Face::of(address, seen);
        self.asked.extend(self.viewers.of(&face).into_iter().map(|who| (object, who)));
        self.links.extend(face.named().map(|named| (object, number_of(&named))));
        for member in face.members() {
            self.members.push((number_of(&member), self.viewers.by_name(&member), object));
        }
    }

    fn close(&mut self) {
        let numbers = self.passed.iter().zip(0..);
        self.places = numbers.map(|(passed, object)| (passed.number, object)).collect();
        self.places.sort_unstable();
        for _ in 0..REFERENCES {
            let further = self.follow();
            if further.is_empty() {
                break;
            }
            for (object, whose) in further {
                self.bound.entry(object).or_default().insert(whose);
            }
        }
        let mut digests = vec![(SightDigest::default(), 0); self.viewers.names.len()];
        for (passed, object) in self.passed.iter().zip(0..) {
            for whose in self.owners(object) {
                if let Some((digest, objects)) = digests.get_mut(whose as usize) {
                    digest.merge(passed.digest);
                    *objects += 1;
                }
            }
        }
        let all = self.viewers.names.iter().zip(&digests);
        self.chosen = all.map(|(name, (digest, objects))| (self.choose)(name, *digest, *objects)).collect();
        self.digests = digests;
    }

    fn wants(&self, address: &Address) -> bool {
        let object = self.place_of(number_of(address));
        object.is_some_and(|object| {
            self.owners(object).any(|whose| self.chosen.get(whose as usize).is_some_and(|chosen| *chosen))
        })
    }

    fn take(&mut self, address: Address, seen: Arc<Observed>) {
        let Some(object) = self.place_of(number_of(&address)) else { return };
        let is_chosen = |whose: &u32| self.chosen.get(*whose as usize).is_some_and(|chosen| *chosen);
        let whose: Vec<u32> = self.owners(object).filter(is_chosen).collect();
        for one in whose {
            self.slices.entry(one).or_default().insert_shared(address.clone(), Arc::clone(&seen));
        }
    }
}

/// One inventory of the looks at several regions, each with when the region was last seen.
pub fn joined(parts: impl IntoIterator<Item = (RegionId, Moment, Inventory)>) -> Option<Inventory> {
    let mut parts: Vec<_> = parts.into_iter().collect();
    // A global object is seen from the region of each member: the latest look knows best.
    parts.sort_by_key(|(_, seen_at, _)| *seen_at);
    // One that was not seen makes the others no older.
    let all = || parts.iter().map(|(_, seen_at, part)| (part.taken, *seen_at));
    let seen = all().filter(|(taken, seen_at)| seen_at >= taken).map(|(taken, _)| taken).min();
    let mut whole = Inventory::empty(seen.or_else(|| all().map(|(taken, _)| taken).min())?);
    for (region, seen_at, part) in parts {
        if whole.seen.is_empty() {
            whole.seen = part.seen;
        } else {
            for (address, seen) in part.seen.iter_shared() {
                whole.seen.insert_shared(address.clone(), Arc::clone(seen));
            }
        }
        whole.gaps.extend(part.gaps);
        whole.times.insert(region, seen_at);
    }
    whole.gaps.sort_by(|one, other| (&one.region, one.endpoint).cmp(&(&other.region, other.endpoint)));
    Some(whole)
}
