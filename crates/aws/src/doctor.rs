//! What stands between a blueprint and its account.
//!
//! Goes in: what a few harmless questions brought to light. Comes out: findings, each with the next step.
//!
//! **Invariant:** the report is a pure function of what was gathered; gathering changes nothing.

use std::collections::BTreeSet;

use serde::Serialize;

use super::clients::Pool;
use super::cloud::wrong_account;
use super::service_client::ServiceClient;
use super::{rds_like, redshift, redshift_serverless, secrets};
use rgctl_model::kinds::KindId;
use rgctl_model::node::TAG_BLUEPRINT;
use rgctl_model::ports::CloudError;
use rgctl_model::quota::AccountQuota;
use rgctl_permissions::{PolicyFor, RecordPlace, policy};
use rgctl_schema::names::{Partition, RegionId};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// As it should be.
    Fine,
    /// It could not be found out, or may become a problem.
    Doubt,
    /// The engine cannot work like this.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorCheck {
    /// What was looked at.
    pub area: &'static str,
    /// How it is.
    pub verdict: CheckResult,
    /// In a sentence.
    pub what: String,
    /// What to do about it.
    pub next: Option<String>,
}

/// Where the record is, with the region in which its bucket is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBucket {
    /// Bucket and prefix.
    pub record: RecordPlace,
    /// Region of the bucket.
    pub region: RegionId,
}

/// Who the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// Account number.
    pub account: String,
    /// ARN of the caller.
    pub arn: String,
}

/// Quotas by name.
pub type Quotas = Vec<(String, f64)>;

/// What was found out.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// Who the caller is.
    pub identity: Result<CallerIdentity, CloudError>,
    /// Our clock minus theirs, in seconds.
    pub skew_seconds: Option<i64>,
    /// For each region and endpoint, whether it answered.
    pub reach: Vec<(RegionId, &'static str, Result<(), CloudError>)>,
    /// Actions that the caller is not allowed, by simulation.
    pub denied: Result<BTreeSet<String>, CloudError>,
    /// Quotas by region: name and value.
    pub quotas: Vec<(RegionId, Result<Quotas, CloudError>)>,
    /// Whether the bucket of the record answers; nothing when the record is not on S3.
    pub bucket: Option<(RecordBucket, Result<(), CloudError>)>,
}

/// Signatures are refused when the clocks differ by five minutes; half of it is a warning.
const SKEW_DOUBT_S: i64 = 150;
const SKEW_WRONG_S: i64 = 300;
/// Actions that one simulation is asked about.
const ACTIONS_A_CALL: usize = 100;
/// Quotas that bound what we make, by the names that the quota service gives them, with the kinds that they count.
const QUOTAS: &[(&str, &[KindId])] = &[
    ("DB clusters", &[KindId::AuroraCluster]),
    ("DB instances", &[KindId::AuroraInstance, KindId::DocumentInstance]),
];

/// Quotas of a region as the planner reads them. What is in use is not told with them.
pub(super) fn as_told(region: &RegionId, quotas: &Quotas) -> Vec<AccountQuota> {
    let of = |name: &str| QUOTAS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, kinds)| kinds);
    let told = quotas.iter().flat_map(|(name, value)| of(name).iter().map(move |kind| (*kind, *value)));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
    let quota = |(kind, value): (KindId, f64)| AccountQuota {
        region: region.clone(),
        kind,
        limit: value.clamp(0.0, 1e9) as u64,
        used: None,
        alone: false,
    };
    told.map(quota).collect()
}

const fn finding(
    area: &'static str,
    verdict: CheckResult,
    what: String,
    next: Option<String>,
) -> DoctorCheck {
    DoctorCheck { area, verdict, what, next }
}

/// The findings, worst last within each area.
pub fn report(found: &Gathered, regions: &BTreeSet<RegionId>) -> Vec<DoctorCheck> {
    let mut findings = vec![credentials(&found.identity)];
    if let Ok(identity) = &found.identity {
        findings.extend(partition(identity, regions));
    }
    findings.push(clock(found.skew_seconds));
    findings.extend(found.reach.iter().map(|(region, endpoint, result)| network(region, endpoint, result)));
    // Nobody's permissions are not simulated.
    if found.identity.is_ok() {
        findings.extend(permissions(&found.denied));
    }
    findings.extend(found.quotas.iter().map(|(region, result)| quotas(region, result)));
    findings.extend(found.bucket.iter().map(|(bucket, result)| record(bucket, result)));
    findings
}

