//! A person at the real loop: a script, a terminal and, where the kernel lets one be made, a gamepad.
//!
//! What is proved: whatever goes missing of a person (the dead-man switch, the pad, the terminal, the
//! process) stops the car, and an e-stop goes two ways. The terminal is a pseudo-terminal whose other
//! side this test holds.

use evdev::uinput::VirtualDevice;
use evdev::{AbsInfo, AbsoluteAxisCode, AttributeSet, InputEvent, KeyCode, UinputAbsSetup};
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, tcgetattr};
use rt_shm::MappedRingReader;
use rt_wire::{Class, Fault, Mode, OperatorKind, Raw, Source, Telemetry};
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tests::real_robot::{Robot, Running, find, next, program, until, within};

/// The kernel's maker of input devices.
const UINPUT: &str = "/dev/uinput";
/// Without a good command for this long a person no longer drives.
const STALE_NS: u64 = 140_000_000;
/// How often a held key is told.
const REPEATS_EVERY: Duration = Duration::from_millis(50);

/// For a hang, not for a speed.
const PATIENCE: Duration = Duration::from_secs(60);
/// After this no key counts as held (`teleop.key_hold_ms` of the robot file, and more).
const LET_GO_FOR: Duration = Duration::from_millis(1000);

fn is_in(record: &Telemetry, mode: Mode) -> bool {
    record.outcome.mode == Raw::new(mode)
}

/// Active, ours and moving.
fn person_drives(record: &Telemetry) -> bool {
    is_in(record, Mode::Active)
        && record.outcome.owner == Raw::new(Source::Teleop)
        && record.observation.wheel.speed_m_per_s > 0.2
}

fn teleops_command(record: &Telemetry) -> &rt_wire::Command {
    let teleop = Source::Teleop.index().expect("teleop is a source");
    &record.inbox.commands[teleop].command
}

fn age_of_teleops_command_ns(record: &Telemetry) -> u64 {
    record.mono_ns.since(teleops_command(record).mono_ns)
}

/// Presses of the arm button, one of which is early enough on any machine.
fn presses_arm(from_s: f64) -> String {
    let press = |n: u32| {
        let at_s = from_s + 0.2 * f64::from(n);
        format!("{at_s:.1} arm on\n{:.1} arm off\n", at_s + 0.1)
    };
    (0..20).map(press).collect()
}

fn with_script(robot: &Robot, text: &str) -> Running {
    let file = robot.run_dir().with_file_name("drive.txt");
    std::fs::write(&file, text).expect("written");
    Running::start(robot.command("teleop").arg("--script").arg(file))
}

#[test]
fn script_drives_and_the_car_stops_when_the_switch_is_let_go_and_when_the_pad_is_unplugged() {
    let robot = Robot::without_driver();
    let (_client, mut reader) = robot.telemetry();
    let first = presses_arm(0.2);
    let again = presses_arm(8.2);
    let teleop = with_script(
        &robot,
        &format!(
            "0 dead-man on\n{first}4.2 await Active\n4.2 throttle 1\n5.2 steering 0.5\n\
             7.0 dead-man off\n7.0 await SafeStop\n7.0 throttle 0\n7.5 await Disarmed\n\
             8.0 dead-man on\n{again}12.2 await Active\n12.2 throttle 0.8\n14.5 pad off\n\
             14.6 await Disarmed\n15.0 end\n"
        ),
    );
    for what in ["the switch let go", "the pad unplugged"] {
        find(&mut reader, "a person who drives", person_drives);
        let stop = find(&mut reader, what, |record| is_in(record, Mode::SafeStop));
        assert!(stop.outcome.causes.contains(Fault::DeadManReleased), "{:?}", stop.outcome.causes);
        assert!(stop.outcome.level > 0, "it ramps, it does not jump");
    }
    let (status, told) = teleop.end();
    assert!(status.success(), "{told}");
}

