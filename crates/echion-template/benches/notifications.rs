//! How long the texts of a notification take over one application.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a program for developers")]

use std::hint::black_box;
use std::time::Instant;

use echion_template::{CallContext, Functions, Limits, parse};
use echion_value::time::Time;
use echion_value::{Map, Str, Value};

const TEMPLATES: [(&str, &str); 2] = [
    (
        "slack attachment",
        r##"[{
  "title": "{{ .app.metadata.name }}",
  "title_link": "{{ .context.argocdUrl }}/applications/{{ .app.metadata.name }}?operation=true",
  "color": "{{ if eq .app.status.health.status "Healthy" }}#18be52{{ else }}#f4c030{{ end }}",
  "fields": [{
    "title": "Sync Status",
    "value": "{{ .app.status.sync.status }}",
    "short": true
  }, {
    "title": "{{ if .app.spec.source }}Repository{{ else if .app.spec.sources }}Repositories{{ end }}",
    "value": "{{ if .app.spec.source }}:arrow_heading_up: {{ .app.spec.source.repoURL }}{{ end }}",
    "short": true
  }, {
    "title": "Revision",
    "value": "{{ .app.status.sync.revision }}",
    "short": true
  }
  {{ range $index, $c := .app.status.conditions }}
  , {
    "title": "{{ $c.type }}",
    "value": "{{ $c.message }}",
    "short": true
  }
  {{ end }}
  ]
}]"##,
    ),
    (
        "webhook body",
        r#"{
  "application": "{{ .app.metadata.namespace }}/{{ .app.metadata.name }}",
  "phase": "{{ .app.status.operationState.phase }}",
  "resources": [
  {{- range $index, $r := .app.status.resources }}
    {{- if $index }},{{ end }}
    {"kind": "{{ $r.kind }}", "name": "{{ $r.namespace }}/{{ $r.name }}", "status": "{{ $r.status }}"
    {{- if $r.health }}, "health": "{{ $r.health.status }}"{{ end }}}
  {{- end }}
  ]
}"#,
    ),
];

const BATCHES: u32 = 40;
const ROUNDS: u32 = 2_000;

fn main() {
    let data = data();
    let functions = Functions::new(&[]);
    let limits = Limits::default();
    let mut total = 0;
    for (name, text) in TEMPLATES {
        let template = parse(name, text, &functions).unwrap();
        let render = || template.render(black_box(&data), &mut CallContext::new(Time::default()), &limits).unwrap();
        // The best of several batches: other programs of the machine only ever add.
        let batch = || {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                black_box(render());
            }
            start.elapsed().as_nanos() / u128::from(ROUNDS)
        };
        let nanoseconds = (0..BATCHES).map(|_| batch()).min().unwrap();
        total += nanoseconds;
        println!("{name:20}{nanoseconds:>7} ns{:>7} bytes", render().len());
    }
    println!("{:20}{:>7} ns", "mean", total / TEMPLATES.len() as u128);
}

/// About eight kilobytes of application: thirty resources and two conditions.
fn data() -> Value {
    let resources = (0..30).map(|i| {
        let mut entries = vec![
            ("group", Value::from("apps")),
            ("kind", Value::from("Deployment")),
            ("name", Value::from(format!("guestbook-component-{i}"))),
            ("namespace", Value::from("guestbook-production")),
            ("status", Value::from(if i % 7 == 0 { "OutOfSync" } else { "Synced" })),
            ("version", Value::from("v1")),
        ];
        if i % 3 == 0 {
            entries.push(("health", map(vec![("status", Value::from("Healthy"))])));
        }
        map(entries)
    });
    let condition = |message: &str| {
        map(vec![
            ("lastTransitionTime", Value::from("2025-03-10T11:58:05Z")),
            ("message", Value::from(message)),
            ("type", Value::from("SharedResourceWarning")),
        ])
    };
    let status = map(vec![
        ("conditions", Value::from(vec![condition("shared by two applications"), condition("shared by three")])),
        ("health", map(vec![("status", Value::from("Healthy"))])),
        ("operationState", map(vec![("phase", Value::from("Succeeded"))])),
        ("resources", Value::from(resources.collect::<Vec<_>>())),
        (
            "sync",
            map(vec![
                ("revision", Value::from("0b5c1d1a9f3c4e7b8a6d5c4b3a29181716151413")),
                ("status", Value::from("Synced")),
            ]),
        ),
    ]);
    let metadata = map(vec![("name", Value::from("guestbook")), ("namespace", Value::from("argocd"))]);
    let source = map(vec![("repoURL", Value::from("https://git.example.org/guestbook.git"))]);
    let app = map(vec![("metadata", metadata), ("spec", map(vec![("source", source)])), ("status", status)]);
    let context = map(vec![("argocdUrl", Value::from("https://argocd.example.org"))]);
    map(vec![("app", app), ("context", context)])
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(Map::of_any(entries.into_iter().map(|(k, v)| (Str::from(k), v)).collect()))
}
