//! The architecture as a test: reads `src/` as text and checks ranks, purity, homes of outside crates, names, sizes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by rank. A file uses modules of lower rank, or its own.
const RANKS: &[(u8, &[&str])] = &[
    (0, &["vocabulary"]),
    (1, &["kinds"]),
    (2, &["artefacts"]),
    (3, &["families", "seams", "catalog", "gate"]),
    (4, &["blueprint", "observed", "telemetry", "record"]),
    (5, &["forecast", "desired", "capacity"]),
    (6, &["scaling", "recovery", "planning"]),
    (7, &["adoption", "execution"]),
    (8, &["adapters"]),
    (9, &["operator", "cli", "report"]),
];

/// Edges between modules of one rank, from and to: no circle among them.
const EDGES: &[(&str, &str)] = &[("cli", "report"), ("operator", "report"), ("desired", "capacity")];

/// The last rank that must be pure.
const PURE_UP_TO: u8 = 7;
/// The files of the core that await: the loop, and what keeps its lease.
const AWAITING: &[&str] = &["execution/drive.rs", "execution/guard.rs"];

/// What a pure file must not name.
const IMPURE: &[&str] = &[
    "async fn",
    "async move",
    ".await",
    "tokio::",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "HashMap",
    "HashSet",
    "SystemTime",
    "Instant::now",
    "println!",
    "eprintln!",
    "print!(",
    "rand::rng",
];

/// Where each outside crate may be named: a path or the beginning of one.
const HOMES: &[(&str, &[&str])] = &[
    ("aws_", &["adapters/aws"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("serde_yaml", &["blueprint/yaml.rs"]),
    ("tera", &["adapters/templates/engine.rs", "report/html.rs"]),
    ("rustix", &["adapters/machine"]),
    ("reqwest", &["adapters/http"]),
    ("rustls", &["adapters/http"]),
    ("rusqlite", &["adapters/files"]),
    ("kube", &["adapters/kube", "operator"]),
    ("indicatif", &["cli"]),
    ("annotate_snippets", &["report"]),
    ("tracing_subscriber", &["cli"]),
];

/// How a file, a pipe or a folder is opened for reading.
const OPENS: &[&str] = &[
    "fs::read",
    "read_to_string",
    "read_to_end",
    "File::open",
    "OpenOptions",
    "read_dir",
    "read_link",
    "stdin()",
    "Connection::open(",
];
/// What may open, and why. Everything else asks `adapters/files/inputs.rs`, which bounds what is read in size and time.
const DOORS: &[(&str, &str)] = &[
    ("adapters/files/inputs.rs", "the door itself"),
    ("adapters/files/outputs.rs", "looks at the beginning of what it would replace; writes"),
    ("adapters/files/mod.rs", "databases, whose library opens them, once it is seen that they are files"),
    ("adapters/http/download.rs", "appends to its own partial file; what comes is bounded there"),
    ("adapters/machine/child.rs", "the pipes of a child, with bounds"),
    ("cli/run.rs", "the answer of a person at a terminal"),
];

/// Names of the services, and where they may stand.
const SERVICES: &[&str] = &["aurora", "docdb", "documentdb", "elasticache", "redshift"];
/// Sizing is knowledge of a family, too; it stands in `capacity/`, one file per sort of store, because it needs the
/// whole blueprint and the catalog, which `families/` must not know.
const SERVICES_AT_HOME: &[&str] = &[
    "kinds/",
    "families/",
    "capacity/",
    "adapters/aws/",
    "adapters/sim/tables/",
    "planning/tables/",
    "catalog/data/",
    "catalog/offer",
];

/// The embedded cloud is a referee: where it is at home, and all that it may use. What the engine believes about a kind
/// it must not read, or a wrong belief could never be shown to be one.
const REFEREE: &str = "adapters/sim/";
const REFEREE_USES: &[&str] = &["vocabulary", "kinds", "artefacts", "seams", "catalog"];

const FILE_LINES_MAX: usize = 560;
const FUNCTION_LINES_MAX: usize = 75;

/// One file below `src/`.
struct SourceFile {
    /// Path below `src/`, with `/`.
    path: String,
    /// Text without what only tests see.
    code: String,
    /// The whole text.
    text: String,
}

impl SourceFile {
    fn new(path: &str, text: &str) -> Self {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
        Self { path: path.to_owned(), code: code.to_owned(), text: text.to_owned() }
    }
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }
    /// Lines of code with their numbers; comments are blanked.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(number, line)| {
            let start = line.trim_start();
            let line = if start.starts_with("//") { "" } else { line };
            (number + 1, line)
        })
    }
    /// Code without comments, on one line, so that an import that goes over lines can be read.
    fn flat(&self) -> String {
        self.lines().map(|(_, line)| line).collect::<Vec<_>>().join(" ")
    }
}

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(_, modules)| modules.contains(&module)).map(|(rank, _)| *rank)
}

