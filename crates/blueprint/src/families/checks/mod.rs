//! What only a family knows to be wrong about its own section.
//!
//! Goes in: a store with its surroundings. Comes out: findings at paths relative to the document.
//!
//! **Invariant:** a finding contradicts no other: what one asks for, none forbids.

mod adopted;
pub(super) mod aurora;
mod documentdb;
mod elasticache;
mod published;
mod redshift;
mod secret;

pub use published::{NameOfDatabase, WINDOW_MIN};

use super::aurora::AuroraStore;
use super::common::{Backup, CachePattern, Common};
use super::documentdb::DocumentStore;
use super::elasticache::CacheStore;
use super::redshift::{Pause, WarehouseStore};
use super::{Family, Store};
use rgctl_model::kinds::elasticache::ClusterMode;
use rgctl_model::kinds::shared::is_service_linked;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Finding, did_you_mean};
use rgctl_schema::names::{BlueprintName, Partition, RegionId, StoreName};
use rgctl_schema::quantity::{Between, Share};
use rgctl_schema::time::Span;

/// Field of `assumptions`: reads a second that one processor of a database carries.
pub const READS_PER_VCPU: &str = "readsPerVcpu";
/// Field of `assumptions`: writes a second that one processor of a database carries.
pub const WRITES_PER_VCPU: &str = "writesPerVcpu";
/// Field of `assumptions`: commands a second that one processor of a cache carries.
pub const COMMANDS_PER_VCPU: &str = "commandsPerVcpu";
/// Field of `assumptions`: stored data that one processor of a warehouse scans in acceptable time.
pub const DATA_PER_VCPU: &str = "dataPerVcpu";

/// What a family may know of the cell that a store is in.
#[derive(Clone, Debug)]
pub struct CellRegions {
    /// Region that takes the writes.
    pub primary: RegionId,
    /// Regions to which this store is replicated.
    pub secondaries: Vec<RegionId>,
    /// Whether the cell has secondary regions at all.
    pub is_followed: bool,
}

/// What a family may know of the blueprint that a store is in.
#[derive(Clone, Debug)]
pub struct StoreContext<'a> {
    /// The blueprint's name.
    pub blueprint: &'a BlueprintName,
    /// The cells that have this store.
    pub places: &'a [CellRegions],
    /// Availability that this store has to hold to.
    pub availability: Share,
}

impl StoreContext<'_> {
    /// The most secondary regions that the store is replicated to in any cell.
    pub fn secondaries(&self) -> u32 {
        let most = self.places.iter().map(|place| place.secondaries.len()).max().unwrap_or(0);
        u32::try_from(most).unwrap_or(u32::MAX)
    }
}

/// The identifier of a store's main object in a region.
pub fn identifier(blueprint: &BlueprintName, store: &Common, region: &RegionId) -> String {
    format!("{blueprint}-{}-{}", store.name, region.short())
}

/// A feature that a store needs of every region that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredFeature {
    /// The item in the catalogue's limits.
    pub feature: &'static str,
    /// What it is called in a sentence.
    pub what: &'static str,
    /// The field that asks for it, relative to the store; empty for the store itself.
    pub field: &'static str,
    /// What to do where it is missing.
    pub instead: &'static str,
}

/// How a store survives what may happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resilience {
    /// Time of a failover within the region, as the section is written.
    pub failover: Span,
    /// Time until a secondary region has taken over, once that is decided.
    pub takeover: Span,
    /// What is lost with a region that had a secondary; zero means less than any objective can state.
    pub takeover_loss: Span,
    /// What is lost when data is damaged and restored in the same region; nothing for data that can be made anew.
    pub restore_loss: Option<Span>,
}

