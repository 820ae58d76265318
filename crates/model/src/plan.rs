//! Plans: what will be done, in which order, why, at what price and with which effect.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use super::answer::{Answer, Disturbance};

use super::address::Address;
use super::bill::CostRange;
use super::health::Health;
use super::observed::CoolDown;
use super::policy::{ConsentRequest, DestructiveAction};
use super::quota::OverQuota;
use super::shared::SharedList;
use crate::kinds::AnyAttrs;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::money::Total;
use rgctl_schema::names::{BlueprintName, Fingerprint, Name, RegionId, StepId, StoreName};
use rgctl_schema::table::{Change, FieldChange};
use rgctl_schema::time::{Moment, Span};

pub use super::blocker::Blocker;
pub use super::reason::Reason;

/// Number of the format of saved plans; a plan of another format is refused.
pub const PLAN_FORMAT: &str = "rgctl.dev/plan/v2";

/// Something done to an object that is neither making, changing nor deleting it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Moves the write role to another member of the cluster, or lets the service choose.
    Failover {
        /// The member that takes over.
        to: Option<Name>,
    },
    /// Promotes a replica of one shard, as an exercise.
    TestFailover {
        /// The shard, as the service numbers it.
        shard: String,
    },
    /// Moves the write role of a global object to another region, losing nothing.
    Switchover {
        /// The region that takes over.
        to: RegionId,
        /// The member there.
        member: Name,
    },
    /// Moves the write role of a global object to another region at once; what was not replicated is lost.
    FailoverGlobal {
        /// The region that takes over.
        to: RegionId,
        /// The member there.
        member: Name,
    },
    /// Takes a member out of a global object; it stands alone from then on.
    Detach {
        /// Region of the member.
        region: RegionId,
        /// The member.
        member: Name,
    },
    /// Restarts the object.
    Reboot,
    /// Starts a stopped object.
    Start,
    /// Stops an object.
    Stop,
}

impl Verb {
    /// Whether it moves a role, so that somebody's writes wait for its end.
    pub const fn moves_role(&self) -> bool {
        match self {
            Self::Failover { .. }
            | Self::TestFailover { .. }
            | Self::Switchover { .. }
            | Self::FailoverGlobal { .. }
            | Self::Detach { .. } => true,
            Self::Reboot | Self::Start | Self::Stop => false,
        }
    }

    /// The verb in a word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Failover { .. } => "failover",
            Self::TestFailover { .. } => "test-failover",
            Self::Switchover { .. } => "switchover",
            Self::FailoverGlobal { .. } => "failover-global",
            Self::Detach { .. } => "detach",
            Self::Reboot => "reboot",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// One call to the cloud, as a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Op {
    /// Makes an object.
    Create {
        /// Where.
        #[serde(rename = "at")]
        address: Address,
        /// With which attributes.
        attrs: AnyAttrs,
        /// With which tags.
        tags: BTreeMap<String, String>,
    },
    /// Changes an object.
    Modify {
        /// Where.
        #[serde(rename = "at")]
        address: Address,
        /// What changes, for people and policies.
        changes: Vec<FieldChange>,
        /// The new values: only the fields that change are set.
        attrs: AnyAttrs,
    },
    /// Sets tags; others are left alone.
    Tag {
        /// Where.
        #[serde(rename = "at")]
        address: Address,
        /// The tags that differ.
        tags: BTreeMap<String, String>,
    },
    /// Deletes an object.
    Delete {
        /// Where.
        #[serde(rename = "at")]
        address: Address,
        /// Name of the snapshot that is taken first; none only where nothing is held, or by request.
        final_snapshot: Option<Name>,
    },
    /// Does something else to an object.
    Act {
        /// Where.
        #[serde(rename = "at")]
        address: Address,
        /// What.
        verb: Verb,
    },
}

impl Op {
    /// The object that it is about.
    pub const fn address(&self) -> &Address {
        match self {
            Self::Create { address, .. }
            | Self::Modify { address, .. }
            | Self::Tag { address, .. }
            | Self::Delete { address, .. }
            | Self::Act { address, .. } => address,
        }
    }

    /// Another object that takes part: the member that leaves a global object or takes its write role, and the one that a
    /// global object is made from.
    pub fn beside(&self) -> Option<Address> {
        let kind = self.address().kind.member_kind()?;
        match self {
            Self::Create { address, attrs, .. } => {
                let region = attrs.text("source_region").and_then(|code| RegionId::new(code).ok());
                let name = Name::new(attrs.text("source")?).ok()?;
                Some(Address::new(region.unwrap_or_else(|| address.region.clone()), kind, name))
            }
            Self::Act {
                verb:
                    Verb::Detach { region, member }
                    | Verb::Switchover { to: region, member }
                    | Verb::FailoverGlobal { to: region, member },
                ..
            } => Some(Address::new(region.clone(), kind, member.clone())),
            _ => None,
        }
    }

