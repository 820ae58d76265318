//! The user's own prices: a document of kind `PriceBook`, laid over everything else.
//!
//! Goes in: a typed document (its text is read elsewhere). Comes out: a layer, or everything that is wrong with it.
//!
//! ```yaml
//! apiVersion: rgctl.dev/v1alpha1
//! kind: PriceBook
//! metadata: { name: contract-2026 }
//! spec:
//!   prices:
//!     - service: aurora             # as `rgctl catalog classes` names it
//!       sku: db.r6g.large
//!       engine: aurora-mysql        # "-" or absent where it does not matter
//!       config: standard            # likewise
//!       region: cn-north-1
//!       unit: hour
//!       currency: CNY
//!       price: 1.75
//!       source: contract 4711, annex B
//!       date: 2026-07-01
//! ```
//!
//! **Invariant:** every price has a source and a day. An unknown field, an unknown unit, a negative price, a second
//! price for the same thing, or a currency in which the region is not billed is refused.

use std::fmt;

use rust_decimal::Decimal;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::book::PriceLayer;
use super::price::{ANY, AsOf, Confidence, KnownPrice, LayerKind, PriceKey, Unit, amount};
use rgctl_schema::money::{Currency, Money};
use rgctl_schema::names::RegionId;

/// The version of the document format.
pub const API_VERSION: &str = "rgctl.dev/v1alpha1";
/// The kind of the document.
pub const KIND: &str = "PriceBook";

/// The document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PriceBookDocument {
    /// The version of the format: `rgctl.dev/v1alpha1`.
    pub api_version: String,
    /// The kind of the document: `PriceBook`.
    pub kind: String,
    /// The name of the book.
    pub metadata: PriceBookMetadata,
    /// The prices.
    pub spec: PriceBookSpec,
}

/// The name of a book.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceBookMetadata {
    /// The name, shown beside each price that comes from the book.
    pub name: String,
}

/// The contents of a book.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceBookSpec {
    /// The prices.
    pub prices: Vec<PriceEntry>,
}

/// One price, as the user writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceEntry {
    /// The service, by its name in the catalog.
    pub service: String,
    /// An instance class or a named unit.
    pub sku: String,
    /// The engine; [`ANY`] when absent.
    #[serde(default = "any")]
    pub engine: String,
    /// The configuration or tier; [`ANY`] when absent.
    #[serde(default = "any")]
    pub config: String,
    /// The region's code.
    pub region: String,
    /// What the price is paid for, such as `hour`.
    pub unit: String,
    /// `USD` or `CNY`.
    pub currency: String,
    /// The amount; a number or a text.
    pub price: Amount,
    /// Where the price stands, in the user's words.
    pub source: String,
    /// The day from which it holds: `2026-07-01`.
    pub date: String,
    /// A remark.
    #[serde(default)]
    pub note: String,
}

fn any() -> String {
    ANY.to_owned()
}

/// An amount that may be written as a number or as a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount(Result<Decimal, String>);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;
        impl Visitor<'_> for AmountVisitor {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount such as 1.75")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount(amount(text)))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
                // The shortest text that reads back as this number is what the user wrote, up to 15 digits.
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(AmountVisitor)
    }
}

/// What is wrong with one entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.prices[{index}].{field}: {problem}")]
pub struct EntryProblem {
    /// The place of the entry, from 0.
    pub index: usize,
    /// The field.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// Why a user's price book is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// It is another document.
    #[error("expected apiVersion {API_VERSION} and kind {KIND}, found {api_version} and {kind}")]
    NotAPriceBook {
        /// The version found.
        api_version: String,
        /// The kind found.
        kind: String,
    },
    /// Entries cannot be used; all of them are listed.
    #[error("the price book {name} has {} problems: {}", problems.len(), list(problems))]
    Entries {
        /// The name of the book.
        name: String,
        /// The problems, in the order of the entries.
        problems: Vec<EntryProblem>,
    },
}

