//! Small worlds, built by hand, that read as sentences.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rgctl_engine::gate::Verdicts;
use rgctl_engine::planning::{self, NoFigures, PlanInput};
use rgctl_model::address::Address;
use rgctl_model::choices::Choices;
use rgctl_model::claims::NO_CLAIMS;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::{Desired, Keep, Node, Usage};
use rgctl_model::observed::{Facts, Inventory, Observed, ParameterStatus};
use rgctl_model::overlay::HoldOut;
use rgctl_model::plan::{Op, Plan};
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::sizes::Sizes;
use rgctl_schema::names::{BlueprintName, Fingerprint, Name, RegionId, StoreName};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::Moment;
use serde_json::{Value, json};

pub const NOW: Moment = Moment::from_secs(1_800_000_000);

pub fn region(code: &str) -> RegionId {
    RegionId::new(code).unwrap()
}

pub fn address(code: &str, kind: KindId, name: &str) -> Address {
    Address::new(region(code), kind, Name::new(name).unwrap())
}

pub fn attrs(kind: KindId, fields: &[(&str, Value)]) -> AnyAttrs {
    let mut attrs = AnyAttrs::empty(kind);
    for (field, value) in fields {
        attrs.set(field, Some(value.clone())).unwrap_or_else(|error| panic!("{kind} {field}: {error}"));
    }
    attrs
}

pub fn node(address: Address, store: &str, fields: &[(&str, Value)], needs: &[&Address]) -> Node {
    Node {
        attrs: attrs(address.kind, fields),
        address,
        needs: needs.iter().map(|address| (*address).clone()).collect(),
        store: StoreName::new(store).unwrap(),
        keep: Keep::Delete,
        tags: BTreeMap::new(),
        standby: false,
        usage: Usage::default(),
    }
}

pub fn desired(nodes: Vec<Node>) -> Desired {
    let mut desired = Desired {
        home: None,
        blueprint: BlueprintName::new("game").unwrap(),
        regions: nodes.iter().map(|node| node.address.region.clone()).collect(),
        nodes: nodes.into_iter().map(|node| (node.address.clone(), node)).collect(),
        bills: Vec::new(),
        rules: Vec::new(),
        lowered: rgctl_model::node::Lowered::default(),
        uncarried: Vec::new(),
        sizes: Sizes::default(),
        fingerprint: Fingerprint(String::new()),
    };
    desired.regions.insert(region("us-east-1"));
    desired
}

/// A store of one cluster with its groups and members, the first of which is made first and so becomes the writer.
pub fn cluster_store(store: &str, code: &str, members: usize, class: &str) -> Vec<Node> {
    let name = |suffix: &str| format!("game-{store}-{}{suffix}", region(code).short());
    let subnets = address(code, KindId::RdsSubnetGroup, &name(""));
    let parameters = address(code, KindId::AuroraClusterParameters, &name(""));
    let cluster = address(code, KindId::AuroraCluster, &name(""));
    let mut nodes = vec![
        node(
            subnets.clone(),
            store,
            &[("description", json!("game")), ("subnets", json!(["subnet-a", "subnet-b"]))],
            &[],
        ),
        node(
            parameters.clone(),
            store,
            &[("family", json!("aurora-mysql8.0")), ("description", json!("game"))],
            &[],
        ),
        node(
            cluster.clone(),
            store,
            &[
                ("engine", json!("aurora-mysql")),
                ("engine_version", json!("8.0.mysql_aurora.3.08.0")),
                ("subnet_group", json!(name(""))),
                ("parameter_group", json!(name(""))),
                ("storage_encrypted", json!(true)),
                ("deletion_protection", json!(true)),
                ("backup_retention_days", json!(7)),
                ("master_username", json!("admin")),
                ("managed_password", json!(true)),
            ],
            &[&subnets, &parameters],
        ),
    ];
    let first = address(code, KindId::AuroraInstance, &name("-1"));
    for number in 1..=members {
        let mut needs = vec![&cluster];
        if number > 1 {
            needs.push(&first);
        }
        nodes.push(node(
            address(code, KindId::AuroraInstance, &name(&format!("-{number}"))),
            store,
            &[
                ("cluster", json!(name(""))),
                ("engine", json!("aurora-mysql")),
                ("class", json!(class)),
                ("promotion_tier", json!(number.min(15))),
            ],
            &needs,
        ));
    }
    nodes
}

/// The node as it is seen when it has been made and is at rest.
pub fn seen_as_wanted(node: &Node) -> Observed {
    let native = node.address.kind.facts().statuses[0].0;
    let role = match node.address.kind.facts().parent {
        Some(_) if node.address.name.as_str().ends_with("-1") => Some(Role::Writer),
        Some(_) => Some(Role::Reader),
        None => None,
    };
    Observed {
        attrs: node.attrs.clone(),
        pending: None,
        facts: Facts {
            phase: Phase::Ready,
            native: native.to_owned(),
            arn: None,
            role,
            members: Vec::new(),
            tags: node.all_tags(&BlueprintName::new("game").unwrap()),
            id: None,
            created: None,
            endpoint: None,
            access: None,
            used_gib: None,
            parameters: ParameterStatus::InSync,
            is_unread: false,
            cool_down: None,
        },
    }
}

/// A world in which everything is as wanted.
pub fn world_of(desired: &Desired) -> Inventory {
    let mut inventory = Inventory::empty(NOW);
    for node in desired.nodes.values() {
        inventory.seen.insert(node.address.clone(), seen_as_wanted(node));
    }
    inventory
}

pub fn plan_for(desired: &Desired, inventory: &Inventory, policy: &Policy) -> Plan {
    planning::plan(&ask(desired, inventory, policy))
}

/// No region is held out.
pub const NONE_HELD_OUT: &BTreeMap<RegionId, HoldOut> = &BTreeMap::new();

pub fn ask<'a>(desired: &'a Desired, inventory: &'a Inventory, policy: &'a Policy) -> PlanInput<'a> {
    PlanInput {
        desired,
        inventory,
        held_out: NONE_HELD_OUT,
        policy,
        figures: &NoFigures,
        choices: Choices::NONE,
        now: NOW,
        snapshot_suffix: "20270115080000",
        destroy: false,
        claims: &NO_CLAIMS,
        verdicts: no_verdicts(),
        authority: Authority::Person,
    }
}

/// The calls of a take-over.
pub fn take_over_ops(desired: &Desired, inventory: &Inventory) -> Vec<Op> {
    let plan = planning::take_over(&ask(desired, inventory, &Policy::default()), None);
    plan.steps.into_iter().map(|step| step.op).collect()
}

/// Nothing was found about desired state.
pub fn no_verdicts() -> &'static Verdicts {
    static EMPTY: LazyLock<Verdicts> = LazyLock::new(Verdicts::default);
    &EMPTY
}

/// The steps, in order, in short.
pub fn lines(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| {
            let lacking: Vec<String> = step.missing_consent().map(ToString::to_string).collect();
            let held =
                if lacking.is_empty() { String::new() } else { format!(" lacks {}", lacking.join(" ")) };
            format!("{}{held}", step.id.0.replace("us-east-1/", ""))
        })
        .collect()
}

pub fn consents(texts: &[&str]) -> Policy {
    let consents: BTreeSet<_> =
        texts.iter().map(|text| rgctl_model::policy::Consent::parse(text).unwrap()).collect();
    Policy { consents, ..Policy::default() }
}
