//! The port's three questions, each handed to the family that can answer it.
//!
//! Goes in: operations, scopes, questions. Comes out: receipts, inventories, series.
//!
//! **Invariant:** an observation asks a fixed number of lists for each region, whatever it holds; only parameters,
//! missing tags of our own objects, and where secrets have copies are asked for one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

use super::budget::Budget;
use super::caller::Caller;
use super::clients::{Attempt, AwsOptions, Pool, Transport};
use super::errors::{NOT_EMULATED, is_no_op};
use super::glance::glance;
use super::known_tags::{KnownTags, all_tags};
use super::listed::{Listed, nothing_seen};
use super::parameters::Parameters;
use super::region_listing::TAG_HOME;
use super::series::{self, Nodes};
use super::service_client::ServiceClient;
use super::{doctor, elasticache, rds_like, redshift, redshift_serverless, secrets};
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::TAG_TOKEN;
use rgctl_model::observed::{Gap, Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Clock, Cloud, CloudError, Permit, Receipt, TWO_PARTITIONS, WRONG_ACCOUNT};
use rgctl_model::quota::AccountQuota;
use rgctl_model::scope::{CloudKind, Home};
use rgctl_model::selection::Face;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_model::sweep::SightDigest;
use rgctl_schema::names::{Partition, RegionId, Token};
use rgctl_schema::time::{Moment, Span};

/// How long a look that is for many asks again what is throttled, before that is a gap: less than the three minutes for which its
/// region is waited for, and the last answer has its minute. A look for one is made again by whoever asked for it.
const LOOK_PATIENCE: Span = Span::from_mins(2);

/// The real provider.
#[derive(Debug)]
pub struct AwsCloud {
    pool: Arc<Pool>,
    parameters: Parameters,
    tags: KnownTags,
}

impl AwsCloud {
    /// The provider, with a connection pool and a budget of its own. Nothing is asked yet: wrong credentials show at
    /// the first call.
    pub fn new(options: AwsOptions, clock: Arc<dyn Clock>) -> Self {
        Self::over(options, Transport::default(), Budget::default(), clock)
    }

    /// The provider over a given transport: for tests, and to share budget and connections.
    pub fn over(options: AwsOptions, transport: Transport, budget: Budget, clock: Arc<dyn Clock>) -> Self {
        Self {
            pool: Arc::new(Pool::new(options, transport, budget, clock)),
            parameters: Parameters::default(),
            tags: KnownTags::default(),
        }
    }

    /// The provider as somebody else, over the same connections and within the same budget: of what we allow ourselves in that
    /// account, so many percent are for us.
    #[must_use]
    pub fn beside(&self, options: AwsOptions, percent: u8) -> Self {
        let pool = &self.pool;
        if let Some(account) = &options.account {
            pool.budget().allow(&Caller::counted_as(account), percent);
        }
        Self::over(options, pool.transport().clone(), pool.budget().clone(), pool.shared_clock())
    }

