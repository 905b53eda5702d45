//! Golden tests: `src/<kind>/tests/golden/<case>/in.yaml` in, `want.yaml` out.
//! `UPDATE_GOLDEN=1 cargo test` writes what comes out; the review reads the difference.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;

/// Renders every case below `folder` (relative to `src`) and compares with what is wanted.
///
/// # Panics
/// Where a case can't be read, or comes out otherwise than wanted.
pub(crate) fn check<I: DeserializeOwned>(folder: &str, render: impl Fn(I) -> Vec<Value>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(folder);
    let entries = fs::read_dir(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case in {}", root.display());
    for case in cases {
        let (input, wanted) = (case.join("in.yaml"), case.join("want.yaml"));
        let text = fs::read_to_string(&input).unwrap();
        let input = serde_yaml::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", input.display()));
        let documents = render(input);
        let came = documents
            .iter()
            .map(|it| serde_yaml::to_string(it).unwrap());
        let came = came.collect::<Vec<_>>().join("---\n");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&wanted, &came).unwrap();
        }
        let wanted_text = fs::read_to_string(&wanted).unwrap_or_default();
        assert_eq!(came, wanted_text, "{}", wanted.display());
    }
}

/// One document of the output.
pub(crate) fn document(object: &impl Serialize) -> Value {
    serde_yaml::to_value(object).unwrap()
}
