//! How the cost of a plan grows with the number of observed resources, from 100 to 100,000.
//!
//! Run with `cargo bench --no-default-features --bench planning`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rgctl_engine::planning;
use rgctl_model::claims::NO_CLAIMS;
use rgctl_model::node::Desired;
use rgctl_model::policy::Policy;

use rgctl_testkit::fixtures;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Stores of one cluster, two groups and seven members: ten objects each.
fn world_of(objects: usize, class: &str) -> Desired {
    let stores = objects / 10;
    let nodes = (0..stores).flat_map(|n| fixtures::cluster_store(&format!("s{n}"), "us-east-1", 7, class));
    fixtures::desired(nodes.collect())
}

fn plan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    for objects in [100, 1_000, 10_000, 100_000] {
        group.throughput(Throughput::Elements(objects as u64));
        if objects >= 100_000 {
            group.sample_size(10);
        }
        let before = world_of(objects, "db.r7g.large");
        let after = world_of(objects, "db.r7g.xlarge");
        let inventory = fixtures::world_of(&before);
        let policy = Policy::default();
        group.bench_function(BenchmarkId::new("nothing differs", objects), |bencher| {
            bencher.iter(|| black_box(fixtures::plan_for(&before, &inventory, &policy)));
        });
        group.bench_function(BenchmarkId::new("every member differs", objects), |bencher| {
            bencher.iter(|| black_box(fixtures::plan_for(&after, &inventory, &policy)));
        });
        group.bench_function(BenchmarkId::new("fingerprint", objects), |bencher| {
            bencher.iter(|| black_box(planning::base(&before, &inventory, &NO_CLAIMS)));
        });
    }
    group.finish();
}

criterion_group!(benches, plan);
criterion_main!(benches);
