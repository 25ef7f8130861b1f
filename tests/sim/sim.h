/*
 * sim.h - a world in which nothing is real but the stages: its clock, sockets, kernel, faults, and what must hold in
 * it.
 *
 *   sim.c     what is run: one long run, many short ones, the same twice
 *   run.c     the clock; which stage runs, sleeps, stalls, dies   stack.*   the stack it runs on
 *   calls.c   the system calls, wrapped at link time
 *   message.c  what the kernel writes about a datagram
 *   input.c   traffic, and the sockets it arrives at          output.c   the sockets out, and what goes wrong there
 *   replies.c  sessions' sockets, and answers          requests.c  what leaves by them, and by the way back
 *   ends.c     addresses and headers beside a payload
 *   ledger.c  every packet exactly once, in order              lanes.c    the lanes and the account against the ledger
 *   copies.c  likewise for each destination of a class that copies
 *   bounds.c  shares and rate on the way out
 *   workers.c  processes that edf has work on packets
 *   config.c  what is simulated, from a seed                   sweep.c    death before each store there is
 *
 * Memory:  one world per process at a time, in `sim`, since a wrapped system call gets no argument. The segment is
 *          private memory that all stages of the process share: a fork has a world of its own.
 * Rules:   all that happens follows from the seed: the same seed, the same bytes at the same nanosecond.
 *          Each stage has a clock of its own, as if on a CPU of its own. Only system calls take time, and after each
 *          one the stage whose clock is behind goes on: stages interleave at system calls. Between stores they do in
 *          tests/kill/threads.c and tests/kill/storm.c. Plugins and reloads are not simulated.
 */
#ifndef ONTIME_SIM_H
#define ONTIME_SIM_H

#include <stdbool.h>
#include <sys/epoll.h>

#include "clock.h"
#include "config/config.h"
#include "mortal/mortal.h"
#include "mortal/trap.h"
#include "random.h"
#include "shm/segment.h"
#include "stage/stage.h"

#define SIM_BEGIN_NS (1000 * NS_PER_S) /* what the clock says when a run begins */
#define SIM_INPUT_FD LISTEN_FIRST_FD
#define SIM_TEXT_BYTES 4096

enum sim_fault {
	FAULT_KILL = 1, /* stages die, anywhere */
	FAULT_STALL = 2, /* stages are not scheduled for a while */
	FAULT_CLOCK = 4, /* CLOCK_REALTIME is stepped */
	FAULT_ICMP = 8, /* destinations refuse */
	FAULT_ROOM = 16, /* ENOBUFS, EAGAIN, ENOMEM: for single calls, and for a while */
	FAULT_SEND = 32, /* UDP_SEGMENT and single packets are refused; sockets lose their destination */
	FAULT_CALL = 64, /* EINTR, ENOMEM, spurious ends of a sleep */
	FAULT_WAY = 128, /* local addresses change */
	FAULT_ALL = 255,
};

/* What to run. */
struct sim_setup {
	uint64_t seed;
	uint64_t duration_ns; /* of the traffic ... */
	uint64_t drain_ns; /* ... and how long all may take to drain then */
	uint64_t rate_pps; /* all listen addresses together */
	uint32_t burst_pkts; /* packets that come together, on average */
	uint32_t buffer_bytes; /* receive buffer of each listen address */
	uint32_t least_bytes, most_bytes; /* of a datagram */
	uint32_t train_pkts; /* longest train of datagrams that comes in one piece; 0: none does */
	uint32_t like_pkts; /* most trains have that many datagrams, of LIKE_BYTES each; 0: each is drawn */
	int limits; /* a class limits its sources */
	int usual_sizes; /* 64, 700 and 1400 bytes only */
	uint32_t faults; /* enum sim_fault, or-ed */
	uint64_t fault_gap_ns; /* from a kill or stall to the next, on average; 0: none of those */
	uint32_t start_count; /* != 0: the counts of all lanes start that many packets before they wrap */
	char text[SIM_TEXT_BYTES]; /* the config file */
};

struct sim_result {
	uint64_t digest; /* of all that left: bytes, place and time */
	uint64_t violations;
	uint64_t came_pkts, kernel_pkts, left_pkts;
	uint64_t calls; /* of the system, by all stages */
	uint64_t deaths, recovery_deaths, rescues, steps; /* rescues: deaths with datagrams under way */
	uint64_t ended_at_ns;
	uint64_t shared_seconds; /* with all classes backlogged all the time */
	/* copies, of destinations in classes that copy */
	uint64_t skipped_full_pkts, skipped_rate_pkts, skipped_down_pkts, failed_pkts;
	double worst_share; /* in any of them: how far a class was from its due, as a part of that */
};

struct sim {
	struct sim_setup setup;
	struct sim_result result;
	struct config config;
	struct segment seg;
	uint64_t random; /* for what happens; traffic has its own, the same whatever happens */
	uint64_t ends_at_ns; /* of traffic and faults */
};

extern struct sim sim;

/* sim_below - a random number in [0, n). */
static inline uint32_t sim_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((random_next(state) >> 32) * n >> 32);
}

