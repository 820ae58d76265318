//! A folder of blueprints, as an agent follows it: what is new, changed, broken, gone.
//!
//! Goes in: lists of files with what is known of each without reading it, the texts that were read, what a text comes to, the
//! time. Comes out: which files to read, which texts are in force, and what a person should hear.
//!
//! **Invariant:** a text is in force only if it stood still for a while and has no error; until then the last one that had none
//! stays in force. A file that is being written is not read as a shorter one.
//! **Invariant:** a file that goes deletes nothing: its blueprint is let rest.
//! **Invariant:** what is said is said once for each change.
//! **Invariant:** nothing here opens a file or reads a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

pub use rgctl_machine::inputs::Stamp;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::RegionId;
use rgctl_schema::time::Span;

/// How long a file must stand still before it is read: whoever writes it bit by bit pauses less long.
pub const SETTLES: Span = Span::from_secs(2);

/// Where a blueprint is at home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its first primary region.
    pub primary: Option<RegionId>,
    /// All its regions.
    pub regions: BTreeSet<RegionId>,
}

/// Regions in which a text's blueprint may be worked on as nobody: whether it names them, or has left them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Barred {
    /// Which, and why.
    pub regions: BTreeMap<RegionId, String>,
    /// Where none but some may be worked in: those, and why no other one.
    pub but: Option<(BTreeSet<RegionId>, String)>,
}

impl Barred {
    /// Why nobody works in a region, where that is so.
    pub fn why(&self, region: &RegionId) -> Option<&str> {
        let other = self.but.as_ref().filter(|(named, _)| !named.contains(region));
        self.regions.get(region).or_else(|| other.map(|(_, why)| why)).map(String::as_str)
    }
}

/// What one text comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// The blueprints in it, with where each is at home.
    pub blueprints: BTreeMap<Arc<str>, Place>,
    /// What is wrong with it, in words; then it is not in force.
    pub wrong: Option<String>,
}

/// What knows the language of the texts.
pub trait Examine: Sync {
    /// What texts share: regions, and whatever else a blueprint names without saying it.
    type Shared: Send + Sync;
    /// Whether a text tells of what others share.
    fn is_shared(&self, text: &str) -> bool;
    /// What these texts tell together, or what is wrong with them together.
    fn share(&self, texts: &[(&Path, &str)]) -> Result<Self::Shared, String>;
    /// What a text comes to.
    fn examine(&self, shared: &Self::Shared, path: &Path, text: &str) -> Examined;
}

/// A text that is in force.
#[derive(Debug)]
pub struct InForce<S> {
    /// The file that it was read from.
    pub path: Arc<Path>,
    /// The text.
    pub text: Arc<str>,
    /// Its digest.
    pub digest: Arc<str>,
    /// What it shares with others, in the newest version that it fits.
    pub shared: Arc<S>,
    /// Where the blueprint is at home.
    pub place: Arc<Place>,
    /// Where nobody works for it.
    pub barred: Arc<Barred>,
}

impl<S> Clone for InForce<S> {
    fn clone(&self) -> Self {
        let Self { path, text, digest, shared, place, barred } = self;
        Self {
            path: Arc::clone(path),
            text: Arc::clone(text),
            digest: Arc::clone(digest),
            shared: Arc::clone(shared),
            place: Arc::clone(place),
            barred: Arc::clone(barred),
        }
    }
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A blueprint is new, or another text of it is in force, or it is judged by other shared texts.
    InForce {
        /// Whose.
        blueprint: Arc<str>,
    },
    /// A blueprint has no file any more. Nothing is deleted.
    Rests {
        /// Whose.
        blueprint: Arc<str>,
        /// The file that it had.
        path: Arc<Path>,
    },
    /// A file cannot be used as it is now.
    Refused {
        /// Which.
        path: Arc<Path>,
        /// Why.
        why: String,
        /// The blueprints of its last good text, which stays in force.
        kept: BTreeSet<Arc<str>>,
    },
    /// Two files have one blueprint: what is in force stays, whichever it is of, and neither changes it.
    Twice {
        /// Whose.
        blueprint: Arc<str>,
        /// The files.
        paths: Vec<Arc<Path>>,
    },
    /// That is over.
    OnceAgain {
        /// Whose.
        blueprint: Arc<str>,
    },
}

