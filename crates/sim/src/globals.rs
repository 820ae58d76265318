//! Objects that span regions: who belongs to them, and who of the members writes.
//!
//! **Invariant:** a global object has at most one primary, and none only while the role moves at once.

use rgctl_model::address::Address;
use rgctl_model::kinds::facts::DurationEstimate;
use rgctl_model::observed::Member;
use rgctl_model::ports::CloudError;
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::phase::{Phase, Role};

use super::refusals::{busy, missing, refused};
use super::state::{Object, Purpose};
use super::tables::{self, ready_word, word};
use super::world::World;

impl World {
    pub(super) fn member_address(global: &Address, region: &RegionId, name: &Name) -> Option<Address> {
        Some(Address::new(region.clone(), global.kind.member_kind()?, name.clone()))
    }

    /// The other members of the global object that an object is a member of.
    pub(super) fn other_members(&self, address: &Address) -> Vec<(Address, &Object)> {
        let Some(global) = self.global_of(address) else { return Vec::new() };
        let members = self.objects.get(global).map_or(&[][..], |object| &object.members[..]);
        members
            .iter()
            .filter_map(|member| Self::member_address(global, &member.region, &member.name))
            .filter(|member| member != address)
            .filter_map(|member| self.objects.get(&member).map(|object| (member, object)))
            .collect()
    }

    /// The primary of the global object of which an object is a secondary.
    pub(super) fn primary_of(&self, address: &Address) -> Option<&Object> {
        let global = self.global_of(address)?;
        let writer = self.objects.get(global)?.members.iter().find(|member| member.role == Role::Writer)?;
        let primary = Self::member_address(global, &writer.region, &writer.name)?;
        self.objects.get(&primary).filter(|_| primary != *address)
    }

    /// A member of a global object, in whatever state.
    fn any_member(
        &self,
        global: &Address,
        region: &RegionId,
        name: &Name,
    ) -> Result<(Address, &Object), CloudError> {
        let address = Self::member_address(global, region, name).ok_or_else(|| missing(global))?;
        let member = self.objects.get(&address).ok_or_else(|| missing(&address))?;
        if self.global_of(&address) == Some(global) { Ok((address, member)) } else { Err(missing(&address)) }
    }

    /// A member of a global object, in a state to take a role.
    fn ready_member(&self, global: &Address, region: &RegionId, name: &Name) -> Result<Address, CloudError> {
        let (address, member) = self.any_member(global, region, name)?;
        if !member.is_ready() {
            return Err(busy(&address, member.phase()));
        }
        Ok(address)
    }

    /// A planned or an unplanned move of the write role to another region.
    pub(super) fn move_primary(
        &mut self,
        global: &Address,
        region: &RegionId,
        name: &Name,
        planned: bool,
    ) -> Result<(), CloudError> {
        let state = self.objects.get(global).ok_or_else(|| missing(global))?;
        if !state.is_ready() {
            return Err(busy(global, state.phase()));
        }
        let members = state.members.clone();
        let to = self.ready_member(global, region, name)?;
        let is_primary = self.objects.get(&to).is_some_and(|member| member.role == Some(Role::Writer));
        if is_primary {
            return Err(refused("InvalidParameterValue", format!("{to} is the primary already")));
        }
        let headless = tables::of(to.kind).one_at_a_time && self.best_reader(&to).is_none();
        if headless {
            return Err(refused(
                tables::of(to.kind).codes.combination,
                format!("{to} has no available instance"),
            ));
        }
        if planned {
            let version =
                |address: &Address| self.objects.get(address).and_then(|o| o.attrs.text("engine_version"));
            for member in &members {
                let address = self.ready_member(global, &member.region, &member.name)?;
                if self.is_region_lost(&address.region) {
                    return Err(busy(global, rgctl_schema::phase::Phase::Busy { serves: false }));
                }
                if version(&address) != version(&to) {
                    let message = format!("{address} and {to} differ in version");
                    return Err(refused(tables::of(to.kind).codes.global_state, message));
                }
            }
        }
        let lasts = if planned {
            tables::of(global.kind).durations.failover_outage
        } else {
            DurationEstimate::new(90, 300)
        };
        let words: &[&str] =
            if planned { &["switching-over", "modifying"] } else { &["failing-over", "modifying"] };
        self.cast_shadow(global);
        let stages = self.one_stage(global, words, lasts, true);
        if !planned {
            // What the old primary had not sent is lost: from here on nobody else writes.
            let without: Vec<Member> =
                members.into_iter().map(|member| Member { role: Role::Reader, ..member }).collect();
            self.set_members(global, without);
            self.demote_all(global, None);
        }
        self.begin(
            global,
            Purpose::Switch { to },
            stages,
            if planned { "switchover" } else { "failover-global" },
        );
        Ok(())
    }

