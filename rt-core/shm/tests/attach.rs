//! Attaching and attaching again: who gets what, which memory the loop reads, and what people are
//! told when they get nothing.

mod common;

use std::os::fd::AsFd;

use common::{ROBOT, RawGuest, TestLoop, as_uid, client, run_dir};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rt_ring::{Newest, Read};
use rt_shm::protocol::{Code, Op, Request};
use rt_shm::{Client, MappedSlotReader, ShmError};
use rt_wire::topics::{self, COMMANDS, HEARTBEATS, TELEMETRY, Topic};
use rt_wire::{
    Command, Field, FieldType, Health, Heartbeat, KernelState, Observation, PlantStatus, Record,
    SimPins, Telemetry,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const PILOT_COMMAND: &Topic = &COMMANDS[2];

fn command(sequence: u64) -> Command {
    Command { sequence, ..Command::default() }
}

/// The command that the loop reads, from the memory installed last.
fn newest(test_loop: &TestLoop) -> Option<Command> {
    let world = test_loop.world.lock().unwrap();
    let (topic, mapping, _) = world.installed.last().expect("installed");
    rt_ring::SlotReader::<Command>::attach(mapping.words(), topic.layout_hash)
        .expect("a slot")
        .peek()
}

#[test]
fn readers_see_what_the_loop_writes() {
    let dir = run_dir();
    let mut test_loop = TestLoop::start(dir.path());
    let mut logger = client(dir.path(), topics::RLDS_LOGGER);
    let mut telemetry = logger.ring_reader::<Telemetry>(&TELEMETRY).expect("telemetry");
    let mut keyframes = logger.ring_reader::<KernelState>(&topics::KEYFRAME).expect("keyframes");
    let mut health = logger.slot_reader::<Health>(&topics::HEALTH).expect("health");
    assert_eq!(telemetry.read(), Read::Empty);
    assert_eq!(health.read(), Newest::Never);

    for _ in 0..3 {
        test_loop.writers.telemetry.publish(&Telemetry::default());
    }
    test_loop.writers.keyframe.publish(&KernelState::default());
    test_loop.writers.health.write(&Health::default());

    assert_eq!(telemetry.lag(), 3);
    assert_eq!(telemetry.read(), Read::Record { sequence: 1, record: Telemetry::default() });
    assert!(matches!(keyframes.read(), Read::Record { sequence: 1, .. }));
    assert_eq!(health.read(), Newest::New { sequence: 1, record: Health::default() });
    assert_eq!(telemetry.lost(), 0);

    let mut late = logger.ring_reader_from_oldest::<Telemetry>(&TELEMETRY).expect("telemetry");
    assert_eq!((late.lag(), late.next_sequence()), (3, 1));
    assert!(matches!(late.read(), Read::Record { sequence: 1, .. }));
}

#[test]
fn the_loop_reads_what_a_peer_writes() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let mut pilot = client(dir.path(), topics::PILOT);
    let mut slot = pilot.slot_writer::<Command>(PILOT_COMMAND).expect("pilot writes commands");
    slot.write(&command(7));
    assert_eq!(newest(&test_loop), Some(command(7)));
}

#[test]
fn the_loop_can_own_an_installed_slot_and_hand_it_to_its_thread() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let mut pilot = client(dir.path(), topics::PILOT);
    let mut slot = pilot.slot_writer::<Command>(PILOT_COMMAND).expect("pilot writes commands");
    slot.write(&command(8));
    let (topic, mapping, generation) = test_loop.world.lock().unwrap().installed.remove(0);
    let mut reader = MappedSlotReader::<Command>::attach(mapping, topic.layout_hash).expect("slot");
    assert_eq!(reader.generation(), generation);
    let read = std::thread::spawn(move || reader.read()).join().expect("read");
    assert_eq!(read, Newest::New { sequence: 1, record: command(8) });
}

#[test]
fn each_attach_gets_fresh_memory_and_the_old_one_is_read_no_more() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let mut first_pilot = client(dir.path(), topics::PILOT);
    let mut old = first_pilot.slot_writer::<Command>(PILOT_COMMAND).expect("first");
    old.write(&command(1));

    let mut second_pilot = client(dir.path(), topics::PILOT);
    let mut new = second_pilot.slot_writer::<Command>(PILOT_COMMAND).expect("second");
    assert_eq!(newest(&test_loop), None, "nothing of the first lives on in the second's memory");
    new.write(&command(2));
    old.write(&command(3));
    assert_eq!(newest(&test_loop), Some(command(2)));
    let world = test_loop.world.lock().unwrap();
    assert_ne!(world.installed[0].2, world.installed[1].2, "generations differ");
}

