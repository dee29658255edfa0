//! Keys, certificates and passwords.
//!
//! All randomness comes from the call, so that the same bytes make the same key. Each call is hard work, and the call says how
//! much of it a template may ask for.

mod cert;
mod der;
mod keys;
mod pass;
mod pem;

use echion_template::{CallContext, Function, Uses, takes};
use echion_value::{Object, ObjectType, Type, Value};

use crate::args::{INT, LIST, Result, TEXT};

const NAME: &str = "sprig.certificate";
const CERTIFICATE: Type = Type::Named(NAME);

const fn makes(
    name: &'static str,
    params: &'static [Type],
    call: fn(&mut CallContext<'_>, &[Value]) -> Result,
    about: &'static str,
    example: &'static str,
) -> Function {
    Function::new(name, takes(params, CERTIFICATE).fallible(), call).doc(about, example, "-----BEGIN CERTIFICATE-----")
}

pub(crate) static ALL: &[Function] = &[
    Function::new("bcrypt", takes(&[TEXT], TEXT), pass::bcrypt)
        .doc("the bcrypt hash of a password", r#"{{ bcrypt "secret" | trunc 7 }}"#, "$2a$10$")
        .using(Uses::RANDOM),
    Function::new("htpasswd", takes(&[TEXT, TEXT], TEXT), pass::htpasswd)
        .doc("a line of an htpasswd file", r#"{{ htpasswd "ann" "secret" | trunc 11 }}"#, "ann:$2a$10$")
        .using(Uses::RANDOM),
    Function::new("derivePassword", takes(&[Type::Uint64, TEXT, TEXT, TEXT, TEXT], TEXT), pass::derive).doc(
        "the Master Password of a counter, a kind, a secret, a user and a site",
        r#"{{ derivePassword 1 "pin" "password" "user" "example.com" }}"#,
        "6685",
    ),
    Function::new("encryptAES", takes(&[TEXT, TEXT], TEXT).fallible(), pass::encrypt)
        .doc(
            "a text encrypted with AES-256-CBC under a password, as base64",
            r#"{{ encryptAES "secret" "text" | decryptAES "secret" }}"#,
            "text",
        )
        .using(Uses::RANDOM),
    Function::new("decryptAES", takes(&[TEXT, TEXT], TEXT).fallible(), pass::decrypt).doc(
        "what `encryptAES` has encrypted",
        r#"{{ decryptAES "secret" (encryptAES "secret" "text") }}"#,
        "text",
    ),
    Function::new("genPrivateKey", takes(&[TEXT], TEXT), keys::generate)
        .doc(
            "a new private key: `rsa`, `ecdsa` or `ed25519`",
            r#"{{ genPrivateKey "ecdsa" | trunc 30 }}"#,
            "-----BEGIN EC PRIVATE KEY-----",
        )
        .using(Uses::RANDOM),
    makes(
        "buildCustomCert",
        &[TEXT, TEXT],
        cert::custom,
        "a certificate and its key, both given as base64",
        r#"{{ $ca := genCA "ca" 9 }}{{ (buildCustomCert (b64enc $ca.Cert) (b64enc $ca.Key)).Cert | trunc 27 }}"#,
    ),
    makes(
        "genCA",
        &[TEXT, INT],
        cert::ca,
        "a new authority of that name for so many days",
        r#"{{ (genCA "ca" 9).Cert | trunc 27 }}"#,
    )
    .using(Uses { clock: true, ..Uses::RANDOM }),
    makes(
        "genCAWithKey",
        &[TEXT, INT, TEXT],
        cert::ca,
        "an authority with a given key",
        r#"{{ (genCAWithKey "ca" 9 (genPrivateKey "ecdsa")).Cert | trunc 27 }}"#,
    )
    .using(Uses { clock: true, ..Uses::RANDOM }),
    makes(
        "genSelfSignedCert",
        &[TEXT, LIST, LIST, INT],
        cert::self_signed,
        "a new certificate for a name, addresses and host names, for so many days",
        r#"{{ (genSelfSignedCert "a.example" (list "10.0.0.1") (list "b.example") 9).Cert | trunc 27 }}"#,
    )
    .using(Uses { clock: true, ..Uses::RANDOM }),
    makes(
        "genSelfSignedCertWithKey",
        &[TEXT, LIST, LIST, INT, TEXT],
        cert::self_signed,
        "a certificate of its own authority with a given key",
        r#"{{ (genSelfSignedCertWithKey "a.example" nil nil 9 (genPrivateKey "ed25519")).Cert | trunc 27 }}"#,
    )
    .using(Uses { clock: true, ..Uses::RANDOM }),
    makes(
        "genSignedCert",
        &[TEXT, LIST, LIST, INT, CERTIFICATE],
        cert::signed,
        "a new certificate signed by an authority",
        r#"{{ (genSignedCert "a.example" nil nil 9 (genCA "ca" 9)).Cert | trunc 27 }}"#,
    )
    .using(Uses { clock: true, ..Uses::RANDOM }),
    makes(
        "genSignedCertWithKey",
        &[TEXT, LIST, LIST, INT, CERTIFICATE, TEXT],
        cert::signed,
        "a certificate signed by an authority, with a given key",
        r#"{{ (genSignedCertWithKey "a.example" nil nil 9 (genCA "ca" 9) (genPrivateKey "ecdsa")).Cert | trunc 27 }}"#,
    )
    .using(Uses { clock: true, ..Uses::RANDOM }),
];

/// A certificate and its key, both as PEM.
#[derive(Debug)]
struct Certificate {
    cert: Vec<u8>,
    key: Vec<u8>,
}

static TYPE: ObjectType = ObjectType { name: NAME, fields: &["Cert", "Key"], tags: &[], methods: &[] };

impl Object for Certificate {
    fn object_type(&self) -> &'static ObjectType {
        &TYPE
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(crate::args::make_text(self.cert.clone())),
            "Key" => Some(crate::args::make_text(self.key.clone())),
            _ => None,
        }
    }
}

/// Random bytes of a fixed number.
fn random<const N: usize>(call: &mut CallContext<'_>) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    call.random(&mut bytes)?;
    Ok(bytes)
}