fn record(bucket: &RecordBucket, result: &Result<(), CloudError>) -> DoctorCheck {
    let place = format!("s3://{}/{} in {}", bucket.record.bucket, bucket.record.prefix, bucket.region);
    let (what, next) = match result {
        Ok(()) => return finding("record", CheckResult::Fine, format!("{place} can be listed"), None),
        Err(CloudError::NotFound { .. }) => {
            (format!("{place}: there is no such bucket"), "make the bucket, or correct --store")
        }
        Err(error @ CloudError::Denied { .. }) => (
            format!("{place}: {error}"),
            "attach what `rgctl iam-policy --store s3://…` prints for the record",
        ),
        // A bucket of another region answers with a redirection.
        Err(error) => {
            (format!("{place}: {error}"), "set AWS_REGION to the region of the bucket, and check the network")
        }
    };
    finding("record", CheckResult::Wrong, what, Some(next.to_owned()))
}

fn credentials(identity: &Result<CallerIdentity, CloudError>) -> DoctorCheck {
    match identity {
        Ok(who) => {
            finding("credentials", CheckResult::Fine, format!("{} in account {}", who.arn, who.account), None)
        }
        Err(error) => {
            let next = error.next_step().unwrap_or("check the network, and --endpoint-url if one is set");
            finding("credentials", CheckResult::Wrong, error.to_string(), Some(next.to_owned()))
        }
    }
}

fn partition(identity: &CallerIdentity, regions: &BTreeSet<RegionId>) -> Vec<DoctorCheck> {
    let own = identity.arn.split(':').nth(1).unwrap_or_default();
    let foreign = regions.iter().filter(|region| Partition::of(region).as_str() != own);
    foreign
        .map(|region| {
            let what = format!(
                "{region} is in the partition {}, the credentials are of {own}",
                Partition::of(region)
            );
            let next = "use an account of that partition: accounts do not reach over partitions".to_owned();
            finding("partition", CheckResult::Wrong, what, Some(next))
        })
        .collect()
}

fn clock(skew: Option<i64>) -> DoctorCheck {
    let Some(skew) = skew else {
        let what = "no answer told the provider's time".to_owned();
        return finding("clock", CheckResult::Doubt, what, None);
    };
    let what = format!("{} s {} the provider's", skew.abs(), if skew < 0 { "behind" } else { "ahead of" });
    let next = || Some("set this machine's clock (NTP): signatures are refused from 300 s on".to_owned());
    match skew.abs() {
        0..SKEW_DOUBT_S => finding("clock", CheckResult::Fine, what, None),
        SKEW_DOUBT_S..SKEW_WRONG_S => finding("clock", CheckResult::Doubt, what, next()),
        _ => finding("clock", CheckResult::Wrong, what, next()),
    }
}

fn network(region: &RegionId, endpoint: &str, result: &Result<(), CloudError>) -> DoctorCheck {
    let place = format!("{endpoint} in {region}");
    match result {
        Ok(()) => finding("network", CheckResult::Fine, format!("{place} answers"), None),
        // Who is refused has been heard.
        Err(CloudError::Denied { code, .. }) => {
            let what = format!("{place} answers, and refuses ({code})");
            let next = "allow the read actions of `rgctl iam-policy --read-only`".to_owned();
            finding("network", CheckResult::Doubt, what, Some(next))
        }
        Err(error) => {
            let next =
                "check that the region is enabled and named right, DNS, proxy, and VPC endpoints".to_owned();
            finding("network", CheckResult::Wrong, format!("{place}: {error}"), Some(next))
        }
    }
}

fn permissions(denied: &Result<BTreeSet<String>, CloudError>) -> Vec<DoctorCheck> {
    match denied {
        Ok(denied) if denied.is_empty() => {
            let what = "every action that the blueprint needs is allowed (by simulation)".to_owned();
            vec![finding("permissions", CheckResult::Fine, what, None)]
        }
        Ok(denied) => {
            let next = "attach the policy that `rgctl iam-policy` prints";
            denied
                .iter()
                .map(|action| {
                    finding(
                        "permissions",
                        CheckResult::Wrong,
                        format!("{action} is denied"),
                        Some(next.to_owned()),
                    )
                })
                .collect()
        }
        Err(error) => {
            let what = format!("could not be simulated: {error}");
            let next =
                "allow iam:SimulatePrincipalPolicy, or compare with `rgctl iam-policy` by hand".to_owned();
            vec![finding("permissions", CheckResult::Doubt, what, Some(next))]
        }
    }
}

