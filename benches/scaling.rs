//! How long a decision takes, with four weeks of minutes behind it and for a thousand axes in one turn.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion};
use rgctl_scaling::rules::Library;
use rgctl_scaling::{AxisProfile, Constants, Memory, Situation, decide};
use rgctl_schema::time::Moment;

const FOUR_WEEKS: usize = 28 * 1440;

fn demand(minute: usize) -> f64 {
    let noise = ((minute * 7919) % 1009) as f64 / 1009.0;
    5.0 + 3.0 * (minute as f64 / 1440.0 * std::f64::consts::TAU).sin() + noise
}

fn learned(library: &Arc<Library>, minutes: usize) -> Memory {
    let mut memory = Memory::new(AxisProfile::READER, 15, 0.001, Arc::clone(library), Constants::FROZEN);
    for minute in 0..minutes {
        memory.learn(demand(minute), None);
    }
    memory
}

fn target(memory: &Memory) -> u32 {
    let situation = Situation {
        memory,
        now: Moment::EPOCH,
        ordered: 9,
        changing: false,
        bounds: (1, 15),
        calendar: &[],
        fault: None,
        metric_age_minutes: 1,
        unit_price_per_hour: None,
    };
    decide(&situation).target
}

fn benches(c: &mut Criterion) {
    let library = Arc::new(Library::full());
    let memory = learned(&library, FOUR_WEEKS);
    c.bench_function("one decision on four weeks of minutes", |b| b.iter(|| target(black_box(&memory))));
    c.bench_function("one minute learned and decided after four weeks", |b| {
        b.iter_batched(
            || memory.clone(),
            |mut memory| {
                memory.learn(black_box(9.5), Some(12.0));
                target(&memory)
            },
            BatchSize::LargeInput,
        );
    });
    let mut slow = c.benchmark_group("slow");
    slow.sample_size(10);
    slow.bench_function("four weeks of minutes learned from nothing", |b| {
        b.iter(|| learned(&library, black_box(FOUR_WEEKS)).samples());
    });
    let mut fleet: Vec<Memory> = (0..1000).map(|_| memory.clone()).collect();
    slow.bench_function("a turn of a thousand axes", |b| {
        b.iter(|| {
            let mut sum = 0;
            for memory in &mut fleet {
                memory.learn(black_box(9.5), Some(12.0));
                sum += target(memory);
            }
            sum
        });
    });
    slow.finish();
}

#[allow(missing_docs)]
mod group {
    criterion::criterion_group!(all, super::benches);
}
criterion::criterion_main!(group::all);
