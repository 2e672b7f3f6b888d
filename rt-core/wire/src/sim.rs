//! The `sim` board's pins and what the plant reports: the wires of a robot that is not there.
//! Nothing that drives may read [`PlantStatus`]: a real car has no such wire. Shown by:
//! tests/layout.rs.

use crate::observation::Validity;
use crate::record::Raw;
use crate::telemetry::PulseFrame;
use crate::units::MonoNs;

record! {
    /// What the `sim` board's pins show. The heartbeat pin travels as edge count and level, so that
    /// a plant that polls cannot miss or alias an edge.
    pub struct SimPins {
        /// Cycle in which the pins were driven; 0 before the first.
        pub cycle_index: u64,
        /// When they were driven.
        pub mono_ns: MonoNs,
        /// Edges of the heartbeat pin since the start.
        pub heartbeat_edges: u64,
        /// Pulse widths and outputs.
        pub pulses: PulseFrame,
        /// Level of the heartbeat pin, 0 or 1.
        pub heartbeat_level: u32,
        /// Zero.
        pub reserved: u32,
    }
}

record! {
    /// What really happened on the track: truth for reports and tests, never for control.
    pub struct PlantStatus {
        /// When it was taken.
        pub mono_ns: MonoNs,
        /// Hash of the plant's parameters.
        pub plant_hash: u64,
        /// When motor power was cut by the monostable; 0 while it is on.
        pub power_cut_at: MonoNs,
        /// Last edge of the heartbeat pin that the monostable saw.
        pub last_heartbeat_edge_at: MonoNs,
        /// Distance driven in metres.
        pub distance_m: f64,
        /// Length of the track in metres.
        pub track_length_m: f64,
        /// Position in metres.
        pub x_m: f64,
        /// Position in metres.
        pub y_m: f64,
        /// Heading in radians.
        pub yaw_rad: f64,
        /// Speed in m/s, positive forward.
        pub speed_m_per_s: f64,
        /// Time outside the track in seconds.
        pub off_track_s: f64,
        /// Last lap time in seconds; 0 before the first.
        pub last_lap_s: f64,
        /// Best lap time in seconds; 0 before the first.
        pub best_lap_s: f64,
        /// Highest speed in m/s.
        pub top_speed_m_per_s: f64,
        /// Laps completed.
        pub laps: u32,
        /// Times that any wheel went outside.
        pub off_track_count: u32,
        /// Steps of the plant that came later than 5 ms.
        pub late_steps: u32,
        /// Whether the plant runs.
        pub validity: Raw<Validity>,
    }
}
