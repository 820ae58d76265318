//! Name, place and marks of an object, as far as they are used: no managed fields, and of the annotations those of rgctl.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{GROUP, marks};
use rgctl_schema::time::Moment;

/// Name, place and marks of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Its name.
    pub name: String,
    /// Its namespace; none where it is of the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its identity: an object of the same name that was made anew has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Which version of it this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// How often what is wanted was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// When it was made.
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Moment>,
    /// Since when it is to go.
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<Moment>,
    /// The annotations of rgctl's group.
    #[serde(default, deserialize_with = "ours", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Its labels.
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What has to be done before it may go.
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
    /// With what it goes.
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<OwnerReference>,
}

/// With what an object goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Identity.
    pub uid: String,
}

impl Meta {
    /// Namespace and name, or the name alone where it is of the whole cluster.
    pub fn key(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |space| format!("{space}/{}", self.name))
    }

    /// An annotation of rgctl's; an empty one counts as none.
    pub fn mark(&self, name: &str) -> Option<&str> {
        self.annotations.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Why nothing is to be begun, where somebody said so. An empty reason pauses, too: whoever wrote the annotation meant it.
    pub fn paused(&self) -> Option<&str> {
        said(self.annotations.get(marks::PAUSED))
    }

    /// Why it is only to be observed, where somebody said so.
    pub fn observe_only(&self) -> Option<&str> {
        said(self.annotations.get(marks::OBSERVE_ONLY))
    }

    /// Whether connection details are to be published.
    pub fn publishes_outputs(&self) -> bool {
        said(self.annotations.get(marks::OUTPUTS)).is_some()
    }

    /// The token of the last wish for a turn.
    pub fn reconcile_at(&self) -> Option<&str> {
        self.mark(marks::RECONCILE_AT)
    }

    /// Whether it is to go.
    pub const fn is_going(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Whether rgctl's finalizer keeps it.
    pub fn is_kept(&self) -> bool {
        self.finalizers.iter().any(|name| name == marks::FINALIZER)
    }

    /// A reference by which something goes with this object.
    pub fn owner(&self, kind: &str) -> OwnerReference {
        OwnerReference {
            api_version: super::API_VERSION.to_owned(),
            kind: kind.to_owned(),
            name: self.name.clone(),
            uid: self.uid.clone().unwrap_or_default(),
        }
    }
}

/// `false` takes a mark back: so people write what they mean in an annotation.
fn said(value: Option<&String>) -> Option<&str> {
    match value?.as_str() {
        "false" => None,
        "" | "true" => Some("no reason given"),
        why => Some(why),
    }
}

fn or_none<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn ours<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let mut all: BTreeMap<String, String> = or_none(from)?;
    all.retain(|name, _| name.split_once('/').is_some_and(|(group, _)| group == GROUP));
    Ok(all)
}

/// Points in time as the API server writes them.
pub mod moment {
    use rgctl_schema::time::Moment;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes a time that may be none.
    pub fn serialize<S: Serializer>(moment: &Option<Moment>, to: S) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => to.serialize_str(&moment.rfc3339()),
            None => to.serialize_none(),
        }
    }

    /// Reads a time that may be none.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Moment>, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        text.map(|text| super::parse(&text).ok_or_else(|| D::Error::custom("not a point in time (RFC 3339)")))
            .transpose()
    }
}

/// Points in time that are always there.
pub mod at {
    use rgctl_schema::time::Moment;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes a time.
    pub fn serialize<S: Serializer>(moment: &Moment, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&moment.rfc3339())
    }

    /// Reads a time.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Moment, D::Error> {
        let text = String::deserialize(from)?;
        super::parse(&text).ok_or_else(|| D::Error::custom("not a point in time (RFC 3339)"))
    }
}

fn parse(text: &str) -> Option<Moment> {
    Moment::parse_rfc3339(text)
}
