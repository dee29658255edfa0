//! Rules of our own.

use std::sync::Arc;

use echion_expr::{Context, ErrorKind, compile};
use echion_value::{CallError, Func, Map, Signature, Str, Type, Value};

#[test]
fn an_error_points_at_its_place() {
    let error = compile("1 +\n  $").map(drop).and(compile("1 +\n  'a' * 2").map(drop)).unwrap_err();
    assert_eq!((error.kind(), error.line(), error.column()), (ErrorKind::Check, 2, 7));
    assert_eq!(
        error.to_string(),
        "invalid operation: * (mismatched types string and int) (2:7)\n |   'a' * 2\n | ......^"
    );
}

#[test]
fn a_failing_function_is_an_error_at_its_call() {
    static SIGNATURE: Signature = Signature::new(&[], Type::String);
    let fails = Func::new(&SIGNATURE, |_| Err(CallError::new("no luck")));
    let env = Map::of_any(vec![(Str::from("f"), Value::Func(fails))]);
    let error = compile("'a' + f()").unwrap().eval(&env, &Context::default()).unwrap_err();
    assert_eq!((error.kind(), error.message(), error.column()), (ErrorKind::Run, "no luck", 7));
}

#[test]
fn a_program_is_shared_between_threads() {
    let program = Arc::new(compile("x + 1").unwrap());
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let program = program.clone();
            std::thread::spawn(move || {
                let env = Map::of_any(vec![(Str::from("x"), Value::Int(n))]);
                matches!(program.eval(&env, &Context::default()), Ok(Value::Int(m)) if m == n + 1)
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
}

#[test]
fn a_changed_map_is_read_as_it_is_now() {
    let map = Map::of_any(vec![(Str::from("a"), Value::Int(1))]);
    map.set(Str::from("b"), Value::Map(Map::of_any(vec![(Str::from("c"), Value::Int(2))]))).unwrap();
    let env = Map::of_any(vec![(Str::from("m"), Value::Map(map))]);
    let value = compile("m.a + m.b.c").unwrap().eval(&env, &Context::default()).unwrap();
    assert!(matches!(value, Value::Int(3)));
}

#[test]
fn a_program_knows_what_it_reads() {
    let read = |source: &str| {
        let reads = compile(source).unwrap().reads().clone();
        let paths: Vec<String> = reads.paths.iter().map(|path| path.join(".")).collect();
        (paths.join(" "), reads.everything, reads.calls)
    };
    let reads = |paths: &str| (paths.to_owned(), false, false);
    assert_eq!(
        read("app.status?.sync.status == 'x' and app.metadata.name != nil"),
        reads("app.metadata.name app.status.sync.status")
    );
    assert_eq!(read("app.status.conditions[0].type in l"), reads("app.status.conditions l"));
    assert_eq!(read("any(app.status.resources, .health.status == #.x)"), reads("app.status.resources"));
    assert_eq!(read("let s = app.status; s.health"), reads("app.status s.health"));
    assert_eq!(read("1 + 2"), reads(""));
    assert_eq!(read("$env.app.x"), reads("app.x"));
    assert_eq!(read("$env[k]"), ("k".to_owned(), true, false));
    assert_eq!(read("time.Now().Sub(x)"), ("time.Now x".to_owned(), false, true));
}

#[test]
fn of_several_results_the_first_counts() {
    let error = echion_expr::compile("date('2024-01-01').Date()").unwrap_err().to_string();
    assert!(error.starts_with("func Date returns more then two values (1:20)"), "{error}");
    assert!(echion_expr::compile("date('2024-01-01').ISOWeek() == 2024").is_ok());
}