#[test]
fn killed_teleop_stops_the_car_and_no_cycle_drives_on_for_longer_than_its_limit() {
    let robot = Robot::without_driver();
    let (_client, mut reader) = robot.telemetry();
    let arm = presses_arm(0.2);
    let script = format!("0 dead-man on\n{arm}4.2 await Active\n4.3 throttle 1\n");
    let teleop = with_script(&robot, &script);
    find(&mut reader, "a person who drives", person_drives);
    teleop.signal(Signal::SIGKILL);
    // Counted from the cycle that read it: how long a busy machine took from the person's hand to the
    // slot is not the loop's to know. A record that we missed may have read one.
    let (mut sequence, mut heard_at) = (0, None);
    let mut watch = |record: &Telemetry| {
        if record.outcome.classes[0] == Raw::new(Class::GoodAsking) {
            heard_at = Some(record.mono_ns);
        } else if record.sequence != sequence + 1 {
            heard_at = None;
        }
        sequence = record.sequence;
        let silent_ns = heard_at.map_or(0, |at| record.mono_ns.since(at));
        assert!(
            is_in(record, Mode::SafeStop) || silent_ns < STALE_NS,
            "driven on {silent_ns} ns after the last command"
        );
    };
    let stop = until("a stop", || {
        next(&mut reader, |record| {
            watch(record);
            is_in(record, Mode::SafeStop)
        })
    });
    let age_ms = age_of_teleops_command_ns(&stop) / 1_000_000;
    println!("last command to SafeStop: {age_ms} ms on the record's clock");
    assert!(stop.outcome.causes.contains(Fault::OwnerStale), "{:?}", stop.outcome.causes);
    assert!(!robot.ask(OperatorKind::Arm), "nobody owns: no arming");
}

/// Both sides of a pseudo-terminal; no child but those that are given one inherits any.
fn pseudo_terminal() -> nix::Result<(PtyMaster, File)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let person = posix_openpt(flags)?;
    grantpt(&person)?;
    unlockpt(&person)?;
    let mut line = File::options();
    line.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits());
    let line = line.open(ptsname_r(&person)?).expect("the other side");
    Ok((person, line))
}

/// A terminal with teleop in it, and this test at its other side.
struct Terminal {
    /// What a person types on.
    person: File,
    /// What a person has seen.
    screen: Arc<Mutex<String>>,
    /// Sees until nobody is at the other side any more, or `close` is told.
    sees: JoinHandle<()>,
    close: Sender<()>,
    /// Kept so that its modes can be looked at.
    line: File,
    program: Running,
}

impl Terminal {
    /// Teleop for `robot`, in a terminal.
    fn with_teleop(robot: &Robot) -> Option<Self> {
        Self::open(&robot.command("teleop"))
    }

