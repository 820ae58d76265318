//! Every reader, over every file that is shipped, over what fuzzing has found (`tests/fixtures/fuzz`), and over pieces of
//! them that were exchanged. The laws are those of the fuzz targets: `fuzz/run.sh` looks for longer.

use std::path::Path;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rgctl_sim::{GENESIS, SimCloud};

use rgctl_testkit::shipped::desired_of;

#[path = "../../fuzz/src/readers.rs"]
mod readers;

/// Mutations of one file for one reader.
const MUTATIONS: usize = 12;
/// Of a long file only the beginning is used: what is wrong shows in a small one.
const BYTES_MAX: usize = 6_000;

fn corpus() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "blueprints",
        "regions",
        "templates",
        "templates/operator",
        "tests/fixtures/invalid",
        "tests/fixtures/traces",
        "tests/fixtures/fuzz",
    ];
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.truncate(BYTES_MAX);
            files.push((path.display().to_string(), bytes));
        }
    }
    files.sort();
    files
}

/// Bytes of one file with some pieces exchanged for pieces of another.
fn mutated(rng: &mut impl Rng, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..rng.random_range(1..6) {
        let place = |rng: &mut dyn FnMut(usize) -> usize, of: &[u8]| {
            let start = rng(of.len() + 1);
            let end = (start + rng(24)).min(of.len());
            start..end
        };
        let mut draw = |max: usize| rng.random_range(0..max.max(1));
        let (hole, piece) = (place(&mut draw, &out), place(&mut draw, other));
        drop(out.splice(hole, other[piece].iter().copied()));
    }
    out
}

#[test]
fn no_shipped_file_and_no_finding_makes_a_reader_panic() {
    for (name, bytes) in corpus() {
        for (reader, read) in readers::ALL {
            println!("{reader} reads {name}");
            read(&bytes);
        }
    }
}

#[test]
fn no_mutation_makes_a_reader_panic() {
    let corpus = corpus();
    let mut rng = ChaCha8Rng::seed_from_u64(0x00f0_22ed);
    for (name, bytes) in &corpus {
        let other = &corpus[rng.random_range(0..corpus.len())].1;
        for (reader, read) in readers::ALL {
            for _ in 0..MUTATIONS {
                let text = mutated(&mut rng, bytes, other);
                println!("{reader} reads a mutation of {name}: {}", String::from_utf8_lossy(&text));
                read(&text);
            }
        }
    }
}

#[test]
fn a_saved_plan_is_refused_with_any_one_byte_changed() {
    use rgctl::cli::saved::SavedPlan;
    use rgctl_model::policy::Policy;
    let desired = desired_of("light-game");
    let inventory = SimCloud::in_memory(1, GENESIS)
        .with_world(|world| {
            world.observe(&rgctl_engine::execution::drive::selection_of(
                &desired,
                &rgctl_model::claims::NO_CLAIMS,
            ))
        })
        .unwrap()
        .unwrap();
    let policy = Policy::default();
    let plan = rgctl_testkit::fixtures::plan_for(&desired, &inventory, &policy);
    let text = serde_json::to_string(&SavedPlan::new(plan, desired, policy, 0, 0)).unwrap();
    assert!(SavedPlan::parse(&text).is_ok());
    readers::saved_plan(text.as_bytes());
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..100 {
        let mut bytes = text.clone().into_bytes();
        let place = rng.random_range(0..bytes.len());
        bytes[place] = bytes[place].wrapping_add(1);
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        assert!(SavedPlan::parse(&changed).is_err(), "byte {place} was changed and nobody noticed");
    }
}
