//! Decisions beside the blueprint: overlays, which change a number or an attribute of a store, and regions held out.
//!
//! Goes in: decisions, one after the other, each with owner, reason and time. Comes out: what stands.
//!
//! **Invariant:** what stands follows from the lines alone: whoever reads the same lines knows the same decisions.
//! **Invariant:** each line carries the digest of what stands after it, so that a summary is checked against its line.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::scope::Scope;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::time::Moment;

/// A dimension in which a store is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Members that serve reads.
    Readers,
    /// Shards.
    Shards,
    /// Replicas of each shard.
    Replicas,
    /// Upper bound of serverless capacity units.
    CapacityUnits,
    /// Nodes of a warehouse.
    Nodes,
    /// Class of its machines: no number, an attribute.
    Class,
}

impl Axis {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Readers, Self::Shards, Self::Replicas, Self::CapacityUnits, Self::Nodes, Self::Class];
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Readers => "readers",
            Self::Shards => "shards",
            Self::Replicas => "replicas",
            Self::CapacityUnits => "capacity-units",
            Self::Nodes => "nodes",
            Self::Class => "class",
        })
    }
}

/// Who decides, the least first: where several decide about one axis, the last of them counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The scaler.
    Scaler,
    /// A person.
    Person,
    /// A running runbook.
    Recovery,
    /// A freeze.
    Freeze,
}

impl Owner {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Scaler, Self::Person, Self::Recovery, Self::Freeze];
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Scaler => "scaler",
            Self::Person => "person",
            Self::Recovery => "recovery",
            Self::Freeze => "freeze",
        })
    }
}

/// What an overlay is about. Two owners may each have one about the same axis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OverlayKey {
    /// Which store.
    pub store: StoreName,
    /// In which region.
    pub region: RegionId,
    /// In which dimension.
    pub axis: Axis,
    /// Whose decision.
    pub owner: Owner,
}

impl fmt::Display for OverlayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of `{}` in {} ({})", self.axis, self.store, self.region, self.owner)
    }
}

/// What an axis is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// So many, in units of the axis.
    Count(u32),
    /// A class of machines.
    Class(String),
}

impl Target {
    /// The number, where it is one.
    pub const fn count(&self) -> Option<u32> {
        match self {
            Self::Count(count) => Some(*count),
            Self::Class(_) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Class(class) => f.write_str(class),
        }
    }
}

/// A decision to run a store in another shape than the blueprint's, within the blueprint's bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// What it is about, and whose it is.
    pub key: OverlayKey,
    /// What the axis is set to.
    pub target: Target,
    /// Whether a person's number is meant exactly; else it is a floor.
    #[serde(default)]
    pub exactly: bool,
    /// Who decided: user and host, or which process.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub set: Moment,
    /// Until when it was meant; without end where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// Whether it is void after its time. Else it lapses and holds: nothing shrinks because a time has come.
    #[serde(default)]
    pub then_return: bool,
}

impl Overlay {
    /// Whether its time is over.
    pub fn is_lapsed(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether it counts for nothing any more.
    pub fn is_void(&self, now: Moment) -> bool {
        self.then_return && self.is_lapsed(now)
    }
}

/// A region that was given up for now: what lies there is neither missing nor done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldOut {
    /// Which.
    pub region: RegionId,
    /// Why.
    pub why: String,
    /// Who decided.
    pub by: String,
    /// When.
    pub since: Moment,
}

impl fmt::Display for HoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, why, by, since } = self;
        write!(
            f,
            "{region} is held out since {since}, by {by}, because: {why}; `rgctl region release {region}` ends that"
        )
    }
}

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// An overlay is set, in the place of the one with its key.
    Set {
        /// The overlay.
        overlay: Overlay,
    },
    /// An overlay is withdrawn.
    Unset {
        /// Which.
        key: OverlayKey,
        /// Who decided.
        by: String,
        /// Why.
        why: String,
    },
    /// A region is held out.
    HoldOut {
        /// Which, and why.
        hold: HoldOut,
    },
    /// A region is no longer held out.
    Release {
        /// Which.
        region: RegionId,
        /// Who decided.
        by: String,
        /// Why.
        why: String,
    },
}

/// What a decision is about. Decisions about one key replace each other; those about different keys have nothing to do
/// with each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKey {
    /// An axis of a store, by one owner.
    Overlay(OverlayKey),
    /// Whether a region is held out.
    Region(RegionId),
}

