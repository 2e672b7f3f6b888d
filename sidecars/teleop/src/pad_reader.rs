//! The gamepad itself: found when it is plugged in, read, and given up when it is gone.
//!
//! A thread of its own, because opening a device may wait. It publishes what the person wants at
//! each event and, as a sign of life, several times within the driver's limit for an old source; an
//! unplugged pad is `None` at once. An e-stop does not wait for anybody who reads what it publishes.
//!
//! *What the sign of life means.* That the kernel still lists the device, and no more. A pad behind a
//! radio that is carried out of range, or whose battery dies, stays listed with switch and sticks as
//! last heard, until the radio gives the link up: a Bluetooth link by default after 20 s (0x7d00
//! slots of 0.625 ms), the receiver of a USB radio when it likes, or never. Until then the car drives
//! on. No limit on silence mends that: the kernel tells changes only, so a thumb that holds full
//! throttle on a straight is as silent as a pad out of range, and would be let go in mid-drive. So
//! who drives by radio keeps the mushroom button within reach, or uses a cable; teleop says so when
//! it finds a pad on Bluetooth.
//!
//! Tests: with a pad made by uinput in the tests crate, where the kernel lets one be made.

use crate::Intent;
use crate::estop::EstopLine;
use crate::pad::Pad;
use evdev::{BusType, Device, EventSummary};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rt_config::TeleopPad;
use sidecar::mono_now;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;
use tokio::sync::watch;
use tracing::warn;

/// How often a pad that is there says so.
const ALIVE_EVERY_MS: u8 = 20;
/// How often we look for one.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is known of the pad.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PadSeen {
    /// Its name; `None` while there is none.
    pub name: Option<String>,
    /// What the person wants.
    pub intent: Option<Intent>,
}

/// Whether a pad that fits is there now.
#[must_use]
pub(crate) fn is_there(layout: &TeleopPad) -> bool {
    find(layout).is_some()
}

/// Reads whichever pad is there, from now on.
///
/// # Errors
/// No thread can be started.
pub(crate) fn start(
    layout: &TeleopPad,
    estop: EstopLine,
) -> std::io::Result<watch::Receiver<PadSeen>> {
    let (tell, seen) = watch::channel(PadSeen::default());
    let layout = layout.clone();
    thread::Builder::new().name("pad".to_owned()).spawn(move || {
        while !tell.is_closed() {
            if let Some((device, pad)) = find(&layout) {
                read(device, pad, &tell, &estop);
                tell.send_replace(PadSeen::default());
            }
            thread::sleep(LOOK_EVERY);
        }
    })?;
    Ok(seen)
}

/// The first device that has every button and stick of the layout, with its state.
fn find(layout: &TeleopPad) -> Option<(Device, Pad)> {
    evdev::enumerate().find_map(|(_, device)| {
        let mut pad = Pad::new(layout);
        let keys = device.supported_keys()?;
        let axes = device.supported_absolute_axes()?;
        let fits = pad.buttons().iter().all(|button| keys.contains(*button))
            && pad.axes().iter().all(|axis| axes.contains(*axis));
        // A pad that is gone again before it was read is no pad.
        (fits && take_state(&device, &mut pad).is_ok()).then_some((device, pad))
    })
}

fn take_state(device: &Device, pad: &mut Pad) -> std::io::Result<()> {
    device.set_nonblocking(true)?;
    for (axis, info) in device.get_absinfo()? {
        pad.set_range(axis, info.minimum(), info.maximum(), info.value());
    }
    let keys = device.get_key_state()?;
    for button in pad.buttons() {
        // An e-stop that was held before we came is told as long as it is held.
        pad.pressed(button, keys.contains(button), mono_now());
    }
    Ok(())
}

/// Reads until the pad is gone.
fn read(mut device: Device, mut pad: Pad, tell: &watch::Sender<PadSeen>, estop: &EstopLine) {
    if device.input_id().bus_type() == BusType::BUS_BLUETOOTH {
        warn!(
            "the gamepad is on Bluetooth: out of range it counts as held until the radio gives it \
             up, which may take 20 s; keep the emergency stop within reach, or use a cable"
        );
    }
    let name = Some(device.name().unwrap_or("a pad without a name").to_owned());
    while !tell.is_closed() {
        let intent = Some(pad.intent(mono_now()));
        tell.send_replace(PadSeen { name: name.clone(), intent });
        let mut wait = [PollFd::new(device.as_fd(), PollFlags::POLLIN)];
        match poll(&mut wait, PollTimeout::from(ALIVE_EVERY_MS)) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(_) => return,
        }
        match device.fetch_events() {
            Ok(events) => {
                for event in events {
                    apply(event.destructure(), &mut pad, estop);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // ENODEV: it was unplugged.
            Err(_) => return,
        }
    }
}

fn apply(event: EventSummary, pad: &mut Pad, estop: &EstopLine) {
    let estop_begins = match event {
        EventSummary::AbsoluteAxis(_, axis, value) => {
            pad.moved(axis, value);
            false
        }
        EventSummary::Key(_, button, value) => pad.pressed(button, value != 0, mono_now()),
        _ => false,
    };
    if estop_begins {
        estop.pull();
    }
}
