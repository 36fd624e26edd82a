//! The six windows that the sweep repairs, as a table.

use proto::EndState;
use protocol::CloseReason;
use protocol::supervisor::{RETENTION_MS, Registered, Repair, Snapshot, plan};

use crate::{batch_id, running};

fn snapshot(verdict: bool, announced: bool, known: Option<bool>, event_waits: bool) -> Snapshot {
    let (mut model, id) = running(1, 0);
    if known == Some(true) {
        model.close(&id, CloseReason::Reset, None, 0);
        model.end(&id, EndState::Reset, "{}", "x", "{}", 0);
    }
    Snapshot {
        registered: vec![Registered { batch_id: id.clone(), has_verdict: verdict, announced }],
        store: if known.is_some() { model.batches(false) } else { Vec::new() },
        outbox: event_waits.then(|| format!("{id}/end")).into_iter().collect(),
        ..Snapshot::default()
    }
}

#[test]
fn each_window_has_its_repair() {
    let id = batch_id(1);
    for (verdict, announced, known_ended, waits, want) in [
        (false, false, Some(false), false, vec![]),
        (true, false, Some(false), false, vec![Repair::CopyVerdict(id.clone())]),
        (false, false, None, false, vec![Repair::WriteStateLost(id.clone())]),
        (true, false, None, false, vec![Repair::AnnounceAgain(id.clone())]),
        (true, false, Some(true), true, vec![Repair::DropStaged(id.clone())]),
        (
            true,
            false,
            Some(true),
            false,
            vec![Repair::AnnounceAgain(id.clone()), Repair::DropStaged(id.clone())],
        ),
        (true, true, None, false, vec![]),
    ] {
        let got = plan(&snapshot(verdict, announced, known_ended, waits));
        assert_eq!(got, want, "verdict {verdict} announced {announced} ended {known_ended:?} waits {waits}");
    }
}

#[test]
fn an_ended_batch_is_forgotten_after_seven_days_unless_its_event_waits() {
    let mut old = snapshot(true, true, Some(true), false);
    old.now = RETENTION_MS + 1;
    assert_eq!(plan(&old), [Repair::Forget(batch_id(1))]);
    old.outbox.insert(format!("{}/end", batch_id(1)));
    assert_eq!(plan(&old), [Repair::DropStaged(batch_id(1))]);
}
