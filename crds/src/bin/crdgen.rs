//! Writes the CRDs: `crdgen` into config/core/300-resources, `crdgen DIR` into DIR, `crdgen -`
//! to standard output.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/core/300-resources");

fn main() -> ExitCode {
    let target = std::env::args().nth(1).unwrap_or_else(|| FOLDER.to_owned());
    let written = crds::schema::crds()
        .iter()
        .try_for_each(|crd| match target.as_str() {
            "-" => writeln!(io::stdout(), "---\n{}", yaml(crd)?.trim_end()),
            folder => write_file(Path::new(folder), crd),
        });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "crdgen: {target}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_file(folder: &Path, crd: &Value) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(crds::schema::file_name(crd)), yaml(crd)?)
}

fn yaml(crd: &Value) -> io::Result<String> {
    serde_yaml::to_string(crd).map_err(io::Error::other)
}
