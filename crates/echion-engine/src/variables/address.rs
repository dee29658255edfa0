//! Addresses of Git repositories, in all the forms that `git clone` takes.

/// The parts of an address that users see.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    /// The path, decoded.
    path: String,
    /// The path as it was written in a URL.
    raw_path: Option<String>,
    query: Option<String>,
    fragment: Option<String>,
}

const TRANSPORTS: [&str; 9] = ["ssh", "git", "git+ssh", "http", "https", "ftp", "ftps", "rsync", "file"];

/// Longer strings are not checked for the short form of SSH.
const MAX_SCP: usize = 2048;

impl Address {
    /// Reads an address. Whatever is neither a URL nor the short form of SSH is a path.
    pub(super) fn parse(text: &str) -> Self {
        Self::url(text).or_else(|| Self::scp(text)).unwrap_or_else(|| Self { path: text.to_owned(), ..Self::default() })
    }

    fn url(text: &str) -> Option<Self> {
        if text.chars().any(|c| c.is_ascii_control()) {
            return None;
        }
        let (rest, fragment) = match text.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment.to_owned())),
            None => (text, None),
        };
        let (scheme, rest) = rest.split_once(':')?;
        if !TRANSPORTS.contains(&scheme.to_ascii_lowercase().as_str()) {
            return None;
        }
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query.to_owned())),
            None => (rest, None),
        };
        let (authority, raw_path) = match rest.strip_prefix("//") {
            Some(rest) => rest.find('/').map_or((rest, ""), |at| rest.split_at(at)),
            None if rest.starts_with('/') => ("", rest),
            // `scheme:path` has no path in Go's terms.
            None => return Some(Self { query, fragment, ..Self::default() }),
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if !is_host(host) {
            return None;
        }
        Some(Self {
            host: host.to_owned(),
            path: decode(raw_path)?,
            raw_path: Some(raw_path.to_owned()),
            query,
            fragment,
        })
    }

    /// `user@host:path`
    fn scp(text: &str) -> Option<Self> {
        if text.len() > MAX_SCP {
            return None;
        }
        let (before, after) = text.split_once(':')?;
        let (user, host) = before.split_once('@').map_or((None, before), |(user, host)| (Some(user), host));
        let word =
            |s: &str, more: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        if user.is_some_and(|user| !word(user, "_")) || !word(host, "._-") {
            return None;
        }
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "./_-".contains(c))).unwrap_or(after.len());
        let (path, rest) = after.split_at(end);
        if path.is_empty() || rest.contains('\n') {
            return None;
        }
        let query = rest.strip_prefix('?').unwrap_or(rest);
        Some(Self {
            host: host.to_owned(),
            path: path.to_owned(),
            raw_path: None,
            query: (!query.is_empty()).then(|| query.to_owned()),
            fragment: None,
        })
    }

    /// The same place over HTTPS, without a user.
    pub(super) fn https(&self) -> String {
        let mut out = String::from("https:");
        let path = self.escaped_path();
        if !self.host.is_empty() || !path.is_empty() {
            out.push_str("//");
        }
        out.push_str(&self.host);
        if !self.host.is_empty() && !path.is_empty() && !path.starts_with('/') {
            out.push('/');
        }
        out.push_str(&path);
        if let Some(query) = &self.query {
            out.push('?');
            out.push_str(query);
        }
        if let Some(fragment) = self.fragment.as_ref().filter(|f| !f.is_empty()) {
            out.push('#');
            out.push_str(fragment);
        }
        out
    }

    /// Go's `EscapedPath`: the path as it was written if that is valid, else with everything escaped that need not stay.
    fn escaped_path(&self) -> String {
        let valid = |c: char| c.is_ascii_alphanumeric() || "-_.~$&+,/:;=@%!'()*[]".contains(c);
        if let Some(raw) = self.raw_path.as_ref().filter(|raw| raw.chars().all(valid)) {
            return raw.clone();
        }
        if self.path == "*" {
            return self.path.clone();
        }
        let mut out = String::new();
        for c in self.path.chars() {
            let plain = c.is_ascii_alphanumeric() || "-_.~$&+,/:;=@".contains(c);
            if plain { out.push(c) } else { escape(c, &mut out) }
        }
        out
    }

    /// Owner and name, or the path where it has fewer parts.
    pub(super) fn full_name(&self) -> String {
        let path = self.path.strip_suffix(".git").unwrap_or(&self.path);
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        match (parts.next(), parts.next()) {
            (Some(owner), Some(name)) => format!("{owner}/{name}"),
            _ => path.to_owned(),
        }
    }
}

fn is_host(host: &str) -> bool {
    let port =
        |text: &str| text.is_empty() || text.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(_, after)| port(after));
    }
    let allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:\"<>%".contains(c);
    host.chars().all(allowed) && port(host.find(':').map_or("", |at| &host[at..]))
}

fn decode(path: &str) -> Option<String> {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            out.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            out.push(b);
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn escape(c: char, out: &mut String) {
    for b in c.encode_utf8(&mut [0; 4]).bytes() {
        out.push_str(&format!("%{b:02X}"));
    }
}

/// Go's `url.QueryEscape`.
pub(super) fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' => out.push('+'),
            c if c.is_ascii_alphanumeric() || "-_.~".contains(c) => out.push(c),
            c => escape(c, &mut out),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_becomes_https() {
        for (text, https) in [
            ("git@git.shop.test:retail/cart.git", "https://git.shop.test/retail/cart.git"),
            ("ssh://git@git.shop.test:2222/retail/cart.git", "https://git.shop.test:2222/retail/cart.git"),
            ("http://user:pw@host/x?y=1#f", "https://host/x?y=1#f"),
            ("file:///a/b", "https:///a/b"),
            ("user@host:~/x.git", "https://user@host:~/x.git"),
            ("", "https:"),
        ] {
            assert_eq!(Address::parse(text).https(), https, "{text}");
        }
    }

    #[test]
    fn a_full_name_is_owner_and_name() {
        for (text, name) in [
            ("https://git.shop.test/a/b/c/d.git", "a/b"),
            ("https://git.shop.test/solo.git", "/solo"),
            ("https://git.shop.test/retail/%E8%B4%AD.git", "retail/购"),
            ("oci://reg.shop.test/charts/cart", "reg.shop.test/charts"),
            ("http://[::1", "//"),
        ] {
            assert_eq!(Address::parse(text).full_name(), name, "{text}");
        }
    }
}
