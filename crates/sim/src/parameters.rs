//! Parameters of groups: which of them wait for a restart of what uses the group, and who waits.

use std::collections::{BTreeMap, BTreeSet};

use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::ParameterStatus;
use rgctl_model::ports::CloudError;

use super::refusals::{busy, missing};
use super::tables::{self, word};
use super::world::World;

const PARAMETERS: &str = "parameters";

fn texts(attrs: &AnyAttrs) -> BTreeMap<String, String> {
    attrs.get(PARAMETERS).and_then(|texts| serde_json::from_value(texts).ok()).unwrap_or_default()
}

/// Whether a call changes a parameter that takes effect at a restart.
pub(super) fn at_restart(kind: KindId, wanted: &AnyAttrs, has: &AnyAttrs) -> bool {
    let (family, has) = (has.text("family").unwrap_or_default(), texts(has));
    let is_static = tables::of(kind).at_restart;
    texts(wanted).iter().any(|(name, value)| has.get(name) != Some(value) && is_static(&family, name))
}

/// Parameters that a call does not name stay as they are.
pub(super) fn keep_the_others(pending: &mut AnyAttrs, has: &AnyAttrs) {
    if pending.get(PARAMETERS).is_none() {
        return;
    }
    let mut all = texts(has);
    all.extend(texts(pending));
    // The field was found in the table of the kind.
    let _ = pending.set(PARAMETERS, serde_json::to_value(all).ok());
}

impl World {
    /// Parameters go back to the defaults of the engine, tags go; what is not there is not missed.
    pub(super) fn take_out(
        &mut self,
        address: &Address,
        parameters: &BTreeSet<String>,
        tags: &BTreeSet<String>,
    ) -> Result<(), CloudError> {
        let object = self.objects.get(address).ok_or_else(|| missing(address))?;
        let phase = object.phase();
        if object.is_going() || !parameters.is_empty() && !phase.is_ready() {
            return Err(busy(address, phase));
        }
        let (family, mut left) = (object.attrs.text("family").unwrap_or_default(), texts(&object.attrs));
        let is_static = tables::of(address.kind).at_restart;
        let waiting = parameters.iter().any(|name| left.contains_key(name) && is_static(&family, name));
        left.retain(|name, _| !parameters.contains(name));
        self.cast_shadow(address);
        self.edit(address, |object| {
            object.tags.retain(|name, _| !tags.contains(name));
            if !parameters.is_empty() {
                // What is no group of parameters has no such field.
                let _ = object.attrs.set(PARAMETERS, serde_json::to_value(left).ok());
            }
        });
        if waiting {
            self.await_restarts(address);
        }
        Ok(())
    }

    /// What uses a group waits for a restart: of a cluster its members do.
    pub(super) fn await_restarts(&mut self, group: &Address) {
        let mut users: Vec<Address> = Vec::new();
        for kind in KindId::ALL {
            for reference in kind.references().iter().filter(|reference| reference.kind == group.kind) {
                let names =
                    |attrs: &AnyAttrs| attrs.text(reference.field).as_deref() == Some(group.name.as_str());
                let here = self.in_region(&group.region, *kind);
                users.extend(
                    here.filter(|(_, object)| names(&object.attrs)).map(|(address, _)| address.clone()),
                );
            }
        }
        for user in users {
            self.await_restart(&user);
        }
    }

    /// An object waits for a restart, or of a cluster its members do. What the service does not restart has its parameters at once.
    /// Source: RDS API reference, `ModifyDBInstance`: "the actual parameter changes are not applied until you reboot the instance";
    /// Redshift API reference, `ModifyCluster`: "This change is applied only after the cluster is rebooted"; of members of a cluster
    /// `DBClusterMember` has the status.
    pub(super) fn await_restart(&mut self, address: &Address) {
        let members: Vec<Address> = self.children(address).map(|(member, _)| member.clone()).collect();
        for address in std::iter::once(address).chain(&members) {
            if word(address.kind, &["rebooting"]).is_some() && address.kind.child_kind().is_none() {
                self.cast_shadow(address);
                self.edit(address, |object| object.parameters = ParameterStatus::PendingReboot);
            }
        }
    }

    /// An object was started anew, and with a cluster its members.
    pub(super) fn parameters_take_effect(&mut self, address: &Address) {
        let members: Vec<Address> = self.children(address).map(|(member, _)| member.clone()).collect();
        for address in std::iter::once(address).chain(&members) {
            self.edit(address, |object| object.parameters = ParameterStatus::InSync);
        }
    }
}
