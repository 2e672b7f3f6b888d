//! Who may arm, what forbids it, and what ends it.

use super::{Event, class};
use crate::support::{MS, Rig, is_dead};
use Source::{Inference, Pilot, Teleop};
use rt_wire::{
    Class, Command, CommandFlags, Fault, HeartbeatFlags, HousekeepingFlags, InboxCommand, Limits,
    LimitsFlags, LineSet, Microseconds, Mode, MonoNs, OperatorKind, Raw, Source, Validity,
};

const PILOT: usize = 2;

#[test]
fn arming_is_refused_with_every_reason_that_holds() {
    let mut rig = Rig::disarmed();
    assert_eq!(rig.interlocks(), ["no-owner"]);
    rig.send(Pilot, 0.0, 0.0);
    assert!(rig.interlocks().is_empty());
    rig.send(Pilot, 0.0, 0.2);
    assert_eq!(rig.interlocks(), ["owner-not-neutral"]);
    rig.cycles(90);
    assert_eq!(rig.interlocks(), ["owner-stale"], "an old command asks for nothing");
    rig.set_line(LineSet::DISARM_PRESSED, true);
    rig.observation.imu.validity = Raw::new(Validity::Valid);
    rig.observation.imu.accel_m_per_s2[2] = 500.0;
    assert_eq!(rig.interlocks(), ["owner-stale", "degraded", "disarm-held"]);
    rig.operator(OperatorKind::Arm);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));

    let mut rig = Rig::new();
    rig.set_line(LineSet::ESTOP_A_OPEN, true);
    rig.housekeeping(HousekeepingFlags::SEALED, false);
    assert_eq!(rig.interlocks(), ["estop-asserted", "no-owner", "not-sealed", "self-test-pending"]);
}

#[test]
fn overload_is_an_interlock_while_it_lasts() {
    let mut rig = Rig::disarmed();
    rig.overran = true;
    for _ in 0..19 {
        rig.send(Pilot, 0.0, 0.0);
        assert!(!rig.interlocks().contains(&"overload"));
        rig.cycle();
    }
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["overload"]);
    rig.operator(OperatorKind::Arm);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));
}

#[test]
fn overload_within_the_window_is_an_interlock_too() {
    let ladder = |limits: &mut Limits| (limits.late_consecutive, limits.late_per_1000) = (99, 3);
    let mut rig = Rig::with(ladder).booted();
    for late in [true, false, true, false] {
        rig.overran = late;
        rig.send(Pilot, 0.0, 0.0);
        assert!(rig.interlocks().is_empty());
        rig.cycle();
    }
    rig.overran = true;
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["overload"]);
    rig.cycle();
    // It lasts for as long as they are in the window.
    rig.overran = false;
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["overload"]);
}

#[test]
fn a_fatal_cause_is_told_in_its_own_cycle() {
    let mut rig = Rig::disarmed();
    rig.send(Pilot, 0.0, 0.0);
    rig.observation.drive_error_count = 2;
    assert_eq!(rig.interlocks(), ["faulted"]);
}

#[test]
fn pins_the_operator_and_teleop_may_arm_and_others_may_not() {
    let mut rig = Rig::disarmed();
    rig.send(Pilot, 0.0, 0.0);
    rig.set_line(LineSet::ARM_PRESSED, true);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Arming));

    let mut rig = Rig::disarmed();
    rig.send(Teleop, 0.0, 0.0);
    rig.cycle();
    let asks = |command: &mut Command| command.flags |= CommandFlags::ARM;
    assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Arming));

    for source in [Inference, Pilot] {
        let mut rig = Rig::disarmed();
        rig.send(source, 0.0, 0.0);
        rig.cycle();
        let outcome = rig.send_edited(source, asks);
        assert_eq!(outcome.mode.get(), Some(Mode::Disarmed));
        assert_eq!(class(&outcome, source), Class::Bad);
    }
}

#[test]
fn an_arm_request_older_than_a_second_is_given_up_but_a_disarm_never_is() {
    for (beyond_ns, mode) in [(0, Mode::Arming), (1, Mode::Disarmed)] {
        let mut rig = Rig::disarmed();
        rig.send(Pilot, 0.0, 0.0);
        rig.operator(OperatorKind::Arm);
        // The cycle that takes it begins a period after `now`.
        rig.inbox.operator.mono_ns = MonoNs(rig.now().0 + MS - 1000 * MS - beyond_ns);
        assert_eq!(rig.cycle().mode.get(), Some(mode), "{beyond_ns} ns beyond a second");
    }
    // A reset is the first step towards motion.
    for (beyond_ns, mode) in [(0, Mode::SelfTest), (1, Mode::EStopLatched)] {
        let mut rig = Rig::disarmed();
        rig.inbox.estop.sequence += 1;
        rig.cycle();
        rig.operator(OperatorKind::Reset);
        rig.inbox.operator.mono_ns = MonoNs(rig.now().0 + MS - 1000 * MS - beyond_ns);
        assert_eq!(rig.cycle().mode.get(), Some(mode), "{beyond_ns} ns beyond a second");
    }
    let mut rig = Rig::active(Pilot);
    rig.operator(OperatorKind::Disarm);
    rig.inbox.operator.mono_ns = MonoNs(1);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::SafeStop));
}

