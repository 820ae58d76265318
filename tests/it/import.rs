//! Import: what somebody else built becomes a blueprint whose plan is empty, and only tags are set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rgctl::import::{Adoption, ImportInput, adopt};
use rgctl_blueprint::desired;
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_engine::planning::NoFigures;
use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::{Desired, Node, TAG_BLUEPRINT};
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::overlay::Decisions;
use rgctl_model::plan::{Op, Verb};
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Cloud, Permit};
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::Source;
use rgctl_schema::names::{BlueprintName, RegionId, Token};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::Span;
use rgctl_sim::{GENESIS, SimCloud};
use rgctl_store::objects::WorldFile;
use serde_json::{Value, json};

use crate::cli::Place;
use rgctl_testkit::fixtures::{NOW, address, plan_for, region};
use rgctl_testkit::shipped::{SHIPPED, build, catalog};
use rgctl_testkit::site::block_on;

/// Builds objects outside rgctl: no tag of ours, in the order in which they need each other.
fn build_foreign(cloud: &SimCloud, nodes: &BTreeMap<Address, Node>, tags: &BTreeMap<String, String>) {
    let mut made: BTreeSet<Address> = BTreeSet::new();
    while made.len() < nodes.len() {
        let before = made.len();
        for node in nodes.values().filter(|node| !made.contains(&node.address)).cloned().collect::<Vec<_>>() {
            if !node.needs.is_subset(&made) {
                continue;
            }
            let op =
                Op::Create { address: node.address.clone(), attrs: node.attrs.clone(), tags: tags.clone() };
            let token = Token(format!("by hand {}", node.address));
            block_on(cloud.call(&op, &token, &Permit::always()))
                .unwrap_or_else(|error| panic!("{}: {error}", node.address));
            cloud.advance(Span::from_hours(12)).unwrap();
            made.insert(node.address);
        }
        assert!(made.len() > before, "a circle of needs");
    }
    cloud.advance(Span::from_days(2)).unwrap();
}

fn look(cloud: &SimCloud, regions: &BTreeSet<RegionId>) -> Inventory {
    block_on(cloud.observe(&Selection { regions: regions.clone(), ..Selection::default() })).unwrap()
}

fn import(inventory: &Inventory, name: &str, only: &[&str]) -> Adoption {
    adopt(&ImportInput {
        inventory,
        blueprint: &BlueprintName::new(name).unwrap(),
        regions: &ParsedDocuments::with_built_in_regions(&[]).regions,
        catalog: &catalog(),
        figures: &NoFigures,
        only: &only.iter().map(|name| (*name).to_owned()).collect(),
        now: NOW,
    })
}

fn told(found: &Adoption) -> String {
    let plan = found.plan.as_ref();
    let steps: Vec<String> = plan
        .iter()
        .flat_map(|plan| &plan.steps)
        .map(|step| format!("{:?}", step.op))
        .chain(plan.iter().flat_map(|plan| &plan.waiting).map(|waiting| format!("{waiting:?}")))
        .collect();
    format!("{:#?}\n{}\n{}", found.problems, steps.join("\n"), found.file())
}

/// Reads a written file as `plan` does, and builds it.
fn reread(found: &Adoption) -> Desired {
    let source = Source::new("imported.yaml", found.file());
    let mut reading = ParsedDocuments::with_built_in_regions(std::slice::from_ref(&source));
    reading.check(&catalog(), NOW);
    assert!(!reading.diagnostics.has_errors(), "{:#?}\n{}", reading.diagnostics, found.file());
    let blueprint = &reading.blueprints[0].blueprint;
    desired::build(blueprint, &reading.regions, &catalog(), (&Decisions::default(), &Sizes::default()), NOW)
        .unwrap_or_else(|findings| panic!("{findings:?}\n{}", found.file()))
        .desired
}

