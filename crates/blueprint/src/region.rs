//! Regions: where stores may be built, and what is there.

use std::collections::BTreeMap;

use super::spec::{ApiVersion, NetworkRefs};
use rgctl_schema::diagnostic::Source;
use rgctl_schema::money::Currency;
use rgctl_schema::names::{AccountName, Partition, RegionId};
use rgctl_schema::{choices, section};

choices! {
    /// What a document with a region is called.
    pub enum RegionKind {
        /// A region.
        Region = "Region",
    }
}

section! {
    /// A region: where stores may be built, and what is there.
    pub struct Region {
        /// Format of the document.
        api_version: ApiVersion;
        /// Kind of the document.
        kind: RegionKind;
        /// Code and labels.
        metadata: RegionMetadata;
        /// What is there.
        spec: RegionSpec;
    }
    /// Code and labels of a region.
    pub struct RegionMetadata {
        /// Code of the region.
        name: RegionId;
        /// Labels, for tools that select documents by them.
        labels: BTreeMap<String, String>;
        /// Remarks for people and tools.
        annotations: BTreeMap<String, String>;
    }
    /// What a region has.
    pub struct RegionSpec {
        /// Name as people say it; who writes it in place of the code hears the code.
        title: String => "Beijing";
        /// Part of the world that it belongs to.
        partition: Partition;
        /// Currency in which it is billed; what the catalogue knows otherwise is refused.
        currency: Currency;
        /// Who operates it, where that is not AWS itself.
        operator: Option<String> => "Sinnet";
        /// Account that its objects are in; by default the one that the credentials of the environment are of.
        account: Option<AccountName> => "china";
        /// Availability zones.
        zones: Vec<String> => "[cn-north-1a, cn-north-1b, cn-north-1d]";
        /// Network that stores are put into.
        network: NetworkRefs;
        /// Features that are missing or not proven there, beside what the catalogue knows.
        lacks: Vec<Lack>;
        /// Cities whose players are served best from there: `capacity` and `explain` name them, and who writes one in place
        /// of the code hears the code.
        cities: Vec<String> => "[Beijing, Tianjin]";
    }
    /// A feature that is missing.
    pub struct Lack {
        /// The feature, such as `service/feature` in the catalogue's limits.
        feature: String;
        /// Why, or who says so; shown where a blueprint needs the feature.
        why: Option<String>;
    }
}

/// The shipped regions, so that blueprints can be read from any directory.
const BUILT_IN: [(&str, &str); 9] = [
    ("regions/ap-east-1.yaml", include_str!("../../../regions/ap-east-1.yaml")),
    ("regions/ap-northeast-1.yaml", include_str!("../../../regions/ap-northeast-1.yaml")),
    ("regions/ap-southeast-1.yaml", include_str!("../../../regions/ap-southeast-1.yaml")),
    ("regions/cn-north-1.yaml", include_str!("../../../regions/cn-north-1.yaml")),
    ("regions/cn-northwest-1.yaml", include_str!("../../../regions/cn-northwest-1.yaml")),
    ("regions/eu-central-1.yaml", include_str!("../../../regions/eu-central-1.yaml")),
    ("regions/eu-west-1.yaml", include_str!("../../../regions/eu-west-1.yaml")),
    ("regions/us-east-1.yaml", include_str!("../../../regions/us-east-1.yaml")),
    ("regions/us-west-2.yaml", include_str!("../../../regions/us-west-2.yaml")),
];

/// The texts of the shipped regions.
pub fn built_in() -> Vec<Source> {
    BUILT_IN.iter().map(|(name, text)| Source::new(format!("{name} (built in)"), *text)).collect()
}

/// The regions that are known, by code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionBook(BTreeMap<RegionId, Region>);

impl RegionBook {
    /// Adds a region; one of the same code is replaced.
    pub fn insert(&mut self, region: Region) {
        self.0.insert(region.metadata.name.clone(), region);
    }
    /// The region of a code.
    pub fn get(&self, code: &RegionId) -> Option<&Region> {
        self.0.get(code)
    }
    /// All of them, by code.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.0.values()
    }
    /// All codes.
    pub fn codes(&self) -> impl Iterator<Item = &RegionId> {
        self.0.keys()
    }
}
