//! The rules of structural schemas, and that what is written fits what is defined.

use super::*;
use crate::kinds::{BlueprintStatus, Condition, condition, document, plan};
use rgctl_schema::time::Moment;

/// The fields that a rule names of what it is of.
fn fields_of_rule(rule: &str) -> impl Iterator<Item = &str> {
    rule.split("self.")
        .skip(1)
        .map(|rest| rest.split(|at: char| !at.is_alphanumeric() && at != '_').next().unwrap())
}

/// What the API server asks of a structural schema, and what bounds the cost of rules.
fn walk(node: &Value, at: &str, found: &mut Vec<String>) {
    let has = |key: &str| node.get(key).is_some();
    let is = |key: &str| node.get(key) == Some(&Value::Bool(true));
    let mut broken = |what: &str| found.push(format!("{at}: {what}"));
    if !has("type") && !is("x-kubernetes-int-or-string") && !is("x-kubernetes-preserve-unknown-fields") {
        broken("no type");
    }
    if has("properties") && has("additionalProperties") {
        broken("fields and free names");
    }
    if is("x-kubernetes-int-or-string") && (is("x-kubernetes-preserve-unknown-fields") || has("type")) {
        broken("integer or text, and something else");
    }
    for key in ["default", "anyOf", "oneOf", "allOf", "not", "$ref", "$defs", "const", "examples"] {
        if has(key) {
            broken(key);
        }
    }
    match node.get("type").and_then(Value::as_str) {
        Some("array") if !has("items") || !has("maxItems") => broken("a list without items or bound"),
        Some("string") if !has("maxLength") => broken("a text without bound"),
        Some("object") if has("additionalProperties") && !has("maxProperties") => {
            broken("a map without bound");
        }
        _ => {}
    }
    let fields = node.get("properties").and_then(Value::as_object);
    // A rule sees no field without a type: the server refuses the whole definition.
    let rules = node.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    for name in rules.filter_map(|rule| rule["rule"].as_str()).flat_map(fields_of_rule) {
        let field = fields.and_then(|fields| fields.get(name));
        let has = |key: &str| field.is_some_and(|field| field.get(key).is_some());
        if !has("type") && !has("x-kubernetes-int-or-string") {
            found.push(format!("{at}: a rule names {name}, which has no type"));
        }
    }
    let required = node.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if !fields.is_some_and(|fields| fields.contains_key(name)) {
            found.push(format!("{at}: {name} is required and not there"));
        }
    }
    for (name, child) in fields.into_iter().flatten() {
        walk(child, &format!("{at}.{name}"), found);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = node.get(key) {
            walk(child, &format!("{at}[]"), found);
        }
    }
}

fn schema(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

fn of(kind: &str) -> Value {
    all().into_iter().find(|one| one["spec"]["names"]["kind"] == kind).unwrap()
}

#[test]
fn every_definition_is_structural_and_bounded() {
    for definition in all() {
        let mut found = Vec::new();
        let root = schema(&definition);
        for part in ["spec", "status"] {
            walk(&root["properties"][part], part, &mut found);
        }
        assert!(found.is_empty(), "{}: {found:#?}", definition["metadata"]["name"]);
        // Far below what a request may have, with its texts.
        assert!(definition.to_string().len() < 200_000);
    }
}

#[test]
fn the_walk_finds_what_the_api_server_would_refuse() {
    let wrong = json!({ "type": "object", "properties": {
        "a": {}, "b": { "type": "string" }, "c": { "type": "array" },
        "d": { "type": "object", "properties": {}, "additionalProperties": { "type": "boolean", "default": true } },
    }, "required": ["e"], "x-kubernetes-validations": [{ "rule": "has(self.b) || !has(self.a)" }] });
    let mut found = Vec::new();
    walk(&wrong, "x", &mut found);
    assert_eq!(found.len(), 8, "{found:#?}");
}

#[test]
fn unknown_fields_of_people_are_kept_everywhere() {
    fn closed(node: &Value, at: &str, found: &mut Vec<String>) {
        let is_section = node.get("properties").is_some();
        if is_section && node.get("x-kubernetes-preserve-unknown-fields").is_none() {
            found.push(at.to_owned());
        }
        for (name, child) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
            closed(child, &format!("{at}.{name}"), found);
        }
        for key in ["items", "additionalProperties"] {
            if let Some(child) = node.get(key) {
                closed(child, &format!("{at}[]"), found);
            }
        }
    }
    for kind in ["Blueprint", "Region", "Override", "Approval"] {
        let mut found = Vec::new();
        closed(&schema(&of(kind))["properties"]["spec"], "spec", &mut found);
        assert!(found.is_empty(), "{kind}: {found:?}");
    }
}

