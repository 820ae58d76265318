//! What a new user met in the first hour and was badly served by, through the binary and in every family.

use serde_json::Value;

use crate::cli::{Left, Place};

/// A family: a store as it is made first, and as it is changed with a disturbance.
const FAMILIES: [(&str, &str); 5] = [
    ("engine: aurora-postgresql, class: db.r7g.large", "engine: aurora-postgresql, class: db.r7g.xlarge"),
    ("engine: aurora-mysql, class: db.r7g.large", "engine: aurora-mysql, class: db.r7g.xlarge"),
    ("engine: documentdb, class: db.r6g.large", "engine: documentdb, class: db.r6g.xlarge"),
    (
        "engine: valkey, shards: 1, replicasPerShard: 1, class: cache.r7g.large",
        "engine: valkey, shards: 1, replicasPerShard: 1, class: cache.r7g.xlarge",
    ),
    ("engine: redshift, nodes: 2", "engine: redshift, nodes: 4"),
];

/// A blueprint with these stores in these regions; `more` stands at the end.
fn blueprint(regions: &str, stores: &[(&str, &str)], more: &str) -> String {
    let stores: Vec<String> =
        stores.iter().map(|(name, store)| format!("    - {{ name: {name}, {store} }}\n")).collect();
    let stores = stores.concat();
    format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: hour }}\nspec:\n  \
         demand: {{ players: {{ peakConcurrent: 1k }}, requestsPerPlayerPerMinute: 6 }}\n  \
         objectives: {{ rto: 8h, rpo: 24h }}\n  regions: {regions}\n  stores:\n{stores}{more}\n"
    )
}

const HOME: &str = "{ primary: us-east-1 }";
const TWO: &str = "{ primary: us-east-1, secondaries: [us-west-2] }";

/// Where a blueprint was applied.
fn applied(text: &str) -> Place {
    let place = Place::new();
    place.write("a.yaml", text);
    let left = place.run(&["apply", "-f", "a.yaml", "--yes"]);
    assert_eq!(left.code, 0, "{text}{}{}", left.data, left.talk);
    place
}

fn apply(place: &Place, text: &str, allow: &[&str]) -> Left {
    place.write("b.yaml", text);
    let consents = allow.iter().flat_map(|consent| ["--allow", consent]);
    let line: Vec<&str> = ["apply", "-f", "b.yaml", "--yes"].into_iter().chain(consents).collect();
    place.run(&line)
}

/// The world, without its time.
fn world(place: &Place) -> Value {
    let shown = place.run(&["sim", "show", "-o", "json"]);
    serde_json::from_str::<Value>(&shown.data).unwrap()["objects"].take()
}

#[test]
fn what_is_never_allowed_is_done_by_no_consent_in_every_family() {
    let never = "  policies: { consent: { delete: never } }";
    for (store, _) in FAMILIES {
        let place = applied(&blueprint(HOME, &[("db", store), ("logs", store)], never));
        let before = world(&place);
        assert!(before.as_object().is_some_and(|objects| !objects.is_empty()), "{before}");
        let allow = ["delete:logs@us-east-1", "delete:*@*", "empty:*@*"];
        let left = apply(&place, &blueprint(HOME, &[("db", store)], never), &allow);
        assert_eq!(left.code, 4, "{store}: {}{}", left.data, left.talk);
        assert!(!left.data.contains("--allow"), "no consent is offered: {}", left.data);
        let left = place.run(&["destroy", "-f", "a.yaml", "--yes", "--allow", "delete:*@*"]);
        assert_eq!(left.code, 4, "{store}: {}{}", left.data, left.talk);
        assert_eq!(world(&place), before, "{store}");
    }
}

#[test]
fn a_bound_on_the_cost_refuses_what_exceeds_it_in_every_family() {
    for (store, larger) in FAMILIES {
        let small = blueprint(HOME, &[("db", store)], "");
        let place = applied(&small);
        let before = world(&place);
        let deny = "  policies: { cost: { monthlyMax: [1 USD], onExceed: deny, onUnknown: ignore } }";
        let left = apply(&place, &blueprint(HOME, &[("db", larger), ("more", store)], deny), &[]);
        assert_eq!(left.code, 4, "{store}: {}{}", left.data, left.talk);
        let said = format!("{}{}", left.data, left.talk);
        assert!(said.contains("`policies.cost.onExceed: deny`"), "{said}");
        assert_eq!(world(&place), before, "{store}: nothing grows");
    }
}

