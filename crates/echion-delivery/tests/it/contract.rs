//! What every backend of the ledger promises, by the ports' own words. A backend is a function that opens an empty ledger.

mod attempts;
mod claims;
mod recording;
mod resources;
mod reviving;

use attempts::*;
use claims::*;
use echion_model::{Finished, Mirror, Rerouted, Selection};

use recording::*;
use resources::*;
use reviving::*;

use super::*;

/// A ledger, and the folder it lies in.
type Opened = (SharedLedger, Option<tempfile::TempDir>);

pub(crate) async fn file() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let ledger = echion_delivery::SqlLedger::own(&folder.path().join("ledger.sqlite")).await.unwrap();
    (Arc::new(ledger), Some(folder))
}

pub(crate) async fn memory() -> Opened {
    (Arc::new(echion_delivery::SqlLedger::in_memory().await.unwrap()), None)
}

/// Runs every rule against every backend.
macro_rules! contract {
    ([$($backend:ident),*] $rules:tt) => { $(contract!(@ $backend $rules);)* };
    (@ $backend:ident [$($rule:ident,)*]) => {
        mod $backend {
            $(#[tokio::test]
            async fn $rule() {
                let (ledger, _folder) = super::$backend().await;
                super::$rule(&*ledger).await;
            })*
        }
    };
}

contract!([file, memory] [
    a_delivery_is_recorded_once_for_each_state_key,
    a_key_that_is_cleared_can_be_recorded_again,
    a_new_uid_starts_without_history,
    the_oldest_state_keys_are_forgotten_beyond_a_thousand,
    queues_name_every_channel_and_its_first_due,
    claims_come_in_order_and_are_exclusive,
    of_one_resource_and_channel_only_the_oldest_is_claimed,
    what_is_given_back_was_never_attempted,
    a_delivery_that_arrived_has_ended,
    a_retry_holds_back_what_is_behind_it,
    a_pause_keeps_the_place_in_the_queue,
    what_is_parked_for_good_lets_others_pass,
    what_is_parked_with_a_time_goes_first_once_more,
    an_unknown_end_is_counted,
    the_end_of_something_unknown_changes_nothing,
    attempts_count_against_the_budget_from_their_end,
    attempts_that_were_cut_off_are_due_and_on_record,
    what_lies_too_far_ahead_is_pulled_back,
    a_clock_that_is_set_shifts_what_waits,
    deliveries_move_with_their_channel,
    a_changed_service_revives_what_is_parked,
    changed_templates_are_reported_once,
    what_was_never_attempted_is_not_revived,
    parked_deliveries_are_redelivered_by_the_beginning_of_their_id,
    parked_deliveries_are_redelivered_by_service,
    another_rendering_is_put_into_what_is_parked,
    a_channel_that_works_again_takes_up_what_waits,
    what_was_given_up_is_taken_up_once,
    the_annotation_holds_what_has_arrived,
    changes_that_are_not_written_are_counted,
    resources_are_known_absent_and_forgotten,
    resources_without_a_group_are_adopted,
    deliveries_are_counted_listed_and_found,
    old_history_is_forgotten,
    memories_end,
]);

type L<'a> = &'a dyn echion_model::Ledger;

pub(crate) fn resource_of(name: &str, uid: &str) -> Resource {
    let id = ResourceId {
        group: "argoproj.io".into(),
        kind: "Application".into(),
        namespace: "argocd".into(),
        name: name.into(),
    };
    Resource { id, uid: uid.into(), object: Default::default() }
}

pub(crate) fn intent(key: &str, channel: &str) -> Intent {
    let (service, recipient) = channel.split_once('/').unwrap_or((channel, ""));
    Intent {
        trigger: "t".into(),
        condition: "[0].x".into(),
        owner: String::new(),
        state_key: key.into(),
        templates: vec!["a".into()],
        destination: Destination { service: service.into(), recipient: recipient.into() },
        channel: channel.into(),
        notification: Notification { message: key.into(), ..Notification::default() },
    }
}

fn set(keys: &[&str]) -> StateChange {
    StateChange { set: keys.iter().map(|key| ((*key).to_owned(), 7)).collect(), clear: Vec::new() }
}

/// Records one delivery under a key of its own.
async fn put(ledger: L<'_>, name: &str, channel: &str, key: &str, now: i64) -> echion_model::DeliveryId {
    let ids = ledger.record(&resource_of(name, "u"), &set(&[key]), &[intent(key, channel)], now).await.unwrap();
    assert_eq!(ids.len(), 1);
    ids.into_iter().next().unwrap()
}

fn version(service: &str, templates: &str) -> Version {
    Version { service: service.into(), templates: templates.into() }
}

async fn finish(ledger: L<'_>, delivery: &Delivery, outcome: Outcome, pause: Option<i64>, now: i64) {
    let (id, channel) = (delivery.id.clone(), delivery.intent.channel.clone());
    ledger.finish(&Finished { id, channel, outcome, version: version("1", "1"), pause }, now).await.unwrap();
}

/// Claims the one delivery that can be claimed.
async fn take(ledger: L<'_>, channel: &str, now: i64) -> Delivery {
    let mut claimed = ledger.claim(now, channel, 1).await.unwrap();
    assert_eq!(claimed.len(), 1, "one delivery of {channel} is due at {now}");
    claimed.remove(0)
}

async fn keys(ledger: L<'_>, channel: &str, now: i64) -> Vec<String> {
    ledger.claim(now, channel, 100).await.unwrap().into_iter().map(|d| d.intent.state_key).collect()
}

async fn get(ledger: L<'_>, id: &echion_model::DeliveryId) -> Delivery {
    ledger.delivery(id).await.unwrap().unwrap()
}

fn delivered() -> Outcome {
    Outcome::Delivered(Receipt { answer: "HTTP 200".into() })
}

fn retry(due: i64) -> Outcome {
    Outcome::Retry { due, error: SendError::retryable("out of order") }
}

fn attention(due: Option<i64>) -> Outcome {
    Outcome::Parked { due, error: SendError::attention("no robot", "create one") }
}

fn rejected() -> Outcome {
    Outcome::Parked { due: None, error: SendError::rejected("bad body", "correct it") }
}

/// Records one delivery and parks it as refused.
async fn park(ledger: L<'_>, name: &str, channel: &str, key: &str) -> echion_model::DeliveryId {
    let id = put(ledger, name, channel, key, 0).await;
    let taken = take(ledger, channel, 0).await;
    assert_eq!(taken.id, id);
    finish(ledger, &taken, rejected(), None, 1).await;
    id
}
