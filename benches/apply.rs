//! How long it takes to apply, in the provider's (virtual) time and on this machine.
//!
//! The critical path is measured, not assumed: how long an object takes to be made is drawn from the seed and its
//! address alone. So a world of the same seed, in which each object is made by itself and time passes from event to
//! event, tells every link of the chains; the longest chain is what no engine can be faster than, with any budget of
//! calls. `budget s` is the other bound: the time that a region's calls take at the service's rate.
//!
//! `cpu s` is processor time of that apply alone, where the system tells it (Linux): what other processes do on the machine
//! does not show in it.
//!
//! Run with `cargo bench --no-default-features --bench apply`; numbers of objects may follow: `-- 1000 10000`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::time::Instant;

use futures::future::BoxFuture;
use rgctl_blueprint::desired::fingerprint;
use rgctl_engine::execution::drive::{Begins, Environment, IfHeld, Job, Prices, Watch, drive};
use rgctl_engine::execution::reconcile::{Session, reconcile_once};
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_engine::planning::NoFigures;
use rgctl_model::address::Address;
use rgctl_model::journal::{Outcome, Purpose};
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::Op;
use rgctl_model::policy::Policy;
use rgctl_model::ports::Clock;
use rgctl_schema::names::{RunId, Token};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{GENESIS, SimCloud};
use rgctl_store::journal::SqliteStore;

use rgctl_testkit::fixtures;

/// Regions in turn, so that no single region's rate of calls is the bottleneck.
const REGIONS: [&str; 4] = ["us-east-1", "us-west-2", "eu-west-1", "ap-east-1"];

fn world_of(objects: usize) -> Desired {
    let stores = (0..objects.div_ceil(10)).map(|n| (format!("s{n}"), REGIONS[n % REGIONS.len()]));
    let nodes = stores.flat_map(|(store, code)| fixtures::cluster_store(&store, code, 7, "db.r7g.large"));
    let mut desired = fixtures::desired(nodes.collect());
    // As of a blueprint that was read: what is wanted is told by its digest.
    desired.fingerprint = fingerprint(&desired.nodes);
    desired
}

/// A machine's time that stands still: no lease has to be renewed.
struct FrozenClock;