impl Store {
    /// The service's name in the catalogue.
    pub const fn catalog_service(&self) -> &'static str {
        match self.family() {
            Family::Aurora => "aurora",
            Family::DocumentDb => "docdb",
            Family::ElastiCache => "elasticache",
            Family::Redshift => "redshift",
        }
    }

    /// The engine's name in the catalogue.
    pub const fn catalog_engine(&self) -> &'static str {
        match self.family() {
            Family::DocumentDb => "docdb",
            Family::Aurora | Family::ElastiCache | Family::Redshift => self.engine(),
        }
    }

    /// The machine class, where the section names one.
    pub fn class(&self) -> Option<&str> {
        match self {
            Self::Aurora(store) => store.class.as_deref(),
            Self::DocumentDb(store) => store.class.as_deref(),
            Self::ElastiCache(store) => store.class.as_deref(),
            Self::Redshift(store) => store.class.as_deref(),
        }
    }

    /// The engine version, where the section names one.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Aurora(store) => store.version.as_deref(),
            Self::DocumentDb(store) => store.version.as_deref(),
            Self::ElastiCache(store) => store.version.as_deref(),
            Self::Redshift(_) => None,
        }
    }

    /// Whether its content can be made anew from elsewhere.
    pub fn is_cache(&self) -> bool {
        match self {
            Self::ElastiCache(store) => {
                store.cache.as_ref().is_some_and(|cache| cache.pattern != CachePattern::Primary)
            }
            Self::Aurora(_) | Self::DocumentDb(_) | Self::Redshift(_) => false,
        }
    }

    /// The store behind it, when it is a cache that names one.
    pub fn origin(&self) -> Option<&StoreName> {
        match self {
            Self::ElastiCache(store) => store.cache.as_ref()?.origin.as_ref(),
            Self::Aurora(_) | Self::DocumentDb(_) | Self::Redshift(_) => None,
        }
    }

    /// The rates that the section states in place of assumed ones, by field.
    pub fn stated_rates(&self) -> Vec<(&'static str, u64)> {
        let rates = match self {
            Self::Aurora(AuroraStore { assumptions: Some(own), .. })
            | Self::DocumentDb(DocumentStore { assumptions: Some(own), .. }) => [
                (READS_PER_VCPU, own.reads_per_vcpu.map(|count| count.0)),
                (WRITES_PER_VCPU, own.writes_per_vcpu.map(|count| count.0)),
            ]
            .to_vec(),
            Self::ElastiCache(CacheStore { assumptions: Some(own), .. }) => {
                vec![(COMMANDS_PER_VCPU, own.commands_per_vcpu.map(|count| count.0))]
            }
            Self::Redshift(WarehouseStore { assumptions: Some(own), .. }) => {
                vec![(DATA_PER_VCPU, own.data_per_vcpu.map(|size| size.0))]
            }
            _ => Vec::new(),
        };
        rates.into_iter().filter_map(|(field, rate)| Some((field, rate?))).collect()
    }

    /// Whether the section says how big it is, or how big it may become: somebody has measured it, or decided it.
    pub fn states_its_size(&self) -> bool {
        match self {
            Self::Aurora(store) => {
                store.class.is_some() || store.readers.is_some() || store.serverless.is_some()
            }
            Self::DocumentDb(store) => {
                store.class.is_some() || store.readers.is_some() || store.serverless.is_some()
            }
            Self::ElastiCache(store) => {
                store.class.is_some()
                    || store.shards.is_some()
                    || store.serverless.is_some()
                    || store.cluster_mode == Some(ClusterMode::Disabled)
            }
            Self::Redshift(store) => {
                store.class.is_some() || store.nodes.is_some() || store.serverless.is_some()
            }
        }
    }

    /// Whether something of it runs in the regions that follow. A warehouse has copies of its snapshots there, and no nodes.
    pub const fn runs_in_secondaries(&self) -> bool {
        match self.family() {
            Family::Aurora | Family::DocumentDb | Family::ElastiCache => true,
            Family::Redshift => false,
        }
    }

    /// Whether each request goes to a disk in the end, so that no latency in memory's range can be promised.
    pub const fn is_on_disk(&self) -> bool {
        matches!(self, Self::Aurora(_) | Self::DocumentDb(_))
    }

    /// The times in which it is paused.
    pub fn pauses(&self) -> &[Pause] {
        match self {
            Self::Redshift(store) => &store.pause,
            Self::Aurora(_) | Self::DocumentDb(_) | Self::ElastiCache(_) => &[],
        }
    }

    /// The features that it needs of its regions; `replicated` when it is in several.
    pub fn needs(&self, replicated: bool) -> Vec<RequiredFeature> {
        match self {
            Self::Aurora(store) => aurora::needs(store, replicated),
            Self::DocumentDb(store) => documentdb::needs(store, replicated),
            Self::ElastiCache(store) => elasticache::needs(store, replicated),
            Self::Redshift(store) => redshift::needs(store, replicated),
        }
    }

    /// How it survives failures, as the section is written.
    pub fn resilience(&self) -> Resilience {
        match self {
            Self::Aurora(store) => aurora::resilience(store),
            Self::DocumentDb(store) => documentdb::resilience(store),
            Self::ElastiCache(store) => elasticache::resilience(store),
            Self::Redshift(store) => redshift::resilience(store),
        }
    }

    /// The longest identifier that its service accepts.
    pub const fn identifier_max(&self) -> usize {
        match self.family() {
            Family::ElastiCache => 40,
            Family::Aurora | Family::DocumentDb | Family::Redshift => 63,
        }
    }

    /// Whether its service refuses deletions until a protection is taken off.
    pub const fn has_deletion_protection(&self) -> bool {
        match self.family() {
            Family::Aurora | Family::DocumentDb => true,
            Family::ElastiCache | Family::Redshift => false,
        }
    }

    /// The shortest and longest time for which automatic backups can be kept, in days.
    pub const fn backup_days(&self) -> (u64, u64) {
        match self.family() {
            Family::ElastiCache => (0, 35),
            Family::Aurora | Family::DocumentDb | Family::Redshift => (1, 35),
        }
    }

    /// Finds what only the family knows to be wrong. `at` is the path of the store.
    pub fn check(&self, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
        adopted::check(self, at, around, found);
        measured_rates(self, at, found);
        secret::check(self, at, around, found);
        match self {
            Self::Aurora(store) => aurora::check(store, at, around, found),
            Self::DocumentDb(store) => documentdb::check(store, at, around, found),
            Self::ElastiCache(store) => elasticache::check(store, at, around, found),
            Self::Redshift(store) => redshift::check(store, at, around, found),
        }
    }
}

