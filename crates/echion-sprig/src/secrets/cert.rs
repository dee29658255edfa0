//! Certificates (X.509, RFC 5280).

use std::net::IpAddr;
use std::sync::Arc;

use echion_template::CallContext;
use echion_value::time::Time;
use echion_value::{Value, format};
use sha2::{Digest, Sha256};

use super::der::{self, BIT_STRING, CONTEXT, CONTEXT_BYTES, OCTET_STRING, OID, SEQUENCE};
use super::keys::Key;
use super::{Certificate, pem, random};
use crate::args::{Result, any, bytes, fail, int, list};
use crate::encoding::from_base64;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const TRUE: [u8; 3] = [1, 1, 0xff];
const DAY: i64 = 86_400;

/// What a new certificate is to say.
struct Request<'a> {
    name: &'a [u8],
    addresses: Vec<IpAddr>,
    hosts: Vec<Vec<u8>>,
    days: i64,
    authority: bool,
}

/// Who signs, as their own certificate says.
struct Issuer {
    subject: Vec<u8>,
    key_id: Vec<u8>,
    public: Vec<u8>,
}

/// `genCA` and `genCAWithKey`
pub(super) fn ca(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let key = key_at(call, args, 2)?;
    let request =
        Request { name: bytes(args, 0), addresses: Vec::new(), hosts: Vec::new(), days: int(args, 1), authority: true };
    issue(call, &request, &key, None)
}

/// `genSelfSignedCert` and `genSelfSignedCertWithKey`
pub(super) fn self_signed(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let key = key_at(call, args, 4)?;
    issue(call, &Request::read(args)?, &key, None)
}

/// `genSignedCert` and `genSignedCertWithKey`
pub(super) fn signed(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let key = key_at(call, args, 5)?;
    let field = |name: &str| match any(args, 4) {
        Value::Object(authority) => authority.field(name).unwrap_or_default(),
        _ => Value::Nil,
    };
    let Some(issuer) = pem::decode(bytes(&[field("Cert")], 0)) else { return fail("unable to decode certificate") };
    let Some(issuer) = Issuer::read(&issuer.1) else {
        return fail("error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate");
    };
    let signer =
        Key::from_pem(bytes(&[field("Key")], 0)).or_else(|e| fail(format!("error parsing private key: {e}")))?;
    issue(call, &Request::read(args)?, &key, Some((&issuer, &signer)))
}

/// `buildCustomCert`
pub(super) fn custom(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let Ok(cert) = from_base64(bytes(args, 0)) else { return fail("unable to decode base64 certificate") };
    let Ok(key) = from_base64(bytes(args, 1)) else { return fail("unable to decode base64 private key") };
    let Some((_, decoded)) = pem::decode(&cert) else { return fail("unable to decode certificate") };
    if Issuer::read(&decoded).is_none() {
        return fail("error parsing certificate: decodedCert.Bytes: x509: malformed certificate");
    }
    Key::from_pem(&key).or_else(|error| fail(format!("error parsing private key: {error}")))?;
    call.reserve(cert.len() + key.len())?;
    Ok(Value::Object(Arc::new(Certificate { cert, key })))
}

/// The key in that argument, or a new one where there is no such argument.
fn key_at(call: &mut CallContext<'_>, args: &[Value], at: usize) -> Result<Key> {
    match args.get(at) {
        None => Key::new(call),
        Some(_) => Key::from_pem(bytes(args, at)).or_else(|error| fail(format!("parsing private key: {error}"))),
    }
}

impl<'a> Request<'a> {
    fn read(args: &'a [Value]) -> Result<Self> {
        let mut addresses = Vec::new();
        for value in list(any(args, 1)).unwrap_or_default() {
            let Value::Str(text) = &value else {
                return fail(format!("error parsing ip: {} is not a string", format::display(&value)));
            };
            match text.to_text().parse() {
                Ok(address) => addresses.push(address),
                Err(_) => return fail(format!("error parsing ip: {text}")),
            }
        }
        let mut hosts = Vec::new();
        for value in list(any(args, 2)).unwrap_or_default() {
            let Value::Str(text) = &value else {
                let shown = format::display(&value);
                return fail(format!("error processing alternate dns name: {shown} is not a string"));
            };
            hosts.push(text.as_bytes().to_vec());
        }
        Ok(Self { name: bytes(args, 0), addresses, hosts, days: int(args, 3), authority: false })
    }

