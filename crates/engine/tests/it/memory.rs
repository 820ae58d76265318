//! What a plan keeps for the next one changes no plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rgctl_engine::execution::drive::{Environment, Watch};
use rgctl_engine::execution::reconcile::{Session, reconcile_once, sleep_until};
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_engine::planning::{Figures, Memory, NoFigures, PlanInput, plan, plan_after};
use rgctl_model::bill::{CostRange, StoreBill};
use rgctl_model::claims::Claims;
use rgctl_model::journal::Outcome;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::{Desired, Node, TAG_BLUEPRINT, TAG_KEEP, TAG_RECORD, TAG_STORE, TAG_TOKEN, Usage};
use rgctl_model::observed::{Gap, Inventory, Observed};
use rgctl_model::plan::Plan;
use rgctl_model::policy::Policy;
use rgctl_model::rules::{CalendarEntry, Freeze, Policies, Rules};
use rgctl_model::scope::RecordId;
use rgctl_schema::calendar::Zone;
use rgctl_schema::money::Total;
use rgctl_schema::names::{Fingerprint, RegionId, RunId, StoreName, Token};
use rgctl_schema::phase::Phase;
use rgctl_schema::quantity::Factor;
use rgctl_schema::time::Span;
use rgctl_sim::{Fault, GENESIS, Rule};
use serde_json::json;

use rgctl_testkit::fixtures::*;
use rgctl_testkit::site::{Quiet, Site, applying, block_on};
use rgctl_testkit::taps::{Cut, Taps};

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

/// No prices, and a limit of everything that has one.
struct Limits(u64);

impl Figures for Limits {
    fn cost(&self, attrs: &AnyAttrs, usage: &Usage, region: &RegionId) -> Total {
        NoFigures.cost(attrs, usage, region)
    }
    fn range(&self, bill: &StoreBill) -> CostRange {
        NoFigures.range(bill)
    }
    fn capacity_gib(&self, _: &AnyAttrs) -> Option<f64> {
        None
    }
    fn sources(&self) -> Vec<String> {
        Vec::new()
    }
    fn is_unpriced(&self) -> bool {
        true
    }
    fn limit(&self, _: &str, _: &str, _: &RegionId) -> Option<u64> {
        Some(self.0)
    }
}

/// Four stores, two of them in both regions, one beside them of caches, and one that nobody wants any more.
fn wanted_large() -> (Desired, Vec<Node>) {
    let mut nodes = cluster_store("accounts", "us-east-1", 3, "db.r7g.large");
    nodes.extend(cluster_store("accounts", "us-west-2", 2, "db.r7g.large"));
    nodes.extend(cluster_store("matches", "us-west-2", 3, "db.r7g.large"));
    nodes.extend(cluster_store("mail", "us-east-1", 2, "db.r7g.large"));
    let cache = address("us-east-1", KindId::CacheGroup, "game-cache-use1");
    nodes.push(node(cache, "cache", &[("shards", json!(2)), ("replicas_per_shard", json!(1))], &[]));
    let left = cluster_store("left", "us-east-1", 1, "db.r7g.large");
    (Desired { fingerprint: Fingerprint("large".to_owned()), ..desired(nodes) }, left)
}

/// Something that is missing is made, or what is being made is done.
fn is_built(world: &mut Inventory, claims: &mut Claims, desired: &Desired, rng: &mut ChaCha8Rng) {
    let record = claims.record.clone().unwrap();
    let ready = |world: &Inventory, address| {
        world.seen.get(address).is_some_and(|seen| seen.facts.phase == Phase::Ready)
    };
    for node in desired.nodes.values() {
        let is_there = world.seen.contains_key(&node.address);
        if is_there && !ready(world, &node.address) && rng.random_bool(0.3) {
            world.seen.get_mut(&node.address).unwrap().facts.phase = Phase::Ready;
            claims.objects.entry(node.address.clone()).or_default().is_done = true;
        }
        let is_free = node.needs.iter().all(|need| ready(world, need));
        if !is_there && is_free && rng.random_bool(0.2) {
            let claimed = claims.objects.entry(node.address.clone()).or_default();
            claimed.tokens.insert(Token("t1".into()));
            claimed.bears_data = node.address.kind.facts().holds_data;
            claimed.store = Some(node.store.clone());
            if rng.random_bool(0.8) {
                let mut seen = seen_as_wanted(node);
                seen.facts.tags.insert(TAG_RECORD.to_owned(), record.0.clone());
                seen.facts.tags.insert(TAG_TOKEN.to_owned(), "t1".into());
                seen.facts.phase = Phase::Creating;
                world.seen.insert(node.address.clone(), seen);
            }
        }
    }
}

/// Now and then something else happens than that the world is built.
fn is_disturbed(
    world: &mut Inventory,
    claims: &mut Claims,
    (desired, left): (&Desired, &[Node]),
    rng: &mut ChaCha8Rng,
) {
    let nodes: Vec<&Node> = desired.nodes.values().collect();
    let node = nodes[rng.random_range(0..nodes.len())];
    match rng.random_range(0..12) {
        0 => drop(world.seen.remove(&node.address)),
        1 => claims.leaving = BTreeSet::from([node.address.clone()]),
        2 => claims.deleted = BTreeSet::from([node.address.clone()]),
        3 => (claims.leaving, claims.deleted) = (BTreeSet::new(), BTreeSet::new()),
        4 => {
            for node in left {
                let mut seen = seen_as_wanted(node);
                seen.facts.tags.insert(TAG_RECORD.to_owned(), claims.record.clone().unwrap().0);
                world.seen.insert(node.address.clone(), seen);
            }
        }
        5 => left.iter().for_each(|node| drop(world.seen.remove(&node.address))),
        6 => {
            // The record has it under another store, and it is gone.
            let claimed = claims.objects.entry(node.address.clone()).or_default();
            (claimed.is_done, claimed.bears_data) = (true, true);
            claimed.store = StoreName::new("mail").ok();
            world.seen.remove(&node.address);
        }
        _ => {
            if let Some(seen) = world.seen.get_mut(&node.address) {
                befalls(seen, rng);
            }
        }
    }
}

