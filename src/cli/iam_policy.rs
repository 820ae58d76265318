//! `rgctl iam-policy`: the exact permissions that a blueprint needs. It needs no provider and no SDK.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::adapters;
use super::args::OutputForm;
use super::error::Failure;
use super::exit::Exit;
use super::identities::{Identities, Identity};
use super::output::Output;
use super::settings::{Settings, StoreSettings};
use crate::report::document::{document, format};
use rgctl_engine::execution::turn::Pace;
use rgctl_engine::ledger::Ledger;
use rgctl_machine::SystemClock;
use rgctl_model::address::Address;
use rgctl_model::node::Desired;
use rgctl_model::ports::Clock;
use rgctl_model::scope::{CloudKind, Scope};
use rgctl_permissions::policy_parts::{ATTACHED_MAX, CHARACTERS_MAX, characters};
use rgctl_permissions::{PolicyFor, RecordPlace, policies};
use rgctl_schema::diagnostic::did_you_mean;
use rgctl_schema::names::{AccountName, BlueprintName, Partition, RegionId};
use rgctl_sim::SimCloud;
use rgctl_store::objects::WorldFile;

/// Print the least policy with which a blueprint can be observed, or observed and changed.
///
/// A managed policy takes 6,144 characters without white space. What is longer comes in parts, all of which are attached
/// to the role: as text they are a list of documents, and `--part N` prints one of them as the bare document that IAM takes.
#[derive(Args, Clone, Debug, Default)]
pub struct IamPolicyArgs {
    /// Only what observing needs.
    #[arg(long)]
    pub read_only: bool,
    /// Only this one of the parts, from 1.
    #[arg(long, value_name = "N")]
    pub part: Option<usize>,
}

/// A policy and what it is for.
#[derive(Clone, Debug, Serialize)]
struct PolicyReport<'a> {
    blueprint: &'a BlueprintName,
    read_only: bool,
    policies: Vec<Part>,
}

/// One document of a policy.
#[derive(Clone, Debug, Serialize)]
struct Part {
    #[serde(rename = "part")]
    number: usize,
    of: usize,
    /// Its length as IAM counts it.
    characters: usize,
    policy: Value,
}

/// What a policy for a blueprint is about: the kinds of its objects, of those that its record still holds, and of the
/// snapshots that their deletion leaves. What of that the blueprint does not say, or nobody could find out, is said.
pub async fn wanted(
    desired: &Desired,
    args: &IamPolicyArgs,
    settings: &Settings,
    output: &mut Output,
) -> PolicyFor {
    let nodes = desired.nodes.keys().cloned().collect();
    let held = match held(&desired.blueprint, settings).await {
        Ok(Some(held)) => held,
        Ok(None) => {
            output.say(
                "note: there is no record here, so that only the blueprint's own regions and kinds are named; `--store` \
                 names the record of what it may have left",
            );
            BTreeSet::new()
        }
        Err(failure) => {
            let why = [vec![failure.message], failure.causes].concat().join(": ");
            output.say(&format!(
                "note: the record could not be read ({why}): only the blueprint's own regions and kinds are named"
            ));
            BTreeSet::new()
        }
    };
    let (least, said) = policy_for(desired, nodes, held);
    for note in &said {
        output.say(note);
    }
    PolicyFor { writes: !args.read_only, record: record(settings), ..least }
}

