//! Messages to whoever holds a lease, from somebody who does not.

use serde::{Deserialize, Serialize};

use super::scope::{Home, Scope};
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::Moment;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// To begin nothing more, to finish what was sent, and to give the lease back.
    Yield {
        /// The holder that is meant; a later one is not.
        epoch: u64,
    },
    /// Of an agent: to begin nothing more for a blueprint, or for all, and to close what is open.
    Pause {
        /// Which; all where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blueprint: Option<BlueprintName>,
    },
    /// Of an agent: to go on.
    Resume {
        /// With which; with all where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blueprint: Option<BlueprintName>,
    },
    /// Of an agent: a turn now.
    Reconcile {
        /// Of which; of all where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blueprint: Option<BlueprintName>,
    },
}

/// To whom messages to the agents of an account are addressed: a name that stands for all blueprints there.
pub fn agents(home: &Home) -> Option<Scope> {
    BlueprintName::new("rgctl-agent").ok().map(|name| Scope::new(home.clone(), name))
}

/// One message. Messages have a sequence and a chain of their own, beside the record's: whoever writes one holds nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Position among the messages, from 1.
    pub seq: u64,
    /// When, by the clock of who asks.
    pub at: Moment,
    /// To whoever works on this.
    pub scope: Scope,
    /// Who asks: user, host, process.
    pub from: String,
    /// What for.
    pub what: Request,
    /// Digest of the message before; empty at the first.
    pub previous: String,
    /// Digest of this one.
    pub hash: String,
}
