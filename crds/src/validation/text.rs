//! How values are spelled in messages.

/// `text` in quotes, with escapes for what can't be read on a terminal.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&escaped(u32::from(c))),
        }
    }
    out.push('"');
    out
}

fn escaped(code: u32) -> String {
    match code {
        0..0x80 => format!("\\x{code:02x}"),
        0x80..0x1_0000 => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

/// Whether `c` shows. A mark shows on the letter before it, which is why there is one.
fn is_printable(c: char) -> bool {
    let plain = c.is_ascii_graphic() || c == ' ';
    plain || !c.is_ascii() && format!("a{c}").escape_debug().eq(['a', c])
}

/// A number in the shortest form, with an exponent if it is very large or very small.
pub(super) fn float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let exponent = scientific.split_once('e').and_then(|(digits, exponent)| {
        let exponent: i32 = exponent.parse().ok()?;
        Some((digits, exponent))
    });
    match exponent {
        Some((digits, exponent)) if number != 0.0 && !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{float, quoted};

    #[test]
    fn quotes_hold_text_that_can_be_read() {
        for (text, expect) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("é日😀", r#""é日😀""#),
            ("a\"\\\n\t\r", r#""a\"\\\n\t\r""#),
            ("'`", r#""'`""#),
            ("\0\u{7}\u{8}\u{b}\u{c}\u{7f}", r#""\x00\a\b\v\f\x7f""#),
            ("\u{a0}\u{200b}\u{feff}", r#""\u00a0\u200b\ufeff""#),
            ("\u{e0001}", r#""\U000e0001""#),
            ("\u{301}a\u{301}", "\"\u{301}a\u{301}\""),
        ] {
            assert_eq!(quoted(text), expect);
        }
    }

    #[test]
    fn numbers_are_short() {
        for (number, expect) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (100.5, "100.5"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (100_000.0, "100000"),
            (1_234_567.0, "1.234567e+06"),
            (1.5e21, "1.5e+21"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(float(number), expect);
        }
    }
}
