//! The binary, as a shell sees it: help, bad input, exit codes, streams.

use std::path::Path;

use assert_cmd::Command;
use rgctl::cli::exit::{self, Exit};
use rgctl::cli::saved::SavedPlan;
use rgctl_model::observed::Inventory;
use rgctl_model::policy::Policy;
use rgctl_store::objects::WorldFile;

use rgctl_testkit::fixtures::{NOW, cluster_store, desired, plan_for};

/// A place of its own for each test: an empty folder, no environment, a fixed width.
pub struct Place {
    folder: tempfile::TempDir,
}

/// What a command left behind.
pub struct Left {
    pub code: u8,
    pub data: String,
    pub talk: String,
}

/// A folder that goes with its test: in memory, where the machine has such a place. What is shown here is not the disk, and
/// whoever writes a record waits for it.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl Place {
    pub fn new() -> Self {
        Self { folder: folder() }
    }
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }
    pub fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rgctl"));
        command.current_dir(self.path()).env_clear().env("COLUMNS", "120").args(line);
        command
    }
    pub fn run(&self, line: &[&str]) -> Left {
        let output = self.command(line).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("{line:?} was killed"));
        Left { code: u8::try_from(code).unwrap(), data: text(output.stdout), talk: text(output.stderr) }
    }
}

#[test]
fn help_and_version_are_data() {
    let place = Place::new();
    for line in [&["--help"][..], &["-h"], &["--version"], &["history", "--help"]] {
        let left = place.run(line);
        assert_eq!((left.code, left.talk.as_str()), (0, ""), "{line:?}");
        assert!(left.data.contains("rgctl"), "{line:?}");
    }
}

#[test]
fn wrong_arguments_are_invalid_input_and_never_data() {
    let place = Place::new();
    let lines: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["history"],
        &["history", "game", "--no-such-flag"],
        &["history", "Not_A_Name"],
        &["--cloud", "azure", "history", "game"],
        &["--profile", "prod", "history", "game"],
        &["--store", "ftp://bucket", "history", "game"],
    ];
    for line in lines {
        let left = place.run(line);
        assert_eq!(left.code, Exit::BadInput.code(), "{line:?}: {}", left.talk);
        assert_eq!(left.data, "", "{line:?}");
        assert!(!left.talk.is_empty(), "{line:?}");
    }
}

#[test]
fn a_misspelt_command_is_answered_with_the_right_one() {
    let left = Place::new().run(&["histroy", "game"]);
    assert!(left.talk.contains("history"), "{}", left.talk);
}

#[test]
fn reading_an_empty_place_leaves_it_empty() {
    let place = Place::new();
    let left = place.run(&["history", "game"]);
    assert_eq!(left.code, 0, "{}", left.talk);
    assert!(left.talk.contains("nothing is on record for game"), "{}", left.talk);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn the_record_for_programs_names_its_format() {
    let left = Place::new().run(&["history", "game", "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&left.data).unwrap();
    assert_eq!(value["format"], "rgctl.dev/history/v1");
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let left = Place::new().run(&["completions", shell]);
        assert_eq!((left.code, left.talk.as_str()), (0, ""), "{shell}");
        assert!(left.data.contains("rgctl"), "{shell}");
    }
}

#[test]
fn the_table_of_exit_codes_in_the_documentation_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/exit-codes.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, exit::markdown()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        written,
        exit::markdown(),
        "run the tests with UPDATE_DOCS=1 to write docs/exit-codes.md anew"
    );
}

/// A saved plan of a small store for an empty world, as `plan --out` writes it.
fn save_plan(place: &Place, name: &str, class: &str) {
    let wanted = desired(cluster_store("accounts", "us-east-1", 2, class));
    let nothing = Inventory::empty(NOW);
    let mut plan = plan_for(&wanted, &nothing, &Policy::default());
    let bases = rgctl_engine::planning::base_by_region(&wanted, &nothing, &rgctl_model::claims::NO_CLAIMS);
    plan.base = rgctl_engine::planning::base_of(&wanted, &bases);
    SavedPlan::new(plan, wanted, Policy::default(), 0, 0)
        .resting_on(bases)
        .write(&place.path().join(name))
        .unwrap();
}

