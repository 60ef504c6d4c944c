// SPDX-License-Identifier: MIT OR Apache-2.0
// clients INTERFACE COUNT SECONDS [VLAN [DOMAIN]]: so many end-to-end clients behind one interface. Each asks by a Delay_Req over Ethernet as a
// Sync comes, all at once, as many real ones do. Prints how many asked and were answered.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SYNC = 0, DELAY_REQ = 1, DELAY_RESP = 9, HEADER = 34 };
static const uint8_t OUI[3] = {2, 0x43, 0x4c};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

// The PTP message in a frame of this length; NULL if there is none.
static const uint8_t *message(const uint8_t *frame, int length) {
    int at = 12;
    if (frame[at] == 0x81 && frame[at + 1] == 0) at += 4;
    return frame[at] == 0x88 && frame[at + 1] == 0xf7 && length >= at + 2 + HEADER ? frame + at + 2 : NULL;
}

static void ask(int s, int client, int vlan, int domain, uint16_t sequence) {
    uint8_t frame[64] = {1, 0x1b, 0x19, 0, 0, 0}, *p = frame + 12;
    memcpy(frame + 6, OUI, 3);
    frame[10] = client >> 8;
    frame[11] = client;
    if (vlan) {
        *p++ = 0x81, *p++ = 0;
        *p++ = vlan >> 8, *p++ = vlan;
    }
    *p++ = 0x88, *p++ = 0xf7;
    p[0] = DELAY_REQ;
    p[1] = 2;
    p[3] = 44;
    p[4] = domain;
    memcpy(p + 20, OUI, 3);
    p[26] = client >> 8;
    p[27] = client;
    p[29] = 1;
    p[30] = sequence >> 8;
    p[31] = sequence;
    p[32] = 1;
    p[33] = 0x7f;
    if (send(s, frame, p + 44 - frame, 0) < 0) perror("send");
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    int count = atoi(argv[2]), vlan = argc > 4 ? atoi(argv[4]) : 0, domain = argc > 5 ? atoi(argv[5]) : 0, on = 1;
    double end = now() + atof(argv[3]);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = if_nametoindex(argv[1])};
    int s = socket(AF_PACKET, SOCK_RAW, 0);
    struct packet_mreq all = {.mr_ifindex = to.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    setsockopt(s, SOL_PACKET, 23 /* PACKET_IGNORE_OUTGOING */, &on, sizeof on);
    setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all);
    if (s < 0 || bind(s, (struct sockaddr *)&to, sizeof to) < 0) return perror(argv[1]), 1;
    long asked = 0, answered = 0;
    for (uint16_t sequence = 0; now() < end;) {
        struct pollfd wait = {s, POLLIN, 0};
        poll(&wait, 1, 100);
        uint8_t frame[2048];
        int length, sync = 0;
        while ((length = recv(s, frame, sizeof frame, MSG_DONTWAIT)) > 0) {
            const uint8_t *m = message(frame, length);
            if (!m || m[4] != domain) continue;
            sync |= (m[0] & 15) == SYNC;
            answered += (m[0] & 15) == DELAY_RESP && m + 54 <= frame + length && !memcmp(m + 44, OUI, 3);
        }
        if (!sync) continue;
        for (int client = 0; client < count; client++) ask(s, client, vlan, domain, sequence);
        asked += count;
        sequence++;
    }
    printf("%ld asked, %ld answered\n", asked, answered);
}
