//! What happens to objects in the course of time: stages, effects, roles.
//!
//! **Invariant:** status words, and what a change does, are read from the tables, not from the kind.

use std::collections::VecDeque;

use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::{DurationEstimate, Meaning};
use rgctl_model::observed::Member;
use rgctl_schema::names::Name;
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::{Moment, Span};

use super::slots::SHARDS;
use super::state::{DueEvent, Fault, Object, Purpose, ReadView, Stage, StaleReads, Transition, parent_of};
use super::tables::{self, ChangeEffect, ready_word, word, word_of};
use super::timing;
use super::world::World;

fn stage(native: &str, lasts: Span, down: bool) -> Stage {
    Stage { native: native.to_owned(), lasts, down }
}

impl World {
    /// The stages of a change of an object that is there, to the values of `pending`; none when it takes effect at once.
    pub(super) fn stages(
        &mut self,
        address: &Address,
        takes: ChangeEffect,
        fields: &[&str],
        pending: &AnyAttrs,
    ) -> VecDeque<Stage> {
        let behaviour = tables::of(address.kind);
        let Some(modifying) = word(address.kind, &["modifying"]) else { return VecDeque::new() };
        let immediate = |field: &&str| Some(*field) == behaviour.protection;
        if fields.iter().all(immediate) {
            return VecDeque::new();
        }
        if fields.contains(&"paused") {
            let wakes = self.objects.get(address).is_some_and(|o| matches!(o.phase(), Phase::Stopped));
            let (words, lasts) =
                if wakes { (["resuming"], timing::START) } else { (["pausing"], timing::STOP) };
            let lasts = self.lasts(address, "pause", lasts);
            return VecDeque::from([stage(word(address.kind, &words).unwrap_or(modifying), lasts, true)]);
        }
        if let Some(lasts) = self.slow_resize(address, pending) {
            let total = self.lasts(address, "classic-resize", lasts);
            return VecDeque::from([stage(
                word(address.kind, &["resizing"]).unwrap_or(modifying),
                total,
                true,
            )]);
        }
        let mut total = self.lasts(address, "change", behaviour.durations.of(takes));
        if fields.contains(&SHARDS) {
            total += self.slots_move_for(address, pending);
        }
        let outage = self.lasts(address, "outage", behaviour.durations.outage(takes)).min(total);
        let before = Span::from_millis(total.as_millis() - outage.as_millis());
        let words: &[&str] = match takes {
            ChangeEffect::InPlace | ChangeEffect::Online | ChangeEffect::Fixed => {
                return VecDeque::from([stage(modifying, total, false)]);
            }
            ChangeEffect::Resize => &["resizing"],
            ChangeEffect::Restart => &["rebooting"],
            ChangeEffect::Failover if fields.contains(&"engine_version") => &["upgrading"],
            ChangeEffect::Failover => &["failing-over"],
        };
        let down = word(address.kind, words).unwrap_or(modifying);
        let mut stages = VecDeque::new();
        if before > Span::ZERO {
            stages.push_back(stage(modifying, before, false));
        }
        if outage > Span::ZERO {
            stages.push_back(stage(down, outage, true));
        }
        stages
    }

    fn slow_resize(&self, address: &Address, pending: &AnyAttrs) -> Option<DurationEstimate> {
        let before = &self.objects.get(address)?.attrs;
        let mut after = before.clone();
        after.overlay(pending);
        (tables::of(address.kind).slow_resize)(before, &after)
    }

    /// Stages of one word.
    pub(super) fn one_stage(
        &mut self,
        address: &Address,
        words: &[&str],
        lasts: DurationEstimate,
        down: bool,
    ) -> VecDeque<Stage> {
        let native = word(address.kind, words).unwrap_or_else(|| ready_word(address.kind));
        let lasts = self.lasts(address, words.first().copied().unwrap_or("stage"), lasts);
        VecDeque::from([stage(native, lasts, down)])
    }

    /// Begins work on an object. Faults may slow it down or make it stick.
    pub(super) fn begin(
        &mut self,
        address: &Address,
        purpose: Purpose,
        mut stages: VecDeque<Stage>,
        op: &str,
    ) {
        let slow = self.strike(address, op, |fault| matches!(fault, Fault::Slow { .. }));
        if let Some(Fault::Slow { factor }) = slow {
            for stage in &mut stages {
                stage.lasts = timing::part_of(stage.lasts, factor.max(0.0));
            }
        }
        if self.strike(address, op, |fault| matches!(fault, Fault::Stuck)).is_some()
            && let Some(first) = stages.front_mut()
        {
            let now = self.now();
            let heals = self
                .faults()
                .filter(|(_, rule)| rule.fault == Fault::Stuck)
                .map(|(_, rule)| rule.until)
                .max()
                .unwrap_or(now);
            // A stretch without end would overflow the calendar; a month is for ever in a run.
            first.lasts += heals.since(now).min(Span::from_days(30));
        }
        let serial = self.next_serial();
        let first = stages.front().cloned();
        self.edit(address, |object| object.work = Some(Transition { serial, purpose, stages }));
        match first {
            Some(first) => self.enter(address, serial, first),
            None => self.finish(address),
        }
    }

