//! Secrets in the embedded cloud. Sources: Secrets Manager user guide, "Replicate Secrets Manager secrets across Regions" and "Delete
//! a secret"; API reference, `CreateSecret` and `UpdateSecret`.

use super::row::{Behaviour, Codes, WhileNamed, rows};
use super::shared::{one_key, plain};
use rgctl_model::kinds::secret::SecretAttrs;

/// Codes. Source: API reference, errors of `CreateSecret`, `UpdateSecret` and `DeleteSecret`.
const CODES: Codes = Codes {
    state: "InvalidRequestException",
    quota: "LimitExceededException",
    capacity: "InternalServiceError",
    combination: "InvalidParameterException",
    nodes: "InvalidParameterException",
    in_use: "InvalidRequestException",
    snapshot_exists: "ResourceExistsException",
    failover: "InvalidRequestException",
    global_state: "InvalidRequestException",
};

/// Secrets. The service does not know who reads one, and deletes it whoever does.
pub(super) const SECRET: Behaviour = Behaviour { while_named: WhileNamed::Goes, ..plain(CODES) };

rows! {
    /// A secret with the password of a store's first user. What it holds is told to nobody who lists it.
    SECRET_ROWS of SecretAttrs {
        username => Fixed, told: false;
        kms_key => InPlace, same: one_key;
        replica_regions => InPlace;
    }
}
