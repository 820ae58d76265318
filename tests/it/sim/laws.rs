//! Laws that every kind passes in the embedded cloud.

use rgctl_engine::planning::tables;
use rgctl_model::kinds::facts::DurationEstimate;
use rgctl_model::kinds::{AnyAttrs, AttrsVisitor, Kind, KindId};
use rgctl_schema::phase::Phase;
use rgctl_schema::table::{Attrs, Change};
use rgctl_schema::time::Span;
use serde_json::{Value, json};

use super::{TestCloud, address, all_fields, attrs, cluster_fields};

/// Kinds that can be made by a call.
fn makeable() -> impl Iterator<Item = KindId> {
    KindId::ALL.iter().copied().filter(|kind| !kind.facts().observe_only)
}

/// A desk with everything that an object of the kind names, and the wanted fields of such an object.
fn prepared(kind: KindId) -> (TestCloud, serde_json::Map<String, Value>) {
    let desk = TestCloud::new(11);
    let mut fields: serde_json::Map<String, Value> =
        all_fields(kind, false).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    fields.remove("global");
    if kind == KindId::AuroraCluster {
        // No call that makes one carries them: `a_cluster_is_made_without_roles_and_given_them_alone` has the rule.
        fields.remove("iam_roles");
    }
    if let Some(parent) = kind.facts().parent {
        let parent = address(parent.kind, "main");
        let made = if parent.kind == KindId::AuroraCluster { cluster_fields() } else { json!({}) };
        desk.make(&parent, &made);
        fields.insert("cluster".to_owned(), json!("main"));
    }
    if let Some(member) = kind.member_kind() {
        desk.make(&address(member, "main"), &json!({}));
        fields.insert("source".to_owned(), json!("main"));
    }
    if kind == KindId::RedshiftWorkgroup {
        desk.make(&address(KindId::RedshiftNamespace, "default"), &json!({}));
    }
    (desk, fields)
}

#[test]
fn what_is_created_is_first_unseen_then_creating_then_ready_and_as_wanted() {
    for kind in makeable() {
        let (desk, fields) = prepared(kind);
        let object = address(kind, "thing");
        let wanted = attrs(kind, &Value::Object(fields.clone()));
        desk.create(&object, &Value::Object(fields)).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert!(desk.see(&object).is_none(), "{kind}: a write is seen at once");
        let has_creating =
            kind.facts().statuses.iter().any(|status| status.0.eq_ignore_ascii_case("creating"));
        desk.pass(Span::from_secs(6));
        let seen = desk.see(&object).unwrap();
        assert_eq!(seen.facts.phase == Phase::Creating, has_creating, "{kind}: {}", seen.facts.native);
        desk.pass(Span::from_hours(48));
        let seen = desk.see(&object).unwrap();
        assert_eq!(seen.facts.phase, Phase::Ready, "{kind}: {}", seen.facts.native);
        assert_eq!(tables::diff(&wanted, &seen.attrs), [], "{kind}");
        assert!(seen.pending.is_none(), "{kind}");
        assert_eq!(desk.cloud.violations(), [], "{kind}");
    }
}

/// The fields of a kind that can be changed: name, and what the planner says that changing it does.
fn changeable(kind: KindId) -> Vec<(&'static str, Change)> {
    struct Told;
    impl AttrsVisitor for Told {
        type Out = Vec<bool>;
        fn visit<K: Kind>(self, _: &K::Attrs) -> Self::Out {
            K::Attrs::FIELDS.iter().map(|field| !field.unseen).collect()
        }
    }
    let told = AnyAttrs::empty(kind).with(Told).into_iter().zip(tables::changes(kind));
    told.filter(|(is_told, _)| *is_told).map(|(_, field)| field).collect()
}