#[test]
fn steps_that_are_shared_with_the_plan_before_are_those_that_a_plan_of_its_own_has() {
    let (ours, left) = wanted_large();
    let frozen = Rules {
        calendar: vec![CalendarEntry {
            name: "launch".to_owned(),
            starts: NOW - Span::from_hours(1),
            lasts: Span::from_hours(2),
            demand: Factor::ONE,
            repeats: None,
            zone: Zone::utc(),
            freeze: Freeze::Hard,
            cells: Vec::new(),
        }],
        policies: Policies::usual(),
        cells: Vec::new(),
    };
    let forbidden = Policy { observe_only: true, ..Policy::default() };
    let (policy, mut shared, mut mixed, mut over) = (Policy::default(), 0, 0, 0);
    for seed in 0..80 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut world, mut memory) = (Inventory::empty(NOW), Memory::default());
        let mut claims = Claims { record: Some(RecordId("one".into())), ..Claims::default() };
        let mut last: Option<Plan> = None;
        for turn in 0..40 {
            is_built(&mut world, &mut claims, &ours, &mut rng);
            if rng.random_bool(0.15) {
                is_disturbed(&mut world, &mut claims, (&ours, &left), &mut rng);
            }
            let limits = Limits(if rng.random_bool(0.1) { rng.random_range(1..9) } else { 100 });
            let mut desired = ours.clone();
            desired.rules.extend(rng.random_bool(0.05).then(|| frozen.clone()));
            let policy = if rng.random_bool(0.05) { &forbidden } else { &policy };
            let ask = PlanInput { claims: &claims, figures: &limits, ..ask(&desired, &world, policy) };
            let plan = plan_after(&ask, &mut memory);
            assert_eq!(plan, rgctl_engine::planning::plan(&ask), "seed {seed}, turn {turn}");
            let before: Vec<_> = last.iter().flat_map(|plan| plan.steps.iter_shared()).collect();
            let is_old = |step| before.iter().any(|old| Arc::ptr_eq(old, step));
            let old = plan.steps.iter_shared().filter(|step| is_old(step)).count();
            shared += old;
            mixed += usize::from(old > 0 && plan.steps.iter().any(|step| step.op.word() != "create"));
            over += usize::from(!plan.over_quota.is_empty());
            last = Some(plan);
        }
    }
    assert!(shared > 3_000 && mixed > 10 && over > 50, "{shared} shared, {mixed} mixed, {over} over a quota");
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

/// Makes every turn of a run by a process that knows nothing but the record. For each turn: the lines that it read, and the
/// objects that the record knew of then.
fn forgetful_turns(site: &Site, wanted: &Desired) -> Vec<(usize, usize)> {
    let (clock, run) = (site.cloud.clock(), RunId("long".into()));
    let (policy, pace) = (Policy::default(), Pace::default());
    let job = applying(wanted, &run, &policy, &pace);
    let (mut watch, mut told) = (Quiet { turns: 0, stop_after: None }, Vec::new());
    loop {
        let taps = Taps::new(&site.cloud, &site.store, Cut::Never);
        let world = Environment { cloud: &taps, clock: &clock, wall: &site.wall, store: &taps };
        let (known, mut session) = (site.claims("game").objects.len(), Session::default());
        let done = block_on(reconcile_once(&world, &job, &mut session, &mut watch)).unwrap();
        told.push((taps.lines_read.lock().unwrap().unwrap_or(0), known));
        if done.outcome.is_some() {
            return told;
        }
        block_on(sleep_until(&world, &session, done.wake, &mut watch)).unwrap();
    }
}

#[test]
fn whoever_goes_on_with_a_long_run_reads_its_last_lines_and_not_all_of_them() {
    let site = Site::new(41);
    let rule = Rule::always(Fault::Throttle, GENESIS, GENESIS + Span::from_days(3_650));
    let _ = site.cloud.with_world(|world| world.add_fault(rule));
    let turns = forgetful_turns(&site, &wanted("db.r7g.large"));
    let (most, all) = (turns.iter().map(|(read, _)| *read).max(), site.events().len());
    assert!(all > 400 && most < Some(100), "{most:?} of {all} lines");
}

#[test]
fn whoever_goes_on_with_a_run_that_makes_many_objects_reads_as_many_lines_as_there_are_objects() {
    let site = Site::new(42);
    let rule = Rule::always(Fault::Quota { limit: u32::MAX }, GENESIS, GENESIS + Span::from_days(3_650));
    let _ = site.cloud.with_world(|world| world.add_fault(rule));
    let stores = (0..32).map(|store| cluster_store(&format!("s{store}"), "us-east-1", 7, "db.r7g.large"));
    let turns = forgetful_turns(&site, &desired(stores.flatten().collect()));
    let all = site.events().len();
    assert!(turns.last().is_some_and(|(_, known)| *known >= 320) && all > 3 * 300, "{all} lines: {turns:?}");
    let read_more = turns.iter().find(|(read, known)| *read >= (*known).max(100));
    assert_eq!(read_more, None, "{turns:?}");
}