/// A text that has no error.
#[derive(Debug)]
struct Good<S> {
    text: Arc<str>,
    digest: Arc<str>,
    blueprints: BTreeMap<Arc<str>, Arc<Place>>,
    is_shared: bool,
    shared: Arc<S>,
}

impl<S> Good<S> {
    fn names(&self) -> BTreeSet<Arc<str>> {
        self.blueprints.keys().cloned().collect()
    }
}

/// The files that have a blueprint.
type Claims<'a, S> = Vec<(&'a File<S>, &'a Good<S>)>;

#[derive(Debug)]
struct File<S> {
    path: Arc<Path>,
    stamp: Stamp,
    /// Since when it stands so, or is gone.
    since: Span,
    is_gone: bool,
    /// Whether this stamp was read.
    is_read: bool,
    /// Digest of what was read last, whatever it came to.
    digest: Arc<str>,
    /// Whether what was read last cannot be used.
    is_refused: bool,
    good: Option<Good<S>>,
}

/// What is known of a folder.
#[derive(Debug)]
pub struct Folder<S> {
    files: BTreeMap<PathBuf, File<S>>,
    in_force: BTreeMap<Arc<str>, InForce<S>>,
    /// Blueprints that several files have, with those files.
    twice: BTreeMap<Arc<str>, Vec<Arc<Path>>>,
    shared: Arc<S>,
    was_looked_at: bool,
}

impl<S: Send + Sync> Folder<S> {
    /// A folder of which nothing is known yet, with what texts share where no file tells of it.
    pub fn new(shared: S) -> Self {
        Self {
            files: BTreeMap::new(),
            in_force: BTreeMap::new(),
            twice: BTreeMap::new(),
            shared: Arc::new(shared),
            was_looked_at: false,
        }
    }

    /// Takes a list of the folder's files, and says which of them are to be read now: those that are new or differ, and stand
    /// still. At the first look nothing is waited for. `now` is a time that nobody sets, such as the time since boot.
    pub fn look(&mut self, listed: &BTreeMap<PathBuf, Stamp>, now: Span) -> Vec<PathBuf> {
        let is_first = !std::mem::replace(&mut self.was_looked_at, true);
        let mut to_read = Vec::new();
        for (path, stamp) in listed {
            let file = self.files.entry(path.clone()).or_insert_with(|| File {
                path: Arc::from(path.as_path()),
                stamp: *stamp,
                since: now,
                is_gone: false,
                is_read: false,
                digest: Arc::from(""),
                is_refused: false,
                good: None,
            });
            if file.stamp != *stamp || file.is_gone {
                (file.stamp, file.since, file.is_gone, file.is_read) = (*stamp, now, false, false);
            }
            if !file.is_read && (is_first || file.stands(now)) {
                to_read.push(path.clone());
            }
        }
        for (path, file) in self.files.iter_mut().filter(|(_, file)| !file.is_gone) {
            if !listed.contains_key(path) {
                (file.since, file.is_gone) = (now, true);
            }
        }
        to_read
    }

    /// Whether a file waits to stand still.
    pub fn is_unsettled(&self) -> bool {
        self.files.values().any(|file| file.is_gone || !file.is_read)
    }

