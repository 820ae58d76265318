//! A site to run on: the embedded cloud, a record, this machine's time; and what a run on it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use rgctl_engine::execution::drive::{
    Begins, DriveError, Ended, Environment, IfHeld, Job, Prices, Sight, Watch, drive, observe, selection_of,
};
use rgctl_engine::execution::reconcile::{Session, reconcile_once, sleep_until};
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_engine::ledger::Ledger;
use rgctl_engine::planning::{self, Figures, NoFigures, PlanInput};
use rgctl_model::claims::{Claims, NO_CLAIMS};
use rgctl_model::journal::{Event, Purpose};
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::overlay::{Decision, Decisions, HoldOut};
use rgctl_model::plan::{Op, Plan};
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Cloud};
use rgctl_model::scope::Scope;
use rgctl_schema::names::{BlueprintName, RegionId, RunId};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{GENESIS, SimCloud};
use rgctl_store::journal::SqliteStore;
use serde_json::json;

use crate::decides::{Decides, Wishes, decide, hold_out, next_lapse, release};
use crate::fixtures::{NONE_HELD_OUT, address, lines, node};
use crate::taps::{Cut, ManualWall, Taps};

/// A cloud, a record and this machine's time, which outlive the runs on them.
pub struct Site {
    pub cloud: SimCloud,
    pub store: SqliteStore,
    pub wall: ManualWall,
    /// What held something up in the last run.
    pub told: BTreeSet<String>,
    /// Whether a part of the world was unseen in the last run for as long as such a part is asked again, in look after look.
    pub was_unseen_for_long: bool,
    /// What was done in a region that was held out, or to a run by a decision.
    pub wrong: Vec<String>,
    /// Whether somebody decided something during the last run.
    pub was_decided: bool,
    /// Whether whoever runs remembers nothing: after each turn the next process goes on from the record alone.
    pub is_forgetful: bool,
    runs: u32,
}

pub struct Quiet {
    pub turns: u32,
    pub stop_after: Option<u32>,
}

/// A watch that keeps what held something up in any turn, and since when each part of the world is unseen.
struct Listening {
    quiet: Quiet,
    told: BTreeSet<String>,
    unseen: BTreeMap<(RegionId, Endpoint), Moment>,
    was_unseen_for_long: bool,
}

impl Watch for Listening {
    fn turned(&mut self, turn: &Turn, inventory: &Inventory) {
        self.quiet.turned(turn, inventory);
        let before = std::mem::take(&mut self.unseen);
        for gap in &inventory.gaps {
            let part = (gap.region.clone(), gap.endpoint);
            let since = before.get(&part).copied().unwrap_or(inventory.taken);
            self.was_unseen_for_long |= inventory.taken.since(since) >= Pace::default().unseen_max;
            self.unseen.insert(part, since);
        }
        self.told.extend(turn.held.iter().map(|held| held.why.clone()));
        self.told.extend(turn.later.iter().map(|later| later.why.clone()));
    }
    fn stopping(&mut self) -> bool {
        self.quiet.stopping()
    }
}

impl Watch for Quiet {
    fn turned(&mut self, _: &Turn, _: &Inventory) {
        self.turns += 1;
    }
    fn stopping(&mut self) -> bool {
        // A run that does not come to an end is stopped, and so not settled.
        self.turns >= self.stop_after.unwrap_or(2_000)
    }
}

/// What a run is asked for beside the desired state.
#[derive(Clone, Default)]
pub struct Order {
    pub policy: Policy,
    pub agreed: Option<Plan>,
    pub destroy: bool,
    pub stop_after: Option<u32>,
    pub deadline: Option<Moment>,
    /// After which call somebody asks the run to yield.
    pub asked_after: Option<u64>,
    /// After which call somebody decides what.
    pub decides_after: Option<(u64, Vec<Decision>)>,
    /// What should exist with what is decided, where that counts at once.
    pub wishes: Option<Arc<dyn Wishes>>,
    /// Prices; none when they do not matter.
    pub figures: Option<&'static dyn Figures>,
}

