//! What a running gateway reports, for people: `ptpproxy status`, `clients`, `top` and `reload`.
//!
//! | file | one idea |
//! |---|---|
//! | `command` | asks and prints |
//! | `status` | the state as a page of text |
//! | `clients` | the clients as a table |
//! | `fleet` | every gateway of the machine, one a line |
//! | `figures` | few digits, and always a unit |
//! | `top` | both, live in a terminal |

mod clients;
mod command;
mod figures;
mod fleet;
mod status;
mod top;

pub use command::run;
