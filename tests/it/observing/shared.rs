//! The shared observer over the embedded cloud: what it shows, what it costs, and what one region's silence costs others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use rgctl::agent::observer::{Intervals, Observer};
use rgctl_engine::execution::drive::{Environment, drive};
use rgctl_engine::execution::turn::Pace;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::{Op, Verb};
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Cloud, CloudError, Permit, Receipt};
use rgctl_model::scope::Home;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_model::sweep::{Sieve, SightDigest, Swept};
use rgctl_schema::names::{BlueprintName, Name, RegionId, RunId, Token};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, GENESIS, Rule, SimCloud};
use rgctl_testkit::fixtures::{cluster_store, desired};
use rgctl_testkit::site::{Quiet, Site, applying, cache_store};
use serde_json::json;
use tokio::sync::Notify;

use super::{Viewer, game, regions, selection};
use crate::sim::{OTHER, REGION, attrs, cluster_fields, in_region, member_fields};

/// The embedded cloud, counting looks; one region may take them and never answer.
pub struct Counting {
    pub cloud: SimCloud,
    looks: Mutex<BTreeMap<RegionId, u32>>,
    silent: Mutex<BTreeSet<RegionId>>,
    /// How many objects each narrow look was for.
    glances: Mutex<Vec<usize>>,
    /// What looks wait for.
    pub gate: Mutex<Option<Arc<Notify>>>,
}

impl Counting {
    pub fn new(cloud: &SimCloud) -> Arc<Self> {
        Arc::new(Self {
            cloud: cloud.clone(),
            looks: Mutex::default(),
            silent: Mutex::default(),
            glances: Mutex::default(),
            gate: Mutex::default(),
        })
    }
    fn count(&self, wanted: &Selection) -> bool {
        for region in &wanted.regions {
            let mut looks = self.looks.lock().unwrap();
            let count = looks.entry(region.clone()).or_default();
            *count += 1;
            assert!(*count < 1_000, "{region} is looked at again and again");
        }
        let silent = self.silent.lock().unwrap();
        wanted.regions.iter().any(|region| silent.contains(region))
    }
    /// Looks made so far, in each region in order.
    pub fn looks(&self) -> Vec<u32> {
        self.looks.lock().unwrap().values().copied().collect()
    }
    fn silence(&self, code: &str) {
        self.silent.lock().unwrap().extend(regions(&[code]));
    }
}

impl Cloud for Counting {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        self.cloud.home(near)
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        let is_silent = self.count(wanted);
        if is_silent { std::future::pending().boxed() } else { self.cloud.observe(wanted) }
    }
    fn sweep<'a>(
        &'a self,
        wanted: &'a Selection,
        sieve: &'a mut dyn Sieve,
    ) -> BoxFuture<'a, Result<Swept, CloudError>> {
        let is_silent = self.count(wanted);
        let gate = self.gate.lock().unwrap().clone();
        async move {
            if is_silent {
                std::future::pending::<()>().await;
            }
            if let Some(gate) = gate {
                gate.notified().await;
            }
            self.cloud.sweep(wanted, sieve).await
        }
        .boxed()
    }
    fn glance<'a>(
        &'a self,
        objects: &'a BTreeSet<Address>,
    ) -> BoxFuture<'a, Result<SightDigest, CloudError>> {
        self.glances.lock().unwrap().push(objects.len());
        self.cloud.glance(objects)
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        self.cloud.call(op, token, permit)
    }
    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        self.cloud.series(asks)
    }
}

/// The deadline of these tests. Their time is tokio's own, which passes at once when all wait.
const DEADLINE: Duration = Duration::from_secs(90);

pub fn observing(cloud: &Arc<Counting>) -> Arc<Observer> {
    let clock = Arc::new(cloud.cloud.clock());
    Observer::with_deadline(Arc::clone(cloud) as Arc<dyn Cloud>, clock, Intervals::default(), DEADLINE)
}

/// What is new for whom by now.
fn news(observer: &Observer) -> BTreeSet<BlueprintName> {
    observer.news().now_or_never().unwrap_or_default()
}

pub fn world() -> SimCloud {
    SimCloud::in_memory(5, GENESIS)
}

fn creation(owner: &str, code: &str, name: &str) -> Op {
    let address = in_region(code, KindId::AuroraCluster, name);
    let tags = BTreeMap::from([("rgctl:blueprint".to_owned(), owner.to_owned())]);
    Op::Create { attrs: attrs(address.kind, &cluster_fields()), address, tags }
}