    /// Every member cluster but one loses its writer.
    fn demote_all(&mut self, global: &Address, but: Option<&Address>) {
        let members = self.objects.get(global).map(|object| object.members.clone()).unwrap_or_default();
        for member in members {
            let Some(address) = Self::member_address(global, &member.region, &member.name) else { continue };
            if Some(&address) == but {
                continue;
            }
            let writers: Vec<Address> = self
                .children(&address)
                .filter(|(_, child)| child.role == Some(Role::Writer))
                .map(|(child, _)| child.clone())
                .collect();
            for writer in writers {
                self.edit(&writer, |object| object.role = Some(Role::Reader));
            }
        }
    }

    /// The end of a move: that member is the primary now.
    pub(super) fn switch_primary(&mut self, global: &Address, to: &Address) {
        let Some(object) = self.objects.get(global) else { return };
        let members = object
            .members
            .iter()
            .map(|member| Member {
                role: if member.is(to) { Role::Writer } else { Role::Reader },
                ..member.clone()
            })
            .collect();
        self.set_members(global, members);
        self.demote_all(global, Some(to));
        self.promote(to, None);
        self.check(global);
    }

    /// A new secondary.
    pub(super) fn join(&mut self, global: &Address, address: &Address) {
        let mut members = self.objects.get(global).map(|object| object.members.clone()).unwrap_or_default();
        members.push(Self::member(address, if members.is_empty() { Role::Writer } else { Role::Reader }));
        members.sort();
        self.set_members(global, members);
    }

    /// A member has the parameter group that the service made of its primary's.
    pub(super) fn share_parameters(&mut self, global: &Address, member: &Address) {
        let Some(begins) = tables::of(global.kind).parameter_groups else { return };
        let name = format!("{begins}{}", global.name);
        self.cast_shadow(member);
        self.edit(member, |object| {
            // Members of such an object have the field.
            let _ = object.attrs.set("parameter_group", Some(name.into()));
        });
    }

    pub(super) fn leave_global(&mut self, global: &Address, address: &Address) {
        let Some(object) = self.objects.get(global) else { return };
        let left = object.members.iter().filter(|member| !member.is(address)).cloned().collect();
        self.set_members(global, left);
        self.edit(address, |object| {
            let _ = object.attrs.set("global", None);
        });
        self.settle_global_word(global);
    }

    /// Some services tell apart a global object without secondaries.
    pub(super) fn settle_global_word(&mut self, global: &Address) {
        if !global.kind.facts().is_global {
            return;
        }
        let (Some(alone), Some(object)) = (word(global.kind, &["primary-only"]), self.objects.get(global))
        else {
            return;
        };
        if object.is_ready() {
            let native = if object.members.len() > 1 { ready_word(global.kind) } else { alone };
            self.edit(global, |object| native.clone_into(&mut object.native));
        }
    }

    /// Takes a member out; it stands alone from then on.
    pub(super) fn detach(
        &mut self,
        global: &Address,
        region: &RegionId,
        name: &Name,
    ) -> Result<(), CloudError> {
        let state = self.objects.get(global).ok_or_else(|| missing(global))?;
        if !state.is_ready() {
            return Err(busy(global, state.phase()));
        }
        let others = state.members.len() > 1;
        let (address, member) = self.any_member(global, region, name)?;
        // What has failed has nothing to be promoted: it leaves as it is, to be deleted.
        let has_failed = matches!(member.phase(), Phase::Failed(_));
        if !member.is_ready() && !has_failed {
            return Err(busy(&address, member.phase()));
        }
        let is_primary = member.role == Some(Role::Writer);
        if is_primary && (others || !tables::of(global.kind).primary_leaves) {
            return Err(refused(
                tables::of(global.kind).codes.global_state,
                format!("{address} is the primary of {global}"),
            ));
        }
        self.cast_shadow(global);
        self.cast_shadow(&address);
        self.leave_global(global, &address);
        if !is_primary && !has_failed {
            let lasts = tables::of(address.kind).durations.in_place;
            let stages = self.one_stage(&address, &["promoting", "modifying"], lasts, true);
            self.begin(&address, Purpose::Promote, stages, "detach");
        }
        Ok(())
    }
}
