//! The shelf that a record is kept on: objects by key, which are put on condition; and trouble with it, which is waited out for
//! as long as a lease is good.

use std::fmt;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, stream};

use rgctl_model::ports::{Clock, ClockReading, StoreError, margin};
use rgctl_schema::time::Span;

/// On what an object is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When<'a> {
    /// Whatever is there. Doing it twice is doing it once.
    Always,
    /// There is none of that key.
    Absent,
    /// It is still the one with that mark.
    Is(&'a str),
}

impl<'a> When<'a> {
    /// Provided that it is still what was read: of that mark, or not there.
    pub fn still(mark: Option<&'a str>) -> Self {
        mark.map_or(Self::Absent, Self::Is)
    }
}

/// What became of an object that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is there.
    Made,
    /// It is not as the condition says: somebody else was faster.
    Lost,
}

/// An object, and the mark by which it is told from the one that takes its place.
pub type Found = (Vec<u8>, Option<String>);

/// Objects by key. A key is words that are joined by `/`.
pub trait Shelf: fmt::Debug + Send + Sync {
    /// The object of a key; nothing where there is none.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Found>, Trouble>>;
    /// The objects of several keys.
    fn many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Trouble>> {
        let fetches = keys.iter().map(|key| self.get(key).map_ok(|found| found.map(|(bytes, _)| bytes)));
        let fetches: Vec<_> = fetches.collect();
        stream::iter(fetches).buffered(AT_ONCE).try_collect().boxed()
    }
    /// Puts an object. With a condition it is sent once: what became of it, where no answer came, the caller looks for.
    fn put<'a>(&'a self, key: &'a str, bytes: Vec<u8>, when: When<'a>)
    -> BoxFuture<'a, Result<Put, Trouble>>;
    /// The keys that begin so, in order; where a key is named, those after it.
    fn list<'a>(
        &'a self,
        begins: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<String>, Trouble>>;
    /// The words that follow in keys that begin so, up to the next `/`; the beginning ends with one.
    fn folders<'a>(&'a self, begins: &'a str) -> BoxFuture<'a, Result<Vec<String>, Trouble>>;
    /// Where an object is, for a person.
    fn address(&self, key: &str) -> String;
    /// Time.
    fn clock(&self) -> &dyn Clock;
    /// The same where objects are few and small, and what is not needed any more has to go.
    fn narrow(&self) -> Option<&dyn Narrow> {
        None
    }
}

/// A shelf with little room.
pub trait Narrow: Send + Sync {
    /// Up to how many bytes batches of lines are put together.
    fn batch_bytes(&self) -> usize;
    /// Removes an object, if it is there.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Trouble>>;
    /// Removes lines of a log up to a number, as far as it has them apart.
    fn forget<'a>(&'a self, begins: &'a str, up_to: u64) -> BoxFuture<'a, Result<(), Trouble>>;
}

/// Why a request failed, and whether the same one may succeed a moment later.
#[derive(Debug)]
pub struct Trouble {
    /// Whether it may.
    pub passes: bool,
    /// Why.
    pub error: StoreError,
}

impl Trouble {
    /// Of a shelf that cannot be read or written.
    pub fn new(passes: bool, what: impl fmt::Display) -> Self {
        Self { passes, error: unavailable(what) }
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        trouble.error
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self { passes: false, error }
    }
}

pub(crate) fn unavailable(what: impl fmt::Display) -> StoreError {
    StoreError::Unavailable { what: what.to_string() }
}

/// Objects that are fetched at the same time.
const AT_ONCE: usize = 8;
/// First wait before something is tried again; it doubles each time.
const WAIT: Span = Span::from_millis(200);
/// Longest such wait.
const WAIT_MAX: Span = Span::from_secs(5);

/// Waits that become longer, up to the time for which a lease that was just renewed is good.
pub(crate) struct Backoff<'a> {
    clock: &'a dyn Clock,
    began: ClockReading,
    most: Span,
    wait: Span,
}

impl<'a> Backoff<'a> {
    pub(crate) fn new(clock: &'a dyn Clock, lasts: Span) -> Self {
        let most = Span::from_millis(lasts.as_millis() - margin(lasts).as_millis());
        Self { clock, began: ClockReading::of(clock), most, wait: WAIT }
    }

    /// Waits before another try; the trouble itself where it does not pass, or the time is over.
    pub(crate) async fn wait(&mut self, trouble: Trouble) -> Result<(), StoreError> {
        let waited = ClockReading::of(self.clock).waited_since(self.began);
        if !trouble.passes || waited + self.wait > self.most {
            return Err(trouble.error);
        }
        tracing::warn!(error = %trouble.error, "the record is tried again");
        self.clock.sleep_until(self.clock.now() + self.wait).await;
        self.wait = Ord::min(self.wait.times(2), WAIT_MAX);
        Ok(())
    }
}
