//! Random sequences of operations on a ledger, against a plain model of what it promises.

use std::collections::BTreeSet;

use echion_model::{DeliveryId, Finished, Selection};
use proptest::prelude::*;

use super::contract::{intent, memory, resource_of};
use super::*;

/// Few, so that deliveries meet.
const RESOURCES: usize = 2;
const CHANNELS: usize = 2;

#[derive(Clone, Copy, Debug)]
enum End {
    Delivered,
    Retry,
    Unknown,
    Limited,
    Attention,
    AttentionForGood,
    Rejected,
    GivenUp,
}

#[derive(Clone, Debug)]
enum Op {
    Record { resource: usize, key: usize, channel: usize, uid: usize, clear: bool },
    Claim { channel: usize, count: u32 },
    Finish { which: usize, end: End, wait: i64 },
    Release { which: usize },
    Redeliver { which: Option<usize> },
    Forget { resource: usize },
    Reroute { shift: usize, service: usize, templates: usize },
    Recover,
    PullBack { ahead: i64 },
    Heal { channel: usize },
    Pass { time: i64 },
}

/// Mostly the first: what meets there is what has rules.
fn mostly_first(count: usize) -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0), 1 => 0..count]
}

fn op() -> impl Strategy<Value = Op> {
    let end = prop_oneof![
        4 => Just(End::Delivered),
        3 => Just(End::Retry),
        1 => Just(End::Unknown),
        2 => Just(End::Limited),
        3 => Just(End::Attention),
        1 => Just(End::AttentionForGood),
        1 => Just(End::Rejected),
        2 => Just(End::GivenUp),
    ];
    let uid = prop_oneof![9 => Just(0_usize), 1 => Just(1)];
    prop_oneof![
        5 => (mostly_first(RESOURCES), 0..20_usize, mostly_first(CHANNELS), uid, prop::bool::weighted(0.2))
            .prop_map(|(resource, key, channel, uid, clear)| Op::Record { resource, key, channel, uid, clear }),
        10 => (mostly_first(CHANNELS), 1..4_u32).prop_map(|(channel, count)| Op::Claim { channel, count }),
        9 => (any::<usize>(), end, 1..60_i64).prop_map(|(which, end, wait)| Op::Finish { which, end, wait }),
        2 => any::<usize>().prop_map(|which| Op::Release { which }),
        2 => prop::option::of(any::<usize>()).prop_map(|which| Op::Redeliver { which }),
        1 => (0..RESOURCES).prop_map(|resource| Op::Forget { resource }),
        2 => (mostly_first(CHANNELS), 1..3_usize, 1..3_usize)
            .prop_map(|(shift, service, templates)| Op::Reroute { shift, service, templates }),
        1 => Just(Op::Recover),
        1 => (0..80_i64).prop_map(|ahead| Op::PullBack { ahead }),
        3 => mostly_first(CHANNELS).prop_map(|channel| Op::Heal { channel }),
        4 => (1..80_i64).prop_map(|time| Op::Pass { time }),
    ]
}

/// A delivery as the model has it.
#[derive(Clone, Debug)]
struct Row {
    id: DeliveryId,
    resource: usize,
    recipient: usize,
    channel: String,
    status: Status,
    due: Option<i64>,
    claimed: bool,
    attempts: u32,
    unknown: u32,
    first: Option<i64>,
    class: String,
    healed: bool,
    version: Option<Version>,
}

impl Row {
    fn is_behind(&self, older: &Row) -> bool {
        self.channel == older.channel && self.resource == older.resource && self.id > older.id
    }

    /// It is due once more, as if it were new.
    fn revive(&mut self, now: i64) {
        (self.status, self.due, self.first, self.unknown) = (Status::Pending, Some(now), None, 0);
    }

    fn is_parked(&self) -> bool {
        self.status == Status::Parked && !self.claimed
    }
}

#[derive(Default)]
struct Model {
    /// By resource: the uid, the keys, the changes that are not written.
    resources: BTreeMap<usize, (usize, BTreeSet<String>, i64)>,
    rows: Vec<Row>,
    pauses: BTreeMap<String, i64>,
    ended: BTreeMap<String, Vec<i64>>,
}

fn channel(index: usize) -> String {
    format!("s/{}", index % CHANNELS)
}

