//! What things cost, how big they are, where they are sold and how far they go.
//!
//! Goes in: the tables shipped in `data/`, a refreshed price book, the user's own price book. Comes out: answers, each
//! with its source and date; "unknown" is one of the answers.
//!
//! **Invariant:** a price that nobody told is [`Price::Unknown`]: never a zero, a guess, a price of another region or a
//! converted one.
//! **Invariant:** the tables are read on first use only, and a row that cannot be read is an error value.

mod bill;
mod book;
mod check;
mod contract;
mod facts;
mod offer;
mod offer_rules;
mod price;
mod ranking;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

pub use bill::{PricedBill, price_bill, price_range};
pub use book::{BookError, DatesInUse, OfferRecord, PriceBook, PriceLayer, RefreshedBook};
pub use check::{PriceFinding, check};
pub use contract::{
    Amount, ContractError, EntryProblem, PriceBookDocument, PriceBookMetadata, PriceBookSpec, PriceEntry,
    from_entries,
};
pub use facts::{Capability, InstanceClass, Limit, LimitValue, Offered, OfferedVersion, RegionFacts};
pub use offer::{OfferAsk, OfferError, OfferPrices, read_offer};
pub use offer_rules::{offer_codes, service_of_offer};
pub use price::{ANY, AsOf, Confidence, KnownPrice, LayerKind, PRICE_AGE_MAX, Price, PriceKey, Unit};
pub use ranking::{Candidate, Ranking, by_size, rank};

use facts::Facts;

use rgctl_schema::money::Currency;
use rgctl_schema::names::RegionId;

const PRICES: &str = include_str!("data/prices.csv");

/// The units in which classes are priced: an instance or a node, for an hour.
const CLASS_UNITS: [Unit; 2] = [Unit::Hour, Unit::NodeHour];

/// Why the shipped tables cannot be used. It cannot happen in a released program: a test reads every row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// A row that is not what its table promises.
    #[error("table `{table}`, line {line}: {problem}")]
    BadRow {
        /// Name of the table.
        table: &'static str,
        /// Line of the row, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
}

struct Embedded {
    facts: Facts,
    prices: Arc<PriceLayer>,
}

static EMBEDDED: LazyLock<Result<Embedded, CatalogError>> = LazyLock::new(|| {
    let prices = Arc::new(PriceLayer::read("prices", LayerKind::Embedded, PRICES)?);
    Ok(Embedded { facts: Facts::load()?, prices })
});

/// Everything known about the services, with a book of prices. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalog {
    facts: &'static Facts,
    book: PriceBook,
}

impl Catalog {
    /// The catalog that is shipped in the program. The first call in a process reads the tables.
    pub fn embedded() -> Result<Self, CatalogError> {
        let embedded = EMBEDDED.as_ref().map_err(Clone::clone)?;
        Ok(Self { facts: &embedded.facts, book: PriceBook::default().with(Arc::clone(&embedded.prices)) })
    }

    /// The same catalog with one more layer of prices.
    #[must_use]
    pub fn with_layer(mut self, layer: PriceLayer) -> Self {
        self.book = self.book.with(Arc::new(layer));
        self
    }

    /// The prices.
    pub const fn book(&self) -> &PriceBook {
        &self.book
    }

    /// The price of a key.
    pub fn price(&self, key: &PriceKey<'_>) -> Price<'_> {
        self.book.price(key)
    }

    /// The price of a class for an hour, whether its service sells instances or nodes. The configuration may be empty
    /// where the price does not depend on it.
    pub fn class_price(
        &self,
        service: &str,
        class: &str,
        engine: &str,
        config: &str,
        region: &RegionId,
    ) -> Price<'_> {
        let prices = CLASS_UNITS.map(|unit| self.nearest_price(service, class, engine, config, region, unit));
        prices.into_iter().find(|price| *price != Price::Unknown).unwrap_or(Price::Unknown)
    }

    /// The size of a class.
    pub fn class(&self, service: &str, name: &str) -> Option<&InstanceClass> {
        self.facts.class(service, name)
    }

