//! Where the engine ends and the outside begins: four traits, spoken in our own words.
//!
//! Goes in: operations, questions, events as values. Comes out: inventories, receipts, series, or a closed set of
//! errors.
//!
//! **Invariant:** no type of a provider's library crosses a port.
//! **Invariant:** after [`CloudError::Unclear`] the caller looks before it does anything else.

pub mod archive;
pub mod objects;
mod permit;
mod store;

use std::collections::BTreeSet;
use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::address::Address;
use crate::observed::{Inventory, Selection};
use crate::plan::Op;
use crate::quota::AccountQuota;
use crate::scope::Home;
use crate::series::{Series, SeriesAsk};
use crate::sweep::{Sieve, SightDigest, Swept, sift};
use rgctl_schema::names::{RegionId, Token};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::{Moment, Span};

pub use permit::{ClockReading, NotSent, Permit, margin};
pub use store::{Chain, DECISION_BYTES_MAX, KEPT_DECISIONS, Lease, STANDING_MAX, Store, StoreError};

/// The provider, real or simulated.
pub trait Cloud: Send + Sync {
    /// Whose account the calls are made in: asked once, in a region of the blueprint, and an error where it cannot be
    /// told, since nothing may be done for nobody knows whom.
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>>;

    /// Everything in scope, in pages, never one call per object. Parts that could not be seen are gaps of the
    /// inventory; an error means that nothing could be seen at all.
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>>;

    /// The same for somebody who needs few of very many objects: they pass by, and are kept by nobody else.
    fn sweep<'a>(
        &'a self,
        wanted: &'a Selection,
        sieve: &'a mut dyn Sieve,
    ) -> BoxFuture<'a, Result<Swept, CloudError>> {
        self.observe(wanted).map(move |seen| seen.map(|inventory| sift(inventory, sieve))).boxed()
    }

    /// Stands for the states of a few objects, and for who plays which part among them and their members, told by their
    /// names in a call each: it is another one as soon as any of that is. Who cannot tell it always says the same.
    fn glance<'a>(
        &'a self,
        _objects: &'a BTreeSet<Address>,
    ) -> BoxFuture<'a, Result<SightDigest, CloudError>> {
        async { Ok(SightDigest::default()) }.boxed()
    }

    /// Makes one call. The token marks what a create makes, so that a second try finds the first. The permit is checked
    /// for every request of it that changes something, last of all before the request leaves; one that it does not let
    /// through is [`CloudError::Unreachable`].
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>>;

    /// Until when everything will look as it does now, where the provider can know that. Only a simulated one can: with
    /// a real one there is nothing but looking.
    fn next_event_at(&self) -> Option<Moment> {
        None
    }

    /// The quotas of the account that bound what is made in these regions, as far as the account tells them.
    fn quotas<'a>(
        &'a self,
        _regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// Measured values, in the order of the questions: of each by itself, so that a region that does not answer hides
    /// nothing of the others.
    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>>;
}

/// The provider accepted a call. It says nothing about when it takes effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// ARN of a new object, where told.
    pub arn: Option<String>,
}