    fn enter(&mut self, address: &Address, serial: u64, stage: Stage) {
        self.accrue(address);
        let down = stage.down;
        self.edit(address, |object| object.native = stage.native);
        self.schedule(self.now() + stage.lasts, DueEvent::Stage { address: address.clone(), serial });
        let lost_writer = self.objects.get(address).is_some_and(|object| {
            down && object.role == Some(Role::Writer)
                && object.work.as_ref().is_some_and(|work| work.purpose == Purpose::Change)
        });
        if lost_writer
            && let Some(parent) =
                self.objects.get(address).and_then(|object| parent_of(address, &object.attrs))
            && self.best_reader(&parent).is_some()
        {
            self.lose_writer(&parent);
        }
        self.check_disturbed(address);
    }

    /// What an event does.
    pub(super) fn happen(&mut self, event: DueEvent) {
        match event {
            DueEvent::Stage { address, serial } => {
                let Some(work) = self.objects.get(&address).and_then(|object| object.work.as_ref()) else {
                    return;
                };
                if work.serial != serial {
                    return;
                }
                let next = work.stages.get(1).cloned();
                let restarted = work.stages.front().is_some_and(|done| done.down) && work.purpose.restarts();
                if restarted {
                    self.parameters_take_effect(&address);
                }
                self.edit(&address, |object| {
                    if let Some(work) = &mut object.work
                        && let Some(done) = work.stages.pop_front()
                        && done.down
                    {
                        object.outage += done.lasts;
                    }
                });
                match next {
                    Some(next) => self.enter(&address, serial, next),
                    None => self.finish(&address),
                }
            }
            DueEvent::Promote { address, to } => self.promote(&address, to),
            DueEvent::Arrival { op, token } => self.arrive(&op, &token),
            DueEvent::Start { address, draws } => {
                let is_still = |object: &Object| object.draws == draws && object.phase() == Phase::Stopped;
                if self.objects.get(&address).is_some_and(is_still) {
                    self.start_or_stop(&address, true);
                }
            }
            DueEvent::Zone { zone, back_at } => self.lose_zone(&zone, back_at),
        }
    }

    fn show(&mut self, address: &Address, native: &str) {
        self.edit(address, |object| native.clone_into(&mut object.native));
    }

    /// The effect of work that is done.
    fn finish(&mut self, address: &Address) {
        let Some(work) = self.objects.get_mut(address).and_then(|object| object.work.take()) else { return };
        self.accrue(address);
        let ready = ready_word(address.kind);
        match work.purpose {
            Purpose::Create | Purpose::Pass | Purpose::Start | Purpose::Reboot => self.show(address, ready),
            Purpose::CreateBroken => {
                let broken = word(address.kind, &["create-failed", "failed", "incompatible-network"])
                    .or_else(|| word_of(address.kind, Meaning::Failed))
                    .unwrap_or(ready);
                self.show(address, broken);
            }
            Purpose::Change => self.take_effect(address),
            Purpose::Delete => self.delete_now(address),
            Purpose::Stop => {
                let stopped = word_of(address.kind, Meaning::Stopped).unwrap_or(ready);
                self.show(address, stopped);
                let draws = self.objects.get(address).map_or(0, |object| object.draws);
                if let Some(after) = tables::of(address.kind).starts_after {
                    self.schedule(self.now() + after, DueEvent::Start { address: address.clone(), draws });
                }
            }
            Purpose::Failover { to } => {
                self.show(address, ready);
                self.promote(address, to);
            }
            Purpose::Switch { to } => {
                self.show(address, ready);
                self.switch_primary(address, &to);
            }
            Purpose::Promote => {
                self.show(address, ready);
                self.promote(address, None);
            }
        }
        self.settle_global_word(address);
        self.check(address);
    }

    fn take_effect(&mut self, address: &Address) {
        let ready = ready_word(address.kind);
        self.edit(address, |object| {
            if let Some(pending) = object.pending.take() {
                object.attrs.overlay(&pending);
            }
            let is_paused = object.attrs.get("paused") == Some(true.into());
            let rest = word_of(address.kind, Meaning::Stopped).filter(|_| is_paused).unwrap_or(ready);
            rest.clone_into(&mut object.native);
        });
    }

    fn delete_now(&mut self, address: &Address) {
        let parent = self.objects.get(address).and_then(|object| parent_of(address, &object.attrs));
        if let Some(global) = self.global_of(address).cloned() {
            self.leave_global(&global, address);
        }
        if address.kind.facts().is_global {
            self.set_members(address, Vec::new());
        }
        if let Some(object) = self.remove(address) {
            self.settle_bill(address, &object);
        }
        self.loads.remove(address);
        self.touch(format!("load/{address}"));
        if let Some(parent) = parent {
            self.check(&parent);
        }
    }

