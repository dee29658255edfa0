//! Keys, certificates and passwords.
//!
//! Sprig makes these while a chart is installed. A message is no place for a new private key, and each of them takes from a
//! tenth of a second to minutes, so the names exist, with their arguments checked, and calling them is an error that says so.

use echion_template::{Function, Host, takes};
use echion_value::{Type, Value};

use crate::args::{INT, LIST, Result, TEXT, fail};

const CERTIFICATE: Type = Type::Named("sprig.certificate");

const fn refused(name: &'static str, signature: echion_value::Signature) -> Function {
    Function::new(name, signature, refuse).doc("keys and passwords are not made in messages", "", "")
}

pub(crate) static ALL: &[Function] = &[
    refused("bcrypt", takes(&[TEXT], TEXT)),
    refused("htpasswd", takes(&[TEXT, TEXT], TEXT)),
    refused("derivePassword", takes(&[Type::Uint64, TEXT, TEXT, TEXT, TEXT], TEXT)),
    refused("genPrivateKey", takes(&[TEXT], TEXT)),
    refused("buildCustomCert", takes(&[TEXT, TEXT], CERTIFICATE).fallible()),
    refused("genCA", takes(&[TEXT, INT], CERTIFICATE).fallible()),
    refused("genCAWithKey", takes(&[TEXT, INT, TEXT], CERTIFICATE).fallible()),
    refused("genSelfSignedCert", takes(&[TEXT, LIST, LIST, INT], CERTIFICATE).fallible()),
    refused("genSelfSignedCertWithKey", takes(&[TEXT, LIST, LIST, INT, TEXT], CERTIFICATE).fallible()),
    refused("genSignedCert", takes(&[TEXT, LIST, LIST, INT, CERTIFICATE], CERTIFICATE).fallible()),
    refused("genSignedCertWithKey", takes(&[TEXT, LIST, LIST, INT, CERTIFICATE, TEXT], CERTIFICATE).fallible()),
    refused("encryptAES", takes(&[TEXT, TEXT], TEXT).fallible()),
    refused("decryptAES", takes(&[TEXT, TEXT], TEXT).fallible()),
];

fn refuse(_: &mut Host<'_>, _: &[Value]) -> Result {
    fail("keys and passwords are not made in messages")
}
