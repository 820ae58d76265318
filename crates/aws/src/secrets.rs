//! Secrets with the passwords of first users: made, copied, changed, deleted, and read for the one call that sets a password.
//!
//! Goes in: attributes, which hold no password. Comes out: requests, and what lists say of secrets in our words.
//!
//! **Invariant:** a password is drawn by the service for the call that writes it into a secret, or read for the call that sets it,
//! and is in no value that lives longer, in no error and in no log.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, stream};
use serde_json::{Value, json};

use super::direct::Hidden;
use super::rds_like::texts_before;
use super::region_listing::{RegionListing, access, seen};
use super::service_client::{ServiceClient, unsupported};
use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::secret::SecretAttrs;
use rgctl_model::node::TAG_BLUEPRINT;
use rgctl_model::observed::{Access, Observed};
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::table::FieldChange;
use rgctl_schema::time::Moment;

/// Name under which the budget knows the endpoint.
pub const ENDPOINT: &str = "secretsmanager";
/// Tag of a cluster that keeps from which secret its password was set: no answer of its service tells.
pub const TAG_SECRET: &str = "rgctl:master-secret";

/// Letters and digits of a password: Aurora MySQL takes 8 to 41.
const PASSWORD_LENGTH: u32 = 40;
/// Days for which a deleted secret can be brought back: as many as the service allows, which is also what it takes by itself.
const RECOVERY_DAYS: u32 = 30;
/// What a secret that is neither there nor gone says of itself.
const IS_DELETED: &str = "scheduled for deletion";
/// The one word of a secret that is there.
const THERE: &str = "available";
/// Secrets that are asked about at the same time.
const AT_ONCE: usize = 8;

type Tags = BTreeMap<String, String>;

async fn ask(client: &ServiceClient<'_>, what: &'static str, fields: Value) -> Result<Hidden, CloudError> {
    client.ask(ENDPOINT, what, || client.read.direct.secrets(what, &fields)).await
}

async fn change(client: &ServiceClient<'_>, what: &'static str, fields: Value) -> Result<Hidden, CloudError> {
    client.change(ENDPOINT, what, client.write.direct.secrets(what, &fields)).await
}

fn tag_list(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// Regions that get a copy. An alias names a key of its own in each region; any other key is one of its region, and the copy is
/// encrypted with the service's own.
fn copies<'a>(regions: impl Iterator<Item = &'a String>, key: Option<&String>) -> Value {
    let alias = key.filter(|key| key.starts_with("alias/"));
    let copy = |region: &String| match alias {
        Some(alias) => json!({ "Region": region, "KmsKeyId": alias }),
        None => json!({ "Region": region }),
    };
    regions.map(copy).collect()
}

/// A refusal that comes from us, and tells nothing of what was read.
fn unusable(name: &str, why: &str) -> CloudError {
    let message = format!("the secret {name} {why}: it has to be JSON with the field `password`");
    CloudError::Refused { code: "UnusableSecret".to_owned(), message }
}

/// The password in a secret, for the call that sets it.
pub async fn password(client: &ServiceClient<'_>, name: &str) -> Result<String, CloudError> {
    // A store whose secret is not there is not itself absent.
    let answer = match ask(client, "GetSecretValue", json!({ "SecretId": name })).await {
        Err(CloudError::NotFound { .. }) => return Err(unusable(name, "is not there")),
        answer => answer?,
    };
    let text = answer.text("SecretString").ok_or_else(|| unusable(name, "holds no text"))?;
    let told: Option<Value> = serde_json::from_str(text).ok();
    let password = told.as_ref().and_then(|told| told.get("password")).and_then(Value::as_str);
    password.map(str::to_owned).ok_or_else(|| unusable(name, "holds no password"))
}

async fn drawn(client: &ServiceClient<'_>) -> Result<String, CloudError> {
    let fields = json!({ "PasswordLength": PASSWORD_LENGTH, "ExcludePunctuation": true });
    let answer = ask(client, "GetRandomPassword", fields).await?;
    let password = answer.text("RandomPassword").filter(|text| text.len() >= PASSWORD_LENGTH as usize);
    password.map(str::to_owned).ok_or_else(|| CloudError::Unreachable {
        why: "GetRandomPassword told no password of the length that was asked for".to_owned(),
    })
}

