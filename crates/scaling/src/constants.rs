//! The one frozen configuration. There is no knob for the user except the budget of the objective.
//!
//! Each constant was chosen from the middle of a flat region, by cross-validation over traces; `docs/scaling.md` shows how
//! the result changes when all of them are moved at random.

use super::augment::Chance;

/// Numbers that shape the policy; the same for every series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// Utilisation above which an element counts as overloaded: the knee of a single-server queue.
    pub rho: f64,
    /// Half-life of the short shadow record, days: a level shift must be forgotten within about a week.
    pub half_life_days: f64,
    /// Half-life of the long shadow record, days.
    pub half_life_long: f64,
    /// Share of the weaker neighbour's misses in a rule's own: a stress test against the luck of the cheapest.
    pub neighbour: f64,
    /// Minutes of misses that every rule is charged before any evidence.
    pub prior_minutes: f64,
    /// Groups whose cheapest rule is followed.
    pub groups: usize,
    /// Share of the budget that is planned for.
    pub aim: f64,
    /// What is planned for in addition after a month of being live, when one event no longer decides everything.
    pub aim_gain: f64,
    /// Hard misses that are planned for, as a share of the soft ones (the gate is at half of them).
    pub hard_share: f64,
    /// Days in which a debt or a reserve of missed minutes is worked off.
    pub horizon_days: f64,
    /// Soft minutes that are kept in reserve: one event.
    pub reserve_soft: f64,
    /// Hard minutes that are kept in reserve.
    pub reserve_hard: f64,
    /// Least allowed rate, as a share of the budget.
    pub rate_min: f64,
    /// Largest allowed rate, as a share of the budget.
    pub rate_max: f64,
    /// Days for which a series is young.
    pub young_days: f64,
    /// What a young series holds, as a multiple of its present trend.
    pub young_factor: f64,
    /// Spread (highest over mean) from which a young series has shown its range and needs no extra.
    pub young_spread: f64,
    /// Spread up to which it has shown nothing.
    pub narrow_spread: f64,
    /// Share of the covered demand from which demand counts as a surprise.
    pub rise_from: f64,
    /// Minutes for which a surprising rise is continued.
    pub rise_minutes: f64,
    /// Minutes for which a surprise is answered: one lag, until the answer serves, and as long again.
    pub surprise_minutes: f64,
    /// Share of the highest of the last day that is held ready after a surprise.
    pub rise_day: f64,
    /// Least multiple of a surprising demand that is held ready.
    pub rise_factor: f64,
    /// Hard minutes in the bank from which a record needs no extra caution.
    pub record_bank: f64,
}

impl Constants {
    /// The configuration in force.
    pub const FROZEN: Self = Self {
        rho: 0.8,
        half_life_days: 3.0,
        half_life_long: 14.0,
        neighbour: 0.7,
        prior_minutes: 1.0,
        groups: 3,
        aim: 0.8,
        aim_gain: 0.2,
        hard_share: 0.41,
        horizon_days: 5.0,
        reserve_soft: 5.0,
        reserve_hard: 2.0,
        rate_min: 0.2,
        rate_max: 1.8,
        young_days: 14.0,
        young_factor: 2.15,
        young_spread: 2.2,
        narrow_spread: 1.3,
        rise_from: 1.0,
        rise_minutes: 18.0,
        surprise_minutes: 15.0,
        rise_day: 1.0,
        rise_factor: 1.25,
        record_bank: 10.0,
    };

    /// The lag for which the constants are stated, minutes.
    const LAG_MINUTES: f64 = 8.0;

    /// The same caution where an answer takes longer: minutes count in lags, since an event lasts at least until its answer
    /// serves; what a young series must have room for grows with the root of the lag, as the range of a random walk does.
    #[must_use]
    pub fn for_lag(self, lag_minutes: u32) -> Self {
        let lags = (f64::from(lag_minutes) / Self::LAG_MINUTES).max(1.0);
        let wider = |factor: f64| 1.0 + (factor - 1.0) * lags.sqrt();
        Self {
            prior_minutes: self.prior_minutes * lags,
            reserve_soft: self.reserve_soft * lags,
            reserve_hard: self.reserve_hard * lags,
            rise_minutes: self.rise_minutes * lags,
            surprise_minutes: self.surprise_minutes * lags,
            record_bank: self.record_bank * lags,
            young_factor: wider(self.young_factor),
            young_spread: wider(self.young_spread),
            narrow_spread: wider(self.narrow_spread),
            ..self
        }
    }

    /// All constants that may be moved, each with the value from which its distance counts: a factor over 1 is moved in
    /// what it has over 1. The target utilisation is a fact of the protocol, the length of an answer follows from the lag; the number of
    /// groups is whole and stands apart.
    fn movable(&mut self) -> [(&mut f64, f64); 21] {
        [
            (&mut self.half_life_days, 0.0),
            (&mut self.half_life_long, 0.0),
            (&mut self.neighbour, 0.0),
            (&mut self.prior_minutes, 0.0),
            (&mut self.aim, 0.0),
            (&mut self.aim_gain, 0.0),
            (&mut self.hard_share, 0.0),
            (&mut self.horizon_days, 0.0),
            (&mut self.reserve_soft, 0.0),
            (&mut self.reserve_hard, 0.0),
            (&mut self.rate_min, 0.0),
            (&mut self.rate_max, 0.0),
            (&mut self.young_days, 0.0),
            (&mut self.young_factor, 1.0),
            (&mut self.young_spread, 1.0),
            (&mut self.narrow_spread, 1.0),
            (&mut self.rise_from, 0.0),
            (&mut self.rise_minutes, 0.0),
            (&mut self.rise_day, 0.0),
            (&mut self.rise_factor, 1.0),
            (&mut self.record_bank, 0.0),
        ]
    }

    /// Moves every constant at random by up to `spread` of itself.
    #[must_use]
    pub fn moved(mut self, spread: f64, chance: &mut Chance) -> Self {
        for (value, from) in self.movable() {
            *value = from + (*value - from) * chance.between(1.0 - spread, 1.0 + spread);
        }
        let groups = self.groups as f64 * chance.between(1.0 - spread, 1.0 + spread);
        // A few groups.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let groups = groups.round().max(1.0) as usize;
        Self { groups, ..self }
    }
}