#[test]
fn memory_is_never_swapped_under_the_owner() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let mut pilot = client(dir.path(), topics::PILOT);
    let mut slot = pilot.slot_writer::<Command>(PILOT_COMMAND).expect("first");
    test_loop.world.lock().unwrap().owner = Some(topics::PILOT);

    let error = pilot.slot_writer::<Command>(PILOT_COMMAND).expect_err("it owns the car");
    assert_eq!(
        error.to_string(),
        "segment sim-donkey.pilot.command.slot: busy: pilot owns the car; attach again once it is \
         not Active"
    );
    slot.write(&command(4));
    assert_eq!(newest(&test_loop), Some(command(4)), "the owner's memory stands");
    // Refused before memory is made for it, not only before it is swapped in.
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    let request = Request::about(Op::Write, PILOT_COMMAND, PILOT_COMMAND.layout_hash).unwrap();
    assert_eq!(guest.ask(&request).expect("an answer").0.code, Code::Busy as u32);

    test_loop.world.lock().unwrap().owner = None;
    pilot.slot_writer::<Command>(PILOT_COMMAND).expect("it no longer owns the car");
}

#[test]
fn a_source_that_becomes_owner_while_it_attaches_is_refused() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    let request = Request::about(Op::Write, PILOT_COMMAND, PILOT_COMMAND.layout_hash).unwrap();
    let (offered, _fd) = guest.ask(&request).expect("an answer");
    assert_eq!(offered.code, Code::Offered as u32);
    test_loop.world.lock().unwrap().owner = Some(topics::PILOT);
    let mapped = Request { token: offered.token, ..Request::new(Op::Mapped) };
    assert_eq!(guest.ask(&mapped).expect("an answer").0.code, Code::Busy as u32);
    assert!(test_loop.world.lock().unwrap().installed.is_empty());
    // The offer is gone with that.
    assert_eq!(guest.ask(&mapped).expect("an answer").0.code, Code::NoOffer as u32);
}

#[test]
fn memory_that_nobody_maps_is_taken_back() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    let request = Request::about(Op::Write, PILOT_COMMAND, PILOT_COMMAND.layout_hash).unwrap();
    let (offered, _fd) = guest.ask(&request).expect("an answer");
    let (told, _) = guest.receive();
    let told = rt_shm::protocol::Reply::read_from_bytes(&told).expect("a reply");
    assert_eq!(told.code, Code::NoOffer as u32);
    let mapped = Request { token: offered.token, ..Request::new(Op::Mapped) };
    assert_eq!(guest.ask(&mapped).expect("an answer").0.code, Code::NoOffer as u32);
    assert!(test_loop.world.lock().unwrap().installed.is_empty());
}

/// A command as another build might have it: same name, other layout.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct OldCommand {
    words: [u64; 4],
}

impl FieldType for OldCommand {
    const TYPE_NAME: &'static str = "Command";
}

impl Record for OldCommand {
    const NAME: &'static str = "Command";
    const FIELDS: &'static [Field] = &[];
    const LAYOUT_HASH: u64 = 0x51c2;
}

#[test]
fn a_sidecar_of_another_build_is_told_both_layouts_and_what_to_rebuild() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let theirs = Topic { layout_hash: OldCommand::LAYOUT_HASH, ..*PILOT_COMMAND };
    let mut pilot = client(dir.path(), topics::PILOT);
    let error = pilot.slot_writer::<OldCommand>(&theirs).expect_err("another layout");
    let ours = Command::LAYOUT_HASH;
    assert_eq!(
        error.to_string(),
        format!(
            "segment sim-donkey.pilot.command.slot: layout 0x51c2, expected {ours:#x}: rebuild \
             pilot"
        )
    );
    assert!(test_loop.world.lock().unwrap().installed.is_empty());
    // The connection is not poisoned by a refusal.
    pilot.slot_writer::<Command>(PILOT_COMMAND).expect("the right layout");
}

