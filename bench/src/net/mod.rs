//! Networks to try things in: namespaces joined by veth pairs and bridges, without root and with
//! nothing installed.
//!
//! A program enters a [`Sandbox`] as the first thing in its `main`; from then on it may make
//! networks, and nothing it does can reach the machine's own. A test writes its body inside
//! [`in_sandbox!`](crate::in_sandbox), which runs it in a process of its own.
//!
//! ```no_run
//! use ptpproxy_lab::net::{Namespace, Sandbox, Veth, veth};
//! use std::process::Command;
//!
//! fn main() -> anyhow::Result<()> {
//!     let _sandbox = Sandbox::enter()?; // before any thread is started
//!
//!     // gm:eth0 --- up0:gw:down0 --- eth0:clients
//!     let gm = Namespace::new("gm")?;
//!     let gw = Namespace::new("gw")?;
//!     let clients = Namespace::new("clients")?;
//!     veth(&gm, "eth0", &gw, "up0")?; // both ends come up
//!     Veth::new(&gw, "down0", &clients, "eth0")
//!         .mtu(9000)
//!         .macs([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
//!         .create()?;
//!
//!     gm.add_address("eth0", [10, 0, 0, 1], 24)?;
//!     gm.add_address("eth0", [0xfd00, 0, 0, 0, 0, 0, 0, 1], 64)?; // usable at once (no DAD)
//!     gm.add_route("eth0", [224, 0, 0, 0], 4)?; // multicast leaves by eth0
//!     gm.flush_neighbours("eth0")?; // it asks by ARP again
//!
//!     // A program in a namespace: killed when the guard is dropped, or when we die.
//!     let mut proxy = gw.spawn(Command::new("ptpproxy").args(["--up", "up0", "--down", "down0"]))?;
//!     // Our own code in a namespace, on a thread of its own: sockets opened there stay there.
//!     let socket = gm.run(|| std::net::UdpSocket::bind("10.0.0.1:319"))??;
//!
//!     gw.set_up("down0", false)?; // pull the cable
//!     proxy.stop(std::time::Duration::from_secs(2))?; // SIGTERM, then SIGKILL
//!     # drop(socket);
//!     Ok(())
//! }
//! ```
//!
//! What each part gives:
//!
//! * [`Sandbox::enter`]: a user namespace and a network namespace for this process (where user
//!   namespaces are refused but we are root, only the latter). The error says what to change.
//! * [`Namespace`]: a further network namespace, held by this value: links
//!   ([`link`](Namespace::link), [`set_up`](Namespace::set_up), [`set_mtu`](Namespace::set_mtu),
//!   [`set_mac`](Namespace::set_mac), [`rename`](Namespace::rename), [`delete`](Namespace::delete),
//!   [`bridge`](Namespace::bridge), [`macvlan`](Namespace::macvlan)), addresses, routes, neighbours
//!   ([`flush_neighbours`](Namespace::flush_neighbours)), [`sysctl`](Namespace::sysctl), [`run`](Namespace::run), [`spawn`](Namespace::spawn).
//!   [`Namespace::current`] is the one the caller is in.
//! * [`veth`] and [`Veth`]: a cable between two of them. Deleting an end, or dropping a namespace
//!   with its last process, removes the cable.
//! * [`Process`]: a child that does not outlive its guard. It derefs to [`std::process::Child`].
//!
//! No program started by [`Namespace::spawn`] can set a clock: CAP_SYS_TIME is taken from it.

mod link;
mod namespace;
mod process;
mod quiet;
mod rtnl;
mod sandbox;
mod skip;
mod stolen;
mod sys;
#[cfg(test)]
mod tests;
mod veth;

pub use link::{Link, Mac};
pub use namespace::Namespace;
pub use process::{Process, ignore_steering};
pub use sandbox::{Sandbox, retry, run_test};
pub use skip::{SKIP_IS_FAILURE, skip, skip_without_rights};
pub use stolen::least_stolen;
pub use veth::{Veth, veth};

/// Runs the body of a `#[test]` in a sandbox: the test binary runs itself again as a child that
/// enters a [`Sandbox`](crate::net::Sandbox) before it starts, for this one test.
///
/// Where the system refuses a sandbox, the test prints why it was skipped and passes, unless
/// `PTPPROXY_REQUIRE_PEERS=1` makes a skip a failure. One that fails while others had the processors is run
/// again ([`retry`](crate::net::retry)).
///
/// ```no_run
/// # use ptpproxy_lab::{in_sandbox, net::{Namespace, veth}};
/// #[test]
/// fn a_cable_has_two_ends() {
///     in_sandbox!({
///         let (a, b) = (Namespace::new("a").unwrap(), Namespace::new("b").unwrap());
///         veth(&a, "x", &b, "y").unwrap();
///         assert!(b.link("y").unwrap().up);
///     });
/// }
/// ```
#[macro_export]
macro_rules! in_sandbox {
    ($body:block) => {{
        fn here() {}
        $crate::net::run_test(::std::any::type_name_of_val(&here), || $body)
    }};
}