fn quotas(region: &RegionId, result: &Result<Quotas, CloudError>) -> DoctorCheck {
    match result {
        Ok(quotas) => {
            let list: Vec<String> = quotas.iter().map(|(name, value)| format!("{name} {value}")).collect();
            finding("quotas", CheckResult::Fine, format!("{region}: {}", list.join(", ")), None)
        }
        Err(error) => finding("quotas", CheckResult::Doubt, format!("{region}: not told: {error}"), None),
    }
}

/// Puts the questions. Nothing is changed by them.
///
/// Who the caller is comes first: without an answer to that, every other answer would say the same.
pub async fn gather(pool: &Pool, wanted: &PolicyFor, bucket: Option<&RecordBucket>) -> Gathered {
    let mut found = Gathered {
        identity: Err(CloudError::Unreachable { why: "no region is named".to_owned() }),
        skew_seconds: None,
        reach: Vec::new(),
        denied: Ok(BTreeSet::new()),
        quotas: Vec::new(),
        bucket: None,
    };
    for (place, region) in wanted.regions.iter().enumerate() {
        let client = ServiceClient::to(pool, region).await;
        if place == 0 {
            // The chain of credentials says itself best why it has none.
            found.identity = match pool.check_credentials(region).await {
                Ok(()) => identity(&client).await,
                Err(error) => Err(error),
            };
            if let Ok(who) = &found.identity
                && let Some(error) = wrong_account(pool.options(), &who.account, region)
            {
                found.identity = Err(error);
            }
            if found.identity.is_err() {
                break;
            }
            found.denied = match &found.identity {
                Ok(who) => denied(&client, who, wanted).await,
                Err(error) => Err(error.clone()),
            };
        }
        found.reach.extend(reach(&client).await);
        found.quotas.push((region.clone(), quotas_of(&client).await));
    }
    if let Some(bucket) = bucket.filter(|_| found.identity.is_ok()) {
        found.bucket = Some((bucket.clone(), listed(pool, bucket).await));
    }
    found.skew_seconds = pool.skew_seconds();
    found
}

/// Whether the bucket of the record can be listed.
async fn listed(pool: &Pool, bucket: &RecordBucket) -> Result<(), CloudError> {
    let client = ServiceClient::to(pool, &bucket.region).await;
    let request = client
        .read
        .s3
        .list_objects_v2()
        .bucket(&bucket.record.bucket)
        .prefix(&bucket.record.prefix)
        .max_keys(1);
    client.ask("s3", "ListObjectsV2", || request.clone().send()).await.map(drop)
}

async fn identity(client: &ServiceClient<'_>) -> Result<CallerIdentity, CloudError> {
    let answer =
        client.ask("sts", "GetCallerIdentity", || client.read.sts.get_caller_identity().send()).await?;
    Ok(CallerIdentity { account: answer.account.unwrap_or_default(), arn: answer.arn.unwrap_or_default() })
}

async fn reach(client: &ServiceClient<'_>) -> Vec<(RegionId, &'static str, Result<(), CloudError>)> {
    let clients = &client.read;
    let databases = clients.rds.describe_db_clusters().max_records(20);
    let caches = clients.elasticache.describe_replication_groups().max_records(20);
    let warehouses = clients.redshift.describe_clusters().max_records(20);
    let secret = || clients.direct.list_secrets(TAG_BLUEPRINT);
    let (rds, cache, warehouse, serverless, kept) = futures::join!(
        client.ask(rds_like::ENDPOINT, "DescribeDBClusters", || databases.clone().send()),
        client.ask("elasticache", "DescribeReplicationGroups", || caches.clone().send()),
        client.ask(redshift::ENDPOINT, "DescribeClusters", || warehouses.clone().send()),
        client.ask(redshift_serverless::ENDPOINT, "ListWorkgroups", || clients
            .serverless
            .list_workgroups()
            .send()),
        client.ask(secrets::ENDPOINT, "ListSecrets", secret),
    );
    let region = || client.region.clone();
    vec![
        (region(), "rds", rds.map(drop)),
        (region(), "elasticache", cache.map(drop)),
        (region(), "redshift", warehouse.map(drop)),
        (region(), "redshift-serverless", serverless.map(drop)),
        (region(), secrets::ENDPOINT, kept.map(drop)),
    ]
}

