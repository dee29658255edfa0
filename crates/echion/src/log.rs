//! The log of the controller, with the fields that users of Argo CD Notifications grep for (contract 2.8): `level`, `msg`, `time`, `resource`.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::print::escaped_json;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

struct Lines(LogFormat);

/// Writes the log to standard error from here on.
pub(crate) fn start(level: Level, format: LogFormat) {
    // What fails in the client comes back as errors, which are logged with what was tried.
    let ours = ["echion", "echion_runtime", "echion_delivery", "echion_sources"].map(|name| format!("{name}={level}"));
    let filter = EnvFilter::new(format!("warn,kube_client=off,kube_runtime=off,{}", ours.join(",")));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log that was started already stays as it is.
    let _ = log.event_format(Lines(format)).try_init();
}

/// The names that Argo CD Notifications has for levels.
fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn take(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        } else if !field.name().starts_with("log.") {
            self.others.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.take(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = word(*event.metadata().level());
        let seconds = crate::setup::now().div_euclid(1000);
        let time = echion_runtime::value::time::Time::from_unix(seconds, 0).format("2006-01-02T15:04:05Z07:00");
        match self.0 {
            LogFormat::Json => {
                let mut line = fields.others;
                line.insert("level".to_owned(), level.into());
                line.insert("msg".to_owned(), fields.message.into());
                line.insert("time".to_owned(), time.into());
                writeln!(out, "{}", escaped_json(&Value::Object(line).to_string()))
            }
            LogFormat::Text => {
                let mut line = format!("time=\"{time}\" level={level} msg={:?}", fields.message);
                for (name, value) in fields.others {
                    let steers = |c: char| c.is_control() || [' ', '"', '='].contains(&c);
                    let plain = value.as_str().filter(|text| !text.is_empty() && !text.contains(steers));
                    write!(line, " {name}={}", plain.map_or_else(|| value.to_string(), str::to_owned))?;
                }
                writeln!(out, "{}", escaped_json(&line))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        for format in [LogFormat::Json, LogFormat::Text] {
            let written = Written::default();
            let writer = written.clone();
            let log =
                tracing_subscriber::fmt().event_format(Lines(format)).with_writer(move || writer.clone()).finish();
            let foreign = "x\r\nlevel=error\u{1b}[2J\u{9b}";
            tracing::subscriber::with_default(log, || tracing::info!(hint = foreign, "got '{foreign}'"));
            let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            assert!(!text.trim_end().contains(char::is_control), "{text:?}");
        }
    }
}
