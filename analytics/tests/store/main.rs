//! What every store of calls must do: one list of cases, run on each engine.

#![recursion_limit = "256"]
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a case fails where the store does not do as it should"
)]

mod cases;
mod samples;
mod texts;
mod words;

use std::sync::Arc;

use analytics::Store;
use analytics::sqlite::SqliteStore;
use tempfile::TempDir;
use vocab::Clock;

/// A store with nothing in it, and what must outlive it.
struct Engine {
    store: Arc<dyn Store>,
    _folder: TempDir,
}

fn sqlite() -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("records.db"), Clock::system()).unwrap();
    Engine { store: Arc::new(store), _folder: folder }
}

macro_rules! run_on {
    ($engine:ident: $($room:ident { $($case:ident)* })*) => {
        mod $engine {
            $($(
                #[tokio::test]
                async fn $case() {
                    let engine = super::$engine();
                    crate::$room::$case(&*engine.store).await;
                }
            )*)*
        }
    };
}

run_on! {
    sqlite:
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
}
