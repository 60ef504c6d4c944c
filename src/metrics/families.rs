//! Families of metrics: what each is called and means, and its samples; the library writes them as text.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabel as _, EncodeLabelSet, GaugeValueEncoder,
    LabelSetEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;

use crate::telemetry::Histogram;

/// What a family is called, and what it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family<'a> {
    pub(super) name: &'a str,
    pub(super) help: &'a str,
    /// Names of the labels that each sample has.
    pub(super) labels: &'a [&'a str],
}

/// A family by its name, its help and its labels.
pub(super) const fn family<'a>(name: &'a str, help: &'a str, labels: &'a [&'a str]) -> Family<'a> {
    Family { name, help, labels }
}

/// Takes the families, one after the other.
pub(super) trait Families {
    /// Counts since the start: `samples` adds each with the values of its labels. The name ends in `_total`.
    fn counters(
        &mut self,
        family: Family<'_>,
        samples: impl FnOnce(&mut Samples<'_, u64>) -> fmt::Result,
    ) -> fmt::Result;

    /// Values that go up and down, added likewise.
    fn gauges(
        &mut self,
        family: Family<'_>,
        samples: impl FnOnce(&mut Samples<'_, Number>) -> fmt::Result,
    ) -> fmt::Result;

    /// Spans of time in seconds, in buckets each twice as wide as the one before.
    fn histogram(&mut self, family: Family<'_>, spans: &Histogram) -> fmt::Result;
}

/// Takes a sample: the values of its labels, and its own.
pub(super) type Samples<'a, T> = dyn FnMut(&[&str], T) -> fmt::Result + 'a;

/// A gauge's value, written with as few digits as it has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Whole(u64::from(value))
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self::Whole(u64::from(value))
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl EncodeGaugeValue for Number {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        match *self {
            Self::Whole(value) => value.encode(encoder),
            Self::Real(value) => value.encode(encoder),
        }
    }
}

/// The families as text. One without samples is left out.
impl Families for DescriptorEncoder<'_> {
    fn counters(
        &mut self,
        family: Family<'_>,
        samples: impl FnOnce(&mut Samples<'_, u64>) -> fmt::Result,
    ) -> fmt::Result {
        // The library adds it again.
        let name = family.name.strip_suffix("_total").unwrap_or(family.name);
        let mut metric = Metric::new(self, Family { name, ..family }, MetricType::Counter);
        samples(&mut |values, count| {
            metric.sample(values, |mut encoder| {
                encoder.encode_counter::<NoLabelSet, _, u64>(&count, None)
            })
        })
    }

    fn gauges(
        &mut self,
        family: Family<'_>,
        samples: impl FnOnce(&mut Samples<'_, Number>) -> fmt::Result,
    ) -> fmt::Result {
        let mut metric = Metric::new(self, family, MetricType::Gauge);
        samples(&mut |values, number| {
            metric.sample(values, |mut encoder| encoder.encode_gauge(&number))
        })
    }

    fn histogram(&mut self, family: Family<'_>, spans: &Histogram) -> fmt::Result {
        let (mut buckets, mut count, mut before) = (Vec::new(), 0, 0);
        for (bound, spans) in spans.buckets() {
            count += spans;
            // The bounds between are for quantiles at a terminal; the last bucket has none.
            if let Some(ns) = bound.filter(|ns| ns.is_power_of_two()) {
                buckets.push((seconds(ns), count - before));
                before = count;
            }
        }
        Metric::new(self, family, MetricType::Histogram).sample(&[], |mut encoder| {
            encoder.encode_histogram::<NoLabelSet>(seconds(spans.sum_ns()), count, &buckets, None)
        })
    }
}

/// A family that is being written: what it is called comes before its first sample.
struct Metric<'a, 'b> {
    family: Family<'a>,
    kind: MetricType,
    new: Option<&'a mut DescriptorEncoder<'b>>,
    encoder: Option<MetricEncoder<'a>>,
}

impl<'a, 'b> Metric<'a, 'b> {
    fn new(encoder: &'a mut DescriptorEncoder<'b>, family: Family<'a>, kind: MetricType) -> Self {
        Self {
            family,
            kind,
            new: Some(encoder),
            encoder: None,
        }
    }

    fn sample(
        &mut self,
        values: &[&str],
        write: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let Family { name, help, labels } = self.family;
        if let Some(encoder) = self.new.take() {
            self.encoder = Some(encoder.encode_descriptor(name, help, None, self.kind)?);
        }
        let encoder = self.encoder.as_mut().ok_or(fmt::Error)?;
        write(encoder.encode_family(&Labels {
            names: labels,
            values,
        })?)
    }
}

/// Labels of one sample, each name with its value.
struct Labels<'a> {
    names: &'a [&'a str],
    values: &'a [&'a str],
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.names.iter().zip(self.values) {
            (*name, *value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// Nanoseconds as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "the format's numbers are floats; counts stay below 2^53"
)]
pub(super) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// A metric, for documents.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// What it means, in whole sentences.
    pub help: String,
}

impl Described {
    fn new(family: Family<'_>, kind: &'static str) -> Self {
        Self {
            name: family.name.to_owned(),
            kind,
            labels: family
                .labels
                .iter()
                .map(|&label| label.to_owned())
                .collect(),
            help: family.help.to_owned(),
        }
    }
}

/// The families without their samples.
impl Families for Vec<Described> {
    fn counters(
        &mut self,
        family: Family<'_>,
        _: impl FnOnce(&mut Samples<'_, u64>) -> fmt::Result,
    ) -> fmt::Result {
        self.push(Described::new(family, "counter"));
        Ok(())
    }

    fn gauges(
        &mut self,
        family: Family<'_>,
        _: impl FnOnce(&mut Samples<'_, Number>) -> fmt::Result,
    ) -> fmt::Result {
        self.push(Described::new(family, "gauge"));
        Ok(())
    }

    fn histogram(&mut self, family: Family<'_>, _: &Histogram) -> fmt::Result {
        self.push(Described::new(family, "histogram"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::prometheus_text;
    use prometheus_client::registry::Registry;

    use super::*;

    #[derive(Debug)]
    struct Writes(fn(&mut DescriptorEncoder<'_>) -> fmt::Result);

    impl Collector for Writes {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            (self.0)(&mut encoder)
        }
    }

    fn text(write: fn(&mut DescriptorEncoder<'_>) -> fmt::Result) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Writes(write)));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        text
    }

    fn family<'a>(name: &'a str, labels: &'a [&'a str]) -> Family<'a> {
        let help = "What it is.";
        Family { name, help, labels }
    }

    #[test]
    fn samples_of_one_name_are_one_family_and_none_is_without_samples() {
        let text = text(|out| {
            out.counters(family("a_total", &["side", "n"]), |add| {
                add(&["up", "1"], 3)?;
                add(&["d\"n", "2"], 4)
            })?;
            out.gauges(family("none", &["side"]), |_| Ok(()))?;
            out.gauges(family("b", &[]), |add| add(&[], 0.5.into()))?;
            out.gauges(family("c", &[]), |add| add(&[], 1_000_u32.into()))
        });
        assert_eq!(
            text,
            "# HELP a_total What it is.\n# TYPE a_total counter\n\
             a_total{side=\"up\",n=\"1\"} 3\na_total{side=\"d\\\"n\",n=\"2\"} 4\n\
             # HELP b What it is.\n# TYPE b gauge\nb 0.5\n\
             # HELP c What it is.\n# TYPE c gauge\nc 1000\n"
        );
    }

    #[test]
    fn buckets_are_cumulative_and_in_seconds() {
        let text = text(|out| {
            let mut spans = Histogram::default();
            for ns in [1_500, 1_500, 3_000_000_000, 60_000_000_000] {
                spans.add(ns);
            }
            out.histogram(family("h_seconds", &[]), &spans)
        });
        for line in [
            "# TYPE h_seconds histogram",
            "h_seconds_bucket{le=\"1.024e-06\"} 0",
            "h_seconds_bucket{le=\"2.048e-06\"} 2",
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
