//! What the tests share, and the fuzz targets of `fuzz/`.
//!
//! * The core alone: [`frames`] made without the product's code, a [`gateway`] whose time is given to it,
//!   octets as a [`script`] of frames and time, messages that [`signatures`] sign.
//! * [`targets`]: what is fuzzed, and what it starts from.
//! * The program on real interfaces (feature `network`): [`segments`] of a network, a [`host`] at an end, the
//!   [`proxy`] under test, its unit in a [`booted`] systemd, a [`tap`], what else must be [`installed`].
//! * [`capture_files`]: captures of other people's networks (feature `network`).

#[cfg(feature = "network")]
pub mod booted;
#[cfg(feature = "network")]
pub mod capture_files;
pub mod frames;
pub mod gateway;
#[cfg(feature = "network")]
pub mod host;
#[cfg(feature = "network")]
pub mod installed;
#[cfg(feature = "network")]
pub mod pair;
#[cfg(feature = "network")]
pub mod proxy;
pub mod script;
#[cfg(feature = "network")]
pub mod segments;
pub mod signatures;
#[cfg(feature = "network")]
pub mod tap;
pub mod targets;
