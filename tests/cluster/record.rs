//! The record in ConfigMaps obeys the laws of stores, on a real API server; and what it adds.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use rgctl_kube::place::{Cluster, KubePlace};
use rgctl_kube::record::kube_store_with;
use rgctl_machine::SystemClock;
use rgctl_model::checkpoint::Checkpoint;
use rgctl_model::ports::{Chain, Store, StoreError};
use rgctl_records::Records;
use rgctl_testkit::decision_law::{obeys_the_laws_of_decisions, obeys_the_laws_of_memories};
use rgctl_testkit::store_law::{
    LEASE, Process, START, event, game, obeys_the_laws, obeys_the_laws_of_leases, obeys_the_laws_of_moves,
    run,
};

use crate::plane::{ControlPlane, User};

const WHAT: &str = "the laws of stores, on ConfigMaps";

/// A store in a namespace that no other test has.
struct Place {
    client: kube::Client,
    namespace: String,
}

impl Place {
    async fn new(begins: &str) -> Option<Self> {
        let plane = ControlPlane::shared(WHAT)?;
        Some(Self { client: plane.client(&User::Admin).await, namespace: plane.namespace(begins) })
    }

    fn store(&self) -> Records {
        let place = KubePlace { cluster: Cluster::Here, namespace: self.namespace.clone() };
        kube_store_with(self.client.clone(), place, Arc::new(SystemClock))
    }

    fn maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn all(&self) -> Vec<ConfigMap> {
        let listed = self.maps().list(&ListParams::default()).await.unwrap();
        let is_ours = |map: &ConfigMap| map.metadata.name.as_deref().unwrap().starts_with("rgctl-");
        listed.items.into_iter().filter(is_ours).collect()
    }

    /// Those that hold something of a sort: `lines`, `decisions`.
    async fn of(&self, sort: &str) -> Vec<ConfigMap> {
        let begins = format!("rgctl-{sort}-");
        let is_it = |map: &ConfigMap| map.metadata.name.as_deref().unwrap().starts_with(&begins);
        self.all().await.into_iter().filter(is_it).collect()
    }

