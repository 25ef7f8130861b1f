/* old_kernel.c - preloaded: the kernel has no IP_LOCAL_PORT_RANGE, as before Linux 6.3. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOCAL_PORT_RANGE 51

int setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
	if (level == SOL_IP && name == LOCAL_PORT_RANGE) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, bytes);
}
