//! The table that requests read, and the one writer that replaces it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::compile::Compiled;
use super::table::Table;

/// A handle on the newest table. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct TableReader {
    table: Arc<RwLock<Arc<Table>>>,
}

/// What the writer knows: every Ingress, compiled, and whether the table is behind.
#[derive(Debug, Default)]
pub struct Live {
    compiled: HashMap<Arc<str>, Arc<Compiled>>,
    reader: TableReader,
    stale: bool,
}

// === impl TableReader ===

impl TableReader {
    /// The table as it stands: one request should ask once.
    pub fn load(&self) -> Arc<Table> {
        Arc::clone(&self.table.read())
    }

    /// A reader of a table that never changes.
    pub fn fixed(table: Table) -> Self {
        Self {
            table: Arc::new(RwLock::new(Arc::new(table))),
        }
    }
}

// === impl Live ===

impl Live {
    /// A reader of what [`Live::publish`] publishes.
    pub fn reader(&self) -> TableReader {
        self.reader.clone()
    }

    /// Puts an Ingress in. Requests see it after the next publication.
    pub fn insert(&mut self, compiled: Compiled) {
        self.compiled
            .insert(Arc::clone(&compiled.name), Arc::new(compiled));
        self.stale = true;
    }

    /// Takes out the Ingress `namespace/name`.
    pub fn remove(&mut self, name: &str) {
        self.stale |= self.compiled.remove(name).is_some();
    }

    /// Whether requests see an older table than they could.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Puts the table together and shows it to requests. Does nothing when nothing changed: so
    /// many changes may share one publication.
    pub fn publish(&mut self) -> Option<Arc<Table>> {
        if !std::mem::take(&mut self.stale) {
            return None;
        }
        let table = Arc::new(Table::from_compiled(self.compiled.values()));
        *self.reader.table.write() = Arc::clone(&table);
        Some(table)
    }
}