#[test]
fn every_field_change_is_pending_before_it_takes_effect_and_interrupts_as_promised() {
    let mut changed = 0;
    for kind in makeable() {
        let (desk, fields) = prepared(kind);
        let object = address(kind, "thing");
        desk.create(&object, &Value::Object(fields)).unwrap();
        desk.pass(Span::from_hours(48));
        for (field, change) in changeable(kind) {
            let value = all_fields(kind, true).remove(field).unwrap();
            let wanted = attrs(kind, &json!({ field: value }));
            let before = desk.see(&object).unwrap();
            if tables::is_satisfied(&wanted, &before.attrs) || field == "global" {
                continue;
            }
            let down_before = desk.cloud.with_world(|world| world.outage(&object)).unwrap();
            let result = desk.modify(&object, &json!({ field: value }));
            if change == Change::Replace {
                let error = result.unwrap_err().to_string();
                assert!(error.contains("cannot be changed"), "{kind} {field}: {error}");
                continue;
            }
            result.unwrap_or_else(|error| panic!("{kind} {field}: {error}"));
            let at_once = desk.see(&object).unwrap();
            assert_eq!(at_once.facts.native, before.facts.native, "{kind} {field}: a write is seen at once");
            assert_eq!(at_once.attrs, before.attrs, "{kind} {field}");
            assert!(at_once.pending.is_none(), "{kind} {field}");
            desk.pass(Span::from_secs(6));
            let soon = desk.see(&object).unwrap();
            let done = tables::is_satisfied(&wanted, &soon.attrs);
            let pending = soon.pending.as_ref().is_some_and(|pending| tables::is_satisfied(&wanted, pending));
            assert!(done != pending, "{kind} {field}: done {done}, pending {pending}");
            assert_eq!(pending, !soon.facts.phase.is_ready(), "{kind} {field}: {}", soon.facts.native);
            desk.pass(Span::from_hours(96));
            let after = desk.see(&object).unwrap();
            assert!(tables::is_satisfied(&wanted, &after.attrs) && after.pending.is_none(), "{kind} {field}");
            let down = desk.cloud.with_world(|world| world.outage(&object)).unwrap().as_millis()
                - down_before.as_millis();
            check_outage(kind, field, promised_outage(change, &before.attrs, &after.attrs), down);
            if field == "paused" {
                assert_eq!(after.facts.phase, Phase::Stopped);
                desk.modify(&object, &json!({ "paused": false })).unwrap();
                desk.pass(Span::from_hours(4));
            }
            assert!(desk.see(&object).unwrap().facts.phase.is_ready(), "{kind} {field}");
            changed += 1;
        }
        assert_eq!(desk.cloud.violations(), [], "{kind}");
    }
    assert!(changed > 80, "only {changed} fields were changed");
}

/// How long the planner says that writes fail, where a change copies all data and where not.
fn promised_outage(change: Change, before: &AnyAttrs, after: &AnyAttrs) -> DurationEstimate {
    let row = tables::of(before.kind());
    let slow = row.slow_resize.and_then(|slow| (slow.lasts)(before, after));
    slow.unwrap_or_else(|| row.timing.write_outage(change))
}

fn check_outage(kind: KindId, field: &str, promised: DurationEstimate, down_ms: u64) {
    let name = format!("{kind} {field}: {down_ms} ms down, promised {promised:?}");
    if field == "paused" {
        assert!(down_ms > 0, "{name}");
    } else if promised.median_s == 0 {
        assert_eq!(down_ms, 0, "{name}");
    } else {
        assert!(down_ms > 0, "{name}");
        // Three standard deviations of the log-normal lie below (p95 / median) squared times the median.
        let ratio = f64::from(promised.p95_s) / f64::from(promised.median_s);
        let most = f64::from(promised.median_s) * ratio * ratio * 1_000.0;
        assert!((down_ms as f64) <= most, "{name}");
    }
}

#[test]
fn what_is_deleted_is_deleting_then_gone_and_leaves_the_snapshot_that_was_asked_for() {
    for kind in makeable() {
        let (desk, mut fields) = prepared(kind);
        if let Some(protection) = kind.facts().protection {
            fields.insert(protection.to_owned(), json!(false));
        }
        let object = address(kind, "thing");
        desk.create(&object, &Value::Object(fields)).unwrap();
        desk.pass(Span::from_hours(48));
        if kind.facts().is_global && tables::of(kind).primary_leaves {
            let source = address(kind.member_kind().unwrap(), "main");
            let (region, member) = (source.region.clone(), source.name.clone());
            desk.act(&object, rgctl_model::plan::Verb::Detach { region, member }).unwrap();
            desk.pass(Span::from_hours(1));
        }
        let snapshot = kind.facts().final_snapshot.map(|kind| address(kind, "thing-final"));
        desk.delete(&object, snapshot.as_ref().map(|address| address.name.as_str()))
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
        desk.pass(Span::from_secs(6));
        if let Some(seen) = desk.see(&object) {
            assert_eq!(seen.facts.phase, Phase::Deleting, "{kind}");
        }
        desk.pass(Span::from_hours(12));
        assert!(desk.see(&object).is_none(), "{kind}");
        if let Some(snapshot) = snapshot {
            let seen = desk.see(&snapshot).unwrap();
            assert_eq!(seen.attrs.text("source").as_deref(), Some("thing"), "{kind}");
            assert!(seen.facts.phase.is_ready());
        }
        assert_eq!(desk.cloud.violations(), [], "{kind}");
    }
}
