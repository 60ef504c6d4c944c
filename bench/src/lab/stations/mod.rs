//! Who takes part, each in a process and a namespace of its own: what they are told and what they saw
//! ([`assignment`]), the [`grandmaster`] (with [`unicast_master`], [`granting`], [`once`]), the [`clients`] (with
//! [`unicast_clients`], [`negotiation`], [`exchange`], [`syncs`], [`rogue`]), what both know of their [`neighbours`], and the two ends of a [`flood`].

pub mod assignment;
pub mod clients;
pub mod exchange;
pub mod flood;
pub mod grandmaster;
pub mod granting;
pub mod negotiation;
pub mod neighbours;
pub mod once;
pub mod rogue;
pub mod syncs;
pub mod unicast_clients;
pub mod unicast_master;
