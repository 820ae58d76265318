//! Chance and durations: every draw comes from a stream that is named by seed, purpose, address and number.
//!
//! **Invariant:** a draw depends on nothing but its name, so that one more object in the world shifts no other.

use rgctl_model::address::Address;
use rgctl_model::kinds::facts::DurationEstimate;
use rgctl_schema::time::Span;

/// How long a snapshot takes.
pub const SNAPSHOT: DurationEstimate = DurationEstimate::new(180, 1_500);
/// How long stopping takes.
pub const STOP: DurationEstimate = DurationEstimate::new(300, 600);
/// How long starting takes.
pub const START: DurationEstimate = DurationEstimate::new(420, 1_800);
/// How long the primary of a cluster without a replica takes to be made anew.
pub const RECREATE_PRIMARY: DurationEstimate = DurationEstimate::new(360, 580);
/// Reads lag writes by at most this.
pub const READ_LAG: Span = Span::from_secs(5);
/// Metrics are late by at least this.
pub const METRIC_DELAY: Span = Span::from_secs(60);

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
/// 95th percentile of the standard normal distribution.
const Z95: f64 = 1.644_853_626_951_472_2;

fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn eat(mut hash: u64, bytes: &[u8]) -> u64 {
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    }
    // A separator that no name contains keeps `ab`+`c` apart from `a`+`bc`.
    (hash ^ 0xff).wrapping_mul(FNV_PRIME)
}

/// The number of a stream's draw.
pub fn draw(seed: u64, purpose: &str, address: &Address, n: u64) -> u64 {
    let mut hash = eat(FNV_OFFSET ^ mix(seed), purpose.as_bytes());
    hash = eat(hash, address.region.as_str().as_bytes());
    hash = eat(hash, address.kind.as_str().as_bytes());
    hash = eat(hash, address.name.as_str().as_bytes());
    mix(hash ^ mix(n))
}

/// The number of a draw that belongs to a text.
pub fn draw_text(seed: u64, purpose: &str, text: &str, n: u64) -> u64 {
    mix(eat(eat(FNV_OFFSET ^ mix(seed), purpose.as_bytes()), text.as_bytes()) ^ mix(n))
}

/// A draw as a fraction in `[0, 1)`.
pub fn fraction(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

/// A draw as a duration of a log-normal distribution, cut off at three standard deviations.
pub fn duration(draw: u64, lasts: DurationEstimate) -> Span {
    if lasts.median_s == 0 {
        return Span::ZERO;
    }
    let (median, p95) = (f64::from(lasts.median_s), f64::from(lasts.p95_s.max(lasts.median_s)));
    let sigma = (p95 / median).ln() / Z95;
    let (a, b) = (fraction(draw).max(1e-12), fraction(mix(draw)));
    let normal = ((-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()).clamp(-3.0, 3.0);
    Span::from_millis(millis(median * (sigma * normal).exp() * 1_000.0))
}

/// A fraction of a span.
pub fn part_of(span: Span, part: f64) -> Span {
    Span::from_millis(millis(span.as_millis() as f64 * part))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of u64 first"
)]
fn millis(ms: f64) -> u64 {
    ms.clamp(0.0, 1e15) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_stated_median_and_tail() {
        let lasts = DurationEstimate::new(100, 300);
        let mut all: Vec<u64> =
            (0..10_000).map(|n| duration(draw_text(7, "test", "x", n), lasts).as_secs()).collect();
        all.sort_unstable();
        assert!((95..=105).contains(&all[5_000]), "median {}", all[5_000]);
        assert!((280..=320).contains(&all[9_500]), "p95 {}", all[9_500]);
    }

    #[test]
    fn streams_of_other_names_are_other_streams() {
        assert_ne!(draw_text(1, "a", "bc", 0), draw_text(1, "ab", "c", 0));
        assert_ne!(draw_text(1, "a", "b", 0), draw_text(2, "a", "b", 0));
        assert_ne!(draw_text(1, "a", "b", 0), draw_text(1, "a", "b", 1));
    }
}
