//! What one plan found, for the next one: of ten thousand objects few have changed between two looks, and comparing them and
//! making their steps is most of the work.
//!
//! **Invariant:** a plan made with a memory equals the one that is made without; a run asserts it in debug builds. Kept are that
//! an object is ours and differs in no field and no tag, the steps that make what is missing (`creations`), and a whole plan in
//! which there is nothing to do; each only as long as everything that it follows from is the same, of an object the very one that
//! was seen, what is wanted, the record, and the token that the record knows.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::Peekable;
use std::sync::Arc;

use super::creations::Creations;
use super::input::PlanInput;
use super::quotas;
use super::sharing::{Sharing, Standing};
use super::unset;
use super::waiting::KnownBlocker;
use crate::gate::Verdicts;
use rgctl_model::address::Address;
use rgctl_model::claims::Claimed;
use rgctl_model::journal::Entries;
use rgctl_model::node::Node;
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Plan, Step};
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::rules::Rules;
use rgctl_model::scope::RecordId;
use rgctl_model::seen::Seen;
use rgctl_schema::names::{BlueprintName, Fingerprint, RegionId, Token};

/// What is kept from plan to plan. Empty before the first one.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    basis: Option<Basis>,
    found: BTreeMap<Address, Found>,
    /// Objects that the last plan saw broken, in order.
    broken: Vec<Address>,
    /// The steps that make what is missing, from the second plan on: one that is made once is made faster without.
    creations: Option<Box<Creations>>,
    /// The last plan, where there was nothing to do and nothing to wait for.
    pub(crate) quiet: Option<Box<Quiet>>,
}

/// A plan of nothing, with everything that it followed from.
#[derive(Clone, Debug)]
pub(crate) struct Quiet {
    pub seen: Seen,
    pub basis: QuietBasis,
    pub plan: Plan,
}

/// What a plan of nothing followed from, beside what was seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QuietBasis {
    pub blueprint: BlueprintName,
    pub desired: Fingerprint,
    pub regions: BTreeSet<RegionId>,
    pub rules: Vec<Rules>,
    pub policy: Policy,
    pub verdicts: Verdicts,
    pub authority: Authority,
    /// The end of the record, and whose it is.
    pub record: (u64, String, Option<RecordId>),
}

/// What everything that is kept was compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Basis {
    blueprint: BlueprintName,
    desired: Fingerprint,
    record: Option<RecordId>,
}

/// An object that is ours and differs in nothing.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// It is held, so that no other one can ever be taken for it.
    seen: Arc<Observed>,
    token: Option<Token>,
    /// What the record told of what we have set of it, where that was judged by.
    set: Option<Box<KnownSet>>,
    /// How it stood.
    pub standing: Standing,
    /// What is waited for of it.
    pub waits: Option<KnownBlocker>,
}

/// What the record tells of the parameters and tags that we have set of an object: whether these are all, and which.
type KnownSet = (bool, Entries);

impl Memory {
    /// Forgets what was compared with something else than what is wanted now.
    pub(super) fn prepare(&mut self, input: &PlanInput<'_>) {
        let desired = &input.desired.fingerprint;
        // Without a digest nobody knows whether the same is wanted.
        let basis = (!desired.0.is_empty()).then(|| Basis {
            blueprint: input.desired.blueprint.clone(),
            desired: desired.clone(),
            record: input.claims.record.clone(),
        });
        let is_full_of_gone = self.found.len() / 2 > input.inventory.seen.len();
        if basis != self.basis || is_full_of_gone {
            *self = Self { basis, ..Self::default() };
        } else if self.creations.is_none() && self.basis.is_some() {
            self.creations = Some(Box::new(Creations::new(input.desired)));
        }
    }

    /// Begins to sort out which steps can be those of the plan before.
    pub(super) fn sharing(&mut self, input: &PlanInput<'_>) -> Option<Sharing> {
        self.creations.as_mut()?.begin(input)
    }

    /// The steps that make what is missing.
    pub(super) fn creations(&mut self) -> Option<&mut Creations> {
        self.creations.as_deref_mut()
    }

    /// Goes through what is known, in order of the addresses.
    pub(super) fn walk<'a>(&'a self, input: &PlanInput<'a>) -> Walk<'a> {
        Walk {
            found: self.found.iter().peekable(),
            claimed: input.claims.objects.iter().peekable(),
            claims: 0,
            is_kept: self.basis.is_some(),
        }
    }

    /// Keeps what was found beside it.
    pub(super) fn keep(&mut self, news: Vec<(Address, Found)>, broken: Vec<Address>) {
        self.found.extend(news);
        self.broken = broken;
    }

