//! Names and the words of Kubernetes about bad ones.

const LABEL: usize = 63;
const SUBDOMAIN: usize = 253;

const NOT_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const NOT_1123: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const NOT_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const NOT_A_KEY: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const NOT_AN_IDENTIFIER: &str = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";

/// What is wrong with `name` as a DNS-1035 label; empty if nothing is.
pub(super) fn dns1035(name: &str) -> Vec<String> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    found(name, LABEL, starts && is_label(name), NOT_1035)
}

/// What is wrong with `prefix` as the start of a DNS-1035 label; empty if nothing is.
pub(super) fn dns1035_prefix(prefix: &str) -> Vec<String> {
    let masked = match prefix
        .strip_suffix('-')
        .map(|rest| (rest, rest.char_indices().last()))
    {
        Some((rest, Some((at, c)))) if c.is_ascii() => format!("{}a", &rest[..at]),
        _ => prefix.to_owned(),
    };
    dns1035(&masked)
}

/// What is wrong with `name` as a DNS-1123 label; empty if nothing is.
pub(super) fn dns1123(name: &str) -> Vec<String> {
    let words = if is_subdomain(name) {
        "must not contain dots"
    } else {
        NOT_1123
    };
    found(name, LABEL, is_label(name), words)
}

/// What is wrong with `name` as a DNS-1123 subdomain; empty if nothing is.
pub(crate) fn subdomain(name: &str) -> Vec<String> {
    found(name, SUBDOMAIN, is_subdomain(name), NOT_SUBDOMAIN)
}

/// What is wrong with `name` as the key of a label or an annotation; empty if nothing is.
pub(super) fn qualified(name: &str) -> Vec<String> {
    let mut parts = name.split('/');
    let (prefix, name) = match (parts.next(), parts.next(), parts.next()) {
        (Some(prefix), Some(name), None) => (Some(prefix), name),
        (Some(name), None, _) => (None, name),
        _ => {
            return vec![format!(
                "a valid label key {NOT_A_KEY} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    let mut messages = match prefix {
        Some("") => vec!["prefix part must be non-empty".to_owned()],
        Some(prefix) => {
            let faults = subdomain(prefix);
            faults
                .iter()
                .map(|fault| format!("prefix part {fault}"))
                .collect()
        }
        None => Vec::new(),
    };
    if name.is_empty() {
        messages.push("name part must be non-empty".to_owned());
    }
    if name.len() > LABEL {
        messages.push(format!("name part must be no more than {LABEL} bytes"));
    }
    let faults = found(name, usize::MAX, is_key(name), NOT_A_KEY);
    messages.extend(faults.iter().map(|fault| format!("name part {fault}")));
    messages
}

/// Whether `name` can be the key of a label or an annotation.
pub(crate) fn is_qualified(name: &str) -> bool {
    qualified(name).is_empty()
}

/// Whether `value` can be the value of a label.
pub(crate) fn is_label_value(value: &str) -> bool {
    value.is_empty() || value.len() <= LABEL && is_key(value)
}

/// What is wrong with `name` as an identifier of C; empty if nothing is.
pub(super) fn identifier(name: &str) -> Vec<String> {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let shaped = name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    found(name, usize::MAX, shaped, NOT_AN_IDENTIFIER)
}

/// A list of messages: `[a b]`.
pub(crate) fn listed(messages: &[String]) -> String {
    format!("[{}]", messages.join(" "))
}

fn found(name: &str, longest: usize, shaped: bool, words: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if name.len() > longest {
        messages.push(format!("must be no more than {longest} characters"));
    }
    if !shaped {
        messages.push(words.to_owned());
    }
    messages
}

fn is_label(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.bytes().all(|b| plain(b) || b == b'-')
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
}

fn is_subdomain(name: &str) -> bool {
    name.split('.').all(is_label)
}

fn is_key(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    name.bytes().all(inner)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::{dns1035, dns1035_prefix, dns1123, identifier, is_qualified, qualified, subdomain};

    #[test]
    fn names_follow_their_grammar() {
        for (name, label1035, label1123, domain, qualified, c) in [
            ("a", true, true, true, true, true),
            ("a-1", true, true, true, true, false),
            ("1a", false, true, true, true, false),
            ("a.b", false, false, true, true, false),
            ("A", false, false, false, true, true),
            ("a_b", false, false, false, true, true),
            ("_", false, false, false, false, true),
            ("-a", false, false, false, false, false),
            ("a-", false, false, false, false, false),
            ("", false, false, false, false, false),
            ("a..b", false, false, false, true, false),
            ("x.io/Name", false, false, false, true, false),
            ("x.io/", false, false, false, false, false),
            ("/x", false, false, false, false, false),
            ("a/b/c", false, false, false, false, false),
            ("é", false, false, false, false, false),
        ] {
            assert_eq!(dns1035(name).is_empty(), label1035, "1035 {name}");
            assert_eq!(dns1123(name).is_empty(), label1123, "1123 {name}");
            assert_eq!(subdomain(name).is_empty(), domain, "subdomain {name}");
            assert_eq!(is_qualified(name), qualified, "qualified {name}");
            assert_eq!(identifier(name).is_empty(), c, "identifier {name}");
        }
    }

    #[test]
    fn names_have_a_longest_length() {
        assert!(dns1035(&"a".repeat(63)).is_empty());
        assert_eq!(
            dns1035(&"a".repeat(64)),
            ["must be no more than 63 characters"]
        );
        assert_eq!(
            qualified(&"a".repeat(64)),
            ["name part must be no more than 63 bytes"]
        );
    }

    #[test]
    fn a_prefix_may_end_in_a_dash() {
        for (prefix, good) in [
            ("a-", true),
            ("a--", true),
            ("--", true),
            ("-", false),
            ("é-", false),
            ("1a-", false),
        ] {
            assert_eq!(dns1035_prefix(prefix).is_empty(), good, "{prefix}");
        }
    }

    #[test]
    fn a_label_with_dots_is_told_so() {
        assert_eq!(dns1123("a.b"), ["must not contain dots"]);
    }

    #[test]
    fn both_parts_of_a_key_are_told_apart() {
        let faults = qualified("A/");
        assert!(faults[0].starts_with("prefix part a lowercase RFC 1123 subdomain"));
        assert_eq!(faults[1], "name part must be non-empty");
        assert!(faults[2].starts_with("name part must consist of"));
        assert_eq!(qualified("/a"), ["prefix part must be non-empty"]);
        assert!(qualified("a/b/c")[0].starts_with("a valid label key must consist of"));
    }
}
