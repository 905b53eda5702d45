//! The one request to stop, heard by every part of the process.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A handle on the request to stop. Clones share it.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            requested: watch::Sender::new(false),
        }
    }
}

impl Shutdown {
    /// A handle that SIGTERM and SIGINT trigger. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the process may not install signal handlers.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let handle = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: shutting down"),
                _ = interrupt.recv() => tracing::info!("SIGINT: shutting down"),
            }
            handle.request();
        });
        Ok(shutdown)
    }

    /// Asks every part to stop.
    pub fn request(&self) {
        self.requested.send_replace(true);
    }

    /// Whether the process has been asked to stop.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Returns once the process has been asked to stop. Cancel-safe.
    pub async fn wait(&self) {
        let mut requested = self.requested.subscribe();
        // The sender lives as long as `self`, so waiting can't fail.
        let _ = requested.wait_for(|requested| *requested).await;
    }
}
