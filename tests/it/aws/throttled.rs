//! A service that asks for fewer calls: what is asked again, for how long, and what is told when that does not help.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_aws::accounts::AwsAccounts;
use rgctl_aws::budget::Budget;
use rgctl_aws::clients::AwsOptions;
use rgctl_aws::cloud::AwsCloud;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::observed::{Inventory, Observed, Selection};
use rgctl_model::ports::{Clock, Cloud, CloudError};
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::{Moment, Span};
use serde_json::json;
use tokio::time::Instant;

use super::replay::{Answer, Sent, Still, cloud, refusal, scripted, transport, xml};
use super::shared_look::{blueprints, world};
use rgctl_testkit::fixtures::{address, region};

/// The time of the runtime, which passes only while everybody waits.
struct Passing(Instant);

impl Clock for Passing {
    fn now(&self) -> Moment {
        let passed = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        Moment::from_secs(1_800_000_000) + Span::from_millis(passed)
    }
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        let left = at.since(self.now());
        tokio::time::sleep(Duration::from_millis(left.as_millis())).boxed()
    }
}

/// So many calls a second of each service, and as many at once.
#[derive(Default)]
struct Limit(Mutex<BTreeMap<String, (f64, Option<Instant>)>>);

impl Limit {
    fn lets(&self, sent: &Sent, rate: f64) -> bool {
        let (now, mut all) = (Instant::now(), self.0.lock().unwrap());
        let (level, filled) = all.entry(sent.service.clone()).or_insert((rate, None));
        *level = rate.min(*level + filled.map_or(0.0, |then| (now - then).as_secs_f64()) * rate);
        *filled = Some(now);
        let is_let = *level >= 1.0;
        *level -= f64::from(u8::from(is_let));
        is_let
    }
}

fn throttled(sent: &Sent) -> Answer {
    if sent.json.is_some() {
        let body = json!({ "__type": "ThrottlingException", "message": "Rate exceeded" });
        return (400, "application/x-amz-json-1.1", body.to_string());
    }
    refusal(400, "Throttling", "Rate exceeded")
}

const GROUP: &str = "DBClusterParameterGroupName";

/// The world of a shared look, in which each group holds its own name.
fn told(sent: &Sent) -> Option<Answer> {
    if sent.operation != "DescribeDBClusterParameters" {
        return world(sent);
    }
    let held = format!(
        "<Parameters><Parameter><ParameterName>name</ParameterName><ParameterValue>{}</ParameterValue></Parameter></Parameters>",
        sent.parameters[GROUP]
    );
    Some(xml(&sent.operation, &held))
}

fn for_many(count: usize, whole: impl Iterator<Item = usize>) -> Selection {
    let names = blueprints(count);
    Selection {
        regions: [region("us-east-1")].into(),
        whole: whole.map(|number| names[number].clone()).collect(),
        owners: names.into_iter().collect(),
        ..Selection::default()
    }
}

fn group(inventory: &Inventory, number: usize) -> &Observed {
    &inventory.seen[&address("us-east-1", KindId::AuroraClusterParameters, &format!("game{number}-it"))]
}

fn is_read(inventory: &Inventory, number: usize) -> bool {
    let seen = group(inventory, number);
    let held = seen.attrs.get("parameters") == Some(json!({ "name": format!("game{number}-it") }));
    assert_ne!(held, seen.facts.is_unread, "game{number}: {seen:?}");
    held
}

