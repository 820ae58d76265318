//! What a look for many blueprints costs at the provider, and what is asked again when nobody is believed any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rgctl::agent::observer::{Intervals, Observer};
use rgctl_aws::clients::AwsOptions;
use rgctl_model::observed::Selection;
use rgctl_model::ports::{Clock, Cloud, CloudError};
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::Span;

use super::replay::{Answer, Sent, Still, cloud, refusal, xml};
use rgctl_testkit::fixtures::region;

pub fn blueprints(count: usize) -> Vec<BlueprintName> {
    (0..count).map(|number| BlueprintName::new(format!("game{number}")).unwrap()).collect()
}

/// A hundred parameter groups of a hundred blueprints, with their tags in the index, and one of somebody else.
pub fn world(sent: &Sent) -> Option<Answer> {
    let arn = |name: &str| format!("arn:aws:rds:us-east-1:111122223333:cluster-pg:{name}");
    match sent.operation.as_str() {
        "DescribeDBClusterParameterGroups" => {
            let group = |name: String| {
                format!(
                    "<DBClusterParameterGroup><DBClusterParameterGroupName>{name}</DBClusterParameterGroupName>\
                     <DBParameterGroupFamily>aurora-mysql8.0</DBParameterGroupFamily><Description>x</Description>\
                     <DBClusterParameterGroupArn>{}</DBClusterParameterGroupArn></DBClusterParameterGroup>",
                    arn(&name)
                )
            };
            let names = (0..100).map(|number| format!("game{number}-it"));
            let all: String = names.chain(["theirs".to_owned()]).map(group).collect();
            Some(xml(&sent.operation, &format!("<DBClusterParameterGroups>{all}</DBClusterParameterGroups>")))
        }
        "GetResources" => {
            let list: Vec<serde_json::Value> = (0..100)
                .map(|number| {
                    serde_json::json!({
                        "ResourceARN": arn(&format!("game{number}-it")),
                        "Tags": [{ "Key": "rgctl:blueprint", "Value": format!("game{number}") }],
                    })
                })
                .collect();
            let body = serde_json::json!({ "ResourceTagMappingList": list });
            Some((200, "application/x-amz-json-1.1", body.to_string()))
        }
        _ => None,
    }
}

/// The calls of each of some rounds, by operation, with so many blueprints in two regions.
async fn rounds(count: usize, minutes: &[u64]) -> Vec<BTreeMap<String, usize>> {
    let (provider, log) = cloud(AwsOptions::default(), world);
    let clock = Arc::new(Still(std::sync::Mutex::new(provider.pool().clock().now())));
    let provider = Arc::new(provider);
    let port = Arc::clone(&provider) as Arc<dyn Cloud>;
    let observer = Observer::new(port, Arc::clone(&clock) as Arc<dyn Clock>, Intervals::default());
    let regions = ["us-east-1", "us-west-2"].map(region).into();
    for name in blueprints(count) {
        observer.watch(&name, &regions, &BTreeSet::new());
    }
    let mut told = Vec::new();
    for minutes in minutes {
        let then = clock.now() + Span::from_mins(*minutes);
        clock.sleep_until(then).await;
        provider.pool().clock().sleep_until(then).await;
        observer.look_where_due().await;
        let mut calls = BTreeMap::new();
        for sent in std::mem::take(&mut *log.lock().unwrap()) {
            *calls.entry(sent.operation).or_default() += 1;
        }
        told.push(calls);
    }
    told
}

#[tokio::test]
async fn a_round_for_a_thousand_blueprints_makes_the_calls_of_a_round_for_one() {
    let (one, thousand) = (rounds(1, &[0, 6]).await, rounds(1_000, &[0, 6]).await);
    let without_parameters = |calls: &BTreeMap<String, usize>| -> BTreeMap<String, usize> {
        let lists = calls.iter().filter(|(operation, _)| *operation != "DescribeDBClusterParameters");
        lists.map(|(operation, count)| (operation.clone(), *count)).collect()
    };
    for (one, thousand) in one.iter().zip(&thousand) {
        assert_eq!(without_parameters(one), without_parameters(thousand));
        assert!(
            one.len() > 20 && one.values().all(|count| *count == 2),
            "one of each in each region: {one:?}"
        );
    }
    let parameters = |calls: &[BTreeMap<String, usize>]| -> Vec<usize> {
        calls.iter().map(|calls| calls.get("DescribeDBClusterParameters").copied().unwrap_or(0)).collect()
    };
    // The embedded provider tells the same groups in both regions. Fifty are read a round and region, whatever the crowd.
    assert_eq!((parameters(&one), parameters(&thousand)), (vec![2, 2], vec![100, 100]));
    println!("calls a round: {} for one, {} for a thousand", total(&one[1]), total(&thousand[1]));
}

fn total(calls: &BTreeMap<String, usize>) -> usize {
    calls.values().sum()
}

#[tokio::test]
async fn who_the_caller_is_is_asked_once_and_again_after_a_refusal_for_who_asks() {
    let is_expired = Arc::new(AtomicBool::new(false));
    let expired = Arc::clone(&is_expired);
    let (provider, log) = cloud(AwsOptions::default(), move |sent| {
        let refused = expired.load(Ordering::SeqCst) && sent.operation.starts_with("Describe");
        refused.then(|| refusal(403, "ExpiredToken", "the security token is expired"))
    });
    let near = region("us-east-1");
    let asked = || log.lock().unwrap().iter().filter(|sent| sent.operation == "GetCallerIdentity").count();
    for _ in 0..3 {
        provider.home(Some(&near)).await.unwrap();
    }
    assert_eq!(asked(), 1);
    is_expired.store(true, Ordering::SeqCst);
    let scope = Selection { regions: [near.clone()].into(), ..Selection::default() };
    let refused = provider.observe(&scope).await.unwrap_err();
    assert!(matches!(refused, CloudError::Denied { .. }), "{refused}");
    provider.home(Some(&near)).await.unwrap();
    assert_eq!(asked(), 2);
}
