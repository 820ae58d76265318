//! When members of one size carry a load. They do when
//! - the writer alone carries all writes: `writes ÷ writes per processor <= processors × (1 − headroom)`;
//! - pages of the working set fit in the part of a member's memory that its engine gives them;
//! - all members carry reads and writes with headroom, and those that remain after a zone is lost carry them without;
//! - the members that remain take the connections, and their network carries the requests.
//!
//! Goes in: a size, a number and a load. Comes out: whether it is carried, or by how much not.
//!
//! **Invariant:** each rule is written once, for what decides and for what explains.

use super::connections::ConnectionLimit;
use super::{Load, assume};

/// So many members of one size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Members {
    pub(super) connections: ConnectionLimit,
    /// Part of the memory that holds pages.
    pub(super) page_cache: f64,
    pub(super) vcpu: f64,
    /// In GiB.
    pub(super) memory: f64,
    /// Lasting Gbit/s; nothing where it is not known, and then it bounds nothing.
    pub(super) gbps: Option<f64>,
    pub(super) count: u32,
    pub(super) zones: u32,
}

/// What is needed of something, and what there is.
struct Rule(&'static str, f64, f64);

impl Rule {
    fn holds(&self) -> bool {
        self.1 <= self.2
    }

    /// What is missing; with a digit more where the rounded numbers do not show it.
    fn said(&self) -> String {
        let Self(what, needed, there) = self;
        let digits = usize::from(needed.round() <= there.round());
        format!("{needed:.digits$} {what} are needed, and {there:.digits$} are there")
    }
}

impl Members {
    /// What one machine has to do by itself.
    fn of_the_writer(&self, load: &Load) -> [Rule; 2] {
        [
            Rule("processors for writes", write_vcpu(load), self.vcpu * (1.0 - load.headroom)),
            Rule("GiB for the working set", load.working_set_gib, self.memory * self.page_cache),
        ]
    }

    /// What all of them do together.
    fn of_all(&self, load: &Load) -> [Rule; 4] {
        let (all, left) = (f64::from(self.count), f64::from(survivors(self.count, self.zones)));
        let usable =
            (all * self.vcpu * (1.0 - load.headroom)).min(left * self.vcpu * assume::USE_IN_ZONE_LOSS);
        let open = left * self.connections.open(self.memory);
        let active = left * self.connections.active(self.memory);
        [
            Rule("processors in all", all_vcpu(load), usable),
            Rule("connections", load.connections, open),
            Rule("connections that work", load.active_connections, active),
            Rule("Gbit/s", load.gbps(), self.gbps.map_or(f64::INFINITY, |gbps| left * gbps)),
        ]
    }

    /// Whether one of them can be the writer and hold the working set.
    pub(super) fn writes(&self, load: &Load) -> bool {
        self.of_the_writer(load).iter().all(Rule::holds)
    }

    /// Whether all together carry what is shared by them.
    pub(super) fn share(&self, load: &Load) -> bool {
        self.of_all(load).iter().all(Rule::holds)
    }

    /// Whether they carry it.
    pub(super) fn carry(&self, load: &Load) -> bool {
        self.share(load) && self.writes(load)
    }

    /// The rules that they break, in words.
    pub(super) fn broken(&self, load: &Load) -> Vec<String> {
        let rules = self.of_the_writer(load).into_iter().chain(self.of_all(load));
        let broken = rules.filter(|rule| !rule.holds());
        broken.map(|rule| rule.said()).collect()
    }
}

/// Processors that the writer needs for the writes.
pub(super) fn write_vcpu(load: &Load) -> f64 {
    load.writes / load.rates.writes.value
}

/// Processors that all members need together.
pub(super) fn all_vcpu(load: &Load) -> f64 {
    write_vcpu(load) + load.reads / load.rates.reads.value
}

/// Members that remain when the zone with the most of them is lost. A single member is taken to be replaced.
pub fn survivors(members: u32, zones: u32) -> u32 {
    if members <= 1 { members } else { members - members.div_ceil(zones.max(1)) }
}
