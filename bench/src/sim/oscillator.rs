//! A clock that runs at a rate and may be set.

/// A clock over true time: linear between changes of its rate or its reading.
#[derive(Clone, Copy, Debug)]
pub struct Oscillator {
    since: u64,
    reading: i64,
    ppm: f64,
    /// What it was before the last change, for moments before that.
    before: (u64, i64, f64),
}

impl Oscillator {
    /// Reads `reading` at true time 0 and runs `ppm` faster than it.
    #[must_use]
    pub const fn new(reading: i64, ppm: f64) -> Self {
        Self {
            since: 0,
            reading,
            ppm,
            before: (0, reading, ppm),
        }
    }

    /// Its reading at true time `at`.
    #[must_use]
    pub fn read(&self, at: u64) -> i64 {
        if at >= self.since {
            advanced(self.since, self.reading, self.ppm, at)
        } else {
            let (since, reading, ppm) = self.before;
            advanced(since, reading, ppm, at)
        }
    }

    /// Parts per million that it runs faster than true time.
    #[must_use]
    pub const fn ppm(&self) -> f64 {
        self.ppm
    }

    /// Runs at another rate from `at` on.
    pub fn set_ppm(&mut self, at: u64, ppm: f64) {
        self.change(at, 0, ppm);
    }

    /// Stands still from `at` on.
    pub fn freeze(&mut self, at: u64) {
        self.change(at, 0, -1e6);
    }

    /// Jumps at `at`.
    pub fn step(&mut self, at: u64, ns: i64) {
        self.change(at, ns, self.ppm);
    }

    fn change(&mut self, at: u64, ns: i64, ppm: f64) {
        let at = at.max(self.since);
        let reading = self.read(at);
        self.before = (self.since, self.reading, self.ppm);
        self.since = at;
        self.reading = reading + ns;
        self.ppm = ppm;
    }
}

fn advanced(since: u64, reading: i64, ppm: f64, at: u64) -> i64 {
    let elapsed = at.cast_signed() - since.cast_signed();
    reading + elapsed + (elapsed as f64 * ppm * 1e-6).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_jumps_and_stands_still() {
        let mut clock = Oscillator::new(1_000, 100.0);
        assert_eq!(clock.read(1_000_000), 1_001_100);
        clock.step(1_000_000, -500);
        assert_eq!(clock.read(999_999), 1_001_099);
        assert_eq!(clock.read(2_000_000), 2_000_700);
        clock.freeze(2_000_000);
        assert_eq!(clock.read(9_000_000), 2_000_700);
    }
}