impl Clock for FrozenClock {
    fn now(&self) -> Moment {
        Moment::EPOCH
    }
    fn sleep_until(&self, _: Moment) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

struct Count(u64);

impl Watch for Count {
    fn turned(&mut self, _: &Turn, _: &Inventory) {
        self.0 += 1;
    }
    fn stopping(&mut self) -> bool {
        false
    }
}

/// Turns over the quiet world of which the fastest counts.
const QUIET_TURNS: usize = 9;

/// Processor time of this thread so far, in seconds; nothing where the system does not tell it.
fn processor_s() -> Option<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(told.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

/// What an apply took.
struct Took {
    virtual_s: f64,
    calls: u64,
    turns: u64,
    real_s: f64,
    cpu_s: f64,
    /// Milliseconds of a turn over the world when it is quiet.
    quiet_ms: f64,
}

fn apply(desired: &Desired, pace: &Pace) -> Took {
    let cloud = SimCloud::in_memory(7, GENESIS);
    let (clock, store) = (cloud.clock(), SqliteStore::in_memory().unwrap());
    let world = Environment { cloud: &cloud, clock: &clock, wall: &FrozenClock, store: &store };
    let (policy, run) = (Policy::default(), RunId("bench".into()));
    let job = Job {
        desired,
        policy: &policy,
        figures: &NoFigures,
        agreed: None,
        joins: None,
        decided: 0,
        begins: Begins::Asked,
        purpose: Purpose::Apply,
        authority: rgctl_model::policy::Authority::Person,
        run: &run,
        owner: "bench",
        deadline: None,
        if_held: IfHeld::GiveUp,
        pace,
        prices: Prices::Never,
    };
    let mut count = Count(0);
    let (begun, cpu) = (Instant::now(), processor_s());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ended = runtime.block_on(drive(&world, &job, &mut count)).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled);
    let real_s = begun.elapsed().as_secs_f64();
    let cpu_s = processor_s().zip(cpu).map_or(f64::NAN, |(now, before)| now - before);
    let mut session = Session::default();
    let quiet = (0..QUIET_TURNS).map(|_| {
        let begun = Instant::now();
        let turn = runtime.block_on(reconcile_once(&world, &job, &mut session, &mut Count(0))).unwrap();
        assert_eq!(turn.outcome, Some(Outcome::Settled));
        begun.elapsed().as_secs_f64() * 1_000.0
    });
    let quiet_ms = quiet.fold(f64::INFINITY, f64::min);
    let virtual_s = ended.at.since(GENESIS).as_secs_f64();
    Took { virtual_s, calls: ended.calls, turns: count.0, real_s, cpu_s, quiet_ms }
}

/// How long each object takes to be made, and the longest chain of them, in seconds.
fn critical_path(desired: &Desired) -> f64 {
    let cloud = SimCloud::in_memory(7, GENESIS);
    let token = |address: &Address| Token(address.to_string());
    let mut done: BTreeMap<&Address, f64> = BTreeMap::new();
    let mut open: Vec<_> = desired.nodes.values().collect();
    while !open.is_empty() {
        let (free, rest): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|node| node.needs.iter().all(|need| done.contains_key(need)));
        assert!(!free.is_empty(), "needs go round in a circle");
        for node in free {
            let tags = node.all_tags(&desired.blueprint);
            let op = Op::Create { address: node.address.clone(), attrs: node.attrs.clone(), tags };
            let took = cloud.with_world(|world| {
                // Time for the budget of calls to fill, which is no part of the path.
                world.advance(world.now() + Span::from_secs(60));
                let begun = world.now();
                world.call(&op, &token(&node.address)).unwrap();
                while let Some(next) = world.next_event() {
                    world.advance(next);
                }
                world.now().since(begun).as_secs_f64()
            });
            let before = node.needs.iter().map(|need| done[need]).fold(0.0, f64::max);
            done.insert(&node.address, before + took.unwrap());
        }
        open = rest;
    }
    done.values().copied().fold(0.0, f64::max)
}

/// How long the calls of the busiest control plane take at the service's rate.
fn budget_s(desired: &Desired) -> f64 {
    let mut calls: BTreeMap<_, u32> = BTreeMap::new();
    for address in desired.nodes.keys() {
        *calls.entry((&address.region, address.kind.facts().endpoint)).or_default() += 1;
    }
    let time = |(endpoint, calls): (Endpoint, u32)| {
        let budget = rgctl_sim::budget(endpoint);
        f64::from(calls.saturating_sub(budget.burst)) / f64::from(budget.per_second)
    };
    calls.into_iter().map(|((_, endpoint), calls)| time((endpoint, calls))).fold(0.0, f64::max)
}

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![100, 1_000, 10_000] } else { asked };
    println!(
        "{:>8} {:>10} {:>8} {:>9} {:>7} {:>7} {:>7} {:>8} {:>8} {:>9}",
        "objects",
        "virtual s",
        "path s",
        "budget s",
        "ratio",
        "calls",
        "turns",
        "real s",
        "cpu s",
        "quiet ms"
    );
    for objects in sizes {
        let desired = world_of(objects);
        let path = critical_path(&desired);
        let Took { virtual_s, calls, turns, real_s, cpu_s, quiet_ms } = apply(&desired, &Pace::default());
        let (budget, ratio) = (budget_s(&desired), virtual_s / path);
        println!(
            "{objects:>8} {virtual_s:>10.0} {path:>8.0} {budget:>9.0} {ratio:>7.3} {calls:>7} {turns:>7} {real_s:>8.2} {cpu_s:>8.2} {quiet_ms:>9.3}"
        );
    }
}
