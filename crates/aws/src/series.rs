//! Measured values from CloudWatch.
//!
//! Goes in: questions in our words. Comes out: series in the order of the questions.
//!
//! **Invariant:** one call carries up to five hundred metrics; a region is asked as often as that takes and no more.
//! **Invariant:** a sample that was not delivered is missing, never zero.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy};
use aws_smithy_types::DateTime;

use super::service_client::ServiceClient;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::ports::CloudError;
use rgctl_model::series::{Series, SeriesAsk, Signal};
use rgctl_schema::time::Moment;

/// Metrics that one call may carry. Source: CloudWatch service quotas, GetMetricData.
pub const METRICS_A_CALL: usize = 500;

/// How the values of several nodes become the one value of their group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// Rates, connections and bytes add up.
    Sum,
    /// Shares are averaged.
    Mean,
    /// Of lags the worst counts.
    Max,
}

/// One metric of the service that answers a question, and what its value must be multiplied with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricSource {
    /// Namespace.
    pub namespace: &'static str,
    /// Name.
    pub metric: &'static str,
    /// Statistic.
    pub stat: &'static str,
    /// Which object the metric is kept of.
    pub of: MetricDimension,
    /// Factor from the service's unit to ours.
    pub factor: f64,
    /// Whether the value is a count over the period, and has to be divided by it.
    pub per_second: bool,
}

/// Dimension of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricDimension {
    /// The object itself, under this dimension.
    Itself(&'static str),
    /// The primaries of a replication group.
    Primaries,
    /// Each node of a replication group, folded.
    Nodes(Fold),
}

const fn source(namespace: &'static str, metric: &'static str, of: MetricDimension) -> MetricSource {
    MetricSource { namespace, metric, stat: "Average", of, factor: 1.0, per_second: false }
}

/// The metric for a signal of a kind; nothing where the service measures no such thing.
pub fn source_of(kind: KindId, signal: Signal) -> Option<MetricSource> {
    match kind {
        KindId::AuroraInstance => {
            database("AWS/RDS", MetricDimension::Itself("DBInstanceIdentifier"), signal)
        }
        KindId::AuroraCluster => database("AWS/RDS", MetricDimension::Itself("DBClusterIdentifier"), signal),
        KindId::DocumentInstance => {
            database("AWS/DocDB", MetricDimension::Itself("DBInstanceIdentifier"), signal)
        }
        KindId::DocumentCluster => {
            database("AWS/DocDB", MetricDimension::Itself("DBClusterIdentifier"), signal)
        }
        KindId::CacheGroup => cache_group(signal),
        KindId::CacheServerless => cache_serverless(signal),
        KindId::RedshiftCluster => warehouse(signal),
        KindId::RedshiftWorkgroup => {
            let metric = match signal {
                Signal::CapacityUnits => "ComputeCapacity",
                Signal::Connections => "DatabaseConnections",
                _ => return None,
            };
            Some(source("AWS/Redshift-Serverless", metric, MetricDimension::Itself("Workgroup")))
        }
        KindId::RedshiftNamespace if signal == Signal::StoredBytes => {
            let source =
                source("AWS/Redshift-Serverless", "DataStorage", MetricDimension::Itself("Namespace"));
            Some(MetricSource { factor: 1_048_576.0, ..source })
        }
        _ => None,
    }
}

