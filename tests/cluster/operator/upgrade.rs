//! A new version comes into a cluster: what it wants otherwise of texts that nobody has changed waits for a person, and is then done
//! for one blueprint after the other.

use serde_json::{Value, json};

use super::agreeing::{approve, pending};
use super::{Operator, apply, define, keep_trail, trail, wait_for, wait_ready};
use crate::plane::{ControlPlane, Setup};
use crate::stopped::rolling;

/// Prices by which another class is the cheapest that carries the load: with them the same text wants something else.
fn prices() -> Value {
    let of = |class: &str, price: &str| {
        json!({ "service": "aurora", "sku": class, "engine": "aurora-postgresql", "config": "standard",
            "region": "us-east-1", "unit": "hour", "currency": "USD", "price": price, "source": "contract 1",
            "date": "2026-01-01" })
    };
    json!({ "apiVersion": "rgctl.dev/v1alpha1", "kind": "PriceBook", "metadata": { "name": "contract" },
        "spec": { "prices": [of("db.r6g.large", "9.5"), of("db.r8g.large", "0.01")] } })
}

#[test]
fn what_a_new_version_wants_of_an_unchanged_text_waits_for_a_person_and_is_done_one_blueprint_after_the_other()
 {
    let Some(plane) = ControlPlane::alone("a new version", &Setup::default()) else { return };
    define(&plane);
    let namespace = plane.namespace("games");
    let names = ["arena", "lobby"];
    let mut operator = Operator::start(&plane, "operator", &[]);
    for name in names {
        let mut wanted = rolling(&namespace, name, "");
        wanted["spec"]["stores"][0].as_object_mut().unwrap().remove("class");
        apply(&plane, &wanted.to_string());
    }
    for name in names {
        wait_ready(&plane, &namespace, name);
    }
    let account = operator.cloud();
    keep_trail(&account);
    let folder = operator.stop();
    let book = folder.join("prices.yaml");
    std::fs::write(&book, prices().to_string()).unwrap();
    // The same version with the same prices finds nothing to do.
    operator = Operator::start(&plane, "operator", &[]);
    for name in names {
        wait_for(&plane, &namespace, name, "PlanPending", "False", "");
    }
    operator.stop();
    operator = Operator::start(&plane, "operator", &["--price-book", book.to_str().unwrap()]);
    let waiting = names.map(|name| {
        wait_for(&plane, &namespace, name, "PlanPending", "True", "NewVersion");
        pending(&plane, &namespace, name)
    });
    // Hours of the account's time, and another start.
    std::thread::sleep(std::time::Duration::from_secs(3));
    operator.stop();
    // Slow enough that the work on both would overlap.
    operator =
        Operator::start(&plane, "operator", &["--pace", "240", "--price-book", book.to_str().unwrap()]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(trail(&account), Vec::<String>::new(), "nothing is done unasked");
    for plan in &waiting {
        assert_eq!(plan["spec"]["cause"], "NewVersion");
        approve(&plane, &namespace, plan, &json!({ "consents": [] }));
    }
    for name in names {
        wait_ready(&plane, &namespace, name);
    }
    let done = trail(&account);
    assert_eq!(done.len(), 6, "{done:#?}");
    let of = |name: &str| done.iter().filter(|step| step.contains(&format!("/{name}-"))).count();
    assert_eq!((of("arena"), of("lobby")), (3, 3), "{done:#?}");
    let changes = done.windows(2).filter(|pair| pair[0].contains("arena") != pair[1].contains("arena"));
    assert_eq!(changes.count(), 1, "one after the other: {done:#?}");
    drop(operator);
}
