//! What the loop of an agent and those around it say to each other.
//!
//! Goes in: news of keys, orders of people, what turns came to. Comes out: how a turn is asked for.
//!
//! **Invariant:** nothing here knows where blueprints come from.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::queue::Next;
use rgctl_schema::time::{Moment, Span};

/// What a turn is about: the name of a blueprint, or whatever the source calls it.
pub type Key = Arc<str>;

/// What a source of blueprints tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A blueprint is new, or something else is wanted of it.
    Changed {
        /// Which.
        key: Key,
        /// Whose calls it needs: turns are shared out by this.
        account: String,
    },
    /// It is gone from the source. Nothing is deleted: it is let rest.
    Rests {
        /// Which.
        key: Key,
    },
    /// The source was read, with so many parts that cannot be used; or why it could not be.
    Read(Result<usize, String>),
}

/// What a person orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Of which blueprint; of all where none is named.
    pub key: Option<Key>,
    /// What.
    pub what: Command,
    /// Who: user, host, process.
    pub from: String,
}

/// What can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Nothing more is begun, and a run under way is closed.
    Pause,
    /// That is over.
    Resume,
    /// A turn now, whether anything seems to be due or not.
    Reconcile,
}

/// In which state a blueprint is, as far as the agent knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// It was not judged yet.
    #[default]
    New,
    /// The world is as wanted.
    Ready,
    /// Work is under way.
    Progressing,
    /// What is left waits for its time: a maintenance window, the end of a freeze.
    Waiting,
    /// Something is to be done, and nobody does it: the agent only observes.
    Pending,
    /// A person is needed.
    Blocked,
    /// Another run works on it.
    Held,
    /// Somebody said so.
    Paused,
    /// Its turn failed, and is tried again.
    Failed,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::New,
        Self::Ready,
        Self::Progressing,
        Self::Waiting,
        Self::Pending,
        Self::Blocked,
        Self::Held,
        Self::Paused,
        Self::Failed,
    ];

    /// Whether a look is made at once for a blueprint that its clock has woken; else the next one that is made anyway will do:
    /// where nothing goes on, as once a day for all, and now and then for what only a person can mend.
    pub const fn has_haste(self) -> bool {
        !matches!(self, Self::Ready | Self::Blocked | Self::Pending)
    }

    /// The word for it, in labels and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ready => "ready",
            Self::Progressing => "progressing",
            Self::Waiting => "waiting",
            Self::Pending => "pending",
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::Paused => "paused",
            Self::Failed => "failed",
        }
    }
}

/// How a turn is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Begin nothing, and close the run that is open.
    pub stopping: bool,
    /// A person asked.
    pub by_person: bool,
    /// A change was seen, of the world or of what is wanted; else a clock has woken it.
    pub by_news: bool,
}

/// What a turn came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// When the next one is due.
    pub next: Next,
    /// In which state it leaves its blueprint.
    pub condition: Condition,
    /// Why, in words: logged when it changes.
    pub why: String,
    /// Whether a run stays open, whose lease is held.
    pub is_open: bool,
    /// Objects that differ.
    pub differing: usize,
    /// Destructive steps that wait for consent.
    pub deletions_held: usize,
    /// Whether the store answered, where it was asked.
    pub store: Option<Result<(), String>>,
    /// The account is throttled, and is left alone for so long.
    pub throttled: Option<Span>,
    /// What could not be seen, and why.
    pub unseen: Option<String>,
}

/// What is known of the looks at one region, which all blueprints there share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// In which account.
    pub account: String,
    /// Which region.
    pub region: String,
    /// When it was seen last.
    pub seen_at: Option<Moment>,
    /// Looks that ended, failed ones among them.
    pub looks: u64,
    /// Looks that failed.
    pub failed: u64,
    /// Looks that failed since the last good one.
    pub failed_in_a_row: u32,
    /// How long the last one took, in real time.
    pub took: Span,
    /// Objects that were seen.
    pub objects: usize,
    /// Calls that were made there.
    pub calls: u64,
}

/// Who looks, carries out turns, and hears orders.
pub trait Organ: Sync {
    /// Told of a blueprint that is new, or of which something else is wanted, before its turn: many are looked at together.
    fn prepare(&self, key: &Key);
    /// Looks at the world for all, whenever that is due; never ends.
    fn keep_looking(&self) -> BoxFuture<'_, ()>;
    /// Waits until the world looks different to somebody, and tells to whom.
    fn changed(&self) -> BoxFuture<'_, Vec<Key>>;
    /// Told that the machine's clock was set: what was to be done at a moment of the old one is due now.
    fn clock_was_set(&self);
    /// What is known of the looks.
    fn sights(&self) -> Vec<Sight>;
    /// Does what keeps open runs alive between their turns, such as renewing leases; never ends.
    fn keep_open(&self) -> BoxFuture<'_, ()>;
    /// Lets the next look be news for a blueprint whatever it shows, at once where there is haste: thousands that wait for looks
    /// share one, and none of them holds a place meanwhile. Whether it will be: else its turn looks for itself.
    fn call_for_look(&self, _key: &Key, _haste: bool) -> bool {
        false
    }
    /// One turn of a blueprint, which begins with this call: what is new for it from now on is shown to it, or told after it.
    /// It looks at `asked` when it begins and the stop request meanwhile.
    fn turn(&self, key: Key, asked: Asked) -> BoxFuture<'_, Done>;
    /// What was ordered since the last question; an error where the store does not answer.
    fn orders(&self) -> BoxFuture<'_, Result<Vec<Order>, String>>;
    /// Told when a blueprint is let rest: nothing of it need be kept.
    fn forget(&self, key: &Key);
}

/// How often what is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Between two questions for orders, in real time. It is a question to the store, too.
    pub orders: Span,
    /// Longest real time without a sign of life.
    pub beat: Span,
    /// Whether the loop ends when everything is at rest.
    pub once: bool,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { orders: Span::from_secs(10), beat: Span::from_millis(500), once: false }
    }
}
