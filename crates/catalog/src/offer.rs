//! The provider's price list: from one regional offer file to prices.
//!
//! Goes in: a deserializer over the file, what it should hold, and the embedded table of rules that say which usage type
//! is which price. Comes out: prices, and what was left out and why.
//!
//! The file is an object with `products` (by SKU: `productFamily`, `attributes`) and `terms` (`OnDemand`, by SKU, then
//! by term: `priceDimensions`, each with `unit`, `beginRange` and `pricePerUnit` by currency). It may hold hundreds of
//! megabytes, of which a few kilobytes matter: nothing but the wanted parts is kept while it is read.
//!
//! **Invariant:** a product that no rule names, a unit that its rule does not expect, a price in tiers, a zero and two
//! different prices for one thing give no price. They are counted, or told by name.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::CatalogError;
use super::offer_rules::{Attributes, Rule, rules};
use super::price::{AsOf, Confidence, KnownPrice, LayerKind, PriceKey, amount};
use rgctl_schema::money::{Currency, Money};

/// Reasons kept by name; more of them are only counted, so that a changed file cannot fill the memory.
const REASONS_MAX: usize = 100;

/// What a file is expected to be.
#[derive(Clone, Debug)]
pub struct OfferAsk<'a> {
    /// The code of the offer.
    pub offer: &'a str,
    /// The region.
    pub region: &'a str,
    /// The currency of the region's bills; prices in another one are not taken.
    pub currency: Currency,
    /// The day on which the file was fetched, which is when the provider last showed its prices.
    pub seen: AsOf,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferPrices {
    /// Its version, in the provider's words.
    pub version: String,
    /// When it was published, in the provider's words.
    pub published: String,
    /// The prices.
    pub prices: BTreeMap<PriceKey<'static>, KnownPrice>,
    /// How many products it has.
    pub products: usize,
    /// Why prices that a rule names were not taken; at most a hundred, in the order of the file.
    pub left_out: Vec<String>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The embedded rules cannot be read.
    #[error("the rules for price lists cannot be read")]
    Rules(#[from] CatalogError),
    /// It is not JSON, or not of the expected shape; a file cut short is one of these.
    #[error("the price list cannot be read: {0}")]
    Unreadable(String),
    /// It is a price list of something else.
    #[error("the price list is of {found}, not of {expected}")]
    OtherOffer {
        /// The code found.
        found: String,
        /// The code asked for.
        expected: String,
    },
    /// It holds not one price that the rules name: its form has changed, or it is of another region.
    #[error(
        "the price list of {offer} in {region} holds none of the prices looked for among {products} products"
    )]
    NoPrices {
        /// The code of the offer.
        offer: String,
        /// The region.
        region: String,
        /// How many products it has.
        products: usize,
    },
}

/// Reads an offer file. The caller checks that nothing follows it.
pub fn read_offer<'de, D: Deserializer<'de>>(
    deserializer: D,
    ask: &OfferAsk<'_>,
) -> Result<OfferPrices, OfferError> {
    let rules: Vec<&Rule> = rules()?.iter().filter(|rule| rule.offer == ask.offer).collect();
    let reading = Reading { ask, rules: &rules };
    let read =
        deserializer.deserialize_map(reading).map_err(|error| OfferError::Unreadable(error.to_string()))?;
    if read.offer != ask.offer {
        return Err(OfferError::OtherOffer { found: read.offer, expected: ask.offer.to_owned() });
    }
    let offer = read.into_prices(ask, &rules);
    if offer.prices.is_empty() {
        let (offer_code, region) = (ask.offer.to_owned(), ask.region.to_owned());
        return Err(OfferError::NoPrices { offer: offer_code, region, products: offer.products });
    }
    Ok(offer)
}

/// The parts of a product that rules look at.
#[derive(Deserialize, Default)]
struct Product {
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    price_dimensions: BTreeMap<String, Dimension>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    unit: String,
    price_per_unit: BTreeMap<String, String>,
}