pub async fn make(cloud: &dyn Cloud, world: &SimCloud, owner: &str, code: &str, name: &str) {
    cloud
        .call(&creation(owner, code, name), &Token(format!("{code}-{name}")), &Permit::always())
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    world.advance(Span::from_hours(1)).unwrap();
}

pub fn plain(owner: &str) -> Viewer {
    (game(owner), BTreeSet::new())
}

pub fn names(seen: &Inventory) -> Vec<String> {
    seen.seen.keys().map(|address| format!("{}/{}", address.region, address.name)).collect()
}

fn lose(world: &SimCloud, code: &str) -> u64 {
    let region = RegionId::new(code).unwrap();
    let rule = Rule::always(Fault::RegionLoss, GENESIS, GENESIS + Span::from_days(400)).in_region(region);
    world.with_world(|world| world.add_fault(rule)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_blueprints_that_look_at_once_cost_one_look_at_each_region() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let all: Vec<Viewer> = (0..1_000).map(|number| plain(&format!("game{number}"))).collect();
    for (owner, _) in all.iter().step_by(100) {
        let name = format!("{owner}-players");
        make(&*cloud, &world, owner.as_str(), REGION, &name).await;
    }
    let both = regions(&[REGION, OTHER]);
    for (owner, named) in &all {
        observer.watch(owner, &both, named);
    }
    let turns = all.iter().map(|viewer| {
        let (cloud, wanted) = (observer.cloud_for(&viewer.0), selection(viewer, &both));
        async move { cloud.observe(&wanted).await.unwrap() }
    });
    let seen = join_all(turns).await;
    assert_eq!(cloud.looks(), [1, 1], "as one blueprint alone");
    let shown: Vec<usize> = seen.iter().map(|one| one.seen.len()).collect();
    assert_eq!(shown.iter().sum::<usize>(), 10);
    assert!(shown.iter().step_by(100).all(|count| *count == 1));

    // A quiet round: nobody is told anything, and nothing is kept.
    news(&observer);
    world.advance(Span::from_mins(6)).unwrap();
    observer.look_where_due().await;
    assert_eq!(cloud.looks(), [2, 2]);
    assert_eq!(news(&observer), BTreeSet::new());
    assert!(observer.figures().values().all(|region| region.kept == 0), "{:?}", observer.figures());
}

#[tokio::test(start_paused = true)]
async fn who_has_called_is_shown_a_later_look_and_nobody_else_waits_for_one() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let both = regions(&[REGION, OTHER]);
    let (one, other) = (plain("one"), plain("other"));
    for viewer in [&one, &other] {
        observer.watch(&viewer.0, &both, &viewer.1);
        observer.set_in_motion(&viewer.0, true);
    }
    observer.look_where_due().await;
    assert_eq!(cloud.looks(), [1, 1]);
    let (ones, others) = (observer.cloud_for(&one.0), observer.cloud_for(&other.0));
    let made = ones.call(&creation("one", REGION, "one-a"), &Token("t".into()), &Permit::always()).await;
    made.unwrap();
    assert_eq!(names(&others.observe(&selection(&other, &both)).await.unwrap()), [""; 0]);
    assert_eq!(cloud.looks(), [1, 1], "the other is shown what there is");
    world.advance(Span::from_secs(8)).unwrap();
    let seen = ones.observe(&selection(&one, &both)).await.unwrap();
    assert_eq!(names(&seen), ["us-east-1/one-a"]);
    assert_eq!(cloud.looks(), [2, 1], "only the region of the call is looked at again");
    let [early, late] = [OTHER, REGION].map(|code| seen.taken_for(&in_region(code, KindId::CacheUser, "x")));
    assert_eq!((early, late), (GENESIS, GENESIS + Span::from_secs(8)));
    assert_eq!(seen.taken, early, "as a whole it is as old as its oldest part");
}

