//! A watch that says nothing makes an operator unready, and one that is heard of again makes it ready: over a way that is cut.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use kube::Config;
use kube::api::{Api, PostParams};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rgctl::agent::health::Health;
use rgctl::agent::metrics::Metrics;
use rgctl::cli::operator_watches::{Since, tell};
use rgctl_kube::item::{Seen, Watched};
use rgctl_kube::signs::Signs;
use rgctl_kube::watch::follow;
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;
use rgctl_schema::time::{Moment, Span};
use serde_json::json;
use tokio::sync::mpsc;

use crate::plane::{ControlPlane, User};
use crate::relay::Relay;

/// This machine's time, so much later.
struct Later(Span);

impl Clock for Later {
    fn now(&self) -> Moment {
        SystemClock.now() + self.0
    }
    fn since_boot(&self) -> Span {
        SystemClock.since_boot() + self.0
    }
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        SystemClock.sleep_until(at)
    }
}

/// What keeps it from being ready, that much later, of its watches.
fn against(health: &Health, later: Span) -> Vec<String> {
    let reasons = health.ready(&Later(later)).reasons;
    reasons.into_iter().filter(|reason| reason.contains("watch")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_bytes_arrive_nowhere_is_missed_and_one_that_is_heard_of_again_is_not() {
    let Some(plane) = ControlPlane::shared("a watch that is cut") else { return };
    let relay = Relay::to(plane.port());
    let file = Kubeconfig::read_from(plane.kubeconfig_at(&User::Admin, relay.port())).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    let signs = Signs::default();
    let client = ClientBuilder::try_from(config).unwrap().with_layer(&signs).build();
    let (send, mut heard) = mpsc::channel(1_000);
    tokio::spawn(follow(client, Watched::Namespace, None, send));
    let (health, metrics) = (Health::new(&SystemClock), Metrics::default());
    let watches = vec![(Watched::Namespace, None)];
    let begun = SystemClock.since_boot();
    let since = Since { begun, defined: BTreeMap::new() };
    let look = || tell(&signs, &watches, &since, SystemClock.since_boot(), &health, &metrics);
    let wait_for = async |heard: &mut mpsc::Receiver<_>, what: &dyn Fn(&Seen) -> bool| {
        loop {
            let told: (Watched, Option<String>, Seen) =
                tokio::time::timeout(std::time::Duration::from_mins(1), heard.recv()).await.unwrap().unwrap();
            if what(&told.2) {
                return;
            }
        }
    };
    wait_for(&mut heard, &|seen| matches!(seen, Seen::Whole(_))).await;
    // The watch itself begins after the list.
    let first = format!("first-{}", std::process::id());
    let all: Api<Namespace> = Api::all(plane.client(&User::Admin).await);
    let make = async |name: &str| {
        let object = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
        all.create(&PostParams::default(), &object).await.unwrap();
    };
    make(&first).await;
    let is = |name: String| move |seen: &Seen| matches!(seen, Seen::Is(item) if *item.place.name == *name);
    wait_for(&mut heard, &is(first)).await;
    look();
    assert_eq!(against(&health, Span::from_mins(5)), Vec::<String>::new());
    let told = metrics.text();
    assert!(told.contains("rgctl_watch_age_seconds{watch=\"namespaces\"} "), "{told}");
    assert!(told.contains("rgctl_kube_calls_total{verb=\"watch\",code=\"200\"} 1"), "{told}");
    relay.cut();
    let second = format!("second-{}", std::process::id());
    make(&second).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    look();
    let reasons = against(&health, Span::from_mins(7));
    assert!(
        reasons.len() == 1 && reasons[0].starts_with("the watch of namespaces was silent for 7m"),
        "{reasons:?}"
    );
    let alive = |later| health.lives(&Later(later)).reasons.iter().all(|reason| !reason.contains("watch"));
    assert!(alive(Span::from_mins(10)) && !alive(Span::from_mins(12)), "it is begun anew only much later");
    // Seven minutes are over: what was kept back arrives, and is a sign.
    relay.heal();
    wait_for(&mut heard, &is(second)).await;
    let silent = signs.ages(SystemClock.since_boot())["namespaces"];
    assert!(silent < Span::from_secs(30), "{silent}");
    look();
    assert_eq!(against(&health, Span::from_mins(5)), Vec::<String>::new());
}
