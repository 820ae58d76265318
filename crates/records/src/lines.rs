//! Logs beside the record: one object for each line, numbered, made on the condition that there is none of that number.
//!
//! **Invariant:** no line touches the head of the record, so that none can fence a run, or cost it a race.
//! **Invariant:** of two that write a line of one number one is refused, and judges anew by the line that was faster.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::shelf::{Backoff, Put, Trouble, When, unavailable};
use super::store::Records;
use rgctl_model::chain::Line;
use rgctl_model::ports::{Chain, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::time::Span;

/// How often a lost race for a number is run again. Each was won by somebody.
const ROUNDS: usize = 64;
/// How long trouble of the shelf is waited out.
const PATIENCE: Span = Span::from_mins(1);

/// A log: in which folder of a scope, and which chain it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub folder: &'static str,
    pub chain: Chain,
}

impl Log {
    pub(super) fn damaged(self, scope: &Scope, seq: u64, why: impl std::fmt::Display) -> StoreError {
        StoreError::Damaged {
            chain: self.chain,
            blueprint: scope.blueprint.clone(),
            seq,
            why: why.to_string(),
        }
    }
}

/// What is about to be written, and what its writer wants to know afterwards.
pub(super) type Next<'a, L, T> = BoxFuture<'a, Result<(L, T), Trouble>>;

impl Records {
    pub(super) fn log_key(scope: &Scope, log: Log) -> String {
        Self::key(scope, &format!("{}/", log.folder))
    }

    pub(super) fn line_key(scope: &Scope, log: Log, number: u64) -> String {
        Self::key(scope, &format!("{}/{number:016}.json", log.folder))
    }

    /// The numbers of the lines after one, in order.
    pub(super) async fn numbers(&self, scope: &Scope, log: Log, after: u64) -> Result<Vec<u64>, Trouble> {
        let prefix = Self::log_key(scope, log);
        let after_key = Self::line_key(scope, log, after);
        let keys = self.shelf.list(&prefix, Some(&after_key)).await?;
        let number = |key: &str| key.strip_prefix(&prefix)?.strip_suffix(".json")?.parse().ok();
        let numbers = keys.iter().filter_map(|key| number(key));
        let mut numbers: Vec<u64> = numbers.filter(|number| *number > after).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The line of a number, where there is one.
    pub(super) async fn line<L: DeserializeOwned>(
        &self,
        scope: &Scope,
        log: Log,
        number: u64,
    ) -> Result<Option<L>, Trouble> {
        let Some((bytes, _)) = self.shelf.get(&Self::line_key(scope, log, number)).await? else {
            return Ok(None);
        };
        let line = serde_json::from_slice(&bytes);
        Ok(Some(line.map_err(|error| log.damaged(scope, number, error))?))
    }

    /// The lines of these numbers, which are there.
    pub(super) async fn numbered<L: DeserializeOwned + Send>(
        &self,
        scope: &Scope,
        log: Log,
        numbers: Vec<u64>,
    ) -> Result<Vec<L>, Trouble> {
        let keys: Vec<String> = numbers.iter().map(|number| Self::line_key(scope, log, *number)).collect();
        let mut lines = Vec::with_capacity(keys.len());
        for (bytes, number) in self.shelf.many(&keys).await?.into_iter().zip(numbers) {
            let bytes = bytes.ok_or_else(|| log.damaged(scope, number, "it is gone"))?;
            lines.push(serde_json::from_slice(&bytes).map_err(|error| log.damaged(scope, number, error))?);
        }
        Ok(lines)
    }

    /// Writes a line that follows the last one: again when somebody else was faster, and again, after longer and longer
    /// waits, when the shelf has trouble that passes. One whose answer was lost is looked for before it is repeated.
    pub(super) async fn add<'a, L, T>(
        &'a self,
        scope: &'a Scope,
        log: Log,
        next: impl Fn() -> Next<'a, L, T> + Send + Sync,
    ) -> Result<(L, T), StoreError>
    where
        L: Line + Serialize + DeserializeOwned + Send + Sync,
        T: Send,
    {
        let mut patience = Backoff::new(self.shelf.clock(), PATIENCE);
        let mut unsure: Option<(L, T)> = None;
        let mut races = 0;
        while races < ROUNDS {
            if let Some((line, _)) = &unsure {
                let there: Option<L> = match self.line(scope, log, line.seq()).await {
                    Ok(there) => there,
                    Err(trouble) => {
                        patience.wait(trouble).await?;
                        continue;
                    }
                };
                let is_made = there.is_some_and(|there| there.hash() == line.hash());
                if let Some(made) = unsure.take().filter(|_| is_made) {
                    return Ok(made);
                }
            }
            let (line, told) = match next().await {
                Ok(next) => next,
                Err(trouble) => {
                    patience.wait(trouble).await?;
                    continue;
                }
            };
            match self.put_line(scope, log, &line).boxed().await {
                Ok(Put::Made) => return Ok((line, told)),
                Ok(Put::Lost) => races += 1,
                Err(trouble) => {
                    unsure = Some((line, told));
                    patience.wait(trouble).await?;
                }
            }
        }
        Err(unavailable(format!("too many write to the {} of {} at once", log.chain, scope.blueprint)))
    }

    async fn put_line<L: Line + Serialize>(&self, scope: &Scope, log: Log, line: &L) -> Result<Put, Trouble> {
        let body = serde_json::to_vec(line).map_err(unavailable)?;
        self.shelf.put(&Self::line_key(scope, log, line.seq()), body, When::Absent).await
    }

    /// Takes lines in that come from another store, in order, so that what is there is always a beginning. Lines that are
    /// there already have to be the same.
    pub(super) async fn put_lines<L>(&self, scope: &Scope, log: Log, lines: &[L]) -> Result<(), StoreError>
    where
        L: Line + Serialize + DeserializeOwned + Send + Sync,
    {
        for line in lines {
            let mut patience = Backoff::new(self.shelf.clock(), PATIENCE);
            loop {
                let trouble = match self.put_line(scope, log, line).boxed().await {
                    Ok(Put::Made) => break,
                    Err(trouble) => trouble,
                    Ok(Put::Lost) => match self.line::<L>(scope, log, line.seq()).await {
                        Ok(Some(there)) if there.hash() == line.hash() => break,
                        Ok(_) => return Err(StoreError::Taken { scope: scope.clone() }),
                        Err(trouble) => trouble,
                    },
                };
                patience.wait(trouble).await?;
            }
        }
        Ok(())
    }
}
