//! The arguments of `rgctl operator`, and of `rgctl approve`.

use std::net::SocketAddr;

use clap::{Args, Subcommand};

use super::agent_args::{LISTEN, LogForm, PaceArgs};
use super::args::span;
use super::operator_print::{ChartArgs, ManifestsArgs, namespace};
use rgctl_schema::time::Span;

/// What to do with the operator.
#[derive(Subcommand, Clone, Debug)]
pub enum OperatorCommand {
    /// Bring the blueprints of a cluster into shape, for as long as it runs
    Run(OperatorRunArgs),
    /// Print the definitions of the custom resources, for `kubectl apply --server-side -f -`
    Crds,
    /// Print rights, admission policies and the deployment
    Manifests(ManifestsArgs),
    /// Write the same as two Helm charts: `rgctl-crds`, whose definitions stay when it goes, and `rgctl-operator`
    Chart(ChartArgs),
}

/// Which cluster.
#[derive(Args, Clone, Debug)]
pub struct ClusterArgs {
    /// Context of the kubeconfig [default: the present one; within a cluster, that cluster]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// To which plan somebody agrees.
#[derive(Args, Clone, Debug)]
pub struct ApproveArgs {
    /// Name of the plan, as the status of its blueprint has it
    #[arg(value_name = "PLAN")]
    pub plan: String,
    /// Its namespace
    #[arg(short, long, value_name = "NAME", value_parser = namespace)]
    pub namespace: String,
    /// Agree to something destructive, as the plan names it: `delete:accounts@us-east-1`; repeat for several
    #[arg(long = "allow", value_name = "CONSENT")]
    pub allow: Vec<String>,
    /// How long it may be begun, 7d at most; what was begun is finished
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = span)]
    pub lasts: Span,
    /// Why, for those who read it later
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// How the operator works.
#[derive(Args, Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command, each with a name of its own")]
pub struct OperatorRunArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Namespaces whose blueprints it brings into shape; repeat, or separate by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = namespace)]
    pub namespaces: Vec<String>,
    /// Its own namespace: regions there are for the blueprints of all
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE", default_value = "rgctl-system", value_parser = namespace)]
    pub own_namespace: String,
    /// Work only while leading those that stand for the Lease `rgctl-operator` in its own namespace; else wait for one's turn
    #[arg(long)]
    pub elect: bool,
    /// Work in regions that name an account alone, and as that account: nobody is worked for as whoever the environment says
    #[arg(long)]
    pub accounts_only: bool,
    /// Only observe and plan: nothing is carried out, and nothing can be approved
    #[arg(long)]
    pub observe_only: bool,
    /// Where /healthz, /readyz and /metrics are told; nothing there changes anything
    #[arg(long, value_name = "ADDRESS:PORT", default_value = LISTEN)]
    pub listen: SocketAddr,
    /// Tell them nowhere
    #[arg(long, conflicts_with = "listen")]
    pub no_listen: bool,
    /// The least time between two turns of one blueprint
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span)]
    pub floor: Span,
    /// How time passes on the embedded cloud.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Form of the log on standard error
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogForm,
}