    /// `None`, with a line that says so, where `setsid` is missing.
    fn open(program: &Command) -> Option<Self> {
        let (person, line) = pseudo_terminal().expect("a pseudo-terminal");
        // It gives a process that terminal as its own; without it Ctrl-C and a hang-up go nowhere.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args());
        let side = || line.try_clone().expect("a descriptor");
        command.stdin(side()).stdout(Stdio::piped()).stderr(side());
        if Command::new("setsid").arg("--version").stdout(Stdio::null()).status().is_err() {
            println!("skipped: no program setsid (util-linux) here");
            return None;
        }
        let program = Running::with_outputs(&mut command);
        let person = File::from(std::os::fd::OwnedFd::from(person));
        let mut eyes = person.try_clone().expect("a descriptor");
        let (close, closed) = channel::<()>();
        let screen = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&screen);
        let sees = thread::spawn(move || {
            let mut some = [0; 4096];
            // An error is the end: nobody is at the other side any more.
            loop {
                match eyes.read(&mut some) {
                    Ok(len) if len > 0 => {
                        let text = String::from_utf8_lossy(&some[..len]);
                        seen.lock().expect("text").push_str(&text);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if closed.recv_timeout(REPEATS_EVERY) != Err(RecvTimeoutError::Timeout) {
                            break;
                        }
                    }
                    Ok(_) | Err(_) => break,
                }
            }
        });
        Some(Self { person, screen, sees, close, line, program })
    }

    /// Waits until the person has seen these words.
    fn shows(&self, words: &str) {
        until(words, || self.screen.lock().expect("text").contains(words).then_some(()));
    }

    /// Waits for the program's end, and demands the terminal as it was; says what was seen.
    fn gives_back(self) -> (ExitStatus, String) {
        let (status, _told) = self.program.end();
        let modes = tcgetattr(&self.line).expect("a terminal");
        assert!(modes.local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO), "given back");
        drop(self.line);
        self.sees.join().expect("a reader");
        let screen = self.screen.lock().expect("text").clone();
        // The terminal keeps a stack of who asked for what: below ours is the shell's.
        let (asked, taken_back) = ("\x1b[>2u", "\x1b[<u");
        assert_eq!(
            (screen.matches(asked).count(), screen.matches(taken_back).count()),
            (1, 1),
            "releases asked for, and taken back: {screen:?}"
        );
        (status, screen)
    }

    fn types(&mut self, keys: &str) {
        self.person.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Holds a key, as a terminal tells it, until the loop says what is awaited, or for a while.
    fn holds(
        &mut self,
        key: &str,
        reader: &mut MappedRingReader<Telemetry>,
        fits: impl Fn(&Telemetry) -> bool,
    ) -> bool {
        for _ in 0..80 {
            self.types(key);
            thread::sleep(REPEATS_EVERY);
            while let rt_ring::Read::Record { record, .. } = reader.read() {
                if fits(&record) {
                    return true;
                }
            }
        }
        false
    }

    /// Arms and drives with keys alone. A machine that stalls lets go of every key; then the person
    /// begins anew, and a key that is to be a press must have been let go before.
    fn drives(&mut self, reader: &mut MappedRingReader<Telemetry>) {
        until("keys are taken", || self.takes_keys().then_some(()));
        let drives = within(PATIENCE, || {
            let active = self.holds("a", reader, |record| is_in(record, Mode::Active));
            // Throttle counts once teleop has seen the car Active with its stick in the middle.
            let seen_by_teleop = active
                && (0..6).all(|_| {
                    self.types("a");
                    thread::sleep(REPEATS_EVERY);
                    true
                });
            let drives = seen_by_teleop && self.holds("\x1b[A", reader, person_drives);
            if !drives {
                thread::sleep(LET_GO_FOR);
            }
            drives.then_some(())
        });
        // What the person saw tells why.
        let screen = self.screen.lock().expect("text").clone();
        assert!(
            drives.is_some(),
            "no drive with keys: {}",
            screen.rsplit("teleop").next().unwrap_or("")
        );
    }

    fn takes_keys(&self) -> bool {
        let modes = tcgetattr(&self.line).expect("a terminal");
        !modes.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO)
    }
}

#[test]
fn space_in_the_terminal_is_an_estop_by_both_ways() {
    let robot = Robot::without_driver();
    let (_client, mut reader) = robot.telemetry();
    let Some(mut terminal) = Terminal::with_teleop(&robot) else { return };
    terminal.drives(&mut reader);
    terminal.types(" ");
    let stop = find(&mut reader, "the latch", |record| is_in(record, Mode::EStopLatched));
    assert_eq!((stop.outcome.level, stop.outcome.pulses.flags.0), (0, 0));
    find(&mut reader, "the e-stop of the slot and that of the socket", |record| {
        let latched = record.outcome.latched_causes;
        latched.contains(Fault::EstopSource) && latched.contains(Fault::EstopOperator)
    });

    // Reset is a key too; then q, and the terminal is as it was.
    until("reset", || {
        terminal.types("r");
        thread::sleep(REPEATS_EVERY);
        while let rt_ring::Read::Record { record, .. } = reader.read() {
            if is_in(&record, Mode::Disarmed) {
                return Some(());
            }
        }
        None
    });
    terminal.types("q");
    let (status, screen) = terminal.gives_back();
    assert!(status.success());
    assert!(screen.contains("EStopLatched") && screen.contains("space e-stop"), "{screen}");
    assert!(screen.ends_with("\x1b[<u\x1b[?25h"), "the cursor is back: {screen:?}");
}

