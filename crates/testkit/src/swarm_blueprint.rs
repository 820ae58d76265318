//! Random blueprints for the swarm: a game is drawn, is changed by edits as people make them, and is written as the text
//! that the reader reads.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use rand::{Rng, RngExt};
use rgctl_blueprint::desired::Built;
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_catalog::Catalog;
use rgctl_model::node::Desired;
use rgctl_model::overlay::Decisions;
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::{Severity, Source};
use rgctl_schema::names::StoreName;
use rgctl_schema::time::Moment;

use crate::swarm_rules::DrawnRules;

/// Read once: a swarm reads thousands of texts.
pub static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::embedded().unwrap()));
/// The regions as they are shipped, read once as well.
pub static BUILT_IN: LazyLock<rgctl_blueprint::region::RegionBook> =
    LazyLock::new(|| ParsedDocuments::with_built_in_regions(&[]).regions);

/// Regions of the two partitions.
const WORLD: [&str; 6] =
    ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1", "ap-northeast-1"];
const CHINA: [&str; 2] = ["cn-north-1", "cn-northwest-1"];
const STORES_MAX: usize = 4;

const AURORA_CLASSES: [&str; 5] =
    ["db.r6g.large", "db.r6g.xlarge", "db.r6g.2xlarge", "db.r5.large", "db.t4g.medium"];
const DOCUMENT_CLASSES: [&str; 4] = ["db.r6g.large", "db.r6g.xlarge", "db.r5.large", "db.t4g.medium"];
const CACHE_CLASSES: [&str; 4] =
    ["cache.r6g.large", "cache.r6g.xlarge", "cache.r7g.large", "cache.m6g.large"];
const WAREHOUSE_CLASSES: [&str; 3] = ["ra3.large", "ra3.xlplus", "ra3.4xlarge"];

/// One of these.
fn one<T: Copy>(rng: &mut impl Rng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}

