//! Terms of a Lease, and how long its answers are acted on.

use super::*;

#[test]
fn a_lease_stands_for_the_term_that_is_in_it_and_one_that_was_given_back_for_none() {
    let usual = Span::from_secs(30);
    let spec = |holder: Option<&str>, seconds| LeaseSpec {
        holder_identity: holder.map(str::to_owned),
        lease_duration_seconds: seconds,
        ..LeaseSpec::default()
    };
    assert_eq!(stands_for(&spec(Some("a"), Some(15)), usual), Span::from_secs(15));
    assert_eq!(stands_for(&spec(Some("a"), None), usual), usual);
    assert_eq!(stands_for(&spec(Some("a"), Some(-1)), usual), usual);
    for holder in [None, Some("")] {
        assert_eq!(stands_for(&spec(holder, Some(15)), usual), Span::from_millis(0));
    }
}

#[test]
fn who_leads_stops_before_the_next_may_begin() {
    let terms = Terms::default();
    let again = terms.renews.as_millis() + 2 * terms.answer().as_millis() + terms.retries.as_millis();
    assert!(again <= terms.believes.as_millis(), "a renewal may fail once, also without an answer");
    assert!(terms.answer() >= Span::from_millis(1_500), "a server that is slow is waited for");
    assert!(terms.lasts <= Span::from_secs(20), "the next one begins within 20 seconds");
    assert!(
        terms.believes.as_millis() * 3 <= terms.lasts.as_millis() * 2,
        "with a third of the term to spare"
    );
}

/// A clock that stands where it is put.
struct Hand(std::sync::atomic::AtomicU64);

impl Clock for Hand {
    fn now(&self) -> rgctl_schema::time::Moment {
        rgctl_schema::time::Moment::EPOCH
    }
    fn since_boot(&self) -> Span {
        Span::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
    fn sleep_until(&self, _: rgctl_schema::time::Moment) -> futures::future::BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn however_late_an_answer_is_it_is_acted_on_until_the_same_time_after_it_was_asked_for() {
    let terms = Terms::default();
    let (sent, believes) = (5_000, terms.believes.as_millis());
    for late in (0..2 * believes).step_by(250) {
        let clock = Arc::new(Hand(std::sync::atomic::AtomicU64::new(sent + late)));
        // It comes only now, as to a process that was stopped in between.
        let (_tell, standing) = watch::channel(Standing::Mine { epoch: 3 });
        let leadership = Leadership {
            standing,
            sent: Arc::new(Mutex::new(Span::from_millis(sent))),
            believes: terms.believes,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        assert_eq!(leadership.epoch().is_some(), late < believes, "{late}");
        for (at, leads) in [(sent + believes - 1, true), (sent + believes, false)] {
            clock.0.store(at.max(sent + late), std::sync::atomic::Ordering::SeqCst);
            assert_eq!(leadership.epoch().is_some(), leads && late < believes, "{late}: {at}");
        }
    }
}
