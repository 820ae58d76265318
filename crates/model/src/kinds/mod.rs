//! Kinds: one AWS object each, as a field table, a status table and a row of facts: names, types and shape, and nothing of
//! what a change does or how long it lasts.
//!
//! Goes in: nothing but constants. Comes out: the closed lists [`KindId`] and [`AnyAttrs`] with two visitors, so that
//! generic code is written once over [`Kind`] and forgetting a kind does not compile.
//!
//! **Invariant:** pure data and total functions; no kind knows a plan, a blueprint or a provider's library.
//! **Invariant:** a status word that no table knows is `Phase::Unknown`, never an error or a guess.

pub mod aurora;
pub mod documentdb;
pub mod elasticache;
pub mod facts;
pub mod identity;
pub mod links;
pub mod rds_like;
pub mod redshift;
pub mod secret;
mod setting;
pub mod shared;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use facts::{Endpoint, KindFacts, Parent};
use rgctl_schema::phase::Phase;
use rgctl_schema::table::{self, Attrs};

/// A kind of object: its attributes, its facts. Implemented by the marker types that `kinds!` writes.
pub trait Kind: 'static {
    /// The field table.
    type Attrs: Attrs;
    /// Which kind.
    const ID: KindId;
    /// What the generic code must know.
    const FACTS: KindFacts;
    /// Puts attributes of this kind into the closed enum.
    fn wrap(attrs: Self::Attrs) -> AnyAttrs;
    /// Takes them out again; nothing when they are of another kind.
    fn unwrap(attrs: &AnyAttrs) -> Option<&Self::Attrs>;
    /// Takes them out to change them.
    fn unwrap_mut(attrs: &mut AnyAttrs) -> Option<&mut Self::Attrs>;
}

/// Generic code over the attributes of whatever kind.
pub trait AttrsVisitor {
    /// What it yields.
    type Out;
    /// Called with the kind's own type.
    fn visit<K: Kind>(self, attrs: &K::Attrs) -> Self::Out;
}

