//! The policy of the forwarder, row by row and rule by rule, on the core alone.

mod abuse;
mod answered;
mod any_script;
mod apply;
mod captures;
mod clients;
mod exchanges;
mod grants;
mod handed_over;
mod holds;
mod limits;
mod masters;
mod memory;
mod neighbours;
mod ntp;
mod other_way;
mod own_mac;
mod paths;
mod roles;
mod routed;
mod same_multicast;
mod signed;
mod simple;
mod source;
mod stations;
mod table;
mod watched;

use testkit::{frames, gateway, script, signatures};
