//! Which settings hold, and which config maps are in trouble. No io.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::config::{self, Data, Settings};

/// The settings that hold, and what was told of the maps.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    settings: Arc<Settings>,
    /// Maps that were read at least once.
    read: BTreeSet<String>,
    /// What people know to be wrong with a map.
    troubles: BTreeMap<String, Option<String>>,
}

/// What people should know of a map. Each is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Its settings are others than before.
    Changed,
    /// It can be read again, or is there again.
    Restored,
    /// It can't be read.
    Unreadable {
        why: String,
        /// Whether an earlier state of the map was read; else its defaults hold.
        was_read: bool,
    },
    /// It was deleted.
    Gone,
}

impl Ledger {
    /// The settings that hold. The same pointer as before when nothing changed.
    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Takes over a map, or that it is gone; returns what is new about that.
    pub(super) fn take(&mut self, name: &str, data: Option<&Data>) -> Option<News> {
        if !config::NAMES.contains(&name) {
            return None;
        }
        let Some(data) = data else {
            let told = self.troubles.insert(name.to_owned(), None);
            return (told != Some(None)).then_some(News::Gone);
        };
        let mut next = Settings::clone(&self.settings);
        if let Err(error) = next.update(name, data) {
            let why = error.to_string();
            let told = self.troubles.insert(name.to_owned(), Some(why.clone()));
            let was_read = self.read.contains(name);
            let news = News::Unreadable { why, was_read };
            return (told != self.troubles.get(name).cloned()).then_some(news);
        }
        self.read.insert(name.to_owned());
        let changed = next != *self.settings;
        if changed {
            self.settings = Arc::new(next);
        }
        match self.troubles.remove(name) {
            Some(_) => Some(News::Restored),
            None => changed.then_some(News::Changed),
        }
    }
}

impl News {
    /// What happened, what holds now, and the next command.
    pub(super) fn sentence(&self, namespace: &str, name: &str) -> String {
        match self {
            Self::Changed => "the settings have changed".to_owned(),
            Self::Restored => "the settings can be read again and hold".to_owned(),
            Self::Unreadable { why, was_read } => {
                let hold = match was_read {
                    true => "the last settings that could be read hold",
                    false => "the defaults hold",
                };
                format!("{why}; {hold}. Next: kubectl -n {namespace} edit configmap {name}")
            }
            Self::Gone => format!(
                "the map was deleted; its last settings hold until it is there again, or until a \
                 restart. Next: kubectl -n {namespace} create configmap {name}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crds::config::{Data, Settings, name};

    use super::{Ledger, News};

    fn window(text: &str) -> Data {
        Data::from([("stable-window".to_owned(), text.to_owned())])
    }

    fn seconds(ledger: &Ledger) -> u64 {
        ledger.settings().autoscaler.stable_window.as_secs()
    }

    fn unreadable(was_read: bool) -> impl Fn(&News) -> bool {
        move |news| matches!(news, News::Unreadable { was_read: it, .. } if *it == was_read)
    }

    #[test]
    fn a_bad_value_keeps_the_last_good_one_and_is_told_once() {
        let mut ledger = Ledger::default();
        let take = |ledger: &mut Ledger, text| ledger.take(name::AUTOSCALER, Some(&window(text)));
        assert_eq!(take(&mut ledger, "30s"), Some(News::Changed));
        assert!(take(&mut ledger, "1s").is_some_and(|news| unreadable(true)(&news)));
        assert_eq!(seconds(&ledger), 30);
        assert_eq!(take(&mut ledger, "1s"), None, "the same is not told again");
        assert!(take(&mut ledger, "2s").is_some_and(|news| unreadable(true)(&news)));
        assert_eq!(take(&mut ledger, "40s"), Some(News::Restored));
        assert_eq!(seconds(&ledger), 40);
        assert!(
            take(&mut ledger, "1s").is_some(),
            "it is told again after a recovery"
        );
        assert_eq!(take(&mut ledger, "40s"), Some(News::Restored));
    }

    #[test]
    fn nothing_is_new_about_a_map_that_says_the_same() {
        let mut ledger = Ledger::default();
        let before = Arc::clone(ledger.settings());
        assert_eq!(ledger.take(name::AUTOSCALER, Some(&window("60s"))), None);
        assert_eq!(ledger.take("kube-root-ca.crt", Some(&window("1s"))), None);
        assert_eq!(ledger.take("kube-root-ca.crt", None), None);
        assert!(Arc::ptr_eq(&before, ledger.settings()));
    }

    #[test]
    fn a_map_that_was_never_good_stands_for_its_defaults() {
        let mut ledger = Ledger::default();
        let news = ledger.take(name::AUTOSCALER, Some(&window("1s"))).unwrap();
        assert!(unreadable(false)(&news));
        assert_eq!(**ledger.settings(), Settings::default());
        assert_eq!(
            news.sentence("ns", "config-autoscaler"),
            "stable-window = 1s, must be in [6s; 1h0m0s] range; the defaults hold. \
             Next: kubectl -n ns edit configmap config-autoscaler"
        );
    }

    #[test]
    fn a_deleted_map_keeps_its_settings() {
        let mut ledger = Ledger::default();
        let domain = Data::from([("example.org".to_owned(), String::new())]);
        let take = |ledger: &mut Ledger, data| ledger.take(name::DOMAIN, data);
        assert_eq!(take(&mut ledger, Some(&domain)), Some(News::Changed));
        assert_eq!(take(&mut ledger, None), Some(News::Gone));
        assert_eq!(take(&mut ledger, None), None);
        assert!(ledger.settings().domain.domains.contains_key("example.org"));
        assert_eq!(take(&mut ledger, Some(&Data::new())), Some(News::Restored));
        assert!(ledger.settings().domain.domains.is_empty());
    }

    #[test]
    fn trouble_with_one_map_is_no_trouble_for_another() {
        let mut ledger = Ledger::default();
        ledger.take(name::AUTOSCALER, Some(&window("1s")));
        let gc = Data::from([("min-non-active-revisions".to_owned(), "3".to_owned())]);
        assert_eq!(ledger.take(name::GC, Some(&gc)), Some(News::Changed));
        assert_eq!(ledger.settings().gc.min_non_active_revisions, 3);
        assert_eq!(
            ledger.settings().autoscaler.stable_window,
            Duration::from_secs(60)
        );
    }
}