/* sim_complain - something that must hold does not. */
__attribute__((format(printf, 1, 2))) void sim_complain(const char *format, ...);

/*
 * sim_prepare - read setup->text, make the segment and the sockets. Once per process. 0, or an exit status after one
 * line.
 */
int sim_prepare(const struct sim_setup *setup);

/* sim_run - from the first packet until all has drained; then all is looked at. The result is in sim.result. */
void sim_run(void);

/* run.c: for the system calls of the stage that runs. */
uint64_t sim_now_ns(void);
uint64_t sim_wall_ns(void); /* the real clock: how fast is this? */
int sim_stage(void); /* -1: none of them */

/* sim_spend - a call takes that long, more or less; whoever is behind goes on first. */
void sim_spend(uint64_t ns);

/* sim_sleep - until woken, at most until then. Returns 1 if woken. what: what sim_wake() names. */
int sim_sleep(const void *what, uint64_t until_ns);
void sim_wake(const void *what);

/* sim_stalled_until_ns - when the last stall of any stage ends. */
uint64_t sim_stalled_until_ns(void);

/* sim_lock - the lock of a stage, until it dies. Returns 1 if it was free. */
int sim_lock(enum stage_id id);

/* sim_read_clock - CLOCK_MONOTONIC as the stage that runs reads it. */
uint64_t sim_read_clock(void);

/* sim_doom - let a stage die before its in_stores-th store from now on, and its successor likewise; 0: let it live. */
void sim_doom(enum stage_id id, uint32_t in_stores, uint32_t in_stores_of_recovery);

/* sim_watch - on_step is called before each step of a stage. */
void sim_watch(void (*on_step)(enum stage_id id));
int sim_is_recovering(void);

/* sim_read_ns - what the stage that runs read from its clock last. */
uint64_t sim_read_ns(void);

/* sim_step_ns - when the step that the stage is in began, as it knows. */
uint64_t sim_step_ns(enum stage_id id);

/* sim_happens - something of a kind that is switched on happens once in n times, while faults last. */
int sim_happens(enum sim_fault kind, uint32_t n);

/* input.c. `flow` is the place of a listen address among all, and SIM_INPUT_FD + flow its descriptor. */
void input_open(void);
uint32_t input_flows(void);
int input_space_fd(void);
int input_set_events(int fd, const struct epoll_event *event);
int input_wait(struct epoll_event *events, int most, int timeout_ms);
void input_ring_space(void);
int input_take_space(void); /* 1: it had been rung */
int input_take_trains(int fd, int on); /* UDP_GRO; on < 0: only tell */
int input_receive(uint32_t flow, struct mmsghdr *msgs, uint32_t n);
struct sim_datagram;
#define SIM_MESSAGE_BYTES 65507 /* longest */
/* message.c: as the kernel hands it over, without its sender */
void input_write(struct mmsghdr *to, const struct sim_datagram *d);
/* ... with it, and with all that are behind it in the same message. tells: the socket takes trains now */
void message_write(struct mmsghdr *to, const struct sim_datagram *const *all, uint32_t class, uint32_t family,
		   int tells);
void input_forget(void); /* ingress died: nobody knows any more when a socket was empty */
uint64_t input_real_ns(void);
uint32_t input_clock_steps(void);
uint64_t input_told_drops(uint32_t class); /* of the kernel drops, those that a received datagram told of */
int input_is_empty(void); /* nothing waits, and nothing will come */
int input_has_waited(uint32_t class, uint64_t since_ns); /* does a datagram wait that came before then? */

/* output.c: as the system calls, negative errno. */
int output_open(void); /* the first descriptor behind them */
void output_use_tos(int fd, int tos); /* of the socket */
int output_send(int fd, struct mmsghdr *msgs, uint32_t n);
int output_take_error(int fd, struct msghdr *m);
int output_connect(int fd, int dissolves);
int output_socket(void); /* one more, to ask the way with */
int output_close(int fd); /* 0: it is none of these */
int output_end(int fd, int peer, struct sockaddr *at, socklen_t *len);
uint64_t output_full_ns(uint32_t class); /* how long one of its destinations has had no room */
uint64_t output_refusals(uint32_t class); /* ICMP errors about its datagrams */

/* A datagram on its way: what was sent to us, and what must leave. */
struct sim_datagram {
	uint64_t token; /* the bytes of the payload follow from it */
	uint64_t arrived_at_ns, stamp_ns; /* true, and by CLOCK_REALTIME then */
	uint32_t len_bytes, drops; /* drops: of the socket when this one was queued */
	uint16_t flow;
	uint8_t source; /* which sender */
	uint8_t more; /* in the same message behind it: it was queued as a train */
	uint32_t steps; /* of CLOCK_REALTIME before it came */
};

/* sim_tos - the type of service a datagram came with: as its bytes, it follows from the token. */
static inline uint8_t sim_tos(uint64_t token)
{
	return (uint8_t)(token >> 32);
}

/*
 * replies.c: a class with replies, its sessions' sockets from poll fd + 1 on, and what the destination answers. Without
 * such a class it has no socket and nothing ever comes.
 */
