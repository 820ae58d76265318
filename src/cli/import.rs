//! `rgctl import`: what exists and is not ours, and taking it over by its tags.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;

use super::error::Failure;
use super::outside::Outside;
use crate::adapters::machine;
use crate::artefacts::address::Address;
use crate::artefacts::journal::{Event, Outcome, Purpose};
use crate::artefacts::node::Desired;
use crate::artefacts::plan::Op;
use crate::artefacts::policy::Policy;
use crate::artefacts::seen::{Inventory, Seen};
use crate::execution::drive::LEASE;
use crate::seams::Clock;
use crate::seams::{Cloud, CloudError};
use crate::vocabulary::names::Token;

/// List objects that are not ours, and take over those that the blueprint names.
#[derive(Args, Clone, Debug, Default)]
pub struct ImportArgs {
    /// Take over: set the tags of ownership on the objects that the blueprint names and that belong to nobody.
    #[arg(long)]
    pub take_over: bool,
}

/// Objects without an owner, and those of others, in the order of their addresses.
pub fn strangers<'a>(seen: &'a Inventory, desired: &Desired) -> Vec<(&'a Address, &'a Seen)> {
    let is_ours = |one: &Seen| one.owner() == Some(desired.blueprint.as_str());
    seen.seen.iter().filter(|(at, one)| !at.kind.facts().observe_only && !is_ours(one)).collect()
}

/// The calls that take over: tags on objects that the blueprint wants and that nobody owns. An object of another
/// blueprint is never taken.
pub fn adoptions(desired: &Desired, seen: &Inventory) -> Vec<Op> {
    let free = |at: &&Address| seen.seen.get(*at).is_some_and(|one| one.owner().is_none());
    let wanted = desired.nodes.iter().filter(|(at, _)| free(at));
    wanted.map(|(at, node)| Op::Tag { at: at.clone(), tags: node.all_tags(&desired.blueprint) }).collect()
}

/// What an import found and did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// Objects taken over.
    pub taken: Vec<Address>,
    /// Objects that refused.
    pub refused: BTreeMap<Address, CloudError>,
}

/// Takes over under the lease and on the record, like every other change: intents before, outcomes after.
pub async fn take_over(
    args: &ImportArgs,
    outside: &Outside,
    desired: &Desired,
    seen: &Inventory,
    out: &mut (dyn Write + Send),
) -> Result<BTreeMap<Address, CloudError>, Failure> {
    let (owner, store, blueprint) = (machine::owner(), &outside.store, &desired.blueprint);
    let run_id = machine::new_run(&owner, outside.wall.now());
    let lease = store.take_lease(blueprint, &run_id, &owner, outside.wall.now(), LEASE).await?;
    let end = store.entries(blueprint, 0).await?.last().map_or(0, |entry| entry.seq);
    let ops = adoptions(desired, seen);
    let mut begun = vec![Event::Opened {
        purpose: Purpose::Apply,
        policy: Policy::default(),
        desired: desired.fingerprint.clone(),
        steps: ops.len(),
    }];
    begun.extend(ops.iter().map(|op| Event::Intended {
        step: op.step_id(),
        at: op.at().clone(),
        word: op.word().to_owned(),
        token: Token(format!("import {}", op.step_id())),
        leaves: None,
        why: "taken over on consent".to_owned(),
        changes: Vec::new(),
    }));
    let end = store.append(&lease, end, outside.clock.now(), &begun).await?;
    let done = run(args, &*outside.cloud, desired, seen, out).await?;
    let mut ended: Vec<Event> = ops
        .iter()
        .map(|op| match done.refused.get(op.at()) {
            Some(error) => Event::Failed { step: op.step_id(), why: error.to_string() },
            None => Event::Settled { step: op.step_id() },
        })
        .collect();
    let summary = format!("{} taken over, {} refused", done.taken.len(), done.refused.len());
    let outcome = if done.refused.is_empty() { Outcome::Settled } else { Outcome::Blocked };
    ended.push(Event::Closed { outcome, summary });
    store.append(&lease, end, outside.clock.now(), &ended).await?;
    store.release_lease(&lease).await?;
    Ok(done.refused)
}

/// Runs the command: shows what would be taken over, and takes it over on consent only.
pub async fn run(
    args: &ImportArgs,
    cloud: &dyn Cloud,
    desired: &Desired,
    seen: &Inventory,
    out: &mut dyn Write,
) -> io::Result<Imported> {
    let mut done = Imported::default();
    let ops = adoptions(desired, seen);
    for (at, one) in strangers(seen, desired) {
        let wanted =
            if desired.nodes.contains_key(at) { "named by the blueprint" } else { "not in the blueprint" };
        let owner = one.owner().unwrap_or("nobody");
        writeln!(out, "{at}  {}  owner: {owner}  {wanted}", one.facts.native)?;
        if let Some(node) = desired.nodes.get(at) {
            for change in node.attrs.diff(&one.attrs) {
                let before = change.before.map_or_else(|| "unset".to_owned(), |value| value.to_string());
                writeln!(out, "    {}: {before} -> {} ({})", change.field, change.after, change.change)?;
            }
        }
    }
    if !args.take_over {
        writeln!(out, "{} of them would be taken over with --take-over", ops.len())?;
        return Ok(done);
    }
    for op in ops {
        // A token that names the step: the same tags set twice are the same tags.
        match cloud.call(&op, &Token(format!("import {}", op.step_id()))).await {
            Ok(_) => done.taken.push(op.at().clone()),
            Err(error) => {
                writeln!(out, "{} was not taken over: {error}", op.at())?;
                done.refused.insert(op.at().clone(), error);
            }
        }
    }
    writeln!(out, "{} taken over, {} refused", done.taken.len(), done.refused.len())?;
    Ok(done)
}
