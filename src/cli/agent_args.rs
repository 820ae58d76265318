//! The arguments of `rgctl agent`, and of `rgctl drift --watch`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::args::{InputArgs, blueprint_name, home, span};
use rgctl_model::scope::Home;
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::Span;

/// Where numbers and health are told unless said otherwise.
pub const LISTEN: &str = "127.0.0.1:9464";

/// What to do with agents.
#[derive(Subcommand, Clone, Debug)]
pub enum AgentCommand {
    /// Keep the blueprints of a folder in sight, and with `--apply` in shape, until a signal ends it
    Run(RunArgs),
    /// Let agents begin nothing more for a blueprint, or for all, and close what is open
    Pause(OrderArgs),
    /// Let them go on
    Resume(OrderArgs),
    /// Let them look at a blueprint, or at all, now
    Reconcile(OrderArgs),
    /// Show what was ordered, and what is paused
    Orders(OrdersArgs),
}

/// How an agent works.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Folder of blueprints, or a file; repeat for several
    #[arg(short, long = "file", value_name = "DIR", required = true)]
    pub files: Vec<PathBuf>,
    /// Folder of further region files, which go before the built-in ones
    #[arg(long, value_name = "DIR", env = "RGCTL_REGIONS")]
    pub regions: Option<PathBuf>,
    /// Act: bring the world into the blueprints' shape. Without it the agent observes and plans
    #[arg(long)]
    pub apply: bool,
    /// File of consents to what is destructive, a line each: BLUEPRINT CONSENT, such as `arena delete:accounts@eu-west-1`. It is
    /// read anew for each turn
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub allow_file: Option<PathBuf>,
    /// Where /healthz, /readyz and /metrics are told; nothing there changes anything
    #[arg(long, value_name = "ADDRESS:PORT", default_value = LISTEN)]
    pub listen: SocketAddr,
    /// Tell them nowhere
    #[arg(long, conflicts_with = "listen")]
    pub no_listen: bool,
    /// The least time between two turns of one blueprint
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span)]
    pub floor: Span,
    /// Judge every blueprint once, finish what that begins, and end
    #[arg(long)]
    pub once: bool,
    /// How time passes on the embedded cloud.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Form of the log on standard error
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogForm,
}

/// How time passes on the embedded cloud.
#[derive(Args, Clone, Debug)]
pub struct PaceArgs {
    /// On the embedded cloud: virtual seconds that pass in a second. All processes that share the world share its clock, and the
    /// first one that keeps a pace sets it
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub pace: u32,
}

/// Form of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// A line for each event, for people
    #[default]
    Text,
    /// A JSON object for each event, on a line of its own
    Json,
}

/// To whom an order goes.
#[derive(Args, Clone, Debug)]
pub struct OrderArgs {
    /// Name of the blueprint
    #[arg(value_name = "BLUEPRINT", value_parser = blueprint_name, required_unless_present = "all")]
    pub blueprint: Option<BlueprintName>,
    /// All blueprints of the account
    #[arg(long, conflicts_with = "blueprint")]
    pub all: bool,
    /// In which account.
    #[command(flatten)]
    pub account: OrdersArgs,
}

/// Orders of which account.
#[derive(Args, Clone, Debug)]
pub struct OrdersArgs {
    /// In which account, such as `aws/123456789012`, or in which world of the embedded cloud [default: the world that is there; on
    /// AWS the only account that has a record]
    #[arg(long, value_name = "ACCOUNT", value_parser = home)]
    pub account: Option<Home>,
}

/// What is looked at, and whether for long.
#[derive(Args, Clone, Debug)]
pub struct DriftArgs {
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
    /// Go on looking, and print a line at each change, until a signal ends it
    #[arg(long)]
    pub watch: bool,
    /// How time passes on the embedded cloud, with `--watch`.
    #[command(flatten)]
    pub pace: PaceArgs,
}