/// A store of a game: its section as fields and their texts, in order.
#[derive(Clone, Debug)]
struct Store {
    name: String,
    engine: &'static str,
    fields: Vec<(&'static str, String)>,
}

/// Regions of a cell, the primary first.
#[derive(Clone, Debug)]
struct Cell {
    regions: Vec<&'static str>,
    reads: bool,
}

/// A game as a person keeps it: what is in its text.
#[derive(Clone, Debug)]
pub struct Game {
    cells: Vec<Cell>,
    players_k: u32,
    data_gib: u32,
    stores: Vec<Store>,
    team: u32,
    /// Numbers of stores are never used twice, so that a new store is a new one.
    made: usize,
    /// What it may not do, and when.
    pub rules: DrawnRules,
}

impl Game {
    /// A game in its first shape.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let mut game = Self {
            cells: cells(rng),
            players_k: rng.random_range(1..200),
            data_gib: rng.random_range(20..5_000),
            stores: Vec::new(),
            team: 1,
            made: 0,
            rules: DrawnRules::default(),
        };
        for _ in 0..rng.random_range(1..=3) {
            game.add_store(rng);
        }
        game
    }

    fn add_store(&mut self, rng: &mut impl Rng) {
        let engine =
            one(rng, &["aurora-mysql", "aurora-postgresql", "documentdb", "valkey", "redis", "redshift"]);
        let name = format!("s{}", self.made);
        self.made += 1;
        let fields = fields(rng, engine, self.is_followed());
        self.stores.push(Store { name, engine, fields });
    }

    fn is_followed(&self) -> bool {
        self.cells.iter().any(|cell| cell.regions.len() > 1)
    }

    /// What a person changes from one apply to the next.
    pub fn edit(&mut self, rng: &mut impl Rng) {
        for _ in 0..rng.random_range(1..=2) {
            match rng.random_range(0..10) {
                0 if self.stores.len() < STORES_MAX => self.add_store(rng),
                1 if self.stores.len() > 1 => {
                    let which = rng.random_range(0..self.stores.len());
                    self.stores.remove(which);
                }
                2 | 3 => self.move_secondaries(rng),
                4 => self.players_k = rng.random_range(1..400),
                5 => self.team += 1,
                _ => self.redraw_store(rng),
            }
        }
    }

    /// A few fields of a store are written anew, dropped or added.
    fn redraw_store(&mut self, rng: &mut impl Rng) {
        let followed = self.is_followed();
        let which = rng.random_range(0..self.stores.len());
        let store = &mut self.stores[which];
        let new = fields(rng, store.engine, followed);
        let picked = rng.random_range(1..=3);
        for _ in 0..picked {
            let names: Vec<&'static str> = store.fields.iter().chain(&new).map(|(name, _)| *name).collect();
            let Some(name) = (!names.is_empty()).then(|| one(rng, &names)) else { return };
            store.fields.retain(|(field, _)| *field != name);
            store.fields.extend(new.iter().filter(|(field, _)| *field == name).cloned());
        }
    }

    fn move_secondaries(&mut self, rng: &mut impl Rng) {
        let which = rng.random_range(0..self.cells.len());
        let used: Vec<&str> = self.cells.iter().flat_map(|cell| cell.regions.iter().copied()).collect();
        let cell = &mut self.cells[which];
        let all: &[&str] = if CHINA.contains(&cell.regions[0]) { &CHINA } else { &WORLD };
        let free: Vec<&'static str> = all.iter().filter(|code| !used.contains(code)).copied().collect();
        if cell.regions.len() > 1 && rng.random_bool(0.5) {
            let place = rng.random_range(1..cell.regions.len());
            cell.regions.remove(place);
        } else if !free.is_empty() && cell.regions.len() < 3 {
            cell.regions.push(one(rng, &free));
        } else {
            cell.reads = !cell.reads;
        }
    }

    /// The document.
    pub fn text(&self) -> String {
        let mut out = String::from(
            "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: { name: game }\nspec:\n",
        );
        let _ = writeln!(
            out,
            "  demand:\n    players: {{ peakConcurrent: {}k, growthPerMonth: 5% }}",
            self.players_k
        );
        out.push_str("    requestsPerPlayerPerMinute: 10\n");
        let _ = writeln!(out, "    hotData: {{ size: {}GiB, retention: 90d }}", self.data_gib);
        out.push_str("  objectives: { availability: 99%, p99: 100ms, rto: 2d, rpo: 2d }\n");
        self.write_regions(&mut out);
        let _ = writeln!(out, "  tags: {{ team: \"t{}\" }}", self.team);
        self.rules.write(&mut out);
        out.push_str("  stores:\n");
        for Store { name, engine, fields } in &self.stores {
            let _ = writeln!(out, "    - name: {name}\n      engine: {engine}");
            for (field, text) in fields {
                let _ = writeln!(out, "      {field}: {text}");
            }
        }
        out
    }

    fn write_regions(&self, out: &mut String) {
        let shape = |cell: &Cell| {
            let role = if cell.reads { "reads" } else { "standby" };
            let others = cell.regions[1..].join(", ");
            format!("primary: {}, secondaries: [{others}], secondaryRole: {role}", cell.regions[0])
        };
        if let [only] = &self.cells[..] {
            let _ = writeln!(out, "  regions: {{ {} }}", shape(only));
            return;
        }
        out.push_str("  regions:\n    cells:\n");
        for (number, cell) in self.cells.iter().enumerate() {
            let _ = writeln!(out, "      - {{ name: c{number}, {} }}", shape(cell));
        }
    }

    /// What should exist, by the way that a command takes; nothing when the text is refused.
    pub fn desired(&self, now: Moment) -> Result<Desired, String> {
        desired_of(&self.text(), now)
    }

    /// The same with what is decided.
    pub fn built(&self, decisions: &Decisions, now: Moment) -> Result<Built, String> {
        built_of(&self.text(), decisions, now)
    }

    /// How many stores it ever had: the first is `s0`.
    pub fn stores_made(&self) -> usize {
        self.made
    }

    /// Classes that somebody may decide on for a store.
    pub fn classes(&self, store: &StoreName) -> &'static [&'static str] {
        let engine = self.stores.iter().find(|one| one.name == store.as_str()).map(|one| one.engine);
        match engine {
            Some("aurora-mysql" | "aurora-postgresql") => &AURORA_CLASSES,
            Some("documentdb") => &DOCUMENT_CLASSES,
            Some("valkey" | "redis") => &CACHE_CLASSES,
            Some("redshift") => &WAREHOUSE_CLASSES,
            _ => &[],
        }
    }

    /// The first edit of this game that is a valid blueprint, with what it stands for; the number of texts that were
    /// refused on the way.
    pub fn edited(&self, rng: &mut impl Rng, now: Moment) -> (Self, Desired, u32) {
        for refused in 0..100 {
            let mut next = self.clone();
            next.edit(rng);
            if let Ok(desired) = next.desired(now) {
                return (next, desired, refused);
            }
        }
        panic!("none of a hundred edits is valid:\n{}", self.text());
    }

    /// A first game that is a valid blueprint.
    pub fn first(rng: &mut impl Rng, now: Moment) -> (Self, Desired, u32) {
        let mut why = String::new();
        for refused in 0..100 {
            let game = Self::draw(rng);
            match game.desired(now) {
                Ok(desired) => return (game, desired, refused),
                Err(problem) => why = problem,
            }
        }
        panic!("none of a hundred games is valid, the last because of {why}");
    }
}

