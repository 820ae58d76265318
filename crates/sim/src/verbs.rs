//! Calls that neither make, change nor delete an object: failovers, restarts, stops.

use rgctl_model::address::Address;
use rgctl_model::kinds::facts::Meaning;
use rgctl_model::plan::Verb;
use rgctl_model::ports::CloudError;
use rgctl_schema::names::Name;
use rgctl_schema::phase::{Phase, Role};

use super::refusals::{busy, missing, refused};
use super::state::Purpose;
use super::tables::{self, word, word_of};
use super::timing;
use super::world::World;

impl World {
    pub(super) fn act(&mut self, address: &Address, verb: &Verb) -> Result<(), CloudError> {
        let phase = self.objects.get(address).ok_or_else(|| missing(address))?.phase();
        match verb {
            Verb::Switchover { to, member } => self.move_primary(address, to, member, true),
            Verb::FailoverGlobal { to, member } => self.move_primary(address, to, member, false),
            Verb::Detach { region, member } => self.detach(address, region, member),
            Verb::Start if phase == Phase::Stopped => {
                self.start_or_stop(address, true);
                Ok(())
            }
            _ if !phase.is_ready() => Err(busy(address, phase)),
            Verb::Start => Err(busy(address, phase)),
            Verb::Failover { to } => self.fail_over(address, to.as_ref()),
            Verb::TestFailover { .. } => self.fail_over(address, None),
            Verb::Reboot => self.reboot(address),
            Verb::Stop => self.stop(address),
        }
    }

    fn fail_over(&mut self, address: &Address, to: Option<&Name>) -> Result<(), CloudError> {
        let behaviour = tables::of(address.kind);
        let (codes, durations) = (&behaviour.codes, &behaviour.durations);
        if !behaviour.takes_failover {
            return Err(refused("InvalidParameterCombination", format!("{address} has no role to move")));
        }
        let Some(object) = self.objects.get(address) else { return Err(missing(address)) };
        if !behaviour.one_at_a_time {
            // Replicas that are no objects of their own.
            let able = object.number("replicas_per_shard").unwrap_or(0) > 0
                && object.attrs.get("automatic_failover") != Some(false.into());
            if !able {
                return Err(refused(codes.failover, format!("{address} has no replica that can take over")));
            }
            self.cast_shadow(address);
            let stages = self.one_stage(address, &["modifying"], durations.failover_outage, true);
            self.begin(address, Purpose::Pass, stages, "failover");
            return Ok(());
        }
        if object.role == Some(Role::Reader) {
            return Err(refused(codes.global_state, format!("{address} follows another region")));
        }
        let target = match to {
            None => self.best_reader(address),
            Some(name) => {
                let found = self.children(address).find(|(member, _)| member.name == *name);
                let Some((member, state)) = found else {
                    return Err(CloudError::NotFound { what: format!("{name} in {address}") });
                };
                if state.role == Some(Role::Writer) {
                    return Err(refused("InvalidParameterValue", format!("{name} is the writer already")));
                }
                if !state.is_ready() {
                    return Err(busy(member, state.phase()));
                }
                Some(member.clone())
            }
        };
        let Some(target) = target else { return Err(busy(address, Phase::Ready)) };
        let writers: Vec<Address> = self
            .children(address)
            .filter(|(_, member)| member.role == Some(Role::Writer))
            .map(|(member, _)| member.clone())
            .collect();
        self.cast_shadow(address);
        for writer in writers {
            self.edit(&writer, |object| object.role = Some(Role::Reader));
        }
        let stages = self.one_stage(address, &["failing-over", "modifying"], durations.failover_outage, true);
        self.begin(address, Purpose::Failover { to: Some(target.name) }, stages, "failover");
        Ok(())
    }

    fn reboot(&mut self, address: &Address) -> Result<(), CloudError> {
        if word(address.kind, &["rebooting"]).is_none() {
            return Err(unsupported(address, &Verb::Reboot));
        }
        self.cast_shadow(address);
        let stages =
            self.one_stage(address, &["rebooting"], tables::of(address.kind).durations.restart_outage, true);
        self.begin(address, Purpose::Reboot, stages, "reboot");
        Ok(())
    }

    fn stop(&mut self, address: &Address) -> Result<(), CloudError> {
        if word_of(address.kind, Meaning::Stopped).is_none() || address.kind.facts().parent.is_some() {
            return Err(unsupported(address, &Verb::Stop));
        }
        if self.global_of(address).is_some() {
            return Err(busy(address, Phase::Ready));
        }
        let members: Vec<(Address, Phase)> =
            self.children(address).map(|(member, object)| (member.clone(), object.phase())).collect();
        if let Some((member, phase)) = members.iter().find(|(_, phase)| !phase.is_ready()) {
            return Err(busy(member, phase.clone()));
        }
        self.refuse_pause(address)?;
        self.start_or_stop(address, false);
        Ok(())
    }

    pub(super) fn start_or_stop(&mut self, address: &Address, start: bool) {
        let members: Vec<Address> = self.children(address).map(|(member, _)| member.clone()).collect();
        for address in std::iter::once(address).chain(&members) {
            self.cast_shadow(address);
            let (words, lasts, purpose): (&[&str], _, _) = if start {
                (&["starting", "resuming"], timing::START, Purpose::Start)
            } else {
                (&["stopping", "pausing"], timing::STOP, Purpose::Stop)
            };
            let stages = self.one_stage(address, words, lasts, true);
            self.edit(address, |object| {
                if object.attrs.get("paused").is_some() {
                    let _ = object.attrs.set("paused", Some((!start).into()));
                }
            });
            self.begin(address, purpose, stages, if start { "start" } else { "stop" });
        }
    }
}

fn unsupported(address: &Address, verb: &Verb) -> CloudError {
    refused("UnsupportedOperation", format!("{address} does not take {}", verb.as_str()))
}
