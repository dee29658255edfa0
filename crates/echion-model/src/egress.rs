//! Which addresses the services of a tenant may reach. Whoever configures a namespace must not be able to speak with the controller's network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network, such as `10.0.0.0/8`; an address alone is one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    bits: u8,
}

impl Net {
    const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), bits }
    }

    const fn v6(a: u16, b: u16, bits: u8) -> Self {
        Self { address: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)), bits }
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.bits));
                net.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.bits));
                net.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Net {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(drop)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(drop)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits <= most { Ok(Self { address, bits }) } else { Err(()) }
    }
}

/// Not public, after the registries of IANA for special addresses: this network, private, shared, loopback, link-local, protocol assignments,
/// documentation, relays of 6to4, benchmarks, multicast, reserved.
const SPECIAL_V4: [Net; 15] = [
    Net::v4(0, 0, 0, 8),
    Net::v4(10, 0, 0, 8),
    Net::v4(100, 64, 0, 10),
    Net::v4(127, 0, 0, 8),
    Net::v4(169, 254, 0, 16),
    Net::v4(172, 16, 0, 12),
    Net::v4(192, 0, 0, 24),
    Net::v4(192, 0, 2, 24),
    Net::v4(192, 88, 99, 24),
    Net::v4(192, 168, 0, 16),
    Net::v4(198, 18, 0, 15),
    Net::v4(198, 51, 100, 24),
    Net::v4(203, 0, 113, 24),
    Net::v4(224, 0, 0, 4),
    Net::v4(240, 0, 0, 4),
];

/// Of IPv6 only this is public.
const GLOBAL_V6: Net = Net::v6(0x2000, 0, 3);

/// And in it not: protocol assignments with Teredo, documentation, 6to4.
const SPECIAL_V6: [Net; 4] =
    [Net::v6(0x2001, 0, 23), Net::v6(0x2001, 0xdb8, 32), Net::v6(0x2002, 0, 16), Net::v6(0x3fff, 0, 20)];

/// Azure's machines ask this public address about themselves.
const WIRE_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => address != WIRE_SERVER && !SPECIAL_V4.iter().any(|net| net.contains(address)),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => is_public(IpAddr::V4(mapped)),
            None => GLOBAL_V6.contains(address) && !SPECIAL_V6.iter().any(|net| net.contains(address)),
        },
    }
}

/// Which addresses may be reached: public ones, unless an administrator allows more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    any: bool,
    nets: Vec<Net>,
    hosts: Vec<String>,
    /// Not to be reached although they may be public.
    refused: Vec<String>,
}

impl Egress {
    /// Every address.
    #[must_use]
    pub fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// Allows a network or a host besides.
    ///
    /// # Errors
    /// What was expected.
    pub fn allow(&mut self, text: &str) -> Result<(), String> {
        let text = text.trim().to_ascii_lowercase();
        if let Ok(net) = text.parse() {
            self.nets.push(net);
            return Ok(());
        }
        if text.is_empty() || text.contains(['/', ':', '*', ' ']) {
            return Err(format!("`{text}` is neither a network such as `10.0.0.0/8` nor the name of a host"));
        }
        self.hosts.push(text);
        Ok(())
    }

    /// Refuses a host, unless it is allowed expressly: the API server.
    pub fn refuse(&mut self, host: &str) {
        self.refused.push(bare(host));
    }

    /// Whether a host may be reached whatever its address is.
    #[must_use]
    pub fn permits_host(&self, host: &str) -> bool {
        self.any || self.hosts.contains(&bare(host))
    }

    /// Whether a host may be reached under an address.
    #[must_use]
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        let host = bare(host);
        let mapped = match address {
            IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        let is_refused = self.refused.contains(&host) || self.refused.contains(&mapped.to_string());
        self.permits_host(&host)
            || self.nets.iter().any(|net| net.contains(mapped))
            || !is_refused && is_public(address)
    }
}

/// A host as it is compared: an IPv6 address without its brackets.
fn bare(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches([']', '.']).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_public_addresses_are_reached() {
        let egress = Egress::default();
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.100.100.200",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.19.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "4000::1",
        ] {
            assert!(!egress.permits("h.test", ip(special)), "{special}");
            assert!(Egress::any().permits("h.test", ip(special)), "{special}");
        }
        for public in [
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "::ffff:8.8.8.8",
            "2606:4700::1111",
            "2001:4860::8888",
        ] {
            assert!(egress.permits("h.test", ip(public)), "{public}");
        }
    }

    #[test]
    fn more_is_allowed_by_network_or_host_and_the_api_server_is_refused() {
        let mut egress = Egress::default();
        egress.allow("10.1.0.0/16").unwrap();
        egress.allow("Hooks.internal").unwrap();
        egress.refuse("203.0.112.9");
        egress.refuse("api.example.com");
        egress.refuse("[2606:4700::9]");
        assert!(egress.permits("h.test", ip("10.1.2.3")) && !egress.permits("h.test", ip("10.2.2.3")));
        assert!(egress.permits("h.test", ip("::ffff:10.1.2.3")));
        assert!(egress.permits("hooks.internal", ip("10.9.9.9")));
        assert!(!egress.permits("h.test", ip("203.0.112.9")) && !egress.permits("h.test", ip("::ffff:203.0.112.9")));
        assert!(
            !egress.permits("api.example.com", ip("8.8.8.8")) && !egress.permits("API.example.com.", ip("8.8.8.8"))
        );
        assert!(!egress.permits("h.test", ip("2606:4700::9")));
        for wrong in ["", "10.0.0.0/33", "https://x", "*.x", "h:80"] {
            assert!(egress.allow(wrong).is_err(), "{wrong}");
        }
        egress.allow("0.0.0.0/0").unwrap();
        assert!(egress.permits("h.test", ip("127.0.0.1")));
    }
}
