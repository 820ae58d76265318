//! Storage that a service gives once in a while only: the plan says from when, and nothing asks before.

use rgctl_model::journal::{Event, Outcome};
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::plan::{Answer, Plan};
use rgctl_model::ports::Clock;
use rgctl_schema::time::{Moment, Span};
use rgctl_testkit::fixtures::{address, desired, node};
use rgctl_testkit::site::{Order, Site};
use serde_json::json;

const KINDS: [KindId; 2] = [KindId::AuroraCluster, KindId::DocumentCluster];

fn store(kind: KindId, storage: &str, backups: u32) -> Desired {
    let mut fields = vec![("storage_kind", json!(storage)), ("backup_retention_days", json!(backups))];
    if kind == KindId::AuroraCluster {
        fields.push(("engine", json!("aurora-mysql")));
    }
    desired(vec![node(address("us-east-1", kind, "game-a"), "a", &fields, &[])])
}

fn waits(plan: &Plan) -> Vec<(&str, Moment)> {
    let of = |step: &'_ rgctl_model::plan::Step| match &step.answer {
        Answer::Wait { until, .. } => Some(*until),
        _ => None,
    };
    plan.steps.iter().filter_map(|step| Some((&*step.id.0, of(step)?))).collect()
}

fn begun(site: &Site) -> usize {
    let is_it =
        |event: &&Event| matches!(event, Event::Accepted { step, .. } if step.0.ends_with("storage_kind"));
    site.events().iter().filter(is_it).count()
}

#[test]
fn a_second_switch_waits_for_its_time_holds_nothing_else_up_and_is_not_asked_for_before() {
    for kind in KINDS {
        let mut site = Site::new(4);
        assert_eq!(site.apply(&store(kind, "standard", 7)).outcome, Outcome::Settled);
        assert_eq!(site.apply(&store(kind, "io-optimized", 7)).outcome, Outcome::Settled);
        let switched = site.cloud.clock().now();
        // Back at any time.
        assert_eq!(site.apply(&store(kind, "standard", 7)).outcome, Outcome::Settled);
        assert_eq!(begun(&site), 2);
        let wanted = store(kind, "io-optimized", 9);
        let plan = site.plan_under(&wanted, &Order::default());
        let [(step, until)] = waits(&plan)[..] else { panic!("{:#?}", plan.steps) };
        assert!(step.ends_with("storage_kind"), "{step}");
        assert!(until > switched + Span::from_days(29) && until <= switched + Span::from_days(30), "{until}");
        let ended = site.apply(&wanted);
        assert_eq!(begun(&site), 2, "nothing is asked for before its time");
        assert_eq!(ended.last.plan.steps.len(), 1, "the backups are changed, whatever the storage waits for");
        site.cloud.advance(until.since(site.cloud.clock().now())).unwrap();
        assert_eq!(site.apply(&wanted).outcome, Outcome::Settled);
        assert_eq!(begun(&site), 3);
        site.assert_settled(&wanted);
    }
}
