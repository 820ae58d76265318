//! Decisions about size, as a shell sees them: in every family they grow a store at once, hold after their time, and let it get
//! smaller only by consent.

use rgctl::cli::exit::Exit;
use serde_json::Value;

use crate::cli::{Left, Place};

/// A store of each family with room to grow, what is decided, and what the plan then does.
const GROWTHS: &[(&str, &[&str])] = &[
    ("engine: aurora-mysql, class: db.r7g.large, readers: { min: 1, max: 4 }", &["--readers", "3"]),
    (
        "engine: aurora-postgresql, class: db.r7g.large, readers: { min: 1, max: 4 }",
        &["--class", "db.r7g.xlarge"],
    ),
    ("engine: documentdb, class: db.r6g.large, readers: { min: 1, max: 4 }", &["--readers", "3"]),
    (
        "engine: valkey, class: cache.r6g.large, shards: 2, replicasPerShard: { min: 1, max: 3 }",
        &["--replicas", "3"],
    ),
    (
        "engine: valkey, class: cache.r6g.large, shards: { min: 1, max: 4 }, replicasPerShard: 1",
        &["--shards", "3"],
    ),
    (
        "engine: valkey, class: cache.r6g.large, shards: 1, replicasPerShard: 1",
        &["--class", "cache.r6g.xlarge"],
    ),
    ("engine: redshift, class: ra3.large, nodes: { min: 2, max: 8 }", &["--nodes", "4"]),
];

fn blueprint(store: &str) -> String {
    format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: game }}\nspec:\n  demand: {{ players: {{ \
         peakConcurrent: 1k }}, requestsPerPlayerPerMinute: 1, hotData: {{ size: 1GiB }} }}\n  objectives: {{ \
         availability: 99%, p99: 100ms, rto: 2d, rpo: 2d }}\n  regions: {{ primary: us-east-1 }}\n  stores: [ {{ name: db, \
         {store} }} ]\n"
    )
}

fn applied(store: &str) -> Place {
    let place = Place::new();
    place.write("game.yaml", &blueprint(store));
    let left = place.run(&["apply", "-f", "game.yaml", "--yes"]);
    assert_eq!(left.code, 0, "{store}: {}{}", left.data, left.talk);
    place
}

fn set(place: &Place, what: &[&str]) -> Left {
    let line = ["scale", "set", "db", "--reason", "streamer event", "-f", "game.yaml"];
    place.run(&[&line[..], what].concat())
}

fn unset(place: &Place) -> Left {
    place.run(&["scale", "unset", "db", "--reason", "it is over", "-f", "game.yaml"])
}

fn apply(place: &Place, more: &[&str]) -> Left {
    place.run(&[&["apply", "-f", "game.yaml", "--yes"][..], more].concat())
}

fn is_clean(place: &Place) -> bool {
    place.run(&["plan", "-f", "game.yaml", "--detailed-exitcode"]).code == 0
}

#[test]
fn a_decision_grows_a_store_of_every_family_and_withdrawing_it_shrinks_it_by_consent_only() {
    for (store, what) in GROWTHS {
        let place = applied(store);
        let told = set(&place, what);
        assert_eq!(told.code, 0, "{store}: {}{}", told.data, told.talk);
        assert!(
            told.data.contains("streamer event") && told.data.contains("`rgctl apply -f game.yaml`"),
            "{}",
            told.data
        );
        let grown = apply(&place, &[]);
        assert_eq!(grown.code, 0, "{store}: {}{}", grown.data, grown.talk);
        assert!(grown.data.contains("streamer event"), "the plan says why: {}", grown.data);
        assert!(is_clean(&place), "{store}");
        let told = unset(&place);
        assert_eq!(told.code, 0, "{store}: {}{}", told.data, told.talk);
        assert!(told.data.contains("--allow shrink:db@us-east-1"), "{store}: {}", told.data);
        let refused = apply(&place, &[]);
        assert_eq!(refused.code, Exit::Refused.code(), "{store}: {}{}", refused.data, refused.talk);
        assert!(
            refused.data.contains("a decision wants less, or holds it no longer"),
            "{store}: {}",
            refused.data
        );
        let shrunk = apply(&place, &["--allow", "shrink:db@us-east-1"]);
        assert_eq!(shrunk.code, 0, "{store}: {}{}", shrunk.data, shrunk.talk);
        assert!(is_clean(&place), "{store}");
    }
}

#[test]
fn a_decision_whose_time_is_over_holds_in_every_family() {
    for (store, what) in GROWTHS {
        let place = applied(store);
        assert_eq!(set(&place, &[what, &["--for", "3h"][..]].concat()).code, 0, "{store}");
        assert_eq!(apply(&place, &[]).code, 0, "{store}");
        assert_eq!(place.run(&["sim", "advance", "4h"]).code, 0);
        assert!(is_clean(&place), "{store}: nothing shrinks because a time has come");
        let status = place.run(&["status", "-f", "game.yaml"]);
        assert!(
            status.data.contains("it holds until it is withdrawn or decided anew"),
            "{store}: {}",
            status.data
        );
    }
}

