//! A frame that tells switches where a station is: they look for its address where a frame came from it last.
//!
//! An exchange identification response of LLC (IEEE 802.2, 5.4.1.1.2) that nobody has asked for, to everybody: access
//! points send the same when a station roams to them. Hosts ignore it; it says nothing of IP addresses.

use super::address::Mac;
use super::field::ethernet;
use super::lane::Lane;

/// Null DSAP and SSAP (a response), XID with the final bit, its format, class 1, a window of one.
const XID: [u8; 6] = [0x00, 0x01, 0xAF, 0x81, 0x01, 0x02];
/// Its length, in place of an EtherType.
const XID_LEN: u16 = 6;

/// Writes the frame of a station on a lane. Its length, or `None` if there is no room.
pub(crate) fn moved(station: Mac, lane: Lane, out: &mut [u8]) -> Option<usize> {
    let mut len = 0;
    let mut put = |bytes: &[u8]| {
        let to = out.get_mut(len..len + bytes.len())?;
        to.copy_from_slice(bytes);
        len += bytes.len();
        Some(())
    };
    put(&[0xFF; 6])?;
    put(&station.0)?;
    for (tpid, vid) in lane.tags() {
        put(&tpid.to_be_bytes())?;
        put(&vid.to_be_bytes())?;
    }
    put(&XID_LEN.to_be_bytes())?;
    put(&XID)?;
    let end = ethernet::MIN_FRAME.max(len);
    out.get_mut(len..end)?.fill(0);
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Transport;

    #[test]
    fn it_names_the_station_within_its_vlans() {
        let station = Mac([2, 0, 0, 0, 0, 7]);
        let mut out = [0xEE; 64];
        let plain = Lane::new(Transport::Udp4, &[]);
        assert_eq!(moved(station, plain, &mut out), Some(60));
        let mut expected = [0; 60];
        expected[..6].fill(0xFF);
        expected[6..12].copy_from_slice(&station.0);
        expected[12..20].copy_from_slice(&[0, 6, 0, 1, 0xAF, 0x81, 1, 2]);
        assert_eq!(out[..60], expected);
        let tagged = Lane::new(Transport::Ethernet, &[(0x88A8, 100), (0x8100, 0x2005)]);
        assert_eq!(moved(station, tagged, &mut out), Some(60));
        assert_eq!(out[12..22], [0x88, 0xA8, 0, 100, 0x81, 0, 0, 5, 0, 6]);
        assert_eq!(moved(station, plain, &mut out[..59]), None);
    }
}
