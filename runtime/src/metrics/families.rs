use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric as Series, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};

use super::histogram::Reading;

/// Name and value of a label.
pub type Label<'a> = (&'static str, &'a str);

/// Metrics that are being put together, each a name with its series.
#[derive(Debug, Default)]
pub struct Families(BTreeMap<String, MetricFamily>);

/// Something that has metrics to show.
pub trait Source: Send + Sync + 'static {
    /// Adds them.
    fn show(&self, families: &mut Families);
}

/// A source as a collector of a registry. Its families are known only when they are asked for, so
/// it is registered under a name of its own that nobody sees.
pub struct Rendered<S> {
    source: Arc<S>,
    description: Desc,
}

// === impl Families ===

impl Families {
    /// Adds a series of a gauge.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[Label<'_>], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut series = Series::default();
        series.set_gauge(gauge);
        self.add((name, help, MetricType::GAUGE), labels, series);
    }

    /// Adds a series of a counter.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[Label<'_>], value: u64) {
        let mut counter = Counter::default();
        counter.set_value(value as f64);
        let mut series = Series::default();
        series.set_counter(counter);
        self.add((name, help, MetricType::COUNTER), labels, series);
    }

    /// Adds a series of a histogram.
    pub fn histogram(&mut self, name: &str, help: &str, labels: &[Label<'_>], value: &Reading) {
        let mut series = Series::default();
        series.set_histogram(value.to_proto());
        self.add((name, help, MetricType::HISTOGRAM), labels, series);
    }

    /// All of it as the text that Prometheus reads.
    pub fn text(self) -> String {
        let families: Vec<MetricFamily> = self.0.into_values().collect();
        // Families without series are the only ones that can't be written.
        TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_default()
    }

    fn add(
        &mut self,
        (name, help, kind): (&str, &str, MetricType),
        labels: &[Label<'_>],
        mut series: Series,
    ) {
        let mut sorted = labels.to_vec();
        // In the order of the names, as the text is written.
        sorted.sort_unstable_by_key(|(name, _)| *name);
        let pairs = sorted.into_iter().map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.to_owned());
            pair
        });
        series.set_label(pairs.collect());
        let family = self.0.entry(name.to_owned()).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family
        });
        family.mut_metric().push(series);
    }
}

// === impl Rendered ===

impl<S: Source> Rendered<S> {
    /// Adds `source` to `registry`, under a `name` that nothing else there has.
    ///
    /// # Errors
    /// When the name is taken, or is no name of a metric.
    pub fn register(
        registry: &Registry,
        name: &str,
        source: Arc<S>,
    ) -> Result<(), prometheus::Error> {
        let help = "rendered when it is asked for".to_owned();
        let description = Desc::new(name.to_owned(), help, Vec::new(), Default::default())?;
        registry.register(Box::new(Self {
            source,
            description,
        }))
    }
}

impl<S: Source> Collector for Rendered<S> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = Families::default();
        self.source.show(&mut families);
        families.0.into_values().collect()
    }
}

impl<S> fmt::Debug for Rendered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rendered")
            .field(&self.description.fq_name)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus::{Registry, TextEncoder};

    use super::{Families, Rendered, Source};

    #[test]
    fn series_of_one_name_stand_together_with_their_labels_in_order() {
        let mut families = Families::default();
        families.gauge("b", "Bees", &[("z", "1"), ("a", "2")], 3.0);
        families.counter("a_total", "As", &[], 1);
        families.gauge("b", "Bees", &[("z", "4"), ("a", "5")], 6.0);
        assert_eq!(
            families.text(),
            "# HELP a_total As\n# TYPE a_total counter\na_total 1\n\
             # HELP b Bees\n# TYPE b gauge\nb{a=\"2\",z=\"1\"} 3\nb{a=\"5\",z=\"4\"} 6\n"
        );
    }

    struct One(&'static str);

    impl Source for One {
        fn show(&self, families: &mut Families) {
            families.gauge("shared", "Of two", &[("of", self.0)], 1.0);
        }
    }

    #[test]
    fn two_sources_may_show_one_name() {
        let registry = Registry::new();
        for name in ["one", "two"] {
            Rendered::register(&registry, name, Arc::new(One(name))).unwrap();
        }
        let again = Rendered::register(&registry, "one", Arc::new(One("one")));
        assert!(again.is_err());
        let text = TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        assert_eq!(text.matches("# TYPE shared gauge").count(), 1);
        assert!(
            text.contains("shared{of=\"one\"} 1\nshared{of=\"two\"} 1\n"),
            "{text}"
        );
    }
}
