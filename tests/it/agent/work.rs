//! The loop of an agent, with virtual time: what it does when nothing happens, and what a daemon meets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl::agent::health::Health;
use rgctl::agent::metrics::Metrics;
use rgctl::agent::queue::{Limits, Next};
use rgctl::agent::work::{
    Agent, Asked, Command, Condition, Done, Ended, Key, News, Order, Organ, Rhythm, Sight,
};
use rgctl_model::ports::Clock;
use rgctl_schema::time::{Moment, Span};
use tokio::sync::mpsc;

const START: Moment = Moment::from_secs(1_800_000_000);

/// Time of the paused runtime; the time of day can be set.
#[derive(Clone)]
pub struct Hands {
    began: tokio::time::Instant,
    set_ms: Arc<Mutex<i64>>,
}

impl Hands {
    fn new() -> Self {
        Self { began: tokio::time::Instant::now(), set_ms: Arc::default() }
    }
    pub fn set(&self, seconds: i64) {
        *self.set_ms.lock().unwrap() += seconds * 1_000;
    }
}

impl Clock for Hands {
    fn now(&self) -> Moment {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        Moment::from_millis(START.as_millis() + passed + *self.set_ms.lock().unwrap())
    }
    fn since_boot(&self) -> Span {
        Span::from_millis(u64::try_from(self.began.elapsed().as_millis()).unwrap() + 1_000_000)
    }
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        let wait = at.since(self.now());
        async move { tokio::time::sleep(Duration::from_millis(wait.as_millis())).await }.boxed()
    }
}

/// What is wanted of the stand-in.
#[derive(Default)]
pub struct Script {
    /// What the next look finds changed.
    pub changed: BTreeSet<String>,
    pub orders: Vec<Order>,
    /// Why the store does not answer.
    pub store: Option<String>,
    pub cloud: Option<String>,
    looks: u64,
    failed_in_a_row: u32,
    /// Keys with a run that stays open, with the turns that it still needs.
    pub open: BTreeMap<String, u32>,
    pub turns: Vec<(String, Asked, Moment)>,
    pub forgotten: Vec<String>,
    /// Turns that are to close a run and leave it open, since a call has not been heard of.
    pub unclear: BTreeMap<String, u32>,
    /// Whether looks can be called for, and by whom they were, in haste or not.
    pub is_called: bool,
    pub called: Vec<(String, bool)>,
    /// Times that the clock is said to have been set.
    pub clock_was_set: u32,
    running: BTreeSet<String>,
}

struct Stand {
    clock: Hands,
    looked: tokio::sync::Notify,
    script: Arc<Mutex<Script>>,
}

impl Organ for Stand {
    fn prepare(&self, _: &Key) {}

    fn keep_looking(&self) -> BoxFuture<'_, ()> {
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                {
                    let mut script = self.script.lock().unwrap();
                    script.looks += 1;
                    script.failed_in_a_row =
                        if script.cloud.is_some() { script.failed_in_a_row + 1 } else { 0 };
                }
                self.looked.notify_one();
                tokio::time::sleep(Duration::from_mins(5)).await;
            }
        }
        .boxed()
    }

    fn changed(&self) -> BoxFuture<'_, Vec<Key>> {
        async move {
            loop {
                self.looked.notified().await;
                let changed = std::mem::take(&mut self.script.lock().unwrap().changed);
                if !changed.is_empty() {
                    return changed.into_iter().map(Key::from).collect();
                }
            }
        }
        .boxed()
    }

    fn clock_was_set(&self) {
        self.script.lock().unwrap().clock_was_set += 1;
    }

    fn sights(&self) -> Vec<Sight> {
        let script = self.script.lock().unwrap();
        let (looks, failed_in_a_row) = (script.looks, script.failed_in_a_row);
        vec![Sight {
            account: "one".to_owned(),
            region: "here".to_owned(),
            looks,
            failed_in_a_row,
            ..Sight::default()
        }]
    }

    fn keep_open(&self) -> BoxFuture<'_, ()> {
        futures::future::pending().boxed()
    }

    fn call_for_look(&self, key: &Key, haste: bool) -> bool {
        let mut script = self.script.lock().unwrap();
        script.called.push((key.to_string(), haste));
        script.is_called
    }

    fn turn(&self, key: Key, asked: Asked) -> BoxFuture<'_, Done> {
        async move {
            {
                let mut script = self.script.lock().unwrap();
                script.turns.push((key.to_string(), asked, self.clock.now()));
                assert!(script.running.insert(key.to_string()), "two turns of {key} at once");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            let mut script = self.script.lock().unwrap();
            script.running.remove(&*key);
            let mut done = Done {
                next: Next::Rest,
                condition: Condition::Ready,
                why: String::new(),
                is_open: false,
                differing: 0,
                deletions_held: 0,
                store: Some(Ok(())),
                throttled: None,
                unseen: None,
            };
            if let Some(why) = script.store.clone() {
                (done.next, done.condition, done.store) = (Next::Failed, Condition::Failed, Some(Err(why)));
                return done;
            }
            let is_unclear = asked.stopping
                && script.unclear.get_mut(&*key).is_some_and(|left| {
                    *left = left.saturating_sub(1);
                    *left > 0
                });
            if let Some(left) = script.open.get_mut(&*key) {
                *left = if asked.stopping && !is_unclear { 0 } else { left.saturating_sub(1) };
                if *left == 0 {
                    script.open.remove(&*key);
                } else {
                    (done.is_open, done.condition) = (true, Condition::Progressing);
                    done.next = Next::At(self.clock.now() + Span::from_secs(10));
                }
            }
            done
        }
        .boxed()
    }

    fn orders(&self) -> BoxFuture<'_, Result<Vec<Order>, String>> {
        let mut script = self.script.lock().unwrap();
        let answer = match &script.store {
            Some(why) => Err(why.clone()),
            None => Ok(std::mem::take(&mut script.orders)),
        };
        async move { answer }.boxed()
    }

    fn forget(&self, key: &Key) {
        self.script.lock().unwrap().forgotten.push(key.to_string());
    }
}

