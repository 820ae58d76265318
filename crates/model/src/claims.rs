//! What a record knows of the objects that it made or took over: enough to know them again without their tags, and to
//! tell them from those of another record.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::journal::{Entries, LineTime, RecordedObject};
use super::node::{KEEP_DISCARD, Node, TAG_BLUEPRINT, TAG_KEEP, TAG_RECORD, TAG_STORE, TAG_TOKEN};
use super::observed::{Member, Observed};
use super::policy::{Consent, ConsentRequest};
use super::scope::RecordId;
use rgctl_schema::names::{BlueprintName, StoreName, Token};

/// An object that the record made, or took over, or may have made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// The service's immutable id, where one was seen: an object of the same name with another id is another object.
    pub id: Option<String>,
    /// The store of the blueprint that it belongs to.
    pub store: Option<StoreName>,
    /// What becomes of it when it is no longer wanted, as its tag said.
    pub keep: Option<String>,
    /// Whether data goes with it.
    pub bears_data: bool,
    /// Tokens of the calls that may have made it.
    pub tokens: BTreeSet<Token>,
    /// When it was last asked for, unless that certainly had no effect: what is young may not be shown yet.
    pub asked: Option<LineTime>,
    /// Whether a step on it was done: before that it may be somebody else's.
    pub is_done: bool,
    /// The parameters and tags that we set and did not take out since.
    #[serde(default)]
    pub set: Entries,
    /// Whether these are all that we ever set, so that those beside them are others': what is older than such records was set by
    /// whomever.
    #[serde(default)]
    pub knows_all_set: bool,
}

impl Claimed {
    /// The token of the call that made it. Of several calls nobody knows which one did.
    pub fn token(&self) -> Option<&Token> {
        self.tokens.first().filter(|_| self.tokens.len() == 1)
    }
}

/// The objects of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Identity of the record, which is in the tags of what it makes. Without one, tags of old are all that is asked
    /// for: nothing is compared with a record then.
    /// The store tells it; no line does.
    #[serde(skip)]
    pub record: Option<RecordId>,
    /// What it knows, by address.
    pub objects: BTreeMap<Address, Claimed>,
    /// Objects whose deletion is under way, or may be.
    pub leaving: BTreeSet<Address>,
    /// Objects that were deleted since a run last settled: what takes their place is no growth.
    pub deleted: BTreeSet<Address>,
    /// Removals of data that were begun and have not come to their end, by the object that bore it.
    pub removals: BTreeMap<Address, Removal>,
}

/// The removal of a store's data in a region, from the call that deletes it until the store is gone there, or a run for the
/// store has settled, or the object is there again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The store that it belonged to.
    pub store: Option<StoreName>,
    /// Objects of the store in that region that were on record then, and that were not deleted since.
    pub left: BTreeSet<Address>,
    /// What the run that deleted it was allowed to leave empty: that was agreed to before anything was deleted.
    pub agreed: BTreeSet<Consent>,
}

impl Removal {
    /// Whether nothing of the store is left: what is made after that is a new store.
    pub fn is_whole(&self, is_deleted: impl Fn(&Address) -> bool) -> bool {
        // Of what belongs to no store that is known nobody can tell whether all of it is gone.
        self.store.is_some() && self.left.iter().all(is_deleted)
    }

    /// Whether the run that deleted it was allowed that.
    pub fn allows(&self, act: &ConsentRequest) -> bool {
        self.agreed.iter().any(|consent| consent.covers(act))
    }
}

/// A record of nothing, with which nothing is compared.
pub static NO_CLAIMS: Claims = Claims {
    record: None,
    objects: BTreeMap::new(),
    leaving: BTreeSet::new(),
    deleted: BTreeSet::new(),
    removals: BTreeMap::new(),
};

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnershipStatus {
    /// Ours, by its tags or by the record.
    Ours,
    /// Not ours.
    Foreign {
        /// Whose, as far as its tags tell.
        owner: Option<String>,
        /// Why it is not ours although it may look so, and what a person does about it; nothing where it is plain.
        remedy: Option<String>,
    },
}

