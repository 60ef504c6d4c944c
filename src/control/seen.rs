//! What `watch` replies: a line of JSON for each step of a message's way.

use serde::{Deserialize, Serialize};

/// The first line: whom one watches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watching {
    /// Version of the protocol: 1.
    pub protocol: u32,
    /// Interface upstream.
    pub up: String,
    /// Interface downstream.
    pub down: String,
    /// At most this many lines come in a second; what is beyond is counted.
    pub lines_per_s: u32,
}

/// A step of a message's way, or lines that were left out. What a step does not have is left out of its line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// What happened: `forward` (at once, or after a wait), `wait`, `depart` (an event message has its TX timestamp),
    /// `drop`, or `lost`.
    pub event: String,
    /// When, in nanoseconds since 1970 (UTC).
    pub time_ns: u64,
    /// The side that the message came from: `up` or `down`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// What the message is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its type, as in `delay_req`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// portIdentity of its sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// sequenceId.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_id: Option<u16>,
    /// portIdentity of the client that it is from, or answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Of `wait`: how long a Delay_Req is to be held after its arrival.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_ns: Option<u64>,
    /// Of `depart`: how long the message stayed; left out if that will never be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residence_ns: Option<u64>,
    /// Of `depart`: how long after its departure time that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_ns: Option<u64>,
    /// Of `forward`: what was added to correctionField.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction_ns: Option<f64>,
    /// Of `drop`, and of `depart` without a residence: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Length of the frame in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Of `drop`, if frames were asked for: the frame in hexadecimal digits, at most its first 2048 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<String>,
    /// Of `lost`: how many lines were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Of `lost`: `queue` (the control thread was behind the loop), `rate` (more came than `lines_per_s`), or `reader`
    /// (who watches did not read them).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
