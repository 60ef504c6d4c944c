//! What a frame is called in logs, replays and tests.

use std::fmt;

use super::frame::Frame;

/// What to call the message in a line of text: `Delay_Req 001122.fffe.334455-1 #7 udp4 vlan 5`. Domain and
/// majorSdoId are named where they are not 0; of a Delay_Resp also the port that it answers.
impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lane, sequence_id) = (self.lane(), self.sequence_id());
        let source = self.port_identity();
        write!(f, "{} {source} #{sequence_id} ", self.message_type().name())?;
        f.write_str(lane.transport().label())?;
        let vlans = lane.vlans().into_iter().flatten();
        for (word, vlan) in [" vlan ", "."].into_iter().zip(vlans) {
            write!(f, "{word}{vlan}")?;
        }
        if self.domain() != 0 {
            write!(f, " domain {}", self.domain())?;
        }
        if self.major_sdo_id() != 0 {
            write!(f, " sdo {}", self.major_sdo_id())?;
        }
        match self.requesting_port() {
            Some(client) => write!(f, " to {client}"),
            None => Ok(()),
        }
    }
}