    /// The pool of clients, for the other questions that are put to the provider.
    pub const fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Every attempt made so far, retries and pages included.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.pool.attempts()
    }

    async fn client(&self, region: &RegionId) -> ServiceClient<'_> {
        ServiceClient::to(&self.pool, region).await
    }

    async fn make(&self, op: &Op, token: &Token, permit: &Permit) -> Result<Receipt, CloudError> {
        let address = op.address();
        let client = self.client(&address.region).await.under(permit);
        let endpoint = address.kind.facts().endpoint;
        match op {
            Op::Create { attrs, tags, .. } => {
                let tags = &creation_tags(address, tags, token);
                match endpoint {
                    Endpoint::Rds => rds_like::create(&client, address, attrs, tags).await,
                    Endpoint::ElastiCache => elasticache::create(&client, address, attrs, tags).await,
                    Endpoint::Redshift => redshift::create(&client, address, attrs, tags).await,
                    Endpoint::RedshiftServerless => {
                        redshift_serverless::create(&client, address, attrs, tags).await
                    }
                    Endpoint::SecretsManager => secrets::create(&client, address, attrs, tags).await,
                }
            }
            Op::Modify { .. } if takes_out(op) => take_out(&client, op).await,
            Op::Modify { changes, attrs, .. } => match endpoint {
                Endpoint::Rds => rds_like::modify(&client, address, changes, attrs).await,
                Endpoint::ElastiCache => elasticache::modify(&client, address, attrs).await,
                Endpoint::Redshift => redshift::modify(&client, address, changes, attrs).await,
                Endpoint::RedshiftServerless => redshift_serverless::modify(&client, address, attrs).await,
                Endpoint::SecretsManager => secrets::modify(&client, address, changes, attrs).await,
            },
            Op::Tag { tags, .. } => {
                // What is taken over keeps the address that it has now, wherever its writer goes.
                let tags = &with_home(address, tags.clone());
                match endpoint {
                    Endpoint::Rds => rds_like::tag(&client, address, tags).await,
                    Endpoint::ElastiCache => elasticache::tag(&client, address, tags).await,
                    Endpoint::Redshift => redshift::tag(&client, address, tags).await,
                    Endpoint::RedshiftServerless => redshift_serverless::tag(&client, address, tags).await,
                    Endpoint::SecretsManager => secrets::tag(&client, address, tags).await,
                }
            }
            Op::Delete { final_snapshot, .. } => {
                let snapshot = final_snapshot.as_ref();
                match endpoint {
                    Endpoint::Rds => rds_like::delete(&client, address, snapshot).await,
                    Endpoint::ElastiCache => elasticache::delete(&client, address, snapshot).await,
                    Endpoint::Redshift => redshift::delete(&client, address, snapshot).await,
                    Endpoint::RedshiftServerless => {
                        redshift_serverless::delete(&client, address, snapshot).await
                    }
                    Endpoint::SecretsManager => secrets::delete(&client, address).await,
                }
            }
            Op::Act { verb, .. } => match endpoint {
                Endpoint::Rds => rds_like::act(&client, address, verb).await,
                Endpoint::ElastiCache => elasticache::act(&client, address, verb).await,
                Endpoint::Redshift => redshift::act(&client, address, verb).await,
                Endpoint::RedshiftServerless | Endpoint::SecretsManager => {
                    Err(super::service_client::unsupported(&format!("{} {}", verb.as_str(), address.kind)))
                }
            },
        }
    }

    /// Lists of all regions, each by itself; of what they hold that which is asked for; and what only a question about each
    /// tells of that.
    async fn look(&self, scope: &Selection) -> Result<Inventory, CloudError> {
        of_one_partition(&scope.regions)?;
        let mut inventory = Inventory::empty(self.pool.clock().now());
        let until = scope.is_for_many().then(|| inventory.taken + LOOK_PATIENCE);
        let mut regions =
            join_all(scope.regions.iter().map(|region| self.lists(region, scope, until).boxed())).await;
        retain_shown(&mut regions, scope);
        join_all(regions.iter_mut().map(|region| self.complete(region, scope, until).boxed())).await;
        if let Some(error) = nothing_seen(&regions) {
            return Err(error);
        }
        for region in regions {
            for (endpoint, listing) in region.listings {
                if !listing.gaps.is_empty() {
                    let lasting = listing.gaps.iter().any(|gap| matches!(gap, CloudError::Denied { .. }));
                    let mut why: Vec<String> = listing.gaps.iter().map(ToString::to_string).collect();
                    why.dedup();
                    let region = region.region.clone();
                    inventory.gaps.push(Gap { region, endpoint, why: why.join("; "), lasting });
                }
                inventory.seen.extend(listing.seen);
            }
        }
        Ok(inventory)
    }

    /// The account of the credentials, asked once; an error when it is not the one that it has to be.
    async fn account(&self, near: &RegionId, until: Option<Moment>) -> Result<String, CloudError> {
        let account = self.client(near).await.patient_until(until).account().await?;
        match wrong_account(self.pool.options(), &account, near) {
            Some(error) => Err(error),
            None => Ok(account),
        }
    }

    /// The account, told by a region or, where it does not answer, by another one of its partition: a region that is lost must
    /// not hide whose record it is that says so.
    async fn account_near(&self, near: &RegionId) -> Result<String, CloudError> {
        let told = |region: RegionId| async move {
            self.pool.check_credentials(&region).await?;
            self.account(&region, None).await
        };
        let unreached = match told(near.clone()).await {
            Err(error @ CloudError::Unreachable { .. }) => error,
            told => return told,
        };
        let others =
            Partition::of(near).everywhere_enabled().iter().filter_map(|code| RegionId::new(*code).ok());
        for other in others.filter(|other| other != near) {
            match told(other).await {
                Err(CloudError::Unreachable { .. }) => {}
                told => return told,
            }
        }
        Err(unreached)
    }

    /// Where an account has to be a certain one, nothing is asked of another one.
    async fn check_account(&self, near: &RegionId, until: Option<Moment>) -> Result<(), CloudError> {
        self.pool.check_credentials(near).await?;
        if self.pool.options().account.is_some() { self.account(near, until).await.map(drop) } else { Ok(()) }
    }

    /// What the lists of a region hold, with their tags.
    async fn lists(&self, region: &RegionId, scope: &Selection, until: Option<Moment>) -> Listed {
        if let Err(error) = self.check_account(region, until).await {
            return Listed::unseen(region, &error);
        }
        let client = self.client(region).await.patient_until(until);
        let (rds, cache, warehouse, serverless, kept, tags) = futures::join!(
            rds_like::observe(&client),
            elasticache::observe(&client),
            redshift::observe(&client),
            redshift_serverless::observe(&client),
            secrets::observe(&client),
            all_tags(&client),
        );
        let mut listings = Vec::new();
        for (endpoint, mut listing) in [
            (Endpoint::Rds, rds),
            (Endpoint::ElastiCache, cache),
            (Endpoint::Redshift, warehouse),
            (Endpoint::RedshiftServerless, serverless),
            (Endpoint::SecretsManager, kept),
        ] {
            self.tags.complete(&client, endpoint, &mut listing, scope, tags.as_ref()).await;
            listings.push((endpoint, listing));
        }
        Listed { region: region.clone(), listings }
    }

    /// Fills in the parameters of the groups that are left.
    async fn complete(&self, listed: &mut Listed, scope: &Selection, until: Option<Moment>) {
        let client = self.client(&listed.region).await.patient_until(until);
        self.parameters.complete(&client, &mut listed.listings, scope).await;
    }

    /// Each region by itself, and each question: what cannot be measured in one says nothing of the others.
    async fn measure(&self, asks: &[SeriesAsk]) -> Vec<Result<Series, CloudError>> {
        let regions: BTreeSet<&RegionId> = asks.iter().map(|ask| &ask.address.region).collect();
        let answers = regions.into_iter().map(|region| async move {
            let (places, here): (Vec<usize>, Vec<&SeriesAsk>) =
                asks.iter().enumerate().filter(|(_, ask)| &ask.address.region == region).unzip();
            let client = self.client(region).await;
            let nodes = nodes(&client, &here).await;
            places.into_iter().zip(series::series(&client, &here, &nodes).await).collect::<Vec<_>>()
        });
        let found: BTreeMap<usize, Result<Series, CloudError>> =
            join_all(answers.map(FutureExt::boxed)).await.into_iter().flatten().collect();
        found.into_values().collect()
    }
}

