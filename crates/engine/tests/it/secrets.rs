//! Whose secret a store's first password is in, when regions come and go.

use std::collections::BTreeSet;

use rgctl_engine::planning::{self, PlanInput};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::{Op, Plan};
use rgctl_model::policy::Policy;
use serde_json::json;

use rgctl_testkit::fixtures::*;

const FAMILIES: [(KindId, KindId); 2] =
    [(KindId::AuroraCluster, KindId::AuroraGlobal), (KindId::DocumentCluster, KindId::DocumentGlobal)];

/// A store in one region, whose password the service keeps, or a secret that is named by its ARN.
fn alone(kind: KindId, arn: Option<&str>) -> Desired {
    let mut fields = vec![("managed_password", json!(arn.is_none()))];
    fields.extend(arn.map(|arn| ("master_secret_arn", json!(arn))));
    desired(vec![node(address("us-east-1", kind, "game-a"), "a", &fields, &[])])
}

/// The same in two regions: with a secret of its own.
fn in_two(kind: KindId, global: KindId) -> Desired {
    let secret = address("us-east-1", KindId::Secret, "game-a");
    let cluster = address("us-east-1", kind, "game-a");
    desired(vec![
        node(secret.clone(), "a", &[("replica_regions", json!(["us-west-2"]))], &[]),
        node(
            cluster.clone(),
            "a",
            &[("managed_password", json!(false)), ("master_secret", json!("game-a"))],
            &[&secret],
        ),
        node(address("us-east-1", global, "game-world"), "a", &[("source", json!("game-a"))], &[&cluster]),
    ])
}

fn planned(wanted: &Desired, world: &Inventory) -> Plan {
    plan_for(wanted, world, &Policy::default())
}

/// The kinds that steps are about, in order, each with what it does.
fn order(plan: &Plan) -> Vec<(&'static str, KindId)> {
    let word = |op: &Op| match op {
        Op::Create { .. } => "create",
        Op::Modify { .. } => "modify",
        Op::Delete { .. } => "delete",
        _ => "other",
    };
    plan.steps.iter().map(|step| (word(&step.op), step.op.address().kind)).collect()
}

#[test]
fn a_second_region_comes_behind_a_secret_of_the_stores_own_and_the_change_to_it() {
    for (kind, global) in FAMILIES {
        let plan = planned(&in_two(kind, global), &world_of(&alone(kind, None)));
        let wanted = [("create", KindId::Secret), ("modify", kind), ("create", global)];
        assert_eq!(order(&plan), wanted, "{:#?}", lines(&plan));
        let steps: Vec<_> = plan.steps.iter().collect();
        assert!(steps[2].needs.contains(&steps[1].id) && steps[1].needs.contains(&steps[0].id), "{plan:#?}");
        // One call: the service takes the end of its own secret and another password together only.
        let Op::Modify { changes, attrs, .. } = &steps[1].op else { panic!("{:?}", steps[1].op) };
        let fields: BTreeSet<&str> = changes.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, BTreeSet::from(["managed_password", "master_secret"]));
        assert_eq!(attrs.text("master_secret").as_deref(), Some("game-a"));
        assert_eq!(steps[1].effect.write_outage, rgctl_schema::time::Span::ZERO);
        let said = |note: &&String| note.contains("goes") && note.contains("rgctl outputs");
        assert_eq!(plan.notes.iter().filter(said).count(), 1, "{:?}", plan.notes);
        // Where the service keeps it again, by another hand, its secret is named with the change back.
        let mut world = world_of(&in_two(kind, global));
        let cluster = address("us-east-1", kind, "game-a");
        world.seen.get_mut(&cluster).unwrap().attrs.set("managed_password", Some(json!(true))).unwrap();
        let plan = planned(&in_two(kind, global), &world);
        let step = plan.steps.iter().next().unwrap();
        let Op::Modify { attrs, .. } = &step.op else { panic!("{:?}", step.op) };
        assert_eq!(attrs.text("master_secret").as_deref(), Some("game-a"));
    }
}

#[test]
fn a_store_that_loses_its_second_region_keeps_its_secret_and_its_password() {
    for (kind, global) in FAMILIES {
        let mut world = world_of(&in_two(kind, global));
        world.seen.remove(&address("us-east-1", global, "game-world"));
        let plan = planned(&alone(kind, None), &world);
        assert!(plan.is_empty() && plan.waiting.is_empty(), "{:#?} {:?}", lines(&plan), plan.waiting);
        // With another secret in its place it goes, behind the change.
        let plan = planned(&alone(kind, Some("arn:aws:secretsmanager:us-east-1:1:secret:x")), &world);
        assert_eq!(order(&plan), [("modify", kind), ("delete", KindId::Secret)], "{:#?}", lines(&plan));
        // And with the store.
        let (wanted, policy) = (alone(kind, None), consents(&["delete:a@us-east-1"]));
        let removal = planning::plan(&PlanInput { destroy: true, ..ask(&wanted, &world, &policy) });
        assert_eq!(order(&removal), [("delete", kind), ("delete", KindId::Secret)], "{:#?}", lines(&removal));
    }
}

#[test]
fn a_store_whose_named_secret_is_taken_out_of_the_text_is_kept_by_the_service_again() {
    for (kind, _) in FAMILIES {
        let world = world_of(&alone(kind, Some("arn:aws:secretsmanager:us-east-1:1:secret:x")));
        let plan = planned(&alone(kind, None), &world);
        assert_eq!(order(&plan), [("modify", kind)], "{:#?}", lines(&plan));
    }
}
