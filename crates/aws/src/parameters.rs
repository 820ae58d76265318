//! The parameters of parameter groups: there is no call for those of several groups, so that each costs a call.
//!
//! Goes in: groups that were seen. Comes out: the same with their parameters.
//!
//! **Invariant:** what was read is used again for some minutes, by one process, unless this process changed the group:
//! a run that looks every ten seconds asks once. A look for many blueprints asks about what is not known, and about those
//! fifty of the others that it knows longest.
//! **Invariant:** what is too old to be used, and what is not there any more, is forgotten.

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
use rgctl_model::ports::CloudError;
use rgctl_schema::time::{Moment, Span};

/// How long what was read is used. A change of a parameter outside rgctl shows so much later at most, in a run that
/// lasts; a new command reads anew.
const KEEP: Span = Span::from_mins(5);
/// How long it is used at most where one look is for many blueprints, and their groups are asked about in turn.
const KEEP_IN_TURN: Span = Span::from_hours(6);
/// Most questions of such a look about groups of which something is known: a thousand blueprints cost hardly more than ten.
const IN_TURN: usize = 50;
/// How long reads may lag behind a change of ours.
const LAG: Span = Span::from_secs(60);
/// Groups that are asked about at the same time.
const AT_ONCE: usize = 8;

type Texts = BTreeMap<String, String>;

/// What was read, and when; or when it was changed.
#[derive(Debug)]
enum KnownParameters {
    Read(Moment, Texts),
    Changed(Moment),
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

    /// What is still good.
    fn fresh(&self, address: &Address, now: Moment, keep: Span) -> Option<Texts> {
        self.with(|known| match known.get(address) {
            Some(KnownParameters::Read(then, texts)) if now < *then + keep => Some(texts.clone()),
            _ => None,
        })
    }

    /// When each group was read; the beginning of all time for those that must be read.
    fn read_at(&self, address: &Address, now: Moment) -> Moment {
        self.with(|known| match known.get(address) {
            Some(KnownParameters::Read(then, _)) if now < *then + KEEP_IN_TURN => *then,
            _ => Moment::EPOCH,
        })
    }

    /// Forgets what is used no more: what is too old, and what a whole look at a region did not show.
    fn forget(&self, now: Moment, keep: Span, gone: impl Fn(&Address) -> bool) {
        self.with(|known| {
            known.retain(|address, parameters| match parameters {
                KnownParameters::Read(then, _) => now < *then + keep && !gone(address),
                KnownParameters::Changed(then) => now < *then + LAG,
            });
        });
    }

    /// Of these groups those about which a look for many asks: what it does not know, then what it knows longest.
    fn in_turn(&self, groups: &[Address], now: Moment) -> BTreeSet<Address> {
        let mut read: Vec<(Moment, &Address)> = groups
            .iter()
            .map(|address| (self.read_at(address, now), address))
            .filter(|(then, _)| now >= *then + KEEP)
            .collect();
        read.sort_unstable();
        let unknown = read.iter().filter(|(then, _)| *then == Moment::EPOCH).count();
        read.into_iter().take(unknown + IN_TURN).map(|(_, address)| address.clone()).collect()
    }

    fn keep(&self, address: &Address, now: Moment, texts: &Texts) {
        self.with(|known| match known.get(address) {
            Some(KnownParameters::Changed(then)) if now < *then + LAG => {}
            _ => drop(known.insert(address.clone(), KnownParameters::Read(now, texts.clone()))),
        });
    }

    /// A call about the object is being made, or was.
    pub fn changed(&self, address: &Address, now: Moment) {
        self.with(|known| known.insert(address.clone(), KnownParameters::Changed(now)));
    }

