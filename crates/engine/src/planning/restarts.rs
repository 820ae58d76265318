//! Parameters that were accepted and are not in effect: what uses their group is restarted for them, and the plan that
//! changes such a parameter has the restarts in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::draft::{Draft, StepNo};
use super::input::{PlanInput, side_by_side};
use super::rolling::parent_of;
use super::tables;
use super::wanted_step::step;
use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::Node;
use rgctl_model::observed::{Observed, ParameterStatus};
use rgctl_model::plan::{Op, Reason, Verb};
use rgctl_schema::names::Name;
use rgctl_schema::phase::Phase;
use rgctl_schema::table::{Change, FieldChange};

/// The field that names the group of an object.
pub(super) const PARAMETER_GROUP: &str = "parameter_group";

/// The field that names the authority of an object's certificate.
const CERTIFICATE: &str = "ca_certificate";

/// Of an object that is there: whether parameters wait for its restart, which is added unless it restarts anyway. Where no call
/// restarts such an object, it is said.
pub(super) fn note<'a>(
    input: &PlanInput<'a>,
    node: &'a Node,
    seen: &'a Observed,
    draft: &mut Draft<'a>,
) -> bool {
    let why = match seen.facts.parameters {
        ParameterStatus::InSync | ParameterStatus::Applying => return false,
        // What is started anew takes them up.
        ParameterStatus::PendingReboot if seen.facts.phase == Phase::Stopped => return false,
        ParameterStatus::PendingReboot if tables::of(node.address.kind).takes_reboot => {
            restart(input, node, seen, &[], draft);
            return true;
        }
        ParameterStatus::PendingReboot => "and rgctl makes no restart by which they would be",
        ParameterStatus::NotApplied => "as the service tells",
    };
    draft.notes.push(format!("{}: parameters that were changed are not in effect, {why}", node.address));
    true
}

/// The step after which parameters are in effect: one that restarts the object anyway and comes after its own changes of them, else
/// a restart.
fn restart<'a>(
    input: &PlanInput<'a>,
    node: &'a Node,
    seen: &'a Observed,
    causes: &[StepNo],
    draft: &mut Draft<'a>,
) -> StepNo {
    let restarts = |no: &&StepNo| draft.get(**no).is_some_and(|entry| surely_restarts(&entry.step.op));
    // The steps of one object are done one after the other.
    let own = draft.of(&node.address).iter().rev().take_while(|no| !causes.contains(no));
    if let Some(no) = own.copied().collect::<Vec<_>>().iter().find(restarts) {
        return *no;
    }
    let op = Op::Act { address: node.address.clone(), verb: Verb::Reboot };
    let step = step(input, node, Some(seen), op, Reason::ParametersWait, BTreeSet::new());
    draft.push(step, Some(node), Some(seen))
}

/// Whether an operation restarts its object for certain. Another certificate is planned for as a restart, and many versions take it without
/// one (`SupportsCertificateRotationWithoutRestart`).
fn surely_restarts(op: &Op) -> bool {
    match op {
        Op::Modify { changes, .. } => {
            changes.iter().any(|change| change.change >= Change::Restart && change.field != CERTIFICATE)
        }
        _ => op.restarts(),
    }
}

/// Adds the restarts that follow from changes of parameters in this plan, behind them.
pub(super) fn follow<'a>(input: &PlanInput<'a>, draft: &mut Draft<'a>) {
    let causes: BTreeMap<Address, StepNo> = draft
        .entries()
        .filter_map(|(no, entry)| {
            let Op::Modify { address, changes, .. } = &entry.step.op else { return None };
            let family = entry.seen?.attrs.text("family").unwrap_or_default();
            // What restarts its object, and its members with it, takes them up.
            let waits = !surely_restarts(&entry.step.op)
                && changes.iter().any(|change| at_restart(address.kind, &family, change));
            waits.then(|| (address.clone(), no))
        })
        .collect();
    if causes.is_empty() {
        return;
    }
    for pair in side_by_side(input) {
        let (Some((_, node)), Some((address, seen))) = pair else { continue };
        let seen: &Observed = seen;
        if !tables::of(address.kind).takes_reboot
            || !input.owns(address, seen)
            || !seen.facts.phase.serves()
            || draft.deletion_of(address).is_some()
        {
            continue;
        }
        let parent = parent_of(address, Some(node), Some(seen));
        let of_parent = parent.as_ref().and_then(|parent| input.inventory.seen.get(parent));
        let attrs = std::iter::once(&seen.attrs).chain(of_parent.map(|parent| &parent.attrs));
        let groups = attrs.flat_map(|attrs| named_by(address, attrs));
        let about = groups.chain([address.clone()]).chain(parent);
        let before: Vec<StepNo> = about.filter_map(|one| causes.get(&one).copied()).collect();
        if before.is_empty() {
            continue;
        }
        let restart = restart(input, node, seen, &before, draft);
        for cause in before {
            draft.need(restart, cause);
        }
    }
}

/// Whether a change sets a parameter that takes effect at a restart. Those of another group do, all of them. Source: RDS API
/// reference, `ModifyDBInstance`, and Redshift API reference, `ModifyCluster`, on the group of parameters.
fn at_restart(kind: KindId, family: &str, change: &FieldChange) -> bool {
    if change.field == PARAMETER_GROUP {
        return true;
    }
    let is_static = tables::of(kind).at_restart;
    if let Some(("parameters", name)) = change.taken_out() {
        return is_static(family, name);
    }
    let before = change.before.as_ref();
    let differs = |name: &str, value: &Value| before.and_then(|before| before.get(name)) != Some(value);
    let mut after = change.after.as_object().into_iter().flatten();
    change.field == "parameters" && after.any(|(name, value)| differs(name, value) && is_static(family, name))
}

/// The objects of the region that attributes name.
fn named_by(near: &Address, attrs: &AnyAttrs) -> Vec<Address> {
    let address = |(_, kind, name): (&str, KindId, String)| {
        Some(Address::new(near.region.clone(), kind, Name::new(name).ok()?))
    };
    attrs.named().into_iter().filter_map(address).collect()
}
