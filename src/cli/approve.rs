//! `rgctl approve`: somebody's consent to a plan in a cluster, by its digest, until a time, once.

use std::collections::BTreeSet;

use serde_json::json;

use super::error::Failure;
use super::exit::Exit;
use super::operator_args::ApproveArgs;
use super::output::Output;
use rgctl_kube::client::{Use, connect};
use rgctl_kube::desk::{Desk, DeskError};
use rgctl_kube::item::{Item, Place, Watched};
use rgctl_kube::kinds::approval::LASTS_MAX;
use rgctl_kube::kinds::condition::{Holds, find, types};
use rgctl_kube::kinds::plan::{Phase, PlanSpec, PlanStatus};
use rgctl_kube::kinds::{ApprovalSpec, ApprovalStatus, COMMAND_LINE};
use rgctl_kube::place::Cluster;
use rgctl_machine::SystemClock;
use rgctl_model::policy::Consent;
use rgctl_model::ports::Clock;
use rgctl_schema::time::{Moment, Span};

/// Digits of the digest in the name of an approval.
const DIGITS: usize = 6;
/// Two approvals that end so soon after each other are one.
const SAME: Span = Span::from_mins(5);

/// Makes the approval.
pub async fn run(args: &ApproveArgs, output: &mut Output) -> Result<(), Failure> {
    if args.lasts > LASTS_MAX {
        let why = format!("an approval is good for {LASTS_MAX} at most: nothing was approved");
        return Err(Failure::new(Exit::BadInput, why).hint(format!("`--for {LASTS_MAX}`, or less")));
    }
    let cluster = args.cluster.context.clone().map_or(Cluster::Here, Cluster::Context);
    let client = connect(&cluster, COMMAND_LINE, Use::Calls).await;
    let desk = Desk::new(client.map_err(|error| Failure::of(Exit::BadInput, &error))?);
    let place = Place::new(&args.namespace, &args.plan);
    let failed = |error: DeskError| match error {
        DeskError::Refused { .. } => Failure::of(Exit::Refused, &error),
        DeskError::Gone | DeskError::Away { .. } => Failure::of(Exit::Error, &error),
    };
    let plan = desk.read(Watched::Plan, &place).await.map_err(failed)?.ok_or_else(|| {
        Failure::new(Exit::BadInput, format!("there is no plan {place}"))
            .hint(format!("`kubectl get plans -n {}` shows those that there are", args.namespace))
    })?;
    let unreadable = |error: serde_json::Error| Failure::new(Exit::Error, format!("plan {place}: {error}"));
    let spec: PlanSpec = serde_json::from_str(&plan.spec).map_err(unreadable)?;
    let status: PlanStatus = serde_json::from_str(&plan.status).unwrap_or_default();
    if status.phase != Phase::Pending {
        let word = status.phase.as_str();
        return Err(Failure::new(Exit::StalePlan, format!("plan {place} waits for nobody: it is {word}"))
            .hint("the status of its blueprint names the plan that waits now"));
    }
    let given = consents(args)?;
    let lacking: Vec<String> = spec.consents.iter().filter(|text| !covers(&given, text)).cloned().collect();
    if !lacking.is_empty() {
        let options: Vec<String> = lacking.iter().map(|text| format!("--allow {text}")).collect();
        return Err(Failure::new(
            Exit::Refused,
            format!("plan {place} takes {}; nothing was approved", lacking.join(", ")),
        )
        .hint(format!("if this is meant: {}", options.join(" "))));
    }
    let approver = desk.who_am_i().await.map_err(failed)?;
    let now = SystemClock.now();
    let approval = ApprovalSpec {
        plan: args.plan.clone(),
        digest: spec.digest.clone(),
        approver,
        consents: given.iter().map(ToString::to_string).collect(),
        expires: now + args.lasts,
        why: args.why.clone(),
    };
    // The same agreement has the same name; where the first cannot stand for it, it has one more.
    let same = format!("{} {} {:?}", plan.uid(), approval.approver, approval.consents);
    for text in [same.clone(), format!("{same} {}", now.as_millis())] {
        let own = Place::new(&args.namespace, &format!("{}-{}", args.plan, letters(&text)));
        let made = serde_json::to_value(&approval).map_err(unreadable)?;
        if desk.make(Watched::Approval, &own, json!({}), &made).await.map_err(failed)?.is_some() {
            output.say(&format!("approved by {} until {}: {own}", approval.approver, approval.expires));
            return Ok(());
        }
        let before = desk.read(Watched::Approval, &own).await.map_err(failed)?;
        if let Some(until) = before.and_then(|before| stands(&before, &approval, now)) {
            let who = &approval.approver;
            output
                .say(&format!("approved by {who} already, until {until}: {own}; nothing more was approved"));
            return Ok(());
        }
    }
    Err(Failure::new(Exit::Error, format!("somebody approves plan {place} at this moment"))
        .hint("give the same command again"))
}

/// Until when an approval that was made before stands for the one that is wanted now; nothing where it does not: it is another one, or
/// does not count, or ends sooner than was asked for by more than the time that this has taken.
fn stands(before: &Item, wanted: &ApprovalSpec, now: Moment) -> Option<Moment> {
    let spec: ApprovalSpec = serde_json::from_str(&before.spec).ok()?;
    let status: ApprovalStatus = serde_json::from_str(&before.status).unwrap_or_default();
    let is_refused = find(&status.conditions, types::READY).is_some_and(|one| one.status == Holds::False);
    let is_same = (&spec.plan, &spec.digest, &spec.approver, &spec.consents)
        == (&wanted.plan, &wanted.digest, &wanted.approver, &wanted.consents);
    let is_as_long = spec.expires + SAME >= wanted.expires;
    (is_same && is_as_long && !is_refused && status.used_by.is_none() && spec.expires > now)
        .then_some(spec.expires)
}

fn letters(text: &str) -> String {
    rgctl_schema::digest::sha256_hex(text.as_bytes()).chars().take(DIGITS).collect()
}

fn consents(args: &ApproveArgs) -> Result<BTreeSet<Consent>, Failure> {
    let parse = |text: &String| {
        Consent::parse(text).ok_or_else(|| {
            Failure::new(Exit::BadInput, format!("`{text}` is no consent"))
                .hint("write it as the plan does, such as `delete:accounts@eu-west-1`")
        })
    };
    args.allow.iter().map(parse).collect()
}

/// Whether one of the consents is the one that is asked for, or more.
fn covers(given: &BTreeSet<Consent>, text: &str) -> bool {
    let request = serde_json::from_value(serde_json::Value::from(text));
    request.is_ok_and(|request| given.iter().any(|consent| consent.covers(&request)))
}
