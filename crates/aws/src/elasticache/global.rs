//! Changes of groups that are members of a global datastore: shards, node type and engine are the datastore's, not the
//! member's. The service refuses them on a member, and changes all members together.

use aws_sdk_elasticache as cache;
use cache::types::ReplicationGroup;

use super::ENDPOINT;
use crate::service_client::ServiceClient;
use rgctl_model::kinds::elasticache::GroupAttrs;
use rgctl_model::ports::CloudError;
use rgctl_schema::phase::Phase;

/// A group's place in a global datastore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The whole id of the datastore.
    pub id: String,
    /// Whether the others follow it.
    pub is_primary: bool,
}

/// The place of a group, if it has one.
pub fn membership(group: &ReplicationGroup) -> Option<Membership> {
    let info = group.global_replication_group_info()?;
    let is_primary =
        info.global_replication_group_member_role().is_some_and(|role| role.eq_ignore_ascii_case("primary"));
    Some(Membership { id: info.global_replication_group_id()?.to_owned(), is_primary })
}

impl Membership {
    /// A follower has what its primary has, and waits for it: that is where the datastore is changed.
    fn leads(&self) -> Result<(), CloudError> {
        if self.is_primary {
            return Ok(());
        }
        let phase = Phase::Busy { serves: true };
        Err(CloudError::Busy { phase, code: "InvalidGlobalReplicationGroupState".to_owned() })
    }

    /// Brings all members to so many shards.
    pub async fn reshard(&self, client: &ServiceClient<'_>, shards: u32) -> Result<(), CloudError> {
        self.leads()?;
        let request = client
            .read
            .elasticache
            .describe_global_replication_groups()
            .global_replication_group_id(&self.id)
            .show_member_info(false);
        let answer =
            client.ask(ENDPOINT, "DescribeGlobalReplicationGroups", || request.clone().send()).await?;
        let first = answer.global_replication_groups.unwrap_or_default().into_iter().next();
        let mut ids: Vec<String> = first
            .and_then(|found| found.global_node_groups)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|shard| shard.global_node_group_id)
            .collect();
        ids.sort();
        let wanted = usize::try_from(shards).unwrap_or(usize::MAX);
        let sdk = &client.write.elasticache;
        if ids.len() > wanted {
            // Which ones stay has to be said; the oldest do, as in a group of its own.
            ids.truncate(wanted);
            let request = sdk
                .decrease_node_groups_in_global_replication_group()
                .global_replication_group_id(&self.id)
                .node_group_count(shards.cast_signed())
                .set_global_node_groups_to_retain(Some(ids))
                .apply_immediately(true);
            let what = "DecreaseNodeGroupsInGlobalReplicationGroup";
            return client.change(ENDPOINT, what, request.send()).await.map(drop);
        }
        let request = sdk
            .increase_node_groups_in_global_replication_group()
            .global_replication_group_id(&self.id)
            .node_group_count(shards.cast_signed())
            .apply_immediately(true);
        client.change(ENDPOINT, "IncreaseNodeGroupsInGlobalReplicationGroup", request.send()).await.map(drop)
    }

    /// Changes node type or engine of all members. Whatever else is wanted of the member is said by the plan that
    /// follows.
    pub async fn modify(&self, client: &ServiceClient<'_>, wanted: &GroupAttrs) -> Result<(), CloudError> {
        self.leads()?;
        let request = client
            .write
            .elasticache
            .modify_global_replication_group()
            .global_replication_group_id(&self.id)
            .apply_immediately(true)
            .set_engine(wanted.engine.map(|engine| engine.as_str().to_owned()))
            .set_engine_version(wanted.engine_version.as_ref().map(|version| version.0.clone()))
            .set_cache_node_type(wanted.node_type.clone());
        client.change(ENDPOINT, "ModifyGlobalReplicationGroup", request.send()).await.map(drop)
    }
}

/// Whether a change is the datastore's where there is one.
pub const fn is_of_datastore(wanted: &GroupAttrs) -> bool {
    wanted.engine.is_some() || wanted.engine_version.is_some() || wanted.node_type.is_some()
}
