//! What a frame is called in logs, replays, watches and tests.

use std::fmt;

use super::frame::Frame;
use super::identity::PortIdentity;
use super::lane::Lane;
use super::message::MessageType;

/// What to call a message in a line of text: `Delay_Req 001122.fffe.334455-1 #7 udp4 vlan 5`. Domain and
/// majorSdoId are named where they are not 0; of a Delay_Resp also the port that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// messageType.
    pub message: MessageType,
    /// sourcePortIdentity.
    pub sender: PortIdentity,
    /// sequenceId.
    pub sequence_id: u16,
    /// Transport and VLANs.
    pub lane: Lane,
    /// domainNumber.
    pub domain: u8,
    /// majorSdoId.
    pub major_sdo_id: u8,
    /// requestingPortIdentity of a Delay_Resp.
    pub requester: Option<PortIdentity>,
}

impl Frame<'_> {
    /// What its message is called.
    #[must_use]
    pub fn name(&self) -> Name {
        Name {
            message: self.message_type(),
            sender: self.port_identity(),
            sequence_id: self.sequence_id(),
            lane: self.lane(),
            domain: self.domain(),
            major_sdo_id: self.major_sdo_id(),
            requester: self.requesting_port(),
        }
    }
}

impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sender,
            sequence_id,
            ..
        } = self;
        write!(f, "{} {sender} #{sequence_id} ", self.message.name())?;
        f.write_str(self.lane.transport().label())?;
        let vlans = self.lane.vlans().into_iter().flatten();
        for (word, vlan) in [" vlan ", "."].into_iter().zip(vlans) {
            write!(f, "{word}{vlan}")?;
        }
        if self.domain != 0 {
            write!(f, " domain {}", self.domain)?;
        }
        if self.major_sdo_id != 0 {
            write!(f, " sdo {}", self.major_sdo_id)?;
        }
        match self.requester {
            Some(client) => write!(f, " to {client}"),
            None => Ok(()),
        }
    }
}
