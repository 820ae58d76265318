//! Bills: quantities times prices.
//!
//! Goes in: lines of a bill, without prices. Comes out: a total that names what has no price, and the prices used.

use rust_decimal::Decimal;

use super::Catalog;
use super::book::DatesInUse;
use super::price::{ANY, KnownPrice, Price, PriceKey, Unit};
use rgctl_model::bill::{BillLine, CostRange, StoreBill};
use rgctl_schema::money::{Money, Total};
use rgctl_schema::names::RegionId;

/// Digits after the point that a quantity keeps: enough for one request of a million.
const QUANTITY_DIGITS: u32 = 6;

/// A bill with its prices.
#[derive(Clone, Debug, Default)]
pub struct PricedBill<'c> {
    /// The sum, by currency, and what has no price.
    pub total: Total,
    /// The amount of each line, in the order of the lines; none where the price is unknown.
    pub amounts: Vec<Option<Money>>,
    /// The prices used, for their dates and sources.
    pub prices: Vec<&'c KnownPrice>,
}

impl PricedBill<'_> {
    /// The dates of the prices used.
    pub fn dates(&self) -> DatesInUse {
        DatesInUse::of(self.prices.iter().copied())
    }
}

/// Prices the lines of one region. A line of quantity zero costs nothing, whatever its price.
pub fn price_bill<'c>(catalog: &'c Catalog, region: &RegionId, lines: &[BillLine]) -> PricedBill<'c> {
    let mut bill = PricedBill::default();
    for line in lines {
        let price = catalog.line_price(region, line).known();
        let quantity =
            Decimal::from_f64_retain(line.quantity).map(|quantity| quantity.round_dp(QUANTITY_DIGITS));
        let amount = match (price, quantity) {
            (_, Some(quantity)) if quantity.is_zero() => price.map(|price| price.money.times(quantity)),
            (Some(price), Some(quantity)) => {
                let amount = price.money.times(quantity);
                bill.total.add(amount);
                bill.prices.push(price);
                Some(amount)
            }
            // A quantity that is no number is as good as no price: the total must not look whole.
            (_, None) | (None, Some(_)) => {
                bill.total.add_unpriced(format!("{} in {region}", name(line)));
                None
            }
        };
        bill.amounts.push(amount);
    }
    bill
}

/// Prices the bill of a store at its bounds.
pub fn price_range(catalog: &Catalog, bill: &StoreBill) -> CostRange {
    let total = |lines: &[BillLine]| price_bill(catalog, &bill.region, lines).total;
    CostRange { floor: total(&bill.floor), expected: total(&bill.expected), ceiling: total(&bill.ceiling) }
}

/// Such as `aurora storage (aurora-mysql, standard)`.
fn name(line: &BillLine) -> String {
    let words: Vec<&str> =
        [line.engine.as_str(), line.config.as_str()].into_iter().filter(|w| is_word(w)).collect();
    let words = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
    format!("{} {}{words}", line.service, line.sku)
}

/// Whether a word of a key says something.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text != ANY
}

impl Catalog {
    /// The price of a line of a bill: the one of its engine and configuration, else one that is stated not to depend on
    /// the configuration, or on neither.
    pub fn line_price(&self, region: &RegionId, line: &BillLine) -> Price<'_> {
        let Some(unit) = Unit::parse(&line.unit) else { return Price::Unknown };
        self.nearest_price(&line.service, &line.sku, &line.engine, &line.config, region, unit)
    }

    /// The price of exactly this engine and configuration, else one that is stated not to depend on the configuration,
    /// or on the engine, or on neither. An empty word is as good as [`ANY`].
    pub fn nearest_price(
        &self,
        service: &str,
        sku: &str,
        engine: &str,
        config: &str,
        region: &RegionId,
        unit: Unit,
    ) -> Price<'_> {
        let word = |text| if is_word(text) { text } else { ANY };
        let (engine, config) = (word(engine), word(config));
        let tries = [(engine, config), (engine, ANY), (ANY, config), (ANY, ANY)];
        let price = |(engine, config)| {
            self.price(&PriceKey::new(service, sku, engine, config, region.as_str(), unit))
        };
        tries.into_iter().map(price).find(|price| *price != Price::Unknown).unwrap_or(Price::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, config: &str, unit: &str, quantity: f64) -> BillLine {
        let text = str::to_owned;
        let (service, engine) = (text("aurora"), text("aurora-mysql"));
        BillLine { service, sku: text(sku), engine, config: text(config), unit: text(unit), quantity }
    }

    #[test]
    fn a_bill_with_an_unknown_price_is_a_lower_bound_and_names_it() {
        let catalog = Catalog::embedded().expect("the embedded tables are well-formed");
        let china = RegionId::new("cn-north-1").expect("the code of a region");
        let lines = [
            line("db.r6g.large", "standard", "hour", 1460.0),
            line("storage", "standard", "GB-month", 100.0),
            line("backup-storage", "standard", "GB-month", 10.0),
            line("storage", "io-optimized", "GB-month", 0.0),
        ];
        let bill = price_bill(&catalog, &china, &lines);
        assert_eq!(bill.total.to_string(), "at least 68.80 CNY");
        assert_eq!(bill.total.unpriced, ["aurora db.r6g.large (aurora-mysql, standard) in cn-north-1"]);
        assert_eq!(bill.amounts.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, false]);
        assert_eq!(bill.prices.len(), 2);
    }
}
