//! What every store must do, as scenarios that all of them run in full.
//!
//! A scenario gets an empty store and passes all times itself (open Redis with [`Clock::Passed`](crate::Clock)).
//! [`conformance_tests!`](crate::conformance_tests) writes one test per scenario for one store, from the path of an
//! `async fn() -> Fixture`; see `tests/it/conformance.rs`.
#![allow(clippy::unwrap_used)] // a scenario stops at the first surprise

pub mod closing;
pub mod concurrency;
mod fixture;
pub mod kit;
pub mod opening;
pub mod outbox;
pub mod reading;
pub mod sweeping;
pub mod working;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use protocol::model::Model;

pub use fixture::{RedisServer, redis_is_skipped};

use crate::{BatchStore, Result};

/// A store whose whole state can be read as a model, for the differential test.
#[async_trait]
pub trait ExportModel: BatchStore {
    /// Everything in the store. Not one consistent view: nothing else may be running.
    async fn export_model(&self) -> Result<Model>;
}

/// An empty store, and what must live as long as it.
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn BatchStore>,
    /// A directory or a server.
    pub keep: Box<dyn Any + Send>,
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Runs one scenario on a fresh store, on two threads.
pub fn run<F, S>(fixture: F, scenario: impl FnOnce(Arc<dyn BatchStore>) -> S)
where
    F: Future<Output = Fixture>,
    S: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let fixture = fixture.await;
        scenario(Arc::clone(&fixture.store)).await;
    });
}

/// Writes the list once: as names, and as the macro that makes tests of them.
macro_rules! scenarios {
    (($d:tt) $($module:ident::$name:ident,)+) => {
        /// Names of all scenarios.
        pub const SCENARIOS: &[&str] = &[$(stringify!($name)),+];

        /// One `#[test]` per scenario, on the stores that an `async fn() -> Fixture` makes.
        #[macro_export]
        macro_rules! conformance_tests {
            ($d fixture:path) => {
                $(
                    #[test]
                    fn $name() {
                        $d crate::conformance::run($d fixture(), $d crate::conformance::$module::$name);
                    }
                )+
            };
        }
    };
}

scenarios! { ($)
    opening::opening_repeats_by_token,
    opening::incident_20_a_slate_has_one_holder_whatever_the_batch_id,
    opening::jobs_are_added_all_or_none,
    opening::incident_35_a_job_is_there_once,
    opening::incident_12_any_name_and_any_bytes_come_back,
    opening::incident_06_sealing_counts_what_is_there,
    opening::an_opener_is_known_by_its_token,
    opening::withdrawing_leaves_nothing,
    opening::too_many_jobs_are_refused,
    working::nothing_is_claimed_before_sealing,
    working::a_claim_repeats_by_its_lease,
    working::chunks_follow_time_and_number,
    working::models_decide_what_is_served,
    working::the_oldest_batch_goes_first,
    working::nothing_is_claimed_from_finish_by_on,
    working::a_lease_is_renewed_until_its_deadline,
    working::incident_11_replaying_a_completion_changes_nothing,
    working::completions_are_checked_in_order,
    working::one_call_may_mix_all_answers,
    working::incident_13_rows_are_there_before_the_batch_closes,
    working::a_released_job_costs_nothing,
    working::incident_41_n_failures_make_exactly_n_attempts,
    working::a_hang_is_charged_only_alone,
    working::giving_back_checks_lease_and_batch,
    closing::incident_01_a_batch_stuck_at_102_of_104_ends_with_what_it_has,
    closing::incident_03_age_closes_a_batch_at_any_percentage,
    closing::closing_is_a_table,
    closing::consolidating_respects_the_floor,
    closing::a_reset_turns_publish_into_discard,
    closing::figures_are_frozen_at_close,
    closing::a_ticket_has_one_holder_and_strikes,
    closing::draining_goes_in_pages,
    closing::incident_45_state_and_event_are_one_step,
    closing::an_end_is_copied_once,
    closing::incident_28_what_an_ended_batch_staged_is_dropped,
    sweeping::a_lost_lease_waits_again_alone,
    sweeping::a_job_that_loses_every_lease_ends,
    sweeping::the_sweep_closes_what_is_due,
    sweeping::a_lost_finalizer_is_a_strike,
    sweeping::incident_51_after_an_outage_every_lease_gets_its_full_length,
    sweeping::a_frozen_clock_is_watched_from_outside,
    sweeping::a_pass_is_bounded,
    sweeping::a_lease_of_a_closed_batch_just_goes,
    outbox::events_wait_in_order,
    outbox::ten_failures_make_a_dead_letter,
    reading::views_add_up,
    reading::jobs_are_read_in_pages,
    reading::the_log_keeps_its_newest_entries,
    reading::batches_are_listed_by_id,
    reading::a_store_belongs_to_one_warehouse,
    reading::what_is_unknown_is_said_to_be_unknown,
    concurrency::three_hundred_openers_make_one_batch,
    concurrency::sixteen_claimers_get_disjoint_jobs,
    concurrency::closing_and_completing_at_once_agree,
}
