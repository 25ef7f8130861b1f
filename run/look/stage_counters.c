/* stage_counters.c - what each counter of a stage is called, what it counts, and where it lies. */
#include <string.h>

#include "view.h"

#define AT(field) .at = offsetof(struct stage_view, field)

static const struct counter counters[] = {
	{ "up_ns", "ontime_stage_uptime_seconds", NULL, "Since the stage's process started; 0 when it is not alive.",
	  KIND_NOW, UNIT_NS, AT(up_ns) },
	{ "starts", "ontime_stage_starts", NULL, "Times the stage was started since launch.", KIND_COUNT, UNIT_NONE,
	  AT(starts) },
	{ "beat_age_ns", "ontime_stage_heartbeat_age_seconds", NULL,
	  "Since the stage made progress, or looked around idle.", KIND_NOW, UNIT_NS, AT(beat_age_ns) },
	{ "has_work", NULL, NULL, "1: at its last beat something was waiting for the stage.", KIND_NOW, UNIT_NONE,
	  AT(has_work) },
	{ "cpu_ns", "ontime_stage_cpu_seconds", NULL, "CPU time of the stage's process, user and system.", KIND_COUNT,
	  UNIT_NS, AT(cpu_ns) },
	{ "queued_ns", "ontime_stage_queued_seconds", NULL,
	  "Time the stage's process was ready to run while another one had its CPU.", KIND_COUNT, UNIT_NS,
	  AT(queued_ns) },
	{ "parks", "ontime_stage_parks", NULL, "Times the stage went to sleep.", KIND_COUNT, UNIT_NONE, AT(parks) },
	{ "rings", "ontime_stage_wakes", NULL, "Times the stage woke another one.", KIND_COUNT, UNIT_NONE, AT(rings) },
	{ "rescued", "ontime_stage_rescued_packets", NULL,
	  "Datagrams a killed predecessor had handled without counting them.", KIND_COUNT, UNIT_PACKETS,
	  AT(rescued_pkts) },
	{ "failed_calls", "ontime_stage_failed_calls", NULL,
	  "System calls that failed in a way that is expected to pass.", KIND_COUNT, UNIT_NONE, AT(failed_calls) },
	{ "remade_sockets", "ontime_stage_remade_sockets", NULL,
	  "Times a socket was made again because an address or route had changed.", KIND_COUNT, UNIT_NONE,
	  AT(remade_sockets) },
	{ "workers", "ontime_stage_workers", NULL,
	  "Processes that work on packets for the stage; 0: it does so itself.", KIND_NOW, UNIT_NONE, AT(workers) },
	{ "workers_busy", "ontime_stage_workers_busy", NULL, "Those of them that have a packet.", KIND_NOW, UNIT_NONE,
	  AT(workers_busy) },
	{ "workers_died", "ontime_stage_workers_died", NULL, "Those of them that died, and were replaced.", KIND_COUNT,
	  UNIT_NONE, AT(workers_died) },
	{ "failing_ns", "ontime_stage_failing_seconds", NULL,
	  "Since when a system call of the stage has failed each time; 0 when none does.", KIND_NOW, UNIT_NS,
	  AT(failing_ns) },
};

const struct counter *stage_counter_next(const struct counter *c)
{
	c = c ? c + 1 : counters;
	return c < counters + sizeof(counters) / sizeof(counters[0]) ? c : NULL;
}

uint64_t stage_counter_value(const struct counter *c, const struct stage_view *s)
{
	uint64_t value;

	memcpy(&value, (const char *)s + c->at, sizeof(value));
	return value;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void stage_add(struct stage_view *sum, const struct stage_view *one, int is_first)
{
	if (is_first) {
		*sum = *one;
		return;
	}
	for (const struct counter *c = stage_counter_next(NULL); c; c = stage_counter_next(c)) {
		uint64_t value = stage_counter_value(c, sum), other = stage_counter_value(c, one);

		value = c->kind == KIND_COUNT || strncmp(c->key, "workers", 7) == 0 ? value + other
			: c->at == offsetof(struct stage_view, up_ns)		    ? (value < other ? value : other)
										    : larger(value, other);
		memcpy((char *)sum + c->at, &value, sizeof(value));
	}
	if (strcmp(sum->state, "ready") == 0)
		sum->state = one->state;
	sum->is_ready += one->is_ready;
	if (one->failing_ns && one->failing_ns == sum->failing_ns)
		sum->failing_errno = one->failing_errno;
}
