//! Durations as config maps and annotations spell them: `90s`, `1h30m`, `1.5s`, `0`.

use std::fmt::Write as _;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
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

impl From<std::time::Duration> for Nanos {
    /// Saturates after 292 years.
    fn from(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl std::str::FromStr for Nanos {
    type Err = DurationError;

    /// What is smaller than a nanosecond is cut off.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        signed(text)
            .map(Self)
            .ok_or_else(|| DurationError(text.to_owned()))
    }
}

fn signed(text: &str) -> Option<i64> {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: u64 = 0;
    while !rest.is_empty() {
        let (part, tail) = leading_part(rest)?;
        nanos = nanos.checked_add(part)?;
        rest = tail;
    }
    if text.starts_with('-') {
        return 0_i64.checked_sub_unsigned(nanos);
    }
    i64::try_from(nanos).ok()
}

/// Number and unit at the start of `text`, in nanoseconds, and what follows.
fn leading_part(text: &str) -> Option<(u64, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest.find(|c: char| c.is_ascii_digit() || c == '.');
    let (unit, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let whole: u64 = format!("0{whole}").parse().ok()?;
    // No unit is so long that later digits could add a nanosecond.
    let fraction: f64 = format!("0.{}0", fraction.get(..18).unwrap_or(fraction))
        .parse()
        .ok()?;
    let part = whole.checked_mul(*nanos)?;
    Some((part.checked_add((fraction * *nanos as f64) as u64)?, rest))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
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
