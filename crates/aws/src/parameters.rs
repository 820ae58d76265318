//! The parameters of parameter groups: there is no call for those of several groups, so that each costs a call.
//!
//! Goes in: groups that were seen. Comes out: the same with their parameters.
//!
//! **Invariant:** what was read is used again for some minutes, by one process, unless this process changed the group:
//! a run that looks every ten seconds asks once. A look for many blueprints asks about what this process changed, about what
//! has to be known of those that want to know everything, and about those fifty of the others that it knows longest or not at
//! all; what it does not know then it says to be unread. So a start costs no more questions than any other look.
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
use rgctl_model::plan::Op;
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

/// What was read, and when; or when it was changed, and what it was told to hold then, where that is known.
#[derive(Debug)]
enum KnownParameters {
    Read(Moment, Texts),
    Changed(Moment, Option<Texts>),
}

/// What a call tells a group to hold; what is made holds nothing of its own yet, and a read of it lags behind nothing.
fn told_by(op: &Op) -> Option<Texts> {
    match op {
        Op::Create { .. } => Some(Texts::new()),
        Op::Modify { attrs, .. } => {
            serde_json::from_value(attrs.get("parameters")?).ok().filter(|told: &Texts| !told.is_empty())
        }
        _ => None,
    }
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

    /// Whether this process has changed a group and has not read it since.
    fn is_changed(&self, address: &Address) -> bool {
        self.with(|known| matches!(known.get(address), Some(KnownParameters::Changed(..))))
    }

    /// When each group was read; the beginning of all time for those of which nothing is known.
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
                KnownParameters::Changed(then, _) => now < *then + LAG,
            });
        });
    }

    /// Of these groups those about which a look for many asks: what must be known and is not, and then what it knows not at
    /// all, or longest.
    fn in_turn<'a>(
        &self,
        groups: impl Iterator<Item = &'a (Address, bool)>,
        now: Moment,
    ) -> BTreeSet<Address> {
        let (mut asked, mut others) = (BTreeSet::new(), Vec::new());
        for (address, must) in groups {
            let then = self.read_at(address, now);
            if then == Moment::EPOCH && (*must || self.is_changed(address)) {
                asked.insert(address.clone());
            } else if now >= then + KEEP {
                others.push((then, address));
            }
        }
        others.sort_unstable();
        asked.extend(others.into_iter().take(IN_TURN).map(|(_, address)| address.clone()));
        asked
    }

    fn keep(&self, address: &Address, now: Moment, texts: &Texts) {
        self.with(|known| match known.get(address) {
            // What holds all that it was told to hold lags behind no more.
            Some(KnownParameters::Changed(then, told))
                if now < *then + LAG && !told.as_ref().is_some_and(|told| holds(texts, told)) => {}
            _ => drop(known.insert(address.clone(), KnownParameters::Read(now, texts.clone()))),
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

    /// Fills in the parameters of the groups that were seen, as far as it matters whose they are.
    pub async fn complete(
        &self,
        client: &ServiceClient<'_>,
        endpoint: Endpoint,
        listing: &mut RegionListing,
        scope: &Selection,
    ) {
        let now = client.pool.clock().now();
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
            .map(|(address, seen)| (address.clone(), scope.needs_whole(address, seen)))
            .collect();
        let asked = is_for_many.then(|| self.in_turn(groups.iter(), now));
        if is_for_many && listing.gaps.is_empty() {
            let here = |address: &Address| {
                address.region == client.region && address.kind.facts().endpoint == endpoint
            };
            self.forget(now, KEEP_IN_TURN, |address| here(address) && !listing.seen.contains_key(address));
        } else if !is_for_many {
            self.forget(now, KEEP_IN_TURN, |_| false);
        }
        let mut questions = Vec::new();
        for (address, _) in groups {
            let is_asked = asked.as_ref().map(|asked| asked.contains(&address));
            let keep = match is_asked {
                Some(false) => KEEP_IN_TURN,
                // It is its turn.
                Some(true) => Span::ZERO,
                None => KEEP,
            };
            if is_asked == Some(false) && self.fresh(&address, now, keep).is_none() {
                if let Some(seen) = listing.seen.get_mut(&address) {
                    seen.facts.is_unread = true;
                }
                continue;
            }
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

    #[test]
    fn what_was_read_is_used_until_it_is_old_or_changed() {
        let name = Name::new("game-accounts").unwrap();
        let address = Address::new(RegionId::new("us-east-1").unwrap(), KindId::CacheParameters, name);
        let texts = Texts::from([("a".to_owned(), "1".to_owned())]);
        let (parameters, now) = (Parameters::default(), Moment::from_secs(1_000));
        parameters.keep(&address, now, &texts);
        assert_eq!(parameters.fresh(&address, now + Span::from_mins(4), KEEP), Some(texts.clone()));
        assert_eq!(parameters.fresh(&address, now + KEEP, KEEP), None);
        parameters.changed_to(&address, now, None);
        assert_eq!(parameters.fresh(&address, now, KEEP), None);
        parameters.keep(&address, now + Span::from_secs(59), &texts);
        assert_eq!(
            parameters.fresh(&address, now + Span::from_secs(59), KEEP),
            None,
            "the read may lag behind the change"
        );
        parameters.keep(&address, now + LAG, &texts);
        assert_eq!(parameters.fresh(&address, now + LAG, KEEP), Some(texts.clone()));
        // Told by a call, and seen to hold it.
        let told = Texts::from([("a".to_owned(), "2".to_owned())]);
        parameters.changed_to(&address, now, Some(told.clone()));
        parameters.keep(&address, now, &texts);
        assert_eq!(parameters.fresh(&address, now, KEEP), None, "it lags behind the change");
        parameters.keep(&address, now, &told);
        assert_eq!(parameters.fresh(&address, now, KEEP), Some(told));
    }
    #[test]
    fn a_look_for_many_asks_about_what_it_does_not_know_and_then_in_turn() {
        let group = |number: usize| {
            let name = Name::new(format!("game{number}-a")).unwrap();
            Address::new(RegionId::new("us-east-1").unwrap(), KindId::CacheParameters, name)
        };
        let all: Vec<(Address, bool)> = (0..1_000).map(|number| (group(number), number < 120)).collect();
        let (parameters, now) = (Parameters::default(), Moment::from_secs(1_000_000));
        let first = parameters.in_turn(all.iter(), now);
        assert_eq!(first.len(), 120 + IN_TURN, "nothing is known, and some must be");
        assert!(all.iter().all(|(address, must)| !must || first.contains(address)));
        for ((address, _), number) in all.iter().zip(0..) {
            parameters.keep(address, now + Span::from_millis(number), &Texts::new());
        }
        assert_eq!(parameters.in_turn(all.iter(), now + Span::from_mins(4)).len(), 0, "all is fresh");
        let mut asked = BTreeSet::new();
        for round in 1..=20 {
            let then = now + Span::from_mins(6).times(round);
            let turn = parameters.in_turn(all.iter(), then);
            assert_eq!(turn.len(), IN_TURN, "round {round}");
            for address in &turn {
                parameters.keep(address, then, &Texts::new());
            }
            asked.extend(turn);
        }
        assert_eq!(asked.len(), all.len(), "each has had its turn");
        let (last, _) = &all[999];
        parameters.changed_to(last, now + Span::from_hours(2), None);
        assert!(parameters.in_turn(all.iter(), now + Span::from_hours(2)).contains(last));
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
        parameters.changed_to(&address("changed"), now, None);
        let left = || parameters.with(|known| known.len());
        parameters.forget(now + Span::from_secs(1), KEEP_IN_TURN, |gone| *gone == address("goes"));
        assert_eq!(left(), 2);
        parameters.forget(now + LAG, KEEP_IN_TURN, |_| false);
        assert_eq!(left(), 1);
        parameters.forget(now + KEEP_IN_TURN, KEEP_IN_TURN, |_| false);
        assert_eq!(left(), 0);
    }
}
