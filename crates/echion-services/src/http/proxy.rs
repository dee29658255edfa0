//! Which proxy a request goes through: the rules of Argo CD Notifications, which are those of Go's standard library.

use std::collections::BTreeMap;
use std::net::IpAddr;

use echion_model::{Net, Secret};
use url::{Host, Url};

/// The variables that are read. Of each pair the first one wins.
pub const VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];

/// Where clouds hand out identities. A proxy must not see that.
const METADATA: [&str; 2] = ["metadata.google.internal", "metadata"];

/// The proxies of the environment, and what goes without.
#[derive(Clone, Default)]
pub(crate) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    exceptions: Vec<Exception>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    /// On every port unless there is one.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// Names that end like this, dot included, and perhaps the name without the dot.
    Suffix(String, bool),
    /// Addresses whose first bits are these.
    Net(Net),
}

impl Proxies {
    /// Reads the variables of a process.
    pub(crate) fn new(variables: &BTreeMap<String, Secret>) -> Self {
        let value = |names: &[&str]| {
            let values = names.iter().filter_map(|name| variables.get(*name));
            values.map(|value| value.expose().trim()).find(|value| !value.is_empty()).unwrap_or_default().to_owned()
        };
        let [http, https, none] = [0, 2, 4].map(|at| value(&VARIABLES[at..at + 2]));
        let exceptions = none.split(',').filter_map(Exception::parse).collect();
        Self { http: address(&http), https: address(&https), exceptions }
    }

    /// Whether a host is one of the proxies.
    pub(crate) fn has(&self, host: &str) -> bool {
        [&self.http, &self.https].into_iter().flatten().any(|proxy| proxy.host_str() == Some(host))
    }

    /// The proxy for an address.
    pub(crate) fn of(&self, url: &Url) -> Option<&Url> {
        let proxy = match url.scheme() {
            "https" => self.https.as_ref(),
            _ => self.http.as_ref(),
        }?;
        let (name, ip) = match url.host()? {
            Host::Domain(name) => (name.to_ascii_lowercase(), name.parse().ok()),
            Host::Ipv4(ip) => (ip.to_string(), Some(IpAddr::from(ip))),
            Host::Ipv6(ip) => (ip.to_string(), Some(IpAddr::from(ip))),
        };
        let is_near = name == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
        let is_metadata = METADATA.contains(&name.as_str()) || ip.is_some_and(is_link_local);
        let port = url.port_or_known_default();
        let is_exception = self.exceptions.iter().any(|exception| exception.holds(&name, ip, port));
        (!is_near && !is_metadata && !is_exception).then_some(proxy)
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxies").field("exceptions", &self.exceptions).finish_non_exhaustive()
    }
}

/// The address of a proxy, which may lack its scheme. One that cannot be read counts as none.
fn address(text: &str) -> Option<Url> {
    let with_host = |text: &str| Url::parse(text).ok().filter(Url::has_host);
    if text.is_empty() {
        return None;
    }
    with_host(text).or_else(|| with_host(&format!("http://{text}")))
}

/// Where a machine in a cloud asks about itself: link-local addresses, and the like of them in AWS.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.segments()[..3] == [0xfd00, 0xec2, 0],
    }
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Self { hosts: Hosts::All, port: None });
        }
        if text.contains('/') {
            return text.parse().ok().map(|net| Self { hosts: Hosts::Net(net), port: None });
        }
        let (host, port) = split_port(&text);
        if let Ok(net) = host.parse() {
            return Some(Self { hosts: Hosts::Net(net), port });
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let hosts = match host.strip_prefix('.') {
            Some("") => return None,
            Some(rest) => Hosts::Suffix(format!(".{rest}"), false),
            None if host.is_empty() => return None,
            None => Hosts::Suffix(format!(".{host}"), true),
        };
        Some(Self { hosts, port })
    }

    fn holds(&self, name: &str, ip: Option<IpAddr>, port: Option<u16>) -> bool {
        let hosts = match &self.hosts {
            Hosts::All => true,
            Hosts::Suffix(suffix, whole) => name.ends_with(suffix) || *whole && name == &suffix[1..],
            Hosts::Net(net) => ip.is_some_and(|ip| net.contains(ip)),
        };
        hosts && (self.port.is_none() || self.port == port)
    }
}

/// `host:port`; without brackets, several colons are an IPv6 address.
fn split_port(text: &str) -> (&str, Option<u16>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (text, None),
        },
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        Proxies::new(&variables).of(&Url::parse(url).unwrap()).map(|url| url.to_string())
    }

    #[test]
    fn exceptions_are_those_of_go() {
        for (none, url, direct) in [
            ("", "http://hooks.test/x", false),
            ("*", "http://hooks.test/x", true),
            ("*.test", "http://hooks.test/x", true),
            ("*.test", "http://test/x", false),
            (".test", "http://hooks.test/x", true),
            (".test", "http://test/x", false),
            ("test", "http://hooks.test/x", true),
            ("test", "http://test/x", true),
            ("test", "http://contest/x", false),
            ("hooks.test:8080", "http://hooks.test:8080/x", true),
            ("hooks.test:8080", "http://hooks.test/x", false),
            ("hooks.test:80", "http://hooks.test/x", true),
            ("a.test, HOOKS.test ,b.test", "http://hooks.test/x", true),
            ("*.svc,*.cluster.local", "http://a.b.svc.cluster.local/x", true),
            ("10.0.0.0/8", "http://10.1.2.3/x", true),
            ("10.0.0.0/8", "http://11.1.2.3/x", false),
            ("10.1.2.3", "http://10.1.2.3:99/x", true),
            ("10.1.2.3:80", "http://10.1.2.3:99/x", false),
            ("fd00::/8", "http://[fd00::1]/x", true),
            ("[fd00::1]:81", "http://[fd00::1]:81/x", true),
            ("fd00::1", "http://[fd00::1]/x", true),
            ("0.0.0.0/0", "http://10.1.2.3/x", true),
            ("10.0.0.0/99,,  ,.", "http://10.1.2.3/x", false),
        ] {
            let got = proxy(&[("HTTP_PROXY", "http://proxy.test:3128"), ("NO_PROXY", none)], url);
            assert_eq!(got.is_none(), direct, "{none} {url}");
        }
    }

    #[test]
    fn schemes_have_their_own_proxy_and_there_is_none_for_all() {
        let all = [
            ("ALL_PROXY", "http://all.test"),
            ("https_proxy", "secure.test:1"),
            ("HTTP_PROXY", ""),
            ("http_proxy", "u:p@low.test"),
        ];
        assert_eq!(proxy(&all, "https://hooks.test/").as_deref(), Some("http://secure.test:1/"));
        assert_eq!(proxy(&all, "http://hooks.test/").as_deref(), Some("http://u:p@low.test/"));
        assert_eq!(proxy(&all[..1], "http://hooks.test/"), None);
        assert_eq!(proxy(&[("HTTP_PROXY", "::")], "http://hooks.test/"), None);
    }

    #[test]
    fn this_machine_and_metadata_servers_are_not_behind_a_proxy() {
        for host in [
            "localhost",
            "127.0.0.9",
            "[::1]",
            "169.254.169.254",
            "169.254.170.23",
            "metadata.google.internal",
            "[fd00:ec2::254]",
        ] {
            assert_eq!(proxy(&[("HTTP_PROXY", "http://proxy.test")], &format!("http://{host}:99/x")), None, "{host}");
        }
    }
}
