//! The binary, as a shell sees it: help, bad input, exit codes, streams.

use std::path::Path;

use assert_cmd::Command;
use rgctl::cli::exit::{self, Exit};

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

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
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
