//! Account documents: what contradicts itself, and the regions that name them.

use crate::account::{Account, AccountBook};
use crate::region::{Region, RegionBook};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Finding, did_you_mean};
use rgctl_schema::names::Partition;

/// Digits of an account's number.
const DIGITS: usize = 12;

pub(super) fn check(account: &Account, regions: &RegionBook) -> Vec<Finding> {
    let mut found = Vec::new();
    let spec = &account.spec;
    if spec.id.len() != DIGITS || !spec.id.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("`{}` is no number of an account", spec.id);
        found.push(error("spec.id", message).help("twelve digits, in quotes, such as `'123456789012'`"));
    }
    role(account, &mut found);
    if let (Some(_), None) = (&spec.external_id, &spec.role) {
        let message = "an external id without a role to assume: nobody is asked for it";
        found.push(error("spec.externalId", message).help("add `role:`, or remove it"));
    }
    for (place, region) in spec.regions.iter().enumerate() {
        let partition = Partition::of(region);
        if partition != spec.partition {
            let message =
                format!("`{region}` is in partition `{partition}`, the account in `{}`", spec.partition);
            found.push(
                error(&format!("spec.regions[{place}]"), message).help("an account is of one partition"),
            );
        }
    }
    let name = &account.metadata.name;
    if !regions.iter().any(|region| region.spec.account.as_ref() == Some(name)) {
        let finding = Finding::warning(
            codes::BAD_ACCOUNT,
            "metadata.name",
            format!("no region names the account `{name}`: nothing is done in it"),
        );
        found.push(finding.help(format!("write `account: {name}` in the `spec` of its regions")));
    }
    found
}

/// `arn:PARTITION:iam::NUMBER:role/NAME`.
fn role(account: &Account, found: &mut Vec<Finding>) {
    let spec = &account.spec;
    let Some(role) = &spec.role else { return };
    let parts: Vec<&str> = role.split(':').collect();
    let ["arn", partition, "iam", "", id, name] = parts[..] else {
        let example = format!("arn:{}:iam::{}:role/rgctl", spec.partition, spec.id);
        found.push(
            error("spec.role", format!("`{role}` is no ARN of a role"))
                .help(format!("for example `{example}`")),
        );
        return;
    };
    if !name.starts_with("role/") {
        found.push(
            error("spec.role", format!("`{name}` is no role")).help("the ARN of a role ends in `role/NAME`"),
        );
    }
    if partition != spec.partition.as_str() {
        let message = format!("the role is of partition `{partition}`, the account of `{}`", spec.partition);
        found.push(error("spec.role", message).help("correct one of the two"));
    }
    if id != spec.id {
        let message = format!("the role is of account {id}, the document of {}", spec.id);
        found.push(error("spec.role", message).help("a role is assumed in the account that it belongs to"));
    }
}

/// The account that a region names.
pub(super) fn check_region(region: &Region, accounts: &AccountBook) -> Vec<Finding> {
    let Some(name) = &region.spec.account else { return Vec::new() };
    let code = &region.metadata.name;
    let Some(account) = accounts.get(name) else {
        let names = accounts.iter().map(|account| account.metadata.name.as_str());
        let help = did_you_mean(name.as_str(), names).map_or_else(
            || "give the file with the `kind: Account` of that name with `-f` too, or put it beside the regions".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return vec![error("spec.account", format!("the account `{name}` is not described")).help(help)];
    };
    let spec = &account.spec;
    if spec.partition != region.spec.partition {
        let message = format!(
            "`{code}` is in partition `{}`, the account `{name}` in `{}`",
            region.spec.partition, spec.partition
        );
        return vec![error("spec.account", message).help("name an account of that partition")];
    }
    if !spec.regions.is_empty() && !spec.regions.contains(code) {
        let message = format!("the account `{name}` may not be used in `{code}`");
        return vec![
            error("spec.account", message)
                .help(format!("add `{code}` to the account's `regions`, or name another one")),
        ];
    }
    Vec::new()
}

fn error(path: &str, message: impl Into<String>) -> Finding {
    Finding::error(codes::BAD_ACCOUNT, path, message.into())
}