impl Cloud for AwsCloud {
    fn quotas<'a>(
        &'a self,
        regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        async move {
            let mut told = Vec::new();
            for region in regions {
                let client = self.client(region).await;
                match doctor::quotas_of(&client).await {
                    Ok(quotas) => told.extend(doctor::as_told(region, &quotas)),
                    // An emulator without this service has no account that tells quotas of its own.
                    Err(CloudError::Refused { code, message }) if code == NOT_EMULATED => {
                        tracing::warn!(message, "the endpoint tells no quotas: the usual ones are assumed");
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(told)
        }
        .boxed()
    }

    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        async move {
            let untold = |why: &str| CloudError::Unreachable { why: format!("whose account it is: {why}") };
            let region = near.ok_or_else(|| untold("no region is named to ask in"))?;
            let account = self.account_near(region).await?;
            Home::new(CloudKind::Aws, account.as_str())
                .ok_or_else(|| untold(&format!("{account:?} is no account")))
        }
        .boxed()
    }

    fn glance<'a>(
        &'a self,
        objects: &'a BTreeSet<Address>,
    ) -> BoxFuture<'a, Result<SightDigest, CloudError>> {
        async move {
            let mut states = Vec::new();
            for address in objects {
                states.push((address, glance(&self.client(&address.region).await, address).await?));
            }
            Ok(SightDigest::of_value(&states))
        }
        .boxed()
    }

    fn observe<'a>(&'a self, scope: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        self.look(scope).boxed()
    }

    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        async move {
            self.check_account(&op.address().region, None).await?;
            let answer = self.make(op, token, permit).await;
            self.parameters.changed(op, self.pool.clock().now());
            self.tags.changed(op.address(), self.pool.clock().now());
            match answer {
                Err(error) if is_no_op(&error) => Ok(Receipt::default()),
                other => other,
            }
        }
        .boxed()
    }

    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        self.measure(asks).boxed()
    }
}