    /// The names of all classes of an engine, sold anywhere, whether or not their size is known: for suggestions.
    pub fn class_names(&self, service: &str, engine: &str) -> impl Iterator<Item = &str> {
        self.facts.offers(service, engine).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// The services and engines whose classes are listed.
    pub fn engines(&self) -> impl Iterator<Item = (&str, &str)> {
        let services = self.facts.offers.iter();
        services
            .flat_map(|(service, engines)| engines.keys().map(|engine| (service.as_str(), engine.as_str())))
    }

    /// The classes that are sold for an engine in a region and whose size is in the tables, by name.
    pub fn classes_offered(&self, service: &str, engine: &str, region: &RegionId) -> Vec<&InstanceClass> {
        self.class_names(service, engine)
            .filter(|class| self.offered(service, engine, class, region) == Offered::Yes)
            .filter_map(|class| self.class(service, class))
            .collect()
    }

    /// Whether a class or a named unit is sold for an engine in a region.
    ///
    /// A price in the provider's own list is proof; otherwise the table of classes answers; for what is in no table, a
    /// known price is proof, and its absence is not.
    pub fn offered(&self, service: &str, engine: &str, sku: &str, region: &RegionId) -> Offered {
        let region = region.as_str();
        let is_priced = |kind| {
            let mut layers = self.book.layers().filter(|layer| layer.kind == kind);
            layers.any(|layer| layer.sells(service, engine, sku, region))
        };
        if is_priced(LayerKind::Refreshed) {
            return Offered::Yes;
        }
        let listed = self.facts.offers(service, engine).and_then(|classes| classes.get(sku));
        match (listed, self.facts.offered_region(region)) {
            (Some(answers), Some(at)) => answers.get(at).copied().unwrap_or(Offered::Unknown),
            (None, _) if is_priced(LayerKind::Embedded) => Offered::Yes,
            _ => Offered::Unknown,
        }
    }

    /// What the tables state about an item, nearest to `scope`: a region, its partition, each account and region, all.
    pub fn limit(&self, service: &str, item: &str, scope: &str) -> Option<&Limit> {
        self.facts.limit(service, item, scope)
    }

    /// The same as a whole number; nothing where the tables state none.
    pub fn limit_number(&self, service: &str, item: &str, scope: &str) -> Option<u64> {
        match self.limit(service, item, scope)?.value {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
            LimitValue::Number(number) => Some(number.clamp(0.0, 1e9) as u64),
            _ => None,
        }
    }

    /// Every statement of a kind or of all kinds, by service and item.
    pub fn limits(&self) -> impl Iterator<Item = &Limit> {
        self.facts.limits.values().flat_map(BTreeMap::values).flatten()
    }

    /// Whether a region can do something.
    pub fn capability(&self, service: &str, item: &str, region: &RegionId) -> Capability {
        match self.limit(service, item, region.as_str()).map(|limit| &limit.value) {
            Some(LimitValue::Text(word)) if word == "yes" => Capability::Yes,
            Some(LimitValue::Text(word)) if word == "no" => Capability::No,
            Some(LimitValue::Text(word)) if word == "probable" => Capability::Probable,
            _ => Capability::Unknown,
        }
    }

    /// The versions of an engine that the API accepts, deprecated ones included, the oldest number first.
    pub fn versions(&self, service: &str, engine: &str) -> &[OfferedVersion] {
        self.facts.versions(service, engine)
    }

    /// A region that the catalog knows.
    pub fn region(&self, code: &RegionId) -> Option<&RegionFacts> {
        self.facts.regions.get(code.as_str())
    }

    /// The currency in which a region is billed, if the catalog knows the region; by its code as text.
    pub fn currency_of(&self, code: &str) -> Option<Currency> {
        self.facts.regions.get(code).map(|region| region.currency)
    }

    /// The regions that the catalog knows, by code.
    pub fn regions(&self) -> impl Iterator<Item = &RegionFacts> {
        self.facts.regions.values()
    }

    /// Puts classes in the order in which they should be tried, and says which order that is.
    pub fn rank<'c>(
        &'c self,
        classes: impl IntoIterator<Item = &'c InstanceClass>,
        engine: &str,
        config: &str,
        region: &RegionId,
    ) -> (Ranking, Vec<Candidate<'c>>) {
        rank(classes.into_iter().map(|class| {
            let price = self.class_price(&class.service, &class.class, engine, config, region).known();
            Candidate { class, price }
        }))
    }
}
