//! Powers to the last digit as Go computes them.

/// Go's `math.Pow`: its own algorithm, whose last digit is not always the platform's.
#[expect(clippy::cast_possible_truncation, reason = "the exponent was checked to be in range")]
pub(crate) fn go_pow(base: f64, exponent: f64) -> f64 {
    let size = exponent.abs();
    if exponent == 0.0 || base == 1.0 {
        return 1.0;
    }
    if base.is_nan() || exponent.is_nan() || base == 0.0 || base.is_infinite() || !size.is_finite() {
        return base.powf(exponent);
    }
    if exponent == 1.0 {
        return base;
    }
    if size == 0.5 {
        return if exponent > 0.0 { base.sqrt() } else { 1.0 / base.sqrt() };
    }
    let (mut whole, mut fraction) = (size.trunc(), size.fract());
    if fraction != 0.0 && base < 0.0 {
        return f64::NAN;
    }
    if whole >= 9.223_372_036_854_776e18 {
        return match (base == -1.0, (base.abs() < 1.0) == (exponent > 0.0)) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            (false, false) => f64::INFINITY,
        };
    }
    let mut result = 1.0;
    let mut result_exponent: i64 = 0;
    if fraction != 0.0 {
        if fraction > 0.5 {
            fraction -= 1.0;
            whole += 1.0;
        }
        result = exp(fraction * ln(base));
    }
    let (mut factor, mut factor_exponent) = frexp(base);
    let mut bits = whole as i64;
    while bits != 0 {
        if !(-4096..=4096).contains(&factor_exponent) {
            result_exponent += factor_exponent;
            break;
        }
        if bits & 1 == 1 {
            result *= factor;
            result_exponent += factor_exponent;
        }
        factor *= factor;
        factor_exponent <<= 1;
        if factor < 0.5 {
            factor += factor;
            factor_exponent -= 1;
        }
        bits >>= 1;
    }
    if exponent < 0.0 {
        result = 1.0 / result;
        result_exponent = -result_exponent;
    }
    ldexp(result, result_exponent)
}

/// A finite number as a fraction in `[0.5, 1)` and a power of two.
fn frexp(f: f64) -> (f64, i64) {
    const SUBNORMAL: f64 = 18_014_398_509_481_984.0; // 2^54
    let (scaled, shift) = if f.abs() < f64::MIN_POSITIVE { (f * SUBNORMAL, -54) } else { (f, 0) };
    let bits = scaled.to_bits();
    let exponent = ((bits >> 52) & 0x7ff).cast_signed() - 1022 + shift;
    (f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52), exponent)
}

/// `fraction` times a power of two.
fn ldexp(fraction: f64, exponent: i64) -> f64 {
    let mut result = fraction;
    let mut left = exponent.clamp(-3000, 3000);
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        result *= f64::from_bits((1023 + step).cast_unsigned() << 52);
        left -= step;
    }
    result
}

/// Go's natural logarithm of a positive finite number.
#[expect(clippy::cast_precision_loss, reason = "exponents are small")]
fn ln(x: f64) -> f64 {
    const HIGH: f64 = 6.931_471_803_691_238e-1;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    const ODD: [f64; 4] =
        [6.666_666_666_666_735e-1, 2.857_142_874_366_239e-1, 1.818_357_216_161_805e-1, 1.479_819_860_511_658_6e-1];
    const EVEN: [f64; 3] = [3.999_999_999_940_942e-1, 2.222_219_843_214_978_4e-1, 1.531_383_769_920_937_3e-1];
    let (mut fraction, mut exponent) = frexp(x);
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let f = fraction - 1.0;
    let k = exponent as f64;
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2 * (ODD[0] + s4 * (ODD[1] + s4 * (ODD[2] + s4 * ODD[3])));
    let even = s4 * (EVEN[0] + s4 * (EVEN[1] + s4 * EVEN[2]));
    let half = 0.5 * f * f;
    k * HIGH - ((half - (s * (half + (odd + even)) + k * LOW)) - f)
}

/// Go's exponential function, as its assembly for the usual processors computes it: Taylor's series of a sixteenth, squared
/// four times. The argument is small here.
#[expect(
    clippy::cast_possible_truncation,
    clippy::excessive_precision,
    reason = "the argument is small; constants are as published"
)]
fn exp(x: f64) -> f64 {
    const HIGH: f64 = 0.693_147_180_559_662_956_511_601_805_686_950_683_593_75;
    const LOW: f64 = 0.282_352_905_630_315_771_225_884_481_750_134_360_255_254_120_68e-12;
    const SERIES: [f64; 7] = [
        1.984_126_984_126_984_1e-4,
        1.388_888_888_888_888_9e-3,
        8.333_333_333_333_333e-3,
        4.166_666_666_666_666_4e-2,
        1.666_666_666_666_666_6e-1,
        0.5,
        1.0,
    ];
    let exponent = (x * std::f64::consts::LOG2_E).round_ties_even();
    let reduced = (-exponent).mul_add(LOW, (-exponent).mul_add(HIGH, x)) * 0.0625;
    let mut sum: f64 = 2.480_158_730_158_730_2e-5;
    for term in &SERIES {
        sum = sum.mul_add(reduced, *term);
    }
    let mut result = reduced * sum;
    for _ in 0..3 {
        result *= result + 2.0;
    }
    ldexp(result.mul_add(result + 2.0, 1.0), exponent as i64)
}

#[cfg(test)]
mod tests {
    use super::go_pow;

    /// What Go prints on the usual processors.
    #[test]
    fn the_last_digit_is_that_of_go() {
        for (base, exponent, power) in [
            (10.0, 1.5, 31.622_776_601_683_796),
            (0.5, 1.5, 0.353_553_390_593_273_8),
            (2.0, 0.3, 1.231_144_413_344_916_3),
            (3.0, -1.7, 0.154_487_685_590_656_6),
            (1e10, 0.77, 5.011_872_336_272_725_5e7),
            (7.0, 2.25, 79.702_251_523_191_5),
            (1.1, 100.3, 14_180.329_466_026_622),
            (0.001, 3.3, 1.258_925_411_794_169_3e-10),
        ] {
            assert_eq!(go_pow(base, exponent), power, "{base} ** {exponent}");
        }
    }
}
