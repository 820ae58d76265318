//! A folder of blueprints whose files come, change, break, move and go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rgctl::agent::files::{Change, Examine, Examined, Folder, Place, Stamp};
use rgctl_schema::time::Span;

/// A folder in memory, with a file system that counts.
struct Disk {
    folder: Folder<String>,
    files: BTreeMap<PathBuf, (Stamp, Result<String, String>)>,
    now: Span,
    writes: i128,
    reads: usize,
}

impl Default for Disk {
    fn default() -> Self {
        let folder = Folder::new(String::new());
        Self { folder, files: BTreeMap::new(), now: Span::ZERO, writes: 0, reads: 0 }
    }
}

impl Disk {
    fn write(&mut self, name: &str, text: &str) {
        self.writes += 1;
        let stamp = Stamp { bytes: text.len() as u64, written: self.writes, changed: self.writes, file: 1 };
        self.files.insert(PathBuf::from(name), (stamp, Ok(text.to_owned())));
    }

    fn breaks(&mut self, name: &str, why: &str) {
        self.writes += 1;
        let stamp = Stamp { changed: self.writes, ..Stamp::default() };
        self.files.insert(PathBuf::from(name), (stamp, Err(why.to_owned())));
    }

    fn poll(&mut self) -> Vec<String> {
        let listed = self.files.iter().map(|(path, (stamp, _))| (path.clone(), *stamp)).collect();
        let to_read = self.folder.look(&listed, self.now);
        self.reads += to_read.len();
        let read = to_read.into_iter().map(|path| (path.clone(), self.files[&path].1.clone()));
        let changes = self.folder.fold(read.collect(), self.now, &Words);
        changes.iter().map(|change| self.told(change)).collect()
    }

    fn text(&self, blueprint: &str) -> String {
        self.folder.in_force(blueprint).map_or_else(String::new, |text| text.text.to_string())
    }

    fn told(&self, change: &Change) -> String {
        match change {
            Change::InForce { blueprint } => format!("{blueprint}: {}", self.text(blueprint)),
            Change::Rests { blueprint, path } => format!("{blueprint} rests, {} is gone", path.display()),
            Change::Refused { path, why, kept } => format!("{}: {why}, {kept:?} kept", path.display()),
            Change::Twice { blueprint, paths } => format!("{blueprint} twice: {paths:?}"),
            Change::OnceAgain { blueprint } => format!("{blueprint} once again"),
        }
    }

    /// Polls once a second until files stand still.
    fn settle(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..4 {
            told.extend(self.poll());
            self.now = Span::from_millis(self.now.as_millis() + 1_000);
        }
        told
    }
}

/// `a b` holds the blueprints a and b, `regions:x` is shared, a text without an end mark is broken, and so is one that
/// needs a region that nobody tells of.
struct Words;

impl Examine for Words {
    type Shared = String;
    fn is_shared(&self, text: &str) -> bool {
        text.starts_with("regions:")
    }
    fn share(&self, texts: &[(&Path, &str)]) -> Result<String, String> {
        Ok(texts.iter().map(|(_, text)| *text).collect())
    }
    fn examine(&self, shared: &String, _: &Path, text: &str) -> Examined {
        let wrong = |why: &str| Examined { wrong: Some(why.to_owned()), ..Examined::default() };
        let Some(text) = text.strip_suffix('.') else { return wrong("no end") };
        let needs = text.split(' ').filter_map(|word| word.strip_prefix("in:"));
        for region in needs {
            if !shared.contains(region) {
                return wrong(&format!("no region {region}"));
            }
        }
        let words = text.split(' ').filter(|word| !word.starts_with('v') && !word.contains(':'));
        Examined { blueprints: words.map(|word| (Arc::from(word), Place::default())).collect(), wrong: None }
    }
}

#[test]
fn new_and_changed_files_are_in_force_once_they_stand_still_and_are_read_once() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a.");
    assert_eq!(disk.poll(), ["a: a."], "at the beginning nothing is waited for");
    disk.settle();
    disk.write("a.yaml", "a v2.");
    disk.write("b.yaml", "b.");
    assert_eq!(disk.poll(), [""; 0]);
    disk.now = Span::from_millis(disk.now.as_millis() + 1_900);
    assert_eq!(disk.poll(), [""; 0]);
    assert!(disk.folder.is_unsettled());
    disk.now = Span::from_millis(disk.now.as_millis() + 100);
    assert_eq!(disk.poll(), ["a: a v2.", "b: b."]);
    let reads = disk.reads;
    assert_eq!(disk.settle(), [""; 0]);
    assert_eq!(disk.reads, reads, "what does not change is not read");
    // Touched, not changed.
    disk.write("a.yaml", "a v2.");
    assert_eq!(disk.settle(), [""; 0]);
}

#[test]
fn a_file_that_is_written_bit_by_bit_is_never_read_half() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a b c.");
    disk.poll();
    // Each bit would be read as a blueprint with less in it.
    for text in ["a.", "a b.", "a b c.", "a b c v2."] {
        disk.write("a.yaml", text);
        assert_eq!(disk.poll(), [""; 0]);
        disk.now = Span::from_millis(disk.now.as_millis() + 1_500);
    }
    assert_eq!(disk.settle(), ["a: a b c v2.", "b: a b c v2.", "c: a b c v2."]);
}

