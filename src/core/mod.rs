//! The pure core: it never reads a clock, a socket or a random device. Frames, timestamps, time and a seed are handed
//! in; verdicts and departures come out.
//!
//! # The whole forwarder
//!
//! ```text
//! receive  a frame with its RX timestamp: from upstream or from downstream
//! decide   foreign, not allowed, too many, twice, or seen on the other side: drop, and count the reason
//!          from downstream:
//!            Delay_Req     hold it for a drawn delay, or send it now; it is an open request of its client
//!            Signaling     send it;  Management: by the settings;  all else: drop
//!          from upstream:
//!            Sync          send it now;  one-step: make a Follow_Up for it
//!            Follow_Up     its Sync's residence is known: correct and send it;  not yet: keep it until then
//!            Delay_Resp    of an open request: as a Follow_Up;  of none: drop
//!            Announce      send it;  Signaling, Management: to our clients only;  all else: drop
//! hold     until the departure time, and one by one under --max-rate; no longer than max_hold
//! send     an event message is in flight from now on, and its token names it
//! fetch    the TX timestamp of a token, or after a while an estimate of the departure
//! residence = TX timestamp - RX timestamp, by one clock; no residence: drop what waits for it
//! scale    residence * (rate of the master / rate of the local clock)
//! complete the Follow_Up or Delay_Resp that waits: correctionField += residence; send it
//!          a second path is known: wait until everything was read; a copy of the event message among it: drop
//! ```
//!
//! # Words
//!
//! | word | means |
//! |---|---|
//! | *keep*, *release* | copy a frame into the frame store; give its memory back |
//! | *wait* | be kept: a request for its departure time, a general message for a residence |
//! | *hold* | wait for a departure time |
//! | *leave*, *depart* | go next; go into an egress slot |
//! | *launch*, *land* | be an event message in flight; be one no longer |
//! | *settle* | an event message's residence is known, or will never be |
//! | *drop* | the core lets a frame go no further, and counts the reason |
//! | *unsent* | a frame that the core had forwarded, but the port did not send: counted as dropped instead |
//! | *take back* | what a port does with a batch that it does not send: its frames are unsent |
//! | *lost* | an exchange without a residence: its general messages are dropped |
//! | *forget* | remove a row of a table |
//! | upstream, *above*, *up* | toward the grandmaster; downstream, *below*, *down*: toward the clients |
//!
//! # Parts
//!
//! [`Forwarder`] has a part for each thing to be known; each has private fields and says what it does by its methods.
//! Only `policy` sees more than one part, and no part sees the policy.
//!
//! | file | one idea |
//! |---|---|
//! | `policy` | [`Forwarder`]: what happens to each frame |
//! | `clients` | who is ours, and what they asked |
//! | `masters` | who sends time, and at what rate against ours |
//! | `signature`, `signatures` | which messages are signed as they should be; what is signed again |
//! | `refused_senders` | whose messages are refused for their signature |
//! | `syncs` | Sync with its Follow_Up, in either order |
//! | `hold` | what waits, until when, and what leaves next |
//! | `flight` | what was sent and awaits its TX timestamp, and its residence |
//! | `second_path` | another gateway beside us |
//! | `unicast`, `simple` | what has to be known of unicast; open requests of simple PTP |
//! | `source` | the gateway's own addresses, for what leaves upstream (`--source gateway`) |
//! | `stations` | addresses downstream that unicast goes to, where several forwarders share one upstream port |
//! | `neighbours` | who has which address on either side: ARP and neighbour discovery for unicast |
//! | `routed` | unicast between two subnets: routes, next hops, what waits for one |
//! | `open_management` | Management requests that may be answered |
//! | `account`, `event` | what happened, for whoever reads it |
//! | `tap` | each message's steps, for whoever watches |
//! | `settings` | what the core is told at its start and by a reload |
//! | `verdict` | what the core is told of a frame, and what it decides |
//! | `memory` | how much all this reserves |
//! | `state` | all that is known as bytes, for the process that takes its place |
//! | `residence` | how long a message stayed, in units of correctionField |
//! | `slope` | the slope of a line through noisy points |
//! | `refs` | how one part names a row of another |
//! | `bucket`, `table` | a rate limit; the hash table under it all, safe against chosen keys |
#![forbid(unsafe_code)]
#![warn(clippy::too_many_lines)]

mod account;
mod bucket;
mod clients;
mod event;
mod flight;
mod hold;
mod masters;
mod memory;
mod neighbours;
mod open_management;
mod policy;
mod refs;
mod refused_senders;
mod residence;
mod routed;
mod second_path;
mod settings;
mod signature;
mod signatures;
mod simple;
mod slope;
mod source;
mod state;
mod stations;
mod syncs;
mod table;
mod tap;
mod unicast;
mod verdict;

pub(crate) use clients::FRAMES_AHEAD;
pub use clients::allow_list::{AllowList, Sorted};
pub use clients::{ClientChange, Upcoming};
pub use event::Event;
pub use flight::{Lack, TxStamps};
pub use masters::Syntonizer;
pub use memory::reserved_bytes;
pub use neighbours::KeptNeighbour;
pub use policy::{Forwarder, Whose, whose};
pub use routed::{Route, RouteTable, Way};
pub use settings::{
    Authenticated, ClientMatch, Conflict, ManagementPolicy, OneStep, RelayNeighbours,
    RequireAuthentication, Settings, SettingsError, ValidSettings,
};
pub use source::SourceAddress;
pub use state::{Reader as StateReader, StateError, Writer as StateWriter};
pub use verdict::{Arrival, Departure, Edit, Relay, Token, Verdict};
