//! Aurora: subnet group, parameter groups, cluster, members, global cluster.

use super::secret::{FirstUser, first_user};
use super::{BACKUP_DAYS, Builder, ExpandError, Placement, leading, set, with_parameters};
use crate::families::aurora::{AuroraStore, ClusterRole};
use crate::families::size::Level;
use rgctl_model::address::Address;
use rgctl_model::kinds::aurora::{AuroraEngine, ClusterAttrs, GlobalAttrs, InstanceAttrs};
use rgctl_model::kinds::shared::{EngineVersion, ParameterGroupAttrs, SubnetGroupAttrs};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::Node;
use rgctl_model::overlay::Axis;
use rgctl_schema::names::Name;

/// Class of serverless members.
pub const SERVERLESS_CLASS: &str = "db.serverless";
/// The last tier of promotion.
const TIER_MAX: u32 = 15;
/// Name of the first user; `admin` is reserved on PostgreSQL.
const MASTER: &str = "rgctladmin";

pub(super) fn nodes(
    store: &AuroraStore,
    site: &Placement<'_>,
    level: Level,
) -> Result<Vec<Node>, ExpandError> {
    let mut build = Builder::new(&store.common, site);
    let id = build.id()?;
    let version = build.version()?;
    let text = build.description();
    let subnets = SubnetGroupAttrs { description: Some(text.clone()), subnets: Some(build.subnets()) };
    let subnets = build.add(KindId::RdsSubnetGroup, &id, AnyAttrs::RdsSubnetGroup(subnets), &[]);
    let Groups { group, is_moved, parameters, member_parameters } =
        groups(store, &mut build, &version, text)?;

    let mut needs = vec![&subnets, &parameters];
    if is_moved {
        needs.push(&member_parameters);
    }
    let global_name = build.global_id()?;
    let global = Address::new(site.primary.clone(), KindId::AuroraGlobal, global_name.clone());
    if site.is_secondary() {
        needs.push(&global);
    }
    let user = first_user(&mut build, MASTER, store.master_secret.as_ref())?;
    needs.extend(user.secret.as_ref());
    let attrs = ClusterAttrs {
        parameter_group: Some(group.to_string()),
        instance_parameter_group: is_moved.then(|| group.to_string()),
        ..cluster(store, &build, &user, &version, level)?
    };
    let cluster = build.add(KindId::AuroraCluster, &id, AnyAttrs::AuroraCluster(attrs), &needs);

    let members = site.size.units(Axis::Readers, level) + u32::from(!site.is_secondary());
    let class = if store.serverless.is_some() { SERVERLESS_CLASS.to_owned() } else { build.class()? };
    let mut first = None;
    for number in 1..=members.max(1) {
        let name = build.name_of(&format!("{id}-{number}"), Name::MAX)?;
        let attrs = InstanceAttrs {
            cluster: Some(id.to_string()),
            engine: Some(store.engine),
            class: Some(class.clone()),
            parameter_group: Some(group.to_string()),
            promotion_tier: Some((number - 1).min(TIER_MAX)),
            zone: build.zone(number),
            publicly_accessible: Some(store.common.public),
            auto_minor_version_upgrade: Some(true),
            performance_insights: None,
            ca_certificate: store.certificate_authority.clone(),
        };
        let mut needs = vec![&cluster, &member_parameters];
        needs.extend(first.as_ref());
        let address = build.add(KindId::AuroraInstance, &name, AnyAttrs::AuroraInstance(attrs), &needs);
        first.get_or_insert(address);
    }
    if site.is_replicated() && !site.is_secondary() {
        let attrs = GlobalAttrs {
            source: Some(id.to_string()),
            source_region: Some(site.primary.to_string()),
            engine: Some(store.engine),
            engine_version: Some(EngineVersion(version)),
            deletion_protection: Some(store.common.deletion_protection),
            // Of global databases the service takes it for PostgreSQL alone (RDS API reference, `CreateGlobalCluster`).
            extended_support: store.extended_support.filter(|_| store.engine == AuroraEngine::Postgresql),
        };
        let needs: Vec<_> = std::iter::once(&cluster).chain(first.as_ref()).collect();
        build.add(KindId::AuroraGlobal, &global_name, AnyAttrs::AuroraGlobal(attrs), &needs);
    }
    Ok(build.nodes)
}

/// The parameter groups of a version.
struct Groups {
    /// Their name.
    group: Name,
    /// Whether it is another one than that of the store.
    is_moved: bool,
    parameters: Address,
    member_parameters: Address,
}

