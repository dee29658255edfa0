//! Numbers at the front of a text.

/// The digits at the front as a number up to 2^63, and what follows them.
pub(super) fn leading_int(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut value, mut rest) = (0_u64, text);
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|&v| v <= 1 << 63)?;
        rest = after;
    }
    Some((value, rest))
}

/// A whole text as a number with an optional sign. Like Go's time package it takes a lone sign for zero.
pub(super) fn leading_signed(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    let (value, rest) = leading_int(digits)?;
    if !rest.is_empty() {
        return None;
    }
    let value = value.cast_signed();
    Some(if negative { value.wrapping_neg() } else { value })
}