fn database(namespace: &'static str, of: MetricDimension, signal: Signal) -> Option<MetricSource> {
    let document = namespace == "AWS/DocDB";
    let cluster = of == MetricDimension::Itself("DBClusterIdentifier");
    let metric = match signal {
        Signal::CpuPercent => "CPUUtilization",
        Signal::Connections => "DatabaseConnections",
        Signal::FreeMemoryBytes => "FreeableMemory",
        Signal::ReadsPerSecond if document => "OpcountersQuery",
        Signal::ReadsPerSecond => "SelectThroughput",
        Signal::WritesPerSecond if document => "OpcountersUpdate",
        Signal::WritesPerSecond => "DMLThroughput",
        Signal::StoredBytes => "VolumeBytesUsed",
        Signal::CapacityUnits if !document => "ServerlessDatabaseCapacity",
        Signal::ReplicaLagMs if document && cluster => "DBClusterReplicaLagMaximum",
        Signal::ReplicaLagMs if document => "DBInstanceReplicaLag",
        Signal::ReplicaLagMs if cluster => "AuroraReplicaLagMaximum",
        Signal::ReplicaLagMs => "AuroraReplicaLag",
        Signal::GlobalLagMs if document => "GlobalClusterReplicationLag",
        Signal::GlobalLagMs => "AuroraGlobalDBReplicationLag",
        _ => return None,
    };
    let counted = document && matches!(signal, Signal::ReadsPerSecond | Signal::WritesPerSecond);
    let stat = if counted { "Sum" } else { "Average" };
    Some(MetricSource { stat, per_second: counted, ..source(namespace, metric, of) })
}

fn cache_group(signal: Signal) -> Option<MetricSource> {
    let single = |metric, of| Some(source("AWS/ElastiCache", metric, of));
    let counted = |metric| {
        let worst = source("AWS/ElastiCache", metric, MetricDimension::Nodes(Fold::Sum));
        Some(MetricSource { stat: "Sum", per_second: true, ..worst })
    };
    match signal {
        Signal::CpuPercent => single("EngineCPUUtilization", MetricDimension::Primaries),
        Signal::MemoryPercent => {
            single("DatabaseMemoryUsageCountedForEvictPercentage", MetricDimension::Primaries)
        }
        Signal::Connections => single("CurrConnections", MetricDimension::Nodes(Fold::Sum)),
        Signal::FreeMemoryBytes => single("FreeableMemory", MetricDimension::Nodes(Fold::Sum)),
        Signal::StoredBytes => single("BytesUsedForCache", MetricDimension::Nodes(Fold::Sum)),
        Signal::ReadsPerSecond => counted("GetTypeCmds"),
        Signal::WritesPerSecond => counted("SetTypeCmds"),
        Signal::HitPercent => single("CacheHitRate", MetricDimension::Nodes(Fold::Mean)),
        Signal::ReplicaLagMs => {
            let worst = source("AWS/ElastiCache", "ReplicationLag", MetricDimension::Nodes(Fold::Max));
            Some(MetricSource { factor: 1_000.0, ..worst })
        }
        Signal::GlobalLagMs => {
            let worst =
                source("AWS/ElastiCache", "GlobalDatastoreReplicationLag", MetricDimension::Nodes(Fold::Max));
            Some(MetricSource { factor: 1_000.0, ..worst })
        }
        Signal::CapacityUnits | Signal::DiskPercent => None,
    }
}

fn cache_serverless(signal: Signal) -> Option<MetricSource> {
    let (metric, stat, per_second) = match signal {
        Signal::StoredBytes => ("BytesUsedForCache", "Average", false),
        Signal::CapacityUnits => ("ElastiCacheProcessingUnits", "Sum", true),
        Signal::Connections => ("CurrConnections", "Average", false),
        Signal::HitPercent => ("CacheHitRate", "Average", false),
        Signal::ReadsPerSecond => ("GetTypeCmds", "Sum", true),
        Signal::WritesPerSecond => ("SetTypeCmds", "Sum", true),
        _ => return None,
    };
    Some(MetricSource {
        stat,
        per_second,
        ..source("AWS/ElastiCache", metric, MetricDimension::Itself("clusterId"))
    })
}

fn warehouse(signal: Signal) -> Option<MetricSource> {
    let metric = match signal {
        Signal::CpuPercent => "CPUUtilization",
        Signal::Connections => "DatabaseConnections",
        Signal::DiskPercent => "PercentageDiskSpaceUsed",
        Signal::ReadsPerSecond => "ReadIOPS",
        Signal::WritesPerSecond => "WriteIOPS",
        _ => return None,
    };
    Some(source("AWS/Redshift", metric, MetricDimension::Itself("ClusterIdentifier")))
}

