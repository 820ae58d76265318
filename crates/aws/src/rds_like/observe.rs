//! Observation: seven lists for a region, all pages of each, and the parameters of our own parameter groups.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds as rds;
use rds::types::{DbCluster, DbClusterSnapshot, DbInstance, DbSubnetGroup, GlobalCluster};

use super::roles::written;
use super::shape::{cluster_out, halves, instance_out, lifecycle, storage_kind};
use super::{DOCUMENT_ENGINE, ENDPOINT};
use crate::region_listing::{
    RegionListing, TAG_HOME, access, arn_target, count, moment, parameter_status, port, seen,
};
use crate::secrets::TAG_SECRET;
use crate::service_client::ServiceClient;
use crate::tags::tags_from;
use rgctl_model::kinds::aurora::{self, AuroraEngine, StorageKind};
use rgctl_model::kinds::shared::{
    EngineVersion, ParameterGroupAttrs, SnapshotAttrs, SubnetGroupAttrs, is_service_linked,
};
use rgctl_model::kinds::{AnyAttrs, documentdb};
use rgctl_model::observed::{Access, CoolDown, Member, Observed, ParameterStatus};
use rgctl_schema::names::RegionId;
use rgctl_schema::phase::Role;

macro_rules! list {
    ($client:expr, $what:literal, $request:expr) => {
        $client.ask(ENDPOINT, $what, {
            let request = $request;
            move || request.clone().into_paginator().items().send().collect::<Result<Vec<_>, _>>()
        })
    };
}

/// Everything of both families in a region.
pub async fn observe(client: &ServiceClient<'_>) -> RegionListing {
    let sdk = &client.read.rds;
    let (clusters, instances, globals, subnets, cluster_groups, groups, snapshots) = futures::join!(
        list!(client, "DescribeDBClusters", sdk.describe_db_clusters()),
        list!(client, "DescribeDBInstances", sdk.describe_db_instances()),
        list!(client, "DescribeGlobalClusters", sdk.describe_global_clusters()),
        list!(client, "DescribeDBSubnetGroups", sdk.describe_db_subnet_groups()),
        list!(client, "DescribeDBClusterParameterGroups", sdk.describe_db_cluster_parameter_groups()),
        list!(client, "DescribeDBParameterGroups", sdk.describe_db_parameter_groups()),
        // The automatic ones have names that are not ours to give, and are many.
        list!(
            client,
            "DescribeDBClusterSnapshots",
            sdk.describe_db_cluster_snapshots().snapshot_type("manual")
        ),
    );
    let (mut listing, region) = (RegionListing::default(), &client.region);
    let (globals, clusters) = (listing.listed(globals), listing.listed(clusters));
    let memberships = memberships(&globals);
    let mut members = BTreeMap::new();
    for it in &clusters {
        note_members(it, &mut members);
        if let Some(found) = cluster(it, &memberships, region) {
            listing.note(region, it.db_cluster_identifier(), found, true);
        }
    }
    for it in listing.listed(instances) {
        if let Some(found) = instance(&it, &members) {
            listing.note(region, it.db_instance_identifier(), found, true);
        }
    }
    for it in &globals {
        if let Some(found) = global(it) {
            let home = home_of(&found, region);
            listing.note(&home, it.global_cluster_identifier(), found, true);
        }
    }
    for it in listing.listed(subnets) {
        listing.note(region, it.db_subnet_group_name(), subnet_group(&it), false);
    }
    for it in listing.listed(cluster_groups) {
        let (family, text) = (it.db_parameter_group_family(), it.description());
        let document = family.is_some_and(|family| family.starts_with(DOCUMENT_ENGINE));
        let arn = it.db_cluster_parameter_group_arn();
        let attrs = group(family, text);
        let attrs = if document {
            AnyAttrs::DocumentClusterParameters(attrs)
        } else {
            AnyAttrs::AuroraClusterParameters(attrs)
        };
        let name = it.db_cluster_parameter_group_name();
        listing.note(region, name, seen(attrs, "available", arn, BTreeMap::new()), false);
    }
    for it in listing.listed(groups) {
        let attrs =
            AnyAttrs::AuroraInstanceParameters(group(it.db_parameter_group_family(), it.description()));
        let found = seen(attrs, "available", it.db_parameter_group_arn(), BTreeMap::new());
        listing.note(region, it.db_parameter_group_name(), found, false);
    }
    for it in listing.listed(snapshots) {
        if let Some(found) = snapshot(&it) {
            listing.note(region, it.db_cluster_snapshot_identifier(), found, true);
        }
    }
    listing
}

fn engine_of(text: Option<&str>) -> Option<AuroraEngine> {
    match text {
        Some("aurora-mysql") => Some(AuroraEngine::Mysql),
        Some("aurora-postgresql") => Some(AuroraEngine::Postgresql),
        _ => None,
    }
}

