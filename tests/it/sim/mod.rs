//! The embedded cloud, from outside: through its ports.

mod documented;
mod faults;
mod files;
mod hands;
mod hosts;
mod laws;
mod pace;
mod parameters;
mod refusals;
mod roles;
mod rules;
mod secrets;
mod walks;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, AttrsVisitor, Kind, KindId};
use rgctl_model::observed::{Inventory, Observed, Selection};
use rgctl_model::plan::{Op, Verb};
use rgctl_model::ports::{Cloud, CloudError, Permit};
use rgctl_schema::names::{Name, RegionId, Token};
use rgctl_schema::table::Attrs;
use rgctl_schema::time::Span;
use rgctl_sim::{GENESIS, SimCloud};
use serde_json::{Value, json};

pub const REGION: &str = "us-east-1";
pub const OTHER: &str = "us-west-2";

pub fn address(kind: KindId, name: &str) -> Address {
    in_region(REGION, kind, name)
}

pub fn in_region(region: &str, kind: KindId, name: &str) -> Address {
    Address::new(RegionId::new(region).unwrap(), kind, Name::new(name).unwrap())
}

pub fn attrs(kind: KindId, fields: &Value) -> AnyAttrs {
    let mut attrs = AnyAttrs::empty(kind);
    for (field, value) in fields.as_object().unwrap() {
        attrs.set(field, Some(value.clone())).unwrap_or_else(|why| panic!("{kind} {field}: {why}"));
    }
    attrs
}

/// The embedded cloud answers at once, so that a runtime without timers is enough.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub struct TestCloud {
    pub cloud: SimCloud,
    calls: std::cell::Cell<u64>,
}

impl TestCloud {
    pub fn new(seed: u64) -> Self {
        Self::of(SimCloud::in_memory(seed, GENESIS))
    }
    pub fn of(cloud: SimCloud) -> Self {
        Self { cloud, calls: std::cell::Cell::new(0) }
    }
    pub fn call(&self, op: &Op) -> Result<(), CloudError> {
        self.calls.set(self.calls.get() + 1);
        self.call_with(op, &format!("token-{}", self.calls.get()))
    }
    pub fn call_with(&self, op: &Op, token: &str) -> Result<(), CloudError> {
        block_on(self.cloud.call(op, &Token(token.to_owned()), &Permit::always())).map(|_| ())
    }
    pub fn create(&self, address: &Address, fields: &Value) -> Result<(), CloudError> {
        let attrs = attrs(address.kind, fields);
        self.call(&Op::Create { address: address.clone(), attrs, tags: BTreeMap::new() })
    }
    pub fn modify(&self, address: &Address, fields: &Value) -> Result<(), CloudError> {
        let attrs = attrs(address.kind, fields);
        self.call(&Op::Modify { address: address.clone(), changes: Vec::new(), attrs })
    }
    pub fn delete(&self, address: &Address, snapshot: Option<&str>) -> Result<(), CloudError> {
        let final_snapshot = snapshot.map(|name| Name::new(name).unwrap());
        self.call(&Op::Delete { address: address.clone(), final_snapshot })
    }
    pub fn act(&self, address: &Address, verb: Verb) -> Result<(), CloudError> {
        self.call(&Op::Act { address: address.clone(), verb })
    }
    pub fn pass(&self, span: Span) {
        self.cloud.advance(span).unwrap();
    }
    /// Makes an object and waits until it is there.
    pub fn make(&self, address: &Address, fields: &Value) {
        self.create(address, fields).unwrap_or_else(|error| panic!("{address}: {error}"));
        self.pass(Span::from_hours(12));
    }
    pub fn look(&self) -> Inventory {
        let regions = [REGION, OTHER].map(|code| RegionId::new(code).unwrap());
        block_on(self.cloud.observe(&Selection { regions: BTreeSet::from(regions), ..Selection::default() }))
            .unwrap()
    }
    pub fn see(&self, address: &Address) -> Option<Observed> {
        self.look().seen.get(address).cloned()
    }
    pub fn native(&self, address: &Address) -> String {
        self.see(address).unwrap().facts.native
    }
    /// A cluster `main` with members `main-1` to `main-n`, in tiers of that order.
    pub fn cluster(&self, members: usize) -> (Address, Vec<Address>) {
        let cluster = address(KindId::AuroraCluster, "main");
        self.make(&cluster, &cluster_fields());
        let members: Vec<Address> =
            (1..=members).map(|n| address(KindId::AuroraInstance, &format!("main-{n}"))).collect();
        for (tier, member) in members.iter().enumerate() {
            self.make(member, &member_fields("main", tier));
        }
        (cluster, members)
    }
}

pub fn cluster_fields() -> Value {
    json!({ "engine": "aurora-mysql", "engine_version": "8.0.mysql_aurora.3.08.0",
            "deletion_protection": false, "backup_retention_days": 7 })
}

pub fn member_fields(cluster: &str, tier: usize) -> Value {
    json!({ "cluster": cluster, "engine": "aurora-mysql", "class": "db.r7g.xlarge", "promotion_tier": tier })
}

/// Every field of a kind with a value of its type: the first or the second of two that differ.
pub fn all_fields(kind: KindId, second: bool) -> BTreeMap<&'static str, Value> {
    struct All(bool);
    impl AttrsVisitor for All {
        type Out = BTreeMap<&'static str, Value>;
        fn visit<K: Kind>(self, _: &K::Attrs) -> Self::Out {
            let pick = |a: Value, b: Value| if self.0 { b } else { a };
            let mut all = BTreeMap::new();
            for field in K::Attrs::FIELDS {
                let candidates = match (field.name, field.type_name) {
                    ("class", _) => pick(json!("db.r7g.xlarge"), json!("db.r7g.2xlarge")),
                    ("node_type", _) if K::ID == KindId::CacheGroup => {
                        pick(json!("cache.r7g.large"), json!("cache.r7g.xlarge"))
                    }
                    ("node_type", _) => pick(json!("ra3.xlplus"), json!("ra3.4xlarge")),
                    ("engine_version", _) => pick(json!("16.4"), json!("16.6")),
                    ("engine", "AuroraEngine") => json!("aurora-postgresql"),
                    ("engine", _) => pick(json!("redis"), json!("valkey")),
                    ("storage_kind", _) => pick(json!("standard"), json!("io-optimized")),
                    ("cluster_mode", _) => pick(json!("compatible"), json!("enabled")),
                    ("source_region", _) => json!(REGION),
                    ("shards", _) => pick(json!(1), json!(3)),
                    // Encryption is not changed under users, who need it.
                    ("transit_encryption", _) => pick(json!("preferred"), json!(true)),
                    ("user_group", _) => pick(json!(""), json!("default")),
                    (_, "bool") => pick(json!(false), json!(true)),
                    (_, "u16" | "u32" | "u64") => pick(json!(2), json!(4)),
                    (_, text) if text.contains("BTreeSet") => pick(json!(["default"]), json!(["default-2"])),
                    (_, text) if text.contains("BTreeMap") => pick(json!({"a": "1"}), json!({"a": "2"})),
                    _ => pick(json!("default"), json!("default-2")),
                };
                all.insert(field.name, candidates);
            }
            all
        }
    }
    AnyAttrs::empty(kind).with(All(second))
}
