//! A page of what came in, for a browser. It needs no script: it reloads itself.

use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};

use crate::received::Received;

/// How many messages the page shows.
const SHOWN: usize = 100;

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"2\">\
<title>Echion sandbox</title><style>body{font:14px/1.4 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
article{border-left:4px solid #2a2;padding:.2em 1em;margin:1em 0;background:#8881}article.refused{border-color:#c33}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3em 0}h1{font-size:1.4em}</style><h1>What came in</h1>";

/// The page; the newest message comes first.
pub(crate) fn of<'a>(messages: impl ExactSizeIterator<Item = &'a Received>) -> Response {
    let count = messages.len();
    let mut page = HEAD.to_owned();
    let more = if count > SHOWN { format!(" of {count}") } else { String::new() };
    page.push_str(&format!("<p>{}{more} messages, the newest first.</p>", count.min(SHOWN)));
    for received in messages.take(SHOWN) {
        let class = if received.accepted { "accepted" } else { "refused" };
        page.push_str(&format!("<article class=\"{class}\"><pre>{}</pre></article>", escaped(&received.readable())));
    }
    ([(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'")], Html(page)).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
