/* crash_trap.c - a segment whose stores are counted, and the stages that die at one of them. */
#include "crash_trap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "crash.h"

#define PAGE 4096ul
#define TRAP_FLAG 0x100
#define MOST_PAGES 4 /* one store touches two, a copy within the segment four */

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);

struct trap trap;
static uint8_t *open_pages[MOST_PAGES]; /* writable for one instruction */
static int n_open;

const struct mortal mortals[N_STAGES] = {
	{ "ingress", ingress_open, ingress_step, ingress_die },
	{ "edf", edf_open, edf_step, edf_die },
	{ "egress", egress_open, egress_step, egress_die },
};

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	if (fd < 0 || flags != MAP_SHARED)
		return __real_mmap(at, bytes, prot, flags, fd, offset);
	if (!trap.at) {
		trap.at = __real_mmap(at, bytes, PROT_READ | PROT_WRITE, trap.is_private ? MAP_PRIVATE : flags, fd,
				      offset);
		trap.bytes = bytes;
	}
	return trap.at;
}

int __wrap_munmap(void *at, size_t bytes)
{
	return at == trap.at ? 0 : __real_munmap(at, bytes);
}

static void protect(int prot)
{
	if (mprotect(trap.at, trap.bytes, prot) < 0)
		abort();
}

void trap_begin_call(void)
{
	if (trap.armed)
		protect(PROT_READ | PROT_WRITE);
}

void trap_end_call(void)
{
	if (trap.armed)
		protect(PROT_READ);
	trap.called_at = trap.stores;
}

#if TRAP_WORKS
static uintptr_t code_at(const ucontext_t *c)
{
	return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
}

static void single_step(ucontext_t *c, int on)
{
	if (on)
		c->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
	else
		c->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}
#else
static uintptr_t code_at(const ucontext_t *c)
{
	(void)c;
	return 0;
}

static void single_step(ucontext_t *c, int on)
{
	(void)c;
	(void)on;
}
#endif

/* Is the store that faulted the last one? */
static int must_die(const ucontext_t *c)
{
	int dies = ++trap.stores == trap.die_at;

	return (trap.on_store && trap.on_store(code_at(c))) || dies;
}

/* A store to the segment, or the second page of one. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	uint8_t *at = info->si_addr, *page = (uint8_t *)((uintptr_t)at & ~(PAGE - 1));

	if (!trap.armed || at < trap.at || at >= trap.at + trap.bytes || n_open == MOST_PAGES) {
		signal(sig, SIG_DFL);
		return;
	}
	if (n_open == 0 && must_die(c)) {
		trap_disarm();
		siglongjmp(trap.death, 1);
	}
	open_pages[n_open++] = page;
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	single_step(c, 1);
}

/* The store is done. */
static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	while (n_open > 0)
		mprotect(open_pages[--n_open], PAGE, PROT_READ);
	single_step(context, 0);
}

void trap_set_up(void)
{
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction stepped = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGTRAP, &stepped, NULL);
}

void trap_arm(uint32_t die_at)
{
	trap.stores = trap.called_at = 0;
	n_open = 0;
	trap.die_at = die_at;
	trap.armed = 1;
	protect(PROT_READ);
}

void trap_disarm(void)
{
	trap.armed = 0;
	protect(PROT_READ | PROT_WRITE);
}
