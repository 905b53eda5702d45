//! The certificate of the pod: kubelet keeps it in a folder while the system's own connections are
//! encrypted (contract/data-plane 2.8).

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use net::{
    contract::certificate::{CHAIN, KEY},
    tls::{BadCertificate, Shown},
};
use thiserror::Error;
use tokio::time::sleep;
use tracing::{info, warn};

/// Kubelet needs about a minute to bring a new one; to look costs 20 µs.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

/// A certificate that may change on disk.
#[derive(Debug)]
pub struct OnDisk {
    folder: PathBuf,
    files: Files,
    shown: Shown,
}

/// What is in the files.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    chain: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate that can't be shown.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// One of the files can't be read.
    #[error("can't read {CHAIN} and {KEY}")]
    Unreadable(#[from] io::Error),
    /// What they say can't be used.
    #[error(transparent)]
    Unusable(#[from] BadCertificate),
}

// === impl OnDisk ===

impl OnDisk {
    /// Reads `folder`; None where there is no certificate.
    ///
    /// # Errors
    /// When there is one that can't be used.
    pub fn open(folder: &Path) -> Result<Option<Self>, CertificateError> {
        let files = match Files::read(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let shown = Shown::default();
        shown.replace(&files.chain, &files.key)?;
        let folder = folder.to_owned();
        Ok(Some(Self {
            folder,
            files,
            shown,
        }))
    }

    /// For the port.
    pub fn shown(&self) -> Shown {
        self.shown.clone()
    }

    /// Shows what is on disk, for ever.
    pub async fn follow(mut self) {
        loop {
            sleep(BETWEEN_LOOKS).await;
            self.look();
        }
    }

    /// Shows what is on disk now; returns whether that is another one. One that can't be used leaves
    /// the one before it, and is told once.
    pub fn look(&mut self) -> bool {
        let now = match Files::read(&self.folder) {
            Ok(now) if now != self.files => now,
            // Between two versions there may be none for a moment.
            Ok(_) | Err(_) => return false,
        };
        let replaced = self.shown.replace(&now.chain, &now.key);
        self.files = now;
        match replaced {
            // These very words are what upstream's tests look for (contract/data-plane 6.2).
            Ok(()) => info!("Certificate and/or key have changed on disk and were reloaded."),
            Err(ref error) => warn!(%error, "Certificate on disk can't be used: the old one stays"),
        }
        replaced.is_ok()
    }
}

// === impl Files ===

impl Files {
    /// Blocks, for as long as two small files in memory take.
    fn read(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            chain: fs::read(folder.join(CHAIN))?,
            key: fs::read(folder.join(KEY))?,
        })
    }
}
