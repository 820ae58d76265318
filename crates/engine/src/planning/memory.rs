//! What one plan found to be as wanted, for the next one: of ten thousand objects few have changed between two looks, and
//! comparing is most of the work.
//!
//! **Invariant:** a plan made with a memory equals the one that is made without; a run asserts it in debug builds. Only that
//! an object is ours, and that no field and no tag of it differs, is kept, and only as long as everything that follows from
//! is the same: the very object that was seen, what is wanted, the record, and the token that the record knows.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::Peekable;
use std::sync::Arc;

use super::input::PlanInput;
use crate::gate::Verdicts;
use rgctl_model::address::Address;
use rgctl_model::claims::Claimed;
use rgctl_model::observed::Observed;
use rgctl_model::plan::Plan;
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::rules::Rules;
use rgctl_model::scope::RecordId;
use rgctl_model::seen::Seen;
use rgctl_schema::names::{BlueprintName, Fingerprint, RegionId, Token};
use rgctl_schema::phase::Phase;

/// What is kept from plan to plan. Empty before the first one.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    basis: Option<Basis>,
    found: BTreeMap<Address, Found>,
    /// Objects that the last plan saw broken, in order.
    broken: Vec<Address>,
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
    /// Whether it is at rest as well: then there is nothing to say of it at all.
    pub is_quiet: bool,
}

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
        }
    }

    /// Goes through what is known, in order of the addresses.
    pub(super) fn walk<'a>(&'a self, input: &PlanInput<'a>) -> Walk<'a> {
        Walk {
            found: self.found.iter().peekable(),
            claimed: input.claims.objects.iter().peekable(),
            is_kept: self.basis.is_some(),
        }
    }

    /// Keeps what was found beside it.
    pub(super) fn keep(&mut self, news: Vec<(Address, Found)>, broken: Vec<Address>) {
        self.found.extend(news);
        self.broken = broken;
    }

    /// Objects that the last plan saw in a state of failure, or in one that this version does not know, in order.
    pub fn broken(&self) -> &[Address] {
        &self.broken
    }
}

/// A walk through what is known, beside one through what is seen: nothing needs to be searched for.
pub(super) struct Walk<'a> {
    found: Peekable<btree_map::Iter<'a, Address, Found>>,
    claimed: Peekable<btree_map::Iter<'a, Address, Claimed>>,
    is_kept: bool,
}

impl<'a> Walk<'a> {
    /// What is known of an object. Objects are asked for in order of their addresses, each once.
    pub fn recall(&mut self, address: &Address, seen: &Arc<Observed>) -> Option<&'a Found> {
        let found = value_at(&mut self.found, address).filter(|found| Arc::ptr_eq(&found.seen, seen))?;
        (found.token.as_ref() == self.token(address)).then_some(found)
    }

    /// What there is to know of an object that was found to be ours and to differ in nothing.
    pub fn note(&mut self, address: &Address, seen: &Arc<Observed>) -> Option<(Address, Found)> {
        let is_quiet = seen.facts.phase == Phase::Ready && seen.pending.is_none();
        let token = self.token(address).cloned();
        self.is_kept.then(|| (address.clone(), Found { seen: Arc::clone(seen), token, is_quiet }))
    }

    fn token(&mut self, address: &Address) -> Option<&'a Token> {
        value_at(&mut self.claimed, address).and_then(Claimed::token)
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