#[test]
fn a_freeze_and_a_window_hold_a_disturbing_change_in_every_family() {
    let freeze = "  calendar: [{ name: cup, starts: \"2026-01-01T00:00Z\", lasts: 3d, freeze: true }]";
    let window = "  policies: { maintenance: { days: [tue], starts: \"03:00\", lasts: 2h, zone: UTC } }";
    for (store, changed) in FAMILIES {
        let place = applied(&blueprint(HOME, &[("db", store)], ""));
        let before = world(&place);
        let frozen = blueprint(HOME, &[("db", changed)], freeze);
        for allow in [&[][..], &["window:db"]] {
            let left = apply(&place, &frozen, allow);
            assert_eq!(left.code, 0, "{store}: {}{}", left.data, left.talk);
            assert!(left.data.contains("it is within the freeze `cup`"), "{store}: {}", left.data);
            assert!(!left.talk.contains("RG0701"), "it is not over there: {}", left.talk);
            assert_eq!(world(&place), before, "{store}: nothing disturbs in a freeze");
        }
        let held = apply(&place, &blueprint(HOME, &[("db", changed)], window), &[]);
        assert!(held.data.contains("waits for its time"), "{store}: {}", held.data);
        assert!(held.data.contains("it is outside of the maintenance window"), "{store}: {}", held.data);
        let left = apply(&place, &blueprint(HOME, &[("db", changed)], window), &["window:db"]);
        assert!(left.data.contains("settled"), "{store}: {}{}", left.data, left.talk);
    }
}

#[test]
fn a_calendar_is_judged_by_the_time_of_the_world() {
    let cup = "  calendar: [{ name: cup, starts: \"2026-01-02T00:00Z\", lasts: 1d, freeze: true }]";
    let place = Place::new();
    place.write("a.yaml", &blueprint(HOME, &[("db", FAMILIES[4].0)], cup));
    for view in ["validate", "plan", "capacity", "cost"] {
        let left = place.run(&[view, "-f", "a.yaml"]);
        assert!(!left.talk.contains("RG0701"), "{view}, before there is a world: {}", left.talk);
    }
    assert_eq!(place.run(&["sim", "reset"]).code, 0);
    assert!(!place.run(&["plan", "-f", "a.yaml"]).talk.contains("RG0701"));
    assert_eq!(place.run(&["sim", "advance", "3d"]).code, 0);
    for view in ["validate", "plan", "capacity", "cost"] {
        let left = place.run(&[view, "-f", "a.yaml"]);
        assert!(format!("{}{}", left.data, left.talk).contains("RG0701"), "{view}: {}", left.talk);
    }
}

#[test]
fn a_region_that_is_lost_is_neither_absent_nor_free_of_charge_in_every_family() {
    for (store, _) in FAMILIES {
        let place = applied(&blueprint(TWO, &[("db", store)], ""));
        assert_eq!(place.run(&["sim", "kill-region", "us-east-1", "--for", "2h"]).code, 0);
        let drift = place.run(&["drift", "-f", "a.yaml"]);
        assert_eq!(drift.code, 8, "{store}: {}", drift.data);
        assert!(!drift.data.contains("No differences"), "{store}: {}", drift.data);
        let status = place.run(&["status", "-f", "a.yaml"]);
        assert_eq!(status.code, 8, "{store}: {}", status.data);
        let line = status.data.lines().find(|line| line.starts_with("db in us-east-1")).unwrap();
        assert!(line.contains("unseen, its cost unknown") || line.contains("for what was seen"), "{line}");
        assert!(!status.data.contains("absent"), "{store}: {}", status.data);
    }
}

