//! One embedded cloud as its users hold it: the world, where it is kept, and who listens to its calls.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use rgctl_catalog::{Catalog, Offered};
use rgctl_model::address::Address;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::Usage;
use rgctl_model::plan::Op;
use rgctl_model::ports::objects::{Objects, ObjectsError, Place};
use rgctl_model::ports::{Clock, CloudError, Receipt};
use rgctl_model::scope::{CloudKind, Home};
use rgctl_schema::names::{RegionId, Token};
use rgctl_schema::time::{Moment, Span};

use super::faults::FaultPlan;
use super::pacing::Pacing;
use super::state::Violation;
use super::tap::{CallTap, FailAt, Side, TapVerdict};
use super::world::World;
use super::{quotas, refusals, size, tables};

/// When a world begins unless told otherwise: 2026-01-01T00:00:00Z.
pub const GENESIS: Moment = Moment::from_secs(1_767_225_600);
/// Calls that are remembered.
const CALLS_KEPT: usize = 100_000;

/// What goes wrong with the embedded cloud itself.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Where the world is kept.
    #[error(transparent)]
    Kept(#[from] ObjectsError),
    /// A row of the file cannot be read.
    #[error("the embedded cloud's file is damaged at {key}: {why}")]
    Damaged {
        /// Which row.
        key: String,
        /// Why.
        why: String,
    },
}

impl SimError {
    /// Whether only a new world helps.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Kept(ObjectsError::Damaged(_)) | Self::Damaged { .. } => true,
            Self::Kept(ObjectsError::Unavailable(_)) => false,
        }
    }
}

/// A call that was made, as tests count them.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// When.
    pub at: Moment,
    /// What.
    pub op: Op,
    /// With which token.
    pub token: Token,
    /// Whether it took effect; the caller may not have been told.
    pub applied: bool,
    /// What the caller was told.
    pub told: Result<(), CloudError>,
}

/// Who sleeps until when, in the order in which they wake.
#[derive(Debug, Default)]
pub(super) struct Sleepers {
    pub count: u64,
    pub waiting: BTreeMap<(Moment, u64), Waker>,
}

/// The world, and what belongs to this process.
pub(super) struct Inner {
    pub world: World,
    file: Option<Box<dyn Objects>>,
    tap: Option<Box<dyn CallTap>>,
    pub crashed: bool,
    number: u64,
    calls: VecDeque<Called>,
    pub sleepers: Sleepers,
    pub lanes: BTreeMap<Plane, Arc<tokio::sync::Mutex<()>>>,
    pub catalog: Option<Arc<Catalog>>,
    pub wall: Option<Arc<dyn Clock>>,
    /// The pace that this process keeps.
    paces: Option<u32>,
}

/// A control plane of a region, which has a rate of its own.
pub(super) type Plane = (RegionId, Endpoint);

/// The embedded cloud. Clones share one world.
#[derive(Clone)]
pub struct SimCloud {
    inner: Arc<Mutex<Inner>>,
}

impl std::fmt::Debug for SimCloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimCloud")
    }
}

impl SimCloud {
    /// A world of its own that ends with the process.
    pub fn in_memory(seed: u64, start: Moment) -> Self {
        Self::of(World::new(seed, start), None)
    }

    /// The world that is kept in a place; it begins there if there is none.
    pub fn open(place: &dyn Place) -> Result<Self, SimError> {
        let mut file = place.open()?;
        let rows = file.begin()?;
        let mut world = World::new(0, GENESIS);
        if !rows.is_empty() {
            world.dirty.clear();
        }
        if let Err(error) = put_rows(&mut world, &rows) {
            file.abandon();
            return Err(error);
        }
        // One that begins here, or was kept by a version that gave no ids.
        if rows.is_empty() || world.id().is_empty() {
            world.set_id(fresh_id());
        }
        file.commit(&world.take_changes())?;
        Ok(Self::of(world, Some(file)))
    }

