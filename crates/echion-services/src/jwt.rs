//! Tokens signed with an RSA key: GitHub Apps and Google service accounts want them (RFC 7515, RS256).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// An RSA key that signs.
pub(crate) struct SigningKey(RsaKeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("****")
    }
}

impl SigningKey {
    /// Reads a key in PEM, as GitHub (PKCS#1) and Google (PKCS#8) give it.
    ///
    /// # Errors
    /// What was expected; nothing of the key is repeated.
    pub(crate) fn parse(pem: &str) -> Result<Self, String> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "is not a private key in PEM (`-----BEGIN RSA PRIVATE KEY-----`)".to_owned())?;
        let pair = match &key {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err("is not an RSA key".to_owned()),
        };
        pair.map(Self).map_err(|error| format!("is not a usable RSA key: {error}"))
    }

    /// A signed token of these claims.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, String> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| "the key does not sign".to_owned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public half was taken out of the key by OpenSSL.
    #[test]
    fn a_token_is_verified_with_the_public_key() {
        let key = SigningKey::parse(include_str!("../tests/it/keys/rsa.pem")).unwrap();
        let token = key.sign(&json!({ "iss": "1" })).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let public = include_bytes!("../tests/it/keys/rsa.pub.der");
        let public = ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, public);
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public.verify(signed.as_bytes(), &signature).unwrap();
        assert!(public.verify(b"other", &signature).is_err());
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(header).unwrap(), br#"{"alg":"RS256","typ":"JWT"}"#);
        assert_eq!(URL_SAFE_NO_PAD.decode(claims).unwrap(), br#"{"iss":"1"}"#);
    }

    #[test]
    fn what_is_no_key_is_not_repeated() {
        for text in ["marked-key", "-----BEGIN RSA PRIVATE KEY-----\nbWFya2VkLWtleQ==\n-----END RSA PRIVATE KEY-----\n"]
        {
            let error = SigningKey::parse(text).unwrap_err();
            assert!(!error.contains("marked") && !error.contains("bWFya2"), "{error}");
        }
    }
}
