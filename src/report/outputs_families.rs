//! What each family tells of how clients reach it, beside endpoints: names, encryption, and how users prove who they are.
//!
//! **Invariant:** that there is none of something is told only where that was seen; else it is among what was not seen.

use std::collections::{BTreeMap, BTreeSet};

use super::outputs::{StoreOutputs, Tls};
use rgctl_model::address::Address;
use rgctl_model::kinds::elasticache::{
    CacheEngine, ClusterMode, GroupAttrs, ServerlessAttrs, TransitEncryption,
};
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
        | KindId::RedshiftSnapshot
        | KindId::Secret => false,
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
    match &seen.attrs {
        AnyAttrs::AuroraCluster(attrs) => {
            let groups = parameters(
                inventory,
                address,
                KindId::AuroraClusterParameters,
                attrs.parameter_group.as_ref(),
            );
            let by_iam = attrs.iam_authentication == Some(true);
            let tls = groups.map(|set| insists(set, &["rds.force_ssl", "require_secure_transport"]));
            let told = StoreOutputs {
                engine: attrs.engine.map(|engine| engine.as_str().to_owned()),
                database: attrs.database.clone(),
                authentication: std::iter::once("password").chain(by_iam.then_some("iam")).collect(),
                ..told
            };
            let named = (attrs.master_secret.as_ref(), attrs.master_secret_arn.as_ref());
            let access = &with_secret(inventory, address, access, named);
            let kept = attrs.managed_password.filter(|_| attrs.master_secret.is_none());
            first_user(encrypted(told, tls), attrs.master_username.clone(), access, kept)
        }
        AnyAttrs::DocumentCluster(attrs) => {
            let groups = parameters(
                inventory,
                address,
                KindId::DocumentClusterParameters,
                attrs.parameter_group.as_ref(),
            );
            // It is on unless the group says otherwise.
            let tls = groups.map(|set| match set.get("tls").map(String::as_str) {
                Some("disabled") => Tls::Off,
                _ => Tls::Required,
            });
            let told = StoreOutputs {
                engine: Some("documentdb".to_owned()),
                authentication: vec!["password"],
                ..told
            };
            let named = (attrs.master_secret.as_ref(), attrs.master_secret_arn.as_ref());
            let access = &with_secret(inventory, address, access, named);
            let kept = attrs.managed_password.filter(|_| attrs.master_secret.is_none());
            first_user(encrypted(told, tls), attrs.master_username.clone(), access, kept)
        }
        AnyAttrs::CacheGroup(attrs) => group(told, inventory, address, attrs),
        AnyAttrs::CacheServerless(attrs) => serverless_cache(told, inventory, address, attrs),
        AnyAttrs::RedshiftCluster(_) | AnyAttrs::RedshiftWorkgroup(_) => {
            warehouse(told, inventory, address, seen, access)
        }
        _ => told,
    }
}

/// Whether connections are encrypted, as the parameters say where those were seen.
fn encrypted(mut told: StoreOutputs, tls: Option<Tls>) -> StoreOutputs {
    told.not_seen.extend(tls.is_none().then_some("tls"));
    StoreOutputs { tls: Some(tls.unwrap_or(Tls::Unknown)), ..told }
}

/// The same with the secret from which the password was set: one of the store's own, by name, or one that existed, by ARN. What the
/// service keeps is in force where it keeps one.
fn with_secret(
    inventory: &Inventory,
    of: &Address,
    access: &Access,
    (own, arn): (Option<&String>, Option<&String>),
) -> Access {
    let seen = || {
        let at = Address::new(of.region.clone(), KindId::Secret, Name::new(own?.as_str()).ok()?);
        inventory.seen.get(&at)?.facts.access.as_ref()?.secret.clone()
    };
    let secret = access.secret.clone().or_else(|| arn.cloned()).or_else(seen);
    Access { secret, ..access.clone() }
}

