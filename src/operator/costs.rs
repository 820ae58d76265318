//! What blueprints cost, as it is told: in a status, and as numbers.
//!
//! Goes in: bills as they are wanted, with their prices. Comes out: texts and sums.
//!
//! **Invariant:** it is rounded to cents, so that it changes only when somebody would see it change.

use std::collections::BTreeMap;

use rgctl_engine::planning::Figures;
use rgctl_kube::kinds::document::Cost;
use rgctl_model::node::Desired;
use rgctl_schema::money::{Currency, Total};
use rgctl_schema::names::RegionId;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Hours of a month, as the price lists reckon.
const HOURS: i64 = 730;

/// What is wanted costs so much a month, by region.
pub fn by_region(desired: &Desired, figures: &dyn Figures) -> BTreeMap<RegionId, Total> {
    let mut all: BTreeMap<RegionId, Total> = BTreeMap::new();
    for bill in &desired.bills {
        all.entry(bill.region.clone()).or_default().merge(&figures.range(bill).expected);
    }
    all
}

/// All of it.
pub fn sum<'a>(of: impl IntoIterator<Item = &'a Total>) -> Total {
    let mut sum = Total::default();
    for one in of {
        sum.merge(one);
    }
    sum
}

/// A month's cost as it is told.
pub fn cost(month: &Total) -> Cost {
    Cost { per_hour: hourly(month).to_string(), per_month: month.to_string() }
}

/// An hour of it.
fn hourly(month: &Total) -> Total {
    let known = month.known.iter().map(|(currency, amount)| (*currency, *amount / Decimal::from(HOURS)));
    Total { known: known.collect(), unpriced: month.unpriced.clone() }
}

/// An hour as numbers, by currency: what has no price is not in it.
pub fn numbers(month: &Total) -> impl Iterator<Item = (Currency, f64)> {
    hourly(month).known.into_iter().map(|(currency, amount)| (currency, amount.to_f64().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use rgctl_schema::money::Money;

    use super::*;

    #[test]
    fn a_month_has_730_hours_and_what_has_no_price_is_said() {
        let mut month = Total::default();
        month.add(Money::new(Decimal::new(73_000, 2), Currency::Usd));
        let told = cost(&month);
        assert_eq!((told.per_hour.as_str(), told.per_month.as_str()), ("1.00 USD", "730.00 USD"));
        assert_eq!(numbers(&month).collect::<Vec<_>>(), [(Currency::Usd, 1.0)]);
        // A tenth of a cent more an hour is told nobody.
        let mut more = month.clone();
        more.add(Money::new(Decimal::new(1, 3), Currency::Usd));
        assert_eq!(cost(&more), told);
        month.add_unpriced("storage");
        assert_eq!(cost(&month).per_hour, "at least 1.00 USD");
        assert_eq!(cost(&Total::default()).per_hour, "0.00");
    }
}
