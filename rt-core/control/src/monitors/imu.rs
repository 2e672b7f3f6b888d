//! The IMU: an acceleration that no car of this size survives is a broken sensor.
//!
//! It has no memory. A reading that is no number is an outlier too.

use super::to_milli;
use rt_wire::{Imu, Limits, Validity};

/// Far beyond every limit, and small enough that three squares of it fit.
const AXIS_MAX_MM_PER_S2: i64 = 1_000_000_000;

/// Whether the magnitude of the acceleration is at its limit or above.
#[must_use]
pub fn is_outlier(imu: &Imu, limits: &Limits) -> bool {
    if imu.validity.get() != Some(Validity::Valid) {
        return false;
    }
    let mut square = 0_i64;
    for axis in imu.accel_m_per_s2 {
        let axis = to_milli(axis).clamp(-AXIS_MAX_MM_PER_S2, AXIS_MAX_MM_PER_S2);
        square = square.saturating_add(axis.saturating_mul(axis));
    }
    let limit = i64::from(limits.imu_max_mm_per_s2).min(AXIS_MAX_MM_PER_S2);
    square >= limit.saturating_mul(limit)
}
