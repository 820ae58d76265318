//! Decisions: a log of them, and beside it one object with what stands.
//!
//! What stands is written after each decision, and tells where the log ends. A decision whose writer was cut off before it
//! is found behind that end, and is part of what stands all the same.
//!
//! **Invariant:** what stands is checked against its line, so that an older one, or one that was changed, misleads nobody.

use futures::FutureExt;

use super::lines::{Log, Next};
use super::shelf::{Put, Trouble, When, unavailable};
use super::store::Records;
use rgctl_model::chain::{self, Line};
use rgctl_model::overlay::{Decided, Decision, Decisions};
use rgctl_model::ports::{Chain, KEPT_DECISIONS, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::time::Moment;

pub(super) const DECISIONS: Log = Log { folder: "decisions", chain: Chain::Decisions };

/// What stands, and the mark of the object that tells most of it.
struct Standing {
    now: Decisions,
    mark: Option<String>,
}

impl Records {
    fn standing_key(scope: &Scope) -> String {
        Self::key(scope, "standing.json")
    }

    async fn read_standing(&self, scope: &Scope) -> Result<Standing, Trouble> {
        let damaged = |(seq, why): (u64, &str)| DECISIONS.damaged(scope, seq, why);
        let (mut now, mark) = match self.shelf.get(&Self::standing_key(scope)).await? {
            None => (Decisions::default(), None),
            Some((bytes, mark)) => {
                let known: Decisions = serde_json::from_slice(&bytes).map_err(|error| {
                    DECISIONS.damaged(scope, 0, format!("what stands cannot be read: {error}"))
                })?;
                (known, mark)
            }
        };
        let end = now.last_seq;
        if end > 0 {
            let line: Option<Decided> = self.line(scope, DECISIONS, end).await?;
            let line = line.ok_or_else(|| damaged((end, "it is gone")))?;
            chain::verify_part(scope, std::slice::from_ref(&line)).map_err(damaged)?;
            if !now.is_after(&line) {
                return Err(damaged((end, "what stands is not what this line says")).into());
            }
        }
        // Where nothing is said to stand, there must be no line, or the first one, written just now. Most blueprints have none,
        // and this is asked in every turn: one request tells it.
        let has_some = end > 0 || self.has_decisions(scope).await?;
        let lines = if has_some { self.lines_after(scope, end, &now.last_hash).await? } else { Vec::new() };
        if end == 0 && has_some && lines.is_empty() {
            return Err(damaged((1, "it is gone")).into());
        }
        now.follow(&lines).map_err(damaged)?;
        Ok(Standing { now, mark })
    }

    /// The lines after the one of that number and digest, verified. Where there are none it costs one request.
    async fn lines_after(&self, scope: &Scope, after: u64, hash: &str) -> Result<Vec<Decided>, Trouble> {
        if self.line::<Decided>(scope, DECISIONS, after + 1).await?.is_none() {
            return Ok(Vec::new());
        }
        let numbers = self.numbers(scope, DECISIONS, after).await?;
        let lines: Vec<Decided> = self.numbered(scope, DECISIONS, numbers).await?;
        chain::verify(scope, Some((after, hash.to_owned())), &lines)
            .map_err(|(seq, why)| DECISIONS.damaged(scope, seq, why))?;
        Ok(lines)
    }

    pub(super) async fn has_decisions(&self, scope: &Scope) -> Result<bool, Trouble> {
        Ok(!self.numbers(scope, DECISIONS, 0).await?.is_empty())
    }

    pub(super) async fn standing_now(&self, scope: &Scope) -> Result<Decisions, StoreError> {
        Ok(self.read_standing(scope).boxed().await?.now)
    }

    pub(super) async fn decisions_now(&self, scope: &Scope, after: u64) -> Result<Vec<Decided>, StoreError> {
        if after > 0 {
            if self.line::<Decided>(scope, DECISIONS, after + 1).await?.is_none() {
                return Ok(Vec::new());
            }
            let line: Option<Decided> = self.line(scope, DECISIONS, after).await?;
            if let Some(line) = line {
                return Ok(self.lines_after(scope, after, line.hash()).boxed().await?);
            }
        }
        let standing = self.standing_now(scope).await?;
        if standing.last_seq == 0 && after == 0 {
            // That there are no lines either was looked at.
            return Ok(Vec::new());
        }
        if after > standing.last_seq.saturating_sub(KEPT_DECISIONS) {
            return Err(DECISIONS.damaged(scope, after, "it is gone"));
        }
        let before = standing.last_seq.saturating_sub(KEPT_DECISIONS);
        let mut numbers = self.numbers(scope, DECISIONS, before).await?;
        numbers.retain(|number| *number <= standing.last_seq);
        let lines: Vec<Decided> = self.numbered(scope, DECISIONS, numbers).await?;
        let damaged = |(seq, why): (u64, &str)| DECISIONS.damaged(scope, seq, why);
        chain::verify_part(scope, &lines).map_err(damaged)?;
        let ends = |lines: &[Decided]| Some((lines.first()?.seq, lines.last()?.hash.clone()));
        match ends(&lines) {
            Some((first, last)) if first == before + 1 && last == standing.last_hash => Ok(lines),
            _ => Err(damaged((before + 1, "it is gone"))),
        }
    }

    pub(super) async fn decide_now(
        &self,
        scope: &Scope,
        expected: u64,
        at: Moment,
        what: &Decision,
    ) -> Result<u64, StoreError> {
        let next = || -> Next<'_, Decided, Standing> {
            async move {
                self.check_here(scope).await?;
                let Standing { now, mark } = self.read_standing(scope).await?;
                let (line, after) = chain::seal_decision(scope, &now, expected, at, what)?;
                Ok((line, Standing { now: after, mark }))
            }
            .boxed()
        };
        let (line, standing) = self.add(scope, DECISIONS, next).boxed().await?;
        // Who comes next goes on from whatever is there.
        if let Err(error) = self.put_standing(scope, &standing).boxed().await {
            tracing::debug!(%error, "what stands is told by the log only");
        }
        Ok(line.seq)
    }

    /// Puts what stands in the place of what was read; of an older one, or a newer one, nothing is put.
    async fn put_standing(&self, scope: &Scope, standing: &Standing) -> Result<(), StoreError> {
        let key = Self::standing_key(scope);
        let body = serde_json::to_vec(&standing.now).map_err(unavailable)?;
        match self.shelf.put(&key, body, When::still(standing.mark.as_deref())).await? {
            Put::Made => Ok(()),
            Put::Lost => Err(unavailable(format!("somebody else wrote {} first", self.shelf.address(&key)))),
        }
    }

    /// Takes decisions in that come from another store, which those that are here have to begin.
    pub(super) async fn take_decisions_in(
        &self,
        scope: &Scope,
        lines: &[Decided],
        theirs: &Decisions,
    ) -> Result<(), StoreError> {
        let ours = self.read_standing(scope).boxed().await?;
        let (end, hash) = (ours.now.last_seq, &ours.now.last_hash);
        let is_beginning = end == 0
            || *hash == theirs.last_hash
            || lines.iter().any(|line| (line.seq, &line.hash) == (end, hash));
        if !is_beginning {
            return Err(StoreError::Taken { scope: scope.clone() });
        }
        self.put_lines(scope, DECISIONS, lines).await?;
        if ours.now == *theirs && ours.mark.is_some() {
            return Ok(());
        }
        // Without it lines that do not begin with the first would be nothing.
        self.put_standing(scope, &Standing { now: theirs.clone(), mark: ours.mark }).await
    }
}