/// A scene: what happens when, while the loop goes round.
pub struct Scene {
    pub script: Arc<Mutex<Script>>,
    news: mpsc::Sender<News>,
    pub clock: Hands,
    health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
}

impl Scene {
    /// Time passes; the files are read as ever.
    pub async fn wait(&self, seconds: u64) {
        let mut left = seconds;
        while left > 0 {
            let bit = left.min(60);
            tokio::time::sleep(Duration::from_secs(bit)).await;
            // After its end nobody hears it.
            let _ = self.news.send(News::Read(Ok(0))).await;
            left -= bit;
        }
    }
    pub async fn tell(&self, news: News) {
        self.news.send(news).await.unwrap();
    }
    pub async fn with(&self, keys: &[&str]) {
        for key in keys {
            self.tell(News::Changed { key: Key::from(*key), account: "one".to_owned() }).await;
        }
        self.tell(News::Read(Ok(0))).await;
    }
    pub fn order(&self, key: Option<&str>, what: Command) {
        let order = Order { key: key.map(Key::from), what, from: "ann".to_owned() };
        self.script.lock().unwrap().orders.push(order);
    }
    /// Turns since the last question.
    pub fn turns(&self) -> Vec<String> {
        let turns = std::mem::take(&mut self.script.lock().unwrap().turns);
        turns
            .into_iter()
            .map(|(key, asked, _)| if asked.stopping { format!("{key} stops") } else { key })
            .collect()
    }
    fn lives(&self) -> String {
        self.health.lives(&self.clock).reasons.join("; ")
    }
    fn ready(&self) -> String {
        self.health.ready(&self.clock).reasons.join("; ")
    }
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Plays a scene beside the loop, in paused time, until both have ended.
pub fn play<F: Future<Output = ()>>(scene: impl FnOnce(Arc<Scene>) -> F) -> Ended {
    play_in(Rhythm::default(), scene)
}

pub fn play_in<F: Future<Output = ()>>(rhythm: Rhythm, scene: impl FnOnce(Arc<Scene>) -> F) -> Ended {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (clock, script) = (Hands::new(), Arc::new(Mutex::new(Script::default())));
        let (news, heard) = mpsc::channel(1_000);
        let (health, metrics) = (Arc::new(Health::new(&clock)), Arc::new(Metrics::new("0")));
        let stop = Arc::new(AtomicBool::new(false));
        let stand =
            Stand { clock: clock.clone(), looked: tokio::sync::Notify::new(), script: Arc::clone(&script) };
        let stopping = || stop.load(Ordering::Relaxed);
        let agent = Agent {
            organ: &stand,
            clock: &clock,
            wall: &clock,
            health: &health,
            metrics: &metrics,
            stopping: &stopping,
            limits: Limits::default(),
            rhythm,
        };
        let scene = scene(Arc::new(Scene {
            script,
            news,
            clock: clock.clone(),
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            stop: Arc::clone(&stop),
        }));
        let day = Duration::from_hours(24);
        let both = async { tokio::join!(agent.run(heard), scene).0 };
        tokio::time::timeout(day, both).await.expect("it ends within a day")
    })
}

#[test]
fn ten_thousand_blueprints_are_judged_once_and_then_nobody_has_a_turn_for_an_hour() {
    let ended = play(|scene| async move {
        for number in 0..10_000 {
            let account = format!("account-{}", number % 3);
            scene.tell(News::Changed { key: Key::from(format!("b{number}").as_str()), account }).await;
        }
        scene.tell(News::Read(Ok(0))).await;
        scene.wait(60).await;
        assert_eq!(scene.turns().len(), 10_000);
        scene.wait(3_600).await;
        assert_eq!(scene.turns(), [""; 0]);
        let text = scene.metrics.text();
        assert!(text.contains("rgctl_blueprints{condition=\"ready\"} 10000"), "{text}");
        assert!(text.lines().count() < 120, "no name of a blueprint is in\n{text}");
        scene.stop();
    });
    assert_eq!(ended.turns, 10_000);
    assert_eq!(ended.conditions, BTreeMap::from([(Condition::Ready, 10_000)]));
}