    /// The time and the account of the world that is kept in a place, without reading the rest of it; nothing when there is
    /// no world there, or none that can be read.
    pub fn peek(place: &dyn Place) -> Option<(Moment, Home)> {
        let row = place.peek("meta")?;
        let mut world = World::new(0, GENESIS);
        world.put_row("meta", Some(&row)).ok()?;
        Some((world.now(), Home::new(CloudKind::Sim, world.id())?))
    }

    /// A new world in a place, also where the old one cannot be read.
    pub fn anew(place: &dyn Place, seed: u64, start: Moment) -> Result<Self, SimError> {
        let cloud = match Self::open(place) {
            Err(error) if error.is_damage() => {
                place.remove()?;
                Self::open(place)?
            }
            other => other?,
        };
        cloud.reset(seed, start)?;
        Ok(cloud)
    }

    fn of(world: World, file: Option<Box<dyn Objects>>) -> Self {
        let inner = Inner {
            world,
            file,
            tap: None,
            crashed: false,
            number: 0,
            calls: VecDeque::new(),
            sleepers: Sleepers::default(),
            lanes: BTreeMap::new(),
            catalog: None,
            wall: None,
            paces: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// From now on, classes that the catalog knows not to be offered in a region are refused there, and so is more than
    /// the quotas that the catalog gives to an account.
    #[must_use]
    pub fn with_catalog(self, catalog: Arc<Catalog>) -> Self {
        self.lock().catalog = Some(catalog);
        self
    }

    /// From now on, permits are checked by this time: leases run in the time of machines, which is not that of this world.
    /// Without it a permit ends only when it is ended.
    #[must_use]
    pub fn with_wall(self, wall: Arc<dyn Clock>) -> Self {
        self.lock().wall = Some(wall);
        self
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves the world as it was before the call: rows are written at the end of one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes the world; what changes is kept, and seen by other processes.
    pub fn with_world<T>(&self, work: impl FnOnce(&mut World) -> T) -> Result<T, SimError> {
        self.lock().transact(work)
    }

    /// Looks at the world after reading what other processes have written.
    pub(super) fn with_news<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if let Some(file) = &mut inner.file
            && let Ok(rows) = file.news()
            && put_rows(&mut inner.world, &rows).is_err()
        {
            // A damaged row is read once more, and reported, by the next call.
            file.forget();
        }
        look(&inner.world)
    }

    /// Lets time pass.
    pub fn advance(&self, span: Span) -> Result<Moment, SimError> {
        self.with_world(|world| {
            world.advance(world.now() + span);
            // The pace goes on from there.
            if let Some(pacing) = world.pacing() {
                world.set_pacing(Some(pacing.jumped(span)));
            }
            world.now()
        })
    }

    /// From now on the world's time keeps pace with real time, for all processes that share it, as long as this one gives
    /// signs: each use of the world and of its clock is one. Yields the virtual seconds in a real one: those of another
    /// process, if one keeps a pace already. Without a clock of the machine ([`Self::with_wall`]) there is none to keep.
    pub fn keep_pace(&self, factor: u32) -> Result<u32, SimError> {
        let mut inner = self.lock();
        inner.paces = Some(factor.max(1));
        let kept = inner.transact(|world| world.pacing().map(|pacing| pacing.factor));
        if kept.is_err() {
            inner.paces = None;
        }
        let kept = kept?.unwrap_or(factor);
        inner.paces = Some(kept);
        Ok(kept)
    }

    /// Time stands again when this process is the only one that kept it.
    pub fn leave_pace(&self) -> Result<(), SimError> {
        let mut inner = self.lock();
        inner.paces = None;
        let Some(real) = inner.real() else { return Ok(()) };
        inner.transact(|world| {
            if let Some(pacing) = world.pacing() {
                world.set_pacing(Some(pacing.left(real)));
            }
        })
    }

    /// Begins anew.
    pub fn reset(&self, seed: u64, start: Moment) -> Result<(), SimError> {
        let mut inner = self.lock();
        inner.begin()?;
        if let Some(file) = &mut inner.file
            && let Err(error) = file.clear()
        {
            file.abandon();
            return Err(error.into());
        }
        inner.world = World::new(seed, start);
        // The same seed again is another world all the same: what is on record of the old one is not there any more.
        inner.world.set_id(fresh_id());
        inner.commit()
    }

    /// Sets what clients do to a store.
    pub fn set_load(&self, address: &Address, usage: Usage) -> Result<(), SimError> {
        self.with_world(|world| world.set_load(address, usage, Vec::new()))
    }

    /// Adds the rules of a plan of faults.
    pub fn add_faults(&self, plan: FaultPlan) -> Result<(), SimError> {
        self.with_world(|world| {
            for rule in plan.rules {
                world.add_fault(rule);
            }
        })
    }

    /// What was broken that must never be.
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().world.violations().to_vec()
    }

    /// The calls of this process, the last ones when there were very many.
    pub fn calls(&self) -> Vec<Called> {
        self.lock().calls.iter().cloned().collect()
    }

    /// Lets something listen to, and break, each call.
    pub fn set_tap(&self, tap: impl CallTap + 'static) {
        self.lock().tap = Some(Box::new(tap));
    }

    /// The call of that number, counted from 1 over the life of this value, gets no answer.
    pub fn fail_at(&self, number: u64, side: Side) {
        self.set_tap(FailAt { number, side, verdict: TapVerdict::Unclear });
    }

    /// From the call of that number on, nothing answers until [`Self::revive`]: the caller has died.
    pub fn crash_at(&self, number: u64, side: Side) {
        self.set_tap(FailAt { number, side, verdict: TapVerdict::Crash });
    }

    /// Whether a simulated crash has happened.
    pub fn has_crashed(&self) -> bool {
        self.lock().crashed
    }

    /// Ends a simulated crash and removes the tap.
    pub fn revive(&self) {
        let mut inner = self.lock();
        inner.crashed = false;
        inner.tap = None;
    }
}

/// An id that no other world has. Nothing in a world depends on it.
fn fresh_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one("world"))
}

