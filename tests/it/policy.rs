//! Policies that IAM takes: no document is too long, and together they allow what the table says, no more and no less.

use std::collections::BTreeSet;

use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_permissions::operations::{self, ALWAYS, ON_BEHALF, STORE};
use rgctl_permissions::policy_parts::{CHARACTERS_MAX, characters};
use rgctl_permissions::{PolicyFor, RecordPlace, policies, policy};
use rgctl_schema::names::{Partition, RegionId};
use serde_json::{Value, json};

use crate::cli::Place;
use rgctl_testkit::shipped::{SHIPPED, build};

/// What a blueprint needs in each partition, and with a record on S3.
fn wanted(desired: &Desired, writes: bool) -> Vec<PolicyFor> {
    let partitions: BTreeSet<Partition> = desired.regions.iter().map(Partition::of).collect();
    let kinds =
        desired.nodes.keys().flat_map(|address| [Some(address.kind), address.kind.facts().final_snapshot]);
    let kinds: BTreeSet<KindId> = kinds.flatten().collect();
    let of = |partition: Partition| PolicyFor {
        blueprint: desired.blueprint.clone(),
        kinds: kinds.clone(),
        regions: desired
            .regions
            .iter()
            .filter(|region| Partition::of(region) == partition)
            .cloned()
            .collect(),
        writes,
        adopted: BTreeSet::new(),
        secrets: BTreeSet::new(),
        roles: BTreeSet::new(),
        record: Some(RecordPlace { bucket: "team-records".into(), prefix: "games".into() }),
    };
    partitions.into_iter().map(of).collect()
}

fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().map_or_else(|| vec![value.clone()], Clone::clone);
    all.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// Each action with each resource and the condition.
fn rights<'a>(documents: impl IntoIterator<Item = &'a Value>) -> BTreeSet<(String, String, String)> {
    let statements = documents.into_iter().flat_map(|document| document["Statement"].as_array().unwrap());
    let of = |statement: &Value| {
        assert_eq!(statement["Effect"], "Allow");
        let (resources, condition) = (texts(&statement["Resource"]), statement["Condition"].to_string());
        let pairs = texts(&statement["Action"]).into_iter().flat_map(move |action| {
            let condition = condition.clone();
            resources.clone().into_iter().map(move |on| (action.clone(), on, condition.clone()))
        });
        pairs.collect::<Vec<_>>()
    };
    statements.flat_map(of).collect()
}

#[test]
fn roles_that_a_blueprint_gives_to_its_stores_may_be_passed_to_their_services_and_no_others() {
    let built = build("light-game", &[]);
    let passes = |wanted: &PolicyFor| -> Vec<Value> {
        let document = policy(wanted).unwrap();
        let statements = document["Statement"].as_array().unwrap().clone();
        statements.into_iter().filter(|one| one["Action"] == json!(["iam:PassRole"])).collect()
    };
    for writes in [true, false] {
        for mut wanted in wanted(&built.desired, writes) {
            assert_eq!(passes(&wanted), Vec::<Value>::new(), "none is named");
            let role = "arn:aws:iam::111122223333:role/load";
            wanted.roles.insert(role.to_owned());
            let found = passes(&wanted);
            assert_eq!(found.len(), usize::from(writes), "who only looks passes none");
            for one in found {
                assert_eq!(one["Resource"], json!([role]));
                let services = &one["Condition"]["StringEquals"]["iam:PassedToService"];
                assert_eq!(*services, json!(["rds.amazonaws.com", "redshift.amazonaws.com"]));
            }
        }
    }
}

