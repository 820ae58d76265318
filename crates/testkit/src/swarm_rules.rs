//! The rules of a drawn game — consents, cost, window, freezes — and whether calls kept them.
//!
//! What is checked here is worked out from the text's own numbers, with plain arithmetic in UTC: nothing of the gate, of
//! its calendar or of its consents is used, so that a fault there is seen.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rand::{Rng, RngExt};
use rgctl_engine::planning::Figures;
use rgctl_model::bill::{CostRange, StoreBill};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::{Desired, Usage};
use rgctl_model::plan::{Op, Verb};
use rgctl_model::policy::{DestructiveAction, Policy};
use rgctl_schema::money::{Currency, Money, Total};
use rgctl_schema::names::RegionId;
use rgctl_schema::table::Change;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::Called;

/// A call is sent a little after the turn that decided it: a budget is waited for in between.
const SLACK: Span = Span::from_mins(5);
const DAY: u64 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Days by number from Monday, the hour of the start in UTC, hours that it lasts: within one day.
#[derive(Clone, Debug)]
struct Window {
    days: BTreeSet<u64>,
    starts_hour: u64,
    lasts_hours: u64,
}

#[derive(Clone, Debug)]
struct Freeze {
    starts: Moment,
    lasts: Span,
    is_hard: bool,
}

/// What a game may not do, and when.
#[derive(Clone, Debug, Default)]
pub struct DrawnRules {
    never: BTreeSet<DestructiveAction>,
    window: Option<Window>,
    freeze: Option<Freeze>,
    /// Most dollars a month, and whether an unknown price is a no.
    cost: Option<(u32, bool)>,
}

impl DrawnRules {
    /// Rules as somebody may write them now.
    pub fn draw(rng: &mut impl Rng, now: Moment) -> Self {
        let never = [
            DestructiveAction::Delete,
            DestructiveAction::Replace,
            DestructiveAction::Shrink,
            DestructiveAction::Empty,
        ];
        let never = never.into_iter().filter(|_| rng.random_bool(0.1)).collect();
        let window = rng.random_bool(0.3).then(|| {
            let starts_hour = rng.random_range(0..22);
            let days = (0..7).filter(|_| rng.random_bool(0.4)).collect();
            Window { days, starts_hour, lasts_hours: rng.random_range(1..=24 - starts_hour) }
        });
        let freeze = rng.random_bool(0.4).then(|| {
            // Under way, or to come.
            let minutes = Span::from_mins(rng.random_range(0..12 * 60));
            let starts = if rng.random_bool(0.5) { now - minutes } else { now + minutes };
            Freeze { starts, lasts: Span::from_hours(rng.random_range(1..30)), is_hard: rng.random_bool(0.3) }
        });
        let cost = rng.random_bool(0.25).then(|| (rng.random_range(1..60) * 100, rng.random_bool(0.3)));
        Self { never, window, freeze, cost }
    }

    /// Whether there is a bound on cost, so that prices matter.
    pub const fn has_bound(&self) -> bool {
        self.cost.is_some()
    }

    /// Their lines in the document.
    pub fn write(&self, out: &mut String) {
        if let Some(freeze) = &self.freeze {
            let word = if freeze.is_hard { "hard" } else { "true" };
            let (starts, minutes) = (freeze.starts.rfc3339(), freeze.lasts.as_millis() / 60_000);
            let _ = writeln!(
                out,
                "  calendar:\n    - {{ name: quiet, starts: \"{starts}\", lasts: {minutes}m, freeze: {word} }}"
            );
        }
        if self.never.is_empty() && self.window.is_none() && self.cost.is_none() {
            return;
        }
        out.push_str("  policies:\n");
        if !self.never.is_empty() {
            let words: Vec<String> = self.never.iter().map(|action| format!("{action}: never")).collect();
            let _ = writeln!(out, "    consent: {{ {} }}", words.join(", "));
        }
        if let Some(Window { days, starts_hour, lasts_hours }) = &self.window {
            let days: Vec<&str> = days.iter().map(|day| DAYS[usize::try_from(*day).unwrap()]).collect();
            let days = if days.is_empty() { String::new() } else { format!("days: [{}], ", days.join(", ")) };
            let _ = writeln!(
                out,
                "    maintenance: {{ {days}starts: \"{starts_hour:02}:00\", lasts: {lasts_hours}h, zone: UTC }}"
            );
        }
        if let Some((max, denies_unknown)) = self.cost {
            let unknown = if denies_unknown { "deny" } else { "warn" };
            let _ = writeln!(
                out,
                "    cost: {{ monthlyMax: [\"{max} USD\"], onExceed: deny, onUnknown: {unknown} }}"
            );
        }
    }

    /// Whether the calls of a run kept them.
    pub fn are_kept(&self, calls: &[Called], wanted: &Desired, policy: &Policy) -> Result<(), String> {
        for called in calls {
            let broken = [
                self.breaks_never(called, wanted),
                self.breaks_freeze(called),
                self.breaks_window(called, policy),
            ];
            if let Some(rule) = broken.into_iter().flatten().next() {
                return Err(format!("{} at {} against {rule}: {self:?}", called.op.step_id(), called.at));
            }
        }
        Ok(())
    }

