//! The size of an axis whose every change interrupts service.
//!
//! An outage of some minutes is missed in full, soft and hard. The objective grants few of them: the hard gate of 0.05 %
//! earns four minutes in five and a half days. So the size is not one for the hour. It is one that need not be changed.
//!
//! Goes in: what the last four weeks asked for and what the account of missed minutes holds. Comes out: the size to order.
//!
//! **Invariant:** service is never interrupted to save money unless the account also pays for the way back.

use super::optimum::units_needed;

/// Multiple of the highest demand of four weeks to which the axis is sized: the next record must not need a resize.
const SIZE_TO: f64 = 2.0;
/// Multiple of that highest from which the axis is too large.
const LOOSE: f64 = 3.0;

/// What is known when the size is chosen.
#[derive(Clone, Copy, Debug)]
pub struct SizingInput {
    /// Highest demand of the last four weeks, units.
    pub highest: f64,
    /// The newest demand, units.
    pub newest: f64,
    /// Whether too little was seen to know a usual highest.
    pub young: bool,
    /// Hard minutes that may still be missed.
    pub bank: f64,
    /// Minutes without service for each change.
    pub outage: f64,
    /// Utilisation above which a minute is missed.
    pub rho: f64,
    /// Least and largest size.
    pub bounds: (u32, u32),
}

impl SizingInput {
    fn units(&self, times: f64) -> u32 {
        units_needed(times * self.highest, self.rho).clamp(self.bounds.0, self.bounds.1)
    }

    /// The size with which to go live, where every size is equally near.
    ///
    /// A young series begins at the bound: its first jump would need a resize, and its account holds none.
    pub fn first(&self) -> u32 {
        if self.young { self.bounds.1 } else { self.units(SIZE_TO) }
    }

    /// The size to order when `ordered` stands.
    pub fn size(&self, ordered: u32) -> u32 {
        if ordered < self.units(1.0) {
            // Without an account for the outage the resize waits until staying costs as many minutes as going.
            let overloaded = self.newest > f64::from(ordered);
            return if self.bank >= self.outage || overloaded { self.units(SIZE_TO) } else { ordered };
        }
        let shrinks = !self.young && ordered > self.units(LOOSE) && self.bank >= 2.0 * self.outage;
        if shrinks { self.units(SIZE_TO) } else { ordered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> SizingInput {
        SizingInput {
            highest: 8.0,
            newest: 5.0,
            young: false,
            bank: 0.0,
            outage: 4.0,
            rho: 0.8,
            bounds: (1, 40),
        }
    }

    #[test]
    fn a_size_that_fits_is_left_alone() {
        let rich = SizingInput { bank: 100.0, ..known() };
        assert!((10..=30).all(|ordered| rich.size(ordered) == ordered));
        assert_eq!((rich.size(9), rich.size(31)), (20, 20));
    }

    #[test]
    fn giving_back_waits_until_the_account_pays_for_two_outages() {
        assert_eq!(SizingInput { bank: 7.9, ..known() }.size(40), 40);
        assert_eq!(SizingInput { bank: 8.0, ..known() }.size(40), 20);
        assert_eq!(SizingInput { bank: 8.0, young: true, ..known() }.size(40), 40);
    }

    #[test]
    fn growing_waits_for_one_outage_in_the_account_or_for_an_overload() {
        assert_eq!(SizingInput { bank: 3.9, ..known() }.size(9), 9);
        assert_eq!(SizingInput { bank: 4.0, ..known() }.size(9), 20);
        assert_eq!(SizingInput { newest: 9.1, ..known() }.size(9), 20);
    }

    #[test]
    fn a_young_series_goes_live_at_the_bound() {
        assert_eq!((known().first(), SizingInput { young: true, ..known() }.first()), (20, 40));
    }
}