impl Model {
    /// Records a key, and gives whether a delivery belongs to it.
    fn record(&mut self, resource: usize, uid: usize, key: &str, clear: bool) -> bool {
        let known = self.resources.entry(resource).or_default();
        if known.0 != uid {
            *known = (uid, BTreeSet::new(), 0);
        }
        if clear {
            known.1.remove(key);
            known.2 += 1;
        }
        !clear && known.1.insert(key.to_owned())
    }

    fn deliver(&mut self, id: DeliveryId, resource: usize, recipient: usize, now: i64) {
        let mut row = Row {
            id,
            resource,
            recipient,
            channel: channel(recipient),
            status: Status::Pending,
            due: Some(now),
            claimed: false,
            attempts: 0,
            unknown: 0,
            first: None,
            class: String::new(),
            healed: false,
            version: None,
        };
        for older in &mut self.rows {
            assert!(older.id < row.id, "ids grow");
            if row.is_behind(older) {
                if older.status == Status::Pending {
                    row.due = row.due.max(older.due);
                } else if older.is_parked() && older.due.is_some_and(|due| due > now) {
                    older.due = Some(now);
                }
            }
        }
        self.rows.push(row);
    }

    fn claim(&mut self, channel: &str, count: u32, now: i64) -> Vec<DeliveryId> {
        let is_due = |row: &Row| row.due.is_some_and(|due| due <= now);
        let blocks = |row: &Row| row.due.is_some() && (row.status == Status::Pending || row.claimed || is_due(row));
        let free = |row: &&Row| !self.rows.iter().any(|older| row.is_behind(older) && blocks(older));
        let mut due: Vec<_> =
            self.rows.iter().filter(|row| row.channel == channel && is_due(row) && !row.claimed).filter(free).collect();
        due.sort_by_key(|row| (row.due, row.id.clone()));
        let ids: Vec<_> = due.into_iter().take(count as usize).map(|row| row.id.clone()).collect();
        for row in self.rows.iter_mut().filter(|row| ids.contains(&row.id)) {
            row.claimed = true;
            row.attempts += 1;
            row.first = row.first.or(Some(now));
        }
        ids
    }

    fn finish(&mut self, finished: &Finished, now: i64) {
        self.ended.entry(finished.channel.clone()).or_default().push(now);
        let index = self.rows.iter().position(|row| row.id == finished.id).unwrap();
        let row = &mut self.rows[index];
        row.claimed = false;
        row.class = finished.outcome.class().to_owned();
        row.unknown += u32::from(row.class == "unknown");
        row.version = Some(finished.version.clone());
        // What those behind it wait for at the earliest, or at the latest.
        let (mut later, mut sooner, mut first) = (None, None, None);
        match &finished.outcome {
            Outcome::Delivered(_) => {
                (row.status, row.due, sooner) = (Status::Delivered, None, Some(now));
            }
            Outcome::Retry { due, .. } if finished.pause.is_some() => sooner = Some(*due),
            Outcome::Retry { due, .. } => (row.due, later) = (Some(*due), Some(*due)),
            Outcome::Parked { due, .. } => {
                (row.status, row.due, sooner, first) = (Status::Parked, *due, Some(now), *due);
            }
        }
        if matches!(finished.outcome, Outcome::Retry { .. }) {
            row.status = Status::Pending;
        }
        let row = row.clone();
        for other in self.rows.iter_mut().filter(|other| other.due.is_some() && !other.claimed) {
            if other.is_behind(&row) && other.status == Status::Pending {
                other.due = other.due.max(later);
                if other.attempts == 0 {
                    other.due = sooner.map_or(other.due, |at| other.due.min(Some(at)));
                }
            }
            if row.is_behind(other) && other.status == Status::Parked {
                other.due = first.map_or(other.due, |at| other.due.min(Some(at)));
            }
        }
        if row.status == Status::Delivered
            && let Some(known) = self.resources.get_mut(&row.resource)
        {
            known.2 += 1;
        }
        if let Some(until) = finished.pause {
            let pause = self.pauses.entry(finished.channel.clone()).or_insert(until);
            *pause = until.max(*pause);
        }
    }

    fn reroute(&mut self, shift: usize, version: &Version, now: i64) -> (u64, Vec<DeliveryId>) {
        let (mut revived, mut outdated) = (0, Vec::new());
        for row in self.rows.iter_mut().filter(|row| row.status != Status::Delivered) {
            let old = row.version.get_or_insert_with(|| version.clone()).clone();
            row.channel = channel(row.recipient + shift);
            if old.templates != version.templates {
                if row.status == Status::Parked {
                    outdated.push(row.id.clone());
                }
            } else if old.service != version.service {
                if row.is_parked() {
                    row.revive(now);
                    revived += 1;
                } else if row.status == Status::Pending {
                    row.due = row.due.min(Some(now));
                }
            }
        }
        (revived, outdated)
    }