/// What a text stands for, by the way that a command takes; nothing when it is refused.
pub fn desired_of(text: &str, now: Moment) -> Result<Desired, String> {
    built_of(text, &Decisions::default(), now).map(|built| built.desired)
}

/// The same where its stores were made as that before.
pub fn desired_after(text: &str, before: &Sizes, now: Moment) -> Result<Desired, String> {
    built_from(text, (&Decisions::default(), before), now).map(|built| built.desired)
}

/// The same with what is decided.
pub fn built_of(text: &str, decisions: &Decisions, now: Moment) -> Result<Built, String> {
    built_from(text, (decisions, &Sizes::default()), now)
}

fn built_from(text: &str, given: (&Decisions, &Sizes), now: Moment) -> Result<Built, String> {
    let sources = [Source::new("game.yaml", text.to_owned())];
    let mut reading = ParsedDocuments::of(BUILT_IN.clone(), &sources);
    reading.check(&CATALOG, now);
    if let Some(problem) = reading.diagnostics.iter().find(|d| d.severity == Severity::Error) {
        return Err(problem.to_string());
    }
    let loaded = reading.blueprints.first().ok_or("no blueprint was read")?;
    rgctl_blueprint::desired::build(&loaded.blueprint, &reading.regions, &CATALOG, given, now)
        .map_err(|findings| format!("{findings:?}"))
}

fn cells(rng: &mut impl Rng) -> Vec<Cell> {
    let mut free: Vec<&'static str> = WORLD.to_vec();
    let mut china = CHINA.to_vec();
    let mut out = Vec::new();
    for _ in 0..one(rng, &[1, 1, 1, 2]) {
        let count = one(rng, &[1, 1, 2, 2, 3]);
        let reads = rng.random_bool(0.5);
        let regions = if rng.random_bool(0.2) && !china.is_empty() {
            china.drain(..).take(count).collect()
        } else {
            (0..count).map(|_| free.remove(rng.random_range(0..free.len()))).collect()
        };
        out.push(Cell { regions, reads });
    }
    out
}

fn between(rng: &mut impl Rng, least: u32, most: u32) -> String {
    let min = rng.random_range(least..=most);
    let max = rng.random_range(min..=most);
    if min == max && rng.random_bool(0.5) { min.to_string() } else { format!("{{ min: {min}, max: {max} }}") }
}

