//! The receive ring: frames with the kernel's timestamps, filtered in the kernel, each VLAN tag in its place.
//!
//! | file | one idea |
//! |---|---|
//! | `ring` | the ring that the loop uses, and how it is set up |
//! | `slots` | walking the memory shared with the kernel |
//! | `whole` | frames that are longer than a slot |

mod ring;
mod slots;
mod whole;

pub(super) use ring::HandedRx;
pub use ring::{RxOptions, RxRing};
