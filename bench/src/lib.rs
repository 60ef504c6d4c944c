//! The lab of ptpproxy: networks made for it, load, peers and comparisons.

pub mod accuracy;
pub mod counting;
pub mod forwarders;
pub mod lab;
pub mod million;
pub mod net;
pub mod network;
pub mod peers;
pub mod ptp4l;
pub mod scale;
pub mod sim;
pub mod unicast;
