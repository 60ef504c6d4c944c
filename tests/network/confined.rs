//! Least privilege: what the running program keeps, and what fails once it is confined.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ptpproxy::ring::{GroupMembership, Interface};
use ptpproxy::run::confine;
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::ptp4l::TempDir;

use crate::host::ETHERNET;
use crate::installed;
use crate::proxy::{PATIENCE, Proxy, UP};
use crate::segments::Line;
use crate::syscalls::traced;

#[test]
fn the_running_program_keeps_no_right() {
    in_sandbox!({
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &[]);
        proxy.wait_for("confined:");
        let tasks = fs::read_dir(format!("/proc/{}/task", proxy.id())).unwrap();
        let mut threads = 0;
        for task in tasks {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or("?").trim().to_owned()
            };
            for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
                assert_eq!(field(set), "0000000000000000", "{set}");
            }
            assert_eq!(field("NoNewPrivs:"), "1");
            assert_eq!(field("Seccomp:"), "2", "filtered");
            threads += 1;
        }
        assert!(threads > 0);
        // What it does while confined: new clients change the filter, links are read again.
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.introduce();
        below.request(1, 1);
        assert!(above.expect(|message| message.sequence == 1).is_some());
        line.gateway.set_mtu(UP, 1400).unwrap();
        proxy.wait_for("up up0 is up, MTU 1400");
        let ended = proxy.stop();
        let refused = ended
            .log
            .iter()
            .filter(|line| line.contains("not permitted"));
        assert_eq!(refused.count(), 0, "{:#?}", ended.log);
    });
}

/// Nothing that it does itself is refused: links that come and go, new clients, stamps, the end.
#[test]
fn what_it_does_itself_is_allowed() {
    in_sandbox!({
        let Some(strace) = installed::find("strace", "strace") else {
            return;
        };
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--summary", "1s"]);
        proxy.wait_for("confined:");
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("calls");
        let mut command = Command::new(strace);
        command.args(["-f", "-Z", "-p"]).arg(proxy.id().to_string());
        command.arg("-o").arg(&file).stderr(Stdio::null());
        let mut tracer = line.gateway.spawn(&mut command).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !traced(proxy.id()) {
            assert!(Instant::now() < deadline, "strace does not attach");
            std::thread::sleep(Duration::from_millis(5));
        }
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.introduce();
        for client in 0..3 {
            below.request(client, 1);
            let request = above.next(Kind::DelayReq);
            above.answer(&request.expect("the request"));
            assert!(below.next(Kind::DelayResp).is_some());
        }
        line.gateway.delete(UP).unwrap();
        proxy.wait_for("up: the interface was deleted");
        line.cable_above();
        proxy.wait_for("up up0 is back");
        proxy.wait_for("delay_req/s up");
        let totals = proxy.stop().totals;
        let _ = tracer.wait();
        assert_eq!(
            totals.count("estimated"),
            0,
            "stamps are read: {}",
            totals.0
        );
        let calls = fs::read_to_string(&file).unwrap();
        let refused: Vec<_> = calls.lines().filter(|l| l.contains("EPERM")).collect();
        assert_eq!(refused, Vec::<&str>::new());
        assert!(
            !calls.is_empty(),
            "something fails: EAGAIN of an empty queue"
        );
    });
}

/// EPERM, the filter's answer.
fn refused<T>(what: &str, result: io::Result<T>) {
    let code = result.err().and_then(|error| error.raw_os_error());
    assert_eq!(code, Some(libc::EPERM), "{what}");
}