/// Modules of this crate that a text uses, grouped imports included.
fn used_modules(flat: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (place, _) in flat.match_indices("crate::") {
        // `$crate::` in a macro is the same crate; `some_crate::` is not.
        let before = flat[..place].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &flat[place + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            used.extend(group_heads(group));
        } else {
            used.insert(word(rest).to_owned());
        }
    }
    used.remove("");
    used
}

/// First words of the members of a group: `{a::b, c::{d, e}}` gives a and c.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut at_head) = (1, Vec::new(), true);
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => at_head = true,
            _ if at_head && !letter.is_whitespace() => {
                heads.push(word(&group[place..]).to_owned());
                at_head = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

/// A file uses only lower ranks or its own module.
fn check_ranks(file: &SourceFile, found: &mut Vec<String>) {
    if ["lib.rs", "main.rs"].contains(&file.path.as_str()) {
        return;
    }
    let Some(own) = rank(file.module()) else {
        found.push(format!("{}: `{}` has no rank; add it to the table", file.path, file.module()));
        return;
    };
    for used in used_modules(&file.flat()) {
        // Macros and items at the root are not modules.
        let Some(theirs) = rank(&used) else { continue };
        let is_edge = theirs == own && EDGES.contains(&(file.module(), used.as_str()));
        if used != file.module() && theirs >= own && !is_edge {
            found.push(format!("{} (rank {own}) uses `{used}` (rank {theirs})", file.path));
        }
    }
}

/// The referee shares nothing with those that it judges.
fn check_referee(file: &SourceFile, found: &mut Vec<String>) {
    if !file.path.starts_with(REFEREE) {
        return;
    }
    let used = used_modules(&file.flat());
    for used in used.iter().filter(|used| rank(used).is_some() && !REFEREE_USES.contains(&used.as_str())) {
        found.push(format!("{}: the embedded cloud uses `{used}`", file.path));
    }
}

/// The core computes; it does not look, wait or speak.
fn check_purity(file: &SourceFile, found: &mut Vec<String>) {
    if rank(file.module()).is_none_or(|rank| rank > PURE_UP_TO) || AWAITING.contains(&file.path.as_str()) {
        return;
    }
    for (number, line) in file.lines() {
        // The seams are traits whose methods are awaited by others; they hold futures, and never await.
        for impure in IMPURE.iter().filter(|impure| line.contains(**impure)) {
            found.push(format!("{}:{number}: `{impure}` in the pure core", file.path));
        }
    }
}

fn check_homes(file: &SourceFile, found: &mut Vec<String>) {
    for (crate_name, homes) in HOMES {
        if homes.iter().any(|home| file.path.starts_with(home)) {
            continue;
        }
        for (number, line) in file.lines() {
            if names_crate(line, crate_name) {
                found.push(format!("{}:{number}: `{crate_name}` outside its home {homes:?}", file.path));
            }
        }
    }
}

/// Whether a line names a crate: `name::`, `use name;`, or for a prefix such as `aws_` any crate that begins so.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(place, _)| {
        let before = line[..place].chars().next_back();
        let starts =
            before.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == ':' || c == '"' || c == '.'));
        let whole = word(&line[place..]);
        let fits = if name.ends_with('_') { whole.starts_with(name) } else { whole == name };
        starts && fits && line[place + whole.len()..].starts_with("::")
    })
}

/// What comes from outside comes through one door.
fn check_doors(file: &SourceFile, found: &mut Vec<String>) {
    if DOORS.iter().any(|(door, _)| *door == file.path) {
        return;
    }
    for (number, line) in file.lines() {
        for open in OPENS.iter().filter(|open| line.contains(**open)) {
            found
                .push(format!("{}:{number}: `{open}` beside the door `adapters/files/inputs.rs`", file.path));
        }
    }
}

/// Services have names only where they are at home.
fn check_service_names(file: &SourceFile, found: &mut Vec<String>) {
    if SERVICES_AT_HOME.iter().any(|home| file.path.starts_with(home)) {
        return;
    }
    for (number, line) in file.lines() {
        let lower = line.to_ascii_lowercase();
        for service in SERVICES.iter().filter(|service| lower.contains(**service)) {
            found.push(format!("{}:{number}: `{service}` in generic code", file.path));
        }
    }
}

