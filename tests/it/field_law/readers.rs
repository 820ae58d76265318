//! What the readers of some fields do, beyond that there are any.

use std::collections::BTreeSet;

use rgctl_blueprint::desired::Built;
use rgctl_model::kinds::KindId;
use rgctl_model::node::{Desired, TAG_KEY};
use rgctl_model::overlay::Decisions;
use rgctl_model::plan::{Blocker, Op, Plan};
use rgctl_model::policy::Policy;
use rgctl_model::sizes::Sizes;
use serde_json::json;

use rgctl_testkit::fixtures::{NOW, lines, plan_for, region, world_of};
use rgctl_testkit::shipped::{catalog, read};
use rgctl_testkit::site::Site;

/// A key as the service tells it.
const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234";

fn built(spec: &str) -> Built {
    let text = format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: game }}\nspec:\n  demand:\n    players: \
         {{ peakConcurrent: 20k }}\n    requestsPerPlayerPerMinute: 30\n    hotData: {{ size: 200GiB }}\n{spec}"
    );
    let (blueprint, reading) = read(&text);
    rgctl_blueprint::desired::build(
        &blueprint,
        &reading.regions,
        &catalog(),
        (&Decisions::default(), &Sizes::default()),
        NOW,
    )
    .unwrap()
}

fn changed(from: &Desired, to: &Desired) -> Plan {
    plan_for(to, &world_of(from), &Policy::default())
}

#[test]
fn a_store_that_its_cell_does_not_replicate_stays_in_the_primary_region() {
    let with = |stays: &str| {
        built(&format!(
            "  regions:\n    cells:\n      - {{ name: america, primary: us-east-1, secondaries: [us-west-2], notReplicated: \
             {stays} }}\n  stores:\n    - {{ name: accounts, engine: aurora-mysql }}\n"
        ))
    };
    let regions = |built: &Built| -> BTreeSet<_> {
        built.desired.nodes.keys().map(|address| address.region.clone()).collect()
    };
    assert_eq!(regions(&with("[]")).len(), 2);
    let stays = with("[accounts]");
    assert_eq!(regions(&stays), BTreeSet::from([region("us-east-1")]));
    assert!(stays.estimates.iter().all(|estimate| estimate.secondary.is_none()));
    assert!(stays.desired.nodes.keys().all(|address| address.kind != KindId::AuroraGlobal));
}

#[test]
fn copies_of_snapshots_end_when_the_last_secondary_region_goes() {
    let with = |secondaries: &str| {
        built(&format!(
            "  regions: {{ primary: us-east-1, secondaries: {secondaries} }}\n  stores:\n    - {{ name: history, engine: \
             redshift, demand: {{ dataSize: 2TiB }} }}\n"
        ))
        .desired
    };
    let (copied, alone) = (with("[us-west-2]"), with("[]"));
    let mut site = Site::new(3);
    site.apply(&copied);
    let plan = site.plan(&alone);
    assert_eq!(lines(&plan), ["modify redshift.cluster/game-history-use1 snapshot_copy_region"]);
    site.apply(&alone);
    site.assert_settled(&alone);
}

#[test]
fn another_alias_is_said_and_a_key_by_its_id_is_compared_with_what_the_service_tells() {
    let with = |key: &str| {
        built(&format!(
            "  regions: {{ primary: us-east-1 }}\n  stores:\n    - {{ name: accounts, engine: aurora-mysql, kmsKey: \"{key}\" \
             }}\n"
        ))
        .desired
    };
    let made = with("alias/one");
    let cluster = made.nodes.values().find(|node| node.address.kind == KindId::AuroraCluster).unwrap();
    assert_eq!(cluster.all_tags(&made.blueprint)[TAG_KEY], "alias/one");
    // The service answers with the key, whatever it was asked by.
    let mut world = world_of(&made);
    world.seen.get_mut(&cluster.address).unwrap().attrs.set("kms_key", Some(json!(KEY))).unwrap();
    let plan = |key: &str| plan_for(&with(key), &world, &Policy::default());

    let same = plan("alias/one");
    assert!(same.is_empty() && same.waiting.is_empty());
    let other = plan("alias/two");
    assert_eq!(lines(&other), Vec::<String>::new(), "nothing is done about what cannot be seen");
    assert_eq!(other.waiting.len(), 1);
    assert!(matches!(&other.waiting[0], Blocker::OtherKey { address, .. } if *address == cluster.address));
    assert!(!other.waiting[0].ends_by_itself(), "a person has to name the key");
    let by_id = plan("1234");
    assert!(by_id.waiting.is_empty());
    assert!(by_id.steps.len() == 1 && matches!(by_id.steps[0].op, Op::Tag { .. }), "{:?}", lines(&by_id));
    assert!(lines(&plan("5678")).iter().any(|line| line.contains("lacks replace:accounts@us-east-1")));
}

#[test]
fn security_groups_and_windows_of_a_cache_are_compared_where_the_service_tells_them() {
    let with = |group: &str| {
        built(&format!(
            "  regions: {{ primary: us-east-1 }}\n  network: {{ regions: {{ us-east-1: {{ subnets: [subnet-1, subnet-2], \
             securityGroups: [{group}] }} }} }}\n  stores:\n    - {{ name: ranking, engine: valkey }}\n"
        ))
        .desired
    };
    let (before, after) = (with("sg-1"), with("sg-2"));
    assert_eq!(
        lines(&changed(&before, &after)),
        ["modify elasticache.group/game-ranking-use1 security_groups"]
    );
    let mut untold = world_of(&before);
    for seen in untold.seen.values_mut().filter(|seen| seen.attrs.kind() == KindId::CacheGroup) {
        seen.attrs.set("security_groups", None).unwrap();
    }
    assert!(plan_for(&after, &untold, &Policy::default()).is_empty());
}

#[test]
fn a_crowd_that_the_upper_bounds_do_not_carry_is_said_until_it_is_over() {
    let warned = |starts: &str, demand: &str| -> Vec<String> {
        let built = built(&format!(
            "  calendar:\n    - {{ name: season, starts: \"{starts}\", lasts: 6h, demand: {demand} }}\n  regions: {{ primary: \
             us-east-1 }}\n  stores:\n    - {{ name: ranking, engine: valkey, shards: {{ min: 1, max: 3 }} }}\n"
        ));
        built.estimates[0].warnings.iter().filter(|warning| warning.contains("`season`")).cloned().collect()
    };
    assert_eq!(warned("2027-03-01T10:00Z", "2x"), Vec::<String>::new());
    assert_eq!(warned("2027-03-01T10:00Z", "100x").len(), 1);
    assert_eq!(warned("2027-01-01T10:00Z", "100x"), Vec::<String>::new(), "it is over");
}
