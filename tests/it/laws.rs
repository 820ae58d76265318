//! Laws that every kind obeys, by one visitor each. A new kind is under them the day it has a table.

use rgctl_engine::planning::tables::{self, Reduction};
use rgctl_model::kinds::{AnyAttrs, AttrsVisitor, Kind, KindId};
use rgctl_schema::phase::Phase;
use rgctl_schema::table::{Attrs, Change, Field};
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
            impl AttrsVisitor for Law {
                type Out = ();
                fn visit<K: Kind>(self, _: &K::Attrs) {
                    for $field in K::Attrs::FIELDS $body
                }
            }
            for_every_kind(|kind| AnyAttrs::empty(kind).with(Law));
        }
    };
}

law!(nothing_differs_from_itself, field => {
    let [value, _] = two_values(field);
    let attrs = K::wrap(with_value(field, &value));
    assert_eq!(tables::diff(&attrs, &attrs), [], "{}", field.name);
    assert!(tables::is_satisfied(&attrs, &attrs));
});

law!(a_differing_field_is_reported_unless_the_service_hides_it, field => {
    let [before, after] = two_values(field);
    let (seen, wanted) = (K::wrap(with_value(field, &before)), K::wrap(with_value(field, &after)));
    let changes = tables::diff(&wanted, &seen);
    if field.unseen || ["engine_version", "kms_key", "zone", "extended_support"].contains(&field.name) {
        continue; // hidden, or compared by a rule of its own, which has tests of its own
    }
    assert_eq!(changes.len(), 1, "{}", field.name);
    let has_no_way = K::ID == KindId::CacheGroup && ["engine", "cluster_mode"].contains(&field.name);
    let (_, usual) = tables::changes(K::ID).into_iter().find(|(name, _)| *name == field.name).unwrap();
    assert_eq!(changes[0].change, if has_no_way { Change::Replace } else { usual });
    assert!(!tables::is_satisfied(&wanted, &seen));
});

law!(applying_a_difference_empties_it_and_leaves_unmanaged_fields_alone, field => {
    let [before, after] = two_values(field);
    let (mut seen, wanted) = (K::wrap(with_value(field, &before)), K::wrap(with_value(field, &after)));
    for change in tables::diff(&wanted, &seen) {
        seen.copy_field(&change.field, &wanted);
    }
    assert_eq!(tables::diff(&wanted, &seen), []);
    assert_eq!(tables::diff(&AnyAttrs::empty(K::ID), &seen), [], "unset means unmanaged");
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

law!(a_change_that_interrupts_is_judged_by_that_and_not_by_what_would_be_less, field => {
    let [before, after] = two_values(field);
    assert!(Reduction::Any.judge(Some(&before), &after) && !Reduction::Any.judge(None, &after), "{}", field.name);
    let (seen, wanted) = (K::wrap(with_value(field, &before)), K::wrap(with_value(field, &after)));
    for change in tables::diff(&wanted, &seen) {
        let serves = matches!(change.change, Change::InPlace | Change::Online);
        assert!(serves || !change.lowers, "{}", field.name);
    }
});

law!(no_field_can_hold_a_password, field => {
    let words = ["password", "secret", "auth_token"];
    // The name of an object, or its ARN, is where a password lies, and no password.
    let is_name = field.name.ends_with("_arn") || K::ID.references().iter().any(|one| one.field == field.name);
    let is_flag = field.type_name == "bool";
    assert!(is_flag || is_name || !words.iter().any(|word| field.name.contains(word)), "{}", field.name);
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
fn what_the_planner_knows_of_a_kind_names_fields_and_failures_that_exist() {
    for_every_kind(|kind| {
        let row = tables::of(kind);
        if let Some(field) = row.pause {
            assert_eq!(AnyAttrs::empty(kind).set(field, Some(json!(true))), Ok(()), "{kind}");
        }
        if let Some(order) = row.promotion {
            assert_eq!(AnyAttrs::empty(kind).set(order.field, Some(json!(1))), Ok(()), "{kind}");
        }
        for remedy in row.remedies {
            assert_eq!(kind.phase(remedy.0), Phase::Failed(remedy.0.to_owned()), "{kind}");
        }
    });
    assert!(KindId::ALL.iter().any(|kind| tables::of(*kind).pause.is_some()));
    assert!(KindId::ALL.iter().any(|kind| !tables::of(*kind).remedies.is_empty()));
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
        let timing = &tables::of(kind).timing;
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