    /// Takes what was read of the files that [`Self::look`] named, or why one could not be read, and tells what changed.
    ///
    /// What is shared comes first, so that a blueprint and the region that it names may come in one look. A text that does not
    /// fit what is shared now keeps what it fitted.
    pub fn fold(
        &mut self,
        read: BTreeMap<PathBuf, Result<String, String>>,
        now: Span,
        examiner: &impl Examine<Shared = S>,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let is_shared =
            |text: &Result<String, String>| text.as_ref().is_ok_and(|text| examiner.is_shared(text));
        let (shared, own): (BTreeMap<_, _>, BTreeMap<_, _>) =
            read.into_iter().partition(|(_, text)| is_shared(text));
        let mut shared_changed = self.take(shared, examiner, &mut changes);
        let gone = |file: &File<S>| file.is_gone && file.stands(now);
        let gone: Vec<PathBuf> =
            self.files.iter().filter(|(_, file)| gone(file)).map(|(path, _)| path.clone()).collect();
        for path in gone {
            let good = self.files.remove(&path).and_then(|file| file.good);
            shared_changed |= good.is_some_and(|good| good.is_shared);
        }
        if shared_changed {
            self.share(examiner, &mut changes);
        }
        if self.take(own, examiner, &mut changes) {
            self.share(examiner, &mut changes);
        }
        self.settle_names(&mut changes);
        changes
    }

    /// What texts share now.
    pub fn shared(&self) -> &S {
        &self.shared
    }

    /// The text of a blueprint that is in force.
    pub fn in_force(&self, blueprint: &str) -> Option<&InForce<S>> {
        self.in_force.get(blueprint)
    }

    /// Files that cannot be used as they are now.
    pub fn refused(&self) -> usize {
        self.files.values().filter(|file| file.is_refused).count()
    }

    /// All blueprints that have a text in force.
    pub fn blueprints(&self) -> impl Iterator<Item = &Arc<str>> {
        self.in_force.keys()
    }

    /// How many blueprints have a text in force.
    pub fn len(&self) -> usize {
        self.in_force.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.in_force.is_empty()
    }

    /// Takes texts; whether what is shared has changed by them.
    fn take(
        &mut self,
        read: BTreeMap<PathBuf, Result<String, String>>,
        examiner: &impl Examine<Shared = S>,
        changes: &mut Vec<Change>,
    ) -> bool {
        let mut shared_changed = false;
        let mut texts = Vec::new();
        for (path, text) in read {
            let Some(file) = self.files.get_mut(&path) else { continue };
            file.is_read = true;
            match text {
                Ok(text) => {
                    let digest: Arc<str> = sha256_hex(text.as_bytes()).into();
                    if digest != file.digest {
                        texts.push((path, text, digest));
                    }
                }
                Err(why) => {
                    // What hinders may go by itself: it is tried again at each look, and said once.
                    file.is_read = false;
                    changes.extend(file.refuse(format!("unread: {why}").into(), why));
                }
            }
        }
        // Texts know nothing of each other: thousands are examined by all cores.
        let judged = texts.into_par_iter().map(|(path, text, digest)| {
            let found = examiner.examine(&self.shared, &path, &text);
            (path, text, digest, found)
        });
        let judged: Vec<_> = judged.collect();
        for (path, text, digest, Examined { blueprints, wrong }) in judged {
            let Some(file) = self.files.get_mut(&path) else { continue };
            if let Some(why) = wrong {
                changes.extend(file.refuse(digest, why));
                continue;
            }
            let was_shared = file.good.as_ref().is_some_and(|good| good.is_shared);
            let is_shared = examiner.is_shared(&text);
            shared_changed |= was_shared || is_shared;
            (file.digest, file.is_refused) = (Arc::clone(&digest), false);
            let shared = Arc::clone(&self.shared);
            let placed = blueprints.into_iter().map(|(name, place)| (name, Arc::new(place)));
            let blueprints = placed.collect();
            file.good = Some(Good { text: text.into(), digest, blueprints, is_shared, shared });
        }
        shared_changed
    }

