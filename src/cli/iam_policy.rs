//! `rgctl iam-policy`: the exact permissions that a blueprint needs.

use std::io::{self, Write};

use clap::Args;

use crate::adapters::aws::iam_policy::{PolicyError, PolicyFor, policy};
use crate::artefacts::node::Desired;

/// Print the least policy with which a blueprint can be observed, or observed and changed.
#[derive(Args, Clone, Debug, Default)]
pub struct IamPolicyArgs {
    /// Only what observing needs.
    #[arg(long)]
    pub read_only: bool,
    /// Bucket in which the record is kept.
    #[arg(long, value_name = "BUCKET")]
    pub bucket: Option<String>,
}

/// Why no policy was printed.
#[derive(Debug, thiserror::Error)]
pub enum IamPolicyError {
    /// There is none.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The result cannot be put into JSON.
    #[error("cannot encode the policy")]
    Encode(#[from] serde_json::Error),
    /// Writing failed.
    #[error("cannot write the policy")]
    Write(#[from] io::Error),
}

/// What a policy for a blueprint is about: the kinds of its objects, and of the snapshots that their deletion leaves.
pub fn wanted(desired: &Desired, args: &IamPolicyArgs) -> PolicyFor {
    let kinds = desired.nodes.keys().flat_map(|at| [Some(at.kind), at.kind.facts().final_snapshot]);
    PolicyFor {
        blueprint: desired.blueprint.clone(),
        kinds: kinds.flatten().collect(),
        regions: desired.regions.clone(),
        writes: !args.read_only,
        bucket: args.bucket.clone(),
    }
}

/// Runs the command.
pub fn run(args: &IamPolicyArgs, desired: &Desired, out: &mut dyn Write) -> Result<u8, IamPolicyError> {
    serde_json::to_writer_pretty(&mut *out, &policy(&wanted(desired, args))?)?;
    writeln!(out)?;
    Ok(0)
}
