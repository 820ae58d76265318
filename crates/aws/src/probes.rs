//! What only a real account can tell: each question with its call, what that costs, and what the answer would change.
//!
//! Goes in: a way to a region. Comes out: findings, one for each question.
//!
//! **Invariant:** every call only reads, and none costs more than its row says.

use std::collections::BTreeSet;

use aws_sdk_rds::types::SourceType;
use aws_smithy_types::DateTime;

use super::clients::Pool;
use super::doctor::{CheckResult, DoctorCheck};
use super::region_listing::moment;
use super::service_client::ServiceClient;
use super::{rds_like, redshift};
use rgctl_model::ports::CloudError;
use rgctl_schema::names::RegionId;

/// A question to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which versions take a new certificate without a restart.
    Rotation,
    /// Which authorities sign certificates.
    Authorities,
    /// Until when major versions are supported.
    Support,
    /// Which classes of databases are sold.
    Classes,
    /// Which versions of caches there are.
    CacheVersions,
    /// Which nodes of warehouses are sold.
    Nodes,
    /// What happened to databases.
    Events,
    /// What happened to caches.
    CacheEvents,
    /// How metrics are called.
    Metrics,
    /// How quotas of caches are called.
    CacheQuotas,
    /// How quotas of warehouses are called.
    WarehouseQuotas,
}

/// A row of the list.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// What it is called.
    pub name: &'static str,
    /// What is asked.
    pub question: Question,
    /// The permission that it takes, which is the call.
    pub action: &'static str,
    /// What it costs.
    pub cost: &'static str,
    /// What the answer would change.
    pub changes: &'static str,
}

const FREE: &str = "nothing";
const METRIC_CALLS: &str = "0.01 USD for 1,000 calls beyond the first million of a month";

const fn probe(
    name: &'static str,
    question: Question,
    action: &'static str,
    cost: &'static str,
    changes: &'static str,
) -> Probe {
    Probe { name, question, action, cost, changes }
}

/// All of them.
pub const PROBES: &[Probe] = &[
    probe(
        "rotation",
        Question::Rotation,
        "rds:DescribeDBEngineVersions",
        FREE,
        "the effect of another `certificateAuthority`, said to restart each member whatever its version",
    ),
    probe(
        "authorities",
        Question::Authorities,
        "rds:DescribeCertificates",
        FREE,
        "the list by which `certificateAuthority` is judged, and what `import` leaves out as usual",
    ),
    probe(
        "support",
        Question::Support,
        "rds:DescribeDBMajorEngineVersions",
        FREE,
        "which versions are said to be past the end of standard support",
    ),
    probe(
        "classes",
        Question::Classes,
        "rds:DescribeOrderableDBInstanceOptions",
        FREE,
        "rows of the catalogue on where a class is sold",
    ),
    probe(
        "cache-versions",
        Question::CacheVersions,
        "elasticache:DescribeCacheEngineVersions",
        FREE,
        "rows of the catalogue on versions, and so the newest that is taken",
    ),
    probe(
        "nodes",
        Question::Nodes,
        "redshift:DescribeOrderableClusterOptions",
        FREE,
        "rows of the catalogue on nodes, rg above all",
    ),
    probe(
        "events",
        Question::Events,
        "rds:DescribeEvents",
        FREE,
        "how long failovers and restarts of databases are said to take",
    ),
    probe(
        "cache-events",
        Question::CacheEvents,
        "elasticache:DescribeEvents",
        FREE,
        "how long failovers of caches are said to take",
    ),
    probe(
        "metrics",
        Question::Metrics,
        "cloudwatch:ListMetrics",
        METRIC_CALLS,
        "the names of metrics by which load is read",
    ),
    probe(
        "cache-quotas",
        Question::CacheQuotas,
        "servicequotas:ListServiceQuotas",
        FREE,
        "which quotas of caches the plan can count with",
    ),
    probe(
        "warehouse-quotas",
        Question::WarehouseQuotas,
        "servicequotas:ListServiceQuotas",
        FREE,
        "which quotas of warehouses the plan can count with",
    ),
];

/// Two weeks in minutes: as long as the services keep events.
const EVENTS_MINUTES: i32 = 20_160;
/// Records of one answer: the first page tells enough.
const PAGE: i32 = 100;
const RELATIONAL: [&str; 2] = ["aurora-mysql", "aurora-postgresql"];

/// Puts all questions to each region.
pub async fn ask(pool: &Pool, regions: &BTreeSet<RegionId>) -> Vec<DoctorCheck> {
    let mut findings = Vec::new();
    for region in regions {
        let client = ServiceClient::to(pool, region).await;
        for probe in PROBES {
            findings.push(finding(region, probe, answer(&client, probe.question).await));
        }
    }
    findings
}

fn finding(region: &RegionId, probe: &Probe, told: Result<String, CloudError>) -> DoctorCheck {
    let Probe { name, action, cost, changes, .. } = probe;
    let (verdict, told) = match told {
        Ok(told) => (CheckResult::Fine, told),
        Err(error) => (CheckResult::Doubt, format!("not told: {error}")),
    };
    DoctorCheck {
        area: "probe",
        verdict,
        what: format!("{name} in {region}: {told}"),
        next: Some(format!("{action}, costs {cost}; would change {changes}")),
    }
}

