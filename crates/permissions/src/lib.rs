//! The exact policy that a blueprint needs.
//!
//! Goes in: kinds, regions, the blueprint's name. Comes out: a policy document.
//!
//! **Invariant:** every action comes from the table of operations; reads are bounded by region, changes by the names
//! and tags that only the blueprint's objects carry.
//! **Invariant:** a look asks for every list, and every policy allows it: what left the blueprint, and what a lost record
//! does not know, is found by its tags only, whatever its family. Changes are allowed to the kinds in use.

pub mod operations;
pub mod policy_parts;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::operations::{ALWAYS, ON_BEHALF, STORE};
use crate::policy_parts::CHARACTERS_MAX;
use rgctl_model::kinds::KindId;
use rgctl_model::node::TAG_BLUEPRINT;
use rgctl_schema::names::{BlueprintName, Partition, RegionId};

/// What a policy is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFor {
    /// Whose objects.
    pub blueprint: BlueprintName,
    /// Of which kinds, where something is changed; a look sees all kinds.
    pub kinds: BTreeSet<KindId>,
    /// In which regions; all of one partition.
    pub regions: BTreeSet<RegionId>,
    /// Whether changes are allowed.
    pub writes: bool,
    /// Names of objects that the blueprint adopted, and that do not begin with its own.
    pub adopted: BTreeSet<(KindId, String)>,
    /// ARNs of secrets that the blueprint names and does not own.
    pub secrets: BTreeSet<String>,
    /// ARNs of roles that the blueprint gives to its stores.
    pub roles: BTreeSet<String>,
    /// Where the record is kept, when on S3.
    pub record: Option<RecordPlace>,
}

/// A record on S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// Bucket.
    pub bucket: String,
    /// What the names of its objects begin with; may be empty.
    pub prefix: String,
}

/// Why there is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// An account lives in one partition, and so does a policy.
    #[error("{one} and {other} are in different partitions: each needs an account and a policy of its own")]
    TwoPartitions {
        /// A region.
        one: RegionId,
        /// A region of another partition.
        other: RegionId,
    },
    /// There is nothing to allow.
    #[error("no region is named")]
    NoRegion,
}

/// The policy in one document, however long.
pub fn policy(wanted: &PolicyFor) -> Result<Value, PolicyError> {
    Ok(policy_parts::document(&statements(wanted)?))
}

/// The same in documents that are short enough for a managed policy each.
pub fn policies(wanted: &PolicyFor) -> Result<Vec<Value>, PolicyError> {
    Ok(policy_parts::parts(statements(wanted)?, CHARACTERS_MAX))
}

fn statements(wanted: &PolicyFor) -> Result<Vec<Value>, PolicyError> {
    let first = wanted.regions.first().ok_or(PolicyError::NoRegion)?;
    let partition = Partition::of(first);
    if let Some(other) = wanted.regions.iter().find(|region| Partition::of(region) != partition) {
        return Err(PolicyError::TwoPartitions { one: first.clone(), other: other.clone() });
    }
    let mut statements = vec![json!({
        "Sid": "Look",
        "Effect": "Allow",
        "Action": reads(),
        "Resource": "*",
        // Global clusters are asked for in a region and belong to none, which this condition takes care of.
        "Condition": { "StringEqualsIfExists": { "aws:RequestedRegion": wanted.regions } },
    })];
    if wanted.writes {
        statements.extend(writes(wanted, partition));
    }
    if let Some(record) = &wanted.record {
        statements.extend(store(record, partition, wanted.writes));
    }
    Ok(statements)
}

fn reads() -> BTreeSet<&'static str> {
    let of_kinds = KindId::ALL.iter().flat_map(|kind| operations::of(*kind).reads);
    ALWAYS.iter().chain(of_kinds).copied().collect()
}

