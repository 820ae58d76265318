//! Observation: ten lists for a region, all pages of each.
//!
//! No list of this service tells tags. They come from the tagging API, a hundred objects to a page, which can lag
//! behind; what it does not know is asked for one by one, as far as its name could be ours.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticache as cache;
use cache::types::{
    AutomaticFailoverStatus, CacheCluster, GlobalReplicationGroup, MultiAzStatus, ReplicationGroup,
    ReplicationGroupPendingModifiedValues, ServerlessCache, ServerlessCacheSnapshot, Snapshot,
};

use super::ENDPOINT;
use super::create::plain_name;
use crate::rds_like::home_of;
use crate::region_listing::{RegionListing, access, count, moment, parameter_status, port, seen};
use crate::service_client::ServiceClient;
use crate::tags::tags_from;
use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::elasticache::{
    CacheEngine, ClusterMode, GlobalAttrs, GroupAttrs, ServerlessAttrs, TransitEncryption, UserAttrs,
    UserGroupAttrs,
};
use rgctl_model::kinds::shared::{EngineVersion, ParameterGroupAttrs, SnapshotAttrs, SubnetGroupAttrs};
use rgctl_model::observed::{Access, Authentication, Member, Observed};
use rgctl_model::ports::CloudError;
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::phase::Role;

macro_rules! list {
    ($client:expr, $what:literal, $request:expr) => {
        $client.ask(ENDPOINT, $what, {
            let request = $request;
            move || request.clone().into_paginator().items().send().collect::<Result<Vec<_>, _>>()
        })
    };
}

/// Everything of the family in a region.
pub async fn observe(client: &ServiceClient<'_>) -> RegionListing {
    let (sdk, region) = (&client.read.elasticache, &client.region);
    let (groups, nodes, globals, serverless, snapshots, serverless_snapshots, light) = futures::join!(
        list!(client, "DescribeReplicationGroups", sdk.describe_replication_groups()),
        // The group tells neither version nor subnet group nor parameter group: its nodes do.
        list!(client, "DescribeCacheClusters", sdk.describe_cache_clusters()),
        list!(
            client,
            "DescribeGlobalReplicationGroups",
            sdk.describe_global_replication_groups().show_member_info(true)
        ),
        list!(client, "DescribeServerlessCaches", sdk.describe_serverless_caches()),
        list!(client, "DescribeSnapshots", sdk.describe_snapshots().snapshot_source("user")),
        list!(client, "DescribeServerlessCacheSnapshots", sdk.describe_serverless_cache_snapshots()),
        light(client),
    );
    let mut listing = light;
    let mut node_of: BTreeMap<String, CacheCluster> = BTreeMap::new();
    for node in listing.listed(nodes) {
        if let Some(group) = node.replication_group_id.clone() {
            node_of.entry(group).or_insert(node);
        }
    }
    for it in listing.listed(groups) {
        let node = it.replication_group_id().and_then(|id| node_of.get(id));
        if let Some(found) = group(&it, node, region) {
            listing.note(region, it.replication_group_id(), found, false);
        }
    }
    for it in listing.listed(globals) {
        let found = global(&it);
        let home = home_of(&found, region);
        listing.note(&home, it.global_replication_group_id().map(plain_name), found, false);
    }
    for it in listing.listed(serverless) {
        if let Some(found) = serverless_cache(&it) {
            listing.note(region, it.serverless_cache_name(), found, false);
        }
    }
    for it in listing.listed(snapshots) {
        listing.note(region, it.snapshot_name(), snapshot(&it), false);
    }
    for it in listing.listed(serverless_snapshots) {
        listing.note(region, it.serverless_cache_snapshot_name(), serverless_snapshot(&it), false);
    }
    listing
}

