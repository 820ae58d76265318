//! The parameters of parameter groups: there is no call for those of several groups, so that each costs a call.
//!
//! Goes in: groups that were seen. Comes out: the same with their parameters.
//!
//! **Invariant:** what was read is used again for some minutes, by one process, unless this process changed the group:
//! a run that looks every ten seconds asks once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::{FutureExt, StreamExt, stream};

use super::region_listing::RegionListing;
use super::service_client::ServiceClient;
use super::{elasticache, rds_like, redshift};
use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::ports::CloudError;
use rgctl_schema::time::{Moment, Span};

/// How long what was read is used. A change of a parameter outside rgctl shows so much later at most, in a run that
/// lasts; a new command reads anew.
const KEEP: Span = Span::from_mins(5);
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
    fn fresh(&self, address: &Address, now: Moment) -> Option<Texts> {
        self.with(|known| match known.get(address) {
            Some(KnownParameters::Read(then, texts)) if now < *then + KEEP => Some(texts.clone()),
            _ => None,
        })
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

    /// Fills in the parameters of the groups that were seen.
    pub async fn complete(&self, client: &ServiceClient<'_>, listing: &mut RegionListing) {
        let now = client.pool.clock().now();
        let groups: Vec<Address> = listing
            .seen
            .iter()
            .filter(|(_, seen)| has_parameters(&seen.attrs))
            .map(|(address, _)| address.clone())
            .collect();
        let mut questions = Vec::new();
        for address in groups {
            questions.push(self.ask(client, address, now).boxed());
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
    ) -> (Address, Result<Texts, CloudError>) {
        if let Some(texts) = self.fresh(&address, now) {
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
        assert_eq!(parameters.fresh(&address, now + Span::from_mins(4)), Some(texts.clone()));
        assert_eq!(parameters.fresh(&address, now + KEEP), None);
        parameters.changed(&address, now);
        assert_eq!(parameters.fresh(&address, now), None);
        parameters.keep(&address, now + Span::from_secs(59), &texts);
        assert_eq!(
            parameters.fresh(&address, now + Span::from_secs(59)),
            None,
            "the read may lag behind the change"
        );
        parameters.keep(&address, now + LAG, &texts);
        assert_eq!(parameters.fresh(&address, now + LAG), Some(texts));
    }
}