    /// Names of the entries of a map that it takes out: parameters go back to their defaults, tags go.
    pub fn taken_out(&self, map: &str) -> BTreeSet<String> {
        let Self::Modify { changes, .. } = self else { return BTreeSet::new() };
        let out = changes.iter().filter_map(FieldChange::taken_out).filter(|(of, _)| *of == map);
        out.map(|(_, name)| name.to_owned()).collect()
    }

    /// The operation in a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Modify { .. } => "modify",
            Self::Tag { .. } => "tag",
            Self::Delete { .. } => "delete",
            Self::Act { verb, .. } => verb.as_str(),
        }
    }

    /// The step's name: the same operation on the same object has the same name in every plan.
    pub fn step_id(&self) -> StepId {
        let address = self.address();
        let text = match self {
            Self::Modify { changes, .. } => {
                // A step on the way is another one than that which follows it.
                let field = |change: &FieldChange| match change.after.as_str() {
                    Some(to) if change.through => format!("{}={to}", change.field),
                    None if change.through => format!("{}={}", change.field, change.after),
                    _ => change.field.clone(),
                };
                let fields: Vec<String> = changes.iter().map(field).collect();
                format!("modify {address} {}", fields.join("+"))
            }
            Self::Act { verb: Verb::Failover { to: Some(to) }, .. } => format!("failover {address} to {to}"),
            Self::Act { verb: Verb::Detach { region, member }, .. } => {
                format!("detach {region}/{member} from {address}")
            }
            Self::Create { .. } | Self::Tag { .. } | Self::Delete { .. } | Self::Act { .. } => {
                format!("{} {address}", self.word())
            }
        };
        StepId(text.into())
    }

    /// Digest of what is asked for, without what it was before and without what differs from run to run: equal ones ask for
    /// the same. Secret values are left out.
    pub fn asks(&self) -> String {
        let (word, address) = (self.word(), self.address());
        let text = match self {
            Self::Create { attrs, tags, .. } => {
                serde_json::to_vec(&(word, address, attrs.set_fields(), tags))
            }
            Self::Modify { attrs, .. } => serde_json::to_vec(&(word, address, attrs.set_fields())),
            Self::Tag { tags, .. } => serde_json::to_vec(&(word, address, tags)),
            Self::Delete { final_snapshot, .. } => {
                serde_json::to_vec(&(word, address, final_snapshot.is_some()))
            }
            Self::Act { verb, .. } => serde_json::to_vec(&(word, address, verb)),
        };
        // Values, names and addresses always serialise.
        sha256_hex(&text.unwrap_or_default()).chars().take(16).collect()
    }

    /// Whether its object restarts, or does not answer for a while in some other way, and stays.
    pub fn restarts(&self) -> bool {
        match self {
            Self::Modify { .. } => self.change() >= Change::Restart,
            Self::Act { verb, .. } => *verb == Verb::Reboot,
            Self::Create { .. } | Self::Tag { .. } | Self::Delete { .. } => false,
        }
    }

    /// The gravest change that it makes.
    pub fn change(&self) -> Change {
        match self {
            Self::Modify { changes, .. } => {
                changes.iter().map(|change| change.change).max().unwrap_or(Change::InPlace)
            }
            Self::Act { .. } => Change::Failover,
            Self::Create { .. } | Self::Tag { .. } | Self::Delete { .. } => Change::InPlace,
        }
    }
}

/// What a step is expected to do to those who use the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// How long it takes, as a median.
    pub duration: Span,
    /// How long it takes, all but one time in twenty.
    pub duration_p95: Span,
    /// How long writes fail.
    pub write_outage: Span,
    /// How often the write role moves.
    pub failovers: u32,
    /// Whether the opposite change leads back, with all data.
    pub reversible: bool,
}

/// Cost a month of an object before and after a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostChange {
    /// Before.
    pub before: Total,
    /// After.
    pub after: Total,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Name.
    pub id: StepId,
    /// What is done.
    pub op: Op,
    /// Store that it belongs to.
    pub store: Option<StoreName>,
    /// Steps that must have settled before.
    pub needs: BTreeSet<StepId>,
    /// Objects that are on their way out and must be gone before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[serde(rename = "gone")]
    pub after_deletion_of: BTreeSet<Address>,
    /// Why.
    pub why: Reason,
    /// Destructive actions that it is or goes with: each must have been allowed by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub requires: BTreeSet<ConsentRequest>,
    /// What it does to those who use the store, as windows and freezes ask.
    pub disturbs: Disturbance,
    /// Why it waits for the release of a region, if it does: it would act there, or needs something there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<String>,
    /// What the service does not take before a time, if it asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cool_down: Option<CoolDown>,
    /// Whether it makes anew what was there, at no higher cost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repairs: bool,
    /// What the gate said when the plan was made; it is asked again before the step is begun.
    pub answer: Answer,
    /// Effect on those who use the store.
    pub effect: Effect,
    /// Cost a month.
    pub cost: CostChange,
}