impl Claims {
    /// Whose an object is: its tags say it, and where they do not, the record does, by an immutable id or by the token
    /// of the call that made it. What neither says is not ours.
    pub fn ownership(
        &self,
        blueprint: &BlueprintName,
        address: &Address,
        seen: &Observed,
    ) -> OwnershipStatus {
        let tag = |key: &str| seen.facts.tags.get(key).map(String::as_str);
        let is_named = tag(TAG_BLUEPRINT) == Some(blueprint.as_str());
        let foreign =
            |owner: Option<String>, remedy: Option<String>| OwnershipStatus::Foreign { owner, remedy };
        let Some(ours) = &self.record else {
            let owner = tag(TAG_BLUEPRINT).map(str::to_owned);
            return if is_named { OwnershipStatus::Ours } else { foreign(owner, None) };
        };
        match (tag(TAG_BLUEPRINT), tag(TAG_RECORD)) {
            (Some(owner), _) if !is_named => foreign(Some(owner.to_owned()), self.renamed(address, seen, blueprint)),
            (Some(_), Some(record)) if record == ours.0 => OwnershipStatus::Ours,
            (owner, Some(record)) if record != ours.0 => foreign(
                Some(format!("{} of the record {record}", owner.unwrap_or("somebody"))),
                Some(format!(
                    "this store's record is {ours}: name the store that made it with `--store`, or bring its record here \
                     with `rgctl history migrate`; if that store is lost for good: `rgctl import -f FILE --take-over \
                     --from-record {record}`"
                )),
            ),
            // Made by a version that wrote no such tag, or its tags were lost.
            (Some(_), _) if self.knows(address, seen) => OwnershipStatus::Ours,
            (Some(owner), _) => foreign(
                Some(format!("{owner}, in a record that is not here")),
                Some(
                    "bring the record that made it here with `rgctl history migrate`; if it is lost for good: `rgctl \
                     import -f FILE --take-over`"
                        .to_owned(),
                ),
            ),
            (None, _) if self.is_same(address, seen) || self.spans_ours(address, seen) => OwnershipStatus::Ours,
            (None, _) => foreign(None, self.unsure(address, seen)),
        }
    }

    /// Whether it is ours.
    pub fn owns(&self, blueprint: &BlueprintName, address: &Address, seen: &Observed) -> bool {
        self.ownership(blueprint, address, seen) == OwnershipStatus::Ours
    }

    /// Whether an object may be taken over: it is not ours, it names no other blueprint, and no record but the one that is
    /// given up by name.
    pub fn may_take(
        &self,
        blueprint: &BlueprintName,
        address: &Address,
        seen: &Observed,
        from: Option<&RecordId>,
    ) -> bool {
        let tag = |key: &str| seen.facts.tags.get(key).map(String::as_str);
        let is_given =
            |record: &str| [from, self.record.as_ref()].into_iter().flatten().any(|id| id.0 == record);
        !self.owns(blueprint, address, seen)
            && tag(TAG_BLUEPRINT).is_none_or(|owner| owner == blueprint.as_str())
            && tag(TAG_RECORD).is_none_or(is_given)
    }

    /// The store that an object belongs to: by its tag or, where that is lost, by the record.
    pub fn store_of(&self, address: &Address, seen: &Observed) -> Option<StoreName> {
        let by_tag = seen.facts.tags.get(TAG_STORE).and_then(|name| StoreName::new(name).ok());
        by_tag.or_else(|| self.objects.get(address).filter(|_| self.is_same(address, seen))?.store.clone())
    }

    /// Whether an object that we made, or took over, should be there: where it is not seen, it is lost.
    pub fn should_exist(&self, address: &Address) -> bool {
        self.objects.get(address).is_some_and(|claimed| claimed.is_done) && !self.leaving.contains(address)
    }

    /// Data that we deleted in a removal that has not come to its end, as far as `is_going` sees it gone or on its way out.
    pub fn half_removed(&self, is_going: impl Fn(&Address) -> bool) -> Vec<(&Address, &Removal)> {
        let is_deleted = |address: &Address| self.leaving.contains(address) && is_going(address);
        let removals = self.removals.iter();
        removals.filter(|(address, removal)| is_going(address) && !removal.is_whole(is_deleted)).collect()
    }

