//! The lab of ptpproxy.

pub mod net;
pub mod ptp4l;
pub mod sim;
