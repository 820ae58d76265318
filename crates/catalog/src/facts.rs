//! What is true of the services whatever the prices: sizes of classes, where each is sold, versions, limits, regions.
//!
//! Goes in: the embedded tables. Comes out: indexes over them.
//!
//! **Invariant:** what the tables do not say is `Unknown` or `None`, never a default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CatalogError;
use super::price::{AsOf, Confidence};
use super::table::{Row, header_of, read_table};
use rgctl_schema::money::Currency;
use rgctl_schema::names::{Partition, RegionId};

/// An index by two words, such as service and engine.
type ByPair<V> = BTreeMap<String, BTreeMap<String, V>>;

/// The size of an instance or node class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceClass {
    /// The service, by its name in the catalog.
    pub service: String,
    /// The full name, such as `db.r6g.large`.
    pub class: String,
    /// Virtual processors.
    pub vcpu: Option<u32>,
    /// Memory that the engine has; of a cache node the usable part, not that of its host.
    pub memory_gib: Option<f64>,
    /// Network bandwidth that lasts.
    pub network_gbps_baseline: Option<f64>,
    /// Network bandwidth for a while.
    pub network_gbps_burst: Option<f64>,
    /// Processor architecture: `arm64` or `x86_64`.
    pub arch: String,
    /// Where the size was read.
    pub source: String,
    /// When.
    pub as_of: AsOf,
}

impl InstanceClass {
    /// The part of the name before the size, without the service's prefix: `r6g` of `db.r6g.large`.
    pub fn family(&self) -> &str {
        let mut parts = self.class.rsplit('.');
        parts.nth(1).unwrap_or(&self.class)
    }
    /// The last part of the name: `large`.
    pub fn size(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or(&self.class)
    }
    /// The generation: the first number in the family, 6 of `r6g`; 0 where there is none.
    pub fn generation(&self) -> u32 {
        let digits: String = self
            .family()
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().unwrap_or(0)
    }
    /// Whether the class earns credits and may be slowed down (the `t` families).
    pub fn is_burstable(&self) -> bool {
        self.family().starts_with('t')
    }
}

/// Whether something is sold in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offered {
    /// It is in the region's price list.
    Yes,
    /// It is not.
    No,
    /// Nobody told.
    Unknown,
}

/// Whether a region can do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Stated.
    Yes,
    /// Its absence is stated.
    No,
    /// Signs speak for it; probe before planning on it.
    Probable,
    /// Nobody told; probe before planning on it.
    Unknown,
}

/// What a limit says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitValue {
    /// One number.
    Number(f64),
    /// From one number to another, both allowed.
    Range(f64, f64),
    /// A rule in words or letters.
    Text(String),
    /// Not published.
    Unknown,
}

impl LimitValue {
    fn parse(text: &str) -> Self {
        if text.is_empty() || text == "unknown" {
            return Self::Unknown;
        }
        if let Ok(number) = text.parse() {
            return Self::Number(number);
        }
        let range =
            text.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
        range.map_or_else(|| Self::Text(text.to_owned()), |(low, high)| Self::Range(low, high))
    }
    /// The largest number allowed, where the limit is one.
    pub const fn max(&self) -> Option<f64> {
        match self {
            Self::Number(number) | Self::Range(_, number) => Some(*number),
            Self::Text(_) | Self::Unknown => None,
        }
    }
}

/// A limit, a default quota, a constraint or a capability, as the tables state it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The service, or `partition`, or an API by its name in the catalog.
    pub service: String,
    /// What is limited.
    pub item: String,
    /// `limit`, `default-quota`, `constraint` or `capability`.
    pub kind: String,
    /// A region, a partition, `account-region` or `all`.
    pub scope: String,
    /// The value.
    pub value: LimitValue,
    /// What the value counts.
    pub unit: String,
    /// Whether the provider raises it on request.
    pub is_adjustable: bool,
    /// Where it was read.
    pub source: String,
    /// When.
    pub as_of: AsOf,
    /// How far to trust it; none where it is unknown.
    pub confidence: Option<Confidence>,
    /// A remark.
    pub note: String,
}

/// A version of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedVersion {
    /// The version, as the API accepts it.
    pub version: String,
    /// Whether the provider has deprecated it.
    pub is_deprecated: bool,
    /// Where it was read.
    pub source: String,
    /// When.
    pub as_of: AsOf,
}

