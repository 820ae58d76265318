//! The arguments that several commands share, and those of the commands that look at the world. What the values mean
//! together is decided in `settings`; `command` puts all commands together.
//!
//! **Invariant:** no command is named here, so that each may use this.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::error::Failure;
use super::exit::Exit;
use rgctl_engine::execution::drive::IfHeld;
use rgctl_model::policy::{Consent, Policy};
use rgctl_model::scope::Home;
use rgctl_schema::names::{BlueprintName, RegionId, RunId, StoreName};
use rgctl_schema::time::Span;

/// Options that every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Which cloud to work on: the embedded simulation or AWS
    #[arg(long, global = true, value_enum, default_value_t, env = "RGCTL_CLOUD")]
    pub cloud: CloudChoice,
    /// Folder of the record, the simulated world and the price book
    #[arg(long, global = true, value_name = "DIR", default_value = ".rgctl", env = "RGCTL_STATE_DIR")]
    pub state_dir: PathBuf,
    /// Where the record and the lease are kept: s3://bucket/prefix, kube://context/namespace, or `local` for the state folder,
    /// which is the default on the embedded cloud only
    #[arg(long, global = true, value_name = "URL", env = "RGCTL_STORE")]
    pub store: Option<String>,
    /// Form of the output
    #[arg(short, long, global = true, value_enum, default_value_t, env = "RGCTL_OUTPUT")]
    pub output: OutputForm,
    /// Never use colour; `NO_COLOR` in the environment does the same
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Profile of the AWS configuration; with `scale backtest` the axis: reader, shard, acu or node
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Role to assume before calling AWS
    #[arg(long, global = true, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Address that AWS calls are sent to instead of the public ones
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// File of contract prices that go before the public ones
    #[arg(long, global = true, value_name = "FILE", env = "RGCTL_PRICE_BOOK")]
    pub price_book: Option<PathBuf>,
}

/// Which cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CloudChoice {
    /// The embedded simulation, in virtual time
    #[default]
    Sim,
    /// Amazon Web Services
    Aws,
}

/// Form of the output on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// For people
    #[default]
    Text,
    /// One JSON document with a format name
    Json,
    /// The same as YAML
    Yaml,
    /// For a pull request
    Markdown,
    /// One page that works offline; of `scale backtest` only
    Html,
}

/// The files to read.
#[derive(Args, Clone, Debug)]
pub struct InputArgs {
    /// Blueprint to read; repeat for several
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Folder of further region files, which go before the built-in ones
    #[arg(long, value_name = "DIR", env = "RGCTL_REGIONS")]
    pub regions: Option<PathBuf>,
}

/// Which stores, and what may be done to them.
#[derive(Args, Clone, Debug, Default)]
pub struct PolicyArgs {
    /// Only this store; repeat for several
    #[arg(long = "target", value_name = "STORE", value_parser = store_name)]
    pub targets: Vec<StoreName>,
    /// Allow a destructive action by name: `delete:`, `replace:`, `shrink:`, `empty:`, each with STORE@REGION, of which `*` may
    /// stand for one, or `window:STORE`; repeat for several
    #[arg(long = "allow", value_name = "CONSENT", value_parser = consent)]
    pub consents: Vec<Consent>,
}

impl ApplyArgs {
    /// A saved plan carries what was agreed to; what is given beside it would be read by nobody.
    pub fn nothing_beside_a_plan(&self) -> Result<(), Failure> {
        let given =
            [("--target", !self.policy.targets.is_empty()), ("--allow", !self.policy.consents.is_empty())];
        let given: Vec<&str> = given.into_iter().filter(|(_, is)| *is).map(|(option, _)| option).collect();
        if given.is_empty() {
            return Ok(());
        }
        let what =
            format!("a saved plan carries what it was made with; {} would change it", given.join(" and "));
        Err(Failure::new(Exit::BadInput, what).hint("give it to `rgctl plan -f BLUEPRINT --out FILE`"))
    }

    /// The files.
    pub fn input(&self) -> InputArgs {
        InputArgs { files: self.files.clone(), regions: self.regions.clone() }
    }
}

impl PolicyArgs {
    /// What they allow.
    pub fn policy(&self) -> Policy {
        Policy {
            consents: self.consents.iter().cloned().collect(),
            targets: self.targets.iter().cloned().collect(),
            ..Policy::default()
        }
    }
}

/// How to plan.
#[derive(Args, Clone, Debug)]
pub struct PlanArgs {
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
    /// What may be done.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Save the plan, so that `rgctl apply FILE` does exactly this
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// End with code 2 when the plan is not empty
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Plan the removal of everything
    #[arg(long)]
    pub destroy: bool,
}

/// How a run goes on.
#[derive(Args, Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command, each with a name of its own")]
pub struct RunArgs {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show the plan and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What is done about another run.
    #[command(flatten)]
    pub lease: LeaseArgs,
    /// Pause after this time, such as `45m`; what was begun is recorded and the next run goes on. Without it a run ends when
    /// nothing has moved for a day; with it, it waits until then
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub deadline: Option<Span>,
    /// Wait for maintenance windows and the ends of freezes, and go on then; nobody is kept from working meanwhile
    #[arg(long)]
    pub wait: bool,
}