    /// The deletion of an object is about to be asked for.
    pub fn begin_deletion(&mut self, address: &Address, agreed: BTreeSet<Consent>) {
        self.leaving.insert(address.clone());
        if !address.kind.facts().holds_data {
            return;
        }
        let store = self.objects.get(address).and_then(|claimed| claimed.store.clone());
        let others = self.objects.iter().filter(|(other, claimed)| {
            *other != address && claimed.is_done && claimed.store == store && other.region == address.region
        });
        let left = others.map(|(other, _)| other.clone()).collect();
        // What was left when it was first asked for is what counts: since then something may have been made.
        let before =
            self.removals.entry(address.clone()).or_insert(Removal { store, left, agreed: BTreeSet::new() });
        before.agreed.extend(agreed);
    }

    /// An object has gone by our deletion.
    fn end_deletion(&mut self, address: &Address) {
        self.forget(address);
        self.deleted.insert(address.clone());
    }

    /// An object that nobody wants has gone, whoever deleted it.
    pub fn let_go(&mut self, address: &Address) {
        let was_there = self.objects.get(address).is_some_and(|claimed| claimed.is_done);
        self.forget(address);
        if was_there {
            self.deleted.insert(address.clone());
        }
    }

    fn forget(&mut self, address: &Address) {
        self.objects.remove(address);
        self.leaving.remove(address);
        for removal in self.removals.values_mut() {
            removal.left.remove(address);
        }
        let leaving = &self.leaving;
        self.removals.retain(|address, removal| leaving.contains(address) || !removal.is_whole(|_| false));
    }

    /// A deletion certainly had no effect: its object stays where it is.
    pub fn keep_after_all(&mut self, address: &Address) {
        self.leaving.remove(address);
        self.removals.remove(address);
    }

    /// A step on an object was done: keeps what it says of the object.
    pub fn settled(&mut self, address: &Address, word: &str, mark: Option<&RecordedObject>) {
        match (word, mark) {
            ("delete", None) => return self.end_deletion(address),
            // It was no longer wanted, and never was done.
            ("delete", Some(_)) => self.keep_after_all(address),
            // Where a deletion is still on its way, it may be gone again.
            _ if self.leaving.contains(address) => {}
            _ => {
                self.removals.remove(address);
            }
        }
        let claimed = self.objects.entry(address.clone()).or_default();
        claimed.is_done = true;
        claimed.bears_data = address.kind.facts().holds_data;
        if let Some(mark) = mark {
            claimed.id = mark.id.clone().or(claimed.id.take());
            claimed.store = mark.store.clone().or(claimed.store.take());
            claimed.keep = mark.keep.clone().or(claimed.keep.take());
        }
    }

    /// A step on an object was done that set entries and took some out. `is_new`: nothing was ever set on it before.
    pub fn entries(&mut self, address: &Address, is_new: bool, sets: Option<&Entries>, unsets: &Entries) {
        let Some(claimed) = self.objects.get_mut(address) else { return };
        if is_new {
            claimed.set = Entries::default();
            claimed.knows_all_set = true;
        }
        claimed.set.remove(unsets);
        if let Some(sets) = sets {
            claimed.set.add(sets);
        }
    }

    /// The making of an object was given up before anything of it was there: what was begun of it is forgotten. What was there
    /// before stays known.
    pub fn never_made(&mut self, address: &Address) {
        if self.objects.get(address).is_some_and(|claimed| !claimed.is_done) {
            self.forget(address);
        }
    }

    /// A run has brought about what was wanted of these stores, all of them when there are none: what it removed is gone.
    pub fn finish(&mut self, targets: &BTreeSet<StoreName>) {
        self.deleted.clear();
        self.removals.retain(|_, removal| {
            let is_target = |store: &StoreName| targets.contains(store);
            !targets.is_empty() && !removal.store.as_ref().is_some_and(is_target)
        });
    }

    /// Whether there was an object before, which what is made now makes up for.
    pub fn was_there(&self, address: &Address) -> bool {
        self.objects.get(address).is_some_and(|claimed| claimed.is_done) || self.deleted.contains(address)
    }

    /// What becomes of an object that is no longer wanted: by its tag or, where that is lost, by the record.
    pub fn keep_of<'a>(&'a self, address: &Address, seen: &'a Observed) -> Option<&'a str> {
        let by_tag = seen.facts.tags.get(TAG_KEEP).map(String::as_str);
        by_tag.or_else(|| self.objects.get(address)?.keep.as_deref())
    }

