//! Decimal arithmetic of any length, for the functions that promise that 0.1 + 0.2 is 0.3.

use std::cmp::Ordering;

use echion_value::CallError;

/// Digits that a quotient has behind the point.
const QUOTIENT_SCALE: i64 = 16;
/// Longer numbers are refused: they are no prices.
const LONGEST: usize = 5_000;

/// `digits * 10^exponent`, the most significant digit first and without zeros in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    pub(crate) fn from_float(value: f64) -> Result<Self, CallError> {
        if !value.is_finite() {
            let shown = echion_value::strconv::format_g_v(value);
            return Err(CallError(format!("Cannot create a Decimal from {shown}")));
        }
        let text = format!("{:e}", value.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits = mantissa.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
        let exponent = exponent.parse::<i64>().unwrap_or(0) - i64::try_from(fraction).unwrap_or(0);
        Ok(Self { negative: value.is_sign_negative(), digits, exponent }.normal())
    }

    pub(crate) fn to_float(&self) -> f64 {
        let digits: String = self.digits.iter().map(|d| char::from(b'0' + d)).collect();
        let text = format!("{digits}e{}", self.exponent);
        let value = if digits.is_empty() { 0.0 } else { text.parse::<f64>().unwrap_or(0.0) };
        if self.negative && value != 0.0 { -value } else { value }
    }

    fn normal(mut self) -> Self {
        let zeros = self.digits.iter().take_while(|d| **d == 0).count();
        self.digits.drain(..zeros);
        if self.digits.is_empty() {
            self.negative = false;
            self.exponent = 0;
        }
        self
    }

    fn checked(self) -> Result<Self, CallError> {
        if self.digits.len() > LONGEST { Err(CallError::new("the number is too long")) } else { Ok(self.normal()) }
    }

    /// The digits with the smaller of two exponents.
    fn aligned(&self, exponent: i64) -> Vec<u8> {
        let mut digits = self.digits.clone();
        let zeros = usize::try_from(self.exponent - exponent).unwrap_or(0);
        digits.resize(digits.len() + zeros, 0);
        digits
    }

    pub(crate) fn add(&self, other: &Self) -> Result<Self, CallError> {
        let exponent = self.exponent.min(other.exponent);
        let (a, b) = (self.aligned(exponent), other.aligned(exponent));
        let (negative, digits) = if self.negative == other.negative {
            (self.negative, add(&a, &b))
        } else if compare(&a, &b) == Ordering::Less {
            (other.negative, subtract(&b, &a))
        } else {
            (self.negative, subtract(&a, &b))
        };
        Self { negative, digits, exponent }.checked()
    }

    pub(crate) fn subtract(&self, other: &Self) -> Result<Self, CallError> {
        self.add(&Self { negative: !other.negative, ..other.clone() })
    }

    pub(crate) fn multiply(&self, other: &Self) -> Result<Self, CallError> {
        let mut columns = vec![0_u32; self.digits.len() + other.digits.len()];
        for (i, a) in self.digits.iter().rev().enumerate() {
            let mut carry = 0;
            for (j, b) in other.digits.iter().rev().enumerate() {
                if let Some(column) = columns.get_mut(i + j) {
                    let sum = *column + u32::from(*a) * u32::from(*b) + carry;
                    (*column, carry) = (sum % 10, sum / 10);
                }
            }
            if let Some(column) = columns.get_mut(i + other.digits.len()) {
                *column += carry;
            }
        }
        let digits = columns.iter().rev().map(|d| u8::try_from(*d).unwrap_or(0)).collect();
        let negative = self.negative != other.negative;
        Self { negative, digits, exponent: self.exponent + other.exponent }.checked()
    }

    /// Rounded to sixteen digits behind the point, halves away from zero.
    pub(crate) fn divide(&self, other: &Self) -> Result<Self, CallError> {
        if other.digits.is_empty() {
            return Err(CallError::new("decimal division by 0"));
        }
        // The dividend is scaled so that the whole quotient has the digits that are wanted.
        let shift = self.exponent - other.exponent + QUOTIENT_SCALE;
        let zeros = |n: i64| usize::try_from(n).unwrap_or(0).min(LONGEST);
        let (mut dividend, mut divisor) = (self.digits.clone(), other.digits.clone());
        dividend.resize(dividend.len() + zeros(shift), 0);
        divisor.resize(divisor.len() + zeros(-shift), 0);
        let mut quotient = Vec::with_capacity(dividend.len());
        let mut remainder: Vec<u8> = Vec::new();
        for digit in dividend {
            if !(remainder.is_empty() && digit == 0) {
                remainder.push(digit);
            }
            let mut times = 0;
            while compare(&remainder, &divisor) != Ordering::Less {
                remainder = subtract(&remainder, &divisor);
                times += 1;
            }
            quotient.push(times);
        }
        if compare(&add(&remainder, &remainder), &divisor) != Ordering::Less {
            quotient = add(&quotient, &[1]);
        }
        let negative = self.negative != other.negative;
        Self { negative, digits: quotient, exponent: -QUOTIENT_SCALE }.checked()
    }
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|d| **d == 0).count();
    digits.get(zeros..).unwrap_or_default()
}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (without_zeros(a), without_zeros(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut digits = Vec::with_capacity(a.len().max(b.len()) + 1);
    let mut carry = 0;
    let (mut a, mut b) = (a.iter().rev(), b.iter().rev());
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() && carry == 0 {
            break;
        }
        let sum = x.copied().unwrap_or(0) + y.copied().unwrap_or(0) + carry;
        digits.push(sum % 10);
        carry = sum / 10;
    }
    digits.reverse();
    digits
}

/// `a - b`, which must not be negative.
fn subtract(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut digits = Vec::with_capacity(a.len());
    let mut borrow = 0;
    let mut b = b.iter().rev();
    for x in a.iter().rev() {
        let y = b.next().copied().unwrap_or(0) + borrow;
        borrow = u8::from(*x < y);
        digits.push(x + 10 * borrow - y);
    }
    digits.reverse();
    let zeros = digits.iter().take_while(|d| **d == 0).count();
    digits.drain(..zeros);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(value: f64) -> Decimal {
        Decimal::from_float(value).unwrap()
    }

    #[test]
    fn sums_are_decimal() {
        assert_eq!(decimal(0.1).add(&decimal(0.2)).unwrap().to_float(), 0.3);
        assert_eq!(decimal(0.1).subtract(&decimal(0.3)).unwrap().to_float(), -0.2);
        assert_eq!(decimal(1e300).add(&decimal(1.0)).unwrap().to_float(), 1e300);
        assert_eq!(decimal(5.0).subtract(&decimal(5.0)).unwrap().to_float(), 0.0);
    }

    #[test]
    fn products_and_quotients_round_once() {
        assert_eq!(decimal(1.1).multiply(&decimal(1.1)).unwrap().to_float(), 1.21);
        assert_eq!(decimal(-99.0).multiply(&decimal(99.0)).unwrap().to_float(), -9801.0);
        assert_eq!(decimal(2.0).divide(&decimal(3.0)).unwrap().to_float(), 0.6666666666666667);
        assert_eq!(decimal(1.0).divide(&decimal(1e300)).unwrap().to_float(), 0.0);
        assert!(decimal(1.0).divide(&decimal(0.0)).is_err());
    }
}