/// Every field of a value is one of the schema's.
fn fits(value: &Value, node: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let child = node.get("properties").and_then(|all| all.get(name));
                match child.or_else(|| node.get("additionalProperties")) {
                    Some(child) => fits(value, child, &format!("{at}.{name}"), found),
                    None => found.push(format!("{at}.{name} is not defined")),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fits(item, &node["items"], at, found)),
        Value::String(text) => {
            let words = node.get("enum").and_then(Value::as_array);
            if words.is_some_and(|words| !words.contains(value)) {
                found.push(format!("{at}: {text} is no word there"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn text() -> String {
    "x".to_owned()
}

fn cost() -> document::Cost {
    document::Cost { per_hour: "1 USD".to_owned(), per_month: "730 USD".to_owned() }
}

fn one_condition() -> Condition {
    Condition {
        about: condition::types::READY.to_owned(),
        status: condition::Holds::Unknown,
        observed_generation: Some(1),
        last_transition_time: Moment::from_secs(1),
        reason: "A".to_owned(),
        message: "b".to_owned(),
    }
}

fn full_plan() -> PlanSpec {
    PlanSpec {
        blueprint: plan::Of { name: "a".to_owned(), uid: "u".to_owned(), generation: 1 },
        digest: "d".to_owned(),
        cause: plan::Cause::NewVersion,
        made: Moment::from_secs(1),
        version: "1".to_owned(),
        needs_approval: true,
        run: Some("r".to_owned()),
        steps: 1,
        first: vec![plan::PlannedStep {
            id: "1".to_owned(),
            does: "x".to_owned(),
            why: "y".to_owned(),
            disturbs: Some(text()),
            consents: vec!["delete:a@b".to_owned()],
        }],
        consents: vec!["delete:a@b".to_owned()],
        disturbance: Some(text()),
        cost_now: Some(cost()),
        cost_after: Some(cost()),
        work: [("1".to_owned(), "d".to_owned())].into(),
    }
}

#[test]
fn whatever_the_operator_says_is_defined_so_that_nothing_is_dropped() {
    let condition = one_condition();
    let status = BlueprintStatus {
        observed_generation: Some(1),
        last_handled_reconcile_at: Some(text()),
        conditions: vec![condition.clone()],
        plan: Some(text()),
        run: Some(text()),
        account: Some(text()),
        drift: Some(1),
        cost: Some(cost()),
        regions: vec!["us-east-1".to_owned()],
        stores: vec![document::StoreStatus {
            name: "a".to_owned(),
            region: "b".to_owned(),
            endpoint: Some(text()),
        }],
        outputs: Some(text()),
    };
    let planned = plan::PlanStatus {
        phase: plan::Phase::Superseded,
        approval: Some(text()),
        run: Some(text()),
        conditions: vec![condition.clone()],
    };
    let approved =
        crate::kinds::ApprovalStatus { used_by: Some(text()), conditions: vec![condition.clone()] };
    let scaled = crate::kinds::OverrideStatus {
        observed_generation: Some(1),
        current: Some(3),
        selector: Some(text()),
        conditions: vec![condition],
    };
    let values = [
        ("Blueprint", "status", serde_json::to_value(status).unwrap()),
        ("Plan", "status", serde_json::to_value(planned).unwrap()),
        ("Approval", "status", serde_json::to_value(approved).unwrap()),
        ("Override", "status", serde_json::to_value(scaled).unwrap()),
        ("Plan", "spec", serde_json::to_value(full_plan()).unwrap()),
    ];
    for (kind, part, value) in values {
        let mut found = Vec::new();
        fits(&value, &schema(&of(kind))["properties"][part], part, &mut found);
        assert!(found.is_empty(), "{kind}: {found:?}");
    }
}

#[test]
fn every_field_of_the_shipped_blueprints_is_defined() {
    use rgctl_schema::diagnostic::{Diagnostics, Source};
    let blueprints = [
        include_str!("../../../../blueprints/accounts.yaml"),
        include_str!("../../../../blueprints/light-game.yaml"),
        include_str!("../../../../blueprints/rocket-arena.yaml"),
        include_str!("../../../../blueprints/rocket-arena-china.yaml"),
        include_str!("../../../../blueprints/rocket-arena-global.yaml"),
    ];
    let blueprints = blueprints.map(|text| ("Blueprint", Source::new("shipped", text)));
    let regions = rgctl_blueprint::region::built_in().into_iter().map(|source| ("Region", source));
    for (kind, source) in blueprints.into_iter().chain(regions) {
        let mut found = Diagnostics::default();
        for tree in rgctl_blueprint::yaml::parse(&source, &mut found) {
            let mut missing = Vec::new();
            fits(&tree.to_json()["spec"], &schema(&of(kind))["properties"]["spec"], "spec", &mut missing);
            assert!(missing.is_empty(), "{}: {missing:?}", source.name);
        }
        assert!(!found.has_errors());
    }
}

#[test]
fn a_definition_tells_its_digest_and_another_definition_another_one() {
    let told = |one: &Value| one["metadata"]["annotations"][marks::SCHEMA].as_str().unwrap().to_owned();
    let digests: std::collections::BTreeSet<String> = all().iter().map(told).collect();
    assert_eq!(digests.len(), 6);
}

#[test]
fn definitions_that_differ_have_another_revision() {
    let lines: Vec<String> = printed().iter().map(|one| format!("{} {}\n", one.name, one.digest)).collect();
    let digest = &sha256_hex(lines.concat().as_bytes())[..16];
    let known = include_str!("revisions.txt");
    let last = known.lines().last().unwrap();
    assert_eq!(
        last,
        format!("{REVISION} {digest}"),
        "the definitions have changed: if revision {REVISION} was released, raise `REVISION` and add a line to revisions.txt, else \
         write the new digest into its last line",
    );
    let numbers: Vec<u32> =
        known.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}
