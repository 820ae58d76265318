//! Digests of what was asked of the cloud: for each seed of the swarm, each case of the crash matrix and each scenario the
//! calls in order, folded into one short digest, kept under `tests/digests/`. A change that is to alter no behaviour leaves
//! every one of them as it is.
//!
//! Folded is (virtual time, word, address, fields, token, answer), in words that are written here: no name of a type, of a
//! module or of a variant, and no `Debug` text, so that names in the code can change. `RGCTL_DIGESTS=write cargo test
//! --test it -- swarm:: crash:: scenarios::` writes the files anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rgctl_model::journal::{Entry, Event, Outcome, regions_of};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::{TAG_RECORD, TAG_TOKEN};
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::{Op, Verb};
use rgctl_model::ports::{Cloud, CloudError, Store};
use rgctl_model::scope::Scope;
use rgctl_schema::digest::Digester;
use rgctl_schema::names::BlueprintName;
use rgctl_sim::{Called, SimCloud};
use rgctl_store::journal::SqliteStore;
use rgctl_store::objects::WorldFile;

use crate::site::block_on;

/// Hexadecimal digits that are kept of a digest.
const KEPT: usize = 16;
/// Seeds of the swarm whose digests are kept.
pub const SEEDS: u64 = 1_000;

/// Whether the files are written anew instead of compared.
pub fn are_written() -> bool {
    match std::env::var("RGCTL_DIGESTS") {
        Err(_) => false,
        Ok(text) => {
            assert_eq!(text, "write", "RGCTL_DIGESTS is `write` or not set");
            true
        }
    }
}

/// Folds lines of text into one digest.
#[derive(Default)]
pub struct Fold {
    digester: Digester,
    /// What differs from run to run gets a number in the order in which it appears.
    numbers: BTreeMap<String, usize>,
}

impl Fold {
    /// Calls, in order.
    pub fn add_calls(&mut self, calls: &[Called]) {
        for called in calls {
            let answer = answer(&called.told);
            let asked = self.asked(&called.op);
            let (address, token, applied) = (called.at.as_millis(), &called.token, called.applied);
            self.line(&format!("{address} {asked} token={token} applied={applied} {answer}"));
        }
    }

    /// A line of other text, such as the digest of a part.
    pub fn line(&mut self, line: &str) {
        self.digester.add_text(line);
        self.digester.add_text("\n");
    }

    pub fn digest(self) -> String {
        self.digester.hex().chars().take(KEPT).collect()
    }

    fn number(&mut self, sort: &str, text: &str) -> String {
        let next = self.numbers.len();
        let number = self.numbers.entry(format!("{sort} {text}")).or_insert(next);
        format!("{sort}#{number}")
    }

    fn asked(&mut self, op: &Op) -> String {
        let address = op.address();
        match op {
            Op::Create { attrs, tags, .. } => {
                format!("create {address} {} {}", fields(attrs), self.tags(tags))
            }
            Op::Modify { attrs, .. } => {
                let out = ["parameters", "tags"].map(|map| op.taken_out(map)).into_iter().flatten();
                let out = out.fold(String::new(), |text, name| text + "-" + &name + ";");
                format!("modify {address} {}{out}", fields(attrs))
            }
            Op::Tag { tags, .. } => format!("tag {address} {}", self.tags(tags)),
            Op::Delete { final_snapshot, .. } => {
                let snapshot = final_snapshot.as_ref().map_or("-", |name| name.as_str());
                format!("delete {address} snapshot={snapshot}")
            }
            Op::Act { verb, .. } => format!("{} {address}", act(verb)),
        }
    }

    fn tags(&mut self, tags: &BTreeMap<String, String>) -> String {
        let mut text = String::new();
        for (name, value) in tags {
            // The identity of a record is drawn by its store, and differs from run to run.
            let value = if name == TAG_RECORD { self.number("record", value) } else { value.clone() };
            let _ = write!(text, "{name}={value};");
        }
        text
    }

    /// A record, in order. Names of runs and tokens differ from run to run there.
    fn add_record(&mut self, entries: &[Entry]) {
        for entry in entries {
            let run = self.number("run", &entry.run.0);
            let what = match &entry.what {
                Event::Opened { steps, .. } => format!("opened steps={steps}"),
                Event::Revised { steps, .. } => format!("revised steps={steps}"),
                Event::Chosen { .. } => "chosen".to_owned(),
                Event::Intended { step, address, word, token, changes, .. } => {
                    let token = self.number("token", &token.0);
                    format!("{word} {address} {} token={token} of {step}", changes.join(";"))
                }
                Event::Accepted { step } => format!("accepted {step}"),
                Event::Refused { step, code, .. } => format!("refused {step} {code}"),
                Event::Unclear { step, .. } => format!("unclear {step}"),
                Event::Taken { step } => format!("taken {step}"),
                Event::Deferred { step, .. } => format!("deferred {step}"),
                Event::UnknownState { step, state } => {
                    format!("unknown state {step} {}", state.as_deref().unwrap_or("-"))
                }
                Event::Settled { step, .. } => format!("settled {step}"),
                Event::Failed { step, .. } => format!("failed {step}"),
                Event::Gone { objects } => {
                    objects.iter().fold("gone".to_owned(), |text, address| format!("{text} {address}"))
                }
                Event::Closed { outcome, .. } => format!("closed {}", ended(*outcome)),
            };
            self.line(&format!("{} {run} {what}", entry.at.as_millis()));
        }
    }

