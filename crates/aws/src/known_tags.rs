//! Tags that lists do not tell: from the index of tags, and object by object where that does not know one of ours.
//!
//! Goes in: what a list showed. Comes out: the same with tags. The index lags behind by seconds, so that an object that was made a
//! moment ago is asked about by itself: once, and not at each look until the index has caught up, since calls of the same budget
//! make objects.
//!
//! **Invariant:** what was asked for is used again only as long as the index has never told anything of the object, this process has
//! called nothing about it since, looks show it, and it is the same one, of the same account, by what the service tells of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::{FutureExt, StreamExt, stream};

use super::region_listing::RegionListing;
use super::service_client::ServiceClient;
use super::{elasticache, rds_like, redshift_serverless};
use rgctl_model::address::Address;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::TAG_BLUEPRINT;
use rgctl_model::observed::{Observed, Selection};
use rgctl_model::ports::CloudError;
use rgctl_schema::time::{Moment, Span};

/// How long they are used: the index has caught up by then.
const KEEP: Span = Span::from_mins(5);
/// Objects that are asked about at the same time.
const AT_ONCE: usize = 8;

type Texts = BTreeMap<String, String>;
/// Which object it is: its ARN, which names the account, and what tells it from others of that name, where the service tells it.
type Identity = (String, Option<String>);
/// What the index tells, by ARN.
pub type TagsByArn = BTreeMap<String, Texts>;

/// What is known of the tags of an object.
#[derive(Debug)]
enum Known {
    /// When they were asked for, of which object, and what was told.
    Read(Moment, Identity, Texts),
    /// When a call about the object was made.
    Changed(Moment),
}

/// What this process knows of tags.
#[derive(Debug, Default)]
pub struct KnownTags(Mutex<BTreeMap<Address, Known>>);

impl KnownTags {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<Address, Known>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The tags that an object was seen to have, while they are good.
    fn of(&self, address: &Address, identity: &Identity, now: Moment) -> Option<Texts> {
        self.with(|known| match known.get(address) {
            Some(Known::Read(then, whose, texts)) if now < *then + KEEP && whose == identity => {
                Some(texts.clone())
            }
            _ => None,
        })
    }

    /// Notes tags that were asked for at that time. Those from before a call of ours say nothing of what it has done.
    fn keep(&self, address: &Address, asked: Moment, identity: Identity, texts: &Texts) {
        self.with(|known| match known.get(address) {
            Some(Known::Changed(then)) if asked <= *then => {}
            _ => drop(known.insert(address.clone(), Known::Read(asked, identity, texts.clone()))),
        });
    }

    /// A call about the object is being made, or was.
    pub fn changed(&self, address: &Address, now: Moment) {
        self.with(|known| known.insert(address.clone(), Known::Changed(now)));
    }

    /// The index tells of the object: should it fall silent again, something has happened to it.
    fn is_told(&self, address: &Address) {
        self.with(|known| {
            if matches!(known.get(address), Some(Known::Read(..))) {
                known.remove(address);
            }
        });
    }

    /// Forgets what is too old, and what is gone.
    fn forget(&self, now: Moment, gone: impl Fn(&Address) -> bool) {
        self.with(|known| {
            known.retain(|address, tags| match tags {
                Known::Read(then, ..) => now < *then + KEEP && !gone(address),
                Known::Changed(then) => now < *then + KEEP,
            });
        });
    }

    /// Fills in tags that lists do not tell. An object of ours that the index does not know is asked for by itself, once; without
    /// an index every object is. What is named counts as ours until it is known.
    pub async fn complete(
        &self,
        client: &ServiceClient<'_>,
        endpoint: Endpoint,
        listing: &mut RegionListing,
        scope: &Selection,
        index: Result<&TagsByArn, &CloudError>,
    ) {
        let now = client.pool.clock().now();
        if listing.gaps.is_empty() {
            let here = |address: &Address| {
                address.region == client.region && address.kind.facts().endpoint == endpoint
            };
            self.forget(now, |address| here(address) && !listing.seen.contains_key(address));
        }
        // To ask about each object of everybody, when one list for all of them is too much, would make it worse.
        if let Err(error @ CloudError::Throttled { .. }) = index
            && scope.is_for_many()
            && !listing.untagged.is_empty()
        {
            for address in std::mem::take(&mut listing.untagged) {
                listing.seen.remove(&address);
            }
            listing.gaps.push(error.clone());
            return;
        }
        let mut questions = Vec::new();
        for (address, arn, is_silent) in self.untold(listing, scope, index.ok(), now) {
            let question = async move {
                let tags = tags_of(client, endpoint, &arn).await;
                (address, is_silent, tags)
            };
            questions.push(question.boxed());
        }
        let answers: Vec<_> = stream::iter(questions).buffer_unordered(AT_ONCE).collect().await;
        for (address, is_silent, tags) in answers {
            match (tags, listing.seen.get_mut(&address)) {
                (Ok(tags), Some(seen)) => {
                    if is_silent && let Some(identity) = identity_of(seen) {
                        self.keep(&address, now, identity, &tags);
                    }
                    seen.facts.tags = tags;
                }
                // Deleted between the list and the question.
                (Err(CloudError::NotFound { .. }), _) => {
                    listing.seen.remove(&address);
                }
                // Whose it is is not known: it must not pass for somebody else's.
                (Err(error), _) => {
                    listing.seen.remove(&address);
                    listing.gaps.push(error);
                }
                (Ok(_), None) => {}
            }
        }
    }

