//! Looks that are called for: by whom a clock has woken, who waits for one together with all others.

use std::sync::Arc;

use futures::FutureExt;
use rgctl_model::ports::Cloud;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, GENESIS, Rule};
use tokio::sync::Notify;

use super::shared::{Counting, make, names, observing, plain, world};
use super::{Viewer, game, regions, selection};
use crate::sim::REGION;

#[tokio::test(start_paused = true)]
async fn a_thousand_that_their_clock_wakes_at_rest_are_shown_the_next_look_that_is_made_anyway() {
    let world = world();
    let cloud = Counting::new(&world);
    let (observer, here) = (observing(&cloud), regions(&[REGION]));
    let all: Vec<Viewer> = (0..1_000).map(|number| plain(&format!("game{number}"))).collect();
    make(&*cloud, &world, "game7", REGION, "game7-players").await;
    for (owner, named) in &all {
        observer.watch(owner, &here, named);
    }
    observer.look_where_due().await;
    observer.news().await;
    for (owner, _) in &all {
        observer
            .cloud_for(owner)
            .since(Moment::EPOCH)
            .observe(&selection(&plain(owner.as_str()), &here))
            .await
            .unwrap();
    }
    let before = cloud.looks();
    world.advance(Span::from_mins(1)).unwrap();
    assert!(all.iter().all(|(owner, _)| observer.call_for(owner, false)));
    observer.look_where_due().await;
    assert_eq!((cloud.looks(), observer.news().now_or_never()), (before.clone(), None), "nobody is in haste");
    world.advance(Span::from_mins(6)).unwrap();
    observer.look_where_due().await;
    assert_eq!(observer.news().await.len(), 1_000, "it is news for all, though nothing has changed");
    for viewer in &all {
        let port = observer.cloud_for(&viewer.0).since(Moment::EPOCH);
        let seen = port.observe(&selection(viewer, &here)).await.unwrap();
        assert_eq!(seen.seen.len(), usize::from(viewer.0 == game("game7")));
    }
    assert_eq!(cloud.looks(), [before[0] + 1], "one look for all of them");
    world.advance(Span::from_mins(6)).unwrap();
    observer.look_where_due().await;
    assert_eq!(observer.news().now_or_never(), None, "it was called for once");
}

#[tokio::test(start_paused = true)]
async fn who_is_in_haste_while_a_look_is_under_way_is_shown_the_one_after_it_at_once() {
    let world = world();
    let cloud = Counting::new(&world);
    let (observer, here) = (observing(&cloud), regions(&[REGION]));
    let (one, other) = (plain("one"), plain("other"));
    for viewer in [&one, &other] {
        observer.watch(&viewer.0, &here, &viewer.1);
    }
    observer.look_where_due().await;
    observer.news().await;
    world.advance(Span::from_mins(6)).unwrap();
    let gate = Arc::new(Notify::new());
    *cloud.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let mut looking = std::pin::pin!(observer.look_where_due());
    assert!(futures::poll!(&mut looking).is_pending());
    assert!(observer.call_for(&one.0, true));
    *cloud.gate.lock().unwrap() = None;
    gate.notify_one();
    looking.await;
    assert_eq!(observer.news().now_or_never(), None, "that look began before");
    make(&*cloud, &world, "one", REGION, "one-a").await;
    observer.look_where_due().await;
    assert_eq!(observer.news().await, [one.0.clone()].into());
    let seen =
        observer.cloud_for(&one.0).since(Moment::EPOCH).observe(&selection(&one, &here)).await.unwrap();
    assert_eq!((names(&seen), cloud.looks()), (vec!["us-east-1/one-a".to_owned()], vec![3]));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_does_not_answer_is_not_looked_at_sooner_for_anybodys_haste() {
    let world = world();
    let cloud = Counting::new(&world);
    let (observer, here) = (observing(&cloud), regions(&[REGION]));
    let one = plain("one");
    observer.watch(&one.0, &here, &one.1);
    let region = here.first().unwrap().clone();
    let lost = Rule::always(Fault::RegionLoss, GENESIS, GENESIS + Span::from_days(1)).in_region(region);
    world.with_world(|world| world.add_fault(lost)).unwrap();
    observer.look_where_due().await;
    observer.news().await;
    for _ in 0..100 {
        observer.call_for(&one.0, true);
        observer.look_where_due().await;
    }
    assert_eq!(cloud.looks(), [1]);
    assert!(!observer.call_for(&game("nobody"), true), "nobody looks for it: its turn does that itself");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_took_long_is_not_made_again_for_as_long_whoever_is_in_haste() {
    let world = world();
    let cloud = Counting::new(&world);
    let (observer, here) = (observing(&cloud), regions(&[REGION]));
    let one = plain("one");
    observer.watch(&one.0, &here, &one.1);
    observer.set_in_motion(&one.0, true);
    let gate = Arc::new(Notify::new());
    *cloud.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let mut looking = std::pin::pin!(observer.look_where_due());
    assert!(futures::poll!(&mut looking).is_pending());
    // Hundreds of pages at the pace that the service allows.
    world.advance(Span::from_secs(90)).unwrap();
    *cloud.gate.lock().unwrap() = None;
    gate.notify_one();
    looking.await;
    for second in 0..95 {
        observer.call_for(&one.0, true);
        observer.look_where_due().await;
        let looks = if second < 90 { 1 } else { 2 };
        assert_eq!(cloud.looks(), [looks], "{second} s after its end");
        world.advance(Span::from_secs(1)).unwrap();
    }
}