    /// Readers go on seeing the object as it is now, for a little while. Called before a write.
    pub(super) fn cast_shadow(&mut self, address: &Address) {
        let now = self.now();
        let lag = self.read_lag(address);
        let Some(object) = self.objects.get(address) else { return };
        let view = match &object.shadow {
            Some(shadow) if shadow.until > now => shadow.view.clone(),
            _ => Some(ReadView {
                attrs: object.attrs.clone(),
                pending: object.pending.clone(),
                native: object.native.clone(),
                tags: object.tags.clone(),
                parameters: object.parameters,
                cool_down: object.cool_down.clone(),
            }),
        };
        self.edit(address, |object| object.shadow = Some(StaleReads { until: now + lag, view }));
    }

    /// How far reads lag a write that happens now.
    pub(super) fn read_lag(&mut self, address: &Address) -> Span {
        let n = self.objects.get(address).map_or(0, |object| object.draws);
        let usual =
            timing::part_of(timing::READ_LAG, timing::fraction(timing::draw(self.seed(), "lag", address, n)));
        match self.strike(address, "observe", |fault| matches!(fault, Fault::StaleRead { .. })) {
            Some(Fault::StaleRead { lag }) => usual.max(lag),
            _ => usual,
        }
    }

    /// The reader that the service would promote: lowest tier first, then the name.
    pub(super) fn best_reader(&self, cluster: &Address) -> Option<Address> {
        self.children(cluster)
            .filter(|(_, member)| member.role != Some(Role::Writer) && member.is_ready())
            .min_by_key(|(address, member)| {
                (member.number("promotion_tier").unwrap_or(1), address.name.clone())
            })
            .map(|(address, _)| address.clone())
    }

    /// The writer is gone or out; after the outage of a failover another member takes over.
    pub(super) fn lose_writer(&mut self, cluster: &Address) {
        let writers: Vec<Address> = self
            .children(cluster)
            .filter(|(_, member)| member.role == Some(Role::Writer))
            .map(|(address, _)| address.clone())
            .collect();
        for writer in writers {
            self.edit(&writer, |object| object.role = Some(Role::Reader));
        }
        let lasts = if self.best_reader(cluster).is_some() {
            tables::of(cluster.kind).durations.failover_outage
        } else {
            timing::RECREATE_PRIMARY
        };
        let down = self.lasts(cluster, "failover", lasts);
        let idle = self.objects.get(cluster).is_some_and(|object| object.work.is_none() && object.is_ready());
        if idle {
            let native = word(cluster.kind, &["failing-over"]).unwrap_or_else(|| ready_word(cluster.kind));
            let stages = VecDeque::from([stage(native, down, true)]);
            self.begin(cluster, Purpose::Failover { to: None }, stages, "failover");
        } else {
            self.schedule(self.now() + down, DueEvent::Promote { address: cluster.clone(), to: None });
        }
    }

    /// Gives the write role to a member, if none has it and the cluster takes writes at all.
    pub(super) fn promote(&mut self, cluster: &Address, to: Option<Name>) {
        let has_writer =
            self.children(cluster).any(|(_, member)| member.role == Some(Role::Writer) && !member.is_going());
        let follows = self
            .global_of(cluster)
            .is_some_and(|_| self.objects.get(cluster).is_some_and(|o| o.role == Some(Role::Reader)));
        if has_writer || follows {
            return;
        }
        let named = to.and_then(|name| {
            self.children(cluster)
                .find(|(address, m)| address.name == name && m.is_ready())
                .map(|(address, _)| address.clone())
        });
        let any = || {
            self.children(cluster).find(|(_, member)| !member.is_going()).map(|(address, _)| address.clone())
        };
        if let Some(best) = named.or_else(|| self.best_reader(cluster)).or_else(any) {
            self.edit(&best, |object| object.role = Some(Role::Writer));
        }
        self.check(cluster);
    }

    fn lose_zone(&mut self, zone: &str, back_at: Moment) {
        let now = self.now();
        let hit: Vec<Address> = self
            .objects
            .iter()
            .filter(|(_, object)| object.serves() && object.attrs.text("zone").as_deref() == Some(zone))
            .map(|(address, _)| address.clone())
            .collect();
        for address in hit {
            let was_writer = self.objects.get(&address).is_some_and(|o| o.role == Some(Role::Writer));
            let native =
                word(address.kind, &["maintenance", "rebooting"]).unwrap_or_else(|| ready_word(address.kind));
            let lasts = back_at.since(now).min(Span::from_days(30));
            let serial = self.next_serial();
            let stages = VecDeque::from([stage(native, lasts, true)]);
            // Work under way is lost with the zone, and what was pending takes effect when it is back.
            let purpose = if self.objects.get(&address).is_some_and(|o| o.pending.is_some()) {
                Purpose::Change
            } else {
                Purpose::Pass
            };
            self.accrue(&address);
            self.edit(&address, |object| {
                native.clone_into(&mut object.native);
                object.work = Some(Transition { serial, purpose, stages });
            });
            self.schedule(now + lasts, DueEvent::Stage { address: address.clone(), serial });
            if was_writer
                && let Some(parent) = self.objects.get(&address).and_then(|o| parent_of(&address, &o.attrs))
            {
                self.lose_writer(&parent);
            }
        }
    }

    /// A member of a list of a global object.
    pub(super) fn member(address: &Address, role: Role) -> Member {
        Member { region: address.region.clone(), name: address.name.clone(), role }
    }
}
