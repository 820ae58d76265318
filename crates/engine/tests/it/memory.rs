//! What a plan keeps for the next one changes no plan.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rgctl_engine::execution::drive::{Environment, Watch};
use rgctl_engine::execution::reconcile::{Session, reconcile_once};
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_engine::planning::{Memory, PlanInput, plan, plan_after};
use rgctl_model::claims::Claims;
use rgctl_model::journal::Outcome;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::{Desired, TAG_BLUEPRINT, TAG_KEEP, TAG_RECORD, TAG_STORE, TAG_TOKEN};
use rgctl_model::observed::{Gap, Inventory, Observed};
use rgctl_model::policy::Policy;
use rgctl_model::scope::RecordId;
use rgctl_schema::names::{Fingerprint, RunId, Token};
use rgctl_schema::phase::Phase;
use serde_json::json;

use rgctl_testkit::fixtures::*;
use rgctl_testkit::site::{Site, applying, block_on};

fn wanted(class: &str) -> Desired {
    let mut nodes = cluster_store("accounts", "us-east-1", 4, class);
    nodes.extend(cluster_store("matches", "us-west-2", 3, "db.r7g.large"));
    Desired { fingerprint: Fingerprint(class.to_owned()), ..desired(nodes) }
}

/// Something happens to an object that is there.
fn befalls(seen: &mut Observed, rng: &mut ChaCha8Rng) {
    let phases = [
        Phase::Ready,
        Phase::Creating,
        Phase::Busy { serves: true },
        Phase::Busy { serves: false },
        Phase::Stopped,
        Phase::Deleting,
        Phase::Absent,
        Phase::Failed("failed".to_owned()),
        Phase::Unknown("recalibrating".to_owned()),
    ];
    let tags = [TAG_BLUEPRINT, TAG_RECORD, TAG_STORE, TAG_KEEP, TAG_TOKEN, "team"];
    let tag = tags[rng.random_range(0..tags.len())].to_owned();
    match rng.random_range(0..8) {
        0..=2 => seen.facts.phase = phases[rng.random_range(0..phases.len())].clone(),
        3 => drop(seen.facts.tags.remove(&tag)),
        4 => drop(seen.facts.tags.insert(tag, "another".to_owned())),
        // Some kinds have no class.
        5 => drop(seen.attrs.set("class", Some(json!("db.r7g.2xlarge")))),
        6 => seen.pending = Some(seen.attrs.clone()),
        _ => {
            // Nothing, and yet another object than the one that was compared.
        }
    }
}

fn moves_on(world: &mut Inventory, claims: &mut Claims, desired: &Desired, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(0..4) {
        let place = rng.random_range(0..desired.nodes.len());
        let node = desired.nodes.values().nth(place).unwrap();
        let address = node.address.clone();
        match rng.random_range(0..10) {
            0 => drop(world.seen.remove(&address)),
            1..=4 => {
                let mut seen = seen_as_wanted(node);
                let record = claims.record.clone().unwrap();
                seen.facts.tags.insert(TAG_RECORD.to_owned(), record.0);
                let claimed = claims.objects.entry(address.clone()).or_default();
                claimed.is_done = rng.random_bool(0.7);
                claimed.tokens = BTreeSet::from([Token("t1".into())]);
                seen.facts.tags.insert(TAG_TOKEN.to_owned(), "t1".into());
                world.seen.insert(address, seen);
            }
            5 => drop(claims.objects.remove(&address)),
            6 => {
                let token = format!("t{}", rng.random_range(1..4));
                let tokens = &mut claims.objects.entry(address).or_default().tokens;
                if rng.random_bool(0.5) {
                    tokens.clear();
                }
                tokens.insert(Token(token));
            }
            _ => {
                if let Some(seen) = world.seen.get_mut(&address) {
                    befalls(seen, rng);
                }
            }
        }
    }
    let gap = Gap {
        region: region("us-west-2"),
        endpoint: Endpoint::Rds,
        why: "a page was not delivered".to_owned(),
        lasting: false,
    };
    world.gaps = if rng.random_bool(0.1) { vec![gap] } else { Vec::new() };
}

#[test]
fn a_plan_that_goes_on_from_the_one_before_equals_one_that_does_not() {
    let (ours, changed) = (wanted("db.r7g.large"), wanted("db.r7g.xlarge"));
    let policy = Policy::default();
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut world, mut memory) = (world_of(&ours), Memory::default());
        let mut claims = Claims { record: Some(RecordId("one".into())), ..Claims::default() };
        for turn in 0..60 {
            if rng.random_bool(0.03) {
                let record = if rng.random_bool(0.7) { "one" } else { "two" };
                claims.record = Some(RecordId(record.into()));
            }
            let desired = if rng.random_bool(0.05) { &changed } else { &ours };
            moves_on(&mut world, &mut claims, &ours, &mut rng);
            let destroy = rng.random_bool(0.05);
            let ask = PlanInput { claims: &claims, destroy, ..ask(desired, &world, &policy) };
            assert_eq!(plan_after(&ask, &mut memory), plan(&ask), "seed {seed}, turn {turn}");
        }
    }
}

struct Nobody;

impl Watch for Nobody {
    fn turned(&mut self, _: &Turn, _: &Inventory) {}
    fn stopping(&mut self) -> bool {
        false
    }
}

#[test]
fn a_quiet_world_stays_quiet_until_something_happens_in_it() {
    let mut site = Site::new(3);
    let wanted = wanted("db.r7g.large");
    assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
    let clock = site.cloud.clock();
    let world = Environment { cloud: &site.cloud, clock: &clock, wall: &site.wall, store: &site.store };
    let (run, policy, pace) = (RunId("again".into()), Policy::default(), Pace::default());
    let (job, mut session) = (applying(&wanted, &run, &policy, &pace), Session::default());
    let mut steps = || {
        let done = block_on(reconcile_once(&world, &job, &mut session, &mut Nobody)).unwrap();
        (done.turn.plan.steps.len(), done.outcome)
    };
    for _ in 0..3 {
        assert_eq!(steps(), (0, Some(Outcome::Settled)));
    }
    let member = wanted.nodes.keys().find(|address| address.kind == KindId::AuroraInstance).unwrap();
    let edit = vec![("class", json!("db.r7g.2xlarge"))];
    site.cloud.with_world(|world| world.edit_fields(member, edit)).unwrap().unwrap();
    let (left, outcome) = steps();
    assert!(left > 0 && outcome.is_none(), "{left} steps, {outcome:?}");
}