macro_rules! kinds {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident = $text:literal, $attrs:ty, $facts:expr;
    )+) => {
        /// Every kind of object that is managed or observed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum KindId {
            $( $(#[doc = $doc])+ #[serde(rename = $text)] $name, )+
        }

        impl KindId {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Such as `aurora.cluster`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
            /// What the generic code must know.
            pub const fn facts(self) -> &'static KindFacts {
                match self { $(Self::$name => const { &$facts }),+ }
            }
        }

        /// Attributes of an object of any kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", content = "attrs")]
        pub enum AnyAttrs {
            $( $(#[doc = $doc])+ #[serde(rename = $text)] $name($attrs), )+
        }

        impl AnyAttrs {
            /// Of which kind.
            pub const fn kind(&self) -> KindId {
                match self { $(Self::$name(_) => KindId::$name),+ }
            }
            /// Runs generic code over the attributes.
            pub fn with<V: AttrsVisitor>(&self, visitor: V) -> V::Out {
                match self { $(Self::$name(attrs) => visitor.visit::<marker::$name>(attrs)),+ }
            }
            /// Attributes of a kind with nothing set.
            pub fn empty(kind: KindId) -> Self {
                match kind { $(KindId::$name => Self::$name(<$attrs>::default())),+ }
            }
            /// Sets or unsets a field by name; the error is text.
            pub fn set(&mut self, field: &str, value: Option<Value>) -> Result<(), String> {
                match self { $(Self::$name(attrs) => set_field(attrs, field, value)),+ }
            }
            /// Copies every field that is set in attributes of the same kind.
            pub fn overlay(&mut self, from: &Self) {
                match (self, from) {
                    $((Self::$name(to), Self::$name(from)) => overlay(to, from),)+
                    _ => {}
                }
            }
            /// Copies one field from attributes of the same kind.
            pub fn copy_field(&mut self, field: &str, from: &Self) {
                match (self, from) {
                    $((Self::$name(to), Self::$name(from)) => copy_field(to, field, from),)+
                    _ => {}
                }
            }
        }

        /// Types that stand for the kinds.
        pub mod marker {
            #[allow(clippy::wildcard_imports, reason = "the kinds' paths are relative to the parent")]
            use super::*;
            $(
                $(#[doc = $doc])+
                #[derive(Debug)]
                pub enum $name {}
                impl Kind for $name {
                    type Attrs = $attrs;
                    const ID: KindId = KindId::$name;
                    const FACTS: KindFacts = $facts;
                    fn wrap(attrs: $attrs) -> AnyAttrs { AnyAttrs::$name(attrs) }
                    fn unwrap(attrs: &AnyAttrs) -> Option<&$attrs> {
                        if let AnyAttrs::$name(attrs) = attrs { Some(attrs) } else { None }
                    }
                    fn unwrap_mut(attrs: &mut AnyAttrs) -> Option<&mut $attrs> {
                        if let AnyAttrs::$name(attrs) = attrs { Some(attrs) } else { None }
                    }
                }
            )+
        }
    };
}

/// A plain object: no data, no members, made and removed at once. The rows below say where they differ.
const PLAIN: KindFacts = KindFacts {
    endpoint: Endpoint::Rds,
    holds_data: false,
    final_snapshot: None,
    parent: None,
    protection: None,
    observe_only: false,
    is_global: false,
    statuses: rds_like::GROUP_STATUSES,
};

kinds! {
    /// Subnet group of Aurora and DocumentDB, which share them.
    RdsSubnetGroup = "rds.subnet_group", shared::SubnetGroupAttrs, PLAIN;
    /// Cluster parameter group of Aurora.
    AuroraClusterParameters = "aurora.cluster_parameters", shared::ParameterGroupAttrs, PLAIN;
    /// Instance parameter group of Aurora.
    AuroraInstanceParameters = "aurora.instance_parameters", shared::ParameterGroupAttrs, PLAIN;
    /// Aurora global cluster.
    AuroraGlobal = "aurora.global", aurora::GlobalAttrs, KindFacts {
        protection: Some("deletion_protection"),
        is_global: true,
        statuses: rds_like::GLOBAL_STATUSES,
        ..PLAIN
    };
    /// Aurora cluster.
    AuroraCluster = "aurora.cluster", aurora::ClusterAttrs, KindFacts {
        holds_data: true,
        final_snapshot: Some(KindId::AuroraSnapshot),
        protection: Some("deletion_protection"),
        statuses: rds_like::CLUSTER_STATUSES,
        ..PLAIN
    };
    /// Aurora instance.
    AuroraInstance = "aurora.instance", aurora::InstanceAttrs, KindFacts {
        parent: Some(Parent { field: "cluster", kind: KindId::AuroraCluster }),
        statuses: rds_like::INSTANCE_STATUSES,
        ..PLAIN
    };
    /// Snapshot of an Aurora cluster.
    AuroraSnapshot = "aurora.snapshot", shared::SnapshotAttrs, KindFacts {
        observe_only: true,
        statuses: rds_like::SNAPSHOT_STATUSES,
        ..PLAIN
    };
    /// Cluster parameter group of DocumentDB.
    DocumentClusterParameters = "documentdb.cluster_parameters", shared::ParameterGroupAttrs, PLAIN;
    /// DocumentDB global cluster.
    DocumentGlobal = "documentdb.global", documentdb::GlobalAttrs, KindFacts {
        protection: Some("deletion_protection"),
        is_global: true,
        statuses: rds_like::GLOBAL_STATUSES,
        ..PLAIN
    };
    /// DocumentDB cluster.
    DocumentCluster = "documentdb.cluster", documentdb::ClusterAttrs, KindFacts {
        holds_data: true,
        final_snapshot: Some(KindId::DocumentSnapshot),
        protection: Some("deletion_protection"),
        statuses: rds_like::CLUSTER_STATUSES,
        ..PLAIN
    };
    /// DocumentDB instance.
    DocumentInstance = "documentdb.instance", documentdb::InstanceAttrs, KindFacts {
        parent: Some(Parent { field: "cluster", kind: KindId::DocumentCluster }),
        statuses: rds_like::INSTANCE_STATUSES,
        ..PLAIN
    };
    /// Snapshot of a DocumentDB cluster.
    DocumentSnapshot = "documentdb.snapshot", shared::SnapshotAttrs, KindFacts {
        observe_only: true,
        statuses: rds_like::SNAPSHOT_STATUSES,
        ..PLAIN
    };
    /// Subnet group of ElastiCache.
    CacheSubnetGroup = "elasticache.subnet_group", shared::SubnetGroupAttrs, KindFacts {
        endpoint: Endpoint::ElastiCache,
        ..PLAIN
    };
    /// Parameter group of ElastiCache.
    CacheParameters = "elasticache.parameters", shared::ParameterGroupAttrs, KindFacts {
        endpoint: Endpoint::ElastiCache,
        ..PLAIN
    };
    /// ElastiCache user.
    CacheUser = "elasticache.user", elasticache::UserAttrs, KindFacts {
        endpoint: Endpoint::ElastiCache,
        statuses: elasticache::USER_STATUSES,
        ..PLAIN
    };
    /// ElastiCache user group.
    CacheUserGroup = "elasticache.user_group", elasticache::UserGroupAttrs, KindFacts {
        endpoint: Endpoint::ElastiCache,
        statuses: elasticache::USER_STATUSES,
        ..PLAIN
    };
    /// ElastiCache global datastore.
    CacheGlobal = "elasticache.global", elasticache::GlobalAttrs, KindFacts {
        endpoint: Endpoint::ElastiCache,
        is_global: true,
        statuses: elasticache::GLOBAL_STATUSES,
        ..PLAIN
    };
    /// ElastiCache replication group.
    CacheGroup = "elasticache.group", elasticache::GroupAttrs, KindFacts {
        endpoint: Endpoint::ElastiCache,
        holds_data: true,
        final_snapshot: Some(KindId::CacheSnapshot),
        statuses: elasticache::GROUP_STATUSES,
        ..PLAIN
    };
    /// ElastiCache serverless cache.
    CacheServerless = "elasticache.serverless", elasticache::ServerlessAttrs, KindFacts {
        endpoint: Endpoint::ElastiCache,
        holds_data: true,
        final_snapshot: Some(KindId::CacheSnapshot),
        statuses: elasticache::SERVERLESS_STATUSES,
        ..PLAIN
    };
    /// Snapshot of a cache.
    CacheSnapshot = "elasticache.snapshot", shared::SnapshotAttrs, KindFacts {
        endpoint: Endpoint::ElastiCache,
        observe_only: true,
        statuses: elasticache::SNAPSHOT_STATUSES,
        ..PLAIN
    };
    /// Subnet group of Redshift.
    RedshiftSubnetGroup = "redshift.subnet_group", shared::SubnetGroupAttrs, KindFacts {
        endpoint: Endpoint::Redshift,
        ..PLAIN
    };
    /// Parameter group of Redshift.
    RedshiftParameters = "redshift.parameters", shared::ParameterGroupAttrs, KindFacts {
        endpoint: Endpoint::Redshift,
        ..PLAIN
    };
    /// Redshift cluster.
    RedshiftCluster = "redshift.cluster", redshift::ClusterAttrs, KindFacts {
        endpoint: Endpoint::Redshift,
        holds_data: true,
        final_snapshot: Some(KindId::RedshiftSnapshot),
        statuses: redshift::CLUSTER_STATUSES,
        ..PLAIN
    };
    /// Redshift Serverless namespace.
    RedshiftNamespace = "redshift.namespace", redshift::NamespaceAttrs, KindFacts {
        endpoint: Endpoint::RedshiftServerless,
        holds_data: true,
        final_snapshot: Some(KindId::RedshiftSnapshot),
        statuses: redshift::SERVERLESS_STATUSES,
        ..PLAIN
    };
    /// Redshift Serverless workgroup.
    RedshiftWorkgroup = "redshift.workgroup", redshift::WorkgroupAttrs, KindFacts {
        endpoint: Endpoint::RedshiftServerless,
        statuses: redshift::SERVERLESS_STATUSES,
        ..PLAIN
    };
    /// Snapshot of a Redshift cluster or namespace.
    RedshiftSnapshot = "redshift.snapshot", shared::SnapshotAttrs, KindFacts {
        endpoint: Endpoint::Redshift,
        observe_only: true,
        statuses: redshift::SNAPSHOT_STATUSES,
        ..PLAIN
    };
    /// Secret with the password of a store's first user.
    Secret = "secretsmanager.secret", secret::SecretAttrs, KindFacts {
        endpoint: Endpoint::SecretsManager,
        ..PLAIN
    };
}

/// The field by which a member names its global object.
const GLOBAL: &str = "global";
/// The field by which a global object names the member that it is made from.
const SOURCE: &str = "source";

impl KindId {
    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }

    /// The kind of the members that objects of this kind have as objects of their own.
    pub fn child_kind(self) -> Option<Self> {
        let is_child = |kind: &Self| kind.facts().parent.is_some_and(|parent| parent.kind == self);
        Self::ALL.iter().copied().find(is_child)
    }

    /// The most members that an object of this kind has, where those are objects of their own: a writer and 15 readers. The
    /// primary of a global object feeds each secondary in place of a reader.
    pub const fn members_max(self) -> Option<usize> {
        match self {
            Self::AuroraCluster | Self::DocumentCluster => Some(16),
            _ => None,
        }
    }

    /// The family's name: the part before the dot.
    pub fn family(self) -> &'static str {
        self.as_str().split_once('.').map_or(self.as_str(), |(family, _)| family)
    }

    /// Fields that name other objects, each with their kind: those of the region, and the global object, whose home may be
    /// another.
    pub fn naming_fields(self) -> impl Iterator<Item = (&'static str, Self)> {
        let references = self.references().iter().map(|reference| (reference.field, reference.kind));
        references.chain(self.global_kind().map(|global| (GLOBAL, global)))
    }

    /// The same and, of a global object, the member that it is made from.
    pub fn binding_fields(self) -> impl Iterator<Item = (&'static str, Self)> {
        self.naming_fields().chain(self.member_kind().map(|member| (SOURCE, member)))
    }

    /// What a status word of the service means for an object of this kind.
    pub fn phase(self, native: &str) -> Phase {
        rds_like::classify(self.facts().statuses, native)
    }
}