/// Everything that can go wrong with a provider, classified once, at the door.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The object does not exist. For a deletion this is success.
    #[error("{what} does not exist")]
    NotFound {
        /// What.
        what: String,
    },
    /// Too many calls; try again, more slowly.
    #[error("throttled, again in {after}")]
    Throttled {
        /// After how long.
        after: Span,
    },
    /// The object is in a state that refuses the call; wait for the state, do not repeat the call.
    #[error("busy: {phase} ({code})")]
    Busy {
        /// The state, as far as known.
        phase: Phase,
        /// The service's code.
        code: String,
    },
    /// An object of that name exists already.
    #[error("{what} exists already")]
    Conflict {
        /// What.
        what: String,
    },
    /// Refused for good: repeating the same call is pointless.
    #[error("refused with {code}: {message}")]
    Refused {
        /// The service's code.
        code: String,
        /// The service's text.
        message: String,
    },
    /// Credentials are missing, wrong or not sufficient.
    #[error("not allowed ({code}): {message}")]
    Denied {
        /// The service's code.
        code: String,
        /// The service's text, with the action where it names one.
        message: String,
    },
    /// The provider has no capacity for this now; minutes later, elsewhere or smaller it may have.
    #[error("no capacity: {what} ({code})")]
    Exhausted {
        /// Of what.
        what: String,
        /// The service's code.
        code: String,
    },
    /// The call was not sent, or certainly had no effect; it may be repeated.
    #[error("unreachable: {why}")]
    Unreachable {
        /// Why.
        why: String,
    },
    /// The call was sent and no answer came. It may have taken effect.
    #[error("no answer: {why}")]
    Unclear {
        /// What is known.
        why: String,
    },
}

impl From<NotSent> for CloudError {
    fn from(not_sent: NotSent) -> Self {
        Self::Unreachable { why: not_sent.to_string() }
    }
}

impl CloudError {
    /// What a person does about it; nothing where the engine's own way of going on is all there is to do.
    pub fn next_step(&self) -> Option<&'static str> {
        match self {
            Self::Denied { code, .. } => Some(denied_step(code)),
            Self::Unreachable { .. } | Self::Unclear { .. } => Some(
                "check the name of the region, the network (DNS, proxy, endpoints of the network), and \
                 `--endpoint-url` if one is set; then give the same command again",
            ),
            Self::Refused { .. } => {
                Some("check `--endpoint-url` and the region, then give the same command again")
            }
            Self::Throttled { .. } => Some(
                "too many calls are made in this account and region, perhaps by others: give the same command again in \
                 a minute, and have the quota raised if it lasts",
            ),
            _ => None,
        }
    }
}

/// The code of a refusal of rgctl's own: regions of two partitions, and credentials of one account.
pub const TWO_PARTITIONS: &str = "TwoPartitions";
/// The code of a refusal of rgctl's own: credentials of another account than the one that a region belongs to.
pub const WRONG_ACCOUNT: &str = "WrongAccount";

/// What a person does about a refusal by that code.
fn denied_step(code: &str) -> &'static str {
    match code {
        "NoCredentials" => {
            "name a profile (`--profile`), sign in (`aws sso login`), set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or run where a role is attached; `rgctl doctor` checks it"
        }
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => {
            "set this machine's clock (NTP): signatures are refused when it is five minutes off"
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "AuthFailure" => {
            "the keys are wrong, deleted, or of another partition: check the profile and this machine's clock; `rgctl doctor` checks both"
        }
        TWO_PARTITIONS => {
            "describe an account for each partition (`kind: Account`), and name it in its regions (`spec.account`)"
        }
        WRONG_ACCOUNT => {
            "correct the profile or the role of the account's document, or the account that the region names"
        }
        "OptInRequired" => "enable the region and the service in the account",
        _ if code.starts_with("ExpiredToken") => "sign in again (`aws sso login`), or renew the session",
        _ => "attach the policy that `rgctl iam-policy` prints; `rgctl doctor` says what is missing",
    }
}

/// Time, real or virtual.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Moment;
    /// Time since the machine started, its sleep included: no hand sets it. A clock without one of its own tells the time
    /// of day.
    fn since_boot(&self) -> Span {
        Span::from_millis(u64::try_from(self.now().as_millis()).unwrap_or(0))
    }
    /// Returns when it is that time.
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()>;
    /// Whether sleeping takes no real time.
    fn is_virtual(&self) -> bool {
        false
    }
}

/// Something a person should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// In a line.
    pub title: String,
    /// In full.
    pub body: String,
}

/// Tells people.
pub trait Notifier: Send + Sync {
    /// Sends a notice; a failure is reported and never stops the engine.
    fn notify<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), String>>;
}

impl fmt::Debug for dyn Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cloud")
    }
}