#[test]
fn a_status_after_a_removal_says_that_nothing_exists_in_every_family() {
    for (store, _) in FAMILIES {
        let place = applied(&blueprint(HOME, &[("db", store)], ""));
        let left = place.run(&["destroy", "-f", "a.yaml", "--yes", "--allow", "delete:db@us-east-1"]);
        assert_eq!(left.code, 0, "{store}: {}{}", left.data, left.talk);
        let status = place.run(&["status", "-f", "a.yaml"]);
        assert!(status.data.contains("nothing exists, and costs nothing (wanted: "), "{}", status.data);
    }
}

#[test]
fn a_record_whose_last_lines_were_taken_away_is_damaged() {
    let place = applied(&blueprint(HOME, &[("db", FAMILIES[4].0)], ""));
    let record = rusqlite::Connection::open(place.path().join(".rgctl/journal.sqlite")).unwrap();
    for _ in 0..3 {
        record.execute("DELETE FROM lines WHERE seq = (SELECT max(seq) FROM lines)", []).unwrap();
        for line in [&["history", "hour"][..], &["apply", "-f", "a.yaml", "--yes"]] {
            let left = place.run(line);
            assert_eq!(left.code, 1, "{}{}", left.data, left.talk);
            assert!(left.talk.contains("were removed"), "{}", left.talk);
        }
    }
}

/// A family: a store, and the same store with less redundancy or protection.
const LOWERED: [(&str, &str); 6] = [
    (FAMILIES[0].0, "engine: aurora-postgresql, class: db.r7g.large, deletionProtection: false"),
    (FAMILIES[1].0, "engine: aurora-mysql, class: db.r7g.large, deletionProtection: false"),
    (FAMILIES[2].0, "engine: documentdb, class: db.r6g.large, deletionProtection: false"),
    (FAMILIES[2].0, "engine: documentdb, class: db.r6g.large, tls: false"),
    (
        "engine: valkey, shards: 1, replicasPerShard: 1, class: cache.r7g.large, objectives: { availability: 99% }",
        "engine: valkey, shards: 1, replicasPerShard: 0, class: cache.r7g.large, objectives: { availability: 99% }",
    ),
    (
        "engine: redshift, nodes: 2, backup: { retention: 9d }",
        "engine: redshift, nodes: 2, backup: { retention: 3d }",
    ),
];

#[test]
fn a_freeze_holds_what_lowers_redundancy_or_protection_in_every_family_and_not_what_raises_it() {
    let freeze = "  calendar: [{ name: cup, starts: \"2026-01-01T00:00Z\", lasts: 3d, freeze: true }]";
    for (store, lowered) in LOWERED {
        let place = applied(&blueprint(HOME, &[("db", store)], ""));
        let before = world(&place);
        let left = apply(&place, &blueprint(HOME, &[("db", lowered)], freeze), &[]);
        assert_eq!(left.code, 0, "{lowered}: {}{}", left.data, left.talk);
        assert!(left.data.contains("it is within the freeze `cup`"), "{lowered}: {}", left.data);
        assert_eq!(world(&place), before, "{lowered}: nothing is lowered in a freeze");
        let place = applied(&blueprint(HOME, &[("db", lowered)], ""));
        let raised = blueprint(HOME, &[("db", store)], freeze);
        let left = apply(&place, &raised, &[]);
        assert_eq!(left.code, 0, "{lowered}: {}{}", left.data, left.talk);
        if lowered.contains("tls") {
            // It is switched on, and in effect after restarts, which disturb.
            assert!(left.data.contains("it is within the freeze `cup`"), "{lowered}: {}", left.data);
            let again = place.run(&["plan", "-f", "b.yaml"]);
            assert_eq!(again.code, 0, "{lowered}: {}{}", again.data, again.talk);
            assert!(!again.data.contains("cluster_parameters"), "{lowered}: {}", again.data);
        } else {
            assert!(left.data.contains("settled"), "{lowered}: {}{}", left.data, left.talk);
        }
    }
}

