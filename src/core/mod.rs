//! The pure core: it never reads a clock, a socket or a random device.
