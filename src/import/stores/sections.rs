//! The fields of a section, from the objects that it would expand to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ImportedStore, InventoryIndex};
use rgctl_blueprint::families::adopt::Ownership;
use rgctl_blueprint::families::expand::SERVERLESS_CLASS;
use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::Observed;

type Fields = Map<String, Value>;

/// The authority that signs the certificates of members that name none.
const USUAL_AUTHORITY: &str = "rds-ca-rsa2048-g1";

/// The section of a store.
pub(super) fn section(view: &InventoryIndex<'_>, store: &ImportedStore, root: &Observed) -> Fields {
    let mut fields = match store.root.kind {
        KindId::AuroraCluster => database(view, store, root, KindId::AuroraInstance, ("Acu", "acu")),
        KindId::DocumentCluster => database(view, store, root, KindId::DocumentInstance, ("Dcu", "dcu")),
        KindId::CacheGroup => cache(root),
        KindId::CacheServerless => serverless_cache(root),
        KindId::RedshiftCluster => warehouse(store, root),
        _ => serverless_warehouse(view, store, root),
    };
    if is_cache(&root.attrs) {
        let users = users(view, store);
        if !users.is_empty() {
            fields.insert("users".into(), Value::Array(users));
        }
    }
    common(&mut fields, root);
    if let Some(used) = root.facts.used_gib.filter(|used| used.is_finite() && *used >= 1.0) {
        fields.insert("demand".into(), json!({ "dataSize": format!("{used:.0}GiB") }));
    }
    fields
}

/// Copies an attribute into a field of another name, when it is set.
fn copy(fields: &mut Fields, to: &str, attrs: &AnyAttrs, from: &str) {
    if let Some(value) = attrs.get(from).filter(|value| *value != json!([])) {
        fields.insert(to.to_owned(), value);
    }
}

/// What is left out when it is as every section has it.
fn unusual(fields: &mut Fields, to: &str, attrs: &AnyAttrs, from: &str, usual: bool) {
    if attrs.get(from) == Some(Value::Bool(!usual)) {
        fields.insert(to.to_owned(), Value::Bool(!usual));
    }
}

const fn is_cache(attrs: &AnyAttrs) -> bool {
    matches!(attrs, AnyAttrs::CacheGroup(_) | AnyAttrs::CacheServerless(_))
}

fn common(fields: &mut Fields, root: &Observed) {
    let attrs = &root.attrs;
    for encrypted in ["storage_encrypted", "at_rest_encryption", "encrypted"] {
        unusual(fields, "encrypted", attrs, encrypted, true);
    }
    unusual(fields, "deletionProtection", attrs, "deletion_protection", true);
    copy(fields, "port", attrs, "port");
    let days = ["backup_retention_days", "snapshot_retention_days"].iter().find_map(|field| attrs.get(field));
    let days = days.as_ref().and_then(Value::as_u64);
    let mut backup = Fields::new();
    let is_cache = is_cache(attrs);
    if let Some(days) = days.filter(|days| *days > 0 || is_cache) {
        backup.insert("retention".into(), json!(format!("{days}d")));
    }
    if days == Some(0) && is_cache {
        // Nobody keeps copies of it, so that its content can be made anew.
        fields.insert("cache".into(), json!({ "pattern": "cache-aside" }));
    }
    let window = ["backup_window", "snapshot_window"].iter().find_map(|field| attrs.text(field));
    if let Some(window) = window.or_else(|| hour_from(&attrs.text("daily_snapshot_time")?)) {
        backup.insert("window".into(), json!(window));
    }
    if !backup.is_empty() {
        fields.insert("backup".into(), Value::Object(backup));
    }
}

/// The window of an hour from a time of day.
fn hour_from(time: &str) -> Option<String> {
    let (hour, minute) = time.split_once(':')?;
    let hour: u32 = hour.parse().ok()?;
    Some(format!("{hour:02}:{minute}-{:02}:{minute}", (hour + 1) % 24))
}

/// The value that most have; the first in order among equals.
fn most_common(values: impl Iterator<Item = String>) -> Option<String> {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for value in values {
        *counted.entry(value).or_default() += 1;
    }
    let most = counted.values().copied().max()?;
    counted.into_iter().find(|(_, count)| *count == most).map(|(value, _)| value)
}

fn database(
    view: &InventoryIndex<'_>,
    store: &ImportedStore,
    root: &Observed,
    member: KindId,
    (unit, short): (&str, &str),
) -> Fields {
    let attrs = &root.attrs;
    let mut fields = Fields::new();
    let engine = attrs.get("engine").unwrap_or_else(|| json!("documentdb"));
    fields.insert("engine".into(), engine);
    copy(&mut fields, "version", attrs, "engine_version");
    let all: Vec<&Observed> = std::iter::once(&store.root)
        .chain(store.followers.values())
        .flat_map(|address| view.members(address, member))
        .collect();
    let classes = || all.iter().filter_map(|one| one.attrs.text("class"));
    let machines = most_common(classes().filter(|class| class != SERVERLESS_CLASS));
    let bound =
        |which: &str| attrs.get(&format!("serverless_{which}_half_{short}")).as_ref().and_then(Value::as_u64);
    match (machines, bound("min"), bound("max")) {
        (None, Some(min), Some(max)) if classes().next().is_some() => {
            let bounds = json!({ format!("min{unit}"): halves(min), format!("max{unit}"): halves(max) });
            fields.insert("serverless".into(), bounds);
        }
        (Some(class), ..) => {
            fields.insert("class".into(), json!(class));
        }
        _ => {}
    }
    let members = view.members(&store.root, member).len();
    fields.insert("readers".into(), json!(members.saturating_sub(1)));
    if let Some(first) = store.followers.values().next() {
        fields.insert("secondaryReaders".into(), json!(view.members(first, member).len()));
    }
    copy(&mut fields, "storage", attrs, "storage_kind");
    copy(&mut fields, "database", attrs, "database");
    if let Some(arn) = attrs.text("master_secret_arn") {
        fields.insert("masterSecret".into(), json!({ "arn": arn }));
    }
    unusual(&mut fields, "iamAuthentication", attrs, "iam_authentication", true);
    let roles: Vec<Value> = attrs.names("iam_roles").iter().map(|role| cluster_role(role)).collect();
    if !roles.is_empty() {
        fields.insert("roles".into(), Value::Array(roles));
    }
    unusual(&mut fields, "extendedSupport", attrs, "extended_support", true);
    let authorities = all.iter().filter_map(|one| one.attrs.text("ca_certificate"));
    // What new members have anyway is left to the service.
    if let Some(authority) = most_common(authorities).filter(|authority| authority != USUAL_AUTHORITY) {
        fields.insert("certificateAuthority".into(), json!(authority));
    }
    copy(&mut fields, "logs", attrs, "log_exports");
    let is_public = all.iter().any(|one| one.attrs.get("publicly_accessible") == Some(json!(true)));
    if is_public {
        fields.insert("public".into(), json!(true));
    }
    fields
}

