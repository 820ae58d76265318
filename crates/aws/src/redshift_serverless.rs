//! Redshift Serverless: namespaces, which hold the data, and workgroups, which hold the compute.
//!
//! Goes in: attributes of the two kinds. Comes out: requests of their API, and what its answers say in our words.
//!
//! **Invariant:** ARNs of this service carry ids of its own and are never built, only looked up.

use std::collections::BTreeMap;

use aws_sdk_redshiftserverless as serverless;
use serverless::types::{LogExport, Namespace, Snapshot, Workgroup};

use super::region_listing::{RegionListing, access, count, gib_of_megabytes, moment, port, seen};
use super::service_client::{ServiceClient, unsupported};
use rgctl_model::address::Address;
use rgctl_model::kinds::redshift::{NamespaceAttrs, WorkgroupAttrs};
use rgctl_model::kinds::shared::SnapshotAttrs;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::{Access, Observed};
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::names::Name;

/// Name under which the budget knows the endpoint.
pub const ENDPOINT: &str = "redshift-serverless";

type Tags = BTreeMap<String, String>;

fn tag_list(tags: &Tags) -> Result<Vec<serverless::types::Tag>, CloudError> {
    let built =
        tags.iter().map(|(key, value)| serverless::types::Tag::builder().key(key).value(value).build());
    built.collect::<Result<_, _>>().map_err(|error| unsupported(&error.to_string()))
}

/// Makes an object.
pub async fn create(
    client: &ServiceClient<'_>,
    address: &Address,
    attrs: &AnyAttrs,
    tags: &Tags,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.serverless, address.name.as_str());
    let arn = match attrs {
        AnyAttrs::RedshiftNamespace(wanted) => {
            let request = sdk
                .create_namespace()
                .namespace_name(name)
                .set_db_name(wanted.database.clone())
                .set_admin_username(wanted.master_username.clone())
                .manage_admin_password(wanted.managed_password.unwrap_or(true))
                .set_kms_key_id(wanted.kms_key.clone())
                .set_log_exports(log_exports(wanted))
                .set_tags(Some(tag_list(tags)?));
            let answer = client.create(ENDPOINT, "CreateNamespace", request.send()).await?;
            answer.namespace.and_then(|namespace| namespace.namespace_arn)
        }
        AnyAttrs::RedshiftWorkgroup(wanted) => {
            let request = sdk
                .create_workgroup()
                .workgroup_name(name)
                .set_namespace_name(wanted.namespace.clone())
                .set_base_capacity(wanted.base_rpu.map(u32::cast_signed))
                .set_max_capacity(wanted.max_rpu.map(u32::cast_signed))
                .set_subnet_ids(wanted.subnets.as_ref().map(|ids| ids.iter().cloned().collect()))
                .set_security_group_ids(
                    wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()),
                )
                .set_publicly_accessible(wanted.publicly_accessible)
                .set_enhanced_vpc_routing(wanted.enhanced_vpc_routing)
                .set_port(wanted.port.map(i32::from))
                .set_tags(Some(tag_list(tags)?));
            let answer = client.create(ENDPOINT, "CreateWorkgroup", request.send()).await?;
            answer.workgroup.and_then(|group| group.workgroup_arn)
        }
        other => return Err(unsupported(&format!("create {}", other.kind()))),
    };
    Ok(Receipt { arn })
}

fn log_exports(wanted: &NamespaceAttrs) -> Option<Vec<LogExport>> {
    wanted.log_exports.as_ref().map(|logs| logs.iter().map(|log| LogExport::from(log.as_str())).collect())
}