#[test]
fn a_saved_plan_is_carried_out_once_and_is_stale_afterwards() {
    let place = Place::new();
    save_plan(&place, "plan.json", "db.r7g.large");
    let refused = place.run(&["apply", "plan.json"]);
    assert_eq!(refused.code, Exit::Refused.code(), "nobody can be asked: {}", refused.talk);
    let done = place.run(&["apply", "plan.json", "--yes"]);
    assert_eq!(done.code, 0, "{}\n{}", done.data, done.talk);
    assert!(done.data.contains("game: settled after"), "{}", done.data);
    let stale = place.run(&["apply", "plan.json", "--yes"]);
    assert_eq!(stale.code, Exit::StalePlan.code(), "{}", stale.talk);
    let history = place.run(&["history", "game"]);
    assert!(history.data.contains("the chain of digests is whole"), "{}", history.data);
}

#[test]
fn a_saved_plan_is_carried_out_in_the_account_in_which_it_was_made_and_in_no_other() {
    let place = Place::new();
    let root = env!("CARGO_MANIFEST_DIR");
    let text = std::fs::read_to_string(format!("{root}/blueprints/light-game.yaml")).unwrap();
    place.write("game.yaml", &text);
    let world =
        |world: &'static str, line: &[&'static str]| place.run(&[&["--state-dir", world], line].concat());
    let saved = world("one", &["plan", "-f", "game.yaml", "--out", "plan.json"]);
    assert_eq!(saved.code, 0, "{}", saved.talk);
    // Two empty worlds look the same, and are two accounts.
    let other = world("two", &["apply", "plan.json", "--yes"]);
    assert_eq!(other.code, Exit::StalePlan.code(), "{}", other.talk);
    assert!(other.talk.contains("the plan was made for world"), "{}", other.talk);
    let own = world("one", &["apply", "plan.json", "--yes"]);
    assert_eq!(own.code, 0, "{}", own.talk);
}

#[test]
fn a_plan_that_was_edited_is_not_the_plan_that_was_agreed_to() {
    let place = Place::new();
    save_plan(&place, "plan.json", "db.r7g.large");
    let text = std::fs::read_to_string(place.path().join("plan.json")).unwrap();
    place.write("plan.json", &text.replace("db.r7g.large", "db.r7g.16xlarge"));
    let left = place.run(&["apply", "plan.json", "--yes"]);
    assert_eq!(left.code, Exit::BadInput.code());
    assert!(left.talk.contains("it was changed after it was made"), "{}", left.talk);
    assert!(!place.path().join(".rgctl").exists(), "a refused plan touches nothing");
}

