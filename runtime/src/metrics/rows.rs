use std::sync::Arc;

use parking_lot::RwLock;

/// A few rows, each with its key, made when it is first asked for. Whoever uses them keeps their
/// number small: they are searched one by one, which is quicker than hashing while they are few.
#[derive(Debug)]
pub struct Rows<K, R>(RwLock<Vec<(K, Arc<R>)>>);

// === impl Rows ===

impl<K: Copy + Eq, R> Rows<K, R> {
    /// The row of `key`.
    pub fn row(&self, key: K, new: impl FnOnce() -> R) -> Arc<R> {
        if let Some(found) = find(&self.0.read(), key) {
            return found;
        }
        let mut rows = self.0.write();
        if let Some(found) = find(&rows, key) {
            return found;
        }
        let row = Arc::new(new());
        rows.push((key, Arc::clone(&row)));
        row
    }

    /// All of them by now.
    pub fn all(&self) -> Vec<(K, Arc<R>)> {
        self.0.read().clone()
    }
}

impl<K, R> Default for Rows<K, R> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

fn find<K: Copy + Eq, R>(rows: &[(K, Arc<R>)], key: K) -> Option<Arc<R>> {
    let mut rows = rows.iter();
    let found = rows.find(|(known, _)| *known == key);
    found.map(|(_, row)| Arc::clone(row))
}
