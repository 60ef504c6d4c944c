//! Why the loop wakes, beside frames and its timer.

/// One such reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// The process is asked to stop.
    Stop,
    /// The system's clock was set.
    ClockSet,
    /// There is news of interfaces.
    Links,
    /// New settings are ready.
    Orders,
    /// There are other routes.
    Routes,
    /// There is news of the process that keeps hardware timestamps on.
    Keeper,
}

/// The reasons that are not dealt with yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wakes(u8);

impl Wake {
    /// Each of them.
    pub(super) const ALL: [Self; 6] = [
        Self::Stop,
        Self::ClockSet,
        Self::Links,
        Self::Orders,
        Self::Routes,
        Self::Keeper,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Wakes {
    /// Notes one.
    pub(super) const fn note(&mut self, wake: Wake) {
        self.0 |= wake.bit();
    }

    /// Whether it is noted.
    pub(super) const fn has(self, wake: Wake) -> bool {
        self.0 & wake.bit() != 0
    }

    /// Whether it is noted; it is dealt with from now on.
    pub(super) const fn take(&mut self, wake: Wake) -> bool {
        let noted = self.has(wake);
        self.0 &= !wake.bit();
        noted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_noted_and_taken_alone() {
        for one in Wake::ALL {
            let mut wakes = Wakes::default();
            wakes.note(one);
            wakes.note(one);
            for other in Wake::ALL {
                assert_eq!(wakes.has(other), other == one, "{one:?}, {other:?}");
            }
            assert!(wakes.take(one) && !wakes.take(one));
            assert_eq!(wakes, Wakes::default());
        }
    }
}