/// Leaves of a desired state what is in one account, as each has a policy of its own.
pub fn keep_account(
    desired: &mut Desired,
    account: Option<&AccountName>,
    identities: &Identities,
) -> Result<(), Failure> {
    let regions = desired.regions.clone();
    let used: Vec<&Identity> = identities.in_use(&regions).collect();
    let names = used.iter().map(|identity| identity.name.as_str());
    let Some(account) = account else {
        let described: BTreeSet<&RegionId> = used.iter().flat_map(|one| &one.regions).collect();
        let has_rest = desired.regions.iter().any(|region| !described.contains(region));
        if used.len() + usize::from(has_rest) > 1 {
            let names = names.collect::<Vec<_>>().join(", ");
            return Err(Failure::new(
                Exit::BadInput,
                format!("the blueprint is in several accounts: {names}"),
            )
            .hint("each has a policy of its own: `--account NAME`"));
        }
        return Ok(());
    };
    let Some(identity) = used.iter().find(|identity| identity.name == *account) else {
        let names: Vec<&str> = names.collect();
        let hint = did_you_mean(account.as_str(), names.iter().copied()).map_or_else(
            || match names.as_slice() {
                [] => "no region of the blueprint names an account".to_owned(),
                names => format!("its accounts are: {}", names.join(", ")),
            },
            |near| format!("did you mean `{near}`?"),
        );
        return Err(
            Failure::new(Exit::BadInput, format!("the blueprint has no account `{account}`")).hint(hint)
        );
    };
    desired.regions.retain(|region| identity.regions.contains(region));
    desired.nodes.retain(|address, _| identity.regions.contains(&address.region));
    Ok(())
}

