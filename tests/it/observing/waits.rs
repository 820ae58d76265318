//! Turns that wait for a look while something else happens to their blueprint or to the clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl::agent::observer::{Intervals, Observer};
use rgctl_model::ports::{Clock, Cloud};
use rgctl_schema::names::RegionId;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::GENESIS;
use tokio::sync::Notify;

use super::shared::{Counting, make, names, observing, plain, world};
use super::{regions, selection};
use crate::sim::{OTHER, REGION};

#[tokio::test(start_paused = true)]
async fn a_text_that_changes_while_a_turn_waits_for_a_look_takes_nothing_from_that_turn() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let (viewer, both) = (plain("game"), regions(&[REGION, OTHER]));
    make(&*cloud, &world, "game", OTHER, "game-a").await;
    let gate = Arc::new(Notify::new());
    *cloud.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let (port, wanted) = (observer.cloud_for(&viewer.0), selection(&viewer, &both));
    let mut turn = port.observe(&wanted);
    assert!(futures::poll!(&mut turn).is_pending());
    // The new text has one of the regions only.
    observer.expect(&viewer.0, &regions(&[REGION]));
    *cloud.gate.lock().unwrap() = None;
    gate.notify_waiters();
    assert_eq!(names(&turn.await.unwrap()), ["us-west-2/game-a"]);
    assert_eq!(cloud.looks(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_nobody_looks_at_for_a_blueprint_any_more_is_shown_to_it_as_unseen_and_not_looked_at() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let (viewer, both) = (plain("game"), regions(&[REGION, OTHER]));
    make(&*cloud, &world, "game", REGION, "game-a").await;
    let gate = Arc::new(Notify::new());
    *cloud.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let (port, wanted) = (observer.cloud_for(&viewer.0), selection(&viewer, &both));
    let mut turn = port.observe(&wanted);
    assert!(futures::poll!(&mut turn).is_pending());
    observer.watch(&viewer.0, &regions(&[REGION]), &BTreeSet::new());
    *cloud.gate.lock().unwrap() = None;
    gate.notify_waiters();
    let seen = turn.await.unwrap();
    assert_eq!(names(&seen), ["us-east-1/game-a"]);
    assert!(!seen.gaps.is_empty() && seen.gaps.iter().all(|gap| gap.region.as_str() == OTHER), "{seen:?}");
    assert_eq!(cloud.looks(), [2, 1], "what it still looks at is looked at for what it looks at now");
    let kept: Vec<RegionId> = observer.figures().into_keys().collect();
    assert_eq!(kept, Vec::from_iter(regions(&[REGION])), "nobody looks there on");
}

#[tokio::test(start_paused = true)]
async fn what_is_new_during_a_turn_is_shown_to_it_or_told_after_it() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let (viewer, here) = (plain("game"), regions(&[REGION]));
    let news = || observer.news().now_or_never().map(|news| news.len());
    let look = async || {
        world.advance(Span::from_mins(7)).unwrap();
        observer.look_where_due().await;
    };
    observer.watch(&viewer.0, &here, &viewer.1);
    let turn = observer.turn_of(viewer.0.clone());
    look().await;
    assert_eq!(news(), None, "its turn is about to look");
    let (port, wanted) = (observer.cloud_for(&viewer.0), selection(&viewer, &here));
    port.observe(&wanted).await.unwrap();
    drop(turn);
    assert_eq!(news(), None, "it was shown that");
    let turn = observer.turn_of(viewer.0.clone());
    make(&*cloud, &world, "game", REGION, "game-a").await;
    look().await;
    assert_eq!(news(), None);
    drop(turn);
    assert_eq!(news(), Some(1), "it has ended without having been shown that");
}

/// A clock that is set back while a look is made.
struct SetBack(std::sync::Mutex<Moment>);

