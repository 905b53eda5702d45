//! `kubectl`, where its own behaviour is what matters: what `apply` prints, which columns `get` has.

use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::cluster::source_root;

/// What `kubectl` said.
#[derive(Debug)]
pub struct Said {
    /// Whether it ended well.
    pub ok: bool,
    /// What it wrote for programs.
    pub stdout: String,
    /// What it wrote for people.
    pub stderr: String,
}

/// Runs `kubectl ARGS` on the cluster under test, with `input` as its standard input.
pub async fn kubectl(args: &[&str], input: &str) -> Result<Said> {
    let mut child = Command::new(source_root().join("e2e/run"))
        .args(["with", "kubectl"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("e2e/run can't be started")?;
    let mut stdin = child
        .stdin
        .take()
        .context("kubectl has no standard input")?;
    stdin
        .write_all(input.as_bytes())
        .await
        .context("kubectl does not read")?;
    drop(stdin);
    Ok(Said::from(child.wait_with_output().await?))
}

/// `kubectl apply -f -` of `manifest` in `namespace`.
pub async fn apply(namespace: &str, manifest: &str) -> Result<Said> {
    kubectl(&["apply", "-n", namespace, "-f", "-"], manifest).await
}

impl Said {
    /// Its standard output, unless it failed.
    pub fn good(self) -> Result<String> {
        ensure!(self.ok, "kubectl failed: {}", self.stderr.trim_end());
        Ok(self.stdout)
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            ok: output.status.success(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
