//! Scripts of random octets.

use proptest::prelude::*;

use crate::script::{HEAD, STEP, run};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_nothing_leaves_that_must_not(
        head in any::<[u8; HEAD]>(),
        steps in prop::collection::vec(
            (any::<[u8; STEP]>(), prop::bool::weighted(0.1), 0_u8..6), 0..120),
    ) {
        let mut script = head.to_vec();
        for (mut step, mutated, pause) in steps {
            if !mutated {
                step[7] = 0;
            }
            // Few hosts, numbers and ways, short pauses, fresh frames: so that exchanges come about.
            step[1] &= 0x1B;
            step[2] &= 0x1B;
            step[3] = step[3] & 3 | 0xF8;
            step[4] = step[4] & 0xF8 | pause;
            script.extend(step);
        }
        run(&script);
    }

    #[test]
    fn nor_with_any_octets(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        run(&octets);
    }
}