/// Takes over by the written file, and proves that nothing is left to do.
fn take_over_and_prove(cloud: &SimCloud, found: &Adoption) {
    let desired = reread(found);
    let before = look(cloud, &desired.regions);
    let ops = rgctl_testkit::fixtures::take_over_ops(&desired, &before);
    assert!(ops.iter().all(|op| matches!(op, Op::Tag { .. })));
    for op in &ops {
        block_on(cloud.call(op, &Token(format!("take {}", op.address())), &Permit::always())).unwrap();
    }
    cloud.advance(Span::from_hours(1)).unwrap();
    let after = look(cloud, &desired.regions);
    let plan = plan_for(&desired, &after, &Policy::default());
    assert!(plan.steps.is_empty() && plan.waiting.is_empty(), "{plan:#?}");
    let untagged = |inventory: &Inventory| -> BTreeMap<Address, AnyAttrs> {
        inventory.seen.iter().map(|(address, seen)| (address.clone(), seen.attrs.clone())).collect()
    };
    assert_eq!(untagged(&before), untagged(&after), "only tags were set");
}

fn gives_way_to_the_service(inventory: &Inventory, parameters: &Address) -> bool {
    let of = Address { kind: KindId::CacheGroup, ..parameters.clone() };
    let used = inventory.seen.get(&of).and_then(|group| group.attrs.text("parameter_group"));
    parameters.kind == KindId::CacheParameters
        && used.is_some_and(|used| used.starts_with("global-datastore-"))
}

#[test]
fn the_world_of_every_shipped_blueprint_built_by_another_hand_is_imported_with_an_empty_plan() {
    for name in SHIPPED {
        let desired = build(name, &[]).desired;
        let cloud = SimCloud::in_memory(5, GENESIS);
        build_foreign(&cloud, &desired.nodes, &BTreeMap::new());
        let inventory = look(&cloud, &desired.regions);
        let found = import(&inventory, "another-name", &[]);
        assert!(found.is_exact(), "{name}: {}", told(&found));
        let mut all: BTreeSet<&Address> = desired.nodes.keys().collect();
        // Members of a global datastore use a group of the service's; nothing tells whose the one is that they had before.
        all.retain(|address| !gives_way_to_the_service(&inventory, address));
        let taken: BTreeSet<&Address> = found.desired.as_ref().unwrap().nodes.keys().collect();
        assert_eq!(taken, all, "{name}: every object is taken, under its own name");
        take_over_and_prove(&cloud, &found);
    }
}

#[test]
fn under_its_own_name_a_shipped_world_needs_no_names_in_its_blueprint() {
    let desired = build("light-game", &[]).desired;
    let cloud = SimCloud::in_memory(5, GENESIS);
    build_foreign(&cloud, &desired.nodes, &BTreeMap::new());
    let found = import(&look(&cloud, &desired.regions), "light-game", &[]);
    assert!(found.is_exact(), "{}", told(&found));
    for entry in found.document["spec"]["stores"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|store| store["adopt"].as_array().into_iter().flatten())
    {
        assert!(entry["kind"] == json!("elasticache.user") || entry.get("name").is_none(), "{entry}");
    }
}

#[test]
fn what_spans_regions_and_has_moved_since_it_was_made_is_imported_where_it_is_addressed() {
    let mut moved = BTreeSet::new();
    for name in SHIPPED {
        let desired = build(name, &[]).desired;
        let globals: Vec<&Address> =
            desired.nodes.keys().filter(|address| address.kind.facts().is_global).collect();
        let Some(global) = globals.first() else { continue };
        let cloud = SimCloud::in_memory(5, GENESIS);
        build_foreign(&cloud, &desired.nodes, &BTreeMap::new());
        let members = look(&cloud, &desired.regions).seen[*global].facts.members.clone();
        let reader = members.iter().find(|member| member.role == Role::Reader).unwrap();
        let verb = Verb::Switchover { to: reader.region.clone(), member: reader.name.clone() };
        let op = Op::Act { address: (*global).clone(), verb };
        block_on(cloud.call(&op, &Token("by hand".into()), &Permit::always())).unwrap();
        cloud.advance(Span::from_days(2)).unwrap();
        let found = import(&look(&cloud, &desired.regions), "another-name", &[reader.name.as_str()]);
        assert!(found.is_exact(), "{name}: {}", told(&found));
        let nodes = &found.desired.as_ref().unwrap().nodes;
        assert!(nodes.contains_key(*global), "{name}: {global} keeps its address");
        assert_ne!(global.region, reader.region, "{name}");
        take_over_and_prove(&cloud, &found);
        moved.insert(global.kind);
    }
    assert!(!moved.is_empty(), "no shipped world has an object that spans regions");
}

