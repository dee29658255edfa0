//! Addresses that do not show their tokens.

use url::Url;

use crate::redact::is_wordy;

/// An address whose path and query may hold a token: it prints as scheme and host.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address(Url);

impl Address {
    /// Reads an absolute `http` or `https` address.
    ///
    /// # Errors
    /// What was expected. The address itself is not repeated: it may hold a token.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("is missing: write an address such as `https://example.com`".to_owned());
        }
        let url = Url::parse(&escaped(text.trim())).map_err(|error| format!("is not an address: {error}"))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self(url)),
            scheme => Err(format!("must begin with `https://` or `http://`, not `{scheme}:`")),
        }
    }

    /// The address for the request that needs it.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The host without port.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address that a `Location` leads to, if it is one for HTTP.
    pub(crate) fn relative(&self, location: &str) -> Option<Self> {
        let url = self.0.join(&escaped(location.trim())).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(Self(url))
    }

    /// The same address with a path appended, one slash between. Segments are escaped by the caller where they need it.
    pub(crate) fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        let joined = format!("{}/{}", url.path().trim_end_matches('/'), escaped(path.trim_start_matches('/')));
        url.set_path(&joined);
        Self(url)
    }

    /// The same address with segments appended to its path, each escaped whole.
    pub(crate) fn segments<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Self(url)
    }

    /// The same address with pairs added to its query.
    pub(crate) fn with_query(&self, pairs: &[(&str, &str)]) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        Self(url)
    }

    /// The same address with pairs added to its query, all sorted by name.
    pub(crate) fn with_sorted_query(&self, pairs: &[(&str, &str)]) -> Self {
        let mut all: Vec<(String, String)> = self.0.query_pairs().into_owned().collect();
        all.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let mut url = self.0.clone();
        url.query_pairs_mut().clear().extend_pairs(all);
        Self(url)
    }

    /// Everything in it that could be a token. In an address that is `secret`, the values of the query are tokens whatever they look like.
    pub(crate) fn secrets(&self, secret: bool) -> Vec<String> {
        let path = self.0.path_segments().into_iter().flatten().map(str::to_owned);
        let query = self.0.query_pairs().map(|(_, v)| v.into_owned());
        // As it is written in the address too, where some characters are escaped.
        let pairs = self.0.query().into_iter().flat_map(|query| query.split('&'));
        let raw = pairs.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
        // Short parts are words such as `send`; tokens are long, and no words.
        let path = path.filter(|part| !is_wordy(part));
        let query = query.chain(raw).filter(|value| secret || !is_wordy(value));
        let mut secrets: Vec<String> = path.chain(query).filter(|part| part.len() >= 8).collect();
        secrets.extend(self.0.password().filter(|p| !p.is_empty()).map(str::to_owned));
        secrets
    }

    /// Replaces in `text` everything of this address that could be a token.
    #[cfg(test)]
    fn redact(&self, text: &str) -> String {
        let text = text.replace(self.0.as_str(), &self.to_string());
        self.secrets(true).iter().fold(text, |text, secret| text.replace(secret.as_str(), "****"))
    }
}

/// The path of an address as Argo CD Notifications sends it: a backslash is a character like any other, and two more are not sent as they are.
fn escaped(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    format!("{}{rest}", path.replace('\\', "%5C").replace('|', "%7C"))
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.host())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str("/****")
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_token() {
        let address =
            Address::parse("https://user:hunter22@h.test:8443/hook/0123456789abcdef?access_token=t0ps3cr3t").unwrap();
        assert_eq!(format!("{address} {address:?}"), "https://h.test:8443/**** https://h.test:8443/****");
        let escaped = Address::parse("https://h.test/x?key=t0ps%2B3cr3t").unwrap();
        assert_eq!(escaped.redact("/x?key=t0ps%2B3cr3t is t0ps+3cr3t"), "/x?key=**** is ****");
        let leaked = "token 0123456789abcdef, t0ps3cr3t and hunter22";
        assert_eq!(address.redact(leaked), "token ****, **** and ****");
        let error = Address::parse("ftp://x/t0ps3cr3t").unwrap_err();
        assert!(!error.contains("t0ps3cr3t"), "{error}");
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        for base in ["https://h.test", "https://h.test/", "https://h.test/api", "https://h.test/api/"] {
            let joined = Address::parse(base).unwrap().join("/v1/x");
            assert!(["/v1/x", "/api/v1/x"].contains(&joined.url().path()), "{}", joined.url());
        }
        let joined = Address::parse("https://h.test/a/").unwrap().segments(["b/c", "d"]);
        assert_eq!(joined.url().as_str(), "https://h.test/a/b%2Fc/d");
    }
}
