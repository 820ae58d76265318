//! It fails closed, as a shell sees it: what is wrong with the world is in the text, in the documents and in the exit code
//! of every command that looks.

use serde_json::Value;

use crate::cli::{Left, Place};

const CLUSTER: &str = "us-east-1/aurora.cluster/light-game-players-use1";
const WRITER: &str = "us-east-1/aurora.instance/light-game-players-use1-1";
const CACHE: &str = "us-east-1/elasticache.group/light-game-ranking-use1";

/// The shipped light game, applied.
fn applied() -> Place {
    let place = Place::new();
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/blueprints/light-game.yaml")).unwrap();
    place.write("game.yaml", &text);
    let left = place.run(&["apply", "-f", "game.yaml", "--yes"]);
    assert_eq!(left.code, 0, "{}", left.talk);
    for view in ["drift", "status"] {
        assert_eq!(place.run(&[view, "-f", "game.yaml"]).code, 0, "{view}");
    }
    place
}

fn sim(place: &Place, words: &[&str]) {
    let left = place.run(&[&["sim"], words].concat());
    assert_eq!(left.code, 0, "{words:?}: {}", left.talk);
}

fn json(left: &Left) -> Value {
    serde_json::from_str(&left.data).unwrap_or_else(|error| panic!("{error}: {}{}", left.data, left.talk))
}

/// Every command that looks says the trouble in text and in its document, and is blocked.
fn assert_said(place: &Place, trouble: &str, words: &str, name: &str) {
    for view in ["plan", "drift", "status"] {
        let text = place.run(&[view, "-f", "game.yaml"]);
        assert_eq!(text.code, 8, "{view}: {}{}", text.data, text.talk);
        assert!(
            text.data.contains(words) && text.data.contains(name),
            "{view} says {words} {name}: {}",
            text.data
        );
        for never in ["No differences", "the world is as wanted"] {
            assert!(!text.data.contains(never), "{view}: {}", text.data);
        }
        let document = json(&place.run(&[view, "-f", "game.yaml", "-o", "json"]));
        let told = document["health"]["counts"][trouble].as_u64();
        assert!(told.is_some_and(|count| count > 0), "{view}: {}", document["health"]);
        let markdown = place.run(&[view, "-f", "game.yaml", "-o", "markdown"]);
        assert!(markdown.data.contains(words), "{view}: {}", markdown.data);
    }
    let dry = place.run(&["apply", "-f", "game.yaml", "--yes", "--dry-run"]);
    assert_eq!(dry.code, 8, "{}", dry.data);
    let applied = place.run(&["apply", "-f", "game.yaml", "--yes", "-o", "json"]);
    assert_eq!(applied.code, 8, "{}{}", applied.data, applied.talk);
    assert!(!applied.data.contains("\"settled\""), "{}", applied.data);
}

#[test]
fn a_failed_object_is_said() {
    let place = applied();
    sim(&place, &["status", WRITER, "incompatible-network"]);
    assert_said(&place, "failed", "1 failed", "light-game-players-use1-1");
}

#[test]
fn an_object_of_unknown_status_is_said() {
    let place = applied();
    sim(&place, &["status", CACHE, "recalibrating"]);
    assert_said(&place, "unknown_status", "1 of unknown status", "light-game-ranking-use1");
}

#[test]
fn a_store_that_is_half_somebody_elses_is_said() {
    let place = applied();
    sim(&place, &["tag", WRITER, "rgctl:blueprint=older-game"]);
    assert_said(&place, "half_taken_over", "1 not ours", "players in us-east-1");
}

#[test]
fn a_part_of_the_world_that_may_not_be_listed_is_unseen() {
    let place = applied();
    sim(&place, &["fault", "add", "denied", "--kind", "elasticache.group", "--for", "30d"]);
    assert_said(&place, "unseen", "unseen", "light-game-ranking-use1");
    let status = place.run(&["status", "-f", "game.yaml"]);
    assert!(!status.data.contains("absent"), "{}", status.data);
}

#[test]
fn a_lost_region_is_unseen_and_neither_absent_nor_free_of_differences() {
    let place = applied();
    sim(&place, &["kill-region", "us-east-1", "--for", "30d"]);
    for view in ["plan", "drift", "status", "apply", "destroy"] {
        let line: &[&str] = match view {
            "apply" | "destroy" => &[view, "-f", "game.yaml", "--yes"],
            _ => &[view, "-f", "game.yaml"],
        };
        let left = place.run(line);
        assert_eq!(left.code, 8, "{view}: {}{}", left.data, left.talk);
        assert!(left.talk.contains("no region answers"), "{view}: {}", left.talk);
        assert_eq!(left.data, "", "{view}");
    }
}

#[test]
fn a_member_that_is_not_ours_is_said_and_nothing_of_its_store_is_removed() {
    let place = applied();
    sim(&place, &["create", "us-east-1/aurora.instance/by-hand", "--like", WRITER, "promotion_tier=9"]);
    sim(&place, &["advance", "1h"]);
    assert_said(&place, "foreign_member", "1 foreign member", "by-hand");
    let status = json(&place.run(&["status", "-f", "game.yaml", "-o", "json"]));
    assert_ne!(status["not_ours"], serde_json::json!({}), "its cost stands apart: {}", status["not_ours"]);
    let plan = place.run(&["plan", "-f", "game.yaml"]);
    assert!(plan.data.contains("What is not ours and bound to ours costs"), "{}", plan.data);

    let allow = ["--allow", "delete:players@us-east-1", "--allow", "delete:ranking@us-east-1"];
    let gone = place.run(&[&["destroy", "-f", "game.yaml", "--yes"][..], &allow].concat());
    assert_eq!(gone.code, 8, "{}{}", gone.data, gone.talk);
    let world = place.run(&["sim", "show"]).data;
    for stays in [CLUSTER, WRITER] {
        assert!(world.contains(stays), "{stays}: {world}");
    }
    assert!(!world.contains(CACHE), "the other store is removed: {world}");

    sim(&place, &["delete", "us-east-1/aurora.instance/by-hand"]);
    sim(&place, &["advance", "1h"]);
    let gone = place.run(&[&["destroy", "-f", "game.yaml", "--yes"][..], &allow].concat());
    assert_eq!(gone.code, 0, "{}{}", gone.data, gone.talk);
    let status = place.run(&["status", "-f", "game.yaml"]);
    assert!(status.data.contains("nothing exists, and costs nothing (wanted: "), "{}", status.data);
}