#[tokio::test(start_paused = true)]
async fn a_look_under_way_is_not_shown_to_who_called_in_the_meantime() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let (one, other, here) = (plain("one"), plain("other"), regions(&[REGION]));
    for viewer in [&one, &other] {
        observer.watch(&viewer.0, &here, &viewer.1);
    }
    let gate = Arc::new(Notify::new());
    *cloud.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let mut looking = std::pin::pin!(observer.look_where_due());
    assert!(futures::poll!(&mut looking).is_pending());
    let port = observer.cloud_for(&one.0);
    port.call(&creation("one", REGION, "one-a"), &Token("t".into()), &Permit::always()).await.unwrap();
    *cloud.gate.lock().unwrap() = None;
    gate.notify_one();
    looking.await;
    observer.cloud_for(&other.0).observe(&selection(&other, &here)).await.unwrap();
    assert_eq!(cloud.looks(), [1]);
    port.observe(&selection(&one, &here)).await.unwrap();
    assert_eq!(cloud.looks(), [2], "it may have passed the place before the call was made");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_never_answers_costs_its_deadline_once_and_nothing_elsewhere() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let (spanning, elsewhere) = (plain("wide"), plain("game"));
    make(&*cloud, &world, "game", REGION, "game-a").await;
    make(&*cloud, &world, "wide", REGION, "wide-a").await;
    make(&*cloud, &world, "wide", OTHER, "wide-b").await;
    let (both, here) = (regions(&[REGION, OTHER]), regions(&[REGION]));
    let seen = observer.cloud_for(&spanning.0).observe(&selection(&spanning, &both)).await.unwrap();
    assert_eq!(names(&seen), ["us-east-1/wide-a", "us-west-2/wide-b"]);
    let then = seen.taken;

    cloud.silence(OTHER);
    world.advance(Span::from_hours(1)).unwrap();
    let began = tokio::time::Instant::now();
    let wide = async {
        let seen = observer.cloud_for(&spanning.0).observe(&selection(&spanning, &both)).await.unwrap();
        (seen, began.elapsed())
    };
    let near = async {
        let seen = observer.cloud_for(&elsewhere.0).observe(&selection(&elsewhere, &here)).await.unwrap();
        (seen, began.elapsed())
    };
    let ((wide, waited), (near, at_once)) = tokio::join!(wide, near);
    assert_eq!((names(&near), at_once), (vec!["us-east-1/game-a".to_owned()], Duration::ZERO));
    assert_eq!((names(&wide), waited), (vec!["us-east-1/wide-a".to_owned()], DEADLINE));
    let lost = in_region(OTHER, KindId::AuroraCluster, "wide-b");
    assert!(!wide.is_complete_for(&lost) && wide.gaps.iter().all(|gap| gap.region.as_str() == OTHER));
    assert!(wide.gaps.iter().all(|gap| gap.why.contains(&format!("last seen at {then}"))), "{:?}", wide.gaps);
    assert_eq!(wide.taken_for(&lost), then, "what was seen is as old as the last good look");
    let here = in_region(REGION, KindId::AuroraCluster, "wide-a");
    assert_eq!(wide.taken, wide.taken_for(&here), "which makes the rest no older");

    // Until it is due again nobody waits for it, and nobody asks it.
    let looks = cloud.looks();
    world.advance(Span::from_secs(5)).unwrap();
    let again = observer.cloud_for(&spanning.0).observe(&selection(&spanning, &both)).await.unwrap();
    assert_eq!((again.gaps.len(), began.elapsed()), (wide.gaps.len(), DEADLINE));
    assert_eq!(cloud.looks().last(), looks.last());

    // While it is asked again, nobody waits for that either.
    world.advance(Span::from_mins(2)).unwrap();
    let asking = observer.look_where_due();
    let turn = async {
        tokio::task::yield_now().await;
        observer.cloud_for(&spanning.0).observe(&selection(&spanning, &both)).await.unwrap();
        began.elapsed()
    };
    let ((), waited) = tokio::join!(asking, turn);
    assert_eq!(waited, DEADLINE);
    assert_eq!(cloud.looks().last(), looks.last().map(|count| count + 1).as_ref());

    cloud.silent.lock().unwrap().clear();
    world.advance(Span::from_mins(2)).unwrap();
    let healed = observer.cloud_for(&spanning.0).observe(&selection(&spanning, &both)).await.unwrap();
    assert_eq!((names(&healed), healed.gaps), (names(&seen), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn regions_are_kept_in_sight_although_one_of_them_never_answers() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    cloud.silence(OTHER);
    observer.watch(&game("wide"), &regions(&[REGION, OTHER]), &BTreeSet::new());
    observer.set_in_motion(&game("wide"), true);
    let until = async {
        // The silent look holds the time of the deadline; meanwhile the other region is looked at again and again.
        let clock = world.clock();
        rgctl_model::ports::Clock::sleep_until(&clock, GENESIS + Span::from_hours(1)).await;
    };
    tokio::select! {
        () = observer.keep_looking() => {}
        () = until => {}
    }
    let figures = observer.figures();
    let here = figures[&RegionId::new(REGION).unwrap()];
    assert!(here.looks > 50 && here.failed == 0, "{here:?}");
    assert_eq!(figures[&RegionId::new(OTHER).unwrap()].looks, 0, "its first look has not ended yet");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_nobody_polls_any_more_is_begun_anew_by_those_who_wait() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    make(&*cloud, &world, "game", REGION, "game-a").await;
    let (viewer, here) = (plain("game"), regions(&[REGION]));
    cloud.silence(REGION);
    let (port, wanted) = (observer.cloud_for(&viewer.0), selection(&viewer, &here));
    let mut first = port.observe(&wanted);
    assert!(futures::poll!(&mut first).is_pending());
    let mut second = port.observe(&wanted);
    assert!(futures::poll!(&mut second).is_pending());
    cloud.silent.lock().unwrap().clear();
    drop(first);
    assert_eq!(names(&second.await.unwrap()), ["us-east-1/game-a"]);
    assert_eq!(cloud.looks(), [2]);
}

#[tokio::test(start_paused = true)]
async fn news_go_to_those_whose_objects_changed_and_to_all_when_a_region_is_lost_or_found() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let (one, other) = (plain("one"), plain("other"));
    let (both, here) = (regions(&[REGION, OTHER]), regions(&[REGION]));
    observer.watch(&one.0, &both, &one.1);
    observer.watch(&other.0, &here, &other.1);
    let round = async || {
        world.advance(Span::from_mins(7)).unwrap();
        observer.look_where_due().await;
        news(&observer)
    };
    assert_eq!(round().await, BTreeSet::from([one.0.clone(), other.0.clone()]));
    assert_eq!(round().await, BTreeSet::new());

    make(&*cloud, &world, "one", REGION, "one-a").await;
    assert_eq!(round().await, BTreeSet::from([one.0.clone()]));
    let change = attrs(KindId::AuroraCluster, &json!({ "backup_retention_days": 9 }));
    let modify = Op::Modify {
        address: in_region(REGION, KindId::AuroraCluster, "one-a"),
        changes: vec![],
        attrs: change,
    };
    cloud.call(&modify, &Token("m".into()), &Permit::always()).await.unwrap();
    world.advance(Span::from_hours(1)).unwrap();
    assert_eq!(round().await, BTreeSet::from([one.0.clone()]), "one field");

    let fault = lose(&world, OTHER);
    assert_eq!(round().await, BTreeSet::from([one.0.clone()]), "who looks there");
    assert_eq!(round().await, BTreeSet::new(), "it is told once");
    world.with_world(|world| world.clear_faults(Some(fault))).unwrap();
    assert_eq!(round().await, BTreeSet::from([one.0.clone()]), "and when it is there again");
    assert_eq!(round().await, BTreeSet::new(), "it is as it was");
}