#[test]
fn every_shipped_blueprint_has_a_policy_in_parts_that_iam_takes_and_that_allow_what_the_table_says() {
    let mut in_parts = 0;
    for name in SHIPPED {
        let built = build(name, &[]);
        for writes in [true, false] {
            for wanted in wanted(&built.desired, writes) {
                let parts = policies(&wanted).unwrap();
                for part in &parts {
                    let length = characters(part);
                    assert!(length <= CHARACTERS_MAX, "{name}: {length}");
                    let names: Vec<&Value> =
                        part["Statement"].as_array().unwrap().iter().map(|one| &one["Sid"]).collect();
                    let distinct: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
                    assert_eq!(distinct.len(), names.len(), "{names:?}");
                }
                in_parts += usize::from(parts.len() > 1);
                assert_eq!(rights(&parts), rights([&policy(&wanted).unwrap()]), "{name}");
                let allowed: BTreeSet<String> =
                    rights(&parts).into_iter().map(|(action, ..)| action).collect();
                assert_eq!(allowed, of_the_table(&wanted), "{name}");
            }
        }
    }
    assert!(in_parts > 0, "the largest is longer than one document");
}

fn of_the_table(wanted: &PolicyFor) -> BTreeSet<String> {
    let reads = KindId::ALL.iter().flat_map(|kind| operations::of(*kind).reads);
    let mut table: BTreeSet<&str> = reads.chain(ALWAYS).chain(STORE).copied().collect();
    if wanted.writes {
        table.extend(wanted.kinds.iter().flat_map(|kind| operations::of(*kind).writes));
        table.extend(ON_BEHALF);
        // Nobody reads a secret where there is none of its own.
        if !wanted.kinds.contains(&KindId::Secret) {
            table.remove("secretsmanager:GetSecretValue");
        }
    } else {
        table.remove("s3:PutObject");
    }
    table.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_statement_that_is_too_long_by_itself_is_halved_and_not_widened() {
    let built = build("rocket-arena", &[]);
    let mut wanted = wanted(&built.desired, true).remove(0);
    // Many regions, and many objects under names of their own.
    let more = ["eu-west-1", "eu-central-1", "ap-northeast-1", "us-west-2", "us-east-1"];
    wanted.regions.extend(more.map(|code| RegionId::new(code).unwrap()));
    wanted.adopted =
        (0..60).map(|number| (KindId::AuroraCluster, format!("players-of-old-{number}"))).collect();
    let parts = policies(&wanted).unwrap();
    assert!(parts.len() > 4, "{}", parts.len());
    assert!(parts.iter().all(|part| characters(part) <= CHARACTERS_MAX));
    assert_eq!(rights(&parts), rights([&policy(&wanted).unwrap()]));
}

#[test]
fn a_policy_in_parts_is_valid_data_in_every_form_and_says_how_to_use_it() {
    let place = Place::new();
    let text = include_str!("../../blueprints/rocket-arena.yaml");
    place.write("game.yaml", text);
    let run = |more: &[&str]| place.run(&[&["iam-policy", "-f", "game.yaml"][..], more].concat());
    let all = run(&[]);
    assert_eq!(all.code, 0, "{}", all.talk);
    let documents: Vec<Value> = serde_json::from_str(&all.data).unwrap();
    assert!(all.talk.contains("comes in 2 parts") && all.talk.contains("--part 2"), "{}", all.talk);
    for (place, document) in documents.iter().enumerate() {
        let one = run(&["--part", &(place + 1).to_string()]);
        assert_eq!(serde_json::from_str::<Value>(&one.data).unwrap(), *document);
        assert!(!one.talk.contains("parts"), "{}", one.talk);
    }
    let told: Value = serde_json::from_str(&run(&["-o", "json"]).data).unwrap();
    assert_eq!(told["format"], "rgctl.dev/iam-policy/v2");
    assert_eq!(told["policies"][1]["policy"], documents[1]);
    assert_eq!((&told["policies"][1]["part"], &told["policies"][1]["of"]), (&2.into(), &2.into()));
    let wrong = run(&["--part", "3"]);
    assert_eq!((wrong.code, wrong.data.as_str()), (6, ""));
    assert!(wrong.talk.contains("there is no part 3: the policy has 2"), "{}", wrong.talk);
}
