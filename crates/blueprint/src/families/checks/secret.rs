//! What is wrong with a secret that a section names.

use super::StoreContext;
use crate::families::Store;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::Finding;
use rgctl_schema::names::Partition;

/// `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME`, in the region that takes the writes.
pub(super) fn check(store: &Store, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let given = match store {
        Store::Aurora(store) => store.master_secret.as_ref(),
        Store::DocumentDb(store) => store.master_secret.as_ref(),
        Store::ElastiCache(_) | Store::Redshift(_) => None,
    };
    let Some(arn) = given.map(|given| given.arn.as_str()) else { return };
    let at = format!("{at}.masterSecret.arn");
    let error = |message: String| Finding::error(codes::BAD_SETTING, at.clone(), message);
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "secretsmanager", region, account, "secret", name] = parts[..] else {
        let example = "arn:aws:secretsmanager:us-east-1:111122223333:secret:accounts-Ab12Cd";
        found.push(error(format!("`{arn}` is no ARN of a secret")).help(format!("for example `{example}`")));
        return;
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    // What stands after the name tells secrets of one name apart, and a policy that names the ARN without it permits nothing.
    let is_whole = name.rsplit_once('-').is_some_and(|(stem, end)| {
        !stem.is_empty() && end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let is_name = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if !is_account || !is_whole || !name.chars().all(is_name) {
        let message =
            format!("`{arn}` names no account of twelve digits, or no whole name of a secret of one's own");
        let help = "`aws secretsmanager describe-secret` tells the whole ARN, with six characters at its end";
        found.push(error(message).help(help));
    }
    for place in around.places {
        if place.primary.as_str() != region {
            let message =
                format!("the secret is in `{region}`, and `{}` writes in `{}`", store.name(), place.primary);
            found.push(error(message).help("name a secret of that region, or its copy there"));
        } else if Partition::of(&place.primary).as_str() != partition {
            let message = format!("`{partition}` is not the partition of `{region}`");
            found.push(error(message).help(format!("write `{}`", Partition::of(&place.primary))));
        }
    }
}
