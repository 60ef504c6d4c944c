//! Signed messages (IEEE 1588-2019, 16.14): verified when they come, signed again after an edit.
//!
//! [`SecurityAssociations`] is what a file in linuxptp's `sa_file` format says. A [`Verifier`] holds them
//! and what it has seen of each sender: [`Verifier::verify`] gives a [`Verified`] or a [`Refusal`], and
//! [`Verifier::sign`] takes the one to sign what was edited since with the key that it came with. Nothing
//! else signs, so that nobody without a key gets a signature.
//!
//! Keys are read into memory that is erased when it is given back, and are shown nowhere. What else a
//! program can do for them (no core dumps, memory that is not paged out) is up to the caller.
//!
//! The algorithms are those of linuxptp 4.4: HMAC-SHA256, whole or cut to 128 bits (RFC 4868), and AES-CMAC
//! with keys of 128 and 256 bits (RFC 4493).
#![forbid(unsafe_code)]

mod associations;
mod file;
mod key;
mod key_text;
mod lines;
mod problem;
mod refusal;
mod replay;
mod verifier;

#[cfg(test)]
mod tests;

pub use associations::{KeyName, SecurityAssociations};
pub use key::Algorithm;
pub use problem::{FileProblems, LineProblem};
pub use refusal::Refusal;
pub use verifier::{KeyChanges, KeyGone, Verified, Verifier};