#[tokio::test(start_paused = true)]
async fn objects_are_kept_for_those_in_motion_and_dropped_when_they_rest_or_look_no_more() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let (viewer, here) = (plain("game"), regions(&[REGION]));
    make(&*cloud, &world, "game", REGION, "game-a").await;
    observer.watch(&viewer.0, &here, &viewer.1);
    let kept = || observer.figures()[&RegionId::new(REGION).unwrap()].kept;
    let look = async || observer.cloud_for(&viewer.0).observe(&selection(&viewer, &here)).await.unwrap();
    look().await;
    assert_eq!(kept(), 0, "it was handed over");
    observer.set_in_motion(&viewer.0, true);
    assert_eq!(observer.due_at(), Some(world.with_world(|world| world.now()).unwrap() + Span::from_secs(10)));
    world.advance(Span::from_mins(1)).unwrap();
    observer.look_where_due().await;
    assert_eq!(kept(), 1);
    look().await;
    assert_eq!(cloud.looks(), [2], "a turn is shown the look that was made");
    world.advance(Span::from_mins(1)).unwrap();
    observer.look_where_due().await;
    observer.set_in_motion(&viewer.0, false);
    assert_eq!(kept(), 0);
    observer.forget(&viewer.0);
    assert_eq!(observer.due_at(), None, "nobody looks anywhere");
}

