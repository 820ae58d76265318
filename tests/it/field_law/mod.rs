//! The law of fields: whatever a person writes into a document has a reader. Two values that differ in meaning alter a
//! plan, a diagnostic, a call or a view, in an empty world and in one to which the first of them was applied. A view that
//! prints the document back does not count.
//!
//! The fields are walked from the tables that the reader of documents is written from, so that none can be forgotten.

mod evidence;
mod paths;
mod readers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rayon::prelude::*;
use rgctl_blueprint::{schema, yaml};
use rgctl_schema::diagnostic::{Diagnostics, Source};
use rgctl_schema::shape::Shape;
use serde_json::{Value, json};

use evidence::{Shown, Told, World, applied};
use paths::{Field, Step, leaves, plain, put, variant_of};

/// Fields that alter nothing, each with its reason; at most a twentieth of all.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("Blueprint.metadata.labels.*", LABELS),
    ("Blueprint.metadata.annotations.*", ANNOTATIONS),
    ("Region.metadata.labels.*", LABELS),
    ("Region.metadata.annotations.*", ANNOTATIONS),
    ("Blueprint.spec.stores[AuroraStore].purpose", PURPOSE),
    ("Blueprint.spec.stores[DocumentStore].purpose", PURPOSE),
    ("Blueprint.spec.stores[CacheStore].purpose", PURPOSE),
    ("Blueprint.spec.stores[WarehouseStore].purpose", PURPOSE),
    ("Blueprint.spec.stores[CacheStore].deletionProtection", UNPROTECTED),
    ("Blueprint.spec.stores[WarehouseStore].deletionProtection", UNPROTECTED),
    ("Blueprint.spec.policies.deletion", DELETION),
    (
        "Blueprint.spec.stores[CacheStore].logs[]",
        "said to be without effect (RG0411): the delivery is set up by hand",
    ),
];
const LABELS: &str =
    "for the tools around a document, which select by it; a document is a Kubernetes object too";
const ANNOTATIONS: &str = "remarks of other people and tools, which are theirs";
const UNPROTECTED: &str = "said to be without effect (RG0411): the service has no such protection";
const DELETION: &str = "asked when everything goes, by `rgctl destroy` and by an operator: scenario 49";
const PURPOSE: &str = "prose for people, printed beside the store and read by nothing else";

/// Fields whose removal from the text is neither made nor said in a world that has them: unset means unmanaged, until the
/// record tells what was set. The list may only grow shorter.
const REMOVED_UNSEEN: &[&str] = &[
    "Blueprint.spec.network.regions.*.kmsKey",
    "Blueprint.spec.stores[AuroraStore].backup.window",
    "Blueprint.spec.stores[AuroraStore].certificateAuthority",
    "Blueprint.spec.stores[AuroraStore].database",
    "Blueprint.spec.stores[AuroraStore].extendedSupport",
    "Blueprint.spec.stores[CacheStore].backup.window",
    "Blueprint.spec.stores[CacheStore].serverless.maxData",
    "Blueprint.spec.stores[CacheStore].serverless.maxEcpuPerSecond",
    "Blueprint.spec.stores[DocumentStore].backup.window",
    "Blueprint.spec.stores[DocumentStore].certificateAuthority",
    "Blueprint.spec.stores[WarehouseStore].defaultRole",
    "Blueprint.spec.stores[WarehouseStore].kmsKey",
    "Blueprint.spec.stores[WarehouseStore].roles[]",
    "Blueprint.spec.stores[WarehouseStore].serverless.maxRpu",
    "Region.spec.network.kmsKey",
];

static DATA: LazyLock<Value> = LazyLock::new(|| {
    let mut found = Diagnostics::default();
    let source = Source::new("values.yaml", include_str!("values.yaml"));
    let trees = yaml::parse(&source, &mut found);
    assert!(!found.has_errors(), "{:?}", found.iter().next());
    trees[0].to_json()
});