#[test]
fn a_destroy_that_stopped_half_way_ends_the_plan_of_the_next_apply_with_the_consent_that_it_needs() {
    for (store, _) in FAMILIES {
        let text = blueprint(HOME, &[("db", store)], "");
        let plan_after = |minutes: u64| {
            let place = applied(&text);
            let deadline = format!("{minutes}m");
            let line = [
                "destroy",
                "-f",
                "a.yaml",
                "--yes",
                "--allow",
                "delete:db@us-east-1",
                "--deadline",
                &deadline,
            ];
            place.run(&line);
            let plan = place.run(&["plan", "-f", "a.yaml"]);
            (place, plan)
        };
        let (place, plan) = (1..60)
            .map(plan_after)
            .find(|(_, plan)| plan.data.contains("empty:db@us-east-1"))
            .unwrap_or_else(|| panic!("{store}: no deadline stops it half-way"));
        let last = plan.data.trim_end().lines().last().unwrap_or_default();
        assert!(last.contains("--allow empty:db@us-east-1"), "{store}: {}", plan.data);
        assert!(plan.data.contains("This plan leaves db in us-east-1 empty"), "{store}: {}", plan.data);
        assert_eq!(apply(&place, &text, &[]).code, 4, "{store}");
        let left = apply(&place, &text, &["empty:db@us-east-1"]);
        assert_eq!(left.code, 0, "{store}: {}{}", left.data, left.talk);
    }
}

#[test]
fn a_store_that_demand_has_outgrown_does_not_grow_and_is_looked_at_repaired_and_removed() {
    let small = blueprint(HOME, &[("db", "engine: aurora-postgresql")], "");
    let outgrown = small.replace("peakConcurrent: 1k", "peakConcurrent: 999999999G");
    assert_ne!(small, outgrown);
    let place = applied(&small);
    place.write("b.yaml", &outgrown);
    let member = "us-east-1/aurora.instance/hour-db-use1-2";
    assert!(world(&place).to_string().contains("hour-db-use1-2"), "it has a reader");
    let before = world(&place);
    for (makes, severity) in
        [(&["plan", "-f", "b.yaml"][..], "error"), (&["apply", "-f", "b.yaml", "--yes"], "warning")]
    {
        let left = place.run(makes);
        assert_eq!(left.code, 4, "{makes:?} {}{}", left.data, left.talk);
        assert!(left.talk.contains(&format!("{severity}[RG0412]")), "where it is written: {}", left.talk);
        let said = left.data + &left.talk;
        assert!(said.contains("are needed, and"), "by how much: {said}");
        assert!(said.contains("state the class") && !said.contains("policies.cost"), "what to do: {said}");
    }
    assert_eq!(world(&place), before, "nothing has grown");
    // A reader that was lost comes back.
    assert_eq!(place.run(&["sim", "delete", member]).code, 0);
    assert_eq!(place.run(&["sim", "advance", "1h"]).code, 0);
    assert!(!world(&place).to_string().contains("hour-db-use1-2"));
    let left = place.run(&["apply", "-f", "b.yaml", "--yes"]);
    assert_eq!(left.code, 4, "{}{}", left.data, left.talk);
    assert!(world(&place).to_string().contains("hour-db-use1-2"), "{}{}", left.data, left.talk);
    for looks in [
        &["status", "-f", "b.yaml"][..],
        &["outputs", "-f", "b.yaml"],
        &["drift", "-f", "b.yaml"],
        &["plan", "-f", "b.yaml", "--destroy"],
    ] {
        let left = place.run(looks);
        assert!(matches!(left.code, 0 | 2), "{looks:?} {} {}{}", left.code, left.data, left.talk);
        // Whoever removes it need not hear of it.
        assert_eq!(left.talk.contains("warning[RG0412]"), looks[0] != "plan", "{looks:?} {}", left.talk);
    }
    let left = place.run(&["destroy", "-f", "b.yaml", "--yes", "--allow", "delete:*@us-east-1"]);
    assert_eq!(left.code, 0, "{}{}", left.data, left.talk);
    assert_ne!(world(&place), before);
}

