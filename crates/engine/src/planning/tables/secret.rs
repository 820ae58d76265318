//! Secrets: what changing a field of one does.

use super::row::{KindRow, Reduction, rows};
use super::shared::{PLAIN, same_key};
use rgctl_model::kinds::secret::SecretAttrs;

/// Secrets.
pub(super) const SECRET: KindRow = PLAIN;

rows! {
    /// A secret with the password of a store's first user. The user's name is written with the value, and never changed.
    SECRET_ROWS of SecretAttrs {
        username => Replace;
        kms_key => InPlace { same: same_key, lowers: Reduction::Nothing };
        replica_regions => InPlace { lowers: Reduction::Less };
    }
}