    async fn delete(&self, map: &ConfigMap) {
        let name = map.metadata.name.as_deref().unwrap();
        self.maps().delete(name, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_in_config_maps_obeys_the_laws() {
    let Some(place) = Place::new("laws").await else { return };
    obeys_the_laws(&place.store()).await;
    obeys_the_laws_of_memories(&place.store()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_in_config_maps_obeys_the_laws_of_leases() {
    let Some(place) = Place::new("leases").await else { return };
    let open = || -> Process { Box::new(place.store()) };
    obeys_the_laws_of_leases(&open, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_in_config_maps_obeys_the_laws_of_decisions() {
    let Some(place) = Place::new("decisions").await else { return };
    let open = || -> Process { Box::new(place.store()) };
    obeys_the_laws_of_decisions(&open, 140).await;
    let many: Vec<_> = place.of("decisions").await;
    let (largest, all) = (many.iter().map(|map| map.data.as_ref().unwrap().len()).max(), many.len());
    assert!(largest <= Some(64) && all <= 20, "few, and none of them large: {all}, {largest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_moves_to_another_namespace_with_its_identity_and_ends_where_it_was() {
    let (Some(here), Some(there)) = (Place::new("from").await, Place::new("to").await) else { return };
    obeys_the_laws_of_moves(&here.store(), &there.store()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_run_ends_its_many_batches_become_few_and_every_line_is_still_there() {
    let Some(place) = Place::new("batches").await else { return };
    let (store, other) = (place.store(), place.store());
    let lease = store.take_lease(&game(), &run("r1"), "ann", START, LEASE, None).await.unwrap();
    for number in 0..20 {
        store.append(&lease, number, START, &[event("line")]).await.unwrap();
    }
    let before = other.entries(&game(), 0).await.unwrap();
    assert_eq!((before.len(), place.of("lines").await.len()), (20, 20));
    let (seq, hash) = store.head(&game()).await.unwrap();
    store.put_checkpoint(&lease, &Checkpoint::new(seq, hash, 1, "state".into())).await.unwrap();
    assert_eq!(place.of("lines").await.len(), 1, "all of them together");
    assert_eq!(other.entries(&game(), 0).await.unwrap(), before);
    assert_eq!(other.entries(&game(), 13).await.unwrap(), before[13..]);
    assert_eq!(store.append(&lease, 20, START, &[event("one more")]).await.unwrap(), 21);
    assert_eq!(other.entries(&game(), 0).await.unwrap().len(), 21);
    for map in place.of("lines").await {
        assert_eq!(map.immutable, Some(true));
        assert!(map.metadata.owner_references.is_none() && map.metadata.finalizers.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_larger_than_a_config_map_is_there_whole_and_one_with_a_part_missing_is_not_used() {
    let Some(place) = Place::new("large").await else { return };
    let store = place.store();
    let lease = store.take_lease(&game(), &run("r1"), "ann", START, LEASE, None).await.unwrap();
    store.append(&lease, 0, START, &[event("one")]).await.unwrap();
    let (seq, hash) = store.head(&game()).await.unwrap();
    let kept = |fill: &str| Checkpoint::new(seq, hash.clone(), 1, fill.repeat(1_300_000));
    for fill in ["a", "b"] {
        store.put_checkpoint(&lease, &kept(fill)).await.unwrap();
        assert_eq!(store.resume(&game(), 1).await.unwrap(), (Some(kept(fill)), Vec::new()));
        assert_eq!(place.of("checkpoint").await.len(), 4, "three parts, and what names them");
    }
    let parts = place.of("checkpoint").await;
    place.delete(parts.iter().find(|map| map.immutable == Some(true)).unwrap()).await;
    let (none, lines) = store.resume(&game(), 1).await.unwrap();
    assert_eq!((none, lines.len()), (None, 1), "the record is read instead");
    store.put_checkpoint(&lease, &Checkpoint::new(seq, hash.clone(), 1, "small".into())).await.unwrap();
    assert_eq!(place.of("checkpoint").await.len(), 1, "no part is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_was_changed_or_removed_in_the_cluster_is_named_and_an_old_head_is_no_end() {
    let Some(place) = Place::new("harm").await else { return };
    let store = place.store();
    let lease = store.take_lease(&game(), &run("r1"), "ann", START, LEASE, None).await.unwrap();
    store.append(&lease, 0, START, &[event("one")]).await.unwrap();
    let old_head = place.of("head").await.remove(0);
    store.append(&lease, 1, START, &[event("two")]).await.unwrap();
    let head = place.of("head").await.remove(0);
    let lines = place.of("lines").await;
    let is_damaged = |read: Result<Vec<_>, StoreError>| match read {
        Err(StoreError::Damaged { chain: Chain::Record, seq, .. }) => Some(seq),
        _ => None,
    };

    let put = |mut map: ConfigMap| {
        let maps = place.maps();
        async move {
            (map.metadata.resource_version, map.metadata.uid) = (None, None);
            maps.create(&PostParams::default(), &map).await.unwrap();
        }
    };
    let second = lines.iter().find(|map| map.data.as_ref().unwrap()["content"].contains("two")).unwrap();
    place.delete(second).await;
    assert_eq!(is_damaged(store.entries(&game(), 0).await), Some(2), "it is gone");
    let mut changed = second.clone();
    let text = changed.data.as_mut().unwrap().get_mut("content").unwrap();
    *text = text.replace("two", "TWO");
    put(changed.clone()).await;
    assert_eq!(is_damaged(store.entries(&game(), 0).await), Some(2), "it is another one");
    place.delete(&changed).await;
    put(second.clone()).await;
    assert_eq!(store.entries(&game(), 0).await.unwrap().len(), 2);

    // Somebody brings a backup of the head back: one batch beyond it may be a run that was cut off; with two it is not.
    store.append(&lease, 2, START, &[event("three")]).await.unwrap();
    place.delete(&head).await;
    put(old_head).await;
    assert_eq!(is_damaged(store.entries(&game(), 0).await), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_there_is_told_what_the_role_has_to_allow_and_a_missing_namespace_is_named() {
    let Some(plane) = ControlPlane::shared(WHAT) else { return };
    let at = |client: kube::Client, namespace: &str| {
        let namespace = namespace.to_owned();
        kube_store_with(client, KubePlace { cluster: Cluster::Here, namespace }, Arc::new(SystemClock))
    };
    let namespace = plane.namespace("refused");
    let stranger = at(plane.client(&User::Stranger).await, &namespace);
    let refused = stranger.take_lease(&game(), &run("r1"), "eve", START, LEASE, None).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("forbidden") && text.contains("update, patch and delete of configmaps"), "{text}");
    let nowhere = at(plane.client(&User::Admin).await, "no-such-namespace");
    let refused = nowhere.take_lease(&game(), &run("r1"), "ann", START, LEASE, None).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("no-such-namespace") && text.contains("make the namespace first"), "{text}");
}