#[test]
fn asking_for_the_wrong_type_is_found_before_the_loop_is_asked() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let mut logger = client(dir.path(), topics::RLDS_LOGGER);
    let error = logger.ring_reader::<KernelState>(&TELEMETRY).expect_err("another record");
    assert_eq!(
        error.to_string(),
        "segment sim-donkey.fast-loop.telemetry.ring: holds Telemetry (ring), asked for \
         KernelState (ring)"
    );
    let error = logger.slot_reader::<Telemetry>(&TELEMETRY).expect_err("a ring");
    assert!(matches!(error, ShmError::WrongRecord { kind: "ring", .. }), "{error}");
}

#[test]
fn each_process_gets_what_the_topic_table_gives_it_and_nothing_else() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let mut pilot = client(dir.path(), topics::PILOT);
    let error = pilot.slot_writer::<Command>(&COMMANDS[0]).expect_err("teleop's");
    assert_eq!(
        error.to_string(),
        "segment sim-donkey.teleop.command.slot: pilot may not have it: the topic table names \
         another writer"
    );
    let refused = |error: ShmError| matches!(error, ShmError::Refused { .. });
    assert!(refused(pilot.ring_reader::<KernelState>(&topics::KEYFRAME).expect_err("not its")));
    assert!(refused(pilot.slot_reader::<Command>(PILOT_COMMAND).expect_err("the loop's alone")));
    assert!(refused(pilot.slot_writer::<SimPins>(&topics::SIM_PINS).expect_err("the loop's")));

    let mut plant = client(dir.path(), topics::PLANT);
    plant.slot_reader::<SimPins>(&topics::SIM_PINS).expect("the plant reads the pins");
    plant.slot_writer::<Observation>(&topics::SIM_OBSERVATION).expect("and writes the sensors");
    plant.slot_writer::<PlantStatus>(&topics::SIM_STATUS).expect("and the truth");
}

#[test]
fn sim_segments_are_not_there_on_a_real_board() {
    let dir = run_dir();
    let _loop = TestLoop::start_with(dir.path(), false);
    let mut plant = client(dir.path(), topics::PLANT);
    let error = plant.slot_reader::<SimPins>(&topics::SIM_PINS).expect_err("no sim");
    assert!(error.to_string().contains("exists on the sim board only"), "{error}");
    let error = plant.slot_writer::<Observation>(&topics::SIM_OBSERVATION).expect_err("no sim");
    assert!(error.to_string().contains("exists on the sim board only"), "{error}");
}

#[test]
fn others_may_read_a_peers_slot_once_it_is_written() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let heartbeat = &HEARTBEATS[2];
    let mut top = client(dir.path(), topics::CONTINUON);
    let error = top.slot_reader::<Heartbeat>(heartbeat).expect_err("no pilot yet");
    assert_eq!(
        error.to_string(),
        "segment sim-donkey.pilot.heartbeat.slot: nobody writes it yet: start pilot"
    );
    let mut pilot = client(dir.path(), topics::PILOT);
    let mut writer = pilot.slot_writer::<Heartbeat>(heartbeat).expect("its heartbeat");
    writer.write(&Heartbeat::default());
    let mut reader = top.slot_reader::<Heartbeat>(heartbeat).expect("now it is there");
    assert_eq!(reader.read(), Newest::New { sequence: 1, record: Heartbeat::default() });
}

#[test]
fn a_slot_has_one_writing_process() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    // Another process of the same name holds the slot: here, a child that attaches and stays.
    let child = Child::start(dir.path());
    let mut pilot = client(dir.path(), topics::PILOT);
    let error = pilot.slot_writer::<Command>(PILOT_COMMAND).expect_err("two pilots");
    assert_eq!(
        error.to_string(),
        format!(
            "segment sim-donkey.pilot.command.slot: already written by pid {}: stop that process \
             first",
            child.0.id()
        )
    );
    child.kill();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while pilot.slot_writer::<Command>(PILOT_COMMAND).is_err() {
        assert!(std::time::Instant::now() < end, "the dead pilot's slot stays taken");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// This test program once more, as a second pilot.
struct Child(std::process::Child);

impl Child {
    fn start(dir: &std::path::Path) -> Self {
        use std::io::{BufRead, BufReader};
        let mut child = std::process::Command::new(std::env::current_exe().expect("this program"))
            .args(["second_pilot_that_stays", "--exact", "--ignored", "--nocapture"])
            .env("RT_SHM_TEST_DIR", dir)
            .stdout(std::process::Stdio::piped())
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let attached = lines.map_while(Result::ok).any(|line| line.ends_with("attached"));
        assert!(attached, "the child attaches");
        Self(child)
    }

    fn kill(mut self) {
        self.0.kill().expect("kill");
        self.0.wait().expect("wait");
    }
}

#[test]
#[ignore = "the child of a_slot_has_one_writing_process"]
fn second_pilot_that_stays() {
    let Some(dir) = std::env::var_os("RT_SHM_TEST_DIR") else { return };
    let mut pilot = client(std::path::Path::new(&dir), topics::PILOT);
    let _slot = pilot.slot_writer::<Command>(PILOT_COMMAND).expect("attach");
    println!("\nattached");
    // Ends when it is killed, or when the test that started it ends.
    std::io::stdin().read_line(&mut String::new()).expect("wait");
}

#[test]
fn a_dead_peer_is_noticed_once_its_last_connection_closes() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let mut first = client(dir.path(), topics::PILOT);
    let mut second = client(dir.path(), topics::PILOT);
    let third = client(dir.path(), topics::TELEOP);
    first.slot_writer::<Command>(PILOT_COMMAND).expect("attach");
    second.ring_reader::<Telemetry>(&TELEMETRY).expect("attach");
    drop(third);
    drop(first);
    // Something later on the same socket shows that the closing of `first` was seen.
    client(dir.path(), topics::PILOT);
    assert!(test_loop.world.lock().unwrap().detached.is_empty());
    drop(second);
    test_loop.until("pilot is detached", |world| world.detached == [topics::PILOT]);
}

