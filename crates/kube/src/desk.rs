//! What is written to the API server: statuses, finalizers, plans, events.
//!
//! **Invariant:** of the resources of people nothing but status and finalizers is written, and only of the one that was meant: its
//! uid goes along, so that one of its name that was made anew is left alone.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::item::{Item, Place, Watched};
use crate::kinds::{API_VERSION, OPERATOR};
use crate::watch::resource;

/// How often a write is tried that somebody else came before.
const TRIES_MAX: u32 = 5;

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The resource is not there any more, or another one of its name is.
    #[error("it is gone")]
    Gone,
    /// The API server refuses it.
    #[error("the API server refuses it: {why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// It does not answer.
    #[error("the API server does not answer: {why}")]
    Away {
        /// Why.
        why: String,
    },
}

impl From<kube::Error> for DeskError {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.code == 404 => Self::Gone,
            kube::Error::Api(status) if (400..500).contains(&status.code) && status.code != 429 => {
                Self::Refused { why: status.message.clone() }
            }
            _ => Self::Away { why: crate::in_words(&error) },
        }
    }
}

/// Writes.
#[derive(Clone)]
pub struct Desk {
    client: Client,
}

impl Desk {
    /// By a client.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    fn api(&self, what: Watched, place: &Place) -> Api<DynamicObject> {
        if what.is_of_cluster() {
            return Api::all_with(self.client.clone(), &resource(what));
        }
        Api::namespaced_with(self.client.clone(), &place.namespace, &resource(what))
    }

    /// Changes what is told of a resource; yields it as it is then.
    pub async fn tell(&self, what: Watched, item: &Item, changes: &Value) -> Result<Option<Item>, DeskError> {
        let patch = json!({ "metadata": { "uid": item.uid() }, "status": changes });
        let params = PatchParams::apply(OPERATOR);
        let told =
            self.api(what, &item.place).patch_status(&item.place.name, &params, &Patch::Merge(&patch)).await;
        let told = told.map_err(of_this_one)?;
        Ok(serde_json::to_value(&told).ok().and_then(|told| Item::of(what, told)))
    }

    /// Adds our finalizer to a resource, or takes it off.
    pub async fn keep(
        &self,
        what: Watched,
        item: &Item,
        finalizer: &str,
        keeps: bool,
    ) -> Result<(), DeskError> {
        let (api, name) = (self.api(what, &item.place), &*item.place.name);
        let mut tries = 0;
        loop {
            tries += 1;
            let now = api.get_metadata(name).await?;
            if now.metadata.uid.as_deref() != Some(item.uid()) {
                return Err(DeskError::Gone);
            }
            let mut finalizers = now.metadata.finalizers.unwrap_or_default();
            let has = finalizers.iter().any(|one| one == finalizer);
            if has == keeps {
                return Ok(());
            }
            if keeps {
                finalizers.push(finalizer.to_owned());
            } else {
                finalizers.retain(|one| one != finalizer);
            }
            // With the version that was read: nobody else's finalizer is lost.
            let patch = json!({ "metadata": {
                "uid": item.uid(), "resourceVersion": now.metadata.resource_version, "finalizers": finalizers,
            } });
            let params = PatchParams::apply(OPERATOR);
            match api.patch_metadata(name, &params, &Patch::Merge(&patch)).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 && tries < TRIES_MAX => {}
                Err(error) => return Err(of_this_one(error)),
            }
        }
    }

    /// Makes a resource of ours; nothing where it is there already.
    pub async fn make(
        &self,
        what: Watched,
        place: &Place,
        metadata: Value,
        spec: &Value,
    ) -> Result<Option<Item>, DeskError> {
        let mut object = json!({
            "apiVersion": API_VERSION, "kind": what.kind(), "metadata": metadata, "spec": spec,
        });
        object["metadata"]["name"] = Value::from(&*place.name);
        object["metadata"]["namespace"] = Value::from(&*place.namespace);
        let object: DynamicObject =
            serde_json::from_value(object).map_err(|error| DeskError::Refused { why: error.to_string() })?;
        let params = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
        match self.api(what, place).create(&params, &object).await {
            Ok(made) => Ok(serde_json::to_value(&made).ok().and_then(|made| Item::of(what, made))),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a resource of ours.
    pub async fn remove(&self, what: Watched, place: &Place) -> Result<(), DeskError> {
        match self.api(what, place).delete(&place.name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// One resource, as it is now.
    pub async fn read(&self, what: Watched, place: &Place) -> Result<Option<Item>, DeskError> {
        let found = self.api(what, place).get_opt(&place.name).await?;
        Ok(found.and_then(|found| serde_json::to_value(&found).ok()).and_then(|found| Item::of(what, found)))
    }

    /// Who we are to the API server.
    pub async fn who_am_i(&self) -> Result<String, DeskError> {
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
        let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
        user.ok_or_else(|| DeskError::Refused { why: "it does not say who we are".to_owned() })
    }
}

/// A conflict about the uid: another resource of that name.
fn of_this_one(error: kube::Error) -> DeskError {
    match error {
        kube::Error::Api(status) if status.code == 409 => DeskError::Gone,
        error => error.into(),
    }
}
