//! The last points of a line, in a ring.

use serde::{Deserialize, Serialize};

use crate::core::state::array;

/// Most points that are kept.
pub(super) const WINDOW: usize = 128;

/// A Sync: when it left by the master's clock, and when it arrived by ours.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) master_ns: i64,
    pub(super) local_ns: i64,
}

/// Fills places that hold no point.
pub(super) const NOWHERE: Point = Point {
    master_ns: 0,
    local_ns: 0,
};

/// Up to [`WINDOW`] points; the oldest gives way to a new one.
#[derive(Serialize, Deserialize)]
pub(super) struct Points {
    #[serde(with = "array")]
    points: [Point; WINDOW],
    /// Index of the oldest point.
    first: usize,
    len: usize,
}

impl Points {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self {
            points: [NOWHERE; WINDOW],
            first: 0,
            len: 0,
        }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Whether the places are within their array: another process may have written them.
    pub(super) const fn is_sane(&self) -> bool {
        self.first < WINDOW && self.len <= WINDOW
    }

    /// The newest point.
    pub(super) fn newest(&self) -> Option<Point> {
        (self.len > 0).then(|| self.at(self.len - 1))
    }

    /// A point, counted from the oldest one.
    pub(super) fn at(&self, i: usize) -> Point {
        self.points[(self.first + i) % WINDOW]
    }

    /// Adds a point.
    pub(super) fn push(&mut self, point: Point) {
        if self.len == WINDOW {
            self.points[self.first] = point;
            self.first = (self.first + 1) % WINDOW;
        } else {
            self.points[(self.first + self.len) % WINDOW] = point;
            self.len += 1;
        }
    }

    /// Forgets all of them.
    pub(super) const fn clear(&mut self) {
        self.first = 0;
        self.len = 0;
    }
}

/// `a - b` without overflow.
pub(super) fn difference(a: i64, b: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "minutes in nanoseconds")]
    {
        a.saturating_sub(b) as f64
    }
}
