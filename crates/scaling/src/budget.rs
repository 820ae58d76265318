//! The account of missed minutes: how many the objective grants, how many were really missed, how many may be risked now.
//!
//! **Invariant:** the allowed rate never leaves its bounds, whatever was missed.

use super::constants::Constants;

/// Minutes in a day, as a number to divide by.
const DAY: f64 = 1440.0;

/// Minutes really lived and missed since the policy went live.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServiceMinutes {
    /// Minutes since going live.
    pub minutes: f64,
    /// Minutes above the target utilisation.
    pub soft: f64,
    /// Minutes above capacity.
    pub hard: f64,
}

/// Misses per minute that may be planned for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MissBudget {
    /// Soft misses per minute.
    pub soft: f64,
    /// Hard misses per minute.
    pub hard: f64,
    /// Hard minutes left in the bank; negative when in debt.
    pub hard_bank: f64,
    /// Soft minutes left in the bank; negative when in debt.
    pub soft_bank: f64,
}

impl ServiceMinutes {
    /// Books one minute.
    pub fn book(&mut self, demand: f64, serving: f64, rho: f64) {
        self.minutes += 1.0;
        self.soft += f64::from(u8::from(demand > rho * serving + 1e-9));
        self.hard += f64::from(u8::from(demand > serving + 1e-9));
    }

    /// What may be risked now, with a budget of `budget` soft minutes per minute.
    pub fn allowance(&self, budget: f64, c: &Constants) -> MissBudget {
        let soft_bank = budget * self.minutes - self.soft;
        let hard_bank = c.hard_share * budget * self.minutes - self.hard;
        let spread = c.horizon_days * DAY;
        let correction = |bank: f64, reserve: f64| match bank {
            b if b < 0.0 => b / spread,
            b if b > reserve => (b - reserve) / spread,
            _ => 0.0,
        };
        let rate = |share: f64, bank: f64, reserve: f64| {
            let aim = c.aim + c.aim_gain * (self.minutes / (30.0 * DAY)).min(1.0);
            let planned = share * budget * aim + correction(bank, reserve);
            planned.clamp(share * budget * c.rate_min, share * budget * c.rate_max)
        };
        MissBudget {
            soft: rate(1.0, soft_bank, c.reserve_soft),
            hard: rate(c.hard_share, hard_bank, c.reserve_hard),
            hard_bank,
            soft_bank,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debt_tightens_and_a_reserve_relaxes_within_bounds() {
        let c = Constants::FROZEN;
        let at = |soft| ServiceMinutes { minutes: 43_200.0, soft, hard: 0.0 }.allowance(0.001, &c);
        let planned = 0.001 * (c.aim + c.aim_gain);
        assert!((at(40.0).soft - planned).abs() < 1e-9, "a small reserve changes nothing");
        assert!(at(0.0).soft > planned && at(0.0).soft <= 0.001 * c.rate_max);
        assert!(at(44.0).soft < planned);
        assert!((at(10_000.0).soft - 0.001 * c.rate_min).abs() < 1e-12);
    }
}