impl Order {
    pub fn figures(&self) -> &'static dyn Figures {
        self.figures.unwrap_or(&NoFigures)
    }
}

/// A run that brings about what is wanted, and nothing else about it.
pub fn applying<'a>(desired: &'a Desired, run: &'a RunId, policy: &'a Policy, pace: &'a Pace) -> Job<'a> {
    Job {
        desired,
        policy,
        figures: &NoFigures,
        agreed: None,
        joins: None,
        decided: 0,
        begins: Begins::Asked,
        purpose: Purpose::Apply,
        authority: rgctl_model::policy::Authority::Person,
        run,
        owner: "test",
        deadline: None,
        if_held: IfHeld::GiveUp,
        pace,
        prices: Prices::Never,
    }
}

/// Runs a job turn by turn, as the agent does: what is decided counts at the next turn. Who is forgetful throws the session
/// away after every turn.
async fn turn_by_turn(
    environment: &Environment<'_>,
    taps: &Taps<'_>,
    job: &Job<'_>,
    (wishes, is_forgetful): (Option<&dyn Wishes>, bool),
    watch: &mut dyn Watch,
) -> Result<Ended, DriveError> {
    let (mut session, mut calls, mut desired) = (Session::default(), 0, job.desired.clone());
    let scope = taps.scope.as_ref().unwrap();
    loop {
        let (standing, now) = (environment.store.standing(scope).await?, environment.clock.now());
        if let Some(news) = wishes.and_then(|wishes| wishes.news(&standing, now)) {
            desired = news;
        }
        let decided = wishes.map_or(0, |_| standing.last_seq);
        let job = Job { desired: &desired, decided, ..*job };
        let done = reconcile_once(environment, &job, &mut session, watch).await?;
        calls = if is_forgetful { calls + done.calls } else { done.calls };
        if let Some(outcome) = done.outcome {
            let at = environment.clock.now();
            return Ok(Ended { outcome, last: done.turn, calls, at });
        }
        let lapse = wishes.and_then(|_| next_lapse(&standing, environment.clock.now()));
        let wake = lapse.map_or(done.wake, |lapse| lapse.min(done.wake));
        sleep_until(environment, &session, wake, watch).await?;
        if is_forgetful {
            session = Session::default();
            taps.ask_again().await;
        }
    }
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

impl Site {
    pub fn new(seed: u64) -> Self {
        let wall = ManualWall::default();
        Self {
            cloud: SimCloud::in_memory(seed, GENESIS).with_wall(std::sync::Arc::new(wall.clone())),
            store: SqliteStore::in_memory().unwrap(),
            wall,
            told: BTreeSet::new(),
            was_unseen_for_long: false,
            wrong: Vec::new(),
            was_decided: false,
            is_forgetful: false,
            runs: 0,
        }
    }

    /// What the record knows of its objects.
    pub fn claims(&self, blueprint: &str) -> Claims {
        use rgctl_model::ports::Store;
        let scope = self.scope(blueprint);
        let mut ledger = Ledger::default();
        ledger.fold(&block_on(self.store.entries(&scope, 0)).unwrap());
        Claims { record: Some(block_on(self.store.identity(&scope)).unwrap()), ..ledger.claims }
    }

    /// Somebody holds a region out of a blueprint.
    pub fn hold_out(&self, blueprint: &BlueprintName, region: &RegionId) {
        let hold = hold_out(region, self.cloud.clock().now());
        self.decide(blueprint, &Decision::HoldOut { hold });
    }

    pub fn release(&self, blueprint: &BlueprintName, region: &RegionId) {
        self.decide(blueprint, &release(region));
    }

    /// Somebody decides something.
    pub fn decide(&self, blueprint: &BlueprintName, what: &Decision) {
        let scope = self.scope(blueprint.as_str());
        block_on(decide(&self.store, &scope, self.cloud.clock().now(), what)).unwrap();
    }

    /// What is decided.
    pub fn standing(&self, blueprint: &BlueprintName) -> Decisions {
        use rgctl_model::ports::Store;
        block_on(self.store.standing(&self.scope(blueprint.as_str()))).unwrap()
    }

    pub fn held_out(&self, blueprint: &BlueprintName) -> BTreeMap<RegionId, HoldOut> {
        self.standing(blueprint).held_out()
    }

    pub fn apply(&mut self, desired: &Desired) -> Ended {
        self.run(desired, &Order::default()).unwrap()
    }

    pub fn run(&mut self, desired: &Desired, order: &Order) -> Result<Ended, DriveError> {
        let (ended, ..) = self.run_cut(desired, order, Cut::Never);
        assert_eq!(self.wrong, Vec::<String>::new(), "a decision was not obeyed");
        ended.expect("nothing cuts it off")
    }

    /// Runs until the end or the cut; tells how it ended, unless it was cut off, and what went through the ports.
    pub fn run_cut(
        &mut self,
        desired: &Desired,
        order: &Order,
        cut: Cut,
    ) -> (Option<Result<Ended, DriveError>>, u64, u64) {
        self.runs += 1;
        let clock = self.cloud.clock();
        let scope = self.scope(desired.blueprint.as_str());
        let asked_after = order.asked_after.map(|after| (after, scope.clone()));
        let decides = order.decides_after.clone().map(|(after, what)| Decides {
            after,
            scope: scope.clone(),
            what,
            clock: self.cloud.clock(),
            made: Mutex::default(),
        });
        let scope = Some(scope);
        let taps = Taps { decides, asked_after, scope, ..Taps::new(&self.cloud, &self.store, cut) };
        let world = Environment { cloud: &taps, clock: &clock, wall: &self.wall, store: &taps };
        let run = RunId(format!("run-{}", self.runs));
        // Looking less often than the product does keeps the tests short; nothing here depends on it.
        let pace = Pace { look_again: Span::from_mins(4), ..Pace::default() };
        let job = Job {
            agreed: order.agreed.as_ref(),
            purpose: if order.destroy { Purpose::Destroy } else { Purpose::Apply },
            authority: rgctl_model::policy::Authority::Person,
            deadline: order.deadline,
            figures: order.figures(),
            ..applying(desired, &run, &order.policy, &pace)
        };
        let quiet = Quiet { turns: 0, stop_after: order.stop_after };
        let (told, unseen) = (BTreeSet::new(), BTreeMap::new());
        let mut watch = Listening { quiet, told, unseen, was_unseen_for_long: false };
        let work = async {
            let wishes = order.wishes.as_deref();
            if self.is_forgetful || wishes.is_some() {
                turn_by_turn(&world, &taps, &job, (wishes, self.is_forgetful), &mut watch).await
            } else {
                drive(&world, &job, &mut watch).await
            }
        };
        let ended = block_on(async {
            tokio::select! {
                biased;
                () = taps.died.notified() => None,
                ended = work => Some(ended),
            }
        });
        (self.told, self.was_unseen_for_long) = (watch.told, watch.was_unseen_for_long);
        self.wrong.append(&mut taps.wrong.lock().unwrap());
        self.was_decided = taps.decides.as_ref().is_some_and(|decides| *decides.made.lock().unwrap());
        if ended.is_none() {
            self.outlive(desired.blueprint.as_str());
        }
        (ended, taps.calls.into_inner(), taps.appends.into_inner())
    }

    /// Whoever died keeps the lease until somebody has watched it for its term.
    fn outlive(&self, blueprint: &str) {
        use rgctl_model::ports::Store;
        self.wall.advance(Span::from_mins(1));
        let scope = self.scope(blueprint);
        let Some(lease) = block_on(self.store.lease(&scope)).unwrap() else { return };
        let (next, now) = (RunId("heir".into()), self.wall.now());
        let taken = self.store.take_lease(&scope, &next, "heir", now, lease.lasts, Some(&lease));
        block_on(self.store.release_lease(&block_on(taken).unwrap())).unwrap();
    }

    pub fn look(&self, desired: &Desired) -> Inventory {
        let clock = self.cloud.clock();
        let world = Environment { cloud: &self.cloud, clock: &clock, wall: &self.wall, store: &self.store };
        let selection = selection_of(desired, &NO_CLAIMS);
        block_on(observe(&world, Sight { selection: &selection, held_out: NONE_HELD_OUT })).unwrap()
    }

    /// Whose record a blueprint's is in this world.
    pub fn scope(&self, blueprint: &str) -> Scope {
        let home = block_on(self.cloud.home(None)).unwrap();
        Scope::new(home, rgctl_schema::names::BlueprintName::new(blueprint).unwrap())
    }

    pub fn plan(&self, desired: &Desired) -> Plan {
        crate::fixtures::plan_for(desired, &self.look(desired), &Policy::default())
    }

    /// The plan that a person is shown who gives that order.
    pub fn plan_under(&self, desired: &Desired, order: &Order) -> Plan {
        let (inventory, claims) = (self.look(desired), self.claims(desired.blueprint.as_str()));
        let verdicts = planning::verdicts(desired, order.figures());
        let held_out = self.held_out(&desired.blueprint);
        let asked = PlanInput {
            held_out: &held_out,
            figures: order.figures(),
            now: self.cloud.clock().now(),
            destroy: order.destroy,
            claims: &claims,
            verdicts: &verdicts,
            ..crate::fixtures::ask(desired, &inventory, &order.policy)
        };
        planning::plan(&asked)
    }

    pub fn events(&self) -> Vec<Event> {
        use rgctl_model::ports::Store;
        let entries = block_on(self.store.entries(&self.scope("game"), 0)).unwrap();
        entries.into_iter().map(|entry| entry.what).collect()
    }

    /// Creates that took effect, by object: more than one of an object that was not deleted in between is a double.
    pub fn creates(&self) -> Vec<String> {
        let calls = self.cloud.calls();
        let applied = calls.iter().filter(|call| call.applied && matches!(call.op, Op::Create { .. }));
        let mut creates: Vec<String> = applied.map(|call| call.op.address().to_string()).collect();
        creates.sort();
        creates
    }

    pub fn assert_settled(&self, desired: &Desired) {
        let plan = self.plan(desired);
        assert!(plan.is_empty() && plan.waiting.is_empty(), "{:#?} {:#?}", lines(&plan), plan.waiting);
        assert_eq!(self.cloud.violations(), [], "a promise was broken");
        assert_eq!(self.wrong, Vec::<String>::new(), "a decision was not obeyed");
    }
}

/// A store with a cache and a group that it needs.
pub fn cache_store(store: &str, code: &str, shards: u32) -> Vec<rgctl_model::node::Node> {
    let name = format!("game-{store}");
    let subnets = address(code, KindId::CacheSubnetGroup, &name);
    let group = address(code, KindId::CacheGroup, &name);
    vec![
        node(
            subnets.clone(),
            store,
            &[("description", json!("game")), ("subnets", json!(["subnet-a", "subnet-b"]))],
            &[],
        ),
        node(
            group,
            store,
            &[
                ("engine", json!("valkey")),
                ("engine_version", json!("8.0")),
                ("node_type", json!("cache.r7g.large")),
                ("shards", json!(shards)),
                ("replicas_per_shard", json!(1)),
                ("cluster_mode", json!("enabled")),
                ("automatic_failover", json!(true)),
                ("multi_az", json!(true)),
                ("transit_encryption", json!(true)),
                ("at_rest_encryption", json!(true)),
                ("subnet_group", json!(name)),
            ],
            &[&subnets],
        ),
    ]
}