/// Every action of the policy that would be attached, simulated for the caller. An assumed role is simulated as the
/// role itself, which is right unless the session carries a narrower policy.
async fn denied(
    client: &ServiceClient<'_>,
    who: &CallerIdentity,
    wanted: &PolicyFor,
) -> Result<BTreeSet<String>, CloudError> {
    let document = policy(wanted)
        .map_err(|error| CloudError::Refused { code: "NoPolicy".to_owned(), message: error.to_string() })?;
    let statements = document.get("Statement").and_then(serde_json::Value::as_array).into_iter().flatten();
    let actions: BTreeSet<String> = statements
        .filter_map(|statement| statement.get("Action")?.as_array())
        .flatten()
        .filter_map(|action| action.as_str().map(str::to_owned))
        .collect();
    let actions: Vec<String> = actions.into_iter().collect();
    let mut denied = BTreeSet::new();
    for batch in actions.chunks(ACTIONS_A_CALL) {
        let source = principal(&who.arn);
        let call = || client.read.direct.simulate_principal_policy(&source, batch);
        let simulated = client.ask("iam", "SimulatePrincipalPolicy", call).await?;
        // An action without a decision is not known to be allowed: the answer may have been cut short.
        let decided: BTreeSet<&str> = simulated.iter().map(|one| one.action.as_str()).collect();
        if let Some(open) = batch.iter().find(|action| !decided.contains(action.as_str())) {
            return Err(CloudError::Unreachable {
                why: format!("the simulation tells no decision on {open}"),
            });
        }
        let refused = simulated.into_iter().filter(|one| one.decision != "allowed");
        denied.extend(refused.map(|one| one.action));
    }
    Ok(denied)
}

/// The user or role behind a caller: `…:sts::…:assumed-role/Name/session` is the role `…:iam::…:role/Name`.
pub fn principal(arn: &str) -> String {
    match arn.split_once(":assumed-role/") {
        Some((before, after)) => {
            let role = after.split('/').next().unwrap_or(after);
            format!("{}:role/{role}", before.replacen(":sts:", ":iam:", 1))
        }
        None => arn.to_owned(),
    }
}

pub(super) async fn quotas_of(client: &ServiceClient<'_>) -> Result<Quotas, CloudError> {
    let call = || client.read.direct.list_service_quotas("rds");
    let listed = client.ask("servicequotas", "ListServiceQuotas", call).await?;
    let known = listed.into_iter().map(|quota| (quota.name, quota.value));
    Ok(known.filter(|(name, _)| QUOTAS.iter().any(|(known, _)| known == name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(codes: &[&str]) -> BTreeSet<RegionId> {
        codes.iter().map(|code| RegionId::new(*code).unwrap()).collect()
    }

    fn gathered(arn: &str) -> Gathered {
        Gathered {
            identity: Ok(CallerIdentity { account: "1".into(), arn: arn.into() }),
            skew_seconds: Some(-400),
            reach: Vec::new(),
            denied: Ok(BTreeSet::from(["rds:CreateDBCluster".to_owned()])),
            quotas: Vec::new(),
            bucket: None,
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named_with_its_next_step() {
        let found = report(&gathered("arn:aws:iam::1:user/ann"), &regions(&["cn-north-1"]));
        let wrong: Vec<&DoctorCheck> = found.iter().filter(|one| one.verdict == CheckResult::Wrong).collect();
        let areas: Vec<&str> = wrong.iter().map(|one| one.area).collect();
        assert_eq!(areas, ["partition", "clock", "permissions"]);
        assert!(wrong.iter().all(|one| one.next.is_some()));
    }

    #[test]
    fn an_expired_session_says_how_to_renew_it() {
        let mut found = gathered("");
        found.identity = Err(CloudError::Denied { code: "ExpiredToken".into(), message: "gone".into() });
        let first = report(&found, &regions(&["us-east-1"])).remove(0);
        assert!(first.next.unwrap().contains("sign in again"));
    }

    #[test]
    fn a_session_is_simulated_as_its_role() {
        assert_eq!(principal("arn:aws-cn:sts::1:assumed-role/Deploy/me"), "arn:aws-cn:iam::1:role/Deploy");
        assert_eq!(principal("arn:aws:iam::1:user/ann"), "arn:aws:iam::1:user/ann");
    }
}