/// Rates that are none, and such as serverless capacity is not sized by.
fn measured_rates(store: &Store, at: &str, found: &mut Vec<Finding>) {
    // Databases count the processors behind their units; caches and warehouses leave them to the service.
    let is_read = match store {
        Store::Aurora(_) | Store::DocumentDb(_) => true,
        Store::ElastiCache(store) => store.serverless.is_none(),
        Store::Redshift(store) => store.serverless.is_none(),
    };
    for (field, rate) in store.stated_rates() {
        let path = format!("{at}.assumptions.{field}");
        if !is_read {
            let message = "serverless capacity is not sized by processors";
            let problem = Finding::error(codes::BAD_SETTING, path, message).label("has no meaning here");
            found.push(problem.help("remove it, or take machines of a class"));
        } else if rate == 0 {
            let problem = Finding::error(codes::OUT_OF_BOUNDS, path, "a rate of zero carries nothing");
            let help = "state what was measured, or remove it to have a rate assumed";
            found.push(problem.label("not a rate").help(help));
        }
    }
}

/// Availability from which the loss of one machine must not be an outage: less leaves more than 43 minutes in a month.
const NEEDS_SECOND_COPY: Share = Share::from_millionths(999_000);

/// A range that may go down to no copy at all, though the objective needs one.
fn second_copy(
    range: Option<Between>,
    field: &str,
    what: &str,
    at: &str,
    around: &StoreContext<'_>,
) -> Option<Finding> {
    let range = range.filter(|range| range.min == 0)?;
    if around.availability < NEEDS_SECOND_COPY {
        return None;
    }
    let better = format!("\"1..{}\"", range.max.max(1));
    Some(
        Finding::error(
            codes::AVAILABILITY_TOPOLOGY,
            format!("{at}.{field}.min"),
            format!(
                "an availability of {} cannot be met without {what} in a second zone",
                around.availability
            ),
        )
        .label("may go down to none")
        .help(format!(
            "write `{field}: {better}`, or state a lower availability in the store's `objectives`"
        )),
    )
}

/// More members than the service allows.
fn at_most(range: Option<Between>, most: u32, field: &str, why: &str, at: &str) -> Option<Finding> {
    let range = range.filter(|range| range.max > most)?;
    Some(
        Finding::error(
            codes::SIZE_LIMIT,
            format!("{at}.{field}.max"),
            format!("up to {} are asked for, the service allows {most}", range.max),
        )
        .label(format!("at most {most}"))
        .help(why),
    )
}

/// More secondary regions than the service allows.
fn too_many(secondaries: u32, most: u32, at: &str) -> Finding {
    Finding::error(
        codes::TOO_MANY_SECONDARIES,
        at.to_owned(),
        format!("it would be replicated to {secondaries} regions, the service allows {most}"),
    )
    .help("take regions out of the cell, or write `global: false` for this store")
}

/// A class beside serverless capacity.
fn one_shape(both: bool, field: &str, at: &str) -> Option<Finding> {
    both.then(|| {
        Finding::error(
            codes::TWO_SHAPES,
            format!("{at}.{field}"),
            format!("`{field}` and `serverless` exclude each other"),
        )
        .help(format!("remove `{field}` for serverless capacity, or `serverless` for machines of a class"))
    })
}