impl fmt::Display for DecisionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlay(key) => key.fmt(f),
            Self::Region(region) => write!(f, "region {region}"),
        }
    }
}

impl Decision {
    /// What it is about.
    pub fn key(&self) -> DecisionKey {
        match self {
            Self::Set { overlay } => DecisionKey::Overlay(overlay.key.clone()),
            Self::Unset { key, .. } => DecisionKey::Overlay(key.clone()),
            Self::HoldOut { hold } => DecisionKey::Region(hold.region.clone()),
            Self::Release { region, .. } => DecisionKey::Region(region.clone()),
        }
    }

    /// Who decided.
    pub fn by(&self) -> &str {
        match self {
            Self::Set { overlay } => &overlay.by,
            Self::HoldOut { hold } => &hold.by,
            Self::Unset { by, .. } | Self::Release { by, .. } => by,
        }
    }

    /// Why.
    pub fn why(&self) -> &str {
        match self {
            Self::Set { overlay } => &overlay.why,
            Self::HoldOut { hold } => &hold.why,
            Self::Unset { why, .. } | Self::Release { why, .. } => why,
        }
    }
}

/// A decision as it is kept. Decisions have a sequence and a chain of their own, beside the record's: whoever writes one
/// holds nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Position among the decisions of its scope, from 1. It is the epoch of its key until the next decision about it.
    pub seq: u64,
    /// When.
    pub at: Moment,
    /// Of which record.
    pub scope: Scope,
    /// What.
    pub what: Decision,
    /// Digest of what stands after it.
    pub standing: String,
    /// Digest of the decision before; empty at the first.
    pub previous: String,
    /// Digest of this one.
    pub hash: String,
}

/// What an overlay held that was withdrawn, or replaced by one that holds less: taking it away needs consent, unless the
/// scaler decides, and decided not before that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Of which overlay.
    pub key: OverlayKey,
    /// The most that it held.
    pub target: Target,
    /// Position of the decision that ended it.
    pub seq: u64,
}

/// What stands at a position of the log of decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// Overlays that were not withdrawn, lapsed ones among them, each with the epoch of its key.
    #[serde(default, with = "by_key")]
    pub overlays: BTreeMap<OverlayKey, (u64, Overlay)>,
    /// Regions that are held out, each with the epoch of its key.
    #[serde(default)]
    pub holds: BTreeMap<RegionId, (u64, HoldOut)>,
    /// Keys about which nothing stands any more and their epochs, the oldest first.
    #[serde(default)]
    withdrawn: Vec<(DecisionKey, u64)>,
    /// What overlays held that hold it no longer, the oldest first.
    #[serde(default)]
    pub left: Vec<Left>,
    /// Position of the last decision.
    pub last_seq: u64,
    /// Digest of the last decision; empty where there is none.
    pub last_hash: String,
}

/// Withdrawn keys whose epochs are kept. An older one counts as never written: whoever still knows its epoch is refused,
/// and looks again.
const WITHDRAWN_MAX: usize = 200;

impl Decisions {
    /// What stands after these lines, which are all that there are from the first on; else the place and the fault of the
    /// first wrong one.
    pub fn fold(lines: &[Decided]) -> Result<Self, (u64, &'static str)> {
        let mut decisions = Self::default();
        decisions.follow(lines)?;
        Ok(decisions)
    }

    /// Goes on by lines that follow what is known; of lines that do not, nothing is taken.
    pub fn follow(&mut self, lines: &[Decided]) -> Result<(), (u64, &'static str)> {
        let mut next = self.clone();
        for line in lines {
            if line.seq != next.last_seq + 1 {
                return Err((next.last_seq + 1, "a line is missing, or stands twice"));
            }
            if line.previous != next.last_hash {
                return Err((line.seq, "the line before it was changed or removed"));
            }
            next.apply(line.seq, &line.what);
            next.last_hash.clone_from(&line.hash);
        }
        // The last one is enough: it speaks of all before it.
        if let Some(last) = lines.last().filter(|last| !next.is_after(last)) {
            return Err((last.seq, "what stands after it is not what it says"));
        }
        *self = next;
        Ok(())
    }

