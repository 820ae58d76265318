//! The loop of an agent: pauses by order, and how open runs are closed.

use std::collections::BTreeMap;
use std::time::Duration;

use rgctl::agent::work::{Command, Condition, Key, News, Rhythm};

use super::work::{play, play_in};

#[test]
fn a_pause_lets_a_run_close_and_holds_until_it_is_over() {
    play(|scene| async move {
        scene.script.lock().unwrap().open.insert("a".to_owned(), 1_000);
        scene.with(&["a", "b"]).await;
        scene.wait(60).await;
        assert!(scene.turns().len() > 5, "a run is under way");
        scene.order(Some("a"), Command::Pause);
        scene.wait(30).await;
        let turns = scene.turns();
        assert_eq!(turns.last().map(String::as_str), Some("a stops"), "{turns:?}");
        scene.script.lock().unwrap().changed.extend(["a".to_owned(), "b".to_owned()]);
        scene.wait(330).await;
        assert_eq!(scene.turns(), ["b"], "a is paused, whatever changes");
        assert!(
            scene.metrics.text().contains("rgctl_blueprint_holds{blueprint=\"a\",condition=\"paused\"} 1")
        );
        scene.order(Some("a"), Command::Resume);
        scene.wait(30).await;
        assert_eq!(scene.turns(), ["a"]);
        scene.order(None, Command::Reconcile);
        scene.wait(30).await;
        assert_eq!(scene.turns(), ["a", "b"]);
        scene.stop();
    });
}

#[test]
fn a_pause_of_everything_holds_for_what_comes_later() {
    play(|scene| async move {
        scene.with(&["a"]).await;
        scene.wait(30).await;
        scene.turns();
        scene.order(None, Command::Pause);
        scene.wait(15).await;
        scene.with(&["b"]).await;
        scene.wait(60).await;
        assert_eq!(scene.turns(), [""; 0]);
        scene.order(None, Command::Resume);
        scene.wait(30).await;
        assert_eq!(scene.turns(), ["a", "b"]);
        scene.stop();
    });
}

#[test]
fn a_pause_outlives_the_file_of_its_blueprint() {
    play(|scene| async move {
        scene.with(&["a"]).await;
        scene.wait(30).await;
        scene.order(Some("a"), Command::Pause);
        scene.wait(30).await;
        scene.turns();
        scene.tell(News::Rests { key: Key::from("a") }).await;
        scene.wait(30).await;
        assert_eq!(scene.script.lock().unwrap().forgotten, ["a"]);
        scene.with(&["a"]).await;
        scene.wait(60).await;
        assert_eq!(scene.turns(), [""; 0], "it is paused as before");
        scene.order(Some("a"), Command::Resume);
        scene.wait(30).await;
        assert_eq!(scene.turns(), ["a"]);
        scene.stop();
    });
}

#[test]
fn a_pause_of_a_blueprint_that_is_not_there_does_not_keep_a_single_round_from_ending() {
    let rhythm = Rhythm { once: true, ..Rhythm::default() };
    let ended = play_in(rhythm, |scene| async move {
        scene.order(Some("gone"), Command::Pause);
        scene.script.lock().unwrap().open.insert("a".to_owned(), 5);
        scene.with(&["a"]).await;
    });
    assert_eq!(ended.conditions, BTreeMap::from([(Condition::Ready, 1)]));
    assert!(!ended.is_stopped);
}

#[test]
fn a_run_that_cannot_be_closed_yet_is_looked_at_when_that_is_due_and_not_without_pause() {
    play(|scene| async move {
        scene.script.lock().unwrap().open.insert("a".to_owned(), 1_000);
        scene.script.lock().unwrap().unclear.insert("a".to_owned(), 4);
        scene.with(&["a"]).await;
        scene.wait(61).await;
        scene.script.lock().unwrap().turns.clear();
        scene.stop();
        tokio::time::sleep(Duration::from_mins(2)).await;
        let turns = std::mem::take(&mut scene.script.lock().unwrap().turns);
        assert!(turns.iter().all(|(_, asked, _)| asked.stopping));
        let pauses: Vec<u64> =
            turns.windows(2).map(|pair| pair[1].2.since(pair[0].2).as_millis() / 1_000).collect();
        assert_eq!(pauses, [10, 10, 10], "each when the turn before it asked to come again");
    });
}