async fn answer(client: &ServiceClient<'_>, question: Question) -> Result<String, CloudError> {
    match question {
        Question::Rotation => rotation(client).await,
        Question::Authorities => authorities(client).await,
        Question::Support => support(client).await,
        Question::Classes => classes(client).await,
        Question::CacheVersions => cache_versions(client).await,
        Question::Nodes => nodes(client).await,
        Question::Events => events(client).await,
        Question::CacheEvents => cache_events(client).await,
        Question::Metrics => metrics(client).await,
        Question::CacheQuotas => quotas(client, "elasticache").await,
        Question::WarehouseQuotas => quotas(client, "redshift").await,
    }
}

/// Words in order, each once; or that there is none.
fn list(words: impl Iterator<Item = String>) -> String {
    let words: BTreeSet<String> = words.collect();
    if words.is_empty() { "none".to_owned() } else { words.into_iter().collect::<Vec<_>>().join(", ") }
}

async fn rotation(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let mut told = Vec::new();
    for engine in ["aurora-mysql", "aurora-postgresql", "docdb"] {
        let request = client.read.rds.describe_db_engine_versions().engine(engine).max_records(PAGE);
        let answer =
            client.ask(rds_like::ENDPOINT, "DescribeDBEngineVersions", || request.clone().send()).await?;
        let versions = answer.db_engine_versions();
        let without =
            versions.iter().filter(|one| one.supports_certificate_rotation_without_restart == Some(true));
        told.push(format!("{engine} {} of {} versions without a restart", without.count(), versions.len()));
    }
    Ok(told.join(", "))
}

async fn authorities(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let request = client.read.rds.describe_certificates();
    let answer = client.ask(rds_like::ENDPOINT, "DescribeCertificates", || request.clone().send()).await?;
    let names = answer.certificates().iter().filter_map(|one| one.certificate_identifier.clone());
    let usual = answer.default_certificate_for_new_launches().unwrap_or("none is named");
    Ok(format!("{}; for new members: {usual}", list(names)))
}

fn day(date: Option<&DateTime>) -> String {
    moment(date).map_or_else(|| "?".to_owned(), |at| at.rfc3339().chars().take(10).collect())
}

async fn support(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let mut told = Vec::new();
    for engine in RELATIONAL {
        let request = client.read.rds.describe_db_major_engine_versions().engine(engine);
        let answer = client
            .ask(rds_like::ENDPOINT, "DescribeDBMajorEngineVersions", || request.clone().send())
            .await?;
        for version in answer.db_major_engine_versions() {
            let mut ends = version.supported_engine_lifecycles().iter();
            let standard = ends.find(|one| {
                one.lifecycle_support_name.as_ref().is_some_and(|name| name.as_str().contains("standard"))
            });
            let until = day(standard.and_then(|one| one.lifecycle_support_end_date.as_ref()));
            told.push(format!("{engine} {} until {until}", version.major_engine_version().unwrap_or("?")));
        }
    }
    Ok(list(told.into_iter()))
}

async fn classes(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let request =
        client.read.rds.describe_orderable_db_instance_options().engine(RELATIONAL[1]).max_records(PAGE);
    let answer = client
        .ask(rds_like::ENDPOINT, "DescribeOrderableDBInstanceOptions", || request.clone().send())
        .await?;
    Ok(list(answer.orderable_db_instance_options().iter().filter_map(|one| one.db_instance_class.clone())))
}

async fn cache_versions(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let request = client.read.elasticache.describe_cache_engine_versions().engine("valkey");
    let answer = client.ask("elasticache", "DescribeCacheEngineVersions", || request.clone().send()).await?;
    Ok(list(answer.cache_engine_versions().iter().filter_map(|one| one.engine_version.clone())))
}

async fn nodes(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let request = client.read.redshift.describe_orderable_cluster_options().max_records(PAGE);
    let answer =
        client.ask(redshift::ENDPOINT, "DescribeOrderableClusterOptions", || request.clone().send()).await?;
    Ok(list(answer.orderable_cluster_options().iter().filter_map(|one| one.node_type.clone())))
}

async fn events(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let source = SourceType::DbCluster;
    let request =
        client.read.rds.describe_events().source_type(source).duration(EVENTS_MINUTES).max_records(PAGE);
    let answer = client.ask(rds_like::ENDPOINT, "DescribeEvents", || request.clone().send()).await?;
    let is_failover = |text: &str| text.to_ascii_lowercase().contains("failover");
    let failovers = answer.events().iter().filter(|one| one.message().is_some_and(is_failover));
    Ok(format!("{} events of clusters, {} of failovers", answer.events().len(), failovers.count()))
}

async fn cache_events(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let request = client.read.elasticache.describe_events().duration(EVENTS_MINUTES).max_records(PAGE);
    let answer = client.ask("elasticache", "DescribeEvents", || request.clone().send()).await?;
    Ok(format!("{} events", answer.events().len()))
}

async fn metrics(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let mut told = Vec::new();
    for namespace in ["AWS/RDS", "AWS/DocDB", "AWS/ElastiCache", "AWS/Redshift"] {
        let request = client.read.cloudwatch.list_metrics().namespace(namespace);
        let answer = client.ask("cloudwatch", "ListMetrics", || request.clone().send()).await?;
        let names: BTreeSet<&str> = answer.metrics().iter().filter_map(|one| one.metric_name()).collect();
        told.push(format!("{namespace} {}", names.len()));
    }
    Ok(format!("names on the first page: {}", told.join(", ")))
}

async fn quotas(client: &ServiceClient<'_>, service: &'static str) -> Result<String, CloudError> {
    let call = || client.read.direct.list_service_quotas(service);
    let listed = client.ask("servicequotas", "ListServiceQuotas", call).await?;
    Ok(list(listed.into_iter().map(|quota| format!("{} {}", quota.name, quota.value))))
}
