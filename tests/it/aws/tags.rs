//! Tags of which lists tell nothing: from the index, and asked for object by object where that is silent.

use std::sync::{Arc, Mutex};

use rgctl_aws::clients::AwsOptions;
use rgctl_aws::cloud::AwsCloud;
use rgctl_model::kinds::KindId;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::ports::Cloud;
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::Span;
use serde_json::json;

use super::replay::{Answer, Sent, cloud, refusal, xml};
use rgctl_testkit::fixtures::{address, region};

/// What a service says of the tags of its one group.
#[derive(Clone, Copy, Debug)]
enum Says {
    /// These, as key and value.
    Tag(&'static str, &'static str),
    Nothing,
    Throttled,
}

const GAME: &str = "game";
const OURS: Says = Says::Tag("rgctl:blueprint", GAME);
const THEIRS: Says = Says::Tag("team", "shop");

/// What the index says, what the group itself says, and in which account it is.
#[derive(Clone, Copy, Debug)]
struct Scene {
    index: Says,
    itself: Says,
    account: &'static str,
}

fn arn(account: &str) -> String {
    format!("arn:aws:rds:us-east-1:{account}:subgrp:game-it")
}

fn world(sent: &Sent, scene: Scene) -> Option<Answer> {
    let arn = arn(scene.account);
    let json =
        |body: serde_json::Value, status| Some((status, "application/x-amz-json-1.1", body.to_string()));
    match (sent.operation.as_str(), scene.index, scene.itself) {
        ("DescribeDBSubnetGroups", ..) => {
            let group = format!(
                "<DBSubnetGroups><DBSubnetGroup><DBSubnetGroupName>game-it</DBSubnetGroupName>\
                 <DBSubnetGroupArn>{arn}</DBSubnetGroupArn></DBSubnetGroup></DBSubnetGroups>"
            );
            Some(xml(&sent.operation, &group))
        }
        ("GetResources", Says::Tag(key, value), _) => {
            let one = json!({ "ResourceARN": arn, "Tags": [{ "Key": key, "Value": value }] });
            json(json!({ "ResourceTagMappingList": [one] }), 200)
        }
        ("GetResources", Says::Nothing, _) => json(json!({ "ResourceTagMappingList": [] }), 200),
        ("GetResources", Says::Throttled, _) => {
            json(json!({ "__type": "ThrottledException", "message": "Rate exceeded" }), 400)
        }
        ("ListTagsForResource", _, Says::Tag(key, value)) => {
            let tag = format!("<TagList><Tag><Key>{key}</Key><Value>{value}</Value></Tag></TagList>");
            Some(xml(&sent.operation, &tag))
        }
        ("ListTagsForResource", _, Says::Throttled) => Some(refusal(400, "Throttling", "Rate exceeded")),
        _ => None,
    }
}

struct Provider {
    cloud: AwsCloud,
    log: Arc<Mutex<Vec<Sent>>>,
    scene: Arc<Mutex<Scene>>,
}

impl Provider {
    fn new() -> Self {
        let scene = Scene { index: Says::Nothing, itself: OURS, account: "111122223333" };
        let scene = Arc::new(Mutex::new(scene));
        let now = Arc::clone(&scene);
        let (cloud, log) = cloud(AwsOptions::default(), move |sent| world(sent, *now.lock().unwrap()));
        Self { cloud, log, scene }
    }

    fn set(&self, change: impl FnOnce(&mut Scene)) {
        change(&mut self.scene.lock().unwrap());
    }

    /// The owner of the group, as a look for many shows it, and how often the group was asked about in that look.
    async fn look(&self) -> (Option<&'static str>, usize) {
        let inventory = self.inventory().await;
        assert_eq!(inventory.gaps, []);
        let seen = &inventory.seen[&address("us-east-1", KindId::RdsSubnetGroup, "game-it")];
        (seen.owner().map(|owner| if owner == GAME { GAME } else { "another" }), self.asked())
    }

    async fn inventory(&self) -> Inventory {
        let scope = Selection {
            regions: [region("us-east-1")].into(),
            owners: [BlueprintName::new(GAME).unwrap()].into(),
            ..Selection::default()
        };
        self.cloud.observe(&scope).await.unwrap()
    }

    fn asked(&self) -> usize {
        let mut log = self.log.lock().unwrap();
        log.drain(..).filter(|sent| sent.operation == "ListTagsForResource").count()
    }
}

#[tokio::test]
async fn a_group_of_which_the_index_is_silent_is_asked_about_once() {
    let provider = Provider::new();
    assert_eq!(provider.look().await, (Some(GAME), 1));
    assert_eq!(provider.look().await, (Some(GAME), 0));
    let clock = provider.cloud.pool().clock();
    clock.sleep_until(clock.now() + Span::from_mins(6)).await;
    assert_eq!(provider.look().await, (Some(GAME), 1), "the index should have caught up");
}

#[tokio::test]
async fn what_the_index_tells_of_a_group_is_never_covered_by_what_was_asked_before() {
    let provider = Provider::new();
    assert_eq!(provider.look().await, (Some(GAME), 1));
    provider.set(|scene| scene.index = OURS);
    assert_eq!(provider.look().await, (Some(GAME), 0));
    // Somebody has taken the tag away: the index says so, and lags behind no more.
    provider.set(|scene| (scene.index, scene.itself) = (THEIRS, THEIRS));
    for _ in 0..2 {
        assert_eq!(provider.look().await, (None, 1), "whose it is now is asked at each look");
    }
    provider.set(|scene| (scene.index, scene.itself) = (Says::Nothing, OURS));
    assert_eq!(provider.look().await, (Some(GAME), 1), "what was told before the silence is forgotten");
}

#[tokio::test]
async fn the_group_of_another_account_has_none_of_the_tags_of_the_first() {
    let provider = Provider::new();
    assert_eq!(provider.look().await, (Some(GAME), 1));
    provider.set(|scene| (scene.account, scene.itself) = ("444455556666", THEIRS));
    assert_eq!(provider.look().await, (None, 1));
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_owner_is_not_told_is_hidden_in_a_gap_and_passes_for_nobodys() {
    let provider = Provider::new();
    provider.set(|scene| scene.itself = Says::Throttled);
    let inventory = provider.inventory().await;
    assert!(inventory.seen.is_empty() && inventory.gaps.len() == 1, "{inventory:?}");
    assert!(provider.asked() > 0);
    // Where the index itself is too much, nobody asks about each.
    provider.set(|scene| (scene.index, scene.itself) = (Says::Throttled, OURS));
    let inventory = provider.inventory().await;
    assert!(inventory.seen.is_empty() && inventory.gaps.len() == 1, "{inventory:?}");
    assert_eq!(provider.asked(), 0);
}
