//! Whose message it is.

/// Whose message it is: each kind has limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// Known by its address, and silent for a second.
    Rare,
    /// Known by its address.
    Known,
    /// Anybody else.
    Stranger,
}
