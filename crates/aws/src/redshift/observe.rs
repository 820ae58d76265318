//! Observation: four lists for a region, all pages of each; they tell tags.

use std::collections::BTreeMap;

use aws_sdk_redshift as redshift;
use redshift::types::{Cluster, Snapshot};

use super::ENDPOINT;
use crate::region_listing::{
    RegionListing, access, count, gib_of_megabytes, moment, parameter_status, port, seen,
};
use crate::service_client::ServiceClient;
use crate::tags::tags_from;
use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::redshift::{ClusterAttrs, NO_COPY};
use rgctl_model::kinds::shared::{ParameterGroupAttrs, SnapshotAttrs, SubnetGroupAttrs, is_service_linked};
use rgctl_model::observed::{Access, Observed, ParameterStatus};
use rgctl_model::ports::CloudError;

macro_rules! list {
    ($client:expr, $what:literal, $request:expr) => {
        $client.ask(ENDPOINT, $what, {
            let request = $request;
            move || request.clone().into_paginator().items().send().collect::<Result<Vec<_>, _>>()
        })
    };
}

/// Everything of provisioned Redshift in a region.
pub async fn observe(client: &ServiceClient<'_>) -> RegionListing {
    let (sdk, region) = (&client.read.redshift, &client.region);
    let (clusters, subnets, groups, snapshots) = futures::join!(
        list!(client, "DescribeClusters", sdk.describe_clusters()),
        list!(client, "DescribeClusterSubnetGroups", sdk.describe_cluster_subnet_groups()),
        list!(client, "DescribeClusterParameterGroups", sdk.describe_cluster_parameter_groups()),
        list!(client, "DescribeClusterSnapshots", sdk.describe_cluster_snapshots().snapshot_type("manual")),
    );
    let mut listing = RegionListing::default();
    for it in listing.listed(clusters) {
        listing.note(region, it.cluster_identifier(), cluster(&it), true);
    }
    for it in listing.listed(subnets) {
        let ids = it.subnets().iter().filter_map(|subnet| subnet.subnet_identifier.clone());
        let attrs = AnyAttrs::RedshiftSubnetGroup(SubnetGroupAttrs {
            description: it.description.clone(),
            subnets: Some(ids.collect()),
        });
        let status = it.subnet_group_status().unwrap_or("Complete");
        let found = seen(attrs, status, None, tags_from!(it.tags()));
        listing.note(region, it.cluster_subnet_group_name(), found, true);
    }
    for it in listing.listed(groups) {
        let attrs = AnyAttrs::RedshiftParameters(ParameterGroupAttrs {
            family: it.parameter_group_family.clone(),
            description: it.description.clone(),
            parameters: None,
        });
        let found = seen(attrs, "available", None, tags_from!(it.tags()));
        listing.note(region, it.parameter_group_name(), found, true);
    }
    for it in listing.listed(snapshots) {
        listing.note(region, it.snapshot_identifier(), snapshot(&it), true);
    }
    listing
}