/// A field with its two values in a text of each kind.
struct Case {
    path: String,
    texts: [(Value, Value); 2],
    /// The text that the world was made by: the first one before the change that `then` is, and before anybody had rules.
    made: (Value, Value),
    /// The first text without the field.
    without: (Value, Value),
    /// Whether it is about changes alone, so that an empty world cannot show it.
    is_about_change: bool,
    refuses: Refuses,
    pair: String,
}

/// Which of the two texts must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refuses {
    Neither,
    First,
    Second(&'static str),
    Both,
}

fn entry(path: &str) -> Option<&'static Value> {
    let all = DATA["values"].as_array()?.iter();
    let fits = all.filter(|entry| entry["field"].as_str().is_some_and(|end| path.ends_with(end)));
    fits.max_by_key(|entry| entry["field"].as_str().map(str::len))
}

/// Two values that differ in meaning; of a choice, every two of its words.
fn values(field: &Field, entry: &Value) -> Result<Vec<[Value; 2]>, String> {
    if let Some([first, second]) = entry["values"].as_array().map(Vec::as_slice) {
        return Ok(vec![[first.clone(), second.clone()]]);
    }
    let mut all: Vec<Value> = match &field.shape {
        Shape::Choice(choice) => choice.words.iter().map(|(word, _)| json!(word)).collect(),
        Shape::Scalar(scalar) if scalar.json == ["boolean"] => vec![json!(false), json!(true)],
        Shape::Scalar(scalar) => DATA["types"][scalar.name].as_array().cloned().unwrap_or_default(),
        _ => Vec::new(),
    };
    // What holds anyway comes first: worlds are shared.
    all.sort_by_key(|value| Some(value) != field.default.as_ref());
    let pairs = all
        .iter()
        .enumerate()
        .flat_map(|(place, first)| all.iter().skip(place + 1).map(|second| [first.clone(), second.clone()]));
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() {
        Err(format!("{}: values.yaml has no two values for it", field.path()))
    } else {
        Ok(pairs)
    }
}

/// The field in texts with each two of its values; one that every family reads for itself, with a store of each of them.
fn cases(kind: &str, field: &Field) -> Result<Vec<Case>, String> {
    let path = format!("{kind}.{}", field.path());
    let entry = entry(&path).unwrap_or(const { &Value::Null });
    let families = DATA["variants"].as_object().expect("families are listed").values().map(Some);
    let stores: Vec<Option<&Value>> =
        if entry["each"] == json!(true) { families.collect() } else { vec![None] };
    let pairs = values(field, entry)?;
    let texts = pairs.iter().flat_map(|pair| stores.iter().map(move |store| (pair, *store)));
    Ok(texts.map(|(pair, store)| case(kind, field, entry, pair, store)).collect())
}

fn case(kind: &str, field: &Field, entry: &'static Value, pair: &[Value; 2], store: Option<&Value>) -> Case {
    let path = format!("{kind}.{}", field.path());
    let is_region = kind == "Region";
    let mut blueprint = DATA["bases"][entry["base"].as_str().unwrap_or("plain")].clone();
    let mut region = DATA["region"].clone();
    let variant = variant_of(&field.steps);
    if let Some(store) = store {
        blueprint["spec"]["stores"] = json!([store]);
    }
    if let Some([.., Step::Variant { name, .. }]) = variant {
        let mut stores = vec![DATA["variants"][name].clone()];
        let origin = entry["with"].get("store.cache.origin").is_some();
        if origin || path.ends_with(".cache.origin") {
            stores.push(json!({ "name": "accounts", "engine": "aurora-mysql" }));
        }
        blueprint["spec"]["stores"] = json!(stores);
    }
    for (at, value) in entry["with"].as_object().into_iter().flatten() {
        if let Some(at) = at.strip_prefix("Region.") {
            put(&mut region, &plain(at), "", value.clone());
        } else if let Some(at) = at.strip_prefix("store.") {
            let steps = [variant.unwrap_or_default(), &plain(at)].concat();
            put(&mut blueprint, &steps, "", value.clone());
        } else {
            put(&mut blueprint, &plain(at), "", value.clone());
        }
    }
    let name = entry["name"].as_str().unwrap_or("one");
    let mut made = (blueprint.clone(), region.clone());
    put(if is_region { &mut made.1 } else { &mut made.0 }, &field.steps, name, pair[0].clone());
    for rules in ["spec.policies.consent", "spec.policies.cost", "spec.calendar"] {
        put(&mut made.0, &plain(rules), "", Value::Null);
    }
    for (at, value) in entry["then"].as_object().into_iter().flatten() {
        put(&mut blueprint, &plain(at), "", value.clone());
    }
    let text = |steps: &[Step], value: &Value| {
        let (mut blueprint, mut region) = (blueprint.clone(), region.clone());
        let document = if is_region { &mut region } else { &mut blueprint };
        put(document, steps, name, value.clone());
        (blueprint, region)
    };
    let texts = pair.each_ref().map(|value| text(&field.steps, value));
    // A key without a value is the same as no key; of a list or a map the whole is taken out.
    let whole = match field.steps.split_last() {
        Some((Step::Element | Step::Named, whole)) => whole,
        _ => &field.steps,
    };
    let without = text(whole, &Value::Null);
    let refuses = match entry["refuses"].as_str() {
        None => Refuses::Neither,
        Some("first") => Refuses::First,
        Some("both") => Refuses::Both,
        Some(code) => Refuses::Second(code),
    };
    let pair = format!("{} or {}", pair[0], pair[1]);
    let is_about_change = entry["then"].is_object();
    Case { path, texts, made, without, is_about_change, refuses, pair }
}

