//! Private keys: making, reading, writing and using them.

use echion_template::CallContext;
use echion_value::Value;
use p256::ecdsa::signature::Signer;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::{Pkcs1v15Sign, PrivateKey};
use sha2::{Digest, Sha256};
use std::convert::Infallible;

use super::der::{self, CONTEXT, OCTET_STRING, OID, SEQUENCE};
use super::{pem, random};
use crate::args::{Result, bytes, fail, make_text};

/// What a call counts for: a rendering may make eight long keys, which take about a second each.
const WORK: usize = 32 << 20;
/// The bits of keys that stand alone, and of those that belong to certificates.
const LONG: usize = 4096;
const SHORT: usize = 2048;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const EC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const NULL: [u8; 2] = [5, 0];

/// A private key.
pub(super) enum Key {
    Rsa(Box<PrivateKey>),
    Ecdsa(p256::ecdsa::SigningKey),
    Ed25519([u8; 32]),
}

/// The call's randomness as the crates want it, and what went wrong with it.
struct Source<'a, 'h>(&'a mut CallContext<'h>, Result<()>);

impl TryRng for Source<'_, '_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> std::result::Result<(), Infallible> {
        if self.1.is_ok() {
            self.1 = self.0.random(bytes);
        }
        Ok(())
    }
}

impl TryCryptoRng for Source<'_, '_> {}

/// `genPrivateKey`
pub(super) fn generate(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let key = match bytes(args, 0) {
        b"" | b"rsa" => Key::rsa(call, LONG)?,
        b"ecdsa" => Key::ecdsa(call)?,
        b"ed25519" => Key::Ed25519(random(call)?),
        b"dsa" => return fail("DSA keys are not made: nothing accepts them any more"),
        other => return Ok(make_text([b"Unknown type ", other].concat())),
    };
    key.to_pem().map(make_text)
}

impl Key {
    /// A new key for a certificate.
    pub(super) fn new(call: &mut CallContext<'_>) -> Result<Self> {
        Self::rsa(call, SHORT)
    }

    fn rsa(call: &mut CallContext<'_>, bits: usize) -> Result<Self> {
        call.work(WORK)?;
        random::<1>(call)?;
        let mut source = Source(call, Ok(()));
        let key = PrivateKey::new(&mut source, bits);
        source.1?;
        match key {
            Ok(key) => Ok(Self::Rsa(Box::new(key))),
            Err(error) => fail(format!("error generating rsa key: {error}")),
        }
    }

    fn ecdsa(call: &mut CallContext<'_>) -> Result<Self> {
        loop {
            // Nearly every number is one of the curve's.
            let secret: [u8; 32] = random(call)?;
            if let Ok(key) = p256::ecdsa::SigningKey::from_slice(&secret) {
                return Ok(Self::Ecdsa(key));
            }
        }
    }

    /// The key of a PEM text.
    pub(super) fn from_pem(text: &[u8]) -> Result<Self> {
        let Some((kind, bytes)) = pem::decode(text) else { return fail("no PEM data in input") };
        let parsed = |key: Option<Self>, what: &str| match key {
            Some(key) => Ok(key),
            None => fail(format!("{what}: the structure of the key is not understood")),
        };
        match kind.as_str() {
            "PRIVATE KEY" => parsed(Self::from_pkcs8(&bytes), "decoding PEM as PKCS#8"),
            "RSA PRIVATE KEY" => parsed(Self::from_pkcs1(&bytes), "parsing RSA private key from PEM"),
            "EC PRIVATE KEY" => parsed(Self::from_sec1(&bytes), "parsing EC private key from PEM"),
            "DSA PRIVATE KEY" => fail("DSA keys are not used: nothing accepts them any more"),
            _ => match kind.strip_suffix(" PRIVATE KEY") {
                Some(other) => fail(format!("invalid private key type {other}")),
                None => fail(format!("no private key data in PEM block of type {kind}")),
            },
        }
    }

    fn from_pkcs1(bytes: &[u8]) -> Option<Self> {
        PrivateKey::from_pkcs1_der(bytes).ok().map(|key| Self::Rsa(Box::new(key)))
    }

