//! What each family tells of how clients reach it, beside endpoints: names, encryption, and how users prove who they are.

use std::collections::{BTreeMap, BTreeSet};

use super::outputs::{StoreOutputs, Tls};
use rgctl_model::address::Address;
use rgctl_model::kinds::elasticache::{CacheEngine, ClusterMode, GroupAttrs, ServerlessAttrs};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::{Access, Inventory, Observed};
use rgctl_schema::names::Name;

/// Whether clients of a store connect to an object of that kind.
pub const fn is_connected_to(kind: KindId) -> bool {
    match kind {
        KindId::AuroraCluster
        | KindId::DocumentCluster
        | KindId::CacheGroup
        | KindId::CacheServerless
        | KindId::RedshiftCluster
        | KindId::RedshiftWorkgroup => true,
        KindId::RdsSubnetGroup
        | KindId::AuroraClusterParameters
        | KindId::AuroraInstanceParameters
        | KindId::AuroraGlobal
        | KindId::AuroraInstance
        | KindId::AuroraSnapshot
        | KindId::DocumentClusterParameters
        | KindId::DocumentGlobal
        | KindId::DocumentInstance
        | KindId::DocumentSnapshot
        | KindId::CacheSubnetGroup
        | KindId::CacheParameters
        | KindId::CacheUser
        | KindId::CacheUserGroup
        | KindId::CacheGlobal
        | KindId::CacheSnapshot
        | KindId::RedshiftSubnetGroup
        | KindId::RedshiftParameters
        | KindId::RedshiftNamespace
        | KindId::RedshiftSnapshot => false,
    }
}

/// What each family tells beside endpoints.
pub fn described(
    told: StoreOutputs,
    inventory: &Inventory,
    address: &Address,
    seen: &Observed,
    access: &Access,
) -> StoreOutputs {
    let user = |name: &Option<String>| name.iter().cloned().collect::<Vec<_>>();
    let secret = access.secret.clone();
    match &seen.attrs {
        AnyAttrs::AuroraCluster(attrs) => {
            let groups = parameters(
                inventory,
                address,
                KindId::AuroraClusterParameters,
                attrs.parameter_group.as_ref(),
            );
            let by_iam = attrs.iam_authentication == Some(true);
            StoreOutputs {
                engine: attrs.engine.map(|engine| engine.as_str().to_owned()),
                tls: Some(groups.map_or(Tls::Unknown, |set| {
                    insists(set, &["rds.force_ssl", "require_secure_transport"])
                })),
                database: attrs.database.clone(),
                users: user(&attrs.master_username),
                authentication: std::iter::once("password").chain(by_iam.then_some("iam")).collect(),
                secret,
                ..told
            }
        }
        AnyAttrs::DocumentCluster(attrs) => {
            let groups = parameters(
                inventory,
                address,
                KindId::DocumentClusterParameters,
                attrs.parameter_group.as_ref(),
            );
            // It is on unless the group says otherwise.
            let tls = groups.map_or(Tls::Unknown, |set| match set.get("tls").map(String::as_str) {
                Some("disabled") => Tls::Off,
                _ => Tls::Required,
            });
            StoreOutputs {
                engine: Some("documentdb".to_owned()),
                tls: Some(tls),
                users: user(&attrs.master_username),
                authentication: vec!["password"],
                secret,
                ..told
            }
        }
        AnyAttrs::CacheGroup(attrs) => group(told, inventory, address, attrs),
        AnyAttrs::CacheServerless(attrs) => serverless_cache(told, inventory, address, attrs),
        AnyAttrs::RedshiftCluster(_) | AnyAttrs::RedshiftWorkgroup(_) => {
            warehouse(told, inventory, address, seen, access)
        }
        _ => told,
    }
}