fn version(text: Option<&str>) -> Option<EngineVersion> {
    text.map(|text| EngineVersion(text.to_owned()))
}

/// Which global cluster a cluster is in, by the cluster's ARN: older answers about clusters do not tell.
fn memberships(globals: &[GlobalCluster]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for global in globals {
        for member in global.global_cluster_members() {
            if let (Some(arn), Some(id)) = (member.db_cluster_arn(), global.global_cluster_identifier()) {
                found.insert(arn.to_owned(), id.to_owned());
            }
        }
    }
    found
}

/// What a cluster tells of a member.
struct Told {
    role: Role,
    /// Whether the parameters of the cluster's group are in effect in it.
    parameters: ParameterStatus,
}

fn note_members(cluster: &DbCluster, members: &mut BTreeMap<String, Told>) {
    for member in cluster.db_cluster_members() {
        if let Some(id) = member.db_instance_identifier() {
            let parameters = parameter_status(member.db_cluster_parameter_group_status());
            members.insert(id.to_owned(), Told { role: role(member.is_cluster_writer()), parameters });
        }
    }
}

const fn role(is_writer: Option<bool>) -> Role {
    if matches!(is_writer, Some(true)) { Role::Writer } else { Role::Reader }
}

fn cluster(it: &DbCluster, memberships: &BTreeMap<String, String>, region: &RegionId) -> Option<Observed> {
    let (document, engine) = (it.engine() == Some(DOCUMENT_ENGINE), engine_of(it.engine()));
    if !document && engine.is_none() {
        return None;
    }
    let joined = it.db_cluster_arn().and_then(|arn| memberships.get(arn));
    let attrs = cluster_attrs(it, engine, joined);
    let wrap = |attrs: aurora::ClusterAttrs| {
        if document { AnyAttrs::DocumentCluster(cluster_out(&attrs)) } else { AnyAttrs::AuroraCluster(attrs) }
    };
    let tags = tags_from!(it.tag_list());
    let mut found = seen(wrap(attrs), it.status().unwrap_or_default(), it.db_cluster_arn(), tags);
    found.pending = pending_cluster(it).map(wrap);
    found.facts.id.clone_from(&it.db_cluster_resource_id);
    found.facts.created = moment(it.cluster_create_time());
    found.facts.cool_down = moment(it.io_optimized_next_allowed_modification_time()).map(|until| {
        let value = StorageKind::IoOptimized.as_str().to_owned();
        Box::new(CoolDown { field: "storage_kind".to_owned(), value, until })
    });
    found.facts.endpoint = it.endpoint().map(str::to_owned);
    found.facts.access = access(Access {
        reader: it.reader_endpoint().map(str::to_owned),
        secret: it.master_user_secret().and_then(|secret| secret.secret_arn.clone()),
        ..Access::default()
    });
    found.facts.members = it
        .db_cluster_members()
        .iter()
        .filter_map(|member| {
            let name = rgctl_schema::names::Name::new(member.db_instance_identifier()?).ok()?;
            Some(Member { region: region.clone(), name, role: role(member.is_cluster_writer()) })
        })
        .collect();
    Some(found)
}

fn cluster_attrs(
    it: &DbCluster,
    engine: Option<AuroraEngine>,
    joined: Option<&String>,
) -> aurora::ClusterAttrs {
    let scaling = it.serverless_v2_scaling_configuration();
    // What the service keeps is in force, whatever was set before.
    let secret = tags_from!(it.tag_list()).remove(TAG_SECRET).filter(|_| it.master_user_secret.is_none());
    aurora::ClusterAttrs {
        engine,
        engine_version: version(it.engine_version()),
        instance_parameter_group: None,
        parameter_group: it.db_cluster_parameter_group.clone(),
        subnet_group: it.db_subnet_group.clone(),
        security_groups: Some(security_groups(it.vpc_security_groups())),
        port: port(it.port),
        storage_encrypted: it.storage_encrypted,
        kms_key: it.kms_key_id.clone(),
        storage_kind: Some(storage_kind(it.storage_type())),
        backup_retention_days: count(it.backup_retention_period),
        backup_window: it.preferred_backup_window.clone(),
        maintenance_window: it.preferred_maintenance_window.clone(),
        deletion_protection: it.deletion_protection,
        master_username: it.master_username.clone(),
        database: it.database_name.clone(),
        managed_password: Some(it.master_user_secret.is_some()),
        master_secret: secret.clone().filter(|name| !name.starts_with("arn:")),
        master_secret_arn: secret.filter(|name| name.starts_with("arn:")),
        iam_authentication: it.iam_database_authentication_enabled,
        iam_roles: Some(
            it.associated_roles()
                .iter()
                .filter_map(|role| Some((role.feature_name(), role.role_arn()?)))
                .filter(|(_, arn)| !is_service_linked(arn))
                .map(|(feature, arn)| written(feature, arn))
                .collect(),
        ),
        log_exports: Some(it.enabled_cloudwatch_logs_exports().iter().cloned().collect()),
        copy_tags_to_snapshot: it.copy_tags_to_snapshot,
        extended_support: lifecycle(it.engine_lifecycle_support()),
        serverless_min_half_acu: scaling.and_then(|range| range.min_capacity).map(halves),
        serverless_max_half_acu: scaling.and_then(|range| range.max_capacity).map(halves),
        global: joined.cloned().or_else(|| it.global_cluster_identifier.clone()),
    }
}

