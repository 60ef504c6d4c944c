//! Orders to the loop: another role, and the configuration that was read again while the gateway runs.
//!
//! A disk may take its time, and a list of clients may be long: a thread of its own reads and parses, and
//! the loop only takes over what is ready. A bad file changes nothing.
//!
//! | file | one idea |
//! |---|---|
//! | `thread` | the thread that reads, and the handle by which it is asked |
//! | `order` | what is handed to the loop |
//! | `take_over` | the loop's part |
//! | `report` | what has changed, in words |

mod order;
mod report;
mod take_over;
mod thread;

pub(super) use order::{NewRole, Order, Orders, ToLoop};
#[cfg(test)]
pub(super) use order::{NewSettings, TakenOver};
pub use report::ReloadReport;
pub(super) use take_over::take_over;
pub use thread::Reloader;
pub(super) use thread::{Unstarted, prepare};
