//! References to images: `[registry/]repository[:tag][@sha256:digest]`.

use std::fmt;

/// Where images without a registry come from.
pub const DEFAULT_REGISTRY: &str = "index.docker.io";
const DEFAULT_TAG: &str = "latest";
const DIGEST: &str = "sha256:";

/// An image by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Host and port of the registry.
    pub registry: String,
    /// Path of the image in the registry.
    pub repository: String,
    /// Which of its versions.
    pub version: Version,
}

/// Which version of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// What the tag points to now.
    Tag(String),
    /// One content: `sha256:` and 64 hex digits.
    Digest(String),
}

/// The text is not a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not parse reference: {0}")]
pub struct ReferenceError(String);

impl Reference {
    /// Reads a reference; the default registry and tag are filled in.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        tagged(text)
            .or_else(|| digested(text))
            .ok_or_else(|| ReferenceError(text.to_owned()))
    }
}

impl fmt::Display for Reference {
    /// The canonical form, with registry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (separator, version) = match &self.version {
            Version::Tag(tag) => (':', tag),
            Version::Digest(digest) => ('@', digest),
        };
        write!(
            f,
            "{}/{}{separator}{version}",
            self.registry, self.repository
        )
    }
}

fn tagged(text: &str) -> Option<Reference> {
    let (name, tag) = match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (text, ""),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    if tag.len() > 128 || !tag.bytes().all(plain) {
        return None;
    }
    let tag = if tag.is_empty() { DEFAULT_TAG } else { tag };
    let (registry, repository) = repository(name)?;
    Some(Reference {
        registry,
        repository,
        version: Version::Tag(tag.to_owned()),
    })
}

fn digested(text: &str) -> Option<Reference> {
    let (name, digest) = text.split_once('@')?;
    let hex = digest.strip_prefix(DIGEST)?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if hex.len() != 64 || !hex.bytes().all(is_hex) {
        return None;
    }
    Some(Reference {
        version: Version::Digest(digest.to_owned()),
        ..tagged(name)?
    })
}

/// Registry and path; a first part with a dot or a colon is a registry.
fn repository(name: &str) -> Option<(String, String)> {
    let is_registry = |part: &str| part.contains(['.', ':']);
    let (registry, path) = match name.split_once('/') {
        Some((registry, path)) if is_registry(registry) => (registry, path),
        _ => (DEFAULT_REGISTRY, name),
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-./".contains(&b);
    if !(2..=255).contains(&path.len()) || !path.bytes().all(plain) || !is_host(registry) {
        return None;
    }
    let docker = registry == DEFAULT_REGISTRY || registry == "docker.io";
    let registry = if docker { DEFAULT_REGISTRY } else { registry };
    let implicit = docker && !path.contains('/');
    let path = if implicit {
        format!("library/{path}")
    } else {
        path.to_owned()
    };
    Some((registry.to_owned(), path))
}

/// Whether `registry` can be the host of a URL, with or without a port.
fn is_host(registry: &str) -> bool {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (registry, ""),
    };
    let plain = |c: char| {
        !c.is_ascii() || c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:[]<>\"".contains(c)
    };
    !registry.is_empty() && host.chars().all(plain) && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn references_are_read() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, canonical) in [
            ("ubuntu", "index.docker.io/library/ubuntu:latest"),
            ("docker.io/a/b:1", "index.docker.io/a/b:1"),
            ("gcr.io/x/y/z:V1_2", "gcr.io/x/y/z:V1_2"),
            ("localhost:5000/app", "localhost:5000/app:latest"),
            ("localhost/app", "index.docker.io/localhost/app:latest"),
            ("[::1]/ab", "[::1]/ab:latest"),
            ("r.io:/ab", "r.io:/ab:latest"),
            ("r.io/ab@DIGEST", "r.io/ab@DIGEST"),
            ("r.io/ab:t@DIGEST", "r.io/ab@DIGEST"),
        ] {
            let read = Reference::parse(&text.replace("DIGEST", &digest)).unwrap();
            assert_eq!(
                read.to_string(),
                canonical.replace("DIGEST", &digest),
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused_in_the_words_of_the_parser() {
        for text in [
            "",
            "UPPER",
            "a b",
            "x@sha256:12",
            "inv@lid",
            ":tag",
            "a/b:ta g",
            "u@r.io/ab",
            "r.io:p/ab",
            "a:b/c",
            "r.io/a",
        ] {
            let error = Reference::parse(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("could not parse reference: {text}")
            );
        }
    }
}