    fn heal(&mut self, channel: &str, now: i64) -> u64 {
        let mut count = 0;
        for row in self.rows.iter_mut().filter(|row| row.channel == channel && row.is_parked()) {
            let given_up = ["retryable", "rate-limited", "quota-exhausted", "attention"].contains(&row.class.as_str());
            if row.due.is_none() && given_up && !row.healed {
                (row.status, row.due, row.first, row.healed) = (Status::Pending, Some(now), None, true);
                count += 1;
            } else if row.class == "attention" && row.due.is_some_and(|due| due > now) {
                row.due = Some(now);
                count += 1;
            }
        }
        count
    }
}

fn ended(end: End, due: i64) -> (Outcome, Option<i64>) {
    let retry = |error| Outcome::Retry { due, error };
    let park = |due, error| Outcome::Parked { due, error };
    match end {
        End::Delivered => (Outcome::Delivered(Receipt::default()), None),
        End::Retry => (retry(SendError::retryable("x")), None),
        End::Unknown => (retry(SendError::unknown("x")), None),
        End::Limited => (retry(SendError::rate_limited("x", SECOND)), Some(due)),
        End::Attention => (park(Some(due), SendError::attention("x", "y")), None),
        End::AttentionForGood => (park(None, SendError::attention("x", "y")), None),
        End::Rejected => (park(None, SendError::rejected("x", "y")), None),
        End::GivenUp => (park(None, SendError::retryable("x")), None),
    }
}

async fn run(ops: Vec<Op>) {
    let (ledger, _) = memory().await;
    let (mut model, mut now) = (Model::default(), 1000);
    let mut newest = Version { service: "1".into(), templates: "1".into() };
    for op in ops {
        now += 1;
        let claimed: Vec<Row> = model.rows.iter().filter(|row| row.claimed).cloned().collect();
        match op.clone() {
            Op::Record { resource, key, channel: to, uid, clear } => {
                let (name, key) = (format!("r{resource}"), format!("k{key}"));
                let mut change = StateChange::default();
                if clear {
                    change.clear.push(key.clone());
                } else {
                    change.set.insert(key.clone(), 7);
                }
                let intents = [intent(&key, &channel(to))];
                let ids = ledger.record(&resource_of(&name, &uid.to_string()), &change, &intents, now).await.unwrap();
                assert_eq!(ids.len(), usize::from(model.record(resource, uid, &key, clear)), "{op:?}");
                ids.into_iter().for_each(|id| model.deliver(id, resource, to, now));
            }
            Op::Claim { channel: of, count } => {
                let got = ledger.claim(now, &channel(of), count).await.unwrap();
                let got: Vec<_> = got.into_iter().map(|delivery| delivery.id).collect();
                assert_eq!(got, model.claim(&channel(of), count, now), "{op:?}");
            }
            Op::Finish { which, end, wait } if !claimed.is_empty() => {
                let row = &claimed[which % claimed.len()];
                let (outcome, pause) = ended(end, now + wait);
                let (id, channel) = (row.id.clone(), row.channel.clone());
                let finished = Finished { id, channel, outcome, version: newest.clone(), pause };
                ledger.finish(&finished, now).await.unwrap();
                model.finish(&finished, now);
            }
            Op::Release { which } if !claimed.is_empty() => {
                let id = &claimed[which % claimed.len()].id;
                ledger.release(id).await.unwrap();
                let row = model.rows.iter_mut().find(|row| row.id == *id).unwrap();
                row.claimed = false;
                row.attempts -= 1;
                row.first = row.first.filter(|_| row.attempts > 0);
            }
            Op::Redeliver { which } => {
                let id =
                    which.and_then(|which| model.rows.get(which % model.rows.len().max(1))).map(|row| row.id.clone());
                let selection =
                    id.as_ref().map_or(Selection::Parked { service: None }, |id| Selection::Id(id.0.clone()));
                let mut count = 0;
                for row in
                    model.rows.iter_mut().filter(|row| row.is_parked() && id.as_ref().is_none_or(|id| *id == row.id))
                {
                    row.revive(now);
                    count += 1;
                }
                assert_eq!(ledger.redeliver(&selection, now).await.unwrap(), count, "{op:?}");
            }
            Op::Forget { resource } => {
                ledger.forget(&resource_of(&format!("r{resource}"), "").id).await.unwrap();
                model.resources.remove(&resource);
            }
            Op::Reroute { shift, service, templates } => {
                newest = Version { service: service.to_string(), templates: templates.to_string() };
                let router = |key: &RouteKey| {
                    (Some(channel(key.destination.recipient.parse::<usize>().unwrap() + shift)), newest.clone())
                };
                let got = ledger.reroute(&router, now).await.unwrap();
                assert_eq!((got.revived, got.outdated), model.reroute(shift, &newest, now), "{op:?}");
            }
            Op::Recover => {
                for row in model.rows.iter_mut().filter(|row| row.claimed) {
                    (row.claimed, row.class) = (false, "interrupted".to_owned());
                    row.due = row.due.map(|due| due.min(now));
                    model.ended.entry(row.channel.clone()).or_default().push(now);
                }
                assert_eq!(ledger.recover(now).await.unwrap(), claimed.len() as u64);
            }
            Op::PullBack { ahead } => {
                ledger.pull_back(now + ahead, now).await.unwrap();
                let back = |at: &mut i64| *at = if *at > now + ahead { now } else { *at };
                model.rows.iter_mut().filter_map(|row| row.due.as_mut()).for_each(back);
                model.pauses.values_mut().for_each(back);
            }
            Op::Heal { channel: of } => {
                assert_eq!(ledger.heal(&channel(of), now).await.unwrap(), model.heal(&channel(of), now), "{op:?}");
            }
            Op::Pass { time } => now += time,
            Op::Finish { .. } | Op::Release { .. } => {}
        }
        compare(&*ledger, &mut model, now, &op).await;
    }
}

