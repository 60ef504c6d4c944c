//! How many of the frames that nobody here wants pass all the same, so that the core sees what is there.

/// What is sampled apart, so that a flood of one kind does not hide a few frames of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleClass {
    /// versionPTP other than 2.
    Version,
    /// majorSdoId 1.
    Gptp,
    /// A domain that is not allowed.
    Domain,
    /// Peer delay.
    PeerDelay,
    /// Reserved messageTypes.
    Reserved,
    /// Delay_Req and Delay_Resp of others' clients.
    Strangers,
    /// ARP and neighbour discovery that is about none of our masters.
    Neighbours,
}

impl SampleClass {
    /// All of them, in the order of their places.
    pub const ALL: [Self; 7] = [
        Self::Version,
        Self::Gptp,
        Self::Domain,
        Self::PeerDelay,
        Self::Reserved,
        Self::Strangers,
        Self::Neighbours,
    ];
}

/// One of this many denied messages of each class passes: a power of two (others are rounded up); 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling(pub [u32; SampleClass::ALL.len()]);

impl Sampling {
    /// The same for each class.
    #[must_use]
    pub const fn each(one_in: u32) -> Self {
        Self([one_in; SampleClass::ALL.len()])
    }

    /// That of a class.
    #[must_use]
    pub const fn one_in(&self, class: SampleClass) -> u32 {
        self.0[class as usize]
    }

    /// Of a random word these bits must be zero for a message to pass, class by class.
    #[must_use]
    pub fn masks(&self) -> [u32; SampleClass::ALL.len()] {
        self.0.map(|one_in| power(one_in) - 1)
    }
}

/// The next power of two.
pub(super) fn power(one_in: u32) -> u32 {
    one_in.checked_next_power_of_two().unwrap_or(1 << 31)
}