#[test]
fn what_looks_different_has_a_turn_and_nothing_else() {
    play(|scene| async move {
        scene.with(&["a", "b", "c"]).await;
        scene.wait(30).await;
        scene.turns();
        scene.script.lock().unwrap().changed.insert("b".to_owned());
        scene.wait(330).await;
        assert_eq!(scene.turns(), ["b"]);
        scene.stop();
    });
}

#[test]
fn a_store_that_is_away_for_minutes_is_asked_less_and_less_said_in_health_and_used_again() {
    play(|scene| async move {
        scene.with(&["a"]).await;
        scene.wait(30).await;
        scene.turns();
        scene.script.lock().unwrap().store = Some("503 SlowDown".to_owned());
        scene.order(None, Command::Reconcile);
        scene.script.lock().unwrap().changed.insert("a".to_owned());
        scene.wait(240).await;
        assert!(scene.ready().contains("the store does not answer: 503 SlowDown"), "{}", scene.ready());
        assert_eq!(scene.lives(), "", "it is borne for some minutes");
        scene.wait(240).await;
        assert!(scene.lives().contains("the store did not answer for 8m"), "{}", scene.lives());
        let tries = scene.turns().len();
        assert!((3..=12).contains(&tries), "{tries} tries in eight minutes");
        scene.script.lock().unwrap().store = None;
        scene.wait(600).await;
        assert_eq!((scene.lives(), scene.ready()), (String::new(), String::new()));
        assert!(!scene.turns().is_empty());
        assert!(scene.metrics.text().contains("rgctl_blueprints{condition=\"ready\"} 1"));
        scene.stop();
    });
}

#[test]
fn a_cloud_that_cannot_be_looked_at_is_said_and_makes_nobody_start_anew() {
    play(|scene| async move {
        scene.script.lock().unwrap().cloud = Some("the file is damaged".to_owned());
        scene.with(&["a"]).await;
        scene.wait(600).await;
        assert!(scene.ready().contains("here cannot be seen"), "{}", scene.ready());
        assert_eq!(scene.lives(), "", "starting it anew would mend nothing");
        scene.script.lock().unwrap().cloud = None;
        scene.wait(301).await;
        assert_eq!(scene.ready(), "");
        scene.stop();
    });
}

#[test]
fn a_blueprint_whose_file_goes_closes_its_run_and_is_let_rest() {
    play(|scene| async move {
        scene.script.lock().unwrap().open.insert("a".to_owned(), 1_000);
        scene.with(&["a", "b"]).await;
        scene.wait(30).await;
        scene.turns();
        scene.tell(News::Rests { key: Key::from("a") }).await;
        scene.wait(30).await;
        assert_eq!(scene.turns(), ["a stops"]);
        assert_eq!(scene.script.lock().unwrap().forgotten, ["a"]);
        scene.script.lock().unwrap().changed.insert("a".to_owned());
        scene.wait(600).await;
        assert_eq!(scene.turns(), [""; 0]);
        scene.with(&["a"]).await;
        scene.wait(10).await;
        assert_eq!(scene.turns(), ["a"], "it came back");
        scene.stop();
    });
}

#[test]
fn a_stop_begins_nothing_and_closes_every_open_run() {
    let ended = play(|scene| async move {
        for key in ["a", "b", "c"] {
            scene.script.lock().unwrap().open.insert(key.to_owned(), 1_000);
        }
        scene.with(&["a", "b", "c", "d"]).await;
        scene.wait(61).await;
        scene.turns();
        scene.stop();
        scene.script.lock().unwrap().changed.insert("d".to_owned());
        scene.wait(60).await;
        let mut turns = scene.turns();
        turns.sort();
        assert_eq!(turns, ["a stops", "b stops", "c stops"]);
    });
    assert_eq!(ended.conditions, BTreeMap::from([(Condition::Ready, 4)]));
}

#[test]
fn a_clock_that_jumps_forward_and_back_puts_nothing_off_and_is_said() {
    play(|scene| async move {
        scene.script.lock().unwrap().open.insert("a".to_owned(), 1_000_000);
        scene.with(&["a"]).await;
        scene.wait(300).await;
        for hours in [26_i64, -50] {
            scene.turns();
            scene.clock.set(hours * 3_600);
            scene.wait(120).await;
            let told = scene.lives();
            let direction = if hours > 0 { "forward by 1d2h" } else { "back by 2d2h" };
            assert!(told.contains(&format!("the machine's clock was set {direction}")), "{told}");
            let turns = scene.turns().len();
            assert!((5..=30).contains(&turns), "{turns} turns in two minutes");
        }
        scene.wait(400).await;
        assert_eq!(scene.lives(), "");
        assert!(scene.metrics.text().contains("rgctl_clock_jumps_total 2"));
        assert_eq!(scene.script.lock().unwrap().clock_was_set, 2, "who looks is told");
        scene.stop();
    });
}