/// A system call by its number; all of its arguments are integers.
fn call(number: libc::c_long, arguments: [libc::c_long; 3]) -> io::Result<()> {
    let [a, b, c] = arguments;
    // SAFETY: each call below gets integers, or null where it wants a pointer: at worst it fails.
    let result = unsafe { libc::syscall(number, a, b, c) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[test]
fn what_an_intruder_needs_is_refused() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("there");
        fs::write(&file, "before").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();

        confine::drop_capabilities(&[]).unwrap();
        if let Err(error) = confine::allow_calls(false) {
            ptpproxy_lab::net::skip(&format!("{error:#}"));
            return;
        }
        refused("making a file", fs::write(folder.path().join("new"), "x"));
        refused(
            "writing a file",
            fs::OpenOptions::new().write(true).open(&file),
        );
        refused("appending", fs::OpenOptions::new().append(true).open(&file));
        refused("removing a file", fs::remove_file(&file));
        refused("renaming", fs::rename(&file, folder.path().join("else")));
        refused("a folder", fs::create_dir(folder.path().join("folder")));
        refused("a connection", TcpStream::connect(address));
        refused("a listener", TcpListener::bind("127.0.0.1:0"));
        refused("a datagram to somewhere", udp.send_to(b"x", address));
        refused("connecting a datagram socket", udp.connect(address));
        refused(
            "a program in our place",
            Err::<(), _>(Command::new("/bin/true").exec()),
        );
        refused("a program", Command::new("/bin/true").spawn());
        let nobody = 65_534;
        let parent = libc::c_long::from(std::os::unix::process::parent_id());
        let packet = libc::c_long::from(libc::AF_PACKET);
        let inet = libc::c_long::from(libc::AF_INET);
        let raw = libc::c_long::from(libc::SOCK_RAW);
        let attach = libc::c_long::from(libc::PTRACE_ATTACH);
        for (what, number, arguments) in [
            ("a packet socket", libc::SYS_socket, [packet, raw, 0]),
            ("a raw socket", libc::SYS_socket, [inet, raw, 17]),
            ("a process", libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0]),
            ("ptrace", libc::SYS_ptrace, [attach, parent, 0]),
            (
                "reading another's memory",
                libc::SYS_process_vm_readv,
                [parent, 0, 0],
            ),
            ("setuid", libc::SYS_setuid, [nobody, 0, 0]),
            ("capset", libc::SYS_capset, [0, 0, 0]),
            ("a signal to another", libc::SYS_kill, [parent, 0, 0]),
            ("unshare", libc::SYS_unshare, [0, 0, 0]),
            ("setns", libc::SYS_setns, [0, 0, 0]),
            ("mount", libc::SYS_mount, [0, 0, 0]),
            ("bpf", libc::SYS_bpf, [0, 0, 0]),
            ("io_uring", libc::SYS_io_uring_setup, [1, 0, 0]),
            ("userfaultfd", libc::SYS_userfaultfd, [0, 0, 0]),
            ("setting a clock", libc::SYS_clock_settime, [0, 0, 0]),
            ("chroot", libc::SYS_chroot, [0, 0, 0]),
            ("executable memory", libc::SYS_mprotect, [0, 0, 4]),
            ("keys", libc::SYS_keyctl, [0, 0, 0]),
        ] {
            refused(what, call(number, arguments));
        }

        // What forwarding needs still works.
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        let lo = Interface::lookup("lo").unwrap();
        let (groups, warnings) = GroupMembership::join(&lo);
        assert!(groups.families() > 0, "{warnings:?}");
        assert!(std::time::SystemTime::now() > std::time::UNIX_EPOCH);
        drop(vec![0_u8; 8 << 20]);
        let thread = std::thread::Builder::new().spawn(|| 7).unwrap();
        assert_eq!(thread.join().unwrap(), 7);
    });
}

/// The process that keeps hardware timestamps on has a right; so it can do little else.
#[test]
fn the_process_with_a_right_can_switch_timestamps_and_nothing_else() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("there");
        fs::write(&file, "before").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        // SAFETY: the new process makes nothing but the calls below, and ends by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            confine::keeper();
            let code = not_confined(&file, &udp);
            // SAFETY: ends the process without running anything else.
            unsafe { libc::_exit(code) };
        }
        assert!(child > 0);
        let mut status = 0;
        // SAFETY: the kernel writes one integer, which outlives the call.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status), "{status}");
        assert_eq!(
            libc::WEXITSTATUS(status),
            0,
            "the number of what it could do, or could not"
        );
    });
}

/// Which of these it could do, or could not though it needs to; 0 if all is as it should be.
fn not_confined(file: &std::path::Path, udp: &UdpSocket) -> i32 {
    use std::os::fd::AsRawFd as _;
    let code = |error: io::Error| error.raw_os_error();
    let refused = |result: io::Result<()>| result.err().and_then(code) == Some(libc::EPERM);
    let request = |request: libc::c_ulong| {
        let fd = libc::c_long::from(udp.as_raw_fd());
        // Null is no address: what passes the filter fails for that.
        let [fd, request] = [fd, libc::c_long::try_from(request).unwrap_or(-1)];
        call(libc::SYS_ioctl, [fd, request, 0])
    };
    let packet = libc::c_long::from(libc::AF_PACKET);
    let checks = [
        refused(fs::read(file).map(drop)),
        refused(fs::remove_file(file)),
        refused(UdpSocket::bind("127.0.0.1:0").map(drop)),
        refused(udp.send_to(b"x", "127.0.0.1:9").map(drop)),
        refused(call(libc::SYS_socket, [packet, libc::SOCK_RAW.into(), 0])),
        refused(call(libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0])),
        refused(call(libc::SYS_execve, [0, 0, 0])),
        refused(call(libc::SYS_capset, [0, 0, 0])),
        refused(call(libc::SYS_kill, [1, 0, 0])),
        refused(call(libc::SYS_bind, [udp.as_raw_fd().into(), 0, 0])),
        refused(request(libc::SIOCETHTOOL)),
        refused(request(libc::SIOCGIFADDR)),
        request(libc::SIOCGHWTSTAMP).err().and_then(code) == Some(libc::EFAULT),
        request(libc::SIOCSHWTSTAMP).err().and_then(code) == Some(libc::EFAULT),
        request(libc::SIOCGIFNAME).err().and_then(code) == Some(libc::EFAULT),
    ];
    let wrong = checks.iter().position(|&right| !right);
    wrong
        .and_then(|place| i32::try_from(place + 1).ok())
        .unwrap_or(0)
}
