//! What is counted: arrivals for each millisecond, answers for each tenth of a second, and distributions of times.

pub mod arrivals;
pub mod recorder;
pub mod timeline;