/// The objects beside the caches.
async fn light(client: &ServiceClient<'_>) -> RegionListing {
    let (sdk, region) = (&client.read.elasticache, &client.region);
    let (subnets, groups, users, user_groups) = futures::join!(
        list!(client, "DescribeCacheSubnetGroups", sdk.describe_cache_subnet_groups()),
        list!(client, "DescribeCacheParameterGroups", sdk.describe_cache_parameter_groups()),
        list!(client, "DescribeUsers", sdk.describe_users()),
        list!(client, "DescribeUserGroups", sdk.describe_user_groups()),
    );
    let mut listing = RegionListing::default();
    for it in listing.listed(subnets) {
        let ids = it.subnets().iter().filter_map(|subnet| subnet.subnet_identifier.clone());
        let attrs = AnyAttrs::CacheSubnetGroup(SubnetGroupAttrs {
            description: it.cache_subnet_group_description.clone(),
            subnets: Some(ids.collect()),
        });
        let found = seen(attrs, "available", it.arn(), BTreeMap::new());
        listing.note(region, it.cache_subnet_group_name(), found, false);
    }
    for it in listing.listed(groups) {
        let attrs = AnyAttrs::CacheParameters(ParameterGroupAttrs {
            family: it.cache_parameter_group_family.clone(),
            description: it.description.clone(),
            parameters: None,
        });
        let found = seen(attrs, "available", it.arn(), BTreeMap::new());
        listing.note(region, it.cache_parameter_group_name(), found, false);
    }
    for it in listing.listed(users) {
        let attrs = AnyAttrs::CacheUser(UserAttrs {
            engine: engine(it.engine()),
            user_name: it.user_name.clone(),
            access: it.access_string.clone(),
        });
        let mut found = seen(attrs, it.status().unwrap_or_default(), it.arn(), BTreeMap::new());
        let authentication = it.authentication().and_then(|told| authentication(told.r#type()?));
        found.facts.access = access(Access { authentication, ..Access::default() });
        listing.note(region, it.user_id(), found, false);
    }
    for it in listing.listed(user_groups) {
        let attrs = AnyAttrs::CacheUserGroup(UserGroupAttrs {
            engine: engine(it.engine()),
            users: Some(it.user_ids().iter().cloned().collect()),
        });
        let found = seen(attrs, it.status().unwrap_or_default(), it.arn(), BTreeMap::new());
        listing.note(region, it.user_group_id(), found, false);
    }
    listing
}

fn authentication(word: &cache::types::AuthenticationType) -> Option<Authentication> {
    match word {
        cache::types::AuthenticationType::Iam => Some(Authentication::Iam),
        cache::types::AuthenticationType::Password => Some(Authentication::Password),
        cache::types::AuthenticationType::NoPassword => Some(Authentication::NoPassword),
        _ => None,
    }
}

fn engine(text: Option<&str>) -> Option<CacheEngine> {
    match text.map(str::to_ascii_lowercase).as_deref() {
        Some("valkey") => Some(CacheEngine::Valkey),
        Some("redis") => Some(CacheEngine::Redis),
        _ => None,
    }
}

fn group(it: &ReplicationGroup, node: Option<&CacheCluster>, region: &RegionId) -> Option<Observed> {
    let told = it.engine().or_else(|| node.and_then(CacheCluster::engine));
    // A group whose engine nobody tells is of the first engine that there was.
    let engine = if told.is_none() { Some(CacheEngine::Redis) } else { engine(told) };
    engine?;
    let shards = it.node_groups();
    let members = shards.iter().map(|shard| shard.node_group_members().len()).max().unwrap_or(1);
    let mode = match it.cluster_mode() {
        Some(cache::types::ClusterMode::Compatible) => ClusterMode::Compatible,
        Some(cache::types::ClusterMode::Enabled) => ClusterMode::Enabled,
        None if it.cluster_enabled == Some(true) => ClusterMode::Enabled,
        _ => ClusterMode::Disabled,
    };
    let entry =
        it.configuration_endpoint().or_else(|| shards.first().and_then(|shard| shard.primary_endpoint()));
    let attrs = GroupAttrs {
        engine,
        engine_version: node.and_then(|node| node.engine_version.clone()).map(EngineVersion),
        node_type: it.cache_node_type.clone(),
        shards: u32::try_from(shards.len()).ok(),
        replicas_per_shard: u32::try_from(members.saturating_sub(1)).ok(),
        cluster_mode: Some(mode),
        automatic_failover: it
            .automatic_failover()
            .map(|word| matches!(word, AutomaticFailoverStatus::Enabled | AutomaticFailoverStatus::Enabling)),
        multi_az: it.multi_az().map(|word| *word == MultiAzStatus::Enabled),
        transit_encryption: encryption(it.transit_encryption_enabled, it.transit_encryption_mode()),
        at_rest_encryption: it.at_rest_encryption_enabled,
        kms_key: it.kms_key_id.clone(),
        data_tiering: it.data_tiering().map(|word| *word == cache::types::DataTieringStatus::Enabled),
        subnet_group: node.and_then(|node| node.cache_subnet_group_name.clone()),
        // A node is always in a group; an answer without one does not tell.
        security_groups: node
            .map(|node| {
                node.security_groups().iter().filter_map(|one| one.security_group_id.clone()).collect()
            })
            .filter(|groups: &BTreeSet<String>| !groups.is_empty()),
        parameter_group: node
            .and_then(CacheCluster::cache_parameter_group)
            .and_then(|group| group.cache_parameter_group_name.clone()),
        user_group: it.user_group_ids().first().cloned(),
        snapshot_retention_days: count(it.snapshot_retention_limit),
        snapshot_window: it.snapshot_window.clone(),
        maintenance_window: node.and_then(|node| node.preferred_maintenance_window.clone()),
        port: entry.and_then(|end| port(end.port)),
        global: it
            .global_replication_group_info()
            .and_then(|info| info.global_replication_group_id())
            .map(|id| plain_name(id).to_owned()),
    };
    let status = it.status().unwrap_or_default();
    let mut found = seen(AnyAttrs::CacheGroup(attrs), status, it.arn(), BTreeMap::new());
    found.pending = pending_group(it, node);
    let told = node.and_then(CacheCluster::cache_parameter_group);
    found.facts.parameters = parameter_status(told.and_then(|group| group.parameter_apply_status()));
    found.facts.created = moment(it.replication_group_create_time());
    found.facts.endpoint = entry.and_then(|end| end.address.clone());
    found.facts.access = access(group_access(it));
    found.facts.members = members_of(it, region);
    Some(found)
}

/// Without a mode, as of old and of what is on its way in, all connections are encrypted.
fn encryption(
    enabled: Option<bool>,
    mode: Option<&cache::types::TransitEncryptionMode>,
) -> Option<TransitEncryption> {
    Some(match (enabled?, mode) {
        (false, _) => TransitEncryption::Disabled,
        (true, Some(cache::types::TransitEncryptionMode::Preferred)) => TransitEncryption::Preferred,
        (true, _) => TransitEncryption::Required,
    })
}

/// Where clients connect: of shards each has its own, which the configuration tells.
fn group_access(it: &ReplicationGroup) -> Access {
    let address = |end: Option<&cache::types::Endpoint>| end.and_then(|end| end.address.clone());
    let configuration = address(it.configuration_endpoint());
    let only = if let [shard] = it.node_groups() { Some(shard) } else { None };
    Access {
        writer: only.and_then(|shard| address(shard.primary_endpoint())).filter(|_| configuration.is_some()),
        reader: only.and_then(|shard| address(shard.reader_endpoint())),
        configuration,
        ..Access::default()
    }
}

/// Nodes whose role the service tells: in sharded groups it does not.
fn members_of(it: &ReplicationGroup, region: &RegionId) -> Vec<Member> {
    let nodes = it.node_groups().iter().flat_map(cache::types::NodeGroup::node_group_members);
    let told = nodes.filter_map(|node| {
        let role = match node.current_role()? {
            "primary" => Role::Writer,
            _ => Role::Reader,
        };
        Some(Member { region: region.clone(), name: Name::new(node.cache_cluster_id()?).ok()?, role })
    });
    told.collect()
}

fn pending_encryption(waits: &ReplicationGroupPendingModifiedValues) -> Option<TransitEncryption> {
    let mode = waits.transit_encryption_mode();
    encryption(waits.transit_encryption_enabled().or(mode.map(|_| true)), mode)
}

fn pending_group(it: &ReplicationGroup, node: Option<&CacheCluster>) -> Option<AnyAttrs> {
    let waits = it.pending_modified_values();
    let node = node.and_then(CacheCluster::pending_modified_values);
    let pending = GroupAttrs {
        // The service tells how far a reshard has come and not where it leads; the field as such is what waits.
        shards: waits
            .and_then(|waits| waits.resharding())
            .and_then(|_| u32::try_from(it.node_groups().len()).ok()),
        cluster_mode: waits.and_then(|waits| waits.cluster_mode()).map(|mode| match mode {
            cache::types::ClusterMode::Enabled => ClusterMode::Enabled,
            cache::types::ClusterMode::Compatible => ClusterMode::Compatible,
            _ => ClusterMode::Disabled,
        }),
        transit_encryption: waits.and_then(pending_encryption),
        automatic_failover: waits
            .and_then(|waits| waits.automatic_failover_status())
            .map(|word| *word == cache::types::PendingAutomaticFailoverStatus::Enabled),
        user_group: waits
            .and_then(|waits| waits.user_groups())
            .and_then(|groups| groups.user_group_ids_to_add().first().cloned()),
        node_type: node.and_then(|waits| waits.cache_node_type.clone()),
        engine_version: node.and_then(|waits| waits.engine_version.clone()).map(EngineVersion),
        ..GroupAttrs::default()
    };
    (pending != GroupAttrs::default()).then_some(AnyAttrs::CacheGroup(pending))
}

fn global(it: &GlobalReplicationGroup) -> Observed {
    let attrs = AnyAttrs::CacheGlobal(GlobalAttrs {
        description: it.global_replication_group_description.clone(),
        ..GlobalAttrs::default()
    });
    let mut found = seen(attrs, it.status().unwrap_or_default(), it.arn(), BTreeMap::new());
    for member in it.members() {
        let region = member.replication_group_region().and_then(|code| RegionId::new(code).ok());
        let name = member.replication_group_id().and_then(|id| Name::new(id).ok());
        if let (Some(region), Some(name)) = (region, name) {
            let is_primary = member.role().is_some_and(|role| role.eq_ignore_ascii_case("primary"));
            let role = if is_primary { Role::Writer } else { Role::Reader };
            found.facts.members.push(Member { region, name, role });
        }
    }
    found
}

fn serverless_cache(it: &ServerlessCache) -> Option<Observed> {
    let engine = engine(it.engine());
    engine?;
    let data = it.cache_usage_limits().and_then(|limits| limits.data_storage());
    let units = it.cache_usage_limits().and_then(|limits| limits.ecpu_per_second());
    let attrs = AnyAttrs::CacheServerless(ServerlessAttrs {
        engine,
        major_engine_version: it.major_engine_version.clone(),
        data_max_gib: data.and_then(|data| count(data.maximum)),
        data_min_gib: data.and_then(|data| count(data.minimum)),
        ecpu_max_per_second: units.and_then(|units| count(units.maximum)),
        ecpu_min_per_second: units.and_then(|units| count(units.minimum)),
        kms_key: it.kms_key_id.clone(),
        subnets: Some(it.subnet_ids().iter().cloned().collect()),
        security_groups: Some(it.security_group_ids().iter().cloned().collect()),
        user_group: it.user_group_id.clone(),
        snapshot_retention_days: count(it.snapshot_retention_limit),
        daily_snapshot_time: it.daily_snapshot_time.clone(),
    });
    // The service writes these statuses in either case.
    let status = it.status().unwrap_or_default().to_ascii_lowercase();
    let mut found = seen(attrs, &status, it.arn(), BTreeMap::new());
    found.facts.created = moment(it.create_time());
    found.facts.endpoint = it.endpoint().and_then(|end| end.address.clone());
    found.facts.access = access(Access {
        port: it.endpoint().and_then(|end| port(end.port)),
        reader: it.reader_endpoint().and_then(|end| end.address.clone()),
        reader_port: it.reader_endpoint().and_then(|end| port(end.port)),
        ..Access::default()
    });
    Some(found)
}

fn snapshot(it: &Snapshot) -> Observed {
    let attrs = AnyAttrs::CacheSnapshot(SnapshotAttrs {
        source: it.replication_group_id.clone().or_else(|| it.cache_cluster_id.clone()),
        size_gib: None,
    });
    let mut found = seen(attrs, it.snapshot_status().unwrap_or_default(), it.arn(), BTreeMap::new());
    // The nodes are copied one after the other: the snapshot is as old as the first copy.
    let taken = it.node_snapshots().iter().filter_map(|node| moment(node.snapshot_create_time()));
    found.facts.created = taken.min();
    found
}

/// Serverless caches have snapshots of their own, in a list of their own.
fn serverless_snapshot(it: &ServerlessCacheSnapshot) -> Observed {
    let bytes = it.bytes_used_for_cache().and_then(|text| text.parse::<u64>().ok());
    let attrs = AnyAttrs::CacheSnapshot(SnapshotAttrs {
        source: it.serverless_cache_configuration().and_then(|cache| cache.serverless_cache_name.clone()),
        size_gib: bytes.map(|bytes| bytes.div_ceil(1 << 30)),
    });
    let status = it.status().unwrap_or_default().to_ascii_lowercase();
    let mut found = seen(attrs, &status, it.arn(), BTreeMap::new());
    found.facts.created = moment(it.create_time());
    found
}

/// The parameters of a group that differ from its family's defaults.
pub async fn parameters(
    client: &ServiceClient<'_>,
    address: &Address,
) -> Result<BTreeMap<String, String>, CloudError> {
    let request = client
        .read
        .elasticache
        .describe_cache_parameters()
        .cache_parameter_group_name(address.name.as_str())
        .source("user");
    let call = || request.clone().into_paginator().send().collect::<Result<Vec<_>, _>>();
    let pages = client.ask(ENDPOINT, "DescribeCacheParameters", call).await?;
    let all = pages.into_iter().flat_map(|page| page.parameters.unwrap_or_default());
    Ok(all.filter_map(|it| Some((it.parameter_name?, it.parameter_value?))).collect())
}

/// The tags of one object.
pub async fn tags(client: &ServiceClient<'_>, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let request = client.read.elasticache.list_tags_for_resource().resource_name(arn);
    let answer = client.ask(ENDPOINT, "ListTagsForResource", || request.clone().send()).await?;
    Ok(tags_from!(answer.tag_list()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elasticache::create::{encryption_mode, encryption_switch};
    use cache::types::TransitEncryptionMode::{Preferred, Required};

    #[test]
    fn encryption_is_told_by_a_switch_and_a_mode() {
        assert_eq!(encryption(None, None), None);
        assert_eq!(encryption(Some(false), None), Some(TransitEncryption::Disabled));
        assert_eq!(encryption(Some(true), None), Some(TransitEncryption::Required));
        assert_eq!(encryption(Some(true), Some(&Required)), Some(TransitEncryption::Required));
        assert_eq!(encryption(Some(true), Some(&Preferred)), Some(TransitEncryption::Preferred));
    }

    #[test]
    fn encryption_is_switched_on_with_its_first_mode_and_off_without_one() {
        let asked = |encryption| (encryption_switch(encryption), encryption_mode(encryption));
        assert_eq!(asked(TransitEncryption::Preferred), (Some(true), Some(Preferred)));
        assert_eq!(asked(TransitEncryption::Required), (None, Some(Required)));
        assert_eq!(asked(TransitEncryption::Disabled), (Some(false), None));
    }
}
