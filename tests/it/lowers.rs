//! What takes redundancy, protection or capacity away while everything goes on serving waits for the end of a freeze, and
//! what does not, does not.

use rgctl_model::kinds::KindId;
use rgctl_model::plan::{Answer, Disturbance, Step};
use rgctl_model::policy::Policy;
use rgctl_model::rules::{CalendarEntry, Freeze, Policies, Rules};
use rgctl_schema::calendar::Zone;
use rgctl_schema::quantity::Factor;
use rgctl_schema::time::Span;
use serde_json::{Value, json};

use rgctl_testkit::fixtures::{NOW, address, desired, node, plan_for, world_of};

fn frozen() -> Rules {
    let entry = CalendarEntry {
        name: "cup".to_owned(),
        starts: NOW - Span::from_hours(1),
        lasts: Span::from_days(1),
        demand: Factor::ONE,
        repeats: None,
        zone: Zone::new("UTC").unwrap(),
        freeze: Freeze::On,
        cells: Vec::new(),
    };
    Rules { policies: Policies::usual(), calendar: vec![entry], cells: Vec::new() }
}

/// The step that changes a field during a freeze.
fn frozen_step(kind: KindId, field: &str, before: &Value, after: &Value) -> Step {
    let of = |value: &Value| {
        let mut wanted =
            desired(vec![node(address("us-east-1", kind, "game-a"), "a", &[(field, value.clone())], &[])]);
        wanted.rules = vec![frozen()];
        wanted
    };
    let plan = plan_for(&of(after), &world_of(&of(before)), &Policy::default());
    plan.steps.iter().next().cloned().unwrap_or_else(|| panic!("{kind} {field}: no step"))
}

/// Whether a freeze stops the change of a field.
fn waits(kind: KindId, field: &str, before: &Value, after: &Value) -> bool {
    let step = frozen_step(kind, field, before, after);
    let waits = matches!(step.answer, Answer::Wait { .. });
    assert_eq!(waits, step.disturbs.disturbs_or_reduces(), "{kind} {field}");
    assert!(step.disturbs <= Disturbance::Reduction, "{kind} {field}: it interrupts nobody");
    waits
}

#[test]
fn a_freeze_stops_what_lowers_redundancy_or_protection_in_every_family_and_lets_it_be_raised() {
    use KindId::{
        AuroraCluster, AuroraGlobal, AuroraInstance, CacheGroup, CacheServerless, DocumentCluster,
        DocumentGlobal, RedshiftCluster, RedshiftNamespace, RedshiftWorkgroup,
    };
    let switches = [
        (AuroraGlobal, "deletion_protection"),
        (AuroraCluster, "deletion_protection"),
        (AuroraCluster, "copy_tags_to_snapshot"),
        (AuroraCluster, "managed_password"),
        (DocumentGlobal, "deletion_protection"),
        (DocumentCluster, "deletion_protection"),
        (CacheGroup, "automatic_failover"),
        (CacheGroup, "multi_az"),
        (RedshiftCluster, "multi_az"),
        (RedshiftCluster, "enhanced_vpc_routing"),
    ];
    for (kind, field) in switches {
        assert!(waits(kind, field, &json!(true), &json!(false)), "{kind} {field}");
        assert!(!waits(kind, field, &json!(false), &json!(true)), "{kind} {field}");
    }
    let numbers = [
        (AuroraCluster, "backup_retention_days"),
        (DocumentCluster, "backup_retention_days"),
        (CacheGroup, "snapshot_retention_days"),
        (CacheGroup, "replicas_per_shard"),
        (CacheServerless, "ecpu_min_per_second"),
        (RedshiftCluster, "snapshot_copy_retention_days"),
        (RedshiftWorkgroup, "base_rpu"),
    ];
    for (kind, field) in numbers {
        assert!(waits(kind, field, &json!(5), &json!(3)), "{kind} {field}");
        assert!(!waits(kind, field, &json!(3), &json!(5)), "{kind} {field}");
    }
    for kind in [AuroraCluster, DocumentCluster, RedshiftNamespace] {
        let (both, one) = (json!(["audit", "error"]), json!(["error"]));
        assert!(waits(kind, "log_exports", &both, &one), "{kind}");
        assert!(!waits(kind, "log_exports", &one, &both), "{kind}");
    }
    // A number, a time and a text that nobody loses anything by.
    for (before, after) in [(1, 9), (9, 1)] {
        assert!(!waits(AuroraInstance, "promotion_tier", &json!(before), &json!(after)));
    }
    assert!(!waits(AuroraCluster, "backup_window", &json!("01:00-02:00"), &json!("03:00-04:00")));
    // Copies of snapshots in another region are given up by a word; a switch that lets the service restart it.
    assert!(waits(RedshiftCluster, "snapshot_copy_region", &json!("us-west-2"), &json!("none")));
    assert!(!waits(RedshiftCluster, "snapshot_copy_region", &json!("none"), &json!("us-west-2")));
    assert!(waits(AuroraInstance, "auto_minor_version_upgrade", &json!(false), &json!(true)));
    assert!(!waits(AuroraInstance, "auto_minor_version_upgrade", &json!(true), &json!(false)));
    // Who may connect, of which either value may be less.
    for (before, after) in [(true, false), (false, true)] {
        assert!(waits(RedshiftCluster, "publicly_accessible", &json!(before), &json!(after)));
    }
}