/// The first user, with the secret that holds its password. A region that follows has those of its primary.
fn first_user(
    mut told: StoreOutputs,
    name: Option<String>,
    access: &Access,
    is_kept: Option<bool>,
) -> StoreOutputs {
    if told.role != Some("secondary") {
        told.not_seen.extend(name.is_none().then_some("users"));
        let has_none = is_kept == Some(false);
        told.not_seen.extend((access.secret.is_none() && !has_none).then_some("secret"));
    }
    StoreOutputs { users: name.into_iter().collect(), secret: access.secret.clone(), ..told }
}

/// A warehouse, whose first user and database are told by its namespace where it has one.
fn warehouse(
    told: StoreOutputs,
    inventory: &Inventory,
    address: &Address,
    seen: &Observed,
    access: &Access,
) -> StoreOutputs {
    let told = StoreOutputs { engine: Some("redshift".to_owned()), ..told };
    match &seen.attrs {
        AnyAttrs::RedshiftCluster(attrs) => {
            let groups =
                parameters(inventory, address, KindId::RedshiftParameters, attrs.parameter_group.as_ref());
            let tls = groups.map(|set| insists(set, &["require_ssl"]));
            let told = StoreOutputs {
                database: attrs.database.clone(),
                authentication: vec!["password", "iam"],
                ..told
            };
            first_user(encrypted(told, tls), attrs.master_username.clone(), access, attrs.managed_password)
        }
        AnyAttrs::RedshiftWorkgroup(attrs) => {
            let named = attrs.namespace.as_deref().and_then(|name| Name::new(name).ok());
            let at = named.map(|name| Address::new(address.region.clone(), KindId::RedshiftNamespace, name));
            let namespace = at.and_then(|at| inventory.seen.get(&at));
            let mut told = StoreOutputs { tls: Some(Tls::Available), ..told };
            let Some((AnyAttrs::RedshiftNamespace(attrs), facts)) =
                namespace.map(|seen| (&seen.attrs, &seen.facts))
            else {
                told.not_seen.extend(["database", "users", "authentication", "secret"]);
                return told;
            };
            told.database.clone_from(&attrs.database);
            told.authentication = vec!["password", "iam"];
            let access = facts.access.as_deref().cloned().unwrap_or_default();
            first_user(told, attrs.master_username.clone(), &access, attrs.managed_password)
        }
        _ => told,
    }
}

fn group(told: StoreOutputs, inventory: &Inventory, address: &Address, attrs: &GroupAttrs) -> StoreOutputs {
    let tls = match attrs.transit_encryption {
        Some(TransitEncryption::Required) => Tls::Required,
        Some(TransitEncryption::Preferred) => Tls::Available,
        Some(TransitEncryption::Disabled) => Tls::Off,
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

/// Users of a cache and by what they prove who they are: all of them, or none is told. Where there is no group of them, there is
/// nobody to name.
fn cached(
    told: StoreOutputs,
    inventory: &Inventory,
    address: &Address,
    engine: Option<CacheEngine>,
    user_group: Option<&str>,
) -> StoreOutputs {
    let mut told = StoreOutputs { engine: engine.map(|engine| engine.as_str().to_owned()), ..told };
    let Some(name) = user_group.filter(|name| !name.is_empty()) else { return told };
    let at = |kind, name: &str| {
        inventory.seen.get(&Address::new(address.region.clone(), kind, Name::new(name).ok()?))
    };
    let ids = at(KindId::CacheUserGroup, name).and_then(|seen| match &seen.attrs {
        AnyAttrs::CacheUserGroup(attrs) => attrs.users.as_ref(),
        _ => None,
    });
    let users: Option<Vec<&Observed>> =
        ids.and_then(|ids| ids.iter().map(|id| at(KindId::CacheUser, id)).collect());
    let names = users
        .as_ref()
        .and_then(|users| users.iter().map(|user| user.attrs.text("user_name")).collect::<Option<Vec<_>>>());
    let ways = users.as_ref().and_then(|users| {
        let way = |user: &&Observed| Some(user.facts.access.as_ref()?.authentication?.as_str());
        users.iter().map(way).collect::<Option<BTreeSet<_>>>()
    });
    told.not_seen.extend(names.is_none().then_some("users"));
    told.not_seen.extend(ways.is_none().then_some("authentication"));
    told.users = names.unwrap_or_default();
    told.authentication = ways.into_iter().flatten().collect();
    told
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
