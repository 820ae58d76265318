//! Every number that is told is in the documentation, and no other one is.

use std::collections::BTreeSet;

use rgctl::agent::metrics::Metric;

/// Names of metrics in the first cells of tables.
fn documented() -> BTreeSet<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agent.md");
    let text = std::fs::read_to_string(path).unwrap();
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `rgctl_")?.split(" | ").next());
    let names = cells.flat_map(|cell| cell.split("`, `").map(|name| name.trim_end_matches('`').to_owned()));
    names.map(|name| format!("rgctl_{}", name.trim_start_matches("rgctl_"))).collect()
}

#[test]
fn every_number_that_is_told_is_in_the_documentation_and_no_other_one_is() {
    let told: BTreeSet<String> = Metric::ALL.iter().map(|metric| metric.name().to_owned()).collect();
    let documented = documented();
    assert!(documented.len() > 20, "{documented:?}");
    let missing: Vec<_> = told.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&told).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "docs/agent.md lacks {missing:?}; nobody tells {unknown:?}"
    );
}