#[test]
fn a_version_is_kept_when_its_pin_is_taken_away_in_every_family_that_has_one() {
    for (engine, version) in [
        ("engine: aurora-postgresql, class: db.r7g.large", "\"15.10\""),
        ("engine: documentdb, class: db.r6g.large", "5.0.0"),
        ("engine: valkey, shards: 1, replicasPerShard: 1, class: cache.r7g.large", "\"8.0\""),
    ] {
        let pinned = blueprint(HOME, &[("db", &format!("{engine}, version: {version}"))], "");
        let free = blueprint(HOME, &[("db", engine)], "");
        let place = applied(&pinned);
        let before = world(&place);
        place.write("b.yaml", &free);
        let plan = place.run(&["plan", "-f", "b.yaml", "--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "{engine}: {}{}", plan.data, plan.talk);
        assert!(plan.data.contains("`db` in us-east-1 stays as it was made: version "), "{}", plan.data);
        let left = apply(&place, &free, &[]);
        assert_eq!(left.code, 0, "{engine}: {}{}", left.data, left.talk);
        assert_eq!(world(&place), before, "{engine}");
        // What is made anew has the newest.
        assert_eq!(apply_away(&place).code, 0);
        assert_eq!(apply(&place, &free, &[]).code, 0);
        let plan = place.run(&["plan", "-f", "b.yaml"]);
        assert!(!plan.data.contains("stays as it was made"), "{engine}: {}", plan.data);
    }
}

/// Removes everything that `b.yaml` made.
fn apply_away(place: &Place) -> Left {
    place.run(&["destroy", "-f", "b.yaml", "--yes", "--allow", "delete:*@us-east-1"])
}

#[test]
fn demand_that_goes_up_and_down_changes_what_is_derived_once() {
    let of = |players: &str, per_minute: u32| {
        let text = blueprint(
            HOME,
            &[
                (
                    "pg",
                    "engine: aurora-postgresql, version: \"16.11\", readers: 1, demand: { requestShare: 100%, dataSize: 50GiB }",
                ),
                (
                    "ranks",
                    "engine: valkey, replicasPerShard: 1, demand: { requestShare: 0%, dataSize: 9GiB }",
                ),
            ],
            "",
        );
        let text = text.replace("peakConcurrent: 1k", &format!("peakConcurrent: {players}"));
        text.replace("requestsPerPlayerPerMinute: 6", &format!("requestsPerPlayerPerMinute: {per_minute}"))
    };
    let place = applied(&of("20k", 4));
    let changes = |text: &str| {
        place.write("b.yaml", text);
        let plan = place.run(&["plan", "-f", "b.yaml", "-o", "json"]);
        let plan: Value = serde_json::from_str(&plan.data).unwrap();
        let steps = plan["steps"].as_array().unwrap().len();
        assert_eq!(place.run(&["apply", "-f", "b.yaml", "--yes"]).code, 0);
        steps
    };
    let steps: Vec<usize> =
        (0..6).map(|round| changes(&of("20k", if round % 2 == 0 { 5 } else { 4 }))).collect();
    assert_eq!(steps[1..], [0; 5], "{steps:?}");
    // Far more is another matter, and so is far less.
    assert!(changes(&of("400k", 9)) > 0);
    assert!(changes(&of("20k", 4)) > 0);
}

#[test]
fn a_log_that_is_taken_out_of_the_text_goes_off_at_the_service() {
    let with = |logs: &str| {
        let section = format!("engine: aurora-mysql, class: db.r7g.large, logs: [{logs}]");
        blueprint(HOME, &[("db", &section)], "")
    };
    let place = applied(&with("slowquery, audit"));
    let left = apply(&place, &with(""), &[]);
    assert_eq!(left.code, 0, "{}{}", left.data, left.talk);
    let shown = world(&place).to_string();
    for off in [r#""slow_query_log":"0""#, r#""server_audit_logging":"0""#, r#""log_exports":[]"#] {
        assert!(shown.contains(off), "{off} is not in {shown}");
    }
}

#[test]
fn what_a_service_has_in_the_place_of_a_wish_is_no_difference_to_anybody() {
    let ranks = "engine: valkey, shards: 1, replicasPerShard: 1, class: cache.r7g.large";
    let text = blueprint(TWO, &[("db", ranks)], "").replace("rto: 8h, rpo: 24h", "rto: 15m, rpo: 1m");
    let place = applied(&text);
    let status = place.run(&["status", "-f", "a.yaml"]);
    assert!(
        status.data.contains("elasticache.global") && !status.data.contains("differs"),
        "{}",
        status.data
    );
    assert!(place.run(&["drift", "-f", "a.yaml"]).data.contains("No differences"));
}
