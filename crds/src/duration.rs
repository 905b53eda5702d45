//! Durations as config maps and annotations spell them: `90s`, `1h30m`, `1.5s`, `0`.

use std::fmt::Write as _;

const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// A signed duration in whole nanoseconds, as users write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub i64);

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration {0:?}")]
pub struct DurationError(String);

impl Nanos {
    /// That many seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Whether no part of a second is left over.
    pub const fn is_whole_seconds(self) -> bool {
        self.0 % 1_000_000_000 == 0
    }

    /// The same as a std duration; nothing for negative ones.
    pub fn to_std(self) -> Option<std::time::Duration> {
        u64::try_from(self.0)
            .ok()
            .map(std::time::Duration::from_nanos)
    }
}

impl std::str::FromStr for Nanos {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let error = || DurationError(text.to_owned());
        let (sign, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (-1.0, &text[1..]),
            Some(b'+') => (1.0, &text[1..]),
            _ => (1.0, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(error());
        }
        let mut nanos = 0.0;
        while !rest.is_empty() {
            let (part, tail) = leading_part(rest).ok_or_else(error)?;
            nanos += part;
            rest = tail;
        }
        if nanos > i64::MAX as f64 {
            return Err(error());
        }
        Ok(Self((sign * nanos).round() as i64))
    }
}

/// Number and unit at the start of `text`, in nanoseconds, and what follows.
fn leading_part(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, rest) = text.split_at(end);
    let number: f64 = digits.parse().ok()?;
    let end = rest
        .find(|c: char| c.is_ascii_digit() || c == '.')
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some((number * scale, rest))
}

impl std::fmt::Display for Nanos {
    /// As Go prints it: `1h0m0s`, `1.5s`, `20ms`, `0s`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total = self.0.unsigned_abs();
        let mut text = String::new();
        if self.0 < 0 {
            text.push('-');
        }
        match total {
            0 => text.push_str("0s"),
            1..1_000 => write!(text, "{total}ns")?,
            1_000..1_000_000 => fraction(&mut text, total, 1_000, "µs")?,
            1_000_000..1_000_000_000 => fraction(&mut text, total, 1_000_000, "ms")?,
            _ => clock(&mut text, total)?,
        }
        f.write_str(&text)
    }
}

fn clock(text: &mut String, nanos: u64) -> std::fmt::Result {
    let minutes = nanos / 60_000_000_000;
    if minutes >= 60 {
        write!(text, "{}h", minutes / 60)?;
    }
    if minutes > 0 {
        write!(text, "{}m", minutes % 60)?;
    }
    fraction(text, nanos % 60_000_000_000, 1_000_000_000, "s")
}

fn fraction(text: &mut String, nanos: u64, unit: u64, name: &str) -> std::fmt::Result {
    let rest = nanos % unit;
    write!(text, "{}", nanos / unit)?;
    if rest > 0 {
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        write!(text, ".{}", digits.trim_end_matches('0'))?;
    }
    text.push_str(name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Nanos;

    #[test]
    fn durations_are_read_and_printed() {
        for (text, nanos, printed) in [
            ("60s", 60_000_000_000, "1m0s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("20ms", 20_000_000, "20ms"),
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("-2s", -2_000_000_000, "-2s"),
            ("+1us", 1_000, "1µs"),
            ("7ns", 7, "7ns"),
            ("1h", 3_600_000_000_000, "1h0m0s"),
        ] {
            let read: Nanos = text.parse().unwrap();
            assert_eq!(
                (read.0, read.to_string().as_str()),
                (nanos, printed),
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "-",
            "5",
            "s",
            "1d",
            "1.2.3s",
            "1s ",
            "99999999999h",
            "é1s",
            "1é",
        ] {
            assert!(text.parse::<Nanos>().is_err(), "{text}");
        }
    }
}
