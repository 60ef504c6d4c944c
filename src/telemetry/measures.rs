//! What is measured, one entry each: the field, which is also its key in JSON; its metric; what `ptpproxy status`
//! calls it; and its meaning, in one sentence. Record, spreads, metrics and rows come out of this list.

use serde::{Deserialize, Serialize};

use super::histogram::{Histogram, Spread};
use super::words::record;

/// How a histogram is called, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its key in JSON.
    pub name: &'static str,
    /// Its metric, which ends in `_seconds`.
    pub metric: &'static str,
    help: &'static str,
    value: fn(&Measures) -> &Histogram,
}

impl Measure {
    /// What it measures, in one sentence with its full stop.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.help.trim()
    }

    /// The histogram.
    #[must_use]
    pub fn of<'a>(&self, measures: &'a Measures) -> &'a Histogram {
        (self.value)(measures)
    }
}

macro_rules! measures {
    ($($(#[doc = $help:literal])+ $field:ident => $metric:literal, $title:literal;)+) => {
        record! {
            /// What the gateway measures of its exchanges.
            #[derive(Clone, Debug, Default, PartialEq, Eq)]
            pub struct Measures { $($(#[doc = $help])+ pub $field: Histogram,)+ }
        }

        /// The same in a few figures.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Spreads { $($(#[doc = $help])+ pub $field: Spread,)+ }

        impl Measures {
            /// Each of them, in the order in which they are shown.
            pub const ALL: &'static [Measure] = &[$(Measure {
                name: stringify!($field),
                metric: $metric,
                help: concat!($($help),+),
                value: |measures| &measures.$field,
            }),+];

            /// Adds what another forwarder has measured.
            pub fn add(&mut self, other: &Self) {
                $(self.$field.merge(&other.$field);)+
            }

            /// Figures of what was added since `before`.
            #[must_use]
            pub fn since(&self, before: &Self) -> Spreads {
                Spreads { $($field: self.$field.since(&before.$field).spread(),)+ }
            }
        }

        impl Spreads {
            /// What `ptpproxy status` calls each, and its figures.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, &Spread)> {
                [$(($title, &self.$field)),+].into_iter()
            }
        }
    };
}

measures! {
    /// How long Delay_Req stayed here, from receive timestamp to transmit timestamp.
    residence => "ptpproxy_residence_seconds", "residence of Delay_Req";
    /// How much later than its drawn departure time a held Delay_Req departed.
    hold_error => "ptpproxy_hold_error_seconds", "departure after its drawn time";
    /// How long the grandmaster took to answer a Delay_Req, from its departure to its Delay_Resp.
    response => "ptpproxy_response_seconds", "answer of the grandmaster";
    /// How far Syncs arrived off an even line, earlier or later: the delay variation of the path upstream.
    sync_variation => "ptpproxy_sync_variation_seconds", "Sync off the even line";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::words::{Take, Words as _};

    #[test]
    fn each_measure_is_its_own() {
        let words: Vec<u64> = (0..Measures::WORDS as u64).collect();
        let measures = Measures::read(&mut Take(words.iter()));
        let sums: Vec<u64> = Measures::ALL
            .iter()
            .map(|measure| measure.of(&measures).sum_ns())
            .collect();
        let step = Histogram::WORDS as u64;
        let expected: Vec<u64> = (1..=sums.len() as u64).map(|n| n * step - 1).collect();
        assert_eq!(sums, expected);
        let mut written = Vec::new();
        measures.write(&mut written);
        assert_eq!(written, words);
        let spreads = measures.since(&Measures::default());
        let counts: Vec<u64> = spreads.rows().map(|(_, spread)| spread.count).collect();
        let expected: Vec<u64> = Measures::ALL
            .iter()
            .map(|measure| measure.of(&measures).count())
            .collect();
        assert_eq!(counts, expected);
    }
}
