/*
 * capture.h - a trace from a capture (pcap, pcapng): what arrived when, of which class, how long, and with which bytes.
 *
 * Memory:  as trace.h; the payloads too, where they are asked for.
 * Rules:   the class of a datagram is the one that listens on its destination port; where several do, the one whose
 *          rule (`match`) names it. What is no UDP datagram to such a port is left out, and said. Times count from the
 *          first datagram that is taken. Of what was cut when it was captured, the bytes that are not there are zeros.
 *          libpcap reads the file. It is loaded when it is needed, so that nothing else needs it.
 * Errors:  one line that names the file and what is wrong: status 2. No memory, no libpcap: status 1.
 */
#ifndef ONTIME_TRAFFIC_CAPTURE_H
#define ONTIME_TRAFFIC_CAPTURE_H

#include "trace.h"

/* capture_read - "-": standard input. keep: with the payloads. speed: so many times as fast. 0, or the exit status. */
int capture_read(struct trace *t, const char *file, const struct config *c, int keep, double speed);

#endif
