//! What the services refuse, with the codes that they refuse it with.
//!
//! Goes in: the world and a call. Comes out: nothing, or the error that the real adapter would make of the code.
//!
//! **Invariant:** these functions look and never change an object. (Faults that refuse are used up.)

use rgctl_model::address::Address;
use rgctl_model::kinds::shared::EngineVersion;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::ports::CloudError;
use rgctl_schema::names::{Name, Partition};
use rgctl_schema::phase::{Phase, Role};

use super::size;
use super::state::{Fault, Object, parent_of};
use super::tables::{self, ChangeEffect, RequestedChange, WhileNamed, WhileStopped};
use super::world::World;

/// Members of one cluster: a writer and 15 readers.
const MEMBERS_MAX: usize = 16;
/// Replicas of one shard.
const REPLICAS_MAX: u64 = 5;
/// Nodes of one sharded cache.
const CACHE_NODES_MAX: u64 = 500;
/// Nodes of one warehouse.
const WAREHOUSE_NODES_MAX: u64 = 128;

pub(super) fn missing(address: &Address) -> CloudError {
    CloudError::NotFound { what: address.to_string() }
}

pub(super) fn busy(address: &Address, phase: Phase) -> CloudError {
    CloudError::Busy { phase, code: tables::of(address.kind).codes.state.to_owned() }
}

pub(super) fn refused(code: &str, message: String) -> CloudError {
    CloudError::Refused { code: code.to_owned(), message }
}

fn in_use(address: &Address) -> CloudError {
    CloudError::Busy { phase: Phase::Ready, code: tables::of(address.kind).codes.in_use.to_owned() }
}

/// The services keep no password of a member of a global database: it has to be off before a region is added (Aurora user guide,
/// "Password management with Amazon Aurora and AWS Secrets Manager", limitations, and "Limitations of Amazon Aurora global
/// databases"; DocumentDB guide, "Password management with Amazon DocumentDB and AWS Secrets Manager", limitations).
fn refuse_outside_global(address: &Address, attrs: &AnyAttrs) -> Result<(), CloudError> {
    let behaviour = tables::of(address.kind);
    let is_on = |field: &str| attrs.get(field).and_then(|value| value.as_bool()) == Some(true);
    match behaviour.outside_global.filter(|field| is_on(field)) {
        Some(field) => {
            let message = format!("{field} of {address} is not supported for members of a global database");
            Err(refused(behaviour.codes.combination, message))
        }
        None => Ok(()),
    }
}

/// Whether a field that goes alone has only such company as the service wants with it: ModifyReplicationGroup and ModifyDBCluster take
/// a newer version and the group of parameters for it in one call, and an engine with its version; ModifyDBInstance takes a class and a
/// certificate authority in one ("one or more database configuration parameters"; API references of them).
fn goes_with(one: &RequestedChange, all: &[RequestedChange]) -> bool {
    let is_asked = |field: Option<&str>| all.iter().any(|other| Some(other.field) == field);
    all.iter().all(|other| {
        other.field == one.field
            || one.with == Some(other.field)
            || other.with == Some(one.field)
            || one.with == other.with && is_asked(one.with)
    })
}

/// A password that the service keeps goes for another one in the same call, and none is given beside it (RDS API reference,
/// `ModifyDBCluster`, `ManageMasterUserPassword` and `MasterUserPassword`).
fn refuse_password(
    address: &Address,
    wanted: &AnyAttrs,
    asked: &[RequestedChange],
) -> Result<(), CloudError> {
    if !asked.iter().any(|asked| asked.field == "managed_password") {
        return Ok(());
    }
    let is_kept = wanted.get("managed_password").and_then(|value| value.as_bool()) == Some(true);
    let given = wanted.text("master_secret").or_else(|| wanted.text("master_secret_arn"));
    let message = match (is_kept, given) {
        (true, Some(_)) => "a password was given that the service is to make itself",
        (false, None) if tables::of(address.kind).outside_global.is_some() => {
            "no password was given in the place of the one that the service keeps"
        }
        _ => return Ok(()),
    };
    Err(refused(tables::of(address.kind).codes.combination, format!("{address}: {message}")))
}

