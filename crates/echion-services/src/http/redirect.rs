//! Where a response sends a request that it did not answer.

use reqwest::{Method, Response};

use super::Address;

/// How often a request may move.
pub(super) const MOST: usize = 10;

/// What follows from a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The same request there.
    Repeat(Address),
    /// Nothing: it is the answer. If it redirects all the same, to there.
    None(Option<Address>),
}

pub(super) fn of(method: &Method, url: &Address, response: &Response) -> Next {
    let location = response.headers().get("location").and_then(|value| value.to_str().ok());
    next(method, url, response.status().as_u16(), location)
}

/// A request keeps its method and its body, and moves only within the host, never to a worse scheme: a POST that turns into a GET delivers
/// nothing, whatever is answered to that, and another host is not what the service was configured with. 303 comes from who has taken the request,
/// so only what reads is repeated after it.
fn next(method: &Method, url: &Address, status: u16, location: Option<&str>) -> Next {
    let is_redirect = matches!(status, 301 | 302 | 303 | 307 | 308);
    let Some(target) = location.filter(|_| is_redirect).and_then(|location| url.relative(location)) else {
        return Next::None(None);
    };
    let (from, to) = (url.url(), target.url());
    let is_better = from.scheme() == "http" && to.scheme() == "https";
    let is_same = from.host() == to.host()
        && (is_better || from.scheme() == to.scheme() && from.port_or_known_default() == to.port_or_known_default());
    let only_reads = matches!(*method, Method::GET | Method::HEAD);
    if is_same && (only_reads || status != 303) { Next::Repeat(target) } else { Next::None(Some(target)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_moves_within_its_host_only() {
        let url = |text: &str| Address::parse(text).unwrap();
        for (method, from, status, location, want) in [
            (Method::POST, "http://h.test/a", 301, "/b", Next::Repeat(url("http://h.test/b"))),
            (Method::POST, "http://h.test/a", 302, "https://h.test/a", Next::Repeat(url("https://h.test/a"))),
            (Method::PUT, "http://h.test/a", 308, "//h.test:80/b", Next::Repeat(url("http://h.test/b"))),
            (Method::POST, "http://h.test/a", 303, "/b", Next::None(Some(url("http://h.test/b")))),
            (Method::POST, "https://h.test/a", 307, "http://h.test/a", Next::None(Some(url("http://h.test/a")))),
            (Method::POST, "http://h.test/a", 307, "http://h.test:81/a", Next::None(Some(url("http://h.test:81/a")))),
            (Method::POST, "http://h.test/a", 307, "http://x.test/a", Next::None(Some(url("http://x.test/a")))),
            (Method::GET, "http://h.test/a", 303, "/b", Next::Repeat(url("http://h.test/b"))),
            (Method::GET, "http://h.test/a", 302, "http://x.test/a", Next::None(Some(url("http://x.test/a")))),
            (Method::GET, "https://h.test/a", 302, "http://x.test/a", Next::None(Some(url("http://x.test/a")))),
            (Method::POST, "http://h.test/a", 304, "/b", Next::None(None)),
            (Method::POST, "http://h.test/a", 200, "/b", Next::None(None)),
            (Method::POST, "http://h.test/a", 307, "ftp://h.test/b", Next::None(None)),
            (Method::POST, "http://h.test/a", 307, "http://[", Next::None(None)),
        ] {
            assert_eq!(next(&method, &url(from), status, Some(location)), want, "{method} {from} {status} {location}");
        }
    }
}
