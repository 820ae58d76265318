//! Which cluster, and where in it: what is written on a command line, without a client.

use std::fmt;

/// Which cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cluster {
    /// The one that this process runs in; outside of any, the kubeconfig's current context.
    #[default]
    Here,
    /// A context of the kubeconfig, by its name.
    Context(String),
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("the cluster of this pod, or of the current context"),
            Self::Context(name) => write!(f, "the context {name}"),
        }
    }
}

/// Where a record is kept: `kube://context/namespace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubePlace {
    /// In which cluster.
    pub cluster: Cluster,
    /// In which namespace.
    pub namespace: String,
}

impl KubePlace {
    /// Reads `kube://context/namespace`; the name of a context may have slashes, and none is the cluster at hand.
    pub fn parse(text: &str) -> Option<Self> {
        let (context, namespace) = text.strip_prefix("kube://")?.rsplit_once('/')?;
        let is_legal = (1..=63).contains(&namespace.len())
            && namespace
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !namespace.starts_with('-')
            && !namespace.ends_with('-');
        let cluster = if context.is_empty() { Cluster::Here } else { Cluster::Context(context.to_owned()) };
        is_legal.then(|| Self { cluster, namespace: namespace.to_owned() })
    }
}

impl fmt::Display for KubePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cluster {
            Cluster::Here => write!(f, "kube:///{}", self.namespace),
            Cluster::Context(context) => write!(f, "kube://{context}/{}", self.namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_context_and_a_namespace() {
        let place =
            KubePlace::parse("kube://arn:aws:eks:eu-west-1:123456789012:cluster/games/rgctl-system").unwrap();
        let context = "arn:aws:eks:eu-west-1:123456789012:cluster/games".to_owned();
        assert_eq!(
            place,
            KubePlace { cluster: Cluster::Context(context), namespace: "rgctl-system".to_owned() }
        );
        assert_eq!(KubePlace::parse("kube:///rgctl").unwrap().cluster, Cluster::Here);
        for text in ["kube:///rgctl", "kube://kind/rgctl-system"] {
            assert_eq!(KubePlace::parse(text).unwrap().to_string(), text);
        }
        for wrong in
            ["kube://", "kube://kind", "kube://kind/", "kube://kind/Upper", "kube://kind/-x", "s3://kind/x"]
        {
            assert_eq!(KubePlace::parse(wrong), None, "{wrong}");
        }
    }
}
