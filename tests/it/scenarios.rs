//! Scenarios: scripts under `tests/scenarios/`, run through the binary on the embedded cloud; the transcript is golden.
//!
//! A script has one command a line: `$ rgctl …`, `quietly rgctl …` (only the exit code is shown), `copy REPOSITORY_FILE FILE`, `replace FILE: OLD => NEW`,
//! `hold BLUEPRINT [MILLISECONDS]` and `release` (another run has the lease, for a third of a second unless it says how long),
//! `begin rgctl …` and `end` (a command that goes on meanwhile: the script goes on when it has said its first line, and shows
//! the rest at its end), and comments with `#`, which go into the transcript.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use rgctl_machine::SystemClock;
use rgctl_model::ports::{Clock, Lease, Store};
use rgctl_model::scope::Scope;
use rgctl_schema::names::{BlueprintName, RunId};
use rgctl_schema::time::Span;
use rgctl_sim::SimCloud;
use rgctl_store::journal::SqliteStore;
use rgctl_store::objects::WorldFile;

use crate::cli::{Left, Place};
use rgctl_testkit::digests;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

struct Scene {
    place: Place,
    held: Option<(SqliteStore, Lease)>,
    begun: Option<Begun>,
    transcript: String,
}

impl Scene {
    /// The transcript, and a digest of what was called and of what there is at the end.
    fn play(script: &str) -> (String, String) {
        let mut scene = Self { place: Place::new(), held: None, begun: None, transcript: String::new() };
        for line in script.lines() {
            scene.line(line.trim_end());
        }
        let digest = digests::of_folder(scene.place.path());
        (scene.transcript, digest)
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.transcript, "{line}");
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" | "#" => {}
            "$" => self.command(rest, true),
            "quietly" => self.command(rest, false),
            "copy" => {
                let (from, to) = rest.split_once(' ').expect("copy FROM TO");
                let text = std::fs::read_to_string(root().join(from)).expect("a file of the repository");
                self.place.write(to, &text);
            }
            "replace" => self.replace(rest),
            "hold" => self.hold(rest),
            "begin" => self.begun = Some(Begun::begin(&self.place, rest)),
            "end" => {
                let left = self.begun.take().expect("a command that was begun").end();
                self.show(&left);
            }
            "release" => {
                let (store, lease) = self.held.take().expect("a lease that is held");
                block_on(store.release_lease(&lease)).expect("released");
            }
            other => panic!("{other:?} is no command of a scenario"),
        }
    }

    fn command(&mut self, rest: &str, is_shown: bool) {
        let words: Vec<&str> = rest.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"rgctl"), "only rgctl is run");
        let left = self.place.run(&words[1..]);
        if !is_shown {
            let _ = writeln!(self.transcript, "[exit {}]", left.code);
            return;
        }
        self.show(&left);
    }

    fn show(&mut self, left: &Left) {
        for line in redact(&left.data).lines() {
            let _ = writeln!(self.transcript, "  {line}");
        }
        for line in redact(&left.talk).lines() {
            let _ = writeln!(self.transcript, "! {line}");
        }
        let _ = writeln!(self.transcript, "[exit {}]", left.code);
    }

    fn replace(&mut self, rest: &str) {
        let (file, change) = rest.split_once(": ").expect("replace FILE: OLD => NEW");
        let (old, new) = change.split_once(" => ").expect("OLD => NEW");
        let text = std::fs::read_to_string(self.place.path().join(file)).expect("a file of the scene");
        assert!(text.contains(old), "{file} has no {old:?}");
        self.place.write(file, &text.replace(old, &new.replace("\\n", "\n")));
    }

    fn hold(&mut self, rest: &str) {
        let (blueprint, lasts) = rest.split_once(' ').unwrap_or((rest, "300"));
        let lasts = Span::from_millis(lasts.parse().expect("milliseconds"));
        let store = SqliteStore::open(&self.place.path().join(".rgctl")).expect("a record");
        let (_, home) =
            SimCloud::peek(&WorldFile::under(&self.place.path().join(".rgctl"))).expect("a world");
        let scope = Scope::new(home, BlueprintName::new(blueprint).expect("a name"));
        let run = RunId("another".to_owned());
        let now = SystemClock.now();
        let lease = store.take_lease(&scope, &run, "bob@elsewhere (process 1)", now, lasts, None);
        let lease = block_on(lease).expect("a free lease");
        self.held = Some((store, lease));
    }
}

/// A command that goes on while others are run.
struct Begun {
    child: Child,
    data: JoinHandle<String>,
    talk: JoinHandle<String>,
}