impl World {
    pub(super) fn refuse_create(&mut self, address: &Address, wanted: &AnyAttrs) -> Result<(), CloudError> {
        if wanted.kind() != address.kind {
            return Err(refused("InvalidParameterCombination", format!("{address} is of another kind")));
        }
        let taken = self.objects.contains_key(address)
            || (address.kind.facts().is_global
                && self
                    .find_global(address.kind, address.name.as_str(), Partition::of(&address.region))
                    .is_some());
        let is_hidden = |fault: &Fault| matches!(fault, Fault::NameTaken { name } if name.as_ref().is_none_or(|name| *name == address.name));
        if taken || self.strike(address, "create", is_hidden).is_some() {
            return Err(CloudError::Conflict { what: address.to_string() });
        }
        self.refuse_references(address, wanted)?;
        self.refuse_numbers(address, wanted, None)?;
        self.refuse_quota(address)?;
        self.refuse_class(address, wanted, "create")?;
        if let Some(parent) = parent_of(address, wanted) {
            self.refuse_member(address, &parent)?;
        }
        if address.kind.facts().is_global
            && let Some(source) = Self::source_of(address, wanted)
        {
            let object = self.objects.get(&source).ok_or_else(|| missing(&source))?;
            if !object.is_ready() {
                return Err(busy(&source, object.phase()));
            }
            if self.global_of(&source).is_some() {
                let message = format!("{source} is a member of a global object already");
                return Err(refused(tables::of(address.kind).codes.combination, message));
            }
            refuse_outside_global(&source, &object.attrs)?;
        }
        if let (Some(kind), Some(name)) = (address.kind.global_kind(), wanted.text("global")) {
            self.refuse_join(address, wanted, kind, &name)?;
        }
        Ok(())
    }

    fn refuse_join(
        &self,
        address: &Address,
        wanted: &AnyAttrs,
        kind: KindId,
        name: &str,
    ) -> Result<(), CloudError> {
        let global = self
            .find_global(kind, name, Partition::of(&address.region))
            .ok_or_else(|| CloudError::NotFound { what: format!("{kind}/{name}") })?;
        let state = self.objects.get(global).ok_or_else(|| missing(global))?;
        if !state.is_ready() {
            return Err(busy(global, state.phase()));
        }
        refuse_outside_global(address, wanted)?;
        if state.members.iter().any(|member| member.region == address.region) {
            return Err(refused(
                tables::of(address.kind).codes.combination,
                format!("{global} has a member in {}", address.region),
            ));
        }
        let primary = state
            .members
            .iter()
            .find(|member| member.role == Role::Writer)
            .and_then(|member| Self::member_address(global, &member.region, &member.name))
            .and_then(|primary| self.objects.get_key_value(&primary));
        if let Some((primary, object)) = primary {
            let has_writer = !tables::of(address.kind).one_at_a_time
                || self.children(primary).any(|(_, m)| m.role == Some(Role::Writer) && m.serves());
            if !object.is_ready() || !has_writer {
                return Err(busy(primary, object.phase()));
            }
            let version = |attrs: &AnyAttrs| attrs.text("engine_version");
            if let (Some(wanted), Some(has)) = (version(wanted), version(&object.attrs))
                && wanted != has
            {
                let message = format!("{primary} has version {has}, not {wanted}");
                return Err(refused(tables::of(address.kind).codes.combination, message));
            }
        }
        Ok(())
    }

    fn refuse_member(&self, address: &Address, parent: &Address) -> Result<(), CloudError> {
        let cluster = self.objects.get(parent).ok_or_else(|| missing(parent))?;
        if !cluster.is_ready() {
            return Err(busy(parent, cluster.phase()));
        }
        let others = match self.global_of(parent).and_then(|global| self.objects.get(global)) {
            // The primary of a global cluster feeds each secondary in place of a reader.
            Some(global) if cluster.role == Some(Role::Writer) => global.members.len().saturating_sub(1),
            _ => 0,
        };
        let members = self.children(parent).count();
        if members + 1 + others > MEMBERS_MAX {
            let message = format!("{parent} has {members} members, no more are allowed");
            return Err(refused(tables::of(address.kind).codes.combination, message));
        }
        Ok(())
    }

