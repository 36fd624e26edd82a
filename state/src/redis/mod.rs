//! The Redis store: one state for any number of machines.
//!
//! # What is promised
//! Every transition is one Lua script, which Redis runs as one step; it checks everything before its first write,
//! because scripts do not roll back. A chunk of up to 500 jobs is a handful of commands with many arguments. Time is
//! the server's own, so that instances whose clocks differ agree; tests pass it (see [`Clock`]).
//!
//! Redis answers within 2 s or the call is an error that says whether it can have happened; repeating it is always
//! right. What survives an accident is what the server's persistence kept: see [`BatchStore::notes`].
//!
//! The keys stand in [`keys`], what each script guarantees in its head.

mod closing;
mod connect;
#[cfg(feature = "conformance")]
mod export;
pub mod keys;
mod opening;
mod reading;
mod reply;
mod scripts;
mod working;

use std::fmt;

use async_trait::async_trait;
use proto::{BatchId, EndState, LeaseId, OpenerToken, Slate, TicketId};
use protocol::model::MAX_DELIVERIES;
use protocol::ops::{
    Added, BatchView, Claim, Claimed, Closed, Completed, Completion, Drained, DueKey, EndAnswer, GiveBack,
    GivenBack, JobView, LeaseView, LogEntry, NewJob, OpenBatch, Opened, OutboxEvent, Patched, Renewed,
    Sealed, StagedJob, StoreIdentity, Swept, Ticket,
};
use protocol::{BatchState, CloseReason, Millis};
use redis::aio::ConnectionManager;
use redis::{Cmd, ErrorKind, Script, ServerErrorKind, ToRedisArgs, Value};

use self::reply::Reply;
use self::scripts::SCRIPTS;
use crate::open::{Clock, OpenOptions};
use crate::url::RedisUrl;
use crate::{BatchStore, Paired, Result, StoreError, Withdrawn};

/// A batch store on a Redis server.
pub struct RedisStore {
    connection: ConnectionManager,
    address: RedisUrl,
    options: OpenOptions,
    prefix: String,
    notes: Vec<String>,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("address", &self.address).field("prefix", &self.prefix).finish()
    }
}

/// One call of a script, argument by argument.
struct Call<'a> {
    name: &'static str,
    script: &'a Script,
    cmd: Cmd,
}

impl Call<'_> {
    fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        self.cmd.arg(arg);
        self
    }
}

impl RedisStore {
    /// Connects within 10 s. A server that evicts keys, is too old, or is a replica is refused in one sentence.
    pub async fn open(address: &RedisUrl, options: OpenOptions) -> Result<Self> {
        let (connection, notes) = connect::connect(address, &options).await?;
        let prefix = keys::shard_prefix(&options.prefix);
        let store = Self { connection, address: address.clone(), options, prefix, notes };
        let id = uuid::Uuid::new_v4().simple().to_string();
        let mut adopt = redis::cmd("HSETNX");
        adopt.arg(store.key("meta")).arg("store_id").arg(id);
        store.send("HSETNX", &adopt).await?;
        Ok(store)
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A call of a script with its time; the server's own clock unless the store was opened for tests.
    fn script<'a>(&self, name: &'static str, script: &'a Script, now: Millis) -> Call<'a> {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(script.get_hash()).arg(1).arg(self.prefix.as_str());
        match self.options.clock {
            Clock::Store => cmd.arg(""),
            Clock::Passed => cmd.arg(now),
        };
        Call { name, script, cmd }
    }

    async fn send(&self, name: &'static str, cmd: &Cmd) -> Result<Value> {
        let answer = cmd.query_async(&mut self.connection.clone()).await;
        answer.map_err(|e| connect::fault(&e, &self.address, &self.options, name))
    }

    /// Sends a call; a server that does not know the script yet, or has forgotten it, is told.
    async fn value(&self, call: Call<'_>) -> Result<Value> {
        let mut connection = self.connection.clone();
        match call.cmd.query_async(&mut connection).await {
            Ok(value) => Ok(value),
            Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let loaded = call.script.load_async(&mut connection).await;
                loaded.map_err(|e| connect::fault(&e, &self.address, &self.options, call.name))?;
                self.send(call.name, &call.cmd).await
            }
            Err(e) => Err(connect::fault(&e, &self.address, &self.options, call.name)),
        }
    }

    async fn reply(&self, call: Call<'_>) -> Result<Reply> {
        let name = call.name;
        Reply::new(name, self.value(call).await?)
    }

    async fn flag(&self, call: Call<'_>) -> Result<bool> {
        let name = call.name;
        match self.value(call).await? {
            Value::Int(number) => Ok(number == 1),
            other => Err(StoreError::corrupt(format!("answer of `{name}`"), format!("{other:?}"))),
        }
    }

    /// A time, or none when it is gone.
    async fn until(&self, call: Call<'_>) -> Result<Renewed> {
        let name = call.name;
        match self.value(call).await? {
            Value::Int(until) => Ok(Renewed::Until(until)),
            Value::Nil => Ok(Renewed::Gone),
            other => Err(StoreError::corrupt(format!("answer of `{name}`"), format!("{other:?}"))),
        }
    }
}

