//! The control socket: what the running gateway answers to `ptpproxy status` and its kin.
//!
//! A Unix stream socket, for the owner and the group of the gateway (mode 0660), served by a thread of its
//! own that reads the [board](crate::telemetry::Board); the forwarding loop does not take part.
//!
//! # Protocol, version 1
//!
//! One line of request, one JSON object as the reply, then the gateway closes. The first word is what is
//! asked, the rest are `key=value`:
//!
//! | request | reply |
//! |---|---|
//! | `status` | [`reply::Status`] |
//! | `clients sort=requests limit=20` | [`reply::ClientList`]; keys of `sort` are those of [`reply::Sort`] |
//! | `reload` | [`reply::Reloaded`] |
//! | `role standby by=keepalived` | [`reply::RoleReply`]; root and the gateway's user only |
//! | `take-over` | what the process needs that takes its place (`hand_over`); root and the gateway's user only |
//! | `watch clock=ID only=drops frames=yes` | [`seen::Watching`], then a [`seen::Seen`] a line until one end closes; root and the gateway's user only |
//!
//! Each reply holds `protocol` (1). What cannot be answered is `{"protocol":1,"error":"..."}`. New fields
//! may come without another number: a reader skips what it does not know. Names end in their unit.
//!
//! ```console
//! $ echo status | socat - UNIX-CONNECT:/run/ptpproxy/eth0-eth1.sock
//! ```
//!
//! A request may be 256 bytes long and take 2 s to arrive; a reply must be read within 10 s. At most 16 connections are
//! open: a new one closes the oldest; four more may watch. A list holds at most 10 000 clients, the first in the order asked for.
//!
//! | file | one idea |
//! |---|---|
//! | `socket` | where it is, who may open it |
//! | `server`, `connection` | the thread: bounds, requests, replies |
//! | `reply` | what replies are made of |
//! | `status` | a reply out of snapshots |
//! | `figures` | decimal numbers without binary noise |
//! | `listing`, `sort` | the first clients in an order |
//! | `observers` | who watches each message live, and gets a line for each step |
//! | `role` | who may have it forward or stand by |
//! | `hand_over` | who may take its place |
//! | `seen` | what those lines are made of |
//! | `watch` | reads the board: rates, and the log of what changed |
//! | `pace` | how often: once a second, less often in silence |
//! | `warnings` | what is wrong, out of two snapshots; `warnings/kind` lists each with its meaning |
//! | `client` | the other end: finds the socket and asks |
#![forbid(unsafe_code)]

pub mod client;
mod connection;
mod figures;
pub(crate) mod hand_over;
mod listing;
mod observers;
mod pace;
pub mod reply;
mod role;
pub mod seen;
mod server;
mod socket;
mod sort;
mod status;
mod warnings;
mod watch;

pub use hand_over::HandOver;
pub use role::{RoleTaken, SetRole};
pub use server::{Orders, Readers, Reload};
pub use socket::Place;
pub use warnings::WarningKind;

pub use crate::telemetry::{Orderer, Role};