#[test]
fn teleop_that_holds_its_arm_flag_asks_once() {
    let asks = |command: &mut Command| command.flags |= CommandFlags::ARM;
    // Stuck from its first command on: never pressed.
    let mut rig = Rig::disarmed();
    for _ in 0..5 {
        assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Disarmed));
        rig.cycles(10);
    }
    // Held while an interlock goes away: pressed too early.
    let mut rig = Rig::disarmed();
    rig.send(Teleop, 0.0, 0.0);
    rig.set_line(LineSet::DISARM_PRESSED, true);
    rig.cycle();
    rig.send_edited(Teleop, asks);
    rig.set_line(LineSet::DISARM_PRESSED, false);
    assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Disarmed));
    rig.send(Teleop, 0.0, 0.0);
    rig.cycle();
    assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Arming));
    // A new attach begins as pressed.
    let mut rig = Rig::disarmed();
    rig.send(Teleop, 0.0, 0.0);
    rig.cycle();
    rig.inbox.commands[0].generation += 1;
    assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Disarmed));
}

#[test]
fn teleop_that_holds_its_arm_flag_through_a_silence_never_pressed_it() {
    let asks = |command: &mut Command| command.flags |= CommandFlags::ARM;
    // Silent for as long as makes it stale, or one cycle less.
    for (silent, mode) in [(139, Mode::Arming), (140, Mode::Disarmed)] {
        let mut rig = Rig::disarmed();
        rig.send(Teleop, 0.0, 0.0);
        rig.cycles(silent);
        assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(mode), "{silent} cycles");
    }
    // Heard all the time, but ignored: its heartbeat was late.
    let mut rig = Rig::disarmed();
    rig.beating[0] = false;
    rig.drive(Teleop, 0.0, 0.0, 200);
    for _ in 0..20 {
        rig.send_edited(Teleop, asks);
        rig.cycles(9);
    }
    rig.beating[0] = true;
    for _ in 0..5 {
        assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Disarmed));
        rig.cycles(9);
    }
    rig.send(Teleop, 0.0, 0.0);
    rig.cycle();
    assert_eq!(rig.send_edited(Teleop, asks).mode.get(), Some(Mode::Arming));
}

#[test]
fn teleop_arms_only_with_a_command_that_claims_and_counts() {
    let arms = |edit: fn(&mut Command), beats: bool| {
        let mut rig = Rig::disarmed();
        rig.beating[0] = beats;
        // Teleop speaks all the time, and leaves authority to the pilot.
        for _ in 0..20 {
            rig.send(Pilot, 0.0, 0.0);
            rig.send_edited(Teleop, |command| command.flags = CommandFlags::DEAD_MAN);
            rig.cycles(9);
        }
        rig.send(Pilot, 0.0, 0.0);
        rig.send_edited(Teleop, edit).mode.get() == Some(Mode::Arming)
    };
    assert!(arms(|command| command.flags |= CommandFlags::ARM, true));
    assert!(!arms(|command| command.flags = CommandFlags::DEAD_MAN | CommandFlags::ARM, true));
    assert!(!arms(
        |command| command.flags = CommandFlags::ASKS_AUTHORITY | CommandFlags::ARM,
        true
    ));
    assert!(!arms(|command| command.flags |= CommandFlags::ARM, false), "its heartbeat is late");
}

#[test]
fn a_button_held_while_interlocked_does_not_arm_when_the_interlock_goes() {
    let mut rig = Rig::with(|limits| limits.flags = LimitsFlags::REAL_BOARD).booted();
    rig.send(Pilot, 0.0, 0.0);
    rig.set_line(LineSet::ARM_PRESSED, true);
    rig.cycle();
    rig.housekeeping(HousekeepingFlags::REALTIME | HousekeepingFlags::MEMORY_LOCKED, true);
    assert_eq!(rig.drive(Pilot, 0.0, 0.0, 50).mode.get(), Some(Mode::Disarmed));
    rig.set_line(LineSet::ARM_PRESSED, false);
    rig.cycle();
    rig.set_line(LineSet::ARM_PRESSED, true);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Arming));
}

