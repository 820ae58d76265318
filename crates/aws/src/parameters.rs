//! The parameters of parameter groups: there is no call for those of several groups, so that each costs a call.
//!
//! Goes in: groups that were seen. Comes out: the same with their parameters.
//!
//! **Invariant:** what was read is used again for some minutes, by one process, unless this process changed the group:
//! a run that looks every ten seconds asks once. A look for many blueprints asks about what this process changed and about what
//! has to be known of those that want to know everything; and then, last of all, about those fifty of the others that it knows
//! longest or not at all. What it does not know then it says to be unread, also where it is throttled for too long: what was read is
//! kept, and the next look asks about the rest. So a start costs no more questions than any other look.
//! **Invariant:** what is asked in turn only is worth no gap when its answer is late: what was read before is good as long as looks
//! show the group. A refusal does not pass by itself, and is told.
//! **Invariant:** what looks do not show any more is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::{FutureExt, StreamExt, stream};

use super::region_listing::RegionListing;
use super::service_client::ServiceClient;
use super::{elasticache, rds_like, redshift};
use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::observed::{Observed, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::CloudError;
use rgctl_schema::time::{Moment, Span};

/// How long what was read is used. A change of a parameter outside rgctl shows so much later at most, in a run that
/// lasts; a new command reads anew.
const KEEP: Span = Span::from_mins(5);
/// How long what was read is kept of a group that no look shows.
const KEEP_UNSEEN: Span = Span::from_hours(6);
/// Most questions of such a look about groups of which something is known: a thousand blueprints cost hardly more than ten.
const IN_TURN: usize = 50;
/// How long such a look waits for the answers to them, where the provider or the budget asks for fewer calls.
const TURN_PATIENCE: Span = Span::from_secs(20);
/// How long reads may lag behind a change of ours.
const LAG: Span = Span::from_secs(60);
/// Groups that are asked about at the same time.
const AT_ONCE: usize = 8;

type Texts = BTreeMap<String, String>;

/// What was read, when, and when a look showed the group last; or when it was changed, and what it was told to hold then, where
/// that is known.
#[derive(Debug)]
enum KnownParameters {
    Read { at: Moment, shown: Moment, texts: Texts },
    Changed(Moment, Option<Texts>),
}

/// What a call tells a group to hold. What is made is told in a second request, unless it is to hold nothing of its own: then a read
/// of it lags behind nothing.
fn told_by(op: &Op) -> Option<Texts> {
    let told = |attrs: &AnyAttrs| {
        attrs.get("parameters").and_then(|told| serde_json::from_value::<Texts>(told).ok())
    };
    match op {
        Op::Create { attrs, .. } => Some(told(attrs).unwrap_or_default()),
        Op::Modify { attrs, .. } => told(attrs).filter(|told| !told.is_empty()),
        _ => None,
    }
}

/// Groups that a look asks about: in any case, and because it is their turn.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    must: BTreeSet<Address>,
    may: BTreeSet<Address>,
}

/// What this process knows of parameters.
#[derive(Debug, Default)]
pub struct Parameters {
    known: Mutex<BTreeMap<Address, KnownParameters>>,
}