fn foreign(code: &str, kind: KindId, name: &str, fields: &[(&str, Value)], needs: &[&Address]) -> Node {
    rgctl_testkit::fixtures::node(address(code, kind, name), "any", fields, needs)
}

fn nodes(all: Vec<Node>) -> BTreeMap<Address, Node> {
    all.into_iter().map(|node| (node.address.clone(), node)).collect()
}

/// A cluster as somebody clicks it together: default parameter groups, members of different classes with names of their
/// own, no protection, an own password, another port, and a subnet group that two clusters share.
fn clicked_together() -> BTreeMap<Address, Node> {
    let code = "eu-west-1";
    let subnets = foreign(
        code,
        KindId::RdsSubnetGroup,
        "everybodys-subnets",
        &[("description", json!("made in 2019")), ("subnets", json!(["subnet-1", "subnet-2"]))],
        &[],
    );
    let cluster = |name: &str, port: u16| {
        foreign(
            code,
            KindId::AuroraCluster,
            name,
            &[
                ("engine", json!("aurora-postgresql")),
                ("engine_version", json!("15.4")),
                ("parameter_group", json!("default.aurora-postgresql15")),
                ("subnet_group", json!("everybodys-subnets")),
                ("security_groups", json!(["sg-9"])),
                ("port", json!(port)),
                ("storage_encrypted", json!(false)),
                ("storage_kind", json!("standard")),
                ("backup_retention_days", json!(3)),
                ("backup_window", json!("02:10-02:40")),
                ("maintenance_window", json!("sun:03:00-sun:04:00")),
                ("deletion_protection", json!(false)),
                ("master_username", json!("root")),
                ("database", json!("prod")),
                ("managed_password", json!(false)),
                ("iam_authentication", json!(false)),
                ("copy_tags_to_snapshot", json!(false)),
            ],
            &[&subnets.address],
        )
    };
    let member = |name: &str, cluster: &Node, class: &str, zone: &str| {
        foreign(
            code,
            KindId::AuroraInstance,
            name,
            &[
                ("cluster", json!(cluster.address.name.as_str())),
                ("engine", json!("aurora-postgresql")),
                ("class", json!(class)),
                ("parameter_group", json!("default.aurora-postgresql15")),
                ("promotion_tier", json!(1)),
                ("zone", json!(format!("{code}{zone}"))),
                ("publicly_accessible", json!(true)),
                ("auto_minor_version_upgrade", json!(false)),
                ("performance_insights", json!(true)),
            ],
            &[&cluster.address],
        )
    };
    let (players, audit) = (cluster("prod", 5433), cluster("audit-2", 5432));
    let writer = member("prod-0", &players, "db.r5.4xlarge", "b");
    let reader = member("reporting", &players, "db.r6g.large", "b");
    let another = member("prod-replica", &players, "db.r6g.large", "a");
    let only = member("audit-2-instance-1", &audit, "db.t4g.medium", "c");
    nodes(vec![subnets, players, audit, writer, reader, another, only])
}

#[test]
fn odd_names_and_settings_are_stated_as_they_are_and_what_is_shared_stays_so() {
    let cloud = SimCloud::in_memory(8, GENESIS);
    build_foreign(&cloud, &clicked_together(), &BTreeMap::from([("team".to_owned(), "db".to_owned())]));
    let regions = BTreeSet::from([region("eu-west-1")]);
    let found = import(&look(&cloud, &regions), "legacy", &[]);
    assert!(found.is_exact(), "{}", told(&found));
    let desired = found.desired.as_ref().unwrap();
    assert!(
        !desired.nodes.keys().any(|address| address.kind == KindId::RdsSubnetGroup),
        "two clusters share it"
    );
    assert!(desired.nodes.values().all(|node| node.tags.get("team").is_some_and(|team| team == "db")));
    let left: Vec<&str> = found.left.iter().map(|left| left.address.name.as_str()).collect();
    assert_eq!(left, ["everybodys-subnets"]);
    take_over_and_prove(&cloud, &found);
}