/// Steps in an order in which they could be done one after the other.
pub type Steps = SharedList<Step>;

/// What will be done, and what is not done for which reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Number of the format.
    pub format: String,
    /// Whose.
    pub blueprint: BlueprintName,
    /// Digest of desired and observed state that the plan was made from.
    pub base: Fingerprint,
    /// When.
    pub made: Moment,
    /// Whether everything of the blueprint is to be removed.
    pub destroy: bool,
    /// Steps in an order in which they could be done one after the other.
    pub steps: Steps,
    /// What is not done now, and why.
    pub waiting: SharedList<Blocker>,
    /// What is not there, ours, whole and serving, beside what the steps are about.
    pub health: Health,
    /// Cost a month by region, standby regions on their own.
    pub cost: BTreeMap<CostKey, CostRange>,
    /// How old the prices are and where they come from, one line each.
    pub prices: Vec<String>,
    /// Steps that would exceed a known quota; the gate refuses those of them that make or grow something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over_quota: Vec<OverQuota>,
    /// What a person should know before agreeing, one line each.
    pub notes: Vec<String>,
}

/// A line of the cost table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CostKey {
    /// Region.
    pub region: RegionId,
    /// Whether it stands by for another one.
    pub standby: bool,
}

impl Serialize for CostKey {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}{}", self.region, if self.standby { " (standby)" } else { "" }))
    }
}

impl<'de> Deserialize<'de> for CostKey {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let (code, standby) =
            text.strip_suffix(" (standby)").map_or((text.as_str(), false), |code| (code, true));
        Ok(Self { region: RegionId::new(code).map_err(serde::de::Error::custom)?, standby })
    }
}

impl Plan {
    /// Whether nothing is to be done, and everything wanted is there, ours, whole and serving.
    pub const fn is_clean(&self) -> bool {
        self.steps.is_empty() && self.health.is_clean()
    }
    /// Whether nothing is to be done, nothing is waited for, and everything was seen. It says nothing about what needs a
    /// person: see [`Self::is_clean`].
    pub fn is_empty(&self) -> bool {
        let is_open = |one: &Blocker| one.ends_by_itself() || matches!(one, Blocker::Unseen { .. });
        self.steps.is_empty() && !self.waiting.iter().any(is_open)
    }
    /// Destructive actions that would have to be allowed by name.
    pub fn lacking(&self) -> BTreeSet<&ConsentRequest> {
        self.steps.iter().flat_map(Step::missing_consent).collect()
    }
    /// The options that give those consents, in one line; nothing when none is needed, or none would help.
    pub fn options(&self) -> Option<String> {
        let options: Vec<String> = self.lacking().into_iter().map(|act| format!("--allow {act}")).collect();
        (!options.is_empty()).then(|| options.join(" "))
    }
    /// What no consent helps against: each reason once, with its remedy and the number of steps that it holds up.
    pub fn refusals(&self) -> Vec<Refusal<'_>> {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for refused in self.steps.iter().filter_map(Step::refused) {
            *counts.entry(refused).or_default() += 1;
        }
        counts.into_iter().map(|((why, remedy), steps)| Refusal { why, remedy, steps }).collect()
    }
    /// The stores that would stand without a member or without their data.
    pub fn emptied(&self) -> BTreeSet<(&StoreName, &RegionId)> {
        let acts = self.steps.iter().flat_map(|step| &step.requires);
        acts.filter(|act| act.action == DestructiveAction::Empty)
            .filter_map(|act| Some((act.store.as_ref()?, &act.region)))
            .collect()
    }
}

/// Why steps are refused whatever is allowed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// Why.
    pub why: &'a str,
    /// What to do about it.
    pub remedy: &'a str,
    /// How many steps it holds up.
    pub steps: usize,
}

impl Step {
    /// Why no consent helps, with the remedy; nothing where it may be begun, or a consent would do.
    pub fn refused(&self) -> Option<(&str, &str)> {
        match &self.answer {
            Answer::No { why, remedy, allow } if allow.is_empty() => Some((why, remedy)),
            Answer::Go | Answer::Wait { .. } | Answer::HeldOut { .. } | Answer::No { .. } => None,
        }
    }
    /// What would have to be allowed by name.
    pub fn missing_consent(&self) -> impl Iterator<Item = &ConsentRequest> {
        let allow = match &self.answer {
            Answer::No { allow, .. } => Some(allow),
            Answer::Go | Answer::Wait { .. } | Answer::HeldOut { .. } => None,
        };
        allow.into_iter().flatten()
    }
    /// Whether it is part of making something anew.
    pub const fn is_remade(&self) -> bool {
        matches!(self.why, Reason::MustReplace { .. })
    }
}