/// Makes a secret. One of that name that was deleted not long ago, and was this blueprint's, is brought back.
pub async fn create(
    client: &ServiceClient<'_>,
    address: &Address,
    attrs: &AnyAttrs,
    tags: &Tags,
) -> Result<Receipt, CloudError> {
    let AnyAttrs::Secret(wanted) = attrs else {
        return Err(unsupported(&format!("create {}", attrs.kind())));
    };
    let name = address.name.as_str();
    let content = json!({ "username": wanted.username, "password": drawn(client).await? });
    let mut fields = json!({
        "Name": name,
        "Description": "password of the first user of a store, made by rgctl",
        "SecretString": content.to_string(),
        "Tags": tag_list(tags),
        "ClientRequestToken": request_token(tags, address),
    });
    if let Some(key) = &wanted.kms_key {
        fields["KmsKeyId"] = key.as_str().into();
    }
    let regions = wanted.replica_regions.iter().flatten();
    if let Value::Array(copies) = copies(regions, wanted.kms_key.as_ref())
        && !copies.is_empty()
    {
        fields["AddReplicaRegions"] = copies.into();
    }
    let call = client.write.direct.secrets("CreateSecret", &fields);
    let answer = match client.create(ENDPOINT, "CreateSecret", call).await {
        Err(CloudError::Refused { message, .. }) if message.contains(IS_DELETED) => {
            restore(client, address, tags).await?
        }
        answer => answer?,
    };
    Ok(Receipt { arn: answer.text("ARN").map(str::to_owned) })
}

/// 32 to 64 characters by which the service knows a call that it has had already.
fn request_token(tags: &Tags, address: &Address) -> String {
    let token = tags.get(rgctl_model::node::TAG_TOKEN).map_or("", String::as_str);
    rgctl_schema::digest::sha256_hex(format!("{token} {address}").as_bytes())
}

/// Brings a secret back with what it holds; key and copies are then changed as those of any other.
async fn restore(client: &ServiceClient<'_>, address: &Address, tags: &Tags) -> Result<Hidden, CloudError> {
    let name = json!({ "SecretId": address.name.as_str() });
    let there = ask(client, "DescribeSecret", name.clone()).await?;
    let owner = tags_of(there.get("Tags")).remove(TAG_BLUEPRINT);
    if owner.as_ref() != tags.get(TAG_BLUEPRINT) {
        return Err(CloudError::Conflict { what: address.to_string() });
    }
    let answer = change(client, "RestoreSecret", name).await?;
    tag(client, address, tags).await?;
    Ok(answer)
}

/// Changes a secret; what it holds stays.
pub async fn modify(
    client: &ServiceClient<'_>,
    address: &Address,
    changes: &[FieldChange],
    attrs: &AnyAttrs,
) -> Result<Receipt, CloudError> {
    let AnyAttrs::Secret(wanted) = attrs else {
        return Err(unsupported(&format!("modify {}", attrs.kind())));
    };
    let name = address.name.as_str();
    if let Some(key) = &wanted.kms_key {
        change(client, "UpdateSecret", json!({ "SecretId": name, "KmsKeyId": key })).await?;
    }
    if let Some(regions) = &wanted.replica_regions {
        let before = texts_before(changes, "replica_regions");
        let gone: Vec<&String> = before.difference(regions).collect();
        if !gone.is_empty() {
            let fields = json!({ "SecretId": name, "RemoveReplicaRegions": gone });
            change(client, "RemoveRegionsFromReplication", fields).await?;
        }
        let new: Vec<&String> = regions.difference(&before).collect();
        if !new.is_empty() {
            let key = described(client, name).await?.text("KmsKeyId").map(str::to_owned);
            let copies = copies(new.into_iter(), wanted.kms_key.as_ref().or(key.as_ref()));
            let fields = json!({ "SecretId": name, "AddReplicaRegions": copies });
            change(client, "ReplicateSecretToRegions", fields).await?;
        }
    }
    Ok(Receipt::default())
}

async fn described(client: &ServiceClient<'_>, name: &str) -> Result<Hidden, CloudError> {
    ask(client, "DescribeSecret", json!({ "SecretId": name })).await
}

