//! Hashed and derived passwords, and texts encrypted under one.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use echion_template::CallContext;
use echion_value::Value;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::random;
use crate::args::{Result, bytes, fail, make_text};
use crate::encoding::{base64_of, from_base64};

/// What a call counts for, a tenth of a second: a rendering may make some dozens.
const WORK: usize = 8 << 20;
const BLOCK: usize = 16;
/// More is refused by bcrypt, whose state has no room for it.
const LONGEST: usize = 72;

pub(super) fn bcrypt(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    hashed(call, bytes(args, 0)).map(make_text)
}

pub(super) fn htpasswd(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let (user, password) = (bytes(args, 0), bytes(args, 1));
    if user.contains(&b':') {
        return Ok(make_text([b"invalid username: ", user].concat()));
    }
    Ok(make_text([user, b":", &hashed(call, password)?].concat()))
}

/// The hash, or the text that says why there is none.
fn hashed(call: &mut CallContext<'_>, password: &[u8]) -> Result<Vec<u8>> {
    const COST: u32 = 10;
    if password.len() > LONGEST {
        return Ok(b"failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_vec());
    }
    call.work(WORK)?;
    let salt = random(call)?;
    match bcrypt::hash_with_salt(password, COST, salt) {
        Ok(parts) => Ok(parts.format_for_version(bcrypt::Version::TwoA).into_bytes()),
        Err(error) => Ok(format!("failed to encrypt string with bcrypt: {error}").into_bytes()),
    }
}

/// The patterns of the Master Password algorithm. Each letter denotes a class of characters.
fn patterns(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

fn class(letter: u8) -> &'static [u8] {
    match letter {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

pub(super) fn derive(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    const SEED: &[u8] = b"com.lyndir.masterpassword";
    let counter = match args.first() {
        Some(Value::Uint64(counter)) => u32::try_from(*counter).ok(),
        _ => None,
    };
    let Some(counter) = counter else { return fail("the counter is larger than 4294967295") };
    let (kind, password, user, site) = (bytes(args, 1), bytes(args, 2), bytes(args, 3), bytes(args, 4));
    let Some(patterns) = patterns(kind) else {
        return Ok(make_text([b"cannot find password template ", kind].concat()));
    };
    call.work(WORK)?;
    let length = |text: &[u8]| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [SEED, &length(user), user].concat();
    let (Ok(params), mut key) = (scrypt::Params::new(15, 8, 2), [0; 64]) else { return fail("no such parameters") };
    let derived = scrypt::scrypt(password, &salt, &params, &mut key);
    let (Ok(()), Ok(mut mac)) = (derived, <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&key)) else {
        return fail("the password cannot be derived");
    };
    mac.update(&[SEED, &length(site), site, &counter.to_be_bytes()].concat());
    let seed = mac.finalize().into_bytes();
    let (first, seed) = seed.split_first().unwrap_or((&0, &[]));
    let pick = |from: usize, byte: u8| usize::from(byte) % from.max(1);
    let pattern = patterns.get(pick(patterns.len(), *first)).copied().unwrap_or_default();
    let letters = pattern.bytes().zip(seed).map(|(letter, byte)| {
        let class = class(letter);
        class.get(pick(class.len(), *byte)).copied().unwrap_or_default()
    });
    Ok(make_text(letters.collect::<Vec<u8>>()))
}

/// The password itself is the key, cut or filled with zeros.
fn cipher(password: &[u8]) -> Aes256 {
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(password) {
        *to = *from;
    }
    Aes256::new(&key.into())
}

pub(super) fn encrypt(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let (password, text) = (bytes(args, 0), bytes(args, 1));
    if text.is_empty() {
        return Ok(make_text(""));
    }
    call.reserve(text.len().saturating_mul(2))?;
    let cipher = cipher(password);
    let mut before: [u8; BLOCK] = random(call)?;
    let mut out = before.to_vec();
    let padding = BLOCK - text.len() % BLOCK;
    let padded = [text, &vec![u8::try_from(padding).unwrap_or_default(); padding]].concat();
    for chunk in padded.chunks(BLOCK) {
        for (to, from) in before.iter_mut().zip(chunk) {
            *to ^= *from;
        }
        let mut block: Block<Aes256> = before.into();
        cipher.encrypt_block(&mut block);
        before = block.into();
        out.extend_from_slice(&before);
    }
    Ok(make_text(base64_of(&out)))
}

pub(super) fn decrypt(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let (password, text) = (bytes(args, 0), bytes(args, 1));
    if text.is_empty() {
        return Ok(make_text(""));
    }
    call.reserve(text.len())?;
    let encrypted = from_base64(text)?;
    let Some((before, rest)) = encrypted.split_at_checked(BLOCK) else {
        return fail(format!("runtime error: slice bounds out of range [:{BLOCK}] with capacity {}", encrypted.len()));
    };
    if rest.len() % BLOCK != 0 {
        return fail("crypto/cipher: input not full blocks");
    }
    let (cipher, mut before, mut out) = (cipher(password), before, Vec::with_capacity(rest.len()));
    for chunk in rest.chunks(BLOCK) {
        let Ok(bytes) = <[u8; BLOCK]>::try_from(chunk) else { continue };
        let mut block: Block<Aes256> = bytes.into();
        cipher.decrypt_block(&mut block);
        out.extend(block.iter().zip(before).map(|(a, b)| a ^ b));
        before = chunk;
    }
    let Some(padding) = out.last().map(|byte| usize::from(*byte)) else {
        return fail("runtime error: index out of range [-1]");
    };
    match out.len().checked_sub(padding) {
        Some(length) => out.truncate(length),
        None => return fail(format!("runtime error: slice bounds out of range [:-{}]", padding - out.len())),
    }
    Ok(make_text(out))
}