/// Changes an object.
pub async fn modify(
    client: &ServiceClient<'_>,
    address: &Address,
    attrs: &AnyAttrs,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.serverless, address.name.as_str());
    match attrs {
        AnyAttrs::RedshiftNamespace(wanted) => {
            let request = sdk
                .update_namespace()
                .namespace_name(name)
                .set_admin_username(wanted.master_username.clone())
                .set_manage_admin_password(wanted.managed_password)
                .set_kms_key_id(wanted.kms_key.clone())
                .set_log_exports(log_exports(wanted));
            client.change(ENDPOINT, "UpdateNamespace", request.send()).await.map(drop)?;
        }
        AnyAttrs::RedshiftWorkgroup(wanted) => {
            let request = sdk
                .update_workgroup()
                .workgroup_name(name)
                .set_base_capacity(wanted.base_rpu.map(u32::cast_signed))
                .set_max_capacity(wanted.max_rpu.map(u32::cast_signed))
                .set_subnet_ids(wanted.subnets.as_ref().map(|ids| ids.iter().cloned().collect()))
                .set_security_group_ids(
                    wanted.security_groups.as_ref().map(|ids| ids.iter().cloned().collect()),
                )
                .set_publicly_accessible(wanted.publicly_accessible)
                .set_enhanced_vpc_routing(wanted.enhanced_vpc_routing)
                .set_port(wanted.port.map(i32::from));
            client.change(ENDPOINT, "UpdateWorkgroup", request.send()).await.map(drop)?;
        }
        other => return Err(unsupported(&format!("modify {}", other.kind()))),
    }
    Ok(Receipt::default())
}

/// Deletes an object.
pub async fn delete(
    client: &ServiceClient<'_>,
    address: &Address,
    snapshot: Option<&Name>,
) -> Result<Receipt, CloudError> {
    let (sdk, name) = (&client.write.serverless, address.name.as_str());
    match address.kind {
        KindId::RedshiftNamespace => {
            let request = sdk
                .delete_namespace()
                .namespace_name(name)
                .set_final_snapshot_name(snapshot.map(Name::to_string));
            client.change(ENDPOINT, "DeleteNamespace", request.send()).await.map(drop)?;
        }
        KindId::RedshiftWorkgroup => {
            let request = sdk.delete_workgroup().workgroup_name(name);
            client.change(ENDPOINT, "DeleteWorkgroup", request.send()).await.map(drop)?;
        }
        other => return Err(unsupported(&format!("delete {other}"))),
    }
    Ok(Receipt::default())
}

/// Sets tags.
pub async fn tag(client: &ServiceClient<'_>, address: &Address, tags: &Tags) -> Result<Receipt, CloudError> {
    let arn = arn_of(client, address).await?;
    let request =
        client.write.serverless.tag_resource().set_resource_arn(arn).set_tags(Some(tag_list(tags)?));
    client.change(ENDPOINT, "TagResource", request.send()).await?;
    Ok(Receipt::default())
}

/// Takes tags away.
pub async fn untag(
    client: &ServiceClient<'_>,
    address: &Address,
    keys: Vec<String>,
) -> Result<(), CloudError> {
    let arn = arn_of(client, address).await?;
    let request = client.write.serverless.untag_resource().set_resource_arn(arn).set_tag_keys(Some(keys));
    client.change(ENDPOINT, "UntagResource", request.send()).await.map(drop)
}

/// The ARN has an id in it that only the service tells.
async fn arn_of(client: &ServiceClient<'_>, address: &Address) -> Result<Option<String>, CloudError> {
    let (sdk, name) = (&client.read.serverless, address.name.as_str());
    match address.kind {
        KindId::RedshiftNamespace => {
            let request = sdk.get_namespace().namespace_name(name);
            let answer = client.ask(ENDPOINT, "GetNamespace", || request.clone().send()).await?;
            Ok(answer.namespace.and_then(|namespace| namespace.namespace_arn))
        }
        KindId::RedshiftWorkgroup => {
            let request = sdk.get_workgroup().workgroup_name(name);
            let answer = client.ask(ENDPOINT, "GetWorkgroup", || request.clone().send()).await?;
            Ok(answer.workgroup.and_then(|group| group.workgroup_arn))
        }
        other => Err(unsupported(&format!("tag {other}"))),
    }
}

