//! The arguments of `rgctl sim`, and how its commands fail.

use std::io;

use clap::{Args, Subcommand, ValueEnum};

use super::error::Failure;
use super::exit::Exit;
use super::names;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::SimError;

/// Arguments of `rgctl sim`.
#[derive(Clone, Debug, Args)]
pub struct SimArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SimCommand,
}

/// What can be done with the embedded cloud.
#[derive(Clone, Debug, Subcommand)]
pub enum SimCommand {
    /// Throw the world away and begin a new one
    Reset {
        /// Seed of all chance
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// When the new world begins, RFC 3339
        #[arg(long, value_parser = moment)]
        start: Option<Moment>,
    },
    /// Let virtual time pass
    Advance {
        /// How much, such as 20m or 1h30m
        #[arg(value_parser = span)]
        by: Span,
    },
    /// Show the world as it is, without the lag that readers have
    Show,
    /// Make things go wrong
    Fault {
        /// What to do
        #[command(subcommand)]
        command: FaultCommand,
    },
    /// List the calls that were made of this world, by whatever process, as far as they were kept
    Trail {
        /// From now on keep the last calls, so many of them; 0 keeps none
        #[arg(long, value_name = "CALLS", value_parser = clap::value_parser!(u32).range(0..=100_000))]
        keep: Option<u32>,
    },
    /// Lose a whole region
    KillRegion {
        /// Which region
        #[arg(value_parser = region)]
        region: RegionId,
        /// For how long
        #[arg(long = "for", value_parser = span, default_value = "1h")]
        lasts: Span,
    },
    /// Change an object outside rgctl, so that it drifts
    Edit {
        /// Which object: region/kind/name
        #[arg(value_parser = address)]
        address: Address,
        /// Fields and values, FIELD=VALUE, the value as JSON or plain text
        #[arg(required = true)]
        changes: Vec<String>,
    },
    /// Make an object outside rgctl: nobody's, unless tags say otherwise
    Create(CreateArgs),
    /// Delete an object outside rgctl
    Delete(DeleteArgs),
    /// Set tags and take tags away outside rgctl
    Tag(TagArgs),
    /// Stop a cluster or pause a warehouse outside rgctl; the service starts a stopped cluster after seven days
    Stop(PowerArgs),
    /// Start what is stopped or paused outside rgctl
    Start(PowerArgs),
    /// Let an object at rest show a status word of its service, or one that nobody knows
    Status(StatusArgs),
    /// Set what clients do to a store
    Load(LoadArgs),
}

/// What can be done with faults.
#[derive(Clone, Debug, Subcommand)]
pub enum FaultCommand {
    /// Add a fault
    Add(Box<FaultArgs>),
    /// List the faults
    List,
    /// End a fault, or all
    Clear {
        /// Number of the fault, as listed
        id: Option<u64>,
    },
}

/// A fault as arguments.
#[derive(Clone, Debug, Args)]
pub struct FaultArgs {
    /// What goes wrong
    #[arg(value_enum)]
    pub what: FaultWord,
    /// In which region only
    #[arg(long, value_parser = region)]
    pub region: Option<RegionId>,
    /// To which kind of object only
    #[arg(long, value_parser = kind)]
    pub kind: Option<KindId>,
    /// With which operation only, such as create
    #[arg(long)]
    pub operation: Option<String>,
    /// How often, from 0 to 1
    #[arg(long, default_value_t = 1.0)]
    pub probability: f64,
    /// Beginning after this time
    #[arg(long, value_parser = span, default_value = "0s")]
    pub after: Span,
    /// For how long
    #[arg(long = "for", value_parser = span, default_value = "1h")]
    pub lasts: Span,
    /// How many times at most
    #[arg(long)]
    pub count: Option<u32>,
    /// Of capacity: which class
    #[arg(long)]
    pub class: Option<String>,
    /// Of zone-loss: which zone
    #[arg(long)]
    pub zone: Option<String>,
    /// Of name-taken: which name only
    #[arg(long, value_parser = name)]
    pub name: Option<Name>,
    /// Of slow: how many times as long
    #[arg(long, default_value_t = 3.0)]
    pub factor: f64,
    /// Of quota: how many objects, in place of the account's default quotas
    #[arg(long, default_value_t = 0)]
    pub limit: u32,
    /// Of stale-read and late-metrics: by how much; of late-call: by how much at most
    #[arg(long, value_parser = span, default_value = "30s")]
    pub lag: Span,
    /// Of lost-answer: the call does not take effect either
    #[arg(long)]
    pub unapplied: bool,
}

