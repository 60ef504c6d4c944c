//! How unicast clients fare beside multicast clients, through one gateway in one run: [`place`] says where each is measured,
//! [`measure`] does it, [`report`] compares.

pub mod measure;
pub mod place;
pub mod report;
