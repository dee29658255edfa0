//! Keeps the services of a tenant to the addresses that they may reach. Names are resolved here, and the connection goes to what was found.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use echion_model::{Egress, SendError};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use crate::http::Proxies;

/// An address that may not be reached.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{0}` is not a public address, and self-service configuration reaches only those")]
pub(crate) struct Refused(String);

impl Refused {
    pub(crate) fn into_error(self) -> SendError {
        let hint = "use a public address, or ask the administrator for `--self-service-egress-allow`";
        SendError::attention(self.to_string(), hint)
    }
}

/// What is between the services of a tenant and the network.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    egress: Arc<Egress>,
    /// The controller's own, which are not the tenant's choice.
    proxies: Proxies,
}

impl Guard {
    pub(crate) fn new(egress: Egress, proxies: Proxies) -> Self {
        Self { egress: Arc::new(egress), proxies }
    }

    /// Refuses a host that is written as an address. Names are judged when they are resolved.
    pub(crate) fn check_host(&self, host: &str) -> Result<(), Refused> {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match address {
            Ok(address) if !self.egress.permits(host, address) => Err(Refused(host.to_owned())),
            _ => Ok(()),
        }
    }

    /// Refuses where a request goes. Behind a proxy the resolver is not asked, and the host of a proxy it lets pass: both are judged here, as far
    /// as the name is known here.
    pub(crate) async fn check(&self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        self.check_host(host)?;
        if (self.proxies.of(url).is_some() || self.proxies.has(host))
            && let Err(error) = resolve(&self.egress, host, 0).await
            && error.get_ref().is_some_and(|inner| inner.is::<Refused>())
        {
            return Err(Refused(host.to_owned()));
        }
        Ok(())
    }
}

/// The addresses of a host that may be connected to.
///
/// # Errors
/// When it has none, or none of those.
pub(crate) async fn resolve(egress: &Egress, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<SocketAddr> = tokio::net::lookup_host((bare, port)).await?.collect();
    let permitted: Vec<SocketAddr> = found.iter().filter(|at| egress.permits(host, at.ip())).copied().collect();
    if permitted.is_empty() && !found.is_empty() {
        return Err(std::io::Error::other(Refused(host.to_owned())));
    }
    Ok(permitted)
}

/// What a failure of [`resolve`] means for a message.
pub(crate) fn error(error: std::io::Error) -> SendError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Refused>()) {
        Some(refused) => refused.clone().into_error(),
        None => SendError::retryable(format!("the host cannot be resolved: {error}")),
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found = if guard.proxies.has(host) {
                tokio::net::lookup_host((host, 0)).await?.collect()
            } else {
                resolve(&guard.egress, host, 0).await?
            };
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