fn cluster(it: &Cluster) -> Observed {
    let copy = it.cluster_snapshot_copy_status();
    let attrs = ClusterAttrs {
        node_type: it.node_type.clone(),
        nodes: count(it.number_of_nodes),
        database: it.db_name.clone(),
        master_username: it.master_username.clone(),
        managed_password: Some(it.master_password_secret_arn.is_some()),
        subnet_group: it.cluster_subnet_group_name.clone(),
        security_groups: Some(
            it.vpc_security_groups().iter().filter_map(|one| one.vpc_security_group_id.clone()).collect(),
        ),
        parameter_group: it
            .cluster_parameter_groups()
            .first()
            .and_then(|group| group.parameter_group_name.clone()),
        encrypted: it.encrypted,
        kms_key: it.kms_key_id.clone(),
        snapshot_retention_days: count(it.automated_snapshot_retention_period),
        maintenance_window: it.preferred_maintenance_window.clone(),
        publicly_accessible: it.publicly_accessible,
        enhanced_vpc_routing: it.enhanced_vpc_routing,
        multi_az: Some(it.multi_az().is_some_and(|word| word.eq_ignore_ascii_case("enabled"))),
        port: it.endpoint().and_then(|end| port(end.port)),
        snapshot_copy_region: Some(
            copy.and_then(|copy| copy.destination_region.clone()).unwrap_or_else(|| NO_COPY.to_owned()),
        ),
        snapshot_copy_retention_days: copy
            .and_then(|copy| copy.retention_period)
            .and_then(|days| u32::try_from(days).ok()),
        iam_roles: Some(
            it.iam_roles()
                .iter()
                .filter(|role| role.apply_status() != Some("removing"))
                .filter_map(|role| role.iam_role_arn.clone())
                .filter(|arn| !is_service_linked(arn))
                .collect(),
        ),
        default_iam_role: it.default_iam_role_arn.clone(),
        paused: Some(it.cluster_status() == Some("paused")),
    };
    let status = it.cluster_status().unwrap_or_default();
    let tags = tags_from!(it.tags());
    let mut found = seen(AnyAttrs::RedshiftCluster(attrs), status, it.cluster_namespace_arn(), tags);
    found.pending = pending(it);
    found.facts.parameters = parameters_of(it);
    // The ARN of its namespace has an id in it that outlives a new name.
    found.facts.id.clone_from(&it.cluster_namespace_arn);
    found.facts.created = moment(it.cluster_create_time());
    found.facts.endpoint = it.endpoint().and_then(|end| end.address.clone());
    found.facts.access =
        access(Access { secret: it.master_password_secret_arn.clone(), ..Access::default() });
    found
}

/// The worst that is told of its group, or of any parameter in it.
fn parameters_of(it: &Cluster) -> ParameterStatus {
    let words = it.cluster_parameter_groups().iter().flat_map(|group| {
        let each = group.cluster_parameter_status_list().iter();
        each.filter_map(|one| one.parameter_apply_status()).chain(group.parameter_apply_status())
    });
    words.map(|word| parameter_status(Some(word))).max().unwrap_or_default()
}

fn pending(it: &Cluster) -> Option<AnyAttrs> {
    let waits = it.pending_modified_values()?;
    let pending = ClusterAttrs {
        node_type: waits.node_type.clone(),
        nodes: count(waits.number_of_nodes),
        snapshot_retention_days: count(waits.automated_snapshot_retention_period),
        publicly_accessible: waits.publicly_accessible,
        enhanced_vpc_routing: waits.enhanced_vpc_routing,
        encrypted: waits.encryption_type().map(|word| !word.eq_ignore_ascii_case("none")),
        ..ClusterAttrs::default()
    };
    (pending != ClusterAttrs::default()).then_some(AnyAttrs::RedshiftCluster(pending))
}

fn snapshot(it: &Snapshot) -> Observed {
    let attrs = AnyAttrs::RedshiftSnapshot(SnapshotAttrs {
        source: it.cluster_identifier.clone(),
        size_gib: it.total_backup_size_in_mega_bytes.map(gib_of_megabytes),
    });
    let tags = tags_from!(it.tags());
    let mut found = seen(attrs, it.status().unwrap_or_default(), it.snapshot_arn(), tags);
    found.facts.created = moment(it.snapshot_create_time());
    found
}

/// The parameters of a group that differ from its family's defaults.
pub async fn parameters(
    client: &ServiceClient<'_>,
    address: &Address,
) -> Result<BTreeMap<String, String>, CloudError> {
    let sdk = &client.read.redshift;
    let request =
        sdk.describe_cluster_parameters().parameter_group_name(address.name.as_str()).source("user");
    let listed = list!(client, "DescribeClusterParameters", request).await?;
    Ok(listed.into_iter().filter_map(|it| Some((it.parameter_name?, it.parameter_value?))).collect())
}
