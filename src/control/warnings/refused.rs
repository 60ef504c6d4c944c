//! Which share of the messages in a sender's name is refused for its signature.

use super::kind::WarningKind;
use super::named::Named;
use crate::control::figures::percent;
use crate::telemetry::{RefusedSender, Snapshot};

/// Warns of senders with refused messages since `before`.
pub(super) fn senders(
    before: &Snapshot,
    now: &Snapshot,
    add: &mut impl FnMut(WarningKind, &'static str, String),
) {
    let mut senders: Vec<RefusedSender> = (now.state.refused.iter())
        .map(|sender| since(before, sender))
        .filter(|lately| lately.refused > 0)
        .collect();
    senders.sort_by_key(|lately| std::cmp::Reverse(lately.refused));
    let mut named = Named::default();
    for lately in senders {
        let of = lately.refused + lately.verified;
        named.add(format!(
            "{:.0} % of {of} from {} on the {} side ({})",
            percent(lately.refused, of).unwrap_or_default(),
            lately.sender,
            lately.side.label(),
            lately.reason
        ));
    }
    if let Some(who) = named.text("; ") {
        let kind = WarningKind::SignaturesRefused;
        add(
            kind,
            "",
            format!("signatures refused: {who}; {}", kind.remedy()),
        );
    }
}

/// A sender's counts since a snapshot, in which it may have had none.
fn since(before: &Snapshot, now: &RefusedSender) -> RefusedSender {
    let same = |then: &&RefusedSender| {
        (then.side, then.sender) == (now.side, now.sender)
            // It may have lost its row meanwhile, and begun anew.
            && then.refused <= now.refused
    };
    let (refused, verified) = (before.state.refused.iter())
        .find(same)
        .map_or((0, 0), |then| (then.refused, then.verified));
    RefusedSender {
        refused: now.refused - refused,
        verified: now.verified.saturating_sub(verified),
        ..*now
    }
}
