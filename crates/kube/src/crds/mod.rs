//! The definitions of the custom resources, from the shapes by which the command line reads the same documents.
//!
//! Goes in: nothing. Comes out: definitions as the API server takes them.
//!
//! **Invariant:** one version, no conversion: a later one adds optional fields only.
//! **Invariant:** what is defined otherwise has another revision, a higher one: so the operator tells old definitions from new ones.

pub mod forms;
mod nodes;
mod specs;
mod statuses;
mod structural;

use serde_json::{Value, json};

use crate::kinds::{
    AccountSpec, ApprovalSpec, BlueprintSpec, CATEGORY, GROUP, Names, OverrideSpec, PlanSpec, RegionSpec,
    Spec, VERSION, marks,
};
use rgctl_schema::digest::sha256_hex;
use structural::set;

/// The revision of the definitions: raised by every release that changes one of them. A test keeps the digests of each.
pub const REVISION: u32 = 2;

/// What a definition is told apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Its name.
    pub name: String,
    /// Digest of its schema.
    pub digest: String,
}

/// The definitions as this version prints them.
pub fn printed() -> Vec<Printed> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |definition: Value| Printed {
        name: text(&definition["metadata"]["name"]),
        digest: text(&definition["metadata"]["annotations"][marks::SCHEMA]),
    };
    all().into_iter().map(one).collect()
}

/// A definition, short of what all have.
struct Definition {
    names: Names,
    doc: &'static str,
    spec: Value,
    status: Value,
    columns: Vec<Value>,
    /// What holds for the whole object: rules, each with what is said when it is broken.
    rules: Vec<(&'static str, &'static str)>,
    scale: Option<Value>,
}

/// All definitions, in the order in which they are made.
pub fn all() -> Vec<Value> {
    documents().into_iter().chain(decisions()).map(finished).collect()
}

/// The command line's documents.
fn documents() -> [Definition; 3] {
    let names =
        "size(self.metadata.name) <= 24 && self.metadata.name.matches('^[a-z][a-z0-9]*(-[a-z0-9]+)*$')";
    [
        Definition {
            names: AccountSpec::NAMES,
            doc: "An account of the provider, as whom rgctl works in it, and from which namespaces it may be named. A region names it.",
            spec: specs::account(),
            status: statuses::simple(),
            columns: [vec![column("Id", "string", ".spec.id")], readiness(), vec![age()]].concat(),
            rules: Vec::new(),
            scale: None,
        },
        Definition {
            names: RegionSpec::NAMES,
            doc: "A region: where stores may be built, and what is there. Exactly the command line's document; a \
                  blueprint's own namespace comes first, then the operator's.",
            spec: specs::region(),
            status: statuses::simple(),
            columns: [vec![column("Account", "string", ".spec.account")], readiness(), vec![age()]].concat(),
            rules: Vec::new(),
            scale: None,
        },
        Definition {
            names: BlueprintSpec::NAMES,
            doc: "What a game needs: one system with its stores, in one or several regions. Exactly the command line's document.",
            spec: specs::blueprint(),
            status: statuses::blueprint(),
            columns: blueprint_columns(),
            rules: vec![(
                names,
                "the name becomes part of identifiers: at most 24 lower-case letters, digits and single hyphens",
            )],
            scale: None,
        },
    ]
}