    /// Fills in the parameters of the groups that were seen, as far as it matters whose they are.
    pub async fn complete(
        &self,
        client: &ServiceClient<'_>,
        endpoint: Endpoint,
        listing: &mut RegionListing,
        scope: &Selection,
    ) {
        let now = client.pool.clock().now();
        let is_for_many = scope.owner.is_none() && !scope.owners.is_empty();
        // A look for many shows nobody the groups of others.
        let matters = |address: &Address, seen: &Observed| {
            !is_for_many
                || scope.needs_owner(address)
                || seen.owner().is_some_and(|owner| scope.is_for(owner))
        };
        let groups: Vec<Address> = listing
            .seen
            .iter()
            .filter(|(address, seen)| has_parameters(&seen.attrs) && matters(address, seen))
            .map(|(address, _)| address.clone())
            .collect();
        let asked = is_for_many.then(|| self.in_turn(&groups, now));
        if is_for_many && listing.gaps.is_empty() {
            let here = |address: &Address| {
                address.region == client.region && address.kind.facts().endpoint == endpoint
            };
            self.forget(now, KEEP_IN_TURN, |address| here(address) && !listing.seen.contains_key(address));
        } else if !is_for_many {
            self.forget(now, KEEP_IN_TURN, |_| false);
        }
        let mut questions = Vec::new();
        for address in groups {
            let keep = match &asked {
                Some(asked) if !asked.contains(&address) => KEEP_IN_TURN,
                // It is its turn.
                Some(_) => Span::ZERO,
                None => KEEP,
            };
            questions.push(self.ask(client, address, now, keep).boxed());
        }
        for (address, answer) in stream::iter(questions).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            match answer {
                Ok(texts) => {
                    if let Some(seen) = listing.seen.get_mut(&address) {
                        // The field exists in every kind that gets here.
                        let _ = seen.attrs.set("parameters", serde_json::to_value(texts).ok());
                    }
                }
                // Deleted between the list and the question.
                Err(CloudError::NotFound { .. }) => {
                    listing.seen.remove(&address);
                }
                Err(error) => listing.gaps.push(error),
            }
        }
    }

    async fn ask(
        &self,
        client: &ServiceClient<'_>,
        address: Address,
        now: Moment,
        keep: Span,
    ) -> (Address, Result<Texts, CloudError>) {
        if let Some(texts) = self.fresh(&address, now, keep) {
            return (address, Ok(texts));
        }
        let answer = match address.kind.facts().endpoint {
            Endpoint::Rds => rds_like::parameters(client, &address).await,
            Endpoint::ElastiCache => elasticache::parameters(client, &address).await,
            Endpoint::Redshift | Endpoint::RedshiftServerless => redshift::parameters(client, &address).await,
        };
        if let Ok(texts) = &answer {
            self.keep(&address, now, texts);
        }
        (address, answer)
    }
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

    #[test]
    fn what_was_read_is_used_until_it_is_old_or_changed() {
        let name = Name::new("game-accounts").unwrap();
        let address = Address::new(RegionId::new("us-east-1").unwrap(), KindId::CacheParameters, name);
        let texts = Texts::from([("a".to_owned(), "1".to_owned())]);
        let (parameters, now) = (Parameters::default(), Moment::from_secs(1_000));
        parameters.keep(&address, now, &texts);
        assert_eq!(parameters.fresh(&address, now + Span::from_mins(4), KEEP), Some(texts.clone()));
        assert_eq!(parameters.fresh(&address, now + KEEP, KEEP), None);
        parameters.changed(&address, now);
        assert_eq!(parameters.fresh(&address, now, KEEP), None);
        parameters.keep(&address, now + Span::from_secs(59), &texts);
        assert_eq!(
            parameters.fresh(&address, now + Span::from_secs(59), KEEP),
            None,
            "the read may lag behind the change"
        );
        parameters.keep(&address, now + LAG, &texts);
        assert_eq!(parameters.fresh(&address, now + LAG, KEEP), Some(texts));
    }
    #[test]
    fn a_look_for_many_asks_about_what_it_does_not_know_and_then_in_turn() {
        let group = |number: usize| {
            let name = Name::new(format!("game{number}-a")).unwrap();
            Address::new(RegionId::new("us-east-1").unwrap(), KindId::CacheParameters, name)
        };
        let all: Vec<Address> = (0..1_000).map(group).collect();
        let (parameters, now) = (Parameters::default(), Moment::from_secs(1_000_000));
        assert_eq!(parameters.in_turn(&all, now).len(), all.len(), "nothing is known");
        for (address, number) in all.iter().zip(0..) {
            parameters.keep(address, now + Span::from_millis(number), &Texts::new());
        }
        assert_eq!(parameters.in_turn(&all, now + Span::from_mins(4)).len(), 0, "all is fresh");
        let mut asked = BTreeSet::new();
        for round in 1..=20 {
            let then = now + Span::from_mins(6).times(round);
            let turn = parameters.in_turn(&all, then);
            assert_eq!(turn.len(), IN_TURN, "round {round}");
            for address in &turn {
                parameters.keep(address, then, &Texts::new());
            }
            asked.extend(turn);
        }
        assert_eq!(asked.len(), all.len(), "each has had its turn");
        parameters.changed(&all[7], now + Span::from_hours(2));
        assert!(parameters.in_turn(&all, now + Span::from_hours(2)).contains(&all[7]));
    }

    #[test]
    fn what_is_gone_or_too_old_is_forgotten() {
        let address = |name: &str| {
            Address::new(
                RegionId::new("us-east-1").unwrap(),
                KindId::CacheParameters,
                Name::new(name).unwrap(),
            )
        };
        let (parameters, now) = (Parameters::default(), Moment::from_secs(1_000));
        for name in ["stays", "goes"] {
            parameters.keep(&address(name), now, &Texts::new());
        }
        parameters.changed(&address("changed"), now);
        let left = || parameters.with(|known| known.len());
        parameters.forget(now + Span::from_secs(1), KEEP_IN_TURN, |gone| *gone == address("goes"));
        assert_eq!(left(), 2);
        parameters.forget(now + LAG, KEEP_IN_TURN, |_| false);
        assert_eq!(left(), 1);
        parameters.forget(now + KEEP_IN_TURN, KEEP_IN_TURN, |_| false);
        assert_eq!(left(), 0);
    }
}
