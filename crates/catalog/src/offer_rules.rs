//! The rules that say which product of the provider's price list is which price of ours.
//!
//! Goes in: the embedded table of rules, the attributes of a product. Comes out: the key of a price, if a rule names it.

use std::sync::LazyLock;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::CatalogError;
use super::price::{PriceKey, Unit};
use super::table::read_table;

const RULES: &str = include_str!("data/offer_rules.csv");

/// Says which products of an offer are which price.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) offer: String,
    /// The usage type without the region's prefix; `*` at its end stands for anything.
    usage: String,
    /// An attribute that must have one of `values`; empty where none must.
    attribute: String,
    values: Vec<String>,
    service: String,
    /// The name of the thing; `{instanceType}` stands for that attribute.
    sku: String,
    engine: String,
    config: String,
    pub(super) list_units: Vec<String>,
    pub(super) unit: Unit,
    /// How many units of the list one of ours is.
    pub(super) per: Decimal,
}

static RULE_TABLE: LazyLock<Result<Vec<Rule>, CatalogError>> = LazyLock::new(|| {
    let columns = [
        "offer",
        "usage",
        "attribute",
        "value",
        "service",
        "sku",
        "engine",
        "config",
        "list_units",
        "unit",
        "per",
    ];
    let mut rules = Vec::new();
    let words = |text: &str| text.split('|').map(str::to_owned).collect();
    read_table("offer_rules", RULES, &columns, |row| {
        rules.push(Rule {
            offer: row.owned(0),
            usage: row.owned(1),
            attribute: row.owned(2),
            values: words(row.text(3)),
            service: row.owned(4),
            sku: row.owned(5),
            engine: row.owned(6),
            config: row.owned(7),
            list_units: words(row.text(8)),
            unit: Unit::parse(row.text(9)).ok_or_else(|| format!("unknown unit `{}`", row.text(9)))?,
            per: row.number(10)?.ok_or("`per` must be given")?,
        });
        Ok(())
    })?;
    Ok(rules)
});

pub(super) fn rules() -> Result<&'static [Rule], CatalogError> {
    RULE_TABLE.as_deref().map_err(Clone::clone)
}

/// The codes of the offers that hold prices of our services, each once, in the order of the table.
pub fn offer_codes() -> Result<Vec<&'static str>, CatalogError> {
    let mut codes: Vec<&'static str> = rules()?.iter().map(|rule| rule.offer.as_str()).collect();
    codes.dedup();
    Ok(codes)
}

/// The service, by its name in the catalog, whose prices an offer holds.
pub fn service_of_offer(offer: &str) -> Option<&'static str> {
    rules().ok()?.iter().find(|rule| rule.offer == offer).map(|rule| rule.service.as_str())
}

/// The attributes of a product that rules look at.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Attributes {
    usagetype: String,
    instance_type: String,
    database_engine: String,
    cache_engine: String,
    region_code: String,
    location_type: String,
}

impl Attributes {
    fn named(&self, name: &str) -> &str {
        match name {
            "databaseEngine" => &self.database_engine,
            "cacheEngine" => &self.cache_engine,
            _ => "",
        }
    }
}

/// A usage type without the prefix of its region, such as `APN1-`; the region us-east-1 often has none.
fn without_region(usage: &str) -> &str {
    match usage.split_once('-') {
        Some((prefix, rest))
            if (2..=5).contains(&prefix.len())
                && prefix.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
                && prefix.bytes().next().is_some_and(|b| b.is_ascii_uppercase()) =>
        {
            rest
        }
        _ => usage,
    }
}

impl Rule {
    /// The key of a product, if the rule names it.
    pub(super) fn key(&self, attributes: &Attributes, region: &str) -> Option<PriceKey<'static>> {
        let is_used = |usage: &str| match self.usage.strip_suffix('*') {
            Some(start) => usage.len() > start.len() && usage.starts_with(start),
            None => usage == self.usage,
        };
        // A usage type may itself begin like a prefix ("IO-Optimized…"), so both readings are tried.
        let usage = attributes.usagetype.as_str();
        if !is_used(usage) && !is_used(without_region(usage)) {
            return None;
        }
        let is_right = self.attribute.is_empty()
            || self.values.iter().any(|value| value == attributes.named(&self.attribute));
        let is_here = attributes.region_code.is_empty() || attributes.region_code == region;
        let is_region = attributes.location_type.is_empty() || attributes.location_type == "AWS Region";
        if !is_right || !is_here || !is_region {
            return None;
        }
        let needs_class = self.sku.contains("{instanceType}");
        if needs_class && !attributes.instance_type.contains('.') {
            return None;
        }
        let sku = self.sku.replace("{instanceType}", &attributes.instance_type);
        let region = region.to_owned();
        Some(PriceKey::new(
            self.service.clone(),
            sku,
            self.engine.clone(),
            self.config.clone(),
            region,
            self.unit,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_prefix_of_a_region_is_cut_from_a_usage_type() {
        assert_eq!(without_region("APN1-InstanceUsage:db.r5.large"), "InstanceUsage:db.r5.large");
        assert_eq!(without_region("EU-Aurora:StorageUsage"), "Aurora:StorageUsage");
        assert_eq!(without_region("Aurora:IO-OptimizedStorageUsage"), "Aurora:IO-OptimizedStorageUsage");
        assert_eq!(without_region("Multi-AZUsage:db.r5.large"), "Multi-AZUsage:db.r5.large");
        assert_eq!(service_of_offer("AmazonRDS"), Some("aurora"));
        assert_eq!(offer_codes().map(|codes| codes.len()), Ok(4));
    }
}