#[test]
fn a_decision_that_said_so_holds_nothing_after_its_time_and_what_is_left_over_goes_by_consent() {
    let (store, what) = GROWTHS[0];
    let place = applied(store);
    assert_eq!(set(&place, &[what, &["--for", "3h", "--then", "return"][..]].concat()).code, 0);
    assert_eq!(apply(&place, &[]).code, 0);
    assert!(is_clean(&place));
    assert_eq!(place.run(&["sim", "advance", "4h"]).code, 0);
    let refused = apply(&place, &[]);
    assert_eq!(refused.code, Exit::Refused.code(), "{}{}", refused.data, refused.talk);
    assert!(refused.talk.contains("shrink:db@us-east-1"), "{}", refused.talk);
    assert!(apply(&place, &["--allow", "shrink:db@us-east-1"]).data.contains("settled"));
    // Whoever edits the blueprint afterwards meets no other rule than before the decision.
    assert!(is_clean(&place));
}

#[test]
fn less_than_the_blueprint_gives_is_a_wish_that_needs_the_word_exactly_and_consent() {
    let place = applied("engine: aurora-mysql, class: db.r7g.large, readers: { min: 0, max: 4 }");
    let floor = set(&place, &["--readers", "0"]);
    assert!(floor.data.contains("as before"), "{}", floor.data);
    assert!(is_clean(&place));
    let exact = set(&place, &["--readers", "0", "--exactly"]);
    assert!(exact.data.contains("exactly 0 readers"), "{}", exact.data);
    if !is_clean(&place) {
        assert!(exact.data.contains("--allow shrink:db@us-east-1"), "{}", exact.data);
        assert_eq!(apply(&place, &[]).code, Exit::Refused.code());
        assert_eq!(apply(&place, &["--allow", "shrink:db@us-east-1"]).code, 0);
    }
    let serverless = applied("engine: aurora-mysql, serverless: { minAcu: 0.5, maxAcu: 8 }, readers: 1");
    let left = set(&serverless, &["--capacity-units", "4.5", "--exactly"]);
    assert!(left.data.contains("8 capacity units → 4.5 capacity units"), "{}{}", left.data, left.talk);
    assert_eq!(apply(&serverless, &[]).code, Exit::Refused.code());
    assert_eq!(apply(&serverless, &["--allow", "shrink:db@us-east-1"]).code, 0);
    assert!(is_clean(&serverless));
    assert_eq!(unset(&serverless).code, 0);
    assert_eq!(apply(&serverless, &[]).code, 0, "raising it again needs nobody's consent");
}

#[test]
fn what_cannot_be_decided_is_refused_with_what_can_be() {
    let place = Place::new();
    place.write("game.yaml", &blueprint(GROWTHS[0].0));
    let cases: &[(&[&str], &str)] = &[
        (&["--readers", "9"], "the blueprint allows `db` in us-east-1 1 reader to 4 readers"),
        (&["--readers", "0"], "out of bounds"),
        (&["--shards", "2"], "`db` (aurora-mysql) in us-east-1 has no shards"),
        (&["--shards", "2"], "what can be decided about `db` in us-east-1: --readers, --class"),
        (&["--capacity-units", "2"], "has no capacity-units"),
        (&["--class", "db.r7g.2xlarg"], "did you mean `db.r7g.2xlarge`?"),
        (&["--class", "cache.r6g.large"], "there is no class `cache.r6g.large` for aurora-mysql"),
        (&["--readers", "3", "--region", "us-east-2"], "there is no region `us-east-2`"),
        (&["--readers", "3", "--until", "2001-01-01T00:00:00Z"], "is over"),
        (&["--readers", "3", "--for", "0s"], "is over"),
        (&["--readers", "3", "--then", "return"], "required"),
        (&["--readers", "3", "--class", "db.r7g.large"], "cannot be used with"),
        (&[], "required"),
    ];
    for (what, says) in cases {
        let left = set(&place, what);
        assert_eq!(left.code, Exit::BadInput.code(), "{what:?}: {}{}", left.data, left.talk);
        assert!(left.talk.contains(says), "{what:?}: {}", left.talk);
    }
    let other = place.run(&["scale", "set", "dbb", "--readers", "2", "--reason", "x", "-f", "game.yaml"]);
    assert!(
        other.code == Exit::BadInput.code() && other.talk.contains("did you mean `db`?"),
        "{}",
        other.talk
    );
    let silent = place.run(&["scale", "set", "db", "--readers", "2", "--reason", " ", "-f", "game.yaml"]);
    assert!(silent.code == Exit::BadInput.code() && silent.talk.contains("say why"), "{}", silent.talk);
    let nothing = unset(&place);
    assert_eq!(nothing.code, Exit::BadInput.code(), "{}", nothing.talk);
    let list = place.run(&["scale", "list", "-f", "game.yaml"]);
    assert!(list.data.contains("none: the blueprint alone decides"), "nothing was written: {}", list.data);
}

