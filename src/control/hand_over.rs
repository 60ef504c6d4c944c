//! Who may take this gateway's place, and what is said before it does.
//!
//! After the request comes an [`Offer`] with as many descriptors (SCM_RIGHTS); the gateway stands still from then on. The
//! other one says [`TAKE`] when all is ready, and it is its turn once the gateway has said [`GONE`]. Whatever else comes, or
//! nothing, the gateway goes on.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The request.
pub(crate) const REQUEST: &str = "take-over";
/// The other one is ready.
pub(crate) const TAKE: &[u8; 5] = b"take\n";
/// It is its turn.
pub(crate) const GONE: &[u8; 5] = b"gone\n";

/// Has the loop hand over by this connection, at its next turn.
pub type HandOver = Arc<dyn Fn(UnixStream) + Send + Sync>;

/// What passes: descriptors in this order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Offer {
    /// Version of the protocol.
    pub(crate) protocol: u32,
    /// Their names.
    pub(crate) descriptors: Vec<String>,
}

/// Whether this is such a request.
pub(super) fn is_asked(line: &str) -> bool {
    line == REQUEST
}

/// Whether this user may ask it.
///
/// # Errors
/// It may not: in words.
pub(super) fn permitted(user: u32, gateway: u32) -> Result<(), String> {
    match user == 0 || user == gateway {
        true => Ok(()),
        false => Err(format!(
            "take-over: only root and the gateway's user (uid {gateway}) may take its place, not uid {user}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_gateways_user_take_its_place() {
        assert_eq!((permitted(0, 7), permitted(7, 7)), (Ok(()), Ok(())));
        let refused = permitted(8, 7).unwrap_err();
        assert!(
            refused.contains("uid 7") && refused.contains("uid 8"),
            "{refused}"
        );
        assert!(is_asked("take-over") && !is_asked("take-over now"));
    }
}