/// The keys that a SKU prices: one for each rule that names it, with the rule's place.
type Wanted = BTreeMap<String, Vec<(usize, PriceKey<'static>)>>;

#[derive(Default)]
struct Read {
    offer: String,
    version: String,
    published: String,
    products: usize,
    wanted: Option<Wanted>,
    terms: BTreeMap<String, Vec<Term>>,
}

impl Read {
    fn into_prices(self, ask: &OfferAsk<'_>, rules: &[&Rule]) -> OfferPrices {
        let source = format!("price list {} {}", self.offer, self.version);
        let mut prices = BTreeMap::<PriceKey<'static>, KnownPrice>::new();
        let mut conflicts = Vec::new();
        let mut left_out = Vec::new();
        let mut leave_out = |reason: String| {
            if left_out.len() < REASONS_MAX {
                left_out.push(reason);
            }
        };
        for (sku, keys) in self.wanted.unwrap_or_default() {
            let terms = self.terms.get(&sku).map_or(&[][..], Vec::as_slice);
            for (place, key) in keys {
                let Some(rule) = rules.get(place) else { continue };
                let money = match price_of(terms, rule, ask.currency) {
                    Ok(money) => money,
                    Err(reason) => {
                        leave_out(format!("{key} (SKU {sku}): {reason}"));
                        continue;
                    }
                };
                if prices.get(&key).is_some_and(|known| known.money != money) {
                    conflicts.push(key.clone());
                    leave_out(format!("{key} (SKU {sku}): the list has two different prices"));
                }
                let (unit, as_of, confidence) = (rule.unit, ask.seen.clone(), Confidence::A);
                let (layer, note) = (LayerKind::Refreshed, String::new());
                let price =
                    KnownPrice { money, unit, layer, source: source.clone(), as_of, confidence, note };
                prices.insert(key, price);
            }
        }
        for key in &conflicts {
            prices.remove(key);
        }
        OfferPrices {
            version: self.version,
            published: self.published,
            prices,
            products: self.products,
            left_out,
        }
    }
}

/// The one price that the terms of a SKU state.
fn price_of(terms: &[Term], rule: &Rule, currency: Currency) -> Result<Money, String> {
    let mut found: Option<Decimal> = None;
    for dimension in terms.iter().flat_map(|term| term.price_dimensions.values()) {
        if !rule.list_units.contains(&dimension.unit) {
            return Err(format!("its unit `{}` is not {}", dimension.unit, rule.list_units.join(" or ")));
        }
        let Some(text) = dimension.price_per_unit.get(currency.code()) else {
            return Err(format!("it has no price in {currency}"));
        };
        let amount = amount(text)?;
        if found.is_some_and(|other| other != amount) {
            return Err("its price depends on the quantity".to_owned());
        }
        found = Some(amount);
    }
    match found {
        None => Err("it has no terms on demand".to_owned()),
        Some(amount) if amount.is_zero() => {
            Err("its price is zero, which may be a preview or a free tier".to_owned())
        }
        Some(amount) => {
            let amount = amount.checked_mul(rule.per).ok_or("its price is out of range")?;
            Ok(Money::new(amount.normalize(), currency))
        }
    }
}

/// Reads the outermost object.
struct Reading<'r> {
    ask: &'r OfferAsk<'r>,
    rules: &'r [&'r Rule],
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Read;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price list")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let mut read = Read::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "offerCode" => read.offer = map.next_value()?,
                "version" => read.version = map.next_value()?,
                "publicationDate" => read.published = map.next_value()?,
                "products" => {
                    let (products, wanted) = map.next_value_seed(Products { reading: &self })?;
                    read.products = products;
                    read.wanted = Some(wanted);
                }
                "terms" => map.next_value_seed(Terms { read: &mut read })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(read)
    }
}

/// Reads `products`; keeps the keys of those that rules name, and counts all.
struct Products<'r> {
    reading: &'r Reading<'r>,
}

impl<'de> DeserializeSeed<'de> for Products<'_> {
    type Value = (usize, Wanted);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Products<'_> {
    type Value = (usize, Wanted);
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("products by SKU")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut count, mut wanted) = (0, Wanted::new());
        while let Some((sku, product)) = map.next_entry::<String, Product>()? {
            count += 1;
            let rules = self.reading.rules.iter().enumerate();
            let keys: Vec<_> = rules
                .filter_map(|(place, rule)| {
                    Some((place, rule.key(&product.attributes, self.reading.ask.region)?))
                })
                .collect();
            if !keys.is_empty() {
                wanted.insert(sku, keys);
            }
        }
        Ok((count, wanted))
    }
}

/// Reads `terms`: those on demand, of the wanted SKUs (of all, should the products come later).
struct Terms<'r> {
    read: &'r mut Read,
}

