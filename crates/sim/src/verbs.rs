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
    pub(super) fn act(&mut self, at: &Address, verb: &Verb) -> Result<(), CloudError> {
        let phase = self.objects.get(at).ok_or_else(|| missing(at))?.phase();
        match verb {
            Verb::Switchover { to, member } => self.move_primary(at, to, member, true),
            Verb::FailoverGlobal { to, member } => self.move_primary(at, to, member, false),
            Verb::Detach { region, member } => self.detach(at, region, member),
            Verb::Start if phase == Phase::Stopped => {
                self.start_or_stop(at, true);
                Ok(())
            }
            _ if !phase.is_ready() => Err(busy(at, phase)),
            Verb::Start => Err(busy(at, phase)),
            Verb::Failover { to } => self.fail_over(at, to.as_ref()),
            Verb::TestFailover { .. } => self.fail_over(at, None),
            Verb::Reboot => self.reboot(at),
            Verb::Stop => self.stop(at),
        }
    }

    fn fail_over(&mut self, at: &Address, to: Option<&Name>) -> Result<(), CloudError> {
        let behaviour = tables::of(at.kind);
        let (codes, durations) = (&behaviour.codes, &behaviour.durations);
        if !behaviour.takes_failover {
            return Err(refused("InvalidParameterCombination", format!("{at} has no role to move")));
        }
        let Some(object) = self.objects.get(at) else { return Err(missing(at)) };
        if !behaviour.one_at_a_time {
            // Replicas that are no objects of their own.
            let able = object.number("replicas_per_shard").unwrap_or(0) > 0
                && object.attrs.get("automatic_failover") != Some(false.into());
            if !able {
                return Err(refused(codes.failover, format!("{at} has no replica that can take over")));
            }
            self.cast_shadow(at);
            let stages = self.one_stage(at, &["modifying"], durations.failover_outage, true);
            self.begin(at, Purpose::Pass, stages, "failover");
            return Ok(());
        }
        if object.role == Some(Role::Reader) {
            return Err(refused(codes.global_state, format!("{at} follows another region")));
        }
        let target = match to {
            None => self.best_reader(at),
            Some(name) => {
                let found = self.children(at).find(|(member, _)| member.name == *name);
                let Some((member, state)) = found else {
                    return Err(CloudError::NotFound { what: format!("{name} in {at}") });
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
        let Some(target) = target else { return Err(busy(at, Phase::Ready)) };
        let writers: Vec<Address> = self
            .children(at)
            .filter(|(_, member)| member.role == Some(Role::Writer))
            .map(|(member, _)| member.clone())
            .collect();
        self.cast_shadow(at);
        for writer in writers {
            self.edit(&writer, |object| object.role = Some(Role::Reader));
        }
        let stages = self.one_stage(at, &["failing-over", "modifying"], durations.failover_outage, true);
        self.begin(at, Purpose::Failover { to: Some(target.name) }, stages, "failover");
        Ok(())
    }

    fn reboot(&mut self, at: &Address) -> Result<(), CloudError> {
        if word(at.kind, &["rebooting"]).is_none() {
            return Err(unsupported(at, &Verb::Reboot));
        }
        self.cast_shadow(at);
        let stages = self.one_stage(at, &["rebooting"], tables::of(at.kind).durations.restart_outage, true);
        self.begin(at, Purpose::Pass, stages, "reboot");
        Ok(())
    }

    fn stop(&mut self, at: &Address) -> Result<(), CloudError> {
        if word_of(at.kind, Meaning::Stopped).is_none() || at.kind.facts().parent.is_some() {
            return Err(unsupported(at, &Verb::Stop));
        }
        if self.global_of(at).is_some() {
            return Err(busy(at, Phase::Ready));
        }
        let members: Vec<(Address, Phase)> =
            self.children(at).map(|(member, object)| (member.clone(), object.phase())).collect();
        if let Some((member, phase)) = members.iter().find(|(_, phase)| !phase.is_ready()) {
            return Err(busy(member, phase.clone()));
        }
        self.start_or_stop(at, false);
        Ok(())
    }

    fn start_or_stop(&mut self, at: &Address, start: bool) {
        let members: Vec<Address> = self.children(at).map(|(member, _)| member.clone()).collect();
        for at in std::iter::once(at).chain(&members) {
            self.cast_shadow(at);
            let (words, lasts, purpose): (&[&str], _, _) = if start {
                (&["starting", "resuming"], timing::START, Purpose::Start)
            } else {
                (&["stopping", "pausing"], timing::STOP, Purpose::Stop)
            };
            let stages = self.one_stage(at, words, lasts, true);
            self.edit(at, |object| {
                if object.attrs.get("paused").is_some() {
                    let _ = object.attrs.set("paused", Some((!start).into()));
                }
            });
            self.begin(at, purpose, stages, if start { "start" } else { "stop" });
        }
    }
}

fn unsupported(at: &Address, verb: &Verb) -> CloudError {
    refused("UnsupportedOperation", format!("{at} does not take {}", verb.as_str()))
}
