//! What a registry does, whatever database keeps it: one list of cases, run on every engine.
//!
//! PostgreSQL is the server that `TEST_POSTGRES_URL` names; `cargo xtask test` starts one. A new engine is one more variant of [`Engine`] and one more line at the end of this file.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a case fails where the registry does not do as it should"
)]

#[path = "conformance/acting.rs"]
mod acting;
#[path = "conformance/alerts.rs"]
mod alerts;
#[path = "conformance/audit.rs"]
mod audit;
#[path = "conformance/bench.rs"]
mod bench;
#[path = "conformance/contracts.rs"]
mod contracts;
#[path = "conformance/database.rs"]
mod database;
#[path = "conformance/door.rs"]
mod door;
#[path = "conformance/drafts.rs"]
mod drafts;
#[path = "conformance/experiments.rs"]
mod experiments;
#[path = "conformance/floats.rs"]
mod floats;
#[path = "conformance/keys.rs"]
mod keys;
#[path = "conformance/labels.rs"]
mod labels;
#[path = "conformance/policies.rs"]
mod policies;
#[path = "conformance/projects.rs"]
mod projects;
#[path = "conformance/prompts.rs"]
mod prompts;
#[path = "conformance/races.rs"]
mod races;
#[path = "conformance/ramps.rs"]
mod ramps;
#[path = "conformance/releases.rs"]
mod releases;
#[path = "conformance/resolving.rs"]
mod resolving;
#[path = "support/server.rs"]
mod server;
#[path = "conformance/snippets.rs"]
mod snippets;
#[path = "conformance/stages.rs"]
mod stages;
#[path = "conformance/tampering.rs"]
mod tampering;
#[path = "conformance/verbs.rs"]
mod verbs;
#[path = "conformance/versions.rs"]
mod versions;
#[path = "conformance/views.rs"]
mod views;
#[path = "conformance/webhooks.rs"]
mod webhooks;

use bench::{Bench, Engine};

macro_rules! cases {
    ($engine:ident, $name:ident: $($file:ident { $($case:ident),* $(,)? })*) => {
        mod $name {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$file::$case(super::Bench::open(super::Engine::$engine).await).await;
                }
            )*)*
        }
    };
}

