//! The way to an API server: by a context of the kubeconfig, or by the service account of the pod that this runs in.
//!
//! Goes in: which cluster, as whom to call there, for what. Comes out: a client with bounds of time, or what is missing.

use kube::Config;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::fmt;
use std::time::Duration;

pub use kube::Client;

use crate::place::Cluster;
use crate::signs::Signs;

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Calls that end soon, and that are repeated, if at all, by who made them.
    Calls,
    /// Watches, which are silent for minutes. Calls that the server turned away for a moment are repeated.
    Watches,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("{cluster} cannot be used: {why}")]
pub struct ConnectError {
    cluster: Cluster,
    why: String,
}

/// How long a connection, and an answer to a call, is waited for.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// A client that calls itself by a name, which the server's audit log shows. Nothing is asked yet. It belongs to the runtime that
/// it is made in.
pub async fn connect(cluster: &Cluster, name: &str, purpose: Use) -> Result<Client, ConnectError> {
    connect_noting(cluster, name, purpose, &Signs::default()).await
}

/// The same, and what passes is noted.
pub async fn connect_noting(
    cluster: &Cluster,
    name: &str,
    purpose: Use,
    signs: &Signs,
) -> Result<Client, ConnectError> {
    let failed = |why: &dyn fmt::Display| ConnectError { cluster: cluster.clone(), why: why.to_string() };
    let mut config = match cluster {
        Cluster::Here => Config::infer().await.map_err(|error| failed(&error))?,
        Cluster::Context(context) => {
            let file = Kubeconfig::read().map_err(|error| failed(&error))?;
            let options = KubeConfigOptions { context: Some(context.clone()), ..Default::default() };
            Config::from_custom_kubeconfig(file, &options).await.map_err(|error| failed(&error))?
        }
    };
    config.connect_timeout = Some(CONNECT);
    config.write_timeout = Some(ANSWER);
    (config.read_timeout, config.default_retry) = match purpose {
        Use::Calls => (Some(ANSWER), false),
        Use::Watches => (None, true),
    };
    let agent = format!("{name}/{}", env!("CARGO_PKG_VERSION"));
    let agent = agent.parse().map_err(|error| failed(&error))?;
    config.headers.push(("user-agent".parse().map_err(|error| failed(&error))?, agent));
    let builder = ClientBuilder::try_from(config).map_err(|error| failed(&error))?;
    Ok(builder.with_layer(signs).build())
}

/// A failure of the client in words, without what only its authors read.
pub(crate) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        other => crate::in_words(other),
    }
}

/// Whether the same call may succeed a moment later: the server is overloaded or not there, or nothing is known of an answer.
pub(crate) fn passes(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 429 | 500 | 502 | 503 | 504),
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => true,
        _ => false,
    }
}