    fn add_world(&mut self, inventory: &Inventory) {
        for (address, seen) in &inventory.seen {
            let tags = seen.facts.tags.iter().filter(|(name, _)| *name != TAG_TOKEN);
            let tags = tags.map(|(name, value)| (name.clone(), value.clone())).collect();
            let tags = self.tags(&tags);
            self.line(&format!("there is {address} {} {} {tags}", seen.facts.native, fields(&seen.attrs)));
        }
    }
}

fn fields(attrs: &AnyAttrs) -> String {
    attrs.set_fields().into_iter().fold(String::new(), |mut text, (field, value)| {
        let _ = write!(text, "{field}={value};");
        text
    })
}

fn act(verb: &Verb) -> String {
    match verb {
        Verb::Failover { to } => format!("failover to={}", to.as_ref().map_or("-", |name| name.as_str())),
        Verb::TestFailover { shard } => format!("test-failover shard={shard}"),
        Verb::Switchover { to, member } => format!("switchover to={to}/{member}"),
        Verb::FailoverGlobal { to, member } => format!("failover-global to={to}/{member}"),
        Verb::Detach { region, member } => format!("detach member={region}/{member}"),
        Verb::Reboot => "reboot".to_owned(),
        Verb::Start => "start".to_owned(),
        Verb::Stop => "stop".to_owned(),
    }
}

fn answer(told: &Result<(), CloudError>) -> &'static str {
    match told {
        Ok(()) => "accepted",
        Err(CloudError::NotFound { .. }) => "not-found",
        Err(CloudError::Throttled { .. }) => "throttled",
        Err(CloudError::Busy { .. }) => "busy",
        Err(CloudError::Conflict { .. }) => "conflict",
        Err(CloudError::Refused { .. }) => "refused",
        Err(CloudError::Denied { .. }) => "denied",
        Err(CloudError::Exhausted { .. }) => "exhausted",
        Err(CloudError::Unreachable { .. }) => "unreachable",
        Err(CloudError::Unclear { .. }) => "unclear",
    }
}

const fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Settled => "settled",
        Outcome::Blocked => "blocked",
        Outcome::Stopped => "stopped",
        Outcome::Waiting => "waiting",
        Outcome::Paused => "paused",
    }
}

/// Digest of what the binary left in a folder in which a scenario was played: its records, and the world at the end.
pub fn of_folder(folder: &Path) -> String {
    let state = folder.join(".rgctl");
    if SimCloud::peek(&WorldFile::under(&state)).is_none() {
        return "-".to_owned();
    }
    let store = SqliteStore::open(&state).unwrap();
    let mut parts: Vec<(i64, String)> = Vec::new();
    for blueprint in blueprints_in(folder) {
        // A world that was begun anew is another account, under a name that is drawn.
        for home in block_on(store.homes(&blueprint)).unwrap() {
            let scope = Scope::new(home, blueprint.clone());
            let entries = block_on(store.entries(&scope, 0)).unwrap();
            let mut fold = Fold::default();
            fold.add_record(&entries);
            let begun = entries.first().map_or(0, |entry| entry.at.as_millis());
            parts.push((begun, format!("{blueprint} {}", fold.digest())));
        }
    }
    parts.sort();
    let mut fold = Fold::default();
    for (_, part) in &parts {
        fold.line(part);
    }
    fold.add_world(&world_in(&state, &store, folder));
    fold.digest()
}

fn world_in(state: &Path, store: &SqliteStore, folder: &Path) -> Inventory {
    let cloud = SimCloud::open(&WorldFile::under(state)).unwrap();
    let home = block_on(cloud.home(None)).unwrap();
    let entries = blueprints_in(folder)
        .into_iter()
        .flat_map(|blueprint| block_on(store.entries(&Scope::new(home.clone(), blueprint), 0)).unwrap())
        .collect::<Vec<_>>();
    let selection = Selection { regions: regions_of(&entries), ..Selection::default() };
    block_on(cloud.observe(&selection)).unwrap()
}

