//! The packets of both sides in the order of their times, whatever files they are in.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use super::capture::{Capture, Choice, Packet};
use super::input::{Input, Live, Stop};
use super::order::InOrder;
use crate::Side;
use crate::options::{ReplayInput, ReplayOptions};

/// One capture, or one for each side.
pub(super) struct Sources {
    captures: Vec<Ahead>,
    /// Of two interfaces in one capture.
    order: Option<Ordered>,
    /// The first thing that went wrong; the other capture is read to its end all the same.
    broken: Option<anyhow::Error>,
    live: bool,
}

/// What puts the packets of one capture in order.
struct Ordered {
    packets: InOrder,
    /// To wait for more no longer than it takes to be sure of a packet.
    live: Option<Live>,
    first: Option<Packet>,
}

/// A capture that is read one packet ahead, to see which of two comes first.
struct Ahead {
    capture: Capture,
    loaded: bool,
    ended: bool,
}

impl Sources {
    /// Opens what the options name.
    ///
    /// # Errors
    /// A file cannot be read, is no capture, or does not hold what was asked for.
    pub(super) fn open(options: &ReplayOptions, stop: &Stop) -> anyhow::Result<Self> {
        let wanted: Vec<(&Path, Choice)> = match &options.input {
            ReplayInput::OneSide { capture, from } => vec![(capture, Choice::One(*from))],
            ReplayInput::Interfaces { capture, names } => {
                vec![(capture, Choice::Two(names.clone()))]
            }
            // Below before above, as in the engine: an answer is not to be seen before what it answers.
            ReplayInput::Files(files) => [Side::Down, Side::Up]
                .map(|side| (files[side].as_path(), Choice::One(side)))
                .into(),
        };
        let mut live = None;
        let mut captures = Vec::new();
        for (path, choice) in wanted {
            let name = path.display().to_string();
            let input = Input::open(path, stop).with_context(|| format!("cannot open {name}"))?;
            live = live.or(input.live);
            captures.push(Ahead {
                capture: Capture::read(name, input.bytes, choice)?,
                loaded: false,
                ended: false,
            });
        }
        let both = matches!(options.input, ReplayInput::Interfaces { .. })
            && captures.iter().any(|ahead| ahead.capture.of_many());
        Ok(Self {
            captures,
            broken: None,
            live: live.is_some(),
            order: both.then(|| Ordered {
                packets: InOrder::default(),
                live,
                first: None,
            }),
        })
    }

    /// Whether somebody may still be writing what is read.
    pub(super) const fn live(&self) -> bool {
        self.live
    }

    /// The next packet; `None` at the end of all captures.
    pub(super) fn next(&mut self) -> Option<&Packet> {
        if self.order.is_none() {
            return self.next_of_all();
        }
        let order = self.order.as_mut()?;
        let ahead = self.captures.first_mut()?;
        order.first = loop {
            if let Some(packet) = order.packets.take(ahead.ended) {
                break Some(packet);
            }
            if ahead.ended {
                break None;
            }
            match order.overdue(&ahead.capture) {
                Ok(Some(packet)) => break Some(packet),
                Ok(None) => {}
                Err(error) => {
                    self.broken
                        .get_or_insert(anyhow!("cannot wait for packets: {error}"));
                }
            }
            ahead.load(&mut self.broken);
            if ahead.loaded {
                order.packets.add(ahead.capture.packet());
                ahead.loaded = false;
            }
        };
        order.first.as_ref()
    }

    /// The earliest packet of all captures, each in its own order.
    fn next_of_all(&mut self) -> Option<&Packet> {
        for ahead in &mut self.captures {
            ahead.load(&mut self.broken);
        }
        let loaded = self.captures.iter_mut().filter(|ahead| ahead.loaded);
        let first = loaded.min_by_key(|ahead| ahead.capture.packet().at_ns)?;
        first.loaded = false;
        Some(first.capture.packet())
    }

    /// Frames that nobody asked about, by the reason.
    pub(super) fn left_out(&self) -> BTreeMap<&str, u64> {
        let mut all = BTreeMap::new();
        for ahead in &self.captures {
            for (why, count) in ahead.capture.left_out() {
                *all.entry(why.as_str()).or_default() += count;
            }
        }
        all
    }

    /// Once all is read: whether it could be.
    ///
    /// # Errors
    /// The first thing that went wrong, or what was asked for and not there.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self.broken {
            Some(error) => Err(error),
            None => self
                .captures
                .iter()
                .try_for_each(|ahead| ahead.capture.check()),
        }
    }
}

impl Ahead {
    /// Reads a packet ahead.
    fn load(&mut self, broken: &mut Option<anyhow::Error>) {
        if self.loaded || self.ended {
            return;
        }
        match self.capture.advance() {
            Ok(more) => self.loaded = more,
            Err(error) => {
                broken.get_or_insert(error);
            }
        }
        self.ended = !self.loaded;
    }
}

impl Ordered {
    /// A packet that is due because nothing came for a while; waits for that as long as nothing comes.
    fn overdue(&mut self, capture: &Capture) -> io::Result<Option<Packet>> {
        let Some(live) = &self.live else {
            return Ok(None);
        };
        loop {
            match self.packets.take_overdue() {
                Ok(packet) => return Ok(Some(packet)),
                Err(Some(left)) if !capture.has_more() && !live.comes_within(left)? => {}
                Err(_) => return Ok(None),
            }
        }
    }
}
