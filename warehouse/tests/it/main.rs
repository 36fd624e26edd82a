//! What a warehouse promises, as a list of scenarios; a backend says only how to make a fresh one.
#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

mod batches;
mod claims;
#[cfg(feature = "crash-points")]
mod crashes;
mod fixtures;
mod ingest;
mod leases;
mod opening;
mod property;
mod publish;
mod races;
mod reads;
mod schema;
mod slate;
mod statements;

/// Names each scenario once; a second backend adds a second module with the same list.
macro_rules! conformance {
    ($($module:ident { $($name:ident,)+ })+) => {
        mod sqlite {
            $($(
                #[tokio::test]
                async fn $name() {
                    let (warehouse, _dir) = crate::fixtures::fresh().await;
                    crate::$module::$name(warehouse).await;
                }
            )+)+
        }
    };
}

conformance! {
    ingest {
        a_file_goes_in_once,
        incident_36_ingesting_twice_changes_nothing,
        a_file_is_in_the_ledger_wholly_or_not_at_all,
        corrected_facts_are_updated_and_count_as_new,
        an_older_schedule_takes_nothing_back,
        players_follow_from_box_scores,
        counts_that_do_not_add_up_are_refused,
        quarantine_keeps_reasons,
    }
    leases {
        incident_29_a_zombie_writes_nothing_under_a_lease_it_lost,
        a_content_that_is_read_again_has_one_account,
    }
    reads {
        results_are_strictly_before_the_date,
        incident_57_quotes_end_before_tip_off,
        rosters_have_the_newest_team,
        the_newest_report_counts,
        features_keep_every_bit,
        features_of_another_contract_are_refused,
        incident_88_an_error_is_not_an_empty_answer,
    }
    slate {
        a_slate_has_everything_as_of_an_instant,
        later_snapshots_are_not_seen_earlier,
        a_higher_generation_refuses_the_load,
        late_inputs_make_features_stale,
        settled_inputs_are_those_of_the_last_settled_outcome,
        completeness_counts_the_week_before,
        incident_69_rosters_and_injuries_have_an_age,
    }
    batches {
        generations_count_up_and_repeat_for_their_opener,
        a_withdrawn_batch_keeps_its_number,
        open_batches_are_listed_until_they_end,
        runs_end_once,
        alerts_and_dead_letters_are_kept,
        models_are_remembered,
        nights_of_a_model_are_counted_without_backfills,
    }
    claims {
        a_piece_has_one_holder_until_its_claim_lapses,
        a_piece_that_has_ended_is_tried_again_only_when_asked,
        open_messages_are_listed_until_they_end,
    }
    publish {
        a_first_publication_shows_its_rows,
        the_next_generation_supersedes,
        incident_10_every_ending_closes_the_run_record,
        incident_19_a_second_publication_gets_the_first_verdict,
        incident_22_old_rows_leave_when_new_ones_come,
        incident_23_the_key_has_a_system,
        incident_25_a_failed_batch_leaves_the_slate,
        incident_26_a_player_without_a_new_row_keeps_the_old_one,
        incident_27_zero_rows_never_replace_rows,
        an_injured_player_is_invalidated,
        a_subset_invalidates_only_what_it_wanted,
        absence_retires_nothing,
        a_game_that_has_begun_is_left_alone,
        a_backfill_may_change_old_games,
        an_older_generation_is_overtaken,
        a_reset_publishes_nothing,
        an_unregistered_batch_ends_as_reset,
        a_lost_batch_can_be_ended_without_jobs,
        rows_without_a_job_are_refused,
        pages_are_one_publication,
        health_is_judged_by_what_stays,
        predictions_are_read_in_pages,
        receipts_add_up,
    }
    schema {
        incident_54_a_recommendation_against_its_sign_is_refused,
        two_active_rows_of_a_key_are_refused,
        a_line_off_the_grid_is_refused,
        a_failed_run_without_an_error_is_refused,
        hashes_and_ids_have_their_length,
        a_row_cannot_be_set_aside_without_a_reason,
    }
    statements {
        one_question_is_answered,
        writing_is_refused_with_a_sentence,
        rows_and_time_are_limited,
    }
}
