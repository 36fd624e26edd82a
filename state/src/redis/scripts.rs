//! The Lua scripts: one for each transition, each with the shared prelude before it.

use std::fmt::Write;
use std::sync::LazyLock;

use protocol::CloseReason;
use protocol::batch::Mode;
use redis::Script;

/// The line that makes the server check memory and writability before the first command, not in the middle.
const HEADER: &str = "#!lua\n";

macro_rules! scripts {
    ($($name:ident: $file:literal,)+) => {
        /// Every script, ready to be called by its hash.
        #[derive(Debug)]
        pub(super) struct Scripts { $(pub(super) $name: Script,)+ }

        pub(super) static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| {
            let reasons = reasons();
            Scripts { $($name: script(&reasons, include_str!(concat!("scripts/", $file))),)+ }
        });
    };
}

scripts! {
    open: "open.lua",
    add_jobs: "add_jobs.lua",
    seal: "seal.lua",
    withdraw: "withdraw.lua",
    claim: "claim.lua",
    renew: "renew.lua",
    complete: "complete.lua",
    give_back: "give_back.lua",
    close: "close.lua",
    patch: "patch.lua",
    take_ticket: "take_ticket.lua",
    renew_ticket: "renew_ticket.lua",
    return_ticket: "return_ticket.lua",
    drain: "drain.lua",
    end: "end.lua",
    put_event: "put_event.lua",
    drop_staged: "drop_staged.lua",
    forget: "forget.lua",
    sweep: "sweep.lua",
    outbox_due: "outbox_due.lua",
    outbox_delivered: "outbox_delivered.lua",
    outbox_failed: "outbox_failed.lua",
    dead_letters: "dead_letters.lua",
    batches: "batches.lua",
    jobs: "jobs.lua",
    leases: "leases.lua",
    pair: "pair.lua",
}

fn script(reasons: &str, body: &str) -> Script {
    Script::new(&format!("{HEADER}{reasons}{}{body}", include_str!("scripts/prelude.lua")))
}

/// What the protocol says about reasons to close, as a Lua table: it is decided in one place.
fn reasons() -> String {
    let mut table = String::from("local REASONS = {");
    for reason in CloseReason::ALL {
        let mode = match reason.mode() {
            Mode::Publish => "publish",
            Mode::Discard => "discard",
        };
        let (name, code, note) = (reason.as_str(), reason.drain_code(), reason.sentence());
        let _ = write!(table, "{name} = {{mode = '{mode}', code = '{code}', note = '{note}'}}, ");
    }
    table.push_str("}\n");
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_need_no_escaping_in_lua() {
        for reason in CloseReason::ALL {
            assert!(!reason.sentence().contains(['\'', '\\', '\n']), "{}", reason.sentence());
        }
        assert!(reasons().contains("all_done = {mode = 'publish', code = 'finish_by'"));
    }
}
