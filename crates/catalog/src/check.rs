//! Doubts about a price book: relations that held in everything read so far and that a price breaks.
//!
//! Goes in: a price book and the embedded table of relations. Comes out: findings for a person.
//!
//! **Invariant:** a relation is only ever a check. No price is computed from another one.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::book::PriceBook;
use super::price::{ANY, KnownPrice, LayerKind, PriceKey};
use super::table::read_table;
use super::{Catalog, CatalogError};

const RELATIONS: &str = include_str!("data/relations.csv");

/// A pair of engines or configurations whose prices keep a ratio.
#[derive(Clone, Debug)]
struct Relation {
    service: String,
    sku_prefix: String,
    upper: (String, String),
    lower: (String, String),
    ratio_min: Decimal,
    ratio_max: Decimal,
    why: String,
}

/// Something about a price that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceFinding {
    /// Two prices are not in the ratio that such prices are in.
    Ratio {
        /// The price in doubt.
        price: String,
        /// The price that it was compared with.
        against: String,
        /// The ratio found.
        ratio: Decimal,
        /// What usually holds.
        usually: String,
    },
    /// A contract price is for something that no other layer and no table has heard of: often a misspelt name.
    NobodyKnows {
        /// The key of the price.
        price: String,
    },
    /// A price is in another currency than the bills of its region.
    Currency {
        /// The key of the price.
        price: String,
        /// The currency of the region.
        expected: String,
    },
}

impl fmt::Display for PriceFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio { price, against, ratio, usually } => {
                write!(f, "{price} is {} times {against}; usually {usually}", ratio.round_dp(2))
            }
            Self::NobodyKnows { price } => {
                write!(
                    f,
                    "{price}: no other price is of this service, name, engine, unit and kind of configuration; is it spelt right?"
                )
            }
            Self::Currency { price, expected } => write!(f, "{price}: this region is billed in {expected}"),
        }
    }
}

/// Looks at every price of a catalog's book. The findings are in the order of the keys.
pub fn check(catalog: &Catalog) -> Result<Vec<PriceFinding>, CatalogError> {
    let relations = relations()?;
    let book = catalog.book();
    let mut findings = Vec::new();
    for (key, price) in book.prices() {
        findings.extend(relations.iter().filter_map(|relation| relation.check(book, key, price)));
        if let Some(currency) = catalog.currency_of(&key.region)
            && currency != price.money.currency
        {
            findings.push(PriceFinding::Currency { price: key.to_string(), expected: currency.to_string() });
        }
        if price.layer == LayerKind::Contract && !is_heard_of(catalog, key) {
            findings.push(PriceFinding::NobodyKnows { price: key.to_string() });
        }
    }
    Ok(findings)
}

/// Whether any other layer has the same thing in any region, with a configuration where this price has one and without
/// where it has none; or no layer has it and the table of classes does.
fn is_heard_of(catalog: &Catalog, key: &PriceKey<'_>) -> bool {
    let layers = catalog.book().layers().filter(|layer| layer.kind != LayerKind::Contract);
    let mut same = layers.flat_map(|layer| layer.prices.keys()).filter(|other| {
        other.service == key.service
            && other.sku == key.sku
            && other.engine == key.engine
            && other.unit == key.unit
    });
    match same.next() {
        Some(first) => {
            let is_alike = |other: &PriceKey<'_>| (other.config == ANY) == (key.config == ANY);
            is_alike(first) || same.any(is_alike)
        }
        None => catalog.class_names(&key.service, &key.engine).any(|name| name == key.sku),
    }
}

impl Relation {
    fn check(&self, book: &PriceBook, key: &PriceKey<'static>, price: &KnownPrice) -> Option<PriceFinding> {
        let (engine, config) = &self.upper;
        let concerns = key.service == self.service
            && key.engine == *engine
            && key.config == *config
            && key.sku.starts_with(&self.sku_prefix);
        if !concerns {
            return None;
        }
        let other = PriceKey {
            engine: self.lower.0.as_str().into(),
            config: self.lower.1.as_str().into(),
            ..key.clone()
        };
        let lower = book.price(&other).known()?;
        // Contract prices may be discounted on one side only; across layers nothing can be expected.
        if lower.layer != price.layer || lower.money.currency != price.money.currency {
            return None;
        }
        let ratio = price.money.amount.checked_div(lower.money.amount)?;
        let is_usual = self.ratio_min <= ratio && ratio <= self.ratio_max;
        (!is_usual).then(|| PriceFinding::Ratio {
            price: key.to_string(),
            against: other.to_string(),
            ratio,
            usually: self.why.clone(),
        })
    }
}

fn relations() -> Result<Vec<Relation>, CatalogError> {
    let columns = [
        "service",
        "sku_prefix",
        "upper_engine",
        "upper_config",
        "lower_engine",
        "lower_config",
        "ratio_min",
        "ratio_max",
        "why",
    ];
    let mut relations = Vec::new();
    read_table("relations", RELATIONS, &columns, |row| {
        relations.push(Relation {
            service: row.owned(0),
            sku_prefix: row.owned(1),
            upper: (row.owned(2), row.owned(3)),
            lower: (row.owned(4), row.owned(5)),
            ratio_min: row.number(6)?.ok_or("a ratio must be given")?,
            ratio_max: row.number(7)?.ok_or("a ratio must be given")?,
            why: row.owned(8),
        });
        Ok(())
    })?;
    Ok(relations)
}