    /// Judges all texts by what is shared now. Those that do not fit it keep what they fitted; those that were refused are read
    /// once more.
    fn share(&mut self, examiner: &impl Examine<Shared = S>, changes: &mut Vec<Change>) {
        let goods = self.files.values().filter_map(|file| Some((&*file.path, file.good.as_ref()?)));
        let texts: Vec<(&Path, &str)> =
            goods.filter(|(_, good)| good.is_shared).map(|(path, good)| (path, &*good.text)).collect();
        match examiner.share(&texts) {
            Ok(shared) => self.shared = Arc::new(shared),
            Err(why) => {
                let path =
                    texts.first().map_or_else(|| Arc::from(Path::new("")), |(path, _)| Arc::from(*path));
                changes.push(Change::Refused { path, why, kept: BTreeSet::new() });
                return;
            }
        }
        for (path, file) in &mut self.files {
            if file.is_refused {
                (file.is_read, file.digest) = (false, Arc::from(""));
            }
            let Some(good) = &mut file.good else { continue };
            match examiner.examine(&self.shared, path, &good.text).wrong {
                None => good.shared = Arc::clone(&self.shared),
                Some(why) => {
                    let kept = good.names();
                    changes.push(Change::Refused { path: Arc::clone(&file.path), why, kept });
                }
            }
        }
    }

    /// Which blueprint has which text, after files have come, changed and gone.
    fn settle_names(&mut self, changes: &mut Vec<Change>) {
        let mut claims: BTreeMap<Arc<str>, Claims<'_, S>> = BTreeMap::new();
        for file in self.files.values() {
            let Some(good) = &file.good else { continue };
            for blueprint in good.blueprints.keys() {
                claims.entry(Arc::clone(blueprint)).or_default().push((file, good));
            }
        }
        let mut twice = BTreeMap::new();
        for (blueprint, claimed) in &claims {
            let [(file, good)] = claimed.as_slice() else {
                let paths: Vec<Arc<Path>> = claimed.iter().map(|(file, _)| Arc::clone(&file.path)).collect();
                if self.twice.get(blueprint) != Some(&paths) {
                    changes.push(Change::Twice { blueprint: Arc::clone(blueprint), paths: paths.clone() });
                }
                twice.insert(Arc::clone(blueprint), paths);
                continue;
            };
            if self.twice.contains_key(blueprint) {
                changes.push(Change::OnceAgain { blueprint: Arc::clone(blueprint) });
            }
            let text = InForce {
                path: Arc::clone(&file.path),
                text: Arc::clone(&good.text),
                digest: Arc::clone(&good.digest),
                shared: Arc::clone(&good.shared),
                place: good.blueprints.get(blueprint).cloned().unwrap_or_default(),
                barred: Arc::default(),
            };
            let before = self.in_force.get(blueprint);
            // A file that was given another name says the same.
            let is_same = before.is_some_and(|before| {
                before.digest == text.digest && Arc::ptr_eq(&before.shared, &text.shared)
            });
            if !is_same {
                changes.push(Change::InForce { blueprint: Arc::clone(blueprint) });
            }
            self.in_force.insert(Arc::clone(blueprint), text);
        }
        let gone: Vec<Arc<str>> =
            self.in_force.keys().filter(|blueprint| !claims.contains_key(*blueprint)).cloned().collect();
        self.twice = twice;
        for blueprint in gone {
            if let Some(text) = self.in_force.remove(&blueprint) {
                changes.push(Change::Rests { blueprint, path: text.path });
            }
        }
    }
}

impl<S> File<S> {
    fn stands(&self, now: Span) -> bool {
        now.as_millis().saturating_sub(self.since.as_millis()) >= SETTLES.as_millis()
    }

    /// Says why it cannot be used, once for each version of it.
    fn refuse(&mut self, digest: Arc<str>, why: String) -> Option<Change> {
        if self.digest == digest {
            return None;
        }
        (self.digest, self.is_refused) = (digest, true);
        let kept = self.good.as_ref().map_or_else(BTreeSet::new, Good::names);
        Some(Change::Refused { path: Arc::clone(&self.path), why, kept })
    }
}