#[test]
fn the_client_sees_the_loop_die_and_attaches_again_to_the_next() {
    let dir = run_dir();
    let mut first = TestLoop::start(dir.path());
    let mut pilot = client(dir.path(), topics::PILOT);
    let mut slot = pilot.slot_writer::<Command>(PILOT_COMMAND).expect("attach");
    let mut telemetry = pilot.ring_reader::<Telemetry>(&TELEMETRY).expect("attach");
    assert!(pilot.is_open());
    first.writers.telemetry.publish(&Telemetry::default());
    first.end();

    let mut fds = [PollFd::new(pilot.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::from(10_000_u16)), Ok(1), "readable when it closes");
    assert!(!pilot.is_open());
    assert!(matches!(pilot.slot_writer::<Command>(PILOT_COMMAND), Err(ShmError::Closed { .. })));
    // Its memory is still there, for as long as it wants it.
    slot.write(&command(1));
    assert!(matches!(telemetry.read(), Read::Record { sequence: 1, .. }));

    let second = TestLoop::start(dir.path());
    let mut pilot = client(dir.path(), topics::PILOT);
    let again = pilot.ring_reader::<Telemetry>(&TELEMETRY).expect("attach again");
    assert_ne!(again.generation(), telemetry.generation(), "another life");
    let mut slot = pilot.slot_writer::<Command>(PILOT_COMMAND).expect("attach again");
    slot.write(&command(2));
    assert_eq!(newest(&second), Some(command(2)));
}

#[test]
fn a_uid_that_the_robot_file_does_not_name_is_refused() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let us = nix::unistd::geteuid().as_raw();
    test_loop.world.lock().unwrap().refused_uids = vec![us];
    let error = Client::connect(dir.path(), ROBOT, topics::PILOT).expect_err("not this uid");
    assert_eq!(
        error.to_string(),
        format!("pilot: uid {us} may not attach: enter it under `uids` in the robot file")
    );
}

#[test]
fn another_user_is_kept_out_by_the_sockets_mode_and_by_its_credentials() {
    use std::os::unix::fs::PermissionsExt;
    const NOBODY: u32 = 65534;
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    test_loop.world.lock().unwrap().refused_uids = vec![NOBODY];
    let path = dir.path().to_owned();
    let try_it = move || Client::connect(&path, ROBOT, topics::PILOT).map(drop);
    let Some(by_mode) = as_uid(NOBODY, try_it.clone()) else { return };
    assert!(matches!(by_mode, Err(ShmError::Permission { uid: NOBODY, .. })), "{by_mode:?}");

    let socket = dir.path().join("segments.sock");
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666)).expect("chmod");
    let by_credentials = as_uid(NOBODY, try_it).expect("as before");
    assert!(matches!(by_credentials, Err(ShmError::Uid { uid: NOBODY, .. })), "{by_credentials:?}");
}

#[test]
fn a_loop_of_another_robot_says_so() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let error = Client::connect(dir.path(), "pi5-donkey", topics::PILOT).expect_err("another");
    assert!(error.to_string().contains("does not serve robot pi5-donkey"), "{error}");
}
