//! Which of several replicas works: a Lease of the API server, changed by compare-and-swap and judged by each one's own clock.
//!
//! Goes in: who stands, which Lease, for how long. Comes out: whether this process leads, under which epoch.
//!
//! Leading saves work, and no more: who is stopped in the middle wakes up and believes that it leads. That it does nothing twice is
//! the fence of the record, which it has to win before each call.
//!
//! **Invariant:** every write names the version that was read.
//! **Invariant:** a Lease is taken that was given back, or that has not changed for its term since this process first saw it so, by the
//! clock of this machine that nobody sets. What is written in it as time is for people.
//! **Invariant:** a leader stops being one, by its own clock and without asking, before anybody else may begin.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::client::words;
use rgctl_model::ports::Clock;
use rgctl_schema::time::Span;

/// For how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long a Lease stands without being renewed.
    pub lasts: Span,
    /// How long after sending the last renewal that was answered the next one is sent.
    pub renews: Span,
    /// How long after sending the last renewal that was answered a leader believes that it leads.
    pub believes: Span,
    /// How long is waited before something that failed is tried again.
    pub retries: Span,
}

impl Terms {
    /// How long an answer is waited for: a renewal of which nothing is heard is sent once more, and that is waited for as long,
    /// before the leader stops believing.
    pub const fn answer(&self) -> Span {
        let left =
            self.believes.as_millis().saturating_sub(self.renews.as_millis() + self.retries.as_millis());
        Span::from_millis(left / 2)
    }
}

impl Default for Terms {
    fn default() -> Self {
        let secs = Span::from_secs;
        // The next one begins within 20 seconds, and a quiet leader makes ten calls a minute at most: its watches make 2.7.
        let renews = Span::from_millis(8_250);
        Self { lasts: secs(20), renews, believes: secs(13), retries: secs(1) }
    }
}

/// Who stands, and for what.
pub struct Candidate {
    /// A client of its own: no queue must hold a renewal up.
    pub client: kube::Client,
    /// Where the Lease is.
    pub namespace: String,
    /// Its name.
    pub lease: String,
    /// Who stands: a name that no other process has, before or after.
    pub me: String,
    /// For how long.
    pub terms: Terms,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Who leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nobody, as far as is known.
    #[default]
    Vacant,
    /// Somebody else.
    Other(String),
    /// This process.
    Mine {
        /// How often the Lease changed hands: it goes into logs and numbers.
        epoch: u64,
    },
}

/// What others ask about it.
#[derive(Clone)]
pub struct Leadership {
    standing: watch::Receiver<Standing>,
    sent: Arc<Mutex<Span>>,
    believes: Span,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leadership({:?})", self.standing())
    }
}

impl Leadership {
    /// The epoch under which this process leads; nothing where it does not, or cannot know it any more. It asks nobody.
    pub fn epoch(&self) -> Option<u64> {
        let Standing::Mine { epoch } = *self.standing.borrow() else { return None };
        let sent = *self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        (since(&*self.clock, sent) < self.believes).then_some(epoch)
    }