impl fmt::Display for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl AnyAttrs {
    /// A field's value by name, when it is set; secret values included, so never print it unasked.
    pub fn get(&self, field: &str) -> Option<Value> {
        struct Get<'a>(&'a str);
        impl AttrsVisitor for Get<'_> {
            type Out = Option<Value>;
            fn visit<K: Kind>(self, attrs: &K::Attrs) -> Option<Value> {
                K::Attrs::FIELDS
                    .iter()
                    .find(|field| field.name == self.0)
                    .and_then(|field| (field.get)(attrs))
            }
        }
        self.with(Get(field))
    }

    /// A field's text by name, when it is set to one.
    pub fn text(&self, field: &str) -> Option<String> {
        match self.get(field)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The names in a field: one, a set of them, or none. An empty text names nothing.
    pub fn names(&self, field: &str) -> Vec<String> {
        match self.get(field) {
            Some(Value::String(name)) if name.is_empty() => Vec::new(),
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(items)) => {
                items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Other objects that the fields name, each with the field that does: see [`KindId::naming_fields`].
    pub fn named(&self) -> Vec<(&'static str, KindId, String)> {
        let fields = self.kind().naming_fields();
        fields
            .flat_map(|(field, kind)| self.names(field).into_iter().map(move |name| (field, kind, name)))
            .collect()
    }

    /// Every field that is set, by name, in the table's order; secret values are hidden.
    pub fn set_fields(&self) -> Vec<(&'static str, Value)> {
        struct Set;
        impl AttrsVisitor for Set {
            type Out = Vec<(&'static str, Value)>;
            fn visit<K: Kind>(self, attrs: &K::Attrs) -> Self::Out {
                let fields = K::Attrs::FIELDS.iter();
                fields
                    .filter_map(|field| {
                        let value = (field.get)(attrs)?;
                        Some((field.name, if field.secret { Value::from(table::HIDDEN) } else { value }))
                    })
                    .collect()
            }
        }
        self.with(Set)
    }

    /// The names of the fields that are set, in the table's order.
    pub fn set_names(&self) -> Vec<&'static str> {
        struct Names;
        impl AttrsVisitor for Names {
            type Out = Vec<&'static str>;
            fn visit<K: Kind>(self, attrs: &K::Attrs) -> Self::Out {
                let fields = K::Attrs::FIELDS.iter();
                fields.filter(|field| (field.is_set)(attrs)).map(|field| field.name).collect()
            }
        }
        self.with(Names)
    }

    /// The name of the global object that the object joins when it is made.
    pub fn joins(&self) -> Option<String> {
        self.kind().global_kind().and_then(|_| self.text(GLOBAL))
    }

    /// Whether the service refuses to delete the object.
    pub fn is_protected(&self) -> bool {
        let field = self.kind().facts().protection;
        field.and_then(|field| self.get(field)) == Some(Value::Bool(true))
    }
}

fn set_field<A: Attrs>(attrs: &mut A, name: &str, value: Option<Value>) -> Result<(), String> {
    match A::FIELDS.iter().find(|field| field.name == name) {
        Some(field) => (field.set)(attrs, value),
        None => Err(format!("there is no field {name:?}")),
    }
}

fn overlay<A: Attrs>(to: &mut A, from: &A) {
    for field in A::FIELDS.iter().filter(|field| (field.is_set)(from)) {
        (field.copy)(to, from);
    }
}

fn copy_field<A: Attrs>(to: &mut A, name: &str, from: &A) {
    if let Some(field) = A::FIELDS.iter().find(|field| field.name == name) {
        (field.copy)(to, from);
    }
}
