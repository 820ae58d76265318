//! What the stages hand each other: data only, all of it serialisable.
//!
//! Goes in: words of the schema, and kinds. Comes out: the nouns that every stage speaks in.
//!
//! **Invariant:** no behaviour beyond constructors, look-ups and display; nothing here decides.
//! **Invariant:** everything is ordered (`BTreeMap`, `BTreeSet`), so that equal inputs give equal texts.

pub mod address;
pub mod answer;
pub mod bill;
pub mod blocker;
pub mod chain;
pub mod checkpoint;
pub mod choices;
pub mod claims;
pub mod health;
pub mod inbox;
pub mod journal;
pub mod kinds;
pub mod node;
pub mod observed;
pub mod overlay;
pub mod plan;
pub mod policy;
pub mod ports;
pub mod quota;
mod reason;
pub mod rules;
pub mod scope;
pub mod seen;
pub mod selection;
pub mod series;
pub mod shared;
pub mod sizes;
pub mod sweep;
