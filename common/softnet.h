/*
 * softnet.h - datagrams to this machine's own addresses that the kernel has taken, and has not brought to their sockets
 * yet.
 *
 * Rules:   a send over loopback or veth puts them into a queue of the CPU, net.core.netdev_max_backlog (1000) long,
 *          which the sender empties on its way out of the kernel. Before Linux 6.5 it does not while ksoftirqd of that
 *          CPU has been woken: then only that thread empties it, and it does not run beside SCHED_FIFO. What is sent to
 *          a full queue is lost, and the send call succeeds.
 * Source:  ksoftirqd_running() in the kernel's softirq.c; /proc/net/softnet_stat: a row per CPU, whose 12th number is
 *          the queue's length and the 13th the CPU; older kernels print fewer.
 */
#ifndef ONTIME_SOFTNET_H
#define ONTIME_SOFTNET_H

/* softnet_is_starvable - 1 on a kernel that leaves that queue to a thread. */
int softnet_is_starvable(void);

/* softnet_is_old - by its release, as in uname(2). */
int softnet_is_old(const char *release);

/* softnet_open - the descriptor that the queues are read by, or -1. */
int softnet_open(void);

/*
 * softnet_waiting_pkts - in the queue of the CPU that the caller runs on; 0 where that cannot be known, or fd is -1.
 * Costs some us.
 */
unsigned int softnet_waiting_pkts(int fd);

/* softnet_parse - one row: 1 and its CPU and length, or 0: it does not have them. */
int softnet_parse(const char *row, unsigned int *cpu, unsigned int *waiting_pkts);

#endif