macro_rules! list {
    ($client:expr, $what:literal, $request:expr) => {
        $client.ask(ENDPOINT, $what, {
            let request = $request;
            move || request.clone().into_paginator().items().send().collect::<Result<Vec<_>, _>>()
        })
    };
}

/// Everything of the two kinds in a region.
pub async fn observe(client: &ServiceClient<'_>) -> RegionListing {
    let (sdk, region) = (&client.read.serverless, &client.region);
    let (namespaces, groups, snapshots) = futures::join!(
        list!(client, "ListNamespaces", sdk.list_namespaces()),
        list!(client, "ListWorkgroups", sdk.list_workgroups()),
        list!(client, "ListSnapshots", sdk.list_snapshots()),
    );
    let mut listing = RegionListing::default();
    for it in listing.listed(namespaces) {
        listing.note(region, it.namespace_name(), namespace(&it), false);
    }
    for it in listing.listed(groups) {
        listing.note(region, it.workgroup_name(), workgroup(&it), false);
    }
    for it in listing.listed(snapshots) {
        listing.note(region, it.snapshot_name(), snapshot(&it), false);
    }
    listing
}

fn namespace(it: &Namespace) -> Observed {
    let attrs = AnyAttrs::RedshiftNamespace(NamespaceAttrs {
        database: it.db_name.clone(),
        master_username: it.admin_username.clone(),
        managed_password: Some(it.admin_password_secret_arn.is_some()),
        kms_key: it.kms_key_id.clone(),
        log_exports: Some(it.log_exports().iter().map(|log| log.as_str().to_owned()).collect()),
    });
    let status = it.status().map_or("", serverless::types::NamespaceStatus::as_str);
    let mut found = seen(attrs, status, it.namespace_arn(), Tags::new());
    found.facts.id.clone_from(&it.namespace_id);
    found.facts.created = moment(it.creation_date());
    found.facts.access = access(Access { secret: it.admin_password_secret_arn.clone(), ..Access::default() });
    found
}

fn workgroup(it: &Workgroup) -> Observed {
    let attrs = AnyAttrs::RedshiftWorkgroup(WorkgroupAttrs {
        namespace: it.namespace_name.clone(),
        base_rpu: count(it.base_capacity),
        max_rpu: count(it.max_capacity),
        subnets: Some(it.subnet_ids().iter().cloned().collect()),
        security_groups: Some(it.security_group_ids().iter().cloned().collect()),
        publicly_accessible: it.publicly_accessible,
        enhanced_vpc_routing: it.enhanced_vpc_routing,
        port: port(it.port),
    });
    let status = it.status().map_or("", serverless::types::WorkgroupStatus::as_str);
    let mut found = seen(attrs, status, it.workgroup_arn(), Tags::new());
    found.facts.id.clone_from(&it.workgroup_id);
    found.facts.created = moment(it.creation_date());
    found.facts.endpoint = it.endpoint().and_then(|end| end.address.clone());
    found
}

fn snapshot(it: &Snapshot) -> Observed {
    let attrs = AnyAttrs::RedshiftSnapshot(SnapshotAttrs {
        source: it.namespace_name.clone(),
        size_gib: it.total_backup_size_in_mega_bytes.map(gib_of_megabytes),
    });
    let status = it.status().map_or("", serverless::types::SnapshotStatus::as_str);
    let mut found = seen(attrs, status, it.snapshot_arn(), Tags::new());
    found.facts.created = moment(it.snapshot_create_time());
    found
}

/// The tags of one object.
pub async fn tags(client: &ServiceClient<'_>, arn: &str) -> Result<Tags, CloudError> {
    let request = client.read.serverless.list_tags_for_resource().resource_arn(arn);
    let answer = client.ask(ENDPOINT, "ListTagsForResource", || request.clone().send()).await?;
    Ok(answer.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
}
