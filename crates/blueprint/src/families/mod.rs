//! Families: the typed store section of each, and what only a family knows about its own section.
//!
//! Goes in: the tree of a store section. Comes out: a [`Store`].
//!
//! **Invariant:** only here, in `crates/model/src/kinds/` and in `crates/aws/src/` do the names of the services occur in code.
//! **Invariant:** pure: no clock, no input or output.

pub mod adopt;
pub mod aurora;
pub mod bill;
pub mod checks;
pub mod common;
pub mod documentdb;
pub mod elasticache;
pub mod expand;
pub mod redshift;
pub mod size;

use serde_json::Value;

pub use bill::bill_of;
use common::Common;
pub use redshift::Pause;
use rgctl_model::kinds::aurora::AuroraEngine;
use rgctl_model::kinds::elasticache::CacheEngine;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::did_you_mean;
use rgctl_schema::names::StoreName;
use rgctl_schema::node::{Data, Tree};
use rgctl_schema::section::{Reader, Section, Setting};
use rgctl_schema::shape::{Shape, Table};

macro_rules! families {
    ($($(#[doc = $doc:literal])+ $Family:ident($Section:path, $Engine:path);)+) => {
        /// A store of a blueprint: one section type per family, told apart by `engine`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Store {
            $($(#[doc = $doc])+ $Family($Section),)+
        }

        /// Which family.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Family {
            $($(#[doc = $doc])+ $Family,)+
        }

        impl Store {
            /// What every store has.
            pub const fn common(&self) -> &Common {
                match self { $(Self::$Family(section) => &section.common,)+ }
            }
            /// Which family it is of.
            pub const fn family(&self) -> Family {
                match self { $(Self::$Family(_) => Family::$Family,)+ }
            }
            /// The word of its engine, such as `aurora-mysql`.
            pub const fn engine(&self) -> &'static str {
                match self { $(Self::$Family(section) => section.engine.as_str(),)+ }
            }
            fn variants() -> Vec<(Vec<&'static str>, Table)> {
                vec![$((words::<$Engine>(), <$Section>::table()),)+]
            }
            fn of_engine(engine: &str, tree: &Tree, reader: &mut Reader<'_>) -> Option<Option<Self>> {
                $(if words::<$Engine>().contains(&engine) {
                    return Some(reader.section::<$Section>(tree).map(Self::$Family));
                })+
                None
            }
        }

        impl Setting for Store {
            fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
                decode_store(tree, reader)
            }
            fn encode(&self) -> Option<Value> {
                match self { $(Self::$Family(section) => section.encode(),)+ }
            }
            fn shape() -> Shape {
                Shape::OneOf {
                    name: "Store",
                    doc: "A data store. Its `engine` decides which fields it has.",
                    tag: "engine",
                    variants: Self::variants(),
                }
            }
        }
        rgctl_schema::setting_serde!(Store);
    };
}

families! {
    /// Relational: Aurora MySQL and PostgreSQL.
    Aurora(aurora::AuroraStore, AuroraEngine);
    /// Documents: DocumentDB.
    DocumentDb(documentdb::DocumentStore, documentdb::DocumentEngine);
    /// In memory: ElastiCache.
    ElastiCache(elasticache::CacheStore, CacheEngine);
    /// Warehouse: Redshift.
    Redshift(redshift::WarehouseStore, redshift::WarehouseEngine);
}

impl Store {
    /// Its name within the blueprint.
    pub const fn name(&self) -> &StoreName {
        &self.common().name
    }
}

/// The words of a choice.
fn words<T: Setting>() -> Vec<&'static str> {
    match T::shape() {
        Shape::Choice(choice) => choice.words.into_iter().map(|(word, _)| word).collect(),
        _ => Vec::new(),
    }
}

fn decode_store(tree: &Tree, reader: &mut Reader<'_>) -> Option<Store> {
    let words: Vec<&str> = Store::variants().into_iter().flat_map(|(words, _)| words).collect();
    if !matches!(tree.data, Data::Map(_)) {
        reader.wrong_type(tree, "a store", "{ name: accounts, engine: aurora-mysql }");
        return None;
    }
    let Some(engine) = tree.get("engine").filter(|value| value.data != Data::Null) else {
        let place = tree.locate("");
        let problem = reader
            .within("engine", |reader| {
                reader.error(codes::MISSING_FIELD, place, "the field `engine` is missing")
            })
            .label("in this store")
            .help(format!("add `engine:` with one of: {}", words.join(", ")));
        reader.report(problem);
        return None;
    };
    let word = reader.within("engine", |reader| reader.word(engine, "an engine", "aurora-mysql"))?;
    if let Some(store) = Store::of_engine(word, tree, reader) {
        return store;
    }
    let near = alias(word).or_else(|| did_you_mean(word, words.iter().copied()));
    let help = near.map_or_else(
        || format!("one of: {}", words.join(", ")),
        |near| format!("did you mean `{near}`? The engines are: {}", words.join(", ")),
    );
    let problem = reader.within("engine", |reader| {
        reader
            .error(codes::UNKNOWN_WORD, engine.mark, format!("there is no engine `{word}`"))
            .label("unknown engine")
            .help(help)
    });
    reader.report(problem);
    // What else is wrong with the store is told by what was meant.
    let near = near?;
    Store::of_engine(near, &tree.with("engine", near), reader).flatten()
}

/// What people call an engine that has another name here.
fn alias(word: &str) -> Option<&'static str> {
    match word.to_lowercase().as_str() {
        "mysql" | "mariadb" => Some("aurora-mysql"),
        "postgres" | "postgresql" | "pg" | "aurora-postgres" => Some("aurora-postgresql"),
        "mongo" | "mongodb" | "docdb" => Some("documentdb"),
        "elasticache" | "memcached" | "cache" => Some("valkey"),
        _ => None,
    }
}