#[test]
fn missing_real_time_forbids_arming_a_real_board_and_stops_no_drive() {
    let real = |limits: &mut Limits| limits.flags = LimitsFlags::REAL_BOARD;
    let mut rig = Rig::with(real).booted();
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["not-realtime"]);
    rig.operator(OperatorKind::Arm);
    let refused = rig.cycle();
    assert_eq!(refused.mode.get(), Some(Mode::Disarmed));
    assert!(refused.causes.contains(Fault::NotRealtime));

    let realtime = HousekeepingFlags::REALTIME | HousekeepingFlags::MEMORY_LOCKED;
    // Half of it is none.
    for half in [HousekeepingFlags::REALTIME, HousekeepingFlags::MEMORY_LOCKED] {
        rig.housekeeping(realtime, false);
        rig.housekeeping(half, true);
        rig.send(Pilot, 0.0, 0.0);
        assert_eq!(rig.interlocks(), ["not-realtime"]);
    }
    rig.housekeeping(realtime, true);
    rig.cycle();
    rig.arm(Pilot);
    assert!(!rig.drive(Pilot, 0.0, 0.0, 1).causes.contains(Fault::NotRealtime));
    rig.housekeeping(realtime, false);
    let drives = rig.drive(Pilot, 0.0, 0.1, 50);
    assert_eq!((drives.mode.get(), drives.level), (Some(Mode::Active), 50));
    assert!(drives.causes.contains(Fault::NotRealtime));
    // A board that moves nothing may arm, and says so.
    let sim = Rig::active(Pilot);
    assert!(sim.latched(Fault::NotRealtime));
}

#[test]
fn throttle_disarm_or_silence_during_arming_end_it() {
    let disturb: [(Event, Option<Fault>); 6] = [
        (|rig| rig.send(Pilot, 0.0, 0.1), None),
        (|rig| rig.operator(OperatorKind::Disarm), Some(Fault::DisarmRequested)),
        (|rig| rig.housekeeping(HousekeepingFlags::SEALED, false), None),
        (|rig| _ = rig.cycles(90), Some(Fault::OwnerStale)),
        (
            |rig| {
                let expires_at = rig.now().plus(3 * MS);
                rig.send_edited(Pilot, |command| command.expires_at = expires_at);
                rig.cycle();
            },
            Some(Fault::OwnerStale),
        ),
        (
            |rig| {
                let command =
                    Command { flags: CommandFlags::EMPTY, ..rig.command(Pilot, 0.0, 0.0) };
                rig.write(Pilot, command);
            },
            Some(Fault::OwnerReleased),
        ),
    ];
    for (disturb, cause) in disturb {
        let mut rig = Rig::disarmed();
        rig.send(Pilot, 0.0, 0.0);
        rig.operator(OperatorKind::Arm);
        assert_eq!(rig.cycle().mode.get(), Some(Mode::Arming));
        disturb(&mut rig);
        let outcome = rig.cycle();
        assert_eq!(outcome.mode.get(), Some(Mode::Disarmed));
        assert!(is_dead(&outcome, rig.kernel.limits()));
        for told in [Fault::DisarmRequested, Fault::OwnerStale, Fault::OwnerReleased] {
            assert_eq!(rig.latched(told), cause == Some(told), "{told:?}, ended by {cause:?}");
        }
    }
}

#[test]
fn arming_clears_the_causes_of_the_last_stop() {
    let mut rig = Rig::active(Pilot);
    rig.cycles(100);
    assert_eq!(rig.mode(), Mode::Disarmed);
    assert!(rig.latched(Fault::OwnerStale));
    rig.drive(Pilot, 0.0, 0.0, 100);
    assert!(rig.latched(Fault::OwnerStale), "a good command alone clears nothing");
    rig.operator(OperatorKind::Arm);
    rig.cycle();
    assert_eq!(rig.mode(), Mode::Arming);
    assert!(!rig.latched(Fault::OwnerStale));
}

#[test]
fn a_required_log_forbids_arming_while_nothing_records_and_stops_no_drive() {
    const LOGGER: usize = 3;
    let required = |limits: &mut Limits| limits.flags = LimitsFlags::REQUIRE_LOG;
    let mut rig = Rig::with(required).booted();
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["log-missing"], "no episode is open");
    rig.inbox.heartbeats[LOGGER].flags = HeartbeatFlags::RECORDING | HeartbeatFlags::LOG_DEGRADED;
    assert_eq!(rig.interlocks(), ["log-missing"], "it loses records");
    rig.operator(OperatorKind::Arm);
    assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));
    rig.inbox.heartbeats[LOGGER].flags = HeartbeatFlags::RECORDING;
    assert!(rig.interlocks().is_empty());
    rig.cycle();
    rig.arm(Pilot);
    rig.beating[LOGGER] = false;
    let drives = rig.drive(Pilot, 0.0, 0.1, 300);
    assert_eq!(drives.mode.get(), Some(Mode::Active));
    assert!(drives.causes.contains(Fault::LogMissing));
    // Nobody misses a log that is not required.
    assert!(!Rig::active(Pilot).latched(Fault::LogMissing));
}

