//! Quantities of Kubernetes: `250m`, `1.5Gi`, `2e3`. The grammar and the canonical form are those
//! of the API server, so that what is stored here reads like what is stored there.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
/// Amounts are counted in billionths; what is smaller counts as one.
const PLACES: i32 = 9;
/// A number of more digits is always put in canonical form.
const KEPT_DIGITS: usize = 18;
/// A number of more digits stays as it is written.
const MOST_DIGITS: usize = 28;
/// The most that a binary unit can say, in billionths.
const MOST: i128 = i64::MAX as i128 * 1_000_000_000;

/// The text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid quantity {0:?}")]
pub struct QuantityError(String);

/// `text` as a quantity, spelled as it was.
pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
    match Parts::read(text) {
        Some(_) => Ok(Quantity(text.to_owned())),
        None => Err(QuantityError(text.to_owned())),
    }
}

/// What `text` amounts to: cores, bytes; nothing if it is not a quantity.
pub fn value(text: &str) -> Option<f64> {
    let parts = Parts::read(text)?;
    let sign = if parts.negative { -1.0 } else { 1.0 };
    let number: f64 = format!("0{}.{}0", parts.whole, parts.fraction)
        .parse()
        .ok()?;
    let scale = match parts.unit {
        Unit::Binary(power) => 1024_f64.powi(power),
        Unit::Decimal(exponent) | Unit::Exponent(exponent) => 10_f64.powi(exponent),
    };
    Some(sign * number * scale)
}

/// `text` as the API server writes it: `0.5` is `500m`, `1024Mi` is `1Gi`; nothing if it is not a
/// quantity. What it takes for canonical already stays as it is.
pub fn canonical(text: &str) -> Option<String> {
    let text = text.trim_matches(' ');
    let parts = Parts::read(text)?;
    let amount = (!parts.stays()).then(|| parts.billionths()).flatten();
    Some(amount.map_or_else(|| text.to_owned(), |amount| written(&parts, amount)))
}

/// Whether both texts are the same amount, however they are spelled.
pub fn same(one: &str, other: &str) -> bool {
    let amount = |text| {
        let parts = Parts::read(text)?;
        let amount = parts.billionths()?;
        Some(if parts.negative { -amount } else { amount })
    };
    one == other || amount(one).is_some_and(|one| Some(one) == amount(other))
}

/// What a quantity is counted in: a power of 1024, or of 10 by letter or by exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Binary(i32),
    Decimal(i32),
    Exponent(i32),
}

/// A quantity taken apart: sign, digits without leading zeros, digits behind the dot, unit.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    unit: Unit,
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let negative = text.starts_with('-');
        let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, rest) = digits(rest.trim_start_matches('0'));
        let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
        let unit = unit(rest)?;
        Some(Self {
            negative,
            whole,
            fraction,
            unit,
        })
    }

    /// Whether the API server keeps the text: it does where the digits look canonical.
    fn stays(&self) -> bool {
        let length = self.whole.len().max(1) + self.fraction.len();
        match self.unit {
            Unit::Binary(power) => {
                let kept = 14 - power * 3;
                let odd = self.whole.parse::<i64>().is_ok_and(|value| value & 7 != 0);
                self.fraction.is_empty() && odd && i32::try_from(length).is_ok_and(|l| l <= kept)
            }
            Unit::Decimal(exponent) | Unit::Exponent(exponent) => {
                let places = i32::try_from(self.fraction.len()).unwrap_or(i32::MAX);
                let exponent = exponent.saturating_sub(places);
                let full = !self.whole.is_empty() && !self.ends_in_thousands();
                full && length <= KEPT_DIGITS && exponent >= -PLACES && exponent % 3 == 0
            }
        }
    }

    fn ends_in_thousands(&self) -> bool {
        let mut last = self.whole.bytes().chain(self.fraction.bytes()).rev();
        (0..3).all(|_| last.next() == Some(b'0'))
    }

    /// The amount without its sign, rounded up; nothing if it has too many digits.
    fn billionths(&self) -> Option<i128> {
        let fraction = self.fraction.trim_end_matches('0');
        if self.whole.len() + fraction.len() > MOST_DIGITS {
            return None;
        }
        let number: i128 = format!("0{}{fraction}", self.whole).parse().ok()?;
        let places = PLACES - i32::try_from(fraction.len()).ok()?;
        match self.unit {
            Unit::Decimal(exponent) | Unit::Exponent(exponent) => {
                shifted(number, exponent.saturating_add(places))
            }
            Unit::Binary(power) => {
                let whole = number.checked_mul(1024_i128.pow(power.unsigned_abs()));
                let amount = whole.and_then(|number| shifted(number, places));
                Some(amount.unwrap_or(MOST).min(MOST))
            }
        }
    }
}

