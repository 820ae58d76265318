//! Resizes. An elastic one takes minutes, a classic one hours; which of them leads to a shape depends on the cluster.

use aws_sdk_redshift as redshift;
use redshift::types::{ActionType, NodeConfigurationOption};

use super::ENDPOINT;
use crate::service_client::ServiceClient;
use rgctl_model::ports::CloudError;

/// A shape of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeConfiguration {
    /// Node type.
    pub node_type: String,
    /// Number of nodes.
    pub nodes: i32,
}

/// How a shape is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeKind {
    /// Minutes; connections are held.
    Elastic,
    /// Hours; a new cluster is filled from the old one.
    Classic,
}

/// The way to a shape: elastic when the service offers it. Its list for a resize names the shapes of elastic resizes
/// only; everything else is left to the classic way, which the service refuses when it does not lead there either.
pub fn way_to(options: &[NodeConfigurationOption], wanted: &NodeConfiguration) -> ResizeKind {
    let offered = options.iter().any(|option| {
        option.node_type() == Some(wanted.node_type.as_str()) && option.number_of_nodes == Some(wanted.nodes)
    });
    if offered { ResizeKind::Elastic } else { ResizeKind::Classic }
}

/// Brings a cluster into another shape.
pub async fn resize(
    client: &ServiceClient<'_>,
    name: &str,
    node_type: Option<&str>,
    nodes: Option<u32>,
) -> Result<(), CloudError> {
    let now = shape_of(client, name).await?;
    let wanted = NodeConfiguration {
        node_type: node_type.map_or_else(|| now.node_type.clone(), str::to_owned),
        nodes: nodes.map_or(now.nodes, u32::cast_signed),
    };
    if wanted == now {
        return Ok(());
    }
    let options = options_of(client, name).await?;
    let way = way_to(&options, &wanted);
    if way == ResizeKind::Classic {
        let offered = names(&options);
        tracing::warn!(cluster = name, offered, "no elastic resize leads there: a classic one takes hours");
    }
    let request = client
        .write
        .redshift
        .resize_cluster()
        .cluster_identifier(name)
        .cluster_type(if wanted.nodes > 1 { "multi-node" } else { "single-node" })
        .node_type(wanted.node_type)
        .number_of_nodes(wanted.nodes)
        .classic(way == ResizeKind::Classic);
    client.change(ENDPOINT, "ResizeCluster", request.send()).await.map(drop)
}

async fn shape_of(client: &ServiceClient<'_>, name: &str) -> Result<NodeConfiguration, CloudError> {
    let request = client.read.redshift.describe_clusters().cluster_identifier(name);
    let answer = client.ask(ENDPOINT, "DescribeClusters", || request.clone().send()).await?;
    let first = answer.clusters.unwrap_or_default().into_iter().next();
    let cluster = first.ok_or_else(|| CloudError::NotFound { what: format!("cluster {name}") })?;
    Ok(NodeConfiguration {
        node_type: cluster.node_type.unwrap_or_default(),
        nodes: cluster.number_of_nodes.unwrap_or_default(),
    })
}

async fn options_of(
    client: &ServiceClient<'_>,
    name: &str,
) -> Result<Vec<NodeConfigurationOption>, CloudError> {
    let request = client
        .read
        .redshift
        .describe_node_configuration_options()
        .action_type(ActionType::ResizeCluster)
        .cluster_identifier(name);
    let call = || request.clone().into_paginator().items().send().collect::<Result<Vec<_>, _>>();
    client.ask(ENDPOINT, "DescribeNodeConfigurationOptions", call).await
}

fn names(options: &[NodeConfigurationOption]) -> String {
    let mut legal: Vec<NodeConfiguration> = options
        .iter()
        .filter_map(|option| {
            Some(NodeConfiguration { node_type: option.node_type.clone()?, nodes: option.number_of_nodes? })
        })
        .collect();
    legal.sort();
    legal.dedup();
    let legal: Vec<String> =
        legal.iter().map(|shape| format!("{} x {}", shape.nodes, shape.node_type)).collect();
    legal.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_is_not_offered_takes_the_classic_way() {
        let option = |nodes| {
            NodeConfigurationOption::builder().node_type("ra3.4xlarge").number_of_nodes(nodes).build()
        };
        let options = [option(4), option(8), option(4)];
        let shape = |nodes| NodeConfiguration { node_type: "ra3.4xlarge".into(), nodes };
        assert_eq!(way_to(&options, &shape(4)), ResizeKind::Elastic);
        assert_eq!(way_to(&options, &shape(9)), ResizeKind::Classic);
        assert_eq!(names(&options), "4 x ra3.4xlarge, 8 x ra3.4xlarge");
    }
}