    /// Who leads, as it was last seen.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Returns when that is another one.
    pub async fn changed(&mut self) {
        // Who stands no longer changes no more.
        if self.standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn since(clock: &dyn Clock, then: Span) -> Span {
    Span::from_millis(clock.since_boot().as_millis().saturating_sub(then.as_millis()))
}

/// An election that this process takes part in, until it resigns.
pub struct Election {
    leadership: Leadership,
    resign: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Drop for Election {
    /// Whoever does not resign leaves the Lease to its term.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Election {
    /// Stands for leadership, in the background.
    pub fn stand(candidate: Candidate) -> Self {
        let (tell, standing) = watch::channel(Standing::Vacant);
        let sent = Arc::new(Mutex::new(Span::from_millis(0)));
        let leadership = Leadership {
            standing,
            sent: Arc::clone(&sent),
            believes: candidate.terms.believes,
            clock: Arc::clone(&candidate.clock),
        };
        let api = Api::namespaced(candidate.client.clone(), &candidate.namespace);
        let (resign, resigned) = oneshot::channel();
        let work = Work { api, candidate, tell, sent };
        let task = tokio::spawn(async move {
            tokio::select! {
                () = work.stand() => {}
                _ = resigned => work.give_back().await,
            }
        });
        Self { leadership, resign: Some(resign), task }
    }

    /// What others ask about it.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Gives the Lease back, so that the next one begins at once. Whoever calls it has ended its work before: two would work
    /// at the same time else.
    pub async fn resign(mut self) {
        if let Some(resign) = self.resign.take() {
            let _ = resign.send(());
        }
        let _ = (&mut self.task).await;
    }
}

/// A Lease as it was first seen so.
struct Seen {
    lease: Lease,
    at: Span,
    /// Whether it was in the list that is under way, or the last one.
    is_listed: bool,
}

impl Seen {
    fn spec(&self) -> LeaseSpec {
        self.lease.spec.clone().unwrap_or_default()
    }
}

/// How long after it was first seen so a Lease may be taken; none when it was given back.
fn stands_for(spec: &LeaseSpec, usual: Span) -> Span {
    match spec.holder_identity.as_deref() {
        None | Some("") => Span::from_millis(0),
        Some(_) => {
            let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            seconds.map_or(usual, Span::from_secs)
        }
    }
}

const fn duration(span: Span) -> Duration {
    Duration::from_millis(span.as_millis())
}

/// What became of a write.
enum Written {
    Done(Box<Lease>),
    /// It is not as it was read.
    Lost,
    /// It may have been made or not.
    Unknown,
}

struct Work {
    api: Api<Lease>,
    candidate: Candidate,
    tell: watch::Sender<Standing>,
    sent: Arc<Mutex<Span>>,
}

impl Work {
    fn now(&self) -> Span {
        self.candidate.clock.since_boot()
    }

    fn say(&self, standing: Standing) {
        self.tell.send_if_modified(|known| {
            let is_new = *known != standing;
            if is_new {
                tracing::info!(me = self.candidate.me, lease = self.candidate.lease, ?standing, "who leads");
                *known = standing;
            }
            is_new
        });
    }

    async fn stand(&self) {
        loop {
            let (lease, epoch) = self.follow().await;
            self.lead(lease, epoch).await;
            self.say(Standing::Vacant);
        }
    }

    /// Watches until the Lease is won.
    async fn follow(&self) -> (Lease, u64) {
        let field = format!("metadata.name={}", self.candidate.lease);
        let events = watcher(self.api.clone(), watcher::Config::default().fields(&field)).default_backoff();
        let mut events = std::pin::pin!(events);
        // Nothing is known before the first list is over; after a lost race, before what won it is seen.
        let (mut is_known, mut seen) = (false, None);
        loop {
            let wait = self.wait_of(is_known, seen.as_ref());
            let came = match wait {
                Some(wait) => tokio::time::timeout(wait, events.next()).await.ok(),
                None => Some(events.next().await),
            };
            if let Some(event) = came {
                is_known = self.note(event, &mut seen, is_known);
                continue;
            }
            match self.take(seen.as_ref()).await {
                Written::Done(lease) => {
                    let epoch = epoch_of(&lease);
                    self.say(Standing::Mine { epoch });
                    return (*lease, epoch);
                }
                Written::Lost => is_known = false,
                // It may be ours; in any case it is seen.
                Written::Unknown => tokio::time::sleep(duration(self.candidate.terms.retries)).await,
            }
        }
    }

    /// How long until the Lease may be taken; nothing while that is not known.
    fn wait_of(&self, is_known: bool, seen: Option<&Seen>) -> Option<Duration> {
        if !is_known {
            return None;
        }
        let Some(seen) = seen else { return Some(Duration::ZERO) };
        // A write of our own whose answer was lost.
        if seen.spec().holder_identity.as_deref() == Some(&self.candidate.me) {
            return Some(Duration::ZERO);
        }
        let stands = stands_for(&seen.spec(), self.candidate.terms.lasts);
        let waited = since(&*self.candidate.clock, seen.at);
        Some(Duration::from_millis(stands.as_millis().saturating_sub(waited.as_millis())))
    }

    /// Takes in what was seen; yields whether it is known how things stand.
    fn note(
        &self,
        event: Option<Result<Event<Lease>, watcher::Error>>,
        seen: &mut Option<Seen>,
        is_known: bool,
    ) -> bool {
        match event {
            Some(Ok(Event::Init)) => {
                // What is the same keeps the time at which it was first seen.
                if let Some(seen) = seen {
                    seen.is_listed = false;
                }
                is_known
            }
            Some(Ok(Event::InitApply(lease) | Event::Apply(lease))) => {
                let version = |lease: &Lease| lease.metadata.resource_version.clone();
                if seen.as_ref().map(|seen| version(&seen.lease)) != Some(version(&lease)) {
                    *seen = Some(Seen { lease, at: self.now(), is_listed: true });
                }
                if let Some(seen) = seen {
                    seen.is_listed = true;
                    match seen.spec().holder_identity.filter(|holder| !holder.is_empty()) {
                        Some(holder) if holder != self.candidate.me => self.say(Standing::Other(holder)),
                        _ => self.say(Standing::Vacant),
                    }
                }
                true
            }
            Some(Ok(Event::InitDone)) => {
                // What is gone meanwhile did not come again.
                *seen = seen.take().filter(|seen| seen.is_listed);
                true
            }
            Some(Ok(Event::Delete(_))) => {
                *seen = None;
                true
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "the Lease cannot be watched");
                is_known
            }
            None => is_known,
        }
    }

    /// Takes the Lease as it was seen.
    async fn take(&self, seen: Option<&Seen>) -> Written {
        let last = seen.map(Seen::spec).unwrap_or_default();
        let metadata = match seen {
            Some(seen) => seen.lease.metadata.clone(),
            None => ObjectMeta { name: Some(self.candidate.lease.clone()), ..ObjectMeta::default() },
        };
        let now = self.stamp();
        let spec = LeaseSpec {
            holder_identity: Some(self.candidate.me.clone()),
            lease_duration_seconds: i32::try_from(self.candidate.terms.lasts.as_secs()).ok(),
            lease_transitions: Some(last.lease_transitions.unwrap_or(0).saturating_add(1)),
            acquire_time: now.clone(),
            renew_time: now,
            ..last
        };
        self.write(Lease { metadata, spec: Some(spec) }, seen.is_none()).await
    }

    /// Renews until the Lease is lost, or this process cannot know any more whether it is.
    async fn lead(&self, mut lease: Lease, epoch: u64) {
        let terms = self.candidate.terms;
        let mut wait = self.until_renewal();
        loop {
            tokio::time::sleep(duration(wait)).await;
            let sent = *self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            if since(&*self.candidate.clock, sent) >= terms.believes {
                tracing::warn!(me = self.candidate.me, "the Lease could not be renewed in time");
                return;
            }
            if let Some(spec) = &mut lease.spec {
                spec.renew_time = self.stamp();
            }
            match self.write(lease.clone(), false).await {
                Written::Done(renewed) => (lease, wait) = (*renewed, self.until_renewal()),
                Written::Unknown => wait = terms.retries,
                // Somebody took it, or wrote something else into it.
                Written::Lost => match self.read().await {
                    Some(Some(now)) if self.is_ours(&now, epoch) => {
                        (lease, wait) = (now, Span::from_millis(0));
                    }
                    Some(_) => return,
                    None => wait = terms.retries,
                },
            }
        }
    }

    /// How long until the next renewal, however long the last one was on its way.
    fn until_renewal(&self) -> Span {
        let sent = *self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = since(&*self.candidate.clock, sent);
        Span::from_millis(self.candidate.terms.renews.as_millis().saturating_sub(passed.as_millis()))
    }

    /// The Lease, if there is one; nothing where that is not told in time. The client itself waits without end: it watches, too.
    async fn read(&self) -> Option<Option<Lease>> {
        let bound = duration(self.candidate.terms.answer());
        tokio::time::timeout(bound, self.api.get_opt(&self.candidate.lease)).await.ok()?.ok()
    }

    fn is_ours(&self, lease: &Lease, epoch: u64) -> bool {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        holder == Some(&self.candidate.me) && epoch_of(lease) == epoch
    }

    async fn write(&self, lease: Lease, is_new: bool) -> Written {
        let (sent, name) = (self.now(), self.candidate.lease.clone());
        let how = PostParams::default();
        let bound = duration(self.candidate.terms.answer());
        let answer = if is_new {
            tokio::time::timeout(bound, self.api.create(&how, &lease)).await
        } else {
            tokio::time::timeout(bound, self.api.replace(&name, &how, &lease)).await
        };
        match answer {
            Ok(Ok(lease)) => {
                *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = sent;
                Written::Done(Box::new(lease))
            }
            // Where it was about to be made, 404 says that there is no such namespace.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 || (status.code == 404 && !is_new) => {
                Written::Lost
            }
            Ok(Err(error)) => {
                tracing::warn!(error = words(&error), "the Lease cannot be written");
                Written::Unknown
            }
            Err(_) => {
                tracing::warn!("the Lease cannot be written: no answer in time");
                Written::Unknown
            }
        }
    }

    async fn give_back(&self) {
        let Some(Some(mut lease)) = self.read().await else { return };
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        if holder != Some(&self.candidate.me) {
            return;
        }
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.renew_time = self.stamp();
        }
        self.write(lease, false).await;
        self.say(Standing::Vacant);
    }

    /// The time of day, for people.
    fn stamp(&self) -> Option<MicroTime> {
        let now = self.candidate.clock.now().as_millis();
        k8s_openapi::jiff::Timestamp::from_millisecond(now).ok().map(MicroTime)
    }
}

fn epoch_of(lease: &Lease) -> u64 {
    let changes = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
    changes.and_then(|changes| u64::try_from(changes).ok()).unwrap_or(0)
}

#[cfg(test)]
#[path = "leader_tests.rs"]
mod tests;
