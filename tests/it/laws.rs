//! Laws that every kind obeys, by one visitor each. A new kind is under them the day it has a table.

use rgctl::kinds::{AnyAttrs, Kind, KindId, KindVisitor};
use rgctl::vocabulary::phase::Phase;
use rgctl::vocabulary::table::{self, Attrs, Change, Field, Lowers};
use serde_json::{Value, json};

/// Two different legal values of a field, found by offering it values of every shape.
fn two_values<A: Attrs>(field: &Field<A>) -> [Value; 2] {
    let offers = [
        json!(true),
        json!(false),
        json!(3),
        json!(4),
        json!("aurora-mysql"),
        json!("aurora-postgresql"),
        json!("standard"),
        json!("io-optimized"),
        json!("valkey"),
        json!("redis"),
        json!("enabled"),
        json!("disabled"),
        json!("3.1"),
        json!("4.2"),
        json!(["a", "b"]),
        json!(["c"]),
        json!({"k": "v"}),
        json!({"k": "w"}),
    ];
    let mut legal =
        offers.into_iter().filter(|offer| (field.set)(&mut A::default(), Some(offer.clone())).is_ok());
    let pair = (legal.next(), legal.next());
    let (Some(first), Some(second)) = pair else { panic!("no two values fit {}", field.name) };
    [first, second]
}

fn with_value<A: Attrs>(field: &Field<A>, value: &Value) -> A {
    let mut attrs = A::default();
    (field.set)(&mut attrs, Some(value.clone())).unwrap();
    attrs
}

fn for_every_kind(law: impl Fn(KindId) + Copy) {
    assert!(KindId::ALL.len() > 20);
    for kind in KindId::ALL {
        law(*kind);
    }
}

