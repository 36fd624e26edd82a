//! `tipoff workers`: who works on what, and how many there should be.

use proto::api::{AutoSize, PutWorkers};
use reqwest::Method;
use serde_json::Value;

use super::batch::show;
use super::client::Client;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, table};

/// Arguments of `tipoff workers`.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkersArgs {
    /// Change the pool to so many workers
    ///
    /// Surplus ones finish what they have. Lasts until the server ends; `[workers] size` is what it begins with.
    #[arg(long, value_name = "N", conflicts_with_all = ["min", "max"])]
    size: Option<u32>,

    /// Let the pool choose its size, from so many
    #[arg(long, value_name = "N", requires = "max")]
    min: Option<u32>,

    /// Let the pool choose its size, up to so many
    #[arg(long, value_name = "N", requires = "min")]
    max: Option<u32>,
}

/// `tipoff workers`.
pub(crate) async fn workers(args: &WorkersArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let auto = args.min.zip(args.max).map(|(min, max)| AutoSize { min, max });
    let reply = match (args.size, auto) {
        (None, None) => client.get("/workers", &[]).await?,
        (size, auto) => {
            client.send(Method::PUT, "/workers", &PutWorkers { size, auto, instance: None }).await?
        }
    };
    let answer: Value = reply.read()?;
    show(out, &reply, || page(&answer))?;
    Ok(Exit::Ok)
}

fn page(answer: &Value) -> String {
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let at = |path: &str| text(answer.pointer(path));
    let list = |path: &str| answer.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut page = format!("instance {}\n", at("/instance"));
    if answer.pointer("/pool").is_none_or(Value::is_null) {
        page += "this instance only coordinates: it was started with --workers 0\n";
    } else {
        let alive = list("/pool/workers").len();
        page += &format!("{alive} of {} workers, {} restarts\n", at("/pool/size"), at("/pool/restarts"));
    }
    let of = |row: &Value, key: &str| text(row.get(key));
    let workers = list("/pool/workers");
    if !workers.is_empty() {
        let rows = workers.iter().map(|w| {
            ["worker", "phase", "lease_age_ms", "jobs_done", "thread_abandoned"]
                .map(|key| of(w, key))
                .to_vec()
        });
        page += &format!(
            "\n{}\n",
            table(&["worker", "phase", "lease age ms", "jobs done", "threads lost"], &[2, 3, 4], rows)
        );
    }
    let leases = list("/leases");
    if !leases.is_empty() {
        let rows = leases.iter().map(|lease| {
            ["worker", "batch_id", "held", "claimed_at", "expires_at"].map(|key| of(lease, key)).to_vec()
        });
        page += &format!("\n{}\n", table(&["worker", "batch", "held", "claimed", "expires"], &[2], rows));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_and_its_leases_are_listed() {
        let answer = serde_json::json!({
            "instance": "i1",
            "pool": {"size": 2, "restarts": 1, "workers": [
                {"worker": "w1", "phase": "idle", "lease_age_ms": null, "jobs_done": 7, "thread_abandoned": 0},
            ]},
            "leases": [{"worker": "w2", "batch_id": "b", "held": 3, "claimed_at": "t1", "expires_at": "t2"}],
        });
        let page = page(&answer);
        for part in ["1 of 2 workers, 1 restarts", "w1", "idle", "w2", "t2"] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