/// A policy for what is wanted and what is held, with what is to be said about it.
fn policy_for(
    desired: &Desired,
    mut objects: BTreeSet<Address>,
    held: BTreeSet<Address>,
) -> (PolicyFor, Vec<String>) {
    let partition = desired.regions.first().map(Partition::of);
    let (here, elsewhere): (BTreeSet<Address>, BTreeSet<Address>) =
        held.into_iter().partition(|address| Some(Partition::of(&address.region)) == partition);
    let regions_of = |all: &BTreeSet<Address>| -> BTreeSet<RegionId> {
        all.iter().map(|address| address.region.clone()).collect()
    };
    let listed = |regions: &BTreeSet<&RegionId>| -> String {
        regions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let (left, foreign) = (regions_of(&here), regions_of(&elsewhere));
    let left: BTreeSet<&RegionId> = left.difference(&desired.regions).collect();
    let mut notes = Vec::new();
    if !left.is_empty() {
        let left = listed(&left);
        notes.push(format!(
            "note: the record still holds objects in {left}, which the blueprint has left: named too"
        ));
    }
    if !foreign.is_empty() {
        let foreign = listed(&foreign.iter().collect());
        notes.push(format!(
            "note: the record still holds objects in {foreign}, of another partition: not named here"
        ));
    }
    objects.extend(here);
    let kinds = objects.iter().flat_map(|address| [Some(address.kind), address.kind.facts().final_snapshot]);
    let prefix = format!("{}-", desired.blueprint);
    let adopted = objects.iter().filter(|address| !address.name.as_str().starts_with(&prefix));
    let wanted = PolicyFor {
        blueprint: desired.blueprint.clone(),
        kinds: kinds.flatten().collect(),
        regions: desired.regions.iter().chain(left).cloned().collect(),
        writes: false,
        adopted: adopted.map(|address| (address.kind, address.name.to_string())).collect(),
        roles: roles(desired),
        secrets: desired.nodes.values().filter_map(|node| node.attrs.text("master_secret_arn")).collect(),
        record: None,
    };
    (wanted, notes)
}

/// What the record still holds: in every account of AWS in which the blueprint has one, and in the embedded world that is
/// here. Nothing when there is no record.
async fn held(blueprint: &BlueprintName, settings: &Settings) -> Result<Option<BTreeSet<Address>>, Failure> {
    if settings.store == StoreSettings::Unnamed {
        return Ok(None);
    }
    let Some(store) = adapters::store_to_read(settings)? else { return Ok(None) };
    let world = SimCloud::peek(&WorldFile::under(&settings.state_dir));
    let mut held = None;
    for home in store.homes(blueprint).await? {
        let now = match &world {
            Some((now, here)) if *here == home => *now,
            _ if home.cloud() == CloudKind::Aws => SystemClock.now(),
            // A world that is gone holds nothing.
            _ => continue,
        };
        let mut ledger = Ledger::default();
        ledger.fold(&store.entries(&Scope::new(home, blueprint.clone()), 0).await?);
        ledger.inherit(now);
        let objects = ledger.held(now, Pace::default().late).into_iter().cloned();
        held.get_or_insert_with(BTreeSet::new).extend(objects);
    }
    Ok(held)
}

/// The record on S3, if that is where it is.
pub fn record(settings: &Settings) -> Option<RecordPlace> {
    match &settings.store {
        StoreSettings::Folder | StoreSettings::Unnamed | StoreSettings::Cluster(_) => None,
        StoreSettings::Bucket { bucket, prefix } => {
            Some(RecordPlace { bucket: bucket.clone(), prefix: prefix.clone() })
        }
    }
}

/// Runs the command. As text a document is bare, so that the provider's own tools take it as it is.
pub async fn run(
    args: &IamPolicyArgs,
    desired: &Desired,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let wanted = wanted(desired, args, settings, output).await;
    let documents = policies(&wanted).map_err(|error| Failure::of(Exit::BadInput, &error))?;
    let of = documents.len();
    if let Some(part) = args.part.filter(|part| !(1..=of).contains(part)) {
        return Err(Failure::new(Exit::BadInput, format!("there is no part {part}: the policy has {of}")));
    }
    if args.part.is_none() && of > 1 {
        output.say(&in_parts(of));
    }
    let numbered = documents.into_iter().enumerate().map(|(place, policy)| Part {
        number: place + 1,
        of,
        characters: characters(&policy),
        policy,
    });
    let policies = numbered.filter(|one| args.part.is_none_or(|part| part == one.number)).collect();
    let report = PolicyReport { blueprint: &desired.blueprint, read_only: args.read_only, policies };
    match (settings.output, report.policies.as_slice()) {
        (OutputForm::Text, [one]) => output.document(&one.policy, OutputForm::Json)?,
        (OutputForm::Text, all) => {
            let documents = all.iter().map(|one| one.policy.clone()).collect();
            output.document(&Value::Array(documents), OutputForm::Json)?;
        }
        (OutputForm::Markdown | OutputForm::Html, _) => output.data(&markdown(&report))?,
        (form, _) => output.document(&document(format::IAM_POLICY, &report), form)?,
    }
    Ok(())
}

fn in_parts(of: usize) -> String {
    let mut note = format!(
        "note: a managed policy takes {CHARACTERS_MAX} characters without white space: this one comes in {of} parts, all \
         to be attached to the role; `--part 1` to `--part {of}` print each by itself"
    );
    if of > ATTACHED_MAX {
        let _ = write!(
            note,
            "; a role takes {ATTACHED_MAX} unless its account's quota \"Managed policies attached to an IAM role\" is raised"
        );
    }
    note
}

fn markdown(report: &PolicyReport<'_>) -> String {
    let purpose = if report.read_only { "observe" } else { "observe and change" };
    let mut out = format!("## Permissions to {purpose} {}\n", report.blueprint);
    for one in &report.policies {
        // A JSON value always serialises, and writing to a String cannot fail.
        let text = serde_json::to_string_pretty(&one.policy).unwrap_or_default();
        if one.of > 1 {
            let _ = writeln!(out, "\nPart {} of {}, {} characters:", one.number, one.of, one.characters);
        }
        let _ = writeln!(out, "\n```json\n{text}\n```");
    }
    out
}

/// Roles that the blueprint gives to its stores, by ARN.
fn roles(desired: &Desired) -> BTreeSet<String> {
    let attrs = || desired.nodes.values().map(|node| &node.attrs);
    let listed = attrs().flat_map(|attrs| attrs.names("iam_roles"));
    // One that is for a feature has its name before the ARN.
    let arn = |role: String| role.find("arn:").map(|from| role[from..].to_owned());
    listed.filter_map(arn).chain(attrs().filter_map(|attrs| attrs.text("default_iam_role"))).collect()
}