#define SIM_FIXED_PORT 40000 /* of a world with `from` */
#define SIM_FIRST_CLIENT 1000 /* port of the first sender, as it lies in memory */
struct pollfd;
void replies_open(int fd); /* the first descriptor behind all others */
int replies_poll_fd(void);
int replies_has(int fd);
void replies_note_request(uint32_t class, const struct sim_datagram *d);
int replies_set_events(const struct epoll_event *event);
int replies_collect(struct epoll_event *event);
uint64_t replies_next_ns(void);
int replies_wait(struct epoll_event *events, int most);
int replies_receive(int fd, struct mmsghdr *msgs, uint32_t n);
int replies_take(int fd, struct mmsghdr *m);
uint64_t replies_strays(uint32_t class); /* of that class, taken so */
int replies_poll(struct pollfd *p);
void replies_forget(void);
int replies_connect(int fd, int dissolves);
int replies_end(int fd, int peer, struct sockaddr *at, socklen_t *len);
int replies_send(int fd, struct mmsghdr *msgs, uint32_t n);
int replies_are_over(void);
void replies_note_refusal(uint32_t class); /* a read of an input of that class was told of one */
uint64_t replies_refusals(uint32_t class); /* ICMP errors that their sockets told of */
void replies_filter(int fd, int refuses); /* a filter that takes nothing stands before the socket, or no more */

/* workers.c: those of edf, if it has any. */
uint64_t workers_news_ns(void); /* when the next one is done, or there again; UINT64_MAX: none is at work */
bool workers_are_busy(void); /* there are some, and none has nothing to do */

/* ends.c: what stands beside a payload. */
struct cmsghdr *ends_find(const struct msghdr *m, int level, int type);
uint32_t ends_segment_bytes(const struct msghdr *m); /* 0: it is one datagram */
uint32_t ends_bytes(const struct msghdr *m); /* of all parts */
uint32_t ends_client(const struct msghdr *m); /* to whom a reply goes: the number of the client in its port */
uint32_t ends_local(const struct msghdr *m); /* the source address that a message asks for; 0: none */
int ends_leads_to(const struct msghdr *m, const struct address *to);
void ends_write(struct mmsghdr *to, const struct address *from, uint32_t local); /* as the kernel: came from, and to */
uint32_t ends_header_bytes(uint32_t class, const struct iovec *part, size_t n_parts); /* 0: the payload comes first */
void ends_check_header(uint32_t class, const struct iovec *part, uint32_t source); /* does it name that sender? */

/* ledger.c: told of all that passes the sockets. */
void check_open(void);
void check_read(uint32_t class, const struct sim_datagram *d, uint64_t not_before_ns);
struct check_left { /* a datagram that left */
	uint32_t class, dest;
	const struct iovec *payload;
	uint32_t header_bytes; /* before it */
	uint8_t tos;
};
void check_left(const struct check_left *left, uint64_t now);
void check_refused(uint32_t class); /* a send call failed */
void check_lanes(void); /* compare what moved */
void check_backlog(uint64_t now); /* egress looks at the lanes: at the beginning of its step */
void check_slept(enum stage_id id, uint64_t since_ns); /* it has slept that long for want of work */
void check_died(enum stage_id id);
int check_is_drained(void);
void check_end(void);

/* bounds.c. */
void bounds_open(void);
void bounds_set_backlog(uint32_t class, int is_backlogged);
void bounds_reset(uint32_t class); /* what the class is owed is forgotten: it was refused, or its stage died */
void bounds_note(uint32_t class, uint32_t dest, uint32_t wire_bytes, uint64_t decided_at_ns);

/* flaps.c: destinations that are down for a while. */
void flaps_open(void);
void flaps_strike(uint64_t now); /* one of them is down, or up, from now on */
void flaps_end(void); /* all are up */
int flaps_has(uint32_t class); /* may its destinations go down? Then a sender may have one, and later another */
int flaps_none_is_up(uint32_t class);
int flaps_hold(uint32_t class, uint64_t since_ns); /* has it been so, or has that changed since then? */
void flaps_check(uint32_t class, uint32_t dest); /* a packet leaves for it */

/* config.c */
void config_draw(struct sim_setup *setup, uint64_t seed);
void config_small(struct sim_setup *setup, uint64_t seed);
void config_shares(struct sim_setup *setup, uint64_t seed);
void config_trains(struct sim_setup *setup, uint64_t seed);
void config_flaps(struct sim_setup *setup, uint64_t seed);
void config_small_trains(struct sim_setup *setup, uint64_t seed);
void config_copies(struct sim_setup *setup, uint64_t seed);
void config_small_copies(struct sim_setup *setup, uint64_t seed);
void config_replies(struct sim_setup *setup, uint64_t seed, int has_form); /* 1: with `via`, `from` or a header */
void config_plain(struct sim_setup *setup, uint64_t seed);

/* sweep.c: 0 if nothing was wrong. */
int sweep(uint64_t seed, uint32_t n_worlds);

#endif
