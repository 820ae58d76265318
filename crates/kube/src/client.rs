//! The way to an API server: by a context of the kubeconfig, or by the service account of the pod that this runs in.
//!
//! Goes in: which cluster, as whom to call there, for what. Comes out: a client with bounds of time, or what is missing.

use kube::Config;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use kube::Client;

use crate::place::Cluster;
use crate::signs::Signs;
use rgctl_machine::inputs;

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
    let context = match cluster {
        Cluster::Here => None,
        Cluster::Context(context) => Some(context.clone()),
    };
    let mut config = match kubeconfig().map_err(|error| failed(&error))? {
        Some(file) => {
            let options = KubeConfigOptions { context, ..Default::default() };
            Config::from_custom_kubeconfig(file, &options).await.map_err(|error| failed(&error))?
        }
        None if context.is_some() => {
            return Err(failed(&"there is no kubeconfig: set KUBECONFIG to its path"));
        }
        None => Config::incluster().map_err(|error| {
            failed(&format!(
                "there is no kubeconfig, and this is no pod of a cluster: {}",
                crate::in_words(&error)
            ))
        })?,
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

/// Bytes of a kubeconfig, and of each file that it names: one of a hundred clusters has half of that.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// The files that `KUBECONFIG` names, or the usual one where it names none and there is one; through the door for what comes from
/// outside, which bounds it.
fn kubeconfig() -> Result<Option<Kubeconfig>, String> {
    let named = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let mut paths: Vec<PathBuf> =
        std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
    if paths.is_empty() {
        let usual = std::env::home_dir().map(|home| home.join(".kube").join("config"));
        paths.extend(usual.filter(|path| path.exists()));
    }
    let mut whole: Option<Kubeconfig> = None;
    for path in paths {
        let one = one_of(&path)?;
        whole = Some(match whole {
            None => one,
            Some(all) => all.merge(one).map_err(|error| crate::in_words(&error))?,
        });
    }
    Ok(whole)
}

/// One of them. Paths in it are looked for beside it.
fn one_of(path: &Path) -> Result<Kubeconfig, String> {
    let text =
        inputs::read_text(path, CONFIG_BYTES_MAX).map_err(|error| format!("{error}; {}", error.remedy()))?;
    let mut read = Kubeconfig::from_yaml(&text)
        .map_err(|error| format!("{}: {}", path.display(), crate::in_words(&error)))?;
    let beside = path.parent().unwrap_or(Path::new(""));
    let clusters = read.clusters.iter_mut().filter_map(|named| named.cluster.as_mut());
    let mut files: Vec<&mut Option<String>> = clusters.map(|one| &mut one.certificate_authority).collect();
    for user in read.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        files.extend([&mut user.client_certificate, &mut user.client_key, &mut user.token_file]);
    }
    for file in files.into_iter().filter_map(Option::as_mut) {
        let whole = beside.join(&*file);
        // The library reads it once more: here it is seen that it is a file, and not too large. One that is not there concerns
        // those alone who use it.
        if whole.exists() {
            inputs::read_own(&whole, CONFIG_BYTES_MAX)
                .map_err(|error| format!("{error}; {}", error.remedy()))?;
        }
        *file = whole.display().to_string();
    }
    Ok(read)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_is_read_within_bounds_and_its_files_are_looked_for_beside_it() {
        let folder = std::env::temp_dir().join(format!("rgctl-kubeconfig-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("config");
        let text = "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: { server: 'https://a', certificate-authority: ca.crt }\n\
                    users:\n- name: u\n  user: { tokenFile: token }\n";
        std::fs::write(&path, text).unwrap();
        let read = one_of(&path).unwrap();
        let authority = read.clusters[0].cluster.as_ref().unwrap().certificate_authority.clone();
        assert_eq!(authority, Some(folder.join("ca.crt").display().to_string()));
        let token = read.auth_infos[0].auth_info.as_ref().unwrap().token_file.clone();
        assert_eq!(token, Some(folder.join("token").display().to_string()));
        std::fs::write(folder.join("ca.crt"), vec![b'x'; 2 << 20]).unwrap();
        assert!(one_of(&path).unwrap_err().contains("has more than 1048576 bytes"));
        std::fs::write(&path, vec![b'x'; 2 << 20]).unwrap();
        assert!(one_of(&path).unwrap_err().contains("has more than 1048576 bytes"));
        assert!(one_of(&folder).unwrap_err().contains("is a folder"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
