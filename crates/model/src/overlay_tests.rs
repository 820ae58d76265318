//! What stands after decisions.

use serde_json::json;

use super::*;

fn key(owner: Owner) -> OverlayKey {
    OverlayKey {
        store: StoreName::new("accounts").unwrap(),
        region: RegionId::new("us-east-1").unwrap(),
        axis: Axis::Readers,
        owner,
    }
}

fn set(owner: Owner, count: u32) -> Decision {
    let overlay = Overlay {
        key: key(owner),
        target: Target::Count(count),
        exactly: false,
        by: "ann@laptop".into(),
        why: "launch".into(),
        set: Moment::from_secs(10),
        until: Some(Moment::from_secs(20)),
        then_return: false,
    };
    Decision::Set { overlay }
}

#[test]
fn decisions_are_written_in_a_form_that_stays() {
    let hold = HoldOut {
        region: RegionId::new("us-east-1").unwrap(),
        why: "lost".into(),
        by: "ann".into(),
        since: Moment::from_secs(1),
    };
    let unset = Decision::Unset { key: key(Owner::Recovery), by: "bob@host".into(), why: "over".into() };
    let release = Decision::Release { region: hold.region.clone(), by: "ann".into(), why: "back".into() };
    let of_key = json!({ "store": "accounts", "region": "us-east-1", "axis": "readers", "owner": "person" });
    let of_recovery =
        json!({ "store": "accounts", "region": "us-east-1", "axis": "readers", "owner": "recovery" });
    let overlay = json!({
        "key": of_key, "target": { "count": 6 }, "exactly": false, "by": "ann@laptop", "why": "launch",
        "set": 10000, "until": 20000, "then_return": false
    });
    let forms = [
        (set(Owner::Person, 6), json!({ "decision": "set", "overlay": overlay })),
        (unset, json!({ "decision": "unset", "key": of_recovery, "by": "bob@host", "why": "over" })),
        (
            Decision::HoldOut { hold },
            json!({ "decision": "hold_out",
                "hold": { "region": "us-east-1", "why": "lost", "by": "ann", "since": 1000 } }),
        ),
        (release, json!({ "decision": "release", "region": "us-east-1", "by": "ann", "why": "back" })),
    ];
    for (decision, form) in forms {
        assert_eq!(serde_json::to_value(&decision).unwrap(), form);
        assert_eq!(serde_json::from_value::<Decision>(form).unwrap(), decision);
    }
    let class = serde_json::to_value(Target::Class("db.r7g.large".into())).unwrap();
    assert_eq!(class, json!({ "class": "db.r7g.large" }));
    let mut standing = Decisions::default();
    standing.apply(3, &set(Owner::Freeze, 2));
    let text = serde_json::to_value(&standing).unwrap();
    assert_eq!(text["overlays"][0][0], 3);
    assert_eq!(text["overlays"][0][1]["key"]["owner"], "freeze");
    assert_eq!(serde_json::from_value::<Decisions>(text).unwrap(), standing);
}

#[test]
fn the_epoch_of_a_key_is_its_last_decision_also_after_it_was_withdrawn() {
    let mut standing = Decisions::default();
    let about = DecisionKey::Overlay(key(Owner::Person));
    assert_eq!(standing.epoch(&about), 0);
    standing.apply(1, &set(Owner::Person, 6));
    standing.apply(2, &set(Owner::Scaler, 3));
    assert_eq!((standing.epoch(&about), standing.len()), (1, 2));
    standing.apply(3, &Decision::Unset { key: key(Owner::Person), by: "ann".into(), why: "over".into() });
    assert_eq!((standing.epoch(&about), standing.len()), (3, 1));
    for seq in 4..1_000 {
        let key = OverlayKey { store: StoreName::new(format!("s{seq}")).unwrap(), ..key(Owner::Person) };
        standing.apply(seq, &Decision::Unset { key, by: String::new(), why: String::new() });
    }
    assert_eq!(standing.withdrawn.len(), WITHDRAWN_MAX, "it does not grow without end");
    assert_eq!(standing.epoch(&about), 0, "so that who still knows the third is refused, and looks again");
}