#[test]
fn a_blueprint_of_one_store_leaves_the_others_outside_and_says_why() {
    let cloud = SimCloud::in_memory(8, GENESIS);
    build_foreign(&cloud, &clicked_together(), &BTreeMap::new());
    let owned = address("eu-west-1", KindId::AuroraCluster, "audit-2");
    let tags = BTreeMap::from([(TAG_BLUEPRINT.to_owned(), "somebody".to_owned())]);
    block_on(cloud.call(&Op::Tag { address: owned.clone(), tags }, &Token("t".into()), &Permit::always()))
        .unwrap();
    cloud.advance(Span::from_hours(1)).unwrap();
    let found = import(&look(&cloud, &BTreeSet::from([region("eu-west-1")])), "legacy", &["prod"]);
    assert!(found.is_exact(), "{}", told(&found));
    let why = found.left.iter().find(|left| left.address == owned).unwrap();
    assert!(why.why.contains("`somebody`"), "{why:?}");
    assert!(!found.desired.unwrap().nodes.contains_key(&owned));
}

#[test]
fn a_cluster_without_members_shows_the_member_that_a_blueprint_would_add() {
    let cloud = SimCloud::in_memory(8, GENESIS);
    let alone: BTreeMap<Address, Node> = clicked_together()
        .into_iter()
        .filter(|(address, _)| address.kind != KindId::AuroraInstance && address.name.as_str() != "audit-2")
        .collect();
    build_foreign(&cloud, &alone, &BTreeMap::new());
    let found = import(&look(&cloud, &BTreeSet::from([region("eu-west-1")])), "legacy", &[]);
    assert!(!found.is_exact());
    let steps = found.plan.unwrap().steps;
    let kinds: Vec<(&str, KindId)> =
        steps.iter().map(|step| (step.op.word(), step.op.address().kind)).collect();
    assert_eq!(kinds, [("create", KindId::AuroraInstance)]);
}

/// A node-based cache without encryption, and a serverless one.
fn odd_caches(code: &str) -> Vec<Node> {
    let group = foreign(
        code,
        KindId::CacheGroup,
        "sessions",
        &[
            ("engine", json!("redis")),
            ("engine_version", json!("7.1")),
            ("node_type", json!("cache.r6g.large")),
            ("shards", json!(1)),
            ("replicas_per_shard", json!(0)),
            ("cluster_mode", json!("disabled")),
            ("automatic_failover", json!(false)),
            ("multi_az", json!(false)),
            ("transit_encryption", json!(false)),
            ("at_rest_encryption", json!(false)),
            ("snapshot_retention_days", json!(0)),
            ("parameter_group", json!("default.redis7")),
            ("port", json!(6380)),
        ],
        &[],
    );
    let serverless = foreign(
        code,
        KindId::CacheServerless,
        "lobby",
        &[
            ("engine", json!("valkey")),
            ("major_engine_version", json!("8")),
            ("data_max_gib", json!(20)),
            ("ecpu_max_per_second", json!(9000)),
            ("subnets", json!(["subnet-1", "subnet-2"])),
            ("security_groups", json!(["sg-1"])),
            ("snapshot_retention_days", json!(2)),
            ("daily_snapshot_time", json!("23:30")),
        ],
        &[],
    );
    vec![group, serverless]
}

/// A public warehouse without encryption, and a serverless one.
fn odd_warehouses(code: &str) -> Vec<Node> {
    let warehouse = foreign(
        code,
        KindId::RedshiftCluster,
        "bi",
        &[
            ("node_type", json!("ra3.xlplus")),
            ("nodes", json!(3)),
            ("database", json!("dwh")),
            ("master_username", json!("awsuser")),
            ("managed_password", json!(false)),
            ("encrypted", json!(false)),
            ("publicly_accessible", json!(true)),
            ("enhanced_vpc_routing", json!(false)),
            ("snapshot_retention_days", json!(1)),
            ("port", json!(5439)),
            ("parameter_group", json!("default.redshift-1.0")),
        ],
        &[],
    );
    let namespace = foreign(
        code,
        KindId::RedshiftNamespace,
        "lake",
        &[
            ("database", json!("lake")),
            ("master_username", json!("admin")),
            ("managed_password", json!(true)),
        ],
        &[],
    );
    let workgroup = foreign(
        code,
        KindId::RedshiftWorkgroup,
        "lake-adhoc",
        &[
            ("namespace", json!("lake")),
            ("base_rpu", json!(16)),
            ("max_rpu", json!(64)),
            ("subnets", json!(["subnet-1", "subnet-2", "subnet-3"])),
            ("security_groups", json!(["sg-1"])),
            ("publicly_accessible", json!(false)),
            ("enhanced_vpc_routing", json!(false)),
            ("port", json!(5439)),
        ],
        &[&namespace.address],
    );
    vec![warehouse, namespace, workgroup]
}

