//! Laws of observation, for every list and every kind: each field that the service tells comes back, each status word
//! is understood, pages are read to the last, and a list that failed is a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use rgctl_aws::clients::AwsOptions;
use rgctl_model::address::Address;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::kinds::{AnyAttrs, AttrsVisitor, Kind, KindId};
use rgctl_model::observed::{Inventory, Observed, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Cloud, Permit};
use rgctl_schema::names::{BlueprintName, Token};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::table::Attrs;
use rgctl_schema::time::Moment;
use serde_json::{Value, json};

use super::bodies::{ALONE, LISTS, MODELS, PARAMETERS};
use super::models::{List, Model, list_named};
use super::replay::{Answer, Sent, cloud, refusal, xml};
use rgctl_testkit::fixtures::{address, region};

/// The status of an object that is at rest.
fn at_rest(model: &Model) -> String {
    model.kind.facts().statuses[0].0.to_owned()
}

/// A service in which everything is there once, as one of the two examples.
fn whole(example: usize) -> impl Fn(&Sent) -> Option<Answer> + Send + Sync {
    move |sent| match list_named(&sent.operation) {
        Some(list) => Some(list.page(&list.items(example, &at_rest), None)),
        None => tags(sent),
    }
}

/// The tags of one object, by the call for one object.
fn tags(sent: &Sent) -> Option<Answer> {
    if sent.operation != "ListTagsForResource" {
        return None;
    }
    let body = json!({"tags": [{"key": "team", "value": "data"}]}).to_string();
    Some(match &sent.json {
        Some(_) => (200, "application/x-amz-json-1.1", body),
        None => xml(&sent.operation, "<TagList><Tag><Key>team</Key><Value>data</Value></Tag></TagList>"),
    })
}

fn ours() -> Selection {
    Selection {
        regions: BTreeSet::from([region("us-east-1")]),
        owner: Some(BlueprintName::new("game").unwrap()),
        ..Selection::default()
    }
}

async fn look(script: impl Fn(&Sent) -> Option<Answer> + Send + Sync + 'static) -> Inventory {
    let (cloud, _) = cloud(AwsOptions::default(), script);
    cloud.observe(&ours()).await.unwrap()
}

fn address_of(model: &Model) -> Address {
    address("us-east-1", model.kind, model.name)
}

fn find<'a>(inventory: &'a Inventory, model: &Model) -> &'a Observed {
    let address = address_of(model);
    inventory
        .seen
        .get(&address)
        .unwrap_or_else(|| panic!("{address} was not seen; gaps: {:?}", inventory.gaps))
}

/// The fields of a kind: name, type, whether the service hides it.
struct Fields;
impl AttrsVisitor for Fields {
    type Out = Vec<(&'static str, &'static str, bool)>;
    fn visit<K: Kind>(self, _: &K::Attrs) -> Self::Out {
        K::Attrs::FIELDS.iter().map(|field| (field.name, field.type_name, field.unseen)).collect()
    }
}

/// Fields that are no member of an answer: the status tells them, or a tag. Each has a test of its own.
const BY_STATUS: &[(KindId, &str)] = &[
    (KindId::RedshiftCluster, "paused"),
    (KindId::AuroraCluster, "master_secret"),
    (KindId::AuroraCluster, "master_secret_arn"),
    (KindId::DocumentCluster, "master_secret"),
    (KindId::DocumentCluster, "master_secret_arn"),
];

