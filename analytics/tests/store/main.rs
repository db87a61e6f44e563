//! What every store of calls must do: one list of cases, run on each engine.

#![recursion_limit = "256"]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a case fails where the store does not do as it should"
)]

mod cases;
mod deletion;
mod export;
mod reports;
mod samples;
mod scores;
mod settled;
mod sums;
mod texts;
mod traces;
mod words;

use std::sync::Arc;

use analytics::sqlite::SqliteStore;
use analytics::{ClickHouseStore, OutboxSettings, Policies, Settings, Store};
use settled::Settled;
use tempfile::TempDir;
use vocab::{Clock, Id};

/// A store with nothing in it, and what must outlive it.
struct Engine {
    store: Arc<dyn Store>,
    folder: TempDir,
    /// A database on a server, and the server's address.
    database: Option<(String, String)>,
}

impl Engine {
    /// Clears up behind a case that held. What a failed one leaves in a database is there to be looked at.
    async fn end(self) {
        self.store.close();
        if let Some((server, name)) = self.database {
            let client = ::clickhouse::Client::default().with_url(server);
            client.query_raw(&format!("DROP DATABASE IF EXISTS {name}")).execute().await.unwrap();
        }
        self.folder.close().unwrap();
    }
}

fn sqlite() -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("records.db"), Clock::system()).unwrap();
    Engine { store: Arc::new(store), folder, database: None }
}

fn clickhouse() -> Engine {
    let server = std::env::var_os("TEST_CLICKHOUSE_URL").expect(
        "name a ClickHouse server in TEST_CLICKHOUSE_URL, or run `cargo xtask test`, which starts one: \
         see tools/clickhouse/README.md",
    );
    let server = server.into_string().unwrap().trim_end_matches('/').to_owned();
    let name = format!("weir_test_{}", Id::<()>::new(&Clock::system()).to_string().replace('-', "_"));
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        url: format!("{server}/{name}"),
        cluster: None,
        queue_bytes: 0,
        policies: Policies::default(),
        listener: None,
        node: "node-1".into(),
        clock: Clock::system(),
        outbox: OutboxSettings {
            reserve_bytes: 1 << 20,
            ..OutboxSettings::at(folder.path().join("outbox.sqlite"))
        },
    };
    let store = ClickHouseStore::open(&settings).unwrap();
    Engine { store: Arc::new(Settled(store)), folder, database: Some((server, name)) }
}

macro_rules! run_on {
    ($engine:ident: $($room:ident { $($case:ident)* })*) => {
        mod $engine {
            $($(
                #[tokio::test]
                async fn $case() {
                    let engine = super::$engine();
                    crate::$room::$case(&*engine.store).await;
                    engine.end().await;
                }
            )*)*
        }
    };
}

/// The list: every engine runs all of it.
macro_rules! conformance {
    ($engine:ident) => {
        run_on! {
            $engine:
            cases {
                every_column_comes_back_as_it_was_filed
                a_call_comes_with_its_bodies_and_attempts
                bodies_that_are_not_json_come_back_as_strings
                what_was_never_known_is_null
                a_call_appended_twice_is_there_once
                calls_come_newest_start_first_whatever_order_they_ended_in
                pages_neither_skip_nor_repeat_while_calls_arrive
                from_is_included_and_to_is_not
                projects_do_not_mix
                purging_deletes_what_started_before
            }
            words {
                fields_are_found_by_word_prefix_and_list
                what_is_negated_also_holds_for_calls_without_the_field
                measures_lie_within_bounds
                prompts_are_found_by_version_label_digest_and_id
                rare_words_are_found_in_many_blocks
                every_filter_agrees_with_looking_at_each_call
                words_are_folded_alike_in_every_field
            }
            texts {
                text_is_found_in_requests_and_answers_in_any_script
                text_is_searched_as_it_went_upstream
                words_are_anded_and_phrases_stay_within_one_side
                short_and_odd_texts_are_found_too
                text_is_found_in_old_blocks_and_in_the_newest_calls
                calls_without_bodies_say_nothing
                deleted_calls_are_not_found_by_their_text
            }
            scores {
                a_score_comes_back_as_it_was_given
                a_score_given_twice_is_there_once
                scores_are_found_by_target_name_project_and_time
                pages_of_scores_neither_skip_nor_repeat
                calls_are_found_by_their_own_their_traces_and_their_sessions_scores
            }
            traces {
                a_trace_has_its_calls_and_its_spans_oldest_first
                the_calls_of_a_trace_have_their_bodies
                a_span_reported_twice_is_there_once_and_stays_as_it_was
                a_trace_is_summed_up_over_calls_and_spans
                traces_come_by_their_newest_matching_call_and_each_once
                traces_without_calls_are_listed_when_nothing_is_sought
                a_session_is_summed_up_over_its_calls_in_the_searched_time
                sessions_come_by_their_newest_matching_call_and_each_once
            }
            export {
                an_export_has_bodies_and_attempts
                an_export_goes_on_behind_any_of_the_calls_of_one_microsecond
                an_export_has_as_many_rows_as_are_counted_while_calls_arrive
                counting_keeps_to_filter_project_and_time
                the_values_of_a_field_come_most_frequent_first
            }
            reports {
                reports_add_up_every_call_in_every_group
                reports_put_time_into_buckets_within_exact_bounds
                reports_are_of_the_calls_that_match
                quantiles_are_within_two_percent
                what_is_not_known_is_null_in_a_report_and_not_zero
                a_report_averages_the_scores_given_to_its_calls
                a_report_keeps_the_rows_with_the_most_calls
                a_report_may_be_about_when_calls_ended
                a_report_about_nothing_has_no_rows
                a_report_is_about_what_is_left_after_deleting
            }
            deletion {
                deleting_a_person_leaves_nothing_of_them
                a_person_is_deleted_by_their_exact_name
                conditions_of_a_deletion_all_hold
                old_spans_and_scores_go_with_old_calls
                what_arrives_after_a_deletion_stays
            }
        }
    };
}

conformance!(sqlite);
conformance!(clickhouse);
