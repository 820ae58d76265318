//! The architecture as a test, as far as the compiler does not say it: reads sources and manifests as text and checks which crate
//! uses which, the order of modules within a crate, circles of files, purity, homes of outside crates, doors, names, sizes.

mod circles;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which crates of the workspace a crate may use. The compiler holds each crate to its manifest; this holds the manifests.
/// The embedded cloud is a referee: what the engine believes it must not read, or a wrong belief could never be shown to be one.
const USES: &[(&str, &[&str])] = &[
    ("schema", &[]),
    ("model", &["schema"]),
    ("catalog", &["schema", "model"]),
    ("blueprint", &["schema", "model", "catalog"]),
    ("engine", &["schema", "model"]),
    ("scaling", &["schema", "model", "catalog"]),
    ("permissions", &["schema", "model"]),
    ("machine", &["schema", "model"]),
    ("store", &["schema", "model", "machine"]),
    ("sim", &["schema", "model", "catalog"]),
    ("http", &["schema", "model", "catalog", "machine"]),
    ("templates", &["schema", "model", "blueprint", "machine"]),
    ("records", &["schema", "model"]),
    ("aws", &["schema", "model", "permissions", "records"]),
    ("kube", &["schema", "model", "blueprint", "machine", "records"]),
    ("testkit", &["schema", "model", "catalog", "blueprint", "engine", "store", "sim"]),
];

/// Within a crate: modules in an order, so that none uses a later one. `*` is every module that is not named.
const ORDER: &[(&str, &[&str])] = &[
    ("crates/model/src", &["kinds", "*", "ports", "chain"]),
    ("crates/blueprint/src", &["families", "*", "capacity", "desired"]),
    ("crates/scaling/src", &["telemetry", "forecast", "*"]),
    ("crates/engine/src", &["gate", "ledger", "planning", "execution"]),
    ("src", &["import", "report", "agent", "operator", "cli"]),
];

/// Where no two files use each other, directly or by a longer way: what several need stands below them, and the entry point
/// above.
const WITHOUT_CIRCLES: &[&str] = &["crates/engine/src", "crates/sim/src", "src/cli"];

/// What must be pure.
const PURE: &[&str] = &[
    "crates/schema/",
    "crates/model/",
    "crates/catalog/",
    "crates/blueprint/",
    "crates/engine/",
    "crates/scaling/",
    "src/agent/",
    "src/import/",
    "src/operator/",
];
/// The files of it that await: a turn with what is around it, the loops, what looks, what listens, and what keeps the lease.
const AWAITING: &[&str] = &[
    "crates/engine/src/execution/calls.rs",
    "crates/engine/src/execution/drive.rs",
    "crates/engine/src/execution/guard.rs",
    "crates/engine/src/execution/interval.rs",
    "crates/engine/src/execution/look.rs",
    "crates/engine/src/execution/reconcile.rs",
    "crates/engine/src/execution/resume.rs",
    "src/agent/effort.rs",
    "src/agent/observer.rs",
    "src/agent/serve.rs",
    "src/agent/shared.rs",
    "src/agent/work.rs",
];

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
    ("aws_", &["crates/aws/src/"]),
    ("clap", &["src/cli/"]),
    ("clap_complete", &["src/cli/"]),
    ("serde_yaml", &["crates/blueprint/src/yaml.rs"]),
    ("tera", &["crates/templates/src/engine.rs", "src/report/html.rs"]),
    ("rustix", &["crates/machine/src/"]),
    ("reqwest", &["crates/http/src/"]),
    ("rustls", &["crates/http/src/"]),
    ("hyper", &["src/agent/serve.rs"]),
    ("hyper_util", &["src/agent/serve.rs"]),
    ("rusqlite", &["crates/store/src/"]),
    ("k8s_openapi", &["crates/kube/src/"]),
    ("kube", &["crates/kube/src/"]),
    ("http_body", &["crates/kube/src/signs.rs"]),
    ("tower", &["crates/kube/src/signs.rs"]),
    ("indicatif", &["src/cli/"]),
    ("annotate_snippets", &["src/report/"]),
    ("tracing_subscriber", &["src/cli/"]),
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
/// What may open, and why. Everything else asks `crates/machine/src/inputs.rs`, which bounds what is read in size and time.
const DOORS: &[(&str, &str)] = &[
    ("crates/machine/src/inputs.rs", "the door itself"),
    ("crates/machine/src/outputs.rs", "looks at the beginning of what it would replace; writes"),
    ("crates/store/src/lib.rs", "databases, whose library opens them, once it is seen that they are files"),
    ("crates/http/src/download.rs", "appends to its own partial file; what comes is bounded there"),
    ("crates/machine/src/child.rs", "the pipes of a child, with bounds"),
    ("src/cli/run.rs", "the answer of a person at a terminal"),
];

