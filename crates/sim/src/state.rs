//! What a world is made of: objects, what is happening to them, faults, load, meters, violations. No rules.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::Usage;
use rgctl_model::observed::{CoolDown, Member, Observed, ParameterStatus, Selection};
use rgctl_model::plan::Op;
use rgctl_model::seen::Seen;
use rgctl_schema::names::{Name, RegionId, StepId, Token};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::{Moment, Span};

use super::pacing::Pacing;
use super::tables;

/// A stretch of work during which the object shows one status word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stage {
    pub native: String,
    pub lasts: Span,
    /// Writes fail meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub down: bool,
}

/// What work is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    Create,
    CreateBroken,
    /// Pending values take effect at the end.
    Change,
    Delete,
    /// Nothing but the status changes.
    Pass,
    Stop,
    Start,
    /// Nothing but a restart.
    Reboot,
    /// The write role goes to that member, or to the best one.
    Failover {
        to: Option<Name>,
    },
    /// The write role of a global object goes to that member.
    Switch {
        to: Address,
    },
    /// The member stands alone from the end of it.
    Promote,
}

impl Purpose {
    /// Whether whoever does not answer meanwhile has been started anew.
    pub const fn restarts(&self) -> bool {
        matches!(self, Self::Change | Self::Start | Self::Reboot)
    }
}

/// Work in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Transition {
    pub serial: u64,
    pub purpose: Purpose,
    /// The stage under way first.
    pub stages: VecDeque<Stage>,
}

/// What readers of an object saw before the last write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ReadView {
    pub attrs: AnyAttrs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<AnyAttrs>,
    pub native: String,
    pub tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "ParameterStatus::is_in_sync")]
    pub parameters: ParameterStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cool_down: Option<Box<CoolDown>>,
}

/// Until then readers see the view: nothing at all when there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StaleReads {
    pub until: Moment,
    pub view: Option<ReadView>,
}

/// An object of the embedded cloud.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Object {
    pub(super) attrs: AnyAttrs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<AnyAttrs>,
    pub(super) native: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<Role>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) members: Vec<Member>,
    pub(super) tags: BTreeMap<String, String>,
    /// Whether the parameters of its groups are in effect in it.
    #[serde(default, skip_serializing_if = "ParameterStatus::is_in_sync")]
    pub(super) parameters: ParameterStatus,
    /// What it does not take again before a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cool_down: Option<Box<CoolDown>>,
    pub(super) created: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) work: Option<Transition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shadow: Option<StaleReads>,
    pub(super) draws: u64,
    pub(super) meter: Meter,
    /// How long writes have failed because of changes.
    pub(super) outage: Span,
    /// What readers see of it, as long as that lasts: it follows from the rest, and is no part of a row.
    #[serde(skip)]
    pub(super) portrait: OnceLock<Arc<Observed>>,
}

impl Object {
    pub(super) fn phase(&self) -> Phase {
        tables::phase(self.attrs.kind(), &self.native)
    }
    pub(super) fn is_ready(&self) -> bool {
        self.phase().is_ready()
    }
    /// Whether clients are answered.
    pub(super) fn serves(&self) -> bool {
        self.phase().serves()
    }
    pub(super) fn is_protected(&self) -> bool {
        let field = tables::of(self.attrs.kind()).protection;
        field.and_then(|field| self.attrs.get(field)) == Some(true.into())
    }
    pub(super) fn is_going(&self) -> bool {
        matches!(self.phase(), Phase::Deleting)
    }
    pub(super) fn number(&self, field: &str) -> Option<u64> {
        self.attrs.get(field).and_then(|value| value.as_u64())
    }
}

/// Something that will happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DueEvent {
    /// A stage of the work with that serial number ends.
    Stage {
        #[serde(rename = "at")]
        address: Address,
        serial: u64,
    },
    /// A cluster that lost its writer gets a new one.
    Promote {
        #[serde(rename = "at")]
        address: Address,
        to: Option<Name>,
    },
    /// A call that was held up arrives.
    Arrival { op: Box<Op>, token: Token },
    /// The service starts what is still stopped as it was then.
    Start {
        #[serde(rename = "at")]
        address: Address,
        draws: u64,
    },
    /// A zone goes away, or comes back.
    Zone { zone: String, back_at: Moment },
}

/// Calls that a control plane takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TokenBucket {
    pub tokens: f64,
    pub at: Moment,
}

/// What a world has once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Meta {
    pub seed: u64,
    pub now: Moment,
    pub start: Moment,
    pub events: u64,
    pub serials: u64,
    pub faults: u64,
    #[serde(default)]
    pub snapshots_expected: bool,
    /// What tells this world from every other one; worlds of old have none until they are opened.
    #[serde(default)]
    pub id: String,
    /// How its time keeps pace with real time, while somebody keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pacing: Option<Pacing>,
    /// How many calls are kept on the trail.
    #[serde(default, skip_serializing_if = "is_none_kept")]
    pub trail_max: u32,
    /// How many calls there were while a trail was kept.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub trailed: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_none_kept(lines: &u32) -> bool {
    *lines == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_none_yet(calls: &u64) -> bool {
    *calls == 0
}

