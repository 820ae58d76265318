//! The blueprint language: what is shipped is valid, what is wrong is told, nothing panics.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rgctl::cli::{explain, validate};
use rgctl::report::diagnostics::{self, Colour};
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_blueprint::{schema, spec::Blueprint, template};
use rgctl_catalog::Catalog;
use rgctl_model::sizes::Sizes;
use rgctl_schema::codes::{self, Code};
use rgctl_schema::diagnostic::Source;
use rgctl_schema::money::{Currency, Money};
use rgctl_schema::node::Tree;
use rgctl_schema::quantity::{Bytes, Count, Factor, Halves, PerMonth, Share, TimeOfDay};
use rgctl_schema::section::{Setting, from_json};
use rgctl_schema::shape::Shape;
use rgctl_schema::time::{Moment, Span};
use rgctl_testkit::swarm_blueprint::BUILT_IN;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The day for which the fixtures are written.
fn today() -> Moment {
    Moment::parse_rfc3339("2026-11-21T09:00:00Z").unwrap()
}

fn texts(folder: &str) -> Vec<Source> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    let named = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| Source::new(named(path), std::fs::read_to_string(path).unwrap())).collect()
}

fn check(sources: &[Source]) -> ParsedDocuments {
    let mut reading = ParsedDocuments::of(BUILT_IN.clone(), sources);
    reading.check(&Catalog::embedded().unwrap(), today());
    reading
}

fn shown(reading: &ParsedDocuments, sources: &[Source]) -> String {
    diagnostics::text(&reading.diagnostics, &diagnostics::sources(sources), Colour::No)
}

#[test]
fn every_shipped_file_is_accepted_without_a_warning() {
    let sources: Vec<Source> = texts("blueprints").into_iter().chain(texts("regions")).collect();
    let reading = check(&sources);
    assert_eq!(shown(&reading, &sources), "");
    let names: Vec<&str> = reading.blueprints.iter().map(|loaded| loaded.blueprint.name().as_str()).collect();
    assert_eq!(names, ["accounts", "light-game", "rocket-arena-cn", "rocket-arena-world", "rocket-arena"]);
    assert_eq!(reading.regions.iter().count(), 9);
}

#[test]
fn a_shipped_region_agrees_with_the_catalogue() {
    let catalog = Catalog::embedded().unwrap();
    let reading = check(&[]);
    for region in reading.regions.iter() {
        let facts = catalog.region(&region.metadata.name).expect("the catalogue has every shipped region");
        assert_eq!(region.spec.currency, facts.currency, "{}", region.metadata.name);
        assert_eq!(region.spec.partition, facts.partition, "{}", region.metadata.name);
        for lack in &region.spec.lacks {
            let (service, item) = lack.feature.split_once('/').unwrap();
            let stated = catalog.capability(service, item, &region.metadata.name);
            assert_eq!(stated, rgctl_catalog::Capability::No, "{} {}", region.metadata.name, lack.feature);
        }
    }
}

#[test]
fn a_blueprint_survives_serde() {
    for loaded in check(&texts("blueprints")).blueprints {
        let json = serde_json::to_string(&loaded.blueprint).unwrap();
        assert_eq!(serde_json::from_str::<Blueprint>(&json).unwrap(), loaded.blueprint);
    }
}