impl Parameters {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<Address, KnownParameters>) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was read, unless the group was changed since.
    fn read(&self, address: &Address) -> Option<Texts> {
        self.with(|known| match known.get(address) {
            Some(KnownParameters::Read { texts, .. }) => Some(texts.clone()),
            _ => None,
        })
    }

    /// Whether this process has changed a group and has not read it since.
    fn is_changed(&self, address: &Address) -> bool {
        self.with(|known| matches!(known.get(address), Some(KnownParameters::Changed(..))))
    }

    /// When each group was read; the beginning of all time for those of which nothing is known.
    fn read_at(&self, address: &Address) -> Moment {
        self.with(|known| match known.get(address) {
            Some(KnownParameters::Read { at, .. }) => *at,
            _ => Moment::EPOCH,
        })
    }

    /// A look shows these groups.
    fn are_shown<'a>(&self, groups: impl Iterator<Item = &'a Address>, now: Moment) {
        self.with(|known| {
            for address in groups {
                if let Some(KnownParameters::Read { shown, .. }) = known.get_mut(address) {
                    *shown = now;
                }
            }
        });
    }

    /// Forgets what is used no more: what no look has shown for long, and what a whole look at a region did not show.
    fn forget(&self, now: Moment, gone: impl Fn(&Address) -> bool) {
        self.with(|known| {
            known.retain(|address, parameters| match parameters {
                KnownParameters::Read { shown, .. } => now < *shown + KEEP_UNSEEN && !gone(address),
                KnownParameters::Changed(then, _) => now < *then + LAG,
            });
        });
    }

    /// Of these groups those about which a look for many asks in any case, since they must be known and are not; and those whose turn
    /// it is, since it knows them not at all, or longest.
    fn in_turn<'a>(&self, groups: impl Iterator<Item = &'a (Address, bool)>, now: Moment) -> Asked {
        let (mut asked, mut others) = (Asked::default(), Vec::new());
        for (address, must) in groups {
            let then = self.read_at(address);
            if self.is_changed(address) || *must && now >= then + KEEP {
                asked.must.insert(address.clone());
            } else if now >= then + KEEP {
                others.push((then, address));
            }
        }
        others.sort_unstable();
        asked.may.extend(others.into_iter().take(IN_TURN).map(|(_, address)| address.clone()));
        asked
    }

    fn keep(&self, address: &Address, now: Moment, texts: &Texts) {
        self.with(|known| match known.get(address) {
            // What holds all that it was told to hold lags behind no more.
            Some(KnownParameters::Changed(then, told))
                if now < *then + LAG && !told.as_ref().is_some_and(|told| holds(texts, told)) => {}
            _ => {
                let read = KnownParameters::Read { at: now, shown: now, texts: texts.clone() };
                known.insert(address.clone(), read);
            }
        });
    }

    /// A call is being made, or was.
    pub fn changed(&self, op: &Op, now: Moment) {
        self.changed_to(op.address(), now, told_by(op));
    }

    /// A group was told to hold something; or nobody knows what.
    fn changed_to(&self, address: &Address, now: Moment, told: Option<Texts>) {
        self.with(|known| known.insert(address.clone(), KnownParameters::Changed(now, told)));
    }

    /// Fills in the parameters of the groups that were seen in a region, as far as it matters whose they are.
    pub async fn complete(
        &self,
        client: &ServiceClient<'_>,
        listings: &mut [(Endpoint, RegionListing)],
        scope: &Selection,
    ) {
        let now = client.pool.clock().now();
        let mut in_turn = Vec::new();
        for (endpoint, listing) in &mut *listings {
            let Asked { must, may } = self.prepare(client, *endpoint, listing, scope, now);
            in_turn.push(may);
            for (address, answer) in self.ask_all(client, must, now).await {
                // It is said to be unread.
                if !(scope.is_for_many() && matches!(answer, Err(CloudError::Throttled { .. }))) {
                    note(listing, &address, answer);
                }
            }
        }
        for ((_, listing), may) in listings.iter_mut().zip(in_turn) {
            let hurried = client.hurried(TURN_PATIENCE);
            for (address, answer) in self.ask_all(&hurried, may, now).await {
                // It has another turn.
                if !matches!(answer, Err(CloudError::Throttled { .. } | CloudError::Unreachable { .. })) {
                    note(listing, &address, answer);
                }
            }
        }
    }

    /// Fills in what is known, says what is not, and tells what is to be asked.
    fn prepare(
        &self,
        client: &ServiceClient<'_>,
        endpoint: Endpoint,
        listing: &mut RegionListing,
        scope: &Selection,
        now: Moment,
    ) -> Asked {
        let is_for_many = scope.is_for_many();
        // A look for many shows nobody the groups of others.
        let matters = |address: &Address, seen: &Observed| {
            !is_for_many
                || scope.needs_owner(address)
                || seen.owner().is_some_and(|owner| scope.is_for(owner))
        };
        let groups: Vec<(Address, bool)> = listing
            .seen
            .iter()
            .filter(|(address, seen)| has_parameters(&seen.attrs) && matters(address, seen))
            .map(|(address, seen)| (address.clone(), !is_for_many || scope.needs_whole(address, seen)))
            .collect();
        self.are_shown(groups.iter().map(|(address, _)| address), now);
        let is_whole = is_for_many && listing.gaps.is_empty();
        let here =
            |address: &Address| address.region == client.region && address.kind.facts().endpoint == endpoint;
        self.forget(now, |address| is_whole && here(address) && !listing.seen.contains_key(address));
        let asked = self.in_turn(groups.iter(), now);
        for (address, _) in &groups {
            let Some(seen) = listing.seen.get_mut(address) else { continue };
            match self.read(address).filter(|_| !asked.must.contains(address)) {
                Some(texts) => fill(seen, texts),
                None => seen.facts.is_unread = is_for_many,
            }
        }
        asked
    }

    async fn ask_all(
        &self,
        client: &ServiceClient<'_>,
        groups: BTreeSet<Address>,
        now: Moment,
    ) -> Vec<(Address, Result<Texts, CloudError>)> {
        let mut questions = Vec::new();
        for address in groups {
            questions.push(self.ask(client, address, now).boxed());
        }
        stream::iter(questions).buffer_unordered(AT_ONCE).collect().await
    }

    async fn ask(
        &self,
        client: &ServiceClient<'_>,
        address: Address,
        now: Moment,
    ) -> (Address, Result<Texts, CloudError>) {
        let answer = match address.kind.facts().endpoint {
            Endpoint::Rds => rds_like::parameters(client, &address).await,
            Endpoint::ElastiCache => elasticache::parameters(client, &address).await,
            Endpoint::Redshift | Endpoint::RedshiftServerless | Endpoint::SecretsManager => {
                redshift::parameters(client, &address).await
            }
        };
        if let Ok(texts) = &answer {
            self.keep(&address, now, texts);
        }
        (address, answer)
    }
}