/// What is done when another run holds the lease.
#[derive(Args, Clone, Debug, Default)]
pub struct LeaseArgs {
    /// End at once, with code 7, when another run holds the lease or may still hold it
    #[arg(long, conflicts_with = "preempt")]
    pub no_wait: bool,
    /// Ask a run that holds the lease to yield, and go on when it has
    #[arg(long)]
    pub preempt: bool,
}

impl LeaseArgs {
    /// The same for the engine.
    pub const fn if_held(&self) -> IfHeld {
        match (self.no_wait, self.preempt) {
            (true, _) => IfHeld::GiveUp,
            (_, true) => IfHeld::AskToYield,
            _ => IfHeld::Watch,
        }
    }
}

/// How to apply.
#[derive(Args, Clone, Debug)]
pub struct ApplyArgs {
    /// A saved plan: exactly its steps are done, or none when the world has moved on
    #[arg(value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    /// Blueprint to read; with a saved plan, the blueprint whose policies hold too
    #[arg(short, long = "file", value_name = "FILE", required_unless_present = "plan")]
    pub files: Vec<PathBuf>,
    /// Folder of further region files, which go before the built-in ones
    #[arg(long, value_name = "DIR", env = "RGCTL_REGIONS")]
    pub regions: Option<PathBuf>,
    /// What may be done.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How it goes on.
    #[command(flatten)]
    pub run: RunArgs,
}

/// How to destroy.
#[derive(Args, Clone, Debug)]
pub struct DestroyArgs {
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
    /// What may be done.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How it goes on.
    #[command(flatten)]
    pub run: RunArgs,
    /// Leave no final snapshots behind
    #[arg(long)]
    pub skip_final_snapshot: bool,
}

/// What is done with the record.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct HistoryCommands {
    /// What else.
    #[command(subcommand)]
    pub command: Option<HistoryCommand>,
    /// Which part is shown.
    #[command(flatten)]
    pub shown: Option<HistoryArgs>,
}

/// What can be done with a record beside showing it.
#[derive(Subcommand, Clone, Debug)]
pub enum HistoryCommand {
    /// Move the record of a blueprint to another store, with its identity; or say whose a record is that knows no account
    Migrate(MigrateArgs),
}

/// What moves where.
#[derive(Args, Clone, Debug)]
pub struct MigrateArgs {
    /// Name of the blueprint
    #[arg(value_name = "BLUEPRINT", value_parser = blueprint_name)]
    pub blueprint: BlueprintName,
    /// The store that it goes to: `s3://bucket/prefix`, `kube://context/namespace`, `local` for the state folder, or another
    /// folder
    #[arg(long, value_name = "STORE")]
    pub to: String,
    /// Only the record of this account, such as `aws/123456789012` or `sim/3f2a9c`; a record that knows none is given to it
    #[arg(long, value_name = "ACCOUNT", value_parser = home)]
    pub account: Option<Home>,
}

/// Which part of the record.
#[derive(Args, Clone, Debug)]
pub struct HistoryArgs {
    /// Name of the blueprint
    #[arg(value_name = "BLUEPRINT", value_parser = blueprint_name)]
    pub blueprint: BlueprintName,
    /// In which account, such as `aws/123456789012`, or in which world of the embedded cloud, such as `sim/3f2a9c`
    /// [default: the world that is there; on AWS the only account that has a record]
    #[arg(long, value_name = "ACCOUNT", value_parser = home)]
    pub account: Option<Home>,
    /// Only this run
    #[arg(long, value_name = "RUN", value_parser = run_id)]
    pub run: Option<RunId>,
    /// Only the last lines
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub last: Option<u32>,
}

/// For which shell.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

pub(super) fn store_name(text: &str) -> Result<StoreName, String> {
    StoreName::new(text).map_err(|error| error.to_string())
}

/// An account, as it is given on the command line.
pub(super) fn home(text: &str) -> Result<Home, String> {
    Home::parse(text)
        .ok_or_else(|| "expected aws/ and twelve digits, or sim/ and the id of a world".to_owned())
}

/// The code of a region, as it is given on the command line.
pub(super) fn region_id(text: &str) -> Result<RegionId, String> {
    RegionId::new(text).map_err(|error| error.to_string())
}

/// The name of a blueprint, as it is given on the command line.
pub(super) fn blueprint_name(text: &str) -> Result<BlueprintName, String> {
    BlueprintName::new(text).map_err(|error| error.to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for a fallible parser")]
fn run_id(text: &str) -> Result<RunId, String> {
    Ok(RunId(text.to_owned()))
}

fn consent(text: &str) -> Result<Consent, String> {
    Consent::parse(text).ok_or_else(|| {
        "expected `delete:`, `replace:`, `shrink:` or `empty:`, then STORE@REGION, such as `delete:accounts@us-east-1` or \
         `delete:*@us-east-1`; or `window:STORE`"
            .to_owned()
    })
}

/// A length of time, as it is given on the command line.
pub(super) fn span(text: &str) -> Result<Span, String> {
    Span::parse(text).ok_or_else(|| "expected a time such as `90s`, `45m` or `1h30m`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_is_read_in_its_own_words() {
        assert!(consent("delete:accounts@us-east-1").is_ok());
        assert!(consent("delete:*@us-east-1").is_ok() && consent("delete:accounts@*").is_ok());
        assert!(consent("window:accounts").is_ok());
        for wrong in ["delete accounts", "delete:accounts", "*:accounts@us-east-1", "delete:acc*@us-east-1"] {
            assert!(consent(wrong).is_err(), "{wrong}");
        }
    }
}
