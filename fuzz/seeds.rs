//! Writes what the fuzz targets start from: `cargo run --bin seeds`, in this folder.
#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../tests/policy/frames.rs"]
mod frames;

use std::fs;
use std::io;
use std::path::Path;

use frames::*;
use ptpproxy::wire::{MessageType, PortIdentity};

fn main() -> io::Result<()> {
    for folder in ["frame", "script", "filter", "config"] {
        fs::create_dir_all(Path::new("corpus").join(folder))?;
    }
    let messages = [
        sync(1, 1),
        one_step(1, 2, 9),
        follow_up(1, 1, 9),
        announce(1, 1, clock(1)),
        delay_req(10, 2),
        delay_req(20, 2),
        delay_resp(1, 1, port(10)),
        delay_resp(1, 1, port(20)),
        signaling(1, 1, PortIdentity::ALL),
        grant(1, 1, port(10), 300),
        management(1, 3, port(30), RESPONSE),
        management(30, 4, port(1), GET),
        peer_delay(MessageType::PdelayReq, 1),
        sync(1, 3).signed(),
    ];
    let mut number = 0;
    for message in &messages {
        for transport in TRANSPORTS {
            for tags in TAGS {
                let frame = message.clone().on(Way { transport, tags }).bytes();
                number += 1;
                fs::write(
                    format!("corpus/frame/{number}"),
                    [&[9; 8], &frame[..]].concat(),
                )?;
                for how in 0..2 {
                    let input = [&[how, 0], &frame[..]].concat();
                    fs::write(format!("corpus/filter/{number}-{how}"), input)?;
                }
            }
        }
    }
    // Scripts: exchanges and Syncs that go well, then one step of each kind, at several settings.
    for what in 0..32_u8 {
        for head in [
            [0xC8, 2, 1],
            [0xC9, 2, 1],
            [0xE9, 2, 1],
            [0x41, 1, 1],
            [0xC0, 2, 1],
        ] {
            let mut script = head.to_vec();
            for round in 0..12 {
                script.extend([28, 0, round, 0xF8, 3, 0xFF, 0, 0]);
                script.extend([27, 2, round, 0xF8, 4, 0xFF, 0, 0]);
                script.extend([what, 0x12, round, 0xF8, round & 5, 0xFF, 0, 0]);
            }
            fs::write(
                format!("corpus/script/{what}-{}-{}", head[0], head[1]),
                script,
            )?;
        }
    }
    // Configuration files: those that are installed, and what people write by mistake.
    let deploy = Path::new("../deploy");
    let mut files = vec![fs::read_to_string(deploy.join("ptpproxy.toml"))?];
    for sample in fs::read_dir(deploy.join("samples"))? {
        files.push(fs::read_to_string(sample?.path())?);
    }
    let bare = files[0].replace("\n#", "\n").replace("\n ", "\n# ");
    files.push(bare);
    let mistakes = [
        "jitter = 20ms",
        "[limits]\nmax-rate = 5",
        "domain = [1, \"x\", 256]",
        "max_hold = \"\"\"5s\"\"\"",
        "a.b.c = { d = 1979-05-27 }",
        "spin = 0x1F\nspin = nan",
    ];
    files.extend(mistakes.map(str::to_owned));
    for (number, file) in files.iter().enumerate() {
        fs::write(format!("corpus/config/{number}"), file)?;
    }
    Ok(())
}
