//! Slots of a cache that is spread over shards, at rest and while they move.
//!
//! **Invariant:** the slots of all shards together are all slots there are, at every moment.

use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_schema::time::{Moment, Span};

use super::state::{DueEvent, Object, Purpose};
use super::timing;
use super::world::World;

/// The field that counts shards.
pub(super) const SHARDS: &str = "shards";
/// Slots of a key space (ElastiCache guide, 2026-04).
const SLOTS: u64 = 16_384;
/// How long a gibibyte takes from one shard to another; each new or leaving shard is a lane of its own.
const MOVE_A_GIB: Span = Span::from_secs(90);

/// Slots of each shard, and how much of a move between two numbers of shards is done.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Slots {
    /// Slots by shard; a shard that is leaving stands at the end until it has none.
    pub by_shard: Vec<u64>,
    /// The share of the move that is done; nothing when no slot moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<f64>,
}

/// Slots of so many shards at rest.
fn even(shards: u64) -> Vec<u64> {
    let upto = |n: u64| SLOTS * n / shards.max(1);
    (0..shards).map(|n| upto(n + 1) - upto(n)).collect()
}

/// Slots on the way from one number of shards to another, when so many of those that move have moved.
fn between(from: u64, to: u64, part: f64) -> Vec<u64> {
    let all = usize::try_from(from.max(to)).unwrap_or(0);
    let (mut before, mut after) = (even(from), even(to));
    before.resize(all, 0);
    after.resize(all, 0);
    let lost = |n: usize| before[n].saturating_sub(after[n]);
    let won = |n: usize| after[n].saturating_sub(before[n]);
    let given: Vec<u64> = (0..all).map(|n| share(lost(n), part)).collect();
    let (total, room) = (given.iter().sum::<u64>(), (0..all).map(won).sum::<u64>().max(1));
    let mut wanted = 0;
    (0..all)
        .map(|n| {
            let taken_before = total * wanted / room;
            wanted += won(n);
            before[n] - given[n] + (total * wanted / room - taken_before)
        })
        .collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of at most all slots")]
fn share(of: u64, part: f64) -> u64 {
    (of as f64 * part.clamp(0.0, 1.0)).floor() as u64
}

impl World {
    /// Slots of a cache that has shards.
    pub fn slots(&self, address: &Address) -> Option<Slots> {
        let object = self.objects.get(address)?;
        let from = object.number(SHARDS).filter(|shards| *shards <= SLOTS)?;
        let pending =
            object.pending.as_ref().and_then(|pending| pending.get(SHARDS)).and_then(|n| n.as_u64());
        let Some(to) = pending.filter(|to| *to != from && *to <= SLOTS) else {
            return Some(Slots { by_shard: even(from), moved: None });
        };
        let part = self.part_done(address, object).unwrap_or(0.0);
        Some(Slots { by_shard: between(from, to, part), moved: Some(part) })
    }

    /// The share of the stage under way that has passed.
    fn part_done(&self, address: &Address, object: &Object) -> Option<f64> {
        let work = object.work.as_ref().filter(|work| work.purpose == Purpose::Change)?;
        let lasts = work.stages.front()?.lasts.as_secs_f64();
        let ends: Moment = self.events.iter().find_map(|((due, _), event)| match event {
            DueEvent::Stage { address: of, serial } if of == address && *serial == work.serial => Some(*due),
            _ => None,
        })?;
        let left = ends.since(self.now()).as_secs_f64();
        (lasts > 0.0).then(|| (1.0 - left / lasts).clamp(0.0, 1.0))
    }

    /// How long the stored data of the slots that move is on its way: lanes work side by side.
    pub(super) fn slots_move_for(&self, address: &Address, pending: &AnyAttrs) -> Span {
        let number = |attrs: &AnyAttrs| attrs.get(SHARDS).and_then(|n| n.as_u64());
        let before = self.objects.get(address).and_then(|object| number(&object.attrs));
        let (Some(from), Some(to)) = (before, number(pending)) else { return Span::ZERO };
        let a_shard = self.used_gib(address).unwrap_or_default() / from.max(to).max(1) as f64;
        timing::part_of(MOVE_A_GIB, a_shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_slot_is_lost_or_doubled_on_the_way() {
        for (from, to) in [(1, 2), (2, 1), (3, 5), (5, 3), (1, 90), (90, 7), (4, 4)] {
            for step in 0..=20 {
                let now = between(from, to, f64::from(step) / 20.0);
                assert_eq!(now.iter().sum::<u64>(), SLOTS, "{from} to {to}, step {step}: {now:?}");
            }
            let mut ended = between(from, to, 1.0);
            ended.retain(|slots| *slots > 0);
            assert_eq!(ended, even(to));
            let mut began = between(from, to, 0.0);
            began.retain(|slots| *slots > 0);
            assert_eq!(began, even(from));
        }
    }
}