#[test]
fn caches_and_warehouses_of_other_hands_are_imported_too() {
    let code = "us-west-2";
    let cloud = SimCloud::in_memory(8, GENESIS);
    build_foreign(&cloud, &nodes([odd_caches(code), odd_warehouses(code)].concat()), &BTreeMap::new());
    let found = import(&look(&cloud, &BTreeSet::from([region(code)])), "legacy", &[]);
    assert!(found.is_exact(), "{}", told(&found));
    assert_eq!(found.stores.len(), 4);
    take_over_and_prove(&cloud, &found);
}

#[test]
fn a_region_that_nobody_has_described_is_described() {
    let cloud = SimCloud::in_memory(8, GENESIS);
    let moved: BTreeMap<Address, Node> = clicked_together()
        .into_values()
        .map(|mut node| {
            let there =
                |address: &Address| Address::new(region("sa-east-1"), address.kind, address.name.clone());
            node.needs = node.needs.iter().map(there).collect();
            node.address = there(&node.address);
            if node.attrs.get("zone").is_some() {
                node.attrs.set("zone", Some(json!("sa-east-1a"))).unwrap();
            }
            (node.address.clone(), node)
        })
        .collect();
    build_foreign(&cloud, &moved, &BTreeMap::new());
    let found = import(&look(&cloud, &BTreeSet::from([region("sa-east-1")])), "legacy", &[]);
    assert_eq!(found.regions.len(), 1);
    assert!(found.is_exact(), "{}", told(&found));
    take_over_and_prove(&cloud, &found);
}

#[test]
fn an_object_in_transition_is_waited_for_and_not_called_exact() {
    let cloud = SimCloud::in_memory(8, GENESIS);
    build_foreign(&cloud, &clicked_together(), &BTreeMap::new());
    let mut inventory = look(&cloud, &BTreeSet::from([region("eu-west-1")]));
    let member = address("eu-west-1", KindId::AuroraInstance, "reporting");
    inventory.seen.get_mut(&member).unwrap().facts.phase = Phase::Busy { serves: true };
    let found = import(&inventory, "legacy", &[]);
    assert!(!found.is_exact());
    assert_eq!(found.plan.unwrap().waiting[0].address(), &member);
}

#[test]
fn an_adopted_setting_that_makes_no_sense_is_told_with_its_place() {
    let text = "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: { name: game }\nspec:\n  demand:\n    players: { peakConcurrent: 1 }\n    requestsPerPlayerPerMinute: 1\n  regions: { primary: us-east-1 }\n  stores:\n    - name: players\n      engine: aurora-mysql\n      adopt:\n        - { region: us-east-1, kind: aurora.clustre }\n        - { region: us-west-2, kind: aurora.cluster }\n        - { region: us-east-1, kind: elasticache.group }\n        - { region: us-east-1, kind: aurora.instance, name: My_Db, settings: { clas: db.r6g.large, promotion_tier: [1] } }\n";
    let mut reading = ParsedDocuments::with_built_in_regions(&[Source::new("test.yaml", text)]);
    reading.check(&catalog(), NOW);
    let found: Vec<String> = reading
        .diagnostics
        .iter()
        .filter(|one| one.severity == rgctl_schema::diagnostic::Severity::Error)
        .map(|one| format!("{} {} {}", one.code, one.path, one.help.clone().unwrap_or_default()))
        .collect();
    for part in [
        "RG0107 spec.stores[0].adopt[0].kind did you mean `aurora.cluster`?",
        "RG0301 spec.stores[0].adopt",
        "has no",
        "RG0109",
        "did you mean `class`?",
        "promotion_tier",
    ] {
        let all = found.join("\n") + &format!("{:?}", reading.diagnostics);
        assert!(all.contains(part), "{part}: {}", found.join("\n"));
    }
}