    /// Lets a decision take effect at a position.
    pub fn apply(&mut self, seq: u64, what: &Decision) {
        let key = what.key();
        self.withdrawn.retain(|(other, _)| *other != key);
        match what {
            Decision::Set { overlay } => {
                let replaced = self.overlays.insert(overlay.key.clone(), (seq, overlay.clone()));
                if let Some((_, replaced)) = replaced {
                    self.leave(replaced, Some(&overlay.target), seq);
                }
            }
            Decision::HoldOut { hold } => {
                self.holds.insert(hold.region.clone(), (seq, hold.clone()));
            }
            Decision::Unset { key: of, .. } => {
                if let Some((_, withdrawn)) = self.overlays.remove(of) {
                    self.leave(withdrawn, None, seq);
                }
                self.withdrawn.push((key, seq));
            }
            Decision::Release { region, .. } => {
                self.holds.remove(region);
                self.withdrawn.push((key, seq));
            }
        }
        self.withdrawn.drain(..self.withdrawn.len().saturating_sub(WITHDRAWN_MAX));
        self.last_seq = seq;
    }

    /// Keeps what an overlay held: of numbers the largest, and every class, since nobody can compare them here; until one with
    /// the same key holds as much again.
    fn leave(&mut self, overlay: Overlay, replaced_by: Option<&Target>, seq: u64) {
        let Overlay { key, target, .. } = overlay;
        self.left.push(Left { key: key.clone(), target, seq });
        let (of_key, mut others): (Vec<Left>, Vec<Left>) =
            std::mem::take(&mut self.left).into_iter().partition(|left| left.key == key);
        let most = of_key.iter().filter_map(|left| left.target.count()).max();
        let is_held_again = |left: &Left| match (&left.target, replaced_by) {
            (Target::Count(left), Some(Target::Count(now))) => now >= left,
            (left, Some(now)) => now == left,
            (_, None) => false,
        };
        let mut kept: Vec<Left> = Vec::new();
        for left in of_key {
            let is_most = left.target.count() == most;
            // What was held twice ended with the later of the two.
            kept.retain(|other| other.target != left.target);
            if is_most && !is_held_again(&left) {
                kept.push(left);
            }
        }
        others.extend(kept.into_iter().map(|left| Left { seq, ..left }));
        self.left = others;
    }

    /// Position of the last decision about a key; zero where there is none. Whoever decides names the epoch that the
    /// decision rests on.
    pub fn epoch(&self, key: &DecisionKey) -> u64 {
        let standing = match key {
            DecisionKey::Overlay(key) => self.overlays.get(key).map(|(epoch, _)| *epoch),
            DecisionKey::Region(region) => self.holds.get(region).map(|(epoch, _)| *epoch),
        };
        let withdrawn = || self.withdrawn.iter().find(|(other, _)| other == key).map(|(_, epoch)| *epoch);
        standing.or_else(withdrawn).unwrap_or(0)
    }

    /// The regions that are held out.
    pub fn held_out(&self) -> BTreeMap<RegionId, HoldOut> {
        self.holds.iter().map(|(region, (_, hold))| (region.clone(), hold.clone())).collect()
    }

    /// How much stands.
    pub fn len(&self) -> usize {
        self.overlays.len() + self.holds.len()
    }

    /// How much is kept: what stands, and what was held and is held no longer. Nothing of either is forgotten to make room,
    /// since that would take something away without consent.
    pub fn kept(&self) -> usize {
        self.len() + self.left.len()
    }

    /// Whether nothing stands.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Digest of what stands.
    pub fn digest(&self) -> String {
        let content = (
            self.overlays.values().collect::<Vec<_>>(),
            &self.holds,
            &self.withdrawn,
            &self.left,
            self.last_seq,
        );
        // Plain data always serialises; an empty text would only make the digest wrong, and so be noticed.
        sha256_hex(serde_json::to_string(&content).unwrap_or_default().as_bytes())
    }

    /// Whether this is what stood after a line.
    pub fn is_after(&self, line: &Decided) -> bool {
        (self.last_seq, &self.last_hash) == (line.seq, &line.hash) && self.digest() == line.standing
    }
}

/// Overlays as a list: their keys are in them.
mod by_key {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Overlay, OverlayKey};

    type Known = BTreeMap<OverlayKey, (u64, Overlay)>;

    pub fn serialize<S: Serializer>(known: &Known, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(known.values())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Known, D::Error> {
        let list = Vec::<(u64, Overlay)>::deserialize(from)?;
        Ok(list.into_iter().map(|(epoch, overlay)| (overlay.key.clone(), (epoch, overlay))).collect())
    }
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
