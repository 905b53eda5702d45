//! Quantities of Kubernetes as numbers: `250m`, `1.5Gi`, `2e3`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// The text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid quantity {0:?}")]
pub struct QuantityError(String);

/// `text` as a quantity, spelled as it was.
pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
    value(text)
        .map(|_| Quantity(text.to_owned()))
        .ok_or_else(|| QuantityError(text.to_owned()))
}

/// What `text` amounts to: cores, bytes; nothing if it is not a quantity.
pub fn value(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+' | '-'))
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if !unsigned.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: f64 = digits.parse().ok()?;
    Some(number * scale(suffix)?)
}

fn scale(suffix: &str) -> Option<f64> {
    if suffix.is_empty() {
        return Some(1.0);
    }
    if let Some((_, scale)) = SUFFIXES.iter().find(|(name, _)| *name == suffix) {
        return Some(*scale);
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    (exponent.abs() <= 30).then(|| 10f64.powi(exponent))
}

#[cfg(test)]
mod tests {
    use super::value;

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
        ] {
            assert_eq!(value(text), Some(number), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_quantities() {
        for text in [
            "", "m", "1x", "1 Gi", "--1", "1.2.3", "1Gii", "inf", "NaN", ".",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
