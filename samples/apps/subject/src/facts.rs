//! What this process was given, as JSON.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use hyper::body::Incoming;
use hyper::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::query::Query;

/// No file is read further.
const READ_LIMIT: u64 = 64 * 1024;

/// All facts, with those of the files that `query` names.
pub(crate) fn of(request: &Request<Incoming>, query: &Query) -> Value {
    let files = |name, look: fn(&str) -> Value| -> BTreeMap<String, Value> {
        let files = query.all(name);
        files.map(|file| (file.to_owned(), look(file))).collect()
    };
    json!({
        "protocol": format!("{:?}", request.version()),
        "method": request.method().as_str(),
        "uri": request.uri().to_string(),
        "headers": headers(request.headers()),
        "args": env::args().collect::<Vec<_>>(),
        "env": env::vars().collect::<BTreeMap<_, _>>(),
        "directory": env::current_dir().unwrap_or_default(),
        "user": status("Uid:"),
        "group": status("Gid:"),
        "read": files("read", |file| said(read(file))),
        "stat": files("stat", |file| said(fs::metadata(file).map(|found| stat(&found)))),
        "open": files("open", |file| said(open(file))),
    })
}

fn headers(headers: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.entry(name.as_str()).or_default().push(value);
    }
    all
}

/// The effective id in a line of `/proc/self/status`.
fn status(name: &str) -> Option<u32> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The content, or the error.
fn said<T: Into<Value>>(result: io::Result<T>) -> Value {
    match result {
        Ok(value) => value.into(),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn read(file: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(file)?
        .take(READ_LIMIT)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether it can be opened for writing; nothing is written.
fn open(file: &str) -> io::Result<&'static str> {
    OpenOptions::new().append(true).open(file)?;
    Ok("writable")
}

fn stat(found: &Metadata) -> Value {
    let kind = found.file_type();
    let name = match () {
        () if kind.is_dir() => "directory",
        () if kind.is_char_device() => "device",
        () if kind.is_file() => "file",
        () => "other",
    };
    json!({ "kind": name, "mode": format!("{:o}", found.mode() & 0o7777), "size": found.len() })
}
