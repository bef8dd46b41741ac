//! The actor's scenarios, for every body of it: its rules on the chain in memory, its Wasm on the FVM, the contract on the EVM.
//!
//! A body is the actor and the little chain around it that a scenario needs ([`Body`]). [`scenarios!`] makes a test of each scenario on
//! one kind of body; [`Twins`] is a body that asks two others the same and requires the same of both.
#![allow(missing_docs, reason = "the scenarios' names say what they require")]

mod body;
mod fake;
pub mod samples;
mod twins;

pub mod bounties;
pub mod claims;
pub mod dispatch;
pub mod files;
pub mod grants;
pub mod keys;
pub mod model;

pub use body::{Body, Kind, New};
pub use twins::Twins;

/// What a message comes to: what it returned, or the actor's refusal.
pub type Result<T> = std::result::Result<T, bauta_abi::Exit>;

/// One test for each scenario; the argument is a function that calls another one with a maker of fresh bodies.
#[macro_export]
macro_rules! scenarios {
    ($run:path) => {
        $crate::scenarios! { @ $run;
            keys: a_key_is_replaced_by_a_next_version, many_keys_are_found_again, bad_keys_are_refused;
            files: numbers_count_up_over_all_owners, versions_count_up, a_file_changes_hands_and_lists,
                a_listing_goes_on_where_the_next_file_has_left, a_long_row_of_gaps_is_left_in_bounded_steps,
                foreign_cursors_list_nothing_foreign, only_the_owner_disposes, specs_out_of_bounds_are_refused;
            grants: a_grant_opens_ages_and_closes, rights_are_kept_apart, sharers_give_no_more_than_they_hold,
                many_grants_are_listed_in_pages, what_is_shared_with_somebody_is_listed_in_pages, a_new_owner_needs_no_grant,
                grants_out_of_bounds_are_refused, long_wraps_stay_whole;
            bounties: a_bounty_from_offer_to_refund, rounding_neither_makes_nor_loses, settling_twice_in_an_epoch_pays_once,
                faulty_time_is_lost_and_dead_sectors_close, what_a_dead_claim_got_can_be_put_in_again,
                what_is_lost_makes_room_for_no_more_than_is_left, a_sector_that_expires_early_earns_to_its_expiration,
                locations_are_looked_up_again_when_stale, money_goes_in_up_to_the_target,
                cancelling_ends_what_nobody_has_claimed, terms_out_of_bounds_are_refused, providers_are_kept_by_id_and_once,
                bounties_are_listed_in_pages, the_largest_amounts_add_up;
            claims: a_notification_is_a_claim, only_miners_notify, notifications_that_do_not_fit_are_passed_over,
                undecodable_notifications_get_an_empty_answer, a_provider_claims_a_bounty_once, replicas_and_money_limit_claims,
                only_listed_providers_claim, a_bounty_records_so_many_claims_and_no_more,
                thousands_of_pieces_are_answered_and_few_are_looked_at, a_deal_is_a_claim, deals_that_do_not_fit_are_refused,
                a_deal_that_is_over_or_soon_over_is_no_claim,
                a_hostile_market_gets_nothing, a_hostile_miner_gets_nothing;
            dispatch: every_method_is_in_the_table, params_that_do_not_decode_are_refused, other_forms_of_a_value_are_refused,
                flipped_bits_never_break_the_state, money_is_taken_where_it_belongs_only, other_numbers_are_unknown;
            model: random_messages_do_what_the_model_does;
        }
    };
    (@ $run:path; $($room:ident: $($name:ident),*;)*) => {
        $(mod $room {
            #[allow(unused_imports, reason = "a path may be full")]
            use super::*;
            $(#[test]
            fn $name() {
                $run($crate::$room::$name);
            })*
        })*
    };
}
