//! What cannot be seen is not taken for absent, and what is accepted without an effect is not asked for again and again. One look
//! is for all blueprints of an account and region, however many they are.

use std::time::Duration;

use rgctl_schema::time::Span;
use rgctl_sim::{Fault, Rule, SimCloud};
use serde_json::json;

use super::{
    Operator, apply, asks, blueprint, condition, define, is_judged, keep_trail, store, trail, wait_for,
    wait_ready,
};
use crate::plane::{ControlPlane, Setup};
use crate::processes::{tell, wait_until};

/// Something goes wrong from now on, until it is cleared.
fn goes_wrong(cloud: &SimCloud, fault: &Fault, change: impl Fn(Rule) -> Rule) {
    let rule = |world: &mut rgctl_sim::World| {
        let now = world.now();
        world.add_fault(change(Rule::always(fault.clone(), now, now + Span::from_days(3650))));
    };
    cloud.with_world(rule).unwrap();
}

fn is_well_again(cloud: &SimCloud) {
    cloud.with_world(|world| world.clear_faults(None)).unwrap();
}

#[test]
fn a_region_that_does_not_answer_is_not_seen_and_nothing_is_begun_in_it() {
    let Some(plane) = ControlPlane::alone("a region that does not answer", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let arena = blueprint(&namespace, "arena", &json!({}));
    apply(&plane, &arena.to_string());
    wait_ready(&plane, &namespace, "arena");
    let account = operator.cloud();
    let mut wanted = arena.clone();
    for fault in [Fault::RegionLoss, Fault::Gap, Fault::Denied] {
        let said = format!("{fault:?}").to_lowercase();
        keep_trail(&account);
        goes_wrong(&account, &fault, |rule| rule);
        wait_for(&plane, &namespace, "arena", "Observed", "False", "");
        // Also where somebody wants something else of it meanwhile: one store more, which nobody sees.
        let mut more = store(&said);
        more["demand"]["requestShare"] = json!("5%");
        wanted["spec"]["stores"].as_array_mut().unwrap().push(more);
        apply(&plane, &wanted.to_string());
        is_judged(&plane, &namespace);
        std::thread::sleep(Duration::from_secs(2));
        let (status, reason, message) = condition(&plane, &namespace, "arena", "Observed");
        assert!(status == "False" && message.contains("us-east-1"), "{said}: {reason}: {message}");
        assert_ne!(condition(&plane, &namespace, "arena", "Ready").0, "True", "{said}");
        assert_eq!(trail(&account), Vec::<String>::new(), "{said}");
        is_well_again(&account);
        asks(&plane, &namespace, &said);
        wait_ready(&plane, &namespace, "arena");
        assert_eq!(condition(&plane, &namespace, "arena", "Observed").0, "True", "{said}");
        assert!(
            trail(&account).iter().any(|step| step.starts_with("create")),
            "it is made, now that all is seen"
        );
    }
}

#[test]
fn what_is_accepted_three_times_without_an_effect_is_not_asked_for_again_until_something_changes() {
    let what = "calls that are accepted and do nothing";
    let Some(plane) = ControlPlane::alone(what, &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    // Slow enough that the hour after which a run is tried again by itself does not come meanwhile.
    let operator = Operator::start(&plane, "operator", &["--pace", "300"]);
    let mut arena = blueprint(&namespace, "arena", &json!({}));
    apply(&plane, &arena.to_string());
    wait_ready(&plane, &namespace, "arena");
    let account = operator.cloud();
    keep_trail(&account);
    goes_wrong(&account, &Fault::NoEffect, |rule| Rule { operation: Some("modify".to_owned()), ..rule });
    arena["spec"]["stores"][0]["backup"]["retention"] = json!("5d");
    apply(&plane, &arena.to_string());
    wait_for(&plane, &namespace, "arena", "Stalled", "True", "");
    let (_, _, message) = condition(&plane, &namespace, "arena", "Ready");
    assert!(message.contains("accepted 3 times"), "{message}");
    let calls = || trail(&account).len();
    assert_eq!(calls(), 3, "{:#?}", trail(&account));
    // Half an hour of the account's time.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(calls(), 3, "{:#?}", trail(&account));
    // Somebody asks: it is tried again, within the same bound.
    asks(&plane, &namespace, "once");
    wait_until("another try", || calls() > 3);
    wait_for(&plane, &namespace, "arena", "Stalled", "True", "");
    std::thread::sleep(Duration::from_secs(2));
    assert!(calls() <= 6, "{:#?}", trail(&account));
    // The service does it again, and somebody says so.
    is_well_again(&account);
    asks(&plane, &namespace, "twice");
    wait_ready(&plane, &namespace, "arena");
}

#[test]
fn looks_and_writes_of_a_quiet_hour_do_not_grow_with_the_number_of_blueprints() {
    let Some(plane) = ControlPlane::alone("one look for all", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let operator = Operator::start(&plane, "operator", &[]);
    let looks = || operator.metric("rgctl_cloud_looks_total", "us-east-1");
    let mut per_hour = Vec::new();
    let mut there = 0;
    for count in [2, 20] {
        for number in there..count {
            apply(&plane, &blueprint(&namespace, &format!("game-{number}"), &json!({})).to_string());
        }
        there = count;
        for number in 0..count {
            wait_ready(&plane, &namespace, &format!("game-{number}"));
        }
        std::thread::sleep(Duration::from_secs(2));
        let (mark, before) = (plane.mark(), looks());
        let began = operator.cloud().with_world(|world| world.now()).unwrap();
        std::thread::sleep(Duration::from_secs(6));
        let passed = operator.cloud().with_world(|world| world.now()).unwrap().since(began);
        per_hour.push((looks() - before) / (passed.as_secs_f64() / 3_600.0));
        assert_eq!(super::quiet::writes(&plane, mark), [], "{count} blueprints");
    }
    let [few, many] = per_hour[..] else { panic!("{per_hour:?}") };
    tell(&format!("looks of a region in an hour of its time: {few:.1} for 2 blueprints, {many:.1} for 20"));
    assert!(few > 0.0, "it looks at all");
    assert!(many <= few * 1.5 + 2.0, "{per_hour:?}");
}