/// A call on the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailed {
    /// When it came.
    pub at: Moment,
    /// What was asked for, as a plan calls it.
    pub step: StepId,
    /// With which token.
    pub token: Token,
    /// What was told in place of an acceptance, in words: a refusal, or that no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Whether it is a call that was held up and arrived then: nobody waited for what was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_late: bool,
}

/// Quantities of an object so far, by the key of what is billed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Meter {
    /// Metered up to then.
    pub since: Moment,
    /// Unit-hours by sku.
    pub hours: BTreeMap<String, f64>,
}

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Broken {
    /// Two members of one cluster, or of one global object, accept writes.
    TwoWriters,
    /// A protected object was deleted.
    ProtectedDeleted,
    /// One token made two objects.
    TokenTwice,
    /// All members of a cluster of several were taken out together by calls.
    AllMembersDown,
    /// Data was deleted and no snapshot of it was taken, although one is expected.
    DataLost,
}

/// A rule that was broken, when and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// When.
    pub at: Moment,
    /// Which object.
    pub object: Address,
    /// Which rule.
    pub broken: Broken,
    /// In a sentence.
    pub what: String,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// Calls are refused as too many.
    Throttle,
    /// The answer of a call is lost.
    LostAnswer {
        /// Whether the call took effect.
        applied: bool,
    },
    /// A call gets no answer, and takes effect later: it was held up on its way.
    LateCall {
        /// By how much at most.
        by: Span,
    },
    /// A call is accepted, and nothing of it is done.
    NoEffect,
    /// A change that begins stays in transition until the rule ends.
    Stuck,
    /// Changes that begin take this many times as long.
    Slow {
        /// How many times.
        factor: f64,
    },
    /// There is no capacity for what would run on a class of machines.
    Capacity {
        /// Which class; every one when unset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<String>,
    },
    /// The account may not have more objects of the kind than this, in place of its default quotas.
    Quota {
        /// How many.
        limit: u32,
    },
    /// Reads lag writes by this much.
    StaleRead {
        /// By how much.
        lag: Span,
    },
    /// A page of an observation fails.
    Gap,
    /// A zone is lost: the members in it do not serve.
    ZoneLoss {
        /// Which zone, such as `us-east-1a`.
        zone: String,
    },
    /// A whole region is lost: every call to it fails.
    RegionLoss,
    /// Names are taken by something that no listing shows: creating under them is refused.
    NameTaken {
        /// Which name; every one when unset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Name>,
    },
    /// What is being made ends up broken.
    CreateFails,
    /// Objects show a status word that nobody has heard of.
    UnknownStatus,
    /// Somebody else edits an object shortly after a call of ours.
    OtherHand,
    /// Metrics are late by this much more.
    LateMetrics {
        /// By how much.
        lag: Span,
    },
    /// The account may not list what an endpoint holds.
    Denied,
}

/// A fault with its conditions. Unset conditions match everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// In which region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionId>,
    /// To which kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindId>,
    /// With which operation, in the word of `Op::word`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// How often, from 0 to 1.
    pub probability: f64,
    /// From when.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
    /// How many times at most; without a limit when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Rule {
    /// A rule that always strikes, everywhere, during a window.
    pub const fn always(fault: Fault, from: Moment, until: Moment) -> Self {
        Self { fault, region: None, kind: None, operation: None, probability: 1.0, from, until, count: None }
    }

    /// The same in one region only.
    #[must_use]
    pub fn in_region(self, region: RegionId) -> Self {
        Self { region: Some(region), ..self }
    }

    /// Whether the rule is in force.
    pub fn is_active(&self, now: Moment) -> bool {
        self.from <= now && now < self.until && self.count != Some(0)
    }

    pub(super) fn covers(&self, address: &Address, operation: &str) -> bool {
        self.region.as_ref().is_none_or(|region| *region == address.region)
            && self.kind.is_none_or(|kind| kind == address.kind)
            && self.operation.as_deref().is_none_or(|word| word == operation)
    }
}

/// A surge of load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surge {
    /// From when.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
    /// Times the usual load.
    pub factor: f64,
}

/// What clients do to a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// At peak, and stored at `since`.
    pub usage: Usage,
    /// From when the data grows.
    pub since: Moment,
    /// Surges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub surges: Vec<Surge>,
}

/// The parent that an object's attributes name.
pub(super) fn parent_of(address: &Address, attrs: &AnyAttrs) -> Option<Address> {
    let parent = address.kind.facts().parent?;
    let name = Name::new(attrs.text(parent.field)?).ok()?;
    Some(Address::new(address.region.clone(), parent.kind, name))
}

/// The last look, and what has to be looked at again since.
#[derive(Clone, Debug)]
pub(super) struct LastLook {
    pub scope: Selection,
    pub seen: Seen,
    /// Objects that were written, or that change by themselves.
    pub restless: BTreeSet<Address>,
}
