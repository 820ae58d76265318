//! `rgctl iam-policy`: the exact permissions that a blueprint needs. It needs no provider and no SDK.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::args::OutputForm;
use super::error::Failure;
use super::exit::Exit;
use super::output::Output;
use super::settings::{Settings, StoreSettings};
use crate::adapters::aws::iam_policy::{PolicyFor, RecordPlace, policy};
use crate::artefacts::node::Desired;
use crate::report::document::{document, format};
use crate::vocabulary::names::BlueprintName;

/// Print the least policy with which a blueprint can be observed, or observed and changed.
#[derive(Args, Clone, Debug, Default)]
pub struct IamPolicyArgs {
    /// Only what observing needs.
    #[arg(long)]
    pub read_only: bool,
}

/// A policy and what it is for.
#[derive(Clone, Debug, Serialize)]
struct PolicyReport<'a> {
    blueprint: &'a BlueprintName,
    read_only: bool,
    policy: Value,
}

/// What a policy for a blueprint is about: the kinds of its objects, and of the snapshots that their deletion leaves.
pub fn wanted(desired: &Desired, args: &IamPolicyArgs, settings: &Settings) -> PolicyFor {
    let kinds = desired.nodes.keys().flat_map(|at| [Some(at.kind), at.kind.facts().final_snapshot]);
    let prefix = format!("{}-", desired.blueprint);
    let adopted = desired.nodes.keys().filter(|at| !at.name.as_str().starts_with(&prefix));
    PolicyFor {
        blueprint: desired.blueprint.clone(),
        kinds: kinds.flatten().collect(),
        regions: desired.regions.clone(),
        writes: !args.read_only,
        adopted: adopted.map(|at| (at.kind, at.name.to_string())).collect(),
        record: record(settings),
    }
}

/// The record on S3, if that is where it is.
pub fn record(settings: &Settings) -> Option<RecordPlace> {
    match &settings.store {
        StoreSettings::Folder | StoreSettings::Unnamed => None,
        StoreSettings::Bucket { bucket, prefix } => {
            Some(RecordPlace { bucket: bucket.clone(), prefix: prefix.clone() })
        }
    }
}

/// Runs the command. As text it is the bare document, which the provider's own tools take as it is.
pub fn run(
    args: &IamPolicyArgs,
    desired: &Desired,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let policy =
        policy(&wanted(desired, args, settings)).map_err(|error| Failure::of(Exit::BadInput, &error))?;
    let report = PolicyReport { blueprint: &desired.blueprint, read_only: args.read_only, policy };
    match settings.output {
        OutputForm::Text => output.document(&report.policy, OutputForm::Json)?,
        OutputForm::Markdown | OutputForm::Html => output.data(&markdown(&report))?,
        form => output.document(&document(format::IAM_POLICY, &report), form)?,
    }
    Ok(())
}

fn markdown(report: &PolicyReport<'_>) -> String {
    let purpose = if report.read_only { "observe" } else { "observe and change" };
    let mut out = format!("## Permissions to {purpose} {}\n", report.blueprint);
    // A JSON value always serialises, and writing to a String cannot fail.
    let text = serde_json::to_string_pretty(&report.policy).unwrap_or_default();
    let _ = writeln!(out, "\n```json\n{text}\n```");
    out
}
