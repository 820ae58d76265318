//! The loop of an agent: whom a clock has woken waits for a look without holding a place.

use rgctl::agent::work::{Command, Key, News};

use super::work::play;

/// More than there are places for turns.
const MANY: usize = 40;

#[test]
fn many_that_their_clock_wakes_call_for_a_look_and_have_their_turns_by_it_all_at_once() {
    play(|scene| async move {
        let keys: Vec<String> = (0..MANY).map(|number| format!("b{number}")).collect();
        {
            let mut script = scene.script.lock().unwrap();
            script.is_called = true;
            script.open.extend(keys.iter().map(|key| (key.clone(), 3)));
        }
        for key in &keys {
            scene.tell(News::Changed { key: Key::from(key.as_str()), account: "one".to_owned() }).await;
        }
        scene.tell(News::Read(Ok(0))).await;
        scene.wait(60).await;
        assert_eq!(scene.turns().len(), MANY, "the next turns wait for a look");
        {
            let mut script = scene.script.lock().unwrap();
            let called = std::mem::take(&mut script.called);
            assert_eq!(called.len(), MANY);
            assert!(called.iter().all(|(_, haste)| *haste), "work is under way");
            script.changed.extend(keys.iter().cloned());
        }
        scene.wait(300).await;
        let by_look = std::mem::take(&mut scene.script.lock().unwrap().turns);
        assert_eq!(by_look.len(), MANY);
        assert!(by_look.iter().all(|(_, asked, _)| asked.by_news), "each is shown that look");
        // One whose look never comes has its turn all the same, and looks for itself.
        scene.wait(1_000).await;
        let late = std::mem::take(&mut scene.script.lock().unwrap().turns);
        assert_eq!(late.len(), MANY);
        assert!(late.iter().all(|(_, asked, _)| !asked.by_news));
        scene.stop();
    });
}

#[test]
fn a_person_waits_for_no_look_that_others_share() {
    play(|scene| async move {
        scene.script.lock().unwrap().is_called = true;
        scene.with(&["a"]).await;
        scene.wait(30).await;
        scene.turns();
        scene.order(Some("a"), Command::Reconcile);
        scene.wait(30).await;
        assert_eq!(scene.turns(), ["a"]);
        assert_eq!(scene.script.lock().unwrap().called, []);
        scene.stop();
    });
}
