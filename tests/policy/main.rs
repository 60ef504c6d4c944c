//! The policy of the forwarder, row by row and rule by rule, on the core alone.

mod frames;
mod gateway;
mod table;
