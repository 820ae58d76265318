//! DocumentDB: subnet group, parameter group, cluster, members, global cluster.

use super::secret::{FirstUser, first_user};
use super::{BACKUP_DAYS, Builder, ExpandError, Placement, leading, set, with_parameters};
use crate::families::documentdb::DocumentStore;
use crate::families::size::Level;
use rgctl_model::address::Address;
use rgctl_model::kinds::documentdb::{ClusterAttrs, GlobalAttrs, InstanceAttrs};
use rgctl_model::kinds::shared::{EngineVersion, ParameterGroupAttrs, SubnetGroupAttrs};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::Node;
use rgctl_model::overlay::Axis;
use rgctl_schema::names::Name;

/// The last tier of promotion.
const TIER_MAX: u32 = 15;
/// The engine's usual port.
const PORT: u16 = 27_017;
/// Name of the first user; `admin` is reserved.
const MASTER: &str = "rgctladmin";

pub(super) fn nodes(
    store: &DocumentStore,
    site: &Placement<'_>,
    level: Level,
) -> Result<Vec<Node>, ExpandError> {
    let mut build = Builder::new(&store.common, site);
    let id = build.id()?;
    let version = build.version()?;
    let family = format!("docdb{}", leading(&version, 2));
    let (group, _) = build.group(&id, &family)?;
    let text = build.description();
    let subnets = SubnetGroupAttrs { description: Some(text.clone()), subnets: Some(build.subnets()) };
    let subnets = build.add(KindId::RdsSubnetGroup, &id, AnyAttrs::RdsSubnetGroup(subnets), &[]);
    let on = |yes: bool| if yes { "enabled" } else { "disabled" };
    let logs = |log: &str| on(store.logs.iter().any(|given| given == log));
    let ours = [("tls", on(store.tls)), ("audit_logs", logs("audit")), ("profiler", logs("profiler"))];
    let attrs = ParameterGroupAttrs {
        family: Some(family),
        description: Some(text),
        parameters: Some(with_parameters(&ours, &store.parameters)),
    };
    let wrapped = AnyAttrs::DocumentClusterParameters(attrs);
    let parameters = build.add(KindId::DocumentClusterParameters, &group, wrapped, &[]);

    let global_name = build.global_id()?;
    let global = Address::new(site.primary.clone(), KindId::DocumentGlobal, global_name.clone());
    let mut needs = vec![&subnets, &parameters];
    if site.is_secondary() {
        needs.push(&global);
    }
    let user = first_user(&mut build, MASTER, store.master_secret.as_ref())?;
    needs.extend(user.secret.as_ref());
    let attrs = ClusterAttrs {
        parameter_group: Some(group.to_string()),
        ..cluster(store, &build, &user, version, level)?
    };
    let cluster = build.add(KindId::DocumentCluster, &id, AnyAttrs::DocumentCluster(attrs), &needs);

    let members = site.size.units(Axis::Readers, level) + u32::from(!site.is_secondary());
    let serverless = super::aurora::SERVERLESS_CLASS;
    let class = if store.serverless.is_some() { serverless.to_owned() } else { build.class()? };
    let mut first = None;
    for number in 1..=members.max(1) {
        let name = build.name_of(&format!("{id}-{number}"), Name::MAX)?;
        let attrs = InstanceAttrs {
            cluster: Some(id.to_string()),
            class: Some(class.clone()),
            promotion_tier: Some((number - 1).min(TIER_MAX)),
            zone: build.zone(number),
            auto_minor_version_upgrade: Some(true),
            performance_insights: None,
            ca_certificate: store.certificate_authority.clone(),
        };
        let mut needs = vec![&cluster];
        needs.extend(first.as_ref());
        let address = build.add(KindId::DocumentInstance, &name, AnyAttrs::DocumentInstance(attrs), &needs);
        first.get_or_insert(address);
    }
    if site.is_replicated() && !site.is_secondary() {
        let attrs = GlobalAttrs {
            source: Some(id.to_string()),
            source_region: Some(site.primary.to_string()),
            deletion_protection: Some(store.common.deletion_protection),
        };
        let needs: Vec<_> = std::iter::once(&cluster).chain(first.as_ref()).collect();
        build.add(KindId::DocumentGlobal, &global_name, AnyAttrs::DocumentGlobal(attrs), &needs);
    }
    Ok(build.nodes)
}

fn cluster(
    store: &DocumentStore,
    build: &Builder<'_>,
    user: &FirstUser,
    version: String,
    level: Level,
) -> Result<ClusterAttrs, ExpandError> {
    let id = build.id()?.to_string();
    let secondary = build.site.is_secondary();
    let serverless = store.serverless.as_ref();
    Ok(ClusterAttrs {
        engine_version: Some(EngineVersion(version)),
        parameter_group: None,
        subnet_group: Some(id),
        security_groups: Some(build.security_groups()),
        port: Some(store.common.port.unwrap_or(PORT)),
        storage_encrypted: Some(store.common.encrypted),
        kms_key: build.kms_key(),
        storage_kind: Some(build.site.size.storage),
        backup_retention_days: Some(build.backup_days(BACKUP_DAYS).max(1)),
        backup_window: build.backup_window(),
        maintenance_window: build.maintenance(),
        deletion_protection: Some(store.common.deletion_protection),
        master_username: user.name.clone(),
        managed_password: user.managed,
        master_secret: user.secret_name(),
        master_secret_arn: user.arn.clone(),
        log_exports: Some(set(&store.logs)),
        serverless_min_half_dcu: serverless.map(|bounds| bounds.min_dcu.0),
        serverless_max_half_dcu: serverless.map(|_| build.site.size.units(Axis::CapacityUnits, level)),
        global: if secondary { Some(build.global_id()?.to_string()) } else { None },
    })
}