#[test]
fn every_invalid_fixture_is_told_all_its_problems() {
    let mut all = String::new();
    for source in texts("tests/fixtures/invalid") {
        let sources = [source];
        let reading = check(&sources);
        assert!(reading.diagnostics.has_errors(), "{} is accepted", sources[0].name);
        let _ = writeln!(all, "=== {}\n", sources[0].name);
        all.push_str(&shown(&reading, &sources));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_cannot_be_read_hides_nothing_else_that_is_wrong() {
    let source =
        texts("tests/fixtures/invalid").into_iter().find(|s| s.name.contains("broken-header")).unwrap();
    let told: BTreeSet<(Code, String)> =
        check(&[source]).diagnostics.iter().map(|told| (told.code, told.path.clone())).collect();
    for (code, path) in [
        // Of reading.
        (codes::UNKNOWN_WORD, "apiVersion"),
        (codes::BAD_NAME, "metadata.name"),
        (codes::MISSING_FIELD, "spec.demand.requestsPerPlayerPerMinute"),
        (codes::BAD_QUANTITY, "spec.demand.players.peakConcurrent"),
        (codes::UNKNOWN_WORD, "spec.stores[0].engine"),
        (codes::UNKNOWN_FIELD, "spec.stores[0]"),
        // Of meaning.
        (codes::MIN_OVER_MAX, "spec.stores[0].readers"),
        (codes::UNKNOWN_REGION, "spec.regions.primary"),
        (codes::RESIDENCY_BROKEN, "spec.regions.secondaries[0]"),
        (codes::DUPLICATE_NAME, "spec.stores[1].name"),
        (codes::CLASS_UNKNOWN, "spec.stores[1].class"),
    ] {
        assert!(told.contains(&(code, path.to_owned())), "{code} at {path}: {told:#?}");
    }
}

#[test]
fn two_blueprints_of_one_name_are_told_unless_the_name_was_not_read() {
    let text =
        |name: &str| format!("kind: Blueprint\nmetadata: {{ name: {name}, owner: nobody }}\nspec: {{}}\n");
    let twice = |name: &str| {
        let sources = ["one.yaml", "two.yaml"].map(|file| Source::new(file, text(name)));
        let told = check(&sources).diagnostics;
        told.iter().filter(|told| told.code == codes::DUPLICATE_NAME).count()
    };
    // The field that does not exist, beside the name, hides nothing.
    assert_eq!((twice("game"), twice("Bad_Name")), (1, 0));
}

#[test]
fn every_code_is_declared_once_explained_and_hit() {
    let mut declared = BTreeSet::new();
    for entry in codes::REGISTER {
        assert!(declared.insert(entry.code), "{} is declared twice", entry.code);
        assert!(entry.explanation.len() > 40 && !entry.title.is_empty(), "{} is not explained", entry.code);
        let text = explain::explain(entry.code.as_str()).unwrap();
        assert!(text.starts_with(entry.code.as_str()));
    }
    let mut hit: BTreeSet<Code> = BTreeSet::new();
    for source in texts("tests/fixtures/invalid") {
        hit.extend(check(&[source]).diagnostics.iter().map(|diagnostic| diagnostic.code));
    }
    let deep = Source::new("t", "{% if a %}".repeat(100));
    hit.insert(template::check(&deep).unwrap_err().code);
    let (reading, _) =
        validate::read(&[PathBuf::from("no/such/file.yaml")], None, &Catalog::embedded().unwrap(), today());
    hit.extend(reading.diagnostics.iter().map(|diagnostic| diagnostic.code));
    // Sizes are derived when the desired state is built.
    let text = std::fs::read_to_string(root().join("tests/fixtures/uncarried.yaml")).unwrap();
    let (blueprint, reading) = rgctl_testkit::shipped::read(&text);
    let decisions = rgctl_model::overlay::Decisions::default();
    let catalog = Catalog::embedded().unwrap();
    let built = rgctl_blueprint::desired::build(
        &blueprint,
        &reading.regions,
        &catalog,
        (&decisions, &Sizes::default()),
        today(),
    );
    hit.extend(built.unwrap().uncarried.iter().map(|finding| finding.code));
    let missed: Vec<&Code> = declared.difference(&hit).collect();
    assert!(missed.is_empty(), "no test input hits {missed:?}");
}

#[test]
fn the_shipped_schemas_are_current() {
    for (path, schema) in [
        ("blueprints/blueprint.schema.json", schema::blueprint()),
        ("regions/region.schema.json", schema::region()),
        ("regions/account.schema.json", schema::account()),
    ] {
        let current = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let shipped = std::fs::read_to_string(root().join(path)).unwrap();
        assert!(shipped == current, "{path} is not current; write it with `rgctl schema KIND > {path}`");
    }
    for (folder, name) in [("blueprints", "blueprint"), ("regions", "region")] {
        for source in texts(folder) {
            let line = format!("# yaml-language-server: $schema={name}.schema.json");
            assert_eq!(source.text.lines().next(), Some(line.as_str()), "{}", source.name);
        }
    }
}

#[test]
fn every_field_is_documented_and_its_example_can_be_read() {
    fn visit(shape: &Shape, path: &str, seen: &mut usize) {
        for (_, table) in shape.tables() {
            assert!(!table.doc.is_empty(), "{path} has no documentation");
            for row in &table.rows {
                let path = format!("{path}.{}", row.name);
                assert!(row.doc.ends_with('.') || row.doc.ends_with('`'), "{path}: {:?}", row.doc);
                if let Some(example) = row.shown_example() {
                    let source = Source::new("example", format!("{}: {example}\n", row.name));
                    let mut found = rgctl_schema::diagnostic::Diagnostics::default();
                    rgctl_blueprint::yaml::parse(&source, &mut found);
                    assert!(found.is_empty(), "{path}: the example `{example}` cannot be read");
                }
                *seen += 1;
                visit(&row.shape, &path, seen);
            }
        }
    }
    let mut seen = 0;
    visit(&schema::shape("blueprint").unwrap(), "blueprint", &mut seen);
    visit(&schema::shape("region").unwrap(), "region", &mut seen);
    assert!(seen > 150, "only {seen} fields were seen");
}

#[test]
fn a_field_is_explained_from_the_tables() {
    insta::assert_snapshot!(explain::explain("blueprint.spec.stores.valkey.cache.pattern").unwrap());
    let error = explain::explain("blueprint.spec.demand.playrs").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no `blueprint.spec.demand.playrs`; did you mean `blueprint.spec.demand.players`?"
    );
}

#[test]
fn who_writes_a_place_of_mainland_china_hears_what_holds_there() {
    for place in ["guangzhou", "shanghai", "beijing", "cn-south-1", "cn-east-1", "china"] {
        let text = format!(
            "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: g }}\nspec:\n  regions: {{ primary: {place} }}\n  \
             stores: [{{ name: db, engine: valkey }}]\n"
        );
        let sources = [Source::new("g.yaml", text)];
        let shown = shown(&check(&sources), &sources);
        assert!(shown.contains(&format!("no region `{place}` is described")), "{place}: {shown}");
        for part in [
            "`cn-north-1` (Beijing, operated by",
            "`cn-northwest-1` (Ningxia, operated by",
            "account",
            "Hong Kong) may be nearer to players in the south, but is of another partition (`aws`)",
            "`residency: { allow: [cn-*] }` refuses it",
        ] {
            assert!(shown.contains(part), "{place}: {part} is not said: {shown}");
        }
    }
    let text = "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: { name: g }\nspec:\n  regions: { primary: guangzhou, \
                secondaries: [shanghai] }\n  stores: [{ name: db, engine: valkey }]\n";
    let sources = [Source::new("g.yaml", text)];
    let shown = shown(&check(&sources), &sources);
    assert_eq!(shown.matches("is described\n").count(), 2, "{shown}");
    assert_eq!(shown.matches("ICP").count(), 1, "once, however many places are named: {shown}");
    for place in ["shanghai", "cn-north-1", "Guangzhou", "china"] {
        let page = explain::explain(place).unwrap();
        assert!(
            page.contains("operated by") && page.contains("ICP") && page.contains("not measured"),
            "{page}"
        );
    }
    let tokyo = explain::explain("tokyo").unwrap();
    assert!(tokyo.starts_with("ap-northeast-1 (Tokyo)") && !tokyo.contains("China"), "{tokyo}");
    assert!(explain::explain("atlantis").is_err());
}

#[test]
fn a_rendered_template_is_a_valid_blueprint() {
    let file = root().join("templates/small-game.yaml");
    let values = ["--set", "game=tile-rush", "--set", "region=eu-west-1", "--set", "players=5k"];
    let place = crate::cli::Place::new();
    let left = place.run(&[&["template", "render", &file.to_string_lossy()], &values[..]].concat());
    assert_eq!((left.code, left.talk.as_str()), (0, ""));
    let sources = [Source::new("small-game.yaml", left.data)];
    let reading = check(&sources);
    assert_eq!(shown(&reading, &sources), "");
    assert_eq!(reading.blueprints[0].blueprint.name().as_str(), "tile-rush");
}

#[test]
fn an_alias_bomb_and_a_deep_document_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = level - 1;
        let row = vec![format!("*a{before}"); 9].join(", ");
        let _ = writeln!(bomb, "a{level}: &a{level} [{row}]");
    }
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let large = "# remark\n".repeat(200_000);
    for text in [bomb, deep, large] {
        let reading = check(&[Source::new("bad", text)]);
        let found: Vec<Code> = reading.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(found, [codes::NOT_YAML]);
    }
}