    /// Fills in what the index tells and what is known; what is left to be asked for, and whether the index is silent about it.
    fn untold(
        &self,
        listing: &mut RegionListing,
        scope: &Selection,
        index: Option<&TagsByArn>,
        now: Moment,
    ) -> Vec<(Address, String, bool)> {
        let mut untold = Vec::new();
        for address in std::mem::take(&mut listing.untagged) {
            let Some(seen) = listing.seen.get_mut(&address) else { continue };
            let Some(arn) = seen.facts.arn.clone() else { continue };
            let told = index.and_then(|index| index.get(&arn));
            if told.is_some() {
                self.is_told(&address);
            }
            match told {
                Some(tags) if tags.contains_key(TAG_BLUEPRINT) || !scope.needs_owner(&address) => {
                    seen.facts.tags.clone_from(tags);
                }
                // An object of another name is somebody else's; without tags it is not even worth a question.
                None if !scope.needs_owner(&address) && (scope.owner.is_some() || index.is_some()) => {}
                // What is named has to be known for certain, now.
                _ => match self.known(&address, seen, now).filter(|_| !scope.named.contains(&address)) {
                    Some(tags) => seen.facts.tags = tags,
                    None => untold.push((address, arn, told.is_none())),
                },
            }
        }
        untold
    }

    fn known(&self, address: &Address, seen: &Observed, now: Moment) -> Option<Texts> {
        self.of(address, &identity_of(seen)?, now)
    }
}

fn identity_of(seen: &Observed) -> Option<Identity> {
    Some((seen.facts.arn.clone()?, seen.identity()))
}

/// Tags of all objects of our services in a region, a hundred to a page.
pub async fn all_tags(client: &ServiceClient<'_>) -> Result<TagsByArn, CloudError> {
    let request = client
        .read
        .tagging
        .get_resources()
        .resource_type_filters("rds")
        .resource_type_filters("elasticache")
        .resource_type_filters("redshift")
        .resource_type_filters("redshift-serverless")
        .resources_per_page(100);
    let call = || request.clone().into_paginator().items().send().collect::<Result<Vec<_>, _>>();
    let listed = client.ask("tagging", "GetResources", call).await?;
    let all = listed.into_iter().filter_map(|it| {
        let tags = it.tags.unwrap_or_default();
        Some((it.resource_arn?, tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
    });
    Ok(all.collect())
}

/// Asks where the object was seen: snapshots of namespaces and of clusters are one kind at two endpoints.
async fn tags_of(client: &ServiceClient<'_>, endpoint: Endpoint, arn: &str) -> Result<Texts, CloudError> {
    match endpoint {
        Endpoint::Rds => rds_like::tags(client, arn).await,
        Endpoint::ElastiCache => elasticache::tags(client, arn).await,
        Endpoint::RedshiftServerless => redshift_serverless::tags(client, arn).await,
        // Their lists tell tags, so that nobody asks.
        Endpoint::Redshift | Endpoint::SecretsManager => Ok(BTreeMap::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_model::kinds::KindId;
    use rgctl_schema::names::{Name, RegionId};

    fn address(name: &str) -> Address {
        Address::new(RegionId::new("us-east-1").unwrap(), KindId::CacheGroup, Name::new(name).unwrap())
    }

    fn id(account: &str, id: &str) -> Identity {
        (format!("arn:aws:elasticache:us-east-1:{account}:replicationgroup:one"), Some(id.to_owned()))
    }

    fn texts(value: &str) -> Texts {
        Texts::from([("a".to_owned(), value.to_owned())])
    }

    #[test]
    fn tags_are_used_until_they_are_old_changed_told_by_the_index_or_of_something_that_is_gone() {
        let (known, now) = (KnownTags::default(), Moment::from_secs(1_000));
        let names = ["stays", "changes", "goes", "told"];
        for name in names {
            known.keep(&address(name), now, id("1", "a"), &texts("1"));
        }
        known.changed(&address("changes"), now);
        known.is_told(&address("told"));
        known.forget(now, |gone| *gone == address("goes"));
        let later = now + Span::from_mins(4);
        let found = names.map(|name| known.of(&address(name), &id("1", "a"), later));
        assert_eq!(found, [Some(texts("1")), None, None, None]);
        assert_eq!(known.of(&address("stays"), &id("1", "a"), now + KEEP), None);
        known.forget(now + KEEP, |_| false);
        assert_eq!(known.with(|known| known.len()), 0);
    }

    #[test]
    fn tags_that_were_asked_for_before_a_call_was_over_are_not_kept() {
        let (known, now) = (KnownTags::default(), Moment::from_secs(1_000));
        let (one, later) = (address("one"), now + Span::from_secs(1));
        known.changed(&one, later);
        for asked in [now, later] {
            known.keep(&one, asked, id("1", "a"), &texts("before"));
            assert_eq!(known.of(&one, &id("1", "a"), later), None);
        }
        let after = later + Span::from_millis(1);
        known.keep(&one, after, id("1", "a"), &texts("after"));
        assert_eq!(known.of(&one, &id("1", "a"), after), Some(texts("after")));
    }

    #[test]
    fn what_was_made_anew_under_the_same_name_or_in_another_account_has_no_tags_of_the_first() {
        let (known, now, one) = (KnownTags::default(), Moment::from_secs(1_000), address("one"));
        known.keep(&one, now, id("1", "first"), &texts("1"));
        assert_eq!(known.of(&one, &id("1", "first"), now), Some(texts("1")));
        for other in [id("1", "second"), id("2", "first"), (id("1", "first").0, None)] {
            assert_eq!(known.of(&one, &other, now), None, "{other:?}");
        }
    }
}
