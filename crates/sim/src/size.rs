//! What fits into an object, by its class: round figures by the size in a class's name.

use rgctl_model::kinds::AnyAttrs;

/// The class of machines that an object runs on.
pub(super) fn class_of(attrs: &AnyAttrs) -> Option<String> {
    attrs.text("class").or_else(|| attrs.text("node_type"))
}

/// Virtual processors of a class, by the size in its name; none when it is no class at all.
pub fn vcpus(class: &str) -> Option<f64> {
    let (family, size) = class.rsplit_once('.')?;
    if family.is_empty() {
        return None;
    }
    Some(match size {
        "nano" | "micro" | "small" | "medium" | "large" => 2.0,
        "xlplus" | "xlarge" | "serverless" => 4.0,
        _ => {
            let times = size.strip_suffix("xlarge").or_else(|| size.strip_suffix("xl"))?;
            4.0 * times.parse::<f64>().ok().filter(|times| *times >= 1.0 && *times <= 64.0)?
        }
    })
}

/// Memory of a cache node in GiB, by family and size: memory-optimized families have about 6.5 GiB per vCPU for data.
fn cache_gib(class: &str) -> Option<f64> {
    let family = class.split('.').nth(1)?;
    let size = class.rsplit('.').next()?;
    let small = match size {
        "micro" => Some(0.5),
        "small" => Some(1.4),
        "medium" => Some(3.1),
        _ => None,
    };
    let per_vcpu = if family.starts_with('r') { 6.5 } else { 3.2 };
    small.or_else(|| vcpus(class).map(|vcpus| vcpus * per_vcpu))
}

/// Managed storage of a warehouse node in GiB.
fn warehouse_gib(node_type: &str) -> f64 {
    match node_type.rsplit('.').next() {
        Some("large") => 8.0 * 1_024.0,
        Some("xlplus" | "xlarge") => 32.0 * 1_024.0,
        _ => 128.0 * 1_024.0,
    }
}

/// How much data an object can hold, where its size bounds that. A quarter of a cache is kept for its own use.
pub(super) fn room_gib(attrs: &AnyAttrs) -> Option<f64> {
    let number = |field: &str| attrs.get(field).and_then(|value| value.as_f64());
    if let Some(max) = number("data_max_gib") {
        return Some(max);
    }
    let class = class_of(attrs)?;
    if let Some(shards) = number("shards") {
        return cache_gib(&class).map(|gib| shards * gib * 0.75);
    }
    number("nodes").map(|nodes| nodes * warehouse_gib(&class))
}

/// Nodes of a replication group as it is.
pub(super) fn nodes_of(group: &AnyAttrs) -> u64 {
    let number = |field: &str| group.get(field).and_then(|value| value.as_u64()).unwrap_or(0);
    number("shards").saturating_mul(1 + number("replicas_per_shard"))
}