impl<'de> DeserializeSeed<'de> for Terms<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Terms<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("terms by kind")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(kind) = map.next_key::<String>()? {
            if kind == "OnDemand" {
                map.next_value_seed(OnDemand { read: self.read })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct OnDemand<'r> {
    read: &'r mut Read,
}

impl<'de> DeserializeSeed<'de> for OnDemand<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OnDemand<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("terms by SKU")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(sku) = map.next_key::<String>()? {
            let is_wanted = self.read.wanted.as_ref().is_none_or(|wanted| wanted.contains_key(&sku));
            if is_wanted {
                let terms: BTreeMap<String, Term> = map.next_value()?;
                self.read.terms.insert(sku, terms.into_values().collect());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn product(usage: &str, more: &Value) -> Value {
        let mut attributes =
            json!({ "usagetype": usage, "locationType": "AWS Region", "regionCode": "cn-north-1" });
        for (name, value) in more.as_object().expect("attributes") {
            attributes[name] = value.clone();
        }
        json!({ "productFamily": "Any", "attributes": attributes })
    }
    fn term(unit: &str, currency: &str, prices: &[&str]) -> Value {
        let dimensions: serde_json::Map<String, Value> = prices
            .iter()
            .enumerate()
            .map(|(at, price)| {
                let begin = (at * 100).to_string();
                let dimension =
                    json!({ "unit": unit, "beginRange": begin, "pricePerUnit": { currency: price } });
                (format!("D{at}"), dimension)
            })
            .collect();
        json!({ "T": { "offerTermCode": "T", "priceDimensions": dimensions, "termAttributes": {} } })
    }
    fn offer(products: &Value, terms: &Value) -> Value {
        json!({
            "formatVersion": "v1.0", "disclaimer": "…", "offerCode": "AmazonRDS", "version": "20261120",
            "publicationDate": "2026-11-20T18:00:00Z", "products": products,
            "terms": { "OnDemand": terms, "Reserved": { "A": { "T": { "anything": [1, 2] } } } },
            "attributesList": {}
        })
    }
    fn read(document: &Value) -> Result<OfferPrices, OfferError> {
        let seen = AsOf::parse("2026-11-21").expect("a day");
        let ask = OfferAsk { offer: "AmazonRDS", region: "cn-north-1", currency: Currency::Cny, seen };
        read_offer(document, &ask)
    }
    fn mysql() -> Value {
        json!({ "instanceType": "db.r6g.large", "databaseEngine": "Aurora MySQL" })
    }

    #[test]
    fn prices_are_taken_in_our_units_and_in_the_currency_of_the_region() {
        let products = json!({
            "A": product("CNN1-InstanceUsage:db.r6g.large", &mysql()),
            "B": product("CNN1-InstanceUsageIOOptimized:db.r6g.large", &mysql()),
            "C": product("CNN1-Aurora:StorageIOUsage", &json!({ "databaseEngine": "Any" })),
            "D": product("CNN1-InstanceUsage:db.m5.large", &json!({ "instanceType": "db.m5.large", "databaseEngine": "MySQL" })),
        });
        let terms = json!({
            "A": term("Hrs", "CNY", &["1.7500000000"]), "B": term("Hrs", "CNY", &["2.2750000000"]),
            "C": term("IOs", "CNY", &["0.0000013300"]), "D": term("Hrs", "CNY", &["1.0"]),
        });
        let offer = read(&offer(&products, &terms)).expect("a good offer");
        let told: Vec<String> =
            offer.prices.iter().map(|(key, price)| format!("{key}: {}", price.money.amount)).collect();
        assert_eq!(
            told,
            [
                "aurora db.r6g.large (aurora-mysql, io-optimized) per hour in cn-north-1: 2.275",
                "aurora db.r6g.large (aurora-mysql, standard) per hour in cn-north-1: 1.75",
                "aurora io-requests (aurora-mysql, standard) per million-requests in cn-north-1: 1.33",
                "aurora io-requests (aurora-postgresql, standard) per million-requests in cn-north-1: 1.33",
            ]
        );
        assert!(offer.prices.values().all(|price| price.money.currency == Currency::Cny));
        assert_eq!((offer.products, offer.left_out.len()), (4, 0));
    }

    #[test]
    fn what_is_doubtful_gives_no_price_and_is_told() {
        let good = || term("IOs", "CNY", &["0.0000013300"]);
        let cases = [
            ("tiers", term("Hrs", "CNY", &["1.0", "0.5"]), "depends on the quantity"),
            ("zero", term("Hrs", "CNY", &["0.0000000000"]), "zero"),
            ("another currency", term("Hrs", "USD", &["1.0"]), "no price in CNY"),
            ("another unit", term("Quantity", "CNY", &["1.0"]), "its unit `Quantity`"),
            ("no number", term("Hrs", "CNY", &["free"]), "not an amount"),
            ("negative", term("Hrs", "CNY", &["-1"]), "negative"),
        ];
        let products = json!({
            "A": product("CNN1-InstanceUsage:db.r6g.large", &mysql()),
            "C": product("CNN1-Aurora:StorageIOUsage", &json!({ "databaseEngine": "Aurora MySQL" })),
        });
        for (name, terms, reason) in cases {
            let offer = read(&offer(&products, &json!({ "A": terms, "C": good() }))).expect(name);
            assert_eq!(offer.prices.len(), 1, "{name}");
            assert!(offer.left_out[0].contains(reason), "{name}: {:?}", offer.left_out);
        }
        let twice = json!({
            "A": product("CNN1-InstanceUsage:db.r6g.large", &mysql()), "B": product("InstanceUsage:db.r6g.large", &mysql()),
            "C": product("CNN1-Aurora:StorageIOUsage", &json!({ "databaseEngine": "Aurora MySQL" })),
        });
        let terms = json!({ "A": term("Hrs", "CNY", &["1"]), "B": term("Hrs", "CNY", &["2"]), "C": good() });
        let offer = read(&offer(&twice, &terms)).expect("the third price is good");
        assert_eq!((offer.prices.len(), offer.left_out.len()), (1, 1), "{:?}", offer.left_out);
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let mut other = offer(&json!({}), &json!({}));
        assert!(matches!(read(&other), Err(OfferError::NoPrices { .. })));
        other["offerCode"] = json!("AmazonEC2");
        assert!(matches!(read(&other), Err(OfferError::OtherOffer { .. })));
        assert!(matches!(read(&json!([1, 2])), Err(OfferError::Unreadable(_))));
        assert!(matches!(read(&json!({ "products": 5 })), Err(OfferError::Unreadable(_))));
    }
}
