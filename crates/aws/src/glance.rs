//! A few objects by their names, in a call each: their states, and who plays which part.
//!
//! Goes in: addresses. Comes out: words that are others as soon as any of that is. It is looked at while a role moves, when
//! a look at everything would be too much and too late.

use super::elasticache::{self, plain_name};
use super::service_client::ServiceClient;
use super::{rds_like, redshift};
use aws_sdk_elasticache::types::NodeGroup;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::ports::CloudError;

/// The state of one object in words; nothing for kinds that have no role.
pub async fn glance(client: &ServiceClient<'_>, address: &Address) -> Result<Vec<String>, CloudError> {
    match address.kind {
        KindId::AuroraCluster | KindId::DocumentCluster => cluster(client, address).await,
        KindId::AuroraInstance | KindId::DocumentInstance => instance(client, address).await,
        KindId::AuroraGlobal | KindId::DocumentGlobal => global(client, address).await,
        KindId::CacheGroup => cache(client, address).await,
        KindId::CacheGlobal => cache_global(client, address).await,
        KindId::RedshiftCluster => warehouse(client, address).await,
        _ => Ok(Vec::new()),
    }
}

fn word(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

async fn cluster(client: &ServiceClient<'_>, address: &Address) -> Result<Vec<String>, CloudError> {
    let request = client.read.rds.describe_db_clusters().db_cluster_identifier(address.name.as_str());
    let told = client.ask(rds_like::ENDPOINT, "DescribeDBClusters", || request.clone().send()).await?;
    let states = told.db_clusters().iter().flat_map(|it| {
        let members = it.db_cluster_members().iter();
        let members = members.map(|member| {
            format!("{} {:?}", word(member.db_instance_identifier()), member.is_cluster_writer())
        });
        std::iter::once(format!("{} {:?}", word(it.status()), it.global_write_forwarding_status()))
            .chain(members)
            .collect::<Vec<_>>()
    });
    Ok(states.collect())
}

async fn instance(client: &ServiceClient<'_>, address: &Address) -> Result<Vec<String>, CloudError> {
    let request = client.read.rds.describe_db_instances().db_instance_identifier(address.name.as_str());
    let told = client.ask(rds_like::ENDPOINT, "DescribeDBInstances", || request.clone().send()).await?;
    Ok(told.db_instances().iter().map(|it| word(it.db_instance_status())).collect())
}

async fn global(client: &ServiceClient<'_>, address: &Address) -> Result<Vec<String>, CloudError> {
    let request = client.read.rds.describe_global_clusters().global_cluster_identifier(address.name.as_str());
    let told = client.ask(rds_like::ENDPOINT, "DescribeGlobalClusters", || request.clone().send()).await?;
    let states = told.global_clusters().iter().flat_map(|it| {
        let members = it.global_cluster_members().iter();
        let members =
            members.map(|member| format!("{} {:?}", word(member.db_cluster_arn()), member.is_writer()));
        let failover = it.failover_state().and_then(|state| state.status());
        std::iter::once(format!("{} {failover:?}", word(it.status()))).chain(members).collect::<Vec<_>>()
    });
    Ok(states.collect())
}

async fn cache(client: &ServiceClient<'_>, address: &Address) -> Result<Vec<String>, CloudError> {
    let request =
        client.read.elasticache.describe_replication_groups().replication_group_id(address.name.as_str());
    let told =
        client.ask(elasticache::ENDPOINT, "DescribeReplicationGroups", || request.clone().send()).await?;
    let states = told.replication_groups().iter().flat_map(|it| {
        let nodes = it.node_groups().iter().flat_map(NodeGroup::node_group_members);
        let nodes =
            nodes.map(|node| format!("{} {}", word(node.cache_cluster_id()), word(node.current_role())));
        let global = it.global_replication_group_info();
        let global = global.and_then(|info| info.global_replication_group_member_role());
        std::iter::once(format!("{} {global:?}", word(it.status()))).chain(nodes).collect::<Vec<_>>()
    });
    Ok(states.collect())
}

async fn cache_global(client: &ServiceClient<'_>, address: &Address) -> Result<Vec<String>, CloudError> {
    // By a name of the service's own, which is not ours: the list is short.
    let request = client.read.elasticache.describe_global_replication_groups().show_member_info(true);
    let told = client
        .ask(elasticache::ENDPOINT, "DescribeGlobalReplicationGroups", || request.clone().send())
        .await?;
    let ours = told
        .global_replication_groups()
        .iter()
        .filter(|it| it.global_replication_group_id().map(plain_name) == Some(address.name.as_str()));
    let states = ours.flat_map(|it| {
        let members = it.members().iter();
        let members = members.map(|member| {
            format!(
                "{} {} {} {}",
                word(member.replication_group_region()),
                word(member.replication_group_id()),
                word(member.role()),
                word(member.status())
            )
        });
        std::iter::once(word(it.status())).chain(members).collect::<Vec<_>>()
    });
    Ok(states.collect())
}

async fn warehouse(client: &ServiceClient<'_>, address: &Address) -> Result<Vec<String>, CloudError> {
    let request = client.read.redshift.describe_clusters().cluster_identifier(address.name.as_str());
    let told = client.ask(redshift::ENDPOINT, "DescribeClusters", || request.clone().send()).await?;
    let state = |it: &aws_sdk_redshift::types::Cluster| {
        format!("{} {}", word(it.cluster_status()), word(it.cluster_availability_status()))
    };
    Ok(told.clusters().iter().map(state).collect())
}
