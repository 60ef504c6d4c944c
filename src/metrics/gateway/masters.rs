//! The masters upstream, and what they announce.

use std::fmt;
use std::time::Duration;

use crate::metrics::families::{Families, Number, family};
use crate::telemetry::{MasterState, State};
use crate::time::Instant;

/// A metric of each master: name, help, and its value where it is known.
type OfMaster = (
    &'static str,
    &'static str,
    fn(&MasterState, Instant) -> Option<Number>,
);

const OF_MASTER: [OfMaster; 5] = [
    (
        "ptpproxy_master_sync_age_seconds",
        "Time since a master's last Sync.",
        |master, now| Some(now.since(master.last_sync?).as_secs_f64().into()),
    ),
    (
        "ptpproxy_grandmaster_clock_class",
        "clockClass of the grandmaster that a port upstream announces: 6 is locked to a primary reference, 7 in \
         holdover, larger is worse.",
        |master, _| Some(u32::from(master.announced?.quality.class).into()),
    ),
    (
        "ptpproxy_master_rate_ratio",
        "Rate of a master's clock as a multiple of the local clock's.",
        |master, _| Some((1.0 + master.rate_ppm? * 1e-6).into()),
    ),
    (
        "ptpproxy_master_sync_interval_seconds",
        "Mean time between a master's Syncs.",
        |master, _| {
            let interval = master.sync_interval;
            (interval > Duration::ZERO).then(|| interval.as_secs_f64().into())
        },
    ),
    (
        "ptpproxy_master_sync_variation_seconds",
        "Standard deviation of the arrival of a master's Syncs about an even line.",
        |master, _| Some((master.variation_ns? / 1e9).into()),
    ),
];

pub(super) fn masters(out: &mut impl Families, state: &State, now: Instant) -> fmt::Result {
    let masters: Vec<(&MasterState, [String; 3])> = state
        .masters
        .iter()
        .filter(|master| master.allowed)
        .map(|master| {
            let labels = [
                master.sender.to_string(),
                master.domain.to_string(),
                master.lane.to_string(),
            ];
            (master, labels)
        })
        .collect();
    let names = [
        "master",
        "domain",
        "lane",
        "grandmaster",
        "clock_class",
        "clock_accuracy",
        "priority1",
        "priority2",
        "steps_removed",
    ];
    out.gauges(
        family(
            "ptpproxy_grandmaster_info",
            "1, with what a port upstream announces: its grandmaster and that clock's quality.",
            &names,
        ),
        |add| {
            for (master, [sender, domain, lane]) in &masters {
                let Some(announce) = &master.announced else {
                    continue;
                };
                let quality = announce.quality;
                add(
                    &[
                        sender,
                        domain,
                        lane,
                        &announce.grandmaster.to_string(),
                        &quality.class.to_string(),
                        &format!("{:#04x}", quality.accuracy),
                        &announce.priority1.to_string(),
                        &announce.priority2.to_string(),
                        &announce.steps_removed.to_string(),
                    ],
                    true.into(),
                )?;
            }
            Ok(())
        },
    )?;
    let [label1, label2, label3, ..] = names;
    for (name, help, value) in OF_MASTER {
        out.gauges(family(name, help, &[label1, label2, label3]), |add| {
            for (master, [sender, domain, lane]) in &masters {
                if let Some(value) = value(master, now) {
                    add(&[sender, domain, lane], value)?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}
