//! How long it takes to apply, in the provider's (virtual) time and on this machine.
//!
//! The critical path is measured, not assumed: each object's creation time is drawn from the seed and the object's
//! address, so a run of the same world by an engine that looks every virtual second has the same creations, and its
//! length is the longest chain of them plus at most a second per link. The figure to watch is the ratio of the shipped
//! pace to that.
//!
//! Run with `cargo bench --no-default-features --bench apply`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)]

use std::time::Instant;

use rgctl::adapters::files::journal::SqliteStore;
use rgctl::adapters::sim::{GENESIS, SimCloud};
use rgctl::artefacts::journal::{Outcome, Purpose};
use rgctl::artefacts::node::Desired;
use rgctl::artefacts::policy::Policy;
use rgctl::artefacts::seen::Inventory;
use rgctl::execution::drive::{Job, Watch, World, drive};
use rgctl::execution::turn::{Pace, Turn};
use rgctl::planning::NoFigures;
use rgctl::vocabulary::names::RunId;
use rgctl::vocabulary::time::Span;

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/it/fixtures.rs"]
mod fixtures;

/// Regions in turn, so that no single region's rate of calls is the bottleneck.
const REGIONS: [&str; 4] = ["us-east-1", "us-west-2", "eu-west-1", "ap-east-1"];

fn world_of(objects: usize) -> Desired {
    let stores = (0..objects.div_ceil(10)).map(|n| (format!("s{n}"), REGIONS[n % REGIONS.len()]));
    fixtures::desired(
        stores.flat_map(|(store, code)| fixtures::cluster_store(&store, code, 7, "db.r7g.large")).collect(),
    )
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

/// Virtual seconds, calls, turns, real seconds.
fn apply(desired: &Desired, pace: &Pace) -> (f64, u64, u64, f64) {
    let cloud = SimCloud::in_memory(7, GENESIS);
    let (clock, store) = (cloud.clock(), SqliteStore::in_memory().unwrap());
    let world = World { cloud: &cloud, clock: &clock, wall: &clock, store: &store };
    let (policy, run) = (Policy::default(), RunId("bench".into()));
    let job = Job {
        desired,
        policy: &policy,
        figures: &NoFigures,
        agreed: None,
        purpose: Purpose::Apply,
        run: &run,
        owner: "bench",
        deadline: None,
        pace,
    };
    let mut count = Count(0);
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ended = runtime.block_on(drive(&world, &job, &mut count)).unwrap();
    assert_eq!(ended.outcome, Outcome::Settled);
    (ended.at.since(GENESIS).as_secs_f64(), ended.calls, count.0, begun.elapsed().as_secs_f64())
}

fn main() {
    println!(
        "{:>8} {:>14} {:>14} {:>7} {:>7} {:>7} {:>9}",
        "objects", "virtual s", "path s", "ratio", "calls", "turns", "real s"
    );
    for objects in [100, 1_000, 10_000] {
        let desired = world_of(objects);
        let (virtual_s, calls, turns, real_s) = apply(&desired, &Pace::default());
        let ideal = Pace { look_again: Span::from_secs(1), ..Pace::default() };
        // Looking every virtual second is slow in real time; the largest world goes without.
        let path_s = (objects <= 1_000).then(|| apply(&desired, &ideal).0);
        let (path, ratio) = path_s.map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |path| (format!("{path:.0}"), format!("{:.3}", virtual_s / path)),
        );
        println!("{objects:>8} {virtual_s:>14.0} {path:>14} {ratio:>7} {calls:>7} {turns:>7} {real_s:>9.2}");
    }
}
