//! Families of parameter groups: a group is of one for good, and goes with engines of that only.
//!
//! Goes in: the world and a change of version or group. Comes out: the refusal of what does not go together, and the group that
//! members get with a newer version.

use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::ports::CloudError;
use rgctl_schema::names::Name;

use super::refusals::refused;
use super::tables::{self, RequestedChange};
use super::world::World;

/// The field with a group of parameters.
const PARAMETER_GROUP: &str = "parameter_group";
/// The field with a group of parameters for all members.
const INSTANCE_PARAMETER_GROUP: &str = "instance_parameter_group";

impl World {
    /// A group of parameters is of one family for good, and goes with engines of that only: whoever asks for a newer major version
    /// names another group, and for the members of a cluster, too (ModifyDBCluster, `DBClusterParameterGroupName` and
    /// `DBInstanceParameterGroupName`; ModifyReplicationGroup, `CacheParameterGroupName`). Groups of the service's own follow.
    pub(super) fn refuse_family(
        &self,
        address: &Address,
        whole: &AnyAttrs,
        wanted: &AnyAttrs,
        asked: &[RequestedChange],
    ) -> Result<(), CloudError> {
        const TOUCH: [&str; 3] = ["engine", "engine_version", PARAMETER_GROUP];
        let behaviour = tables::of(address.kind);
        let Some(family) = (behaviour.parameter_family)(whole) else { return Ok(()) };
        if !asked.iter().any(|asked| TOUCH.contains(&asked.field)) {
            return Ok(());
        }
        let is_other = |kind: KindId, name: &str| {
            let group = Name::new(name).ok().map(|name| Address::new(address.region.clone(), kind, name));
            let group = group.and_then(|group| self.objects.get(&group));
            group.is_some_and(|group| group.attrs.text("family").is_some_and(|has| has != family))
        };
        let named = |kind: KindId| {
            let all = kind.references().iter().filter(|reference| reference.field == PARAMETER_GROUP);
            all.map(|reference| reference.kind).next()
        };
        let refuse = |what: &str, name: &str| {
            let message = format!(
                "the current {what} {name} is custom: name a new one, either default or custom, of the family {family}"
            );
            Err(refused(behaviour.codes.combination, message))
        };
        if let (Some(kind), Some(name)) = (named(address.kind), whole.text(PARAMETER_GROUP))
            && is_other(kind, &name)
        {
            return refuse("parameter group", &name);
        }
        let of_members = wanted.text(INSTANCE_PARAMETER_GROUP);
        for (member, object) in self.children(address) {
            let own = object.attrs.text(PARAMETER_GROUP);
            let given = of_members.clone().or(own);
            if let (Some(kind), Some(name)) = (named(member.kind), given)
                && is_other(kind, &name)
            {
                return refuse("instance parameter group", &name);
            }
        }
        Ok(())
    }

    /// Members have the group that was named for them together with the newer version.
    pub(super) fn give_group_to_members(&mut self, address: &Address, wanted: &AnyAttrs, fields: &[&str]) {
        let Some(group) =
            wanted.text(INSTANCE_PARAMETER_GROUP).filter(|_| fields.contains(&"engine_version"))
        else {
            return;
        };
        // "This parameter is valid in combination with the AllowMajorVersionUpgrade parameter for a major version upgrade only"
        // (RDS API reference, `ModifyDBCluster`).
        let family = tables::of(address.kind).parameter_family;
        let Some(has) = self.objects.get(address).map(|object| &object.attrs) else { return };
        let mut after = has.clone();
        after.overlay(wanted);
        if family(has) == family(&after) {
            return;
        }
        let members: Vec<Address> = self.children(address).map(|(member, _)| member.clone()).collect();
        for member in members {
            self.edit(&member, |object| {
                // The field exists in members of every kind that has it.
                let _ = object.attrs.set(PARAMETER_GROUP, Some(group.clone().into()));
            });
        }
    }
}