macro_rules! conformance {
    ($engine:ident as $name:ident) => {
        cases! { $engine, $name:
            prompts {
                a_prompt_is_found_by_what_was_created,
                a_name_or_alias_is_taken_once,
                prompts_are_listed_by_folder_tag_and_text,
                a_page_follows_the_last_one_by_name,
                a_cursor_nobody_made_is_refused,
                a_renamed_prompt_answers_to_its_old_name,
                a_prompt_may_take_its_old_name_back,
                a_change_on_an_old_revision_is_refused,
                only_a_prompt_without_labels_is_archived,
                what_describes_a_prompt_has_limits,
                a_project_that_is_not_there_is_missing,
                viewers_change_nothing,
            }
            versions {
                the_first_version_makes_its_prompt,
                versions_count_up_with_parent_digest_and_semver,
                equal_content_makes_no_new_version_but_is_labelled,
                an_expected_parent_that_lost_names_the_winner,
                an_author_raises_an_impact_but_never_lowers_it,
                a_prompt_stays_chat_or_text,
                fallbacks_come_back_and_wrong_ones_are_refused_by_their_field,
                a_template_that_does_not_compile_is_refused_with_its_place,
                a_refused_version_leaves_no_prompt_behind,
                all_that_was_given_comes_back,
                other_examples_make_a_version_and_wrong_ones_are_refused,
                a_version_is_found_by_every_selector,
                versions_are_listed_newest_first,
                an_archived_prompt_takes_no_versions,
            }
            snippets {
                what_is_included_is_pinned_and_rendered,
                a_snippet_that_moves_on_changes_nothing_published,
                a_prompt_that_was_renamed_is_still_included,
                what_cannot_be_included_is_refused_by_its_place,
                a_prompt_never_includes_itself,
                snippets_go_so_deep_and_no_deeper,
                users_of_a_prompt_are_listed,
                an_include_counts_as_what_it_brings,
                a_draft_is_tried_with_what_it_includes,
            }
            floats {
                what_floats_is_what_its_label_serves_at_each_call,
                another_node_follows_what_floats,
                what_floats_needs_a_label_to_float_with,
                a_label_that_others_serve_is_moved_by_whoever_may_move_theirs,
                a_label_does_not_go_while_somebody_serves_it,
                no_label_closes_a_circle,
                no_part_of_the_calls_gets_what_does_not_hold,
                a_label_is_not_moved_to_what_its_includers_cannot_hold,
                what_floats_goes_so_deep_and_no_deeper,
                users_by_label_are_listed_with_what_they_get,
                what_is_included_grows_so_large_and_no_larger,
            }
            drafts {
                a_draft_comes_back_as_it_was_kept,
                a_draft_changes_only_as_it_was_expected,
                a_published_draft_is_a_version_and_gone,
                a_draft_that_conflicts_is_kept,
                a_draft_may_not_hold_yet_but_is_not_published_then,
                what_a_draft_cannot_be_is_refused,
                a_draft_of_a_protected_label_needs_a_releaser,
                versions_and_drafts_are_compared,
                one_of_many_publishes_a_draft,
            }
            labels {
                a_label_moves_only_from_where_it_was_expected,
                a_label_points_at_versions_that_exist,
                moving_a_label_to_where_it_is_writes_no_history,
                the_history_says_who_what_when_and_why,
                rolling_back_walks_the_history,
                rolling_back_skips_removals_and_ends_with_the_first,
                rolling_back_is_refused_when_it_was_moved_meanwhile,
                only_releasers_move_production,
                a_removed_label_is_gone_and_keeps_its_history,
                rolling_back_takes_any_history_to_versions_it_served,
            }
            policies {
                production_starts_protected_and_other_labels_open,
                a_policy_comes_back_as_it_was_set_until_it_is_reset,
                a_policy_has_limits_and_takes_an_admin,
                a_protected_label_takes_a_releaser_by_every_way,
                a_label_that_takes_approvals_moves_by_releases_only,
                an_earlier_stage_comes_first,
                nothing_new_is_served_in_a_freeze_but_rolling_back_is,
                a_policy_holds_after_opening_again,
            }
            releases {
                a_release_without_approvals_waits_to_be_carried_out,
                four_eyes_see_every_release,
                the_policy_of_today_is_the_one_that_counts,
                a_label_that_moved_meanwhile_makes_a_release_stale,
                a_release_is_rejected_or_withdrawn_once,
                what_cannot_be_released_is_refused_when_it_is_proposed,
                releases_are_listed_newest_first_by_state_prompt_and_label,
                a_history_says_who_did_what,
                of_two_who_carry_a_release_out_one_does,
            }
            ramps {
                a_ramp_grows_by_hand_until_the_label_moves,
                a_ramp_grows_by_time_on_any_number_of_nodes,
                a_paused_ramp_stays_where_it_is,
                an_aborted_ramp_serves_nobody,
                a_label_with_a_ramp_moves_only_when_that_is_to_end,
                rolling_back_takes_a_ramp_back_first,
                a_ramp_needs_something_to_ramp_from,
                a_frozen_label_holds_its_ramp,
                a_ramp_goes_on_after_opening_again,
            }
            contracts {
                a_version_that_breaks_a_caller_is_refused_by_key_and_variable,
                a_reason_lets_it_pass_and_is_kept,
                records_that_cannot_be_read_stand_in_the_way,
                nobody_to_ask_stands_in_the_way_too,
                every_way_to_a_label_asks_its_callers,
                what_a_version_includes_is_required_too,
            }
            door {
                every_way_to_a_label_passes_one_door,
                an_alias_gives_its_callers_nothing_that_production_may_not,
                a_token_held_to_folders_or_labels_goes_no_way_elsewhere,
                whoever_is_held_elsewhere_neither_proposes_nor_steers,
                what_serves_may_be_an_arm_whatever_its_policy_asks_of_the_new,
                what_floats_into_a_prompt_passes_the_door_of_its_label,
                who_calls_what_includes_a_prompt_is_asked_before_that_moves,
            }
            experiments {
                calls_are_dealt_to_the_arms_and_say_so,
                units_stay_through_edits_and_restarts_and_are_dealt_anew_by_a_start,
                a_renamed_prompt_moves_nobody,
                a_stopped_experiment_leaves_the_label_alone,
                an_experiment_takes_a_label_that_points_at_nothing,
                a_label_with_an_experiment_moves_only_when_that_is_to_end,
                rolling_back_ends_an_experiment,
                arms_pass_the_door,
                a_plan_that_makes_no_sense_is_refused_by_its_field,
            }
            resolving {
                every_selector_comes_to_its_version,
                production_never_falls_back,
                a_label_moved_serves_on_the_next_call,
                an_old_name_means_what_the_new_one_means,
                a_foreign_version_maps_to_ours,
                an_archived_prompt_does_not_serve_even_pinned,
                a_digest_prefix_that_fits_two_is_refused,
                a_pinned_digest_follows_new_versions_of_its_content,
                an_error_says_what_there_is_instead,
                what_was_written_before_is_there_after_opening_again,
            }
            keys {
                a_key_opens_with_its_secret_only,
                a_key_changes_expires_and_is_revoked,
                keys_are_listed_newest_first_by_project,
                a_scope_with_odd_patterns_is_refused,
                a_token_has_a_role_a_project_and_an_owner,
                only_admins_manage_keys_and_tokens,
                the_first_start_makes_a_token_and_a_key,
                what_the_environment_hands_in_is_accepted_on_every_start,
                a_token_handed_in_must_be_an_admins,
                no_secret_is_stored_or_printed,
            }
            views {
                a_view_comes_back_as_it_was_saved,
                views_are_listed_by_name_and_kind_a_project_at_a_time,
                a_name_is_taken_once,
                a_view_changes_only_as_it_was_expected,
                a_deleted_view_is_gone_and_its_name_free,
                a_view_has_limits,
                viewers_save_no_views,
                a_signing_secret_is_the_same_for_everyone_and_for_ever,
            }
            races {
                fifty_writers_lose_nothing,
                one_of_many_wins_a_compare_and_set,
                one_of_many_publishes_onto_a_parent,
                one_of_many_gets_a_name,
                a_caller_who_goes_away_leaves_whole_writes,
                readers_see_whole_writes,
                fifty_writers_of_everything_on_two_nodes_lose_nothing,
            }
            webhooks {
                a_webhook_is_found_as_it_was_made_without_its_secrets,
                a_webhook_changes_only_from_where_it_was_expected,
                events_nobody_raises_are_refused,
                only_admins_say_where_events_are_sent,
                an_event_is_queued_for_whoever_subscribes,
                fifty_claimers_never_get_the_same_delivery,
                a_claim_that_came_to_nothing_is_due_again,
                a_failed_try_waits_for_its_time,
                a_claim_brings_what_sending_takes,
                a_delivery_is_replayed_as_one_of_its_own,
                deliveries_are_bounded_in_number_and_time,
                what_a_clock_put_off_that_was_ahead_is_due,
                a_retry_is_never_put_off_for_longer_than_is_believed,
                a_deleted_webhook_takes_its_deliveries_along,
            }
            database {
                text_is_ordered_byte_by_byte,
                a_nul_character_is_refused_wherever_it_comes_in,
                a_second_node_sees_what_the_first_wrote,
                what_another_node_writes_is_noticed,
            }
            alerts {
                a_rule_is_found_as_it_was_made,
                what_a_rule_cannot_mean_is_refused_by_its_field,
                editors_write_alerts_and_viewers_do_not,
                only_admins_add_addresses,
                a_clock_that_was_ahead_holds_nothing_up,
                mails_are_bounded_like_deliveries_to_a_webhook,
                another_condition_starts_anew_and_another_name_does_not,
                an_evaluation_is_stored_whole_and_told_once,
                of_many_who_evaluate_the_same_one_is_believed,
                an_evaluation_of_a_rule_that_changed_is_dropped,
                rules_are_due_by_when_they_were_evaluated,
                a_history_is_bounded,
                a_webhook_that_an_alert_names_stays,
                a_lease_is_one_holders_until_it_ends,
                one_of_fifty_gets_the_lease,
            }
            audit {
                every_change_of_a_prompt_is_noted,
                every_change_of_what_is_not_a_prompt_is_noted,
                a_refused_change_leaves_no_entry,
                fifty_writers_make_one_chain,
                the_audit_is_looked_through_page_by_page,
                no_secret_is_in_the_audit,
                whoever_is_held_to_a_project_changes_nothing_elsewhere,
                the_token_that_was_used_is_noted,
                each_move_of_a_label_is_told_once,
                trying_a_webhook_out_and_replaying_are_noted,
            }
            tampering {
                an_audit_that_was_tampered_with_says_where,
                an_end_cut_off_with_its_head_is_found_by_a_head_kept_elsewhere,
            }
            verbs {
                every_verb_leaves_its_entry_and_a_refused_one_none,
                what_a_start_does_is_noted,
            }
            projects {
                a_project_is_found_as_it_was_made,
                projects_are_listed_by_name,
                the_same_name_is_another_prompt_in_another_project,
                a_project_is_archived_once_nothing_in_it_works,
                a_scope_holds_editors_and_releasers_only,
                a_token_held_to_folders_changes_nothing_outside,
                an_alias_is_no_way_around_folders,
                a_token_held_to_labels_moves_no_others,
                a_scope_of_nothing_changes_no_prompt,
            }
        }
    };
}

conformance!(Sqlite as sqlite);
conformance!(Postgres as postgres);