fn groups(
    store: &AuroraStore,
    build: &mut Builder<'_>,
    version: &str,
    text: String,
) -> Result<Groups, ExpandError> {
    let (family, transport) = parameter_family(store.engine, version);
    let ours: Vec<_> = std::iter::once(transport).chain(log_switches(store)).collect();
    let (group, is_moved) = build.group(&build.id()?, &family)?;
    let cluster_parameters = ParameterGroupAttrs {
        family: Some(family.clone()),
        description: Some(text.clone()),
        parameters: Some(with_parameters(&ours, &store.parameters)),
    };
    let wrapped = AnyAttrs::AuroraClusterParameters(cluster_parameters);
    let parameters = build.add(KindId::AuroraClusterParameters, &group, wrapped, &[]);
    let member_parameters = ParameterGroupAttrs {
        family: Some(family),
        description: Some(text),
        parameters: Some(with_parameters(&[], &std::collections::BTreeMap::new())),
    };
    let wrapped = AnyAttrs::AuroraInstanceParameters(member_parameters);
    let member_parameters = build.add(KindId::AuroraInstanceParameters, &group, wrapped, &[]);
    Ok(Groups { group, is_moved, parameters, member_parameters })
}

/// Family of parameters of a version, and the parameter that lets only encrypted connections in.
fn parameter_family(engine: AuroraEngine, version: &str) -> (String, (&'static str, &'static str)) {
    match engine {
        AuroraEngine::Mysql => {
            (format!("aurora-mysql{}", leading(version, 2)), ("require_secure_transport", "ON"))
        }
        AuroraEngine::Postgresql => {
            (format!("aurora-postgresql{}", leading(version, 1)), ("rds.force_ssl", "1"))
        }
    }
}

/// The parameters without which a log that is exported stays empty, on for the logs that are wanted and off for the others.
/// Source: Aurora guide, "Publishing Aurora MySQL logs to CloudWatch Logs" and "Using advanced auditing", by which no event is
/// audited unless it is named; the error log, and all that PostgreSQL has, are written as they are.
fn log_switches(store: &AuroraStore) -> Vec<(&'static str, &'static str)> {
    if store.engine == AuroraEngine::Postgresql {
        return Vec::new();
    }
    let on = |log: &str| if store.logs.iter().any(|given| given == log) { "1" } else { "0" };
    let mut switches = vec![
        ("slow_query_log", on("slowquery")),
        ("general_log", on("general")),
        ("server_audit_logging", on("audit")),
    ];
    if on("audit") == "1" {
        switches.push(("server_audit_events", "CONNECT,QUERY_DCL,QUERY_DDL"));
    }
    switches
}

/// Roles as attributes have them; where none is named, nothing is wished of them.
fn roles(store: &AuroraStore) -> Option<std::collections::BTreeSet<String>> {
    let written = |role: &ClusterRole| match &role.feature {
        Some(feature) => format!("{feature}={}", role.arn),
        None => role.arn.clone(),
    };
    (!store.roles.is_empty()).then(|| store.roles.iter().map(written).collect())
}

fn cluster(
    store: &AuroraStore,
    build: &Builder<'_>,
    user: &FirstUser,
    version: &str,
    level: Level,
) -> Result<ClusterAttrs, ExpandError> {
    let id = build.id()?.to_string();
    let secondary = build.site.is_secondary();
    let usual_port = match store.engine {
        AuroraEngine::Mysql => 3306,
        AuroraEngine::Postgresql => 5432,
    };
    let serverless = store.serverless.as_ref();
    Ok(ClusterAttrs {
        engine: Some(store.engine),
        engine_version: Some(EngineVersion(version.to_owned())),
        parameter_group: None,
        instance_parameter_group: None,
        subnet_group: Some(id),
        security_groups: Some(build.security_groups()),
        port: Some(store.common.port.unwrap_or(usual_port)),
        storage_encrypted: Some(store.common.encrypted),
        kms_key: build.kms_key(),
        storage_kind: Some(build.site.size.storage),
        backup_retention_days: Some(build.backup_days(BACKUP_DAYS).max(1)),
        backup_window: build.backup_window(),
        maintenance_window: build.maintenance(),
        deletion_protection: Some(store.common.deletion_protection),
        // A secondary has the users and databases of its primary.
        database: store.database.clone().filter(|_| !secondary),
        master_username: user.name.clone(),
        managed_password: user.managed,
        master_secret: user.secret_name(),
        master_secret_arn: user.arn.clone(),
        iam_authentication: Some(store.iam_authentication),
        iam_roles: roles(store),
        log_exports: Some(set(&store.logs)),
        copy_tags_to_snapshot: Some(true),
        extended_support: store.extended_support,
        serverless_min_half_acu: serverless.map(|bounds| bounds.min_acu.0),
        serverless_max_half_acu: serverless.map(|_| build.site.size.units(Axis::CapacityUnits, level)),
        global: if secondary { Some(build.global_id()?.to_string()) } else { None },
    })
}
