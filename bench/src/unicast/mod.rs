//! How unicast clients fare beside multicast clients, at the same time: [`place`] says where each is measured, [`measure`]
//! does it, [`pooled`] takes all rounds together, [`report`] compares.

pub mod measure;
pub mod place;
pub mod pooled;
pub mod report;