fn writes(wanted: &PolicyFor, partition: Partition) -> Vec<Value> {
    let mut statements = Vec::new();
    for service in ["rds", "elasticache", "redshift"] {
        let actions = actions_of(wanted, service);
        if !actions.is_empty() {
            statements.push(json!({
                "Sid": format!("Change{}", capital(service)),
                "Effect": "Allow",
                "Action": actions,
                "Resource": resources(wanted, service, partition),
            }));
        }
    }
    statements.extend(secrets(wanted, partition));
    let actions = actions_of(wanted, "redshift-serverless");
    let (makes, changes): (Vec<&str>, Vec<&str>) = actions
        .iter()
        .copied()
        .partition(|action| action.contains(":Create") || action.ends_with(":TagResource"));
    if !makes.is_empty() {
        let blueprint = wanted.blueprint.as_str();
        // ARNs of this service carry its own ids, so that only tags tell what is ours.
        statements.push(json!({
            "Sid": "MakeServerlessWarehouse", "Effect": "Allow", "Action": makes, "Resource": "*",
            "Condition": { "StringEquals": { (format!("aws:RequestTag/{TAG_BLUEPRINT}")): blueprint } },
        }));
        statements.push(json!({
            "Sid": "ChangeServerlessWarehouse", "Effect": "Allow", "Action": changes, "Resource": "*",
            "Condition": { "StringEquals": { (format!("aws:ResourceTag/{TAG_BLUEPRINT}")): blueprint } },
        }));
    }
    if !wanted.roles.is_empty() {
        statements.push(json!({
            "Sid": "PassRoles", "Effect": "Allow", "Action": ["iam:PassRole"], "Resource": wanted.roles,
            "Condition": { "StringEquals": { "iam:PassedToService": ["rds.amazonaws.com", "redshift.amazonaws.com"] } },
        }));
    }
    if !statements.is_empty() {
        // The names of services end alike in every partition.
        let suffix = "amazonaws.com";
        let (linked, via): (Vec<&str>, Vec<&str>) =
            ON_BEHALF.iter().copied().partition(|action| action.starts_with("iam:"));
        statements.push(json!({
            "Sid": "OnBehalf", "Effect": "Allow", "Action": via, "Resource": "*",
            "Condition": { "StringEquals": { "aws:RequestedRegion": wanted.regions } },
        }));
        let services: Vec<String> =
            ["rds", "elasticache", "redshift"].iter().map(|service| format!("{service}.{suffix}")).collect();
        statements.push(json!({
            "Sid": "ServiceRoles", "Effect": "Allow", "Action": linked, "Resource": "*",
            "Condition": { "StringLike": { "iam:AWSServiceName": services } },
        }));
    }
    statements
}

/// The call that draws a password is about no resource.
const DRAWS: &str = "secretsmanager:GetRandomPassword";
/// The only call that reads what a secret holds.
const READS: &str = "secretsmanager:GetSecretValue";

/// Secrets of the blueprint, and the reading of those that it names: nothing where it has and names none.
fn secrets(wanted: &PolicyFor, partition: Partition) -> Vec<Value> {
    let own = resources(wanted, "secretsmanager", partition);
    let readable: BTreeSet<String> = own.iter().chain(&wanted.secrets).cloned().collect();
    let mut actions = actions_of(wanted, "secretsmanager");
    let (draws, reads) = (actions.remove(DRAWS), actions.remove(READS));
    let mut statements = Vec::new();
    if !own.is_empty() {
        statements.push(json!({
            "Sid": "ChangeSecrets", "Effect": "Allow", "Action": actions, "Resource": own,
        }));
    }
    if draws {
        statements.push(json!({
            "Sid": "DrawPasswords", "Effect": "Allow", "Action": [DRAWS], "Resource": "*",
            "Condition": { "StringEquals": { "aws:RequestedRegion": wanted.regions } },
        }));
    }
    if reads && !readable.is_empty() {
        statements.push(json!({
            "Sid": "ReadSecrets", "Effect": "Allow", "Action": [READS], "Resource": readable,
        }));
    }
    statements
}

fn actions_of(wanted: &PolicyFor, service: &str) -> BTreeSet<&'static str> {
    let all = wanted.kinds.iter().flat_map(|kind| operations::of(*kind).writes).copied();
    all.filter(|action| action.split(':').next() == Some(service)).collect()
}