#[test]
fn a_version_is_kept_as_it_was_written() {
    let text = "a: 8.10\nb: 1_000\nc: no\nd: &x 0x1F\ne: *x\n";
    let mut found = rgctl_schema::diagnostic::Diagnostics::default();
    let trees = rgctl_blueprint::yaml::parse(&Source::new("a", text), &mut found);
    let number = |key: &str| format!("{:?}", trees[0].get(key).unwrap().data);
    assert_eq!(number("a"), "Number(\"8.10\")");
    assert_eq!(number("c"), "Text(\"no\")");
    assert_eq!(number("e"), "Number(\"0x1F\")");
}

/// Reads, checks and shows a text, and holds the result to what holds for every text.
fn survives(text: &str) {
    let sources = [Source::new("input", text)];
    let reading = check(&sources);
    for diagnostic in &reading.diagnostics {
        let span = diagnostic.span;
        assert!(span.start <= span.end && span.end <= text.len(), "{diagnostic} is outside of the text");
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
        assert!(diagnostic.line >= 1 && diagnostic.line <= text.matches('\n').count() + 1);
        assert!(diagnostic.code.entry().is_some());
    }
    let _ = shown(&reading, &sources);
    let _ = diagnostics::json(&reading.diagnostics);
}

/// A shipped file with some of its pieces exchanged, doubled or cut out.
fn mutated() -> impl Strategy<Value = String> {
    let files: Vec<String> = ["blueprints", "regions", "tests/fixtures/invalid"]
        .iter()
        .flat_map(|f| texts(f))
        .map(|s| s.text)
        .collect();
    let pieces = prop::sample::select(vec![
        "",
        ":",
        " ",
        "\n",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "&a",
        "*a",
        "!!int",
        "0",
        "-1",
        "99999999999999999999",
        "~",
        "ü",
        "\u{FEFF}",
        "\t",
        "---\n",
        "primary",
        "engine: valkey",
        "{{ x }}",
        "min: 9",
        "? ",
        "|",
        "<<: *a",
        "%",
    ]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, pieces), 1..6);
    (prop::sample::select(files), edits).prop_map(|(mut text, edits)| {
        for (place, length, piece) in edits {
            let mut start = place.index(text.len() + 1);
            while !text.is_char_boundary(start) {
                start -= 1;
            }
            let mut end = (start + length).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(start..end, piece);
        }
        text
    })
}