/// `number` times ten to the power of `places`, rounded up.
fn shifted(number: i128, places: i32) -> Option<i128> {
    if number == 0 {
        return Some(0);
    }
    let factor = 10_i128.checked_pow(places.unsigned_abs());
    if places >= 0 {
        return number.checked_mul(factor?);
    }
    // What is less than one billionth is one.
    Some(factor.map_or(1, |factor| (number - 1) / factor + 1))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

fn unit(suffix: &str) -> Option<Unit> {
    let power = BINARY.iter().zip(1..).find(|(name, _)| **name == suffix);
    let letter = DECIMAL.iter().find(|(name, _)| *name == suffix);
    if let Some((_, power)) = power {
        return Some(Unit::Binary(power));
    }
    if let Some((_, exponent)) = letter {
        return Some(Unit::Decimal(*exponent));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    exponent.parse().ok().map(Unit::Exponent)
}

/// The largest unit that leaves no fraction.
fn written(parts: &Parts<'_>, amount: i128) -> String {
    if amount == 0 {
        return "0".to_owned();
    }
    let sign = if parts.negative { "-" } else { "" };
    let one = 10_i128.pow(PLACES.unsigned_abs());
    let binary = matches!(parts.unit, Unit::Binary(_)) && amount >= 1024 * one;
    let (number, unit) = if binary && amount % one == 0 {
        let (number, power) = reduced(amount / one, 1024, BINARY.len());
        let unit = power.checked_sub(1).map_or("", |index| BINARY[index]);
        (number, unit.to_owned())
    } else {
        let most = match parts.unit {
            Unit::Exponent(_) => MOST_DIGITS,
            Unit::Binary(_) | Unit::Decimal(_) => DECIMAL.len() - 1,
        };
        let (number, steps) = reduced(amount, 1000, most);
        (number, decimal(parts.unit, steps))
    };
    format!("{sign}{number}{unit}")
}

/// `number` divided by `base` as often as it goes, at most `most` times; and how often.
fn reduced(mut number: i128, base: i128, most: usize) -> (i128, usize) {
    let mut times = 0;
    while times < most && number % base == 0 {
        number /= base;
        times += 1;
    }
    (number, times)
}

fn decimal(unit: Unit, steps: usize) -> String {
    let billionths = DECIMAL[0].1;
    match (unit, i32::try_from(steps)) {
        (Unit::Exponent(_), Ok(steps)) if 3 * steps + billionths != 0 => {
            format!("e{}", 3 * steps + billionths)
        }
        (Unit::Exponent(_), _) => String::new(),
        (Unit::Binary(_) | Unit::Decimal(_), _) => DECIMAL[steps].0.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{canonical, same, value};

    #[test]
    fn quantities_are_numbers() {
        for (text, number) in [
            ("250m", 0.25),
            ("1.5Gi", 1_610_612_736.0),
            ("2e3", 2000.0),
            ("1E", 1e18),
            ("1E2", 100.0),
            ("-1", -1.0),
            ("+.5", 0.5),
            ("400M", 4e8),
            ("m", 0.0),
        ] {
            assert_eq!(value(text), Some(number), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_quantities() {
        for text in [
            "", "1x", "1 Gi", "--1", "1.2.3", "1Gii", "inf", "NaN", "1e", "1K", "é",
        ] {
            assert_eq!(value(text), None, "{text}");
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    #[test]
    fn a_quantity_is_written_in_the_largest_unit_that_leaves_no_fraction() {
        for (text, expect) in [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("-1.5Gi", "-1536Mi"),
            ("1024Mi", "1Gi"),
            ("2048Ki", "2Mi"),
            ("0.1Ki", "102400m"),
            ("1.5Ki", "1536"),
            ("1500000", "1500k"),
            ("5e-1", "500e-3"),
            ("1e20", "100e18"),
            ("3e-10", "1e-9"),
            ("1.0000000001", "1000000001n"),
            ("10Ei", "9223372036854775807"),
            ("0m", "0"),
            ("-0", "0"),
            (" 1Mi ", "1Mi"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expect), "{text}");
        }
    }

    #[test]
    fn a_quantity_that_looks_canonical_stays_as_it_is() {
        let long = "9".repeat(100);
        for text in [
            "100m",
            "1Gi",
            "1000Ki",
            "1e3",
            "+1",
            "1073741824",
            "1P",
            "5.",
            &long,
        ] {
            assert_eq!(canonical(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn amounts_are_the_same_in_any_spelling() {
        assert!(same("1Gi", "1073741824") && same("0.1", "100m") && same("x", "x"));
        assert!(!same("1Gi", "1G") && !same("x", "1"));
    }
}
