//! The whole command line as clap reads it: every command with its arguments. Only what is above the commands uses it.

use clap::{Args, Parser, Subcommand};

use super::agent_args::{AgentCommand, DriftArgs};
use super::args::{
    ApplyArgs, CompletionsArgs, DestroyArgs, GlobalArgs, HistoryCommands, InputArgs, PlanArgs,
};
use super::capacity::CapacityArgs;
use super::catalog::{ListArgs, RefreshArgs};
use super::doctor::DoctorArgs;
use super::explain::ExplainArgs;
use super::iam_policy::IamPolicyArgs;
use super::import::ImportArgs;
#[cfg(feature = "kube")]
use super::operator_args::{ApproveArgs, OperatorCommand};
use super::outputs::OutputsArgs;
use super::overlay_args::{ScaleSetArgs, ScaleUnsetArgs};
use super::region::RegionCommand;
use super::scale_args::BacktestArgs;
use super::schema::SchemaArgs;
use super::sim_args::SimArgs;
use super::template::TemplateArgs;
use super::validate::ValidateArgs;
use rgctl_schema::names::AccountName;

/// Plans, provisions, scales and rehearses the recovery of managed data stores, in one or many regions.
#[derive(Parser, Debug)]
#[command(
    name = "rgctl",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done, 1 error, 2 differences found, 3 stale plan, 4 refused by policy, 5 stopped and \
                  resumable, 6 invalid input, 7 lease held, 8 blocked. See docs/exit-codes.md."
)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Check blueprints and regions, and report all problems at once
    Validate(ValidateArgs),
    /// Show what would be done, why, at what price and with which effect
    Plan(PlanArgs),
    /// Bring the world into the blueprint's shape
    Apply(ApplyArgs),
    /// Remove everything of a blueprint, leaving final snapshots
    Destroy(DestroyArgs),
    /// Show what exists, in which phase, and what it costs
    Status(InputArgs),
    /// Show where clients connect: endpoints, ports, names, and the ARN of each secret; exit code 2 when something is not there yet
    Outputs(OutputsArgs),
    /// Show what differs from the blueprint, and what was changed outside rgctl; exit code 2 when something does, 8 when a
    /// person is needed
    Drift(DriftArgs),
    /// Show what the blueprint costs a month, by store and region
    Cost(InputArgs),
    /// Show how big each store has to be, with every formula, and the limits ahead
    Capacity(CapacityCommand),
    /// Write a blueprint for what is there and not ours, and take it over, on consent only
    Import(ImportArgs),
    /// Check credentials, permissions, quotas, clock and network before anything is done
    Doctor(DoctorArgs),
    /// Print the exact permissions that a blueprint needs
    IamPolicy(IamPolicyCommand),
    /// Show who did what, when and why
    History(HistoryCommands),
    /// Print the JSON Schema of a kind of document, for editors
    Schema(SchemaArgs),
    /// Explain a kind of document, one of its fields, or a diagnostic code
    Explain(ExplainArgs),
    /// Render templates into documents
    Template(TemplateArgs),
    /// Refresh and show prices, classes and limits
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Run a store in another size for a while, and measure how the scaler decides
    #[command(subcommand)]
    Scale(ScaleCommand),
    /// Keep many blueprints in sight or in shape for long, and order about what does
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Do without a region for now, and with it again
    #[command(subcommand)]
    Region(RegionCommand),
    /// Bring the blueprints of a Kubernetes cluster into shape
    #[cfg(feature = "kube")]
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Agree to a plan that waits in a cluster
    #[cfg(feature = "kube")]
    Approve(ApproveArgs),
    /// Look at the embedded cloud, let its time pass, make things go wrong in it
    Sim(SimArgs),
    /// Write completions for a shell
    Completions(CompletionsArgs),
}

/// What to do about sizes.
#[derive(Subcommand, Clone, Debug)]
pub enum ScaleCommand {
    /// Decide that a store gets another size or class than the blueprint's own sizing, within its bounds
    Set(ScaleSetArgs),
    /// Withdraw such decisions
    Unset(ScaleUnsetArgs),
    /// Show all decisions: whose, why, until when, and what they come to
    List(InputArgs),
    /// Measure the scaler and its rivals on recorded load
    Backtest(BacktestArgs),
}

/// What to do with the catalog.
#[derive(Subcommand, Clone, Debug)]
pub enum CatalogCommand {
    /// Read the provider's public price list into a dated price book
    Refresh(RefreshArgs),
    /// List known prices
    Prices(ListArgs),
    /// List classes, their sizes, and where they are sold
    Classes(ListArgs),
    /// List limits, quotas and capabilities
    Limits(ListArgs),
}

/// Which blueprint, and how much is shown of its sizes.
#[derive(Args, Clone, Debug)]
pub struct CapacityCommand {
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
    /// What is shown.
    #[command(flatten)]
    pub shown: CapacityArgs,
}

/// What may be done.
#[derive(Args, Clone, Debug)]
pub struct IamPolicyCommand {
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
    /// Of a blueprint in several accounts: the one whose policy is meant
    #[arg(long, value_name = "NAME", value_parser = account_name)]
    pub account: Option<AccountName>,
    /// How much is permitted.
    #[command(flatten)]
    pub shown: IamPolicyArgs,
}

fn account_name(text: &str) -> Result<AccountName, String> {
    AccountName::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_argument_tree_is_consistent() {
        Cli::command().debug_assert();
    }
}
