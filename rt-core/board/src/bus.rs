//! Bus tasks: what a board wants done on a slow bus, beside the loop and never in it.
//!
//! A board that has a bus returns one task for each device in [`Opened`](crate::Opened). The fast
//! loop runs them all on one thread, each at its own period, below the loop's priority and away from
//! its core. Task and board share nothing but slots (`reading.rs`): neither ever waits for the other.
//! Shown by: `fast-loop/tests/bus/`.

use crate::Call;
use core::fmt;
use rt_wire::MonoNs;

/// Shortest period of a bus task. What must be faster is no slow bus, and belongs into the loop.
pub const BUS_PERIOD_US_MIN: u32 = 1000;

/// One device on a slow bus.
///
/// ```
/// use rt_board::Syscall::Ioctl;
/// use rt_board::{BusError, BusTask, Call, ReadingReader, ReadingWriter, reading_slot};
/// use rt_wire::{MonoNs, Observation, Raw, Validity, WheelSpeed};
///
/// /// A wheel encoder behind I2C.
/// struct EncoderTask {
///     speed: ReadingWriter<WheelSpeed>,
/// }
///
/// impl EncoderTask {
///     // A driver's exchange with the chip; it may wait for the bus.
///     fn exchange(&mut self) -> Result<f32, i32> {
///         Ok(1.5)
///     }
/// }
///
/// impl BusTask for EncoderTask {
///     fn name(&self) -> &'static str {
///         "encoder"
///     }
///     fn period_us(&self) -> u32 {
///         10_000
///     }
///     fn calls(&self) -> &'static [Call] {
///         &[Call { call: Ioctl, why: "I2C_RDWR asks the encoder" }]
///     }
///     fn run(&mut self, now: MonoNs) -> Result<(), BusError> {
///         match self.exchange() {
///             Ok(speed_m_per_s) => {
///                 let validity = Raw::new(Validity::Valid);
///                 self.speed.tell(&WheelSpeed { mono_ns: now, speed_m_per_s, validity });
///                 Ok(())
///             }
///             Err(errno) => {
///                 self.speed.fail();
///                 Err(BusError { errno })
///             }
///         }
///     }
/// }
///
/// /// The board's side: in `Board::read`, never waiting.
/// fn read(speed: &mut ReadingReader<WheelSpeed>, now: MonoNs, observation: &mut Observation) {
///     observation.wheel = speed.at(now);
/// }
///
/// // When the board opens: a reading counts for three periods.
/// let (writer, mut reader) = reading_slot::<WheelSpeed>(30_000_000);
/// let mut task = EncoderTask { speed: writer };
/// let mut observation = Observation::default();
/// task.run(MonoNs(5_000_000))?;
/// read(&mut reader, MonoNs(6_000_000), &mut observation);
/// assert_eq!(observation.wheel.speed_m_per_s, 1.5);
/// # Ok::<(), BusError>(())
/// ```
pub trait BusTask: Send {
    /// What it talks to, in one word, for people: `imu`, `battery`.
    fn name(&self) -> &'static str;

    /// Nominal time between two runs, in µs; at least [`BUS_PERIOD_US_MIN`]. Read once, at start.
    fn period_us(&self) -> u32;

    /// The system calls that [`run`](Self::run) makes, each with its reason, as
    /// [`Board::calls`](crate::Board::calls). Any other ends the process.
    fn calls(&self) -> &'static [Call] {
        &[]
    }

    /// One exchange with the bus, begun at `now`. It may wait for the bus, and for nothing else: it
    /// allocates and frees nothing (its thread is sealed like the loop's; what it needs it gets when
    /// the board opens), and it does not panic (a panic ends the process, which stops the car).
    ///
    /// It runs once more after the loop has ended, so that what the board's `safe` left for the bus
    /// gets there.
    ///
    /// # Errors
    /// The device did not answer, or said nonsense. Each error is counted; two in a row are told.
    /// What the loop is to think of it the task tells through its slot.
    fn run(&mut self, now: MonoNs) -> Result<(), BusError>;
}

/// A device on a bus did not answer, or said nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusError {
    /// `errno` of the bus, 0 where there is none.
    pub errno: i32,
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no good answer from the bus (errno {})", self.errno)
    }
}

impl core::error::Error for BusError {}