#[test]
fn the_last_good_text_stays_in_force_and_what_is_wrong_is_said_once_for_each_change() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a.");
    disk.settle();
    disk.write("a.yaml", "a v2");
    assert_eq!(disk.settle(), ["a.yaml: no end, {\"a\"} kept"]);
    assert_eq!(disk.settle(), [""; 0]);
    assert_eq!(disk.text("a"), "a.");
    disk.breaks("a.yaml", "permission denied");
    assert_eq!(disk.settle(), ["a.yaml: permission denied, {\"a\"} kept"]);
    assert_eq!(disk.settle(), [""; 0], "it is tried again, and said once");
    disk.write("a.yaml", "a.");
    assert_eq!(disk.settle(), [""; 0], "what was in force all the time");
    disk.write("a.yaml", "a v3.");
    assert_eq!(disk.settle(), ["a: a v3."]);
}

#[test]
fn a_file_that_is_wrong_from_the_beginning_has_nothing_in_force() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a");
    assert_eq!(disk.poll(), ["a.yaml: no end, {} kept"]);
    assert!(disk.folder.is_empty());
}

#[test]
fn a_file_that_goes_lets_its_blueprint_rest_and_one_that_moves_changes_nothing() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a.");
    disk.write("b.yaml", "b.");
    disk.settle();
    disk.files.remove(Path::new("a.yaml"));
    assert_eq!(disk.poll(), [""; 0], "an editor may take a file away before it writes it anew");
    assert_eq!(disk.settle(), ["a rests, a.yaml is gone"]);
    disk.write("a.yaml", "a.");
    assert_eq!(disk.settle(), ["a: a."]);
    // `mv`: the old name goes before the new one stands still.
    disk.files.remove(Path::new("b.yaml"));
    disk.write("new.yaml", "b.");
    assert_eq!(disk.settle(), [""; 0]);
    assert_eq!(&*disk.folder.in_force("b").unwrap().path, Path::new("new.yaml"));
}

#[test]
fn two_files_with_one_blueprint_are_said_and_neither_changes_it() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a.");
    disk.settle();
    disk.write("copy.yaml", "a v2.");
    assert_eq!(disk.settle(), ["a twice: [\"a.yaml\", \"copy.yaml\"]"]);
    disk.write("copy.yaml", "a v3.");
    disk.write("a.yaml", "a v4.");
    assert_eq!(disk.settle(), [""; 0], "said once");
    assert_eq!(disk.text("a"), "a.");
    disk.files.remove(Path::new("copy.yaml"));
    assert_eq!(disk.settle(), ["a once again", "a: a v4."]);
}

#[test]
fn a_file_that_goes_and_comes_back_is_read_again() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a.");
    disk.settle();
    let (stamp, _) = disk.files.remove(Path::new("a.yaml")).unwrap();
    disk.poll();
    disk.files.insert(PathBuf::from("a.yaml"), (stamp, Ok("a v2.".to_owned())));
    assert_eq!(disk.settle(), ["a: a v2."]);
}

#[test]
fn a_blueprint_that_is_given_another_name_is_another_one() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a.");
    disk.settle();
    disk.write("a.yaml", "b.");
    assert_eq!(disk.settle(), ["b: b.", "a rests, a.yaml is gone"]);
}

#[test]
fn a_blueprint_and_the_region_that_it_names_may_come_together_in_any_order() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a in:eu.");
    disk.write("regions.yaml", "regions:eu.");
    assert_eq!(disk.poll(), ["a: a in:eu."]);
    disk.write("b.yaml", "b in:us.");
    assert_eq!(disk.settle(), ["b.yaml: no region us, {} kept"]);
    disk.write("us.yaml", "regions:us.");
    assert_eq!(disk.settle(), ["a: a in:eu.", "b: b in:us."], "what was refused is judged again");
    // Both change in one look, and neither fits what the other one was.
    disk.write("a.yaml", "a in:ap.");
    disk.write("regions.yaml", "regions:ap.");
    let told = disk.settle();
    assert!(told.contains(&"a: a in:ap.".to_owned()), "{told:?}");
}

#[test]
fn who_does_not_fit_what_is_shared_now_keeps_what_it_fitted() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a in:eu.");
    disk.write("b.yaml", "b.");
    disk.write("regions.yaml", "regions:eu.");
    disk.settle();
    disk.write("regions.yaml", "regions:us.");
    assert_eq!(disk.settle(), ["a.yaml: no region eu, {\"a\"} kept", "b: b."]);
    assert_eq!(*disk.folder.in_force("a").unwrap().shared, "regions:eu.");
    assert_eq!(*disk.folder.in_force("b").unwrap().shared, "regions:us.");
    disk.files.remove(Path::new("regions.yaml"));
    assert_eq!(disk.settle(), ["a.yaml: no region eu, {\"a\"} kept", "b: b."]);
    assert_eq!(
        *disk.folder.in_force("a").unwrap().shared,
        "regions:eu.",
        "a file that goes takes nothing away"
    );
}

#[test]
fn another_file_behind_the_same_name_is_read_even_if_it_is_as_long_and_as_old() {
    let mut disk = Disk::default();
    disk.write("a.yaml", "a v1.");
    disk.settle();
    // As a mounted map of files is exchanged: the link of the folder leads elsewhere.
    let (stamp, _) = disk.files[Path::new("a.yaml")].clone();
    disk.files.insert(PathBuf::from("a.yaml"), (Stamp { file: 2, ..stamp }, Ok("a v2.".to_owned())));
    assert_eq!(disk.settle(), ["a: a v2."]);
}
