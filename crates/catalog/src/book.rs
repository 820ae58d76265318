//! Price books: layers of known prices, one on top of the other, and the file in which a refreshed layer is kept.
//!
//! Goes in: layers, or the text of a file. Comes out: the price that the topmost layer knows, or the text of a file.
//!
//! **Invariant:** a later layer wins as a whole price: amount, source and date never come from different layers.
//! **Invariant:** a file that was cut, changed or written by a newer version is refused, never read in part.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CatalogError;
use super::price::{
    AsOf, KeyWords, KnownPrice, LayerKind, PRICE_AGE_MAX, PRICE_COLUMNS, Price, PriceKey, Unit, price_of_row,
};
use super::table::read_table;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::time::Moment;

/// The name of the file format of a refreshed book.
const FORMAT: &str = "rgctl.price-book";
/// The version of the file format that this program writes, and the only one that it reads.
const VERSION: u32 = 1;

/// Prices of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceLayer {
    /// Where they came from.
    pub kind: LayerKind,
    /// The prices.
    pub prices: BTreeMap<PriceKey<'static>, KnownPrice>,
}

impl PriceLayer {
    /// A layer without prices.
    pub const fn new(kind: LayerKind) -> Self {
        Self { kind, prices: BTreeMap::new() }
    }

    /// Reads a layer from a table of prices.
    pub(super) fn read(table: &'static str, kind: LayerKind, text: &str) -> Result<Self, CatalogError> {
        let mut layer = Self::new(kind);
        read_table(table, text, &PRICE_COLUMNS, |row| {
            let (key, price) = price_of_row(row, kind)?;
            let name = key.to_string();
            match layer.prices.insert(key, price) {
                Some(_) => Err(format!("two prices for {name}")),
                None => Ok(()),
            }
        })?;
        Ok(layer)
    }

    /// The layer as a table of prices.
    fn table(&self) -> String {
        let mut text = PRICE_COLUMNS.join(",");
        text.push('\n');
        for (key, price) in &self.prices {
            let amount = price.money.amount.to_string();
            let fields: [&str; PRICE_COLUMNS.len()] = [
                &key.service,
                &key.sku,
                &key.engine,
                &key.config,
                &key.region,
                price.money.currency.code(),
                key.unit.text(),
                &amount,
                &price.source,
                price.as_of.text(),
                price.confidence.letter(),
                &price.note,
            ];
            for (at, field) in fields.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                push_field(&mut text, field);
            }
            text.push('\n');
        }
        text
    }

    /// Whether the layer knows any price of a thing in a region, whatever the configuration and the unit.
    pub fn sells(&self, service: &str, engine: &str, sku: &str, region: &str) -> bool {
        let from = PriceKey::new(service, sku, engine, "", "", Unit::Hour);
        let from: &dyn KeyWords = &from;
        self.prices
            .range::<dyn KeyWords, _>((Bound::Included(from), Bound::Unbounded))
            .map(|(key, _)| key)
            .take_while(|key| key.service == service && key.sku == sku && key.engine == engine)
            .any(|key| key.region == region)
    }
}

/// Adds a field of a table, quoted where it must be.
fn push_field(text: &mut String, field: &str) {
    if field.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(field);
    }
}

/// Layers of prices, the strongest last.
#[derive(Clone, Debug, Default)]
pub struct PriceBook {
    layers: Vec<Arc<PriceLayer>>,
}

impl PriceBook {
    /// Lays a layer over those below it; layers of the same kind keep the order in which they came.
    #[must_use]
    pub fn with(mut self, layer: Arc<PriceLayer>) -> Self {
        let at = self.layers.partition_point(|below| below.kind <= layer.kind);
        self.layers.insert(at, layer);
        self
    }
    /// The layers, the strongest last.
    pub fn layers(&self) -> impl Iterator<Item = &PriceLayer> {
        self.layers.iter().map(|layer| &**layer)
    }
    /// The price that the strongest layer knows.
    pub fn price(&self, key: &PriceKey<'_>) -> Price<'_> {
        let key: &dyn KeyWords = key;
        self.layers.iter().rev().find_map(|layer| layer.prices.get(key)).map_or(Price::Unknown, Price::Known)
    }
    /// Where the prices come from and how old they are: a line for each layer, the strongest first.
    pub fn origins(&self, now: Moment) -> Vec<String> {
        let line = |layer: &Arc<PriceLayer>| {
            let dates = DatesInUse::of(layer.prices.values());
            let day = |moment: Option<Moment>| {
                moment.map_or_else(|| "unknown".to_owned(), |at| AsOf::of(at).to_string())
            };
            let warning = if dates.has_stale(now) {
                format!(", some older than {PRICE_AGE_MAX} or undated")
            } else {
                String::new()
            };
            let (count, oldest, newest) = (layer.prices.len(), day(dates.oldest), day(dates.newest));
            format!("{}: {count} prices seen from {oldest} to {newest}{warning}", layer.kind)
        };
        self.layers.iter().rev().map(line).collect()
    }
    /// Every key with its strongest price, in the order of the keys.
    pub fn prices(&self) -> BTreeMap<&PriceKey<'static>, &KnownPrice> {
        self.layers.iter().flat_map(|layer| &layer.prices).collect()
    }
}