/// Names of the services, and where they may stand.
const SERVICES: &[&str] = &["aurora", "docdb", "documentdb", "elasticache", "redshift"];
/// Sizing is knowledge of a family, too; it stands in `capacity/`, one file per sort of store, because it needs the
/// whole blueprint and the catalog, which `families/` must not know.
const SERVICES_AT_HOME: &[&str] = &[
    "crates/model/src/kinds/",
    "crates/blueprint/src/families/",
    "src/import/stores/",
    "crates/blueprint/src/capacity/",
    "crates/aws/src/",
    "crates/permissions/src/",
    "crates/sim/src/tables/",
    "crates/engine/src/planning/tables/",
    "crates/catalog/src/data/",
    "crates/catalog/src/offer",
    // How users prove who they are, and who insists on encryption, each family tells in its own way.
    "src/report/outputs_families.rs",
];

const FILE_LINES_MAX: usize = 560;
const FUNCTION_LINES_MAX: usize = 75;

/// One file of the program.
struct SourceFile {
    /// Path from the root, with `/`.
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
    /// The module of its crate that it belongs to: `planning` for `crates/engine/src/planning/order.rs`.
    fn module(&self) -> &str {
        let inner = self.path.rsplit_once("src/").map_or(self.path.as_str(), |(_, inner)| inner);
        inner.split(['/', '.']).next().unwrap_or_default()
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

/// The place of a module in the order of its crate.
fn place(order: &[&str], module: &str) -> Option<usize> {
    let at = |word: &str| order.iter().position(|named| *named == word);
    at(module).or_else(|| at("*"))
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

/// A file uses only its own module, and earlier ones.
fn check_order(file: &SourceFile, found: &mut Vec<String>) {
    let within = |folder: &str| file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let Some((_, order)) = ORDER.iter().find(|(folder, _)| within(folder)) else {
        return;
    };
    if ["lib", "main"].contains(&file.module()) {
        return;
    }
    let Some(own) = place(order, file.module()) else {
        found.push(format!("{}: `{}` has no place in the order of its crate", file.path, file.module()));
        return;
    };
    for used in used_modules(&file.flat()) {
        if place(order, &used).is_some_and(|theirs| theirs > own) {
            found.push(format!("{} uses `{used}`, which comes later", file.path));
        }
    }
}

/// The core computes; it does not look, wait or speak.
fn check_purity(file: &SourceFile, found: &mut Vec<String>) {
    if !PURE.iter().any(|pure| file.path.starts_with(pure)) || AWAITING.contains(&file.path.as_str()) {
        return;
    }
    for (number, line) in file.lines() {
        // The ports are traits whose methods are awaited by others; they hold futures, and never await.
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
            found.push(format!(
                "{}:{number}: `{open}` beside the door `crates/machine/src/inputs.rs`",
                file.path
            ));
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

/// Crates of the workspace that a manifest names outside of its tests.
fn used_crates(manifest: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut used = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if let Some(rest) = line.strip_prefix("rgctl-")
            && section.ends_with("dependencies]")
            && !section.contains("dev-")
        {
            used.insert(rest.split(['.', ' ']).next().unwrap_or_default().to_owned());
        }
    }
    used
}

/// A crate uses only what the table says.
fn check_uses(name: &str, manifest: &str, found: &mut Vec<String>) {
    let Some((_, may)) = USES.iter().find(|(known, _)| *known == name) else {
        found.push(format!("crates/{name}: not in the table of what may use what"));
        return;
    };
    for used in used_crates(manifest).iter().filter(|used| !may.contains(&used.as_str())) {
        found.push(format!("crates/{name} uses `{used}`"));
    }
}

/// Ways from a file of a folder by others of it back to itself.
fn circles_in(folder: &str, files: &[SourceFile]) -> Vec<String> {
    let within =
        |file: &&SourceFile| file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let below_src = |file: &SourceFile| {
        file.path.split_once("src/").map_or_else(|| file.path.clone(), |(_, path)| path.to_owned())
    };
    let files: Vec<(String, String)> =
        files.iter().filter(within).map(|file| (below_src(file), file.flat())).collect();
    assert!(files.len() > 1, "{folder}: only {} files were found", files.len());
    circles::circles(&files).into_iter().map(|circle| format!("{folder}: {circle}")).collect()
}

fn check(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    check_order(file, &mut found);
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
    let mut paths = Vec::new();
    walk(&root().join("src"), &mut paths);
    for name in crates().iter().filter(|name| *name != "testkit") {
        walk(&root().join("crates").join(name).join("src"), &mut paths);
    }
    paths.sort();
    let files = paths.iter().map(|path| {
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        SourceFile::new(&name, &fs::read_to_string(path).expect("a text"))
    });
    files.collect()
}

/// The names of the crates in `crates/`.
fn crates() -> Vec<String> {
    let folders = fs::read_dir(root().join("crates")).expect("the crates");
    let mut names: Vec<String> = folders
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| root().join("crates").join(name).join("Cargo.toml").exists())
        .collect();
    names.sort();
    names
}

fn manifest(name: &str) -> String {
    fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).expect("a manifest")
}

#[test]
fn every_file_keeps_the_rules() {
    let files = sources();
    assert!(files.len() > 40, "only {} files were found", files.len());
    let found: Vec<String> = files.iter().flat_map(check).collect();
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_two_files_use_each_other() {
    let files = sources();
    let found: Vec<String> = WITHOUT_CIRCLES.iter().flat_map(|folder| circles_in(folder, &files)).collect();
    assert!(found.is_empty(), "{} circles:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_crate_uses_what_the_table_says_and_no_more() {
    let mut found = Vec::new();
    for name in crates() {
        check_uses(&name, &manifest(&name), &mut found);
    }
    assert_eq!(crates().len(), USES.len(), "a crate of the table is not there");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_module_is_named_after_nothing_in_particular() {
    let vague = ["util", "utils", "common", "helpers", "helper", "manager", "service", "services", "misc"];
    for file in sources() {
        let at_home = file.path.starts_with("crates/blueprint/src/families/");
        let parts: Vec<&str> = file.path.trim_end_matches(".rs").split('/').collect();
        let found = parts.iter().find(|part| vague.contains(*part));
        assert!(found.is_none() || at_home, "{}: `{}` says nothing", file.path, found.unwrap_or(&""));
    }
}

#[test]
fn every_folder_is_on_the_map_in_the_documentation() {
    let map = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    // The folder of a crate by its own name, what is within it by the way from there.
    let named = |folder: &str| match folder
        .strip_prefix("crates/")
        .map(|rest| rest.split_once("/src/").ok_or(rest))
    {
        Some(Ok((_, inner))) => format!("{inner}/"),
        Some(Err(rest)) => format!("crates/{}", rest.trim_end_matches("src")),
        None => format!("{folder}/"),
    };
    let folders: BTreeSet<String> = sources()
        .iter()
        .filter_map(|file| file.path.rsplit_once('/').map(|(folder, _)| named(folder)))
        .collect();
    let missing: Vec<&String> =
        folders.iter().filter(|folder| !map.contains(&format!("`{folder}`"))).collect();
    assert!(missing.is_empty(), "docs/architecture.md does not name {missing:?}");
}

#[test]
fn the_core_is_free_of_the_provider_without_its_feature() {
    // What only the tests use is not in the graph of `cargo check`.
    let shipped = |text: &str| text.split("[dev-dependencies]").next().unwrap_or_default().to_owned();
    for name in crates() {
        for line in shipped(&manifest(&name)).lines().filter(|line| line.starts_with("aws-")) {
            let walled = name == "aws" && line.contains("optional = true");
            assert!(walled, "crates/{name}: `{line}` is not behind the feature `sdk` of the crate `aws`");
        }
    }
    let own = shipped(&fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml"));
    let walled = |line: &str| line.starts_with("rgctl-aws = ") && line.contains("optional = true");
    assert!(own.lines().any(walled), "the adapter is not behind the feature `aws`");
    assert!(!own.lines().any(|line| line.starts_with("aws-")), "a crate of the SDK beside its adapter");
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
        let file = "crates/engine/src/planning/x.rs";
        assert_caught(file, "use crate::execution::turn;", up);
        assert_caught(file, "use crate::{gate::Verdicts, execution::turn};", up);
        assert_caught(file, "use crate::{\n    gate::{Verdicts, times},\n    execution::turn,\n};", up);
        assert_caught(file, "fn f() -> crate::execution::Turn { todo() }", up);
        assert_caught("src/report/x.rs", "use crate::cli::args;", "uses `cli`");
        assert_caught("crates/model/src/plan.rs", "use crate::ports::Cloud;", "uses `ports`");
        assert_caught("crates/engine/src/elsewhere/x.rs", "", "has no place");
    }

    #[test]
    fn a_look_downwards_and_at_home_passes() {
        for text in [
            "use crate::{gate::{Verdicts, times}, ledger::Ledger};",
            "use crate::planning::draft;",
            "// crate::execution is above us",
            "use other_crate::execution;",
        ] {
            assert_eq!(problems("crates/engine/src/planning/x.rs", text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(problems("src/cli/x.rs", "use crate::report::style;"), Vec::<String>::new());
    }

    #[test]
    fn a_look_of_the_embedded_cloud_at_the_engine_is_caught() {
        let problems = |name: &str, rest: &str| {
            let mut found = Vec::new();
            check_uses(name, &format!("[package]\nname = \"rgctl-{name}\"\n\n{rest}"), &mut found);
            found
        };
        assert_eq!(problems("sim", "[dependencies]\nrgctl-model.workspace = true\n"), Vec::<String>::new());
        assert_eq!(
            problems("sim", "[dev-dependencies]\nrgctl-engine.workspace = true\n"),
            Vec::<String>::new()
        );
        for line in ["rgctl-engine.workspace = true", "rgctl-engine = { workspace = true }"] {
            for section in ["[dependencies]", "[target.'cfg(unix)'.dependencies]", "[build-dependencies]"] {
                assert_eq!(problems("sim", &format!("{section}\n{line}\n")), ["crates/sim uses `engine`"]);
            }
        }
        assert_eq!(problems("elsewhere", "").len(), 1);
    }

    fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile::new(&format!("crates/engine/src/{path}"), text))
            .collect();
        circles_in("crates/engine/src", &files)
    }

    #[test]
    fn a_circle_of_files_is_caught_in_every_form() {
        let (a, b) = ("planning/a.rs", "planning/b.rs");
        for (of_a, of_b) in [
            ("use super::b::B;", "use super::a::A;"),
            ("use super::{c, b};", "use crate::planning::{a::{A, f}, c};"),
            ("use crate::{\n    gate,\n    planning::b::{self, B},\n};", "fn f() -> super::a::A { todo() }"),
            ("fn f() { crate::planning::b::g::<u8>() }", "pub(super) use super::a::A as Other;"),
        ] {
            let found = circles_of(&[(a, of_a), (b, of_b), ("planning/c.rs", "")]);
            assert_eq!(found, [format!("crates/engine/src: {a} uses {b} uses {a}")], "{of_a} {of_b}");
        }
        let longer =
            [(a, "use super::b::B;"), (b, "use crate::gate;"), ("gate.rs", "use crate::planning::a;")];
        assert_eq!(
            circles_of(&longer),
            ["crates/engine/src: gate.rs uses planning/a.rs uses planning/b.rs uses gate.rs"]
        );
        // What the entry point holds is used by what it enters.
        let root = [("planning/mod.rs", "mod a;\npub struct P;\nfn f() { a::g() }"), (a, "use super::P;")];
        assert_eq!(
            circles_of(&root),
            ["crates/engine/src: planning/mod.rs uses planning/a.rs uses planning/mod.rs"]
        );
        // What is handed on is used where it stands, under whatever name.
        let handed = [
            ("planning/mod.rs", "pub use b::B as C;"),
            (a, "use crate::planning::C;"),
            (b, "use super::a::A;"),
        ];
        assert_eq!(circles_of(&handed), [format!("crates/engine/src: {a} uses {b} uses {a}")]);
    }

    #[test]
    fn files_that_use_each_other_in_one_direction_alone_pass() {
        let files = [
            ("lib.rs", "pub mod planning;\npub mod gate;"),
            ("gate.rs", "// crate::planning is above us\npub fn f() {}"),
            ("planning/mod.rs", "mod a;\nmod b;\npub use b::{B, g};\nuse a::A;\npub fn plan() { a::f() }"),
            (
                "planning/a.rs",
                "use super::{B, b};\nuse crate::gate;\nuse other::planning::plan;\nfn f() { self::h() }",
            ),
            ("planning/b.rs", "#[cfg(test)]\nmod tests {\n    use crate::planning::a::A;\n}\n"),
        ];
        assert_eq!(circles_of(&files), Vec::<String>::new());
    }

    #[test]
    fn what_is_in_tests_alone_is_not_the_cores() {
        let text = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::cli::args;\n}\n";
        assert_eq!(problems("crates/engine/src/planning/x.rs", text), Vec::<String>::new());
    }

    #[test]
    fn impurity_is_caught() {
        for text in ["async fn f() {}", "let m: HashMap<u8, u8>;", "std::env::var(\"X\")", "println!(\"x\")"]
        {
            assert_caught("crates/engine/src/planning/x.rs", text, "in the pure core");
        }
        assert_eq!(problems("crates/engine/src/execution/drive.rs", "async fn f() {}"), Vec::<String>::new());
        assert_eq!(problems("crates/store/src/x.rs", "async fn f() {}"), Vec::<String>::new());
    }

    #[test]
    fn a_crate_away_from_home_is_caught() {
        assert_caught("src/cli/x.rs", "use rusqlite::Connection;", "outside its home");
        assert_caught("src/cli/x.rs", "let c = aws_config::load();", "outside its home");
        assert_caught("crates/sim/src/x.rs", "use clap::Args;", "outside its home");
        assert_eq!(problems("crates/store/src/x.rs", "use rusqlite::Connection;"), Vec::<String>::new());
        assert_eq!(problems("src/cli/x.rs", "let in_aws_words = 1;"), Vec::<String>::new());
    }

    #[test]
    fn a_second_door_is_caught() {
        for text in
            ["let t = std::fs::read(path);", "fs::read_to_string(p)", "File::open(p)", "io::stdin().lock()"]
        {
            assert_caught("src/cli/x.rs", text, "beside the door");
            assert_eq!(problems("crates/machine/src/inputs.rs", text), Vec::<String>::new());
        }
    }

    #[test]
    fn a_service_name_in_generic_code_is_caught() {
        assert_caught("crates/engine/src/planning/x.rs", "if kind == \"Aurora\" {}", "in generic code");
        assert_eq!(
            problems("crates/model/src/kinds/x.rs", "const A: &str = \"aurora\";"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_file_without_a_purpose_or_beyond_measure_is_caught() {
        let bare = check(&SourceFile::new("crates/engine/src/planning/x.rs", "fn f() {}"));
        assert!(bare.iter().any(|problem| problem.contains("what it is for")), "{bare:?}");
        assert_caught(
            "crates/engine/src/planning/x.rs",
            &"// a line\n".repeat(FILE_LINES_MAX),
            "lines, at most",
        );
        let long = format!("pub fn f() {{\n{}}}\n", "    g();\n".repeat(FUNCTION_LINES_MAX));
        assert_caught("crates/engine/src/planning/x.rs", &long, "function `f`");
    }
}
