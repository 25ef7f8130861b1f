/*
 * train.h - which sockets take trains of datagrams in one piece (UDP_GRO), and how they are asked for.
 *
 * Rules:   a socket begins when datagrams come as a train that the kernel had to cut for it: then many in a row have
 *          the same receive time. With `gro = on` each begins at once. Until then nothing about it is different.
 *          It never ends: a train that is queued already would be delivered in one piece and without its length, as one
 *          datagram, and one may be queued at any moment until the option is off. So only the shape of the calls
 *          changes: where trains come few messages are asked for, into the scratch; where none does many, into slots,
 *          and into the scratch only with what a slot does not hold.
 *          After batches of trains that were all alike each datagram of the next ones is aimed at a slot of its own, if
 *          it is long enough for a copy to cost more than a vector. A guess that was wrong ends that for a while.
 *          Shared addresses, sockets of sessions, and with `auto` lanes that do not hold one train take none.
 *          While one batch waits for room, the other is for calls that can be published at once: of a class where
 *          trains come no more messages are read than lanes have room for, however long the trains are.
 * Crash:   the option is the socket's, and a successor asks for it. What it learns again is a matter of speed.
 * Source:  udp(7) UDP_GRO. Probed on Linux 6.18: a message is delivered as it was queued, in one piece if the option
 *          was on then, and its length is told if the option is on when it is read; too little room cuts it, and the
 *          rest is lost. A train has up to 128 datagrams (64 before Linux 6.7), and when it finds the buffer full
 *          SO_RXQ_OVFL counts one.
 */
#ifndef ONTIME_INGRESS_TRAIN_H
#define ONTIME_INGRESS_TRAIN_H

#include "receive.h"

enum train_shape {
	SHAPE_PLAIN, /* no train can come: into slots */
	SHAPE_SLOTS, /* into slots, and what they do not hold into the scratch */
	SHAPE_STAGED, /* into the scratch */
	SHAPE_SCATTERED, /* each datagram into a slot, by what came lately, and the rest into the scratch */
};

/* train_open - which sockets take trains already, and which do from now on. */
void train_open(struct receiver *r, const struct ingress *in);

/* train_room_pkts - of so much room in the lane of a class that is not waited for, how much may be read into now. */
uint32_t train_room_pkts(const struct receiver *r, uint32_t class, uint32_t room_pkts);

/* train_shape - how a call for *n messages is to be made; *n becomes less where they may be trains. */
enum train_shape train_shape(const struct receiver *r, int flow, const struct batch *b, uint32_t *n);

/* train_touch - n messages may be written to the scratch. */
void train_touch(const struct receiver *r, struct batch *b, uint32_t n);

/* train_aim - where the n messages of a call go to: into the vectors, and into the journal for a successor. */
void train_aim(struct receiver *r, struct batch *b, uint32_t n, enum train_shape shape);

/* train_learn - a batch was read. */
void train_learn(struct receiver *r, const struct batch *b);

/* train_vote - of n packets in a row so many had the receive time of the one before: is it time to begin? */
void train_vote(struct receiver *r, int flow, uint32_t n, uint32_t twins);

#endif
