//! Who may have the gateway forward or stand by, and what it answers.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::reply::{PROTOCOL, RoleReply};
use crate::telemetry::{By, Orderer, Role, RoleState};

/// A loop that does not answer within this time stands still.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the loop answers to such an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleTaken {
    /// It had another role before.
    pub changed: bool,
    /// The role that it has now.
    pub state: RoleState,
}

/// Has the loop take a role. It does so at its next turn, in the order of these calls; what comes back can be waited for.
pub type SetRole = Arc<dyn Fn(Role, By) -> Receiver<RoleTaken> + Send + Sync>;

/// Whether this is such a request.
pub(super) fn is_asked(line: &str) -> bool {
    line.split_whitespace().next() == Some("role")
}

/// Reads `role active by=keepalived`, which this user asks for.
///
/// # Errors
/// What is wrong with it, or that this user may not.
pub(super) fn read(line: &str, user: u32, gateway: u32) -> Result<(Role, By), String> {
    if user != 0 && user != gateway {
        return Err(format!(
            "role: only root and the gateway's user (uid {gateway}) may change it, not uid {user}"
        ));
    }
    let mut words = line.split_whitespace().skip(1);
    let role = match words.next() {
        Some("active") => Role::Active,
        Some("standby") => Role::Standby,
        _ => return Err("role: expected active or standby".into()),
    };
    let mut by = By {
        user: Some(user),
        name: Orderer::default(),
    };
    for word in words {
        let name = word.strip_prefix("by=").and_then(Orderer::new);
        by.name = name.ok_or_else(|| format!("role: {word} is not known"))?;
    }
    Ok((role, by))
}

/// Waits for the loop's answer.
///
/// # Errors
/// There is none.
pub(super) fn answer(taken: &Receiver<RoleTaken>) -> Result<RoleReply, String> {
    let taken = taken.recv_timeout(PATIENCE);
    let RoleTaken { changed, state } =
        taken.map_err(|_| "the gateway's loop stands still, or is stopping")?;
    Ok(RoleReply {
        protocol: PROTOCOL,
        role: state.role.label().into(),
        changed,
        by: state.by.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_gateways_user_change_the_role() {
        let by = |user, name| By {
            user: Some(user),
            name: Orderer::new(name).unwrap(),
        };
        for user in [0, 7] {
            let read = read("role active by=keepalived", user, 7);
            assert_eq!(read, Ok((Role::Active, by(user, "keepalived"))));
        }
        assert_eq!(read("role standby", 0, 7), Ok((Role::Standby, by(0, ""))));
        let refused = read("role standby", 8, 7).unwrap_err();
        assert!(
            refused.contains("uid 7") && refused.contains("uid 8"),
            "{refused}"
        );
        for wrong in [
            "role",
            "role master",
            "role active by=a\u{e9}",
            "role active now",
        ] {
            assert!(read(wrong, 0, 7).is_err(), "{wrong}");
        }
    }
}
