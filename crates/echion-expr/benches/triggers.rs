//! How long the conditions of the catalog's triggers take over one application.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a program for developers")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use echion_expr::{Context, compile};
use echion_value::json;
use echion_value::time::{self, RFC3339};
use echion_value::{CallError, Func, Map, Signature, Str, Type, Value};

const TRIGGERS: [(&str, &str); 8] = [
    ("on-created", "true"),
    ("on-deleted", "app.metadata.deletionTimestamp != nil"),
    (
        "on-deployed",
        "app.status.operationState != nil and app.status.operationState.phase in ['Succeeded'] and \
         app.status.health.status == 'Healthy' and \
         (!time.Parse(app.status.health.lastTransitionTime).Add(1 * time.Minute)\
         .Before(time.Parse(app.status.operationState.finishedAt)) or \
         time.Parse(app.status.health.lastTransitionTime).Before(time.Parse(app.status.operationState.startedAt)))",
    ),
    ("on-health-degraded", "app.status.health.status == 'Degraded'"),
    ("on-sync-failed", "app.status.operationState != nil and app.status.operationState.phase in ['Error', 'Failed']"),
    ("on-sync-running", "app.status.operationState != nil and app.status.operationState.phase in ['Running']"),
    ("on-sync-status-unknown", "app.status.sync.status == 'Unknown'"),
    ("on-sync-succeeded", "app.status.operationState != nil and app.status.operationState.phase in ['Succeeded']"),
];

/// An application of the usual size, 8 KB without blanks.
const APPLICATION: &str = include_str!("application.json");

const BATCHES: u32 = 40;
const ROUNDS: u32 = 5_000;

static PARSE: Signature = Signature::new(&[Type::String], Type::Time);

fn main() {
    let env = environment();
    let context = Context::default();
    let programs = TRIGGERS.map(|(name, source)| (name, compile(source).unwrap()));
    let mut total = 0;
    for (name, program) in &programs {
        // The best of several batches: other programs of the machine only ever add.
        let batch = || {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                black_box(program.eval(black_box(&env), &context).unwrap());
            }
            start.elapsed().as_nanos() / u128::from(ROUNDS)
        };
        let nanoseconds = (0..BATCHES).map(|_| batch()).min().unwrap();
        total += nanoseconds;
        println!("{name:24}{nanoseconds:>6} ns");
    }
    println!("{:24}{total:>6} ns", "all");
}

fn environment() -> Map {
    let parse = Func::new(&PARSE, |args| {
        let text = args.first().and_then(Value::as_str).unwrap_or_default();
        let time = time::parse(RFC3339, text).map_err(|e| CallError(e.to_string()))?;
        Ok(Value::Time(Arc::new(time)))
    });
    let app = json::unmarshal(APPLICATION.as_bytes()).unwrap();
    let time = map(vec![("Minute", Value::Duration(time::MINUTE)), ("Parse", parse.into())]);
    Map::of_any(vec![("app".into(), app), ("time".into(), time)])
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(Map::of_any(entries.into_iter().map(|(k, v)| (Str::from(k), v)).collect()))
}