/// A warehouse, whose first user and database are told by its namespace where it has one.
fn warehouse(
    told: StoreOutputs,
    inventory: &Inventory,
    address: &Address,
    seen: &Observed,
    access: &Access,
) -> StoreOutputs {
    let told =
        StoreOutputs { engine: Some("redshift".to_owned()), authentication: vec!["password", "iam"], ..told };
    match &seen.attrs {
        AnyAttrs::RedshiftCluster(attrs) => {
            let groups =
                parameters(inventory, address, KindId::RedshiftParameters, attrs.parameter_group.as_ref());
            StoreOutputs {
                tls: Some(groups.map_or(Tls::Unknown, |set| insists(set, &["require_ssl"]))),
                database: attrs.database.clone(),
                users: attrs.master_username.iter().cloned().collect(),
                secret: access.secret.clone(),
                ..told
            }
        }
        AnyAttrs::RedshiftWorkgroup(attrs) => {
            let named = attrs.namespace.as_deref().and_then(|name| Name::new(name).ok());
            let at = named.map(|name| Address::new(address.region.clone(), KindId::RedshiftNamespace, name));
            let namespace = at.and_then(|at| inventory.seen.get(&at));
            let (database, user, secret) = namespace.map_or((None, None, None), |seen| {
                let secret = seen.facts.access.as_ref().and_then(|access| access.secret.clone());
                (seen.attrs.text("database"), seen.attrs.text("master_username"), secret)
            });
            StoreOutputs {
                tls: Some(Tls::Available),
                database,
                users: user.into_iter().collect(),
                secret,
                ..told
            }
        }
        _ => told,
    }
}

fn group(told: StoreOutputs, inventory: &Inventory, address: &Address, attrs: &GroupAttrs) -> StoreOutputs {
    let tls = match attrs.transit_encryption {
        Some(true) => Tls::Required,
        Some(false) => Tls::Off,
        None => Tls::Unknown,
    };
    // One shard has one writer; of many each has its own, and the member that is told writes a part.
    let is_one = attrs.cluster_mode != Some(ClusterMode::Enabled);
    StoreOutputs {
        tls: Some(tls),
        writing_member: told.writing_member.clone().filter(|_| is_one),
        ..cached(told, inventory, address, attrs.engine, attrs.user_group.as_deref())
    }
}

fn serverless_cache(
    told: StoreOutputs,
    inventory: &Inventory,
    address: &Address,
    attrs: &ServerlessAttrs,
) -> StoreOutputs {
    // The service takes no others.
    let tls = Some(Tls::Required);
    StoreOutputs { tls, ..cached(told, inventory, address, attrs.engine, attrs.user_group.as_deref()) }
}

/// Users of a cache prove by IAM who they are; where there is no group of them, the network alone decides who may connect.
fn cached(
    told: StoreOutputs,
    inventory: &Inventory,
    address: &Address,
    engine: Option<CacheEngine>,
    user_group: Option<&str>,
) -> StoreOutputs {
    let at = |kind, name: &str| Some(Address::new(address.region.clone(), kind, Name::new(name).ok()?));
    let group = user_group.and_then(|name| inventory.seen.get(&at(KindId::CacheUserGroup, name)?));
    let ids = match group.map(|seen| &seen.attrs) {
        Some(AnyAttrs::CacheUserGroup(attrs)) => attrs.users.clone().unwrap_or_default(),
        _ => BTreeSet::default(),
    };
    let users =
        ids.iter().filter_map(|id| inventory.seen.get(&at(KindId::CacheUser, id)?)?.attrs.text("user_name"));
    StoreOutputs {
        engine: engine.map(|engine| engine.as_str().to_owned()),
        users: users.collect(),
        authentication: user_group.map(|_| "iam").into_iter().collect(),
        ..told
    }
}

/// What is set in a parameter group; nothing where that was not seen.
fn parameters<'a>(
    inventory: &'a Inventory,
    of: &Address,
    kind: KindId,
    name: Option<&String>,
) -> Option<&'a BTreeMap<String, String>> {
    let at = Address::new(of.region.clone(), kind, Name::new(name?.as_str()).ok()?);
    match &inventory.seen.get(&at)?.attrs {
        AnyAttrs::AuroraClusterParameters(attrs)
        | AnyAttrs::DocumentClusterParameters(attrs)
        | AnyAttrs::RedshiftParameters(attrs) => attrs.parameters.as_ref(),
        _ => None,
    }
}

/// Whether a parameter insists on encryption; the service takes encrypted connections in any case.
fn insists(set: &BTreeMap<String, String>, names: &[&str]) -> Tls {
    let value = names.iter().find_map(|name| set.get(*name));
    let is_on =
        value.is_some_and(|value| ["1", "on", "true"].iter().any(|on| value.eq_ignore_ascii_case(on)));
    if is_on { Tls::Required } else { Tls::Available }
}