/// A region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionFacts {
    /// The code, such as `eu-west-1`.
    pub code: RegionId,
    /// The partition.
    pub partition: Partition,
    /// The end of its host names.
    pub dns_suffix: String,
    /// The currency of its bills.
    pub currency: Currency,
    /// Services whose endpoint is listed there (`rds`), and resource types registered there (`RDS_GlobalCluster`).
    ///
    /// A missing endpoint is not proof: some clients use the endpoint of another service.
    pub presence: BTreeMap<String, bool>,
}

/// The embedded tables, indexed.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) classes: ByPair<InstanceClass>,
    /// By service and engine: class name, then one answer per region of `offered_regions`.
    pub(super) offers: ByPair<BTreeMap<String, Vec<Offered>>>,
    pub(super) offered_regions: Vec<String>,
    pub(super) versions: ByPair<Vec<OfferedVersion>>,
    pub(super) limits: ByPair<Vec<Limit>>,
    pub(super) regions: BTreeMap<String, RegionFacts>,
}

const INSTANCES: &str = include_str!("data/instances.csv");
const AVAILABILITY: &str = include_str!("data/availability.csv");
const VERSIONS: &str = include_str!("data/engine_versions.csv");
const LIMITS: &str = include_str!("data/limits.csv");
const REGIONS: &str = include_str!("data/regions.csv");

impl Facts {
    pub(super) fn load() -> Result<Self, CatalogError> {
        let mut facts = Self::default();
        facts.load_classes()?;
        facts.load_offers()?;
        facts.load_versions()?;
        facts.load_limits()?;
        facts.load_regions()?;
        Ok(facts)
    }

    fn load_classes(&mut self) -> Result<(), CatalogError> {
        let columns = [
            "service",
            "class",
            "vcpu",
            "memory_gib",
            "network_gbps_baseline",
            "network_gbps_burst",
            "network_text",
            "arch",
            "source",
            "as_of",
        ];
        read_table("instances", INSTANCES, &columns, |row| {
            let class = InstanceClass {
                service: row.owned(0),
                class: row.owned(1),
                vcpu: row.number(2)?,
                memory_gib: row.number(3)?,
                network_gbps_baseline: row.number(4)?,
                network_gbps_burst: row.number(5)?,
                arch: row.owned(7),
                source: row.owned(8),
                as_of: date(row, 9)?,
            };
            match self.classes.entry(row.owned(0)).or_default().insert(row.owned(1), class) {
                Some(_) => Err(format!("`{}` is there twice", row.text(1))),
                None => Ok(()),
            }
        })
    }

    fn load_offers(&mut self) -> Result<(), CatalogError> {
        let columns = header_of(AVAILABILITY);
        let regions = columns.len().saturating_sub(5);
        self.offered_regions = columns.iter().skip(3).take(regions).map(|&code| code.to_owned()).collect();
        read_table("availability", AVAILABILITY, &columns, |row| {
            let answers = (3..3 + regions).map(|at| match row.text(at) {
                "yes" => Ok(Offered::Yes),
                "no" => Ok(Offered::No),
                "unknown" => Ok(Offered::Unknown),
                word => Err(format!("`{word}` is neither yes, no nor unknown")),
            });
            let answers = answers.collect::<Result<Vec<_>, _>>()?;
            self.offers
                .entry(row.owned(0))
                .or_default()
                .entry(row.owned(1))
                .or_default()
                .insert(row.owned(2), answers);
            Ok(())
        })
    }

    fn load_versions(&mut self) -> Result<(), CatalogError> {
        let columns = ["service", "engine", "version", "status", "source", "as_of"];
        read_table("engine_versions", VERSIONS, &columns, |row| {
            let is_deprecated = match row.text(3) {
                "deprecated" => true,
                "listed" => false,
                word => return Err(format!("unknown status `{word}`")),
            };
            let version = OfferedVersion {
                version: row.owned(2),
                is_deprecated,
                source: row.owned(4),
                as_of: date(row, 5)?,
            };
            self.versions.entry(row.owned(0)).or_default().entry(row.owned(1)).or_default().push(version);
            Ok(())
        })?;
        for versions in self.versions.values_mut().flat_map(BTreeMap::values_mut) {
            versions.sort_by_cached_key(|version| version_order(&version.version));
        }
        Ok(())
    }

    fn load_limits(&mut self) -> Result<(), CatalogError> {
        let columns = [
            "service",
            "item",
            "kind",
            "scope",
            "value",
            "unit",
            "adjustable",
            "source",
            "as_of",
            "confidence",
            "note",
        ];
        read_table("limits", LIMITS, &columns, |row| {
            let confidence = match row.text(9) {
                "" => None,
                text => Some(Confidence::parse(text).ok_or_else(|| format!("unknown confidence `{text}`"))?),
            };
            let limit = Limit {
                service: row.owned(0),
                item: row.owned(1),
                kind: row.owned(2),
                scope: row.owned(3),
                value: LimitValue::parse(row.text(4)),
                unit: row.owned(5),
                is_adjustable: row.text(6) == "yes",
                source: row.owned(7),
                as_of: date(row, 8)?,
                confidence,
                note: row.owned(10),
            };
            self.limits.entry(row.owned(0)).or_default().entry(row.owned(1)).or_default().push(limit);
            Ok(())
        })
    }