    /// What is known of the steps of the last plan.
    pub(crate) fn known_steps(&self) -> KnownSteps<'_> {
        KnownSteps(self.creations.as_deref())
    }

    /// Objects that the last plan saw in a state of failure, or in one that this version does not know, in order.
    pub fn broken(&self) -> &[Address] {
        &self.broken
    }
}

/// What is known of the steps of a plan beside the steps themselves, so that not each of them has to be looked at.
#[derive(Clone, Copy)]
pub(crate) struct KnownSteps<'a>(Option<&'a Creations>);

impl<'a> KnownSteps<'a> {
    /// Of a plan that was made without a memory nothing is known.
    pub const NOTHING: Self = Self(None);

    /// Missing objects that were never there, each with one step, which makes it; in order.
    pub fn missing(self) -> impl Iterator<Item = &'a Address> {
        self.0.into_iter().flat_map(Creations::missing)
    }

    /// The step that makes such an object.
    pub fn creation_of(self, address: &Address) -> Option<&'a Step> {
        self.0?.step_for(address)
    }

    /// The object that the step at a place makes, where it is such an object.
    pub fn made_at(self, place: usize) -> Option<&'a Address> {
        self.0?.made_at(place)
    }

    /// All other steps of the plan.
    pub fn others(self, plan: &'a Plan) -> impl Iterator<Item = &'a Step> {
        let others = plan.steps.iter().enumerate().filter(move |(place, _)| self.made_at(*place).is_none());
        others.map(|(_, step)| step)
    }

    /// The regions in which steps of the plan make or grow something.
    pub fn regions_that_grow(self, plan: &'a Plan) -> BTreeSet<RegionId> {
        let mut regions = quotas::regions_that_grow(self.others(plan));
        regions.extend(self.0.map(Creations::regions).into_iter().flatten());
        regions
    }

    /// Whether the step at a place makes such an object, nobody forbids it, and something that it needs is missing or in
    /// transition.
    pub fn stands_behind(self, place: usize) -> bool {
        self.0.is_some_and(|creations| creations.stands_behind(place))
    }
}

/// A walk through what is known, beside one through what is wanted and seen: nothing needs to be searched for.
pub(super) struct Walk<'a> {
    found: Peekable<btree_map::Iter<'a, Address, Found>>,
    claimed: Peekable<btree_map::Iter<'a, Address, Claimed>>,
    /// How many of those that were asked for are on record.
    claims: usize,
    is_kept: bool,
}

impl<'a> Walk<'a> {
    /// What the record knows of an object. Objects are asked for in order of their addresses, each once.
    pub fn claimed(&mut self, address: &Address) -> Option<&'a Claimed> {
        let claimed = value_at(&mut self.claimed, address);
        self.claims += usize::from(claimed.is_some());
        claimed
    }

    /// Whether the record knows an object that was not asked for.
    pub fn knows_others(&self, input: &PlanInput<'_>) -> bool {
        self.claims < input.claims.objects.len()
    }

    /// What is known of an object, in the same order.
    pub fn recall(
        &mut self,
        address: &Address,
        seen: &Arc<Observed>,
        claimed: Option<&Claimed>,
    ) -> Option<&'a Found> {
        let found = value_at(&mut self.found, address).filter(|found| Arc::ptr_eq(&found.seen, seen))?;
        let is_set_so = |known: &KnownSet| {
            claimed.map_or(*known == KnownSet::default(), |claimed| {
                known.0 == claimed.knows_all_set && known.1 == claimed.set
            })
        };
        let is_same = found.token.as_ref() == claimed.and_then(Claimed::token)
            && found.set.as_deref().is_none_or(is_set_so);
        is_same.then_some(found)
    }

    /// What there is to know of an object that was found to be ours and to differ in nothing.
    pub fn note(
        &self,
        node: &Node,
        seen: &Arc<Observed>,
        claimed: Option<&Claimed>,
        waits: Option<KnownBlocker>,
    ) -> Option<(Address, Found)> {
        let told = || claimed.map(|claimed| (claimed.knows_all_set, claimed.set.clone())).unwrap_or_default();
        let set = unset::is_anything_left(node, seen).then(|| Box::new(told()));
        let standing = Standing::of(&seen.facts.phase);
        let token = claimed.and_then(Claimed::token).cloned();
        let found = || Found { seen: Arc::clone(seen), token, set, standing, waits };
        self.is_kept.then(|| (node.address.clone(), found()))
    }
}

/// The value at a key, going on from the one before.
fn value_at<'a, V>(
    entries: &mut Peekable<btree_map::Iter<'a, Address, V>>,
    address: &Address,
) -> Option<&'a V> {
    while entries.next_if(|(other, _)| *other < address).is_some() {}
    entries.peek().filter(|(other, _)| *other == address).map(|(_, value)| *value)
}
