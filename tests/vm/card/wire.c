// SPDX-License-Identifier: MIT OR Apache-2.0
// wire UP.pcap DOWN.pcap DOMAIN: what went over the two cables of a gateway, by captures of both by one clock, as lines of the virtual
// card's own list (testcard.c). PTP over Ethernet.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t number(const uint8_t *at, int bytes) {
    uint64_t value = 0;
    while (bytes--) value = value << 8 | *at++;
    return value;
}

static void name(const uint8_t *port) {
    for (int i = 0; i < 10; i++) printf("%02x", port[i]);
    putchar(' ');
}

static void line(uint64_t ns, int cable, const uint8_t *frame, uint32_t length, int domain) {
    uint32_t at = 12, vlan = 0;
    if (length > 18 && frame[12] == 0x81 && !frame[13]) vlan = number(frame + 14, 2) & 0xfff, at = 16;
    if (length < at + 2 + 34 || frame[at] != 0x88 || frame[at + 1] != 0xf7) return;
    const uint8_t *m = frame + at + 2;
    int type = m[0] & 15, answer = type == 9 && length >= at + 2 + 54;
    if (m[4] != domain) return;
    // Requests come from below, all else from above.
    int port = type == 1 ? (cable ? 3 : 1) : (cable ? 2 : 0);
    printf("%llu %d %d %d %d %lld ", (unsigned long long)ns, port, type, m[4], (int)number(m + 30, 2), (long long)number(m + 8, 8));
    name(m + 20);
    name(answer ? m + 44 : (const uint8_t[10]){0});
    printf("%u\n", vlan);
}

int main(int argc, char **argv) {
    for (int cable = 0; cable < 2 && argc == 4; cable++) {
        FILE *file = fopen(argv[cable + 1], "rb");
        uint32_t head[6], packet[4];
        static uint8_t frame[1 << 16];
        if (!file || fread(head, sizeof head, 1, file) != 1 || head[0] != 0xa1b2c3d4) return perror(argv[cable + 1]), 1;
        while (fread(packet, sizeof packet, 1, file) == 1 && packet[2] <= sizeof frame && fread(frame, 1, packet[2], file) == packet[2])
            line((packet[0] % 1000000ull) * 1000000000ull + packet[1] * 1000ull, cable, frame, packet[2], atoi(argv[3]));
        fclose(file);
    }
    return argc != 4;
}