    /// Everything that the attributes name must exist.
    fn refuse_references(&self, address: &Address, wanted: &AnyAttrs) -> Result<(), CloudError> {
        for reference in address.kind.references() {
            // Groups and users named `default` come with the account.
            for name in wanted.names(reference.field).into_iter().filter(|name| !name.starts_with("default"))
            {
                let target = Name::new(name.clone())
                    .ok()
                    .map(|name| Address::new(address.region.clone(), reference.kind, name));
                if target.is_none_or(|target| !self.objects.contains_key(&target)) {
                    return Err(CloudError::NotFound { what: format!("{}/{name}", reference.kind) });
                }
            }
        }
        Ok(())
    }

    fn refuse_quota(&mut self, address: &Address) -> Result<(), CloudError> {
        let Some(Fault::Quota { limit }) =
            self.strike(address, "create", |f| matches!(f, Fault::Quota { .. }))
        else {
            return Ok(());
        };
        let has = self.in_region(&address.region, address.kind).count();
        if has >= usize::try_from(limit).unwrap_or(usize::MAX) {
            let code = tables::of(address.kind).codes.quota;
            return Err(refused(
                code,
                format!("{has} of {limit} {} in {} are in use", address.kind, address.region),
            ));
        }
        Ok(())
    }

    fn refuse_class(
        &mut self,
        address: &Address,
        wanted: &AnyAttrs,
        operation: &str,
    ) -> Result<(), CloudError> {
        let Some(class) = size::class_of(wanted) else { return Ok(()) };
        if size::vcpus(&class).is_none() {
            let message = format!("{class} is not offered in {}", address.region);
            return Err(refused(tables::of(address.kind).codes.combination, message));
        }
        let none_left = self.strike(address, operation, |fault| {
            matches!(fault, Fault::Capacity { class: which } if which.as_ref().is_none_or(|w| *w == class))
        });
        match none_left {
            Some(_) => Err(CloudError::Exhausted {
                what: class,
                code: tables::of(address.kind).codes.capacity.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Counts of nodes, and whether the data would fit.
    fn refuse_numbers(
        &self,
        address: &Address,
        wanted: &AnyAttrs,
        has: Option<&Object>,
    ) -> Result<(), CloudError> {
        let codes = &tables::of(address.kind).codes;
        let number = |field: &str| {
            wanted.get(field).and_then(|v| v.as_u64()).or_else(|| has.and_then(|o| o.number(field)))
        };
        let invalid = |message: &str| Err(refused(codes.combination, format!("{address}: {message}")));
        if let Some(shards) = number("shards") {
            let replicas = number("replicas_per_shard").unwrap_or(0);
            if shards < 1 {
                return invalid("at least one shard is needed");
            }
            if replicas > REPLICAS_MAX {
                return invalid("at most 5 replicas are allowed");
            }
            let asked = shards.saturating_mul(1 + replicas);
            // What does not grow is not refused: a secondary follows the shards of its primary, whatever its replicas.
            if asked > CACHE_NODES_MAX && asked > has.map_or(0, |object| size::nodes_of(&object.attrs)) {
                return Err(refused(codes.nodes, format!("{address}: more than {CACHE_NODES_MAX} nodes")));
            }
            let flag = |field: &str| {
                wanted.get(field).or_else(|| has.and_then(|o| o.attrs.get(field))).and_then(|v| v.as_bool())
            };
            let mode = wanted
                .text("cluster_mode")
                .or_else(|| has.and_then(|object| object.attrs.text("cluster_mode")));
            // A sharded cache says that it fails over by itself, even where no shard has a replica.
            if flag("automatic_failover") == Some(true) && replicas == 0 && mode.as_deref() != Some("enabled")
            {
                return invalid("automatic failover needs a replica");
            }
            if mode.as_deref() == Some("disabled") && shards > 1 {
                return invalid("more than one shard needs cluster mode");
            }
        }
        if let Some(nodes) = number("nodes") {
            if nodes < 1 {
                return invalid("at least one node is needed");
            }
            if nodes > WAREHOUSE_NODES_MAX && nodes > has.and_then(|o| o.number("nodes")).unwrap_or(0) {
                return Err(refused(
                    codes.nodes,
                    format!("{address}: more than {WAREHOUSE_NODES_MAX} nodes"),
                ));
            }
        }
        let Some(has) = has else { return Ok(()) };
        let mut after = has.attrs.clone();
        after.overlay(wanted);
        if let (Some(room), Some(used)) = (size::room_gib(&after), self.used_gib(address))
            && used > room
        {
            return invalid(&format!("{used:.0} GiB in use do not fit into {room:.0} GiB"));
        }
        Ok(())
    }

    pub(super) fn refuse_modify(
        &mut self,
        address: &Address,
        wanted: &AnyAttrs,
        asked: &[RequestedChange],
    ) -> Result<(), CloudError> {
        let object = self.objects.get(address).ok_or_else(|| missing(address))?;
        let phase = object.phase();
        let wakes = phase == Phase::Stopped && asked.iter().all(|asked| asked.field == "paused");
        if !(phase.is_ready() || wakes) {
            return Err(busy(address, phase));
        }
        let mut whole = object.attrs.clone();
        whole.overlay(wanted);
        let is_fixed = |asked: &&RequestedChange| asked.takes == ChangeEffect::Fixed;
        if let Some(fixed) = tables::asked(&whole, &object.attrs).iter().find(is_fixed) {
            let value = |attrs: &AnyAttrs| attrs.get(fixed.field).unwrap_or_default();
            let (before, after) = (value(&object.attrs), value(wanted));
            let message = format!("{} cannot be changed from {before} to {after}", fixed.field);
            return Err(refused(tables::of(address.kind).codes.combination, message));
        }
        if let Some(fixed) = asked.iter().find(|asked| !asked.of_member)
            && let Some(global) = self.global_of(address)
        {
            let message = format!("{} cannot be changed of a member of {global}", fixed.field);
            return Err(refused(tables::of(address.kind).codes.combination, message));
        }
        if wanted.get("paused") == Some(true.into()) && asked.iter().any(|asked| asked.field == "paused") {
            self.refuse_pause(address)?;
        }
        if asked.len() > 1
            && let Some(alone) = asked.iter().find(|one| one.alone && !goes_with(one, asked))
        {
            let message = format!("{} needs a call of its own", alone.field);
            return Err(refused(tables::of(address.kind).codes.combination, message));
        }
        if let Some(parent) = parent_of(address, &object.attrs).filter(|p| tables::of(p.kind).one_at_a_time) {
            let cluster = self.objects.get(&parent).ok_or_else(|| missing(&parent))?;
            if !cluster.is_ready() {
                return Err(busy(&parent, cluster.phase()));
            }
        }
        let behaviour = tables::of(address.kind);
        if behaviour.one_at_a_time
            && !asked.iter().all(|asked| Some(asked.field) == behaviour.protection)
            && let Some((member, state)) = self.children(address).find(|(_, member)| !member.is_ready())
        {
            return Err(busy(member, state.phase()));
        }
        if self.global_of(address).is_some() {
            refuse_outside_global(address, wanted)?;
        }
        self.refuse_common(address, asked)?;
        self.refuse_upgrade(address, wanted, asked)?;
        self.refuse_cooling(address, wanted, asked)?;
        refuse_password(address, wanted, asked)?;
        self.refuse_family(address, &whole, wanted, asked)?;
        self.refuse_references(address, wanted)?;
        let object = self.objects.get(address);
        self.refuse_numbers(address, wanted, object)?;
        if asked.iter().any(|asked| matches!(asked.field, "class" | "node_type")) {
            self.refuse_class(address, wanted, "modify")?;
        }
        Ok(())
    }

    /// A warehouse without automated snapshots cannot be paused: pausing takes one (Redshift management guide, "Pausing and
    /// resuming clusters").
    pub(super) fn refuse_pause(&self, address: &Address) -> Result<(), CloudError> {
        let object = self.objects.get(address).ok_or_else(|| missing(address))?;
        if object.number("snapshot_retention_days") == Some(0) {
            let message = format!("{address} has no automated snapshots, and cannot be paused");
            return Err(refused("UnsupportedOperation", message));
        }
        Ok(())
    }

    /// All secondary clusters of a global database are upgraded before its primary (Aurora guide, "Upgrading an Amazon Aurora global
    /// database"; DocumentDB guide, global clusters). A secondary that is newer than its primary goes on.
    fn refuse_upgrade(
        &self,
        address: &Address,
        wanted: &AnyAttrs,
        asked: &[RequestedChange],
    ) -> Result<(), CloudError> {
        let Some(field) = tables::of(address.kind).secondaries_first else { return Ok(()) };
        if !asked.iter().any(|asked| asked.field == field) || self.primary_of(address).is_some() {
            return Ok(());
        }
        let version = |attrs: &AnyAttrs| attrs.text(field).map(EngineVersion);
        let Some(to) = version(wanted) else { return Ok(()) };
        let is_behind = |(_, other): &(Address, &Object)| {
            version(&other.attrs).is_some_and(|has| has.compare(&to) == std::cmp::Ordering::Less)
        };
        match self.other_members(address).into_iter().find(is_behind) {
            Some((behind, _)) => {
                let message =
                    format!("{behind} is a secondary cluster that has to be upgraded before {address}");
                Err(refused(tables::of(address.kind).codes.global_state, message))
            }
            None => Ok(()),
        }
    }

    /// What members of a global object have in common is changed at its primary, for all of them together.
    fn refuse_common(&self, address: &Address, asked: &[RequestedChange]) -> Result<(), CloudError> {
        let common = tables::of(address.kind).common;
        let Some(global) =
            self.global_of(address).filter(|_| asked.iter().any(|asked| common.contains(&asked.field)))
        else {
            return Ok(());
        };
        let state = self.objects.get(global).ok_or_else(|| missing(global))?;
        if !state.is_ready() {
            return Err(CloudError::Busy {
                phase: state.phase(),
                code: tables::of(address.kind).codes.global_state.to_owned(),
            });
        }
        if self.objects.get(address).is_some_and(|object| object.role == Some(Role::Reader)) {
            // What the real service says of a member in whatever state: they are not its own.
            return Err(busy(address, Phase::Ready));
        }
        for (member, object) in self.other_members(address) {
            if !object.is_ready() {
                return Err(busy(&member, object.phase()));
            }
        }
        Ok(())
    }

    pub(super) fn refuse_delete(
        &self,
        address: &Address,
        final_snapshot: Option<&Name>,
    ) -> Result<(), CloudError> {
        let object = self.objects.get(address).ok_or_else(|| missing(address))?;
        let phase = object.phase();
        let goes = phase == Phase::Stopped && tables::of(address.kind).while_stopped == WhileStopped::Goes;
        if !(goes || matches!(phase, Phase::Ready | Phase::Failed(_) | Phase::Unknown(_))) {
            return Err(busy(address, phase));
        }
        let codes = &tables::of(address.kind).codes;
        if object.is_protected() {
            return Err(refused(codes.combination, format!("{address} is protected against deletion")));
        }
        if self.children(address).next().is_some() {
            return Err(busy(address, Phase::Ready));
        }
        if self.global_of(address).is_some() {
            return Err(CloudError::Busy { phase: Phase::Ready, code: codes.global_state.to_owned() });
        }
        let freed = usize::from(!tables::of(address.kind).primary_leaves);
        if address.kind.facts().is_global && object.members.len() > freed {
            return Err(in_use(address));
        }
        if let Some(parent) = parent_of(address, &object.attrs).and_then(|parent| self.objects.get(&parent))
            && (parent.phase().is_transitional() || parent.phase() == Phase::Stopped)
        {
            return Err(CloudError::Busy {
                phase: parent.phase(),
                code: tables::of(parent.attrs.kind()).codes.state.to_owned(),
            });
        }
        if let Some(name) = final_snapshot {
            let Some(kind) = address.kind.facts().final_snapshot else {
                return Err(refused("InvalidParameterCombination", format!("{address} has no snapshots")));
            };
            if self.objects.contains_key(&Address::new(address.region.clone(), kind, name.clone())) {
                // Not `Conflict`: repeating the same call never helps, and nothing of ours was found.
                return Err(refused(codes.snapshot_exists, format!("{name} exists already")));
            }
        }
        self.refuse_in_use(address)
    }

    /// Nothing may name an object that goes.
    fn refuse_in_use(&self, address: &Address) -> Result<(), CloudError> {
        if tables::of(address.kind).while_named == WhileNamed::Goes {
            return Ok(());
        }
        for kind in KindId::ALL {
            for reference in kind.references().iter().filter(|reference| reference.kind == address.kind) {
                let names = |object: &Object| {
                    object.attrs.names(reference.field).iter().any(|name| name == address.name.as_str())
                };
                if self.in_region(&address.region, *kind).any(|(_, object)| names(object)) {
                    return Err(in_use(address));
                }
            }
        }
        Ok(())
    }
}