#[test]
fn closed_terminal_stops_the_car_and_ends_teleop() {
    let robot = Robot::without_driver();
    let (_client, mut reader) = robot.telemetry();
    let Some(mut terminal) = Terminal::with_teleop(&robot) else { return };
    terminal.drives(&mut reader);
    let Terminal { person, sees, close, line, program, .. } = terminal;
    close.send(()).expect("it reads");
    sees.join().expect("a reader");
    drop((person, line));
    let stop = find(&mut reader, "a stop", |record| is_in(record, Mode::SafeStop));
    assert!(stop.outcome.level > 0, "it ramps, it does not jump");
    // Until it stands teleop goes on asking for the stop, at its own rate and no faster: a slot that
    // is written without a pause is torn whenever the loop looks.
    let end = find(&mut reader, "the end of the stop", |record| is_in(record, Mode::Disarmed));
    let said = teleops_command(&end).sequence - teleops_command(&stop).sequence;
    assert!(said < 200, "{said} commands in one stop");
    assert!(program.end().0.success());
}

#[test]
fn person_who_lets_go_of_every_key_stops_the_car() {
    let robot = Robot::without_driver();
    let (_client, mut reader) = robot.telemetry();
    let Some(mut terminal) = Terminal::with_teleop(&robot) else { return };
    terminal.drives(&mut reader);
    let stop = find(&mut reader, "a stop", |record| is_in(record, Mode::SafeStop));
    assert!(stop.outcome.causes.contains(Fault::DeadManReleased), "{:?}", stop.outcome.causes);
    // Ctrl-\ is a way to leave as `q` is, and no signal that leaves the terminal as it is.
    terminal.types("\x1c");
    let (status, _) = terminal.gives_back();
    assert!(status.success(), "{status}");
}

/// `continuon sim` into a folder of this test.
fn sim(out: &Path) -> Command {
    let mut command = program("continuon");
    command.args(["sim", "--track", "oval", "--out"]).arg(out);
    command
}

#[test]
fn keys_of_the_runs_screen_stop_reset_and_end_it_and_the_terminal_is_given_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut terminal) = Terminal::open(sim(folder.path()).args(["--seconds", "600"])) else {
        return;
    };
    terminal.shows("space e-stop   a arm   d disarm   r reset   q end the run");
    terminal.shows("laps  Active");
    terminal.types(" ");
    terminal.shows("estop: done, now EStopLatched");
    terminal.types("a");
    terminal.shows("arm: refused");
    terminal.types("r");
    terminal.shows("reset: done");
    terminal.types("q");
    let (status, screen) = terminal.gives_back();
    assert!(status.success(), "{screen}");
}

#[test]
fn person_who_drives_a_simulated_run_has_the_terminal_and_gets_it_back_though_teleop_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut terminal) = Terminal::open(sim(folder.path()).args(["--drive", "teleop"])) else {
        return;
    };
    terminal.shows("arrows drive");
    until("the car is Active", || {
        for _ in 0..80 {
            terminal.types("a");
            thread::sleep(REPEATS_EVERY);
            if terminal.screen.lock().expect("text").contains("Active") {
                return Some(());
            }
        }
        thread::sleep(LET_GO_FOR);
        None
    });
    let run = std::fs::read_dir(folder.path()).expect("a folder").flatten().next();
    let run_dir = run.expect("one run").path();
    let pid = rt_shm::Client::connect(&run_dir, "sim-donkey", rt_wire::topics::CONTINUON)
        .expect("the loop serves")
        .slot_reader::<rt_wire::Heartbeat>(&rt_wire::topics::HEARTBEATS[0])
        .ok()
        .and_then(|mut heartbeat| match heartbeat.read() {
            rt_ring::Newest::New { record, .. } => i32::try_from(record.pid).ok(),
            _ => None,
        });
    let pid = nix::unistd::Pid::from_raw(pid.expect("teleop gives a heartbeat"));
    nix::sys::signal::kill(pid, Signal::SIGKILL).expect("it runs");
    let (status, screen) = terminal.gives_back();
    assert_eq!(status.code(), Some(1), "{screen}");
}

#[test]
fn person_who_leaves_a_simulated_run_has_the_terminal_given_back_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut terminal) = Terminal::open(sim(folder.path()).args(["--drive", "teleop"])) else {
        return;
    };
    terminal.shows("arrows drive");
    terminal.types("q");
    let (status, screen) = terminal.gives_back();
    assert_eq!(status.code(), Some(1), "nobody armed the car: {screen}");
}