impl Begun {
    /// Begins it, and waits for the first line that it says.
    fn begin(place: &Place, rest: &str) -> Self {
        let words: Vec<&str> = rest.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"rgctl"), "only rgctl is run");
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rgctl"));
        command.current_dir(place.path()).env_clear().env("COLUMNS", "120").args(&words[1..]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("rgctl");
        let mut data = child.stdout.take().expect("its data");
        let data = std::thread::spawn(move || {
            let mut text = String::new();
            data.read_to_string(&mut text).expect("text");
            text
        });
        let mut talk = BufReader::new(child.stderr.take().expect("its talk"));
        let mut first = String::new();
        talk.read_line(&mut first).expect("its first line");
        let talk = std::thread::spawn(move || {
            talk.read_to_string(&mut first).expect("text");
            first
        });
        Self { child, data, talk }
    }

    fn end(mut self) -> Left {
        let code = self.child.wait().expect("it ends").code().expect("a code");
        let text = |thread: JoinHandle<String>| thread.join().expect("its text");
        Left { code: u8::try_from(code).expect("a code"), data: text(self.data), talk: text(self.talk) }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// Replaces what differs from run to run: names of runs, identities of records, tokens, who ran them, wall-clock time of leases, ages of prices.
fn redact(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if let Some((when, asked)) = line.split_once(" asked holder ") {
            let when = when.rsplit_once("  ").map_or(when, |(when, _)| when);
            let _ = writeln!(out, "{when}  SOMEBODY asked holder {asked}");
            continue;
        }
        let words: Vec<String> = line
            .split(' ')
            .scan("", |before, word| {
                let shown = match *before {
                    _ if is_run(word) => "RUN".to_owned(),
                    _ if word.starts_with("somebody@") => "SOMEBODY".to_owned(),
                    _ if is_hex(word, 16) => "RECORD".to_owned(),
                    _ if is_hex(word, 32) => "TOKEN".to_owned(),
                    "until" if word.starts_with("20") => "LATER".to_owned(),
                    "by" if word.contains('@') && !word.starts_with("bob@") => "SOMEBODY".to_owned(),
                    "(process" if !line.contains("bob@") => "N)".to_owned(),
                    _ => word.to_owned(),
                };
                *before = word;
                Some(shown)
            })
            .collect();
        let _ = writeln!(out, "{}", words.join(" ").trim_end());
    }
    out
}

/// Whether a word is the identity of a record, such as `93d865658d20a3d5`, or the token of a call.
fn is_hex(word: &str, length: usize) -> bool {
    word.len() == length && word.chars().all(|c| c.is_ascii_hexdigit())
}

/// Whether a word is the name of a run, such as `20261121t103806z-2e7643`, in quotes or not.
fn is_run(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let Some((stamp, letters)) = word.split_once('-') else { return false };
    stamp.len() == 16
        && stamp.ends_with('z')
        && letters.len() == 6
        && letters.chars().all(|c| c.is_ascii_hexdigit())
}

#[test]
fn every_scenario_plays_as_written() {
    let folder = root().join("tests/scenarios");
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("tests/scenarios")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 10, "only {} scenarios were found", scripts.len());
    let (wrong, found): (Vec<Option<String>>, Vec<digests::Digest>) = std::thread::scope(|scope| {
        let plays: Vec<_> = scripts.iter().map(|path| scope.spawn(|| compare(path))).collect();
        plays.into_iter().map(|play| play.join().expect("a scene that ends")).unzip()
    });
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}\nUPDATE_SCENARIOS=1 writes the transcripts anew", wrong.join("\n"));
    digests::compare_all("scenarios", "scenario", &found);
}

/// Nothing, or where a transcript differs from the golden one; and the digest of the calls.
fn compare(script: &Path) -> (Option<String>, digests::Digest) {
    let text = std::fs::read_to_string(script).expect("a script");
    let (transcript, digest) = Scene::play(&text);
    let name = script.file_stem().and_then(|name| name.to_str()).expect("a name");
    (differs(script, &transcript), (name.to_owned(), digest))
}

fn differs(script: &Path, now: &str) -> Option<String> {
    let golden = script.with_extension("out");
    if std::env::var_os("UPDATE_SCENARIOS").is_some() {
        std::fs::write(&golden, now).expect("a transcript");
        return None;
    }
    let before = std::fs::read_to_string(&golden).unwrap_or_default();
    if before == now {
        return None;
    }
    let at = before.lines().zip(now.lines()).position(|(before, now)| before != now);
    let at = at.unwrap_or_else(|| before.lines().count().min(now.lines().count()));
    let show = |text: &str| text.lines().skip(at).take(5).collect::<Vec<_>>().join("\n    ");
    Some(format!(
        "{} differs from line {}:\n  expected\n    {}\n  found\n    {}",
        golden.display(),
        at + 1,
        show(&before),
        show(now)
    ))
}
