//! Checksums.

use echion_template::{Function, takes};
use echion_value::{Type, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::args::bytes;

const HASH: echion_value::Signature = takes(&[Type::String], Type::String);

/// The functions of this family.
pub(crate) static ALL: &[Function] = &[
    Function::new("adler32sum", HASH, |_, args| Ok(Value::from(adler32(bytes(args, 0)).to_string()))).doc(
        "Adler-32 as a number.",
        r#"{{ adler32sum "abc" }}"#,
        "38600999",
    ),
    Function::new("sha1sum", HASH, |_, args| Ok(hex(&Sha1::digest(bytes(args, 0))))).doc(
        "SHA-1 in hexadecimal.",
        r#"{{ sha1sum "abc" }}"#,
        "a9993e364706816aba3e25717850c26c9cd0d89d",
    ),
    Function::new("sha256sum", HASH, |_, args| Ok(hex(&Sha256::digest(bytes(args, 0))))).doc(
        "SHA-256 in hexadecimal.",
        r#"{{ sha256sum "abc" | trunc 16 }}"#,
        "ba7816bf8f01cfea",
    ),
    Function::new("sha512sum", HASH, |_, args| Ok(hex(&Sha512::digest(bytes(args, 0))))).doc(
        "SHA-512 in hexadecimal.",
        r#"{{ sha512sum "abc" | trunc 16 }}"#,
        "ddaf35a193617aba",
    ),
];

fn hex(digest: &[u8]) -> Value {
    Value::from(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    b << 16 | a
}
