//! Where clients connect: the forms of names that the services publish.

use std::collections::BTreeSet;

use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::observed::Selection;
use rgctl_model::ports::Cloud;
use rgctl_schema::time::Span;
use serde_json::{Value, json};

use super::{OTHER, REGION, TestCloud, address, block_on, cluster_fields, in_region, member_fields};

/// Whether a name has a form, in which `*` stands for letters and digits.
fn has_form(name: &str, form: &str) -> bool {
    let (mut parts, mut forms) = (name.split('.'), form.split('.'));
    let fits = |part: &str, form: &str| match form.split_once('*') {
        Some((before, after)) => {
            let middle = part.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            middle
                .is_some_and(|middle| !middle.is_empty() && middle.chars().all(|c| c.is_ascii_alphanumeric()))
        }
        None => part == form,
    };
    loop {
        match (parts.next(), forms.next()) {
            (None, None) => return true,
            (Some(part), Some(form)) if fits(part, form) => {}
            _ => return false,
        }
    }
}

/// What is told of an object: its host name, and each other name that there is.
fn told(desk: &TestCloud, at: &Address) -> Value {
    let facts = desk.see(at).unwrap().facts;
    json!({ "endpoint": facts.endpoint, "access": facts.access })
}

fn assert_form(told: &Value, path: &str, form: &str) {
    let name = told.pointer(path).and_then(Value::as_str).unwrap_or_default();
    assert!(has_form(name, form), "{path}: {name} is not {form} in {told}");
}

#[test]
fn names_have_the_forms_that_the_services_publish() {
    let desk = TestCloud::new(1);
    let cluster = address(KindId::AuroraCluster, "game-a");
    let mut fields = cluster_fields();
    fields["managed_password"] = json!(true);
    desk.make(&cluster, &fields);
    let seen = told(&desk, &cluster);
    assert_form(&seen, "/endpoint", "game-a.cluster-*.us-east-1.rds.amazonaws.com");
    assert_form(&seen, "/access/reader", "game-a.cluster-ro-*.us-east-1.rds.amazonaws.com");
    let secret = seen["access"]["secret"].as_str().unwrap();
    assert!(
        secret.starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:rds!cluster-"),
        "{secret}"
    );
    let member = address(KindId::AuroraInstance, "game-a-1");
    desk.make(&member, &member_fields("game-a", 0));
    assert_form(&told(&desk, &member), "/endpoint", "game-a-1.*.us-east-1.rds.amazonaws.com");
    let own = address(KindId::Secret, "game-a");
    desk.make(&own, &json!({}));
    assert_form(
        &told(&desk, &own),
        "/access/secret",
        "arn:aws:secretsmanager:us-east-1:000000000000:secret:game-a-*",
    );
    desk.modify(&cluster, &json!({ "managed_password": false, "master_secret": "game-a" })).unwrap();
    desk.pass(rgctl_schema::time::Span::from_hours(1));
    assert_eq!(told(&desk, &cluster)["access"]["secret"], Value::Null);
    let global = address(KindId::AuroraGlobal, "game-global");
    desk.make(&global, &json!({ "source": "game-a", "source_region": REGION }));
    assert_form(&told(&desk, &global), "/endpoint", "game-global.global-*.global.rds.amazonaws.com");
}

#[test]
fn names_of_caches_follow_from_shards_and_encryption_and_are_told_when_they_are_made() {
    let desk = TestCloud::new(1);
    let fields = |mode: &str, tls: bool| {
        json!({
            "engine": "valkey", "engine_version": "8.1", "node_type": "cache.r7g.large", "shards": 1,
            "replicas_per_shard": 1, "cluster_mode": mode, "automatic_failover": true, "transit_encryption": tls,
        })
    };
    let group = |name: &str| address(KindId::CacheGroup, name);
    desk.create(&group("one"), &fields("disabled", true)).unwrap();
    desk.pass(Span::from_mins(3));
    assert_eq!(told(&desk, &group("one")), json!({ "endpoint": null, "access": null }), "it is being made");
    desk.pass(Span::from_hours(2));
    let seen = told(&desk, &group("one"));
    assert_form(&seen, "/endpoint", "master.one.*.use1.cache.amazonaws.com");
    assert_form(&seen, "/access/reader", "replica.one.*.use1.cache.amazonaws.com");
    desk.make(&group("plain"), &fields("disabled", false));
    let seen = told(&desk, &group("plain"));
    assert_form(&seen, "/endpoint", "plain.*.ng.0001.use1.cache.amazonaws.com");
    assert_form(&seen, "/access/reader", "plain-ro.*.ng.0001.use1.cache.amazonaws.com");
    desk.make(&group("many"), &fields("enabled", true));
    let seen = told(&desk, &group("many"));
    assert_form(&seen, "/access/configuration", "clustercfg.many.*.use1.cache.amazonaws.com");
    assert_eq!((&seen["access"]["reader"], &seen["access"]["writer"]), (&Value::Null, &Value::Null));
    let serverless = in_region(OTHER, KindId::CacheServerless, "light");
    desk.make(&serverless, &json!({ "engine": "valkey", "major_engine_version": "8" }));
    let seen = told(&desk, &serverless);
    assert_form(&seen, "/endpoint", "light-*.serverless.usw2.cache.amazonaws.com");
    assert_eq!((&seen["access"]["port"], &seen["access"]["reader_port"]), (&json!(6_379), &json!(6_380)));
}

#[test]
fn names_in_china_end_as_they_do_there() {
    let desk = TestCloud::new(1);
    let region = "cn-north-1";
    let at = |kind, name: &str| in_region(region, kind, name);
    let (cluster, global) = (at(KindId::AuroraCluster, "game-a"), at(KindId::AuroraGlobal, "game-global"));
    desk.make(&cluster, &cluster_fields());
    desk.make(&at(KindId::AuroraInstance, "game-a-1"), &member_fields("game-a", 0));
    desk.make(&global, &json!({ "source": "game-a", "source_region": region }));
    desk.make(&at(KindId::DocumentCluster, "docs"), &json!({ "engine_version": "5.0.0" }));
    let fields = json!({ "engine": "valkey", "major_engine_version": "8" });
    desk.make(&at(KindId::CacheServerless, "light"), &fields);
    let regions = BTreeSet::from([cluster.region.clone()]);
    let scope = Selection { regions, ..Selection::default() };
    let seen = block_on(desk.cloud.observe(&scope)).unwrap().seen;
    let hosts: Vec<&String> = seen.values().filter_map(|one| one.facts.endpoint.as_ref()).collect();
    assert_eq!(hosts.len(), 5, "{hosts:?}");
    assert!(hosts.iter().all(|host| host.ends_with(".amazonaws.com.cn")), "{hosts:?}");
    let writer = seen[&global].facts.endpoint.as_deref().unwrap();
    assert!(has_form(writer, "game-global.global-*.global.rds.amazonaws.com.cn"), "{writer}");
}