    fn extensions(&self, public: &[u8], issuer: Option<&Issuer>) -> Vec<u8> {
        // Digital signature and key encipherment, and for authorities the signing of certificates.
        let usage: [u8; 2] = if self.authority { [2, 0xa4] } else { [5, 0xa0] };
        let constraints = if self.authority { TRUE.to_vec() } else { Vec::new() };
        let mut parts = vec![
            extension(KEY_USAGE, true, &der::tagged(BIT_STRING, &usage)),
            extension(
                EXTENDED_KEY_USAGE,
                false,
                &der::of(SEQUENCE, &[der::tagged(OID, SERVER), der::tagged(OID, CLIENT)]),
            ),
            extension(BASIC_CONSTRAINTS, true, &der::tagged(SEQUENCE, &constraints)),
        ];
        if self.authority {
            let id = Sha256::digest(public);
            let id = id.get(..20).unwrap_or_default();
            parts.push(extension(SUBJECT_KEY_ID, false, &der::tagged(OCTET_STRING, id)));
        }
        if let Some(issuer) = issuer.filter(|issuer| !issuer.key_id.is_empty()) {
            let id = der::tagged(CONTEXT_BYTES, &issuer.key_id);
            parts.push(extension(AUTHORITY_KEY_ID, false, &der::tagged(SEQUENCE, &id)));
        }
        if !self.hosts.is_empty() || !self.addresses.is_empty() {
            let mut names: Vec<Vec<u8>> = self.hosts.iter().map(|host| der::tagged(CONTEXT_BYTES | 2, host)).collect();
            names.extend(self.addresses.iter().map(|address| match address.to_canonical() {
                IpAddr::V4(address) => der::tagged(CONTEXT_BYTES | 7, &address.octets()),
                IpAddr::V6(address) => der::tagged(CONTEXT_BYTES | 7, &address.octets()),
            }));
            parts.push(extension(ALTERNATIVE_NAMES, self.name.is_empty(), &der::of(SEQUENCE, &names)));
        }
        der::tagged(CONTEXT | 3, &der::of(SEQUENCE, &parts))
    }
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { TRUE.to_vec() } else { Vec::new() };
    der::of(SEQUENCE, &[der::tagged(OID, oid), critical, der::tagged(OCTET_STRING, value)])
}

/// A name that consists of a common name.
fn subject(name: &[u8]) -> Vec<u8> {
    if name.is_empty() {
        return der::tagged(SEQUENCE, &[]);
    }
    let printable = |b: &u8| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(b);
    let tag = if name.iter().all(printable) { der::PRINTABLE } else { der::UTF8 };
    let pair = der::of(SEQUENCE, &[der::tagged(OID, COMMON_NAME), der::tagged(tag, name)]);
    der::tagged(SEQUENCE, &der::tagged(der::SET, &pair))
}

fn moment(time: &Time) -> Result<Vec<u8>> {
    let time = time.utc();
    let (year, month, day) = (time.year(), time.month(), time.day());
    let rest = format!("{month:02}{day:02}{:02}{:02}{:02}Z", time.hour(), time.minute(), time.second());
    match year {
        1950..2050 => Ok(der::tagged(der::UTC_TIME, format!("{:02}{rest}", year % 100).as_bytes())),
        0..=9999 => Ok(der::tagged(der::GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes())),
        _ => fail("error creating certificate: cannot represent time as GeneralizedTime"),
    }
}

impl Issuer {
    /// What is needed of a certificate in DER.
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut outer = der::expect(&mut bytes, SEQUENCE)?.content;
        let mut body = der::expect(&mut outer, SEQUENCE)?.content;
        let mut next = der::take(&mut body)?;
        if next.tag == CONTEXT {
            next = der::take(&mut body)?;
        }
        if next.tag != der::INTEGER {
            return None;
        }
        for _ in ["signature algorithm", "issuer", "validity"] {
            der::expect(&mut body, SEQUENCE)?;
        }
        let subject = der::expect(&mut body, SEQUENCE)?.whole.to_vec();
        let public = der::expect(&mut body, SEQUENCE)?.whole.to_vec();
        let mut key_id = Vec::new();
        while let Some(part) = der::take(&mut body) {
            let mut inside = part.content;
            let Some(list) = der::expect(&mut inside, SEQUENCE).filter(|_| part.tag == CONTEXT | 3) else { continue };
            let mut list = list.content;
            while let Some(extension) = der::expect(&mut list, SEQUENCE) {
                let mut parts = extension.content;
                if der::expect(&mut parts, OID)?.content == SUBJECT_KEY_ID {
                    let mut value = der::expect(&mut parts, OCTET_STRING)?.content;
                    key_id = der::expect(&mut value, OCTET_STRING)?.content.to_vec();
                }
            }
        }
        Some(Self { subject, key_id, public })
    }
}

fn issue(call: &mut CallContext<'_>, request: &Request<'_>, key: &Key, issuer: Option<(&Issuer, &Key)>) -> Result {
    let serial: [u8; 16] = random(call)?;
    let until = Time::from_unix(call.now.unix().saturating_add(request.days.saturating_mul(DAY)), 0);
    let (public, bytes) = key.public()?;
    let own = subject(request.name);
    let (issuer, signer) = issuer.map_or((None, key), |(issuer, key)| (Some(issuer), key));
    if issuer.is_some_and(|issuer| signer.public().is_ok_and(|(public, _)| public != issuer.public)) {
        return fail("error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey");
    }
    let other = issuer.filter(|issuer| issuer.subject != own);
    let body = der::of(
        SEQUENCE,
        &[
            der::tagged(CONTEXT, &der::integer(&[2])),
            der::integer(&serial),
            signer.algorithm(),
            issuer.map_or_else(|| own.clone(), |issuer| issuer.subject.clone()),
            der::of(SEQUENCE, &[moment(&call.now)?, moment(&until)?]),
            own.clone(),
            public,
            request.extensions(&bytes, other),
        ],
    );
    let signature = signer.sign(&body)?;
    let whole = der::of(SEQUENCE, &[body, signer.algorithm(), der::bits(&signature)]);
    let certificate = Certificate { cert: pem::encode("CERTIFICATE", &whole), key: key.to_pem()? };
    call.reserve(certificate.cert.len() + certificate.key.len())?;
    Ok(Value::Object(Arc::new(certificate)))
}
