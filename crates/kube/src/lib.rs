//! A Kubernetes API server behind the ports of rgctl: the custom resources, the record in ConfigMaps, the leader's lease, and what
//! is watched. Nothing here decides; what the resources look like needs no client (feature `kube`).

#[cfg(feature = "kube")]
pub mod client;
pub mod crds;
#[cfg(feature = "kube")]
pub mod desk;
pub mod happening;
#[cfg(feature = "kube")]
pub mod herald;
pub mod item;
pub mod kinds;
#[cfg(feature = "kube")]
pub mod leader;
#[cfg(feature = "kube")]
pub mod listed;
pub mod manifests;
#[cfg(feature = "kube")]
pub mod maps;
pub mod place;
#[cfg(feature = "kube")]
pub mod record;
#[cfg(feature = "kube")]
mod record_layout;
#[cfg(feature = "kube")]
mod record_map;
#[cfg(feature = "kube")]
pub mod signs;
#[cfg(feature = "kube")]
pub mod watch;

/// An error with what caused it, in one line.
#[cfg(feature = "kube")]
fn in_words(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !told.contains(&more) {
            told = format!("{told}: {more}");
        }
        cause = next.source();
    }
    told
}