    fn load_regions(&mut self) -> Result<(), CatalogError> {
        let columns = header_of(REGIONS);
        read_table("regions", REGIONS, &columns, |row| {
            let currency =
                Currency::parse(row.text(3)).ok_or_else(|| format!("unknown currency `{}`", row.text(3)))?;
            let code =
                RegionId::new(row.text(1)).map_err(|error| format!("region `{}`: {error}", row.text(1)))?;
            let partition = Partition::of(&code);
            if partition.as_str() != row.text(0) {
                return Err(format!("{code} is not in partition `{}`", row.text(0)));
            }
            let mut presence = BTreeMap::new();
            for (at, column) in columns.iter().enumerate().skip(4) {
                let name = column.trim_start_matches("ep_").trim_start_matches("cfn_");
                presence.insert(name.to_owned(), row.text(at) == "yes");
            }
            let region = RegionFacts { code, partition, dns_suffix: row.owned(2), currency, presence };
            self.regions.insert(row.owned(1), region);
            Ok(())
        })
    }

    pub(super) fn class(&self, service: &str, name: &str) -> Option<&InstanceClass> {
        self.classes.get(service)?.get(name)
    }

    pub(super) fn offers(&self, service: &str, engine: &str) -> Option<&BTreeMap<String, Vec<Offered>>> {
        self.offers.get(service)?.get(engine)
    }

    pub(super) fn offered_region(&self, region: &str) -> Option<usize> {
        self.offered_regions.iter().position(|code| code == region)
    }

    pub(super) fn versions(&self, service: &str, engine: &str) -> &[OfferedVersion] {
        self.versions.get(service).and_then(|engines| engines.get(engine)).map_or(&[], Vec::as_slice)
    }

    /// The statement about an item that is nearest to `scope`: the scope itself, the partition of a region, what holds
    /// in each account and region, what holds everywhere.
    pub(super) fn limit(&self, service: &str, item: &str, scope: &str) -> Option<&Limit> {
        let limits = self.limits.get(service)?.get(item)?;
        let partition = self.regions.get(scope).map_or("", |region| region.partition.as_str());
        [scope, partition, "account-region", "all"]
            .into_iter()
            .find_map(|scope| limits.iter().find(|limit| limit.scope == scope))
    }
}

fn date(row: &Row<'_>, at: usize) -> Result<AsOf, String> {
    AsOf::parse(row.text(at)).ok_or_else(|| format!("`{}` is not a date", row.text(at)))
}

/// An order in which 10 follows 9: the numbers and words of a version, one after the other.
pub(super) fn version_order(version: &str) -> Vec<(u64, String)> {
    version
        .split(['.', '-'])
        .map(|part| part.parse().map_or_else(|_| (0, part.to_owned()), |number| (number, String::new())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_class_name_are_read() {
        let facts = Facts::load().expect("the embedded tables are well-formed");
        let class = facts.class("aurora", "db.r6g.2xlarge").expect("a well-known class");
        assert_eq!((class.family(), class.size(), class.generation()), ("r6g", "2xlarge", 6));
        assert_eq!((class.vcpu, class.memory_gib, class.is_burstable()), (Some(8), Some(64.0), false));
        let node = facts.class("redshift", "ra3.xlplus").expect("a node without a prefix");
        assert_eq!((node.family(), node.size()), ("ra3", "xlplus"));
    }

    #[test]
    fn versions_are_in_the_order_of_their_numbers() {
        assert!(version_order("16.9") < version_order("16.10"));
        assert!(version_order("8.0.mysql_aurora.3.05.2") < version_order("8.0.mysql_aurora.3.10.0"));
    }

    #[test]
    fn a_limit_is_a_number_a_range_a_text_or_unknown() {
        assert_eq!(LimitValue::parse("15"), LimitValue::Number(15.0));
        assert_eq!(LimitValue::parse("0-35").max(), Some(35.0));
        assert_eq!(LimitValue::parse("15-s"), LimitValue::Text("15-s".to_owned()));
        assert_eq!(LimitValue::parse("unknown"), LimitValue::Unknown);
    }
}
