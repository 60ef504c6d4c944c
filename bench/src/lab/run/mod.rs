//! One run, from network to numbers: the [`scene`], the [`forwarder`] in each gateway, the [`generator`]
//! processes; then [`exchanges`], a [`flood`], or a fail-over ([`standby`]). [`machine`] reads what it took, [`totals`] what
//! ptpproxy counted.

pub mod exchanges;
pub mod flood;
pub mod forwarder;
pub mod generator;
pub mod machine;
pub mod scene;
pub mod standby;
pub mod totals;