fn fill(seen: &mut Observed, texts: Texts) {
    // The field exists in every kind that gets here.
    let _ = seen.attrs.set("parameters", serde_json::to_value(texts).ok());
    seen.facts.is_unread = false;
}

/// Notes what was answered about a group.
fn note(listing: &mut RegionListing, address: &Address, answer: Result<Texts, CloudError>) {
    match answer {
        Ok(texts) => {
            if let Some(seen) = listing.seen.get_mut(address) {
                fill(seen, texts);
            }
        }
        // Deleted between the list and the question.
        Err(CloudError::NotFound { .. }) => drop(listing.seen.remove(address)),
        // What could not be read was not seen: nobody may take it for having no parameters, nor wait for it look after look.
        Err(error) => {
            listing.seen.remove(address);
            listing.gaps.push(error);
        }
    }
}

/// Whether texts are among others.
fn holds(all: &Texts, some: &Texts) -> bool {
    some.iter().all(|(name, value)| all.get(name) == Some(value))
}

const fn has_parameters(attrs: &AnyAttrs) -> bool {
    matches!(
        attrs,
        AnyAttrs::AuroraClusterParameters(_)
            | AnyAttrs::AuroraInstanceParameters(_)
            | AnyAttrs::DocumentClusterParameters(_)
            | AnyAttrs::CacheParameters(_)
            | AnyAttrs::RedshiftParameters(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_model::kinds::KindId;
    use rgctl_schema::names::{Name, RegionId};

    fn group(name: &str) -> Address {
        Address::new(RegionId::new("us-east-1").unwrap(), KindId::CacheParameters, Name::new(name).unwrap())
    }

    fn texts(value: &str) -> Texts {
        Texts::from([("a".to_owned(), value.to_owned())])
    }

    #[test]
    fn what_was_read_is_used_until_it_is_old_or_changed() {
        let address = group("game-accounts");
        let (parameters, now) = (Parameters::default(), Moment::from_secs(1_000));
        let known = [(address.clone(), true)];
        let must = |at: Moment| parameters.in_turn(known.iter(), at).must.contains(&address);
        assert!(must(now));
        parameters.keep(&address, now, &texts("1"));
        assert_eq!(parameters.read(&address), Some(texts("1")));
        assert!(!must(now + Span::from_mins(4)));
        assert!(must(now + KEEP));
        parameters.changed_to(&address, now, None);
        assert_eq!((parameters.read(&address), must(now)), (None, true));
        let soon = now + Span::from_secs(59);
        parameters.keep(&address, soon, &texts("1"));
        assert_eq!((parameters.read(&address), must(soon)), (None, true), "it may lag behind the change");
        parameters.keep(&address, now + LAG, &texts("1"));
        assert_eq!(parameters.read(&address), Some(texts("1")));
        // Told by a call, and seen to hold it.
        parameters.changed_to(&address, now, Some(texts("2")));
        parameters.keep(&address, now, &texts("1"));
        assert_eq!(parameters.read(&address), None, "it lags behind the change");
        parameters.keep(&address, now, &texts("2"));
        assert_eq!(parameters.read(&address), Some(texts("2")));
    }

    #[test]
    fn a_group_that_is_being_made_is_not_known_before_it_holds_what_it_is_told_to_hold() {
        let (address, now) = (group("game-accounts"), Moment::from_secs(1_000));
        let created = |told: Option<serde_json::Value>| {
            let mut attrs = AnyAttrs::empty(KindId::CacheParameters);
            attrs.set("parameters", told).unwrap();
            Op::Create { address: address.clone(), attrs, tags: BTreeMap::new() }
        };
        let parameters = Parameters::default();
        parameters.changed(&created(Some(serde_json::json!({ "a": "1" }))), now);
        parameters.keep(&address, now, &Texts::new());
        assert_eq!(parameters.read(&address), None, "the second request of its creation does not show yet");
        parameters.keep(&address, now, &texts("1"));
        assert_eq!(parameters.read(&address), Some(texts("1")));
        parameters.changed(&created(None), now);
        parameters.keep(&address, now, &Texts::new());
        assert_eq!(parameters.read(&address), Some(Texts::new()), "it has nothing of its own");
    }

    #[test]
    fn a_look_for_many_asks_about_what_must_be_known_and_then_in_turn() {
        let all: Vec<(Address, bool)> =
            (0..1_000).map(|number| (group(&format!("game{number}-a")), number < 120)).collect();
        let (parameters, now) = (Parameters::default(), Moment::from_secs(1_000_000));
        let first = parameters.in_turn(all.iter(), now);
        assert_eq!((first.must.len(), first.may.len()), (120, IN_TURN), "nothing is known, and some must be");
        assert!(all.iter().all(|(address, must)| *must == first.must.contains(address)));
        for ((address, _), number) in all.iter().zip(0..) {
            parameters.keep(address, now + Span::from_millis(number), &Texts::new());
        }
        assert_eq!(
            parameters.in_turn(all.iter(), now + Span::from_mins(4)),
            Asked::default(),
            "all is fresh"
        );
        let mut asked = BTreeSet::new();
        for round in 1..=20 {
            let then = now + Span::from_mins(6).times(round);
            let turn = parameters.in_turn(all.iter(), then);
            assert_eq!((turn.must.len(), turn.may.len()), (120, IN_TURN), "round {round}");
            for address in turn.must.iter().chain(&turn.may) {
                parameters.keep(address, then, &Texts::new());
            }
            asked.extend(turn.must);
            asked.extend(turn.may);
        }
        assert_eq!(asked.len(), all.len(), "each has had its turn");
        let (last, _) = &all[999];
        parameters.changed_to(last, now + Span::from_hours(2), None);
        assert!(parameters.in_turn(all.iter(), now + Span::from_hours(2)).must.contains(last));
    }

    #[test]
    fn what_is_gone_or_not_shown_for_long_is_forgotten_and_nothing_that_looks_show() {
        let (parameters, now) = (Parameters::default(), Moment::from_secs(1_000));
        for name in ["stays", "goes", "unseen"] {
            parameters.keep(&group(name), now, &Texts::new());
        }
        parameters.changed_to(&group("changed"), now, None);
        let left = || parameters.with(|known| known.len());
        parameters.forget(now + Span::from_secs(1), |gone| *gone == group("goes"));
        assert_eq!(left(), 3);
        parameters.forget(now + LAG, |_| false);
        assert_eq!(left(), 2);
        parameters.are_shown([group("stays")].iter(), now + Span::from_hours(5));
        parameters.forget(now + KEEP_UNSEEN, |_| false);
        assert_eq!(parameters.read(&group("unseen")), None);
        assert_eq!(parameters.read(&group("stays")), Some(Texts::new()), "a look has shown it an hour ago");
    }
}
