//! A station below a gateway that plays grandmaster.

use super::exchange::Request;
use crate::lab::frames::shape::Shape;
use crate::lab::frames::station::Station;
use crate::lab::frames::{Kind, TWO_STEP, Template};
use crate::lab::io::clock::MasterClock;
use crate::lab::io::pacing::Pace;
use crate::lab::io::port::Outbox;

/// Sends the four messages of a better grandmaster, eight times a second.
#[derive(Debug)]
pub struct Rogue {
    pace: Pace,
    templates: [Template; 4],
}

impl Rogue {
    /// A rogue that begins at `start`; with the key of all stations if `signed`.
    #[must_use]
    pub fn new(shape: Shape, signed: bool, start: i64) -> Self {
        let template = |kind| Template::new(shape, kind, Station::ROGUE).signed(signed);
        Self {
            pace: Pace::per_second(start, 8.0),
            templates: [
                template(Kind::Announce).priority(0),
                template(Kind::Sync).flags(TWO_STEP),
                template(Kind::FollowUp),
                template(Kind::DelayResp),
            ],
        }
    }

    /// Sends what is due; how many messages that was.
    pub fn send_due(&mut self, outbox: &mut Outbox<Request>, now: i64, clock: MasterClock) -> u64 {
        let Some(number) = self.pace.take(now) else {
            return 0;
        };
        // A minute off: who follows it is lost.
        let time = clock.read(now).saturating_add(60_000_000_000);
        let sequence = u16::try_from(number & 0xFFFF).unwrap_or(0);
        let victim = Station::client(u32::from(sequence % 1000));
        let mut sent = 0;
        for (kind, template) in self.templates.iter().enumerate() {
            sent += u64::from(outbox.send(template, None, |draft| {
                let draft = draft.sequence(sequence);
                match kind {
                    0 => draft,
                    3 => draft.timestamp(time).requesting(victim.identity()),
                    _ => draft.timestamp(time),
                }
                .finish()
            }));
        }
        sent
    }
}
