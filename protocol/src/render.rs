//! A store's whole state as text: what tests compare and people read in a failure.
//!
//! Structs are taken apart field by field, so that a new field cannot be forgotten here.

use std::fmt::Write;

use crate::model::{Batch, JobRecord, Lease, Model, OutboxEntry, Place};
use crate::ops::Done;

/// Renders everything but the store's id and its count of writes, which differ between implementations.
pub fn render(model: &Model) -> String {
    let Model {
        store_id: _,
        writes: _,
        warehouse_id,
        batches,
        open_slates,
        leases,
        due: _,
        outbox,
        last_sweep,
    } = model;
    let mut out = String::new();
    let _ = writeln!(out, "warehouse {} last_sweep {last_sweep:?}", warehouse_id.as_deref().unwrap_or("-"));
    for (slate, batch_id) in open_slates {
        let _ = writeln!(out, "slate {slate} open {batch_id}");
    }
    for batch in batches.values() {
        render_batch(&mut out, batch);
    }
    for (lease_id, lease) in leases {
        let Lease { batch_id, worker, claimed_at, expires_at, deadline_at, chunk, held } = lease;
        let _ = writeln!(
            out,
            "lease {lease_id} of {batch_id} worker {worker} claimed {claimed_at} expires {expires_at} \
             deadline {deadline_at} chunk {chunk} held {held:?}"
        );
    }
    for (key, at) in model.due_index() {
        let _ = writeln!(out, "due {at} {key}");
    }
    for (id, entry) in outbox {
        let OutboxEntry { event, dead } = entry;
        let _ = writeln!(
            out,
            "outbox {id} attempts {} not_before {} dead {} payload {}",
            event.attempts,
            event.not_before,
            dead.as_deref().unwrap_or("-"),
            event.payload
        );
    }
    out
}

fn render_batch(out: &mut String, batch: &Batch) {
    let Batch {
        batch_id,
        token,
        timing: _,
        contract_version,
        pins,
        request,
        state,
        generation,
        opened_at,
        updated_at,
        finish_by,
        min_coverage,
        whole_slate,
        jobs,
        by_id: _,
        queue,
        leased,
        done,
        staged_rows,
        closing,
        ticket,
        strikes,
        last_error,
        receipt,
        stale_writes,
        log,
    } = batch;
    let _ = writeln!(
        out,
        "batch {batch_id} {state} generation {generation} token {token} contract {contract_version} pins {} \
         request {request}",
        pins.len()
    );
    let _ = writeln!(
        out,
        "  opened {opened_at} updated {updated_at} finish_by {finish_by} min_coverage {min_coverage} \
         whole_slate {whole_slate} staged_rows {staged_rows} stale_writes {stale_writes}"
    );
    if let Some(closing) = closing {
        let _ = writeln!(
            out,
            "  closing {:?} {} at {} floor {}",
            closing.mode,
            closing.reason.as_str(),
            closing.closed_at,
            closing.min_coverage
        );
    }
    if let Some((ticket, until)) = ticket {
        let _ = writeln!(out, "  ticket {ticket} until {until}");
    }
    if *strikes > 0 || !last_error.is_empty() {
        let _ = writeln!(out, "  strikes {strikes} last_error {last_error}");
    }
    if let Some(receipt) = receipt {
        let _ = writeln!(out, "  receipt {receipt}");
    }
    let _ = writeln!(out, "  queue {:?} leased {leased:?}", queue.iter().collect::<Vec<_>>());
    for (code, seqs) in done {
        let _ = writeln!(out, "  done {code} {seqs:?}");
    }
    for (seq, job) in jobs.iter().enumerate() {
        render_job(out, seq, job);
    }
    for entry in log {
        let _ = writeln!(out, "  log {} {}", entry.at, entry.text);
    }
}

fn render_job(out: &mut String, seq: usize, job: &JobRecord) {
    let JobRecord { id, payload, attempts, hangs, alone, place } = job;
    let place = match place {
        Place::Queued(not_before) => format!("queued from {not_before}"),
        Place::Leased(lease) => format!("leased {lease}"),
        Place::Done(done) => {
            let Done { code, num_rows, attempts, lease, digest, body, note } = &**done;
            let lease = lease.map_or_else(|| "-".to_owned(), |lease| lease.to_string());
            format!(
                "done {code} rows {num_rows} attempts {attempts} lease {lease} digest {digest} body {} note {note}",
                body.len()
            )
        }
    };
    let _ = writeln!(
        out,
        "  job {seq} {id} bytes {} attempts {attempts} hangs {hangs} alone {alone} {place}",
        payload.len()
    );
}