/// The blueprints whose files are in a folder, and those that have been.
fn blueprints_in(folder: &Path) -> Vec<BlueprintName> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| std::fs::read_to_string(path).unwrap());
    let mut names: Vec<BlueprintName> = texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| BlueprintName::new(line.strip_prefix("  name: ")?.trim()).ok())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// One digest and what it stands for.
pub type Digest = (String, String);

/// Where the digests of one sort are kept.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/digests").join(format!("{name}.txt"))
}

/// Lines are `PART: WHAT = DIGEST`.
fn read(name: &str) -> Vec<(String, Digest)> {
    let text = std::fs::read_to_string(file(name)).unwrap_or_default();
    let line = |line: &str| {
        let (part, rest) = line.split_once(": ")?;
        let (what, digest) = rest.split_once(" = ")?;
        Some((part.to_owned(), (what.to_owned(), digest.to_owned())))
    };
    text.lines().map(|text| line(text).unwrap_or_else(|| panic!("{name}.txt: {text:?}"))).collect()
}

/// Compares what was found with the digests that are kept under that name, or keeps them. Digests of a part that were not
/// asked for are left alone.
pub fn compare(name: &str, part: &str, found: &[Digest]) {
    static WRITING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = read(name);
    if are_written() {
        let mut all: Vec<(String, Digest)> = kept.into_iter().filter(|(other, _)| other != part).collect();
        all.extend(found.iter().map(|digest| (part.to_owned(), digest.clone())));
        // Whichever part came first.
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        let text = all.into_iter().fold(String::new(), |mut text, (part, (what, digest))| {
            let _ = writeln!(text, "{part}: {what} = {digest}");
            text
        });
        std::fs::create_dir_all(file(name).parent().unwrap()).unwrap();
        std::fs::write(file(name), text).unwrap();
        return;
    }
    let kept: BTreeMap<&str, &str> = kept
        .iter()
        .filter(|(other, _)| other == part)
        .map(|(_, (what, digest))| (what.as_str(), digest.as_str()))
        .collect();
    let other: Vec<&str> = found
        .iter()
        .filter(|(what, digest)| kept.get(what.as_str()) != Some(&digest.as_str()))
        .map(|(what, _)| what.as_str())
        .collect();
    assert!(
        other.is_empty(),
        "other calls than before in {} of {} of {part} ({name}): {}.\nIf that is wanted: RGCTL_DIGESTS=write (see \
         CONTRIBUTING.md)",
        other.len(),
        found.len(),
        other.iter().take(20).copied().collect::<Vec<_>>().join(", ")
    );
}

/// The same, where what was found is all that there is: none that is kept may be missing.
pub fn compare_all(name: &str, part: &str, found: &[Digest]) {
    compare(name, part, found);
    let missing: Vec<String> = read(name)
        .into_iter()
        .filter(|(other, (what, _))| other == part && !found.iter().any(|(found, _)| found == what))
        .map(|(_, (what, _))| what)
        .collect();
    assert!(missing.is_empty(), "{name}.txt has digests of {part} that nothing lives through: {missing:?}");
}

#[test]
fn a_digest_tells_calls_apart_by_time_word_address_fields_token_and_answer() {
    use rgctl_model::address::Address;
    use rgctl_model::kinds::KindId;
    use rgctl_schema::names::Token;
    use rgctl_schema::time::Span;
    use serde_json::json;

    let digest = |called: &Called| {
        let mut fold = Fold::default();
        fold.add_calls(std::slice::from_ref(called));
        fold.digest()
    };
    let address = |name| crate::fixtures::address("us-east-1", KindId::CacheUser, name);
    let modify = |address: Address, engine: &str| Op::Modify {
        attrs: crate::fixtures::attrs(KindId::CacheUser, &[("engine", json!(engine))]),
        address,
        changes: Vec::new(),
    };
    let called = Called {
        at: crate::fixtures::NOW,
        op: modify(address("one"), "valkey"),
        token: Token("t".to_owned()),
        applied: true,
        told: Ok(()),
    };
    let unclear = Err(CloudError::Unclear { why: String::new() });
    let others = [
        called.clone(),
        Called { at: called.at + Span::from_millis(1), ..called.clone() },
        Called { op: modify(address("two"), "valkey"), ..called.clone() },
        Called { op: modify(address("one"), "redis"), ..called.clone() },
        Called { op: Op::Act { address: address("one"), verb: Verb::Reboot }, ..called.clone() },
        Called { token: Token("u".to_owned()), ..called.clone() },
        Called { applied: false, ..called.clone() },
        Called { told: unclear, ..called.clone() },
    ];
    let digests: std::collections::BTreeSet<String> = others.iter().map(digest).collect();
    assert_eq!(digests.len(), others.len());
    // Pinned: the text is the same on every machine and in every profile.
    assert_eq!(digest(&called), "c416abbda08f13d8");
}