fn all_fields() -> Vec<(&'static str, Field)> {
    let kinds = ["Blueprint", "Region"];
    let of = |kind| leaves(&schema::shape(kind).unwrap()).into_iter().map(move |field| (kind, field));
    kinds.into_iter().flat_map(of).collect()
}

/// A case with what its two texts come to.
struct Read {
    case: Case,
    told: [Told; 2],
    made: Told,
}

impl Read {
    /// What is wrong with the case itself, rather than with the field.
    fn is_unfit(&self) -> Option<String> {
        let [first, second] = &self.told;
        let fits = match self.case.refuses {
            Refuses::Neither => first.errors.is_empty() && second.errors.is_empty(),
            Refuses::First => !first.errors.is_empty() && second.errors.is_empty(),
            Refuses::Both => !first.errors.is_empty() && !second.errors.is_empty(),
            Refuses::Second(code) => {
                first.errors.is_empty() && second.errors.iter().any(|found| found == code)
            }
        };
        let path = &self.case.path;
        (!fits).then(|| {
            let told = [first, second].map(|told| told.diagnostics.join("\n      "));
            format!("{path}: refuses {:?}\n    1 {}\n    2 {}", self.case.refuses, told[0], told[1])
        })
    }

    /// Key of the world to which the first value was applied.
    fn world(&self) -> Option<(String, String)> {
        let built = self.made.built.as_ref()?;
        Some((built.desired.blueprint.to_string(), built.desired.fingerprint.0.clone()))
    }

    /// In which world the change shows nowhere.
    fn unread(&self, worlds: &Worlds) -> Option<String> {
        let path = format!("{} ({})", self.case.path, self.case.pair);
        let is_said = self.told[0].diagnostics != self.told[1].diagnostics;
        let [Some(first), Some(second)] = self.told.each_ref().map(|told| told.built.as_ref()) else {
            return (!is_said).then(|| format!("{path}: no diagnostic reads it"));
        };
        let shown = |world: &World| [first, second].map(|built| Shown::of(built, world));
        let (before, after) = (shown(&World::empty()), shown(&worlds[&self.world()?]));
        let is_done = |shown: &[Shown; 2]| shown[0].calls != shown[1].calls;
        let what = if is_done(&before) && !is_done(&after) {
            "it is asked for at creation, and a later change is neither made nor said"
        } else if is_said {
            return None;
        } else if before[0] == before[1] && !self.case.is_about_change {
            "nobody reads it in an empty world"
        } else if after[0] == after[1] {
            "a change of it shows nowhere in a world that has it"
        } else {
            return None;
        };
        Some(format!("{path}: {what}"))
    }
}