#[tokio::test(start_paused = true)]
async fn a_look_at_sixty_two_groups_at_five_calls_a_second_loses_none_and_reads_all() {
    let (limit, began) = (Limit::default(), Instant::now());
    let (http, log) = scripted(None, move |sent| {
        // Who asks is a question as well, and the SDK gives it up before that.
        let is_late = sent.service != "sts" || began.elapsed() > Duration::from_secs(10);
        if is_late && limit.lets(sent, 5.0) { told(sent) } else { Some(throttled(sent)) }
    });
    let clock = Arc::new(Passing(began));
    let options = AwsOptions { account: Some("111122223333".to_owned()), ..AwsOptions::default() };
    let provider = AwsCloud::over(options, transport(http), Budget::default(), clock);
    let inventory = provider.observe(&for_many(62, 0..62)).await.unwrap();
    assert_eq!(inventory.gaps, []);
    assert_eq!((0..62).filter(|number| is_read(&inventory, *number)).count(), 62);
    let (took, calls) = (began.elapsed(), log.lock().unwrap().len());
    println!("{took:?}, {calls} calls");
    assert!(took < Duration::from_mins(1), "{took:?}");
    // 62 groups and some 25 lists; what is refused is asked again, and not all the rest with it.
    assert!(calls < 4 * (62 + 25), "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_stays_throttled_is_a_gap_of_its_own_after_two_minutes() {
    let (http, _) = scripted(None, |sent| match sent.operation.as_str() {
        "DescribeCacheParameterGroups" => Some(throttled(sent)),
        _ => told(sent),
    });
    let clock = Arc::new(Passing(Instant::now()));
    let provider = AwsCloud::over(AwsOptions::default(), transport(http), Budget::default(), clock);
    let began = Instant::now();
    let inventory = provider.observe(&for_many(10, 0..10)).await.unwrap();
    let gaps: Vec<_> = inventory.gaps.iter().map(|gap| (gap.endpoint, gap.lasting)).collect();
    assert_eq!(gaps, [(Endpoint::ElastiCache, false)]);
    assert!((0..10).all(|number| is_read(&inventory, number)));
    let took = began.elapsed().as_secs();
    assert!((90..=150).contains(&took), "{took} s: a look has three minutes");
}

#[tokio::test(start_paused = true)]
async fn groups_that_cannot_all_be_asked_about_are_unread_and_hide_nothing_else() {
    let read = Arc::new(Mutex::new(BTreeSet::new()));
    let (http, _) = scripted(None, move |sent| match sent.parameters.get(GROUP) {
        // Forty are answered, whoever they are, and then no other one.
        Some(name) => {
            let mut read = read.lock().unwrap();
            let is_let = read.len() < 40 || read.contains(name);
            if is_let {
                read.insert(name.clone());
            }
            if is_let { told(sent) } else { Some(throttled(sent)) }
        }
        None => told(sent),
    });
    let clock = Arc::new(Passing(Instant::now()));
    let provider = AwsCloud::over(AwsOptions::default(), transport(http), Budget::default(), clock);
    // More of them than lists: that none of these is answered is not taken for the silence of everything.
    let inventory = provider.observe(&for_many(100, 0..100)).await.unwrap();
    assert_eq!(inventory.gaps, []);
    assert_eq!((0..100).filter(|number| is_read(&inventory, *number)).count(), 40);
}

#[tokio::test]
async fn a_group_that_may_not_be_read_is_a_gap_and_was_not_seen() {
    let (provider, _) = cloud(AwsOptions::default(), |sent| match sent.parameters.get(GROUP) {
        Some(name) if name == "game1-it" => Some(refusal(403, "AccessDenied", "not authorized")),
        _ => told(sent),
    });
    let inventory = provider.observe(&for_many(3, 0..3)).await.unwrap();
    let refused = address("us-east-1", KindId::AuroraClusterParameters, "game1-it");
    // Shown without values, it would be taken for a group that has none.
    assert!(!inventory.seen.contains_key(&refused), "{:?}", inventory.seen.get(&refused));
    let gaps: Vec<_> = inventory.gaps.iter().map(|gap| (gap.endpoint, gap.lasting)).collect();
    assert_eq!(gaps, [(Endpoint::Rds, true)]);
    assert!(is_read(&inventory, 0) && is_read(&inventory, 2));
}

#[tokio::test]
async fn what_is_read_in_turn_comes_last_is_worth_no_gap_and_stays_known() {
    let is_throttled = Arc::new(Mutex::new(true));
    let now_throttled = Arc::clone(&is_throttled);
    let must = |name: &str| (97..100).any(|number| name == format!("game{number}-it"));
    let (provider, log) = cloud(AwsOptions::default(), move |sent| match sent.parameters.get(GROUP) {
        Some(name) if !must(name) && *now_throttled.lock().unwrap() => Some(throttled(sent)),
        _ => told(sent),
    });
    let scope = for_many(100, 97..100);
    let mut counts = Vec::new();
    // Throttled, then let through, then throttled for hours.
    for (minutes, throttles) in [(0, true), (6, false), (6, true), (600, true)] {
        *is_throttled.lock().unwrap() = throttles;
        let clock = provider.pool().clock();
        clock.sleep_until(clock.now() + Span::from_mins(minutes)).await;
        let inventory = provider.observe(&scope).await.unwrap();
        assert_eq!(inventory.gaps, []);
        assert!((97..100).all(|number| is_read(&inventory, number)));
        counts.push((0..97).filter(|number| is_read(&inventory, *number)).count());
        let asked: Vec<bool> = log
            .lock()
            .unwrap()
            .drain(..)
            .filter_map(|sent| sent.parameters.get(GROUP).map(|name| must(name)))
            .collect();
        assert!(
            asked.is_sorted_by(|one, other| one >= other),
            "what must be known is asked first: {asked:?}"
        );
        assert!(asked.len() > 3, "{asked:?}");
    }
    assert_eq!(counts, [0, 50, 50, 50]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_asks_for_fewer_calls_is_a_gap_as_long_as_another_one_is_seen() {
    for (throttles, regions) in [(vec!["us-west-2"], 1), (vec!["us-east-1", "us-west-2"], 2)] {
        let (http, _) = scripted(None, move |sent| {
            if throttles.contains(&sent.region.as_str()) { Some(throttled(sent)) } else { world(sent) }
        });
        let clock: Arc<dyn Clock> = Arc::new(Still(Mutex::new(Moment::from_secs(1_800_000_000))));
        let other = (AwsOptions::default(), BTreeSet::from([region("us-west-2")]));
        let provider = AwsAccounts::over(
            AwsOptions::default(),
            vec![other],
            &transport(http),
            &Budget::default(),
            &clock,
        );
        let scope = Selection {
            regions: ["us-east-1", "us-west-2"].map(region).into(),
            owner: Some(BlueprintName::new("game0").unwrap()),
            ..Selection::default()
        };
        let answer = provider.observe(&scope).await;
        if regions == 2 {
            assert!(matches!(answer, Err(CloudError::Throttled { .. })), "{answer:?}");
            continue;
        }
        let inventory = answer.unwrap();
        assert!(is_read_in_full(&inventory), "{:?}", inventory.seen.keys());
        assert_eq!(inventory.gaps.len(), 5, "every endpoint of the region: {:?}", inventory.gaps);
        for gap in &inventory.gaps {
            assert!(
                gap.region == region("us-west-2") && !gap.lasting && gap.why.contains("throttled"),
                "{gap:?}"
            );
        }
    }
}

/// The group of the one blueprint is there, in the region that answers.
fn is_read_in_full(inventory: &Inventory) -> bool {
    !group(inventory, 0).facts.is_unread && inventory.seen.len() == 1
}