fn put_rows(world: &mut World, rows: &[(String, Option<String>)]) -> Result<(), SimError> {
    for (key, body) in rows {
        world.put_row(key, body.as_deref()).map_err(|why| SimError::Damaged { key: key.clone(), why })?;
    }
    if !rows.is_empty() {
        // What was read is what is kept.
        world.dirty.clear();
    }
    Ok(())
}

impl Inner {
    fn begin(&mut self) -> Result<(), SimError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let rows = file.begin()?;
        if let Err(error) = put_rows(&mut self.world, &rows) {
            file.abandon();
            // They would pass for known: each call is to say it until they are whole.
            file.forget();
            return Err(error);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SimError> {
        // A world that nobody keeps needs no rows.
        let Some(file) = &mut self.file else {
            self.world.dirty.clear();
            return Ok(());
        };
        if let Err(error) = file.commit(&self.world.take_changes()) {
            // What was done has not happened: the world is read again.
            file.forget();
            self.world = World::new(0, GENESIS);
            return Err(error.into());
        }
        Ok(())
    }

    pub(super) fn transact<T>(&mut self, work: impl FnOnce(&mut World) -> T) -> Result<T, SimError> {
        self.begin_and(|inner| work(&mut inner.world))
    }

    /// The same for what needs to know more than the world.
    pub(super) fn begin_and<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Result<T, SimError> {
        self.begin()?;
        self.catch_up();
        let out = work(self);
        self.commit()?;
        Ok(out)
    }

    /// Real time, where the world is given a clock of the machine.
    pub(super) fn real(&self) -> Option<Span> {
        self.wall.as_ref().map(|wall| wall.since_boot())
    }

    /// The pace that the world's time keeps now.
    pub(super) fn pacing(&self) -> Option<Pacing> {
        let real = self.real()?;
        self.world.pacing().filter(|pacing| pacing.is_kept(real))
    }

    /// The world's time, which its rows tell only up to the last time that they were written.
    pub(super) fn now(&self) -> Moment {
        let paced = self.real().and_then(|real| self.world.pacing()?.now(real));
        paced.map_or(self.world.now(), |paced| paced.max(self.world.now()))
    }

    /// Whether this process keeps a pace and has to give a sign of it.
    pub(super) fn owes_a_sign(&self) -> bool {
        let Some(real) = self.real() else { return false };
        self.paces.is_some()
            && self
                .world
                .pacing()
                .is_none_or(|pacing| !pacing.is_kept(real) || pacing.kept_on(real).is_some())
    }

    /// Lets the time pass that has passed by the pace, and gives a sign where this process keeps it.
    fn catch_up(&mut self) {
        let Some(real) = self.real() else { return };
        if self.world.pacing().is_some() {
            self.world.advance(self.now());
        }
        let Some(factor) = self.paces else { return };
        let kept = self.world.pacing().filter(|pacing| pacing.is_kept(real));
        let next = match kept {
            // One that nobody kept has stood: it begins anew where it stands.
            None => Some(Pacing::begin(factor, real, self.world.now())),
            Some(pacing) => pacing.kept_on(real),
        };
        if next.is_some() {
            self.world.set_pacing(next);
        }
    }

    pub(super) fn call(&mut self, op: &Op, token: &Token) -> Result<Receipt, CloudError> {
        if self.crashed {
            return Err(CloudError::Unreachable { why: "a simulated crash".to_owned() });
        }
        self.number += 1;
        let number = self.number;
        let before = self.tap.as_mut().map_or(TapVerdict::Go, |tap| tap.at(number, op, Side::Before));
        if let Some(error) = self.verdict(before) {
            self.note(op, token, false, Err(error.clone()));
            return Err(error);
        }
        let catalog = self.catalog.clone();
        let done = self
            .transact(|world| {
                let refusal = catalog.as_deref().and_then(|catalog| {
                    not_offered(catalog, world, op).or_else(|| quotas::over_quota(catalog, world, op))
                });
                match refusal {
                    Some(error) => {
                        world.note(op, token, Some(&error), false);
                        Err(error)
                    }
                    None => world.call(op, token),
                }
            })
            // The rows could not be kept, so that for every other process the call has not happened.
            .map_err(|error| CloudError::Unreachable { why: error.to_string() })
            .flatten();
        let after = self.tap.as_mut().map_or(TapVerdict::Go, |tap| tap.at(number, op, Side::After));
        let told = match self.verdict(after) {
            Some(error) => Err(error),
            None => done.clone(),
        };
        let applied = done.is_ok() || matches!(done, Err(CloudError::Unclear { .. }));
        self.note(op, token, applied, told.clone().map(|_| ()));
        told
    }

    fn verdict(&mut self, verdict: TapVerdict) -> Option<CloudError> {
        self.crashed |= verdict == TapVerdict::Crash;
        (verdict != TapVerdict::Go).then(|| CloudError::Unclear { why: "a simulated loss".to_owned() })
    }

    fn note(&mut self, op: &Op, token: &Token, applied: bool, told: Result<(), CloudError>) {
        if self.calls.len() == CALLS_KEPT {
            self.calls.pop_front();
        }
        let at = self.world.now();
        self.calls.push_back(Called { at, op: op.clone(), token: token.clone(), applied, told });
    }
}

/// The refusal of a class that the region does not have.
fn not_offered(catalog: &Catalog, world: &World, op: &Op) -> Option<CloudError> {
    let (Op::Create { address, attrs, .. } | Op::Modify { address, attrs, .. }) = op else { return None };
    let class = size::class_of(attrs)?;
    let (service, usual) = address.kind.listed_as();
    let engine = attrs.text("engine").or_else(|| world.objects.get(address)?.attrs.text("engine"));
    let engine = engine.as_deref().unwrap_or(usual);
    let message = || format!("{class} is not offered for {engine} in {}", address.region);
    (catalog.offered(service, engine, &class, &address.region) == Offered::No)
        .then(|| refusals::refused(tables::of(address.kind).codes.combination, message()))
}