#[test]
fn what_stops_the_writes_waits_for_the_end_of_a_freeze_whichever_way_it_goes() {
    for (before, after) in [(true, false), (false, true)] {
        let step = frozen_step(KindId::RedshiftCluster, "encrypted", &json!(before), &json!(after));
        assert!(matches!(step.answer, Answer::Wait { .. }), "{before} -> {after}: {:?}", step.answer);
        assert!(step.effect.write_outage >= Span::from_hours(1), "{:?}", step.effect);
    }
}

#[test]
fn what_a_freeze_stops_holds_up_nothing_that_grows_beside_it() {
    let of = |acu: u32, days: u32, window: &str| {
        let fields = [
            ("serverless_max_half_acu", json!(acu)),
            ("backup_retention_days", json!(days)),
            ("backup_window", json!(window)),
            ("deletion_protection", json!(days > 5)),
        ];
        let mut wanted =
            desired(vec![node(address("us-east-1", KindId::AuroraCluster, "game-a"), "a", &fields, &[])]);
        wanted.rules = vec![frozen()];
        wanted
    };
    let world = world_of(&of(8, 7, "01:00-02:00"));
    let plan = plan_for(&of(64, 3, "03:00-04:00"), &world, &Policy::default());
    let steps: Vec<(String, bool)> =
        plan.steps.iter().map(|step| (step.id.to_string(), step.answer == Answer::Go)).collect();
    let modify = |fields: &str| format!("modify us-east-1/aurora.cluster/game-a {fields}");
    let expected = [
        (modify("backup_window+serverless_max_half_acu"), true),
        (modify("backup_retention_days+deletion_protection"), false),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_freeze_stops_a_parameter_that_is_switched_off_in_every_family() {
    use KindId::{AuroraClusterParameters, CacheParameters, DocumentClusterParameters, RedshiftParameters};
    let cases = [
        (AuroraClusterParameters, "require_secure_transport", "ON", "OFF"),
        (AuroraClusterParameters, "rds.force_ssl", "1", "0"),
        (DocumentClusterParameters, "tls", "enabled", "disabled"),
        (DocumentClusterParameters, "audit_logs", "enabled", "disabled"),
        (CacheParameters, "activedefrag", "yes", "no"),
        (RedshiftParameters, "require_ssl", "true", "false"),
    ];
    for (kind, name, on, off) in cases {
        let of = |value: &str| json!({ name: value, "other": "12" });
        assert!(waits(kind, "parameters", &of(on), &of(off)), "{kind} {name}");
        assert!(!waits(kind, "parameters", &of(off), &of(on)), "{kind} {name}");
        // Nobody knows what it was.
        assert!(waits(kind, "parameters", &json!({ "other": "12" }), &of(off)), "{kind} {name}");
        let (before, after) = (json!({ name: off, "other": "12" }), json!({ name: off, "other": "13" }));
        assert!(!waits(kind, "parameters", &before, &after), "{kind} {name}: dynamic parameters");
    }
}