    fn breaks_never(&self, called: &Called, wanted: &Desired) -> Option<&'static str> {
        let Op::Delete { address, .. } = &called.op else { return None };
        if !address.kind.facts().holds_data {
            return None;
        }
        // What is still wanted at that address is made anew; what is not, goes.
        let action = if wanted.nodes.contains_key(address) {
            DestructiveAction::Replace
        } else {
            DestructiveAction::Delete
        };
        self.never.contains(&action).then_some("never")
    }

    fn breaks_freeze(&self, called: &Called) -> Option<&'static str> {
        let freeze = self.freeze.as_ref()?;
        let inside = freeze.starts + SLACK < called.at && called.at + SLACK < freeze.starts + freeze.lasts;
        let grows = matches!(called.op, Op::Create { .. });
        (inside && (takes_away(&called.op) || moves_writer(&called.op) || freeze.is_hard && grows))
            .then_some("a freeze")
    }

    fn breaks_window(&self, called: &Called, policy: &Policy) -> Option<&'static str> {
        let window = self.window.as_ref()?;
        let is_allowed = policy.consents.iter().any(|consent| consent.action == DestructiveAction::Window);
        if is_allowed || !moves_writer(&called.op) {
            return None;
        }
        // The first day of this calendar was a Thursday.
        let minute = u64::try_from(called.at.as_millis() / 60_000).unwrap();
        let (day, of_day) = ((minute / DAY + 3) % 7, minute % DAY);
        let (from, to) = (window.starts_hour * 60, (window.starts_hour + window.lasts_hours) * 60);
        let slack = SLACK.as_millis() / 60_000;
        let is_open =
            (window.days.is_empty() || window.days.contains(&day)) && (from..=to + slack).contains(&of_day);
        (!is_open).then_some("the window")
    }
}

/// The regions in which a call acts, by its own words: where its object lies, and where the members lie that take part.
pub fn acts_in(op: &Op) -> BTreeSet<RegionId> {
    let mut regions = BTreeSet::from([op.address().region.clone()]);
    match op {
        Op::Act {
            verb:
                Verb::Detach { region, .. }
                | Verb::Switchover { to: region, .. }
                | Verb::FailoverGlobal { to: region, .. },
            ..
        } => drop(regions.insert(region.clone())),
        Op::Create { attrs, .. } => {
            regions.extend(attrs.text("source_region").and_then(|code| RegionId::new(code).ok()));
        }
        Op::Modify { attrs, .. } => {
            regions.extend(attrs.text("snapshot_copy_region").and_then(|code| RegionId::new(code).ok()));
        }
        Op::Act { .. } | Op::Tag { .. } | Op::Delete { .. } => {}
    }
    regions
}

/// Members and data that go.
fn takes_away(op: &Op) -> bool {
    matches!(op, Op::Delete { address, .. } if address.kind.facts().holds_data || address.kind.facts().parent.is_some())
}

/// Writers are moved on purpose, or a whole group stops taking writes.
fn moves_writer(op: &Op) -> bool {
    match op {
        Op::Act { verb, .. } => matches!(verb, Verb::Failover { .. } | Verb::Switchover { .. }),
        Op::Modify { .. } => op.change() == Change::Resize,
        Op::Create { .. } | Op::Tag { .. } | Op::Delete { .. } => false,
    }
}

/// A hundred dollars for each line of a bill and for each object; of what runs in China the price is not known.
#[derive(Debug)]
pub struct FlatPrices;

impl FlatPrices {
    fn of(lines: usize, region: &RegionId) -> Total {
        let mut total = Total::default();
        if region.as_str().starts_with("cn-") {
            total.add_unpriced("a machine in China");
            return total;
        }
        for _ in 0..lines {
            total.add(Money::new(100.into(), Currency::Usd));
        }
        total
    }
}

impl Figures for FlatPrices {
    fn cost(&self, _: &AnyAttrs, _: &Usage, region: &RegionId) -> Total {
        Self::of(1, region)
    }
    fn range(&self, bill: &StoreBill) -> CostRange {
        CostRange {
            floor: Self::of(bill.floor.len(), &bill.region),
            expected: Self::of(bill.expected.len(), &bill.region),
            ceiling: Self::of(bill.ceiling.len(), &bill.region),
        }
    }
    fn capacity_gib(&self, _: &AnyAttrs) -> Option<f64> {
        None
    }
    fn sources(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::address;
    use rgctl_model::kinds::KindId;
    use rgctl_schema::names::Token;
    use rgctl_sim::GENESIS;

    fn called(at_time: Moment, op: Op) -> Called {
        Called { at: at_time, op, token: Token("t".into()), applied: true, told: Ok(()) }
    }

    #[test]
    fn the_checker_of_the_swarm_knows_windows_and_freezes() {
        let cluster = address("us-east-1", KindId::AuroraCluster, "game-s0-use1");
        let failover = Op::Act { address: cluster, verb: Verb::Failover { to: None } };
        // GENESIS is 2026-01-01T00:00Z, a Thursday.
        let monday_five = GENESIS + Span::from_hours(4 * 24 + 5);
        let window = Window { days: BTreeSet::from([0]), starts_hour: 4, lasts_hours: 2 };
        let rules = DrawnRules { window: Some(window), ..DrawnRules::default() };
        let policy = Policy::default();
        assert_eq!(rules.breaks_window(&called(monday_five, failover.clone()), &policy), None);
        for wrong in [GENESIS + Span::from_hours(5), monday_five + Span::from_hours(2)] {
            assert_eq!(rules.breaks_window(&called(wrong, failover.clone()), &policy), Some("the window"));
        }
        let freeze = Freeze { starts: GENESIS, lasts: Span::from_hours(2), is_hard: false };
        let rules = DrawnRules { freeze: Some(freeze), ..DrawnRules::default() };
        assert_eq!(
            rules.breaks_freeze(&called(GENESIS + Span::from_hours(1), failover.clone())),
            Some("a freeze")
        );
        assert_eq!(rules.breaks_freeze(&called(GENESIS + Span::from_hours(3), failover)), None);
    }
}
