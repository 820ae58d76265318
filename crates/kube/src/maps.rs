//! ConfigMaps that the operator writes for people: connection details of a blueprint's stores, in the blueprint's namespace.
//!
//! **Invariant:** none is written or removed that is not the operator's own, by its label and its owner.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;

use crate::desk::{Desk, DeskError};
use crate::item::{Item, Place, Watched};
use crate::kinds::{OPERATOR, marks};

/// What stands at the place of a ConfigMap of the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Nothing,
    /// One of that blueprint, with what is in it.
    Ours(BTreeMap<String, String>),
    /// Somebody else's, or that of a blueprint of the same name that is gone.
    Foreign,
}

impl Desk {
    fn maps(&self, place: &Place) -> Api<ConfigMap> {
        Api::namespaced(self.client().clone(), &place.namespace)
    }

    /// What stands at a place, for a blueprint.
    pub async fn map(&self, place: &Place, of: &Item) -> Result<Standing, DeskError> {
        let Some(found) = self.maps(place).get_opt(&place.name).await? else { return Ok(Standing::Nothing) };
        Ok(if is_ours(&found, of) {
            Standing::Ours(found.data.unwrap_or_default())
        } else {
            Standing::Foreign
        })
    }

    /// Writes one of ours whole: what is not in it any more is taken out.
    pub async fn put_map(
        &self,
        place: &Place,
        of: &Item,
        data: &BTreeMap<String, String>,
    ) -> Result<(), DeskError> {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": &*place.name,
                "namespace": &*place.namespace,
                "labels": { marks::BLUEPRINT: &*of.place.name, "app.kubernetes.io/managed-by": OPERATOR },
                "ownerReferences": [of.meta.owner(Watched::Blueprint.kind())],
            },
            "data": data,
        });
        // It was seen that it is ours: who has changed something in it is told so by finding it as it was.
        let params = PatchParams::apply(OPERATOR).force();
        self.maps(place).patch(&place.name, &params, &Patch::Apply(&map)).await?;
        Ok(())
    }

    /// Removes one of ours; nothing where none is there.
    pub async fn remove_map(&self, place: &Place, of: &Item) -> Result<(), DeskError> {
        let Some(found) = self.maps(place).get_opt(&place.name).await? else { return Ok(()) };
        if !is_ours(&found, of) {
            return Ok(());
        }
        let exactly = Preconditions { uid: found.metadata.uid, resource_version: None };
        let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
        match self.maps(place).delete(&place.name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_ours(found: &ConfigMap, of: &Item) -> bool {
    let labels = found.metadata.labels.as_ref();
    let is_labelled =
        labels.and_then(|all| all.get(marks::BLUEPRINT)).is_some_and(|name| **name == *of.place.name);
    let owners = found.metadata.owner_references.iter().flatten();
    is_labelled && owners.into_iter().any(|owner| owner.uid == of.uid())
}
