//! The list of what the embedded cloud does because the services do: each line has its source and a test that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A line of the list.
struct Line {
    rule: String,
    source: String,
    test: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The lines, each with the service that it is of.
fn lines(page: &str) -> Vec<(String, Line)> {
    let mut service = String::new();
    let mut lines = Vec::new();
    for text in page.lines() {
        if let Some(title) = text.strip_prefix("## ") {
            title.clone_into(&mut service);
        }
        let cells: Vec<&str> = text.trim_matches('|').split(" | ").map(str::trim).collect();
        let [rule, source, test] = cells[..] else { continue };
        if let Some(test) = test.strip_prefix('`').and_then(|test| test.strip_suffix('`')) {
            let line = Line { rule: rule.to_owned(), source: source.to_owned(), test: test.to_owned() };
            lines.push((service.clone(), line));
        }
    }
    lines
}

/// Names of tests under `tests/it/sim/`, as `file::test`.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder().join("tests/it/sim")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for (mark, below) in text.lines().zip(text.lines().skip(1)) {
            let name = below.trim().strip_prefix("fn ").and_then(|rest| rest.split_once('('));
            if let Some((name, _)) = name.filter(|_| mark.trim() == "#[test]") {
                names.insert(format!("{module}::{name}"));
            }
        }
    }
    names
}

/// What a source is one of: a guide or manual, a published reference or model, or a public report with the service's answer.
const SOURCES: [&str; 6] =
    [" guide, \"", "API reference", "API model", "documentation, \"", "manual, \"", "#"];

#[test]
fn each_rule_has_a_source_and_a_test_that_exists() {
    let page = std::fs::read_to_string(folder().join("docs/embedded-cloud-rules.md")).unwrap();
    let (lines, tests) = (lines(&page), tests());
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| Rule"));
    assert_eq!(rows.count(), lines.len(), "a line of the list cannot be read");
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    let mut by_service: BTreeMap<String, usize> = BTreeMap::new();
    for (service, Line { rule, source, test }) in lines {
        assert!(tests.contains(&test), "{service}: {rule}: there is no test `{test}`");
        let is_named = SOURCES.iter().any(|kind| source.contains(kind)) || source.contains("in China,");
        assert!(is_named, "{service}: {rule}: {source:?} names no page, reference or report");
        assert!(seen.insert((service.clone(), rule.clone())), "{service}: {rule}: twice");
        *by_service.entry(service).or_default() += 1;
    }
    let least =
        [("Aurora", 25), ("DocumentDB", 20), ("ElastiCache", 25), ("Redshift", 25), ("Secrets Manager", 3)];
    for (service, least) in least {
        let has = by_service.get(service).copied().unwrap_or_default();
        assert!(has >= least, "{service} has {has} rules");
    }
    assert!(seen.len() >= 200, "only {} rules", seen.len());
}