fn security_groups(groups: &[rds::types::VpcSecurityGroupMembership]) -> BTreeSet<String> {
    groups.iter().filter_map(|group| group.vpc_security_group_id.clone()).collect()
}

fn pending_cluster(it: &DbCluster) -> Option<aurora::ClusterAttrs> {
    let waits = it.pending_modified_values()?;
    let pending = aurora::ClusterAttrs {
        engine_version: version(waits.engine_version()),
        backup_retention_days: count(waits.backup_retention_period),
        storage_kind: waits.storage_type().map(|word| storage_kind(Some(word))),
        iam_authentication: waits.iam_database_authentication_enabled,
        log_exports: waits
            .pending_cloudwatch_logs_exports()
            .map(|logs| logs.log_types_to_enable().iter().cloned().collect()),
        ..aurora::ClusterAttrs::default()
    };
    (pending != aurora::ClusterAttrs::default()).then_some(pending)
}

fn instance(it: &DbInstance, members: &BTreeMap<String, Told>) -> Option<Observed> {
    let (document, engine) = (it.engine() == Some(DOCUMENT_ENGINE), engine_of(it.engine()));
    // A plain RDS instance is in no cluster, and none of ours.
    it.db_cluster_identifier()?;
    if !document && engine.is_none() {
        return None;
    }
    let attrs = aurora::InstanceAttrs {
        cluster: it.db_cluster_identifier.clone(),
        engine,
        class: it.db_instance_class.clone(),
        parameter_group: it
            .db_parameter_groups()
            .first()
            .and_then(|group| group.db_parameter_group_name.clone()),
        promotion_tier: count(it.promotion_tier),
        zone: it.availability_zone.clone(),
        publicly_accessible: it.publicly_accessible,
        auto_minor_version_upgrade: it.auto_minor_version_upgrade,
        performance_insights: it.performance_insights_enabled,
        ca_certificate: it.ca_certificate_identifier.clone(),
    };
    let wrap = |attrs: aurora::InstanceAttrs| -> AnyAttrs {
        if document {
            let out: documentdb::InstanceAttrs = instance_out(&attrs);
            AnyAttrs::DocumentInstance(out)
        } else {
            AnyAttrs::AuroraInstance(attrs)
        }
    };
    let tags = tags_from!(it.tag_list());
    let status = it.db_instance_status().unwrap_or_default();
    let mut found = seen(wrap(attrs), status, it.db_instance_arn(), tags);
    let pending = it.pending_modified_values().map(|waits| aurora::InstanceAttrs {
        class: waits.db_instance_class.clone(),
        ca_certificate: waits.ca_certificate_identifier.clone(),
        ..aurora::InstanceAttrs::default()
    });
    found.pending = pending.filter(|pending| *pending != aurora::InstanceAttrs::default()).map(wrap);
    let told = it.db_instance_identifier().and_then(|id| members.get(id));
    found.facts.role = told.map(|told| told.role);
    let own = it.db_parameter_groups().iter().map(|group| parameter_status(group.parameter_apply_status()));
    found.facts.parameters = own.chain(told.map(|told| told.parameters)).max().unwrap_or_default();
    found.facts.id.clone_from(&it.dbi_resource_id);
    found.facts.created = moment(it.instance_create_time());
    found.facts.endpoint = it.endpoint().and_then(|end| end.address.clone());
    Some(found)
}

fn global(it: &GlobalCluster) -> Option<Observed> {
    let engine = engine_of(it.engine());
    let attrs = if it.engine() == Some(DOCUMENT_ENGINE) {
        AnyAttrs::DocumentGlobal(documentdb::GlobalAttrs {
            deletion_protection: it.deletion_protection,
            ..documentdb::GlobalAttrs::default()
        })
    } else {
        AnyAttrs::AuroraGlobal(aurora::GlobalAttrs {
            engine: Some(engine?),
            engine_version: version(it.engine_version()),
            deletion_protection: it.deletion_protection,
            extended_support: lifecycle(it.engine_lifecycle_support()),
            ..aurora::GlobalAttrs::default()
        })
    };
    let tags = tags_from!(it.tag_list());
    let mut found = seen(attrs, it.status().unwrap_or_default(), it.global_cluster_arn(), tags);
    found.facts.id.clone_from(&it.global_cluster_resource_id);
    found.facts.endpoint.clone_from(&it.endpoint);
    for member in it.global_cluster_members() {
        if let Some((region, name)) = member.db_cluster_arn().and_then(arn_target) {
            found.facts.members.push(Member { region, name, role: role(member.is_writer) });
        }
    }
    Some(found)
}