/// Why nothing is done with credentials of an account, where it has to be a certain other one.
pub(super) fn wrong_account(options: &AwsOptions, account: &str, near: &RegionId) -> Option<CloudError> {
    let wanted = options.account.as_deref().filter(|wanted| *wanted != account)?;
    Some(CloudError::Denied {
        code: WRONG_ACCOUNT.to_owned(),
        message: format!("the credentials are of account {account}, and {near} belongs to account {wanted}"),
    })
}

/// Credentials are of one account, and an account is of one partition: in regions of another they are nobody's.
fn of_one_partition(regions: &BTreeSet<RegionId>) -> Result<(), CloudError> {
    let Some(first) = regions.first() else { return Ok(()) };
    let other = regions.iter().find(|region| Partition::of(region) != Partition::of(first));
    other.map_or(Ok(()), |other| {
        Err(CloudError::Denied {
            code: TWO_PARTITIONS.to_owned(),
            message: format!(
                "{first} and {other} are in different partitions, and the credentials are of one account"
            ),
        })
    })
}

/// The tags that a new object carries: those asked for, the token that finds it again, and for a global object the
/// region that addresses it.
fn creation_tags(
    address: &Address,
    tags: &BTreeMap<String, String>,
    token: &Token,
) -> BTreeMap<String, String> {
    let mut tags = tags.clone();
    tags.insert(TAG_TOKEN.to_owned(), token.to_string());
    with_home(address, tags)
}

fn with_home(address: &Address, mut tags: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if address.kind.facts().is_global {
        tags.insert(TAG_HOME.to_owned(), address.region.to_string());
    }
    tags
}

/// Leaves what is asked for, and what is bound to that. The lists tell it without any further call.
fn retain_shown(regions: &mut [Listed], scope: &Selection) {
    let listings = || regions.iter().flat_map(|region| &region.listings);
    let faces: Vec<Face<'_>> = listings()
        .flat_map(|(_, listing)| &listing.seen)
        .map(|(address, seen)| Face::of(address, seen))
        .collect();
    let mut shown = scope.shown(&faces).into_iter();
    for (_, listing) in regions.iter_mut().flat_map(|region| &mut region.listings) {
        listing.seen.retain(|_, _| shown.next().unwrap_or(true));
    }
}

/// Nodes of the replication groups that are asked about, by one list.
async fn nodes(client: &ServiceClient<'_>, asks: &[&SeriesAsk]) -> Result<Nodes, CloudError> {
    if !asks.iter().any(|ask| series::is_by_node(ask)) {
        return Ok(Nodes::new());
    }
    let request = client.read.elasticache.describe_replication_groups();
    let call = || request.clone().into_paginator().items().send().collect::<Result<Vec<_>, _>>();
    let groups = client.ask(elasticache::ENDPOINT, "DescribeReplicationGroups", call).await?;
    let mut nodes = Nodes::new();
    for group in groups {
        let name = group.replication_group_id().and_then(|id| rgctl_schema::names::Name::new(id).ok());
        if let Some(name) = name {
            let address = Address::new(client.region.clone(), KindId::CacheGroup, name);
            nodes.insert(address, group.member_clusters.unwrap_or_default());
        }
    }
    Ok(nodes)
}

fn takes_out(op: &Op) -> bool {
    ["parameters", "tags"].iter().any(|map| !op.taken_out(map).is_empty())
}

/// Parameters go back to their defaults, tags go.
async fn take_out(client: &ServiceClient<'_>, op: &Op) -> Result<Receipt, CloudError> {
    let (address, parameters, tags) = (op.address(), op.taken_out("parameters"), op.taken_out("tags"));
    let endpoint = address.kind.facts().endpoint;
    if !parameters.is_empty() {
        match endpoint {
            Endpoint::Rds => rds_like::reset_parameters(client, address, &parameters).await?,
            Endpoint::ElastiCache => elasticache::reset_parameters(client, address, &parameters).await?,
            Endpoint::Redshift => redshift::reset_parameters(client, address, &parameters).await?,
            Endpoint::RedshiftServerless | Endpoint::SecretsManager => {
                return Err(super::service_client::unsupported(&format!("reset {}", address.kind)));
            }
        }
    }
    if !tags.is_empty() {
        let keys = tags.into_iter().collect();
        match endpoint {
            Endpoint::Rds => rds_like::untag(client, address, keys).await?,
            Endpoint::ElastiCache => elasticache::untag(client, address, keys).await?,
            Endpoint::Redshift => redshift::untag(client, address, keys).await?,
            Endpoint::RedshiftServerless => redshift_serverless::untag(client, address, keys).await?,
            Endpoint::SecretsManager => secrets::untag(client, address, keys).await?,
        }
    }
    Ok(Receipt::default())
}
