//! Base64 and base32.

use echion_template::{CallContext, Function, takes};
use echion_value::Value;

use crate::args::{Result, TEXT, bytes, fail, make_text};

pub(crate) static ALL: &[Function] = &[
    Function::new("b64enc", takes(&[TEXT], TEXT), base64_encode).doc("as base64", "{{b64enc \"abc\"}}", "YWJj"),
    Function::new("b64dec", takes(&[TEXT], TEXT), base64_decode).doc("from base64", "{{b64dec \"YWJj\"}}", "abc"),
    Function::new("b32enc", takes(&[TEXT], TEXT), base32_encode).doc("as base32", "{{b32enc \"abc\"}}", "MFRGG==="),
    Function::new("b32dec", takes(&[TEXT], TEXT), base32_decode).doc("from base32", "{{b32dec \"MFRGG===\"}}", "abc"),
];

/// One of the encodings that write so many bits per character, in groups padded with `=`.
struct Encoding {
    name: &'static str,
    alphabet: &'static [u8],
    bits: u32,
    /// Characters in a group.
    group: usize,
}

pub(crate) fn base64_of(input: &[u8]) -> Vec<u8> {
    BASE64.encode(input)
}

const BASE64: Encoding = Encoding {
    name: "base64",
    alphabet: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    bits: 6,
    group: 4,
};
const BASE32: Encoding = Encoding { name: "base32", alphabet: b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", bits: 5, group: 8 };

impl Encoding {
    fn encode(&self, input: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(input.len() * 8 / 5 + 8);
        let (mut buffer, mut filled) = (0_u32, 0);
        let mut push = |value: u32| {
            let at = usize::try_from(value & ((1 << self.bits) - 1)).unwrap_or(0);
            out.extend(self.alphabet.get(at));
        };
        for byte in input {
            buffer = (buffer << 8) | u32::from(*byte);
            filled += 8;
            while filled >= self.bits {
                filled -= self.bits;
                push(buffer >> filled);
            }
        }
        if filled > 0 {
            push(buffer << (self.bits - filled));
        }
        out.resize(out.len().next_multiple_of(self.group), b'=');
        out
    }

    /// The bytes, or the position of the first fault as Go counts it. Line ends are skipped.
    fn decode(&self, input: &[u8]) -> std::result::Result<Vec<u8>, usize> {
        let characters: Vec<(usize, u8)> =
            input.iter().copied().enumerate().filter(|(_, b)| !matches!(b, b'\r' | b'\n')).collect();
        let mut out = Vec::with_capacity(input.len());
        for group in characters.chunks(self.group) {
            let data = group.iter().take_while(|(_, b)| *b != b'=').count();
            let (mut buffer, mut filled) = (0_u64, 0);
            for (at, byte) in group.iter().take(data) {
                let value = self.alphabet.iter().position(|b| b == byte).ok_or(*at)?;
                buffer = (buffer << self.bits) | u64::try_from(value).unwrap_or(0);
                filled += self.bits;
            }
            if data < self.group {
                self.check_padding(group, data, &characters, input.len())?;
            }
            let whole = filled / 8;
            let bytes = (buffer >> (filled % 8)).to_be_bytes();
            out.extend(bytes.iter().skip(8 - usize::try_from(whole).unwrap_or(0)));
        }
        Ok(out)
    }

    /// Checks a group that ends early: it must be the last, be padded to the full length, and have a sensible rest.
    fn check_padding(
        &self,
        group: &[(usize, u8)],
        data: usize,
        all: &[(usize, u8)],
        length: usize,
    ) -> std::result::Result<(), usize> {
        let start = group.first().map_or(0, |(at, _)| *at);
        if group.len() < self.group && data == group.len() {
            // The text just ends.
            return Err(if self.bits == 6 { length.saturating_sub(data) } else { length });
        }
        let first_padding = group.get(data).map_or(length, |(at, _)| *at);
        let sensible: &[usize] = if self.bits == 6 { &[2, 3] } else { &[2, 4, 5, 7] };
        if !sensible.contains(&data) {
            return Err(first_padding);
        }
        if let Some((at, _)) = group.iter().skip(data).find(|(_, b)| *b != b'=') {
            return Err(*at);
        }
        if group.len() < self.group {
            return Err(length);
        }
        let after = all.iter().find(|(at, _)| *at > start && group.iter().all(|(other, _)| other < at));
        after.map_or(Ok(()), |(at, _)| Err(*at))
    }

    /// What other functions need: the bytes, or the byte that is at fault.
    fn bytes_of(&self, input: &[u8]) -> Result<Vec<u8>> {
        self.decode(input).or_else(|at| fail(format!("illegal {} data at input byte {at}", self.name)))
    }

    /// What the template functions give: the fault instead of the text.
    fn decoded(&self, input: &[u8]) -> Value {
        match self.decode(input) {
            Ok(text) => make_text(text),
            Err(at) => Value::from(format!("illegal {} data at input byte {at}", self.name)),
        }
    }
}

/// The bytes that a string in base64 encodes.
pub(crate) fn from_base64(input: &[u8]) -> Result<Vec<u8>> {
    BASE64.bytes_of(input)
}

fn base64_encode(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    call.reserve(bytes(args, 0).len().saturating_mul(2))?;
    Ok(make_text(base64_of(bytes(args, 0))))
}

fn base64_decode(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(BASE64.decoded(bytes(args, 0)))
}

fn base32_encode(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    call.reserve(bytes(args, 0).len().saturating_mul(2))?;
    Ok(make_text(BASE32.encode(bytes(args, 0))))
}

fn base32_decode(_: &mut CallContext<'_>, args: &[Value]) -> Result {
    Ok(BASE32.decoded(bytes(args, 0)))
}