    /// Whether an object goes without a final snapshot. A tag is written by any hand: where the record says otherwise, the
    /// snapshot is taken.
    pub fn discards(&self, address: &Address, seen: &Observed) -> bool {
        let recorded = self.objects.get(address).and_then(|claimed| claimed.keep.as_deref());
        self.keep_of(address, seen) == Some(KEEP_DISCARD) && recorded.is_none_or(|keep| keep == KEEP_DISCARD)
    }

    /// Tags of ownership of a wanted object that is ours, as far as they are not there any more or say otherwise.
    pub fn lost_tags(
        &self,
        blueprint: &BlueprintName,
        node: &Node,
        seen: &Observed,
    ) -> BTreeMap<String, String> {
        let Some(record) = &self.record else { return BTreeMap::new() };
        let wanted = [
            (TAG_BLUEPRINT, blueprint.as_str()),
            (TAG_RECORD, record.0.as_str()),
            (TAG_STORE, node.store.as_str()),
        ];
        let token = self.objects.get(&node.address).and_then(Claimed::token);
        wanted
            .into_iter()
            .chain(token.map(|token| (TAG_TOKEN, token.0.as_str())))
            .filter(|(key, value)| seen.facts.tags.get(*key).map(String::as_str) != Some(*value))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// Whether the record knows an id of the object at an address: then it was tagged with the record too.
    pub fn is_marked(&self, address: &Address) -> bool {
        self.objects.get(address).is_some_and(|claimed| claimed.id.is_some())
    }

    /// Whether the record made that very object: by its id, which no other object ever has.
    fn is_same(&self, address: &Address, seen: &Observed) -> bool {
        let known = self.objects.get(address).and_then(|claimed| claimed.id.as_deref());
        known.is_some() && known == seen.identity().as_deref()
    }

    /// Whether an object without tags is a global object of members that are all ours, which a call of ours may have made:
    /// some services make it in one call and tag it in another, and a crash between leaves it without an owner.
    fn spans_ours(&self, address: &Address, seen: &Observed) -> bool {
        let Some(kind) = address.kind.member_kind() else { return false };
        let may_be_made =
            self.objects.get(address).is_some_and(|claimed| !claimed.tokens.is_empty() && !claimed.is_done);
        let is_ours = |member: &Member| {
            let member = Address::new(member.region.clone(), kind, member.name.clone());
            self.objects.get(&member).is_some_and(|claimed| claimed.is_done)
        };
        may_be_made && !seen.facts.members.is_empty() && seen.facts.members.iter().all(is_ours)
    }

    /// Whether the record knows an object that names our blueprint: its id is equal, or the token of a call of ours is
    /// on it, or a step of ours on it was done and nothing says that it is another one.
    fn knows(&self, address: &Address, seen: &Observed) -> bool {
        let Some(claimed) = self.objects.get(address) else { return false };
        if claimed.id.is_some() && seen.identity().is_some() {
            return self.is_same(address, seen);
        }
        match seen.token() {
            Some(token) => claimed.tokens.iter().any(|known| known.0 == token) || claimed.tokens.is_empty(),
            None => claimed.is_done,
        }
    }

    /// An object that we made and that names another blueprint now.
    fn renamed(&self, address: &Address, seen: &Observed, blueprint: &BlueprintName) -> Option<String> {
        self.is_same(address, seen).then(|| {
            format!(
                "the record of {blueprint} made it, and its tag was changed since: if it was not given away, set its tag \
                 `{TAG_BLUEPRINT}` back to {blueprint}"
            )
        })
    }

    /// An object without an owner at an address where the record made one.
    fn unsure(&self, address: &Address, seen: &Observed) -> Option<String> {
        let claimed = self.objects.get(address).filter(|claimed| claimed.is_done)?;
        let why = match (&claimed.id, seen.identity()) {
            (Some(_), Some(_)) => {
                "the record made an object of that name, and this is another one (its id differs)"
            }
            _ => {
                "the record made an object of that name, whose tags are gone, and has no id that would prove that this is \
                 the one"
            }
        };
        Some(format!("{why}; if it is meant to be: `rgctl import -f FILE --take-over`"))
    }
}