fn check_docs(file: &SourceFile, found: &mut Vec<String>) {
    if !file.text.starts_with("//!") {
        found.push(format!("{}: does not open with what it is for (`//!`)", file.path));
    }
}

fn check_sizes(file: &SourceFile, found: &mut Vec<String>) {
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        found.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}", file.path));
    }
    for (name, lines) in function_lengths(&file.code) {
        if lines > FUNCTION_LINES_MAX {
            found.push(format!(
                "{}: function `{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}",
                file.path
            ));
        }
    }
}

/// Functions with their lengths: from the line of `fn` to the closing brace of the same indentation.
fn function_lengths(code: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(place) = line.find("fn ") else { continue };
        let head = line[indent..place].split_whitespace();
        let is_function = head.clone().all(|word| {
            word.starts_with("pub") || ["const", "async", "in", "super)", "crate)"].contains(&word)
        });
        if !is_function {
            continue;
        }
        let name = word(&line[place + 3..]).to_owned();
        let close = format!("{}}}", " ".repeat(indent));
        // A signature may go over lines; one that ends without a body, or with it on the same line, is short.
        let opens = lines[start..].iter().find(|line| line.ends_with(['{', ';', '}']));
        let has_body = opens.is_some_and(|line| line.ends_with('{'));
        let end = lines[start..].iter().position(|line| *line == close);
        let length = if has_body { end.map_or(1, |length| length + 1) } else { 1 };
        found.push((name, length));
    }
    found
}

/// `lib.rs` lists the modules in the order of their ranks.
fn check_lib_order(lib: &str, found: &mut Vec<String>) {
    let mut last = 0;
    for line in lib.lines() {
        let Some(module) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) else {
            continue;
        };
        match rank(module) {
            None => found.push(format!("lib.rs: `{module}` has no rank")),
            Some(rank) if rank < last => found.push(format!("lib.rs: `{module}` stands below a higher rank")),
            Some(rank) => last = rank,
        }
    }
}

fn check(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    check_ranks(file, &mut found);
    check_referee(file, &mut found);
    check_purity(file, &mut found);
    check_homes(file, &mut found);
    check_service_names(file, &mut found);
    check_doors(file, &mut found);
    check_docs(file, &mut found);
    check_sizes(file, &mut found);
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<SourceFile> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the package") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let src = root().join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    paths.sort();
    let files = paths.iter().map(|path| {
        let name = path.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
        SourceFile::new(&name, &fs::read_to_string(path).expect("a text"))
    });
    files.collect()
}

#[test]
fn every_file_keeps_the_rules() {
    let files = sources();
    assert!(files.len() > 40, "only {} files were found", files.len());
    let mut found: Vec<String> = files.iter().flat_map(check).collect();
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    check_lib_order(&lib, &mut found);
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_module_is_named_after_nothing_in_particular() {
    let vague = ["util", "utils", "common", "helpers", "helper", "manager", "service", "services", "misc"];
    for file in sources() {
        let at_home = file.path.starts_with("families/");
        let parts: Vec<&str> = file.path.trim_end_matches(".rs").split('/').collect();
        let found = parts.iter().find(|part| vague.contains(*part));
        assert!(found.is_none() || at_home, "{}: `{}` says nothing", file.path, found.unwrap_or(&""));
    }
}

#[test]
fn every_folder_is_on_the_map_in_the_documentation() {
    let map = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    let folders: BTreeSet<String> = sources()
        .iter()
        .filter_map(|file| file.path.rsplit_once('/').map(|(folder, _)| folder.to_owned()))
        .collect();
    let missing: Vec<&String> =
        folders.iter().filter(|folder| !map.contains(&format!("`{folder}/`"))).collect();
    assert!(missing.is_empty(), "docs/architecture.md does not name {missing:?}");
}

#[test]
fn the_core_is_free_of_the_provider_without_its_feature() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    // What only the tests use is not in the graph of `cargo check`.
    let shipped = manifest.split("[dev-dependencies]").next().unwrap_or_default();
    for line in shipped.lines().filter(|line| line.starts_with("aws-")) {
        assert!(line.contains("optional = true"), "`{line}` is not behind the feature `aws`");
    }
}

