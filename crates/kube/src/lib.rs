//! A Kubernetes API server behind the ports of rgctl: the custom resources, the record in ConfigMaps, the leader's lease, and what
//! is watched. Nothing here decides; what the resources look like needs no client (feature `kube`).

pub mod kinds;