#[test]
fn however_many_decisions_are_over_none_of_what_they_held_is_forgotten() {
    let mut standing = Decisions::default();
    for number in 0..300 {
        let of = OverlayKey { store: StoreName::new(format!("s{number}")).unwrap(), ..key(Owner::Person) };
        let Decision::Set { overlay } = set(Owner::Person, 6) else { unreachable!() };
        standing.apply(2 * number + 1, &Decision::Set { overlay: Overlay { key: of.clone(), ..overlay } });
        standing.apply(2 * number + 2, &Decision::Unset { key: of, by: String::new(), why: String::new() });
    }
    assert_eq!((standing.len(), standing.left.len(), standing.kept()), (0, 300, 300));
}

#[test]
fn what_was_held_is_kept_until_it_is_held_again() {
    let set = |seq: u64, owner: Owner, axis: Axis, target: Target| (seq, owner, axis, Some(target));
    let number = Target::Count;
    let class = |name: &str| Target::Class(name.to_owned());
    let play = |acts: &[(u64, Owner, Axis, Option<Target>)]| -> Vec<(Target, u64)> {
        let mut decisions = Decisions::default();
        for (seq, owner, axis, target) in acts {
            let key = OverlayKey {
                store: StoreName::new("accounts").unwrap(),
                region: RegionId::new("us-east-1").unwrap(),
                axis: *axis,
                owner: *owner,
            };
            let (by, why) = ("kim".to_owned(), "an event".to_owned());
            let what = match target {
                None => Decision::Unset { key, by, why },
                Some(target) => Decision::Set {
                    overlay: Overlay {
                        key,
                        target: target.clone(),
                        exactly: false,
                        by,
                        why,
                        set: Moment::EPOCH,
                        until: None,
                        then_return: false,
                    },
                },
            };
            decisions.apply(*seq, &what);
        }
        decisions.left.into_iter().map(|left| (left.target, left.seq)).collect()
    };
    let (person, scaler) = (Owner::Person, Owner::Scaler);
    let (readers, of_class) = (Axis::Readers, Axis::Class);
    let six = set(1, person, readers, number(6));
    assert_eq!(play(std::slice::from_ref(&six)), []);
    let four = set(2, person, readers, number(4));
    assert_eq!(play(&[six.clone(), four.clone()]), [(number(6), 2)]);
    let five = set(3, person, readers, number(5));
    assert_eq!(play(&[six.clone(), four.clone(), five]), [(number(6), 3)], "the most of it");
    assert_eq!(play(&[six.clone(), four.clone(), (3, person, readers, None)]), [(number(6), 3)]);
    assert_eq!(play(&[six.clone(), four, set(3, person, readers, number(7))]), [], "held again");
    let by_scaler = [set(1, scaler, readers, number(6)), set(2, scaler, readers, number(4))];
    assert_eq!(play(&by_scaler), [(number(6), 2)], "also of the scaler, in case another owner decides");
    let withdrawn = [by_scaler[1].clone(), (3, scaler, readers, None)];
    assert_eq!(play(&withdrawn), [(number(4), 3)]);
    let classes = [
        set(1, person, of_class, class("a")),
        set(2, person, of_class, class("b")),
        set(3, person, of_class, class("c")),
    ];
    assert_eq!(play(&classes), [(class("a"), 3), (class("b"), 3)]);
    let again = [classes[0].clone(), classes[1].clone(), set(3, person, of_class, class("a"))];
    assert_eq!(play(&again), [(class("b"), 3)]);
}

#[test]
fn an_overlay_after_its_time_holds_unless_it_was_to_return() {
    let Decision::Set { overlay } = set(Owner::Person, 6) else { unreachable!("it is set") };
    let late = Moment::from_secs(20);
    assert!(!overlay.is_lapsed(Moment::from_secs(19)) && overlay.is_lapsed(late) && !overlay.is_void(late));
    assert!(Overlay { then_return: true, ..overlay.clone() }.is_void(late));
    assert!(!Overlay { then_return: true, until: None, ..overlay }.is_void(late));
}
