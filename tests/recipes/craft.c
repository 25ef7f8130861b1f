/*
 * craft.c - datagrams of fields whose programs Debian does not have, made after the published formats.
 *
 * usage: craft mavlink|moldudp PORT N PER_S    N datagrams to PORT of loopback, PER_S a second
 *
 * Source:  MAVLink 2, "Packet Serialization": HEARTBEAT, message 0, CRC_EXTRA 50, checksum X.25 (CRC-16/MCRF4XX).
 *          Nasdaq, "MoldUDP64 Protocol Specification" 1.00: session, sequence number, count, then length and data of
 *          each message.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "units.h"

#define MOST_BYTES 128
#define HEARTBEAT_BYTES 9
#define HEARTBEAT_CRC_EXTRA 50
#define QUOTE_BYTES 36 /* of an order that is added, as ITCH has it */
#define QUOTES 2 /* in a datagram */

static uint16_t crc_x25(uint16_t crc, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0x8408 : crc >> 1);
	}
	return crc;
}

/* Of a quadrotor (type 2) under ArduPilot (autopilot 3), armed; the mode changes with each. */
static size_t mavlink(uint8_t *out, uint32_t i)
{
	static const uint8_t extra = HEARTBEAT_CRC_EXTRA;
	const uint8_t packet[] = { 0xfd,
				   HEARTBEAT_BYTES,
				   0,
				   0,
				   (uint8_t)i,
				   1,
				   1,
				   0,
				   0,
				   0,
				   (uint8_t)i,
				   (uint8_t)(i >> 8),
				   (uint8_t)(i >> 16),
				   (uint8_t)(i >> 24),
				   2,
				   3,
				   0x81,
				   4,
				   3 };
	uint16_t crc = crc_x25(0xffff, packet + 1, sizeof(packet) - 1);

	crc = crc_x25(crc, &extra, 1);
	memcpy(out, packet, sizeof(packet));
	out[sizeof(packet)] = (uint8_t)crc;
	out[sizeof(packet) + 1] = (uint8_t)(crc >> 8);
	return sizeof(packet) + 2;
}

static size_t moldudp(uint8_t *out, uint32_t i)
{
	uint64_t sequence = htobe64(1 + (uint64_t)i * QUOTES);
	uint16_t count = htobe16(QUOTES), length = htobe16(QUOTE_BYTES);
	uint8_t *at = out;

	at = mempcpy(at, "ONTIME0001", 10);
	at = mempcpy(at, &sequence, sizeof(sequence));
	at = mempcpy(at, &count, sizeof(count));
	for (uint32_t k = 0; k < QUOTES; k++) {
		at = mempcpy(at, &length, sizeof(length));
		memset(at, (int)(i + k), QUOTE_BYTES);
		*at = 'A';
		at += QUOTE_BYTES;
	}
	return (size_t)(at - out);
}

static int open_to(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(port)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	log_error("port %s: %s", port, strerror(errno));
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	size_t (*make)(uint8_t *, uint32_t);
	uint8_t packet[MOST_BYTES];
	uint64_t due_ns = now_ns();

	log_set_name("craft");
	make = argc != 5 ? NULL : !strcmp(argv[1], "mavlink") ? mavlink : !strcmp(argv[1], "moldudp") ? moldudp : NULL;
	if (!make || atoi(argv[4]) < 1) {
		log_error("usage: craft mavlink|moldudp PORT N PER_S");
		return 2;
	}
	int fd = open_to(argv[2]);
	for (uint32_t i = 0; i < (uint32_t)atoi(argv[3]); i++) {
		size_t bytes = make(packet, i);

		if (send(fd, packet, bytes, 0) < 0 && (errno != ECONNREFUSED || send(fd, packet, bytes, 0) < 0)) {
			log_error("port %s: %s", argv[2], strerror(errno));
			return EXIT_FAILURE;
		}
		due_ns += NS_PER_S / (unsigned int)atoi(argv[4]);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
				&(struct timespec){ .tv_sec = (time_t)(due_ns / NS_PER_S),
						    .tv_nsec = (long)(due_ns % NS_PER_S) },
				NULL);
	}
	return EXIT_SUCCESS;
}
