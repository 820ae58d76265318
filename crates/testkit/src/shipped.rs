//! The blueprints that are shipped, read as a command reads them.

use rgctl_blueprint::desired::{self, Built};
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_blueprint::spec::Blueprint;
use rgctl_catalog::Catalog;
use rgctl_model::node::Desired;
use rgctl_model::overlay::{Decision, Decisions, Overlay};
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::Source;
use rgctl_sim::GENESIS;

use crate::fixtures::NOW;
use crate::swarm_blueprint::BUILT_IN;

pub const SHIPPED: [&str; 5] =
    ["light-game", "accounts", "rocket-arena", "rocket-arena-china", "rocket-arena-global"];

pub fn shipped(name: &str) -> (Blueprint, ParsedDocuments) {
    let path = format!("{}/../../blueprints/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    read(&std::fs::read_to_string(path).unwrap())
}

pub fn read(text: &str) -> (Blueprint, ParsedDocuments) {
    let reading = ParsedDocuments::of(BUILT_IN.clone(), &[Source::new("test.yaml", text)]);
    assert!(!reading.diagnostics.has_errors(), "{:?}", reading.diagnostics);
    (reading.blueprints[0].blueprint.clone(), reading)
}

pub fn catalog() -> Catalog {
    Catalog::embedded().unwrap()
}

/// What should exist for a shipped blueprint.
pub fn build(name: &str, overlays: &[Overlay]) -> Built {
    let (blueprint, reading) = shipped(name);
    desired::build(&blueprint, &reading.regions, &catalog(), (&standing(overlays), &Sizes::default()), NOW)
        .unwrap_or_else(|findings| panic!("{name}: {findings:?}"))
}

/// What should exist for a shipped blueprint at the beginning of an embedded world.
pub fn desired_of(name: &str) -> Desired {
    let (blueprint, reading) = shipped(name);
    desired::build(
        &blueprint,
        &reading.regions,
        &catalog(),
        (&Decisions::default(), &Sizes::default()),
        GENESIS,
    )
    .unwrap()
    .desired
}

/// What stands after overlays were set, one after the other.
pub fn standing(overlays: &[Overlay]) -> Decisions {
    let mut decisions = Decisions::default();
    for (seq, overlay) in (1..).zip(overlays) {
        decisions.apply(seq, &Decision::Set { overlay: overlay.clone() });
    }
    decisions
}