/// So much of a long name goes into the name of a final snapshot in any case.
const STEM: usize = 32;

/// Objects of the blueprint by name, in its regions, and the defaults of the service that they refer to.
fn resources(wanted: &PolicyFor, service: &str, partition: Partition) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for kind in &wanted.kinds {
        let Some((owner, word)) = operations::of(*kind).arn.and_then(|arn| arn.split_once(':')) else {
            continue;
        };
        if owner != service {
            continue;
        }
        // What only the blueprint is called, and what it adopted under names of their own.
        let own = format!("{}-*", wanted.blueprint);
        let adopted = wanted.adopted.iter().filter(|(of, _)| of == kind).map(|(_, name)| name.clone());
        // Final snapshots are called after what they are of.
        let left = wanted.adopted.iter().filter(|(of, _)| of.facts().final_snapshot == Some(*kind));
        let left = left.map(|(_, name)| format!("{}*-final-*", name.chars().take(STEM).collect::<String>()));
        for name in adopted.chain(left).chain([own]) {
            found.extend(of_name(wanted, *kind, (service, word), &name, partition));
        }
    }
    found
}

/// The resources of a name, or of all names of a pattern, in all regions.
fn of_name(
    wanted: &PolicyFor,
    kind: KindId,
    (service, word): (&str, &str),
    name: &str,
    partition: Partition,
) -> Vec<String> {
    if kind.facts().is_global {
        // The service puts letters of its own before the name of a global datastore.
        let before = if service == "elasticache" { "*" } else { "" };
        return vec![format!("arn:{partition}:{service}::*:{word}:{before}{name}")];
    }
    let mut found = Vec::new();
    for region in &wanted.regions {
        // A snapshot of a cluster of Redshift is named with its cluster.
        let within = if word == "snapshot" && service == "redshift" { "*/" } else { "" };
        found.push(format!("arn:{partition}:{service}:{region}:*:{word}:{within}{name}"));
        if word == "snapshot" && service == "elasticache" {
            // Those of serverless caches are resources of their own type.
            found.push(format!("arn:{partition}:{service}:{region}:*:serverlesscachesnapshot:{name}"));
        }
        if ["cluster-pg", "pg", "parametergroup"].contains(&word) {
            found.push(format!("arn:{partition}:{service}:{region}:*:{word}:default*"));
        }
    }
    found
}