/// The state after `word`, for answers that carry one.
fn state(reply: &mut Reply) -> Result<BatchState> {
    let text = reply.text()?;
    BatchState::parse(&text).ok_or_else(|| StoreError::corrupt("state", text))
}

#[async_trait]
impl BatchStore for RedisStore {
    async fn now(&self) -> Result<Millis> {
        let mut reply = Reply::new("TIME", self.send("TIME", &redis::cmd("TIME")).await?)?;
        let (seconds, micros): (Millis, Millis) = (reply.parsed()?, reply.parsed()?);
        Ok(seconds * 1_000 + micros / 1_000)
    }

    fn describe(&self) -> String {
        self.address.to_string()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    async fn open(&self, request: &OpenBatch, now: Millis) -> Result<Opened> {
        self.open_batch(request, now).await
    }

    async fn add_jobs(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        jobs: &[NewJob],
        now: Millis,
    ) -> Result<Added> {
        self.add(batch_id, token, jobs, now).await
    }

    async fn seal(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        generation: u64,
        num_jobs: u64,
        now: Millis,
    ) -> Result<Sealed> {
        self.seal_batch(batch_id, token, generation, num_jobs, now).await
    }

    async fn withdraw(&self, batch_id: &BatchId, token: &OpenerToken) -> Result<Withdrawn> {
        self.withdraw_batch(batch_id, token).await
    }

    async fn claim(&self, claim: &Claim, now: Millis) -> Result<Claimed> {
        self.claim_chunk(claim, now).await
    }

    async fn renew(&self, lease: &LeaseId, now: Millis) -> Result<Renewed> {
        self.until(self.script("renew", &SCRIPTS.renew, now).arg(lease.to_string())).await
    }

    async fn complete(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[Completion],
        now: Millis,
    ) -> Result<Completed> {
        self.complete_jobs(batch_id, lease, items, now).await
    }

    async fn give_back(
        &self,
        batch_id: &BatchId,
        lease: &LeaseId,
        items: &[GiveBack],
        now: Millis,
    ) -> Result<GivenBack> {
        self.give_jobs_back(batch_id, lease, items, now).await
    }

    async fn close(
        &self,
        batch_id: &BatchId,
        reason: CloseReason,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Closed> {
        self.close_batch(batch_id, reason, min_coverage, now).await
    }

    async fn patch(
        &self,
        batch_id: &BatchId,
        finish_by_ms: Option<Millis>,
        min_coverage: Option<f64>,
        now: Millis,
    ) -> Result<Patched> {
        self.patch_batch(batch_id, finish_by_ms, min_coverage, now).await
    }

    async fn take_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Ticket> {
        self.take(batch_id, ticket, now).await
    }

    async fn renew_ticket(&self, batch_id: &BatchId, ticket: &TicketId, now: Millis) -> Result<Renewed> {
        let call = self.script("renew_ticket", &SCRIPTS.renew_ticket, now);
        self.until(call.arg(batch_id.to_string()).arg(ticket.to_string())).await
    }

    async fn return_ticket(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        error: Option<&str>,
        retry_at: Millis,
        now: Millis,
    ) -> Result<bool> {
        self.give_ticket_back(batch_id, ticket, error, retry_at, now).await
    }

    async fn drain(
        &self,
        batch_id: &BatchId,
        ticket: &TicketId,
        limit: usize,
        now: Millis,
    ) -> Result<Drained> {
        self.drain_jobs(batch_id, ticket, limit, now).await
    }

    async fn end(
        &self,
        batch_id: &BatchId,
        end: EndState,
        receipt: &str,
        event_id: &str,
        event: &str,
        now: Millis,
    ) -> Result<EndAnswer> {
        self.end_batch(batch_id, end, receipt, event_id, event, now).await
    }

    async fn put_event(&self, event_id: &str, payload: &str, now: Millis) -> Result<()> {
        let call = self.script("put_event", &SCRIPTS.put_event, now).arg(event_id).arg(payload);
        self.flag(call).await.map(|_| ())
    }

    async fn drop_staged(&self, batch_id: &BatchId) -> Result<bool> {
        self.flag(self.script("drop_staged", &SCRIPTS.drop_staged, 0).arg(batch_id.to_string())).await
    }

    async fn forget(&self, batch_id: &BatchId) -> Result<bool> {
        self.flag(self.script("forget", &SCRIPTS.forget, 0).arg(batch_id.to_string())).await
    }

    async fn sweep(
        &self,
        lease_ms: Millis,
        watched: &[(DueKey, Millis)],
        limit: usize,
        now: Millis,
    ) -> Result<Swept> {
        let mut call = self.script("sweep", &SCRIPTS.sweep, now).arg(lease_ms).arg(limit);
        for (key, at) in watched {
            call = call.arg(key.to_string()).arg(*at);
        }
        let mut reply = self.reply(call).await?;
        let (requeued, ended) = (reply.parsed()?, reply.parsed()?);
        let closed = reply.array()?.all(|entry| {
            let (batch_id, reason) = (entry.parsed()?, entry.text()?);
            let reason = CloseReason::parse(&reason).ok_or_else(|| StoreError::corrupt("reason", &reason))?;
            Ok((batch_id, reason))
        })?;
        let need_finalizer = reply.array()?.all(Reply::parsed)?;
        let mut alarms: Vec<BatchId> = reply.array()?.all(Reply::parsed)?;
        alarms.sort();
        let (grace, more) = (reply.parsed::<u8>()? == 1, reply.parsed::<u8>()? == 1);
        Ok(Swept { requeued, ended, closed, need_finalizer, alarms, grace, more })
    }

    async fn outbox_due(&self, limit: usize, now: Millis) -> Result<Vec<OutboxEvent>> {
        let call = self.script("outbox_due", &SCRIPTS.outbox_due, now).arg(limit);
        self.reply(call).await?.all(reading::event)
    }

    async fn outbox_delivered(&self, event_id: &str) -> Result<bool> {
        self.flag(self.script("outbox_delivered", &SCRIPTS.outbox_delivered, 0).arg(event_id)).await
    }

    async fn outbox_failed(&self, event_id: &str, error: &str, retry_at: Millis) -> Result<bool> {
        let call = self
            .script("outbox_failed", &SCRIPTS.outbox_failed, 0)
            .arg(event_id)
            .arg(error)
            .arg(retry_at)
            .arg(MAX_DELIVERIES);
        self.flag(call).await
    }

    async fn dead_letters(&self) -> Result<Vec<(OutboxEvent, String)>> {
        let reply = self.reply(self.script("dead_letters", &SCRIPTS.dead_letters, 0)).await?;
        let mut letters = reply.all(|letter| Ok((reading::event(letter)?, letter.text()?)))?;
        letters.sort_by(|a, b| a.0.id.cmp(&b.0.id));
        Ok(letters)
    }

    async fn batch(&self, batch_id: &BatchId) -> Result<Option<BatchView>> {
        let views = self.views("one", &batch_id.to_string()).await?;
        Ok(views.into_iter().next())
    }

    async fn batches(&self, open_only: bool) -> Result<Vec<BatchView>> {
        self.views(if open_only { "open" } else { "all" }, "").await
    }

    async fn open_batch_of(&self, slate: &Slate) -> Result<Option<BatchId>> {
        let mut cmd = redis::cmd("HGET");
        cmd.arg(self.key("slates")).arg(slate.to_string());
        match self.send("HGET", &cmd).await? {
            Value::Nil => Ok(None),
            value => Reply::new("HGET", Value::Array(vec![value]))?.parsed().map(Some),
        }
    }

    async fn jobs(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<JobView>> {
        self.job_pages(batch_id, from, limit).await
    }

    async fn staged(&self, batch_id: &BatchId, from: u32, limit: usize) -> Result<Vec<StagedJob>> {
        let jobs = self.job_pages(batch_id, from, limit).await?;
        Ok(jobs.into_iter().filter_map(crate::record::staged).collect())
    }

    async fn log(&self, batch_id: &BatchId) -> Result<Vec<LogEntry>> {
        let mut cmd = redis::cmd("LRANGE");
        cmd.arg(self.key(&format!("b:{batch_id}:log"))).arg(0).arg(-1);
        Reply::new("LRANGE", self.send("LRANGE", &cmd).await?)?.all(reading::log_entry)
    }

    async fn leases(&self) -> Result<Vec<LeaseView>> {
        let reply = self.reply(self.script("leases", &SCRIPTS.leases, 0)).await?;
        let mut leases = reply.all(reading::lease)?;
        leases.sort_by_key(|lease| lease.lease);
        Ok(leases)
    }

    async fn due_index(&self) -> Result<Vec<(DueKey, Millis)>> {
        let mut cmd = redis::cmd("ZRANGE");
        cmd.arg(self.key("due")).arg(0).arg(-1).arg("WITHSCORES");
        let reply = Reply::new("ZRANGE", self.send("ZRANGE", &cmd).await?)?;
        reply.all(|entry| Ok((entry.parsed()?, entry.parsed()?)))
    }

    async fn pair(&self, warehouse_id: &str) -> Result<Paired> {
        let value = self.value(self.script("pair", &SCRIPTS.pair, 0).arg(warehouse_id)).await?;
        let known = Reply::new("pair", Value::Array(vec![value]))?.text()?;
        Ok(if known == warehouse_id { Paired::Paired } else { Paired::Other { warehouse_id: known } })
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        let mut cmd = redis::cmd("HMGET");
        cmd.arg(self.key("meta")).arg("store_id").arg("writes").arg("warehouse_id");
        let mut reply = Reply::new("HMGET", self.send("HMGET", &cmd).await?)?;
        Ok(StoreIdentity {
            // A store that lost everything has no id any more: the empty one differs from every other.
            store_id: reply.text_opt()?.unwrap_or_default(),
            writes: reply.parsed_opt()?.unwrap_or(0),
            warehouse_id: reply.text_opt()?,
        })
    }
}