#[test]
fn what_is_the_same_in_all_regions_is_decided_at_the_primary_and_cells_are_asked_for() {
    let store = "engine: valkey, class: cache.r6g.large, shards: { min: 1, max: 4 }, replicasPerShard: { min: 1, max: 3 }";
    let two = blueprint(store).replace("us-east-1 }", "us-east-1, secondaries: [us-west-2] }");
    let place = Place::new();
    place.write("game.yaml", &two);
    let left = set(&place, &["--shards", "2", "--region", "us-west-2"]);
    assert!(
        left.code == Exit::BadInput.code() && left.talk.contains("decided in us-east-1"),
        "{}",
        left.talk
    );
    assert_eq!(set(&place, &["--shards", "2"]).code, 0);
    assert_eq!(set(&place, &["--replicas", "2", "--region", "us-west-2"]).code, 0);
    let list = place.run(&["scale", "list", "-f", "game.yaml", "-o", "json"]);
    let value: Value = serde_json::from_str(&list.data).unwrap();
    let places: Vec<(&str, &str, u64)> = value["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["axis"].as_str().unwrap(), row["region"].as_str().unwrap(), row["holds"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(
        places,
        [("shards", "us-east-1", 2), ("shards", "us-west-2", 2), ("replicas", "us-west-2", 2)]
    );
    let several = unset(&place);
    assert!(several.talk.contains("--region us-west-2"), "{}", several.talk);
    let cells = blueprint(store).replace(
        "{ primary: us-east-1 }",
        "{ cells: [ { name: a, primary: us-east-1, demandShare: 50% }, { name: b, primary: eu-west-1, demandShare: 50% } ] }",
    );
    place.write("game.yaml", &cells);
    let left = set(&place, &["--replicas", "2"]);
    assert_eq!(left.code, Exit::BadInput.code(), "{}", left.talk);
    assert!(left.talk.contains("--region us-east-1, --region eu-west-1"), "{}", left.talk);
}

#[test]
fn a_decision_about_what_left_the_blueprint_is_told_and_can_be_withdrawn() {
    let place = Place::new();
    place.write("game.yaml", &blueprint(GROWTHS[0].0));
    assert_eq!(set(&place, &["--readers", "3"]).code, 0);
    place.write("game.yaml", &blueprint(GROWTHS[3].0).replace("name: db,", "name: other,"));
    let list = place.run(&["scale", "list", "-f", "game.yaml"]);
    assert!(list.data.contains("left out: the blueprint has no store of that name"), "{}", list.data);
    let plan = place.run(&["plan", "-f", "game.yaml"]);
    assert!(plan.data.contains("left out: the blueprint has no store of that name"), "{}", plan.data);
    assert_eq!(unset(&place).code, 0);
    assert!(place.run(&["scale", "list", "-f", "game.yaml"]).data.contains("none"));
}

#[test]
fn a_saved_plan_says_what_was_decided_after_it_and_does_exactly_what_was_agreed_to() {
    let place = Place::new();
    place.write("game.yaml", &blueprint(GROWTHS[0].0));
    assert_eq!(place.run(&["plan", "-f", "game.yaml", "--out", "plan.json"]).code, 0);
    assert_eq!(set(&place, &["--readers", "3"]).code, 0);
    let left = place.run(&["apply", "plan.json", "--yes"]);
    assert_eq!(left.code, 0, "{}{}", left.data, left.talk);
    assert!(
        left.talk.contains("waits: ") && left.talk.contains("decided at least 3 readers of db"),
        "{}",
        left.talk
    );
    assert!(!is_clean(&place), "the decision is still to be done");
    assert_eq!(place.run(&["plan", "-f", "game.yaml", "--out", "next.json"]).code, 0);
    let left = place.run(&["apply", "next.json", "--yes"]);
    assert!(left.code == 0 && !left.talk.contains("waits: "), "{}", left.talk);
    assert!(is_clean(&place));
}

#[test]
fn decisions_are_written_in_every_form() {
    let place = Place::new();
    place.write("game.yaml", &blueprint(GROWTHS[0].0));
    let made = set(&place, &["--readers", "3", "--for", "3h", "-o", "json"]);
    let value: Value = serde_json::from_str(&made.data).unwrap();
    assert_eq!(value["format"], "rgctl.dev/decision/v1");
    let change = &value["changes"][0];
    assert_eq!((&change["blueprint"], &change["after"]), (&change["before"], &Value::from(3)), "{change}");
    let list = |form: &str| place.run(&["scale", "list", "-f", "game.yaml", "-o", form]).data;
    let value: Value = serde_json::from_str(&list("json")).unwrap();
    assert_eq!(value["format"], "rgctl.dev/decisions/v1");
    let row = &value["decisions"][0];
    assert_eq!(
        (row["standing"].as_str(), row["owner"].as_str()),
        (Some("in force"), Some("person")),
        "{row}"
    );
    assert!(list("yaml").contains("standing: in force"));
    assert!(
        list("markdown").contains("| db readers | us-east-1 | at least 3 readers | 3 readers | in force |")
    );
    assert!(list("text").contains("streamer event"));
    let status = place.run(&["status", "-f", "game.yaml", "-o", "json"]);
    let value: Value = serde_json::from_str(&status.data).unwrap();
    assert_eq!(value["decisions"][0]["why"], "streamer event");
}