async fn compare(ledger: &dyn echion_model::Ledger, model: &mut Model, now: i64, op: &Op) {
    let mut list = ledger.list(&Filter::default()).await.unwrap();
    list.reverse();
    let got: Vec<_> = list
        .iter()
        .map(|d| {
            (
                &d.id,
                d.intent.channel.as_str(),
                d.status,
                d.due,
                d.attempts,
                d.unknown,
                d.first_attempt,
                d.class.as_str(),
            )
        })
        .collect();
    let want: Vec<_> = model
        .rows
        .iter()
        .map(|r| (&r.id, r.channel.as_str(), r.status, r.due, r.attempts, r.unknown, r.first, r.class.as_str()))
        .collect();
    assert_eq!(got, want, "after {op:?}");
    let count = |status| model.rows.iter().filter(|row| row.status == status).count() as u64;
    let counts = Counts { pending: count(Status::Pending), parked: count(Status::Parked) };
    assert_eq!(ledger.counts().await.unwrap(), counts);
    let mut queues = Vec::new();
    for channel in (0..CHANNELS).map(channel) {
        let due =
            model.rows.iter().filter(|row| row.channel == channel && !row.claimed).filter_map(|row| row.due).min();
        assert_eq!(ledger.next_due(&channel).await.unwrap(), due, "{channel} after {op:?}");
        queues.extend(due.map(|due| (channel.clone(), due)));
        let ended = model.ended.get_mut(&channel).map_or(&[][..], |ended| {
            ended.sort_unstable();
            ended
        });
        assert_eq!(ledger.spent(&channel, 0).await.unwrap(), ended, "{channel} after {op:?}");
    }
    let got: Vec<_> = ledger.queues().await.unwrap().into_iter().map(|queue| (queue.channel, queue.due)).collect();
    assert_eq!(got, queues, "after {op:?}");
    let pauses = model.pauses.iter().filter(|(_, until)| **until > now).map(|(name, until)| (name.clone(), *until));
    assert_eq!(ledger.pauses(now).await.unwrap(), pauses.collect());
    for resource in 0..RESOURCES {
        let known = model.resources.get(&resource);
        let id = resource_of(&format!("r{resource}"), &known.map_or(String::new(), |known| known.0.to_string()));
        let state = ledger.state(&id).await.unwrap().map(|state| state.into_keys().collect::<BTreeSet<_>>());
        assert_eq!(state.as_ref(), known.map(|known| &known.1), "after {op:?}");
        let unwritten = ledger.mirrored(&id.id).await.unwrap().map(|mirror| mirror.unwritten);
        assert_eq!(unwritten, known.map(|known| known.2), "after {op:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_does_what_a_plain_model_of_it_does(ops in prop::collection::vec(op(), 30..90)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(ops));
    }
}