macro_rules! law {
    ($(#[$doc:meta])* $name:ident, $field:ident => $body:block) => {
        $(#[$doc])*
        #[test]
        fn $name() {
            struct Law;
            impl KindVisitor for Law {
                type Out = ();
                fn visit<K: Kind>(self) {
                    for $field in K::Attrs::FIELDS $body
                }
            }
            for_every_kind(|kind| kind.with(Law));
        }
    };
}

law!(nothing_differs_from_itself, field => {
    let [value, _] = two_values(field);
    let attrs = with_value(field, &value);
    assert_eq!(table::diff(&attrs, &attrs), [], "{}", field.name);
    assert!(table::satisfied(&attrs, &attrs));
});

law!(a_differing_field_is_reported_unless_the_service_hides_it, field => {
    let [before, after] = two_values(field);
    let (seen, wanted) = (with_value(field, &before), with_value(field, &after));
    let changes = table::diff(&wanted, &seen);
    if field.unseen || field.name == "engine_version" || field.name == "kms_key" {
        continue; // hidden, or compared by a rule of its own, which has tests of its own
    }
    assert_eq!(changes.len(), 1, "{}", field.name);
    let has_no_way = (field.way)(&wanted, &seen) == table::Way::Anew;
    assert_eq!(changes[0].change, if has_no_way { Change::Replace } else { field.change });
    assert!(!table::satisfied(&wanted, &seen));
});

law!(applying_a_difference_empties_it_and_leaves_unmanaged_fields_alone, field => {
    let [before, after] = two_values(field);
    let (mut seen, wanted) = (with_value(field, &before), with_value(field, &after));
    for change in table::diff(&wanted, &seen) {
        let row = K::Attrs::FIELDS.iter().find(|row| row.name == change.field).unwrap();
        (row.copy)(&mut seen, &wanted);
    }
    assert_eq!(table::diff(&wanted, &seen), []);
    assert_eq!(table::diff(&K::Attrs::default(), &seen), [], "unset means unmanaged");
});

law!(attributes_survive_serialisation, field => {
    for value in two_values(field) {
        let any = K::wrap(with_value(field, &value));
        let text = serde_json::to_string(&any).unwrap();
        assert_eq!(serde_json::from_str::<AnyAttrs>(&text).unwrap(), any);
        assert_eq!(any.get(field.name), Some(value));
        assert_eq!(any.set_fields().len(), 1);
    }
});

law!(every_field_is_documented_in_a_sentence, field => {
    let doc = field.doc.trim();
    assert!(doc.len() > 8 && doc.ends_with(['.', ')']), "{}: {doc:?}", field.name);
    assert!(doc.starts_with(char::is_uppercase), "{}: {doc:?}", field.name);
});

law!(a_field_that_changes_while_its_object_serves_says_what_would_be_less, field => {
    // What interrupts waits for the end of a freeze whatever its value.
    if matches!(field.change, Change::InPlace | Change::Online) {
        assert!(field.lowers.is_some(), "{}: say it in the column `lowers`", field.name);
    }
});

law!(a_field_that_does_not_say_what_would_be_less_is_stopped_by_a_freeze_whatever_its_value, field => {
    let [before, after] = two_values(field);
    assert!(Lowers::Any.judge(Some(&before), &after) && !Lowers::Any.judge(None, &after), "{}", field.name);
    let (seen, wanted) = (with_value(field, &before), with_value(field, &after));
    for change in table::diff(&wanted, &seen) {
        let serves = matches!(change.change, Change::InPlace | Change::Online);
        let told = field.lowers.unwrap_or(Lowers::Any).judge(change.before.as_ref(), &change.after);
        assert_eq!(change.lowers, serves && told, "{}", field.name);
    }
});

law!(no_field_can_hold_a_password, field => {
    let words = ["password", "secret", "auth_token"];
    let is_flag = field.type_name == "bool";
    assert!(is_flag || !words.iter().any(|word| field.name.contains(word)), "{}", field.name);
});

#[test]
fn facts_name_fields_and_kinds_that_exist() {
    for_every_kind(|kind| {
        let facts = kind.facts();
        if let Some(field) = facts.protection {
            let mut attrs = AnyAttrs::empty(kind);
            assert_eq!(attrs.set(field, Some(json!(true))), Ok(()), "{kind}");
            assert!(attrs.is_protected());
        }
        if let Some(parent) = facts.parent {
            let mut attrs = AnyAttrs::empty(kind);
            assert_eq!(attrs.set(parent.field, Some(json!("x"))), Ok(()), "{kind}");
            assert_eq!(attrs.text(parent.field).as_deref(), Some("x"));
        }
        if facts.holds_data {
            let snapshot = facts.final_snapshot.expect("what holds data leaves a snapshot");
            assert!(snapshot.facts().observe_only, "{kind}");
        }
        assert_eq!(KindId::parse(kind.as_str()), Some(kind));
    });
}

#[test]
fn every_documented_status_is_classified_and_any_other_is_unknown() {
    for_every_kind(|kind| {
        assert!(kind.facts().statuses.iter().any(|status| kind.phase(status.0) == Phase::Ready), "{kind}");
        for status in kind.facts().statuses {
            assert!(!matches!(kind.phase(status.0), Phase::Unknown(_)), "{kind} {}", status.0);
        }
        assert_eq!(kind.phase("a-word-of-next-year"), Phase::Unknown("a-word-of-next-year".into()));
    });
}

#[test]
fn harmless_changes_cause_no_outage_and_longer_tails_than_medians() {
    for_every_kind(|kind| {
        let timing = &kind.facts().timing;
        for change in [Change::InPlace, Change::Online] {
            assert_eq!(timing.write_outage(change).median_s, 0, "{kind}");
        }
        for change in [Change::InPlace, Change::Online, Change::Restart, Change::Failover, Change::Resize] {
            let lasts = timing.of(change);
            assert!(lasts.median_s <= lasts.p95_s, "{kind} {change}");
            assert!(timing.write_outage(change).median_s <= lasts.median_s, "{kind} {change}");
        }
    });
}
