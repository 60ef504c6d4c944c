//! The two sides of the gateway, and a value for each.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

/// The side of the gateway a frame came from, or leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Upstream: toward the grandmaster (`--up`).
    Up,
    /// Downstream: toward the clients (`--down`).
    Down,
}

impl Side {
    /// Both sides, upstream first.
    pub const BOTH: [Self; 2] = [Self::Up, Self::Down];

    /// The opposite side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// The word used in options, logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// One value for each side, indexed by [`Side`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PerSide<T> {
    /// The value upstream.
    pub up: T,
    /// The value downstream.
    pub down: T,
}

impl<T> PerSide<T> {
    /// The value that `make` gives for each side, upstream first.
    pub fn from_fn(mut make: impl FnMut(Side) -> T) -> Self {
        Self {
            up: make(Side::Up),
            down: make(Side::Down),
        }
    }

    /// What `change` makes of each value, upstream first.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> PerSide<U> {
        PerSide {
            up: change(self.up),
            down: change(self.down),
        }
    }

    /// References to both.
    pub const fn as_ref(&self) -> PerSide<&T> {
        PerSide {
            up: &self.up,
            down: &self.down,
        }
    }

    /// Each side with its value, upstream first.
    pub fn iter(&self) -> impl Iterator<Item = (Side, &T)> {
        [(Side::Up, &self.up), (Side::Down, &self.down)].into_iter()
    }

    /// Each side with its value to change, upstream first.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Side, &mut T)> {
        [(Side::Up, &mut self.up), (Side::Down, &mut self.down)].into_iter()
    }

    /// Both values to change: that of `side`, then that of the other.
    pub const fn pair_mut(&mut self, side: Side) -> (&mut T, &mut T) {
        match side {
            Side::Up => (&mut self.up, &mut self.down),
            Side::Down => (&mut self.down, &mut self.up),
        }
    }
}

impl<T> Index<Side> for PerSide<T> {
    type Output = T;

    #[inline]
    fn index(&self, side: Side) -> &T {
        match side {
            Side::Up => &self.up,
            Side::Down => &self.down,
        }
    }
}

impl<T> IndexMut<Side> for PerSide<T> {
    #[inline]
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Up => &mut self.up,
            Side::Down => &mut self.down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_its_own_value() {
        let mut labels = PerSide::from_fn(Side::label);
        assert_eq!((labels[Side::Up], labels[Side::Down]), ("up", "down"));
        labels[Side::Down] = "below";
        let (other, this) = {
            let (this, other) = labels.pair_mut(Side::Down);
            (*other, *this)
        };
        assert_eq!((other, this), ("up", "below"));
        let lengths: Vec<_> = labels
            .map(str::len)
            .iter()
            .map(|(side, &len)| (side.label(), len))
            .collect();
        assert_eq!(lengths, [("up", 2), ("down", 5)]);
    }
}