/// The region that a global object is addressed by: where it was made. The tag tells; without it the writer's region
/// is the best guess, and after a failover a wrong one.
pub fn home_of(found: &Observed, asked: &RegionId) -> RegionId {
    let told = found.facts.tags.get(TAG_HOME).and_then(|code| RegionId::new(code.as_str()).ok());
    let writer = found.facts.members.iter().find(|member| member.role == Role::Writer);
    told.or_else(|| writer.map(|member| member.region.clone())).unwrap_or_else(|| asked.clone())
}

fn subnet_group(it: &DbSubnetGroup) -> Observed {
    let subnets = it.subnets().iter().filter_map(|subnet| subnet.subnet_identifier.clone());
    let attrs = AnyAttrs::RdsSubnetGroup(SubnetGroupAttrs {
        description: it.db_subnet_group_description.clone(),
        subnets: Some(subnets.collect()),
    });
    let status = it.subnet_group_status().unwrap_or("available");
    seen(attrs, status, it.db_subnet_group_arn(), BTreeMap::new())
}

fn group(family: Option<&str>, description: Option<&str>) -> ParameterGroupAttrs {
    ParameterGroupAttrs {
        family: family.map(str::to_owned),
        description: description.map(str::to_owned),
        parameters: None,
    }
}

fn snapshot(it: &DbClusterSnapshot) -> Option<Observed> {
    let attrs = SnapshotAttrs {
        source: it.db_cluster_identifier.clone(),
        size_gib: it.allocated_storage.and_then(|size| u64::try_from(size).ok()),
    };
    let attrs = match (it.engine(), engine_of(it.engine())) {
        (Some(DOCUMENT_ENGINE), _) => AnyAttrs::DocumentSnapshot(attrs),
        (_, Some(_)) => AnyAttrs::AuroraSnapshot(attrs),
        _ => return None,
    };
    let tags = tags_from!(it.tag_list());
    let mut found = seen(attrs, it.status().unwrap_or_default(), it.db_cluster_snapshot_arn(), tags);
    found.facts.created = moment(it.snapshot_create_time());
    Some(found)
}

/// The names of a group's parameters that are static: they are set to take effect at a restart, or not at all.
pub async fn static_parameters(
    client: &ServiceClient<'_>,
    address: &rgctl_model::address::Address,
) -> Result<BTreeSet<String>, rgctl_model::ports::CloudError> {
    let (sdk, name) = (&client.read.rds, address.name.as_str());
    let listed = if address.kind == rgctl_model::kinds::KindId::AuroraInstanceParameters {
        let request = sdk.describe_db_parameters().db_parameter_group_name(name);
        list!(client, "DescribeDBParameters", request).await?
    } else {
        let request = sdk.describe_db_cluster_parameters().db_cluster_parameter_group_name(name);
        list!(client, "DescribeDBClusterParameters", request).await?
    };
    let names = listed.into_iter().filter(|it| it.apply_type() == Some("static"));
    Ok(names.filter_map(|it| it.parameter_name).collect())
}

/// The parameters of a group that differ from its family's defaults.
pub async fn parameters(
    client: &ServiceClient<'_>,
    address: &rgctl_model::address::Address,
) -> Result<BTreeMap<String, String>, rgctl_model::ports::CloudError> {
    let (sdk, name) = (&client.read.rds, address.name.as_str());
    let listed = if address.kind == rgctl_model::kinds::KindId::AuroraInstanceParameters {
        let request = sdk.describe_db_parameters().db_parameter_group_name(name).source("user");
        list!(client, "DescribeDBParameters", request).await?
    } else {
        let request =
            sdk.describe_db_cluster_parameters().db_cluster_parameter_group_name(name).source("user");
        list!(client, "DescribeDBClusterParameters", request).await?
    };
    Ok(listed.into_iter().filter_map(|it| Some((it.parameter_name?, it.parameter_value?))).collect())
}

/// The tags of one object.
pub async fn tags(
    client: &ServiceClient<'_>,
    arn: &str,
) -> Result<BTreeMap<String, String>, rgctl_model::ports::CloudError> {
    let request = client.read.rds.list_tags_for_resource().resource_name(arn);
    let answer = client.ask(ENDPOINT, "ListTagsForResource", || request.clone().send()).await?;
    Ok(tags_from!(answer.tag_list()))
}
