//! Who works on a blueprint now, and who asked to be let in.

use serde::Serialize;

use rgctl_model::inbox::{Message, Request};
use rgctl_model::ports::Lease;

/// The run that holds the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AtWork {
    /// Who: user, host, process.
    pub owner: String,
    /// Which run, for `rgctl history`.
    pub run: String,
    /// Who asks it to yield, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked_by: Vec<String>,
}

impl AtWork {
    /// From the lease as it stands and the messages to its holders; nothing where nobody has it.
    pub fn of(lease: Option<&Lease>, messages: &[Message]) -> Option<Self> {
        let lease = lease.filter(|lease| !lease.is_given_back())?;
        let meant = |message: &&Message| message.what == Request::Yield { epoch: lease.epoch };
        let mut asked_by: Vec<String> = messages.iter().filter(meant).map(|one| one.from.clone()).collect();
        asked_by.dedup();
        Some(Self { owner: lease.owner.clone(), run: lease.run.0.clone(), asked_by })
    }

    /// In a sentence. Whether the holder lives is not known from one look.
    pub fn text(&self) -> String {
        let asked = match self.asked_by.as_slice() {
            [] => String::new(),
            names => format!(", asked to yield by {}", names.join(", ")),
        };
        format!("lease: {}, run {}{asked}", self.owner, self.run)
    }
}
