//! Of several interfaces downstream, those that fare worse than another: what is wrong with all is told of all.

use std::time::Duration;

use super::kind::WarningKind;
use super::named::Named;
use super::share::{ENOUGH, GOOD_SHARE, share};
use crate::telemetry::{PortState, Role, Snapshot, State};
use crate::time::Instant;

/// Clients that were there would have asked by now.
const SILENT: Duration = Duration::from_secs(30);
/// After this time they are no longer expected.
const EXPECTED: Duration = Duration::from_secs(3600);

type Add<'a> = &'a mut dyn FnMut(WarningKind, &'static str, String);

/// Clients have asked on one, and do so no longer, while they do on another.
pub(super) fn silent(state: &State, at: Instant, add: Add<'_>) {
    let since = |port: &PortState| port.asked.last.map(|last| at.since(last));
    let ports = &state.ports.downs;
    let asks = |port: &PortState| since(port).is_some_and(|ago| ago < SILENT);
    if state.role.role == Role::Standby || !ports.iter().any(asks) {
        return;
    }
    let mut named = Named::default();
    // One without link has a warning of its own.
    for port in ports.iter().filter(|port| port.works()) {
        if let Some(ago) = since(port).filter(|ago| (SILENT..EXPECTED).contains(ago)) {
            named.add(format!("{} for {} s", port.name, ago.as_secs()));
        }
    }
    if let Some(names) = named.text(", ") {
        let kind = WarningKind::PortSilent;
        let remedy = kind.remedy();
        let text = format!("no client has asked on {names}, while others ask elsewhere: {remedy}");
        add(kind, "", text);
    }
}

/// The clients of one are answered less often than they should be, and those of another as they should.
pub(super) fn unanswered(before: &Snapshot, now: &Snapshot, add: Add<'_>) {
    let ports = (now.state.ports.downs.iter()).zip(&before.state.ports.downs);
    let shares: Vec<_> = ports
        .filter_map(|(port, then)| {
            let answered = port.asked.answered.saturating_sub(then.asked.answered);
            let missing = port.asked.unanswered.saturating_sub(then.asked.unanswered);
            let known = answered + missing;
            (known >= ENOUGH).then(|| (port, share(answered, known)))
        })
        .collect();
    let is_good = |share: f64| share >= GOOD_SHARE;
    if !shares.iter().any(|(_, share)| is_good(*share)) {
        return;
    }
    let mut named = Named::default();
    for (port, share) in shares.iter().filter(|(_, share)| !is_good(*share)) {
        named.add(format!("{:.0} % on {}", share * 100.0, port.name));
    }
    if let Some(names) = named.text(", ") {
        let text = format!(
            "requests that are answered: {names}, while those of another interface are: look at the clients' rates there \
             (ptpproxy clients) and its link"
        );
        add(WarningKind::AnswersMissing, "port", text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Asked;

    fn port(name: &str, last: Option<u64>) -> PortState {
        PortState {
            name: name.into(),
            present: true,
            up: true,
            running: true,
            asked: Asked {
                last: last.map(|s| Instant::from_nanos(s * 1_000_000_000)),
                ..Asked::default()
            },
            ..PortState::default()
        }
    }

    fn silent_at(state: &State, s: u64) -> Vec<String> {
        let mut found = Vec::new();
        let at = Instant::from_nanos(s * 1_000_000_000);
        silent(state, at, &mut |_, _, text| found.push(text));
        found
    }

    #[test]
    fn a_port_that_falls_silent_while_another_asks_is_named() {
        let mut state = State::default();
        state.ports.downs = vec![
            port("lan0", Some(99)),
            port("lan1", Some(60)),
            port("lan2", None),
        ];
        let found = silent_at(&state, 100);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("no client has asked on lan1 for 40 s, while"),
            "{found:?}"
        );
        // It is not yet silent for long; nor is it alone, where nobody asks.
        assert_eq!(silent_at(&state, 89), Vec::<String>::new());
        assert_eq!(silent_at(&state, 140), Vec::<String>::new());
        // It is no longer expected.
        state.ports.downs[0].asked.last = Some(Instant::from_nanos(4_000_000_000_000));
        assert_eq!(silent_at(&state, 4_000), Vec::<String>::new());
        // Without link it is told of as such.
        state.ports.downs[0].asked.last = Some(Instant::from_nanos(99_000_000_000));
        state.ports.downs[1].running = false;
        assert_eq!(silent_at(&state, 100), Vec::<String>::new());
        state.ports.downs[1].running = true;
        state.role.role = Role::Standby;
        assert_eq!(silent_at(&state, 100), Vec::<String>::new());
    }

    #[test]
    fn a_port_that_is_answered_worse_than_another_is_named() {
        let asked = |answered, unanswered| Asked {
            answered,
            unanswered,
            ..Asked::default()
        };
        let mut now = Snapshot::default();
        now.state.ports.downs = vec![port("lan0", None), port("lan1", None)];
        let before = now.clone();
        let mut found = |one, other| {
            now.state.ports.downs[0].asked = one;
            now.state.ports.downs[1].asked = other;
            let mut found = Vec::new();
            unanswered(&before, &now, &mut |_, _, text| found.push(text));
            found
        };
        let named = found(asked(99, 1), asked(40, 60));
        assert_eq!(named.len(), 1, "{named:?}");
        assert!(
            named[0].starts_with("requests that are answered: 40 % on lan1, while"),
            "{named:?}"
        );
        // All are bad: that has a warning without a name. Few say nothing.
        assert_eq!(found(asked(40, 60), asked(40, 60)), Vec::<String>::new());
        assert_eq!(found(asked(99, 1), asked(1, 18)), Vec::<String>::new());
    }
}
