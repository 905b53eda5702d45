//! Prints the CRDs as YAML.
fn main() {}
