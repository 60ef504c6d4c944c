//! The two sides of the gateway and its ports, and a value for each.

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

/// One port of the gateway: the one upstream, or one of those downstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortId {
    /// That of `--up`.
    Up,
    /// That of the `--down` with this number, from zero.
    Down(u8),
}

impl PortId {
    /// The side that it is on.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::Up => Side::Up,
            Self::Down(_) => Side::Down,
        }
    }

    /// The word used in options and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.side().label()
    }
}

/// The first port of a side.
impl From<Side> for PortId {
    fn from(side: Side) -> Self {
        match side {
            Side::Up => Self::Up,
            Side::Down => Self::Down(0),
        }
    }
}

/// Numbers of ports downstream, in their order.
pub(crate) fn numbers() -> impl Iterator<Item = u8> {
    0..=u8::MAX
}

/// One value for each port, indexed by [`PortId`]: of the one upstream, and of one or more downstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerPort<T> {
    /// The value upstream.
    pub up: T,
    /// The values downstream, in the order of `--down`.
    pub downs: Vec<T>,
}

impl<T> PerPort<T> {
    /// What `change` makes of each value, upstream first.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> PerPort<U> {
        PerPort {
            up: change(self.up),
            downs: self.downs.into_iter().map(change).collect(),
        }
    }

    /// References to all.
    pub fn as_ref(&self) -> PerPort<&T> {
        PerPort {
            up: &self.up,
            downs: self.downs.iter().collect(),
        }
    }

    /// Each port with its value, upstream first.
    pub fn iter(&self) -> impl Iterator<Item = (PortId, &T)> {
        let downs = numbers().map(PortId::Down).zip(&self.downs);
        std::iter::once((PortId::Up, &self.up)).chain(downs)
    }

    /// Each port with its value to change, upstream first.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (PortId, &mut T)> {
        let downs = numbers().map(PortId::Down).zip(&mut self.downs);
        std::iter::once((PortId::Up, &mut self.up)).chain(downs)
    }
}

/// The most ports downstream: a big switch chip has as many.
pub(crate) const MOST_DOWNS: usize = 64;

impl<T> Index<PortId> for PerPort<T> {
    type Output = T;

    #[inline]
    fn index(&self, port: PortId) -> &T {
        match port {
            PortId::Up => &self.up,
            PortId::Down(number) => &self.downs[usize::from(number)],
        }
    }
}

impl<T> IndexMut<PortId> for PerPort<T> {
    #[inline]
    fn index_mut(&mut self, port: PortId) -> &mut T {
        match port {
            PortId::Up => &mut self.up,
            PortId::Down(number) => &mut self.downs[usize::from(number)],
        }
    }
}

/// One port on each side.
impl<T> From<PerSide<T>> for PerPort<T> {
    fn from(PerSide { up, down }: PerSide<T>) -> Self {
        Self {
            up,
            downs: vec![down],
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
