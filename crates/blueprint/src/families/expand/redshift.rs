//! Redshift: subnet group, parameter group and cluster, or namespace and workgroup. Other regions get copies of snapshots.

use super::{BACKUP_DAYS, Builder, ExpandError, Placement, days, set, with_parameters};
use crate::families::redshift::WarehouseStore;
use crate::families::size::Level;
use rgctl_model::kinds::redshift::{ClusterAttrs, NO_COPY, NamespaceAttrs, WorkgroupAttrs};
use rgctl_model::kinds::shared::{ParameterGroupAttrs, SubnetGroupAttrs};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::Node;
use rgctl_model::overlay::Axis;
use rgctl_schema::names::Name;

/// The engine's usual port.
const PORT: u16 = 5439;
/// Name of the first database when the section names none; the service's own choice.
const DATABASE: &str = "dev";
/// Name of the first user.
const MASTER: &str = "rgctladmin";
/// Family of parameters (management guide, 2026).
const PARAMETER_FAMILY: &str = "redshift-1.0";
/// Days that copied snapshots are kept when the section does not say; the service's own choice.
const COPY_DAYS: u32 = 7;

pub(super) fn nodes(
    store: &WarehouseStore,
    site: &Placement<'_>,
    level: Level,
) -> Result<Vec<Node>, ExpandError> {
    let mut build = Builder::new(&store.common, site);
    // A second region holds copies of snapshots, which the primary's cluster sends: nothing is made there.
    if site.is_secondary() {
        return Ok(Vec::new());
    }
    let id = build.id()?;
    if let Some(bounds) = &store.serverless {
        let attrs = namespace(store, &build);
        let namespace = build.add(KindId::RedshiftNamespace, &id, AnyAttrs::RedshiftNamespace(attrs), &[]);
        let most = site.size.units(Axis::CapacityUnits, level);
        let attrs = WorkgroupAttrs {
            namespace: Some(id.to_string()),
            base_rpu: Some(bounds.base_rpu),
            max_rpu: bounds.max_rpu.map(|_| most),
            subnets: Some(build.subnets()),
            security_groups: Some(build.security_groups()),
            publicly_accessible: Some(store.common.public),
            enhanced_vpc_routing: Some(true),
            port: Some(store.common.port.unwrap_or(PORT)),
        };
        build.add(KindId::RedshiftWorkgroup, &id, AnyAttrs::RedshiftWorkgroup(attrs), &[&namespace]);
        return Ok(build.nodes);
    }
    let text = build.description();
    let subnets = SubnetGroupAttrs { description: Some(text.clone()), subnets: Some(build.subnets()) };
    let subnets = build.add(KindId::RedshiftSubnetGroup, &id, AnyAttrs::RedshiftSubnetGroup(subnets), &[]);
    let activity = store.logs.iter().any(|log| log == "useractivitylog");
    let ours =
        [("require_ssl", "true"), ("enable_user_activity_logging", if activity { "true" } else { "false" })];
    let attrs = ParameterGroupAttrs {
        family: Some(PARAMETER_FAMILY.to_owned()),
        description: Some(text),
        parameters: Some(with_parameters(&ours, &store.parameters)),
    };
    let parameters = build.add(KindId::RedshiftParameters, &id, AnyAttrs::RedshiftParameters(attrs), &[]);
    let attrs = cluster(store, &build, &id, level)?;
    build.add(KindId::RedshiftCluster, &id, AnyAttrs::RedshiftCluster(attrs), &[&subnets, &parameters]);
    Ok(build.nodes)
}

fn namespace(store: &WarehouseStore, build: &Builder<'_>) -> NamespaceAttrs {
    NamespaceAttrs {
        database: Some(store.database.clone().unwrap_or_else(|| DATABASE.to_owned())),
        master_username: Some(MASTER.to_owned()),
        managed_password: Some(true),
        kms_key: build.kms_key(),
        log_exports: Some(set(&store.logs)),
    }
}

fn cluster(
    store: &WarehouseStore,
    build: &Builder<'_>,
    id: &Name,
    level: Level,
) -> Result<ClusterAttrs, ExpandError> {
    let copy_to = build.site.secondaries.first();
    let copy_days = store.snapshot_copy.as_ref().map_or(COPY_DAYS, |copy| days(copy.retention));
    Ok(ClusterAttrs {
        node_type: Some(build.class()?),
        nodes: Some(build.site.size.units(Axis::Nodes, level).max(1)),
        database: Some(store.database.clone().unwrap_or_else(|| DATABASE.to_owned())),
        master_username: Some(MASTER.to_owned()),
        managed_password: Some(true),
        subnet_group: Some(id.to_string()),
        security_groups: Some(build.security_groups()),
        parameter_group: Some(id.to_string()),
        encrypted: Some(store.common.encrypted),
        kms_key: build.kms_key(),
        snapshot_retention_days: Some(build.backup_days(BACKUP_DAYS)),
        maintenance_window: build.maintenance(),
        publicly_accessible: Some(store.common.public),
        enhanced_vpc_routing: Some(true),
        multi_az: Some(store.multi_zone),
        port: Some(store.common.port.unwrap_or(PORT)),
        // Said also when there are none, so that copies end when the last secondary region goes.
        snapshot_copy_region: Some(copy_to.map_or_else(|| NO_COPY.to_owned(), ToString::to_string)),
        snapshot_copy_retention_days: copy_to.map(|_| copy_days),
        iam_roles: (!store.roles.is_empty()).then(|| set(&store.roles)),
        default_iam_role: store.default_role.clone(),
        paused: build.site.paused,
    })
}
