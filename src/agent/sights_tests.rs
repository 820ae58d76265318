//! What is known between looks, and what is kept of one.

use super::*;
use rgctl_schema::time::Span;

#[test]
fn a_look_keeps_what_it_has_room_for_and_always_what_is_waited_for() {
    let (mut sights, now) = (Sights::new(Intervals::default()), Moment::from_secs(1));
    let name = |name: &str| BlueprintName::new(name).unwrap();
    let (first, second, third) = (name("first"), name("second"), name("third"));
    let code = RegionId::new("us-east-1").unwrap();
    for name in [&first, &second, &third] {
        sights.watch(name, &BTreeSet::from([code.clone()]), &BTreeSet::new(), now);
    }
    sights.wait(&third);
    let (viewers, stamp) = sights.begin(&code, now).unwrap();
    let digest = SightDigest::of_value(&1);
    let mut keeps = |name: &BlueprintName| sights.keeps(&code, name, digest, KEPT_MAX - 1);
    assert_eq!([&first, &second, &third].map(&mut keeps), [true, false, true]);
    let digests = [&first, &second, &third].map(|name| (name.clone(), digest)).into();
    let parts = Parts { digests, ..Parts::default() };
    let swept = Swept { gaps: Vec::new(), taken: now };
    assert!(sights.finish(&code, (&viewers, stamp), Ok((swept, parts)), Duration::ZERO, now));
    sights.landed(&code, stamp);
    let since = Since { at: Moment::EPOCH, stamp: sights.stamp() };
    let mut answers = |name| sights.answer(name, &code, since, now);
    assert!(matches!(answers(&first), Answer::Shown(_)));
    assert!(matches!(answers(&second), Answer::Look), "it is kept by the next look");
    sights.begin(&code, now).unwrap();
    assert!(!sights.keeps(&code, &first, digest, 1), "it was shown, and nothing has changed");
    assert!(sights.keeps(&code, &second, digest, KEPT_MAX));
}

#[test]
fn a_look_that_is_throttled_wakes_nobody_and_neither_does_the_next_unless_that_lasts() {
    let (mut sights, now) = (Sights::new(Intervals::default()), Moment::from_secs(1));
    let (name, code) = (BlueprintName::new("game").unwrap(), RegionId::new("us-east-1").unwrap());
    sights.watch(&name, &BTreeSet::from([code.clone()]), &BTreeSet::new(), now);
    let wakes = |sights: &mut Sights, error: Option<CloudError>| {
        let (viewers, stamp) = sights.begin(&code, now).unwrap();
        let digests = [(name.clone(), SightDigest::of_value(&1))].into();
        let parts = Parts { digests, ..Parts::default() };
        let found = error.map_or(Ok((Swept { gaps: Vec::new(), taken: now }, parts)), Err);
        let wakes = sights.finish(&code, (&viewers, stamp), found, Duration::ZERO, now);
        sights.landed(&code, stamp);
        wakes
    };
    let throttled = || Some(CloudError::Throttled { after: Span::from_secs(1) });
    assert!(wakes(&mut sights, None), "it was never seen before");
    assert!(!wakes(&mut sights, throttled()));
    assert!(!wakes(&mut sights, None), "all is as it was");
    for _ in 1..THROTTLED_MAX {
        assert!(!wakes(&mut sights, throttled()));
    }
    assert!(wakes(&mut sights, throttled()), "it lasts");
    assert!(!wakes(&mut sights, throttled()), "that was said");
    assert!(wakes(&mut sights, None), "it is seen again");
    let silent = CloudError::Unreachable { why: "silence".to_owned() };
    assert!(wakes(&mut sights, Some(silent)), "what does not answer at all is said at once");
}

#[test]
fn who_wants_to_know_everything_is_shown_nothing_of_which_something_is_unread() {
    let (mut sights, now) = (Sights::new(Intervals::default()), Moment::from_secs(1));
    let (name, code) = (BlueprintName::new("game").unwrap(), RegionId::new("us-east-1").unwrap());
    sights.watch(&name, &BTreeSet::from([code.clone()]), &BTreeSet::new(), now);
    let node = rgctl_testkit::fixtures::cluster_store("accounts", "us-east-1", 1, "db.r7g.large").remove(1);
    let looks = |sights: &mut Sights, is_unread: bool| {
        sights.wait(&name);
        let (viewers, stamp) = sights.begin(&code, now).unwrap();
        assert!(sights.keeps(&code, &name, SightDigest::of_value(&1), 1));
        let mut seen = rgctl_testkit::fixtures::seen_as_wanted(&node);
        seen.facts.is_unread = is_unread;
        let slices = [(name.clone(), Seen::from_iter([(node.address.clone(), seen)]))].into();
        let parts = Parts { slices, ..Parts::default() };
        let swept = Swept { gaps: Vec::new(), taken: now };
        sights.finish(&code, (&viewers, stamp), Ok((swept, parts)), Duration::ZERO, now);
        sights.landed(&code, stamp);
        let since = Since { at: Moment::EPOCH, stamp: sights.stamp() };
        sights.answer(&name, &code, since, now)
    };
    assert!(matches!(looks(&mut sights, true), Answer::Shown(_)), "the record tells the rest");
    sights.wants_whole(&name, true);
    assert_eq!(sights.wholes(), BTreeSet::from([name.clone()]));
    assert!(matches!(looks(&mut sights, true), Answer::Look), "that look began before it was asked for");
    assert!(matches!(looks(&mut sights, false), Answer::Shown(_)));
    sights.wants_whole(&name, false);
    assert!(sights.wholes().is_empty());
}

#[test]
fn a_look_that_ends_after_its_region_was_left_and_watched_anew_does_not_pass_for_the_later_look() {
    let (mut sights, now) = (Sights::new(Intervals::default()), Moment::from_secs(1));
    let (name, code) = (BlueprintName::new("game").unwrap(), RegionId::new("us-east-1").unwrap());
    let (here, none) = (BTreeSet::from([code.clone()]), BTreeSet::new());
    sights.watch(&name, &here, &none, now);
    let early = sights.begin(&code, now).unwrap();
    sights.forget(&name);
    sights.watch(&name, &here, &none, now);
    let late = sights.begin(&code, now).unwrap();
    let mut ends = |(viewers, stamp): &(Arc<Viewers>, u64)| {
        let swept = Swept { gaps: Vec::new(), taken: now };
        let news =
            sights.finish(&code, (viewers, *stamp), Ok((swept, Parts::default())), Duration::ZERO, now);
        sights.landed(&code, *stamp);
        (news, sights.figures()[&code].looks)
    };
    assert_eq!(ends(&early), (false, 0));
    assert_eq!(ends(&late), (true, 1));
}