/// The dates of the prices that a plan rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatesInUse {
    /// The oldest date.
    pub oldest: Option<Moment>,
    /// The newest date.
    pub newest: Option<Moment>,
    /// How many prices have no date.
    pub undated: usize,
}

impl DatesInUse {
    /// Collects the dates of prices.
    pub fn of<'p>(prices: impl IntoIterator<Item = &'p KnownPrice>) -> Self {
        let mut dates = Self::default();
        for price in prices {
            match price.as_of.moment() {
                Some(seen) => {
                    dates.oldest = Some(dates.oldest.map_or(seen, |oldest| oldest.min(seen)));
                    dates.newest = Some(dates.newest.map_or(seen, |newest| newest.max(seen)));
                }
                None => dates.undated += 1,
            }
        }
        dates
    }
    /// Whether even the newest price is older than [`PRICE_AGE_MAX`], or none has a date.
    pub fn is_stale(&self, now: Moment) -> bool {
        self.newest.map_or(self.undated > 0, |newest| now.since(newest) > PRICE_AGE_MAX)
    }
    /// Whether at least one price is older than [`PRICE_AGE_MAX`] or has no date.
    pub fn has_stale(&self, now: Moment) -> bool {
        self.undated > 0 || self.oldest.is_some_and(|oldest| now.since(oldest) > PRICE_AGE_MAX)
    }
}

/// Why a file with a price book cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// It does not begin as a price book does.
    #[error("this is not a price book: {problem}")]
    NotABook {
        /// What is wrong with its first line.
        problem: String,
    },
    /// It was written by another version.
    #[error("the price book has format version {found}; this program reads version {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// Its prices are not those that were written.
    #[error("the price book is damaged: its checksum is {found}, its first line promises {promised}")]
    Damaged {
        /// Checksum of what is there.
        found: String,
        /// Checksum of what was written.
        promised: String,
    },
    /// It cannot be read although it is whole.
    #[error("the price book holds a row that cannot be read")]
    Row(#[source] CatalogError),
}

/// One file of the provider's price list, as a book remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferRecord {
    /// The partition.
    pub partition: String,
    /// The code of the offer, which names a service in the price list.
    pub offer: String,
    /// The region.
    pub region: String,
    /// Path of the file on the host of the price list; it contains the version.
    pub path: String,
    /// When the provider published it, in the provider's words.
    pub published: String,
    /// Length of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// How many prices were taken from it.
    pub prices: usize,
}

/// A refreshed book: the prices and where they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshedBook {
    /// When the refresh finished.
    pub created: Moment,
    /// The files that it read.
    pub offers: Vec<OfferRecord>,
    /// The prices.
    pub layer: PriceLayer,
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    created: Moment,
    rows: usize,
    sha256: String,
    offers: Vec<OfferRecord>,
}

/// Only what tells the version, so that a newer header gets the right message.
#[derive(Deserialize)]
struct Preamble {
    format: String,
    version: u32,
}