/// One metric to be fetched for a question.
struct Fetch<'a> {
    ask: usize,
    source: MetricSource,
    period: i32,
    dimensions: Vec<(&'static str, &'a str)>,
}

/// Nodes of the replication groups that questions are about: their names stand in metrics.
pub type Nodes = BTreeMap<Address, Vec<String>>;

/// Answers questions about objects of one region, each by itself. Questions that nothing is measured for come back empty;
/// of those whose nodes could not be told, and of those that went with a call that failed, the error does.
pub async fn series(
    client: &ServiceClient<'_>,
    asks: &[&SeriesAsk],
    nodes: &Result<Nodes, CloudError>,
) -> Vec<Result<Series, CloudError>> {
    let (none, mut failed) = (Nodes::new(), BTreeMap::new());
    if let Err(error) = nodes {
        let by_node = asks.iter().enumerate().filter(|(_, ask)| is_by_node(ask));
        failed.extend(by_node.map(|(place, _)| (place, error.clone())));
    }
    let fetches = fetches(asks, nodes.as_ref().unwrap_or(&none));
    let mut values: Vec<Vec<BTreeMap<Moment, f64>>> = asks.iter().map(|_| Vec::new()).collect();
    for batch in fetches.chunks(METRICS_A_CALL) {
        match fetch(client, asks, batch).await {
            Ok(parts) => {
                for (fetch, samples) in parts {
                    if let Some(parts) = values.get_mut(fetch.ask) {
                        parts.push(samples);
                    }
                }
            }
            Err(error) => failed.extend(batch.iter().map(|fetch| (fetch.ask, error.clone()))),
        }
    }
    let folded = asks.iter().zip(values).enumerate().map(|(place, (ask, parts))| {
        let fold = match source_of(ask.address.kind, ask.signal).map(|source| source.of) {
            Some(MetricDimension::Nodes(fold)) => fold,
            _ => Fold::Mean,
        };
        match failed.remove(&place) {
            Some(error) => Err(error),
            None => Ok(Series { ask: (*ask).clone(), samples: folded(&parts, fold) }),
        }
    });
    folded.collect()
}

/// Whether the metric is kept of each node of a group.
pub fn is_by_node(ask: &SeriesAsk) -> bool {
    matches!(source_of(ask.address.kind, ask.signal).map(|source| source.of), Some(MetricDimension::Nodes(_)))
}

fn fetches<'a>(asks: &[&'a SeriesAsk], nodes: &'a Nodes) -> Vec<Fetch<'a>> {
    let mut fetches = Vec::new();
    for (place, ask) in asks.iter().enumerate() {
        let Some(source) = source_of(ask.address.kind, ask.signal) else { continue };
        // The service keeps minutes; a period between them is refused.
        let period = i32::try_from(ask.period.as_secs().div_ceil(60).max(1) * 60).unwrap_or(i32::MAX);
        let mut add = |dimensions| fetches.push(Fetch { ask: place, source, period, dimensions });
        let name = ask.address.name.as_str();
        match source.of {
            MetricDimension::Itself(dimension) => add(vec![(dimension, name)]),
            MetricDimension::Primaries => add(vec![("ReplicationGroupId", name), ("Role", "Primary")]),
            MetricDimension::Nodes(_) => {
                for node in nodes.get(&ask.address).into_iter().flatten() {
                    add(vec![("CacheClusterId", node.as_str())]);
                }
            }
        }
    }
    fetches
}

