//! The inbox: a log of messages to whoever holds a lease.

use futures::FutureExt;

use super::lines::{Log, Next};
use super::store::Records;
use rgctl_model::chain;
use rgctl_model::inbox::{Message, Request};
use rgctl_model::ports::{Chain, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::time::Moment;

const INBOX: Log = Log { folder: "inbox", chain: Chain::Inbox };

impl Records {
    pub(super) async fn post_now(
        &self,
        scope: &Scope,
        from: &str,
        at: Moment,
        what: &Request,
    ) -> Result<u64, StoreError> {
        let next = || -> Next<'_, Message, ()> {
            async move {
                let last = match self.numbers(scope, INBOX, 0).await?.pop() {
                    Some(number) => self.line(scope, INBOX, number).await?,
                    None => None,
                };
                Ok((chain::seal_message(scope, last.as_ref(), at, from, what), ()))
            }
            .boxed()
        };
        Ok(self.add(scope, INBOX, next).boxed().await?.0.seq)
    }

    pub(super) async fn inbox_now(&self, scope: &Scope, after: u64) -> Result<Vec<Message>, StoreError> {
        let numbers = self.numbers(scope, INBOX, after).await?;
        let messages: Vec<Message> = self.numbered(scope, INBOX, numbers).await?;
        chain::verify_part(scope, &messages).map_err(|(seq, why)| INBOX.damaged(scope, seq, why))?;
        Ok(messages)
    }

    pub(super) async fn take_messages_in(
        &self,
        scope: &Scope,
        messages: &[Message],
    ) -> Result<(), StoreError> {
        if !messages.starts_with(&self.inbox_now(scope, 0).await?) {
            return Err(StoreError::Taken { scope: scope.clone() });
        }
        self.put_lines(scope, INBOX, messages).await
    }
}
