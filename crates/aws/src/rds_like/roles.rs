//! Roles of clusters: one call for each that goes or comes.

use std::collections::BTreeSet;

use super::ENDPOINT;
use crate::service_client::ServiceClient;
use rgctl_model::ports::CloudError;

/// The feature and the ARN of a role as it is written here.
fn parts(role: &str) -> (Option<&str>, &str) {
    // Names of roles may have the sign in them, too.
    if role.starts_with("arn:") {
        return (None, role);
    }
    role.split_once('=').map_or((None, role), |(feature, arn)| (Some(feature), arn))
}

/// A role as it is written here.
pub fn written(feature: Option<&str>, arn: &str) -> String {
    feature
        .filter(|feature| !feature.is_empty())
        .map_or_else(|| arn.to_owned(), |feature| format!("{feature}={arn}"))
}

/// Takes away what is not wanted, then attaches what is: a feature has one role at a time. What is gone already is as wanted. A
/// role that the service has already may be there for another feature: the next look tells.
pub async fn set(
    client: &ServiceClient<'_>,
    name: &str,
    before: &BTreeSet<String>,
    wanted: &BTreeSet<String>,
) -> Result<(), CloudError> {
    for role in before.difference(wanted) {
        let (feature, arn) = parts(role);
        let request = client
            .write
            .rds
            .remove_role_from_db_cluster()
            .db_cluster_identifier(name)
            .role_arn(arn)
            .set_feature_name(feature.map(str::to_owned));
        match client.change(ENDPOINT, "RemoveRoleFromDBCluster", request.send()).await {
            Ok(_) | Err(CloudError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    for role in wanted.difference(before) {
        let (feature, arn) = parts(role);
        let request = client
            .write
            .rds
            .add_role_to_db_cluster()
            .db_cluster_identifier(name)
            .role_arn(arn)
            .set_feature_name(feature.map(str::to_owned));
        client.change(ENDPOINT, "AddRoleToDBCluster", request.send()).await?;
    }
    Ok(())
}
