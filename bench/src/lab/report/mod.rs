//! What a run showed: figures and JSON ([`summary`]), the table ([`text`]), where each request that was lost
//! was lost ([`losses`]), the [`verdict`], a [`plot`]; and of a fail-over ([`failover`], [`failover_plot`]). All pictures
//! are drawn by `drawing`.

mod drawing;
pub mod failover;
pub mod failover_plot;
pub mod losses;
mod number;
pub mod plot;
pub mod summary;
pub mod text;
pub mod verdict;