#[test]
fn each_mode_that_is_not_disarmed_has_an_interlock_of_its_own() {
    let waits = |rig: &mut Rig| {
        rig.send(Pilot, 0.0, 0.0);
        rig.interlocks()
    };
    let mut rig = Rig::new();
    rig.housekeeping(HousekeepingFlags::SEALED, false);
    rig.cycles(2);
    assert_eq!(waits(&mut rig), ["no-owner", "not-sealed", "self-test-pending"]);
    assert_eq!(waits(&mut Rig::active(Pilot)), ["not-disarmed"]);
    let mut rig = Rig::active(Pilot);
    rig.inbox.estop.sequence += 1;
    rig.cycle();
    assert_eq!(waits(&mut rig), ["no-owner", "estop-latched"]);
    let mut rig = Rig::active(Pilot);
    rig.observation.drive_error_count = 2;
    rig.cycle();
    assert_eq!(waits(&mut rig), ["no-owner", "faulted"]);
}

#[test]
fn sources_that_speak_in_vain_are_told_why_nobody_owns() {
    let mut rig = Rig::disarmed();
    rig.beating[2] = false;
    rig.cycles(200);
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["no-owner", "heartbeat-late"]);
    let mut rig = Rig::disarmed();
    let mut refused = rig.command(Pilot, 0.0, 0.0);
    refused.n = 0;
    rig.write(Pilot, refused);
    assert_eq!(rig.interlocks(), ["no-owner", "commands-refused"]);
    let mut rig = Rig::disarmed();
    let mut released = rig.command(Teleop, 0.0, 0.0);
    released.flags = CommandFlags::ASKS_AUTHORITY;
    rig.write(Teleop, released);
    assert_eq!(rig.interlocks(), ["no-owner", "dead-man-released"]);
    rig.cycles(139);
    assert_eq!(rig.interlocks(), ["no-owner", "dead-man-released"]);
    rig.cycle();
    assert_eq!(rig.interlocks(), ["no-owner"], "it speaks no more");
    // Nobody needs them while another owns.
    let mut rig = Rig::disarmed();
    rig.write(Teleop, released);
    rig.send(Pilot, 0.0, 0.0);
    assert!(rig.interlocks().is_empty());
}

#[test]
fn only_what_came_in_this_attach_can_have_been_refused_in_it() {
    let mut rig = Rig::disarmed();
    rig.send(Pilot, 0.0, 0.0);
    rig.cycles(60);
    // The same sequence in a new attach is another command, and this one was refused.
    let refused = Command { n: 0, sequence: 1, ..rig.command(Pilot, 0.0, 0.0) };
    rig.inbox.commands[PILOT].generation += 1;
    rig.write(Pilot, refused);
    rig.cycles(30);
    assert_eq!(rig.interlocks(), ["owner-stale", "commands-refused"]);
    // Before its first command of an attach a source has said nothing.
    rig.inbox.commands[PILOT] = InboxCommand { generation: 7, ..InboxCommand::default() };
    assert_eq!(rig.interlocks(), ["owner-stale"]);
}

#[test]
fn a_robot_that_cannot_move_cannot_be_armed() {
    let edits: [fn(&mut Limits); 2] = [
        |limits| (limits.level_forward_max, limits.level_reverse_max) = (0, 0),
        |limits| {
            (limits.throttle_min, limits.throttle_max) = (Microseconds(1500), Microseconds(1500))
        },
    ];
    for edit in edits {
        let mut rig = Rig::with(edit).booted();
        rig.send(Pilot, 0.0, 0.0);
        assert_eq!(rig.interlocks(), ["not-calibrated"]);
        rig.operator(OperatorKind::Arm);
        assert_eq!(rig.cycle().mode.get(), Some(Mode::Disarmed));
    }
    // One direction is enough.
    let mut rig = Rig::with(|limits| limits.level_reverse_max = 0).booted();
    rig.send(Pilot, 0.0, 0.0);
    assert!(rig.interlocks().is_empty());
}

#[test]
fn an_arm_button_that_is_held_is_told() {
    let mut rig = Rig::disarmed();
    rig.set_line(LineSet::ARM_PRESSED, true);
    rig.cycle();
    rig.send(Pilot, 0.0, 0.0);
    assert_eq!(rig.interlocks(), ["arm-held"]);
}

#[test]
fn an_estop_by_a_sensor_is_degraded_and_not_somebodys_demand() {
    let mut rig = Rig::disarmed();
    rig.send(Pilot, 0.0, 0.0);
    rig.observation.battery.volts = 5.0;
    assert_eq!(rig.interlocks(), ["degraded"]);
    rig.observation.lines.validity = Raw::new(Validity::Failed);
    assert_eq!(rig.interlocks(), ["estop-asserted", "degraded", "lines-silent"]);
}