/// What is to be done, who agreed to it, and other numbers for a while.
fn decisions() -> [Definition; 3] {
    [
        Definition {
            names: PlanSpec::NAMES,
            doc: "What would be done for a blueprint. Only the operator writes plans.",
            spec: specs::plan(),
            status: statuses::plan(),
            columns: vec![
                column("Blueprint", "string", ".spec.blueprint.name"),
                column("Cause", "string", ".spec.cause"),
                column("Steps", "integer", ".spec.steps"),
                column("Asks", "boolean", ".spec.needsApproval"),
                column("Phase", "string", ".status.phase"),
                wide("Consents", "string", ".spec.consents"),
                wide("Cost/month after", "string", ".spec.costAfter.perMonth"),
                age(),
            ],
            rules: Vec::new(),
            scale: None,
        },
        Definition {
            names: ApprovalSpec::NAMES,
            doc: "Somebody's consent to one plan, by its digest, until a time, once. It never changes.",
            spec: specs::approval(),
            status: statuses::approval(),
            columns: [
                vec![column("Plan", "string", ".spec.plan")],
                readiness(),
                vec![
                    column("Approver", "string", ".spec.approver"),
                    column("Expires", "string", ".spec.expires"),
                    column("Used by", "string", ".status.usedBy"),
                    age(),
                ],
            ]
            .concat(),
            rules: Vec::new(),
            scale: None,
        },
        Definition {
            names: OverrideSpec::NAMES,
            doc: "Somebody's number for an axis of a store, within the bounds of its blueprint. `kubectl scale`, HPA and KEDA write it.",
            spec: specs::overrides(),
            status: statuses::overrides(),
            columns: override_columns(),
            rules: Vec::new(),
            scale: Some(json!({
                "specReplicasPath": ".spec.target",
                "statusReplicasPath": ".status.current",
                "labelSelectorPath": ".status.selector",
            })),
        },
    ]
}

fn finished(definition: Definition) -> Value {
    let Definition { names, doc, spec, status, columns, rules, scale } = definition;
    let mut root = json!({
        "description": doc,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "metadata": { "type": "object" },
            "spec": spec,
            "status": status,
        },
    });
    if !rules.is_empty() {
        root = nodes::ruled(root, &rules);
    }
    let mut subresources = json!({ "status": {} });
    if let Some(scale) = scale {
        set(&mut subresources, "scale", scale);
    }
    let mut called = json!({
        "kind": names.kind,
        "listKind": format!("{}List", names.kind),
        "plural": names.plural,
        "singular": names.singular,
        "categories": [CATEGORY],
    });
    if !names.short.is_empty() {
        set(&mut called, "shortNames", json!(names.short));
    }
    let spec = json!({
        "group": GROUP,
        "names": called,
        "scope": if names.is_namespaced { "Namespaced" } else { "Cluster" },
        "conversion": { "strategy": "None" },
        "versions": [{
            "name": VERSION,
            "served": true,
            "storage": true,
            "additionalPrinterColumns": columns,
            "subresources": subresources,
            "schema": { "openAPIV3Schema": root },
        }],
    });
    let digest = sha256_hex(spec.to_string().as_bytes());
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": names.definition(),
            "annotations": {
                marks::SCHEMA: digest, marks::REVISION: REVISION.to_string(), "helm.sh/resource-policy": "keep",
            },
            "labels": { "app.kubernetes.io/name": "rgctl" },
        },
        "spec": spec,
    })
}

fn column(name: &str, kind: &str, path: &str) -> Value {
    json!({ "name": name, "type": kind, "jsonPath": path })
}

/// A column that is shown by `-o wide` alone.
fn wide(name: &str, kind: &str, path: &str) -> Value {
    let mut column = column(name, kind, path);
    set(&mut column, "priority", json!(1));
    column
}

fn age() -> Value {
    column("Age", "date", ".metadata.creationTimestamp")
}

fn readiness() -> Vec<Value> {
    let of = |field: &str| format!(".status.conditions[?(@.type==\"Ready\")].{field}");
    vec![
        column("Ready", "string", &of("status")),
        column("Reason", "string", &of("reason")),
        wide("Message", "string", &of("message")),
    ]
}

fn blueprint_columns() -> Vec<Value> {
    let mut all = readiness();
    all.extend([
        column("Plan", "string", ".status.plan"),
        column("Drift", "integer", ".status.drift"),
        column("Cost/h", "string", ".status.cost.perHour"),
        column("Regions", "string", ".status.regions"),
        wide("Run", "string", ".status.run"),
        wide("Account", "string", ".status.account"),
        age(),
    ]);
    all
}

fn override_columns() -> Vec<Value> {
    let mut all = vec![
        column("Blueprint", "string", ".spec.blueprint"),
        column("Store", "string", ".spec.store"),
        column("Region", "string", ".spec.region"),
        column("Axis", "string", ".spec.axis"),
        column("Target", "integer", ".spec.target"),
        column("Current", "integer", ".status.current"),
        wide("Until", "string", ".spec.until"),
        wide("Why", "string", ".spec.why"),
    ];
    all.extend(readiness());
    all.push(age());
    all
}

#[cfg(test)]
mod tests;