    fn from_sec1(mut bytes: &[u8]) -> Option<Self> {
        let mut parts = der::expect(&mut bytes, SEQUENCE)?.content;
        der::expect(&mut parts, der::INTEGER)?;
        let secret = der::expect(&mut parts, OCTET_STRING)?.content;
        p256::ecdsa::SigningKey::from_slice(secret).ok().map(Self::Ecdsa)
    }

    fn from_pkcs8(mut bytes: &[u8]) -> Option<Self> {
        let mut parts = der::expect(&mut bytes, SEQUENCE)?.content;
        der::expect(&mut parts, der::INTEGER)?;
        let mut algorithm = der::expect(&mut parts, SEQUENCE)?.content;
        let mut key = der::expect(&mut parts, OCTET_STRING)?.content;
        match der::expect(&mut algorithm, OID)?.content {
            RSA => Self::from_pkcs1(key),
            EC => Self::from_sec1(key),
            ED25519 => der::expect(&mut key, OCTET_STRING)?.content.try_into().ok().map(Self::Ed25519),
            _ => None,
        }
    }

    /// The key as Go's tools write it.
    pub(super) fn to_pem(&self) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Rsa(key) => match key.to_pkcs1_der() {
                Ok(bytes) => pem::encode("RSA PRIVATE KEY", bytes.as_bytes()),
                Err(error) => return fail(format!("error pem-encoding key: {error}")),
            },
            Self::Ecdsa(key) => {
                let parts = [
                    der::integer(&[1]),
                    der::tagged(OCTET_STRING, &key.to_bytes()),
                    der::tagged(CONTEXT, &der::tagged(OID, P256)),
                    der::tagged(CONTEXT | 1, &der::bits(key.verifying_key().to_sec1_point(false).as_bytes())),
                ];
                pem::encode("EC PRIVATE KEY", &der::of(SEQUENCE, &parts))
            }
            Self::Ed25519(seed) => {
                let parts = [
                    der::integer(&[]),
                    der::of(SEQUENCE, &[der::tagged(OID, ED25519)]),
                    der::tagged(OCTET_STRING, &der::tagged(OCTET_STRING, seed)),
                ];
                pem::encode("PRIVATE KEY", &der::of(SEQUENCE, &parts))
            }
        })
    }

    /// The public half: what certificates say about it, and its bytes alone.
    pub(super) fn public(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let (algorithm, bytes) = match self {
            Self::Rsa(key) => {
                let Ok(bytes) = key.to_public_key().to_pkcs1_der() else { return fail("no public key") };
                (vec![der::tagged(OID, RSA), NULL.to_vec()], bytes.as_bytes().to_vec())
            }
            Self::Ecdsa(key) => (
                vec![der::tagged(OID, EC), der::tagged(OID, P256)],
                key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            ),
            Self::Ed25519(seed) => (vec![der::tagged(OID, ED25519)], pair(seed)?.public_key().as_ref().to_vec()),
        };
        Ok((der::of(SEQUENCE, &[der::of(SEQUENCE, &algorithm), der::bits(&bytes)]), bytes))
    }

    /// The algorithm of its signatures, as certificates name it.
    pub(super) fn algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => der::of(SEQUENCE, &[der::tagged(OID, RSA_SHA256), NULL.to_vec()]),
            Self::Ecdsa(_) => der::of(SEQUENCE, &[der::tagged(OID, EC_SHA256)]),
            Self::Ed25519(_) => der::of(SEQUENCE, &[der::tagged(OID, ED25519)]),
        }
    }

    /// Signs.
    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Rsa(key) => match key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text)) {
                Ok(signature) => Ok(signature),
                Err(error) => fail(format!("error creating certificate: {error}")),
            },
            Self::Ecdsa(key) => {
                let signature: p256::ecdsa::Signature = key.sign(text);
                let bytes = signature.to_bytes();
                let (r, s) = bytes.split_at_checked(32).unwrap_or_default();
                Ok(der::of(SEQUENCE, &[der::integer(r), der::integer(s)]))
            }
            Self::Ed25519(seed) => Ok(pair(seed)?.sign(text).as_ref().to_vec()),
        }
    }
}

fn pair(seed: &[u8; 32]) -> Result<Ed25519KeyPair> {
    match Ed25519KeyPair::from_seed_unchecked(seed) {
        Ok(pair) => Ok(pair),
        Err(error) => fail(error.to_string()),
    }
}
