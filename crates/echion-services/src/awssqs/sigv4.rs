//! AWS Signature Version 4: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use echion_model::{Secret, SendError};
use echion_value::time::Time;
use sha2::{Digest as _, Sha256};

use crate::http::{Request, hmac_sha256};

/// Who signs.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    pub(super) key: Secret,
    pub(super) secret: Secret,
    /// Of credentials that end.
    pub(super) session: Option<Secret>,
}

/// Adds `X-Amz-Date`, `X-Amz-Security-Token` and `Authorization` for a service in a region.
///
/// # Errors
/// When the credentials cannot sign.
pub(super) fn sign(
    request: Request,
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: i64,
) -> Result<Request, SendError> {
    if credentials.key.is_empty() || credentials.secret.is_empty() {
        let hint = "set `key` and `secret` of the service, or give the Pod a role";
        return Err(SendError::attention("the request cannot be signed: the credentials are empty", hint));
    }
    let time = Time::from_unix(now.div_euclid(1000), 0).format("20060102T150405Z");
    let date = &time[..8];
    let mut request = request.header("X-Amz-Date", time.clone());
    if let Some(session) = &credentials.session {
        request = request.header("X-Amz-Security-Token", session.expose());
    }
    let (canonical, signed) = canonical(&request);
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let first = format!("AWS4{}", credentials.secret.expose()).into_bytes();
    let parts = [date, region, service, "aws4_request"];
    let key = parts.iter().try_fold(first, |key, part| hmac_sha256(&key, part.as_bytes()))?;
    let signature = hex::encode(hmac_sha256(&key, text.as_bytes())?);
    let who = credentials.key.expose();
    let value = format!("AWS4-HMAC-SHA256 Credential={who}/{scope}, SignedHeaders={signed}, Signature={signature}");
    Ok(request.header("Authorization", value))
}

/// The canonical request, and the names of the signed headers.
fn canonical(request: &Request) -> (String, String) {
    let url = request.url.url();
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let trimmed = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut headers: Vec<(String, String)> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), trimmed(value.expose()))).collect();
    headers.push(("host".to_owned(), host));
    headers.sort();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let mut query: Vec<&str> = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let (path, query, body) = (url.path(), query.join("&"), hex::encode(Sha256::digest(&request.body)));
    (format!("{}\n{path}\n{query}\n{lines}\n{names}\n{body}", request.method), names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Address;

    /// 2015-08-30T12:36:00Z.
    const NOW: i64 = 1_440_938_160_000;

    fn signature(request: Request, service: &str) -> String {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let credentials = Credentials { key: Secret::new("AKIDEXAMPLE"), secret, session: None };
        let signed = sign(request, &credentials, "us-east-1", service, NOW).unwrap();
        let (_, value) = signed.headers.last().unwrap();
        value.expose().rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn without_credentials_nothing_is_signed() {
        for (key, secret) in [("AKIDEXAMPLE", ""), ("", "s")] {
            let credentials = Credentials { key: Secret::new(key), secret: Secret::new(secret), session: None };
            let request = Request::get(Address::parse("https://example.amazonaws.com/").unwrap());
            let error = sign(request, &credentials, "us-east-1", "sqs", NOW).err().unwrap();
            assert_eq!((error.kind.class(), error.hint.is_empty()), ("attention", false));
        }
    }

    /// `get-vanilla`, `post-vanilla`, `post-x-www-form-urlencoded` and `get-vanilla-query-order-key-case` of the vendor's test suite
    /// (aws-sig-v4-test-suite), and the request of its documentation.
    #[test]
    fn the_vendors_vectors() {
        let url = |text: &str| Address::parse(text).unwrap();
        let vanilla = || url("https://example.amazonaws.com/");
        assert_eq!(
            signature(Request::get(vanilla()), "service"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        assert_eq!(
            signature(Request::post(vanilla()), "service"),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        assert_eq!(
            signature(Request::post(vanilla()).form(&[("Param1", "value1")]), "service"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
        let ordered = url("https://example.amazonaws.com/?Param2=value2&Param1=value1");
        assert_eq!(
            signature(Request::get(ordered), "service"),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        );
        let users = Request::get(url("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"))
            .header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(signature(users, "iam"), "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    }
}
