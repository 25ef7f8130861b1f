/* trap.c - a segment whose stores are counted, until the one at which its writer dies. */
#include "trap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define TRAP_FLAG 0x100 /* of x86-64 */
#define BREAKPOINT 0xd4200000u /* of AArch64: brk #0 */
#define ADDRESS_BITS 0x3ffu /* of AArch64: which registers hold the address and the value */
#define MOST_PAGES 4 /* one store touches two, a copy within the segment four */

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);

struct trap trap;
static uint8_t *open_pages[MOST_PAGES]; /* writable for one instruction */
static int n_open;
static uintptr_t page_bytes; /* 4, 16 or 64 KiB on AArch64 */

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

#if defined(__x86_64__)
static void prepare_step(void)
{
}

static uintptr_t code_at(const ucontext_t *c)
{
	return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
}

static void begin_step(ucontext_t *c)
{
	c->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void end_step(ucontext_t *c)
{
	c->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}
#elif defined(__aarch64__)
/*
 * A process has no trap flag here. A copy of the store is executed instead, in front of a breakpoint: what a store does
 * depends on registers only, not on where it stands.
 */
static uint32_t *step; /* the copy, and the breakpoint */
static uintptr_t next; /* what follows the store itself */

static void prepare_step(void)
{
	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	step = __real_mmap(NULL, page_bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (step == MAP_FAILED)
		abort();
	step[1] = BREAKPOINT;
}

static uintptr_t code_at(const ucontext_t *c)
{
	return c->uc_mcontext.pc;
}

/*
 * A store-exclusive would fail, since the signal ended its reservation, and for ever: the plain store-release in its
 * place.
 */
static uint32_t make_plain(uint32_t store, ucontext_t *c)
{
	uint32_t status = store >> 16 & 31;

	if ((store & 0x3fe00000u) != 0x08000000u)
		return store;
	if (status < 31)
		c->uc_mcontext.regs[status] = 0; /* it succeeds */
	return (store & (0xc0000000u | ADDRESS_BITS)) | 0x089ffc00u;
}

static void begin_step(ucontext_t *c)
{
	if (c->uc_mcontext.pc == (uintptr_t)step)
		return; /* the second page of the same store */
	next = c->uc_mcontext.pc + sizeof(*step);
	step[0] = make_plain(*(const uint32_t *)c->uc_mcontext.pc, c);
	__builtin___clear_cache((char *)step, (char *)(step + 2));
	c->uc_mcontext.pc = (uintptr_t)step;
}

static void end_step(ucontext_t *c)
{
	c->uc_mcontext.pc = next;
}
#else
static void prepare_step(void)
{
}

static uintptr_t code_at(const ucontext_t *c)
{
	(void)c;
	return 0;
}

static void begin_step(ucontext_t *c)
{
	(void)c;
}

static void end_step(ucontext_t *c)
{
	(void)c;
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
	uint8_t *at = info->si_addr, *page = (uint8_t *)((uintptr_t)at & ~(page_bytes - 1));

	if (!trap.armed || at < trap.at || at >= trap.at + trap.bytes || n_open == MOST_PAGES) {
		signal(sig, SIG_DFL);
		return;
	}
	if (n_open == 0 && must_die(c)) {
		trap_disarm();
		siglongjmp(trap.death, 1);
	}
	open_pages[n_open++] = page;
	mprotect(page, page_bytes, PROT_READ | PROT_WRITE);
	begin_step(c);
}

/* The store is done. */
static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	while (n_open > 0)
		mprotect(open_pages[--n_open], page_bytes, PROT_READ);
	end_step(context);
}

void trap_set_up(void)
{
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction stepped = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER };

	page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	prepare_step();
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
