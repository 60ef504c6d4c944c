//! The pure core: it never reads a clock, a socket or a random device. Frames, stamps, time and a
//! seed are handed in; verdicts and departures come out.
//!
//! | file | one idea |
//! |---|---|
//! | `forwarder` | the state machine that the loop drives |
//! | `from_up`, `from_down` | the policy, a function for each row of its table; the longer ones have files: |
//! | `two_step`, `request`, `response` | Sync and Follow_Up; Delay_Req; Delay_Resp |
//! | `management` | Management, each question answered to who asked |
//! | `admission` | who becomes our client |
//! | `clients`, `open` | who is ours, and what they asked |
//! | `foreign` | who was heard on the other side, for roaming and second paths |
//! | `echoes` | Signaling that comes round by a second path |
//! | `syncs` | Sync with its Follow_Up, in either order |
//! | `masters`, `syntonizer` | who sends time, and at what rate against ours |
//! | `waiting`, `departures`, `store` | what waits, until when, where its bytes are, and how it leaves |
//! | `flights`, `in_flight`, `estimate` | what was sent and awaits its stamp, or goes without |
//! | `foresight` | the memory of clients, asked for before their frames come |
//! | `peer_delay` | who was told that peer delay is not forwarded |
//! | `shown` | what others may see of it |
//! | `residence`, `clock_watch` | how long a message stayed, measured on a steady clock |
//! | `listed` | lists of who may pass |
//! | `sweep` | who was silent for too long, some rows a turn |
//! | `apply` | other settings while it runs |
//! | `table` | the hash table under it all, safe against chosen keys |
#![forbid(unsafe_code)]

mod admission;
mod apply;
mod clients;
mod clock_watch;

mod departures;
mod echoes;
mod estimate;
mod event;
mod flights;
mod foreign;
mod foresight;
mod forwarder;
mod from_down;
mod from_up;
mod in_flight;
mod limits;
mod listed;
mod management;
mod masters;
mod open;
mod peer_delay;
mod request;
mod residence;
mod response;
mod second_path;
mod settings;
mod shown;
mod store;
mod sweep;
mod syncs;
mod syntonizer;
mod table;
mod two_step;
mod verdict;
mod waiting;

pub use clients::ClientChange;
pub use clock_watch::ClockWatch;
pub use event::Event;
pub use foresight::Foreseen;
pub use forwarder::Forwarder;
pub use listed::{AllowList, Sorted};
pub use settings::{
    Authenticated, ClientMatch, ManagementPolicy, OneStep, Settings, SettingsError,
};
pub use syntonizer::Syntonizer;
pub use verdict::{Arrival, Departure, Edit, Verdict};