/// A fault in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "each is documented at `Fault`")]
pub enum FaultWord {
    Throttle,
    LostAnswer,
    LateCall,
    NoEffect,
    Stuck,
    Slow,
    Capacity,
    Quota,
    StaleRead,
    Gap,
    ZoneLoss,
    RegionLoss,
    NameTaken,
    CreateFails,
    UnknownStatus,
    OtherHand,
    LateMetrics,
    Denied,
}

/// A load as arguments.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Which store: region/kind/name of the object that holds its data
    #[arg(value_parser = address)]
    pub address: Address,
    /// Stored data in GiB
    #[arg(long, default_value_t = 0.0)]
    pub data_gib: f64,
    /// Growth in GiB a month
    #[arg(long, default_value_t = 0.0)]
    pub growth_gib: f64,
    /// Reads a second at peak
    #[arg(long, default_value_t = 0.0)]
    pub reads: f64,
    /// Writes a second at peak
    #[arg(long, default_value_t = 0.0)]
    pub writes: f64,
    /// A surge from now on: how many times the usual load
    #[arg(long)]
    pub surge: Option<f64>,
    /// How long the surge lasts
    #[arg(long, value_parser = span, default_value = "2h")]
    pub surge_for: Span,
}

/// A creation outside rgctl, as arguments.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// Which object: region/kind/name
    #[arg(value_parser = address)]
    pub address: Address,
    /// Fields and values, FIELD=VALUE, the value as JSON or plain text
    pub fields: Vec<String>,
    /// Take the fields that are not given from this object of the same kind
    #[arg(long, value_parser = address)]
    pub like: Option<Address>,
    /// A tag, NAME=VALUE; none unless given, so that the object is nobody's
    #[arg(long = "tag")]
    pub tags: Vec<String>,
}

/// A deletion outside rgctl, as arguments.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// Which object: region/kind/name
    #[arg(value_parser = address)]
    pub address: Address,
    /// Name of the snapshot that it leaves behind
    #[arg(long)]
    pub final_snapshot: Option<String>,
}

/// Tags as arguments.
#[derive(Clone, Debug, Args)]
pub struct TagArgs {
    /// Which object: region/kind/name
    #[arg(value_parser = address)]
    pub address: Address,
    /// NAME=VALUE sets a tag, NAME- takes it away
    #[arg(required = true)]
    pub tags: Vec<String>,
}

/// What is stopped or started, as arguments.
#[derive(Clone, Debug, Args)]
pub struct PowerArgs {
    /// Which object: region/kind/name
    #[arg(value_parser = address)]
    pub address: Address,
}

/// A status as arguments.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// Which object: region/kind/name
    #[arg(value_parser = address)]
    pub address: Address,
    /// The service's word, such as `available` or `incompatible-network`
    pub word: String,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum SimCommandError {
    /// The embedded cloud.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// The terminal or the pipe.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// The arguments do not fit the world, or each other.
    #[error("{0}")]
    Argument(String),
}

impl From<SimCommandError> for Failure {
    fn from(error: SimCommandError) -> Self {
        match error {
            SimCommandError::Output(error) => error.into(),
            error @ SimCommandError::Argument(_) => Self::of(Exit::BadInput, &error),
            SimCommandError::Sim(error) => error.into(),
        }
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse_rfc3339(text).ok_or_else(|| "expected a time such as 2026-12-04T10:00:00+08:00".to_owned())
}

fn span(text: &str) -> Result<Span, String> {
    Span::parse(text).ok_or_else(|| "expected a duration such as 90s, 20m or 1h30m".to_owned())
}

fn region(text: &str) -> Result<RegionId, String> {
    RegionId::new(text).map_err(|error| error.to_string())
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

fn kind(text: &str) -> Result<KindId, String> {
    KindId::parse(text).ok_or_else(|| {
        let all = KindId::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
        names::unknown("", "kind", text, &all).unwrap_or_default()
    })
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).ok_or_else(|| "expected region/kind/name, as `rgctl sim show` lists them".to_owned())
}
