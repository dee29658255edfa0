//! Base64 with Go's errors.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// The bytes, or where the input is wrong. Line ends are skipped, and padding is required.
pub(crate) fn decode(input: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(input.len() / 4 * 3);
    let mut at = 0;
    loop {
        let mut digits = [0_u32; 4];
        let mut count = 0;
        while count < 4 {
            let Some(c) = input.get(at) else {
                return if count == 0 { Ok(out) } else { Err(at - count) };
            };
            at += 1;
            match ALPHABET.iter().position(|a| a == c) {
                Some(digit) => {
                    digits[count] = u32::try_from(digit).unwrap_or_default();
                    count += 1;
                }
                None if matches!(c, b'\r' | b'\n') => {}
                None if *c == b'=' => {
                    if count < 2 {
                        return Err(at - 1);
                    }
                    let skip = |at: usize| input[at..].iter().position(|c| !matches!(c, b'\r' | b'\n')).map(|n| at + n);
                    if count == 2 {
                        match skip(at) {
                            Some(next) if input[next] == b'=' => at = next + 1,
                            Some(next) => return Err(next),
                            None => return Err(input.len()),
                        }
                    }
                    if let Some(trailing) = skip(at) {
                        return Err(trailing);
                    }
                    let bits = digits[0] << 18 | digits[1] << 12 | digits[2] << 6;
                    out.extend_from_slice(&bits.to_be_bytes()[1..count]);
                    return Ok(out);
                }
                None => return Err(at - 1),
            }
        }
        let bits = digits[0] << 18 | digits[1] << 12 | digits[2] << 6 | digits[3];
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
}