/// A section of a store: each field is written or not by a coin.
fn fields(rng: &mut impl Rng, engine: &str, followed: bool) -> Vec<(&'static str, String)> {
    let mut out: Vec<(&'static str, String)> = Vec::new();
    common(rng, followed, &mut out);
    match engine {
        "aurora-mysql" | "aurora-postgresql" => aurora(rng, engine, &mut out),
        "documentdb" => document(rng, &mut out),
        "redshift" => warehouse(rng, followed, &mut out),
        _ => cache(rng, &mut out),
    }
    out
}

fn common(rng: &mut impl Rng, followed: bool, out: &mut Vec<(&'static str, String)>) {
    if followed && rng.random_bool(0.2) {
        out.push(("global", "false".to_owned()));
    }
    if rng.random_bool(0.3) {
        let days = rng.random_range(1..=35);
        let window = one(rng, &["02:00-03:00", "18:00-19:00"]);
        let both = rng.random_bool(0.5);
        let window = if both { format!(", window: \"{window}\"") } else { String::new() };
        out.push(("backup", format!("{{ retention: {days}d{window} }}")));
    }
    if rng.random_bool(0.15) {
        out.push(("deletionProtection", "false".to_owned()));
    }
    if rng.random_bool(0.2) {
        out.push(("tags", format!("{{ tier: \"{}\" }}", rng.random_range(0..3))));
    }
    if rng.random_bool(0.1) {
        out.push(("keep", one(rng, &["store", "final-snapshot"]).to_owned()));
    }
}

fn members(rng: &mut impl Rng, out: &mut Vec<(&'static str, String)>) {
    if rng.random_bool(0.7) {
        out.push(("readers", between(rng, 0, 3)));
    }
    if rng.random_bool(0.3) {
        out.push(("secondaryReaders", between(rng, 1, 3)));
    }
    if rng.random_bool(0.3) {
        out.push(("storage", one(rng, &["standard", "io-optimized"]).to_owned()));
    }
}

fn aurora(rng: &mut impl Rng, engine: &str, out: &mut Vec<(&'static str, String)>) {
    members(rng, out);
    match rng.random_range(0..4) {
        0 => {
            let min = rng.random_range(1..=16);
            let max = min + rng.random_range(0..=32);
            out.push(("serverless", format!("{{ minAcu: {}, maxAcu: {max} }}", f64::from(min) / 2.0)));
        }
        1 | 2 => {
            let class = one(rng, &AURORA_CLASSES);
            out.push(("class", class.to_owned()));
        }
        _ => {}
    }
    if rng.random_bool(0.2) {
        let logs = if engine == "aurora-mysql" { "[error, slowquery]" } else { "[postgresql]" };
        out.push(("logs", logs.to_owned()));
    }
    if rng.random_bool(0.1) {
        out.push(("iamAuthentication", "false".to_owned()));
    }
}

fn document(rng: &mut impl Rng, out: &mut Vec<(&'static str, String)>) {
    members(rng, out);
    if rng.random_bool(0.5) {
        let class = one(rng, &DOCUMENT_CLASSES);
        out.push(("class", class.to_owned()));
    } else if rng.random_bool(0.3) {
        out.push(("serverless", "{ minDcu: 1, maxDcu: 16 }".to_owned()));
    }
    if rng.random_bool(0.2) {
        out.push(("logs", "[audit]".to_owned()));
    }
}

fn cache(rng: &mut impl Rng, out: &mut Vec<(&'static str, String)>) {
    if rng.random_bool(0.1) {
        out.push(("serverless", format!("{{ maxData: {}GiB }}", rng.random_range(10..100))));
        return;
    }
    if rng.random_bool(0.6) {
        let class = one(rng, &CACHE_CLASSES);
        out.push(("class", class.to_owned()));
    }
    if rng.random_bool(0.7) {
        out.push(("shards", between(rng, 1, 5)));
    }
    if rng.random_bool(0.6) {
        out.push(("replicasPerShard", between(rng, 0, 3)));
    }
    if rng.random_bool(0.3) {
        out.push(("clusterMode", one(rng, &["enabled", "compatible", "disabled"]).to_owned()));
    }
    if rng.random_bool(0.3) {
        out.push(("cache", "{ pattern: cache-aside, ttl: 1h, eviction: volatile-lru }".to_owned()));
    }
}

fn warehouse(rng: &mut impl Rng, followed: bool, out: &mut Vec<(&'static str, String)>) {
    if rng.random_bool(0.25) {
        let base = 8 * rng.random_range(1..=8);
        out.push((
            "serverless",
            format!("{{ baseRpu: {base}, maxRpu: {} }}", base + 8 * rng.random_range(0..=8)),
        ));
        return;
    }
    if rng.random_bool(0.6) {
        let class = one(rng, &WAREHOUSE_CLASSES);
        out.push(("class", class.to_owned()));
    }
    if rng.random_bool(0.6) {
        out.push(("nodes", between(rng, 1, 12)));
    }
    if followed && rng.random_bool(0.4) {
        out.push(("snapshotCopy", format!("{{ retention: {}d }}", rng.random_range(1..=30))));
    }
    if rng.random_bool(0.15) {
        out.push(("multiZone", "true".to_owned()));
    }
    if rng.random_bool(0.1) {
        out.push(("pause", "[{ days: [mon, thu], from: \"22:00\", lasts: 9h, zone: UTC }]".to_owned()));
    }
}
