//! What is counted: arrivals for each millisecond, and distributions of times.

pub mod arrivals;
pub mod recorder;