/// Deletes a secret: its copies first, without which the service would refuse; it can be brought back for a time.
pub async fn delete(client: &ServiceClient<'_>, address: &Address) -> Result<Receipt, CloudError> {
    let name = address.name.as_str();
    let copies = regions_of(&described(client, name).await?);
    if !copies.is_empty() {
        let fields = json!({ "SecretId": name, "RemoveReplicaRegions": copies });
        change(client, "RemoveRegionsFromReplication", fields).await?;
    }
    let fields = json!({ "SecretId": name, "RecoveryWindowInDays": RECOVERY_DAYS });
    change(client, "DeleteSecret", fields).await?;
    Ok(Receipt::default())
}

/// Sets tags.
pub async fn tag(client: &ServiceClient<'_>, address: &Address, tags: &Tags) -> Result<Receipt, CloudError> {
    let fields = json!({ "SecretId": address.name.as_str(), "Tags": tag_list(tags) });
    change(client, "TagResource", fields).await?;
    Ok(Receipt::default())
}

/// Takes tags away.
pub async fn untag(
    client: &ServiceClient<'_>,
    address: &Address,
    keys: Vec<String>,
) -> Result<(), CloudError> {
    let fields = json!({ "SecretId": address.name.as_str(), "TagKeys": keys });
    change(client, "UntagResource", fields).await.map(drop)
}

/// The secrets of blueprints in a region, without the copies of those of other regions.
pub async fn observe(client: &ServiceClient<'_>) -> RegionListing {
    let mut listing = RegionListing::default();
    let list = client.ask(ENDPOINT, "ListSecrets", || client.read.direct.list_secrets(TAG_BLUEPRINT)).await;
    let (mut copied, mut alone) = (Vec::new(), Vec::new());
    for it in listing.listed(list) {
        let Some(name) = it.get("Name").and_then(Value::as_str).map(str::to_owned) else { continue };
        match it.get("PrimaryRegion").and_then(Value::as_str) {
            None => alone.push((name, it)),
            Some(region) if region == client.region.as_str() => copied.push((name, it)),
            Some(_) => {}
        }
    }
    let questions = copied.into_iter().map(|(name, it)| {
        async move {
            let told = described(client, &name).await;
            (name, it, told)
        }
        .boxed()
    });
    let answers: Vec<_> = stream::iter(questions).buffer_unordered(AT_ONCE).collect().await;
    for (name, it, told) in answers {
        match told {
            Ok(told) => listing.note(&client.region, Some(&name), secret(&it, regions_of(&told)), true),
            // Deleted between the list and the question.
            Err(CloudError::NotFound { .. }) => {}
            Err(error) => listing.gaps.push(error),
        }
    }
    for (name, it) in alone {
        listing.note(&client.region, Some(&name), secret(&it, BTreeSet::new()), true);
    }
    listing
}

fn regions_of(told: &Hidden) -> BTreeSet<String> {
    let copies = told.get("ReplicationStatus").and_then(Value::as_array).into_iter().flatten();
    copies.filter_map(|copy| copy.get("Region")?.as_str().map(str::to_owned)).collect()
}

fn tags_of(list: Option<&Value>) -> Tags {
    let tags = list.and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(|tag| {
        let text = |field: &str| tag.get(field).and_then(Value::as_str).map(str::to_owned);
        Some((text("Key")?, text("Value").unwrap_or_default()))
    })
    .collect()
}

fn secret(it: &Value, replica_regions: BTreeSet<String>) -> Observed {
    let text = |field: &str| it.get(field).and_then(Value::as_str).map(str::to_owned);
    let attrs = AnyAttrs::Secret(SecretAttrs {
        username: None,
        kms_key: text("KmsKeyId"),
        replica_regions: Some(replica_regions),
    });
    let arn = text("ARN");
    let mut found = seen(attrs, THERE, arn.as_deref(), tags_of(it.get("Tags")));
    #[allow(
        clippy::cast_possible_truncation,
        reason = "seconds since 1970, with milliseconds behind the point"
    )]
    let created = it.get("CreatedDate").and_then(Value::as_f64).map(|seconds| (seconds * 1_000.0) as i64);
    found.facts.created = created.map(Moment::from_millis);
    found.facts.access = access(Access { secret: arn, ..Access::default() });
    found
}