// 256 cases each; `PROPTEST_CASES=20000 cargo test blueprint` looks longer.
proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}|[ -~\n]{0,400}") {
        survives(&text);
    }

    #[test]
    fn no_mutation_of_a_file_makes_it_panic(text in mutated()) {
        survives(&text);
    }

    #[test]
    fn no_template_makes_it_panic(text in "([a-z {}%|.\"=()\n]|\\{\\{|\\}\\}|\\{%|%\\}|ü){0,80}") {
        if let Ok(scan) = template::check(&Source::new("t", text.as_str())) {
            prop_assert!(scan.names.iter().chain(&scan.literals).all(|word| text.contains(word)));
        }
    }

    #[test]
    fn a_quantity_reads_what_it_writes(number in any::<u64>(), small in any::<u32>(), part in 0_u32..=1_000_000) {
        prop_assert_eq!(Count::parse(&Count(number).to_string()), Some(Count(number)));
        prop_assert_eq!(Bytes::parse(&Bytes(number).to_string()), Some(Bytes(number)));
        let share = Share::from_millionths(part);
        prop_assert_eq!(Share::parse(&share.to_string()), Some(share));
        prop_assert_eq!(Halves::parse(&Halves(small).to_string()), Some(Halves(small)));
        let span = Span::from_millis(number);
        prop_assert_eq!(reread(&span), Some(span));
        let money = Money::new(rust_decimal::Decimal::new(i64::from(small), 2), Currency::Cny);
        prop_assert_eq!(reread(&money), Some(money));
    }

    #[test]
    fn no_text_of_a_quantity_makes_it_panic(text in "\\PC{0,12}|[0-9._-]{0,24}[a-zA-Z%]{0,3}") {
        let round = |same: Option<bool>| same.unwrap_or(true);
        prop_assert!(round(Count::parse(&text).map(|it| Count::parse(&it.to_string()) == Some(it))));
        prop_assert!(round(Bytes::parse(&text).map(|it| Bytes::parse(&it.to_string()) == Some(it))));
        prop_assert!(round(Share::parse(&text).map(|it| Share::parse(&it.to_string()) == Some(it))));
        prop_assert!(round(PerMonth::parse(&text).map(|it| PerMonth::parse(&it.to_string()) == Some(it))));
        prop_assert!(round(Factor::parse(&text).map(|it| Factor::parse(&it.to_string()) == Some(it))));
        prop_assert!(round(TimeOfDay::parse(&text).map(|it| TimeOfDay::parse(&it.to_string()) == Some(it))));
    }
}

fn reread<T: Setting>(value: &T) -> Option<T> {
    let json = value.encode()?;
    assert_eq!(Tree::from_json(&json).to_json(), json);
    from_json(&json).ok()
}