impl Clock for SetBack {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
    fn since_boot(&self) -> Span {
        Span::ZERO
    }
    fn sleep_until(&self, _: Moment) -> BoxFuture<'_, ()> {
        std::future::pending().boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_waits_while_the_clock_is_set_back_is_shown_the_next_look() {
    let world = world();
    let cloud = Counting::new(&world);
    let clock = Arc::new(SetBack(std::sync::Mutex::new(GENESIS)));
    let port = Arc::clone(&cloud) as Arc<dyn Cloud>;
    let observer = Observer::new(port, Arc::clone(&clock) as Arc<dyn Clock>, Intervals::default());
    let (viewer, here) = (plain("game"), regions(&[REGION]));
    let gate = Arc::new(Notify::new());
    *cloud.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let mut before = std::pin::pin!(observer.look_where_due());
    observer.watch(&viewer.0, &here, &viewer.1);
    assert!(futures::poll!(&mut before).is_pending());
    let later = GENESIS + Span::from_mins(1);
    *clock.0.lock().unwrap() = later;
    let (port, wanted) = (observer.cloud_for(&viewer.0).since(later), selection(&viewer, &here));
    let mut turn = port.observe(&wanted);
    assert!(futures::poll!(&mut turn).is_pending());
    *clock.0.lock().unwrap() = Moment::EPOCH;
    *cloud.gate.lock().unwrap() = None;
    gate.notify_waiters();
    before.await;
    turn.await.unwrap();
    assert_eq!(cloud.looks(), [2], "the one under way began too early, and the next one after the question");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_puts_no_look_off_and_makes_no_old_one_new() {
    let world = world();
    let cloud = Counting::new(&world);
    let now = GENESIS + Span::from_days(1);
    let clock = Arc::new(SetBack(std::sync::Mutex::new(now)));
    let port = Arc::clone(&cloud) as Arc<dyn Cloud>;
    let observer = Observer::new(port, Arc::clone(&clock) as Arc<dyn Clock>, Intervals::default());
    let (viewer, here) = (plain("game"), regions(&[REGION]));
    observer.watch(&viewer.0, &here, &viewer.1);
    observer.set_in_motion(&viewer.0, true);
    observer.look_where_due().await;
    assert_eq!(cloud.looks(), [1], "which is kept, since something is in motion");
    make(&*cloud, &world, "game", REGION, "game-a").await;
    *clock.0.lock().unwrap() = GENESIS;
    assert!(observer.due_at().unwrap() > GENESIS + Span::from_hours(23));
    observer.clock_was_set();
    let (port, wanted) = (observer.cloud_for(&viewer.0), selection(&viewer, &here));
    assert_eq!(
        names(&port.observe(&wanted).await.unwrap()),
        ["us-east-1/game-a"],
        "not the look from before"
    );
    assert_eq!(cloud.looks(), [2]);
    observer.clock_was_set();
    observer.look_where_due().await;
    assert_eq!(cloud.looks(), [3], "what was to be looked at tomorrow is looked at now");
}

#[tokio::test(start_paused = true)]
async fn a_turn_whose_blueprint_calls_during_each_of_its_looks_is_told_after_some_that_it_was_shown_none() {
    let world = world();
    let cloud = Counting::new(&world);
    let observer = observing(&cloud);
    let (viewer, here) = (plain("game"), regions(&[REGION]));
    let gate = Arc::new(Notify::new());
    *cloud.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let (port, wanted) = (observer.cloud_for(&viewer.0), selection(&viewer, &here));
    let mut turn = port.observe(&wanted);
    let mut looks = 0;
    let told = loop {
        match futures::poll!(&mut turn) {
            Poll::Ready(told) => break told,
            Poll::Pending => looks += 1,
        }
        assert_eq!(cloud.looks(), [looks], "each look shows nothing of the call, and another is made");
        assert!(looks <= 8, "it looks without end");
        make(&observer.cloud_for(&viewer.0), &world, "game", REGION, &format!("game-{looks}")).await;
        gate.notify_waiters();
    };
    assert_eq!(looks, 8);
    let told = told.expect_err("nothing is shown that may be from before a call").to_string();
    assert!(told.contains("what game rests on was not read"), "{told}");
    *cloud.gate.lock().unwrap() = None;
    let shown = port.observe(&wanted).await.unwrap();
    assert!(shown.gaps.is_empty() && names(&shown).len() == 8, "the next turn sees it all: {:?}", shown.gaps);
}
