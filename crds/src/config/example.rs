//! `_example`: the part of a config map that explains and must not be edited
//! (contract/control-plane 5).

use super::Data;

/// Key of the explanation.
pub const KEY: &str = "_example";
/// Annotation with the checksum of the explanation.
pub const CHECKSUM: &str = "knative.dev/example-checksum";
/// What someone reads who edited the explanation.
pub const EDITED: &str = "the update modifies a key in \"_example\" which is probably not what you want. Instead, copy the respective setting to the top-level of the ConfigMap, directly below \"data\"";

/// Checksum of an explanation, eight digits: CRC-32 of the text without spaces around it, in which
/// a backslash and an `n` stand for line ends and empty lines.
pub fn checksum(example: &str) -> String {
    let text = example.trim().replace("\r\n", "\n");
    let lines = text.split('\n').enumerate();
    let lines = lines.filter(|(at, line)| *at == 0 || !line.is_empty());
    let lines: Vec<&str> = lines.map(|(_, line)| line).collect();
    format!("{:08x}", crc32(lines.join("\\n").as_bytes()))
}

/// Whether the explanation is as it was shipped; true where one of the two is missing.
pub fn is_intact(annotations: &Data, data: &Data) -> bool {
    match (annotations.get(CHECKSUM), data.get(KEY)) {
        (Some(expected), Some(example)) => *expected == checksum(example),
        _ => true,
    }
}

/// CRC-32 of IEEE 802.3, bit by bit: the texts are short and read once per edit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn checksum_is_crc32_of_the_trimmed_text() {
        assert_eq!(checksum("123456789"), "cbf43926");
        assert_eq!(checksum("\n 123456789 \n"), "cbf43926");
        assert_eq!(checksum(""), "00000000");
    }

    #[test]
    fn line_ends_and_empty_lines_do_not_count() {
        let sum = checksum("a: 1\n# b");
        for text in [
            "a: 1\r\n# b",
            "a: 1\n\n\n# b",
            "\na: 1\r\n\n\r\n# b\n\n",
            "a: 1\\n# b",
        ] {
            assert_eq!(checksum(text), sum, "{text:?}");
        }
        for text in ["a: 1 \n# b", "a: 1# b", "a: 2\n# b", "a: 1\n \n# b"] {
            assert_ne!(checksum(text), sum, "{text:?}");
        }
    }
}
