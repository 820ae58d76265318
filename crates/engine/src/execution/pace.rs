//! The bounds of a run: how much at a time, and how patiently.

use std::collections::BTreeMap;

use rgctl_model::address::Address;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_schema::names::RegionId;
use rgctl_schema::time::{Moment, Span};

/// Bounds of what one run does at a time, and how patiently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Most calls made in one turn to one control plane of one region. The provider's rate is kept by the adapter; this
    /// bounds memory, and how long nobody looks because calls are being made.
    pub calls_per_turn_max: usize,
    /// Most steps under way at a time for one control plane of one region.
    pub steps_under_way_max: usize,
    /// How long to wait at least before looking again while something is under way.
    pub look_again: Span,
    /// How long to wait at most: looks become rarer the longer a step takes.
    pub look_again_max: Span,
    /// How long after a call to look for its effect: reads lag writes, and a look at once would see nothing.
    pub look_after_calls: Span,
    /// How far apart looks are at least for each page of what the busiest control plane has to show, up to `look_again_max`: of what
    /// it allows, most is for calls that do something, and for others who use the account.
    pub look_page: Span,
    /// How long a service may take to show the effect of a call it accepted: reads lag writes by some seconds.
    pub visibility: Span,
    /// How often a call may be accepted without an effect that shows. A service may lose one; one that never shows is
    /// a matter for a person.
    pub accepted_max: u32,
    /// How often in a row a call may be put off for the state of things while nothing is in motion that could change
    /// it. Not everything that moves shows; what has not moved after so many tries is a matter for a person.
    pub at_rest_max: u32,
    /// How long to wait, after a call without an answer, before what is seen counts as its outcome.
    pub unclear: Span,
    /// First wait before a call that was put off, or had no answer, is made again; it doubles each time.
    pub retry: Span,
    /// Longest such wait: what has not changed in hours is not asked for every minute.
    pub retry_max: Span,
    /// How long a call without an answer may still arrive: until then nothing opposite is begun.
    pub late: Span,
    /// How long the lease lasts without being renewed.
    pub lease: Span,
    /// Longest such wait, at first, where the state of things refused the call or the provider was not reached: both often
    /// end at once, and a step that finds out late makes the whole run late.
    pub retry_soon_max: Span,
    /// After so many calls that bound is twice as long, after as many again three times, up to `retry_max`.
    pub retry_soon_calls: u32,
    /// Most calls of a step, over all runs, while it asks for the same and no effect is seen. Each run after that makes one,
    /// which tells whether what was wrong has been mended.
    pub calls_max: u32,
    /// How often in a row a name may be taken by something that is not shown. Reads lag, and a name is free some minutes
    /// after its object has gone; what is not shown after that is never shown.
    pub taken_max: u32,
    /// How often in a row a call may have no answer that would happen twice when it is made twice.
    pub unanswered_acts_max: u32,
    /// How long the object of a step under way may be in a state that this version does not know: services pass through
    /// states that they have never documented, and are well again.
    pub unknown_max: Span,
    /// How long a run goes on while nothing moves.
    pub still_max: Span,
    /// How long a part of the world that does not answer is asked again before it is left to a person.
    pub unseen_max: Span,
}

/// A step is found to are done later than it did by at most this part of the time that it took, beyond
/// `look_again`. A chain of steps is so made longer by at most this part of itself.
const LATE_PART: u64 = 40;

/// Objects in a page of a list. The services have 100 at most in nearly all of theirs.
const PAGE: usize = 100;

impl Pace {
    /// How long to wait before looking again. The youngest step decides; the others are looked at along with it. `apart` is
    /// how far apart looks are at least.
    pub(super) fn look_after(&self, now: Moment, youngest: Moment, apart: Span) -> Span {
        let age = now.since(youngest);
        let after = Span::from_millis(age.as_millis() / LATE_PART).min(self.look_again_max);
        after.max(self.look_again).max(apart)
    }

    /// How far apart looks are at least that show these: the control plane that has most to show decides.
    pub(super) fn looks_apart(&self, addresses: &[&Address]) -> Span {
        // Those that are in order, which begins with region and kind, are not counted one by one.
        let mut objects: BTreeMap<(&RegionId, Endpoint), usize> = BTreeMap::new();
        for of_one in addresses.chunk_by(|one, next| one.kind == next.kind && one.region == next.region) {
            *objects.entry((&of_one[0].region, of_one[0].kind.facts().endpoint)).or_default() += of_one.len();
        }
        let pages = objects.into_values().map(|count| count / PAGE).max().unwrap_or(0);
        self.look_page.times(u64::try_from(pages).unwrap_or(u64::MAX)).min(self.look_again_max)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            calls_per_turn_max: 256,
            steps_under_way_max: 2_000,
            look_again: Span::from_secs(10),
            look_again_max: Span::from_mins(1),
            look_after_calls: Span::from_secs(5),
            look_page: Span::from_secs(2),
            visibility: Span::from_secs(60),
            accepted_max: 3,
            at_rest_max: 12,
            unclear: Span::from_secs(15),
            retry: Span::from_secs(5),
            late: Span::from_mins(15),
            lease: Span::from_mins(1),
            retry_max: Span::from_mins(30),
            retry_soon_max: Span::from_mins(5),
            retry_soon_calls: 16,
            calls_max: 100,
            taken_max: 8,
            unanswered_acts_max: 6,
            unknown_max: Span::from_mins(30),
            still_max: Span::from_days(1),
            unseen_max: Span::from_mins(15),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_model::kinds::KindId;
    use rgctl_schema::names::Name;

    #[test]
    fn looks_are_as_far_apart_as_the_busiest_control_plane_has_full_pages() {
        let mut seen: Vec<Address> = Vec::new();
        let mut apart_with = |region: &str, kind: KindId, count: usize| {
            let region = RegionId::new(region).unwrap();
            let name = |n: usize| Name::new(format!("game-{n}")).unwrap();
            seen.extend((0..count).map(|n| Address::new(region.clone(), kind, name(n))));
            Pace::default().looks_apart(&seen.iter().collect::<Vec<_>>())
        };
        assert_eq!(apart_with("us-east-1", KindId::AuroraCluster, 90), Span::ZERO);
        // Clusters and their members are of one control plane.
        assert_eq!(apart_with("us-east-1", KindId::AuroraInstance, 130), Span::from_secs(4));
        assert_eq!(apart_with("us-east-1", KindId::CacheGroup, 290), Span::from_secs(4));
        assert_eq!(apart_with("eu-west-1", KindId::AuroraInstance, 290), Span::from_secs(4));
        assert_eq!(apart_with("eu-west-1", KindId::AuroraInstance, 10), Span::from_secs(6));
        // A step in a chain is not found to be done later than any other one is.
        assert_eq!(apart_with("eu-west-1", KindId::AuroraInstance, 10_000), Pace::default().look_again_max);
    }
}