/// A world in a folder, as the binary finds it.
fn world_in(place: &Path) {
    let cloud = SimCloud::open(&WorldFile::under(&place.join(".rgctl"))).unwrap();
    build_foreign(&cloud, &clicked_together(), &BTreeMap::new());
}

#[test]
fn the_binary_imports_takes_over_on_consent_and_plans_nothing() {
    let place = Place::new();
    world_in(place.path());
    let look = place.run(&["import", "--region", "eu-west-1", "--name", "legacy"]);
    assert_eq!(look.code, 0, "{}\n{}", look.data, look.talk);
    assert!(look.data.contains("the plan is empty"), "{}", look.data);
    assert!(look.talk.contains("--out FILE"), "{}", look.talk);

    let written = ["import", "--region", "eu-west-1", "--name", "legacy", "--out", "legacy.yaml"];
    assert_eq!(place.run(&written).code, 0);
    let again = place.run(&written);
    assert_eq!((again.code, again.data.as_str()), (6, ""), "{}", again.talk);
    assert!(again.talk.contains("exists already"), "{}", again.talk);

    let before = place.run(&["plan", "-f", "legacy.yaml", "--detailed-exitcode"]);
    assert!(before.data.contains("not ours"), "nothing was taken yet: {}", before.data);
    let taken = place.run(&["import", "-f", "legacy.yaml", "--take-over", "-o", "json"]);
    assert_eq!(taken.code, 0, "{}", taken.talk);
    let value: Value = serde_json::from_str(&taken.data).unwrap();
    assert_eq!(value["format"], "rgctl.dev/strangers/v1");
    assert!(value["objects"].as_array().unwrap().iter().any(|one| one["taken"] == json!(true)));
    assert_eq!(before.code, 8, "what is not ours blocks: {}", before.talk);
    // Reads lag writes: a look at once would show the tags as they were.
    assert_eq!(place.run(&["sim", "advance", "1m"]).code, 0);
    let after = place.run(&["plan", "-f", "legacy.yaml", "--detailed-exitcode"]);
    assert_eq!(after.code, 0, "{}\n{}", after.data, after.talk);
    let history = place.run(&["history", "legacy"]);
    assert!(history.data.contains("taken over on consent"), "{}", history.data);
}

#[test]
fn import_speaks_every_form_and_refuses_what_it_cannot_do() {
    let place = Place::new();
    world_in(place.path());
    let base = ["import", "--region", "eu-west-1"];
    let json = place.run(&[&base[..], &["-o", "json"]].concat());
    let value: Value = serde_json::from_str(&json.data).unwrap();
    assert_eq!((value["format"].as_str(), &value["exact"]), (Some("rgctl.dev/import/v1"), &json!(true)));
    let yaml = place.run(&[&base[..], &["-o", "yaml"]].concat());
    assert!(yaml.data.contains("rgctl.dev/import/v1"), "{}", yaml.data);
    let markdown = place.run(&[&base[..], &["-o", "markdown"]].concat());
    assert!(markdown.data.starts_with("## imported: 2 stores found in eu-west-1"), "{}", markdown.data);

    let missing = place.run(&[&base[..], &["--only", "prood"]].concat());
    assert_eq!(missing.code, 6, "{}", missing.talk);
    assert!(missing.talk.contains("prod"), "{}", missing.talk);
    let no_file = place.run(&[&base[..], &["--take-over"]].concat());
    assert_eq!(no_file.code, 6, "{}", no_file.talk);
    let empty = place.run(&["import", "--region", "us-east-1"]);
    assert_eq!(empty.code, 1, "{}", empty.talk);
    assert!(empty.data.contains("nothing was found"), "{}", empty.data);
    assert_eq!(place.run(&["import"]).code, 6);
}