impl RefreshedBook {
    /// The text of the file: a line of JSON with a checksum, then a table of prices.
    pub fn encode(&self) -> Result<String, BookError> {
        let table = self.layer.table();
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            created: self.created,
            rows: self.layer.prices.len(),
            sha256: sha256_hex(table.as_bytes()),
            offers: self.offers.clone(),
        };
        let header = serde_json::to_string(&header)
            .map_err(|error| BookError::NotABook { problem: error.to_string() })?;
        Ok(format!("{header}\n{table}"))
    }

    /// Reads the text of a file.
    pub fn decode(text: &str) -> Result<Self, BookError> {
        let not_a_book = |problem: String| BookError::NotABook { problem };
        let (first, table) =
            text.split_once('\n').ok_or_else(|| not_a_book("it has only one line".to_owned()))?;
        let preamble: Preamble =
            serde_json::from_str(first).map_err(|error| not_a_book(error.to_string()))?;
        if preamble.format != FORMAT {
            return Err(not_a_book(format!("its format is `{}`", preamble.format)));
        }
        if preamble.version != VERSION {
            return Err(BookError::Version { found: preamble.version });
        }
        let header: Header = serde_json::from_str(first).map_err(|error| not_a_book(error.to_string()))?;
        let found = sha256_hex(table.as_bytes());
        if found != header.sha256 {
            return Err(BookError::Damaged { found, promised: header.sha256 });
        }
        let layer = PriceLayer::read("price book", LayerKind::Refreshed, table).map_err(BookError::Row)?;
        if layer.prices.len() != header.rows {
            return Err(not_a_book(format!("{} rows instead of {}", layer.prices.len(), header.rows)));
        }
        Ok(Self { created: header.created, offers: header.offers, layer })
    }

    /// Takes over what another, older book knows of the (partition, offer, region) files that this one did not read.
    ///
    /// `service_of` tells which service an offer belongs to. Prices that carry over keep their source and date.
    pub fn keep_rest_of(&mut self, older: &Self, service_of: impl Fn(&str) -> Option<String>) {
        let read: Vec<(String, String)> = self
            .offers
            .iter()
            .filter_map(|offer| Some((service_of(&offer.offer)?, offer.region.clone())))
            .collect();
        for offer in &older.offers {
            let again = |new: &OfferRecord| new.offer == offer.offer && new.region == offer.region;
            if !self.offers.iter().any(again) {
                self.offers.push(offer.clone());
            }
        }
        for (key, price) in &older.layer.prices {
            let replaced =
                read.iter().any(|(service, region)| key.service == *service && key.region == *region);
            if !replaced {
                self.layer.prices.entry(key.clone()).or_insert_with(|| price.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::price::Confidence;
    use rgctl_schema::money::{Currency, Money};

    fn layer(kind: LayerKind, cents: i64, note: &str) -> PriceLayer {
        let mut layer = PriceLayer::new(kind);
        let price = KnownPrice {
            money: Money::new(Decimal::new(cents, 2), Currency::Cny),
            unit: Unit::Hour,
            layer: kind,
            source: "test".to_owned(),
            as_of: AsOf::parse("2026-10-01").unwrap_or_default(),
            confidence: Confidence::A,
            note: note.to_owned(),
        };
        layer.prices.insert(key(), price);
        layer
    }
    fn key() -> PriceKey<'static> {
        PriceKey::new("s", "db.x.large", "e", "standard", "cn-north-1", Unit::Hour)
    }

    #[test]
    fn a_later_layer_wins_in_whatever_order_layers_are_laid() {
        let book = PriceBook::default()
            .with(Arc::new(layer(LayerKind::Contract, 1, "c")))
            .with(Arc::new(layer(LayerKind::Embedded, 3, "e")))
            .with(Arc::new(layer(LayerKind::Refreshed, 2, "r")));
        let price = book.price(&key()).known().expect("it is in all three layers");
        assert_eq!((price.layer, price.note.as_str()), (LayerKind::Contract, "c"));
        assert_eq!(book.prices().len(), 1);
        assert_eq!(book.prices()[&key()].note, "c");
        let elsewhere = PriceKey { region: "cn-northwest-1".into(), ..key() };
        assert_eq!(book.price(&elsewhere), Price::Unknown);
    }

    #[test]
    fn a_book_reads_what_it_writes_and_refuses_anything_else() {
        let layer = layer(LayerKind::Refreshed, 123, "says \"so\",\nin two lines");
        let book = RefreshedBook { created: Moment::from_secs(1_790_000_000), offers: Vec::new(), layer };
        let text = book.encode().expect("a small book");
        assert_eq!(RefreshedBook::decode(&text).expect("what was written"), book);
        for at in [0, 10, text.len() / 2, text.len() - 1] {
            assert!(RefreshedBook::decode(&text[..at]).is_err(), "cut at {at}");
        }
        let changed = text.replace(",1.23,", ",0.23,");
        assert!(matches!(RefreshedBook::decode(&changed), Err(BookError::Damaged { .. })));
        let newer = text.replace("\"version\":1", "\"version\":2,\"more\":true");
        assert!(matches!(RefreshedBook::decode(&newer), Err(BookError::Version { found: 2 })));
    }

    #[test]
    fn a_book_tells_the_origin_and_age_of_its_layers() {
        let book = PriceBook::default()
            .with(Arc::new(layer(LayerKind::Embedded, 1, "")))
            .with(Arc::new(PriceLayer::new(LayerKind::Contract)));
        let at = Moment::parse_rfc3339("2027-01-01T00:00:00Z").expect("a time stamp");
        let embedded =
            "embedded: 1 prices seen from 2026-10-01 to 2026-10-01, some older than 90d or undated";
        assert_eq!(book.origins(at), ["contract: 0 prices seen from unknown to unknown", embedded]);
    }

    #[test]
    fn prices_are_stale_after_ninety_days() {
        let known = layer(LayerKind::Refreshed, 1, "");
        let dates = DatesInUse::of(known.prices.values());
        let at = |text| Moment::parse_rfc3339(text).expect("a time stamp");
        assert!(!dates.is_stale(at("2026-12-30T00:00:00Z")));
        assert!(dates.is_stale(at("2026-12-30T00:00:01Z")));
        assert!(!DatesInUse::default().is_stale(at("2026-12-30T00:00:01Z")), "nothing in use is not stale");
    }
}