#[tokio::test]
async fn every_readable_field_of_every_kind_comes_back() {
    let told: BTreeSet<KindId> = MODELS.iter().map(|model| model.kind).collect();
    assert_eq!(told, KindId::ALL.iter().copied().collect(), "every kind has a body");
    for example in 0..2 {
        let inventory = look(whole(example)).await;
        assert_eq!(inventory.gaps, []);
        assert_eq!(inventory.seen.len(), MODELS.len(), "nothing is seen twice, and nothing else");
        for model in MODELS {
            let seen = find(&inventory, model);
            for (field, type_name, unseen) in AnyAttrs::empty(model.kind).with(Fields) {
                let meant = model.meant(field, type_name, example);
                let place = format!("{} {field}", address_of(model));
                if BY_STATUS.contains(&(model.kind, field)) {
                    continue;
                }
                assert!(meant.is_some() || unseen, "{place}: no answer tells it, though it is compared");
                if let Some(meant) = meant {
                    assert_eq!(seen.attrs.get(field), Some(meant.clone()), "{place}");
                    let other = model.meant(field, type_name, 1 - example);
                    assert_ne!(Some(meant), other, "{place}: two examples");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_field_comes_back_too_times_endpoints_members_and_tags() {
    let inventory = look(whole(1)).await;
    let then = Moment::from_secs(1_793_527_200);
    assert_eq!(then.rfc3339(), "2026-11-01T10:00:00Z");
    for model in MODELS {
        let (seen, address) = (find(&inventory, model), address_of(model));
        let tells = |text: &str| model.parts.iter().any(|part| part.lines.contains(text));
        let is_dated = tells("2026-11-01T10:00:00Z") || tells("1793527200");
        assert_eq!(seen.facts.created, is_dated.then_some(then), "{address}");
        let endpoint = format!("{}.example", model.name);
        assert_eq!(seen.facts.endpoint, tells("{name}.example").then_some(endpoint), "{address}");
        assert_eq!(seen.facts.arn.is_some(), tells("arn:aws:"), "{address}");
        assert_eq!(seen.facts.tags.get("team").map(String::as_str), Some("data"), "{address}");
    }
    let of = |kind| &inventory.seen[&address("us-east-1", kind, "game-it")].facts;
    for (kind, name) in [(KindId::AuroraCluster, "game-it"), (KindId::DocumentCluster, "game-documents")] {
        let cooling = inventory.seen[&address("us-east-1", kind, name)].facts.cool_down.as_deref().unwrap();
        let told = (cooling.field.as_str(), cooling.value.as_str(), cooling.until.rfc3339());
        assert_eq!(told, ("storage_kind", "io-optimized", "2026-12-01T10:00:00Z".to_owned()));
    }
    let members = |kind| -> Vec<String> {
        let members = of(kind).members.iter();
        members.map(|one| format!("{} {} {}", one.region, one.name, one.role)).collect()
    };
    let world = ["us-east-1 game-use1 writer", "us-west-2 game-usw2 reader"];
    assert_eq!(members(KindId::AuroraGlobal), world);
    assert_eq!(members(KindId::CacheGlobal), world);
    assert_eq!(members(KindId::AuroraCluster), ["us-east-1 game-it writer", "us-east-1 game-it-2 reader"]);
    let nodes =
        ["us-east-1 game-it-001 writer", "us-east-1 game-it-002 reader", "us-east-1 game-it-003 reader"];
    assert_eq!(members(KindId::CacheGroup), nodes);
    assert_eq!(of(KindId::AuroraInstance).role, Some(Role::Writer));
}

#[tokio::test]
async fn tags_come_from_one_sweep_and_only_what_it_does_not_know_is_asked_for_alone() {
    let inventory = look(whole(0)).await;
    let arns: Vec<String> = inventory.seen.values().filter_map(|seen| seen.facts.arn.clone()).collect();
    let all: Vec<Value> = arns
        .iter()
        .map(|arn| {
            let ours = json!({"Key": "rgctl:blueprint", "Value": "game"});
            json!({"ResourceARN": arn, "Tags": [ours, {"Key": "team", "Value": "swept"}]})
        })
        .collect();
    let (first, second) = all.split_at(all.len() / 2);
    let pages = [
        json!({"ResourceTagMappingList": first, "PaginationToken": "next"}).to_string(),
        json!({"ResourceTagMappingList": second, "PaginationToken": ""}).to_string(),
    ];
    let (cloud, log) = cloud(AwsOptions::default(), move |sent| {
        if sent.operation != "GetResources" {
            return whole(0)(sent);
        }
        let asked = sent.json.as_ref().and_then(|body| body["PaginationToken"].as_str());
        let page = usize::from(asked.is_some_and(|token| !token.is_empty()));
        Some((200, "application/x-amz-json-1.1", pages[page].clone()))
    });
    let swept = cloud.observe(&ours()).await.unwrap();
    let alone = log.lock().unwrap().iter().filter(|sent| sent.operation == "ListTagsForResource").count();
    assert_eq!(alone, 0);
    let by_sweep = swept.seen.values().filter(|seen| seen.facts.tags["team"] == "swept").count();
    assert!(by_sweep >= 14, "{by_sweep}");
}

#[tokio::test]
async fn an_object_that_a_blueprint_names_is_asked_about_when_the_sweep_does_not_know_it() {
    // A subnet group under a name of its own: its list tells no tags, and the index lags behind.
    let (cloud, log) = cloud(AwsOptions::default(), |sent| match sent.operation.as_str() {
        "DescribeDBSubnetGroups" => Some(xml(
            &sent.operation,
            "<DBSubnetGroups>\
             <DBSubnetGroup><DBSubnetGroupName>old-net</DBSubnetGroupName><DBSubnetGroupArn>arn:aws:rds:us-east-1:1:subgrp:old-net</DBSubnetGroupArn></DBSubnetGroup>\
             <DBSubnetGroup><DBSubnetGroupName>other</DBSubnetGroupName><DBSubnetGroupArn>arn:aws:rds:us-east-1:1:subgrp:other</DBSubnetGroupArn></DBSubnetGroup>\
             </DBSubnetGroups>",
        )),
        "ListTagsForResource" => Some(xml(
            &sent.operation,
            "<TagList><Tag><Key>rgctl:blueprint</Key><Value>game</Value></Tag></TagList>",
        )),
        _ => None,
    });
    let named = address("us-east-1", KindId::RdsSubnetGroup, "old-net");
    let scope = Selection { owner: None, named: BTreeSet::from([named.clone()]), ..ours() };
    let seen = cloud.observe(&scope).await.unwrap().seen;
    assert_eq!(seen[&named].owner(), Some("game"));
    assert_eq!(seen[&address("us-east-1", KindId::RdsSubnetGroup, "other")].owner(), None);
    let alone = log.lock().unwrap().iter().filter(|sent| sent.operation == "ListTagsForResource").count();
    assert_eq!(alone, 1, "what nobody names is not worth a question");
}

#[tokio::test]
async fn every_status_word_has_its_phase_and_an_unknown_one_is_unknown() {
    let most = KindId::ALL.iter().map(|kind| kind.facts().statuses.len()).max().unwrap();
    // One word more than the longest table: nobody knows it.
    let word_of = |model: &Model, round: usize| match model.kind.facts().statuses.get(round) {
        Some(status) => status.0.to_owned(),
        None => "never-heard-of".to_owned(),
    };
    for round in 0..=most {
        let inventory = look(move |sent: &Sent| match list_named(&sent.operation) {
            Some(list) => Some(list.page(&list.items(0, &|model| word_of(model, round)), None)),
            None => tags(sent),
        })
        .await;
        for model in
            MODELS.iter().filter(|model| model.parts.iter().any(|part| part.lines.contains("{status}")))
        {
            let facts = &find(&inventory, model).facts;
            let wanted = match model.kind.facts().statuses.get(round) {
                Some(status) => status.1.phase(status.0),
                None => Phase::Unknown("never-heard-of".into()),
            };
            assert_eq!(facts.phase, wanted, "{}: {}", address_of(model), facts.native);
        }
    }
}

/// A page that holds the same objects under other names, then the objects themselves.
fn in_two_pages(round: Vec<&'static List>) -> impl Fn(&Sent) -> Option<Answer> + Send + Sync {
    move |sent| {
        let Some(list) = answer_of(sent, &round) else { return whole(0)(sent) };
        let operation = list.operation;
        let token = ["nextToken", "NextToken"].iter().find_map(|mark| sent.json.as_ref()?[*mark].as_str());
        let token = token.map(str::to_owned);
        let marks = [sent.parameters.get("Marker"), sent.parameters.get("NextToken"), token.as_ref()];
        Some(match marks.into_iter().flatten().next() {
            None => {
                let others = MODELS.iter().filter_map(|model| {
                    model.item(operation, &format!("{}-first", model.name), 0, &at_rest(model))
                });
                list.page(&others.collect::<Vec<_>>(), Some("the-second"))
            }
            Some(mark) => {
                assert_eq!(mark, "the-second", "{operation}");
                list.page(&list.items(0, &at_rest), None)
            }
        })
    }
}

/// The lists in rounds: one of each service at a time, since a gap is of a service.
fn rounds() -> Vec<Vec<&'static List>> {
    let mut rounds: Vec<Vec<&List>> = Vec::new();
    for list in LISTS {
        match rounds.iter_mut().find(|round| round.iter().all(|one| one.service != list.service)) {
            Some(round) => round.push(list),
            None => rounds.push(vec![list]),
        }
    }
    rounds
}

/// The objects that exist because one of these lists names them.
fn told_by(round: &[&'static List]) -> Vec<&'static Model> {
    let names = |model: &&Model| round.iter().any(|list| list.operation == model.parts[0].operation);
    MODELS.iter().filter(names).collect()
}

fn answer_of(sent: &Sent, round: &[&'static List]) -> Option<&'static List> {
    list_named(&sent.operation).filter(|list| round.iter().any(|one| one.operation == list.operation))
}

#[tokio::test]
async fn every_list_is_read_to_its_last_page() {
    let one_page = look(whole(0)).await;
    for round in rounds() {
        let (cloud, log) = cloud(AwsOptions::default(), in_two_pages(round.clone()));
        let inventory = cloud.observe(&ours()).await.unwrap();
        assert_eq!(inventory.gaps, []);
        for (address, seen) in &one_page.seen {
            assert_eq!(inventory.seen.get(address), Some(seen), "the second page");
        }
        for model in told_by(&round) {
            let first = address("us-east-1", model.kind, &format!("{}-first", model.name));
            assert!(inventory.seen.contains_key(&first), "{first}");
        }
        for list in round {
            let pages = log.lock().unwrap().iter().filter(|sent| sent.operation == list.operation).count();
            assert_eq!(pages, 2, "{}", list.operation);
        }
    }
}

fn refused(list: &List, code: &str) -> Answer {
    if list.is_json() {
        let body = json!({"__type": code, "message": "no"}).to_string();
        return (400, "application/x-amz-json-1.1", body);
    }
    refusal(400, code, "no")
}

fn endpoints(round: &[&'static List]) -> BTreeSet<Endpoint> {
    let of = |list: &&List| match list.service {
        "rds" => Endpoint::Rds,
        "elasticache" => Endpoint::ElastiCache,
        "redshift" => Endpoint::Redshift,
        "secretsmanager" => Endpoint::SecretsManager,
        _ => Endpoint::RedshiftServerless,
    };
    round.iter().map(of).collect()
}

fn gaps(inventory: &Inventory) -> BTreeSet<Endpoint> {
    inventory.gaps.iter().map(|gap| gap.endpoint).collect()
}

#[tokio::test]
async fn a_list_whose_second_page_is_refused_is_a_gap_that_lasts_and_never_half_a_list() {
    for round in rounds() {
        let (pages, asked) = (in_two_pages(round.clone()), round.clone());
        let inventory = look(move |sent| {
            let text = format!("{:?} {:?}", sent.parameters, sent.json);
            let no = |list| refused(list, "AccessDeniedException");
            if text.contains("the-second") { answer_of(sent, &asked).map(no) } else { pages(sent) }
        })
        .await;
        assert_eq!(gaps(&inventory), endpoints(&round));
        for (gap, list) in inventory.gaps.iter().flat_map(|gap| round.iter().map(move |list| (gap, list))) {
            assert!(gap.lasting, "a permission does not come by itself");
            let is_its = endpoints(&[*list]).contains(&gap.endpoint);
            assert!(!is_its || gap.why.contains(list.operation), "{gap:?}");
        }
        for model in told_by(&round) {
            assert!(
                !inventory
                    .seen
                    .keys()
                    .any(|address| address.kind == model.kind && address.name.as_str().ends_with("first"))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_list_is_asked_again_when_it_was_throttled_and_is_a_gap_when_it_stays_so() {
    for round in rounds() {
        for stays in [false, true] {
            let (asked, throttled) = (round.clone(), std::sync::Mutex::new(BTreeSet::new()));
            let inventory = look(move |sent| match answer_of(sent, &asked) {
                Some(list) if throttled.lock().unwrap().insert(list.operation) || stays => {
                    Some(refused(list, "ThrottlingException"))
                }
                _ => whole(0)(sent),
            })
            .await;
            let wanted = if stays { endpoints(&round) } else { BTreeSet::new() };
            assert_eq!(gaps(&inventory), wanted, "{:?}", inventory.gaps);
            assert!(inventory.gaps.iter().all(|gap| !gap.lasting));
        }
    }
}

/// What an endpoint says when it is asked for a list.
type Says = fn(&List) -> Answer;

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_understood_is_a_gap_and_one_that_is_not_known_is_empty() {
    let unknown = |list: &List| {
        refused(list, if list.is_json() { "UnknownOperationException" } else { "InvalidAction" })
    };
    let garbage = |_: &List| -> Answer { (200, "text/plain", "{<not what was asked for".to_owned()) };
    let page = |_: &List| -> Answer { (500, "text/html", "<html>Internal Server Error</html>".to_owned()) };
    let cases: [(Says, Option<&str>, bool); 4] = [
        (garbage, None, true),
        (page, None, true),
        (page, Some("http://127.0.0.1:9"), false),
        (unknown, None, false),
    ];
    for round in rounds() {
        for (number, (says, url, is_gap)) in cases.into_iter().enumerate() {
            let asked = round.clone();
            let options = AwsOptions { endpoint_url: url.map(str::to_owned), ..AwsOptions::default() };
            let (cloud, _) = cloud(options, move |sent| match answer_of(sent, &asked) {
                Some(list) => Some(says(list)),
                None => whole(0)(sent),
            });
            let inventory = cloud.observe(&ours()).await.unwrap();
            let wanted = if is_gap { endpoints(&round) } else { BTreeSet::new() };
            assert_eq!(gaps(&inventory), wanted, "case {number}: {:?}", inventory.gaps);
            for model in told_by(&round) {
                assert!(
                    !inventory.seen.contains_key(&address_of(model)),
                    "case {number}: {}",
                    address_of(model)
                );
            }
        }
    }
}

#[tokio::test]
async fn what_a_change_still_waits_for_is_told() {
    let waits: &[(&str, &str, &str)] = &[
        (
            "DescribeDBClusters",
            "</DBCluster>",
            "<PendingModifiedValues><BackupRetentionPeriod>3</BackupRetentionPeriod></PendingModifiedValues>",
        ),
        (
            "DescribeDBInstances",
            "</DBInstance>",
            "<PendingModifiedValues><DBInstanceClass>db.r7g.xlarge</DBInstanceClass></PendingModifiedValues>",
        ),
        (
            "DescribeReplicationGroups",
            "</ReplicationGroup>",
            "<PendingModifiedValues><Resharding><SlotMigration><ProgressPercentage>40</ProgressPercentage></SlotMigration>\
             </Resharding><AutomaticFailoverStatus>enabled</AutomaticFailoverStatus><UserGroups><UserGroupIdsToAdd>\
             <member>game-new</member></UserGroupIdsToAdd></UserGroups><ClusterMode>compatible</ClusterMode></PendingModifiedValues>",
        ),
        (
            "DescribeCacheClusters",
            "</CacheCluster>",
            "<PendingModifiedValues><CacheNodeType>cache.r7g.2xlarge</CacheNodeType><EngineVersion>8.1</EngineVersion></PendingModifiedValues>",
        ),
        (
            "DescribeClusters",
            "</Cluster>",
            "<PendingModifiedValues><NodeType>ra3.4xlarge</NodeType><NumberOfNodes>6</NumberOfNodes>\
             <AutomatedSnapshotRetentionPeriod>3</AutomatedSnapshotRetentionPeriod><PubliclyAccessible>false</PubliclyAccessible>\
             <EnhancedVpcRouting>false</EnhancedVpcRouting><EncryptionType>KMS</EncryptionType></PendingModifiedValues>",
        ),
    ];
    let inventory = look(move |sent| {
        let (status, kind, body) = whole(0)(sent)?;
        let waiting = waits.iter().find(|(operation, ..)| *operation == sent.operation);
        let body = waiting.map_or(body.clone(), |(_, end, more)| body.replace(end, &format!("{more}{end}")));
        Some((status, kind, body))
    })
    .await;
    let pending = |kind: KindId| -> BTreeMap<&'static str, Value> {
        let seen = &inventory.seen[&address("us-east-1", kind, "game-it")];
        seen.pending.as_ref().map(AnyAttrs::set_fields).unwrap_or_default().into_iter().collect()
    };
    assert_eq!(pending(KindId::AuroraCluster), BTreeMap::from([("backup_retention_days", json!(3))]));
    assert_eq!(pending(KindId::AuroraInstance), BTreeMap::from([("class", json!("db.r7g.xlarge"))]));
    let group = [
        ("shards", json!(2)),
        ("cluster_mode", json!("compatible")),
        ("automatic_failover", json!(true)),
        ("user_group", json!("game-new")),
        ("node_type", json!("cache.r7g.2xlarge")),
        ("engine_version", json!("8.1")),
    ];
    assert_eq!(pending(KindId::CacheGroup), BTreeMap::from(group));
    let cluster = [
        ("node_type", json!("ra3.4xlarge")),
        ("nodes", json!(6)),
        ("snapshot_retention_days", json!(3)),
        ("publicly_accessible", json!(false)),
        ("enhanced_vpc_routing", json!(false)),
        ("encrypted", json!(true)),
    ];
    assert_eq!(pending(KindId::RedshiftCluster), BTreeMap::from(cluster));
}

#[tokio::test]
async fn a_paused_warehouse_is_told_by_its_status() {
    let inventory = look(|sent: &Sent| match list_named(&sent.operation) {
        Some(list) => Some(list.page(&list.items(0, &|_| "paused".to_owned()), None)),
        None => tags(sent),
    })
    .await;
    let cluster = &inventory.seen[&address("us-east-1", KindId::RedshiftCluster, "game-it")];
    assert_eq!((cluster.attrs.get("paused"), &cluster.facts.phase), (Some(json!(true)), &Phase::Stopped));
}

#[tokio::test]
async fn a_tag_tells_from_which_secret_a_password_was_set_unless_the_service_keeps_it_again() {
    let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:theirs-Ab12Cd";
    // The first example has a password that the service keeps, the second has not.
    for (example, told, own, theirs) in
        [(0, "game-it", None, None), (1, "game-it", Some("game-it"), None), (1, arn, None, Some(arn))]
    {
        let tag = format!("<Tag><Key>rgctl:master-secret</Key><Value>{told}</Value></Tag></TagList>");
        let inventory = look(move |sent| {
            let (status, kind, body) = whole(example)(sent)?;
            let is_list = sent.operation == "DescribeDBClusters";
            Some((status, kind, if is_list { body.replace("</TagList>", &tag) } else { body }))
        })
        .await;
        assert_eq!(inventory.gaps, []);
        for kind in [KindId::AuroraCluster, KindId::DocumentCluster] {
            let model = MODELS.iter().find(|model| model.kind == kind).unwrap();
            let attrs = &find(&inventory, model).attrs;
            let seen = (attrs.text("master_secret"), attrs.text("master_secret_arn"));
            assert_eq!(seen, (own.map(str::to_owned), theirs.map(str::to_owned)), "{kind} {example} {told}");
        }
    }
}

#[tokio::test]
async fn a_role_that_the_service_keeps_for_itself_is_none_of_ours() {
    let arn = "arn:aws:iam::1:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX";
    let first = json!(["arn:aws:iam::1:role/one"]);
    for (operation, end, one, kind, told) in [
        ("DescribeClusters", "</IamRoles>", "ClusterIamRole><IamRoleArn", KindId::RedshiftCluster, &first),
        (
            "DescribeDBClusters",
            "</AssociatedRoles>",
            "DBClusterRole><RoleArn",
            KindId::AuroraCluster,
            &json!(["s3Import=arn:aws:iam::1:role/one"]),
        ),
    ] {
        let close: Vec<&str> = one.split("><").collect();
        let more = format!("<{one}>{arn}</{}></{}>{end}", close[1], close[0]);
        let inventory = look(move |sent| {
            let (status, kind, body) = whole(0)(sent)?;
            let body = if sent.operation == operation { body.replace(end, &more) } else { body };
            assert!(sent.operation != operation || body.contains(arn), "{body}");
            Some((status, kind, body))
        })
        .await;
        let model = MODELS.iter().find(|model| model.kind == kind).unwrap();
        assert_eq!(find(&inventory, model).attrs.get("iam_roles").as_ref(), Some(told));
    }
}

#[tokio::test]
async fn a_copy_of_a_secret_of_another_region_is_no_secret_of_this_one() {
    let inventory = look(|sent| {
        let (status, kind, body) = whole(0)(sent)?;
        Some((status, kind, body.replace(r#""PrimaryRegion":"us-east-1""#, r#""PrimaryRegion":"eu-west-1""#)))
    })
    .await;
    assert_eq!(inventory.gaps, []);
    assert!(inventory.seen.keys().all(|address| address.kind != KindId::Secret));
}

#[tokio::test]
async fn parameters_are_asked_for_once_by_a_process_and_again_after_a_change_of_its_own() {
    let (cloud, log) = cloud(AwsOptions::default(), whole(0));
    let asked = || {
        let log = log.lock().unwrap();
        log.iter().filter(|sent| PARAMETERS.iter().any(|list| list.operation == sent.operation)).count()
    };
    let groups = MODELS
        .iter()
        .filter(|model| AnyAttrs::empty(model.kind).with(Fields).iter().any(|one| one.0 == "parameters"));
    let groups = groups.count();
    for _ in 0..3 {
        let inventory = cloud.observe(&ours()).await.unwrap();
        assert_eq!(asked(), groups);
        let group = &inventory.seen[&address("us-east-1", KindId::CacheParameters, "game-it")];
        assert_eq!(group.attrs.get("parameters"), Some(json!({"timeout": "1"})));
    }
    let changed = address("us-east-1", KindId::CacheParameters, "game-it");
    let tag = Op::Tag { address: changed, tags: BTreeMap::from([("team".to_owned(), "games".to_owned())]) };
    cloud.call(&tag, &Token("t".into()), &Permit::always()).await.unwrap();
    cloud.observe(&ours()).await.unwrap();
    assert_eq!(asked(), groups + 1);
}

#[test]
fn the_bodies_are_kept_for_a_check_against_the_published_models() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("answers.jsonl");
    let mut lines = std::fs::File::create(&file).unwrap();
    for list in LISTS.iter().chain(PARAMETERS).chain(ALONE) {
        for example in 0..2 {
            let (_, _, body) = list.page(&list.items(example, &at_rest), Some("next"));
            let line = json!({"service": list.service, "operation": list.operation, "body": body});
            writeln!(lines, "{line}").unwrap();
        }
    }
    // Which words each kind knows, for the models that publish theirs.
    for kind in KindId::ALL {
        let words: Vec<&str> = kind.facts().statuses.iter().map(|status| status.0).collect();
        writeln!(lines, "{}", json!({"kind": kind.as_str(), "statuses": words})).unwrap();
    }
}