#[tokio::test(start_paused = true)]
async fn looks_follow_what_moves_and_become_rare_when_it_rests() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    observer.watch(&game("game"), &regions(&[REGION]), &BTreeSet::new());
    observer.set_in_motion(&game("game"), true);
    let now = || world.with_world(|world| world.now()).unwrap();
    let mut pauses = Vec::new();
    for look in 0..8 {
        if look == 5 {
            observer.set_in_motion(&game("game"), false);
        }
        observer.look_where_due().await;
        let due = observer.due_at().unwrap();
        pauses.push(due.since(now()).as_secs());
        world.advance(due.since(now())).unwrap();
    }
    let wanted = [10, 20, 40, 60, 60, 300, 300, 300];
    for (pause, wanted) in pauses.iter().zip(wanted) {
        assert!(wanted * 9 / 10 <= *pause && *pause <= wanted * 11 / 10, "{pauses:?} for {wanted:?}");
    }
    assert_ne!(pauses[6], pauses[7], "not all processes look at the same moment");
}

#[tokio::test(start_paused = true)]
async fn while_a_role_moves_it_is_followed_by_name_and_a_change_makes_the_whole_look_due() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let (viewer, here) = (plain("game"), regions(&[REGION]));
    let cluster = in_region(REGION, KindId::AuroraCluster, "game-a");
    make(&*cloud, &world, "game", REGION, "game-a").await;
    for (name, tier) in [("game-a-1", 0), ("game-a-2", 1)] {
        let address = in_region(REGION, KindId::AuroraInstance, name);
        let attrs = attrs(address.kind, &member_fields("game-a", tier));
        let create = Op::Create { address, attrs, tags: BTreeMap::new() };
        cloud.call(&create, &Token(name.to_owned()), &Permit::always()).await.unwrap();
        world.advance(Span::from_hours(1)).unwrap();
    }
    observer.watch(&viewer.0, &here, &viewer.1);
    observer.set_in_motion(&viewer.0, true);
    observer.look_where_due().await;
    let failover =
        Op::Act { address: cluster, verb: Verb::Failover { to: Some(Name::new("game-a-2").unwrap()) } };
    let port = observer.cloud_for(&viewer.0);
    port.call(&failover, &Token("f".into()), &Permit::always()).await.unwrap();
    let looks = cloud.looks();
    let mut glances = 0;
    while cloud.looks() == looks {
        world.advance(Span::from_secs(3)).unwrap();
        observer.look_where_due().await;
        glances += 1;
        assert!(glances < 100, "the change was never seen");
    }
    let told = cloud.glances.lock().unwrap().clone();
    let seen = port.observe(&selection(&viewer, &here)).await;
    assert!(told.iter().all(|objects| *objects <= 4) && told.len() > 1, "{told:?}");
    assert!(!seen.unwrap().seen.is_empty());
    observer.set_in_motion(&viewer.0, false);
    world.advance(Span::from_secs(3)).unwrap();
    observer.look_where_due().await;
    assert_eq!(cloud.glances.lock().unwrap().len(), told.len(), "nothing moves any more");
}

#[test]
fn a_run_that_looks_through_the_shared_observer_makes_the_same_calls() {
    let stores = [cluster_store("accounts", REGION, 2, "db.r7g.large"), cache_store("rank", REGION, 2)];
    let wanted = desired(stores.concat());
    let run = |shared: bool| {
        let site = Site::new(9);
        let clock = site.cloud.clock();
        let observer =
            Observer::new(Arc::new(site.cloud.clone()), Arc::new(site.cloud.clock()), Intervals::default());
        let port = observer.cloud_for(&wanted.blueprint);
        let cloud: &dyn Cloud = if shared { &port } else { &site.cloud };
        let environment = Environment { cloud, clock: &clock, wall: &site.wall, store: &site.store };
        let (run, policy, pace) = (RunId("run".to_owned()), Policy::default(), Pace::default());
        let job = applying(&wanted, &run, &policy, &pace);
        let mut quiet = Quiet { turns: 0, stop_after: None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let ended = runtime.block_on(drive(&environment, &job, &mut quiet)).unwrap();
        site.assert_settled(&wanted);
        let calls = site.cloud.calls().into_iter().map(|call| (call.at, call.op, call.token));
        (ended.outcome, ended.at, calls.collect::<Vec<(Moment, Op, Token)>>())
    };
    assert_eq!(run(true), run(false));
}

/// Objects that bear the tag of a blueprint and the name of nobody: its claims name them.
pub fn claimed(whole: &Inventory, viewer: &Viewer) -> Viewer {
    let tagged = whole.seen.iter().filter(|(_, seen)| seen.owner() == Some(viewer.0.as_str()));
    let named: BTreeSet<Address> = tagged.map(|(address, _)| address.clone()).collect();
    (viewer.0.clone(), viewer.1.union(&named).cloned().collect())
}
