//! What happened to a resource, as it is told. Pure: no client is in here.

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// In one word, for tools.
    pub reason: &'static str,
    /// What the operator did about it, in one word.
    pub action: &'static str,
    /// For people.
    pub note: String,
    /// Whether somebody should look.
    pub is_warning: bool,
}