#[test]
fn what_is_no_plan_is_refused_with_a_reason() {
    let place = Place::new();
    place.write("empty.json", "");
    place.write("other.json", "{\"format\":\"other/v9\"}");
    place.write("shown.json", "{\"format\":\"rgctl.dev/plan/v2\"}");
    std::fs::write(place.path().join("bytes.json"), [b'{', 0xff, 0xfe]).unwrap();
    for (file, why) in [
        ("missing.json", "No such file"),
        ("empty.json", "is not a saved plan"),
        ("other.json", "its format is other/v9"),
        ("shown.json", "without the wish"),
        ("bytes.json", "not UTF-8"),
        (".", "is a folder"),
    ] {
        let left = place.run(&["apply", file, "--yes"]);
        assert_eq!(left.code, Exit::BadInput.code(), "{file}: {}", left.talk);
        assert!(left.talk.contains(why), "{file}: {}", left.talk);
        assert_eq!(left.data, "", "{file}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::{Command, Stdio};
    let place = Place::new();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("rgctl"))
        .current_dir(place.path())
        .env_clear()
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn import_shows_first_and_takes_over_on_consent_only_and_on_record() {
    use rgctl_model::plan::Op;
    use rgctl_model::ports::{Cloud, Permit};
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/blueprints/light-game.yaml");
    let foreign = rgctl_testkit::fixtures::address(
        "us-east-1",
        rgctl_model::kinds::KindId::RdsSubnetGroup,
        "light-game-players-use1",
    );
    {
        let cloud = rgctl_sim::SimCloud::open(&WorldFile::under(&place.path().join(".rgctl"))).unwrap();
        let fields =
            [("description", "by hand".into()), ("subnets", serde_json::json!(["subnet-a", "subnet-b"]))];
        let attrs = rgctl_testkit::fixtures::attrs(foreign.kind, &fields);
        let op = Op::Create { address: foreign.clone(), attrs, tags: std::collections::BTreeMap::new() };
        let token = rgctl_schema::names::Token("a person".to_owned());
        rgctl_testkit::site::block_on(cloud.call(&op, &token, &Permit::always())).unwrap();
        cloud.advance(rgctl_schema::time::Span::from_mins(5)).unwrap();
    }
    let shown = place.run(&["import", "-f", file]);
    assert_eq!(shown.code, 0, "{}", shown.talk);
    assert!(shown.data.contains("1 of them would be taken over"), "{}", shown.data);
    assert!(
        place.run(&["history", "light-game"]).talk.contains("nothing is on record"),
        "looking leaves no trace"
    );
    let taken = place.run(&["import", "-f", file, "--take-over"]);
    assert_eq!(taken.code, 0, "{}", taken.talk);
    assert!(taken.data.contains("1 taken over, 0 refused"), "{}", taken.data);
    let record = place.run(&["history", "light-game"]);
    assert!(
        record.data.contains("tag us-east-1/rds.subnet_group/light-game-players-use1"),
        "{}",
        record.data
    );
    // Reads lag writes by some seconds.
    assert_eq!(place.run(&["sim", "advance", "1m"]).code, 0);
    assert!(place.run(&["import", "-f", file]).data.contains("0 of them"), "it is ours now");
}

/// A small blueprint that is valid.
pub const SMALL: &str = "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: { name: game }\nspec:\n  demand: { players: { peakConcurrent: 1k }, requestsPerPlayerPerMinute: 10 }\n  objectives: { availability: 99%, p99: 100ms, rto: 2d, rpo: 2d }\n  regions: { primary: us-east-1 }\n  stores: [ { name: ranking, engine: valkey, class: cache.r6g.large, shards: 1, replicasPerShard: 1 } ]\n";

#[test]
fn hostile_files_are_refused_with_a_reason_and_leave_no_trace() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("folder")).unwrap();
    let twice = format!("{SMALL}---\n{SMALL}");
    let files: [(&str, &[u8]); 12] = [
        ("empty", b""),
        ("only-bom", "\u{FEFF}".as_bytes()),
        ("only-remarks", b"# nothing\n"),
        ("not-utf8", b"apiVersion: \xff\xfe"),
        ("nul", b"apiVersion: \0\n"),
        ("tab", b"spec:\n\tstores: []\n"),
        ("duplicate-key", b"kind: Blueprint\nkind: Blueprint\n"),
        ("binary", &[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]),
        ("number", b"99999999999999999999999999999999\n"),
        ("list", b"- 1\n- 2\n"),
        ("two-of-a-name", twice.as_bytes()),
        ("anchor-loop", b"a: &a [*a]\n"),
    ];
    for (name, bytes) in files {
        std::fs::write(place.path().join(name), bytes).unwrap();
    }
    let names = files.map(|(name, _)| name).into_iter().chain(["folder", "not-there"]);
    for name in names {
        for command in ["plan", "apply", "status", "cost", "validate"] {
            let line = if command == "validate" { vec![command, name] } else { vec![command, "-f", name] };
            let left = place.run(&line);
            assert_eq!(left.code, Exit::BadInput.code(), "{line:?}: {} {}", left.data, left.talk);
            assert!(!(left.talk.clone() + &left.data).trim().is_empty(), "{line:?} says nothing");
            assert!(!left.talk.contains("panicked"), "{line:?}: {}", left.talk);
        }
    }
    assert!(!place.path().join(".rgctl").exists(), "nothing was opened");
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_read_like_any_other_text() {
    let place = Place::new();
    place.write("game.yaml", &format!("\u{FEFF}{}", SMALL.replace('\n', "\r\n")));
    let left = place.run(&["apply", "-f", "game.yaml", "--yes"]);
    assert_eq!(left.code, 0, "{}", left.talk);
    place.write("plain.yaml", SMALL);
    let left = place.run(&["plan", "-f", "plain.yaml", "--detailed-exitcode"]);
    assert_eq!(left.code, 0, "it is the same blueprint: {}", left.data);
}

#[test]
fn a_region_that_left_the_blueprint_is_still_seen_by_plan_and_destroy() {
    let place = Place::new();
    place.write("game.yaml", &SMALL.replace("us-east-1 }", "us-east-1, secondaries: [us-west-2] }"));
    assert_eq!(place.run(&["apply", "-f", "game.yaml", "--yes"]).code, 0);
    place.write("game.yaml", SMALL);
    let left = place.run(&["plan", "-f", "game.yaml", "--detailed-exitcode"]);
    assert_eq!(left.code, Exit::Differences.code(), "{}", left.data);
    assert!(left.data.contains("delete us-west-2/") || left.data.contains("us-west-2"), "{}", left.data);
}
