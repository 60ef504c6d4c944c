//! Metrics of the text format, one call each; the library writes them.

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as Proto, LabelPair, Metric, MetricFamily, MetricType,
};

use crate::telemetry::Histogram;

/// Labels of a sample: name and value.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// Metric families in the order in which they were added.
#[derive(Default)]
pub(super) struct Families(Vec<MetricFamily>);

impl Families {
    /// A count since the start; `name` ends in `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str, labels: Labels<'_>, value: u64) {
        let mut counter = Counter::default();
        counter.set_value(float(value));
        let mut metric = metric(labels);
        metric.set_counter(counter);
        self.add(name, help, MetricType::COUNTER, metric);
    }

    /// A value that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, labels: Labels<'_>, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = metric(labels);
        metric.set_gauge(gauge);
        self.add(name, help, MetricType::GAUGE, metric);
    }

    /// Spans of time in seconds, in buckets each twice as wide as the one before.
    pub(super) fn histogram(&mut self, name: &str, help: &str, spans: &Histogram) {
        let mut buckets = Vec::new();
        let mut count = 0;
        for (bound, spans) in spans.buckets() {
            count += spans;
            // The bounds between are for quantiles at a terminal; the last bucket has none.
            if let Some(ns) = bound.filter(|ns| ns.is_power_of_two()) {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(seconds(ns));
                bucket.set_cumulative_count(count);
                buckets.push(bucket);
            }
        }
        let mut histogram = Proto::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(count);
        histogram.set_sample_sum(seconds(spans.sum_ns()));
        let mut metric = metric(&[]);
        metric.set_histogram(histogram);
        self.add(name, help, MetricType::HISTOGRAM, metric);
    }

    /// The text to be scraped.
    ///
    /// # Errors
    /// The library's, on a name that the format forbids.
    pub(super) fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.0)
    }

    /// Adds a sample to the family of this name, which is the last one or new.
    fn add(&mut self, name: &str, help: &str, kind: MetricType, metric: Metric) {
        if self.0.last().is_none_or(|last| last.name() != name) {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            self.0.push(family);
        }
        if let Some(family) = self.0.last_mut() {
            family.mut_metric().push(metric);
        }
    }
}

/// Nanoseconds as seconds.
fn seconds(ns: u64) -> f64 {
    float(ns) / 1e9
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the format's numbers are floats; counts stay below 2^53"
)]
fn float(count: u64) -> f64 {
    count as f64
}

fn metric(labels: Labels<'_>) -> Metric {
    let pairs = labels.iter().map(|&(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    });
    Metric::from_label(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_name_are_one_family() {
        let mut families = Families::default();
        families.counter("a_total", "All a.", &[("side", "up")], 3);
        families.counter("a_total", "All a.", &[("side", "d\"n")], 4);
        families.gauge("b", "One b.", &[], 0.5);
        assert_eq!(
            families.text().unwrap(),
            "# HELP a_total All a.\n# TYPE a_total counter\n\
             a_total{side=\"up\"} 3\na_total{side=\"d\\\"n\"} 4\n\
             # HELP b One b.\n# TYPE b gauge\nb 0.5\n"
        );
    }

    #[test]
    fn buckets_are_cumulative_and_in_seconds() {
        let mut spans = Histogram::default();
        spans.add(1_500);
        spans.add(1_500);
        spans.add(3_000_000_000);
        spans.add(60_000_000_000);
        let mut families = Families::default();
        families.histogram("h_seconds", "Spans.", &spans);
        let text = families.text().unwrap();
        for line in [
            "h_seconds_bucket{le=\"0.000001024\"} 0",
            "h_seconds_bucket{le=\"0.000002048\"} 2",
            "h_seconds_bucket{le=\"2.147483648\"} 2",
            "h_seconds_bucket{le=\"4.294967296\"} 3",
            "h_seconds_bucket{le=\"+Inf\"} 4",
            "h_seconds_sum 63.000003",
            "h_seconds_count 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
    }
}