impl Read {
    /// Whether the field is asked for, and taking it out of the text again is neither made nor said.
    fn is_removed_unseen(&self, worlds: &Worlds) -> bool {
        let (blueprint, region) = &self.case.without;
        let without = Told::by(blueprint, region);
        let (Some(with), Some(without)) = (&self.told[0].built, &without.built) else { return false };
        let Some(world) = self.world().and_then(|key| worlds.get(&key)) else { return false };
        with.desired.fingerprint != without.desired.fingerprint
            && Shown::of(with, world).calls == Shown::of(without, world).calls
    }
}

/// Worlds to which a desired state was applied, by its blueprint and fingerprint.
type Worlds = BTreeMap<(String, String), World>;

fn worlds_of(read: &[Read]) -> Worlds {
    let wanted: BTreeMap<_, _> = read.iter().filter_map(|read| Some((read.world()?, read))).collect();
    let applied = |(key, read): (_, &Read)| Some((key, applied(&read.made.built.as_ref()?.desired)));
    wanted.into_par_iter().filter_map(applied).collect()
}

/// Everything that both laws look at, made once.
struct All {
    paths: BTreeSet<String>,
    read: Vec<Read>,
    worlds: Worlds,
    /// What is wrong with the cases themselves.
    problems: Vec<String>,
}

static ALL: LazyLock<All> = LazyLock::new(|| {
    let fields = all_fields();
    let paths = fields.iter().map(|(kind, field)| format!("{kind}.{}", field.path())).collect();
    let (read, problems) = read_all(&fields);
    let worlds = worlds_of(&read);
    All { paths, read, worlds, problems }
});

/// All cases with what their texts come to, and what is wrong with the cases.
fn read_all(fields: &[(&'static str, Field)]) -> (Vec<Read>, Vec<String>) {
    let (mut made, mut problems) = (Vec::new(), Vec::new());
    for (kind, field) in fields {
        match cases(kind, field) {
            Ok(cases) => made.extend(cases),
            Err(why) => problems.push(why),
        }
    }
    let read: Vec<Read> = made
        .into_par_iter()
        .map(|case| {
            let told = case.texts.each_ref().map(|(blueprint, region)| Told::by(blueprint, region));
            let made = Told::by(&case.made.0, &case.made.1);
            Read { case, told, made }
        })
        .collect();
    problems.extend(read.iter().filter_map(Read::is_unfit));
    (read, problems)
}

#[test]
fn a_field_that_is_taken_out_again_shows_but_for_a_list_that_grows_shorter() {
    let All { read, worlds, .. } = &*ALL;
    let unseen: BTreeSet<&str> = read
        .par_iter()
        .filter(|read| read.is_removed_unseen(worlds))
        .map(|read| read.case.path.as_str())
        .collect();
    assert_eq!(unseen, REMOVED_UNSEEN.iter().copied().collect());
}

#[test]
fn every_field_of_a_document_has_a_reader() {
    let All { paths, read, worlds, problems } = &*ALL;
    let mut problems = problems.clone();
    let unread: BTreeMap<&str, String> =
        read.par_iter().filter_map(|read| Some((read.case.path.as_str(), read.unread(worlds)?))).collect();
    println!("{} fields, {} texts, {} worlds", paths.len(), read.len() * 2, worlds.len());
    println!("{} exceptions:", EXCEPTIONS.len());
    for (field, reason) in EXCEPTIONS {
        println!("  {field}: {reason}");
        if !unread.contains_key(field) {
            problems.push(format!("{field}: an exception for what is no field, or has a reader"));
        }
    }
    let is_excepted = |path: &str| EXCEPTIONS.iter().any(|(field, _)| *field == path);
    let broken = unread.iter().filter(|(path, _)| !is_excepted(path));
    problems.extend(broken.map(|(_, why)| why.clone()));
    assert!(EXCEPTIONS.len() * 20 <= paths.len(), "more than a twentieth of the fields are exceptions");
    assert!(problems.is_empty(), "{} fields break the law:\n{}", problems.len(), problems.join("\n"));
}