fn list(problems: &[EntryProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl PriceBookDocument {
    /// The layer of the document. `currency_of` tells in which currency a region is billed, if that is known.
    pub fn into_layer(
        self,
        currency_of: impl Fn(&str) -> Option<Currency>,
    ) -> Result<PriceLayer, ContractError> {
        if self.api_version != API_VERSION || self.kind != KIND {
            return Err(ContractError::NotAPriceBook { api_version: self.api_version, kind: self.kind });
        }
        from_entries(&self.metadata.name, &self.spec.prices, currency_of)
    }
}

/// The layer of a list of entries. `currency_of` tells in which currency a region is billed, if that is known.
pub fn from_entries(
    name: &str,
    entries: &[PriceEntry],
    currency_of: impl Fn(&str) -> Option<Currency>,
) -> Result<PriceLayer, ContractError> {
    let mut layer = PriceLayer::new(LayerKind::Contract);
    let mut problems = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let found = problems.len();
        let mut refuse = |field, problem: String| problems.push(EntryProblem { index, field, problem });
        let price = read_entry(name, entry, &currency_of, &mut refuse);
        let Some((key, price)) = price.filter(|_| problems.len() == found) else { continue };
        let shown = key.to_string();
        if layer.prices.insert(key, price).is_some() {
            let problem = format!("there is an earlier price for {shown}");
            problems.push(EntryProblem { index, field: "sku", problem });
        }
    }
    if problems.is_empty() {
        Ok(layer)
    } else {
        Err(ContractError::Entries { name: name.to_owned(), problems })
    }
}

/// Reads one entry; everything wrong with it goes to `refuse`.
fn read_entry(
    book: &str,
    entry: &PriceEntry,
    currency_of: impl Fn(&str) -> Option<Currency>,
    refuse: &mut impl FnMut(&'static str, String),
) -> Option<(PriceKey<'static>, KnownPrice)> {
    for (field, text) in [("service", &entry.service), ("sku", &entry.sku), ("source", &entry.source)] {
        if text.trim().is_empty() {
            refuse(field, "must be given".to_owned());
        }
    }
    if let Err(problem) = RegionId::new(entry.region.as_str()) {
        refuse("region", format!("`{}` is not the code of a region: {problem}", entry.region));
    }
    let unit = Unit::parse(&entry.unit);
    if unit.is_none() {
        let units: Vec<&str> = Unit::ALL.iter().map(|unit| unit.text()).collect();
        refuse("unit", format!("`{}` is none of {}", entry.unit, units.join(", ")));
    }
    let currency = Currency::parse(&entry.currency);
    match (currency, currency_of(&entry.region)) {
        (None, _) => refuse("currency", format!("`{}` is neither USD nor CNY", entry.currency)),
        (Some(given), Some(billed)) if given != billed => {
            refuse("currency", format!("{} is billed in {billed}, and nothing is converted", entry.region));
        }
        (Some(_), _) => {}
    }
    let as_of = AsOf::parse(&entry.date).filter(|_| entry.date.len() == "2026-07-01".len());
    if as_of.is_none() {
        refuse("date", format!("`{}` is not a day such as 2026-07-01", entry.date));
    }
    if let Err(problem) = &entry.price.0 {
        refuse("price", problem.clone());
    }
    let unit = unit?;
    let money = Money::new(entry.price.0.clone().ok()?, currency?);
    let key = PriceKey::new(
        entry.service.clone(),
        entry.sku.clone(),
        entry.engine.clone(),
        entry.config.clone(),
        entry.region.clone(),
        unit,
    );
    let source = format!("{book}: {}", entry.source);
    let known = KnownPrice {
        money,
        unit,
        layer: LayerKind::Contract,
        source,
        as_of: as_of?,
        confidence: Confidence::A,
        note: entry.note.clone(),
    };
    Some((key, known))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry() -> Value {
        json!({
            "service": "aurora", "sku": "db.r6g.large", "engine": "aurora-mysql", "config": "standard",
            "region": "cn-north-1", "unit": "hour", "currency": "CNY", "price": 1.75,
            "source": "contract 4711", "date": "2026-07-01"
        })
    }
    fn document(entries: &[Value]) -> Value {
        json!({ "apiVersion": API_VERSION, "kind": KIND, "metadata": { "name": "mine" }, "spec": { "prices": entries } })
    }
    fn read(document: Value) -> Result<PriceLayer, ContractError> {
        let document: PriceBookDocument = serde_json::from_value(document).expect("the right fields");
        document.into_layer(|region| region.starts_with("cn-").then_some(Currency::Cny))
    }

    #[test]
    fn a_price_keeps_its_source_and_date() {
        let layer = read(document(&[entry()])).expect("a good book");
        let price = layer.prices.values().next().expect("one price");
        assert_eq!(price.money.to_string(), "1.75 CNY");
        assert_eq!((price.source.as_str(), price.as_of.text()), ("mine: contract 4711", "2026-07-01"));
    }

    #[test]
    fn source_and_date_are_mandatory_and_other_fields_are_refused() {
        for field in ["source", "date", "currency", "unit", "price"] {
            let mut without = entry();
            without.as_object_mut().expect("an object").remove(field);
            let read = serde_json::from_value::<PriceBookDocument>(document(&[without]));
            assert!(read.is_err_and(|error| error.to_string().contains(field)), "{field}");
        }
        let mut more = entry();
        more["discount"] = json!("30%");
        let read = serde_json::from_value::<PriceBookDocument>(document(&[more]));
        assert!(read.is_err_and(|error| error.to_string().contains("discount")));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut bad = entry();
        for (field, value) in [
            ("price", json!(-1)),
            ("currency", json!("USD")),
            ("unit", json!("Hrs")),
            ("date", json!("2026-07")),
        ] {
            bad[field] = value;
        }
        bad["source"] = json!(" ");
        let Err(ContractError::Entries { problems, .. }) = read(document(&[entry(), bad, entry()])) else {
            panic!("it must be refused")
        };
        let told: Vec<(usize, &str)> =
            problems.iter().map(|problem| (problem.index, problem.field)).collect();
        assert_eq!(
            told,
            [(1, "source"), (1, "unit"), (1, "currency"), (1, "date"), (1, "price"), (2, "sku")]
        );
    }
}
