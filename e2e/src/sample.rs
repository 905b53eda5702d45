//! The files of `samples/`, for whichever cluster is under test.

use anyhow::{Context, Result};

use crate::cluster::{Cluster, SAMPLE_REGISTRY, source_root};

/// The text of `samples/FILE`, with the cluster's registry in its image names.
pub fn read(cluster: &Cluster, file: &str) -> Result<String> {
    let path = source_root().join("samples").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.replace(SAMPLE_REGISTRY, &cluster.registry))
}
