//! Laws of requests: every field reaches the wire, and every call is in the table that permissions come from.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use rgctl_aws::clients::{Attempt, AwsOptions};
use rgctl_engine::planning::tables;
use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, AttrsVisitor, Kind, KindId};
use rgctl_model::observed::Selection;
use rgctl_model::plan::{Op, Verb};
use rgctl_model::ports::{Cloud, CloudError, Permit};
use rgctl_permissions::operations::{self, WITHIN_OTHERS, action_of};
use rgctl_permissions::{PolicyFor, policy};
use rgctl_schema::names::{BlueprintName, Name, Token};
use rgctl_schema::table::{Attrs, Change, FieldChange};
use serde_json::{Value, json};

use super::replay::{Answer, Sent, cloud, refusal, xml};
use rgctl_testkit::fixtures::{address, region};

/// A field: name, what changing it does, two values that it can have.
type Field = (&'static str, Change, [Value; 2]);

struct Fields;
impl AttrsVisitor for Fields {
    type Out = Vec<Field>;
    fn visit<K: Kind>(self, _: &K::Attrs) -> Vec<Field> {
        let changes = tables::changes(K::ID).into_iter();
        let fields = K::Attrs::FIELDS.iter().zip(changes);
        fields.map(|(field, (name, change))| (name, change, samples(name, field.type_name))).collect()
    }
}

fn samples(name: &str, type_name: &str) -> [Value; 2] {
    match (name, type_name) {
        ("source_region" | "snapshot_copy_region", _) => [json!("us-east-2"), json!("us-west-1")],
        ("replica_regions", _) => [json!(["us-west-2"]), json!(["eu-west-1"])],
        ("parameters", _) => [json!({"a": "1"}), json!({"a": "2"})],
        (_, "bool") => [json!(true), json!(false)],
        (_, "u16" | "u32" | "u64") => [json!(3), json!(4)],
        (_, "BTreeSet<String>") => [json!(["useractivitylog"]), json!(["userlog"])],
        (_, "AuroraEngine") => [json!("aurora-mysql"), json!("aurora-postgresql")],
        (_, "StorageKind") => [json!("standard"), json!("io-optimized")],
        (_, "CacheEngine") => [json!("valkey"), json!("redis")],
        (_, "ClusterMode") => [json!("enabled"), json!("disabled")],
        (_, "TransitEncryption") => [json!(true), json!("preferred")],
        _ => [json!("one"), json!("two")],
    }
}

/// Answers to the questions that calls put before they change something.
fn script(sent: &Sent) -> Option<Answer> {
    let inner = match sent.operation.as_str() {
        "DescribeReplicationGroups" => {
            "<ReplicationGroups><ReplicationGroup><ReplicationGroupId>game-cache</ReplicationGroupId>\
             <UserGroupIds><member>zero</member></UserGroupIds><NodeGroups>\
             <NodeGroup><NodeGroupId>0001</NodeGroupId><NodeGroupMembers><NodeGroupMember/><NodeGroupMember/>\
             <NodeGroupMember/><NodeGroupMember/></NodeGroupMembers></NodeGroup></NodeGroups>\
             </ReplicationGroup></ReplicationGroups>"
        }
        "DescribeGlobalReplicationGroups" => {
            "<GlobalReplicationGroups>\
             <GlobalReplicationGroup><GlobalReplicationGroupId>ldgnf-one</GlobalReplicationGroupId></GlobalReplicationGroup>\
             <GlobalReplicationGroup><GlobalReplicationGroupId>ldgnf-two</GlobalReplicationGroupId></GlobalReplicationGroup>\
             <GlobalReplicationGroup><GlobalReplicationGroupId>ldgnf-game-it</GlobalReplicationGroupId></GlobalReplicationGroup>\
             </GlobalReplicationGroups>"
        }
        "DescribeUserGroups" => {
            "<UserGroups><member><UserGroupId>game-it</UserGroupId><UserIds><member>zero</member></UserIds></member></UserGroups>"
        }
        "DescribeClusters" => {
            "<Clusters><Cluster><ClusterIdentifier>game-it</ClusterIdentifier><NodeType>ra3.large</NodeType>\
             <NumberOfNodes>2</NumberOfNodes></Cluster></Clusters>"
        }
        "DescribeNodeConfigurationOptions" => {
            "<NodeConfigurationOptionList><NodeConfigurationOption><NodeType>ra3.large</NodeType>\
             <NumberOfNodes>4</NumberOfNodes></NodeConfigurationOption></NodeConfigurationOptionList>"
        }
        "DescribeDBSubnetGroups" => {
            "<DBSubnetGroups><DBSubnetGroup><DBSubnetGroupName>game-it</DBSubnetGroupName><Subnets><Subnet>\
             <SubnetIdentifier>subnet-1</SubnetIdentifier></Subnet></Subnets></DBSubnetGroup></DBSubnetGroups>"
        }
        "DescribeClusterSubnetGroups" => {
            "<ClusterSubnetGroups><ClusterSubnetGroup><ClusterSubnetGroupName>game-it</ClusterSubnetGroupName><Subnets>\
             <Subnet><SubnetIdentifier>subnet-1</SubnetIdentifier></Subnet></Subnets></ClusterSubnetGroup></ClusterSubnetGroups>"
        }
        "GetNamespace" | "GetWorkgroup" => {
            let body = json!({
                "namespace": {"namespaceArn": "arn:aws:redshift-serverless:us-east-1:111122223333:namespace/id"},
                "workgroup": {"workgroupArn": "arn:aws:redshift-serverless:us-east-1:111122223333:workgroup/id"},
            });
            return Some((200, "application/x-amz-json-1.1", body.to_string()));
        }
        "GetRandomPassword" => return Some(fields(&json!({ "RandomPassword": DRAWN }))),
        "GetSecretValue" => {
            let content = json!({ "username": "rgctladmin", "password": HELD }).to_string();
            return Some(fields(&json!({ "SecretString": content })));
        }
        "DescribeSecret" => {
            let tag = json!({ "Key": "rgctl:blueprint", "Value": "game" });
            let copy = json!({ "Region": "ap-southeast-2" });
            return Some(fields(&json!({ "Tags": [tag], "ReplicationStatus": [copy] })));
        }
        _ => return None,
    };
    Some(xml(&sent.operation, inner))
}

/// A password that the service draws, and one that a secret holds.
const DRAWN: &str = "DrawnDrawnDrawnDrawnDrawnDrawnDrawnDrawn";
const HELD: &str = "HeldHeldHeldHeldHeldHeldHeldHeldHeldHeld";

fn fields(fields: &Value) -> Answer {
    (200, "application/x-amz-json-1.1", fields.to_string())
}

/// A secret of that name that is scheduled for deletion.
fn of_a_deleted_secret(sent: &Sent) -> Option<Answer> {
    let body = json!({ "__type": "InvalidRequestException",
        "message": "You can't create this secret because a secret with this name is already scheduled for deletion." });
    if sent.operation == "CreateSecret" {
        return Some((400, "application/x-amz-json-1.1", body.to_string()));
    }
    script(sent)
}

/// The same for a group that is a member of a global datastore of two shards.
fn of_a_member(role: &'static str) -> impl Fn(&Sent) -> Option<Answer> + Send + Sync {
    move |sent| {
        let inner = match sent.operation.as_str() {
            "DescribeReplicationGroups" => format!(
                "<ReplicationGroups><ReplicationGroup><ReplicationGroupId>game-it</ReplicationGroupId>\
                 <GlobalReplicationGroupInfo><GlobalReplicationGroupId>ldgnf-one</GlobalReplicationGroupId>\
                 <GlobalReplicationGroupMemberRole>{role}</GlobalReplicationGroupMemberRole></GlobalReplicationGroupInfo>\
                 </ReplicationGroup></ReplicationGroups>"
            ),
            "DescribeGlobalReplicationGroups" => "<GlobalReplicationGroups><GlobalReplicationGroup>\
                 <GlobalReplicationGroupId>ldgnf-one</GlobalReplicationGroupId><GlobalNodeGroups>\
                 <GlobalNodeGroup><GlobalNodeGroupId>ldgnf-one-0002</GlobalNodeGroupId></GlobalNodeGroup>\
                 <GlobalNodeGroup><GlobalNodeGroupId>ldgnf-one-0001</GlobalNodeGroupId></GlobalNodeGroup>\
                 </GlobalNodeGroups></GlobalReplicationGroup></GlobalReplicationGroups>"
                .to_owned(),
            _ => return script(sent),
        };
        Some(xml(&sent.operation, &inner))
    }
}

/// What is sent for an operation: the calls that change something, and every attempt.
async fn sent_for(op: &Op) -> (Vec<Sent>, Vec<Attempt>) {
    sent_with(op, script).await
}

async fn sent_with(
    op: &Op,
    script: impl Fn(&Sent) -> Option<Answer> + Send + Sync + 'static,
) -> (Vec<Sent>, Vec<Attempt>) {
    let (cloud, log) = cloud(AwsOptions::default(), script);
    cloud
        .call(op, &Token("t-1".into()), &Permit::always())
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", op.step_id()));
    let sent = log.lock().unwrap().clone();
    let changes = sent.into_iter().filter(|sent| !is_read(&sent.operation)).collect();
    (changes, cloud.attempts())
}

fn is_read(operation: &str) -> bool {
    ["Describe", "List", "Get"].iter().any(|word| operation.starts_with(word))
}

fn address_of(kind: KindId) -> Address {
    address("us-east-1", kind, "game-it")
}

/// A field alone, with what it needs to make sense.
fn with(kind: KindId, field: &str, value: &Value) -> AnyAttrs {
    let mut attrs = AnyAttrs::empty(kind);
    if matches!((kind, field), (KindId::AuroraGlobal | KindId::DocumentGlobal, "source_region")) {
        attrs.set("source", Some(json!("game-cluster"))).unwrap();
    }
    if field == "managed_password" && kind.references().iter().any(|one| one.kind == KindId::Secret) {
        // What the service does not keep lies in a secret.
        attrs.set("master_secret", (*value == json!(false)).then(|| json!("game-it"))).unwrap();
    }
    attrs.set(field, Some(value.clone())).unwrap();
    attrs
}

fn create(kind: KindId, attrs: AnyAttrs) -> Op {
    Op::Create { address: address_of(kind), attrs, tags: BTreeMap::from([("team".into(), "data".into())]) }
}

fn modify(kind: KindId, attrs: AnyAttrs) -> Op {
    let changes = tables::diff(&attrs, &AnyAttrs::empty(kind));
    Op::Modify { address: address_of(kind), changes, attrs }
}

/// Fields that a creation cannot carry: they are said of an object that is there, by the plan after it. And the
/// region of a global datastore's source, which is the region that is asked.
const NOT_AT_CREATION: &[(KindId, &str)] = &[
    (KindId::RedshiftCluster, "paused"),
    (KindId::RedshiftCluster, "snapshot_copy_region"),
    (KindId::RedshiftCluster, "snapshot_copy_retention_days"),
    (KindId::CacheGlobal, "source_region"),
    (KindId::AuroraCluster, "instance_parameter_group"),
    (KindId::AuroraCluster, "iam_roles"),
];

/// Fields that follow from other objects, or go with another field only, and have no call of their own.
const NEVER_CHANGED: &[(KindId, &str)] = &[
    (KindId::AuroraGlobal, "engine_version"),
    // A test of its own: with a newer major version.
    (KindId::AuroraCluster, "instance_parameter_group"),
];

/// Copies go to one region at a time: that the old one is given up first is another test's matter.
fn managed() -> impl Iterator<Item = KindId> {
    KindId::ALL.iter().copied().filter(|kind| !kind.facts().observe_only)
}

/// Two operations send different things, each of them always the same: chance would tell any two apart.
async fn assert_told_apart(one: &Op, two: &Op) {
    let (first, _) = sent_for(one).await;
    let (again, _) = sent_for(one).await;
    let (second, _) = sent_for(two).await;
    assert!(!first.is_empty(), "{one:?}");
    assert_eq!(first, again, "{one:?}");
    assert_ne!(first, second, "{one:?}");
}

#[tokio::test]
async fn every_field_reaches_the_request_that_makes_the_object() {
    for kind in managed() {
        for (field, _, [one, two]) in AnyAttrs::empty(kind).with(Fields) {
            if NOT_AT_CREATION.contains(&(kind, field)) {
                continue;
            }
            assert_told_apart(&create(kind, with(kind, field, &one)), &create(kind, with(kind, field, &two)))
                .await;
        }
    }
}

#[tokio::test]
async fn every_field_that_can_change_reaches_the_request_that_changes_it() {
    for kind in managed() {
        for (field, change, [one, two]) in AnyAttrs::empty(kind).with(Fields) {
            if change == Change::Replace || NEVER_CHANGED.contains(&(kind, field)) {
                continue;
            }
            assert_told_apart(&modify(kind, with(kind, field, &one)), &modify(kind, with(kind, field, &two)))
                .await;
        }
    }
}

#[tokio::test]
async fn roles_are_detached_and_attached_one_call_each_and_a_warehouse_takes_all_in_one() {
    let arn = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    let change = |kind, before: Vec<String>, after: Vec<String>| {
        let (mut has, mut wants) = (AnyAttrs::empty(kind), AnyAttrs::empty(kind));
        has.set("iam_roles", Some(json!(before))).unwrap();
        wants.set("iam_roles", Some(json!(after))).unwrap();
        Op::Modify { address: address_of(kind), changes: tables::diff(&wants, &has), attrs: wants }
    };
    let import = format!("s3Import={}", arn("in"));
    let op = change(
        KindId::AuroraCluster,
        vec![import, arn("stays")],
        vec![arn("stays"), format!("s3Import={}", arn("new"))],
    );
    let (sent, _) = sent_for(&op).await;
    let told: Vec<(&str, &str, Option<&str>)> = sent
        .iter()
        .map(|one| {
            let feature = one.parameters.get("FeatureName").map(String::as_str);
            (one.operation.as_str(), one.parameters["RoleArn"].as_str(), feature)
        })
        .collect();
    let (old, new) = (arn("in"), arn("new"));
    assert_eq!(
        told,
        [
            ("RemoveRoleFromDBCluster", &*old, Some("s3Import")),
            ("AddRoleToDBCluster", &*new, Some("s3Import"))
        ]
    );
    // One that the service has already may be there for another feature: it is not taken for done.
    let (cloud, _) = cloud(AwsOptions::default(), |sent| {
        let is_it = sent.operation == "AddRoleToDBCluster";
        if is_it { Some(refusal(400, "DBClusterRoleAlreadyExists", "it is there")) } else { script(sent) }
    });
    let refused = cloud.call(&op, &Token("t-1".into()), &Permit::always()).await.unwrap_err();
    let CloudError::Busy { code, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(code, "DBClusterRoleAlreadyExists");
    let op = change(KindId::RedshiftCluster, vec![arn("old"), arn("stays")], vec![arn("stays"), arn("new")]);
    let (sent, _) = sent_for(&op).await;
    let [one] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(one.operation, "ModifyClusterIamRoles");
    let named = |begin: &str| -> Vec<&str> {
        let found = one.parameters.iter().filter(|(name, _)| name.starts_with(begin));
        found.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!((named("AddIamRoles"), named("RemoveIamRoles")), (vec![&*arn("new")], vec![&*arn("old")]));
}

#[tokio::test]
async fn a_password_is_read_from_its_secret_last_before_the_call_that_sets_it() {
    for kind in [KindId::AuroraCluster, KindId::DocumentCluster] {
        let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:theirs-Ab12Cd";
        for (field, secret) in [("master_secret", "game-it"), ("master_secret_arn", arn)] {
            let attrs = with(kind, field, &json!(secret));
            for (op, calls) in [
                (create(kind, attrs.clone()), vec!["GetSecretValue", "CreateDBCluster"]),
                (modify(kind, attrs), vec!["GetSecretValue", "ModifyDBCluster"]),
            ] {
                let (cloud, log) = cloud(AwsOptions::default(), script);
                cloud.call(&op, &Token("t-1".into()), &Permit::always()).await.unwrap();
                let sent = log.lock().unwrap().clone();
                let made: Vec<&str> = sent.iter().map(|sent| sent.operation.as_str()).take(2).collect();
                assert_eq!(made, calls, "{kind} {field}");
                assert_eq!(sent[0].json, Some(json!({ "SecretId": secret })));
                assert_eq!(sent[1].parameters["MasterUserPassword"], HELD, "{kind} {field}");
                assert!(!sent[1].parameters.contains_key("ManageMasterUserPassword"), "{kind} {field}");
                let texts: Vec<String> =
                    sent[1..].iter().map(|sent| format!("{:?}", sent.parameters)).collect();
                assert!(
                    texts.iter().any(|text| text.contains("rgctl:master-secret") && text.contains(secret))
                );
                assert!(!format!("{op:?} {:?}", cloud.attempts()).contains(HELD));
            }
        }
        let off = with(kind, "managed_password", &json!(false));
        let (sent, _) = sent_for(&modify(kind, off)).await;
        assert_eq!(sent[0].parameters["ManageMasterUserPassword"], "false");
        assert_eq!(sent[0].parameters["MasterUserPassword"], HELD);
    }
}

#[tokio::test]
async fn a_secret_that_holds_no_password_sets_none_and_is_not_told() {
    for content in ["HeldHeld", r#"{"secret":"HeldHeld"}"#, "[]"] {
        let (cloud, log) = cloud(AwsOptions::default(), move |sent| match sent.operation.as_str() {
            "GetSecretValue" => Some(fields(&json!({ "SecretString": content }))),
            _ => script(sent),
        });
        let attrs = with(KindId::AuroraCluster, "master_secret", &json!("game-it"));
        let op = create(KindId::AuroraCluster, attrs);
        let error = cloud.call(&op, &Token("t-1".into()), &Permit::always()).await.unwrap_err();
        assert!(matches!(&error, CloudError::Refused { code, .. } if code == "UnusableSecret"), "{error}");
        assert!(!format!("{error} {error:?}").contains("HeldHeld"), "{error:?}");
        assert!(log.lock().unwrap().iter().all(|sent| sent.operation != "CreateDBCluster"));
    }
}

#[tokio::test]
async fn a_store_whose_secret_is_not_there_is_refused_and_not_absent() {
    let (cloud, _) = cloud(AwsOptions::default(), |sent| match sent.operation.as_str() {
        "GetSecretValue" => {
            let body = json!({ "__type": "ResourceNotFoundException", "Message": "can't find the specified secret" });
            Some((400, "application/x-amz-json-1.1", body.to_string()))
        }
        _ => script(sent),
    });
    for op in
        [create(KindId::AuroraCluster, with(KindId::AuroraCluster, "master_secret", &json!("game-it"))), {
            let attrs = with(KindId::AuroraCluster, "master_secret", &json!("game-it"));
            modify(KindId::AuroraCluster, attrs)
        }]
    {
        let error = cloud.call(&op, &Token("t-1".into()), &Permit::always()).await.unwrap_err();
        assert!(matches!(&error, CloudError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains("the secret game-it is not there"), "{error}");
    }
}

#[tokio::test]
async fn a_secret_is_made_with_a_password_that_is_drawn_for_it_and_deleted_behind_its_copies() {
    let mut attrs = with(KindId::Secret, "username", &json!("rgctladmin"));
    attrs.set("replica_regions", Some(json!(["us-west-2"]))).unwrap();
    attrs.set("kms_key", Some(json!("alias/game"))).unwrap();
    let op = create(KindId::Secret, attrs);
    let (sent, _) = sent_for(&op).await;
    let body = sent[0].json.clone().unwrap();
    assert_eq!((sent.len(), sent[0].operation.as_str()), (1, "CreateSecret"));
    let content: Value = serde_json::from_str(body["SecretString"].as_str().unwrap()).unwrap();
    assert_eq!(content, json!({ "username": "rgctladmin", "password": DRAWN }));
    assert_eq!(body["AddReplicaRegions"], json!([{ "Region": "us-west-2", "KmsKeyId": "alias/game" }]));
    let delete = Op::Delete { address: address_of(KindId::Secret), final_snapshot: None };
    let (sent, _) = sent_for(&delete).await;
    let made: Vec<&str> = sent.iter().map(|sent| sent.operation.as_str()).collect();
    assert_eq!(made, ["RemoveRegionsFromReplication", "DeleteSecret"]);
    assert_eq!(sent[1].json.clone().unwrap()["RecoveryWindowInDays"], 30);
    // One that was deleted is brought back where it was this blueprint's, and left alone where it was not.
    let (cloud, log) = cloud(AwsOptions::default(), of_a_deleted_secret);
    let refused = cloud.call(&op, &Token("t-1".into()), &Permit::always()).await;
    assert!(matches!(refused, Err(CloudError::Conflict { .. })), "{refused:?}");
    assert!(log.lock().unwrap().iter().all(|sent| sent.operation != "RestoreSecret"));
}

#[tokio::test]
async fn a_change_sends_nothing_but_what_changes() {
    let attrs = with(KindId::AuroraCluster, "backup_retention_days", &json!(7));
    let (sent, _) = sent_for(&modify(KindId::AuroraCluster, attrs)).await;
    let parameters: Vec<(&str, &str)> =
        sent[0].parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let wanted =
        [("ApplyImmediately", "true"), ("BackupRetentionPeriod", "7"), ("DBClusterIdentifier", "game-it")];
    assert_eq!(parameters, wanted);
}

#[tokio::test]
async fn of_parameters_that_are_reset_those_wait_for_a_restart_that_the_service_calls_static() {
    let method = |number: usize| format!("Parameters.Parameter.{number}.ApplyMethod");
    let first = method(1);
    let script = move |sent: &Sent| match sent.operation.as_str() {
        "ResetDBClusterParameterGroup" if sent.parameters.get(&first).is_some_and(|at| at == "immediate") => {
            Some(refusal(400, "InvalidParameterCombination", "cannot use immediate apply method"))
        }
        "DescribeDBClusterParameters" => {
            let one = |name: &str, kind: &str| {
                format!(
                    "<Parameter><ParameterName>{name}</ParameterName><ApplyType>{kind}</ApplyType></Parameter>"
                )
            };
            let all = one("binlog_format", "static") + &one("general_log", "dynamic");
            Some(xml(&sent.operation, &format!("<Parameters>{all}</Parameters>")))
        }
        _ => None,
    };
    let kind = KindId::AuroraClusterParameters;
    let out = |name| FieldChange::taking_out("parameters", name, json!("1"), true);
    let changes = ["binlog_format", "general_log"].map(out).into();
    let (sent, _) =
        sent_with(&Op::Modify { address: address_of(kind), changes, attrs: AnyAttrs::empty(kind) }, script)
            .await;
    let methods: Vec<_> =
        sent.iter().map(|sent| [1, 2].map(|n| sent.parameters[&method(n)].as_str())).collect();
    assert_eq!(methods, [["immediate", "immediate"], ["pending-reboot", "immediate"]]);
    assert!(sent.iter().all(|sent| sent.parameters["ResetAllParameters"] == "false"), "{sent:?}");
}

/// Operations on a group that are its datastore's when it is a member of one.
fn operations_of_a_member() -> Vec<Op> {
    let kind = KindId::CacheGroup;
    let change = |field, value| modify(kind, with(kind, field, &value));
    vec![
        change("shards", json!(3)),
        change("shards", json!(1)),
        change("node_type", json!("cache.r7g.xlarge")),
        change("engine_version", json!("8.1")),
    ]
}

#[tokio::test]
async fn shards_and_nodes_of_a_member_are_changed_for_its_whole_datastore_and_by_the_primary_alone() {
    let mut made = Vec::new();
    for op in operations_of_a_member() {
        let (sent, _) = sent_with(&op, of_a_member("PRIMARY")).await;
        assert_eq!(sent.len(), 1, "{}: {sent:?}", op.step_id());
        let parameters = sent[0].parameters.iter().filter(|(name, _)| !name.starts_with("ApplyImm"));
        made.push(
            parameters
                .fold(sent[0].operation.clone(), |text, (name, value)| format!("{text} {name}={value}")),
        );
        // A follower has what its primary has, and is waited for.
        let (cloud, log) = cloud(AwsOptions::default(), of_a_member("SECONDARY"));
        let refused = cloud.call(&op, &Token("t".into()), &Permit::always()).await;
        assert!(matches!(refused, Err(CloudError::Busy { .. })), "{}: {refused:?}", op.step_id());
        assert!(log.lock().unwrap().iter().all(|sent| is_read(&sent.operation)), "{}", op.step_id());
    }
    let id = "GlobalReplicationGroupId=ldgnf-one";
    let wanted = [
        format!("IncreaseNodeGroupsInGlobalReplicationGroup {id} NodeGroupCount=3"),
        format!(
            "DecreaseNodeGroupsInGlobalReplicationGroup \
             GlobalNodeGroupsToRetain.GlobalNodeGroupId.1=ldgnf-one-0001 {id} NodeGroupCount=1"
        ),
        format!("ModifyGlobalReplicationGroup CacheNodeType=cache.r7g.xlarge {id}"),
        format!("ModifyGlobalReplicationGroup EngineVersion=8.1 {id}"),
    ];
    assert_eq!(made, wanted);
}

fn verbs(kind: KindId) -> Vec<Verb> {
    let (to, member) = (region("us-west-2"), Name::new("game-west").unwrap());
    match kind {
        KindId::AuroraGlobal | KindId::DocumentGlobal | KindId::CacheGlobal => vec![
            Verb::Switchover { to: to.clone(), member: member.clone() },
            Verb::FailoverGlobal { to: to.clone(), member: member.clone() },
            Verb::Detach { region: to, member },
        ],
        KindId::AuroraCluster | KindId::DocumentCluster => {
            vec![Verb::Failover { to: Some(member) }, Verb::Start, Verb::Stop]
        }
        KindId::AuroraInstance | KindId::DocumentInstance => vec![Verb::Reboot],
        KindId::CacheGroup => vec![
            Verb::Failover { to: None },
            Verb::Failover { to: Some(member) },
            Verb::TestFailover { shard: "0002".into() },
        ],
        KindId::RedshiftCluster => {
            vec![Verb::Failover { to: None }, Verb::Reboot, Verb::Stop, Verb::Start]
        }
        _ => Vec::new(),
    }
}

/// Every operation of a kind: with all fields at once, with each field alone, and all verbs.
fn all_operations(kind: KindId) -> Vec<Op> {
    let fields = AnyAttrs::empty(kind).with(Fields);
    let mut full = AnyAttrs::empty(kind);
    for (field, _, [value, _]) in &fields {
        if *field != "global" {
            full.set(field, Some(value.clone())).unwrap();
        }
    }
    let mut ops = vec![create(kind, full)];
    for (field, change, values) in fields {
        if field == "global" {
            ops.push(create(kind, with(kind, field, &values[0])));
        }
        if change == Change::Replace || NEVER_CHANGED.contains(&(kind, field)) {
            continue;
        }
        ops.extend(values.iter().map(|value| modify(kind, with(kind, field, value))));
    }
    let mut moved = modify(kind, AnyAttrs::empty(kind));
    if kind == KindId::RedshiftCluster {
        let attrs = with(kind, "snapshot_copy_region", &json!("us-west-1"));
        let before = with(kind, "snapshot_copy_region", &json!("us-east-2"));
        let changes = tables::diff(&attrs, &before);
        moved = Op::Modify { address: address_of(kind), changes, attrs };
        ops.push(moved.clone());
        // And one that ends them.
        let attrs = with(kind, "snapshot_copy_region", &json!("none"));
        ops.push(Op::Modify { address: address_of(kind), changes: tables::diff(&attrs, &before), attrs });
    }
    if kind == KindId::CacheGroup {
        // More replicas than there are, and fewer.
        ops.extend([0, 5].map(|count| modify(kind, with(kind, "replicas_per_shard", &json!(count)))));
    }
    drop(moved);
    if kind == KindId::AuroraCluster {
        // One that takes its only role away.
        let roles = |roles: Value| with(kind, "iam_roles", &roles);
        let changes = tables::diff(&roles(json!([])), &roles(json!(["one"])));
        ops.push(Op::Modify { address: address_of(kind), changes, attrs: roles(json!([])) });
    }
    // A parameter goes back to its default, a tag goes.
    let out = |map: &str| Op::Modify {
        address: address_of(kind),
        changes: vec![FieldChange::taking_out(map, "a", json!("1"), false)],
        attrs: AnyAttrs::empty(kind),
    };
    if AnyAttrs::empty(kind).with(Fields).iter().any(|(field, ..)| *field == "parameters") {
        ops.push(out("parameters"));
    }
    if kind != KindId::CacheGlobal {
        ops.push(out("tags"));
    }
    let snapshot = kind.facts().final_snapshot.map(|_| Name::new("game-final").unwrap());
    ops.push(Op::Delete { address: address_of(kind), final_snapshot: snapshot });
    ops.push(Op::Delete { address: address_of(kind), final_snapshot: None });
    if kind != KindId::CacheGlobal {
        ops.push(Op::Tag {
            address: address_of(kind),
            tags: BTreeMap::from([("team".into(), "games".into())]),
        });
    }
    ops.extend(verbs(kind).into_iter().map(|verb| Op::Act { address: address_of(kind), verb }));
    ops
}

#[tokio::test]
async fn a_group_for_the_members_goes_with_a_newer_major_version_and_with_nothing_else() {
    let kind = KindId::AuroraCluster;
    let attrs = |version: &str, group: &str| {
        let fields =
            [("engine_version", version), ("parameter_group", group), ("instance_parameter_group", group)];
        let mut attrs = AnyAttrs::empty(kind);
        for (field, value) in fields {
            attrs.set(field, Some(json!(value))).unwrap();
        }
        attrs
    };
    let before = attrs("15.10", "old");
    for (version, group, given) in
        [("16.11", "new", Some("new")), ("15.18", "old", None), ("15.10", "new", None)]
    {
        let wanted = attrs(version, group);
        let changes = tables::diff(&wanted, &before);
        let (sent, _) = sent_for(&Op::Modify { address: address_of(kind), changes, attrs: wanted }).await;
        let sent = sent.iter().find(|sent| sent.operation == "ModifyDBCluster").unwrap();
        let told = sent.parameters.get("DBInstanceParameterGroupName").map(String::as_str);
        assert_eq!(told, given, "{version}");
        let is_major = sent.parameters.get("AllowMajorVersionUpgrade").map(String::as_str);
        assert_eq!(is_major == Some("true"), given.is_some(), "{version}");
    }
}

#[tokio::test]
async fn the_table_of_operations_names_the_calls_that_are_made_and_no_others() {
    // The requests are kept for a check against the provider's published models.
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("requests.jsonl");
    let mut lines = std::fs::File::create(&file).unwrap();
    let mut written = 0;
    for kind in managed() {
        let mut made = BTreeSet::new();
        let mut asked = Vec::new();
        for op in all_operations(kind) {
            asked.push(sent_for(&op).await);
        }
        let mut allowed: Vec<&str> = Vec::new();
        if kind == KindId::CacheGlobal {
            // What is asked of a member is done to the datastore, after a look at the member.
            allowed.extend(operations::of(KindId::CacheGroup).reads);
            for op in operations_of_a_member() {
                asked.push(sent_with(&op, of_a_member("PRIMARY")).await);
            }
        }
        if kind == KindId::Secret {
            let mut op = create(kind, AnyAttrs::empty(kind));
            if let Op::Create { tags, .. } = &mut op {
                tags.insert("rgctl:blueprint".into(), "game".into());
            }
            asked.push(sent_with(&op, of_a_deleted_secret).await);
        }
        for (sent, attempts) in asked {
            made.extend(attempts.iter().map(|call| action_of(&call.service, &call.operation)));
            for request in sent {
                let service = if kind.family() == "documentdb" { "docdb" } else { &request.service };
                let line = json!({
                    "service": service, "operation": request.operation,
                    "parameters": request.parameters, "json": request.json,
                });
                writeln!(lines, "{line}").unwrap();
                written += 1;
            }
        }
        let table = operations::of(kind);
        let permitted: BTreeSet<String> = table
            .reads
            .iter()
            .chain(table.writes)
            .chain(operations::ALWAYS)
            .chain(&allowed)
            .map(|action| (*action).to_owned())
            .collect();
        let missing: Vec<_> = made.difference(&permitted).collect();
        assert!(missing.is_empty(), "{kind} calls what no policy allows: {missing:?}");
        let idle: Vec<_> = table
            .writes
            .iter()
            .filter(|action| !made.contains(**action) && !WITHIN_OTHERS.contains(action))
            .collect();
        assert!(idle.is_empty(), "{kind} is allowed what it never calls: {idle:?}");
    }
    println!("{written} requests in {}", file.display());
    assert!(written > 200, "{written}");
}

#[tokio::test]
async fn every_list_of_an_observation_is_permitted_and_every_permitted_list_is_asked() {
    let (cloud, _) = cloud(AwsOptions::default(), |_| None);
    let scope = Selection { regions: BTreeSet::from([region("us-east-1")]), ..Selection::default() };
    let inventory = cloud.observe(&scope).await.unwrap();
    assert_eq!(inventory.gaps, []);
    let asked: BTreeSet<String> =
        cloud.attempts().iter().map(|call| action_of(&call.service, &call.operation)).collect();
    let permitted: BTreeSet<String> = KindId::ALL
        .iter()
        .flat_map(|kind| operations::of(*kind).reads)
        .chain(operations::ALWAYS)
        .map(|action| (*action).to_owned())
        .collect();
    assert!(asked.is_subset(&permitted), "{:?}", asked.difference(&permitted).collect::<Vec<_>>());
    // The least policy of a blueprint of one family, to read only: it allows the whole look, and nothing is a gap.
    let least = PolicyFor {
        blueprint: BlueprintName::new("game").unwrap(),
        kinds: BTreeSet::from([KindId::AuroraCluster]),
        regions: scope.regions.clone(),
        writes: false,
        adopted: BTreeSet::new(),
        secrets: BTreeSet::new(),
        roles: BTreeSet::new(),
        record: None,
    };
    let document = policy(&least).unwrap();
    let allowed: BTreeSet<String> =
        serde_json::from_value(document["Statement"][0]["Action"].clone()).unwrap();
    assert!(asked.is_subset(&allowed), "{:?}", asked.difference(&allowed).collect::<Vec<_>>());
    assert_eq!(allowed, permitted);
    // An empty region costs one call for each list: no object, no further question.
    assert_eq!(cloud.attempts().len(), asked.len());
    let only_of_objects: Vec<&String> = permitted.difference(&asked).collect();
    let wanted = [
        "cloudwatch:GetMetricData",
        "elasticache:DescribeCacheParameters",
        "elasticache:ListTagsForResource",
        "rds:DescribeDBClusterParameters",
        "rds:DescribeDBParameters",
        "rds:ListTagsForResource",
        "redshift-serverless:GetNamespace",
        "redshift-serverless:GetWorkgroup",
        "redshift-serverless:ListTagsForResource",
        "redshift:DescribeClusterParameters",
        "redshift:DescribeNodeConfigurationOptions",
        "secretsmanager:DescribeSecret",
        "servicequotas:ListServiceQuotas",
        "sts:GetCallerIdentity",
    ];
    assert_eq!(only_of_objects, wanted);
}