fn store(record: &RecordPlace, partition: Partition, writes: bool) -> Vec<Value> {
    let bucket = &record.bucket;
    let below = if record.prefix.is_empty() { String::new() } else { format!("{}/", record.prefix) };
    let (listing, objects): (Vec<&str>, Vec<&str>) = STORE
        .iter()
        .copied()
        .filter(|action| writes || *action != "s3:PutObject")
        .partition(|action| *action == "s3:ListBucket");
    vec![
        json!({ "Sid": "ListRecord", "Effect": "Allow", "Action": listing,
                "Resource": format!("arn:{partition}:s3:::{bucket}") }),
        json!({ "Sid": "KeepRecord", "Effect": "Allow", "Action": objects,
                "Resource": format!("arn:{partition}:s3:::{bucket}/{below}*") }),
    ]
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(regions: &[&str], writes: bool) -> PolicyFor {
        PolicyFor {
            blueprint: BlueprintName::new("game").unwrap(),
            kinds: KindId::ALL.iter().copied().collect(),
            regions: regions.iter().map(|code| RegionId::new(*code).unwrap()).collect(),
            writes,
            adopted: BTreeSet::new(),
            secrets: BTreeSet::new(),
            roles: BTreeSet::new(),
            record: None,
        }
    }

    #[test]
    fn a_read_only_policy_allows_no_change() {
        let text = policy(&wanted(&["us-east-1"], false)).unwrap().to_string();
        for word in ["Create", "Modify", "Delete", "Failover", "Update", "Pause", "AddTags", "TagResource\""]
        {
            assert!(!text.contains(&format!(":{word}")), "{word}: {text}");
        }
    }

    #[test]
    fn changes_are_bounded_by_the_names_of_the_blueprint_in_its_partition() {
        let document = policy(&wanted(&["cn-north-1"], true)).unwrap();
        let text = document.to_string();
        assert!(text.contains("arn:aws-cn:rds:cn-north-1:*:cluster:game-*"), "{text}");
        assert!(!text.contains("arn:aws:"), "{text}");
        for statement in document["Statement"].as_array().unwrap() {
            let bounded = statement["Resource"] != "*" || statement.get("Condition").is_some();
            assert!(bounded, "{statement}");
        }
    }

    #[test]
    fn the_record_is_bounded_by_its_bucket_and_prefix() {
        let record = Some(RecordPlace { bucket: "team".into(), prefix: "games".into() });
        let text = policy(&PolicyFor { record, ..wanted(&["cn-north-1"], true) }).unwrap().to_string();
        assert!(
            text.contains("\"arn:aws-cn:s3:::team\"") && text.contains("arn:aws-cn:s3:::team/games/*"),
            "{text}"
        );
        assert!(!text.contains("team/*"), "{text}");
    }

    #[test]
    fn an_adopted_object_is_allowed_under_its_own_name_only() {
        let adopted = BTreeSet::from([(KindId::AuroraCluster, "players-production".to_owned())]);
        let text = policy(&PolicyFor { adopted, ..wanted(&["us-east-1"], true) }).unwrap().to_string();
        assert!(text.contains("arn:aws:rds:us-east-1:*:cluster:players-production\""), "{text}");
        assert!(!text.contains("subgrp:players-production"), "{text}");
        // Its deletion leaves a snapshot that is called after it.
        assert!(text.contains(":cluster-snapshot:players-production*-final-*\""), "{text}");
        assert!(!text.contains(":snapshot:players-production"), "of another service: {text}");
    }

    #[test]
    fn the_snapshot_that_a_serverless_cache_leaves_is_a_resource_of_its_own_type() {
        let kinds = BTreeSet::from([KindId::CacheServerless, KindId::CacheSnapshot]);
        let text = policy(&PolicyFor { kinds, ..wanted(&["us-east-1"], true) }).unwrap().to_string();
        assert!(text.contains("\"elasticache:CreateServerlessCacheSnapshot\""), "{text}");
        let snapshot = "arn:aws:elasticache:us-east-1:*:serverlesscachesnapshot:game-*";
        assert!(text.contains(snapshot), "{text}");
    }

    #[test]
    fn what_a_secret_holds_is_read_where_the_blueprint_has_or_names_it_and_nowhere_else() {
        let reads = |kinds: &[KindId], secrets: &[&str], writes: bool| -> Vec<Value> {
            let wanted = PolicyFor {
                kinds: kinds.iter().copied().collect(),
                secrets: secrets.iter().map(|arn| (*arn).to_owned()).collect(),
                ..wanted(&["us-east-1"], writes)
            };
            let document = policy(&wanted).unwrap();
            let allows = |statement: &&Value| statement["Action"].to_string().contains("GetSecretValue");
            let all = document["Statement"].as_array().unwrap().iter();
            all.filter(allows).map(|statement| statement["Resource"].clone()).collect()
        };
        let own = "arn:aws:secretsmanager:us-east-1:*:secret:game-*";
        let theirs = "arn:aws:secretsmanager:us-east-1:111122223333:secret:x-Ab12Cd";
        let (cluster, secret) = (KindId::AuroraCluster, KindId::Secret);
        assert_eq!(reads(&[cluster], &[], true), [] as [Value; 0]);
        assert_eq!(reads(&[cluster, secret], &[theirs], false), [] as [Value; 0]);
        assert_eq!(reads(&[cluster, secret], &[], true), [json!([own])]);
        assert_eq!(reads(&[cluster], &[theirs], true), [json!([theirs])]);
    }

    #[test]
    fn two_partitions_have_no_common_policy() {
        let error = policy(&wanted(&["cn-north-1", "us-east-1"], true));
        assert!(matches!(error, Err(PolicyError::TwoPartitions { .. })));
    }
}
