//! AF_PACKET rings, stamps, timers and interfaces: the only room with `unsafe`.