/// Log types that the engine does not have.
fn known_logs(logs: &[String], known: &[&str], engine: &str, at: &str, found: &mut Vec<Finding>) {
    for (place, log) in logs.iter().enumerate() {
        if known.contains(&log.as_str()) {
            continue;
        }
        let help = did_you_mean(log, known.iter().copied()).map_or_else(
            || format!("it has: {}", known.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        found.push(
            Finding::error(
                codes::BAD_SETTING,
                format!("{at}.logs[{place}]"),
                format!("{engine} has no log `{log}`"),
            )
            .label("unknown log")
            .help(help),
        );
    }
}

/// What is no ARN of a role, or of one in another partition than the store.
fn role(arn: &str, field: &str, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let mut refuse = |message: String, help: &str| {
        let finding = Finding::error(codes::BAD_SETTING, format!("{at}.{field}"), message);
        found.push(finding.label("not a role for this store").help(help));
    };
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "iam", "", _, name] = parts[..] else {
        refuse(format!("`{arn}` is no ARN of a role"), "write `arn:aws:iam::111122223333:role/NAME`");
        return;
    };
    if !name.starts_with("role/") {
        refuse(format!("`{arn}` is no ARN of a role"), "write `arn:aws:iam::111122223333:role/NAME`");
    } else if is_service_linked(arn) {
        refuse(format!("`{arn}` is kept by the service itself"), "leave it out: it stays as it is");
    } else if let Some(place) =
        around.places.iter().find(|place| Partition::of(&place.primary).as_str() != partition)
    {
        let own = Partition::of(&place.primary);
        refuse(
            format!("`{arn}` is of the partition {partition}, and {} is in {own}", place.primary),
            "name a role of an account of that partition",
        );
    }
}

/// Authorities that sign certificates, in every region and in mainland China (Aurora guide, "Using SSL/TLS to encrypt a connection to a
/// DB cluster" and "Rotating your SSL/TLS certificate", 2026-04; the guide for China names the first alone).
const AUTHORITIES: [&str; 3] = ["rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"];

/// An authority that is not known, has expired, or is not named for mainland China.
fn authority(given: Option<&str>, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let Some(given) = given else { return };
    let is_in_china = around.places.iter().any(|place| Partition::of(&place.primary) == Partition::AwsCn);
    let known = if is_in_china { &AUTHORITIES[..1] } else { &AUTHORITIES[..] };
    if known.contains(&given) {
        return;
    }
    let message = match given {
        "rds-ca-2019" => "the authority `rds-ca-2019` has expired in most regions in 2024: clients that check it do not connect".to_owned(),
        _ if is_in_china => format!("`{given}` is not the authority that the guide names for mainland China"),
        _ => format!("`{given}` is no authority that the service publishes"),
    };
    let finding = Finding::warning(codes::BAD_SETTING, format!("{at}.certificateAuthority"), message);
    found.push(
        finding.label("its certificate may not be made").help(format!("known are: {}", known.join(", "))),
    );
}

/// A setting that is understood and not carried out yet.
fn without_effect(given: bool, field: &str, instead: &str, at: &str, found: &mut Vec<Finding>) {
    if given {
        let message = format!("`{field}` is not carried out yet: nothing of it reaches the service");
        found.push(
            Finding::warning(codes::NO_EFFECT, format!("{at}.{field}"), message)
                .label("no effect")
                .help(instead),
        );
    }
}

/// Bounds of a serverless capacity in halves.
fn capacity(
    (min, max): (rgctl_schema::quantity::Halves, rgctl_schema::quantity::Halves),
    (min_field, max_field): (&str, &str),
    most: u32,
    at: &str,
) -> Option<Finding> {
    if min > max {
        let problem = Finding::error(
            codes::MIN_OVER_MAX,
            format!("{at}.serverless.{min_field}"),
            format!("`{min_field}` is {min}, but `{max_field}` is {max}"),
        );
        return Some(
            problem.label(format!("more than {max}")).help("exchange them, or raise the upper bound"),
        );
    }
    if max.0 > most * 2 || max.0 < 2 {
        let problem = Finding::error(
            codes::SIZE_LIMIT,
            format!("{at}.serverless.{max_field}"),
            format!("an upper bound of {max} is outside of what the service allows"),
        );
        return Some(
            problem.label(format!("from 1 to {most}")).help(format!("write a number from 1 to {most}")),
        );
    }
    None
}

/// The numbers at the beginning of a version, for comparison: `8.0.12` is `[8, 0, 12]`.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// The retention of backups, where the section states one.
pub fn retention(store: &Common) -> Option<Span> {
    store.backup.as_ref().and_then(|Backup { retention, .. }| *retention)
}