async fn fetch<'a, 'b>(
    client: &ServiceClient<'_>,
    asks: &[&SeriesAsk],
    batch: &'b [Fetch<'a>],
) -> Result<Vec<(&'b Fetch<'a>, BTreeMap<Moment, f64>)>, CloudError> {
    let about = |fetch: &Fetch<'_>| asks.get(fetch.ask).map(|ask| (ask.from, ask.until));
    let from = batch.iter().filter_map(about).map(|(from, _)| from).min().unwrap_or_default();
    let until = batch.iter().filter_map(about).map(|(_, until)| until).max().unwrap_or_default();
    let queries: Vec<MetricDataQuery> =
        batch.iter().enumerate().map(|(id, fetch)| query(id, fetch)).collect();
    let request = client
        .read
        .cloudwatch
        .get_metric_data()
        .start_time(DateTime::from_millis(from.as_millis()))
        .end_time(DateTime::from_millis(until.as_millis()))
        .scan_by(ScanBy::TimestampAscending)
        .set_metric_data_queries(Some(queries));
    let call = || request.clone().into_paginator().send().collect::<Result<Vec<_>, _>>();
    let pages = client.ask("monitoring", "GetMetricData", call).await?;
    let results = pages.into_iter().flat_map(|page| page.metric_data_results.unwrap_or_default());
    let mut parts: Vec<_> = batch.iter().map(|fetch| (fetch, BTreeMap::new())).collect();
    for result in &results.collect::<Vec<_>>() {
        let place = result.id().and_then(|id| id.strip_prefix('m')).and_then(|id| id.parse::<usize>().ok());
        let Some((fetch, samples)) = place.and_then(|place| parts.get_mut(place)) else { continue };
        let span = about(fetch).unwrap_or_default();
        samples.extend(samples_of(result, fetch).filter(|(at, _)| span.0 <= *at && *at < span.1));
    }
    Ok(parts)
}

fn query(id: usize, fetch: &Fetch<'_>) -> MetricDataQuery {
    let dimensions =
        fetch.dimensions.iter().map(|(name, value)| Dimension::builder().name(*name).value(*value).build());
    let metric = Metric::builder()
        .namespace(fetch.source.namespace)
        .metric_name(fetch.source.metric)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let stat = MetricStat::builder().metric(metric).period(fetch.period).stat(fetch.source.stat).build();
    MetricDataQuery::builder().id(format!("m{id}")).metric_stat(stat).return_data(true).build()
}

fn samples_of<'a>(
    result: &'a MetricDataResult,
    fetch: &'a Fetch<'_>,
) -> impl Iterator<Item = (Moment, f64)> + 'a {
    let seconds = if fetch.source.per_second { f64::from(fetch.period) } else { 1.0 };
    result.timestamps().iter().zip(result.values()).filter_map(move |(stamp, value)| {
        let at = Moment::from_millis(stamp.to_millis().ok()?);
        Some((at, value * fetch.source.factor / seconds))
    })
}

/// One series from those of the parts; a moment counts as soon as one part has it.
fn folded(parts: &[BTreeMap<Moment, f64>], fold: Fold) -> Vec<(Moment, f64)> {
    let mut all: BTreeMap<Moment, Vec<f64>> = BTreeMap::new();
    for (at, value) in parts.iter().flatten() {
        all.entry(*at).or_default().push(*value);
    }
    let one = |values: Vec<f64>| match fold {
        Fold::Sum => values.iter().sum(),
        Fold::Mean => values.iter().sum::<f64>() / values.len() as f64,
        Fold::Max => values.iter().copied().fold(f64::MIN, f64::max),
    };
    all.into_iter().map(|(at, values)| (at, one(values))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_fold_by_what_is_measured() {
        let at = Moment::from_secs;
        let parts = [BTreeMap::from([(at(60), 1.0), (at(120), 4.0)]), BTreeMap::from([(at(60), 3.0)])];
        assert_eq!(folded(&parts, Fold::Sum), [(at(60), 4.0), (at(120), 4.0)]);
        assert_eq!(folded(&parts, Fold::Mean), [(at(60), 2.0), (at(120), 4.0)]);
        assert_eq!(folded(&parts, Fold::Max), [(at(60), 3.0), (at(120), 4.0)]);
    }
}