#[test]
fn script_drives_a_simulated_run_and_without_terminal_or_script_there_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("drive.txt");
    let drive = "0 dead-man on\n0 await Active\n0.2 throttle 0.8\n1.5 throttle 0\n2 end\n";
    std::fs::write(&script, drive).expect("written");
    let run = |more: &[&str]| {
        let mut command = sim(folder.path());
        command.args(["--drive", "teleop", "--json"]).args(more).stdin(Stdio::null());
        command.output().expect("it starts")
    };
    let output = run(&["--script", script.to_str().expect("text")]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let report: serde_json::Value = serde_json::from_str(told.trim()).expect("one JSON object");
    assert_eq!(
        (report["verdict"].as_str(), report["mode_final"].as_str()),
        (Some("ok"), Some("Disarmed"))
    );
    assert!(report["plant"]["distance_m"].as_f64().is_some_and(|m| m > 0.3), "{told}");

    if Path::new("/dev/input").exists() {
        println!("skipped: this machine may have a gamepad");
        return;
    }
    let output = run(&[]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("nothing to drive with"), "{told}");
}

/// A gamepad that this test is.
fn gamepad() -> std::io::Result<VirtualDevice> {
    let mut keys = AttributeSet::<KeyCode>::new();
    for key in [KeyCode::BTN_TL, KeyCode::BTN_EAST, KeyCode::BTN_START, KeyCode::BTN_SELECT] {
        keys.insert(key);
    }
    let stick = |code| UinputAbsSetup::new(code, AbsInfo::new(0, -32_768, 32_767, 0, 0, 0));
    VirtualDevice::builder()?
        .name("continuon test pad")
        .with_keys(&keys)?
        .with_absolute_axis(&stick(AbsoluteAxisCode::ABS_X))?
        .with_absolute_axis(&stick(AbsoluteAxisCode::ABS_RY))?
        .build()
}

fn key(code: KeyCode, down: bool) -> InputEvent {
    InputEvent::new(evdev::EventType::KEY.0, code.0, i32::from(down))
}

#[test]
fn gamepad_drives_and_pulling_it_out_stops_the_car() {
    if !Path::new(UINPUT).exists() {
        println!("skipped: no {UINPUT}, so no gamepad can be made here");
        return;
    }
    let robot = Robot::without_driver();
    let (_client, mut reader) = robot.telemetry();
    let _teleop = Running::start(robot.command("teleop").args(["--input", "pad"]));
    let mut pad = gamepad().expect("a gamepad");
    find(&mut reader, "ready", |record| is_in(record, Mode::Disarmed));
    until("the car arms", || {
        pad.emit(&[key(KeyCode::BTN_TL, true)]).expect("emitted");
        thread::sleep(Duration::from_millis(100));
        pad.emit(&[key(KeyCode::BTN_START, true)]).expect("emitted");
        thread::sleep(Duration::from_millis(100));
        pad.emit(&[key(KeyCode::BTN_START, false)]).expect("emitted");
        while let rt_ring::Read::Record { record, .. } = reader.read() {
            if is_in(&record, Mode::Arming) {
                return Some(());
            }
        }
        None
    });
    find(&mut reader, "the car is Active", |record| is_in(record, Mode::Active));
    thread::sleep(Duration::from_millis(100));
    let forward =
        InputEvent::new(evdev::EventType::ABSOLUTE.0, AbsoluteAxisCode::ABS_RY.0, -32_768);
    pad.emit(&[forward]).expect("emitted");
    find(&mut reader, "a person who drives", person_drives);
    drop(pad);
    let stop = find(&mut reader, "a stop", |record| is_in(record, Mode::SafeStop));
    assert!(stop.outcome.causes.contains(Fault::DeadManReleased), "{:?}", stop.outcome.causes);
}

#[test]
fn nothing_to_drive_with_and_a_script_that_means_nothing_are_refused_with_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let teleop = || {
        let mut command = program("teleop");
        command.args(["--robot", "sim-donkey", "--run-dir"]).arg(folder.path().join("run"));
        command.stdin(Stdio::null());
        command
    };
    let output = teleop().args(["--input", "keyboard"]).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("standard input is no terminal"), "{told}");

    let script = folder.path().join("drive.txt");
    std::fs::write(&script, "0 dead-man on\n1 throtle 1\n").expect("written");
    let output = teleop().arg("--script").arg(&script).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("line 2") && told.contains("nearest valid name: throttle"), "{told}");
}