/// A role, with the feature that it is for.
fn cluster_role(role: &str) -> Value {
    match role.split_once('=').filter(|_| !role.starts_with("arn:")) {
        Some((feature, arn)) => json!({ "arn": arn, "feature": feature }),
        None => json!({ "arn": role }),
    }
}

/// Half units in units.
fn halves(count: u64) -> Value {
    if count.is_multiple_of(2) { json!(count / 2) } else { json!(count as f64 / 2.0) }
}

fn cache(root: &Observed) -> Fields {
    let attrs = &root.attrs;
    let mut fields = Fields::new();
    for (to, from) in [
        ("engine", "engine"),
        ("version", "engine_version"),
        ("class", "node_type"),
        ("shards", "shards"),
        ("replicasPerShard", "replicas_per_shard"),
        ("clusterMode", "cluster_mode"),
    ] {
        copy(&mut fields, to, attrs, from);
    }
    // What is on the way is taken for what it is on the way to; the plan shows the step that is left.
    if attrs.get("transit_encryption") == Some(json!(false)) {
        fields.insert("tls".into(), json!(false));
    }
    unusual(&mut fields, "dataTiering", attrs, "data_tiering", false);
    fields
}

fn serverless_cache(root: &Observed) -> Fields {
    let attrs = &root.attrs;
    let mut fields = Fields::new();
    copy(&mut fields, "engine", attrs, "engine");
    copy(&mut fields, "version", attrs, "major_engine_version");
    let mut bounds = Fields::new();
    if let Some(gib) = attrs.get("data_max_gib") {
        bounds.insert("maxData".into(), json!(format!("{gib}GiB")));
    }
    copy(&mut bounds, "maxEcpuPerSecond", attrs, "ecpu_max_per_second");
    fields.insert("serverless".into(), Value::Object(bounds));
    fields
}

/// The users of the store's own group.
fn users(view: &InventoryIndex<'_>, store: &ImportedStore) -> Vec<Value> {
    let region = &store.root.region;
    let own =
        |part: &&super::Part| part.kind == KindId::CacheUser && part.region == *region && part.name.is_some();
    let user = |part: &super::Part| {
        let name = part.name.as_deref()?;
        let address = Address::new(region.clone(), part.kind, rgctl_schema::names::Name::new(name).ok()?);
        let access = view.seen(&address).and_then(|seen| seen.attrs.text("access"));
        Some(match access.filter(|_| part.ownership == Ownership::Own) {
            Some(access) => json!({ "name": name, "access": access }),
            None => json!({ "name": name }),
        })
    };
    store.parts.iter().filter(own).filter_map(user).collect()
}

fn warehouse(store: &ImportedStore, root: &Observed) -> Fields {
    let attrs = &root.attrs;
    let mut fields = Fields::new();
    fields.insert("engine".into(), json!("redshift"));
    copy(&mut fields, "class", attrs, "node_type");
    copy(&mut fields, "nodes", attrs, "nodes");
    copy(&mut fields, "database", attrs, "database");
    copy(&mut fields, "roles", attrs, "iam_roles");
    copy(&mut fields, "defaultRole", attrs, "default_iam_role");
    unusual(&mut fields, "multiZone", attrs, "multi_az", false);
    unusual(&mut fields, "public", attrs, "publicly_accessible", false);
    if let Some(days) = attrs.get("snapshot_copy_retention_days").filter(|_| !store.copies.is_empty()) {
        fields.insert("snapshotCopy".into(), json!({ "retention": format!("{days}d") }));
    }
    fields
}

fn serverless_warehouse(view: &InventoryIndex<'_>, store: &ImportedStore, root: &Observed) -> Fields {
    let mut fields = Fields::new();
    fields.insert("engine".into(), json!("redshift"));
    copy(&mut fields, "database", &root.attrs, "database");
    copy(&mut fields, "logs", &root.attrs, "log_exports");
    let mut bounds = Fields::new();
    if let Some(group) = view.members(&store.root, KindId::RedshiftWorkgroup).first() {
        copy(&mut bounds, "baseRpu", &group.attrs, "base_rpu");
        copy(&mut bounds, "maxRpu", &group.attrs, "max_rpu");
        copy(&mut fields, "port", &group.attrs, "port");
        unusual(&mut fields, "public", &group.attrs, "publicly_accessible", false);
    }
    fields.insert("serverless".into(), Value::Object(bounds));
    fields
}