/// The checker itself: each rule catches a bad sample and lets a good one pass.
mod checker {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        check(&SourceFile::new(path, &format!("//! A sample.\n{text}")))
    }

    fn assert_caught(path: &str, text: &str, by: &str) {
        let found = problems(path, text);
        assert!(found.iter().any(|problem| problem.contains(by)), "{path}: {by:?} not in {found:?}");
    }

    #[test]
    fn a_look_upwards_is_caught_in_every_form() {
        let up = "uses `execution`";
        assert_caught("planning/x.rs", "use crate::execution::turn;", up);
        assert_caught("planning/x.rs", "use crate::{kinds::KindId, execution::turn};", up);
        assert_caught(
            "planning/x.rs",
            "use crate::{\n    kinds::{KindId, facts},\n    execution::turn,\n};",
            up,
        );
        assert_caught("planning/x.rs", "fn f() -> crate::execution::Turn { todo() }", up);
        assert_caught("report/x.rs", "use crate::cli::args;", "uses `cli`");
        assert_caught("seams/x.rs", "use crate::catalog::Catalog;", "uses `catalog`");
    }

    #[test]
    fn a_look_of_the_embedded_cloud_at_the_engine_is_caught() {
        for used in ["planning::effect", "execution::turn", "gate", "record::ledger", "families"] {
            let module = used.split(':').next().unwrap();
            let by = format!("the embedded cloud uses `{module}`");
            assert_caught("adapters/sim/x.rs", &format!("use crate::{used};"), &by);
        }
        assert_eq!(
            problems("adapters/sim/x.rs", "use crate::{kinds::KindId, seams::Cloud};"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_look_downwards_and_at_home_passes() {
        for text in [
            "use crate::{kinds::{KindId, facts}, vocabulary::time};",
            "use crate::planning::draft;",
            "// crate::execution is above us",
            "use other_crate::execution;",
        ] {
            assert_eq!(problems("planning/x.rs", text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(problems("cli/x.rs", "use crate::report::style;"), Vec::<String>::new());
    }

    #[test]
    fn what_is_in_tests_alone_is_not_the_cores() {
        let text = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::cli::args;\n}\n";
        assert_eq!(problems("planning/x.rs", text), Vec::<String>::new());
    }

    #[test]
    fn impurity_is_caught() {
        for text in ["async fn f() {}", "let m: HashMap<u8, u8>;", "std::env::var(\"X\")", "println!(\"x\")"]
        {
            assert_caught("planning/x.rs", text, "in the pure core");
        }
        assert_eq!(problems("execution/drive.rs", "async fn f() {}"), Vec::<String>::new());
        assert_eq!(problems("adapters/files/x.rs", "async fn f() {}"), Vec::<String>::new());
    }

    #[test]
    fn a_crate_away_from_home_is_caught() {
        assert_caught("cli/x.rs", "use rusqlite::Connection;", "outside its home");
        assert_caught("cli/x.rs", "let c = aws_config::load();", "outside its home");
        assert_caught("adapters/sim/x.rs", "use clap::Args;", "outside its home");
        assert_eq!(problems("adapters/files/x.rs", "use rusqlite::Connection;"), Vec::<String>::new());
        assert_eq!(problems("cli/x.rs", "let in_aws_words = 1;"), Vec::<String>::new());
    }

    #[test]
    fn a_second_door_is_caught() {
        for text in
            ["let t = std::fs::read(path);", "fs::read_to_string(p)", "File::open(p)", "io::stdin().lock()"]
        {
            assert_caught("cli/x.rs", text, "beside the door");
            assert_eq!(problems("adapters/files/inputs.rs", text), Vec::<String>::new());
        }
    }

    #[test]
    fn a_service_name_in_generic_code_is_caught() {
        assert_caught("planning/x.rs", "if kind == \"Aurora\" {}", "in generic code");
        assert_eq!(problems("kinds/x.rs", "const A: &str = \"aurora\";"), Vec::<String>::new());
    }

    #[test]
    fn a_file_without_a_purpose_or_beyond_measure_is_caught() {
        let bare = check(&SourceFile::new("planning/x.rs", "fn f() {}"));
        assert!(bare.iter().any(|problem| problem.contains("what it is for")), "{bare:?}");
        assert_caught("planning/x.rs", &"// a line\n".repeat(FILE_LINES_MAX), "lines, at most");
        let long = format!("pub fn f() {{\n{}}}\n", "    g();\n".repeat(FUNCTION_LINES_MAX));
        assert_caught("planning/x.rs", &long, "function `f`");
    }

    #[test]
    fn a_module_out_of_order_or_without_rank_is_caught() {
        let mut found = Vec::new();
        check_lib_order("pub mod kinds;\npub mod vocabulary;\npub mod elsewhere;\n", &mut found);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_caught("elsewhere/x.rs", "", "has no rank");
    }
}
