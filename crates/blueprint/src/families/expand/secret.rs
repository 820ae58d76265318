//! Who keeps the password of a store's first user: the service, a secret of the store's own, or one that exists.
//!
//! The services keep none of a member of a global database (Aurora and DocumentDB guides, password management, limitations), so
//! that a store of several regions has a secret of its own, with copies in all of them.

use super::{Builder, ExpandError};
use crate::families::common::MasterSecret;
use rgctl_model::address::Address;
use rgctl_model::kinds::secret::SecretAttrs;
use rgctl_model::kinds::{AnyAttrs, KindId};

/// What a cluster is told of its first user. A secondary has the users of its primary, and is told nothing.
#[derive(Default)]
pub(super) struct FirstUser {
    pub name: Option<String>,
    /// Whether the service keeps the password.
    pub managed: Option<bool>,
    /// The secret of the store's own.
    pub secret: Option<Address>,
    /// One that exists.
    pub arn: Option<String>,
}

impl FirstUser {
    /// Name of the secret of the store's own.
    pub fn secret_name(&self) -> Option<String> {
        self.secret.as_ref().map(|secret| secret.name.to_string())
    }
}

/// The first user of a store at its place, with the secret that it needs.
pub(super) fn first_user(
    build: &mut Builder<'_>,
    name: &str,
    given: Option<&MasterSecret>,
) -> Result<FirstUser, ExpandError> {
    if build.site.is_secondary() {
        return Ok(FirstUser::default());
    }
    let name = Some(name.to_owned());
    if let Some(given) = given {
        return Ok(FirstUser { name, managed: Some(false), arn: Some(given.arn.clone()), secret: None });
    }
    if !build.site.is_replicated() {
        return Ok(FirstUser { name, managed: Some(true), ..FirstUser::default() });
    }
    let id = build.id()?;
    let attrs = SecretAttrs {
        username: name.clone(),
        kms_key: build.kms_key(),
        replica_regions: Some(build.site.secondaries.iter().map(ToString::to_string).collect()),
    };
    let secret = build.add(KindId::Secret, &id, AnyAttrs::Secret(attrs), &[]);
    Ok(FirstUser { name, managed: Some(false), secret: Some(secret), arn: None })
}
